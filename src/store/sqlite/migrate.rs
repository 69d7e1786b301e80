//! Makes new databases, and brings old ones up to date: numbered SQL files, in order, each in one transaction.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::store::sqlite::OpenError;
use crate::store::sqlite::inspect::{APPLICATION_ID, beside};
use crate::store::sqlite::lock::Lock;

/// All migrations. The n-th one leads from format n - 1 to format n. Only ever added to.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("../../../migrations/0001_first.sql"), include_str!("../../../migrations/0002_whole_protocol.sql")];

/// The number of the last one.
pub(super) fn newest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// Puts a new database into the place of the empty file that is locked. It appears there whole or not at all, whenever we
/// are killed: it is made beside it, marked as open, and then moved. Until then the lock on the empty file keeps others away.
pub(super) fn create(path: &Path, empty: Lock, migrations: &[&str], marker: &str) -> Result<Lock, OpenError> {
    let log = beside(path, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(OpenError::damaged(path, format!("it is empty, and the log {} is not", log.display())));
    }
    let new = beside(path, ".new");
    let cannot = |error: io::Error| OpenError::cannot_open(path, error);
    for left in [new.clone(), beside(&new, "-wal"), beside(&new, "-shm"), beside(&new, "-journal")] {
        match fs::remove_file(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
    }
    let lock = Lock::create(&new).map_err(cannot)?;
    fill(&new, migrations, marker).map_err(|error| OpenError::sqlite(path, error))?;
    lock.file.sync_all().map_err(cannot)?;
    fs::rename(&new, path).map_err(cannot)?;
    // SQLite syncs the folder too when it makes the log, but not with every durability.
    sync_folder(path).map_err(cannot)?;
    drop(empty);
    Ok(lock)
}

fn fill(path: &Path, migrations: &[&str], marker: &str) -> rusqlite::Result<()> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.to_string().into()))?;
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN EXCLUSIVE")?;
    for migration in migrations {
        conn.execute_batch(migration)?;
    }
    conn.pragma_update(None, "user_version", newest(migrations))?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.execute("INSERT INTO meta (key, value) VALUES ('secret', ?1)", [&secret[..]])?;
    conn.execute("INSERT INTO meta (key, value) VALUES ('running', ?1)", [marker])?;
    conn.execute_batch("COMMIT")?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.close().map_err(|(_, error)| error)
}

/// Brings an older database up to date, after a copy of it was made beside it.
pub(super) fn migrate(path: &Path, conn: &Connection, from: i64, migrations: &[&str]) -> Result<(), OpenError> {
    let failed = |error| OpenError::sqlite(path, error);
    let copy = copy(path, conn, from)?;
    tracing::info!(from, to = newest(migrations), copy = %copy.display(), "bringing the database up to date");
    // With a rollback journal the header of the file is never behind the tables, so that an older program which looks at it
    // sees the new format, whenever we are killed.
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(failed)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    for (migration, number) in migrations.iter().zip(1_i64..).skip(usize::try_from(from).unwrap_or(0)) {
        let step = || -> rusqlite::Result<()> {
            conn.execute_batch("BEGIN EXCLUSIVE")?;
            conn.execute_batch(migration)?;
            conn.pragma_update(None, "user_version", number)?;
            conn.execute_batch("COMMIT")
        };
        if let Err(error) = step() {
            let _ = conn.execute_batch("ROLLBACK");
            return Err(failed(error));
        }
    }
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)
}

/// Copies the database to a file whose name ends in its format. One that is there already stays.
fn copy(path: &Path, conn: &Connection, version: i64) -> Result<PathBuf, OpenError> {
    let cannot = |error: io::Error| OpenError::cannot_open(path, error);
    let copy = (1..)
        .map(|n: u32| beside(path, &if n == 1 { format!(".v{version}") } else { format!(".v{version}-{n}") }))
        .find(|copy| !copy.exists())
        .unwrap_or_else(|| beside(path, ".old"));
    let partial = beside(&copy, ".part");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&partial).map_err(cannot)?;
    let name = partial.to_str().ok_or_else(|| cannot(io::Error::other("its name is not UTF-8")))?;
    conn.execute("VACUUM INTO ?1", [name]).map_err(|error| OpenError::sqlite(path, error))?;
    file.sync_all().map_err(cannot)?;
    fs::rename(&partial, &copy).map_err(cannot)?;
    sync_folder(path).map_err(cannot)?;
    Ok(copy)
}

/// Makes the name of a file last.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
