//! Committed entries, in commit order: answers, state, tail, head, wake. The only place where a head moves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::chat::room::{Room, cost};
use crate::chat::service::Chat;
use crate::chat::session::{Session, Waiter, unavailable};
use crate::model::{Body, Entry, MemberChange, RoomId, Seq};
use crate::protocol::encoded::Segment;
use crate::protocol::{Answer, Code, Response};
use crate::store::{Origin, Outcome, Settled};

/// How much of all rooms' tails together is kept in memory, in bytes: the newest entries of the server. Enough for the
/// readers that are a few commits behind; whoever is further behind reads the log.
const TAIL_BYTES: usize = 4 * 1024 * 1024;

/// Publishes what was committed. Has to be run as long as the chat lives.
pub struct Publisher {
    chat: Arc<Chat>,
    settled: mpsc::Receiver<Vec<Settled>>,
    /// The segments in all tails, oldest first: the room, the last entry, and what it costs.
    kept: VecDeque<(Arc<Room>, Seq, usize)>,
    kept_bytes: usize,
    /// Where in `rooms` a room's part of the batch is.
    places: HashMap<RoomId, usize>,
}

/// What a batch holds for one room, in order.
struct Part {
    room: Arc<Room>,
    entries: Vec<Entry>,
    /// The highest number that was told to anybody.
    head: Seq,
    /// Somebody's membership has changed, or a change failed.
    changed: bool,
}

/// Who asked for what a batch holds, to be told when it can be seen.
#[derive(Default)]
struct Told {
    posters: Vec<Arc<Session>>,
    callers: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

impl Publisher {
    pub(super) fn new(chat: Arc<Chat>, settled: mpsc::Receiver<Vec<Settled>>) -> Publisher {
        Publisher { chat, settled, kept: VecDeque::new(), kept_bytes: 0, places: HashMap::new() }
    }

    /// Publishes until the store is closed.
    ///
    /// # Cancel safety
    /// Each batch is published in one step, without an await.
    pub async fn run(mut self) {
        while let Some(batch) = self.settled.recv().await {
            self.publish(batch);
        }
    }

    fn publish(&mut self, batch: Vec<Settled>) {
        let mut parts: Vec<Part> = Vec::new();
        let mut told = Told::default();
        self.places.clear();
        for Settled { room, origin, outcome } in batch {
            let at = match self.places.get(&room) {
                Some(at) => *at,
                None => {
                    let Some(room) = self.chat.rooms.by_id(room) else {
                        tracing::error!(room = room.0, "an entry was committed for a room that is not known");
                        continue;
                    };
                    self.places.insert(room.id, parts.len());
                    parts.push(Part { room, entries: Vec::new(), head: Seq::ZERO, changed: false });
                    parts.len() - 1
                }
            };
            self.settle(&mut parts[at], &mut told, origin, outcome);
        }
        for part in &mut parts {
            self.show(part);
        }
        // Only now, so that each session finds everything that this commit brought and sends it with one write.
        for part in &parts {
            for follower in &part.room.live().followers {
                follower.session.rouse();
            }
        }
        for part in &parts {
            if part.changed {
                part.room.note_change();
            }
        }
        for poster in told.posters {
            poster.published();
        }
        for (caller, outcome) in told.callers {
            // Nobody minds if the caller is gone.
            let _ = caller.send(outcome);
        }
    }

    /// Tells whoever asked for it what became of an append. The head has not moved yet.
    fn settle(&self, part: &mut Part, told: &mut Told, origin: Origin, outcome: Outcome) {
        let room = &part.room;
        let (answer, seq): (Answer, Option<Seq>) = match &outcome {
            Outcome::Appended(entry) => {
                let (seq, time) = (entry.seq, entry.time);
                (Ok(Response::Posted { room: room.name.clone(), seq, time, duplicate: false }), Some(seq))
            }
            Outcome::Duplicate { seq, time } => {
                let (seq, time) = (*seq, *time);
                (Ok(Response::Posted { room: room.name.clone(), seq, time, duplicate: true }), Some(seq))
            }
            Outcome::Unmet(_) => (Err(Code::NoSuchMessage.into()), None),
            Outcome::Failed { generation, error } => {
                room.ledger().failed(*generation);
                (Err(unavailable(error)), None)
            }
        };
        if let Some(seq) = seq {
            part.head = part.head.max(seq);
            // Whoever reads the answer may ask for what is behind it before the head has come there.
            room.tell(seq);
        }
        if let Outcome::Appended(Entry { body: Body::Member { .. }, .. }) = &outcome {
            room.ledger().committed();
            part.changed = true;
        }
        part.changed |= matches!(outcome, Outcome::Failed { .. });
        match origin.downcast::<Waiter>().map(|waiter| *waiter) {
            Ok(Waiter::Slot(session, ticket)) => {
                session.settle(ticket, answer, seq.map(|seq| (room.id, seq)));
                if matches!(outcome, Outcome::Duplicate { .. })
                    && let Some(person) = session.person()
                {
                    // A repeat is free.
                    person.floods().talk.give_back(self.chat.talk_rate());
                }
                // Runs of one poster are common; who is woken twice only finds nothing the second time.
                if told.posters.last().is_none_or(|last| !Arc::ptr_eq(last, &session)) {
                    told.posters.push(session);
                }
                if let Outcome::Appended(entry) = outcome {
                    part.entries.push(entry);
                }
            }
            Ok(Waiter::Call(caller)) => {
                if let Outcome::Appended(entry) = &outcome {
                    part.entries.push(entry.clone());
                }
                told.callers.push((caller, outcome));
            }
            Err(_) => tracing::error!(room = %room.name, "an entry was committed that nobody asked for"),
        }
    }

    /// Lets the room's followers see its part of the batch.
    fn show(&mut self, part: &mut Part) {
        let room = &part.room;
        for entry in &part.entries {
            if let Body::Member { user_id, change: MemberChange::Leave, .. } = &entry.body {
                // Before the head moves: nothing behind this entry is for them.
                for session in room.followed_by(*user_id) {
                    session.stop_following_at(room, entry.seq);
                }
            }
        }
        let mut live = room.live();
        if live.followers.is_empty() {
            live.tail.clear();
        } else if !part.entries.is_empty() {
            let segment = Segment::encode(&room.name, &part.entries);
            self.kept.push_back((Arc::clone(room), segment.last(), cost(&segment)));
            self.kept_bytes += live.tail.push(segment);
        }
        drop(live);
        room.advance(part.head);
        while self.kept_bytes > TAIL_BYTES
            && let Some((room, last, bytes)) = self.kept.pop_front()
        {
            room.live().tail.forget(last);
            self.kept_bytes -= bytes;
        }
    }
}
