//! A room as others see it: its log's head and end, its followers, and its state.
//!
//! Two locks, never held together by anybody but [`Room::publish`](crate::chat::publish), and never across an await:
//! `ledger` decides what may be queued, `live` is what followers read. Posting takes only the first, reading only the
//! second, so that a busy reader never keeps a poster waiting.

mod state;
mod tail;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use state::State;
pub(crate) use tail::{Follower, Slice, Tail, cost};

use tokio::sync::Notify;

use crate::chat::session::Session;
use crate::model::{Body, Epoch, RoomId, RoomName, Seq, Time, User, UserId};
use crate::protocol::{Code, Refusal};
use crate::store::{self, Append, Place, Reach, StoredRoom, Write, WriteQueue};

/// A room: a named log with members.
pub(crate) struct Room {
    /// Names it for the store.
    pub(crate) id: RoomId,
    /// Names it for people.
    pub(crate) name: RoomName,
    /// Changes when what a client remembers of the room is void.
    pub(crate) epoch: Epoch,
    head: AtomicU64,
    /// The highest number that anybody was told before the head had come there.
    told: AtomicU64,
    /// A change of the state was committed, or taken back.
    changed: Notify,
    ledger: Mutex<Ledger>,
    live: Mutex<Live>,
}

/// The state, as everything that was queued will leave it, and how to take back what is not committed yet.
pub(crate) struct Ledger {
    /// The rules, as they will hold for what is queued next.
    pub(crate) state: State,
    /// Which run of successes this state stands on; see promise 5 of [`store::Store`].
    generation: u64,
    /// A change that waits for its commit, oldest first.
    pending: VecDeque<state::Undo>,
}

/// What followers read.
#[derive(Default)]
pub(crate) struct Live {
    /// The newest entries.
    pub(crate) tail: Tail,
    /// Whom to wake.
    pub(crate) followers: Vec<Follower>,
}

/// Something that somebody wants to put into a room's log.
pub(crate) struct Draft<'a> {
    /// Who.
    pub(crate) author: &'a User,
    /// When.
    pub(crate) time: Time,
    /// What.
    pub(crate) body: Body,
    /// Makes it safe to repeat.
    pub(crate) nonce: Option<Box<str>>,
    /// Who wants to know what became of it.
    pub(crate) origin: store::Origin,
}

impl Room {
    /// A room as it was stored.
    pub(crate) fn new(stored: StoredRoom) -> Room {
        let state = State::new(stored.settings, stored.first, stored.members.into_iter());
        Room {
            id: stored.id,
            name: stored.name,
            epoch: stored.epoch,
            head: AtomicU64::new(stored.head.0),
            told: AtomicU64::default(),
            changed: Notify::new(),
            ledger: Mutex::new(Ledger { state, generation: 0, pending: VecDeque::new() }),
            live: Mutex::default(),
        }
    }

    /// The last entry that anybody may see.
    pub(crate) fn head(&self) -> Seq {
        Seq(self.head.load(Ordering::Acquire))
    }

    /// Lets everybody see the log up to here. Only `publish` does that; a head never goes back.
    pub(crate) fn advance(&self, head: Seq) {
        self.head.fetch_max(head.0, Ordering::AcqRel);
    }

    /// The head as it is told to people. What was read from the store may be a little ahead of the head, for it was
    /// committed a moment ago, or its commit only seemed to fail; a number that one was told holds for all.
    pub(crate) fn told_head(&self) -> Seq {
        self.head().max(Seq(self.told.load(Ordering::Acquire)))
    }

    /// Somebody is told of the entry with this number, which was read from the store.
    pub(crate) fn tell(&self, seq: Seq) {
        if seq > self.head() {
            self.told.fetch_max(seq.0, Ordering::AcqRel);
        }
    }

    /// Waits until no change of this user's membership waits for its commit.
    pub(crate) async fn settled(&self, user: UserId) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if !self.ledger().pending.iter().any(|undo| undo.is_of(user)) {
                return;
            }
            changed.await;
        }
    }

    /// A change of the state was committed, or taken back, and can be seen.
    pub(crate) fn note_change(&self) {
        self.changed.notify_waiters();
    }

    /// The state, to ask or change it.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What followers read.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session does not follow this room any more.
    pub(crate) fn unfollow(&self, session: &Arc<Session>) {
        let mut live = self.live();
        live.followers.retain(|follower| !Arc::ptr_eq(&follower.session, session));
        if live.followers.is_empty() {
            live.followers = Vec::new();
        }
    }

    /// Sessions of a user that follow this room.
    pub(crate) fn followed_by(&self, user: UserId) -> Vec<Arc<Session>> {
        let live = self.live();
        live.followers.iter().filter(|follower| follower.user == user).map(|f| Arc::clone(&f.session)).collect()
    }

    /// Checks a draft and takes its place in the queue, both under the room's lock: what was queued before it is what it
    /// is checked against. `check` is asked first, about the state.
    ///
    /// # Errors
    /// Why it may not be, or that nothing can be stored.
    pub(crate) fn post(
        &self,
        queue: &WriteQueue,
        place: Place,
        draft: Draft<'_>,
        check: impl FnOnce(&State) -> Result<(), Code>,
    ) -> Result<(), Refusal> {
        let mut ledger = self.ledger();
        check(&ledger.state)?;
        let undo = ledger.state.apply(&draft.body, true);
        let append = Append {
            room: self.id,
            generation: ledger.generation,
            time: draft.time,
            author: draft.author.id,
            from: draft.author.name.shared(),
            body: draft.body,
            nonce: draft.nonce,
            reach: Reach { first: Seq::ZERO, others: false },
            mentions: Box::default(),
            act: None,
            origin: draft.origin,
        };
        if queue.push(place, Write::Append(append)).is_err() {
            if let Some(undo) = undo {
                ledger.state.undo(undo);
            }
            return Err(Code::ShuttingDown.into());
        }
        ledger.pending.extend(undo);
        Ok(())
    }
}

impl Ledger {
    /// An entry that changes the state was committed: it cannot be taken back any more.
    pub(crate) fn committed(&mut self) {
        self.pending.pop_front();
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
    }

    /// An append failed: everything that was checked against it fails too, so the state goes back to what is committed.
    pub(crate) fn failed(&mut self, generation: u64) {
        if generation > self.generation {
            self.generation = generation;
            while let Some(undo) = self.pending.pop_back() {
                self.state.undo(undo);
            }
        }
    }
}
