//! The queues in which what happens waits for whoever wants to know.
//!
//! There is a bound, and nothing is thrown away: while a subscriber has more than [`SOFT_BYTES`] waiting, the client
//! reads nothing more from its socket, TCP makes the server wait, and the server keeps the log. While a request waits
//! for its answer, which stands behind those events in the stream, the client goes on up to [`HARD_BYTES`], so that
//! somebody who asks before reading what they were told is not locked out. Where nobody subscribed, events are dropped
//! and hold up nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::event::Event;

/// From here on nothing is read while nobody waits for an answer.
const SOFT_BYTES: usize = 1 << 20;
/// From here on nothing is read at all.
const HARD_BYTES: usize = 16 << 20;

/// Receives what happens. It begins with what comes after it was made, so make it before joining.
///
/// Whoever holds one reads it: while more than about a megabyte waits here, the client reads nothing more from the
/// server (see [`Client::events`](super::Client::events)).
#[derive(Debug)]
pub struct Events {
    queue: Arc<Queue>,
    hub: Arc<Hub>,
}

impl Events {
    /// The next event; `None` when the client was closed, dropped or has given up.
    ///
    /// # Cancel safety
    /// An event is taken only when this returns it.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            {
                let mut waiting = lock(&self.queue.waiting);
                if let Some(event) = waiting.events.pop_front() {
                    waiting.bytes -= event.bytes();
                    drop(waiting);
                    self.hub.space.notify_one();
                    return Some(event);
                }
                if waiting.ended {
                    return None;
                }
            }
            // A wake-up between the look and this wait is kept: `notify_one` leaves a permit.
            self.queue.ready.notified().await;
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        lock(&self.queue.waiting).ended = true;
        self.hub.space.notify_one();
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    bytes: usize,
    ended: bool,
}

/// Everybody who wants to know what happens.
#[derive(Debug, Default)]
pub(super) struct Hub {
    queues: Mutex<Queues>,
    /// Told when something was taken out of a queue, or a subscriber went.
    pub(super) space: Notify,
}

#[derive(Debug, Default)]
struct Queues {
    list: Vec<Weak<Queue>>,
    ended: bool,
}

impl Hub {
    /// A further subscriber.
    pub(super) fn subscribe(self: &Arc<Hub>) -> Events {
        let queue = Arc::new(Queue::default());
        let mut queues = lock(&self.queues);
        lock(&queue.waiting).ended = queues.ended;
        queues.list.push(Arc::downgrade(&queue));
        Events { queue, hub: Arc::clone(self) }
    }

    /// Tells everybody.
    pub(super) fn publish(&self, event: Event) {
        let mut queues = lock(&self.queues);
        queues.list.retain(|queue| queue.strong_count() > 0);
        let bytes = event.bytes();
        for queue in queues.list.iter().filter_map(Weak::upgrade) {
            let mut waiting = lock(&queue.waiting);
            if !waiting.ended {
                waiting.events.push_back(event.clone());
                waiting.bytes += bytes;
            }
            drop(waiting);
            queue.ready.notify_one();
        }
    }

    /// Whether there is room for more; `asked`: somebody waits for an answer that stands behind it.
    pub(super) fn has_room(&self, asked: bool) -> bool {
        let limit = if asked { HARD_BYTES } else { SOFT_BYTES };
        let queues = lock(&self.queues);
        queues.list.iter().filter_map(Weak::upgrade).all(|queue| {
            let waiting = lock(&queue.waiting);
            waiting.ended || waiting.bytes < limit
        })
    }

    /// Nothing more will happen; what waits can still be taken.
    pub(super) fn end(&self) {
        let mut queues = lock(&self.queues);
        queues.ended = true;
        for queue in queues.list.iter().filter_map(Weak::upgrade) {
            lock(&queue.waiting).ended = true;
            queue.ready.notify_one();
        }
    }
}

/// Nothing that is done under these locks can leave a queue half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
