//! Everything that can be asked.
//!
//! [`Kind`] is the one table of requests: its words are what a dialect understands, its usages are what `help` says, and
//! what is dispatched on. A request that is not in it does not exist.

use std::fmt;

use crate::model::{
    Anchor, Fingerprint, Level, MemberChange, RoomChange, RoomKind, RoomName, RoomRole, Seq, ServerRole,
};
use crate::protocol::Refusal;

macro_rules! kinds {
    ($($name:ident $word:literal [$($key:literal)*] $usage:literal $about:literal,)*) => {
        /// Which request it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $(#[doc = $about] $name,)*
            /// A course dialect's login: `login`, `join` of the course room and its backlog in one.
            Enter,
            /// No request that there is, or none that could be read.
            Unknown,
        }

        impl Kind {
            /// All requests of the native dialect, in the order in which `help` lists them.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$name => $word,)* Kind::Enter => "login", Kind::Unknown => "error" }
            }

            /// The keys that it knows, apart from `request` and `id`. What else is there is named in the answer as ignored.
            pub fn keys(self) -> &'static [&'static str] {
                match self { $(Kind::$name => &[$($key),*],)* Kind::Enter | Kind::Unknown => &[] }
            }

            /// The keys that it takes, in the notation of usage lines.
            pub fn usage(self) -> &'static str {
                match self { $(Kind::$name => $usage,)* Kind::Enter | Kind::Unknown => "" }
            }

            /// What it does, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Kind::$name => $about,)* Kind::Enter | Kind::Unknown => "" }
            }

            /// The request of that word.
            pub fn parse(word: &str) -> Option<Kind> {
                match word { $($word => Some(Kind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    Hello "hello" ["protocol" "client"] "protocol=1 [client=NAME/VERSION]" "Says which protocol you speak, and asks what this server is.",
    Login "login" ["username" "password" "token" "certificate"] "username [password | token | certificate]" "Logs in: to an account, or as a guest with nothing but the name.",
    Register "register" ["username" "password" "invite"] "username password [invite]" "Makes an account, and logs in to it.",
    Logout "logout" [] "" "Logs out; the connection stays.",
    Ping "ping" ["data"] "[data]" "Is answered at once, with the same data.",
    Whoami "whoami" [] "" "Says who you are.",
    Password "password" ["old" "new"] "old new" "Gives your account another password, and ends your other sessions.",
    Token "token" ["action" "label" "for_s" "fingerprint" "token_id"] "action=create | certificate | list | revoke [label] [for_s=SECONDS] [fingerprint] [token_id]" "Makes, lists and revokes what logs in to your account without its password: tokens, and certificates.",
    Sessions "sessions" ["close"] "[close=SESSION_ID]" "Lists your sessions, or closes one.",
    DeleteAccount "delete_account" ["password" "username"] "password | username" "Deletes your account (or, as an admin, somebody else's); nobody can ever take its name.",
    Block "block" ["username"] "username" "Hears nothing more of somebody: no direct conversation, no invitation, nothing unread.",
    Unblock "unblock" ["username"] "username" "Ends that.",
    Help "help" [] "" "Lists the requests.",
    Rooms "rooms" ["after"] "[after=ROOM]" "Lists the rooms that you may see.",
    Create "create" ["room" "kind" "topic"] "room [kind=public | private | announce] [topic]" "Makes a room, and makes you a member; it does not follow it.",
    Join "join" ["room" "since" "epoch" "backlog"] "room [since=SEQ [epoch] | backlog=COUNT]" "Makes you a member, and starts the room's events on this session.",
    Resume "resume" ["rooms"] "rooms={ROOM: SEQ | {since, epoch}, ..}" "Follows rooms again, each from behind the entry that you saw last.",
    Unfollow "unfollow" ["room"] "room" "Stops the room's events on this session; you stay a member.",
    Leave "leave" ["room"] "room" "Ends your membership.",
    Names "names" ["room" "after"] "[room] [after=NAME]" "Lists the members of a room, or everybody who is online.",
    Topic "topic" ["room" "topic"] "room topic" "Says what the room is about.",
    Invite "invite" ["room" "username" "reason"] "room username [reason]" "Invites somebody.",
    Kick "kick" ["room" "username" "reason"] "room username [reason]" "Puts a member out.",
    Ban "ban" ["room" "username" "reason" "for_s"] "room username [reason] [for_s=SECONDS]" "Puts somebody out, and keeps them out.",
    Unban "unban" ["room" "username" "reason"] "room username [reason]" "Ends that.",
    Mute "mute" ["room" "username" "reason" "for_s"] "room username [reason] [for_s=SECONDS]" "Lets somebody say nothing.",
    Unmute "unmute" ["room" "username" "reason"] "room username [reason]" "Ends that.",
    Bans "bans" ["room"] "room" "Lists who is banned from the room, or muted in it.",
    Role "role" ["room" "username" "role" "reason"] "room username role=owner | moderator | member [reason]" "Makes a member an owner or moderator, or takes that back.",
    Room "room" ["room" "name" "kind" "history" "slow_mode_s" "retention_days" "retention_entries"] "room [name] [kind] [history=all | joined] [slow_mode_s] [retention_days] [retention_entries]" "Changes what the room is; without any of these keys it says it.",
    DeleteRoom "delete_room" ["room"] "room" "Deletes the room and everything that was said in it.",
    Message "message" ["room" "text" "nonce" "reply_to" "action"] "room text [nonce] [reply_to=SEQ] [action]" "Says something; answered when it is stored.",
    Edit "edit" ["room" "target" "text"] "room target=SEQ text" "Says one of your messages otherwise.",
    Delete "delete" ["room" "target" "reason"] "room target=SEQ [reason]" "Takes a message back.",
    React "react" ["room" "target" "emoji" "remove"] "room target=SEQ emoji [remove]" "Reacts to a message, or takes that back.",
    History "history" ["room" "before" "after" "around" "limit"] "room [before | after | around = SEQ] [limit]" "Shows a page of old messages, the newest if not told otherwise.",
    Search "search" ["query" "room" "from" "before" "after" "limit"] "query [room [before=SEQ]] [from=NAME] [after=NEXT] [limit]" "Finds messages, newest first.",
    Read "read" ["room" "seq"] "room seq" "Says up to where you have read a room.",
    Typing "typing" ["room"] "room" "Tells the room's followers that you are typing.",
    Status "status" ["status" "text"] "status=online | away [text]" "Says whether you are there.",
    Report "report" ["room" "target" "username" "reason"] "room [target=SEQ] [username] [reason]" "Tells the room's moderators of something that is not right.",
    Acts "acts" ["room" "before" "limit"] "[room] [before=NUMBER] [limit]" "Shows what moderators and admins did, and what was reported to them.",
    Invitation "invitation" ["action" "label" "count" "for_s" "invitation_id"] "action=create | list | revoke [label] [count=1] [for_s=SECONDS] [invitation_id]" "Makes, lists and revokes invitations to register (admins).",
    ServerRole "server_role" ["username" "role"] "username role=admin | user" "Makes an account an admin, or takes that back (admins).",
    Suspend "suspend" ["username" "address" "reason" "for_s"] "username | address=ADDRESS[/BITS] [reason] [for_s=SECONDS]" "Keeps a user or a network out of the server (admins).",
    Unsuspend "unsuspend" ["username" "address"] "username | address" "Ends that (admins).",
    Suspensions "suspensions" [] "" "Lists who is kept out of the server (admins).",
    Disconnect "disconnect" ["username" "address" "reason"] "username | address [reason]" "Ends the sessions of a user or a network (admins).",
    Level "level" ["level"] "[level=open | no_registration | no_guests | members_only | read_only]" "Closes the server for a bad day, or says how far it is closed (admins).",
    Notice "notice" ["text"] "text" "Tells everybody who is online something (admins).",
    ServerStatus "server_status" [] "" "Says how the server is doing (admins).",
    ServerSessions "server_sessions" ["after"] "[after=SESSION_ID]" "Lists the sessions of everybody (admins).",
    Accounts "accounts" ["after"] "[after=NAME]" "Lists the accounts (admins).",
    AddAccount "add_account" ["username" "password"] "username password" "Makes an account for somebody (admins).",
    SetPassword "set_password" ["username" "password" "revoke_tokens"] "username password [revoke_tokens]" "Gives somebody else's account another password, and ends its sessions (admins).",
    Reload "reload" [] "" "Has the server read its configuration and certificates again (admins).",
    LogLevel "log_level" ["level"] "[level]" "Says what is logged, or changes it until the next start (admins).",
}

/// What a client sent: which request, the id that comes back with the answer, and the request if it could be read.
///
/// The kind is known even where the rest could not be read, for who is not logged in is told so first.
#[derive(Debug)]
pub struct Ask {
    /// What the answer needs to know of the request.
    pub tag: Tag,
    /// The request, or why it makes no sense.
    pub request: Result<Request, Refusal>,
}

/// What an answer needs to know of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Which request it was.
    pub kind: Kind,
    /// Comes back as it was.
    pub id: Option<RequestId>,
    /// Keys that were not understood, to be named in the answer.
    pub ignored: Box<[Box<str>]>,
    /// For an unknown request its word; for a login of the 2014 dialect the name that was asked for.
    pub word: Option<Box<str>>,
}

impl Tag {
    /// The tag of a request without id.
    pub fn new(kind: Kind) -> Tag {
        Tag { kind, id: None, ignored: Box::default(), word: None }
    }
}

/// A request's id: a string of at most 64 bytes or an integer of 64 bits, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// An integer.
    Int(i64),
    /// Anything else that an id may be, as JSON.
    Json(Box<str>),
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestId::Int(int) => int.fmt(f),
            RequestId::Json(json) => json.fmt(f),
        }
    }
}

/// A password or token on its way. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Box<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What proves who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: a guest.
    None,
    /// An account's password.
    Password(Secret),
    /// A token: an account's, or the one that a guest got at its last login.
    Token(Secret),
    /// The certificate that the connection has shown.
    Certificate,
}

/// What the tokens of accounts begin with, so that those who scan for secrets find them, and a login knows them at once.
pub const TOKEN_PREFIX: &str = "snk_a";

/// Whether a text has the form of an account's token: [`TOKEN_PREFIX`] and 64 hexadecimal digits.
pub fn is_token(text: &str) -> bool {
    let digits = text.strip_prefix(TOKEN_PREFIX);
    digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Everything that can be asked. Names are checked, texts and limits are the rules' business.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the keys are those of the wire; docs/protocol.md explains each")]
pub enum Request {
    Hello {
        protocol: Option<i64>,
        client: Option<Box<str>>,
    },
    Login {
        username: Box<str>,
        credential: Credential,
    },
    Register {
        username: Box<str>,
        password: Secret,
        invite: Option<Secret>,
    },
    Logout,
    Ping {
        data: Option<Box<str>>,
    },
    Whoami,
    Help,
    Rooms {
        after: Option<Box<str>>,
    },
    Create {
        room: RoomName,
        kind: RoomKind,
        topic: Box<str>,
    },
    Join {
        room: RoomName,
        start: Start,
    },
    Resume {
        rooms: Vec<(RoomName, Since)>,
    },
    Unfollow {
        room: RoomName,
    },
    Leave {
        room: RoomName,
    },
    Names {
        room: Option<RoomName>,
        after: Option<Box<str>>,
    },
    Message {
        room: RoomName,
        text: Box<str>,
        nonce: Option<Box<str>>,
        reply_to: Option<Seq>,
        action: bool,
    },
    History {
        room: RoomName,
        anchor: Anchor,
        limit: Option<u32>,
    },
    Password {
        old: Secret,
        new: Secret,
    },
    Token(TokenAction),
    Sessions {
        close: Option<u64>,
    },
    /// With a password one's own; as an admin somebody else's.
    DeleteAccount {
        password: Option<Secret>,
        username: Option<Box<str>>,
    },
    Block {
        username: Box<str>,
    },
    Unblock {
        username: Box<str>,
    },
    Topic {
        room: RoomName,
        topic: Box<str>,
    },
    /// `invite`, `kick`, `ban`, `unban`, `mute`, `unmute`, `role`: what is to happen to somebody in a room.
    Moderate(Box<Moderation>),
    Bans {
        room: RoomName,
    },
    /// What of the room is to be changed. `was` is not used.
    Room {
        room: RoomName,
        change: Box<RoomChange>,
    },
    DeleteRoom {
        room: RoomName,
    },
    Edit {
        room: RoomName,
        target: Seq,
        text: Box<str>,
    },
    Delete {
        room: RoomName,
        target: Seq,
        reason: Option<Box<str>>,
    },
    React {
        room: RoomName,
        target: Seq,
        emoji: Box<str>,
        remove: bool,
    },
    Search(Box<SearchFor>),
    Read {
        room: RoomName,
        seq: Seq,
    },
    Typing {
        room: RoomName,
    },
    Status {
        away: bool,
        text: Option<Box<str>>,
    },
    Report {
        room: RoomName,
        target: Option<Seq>,
        username: Option<Box<str>>,
        reason: Option<Box<str>>,
    },
    Acts {
        room: Option<RoomName>,
        before: Option<u64>,
        limit: Option<u32>,
    },
    Invitation(InvitationAction),
    ServerRole {
        username: Box<str>,
        role: ServerRole,
    },
    Suspend {
        whom: Whom,
        reason: Option<Box<str>>,
        for_s: Option<u64>,
    },
    Unsuspend {
        whom: Whom,
    },
    Suspensions,
    Disconnect {
        whom: Whom,
        reason: Option<Box<str>>,
    },
    Level {
        level: Option<Level>,
    },
    Notice {
        text: Box<str>,
    },
    ServerStatus,
    ServerSessions {
        after: Option<u64>,
    },
    Accounts {
        after: Option<Box<str>>,
    },
    AddAccount {
        username: Box<str>,
        password: Secret,
    },
    SetPassword {
        username: Box<str>,
        password: Secret,
        /// And its tokens and certificates are void.
        revoke_tokens: bool,
    },
    Reload,
    LogLevel {
        level: Option<Box<str>>,
    },
    /// A course dialect's login. `backlog` old messages are replayed as events, or come as a list in the answer.
    Enter {
        username: Box<str>,
        password: Option<Secret>,
        room: RoomName,
        backlog: u32,
        as_list: bool,
    },
}

/// Where a joined room's events start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the next entry; where the room is followed already the stream simply goes on.
    #[default]
    Now,
    /// Behind an entry.
    Since(Since),
    /// With the last so many entries.
    Backlog(u64),
}

/// The last entry that a client saw, and the epoch of the room in which it saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// The last entry that was seen.
    pub seq: Seq,
    /// The room's epoch at that time, where the client remembers it.
    pub epoch: Option<Box<str>>,
}

/// What is to happen to somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct Moderation {
    pub room: RoomName,
    pub username: Box<str>,
    /// Never `Join` or `Leave`, which nobody does to somebody else.
    pub change: MemberChange,
    /// Of `role`.
    pub role: Option<RoomRole>,
    pub reason: Option<Box<str>>,
    /// Of `ban` and `mute`: in how many seconds it ends by itself.
    pub for_s: Option<u64>,
}

/// What is to be done about tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub enum TokenAction {
    Create {
        label: Option<Box<str>>,
        for_s: Option<u64>,
    },
    /// Without a fingerprint it is the certificate that the connection has shown.
    Certificate {
        fingerprint: Option<Fingerprint>,
        label: Option<Box<str>>,
        for_s: Option<u64>,
    },
    List,
    Revoke {
        token_id: u64,
    },
}

/// What is to be done about invitations to register.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub enum InvitationAction {
    Create { label: Option<Box<str>>, count: u32, for_s: Option<u64> },
    List,
    Revoke { invitation_id: u64 },
}

/// What is searched for. The query is parsed by the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub struct SearchFor {
    pub query: Box<str>,
    pub room: Option<RoomName>,
    pub from: Option<Box<str>>,
    pub before: Option<Seq>,
    /// The `next` of the last page.
    pub after: Option<u64>,
    pub limit: Option<u32>,
}

/// Who is meant by an admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A user.
    Name(Box<str>),
    /// An address, or a network as ADDRESS/BITS.
    Address(Box<str>),
}
