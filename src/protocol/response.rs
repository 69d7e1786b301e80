//! Everything that can be answered.

use crate::model::{Entry, Epoch, RoomKind, RoomName, RoomRole, Seq, ServerRole, Time};
use crate::protocol::Refusal;
use std::sync::Arc;
use std::time::Duration;

/// What comes back for a request.
pub type Answer = Result<Response, Refusal>;

/// What a request brought. Rare or large answers are boxed, for many small ones wait in a session at once.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the keys are those of the wire; docs/protocol.md explains each")]
pub enum Response {
    Hello(Box<Hello>),
    /// Of `login` and `register`.
    LoggedIn(Box<LoggedIn>),
    LoggedOut {
        username: Arc<str>,
    },
    /// `data` is JSON, as it came.
    Pong {
        data: Option<Box<str>>,
        time: Time,
    },
    Whoami {
        username: Arc<str>,
        guest: bool,
        role: ServerRole,
        sessions: u32,
    },
    /// The table of requests ([`Kind::ALL`](crate::protocol::Kind::ALL)).
    Help,
    Rooms {
        rooms: Vec<RoomLine>,
        more: bool,
    },
    Created {
        room: RoomName,
        head: Seq,
    },
    Joined(Box<Joined>),
    Resumed(Vec<Resumed>),
    Unfollowed {
        room: RoomName,
    },
    Left {
        room: RoomName,
    },
    Names {
        room: Option<RoomName>,
        names: Vec<NameLine>,
        more: bool,
    },
    /// Of `message`.
    Posted {
        room: RoomName,
        seq: Seq,
        time: Time,
        duplicate: bool,
    },
    History(Box<Page>),
    /// A course dialect's login.
    Entered(Box<Entered>),
}

/// What the server is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Hello {
    /// Program and version, `snakkd/0.1.0`.
    pub server: Box<str>,
    pub name: Box<str>,
    pub motd: Box<str>,
    pub time: Time,
    pub features: &'static [&'static str],
    pub limits: HelloLimits,
    pub guests: bool,
    pub registration: &'static str,
}

/// The limits that a client has to know.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct HelloLimits {
    pub max_frame_bytes: usize,
    pub max_frame_bytes_before_login: usize,
    pub max_text_bytes: usize,
    pub messages_per_second: u32,
    pub message_burst: u32,
    pub stall_timeout: Duration,
}

/// Who somebody is after `login`, and where.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct LoggedIn {
    pub username: Arc<str>,
    pub guest: bool,
    /// To a guest: logging in with it is the same guest again.
    pub token: Option<Box<str>>,
    pub role: ServerRole,
    pub rooms: Vec<Membership>,
    pub more: bool,
}

/// A room that an account is a member of, as `login` lists it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Membership {
    pub room: RoomName,
    pub kind: RoomKind,
    pub topic: Box<str>,
    pub role: RoomRole,
    pub head: Seq,
    pub read: Seq,
    pub unread: u64,
    pub mentions: u64,
}

/// A room as `rooms` lists it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct RoomLine {
    pub room: RoomName,
    pub kind: RoomKind,
    pub topic: Box<str>,
    pub members: u64,
    pub online: u64,
    pub head: Seq,
    pub joined: bool,
}

/// A room that this session follows now.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Joined {
    pub room: RoomName,
    pub kind: RoomKind,
    pub topic: Box<str>,
    pub role: RoomRole,
    pub epoch: Epoch,
    /// The first entry that is kept.
    pub first: Seq,
    pub head: Seq,
    pub read: Seq,
    /// What the client remembers of the room is void.
    pub reset: bool,
}

/// One room of a `resume`: followed, or refused on its own.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Resumed {
    pub room: RoomName,
    pub outcome: Result<Box<Joined>, Refusal>,
}

/// Somebody as `names` lists them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct NameLine {
    pub name: Arc<str>,
    /// In a room the role there, else the role on the server.
    pub role: &'static str,
    pub online: bool,
    pub guest: bool,
}

/// A page of a room's history, oldest first.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Page {
    pub room: RoomName,
    pub messages: Vec<Entry>,
    /// There are more on the side away from the anchor.
    pub more: bool,
    pub first: Seq,
    pub head: Seq,
}

/// A course dialect's login went well.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields explain themselves")]
pub struct Entered {
    pub username: Arc<str>,
    /// The backlog, oldest first, where it was asked for as a list; else it comes as events.
    pub backlog: Vec<Entry>,
}
