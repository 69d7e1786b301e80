//! The writer: one thread, one connection. It takes what waits in the queue, stores it all in one transaction, commits,
//! and only then tells anybody. What is here between the taking and the telling is lost to nobody: if the thread panics,
//! everything in its hands fails, and so does everything behind it. What it does when nobody waits is in `aside`.

mod aside;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, watch};

use crate::store::batch::{Fate, Generations, settle};
use crate::store::sqlite::append::{Added, Appender};
use crate::store::sqlite::files::beside;
use crate::store::sqlite::keeper::Task;
use crate::store::sqlite::lock::{FileId, Lock};
use crate::store::sqlite::log::Heads;
use crate::store::sqlite::pulse::Pulse;
use crate::store::sqlite::readers::Readers;
use crate::store::sqlite::scrub::{self, Scrub};
use crate::store::sqlite::{Durability, Seams, accounts, change, connect_writer, nonces, rooms};
use crate::store::{Change, Queued, Settled, StoreError, Taken, Write, WriteQueue};

/// From so many pages on (12 MiB), the keeper is asked to bring the log back into the database. Most pages are written
/// again and again, and brought back once: the fewer times this is done, the less there is to write.
const CHECKPOINT_PAGES: u32 = 3000;
/// When the log could not be begun anew after that, it is tried again after so many more.
const AGAIN_PAGES: u32 = 1000;
/// From so many on (24 MiB), the writer waits for it, so that the log does not grow for ever.
const RESTART_PAGES: u32 = 6000;
/// From so many on (64 MiB) it is worth a word that somebody keeps it from being begun anew, and how often that is said.
const WARN_PAGES: u32 = 16_384;
const WARN_EVERY: Duration = Duration::from_secs(60);
/// How long the writer waits for readers that stand in the way of that.
const RESTART_WAIT: Duration = Duration::from_millis(100);
/// How long it then leaves them alone.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// How long a statement waits for another program that has the database locked.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How long a start and a stop wait for others who read the log, before they leave it to the next start.
pub(super) const OTHERS_WAIT: Duration = Duration::from_millis(500);
/// After a failing disk, writing is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);

/// What the thread needs to begin.
pub(super) struct Parts {
    pub(super) path: PathBuf,
    pub(super) given: PathBuf,
    pub(super) lock: Lock,
    pub(super) conn: Connection,
    pub(super) durability: Durability,
    pub(super) queue: Arc<WriteQueue>,
    pub(super) settled: mpsc::Sender<Vec<Settled>>,
    pub(super) readers: Arc<Readers>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) keeper: blocking::SyncSender<Task>,
    /// Held by whoever brings the log into the database.
    pub(super) turn: Arc<Mutex<()>>,
    /// Set while the keeper has something to do.
    pub(super) keeping: Arc<AtomicBool>,
    /// Set when something was overwritten that must not be found in the files.
    pub(super) erased: Arc<AtomicBool>,
    pub(super) scrub: Arc<Scrub>,
    pub(super) stale: blocking::Receiver<Vec<nonces::Key>>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) closed: watch::Sender<bool>,
    pub(super) seams: Seams,
}

/// Writes until the queue is closed and empty, and then closes everything.
pub(super) fn run(parts: Parts) {
    let Parts {
        path,
        given,
        lock,
        mut conn,
        durability,
        queue,
        settled,
        readers,
        threads,
        keeper,
        turn,
        keeping,
        erased,
        scrub,
        stale,
        pulse,
        closed,
        seams,
    } = parts;
    let mut files = vec![(given, lock.id)];
    let log = beside(&path, "-wal");
    if let Ok(id) = FileId::at(&log) {
        files.push((log, id));
    }
    let pages = Arc::new(AtomicU32::new(0));
    watch_log(&mut conn, &pages);
    let mut writer = Writer {
        path,
        durability,
        conn: Some(conn),
        trouble: None,
        files,
        pages,
        ask_at: CHECKPOINT_PAGES,
        asked: false,
        stuck: None,
        warned: None,
        complained: None,
        silent: 0,
        heads: Heads::default(),
        generations: Generations::default(),
        keeper,
        turn,
        keeping,
        erased,
        marked: scrub.is_under_way(),
        scrub,
        scrub_after: None,
        stale,
        pulse,
        seams,
        indexed: None,
        index_after: None,
    };
    let mut batch = Vec::new();
    let mut fates = Vec::new();
    let mut panicked = false;
    loop {
        let aside = if panicked { None } else { writer.next_aside() };
        match queue.take_within(&mut batch, aside.map(|(wait, _)| wait)) {
            Taken::Writes => {}
            Taken::Nothing => {
                if let Some((_, aside)) = aside {
                    writer.do_aside(aside);
                }
                continue;
            }
            Taken::Closed => break,
        }
        if panicked {
            writer.generations.fail_batch(&batch, &StoreError::Closed, &mut fates);
        } else if catch_unwind(AssertUnwindSafe(|| writer.write(&batch, &mut fates))).is_err() {
            panicked = true;
            tracing::error!("the writer of the database panicked; nothing more is stored");
            queue.close();
            // It may have been committed. What stands behind it was never tried.
            let error = StoreError::unavailable("the writer panicked");
            writer.generations.fail_batch(&batch, &error, &mut fates);
        }
        settle(&mut batch, &mut fates, &writer.generations, &settled);
        if !panicked {
            writer.do_what_is_late();
        }
    }
    readers.close();
    let Writer { conn, keeper, .. } = writer;
    drop(keeper);
    for thread in threads {
        let _ = thread.join();
    }
    if let Some(conn) = conn.filter(|_| !panicked)
        && let Err(error) = stop_cleanly(conn)
    {
        tracing::error!(%error, "the database was not closed cleanly; the next start will check it");
    }
    drop(lock);
    closed.send_replace(true);
}

/// Everything into the database file, and only then the mark that the stop was a clean one. See `inspect` for why the log
/// holds nothing else at that moment.
fn stop_cleanly(conn: Connection) -> rusqlite::Result<()> {
    conn.flush_prepared_statement_cache();
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.busy_timeout(OTHERS_WAIT)?;
    checkpoint(&conn, "TRUNCATE")?;
    conn.execute("DELETE FROM meta WHERE key = 'running'", [])?;
    conn.close().map_err(|(_, error)| error)
}

/// Brings the log into the database file, all of it.
pub(super) fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<()> {
    let busy: bool = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0))?;
    if busy {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("somebody is reading the log".into()),
        ));
    }
    Ok(())
}

/// Copies as much of the log into the database file as can be copied without waiting for anybody.
pub(super) fn copy_log(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))
}

/// Remembers how long the log is, after each commit.
fn watch_log(conn: &mut Connection, pages: &Arc<AtomicU32>) {
    let pages = Arc::clone(pages);
    let hook = move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
        pages.store(count.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    };
    if let Err(error) = conn.wal_hook(Some(hook)) {
        tracing::warn!(%error, "the length of the log cannot be watched");
    }
}

struct Writer {
    path: PathBuf,
    durability: Durability,
    conn: Option<Connection>,
    /// The disk failed, and when that was last seen.
    trouble: Option<(Instant, StoreError)>,
    /// The database and its log, which must stay where they are.
    files: Vec<(PathBuf, FileId)>,
    /// How long the log was at the last commit.
    pages: Arc<AtomicU32>,
    /// How long it has to be for the keeper to be asked, and whether it was.
    ask_at: u32,
    asked: bool,
    /// When the log could not be begun anew, because somebody was reading it.
    stuck: Option<Instant>,
    /// When it was last said that the log is long.
    warned: Option<Instant>,
    /// When the log file (of tracing) last heard of a failure, and how many batches failed since.
    complained: Option<Instant>,
    silent: u64,
    heads: Heads,
    generations: Generations,
    keeper: blocking::SyncSender<Task>,
    turn: Arc<Mutex<()>>,
    keeping: Arc<AtomicBool>,
    erased: Arc<AtomicBool>,
    scrub: Arc<Scrub>,
    /// Whether the database says that it is to be scrubbed.
    marked: bool,
    /// No page is scrubbed before that.
    scrub_after: Option<Instant>,
    stale: blocking::Receiver<Vec<nonces::Key>>,
    pulse: Arc<Pulse>,
    seams: Seams,
    /// Up to which nr messages are in the index, if that is known.
    indexed: Option<i64>,
    /// Nothing goes into the index before that.
    index_after: Option<Instant>,
}

impl Writer {
    /// Stores a batch, or nothing of it.
    fn write(&mut self, batch: &[Queued], fates: &mut Vec<Fate>) {
        let taken = Instant::now();
        let pulse = Arc::clone(&self.pulse);
        let _at_work = pulse.work();
        fates.clear();
        let probed = batch.iter().all(|queued| matches!(queued.write, Write::Probe(_)));
        let refuses = pulse.refuses();
        if let Some((error, true)) = refuses.as_ref().filter(|_| probed) {
            return self.generations.fail_batch(batch, error, fates);
        }
        let rewrite = probed && refuses.is_some();
        let result = self.ready().and_then(|()| {
            self.transact(batch, fates, rewrite).map_err(|error| self.failed(error))?;
            // Whatever was written to a file that is not there any more will not be there tomorrow.
            self.check_files()
        });
        match result {
            Ok(()) => {
                if !probed {
                    pulse.commits.observe(taken.elapsed());
                }
                if refuses.is_some() {
                    pulse.accept();
                }
                self.keep_log_short();
            }
            Err(error) => {
                pulse.refuse(&error);
                self.heads.clear();
                self.indexed = None;
                self.generations.fail_batch(batch, &error, fates);
            }
        }
    }

    /// Where `rewrite` says so, something is written in any case, which changes nothing: the mark that the database is open.
    /// Only so it is seen whether the disk takes anything again.
    fn transact(&mut self, batch: &[Queued], fates: &mut Vec<Fate>, rewrite: bool) -> rusqlite::Result<()> {
        let Some(conn) = &self.conn else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        self.seams.before_batch(conn);
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut erased = false;
        let result = store(conn, &mut self.heads, &mut self.generations, batch, fates, &mut erased)
            .and_then(|()| if rewrite { rooms::rewrite_mark(conn) } else { Ok(()) })
            .and_then(|()| match self.stale.try_recv() {
                Ok(keys) => nonces::delete(conn, &keys),
                Err(_) => Ok(()),
            })
            .and_then(|()| if erased && !self.marked && self.scrub.is_able() { scrub::mark(conn) } else { Ok(()) })
            .and_then(|()| self.seams.before_commit())
            .and_then(|()| conn.prepare_cached("COMMIT")?.execute([]).map(|_| ()));
        if result.is_err()
            && !conn.is_autocommit()
            && let Err(error) = conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
        if erased && result.is_ok() {
            self.marked |= self.scrub.is_able();
            self.scrub.erased();
            self.erased.store(true, Ordering::Release);
            // If it has something to do already, it looks when it is done.
            let _ = self.keeper.try_send(Task::Forget);
        }
        result
    }

    /// Whether the disk and the file are fit to be written to.
    fn ready(&mut self) -> Result<(), StoreError> {
        if let Some((seen, error)) = &self.trouble {
            if seen.elapsed() < RETRY {
                return Err(error.clone());
            }
            self.reopen()?;
        }
        self.check_files()
    }

    /// After a failed write or sync nobody knows what the disk holds. A new connection, and a checkpoint that has brought
    /// everything committed into the file and synced it, settle that.
    fn reopen(&mut self) -> Result<(), StoreError> {
        // The old one first, for its locks; the keeper and the readers keep the log alive meanwhile.
        self.conn = None;
        let conn = connect_writer(&self.path, self.durability)
            .and_then(|conn| self.seams.before_commit().and_then(|()| checkpoint(&conn, "FULL")).map(|()| conn));
        match conn {
            Ok(mut conn) => {
                watch_log(&mut conn, &self.pages);
                self.conn = Some(conn);
                self.trouble = None;
                tracing::info!("the database can be written to again");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the database cannot be written to");
                let error = StoreError::unavailable(error);
                self.trouble = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn failed(&mut self, error: rusqlite::Error) -> StoreError {
        self.silent += 1;
        if self.complained.is_none_or(|last| last.elapsed() >= RETRY) {
            tracing::error!(%error, batches = self.silent, "what was to be stored could not be stored");
            (self.complained, self.silent) = (Some(Instant::now()), 0);
        }
        let code = error.sqlite_error_code();
        let error = StoreError::unavailable(error);
        match code {
            // These say for certain that nothing was stored, and are over when they are over.
            Some(
                ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ConstraintViolation,
            ) => {
                let _ = self.keeper.try_send(Task::Checkpoint);
            }
            _ => self.trouble = Some((Instant::now(), error.clone())),
        }
        error
    }

    fn check_files(&self) -> Result<(), StoreError> {
        for (path, id) in &self.files {
            match FileId::at(path) {
                Ok(now) if now == *id => {}
                _ => {
                    return Err(StoreError::unavailable(format!(
                        "the file {} was removed or replaced while it was in use; put it back, or restart",
                        path.display()
                    )));
                }
            }
        }
        Ok(())
    }

    /// The keeper copies the log into the database beside our work, so that no commit waits for it. But SQLite begins the
    /// log anew only when all of it was copied, and a log that is never quiet never is: so when the keeper is done, the
    /// writer copies the few pages that were added meanwhile.
    fn keep_log_short(&mut self) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < CHECKPOINT_PAGES {
            self.ask_at = CHECKPOINT_PAGES;
        } else if pages >= RESTART_PAGES && self.stuck.is_none_or(|stuck| stuck.elapsed() > RESTART_PAUSE) {
            self.begin_log_anew(pages);
        } else if self.asked {
            if !self.keeping.load(Ordering::Acquire) {
                self.asked = false;
                self.ask_at = pages + AGAIN_PAGES;
                if let Some(Err(error)) = self.conn.as_ref().map(copy_log) {
                    tracing::debug!(pages, %error, "the end of the log could not be copied");
                }
            }
        } else if pages >= self.ask_at {
            self.keeping.store(true, Ordering::Release);
            self.asked = self.keeper.try_send(Task::Checkpoint).is_ok();
        }
    }

    /// Waits until the log can be begun anew.
    fn begin_log_anew(&mut self, pages: u32) {
        let Some(conn) = &self.conn else { return };
        // Only one can do it at a time. For the keeper we wait as long as its disk takes, for others not.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = conn.busy_timeout(RESTART_WAIT);
        let result = checkpoint(conn, "RESTART");
        let _ = conn.busy_timeout(BUSY_WAIT);
        match result {
            Ok(()) => {
                self.stuck = None;
                self.pages.store(0, Ordering::Relaxed);
            }
            Err(error) => {
                self.stuck = Some(Instant::now());
                tracing::debug!(pages, %error, "the log could not be begun anew");
                if pages >= WARN_PAGES && self.warned.is_none_or(|warned| warned.elapsed() > WARN_EVERY) {
                    self.warned = Some(Instant::now());
                    let log = beside(&self.path, "-wal");
                    tracing::warn!(
                        path = %log.display(),
                        mib = pages / 256,
                        "another program has been reading the database for long, and until it ends the log beside it grows"
                    );
                }
            }
        }
    }
}

/// Everything in the batch, inside the transaction that is open.
fn store(
    conn: &Connection,
    heads: &mut Heads,
    generations: &mut Generations,
    batch: &[Queued],
    fates: &mut Vec<Fate>,
    erased: &mut bool,
) -> rusqlite::Result<()> {
    let mut appender = Appender::new(conn, heads)?;
    for queued in batch {
        fates.push(match &queued.write {
            Write::Append(append) if append.generation < generations.required(append.room) => {
                Fate::Failed(StoreError::Behind)
            }
            Write::Append(append) => match appender.append(append)? {
                Added::New(seq, time, mentions) => Fate::Appended(seq, time, mentions),
                Added::Unmet(unmet) => Fate::Unmet(unmet),
                Added::Duplicate(seq, time) => Fate::Duplicate(seq, time),
                Added::NoRoom => Fate::Failed(StoreError::unavailable("there is no such room")),
                Added::Full => Fate::Failed(StoreError::unavailable("the room's log is full")),
            },
            Write::CreateRoom(room, _) => Fate::Room(rooms::create(conn, room)?),
            Write::CreateAccount(account, _) => Fate::Account(accounts::create(conn, account)?),
            Write::Change(change, _) => {
                appender.flush()?;
                let answer = change::apply(conn, change)?;
                match &**change {
                    Change::DeleteRoom(room, _) => appender.forget(*room),
                    Change::Cut { .. } | Change::Erase(_) | Change::DeleteAccount { .. } => *erased |= answer > 0,
                    _ => {}
                }
                Fate::Changed(answer)
            }
            Write::Probe(_) => Fate::Probed,
        });
        // Those behind it in this batch must not pass it.
        if let (Write::Append(append), Some(Fate::Failed(error))) = (&queued.write, fates.last())
            && !matches!(error, StoreError::Behind)
        {
            generations.fail(append.room, append.generation);
        }
    }
    *erased |= appender.erased;
    appender.flush()
}
