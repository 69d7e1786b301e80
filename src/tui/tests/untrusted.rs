//! A server that means harm: nothing that it says gets onto the screen as anything but text, and nothing makes the screen
//! hang or grow without end.

use serde_json::json;

use super::Person;
use super::person::{NOON, joined, message, read};
use crate::client::{Event, Json, RoomResumed};
use crate::model::{Anchor, Seq};
use crate::tui::ask::{Answer, Ask, Trouble};
use crate::tui::state::room::Standing;
use crate::tui::state::{Effect, Input};

const EVIL: &str = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}evil\u{2066}\u{8}\r\u{0}\u{feff}\u{e0041}x";

fn is_harmless(screen: &[String]) -> bool {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    !screen.iter().any(|row| row.contains(steers))
}

#[test]
fn no_control_character_gets_onto_the_screen_from_anywhere() {
    let mut ann = Person::new(0);
    ann.state.size = (120, 30);
    ann.said("lobby", 1, EVIL, EVIL);
    let mut reply = message("lobby", 2, EVIL, EVIL);
    reply.reply_to = Some(Seq(1));
    reply.action = true;
    ann.tell(Event::Message(reply));
    let entry = |keys: serde_json::Value, seq: u64| {
        let mut whole = json!({"room": "lobby", "seq": seq, "from": EVIL, "time": NOON.to_string()});
        whole.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
        whole
    };
    ann.tell(Event::React(read(entry(json!({"target": 1, "emoji": EVIL}), 3))));
    ann.tell(Event::Topic(read(entry(json!({"topic": EVIL}), 4))));
    ann.tell(Event::Member(read(entry(json!({"user": EVIL, "change": EVIL, "reason": EVIL}), 5))));
    ann.tell(Event::Room(read(entry(json!({"kind": EVIL, "history": EVIL}), 6))));
    ann.tell(Event::Notice { text: EVIL.to_owned() });
    ann.tell(Event::Typing { room: "lobby".to_owned(), user: EVIL.to_owned() });
    ann.tell(Event::Invited(read(json!({"room": EVIL, "from": EVIL, "head": 1}))));
    ann.tell(Event::Invited(read(json!({"room": format!("@{EVIL}"), "head": 1}))));
    ann.names("lobby", &json!([{"name": EVIL, "role": EVIL, "online": true, "text": EVIL}]));
    assert!(is_harmless(&ann.screen()));
    ann.tell(Event::Removed(read(json!({"room": "lobby", "change": EVIL, "reason": EVIL}))));
    assert!(is_harmless(&ann.screen()));
    ann.tell(Event::Disconnected { reason: EVIL.to_owned(), retry_in: None });
    assert!(is_harmless(&ann.screen()));
    let found =
        read(json!({"messages": [{"room": EVIL, "seq": 1, "from": EVIL, "time": NOON.to_string(), "text": EVIL}]}));
    ann.answer(Answer::Found { query: EVIL.to_owned(), first: true, found: Ok(found) });
    assert!(is_harmless(&ann.screen()));
    let rooms = read(json!({"rooms": [{"room": EVIL, "topic": EVIL}]}));
    ann.answer(Answer::Rooms(Ok(rooms)));
    assert!(is_harmless(&ann.screen()));
}

#[test]
fn a_message_cannot_forge_another_line() {
    let mut ann = Person::new(0);
    for width in [20, 40, 80] {
        ann.state.size = (width, 12);
        ann.said("lobby", u64::from(width), "eve", "hi\n12:00 bob: I quit\nbob: really");
        let screen = ann.screen();
        let forged: Vec<&String> =
            screen.iter().filter(|row| row.contains("I quit") || row.contains("really")).collect();
        assert!(
            !forged.is_empty()
                && forged.iter().all(|row| row.starts_with([' ', '1', '2']) && !row.starts_with("12:00 bob")),
            "{screen:#?}"
        );
    }
}

#[test]
fn a_flood_of_whatever_a_server_can_say_stays_within_bounds() {
    let mut ann = Person::new(0);
    let long = "x".repeat(16_384);
    for number in 1..20_000_u64 {
        ann.said("lobby", number, "eve", if number % 20 == 0 { &long } else { "short" });
        if number % 4 == 0 {
            ann.tell(Event::Typing { room: "lobby".to_owned(), user: format!("user {number}") });
            ann.tell(Event::Invited(read(json!({"room": format!("@user{number}"), "head": 1}))));
            ann.tell(Event::Notice { text: long.clone() });
        }
    }
    let bytes: usize = ann.state.rooms.iter().map(crate::tui::state::room::Room::bytes).sum();
    assert!(bytes <= 100 << 20, "{bytes} bytes");
    assert!(ann.state.rooms.len() <= 1000);
    ann.screen();
}

#[test]
fn words_of_a_megabyte_are_not_kept_and_not_looked_at_whole() {
    let mut ann = Person::new(0);
    let huge = "@ann words ".repeat(80_000);
    for number in 1..300_u64 {
        ann.said("lobby", number, &huge, &huge);
        ann.tell(Event::Typing { room: "lobby".to_owned(), user: huge.clone() });
        ann.tell(Event::Invited(read(json!({"room": format!("@{huge}"), "from": huge, "head": 1}))));
        if number % 50 == 0 {
            ann.screen();
        }
    }
    let names: Vec<serde_json::Value> = (0..100).map(|_| json!({"name": huge, "role": huge, "online": true})).collect();
    ann.names("lobby", &json!(names));
    let topic = json!({"room": "lobby", "seq": 300, "from": huge, "time": NOON.to_string(), "topic": huge});
    ann.tell(Event::Topic(read(topic)));
    ann.screen();
    let bytes: usize = ann.state.rooms.iter().map(crate::tui::state::room::Room::bytes).sum();
    assert!(bytes <= 80 << 20, "{bytes} bytes");
    assert!(ann.state.rooms.len() <= 3 && ann.state.room().topic.len() <= 2000);
}

#[test]
fn reactions_without_end_are_counted_and_not_kept() {
    let mut ann = Person::new(0);
    ann.said("lobby", 1, "bob", "react!");
    for number in 2..5000_u64 {
        let emoji = format!("e{}", number % 700);
        ann.tell(Event::React(read(json!({"room": "lobby", "seq": number, "from": format!("u{number}"),
            "time": NOON.to_string(), "target": 1, "emoji": emoji}))));
    }
    let log = &ann.state.room().live.log;
    let reactions = &log.get(Seq(1)).expect("a message").reactions;
    assert!(reactions.len() <= 100 && reactions.iter().all(|reaction| reaction.users.len() <= 100));
    ann.screen();
}

#[test]
fn answers_that_make_no_sense_change_nothing() {
    let mut ann = Person::new(10);
    let key = ann.key_of("lobby");
    for anchor in [Anchor::Before(Seq(7)), Anchor::After(Seq(u64::MAX)), Anchor::Around(Seq(0))] {
        let page = super::person::page("elsewhere", &[(u64::MAX, "eve", "x"), (3, "eve", "y")], true, 0);
        ann.answer(Answer::Page { key, anchor, page: Ok(page) });
        ann.screen();
        for name in ["PageUp", "PageDown", "Ctrl-Home", "Alt-Up", "Down", "Alt-u", "Esc", "Esc"] {
            ann.press(name);
            ann.screen();
        }
    }
    ann.stored(99, 5);
    ann.input(Input::Resize(0, 0));
    ann.screen();
    ann.input(Input::Resize(1, 1));
    ann.screen();
    assert!(!ann.effects.contains(&Effect::Quit));
}

#[test]
fn evil_clusters_take_no_time_and_no_room() {
    let mut ann = Person::new(0);
    let marks = format!("a{}b", "\u{301}".repeat(4000));
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(500);
    let wide = "漢".repeat(4000);
    let hebrew = "שלום (abc) ".repeat(1000);
    for (number, text) in
        (1..).zip([marks.as_str(), &family, &wide, &hebrew, "\u{301}\u{301}", &"\u{200b}".repeat(5000)])
    {
        ann.said("lobby", number, "eve", text);
    }
    for width in [0, 1, 2, 3, 20, 79, 300] {
        ann.input(Input::Resize(width, 24));
        ann.screen();
        ann.press("PageUp");
        assert!(is_harmless(&ann.screen()));
        ann.press("Esc");
    }
}

#[test]
fn sentences_of_a_megabyte_are_cut_wherever_they_are_kept() {
    let mut ann = Person::new(0);
    let huge = "no ".repeat(300_000);
    let kept = |ann: &Person, name: &str| match &ann.room(name).standing {
        Standing::Closed(why) => why.len() + ann.room(name).live.bytes(),
        other => panic!("{name} is {other:?}"),
    };
    ann.enters("to be given back");
    ann.tell(Event::Notice { text: huge.clone() });
    ann.tell(Event::Removed(read(json!({"room": "lobby", "seq": 1, "change": "kick", "reason": huge}))));
    assert!(kept(&ann, "lobby") < 20_000);
    let refused = Some(huge.clone());
    let dev =
        RoomResumed { room: "dev".to_owned(), was: None, reset: false, missed: 0, epoch: None, head: Seq(0), refused };
    ann.tell(Event::Resumed(vec![dev]));
    assert!(kept(&ann, "dev") < 20_000);
    ann.login(&json!([{"room": "attic", "head": 0}]));
    let refused = read(json!({"room": "attic", "error": huge, "code": "banned"}));
    ann.answer(Answer::Followed(vec!["attic".to_owned()], Ok(vec![refused])));
    assert!(kept(&ann, "attic") < 20_000);
    assert!(ann.state.outbox.all().iter().all(|outgoing| format!("{:?}", outgoing.sending).len() < 20_000));
}

#[test]
fn what_comes_before_the_answer_to_a_join_has_a_bound_in_bytes_too() {
    let mut ann = Person::new(0);
    let huge = "x".repeat(300_000);
    for number in 1..=100 {
        let mut message = message("den", number, "eve", "long");
        message.json = Json::new(&huge);
        ann.tell(Event::Message(message));
    }
    ann.joins("den", Ok(joined("den", 0)));
    // A line and what is taken out of it count.
    assert_eq!(ann.room("den").head, Seq(1));
}

#[test]
fn names_are_asked_for_once_at_a_time() {
    let mut ann = Person::new(0);
    let asked = |ann: &mut Person| {
        let asked = ann.asked();
        asked.iter().filter(|ask| matches!(ask, Ask::Names { .. })).count()
    };
    ann.later(5000);
    assert_eq!(asked(&mut ann), 1);
    for number in 0..20 {
        let stranger = json!({"user": format!("u{number}"), "online": true, "status": "online"});
        ann.tell(Event::Presence(read(stranger)));
        ann.later(5000);
    }
    assert_eq!(asked(&mut ann), 0);
    assert!(ann.state.next_wake().is_some_and(|wake| wake > ann.now));
    // Somebody came after the question was asked: it is asked once more.
    ann.names("lobby", &json!([{"name": "ann", "online": true}]));
    ann.later(5000);
    assert_eq!(asked(&mut ann), 1);
    let key = ann.key_of("lobby");
    let trouble = Trouble { text: "no".to_owned(), code: None };
    ann.answer(Answer::Names(key, Err(trouble)));
    ann.later(5000);
    assert_eq!(asked(&mut ann), 0);
    ann.tell(Event::Presence(read(json!({"user": "zoe", "online": true, "status": "online"}))));
    ann.later(5000);
    assert_eq!(asked(&mut ann), 1);
}
