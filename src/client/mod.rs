//! The typed asynchronous client: for bots, for tests, for `snakk`, and for whoever carries a server in the same process.
//!
//! A [`Client`] is a handle that is cheap to clone; [`Events`] receives what happens. Behind them one task owns the
//! connection, so that each method may be cancelled at any time. A lost connection is made again, unless
//! [`Builder::reconnect`] says otherwise: the session logs in as the same user, follows its rooms from the entry that it saw
//! last, and repeats what was being posted under the same nonce. Nothing is missing and nothing comes twice.
//!
//! - **Order**: entries of a room come as they stand in its log, each once ([`Event::entry`]); everything else is a hint.
//! - **Back-pressure**: whoever holds an [`Events`] reads it ([`Client::events`]). The server keeps what was not read.
//! - **Cancel safety**: every future may be dropped; what it asked for may or may not be done.
//! - **What this version does not know** is kept: [`Event::Other`], [`ClientError::RefusedOtherwise`], [`Word::Other`], and each
//!   entry's line as it came ([`Event::json`]).
//!
//! `docs/embedding.md` has a chapter on it; with the feature `server`, `snakk::testing` a server for your tests.
//!
//! ```no_run
//! # async fn run() -> Result<(), snakk::client::ClientError> {
//! use snakk::client::{Client, Event};
//!
//! let me = Client::builder("127.0.0.1:9998").username("bob").connect().await?;
//! let mut events = me.events();
//! me.join("lobby").await?;
//! let sent = me.send("lobby", "hello").await?;
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         println!("{} {}: {}", message.seq, message.from, message.text);
//!         if message.seq == sent.seq {
//!             break;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod account;
mod admin;
mod answer;
mod block;
mod builder;
mod dial;
mod error;
mod event;
mod events;
mod follow;
mod link;
mod log;
mod moderate;
mod pending;
mod post;
mod rooms;
mod talk;
mod task;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use admin::NewInvitation;
pub use answer::{
    AccountLine, Accounts, ActLine, ActsPage, BanLine, Bans, Created, Found, Hello, Help, HelpLine, Hit,
    InvitationLine, Joined, Json, Limits, LoggedIn, Membership, Message, NameLine, NamesPage, NewCertificate,
    NewInvite, NewToken, OwnSession, Page, Placed, Pong, Posted, Reaction, ReadMark, Reloaded, ResumedRoom, RoomIs,
    RoomLine, RoomsPage, ServerSessionLine, ServerStatus, Status, SuspensionLine, TokenLine, Whoami, Word, Worded,
};
pub use builder::Builder;
pub use error::ClientError;
pub use event::{
    Delete, Edit, Event, Invited, Member, Other, Presence, React, Removed, RoomChanged, RoomResumed, Topic,
};
pub use events::Events;
pub use log::Log;
pub use moderate::{ActsQuery, Report, Sanction};
pub use post::Draft;
pub use rooms::{NewRoom, RoomSettings, Start};
pub use talk::{HistoryQuery, SearchQuery};

pub use crate::model::{Fingerprint, FingerprintError};
pub use crate::net::{Address, AddressError, CertificateError, CertificateFiles, Distrust, Trust};
pub use crate::protocol::{Code, Secret, Whom};

use crate::protocol::Kind;
use answer::{Answer, Done};
use block::Blocked;
use events::Hub;
use pending::{Command, Frame, Sort};
use wire::Ask;

/// More pages than this are not asked for, however often a server says that there are more.
const MAX_PAGES: usize = 1000;

/// All lines of a list that comes in pages: `next` asks for those behind a line, which `place` names, and says whether there
/// are more. Not more pages than anybody has, whatever a server says.
async fn all_pages<T, P, F>(place: fn(&T) -> P, mut next: impl FnMut(Option<P>) -> F) -> Result<Vec<T>, ClientError>
where
    F: Future<Output = Result<(Vec<T>, bool), ClientError>>,
{
    let mut all = Vec::new();
    for _ in 0..MAX_PAGES {
        let (lines, more) = next(all.last().map(place)).await?;
        let is_last = !more || lines.is_empty();
        all.extend(lines);
        if is_last {
            break;
        }
    }
    Ok(all)
}

/// A session with a server. Clones are the same session; it ends when the last one is dropped.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    commands: mpsc::Sender<Command>,
    hub: Arc<Hub>,
    known: Arc<Mutex<Known>>,
    timeout: Duration,
    show_blocked: bool,
    hurry: Arc<Notify>,
    done: CancellationToken,
    stop: DropGuard,
}

/// What the last greeting has brought.
#[derive(Default)]
struct Known {
    hello: Arc<Hello>,
    login: Option<Arc<LoggedIn>>,
    blocked: Blocked,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("username", &self.username()).finish_non_exhaustive()
    }
}

/// The session itself. What can be asked stands below, by families: accounts, rooms, talking, moderation, administration.
///
/// What holds for each method that asks the server: it waits for at most [`Builder::timeout`]
/// ([`ClientError::Timeout`]); while there is no connection it waits for one, if the client reconnects; a request that
/// was under way when the connection was lost is repeated where that is safe (it changes nothing, follows a room, or
/// posts under a nonce), and fails with [`ClientError::Disconnected`] otherwise: then it may have been done or not. A
/// refusal is [`ClientError::Refused`]; the codes that a method names are the likely ones, beside those that any may have
/// (`not_logged_in`, `rate_limited`, `no_such_room`, `forbidden`, `storage_unavailable`, `internal`).
///
/// # Cancel safety
/// A method that is cancelled may or may not have had its effect; the client goes on undisturbed.
impl Client {
    /// A client for a server at an address: `HOST:PORT`, `unix:PATH`, or (with the feature `tls`) `tls://HOST:PORT`.
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder::to(address.into())
    }

    /// A client over a stream that is open already, such as one end of an in-process pair. It cannot reconnect.
    pub fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Builder {
        Builder::over(stream)
    }

    /// Receives what happens from now on. There may be several; each gets everything.
    ///
    /// Where nobody subscribed, events are dropped. Whoever subscribed and does not read makes the client stop reading
    /// from the server once about a megabyte waits, and then answers wait too; the server keeps what was not read, so
    /// nothing is lost. While a request waits for its answer the client takes in up to 16 megabytes before it stops.
    pub fn events(&self) -> Events {
        self.inner.hub.subscribe()
    }

    /// What the server said of itself when the connection was made.
    pub fn hello(&self) -> Arc<Hello> {
        Arc::clone(&self.known().hello)
    }

    /// What the last login has brought; `None` where nobody is logged in.
    pub fn logged_in(&self) -> Option<Arc<LoggedIn>> {
        self.known().login.clone()
    }

    /// The name under which this session is logged in.
    pub fn username(&self) -> Option<String> {
        self.known().login.as_ref().map(|login| login.username.clone())
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// What holds for every request.
    pub async fn ping(&self) -> Result<Pong, ClientError> {
        self.ask(Ask::new(Kind::Ping), Sort::Read).await
    }

    /// Asks what can be asked.
    ///
    /// # Errors
    /// What holds for every request.
    pub async fn help(&self) -> Result<Help, ClientError> {
        self.ask(Ask::new(Kind::Help), Sort::Read).await
    }

    /// Tries at once to get a lost connection back, instead of after the wait that [`Event::Disconnected`] named.
    pub fn reconnect_now(&self) {
        self.inner.hurry.notify_one();
    }

    /// Closes the connection; requests under way fail. A guest can come back for ten minutes; [`logout`](Client::logout)
    /// first if the name is to be free at once.
    pub async fn close(self) {
        let stop = self.inner.stop.token();
        stop.cancel();
        self.inner.done.cancelled().await;
    }

    async fn ask<T: Answer>(&self, ask: Ask, sort: Sort) -> Result<T, ClientError> {
        let answer = self.submit(ask.encode()?, sort);
        wire::answer(tokio::time::timeout(self.inner.timeout, answer).await.map_err(|_| ClientError::Timeout)??)
    }

    /// Asks for something of which nothing matters but that it was done.
    async fn done(&self, ask: Ask, sort: Sort) -> Result<(), ClientError> {
        self.ask::<Done>(ask, sort).await.map(drop)
    }

    async fn submit(&self, body: Box<str>, sort: Sort) -> Result<Json, ClientError> {
        let max_bytes = self.known().hello.limits.max_frame_bytes;
        // The id comes on top.
        let bytes = body.len() + 32;
        if bytes > max_bytes {
            return Err(ClientError::TooLarge { bytes, max_bytes });
        }
        let (reply, answer) = oneshot::channel();
        let command = Command { frame: Frame { body, sort }, reply: Some(reply) };
        self.inner.commands.send(command).await.map_err(|_| ClientError::Closed)?;
        answer.await.map_err(|_| ClientError::Closed)?
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
