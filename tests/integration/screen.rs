//! The full screen on a real terminal, against the real daemon: what a person sees, and in which state the terminal is left.

use rustix::process::Signal;

use crate::support::screen::{CTRL_K, CTRL_Q, CTRL_U, CTRL_Z, ENTER, ESC, PAGE_UP, UP};
use crate::support::{Person, daemon, json};

#[tokio::test]
async fn two_people_talk_and_see_the_same() {
    let daemon = daemon().await;
    let (ann, bob) = (Person::of(daemon.address()), Person::of(daemon.address()));
    let (mut ann, mut bob) = (ann.screen(&["-u", "ann"]), bob.screen(&["-u", "bob"]));
    ann.shows("ann ").await;
    bob.shows("bob ").await;
    ann.enter("hello bob").await;
    bob.shows("ann │ hello bob").await;
    bob.press("typ").await;
    ann.shows("bob is typing").await;
    bob.enter("ed an answer").await;
    ann.shows("bob │ typed an answer").await;
    // Up edits the last line.
    ann.press(UP).await;
    ann.shows("edit> hello bob").await;
    ann.enter(", and eve").await;
    bob.shows("hello bob, and eve (edited)").await;
    ann.leave().await;
    bob.leave().await;
}

#[tokio::test]
async fn rooms_are_gone_to_by_letters_and_commands() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let mut ann = ann.screen(&["-u", "ann"]);
    ann.shows("lobby>").await;
    ann.enter("/create kitchen").await;
    ann.shows("kitchen>").await;
    ann.press(CTRL_K).await;
    ann.shows("go to").await;
    ann.press("lob").await;
    ann.press(ENTER).await;
    ann.shows("lobby>").await;
    ann.enter("/nonsense").await;
    ann.shows("there is no command /nonsense").await;
    ann.press(CTRL_U).await;
    ann.enter("/msg nobody-here hello").await;
    ann.shows("@nobody-here").await;
    ann.shows("not sent").await;
    ann.press(CTRL_Q).await;
    ann.shows("leave all the same? (y/n)").await;
    ann.press("y").await;
    assert!(ann.exited().await.success());
    let said = String::from_utf8_lossy(&ann.bytes()).into_owned();
    assert!(said.contains("snakk: not sent to @nobody-here: hello"), "{said}");
}

#[tokio::test]
async fn every_size_has_room_for_what_matters() {
    let daemon = daemon().await;
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    for number in 1..=60 {
        bob.say("lobby", &format!("message {number}")).await;
    }
    let ann = Person::of(daemon.address());
    let mut screen = ann.screen_of(20, 5, &[], &["-u", "ann"]);
    screen.shows("message 60").await;
    screen.press("typing").await;
    screen.shows("> typing").await;
    for (columns, rows) in [(300, 100), (40, 10), (1, 1), (80, 24)] {
        screen.resize(columns, rows);
        if columns > 1 {
            screen.shows("message 60").await;
            screen.shows("> typing").await;
        }
    }
    // A look into the past keeps its place.
    screen.press(PAGE_UP).await;
    screen.shows("below").await;
    screen.resize(30, 24);
    screen.resize(80, 24);
    screen.shows("below").await;
    screen.press(ESC).await;
    screen.hides("below").await;
    screen.leave().await;
}

#[tokio::test]
async fn a_stopped_screen_gives_the_terminal_back_and_goes_on() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    let mut ann = ann.screen(&["-u", "ann"]);
    ann.shows("lobby>").await;
    assert!(ann.is_taken());
    for by_key in [true, false] {
        match by_key {
            true => ann.press(CTRL_Z).await,
            false => ann.signal(Signal::TSTP),
        }
        ann.is_in_state('T').await;
        // What it wrote before it stopped may still be on its way.
        ann.is_given_back().await;
        assert_eq!(ann.modes(), (false, false));
        let said = format!("said while it was stopped {by_key}");
        bob.say("lobby", &said).await;
        ann.signal(Signal::CONT);
        ann.shows(&said).await;
        assert!(ann.is_taken());
    }
    ann.leave().await;
}

#[tokio::test]
async fn a_signal_ends_it_with_the_terminal_as_it_was() {
    let daemon = daemon().await;
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let ann = Person::of(daemon.address());
        let mut ann = ann.screen(&["-u", "ann"]);
        ann.shows("lobby>").await;
        ann.signal(signal);
        assert!(ann.exited().await.success());
        assert!(!ann.is_taken(), "the terminal was not given back");
        assert_eq!(ann.modes(), (false, false));
    }
}

#[tokio::test]
async fn a_dumb_terminal_gets_line_mode() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let mut ann = ann.screen_of(80, 24, &[("TERM", "dumb")], &["-u", "ann"]);
    ann.shows("you are ann").await;
    assert!(!ann.is_taken());
    ann.enter("plain words").await;
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    bob.say("lobby", "plain answer").await;
    ann.shows("bob: plain answer").await;
}

#[tokio::test]
async fn what_was_typed_while_the_daemon_was_away_is_sent_once_in_order() {
    let mut daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let mut ann = ann.screen(&["-u", "ann"]);
    ann.shows("lobby>").await;
    ann.enter("before").await;
    ann.hides("before …").await;
    let again = daemon.again().listen(daemon.address());
    daemon.kill9().await;
    ann.shows("offline").await;
    ann.enter("first").await;
    ann.enter("second").await;
    ann.shows("second …").await;
    ann.shows("to send").await;
    let daemon = again.await;
    ann.hides("second …").await;
    ann.hides("offline").await;
    let page = daemon.native("bob").await.ask(json!({"request": "history", "room": "lobby"})).await;
    let texts: Vec<&str> = page["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["before", "first", "second"]);
    ann.leave().await;
}
