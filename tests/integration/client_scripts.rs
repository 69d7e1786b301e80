//! What scripts rely on: JSON wherever something is printed, codes, and silence where nobody reads any more.

use std::fs;
use std::process::Stdio;

use crate::cursor::talker;
use crate::support::harm::{Harm, polite};
use crate::support::person::{ended, fine};
use crate::support::{Person, Value, daemon, json, within};

#[tokio::test]
async fn a_word_with_a_dash_is_left_out_of_a_search() {
    let daemon = daemon().await;
    let mut bob = talker(&daemon, 0).await;
    for text in ["cake with nuts", "cake with cream", "nuts alone"] {
        bob.say("lobby", text).await;
    }
    let ann = Person::of(daemon.address());
    for args in [&["search", "cake", "-nuts"][..], &["search", "-nuts", "cake", "-r", "lobby", "-n", "5"]] {
        let ended = ann.run(args).await;
        fine(&ended);
        assert!(ended.lines.len() == 1 && ended.lines[0].ends_with("bob: cake with cream"), "{args:?}: {ended:?}");
    }
}

#[tokio::test]
async fn with_json_standard_output_holds_nothing_else() {
    let daemon = daemon().config("[server]\nmotd = \"welcome\"\n[limits]\nmessages_per_second = 0\n").await;
    talker(&daemon, 2).await;
    let ann = Person::of(daemon.address());
    ann.secret("password", "correct horse");
    let runs: [&[&str]; 7] = [
        &["rooms"],
        &["names"],
        &["names", "lobby"],
        &["history", "lobby"],
        &["tail", "lobby"],
        &["search", "text"],
        &["send", "lobby", "x"],
    ];
    for args in runs {
        let ended = ann.run(&[args, &["--json"]].concat()).await;
        fine(&ended);
        assert!(!ended.lines.is_empty(), "{args:?}");
        for line in &ended.lines {
            assert!(serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object()), "{args:?}: {line}");
        }
    }
    let ended = ann.run(&["--json", "register", "-u", "eve", "--password-file", "password"]).await;
    fine(&ended);
    assert!(ended.lines[0].starts_with("{\"response\":\"register\""), "{ended:?}");
    let ended = ann.run_on("hello\n/rooms\n/names\n/help\n", &["--json", "-u", "ann"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let names: Vec<String> = ended
        .lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")))
        .map(|value| value["event"].as_str().or(value["response"].as_str()).unwrap().to_owned())
        .collect();
    for name in ["message", "rooms", "names"] {
        assert!(names.iter().any(|there| there == name), "{names:?}");
    }
    // At a terminal, too, where there is more to say.
    let mut screen = ann.screen(&["--json", "-u", "ann"]);
    screen.shows("snakk: welcome").await;
    screen.enter("/names").await;
    screen.shows("{\"response\":\"names\"").await;
    screen.enter("/quit").await;
    assert_eq!(screen.exited().await.code(), Some(0));
}

#[tokio::test]
async fn line_mode_is_to_be_had_on_a_terminal() {
    let daemon = daemon().await;
    let mut bob = talker(&daemon, 0).await;
    let ann = Person::of(daemon.address());
    for (term, line) in [("xterm", "--line"), ("dumb", "--timeout=30s"), ("", "--timeout=30s")] {
        let mut screen = ann.screen_of(80, 24, &[("TERM", term)], &["-u", "ann", line]);
        screen.shows("you are ann on").await;
        screen.shows("in lobby").await;
        bob.say("lobby", "hello ann").await;
        screen.shows("bob: hello ann").await;
        screen.enter("/quit").await;
        assert_eq!(screen.exited().await.code(), Some(0));
        // Nothing is drawn.
        assert!(!screen.bytes().contains(&b'\x1b'), "{:?}", screen.rows());
    }
}

#[tokio::test]
async fn where_nobody_reads_any_more_each_command_ends_without_a_word() {
    let daemon = daemon().await;
    talker(&daemon, 3).await;
    let ann = Person::of(daemon.address());
    ann.secret("password", "correct horse");
    let runs: [&[&str]; 12] = [
        &["rooms"],
        &["names"],
        &["history", "lobby"],
        &["tail", "lobby"],
        &["tail", "lobby", "--json", "--cursor", "place"],
        &["search", "text"],
        &["send", "lobby", "x", "--json"],
        &["register", "-u", "eve", "--password-file", "password"],
        &["init"],
        &["man"],
        &["completions", "zsh"],
        &["--help"],
    ];
    for args in runs {
        let mut command = ann.shell("\"$0\" \"$@\"; echo $? >code", args);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer);
        let output = within("the end", tokio::task::spawn_blocking(move || command.output())).await.unwrap().unwrap();
        let code = fs::read_to_string(ann.path("code")).unwrap();
        assert_eq!((code.trim(), String::from_utf8_lossy(&output.stderr).as_ref()), ("0", ""), "{args:?}");
    }
    // An entry that nobody can have read was not printed.
    let place: Value = serde_json::from_str(&fs::read_to_string(ann.path("place")).unwrap()).unwrap();
    assert_eq!(place["seq"], json!(0));
    // Closed from the start, on either side: there is nothing to say and nobody to say it to.
    for line in ["exec \"$0\" \"$@\" >&-", "exec \"$0\" \"$@\" >&- 2>&-", "exec \"$0\" \"$@\" >/dev/null 2>&- <&-"] {
        for args in [&["rooms"][..], &["tail", "lobby"], &["send", "lobby", "x"]] {
            let ended = ended(crate::support::daemon().spawn_by(ann.shell(line, args))).await;
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{line} {args:?}");
        }
    }
    // A complaint that nobody reads is no reason to fall over either.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = ann.shell("exec \"$0\" \"$@\"", &["history", "no-such-room"]);
    let status = command.stdin(Stdio::null()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn what_a_server_refuses_on_the_way_has_its_code() {
    // It lets us in, and then the room is closed to us.
    let address = Harm::start(|request| {
        let mut answers = polite(request);
        if request["request"] == "join" {
            answers.pop();
            answers.push(json!({"event": "removed", "room": "lobby", "seq": 1, "change": "kick", "reason": "noise"}));
        }
        Some(answers)
    })
    .await;
    let ended = Person::of(address).run(&["tail", "lobby", "-f"]).await;
    assert_eq!((ended.code, ended.lines.len()), (Some(1), 0), "{ended:?}");
    assert_eq!(ended.stderr, "snakk: lobby is closed to you (kick)\n");
}
