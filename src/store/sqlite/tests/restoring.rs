//! A restore that is cut short: in each state that the files can be in, the next start finds the old database or the new
//! one, whole.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::RoomId;
use crate::store::Store;
use crate::store::contract::{Subject, said};
use crate::store::sqlite::files::beside;
use crate::store::sqlite::tests::{all_files, crash};
use crate::store::sqlite::{OpenError, Options, SqliteStore, backup, import, restore, verify};

/// A folder with the files of a killed daemon (`snakk.db`), in whose log there are 30 messages, and the database that a
/// restore has made of a backup with 10 of them, under the name that it has from the moment on from which it counts.
struct Place {
    _folder: tempfile::TempDir,
    file: PathBuf,
    room: RoomId,
}

impl Place {
    async fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (was, backup_file) = (folder.path().join("was.db"), folder.path().join("backup.db"));
        let mut it = Subject::new(SqliteStore::open(Options::new(&was)).unwrap());
        let room = it.room("a").await;
        it.append_all((0..10).map(|n| said(room, 1, &n.to_string())).collect()).await;
        backup(&was, &backup_file).unwrap();
        it.append_all((10..30).map(|n| said(room, 1, &n.to_string())).collect()).await;
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let crashed = crash(&was, &inside);
        let file = inside.join("snakk.db");
        for side in ["", "-wal"] {
            fs::rename(beside(&crashed, side), beside(&file, side)).unwrap();
        }
        let made = folder.path().join("made.db");
        restore(&backup_file, &made).unwrap();
        fs::rename(&made, beside(&file, ".restored")).unwrap();
        it.store.close().await.unwrap();
        Place { _folder: folder, file, room }
    }

    /// The name under which a restore keeps the old database.
    fn kept(&self) -> PathBuf {
        let names = all_files(self.file.parent().unwrap()).into_keys();
        let mut kept: Vec<PathBuf> = names.filter(|name| name.to_str().unwrap().ends_with('Z')).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        kept.remove(0)
    }
}

/// How many messages a database has, when a store has opened it.
async fn messages(file: &Path, room: RoomId) -> usize {
    let it = Subject::new(SqliteStore::open(Options::new(file)).unwrap());
    let messages = it.log(room).await.len();
    it.store.close().await.unwrap();
    messages
}

#[tokio::test]
async fn from_the_moment_on_from_which_it_counts_every_start_ends_it() {
    // How far it had come: what was linked, and what was removed.
    let steps: [(&[&str], &[&str]); 6] = [
        (&[], &[]),
        (&["-wal"], &[]),
        (&["-wal", ""], &[]),
        (&["-wal", ""], &["-wal"]),
        // Where a file cannot have two names, the old one is moved.
        (&["-wal"], &["-wal"]),
        (&["-wal", ""], &["-wal", ""]),
    ];
    for (linked, removed) in steps {
        let place = Place::new().await;
        let copy = tempfile::tempdir().unwrap();
        fs::copy(beside(&place.file, ".restored"), copy.path().join("x")).unwrap();
        // Under which name, only a run of it tells.
        let time = fs::metadata(beside(&place.file, ".restored")).unwrap().modified().unwrap();
        let old = all_files(place.file.parent().unwrap());
        assert_eq!(messages(&place.file, place.room).await, 10);
        let kept = place.kept();
        for name in all_files(place.file.parent().unwrap()).into_keys() {
            fs::remove_file(name).unwrap();
        }
        for (name, bytes) in &old {
            fs::write(name, bytes).unwrap();
        }
        let restored = fs::File::options().write(true).open(beside(&place.file, ".restored")).unwrap();
        restored.set_modified(time).unwrap();
        drop(restored);

        linked.iter().for_each(|side| fs::hard_link(beside(&place.file, side), beside(&kept, side)).unwrap());
        removed.iter().for_each(|side| fs::remove_file(beside(&place.file, side)).unwrap());
        // Nobody takes it for something that it is not, until somebody opens it to use it.
        if place.file.exists() {
            assert!(matches!(verify(&place.file), Err(OpenError::Unfinished { .. })));
        }
        assert!(import(&place.file, &mut &b""[..]).is_err());
        assert_eq!(messages(&place.file, place.room).await, 10, "{linked:?} {removed:?}");
        assert!(verify(&place.file).unwrap().is_whole());
        assert_eq!(place.kept(), kept, "it is kept once");
        assert_eq!(messages(&kept, place.room).await, 30, "{linked:?} {removed:?}");
        assert_eq!(all_files(place.file.parent().unwrap()).len(), 2);
    }
}

#[tokio::test]
async fn before_that_nothing_has_happened() {
    let place = Place::new().await;
    let restored = beside(&place.file, ".restored");
    let half = fs::read(&restored).unwrap();
    fs::write(beside(&place.file, ".restoring"), &half[..half.len() / 2]).unwrap();
    fs::write(beside(&place.file, ".restoring-journal"), "half").unwrap();
    let backup_file = place.file.parent().unwrap().with_file_name("backup.db");
    fs::remove_file(restored).unwrap();
    assert_eq!(messages(&place.file, place.room).await, 30);
    // The next one begins anew.
    let done = restore(&backup_file, &place.file).unwrap();
    assert_eq!(done.kept, Some(place.kept()));
    assert_eq!(messages(&place.file, place.room).await, 10);
    assert_eq!(all_files(place.file.parent().unwrap()).len(), 2);
}

#[tokio::test]
async fn what_is_kept_takes_nobodys_place() {
    let place = Place::new().await;
    let old = all_files(place.file.parent().unwrap());
    let time = fs::metadata(beside(&place.file, ".restored")).unwrap().modified().unwrap();
    assert_eq!(messages(&place.file, place.room).await, 10);
    let kept = place.kept();
    fs::remove_file(beside(&kept, "-wal")).unwrap();
    for (name, bytes) in &old {
        fs::write(name, bytes).unwrap();
    }
    fs::File::options().write(true).open(beside(&place.file, ".restored")).unwrap().set_modified(time).unwrap();
    fs::write(&kept, "somebody's").unwrap();
    assert_eq!(messages(&place.file, place.room).await, 10);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "somebody's");
    assert_eq!(messages(&beside(&kept, "-2"), place.room).await, 30);
}

#[tokio::test]
async fn a_copy_that_is_put_back_by_hand_gets_a_log_again() {
    let folder = tempfile::tempdir().unwrap();
    let (file, copy) = (folder.path().join("snakk.db"), folder.path().join("copy.db"));
    let mut it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    let room = it.room("a").await;
    it.append(said(room, 1, "x")).await;
    backup(&file, &copy).unwrap();
    let mut it = Subject::new(SqliteStore::open(Options::new(&copy)).unwrap());
    it.append(said(room, 1, "y")).await;
    assert!(fs::metadata(beside(&copy, "-wal")).unwrap().len() > 0);
}

#[tokio::test]
async fn a_store_in_this_process_is_visited_without_losing_its_locks() {
    let folder = tempfile::tempdir().unwrap();
    let (file, copy) = (folder.path().join("snakk.db"), folder.path().join("copy.db"));
    let mut it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    let room = it.room("a").await;
    it.append(said(room, 1, "x")).await;
    assert!(locks(&file) > 0, "SQLite has it locked");
    assert!(verify(&file).unwrap().is_whole());
    backup(&file, &copy).unwrap();
    assert!(restore(&copy, &file).is_err(), "it is open");
    assert!(matches!(SqliteStore::open(Options::new(&file)), Err(OpenError::Locked { .. })));
    assert!(locks(&file) > 0, "and still has");
    it.append(said(room, 1, "y")).await;
    it.store.close().await.unwrap();
    assert_eq!(messages(&file, room).await, 2);
}

/// How many locks this process has on a file that are not on it as a whole: those of SQLite. The kernel drops them when
/// anybody in the process closes the file. (Asked of each open file: /proc/locks, which has those of everybody, is read in
/// pieces, and leaves out some where others come and go meanwhile.)
fn locks(file: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
    let of_file = open.filter(|entry| fs::read_link(entry.path()).is_ok_and(|path| path == file));
    let locks = of_file.map(|entry| {
        let about = Path::new("/proc/self/fdinfo").join(entry.file_name());
        // It may be closed by now.
        let about = fs::read_to_string(about).unwrap_or_default();
        about.lines().filter(|line| line.starts_with("lock:") && line.contains("POSIX")).count()
    });
    locks.sum()
}
