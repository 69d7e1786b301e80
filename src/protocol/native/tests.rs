//! What the native dialect reads and writes, held against `docs/protocol.md` and against a strict reader.

pub(in crate::protocol) mod answers;
pub(in crate::protocol) mod events;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Body, Epoch, Fingerprint, Line, RoomKind, RoomRole, Seq, ServerRole, Text, Time};
use crate::protocol::course::tests::said;
use crate::protocol::json::tests::lines;
use crate::protocol::response::{Hello, HelloLimits, Joined, LoggedIn, Membership, Resumed};
use crate::protocol::{Code, Request, Response};

const NOON: Time = Time(1_769_860_800_000);

fn lobby() -> RoomName {
    RoomName::trusted("lobby")
}

fn answered(tag: &Tag, answer: Answer) -> (String, Value) {
    let mut out = Vec::new();
    Native.answer(tag, &answer, &mut out);
    let value = lines(&out).remove(0);
    (String::from_utf8(out).unwrap(), value)
}

fn response(kind: Kind, response: Response) -> Value {
    let (text, value) = answered(&Tag { id: Some(RequestId::Int(-7)), ..Tag::new(kind) }, Ok(response));
    let start = format!(r#"{{"response":"{}","id":-7"#, kind.as_str());
    assert!(text.starts_with(&start), "{text}");
    assert_eq!((&value["error"], &value["code"]), (&Value::Null, &Value::Null));
    value
}

fn joined() -> Joined {
    Joined {
        room: lobby(),
        kind: RoomKind::Public,
        topic: "all \"sorts\"".into(),
        role: RoomRole::Member,
        epoch: Epoch("e1".into()),
        first: Seq(1),
        head: Seq(9),
        read: Seq(4),
        reset: false,
    }
}

#[test]
fn an_answer_begins_with_response_and_id_and_ends_with_what_was_ignored() {
    let posted = || Response::Posted { room: lobby(), seq: Seq(7), time: NOON, duplicate: false };
    let tag = Tag {
        id: Some(RequestId::Json(r#""a\"\u0041""#.into())),
        ignored: ["x".into(), "y\"".into()].into(),
        ..Tag::new(Kind::Message)
    };
    assert_eq!(
        answered(&tag, Ok(posted())).0,
        "{\"response\":\"message\",\"id\":\"a\\\"\\u0041\",\"room\":\"lobby\",\"seq\":7,\
         \"time\":\"2026-01-31T12:00:00.000Z\",\"ignored\":[\"x\",\"y\\\"\"]}\n"
    );
    assert_eq!(
        answered(&Tag::new(Kind::Message), Ok(posted())).0,
        "{\"response\":\"message\",\"room\":\"lobby\",\"seq\":7,\"time\":\"2026-01-31T12:00:00.000Z\"}\n"
    );
    let twice = Response::Posted { room: lobby(), seq: Seq(7), time: NOON, duplicate: true };
    assert_eq!(response(Kind::Message, twice)["duplicate"], true);
    for int in [0, -1, i64::MIN, i64::MAX] {
        let tag = Tag { id: Some(RequestId::Int(int)), ..Tag::new(Kind::Logout) };
        assert_eq!(answered(&tag, Ok(Response::LoggedOut { username: "a".into() })).1["id"], int);
    }
}

#[test]
fn a_refusal_has_a_sentence_a_code_and_what_helps() {
    let tag = Tag { id: Some(RequestId::Int(1)), ..Tag::new(Kind::Message) };
    for code in Code::ALL {
        let (_, value) = answered(&tag, Err(Refusal::new(*code)));
        let expected = json!({"response": "message", "id": 1, "error": code.sentence(), "code": code.as_str()});
        assert_eq!(value, expected);
    }
    let late = Refusal::rate_limited(Duration::from_nanos(1_000_000_001));
    assert_eq!(answered(&tag, Err(late)).1["retry_after_ms"], 1001);
    assert_eq!(answered(&tag, Err(Refusal::bad_request("te\"xt"))).1["field"], "te\"xt");
    let banned = Refusal::new(Code::Banned).because(Some(Line::trusted("sp\"am")), Some(NOON));
    let (_, value) = answered(&tag, Err(banned));
    assert_eq!((&value["reason"], &value["until"]), (&json!("sp\"am"), &json!("2026-01-31T12:00:00.000Z")));
    let unsaid = Refusal::new(Code::Muted).because(Some(Line::default()), None);
    assert_eq!(answered(&tag, Err(unsaid)).1.as_object().unwrap().len(), 4);
    let unknown = Tag { word: Some("fl\u{1b}y".into()), ..Tag::new(Kind::Unknown) };
    assert_eq!(answered(&unknown, Err(Code::UnknownRequest.into())).1["response"], "fl\u{1b}y");
    let (text, _) = answered(&Tag::new(Kind::Unknown), Err(Refusal::bad_request("request")));
    let mut fault = Vec::new();
    Native.fault(&Refusal::bad_request("request"), &mut fault);
    assert_eq!(text.as_bytes(), fault);
    assert!(text.starts_with(r#"{"response":"error","error":"#), "{text}");
}

#[test]
fn hello_says_what_the_server_is() {
    let hello = Hello {
        server: "snakkd/0.1.0".into(),
        name: "here".into(),
        motd: "".into(),
        time: NOON,
        features: &["nonce", "resume"],
        limits: HelloLimits {
            max_frame_bytes: 65536,
            max_frame_bytes_before_login: 8192,
            max_text_bytes: 16384,
            messages_per_second: 5,
            message_burst: 20,
            stall_timeout: Duration::from_secs(60),
        },
        guests: true,
        registration: "open",
        certificate: Some(Fingerprint::from_bytes([0xab; 32])),
    };
    let expected = json!({
        "response": "hello", "id": -7, "protocol": 1, "server": "snakkd/0.1.0", "name": "here", "motd": "",
        "time": "2026-01-31T12:00:00.000Z", "features": ["nonce", "resume"],
        "limits": {"max_frame_bytes": 65536, "max_frame_bytes_before_login": 8192, "max_text_bytes": 16384,
                   "messages_per_second": 5, "message_burst": 20, "stall_timeout_ms": 60000},
        "accounts": {"guests": true, "registration": "open"}, "certificate": format!("SHA256{}", ":AB".repeat(32)),
    });
    assert_eq!(response(Kind::Hello, Response::Hello(Box::new(hello))), expected);
}

#[test]
fn a_login_lists_rooms_and_gives_a_token_only_where_there_is_one() {
    let membership = Membership {
        room: lobby(),
        kind: RoomKind::Public,
        topic: "".into(),
        role: RoomRole::Owner,
        head: Seq(9),
        read: Seq(4),
        unread: 5,
        mentions: 1,
    };
    let login = |token: Option<&str>| LoggedIn {
        username: "Bob".into(),
        guest: token.is_some(),
        token: token.map(Into::into),
        role: ServerRole::User,
        rooms: vec![membership.clone()],
        more: false,
        blocked: token.map(|_| "Eve".into()).into_iter().collect(),
    };
    let rooms = json!([{"room": "lobby", "kind": "public", "topic": "", "role": "owner", "head": 9, "read": 4,
                        "unread": 5, "mentions": 1}]);
    let expected = json!({"response": "register", "id": -7, "username": "Bob", "guest": false, "role": "user",
                          "rooms": rooms, "more": false, "blocked": []});
    assert_eq!(response(Kind::Register, Response::LoggedIn(Box::new(login(None)))), expected);
    let guest = response(Kind::Login, Response::LoggedIn(Box::new(login(Some("t")))));
    assert_eq!((&guest["token"], &guest["guest"]), (&json!("t"), &json!(true)));
    assert_eq!(guest["blocked"], json!(["Eve"]));
}

#[test]
fn joined_and_resumed_rooms_have_the_same_keys() {
    let room = json!({"room": "lobby", "kind": "public", "topic": "all \"sorts\"", "role": "member", "epoch": "e1",
                      "first": 1, "head": 9, "read": 4, "reset": false});
    let mut expected = room.clone();
    expected["response"] = json!("join");
    expected["id"] = json!(-7);
    assert_eq!(response(Kind::Join, Response::Joined(Box::new(joined()))), expected);
    let rooms = vec![
        Resumed { room: lobby(), outcome: Ok(Box::new(joined())) },
        Resumed { room: RoomName::trusted("gone"), outcome: Err(Code::NoSuchRoom.into()) },
    ];
    let gone = json!({"room": "gone", "error": "There is no such room.", "code": "no_such_room"});
    let expected = json!({"response": "resume", "id": -7, "rooms": [room, gone]});
    assert_eq!(response(Kind::Resume, Response::Resumed(rooms)), expected);
}

proptest! {
    #[test]
    fn whatever_is_refused_or_sent_back_is_strict_json(object in "\\{\"(request|id|x)\":(\"ping\"|\"\\PC{0,20}\")(,\"(request|id|\\PC{0,9})\":(-?[0-9.e]{1,20}|\"\\PC{0,80}\"))*\\}") {
        let Ask { tag, request } = Native.decode(&object);
        let answer = match request {
            Ok(Request::Ping { data }) => Ok(Response::Pong { data, time: NOON }),
            Ok(_) => Ok(Response::Help),
            Err(refusal) => Err(refusal),
        };
        let mut out = Vec::new();
        Native.answer(&tag, &answer, &mut out);
        prop_assert_eq!(lines(&out).len(), 1);
    }

    #[test]
    fn every_message_is_one_line(text in prop::collection::vec(any::<char>(), 1..40), from: String) {
        let text: String = text.into_iter().collect();
        let mut out = Vec::new();
        Native.entry(&lobby(), &said(1, &from, &text, false), None, &mut out);
        let edit = Body::Edit { target: Seq(1), text: Some(Text::trusted(text.clone())) };
        Native.entry(&lobby(), &Entry { body: edit, ..said(2, &from, "x", false) }, None, &mut out);
        let lines = lines(&out);
        prop_assert_eq!(lines.len(), 2);
        prop_assert_eq!((&lines[0]["text"], &lines[1]["text"]), (&json!(text), &json!(text)));
    }
}
