//! One store for each database, in this process and in all others.
//!
//! The lock is on the database file itself, so that another name for it (a symbolic or hard link) leads to the same lock,
//! and it dies with the process. It is flock, which does not meet the fcntl locks of SQLite. But closing any descriptor of
//! a file drops all fcntl locks that the process has on it, SQLite's too, and then another program could take our WAL
//! away. Hence two rules: the descriptor that holds the lock is closed after all of SQLite's, and a file that this process
//! has open is never opened again beside SQLite, which is what the list is for.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::store::sqlite::OpenError;

/// The files that stores of this process have open.
static OPEN: Mutex<Vec<FileId>> = Mutex::new(Vec::new());

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }

    /// The file that is there now.
    pub(super) fn at(path: &Path) -> io::Result<FileId> {
        fs::metadata(path).map(|metadata| FileId::of(&metadata))
    }
}

/// A database file that is ours alone, for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) file: File,
    pub(super) id: FileId,
}

impl Lock {
    /// Opens the file, makes it (empty, for us alone to read) if there is none, and locks it.
    pub(super) fn open(path: &Path) -> Result<Lock, OpenError> {
        let cannot = |error| OpenError::cannot_open(path, error);
        // When the file is replaced between opening and locking it, the lock is worth nothing.
        for _ in 0..10 {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            match fs::metadata(path) {
                Ok(found) if !found.is_file() => return Err(cannot(io::Error::other("it is not a file"))),
                Ok(found) if open.contains(&FileId::of(&found)) => {
                    return Err(OpenError::Locked { path: path.to_owned() });
                }
                _ => {}
            }
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
            let file = file.map_err(cannot)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path: path.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
            let id = FileId::of(&file.metadata().map_err(cannot)?);
            if FileId::at(path).is_ok_and(|now| now == id) {
                open.push(id);
                return Ok(Lock { file, id });
            }
        }
        Err(cannot(io::Error::other("it is being replaced again and again")))
    }

    /// Makes a new file, which nobody else can have opened yet, and locks it.
    pub(super) fn create(path: &Path) -> io::Result<Lock> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.lock()?;
        let id = FileId::of(&file.metadata()?);
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        Ok(Lock { file, id })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.file.unlock();
        if let Some(at) = open.iter().position(|id| *id == self.id) {
            open.swap_remove(at);
        }
    }
}
