//! The keeper: a thread beside the writer that brings the log back into the database file, so that no commit waits for it,
//! and that finds old nonces for the writer to delete.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::model::{Clock, SystemClock};
use crate::store::sqlite::log::nonces;

/// What the keeper is asked for.
pub(super) enum Task {
    /// The log has grown.
    Checkpoint,
}

/// How often old nonces are looked for.
const NONCES_EVERY: Duration = Duration::from_secs(3600);
/// How often a step of that is taken, while there is something to delete.
const NONCES_STEP: Duration = Duration::from_secs(1);

/// Works until the writer lets go of its end.
pub(super) fn run(
    path: &Path,
    conn: &Connection,
    turn: &Mutex<()>,
    tasks: &Receiver<Task>,
    stale: &SyncSender<Vec<nonces::Key>>,
) {
    let mut next = Instant::now() + NONCES_EVERY;
    let mut cursor = None;
    let mut found = Vec::new();
    let mut warned: Option<Instant> = None;
    loop {
        match tasks.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Task::Checkpoint) => {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                // (busy, pages in the log, pages of them in the database)
                let result: rusqlite::Result<(bool, i64, i64)> =
                    conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)").and_then(|mut checkpoint| {
                        checkpoint.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                    });
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
