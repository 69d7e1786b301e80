//! `snakkd backup`, `verify` and `restore`, with the real program: what is in a backup, what it stands, and that there is
//! always a whole database.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use snakk::server::Database;

use crate::erasure::files_with;
use crate::load::{Load, check};
use crate::support::daemon::{FREE, Setup};
use crate::support::person::{Ended, ended, fine};
use crate::support::town::{self, Program};
use crate::support::wire::{lines, message};
use crate::support::{Daemon, Dice, PATIENCE, Wire, daemon, json};

/// What a directory holds, byte by byte; apart from a control socket, which holds nothing.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a directory").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let entries = entries.filter(|path| !path.ends_with("control.sock"));
    entries.map(|path| (name(&path), fs::read(&path).unwrap_or_default())).collect()
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).into_keys().collect()
}

#[track_caller]
pub(crate) fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!((ended.code, &*ended.lines), (Some(code), &[][..] as &[String]), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in {:?}", ended.stderr);
    }
}

/// A backup has to be whole; how many messages there are in it.
#[track_caller]
fn whole(file: &Path) -> u64 {
    let report = Database::verify(file).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.is_whole(), "{report}");
    report.messages
}

fn open(file: &Path) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database")
}

fn holds_text(file: &Path, text: &str) -> bool {
    let sql = "SELECT EXISTS (SELECT 1 FROM entries WHERE text = ?1)";
    open(file).query_row(sql, [text], |row| row.get(0)).expect("an answer")
}

async fn stop(mut daemon: Daemon) {
    daemon.sigterm();
    let status = daemon.exited().await;
    assert!(status.success(), "{status}: {}", daemon.stderr());
}

async fn talker(daemon: &Daemon) -> Wire {
    let mut alice = daemon.account("alice").await;
    alice.join("lobby").await;
    alice
}

#[tokio::test]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before_it_began() {
    let daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = talker(&daemon).await;
    alice.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    let mut dice = Dice::new();
    let (mut took, mut killed, mut posts) = (Duration::ZERO, 0, Vec::new());
    for round in 0..13 {
        let mut load = Load::start(daemon.address(), &format!("load-{round}"), 4, &["one", "two"]).await;
        load.acknowledged(200).await;
        let text = format!("before backup {round}");
        alice.say("lobby", &text).await;
        let name = format!("{round}.db");
        let file = daemon.dir().join(&name);
        let ended = if round % 4 == 0 {
            let begun = Instant::now();
            let ended = setup.run(&["backup", &name]).await;
            took = begun.elapsed();
            Some(ended)
        } else {
            let mut program = setup.clone().spawn_by(setup.command(&["backup", &name]));
            tokio::time::sleep(took * u32::try_from(dice.below(100)).expect("a small number") / 100).await;
            program.kill9().await;
            None
        };
        // So that it does not get more and more.
        posts.extend(load.stop().await.posts);
        if let Some(ended) = &ended {
            fine(ended);
            let bytes = fs::metadata(&file).expect("a backup").len();
            let messages = whole(&file);
            assert_eq!(ended.lines, [format!("{name}: {bytes} bytes, 3 rooms, {messages} messages")]);
        } else if !file.exists() {
            killed += 1;
            continue;
        }
        whole(&file);
        assert!(holds_text(&file, &text), "{text}");
        assert_eq!(fs::metadata(&file).expect("a backup").permissions().mode() & 0o777, 0o600);
    }
    assert!(killed > 0, "some were killed in the midst of it");
    fine(&setup.run(&["backup", "last.db"]).await);
    // Half a backup is left by none, and what the killed have left goes with the next one.
    let left: Vec<String> = names(daemon.dir()).into_iter().filter(|name| name.contains("part")).collect();
    assert_eq!(left, [""; 0]);
    check(daemon.address(), &posts, &[]).await;
    assert_eq!(names(&daemon.data_dir()), ["snakk.db", "snakk.db-shm", "snakk.db-wal"]);
    stop(daemon).await;
    whole(&setup.data_dir().join("snakk.db"));
}

#[tokio::test]
async fn a_backup_is_private_whatever_the_umask() {
    let daemon = daemon().await;
    talker(&daemon).await.say("lobby", "hello").await;
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "umask 000; exec \"$0\" --data-dir data backup open.db", env!("CARGO_BIN_EXE_snakkd")]);
    command.current_dir(daemon.dir()).env_clear();
    fine(&ended(daemon.again().spawn_by(command)).await);
    assert_eq!(fs::metadata(daemon.dir().join("open.db")).expect("a backup").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_was_deleted_is_in_no_backup() {
    let daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = talker(&daemon).await;
    alice.ask(json!({"request": "create", "room": "den", "topic": "about gargoyles"})).await;
    let texts = (0..3000).map(|n| message("den", &format!("quagmire {n} {}", "of words ".repeat(20))));
    let requests: Vec<_> = texts.collect();
    for part in requests.chunks(100) {
        alice.send_raw(lines(part.iter().cloned())).await;
        for _ in part {
            while alice.next().await["response"] != "message" {}
        }
    }
    let deleted = alice.say("lobby", "xylophone goes").await;
    let edited = alice.say("lobby", "the wheelbarrow goes").await;
    alice.say("lobby", "bassoon stays").await;
    // What was searched for is in the index.
    alice.ask(json!({"request": "search", "query": "xylophone quagmire wheelbarrow"})).await;
    alice.ask(json!({"request": "delete", "room": "lobby", "target": deleted})).await;
    alice.ask(json!({"request": "edit", "room": "lobby", "target": edited, "text": "nothing"})).await;
    alice.ask(json!({"request": "delete_room", "room": "den"})).await;
    // At once: the room is erased step by step, and this is in the midst of it.
    let backups = daemon.dir().join("backups");
    fs::create_dir(&backups).expect("a directory");
    fine(&setup.run(&["backup", "backups/one.db"]).await);
    fs::write(backups.join("export"), setup.run(&["export"]).await.lines.join("\n")).expect("a file");
    for word in ["xylophone", "wheelbarrow", "quagmire", "gargoyles"] {
        assert_eq!(files_with(&backups, word), [""; 0], "{word}");
    }
    let mut found = files_with(&backups, "bassoon");
    found.sort();
    assert_eq!(found, ["export", "one.db"]);
    whole(&backups.join("one.db"));
}

#[tokio::test]
async fn a_backup_takes_nobodys_place_and_says_why_there_is_none() {
    let setup = daemon();
    refused(&setup.run(&["backup", "a.db"]).await, 73, &["cannot open the database", "snakk.db"]);
    assert_eq!(names(setup.dir()), [""; 0], "nothing was made");
    stop(setup.clone().await).await;
    fs::write(setup.dir().join("there.db"), "somebody's").expect("a file");
    symlink("nowhere", setup.dir().join("link.db")).expect("a link");
    for there in ["there.db", "link.db"] {
        refused(&setup.run(&["backup", there]).await, 1, &[there, "is there already"]);
    }
    assert_eq!(fs::read_to_string(setup.dir().join("there.db")).expect("a file"), "somebody's");
    for nowhere in ["no/such/folder.db", "/proc/snakk.db", "there.db/below.db"] {
        refused(&setup.run(&["backup", nowhere]).await, 73, &["cannot write", nowhere]);
    }
    refused(&setup.run(&["backup"]).await, 2, &["FILE"]);
    refused(&setup.run(&["backup", "a.db", "--config", "no.toml"]).await, 78, &["no.toml"]);
    // Relative to the current folder, and options on either side.
    fine(&setup.run(&["backup", "./b.db", "--listen", "127.0.0.1:0"]).await);
    fine(&setup.run(&["verify", "b.db"]).await);
}

#[tokio::test]
async fn where_there_is_no_room_nothing_is_left_behind() {
    let daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = talker(&daemon).await;
    for _ in 0..50 {
        alice.say("lobby", &"x".repeat(8000)).await;
    }
    fine(&setup.run(&["backup", "good.db"]).await);
    fs::write(setup.dir().join("export"), setup.run(&["export"]).await.lines.join("\n")).expect("a file");
    stop(daemon).await;
    let (before, data) = (names(setup.dir()), files(&setup.data_dir()));
    // No file may have more than 128 KiB.
    let cramped = |line: &str| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -f 256; exec \"$0\" {line}"), env!("CARGO_BIN_EXE_snakkd")]);
        command.current_dir(setup.dir()).env_clear();
        ended(setup.clone().spawn_by(command))
    };
    refused(&cramped("--data-dir data backup cramped.db").await, 73, &["cannot write", "cramped.db"]);
    refused(&cramped("--data-dir data restore good.db").await, 73, &["snakk.db"]);
    refused(&cramped("--data-dir other import export").await, 73, &["snakk.db"]);
    assert!(names(setup.dir()) == before && files(&setup.data_dir()) == data, "{:?}", names(setup.dir()));
}

#[tokio::test]
async fn a_file_may_be_called_as_one_likes() {
    let daemon = daemon().await;
    talker(&daemon).await.say("lobby", "hello").await;
    let setup = daemon.again();
    fs::create_dir(setup.dir().join("file:")).expect("a directory");
    for name in ["it's 100% \"odd\" n\u{e4}me?#&.db", "file:/x.db", "-- SELECT.db", "%41.db"] {
        fine(&setup.run(&["backup", "--", name]).await);
        let ended = setup.run(&["verify", "--", name]).await;
        fine(&ended);
        assert!(ended.lines[0].starts_with(name), "{ended:?}");
    }
}

#[tokio::test]
async fn a_database_that_nobody_has_open_is_backed_up_and_stays_as_it_is() {
    let mut daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = talker(&daemon).await;
    for n in 0..300 {
        alice.say("lobby", &format!("line {n}")).await;
    }
    // Killed, so that the newest is in the log beside it.
    daemon.kill9().await;
    let before = files(&setup.data_dir());
    assert!(!before["snakk.db-wal"].is_empty());
    fine(&setup.run(&["backup", "killed.db"]).await);
    fine(&setup.run(&["verify", "data/snakk.db"]).await);
    assert!(files(&setup.data_dir()) == before);
    assert!(holds_text(&setup.dir().join("killed.db"), "line 299"));
    stop(setup.clone().await).await;
    let before = files(&setup.data_dir());
    assert_eq!(before.len(), 1);
    fine(&setup.run(&["backup", "stopped.db"]).await);
    fine(&setup.run(&["verify", "data/snakk.db"]).await);
    assert!(files(&setup.data_dir()) == before, "{:?}", files(&setup.data_dir()).keys());
    assert_eq!(whole(&setup.dir().join("stopped.db")), 300);
    // A backup is a database like any other, and also where nothing can be made beside it.
    fs::set_permissions(setup.dir().join("stopped.db"), fs::Permissions::from_mode(0o400)).expect("a file of ours");
    fine(&setup.run(&["verify", "stopped.db"]).await);
    fs::copy(setup.dir().join("killed.db"), setup.data_dir().join("snakk.db")).expect("a copy");
    let daemon = setup.await;
    assert_eq!(talker(&daemon).await.say("lobby", "on it goes").await, 302);
    assert!(names(&daemon.data_dir()).contains(&"snakk.db-wal".to_owned()), "it has a log again");
}

#[tokio::test]
async fn who_reads_the_database_keeps_no_daemon_from_starting_or_stopping() {
    let mut daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = talker(&daemon).await;
    alice.say("lobby", "hello").await;
    // As a backup does it beside a daemon.
    let reader = open(&setup.data_dir().join("snakk.db"));
    let count = |reader: &Connection| -> i64 {
        reader.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).expect("a number")
    };
    reader.execute_batch("BEGIN").expect("a transaction");
    let seen = count(&reader);
    alice.say("lobby", "not for the reader").await;
    daemon.kill9().await;
    let begun = Instant::now();
    let daemon = setup.clone().await;
    talker(&daemon).await.say("lobby", "nor this").await;
    stop(daemon).await;
    assert_eq!(count(&reader), seen);
    let daemon = setup.clone().await;
    assert_eq!(count(&reader), seen);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(reader);
    assert_eq!(talker(&daemon).await.say("lobby", "all is there").await, 5);
    stop(daemon).await;

    // As a backup does it where there is none: a start waits for its end.
    let reading = fs::File::open(setup.data_dir().join("snakk.db")).expect("a database");
    reading.lock_shared().expect("a lock");
    let mut daemon = setup.clone().config(&format!("{}[log]\nlevel = \"info\"\n", FREE)).spawn();
    daemon.logs("waiting").await;
    drop(reading);
    daemon.listens().await;
}

#[tokio::test]
async fn a_log_that_somebody_keeps_long_is_told_of_and_cut_back() {
    let daemon = daemon().await;
    let mut alice = talker(&daemon).await;
    alice.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    let (file, log) = (daemon.data_dir().join("snakk.db"), daemon.data_dir().join("snakk.db-wal"));
    let reader = open(&file);
    reader.execute_batch("BEGIN; SELECT count(*) FROM entries").expect("a transaction");
    let text = "x".repeat(16_000);
    let told = || daemon.stderr().contains("another program has been reading the database");
    let mut said = 0;
    while !told() {
        alice.send_raw(lines((0..50).map(|_| message("lobby", &text)))).await;
        for _ in 0..50 {
            alice.expect(json!({"response": "message", "seq": "<int>"})).await;
        }
        said += 50;
        assert!(said < 20_000, "nothing is told, and the log has {} bytes", fs::metadata(&log).expect("a log").len());
    }
    assert!(fs::metadata(&log).expect("a log").len() > 60 << 20);
    drop(reader);
    // As soon as more is said.
    let begun = Instant::now();
    while fs::metadata(&log).expect("a log").len() > 17 << 20 {
        alice.say("lobby", "and on").await;
        assert!(begun.elapsed() < PATIENCE, "it has {} bytes", fs::metadata(&log).expect("a log").len());
    }
    stop(daemon).await;
}

#[tokio::test]
async fn verify_names_what_is_wrong_and_changes_nothing() {
    let setup = daemon();
    let mut town = town::build(setup.clone(), &Program::ours(), &mut Dice::new()).await;
    let file = setup.data_dir().join("snakk.db");
    let ended = setup.run(&["verify", "data/snakk.db"]).await;
    fine(&ended);
    assert!(ended.lines[0].starts_with("data/snakk.db: a database of snakkd, format "), "{ended:?}");
    town.stop().await;
    let good = fs::read(&file).expect("a database");
    let lobby = "(SELECT id << 40 FROM rooms WHERE name = 'lobby')";
    let table: &[(&str, &str)] = &[
        ("DELETE FROM entries WHERE id = LOBBY + 3", "the entries 3 to 3 of \"lobby\" are missing"),
        ("DELETE FROM entries WHERE id BETWEEN LOBBY + 1 AND LOBBY + 2", "begins with entry 3, and should with 1"),
        (
            "UPDATE entries SET messages = messages + 1 WHERE id = LOBBY + 20",
            "entry 20 of \"lobby\" has the wrong count",
        ),
        ("UPDATE entries SET time = 1 WHERE id = LOBBY + 4", "entry 4 of \"lobby\" is older"),
        ("UPDATE entries SET body = '{}' WHERE id = LOBBY + 1", "entry 1 of room 1 cannot be read"),
        ("UPDATE rooms SET first_seq = 2, id = 1000 WHERE name = 'lobby'", "entries of rooms that are not there"),
        (
            "INSERT INTO rooms (name, kind, epoch, first_seq, created) VALUES ('x', 'public', 'e', 7, 0)",
            "should have an entry",
        ),
        ("UPDATE rooms SET epoch = ''", "rooms without an epoch"),
        ("DELETE FROM accounts WHERE name = 'bob'", "tokens without an account"),
        ("UPDATE tallies SET count = count + 1", "counts of messages that are wrong"),
        ("DELETE FROM postings WHERE nr = 5", "messages without their number"),
        ("DELETE FROM sides WHERE side = 0", "have not two sides"),
        ("UPDATE members SET read = 1000000", "read beyond the end"),
        ("UPDATE reactions SET target = target + 1000", "reactions to messages that are not there"),
        ("DELETE FROM meta WHERE key = 'secret'", "damaged"),
        ("UPDATE sqlite_sequence SET seq = 0", "would give a number twice"),
        ("UPDATE entries SET text = 'other words' WHERE kind = 0 AND flags = 0 AND id > LOBBY", "search index"),
        ("INSERT INTO found (rowid, text, facets) VALUES (1000000, 'strange', 'r1')", "search index"),
        ("DROP INDEX mentions_by_entry", "the index mentions_by_entry is missing"),
        ("ALTER TABLE rooms ADD COLUMN mood TEXT", "the column mood of the table rooms"),
        ("DROP TABLE acts", "of the table acts"),
    ];
    for (sql, what) in table {
        fs::write(&file, &good).expect("a file");
        let database = Connection::open(&file).expect("a database");
        database.execute_batch(&sql.replace("LOBBY", lobby)).expect(sql);
        assert!(database.changes() > 0 || sql.starts_with("DROP") || sql.starts_with("ALTER"), "{sql}");
        drop(database);
        let before = files(&setup.data_dir());
        let ended = setup.run(&["verify", "data/snakk.db"]).await;
        refused(&ended, 1, &[what]);
        assert!(files(&setup.data_dir()) == before, "{sql}");
        let backup = setup.run(&["backup", "wrong.db"]).await;
        assert_eq!(backup.code, Some(1), "{sql}: {backup:?}");
        assert!(!setup.dir().join("wrong.db").exists());
    }
    fs::write(&file, &good).expect("a file");
    whole(&file);
    // An index of SQLite that does not fit its table.
    let database = Connection::open(&file).expect("a database");
    let page: u32 = database
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'members_by_user'", [], |row| row.get(0))
        .expect("an index");
    drop(database);
    let (page, mut bytes) = (page as usize, good.clone());
    bytes[(page - 1) * 4096 + 3000..page * 4096].fill(0x5a);
    fs::write(&file, bytes).expect("a file");
    assert_eq!(setup.run(&["verify", "data/snakk.db"]).await.code, Some(1));
    for (bytes, code, what) in [
        (b"Dear diary".to_vec(), 1, "damaged"),
        (Vec::new(), 1, "empty"),
        (good[..good.len() / 2].to_vec(), 1, "damaged"),
    ] {
        fs::write(&file, bytes).expect("a file");
        refused(&setup.run(&["verify", "data/snakk.db"]).await, code, &["snakk.db", what]);
    }
    refused(&setup.run(&["verify", "data"]).await, 73, &["data", "not a file"]);
    refused(&setup.run(&["verify", "nothing.db"]).await, 73, &["nothing.db"]);
    assert!(!setup.dir().join("nothing.db").exists());
}

/// The epochs of all rooms.
fn epochs(file: &Path) -> Vec<(String, String)> {
    let database = open(file);
    let mut select = database.prepare("SELECT name, epoch FROM rooms ORDER BY id").expect("a query");
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// The one file in the data directory that a restore has kept.
fn kept(setup: &Setup) -> String {
    let kept: Vec<String> =
        names(&setup.data_dir()).into_iter().filter(|name| name.contains("before-") && name.ends_with('Z')).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    kept[0].clone()
}

#[tokio::test]
async fn a_restore_puts_a_backup_in_place_and_keeps_what_was_there() {
    let mut daemon = daemon().await;
    let setup = daemon.again();
    let file = setup.data_dir().join("snakk.db");
    let mut alice = talker(&daemon).await;
    let joined = alice.join("lobby").await;
    for n in 1..=20 {
        alice.say("lobby", &format!("old {n}")).await;
    }
    fine(&setup.run(&["backup", "monday.db"]).await);
    for n in 1..=20 {
        alice.say("lobby", &format!("new {n}")).await;
    }
    let backup = fs::read(setup.dir().join("monday.db")).expect("a backup");
    refused(&setup.run(&["restore", "monday.db"]).await, 75, &["snakk.db", "open in another program"]);
    alice.say("lobby", "nothing has happened").await;
    // Killed: what is kept is a pair.
    daemon.kill9().await;
    let old = files(&setup.data_dir());
    let ended = setup.run(&["restore", "monday.db"]).await;
    fine(&ended);
    let kept = kept(&setup);
    assert_eq!(ended.lines.len(), 2, "{ended:?}");
    assert!(ended.lines[0].ends_with("data/snakk.db: restored, 1 room, 20 messages"), "{ended:?}");
    assert!(ended.lines[1].ends_with(&format!("data/{kept}")), "{ended:?}");
    let now = files(&setup.data_dir());
    assert_eq!(now.keys().collect::<Vec<_>>(), ["snakk.db", &kept, &format!("{kept}-wal")]);
    assert!(now[&kept] == old["snakk.db"] && now[&format!("{kept}-wal")] == old["snakk.db-wal"]);
    assert!(fs::read(setup.dir().join("monday.db")).expect("a backup") == backup, "the backup stays as it is");
    assert_eq!((whole(&file), whole(&setup.data_dir().join(&kept))), (20, 41));
    assert_eq!(fs::metadata(&file).expect("a database").permissions().mode() & 0o777, 0o600);
    let epochs_now = epochs(&file);
    assert_ne!(epochs_now, epochs(&setup.dir().join("monday.db")));

    // Who comes back learns that what it remembers is void.
    let daemon = setup.clone().await;
    let mut alice = daemon.account("alice").await;
    let resume = json!({"request": "join", "room": "lobby", "since": 42, "epoch": joined["epoch"]});
    let answer = alice.ask(resume).await;
    assert_eq!((&answer["reset"], &answer["head"]), (&json!(true), &json!(21)));
    assert_eq!(answer["epoch"], epochs_now[0].1);
    assert_eq!(alice.say("lobby", "again").await, 22);
    let found = alice.ask(json!({"request": "search", "query": "old"})).await;
    assert_eq!(found["messages"].as_array().map(Vec::len), Some(20));
    stop(daemon).await;

    // What was kept can be put back in the same way, with its log, and each time the old one is kept.
    let back = format!("data/{kept}");
    fine(&setup.run(&["restore", &back]).await);
    assert_eq!((whole(&file), whole(&setup.data_dir().join(&kept))), (41, 41));
    let names = names(&setup.data_dir());
    assert_eq!(names.iter().filter(|name| name.contains("before-") && name.ends_with('Z')).count(), 2, "{names:?}");
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_and_everything_stays_as_it_is() {
    let daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = talker(&daemon).await;
    alice.say("lobby", "hello").await;
    fine(&setup.run(&["backup", "good.db"]).await);
    stop(daemon).await;
    let at = |name: &str| setup.dir().join(name);
    let good = fs::read(at("good.db")).expect("a backup");
    fs::write(at("cut.db"), &good[..good.len() / 2]).expect("a file");
    fs::write(at("text.db"), "Dear diary").expect("a file");
    for (name, sql) in [
        ("newer.db", "PRAGMA user_version = 99"),
        ("foreign.db", "PRAGMA application_id = 7"),
        ("gap.db", "DELETE FROM entries WHERE kind = 1"),
    ] {
        fs::write(at(name), &good).expect("a file");
        Connection::open(at(name)).expect("a database").execute_batch(sql).expect(sql);
    }
    let before = files(&setup.data_dir());
    for (name, code, what) in [
        ("cut.db", 1, "damaged"),
        ("text.db", 1, "damaged"),
        ("newer.db", 1, "has format 99"),
        ("foreign.db", 1, "belongs to another program"),
        ("gap.db", 1, "is not put in place"),
        ("nothing.db", 73, "cannot open"),
        ("data/snakk.db", 1, "is the database itself"),
    ] {
        let ended = setup.run(&["restore", name]).await;
        refused(&ended, code, &[name, what]);
        assert!(files(&setup.data_dir()) == before, "{name}");
    }
    // Where there was nothing, nothing is left.
    let elsewhere = setup.dir().join("elsewhere");
    let folder = elsewhere.to_str().expect("UTF-8");
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_snakkd"));
        command.args(args).current_dir(setup.dir()).env_clear();
        ended_of(setup.clone(), command)
    };
    refused(&run(&["restore", "cut.db", "--data-dir", folder]).await, 1, &["damaged"]);
    assert!(!elsewhere.exists());
    // To a new machine.
    let ended = run(&["restore", "good.db", "--data-dir", folder]).await;
    fine(&ended);
    assert_eq!(ended.lines[1], "there was no database before");
    assert_eq!(names(&elsewhere), ["snakk.db"]);
    assert_eq!(fs::metadata(&elsewhere).expect("a folder").permissions().mode() & 0o777, 0o700);
    assert_eq!(whole(&elsewhere.join("snakk.db")), 1);
}

async fn ended_of(setup: Setup, command: std::process::Command) -> Ended {
    ended(setup.spawn_by(command)).await
}

#[tokio::test]
async fn a_restore_that_is_killed_at_any_moment_leaves_the_old_database_or_the_new_one() {
    let daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = talker(&daemon).await;
    alice.say("lobby", "in both").await;
    fine(&setup.run(&["backup", "backup.db"]).await);
    alice.say("lobby", "in the old one").await;
    stop(daemon).await;
    let old = fs::read(setup.data_dir().join("snakk.db")).expect("a database");
    let (mut before, mut behind, mut took) = (0, 0, Duration::ZERO);
    for killed in 0..=30 {
        fs::remove_dir_all(setup.data_dir()).expect("a directory");
        fs::create_dir(setup.data_dir()).expect("a directory");
        fs::write(setup.data_dir().join("snakk.db"), &old).expect("a database");
        let mut program = setup.clone().spawn_by(setup.command(&["restore", "backup.db"]));
        if killed == 0 {
            let begun = Instant::now();
            assert!(program.exited().await.success());
            took = begun.elapsed();
        }
        tokio::time::sleep(took * killed / 25).await;
        program.kill9().await;
        let daemon = setup.clone().await;
        let mut reader = daemon.native("reader").await;
        let page = reader.ask(json!({"request": "history", "room": "lobby"})).await;
        stop(daemon).await;
        match page["messages"].as_array().map(Vec::len) {
            Some(2) => before += 1,
            Some(1) => {
                behind += 1;
                assert_eq!(whole(&setup.data_dir().join(kept(&setup))), 2);
            }
            _ => panic!("neither the old one nor the new one: {page}"),
        }
    }
    assert!(before > 0 && behind > 0, "{before} killed before it counted, {behind} behind that");
}
