//! Putting a backup in the place of a database.
//!
//! The new database is made whole beside the old one, brought to the disk, and then called `.restored`: from that moment on
//! it counts. What is left to do (keeping the old files under another name, and giving the new one theirs) is done by
//! whoever opens the database next, if we are killed in between, and every step of it may be done twice.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::model::Time;
use crate::store::sqlite::files::{
    SIDES, adopt, are_one, beside, give_name, has_bytes, remove, remove_database, sync_folder,
};
use crate::store::sqlite::lock::{FileId, Lock};
use crate::store::sqlite::verify::{Look, Report, look_at, look_whole};
use crate::store::sqlite::visit::Visit;
use crate::store::sqlite::{OpenError, backup, migrate, rooms};

/// Why a backup was not put in place. The database that was there is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup cannot be read.
    #[error(transparent)]
    Backup(OpenError),
    /// The place for the database cannot be had: another program has it open, or its folder cannot be written.
    #[error(transparent)]
    Place(OpenError),
    /// It is the database itself that was to be put in its place.
    #[error("{} is the database itself, and no backup of it", path.display())]
    Itself {
        /// The file.
        path: PathBuf,
    },
    /// The backup does not hold together.
    #[error("{} is not put in place, for something is wrong with it:\n{report}", path.display())]
    NotWhole {
        /// The backup.
        path: PathBuf,
        /// What was found.
        report: Box<Report>,
    },
}

/// A backup that was put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// What the database holds now.
    pub report: Report,
    /// Where the database is that was there before, if there was one.
    pub kept: Option<PathBuf>,
    /// The format that the backup had.
    pub format: i64,
}

/// Puts a backup in the place of a database that no store has open, in the newest format, with a new epoch for each room:
/// what clients remember of the rooms is void. The old database is kept beside it, with its log, under a name with the
/// time. Whenever we are killed, there is either the old database or the new one. Blocks.
///
/// # Errors
/// [`RestoreError`]; then everything is as it was.
pub fn restore(backup: &Path, database: &Path) -> Result<Restored, RestoreError> {
    let was_there = database.exists();
    let lock = Lock::open(database).map_err(RestoreError::Place)?;
    let cannot = |error: io::Error| RestoreError::Place(OpenError::cannot_open(database, error));
    let path = fs::canonicalize(database).map_err(cannot)?;
    let (lock, _) = finish(&path, lock).map_err(RestoreError::Place)?;
    let ready = ready(backup, &path).inspect_err(|_| {
        if !was_there && !has_bytes(&path) {
            // The lock has made it.
            let _ = fs::remove_file(&path);
        }
    })?;
    // From here on the new one counts.
    fs::rename(beside(&path, READY), beside(&path, RESTORED)).map_err(cannot)?;
    sync_folder(&path).map_err(cannot)?;
    let (_lock, kept) = replace(&path, lock, ready.lock).map_err(RestoreError::Place)?;
    Ok(Restored { report: ready.report, kept, format: ready.format })
}

/// How a database is called while it is made.
const READY: &str = ".restoring";

/// A database that may be put in place.
struct Ready {
    lock: Lock,
    report: Report,
    /// The format that it had.
    format: i64,
}

/// Looks at a backup and makes a database of it, on the disk, beside the place that it is for.
fn ready(backup: &Path, path: &Path) -> Result<Ready, RestoreError> {
    if are_one(backup, path) {
        return Err(RestoreError::Itself { path: backup.to_owned() });
    }
    let visit = Visit::open(backup).map_err(RestoreError::Backup)?;
    let whole = |report: Report| {
        if report.is_whole() {
            return Ok(report);
        }
        Err(RestoreError::NotWhole { path: backup.to_owned(), report: report.into() })
    };
    whole(look_whole(&visit).map_err(RestoreError::Backup)?)?;
    let new = beside(path, READY);
    let cannot = |error: io::Error| RestoreError::Place(OpenError::cannot_open(path, error));
    remove_database(&new).map_err(cannot)?;
    let lock = Lock::create(&new).map_err(cannot)?;
    let make = || {
        let report = make(&visit, &new).map_err(|error| RestoreError::Place(OpenError::sqlite(path, error)))?;
        let report = whole(Report { path: path.to_owned(), ..report })?;
        adopt(&lock.file, path).and_then(|()| lock.file.sync_all()).map_err(cannot)?;
        Ok(report)
    };
    let report = make().inspect_err(|_| _ = remove_database(&new))?;
    Ok(Ready { lock, report, format: visit.version })
}

fn make(visit: &Visit, new: &Path) -> rusqlite::Result<Report> {
    backup::copy(&visit.conn, new)?;
    backup::tidy(new)?;
    let conn = backup::connect(new)?;
    migrate::bring_up_to_date(&conn, visit.version, migrate::MIGRATIONS)?;
    rooms::renew_epochs(&conn)?;
    let report = look_at(&conn, new, Look::Quick);
    migrate::use_log(&conn)?;
    conn.close().map_err(|(_, error)| error)?;
    Ok(report)
}

/// How a database is called that is to take the place of the one whose name it has otherwise.
const RESTORED: &str = ".restored";

/// Whether a restore was cut short.
pub(super) fn is_unfinished(path: &Path) -> bool {
    beside(path, RESTORED).exists()
}

/// Brings a restore to its end that was cut short, if there is one. Answers the lock on the database that is there then.
pub(super) fn finish(path: &Path, lock: Lock) -> Result<(Lock, Option<PathBuf>), OpenError> {
    let new = beside(path, RESTORED);
    if !new.exists() {
        return Ok((lock, None));
    }
    let made = Lock::open(&new)?;
    let (lock, kept) = replace(path, lock, made)?;
    let kept_as = kept.as_ref().map(|kept| kept.display().to_string()).unwrap_or_default();
    tracing::warn!(path = kept_as, "a restore that was cut short was brought to its end");
    Ok((lock, kept))
}

/// Keeps the old files under another name, and gives theirs to the new one. May be cut short and begun again at any point.
fn replace(path: &Path, old: Lock, new: Lock) -> Result<(Lock, Option<PathBuf>), OpenError> {
    let cannot = |error| OpenError::cannot_open(path, error);
    let kept = keep(path, &beside(path, RESTORED)).map_err(cannot)?;
    sync_folder(path).map_err(cannot)?;
    for side in SIDES {
        remove(&beside(path, side)).map_err(cannot)?;
    }
    sync_folder(path).map_err(cannot)?;
    fs::rename(beside(path, RESTORED), path).map_err(cannot)?;
    sync_folder(path).map_err(cannot)?;
    drop(old);
    Ok((new, kept))
}

/// What makes a database whole: its file, its log, and the journal of a transaction that was cut short.
const KEPT: [&str; 3] = ["-wal", "-journal", ""];

/// Gives the old files a second name, which has the moment in it at which the new database was made.
fn keep(path: &Path, new: &Path) -> io::Result<Option<PathBuf>> {
    if KEPT.iter().all(|side| !has_bytes(&beside(path, side))) {
        return Ok(None);
    }
    let made = fs::metadata(new)?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let moment = Time(i64::try_from(made.as_millis()).unwrap_or_default()).to_string();
    let moment: String = moment.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let mut number = 1;
    loop {
        let suffix = if number == 1 { format!(".before-{moment}") } else { format!(".before-{moment}-{number}") };
        let kept = beside(path, &suffix);
        match keep_as(path, &kept) {
            Ok(()) => return Ok(Some(kept)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn keep_as(path: &Path, kept: &Path) -> io::Result<()> {
    // All or none: what is there already and is something else is not touched.
    let pairs = || KEPT.map(|side| (beside(path, side), beside(kept, side)));
    if pairs().iter().any(|(from, to)| FileId::at(to).is_ok() && has_bytes(from) && !are_one(from, to)) {
        return Err(ErrorKind::AlreadyExists.into());
    }
    for (from, to) in pairs() {
        if has_bytes(&from) && !are_one(&from, &to) {
            give_name(&from, &to)?;
        }
    }
    Ok(())
}
