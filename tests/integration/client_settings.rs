//! What the terminal client goes by: its settings, what comes before them, and where its password comes from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use crate::support::harm::{Harm, polite};
use crate::support::person::{Ended, ended, fine};
use crate::support::server::PASSWORD;
use crate::support::{Person, Value, daemon, json};

/// Where nobody listens.
async fn nowhere() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The name under which somebody is logged in.
fn name(ended: &Ended) -> String {
    fine(ended);
    let names: Value = serde_json::from_str(&ended.lines[0]).unwrap();
    names["names"][0]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_command_line_comes_before_the_environment_and_that_before_the_profile() {
    let (here, nowhere) = (daemon().await, nowhere().await);
    let address = here.address().to_string();
    let ann = Person::of(here.address());
    ann.settle(&format!(
        "server = \"{address}\"\nusername = \"top\"\n[profile.work]\nusername = \"worker\"\n[profile.away]\nserver = \"{nowhere}\"\n"
    ));
    let who = ["--json", "names"];
    let (env_here, env_nowhere) = (format!("SNAKK_SERVER={address}"), format!("SNAKK_SERVER={nowhere}"));
    let with = |more: &[&'static str]| [&who[..], more].concat();
    assert_eq!(name(&ann.run_with("", &who).await), "top");
    assert_eq!(name(&ann.run_with("SNAKK_SERVER=", &with(&["-p", "work"])).await), "worker");
    assert_eq!(name(&ann.run_with("", &with(&["--profile", "work", "-u", "said"])).await), "said");
    assert_eq!(ann.run_with("", &with(&["-p", "away"])).await.code, Some(69));
    assert_eq!(name(&ann.run_with(&env_here, &with(&["-p", "away"])).await), "top");
    assert_eq!(ann.run_with(&env_nowhere, &who).await.code, Some(69));
    let said: Vec<&str> = [&who[..], &["--server", &address]].concat();
    assert_eq!(name(&ann.run_with(&env_nowhere, &said).await), "top");
    let ended = ann.run_with("", &with(&["-p", "wrok"])).await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("did you mean \"work\"?"), "{ended:?}");
}

#[tokio::test]
async fn the_room_of_the_settings_is_the_one_to_talk_in() {
    let daemon = daemon().await;
    let mut bob = daemon.native("bob").await;
    for room in ["den", "hall"] {
        bob.ask(json!({"request": "create", "room": room})).await;
    }
    let ann = Person::of(daemon.address());
    ann.settle("room = \"den\"\n");
    ann.run_on("into the den\n", &[]).await;
    ann.run_on("into the hall\n", &["-r", "hall"]).await;
    for (room, text) in [("den", "into the den"), ("hall", "into the hall")] {
        let page = bob.ask(json!({"request": "history", "room": room})).await;
        assert_eq!(page["messages"][0]["text"], text, "{page}");
    }
}

#[tokio::test]
async fn the_settings_are_where_somebody_says_or_in_the_usual_place() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    let who: &[&str] = &["--json", "names", "--server", &daemon.address().to_string()];
    // None at all is no news.
    assert_eq!(name(&ann.run_with("", who).await), "tester");
    ann.settle("username = \"usual\"\n");
    fs::create_dir_all(ann.path("xdg/snakk")).unwrap();
    ann.secret("xdg/snakk/config.toml", "username = \"xdg\"\n");
    ann.secret("named.toml", "username = \"named\"\n");
    ann.secret("varied.toml", "username = \"varied\"\n");
    assert_eq!(name(&ann.run_with("", who).await), "usual");
    assert_eq!(name(&ann.run_with("XDG_CONFIG_HOME=\"$PWD/xdg\"", who).await), "xdg");
    assert_eq!(name(&ann.run_with("SNAKK_CLIENT_CONFIG=varied.toml", who).await), "varied");
    let named = [who, &["--config", "named.toml"]].concat();
    assert_eq!(name(&ann.run_with("SNAKK_CLIENT_CONFIG=varied.toml", &named).await), "named");
    // One that is named has to be there, and one that is there has to be readable.
    for missing in ["missing.toml", "."] {
        let ended = ann.run_with("", &[who, &["--config", missing]].concat()).await;
        assert_eq!(ended.code, Some(78), "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("snakk: {missing}: ")), "{ended:?}");
    }
    fs::remove_file(ann.path(".config/snakk/config.toml")).unwrap();
    fs::create_dir(ann.path(".config/snakk/config.toml")).unwrap();
    assert_eq!(ann.run_with("", who).await.code, Some(78));
}

#[tokio::test]
async fn all_that_is_wrong_with_the_settings_is_told_with_its_place() {
    let ann = Person::of(([127, 0, 0, 1], 1).into());
    ann.settle("usernam = \"x\"\n[screen]\ntheme = \"darc\"\n[profile.a]\npassword = \"hunter2\"\n");
    let ended = ann.run(&["rooms"]).await;
    assert_eq!((ended.code, ended.lines.len()), (Some(78), 0), "{ended:?}");
    let file = ann.path(".config/snakk/config.toml");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    for (line, place) in lines.iter().zip(["1:1: unknown key usernam", "3:9: screen.theme is", "5:1: password may not"])
    {
        assert!(line.starts_with(&format!("snakk: {}:{place}", file.display())), "{ended:?}");
    }
    assert_eq!(lines.len(), 3, "{ended:?}");
    assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    // What is written about the program does not depend on them.
    for args in [&["man"][..], &["completions", "bash"], &["init", "--config", "new.toml"]] {
        fine(&ann.run(args).await);
    }
}

#[tokio::test]
async fn init_writes_an_example_for_its_owner_and_never_over_another_file() {
    let ann = Person::of(([127, 0, 0, 1], 1).into());
    let file = ann.path(".config/snakk/config.toml");
    let ended = ann.run(&["init"]).await;
    fine(&ended);
    assert_eq!(ended.lines, [format!("{} has every key with a comment", file.display())]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("#password_command"), "{text}");
    // It is good as it is.
    assert_eq!(ann.run(&["rooms"]).await.code, Some(69));
    ann.settle("# mine\n");
    assert_eq!(ann.run(&["init"]).await.code, Some(1));
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
    fine(&ann.run(&["--config", "here.toml", "init"]).await);
    assert_eq!(fs::read_to_string(ann.path("here.toml")).unwrap(), text);
}

#[tokio::test]
async fn a_password_comes_from_the_first_place_that_has_one() {
    let daemon = daemon().await;
    daemon.account("ann").await;
    let ann = Person::of(daemon.address());
    ann.secret("right", &format!("{PASSWORD}\nnot this\n"));
    ann.secret("wrong", "not the password\n");
    let server = daemon.address().to_string();
    let settings = |command: &str, file: &str| {
        let command = if command.is_empty() { String::new() } else { format!("password_command = {command}\n") };
        let file = if file.is_empty() { String::new() } else { format!("password_file = \"../../{file}\"\n") };
        ann.settle(&format!("server = \"{server}\"\nusername = \"ann\"\n{command}{file}"));
    };
    // (the argument, the variables, the command and the file of the settings): the first one is right, all others are not.
    let (good, bad) = ("\"cat right\"", "[\"cat\", \"wrong\"]");
    let all_wrong = "SNAKK_PASSWORD_FILE=wrong SNAKK_PASSWORD=wrong";
    let cases: [(&[&str], &str, &str, &str); 6] = [
        (&["--password-file", "right"], all_wrong, bad, "wrong"),
        (&[], "SNAKK_PASSWORD_FILE=right SNAKK_PASSWORD=wrong", bad, "wrong"),
        (&[], &format!("SNAKK_PASSWORD_FILE= SNAKK_PASSWORD='{PASSWORD}'"), bad, "wrong"),
        (&[], "SNAKK_PASSWORD=", good, "wrong"),
        (&[], "", "[\"cat\", \"right\"]", "wrong"),
        (&[], "", "", "right"),
    ];
    for (args, variables, command, file) in cases {
        settings(command, file);
        fine(&ann.run_with(variables, &[args, &["rooms"]].concat()).await);
    }
    let wrong: [(&[&str], &str, &str, &str); 4] = [
        (&["--password-file", "wrong"], "SNAKK_PASSWORD_FILE=right", good, "right"),
        (&[], "SNAKK_PASSWORD=wrong", good, "right"),
        (&[], "", bad, "right"),
        (&[], "", "", "wrong"),
    ];
    for (args, variables, command, file) in wrong {
        settings(command, file);
        let ended = ann.run_with(variables, &[args, &["rooms"]].concat()).await;
        assert_eq!(ended.code, Some(77), "{args:?} {variables} {command} {file}: {ended:?}");
    }
    // A profile's own way to its password is the only one.
    ann.settle(&format!(
        "server = \"{server}\"\nusername = \"ann\"\npassword_command = \"cat wrong\"\n[profile.p]\npassword_file = \"../../right\"\n"
    ));
    fine(&ann.run_with("", &["-p", "p", "rooms"]).await);
}

#[tokio::test]
async fn a_password_command_that_fails_is_a_mistake_of_the_settings() {
    let daemon = daemon().await;
    let ann = Person::of(daemon.address());
    for (command, complaint) in [
        ("\"printf 'no\\\\033[2J\\\\n' >&2; exit 3\"", "it ended with exit status: 3: no\u{241b}[2J"),
        ("[\"no-such-program\"]", "it cannot be run: No such file or directory"),
        ("\"head -c 70000 /dev/zero\"", "it says more than 64 KiB"),
        ("\"true\"", "its first line is empty"),
    ] {
        ann.settle(&format!("server = \"{}\"\npassword_command = {command}\n", daemon.address()));
        let ended = ann.run(&["rooms"]).await;
        assert_eq!((ended.code, ended.lines.len()), (Some(78), 0), "{command}: {ended:?}");
        assert!(ended.stderr.contains(complaint), "{command}: {ended:?}");
    }
}

#[tokio::test]
async fn a_password_of_the_settings_is_for_their_server_and_their_name_only() {
    let asked = Arc::new(Mutex::new(Vec::<Value>::new()));
    let told = Arc::clone(&asked);
    let stranger = Harm::start(move |request| {
        if request["request"] == "login" {
            told.lock().unwrap().push(request.clone());
        }
        Some(polite(request))
    })
    .await
    .to_string();
    let ann = Person::of(([127, 0, 0, 1], 1).into());
    ann.settle("server = \"chat.example\"\nusername = \"ann\"\npassword_command = \"echo hunter22\"\n");
    fine(&ann.run(&["rooms", "--server", &stranger]).await);
    fine(&ann.run_with(&format!("SNAKK_SERVER={stranger}"), &["rooms"]).await);
    // Where no server stands beside it, it is for the usual one; and where no name does, for the usual name.
    ann.settle("username = \"ann\"\npassword_command = \"echo hunter22\"\n");
    fine(&ann.run_with("", &["rooms", "--server", &stranger]).await);
    ann.settle(&format!("server = \"{stranger}\"\npassword_command = \"echo hunter22\"\n"));
    fine(&ann.run_with("", &["rooms", "-u", "bob"]).await);
    fine(&ann.run_with("", &["rooms"]).await);
    ann.settle(&format!("server = \"{stranger}\"\nusername = \"ann\"\npassword_command = \"echo hunter22\"\n"));
    fine(&ann.run_with("", &["rooms", "-u", "bob"]).await);
    fine(&ann.run_with("", &["rooms"]).await);
    let asked = asked.lock().unwrap();
    let said: Vec<_> =
        asked.iter().map(|login| (login["username"].as_str(), login.get("password").is_some())).collect();
    let expected = [
        (Some("ann"), false),
        (Some("ann"), false),
        (Some("ann"), false),
        (Some("bob"), false),
        (Some("tester"), true),
        (Some("bob"), false),
        (Some("ann"), true),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn what_others_may_read_or_change_and_should_not_is_told() {
    let daemon = daemon().await;
    daemon.account("ann").await;
    let ann = Person::of(daemon.address());
    ann.secret("password", PASSWORD);
    let mode = |file: &str, mode: u32| fs::set_permissions(ann.path(file), fs::Permissions::from_mode(mode)).unwrap();
    let args = ["-u", "ann", "--password-file", "password", "rooms"];
    fine(&ann.run(&args).await);
    for readable in [0o640, 0o604, 0o644] {
        mode("password", readable);
        let ended = ann.run(&args).await;
        let warning = "snakk: warning: others can read password, which holds a password; chmod 600 helps\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), warning));
    }
    // A pipe has no mode to speak of.
    let piped = "mkfifo pipe; chmod 666 pipe; cat password > pipe & exec \"$0\" \"$@\"";
    let args = ["-u", "ann", "--password-file", "pipe", "rooms"];
    fine(&ended(crate::support::daemon().spawn_by(ann.shell(piped, &args))).await);
    // Settings hold no secret, and may be read by all; but what they name is run.
    ann.settle("[screen]\nnotify_command = [\"true\"]\n");
    mode(".config/snakk/config.toml", 0o644);
    fine(&ann.run(&["rooms"]).await);
    mode(".config/snakk/config.toml", 0o666);
    let ended = ann.run(&["rooms"]).await;
    assert!(ended.stderr.contains("others can change") && ended.code == Some(0), "{ended:?}");
    // What should not be in there is there all the same.
    ann.settle("password = \"x\"\n");
    mode(".config/snakk/config.toml", 0o644);
    let ended = ann.run(&["rooms"]).await;
    assert!(ended.stderr.contains("others can read") && ended.code == Some(78), "{ended:?}");
}

#[tokio::test]
async fn whoever_sits_at_a_terminal_is_asked_for_the_password_last() {
    let daemon = daemon().await;
    daemon.account("ann").await;
    let ann = Person::of(daemon.address());
    let rooms = ["-u", "ann", "rooms"];
    for (typed, code) in [(PASSWORD, 0), ("something else", 77)] {
        let mut screen = ann.screen(&rooms);
        screen.shows("Password of ann:").await;
        screen.enter(typed).await;
        assert_eq!(screen.exited().await.code(), Some(code), "{:?}", screen.rows());
    }
    // Nobody is asked for what is known.
    let server = daemon.address();
    ann.settle(&format!("server = \"{server}\"\nusername = \"ann\"\npassword_command = \"echo '{PASSWORD}'\"\n"));
    let mut screen = ann.screen(&["rooms"]);
    assert_eq!(screen.exited().await.code(), Some(0));
    screen.shows("lobby").await;
    screen.hides("Password").await;
}
