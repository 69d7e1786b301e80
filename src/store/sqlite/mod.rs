//! The store in an SQLite file: one writer, a few readers, a keeper, all on threads of their own.
//!
//! What is on the disk is one file and, while it is open, its log (`-wal`) and the log's index (`-shm`). The log is synced
//! with each commit (`durability = "full"`) and brought back into the file beside the writing. Everything that may go
//! wrong at the opening is found out before a byte is changed; see `inspect.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, watch};

use crate::model::{Anchor, Entry, RoomId, Seq, Time, UserId};
use crate::store::{
    Account, Act, Hash, Hits, Most, Reading, Search, Settled, Standing, Store, StoredInvitation, StoredMember,
    StoredMembership, StoredPage, StoredRoom, StoredToken, Unread, Vitals, WriteQueue,
};

mod accounts;
mod acts;
mod append;
mod backup;
mod change;
mod dump;
mod erase;
mod error;
mod files;
mod index;
mod inspect;
mod invitations;
mod keeper;
mod lock;
mod log;
mod members;
mod mentions;
mod migrate;
mod moments;
mod nonces;
mod pulse;
mod reactions;
mod readers;
mod restore;
mod rooms;
mod rows;
mod scrub;
mod seams;
mod search;
mod standing;
mod targets;
#[cfg(test)]
mod tests;
mod tokens;
mod unread;
mod verify;
mod visit;
mod writer;

pub use backup::{Backup, BackupError, backup};
pub use dump::{ExportError, ImportError, export, import};
pub use error::OpenError;
pub use restore::{RestoreError, Restored, restore};
pub use verify::{Report, verify};

use lock::Lock;
use pulse::Pulse;
use readers::Readers;
use scrub::Scrub;
use seams::Seams;

/// So many batches wait for whoever is told what became of the appends.
const SETTLED_BATCHES: usize = 4;
/// The log is cut back to this size when it is begun anew.
const LOG_BYTES: i64 = 16 << 20;

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// What is settled survives a power cut.
    #[default]
    Full,
    /// What is settled survives the death of the process; a power cut may undo the newest commits. Where it may have done
    /// so, all rooms have a new epoch.
    Normal,
}

impl Durability {
    fn as_str(self) -> &'static str {
        match self {
            Durability::Full => "full",
            Durability::Normal => "normal",
        }
    }
}

/// Where the database is, and how it is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file. It is made where there is none; its folder has to be there.
    pub file: PathBuf,
    /// What an acknowledgement means.
    pub durability: Durability,
    /// How many threads read.
    pub readers: usize,
    /// How many writes may wait (see [`WriteQueue::new`]).
    pub writer_queue: usize,
}

impl Options {
    /// The defaults, for a database in that file.
    pub fn new(file: impl Into<PathBuf>) -> Options {
        Options { file: file.into(), durability: Durability::Full, readers: 2, writer_queue: 4096 }
    }
}

/// A [`Store`] in an SQLite file. When it is dropped without [`Store::close`], what waits is still written, in the background.
pub struct SqliteStore {
    queue: Arc<WriteQueue>,
    settled: Mutex<Option<mpsc::Receiver<Vec<Settled>>>>,
    readers: Arc<Readers>,
    secret: [u8; 32],
    pulse: Arc<Pulse>,
    path: PathBuf,
    closed: watch::Receiver<bool>,
}

impl SqliteStore {
    /// Opens a database, or makes a new one. Blocks: not to be called from a task.
    ///
    /// # Errors
    /// [`OpenError`] says why not; the files are then as they were.
    pub fn open(options: Options) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(options, migrate::MIGRATIONS, Seams::new())
    }

    fn open_with(options: Options, migrations: &[&str], seams: Seams) -> Result<SqliteStore, OpenError> {
        if rusqlite::version_number() < 3_051_003 {
            return Err(OpenError::SqliteTooOld { found: rusqlite::version().to_owned() });
        }
        let given = &options.file;
        let lock = Lock::open(given)?;
        let cannot = |error: std::io::Error| OpenError::cannot_open(given, error);
        // SQLite names the log after the file that a symbolic link leads to, and so do we.
        let path = fs::canonicalize(given).map_err(cannot)?;
        let (lock, _) = restore::finish(&path, lock)?;
        let marker = format!("{} {}", options.durability.as_str(), seams.boot_id);
        let (lock, found) = if lock.file.metadata().map_err(cannot)?.len() == 0 {
            (migrate::create(&path, lock, migrations, &marker)?, None)
        } else {
            let found = inspect::inspect(&path, &lock.file, migrate::newest(migrations))?;
            (lock, Some(found))
        };

        // From here on it is ours and whole. The lock is declared first, and so dropped last.
        let failed = |error| OpenError::sqlite(&path, error);
        let conn = connect_writer(&path, Durability::Full).map_err(failed)?;
        if let Some(found) = found.as_ref().filter(|found| found.version < migrate::newest(migrations)) {
            migrate::migrate(&path, &conn, found.version, migrations)?;
        }
        // Copies that are put back have none.
        migrate::use_log(&conn).map_err(failed)?;
        if let Some(found) = found {
            begin(&conn, &marker, found.unclean.as_deref(), &seams).map_err(failed)?;
        }
        index::prepare(&conn).map_err(failed)?;
        let secret = rooms::meta(&conn, "secret").map_err(failed)?;
        let secret = secret.ok_or_else(|| OpenError::damaged(&path, "it has no secret"))?;
        conn.pragma_update(None, "synchronous", synchronous(options.durability)).map_err(failed)?;

        let scrub = Arc::new(Scrub::of(&conn).map_err(failed)?);
        let name = path.clone();
        let (readers, mut threads) =
            Readers::start(options.readers.clamp(1, 64), move || connect_reader(&name)).map_err(cannot)?;
        let (keeper, tasks) = blocking::sync_channel(1);
        let (stale_keys, stale) = blocking::sync_channel(1);
        let turn = Arc::new(Mutex::new(()));
        let keeping = Arc::new(AtomicBool::new(false));
        let erased = Arc::new(AtomicBool::new(false));
        let parts = keeper::Parts {
            path: path.clone(),
            durability: options.durability,
            turn: Arc::clone(&turn),
            keeping: Arc::clone(&keeping),
            erased: Arc::clone(&erased),
            scrub: Arc::clone(&scrub),
            tasks,
            stale: stale_keys,
        };
        let thread = thread::Builder::new()
            .name("snakk-keeper".into())
            .spawn(move || keeper::run(parts))
            .inspect_err(|_| readers.close());
        threads.push(thread.map_err(cannot)?);

        let queue = Arc::new(WriteQueue::new(options.writer_queue));
        let (sender, receiver) = mpsc::channel(SETTLED_BATCHES);
        let (closing, closed) = watch::channel(false);
        let pulse = Arc::new(Pulse::new(seams.hold()));
        let parts = writer::Parts {
            // The name that was asked for: a symbolic link that leads elsewhere tomorrow is noticed too.
            given: std::path::absolute(given).unwrap_or_else(|_| path.clone()),
            path: path.clone(),
            lock,
            conn,
            durability: options.durability,
            queue: Arc::clone(&queue),
            settled: sender,
            readers: Arc::clone(&readers),
            threads,
            keeper,
            turn,
            keeping,
            erased,
            scrub,
            stale,
            pulse: Arc::clone(&pulse),
            closed: closing,
            seams,
        };
        let thread = thread::Builder::new().name("snakk-writer".into()).spawn(move || writer::run(parts));
        thread.inspect_err(|_| readers.close()).map_err(cannot)?;
        Ok(SqliteStore { queue, settled: Mutex::new(Some(receiver)), readers, secret, pulse, path, closed })
    }

    /// How many batches were committed.
    pub fn commits(&self) -> u64 {
        self.pulse.commits.distribution().count
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Marks the database as open by us, durably, in the file itself: whoever looks at it after a crash needs no log to see it.
fn begin(conn: &Connection, marker: &str, unclean: Option<&str>, seams: &Seams) -> rusqlite::Result<()> {
    // The checkpoint syncs, so the commit need not.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    if let Some(marker) = unclean {
        let (last, boot) = marker.split_once(' ').unwrap_or((marker, ""));
        let lost = last != Durability::Full.as_str() && (boot.is_empty() || boot != seams.boot_id);
        tracing::warn!("the database was not closed cleanly; it was checked and is whole");
        if lost {
            let rooms = rooms::renew_epochs(conn)?;
            tracing::warn!(rooms, "the newest entries may be gone, so all rooms have a new epoch");
        }
    }
    conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('running', ?1)", [marker])?;
    conn.execute_batch("COMMIT")?;
    conn.busy_timeout(writer::OTHERS_WAIT)?;
    let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    conn.busy_timeout(writer::BUSY_WAIT)?;
    if busy {
        // Another program is reading; then the marker lasts in the log.
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.execute("UPDATE meta SET value = ?1 WHERE key = 'running'", [marker])?;
    }
    Ok(())
}

fn synchronous(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    }
}

/// A connection that may write.
fn connect_writer(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(writer::BUSY_WAIT)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.pragma_update(None, "synchronous", synchronous(durability))?;
    // What is deleted shall be gone.
    conn.pragma_update(None, "secure_delete", true)?;
    // Nothing refers to anything by a foreign key, so nothing need be looked up.
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -8192)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    Ok(conn)
}

/// A connection that may not write.
fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let mut conn =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(writer::BUSY_WAIT)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.pragma_update(None, "query_only", true)?;
    search::watch(&mut conn)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    Ok(conn)
}

impl Store for SqliteStore {
    fn queue(&self) -> &WriteQueue {
        &self.queue
    }

    fn settled(&self) -> Option<mpsc::Receiver<Vec<Settled>>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn secret(&self) -> [u8; 32] {
        self.secret
    }

    fn rooms(&self) -> Reading<'_, Vec<StoredRoom>> {
        Box::pin(self.readers.read(rooms::all))
    }

    fn entries(&self, room: RoomId, after: Seq, up_to: Seq, most: Most) -> Reading<'_, Vec<Entry>> {
        Box::pin(self.readers.read(move |conn| log::entries(conn, room, after, up_to, most)))
    }

    fn messages(&self, room: RoomId, anchor: Anchor, first: Seq, most: Most) -> Reading<'_, StoredPage> {
        Box::pin(self.readers.read(move |conn| log::messages(conn, room, anchor, first, most)))
    }

    fn posted(&self, author: UserId, room: RoomId, nonce: &str) -> Reading<'_, Option<(Seq, Time)>> {
        let nonce = nonce.to_owned();
        Box::pin(self.readers.read(move |conn| append::posted(conn, author, room, &nonce)))
    }

    fn members(&self, room: RoomId, after: &str, limit: usize) -> Reading<'_, Vec<StoredMember>> {
        let after = after.to_owned();
        Box::pin(self.readers.read(move |conn| members::members(conn, room, &after, limit)))
    }

    fn memberships(&self, user: UserId, blocked: Vec<UserId>) -> Reading<'_, Vec<StoredMembership>> {
        Box::pin(self.readers.read(move |conn| members::memberships(conn, user, &blocked)))
    }

    fn unread(&self, room: RoomId, read: Seq, user: UserId, not_by: Vec<UserId>) -> Reading<'_, Unread> {
        Box::pin(self.readers.read(move |conn| unread::count(conn, room, read, user, &not_by)))
    }

    fn first_since(&self, room: RoomId, time: Time) -> Reading<'_, Seq> {
        Box::pin(self.readers.read(move |conn| log::first_since(conn, room, time)))
    }

    fn search(&self, search: Search) -> Reading<'_, Hits> {
        Box::pin(self.readers.read(move |conn| search::search(conn, &search)))
    }

    fn user(&self, user: UserId) -> Reading<'_, Option<Account>> {
        Box::pin(self.readers.read(move |conn| accounts::by_id(conn, user)))
    }

    fn token(&self, hash: Hash) -> Reading<'_, Option<(StoredToken, Account)>> {
        Box::pin(self.readers.read(move |conn| tokens::by_hash(conn, &hash)))
    }

    fn tokens(&self, user: UserId) -> Reading<'_, Vec<StoredToken>> {
        Box::pin(self.readers.read(move |conn| tokens::of(conn, user)))
    }

    fn accounts(&self, after: &str, limit: usize) -> Reading<'_, Vec<Account>> {
        let after = after.to_owned();
        Box::pin(self.readers.read(move |conn| accounts::behind(conn, &after, limit)))
    }

    fn is_invited(&self, hash: Hash, time: Time) -> Reading<'_, bool> {
        Box::pin(self.readers.read(move |conn| invitations::holds(conn, &hash, time)))
    }

    fn invitations(&self) -> Reading<'_, Vec<StoredInvitation>> {
        Box::pin(self.readers.read(invitations::all))
    }

    fn acts(&self, room: Option<RoomId>, before: Option<u64>, limit: usize) -> Reading<'_, Vec<(u64, Act)>> {
        Box::pin(self.readers.read(move |conn| acts::list(conn, room, before, limit)))
    }

    fn standing(&self) -> Reading<'_, Standing> {
        Box::pin(self.readers.read(standing::standing))
    }

    fn account(&self, folded: &str) -> Reading<'_, Option<Account>> {
        let folded = folded.to_owned();
        Box::pin(self.readers.read(move |conn| accounts::by_name(conn, &folded)))
    }

    fn is_taken(&self, skeleton: &str) -> Reading<'_, bool> {
        let skeleton = skeleton.to_owned();
        Box::pin(self.readers.read(move |conn| accounts::is_taken(conn, &skeleton)))
    }

    fn vitals(&self) -> Vitals {
        // Looking at a file does not open it, which would cost SQLite its locks.
        let bytes_of = |path: &Path| fs::metadata(path).map(|file| file.len()).ok();
        let (readings, readings_waiting, most_readings_waiting) = self.readers.figures();
        Vitals {
            commits: self.pulse.commits.distribution(),
            failed_commits: self.pulse.failed_commits.load(Ordering::Relaxed),
            refuses: self.pulse.refuses().map(|(error, _)| error.to_string()),
            beats: self.pulse.beats(),
            at_work: self.pulse.at_work(),
            readings,
            readings_waiting,
            most_readings_waiting,
            file_bytes: bytes_of(&self.path),
            log_bytes: bytes_of(&files::beside(&self.path, "-wal")),
        }
    }

    fn close(&self) -> Reading<'_, ()> {
        // What became of the last writes is told to whoever asked for the receiver; if nobody did, nobody is waited for.
        drop(self.settled());
        self.queue.close();
        let mut closed = self.closed.clone();
        Box::pin(async move {
            // An error means that the thread is gone, which is as closed as it can be.
            let _ = closed.wait_for(|closed| *closed).await;
            Ok(())
        })
    }
}
