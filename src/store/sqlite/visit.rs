//! Reading a database that is somebody else's, whole and as it is at one moment, without changing a byte of it: for
//! backups, for exports, and to look whether it holds together.
//!
//! Where a store has it open it is read beside it, through the log, as SQLite lets many do. Where nobody has, nothing is
//! made beside it either: a database without a log is read as a file that does not change, and the index of a log that a
//! crash has left is kept in memory. Meanwhile nobody can open it.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::store::sqlite::files::{beside, has_bytes};
use crate::store::sqlite::inspect::{self, connect_alone, connect_immutable};
use crate::store::sqlite::lock::Reading;
use crate::store::sqlite::{OpenError, migrate, restore, writer};

/// A database that is only read.
pub(super) struct Visit {
    // Declared first, and so closed before the file is let go of.
    pub(super) conn: Connection,
    /// The file, without links in its path.
    pub(super) path: PathBuf,
    /// The format of its schema.
    pub(super) version: i64,
    _reading: Reading,
}

impl Visit {
    /// Opens a database that this program knows the format of.
    pub(super) fn open(given: &Path) -> Result<Visit, OpenError> {
        let path = fs::canonicalize(given).map_err(|error| OpenError::cannot_open(given, error))?;
        let reading = Reading::open(&path)?;
        let failed = |error| OpenError::sqlite(&path, error);
        let known = migrate::newest(migrate::MIGRATIONS);
        let (conn, version) = match reading.alone() {
            Some(file) => {
                if restore::is_unfinished(&path) {
                    return Err(OpenError::Unfinished { path, what: "a restore" });
                }
                if has_bytes(&beside(&path, "-journal")) {
                    return Err(OpenError::Unfinished { path, what: "a migration" });
                }
                if !has_bytes(&path) {
                    return Err(OpenError::damaged(&path, "it is empty"));
                }
                let found = inspect::inspect(&path, file, known)?;
                let has_log = has_bytes(&beside(&path, "-wal"));
                let conn = if has_log { connect_alone(&path) } else { connect_immutable(&path) };
                (conn.map_err(failed)?, found.version)
            }
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let conn = Connection::open_with_flags(&path, flags).map_err(failed)?;
                conn.busy_timeout(writer::BUSY_WAIT).map_err(failed)?;
                let version = check_header(&conn, &path, known)?;
                (conn, version)
            }
        };
        conn.pragma_update(None, "trusted_schema", false).map_err(failed)?;
        conn.pragma_update(None, "cell_size_check", true).map_err(failed)?;
        Ok(Visit { conn, path, version, _reading: reading })
    }

    /// From here on everything is read as it is now.
    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.conn.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
    }

    /// What is read from here on may be newer.
    pub(super) fn end(&self) -> rusqlite::Result<()> {
        self.conn.execute_batch("COMMIT")
    }
}

/// The format of a database that a store has open.
fn check_header(conn: &Connection, path: &Path, known: i64) -> Result<i64, OpenError> {
    let number = |name: &str| -> Result<i64, OpenError> {
        conn.pragma_query_value(None, name, |row| row.get(0)).map_err(|error| OpenError::sqlite(path, error))
    };
    if number("page_count")? == 0 {
        return Err(OpenError::damaged(path, "it is empty"));
    }
    inspect::check_ids(path, number("application_id")?, number("user_version")?, known)
}
