//! The keeper: a thread beside the writer that brings the log back into the database file, so that no commit waits for it,
//! that finds old nonces for the writer to delete, and pages for it to scrub.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::model::{Clock, SystemClock};
use crate::store::sqlite::nonces;
use crate::store::sqlite::scrub::{Passes, Scrub};
use crate::store::sqlite::writer::{BUSY_WAIT, checkpoint, copy_log};
use crate::store::sqlite::{Durability, connect_writer};

/// What the keeper is asked for.
pub(super) enum Task {
    /// The log has grown.
    Checkpoint,
    /// Something was overwritten, and must not be found in the files any more.
    Forget,
}

/// How often old nonces are looked for.
const NONCES_EVERY: Duration = Duration::from_secs(3600);
/// How often a step of that is taken, while there is something to delete.
const NONCES_STEP: Duration = Duration::from_secs(1);

/// How long it waits for more of what is to be forgotten, and until it tries again where somebody reads the log.
const FORGET_AFTER: Duration = Duration::from_millis(100);
/// How long it waits for those who read the log meanwhile. The writer waits as long.
const FORGET_WAIT: Duration = Duration::from_millis(50);

/// What the thread needs to begin.
pub(super) struct Parts {
    pub(super) path: PathBuf,
    pub(super) durability: Durability,
    /// Held by whoever brings the log into the database.
    pub(super) turn: Arc<Mutex<()>>,
    /// Taken back when it has done what it was asked for.
    pub(super) keeping: Arc<AtomicBool>,
    /// Set when something was overwritten that must not be found in the files.
    pub(super) erased: Arc<AtomicBool>,
    pub(super) scrub: Arc<Scrub>,
    pub(super) tasks: Receiver<Task>,
    pub(super) stale: SyncSender<Vec<nonces::Key>>,
}

/// Works until the writer lets go of its end.
pub(super) fn run(parts: Parts) {
    let Parts { path, durability, turn, keeping, erased, scrub, tasks, stale } = parts;
    let path = path.as_path();
    let mut connected = connect_writer(path, durability);
    let mut next = Instant::now() + NONCES_EVERY;
    let mut cursor = None;
    let mut found = Vec::new();
    let mut warned: Option<Instant> = None;
    let mut forget_at: Option<Instant> = None;
    let mut passes = Passes::new(&scrub);
    loop {
        let wake = forget_at.into_iter().chain(passes.due()).fold(next, Instant::min);
        let task = tasks.recv_timeout(wake.saturating_duration_since(Instant::now()));
        if matches!(task, Err(RecvTimeoutError::Disconnected)) {
            return;
        }
        if connected.is_err() {
            connected = connect_writer(path, durability);
        }
        let conn = match &connected {
            Ok(conn) => conn,
            Err(error) => {
                tracing::error!(%error, "the keeper cannot open the database");
                keeping.store(false, Ordering::Release);
                next = next.max(Instant::now() + NONCES_STEP);
                passes.later();
                continue;
            }
        };
        if passes.go_on(conn) {
            erased.store(true, Ordering::Release);
        }
        // Also while there is a lot else to do.
        if let Some(at) = forget_at
            && Instant::now() >= at
        {
            erased.store(false, Ordering::Release);
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            forget_at = None;
            if let Err(error) = forget(conn) {
                tracing::debug!(%error, "what was overwritten is still in the log");
                erased.store(true, Ordering::Release);
            }
        }
        if forget_at.is_none() && erased.load(Ordering::Acquire) {
            forget_at = Some(Instant::now() + FORGET_AFTER);
        }
        match task {
            Ok(Task::Forget) => {}
            Ok(Task::Checkpoint) => {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                // Twice, so that hardly anything is left for the writer: the second time copies what was added during the
                // first, and takes no longer than two syncs.
                let result = copy_log(conn).and_then(|()| copy_log(conn));
                keeping.store(false, Ordering::Release);
                if let Err(error) = result
                    && warned.is_none_or(|warned| warned.elapsed() > Duration::from_secs(1))
                {
                    warned = Some(Instant::now());
                    tracing::warn!(path = %path.display(), %error, "the log could not be brought into the database");
                }
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() < next => {}
            Err(RecvTimeoutError::Timeout) => {
                // The writer takes a step with each batch: where nobody writes, nothing grows, and it may wait.
                let step = if found.is_empty() {
                    nonces::stale(conn, cursor.take(), SystemClock.now())
                } else {
                    Ok((std::mem::take(&mut found), cursor.take()))
                };
                match step {
                    Ok((keys, on)) => {
                        if !keys.is_empty()
                            && let Err(TrySendError::Full(keys)) = stale.try_send(keys)
                        {
                            found = keys;
                        }
                        cursor = on;
                        let more = cursor.is_some() || !found.is_empty();
                        next = Instant::now() + if more { NONCES_STEP } else { NONCES_EVERY };
                    }
                    Err(error) => {
                        tracing::warn!(%error, "old nonces could not be looked for");
                        next = Instant::now() + NONCES_EVERY;
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Brings the log into the database file and empties it, so that nothing is left of what is not in the database any more.
fn forget(conn: &Connection) -> rusqlite::Result<()> {
    // Most of it without standing in anybody's way.
    copy_log(conn)?;
    conn.busy_timeout(FORGET_WAIT)?;
    let result = checkpoint(conn, "TRUNCATE");
    conn.busy_timeout(BUSY_WAIT)?;
    result
}
