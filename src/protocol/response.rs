//! Everything that can be answered.

use crate::model::{
    Entry, Epoch, Fingerprint, Level, Line, RoomKind, RoomName, RoomRole, Seq, ServerRole, Settings, Time,
};
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
    /// Of whatever is answered with nothing.
    Done,
    /// Of `topic`, `edit`, `delete`, `react`, `room`, and of all that happens to somebody in a room.
    Changed {
        seq: Seq,
    },
    /// Of `delete_room`.
    Deleted {
        room: RoomName,
    },
    /// Of `token` with `action` "create" (and of `invitation`: `invite` instead of `token`).
    Minted {
        /// Shown this once.
        secret: Box<str>,
        id: u64,
        expires: Option<Time>,
    },
    /// Of `token` with `action` "certificate".
    Certified {
        fingerprint: Fingerprint,
        id: u64,
        expires: Option<Time>,
    },
    Tokens(Vec<TokenLine>),
    Invitations(Vec<InvitationLine>),
    Sessions(Vec<SessionLine>),
    Bans {
        room: RoomName,
        bans: Vec<BanLine>,
        mutes: Vec<BanLine>,
    },
    /// Of `room` without a change.
    RoomIs(Box<RoomIs>),
    Found(Box<Found>),
    Read {
        room: RoomName,
        read: Seq,
        unread: u64,
        mentions: u64,
    },
    Acts {
        acts: Vec<ActLine>,
        more: bool,
    },
    Suspensions(Vec<SuspensionLine>),
    /// Of `disconnect`.
    Disconnected {
        sessions: u64,
    },
    Level(Level),
    ServerStatus(Box<ServerStatus>),
    ServerSessions {
        sessions: Vec<ServerSessionLine>,
        more: bool,
    },
    Accounts {
        accounts: Vec<AccountLine>,
        more: bool,
    },
    Reloaded(Box<Reloaded>),
    /// Of `log_level`.
    LogLevel(Box<str>),
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
    /// The certificate that the connection has shown.
    pub certificate: Option<Fingerprint>,
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
    /// The names of whom this user wants to hear nothing.
    pub blocked: Vec<Arc<str>>,
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
    pub away: bool,
    /// What it says about that.
    pub text: Option<Line>,
    /// When an account was online last, if it is not.
    pub last_seen: Option<Time>,
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

/// A token or certificate, as `token` lists it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct TokenLine {
    pub token_id: u64,
    /// Of the certificate, if it is one.
    pub fingerprint: Option<Fingerprint>,
    pub label: Line,
    pub created: Time,
    pub expires: Option<Time>,
    pub last_used: Option<Time>,
}

/// An invitation to register, as `invitation` lists it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct InvitationLine {
    pub invitation_id: u64,
    pub label: Line,
    /// How many accounts may still be made with it.
    pub left: u32,
    pub by: Arc<str>,
    pub created: Time,
    pub expires: Option<Time>,
}

/// One of one's own sessions.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct SessionLine {
    pub session_id: u64,
    /// What it said in `hello`.
    pub client: Option<Line>,
    pub since: Time,
    /// The label of the token or certificate by which it logged in, and its id.
    pub token: Option<(Line, u64)>,
    /// The one that asks.
    pub current: bool,
}

/// Somebody who is banned or muted.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct BanLine {
    pub username: Arc<str>,
    pub reason: Option<Line>,
    pub until: Option<Time>,
}

/// What a room is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct RoomIs {
    pub room: RoomName,
    pub settings: Settings,
    pub epoch: Epoch,
    pub first: Seq,
    pub head: Seq,
    pub members: u64,
    pub online: u64,
}

/// What was found, newest first.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Found {
    pub messages: Vec<Hit>,
    /// Where to go on.
    pub next: Option<u64>,
}

/// A message that was found.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Hit {
    pub room: RoomName,
    pub entry: Entry,
    /// What of the text stands around the hit.
    pub snippet: Box<str>,
    /// Where in the snippet the hit is, in characters (code points): from, and how many.
    pub hit: (usize, usize),
}

/// Something that a moderator or admin did.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct ActLine {
    pub number: u64,
    pub time: Time,
    pub by: Arc<str>,
    pub act: Box<str>,
    pub room: Option<Box<str>>,
    pub target: Box<str>,
    pub detail: Box<str>,
}

/// Who is kept out of the server.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct SuspensionLine {
    /// Of a user.
    pub username: Option<Box<str>>,
    /// Of a network.
    pub address: Option<Box<str>>,
    pub reason: Line,
    pub until: Option<Time>,
    pub by: Arc<str>,
    pub time: Time,
}

/// How the server is doing.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct ServerStatus {
    pub version: Box<str>,
    pub name: Box<str>,
    /// When it was started.
    pub started: Time,
    pub level: Level,
    /// Whether everything that is asked of it would be done.
    pub ready: bool,
    /// What is wrong, where it is not ready.
    pub problem: Option<Box<str>>,
    /// Open connections, those in which nobody is logged in too.
    pub connections: u64,
    /// Sessions in which somebody is logged in.
    pub sessions: u64,
    /// Who is online: accounts.
    pub accounts: u64,
    /// Who is online: guests.
    pub guests: u64,
    pub rooms: u64,
    /// Writes that wait for their commit.
    pub queue: u64,
    pub database_bytes: u64,
    /// Of the log beside the database.
    pub wal_bytes: u64,
}

/// A session in which somebody is logged in.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct ServerSessionLine {
    pub session_id: u64,
    pub username: Arc<str>,
    pub guest: bool,
    pub role: ServerRole,
    /// Where it comes from: an address, `"local"` over a Unix socket, `"host"` in the server's own program.
    pub address: Box<str>,
    pub client: Option<Line>,
    pub since: Time,
    /// How many rooms it follows.
    pub rooms: u64,
}

/// An account.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct AccountLine {
    pub username: Arc<str>,
    pub role: ServerRole,
    /// When it was online last.
    pub last_seen: Option<Time>,
}

/// What came of reading the configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys that changed, and hold now.
    pub changed: Vec<Box<str>>,
    /// The keys that changed, and hold from the next start on.
    pub restart: Vec<Box<str>>,
    /// What is wrong, a line each. Where it is the configuration, nothing has changed.
    pub problems: Vec<Box<str>>,
}
