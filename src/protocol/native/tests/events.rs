//! What each entry and each hint is as an event, as exact text.

use std::time::Duration;

use super::answers::{deleted, full};
use super::{NOON, lobby};
use crate::model::{
    Body, Entry, Line, MemberChange, RoomChange, RoomKind, RoomName, RoomRole, Seq, Text, UserId, Visibility,
};
use crate::protocol::course::tests::{presence, said};
use crate::protocol::json::tests::lines;
use crate::protocol::native::Native;
use crate::protocol::{Dialect, Hint};

fn line(text: &str) -> Line {
    Line::trusted(text)
}

fn by_bob(body: Body) -> Entry {
    Entry { body, ..said(9, "bob", "x", false) }
}

fn member(change: MemberChange, role: Option<RoomRole>, reason: Option<Line>) -> Body {
    let until = (change == MemberChange::Ban).then_some(NOON);
    Body::Member { user: "Eve".into(), user_id: UserId(40), change, role, reason, until }
}

/// Entries with all that they can have: the event's name, the room if it is not the lobby, and the text behind `time`.
pub(in crate::protocol) fn entries() -> Vec<(Entry, &'static str, &'static str)> {
    let room = RoomChange {
        name: Some(RoomName::trusted("hall")),
        was: Some(lobby()),
        kind: Some(RoomKind::Announce),
        history: Some(Visibility::All),
        slow_mode_s: Some(0),
        retention_days: Some(30),
        retention_entries: Some(1000),
    };
    vec![
        (said(9, "bob", "h\"i", false), "message", r#""text":"h\"i","action":false,"guest":true"#),
        (
            Entry { from: "bob".into(), time: said(9, "bob", "x", false).time, ..full(9) },
            "message",
            r#""text":"hi \"@bob\"","action":true,"guest":false,"reply_to":7,"mentions":["bob"],"edited":"2026-01-31T18:00:00.500Z""#,
        ),
        (deleted(9), "message", r#""action":false,"guest":true,"deleted":true"#),
        (
            by_bob(Body::Edit { target: Seq(7), text: Some(Text::trusted("a\tb")) }),
            "edit",
            r#""target":7,"text":"a\tb""#,
        ),
        (by_bob(Body::Edit { target: Seq(7), text: None }), "edit", r#""target":7"#),
        (
            by_bob(Body::Delete { target: Seq(7), reason: Some(line("spam")) }),
            "delete",
            r#""target":7,"reason":"spam""#,
        ),
        (by_bob(Body::Delete { target: Seq(7), reason: Some(line("")) }), "delete", r#""target":7"#),
        (
            by_bob(Body::React { target: Seq(7), emoji: line("👍"), remove: false }),
            "react",
            r#""target":7,"emoji":"👍","remove":false"#,
        ),
        (
            by_bob(Body::React { target: Seq(7), emoji: line("\u{9b}"), remove: true }),
            "react",
            r#""target":7,"emoji":"\u009b","remove":true"#,
        ),
        (by_bob(Body::Topic { topic: line("") }), "topic", r#""topic":"""#),
        (
            by_bob(member(MemberChange::Join, Some(RoomRole::Member), Some(line("")))),
            "member",
            r#""user":"Eve","change":"join","role":"member""#,
        ),
        (
            by_bob(member(MemberChange::Ban, None, Some(line("spam")))),
            "member",
            r#""user":"Eve","change":"ban","reason":"spam","until":"2026-01-31T12:00:00.000Z""#,
        ),
        (
            by_bob(Body::Room(RoomChange { slow_mode_s: Some(5), ..RoomChange::default() })),
            "room",
            r#""slow_mode_s":5"#,
        ),
        (
            by_bob(Body::Room(room)),
            "room",
            r#""name":"hall","was":"lobby","kind":"announce","history":"all","slow_mode_s":0,"retention_days":30,"retention_entries":1000"#,
        ),
    ]
}

/// Hints with all that they can have, and their text.
pub(in crate::protocol) fn hints() -> Vec<(Hint, &'static str)> {
    let room = lobby;
    let retry_after = Duration::from_micros(1500);
    let away = |online| Hint::Presence { user: "bob".into(), online, away: true, text: Some(line("lunch")) };
    vec![
        (presence("bob", true), r#"{"event":"presence","user":"bob","online":true,"status":"online"}"#),
        (presence("bob", false), r#"{"event":"presence","user":"bob","online":false,"status":"offline"}"#),
        (away(true), r#"{"event":"presence","user":"bob","online":true,"status":"away","text":"lunch"}"#),
        (away(false), r#"{"event":"presence","user":"bob","online":false,"status":"offline","text":"lunch"}"#),
        (Hint::Typing { room: room(), user: "bob".into() }, r#"{"event":"typing","room":"lobby","user":"bob"}"#),
        (
            Hint::Read { room: room(), read: Seq(8), unread: 2, mentions: 1 },
            r#"{"event":"read","room":"lobby","read":8,"unread":2,"mentions":1}"#,
        ),
        (
            Hint::Invited { room: room(), head: Seq(9), by: Some("bob".into()) },
            r#"{"event":"invited","room":"lobby","head":9,"from":"bob"}"#,
        ),
        (
            Hint::Invited { room: RoomName::direct("Bob"), head: Seq(9), by: None },
            r#"{"event":"invited","room":"@Bob","head":9}"#,
        ),
        (
            Hint::Removed { room: room(), seq: Seq(9), change: "kick", reason: Some(line("spam")) },
            r#"{"event":"removed","room":"lobby","seq":9,"change":"kick","reason":"spam"}"#,
        ),
        (
            Hint::Removed { room: room(), seq: Seq(9), change: "leave", reason: None },
            r#"{"event":"removed","room":"lobby","seq":9,"change":"leave"}"#,
        ),
        (Hint::Notice { text: Text::trusted("a\nb") }, r#"{"event":"notice","text":"a\nb"}"#),
        (
            Hint::Shutdown { reason: "restart", retry_after },
            r#"{"event":"shutdown","reason":"restart","retry_after_ms":2}"#,
        ),
    ]
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(lines(&out).len(), 1);
    String::from_utf8(out).unwrap()
}

#[test]
fn each_entry_is_an_event_that_begins_like_all_others() {
    for (entry, event, expected) in entries() {
        // By which name a session knows the room is not the entry's business.
        let head = r#""seq":9,"from":"bob","time":"2026-01-31T12:00:09.000Z""#;
        let text = written(|out| Native.entry(&lobby(), &entry, Some(UserId(-8)), out));
        assert_eq!(text, format!("{{\"event\":\"{event}\",\"room\":\"lobby\",{head},{expected}}}\n"));
    }
}

#[test]
fn each_hint_is_an_event() {
    for (hint, expected) in hints() {
        assert_eq!(written(|out| Native.hint(&hint, out)), format!("{expected}\n"));
    }
}
