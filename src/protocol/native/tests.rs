//! What the native dialect reads and writes, held against `docs/protocol.md` and against a strict reader.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Epoch, Line, MemberChange, RoomKind, RoomRole, Seq, ServerRole, Time};
use crate::protocol::course::tests::said;
use crate::protocol::json::tests::lines;
use crate::protocol::response::{HelloLimits, Membership, RoomLine};
use crate::protocol::{Code, Request};

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
    };
    let expected = json!({
        "response": "hello", "id": -7, "protocol": 1, "server": "snakkd/0.1.0", "name": "here", "motd": "",
        "time": "2026-01-31T12:00:00.000Z", "features": ["nonce", "resume"],
        "limits": {"max_frame_bytes": 65536, "max_frame_bytes_before_login": 8192, "max_text_bytes": 16384,
                   "messages_per_second": 5, "message_burst": 20, "stall_timeout_ms": 60000},
        "accounts": {"guests": true, "registration": "open"},
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
    };
    let rooms = json!([{"room": "lobby", "kind": "public", "topic": "", "role": "owner", "head": 9, "read": 4,
                        "unread": 5, "mentions": 1}]);
    let expected = json!({"response": "register", "id": -7, "username": "Bob", "guest": false, "role": "user",
                          "rooms": rooms, "more": false});
    assert_eq!(response(Kind::Register, Response::LoggedIn(Box::new(login(None)))), expected);
    let guest = response(Kind::Login, Response::LoggedIn(Box::new(login(Some("t")))));
    assert_eq!((&guest["token"], &guest["guest"]), (&json!("t"), &json!(true)));
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

#[test]
fn lists_have_a_line_for_each_and_say_whether_there_is_more() {
    let line = RoomLine {
        room: lobby(),
        kind: RoomKind::Public,
        topic: "t".into(),
        members: 3,
        online: 2,
        head: Seq(9),
        joined: true,
    };
    let expected = json!({"response": "rooms", "id": -7, "more": true, "rooms": [
        {"room": "lobby", "kind": "public", "topic": "t", "members": 3, "online": 2, "head": 9, "joined": true}]});
    assert_eq!(response(Kind::Rooms, Response::Rooms { rooms: vec![line], more: true }), expected);
    let names = vec![NameLine { name: "Bob".into(), role: "owner", online: false, guest: false }];
    let expected = json!({"response": "names", "id": -7, "room": "lobby", "more": false, "names": [
        {"name": "Bob", "role": "owner", "online": false, "status": "offline", "guest": false}]});
    assert_eq!(response(Kind::Names, Response::Names { room: Some(lobby()), names, more: false }), expected);
    let everybody = response(Kind::Names, Response::Names { room: None, names: Vec::new(), more: false });
    assert_eq!(everybody, json!({"response": "names", "id": -7, "names": [], "more": false}));
    let help = response(Kind::Help, Response::Help);
    let listed: Vec<_> = help["requests"].as_array().unwrap().iter().map(|line| line["request"].as_str()).collect();
    assert_eq!(listed, Kind::ALL.iter().map(|kind| Some(kind.as_str())).collect::<Vec<_>>());
}

#[test]
fn short_answers_have_their_keys() {
    let username = || std::sync::Arc::from("Bob");
    let whoami = Response::Whoami { username: username(), guest: true, role: ServerRole::Admin, sessions: 2 };
    let expected =
        json!({"response": "whoami", "id": -7, "username": "Bob", "guest": true, "role": "admin", "sessions": 2});
    assert_eq!(response(Kind::Whoami, whoami), expected);
    for (kind, answer, expected) in [
        (Kind::Logout, Response::LoggedOut { username: username() }, json!({"username": "Bob"})),
        (Kind::Create, Response::Created { room: lobby(), head: Seq(0) }, json!({"room": "lobby", "head": 0})),
        (Kind::Unfollow, Response::Unfollowed { room: lobby() }, json!({"room": "lobby"})),
        (Kind::Leave, Response::Left { room: lobby() }, json!({"room": "lobby"})),
        (Kind::Ping, Response::Pong { data: None, time: NOON }, json!({"time": "2026-01-31T12:00:00.000Z"})),
        (
            Kind::Ping,
            Response::Pong { data: Some("[1.50]".into()), time: NOON },
            json!({"data": [1.5], "time": "2026-01-31T12:00:00.000Z"}),
        ),
    ] {
        let mut value = response(kind, answer);
        let object = value.as_object_mut().unwrap();
        object.remove("response");
        object.remove("id");
        assert_eq!(value, expected);
    }
}

#[test]
fn a_page_holds_messages_alone() {
    let mut reply = said(8, "alice", "two\nlines", true);
    if let Body::Message(message) = &mut reply.body {
        message.reply_to = Some(Seq(7));
    }
    let page = Page {
        room: lobby(),
        messages: vec![said(7, "bob", "hi", false), came(9), reply],
        more: true,
        first: Seq(1),
        head: Seq(9),
    };
    let expected = json!({"response": "history", "id": -7, "room": "lobby", "more": true, "first": 1, "head": 9,
        "messages": [
            {"seq": 7, "from": "bob", "time": "2026-01-31T12:00:07.000Z", "text": "hi", "action": false, "guest": true},
            {"seq": 8, "from": "alice", "time": "2026-01-31T12:00:08.000Z", "text": "two\nlines", "action": true,
             "guest": true, "reply_to": 7}]});
    assert_eq!(response(Kind::History, Response::History(Box::new(page))), expected);
}

fn came(seq: u64) -> Entry {
    let body = Body::Member {
        user: "carol".into(),
        user_id: UserId(40),
        change: MemberChange::Join,
        role: Some(RoomRole::Member),
        reason: Some(Line::default()),
    };
    Entry { author: UserId(40), from: "carol".into(), body, ..said(seq, "carol", "x", false) }
}

#[test]
fn entries_and_hints_are_events() {
    let mut out = Vec::new();
    Native.entry(&lobby(), &said(7, "bob", "h\"i", false), Some(UserId(-8)), &mut out);
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        "{\"event\":\"message\",\"room\":\"lobby\",\"seq\":7,\"from\":\"bob\",\"time\":\"2026-01-31T12:00:07.000Z\",\
         \"text\":\"h\\\"i\",\"action\":false,\"guest\":true}\n"
    );
    Native.entry(&lobby(), &came(9), None, &mut out);
    Native.hint(&Hint::Presence { user: "bob".into(), online: true }, &mut out);
    let retry_after = Duration::from_micros(1500);
    Native.hint(&Hint::Shutdown { reason: "restart", retry_after }, &mut out);
    assert_eq!(
        lines(&out)[1..],
        [
            json!({"event": "member", "room": "lobby", "seq": 9, "from": "carol", "time": "2026-01-31T12:00:09.000Z",
                   "user": "carol", "change": "join", "role": "member"}),
            json!({"event": "presence", "user": "bob", "online": true, "status": "online"}),
            json!({"event": "shutdown", "reason": "restart", "retry_after_ms": 2}),
        ]
    );
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
        let lines = lines(&out);
        prop_assert_eq!(lines.len(), 1);
        prop_assert_eq!(&lines[0]["text"], &text);
    }
}
