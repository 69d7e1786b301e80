//! The typed asynchronous client: for bots, for tests, for `snakk`, and for whoever carries a server in the same process.
//!
//! A [`Client`] is a handle that is cheap to clone; [`Events`] receives what happens. Behind them one task owns the
//! connection, so that each method may be cancelled at any time. With [`Builder::reconnect`] a lost connection is made
//! again: the session logs in as the same user, follows its rooms from the entry that it saw last, and repeats what was
//! being posted under the same nonce. Nothing is missing and nothing comes twice.
//!
//! ```no_run
//! # async fn run() -> Result<(), snakk::client::ClientError> {
//! use snakk::client::{Client, Event};
//!
//! let me = Client::builder("127.0.0.1:9998").username("bob").reconnect(true).connect().await?;
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

mod answer;
mod builder;
mod dial;
mod error;
mod events;
mod follow;
mod link;
mod pending;
mod post;
mod task;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use answer::{
    Accounts, Created, Hello, Help, HelpLine, Joined, Json, Limits, LoggedIn, Membership, Message, NameLine, NamesPage,
    Page, Pong, Posted, RoomLine, RoomsPage, Whoami,
};
pub use builder::Builder;
pub use error::ClientError;
pub use events::{Event, Events, Member, Other, Presence, RoomResumed};
pub use post::Draft;

use crate::model::{Anchor, Seq};
use crate::protocol::Secret;
use answer::{Answer, Done, Room};
use builder::Identity;
use events::Hub;
use pending::{Command, Frame, Sort};
use wire::Ask;

/// More pages than this are not asked for, however often a server says that there are more.
const MAX_PAGES: usize = 1000;

/// Where a joined room's events start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the next entry; where the room is followed already they simply go on.
    #[default]
    Now,
    /// Behind an entry.
    Since {
        /// The last entry that was seen; 0 for none.
        seq: Seq,
        /// The room's epoch at that time, where it is known.
        epoch: Option<String>,
    },
    /// With the last so many entries.
    Backlog(u64),
}

/// Which page of a room's history, and how long it may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Which messages.
    pub anchor: Anchor,
    /// At most how many; the server takes 50 unless told otherwise, and at most 500.
    pub limit: Option<u32>,
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
    done: CancellationToken,
    stop: DropGuard,
}

/// What the last greeting has brought.
#[derive(Default)]
struct Known {
    hello: Arc<Hello>,
    login: Option<Arc<LoggedIn>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("username", &self.username()).finish_non_exhaustive()
    }
}

/// What holds for each method that asks the server: it waits for at most [`Builder::timeout`]
/// ([`ClientError::Timeout`]); while there is no connection it waits for one, if the client reconnects; a request that
/// was under way when the connection was lost is repeated where that is safe, and fails with
/// [`ClientError::Disconnected`] otherwise. A refusal is [`ClientError::Refused`].
///
/// # Cancel safety
/// A method that is cancelled may or may not have had its effect; the client goes on undisturbed.
impl Client {
    /// A client for a server at an address: `HOST:PORT` or `unix:PATH`.
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

    /// Logs in: to an account with its password, or as a guest without one. Not needed after
    /// [`Builder::username`].
    pub async fn login(&self, username: &str, password: Option<&str>) -> Result<LoggedIn, ClientError> {
        let identity = Identity::new(username, password.map(|password| Secret(password.into())));
        self.ask(&Ask::Login { username, password, token: None }, Sort::Login(identity)).await
    }

    /// Makes an account and logs in to it. Nobody may be logged in on this session before (a client that was built
    /// without a name).
    pub async fn register(
        &self,
        username: &str,
        password: &str,
        invite: Option<&str>,
    ) -> Result<LoggedIn, ClientError> {
        let identity = Identity::new(username, Some(Secret(password.into())));
        self.ask(&Ask::Register { username, password, invite }, Sort::Login(identity)).await
    }

    /// Logs out. The connection stays; a guest's name is free when this returns.
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.ask::<Done>(&Ask::Logout, Sort::Logout).await.map(drop)
    }

    /// Asks whether the server is there.
    pub async fn ping(&self) -> Result<Pong, ClientError> {
        self.ask(&Ask::Ping, Sort::Read).await
    }

    /// Asks who this session is.
    pub async fn whoami(&self) -> Result<Whoami, ClientError> {
        self.ask(&Ask::Whoami, Sort::Read).await
    }

    /// Asks what can be asked.
    pub async fn help(&self) -> Result<Help, ClientError> {
        self.ask(&Ask::Help, Sort::Read).await
    }

    /// All rooms that this user may see.
    pub async fn rooms(&self) -> Result<Vec<RoomLine>, ClientError> {
        let mut rooms: Vec<RoomLine> = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.rooms_after(rooms.last().map(|room| room.room.as_str())).await?;
            let more = page.more && !page.rooms.is_empty();
            rooms.extend(page.rooms);
            if !more {
                break;
            }
        }
        Ok(rooms)
    }

    /// One page of the rooms, behind a name.
    pub async fn rooms_after(&self, after: Option<&str>) -> Result<RoomsPage, ClientError> {
        self.ask(&Ask::Rooms { after }, Sort::Read).await
    }

    /// All members of a room, or everybody who is online.
    pub async fn names(&self, room: Option<&str>) -> Result<Vec<NameLine>, ClientError> {
        let mut names: Vec<NameLine> = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.names_after(room, names.last().map(|name| name.name.as_str())).await?;
            let more = page.more && !page.names.is_empty();
            names.extend(page.names);
            if !more {
                break;
            }
        }
        Ok(names)
    }

    /// One page of the names, behind a name.
    pub async fn names_after(&self, room: Option<&str>, after: Option<&str>) -> Result<NamesPage, ClientError> {
        self.ask(&Ask::Names { room, after }, Sort::Read).await
    }

    /// Makes a public room and becomes a member of it, without following it.
    pub async fn create(&self, room: &str, topic: &str) -> Result<Created, ClientError> {
        self.ask(&Ask::Create { room, topic }, Sort::Change).await
    }

    /// Becomes a member of a room and follows it from its next entry on.
    pub async fn join(&self, room: &str) -> Result<Joined, ClientError> {
        self.join_with(room, Start::Now).await
    }

    /// Becomes a member of a room and follows it from a place in its log on.
    pub async fn join_with(&self, room: &str, start: Start) -> Result<Joined, ClientError> {
        let (since, epoch, backlog) = match &start {
            Start::Now => (None, None, None),
            Start::Since { seq, epoch } => (Some(seq.0), epoch.as_deref(), None),
            Start::Backlog(count) => (None, None, Some(*count)),
        };
        let ask = Ask::Join { room, since, epoch, backlog };
        self.ask(&ask, Sort::Join(start.clone())).await
    }

    /// Stops following a room; the membership stays.
    pub async fn unfollow(&self, room: &str) -> Result<(), ClientError> {
        self.ask::<Room>(&Ask::Unfollow { room }, Sort::Unfollow).await.map(drop)
    }

    /// Ends the membership in a room.
    pub async fn leave(&self, room: &str) -> Result<(), ClientError> {
        self.ask::<Room>(&Ask::Leave { room }, Sort::Leave).await.map(drop)
    }

    /// A page of a room's history.
    pub async fn history(&self, room: &str, query: HistoryQuery) -> Result<Page, ClientError> {
        let (mut before, mut after, mut around) = (None, None, None);
        match query.anchor {
            Anchor::Newest => {}
            Anchor::Before(seq) => before = Some(seq.0),
            Anchor::After(seq) => after = Some(seq.0),
            Anchor::Around(seq) => around = Some(seq.0),
        }
        let ask = Ask::History { room, before, after, around, limit: query.limit };
        let mut page: Page = self.ask(&ask, Sort::Read).await?;
        for message in &mut page.messages {
            if message.room.is_empty() {
                message.room.clone_from(&page.room);
            }
        }
        Ok(page)
    }

    /// Closes the connection; requests under way fail. A guest can come back for ten minutes; [`logout`](Client::logout)
    /// first if the name is to be free at once.
    pub async fn close(self) {
        let stop = self.inner.stop.token();
        stop.cancel();
        self.inner.done.cancelled().await;
    }

    async fn ask<T: Answer>(&self, ask: &Ask<'_>, sort: Sort) -> Result<T, ClientError> {
        let answer = self.submit(ask.encode()?, sort);
        wire::answer(tokio::time::timeout(self.inner.timeout, answer).await.map_err(|_| ClientError::Timeout)??)
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
