//! What the writer lets others see of itself: that it goes on, what it is at, and whether something can be stored.
//!
//! A writer that waits for its disk and one that waits for ever look alike to whoever waits for them. So the writer says
//! when it begins something that only the disk (or another program with a lock on the database) can hold up, and when it
//! has ended it. It says nothing of the kind while it hands out what became of a batch: there it waits for us.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::Histogram;
use crate::store::StoreError;

/// After something could not be stored, a probe does not try again for so long: it could succeed, for it is small, where
/// nothing else does.
pub(super) const HOLD: Duration = Duration::from_secs(10);

/// What the writer lets others see.
pub(super) struct Pulse {
    begun: Instant,
    hold: Duration,
    beats: AtomicU64,
    /// Since when it is at something, in nanoseconds since the beginning; 0 for nothing.
    since: AtomicU64,
    pub(super) commits: Histogram,
    pub(super) failed_commits: AtomicU64,
    refused: Mutex<Option<(Instant, StoreError)>>,
}

/// The writer is at something, until this is dropped.
pub(super) struct Work<'a>(&'a Pulse);

impl Pulse {
    /// Nothing has happened yet. `hold` is [`HOLD`], but in tests.
    pub(super) fn new(hold: Duration) -> Pulse {
        Pulse {
            begun: Instant::now(),
            hold,
            beats: AtomicU64::new(0),
            since: AtomicU64::new(0),
            commits: Histogram::default(),
            failed_commits: AtomicU64::new(0),
            refused: Mutex::new(None),
        }
    }

    /// Begins something that only the disk can hold up.
    pub(super) fn work(&self) -> Work<'_> {
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.since.store(now.max(1), Ordering::Release);
        self.beats.fetch_add(1, Ordering::AcqRel);
        Work(self)
    }

    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Acquire)
    }

    /// For how long it has been at something.
    pub(super) fn at_work(&self) -> Option<Duration> {
        let since = Duration::from_nanos(self.since.load(Ordering::Acquire));
        (!since.is_zero()).then(|| self.begun.elapsed().saturating_sub(since))
    }

    /// Something could not be stored.
    pub(super) fn refuse(&self, error: &StoreError) {
        self.failed_commits.fetch_add(1, Ordering::Relaxed);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error.clone()));
    }

    /// Something was stored.
    pub(super) fn accept(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why something could not be stored, and whether that was so short a while ago that it holds without trying.
    pub(super) fn refuses(&self) -> Option<(StoreError, bool)> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().map(|(at, error)| (error.clone(), at.elapsed() < self.hold))
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.since.store(0, Ordering::Release);
        self.0.beats.fetch_add(1, Ordering::AcqRel);
    }
}
