//! The keeper: a thread beside the writer that brings the log back into the database file, so that no commit waits for it,
//! and that finds old nonces for the writer to delete.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{Clock, SystemClock};
use crate::store::sqlite::log::nonces;
use crate::store::sqlite::writer::copy_log;
use crate::store::sqlite::{Durability, connect_writer};

/// What the keeper is asked for.
pub(super) enum Task {
    /// The log has grown.
    Checkpoint,
}

/// How often old nonces are looked for.
const NONCES_EVERY: Duration = Duration::from_secs(3600);
/// How often a step of that is taken, while there is something to delete.
const NONCES_STEP: Duration = Duration::from_secs(1);

/// Works until the writer lets go of its end. Takes `keeping` back when it has done what it was asked for.
pub(super) fn run(
    path: &Path,
    durability: Durability,
    turn: &Mutex<()>,
    keeping: &AtomicBool,
    tasks: &Receiver<Task>,
    stale: &SyncSender<Vec<nonces::Key>>,
) {
    let mut connected = connect_writer(path, durability);
    let mut next = Instant::now() + NONCES_EVERY;
    let mut cursor = None;
    let mut found = Vec::new();
    let mut warned: Option<Instant> = None;
    loop {
        let task = tasks.recv_timeout(next.saturating_duration_since(Instant::now()));
        if matches!(task, Err(RecvTimeoutError::Disconnected)) {
            return;
        }
        if connected.is_err() {
            connected = connect_writer(path, durability);
        }
        let conn = match &connected {
            Ok(conn) => conn,
            Err(error) => {
                tracing::error!(reason = %error, "the keeper cannot open the database");
                keeping.store(false, Ordering::Release);
                next = next.max(Instant::now() + NONCES_STEP);
                continue;
            }
        };
        match task {
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
                    tracing::warn!(file = %path.display(), reason = %error, "the log could not be brought into the database");
                }
            }
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
                        tracing::warn!(reason = %error, "old nonces could not be looked for");
                        next = Instant::now() + NONCES_EVERY;
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
