//! What happens, for the program that the server lives in: committed entries, and who comes and goes. Each listener has a
//! queue with a bound; where that is full, happenings are left out and counted. The chat never waits here, and where nobody
//! listens it only looks at one number.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::model::{Body, Entry};

/// How many happenings may wait for a listener.
const MOST_WAITING: usize = 4096;
/// How many bytes of text these may hold.
const MOST_BYTES: usize = 16 << 20;
/// How often it is logged at most that some were left out.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Happening {
    /// An entry was committed. Those of a room come in their order, each once. Where several were committed together, a
    /// message says what a later edit or deletion among them has left of it.
    Entry {
        /// The room's name; of a direct conversation those of the two, as `@ALICE:BOB`.
        room: String,
        /// The entry.
        entry: Entry,
    },
    /// Somebody is online now, who was not.
    Online {
        /// Who.
        username: String,
        /// It is a guest.
        guest: bool,
    },
    /// Somebody is online no more.
    Offline {
        /// Who.
        username: String,
        /// It was a guest.
        guest: bool,
    },
    /// Here so many happenings were left out, for whoever listens did not keep up. What they were, the rooms' histories say.
    Missed(u64),
}

/// Receives what happens in a server; from [`Server::events`](crate::Server::events). It begins with what comes after it was
/// made. Whoever is slow misses something, and holds up nobody.
#[derive(Debug)]
pub struct ServerEvents {
    queue: Arc<Queue>,
    feed: Arc<Feed>,
}

impl ServerEvents {
    /// The next happening; `None` when the server has stopped and all was received.
    ///
    /// # Cancel safety
    /// A happening is taken only when this returns it.
    pub async fn next(&mut self) -> Option<Happening> {
        loop {
            {
                let mut waiting = self.queue.waiting();
                if let Some(happening) = waiting.pop() {
                    return Some(happening);
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

impl Drop for ServerEvents {
    fn drop(&mut self) {
        let mut queues = self.feed.queues();
        queues.list.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.feed.listeners.store(queues.list.len(), Ordering::Relaxed);
    }
}

/// Everybody who wants to know what happens.
#[derive(Debug, Default)]
pub(super) struct Feed {
    listeners: AtomicUsize,
    queues: Mutex<Queues>,
    missed: AtomicU64,
}

#[derive(Debug, Default)]
struct Queues {
    list: Vec<Arc<Queue>>,
    ended: bool,
    warned: Option<Instant>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    happenings: VecDeque<Arc<Happening>>,
    bytes: usize,
    /// What was left out behind the last of them.
    missed: u64,
    ended: bool,
}

impl Feed {
    /// Whether anybody listens.
    pub(super) fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Tells everybody who listens. What it is, is only asked where somebody does.
    pub(super) fn tell(&self, happenings: impl FnOnce() -> Vec<Happening>) {
        if !self.is_heard() {
            return;
        }
        let happenings: Vec<Arc<Happening>> = happenings().into_iter().map(Arc::new).collect();
        let mut queues = self.queues();
        let mut missed = 0;
        for queue in &queues.list {
            let mut waiting = queue.waiting();
            missed += happenings.iter().filter(|happening| !waiting.push(happening)).count() as u64;
            drop(waiting);
            queue.ready.notify_one();
        }
        if missed == 0 {
            return;
        }
        let all = missed + self.missed.fetch_add(missed, Ordering::Relaxed);
        let now = Instant::now();
        if queues.warned.is_none_or(|last| now.saturating_duration_since(last) >= WARN_EVERY) {
            queues.warned = Some(now);
            drop(queues);
            tracing::warn!(missed = all, "whoever listens to the server's events does not keep up; some are left out");
        }
    }

    /// Somebody listens from now on.
    pub(super) fn listen(self: &Arc<Feed>) -> ServerEvents {
        let queue = Arc::new(Queue::default());
        let mut queues = self.queues();
        if queues.ended {
            queue.waiting().ended = true;
        } else {
            queues.list.push(Arc::clone(&queue));
            self.listeners.store(queues.list.len(), Ordering::Relaxed);
        }
        drop(queues);
        ServerEvents { queue, feed: Arc::clone(self) }
    }

    /// Nothing happens any more.
    pub(super) fn end(&self) {
        let mut queues = self.queues();
        queues.ended = true;
        for queue in std::mem::take(&mut queues.list) {
            queue.waiting().ended = true;
            queue.ready.notify_one();
        }
        self.listeners.store(0, Ordering::Relaxed);
    }

    /// How many happenings were left out, each once for each listener.
    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// False if it is left out.
    fn push(&mut self, happening: &Arc<Happening>) -> bool {
        let bytes = weight(happening);
        if self.happenings.len() >= MOST_WAITING || (self.bytes + bytes > MOST_BYTES && !self.happenings.is_empty()) {
            self.missed += 1;
            return false;
        }
        if self.missed > 0 {
            // What was left out was left out in front of this.
            self.happenings.push_back(Arc::new(Happening::Missed(std::mem::take(&mut self.missed))));
        }
        self.bytes += bytes;
        self.happenings.push_back(Arc::clone(happening));
        true
    }

    fn pop(&mut self) -> Option<Happening> {
        match self.happenings.pop_front() {
            Some(happening) => {
                self.bytes -= weight(&happening);
                Some(Arc::unwrap_or_clone(happening))
            }
            None if self.missed > 0 => Some(Happening::Missed(std::mem::take(&mut self.missed))),
            None => {
                self.happenings = VecDeque::new();
                None
            }
        }
    }
}

/// How many bytes of text a happening holds that are worth counting.
fn weight(happening: &Happening) -> usize {
    match happening {
        Happening::Entry { entry: Entry { body: Body::Message(message), .. }, .. } => message.text.as_str().len(),
        Happening::Entry { entry: Entry { body: Body::Edit { text: Some(text), .. }, .. }, .. } => text.as_str().len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, Seq, Text, Time, UserId};

    fn entry(seq: u64, text: &str) -> Happening {
        let body = Body::Message(Message::new(Text::trusted(text)));
        let entry = Entry { seq: Seq(seq), time: Time(0), author: UserId(1), from: "a".into(), body };
        Happening::Entry { room: "lobby".to_owned(), entry }
    }

    fn seqs(events: &ServerEvents) -> Vec<Result<u64, u64>> {
        let mut waiting = events.queue.waiting();
        std::iter::from_fn(|| waiting.pop())
            .map(|happening| match happening {
                Happening::Entry { entry, .. } => Ok(entry.seq.0),
                Happening::Missed(count) => Err(count),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_is_left_out_is_told_where_it_would_have_been() {
        let feed = Arc::new(Feed::default());
        let (slow, most) = (feed.listen(), MOST_WAITING as u64);
        feed.tell(|| (1..=most + 3).map(|seq| entry(seq, "x")).collect());
        assert_eq!(feed.missed(), 3);
        {
            let mut waiting = slow.queue.waiting();
            assert_eq!(waiting.pop(), Some(entry(1, "x")));
            assert_eq!(waiting.pop(), Some(entry(2, "x")));
        }
        feed.tell(|| vec![entry(most + 4, "x")]);
        let got = seqs(&slow);
        assert_eq!(got[..2], [Ok(3), Ok(4)]);
        assert_eq!(got[got.len() - 3..], [Ok(most), Err(3), Ok(most + 4)]);
        assert_eq!(seqs(&slow), []);
        // At the very end as well.
        feed.tell(|| (1..=most + 1).map(|seq| entry(seq, "x")).collect());
        assert_eq!(seqs(&slow).last(), Some(&Err(1)));
    }

    #[test]
    fn long_texts_fill_a_queue_earlier() {
        let feed = Arc::new(Feed::default());
        let slow = feed.listen();
        let text = "x".repeat(MOST_BYTES / 4);
        feed.tell(|| (1..=5).map(|seq| entry(seq, &text)).collect());
        assert_eq!(seqs(&slow), [Ok(1), Ok(2), Ok(3), Ok(4), Err(1)]);
        // One that is longer than all may be comes all the same, alone.
        let text = "x".repeat(MOST_BYTES + 1);
        feed.tell(|| vec![entry(6, &text), entry(7, "x")]);
        assert_eq!(seqs(&slow), [Ok(6), Err(1)]);
        assert_eq!(slow.queue.waiting().bytes, 0);
    }

    #[test]
    fn where_nobody_listens_nothing_is_made() {
        let feed = Arc::new(Feed::default());
        feed.tell(|| panic!("nobody asked"));
        let events = feed.listen();
        assert!(feed.is_heard());
        drop(events);
        assert!(!feed.is_heard());
        feed.tell(|| panic!("nobody asks any more"));
    }

    #[tokio::test]
    async fn what_waits_is_told_before_the_end() {
        let feed = Arc::new(Feed::default());
        let mut events = feed.listen();
        feed.tell(|| vec![entry(1, "x")]);
        feed.end();
        feed.tell(|| panic!("nobody listens any more"));
        assert_eq!(events.next().await, Some(entry(1, "x")));
        assert_eq!(events.next().await, None);
        assert_eq!(feed.listen().next().await, None);
    }
}
