//! The native dialect as the client sees it: requests become JSON, lines become answers and events.
//!
//! What is unknown is no fault: an unknown key is ignored, and an unknown event is handed on as it came. A line that is
//! no JSON object, or neither answers nor tells anything, is one: whoever sends that speaks another protocol.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{Answer, Json, Message};
use super::error::ClientError;
use super::event::{Delete, Edit, Event, Member, Other, React, RoomChanged, Topic};
use crate::model::Time;
use crate::protocol::{Code, Kind, Secret};

/// The version of the protocol that is spoken here.
const PROTOCOL: u32 = 1;

/// A request on its way into JSON. No `Debug`, because there are passwords in it.
pub(super) struct Ask {
    kind: Kind,
    body: Result<String, serde_json::Error>,
}

/// Where a room is taken up again.
#[derive(Serialize)]
pub(super) struct Place<'a> {
    pub(super) since: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) epoch: Option<&'a str>,
}

impl Ask {
    /// A request without keys.
    pub(super) fn new(kind: Kind) -> Ask {
        Ask { kind, body: Ok(format!("{{\"request\":\"{}\"", kind.as_str())) }
    }

    /// The first request of a connection.
    pub(super) fn hello(client: &str) -> Ask {
        Ask::new(Kind::Hello).with("protocol", PROTOCOL).with("client", client)
    }

    /// With a key.
    pub(super) fn with(self, key: &'static str, value: impl Serialize) -> Ask {
        debug_assert!(self.kind.keys().contains(&key), "{} has no key {key}", self.kind.as_str());
        let body = self.body.and_then(|mut body| {
            let value = serde_json::to_string(&value)?;
            for part in [",\"", key, "\":", &value] {
                body.push_str(part);
            }
            Ok(body)
        });
        Ask { body, ..self }
    }

    /// With a key, if there is a value for it.
    pub(super) fn maybe(self, key: &'static str, value: Option<impl Serialize>) -> Ask {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With a key that is true, if it is.
    pub(super) fn flag(self, key: &'static str, value: bool) -> Ask {
        self.maybe(key, value.then_some(true))
    }

    /// The request without an id, which [`number`] puts in when it is sent.
    pub(super) fn encode(self) -> Result<Box<str>, ClientError> {
        // Strings and numbers in a fixed shape: there is nothing that could fail, but nothing to be gained by trusting it.
        let body = self.body.map_err(|error| ClientError::Protocol(error.to_string().into()))?;
        Ok((body + "}").into())
    }
}

/// Appends the request with its id, as one line.
pub(super) fn number(body: &str, id: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"id\":{id},").as_bytes());
    out.extend_from_slice(body.get(1..).unwrap_or_default().as_bytes());
    out.push(b'\n');
}

/// A line of the server.
pub(super) enum Incoming {
    /// To the request with that id; without one it is about the connection.
    Answer { id: Option<u64>, answer: Result<Json, ClientError> },
    /// Told unasked.
    Event(Box<Event>),
}

/// The keys by which a line is sorted.
#[derive(Deserialize)]
struct Head<'a> {
    response: Option<Cow<'a, str>>,
    event: Option<Cow<'a, str>>,
    id: Option<serde_json::Value>,
    error: Option<Box<str>>,
    code: Option<Cow<'a, str>>,
    field: Option<Box<str>>,
    retry_after_ms: Option<u64>,
    // Read only where they are needed: an event of a later version may have something else there.
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    until: Option<&'a RawValue>,
    room: Option<Box<str>>,
    seq: Option<u64>,
}

/// Reads a line of the server.
pub(super) fn incoming(line: &[u8]) -> Result<Incoming, ClientError> {
    let text = std::str::from_utf8(line).map_err(|_| protocol("a line is not UTF-8"))?;
    let Ok(head) = serde_json::from_str::<Head<'_>>(text) else {
        // A later version may tell things in other shapes; only what is neither an event nor an answer is a fault.
        let value = serde_json::from_str::<serde_json::Value>(text).map_err(|_| protocol("a line is not JSON"))?;
        let id = value.get("id").and_then(serde_json::Value::as_u64);
        if let (Some(_), Some(_)) = (value.get("response"), id) {
            return Ok(Incoming::Answer { id, answer: Err(protocol("a strange response")) });
        }
        let name = value.get("event").and_then(serde_json::Value::as_str).ok_or_else(|| protocol("a strange line"))?;
        let other = Other { name: name.to_owned(), room: None, seq: None, json: Json::new(text) };
        return Ok(Incoming::Event(Box::new(Event::Other(other))));
    };
    if let Some(name) = &head.event {
        return Ok(Incoming::Event(Box::new(event(name, &head, text))));
    }
    if head.response.is_none() {
        return Err(protocol("a line that is neither a response nor an event"));
    }
    let id = head.id.as_ref().and_then(serde_json::Value::as_u64);
    let Some(message) = head.error else {
        return Ok(Incoming::Answer { id, answer: Ok(Json::new(text)) });
    };
    let word = head.code.unwrap_or_default();
    let refusal = match Code::parse(&word) {
        Some(code) => ClientError::Refused {
            code,
            message,
            field: head.field,
            retry_after: head.retry_after_ms.map(Duration::from_millis),
            reason: head.reason.and_then(|reason| serde_json::from_str(reason.get()).ok()),
            until: head.until.and_then(|until| Time::parse(&serde_json::from_str::<String>(until.get()).ok()?)),
        },
        None => ClientError::RefusedOtherwise { code: word.into(), message },
    };
    Ok(Incoming::Answer { id, answer: Err(refusal) })
}

/// Reads the answer to a request.
pub(super) fn answer<T: Answer>(json: Json) -> Result<T, ClientError> {
    let mut answer: T = serde_json::from_str(json.as_str())
        .map_err(|error| ClientError::Protocol(format!("a strange response ({error})").into()))?;
    answer.keep(json);
    Ok(answer)
}

/// Reads an event. One that has not the shape that its name promises is handed on as it came.
fn event(name: &str, head: &Head<'_>, text: &str) -> Event {
    macro_rules! entry {
        ($kind:ident, $shape:ident) => {
            serde_json::from_str(text).ok().map(|it: $shape| Event::$kind($shape { json: Json::new(text), ..it }))
        };
    }
    let known = match name {
        "message" => entry!(Message, Message),
        "edit" => entry!(Edit, Edit),
        "delete" => entry!(Delete, Delete),
        "react" => entry!(React, React),
        "topic" => entry!(Topic, Topic),
        "member" => entry!(Member, Member),
        "room" => entry!(Room, RoomChanged),
        _ => return hint(name, head, text),
    };
    known.unwrap_or_else(|| other(name, head, head.seq, text))
}

/// Reads what is no entry, or unknown.
fn hint(name: &str, head: &Head<'_>, text: &str) -> Event {
    #[derive(Deserialize)]
    struct Words {
        #[serde(default)]
        room: String,
        #[serde(default)]
        user: String,
        #[serde(default)]
        text: String,
        #[serde(default)]
        reason: String,
    }
    let words = || serde_json::from_str::<Words>(text).ok();
    let known = match name {
        "presence" => serde_json::from_str(text).ok().map(Event::Presence),
        "typing" => words().map(|Words { room, user, .. }| Event::Typing { room, user }),
        "read" => serde_json::from_str(text).ok().map(Event::Read),
        "invited" => serde_json::from_str(text).ok().map(Event::Invited),
        "removed" => serde_json::from_str(text).ok().map(Event::Removed),
        "notice" => words().map(|Words { text, .. }| Event::Notice { text }),
        "shutdown" => words().map(|Words { reason, .. }| Event::Shutdown {
            reason,
            retry_after: head.retry_after_ms.map(Duration::from_millis),
        }),
        // What a later version may put into a log has a place there.
        _ => return other(name, head, head.seq, text),
    };
    known.unwrap_or_else(|| other(name, head, None, text))
}

fn other(name: &str, head: &Head<'_>, seq: Option<u64>, text: &str) -> Event {
    Event::Other(Other {
        name: name.to_owned(),
        room: head.room.as_deref().map(str::to_owned),
        seq: seq.map(crate::model::Seq),
        json: Json::new(text),
    })
}

/// A span of time in whole seconds, and never none at all: to the server that may be for ever.
pub(super) fn seconds(span: Duration) -> u64 {
    let begun = u64::from(span.subsec_nanos() > 0);
    span.as_secs().saturating_add(begun).max(1)
}

pub(super) fn protocol(what: &str) -> ClientError {
    ClientError::Protocol(what.into())
}

/// The text of a secret, for the one place where it is needed.
pub(super) fn reveal(secret: &Secret) -> &str {
    &secret.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Seq;

    fn told(line: &str) -> Event {
        match incoming(line.as_bytes()) {
            Ok(Incoming::Event(event)) => *event,
            _ => panic!("{line} is no event"),
        }
    }

    #[test]
    fn a_request_is_one_line_with_its_id() {
        let message = Ask::new(Kind::Message).with("room", "lobby").with("text", "a\n\"b\"").with("nonce", "n");
        let message = message.maybe("reply_to", None::<u64>).flag("action", false);
        let places = BTreeMap::from([("a", Place { since: 3, epoch: Some("e") })]);
        let cases = [
            (Ask::hello("x/1"), r#"{"id":7,"request":"hello","protocol":1,"client":"x/1"}"#),
            (Ask::new(Kind::Logout), r#"{"id":7,"request":"logout"}"#),
            (message, r#"{"id":7,"request":"message","room":"lobby","text":"a\n\"b\"","nonce":"n"}"#),
            (Ask::new(Kind::Names), r#"{"id":7,"request":"names"}"#),
            (
                Ask::new(Kind::Resume).with("rooms", places),
                r#"{"id":7,"request":"resume","rooms":{"a":{"since":3,"epoch":"e"}}}"#,
            ),
        ];
        for (ask, line) in cases {
            let mut out = Vec::new();
            number(&ask.encode().unwrap(), 7, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{line}\n"));
        }
    }

    #[test]
    fn known_events_are_typed_and_unknown_keys_ignored() {
        let line = r#"{"event":"message","room":"lobby","seq":3,"from":"bob","time":"2026-01-31T12:00:00.000Z","text":"hi","new":{}}"#;
        let told = told(line);
        assert_eq!(told.entry(), Some(("lobby", Seq(3))));
        let Event::Message(message) = told else { panic!("{told:?}") };
        assert_eq!((message.seq, message.from.as_str(), message.text.as_str()), (Seq(3), "bob", "hi"));
        assert_eq!(message.json.as_str(), line);
    }

    #[test]
    fn unknown_events_are_kept_as_they_came() {
        for line in [
            r#"{"event":"poll","room":"lobby","seq":4,"topic":"x"}"#,
            r#"{"event":"message","room":"lobby","seq":4}"#,
            r#"{"event":"edit","room":"lobby","seq":4,"from":"bob","time":"noon","target":1}"#,
            r#"{"event":"presence","user":7}"#,
            r#"{"event":"removed","room":{}}"#,
            r#"{"event":"later","room":{"a":1},"seq":"x"}"#,
        ] {
            let Event::Other(other) = told(line) else { panic!("{line}") };
            assert_eq!(other.json.as_str(), line);
        }
        let Event::Other(other) = told(r#"{"event":"poll","room":"lobby","seq":4}"#) else { panic!() };
        assert_eq!(other.seq, Some(Seq(4)));
        // A hint that cannot be read is no entry, though it names one.
        let Event::Other(other) = told(r#"{"event":"removed","room":"lobby","seq":4,"reason":[]}"#) else { panic!() };
        assert_eq!(other.seq, None);
    }

    #[test]
    fn refusals_keep_what_they_say() {
        let line = br#"{"response":"message","id":5,"error":"Too fast.","code":"rate_limited","retry_after_ms":250}"#;
        let Ok(Incoming::Answer { id: Some(5), answer: Err(refusal) }) = incoming(line) else { panic!() };
        assert_eq!(refusal.code(), Some(Code::RateLimited));
        assert_eq!(refusal.retry_after(), Some(Duration::from_millis(250)));
        let line = br#"{"response":"message","error":"No.","code":"of_tomorrow"}"#;
        let Ok(Incoming::Answer { id: None, answer: Err(refusal) }) = incoming(line) else { panic!() };
        assert!(matches!(refusal, ClientError::RefusedOtherwise { .. }), "{refusal}");
    }

    #[test]
    fn what_is_no_native_line_is_a_fault() {
        for line in ["", "SSH-2.0-OpenSSH", "[]", "1", "{}", r#"{"id":1}"#, r#"{"content":"x"}"#, "\u{feff}{}"] {
            assert!(incoming(line.as_bytes()).is_err(), "{line:?}");
        }
        assert!(incoming(b"{\"event\":\"\xff\"}").is_err());
    }
}
