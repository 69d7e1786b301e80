//! Starting and stopping, with the real program: what is refused, with which exit code and which words, and that what is
//! refused stays as it was; what is there when it says that it listens; what becomes of everybody when it is told to stop.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::load::{Daemon, Ended, Follower, Load, Place, check};

/// Everything below a folder, byte by byte.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
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

#[test]
fn each_refusal_has_its_exit_code_and_leaves_nothing_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let place = Place::new();
    fs::write(place.path("a-file"), "not a folder").unwrap();
    fs::write(place.path("bad.toml"), "[server]\nnane = \"x\"\n").unwrap();
    let before = files(place.folder());
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
        let ended = place.run(args);
        refused(&ended, code, words);
        assert_eq!(ended.stdout, "", "{args:?}");
        assert_eq!(files(place.folder()).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["check", "--help"]] {
        let ended = place.run(args);
        assert_eq!((ended.code, ended.stdout.contains("snakkd"), ended.stderr.as_str()), (Some(0), true, ""), "{args:?}");
    }
    assert_eq!(files(place.folder()), before);
}

#[test]
fn a_bad_configuration_is_told_with_its_place_and_makes_nothing() {
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
            let ended = place.run(args);
            refused(&ended, 78, words);
            assert!(!ended.stderr.contains('\x1b'), "{:?}", ended.stderr);
        }
    }
    // Not even a file.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused(&place.run(&["--config", "x.toml"]), 78, &["x.toml"]);
    fs::remove_dir(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    refused(&place.run(&["--config", "x.toml"]), 78, &["x.toml"]);
    fs::remove_file(&file).unwrap();
    fs::File::create(&file).unwrap().set_len(100 << 20).unwrap();
    refused(&place.run(&["--config", "x.toml"]), 78, &["x.toml"]);
    fs::remove_file(&file).unwrap();
    assert!(files(place.folder()).is_empty());
}

#[test]
fn variables_override_the_file_and_are_named_where_they_are_wrong() {
    let place = Place::new();
    fs::write(place.path("x.toml"), "[server]\nname = \"file\"\nmotd = \"hi\"\n").unwrap();
    let mut daemon = place.start_with(|command| {
        command.args(["--config", "x.toml"]).env("SNAKK_SERVER__NAME", "boat");
    });
    let hello = daemon.wire().ask(json!({"request": "hello", "protocol": 1}));
    assert_eq!((&hello["name"], &hello["motd"]), (&json!("boat"), &json!("hi")));
    assert_eq!(daemon.stop().code, Some(0));

    let mut daemon = place.start_with(|command| {
        command.env("SNAKK_CONFIG", "x.toml");
    });
    assert_eq!(daemon.wire().ask(json!({"request": "hello", "protocol": 1}))["name"], "file");
    assert_eq!(daemon.stop().code, Some(0));

    let cases = [
        ("SNAKK_LIMITS__MAX_CONNECTIONS", "many"),
        ("SNAKK_LIMITS__MAX_CONECTIONS", "1"),
        ("SNAKK_NOTHING__AT_ALL", "1"),
        ("SNAKK_LIMITS__LOGIN_TIMEOUT", "-5s"),
    ];
    for (name, value) in cases {
        let ended = place.run_with(|command| {
            command.env(name, value);
        });
        refused(&ended, 78, &[name]);
    }
}

#[test]
fn check_creates_nothing_and_init_writes_what_check_accepts() {
    let place = Place::new();
    for args in [&["check"][..], &["--data-dir", "d", "check"], &["check", "--data-dir", "d", "--listen", "[::1]:1"]] {
        let ended = place.run(args);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}: {ended:?}");
    }
    assert!(files(place.folder()).is_empty(), "{:?}", files(place.folder()).keys());

    for (args, file) in [(&["init"][..], "snakk.toml"), (&["init", "--config", "other.toml"], "other.toml")] {
        assert_eq!(place.run(args).code, Some(0), "{args:?}");
        let written = fs::read_to_string(place.path(file)).unwrap();
        assert_eq!(written, snakk::Config::example());
        refused(&place.run(args), 1, &[file]);
        assert_eq!(fs::read_to_string(place.path(file)).unwrap(), written);
        let ended = place.run(&["--config", file, "check"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    }
    refused(&place.run(&["init", "--config", "no/where.toml"]), 73, &["no/where.toml"]);
    let mut names: Vec<String> = files(place.folder()).into_keys().collect();
    names.retain(|name| !name.ends_with(".toml"));
    assert_eq!(names, Vec::<String>::new());
    let mut daemon = place.start(&["--config", "other.toml"]);
    assert_eq!(daemon.stop().code, Some(0));
}

#[test]
fn the_data_is_where_it_was_told() {
    let place = Place::new();
    fs::write(place.path("x.toml"), format!("[server]\ndata_dir = {:?}\n", place.path("from-file"))).unwrap();
    type Change = fn(&mut std::process::Command, &Place);
    let cases: [(&str, Change); 6] = [
        ("from-argument", |command, _| _ = command.args(["--data-dir", "from-argument", "--config", "x.toml"])),
        ("deep/er", |command, _| _ = command.args(["--data-dir", "deep/er"]).env_remove("HOME")),
        ("from-file", |command, _| _ = command.args(["--config", "x.toml"])),
        ("state", |command, place| _ = command.env("STATE_DIRECTORY", place.path("state"))),
        ("xdg/snakk", |command, place| _ = command.env("XDG_STATE_HOME", place.path("xdg"))),
        (".local/state/snakk", |_, _| ()),
    ];
    for (folder, change) in cases {
        let mut daemon = place.start_alone(|command| {
            command.args(["--listen", "127.0.0.1:0"]);
            change(command, &place);
        });
        assert!(place.path(folder).join("snakk.db").is_file(), "{folder}");
        assert_eq!(daemon.stop().code, Some(0));
    }
    // With no place at all it says so, and which.
    let ended = place.run_with(|command| {
        command.args(["--listen", "127.0.0.1:0"]).env_clear();
    });
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(ended.stderr.contains("data-dir") || ended.stderr.contains("data_dir"), "{ended:?}");
}

#[test]
fn whoever_connects_at_the_listening_line_is_answered() {
    let place = Place::new();
    for _ in 0..20 {
        let mut daemon = place.start(&["--listen", "127.0.0.1:0"]);
        let hello = daemon.wire().ask(json!({"request": "hello", "protocol": 1}));
        assert_eq!(hello["protocol"], 1);
        daemon.kill();
    }
}

#[test]
fn each_listener_has_its_line() {
    let place = Place::new();
    let mut daemon = place.start_alone(|command| {
        command.args(["--data-dir", "d", "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--listen", "unix:s.sock"]);
    });
    let lines = [daemon.listening.clone(), daemon.next_line(), daemon.next_line()];
    assert!(lines[0].starts_with("listening on 127.0.0.1:") && lines[0].ends_with(" (tcp)"), "{lines:?}");
    assert!(lines[1].starts_with("listening on [::1]:") && lines[1].ends_with(" (tcp)"), "{lines:?}");
    assert!(lines[2].starts_with("listening on ") && lines[2].contains("s.sock"), "{lines:?}");
    let mut client = std::os::unix::net::UnixStream::connect(place.path("s.sock")).unwrap();
    std::io::Write::write_all(&mut client, b"{\"request\":\"ping\"}\n").unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(client), &mut line).unwrap();
    assert!(line.starts_with("{\"response\":"), "{line}");
    let ended = daemon.stop();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "nothing else goes to standard output");
}

#[test]
fn it_runs_with_standard_output_closed() {
    let place = Place::new();
    let mut daemon = place.start_silent("exec \"$0\" --data-dir d --listen unix:s.sock >&-", &place.path("s.sock"));
    let hello = daemon.wire().ask(json!({"request": "hello", "protocol": 1}));
    assert_eq!(hello["protocol"], 1);
    assert_eq!(daemon.stop().code, Some(0));
}

#[test]
fn what_it_keeps_is_nobody_elses_business() {
    let place = Place::new();
    let mut daemon = place.start_shell("umask 000; exec \"$0\" --data-dir d --listen 127.0.0.1:0");
    let mut wire = daemon.wire();
    wire.login("ann");
    wire.join("lobby");
    wire.ask(json!({"request": "message", "room": "lobby", "text": "private"}));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path("d")), 0o700);
    let mut seen = 0;
    for entry in fs::read_dir(place.path("d")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 2, "a database and its log");
    assert_eq!(daemon.stop().code, Some(0));
}

/// A database with some messages in it, cleanly closed.
fn written(place: &Place, messages: usize) {
    let mut daemon = place.start(&[]);
    let mut wire = daemon.wire();
    wire.login("ann");
    wire.join("lobby");
    for n in 0..messages {
        wire.say("lobby", &format!("{n} {}", "x".repeat(1000)), None);
    }
    drop(wire);
    assert_eq!(daemon.stop().code, Some(0));
}

#[test]
fn a_database_that_it_cannot_use_is_refused_and_left_untouched() {
    let spoil: [(&str, fn(&Path)); 6] = [
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
        let place = Place::new();
        written(&place, 200);
        let file = place.data().join("snakk.db");
        spoil(&file);
        let before = files(place.folder());
        let ended = place.run(&place.usual());
        refused(&ended, 1, &["snakk.db"]);
        assert_eq!(ended.stdout, "", "{what}");
        let after = files(place.folder());
        assert!(before == after, "{what}: {:?} became {:?}", before.keys(), after.keys());
    }
}

#[test]
fn a_database_that_was_damaged_while_nobody_closed_it_is_refused_and_left_untouched() {
    let place = Place::new();
    written(&place, 200);
    let mut daemon = place.start(&[]);
    let mut wire = daemon.wire();
    wire.login("ann");
    wire.join("lobby");
    wire.say("lobby", "one more", None);
    daemon.kill();
    let file = place.data().join("snakk.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    let end = bytes.len() - 4096;
    bytes[middle..end].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let before = files(place.folder());
    refused(&place.run(&place.usual()), 1, &["snakk.db"]);
    let after = files(place.folder());
    for (name, bytes) in &before {
        assert!(after.get(name) == Some(bytes), "{name} was changed");
    }
}

#[test]
fn a_database_has_one_daemon_by_whatever_name_it_is_called() {
    let place = Place::new();
    let mut first = place.start(&[]);
    let mut wire = first.wire();
    wire.login("ann");
    wire.join("lobby");
    let data = place.data();
    symlink(&data, place.path("link")).unwrap();
    fs::create_dir(place.path("soft")).unwrap();
    symlink(data.join("snakk.db"), place.path("soft").join("snakk.db")).unwrap();
    fs::create_dir(place.path("hard")).unwrap();
    fs::hard_link(data.join("snakk.db"), place.path("hard").join("snakk.db")).unwrap();
    let name = data.file_name().unwrap().to_str().unwrap().to_owned();
    let roundabout = format!("link/../{name}");
    let whole = data.display().to_string();
    for folder in [name.as_str(), &whole, &roundabout, "link", "soft", "hard"] {
        let begun = Instant::now();
        let ended = place.run(&["--data-dir", folder, "--listen", "127.0.0.1:0"]);
        refused(&ended, 75, &["snakk.db"]);
        assert!(begun.elapsed() < Duration::from_secs(2), "{folder}");
        wire.say("lobby", folder, None);
    }
    // Nobody has to clear anything away.
    first.kill();
    let mut second = place.start(&[]);
    let mut wire = second.wire();
    wire.login("bob");
    let page = wire.ask(json!({"request": "history", "room": "lobby"}));
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(6));
    assert_eq!(second.stop().code, Some(0));
}

#[test]
fn an_idle_daemon_is_gone_within_a_second() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let place = Place::new();
        let mut daemon = place.start(&[]);
        // Nobody of these has anything to wait for: silent, in the middle of an object, and with nothing to be told.
        let _silent = daemon.wire();
        let mut half = daemon.wire();
        half.login("half");
        half.write(b"{\"request\":\"mess");
        let mut idle = daemon.wire();
        idle.login("idle");
        idle.join("lobby");
        let begun = Instant::now();
        daemon.signal(signal);
        assert_eq!(idle.next()["event"], "shutdown");
        assert!(idle.at_end(), "and then the end");
        let ended = daemon.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}

#[test]
fn a_stop_under_load_loses_nothing_and_tells_everybody() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    let load = Load::start(&daemon.address, 8, &["one", "two"]);
    let followers: Vec<Follower> =
        ["one", "two"].iter().flat_map(|room| [room, room]).map(|room| Follower::start(&daemon.address, room)).collect();
    load.acknowledged(2000);
    let begun = Instant::now();
    daemon.signal(rustix::process::Signal::TERM);
    let ended = daemon.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    let ledger = load.ended();
    assert!(ledger.told_of_shutdown(), "each sender was told, and then came the end");
    let seen: Vec<_> = followers.into_iter().map(Follower::ended).collect();
    for seen in &seen {
        assert!(seen.shutdown, "a follower of {} was not told", seen.room);
    }
    place.check_integrity();
    let mut daemon = place.start(&[]);
    check(&mut daemon, &ledger, &seen);
    assert_eq!(daemon.stop().code, Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    // A reader that is taking bytes, one by one, uses the grace.
    let mut slow = daemon.wire_with_buffer(4096);
    slow.login("slow");
    slow.join("lobby");
    let mut loud = daemon.wire();
    loud.login("loud");
    loud.join("lobby");
    for n in 0..1000 {
        loud.say("lobby", &format!("{n} {}", "x".repeat(8000)), None);
    }
    daemon.signal(rustix::process::Signal::TERM);
    // Whoever reads is told, so by then the stop is under way.
    assert_eq!(loud.until(|line| line["event"] == "shutdown")["event"], "shutdown");
    assert!(daemon.is_running_after(|| slow.bite(2000)));
    let begun = Instant::now();
    daemon.signal(rustix::process::Signal::TERM);
    let ended = daemon.wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    place.check_integrity();
}
