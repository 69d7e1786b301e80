//! Joins one connection, its dialect and its session: bytes become requests, rounds become bytes.
//!
//! The first object chooses the dialect, once and for all. What is said wrong in it, how large an object may be and how
//! long somebody may take to log in is decided here, because it needs to know of both sides: of bytes and of logins.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::chat::{Answered, Asking, Entries, Next, Session};
use crate::model::Fingerprint;
use crate::net::connection::{Closed, Flow, Outgoing, Receiver, Then, Transmitter};
use crate::net::framing::{Fault, Frame, Rules};
use crate::protocol::{Code, Dialect, Dialects, Hint, Kind, Refusal};
use crate::server::accept::Ticket;
use crate::server::connections::Place;
use crate::server::counters::{Counters, one_more};

/// How much of the input may be no JSON.
const MOST_BAD_JSON: u8 = 10;

/// What the connections of a server have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// How large an object may be.
    pub(super) max_frame_bytes: usize,
    /// How large an object may be before login.
    pub(super) max_frame_bytes_before_login: usize,
    /// How long somebody who has begun to speak may take to log in; zero switches it off.
    pub(super) login_timeout: Duration,
    /// How long somebody may take who has said nothing yet, or whose client waits for a person; zero switches it off.
    pub(super) silent_timeout: Duration,
}

impl Manners {
    /// Until when a connection that was accepted then must have shaken hands. That is part of the login; where there is no
    /// limit to that, nobody waits longer than for those who say nothing.
    pub(super) fn handshake_deadline(&self, accepted: Instant) -> Option<Instant> {
        let timeout = [self.login_timeout, self.silent_timeout].into_iter().find(|timeout| !timeout.is_zero())?;
        Some(accepted + timeout)
    }
}

/// What the two halves of a connection share.
pub(super) struct Link {
    session: Arc<Session>,
    dialects: Arc<Dialects>,
    dialect: OnceLock<Arc<dyn Dialect>>,
    /// The first byte has come.
    began: OnceLock<Instant>,
    manners: Manners,
    counters: Arc<Counters>,
    ticket: Option<Ticket>,
}

impl Link {
    pub(super) fn new(
        session: Arc<Session>,
        dialects: Arc<Dialects>,
        manners: Manners,
        ticket: Option<Ticket>,
        counters: Arc<Counters>,
    ) -> Link {
        let link =
            Link { session, dialects, dialect: OnceLock::new(), began: OnceLock::new(), manners, counters, ticket };
        if let Some(pinned) = link.dialects.pinned() {
            link.speak(|| pinned);
        }
        link
    }

    /// The other side has proved that this certificate is its own. Before anything is read.
    pub(super) fn shows(&self, certificate: Fingerprint) {
        self.session.set_certificate(certificate);
    }

    /// Whether this is a connection that nobody misses, for it has not said anything, or waits for a person to log in.
    pub(super) fn may_make_room(&self) -> bool {
        !self.session.is_logged_in() && (self.began.get().is_none() || self.is_course())
    }

    /// Closes the connection for the sake of another one.
    pub(super) fn make_room(&self) {
        self.session.fault(Code::TooManyConnections.into());
        self.session.finish_curtly();
    }

    /// The server stops: what is due is sent, and then the last word. A course client, which has no word for it, does not
    /// get the rest of its backlog at its slow pace.
    pub(super) fn say_goodbye(&self, retry_after: Duration) {
        if self.is_course() {
            self.session.finish_curtly();
        } else {
            self.session.finish(Some(Hint::Shutdown { reason: "the server is shutting down", retry_after }));
        }
    }

    /// Waits until the connection is to end. For the time in which it can neither ask nor be told anything.
    pub(super) async fn is_dismissed(&self) {
        while !self.session.next().await.last {}
    }

    /// How many entries stand behind its cursors.
    pub(super) fn lag(&self) -> u64 {
        self.session.lag()
    }

    /// Ends the connection as it stands.
    pub(super) fn cut(&self) {
        self.session.close();
    }

    /// The dialect, or the one in which faults before it are told.
    fn dialect(&self) -> Arc<dyn Dialect> {
        self.dialect.get().cloned().unwrap_or_else(|| self.dialects.undecided())
    }

    fn speak(&self, choose: impl FnOnce() -> Arc<dyn Dialect>) -> &Arc<dyn Dialect> {
        self.dialect.get_or_init(|| {
            let dialect = choose();
            if dialect.pace().is_some() {
                self.session.set_form(crate::chat::Form::Typed);
            }
            one_more(if dialect.room().is_some() { &self.counters.course } else { &self.counters.native });
            dialect
        })
    }

    fn is_course(&self) -> bool {
        self.dialect.get().is_some_and(|dialect| dialect.room().is_some())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(dialect) = self.dialect.get() {
            let counters = &self.counters;
            let sessions = if dialect.room().is_some() { &counters.course } else { &counters.native };
            sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The half that asks.
pub(super) struct Asker {
    link: Arc<Link>,
    place: Place,
    /// Since when nobody has been logged in.
    since: Instant,
    /// How much of the time for the login was spent before there could be a first byte: on the handshake.
    spent: Duration,
    bad_json: u8,
}

impl Asker {
    /// For a connection that was accepted then.
    pub(super) fn new(link: Arc<Link>, place: Place, accepted: Instant) -> Asker {
        Asker { link, place, since: accepted, spent: accepted.elapsed(), bad_json: 0 }
    }

    fn end(&self, refusal: Code) -> Flow {
        self.link.session.fault(refusal.into());
        // Without what its rooms may still have for it: the last line is what counts.
        self.link.session.finish_curtly();
        Flow::Stop
    }

    fn fault(&mut self, fault: Fault) -> Flow {
        match fault {
            Fault::TooLarge => self.end(Code::FrameTooLarge),
            // A browser, a TLS hello, a banner of another protocol: not one command of it is executed.
            Fault::BadJson if !self.link.session.is_logged_in() => self.end(Code::BadJson),
            Fault::BadJson => {
                self.link.session.fault(Code::BadJson.into());
                self.bad_json += 1;
                if self.bad_json < MOST_BAD_JSON { Flow::Continue } else { self.end(Code::TooManyErrors) }
            }
        }
    }

    /// Keeps the count of who is not logged in, and the time since when.
    fn note_login(&mut self) {
        let logged_in = self.link.session.is_logged_in();
        if self.place.set_logged_in(logged_in) && !logged_in {
            self.since = Instant::now();
        }
    }
}

impl Receiver for Asker {
    fn rules(&self) -> Rules {
        let manners = &self.link.manners;
        let max_bytes = if self.link.session.is_logged_in() {
            manners.max_frame_bytes
        } else {
            manners.max_frame_bytes_before_login
        };
        Rules { max_bytes, lenient: self.link.dialect.get().is_some_and(|dialect| dialect.is_lenient()) }
    }

    async fn receive(&mut self, frame: Frame<'_>) -> Flow {
        let asking = match frame {
            Frame::Fault(fault) => return self.fault(fault),
            Frame::Object(object) => {
                let dialect = self.link.speak(|| self.link.dialects.choose(object));
                self.link.session.ask(dialect.decode(object))
            }
        };
        let next = match asking {
            Asking::Done(next) => next,
            Asking::Later(asking) => {
                let next = asking.await;
                // Logins are among those that take their time.
                self.note_login();
                next
            }
        };
        match next {
            Next::Ask => Flow::Continue,
            Next::Stop => Flow::Stop,
        }
    }

    fn began(&mut self) {
        let now = Instant::now();
        // Of two bytes one is the first.
        let _ = self.link.began.set(now.checked_sub(self.spent).unwrap_or(now));
    }

    fn deadline(&self) -> Option<Instant> {
        if self.link.session.is_logged_in() {
            return None;
        }
        let (began, manners) = (self.link.began.get(), &self.link.manners);
        let (start, timeout) = match began {
            Some(began) if !self.link.is_course() => (self.since.max(*began), manners.login_timeout),
            _ => (self.since, manners.silent_timeout),
        };
        (!timeout.is_zero()).then(|| start + timeout)
    }

    fn expired(&mut self) -> Flow {
        if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            self.end(Code::LoginTimeout)
        } else {
            Flow::Continue
        }
    }

    async fn ended(&mut self) {
        let session = Arc::clone(&self.link.session);
        Box::pin(async move { session.hang_up().await }).await;
        self.note_login();
    }

    fn broken(&mut self) {
        self.link.session.close();
    }
}

/// The half that tells.
pub(super) struct Teller {
    link: Arc<Link>,
    /// Objects that go out one by one, for clients that cannot bear two at once.
    paced: VecDeque<Bytes>,
}

impl Teller {
    pub(super) fn new(link: Arc<Link>) -> Teller {
        Teller { link, paced: VecDeque::new() }
    }

    /// Whether this answer is the last that the client wants.
    fn is_farewell(dialect: &dyn Dialect, answered: &Answered) -> bool {
        matches!(answered, Answered::Request(tag, Ok(_)) if tag.kind == Kind::Logout && dialect.close_after_logout())
    }
}

impl Transmitter for Teller {
    async fn next(&mut self, out: &mut Outgoing) -> Then {
        loop {
            if self.link.session.is_ending_curtly() {
                self.paced = VecDeque::new();
            }
            if let Some(object) = self.paced.pop_front() {
                if self.paced.is_empty() {
                    self.paced = VecDeque::new();
                }
                out.chunks.push(object);
                out.pace = self.link.dialect().pace();
                return Then::More;
            }
            let round = self.link.session.next().await;
            let dialect = self.link.dialect();
            let mut bytes = Vec::new();
            for answered in &round.answers {
                if let Answered::Request(_, Err(refusal)) | Answered::Fault(refusal) = answered {
                    self.link.counters.refuse(refusal);
                }
                match answered {
                    Answered::Request(tag, answer) => dialect.answer(tag, answer, &mut bytes),
                    Answered::Fault(refusal) => dialect.fault(refusal, &mut bytes),
                }
                if Teller::is_farewell(&*dialect, answered) {
                    self.link.session.finish(None);
                }
            }
            let mut chunks = Vec::new();
            match round.entries {
                Entries::Typed(room, entry) => dialect.entry(&room, &entry, self.link.session.viewer(), &mut bytes),
                Entries::Encoded(segments) => chunks = segments,
            }
            // The last word stands behind what it is the last word to.
            let mut hints = Vec::new();
            for hint in &round.hints {
                dialect.hint(hint, &mut hints);
            }
            if dialect.pace().is_some() {
                bytes.append(&mut hints);
                self.paced.extend(objects(bytes));
            } else {
                out.chunks.extend([Bytes::from(bytes)].into_iter().chain(chunks).chain([Bytes::from(hints)]));
                out.chunks.retain(|chunk| !chunk.is_empty());
            }
            if round.last {
                // Nothing is paced any more: whoever closes now does not wait for the pause.
                out.chunks.extend(self.paced.drain(..));
                return Then::Finish;
            }
            if !out.chunks.is_empty() {
                return Then::More;
            }
        }
    }

    fn closed(&mut self, why: Closed) {
        // Those of this program itself are not accepted either.
        if matches!(self.link.ticket, Some(Ticket::Counted(_))) {
            self.link.counters.close(why);
        }
        tracing::debug!(reason = why.as_str(), "connection closed");
        self.link.session.close();
    }
}

/// The objects in what a dialect wrote, one for each line.
fn objects(bytes: Vec<u8>) -> impl Iterator<Item = Bytes> {
    let mut rest = Bytes::from(bytes);
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', &rest)? + 1;
        Some(rest.split_to(end))
    })
}

/// Tells a connection that may not come in why, and closes it.
pub(super) struct Turned(pub(super) Option<Bytes>);

impl Turned {
    pub(super) fn away(dialects: &Dialects, refusal: &Refusal) -> Turned {
        let mut line = Vec::new();
        dialects.undecided().fault(refusal, &mut line);
        Turned(Some(line.into()))
    }
}

impl Transmitter for Turned {
    async fn next(&mut self, out: &mut Outgoing) -> Then {
        out.chunks.extend(self.0.take());
        Then::Finish
    }

    fn closed(&mut self, _why: Closed) {}
}

/// Reads nothing of a connection that may not come in, and holds a place of the few that are told so.
pub(super) struct Ignorant {
    _permit: OwnedSemaphorePermit,
}

impl Ignorant {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Ignorant {
        Ignorant { _permit: permit }
    }
}

impl Receiver for Ignorant {
    fn rules(&self) -> Rules {
        Rules { max_bytes: 1, lenient: false }
    }

    async fn receive(&mut self, _frame: Frame<'_>) -> Flow {
        Flow::Stop
    }

    fn began(&mut self) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn expired(&mut self) -> Flow {
        Flow::Stop
    }

    async fn ended(&mut self) {}

    fn broken(&mut self) {}
}
