//! What a room is, apart from its log.

use std::fmt;

use crate::model::{Line, RoomChange};

/// Who finds a room and who may speak in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// Everybody finds it, everybody may join and read.
    #[default]
    Public,
    /// Only its members and those who are invited know that it exists.
    Private,
    /// Everybody finds it and may read; moderators and owners speak.
    Announce,
    /// A conversation of two.
    Direct,
}

impl RoomKind {
    /// All kinds.
    pub const ALL: [RoomKind; 4] = [RoomKind::Public, RoomKind::Private, RoomKind::Announce, RoomKind::Direct];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            RoomKind::Public => "public",
            RoomKind::Private => "private",
            RoomKind::Announce => "announce",
            RoomKind::Direct => "direct",
        }
    }

    /// The kind of that word.
    pub fn parse(word: &str) -> Option<RoomKind> {
        RoomKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What the members of a room see of what was said before they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// All of it.
    #[default]
    All,
    /// Nothing: each sees the log from the entry on by which it joined.
    Joined,
}

impl Visibility {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::All => "all",
            Visibility::Joined => "joined",
        }
    }

    /// The value of that word.
    pub fn parse(word: &str) -> Option<Visibility> {
        [Visibility::All, Visibility::Joined].into_iter().find(|history| history.as_str() == word)
    }
}

/// What its owners have decided about a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Who finds it, and who may speak in it.
    pub kind: RoomKind,
    /// What it is about.
    pub topic: Line,
    /// What its members see of what was said before they came.
    pub history: Visibility,
    /// How long a member has to wait between two messages, in seconds; 0 is not at all.
    pub slow_mode_s: u32,
    /// How many days an entry is kept; 0 is as long as the server keeps it.
    pub retention_days: u32,
    /// How many entries are kept; 0 is as many as the server keeps.
    pub retention_entries: u64,
}

impl Settings {
    /// Takes over what an entry changes.
    pub fn apply(&mut self, change: &RoomChange) {
        let RoomChange { name: _, was: _, kind, history, slow_mode_s, retention_days, retention_entries } = change;
        self.kind = kind.unwrap_or(self.kind);
        self.history = history.unwrap_or(self.history);
        self.slow_mode_s = slow_mode_s.unwrap_or(self.slow_mode_s);
        self.retention_days = retention_days.unwrap_or(self.retention_days);
        self.retention_entries = retention_entries.unwrap_or(self.retention_entries);
    }
}

/// A random word that a room gets when it is created, and anew when entries that somebody has seen may be gone.
///
/// Where a client remembers another epoch, what it remembers of the room is void.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub Box<str>);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
