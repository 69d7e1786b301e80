//! What happens unasked, and the queues in which it waits for whoever wants to know.
//!
//! There is a bound, and nothing is thrown away: while a subscriber has more than [`SOFT_BYTES`] waiting, the client
//! reads nothing more from its socket, TCP makes the server wait, and the server keeps the log. While a request waits
//! for its answer, which stands behind those events in the stream, the client goes on up to [`HARD_BYTES`], so that
//! somebody who asks before reading what they were told is not locked out. Where nobody subscribed, events are dropped
//! and hold up nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;

use super::answer::{Json, Message, seq, time};
use crate::model::{Seq, Time};

/// From here on nothing is read while nobody waits for an answer.
const SOFT_BYTES: usize = 1 << 20;
/// From here on nothing is read at all.
const HARD_BYTES: usize = 16 << 20;
/// What an event takes beside its line, roughly.
const EVENT_BYTES: usize = 256;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Somebody said something.
    Message(Message),
    /// An account became a member of a room, or stopped being one.
    Member(Member),
    /// Somebody came or went.
    Presence(Presence),
    /// The server stops; the client comes back by itself if it was told to reconnect.
    Shutdown {
        /// Why.
        reason: String,
        /// When it makes sense to come back.
        retry_after: Option<Duration>,
    },
    /// The connection was lost, or could not be had again. Where it is not tried again the events end here.
    Disconnected {
        /// Why.
        reason: String,
        /// When it will be tried again.
        retry_in: Option<Duration>,
    },
    /// The connection is there again, and this session is logged in. What was followed is taken up next.
    Connected {
        /// The server has forgotten this guest: it is another one of the same name, to whom nothing of what was belongs.
        new_guest: bool,
    },
    /// Rooms that were followed before the connection was lost.
    Resumed(Vec<RoomResumed>),
    /// What this version has no word for.
    Other(Other),
}

impl Event {
    /// The line as it came, where the server told it and it is an entry or unknown.
    pub fn json(&self) -> Option<&str> {
        match self {
            Event::Message(message) => Some(message.json.as_str()),
            Event::Member(member) => Some(member.json.as_str()),
            Event::Other(other) => Some(other.json.as_str()),
            _ => None,
        }
    }

    /// The room and the place in its log, where this is an entry.
    pub fn entry(&self) -> Option<(&str, Seq)> {
        match self {
            Event::Message(message) => Some((&message.room, message.seq)),
            Event::Member(member) => Some((&member.room, member.seq)),
            Event::Other(other) => Some((other.room.as_deref()?, other.seq?)),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        EVENT_BYTES + 2 * self.json().map_or(0, str::len)
    }
}

/// An account became a member of a room, or stopped being one.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// The room.
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// Who did it.
    pub from: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// Whom it is about.
    pub user: String,
    /// What happened: "join", "leave", or a word of a later version.
    pub change: String,
    /// The role afterwards.
    #[serde(default)]
    pub role: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Somebody with whom this session shares a room came or went.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Presence {
    /// Who.
    pub user: String,
    /// Whether there is a session of that user.
    pub online: bool,
    /// What that user says of themselves.
    #[serde(default)]
    pub status: Option<String>,
}

/// A room after the connection was lost and found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomResumed {
    /// The room.
    pub room: String,
    /// What was remembered of the room is void; its events go on at the head.
    pub reset: bool,
    /// How many entries nobody can see any more, because they are past what the room keeps.
    pub missed: u64,
    /// Why the room is not followed any more: the server's sentence.
    pub refused: Option<String>,
}

/// An event that this version does not know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Other {
    /// Its name.
    pub name: String,
    /// The room that it is about.
    pub room: Option<String>,
    /// Its place in the room's log, where it is an entry.
    pub seq: Option<Seq>,
    /// The line as it came.
    pub json: Json,
}

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
