//! What nobody is to learn: secrets, from the log or the files; who is where, from hints; from where, from anything. And
//! that what comes from outside breaks no line of the log.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use snakk::model::ServerRole;

use crate::support::daemon::FREE;
use crate::support::requests::{keys, whole, with};
use crate::support::server::{PASSWORD, hello};
use crate::support::{Daemon, Wire, daemon, people, server};

/// A daemon that logs everything that there is to log, in that form, with an admin called ada.
async fn talkative(format: &str) -> Daemon {
    let config =
        format!("{}[log]\nlevel = \"trace\"\nformat = \"{format}\"\n[accounts]\nregistration = \"invite\"\n", FREE);
    let setup = daemon().config(&config);
    std::fs::create_dir(setup.data_dir()).expect("a new folder");
    people::seed(&setup.data_dir().join("snakk.db"), &[("ada", ServerRole::Admin)]).await;
    setup.await
}

async fn login(daemon: &Daemon, name: &str, password: &str) -> Wire {
    let mut wire = daemon.hello(name).await;
    wire.ask(json!({"request": "login", "username": name, "password": password})).await;
    wire
}

/// Stops it; what it has logged.
async fn logged(daemon: &mut Daemon) -> String {
    daemon.signal(Signal::TERM);
    assert!(daemon.exited().await.success());
    daemon.stderr()
}

/// What is in all files of a folder, one behind the other.
fn everything(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    files.filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).expect("a file")).collect()
}

fn contains(bytes: &[u8], word: &str) -> bool {
    memchr::memmem::find(bytes, word.as_bytes()).is_some()
}

/// The answers of somebody, as they came.
#[derive(Default)]
struct Heard(String);

impl Heard {
    async fn ask(&mut self, wire: &mut Wire, request: Value) -> Value {
        let answer = wire.outcome(request).await;
        if answer.get("error").is_some() {
            self.0 += &answer.to_string();
        }
        answer
    }
}

#[tokio::test]
async fn a_secret_is_in_no_log_no_error_and_no_file() {
    no_secret_leaks("text").await;
}

#[tokio::test]
async fn a_secret_is_in_no_log_of_objects_either() {
    no_secret_leaks("json").await;
}

async fn no_secret_leaks(format: &str) {
    const GOOD: &str = "marker-good-password";
    const NEW: &str = "marker-new-password";
    const WRONG: &str = "marker-wrong-secret";
    const SAID: &str = "marker-said-words";
    let mut daemon = talkative(format).await;
    let mut heard = Heard::default();
    let mut ada = login(&daemon, "ada", PASSWORD).await;
    let invitation = ada.ask(json!({"request": "invitation", "action": "create"})).await;
    let invite = invitation["invite"].as_str().expect("an invitation").to_owned();

    let mut olaf = daemon.hello("olaf").await;
    for request in [
        json!({"request": "register", "username": "olaf", "password": WRONG, "invite": WRONG}),
        json!({"request": "register", "username": "olaf", "password": "short", "invite": invite}),
        json!({"request": "register", "username": "olaf", "password": GOOD, "invite": invite}),
        json!({"request": "logout"}),
        json!({"request": "login", "username": "olaf", "password": WRONG}),
        json!({"request": "login", "username": "olaf", "token": WRONG}),
        json!({"request": "login", "username": "olaf", "password": [WRONG]}),
        json!({"request": "login", "username": "olaf", "password": WRONG, "token": WRONG}),
        json!({"request": "login", "username": "olaf", "password": GOOD}),
        json!({"request": "password", "old": WRONG, "new": NEW}),
        json!({"request": "password", "old": GOOD, "new": NEW}),
        json!({"request": "delete_account", "password": WRONG}),
    ] {
        heard.ask(&mut olaf, request).await;
    }
    let made = olaf.ask(json!({"request": "token", "action": "create", "label": "bot"})).await;
    let token = made["token"].as_str().expect("a token").to_owned();
    let mut bot = daemon.hello("bot").await;
    heard.ask(&mut bot, json!({"request": "login", "username": "olaf", "token": token})).await;
    let guest = daemon.hello("gina").await.ask(json!({"request": "login", "username": "gina"})).await;
    let guest = guest["token"].as_str().expect("a token").to_owned();

    olaf.join("lobby").await;
    for request in [
        json!({"request": "message", "room": "lobby", "text": SAID}),
        json!({"request": "message", "room": "lobby", "text": SAID.repeat(2000)}),
        json!({"request": "message", "room": "@ada", "text": SAID}),
        json!({"request": "edit", "room": "lobby", "target": 2, "text": SAID}),
        json!({"request": "edit", "room": "lobby", "target": 1, "text": SAID}),
        json!({"request": "search", "query": SAID}),
        json!({"request": "delete", "room": "lobby", "target": 2}),
    ] {
        heard.ask(&mut olaf, request).await;
    }
    // What cannot be read is not shown either.
    let mut wild = daemon.hello("wild").await;
    wild.send_raw(format!("{{\"request\":\"login\",\"password\":\"{WRONG}\" {SAID}}}\n")).await;
    heard.0 += &wild.rest().await.iter().map(Value::to_string).collect::<String>();
    let mut course = daemon.connect("course").await;
    course.send_raw(format!("{{\"request\":\"login\",\"content\":\"olaf\",\"password\":\"{WRONG}\"}}")).await;
    heard.0 += &course.next().await.to_string();

    let cmdline = std::fs::read(format!("/proc/{}/cmdline", daemon.pid())).expect("a command line");
    let log = logged(&mut daemon).await;
    let files = everything(&daemon.data_dir());
    for secret in [GOOD, NEW, WRONG, &invite, &token, &guest, PASSWORD] {
        for (place, bytes) in [("log", log.as_bytes()), ("command line", &cmdline), ("errors", heard.0.as_bytes())] {
            assert!(!contains(bytes, secret), "{secret} is in the {place}");
        }
        assert!(!contains(&files, secret), "{secret} is in a file");
    }
    assert!(!contains(log.as_bytes(), SAID) && !contains(heard.0.as_bytes(), SAID));
    assert!(contains(&files, "$argon2id$") && contains(&files, SAID));
}

/// What could end a line, or begin something else in a terminal, a pattern or a parser.
const WILD: [&str; 8] = [
    "a\nINFO forged",
    "a\r\nb",
    "\u{1b}[31mred",
    "\u{9b}2J",
    "a\u{2028}b\u{2029}c",
    "{}{:?}%s",
    "\"},{\"x\":\"",
    "\u{202e}a",
];

/// Says wild things in every place that takes words, and nothing that could be read.
async fn rage(daemon: &Daemon) {
    let mut ada = login(daemon, "ada", PASSWORD).await;
    ada.ask(json!({"request": "create", "room": "den"})).await;
    let mut nobody = daemon.hello("nobody").await;
    let long = "x{}\u{1b}".repeat(5000);
    let mut course = daemon.connect("course").await;
    course.send_raw(format!("{{\"request\":\"login\",\"content\":{}}}", json!(WILD[0]))).await;
    course.next().await;
    for text in WILD.into_iter().chain([long.as_str()]) {
        for request in whole().into_iter().filter(|request| {
            // The log is to go on as it is.
            !matches!(request["request"].as_str(), Some("logout" | "log_level" | "reload"))
        }) {
            let before = matches!(request["request"].as_str(), Some("login" | "register"));
            for key in keys(&request).iter().filter(|key| request[*key].is_string()) {
                match before {
                    true if text.len() < 1000 => drop(nobody.outcome(with(&request, key, json!(text))).await),
                    true => {}
                    false => drop(ada.outcome(with(&request, key, json!(text))).await),
                }
            }
        }
        while ada.next_kept().is_some() {}
        // Bad frames, and an unknown request.
        let mut wild = login(daemon, "ada", PASSWORD).await;
        for raw in [format!("{text}\n"), format!("{{\"request\":{}}}\n", json!(text)), format!("[{}]\n", json!(text))] {
            wild.send_what_goes(raw).await;
        }
        wild.finish_sending().await;
        wild.rest().await;
    }
}

#[tokio::test]
async fn an_event_is_one_line_of_the_log_whatever_was_said() {
    let mut daemon = talkative("text").await;
    rage(&daemon).await;
    let log = logged(&mut daemon).await;
    assert!(log.lines().count() > 10, "{log}");
    for line in log.lines() {
        let level = line.split_whitespace().nth(1).unwrap_or_default();
        assert!(matches!(level, "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE"), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}')), "{line:?}");
        assert!(line.len() < 1000, "{} bytes", line.len());
    }
}

#[tokio::test]
async fn a_log_of_objects_has_one_in_each_line() {
    let mut daemon = talkative("json").await;
    rage(&daemon).await;
    let log = logged(&mut daemon).await;
    assert!(log.lines().count() > 10, "{log}");
    for line in log.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(object["level"].is_string() && object["timestamp"].is_string(), "{line}");
        assert!(line.len() < 1000 && !line.chars().any(char::is_control), "{line:?}");
    }
}

/// Everything that has come and comes until a ping is answered, as one text.
async fn overheard(wire: &mut Wire) -> String {
    wire.send(json!({"request": "ping", "id": "overheard"})).await;
    let mut all = String::new();
    loop {
        let object = wire.expect_any().await;
        if object["id"] == "overheard" {
            return all;
        }
        all += &object.to_string();
    }
}

#[tokio::test]
async fn nobody_hears_who_is_in_a_room_that_it_may_not_see() {
    let server = server().people(ServerRole::User, ["olga", "otto", "eve"]).await;
    let (mut olga, mut otto) = (server.login("olga").await, server.login("otto").await);
    olga.ask(json!({"request": "create", "room": "den", "kind": "private"})).await;
    olga.ask(json!({"request": "create", "room": "yard"})).await;
    olga.ask(json!({"request": "invite", "room": "den", "username": "otto"})).await;
    for room in ["den", "yard"] {
        olga.join(room).await;
        otto.join(room).await;
    }
    // One who was never in, and one who was banned from both.
    let mut out = server.native("out").await;
    let mut eve = server.login("eve").await;
    olga.ask(json!({"request": "invite", "room": "den", "username": "eve"})).await;
    for room in ["den", "yard"] {
        eve.join(room).await;
        olga.ask(json!({"request": "ban", "room": room, "username": "eve"})).await;
    }
    for wire in [&mut out, &mut eve] {
        overheard(wire).await;
    }
    // Everything that there could be a hint of.
    for room in ["den", "yard"] {
        otto.ask(json!({"request": "typing", "room": room})).await;
        otto.say(room, "@eve @out hello").await;
        otto.ask(json!({"request": "read", "room": room, "seq": 3})).await;
        otto.ask(json!({"request": "topic", "room": room, "topic": "eve"})).await;
        otto.ask(json!({"request": "leave", "room": room})).await;
    }
    otto.ask(json!({"request": "status", "status": "away", "text": "with olga"})).await;
    otto.ask(json!({"request": "logout"})).await;
    olga.ask(json!({"request": "status", "status": "away"})).await;
    olga.ask(json!({"request": "room", "room": "den", "slow_mode_s": 1})).await;
    for wire in [&mut out, &mut eve] {
        assert_eq!(overheard(wire).await, "");
        let rooms = wire.ask(json!({"request": "rooms"})).await.to_string();
        assert!(!rooms.contains("den"), "{rooms}");
        let login = wire.ask(json!({"request": "names"})).await.to_string();
        assert!(!login.contains("den") && !login.contains("yard"), "{login}");
        for request in ["names", "room", "history", "typing", "join"] {
            let of = |room: &str| json!({"request": request, "room": room});
            let (den, none) = (wire.outcome(of("den")).await, wire.outcome(of("none")).await);
            assert_eq!((&den["code"], &den["error"]), (&json!("no_such_room"), &none["error"]));
        }
    }
    for request in ["names", "room", "history", "typing", "join"] {
        eve.ask_in_vain(json!({"request": request, "room": "yard"}), "banned").await;
    }
    let again = server.hello("eve").await.login().await;
    assert_eq!(again["rooms"], json!([]));
}

#[tokio::test]
async fn no_user_learns_from_where_another_one_comes() {
    let server = server().people(ServerRole::User, ["olaf", "mark"]).people(ServerRole::Admin, ["ada"]).await;
    let at = async |address: &str, name: &str| {
        let mut wire = hello(Wire::connect_from(address, name, server.address()).await).await;
        wire.ask(json!({"request": "login", "username": name, "password": PASSWORD})).await;
        wire
    };
    let (mut ada, mut mark, mut olaf) =
        (at("127.0.0.3", "ada").await, at("127.0.0.4", "mark").await, at("127.0.0.5", "olaf").await);
    olaf.ask(json!({"request": "create", "room": "den"})).await;
    for wire in [&mut olaf, &mut mark, &mut ada] {
        wire.join("den").await;
    }
    ada.ask(json!({"request": "suspend", "address": "127.0.0.9", "reason": "spam"})).await;
    ada.ask(json!({"request": "disconnect", "address": "127.0.0.9"})).await;
    mark.ask(json!({"request": "report", "room": "den", "reason": "spam"})).await;
    let mut all = String::new();
    for request in whole().into_iter().filter(|request| !matches!(request["request"].as_str(), Some("logout" | "help")))
    {
        for wire in [&mut olaf, &mut mark] {
            all += &wire.outcome(request.clone()).await.to_string();
        }
    }
    for wire in [&mut olaf, &mut mark] {
        while let Some(event) = wire.next_kept() {
            all += &event.to_string();
        }
    }
    let mut kept_out = hello(Wire::connect_from("127.0.0.9", "out", server.address()).await).await;
    all += &kept_out.outcome(json!({"request": "login", "username": "out"})).await.to_string();
    assert!(all.contains("spam") && all.contains("sessions") && !all.contains("127.0.0"), "{all}");
}
