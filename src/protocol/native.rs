//! The native dialect, version 1. `docs/protocol.md` describes it; `decode` reads it, `answers` and `entries` write it.
//!
//! ```text
//! > {"request":"message","id":1,"room":"lobby","text":"hello","nonce":"6f1c"}
//! < {"response":"message","id":1,"room":"lobby","seq":7,"time":"2026-01-31T12:00:00.000Z"}
//! < {"event":"message","room":"lobby","seq":7,"from":"alice","time":"2026-01-31T12:00:00.000Z","text":"hello",..}
//! ```
//!
//! `response` or `event` is the first key of each object, `id` the second where there is one.

mod answers;
mod decode;
mod entries;

use std::time::Duration;

use crate::model::{Entry, RoomName, UserId};
use crate::protocol::dialect::Dialect;
use crate::protocol::json::{self, Object};
use crate::protocol::{Answer, Ask, Hint, Kind, Refusal, RequestId, Tag};
pub(super) use entries::{renames, write_entry};

/// The version of the protocol that this is.
pub const VERSION: i64 = 1;

/// The native dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Dialect for Native {
    fn decode(&self, object: &str) -> Ask {
        decode::decode(object)
    }

    fn answer(&self, tag: &Tag, answer: &Answer, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.str("response", tag.word.as_deref().unwrap_or(tag.kind.as_str()));
        match &tag.id {
            None => {}
            Some(RequestId::Json(json)) => object.json("id", json),
            Some(RequestId::Int(int)) if *int < 0 => {
                let out = object.key("id");
                out.push(b'-');
                json::int(out, int.unsigned_abs());
            }
            Some(RequestId::Int(int)) => object.int("id", int.unsigned_abs()),
        }
        match answer {
            Ok(response) => answers::write_response(&mut object, tag.kind, response),
            Err(refusal) => write_refusal(&mut object, refusal),
        }
        if !tag.ignored.is_empty() {
            object.strs("ignored", &*tag.ignored);
        }
        object.end();
    }

    fn entry(&self, room: &RoomName, entry: &Entry, _viewer: Option<UserId>, out: &mut Vec<u8>) {
        write_entry(room, entry, out);
    }

    fn hint(&self, hint: &Hint, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        match hint {
            Hint::Presence { user, online, away, text } => {
                object.str("event", "presence");
                object.str("user", user);
                object.bool("online", *online);
                object.str("status", status(*online, *away));
                object.maybe_str("text", entries::line(text.as_ref()));
            }
            Hint::Typing { room, user } => {
                object.str("event", "typing");
                object.str("room", room.as_str());
                object.str("user", user);
            }
            Hint::Read { room, read, unread, mentions } => {
                object.str("event", "read");
                object.str("room", room.as_str());
                object.int("read", read.0);
                object.int("unread", *unread);
                object.int("mentions", *mentions);
            }
            Hint::Invited { room, head, by } => {
                object.str("event", "invited");
                object.str("room", room.as_str());
                object.int("head", head.0);
                object.maybe_str("from", by.as_deref());
            }
            Hint::Removed { room, seq, change, reason } => {
                object.str("event", "removed");
                object.str("room", room.as_str());
                object.int("seq", seq.0);
                object.str("change", change);
                object.maybe_str("reason", entries::line(reason.as_ref()));
            }
            Hint::Notice { text } => {
                object.str("event", "notice");
                object.str("text", text.as_str());
            }
            Hint::Shutdown { reason, retry_after } => {
                object.str("event", "shutdown");
                object.str("reason", reason);
                object.int("retry_after_ms", milliseconds(*retry_after));
            }
        }
        object.end();
    }

    fn fault(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.str("response", Kind::Unknown.as_str());
        write_refusal(&mut object, refusal);
        object.end();
    }

    fn pace(&self) -> Option<Duration> {
        None
    }

    fn is_lenient(&self) -> bool {
        false
    }

    fn room(&self) -> Option<&RoomName> {
        None
    }

    fn close_after_logout(&self) -> bool {
        false
    }
}

fn write_refusal(object: &mut Object<'_>, refusal: &Refusal) {
    object.str("error", refusal.code.sentence());
    object.str("code", refusal.code.as_str());
    object.maybe_str("field", refusal.field.as_deref());
    object.maybe_int("retry_after_ms", refusal.retry_after.map(milliseconds));
    if let Some(because) = &refusal.because {
        object.maybe_str("reason", entries::line(because.reason.as_ref()));
        object.maybe_time("until", because.until);
    }
}

/// Rounded up: who comes back after that time is not too early.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn status(online: bool, away: bool) -> &'static str {
    match (online, away) {
        (false, _) => "offline",
        (true, false) => "online",
        (true, true) => "away",
    }
}

#[cfg(test)]
pub(super) mod tests;
