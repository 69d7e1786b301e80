//! `snakkd export` and `import`, with the real program: what is exported is all there is, what is imported is the same, and
//! what is no export leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rusqlite::types::Value as Column;
use rusqlite::{Connection, OpenFlags};
use snakk::server::Database;
use tokio::io::AsyncReadExt;

use crate::backup::{files, refused};
use crate::load::Load;
use crate::support::daemon::Setup;
use crate::support::json::is_time;
use crate::support::person::{Ended, ended, fine};
use crate::support::town::{self, Program};
use crate::support::{Daemon, Dice, Value, daemon, json, within};

/// The rows of every table, and every word of the search index with its place.
fn contents(file: &Path) -> BTreeMap<String, Vec<Vec<Column>>> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
    let rows = |sql: &str| -> Vec<Vec<Column>> {
        let mut select = database.prepare(sql).expect(sql);
        let columns = select.column_count();
        let rows = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    };
    let names =
        rows("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name <> 'sqlite_schema'");
    let mut contents = BTreeMap::new();
    for name in names.into_iter().flatten() {
        let Column::Text(name) = name else { panic!("{name:?}") };
        // Whatever the order of the columns, all of them.
        let key: Vec<String> = (1..=rows(&format!("PRAGMA table_info({name})")).len()).map(|n| n.to_string()).collect();
        let sql = format!("SELECT * FROM {name} ORDER BY {}", key.join(", "));
        // What is only about the files is not exported.
        let about_files = |row: &Vec<Column>| matches!(&row[0], Column::Text(key) if key == "unscrubbed");
        contents.insert(name, rows(&sql).into_iter().filter(|row| !about_files(row)).collect());
    }
    database
        .execute_batch("CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', 'found', 'instance')")
        .expect("words");
    contents.insert("words".into(), rows("SELECT * FROM temp.words ORDER BY 1, 2, 3, 4"));
    contents
}

/// Runs the program on a data directory of that name.
async fn run(setup: &Setup, data: &str, args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
    command.arg("--data-dir").arg(data).args(args).current_dir(setup.dir()).env_clear();
    ended(setup.clone().spawn_by(command)).await
}

/// What an export holds, which has to have been written without a complaint.
async fn export(setup: &Setup, data: &str) -> Vec<String> {
    let ended = run(setup, data, &["export"]).await;
    fine(&ended);
    ended.lines
}

async fn import(setup: &Setup, data: &str, lines: &[String]) -> Ended {
    fs::write(setup.dir().join("export"), lines.join("\n") + "\n").expect("a file");
    run(setup, data, &["import", "export"]).await
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[tokio::test]
async fn an_import_of_an_export_is_the_same_database() {
    let setup = daemon();
    let mut town = town::build(setup.clone(), &Program::ours(), &mut Dice::new()).await;
    let running = export(&setup, "data").await;
    town.stop().await;
    let exported = export(&setup, "data").await;
    // What it says while the daemon runs is the same, but for who was online when.
    assert_eq!(running.len(), exported.len());
    let first = value(&exported[0]);
    let time = first["time"].as_str().expect("a time");
    assert!(is_time(time), "{time}");
    assert_eq!(
        exported[0],
        format!("{{\"export\":\"snakk\",\"format\":1,\"schema\":3,\"server\":\"snakk\",\"time\":\"{time}\"}}")
    );
    assert_eq!(value(&exported[exported.len() - 1]), json!({"end": true, "rows": exported.len() - 2}));

    let ended = import(&setup, "other", &exported).await;
    fine(&ended);
    assert_eq!(names_and_modes(&setup.dir().join("other")), [("snakk.db".to_owned(), 0o600)]);
    let report = Database::verify(setup.dir().join("other/snakk.db")).expect("a database");
    let path = fs::canonicalize(setup.dir().join("other/snakk.db")).expect("a path");
    assert_eq!(ended.lines, [format!("{}: {} rooms, {} messages", path.display(), report.rooms, report.messages)]);
    assert!(report.is_whole(), "{report}");
    let (before, after) = (contents(&setup.data_dir().join("snakk.db")), contents(&path));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{table}");
    }
    let nothing: Vec<_> = before.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table.as_str()).collect();
    assert_eq!(nothing, ["doomed"], "something is in every table that is to be compared");
    assert_eq!(export(&setup, "other").await[1..], exported[1..]);

    // And it is the same to whoever looks at it from outside.
    let original = setup.clone().await;
    let seen = town::sights(&original).await;
    stop(original).await;
    fs::rename(setup.data_dir(), setup.dir().join("original")).expect("a directory");
    fs::rename(setup.dir().join("other"), setup.data_dir()).expect("a directory");
    let copy = setup.clone().await;
    town::compare_sights(&seen, &town::sights(&copy).await);
    town::check_promises(&copy, &town.nonces, &town.tokens).await;
}

fn names_and_modes(folder: &Path) -> Vec<(String, u32)> {
    let entries = fs::read_dir(folder).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let mode = entry.metadata().expect("a file").permissions().mode() & 0o777;
            (entry.file_name().to_string_lossy().into_owned(), mode)
        })
        .collect()
}

async fn stop(mut daemon: Daemon) {
    daemon.sigterm();
    assert!(daemon.exited().await.success(), "{}", daemon.stderr());
}

/// A small database, exported.
async fn small() -> (Setup, Vec<String>) {
    let daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = daemon.account("alice").await;
    alice.join("lobby").await;
    alice.say("lobby", "hello").await;
    stop(daemon).await;
    let exported = export(&setup, "data").await;
    (setup, exported)
}

#[tokio::test]
async fn a_line_that_makes_no_sense_is_named_and_leaves_nothing_behind() {
    let (setup, good) = small().await;
    let entry = good.iter().position(|line| line.contains("\"hello\"")).expect("a message");
    let last = good.len() - 1;
    let replaced = |at: usize, line: &str| {
        let mut lines = good.clone();
        lines[at] = line.to_owned();
        lines
    };
    let changed = |at: usize, from: &str, to: &str| {
        assert!(good[at].contains(from), "{from} is not in {}", good[at]);
        replaced(at, &good[at].replacen(from, to, 1))
    };
    let account = good.iter().position(|line| line.starts_with("{\"table\":\"accounts\"")).expect("an account");
    let mut doubled = good.clone();
    doubled.insert(entry, good[entry].clone());
    let mut behind = good.clone();
    behind.push(good[1].clone());
    let number = |line: usize| format!("line {}", line + 1);
    let cases: Vec<(Vec<String>, String, &str)> = vec![
        (replaced(0, "hello"), number(0), "it does not say that this is an export"),
        (replaced(0, "{}"), number(0), "it does not say that this is an export"),
        (changed(0, "\"snakk\"", "\"tweet\""), number(0), "tweet"),
        (changed(0, "\"format\":1", "\"format\":2"), number(0), "newer"),
        (changed(0, "\"schema\":3", "\"schema\":99"), number(0), "newer"),
        (changed(0, "\"schema\":3", "\"schema\":0"), number(0), "there is no schema 0"),
        (replaced(3, "Once upon a time"), number(3), "expected"),
        (replaced(3, ""), number(3), "EOF"),
        (replaced(3, "{\"table\":\"songs\",\"row\":{}}"), number(3), "there is no table \"songs\""),
        (replaced(3, "{\"table\":\"found_data\",\"row\":{}}"), number(3), "there is no table"),
        (replaced(3, "{\"row\":{}}"), number(3), "neither a row of a table nor the end"),
        (replaced(3, "{\"table\":\"entries\",\"row\":{},\"x\":1}"), number(3), "unknown field"),
        (changed(entry, "\"kind\":0,", ""), number(entry), "the column \"kind\" is missing"),
        (changed(entry, "\"kind\":0,", "\"kind\":0,\"kind\":0,"), number(entry), "stands there twice"),
        (changed(entry, "\"kind\":0,", "\"kind\":0,\"colour\":0,"), number(entry), "no column \"colour\""),
        (changed(entry, "\"kind\":0,", "\"kind\":\"0\","), number(entry), "of the kind INTEGER"),
        (changed(entry, "\"kind\":0,", "\"kind\":0.5,"), number(entry), "a value is a whole number"),
        (changed(entry, "\"kind\":0,", "\"kind\":null,"), number(entry), "a value is a whole number"),
        (changed(entry, "\"kind\":0,", "\"kind\":9223372036854775808,"), number(entry), "a value is a whole number"),
        (changed(entry, "\"hello\"", "{\"hex\":\"0\"}"), number(entry), "no bytes in hex"),
        (changed(entry, "\"hello\"", "{\"hex\":\"00\"}"), number(entry), "of the kind TEXT"),
        (doubled, number(entry + 1), "constraint"),
        (changed(last, "\"rows\":", "\"rows\":1"), number(last), "rows in front of it"),
        (good[..last].to_vec(), number(last), "ends without its last line"),
        (good[..1].to_vec(), number(1), "ends without its last line"),
        (Vec::new(), number(0), "does not say"),
        (behind, number(last + 1), "behind the end"),
        // Every line is good, but not all of them together.
        (changed(entry, "\"messages\":1", "\"messages\":7"), "the export was read".into(), "wrong count of messages"),
        (
            changed(account, "\"role\":\"user\"", "\"role\":\"king\""),
            "the export was read".into(),
            "accounts whose role is none",
        ),
        (changed(account, "\"folded\":\"", "\"folded\":\"x"), "the export was read".into(), "is not found by its name"),
        (
            changed(account, "\"name\":\"", "\"name\":\"\\u001b"),
            "the export was read".into(),
            "no name that can be shown",
        ),
    ];
    for (lines, place, problem) in cases {
        let ended = import(&setup, "other/below", &lines).await;
        refused(&ended, 1, &[&place, problem]);
        assert!(!setup.dir().join("other/below").exists(), "{place} {problem}");
    }
    // A text with every character that has to be written otherwise, in a file without a newline at its end.
    let text = "\\\"\\\\\\u0000\\n\\t\\u007f\u{e9}\u{1f600}";
    let lines = changed(entry, "\"hello\"", &format!("\"{text}\""));
    fs::write(setup.dir().join("export"), lines.join("\n")).expect("a file");
    // The index of what was imported is that of the new text.
    fine(&run(&setup, "other", &["import", "export"]).await);
    let there = export(&setup, "other").await;
    assert_eq!(value(&there[entry])["row"]["text"], "\"\\\0\n\t\u{7f}\u{e9}\u{1f600}");
}

#[tokio::test]
async fn a_database_that_is_there_stays_as_it_is() {
    let (setup, good) = small().await;
    let before = files(&setup.data_dir());
    refused(&import(&setup, "data", &good).await, 1, &["there is a database already", "snakk.db"]);
    assert!(files(&setup.data_dir()) == before);
    // Whether it is running, or only its log is left.
    let daemon = setup.clone().await;
    refused(&import(&setup, "data", &good).await, 1, &["there is a database already"]);
    stop(daemon).await;
    fs::create_dir(setup.dir().join("log")).expect("a directory");
    fs::write(setup.dir().join("log/snakk.db-wal"), "something").expect("a file");
    refused(&import(&setup, "log", &good).await, 1, &["there is a database already"]);
    assert_eq!(files(&setup.dir().join("log")).len(), 1);
    refused(&run(&setup, "other", &["import", "nothing"]).await, 1, &["cannot read", "nothing"]);
    refused(&run(&setup, "/proc/snakk", &["import", "export"]).await, 73, &["/proc/snakk"]);
    refused(&run(&setup, "nowhere", &["export"]).await, 73, &["cannot open the database"]);
    assert!(!setup.dir().join("other").exists() && !setup.dir().join("nowhere").exists());
}

#[tokio::test]
async fn an_export_goes_through_a_pipe_and_ends_quietly_where_nobody_reads() {
    let (setup, _) = small().await;
    let shell = |line: &str| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_snakkd")]).current_dir(setup.dir()).env_clear();
        command.env("PATH", "/usr/bin:/bin");
        ended(setup.clone().spawn_by(command))
    };
    fine(&shell("\"$0\" --data-dir data export | \"$0\" --data-dir piped import > said").await);
    let (before, after) = (setup.data_dir().join("snakk.db"), setup.dir().join("piped/snakk.db"));
    assert_eq!(contents(&before), contents(&after));
    // More than a pipe takes, and a reader that goes after the first line.
    let daemon = setup.clone().await;
    let mut alice = daemon.account("alice").await;
    for n in 0..50 {
        alice.say("lobby", &format!("{n} {}", "x".repeat(10_000))).await;
    }
    let first = shell("{ \"$0\" --data-dir data export; echo $? > code; } | head -n 1").await;
    fine(&first);
    assert_eq!(first.lines.len(), 1);
    assert_eq!(fs::read_to_string(setup.dir().join("code")).expect("a code").trim(), "0");
    let full = shell("\"$0\" --data-dir data export > /dev/full").await;
    refused(&full, 1, &["cannot write the export"]);
}

#[tokio::test]
async fn whoever_exports_to_a_terminal_is_warned() {
    let (setup, good) = small().await;
    let (mut terminal, other) = pty_process::open().expect("a terminal");
    let command = pty_process::Command::new(env!("CARGO_BIN_EXE_snakkd"));
    let command = command.arg("--data-dir").arg(setup.data_dir()).arg("export").env_clear();
    let mut child = command.spawn(other).expect("snakkd can be started");
    let mut shown = Vec::new();
    // The end of a terminal is an error.
    while let Ok(count @ 1..) = within("what it shows", terminal.read_buf(&mut shown)).await {
        assert!(count > 0);
    }
    assert!(within("its end", child.wait()).await.expect("a status").success());
    let shown = String::from_utf8(shown).expect("UTF-8");
    assert!(shown.starts_with("snakkd: this shows password hashes"), "{shown}");
    assert_eq!(shown.lines().count(), good.len() + 1);
}

#[tokio::test]
async fn an_export_under_load_is_of_one_moment() {
    let daemon = daemon().await;
    let setup = daemon.again();
    let mut alice = daemon.account("alice").await;
    alice.join("lobby").await;
    alice.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    for round in 0..3 {
        let mut load = Load::start(daemon.address(), &format!("load-{round}"), 4, &["lobby", "other"]).await;
        load.acknowledged(200).await;
        let text = format!("before export {round}");
        alice.say("lobby", &text).await;
        let exported = export(&setup, "data").await;
        // So that it does not get more and more.
        load.stop().await;
        assert!(exported.iter().any(|line| line.contains(&text)), "{text}");
        let data = format!("copy-{round}");
        fine(&import(&setup, &data, &exported).await);
        let report = Database::verify(setup.dir().join(&data).join("snakk.db")).expect("a database");
        assert!(report.is_whole(), "{report}");
    }
}
