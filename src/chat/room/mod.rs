//! A room as others see it: its log's head and end, its followers, and its state.
//!
//! Two locks, never held together by anybody but [`Room::publish`](crate::chat::publish), and never across an await:
//! `ledger` decides what may be queued, `live` is what followers read. Posting takes only the first, reading only the
//! second, so that a busy reader never keeps a poster waiting.

mod change;
mod state;
mod tail;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use change::Undo;
pub(crate) use state::{Asker, Barrier, State, Target};
pub(crate) use tail::{Follower, Slice, Tail, cost};

use tokio::sync::Notify;

use crate::chat::session::Session;
use crate::model::{Body, Entry, Epoch, MemberChange, RoomId, RoomName, Seq, Time, User, UserId};
use crate::protocol::{Code, Refusal};
use crate::store::{self, Act, Append, Place, Reach, Side, StoredRoom, Write, WriteQueue};

/// A room: a named log with members.
pub(crate) struct Room {
    /// Names it for the store.
    pub(crate) id: RoomId,
    /// Changes when what a client remembers of the room is void.
    pub(crate) epoch: Epoch,
    /// The two of a direct conversation.
    pub(crate) sides: Option<[Side; 2]>,
    name: Mutex<RoomName>,
    head: AtomicU64,
    /// The highest number that anybody was told before the head had come there.
    told: AtomicU64,
    /// How many appends were queued and not published yet.
    unpublished: AtomicU64,
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
    pending: VecDeque<Undo>,
}

/// What followers read.
#[derive(Default)]
pub(crate) struct Live {
    /// The newest entries, as everybody sees them; of a direct conversation, as its first side sees them.
    pub(crate) tail: Tail,
    /// The newest entries of a direct conversation, as its second side sees them.
    pub(crate) other_tail: Tail,
    /// Whom to wake.
    pub(crate) followers: Vec<Follower>,
}

impl Live {
    /// The newest entries as a user sees them.
    pub(crate) fn tail_for(&self, second: bool) -> &Tail {
        if second { &self.other_tail } else { &self.tail }
    }

    /// Forgets the newest entries.
    pub(crate) fn clear_tails(&mut self) {
        self.tail.clear();
        self.other_tail.clear();
    }
}

/// Something that somebody wants to put into a room's log.
pub(crate) struct Draft<'a> {
    /// Who.
    pub(crate) author: &'a User,
    /// When.
    pub(crate) time: Time,
    /// What.
    pub(crate) body: Body,
    /// Whether the user whom a change of membership is about is online.
    pub(crate) online: bool,
    /// Makes it safe to repeat.
    pub(crate) nonce: Option<Box<str>>,
    /// The folded names that it calls with `@`.
    pub(crate) mentions: Vec<String>,
    /// What is to be remembered of it when the log is forgotten.
    pub(crate) act: Option<Box<Act>>,
    /// Who wants to know what became of it.
    pub(crate) origin: store::Origin,
}

impl<'a> Draft<'a> {
    /// Something that is said without a nonce, calls nobody, and need not be remembered elsewhere.
    pub(crate) fn new(author: &'a User, time: Time, body: Body, origin: store::Origin) -> Draft<'a> {
        Draft { author, time, body, online: false, nonce: None, mentions: Vec::new(), act: None, origin }
    }
}

impl Room {
    /// A room as it was stored.
    pub(crate) fn new(mut stored: StoredRoom) -> Room {
        let state = State::new(&mut stored);
        Room {
            id: stored.id,
            name: Mutex::new(stored.name),
            epoch: stored.epoch,
            sides: stored.sides,
            head: AtomicU64::new(stored.head.0),
            told: AtomicU64::default(),
            unpublished: AtomicU64::default(),
            changed: Notify::new(),
            ledger: Mutex::new(Ledger { state, generation: 0, pending: VecDeque::new() }),
            live: Mutex::default(),
        }
    }

    /// Names it for people. (For the two of a direct conversation see [`Room::name_for`].)
    pub(crate) fn name(&self) -> RoomName {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives it another name. Only the registry does that.
    pub(crate) fn rename(&self, name: RoomName) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Its name as somebody sees it: a direct conversation is called after the other.
    pub(crate) fn name_for(&self, user: UserId) -> RoomName {
        match self.peer_of(user) {
            Some(peer) => RoomName::direct(&peer.name),
            None => self.name(),
        }
    }

    /// Whether it is a direct conversation.
    pub(crate) fn is_direct(&self) -> bool {
        self.sides.is_some()
    }

    /// Whether somebody is the second side of a direct conversation.
    pub(crate) fn is_second_side(&self, user: UserId) -> bool {
        self.sides.as_ref().is_some_and(|[_, other]| other.user == user)
    }

    /// The other one of a direct conversation.
    pub(crate) fn peer_of(&self, user: UserId) -> Option<&Side> {
        let [one, other] = self.sides.as_ref()?;
        Some(if one.user == user { other } else { one })
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

    /// So many appends were published, whatever became of them.
    pub(crate) fn note_published(&self, count: u64) {
        if self.unpublished.fetch_sub(count, Ordering::AcqRel) == count && self.ledger().state.gone {
            self.changed.notify_waiters();
        }
    }

    /// Waits until everything that was queued is published. Of a room that is gone: of another one more may come.
    pub(crate) async fn published(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.unpublished.load(Ordering::Acquire) == 0 {
                return;
            }
            changed.await;
        }
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
    /// is checked against. `check` is asked first, about the state; it says whether messages of others may be deleted.
    ///
    /// # Errors
    /// Why it may not be, or that nothing can be stored.
    pub(crate) fn post(
        &self,
        queue: &WriteQueue,
        place: Place,
        draft: Draft<'_>,
        check: impl FnOnce(&State) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        let mut ledger = self.ledger();
        if ledger.state.gone {
            return Err(Code::NoSuchRoom.into());
        }
        let others = check(&ledger.state)?;
        let reach = Reach { first: ledger.state.reach_of(draft.author.id, others), others };
        ledger.push((self.id, &self.unpublished), queue, place, draft, reach)
    }

    /// The account that has to be made owner before this one leaves, if it is the last one.
    pub(crate) fn successor(&self, leaving: UserId) -> Option<UserId> {
        self.ledger().state.successor(leaving)
    }

    /// Puts somebody out, or lets somebody leave, who may be the last owner: then the next in line is made owner first, in
    /// the same step. False where somebody else is next in line by now than the one in `heir`.
    ///
    /// # Errors
    /// Why it may not be, or that nothing can be stored.
    pub(crate) fn post_with_heir(
        &self,
        queue: &WriteQueue,
        heir: Option<(UserId, Place, Draft<'_>)>,
        leaving: UserId,
        place: Place,
        draft: Draft<'_>,
        check: impl FnOnce(&State) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        let mut ledger = self.ledger();
        if ledger.state.gone {
            return Err(Code::NoSuchRoom.into());
        }
        check(&ledger.state)?;
        if ledger.state.successor(leaving) != heir.as_ref().map(|(heir, ..)| *heir) {
            return Ok(false);
        }
        let reach = Reach { first: Seq::ZERO, others: false };
        if let Some((_, place, draft)) = heir {
            ledger.push((self.id, &self.unpublished), queue, place, draft, reach)?;
        }
        ledger.push((self.id, &self.unpublished), queue, place, draft, reach).map(|()| true)
    }
}

/// Whether an entry changes the state, so that the state has to be told what became of it.
pub(crate) fn changes_state(body: &Body) -> bool {
    matches!(body, Body::Member { .. } | Body::Topic { .. } | Body::Room(_))
}

impl Ledger {
    fn push(
        &mut self,
        (room, unpublished): (RoomId, &AtomicU64),
        queue: &WriteQueue,
        place: Place,
        draft: Draft<'_>,
        reach: Reach,
    ) -> Result<(), Refusal> {
        let undo = self.state.apply(draft.author.id, draft.time, &draft.body, draft.online);
        let append = Append {
            room,
            generation: self.generation,
            time: draft.time,
            author: draft.author.id,
            from: draft.author.name.shared(),
            body: draft.body,
            nonce: draft.nonce,
            reach,
            mentions: draft.mentions.into(),
            act: draft.act,
            origin: draft.origin,
        };
        unpublished.fetch_add(1, Ordering::AcqRel);
        if queue.push(place, Write::Append(append)).is_err() {
            unpublished.fetch_sub(1, Ordering::AcqRel);
            if let Some(undo) = undo {
                self.state.undo(undo);
            }
            return Err(Code::ShuttingDown.into());
        }
        self.pending.extend(undo);
        Ok(())
    }

    /// An entry that changes the state was committed: it cannot be taken back any more.
    pub(crate) fn committed(&mut self, entry: &Entry) {
        if let Body::Member { user_id, change: MemberChange::Join, .. } = &entry.body {
            self.state.joined(*user_id, entry.seq);
            for undo in self.pending.iter_mut().skip(1) {
                undo.joined(*user_id, entry.seq);
            }
        }
        self.pending.pop_front();
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
    }

    /// An append failed: everything that was checked against it fails too, so the state goes back to what is committed.
    ///
    /// Returns whose membership is as it was before: they may have come or gone meanwhile.
    pub(crate) fn failed(&mut self, generation: u64) -> Vec<UserId> {
        let mut users = Vec::new();
        if generation > self.generation {
            self.generation = generation;
            while let Some(undo) = self.pending.pop_back() {
                users.extend(undo.user());
                self.state.undo(undo);
            }
        }
        users
    }
}
