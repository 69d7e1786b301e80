//! What is typed is never lost, and sent once.

use super::Person;
use super::person::{message, read};
use crate::client::{Event, RoomResumed};
use crate::model::Seq;
use crate::model::Time;
use crate::protocol::Code;
use crate::tui::ask::{Answer, Ask, Deed, Trouble};
use crate::tui::state::outbox::{Failure, Sending};
use crate::tui::state::{Connection, Effect};
use serde_json::json;
use std::time::Duration;

fn lost(retry_in: Option<u64>) -> Event {
    Event::Disconnected { reason: "gone".to_owned(), retry_in: retry_in.map(Duration::from_secs) }
}

#[test]
fn a_line_is_pending_until_its_entry_comes_and_then_there_once() {
    let mut ann = Person::new(0);
    ann.enters("hello");
    let posts = ann.posts();
    assert_eq!(posts.len(), 1);
    assert!(ann.shows("hello …"));
    // The entry may come before or behind the answer.
    ann.stored(posts[0].0, 1);
    assert!(ann.shows("hello …"));
    ann.said("lobby", 1, "ann", "hello");
    assert!(ann.shows("hello") && !ann.shows("hello …"));
    ann.enters("again");
    let posts = ann.posts();
    ann.said("lobby", 2, "ann", "again");
    ann.stored(posts[0].0, 2);
    assert_eq!(ann.screen().iter().filter(|row| row.contains("again")).count(), 1);
    assert!(!ann.shows("again …"));
}

#[test]
fn what_is_typed_offline_is_sent_in_order_and_once_after_the_reconnect() {
    let mut ann = Person::new(0);
    ann.enters("under way");
    let first = ann.posts().remove(0);
    ann.tell(lost(Some(7)));
    assert!(ann.shows("offline, again in 7s"));
    ann.later(1000);
    assert!(ann.shows("offline, again in 6s"));
    ann.enters("two");
    ann.enters("three");
    assert_eq!(ann.posts(), []);
    assert!(ann.shows("3 to send") && ann.shows("two …") && ann.shows("three …"));
    ann.answer(Answer::Posted { id: first.0, posted: Err(Failure::Unknown { after_ms: None }) });
    ann.tell(Event::Connected { new_guest: false });
    // The same nonce; and nothing overtakes it.
    assert_eq!(ann.posts(), std::slice::from_ref(&first));
    ann.stored(first.0, 1);
    ann.said("lobby", 1, "ann", "under way");
    let second = ann.posts();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].1, "two");
    ann.stored(second[0].0, 2);
    assert_eq!(ann.posts()[0].1, "three");
}

#[test]
fn a_refused_line_stays_with_the_reason_and_can_be_sent_again_or_thrown_away() {
    let mut ann = Person::new(0);
    ann.enters("spam");
    let id = ann.posts()[0].0;
    ann.answer(Answer::Posted { id, posted: Err(Failure::Refused("You are muted in this room.".to_owned())) });
    assert!(ann.shows("not sent: You are muted"));
    ann.enters("/retry");
    assert_eq!(ann.posts()[0].1, "spam");
    ann.answer(Answer::Posted { id, posted: Err(Failure::Refused("You are muted in this room.".to_owned())) });
    ann.enters("/discard");
    assert!(!ann.shows("spam"));
    // It can be had back.
    ann.press("Ctrl-Up");
    assert!(ann.shows("> spam"));
}

#[test]
fn an_unknown_command_is_an_error_and_never_a_message() {
    let mut ann = Person::new(0);
    ann.enters("/passwrod secret");
    assert_eq!(ann.posts(), []);
    assert!(ann.shows("there is no command /passwrod"));
    // And it is still there to be mended.
    assert!(ann.shows("/passwrod secret"));
    ann.press("Ctrl-U");
    ann.enters("//etc is a directory");
    assert_eq!(ann.posts()[0].1, "/etc is a directory");
    ann.enters("/me waves");
    assert!(ann.shows("ann waves …"));
}

#[test]
fn what_is_pasted_waits_for_enter_and_much_of_it_for_a_yes() {
    let mut ann = Person::new(0);
    ann.input(crate::tui::state::Input::Paste("one\r\ntwo\r\n".to_owned()));
    assert_eq!(ann.posts(), []);
    ann.press("Enter");
    assert_eq!(ann.posts()[0].1, "one\ntwo");
    ann.input(crate::tui::state::Input::Paste("x\n".repeat(30)));
    ann.press("Enter");
    assert_eq!(ann.posts(), []);
    assert!(ann.shows("send 30 lines"));
    ann.press("n");
    assert_eq!(ann.posts(), []);
    ann.press("Enter");
    ann.press("y");
    assert_eq!(ann.posts(), []);
    // The first one is still on its way.
    assert_eq!(ann.state.outbox.unsent(), 2);
}

#[test]
fn up_edits_the_last_message_and_a_failed_edit_is_not_lost() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "ann", "helo");
    ann.said("lobby", 2, "bob", "hi");
    ann.press("Up");
    assert!(ann.shows("edit> helo"));
    ann.press("Backspace");
    ann.enters("lo");
    let asked = ann.asked();
    let edit =
        asked.iter().find_map(|ask| if let Ask::Deed(deed @ Deed::Edit { .. }) = ask { Some(deed) } else { None });
    let edit = edit.expect("an edit").clone();
    assert!(matches!(&edit, Deed::Edit { target: Seq(1), text, .. } if text == "hello"), "{edit:?}");
    let trouble = Trouble { text: "the connection was lost".to_owned(), code: None };
    ann.answer(Answer::Done(edit, Err(trouble)));
    assert!(ann.shows("edit> hello"));
    // Esc leaves it as it was.
    ann.press("Esc");
    assert!(!ann.shows("edit>"));
}

#[test]
fn up_again_goes_on_to_what_was_typed_before() {
    let mut ann = Person::new(0);
    ann.enters("first");
    ann.enters("second");
    ann.said("lobby", 1, "ann", "first");
    ann.said("lobby", 2, "ann", "second");
    ann.press("Up");
    assert!(ann.shows("edit> second"));
    ann.press("Up");
    assert!(ann.shows("lobby> second"));
    ann.press("Up");
    assert!(ann.shows("lobby> first"));
    ann.press("Down");
    assert!(ann.shows("lobby> second"));
}

#[test]
fn up_goes_through_the_lines_of_a_message_before_it_leaves_it() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "ann", "one\ntwo");
    ann.press("Up");
    ann.press("Up");
    ann.types("X");
    assert!(ann.shows("edit> oneX"));
}

#[test]
fn each_room_keeps_its_own_draft() {
    let mut ann = Person::new(0);
    ann.types("for the lobby");
    ann.press("Ctrl-N");
    ann.press("Ctrl-N");
    ann.press("Ctrl-P");
    assert!(ann.shows("dev>") && !ann.shows("for the lobby"));
    ann.enters("for dev");
    let asked = ann.asked();
    assert!(asked.iter().any(|ask| matches!(ask, Ask::Post { draft, .. } if draft.room == "dev")), "{asked:?}");
    ann.press("Alt-l");
    assert!(ann.shows("lobby> for the lobby"));
}

#[test]
fn leaving_with_something_unsent_asks_first() {
    let mut ann = Person::new(0);
    ann.tell(lost(Some(30)));
    ann.enters("not yet sent");
    ann.enters("/quit");
    assert!(!ann.effects.contains(&Effect::Quit));
    assert!(ann.shows("a message is not sent yet; leave all the same? (y/n)"));
    ann.press("n");
    ann.press("Ctrl-Q");
    ann.press("y");
    assert!(ann.effects.contains(&Effect::Quit));
    assert_eq!(ann.state.unsent(), [("lobby".to_owned(), "not yet sent".to_owned())]);
}

#[test]
fn a_room_that_began_anew_forgets_what_was_and_one_that_goes_on_does_not() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "bob", "before");
    ann.tell(lost(Some(1)));
    ann.tell(Event::Connected { new_guest: false });
    let resumed = |reset, missed| {
        Event::Resumed(vec![RoomResumed {
            room: "lobby".to_owned(),
            was: None,
            reset,
            missed,
            epoch: Some("anew".to_owned()),
            head: Seq(1),
            refused: None,
        }])
    };
    ann.tell(resumed(false, 0));
    ann.said("lobby", 2, "bob", "behind");
    assert!(ann.shows("before") && ann.shows("behind"));
    ann.tell(resumed(true, 0));
    ann.page("lobby", &[(1, "bob", "another story")], false, 1);
    assert!(!ann.shows("before") && ann.shows("another story") && ann.shows("began anew"));
}

#[test]
fn a_connection_that_has_ended_can_be_asked_for_again() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "bob", "old");
    ann.tell(lost(None));
    assert!(ann.shows("offline: /reconnect"));
    ann.enters("typed meanwhile");
    ann.enters("/reconnect");
    assert!(ann.effects.contains(&Effect::Reconnect));
    ann.asked();
    ann.login(&json!([{"room": "lobby", "head": 5, "read": 1, "unread": 4}]));
    // It goes on where it was.
    let follows: Vec<_> = ann.asked().into_iter().filter(|ask| matches!(ask, Ask::Follow(_))).collect();
    let expected = vec![
        ("dev".to_owned(), Seq(0), Some("epoch of dev".to_owned())),
        ("lobby".to_owned(), Seq(1), Some("epoch of lobby".to_owned())),
    ];
    assert_eq!(follows, [Ask::Follow(expected)]);
}

#[test]
fn a_first_word_to_somebody_begins_a_conversation() {
    let mut ann = Person::new(0);
    ann.enters("/msg bob psst");
    let asked = ann.asked();
    assert!(asked.iter().any(|ask| matches!(ask, Ask::Join { room, .. } if room == "@bob")), "{asked:?}");
    let none = Trouble { text: "There is no such room.".to_owned(), code: Some(Code::NoSuchRoom) };
    ann.joins("@bob", Err(none));
    assert!(ann.shows("psst …"));
    let id = ann.state.outbox.all()[0].id;
    ann.stored(id, 1);
    // Now there is one, and it is followed from its beginning.
    let asked = ann.asked();
    let start = crate::client::Start::Since { seq: Seq(0), epoch: None };
    assert!(asked.contains(&Ask::Join { room: "@bob".to_owned(), start, from: None }), "{asked:?}");
    ann.joins("@bob", Ok(super::person::joined("@bob", 1)));
    ann.page("@bob", &[(1, "ann", "psst")], false, 1);
    ann.tell(Event::Message(message("@bob", 1, "ann", "psst")));
    assert_eq!(ann.screen().iter().filter(|row| row.contains("psst")).count(), 1);
}

#[test]
fn a_word_from_somebody_else_opens_the_conversation_and_rings() {
    let mut ann = Person::new(0);
    let invited = read(json!({"room": "@bob", "head": 3, "from": "bob"}));
    ann.tell(Event::Invited(invited));
    let asked = ann.asked();
    assert!(asked.contains(&Ask::Follow(vec![("@bob".to_owned(), Seq(2), None)])), "{asked:?}");
    ann.follow("@bob", 3);
    ann.said("@bob", 3, "bob", "are you there?");
    assert!(ann.effects.iter().any(|effect| matches!(effect, Effect::Ring { title, .. } if title == "snakk: bob")));
    assert_eq!(ann.state.connection, Connection::Online);
    assert!(ann.state.now >= Time(0));
    ann.press("Alt-a");
    assert_eq!(ann.state.current, ann.key_of("@bob"));
}

#[test]
fn a_room_with_something_unsent_is_not_left() {
    let mut ann = Person::new(0);
    ann.enters("on its way");
    let id = ann.posts()[0].0;
    ann.enters("/leave");
    assert!(ann.shows("not sent yet"));
    assert!(!ann.asked().iter().any(|ask| matches!(ask, Ask::Leave { .. })));
    ann.stored(id, 1);
    ann.said("lobby", 1, "ann", "on its way");
    ann.enters("/leave");
    assert!(ann.asked().iter().any(|ask| matches!(ask, Ask::Leave { .. })));
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let mut ann = Person::new(0);
    ann.enters("hello");
    let id = ann.posts()[0].0;
    ann.answer(Answer::Posted { id, posted: Err(Failure::Unknown { after_ms: None }) });
    assert_eq!(ann.posts(), []);
    ann.later(-3_600_000);
    ann.later(1);
    assert_eq!(ann.posts().len(), 1);
}

#[test]
fn what_waits_for_a_room_that_is_closed_is_given_back_and_wakes_nobody() {
    let mut ann = Person::new(0);
    ann.state.size = (150, 14);
    ann.enters("one");
    ann.enters("two");
    let one = ann.posts().remove(0);
    ann.tell(Event::Removed(read(json!({"room": "lobby", "seq": 3, "change": "kick"}))));
    ann.answer(Answer::Posted { id: one.0, posted: Err(Failure::Refused("You are no member.".to_owned())) });
    assert!(ann.shows("two") && ann.shows("not sent: you were put out"));
    let wake = ann.state.next_wake().expect("a next ping");
    assert!(wake > ann.now, "{wake:?}");
    // It is not waiting again before the room is open again.
    ann.enters("/retry");
    ann.enters("/reply three");
    assert_eq!(ann.posts(), []);
    assert!(ann.state.outbox.all().iter().all(|outgoing| matches!(outgoing.sending, Sending::Refused(_))));
    ann.enters("/discard");
    ann.enters("/leave");
    assert!(ann.asked().iter().any(|ask| matches!(ask, Ask::Leave { .. })));
}

#[test]
fn what_was_on_its_way_into_a_room_that_is_closed_is_given_back_too() {
    let mut ann = Person::new(0);
    ann.enters("on its way");
    let id = ann.posts()[0].0;
    ann.tell(Event::Removed(read(json!({"room": "lobby", "seq": 3, "change": "kick"}))));
    ann.answer(Answer::Posted { id, posted: Err(Failure::Unknown { after_ms: None }) });
    assert_eq!(ann.state.outbox.get(id).map(|outgoing| &outgoing.sending), Some(&Sending::Unsure));
}

#[test]
fn a_word_to_somebody_who_is_there_again_begins_a_new_conversation() {
    let mut ann = Person::new(0);
    ann.invited("@bob", 1);
    ann.follow("@bob", 1);
    ann.tell(Event::Removed(read(json!({"room": "@bob", "seq": 1, "change": "ended"}))));
    ann.asked();
    ann.enters("/msg bob still there?");
    assert_eq!(ann.posts().len(), 1);
}

#[test]
fn what_is_typed_while_a_room_is_being_left_is_not_lost() {
    let mut ann = Person::new(0);
    ann.state.size = (150, 14);
    ann.enters("/leave");
    ann.enters("wait");
    ann.types("and this");
    let key = ann.key_of("lobby");
    let id = ann.posts()[0].0;
    ann.answer(Answer::Left(key, Ok(())));
    ann.answer(Answer::Posted { id, posted: Err(Failure::Refused("You are no member.".to_owned())) });
    assert!(ann.shows("not sent: You are no member.") && ann.shows("> and this"));
    ann.press("Ctrl-U");
    ann.enters("/discard");
    ann.enters("/leave");
    ann.answer(Answer::Left(key, Err(Trouble { text: "no".to_owned(), code: Some(Code::NotAMember) })));
    assert!(ann.state.rooms.iter().all(|room| room.key != key));
}

#[test]
fn a_conversation_that_ends_while_its_first_word_waits_keeps_the_word() {
    let mut ann = Person::new(0);
    ann.invited("@bob", 1);
    ann.press("Alt-3");
    ann.enters("are you there?");
    assert_eq!(ann.posts(), []);
    let refused = read(json!({"room": "@bob", "error": "There is no such room.", "code": "no_such_room"}));
    ann.answer(Answer::Followed(vec!["@bob".to_owned()], Ok(vec![refused])));
    assert!(ann.shows("are you there?"));
    assert!(ann.state.next_wake().is_some_and(|wake| wake > ann.now));
}
