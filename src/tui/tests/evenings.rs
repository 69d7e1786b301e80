//! Evenings in which anything may happen in any order: nothing panics, nothing that was typed is lost, and nothing that is
//! drawn does harm.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::Person;
use super::person::{NOON, joined, many, page_of, read};
use crate::client::{Event, ResumedRoom, RoomResumed};
use crate::model::{Anchor, Seq};
use crate::protocol::Code;
use crate::tui::ask::{Answer, Ask, Deed, Trouble};
use crate::tui::state::outbox::Failure;
use crate::tui::state::{Effect, Input};

/// Something that happens.
#[derive(Clone, Debug)]
enum Turn {
    Key(&'static str),
    Line(String),
    Said {
        room: usize,
        seq: u64,
    },
    About {
        room: usize,
        seq: u64,
        target: u64,
        what: usize,
    },
    /// The oldest question is answered: well, with a refusal, or not at all because the connection is gone.
    Answered(usize),
    Lost(bool),
    Found(bool),
    Resumed {
        room: usize,
        reset: bool,
    },
    Removed(usize),
    Resize(u16, u16),
    Focus(bool),
    Later(i64),
    Paste(String),
}

const ROOMS: [&str; 3] = ["lobby", "dev", "@bob"];

const KEYS: [&str; 34] = [
    "Enter",
    "Tab",
    "Shift-Tab",
    "Esc",
    "Up",
    "Down",
    "PageUp",
    "PageDown",
    "Home",
    "End",
    "Backspace",
    "F1",
    "Ctrl-K",
    "Ctrl-N",
    "Ctrl-P",
    "Ctrl-R",
    "Ctrl-C",
    "Ctrl-U",
    "Ctrl-W",
    "Ctrl-Y",
    "Ctrl-F",
    "Ctrl-Home",
    "Ctrl-End",
    "Ctrl-Up",
    "Alt-Up",
    "Alt-Down",
    "Alt-a",
    "Alt-u",
    "Alt-1",
    "Alt-l",
    "Alt-m",
    "y",
    "n",
    "d",
];

fn turn() -> impl Strategy<Value = Turn> {
    let seq = prop_oneof![1..60_u64, 1..400_u64, Just(u64::MAX)];
    let line = prop_oneof![
        "[a-z @:]{1,30}",
        "(/me |/msg bob |/reply |//)[a-z]{1,8}",
        Just("/join dev".to_owned()),
        Just("/leave".to_owned()),
        Just("/search x".to_owned()),
        Just("/rooms".to_owned()),
        Just("/delete".to_owned()),
        Just("/react :tada:".to_owned()),
        Just("/retry".to_owned()),
        Just("/discard".to_owned()),
        Just("/topic new".to_owned()),
        Just("/read".to_owned()),
        Just("/reconnect".to_owned()),
    ];
    prop_oneof![
        8 => (0..KEYS.len()).prop_map(|at| Turn::Key(KEYS[at])),
        4 => line.prop_map(Turn::Line),
        6 => (0..3usize, seq.clone()).prop_map(|(room, seq)| Turn::Said { room, seq }),
        3 => (0..3usize, seq.clone(), seq, 0..6usize).prop_map(|(room, seq, target, what)| Turn::About { room, seq, target, what }),
        8 => (0..6usize).prop_map(Turn::Answered),
        1 => any::<bool>().prop_map(Turn::Lost),
        2 => any::<bool>().prop_map(Turn::Found),
        1 => (0..3usize, any::<bool>()).prop_map(|(room, reset)| Turn::Resumed { room, reset }),
        1 => (0..3usize).prop_map(Turn::Removed),
        1 => (0..130u16, 0..50u16).prop_map(|(columns, rows)| Turn::Resize(columns, rows)),
        1 => any::<bool>().prop_map(Turn::Focus),
        1 => prop_oneof![0..5000i64, Just(-100_000i64)].prop_map(Turn::Later),
        1 => "[a-z\n]{0,40}".prop_map(Turn::Paste),
    ]
}

/// The test's own idea of what was typed and is neither stored nor thrown away by hand.
fn play(ann: &mut Person, turn: &Turn) {
    match turn {
        Turn::Key(name) => ann.press(name),
        Turn::Line(line) => ann.enters(line),
        Turn::Said { room, seq } => ann.said(ROOMS[*room], *seq, if seq % 3 == 0 { "ann" } else { "bob" }, "said @ann"),
        Turn::About { room, seq, target, what } => about(ann, ROOMS[*room], *seq, *target, *what),
        Turn::Answered(how) => answer(ann, *how),
        Turn::Lost(again) => {
            let retry_in = again.then(|| Duration::from_secs(3));
            ann.tell(Event::Disconnected { reason: "gone".to_owned(), retry_in });
        }
        Turn::Found(true) => ann.tell(Event::Connected { new_guest: true }),
        Turn::Found(false) => ann.back(&json!([
            {"room": "dev", "kind": "public", "head": 60, "read": 20, "unread": 3, "mentions": 1},
            {"room": "@bob", "head": 50, "read": 50},
        ])),
        Turn::Resumed { room, reset } => {
            let room = ROOMS[*room].to_owned();
            ann.tell(Event::Resumed(vec![RoomResumed {
                room,
                was: None,
                reset: *reset,
                missed: 2,
                epoch: Some("anew".to_owned()),
                head: Seq(1),
                refused: None,
            }]));
        }
        Turn::Removed(room) => {
            ann.tell(Event::Removed(read(json!({"room": ROOMS[*room], "seq": 3, "change": "kick"}))))
        }
        Turn::Resize(columns, rows) => ann.input(Input::Resize(*columns, *rows)),
        Turn::Focus(focused) => ann.input(Input::Focus(*focused)),
        Turn::Later(ms) => ann.later(*ms),
        Turn::Paste(text) => ann.input(Input::Paste(text.clone())),
    }
}

fn about(ann: &mut Person, room: &str, seq: u64, target: u64, what: usize) {
    let mut entry = json!({"room": room, "seq": seq, "from": "bob", "time": NOON.to_string(), "target": target});
    let keys = [
        json!({"text": "changed"}),
        json!({}),
        json!({"emoji": "🎉"}),
        json!({"topic": "t"}),
        json!({"user": "ann", "change": "role", "role": "owner"}),
        json!({"name": "dev2", "was": "dev"}),
    ];
    entry.as_object_mut().expect("an object").extend(keys[what].as_object().expect("an object").clone());
    ann.tell(match what {
        0 => Event::Edit(read(entry)),
        1 => Event::Delete(read(entry)),
        2 => Event::React(read(entry)),
        3 => Event::Topic(read(entry)),
        4 => Event::Member(read(entry)),
        _ => Event::Room(read(entry)),
    });
}

/// Answers the oldest question that is open.
fn answer(ann: &mut Person, how: usize) {
    let Some(at) = ann.effects.iter().position(|effect| matches!(effect, Effect::Ask(_))) else { return };
    let Effect::Ask(ask) = ann.effects.remove(at) else { return };
    let no =
        || Trouble { text: "no".to_owned(), code: [None, Some(Code::NoSuchRoom), Some(Code::NotAMember)][how % 3] };
    let is_fine = how >= 3;
    let result = |fine: bool| if fine { Ok(()) } else { Err(no()) };
    ann.answer(match ask {
        Ask::Follow(rooms) => {
            let names: Vec<String> = rooms.iter().map(|(room, ..)| room.clone()).collect();
            let followed = names.iter().map(|room| ResumedRoom::Followed(joined(room, 50))).collect();
            Answer::Followed(names, if is_fine { Ok(followed) } else { Err(no()) })
        }
        Ask::Join { room, from, .. } => {
            let joined = if is_fine { Ok(joined(&room, 50)) } else { Err(no()) };
            Answer::Joined { room, from, joined }
        }
        Ask::Leave { key, .. } => Answer::Left(key, result(is_fine)),
        Ask::History { key, room, anchor, .. } => {
            let messages = match anchor {
                Anchor::Newest => many(20, 50),
                Anchor::Before(Seq(seq)) => many(seq.saturating_sub(30).max(1), seq.saturating_sub(1).min(400)),
                Anchor::After(Seq(seq)) => many(seq.saturating_add(1), seq.saturating_add(20).min(400)),
                Anchor::Around(Seq(seq)) => many(seq.saturating_sub(5), seq.saturating_add(5).min(400)),
            };
            let page = if is_fine { Ok(page_of(&room, &messages, how == 4, 50)) } else { Err(no()) };
            Answer::Page { key, anchor, page }
        }
        Ask::Names { key, .. } => {
            let names = json!({"names": [{"name": "bob", "role": "owner", "online": true}], "more": how == 4});
            Answer::Names(key, if is_fine { Ok(read(names)) } else { Err(no()) })
        }
        Ask::Rooms => Answer::Rooms(if is_fine { Ok(read(json!({"rooms": [{"room": "attic"}]}))) } else { Err(no()) }),
        Ask::Search { query, after, .. } => {
            let hit = json!({"room": "lobby", "seq": 7, "from": "bob", "time": NOON.to_string(), "text": "x"});
            let found = read(json!({"messages": [hit], "more": how == 4, "next": 9}));
            Answer::Found { query, first: after.is_none(), found: if is_fine { Ok(found) } else { Err(no()) } }
        }
        Ask::Read { key, seq, .. } => {
            let mark = read(json!({"room": "lobby", "read": seq.0, "unread": 1, "mentions": 0}));
            Answer::Read { key, seq, mark: if is_fine { Ok(mark) } else { Err(no()) } }
        }
        Ask::Typing { .. } => Answer::Nothing,
        Ask::Post { id, .. } => {
            let posted = read(json!({"room": "lobby", "seq": 51, "time": NOON.to_string()}));
            let failure =
                if how == 0 { Failure::Unknown { after_ms: None } } else { Failure::Refused("no".to_owned()) };
            Answer::Posted { id, posted: if is_fine { Ok(posted) } else { Err(failure) } }
        }
        Ask::Ping => Answer::Lag(is_fine.then_some(Duration::from_millis(9))),
        Ask::Deed(deed @ Deed::Edit { .. }) => Answer::Done(deed, result(is_fine)),
        Ask::Deed(deed) => Answer::Done(deed, result(is_fine)),
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_screen_goes_on(turns in prop::collection::vec(turn(), 1..120)) {
        let mut ann = Person::new(50);
        for turn in &turns {
            let before: Vec<u64> = ann.state.outbox.all().iter().map(|outgoing| outgoing.id).collect();
            // What is typed then looks for what was typed before, and Enter does that.
            let recalls = ann.state.history_search().is_some();
            let stored = |ann: &Person, id| ann.state.outbox.get(id).is_some();
            play(&mut ann, turn);
            let screen = ann.screen();
            prop_assert!(!screen.iter().any(|row| row.contains(char::is_control)), "{screen:?}");
            let (width, height) = ann.state.size;
            prop_assert_eq!(screen.len(), usize::from(height) * usize::from(width.min(1)));
            // A line leaves the outbox by an answer, by its entry, by the hand of who typed it, or with its room.
            let may_go = matches!(turn, Turn::Answered(_) | Turn::Said { .. })
                || matches!(turn, Turn::Line(line) if line == "/discard" || recalls)
                || matches!(turn, Turn::Key("Enter"));
            prop_assert!(may_go || before.iter().all(|id| stored(&ann, *id)), "{turn:?} took a line away");
            prop_assert!(ann.state.room().unread <= 1_000_000);
        }
    }
}
