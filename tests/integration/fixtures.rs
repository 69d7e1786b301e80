//! Databases of every format that there was, as the programs of their time have made them: they must still open, and
//! everything that was in them must still be there.
//!
//! How a fixture is made stands in `data/README.md`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use snakk::server::Database;

use crate::support::daemon::Setup;
use crate::support::person::fine;
use crate::support::town::{self, Program};
use crate::support::{Dice, Value, daemon, json};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/data")
}

/// Makes the fixture of the format that `$SNAKKD` writes (else that of this package): a database in which everything has
/// happened that its program knows, and what is to be seen in it.
#[tokio::test]
#[ignore = "makes a fixture"]
async fn make_the_fixture_of_a_program() {
    let program = match std::env::var_os("SNAKKD") {
        Some(path) => Program { path: path.into(), is_old: true },
        None => Program::ours(),
    };
    let setup = daemon();
    let mut town = town::build(setup.clone(), &program, &mut Dice::new()).await;
    town.stop().await;
    // What is told now is told of a program that has just started, as it will be in the test.
    town.daemon = setup.clone().program(&program.path).await;
    let seen = town::distinct(town::sights(&town.daemon).await);
    let hello = town.daemon.connect("x").await.ask(json!({"request": "hello", "protocol": 1})).await;
    town.stop().await;

    let file = setup.data_dir().join("snakk.db");
    let database = Connection::open(&file).expect("a database");
    database.execute_batch("VACUUM").expect("it can be made small");
    let number = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
    let format = number("PRAGMA user_version");
    let holds = json!({
        "rooms": number("SELECT count(*) FROM rooms"),
        "entries": number("SELECT count(*) FROM entries"),
        "messages": number("SELECT count(*) FROM entries WHERE kind = 0 AND flags & 2 = 0"),
        "accounts": number(if format > 1 { "SELECT count(*) FROM accounts WHERE deleted = 0" } else { "SELECT count(*) FROM accounts" }),
    });
    let manifest = json!({
        "format": format,
        "made_by": hello["server"],
        "holds": holds,
        "nonces": town.nonces,
        "tokens": town.tokens,
        "seen": seen,
    });
    database.close().expect("a closed database");
    fs::copy(&file, data().join(format!("format-{format}.db"))).expect("a copy");
    let mut text = String::from("{");
    for (number, (key, value)) in manifest.as_object().expect("an object").iter().enumerate() {
        text += if number > 0 { ",\n" } else { "\n" };
        // A line for each thing, so that differences can be read.
        match value {
            Value::Array(list) => {
                let lines: Vec<String> = list.iter().map(ToString::to_string).collect();
                text += &format!("{}: [\n{}\n]", json!(key), lines.join(",\n"));
            }
            value => text += &format!("{}: {value}", json!(key)),
        }
    }
    fs::write(data().join(format!("format-{format}.json")), text + "\n}\n").expect("a file");
}

/// The numbers of the formats of which there are fixtures.
fn formats() -> Vec<i64> {
    let names = fs::read_dir(data()).expect("fixtures").map(|entry| entry.expect("an entry").file_name());
    let mut formats: Vec<i64> =
        names.filter_map(|name| name.to_str()?.strip_prefix("format-")?.strip_suffix(".db")?.parse().ok()).collect();
    formats.sort_unstable();
    formats
}

/// The number of the newest format.
fn newest() -> i64 {
    let migrations = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).expect("migrations");
    i64::try_from(migrations.count()).expect("a number")
}

/// A copy of a fixture as the database of a daemon to be, and what must be found in it.
fn fixture(format: i64) -> (Setup, Value) {
    let setup = daemon();
    fs::create_dir(setup.data_dir()).expect("a data directory");
    let name = |end: &str| data().join(format!("format-{format}.{end}"));
    fs::copy(name("db"), setup.data_dir().join("snakk.db")).expect("a copy");
    let text = fs::read_to_string(name("json")).expect("a manifest");
    (setup, serde_json::from_str(&text).expect("JSON"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// What `snakkd verify` has to say of it.
#[track_caller]
fn check_whole(file: &Path, holds: &Value, format: i64) {
    let report = Database::verify(file).expect("a database of ours");
    assert!(report.is_whole(), "{report}");
    let found = json!({
        "rooms": report.rooms,
        "entries": report.entries,
        "messages": report.messages,
        "accounts": report.accounts,
    });
    assert_eq!((&found, report.format), (holds, format));
}

#[tokio::test]
async fn a_database_of_each_format_opens_and_all_of_it_is_there() {
    let formats = formats();
    assert_eq!(formats, (1..=newest()).collect::<Vec<_>>(), "each format has a fixture");
    for format in formats {
        let (setup, manifest) = fixture(format);
        let file = setup.data_dir().join("snakk.db");
        let copy = setup.data_dir().join(format!("snakk.db.v{format}"));
        check_whole(&file, &manifest["holds"], format);
        let mut running = setup.clone().await;
        town::compare_sights(list(&manifest["seen"]), &town::sights(&running).await);
        check_whole(&file, &manifest["holds"], newest());
        town::check_promises(&running, list(&manifest["nonces"]), list(&manifest["tokens"])).await;
        assert_eq!(copy.exists(), newest() != format, "a copy was made of an older one");
        running.sigterm();
        assert!(running.exited().await.success());
        if copy.exists() {
            check_whole(&copy, &manifest["holds"], format);
            assert_eq!(fs::metadata(&copy).expect("a file").permissions().mode() & 0o777, 0o600);
        }
    }
}

#[tokio::test]
async fn an_export_of_each_format_is_imported_and_brought_up_to_date() {
    for format in formats() {
        let (setup, manifest) = fixture(format);
        let exported = setup.run(&["export"]).await;
        fine(&exported);
        assert!(exported.lines[0].contains(&format!("\"schema\":{format},")), "{}", exported.lines[0]);
        fs::remove_dir_all(setup.data_dir()).expect("a directory");
        fs::write(setup.dir().join("export"), exported.lines.join("\n")).expect("a file");
        fine(&setup.run(&["import", "export"]).await);
        check_whole(&setup.data_dir().join("snakk.db"), &manifest["holds"], newest());
        let running = setup.await;
        town::compare_sights(list(&manifest["seen"]), &town::sights(&running).await);
        town::check_promises(&running, list(&manifest["nonces"]), list(&manifest["tokens"])).await;
    }
}

#[tokio::test]
async fn a_backup_of_each_format_is_restored_and_brought_up_to_date() {
    for format in formats() {
        let (setup, manifest) = fixture(format);
        let file = setup.data_dir().join("snakk.db");
        fine(&setup.run(&["backup", "old.db"]).await);
        check_whole(&setup.dir().join("old.db"), &manifest["holds"], format);
        fine(&setup.run(&["restore", "old.db"]).await);
        check_whole(&file, &manifest["holds"], newest());
        let running = setup.await;
        let mut reader = running.native("reader").await;
        let found = reader.ask(json!({"request": "search", "query": "passing"})).await;
        assert_eq!(found["messages"].as_array().map(Vec::len), Some(1), "{found}");
    }
}

#[tokio::test]
async fn a_migration_that_is_killed_at_any_moment_is_ended_by_the_next_start() {
    let oldest = formats()[0];
    let mut took = Duration::ZERO;
    let mut cut_short = 0;
    for killed in 0..=25 {
        let (setup, manifest) = fixture(oldest);
        let file = setup.data_dir().join("snakk.db");
        if killed == 0 {
            let begun = Instant::now();
            let mut daemon = setup.clone().await;
            took = begun.elapsed();
            daemon.kill9().await;
        } else {
            let mut daemon = setup.clone().spawn();
            tokio::time::sleep(took * killed / 20).await;
            daemon.kill9().await;
        }
        let left = setup.run(&["verify", "data/snakk.db"]).await;
        let was_cut_short = left.stderr.contains("a migration of") && left.stderr.contains("was cut short");
        assert!(left.code == Some(0) || was_cut_short, "{left:?}");
        cut_short += u32::from(left.code != Some(0) || !left.lines[0].contains(&format!("format {},", newest())));
        let mut daemon = setup.clone().await;
        check_whole(&file, &manifest["holds"], newest());
        daemon.sigterm();
        assert!(daemon.exited().await.success(), "{}", daemon.stderr());
        // A copy, and it is whole; another one if it was killed between two steps; and nothing else is left.
        let mut names: Vec<String> = fs::read_dir(setup.data_dir())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        let copies: Vec<i64> = names.iter().filter_map(|name| name.strip_prefix("snakk.db.v")?.parse().ok()).collect();
        assert_eq!((names[0].as_str(), copies.first()), ("snakk.db", Some(&oldest)), "killed after {killed} parts");
        assert!(copies.len() <= 2 && names.len() == copies.len() + 1, "killed after {killed} parts: {names:?}");
        for (name, format) in names[1..].iter().zip(copies) {
            check_whole(&setup.data_dir().join(name), &manifest["holds"], format);
        }
    }
    assert!(cut_short > 1, "it was killed before its end");
}
