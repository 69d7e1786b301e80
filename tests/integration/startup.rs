//! Starting and stopping, with the real program: what is refused, with which exit code and which words, and that what is
//! refused stays as it was; what is there when it says that it listens; what becomes of everybody when it is told to stop.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::load::{Follower, Load, check, check_database};
use crate::support::daemon::FREE;
use crate::support::server::{guest, hello};
use crate::support::{Daemon, Wire, daemon, json, within};

/// A folder to be in.
struct Place(TempDir);

/// How a program ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `snakkd` in this folder, with nothing of our environment that could matter.
    fn snakkd(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
        command.args(args).current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command
    }

    /// The same, as a line of a shell in which `$0` is the program.
    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_snakkd")]);
        command.current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command
    }

    /// Runs it to its end, which has to come by itself and soon.
    async fn run(&self, args: &[&str]) -> Ended {
        ended(self.snakkd(args)).await
    }
}

async fn ended(command: Command) -> Ended {
    let mut daemon = daemon().spawn_by(command);
    let mut stdout = String::new();
    while let Some(line) = within("the end of the output", daemon.line()).await {
        stdout += &line;
        stdout += "\n";
    }
    let code = daemon.exited().await.code();
    Ended { code, stdout, stderr: daemon.stderr() }
}

/// Starts it, and waits until it listens.
async fn started(command: Command) -> Daemon {
    let mut daemon = daemon().spawn_by(command);
    daemon.listens().await;
    daemon
}

/// Stops it, which has to be possible in good order; what it said on standard error.
async fn stop(mut daemon: Daemon) -> String {
    daemon.sigterm();
    let status = daemon.exited().await;
    assert_eq!(status.code(), Some(0), "{}", daemon.stderr());
    daemon.stderr()
}

/// Everything below a folder, byte by byte.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if fs::symlink_metadata(&path).unwrap().file_type().is_socket() {
            // A dead daemon's control socket: there is nothing in it.
            continue;
        }
        if path.is_dir() {
            found.insert(path.display().to_string(), Vec::new());
            found.append(&mut files(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

#[track_caller]
fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in {:?}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{:?}", ended.stderr);
}

#[tokio::test]
async fn each_refusal_has_its_exit_code_and_leaves_nothing_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let place = Place::new();
    fs::write(place.path("a-file"), "not a folder").unwrap();
    fs::write(place.path("bad.toml"), "[server]\nnane = \"x\"\n").unwrap();
    let before = files(place.0.path());
    let cases: [(&[&str], i32, &[&str]); 13] = [
        (&["--nonsense"], 2, &["--nonsense"]),
        (&["frobnicate"], 2, &["frobnicate"]),
        (&["--config"], 2, &["--config"]),
        (&["--listen", "9998"], 2, &["9998"]),
        (&["check", "check"], 2, &["check"]),
        (&["--listen", &taken], 69, &[&taken]),
        (&["--listen", "192.0.2.1:0"], 69, &["192.0.2.1"]),
        (&["--listen", "127.0.0.1:0", "--listen", &taken], 69, &[&taken]),
        (&["--listen", "127.0.0.1:0", "--data-dir", "a-file"], 73, &["a-file"]),
        (&["--listen", "127.0.0.1:0", "--data-dir", "a-file/below"], 73, &["a-file/below"]),
        (&["--listen", "127.0.0.1:0", "--data-dir", "/proc/snakk"], 73, &["/proc/snakk"]),
        (&["--config", "nowhere.toml"], 78, &["nowhere.toml"]),
        (&["--config", "bad.toml"], 78, &["bad.toml:2:1", "nane", "\"name\""]),
    ];
    for (args, code, words) in cases {
        let ended = place.run(args).await;
        refused(&ended, code, words);
        assert_eq!(ended.stdout, "", "{args:?}");
        assert_eq!(files(place.0.path()).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["check", "--help"]] {
        let ended = place.run(args).await;
        assert_eq!(
            (ended.code, ended.stdout.contains("snakkd"), ended.stderr.as_str()),
            (Some(0), true, ""),
            "{args:?}"
        );
    }
    assert_eq!(files(place.0.path()), before);
}

#[tokio::test]
async fn a_bad_configuration_is_told_with_its_place_and_makes_nothing() {
    let cases: [(&[u8], &[&str]); 14] = [
        (b"[limits]\nstall_timeot = \"1s\"\n", &["x.toml:2:1", "limits.stall_timeot", "\"stall_timeout\""]),
        (b"[limits]\nstall_timeout = \"-5s\"\n", &["x.toml:2:17", "limits.stall_timeout", "-5s"]),
        (b"[limits]\nstall_timeout = \"1000000000000000000000000000000s\"\n", &["x.toml:2:17", "limits.stall_timeout"]),
        (b"[limits]\nstall_timeout = 5\n", &["x.toml:2:17", "limits.stall_timeout"]),
        (b"[limits]\nmax_connections = \"5\"\n", &["x.toml:2:19", "limits.max_connections"]),
        (b"[limits]\nmessage_burst = 1\nmessage_burst = 2\n", &["x.toml:3:1", "message_burst"]),
        (b"[storage]\n durability = \"ful\"\n", &["x.toml:2:15", "storage.durability", "\"full\""]),
        (b"[stroage]\n", &["x.toml:1:2", "stroage", "\"storage\""]),
        (b"[[listener]]\naddress = \"nowhere\"\n", &["x.toml:2:11", "listener.address"]),
        (b"[rooms]\r\ndefault = [\"a b\"]\r\n", &["x.toml:2:11", "rooms.default"]),
        (b"[server]\nname = \"a\\u001b[31m\"\n", &["x.toml:2:8", "server.name"]),
        (b"[server\n", &["x.toml:1:"]),
        (b"[server]\nname = \"\xff\"\n", &["x.toml"]),
        (b"[log]\nlevel = \"loud!\"\n", &["x.toml:2:9", "log.level"]),
    ];
    let place = Place::new();
    let file = place.path("x.toml");
    for (text, words) in cases {
        fs::write(&file, text).unwrap();
        for args in [&["--config", "x.toml"][..], &["check", "--config", "x.toml"]] {
            let ended = place.run(args).await;
            refused(&ended, 78, words);
            assert!(!ended.stderr.contains('\x1b'), "{:?}", ended.stderr);
        }
    }
    // Not even a file.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused(&place.run(&["--config", "x.toml"]).await, 78, &["x.toml"]);
    fs::remove_dir(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    refused(&place.run(&["--config", "x.toml"]).await, 78, &["x.toml"]);
    fs::remove_file(&file).unwrap();
    fs::File::create(&file).unwrap().set_len(100 << 20).unwrap();
    refused(&place.run(&["--config", "x.toml"]).await, 78, &["x.toml"]);
    fs::remove_file(&file).unwrap();
    assert!(files(place.0.path()).is_empty());
}

#[tokio::test]
async fn variables_override_the_file_and_are_named_where_they_are_wrong() {
    let place = Place::new();
    fs::write(place.path("x.toml"), "[server]\nname = \"file\"\nmotd = \"hi\"\n").unwrap();
    let mut command = place.snakkd(&["--config", "x.toml", "--listen", "127.0.0.1:0"]);
    command.env("SNAKK_SERVER__NAME", "boat");
    let daemon = started(command).await;
    let hello = daemon.connect("ann").await.ask(json!({"request": "hello", "protocol": 1})).await;
    assert_eq!((&hello["name"], &hello["motd"]), (&json!("boat"), &json!("hi")));
    stop(daemon).await;

    let mut command = place.snakkd(&["--listen", "127.0.0.1:0"]);
    command.env("SNAKK_CONFIG", "x.toml");
    let daemon = started(command).await;
    assert_eq!(daemon.connect("ann").await.ask(json!({"request": "hello", "protocol": 1})).await["name"], "file");
    stop(daemon).await;

    let cases = [
        ("SNAKK_LIMITS__MAX_CONNECTIONS", "many"),
        ("SNAKK_LIMITS__MAX_CONECTIONS", "1"),
        ("SNAKK_NOTHING__AT_ALL", "1"),
        ("SNAKK_LIMITS__LOGIN_TIMEOUT", "-5s"),
    ];
    for (name, value) in cases {
        let mut command = place.snakkd(&["--listen", "127.0.0.1:0"]);
        command.env(name, value);
        refused(&ended(command).await, 78, &[name]);
    }
}

#[tokio::test]
async fn check_creates_nothing_and_init_writes_what_check_accepts() {
    let place = Place::new();
    for args in [&["check"][..], &["--data-dir", "d", "check"], &["check", "--data-dir", "d", "--listen", "[::1]:1"]] {
        let ended = place.run(args).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}: {ended:?}");
    }
    assert!(files(place.0.path()).is_empty(), "{:?}", files(place.0.path()).keys());

    for (args, file) in [(&["init"][..], "snakk.toml"), (&["init", "--config", "other.toml"], "other.toml")] {
        assert_eq!(place.run(args).await.code, Some(0), "{args:?}");
        let written = fs::read_to_string(place.path(file)).unwrap();
        assert_eq!(written, snakk::Config::example());
        refused(&place.run(args).await, 1, &[file]);
        assert_eq!(fs::read_to_string(place.path(file)).unwrap(), written);
        let ended = place.run(&["--config", file, "check"]).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    }
    refused(&place.run(&["init", "--config", "no/where.toml"]).await, 73, &["no/where.toml"]);
    let mut names: Vec<String> = files(place.0.path()).into_keys().collect();
    names.retain(|name| !name.ends_with(".toml"));
    assert_eq!(names, Vec::<String>::new());
    stop(started(place.snakkd(&["--config", "other.toml", "--listen", "127.0.0.1:0"])).await).await;
}

#[tokio::test]
async fn check_finds_in_paths_what_the_start_would_end_with() {
    let place = Place::new();
    for folder in ["dir", "data", "data/taken.db"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    fs::write(place.path("file"), "no folder").unwrap();
    symlink("../file", place.path("data/link.sock")).unwrap();
    let long = "x".repeat(120);
    let cases = [
        ("[storage]\nfile = \"taken.db\"\n", 73, "which is a folder"),
        ("[storage]\nfile = \"/dev/null\"\n", 73, "which is no file"),
        ("[storage]\nfile = \"nowhere/x.db\"\n", 73, "data/nowhere"),
        ("[storage]\nfile = \"/nonexistent/x.db\"\n", 73, "storage.file is /nonexistent/x.db, but there is no folder"),
        ("[storage]\nfile = \"../file/x.db\"\n", 73, "is not a folder"),
        ("[server]\ncontrol_socket = \"/nonexistent/c.sock\"\n", 69, "but there is no folder /nonexistent"),
        ("[server]\ncontrol_socket = \"link.sock\"\n", 69, "link.sock, which exists and is not a socket"),
        (&format!("[server]\ncontrol_socket = \"{long}\"\n"), 78, "more than 107 bytes"),
        ("[log]\nformat = \"journald\"\n", 78, "there is no journal"),
    ];
    let before = files(place.0.path());
    for (text, code, words) in cases {
        fs::write(place.path("x.toml"), text).unwrap();
        let command = |args: &[&str]| {
            let mut command = place.snakkd(&["--config", "x.toml", "--data-dir", "data"]);
            command.args(args).env("SNAKK_JOURNAL_SOCKET", place.path("no-journal"));
            command
        };
        refused(&ended(command(&["check"])).await, code, &[words]);
        let mut now = files(place.0.path());
        now.retain(|path, _| !path.ends_with("x.toml"));
        assert_eq!(now, before, "{text}");
        assert_eq!(ended(command(&["--listen", "127.0.0.1:0"])).await.code, Some(code), "the start: {text}");
        for made in ["snakk.db", "snakk.db-wal", "snakk.db-shm"] {
            let _ = fs::remove_file(place.path("data").join(made));
        }
    }
    refused(&place.run(&["check", "--data-dir", "/proc/snakk"]).await, 73, &["/proc is the kernel's"]);
    // There is a folder only when something is started.
    fs::write(place.path("x.toml"), "[server]\ncontrol_socket = \"/run/nonexistent/c.sock\"\n").unwrap();
    let ended = place.run(&["check", "--config", "x.toml"]).await;
    assert!(ended.code == Some(0) && ended.stdout.contains("note: server.control_socket is /run/"), "{ended:?}");
    // The start makes these.
    fs::write(place.path("x.toml"), "[log]\ndirectory = \"log\"\n[storage]\nfile = \"log/x.db\"\n").unwrap();
    assert_eq!(place.run(&["check", "--config", "x.toml", "--data-dir", "new"]).await.code, Some(0));
}

#[tokio::test]
async fn the_data_is_where_it_was_told() {
    let place = Place::new();
    fs::write(place.path("x.toml"), format!("[server]\ndata_dir = {:?}\n", place.path("from-file"))).unwrap();
    type Change = fn(&mut Command, &Place);
    let cases: [(&str, Change); 6] = [
        ("from-argument", |command, _| _ = command.args(["--data-dir", "from-argument", "--config", "x.toml"])),
        ("deep/er", |command, _| _ = command.args(["--data-dir", "deep/er"]).env_remove("HOME")),
        ("from-file", |command, _| _ = command.args(["--config", "x.toml"])),
        ("state", |command, place| _ = command.env("STATE_DIRECTORY", place.path("state"))),
        ("xdg/snakk", |command, place| _ = command.env("XDG_STATE_HOME", place.path("xdg"))),
        (".local/state/snakk", |_, _| ()),
    ];
    for (folder, change) in cases {
        let mut command = place.snakkd(&["--listen", "127.0.0.1:0"]);
        change(&mut command, &place);
        let daemon = started(command).await;
        assert!(place.path(folder).join("snakk.db").is_file(), "{folder}");
        let said = stop(daemon).await;
        assert!(said.contains(folder), "it says where its data is: {said}");
    }
    // With no place at all it says so, and which.
    let mut command = place.snakkd(&["--listen", "127.0.0.1:0"]);
    command.env_clear();
    let ended = ended(command).await;
    refused(&ended, 78, &["server.data_dir"]);
}

#[tokio::test]
async fn whoever_connects_at_the_listening_line_is_answered() {
    let place = Place::new();
    for _ in 0..20 {
        let mut daemon = started(place.snakkd(&["--data-dir", "d", "--listen", "127.0.0.1:0"])).await;
        let hello = daemon.connect("ann").await.ask(json!({"request": "hello", "protocol": 1})).await;
        assert_eq!(hello["protocol"], 1);
        daemon.kill9().await;
    }
}

/// Asks over a Unix socket who is there.
async fn hello_over(socket: &Path) -> String {
    let client = within("a connection", tokio::net::UnixStream::connect(socket)).await.unwrap();
    let mut client = BufReader::new(client);
    client.write_all(b"{\"request\":\"hello\",\"protocol\":1}").await.unwrap();
    let mut line = String::new();
    within("an answer", client.read_line(&mut line)).await.unwrap();
    line
}

#[tokio::test]
async fn each_listener_has_its_line() {
    let place = Place::new();
    let args = ["--data-dir", "d", "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--listen", "unix:s.sock"];
    let mut daemon = daemon().spawn_by(place.snakkd(&args));
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(within("a line for each listener", daemon.line()).await.unwrap_or_default());
    }
    assert!(lines[0].starts_with("listening on 127.0.0.1:") && lines[0].ends_with(" (tcp)"), "{lines:?}");
    assert!(lines[1].starts_with("listening on [::1]:") && lines[1].ends_with(" (tcp)"), "{lines:?}");
    assert!(lines[2].starts_with("listening on ") && lines[2].contains("s.sock"), "{lines:?}");
    assert!(hello_over(&place.path("s.sock")).await.starts_with("{\"response\":\"hello\""));
    daemon.sigterm();
    assert_eq!(daemon.line().await, None, "nothing else goes to standard output");
    stop(daemon).await;
    // A socket that was left behind is no obstacle, and one that is in use stays.
    let mut daemon = started_on_socket(&place).await;
    daemon.kill9().await;
    assert!(place.path("s.sock").exists());
    let daemon = started_on_socket(&place).await;
    let other = place.run(&["--data-dir", "other", "--listen", "unix:s.sock"]).await;
    refused(&other, 69, &["s.sock"]);
    assert!(hello_over(&place.path("s.sock")).await.starts_with("{\"response\":\"hello\""));
    stop(daemon).await;
}

async fn started_on_socket(place: &Place) -> Daemon {
    let mut daemon = daemon().spawn_by(place.snakkd(&["--data-dir", "d", "--listen", "unix:s.sock"]));
    let line = within("a line", daemon.line()).await;
    assert!(line.is_some(), "{}", daemon.stderr());
    daemon
}

#[tokio::test]
async fn it_runs_with_standard_output_closed() {
    let place = Place::new();
    // Its own output is closed; the other copy of the pipe's end tells us that it runs, by what it says elsewhere.
    let mut command = place.shell("exec \"$0\" --data-dir d --listen unix:s.sock 3>&1 >&- 2>&3");
    command.env("SNAKK_LOG__LEVEL", "info");
    let mut daemon = daemon().spawn_by(command);
    loop {
        let line = within("a line of the log", daemon.line()).await.expect("it runs");
        if line.contains("snakkd is running") {
            break;
        }
    }
    assert!(hello_over(&place.path("s.sock")).await.starts_with("{\"response\":\"hello\""));
    stop(daemon).await;
}

#[tokio::test]
async fn what_it_keeps_is_nobody_elses_business() {
    let place = Place::new();
    fs::write(place.path("snakk.toml"), "[log]\ndirectory = \"log\"\n").unwrap();
    let start = "umask 000; exec \"$0\" --config snakk.toml --data-dir d --listen 127.0.0.1:0";
    let daemon = started(place.shell(start)).await;
    let mut ann = daemon.native("ann").await;
    ann.join("lobby").await;
    ann.say("lobby", "private").await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path("d")), 0o700);
    let mut seen = 0;
    let folders = ["d", "d/log"].map(|folder| fs::read_dir(place.path(folder)).unwrap());
    for entry in folders.into_iter().flatten() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "a database and its log, and a folder with a log file");
    stop(daemon).await;
}

#[tokio::test]
async fn a_reload_takes_over_the_level_and_refuses_a_bad_file() {
    let place = Place::new();
    fs::write(place.path("snakk.toml"), "[log]\nlevel = \"info\"\n").unwrap();
    // The log goes where its lines can be awaited.
    let daemon = &mut daemon().spawn_by(place.shell("exec \"$0\" --listen 127.0.0.1:0 2>&1"));
    wait_for(daemon, "snakkd is running").await;
    fs::write(place.path("snakk.toml"), "[log]\nlevel = \"info\"\nkeep = -1\n").unwrap();
    daemon.signal(Signal::HUP);
    wait_for(daemon, "snakk.toml:3:8: log.keep is -1").await;
    fs::write(place.path("snakk.toml"), "[log]\nlevel = \"debug\"\n[storage]\nreaders = 7\n").unwrap();
    daemon.signal(Signal::HUP);
    wait_for(daemon, "restart=storage.readers").await;
    daemon.sigterm();
    assert_eq!(daemon.exited().await.code(), Some(0));
}

async fn wait_for(daemon: &mut Daemon, words: &str) {
    loop {
        let line = within(words, daemon.line()).await;
        if line.unwrap_or_else(|| panic!("the log ends before {words:?}")).contains(words) {
            return;
        }
    }
}

/// A database with some messages in it, cleanly closed.
async fn written(messages: usize) -> Daemon {
    let mut daemon = daemon().await;
    let mut ann = daemon.native("ann").await;
    ann.join("lobby").await;
    for n in 0..messages {
        ann.say("lobby", &format!("{n} {}", "x".repeat(1000))).await;
    }
    daemon.sigterm();
    assert_eq!(daemon.exited().await.code(), Some(0));
    daemon
}

/// Starts it on data that it has to refuse.
async fn again_in_vain(daemon: &Daemon, code: i32, words: &[&str]) {
    let mut daemon = daemon.again().spawn();
    assert_eq!(within("the end of the output", daemon.line()).await, None);
    let code_now = daemon.exited().await.code();
    refused(&Ended { code: code_now, stdout: String::new(), stderr: daemon.stderr() }, code, words);
}

#[tokio::test]
async fn a_database_that_it_cannot_use_is_refused_and_left_untouched() {
    type Spoil = fn(&Path);
    let spoil: [(&str, Spoil); 6] = [
        ("newer", |file| {
            let database = rusqlite::Connection::open(file).unwrap();
            database.pragma_update(None, "user_version", 9999).unwrap();
        }),
        ("of another program", |file| {
            fs::remove_file(file).unwrap();
            let database = rusqlite::Connection::open(file).unwrap();
            database.execute_batch("CREATE TABLE holiday (photo BLOB); INSERT INTO holiday VALUES (x'00')").unwrap();
        }),
        ("of another program that says so", |file| {
            fs::remove_file(file).unwrap();
            let database = rusqlite::Connection::open(file).unwrap();
            database.execute_batch("PRAGMA application_id = 252006673; CREATE TABLE t (a)").unwrap();
        }),
        ("no database", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[..16].copy_from_slice(b"Once upon a time");
            fs::write(file, bytes).unwrap();
        }),
        ("a text", |file| fs::write(file, "Dear diary,\n".repeat(1000)).unwrap()),
        ("cut in half", |file| {
            let file = fs::OpenOptions::new().write(true).open(file).unwrap();
            let bytes = file.metadata().unwrap().len();
            file.set_len(bytes / 2 / 4096 * 4096).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        let daemon = written(50).await;
        let file = daemon.data_dir().join("snakk.db");
        spoil(&file);
        let before = files(daemon.dir());
        again_in_vain(&daemon, 1, &["snakk.db"]).await;
        let after = files(daemon.dir());
        assert!(before == after, "{what}: {:?} became {:?}", before.keys(), after.keys());
    }
}

#[tokio::test]
async fn a_database_that_was_damaged_while_nobody_had_closed_it_is_refused_and_left_untouched() {
    let mut daemon = written(50).await.again().await;
    daemon.kill9().await;
    let file = daemon.data_dir().join("snakk.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let before = files(daemon.dir());
    again_in_vain(&daemon, 1, &["snakk.db"]).await;
    let after = files(daemon.dir());
    for (name, bytes) in &before {
        assert!(after.get(name) == Some(bytes), "{name} was changed");
    }
}

#[tokio::test]
async fn a_start_that_was_killed_at_any_moment_is_no_obstacle_to_the_next() {
    let place = daemon();
    for killed in 0..10 {
        let mut daemon = place.clone().spawn();
        // Each a little later than the one before it, from at once to about when it listens.
        tokio::time::sleep(Duration::from_millis(3 * killed)).await;
        daemon.kill9().await;
    }
    let daemon = place.await;
    let mut ann = daemon.native("ann").await;
    ann.join("lobby").await;
    assert_eq!(ann.say("lobby", "first").await, 1);
    stop(daemon).await;
}

#[tokio::test]
async fn a_database_has_one_daemon_by_whatever_name_it_is_called() {
    let place = Place::new();
    let usual = ["--data-dir", "data", "--listen", "127.0.0.1:0"];
    let mut first = started(place.snakkd(&usual)).await;
    let mut ann = first.native("ann").await;
    ann.join("lobby").await;
    let data = place.path("data");
    symlink(&data, place.path("link")).unwrap();
    fs::create_dir(place.path("soft")).unwrap();
    symlink(data.join("snakk.db"), place.path("soft").join("snakk.db")).unwrap();
    fs::create_dir(place.path("hard")).unwrap();
    fs::hard_link(data.join("snakk.db"), place.path("hard").join("snakk.db")).unwrap();
    let whole = data.display().to_string();
    for folder in ["data", "data/../data", &whole, "link", "soft", "hard"] {
        let begun = Instant::now();
        let ended = place.run(&["--data-dir", folder, "--listen", "127.0.0.1:0"]).await;
        refused(&ended, 75, &["snakk.db"]);
        assert!(begun.elapsed() < Duration::from_secs(2), "{folder}: {:?}", begun.elapsed());
        ann.say("lobby", "still here").await;
    }
    // Nobody has to clear anything away.
    first.kill9().await;
    let second = started(place.snakkd(&usual)).await;
    let page = second.native("bob").await.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(6));
    stop(second).await;
}

#[tokio::test]
async fn an_idle_daemon_is_gone_within_a_second() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = daemon().await;
        // Nobody of these has anything to wait for: silent, in the middle of an object, and with nothing to be told.
        let mut silent = daemon.connect("silent").await;
        let mut half = daemon.native("half").await;
        half.send_raw("{\"request\":\"mess").await;
        let mut idle = daemon.native("idle").await;
        idle.join("lobby").await;
        let begun = Instant::now();
        daemon.signal(signal);
        for wire in [&mut idle, &mut half] {
            wire.expect(json!({"event": "shutdown", "reason": "<string>", "retry_after_ms": "<int>"})).await;
            wire.expect_close().await;
        }
        silent.rest().await;
        assert_eq!(daemon.exited().await.code(), Some(0), "{}", daemon.stderr());
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert!(Wire::try_connect("late", daemon.address()).await.is_err());
    }
}

#[tokio::test]
async fn a_stop_under_load_loses_nothing_and_tells_everybody() {
    let mut daemon = daemon().await;
    let rooms = ["one", "two"];
    let mut load = Load::start(daemon.address(), "load", 8, &rooms).await;
    let mut followers = Vec::new();
    for (number, room) in rooms.iter().chain(&rooms).enumerate() {
        followers.push(Follower::start(daemon.address(), &format!("follower-{number}"), room).await);
    }
    load.acknowledged(2000).await;
    let begun = Instant::now();
    daemon.sigterm();
    assert_eq!(daemon.exited().await.code(), Some(0), "{}", daemon.stderr());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let ledger = load.ended().await;
    let mut seen = Vec::new();
    for follower in followers {
        seen.push(follower.ended().await);
    }
    check_database(&daemon.data_dir());
    let daemon = daemon.again().await;
    check(daemon.address(), &ledger.posts, &seen).await;
    stop(daemon).await;
    assert!(seen.iter().all(|seen| seen.told), "each follower was told, and then came the end");
    assert_eq!(ledger.told, 8, "each sender was told, and then came the end");
}

/// A guest who follows the lobby, and whose kernel takes little for him while he does not read.
async fn narrow_follower(daemon: &Daemon) -> Wire {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = within("a connection", socket.connect(daemon.address())).await.unwrap();
    let mut slow = guest(hello(Wire::over("slow", stream).unwrap()).await).await;
    slow.join("lobby").await;
    slow
}

#[tokio::test]
async fn readers_who_take_nothing_do_not_hold_the_stop_up() {
    let mut daemon = daemon().config(&format!("{FREE}stall_timeout = \"60s\"\n")).await;
    let stalled = narrow_follower(&daemon).await;
    let mut loud = daemon.native("loud").await;
    loud.join("lobby").await;
    for n in 0..1000 {
        loud.say("lobby", &format!("{n} {}", "x".repeat(8000))).await;
    }
    // A password is being checked, too.
    let mut new = daemon.hello("new").await;
    new.send(json!({"request": "register", "username": "new", "password": "correct horse"})).await;
    let begun = Instant::now();
    daemon.sigterm();
    assert_eq!(loud.rest().await.last().map(|last| last["event"].clone()), Some(json!("shutdown")));
    assert_eq!(daemon.exited().await.code(), Some(0), "{}", daemon.stderr());
    // A second of patience with those who may be taking bytes, and one for a slow machine.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    new.rest().await;
    drop(stalled);
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut daemon = daemon().config(&format!("{FREE}stall_timeout = \"60s\"\n")).await;
    // A reader that takes bytes, but few at a time, uses the grace.
    let mut slow = narrow_follower(&daemon).await;
    let mut loud = daemon.native("loud").await;
    loud.join("lobby").await;
    for n in 0..1000 {
        loud.say("lobby", &format!("{n} {}", "x".repeat(8000))).await;
    }
    daemon.sigterm();
    // Whoever reads is told, so by then the stop is under way.
    assert_eq!(loud.rest().await.last().map(|last| last["event"].clone()), Some(json!("shutdown")));
    slow.read_once().await;
    let begun = Instant::now();
    daemon.sigterm();
    assert_eq!(daemon.exited().await.code(), Some(1), "{}", daemon.stderr());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    check_database(&daemon.data_dir());
}
