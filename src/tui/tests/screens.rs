//! The screen as it is drawn, as text.

use serde_json::json;

use super::Person;
use super::person::{NOON, message, read, seq};
use crate::client::Event;
use crate::tui::state::Input;

/// A lobby in which all sorts of things have happened.
fn lively() -> Person {
    let mut ann = Person::new(0);
    ann.page("lobby", &[], false, 0);
    ann.names(
        "lobby",
        &json!([
            {"name": "ann", "role": "member", "online": true, "status": "online"},
            {"name": "bob", "role": "owner", "online": true, "status": "away"},
            {"name": "carl", "role": "moderator", "online": false, "status": "offline"},
        ]),
    );
    ann.said("lobby", 1, "bob", "Who brings the cake? The one of last week was so good that nothing is left of it.");
    ann.said("lobby", 2, "ann", "Not me.");
    let mut reply = message("lobby", 3, "carl", "I do.\nTwo of them: 漢字 and שלום (mild).");
    reply.reply_to = Some(seq(1));
    ann.tell(Event::Message(reply));
    let time = NOON.to_string();
    let react = json!({"room": "lobby", "seq": 4, "from": "ann", "time": time, "target": 3, "emoji": "🎂"});
    ann.tell(Event::React(read(react)));
    let topic = json!({"room": "lobby", "seq": 5, "from": "bob", "time": message("lobby", 5, "", "").time.to_string(), "topic": "cake"});
    ann.tell(Event::Topic(read(topic)));
    ann.screen();
    ann.input(Input::Focus(false));
    ann.said("lobby", 6, "bob", "@ann you are wanted");
    ann.said("dev", 1, "bob", "it builds");
    ann.input(Input::Focus(true));
    ann
}

#[track_caller]
fn looks(ann: &mut Person, expected: &str) {
    let expected: Vec<&str> = expected.lines().skip(1).map(str::trim_end).collect();
    let screen = ann.screen();
    assert!(screen == expected, "the screen is\n{}\nand should be\n{}", screen.join("\n"), expected.join("\n"));
}

#[test]
fn a_wide_screen_has_room_for_everything() {
    let mut ann = lively();
    ann.state.size = (90, 18);
    ann.types("and now?");
    looks(
        &mut ann,
        "
 lobby cake                                                                        2 of 3
1 dev        1│                                                           │~bob
2 lobby       │                                                           │ ann
              │                                                           │%carl
              │────────────────────── the beginning ──────────────────────│
              │──────────────── Saturday, 31 January 2026 ────────────────│
              │12:01      bob │ Who brings the cake? The one of last week │
              │               │ was so good that nothing is left of it.   │
              │12:02      ann │ Not me.                                   │
              │12:03     carl │ ↳ bob: Who brings the cake? The one of la…│
              │               │ I do.                                     │
              │               │ Two of them: 漢字 and םולש (mild).        │
              │               │ 🎂 1                                      │
              │12:05       -- │ bob set the topic: cake                   │
              │─────────────────────────── new ───────────────────────────│
              │12:06      bob │ @ann you are wanted                       │
 ann                                                          Enter sends · Tab completes
lobby> and now?
",
    );
}

#[test]
fn a_narrow_screen_has_room_for_what_was_said() {
    let mut ann = lively();
    ann.state.size = (40, 12);
    looks(
        &mut ann,
        "
 lobby cake                      2 of 3
12:02 ann: Not me.
12:03 carl:
 ↳ bob: Who brings the cake? The one of…
 I do.
 Two of them: 漢字 and םולש (mild).
 🎂 1
12:05 -- bob set the topic: cake
───────────────── new ──────────────────
12:06 bob: @ann you are wanted
 ann · 1:dev 1
lobby>
",
    );
}

#[test]
fn the_smallest_screen_has_room_for_the_last_word() {
    let mut ann = lively();
    ann.state.size = (20, 5);
    looks(
        &mut ann,
        "
─────── new ────────
bob: @ann you are
 wanted
 ann · 1:dev 1
>
",
    );
}

#[test]
fn a_list_lies_over_the_messages() {
    let mut ann = lively();
    ann.state.size = (60, 8);
    ann.press("Ctrl-K");
    looks(
        &mut ann,
        "
 go to                                                    2
 dev       1 new
 lobby     1 new, 1 for you  cake



 ann · 1:dev 1                     Enter takes · Esc closes
>
",
    );
}

#[test]
fn a_question_takes_the_place_of_the_input_line() {
    let mut ann = lively();
    ann.state.size = (60, 8);
    ann.enters("/delete");
    looks(
        &mut ann,
        "
 lobby cake                                          2 of 3
               │ Two of them: 漢字 and םולש (mild).
               │ 🎂 1
12:05       -- │ bob set the topic: cake
─────────────────────────── new ────────────────────────────
12:06      bob │ @ann you are wanted
 ann · 1:dev 1                                 y yes · n no
delete \"ann: Not me.\" for everybody, for ever? (y/n)
",
    );
}

#[test]
fn what_is_off_and_not_sent_is_seen() {
    let mut ann = lively();
    ann.state.size = (70, 10);
    ann.tell(Event::Disconnected { reason: "gone".to_owned(), retry_in: Some(std::time::Duration::from_secs(12)) });
    ann.enters("later then");
    looks(
        &mut ann,
        "
 lobby cake                                                    2 of 3
1 dev        1│12:03     carl │ ↳ bob: Who brings the cake? The one o…
2 lobby       │               │ I do.
              │               │ Two of them: 漢字 and םולש (mild).
              │               │ 🎂 1
              │12:05       -- │ bob set the topic: cake
              │12:06      bob │ @ann you are wanted
              │12:00      ann │ later then …
 offline, again in 12s  1 to send  gone      Alt-A next new · F1 help
lobby>
",
    );
}
