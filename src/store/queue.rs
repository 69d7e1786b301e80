//! The way into a store: bounded, in order, and taken in whole batches.
//!
//! Whoever wants to write reserves a place first, which may wait, and pushes later, which never does: so the place in the
//! order can be taken under a room's lock. The place is given back when the write was settled, so the bound holds for
//! what waits and what is being committed together.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::{StoreError, Write};

/// A write for each 4 KiB of which one more place is taken.
const BYTES_PER_PLACE: usize = 4096;

/// What waits to be written.
pub struct WriteQueue {
    places: Arc<Semaphore>,
    bound: u32,
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    writes: Vec<Queued>,
    closed: bool,
}

/// Leave to push one write.
pub struct Place(#[expect(dead_code, reason = "held until the write is settled")] OwnedSemaphorePermit);

/// A write and its place, which is to be dropped when the write was settled.
pub struct Queued {
    /// What is to be written.
    pub write: Write,
    /// Its place in the queue.
    pub place: Place,
}

/// What came of waiting for writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// They are in the batch.
    Writes,
    /// None came in time.
    Nothing,
    /// The queue was closed and nothing is left.
    Closed,
}

impl WriteQueue {
    /// A queue of so many writes (of 4 KiB; a larger one counts as several).
    pub fn new(bound: usize) -> WriteQueue {
        let bound = bound.clamp(1, 1 << 20);
        WriteQueue {
            places: Arc::new(Semaphore::new(bound)),
            bound: u32::try_from(bound).unwrap_or(u32::MAX),
            waiting: Mutex::default(),
            filled: Condvar::new(),
        }
    }

    /// Waits for a place for a write of so many bytes.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the store takes no more.
    ///
    /// # Cancel safety
    /// Nothing is lost; the turn in the line is.
    pub async fn reserve(&self, bytes: usize) -> Result<Place, StoreError> {
        let places = u32::try_from(1 + bytes / BYTES_PER_PLACE).unwrap_or(u32::MAX).min(self.bound);
        let permit = Arc::clone(&self.places).acquire_many_owned(places).await;
        permit.map(Place).map_err(|_| StoreError::Closed)
    }

    /// A place for a write of so many bytes, if there is one now.
    pub fn try_reserve(&self, bytes: usize) -> Option<Place> {
        let places = u32::try_from(1 + bytes / BYTES_PER_PLACE).unwrap_or(u32::MAX).min(self.bound);
        Arc::clone(&self.places).try_acquire_many_owned(places).ok().map(Place)
    }

    /// Puts a write at the end. Never waits.
    ///
    /// # Errors
    /// The write comes back when the store takes no more.
    #[expect(clippy::result_large_err, reason = "the write is given back to whom it belongs")]
    pub fn push(&self, place: Place, write: Write) -> Result<(), Write> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(write);
        }
        waiting.writes.push(Queued { write, place });
        let first = waiting.writes.len() == 1;
        drop(waiting);
        if first {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Like [`WriteQueue::take`], but where a time is given, it waits no longer than that.
    pub fn take_within(&self, batch: &mut Vec<Queued>, wait: Option<Duration>) -> Taken {
        let Some(wait) = wait else {
            return if self.take(batch) { Taken::Writes } else { Taken::Closed };
        };
        debug_assert!(batch.is_empty());
        let nothing = |waiting: &mut Waiting| waiting.writes.is_empty() && !waiting.closed;
        let waited = self.filled.wait_timeout_while(self.lock(), wait, nothing);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        mem::swap(batch, &mut waiting.writes);
        match (batch.is_empty(), waiting.closed) {
            (false, _) => Taken::Writes,
            (true, true) => Taken::Closed,
            (true, false) => Taken::Nothing,
        }
    }

    /// Waits for writes and takes all that there are, by exchanging `batch` (which must be empty) with them. False when
    /// the queue was closed and nothing is left. For the one thread that writes.
    pub fn take(&self, batch: &mut Vec<Queued>) -> bool {
        debug_assert!(batch.is_empty());
        let mut waiting = self.lock();
        while waiting.writes.is_empty() && !waiting.closed {
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(batch, &mut waiting.writes);
        !batch.is_empty()
    }

    /// Waits until the queue is closed.
    pub(super) fn wait_for_close(&self) {
        let mut waiting = self.lock();
        while !waiting.closed {
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many places there are, and how many of them are taken by what waits or is being committed.
    pub fn places(&self) -> (usize, usize) {
        let bound = self.bound as usize;
        (bound, bound.saturating_sub(self.places.available_permits()))
    }

    /// How many writes wait to be taken.
    pub fn len(&self) -> usize {
        self.lock().writes.len()
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes no more; what was pushed is still written.
    pub fn close(&self) {
        self.lock().closed = true;
        self.places.close();
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
