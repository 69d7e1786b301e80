//! The listening half of a session: a cursor for each followed room, the waiting hints, and "what comes next?".
//!
//! There is no queue of messages. A session that is at the head of its rooms waits; `publish` moves a head and wakes it;
//! it then takes everything up to the head from the room's tail, or from the log where it lags.
//!
//! # Why no wake-up is lost
//! `publish` moves the head first and notifies afterwards; a session looks at the heads first and waits afterwards. Either
//! it sees the new head, or the notification comes after its look: `Notify` keeps one notification for a task that is not
//! waiting yet, so the wait ends at once and it looks again.
//!
//! # Why no cursor is half-moved
//! A cursor moves under the session's lock in the same step in which the entries are taken, and there is no await between
//! the two. What was taken is returned to the one writer task of the connection, which writes it out or ends with the
//! connection. Reading the log is the one await; it holds no lock and moves nothing: its result counts only if the cursor
//! still stands where it stood (`stamp`), else it is thrown away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::chat::outbox::Answered;
use crate::chat::room::{Follower, Room, Slice};
use crate::chat::session::{End, Form, Held, Inner, Session, Timed};
use crate::model::{Body, Entry, RoomChange, RoomName, Seq};
use crate::protocol::encoded::Segment;
use crate::protocol::{Code, Hint};
use crate::store::{Most, StoreError};

/// About how many bytes of entries are sent in one go.
const ROUND_BYTES: usize = 128 * 1024;

/// How much of the log is read in one go by a session that lags.
const MOST_READ: Most = Most { entries: 256, bytes: ROUND_BYTES };

/// How much of the log is read in one go for a session that takes entries one at a time.
const MOST_AHEAD: Most = Most { entries: 16, bytes: 32 * 1024 };

/// How many rooms a session may follow.
pub(super) const MOST_FOLLOWED: usize = 500;

/// How long to wait before reading the log again when that failed.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// A followed room: a cursor on its log.
pub(super) struct Follow {
    pub(super) room: Arc<Room>,
    /// Under which name this session knows the room, as far as it was told.
    name: RoomName,
    /// Where it was told that name: it knows no older one.
    named: Seq,
    /// It is the second side of a direct conversation that follows.
    second: bool,
    /// The last entry that was taken to be sent.
    cursor: Seq,
    /// Nothing is sent beyond this, and the room is not followed any more when this was sent.
    until: Option<Seq>,
    /// What is told then.
    farewell: Option<Hint>,
    /// Tells this cursor from one that was set anew at the same place.
    stamp: u64,
    /// Entries that were read from the log but not yet taken.
    ahead: VecDeque<Entry>,
}

/// What a session is to send next.
#[derive(Debug, Default)]
pub struct Round {
    /// Answers, in the order of their requests. They come first.
    pub answers: Vec<Answered>,
    /// Hints.
    pub hints: Vec<Hint>,
    /// Entries of the followed rooms.
    pub entries: Entries,
    /// The session has ended; this is the last round.
    pub last: bool,
}

/// Entries of followed rooms, in the form that the session wants.
#[derive(Debug)]
pub enum Entries {
    /// Encoded, in slices that are shared by all receivers.
    Encoded(Vec<Bytes>),
    /// One as a value.
    Typed(RoomName, Entry),
}

impl Default for Entries {
    fn default() -> Entries {
        Entries::Encoded(Vec::new())
    }
}

/// What there is to do.
enum Todo {
    Send(Round),
    Read { room: Arc<Room>, after: Seq, up_to: Seq, stamp: u64, form: Form },
    Wait,
}

impl Follow {
    /// Nothing is sent beyond this entry any more.
    pub(super) fn stop_at(&mut self, seq: Seq) {
        self.until = Some(self.until.map_or(seq, |until| until.min(seq)));
    }

    /// Up to where its entries may be sent now.
    fn limit(&self, inner: &crate::chat::outbox::Outbox, held: Held) -> Seq {
        if held == Held::Room(self.room.id) || held == Held::Leaving(self.room.id) {
            return self.cursor;
        }
        let head = self.room.head();
        let head = self.until.map_or(head, |until| until.min(head));
        inner.limit(self.room.id, head)
    }
}

impl Session {
    /// What is to be sent next; waits until there is something. For the one task that sends.
    ///
    /// # Cancel safety
    /// Nothing is lost: what is returned was taken in the last step.
    pub async fn next(self: &Arc<Session>) -> Round {
        loop {
            // Over before anything is waited for, so that a session at rest does not hold the place for it; and what is rare
            // and big is on the heap.
            let read = match self.todo() {
                Todo::Send(round) => {
                    if !round.answers.is_empty() {
                        self.freed.notify_one();
                    }
                    return round;
                }
                Todo::Wait => None,
                Todo::Read { room, after, up_to, stamp, form } => {
                    Some(Box::pin(self.read(room, after, up_to, stamp, form)))
                }
            };
            match read {
                None => self.wake.notified().await,
                Some(read) => {
                    if let Some(round) = read.await {
                        return round;
                    }
                }
            }
        }
    }

    /// An entry comes, and it is to be measured when it is handed on. One at a time: who lags has the first one measured.
    pub(super) fn time(&self, timed: Timed) {
        let mut inner = self.inner();
        let lags = inner.timed.as_ref().is_some_and(|earlier| earlier.room == timed.room);
        if !lags {
            inner.timed = Some(Box::new(timed));
        }
    }

    /// How many entries stand behind the cursors of the followed rooms.
    pub fn lag(&self) -> u64 {
        let inner = self.inner();
        inner.follows.iter().map(|follow| follow.room.head().0.saturating_sub(follow.cursor.0)).sum()
    }

    fn todo(self: &Arc<Session>) -> Todo {
        let mut inner = self.inner();
        let mut round = Round::default();
        let inner = &mut *inner;
        // The answers first. A head that shows an own entry was moved after the answer was queued, and this lock is held
        // from here until the heads are looked at, so the answer is among these or holds its entry back (`limit`).
        inner.outbox.take(&mut round.answers);
        round.hints = std::mem::take(&mut inner.hints);
        if matches!(inner.end, End::Gone) || matches!(inner.end, End::Curt) && inner.is_answered() {
            round.last = true;
            return Todo::Send(round);
        }
        let mut read = None;
        if !matches!(inner.end, End::Curt) && inner.held != Held::Everything {
            match inner.form {
                Form::Encoded => read = self.take_encoded(inner, &mut round),
                Form::Typed => read = self.take_typed(inner, &mut round),
            }
        }
        if !round.is_empty() {
            return Todo::Send(round);
        }
        if let Some(read) = read {
            return read;
        }
        if inner.is_answered()
            && let End::Due(last_word) = &mut inner.end
        {
            round.hints.extend(last_word.take());
            round.last = true;
            return Todo::Send(round);
        }
        Todo::Wait
    }

    /// Takes slices of the tails. Returns what to read from the log where nothing could be taken.
    fn take_encoded(self: &Arc<Session>, inner: &mut Inner, round: &mut Round) -> Option<Todo> {
        let Entries::Encoded(chunks) = &mut round.entries else { return None };
        let (mut read, mut bytes, mut ended, mut taken) = (None, 0, false, 0);
        let rooms = inner.follows.len();
        inner.turn = inner.turn.wrapping_add(1);
        for turn in 0..rooms {
            let at = inner.turn.wrapping_add(turn) % rooms;
            let limit = inner.follows[at].limit(&inner.outbox, inner.held);
            let follow = &mut inner.follows[at];
            if follow.cursor < limit && bytes < ROUND_BYTES {
                let before = chunks.len();
                let slice =
                    follow.room.live().tail_for(follow.second).slice(follow.cursor, limit, ROUND_BYTES - bytes, chunks);
                match slice {
                    Slice::Took { last } => {
                        taken += last.0 - follow.cursor.0;
                        follow.cursor = last;
                    }
                    Slice::Behind => {
                        let (room, after) = (Arc::clone(&follow.room), follow.cursor);
                        read = Some(Todo::Read { room, after, up_to: limit, stamp: follow.stamp, form: Form::Encoded });
                        // Whose turn it is does not wait until the others have nothing more: it could wait for ever.
                        if turn == 0 {
                            break;
                        }
                    }
                }
                bytes += chunks[before..].iter().map(Bytes::len).sum::<usize>();
            }
            ended |= follow.until.is_some_and(|until| follow.cursor >= until);
        }
        if taken > 0 {
            self.count_taken(inner, taken, bytes);
        }
        if ended {
            self.drop_ended(inner);
        }
        read
    }

    /// Takes one entry that was read before. Returns what to read from the log where there is none.
    fn take_typed(self: &Arc<Session>, inner: &mut Inner, round: &mut Round) -> Option<Todo> {
        let rooms = inner.follows.len();
        inner.turn = inner.turn.wrapping_add(1);
        for at in 0..rooms {
            let at = inner.turn.wrapping_add(at) % rooms;
            let limit = inner.follows[at].limit(&inner.outbox, inner.held);
            let follow = &mut inner.follows[at];
            if follow.cursor >= limit {
                continue;
            }
            let Some(entry) = follow.ahead.pop_front() else {
                let (room, after) = (Arc::clone(&follow.room), follow.cursor);
                return Some(Todo::Read { room, after, up_to: limit, stamp: follow.stamp, form: Form::Typed });
            };
            if follow.ahead.is_empty() {
                follow.ahead = VecDeque::new();
            }
            follow.cursor = entry.seq;
            if let Body::Room(RoomChange { name: Some(name), .. }) = &entry.body
                && entry.seq > follow.named
            {
                follow.name = name.clone();
            }
            round.entries = Entries::Typed(follow.name.clone(), entry);
            self.count_taken(inner, 1, 0);
            break;
        }
        if inner.follows.iter().any(|follow| follow.until.is_some_and(|until| follow.cursor >= until)) {
            self.drop_ended(inner);
        }
        None
    }

    /// So many entries were taken to be sent, of so many bytes; once for each round.
    fn count_taken(&self, inner: &mut Inner, entries: u64, bytes: usize) {
        let counters = &self.chat.counters;
        counters.deliveries.add(self.id, entries);
        counters.delivered_bytes.add(self.id, bytes as u64);
        if let Some(timed) = &inner.timed {
            let follow = inner.follows.iter().find(|follow| follow.room.id == timed.room);
            if follow.is_none_or(|follow| follow.cursor >= timed.seq) {
                if follow.is_some() {
                    counters.delivery.observe(timed.since.elapsed());
                }
                inner.timed = None;
            }
        }
    }

    /// Rooms that were sent up to their end are not followed any more.
    fn drop_ended(self: &Arc<Session>, inner: &mut Inner) {
        let hints = &mut inner.hints;
        inner.follows.retain_mut(|follow| {
            let ended = follow.until.is_some_and(|until| follow.cursor >= until);
            if ended {
                follow.room.unfollow(self);
                // Behind the entries that are taken in this round: hints are sent before the entries of a round.
                hints.extend(follow.farewell.take());
            }
            !ended
        });
        if !hints.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Reads the log for a cursor that is not in the tail.
    async fn read(
        self: &Arc<Session>,
        room: Arc<Room>,
        after: Seq,
        up_to: Seq,
        stamp: u64,
        form: Form,
    ) -> Option<Round> {
        let most = if form == Form::Typed { MOST_AHEAD } else { MOST_READ };
        let entries = match self.chat.store.entries(room.id, after, up_to, most).await {
            Ok(entries) => entries,
            Err(error) => {
                if matches!(error, StoreError::Closed) {
                    self.finish_curtly();
                } else {
                    tracing::warn!(room = %room.name(), seq = %after, %error, "cannot read the log for a session that lags");
                    // Answers do not wait for that.
                    let _ = tokio::time::timeout(READ_AGAIN, self.wake.notified()).await;
                }
                return None;
            }
        };
        // Of a room that was deleted there may be only a part: then there is nothing more to come than its end.
        let torn = entries.first().is_some_and(|first| first.seq != after.next()) && room.ledger().state.gone;
        let mut inner = self.inner();
        let follow = inner.follows.iter_mut().find(|follow| follow.room.id == room.id && follow.stamp == stamp)?;
        if follow.cursor != after {
            return None;
        }
        let Some(last) = entries.last().map(|entry| entry.seq).filter(|_| !torn) else {
            // The log has nothing there any more: the cursor stands before what is kept.
            follow.cursor = up_to;
            return None;
        };
        match form {
            Form::Typed => {
                follow.ahead = entries.into();
                None
            }
            Form::Encoded => {
                follow.cursor = last;
                let segment = Segment::encode(&follow.name, follow.named, &entries);
                follow.name = segment.room_after().clone();
                let chunks = vec![segment.slice(entries[0].seq.before(), last)];
                self.count_taken(&mut inner, entries.len() as u64, chunks[0].len());
                Some(Round { entries: Entries::Encoded(chunks), ..Round::default() })
            }
        }
    }

    /// Follows a room from behind `cursor(head)`, or moves the cursor of one that is followed; `None` leaves a cursor that
    /// there is where it is. Returns the head at that moment: what comes later is sent, once the request that asked for
    /// it was answered.
    ///
    /// # Errors
    /// `not_logged_in`; or `forbidden` where too many rooms are followed.
    pub(super) fn follow(
        self: &Arc<Session>,
        room: &Arc<Room>,
        start: impl FnOnce(Seq) -> Option<Seq>,
    ) -> Result<Seq, Code> {
        let mut inner = self.inner();
        let user = inner.person.as_ref().ok_or(Code::NotLoggedIn)?.user.id;
        if inner.follows.len() >= MOST_FOLLOWED && !inner.follows.iter().any(|follow| follow.room.id == room.id) {
            return Err(Code::Forbidden);
        }
        let inner = &mut *inner;
        inner.held = Held::Everything;
        // Its cursor may be set: what was on its way comes by another one.
        inner.timed = None;
        // The head is read under the lock of the followers: whoever moves it later finds this session among them.
        let mut live = room.live();
        let head = room.told_head();
        let known = inner.follows.iter_mut().find(|follow| follow.room.id == room.id);
        let cursor = start(head);
        match known {
            Some(follow) => {
                // One that was about to end is over: what came since is not for who comes again.
                let cursor = cursor.or(follow.until.is_some().then_some(head));
                (follow.until, follow.farewell) = (None, None);
                (follow.name, follow.named) = (room.name_for(user), head);
                if let Some(cursor) = cursor {
                    follow.cursor = cursor;
                    follow.stamp += 1;
                    follow.ahead = VecDeque::new();
                }
            }
            None => {
                inner.follows.reserve_exact(1);
                let cursor = cursor.unwrap_or(head);
                let stamp = self.chat.stamp();
                inner.follows.push(Follow {
                    room: Arc::clone(room),
                    name: room.name_for(user),
                    named: head,
                    second: room.is_second_side(user),
                    cursor,
                    until: None,
                    farewell: None,
                    stamp,
                    ahead: VecDeque::new(),
                });
            }
        }
        if !live.followers.iter().any(|follower| Arc::ptr_eq(&follower.session, self)) {
            live.followers.push(Follower { session: Arc::clone(self), user });
        }
        Ok(head)
    }

    /// Whether one more room may be followed, or this one is.
    pub(super) fn may_follow(&self, room: &Room) -> bool {
        let inner = self.inner();
        inner.follows.len() < MOST_FOLLOWED || inner.follows.iter().any(|follow| follow.room.id == room.id)
    }

    /// Whether a room is followed.
    pub(super) fn follows(&self, room: &Room) -> bool {
        self.inner().follows.iter().any(|follow| follow.room.id == room.id)
    }

    /// Whoever is logged in here was put out of a room: nothing of it is sent beyond that entry, and then it is told so.
    /// Not where it has just asked for that itself: then the answer tells it.
    pub(super) fn put_out(&self, room: &Room, seq: Seq, farewell: Hint) {
        let mut inner = self.inner();
        let asked = inner.held == Held::Leaving(room.id);
        match inner.follows.iter_mut().find(|follow| follow.room.id == room.id) {
            Some(follow) => {
                follow.stop_at(seq);
                follow.farewell = (!asked).then_some(farewell);
                drop(inner);
                self.wake.notify_one();
            }
            None => {
                drop(inner);
                if !asked {
                    self.hint(farewell);
                }
            }
        }
    }

    /// Sends nothing of a room until the request under way was answered.
    pub(super) fn hold(&self, room: &Room) {
        self.inner().held = Held::Room(room.id);
    }

    /// The same, where the request is to be out of the room: its answer tells all that there is to tell.
    pub(super) fn hold_to_leave(&self, room: &Room) {
        self.inner().held = Held::Leaving(room.id);
    }

    /// Sends nothing of a room any more.
    pub(super) fn stop_following(self: &Arc<Session>, room: &Room) {
        self.inner().follows.retain(|follow| follow.room.id != room.id);
        room.unfollow(self);
    }
}

impl Inner {
    /// Whether nothing that was asked waits for its answer.
    fn is_answered(&self) -> bool {
        self.outbox.is_empty() && !self.asking
    }
}

impl Round {
    fn is_empty(&self) -> bool {
        let entries = match &self.entries {
            Entries::Encoded(chunks) => chunks.len(),
            Entries::Typed(..) => 1,
        };
        self.answers.is_empty() && self.hints.is_empty() && entries == 0
    }
}

#[cfg(test)]
mod tests;
