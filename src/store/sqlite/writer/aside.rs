//! What the writer does aside, when nothing waits to be stored: messages go into the index, and pages that hold what was
//! deleted are scrubbed. Nobody waits for it; where it is never quiet, it is done in between, but not all the time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::store::StoreError;
use crate::store::sqlite::writer::Writer;
use crate::store::sqlite::{Durability, index, scrub, synchronous};

/// So many messages go into the index in one transaction.
const INDEX_STEP: usize = 256;
/// How long it has to be quiet before the last few go.
const INDEX_WAIT: Duration = Duration::from_millis(20);
/// So many may wait for it while it is never quiet.
const INDEX_LAG: i64 = 50_000;
/// When more wait, so many go in one transaction, for they cost half as much then; and while it is never quiet, so long
/// passes before the next ones go, so that those who post wait for a part of the time only.
const BACKLOG_STEP: usize = 2048;
const BACKLOG_PAUSE: Duration = Duration::from_millis(100);
/// After a failure, it is tried again after so long.
const INDEX_RETRY: Duration = Duration::from_secs(10);

/// How long it has to be quiet before pages are scrubbed.
const SCRUB_WAIT: Duration = Duration::from_millis(2);
/// How often the writer looks whether there are any, while the keeper looks for them.
const SCRUB_LOOK: Duration = Duration::from_millis(20);
/// How long they wait where it is never quiet, and until it is tried again after a failure.
const SCRUB_LAG: Duration = Duration::from_millis(50);
const SCRUB_RETRY: Duration = Duration::from_secs(1);

/// What can be done aside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    Index,
    Scrub,
}

impl Writer {
    /// What is to be done next, and how long it has to be quiet before that; nothing where there is nothing to do.
    pub(super) fn next_aside(&mut self) -> Option<(Duration, Aside)> {
        let (index, scrub) = (self.time_to_index(), self.time_to_scrub());
        let (index, scrub) = (index.map(|wait| (wait, Aside::Index)), scrub.map(|wait| (wait, Aside::Scrub)));
        // Of two that are due at the same time the first.
        index.into_iter().chain(scrub).min_by_key(|(wait, _)| *wait)
    }

    /// It was quiet for so long.
    pub(super) fn do_aside(&mut self, aside: Aside) {
        match aside {
            Aside::Index => {
                self.index();
                self.scrub_if_late();
            }
            Aside::Scrub => self.scrub(),
        }
    }

    /// It is not quiet, but some of it cannot wait any longer.
    pub(super) fn do_what_is_late(&mut self) {
        if self.lag() > INDEX_LAG && self.time_to_index() == Some(Duration::ZERO) {
            self.index();
            self.index_after = self.index_after.max(Some(Instant::now() + BACKLOG_PAUSE));
        }
        self.scrub_if_late();
    }

    /// How many messages are not in the index yet.
    fn lag(&mut self) -> i64 {
        let Some(conn) = &self.conn else { return 0 };
        let newest = self.heads.nr.map_or_else(|| index::newest(conn), Ok);
        let indexed = self.indexed.map_or_else(|| index::indexed(conn), Ok);
        match newest.and_then(|newest| Ok((newest, indexed?))) {
            Ok((newest, indexed)) => {
                (self.heads.nr, self.indexed) = (Some(newest), Some(indexed));
                newest - indexed
            }
            Err(error) => {
                tracing::debug!(%error, "nobody knows how far the index is");
                self.index_after = Some(Instant::now() + INDEX_RETRY);
                0
            }
        }
    }

    /// How long it has to be quiet before something goes into the index; none where there is nothing.
    fn time_to_index(&mut self) -> Option<Duration> {
        let pause = self.index_after.map(|after| after.saturating_duration_since(Instant::now()));
        if self.seams.index_stands_still() || self.lag() <= 0 {
            return None;
        }
        let wait = if self.lag() < INDEX_STEP.try_into().unwrap_or(i64::MAX) { INDEX_WAIT } else { Duration::ZERO };
        Some(wait.max(pause.unwrap_or_default()))
    }

    /// Puts some messages into the index. Whatever becomes of it, nobody waits for it, and nobody's posting fails with it.
    fn index(&mut self) {
        let pulse = Arc::clone(&self.pulse);
        let _at_work = pulse.work();
        if self.ready().is_err() {
            self.index_after = Some(Instant::now() + INDEX_RETRY);
            return;
        }
        let most = if self.lag() > INDEX_LAG { BACKLOG_STEP } else { INDEX_STEP };
        let newest = self.heads.nr;
        let result = self.aside(|conn| index::go_on(conn, most, newest));
        self.indexed = None;
        match result {
            Ok(indexed) => {
                self.indexed = Some(indexed);
                self.index_after = None;
                self.keep_log_short();
            }
            Err(error) => {
                tracing::warn!(%error, "messages could not be put into the index");
                self.index_after = Some(Instant::now() + INDEX_RETRY);
            }
        }
    }

    /// How long it has to be quiet before pages are scrubbed; none where nobody looks for any.
    fn time_to_scrub(&self) -> Option<Duration> {
        let wait = match self.scrub.waiting() {
            0 if self.marked || self.scrub.is_under_way() => SCRUB_LOOK,
            0 => return None,
            _ => SCRUB_WAIT,
        };
        let pause = self.scrub_after.map(|after| after.saturating_duration_since(Instant::now()));
        Some(wait.max(pause.unwrap_or_default()))
    }

    /// Scrubs although it is not quiet, but not all the time.
    fn scrub_if_late(&mut self) {
        let now = Instant::now();
        if self.scrub.waiting() == 0 || self.scrub_after.is_some_and(|after| now < after) {
            return;
        }
        self.scrub();
        self.scrub_after = self.scrub_after.max(Some(now + SCRUB_LAG));
    }

    /// Scrubs some pages. Nobody waits for it either.
    fn scrub(&mut self) {
        let pulse = Arc::clone(&self.pulse);
        let _at_work = pulse.work();
        self.scrub_after = None;
        let over = !self.scrub.is_under_way();
        if self.scrub.waiting() == 0 && !(over && self.marked) {
            return;
        }
        if self.ready().is_err() {
            self.scrub_after = Some(Instant::now() + SCRUB_RETRY);
            return;
        }
        let scrub = Arc::clone(&self.scrub);
        let unmark = over && self.marked;
        let result = self.aside(|conn| {
            if unmark {
                scrub::unmark(conn)?;
            }
            scrub.write(conn)
        });
        match result {
            Ok(count) => {
                self.marked &= !unmark;
                self.scrub.take_off(count);
                self.keep_log_short();
            }
            Err(error) => {
                tracing::warn!(%error, "pages could not be scrubbed");
                self.scrub_after = Some(Instant::now() + SCRUB_RETRY);
            }
        }
    }

    /// A transaction for which nobody waits. What a power cut takes of it is done again, so it does not wait for the disk.
    fn aside<T>(&mut self, step: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let Some(conn) = &self.conn else { return Err(StoreError::unavailable("the database is not open")) };
        let transact = || -> rusqlite::Result<T> {
            conn.pragma_update(None, "synchronous", synchronous(Durability::Normal))?;
            conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let done = step(conn)?;
            conn.prepare_cached("COMMIT")?.execute([])?;
            Ok(done)
        };
        let result = catch_unwind(AssertUnwindSafe(transact));
        if !conn.is_autocommit()
            && let Err(error) = conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
        let as_before = conn.pragma_update(None, "synchronous", synchronous(self.durability));
        let result = match result {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => Err(self.failed(error)),
            Ok(Err(error)) => Err(StoreError::unavailable(error)),
            Err(_) => Err(StoreError::unavailable("it panicked")),
        };
        if let Err(error) = as_before {
            self.failed(error);
        }
        result
    }
}
