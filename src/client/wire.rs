//! The native dialect as the client sees it: requests become JSON, lines become answers and events.
//!
//! What is unknown is no fault: an unknown key is ignored, and an unknown event is handed on as it came. A line that is
//! no JSON object, or neither answers nor tells anything, is one: whoever sends that speaks another protocol.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Json, Message};
use super::error::ClientError;
use super::events::{Event, Member, Other};
use crate::protocol::{Code, Secret};

/// The version of the protocol that is spoken here.
const PROTOCOL: u32 = 1;

/// Everything that the client asks. No `Debug`, because there are passwords in it.
#[derive(Serialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub(super) enum Ask<'a> {
    Hello {
        protocol: u32,
        client: &'a str,
    },
    Login {
        username: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        password: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<&'a str>,
    },
    Register {
        username: &'a str,
        password: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        invite: Option<&'a str>,
    },
    Logout,
    Ping,
    Whoami,
    Help,
    Rooms {
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<&'a str>,
    },
    Create {
        room: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        topic: &'a str,
    },
    Join {
        room: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        backlog: Option<u64>,
    },
    Resume {
        rooms: BTreeMap<&'a str, Place<'a>>,
    },
    Unfollow {
        room: &'a str,
    },
    Leave {
        room: &'a str,
    },
    Names {
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<&'a str>,
    },
    Message {
        room: &'a str,
        text: &'a str,
        nonce: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<u64>,
        #[serde(skip_serializing_if = "is_false")]
        action: bool,
    },
    History {
        room: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        around: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
}

/// Where a room is taken up again.
#[derive(Serialize)]
pub(super) struct Place<'a> {
    pub(super) since: u64,
    pub(super) epoch: &'a str,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl<'a> Ask<'a> {
    /// The first request of a connection.
    pub(super) fn hello(client: &'a str) -> Ask<'a> {
        Ask::Hello { protocol: PROTOCOL, client }
    }

    /// The request without an id, which [`number`] puts in when it is sent.
    pub(super) fn encode(&self) -> Result<Box<str>, ClientError> {
        // Strings and numbers in a fixed shape: there is nothing that could fail, but nothing to be gained by trusting it.
        serde_json::to_string(self).map(Into::into).map_err(|error| ClientError::Protocol(error.to_string().into()))
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
    Event(Box<Told>),
}

/// An event with what the client itself needs to know of it.
pub(super) struct Told {
    pub(super) room: Option<Box<str>>,
    pub(super) seq: Option<u64>,
    pub(super) event: Event,
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
    room: Option<Box<str>>,
    seq: Option<u64>,
}

/// Reads a line of the server.
pub(super) fn incoming(line: &[u8]) -> Result<Incoming, ClientError> {
    let text = std::str::from_utf8(line).map_err(|_| protocol("a line is not UTF-8"))?;
    let Ok(head) = serde_json::from_str::<Head<'_>>(text) else {
        // A later version may tell things in other shapes; only what is no event at all is a fault.
        let value = serde_json::from_str::<serde_json::Value>(text).map_err(|_| protocol("a line is not JSON"))?;
        let name = value.get("event").and_then(serde_json::Value::as_str).ok_or_else(|| protocol("a strange line"))?;
        let other = Other { name: name.to_owned(), room: None, seq: None, json: Json::new(text) };
        return Ok(Incoming::Event(Box::new(Told { room: None, seq: None, event: Event::Other(other) })));
    };
    if let Some(name) = &head.event {
        let event = event(name, &head, text);
        return Ok(Incoming::Event(Box::new(Told { room: head.room, seq: head.seq, event })));
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
    let known = match name {
        "message" => serde_json::from_str(text)
            .ok()
            .map(|message: Message| Event::Message(Message { json: Json::new(text), ..message })),
        "member" => serde_json::from_str(text)
            .ok()
            .map(|member: Member| Event::Member(Member { json: Json::new(text), ..member })),
        "presence" => serde_json::from_str(text).ok().map(Event::Presence),
        "shutdown" => {
            #[derive(Deserialize)]
            struct Shutdown {
                #[serde(default)]
                reason: String,
            }
            serde_json::from_str(text).ok().map(|shutdown: Shutdown| Event::Shutdown {
                reason: shutdown.reason,
                retry_after: head.retry_after_ms.map(Duration::from_millis),
            })
        }
        _ => None,
    };
    known.unwrap_or_else(|| {
        Event::Other(Other {
            name: name.to_owned(),
            room: head.room.as_deref().map(str::to_owned),
            seq: head.seq.map(crate::model::Seq),
            json: Json::new(text),
        })
    })
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
    use super::*;
    use crate::model::Seq;

    fn told(line: &str) -> Told {
        match incoming(line.as_bytes()) {
            Ok(Incoming::Event(told)) => *told,
            _ => panic!("{line} is no event"),
        }
    }

    #[test]
    fn a_request_is_one_line_with_its_id() {
        let message = Ask::Message { room: "lobby", text: "a\n\"b\"", nonce: "n", reply_to: None, action: false };
        let cases = [
            (Ask::hello("x/1"), r#"{"id":7,"request":"hello","protocol":1,"client":"x/1"}"#),
            (Ask::Logout, r#"{"id":7,"request":"logout"}"#),
            (message, r#"{"id":7,"request":"message","room":"lobby","text":"a\n\"b\"","nonce":"n"}"#),
            (Ask::Names { room: None, after: None }, r#"{"id":7,"request":"names"}"#),
            (
                Ask::Resume { rooms: [("a", Place { since: 3, epoch: "e" })].into() },
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
        assert_eq!((told.room.as_deref(), told.seq), (Some("lobby"), Some(3)));
        let Event::Message(message) = told.event else { panic!("{:?}", told.event) };
        assert_eq!((message.seq, message.from.as_str(), message.text.as_str()), (Seq(3), "bob", "hi"));
        assert_eq!(message.json.as_str(), line);
    }

    #[test]
    fn unknown_events_are_kept_as_they_came() {
        for line in [
            r#"{"event":"topic","room":"lobby","seq":4,"topic":"x"}"#,
            r#"{"event":"message","room":"lobby","seq":4}"#,
            r#"{"event":"later","room":{"a":1},"seq":"x"}"#,
        ] {
            let Event::Other(other) = told(line).event else { panic!("{line}") };
            assert_eq!(other.json.as_str(), line);
        }
        assert_eq!(told(r#"{"event":"topic","room":"lobby","seq":4,"topic":"x"}"#).seq, Some(4));
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
