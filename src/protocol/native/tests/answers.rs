//! What each answer adds, as exact text.

use super::{NOON, answered, joined, lobby};
use crate::model::{
    Body, Entry, Epoch, Fingerprint, Level, Line, Message, Reaction, RoomKind, RoomName, Seq, ServerRole, Settings,
    Text, Time, UserId, Visibility,
};
use crate::protocol::course::tests::{named, said};
use crate::protocol::response::{
    AccountLine, ActLine, BanLine, Found, Hit, InvitationLine, NameLine, Page, Reloaded, RoomIs, RoomLine,
    ServerSessionLine, ServerStatus, SessionLine, SuspensionLine, TokenLine,
};
use crate::protocol::{Kind, Response, Tag};

/// A later moment.
const EVENING: Time = Time(NOON.0 + 21_600_500);

fn line(text: &str) -> Line {
    Line::trusted(text)
}

/// A message with everything that one can have.
pub(in crate::protocol) fn full(seq: u64) -> Entry {
    let mut entry = said(seq, "alice", "hi @bob", true);
    entry.author = UserId(40);
    entry.body = Body::Message(Message {
        reply_to: Some(Seq(7)),
        action: true,
        mentions: ["bob".into()].into(),
        edited: Some(EVENING),
        reactions: [Reaction { emoji: line("👍"), users: vec!["bob".into(), "Eve".into()], count: 3 }].into(),
        ..Message::new(Text::trusted("hi \"@bob\""))
    });
    entry
}

/// What is left of a message that was taken back, as a store may still have it.
pub(in crate::protocol) fn deleted(seq: u64) -> Entry {
    let mut entry = said(seq, "bob", "x", false);
    if let Body::Message(message) = &mut entry.body {
        *message = Message { deleted: true, mentions: ["eve".into()].into(), ..Message::new(Text::trusted("")) };
    }
    entry
}

fn came(seq: u64) -> Entry {
    Entry { body: Body::Topic { topic: line("t") }, ..said(seq, "carol", "x", false) }
}

/// Answers with all that they can have, and the text behind `response`.
pub(in crate::protocol) fn whole() -> Vec<(Kind, Response, &'static str)> {
    let minted = || Response::Minted { secret: "s\"1".into(), id: 3, expires: Some(EVENING) };
    let moved = || Response::Changed { seq: Seq(8) };
    let mut all = vec![
        (Kind::Logout, Response::LoggedOut { username: "Bob".into() }, r#""username":"Bob""#),
        (
            Kind::Ping,
            Response::Pong { data: Some("[1.50]".into()), time: NOON },
            r#""data":[1.50],"time":"2026-01-31T12:00:00.000Z""#,
        ),
        (
            Kind::Whoami,
            Response::Whoami { username: "Bob".into(), guest: true, role: ServerRole::Admin, sessions: 2 },
            r#""username":"Bob","guest":true,"role":"admin","sessions":2"#,
        ),
        (Kind::Password, Response::Done, ""),
        (Kind::Token, minted(), r#""token":"s\"1","token_id":3,"expires":"2026-01-31T18:00:00.500Z""#),
        (
            Kind::Token,
            Response::Certified { fingerprint: Fingerprint::from_bytes([0xab; 32]), id: 4, expires: Some(EVENING) },
            r#""fingerprint":"SHA256:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB","token_id":4,"expires":"2026-01-31T18:00:00.500Z""#,
        ),
        (
            Kind::Token,
            Response::Tokens(vec![TokenLine {
                token_id: 3,
                fingerprint: Some(Fingerprint::from_bytes([0xab; 32])),
                label: line("bot"),
                created: NOON,
                expires: Some(EVENING),
                last_used: Some(NOON),
            }]),
            r#""tokens":[{"token_id":3,"fingerprint":"SHA256:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB","label":"bot","created":"2026-01-31T12:00:00.000Z","expires":"2026-01-31T18:00:00.500Z","last_used":"2026-01-31T12:00:00.000Z"}]"#,
        ),
        (
            Kind::Sessions,
            Response::Sessions(vec![SessionLine {
                session_id: 9,
                client: Some(line("x/1")),
                since: NOON,
                token: Some((line("bot"), 3)),
                current: true,
            }]),
            r#""sessions":[{"session_id":9,"client":"x/1","since":"2026-01-31T12:00:00.000Z","token":"bot","token_id":3,"current":true}]"#,
        ),
        (
            Kind::Rooms,
            Response::Rooms {
                rooms: vec![RoomLine {
                    room: lobby(),
                    kind: RoomKind::Public,
                    topic: "t".into(),
                    members: 3,
                    online: 2,
                    head: Seq(9),
                    joined: true,
                }],
                more: true,
            },
            r#""rooms":[{"room":"lobby","kind":"public","topic":"t","members":3,"online":2,"head":9,"joined":true}],"more":true"#,
        ),
        (Kind::Create, Response::Created { room: lobby(), head: Seq(0) }, r#""room":"lobby","head":0"#),
        (
            Kind::Join,
            Response::Joined(Box::new(joined())),
            r#""room":"lobby","kind":"public","topic":"all \"sorts\"","role":"member","epoch":"e1","first":1,"head":9,"read":4,"reset":false"#,
        ),
        (Kind::Unfollow, Response::Unfollowed { room: lobby() }, r#""room":"lobby""#),
        (Kind::Leave, Response::Left { room: lobby() }, r#""room":"lobby""#),
        (
            Kind::Names,
            Response::Names {
                room: Some(lobby()),
                names: vec![
                    NameLine { away: true, text: Some(line("lunch")), ..named("Bob", true) },
                    NameLine { guest: false, last_seen: Some(NOON), ..named("eve", false) },
                ],
                more: true,
            },
            r#""room":"lobby","names":[{"name":"Bob","role":"member","online":true,"status":"away","guest":true,"text":"lunch"},{"name":"eve","role":"member","online":false,"status":"offline","guest":false,"last_seen":"2026-01-31T12:00:00.000Z"}],"more":true"#,
        ),
        (
            Kind::Bans,
            Response::Bans {
                room: lobby(),
                bans: vec![BanLine { username: "Eve".into(), reason: Some(line("spam")), until: Some(EVENING) }],
                mutes: vec![BanLine { username: "Mallory".into(), reason: Some(line("")), until: None }],
            },
            r#""room":"lobby","bans":[{"username":"Eve","reason":"spam","until":"2026-01-31T18:00:00.500Z"}],"mutes":[{"username":"Mallory"}]"#,
        ),
        (Kind::Room, Response::RoomIs(Box::new(room())), ROOM),
        (Kind::DeleteRoom, Response::Deleted { room: lobby() }, r#""room":"lobby""#),
        (
            Kind::Message,
            Response::Posted { room: lobby(), seq: Seq(7), time: NOON, duplicate: true },
            r#""room":"lobby","seq":7,"time":"2026-01-31T12:00:00.000Z","duplicate":true"#,
        ),
        (Kind::History, Response::History(Box::new(page())), PAGE),
        (Kind::Search, Response::Found(Box::new(found())), FOUND),
        (
            Kind::Read,
            Response::Read { room: lobby(), read: Seq(8), unread: 2, mentions: 1 },
            r#""room":"lobby","read":8,"unread":2,"mentions":1"#,
        ),
        (
            Kind::Acts,
            Response::Acts {
                acts: vec![ActLine {
                    number: 5,
                    time: NOON,
                    by: "Bob".into(),
                    act: "ban".into(),
                    room: Some("lobby".into()),
                    target: "Eve".into(),
                    detail: "spam".into(),
                }],
                more: false,
            },
            r#""acts":[{"number":5,"time":"2026-01-31T12:00:00.000Z","by":"Bob","act":"ban","room":"lobby","target":"Eve","detail":"spam"}],"more":false"#,
        ),
        (Kind::Invitation, minted(), r#""invite":"s\"1","invitation_id":3,"expires":"2026-01-31T18:00:00.500Z""#),
        (
            Kind::Invitation,
            Response::Invitations(vec![InvitationLine {
                invitation_id: 3,
                label: line("crew"),
                left: 7,
                by: "Bob".into(),
                created: NOON,
                expires: Some(EVENING),
            }]),
            r#""invitations":[{"invitation_id":3,"label":"crew","left":7,"by":"Bob","created":"2026-01-31T12:00:00.000Z","expires":"2026-01-31T18:00:00.500Z"}]"#,
        ),
        (Kind::Suspensions, Response::Suspensions(suspensions()), SUSPENSIONS),
        (Kind::Disconnect, Response::Disconnected { sessions: 2 }, r#""sessions":2"#),
        (Kind::Level, Response::Level(Level::NoGuests), r#""level":"no_guests""#),
        (Kind::ServerStatus, Response::ServerStatus(Box::new(server_status())), SERVER_STATUS),
        (
            Kind::ServerSessions,
            Response::ServerSessions {
                sessions: vec![ServerSessionLine {
                    session_id: 9,
                    username: "Bob".into(),
                    guest: true,
                    role: ServerRole::User,
                    address: "192.0.2.1".into(),
                    client: Some(line("x/1")),
                    since: NOON,
                    rooms: 2,
                }],
                more: true,
            },
            r#""sessions":[{"session_id":9,"username":"Bob","guest":true,"role":"user","address":"192.0.2.1","client":"x/1","since":"2026-01-31T12:00:00.000Z","rooms":2}],"more":true"#,
        ),
        (
            Kind::Accounts,
            Response::Accounts {
                accounts: vec![AccountLine { username: "Bob".into(), role: ServerRole::Admin, last_seen: Some(NOON) }],
                more: false,
            },
            r#""accounts":[{"username":"Bob","role":"admin","last_seen":"2026-01-31T12:00:00.000Z"}],"more":false"#,
        ),
        (
            Kind::Reload,
            Response::Reloaded(Box::new(Reloaded {
                changed: vec!["server.motd".into()],
                restart: vec!["storage.file".into()],
                problems: vec!["a \"b\"".into()],
            })),
            r#""changed":["server.motd"],"restart":["storage.file"],"problems":["a \"b\""]"#,
        ),
        (Kind::LogLevel, Response::LogLevel("info,snakk=debug".into()), r#""level":"info,snakk=debug""#),
    ];
    for kind in [
        Kind::DeleteAccount,
        Kind::Block,
        Kind::Unblock,
        Kind::Typing,
        Kind::Status,
        Kind::Report,
        Kind::ServerRole,
        Kind::Suspend,
        Kind::Unsuspend,
        Kind::Notice,
        Kind::AddAccount,
        Kind::SetPassword,
    ] {
        all.push((kind, Response::Done, ""));
    }
    for kind in [
        Kind::Topic,
        Kind::Invite,
        Kind::Kick,
        Kind::Ban,
        Kind::Unban,
        Kind::Mute,
        Kind::Unmute,
        Kind::Role,
        Kind::Room,
        Kind::Edit,
        Kind::Delete,
        Kind::React,
    ] {
        all.push((kind, moved(), r#""seq":8"#));
    }
    all
}

fn room() -> RoomIs {
    let settings = Settings {
        kind: RoomKind::Private,
        topic: line("t"),
        history: Visibility::Joined,
        slow_mode_s: 5,
        retention_days: 30,
        retention_entries: 1000,
    };
    RoomIs { room: lobby(), settings, epoch: Epoch("e1".into()), first: Seq(2), head: Seq(9), members: 3, online: 1 }
}

const ROOM: &str = r#""room":"lobby","kind":"private","topic":"t","history":"joined","slow_mode_s":5,"retention_days":30,"retention_entries":1000,"epoch":"e1","first":2,"head":9,"members":3,"online":1"#;

fn page() -> Page {
    let messages = vec![said(7, "bob", "two\nlines", false), full(8), came(9), deleted(10)];
    Page { room: lobby(), messages, more: true, first: Seq(1), head: Seq(10) }
}

const PAGE: &str = concat!(
    r#""room":"lobby","messages":["#,
    r#"{"seq":7,"from":"bob","time":"2026-01-31T12:00:07.000Z","text":"two\nlines","action":false,"guest":true},"#,
    r#"{"seq":8,"from":"alice","time":"2026-01-31T12:00:08.000Z","text":"hi \"@bob\"","action":true,"guest":false,"reply_to":7,"mentions":["bob"],"edited":"2026-01-31T18:00:00.500Z","reactions":[{"emoji":"👍","count":3,"users":["bob","Eve"]}]},"#,
    r#"{"seq":10,"from":"bob","time":"2026-01-31T12:00:10.000Z","action":false,"guest":true,"deleted":true}"#,
    r#"],"more":true,"first":1,"head":10"#
);

fn found() -> Found {
    let hit = |entry| Hit { room: RoomName::trusted("@Bob"), entry, snippet: "to \"@bob\"".into(), hit: (3, 4) };
    Found { messages: vec![hit(said(7, "bob", "x", false)), hit(came(6))], next: Some(44) }
}

const FOUND: &str = concat!(
    r#""messages":[{"room":"@Bob","seq":7,"from":"bob","time":"2026-01-31T12:00:07.000Z","text":"x","action":false,"guest":true,"#,
    r#""snippet":"to \"@bob\"","hit":[3,4]}],"more":true,"next":44"#
);

fn suspensions() -> Vec<SuspensionLine> {
    let suspended = |username: Option<&str>, address: Option<&str>, reason, until| SuspensionLine {
        username: username.map(Into::into),
        address: address.map(Into::into),
        reason: line(reason),
        until,
        by: "Bob".into(),
        time: NOON,
    };
    vec![suspended(Some("Eve"), None, "spam", Some(EVENING)), suspended(None, Some("192.0.2.0/24"), "", None)]
}

const SUSPENSIONS: &str = concat!(
    r#""suspensions":[{"username":"Eve","reason":"spam","until":"2026-01-31T18:00:00.500Z","by":"Bob","time":"2026-01-31T12:00:00.000Z"},"#,
    r#"{"address":"192.0.2.0/24","by":"Bob","time":"2026-01-31T12:00:00.000Z"}]"#
);

fn server_status() -> ServerStatus {
    ServerStatus {
        version: "0.1.0".into(),
        name: "our \"place\"".into(),
        started: NOON,
        level: Level::ReadOnly,
        ready: false,
        problem: Some("the disk is full".into()),
        connections: 1,
        sessions: 2,
        accounts: 3,
        guests: 4,
        rooms: 5,
        queue: 6,
        database_bytes: 7,
        wal_bytes: 8,
    }
}

const SERVER_STATUS: &str = r#""version":"0.1.0","name":"our \"place\"","started":"2026-01-31T12:00:00.000Z","level":"read_only","ready":false,"problem":"the disk is full","connections":1,"sessions":2,"accounts":3,"guests":4,"rooms":5,"queue":6,"database_bytes":7,"wal_bytes":8"#;

fn text(kind: Kind, response: Response) -> String {
    answered(&Tag::new(kind), Ok(response)).0
}

fn object(kind: Kind, inside: &str) -> String {
    let comma = if inside.is_empty() { "" } else { "," };
    format!("{{\"response\":\"{}\"{comma}{inside}}}\n", kind.as_str())
}

#[test]
fn each_answer_has_its_keys_in_their_order() {
    for (kind, response, expected) in whole() {
        assert_eq!(text(kind, response), object(kind, expected));
    }
    let told = [Kind::Hello, Kind::Login, Kind::Register, Kind::Help, Kind::Resume];
    let covered = |kind: &Kind| told.contains(kind) || whole().iter().any(|(other, ..)| other == kind);
    assert!(Kind::ALL.iter().all(covered), "an answer is missing in this table");
}

#[test]
fn what_there_is_not_is_left_out() {
    let names = vec![NameLine { text: Some(line("")), ..named("bob", true) }];
    for (kind, response, expected) in [
        (Kind::Token, Response::Minted { secret: "s".into(), id: 3, expires: None }, r#""token":"s","token_id":3"#),
        (
            Kind::Token,
            Response::Tokens(vec![TokenLine {
                token_id: 3,
                fingerprint: None,
                label: line(""),
                created: NOON,
                expires: None,
                last_used: None,
            }]),
            r#""tokens":[{"token_id":3,"label":"","created":"2026-01-31T12:00:00.000Z"}]"#,
        ),
        (
            Kind::Sessions,
            Response::Sessions(vec![SessionLine {
                session_id: 9,
                client: None,
                since: NOON,
                token: None,
                current: false,
            }]),
            r#""sessions":[{"session_id":9,"since":"2026-01-31T12:00:00.000Z","current":false}]"#,
        ),
        (
            Kind::Names,
            Response::Names { room: None, names, more: false },
            r#""names":[{"name":"bob","role":"member","online":true,"status":"online","guest":true}],"more":false"#,
        ),
        (
            Kind::Search,
            Response::Found(Box::new(Found { messages: Vec::new(), next: None })),
            r#""messages":[],"more":false"#,
        ),
        (
            Kind::Message,
            Response::Posted { room: lobby(), seq: Seq(7), time: NOON, duplicate: false },
            r#""room":"lobby","seq":7,"time":"2026-01-31T12:00:00.000Z""#,
        ),
        (Kind::Ping, Response::Pong { data: None, time: NOON }, r#""time":"2026-01-31T12:00:00.000Z""#),
    ] {
        assert_eq!(text(kind, response), object(kind, expected));
    }
}

#[test]
fn help_lists_every_request() {
    let help = answered(&Tag::new(Kind::Help), Ok(Response::Help)).1;
    let listed: Vec<_> = help["requests"].as_array().unwrap().iter().map(|line| line["request"].as_str()).collect();
    assert_eq!(listed, Kind::ALL.iter().map(|kind| Some(kind.as_str())).collect::<Vec<_>>());
}
