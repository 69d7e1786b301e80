//! What happened while nobody was here to be told: on other devices, and while the connection was lost.

use serde_json::json;

use super::Person;
use super::person::{joined, read};
use crate::client::{Event, ResumedRoom, RoomResumed};
use crate::model::Seq;
use crate::tui::ask::Answer;
use crate::tui::state::Effect;

fn lose(ann: &mut Person) {
    ann.tell(Event::Disconnected { reason: "gone".to_owned(), retry_in: Some(std::time::Duration::from_secs(1)) });
    ann.asked();
}

fn began_anew(room: &str, head: u64) -> Event {
    let (room, epoch) = (room.to_owned(), Some("anew".to_owned()));
    Event::Resumed(vec![RoomResumed { room, was: None, reset: true, missed: 0, epoch, head: Seq(head), refused: None }])
}

/// How often the bell rang since the last look.
fn rings(ann: &mut Person) -> usize {
    ann.effects.iter().filter(|effect| matches!(effect, Effect::Ring { .. })).count()
}

#[test]
fn what_began_while_the_connection_was_lost_is_there_when_it_is_back() {
    let mut ann = Person::new(0);
    lose(&mut ann);
    ann.back(&json!([
        {"room": "lobby", "kind": "public", "head": 0},
        {"room": "dev", "kind": "public", "head": 4, "read": 0, "unread": 4, "mentions": 1},
        {"room": "@bob", "head": 2, "unread": 2},
        {"room": "ops", "kind": "private", "head": 7, "read": 7},
    ]));
    assert_eq!(ann.wanted(), [("ops".to_owned(), 7, None), ("@bob".to_owned(), 2, None)]);
    assert_eq!((ann.room("@bob").unread, ann.room("@bob").mentions), (2, 2));
    // What is replayed was counted by the server.
    for seq in 1..=4 {
        ann.said("dev", seq, "bob", "hey @ann");
    }
    assert_eq!((ann.room("dev").unread, ann.room("dev").mentions), (4, 1));
    ann.said("dev", 5, "bob", "hey @ann");
    assert_eq!((ann.room("dev").unread, ann.room("dev").mentions), (5, 2));
}

#[test]
fn what_was_read_elsewhere_meanwhile_is_read_here_and_what_was_read_here_stays_so() {
    let mut ann = Person::new(0);
    ann.said("dev", 1, "bob", "one");
    ann.said("lobby", 1, "bob", "on the screen");
    ann.screen();
    assert_eq!((ann.room("dev").unread, ann.room("lobby").read), (1, Seq(1)));
    lose(&mut ann);
    // That the lobby was read here the server was not told yet.
    ann.back(&json!([{"room": "lobby", "head": 1, "read": 0, "unread": 1}, {"room": "dev", "head": 1, "read": 1}]));
    assert_eq!((ann.room("dev").unread, ann.room("dev").read), (0, Seq(1)));
    assert_eq!((ann.room("lobby").unread, ann.room("lobby").read), (0, Seq(1)));
}

#[test]
fn a_conversation_that_was_left_elsewhere_goes_on_from_what_was_seen_last() {
    let mut ann = Person::new(0);
    ann.invited("@bob", 3);
    ann.follow("@bob", 3);
    ann.said("@bob", 3, "bob", "seen");
    ann.asked();
    ann.invited("@bob", 6);
    assert_eq!(ann.wanted(), [("@bob".to_owned(), 3, Some("epoch of @bob".to_owned()))]);
    // Asked once, however many lines there are before the answer.
    ann.invited("@bob", 7);
    assert_eq!(ann.wanted(), []);
    ann.follow("@bob", 7);
    for seq in 4..=7 {
        ann.said("@bob", seq, "bob", "missed");
    }
    assert_eq!((ann.room("@bob").unread, ann.room("@bob").head), (5, Seq(7)));
}

#[test]
fn a_new_guest_of_an_old_name_rings_with_the_first_word() {
    let mut ann = Person::new(0);
    ann.invited("@bob", 1);
    ann.follow("@bob", 1);
    for seq in 1..=5 {
        ann.said("@bob", seq, "bob", "an old story");
    }
    ann.tell(Event::Removed(read(json!({"room": "@bob", "seq": 5, "change": "ended"}))));
    ann.later(2000);
    ann.effects.clear();
    ann.invited("@bob", 1);
    assert_eq!(ann.wanted(), [("@bob".to_owned(), 0, None)]);
    ann.follow("@bob", 1);
    ann.said("@bob", 1, "bob", "hello, I am new");
    assert_eq!((ann.room("@bob").unread, rings(&mut ann)), (1, 1));
    ann.press("Alt-a");
    ann.page("@bob", &[(1, "bob", "hello, I am new")], false, 1);
    assert!(ann.shows("hello, I am new") && !ann.shows("an old story"));
}

#[test]
fn a_room_that_began_anew_keeps_its_new_epoch_and_what_is_unread_in_it() {
    let mut ann = Person::new(0);
    ann.said("dev", 1, "bob", "void");
    lose(&mut ann);
    ann.back(&json!([{"room": "dev", "head": 3, "read": 1, "unread": 2, "mentions": 1}]));
    ann.tell(began_anew("dev", 3));
    let dev = ann.room("dev");
    assert_eq!((dev.unread, dev.mentions, dev.head, dev.read), (2, 1, Seq(3), Seq(1)));
    assert_eq!(dev.epoch.as_deref(), Some("anew"));
    ann.said("dev", 4, "bob", "on");
    assert_eq!(ann.room("dev").unread, 3);
    // What the login said is old by the next time.
    ann.tell(began_anew("dev", 2));
    assert_eq!(ann.room("dev").unread, 0);
}

#[test]
fn a_room_that_a_new_session_finds_anew_keeps_what_is_unread_in_it() {
    let mut ann = Person::new(0);
    ann.said("dev", 1, "bob", "void");
    ann.login(&json!([{"room": "dev", "head": 3, "read": 1, "unread": 2, "mentions": 1}]));
    let mut anew = joined("dev", 3);
    (anew.reset, anew.epoch) = (true, "anew".to_owned());
    ann.answer(Answer::Followed(vec!["dev".to_owned()], Ok(vec![ResumedRoom::Followed(anew)])));
    let dev = ann.room("dev");
    assert_eq!((dev.unread, dev.mentions, dev.head, dev.epoch.as_deref()), (2, 1, Seq(3), Some("anew")));
}
