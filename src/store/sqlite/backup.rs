//! Copies of a database: whole, without the traces of what was deleted, and fit to be put in its place. A copy of the file
//! alone would be none, for the newest commits stand in the log beside it.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::sqlite::files::{self, Part, beside, remove_database};
use crate::store::sqlite::verify::{Look, look_at};
use crate::store::sqlite::visit::Visit;
use crate::store::sqlite::{OpenError, Report, erase, rooms, scrub};

/// Why there is no backup. There is no file of its name then, or the one that was there before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database cannot be read.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// There is a file of that name.
    #[error("{} is there already, and stays as it is; choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written: rights, a full disk, no such folder.
    #[error("cannot write {}: {source}", path.display())]
    CannotWrite {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The copy was made, but does not hold together, and neither does the database then.
    #[error("there is no backup, for something is wrong with the database {}:\n{report}", path.display())]
    NotWhole {
        /// The database.
        path: PathBuf,
        /// What was found in the copy.
        report: Box<Report>,
    },
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// How many bytes it has.
    pub bytes: u64,
    /// What it holds.
    pub report: Report,
}

/// Makes a backup of a database, whether a store has it open or not: a database of its own, in one file that only its
/// owner can read, with everything that was settled before this was called, and nothing that was deleted. It has its name
/// when it is whole, was looked at (see [`verify`](super::verify())) and is on the disk. Blocks.
///
/// # Errors
/// [`BackupError`]; nothing is left behind.
pub fn backup(database: &Path, target: &Path) -> Result<Backup, BackupError> {
    let cannot = |source: io::Error| BackupError::CannotWrite { path: target.to_owned(), source: source.into() };
    let exists = || BackupError::Exists { path: target.to_owned() };
    if fs::symlink_metadata(target).is_ok() {
        return Err(exists());
    }
    let visit = Visit::open(database)?;
    let part = Part::begin(target).map_err(cannot)?;
    copy(&visit.conn, &part.file).map_err(|error| failed(&visit.path, target, error))?;
    let path = visit.path.clone();
    // From here on whoever has the database open is alone with it again.
    drop(visit);
    tidy(&part.file).map_err(|error| failed(&path, target, error))?;
    let made = connect(&part.file).map_err(|error| failed(&path, target, error))?;
    let report = look_at(&made, target, Look::Quick);
    drop(made);
    if !report.is_whole() {
        return Err(BackupError::NotWhole { path, report: report.into() });
    }
    let bytes = fs::metadata(&part.file).map_err(cannot)?.len();
    part.finish().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => cannot(error),
    })?;
    Ok(Backup { bytes, report })
}

/// What SQLite said while it read the one file and wrote the other.
fn failed(database: &Path, target: &Path, error: rusqlite::Error) -> BackupError {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase,
        ) => OpenError::sqlite(database, error).into(),
        _ => BackupError::CannotWrite { path: target.to_owned(), source: error.into() },
    }
}

/// Copies all that a database holds, as it is at one moment, into a file that is empty.
pub(super) fn copy(conn: &Connection, into: &Path) -> rusqlite::Result<()> {
    // A name need not be UTF-8, but SQLite wants a text; and one that is not absolute might be taken for an address.
    let name = std::path::absolute(into).map_err(|_| rusqlite::Error::InvalidPath(into.to_owned()))?;
    conn.execute("VACUUM INTO CAST(?1 AS TEXT)", [name.as_os_str().as_bytes()]).map(|_| ())
}

/// Takes out of a copy what is about the files that it was copied from, and what was being erased there.
pub(super) fn tidy(file: &Path) -> rusqlite::Result<()> {
    let conn = connect(file)?;
    rooms::forget_meta(&conn, "running")?;
    scrub::unmark(&conn)?;
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let erased = version > 1 && {
        conn.execute_batch("BEGIN")?;
        let erased = erase::doomed(&conn, u64::MAX)?;
        conn.execute_batch("COMMIT")?;
        erased > 0
    };
    conn.close().map_err(|(_, error)| error)?;
    if erased {
        // Rows were moved about, and have left copies behind.
        let rest = beside(file, ".rest");
        let failed = |error: io::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
        fs::rename(file, &rest).map_err(failed)?;
        files::create(file).map_err(failed)?;
        copy(&connect(&rest)?, file)?;
        remove_database(&rest).map_err(failed)?;
    }
    Ok(())
}

/// Opens a copy that nobody else knows of, and that is thrown away if we die meanwhile.
pub(super) fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    Ok(conn)
}
