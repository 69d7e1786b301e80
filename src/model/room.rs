//! What a room is, apart from its log.

use std::fmt;

/// Who finds a room and who may speak in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// Everybody finds it, everybody may join.
    #[default]
    Public,
}

impl RoomKind {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            RoomKind::Public => "public",
        }
    }

    /// The kind of that word.
    pub fn parse(word: &str) -> Option<RoomKind> {
        [RoomKind::Public].into_iter().find(|kind| kind.as_str() == word)
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
