//! The terminal program, as a process: what it does, what it prints, and with which code it ends; against the real
//! daemon, and against a server that means harm.

use std::io::{BufRead, Write};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::daemon::FREE;
use crate::support::harm::{HARM, Harm, answer, polite};
use crate::support::person::{Ended, ended, fine};
use crate::support::server::PASSWORD;
use crate::support::{Daemon, Person, Value, daemon, json, within};

/// The texts of a room.
async fn texts(daemon: &Daemon) -> Vec<String> {
    let page = daemon.native("historian").await.ask(json!({"request": "history", "room": "lobby", "limit": 500})).await;
    let messages = page["messages"].as_array().unwrap().iter();
    messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn send_says_a_text_or_each_line_or_all_of_them_and_is_silent() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    for ended in [
        ann.run(&["send", "lobby", "hello there", "-u", "ann"]).await,
        ann.run_on("one\n\ntwo\r\nthree", &["-u", "ann", "send", "lobby"]).await,
        ann.run_on("a\nbob: forged\n", &["send", "-u", "ann", "lobby", "-"]).await,
        // Without a name it is the one of the operating system, and where that is taken something like it.
        ann.run(&["send", "lobby", "anybody"]).await,
    ] {
        fine(&ended);
        assert_eq!(ended.lines, Vec::<String>::new());
    }
    assert_eq!(texts(&daemon).await, ["hello there", "one", "two", "three", "a\nbob: forged", "anybody"]);
    // A forged line is told from a real one: it is indented, and has no number.
    let ended = ann.run(&["history", "lobby", "--before", "6", "-n", "1"]).await;
    fine(&ended);
    assert_eq!((ended.lines.len(), ended.lines.last().map(String::as_str)), (2, Some("    bob: forged")), "{ended:?}");
    let ended = ann.run(&["--json", "send", "lobby", "as json"]).await;
    fine(&ended);
    let answer: Value = serde_json::from_str(&ended.lines[0]).unwrap();
    assert_eq!((&answer["response"], &answer["seq"]), (&json!("message"), &json!(7)));
    // The keys stand in the order of the wire, the one that says what it is in front.
    assert!(ended.lines[0].starts_with(r#"{"response":"message""#), "{ended:?}");
}

#[tokio::test]
async fn send_waits_out_a_rate_limit_and_loses_no_line() {
    let config = FREE.replace("messages_per_second = 0", "messages_per_second = 20\nmessage_burst = 3");
    let daemon = daemon().config(&config).await;
    let lines: Vec<String> = (0..15).map(|n| format!("line {n}")).collect();
    let begun = Instant::now();
    fine(&Person::of(daemon.address()).run_on(&lines.join("\n"), &["send", "lobby", "-u", "ann"]).await);
    assert!(begun.elapsed() > Duration::from_millis(400), "it waited");
    assert_eq!(texts(&daemon).await, lines);
}

#[tokio::test]
async fn what_is_refused_unknown_or_impossible_has_its_code() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let mut account = daemon.account("owner").await;
    account.ask(json!({"request": "ping"})).await;
    ann.secret("wrong", "not the password\n");
    let nobody = nobody.to_string();
    ann.secret("password", &format!("{PASSWORD}\n"));
    let cases: [(&[&str], i32); 19] = [
        (&["send", "no-such-room", "x"], 1),
        (&["tail", "no-such-room"], 1),
        (&["history", "no-such-room"], 1),
        (&["names", "no-such-room"], 1),
        (&["send", "lobby", "a\u{1b}b"], 1),
        (&["frobnicate"], 2),
        (&["send"], 2),
        (&["send", "lobby"], 2),
        (&["send", "lobby", ""], 2),
        (&["rooms", "--server", "tls://127.0.0.1:1"], 69),
        (&["rooms", "--server", "https://127.0.0.1:1"], 2),
        (&["tail", "lobby", "-n", "many"], 2),
        (&["--timeout", "never", "rooms"], 2),
        (&["--server", &nobody, "send", "lobby", "x"], 69),
        (&["-u", "owner", "--password-file", "wrong", "rooms"], 77),
        (&["-u", "owner", "rooms"], 77),
        (&["-u", "a b", "rooms"], 77),
        (&["-u", "ann", "--password-file", "nowhere", "rooms"], 78),
        (&["-u", "owner", "--password-file", "password", "register"], 1),
    ];
    for (args, code) in cases {
        let ended = ann.run(args).await;
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(!ended.stderr.is_empty() && ended.lines.is_empty(), "{args:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
    fine(&ann.run(&["-u", "owner", "--password-file", "password", "rooms"]).await);
    assert_eq!(texts(&daemon).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_message_that_nobody_acknowledges_is_told_as_such_and_can_be_repeated() {
    let harmful = Harm::start(|request| match request["request"].as_str() {
        // It never answers.
        Some("message") => None,
        _ => Some(polite(request)),
    })
    .await;
    let ann = Person::of(harmful);
    let ended = ann.run(&["--timeout", "500ms", "send", "lobby", "hello", "--nonce", "mine"]).await;
    assert_eq!(ended.code, Some(75), "{ended:?}");
    assert!(ended.stderr.contains("mine"), "{ended:?}");

    // With a real one: the repeat makes no second entry.
    let daemon = daemon().await;
    let mut owner = daemon.account("owner").await;
    owner.join("lobby").await;
    owner.ask(json!({"request": "message", "room": "lobby", "text": "once", "nonce": "mine"})).await;
    let ann = Person::of(daemon.address());
    ann.secret("password", &format!("{PASSWORD}\n"));
    let args = ["-u", "owner", "--password-file", "password", "send", "lobby", "once", "--nonce", "mine"];
    for _ in 0..2 {
        fine(&ann.run(&args).await);
    }
    assert_eq!(texts(&daemon).await, ["once"]);
}

#[tokio::test]
async fn tail_and_history_show_what_was_said() {
    let mut daemon = daemon().await;
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    for n in 1..=30 {
        bob.say("lobby", &format!("text {n}.")).await;
    }
    let ann = Person::of(daemon.address());
    let cases: [(&[&str], std::ops::RangeInclusive<u64>); 7] = [
        (&["tail", "lobby"], 21..=30),
        (&["tail", "lobby", "-n", "3"], 28..=30),
        (&["tail", "lobby", "-n", "1000"], 1..=30),
        (&["tail", "lobby", "--since", "25"], 26..=30),
        (&["history", "lobby"], 1..=30),
        (&["history", "lobby", "--before", "10", "-n", "2"], 8..=9),
        (&["history", "lobby", "--after", "10", "-n", "2"], 11..=12),
    ];
    for (args, numbers) in cases {
        let ended = ann.run(args).await;
        fine(&ended);
        assert_eq!(ended.lines.len() as u64, numbers.end() - numbers.start() + 1, "{args:?}: {ended:?}");
        for (line, n) in ended.lines.iter().zip(numbers) {
            assert!(line.ends_with(&format!("bob: text {n}.")), "{args:?}: {line}");
        }
    }
    let ended = ann.run(&["tail", "lobby", "-n", "2", "--json"]).await;
    fine(&ended);
    let events: Vec<Value> = ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((events.len(), &events[0]["event"], &events[1]["seq"]), (2, &json!("message"), &json!(30)));
    let starts = |line: &String| line.starts_with(r#"{"event":"message","room":"lobby","seq":"#);
    assert!(ended.lines.iter().all(starts), "{ended:?}");

    // It goes on, also over a restart of the daemon, and misses nothing.
    let mut tail = ann.start(&["tail", "lobby", "-n", "1", "-f", "-u", "watcher"]);
    assert!(within("a line", tail.line()).await.is_some_and(|line| line.ends_with("text 30.")));
    bob.say("lobby", "while it looks").await;
    assert!(within("a line", tail.line()).await.is_some_and(|line| line.ends_with("while it looks")));
    daemon.kill9().await;
    let daemon = daemon.again().listen(daemon.address()).await;
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    for text in ["while it was away", "and since"] {
        bob.say("lobby", text).await;
        assert!(within("a line", tail.line()).await.is_some_and(|line| line.ends_with(text)));
    }
    assert!(tail.stderr().contains("reconnecting"), "{}", tail.stderr());
}

#[tokio::test]
async fn rooms_names_and_accounts() {
    let daemon = daemon().await;
    let mut bob = daemon.native("bob").await;
    bob.ask(json!({"request": "create", "room": "den"})).await;
    let ann = Person::of(daemon.address());
    let ended = ann.run(&["rooms"]).await;
    fine(&ended);
    for room in ["den", "lobby"] {
        assert!(ended.lines.iter().any(|line| line.contains(room)), "{ended:?}");
    }
    let ended = ann.run(&["names", "den"]).await;
    fine(&ended);
    assert!(ended.lines.len() == 1 && ended.lines[0].contains("bob"), "{ended:?}");
    let ended = ann.run(&["names", "-u", "looker"]).await;
    assert!(ended.lines.iter().any(|line| line.contains("looker")), "{ended:?}");

    ann.secret("password", &format!("{PASSWORD}\n"));
    ann.secret("weak", "short\n");
    let register = ["register", "-u", "ann", "--password-file"];
    assert_eq!(ann.run(&[&register[..], &["weak"]].concat()).await.code, Some(1));
    let ended = ann.run(&[&register[..], &["password"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ann.run(&[&register[..], &["password"]].concat()).await.code, Some(1), "the name is taken");
    fine(&ann.run(&["-u", "ann", "--password-file", "password", "send", "lobby", "as an account"]).await);
    let page = bob.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(page["messages"][0]["from"], "ann");
    assert_ne!(page["messages"][0]["guest"], true, "{page}");
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_any_more_is_no_failure_to_tell_of() {
    let daemon = daemon().await;
    let mut bob = daemon.native("bob").await;
    bob.join("lobby").await;
    for n in 0..200 {
        bob.say("lobby", &format!("{n} {}", "x".repeat(2000))).await;
    }
    let ann = Person::of(daemon.address());
    let line = "\"$0\" tail lobby -n 200 | head -n 1; \"$0\" history lobby -n 200 | head -c 10";
    let ended = ended(crate::support::daemon().spawn_by(ann.shell(line, &[]))).await;
    assert_eq!((ended.stderr.as_str(), ended.lines.len()), ("", 2), "{ended:?}");

    // Nor is it where it follows, and learns of it only with the next message.
    let mut command = ann.shell("exec \"$0\" \"$@\"", &["tail", "lobby", "-n", "1", "-f"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.contains("bob: 199 "), "{line}");
    drop(out);
    bob.say("lobby", "more").await;
    let output = within("the end", tokio::task::spawn_blocking(|| child.wait_with_output())).await.unwrap().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[tokio::test]
async fn two_people_talk_through_pipes_over_a_restart() {
    let mut daemon = daemon().await;
    let (ann, bob) = (Person::of(daemon.address()), Person::of(daemon.address()));
    let (mut ann, mut bob) = (ann.talk(&["-u", "ann"]), bob.talk(&["-u", "bob"]));
    // Each hears the other, once both are in the room.
    people(&daemon, 2).await;
    writeln!(ann.says, "hello bob").unwrap();
    assert!(bob.line().await.ends_with("ann: hello bob"));
    writeln!(bob.says, "hello ann").unwrap();
    assert!(ann.line().await.ends_with("bob: hello ann"));

    let address = daemon.address();
    daemon.kill9().await;
    // What is said meanwhile waits.
    for n in 0..5 {
        writeln!(ann.says, "meanwhile {n}").unwrap();
    }
    let daemon = daemon.again().listen(address).await;
    for n in 0..5 {
        let line = bob.line().await;
        assert!(line.ends_with(&format!("ann: meanwhile {n}")), "{line}");
    }
    writeln!(bob.says, "/quit").unwrap();
    assert_eq!(bob.program.exited().await.code(), Some(0), "{}", bob.program.stderr());
    // What has no newline yet is said at the end.
    write!(ann.says, "goodbye").unwrap();
    ann.end(0).await;
    let texts = texts(&daemon).await;
    assert_eq!((texts.len(), texts.last().map(String::as_str)), (8, Some("goodbye")));
}

/// Waits until so many people are in the lobby; and says who.
async fn people(daemon: &Daemon, count: usize) -> Vec<String> {
    let mut looker = daemon.native("looker").await;
    let begun = Instant::now();
    loop {
        let names = looker.ask(json!({"request": "names", "room": "lobby"})).await;
        if let Some(names) = names["names"].as_array().filter(|names| names.len() >= count) {
            return names.iter().filter_map(|name| name["name"].as_str()).map(str::to_owned).collect();
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{names}");
    }
}

#[tokio::test]
async fn lines_are_texts_and_commands() {
    let daemon = daemon().await;
    let (ann, bob) = (Person::of(daemon.address()), Person::of(daemon.address()));
    let mut ann = ann.talk(&["-u", "ann"]);
    people(&daemon, 1).await;
    let ended = bob.run_on("hi\n/me waves\n//slash\n/frob\n", &["-u", "bob"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("no command /frob"), "{ended:?}");
    // What bob said stands on bob's screen already.
    assert_eq!(ended.lines, Vec::<String>::new());
    for expected in ["bob: hi", "* bob waves", "bob: /slash"] {
        let line = ann.line().await;
        assert_eq!(line.split_once(' ').map(|(_, said)| said), Some(expected), "{line}");
    }
    ann.end(0).await;
}

#[tokio::test]
async fn a_guest_who_finds_the_name_taken_gets_another_unless_it_was_asked_for() {
    let daemon = daemon().await;
    let person = Person::of(daemon.address());
    let first = person.talk(&[]);
    assert_eq!(people(&daemon, 1).await, ["tester"]);
    let ended = person.run(&["names"]).await;
    fine(&ended);
    assert!(ended.lines.iter().any(|line| line.trim_start().starts_with("tester-")), "{ended:?}");
    assert_eq!(person.run(&["names", "-u", "tester"]).await.code, Some(77));
    first.end(0).await;
}

#[tokio::test]
async fn search_prints_a_line_for_each_hit_and_goes_on_until_there_are_enough() {
    let address = Harm::start(|request| {
        if request["request"] != "search" {
            return Some(polite(request));
        }
        let page = request["after"].as_u64().unwrap_or_default();
        let hit = |seq: u64| {
            json!({"room": "lobby", "seq": seq, "from": "ann", "time": "2026-01-31T12:00:00.000Z",
                "text": "all of it", "snippet": format!("{} hit {seq}", request["query"].as_str().unwrap()), "hit": [0, 1]})
        };
        Some(vec![json!({"response": "search", "id": request["id"], "messages": [hit(9 - 2 * page), hit(8 - 2 * page)],
            "more": page < 3, "next": page + 1})])
    })
    .await;
    let person = Person::of(address);
    let ended = person.run(&["search", "two", "words", "-r", "lobby", "--limit", "3"]).await;
    fine(&ended);
    let said: Vec<&str> =
        ended.lines.iter().filter_map(|line| line.split_once("ann: ")).map(|(_, said)| said).collect();
    assert_eq!(said, ["two words hit 9", "two words hit 8", "two words hit 7"], "{ended:?}");
    assert!(ended.lines.iter().all(|line| line.starts_with("lobby 2026-")), "{ended:?}");
    let ended = person.run(&["--json", "search", "--", "-without"]).await;
    fine(&ended);
    assert_eq!(ended.lines.len(), 8, "{ended:?}");
    let hit: Value = serde_json::from_str(&ended.lines[7]).unwrap();
    assert_eq!((&hit["seq"], &hit["snippet"]), (&json!(2), &json!("-without hit 2")));
    assert_eq!(person.run(&["search"]).await.code, Some(2));
}

#[tokio::test]
async fn a_hostile_server_cannot_reach_the_terminal() {
    let address = Harm::start(|request| Some(answer(request, HARM))).await;
    let person = Person::of(address);
    let refusing = Harm::start(|request| {
        let word = request["request"].as_str().unwrap_or_default();
        if matches!(word, "hello" | "login" | "join") {
            return Some(polite(request));
        }
        Some(vec![json!({"response": word, "id": request["id"], "error": HARM, "code": HARM})])
    })
    .await;
    let refused = Person::of(refusing);
    let shut = Person::of(
        Harm::start(|request| match request["request"].as_str() {
            Some("hello") => Some(polite(request)),
            _ => {
                Some(vec![json!({"response": "login", "id": request["id"], "error": HARM, "code": "bad_credentials"})])
            }
        })
        .await,
    );
    let runs: [&[&str]; 7] = [
        &["tail", "lobby"],
        &["history", "lobby"],
        &["search", "x"],
        &["rooms"],
        &["names", "lobby"],
        &["names"],
        &["send", "lobby", "x"],
    ];
    for who in [&person, &refused, &shut] {
        for args in runs {
            harmless(&who.run(args).await);
        }
        harmless(&who.run_on("said\n/rooms\n/names\n", &["-u", "ann"]).await);
    }
    // Where a program reads it, it comes as it is on the wire: each object on one line, with JSON's own escapes.
    let ended = person.run(&["tail", "lobby", "--json"]).await;
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 1), "{ended:?}");
    assert!(!ended.lines[0].contains(|c: char| c < ' '), "{ended:?}");
}

#[track_caller]
fn harmless(ended: &Ended) {
    let output = ended.lines.join("\n") + &ended.stderr;
    let bad = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(!output.contains(bad), "{output:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[tokio::test]
async fn what_is_said_to_one_alone_is_printed_and_moves_nobody() {
    let daemon = daemon().await;
    let person = Person::of(daemon.address());
    let mut ann = person.talk(&["-u", "ann"]);
    people(&daemon, 1).await;
    let mut bob = daemon.native("bob").await;
    for text in ["psst", "are you", "there?"] {
        bob.say("@ann", text).await;
    }
    for text in ["psst", "are you", "there?"] {
        let line = ann.line().await;
        assert!(line.starts_with("[@bob] ") && line.ends_with(&format!("bob: {text}")), "{line}");
    }
    // What is typed still goes to all; and the conversation goes on.
    let mut eve = daemon.native("eve").await;
    eve.join("lobby").await;
    writeln!(ann.says, "hello all").unwrap();
    eve.hear("lobby", "hello all").await;
    bob.say("@ann", "I am here").await;
    assert!(ann.line().await.ends_with("bob: I am here"));
    // A guest of the same name is another one, whose conversation begins anew.
    bob.ask(json!({"request": "logout"})).await;
    let mut other = daemon.native("bob").await;
    other.say("@ann", "I am new").await;
    assert!(ann.line().await.ends_with("bob: I am new"));
    let program = ann.program.stderr();
    assert!(!program.contains("invited"), "{program}");
    ann.end(0).await;
}

#[tokio::test]
async fn a_conversation_that_was_left_elsewhere_is_printed_from_where_it_was() {
    let daemon = daemon().await;
    let mut elsewhere = daemon.account("ann").await;
    let person = Person::of(daemon.address());
    person.secret("password", PASSWORD);
    let mut ann = person.talk(&["-u", "ann", "--password-file", "password"]);
    people(&daemon, 1).await;
    let mut bob = daemon.account("bob").await;
    bob.say("@ann", "one").await;
    assert!(ann.line().await.ends_with("bob: one"));
    elsewhere.ask(json!({"request": "leave", "room": "@bob"})).await;
    bob.say("@ann", "two").await;
    bob.say("@ann", "three").await;
    for text in ["two", "three"] {
        let line = ann.line().await;
        assert!(line.ends_with(&format!("bob: {text}")), "{line}");
    }
    ann.end(0).await;
}

#[tokio::test]
async fn what_is_said_to_one_alone_while_the_server_is_away_is_printed_later() {
    let mut daemon = daemon().await;
    daemon.account("ann").await;
    let mut bob = daemon.account("bob").await;
    bob.say("@ann", "an old story").await;
    let person = Person::of(daemon.address());
    person.secret("password", PASSWORD);
    let mut ann = person.talk(&["-u", "ann", "--password-file", "password"]);
    people(&daemon, 1).await;
    let address = daemon.address();
    daemon.kill9().await;
    // It comes back elsewhere first, where bob finds it before ann does.
    let mut daemon = daemon.again().await;
    let mut bob = daemon.hello("bob").await;
    bob.ask(json!({"request": "login", "username": "bob", "password": PASSWORD})).await;
    bob.say("@ann", "one").await;
    bob.say("@ann", "two").await;
    daemon.kill9().await;
    let _daemon = daemon.again().listen(address).await;
    for text in ["one", "two"] {
        let line = ann.line().await;
        assert!(line.starts_with("[@bob] ") && line.ends_with(&format!("bob: {text}")), "{line}");
    }
    ann.end(0).await;
}

#[tokio::test]
async fn what_is_said_to_one_alone_while_one_comes_in_is_printed_too() {
    let (logins, joins) = (AtomicU64::new(0), AtomicU64::new(0));
    let address = Harm::start(move |request| {
        let mut answers = polite(request);
        match (request["request"].as_str(), request["room"].as_str()) {
            (Some("login"), _) => {
                // By the second time two messages have come.
                let head = if logins.fetch_add(1, Ordering::SeqCst) == 0 { 1 } else { 3 };
                answers[0]["guest"] = json!(false);
                answers[0]["rooms"] = json!([{"room": "@bob", "kind": "direct", "topic": "", "role": "member",
                    "head": head, "read": 1, "unread": 0, "mentions": 0}]);
            }
            (Some("join"), Some("@bob")) => {
                answers[0]["room"] = json!("@bob");
                answers[0]["head"] = json!(3);
                let since = request["since"].as_u64().unwrap_or(3);
                answers.truncate(1);
                answers.extend((since + 1..=3).map(|seq| {
                    json!({"event": "message", "room": "@bob", "seq": seq, "from": "bob", "text": format!("number {seq}"),
                        "time": "2026-01-31T12:00:00.000Z"})
                }));
            }
            // The connection is lost before it is known whether the room was entered.
            (Some("join"), _) if joins.fetch_add(1, Ordering::SeqCst) == 0 => return Some(vec![Value::Null]),
            _ => {}
        }
        Some(answers)
    })
    .await;
    let mut ann = Person::of(address).talk(&["-u", "ann"]);
    for text in ["number 2", "number 3"] {
        let line = loop {
            let line = ann.line().await;
            if line.contains("[@bob]") {
                break line;
            }
            assert!(!line.is_empty(), "it has ended: {}", ann.program.stderr());
        };
        assert!(line.ends_with(&format!("bob: {text}")), "{line}");
    }
    ann.end(0).await;
}

#[tokio::test]
async fn the_first_word_to_somebody_can_be_sent_from_a_script() {
    let daemon = daemon().await;
    let mut bob = daemon.native("bob").await;
    let ann = Person::of(daemon.address());
    fine(&ann.run_on("psst\nare you there?\n", &["-u", "ann", "send", "@bob"]).await);
    bob.expect(json!({"event": "invited", "room": "@ann", "head": 1})).await;
    let ended = ann.run(&["-u", "ann", "send", "@nobody", "x"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[tokio::test]
async fn a_list_that_never_ends_is_ended() {
    let address = Harm::start(|request| {
        let mut answer = polite(request);
        if matches!(request["request"].as_str(), Some("rooms" | "names")) {
            answer[0]["more"] = json!(true);
        }
        Some(answer)
    })
    .await;
    let person = Person::of(address);
    for args in [&["rooms"][..], &["names", "lobby"], &["names"]] {
        let ended = person.run(args).await;
        assert_eq!((ended.code, ended.lines.len()), (Some(69), 2), "{ended:?}");
        assert!(ended.stderr.contains("brings nothing new"), "{ended:?}");
    }
}
