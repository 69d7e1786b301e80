//! The asking half of a session: requests in, answers out in their order, up to 64 of them waiting for their commit.
//!
//! A session has no socket: whoever owns one calls [`Session::ask`] for what arrives and sends what [`Session::next`]
//! gives. Both may run at the same time, in two tasks; they meet in one short lock.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::chat::flood::Bucket;
use crate::chat::floods::Floods;
use crate::chat::follow::Follow;
use crate::chat::online::Person;
use crate::chat::outbox::{Answered, MOST_WAITING, Outbox, Ticket};
use crate::chat::requests;
use crate::chat::service::Chat;
use crate::chat::throttle;
use crate::model::{Fingerprint, Line, RoomId, Seq, Text, Time, UserId};
use crate::protocol::{Answer, Ask, Code, Hint, Refusal};
use crate::store::{Outcome, Unmet};

/// One conversation: who is logged in, what waits to be answered, and a cursor for each followed room.
pub struct Session {
    /// Names it to its owner: no other session of this run has that number.
    pub(super) id: u64,
    pub(super) chat: Arc<Chat>,
    pub(super) origin: Origin,
    pub(super) inner: Mutex<Inner>,
    /// There may be something to send.
    pub(super) wake: Notify,
    /// There may be room for another request, or every request may have its answer.
    pub(super) freed: Notify,
    logged_in: AtomicBool,
}

/// Where a session comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a network address, which counts for limits.
    Address(IpAddr),
    /// From this machine, without an address.
    Local,
    /// From the program that the server lives in, which may come in as a guest even where guests may not.
    Host,
    /// From whoever runs the server, over the control socket or from the program that it lives in.
    Control,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Address(address) => address.fmt(f),
            Origin::Local => f.write_str("local"),
            Origin::Host => f.write_str("host"),
            Origin::Control => f.write_str("control"),
        }
    }
}

pub(super) struct Inner {
    pub(super) person: Option<Arc<Person>>,
    pub(super) outbox: Outbox,
    pub(super) follows: Vec<Follow>,
    pub(super) hints: Vec<Hint>,
    pub(super) form: Form,
    pub(super) end: End,
    /// A request is under way that has no slot yet: the session does not end before it was answered.
    pub(super) asking: bool,
    /// What is not sent until the request under way was answered: the answer comes first.
    pub(super) held: Held,
    /// Who looks at what is sent, also when the peer has said that it sends nothing more.
    viewer: Option<UserId>,
    /// What whoever was logged in last has left of what it may send.
    floods: Option<Arc<Mutex<Floods>>>,
    /// What the peer calls itself.
    pub(super) client: Option<Line>,
    /// Since when somebody is logged in.
    pub(super) since: Time,
    /// What the peer's certificate is, if it has shown one; and its key, of course.
    certificate: Option<Box<Fingerprint>>,
    /// By which token or certificate; a password, or nothing, is no token.
    pub(super) token: Option<Box<UsedToken>>,
    /// Requests that came too late to be done.
    refused: usize,
    /// Which followed room is served first next time.
    pub(super) turn: usize,
    /// An entry that is on its way here, if it is one of those that are measured.
    pub(super) timed: Option<Box<Timed>>,
    /// What may be asked before login.
    flood: Bucket,
}

/// The token or certificate of an account by which a session was logged in.
#[derive(Clone, Debug)]
pub(super) struct UsedToken {
    pub(super) id: u64,
    pub(super) label: Line,
}

/// An entry whose way is measured.
pub(super) struct Timed {
    pub(super) room: RoomId,
    pub(super) seq: Seq,
    /// When it was accepted.
    pub(super) since: Instant,
}

/// What is not sent for the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    /// The entries of one room.
    Room(RoomId),
    /// The entries of a room that this session asked to be out of.
    Leaving(RoomId),
    /// All entries.
    Everything,
}

/// In which form a session wants the entries of its rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As they were encoded once for all receivers.
    #[default]
    Encoded,
    /// As values, one at a time, to be encoded for this session alone.
    Typed,
}

/// How far a session's end has come.
#[derive(Debug, Default)]
pub(super) enum End {
    /// It goes on.
    #[default]
    Open,
    /// It takes no more requests, sends what is due, then the last word, and ends.
    Due(Option<Hint>),
    /// It takes no more requests, sends the answers that are due and nothing else, and ends.
    Curt,
    /// Nobody is there any more.
    Gone,
}

/// Whether the asker may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next request is welcome.
    Ask,
    /// No more requests are taken.
    Stop,
}

/// What came of asking.
pub enum Asking {
    /// It is done; the answer comes, or will come, out of [`Session::next`].
    Done(Next),
    /// It has to wait for something.
    Later(Pin<Box<dyn Future<Output = Next> + Send>>),
}

/// Who waits for a posting. Travels through the store as [`crate::store::Origin`].
pub(super) enum Waiter {
    /// A session, which goes on meanwhile; and since when it waits.
    Slot(Arc<Session>, Ticket, Posting, Instant),
    /// A request that goes on only then.
    Call(oneshot::Sender<Outcome>),
    /// It is a consequence of something else that somebody waits for.
    Nobody,
}

/// What was posted, as far as its answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posting {
    /// A message.
    Message,
    /// Something about a message, or about the room.
    Change,
}

impl Posting {
    /// What it is called when the log says that it may not be.
    pub(super) fn refusal(self, unmet: Unmet) -> Refusal {
        match (unmet, self) {
            (Unmet::NoTarget, Posting::Message) => Refusal::from(Code::NoSuchMessage).about("reply_to"),
            (Unmet::NoTarget, Posting::Change) => Refusal::from(Code::NoSuchMessage).about("target"),
            (Unmet::NotYours, _) => Code::Forbidden.into(),
            (Unmet::Full, _) => Refusal::from(Code::Forbidden).about("emoji"),
        }
    }
}

impl Session {
    pub(super) fn new(chat: Arc<Chat>, origin: Origin) -> Session {
        // It is known who comes in there.
        let person = (origin == Origin::Control).then(|| Arc::new(Person::operator()));
        let logged_in = AtomicBool::new(person.is_some());
        Session {
            id: chat.next_session(),
            chat,
            origin,
            inner: Mutex::new(Inner {
                person,
                outbox: Outbox::default(),
                follows: Vec::new(),
                hints: Vec::new(),
                form: Form::Encoded,
                end: End::Open,
                asking: false,
                held: Held::Nothing,
                viewer: None,
                floods: None,
                client: None,
                since: Time(0),
                certificate: None,
                token: None,
                refused: 0,
                turn: 0,
                timed: None,
                flood: Bucket::default(),
            }),
            wake: Notify::new(),
            freed: Notify::new(),
            logged_in,
        }
    }

    /// Chooses the form of entries. Before the first request.
    pub fn set_form(&self, form: Form) {
        self.inner().form = form;
    }

    /// The peer has proved that this certificate is its own. Before the first request.
    pub fn set_certificate(&self, fingerprint: Fingerprint) {
        self.inner().certificate = Some(Box::new(fingerprint));
    }

    pub(super) fn certificate(&self) -> Option<Fingerprint> {
        self.inner().certificate.as_deref().copied()
    }

    pub(super) fn form(&self) -> Form {
        self.inner().form
    }

    /// The peer says what it is.
    pub(super) fn set_client(&self, client: Line) {
        self.inner().client = Some(client);
    }

    /// Whether somebody is logged in.
    pub fn is_logged_in(&self) -> bool {
        self.logged_in.load(Ordering::Acquire)
    }

    /// Who looks at what is sent.
    pub fn viewer(&self) -> Option<UserId> {
        self.inner().viewer
    }

    /// Takes a request. The next one may be given when this one's future, if there is one, has ended.
    ///
    /// # Cancel safety
    /// The future must be driven to its end: a request that was given up halfway has no answer, and those behind it have
    /// to wait for one.
    pub fn ask(self: &Arc<Session>, ask: Ask) -> Asking {
        let has_room = {
            let mut inner = self.inner();
            if !matches!(inner.end, End::Open) {
                return Asking::Done(inner.refuse(ask.tag));
            }
            inner.asking = true;
            inner.outbox.has_room()
        };
        if has_room {
            return requests::handle(self, ask);
        }
        let session = Arc::clone(self);
        Asking::Later(Box::pin(async move {
            if session.wait_for(|inner| inner.outbox.has_room()).await == Next::Stop {
                return Next::Stop;
            }
            match requests::handle(&session, ask) {
                Asking::Done(next) => next,
                Asking::Later(future) => future.await,
            }
        }))
    }

    /// Says that something was wrong with the input, in its order.
    pub fn fault(&self, refusal: Refusal) {
        self.inner().outbox.push(Answered::Fault(refusal));
        self.wake.notify_one();
    }

    /// The peer sends nothing more, but may still want what is due to it: the answers, and what the followed rooms hold
    /// up to this moment. The name is free at once.
    pub async fn hang_up(self: &Arc<Session>) {
        self.wait_for(|inner| inner.outbox.is_settled()).await;
        self.leave();
        let mut inner = self.inner();
        for follow in &mut inner.follows {
            follow.stop_at(follow.room.head());
        }
        if matches!(inner.end, End::Open) {
            inner.end = End::Due(None);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Ends the session: what is due is sent first, then the last word.
    pub fn finish(&self, last_word: Option<Hint>) {
        let mut inner = self.inner();
        if matches!(inner.end, End::Open | End::Due(None)) {
            inner.end = End::Due(last_word);
        }
        // What comes later is for others, else a busy room could keep the session for ever.
        for follow in &mut inner.follows {
            follow.stop_at(follow.room.head());
        }
        drop(inner);
        self.wake.notify_one();
        self.freed.notify_one();
    }

    /// Ends the session: the answers that are due are sent, but nothing of its rooms.
    pub fn finish_curtly(&self) {
        let mut inner = self.inner();
        if !matches!(inner.end, End::Gone) {
            inner.end = End::Curt;
        }
        drop(inner);
        self.wake.notify_one();
        self.freed.notify_one();
    }

    /// Whether only the answers that are due are still to be sent.
    pub fn is_ending_curtly(&self) -> bool {
        matches!(self.inner().end, End::Curt | End::Gone)
    }

    /// Ends the session because somebody decided so: whoever is logged in is not any more, at once, and is told why.
    pub(super) fn expel(self: &Arc<Session>, farewell: &Farewell) {
        if let Some(said) = &farewell.said {
            self.hint(Hint::Notice { text: said.clone() });
        }
        self.finish(Some(Hint::Shutdown { reason: farewell.reason, retry_after: RETRY_AFTER }));
        // It still counts as logged in: the time for logging in does not begin again.
        let person = self.inner().person.take();
        if let Some(person) = person {
            self.chat.depart(&person, self);
        }
        self.unfollow_all();
    }

    /// The peer is gone: nothing is due any more.
    pub fn close(self: &Arc<Session>) {
        let mut inner = self.inner();
        // In one step: whoever is about to log in here finds out that nobody is there any more.
        inner.end = End::Gone;
        let person = inner.person.take();
        let follows = std::mem::take(&mut inner.follows);
        inner.outbox = Outbox::default();
        inner.hints = Vec::new();
        drop(inner);
        self.logged_in.store(false, Ordering::Release);
        if let Some(person) = person {
            self.chat.depart(&person, self);
        }
        for follow in follows {
            follow.room.unfollow(self);
        }
        self.wake.notify_one();
        self.freed.notify_one();
    }

    /// Whoever is logged in has another session now, which this one makes room for: the name stays in use.
    pub(super) fn displace(self: &Arc<Session>) {
        self.inner().person = None;
        self.logged_in.store(false, Ordering::Release);
        self.unfollow_all();
        self.finish_curtly();
    }

    /// Who is logged in.
    pub(super) fn person(&self) -> Option<Arc<Person>> {
        self.inner().person.clone()
    }

    /// What the next guest here may send: what the last user of this connection has left, so that a new login does not
    /// fill it up.
    pub(super) fn floods(&self) -> Arc<Mutex<Floods>> {
        self.inner().floods.clone().unwrap_or_default()
    }

    /// Whether this user is logged in here.
    pub(super) fn is_of(&self, person: &Arc<Person>) -> bool {
        self.inner().person.as_ref().is_some_and(|known| Arc::ptr_eq(known, person))
    }

    /// Somebody is logged in now.
    ///
    /// # Errors
    /// The peer went away meanwhile, or was sent away, and nobody is.
    pub(super) fn set_person(&self, person: &Arc<Person>) -> Result<(), Refusal> {
        let mut inner = self.inner();
        if matches!(inner.end, End::Gone | End::Curt | End::Due(Some(_))) {
            drop(inner);
            self.chat.depart(person, self);
            return Err(Code::ShuttingDown.into());
        }
        inner.person = Some(Arc::clone(person));
        (inner.since, inner.token) = (self.chat.clock.now(), None);
        inner.viewer = Some(person.user.id);
        inner.floods = Some(person.shared_floods());
        self.logged_in.store(true, Ordering::Release);
        Ok(())
    }

    /// Notes by which token somebody is logged in.
    pub(super) fn set_token(&self, token: UsedToken) {
        self.inner().token = Some(Box::new(token));
    }

    /// Whether somebody was logged in by that token.
    pub(super) fn is_by_token(&self, id: u64) -> bool {
        self.inner().token.as_ref().is_some_and(|token| token.id == id)
    }

    /// Whoever is logged in is not any more. The followed rooms stay until they are dropped or sent.
    pub(super) fn leave(self: &Arc<Session>) -> Option<Arc<Person>> {
        let person = self.inner().person.take()?;
        self.logged_in.store(false, Ordering::Release);
        self.chat.depart(&person, self);
        Some(person)
    }

    /// Stops all rooms' events.
    pub(super) fn unfollow_all(self: &Arc<Session>) {
        let follows = std::mem::take(&mut self.inner().follows);
        for follow in follows {
            follow.room.unfollow(self);
        }
    }

    /// Who asks, as far as it is counted.
    pub(super) fn counted(&self) -> Option<throttle::Origin> {
        match self.origin {
            Origin::Address(address) => Some(throttle::Origin::of(address)),
            Origin::Local | Origin::Host | Origin::Control => None,
        }
    }

    /// Adds an answer that is known at once.
    pub(super) fn answer(&self, tag: crate::protocol::Tag, answer: Answer) {
        let mut inner = self.inner();
        (inner.held, inner.asking) = (Held::Nothing, false);
        inner.outbox.push(Answered::Request(tag, answer));
        let ready = inner.outbox.is_ready();
        drop(inner);
        if ready {
            self.wake.notify_one();
        }
    }

    /// Opens the slot of a posting, to be filled by [`Session::settle`].
    pub(super) fn open(&self, tag: crate::protocol::Tag) -> Ticket {
        let mut inner = self.inner();
        inner.asking = false;
        inner.outbox.open(tag)
    }

    /// Fills a slot, before its entry can be seen. [`Session::published`] has to follow.
    pub(super) fn settle(&self, ticket: Ticket, answer: Answer, posted: Option<(RoomId, Seq)>) {
        let mut inner = self.inner();
        inner.outbox.fill(ticket, answer, posted);
    }

    /// What the filled slots are about can be seen now.
    pub(super) fn published(&self) {
        self.inner().outbox.published();
        self.freed.notify_one();
        self.wake.notify_one();
    }

    /// There may be something to send.
    pub(super) fn rouse(&self) {
        self.wake.notify_one();
    }

    /// Tells something that is no entry. What is light may be merged with what was told before, or dropped; whoever does
    /// not even take what is not is closed.
    pub(super) fn hint(&self, hint: Hint) {
        let mut inner = self.inner();
        inner.hints.retain(|known| !hint.replaces(known));
        if inner.hints.len() >= if hint.is_light() { MOST_LIGHT_HINTS } else { MOST_HINTS } {
            let known = inner.hints.iter().position(Hint::is_light);
            match known {
                _ if hint.is_light() => return,
                Some(at) => drop(inner.hints.remove(at)),
                None => {
                    drop(inner);
                    return self.finish_curtly();
                }
            }
        }
        inner.hints.push(hint);
        drop(inner);
        self.wake.notify_one();
    }

    /// Spends one of what may be asked.
    pub(super) fn spend_other(&self, person: Option<&Person>) -> Result<(), Refusal> {
        if self.origin == Origin::Control {
            return Ok(());
        }
        let (rate, now) = (self.chat.other_rate(), Instant::now());
        let taken = match person {
            Some(person) => person.floods().other.take(rate, now),
            None => self.inner().flood.take(rate, now),
        };
        taken.map_err(Refusal::rate_limited)
    }

    /// Waits until every request so far has its answer, so that the next acts as if they were done.
    pub(super) async fn settled(&self) -> Next {
        self.wait_for(|inner| inner.outbox.is_settled()).await
    }

    /// Only the asking half waits here, and only once at a time, so one waiter to notify is enough.
    async fn wait_for(&self, mut done: impl FnMut(&Inner) -> bool) -> Next {
        loop {
            {
                let inner = self.inner();
                if matches!(inner.end, End::Gone) {
                    return Next::Stop;
                }
                if done(&inner) {
                    return Next::Ask;
                }
            }
            // A notification between the look and the wait is kept by `Notify`, so it cannot be missed.
            self.freed.notified().await;
        }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Answers a request that came too late; only so many, so that nobody can put the end off by asking on.
    fn refuse(&mut self, tag: crate::protocol::Tag) -> Next {
        self.refused += 1;
        if !matches!(self.end, End::Due(Some(_))) || self.refused > MOST_WAITING {
            return Next::Stop;
        }
        // Whoever was put out is logged in no more; where the server stops everybody still is.
        let was_put_out = self.person.is_none() && self.viewer.is_some();
        let code = if was_put_out { Code::NotLoggedIn } else { Code::ShuttingDown };
        self.outbox.push(Answered::Request(tag, Err(code.into())));
        Next::Ask
    }
}

/// What a session hears last when somebody ends it.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    /// Why, as the server puts it.
    pub(super) reason: &'static str,
    /// What the one who ends it has to say about that.
    pub(super) said: Option<Text>,
}

impl Farewell {
    /// With nothing to say beyond the reason.
    pub(super) fn because(reason: &'static str) -> Farewell {
        Farewell { reason, said: None }
    }

    /// The same, with what an admin has to say.
    pub(super) fn with(self, said: &Line) -> Farewell {
        Farewell { said: (!said.is_empty()).then(|| Text::trusted(said.as_str())), ..self }
    }
}

/// When a session that somebody ended may come again, if it may.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How many hints may wait for a session before light ones are dropped.
const MOST_LIGHT_HINTS: usize = 64;

/// How many hints may wait for a session that are not to be lost.
const MOST_HINTS: usize = 1024;

/// What a failed store means to whoever asked.
pub(super) fn unavailable(error: &crate::store::StoreError) -> Refusal {
    match error {
        crate::store::StoreError::Closed => Code::ShuttingDown.into(),
        _ => Code::StorageUnavailable.into(),
    }
}
