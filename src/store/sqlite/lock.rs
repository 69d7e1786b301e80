//! One store for each database, in this process and in all others.
//!
//! The lock is on the database file itself, so that another name for it (a symbolic or hard link) leads to the same lock,
//! and it dies with the process. It is flock, which does not meet the fcntl locks of SQLite. But closing any descriptor of
//! a file drops all fcntl locks that the process has on it, SQLite's too, and then another program could take our WAL
//! away. Hence two rules: the descriptor that holds the lock is closed after all of SQLite's, and a file that this process
//! has open is never opened again beside SQLite, which is what the list is for.
//!
//! Who only wants to read a database keeps others from opening it where nobody has it open, and otherwise reads it beside
//! whoever has, as SQLite lets many do ([`Reading`]).

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::store::sqlite::OpenError;

/// How long somebody who wants to open a database waits for those who read it while nobody has it open, and how often it
/// is looked whether they are done.
const READERS_WAIT: Duration = Duration::from_secs(30);
const READERS_LOOK: Duration = Duration::from_millis(20);

/// The files that stores of this process have open, and those that it reads beside the stores of others.
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
        let (mut replaced, mut waits_since) = (0, None::<Instant>);
        // When the file is replaced between opening and locking it, the lock is worth nothing.
        while replaced < 10 {
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
                // Who only reads it is done soon, and nobody wants to be turned away for that.
                Err(TryLockError::WouldBlock)
                    if file.try_lock_shared().is_ok()
                        && waits_since.is_none_or(|since| since.elapsed() < READERS_WAIT) =>
                {
                    // Closed first, while nobody else can open it.
                    drop(file);
                    drop(open);
                    if waits_since.is_none() {
                        tracing::info!(path = %path.display(), "the database is being read; waiting for the end of that");
                        waits_since = Some(Instant::now());
                    }
                    thread::sleep(READERS_LOOK);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path: path.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
            let id = FileId::of(&file.metadata().map_err(cannot)?);
            if FileId::at(path).is_ok_and(|now| now == id) {
                open.push(id);
                return Ok(Lock { file, id });
            }
            replaced += 1;
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
        take_off(&mut open, self.id);
    }
}

/// A database file that is read by somebody whom it does not belong to.
#[derive(Debug)]
pub(super) struct Reading {
    id: FileId,
    /// None where a store has it open, in this process or in another one; the file is on the list then.
    file: Option<File>,
}

impl Reading {
    /// Looks who has the file open. It has to be there.
    pub(super) fn open(path: &Path) -> Result<Reading, OpenError> {
        let cannot = |error| OpenError::cannot_open(path, error);
        for _ in 0..10 {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            let found = fs::metadata(path).map_err(cannot)?;
            let id = FileId::of(&found);
            if !found.is_file() {
                return Err(cannot(io::Error::other("it is not a file")));
            }
            if open.contains(&id) {
                open.push(id);
                return Ok(Reading { id, file: None });
            }
            let file = File::open(path).map_err(cannot)?;
            if FileId::of(&file.metadata().map_err(cannot)?) != id {
                continue;
            }
            match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => {
                    open.push(id);
                    return Ok(Reading { id, file: None });
                }
                // Where there are no locks no store can be open either.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Reading { id, file: Some(file) }),
            }
        }
        Err(cannot(io::Error::other("it is being replaced again and again")))
    }

    /// The file, if nobody has it open, and so nobody opens it for as long as this lives.
    pub(super) fn alone(&self) -> Option<&File> {
        self.file.as_ref()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if self.file.is_none() {
            take_off(&mut OPEN.lock().unwrap_or_else(PoisonError::into_inner), self.id);
        }
    }
}

fn take_off(open: &mut Vec<FileId>, id: FileId) {
    if let Some(at) = open.iter().position(|it| *it == id) {
        open.swap_remove(at);
    }
}
