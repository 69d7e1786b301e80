//! Everything that can be asked.
//!
//! [`Kind`] is the one table of requests: its words are what a dialect understands, its usages are what `help` says, and
//! what is dispatched on. A request that is not in it does not exist.

use std::fmt;

use crate::model::{Anchor, RoomKind, RoomName, Seq};
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
    Login "login" ["username" "password" "token"] "username [password | token]" "Logs in: to an account, or as a guest without a password.",
    Register "register" ["username" "password" "invite"] "username password [invite]" "Makes an account, and logs in to it.",
    Logout "logout" [] "" "Logs out; the connection stays.",
    Ping "ping" ["data"] "[data]" "Is answered at once, with the same data.",
    Whoami "whoami" [] "" "Says who you are.",
    Help "help" [] "" "Lists the requests.",
    Rooms "rooms" ["after"] "[after=ROOM]" "Lists the rooms.",
    Create "create" ["room" "kind" "topic"] "room [kind=public] [topic]" "Makes a room, and makes you a member; it does not follow it.",
    Join "join" ["room" "since" "epoch" "backlog"] "room [since=SEQ [epoch] | backlog=COUNT]" "Makes you a member, and starts the room's events on this session.",
    Resume "resume" ["rooms"] "rooms={ROOM: SEQ | {since, epoch}, ..}" "Follows rooms again, each from behind the entry that you saw last.",
    Unfollow "unfollow" ["room"] "room" "Stops the room's events on this session; you stay a member.",
    Leave "leave" ["room"] "room" "Ends your membership.",
    Names "names" ["room" "after"] "[room] [after=NAME]" "Lists the members of a room, or everybody who is online.",
    Message "message" ["room" "text" "nonce" "reply_to" "action"] "room text [nonce] [reply_to=SEQ] [action]" "Says something; answered when it is stored.",
    History "history" ["room" "before" "after" "around" "limit"] "room [before | after | around = SEQ] [limit]" "Shows a page of old messages, the newest if not told otherwise.",
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
