//! Makes new databases, and brings old ones up to date: numbered SQL files, in order, each in one transaction.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::store::sqlite::files::{Part, adopt, beside, has_bytes, remove_database, sync_folder};
use crate::store::sqlite::inspect::APPLICATION_ID;
use crate::store::sqlite::lock::Lock;
use crate::store::sqlite::{OpenError, backup};

/// All migrations. The n-th one leads from format n - 1 to format n. Only ever added to.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/0001_first.sql"),
    include_str!("../../../migrations/0002_whole_protocol.sql"),
    include_str!("../../../migrations/0003_certificates.sql"),
];

/// The number of the last one.
pub(super) fn newest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// Puts a new database into the place of the empty file that is locked. It appears there whole or not at all, whenever we
/// are killed: it is made beside it, marked as open, and then moved. Until then the lock on the empty file keeps others away.
pub(super) fn create(path: &Path, empty: Lock, migrations: &[&str], marker: &str) -> Result<Lock, OpenError> {
    let log = beside(path, "-wal");
    if has_bytes(&log) {
        return Err(OpenError::damaged(path, format!("it is empty, and the log {} is not", log.display())));
    }
    let new = beside(path, ".new");
    let cannot = |error: io::Error| OpenError::cannot_open(path, error);
    remove_database(&new).map_err(cannot)?;
    let lock = Lock::create(&new).map_err(cannot)?;
    fill(&new, migrations, marker).map_err(|error| OpenError::sqlite(path, error))?;
    adopt(&lock.file, path).and_then(|()| lock.file.sync_all()).map_err(cannot)?;
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
    lay_out(&conn, migrations)?;
    conn.execute("INSERT INTO meta (key, value) VALUES ('secret', ?1)", [&secret[..]])?;
    conn.execute("INSERT INTO meta (key, value) VALUES ('running', ?1)", [marker])?;
    conn.execute_batch("COMMIT")?;
    use_log(&conn)?;
    conn.close().map_err(|(_, error)| error)
}

/// Makes the tables, in the transaction that is open.
pub(super) fn lay_out(conn: &Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    for migration in migrations {
        conn.execute_batch(migration)?;
    }
    conn.pragma_update(None, "user_version", newest(migrations))?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)
}

/// From here on the database has a log beside it, which is what lets many read while one writes. It says so itself.
pub(super) fn use_log(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
}

/// Brings an older database up to date, after a copy of it was made beside it.
pub(super) fn migrate(path: &Path, conn: &Connection, from: i64, migrations: &[&str]) -> Result<(), OpenError> {
    let failed = |error| OpenError::sqlite(path, error);
    let copy = copy(path, conn, from)?;
    tracing::info!(from, to = newest(migrations), path = %copy.display(), "bringing the database up to date");
    // With a rollback journal the header of the file is never behind the tables, so that an older program which looks at it
    // sees the new format, whenever we are killed.
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(failed)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    bring_up_to_date(conn, from, migrations).map_err(failed)
}

/// Takes the steps that are missing, each in one transaction.
pub(super) fn bring_up_to_date(conn: &Connection, from: i64, migrations: &[&str]) -> rusqlite::Result<()> {
    for (migration, number) in migrations.iter().zip(1_i64..).skip(usize::try_from(from).unwrap_or(0)) {
        let step = || -> rusqlite::Result<()> {
            conn.execute_batch("BEGIN EXCLUSIVE")?;
            conn.execute_batch(migration)?;
            conn.pragma_update(None, "user_version", number)?;
            conn.execute_batch("COMMIT")
        };
        if let Err(error) = step() {
            let _ = conn.execute_batch("ROLLBACK");
            return Err(error);
        }
    }
    Ok(())
}

/// Copies the database to a file whose name ends in its format. One that is there already stays; if it is the same to the
/// byte, because a migration was cut short behind it, there is no need for another.
fn copy(path: &Path, conn: &Connection, version: i64) -> Result<PathBuf, OpenError> {
    let cannot = |error: io::Error| OpenError::cannot_open(path, error);
    let failed = |error| OpenError::sqlite(path, error);
    let part = Part::begin(&beside(path, &format!(".v{version}"))).map_err(cannot)?;
    backup::copy(conn, &part.file).map_err(failed)?;
    let finding = quick_check(&part.file).map_err(failed)?;
    if finding != "ok" {
        return Err(OpenError::damaged(path, finding));
    }
    let mut number = 1;
    loop {
        let suffix = if number == 1 { format!(".v{version}") } else { format!(".v{version}-{number}") };
        let copy = beside(path, &suffix);
        match are_equal(&part.file, &copy) {
            Ok(true) => return Ok(copy),
            Ok(false) => number += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return part.finish_as(&copy).map(|()| copy).map_err(cannot);
            }
            Err(error) => return Err(cannot(error)),
        }
    }
}

fn quick_check(file: &Path) -> rusqlite::Result<String> {
    backup::connect(file)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// Whether two files are the same to the byte.
fn are_equal(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let mut left = one.metadata()?.len();
    if left != other.metadata()?.len() {
        return Ok(false);
    }
    let mut pieces = [vec![0; 1 << 16], vec![0; 1 << 16]];
    while left > 0 {
        let [a, b] = &mut pieces;
        let size = a.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        one.read_exact(&mut a[..size])?;
        other.read_exact(&mut b[..size])?;
        if a[..size] != b[..size] {
            return Ok(false);
        }
        left -= size as u64;
    }
    Ok(true)
}
