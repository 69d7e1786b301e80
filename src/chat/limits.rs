//! The options of the rules. `config` fills them; nothing here reads a file.

use std::time::Duration;

use crate::model::{NameRule, RoomName};

/// What an embedder or the configuration decides about the rules.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the server calls itself.
    pub name: Box<str>,
    /// The message of the day.
    pub motd: Box<str>,
    /// Whether somebody may come in without an account.
    pub guests: bool,
    /// Who may make an account.
    pub registration: Registration,
    /// Which names users may have.
    pub names: NameRule,
    /// Rooms that exist from the first start.
    pub default_rooms: Vec<RoomName>,
    /// Who may make rooms.
    pub creation: Creation,
    /// How many days entries are kept; 0 is for ever. Rooms may keep less.
    pub retention_days: u32,
    /// How many entries of a room are kept; 0 is all. Rooms may keep less.
    pub retention_entries: u64,
    /// How much of everything.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            name: "snakk".into(),
            motd: "".into(),
            guests: true,
            registration: Registration::Open,
            names: NameRule::Ascii,
            default_rooms: vec![RoomName::trusted("lobby")],
            creation: Creation::Users,
            retention_days: 0,
            retention_entries: 0,
            limits: Limits::default(),
        }
    }
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Everybody.
    #[default]
    Open,
    /// Who has an invitation.
    Invite,
    /// Nobody.
    Closed,
}

impl Registration {
    /// The word in the configuration and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Registration::Open => "open",
            Registration::Invite => "invite",
            Registration::Closed => "closed",
        }
    }
}

/// Who may make rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Creation {
    /// Everybody who is logged in.
    #[default]
    Users,
    /// The server's admins.
    Admins,
}

/// How much a session or a user may do. 0 switches a limit off.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sessions of an account at once.
    pub max_sessions_per_user: u32,
    /// Bytes of one object.
    pub max_frame_bytes: usize,
    /// Bytes of one object before login.
    pub max_frame_bytes_before_login: usize,
    /// Bytes of one text.
    pub max_text_bytes: usize,
    /// How long a peer may take nothing; the rules only tell it.
    pub stall_timeout: Duration,
    /// Messages that a user may send each second, in the long run.
    pub messages_per_second: u32,
    /// Messages that a user may send at once.
    pub message_burst: u32,
    /// Accounts that may be made in an hour from one address.
    pub registrations_per_hour: u32,
    /// Wrong passwords before they are slowed down.
    pub password_attempts: u32,
    /// Rooms that an account may own.
    pub rooms_per_user: u32,
    /// Rooms that a user may make in an hour.
    pub room_creations_per_hour: u32,
    /// How long a search may take. What was found by then is what there is.
    pub search_timeout: Duration,
}

impl Limits {
    /// How many bytes a text may have, where that is limited.
    pub(crate) fn most_text(&self) -> usize {
        if self.max_text_bytes == 0 { usize::MAX } else { self.max_text_bytes }
    }

    /// How long a search may take: a day, where that is not limited.
    pub(crate) fn longest_search(&self) -> Duration {
        if self.search_timeout.is_zero() { Duration::from_secs(86_400) } else { self.search_timeout }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_sessions_per_user: 10,
            max_frame_bytes: 65_536,
            max_frame_bytes_before_login: 8192,
            max_text_bytes: 16_384,
            stall_timeout: Duration::from_secs(60),
            messages_per_second: 5,
            message_burst: 20,
            registrations_per_hour: 5,
            password_attempts: 5,
            rooms_per_user: 50,
            room_creations_per_hour: 0,
            search_timeout: Duration::from_secs(2),
        }
    }
}
