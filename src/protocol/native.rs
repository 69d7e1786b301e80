//! The native dialect, version 1. `docs/protocol.md` describes it; this file writes it, `decode.rs` reads it.
//!
//! ```text
//! > {"request":"message","id":1,"room":"lobby","text":"hello","nonce":"6f1c"}
//! < {"response":"message","id":1,"room":"lobby","seq":7,"time":"2026-01-31T12:00:00.000Z"}
//! < {"event":"message","room":"lobby","seq":7,"from":"alice","time":"2026-01-31T12:00:00.000Z","text":"hello",..}
//! ```
//!
//! `response` or `event` is the first key of each object, `id` the second where there is one.

mod decode;

use std::time::Duration;

use crate::model::{Body, Entry, RoomName, UserId};
use crate::protocol::dialect::Dialect;
use crate::protocol::json::{self, Object};
use crate::protocol::response::{Hello, Joined, LoggedIn, NameLine, Page, Resumed};
use crate::protocol::{Answer, Ask, Hint, Kind, Refusal, RequestId, Response, Tag};

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
            Ok(response) => write_response(&mut object, response),
            Err(refusal) => write_refusal(&mut object, refusal),
        }
        if !tag.ignored.is_empty() {
            json::list(object.key("ignored"), &*tag.ignored, |key, out| json::string(out, key));
        }
        object.end();
    }

    fn entry(&self, room: &RoomName, entry: &Entry, _viewer: Option<UserId>, out: &mut Vec<u8>) {
        write_entry(room, entry, out);
    }

    fn hint(&self, hint: &Hint, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        match hint {
            Hint::Presence { user, online, .. } => {
                object.str("event", "presence");
                object.str("user", user);
                object.bool("online", *online);
                object.str("status", status(*online));
            }
            Hint::Shutdown { reason, retry_after } => {
                object.str("event", "shutdown");
                object.str("reason", reason);
                object.int("retry_after_ms", milliseconds(*retry_after));
            }
            _ => object.str("event", "notice"),
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

/// Writes an entry as the event that all its receivers get.
pub(super) fn write_entry(room: &RoomName, entry: &Entry, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    let head = |object: &mut Object<'_>, event| {
        object.str("event", event);
        object.str("room", room.as_str());
        object.int("seq", entry.seq.0);
        object.str("from", &entry.from);
        object.time("time", entry.time);
    };
    match &entry.body {
        Body::Message(message) => {
            head(&mut object, "message");
            object.str("text", message.text.as_str());
            object.bool("action", message.action);
            object.bool("guest", entry.author.is_guest());
            if let Some(seq) = message.reply_to {
                object.int("reply_to", seq.0);
            }
        }
        Body::Member { user, change, role, reason, .. } => {
            head(&mut object, "member");
            object.str("user", user);
            object.str("change", change.as_str());
            if let Some(role) = role {
                object.str("role", role.as_str());
            }
            if let Some(reason) = reason.as_ref().filter(|reason| !reason.is_empty()) {
                object.str("reason", reason.as_str());
            }
        }
        _ => head(&mut object, "other"),
    }
    object.end();
}

fn write_refusal(object: &mut Object<'_>, refusal: &Refusal) {
    object.str("error", refusal.code.sentence());
    object.str("code", refusal.code.as_str());
    if let Some(field) = &refusal.field {
        object.str("field", field);
    }
    if let Some(wait) = refusal.retry_after {
        object.int("retry_after_ms", milliseconds(wait));
    }
}

/// Rounded up: who comes back after that time is not too early.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn status(online: bool) -> &'static str {
    if online { "online" } else { "offline" }
}

fn write_response(object: &mut Object<'_>, response: &Response) {
    match response {
        Response::Hello(hello) => write_hello(object, hello),
        Response::LoggedIn(login) => write_login(object, login),
        Response::LoggedOut { username } => object.str("username", username),
        Response::Pong { data, time } => {
            if let Some(data) = data {
                object.json("data", data);
            }
            object.time("time", *time);
        }
        Response::Whoami { username, guest, role, sessions } => {
            object.str("username", username);
            object.bool("guest", *guest);
            object.str("role", role.as_str());
            object.int("sessions", u64::from(*sessions));
        }
        Response::Help => object.objects("requests", Kind::ALL, |kind, line| {
            line.str("request", kind.as_str());
            line.str("usage", kind.usage());
            line.str("about", kind.about());
        }),
        Response::Rooms { rooms, more } => {
            object.objects("rooms", rooms, |room, line| {
                line.str("room", room.room.as_str());
                line.str("kind", room.kind.as_str());
                line.str("topic", &room.topic);
                line.int("members", room.members);
                line.int("online", room.online);
                line.int("head", room.head.0);
                line.bool("joined", room.joined);
            });
            object.bool("more", *more);
        }
        Response::Created { room, head } => {
            object.str("room", room.as_str());
            object.int("head", head.0);
        }
        Response::Joined(joined) => write_joined(object, joined),
        Response::Resumed(rooms) => object.objects("rooms", rooms, |resumed, line| {
            let Resumed { room, outcome } = resumed;
            match outcome {
                Ok(joined) => write_joined(line, joined),
                Err(refusal) => {
                    line.str("room", room.as_str());
                    write_refusal(line, refusal);
                }
            }
        }),
        Response::Unfollowed { room } | Response::Left { room } => object.str("room", room.as_str()),
        Response::Names { room, names, more } => {
            if let Some(room) = room {
                object.str("room", room.as_str());
            }
            object.objects("names", names, |name, line| {
                let NameLine { name, role, online, guest, .. } = name;
                line.str("name", name);
                line.str("role", role);
                line.bool("online", *online);
                line.str("status", status(*online));
                line.bool("guest", *guest);
            });
            object.bool("more", *more);
        }
        Response::Posted { room, seq, time, duplicate } => {
            object.str("room", room.as_str());
            object.int("seq", seq.0);
            object.time("time", *time);
            if *duplicate {
                object.bool("duplicate", true);
            }
        }
        Response::History(page) => write_page(object, page),
        Response::Done => {}
        // The answer to a request that only course dialects have.
        Response::Entered(entered) => object.str("username", &entered.username),
        _ => {}
    }
}

fn write_hello(object: &mut Object<'_>, hello: &Hello) {
    object.int("protocol", VERSION.unsigned_abs());
    object.str("server", &hello.server);
    object.str("name", &hello.name);
    object.str("motd", &hello.motd);
    object.time("time", hello.time);
    json::list(object.key("features"), hello.features, |feature, out| json::string(out, feature));
    let limits = &hello.limits;
    object.object("limits", |object| {
        object.int("max_frame_bytes", limits.max_frame_bytes as u64);
        object.int("max_frame_bytes_before_login", limits.max_frame_bytes_before_login as u64);
        object.int("max_text_bytes", limits.max_text_bytes as u64);
        object.int("messages_per_second", u64::from(limits.messages_per_second));
        object.int("message_burst", u64::from(limits.message_burst));
        object.int("stall_timeout_ms", milliseconds(limits.stall_timeout));
    });
    object.object("accounts", |object| {
        object.bool("guests", hello.guests);
        object.str("registration", hello.registration);
    });
}

fn write_login(object: &mut Object<'_>, login: &LoggedIn) {
    object.str("username", &login.username);
    object.bool("guest", login.guest);
    if let Some(token) = &login.token {
        object.str("token", token);
    }
    object.str("role", login.role.as_str());
    object.objects("rooms", &login.rooms, |room, line| {
        line.str("room", room.room.as_str());
        line.str("kind", room.kind.as_str());
        line.str("topic", &room.topic);
        line.str("role", room.role.as_str());
        line.int("head", room.head.0);
        line.int("read", room.read.0);
        line.int("unread", room.unread);
        line.int("mentions", room.mentions);
    });
    object.bool("more", login.more);
}

fn write_joined(object: &mut Object<'_>, joined: &Joined) {
    object.str("room", joined.room.as_str());
    object.str("kind", joined.kind.as_str());
    object.str("topic", &joined.topic);
    object.str("role", joined.role.as_str());
    object.str("epoch", &joined.epoch.0);
    object.int("first", joined.first.0);
    object.int("head", joined.head.0);
    object.int("read", joined.read.0);
    object.bool("reset", joined.reset);
}

fn write_page(object: &mut Object<'_>, page: &Page) {
    object.str("room", page.room.as_str());
    let messages = page.messages.iter().filter_map(|entry| match &entry.body {
        Body::Message(message) => Some((entry, message)),
        _ => None,
    });
    object.objects("messages", messages, |(entry, message), line| {
        line.int("seq", entry.seq.0);
        line.str("from", &entry.from);
        line.time("time", entry.time);
        line.str("text", message.text.as_str());
        line.bool("action", message.action);
        line.bool("guest", entry.author.is_guest());
        if let Some(seq) = message.reply_to {
            line.int("reply_to", seq.0);
        }
    });
    object.bool("more", page.more);
    object.int("first", page.first.0);
    object.int("head", page.head.0);
}

#[cfg(test)]
mod tests;
