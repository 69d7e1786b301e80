//! The full screen on a real terminal, against the real daemon: what a person sees, and in which state the terminal is left.

use rustix::process::Signal;

use crate::support::harm::{HARM, Harm, answer};
use crate::support::screen::{CTRL_K, CTRL_Q, CTRL_U, CTRL_Z, ENTER, ESC, PAGE_UP, UP};
use crate::support::server::PASSWORD;
use crate::support::{Dice, Person, daemon, json};

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
    // What it shows now and did not before: while it draws itself anew, "below" is gone too, and a key that the terminal
    // sends together with Escape is another key.
    screen.shows("message 60").await;
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
async fn a_defect_leaves_a_terminal_that_can_be_used_and_says_what_it_was() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let mut ann = ann.screen(&["-u", "ann"]);
    ann.shows("lobby>").await;
    ann.signal(Signal::USR2);
    assert_eq!(ann.exited().await.code(), Some(101));
    assert!(!ann.is_taken(), "the terminal was not given back");
    assert_eq!(ann.modes(), (false, false));
    ann.shows("a defect, on demand").await;
}

#[tokio::test]
async fn a_dumb_terminal_gets_line_mode() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let mut ann = ann.screen_of(80, 24, &[("TERM", "dumb")], &["-u", "ann"]);
    ann.shows("in lobby").await;
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

#[tokio::test]
async fn a_hostile_server_gets_nothing_onto_the_terminal_but_text() {
    let address = Harm::start(|request| {
        let time = "2026-01-31T12:00:00.000Z";
        let entry = |seq: u64, event: &str, more: serde_json::Value| {
            let mut entry = json!({"event": event, "room": "lobby", "seq": seq, "from": HARM, "time": time});
            entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            entry
        };
        let mut objects = answer(request, HARM);
        match request["request"].as_str() {
            Some("login") => {
                objects[0]["rooms"] = json!([
                    {"room": "lobby", "kind": HARM, "topic": HARM, "role": HARM, "head": 0},
                    {"room": HARM, "kind": HARM, "topic": HARM, "role": HARM, "head": 0, "unread": 3, "mentions": 2},
                ]);
            }
            Some("resume") => {
                objects[0]["rooms"] = json!([
                    {"room": "lobby", "kind": "public", "topic": HARM, "role": "member", "epoch": HARM, "first": 1, "head": 0},
                    {"room": HARM, "error": HARM, "code": HARM},
                ]);
                objects.push(entry(1, "message", json!({"text": HARM, "action": true, "reply_to": 7})));
                objects.push(entry(2, "message", json!({"text": HARM})));
                objects.push(entry(3, "react", json!({"target": 2, "emoji": HARM})));
                objects.push(entry(4, "topic", json!({"topic": HARM})));
                objects.push(entry(5, "member", json!({"user": HARM, "change": HARM, "reason": HARM})));
                objects.push(entry(6, "room", json!({"kind": HARM, "history": HARM})));
                objects.push(entry(7, HARM, json!({})));
                objects.push(json!({"event": "typing", "room": "lobby", "user": HARM}));
                objects.push(json!({"event": "presence", "user": HARM, "online": true, "status": HARM, "text": HARM}));
                objects.push(json!({"event": "invited", "room": HARM, "from": HARM, "head": 1}));
                objects.push(json!({"event": "notice", "text": HARM}));
                objects.push(entry(8, "message", json!({"text": "that was all"})));
            }
            Some("message") => objects = vec![json!({"response": "message", "id": request["id"], "error": HARM, "code": HARM})],
            _ => {}
        }
        Some(objects)
    })
    .await;
    let mut ann = Person::of(address).screen_of(120, 60, &[], &["-u", "ann"]);
    ann.shows("that was all").await;
    ann.enter("something").await;
    ann.shows("not sent").await;
    ann.enter("/rooms").await;
    ann.shows("rooms: * are yours").await;
    ann.press(ESC).await;
    ann.hides("rooms: * are yours").await;
    ann.enter("/search x").await;
    ann.shows("found for x").await;
    ann.press(ESC).await;
    ann.hides("found for x").await;
    ann.shows("lobby>").await;
    let written = String::from_utf8(ann.bytes()).expect("UTF-8");
    for harm in [
        "\u{1b}]",
        "\u{1b}[6n",
        "\u{1b}c",
        "\u{1b}P",
        "\u{9b}",
        "\u{7}",
        "\u{8}",
        "\0",
        "\u{7f}",
        "\u{202e}",
        "\u{2066}",
        "\u{e0041}",
    ] {
        assert!(!written.contains(harm), "{harm:?} was written to the terminal");
    }
    assert!(written.contains("owned"), "what is text is shown");
    ann.enter("/discard").await;
    ann.hides("not sent").await;
    ann.leave().await;
}

/// Hands on what two sides say to each other, and cuts the connection at random.
async fn unreliable(
    server: std::net::SocketAddr,
    mut dice: Dice,
    stop: tokio_util::sync::CancellationToken,
) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let Ok(mut far) = tokio::net::TcpStream::connect(server).await else { continue };
            // Counted in bytes, not in time: it may be in the middle of anything but the first login.
            let bytes = 1500 + dice.below(4000);
            let lasts = !stop.is_cancelled();
            let carry = async {
                let (mut near_in, mut near_out) = near.split();
                let (mut far_in, mut far_out) = far.split();
                let up = tokio::io::copy(&mut near_in, &mut far_out);
                let down = async {
                    match lasts {
                        true => {
                            tokio::io::copy(
                                &mut tokio::io::AsyncReadExt::take(&mut far_in, bytes as u64),
                                &mut near_out,
                            )
                            .await
                        }
                        false => tokio::io::copy(&mut far_in, &mut near_out).await,
                    }
                };
                tokio::select! {
                    _ = up => {}
                    _ = down => {}
                    () = stop.cancelled(), if lasts => {}
                }
            };
            carry.await;
        }
    });
    address
}

#[tokio::test]
async fn two_who_talk_over_a_line_that_breaks_end_with_the_same_log() {
    const LINES: usize = 30;
    let daemon = daemon().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut screens = Vec::new();
    for name in ["ann", "bob"] {
        let address = unreliable(daemon.address(), Dice::new(), stop.clone()).await;
        let mut screen = Person::of(address).screen_of(70, 24, &[], &["-u", name]);
        screen.shows("lobby>").await;
        screens.push((name, screen));
    }
    for number in 0..LINES {
        for (name, screen) in &mut screens {
            screen.enter(&format!("{name} says {number}.")).await;
            screen.shows(&format!("says {number}.")).await;
        }
    }
    stop.cancel();
    let mut logs = Vec::new();
    for (_, screen) in &mut screens {
        // A terminal that is high enough for all of it.
        screen.resize(70, 120);
        let all = 2 * LINES;
        screen
            .until(format!("{all} lines, all of them sent"), move |rows| {
                said(rows).len() == all && !rows.iter().any(|row| row.contains('…'))
            })
            .await;
        logs.push(said(&screen.rows()));
    }
    assert_eq!(logs[0], logs[1]);
    for name in ["ann", "bob"] {
        let own: Vec<String> = logs[0].iter().filter(|line| line.starts_with(name)).cloned().collect();
        assert_eq!(own, (0..LINES).map(|number| format!("{name} says {number}.")).collect::<Vec<_>>());
    }
    let page = daemon.native("eve").await.ask(json!({"request": "history", "room": "lobby", "limit": 500})).await;
    let stored: Vec<&str> = page["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(stored, logs[0]);
}

/// What was said, as the rows of a screen show it.
fn said(rows: &[String]) -> Vec<String> {
    let said = rows.iter().filter_map(|row| Some(row.split_once("│ ")?.1.split("│ ").last()?.trim()));
    said.filter(|said| said.contains(" says ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_began_while_the_server_was_away_is_there_when_it_is_back() {
    let mut daemon = daemon().await;
    for name in ["ann", "bob"] {
        daemon.account(name).await;
    }
    let ann = Person::of(daemon.address());
    ann.secret("password", PASSWORD);
    let mut ann = ann.screen(&["-u", "ann", "--password-file", "password"]);
    ann.shows("lobby>").await;
    let address = daemon.address();
    daemon.kill9().await;
    ann.shows("offline").await;
    // It comes back elsewhere first, where bob finds it before ann does.
    let mut daemon = daemon.again().await;
    let mut bob = daemon.hello("bob").await;
    bob.ask(json!({"request": "login", "username": "bob", "password": PASSWORD})).await;
    bob.say("@ann", "are you there?").await;
    daemon.kill9().await;
    let daemon = daemon.again().listen(address).await;
    ann.shows("@bob").await;
    ann.enter("/msg bob").await;
    ann.shows("bob │ are you there?").await;
    // It goes on, also where it is left on another device.
    let mut elsewhere = daemon.hello("ann").await;
    elsewhere.ask(json!({"request": "login", "username": "ann", "password": PASSWORD})).await;
    elsewhere.ask(json!({"request": "leave", "room": "@bob"})).await;
    let mut bob = daemon.hello("bob").await;
    bob.ask(json!({"request": "login", "username": "bob", "password": PASSWORD})).await;
    bob.say("@ann", "still there?").await;
    ann.shows("bob │ still there?").await;
    ann.leave().await;
}
