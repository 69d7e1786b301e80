//! Looking around: what is new, what is old, and where one is.

use serde_json::json;

use super::Person;
use super::person::{NOON, many, message, page, page_of, read, seq};
use crate::client::Event;
use crate::model::{Anchor, Seq};
use crate::protocol::Code;
use crate::tui::ask::{Answer, Ask, Trouble};
use crate::tui::state::room::Scroll;
use crate::tui::state::{Effect, Input};

/// A lobby with the messages 101 to 200, of 200, on a screen of 12 rows.
fn in_a_long_room() -> Person {
    let mut ann = Person::new(200);
    let page = page_of("lobby", &many(101, 200), true, 200);
    ann.answer(Answer::Page { key: ann.key_of("lobby"), anchor: Anchor::Newest, page: Ok(page) });
    ann.screen();
    ann.asked();
    ann
}

fn last_message(ann: &mut Person) -> String {
    let screen = ann.screen();
    let last = screen.iter().rev().find(|row| row.contains("message ")).expect("a message on the screen");
    last[last.find("message ").expect("a message")..].split("  ").next().unwrap_or_default().trim().to_owned()
}

#[test]
fn new_lines_never_move_a_view_into_the_past_and_say_how_many_they_are() {
    let mut ann = in_a_long_room();
    ann.press("PageUp");
    let before = last_message(&mut ann);
    assert_ne!(before, "message 200");
    ann.said("lobby", 201, "bob", "something new");
    ann.said("lobby", 202, "bob", "something newer");
    assert_eq!(last_message(&mut ann), before);
    assert!(ann.shows("2 new below"));
    ann.press("Esc");
    assert!(ann.shows("something newer") && !ann.shows("below"));
}

#[test]
fn older_messages_are_fetched_at_the_top_and_the_place_stays() {
    let mut ann = in_a_long_room();
    ann.press("Ctrl-Home");
    let before = last_message(&mut ann);
    let asked = ann.asked();
    let older = asked.iter().find(|ask| matches!(ask, Ask::History { anchor: Anchor::Before(Seq(101)), .. }));
    assert!(older.is_some(), "{asked:?}");
    // Asked once, however often it is drawn.
    ann.screen();
    assert!(!ann.asked().iter().any(|ask| matches!(ask, Ask::History { .. })));
    let page = page_of("lobby", &many(1, 100), false, 200);
    ann.answer(Answer::Page { key: ann.key_of("lobby"), anchor: Anchor::Before(seq(101)), page: Ok(page) });
    assert_eq!(last_message(&mut ann), before);
    for _ in 0..20 {
        ann.press("PageUp");
    }
    assert!(ann.shows("message 1") && ann.shows("the beginning"));
    assert!(!ann.asked().iter().any(|ask| matches!(ask, Ask::History { .. })));
}

#[test]
fn a_resize_keeps_the_place() {
    let mut ann = in_a_long_room();
    for _ in 0..5 {
        ann.press("PageUp");
    }
    let before = last_message(&mut ann);
    for (width, height) in [(30, 8), (20, 5), (300, 100), (80, 12), (60, 24), (80, 12)] {
        ann.input(Input::Resize(width, height));
        assert_eq!(last_message(&mut ann), before, "{width}x{height}");
    }
}

#[test]
fn read_marks_follow_what_was_on_the_screen() {
    let mut ann = in_a_long_room();
    let reads = |ann: &mut Person| -> Vec<u64> {
        ann.later(1000);
        let asked = ann.asked();
        asked.iter().filter_map(|ask| if let Ask::Read { seq, .. } = ask { Some(seq.0) } else { None }).collect()
    };
    ann.said("lobby", 201, "bob", "seen");
    ann.screen();
    assert_eq!(reads(&mut ann), [201]);
    // Not what is below the edge, nor what comes while one looks elsewhere.
    ann.press("PageUp");
    ann.said("lobby", 202, "bob", "below");
    ann.screen();
    assert_eq!(reads(&mut ann), [0; 0]);
    ann.press("Esc");
    ann.input(Input::Focus(false));
    ann.said("lobby", 203, "bob", "unseen");
    ann.screen();
    assert_eq!(reads(&mut ann), [0; 0]);
    ann.input(Input::Focus(true));
    ann.screen();
    assert_eq!(reads(&mut ann), [203]);
}

#[test]
fn what_came_meanwhile_is_set_off_by_a_line() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "bob", "old");
    ann.screen();
    ann.input(Input::Focus(false));
    ann.said("lobby", 2, "bob", "new one");
    ann.said("lobby", 3, "bob", "new two");
    ann.input(Input::Focus(true));
    let screen = ann.screen();
    let place = |words: &str| screen.iter().position(|row| row.contains(words)).expect("on the screen");
    assert_eq!(place("─ new ─"), place("old") + 1);
    assert_eq!(place("new one"), place("─ new ─") + 1);
    // Whoever answers has read.
    ann.enters("thanks");
    assert!(!ann.shows("─ new ─"));
}

#[test]
fn rooms_say_what_is_new_in_them_and_alt_a_goes_to_mentions_first() {
    let mut ann = Person::new(0);
    ann.login(&json!([{"room": "aaa", "head": 0}]));
    ann.follow("aaa", 0);
    ann.said("aaa", 1, "bob", "chatter");
    ann.said("dev", 1, "bob", "hey @ann");
    ann.said("dev", 2, "bob", "look");
    let screen = ann.screen();
    assert!(screen.iter().any(|row| row.starts_with("2 dev") && row.contains("!1")), "{screen:#?}");
    assert!(screen.iter().any(|row| row.starts_with("1 aaa") && row.contains(" 1│")), "{screen:#?}");
    ann.press("Alt-a");
    assert_eq!(ann.state.current, ann.key_of("dev"));
    ann.screen();
    ann.press("Alt-a");
    assert_eq!(ann.state.current, ann.key_of("aaa"));
    ann.screen();
    ann.press("Alt-a");
    assert!(ann.shows("nothing is new anywhere"));
    ann.press("Alt-3");
    assert_eq!(ann.state.current, ann.key_of("lobby"));
}

#[test]
fn mentions_ring_only_for_somebody_who_looks_elsewhere() {
    let mut ann = Person::new(0);
    let rings = |ann: &mut Person| {
        let effects = std::mem::take(&mut ann.effects);
        ann.later(2000);
        effects.iter().filter(|effect| matches!(effect, Effect::Ring { .. })).count()
    };
    ann.screen();
    ann.said("lobby", 1, "bob", "@ann look");
    assert_eq!(rings(&mut ann), 0);
    ann.said("dev", 1, "bob", "@ann look");
    assert_eq!(rings(&mut ann), 1);
    ann.said("dev", 2, "bob", "no name");
    assert_eq!(rings(&mut ann), 0);
    ann.input(Input::Focus(false));
    ann.said("lobby", 2, "bob", "@ann look");
    ann.said("lobby", 3, "bob", "@ann look again");
    // No more than once in a while.
    assert_eq!(rings(&mut ann), 1);
    ann.said("lobby", 4, "ann", "myself @ann");
    assert_eq!(rings(&mut ann), 0);
}

#[test]
fn the_switcher_goes_to_a_room_by_a_few_letters() {
    let mut ann = Person::new(0);
    ann.press("Ctrl-K");
    ann.types("lby");
    assert!(ann.shows("> lby"));
    ann.press("Enter");
    assert_eq!(ann.state.current, ann.key_of("lobby"));
    // Without any letters it goes to where one was before.
    ann.press("Alt-1");
    assert_eq!(ann.state.current, ann.key_of("dev"));
    ann.press("Ctrl-K");
    ann.press("Enter");
    assert_eq!(ann.state.current, ann.key_of("lobby"));
}

#[test]
fn a_search_leads_to_the_place_and_back() {
    let mut ann = in_a_long_room();
    ann.enters("/search needle");
    let asked = ann.asked();
    assert!(asked.iter().any(|ask| matches!(ask, Ask::Search { query, .. } if query == "needle")), "{asked:?}");
    let found = read(json!({"more": false, "messages": [
        {"room": "lobby", "seq": 7, "from": "bob", "time": NOON.to_string(), "text": "a needle", "snippet": "a needle"},
    ]}));
    ann.answer(Answer::Found { query: "needle".to_owned(), first: true, found: Ok(found) });
    assert!(ann.shows("bob: a needle"));
    ann.press("Enter");
    let asked = ann.asked();
    assert!(asked.iter().any(|ask| matches!(ask, Ask::History { anchor: Anchor::Around(Seq(7)), .. })), "{asked:?}");
    let around = page_of("lobby", &many(1, 30), true, 200);
    ann.answer(Answer::Page { key: ann.key_of("lobby"), anchor: Anchor::Around(seq(7)), page: Ok(around) });
    assert!(ann.shows("message 7") && ann.shows("further back in time"));
    // Going down fetches what follows, until it meets the end.
    for _ in 0..10 {
        ann.press("PageDown");
    }
    let asked = ann.asked();
    assert!(asked.iter().any(|ask| matches!(ask, Ask::History { anchor: Anchor::After(Seq(30)), .. })), "{asked:?}");
    let after = page_of("lobby", &many(31, 130), true, 200);
    ann.answer(Answer::Page { key: ann.key_of("lobby"), anchor: Anchor::After(seq(30)), page: Ok(after) });
    for _ in 0..40 {
        ann.press("PageDown");
    }
    assert_eq!(last_message(&mut ann), "message 200");
    let all: Vec<u64> = ann.state.room().live.log.messages().map(|message| message.seq.0).collect();
    assert_eq!(all, (1..=200).collect::<Vec<u64>>());
    assert_eq!(ann.state.room().scroll, Scroll::Bottom);
}

#[test]
fn replies_reactions_edits_and_deletions_are_seen_where_they_belong() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "bob", "cake?");
    let mut reply = message("lobby", 2, "eve", "yes");
    reply.reply_to = Some(seq(1));
    ann.tell(Event::Message(reply));
    ann.tell(Event::React(read(
        json!({"room": "lobby", "seq": 3, "from": "eve", "time": NOON.to_string(), "target": 1, "emoji": "🎂"}),
    )));
    ann.tell(Event::Edit(read(
        json!({"room": "lobby", "seq": 4, "from": "bob", "time": NOON.to_string(), "target": 1, "text": "cake today?"}),
    )));
    ann.said("lobby", 5, "bob", "spoiler");
    ann.tell(Event::Delete(read(
        json!({"room": "lobby", "seq": 6, "from": "bob", "time": NOON.to_string(), "target": 5}),
    )));
    assert!(ann.shows("cake today? (edited)"));
    assert!(ann.shows("↳ bob: cake today?"));
    assert!(ann.shows("🎂 1"));
    assert!(ann.shows("(deleted)") && !ann.shows("spoiler"));
}

#[test]
fn a_selected_message_is_answered_and_reacted_to() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "bob", "one");
    ann.said("lobby", 2, "bob", "two");
    ann.press("Alt-Up");
    ann.press("Up");
    ann.press("r");
    assert!(ann.shows("reply bob>"));
    ann.enters("an answer");
    let asked = ann.asked();
    assert!(
        asked.iter().any(|ask| matches!(ask, Ask::Post { draft, .. } if draft.reply_to == Some(seq(1)))),
        "{asked:?}"
    );
    ann.press("Alt-Up");
    ann.press("+");
    ann.types("tada");
    ann.press("Tab");
    ann.press("Enter");
    let asked = format!("{:?}", ann.asked());
    assert!(asked.contains("React") && asked.contains("🎉") && asked.contains("Seq(2)"), "{asked}");
}

#[test]
fn names_are_completed_by_who_spoke_last() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "bob", "x");
    ann.said("lobby", 2, "bert", "x");
    ann.types("b");
    ann.press("Tab");
    assert!(ann.shows("lobby> @bert:"));
    ann.press("Tab");
    assert!(ann.shows("lobby> @bob:"));
    ann.press("Ctrl-U");
    ann.types("/qu");
    ann.press("Tab");
    assert!(ann.shows("lobby> /quit"));
}

#[test]
fn the_help_lists_keys_and_commands() {
    let mut ann = Person::new(0);
    ann.state.size = (100, 120);
    ann.press("F1");
    let screen = ann.screen().join("\n");
    for words in ["Ctrl-K", "Alt-a", "/search WORDS", "/quit", "selected"] {
        assert!(screen.contains(words), "{words} is not in the help");
    }
    ann.press("Esc");
    assert!(!ann.shows("/search WORDS"));
}

#[test]
fn a_room_that_is_closed_says_so_and_takes_no_message() {
    let mut ann = Person::new(0);
    ann.state.size = (150, 12);
    ann.tell(Event::Removed(read(json!({"room": "lobby", "seq": 3, "change": "kick", "reason": "too loud"}))));
    assert!(ann.shows("you were put out: too loud"));
    ann.enters("but why");
    assert_eq!(ann.posts(), []);
    // The line is still there.
    assert!(ann.shows("> but why"));
}

#[test]
fn read_elsewhere_is_read_here() {
    let mut ann = Person::new(0);
    ann.said("dev", 1, "bob", "hello");
    assert!(ann.screen().iter().any(|row| row.starts_with("1 dev") && row.contains(" 1│")));
    ann.tell(Event::Read(read(json!({"room": "dev", "read": 1, "unread": 0, "mentions": 0}))));
    assert!(!ann.screen().iter().any(|row| row.starts_with("1 dev") && row.contains(" 1│")));
}

#[test]
fn a_page_that_overlaps_with_what_came_shows_each_message_once() {
    let mut ann = Person::new(2);
    ann.said("lobby", 3, "bob", "three");
    let newest = page("lobby", &[(1, "bob", "one"), (2, "bob", "two"), (3, "bob", "three")], false, 3);
    ann.answer(Answer::Page { key: ann.key_of("lobby"), anchor: Anchor::Newest, page: Ok(newest) });
    let screen = ann.screen();
    for words in ["one", "two", "three"] {
        assert_eq!(screen.iter().filter(|row| row.ends_with(&format!("│ {words}"))).count(), 1, "{screen:#?}");
    }
}

#[test]
fn a_server_that_owes_an_answer_is_seen_to_be_slow() {
    let mut ann = Person::new(0);
    assert!(ann.asked().contains(&Ask::Ping));
    ann.later(500);
    assert!(ann.shows("lag 0.5s"));
    ann.later(6500);
    assert!(ann.shows("lag 7.0s"));
    ann.answer(Answer::Lag(Some(std::time::Duration::from_millis(20))));
    assert!(!ann.shows("lag"));
    ann.later(20_000);
    assert!(ann.asked().contains(&Ask::Ping));
}

#[test]
fn what_comes_before_the_answer_to_a_join_is_there_behind_it() {
    let mut ann = Person::new(0);
    ann.enters("/join den");
    ann.said("den", 8, "bob", "just now");
    let topic = json!({"room": "den", "seq": 9, "from": "bob", "time": NOON.to_string(), "topic": "secrets"});
    ann.tell(Event::Topic(read(topic)));
    ann.joins("den", Ok(super::person::joined("den", 7)));
    assert!(ann.shows("just now") && ann.shows(" den secrets"));
    assert_eq!(ann.state.room().head, Seq(9));
}

#[test]
fn a_look_far_back_marks_nothing_as_read_that_lies_between() {
    let mut ann = Person::new(0);
    ann.login(&json!([{"room": "attic", "head": 200, "read": 50, "unread": 150}]));
    ann.follow("attic", 200);
    ann.press("Alt-1");
    let key = ann.key_of("attic");
    let around = page_of("attic", &many(100, 130), true, 200);
    ann.answer(Answer::Page { key, anchor: Anchor::Around(seq(110)), page: Ok(around) });
    assert!(ann.shows("message 110"));
    ann.later(1000);
    let reads = ann.asked().into_iter().filter(|ask| matches!(ask, Ask::Read { .. })).count();
    assert_eq!((reads, ann.state.room().read), (0, Seq(50)));
}

#[test]
fn a_room_that_is_named_in_another_case_is_the_same_room() {
    let mut ann = Person::new(0);
    ann.enters("/msg BOB psst");
    ann.joins("@BOB", Ok(super::person::joined("@bob", 0)));
    let names = |ann: &Person| ann.state.rooms.iter().map(|room| room.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&ann), ["dev", "lobby", "@bob"]);
    assert_eq!(ann.posts()[0].1, "psst");
    ann.said("@bob", 1, "bob", "heard you");
    assert!(ann.shows("heard you"));
    // The same where it is on the screen already, with what was typed there.
    ann.press("Alt-1");
    ann.enters("/msg Bob again");
    ann.types("a draft");
    ann.joins("@Bob", Ok(super::person::joined("@bob", 1)));
    assert_eq!(names(&ann), ["dev", "lobby", "@bob"]);
    assert!(ann.shows("again …") && ann.shows("> a draft"));
}

#[test]
fn a_renamed_room_goes_on_under_whichever_name_it_is_told() {
    for told_as in ["dev", "tools"] {
        let mut ann = Person::new(0);
        ann.press("Alt-1");
        let change =
            json!({"room": told_as, "seq": 1, "from": "bob", "time": NOON.to_string(), "was": "dev", "name": "tools"});
        ann.tell(Event::Room(read(change)));
        ann.said("tools", 2, "bob", "still here");
        assert!(ann.shows("tools>") && ann.shows("still here") && ann.shows("its name is tools"), "{told_as}");
    }
    // By its epoch alone, where it was renamed while nobody was connected.
    let mut ann = Person::new(0);
    let mut answer = super::person::joined("tools", 0);
    answer.epoch = "epoch of dev".to_owned();
    ann.answer(Answer::Followed(Vec::new(), Ok(vec![crate::client::ResumedRoom::Followed(answer)])));
    ann.said("tools", 1, "bob", "still here");
    ann.press("Alt-2");
    assert!(ann.shows("still here"));
}

#[test]
fn what_only_this_screen_was_told_marks_nothing_as_read() {
    let mut ann = Person::new(2);
    ann.login(&json!([{"room": "lobby", "head": 9, "read": 2, "unread": 7}]));
    ann.follow("lobby", 9);
    ann.tell(Event::Notice { text: "tea is ready".to_owned() });
    assert!(ann.shows("tea is ready"));
    assert_eq!((ann.state.room().read, ann.state.room().unread), (Seq(2), 7));
}

#[test]
fn pages_of_somebody_who_is_blocked_are_passed_over() {
    let mut ann = in_a_long_room();
    ann.press("Ctrl-Home");
    ann.screen();
    let key = ann.key_of("lobby");
    let befores = |ann: &mut Person| -> Vec<u64> {
        ann.screen();
        let asked = ann.asked().into_iter();
        asked
            .filter_map(
                |ask| if let Ask::History { anchor: Anchor::Before(seq), .. } = ask { Some(seq.0) } else { None },
            )
            .collect()
    };
    assert_eq!(befores(&mut ann), [101]);
    // The client hides what they said, and tells where the page was.
    let mut hidden = page_of("lobby", &[], true, 200);
    (hidden.oldest, hidden.newest, hidden.count) = (Some(seq(41)), Some(seq(100)), 60);
    ann.answer(Answer::Page { key, anchor: Anchor::Before(seq(101)), page: Ok(hidden.clone()) });
    assert_eq!(befores(&mut ann), [41]);
    // And whoever tells the same again is not asked for ever.
    ann.answer(Answer::Page { key, anchor: Anchor::Before(seq(41)), page: Ok(hidden) });
    assert_eq!(befores(&mut ann), [0; 0]);
}

#[test]
fn a_late_answer_moves_nobody_who_types_or_has_gone_elsewhere() {
    let mut ann = Person::new(0);
    ann.enters("/join den");
    ann.types("a word for the lob");
    ann.joins("den", Ok(super::person::joined("den", 0)));
    assert!(ann.shows("you are in den now"));
    ann.enters("by");
    let posts = ann.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!(ann.state.outbox.get(posts[0].0).map(|outgoing| outgoing.room), Some(ann.key_of("lobby")));
    // Gone elsewhere, and back with the next one.
    ann.enters("/join cave");
    ann.press("Alt-1");
    assert_eq!(ann.state.current, ann.key_of("den"));
    ann.joins("cave", Ok(super::person::joined("cave", 0)));
    assert_eq!(ann.state.current, ann.key_of("den"));
    ann.enters("/join attic");
    ann.joins("attic", Ok(super::person::joined("attic", 0)));
    assert_eq!(ann.state.current, ann.key_of("attic"));
    ann.enters("/create nook");
    let asked = ann.asked();
    let create = asked.into_iter().find_map(|ask| if let Ask::Deed(deed) = ask { Some(deed) } else { None });
    ann.press("Alt-2");
    ann.answer(Answer::Done(create.expect("a room to be made"), Ok(())));
    ann.joins("nook", Ok(super::person::joined("nook", 0)));
    assert_eq!(ann.state.current, ann.key_of("cave"));
}

#[test]
fn a_conversation_that_does_not_exist_yet_takes_no_focus_either() {
    let mut ann = Person::new(0);
    ann.enters("/join @bob");
    ann.types("for all");
    let none = Trouble { text: "There is no such room.".to_owned(), code: Some(Code::NoSuchRoom) };
    ann.joins("@bob", Err(none));
    assert_eq!(ann.state.current, ann.key_of("lobby"));
    assert!(ann.shows("you are in @bob now"));
}

#[test]
fn a_place_far_back_is_not_gone_to_from_elsewhere() {
    let mut ann = in_a_long_room();
    let key = ann.key_of("lobby");
    ann.press("Alt-1");
    assert_eq!(ann.state.current, ann.key_of("dev"));
    let around = page_of("lobby", &many(1, 30), true, 200);
    ann.answer(Answer::Page { key, anchor: Anchor::Around(seq(7)), page: Ok(around) });
    assert_eq!(ann.state.current, ann.key_of("dev"));
    ann.press("Alt-2");
    assert!(ann.shows("message 200"));
}

#[test]
fn a_yes_sends_only_what_was_asked_about() {
    let mut ann = Person::new(0);
    ann.press("Alt-1");
    ann.input(Input::Paste("a draft\n".repeat(9)));
    ann.press("Alt-2");
    ann.enters("/leave");
    let key = ann.key_of("lobby");
    ann.input(Input::Paste("for the lobby\n".repeat(9)));
    ann.press("Enter");
    assert!(ann.shows("to lobby?"));
    // The room is taken away under the question.
    ann.state.rooms.retain(|room| room.key != key);
    ann.state.go(ann.key_of("dev"));
    ann.asked();
    ann.press("y");
    assert_eq!(ann.posts(), []);
    assert!(ann.shows("nothing is sent"));
}

#[test]
fn a_read_mark_that_did_not_arrive_is_told_again() {
    let mut ann = Person::new(0);
    let marks = |ann: &mut Person, ms| -> Vec<u64> {
        ann.later(ms);
        let asked = ann.asked();
        asked.iter().filter_map(|ask| if let Ask::Read { seq, .. } = ask { Some(seq.0) } else { None }).collect()
    };
    let key = ann.key_of("lobby");
    let fails = |ann: &mut Person, number, code| {
        let trouble = Trouble { text: "no".to_owned(), code };
        ann.answer(Answer::Read { key, seq: seq(number), mark: Err(trouble) });
    };
    ann.said("lobby", 1, "bob", "seen");
    ann.screen();
    assert_eq!(marks(&mut ann, 1000), [1]);
    fails(&mut ann, 1, None);
    // Not at once.
    assert_eq!(marks(&mut ann, 1000), [0; 0]);
    assert_eq!(marks(&mut ann, 3000), [1]);
    // By the next time more was read.
    ann.said("lobby", 2, "bob", "seen, too");
    ann.screen();
    fails(&mut ann, 1, Some(Code::RateLimited));
    assert_eq!(marks(&mut ann, 3000), [2]);
    ann.said("lobby", 3, "bob", "and this");
    ann.screen();
    assert_eq!(marks(&mut ann, 3000), [3]);
    // What cannot be is not tried for ever.
    fails(&mut ann, 3, Some(Code::NotAMember));
    assert_eq!(marks(&mut ann, 9000), [0; 0]);
}

#[test]
fn the_end_is_reached_after_more_has_come_than_is_kept() {
    let mut ann = Person::new(0);
    for seq in 1..=3900 {
        ann.said("lobby", seq, "bob", &format!("message {seq}"));
    }
    ann.screen();
    ann.press("PageUp");
    // A little above the end: what is kept of it reaches from there to the end.
    for seq in 3901..=4100 {
        ann.said("lobby", seq, "bob", &format!("message {seq}"));
    }
    ann.screen();
    for _ in 0..40 {
        ann.press("PageDown");
    }
    assert_eq!(last_message(&mut ann), "message 4100");
    assert!(ann.state.room().at_end());
    ann.said("lobby", 4101, "bob", "message 4101");
    assert_eq!(last_message(&mut ann), "message 4101");
}

#[test]
fn a_stretch_that_has_come_to_the_end_goes_over_into_it() {
    let mut ann = in_a_long_room();
    ann.press("PageUp");
    let (newest, key) = (ann.state.room().live.clone(), ann.key_of("lobby"));
    let room = ann.state.rooms.iter_mut().find(|room| room.key == key).expect("the lobby");
    room.back = Some(newest);
    for _ in 0..40 {
        ann.press("PageDown");
    }
    assert!(ann.state.room().at_end());
}

#[test]
fn what_is_typed_in_no_room_goes_along_into_the_next_one() {
    let mut ann = Person::new(0);
    for room in ["dev", "lobby"] {
        ann.answer(Answer::Left(ann.key_of(room), Ok(())));
    }
    ann.enters("/join den");
    ann.types("hello den");
    ann.joins("den", Ok(super::person::joined("den", 0)));
    assert!(ann.shows("den> hello den"));
}
