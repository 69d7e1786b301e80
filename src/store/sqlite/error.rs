//! Why a database could not be opened. Each message names the file and what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// Why a database could not be opened. In all these cases the files are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened or made: rights, a read-only disk, no such folder, not a file.
    #[error("cannot open the database {}: {source}{}", path.display(), hint(source.as_ref()))]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process, or another server in this one, has it open.
    #[error("the database {} is open in another program; stop that one first, or choose another file", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A newer snakkd has written it.
    #[error("the database {} has format {found}, and this program knows formats up to {known}; \
             start the newer snakkd that wrote it, or put back the copy that was made before (its name ends in .v{known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// A migration or a restore was cut short. Whoever opens it to use it brings that to its end.
    #[error("{what} of the database {} was cut short; start snakkd, which brings it to its end", path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// What was cut short.
        what: &'static str,
    },
    /// It is not whole.
    #[error("the database {} is damaged ({finding}); put back a backup, or move it away together with the files beside it \
             whose names begin alike, to begin with an empty one", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        finding: String,
    },
    /// It belongs to another program.
    #[error("the database {} belongs to another program ({finding}); choose another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        finding: String,
    },
    /// The SQLite that is linked can corrupt a WAL database.
    #[error(
        "the linked SQLite is {found}, and those before 3.51.3 can corrupt a database; \
             build with the bundled one"
    )]
    SqliteTooOld {
        /// Its version.
        found: String,
    },
}

impl OpenError {
    pub(super) fn cannot_open(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OpenError {
        OpenError::CannotOpen { path: path.to_owned(), source: source.into() }
    }

    pub(super) fn damaged(path: &Path, finding: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: path.to_owned(), finding: finding.into() }
    }

    /// What SQLite said about a file that is known to be ours.
    pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> OpenError {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path: path.to_owned() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => OpenError::damaged(path, error.to_string()),
            _ => OpenError::cannot_open(path, error),
        }
    }
}

/// What to look at; nothing where the disk is full, which says it all.
fn hint(source: &(dyn std::error::Error + Send + Sync + 'static)) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source);
    while let Some(error) = cause {
        let by_sqlite = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        let by_system = error.downcast_ref::<io::Error>().map(io::Error::kind);
        let is_full = by_sqlite == Some(rusqlite::ErrorCode::DiskFull)
            || matches!(by_system, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded));
        if is_full {
            return "";
        }
        cause = error.source();
    }
    "; check that its folder exists and that both may be written"
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_full_disk_is_no_matter_of_rights() {
        let sqlite = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let path = Path::new("snakk.db");
        let full = [
            OpenError::sqlite(path, sqlite(ffi::SQLITE_FULL)),
            OpenError::cannot_open(path, io::Error::from(io::ErrorKind::StorageFull)),
        ];
        for error in full {
            let said = error.to_string();
            assert!(said.starts_with("cannot open the database snakk.db: ") && !said.contains("check"), "{said}");
        }
        for error in [
            OpenError::sqlite(path, sqlite(ffi::SQLITE_CANTOPEN)),
            OpenError::cannot_open(path, io::Error::from(io::ErrorKind::PermissionDenied)),
        ] {
            assert!(
                error.to_string().ends_with("; check that its folder exists and that both may be written"),
                "{error}"
            );
        }
    }
}
