//! What only a store on a disk can do, and what it must stand.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::model::{RoomId, Seq, Time};
use crate::store::contract::{Subject, contract, most, nonce, said, seq};
use crate::store::sqlite::files::beside;
use crate::store::sqlite::nonces;
use crate::store::sqlite::seams::Seams;
use crate::store::sqlite::{
    Durability, OpenError, Options, SqliteStore, accounts, acts, append, erase, index, log, members, mentions, migrate,
    reactions, search, targets, tokens, unread, verify,
};
use crate::store::{Append, Outcome, Store, StoreError, Write};

mod erasing;
mod indexing;
mod model;
mod restoring;
mod tallies;

fn open_new() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(Options::new(folder.path().join("snakk.db"))).unwrap();
    (folder, store)
}

contract!(open_new);

fn seams(boot: &str) -> Seams {
    Seams { boot_id: boot.into(), ..Seams::default() }
}

fn open_with(file: &Path, durability: Durability, seams: Seams) -> Result<SqliteStore, OpenError> {
    SqliteStore::open_with(Options { durability, ..Options::new(file) }, migrate::MIGRATIONS, seams)
}

/// A closed database with some messages in it.
async fn closed_database(file: &Path) -> RoomId {
    let mut it = Subject::new(SqliteStore::open(Options::new(file)).unwrap());
    let room = it.room("a").await;
    for _ in 0..20 {
        it.append_all((0..100).map(|n| said(room, 1, &format!("message {n}"))).collect()).await;
    }
    it.store.close().await.unwrap();
    room
}

/// What a crash leaves behind: the files as they are while the store is open.
fn crash(file: &Path, into: &Path) -> PathBuf {
    let copy = into.join("crashed.db");
    for suffix in ["", "-wal"] {
        fs::copy(beside(file, suffix), beside(&copy, suffix)).unwrap();
    }
    copy
}

fn all_files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Opening fails, and every file in the folder stays as it is.
fn refused(file: &Path) -> OpenError {
    let before = all_files(file.parent().unwrap());
    let error = SqliteStore::open(Options::new(file)).err().expect("a refusal");
    let after = all_files(file.parent().unwrap());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{error}");
    assert!(before == after, "a file was changed: {error}");
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    error
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    let mut it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    let (room, secret) = (it.room("a").await, it.store.secret());
    let first = it.append(nonce(said(room, 1, "x"), "n")).await;
    it.register("Alice", "alice").await;
    it.store.close().await.unwrap();
    assert_eq!(all_files(folder.path()).len(), 1, "a clean stop leaves one file");
    let mut it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    assert_eq!(it.store.secret(), secret);
    assert_eq!(&*it.stored_room(room).await.epoch.0, "first");
    assert!(it.store.is_taken("alice").await.unwrap());
    let again = it.append(nonce(said(room, 1, "x"), "n")).await;
    assert!(matches!(again, Outcome::Duplicate { seq: Seq(1), .. }), "{first:?} {again:?}");
    assert_eq!(seq(&it.append(said(room, 1, "y")).await), 2);
}

#[tokio::test]
async fn nobody_else_can_read_the_files() {
    let (folder, store) = open_new();
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    let modes: Vec<_> =
        files.map(|file| (file.file_name(), file.metadata().unwrap().permissions().mode() & 0o777)).collect();
    assert_eq!(modes.len(), 3);
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_settled() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    for n in 0..300 {
        it.append(said(room, 1, &n.to_string())).await;
        if n % 100 == 99 {
            let elsewhere = tempfile::tempdir().unwrap();
            let copy = crash(&folder.path().join("snakk.db"), elsewhere.path());
            let crashed = Subject::new(SqliteStore::open(Options::new(&copy)).unwrap());
            assert_eq!(crashed.log(room).await, it.log(room).await);
            crashed.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_log_that_is_cut_off_leaves_a_prefix() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    for n in 0..20 {
        it.append(said(room, 1, &n.to_string())).await;
    }
    let all = it.log(room).await;
    for cut in [0, 1, 31, 32, 100, 5000, 20_000, 40_001] {
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = crash(&folder.path().join("snakk.db"), elsewhere.path());
        fs::File::options().write(true).open(beside(&copy, "-wal")).unwrap().set_len(cut).unwrap();
        let mut crashed = Subject::new(SqliteStore::open(Options::new(&copy)).unwrap());
        if crashed.store.rooms().await.unwrap().is_empty() {
            continue;
        }
        let left = crashed.log(room).await;
        assert!(all.starts_with(&left), "{cut}");
        assert_eq!(seq(&crashed.append(said(room, 1, "on")).await), left.len() as u64 + 1);
    }
}

#[tokio::test]
async fn a_crash_at_the_very_start_or_end_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    closed_database(&file).await;
    // As it is between the commit of the marker and its way into the file, at the start and at the stop.
    for sql in [
        "INSERT OR REPLACE INTO meta (key, value) VALUES ('running', 'full x')",
        "DELETE FROM meta WHERE key = 'running'",
    ] {
        let conn = Connection::open(&file).unwrap();
        conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        conn.execute_batch(sql).unwrap();
        conn.execute_batch(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('x', 'full x'); DELETE FROM meta WHERE key = 'x'",
        )
        .unwrap();
        conn.close().unwrap();
        assert!(fs::metadata(beside(&file, "-wal")).unwrap().len() > 0);
        SqliteStore::open(Options::new(&file)).unwrap().close().await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_creation_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    fs::write(&file, "").unwrap();
    fs::write(beside(&file, ".new"), "half of a database").unwrap();
    fs::write(beside(&file, ".new-wal"), "of a log").unwrap();
    closed_database(&file).await;
    assert_eq!(all_files(folder.path()).len(), 1);
}

#[tokio::test]
async fn what_is_damaged_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.db");
    closed_database(&good).await;
    let whole = fs::read(&good).unwrap();
    let page = |n: usize| {
        let mut bytes = whole.clone();
        bytes[n * 4096..(n + 1) * 4096].fill(0x5a);
        bytes
    };
    let mut garbage = whole.clone();
    garbage[..100].fill(b'x');
    let table = [
        ("garbage header", garbage),
        ("only garbage", b"this is no database".to_vec()),
        ("a long text", vec![b'x'; 10_000]),
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("cut by a byte", whole[..whole.len() - 1].to_vec()),
        ("only a header", whole[..100].to_vec()),
        ("first page", page(0)),
        ("table of tables", [&whole[..100], &vec![0; 3996][..], &whole[4096..]].concat()),
    ];
    for (name, bytes) in table {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("snakk.db");
        fs::write(&file, bytes).unwrap();
        let error = refused(&file);
        assert!(matches!(error, OpenError::Damaged { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn damage_after_an_unclean_stop_is_found_and_left_alone() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    for _ in 0..30 {
        it.append_all((0..100).map(|n| said(room, 1, &format!("message {n}"))).collect()).await;
    }
    // With everything in the file, so that the log does not hide the damage.
    let conn = Connection::open(folder.path().join("snakk.db")).unwrap();
    conn.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = crash(&folder.path().join("snakk.db"), elsewhere.path());
    fs::write(beside(&copy, "-wal"), "").unwrap();
    let file = fs::File::options().write(true).open(&copy).unwrap();
    let page = conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'entries'", [], |row| row.get::<_, i64>(0))
        .unwrap();
    file.write_all_at(&[0; 4096], (page as u64 - 1) * 4096).unwrap();
    let error = refused(&copy);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn the_log_of_another_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    closed_database(&file).await;
    let (other, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("b").await;
    it.append(said(room, 1, "foreign")).await;
    fs::copy(other.path().join("snakk.db-wal"), beside(&file, "-wal")).unwrap();
    assert!(matches!(refused(&file), OpenError::Damaged { .. }));
    fs::write(beside(&file, "-wal"), "a text that somebody put there").unwrap();
    assert!(matches!(refused(&file), OpenError::Damaged { .. }));
    // Without its database a log is not thrown away either.
    fs::write(&file, "").unwrap();
    assert!(matches!(refused(&file), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn what_is_newer_or_foreign_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    closed_database(&file).await;
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(refused(&file), OpenError::Newer { found: 99, .. }));
    for sql in ["CREATE TABLE songs (name TEXT)", "PRAGMA journal_mode = WAL; CREATE TABLE songs (name TEXT)"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("songs.db");
        let conn = Connection::open(&file).unwrap();
        conn.execute_batch(sql).unwrap();
        conn.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        drop(conn);
        assert!(matches!(refused(&file), OpenError::Foreign { .. }));
    }
}

#[test]
fn what_is_no_file_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("missing/snakk.db"), PathBuf::from("/dev/null")] {
        let error = SqliteStore::open(Options::new(&path)).err().unwrap();
        assert!(matches!(error, OpenError::CannotOpen { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}

#[tokio::test]
async fn a_second_store_on_the_same_file_is_refused_by_whatever_name() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let file = folder.path().join("snakk.db");
    let (symbolic, hard) = (folder.path().join("symbolic.db"), folder.path().join("hard.db"));
    std::os::unix::fs::symlink(&file, &symbolic).unwrap();
    fs::hard_link(&file, &hard).unwrap();
    for name in [&file, &symbolic, &hard, &folder.path().join("./snakk.db")] {
        let error = SqliteStore::open(Options::new(name)).err().unwrap();
        assert!(matches!(error, OpenError::Locked { .. }), "{error}");
        assert!(error.to_string().contains(name.to_str().unwrap()));
    }
    // What keeps other processes out.
    let second = fs::File::open(&file).unwrap();
    assert!(matches!(second.try_lock(), Err(fs::TryLockError::WouldBlock)));
    assert_eq!(seq(&it.append(said(room, 1, "unharmed")).await), 1);
    it.store.close().await.unwrap();
    let it = Subject::new(SqliteStore::open(Options::new(&symbolic)).unwrap());
    assert_eq!(it.log(room).await.len(), 1);
    it.store.close().await.unwrap();
}

#[tokio::test]
async fn commits_that_a_power_cut_may_have_taken_give_new_epochs() {
    let table = [
        (Durability::Normal, "earlier", "later", true),
        (Durability::Normal, "the same", "the same", false),
        (Durability::Normal, "", "", true),
        (Durability::Full, "earlier", "later", false),
    ];
    for (durability, before, after, renewed) in table {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("snakk.db");
        let store = open_with(&file, durability, seams(before)).unwrap();
        let it = Subject::new(store);
        let (a, b) = (it.room("a").await, it.room("b").await);
        let copy = crash(&file, folder.path());
        let crashed = Subject::new(open_with(&copy, Durability::Full, seams(after)).unwrap());
        let epochs = [crashed.stored_room(a).await.epoch, crashed.stored_room(b).await.epoch];
        let as_before = epochs.iter().filter(|epoch| &*epoch.0 == "first").count();
        assert_eq!(as_before, if renewed { 0 } else { 2 }, "{durability:?} {before} {after}");
        assert!(!renewed || epochs[0] != epochs[1]);
        crashed.store.close().await.unwrap();
        // A clean stop renews nothing.
        it.store.close().await.unwrap();
        let it = Subject::new(open_with(&file, durability, seams("much later")).unwrap());
        assert_eq!(&*it.stored_room(a).await.epoch.0, "first");
    }
}

#[tokio::test]
async fn many_writes_share_one_commit() {
    let (_folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let before = it.store.commits();
    it.append_all((0..1000).map(|_| said(room, 1, "x")).collect()).await;
    let commits = it.store.commits() - before;
    assert!(commits <= 20, "{commits} commits for 1000 writes that were there together");
}

#[tokio::test]
async fn a_full_disk_is_over_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let seams = seams("boot");
    let faults = seams.faults.clone();
    let mut it = Subject::new(open_with(&folder.path().join("snakk.db"), Durability::Full, seams).unwrap());
    let room = it.room("a").await;
    assert_eq!(seq(&it.append(said(room, 1, "x")).await), 1);
    faults.max_pages.store(1, SeqCst);
    let long = "x".repeat(100_000);
    let mut generation = 0;
    for n in 0..5 {
        let outcome = it.append(Append { generation, ..nonce(said(room, 1, &long), &n.to_string()) }).await;
        let Outcome::Failed { generation: next, error: StoreError::Unavailable(_) } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(next > generation);
        generation = next;
        assert_eq!(it.log(room).await.len(), 1, "reading goes on");
    }
    faults.max_pages.store(0, SeqCst);
    let outcome = it.append(Append { generation, ..nonce(said(room, 1, &long), "4") }).await;
    assert_eq!(seq(&outcome), 2);
    assert_eq!(it.stored_room(room).await.head, Seq(2));
}

/// Asks whether the store answers, and could store something.
async fn probe(store: &dyn Store) -> Result<(), StoreError> {
    let place = store.queue().reserve(0).await.unwrap();
    let (done, answer) = tokio::sync::oneshot::channel();
    assert!(store.queue().push(place, Write::Probe(done)).is_ok());
    answer.await.unwrap()
}

#[tokio::test]
async fn a_probe_writes_nothing_unless_something_could_not_be_stored() {
    let folder = tempfile::tempdir().unwrap();
    let seams = seams("boot");
    let faults = seams.faults.clone();
    faults.no_hold.store(true, SeqCst);
    let mut it = Subject::new(open_with(&folder.path().join("snakk.db"), Durability::Full, seams).unwrap());
    let room = it.room("a").await;
    let log = || fs::read(folder.path().join("snakk.db-wal")).unwrap();
    let (before, commits, beats) = (log(), it.store.vitals().commits.count, it.store.vitals().beats);
    probe(&it.store).await.unwrap();
    assert!(log() == before && it.store.vitals().commits.count == commits);
    assert!(it.store.vitals().beats > beats, "but the writer was at it");

    faults.commit_code.store(rusqlite::ffi::SQLITE_FULL, SeqCst);
    assert!(matches!(it.append(said(room, 1, "x")).await, Outcome::Failed { generation: 1, .. }));
    assert!(it.store.vitals().refuses.is_some());
    assert!(probe(&it.store).await.is_err(), "it tried");
    faults.commit_code.store(0, SeqCst);
    let before = log();
    probe(&it.store).await.unwrap();
    assert!(log() != before, "it tried for real");
    let vitals = it.store.vitals();
    assert_eq!((vitals.refuses, vitals.failed_commits, vitals.at_work), (None, 2, None));
    it.store.close().await.unwrap();
}

#[tokio::test]
async fn what_could_not_be_stored_a_moment_ago_holds_until_something_was() {
    let folder = tempfile::tempdir().unwrap();
    let seams = seams("boot");
    let faults = seams.faults.clone();
    let mut it = Subject::new(open_with(&folder.path().join("snakk.db"), Durability::Full, seams).unwrap());
    let room = it.room("a").await;
    faults.commit_code.store(rusqlite::ffi::SQLITE_FULL, SeqCst);
    assert!(matches!(it.append(said(room, 1, "x")).await, Outcome::Failed { generation: 1, .. }));
    faults.commit_code.store(0, SeqCst);
    assert!(probe(&it.store).await.is_err());
    assert_eq!(seq(&it.append(Append { generation: 1, ..said(room, 1, "x") }).await), 1);
    probe(&it.store).await.unwrap();
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_until_a_checkpoint_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let seams = seams("boot");
    let faults = seams.faults.clone();
    let mut it = Subject::new(open_with(&folder.path().join("snakk.db"), Durability::Full, seams).unwrap());
    let room = it.room("a").await;
    it.append(said(room, 1, "x")).await;
    faults.commit_code.store(rusqlite::ffi::SQLITE_IOERR_FSYNC, SeqCst);
    let outcome = it.append(said(room, 1, "lost")).await;
    assert!(matches!(outcome, Outcome::Failed { generation: 1, .. }));
    faults.commit_code.store(0, SeqCst);
    // Each try fails at once until a second has passed; then the writer is opened anew.
    let (mut generation, mut failed) = (1, 0);
    let began = std::time::Instant::now();
    loop {
        match it.append(Append { generation, ..said(room, 1, "y") }).await {
            Outcome::Failed { generation: next, .. } => {
                (generation, failed) = (next, failed + 1);
                assert!(began.elapsed().as_secs() < 30);
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            outcome => {
                assert_eq!(seq(&outcome), 2);
                break;
            }
        }
    }
    assert!(failed > 0, "it must not write on as if nothing had happened");
    it.store.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_acknowledged_after_the_file_was_taken_away() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let (file, away) = (folder.path().join("snakk.db"), folder.path().join("away.db"));
    let mut generation = 0;
    for suffix in ["", "-wal"] {
        let before = it.append(Append { generation, ..said(room, 1, "x") }).await;
        assert!(matches!(before, Outcome::Appended(_)), "{before:?}");
        fs::rename(beside(&file, suffix), &away).unwrap();
        let outcome = it.append(Append { generation, ..said(room, 1, "lost") }).await;
        let Outcome::Failed { generation: next, error } = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("removed or replaced"), "{error}");
        generation = next;
        fs::rename(&away, beside(&file, suffix)).unwrap();
    }
    assert_eq!(seq(&it.append(Append { generation, ..said(room, 1, "y") }).await), 3);
}

#[tokio::test]
async fn a_panic_of_the_writer_fails_everything_and_hangs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    let seams = seams("boot");
    let faults = seams.faults.clone();
    let mut it = Subject::new(open_with(&file, Durability::Full, seams).unwrap());
    let room = it.room("a").await;
    it.append(said(room, 1, "x")).await;
    faults.panic.store(true, SeqCst);
    let mut places = Vec::new();
    for _ in 0..10 {
        places.push(it.store.queue().reserve(1).await.unwrap());
    }
    let push = |place| it.store.queue().push(place, Write::Append(said(room, 1, "y"))).is_ok();
    let pushed = places.into_iter().filter_map(|place| push(place).then_some(())).count();
    assert!(pushed > 0);
    // Of the batch in hand nobody knows whether it was committed.
    let outcome = it.outcome().await.outcome;
    assert!(matches!(outcome, Outcome::Failed { error: StoreError::Unavailable(_), .. }), "{outcome:?}");
    for _ in 1..pushed {
        let outcome = it.outcome().await.outcome;
        assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    }
    assert!(it.settled.recv().await.is_none());
    it.store.close().await.unwrap();
    assert!(matches!(it.store.queue().reserve(1).await, Err(StoreError::Closed)));
    let it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    assert_eq!(it.log(room).await.len(), 1);
}

#[tokio::test]
async fn an_old_database_is_copied_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    let room = closed_database(&file).await;
    let next = "ALTER TABLE rooms ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'; CREATE TABLE more (a INTEGER) STRICT;";
    let with = |sql| [migrate::MIGRATIONS, &[sql][..]].concat();
    let old = migrate::newest(migrate::MIGRATIONS);
    let copy = beside(&file, &format!(".v{old}"));
    let broken = with("CREATE TABLE more (a INTEGER) STRICT; SELECT nonsense;");
    assert!(SqliteStore::open_with(Options::new(&file), &broken, seams("x")).is_err());
    fs::remove_file(&copy).unwrap();
    for migrations in [with(next), with(next)] {
        let it = Subject::new(SqliteStore::open_with(Options::new(&file), &migrations, seams("x")).unwrap());
        assert_eq!(it.log(room).await.len(), 2000);
        it.store.close().await.unwrap();
        let conn = Connection::open(&file).unwrap();
        let found = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!((found("SELECT mood FROM rooms"), found("PRAGMA journal_mode")), ("good".into(), "wal".into()));
        assert_eq!(conn.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), old + 1);
    }
    assert!(matches!(refused(&file), OpenError::Newer { found, known, .. } if (found, known) == (old + 1, old)));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let it = Subject::new(SqliteStore::open(Options::new(&copy)).unwrap());
    assert_eq!(it.log(room).await.len(), 2000);
    it.store.close().await.unwrap();
    assert_eq!(all_files(folder.path()).len(), 2, "the second start makes no copy");
}

#[tokio::test]
async fn a_migration_that_was_cut_short_while_its_pages_were_written_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    let room = closed_database(&file).await;
    let next = "ALTER TABLE rooms ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'; CREATE TABLE more (a INTEGER) STRICT;";
    let migrations = [migrate::MIGRATIONS, &[next][..]].concat();
    let (old, journal) = (migrate::newest(migrate::MIGRATIONS), beside(&file, "-journal"));
    // All pages are written, and the journal that takes them back is still there.
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; BEGIN EXCLUSIVE").unwrap();
    conn.execute_batch(next).unwrap();
    conn.pragma_update(None, "user_version", old + 1).unwrap();
    let bytes = fs::read(&journal).unwrap();
    conn.execute_batch("COMMIT").unwrap();
    drop(conn);
    fs::write(&journal, bytes).unwrap();
    assert!(matches!(verify(&file), Err(OpenError::Unfinished { .. })));
    assert!(journal.exists(), "who only looks changes nothing");
    let it = Subject::new(SqliteStore::open_with(Options::new(&file), &migrations, seams("x")).unwrap());
    assert_eq!(it.log(room).await.len(), 2000);
    it.store.close().await.unwrap();
    let copy = verify(&beside(&file, &format!(".v{old}"))).unwrap();
    assert!(copy.is_whole() && copy.messages == 2000, "{copy}");
    let conn = Connection::open(&file).unwrap();
    assert_eq!(conn.query_row("SELECT mood FROM rooms", [], |row| row.get::<_, String>(0)).unwrap(), "good");
}

#[test]
fn what_runs_often_uses_an_index() {
    let conn = Connection::open_in_memory().unwrap();
    migrate::MIGRATIONS.iter().for_each(|sql| conn.execute_batch(sql).unwrap());
    let table = [
        (log::SELECT_UP, "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (log::SELECT_DOWN, "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (log::SELECT_HEAD, "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (log::SELECT_MESSAGES, "SEARCH entries USING INTEGER PRIMARY KEY (rowid=?)"),
        (log::SELECT_FIRST, "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (targets::SELECT_TARGET, "SEARCH entries USING INTEGER PRIMARY KEY (rowid=?)"),
        (erase::SELECT_ERASED, "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (unread::SELECT_BLOCK, "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (unread::SELECT_TALLY, "SEARCH tallies USING PRIMARY KEY (room=? AND author=? AND block>? AND block<?)"),
        (reactions::SELECT_REACTIONS, "SEARCH reactions USING PRIMARY KEY (room=? AND target=?)"),
        (
            reactions::SELECT_REACTION,
            "SEARCH reactions USING PRIMARY KEY (room=? AND target=? AND emoji=? AND author=?); \
             SEARCH entries USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (
            mentions::SELECT_NAMED,
            "SEARCH accounts USING INDEX sqlite_autoindex_accounts_1 (folded=?); \
             SEARCH members USING PRIMARY KEY (room=? AND user=?)",
        ),
        (mentions::DELETE_OF_ENTRY, "SEARCH mentions USING INDEX mentions_by_entry (room=? AND seq=?)"),
        (
            index::SELECT_NEXT,
            "SEARCH postings USING INTEGER PRIMARY KEY (rowid>?); SEARCH entries USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (search::SELECT_POSTINGS, "SEARCH postings USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (search::SELECT_POSTING, "SEARCH postings USING INTEGER PRIMARY KEY (rowid=?)"),
        (search::SELECT_FOUND, "SCAN found VIRTUAL TABLE INDEX 192:M2><"),
        (search::SELECT_ENTRY, "SEARCH entries USING INTEGER PRIMARY KEY (rowid=?)"),
        (append::SELECT_NONCE, "SEARCH nonces USING PRIMARY KEY (author=? AND room=? AND nonce=?)"),
        (members::SELECT_MEMBERSHIPS, "SEARCH members USING INDEX members_by_user (user=?)"),
        (
            members::SELECT_MEMBERS,
            "SEARCH members USING PRIMARY KEY (room=?); SEARCH accounts USING INTEGER PRIMARY KEY (rowid=?); \
             USE TEMP B-TREE FOR ORDER BY",
        ),
        (accounts::SELECT_ACCOUNT, "SEARCH accounts USING INDEX sqlite_autoindex_accounts_1 (folded=?)"),
        (accounts::SELECT_ACCOUNTS, "SEARCH accounts USING INDEX sqlite_autoindex_accounts_1 (folded>?)"),
        (accounts::SELECT_TAKEN, "SEARCH accounts USING COVERING INDEX sqlite_autoindex_accounts_2 (skeleton=?)"),
        (
            tokens::SELECT_TOKEN,
            "SEARCH tokens USING INDEX sqlite_autoindex_tokens_1 (hash=?); \
             SEARCH accounts USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (tokens::SELECT_TOKENS, "SEARCH tokens USING INDEX tokens_by_user (user=?)"),
        (acts::SELECT_ACTS, "SEARCH acts USING INTEGER PRIMARY KEY (rowid<?)"),
        (acts::SELECT_ACTS_OF_ROOM, "SEARCH acts USING INDEX acts_by_room (room=? AND id<?)"),
    ];
    for (sql, wanted) in table {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nothing = vec![rusqlite::types::Null; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get::<_, String>(3)).unwrap();
        assert_eq!(steps.collect::<Result<Vec<_>, _>>().unwrap().join("; "), wanted, "{sql}");
    }
}

#[test]
fn old_nonces_go_but_for_the_newest_of_each_account() {
    let conn = Connection::open_in_memory().unwrap();
    migrate::MIGRATIONS.iter().for_each(|sql| conn.execute_batch(sql).unwrap());
    let day = 24 * 60 * 60 * 1000;
    let now = 10 * day;
    let mut insert = conn.prepare(append::INSERT_NONCE).unwrap();
    let mut put =
        |author: i64, room: i64, n: i64, time: i64| insert.execute((author, room, format!("{n}"), n, time)).unwrap();
    for n in 0..1500 {
        put(1, n % 7, n, n); // all old: the newest 1000 stay
        put(2, 1, n, now - n); // all new
        put(-1, 1, n, if n % 2 == 0 { 5 } else { now });
    }
    (0..900).for_each(|n| _ = put(3, 1, n, n)); // old, but few
    let (mut cursor, mut steps) = (None, 0);
    loop {
        let (keys, next) = nonces::stale(&conn, cursor, Time(now)).unwrap();
        assert!(keys.len() <= nonces::STEP);
        nonces::delete(&conn, &keys).unwrap();
        steps += 1;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(steps >= 1250 / nonces::STEP);
    let count = |author: i64| {
        conn.query_row("SELECT count(*), min(time) FROM nonces WHERE author = ?1", [author], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .unwrap()
    };
    assert_eq!([count(1), count(2), count(-1), count(3)], [(1000, 500), (1500, now - 1499), (750, now), (900, 0)]);
}

#[tokio::test]
async fn a_row_that_cannot_be_is_an_error_and_no_panic() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append(said(room, 1, "x")).await;
    let conn = Connection::open(folder.path().join("snakk.db")).unwrap();
    for sql in
        ["UPDATE entries SET kind = 77", "UPDATE entries SET kind = 1, body = '{'", "UPDATE rooms SET kind = 'odd'"]
    {
        conn.execute_batch(sql).unwrap();
    }
    assert!(matches!(it.store.entries(room, Seq(0), Seq(9), most(9)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(it.store.rooms().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn the_log_does_not_grow_for_ever() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let long = "x".repeat(8000);
    for _ in 0..120 {
        it.append_all((0..100).map(|_| said(room, 1, &long)).collect()).await;
    }
    let log = fs::metadata(folder.path().join("snakk.db-wal")).unwrap().len();
    assert!(log < 32 << 20, "{log} bytes");
    it.store.close().await.unwrap();
}

#[tokio::test]
async fn a_dropped_store_still_writes_what_waits() {
    let (folder, store) = open_new();
    let it = Subject::new(store);
    let room = it.room("a").await;
    it.push((0..10).map(|_| Write::Append(said(room, 1, "x"))).collect()).await;
    let Subject { store, mut settled, .. } = it;
    drop(store);
    let mut count = 0;
    while let Some(batch) = settled.recv().await {
        count += batch.len();
    }
    assert_eq!(count, 10);
    let _ = folder;
}
