//! Running the daemon: its control socket, the commands that use it, the same acts by an admin over the chat, and new
//! settings without a restart.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use snakk::model::ServerRole;
use snakk::{Config, Server};
use tokio::net::UnixStream;

use crate::support::daemon::{FREE, fed, printed};
use crate::support::server::PASSWORD;
use crate::support::{Daemon, Value, Wire, daemon, json, server, within};

/// Runs a command of `snakkd` on the daemon's data, with this on its standard input.
fn command(daemon: &Daemon, input: &str, args: &[&str]) -> Output {
    let mut command: Command = daemon.again().command(args);
    command.arg("--config").arg(daemon.dir().join("snakk.toml"));
    fed(command, input)
}

#[track_caller]
fn said(daemon: &Daemon, input: &str, args: &[&str]) -> String {
    printed(command(daemon, input, args), args)
}

#[track_caller]
fn refused(daemon: &Daemon, args: &[&str], code: i32, why: &str) {
    daemon::refused(&command(daemon, "", args), args, code, why);
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// A connection to the control socket.
async fn operator(daemon: &Daemon) -> Wire<UnixStream> {
    let stream = UnixStream::connect(daemon.data_dir().join("control.sock")).await.expect("a control socket");
    Wire::on("operator", stream)
}

#[tokio::test]
async fn the_daemon_says_how_it_is_doing() {
    let daemon = daemon().await;
    let mut ann = daemon.native("ann").await;
    ann.ask(json!({"request": "create", "room": "den", "topic": "tea \u{202e}and\u{2069} more"})).await;
    ann.join("lobby").await;
    let _stranger = daemon.hello("nobody").await;
    let status = said(&daemon, "", &["status"]);
    assert!(status.starts_with(&format!("snakkd {} \"snakk\", ready\n", env!("CARGO_PKG_VERSION"))), "{status}");
    // How many connections depends on who looks how the server is at this moment.
    assert!(status.contains(" connections, 1 session: 0 accounts and 1 guest online\n"), "{status}");
    let status = objects(&said(&daemon, "", &["status", "--json"])).remove(0);
    assert_eq!((&status["guests"], &status["rooms"], &status["ready"]), (&json!(1), &json!(2), &json!(true)));
    assert!(status["database_bytes"].as_u64() > Some(0) && status["wal_bytes"].as_u64() > Some(0), "{status}");

    let rooms = said(&daemon, "", &["rooms"]);
    assert!(rooms.contains("lobby public 1 members, 1 online, head 0\n"), "{rooms}");
    assert!(rooms.contains("tea ") && !rooms.contains('\u{202e}'), "what was chosen on the network is made harmless");
    assert_eq!(objects(&said(&daemon, "", &["rooms", "--json"]))[0]["room"], "den");
    let sessions = said(&daemon, "", &["sessions"]);
    assert!(sessions.contains(" ann guest 127.0.0.1 since 20") && sessions.lines().count() == 1, "{sessions}");
    let sessions = objects(&said(&daemon, "", &["sessions", "--json"]));
    assert_eq!((&sessions[0]["username"], &sessions[0]["rooms"]), (&json!("ann"), &json!(1)));
}

#[tokio::test]
async fn an_answer_that_could_not_be_written_is_a_failure_unless_nobody_reads() {
    let daemon = daemon().await;
    for args in [&["rooms"][..], &["rooms", "--json"], &["status"], &["config"], &["check"], &["--help"]] {
        let said = |stdout: Stdio| {
            let output = daemon.again().command(args).stdin(Stdio::null()).stdout(stdout).output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let full = said(fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into());
        assert_eq!(full.0, Some(1), "{args:?}");
        assert!(full.1.starts_with("snakkd: cannot write to standard output: No space left"), "{args:?}: {full:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(said(writer.into()), (Some(0), String::new()), "{args:?}: nobody reads");
    }
}

#[tokio::test]
async fn lists_come_whole_however_long_they_are() {
    let daemon = daemon().await;
    let mut ann = daemon.native("ann").await;
    for number in 0..520 {
        ann.ask(json!({"request": "create", "room": format!("room-{number}")})).await;
    }
    assert_eq!(said(&daemon, "", &["rooms"]).lines().count(), 521);
}

#[tokio::test]
async fn sessions_are_ended_and_people_kept_out() {
    let daemon = daemon().await;
    let mut ann = daemon.native("ann").await;
    assert_eq!(said(&daemon, "", &["kick", "ann", "--reason", "go and rest"]), "1 session ended\n");
    ann.expect(json!({"event": "notice", "text": "go and rest"})).await;
    ann.expect(json!({"event": "shutdown", "reason": "an admin has ended this session"})).await;
    ann.expect_close().await;
    refused(&daemon, &["kick", "nobody"], 1, "no such user");
    let mut ann = daemon.native("ann").await;
    assert_eq!(said(&daemon, "", &["ban", "ann", "--for", "1h", "--reason", "spam"]), "");
    ann.expect(json!({"event": "notice", "text": "spam"})).await;
    ann.expect(json!({"event": "shutdown"})).await;
    let bans = said(&daemon, "", &["bans"]);
    assert!(bans.starts_with("ann until 20") && bans.ends_with(", by snakkd spam\n"), "{bans}");
    let mut again = daemon.hello("ann").await;
    again.ask_in_vain(json!({"request": "login", "username": "ann"}), "banned").await;
    assert_eq!(said(&daemon, "", &["unban", "ann", "--json"]), "{\"response\":\"unsuspend\"}\n");
    for whom in ["ann", "192.0.2.7", "10.0.0.0/8"] {
        refused(&daemon, &["unban", whom], 1, &format!("{whom} is not banned; snakkd bans lists who is"));
    }
    again.ask(json!({"request": "login", "username": "ann"})).await;
    // An address is one, whatever stands behind it.
    said(&daemon, "", &["ban", "127.0.0.0/8"]);
    again.expect(json!({"event": "shutdown"})).await;
    assert_eq!(objects(&said(&daemon, "", &["bans", "--json"]))[0]["address"], "127.0.0.0/8");
    said(&daemon, "", &["unban", "127.0.0.0/8"]);

    let mut bob = daemon.native("bob").await;
    said(&daemon, "", &["notice", "tea is ready"]);
    bob.expect(json!({"event": "notice", "text": "tea is ready"})).await;
    assert_eq!(said(&daemon, "", &["level"]), "open\n");
    assert_eq!(said(&daemon, "", &["level", "no_guests"]), "no_guests\n");
    bob.expect(json!({"event": "shutdown"})).await;
    assert!(said(&daemon, "", &["status"]).contains("closed so far: no_guests\n"));
    assert_eq!(command(&daemon, "", &["level", "ajar"]).status.code(), Some(2));
}

#[tokio::test]
async fn accounts_are_made_and_changed_while_the_daemon_runs() {
    let daemon = daemon().await;
    said(&daemon, &format!("{PASSWORD}\n"), &["user", "add", "Root"]);
    said(&daemon, "another horse\n", &["user", "add", "anna"]);
    said(&daemon, "", &["user", "role", "root", "admin"]);
    assert_eq!(said(&daemon, "", &["user", "list"]), "anna user never\nRoot admin never\n");
    refused(&daemon, &["user", "role", "nobody", "admin"], 1, "nobody: ");
    let mut anna = daemon.hello("anna").await;
    anna.ask(json!({"request": "login", "username": "anna", "password": "another horse"})).await;
    said(&daemon, &format!("{PASSWORD}\n"), &["user", "passwd", "anna"]);
    anna.expect(json!({"event": "shutdown", "reason": "the account has another password"})).await;
    let mut anna = daemon.hello("anna").await;
    anna.ask(json!({"request": "login", "username": "anna", "password": PASSWORD})).await;
    let token = anna.ask(json!({"request": "token", "action": "create"})).await["token"].clone();
    let by_token = json!({"request": "login", "username": "anna", "token": token});
    daemon.hello("bot").await.ask(by_token.clone()).await;
    said(&daemon, &format!("{PASSWORD}\n"), &["user", "passwd", "anna", "--revoke-tokens"]);
    daemon.hello("bot").await.ask_in_vain(by_token, "bad_credentials").await;
    let made = said(&daemon, "another horse\n", &["user", "add", "bea", "--json"]);
    assert_eq!(objects(&made), [json!({"username": "bea", "done": true})]);
    // Whoever runs the server may do so to admins too.
    said(&daemon, "", &["user", "delete", "root"]);
    let list = objects(&said(&daemon, "", &["user", "list", "--json"]));
    assert_eq!(list.iter().map(|line| &line["username"]).collect::<Vec<_>>(), ["anna", "bea"]);
    let mut operator = operator(&daemon).await;
    let acts = operator.ask(json!({"request": "acts"})).await;
    let done: Vec<_> = acts["acts"].as_array().unwrap().iter().map(|act| (&act["by"], &act["act"])).collect();
    assert!(done.iter().all(|(by, _)| *by == "snakkd"), "{acts}");
    for act in ["add_account", "server_role", "set_password", "delete_account"] {
        assert!(done.iter().any(|(_, done)| *done == act), "{act} is not in {acts}");
    }
}

#[tokio::test]
async fn the_operator_is_an_admin_who_is_nobody() {
    let daemon = daemon().await;
    let mut operator = operator(&daemon).await;
    let me = operator.ask(json!({"request": "whoami"})).await;
    assert_eq!((&me["username"], &me["role"]), (&json!("snakkd"), &json!("admin")));
    for request in [
        json!({"request": "join", "room": "lobby"}),
        json!({"request": "message", "room": "lobby", "text": "hello"}),
        json!({"request": "create", "room": "den"}),
        json!({"request": "room", "room": "lobby", "name": "hall"}),
        json!({"request": "logout"}),
        json!({"request": "search", "query": "x"}),
        json!({"request": "delete_account", "password": PASSWORD}),
    ] {
        operator.ask_in_vain(request, "forbidden").await;
    }
    operator.ask_in_vain(json!({"request": "nonsense"}), "unknown_request").await;
    // Neither online, nor anybody's to look up.
    let mut ann = daemon.native("ann").await;
    let names = ann.ask(json!({"request": "names"})).await;
    assert_eq!(names["names"].as_array().unwrap().len(), 1, "{names}");
    // It is told of the end like everybody else.
    daemon.sigterm();
    operator.expect(json!({"event": "shutdown"})).await;
    operator.expect_close().await;
}

#[tokio::test]
async fn an_admin_does_the_same_over_the_chat() {
    let server = server().people(ServerRole::Admin, ["root", "boss"]).people(ServerRole::User, ["anna"]).await;
    let mut root = server.login("root").await;
    let status = root.ask(json!({"request": "server_status"})).await;
    assert_eq!((&status["accounts"], &status["sessions"]), (&json!(1), &json!(1)));
    let anna = server.login("anna").await;
    let sessions = root.ask(json!({"request": "server_sessions"})).await;
    let first = &sessions["sessions"][0];
    assert_eq!(
        (&first["username"], &first["role"], &first["address"]),
        (&json!("root"), &json!("admin"), &json!("127.0.0.1"))
    );
    let behind = root.ask(json!({"request": "server_sessions", "after": first["session_id"]})).await;
    assert_eq!((behind["sessions"].as_array().unwrap().len(), &behind["more"]), (1, &json!(false)));
    root.ask(json!({"request": "add_account", "username": "bea", "password": PASSWORD})).await;
    root.ask_in_vain(json!({"request": "add_account", "username": "BEA", "password": PASSWORD}), "name_taken").await;
    let accounts = root.ask(json!({"request": "accounts", "after": "anna"})).await;
    let names: Vec<_> = accounts["accounts"].as_array().unwrap().iter().map(|line| &line["username"]).collect();
    assert_eq!(names, ["bea", "boss", "root"]);
    root.ask(json!({"request": "set_password", "username": "anna", "password": "another horse"})).await;
    drop(anna);
    root.ask_in_vain(json!({"request": "set_password", "username": "boss", "password": PASSWORD}), "forbidden").await;
    // A server in another program has neither a file nor a log, unless that program says so.
    root.ask_in_vain(json!({"request": "reload"}), "forbidden").await;
    root.ask_in_vain(json!({"request": "log_level"}), "forbidden").await;
}

#[tokio::test]
async fn a_program_that_a_server_lives_in_is_its_operator_without_a_socket() {
    let server = server().await;
    let admin = server.server.admin().await.expect("an admin");
    admin.add_account("anna", PASSWORD).await.unwrap();
    assert_eq!(admin.accounts().await.unwrap()[0].username, "anna");
    assert!(admin.server_status().await.unwrap().ready);
    assert!(admin.join("lobby").await.is_err());
    assert!(!server.data_dir().join("control.sock").exists(), "no socket unless it is asked for");
    // And it may be asked for what is its own business.
    let orders = async {
        loop {
            match server.server.order().await {
                snakk::server::Order::Reload(order) => order.answer(vec!["a.b".into()], vec![], vec![]),
                snakk::server::Order::LogLevel(order) => {
                    let level = order.level.clone();
                    order.answer(level.filter(|level| level == "debug"));
                }
                _ => {}
            }
        }
    };
    let asks = async {
        assert_eq!(admin.reload().await.unwrap().changed, ["a.b"]);
        admin.set_log_level("debug").await.unwrap();
        assert!(admin.set_log_level("loud").await.is_err());
    };
    tokio::select! {
        biased;
        () = orders => {}
        () = within("the answers", asks) => {}
    }
}

#[tokio::test]
async fn the_socket_is_private_and_a_dead_daemons_is_replaced() {
    let mut daemon = daemon().await;
    let socket = daemon.data_dir().join("control.sock");
    let file = fs::symlink_metadata(&socket).unwrap();
    assert!(file.file_type().is_socket() && file.permissions().mode() & 0o777 == 0o600);
    daemon.kill9().await;
    assert!(socket.exists());
    refused(&daemon, &["status"], 69, "no snakkd runs on ");
    // User works without a daemon.
    said(&daemon, &format!("{PASSWORD}\n"), &["user", "add", "anna"]);
    let daemon = daemon.again().await;
    assert!(said(&daemon, "", &["status"]).starts_with("snakkd "));
    let daemon = daemon.restart().await;
    assert!(socket.exists());
    let mut daemon = daemon;
    daemon.sigterm();
    daemon.exited().await;
    assert!(!socket.exists(), "a clean stop takes it away");
}

#[tokio::test]
async fn what_is_in_the_sockets_place_is_left_alone() {
    let setup = daemon();
    let data = setup.data_dir();
    fs::create_dir_all(&data).unwrap();
    let elsewhere = setup.dir().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    symlink(&elsewhere, data.join("control.sock")).unwrap();
    let mut daemon = setup.clone().spawn();
    assert_eq!(daemon.exited().await.code(), Some(69));
    let said = daemon.stderr();
    assert!(said.contains("control.sock exists and is not a socket, so it stays; move it away, or "), "{said}");
    assert!(!said.contains("see above"), "{said}");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
    fs::remove_file(data.join("control.sock")).unwrap();
    // Somebody else's socket.
    let _other = UnixListener::bind(data.join("control.sock")).unwrap();
    let mut daemon = setup.clone().spawn();
    assert_eq!(daemon.exited().await.code(), Some(69));
    assert!(daemon.stderr().contains("in use by another process"), "{}", daemon.stderr());
    // A path that no socket can have.
    let long = "s".repeat(120);
    let mut daemon = setup.config(&format!("[server]\ncontrol_socket = \"{long}\"\n")).spawn();
    assert_eq!(daemon.exited().await.code(), Some(78));
    assert!(
        daemon.stderr().contains("at most 107 bytes; give it another path: server.control_socket"),
        "{}",
        daemon.stderr()
    );
}

#[tokio::test]
async fn where_no_socket_can_be_it_is_said_why_nobody_answers() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("d".repeat(120));
    let data = data.to_str().unwrap();
    let args = ["--data-dir", data, "status"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
    command.args(args).current_dir(place.path()).env_clear();
    let bytes = format!("control.sock has {} bytes, and a socket at most 107", data.len() + "/control.sock".len());
    let said = daemon::refused(&command.output().unwrap(), &args, 69, &bytes);
    assert!(said.contains("give server.control_socket a shorter path"), "{said}");
}

#[tokio::test]
async fn a_socket_that_somebody_has_deleted_is_made_again_by_a_reload() {
    let mut daemon = daemon().await;
    let socket = daemon.data_dir().join("control.sock");
    fs::remove_file(&socket).unwrap();
    refused(&daemon, &["status"], 69, "no snakkd runs on ");
    daemon.signal(Signal::HUP);
    daemon.logs("the control socket was gone, and was made again").await;
    assert_eq!(fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    said(&daemon, "", &["status"]);
    // One that is there stays as it is, and so does what is not ours.
    said(&daemon, "", &["reload"]);
    said(&daemon, "", &["status"]);
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "precious").unwrap();
    daemon.signal(Signal::HUP);
    daemon.sigterm();
    assert_eq!(daemon.exited().await.code(), Some(0));
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
}

#[tokio::test]
async fn garbage_and_crowds_at_the_socket_harm_nobody() {
    let daemon = daemon().await;
    let socket = daemon.data_dir().join("control.sock");
    let mut crowd = Vec::new();
    for _ in 0..70 {
        crowd.push(UnixStream::connect(&socket).await.expect("a connection"));
    }
    let mut last = Wire::on("last", crowd.pop().unwrap());
    last.expect_code("too_many_connections").await;
    last.expect_close().await;
    let mut ann = daemon.native("ann").await;
    ann.join("lobby").await;
    ann.say("lobby", "undisturbed").await;
    drop(crowd);
    // Those who left make room; that takes the moment in which their end is noticed.
    let mut garbage = loop {
        let mut wire = operator(&daemon).await;
        // It may be turned away before it has said anything.
        wire.send_what_goes("{\"request\":\"ping\"}\n").await;
        if wire.next().await["response"] == "ping" {
            break wire;
        }
    };
    garbage.send_raw(format!("{}\n", "[".repeat(100_000))).await;
    garbage.expect_code("bad_json").await;
    garbage.ask(json!({"request": "ping"})).await;
    garbage.send_raw(vec![b' '; 1 << 20]).await;
    garbage.ask(json!({"request": "ping"})).await;
    garbage.send_raw(format!("{{\"request\":\"{}\"", "x".repeat(200_000))).await;
    garbage.expect_code("frame_too_large").await;
    ann.say("lobby", "still undisturbed").await;
}

#[tokio::test]
async fn new_settings_hold_without_a_restart_and_end_no_session() {
    let daemon = daemon().config(&format!("{FREE}max_text_bytes = 1000\n[server]\nmotd = \"before\"\n")).await;
    let mut ann = daemon.native("ann").await;
    ann.join("lobby").await;
    ann.say("lobby", &"x".repeat(1000)).await;
    let file = daemon.dir().join("snakk.toml");
    let text = format!(
        "{FREE}max_text_bytes = 10\n[server]\nmotd = \"after\"\n[storage]\nreaders = 3\n[accounts]\nguests = false\n\
         registration = \"closed\"\n[log]\nlevel = \"debug\"\n"
    );
    fs::write(&file, text).unwrap();
    let said_by = said(&daemon, "", &["reload"]);
    assert_eq!(
        said_by,
        "changed: server.motd, accounts.guests, accounts.registration, limits.max_text_bytes, log.level\n\
         only at the next start: storage.readers\n"
    );
    assert_eq!(said(&daemon, "", &["log-level"]), "debug\n");
    ann.say("lobby", "ten bytes.").await;
    ann.ask_in_vain(json!({"request": "message", "room": "lobby", "text": "eleven byte"}), "text_too_long").await;
    let mut bob = daemon.hello("bob").await;
    let hello = bob.ask(json!({"request": "hello", "protocol": 1})).await;
    assert_eq!((&hello["motd"], &hello["accounts"]["guests"]), (&json!("after"), &json!(false)));
    bob.ask_in_vain(json!({"request": "login", "username": "bob"}), "forbidden").await;
    // A bad file changes nothing, and says why.
    fs::write(&file, "[server]\nmotd = \"worse\"\nname = 7\n").unwrap();
    let output = command(&daemon, "", &["reload"]);
    // The command reads the configuration as well, to find the daemon.
    assert_eq!(output.status.code(), Some(78));
    let mut operator = operator(&daemon).await;
    let answer = operator.ask(json!({"request": "reload"})).await;
    assert_eq!((&answer["changed"], &answer["restart"]), (&json!([]), &json!([])));
    let problem = answer["problems"][0].as_str().unwrap();
    assert!(problem.contains("snakk.toml:3:8: server.name is 7"), "{problem}");
    let hello = bob.ask(json!({"request": "hello", "protocol": 1})).await;
    assert_eq!(hello["motd"], "after");
    // By signal it is the same.
    fs::write(&file, format!("{FREE}[server]\nmotd = \"by signal\"\n")).unwrap();
    daemon.signal(Signal::HUP);
    let by_signal = async { while bob.ask(json!({"request": "hello", "protocol": 1})).await["motd"] != "by signal" {} };
    within("the settings", by_signal).await;
    ann.say("lobby", "still here").await;
}

#[tokio::test]
async fn many_reloads_under_load_lose_no_session_and_no_message() {
    let daemon = daemon().await;
    let file = daemon.dir().join("snakk.toml");
    let mut ann = daemon.native("ann").await;
    let mut bob = daemon.native("bob").await;
    ann.join("lobby").await;
    bob.join("lobby").await;
    let mut operator = operator(&daemon).await;
    for number in 0..100 {
        let bad = number % 2 == 1;
        fs::write(
            &file,
            if bad {
                "[limits]\nmax_txt_bytes = 1\n".to_owned()
            } else {
                format!("{FREE}[server]\nmotd = \"{number}\"\n")
            },
        )
        .unwrap();
        daemon.signal(Signal::HUP);
        let answer = operator.ask(json!({"request": "reload"})).await;
        assert_eq!(answer["problems"].as_array().unwrap().len(), usize::from(bad), "{answer}");
        ann.say("lobby", &format!("message {number}")).await;
        bob.hear("lobby", &format!("message {number}")).await;
    }
}

#[tokio::test]
async fn the_log_level_changes_while_it_runs() {
    let daemon = daemon().await;
    assert_eq!(said(&daemon, "", &["log-level"]), "info\n");
    assert_eq!(
        said(&daemon, "", &["log-level", "info,snakk::server=trace", "--json"]),
        "{\"level\":\"info,snakk::server=trace\",\"response\":\"log_level\"}\n"
    );
    assert_eq!(said(&daemon, "", &["log-level"]), "info,snakk::server=trace\n");
    for wrong in ["a=b=c", "loud", "debu"] {
        assert_eq!(command(&daemon, "", &["log-level", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn settings_are_checked_and_taken_over_by_programs_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        let server =
            Server::builder(config.clone()).data_dir(folder.path()).listen("127.0.0.1:0").start().await.unwrap();
        config.server.motd = "new".to_owned();
        config.storage.readers = 5;
        let reloaded = server.reload(&config).unwrap();
        assert_eq!(
            (reloaded.changed, reloaded.restart),
            (vec!["server.motd".to_owned()], vec!["storage.readers".to_owned()])
        );
        config.storage.readers = 0;
        assert!(server.reload(&config).unwrap_err().to_string().contains("storage.readers is 0"));
        server.shutdown().await.unwrap();
    });
}

#[tokio::test]
async fn the_settings_in_force_are_shown_with_where_they_come_from() {
    let setup = daemon();
    let file = setup.dir().join("snakk.toml");
    fs::write(&file, "[server]\nmotd = \"hi\"\n[limits]\nmessage_burst = 7\n").unwrap();
    let mut command = setup.command(&["config", "--config", "snakk.toml"]);
    command.env("SNAKK_LIMITS__MESSAGE_BURST", "9");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |key: &str| text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap().to_owned();
    assert!(line("motd").ends_with("# snakk.toml:2:8"), "{text}");
    assert!(
        line("message_burst").starts_with("message_burst = 9 ")
            && line("message_burst").ends_with("# SNAKK_LIMITS__MESSAGE_BURST")
    );
    assert!(line("data_dir").ends_with("# --data-dir") && line("name").ends_with("# default"));
    // It can be read again, and means the same.
    fs::write(&file, &text).unwrap();
    let again = setup.run(&["config", "--config", "snakk.toml", "--json"]).await;
    let values = objects(&again.lines.join("\n"));
    assert!(values.contains(&json!({"key": "limits.message_burst", "value": 9, "from": format!("snakk.toml:{}:17", 1 + text.lines().position(|line| line.starts_with("message_burst")).unwrap())})), "{:?}", again.lines);
    let check = setup.run(&["check", "--config", "snakk.toml", "--listen", "0.0.0.0:9"]).await;
    assert_eq!(check.code, Some(0));
}
