//! What the server tells unasked, apart from the entries of logs: hints, which have no `seq`.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Line, RoomName, Seq, Text};

/// What may be told unasked and is no entry of a log. See [`Hint::is_light`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub enum Hint {
    /// Somebody with whom this session shares a room came, went, or said whether it is there.
    Presence { user: Arc<str>, online: bool, away: bool, text: Option<Line> },
    /// Somebody is typing.
    Typing { room: RoomName, user: Arc<str> },
    /// Another session of the same user has read a room.
    Read { room: RoomName, read: Seq, unread: u64, mentions: u64 },
    /// This user is invited to a room; or something was added to a direct conversation that this session does not follow.
    Invited { room: RoomName, head: Seq, by: Option<Arc<str>> },
    /// The room is closed to this user. Comes behind the last entry that is for it.
    Removed { room: RoomName, seq: Seq, change: &'static str, reason: Option<Line> },
    /// Somebody who runs the server or the room has something to say.
    Notice { text: Text },
    /// The server stops, or ends this session; try again after a while.
    Shutdown { reason: &'static str, retry_after: Duration },
}

impl Hint {
    /// Whether it may be merged with another, or dropped, when its reader lags.
    pub fn is_light(&self) -> bool {
        matches!(self, Hint::Presence { .. } | Hint::Typing { .. } | Hint::Read { .. })
    }

    /// Whether it says what the other said, only newer.
    pub fn replaces(&self, other: &Hint) -> bool {
        match (self, other) {
            (Hint::Presence { user, .. }, Hint::Presence { user: other, .. }) => user == other,
            (Hint::Typing { room, user }, Hint::Typing { room: other_room, user: other }) => {
                room == other_room && user == other
            }
            (Hint::Read { room, .. }, Hint::Read { room: other, .. })
            | (Hint::Invited { room, .. }, Hint::Invited { room: other, .. }) => room == other,
            _ => false,
        }
    }
}
