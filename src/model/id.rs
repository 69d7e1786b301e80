//! Numbers that name things. Each has a type of its own, so that one cannot be taken for another.

use std::fmt;

/// Names a user for the store: an account (positive, counted up, never used again) or a guest (negative, random).
///
/// A guest is a connection, not a name: whoever takes the same name later has another id, and inherits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

impl UserId {
    /// Whether this is a guest, who is forgotten some time after the connection is gone.
    pub fn is_guest(self) -> bool {
        self.0 < 0
    }
}

/// Names a room for the store. Counted up, never used again; a renamed room keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub i64);

/// The number of an entry in its room's log: 1, 2, 3, ... without a gap. 0 stands before the first entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Seq = Seq(0);

    /// The number of the entry behind this one; there is none behind the last number that there is.
    pub fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }

    /// The number of the entry in front of this one; 0 stays 0.
    pub fn before(self) -> Seq {
        Seq(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
