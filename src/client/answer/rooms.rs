//! Rooms, their members, and what they are.

use serde::Deserialize;

use super::json::{answers, seq, some_seq, some_time};
use super::{Json, Status, Word};
use crate::model::{RoomKind, RoomRole, Seq, Time, Visibility};

answers!(RoomsPage, Created, Joined, Resumed, Room, NamesPage, Placed, RoomIs);

/// A room that the user is a member of.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Membership {
    /// The room.
    pub room: String,
    /// What kind of room it is.
    #[serde(default)]
    pub kind: Word<RoomKind>,
    /// What it is about.
    #[serde(default)]
    pub topic: String,
    /// The role in it.
    #[serde(default)]
    pub role: Word<RoomRole>,
    /// Its newest entry.
    #[serde(default, deserialize_with = "seq")]
    pub head: Seq,
    /// The entry up to which the user has read.
    #[serde(default, deserialize_with = "seq")]
    pub read: Seq,
    /// How many messages are behind that.
    #[serde(default)]
    pub unread: u64,
    /// How many of them name the user.
    #[serde(default)]
    pub mentions: u64,
}

/// Rooms, in the order of their names.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RoomsPage {
    /// One line for each room.
    pub rooms: Vec<RoomLine>,
    /// There are more behind the last one.
    #[serde(default)]
    pub more: bool,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A room as `rooms` lists it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RoomLine {
    /// The room.
    pub room: String,
    /// What kind of room it is.
    #[serde(default)]
    pub kind: Word<RoomKind>,
    /// What it is about.
    #[serde(default)]
    pub topic: String,
    /// How many members it has.
    #[serde(default)]
    pub members: u64,
    /// How many of them are online.
    #[serde(default)]
    pub online: u64,
    /// Its newest entry.
    #[serde(default, deserialize_with = "seq")]
    pub head: Seq,
    /// Whether this user is a member.
    #[serde(default)]
    pub joined: bool,
}

/// A room that was made.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Created {
    /// The room.
    pub room: String,
    /// Its newest entry.
    #[serde(default, deserialize_with = "seq")]
    pub head: Seq,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A room that is followed now.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Joined {
    /// The room.
    pub room: String,
    /// What kind of room it is.
    #[serde(default)]
    pub kind: Word<RoomKind>,
    /// What it is about.
    #[serde(default)]
    pub topic: String,
    /// The role in it.
    #[serde(default)]
    pub role: Word<RoomRole>,
    /// What changes when entries that somebody has seen may be gone.
    pub epoch: String,
    /// The first entry that is kept, or that this user may see.
    #[serde(default, deserialize_with = "seq")]
    pub first: Seq,
    /// Its newest entry.
    #[serde(deserialize_with = "seq")]
    pub head: Seq,
    /// The entry up to which the user has read.
    #[serde(default, deserialize_with = "seq")]
    pub read: Seq,
    /// What was remembered of the room is void; its events start at the head.
    #[serde(default)]
    pub reset: bool,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// The answer to `resume`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Resumed {
    pub(in crate::client) rooms: Vec<ResumedRoom>,
    #[serde(skip)]
    json: Json,
}

/// One room of a `resume`: followed, or refused on its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ResumedRoom {
    /// It is not followed.
    Refused {
        /// The room.
        room: String,
        /// Why, for people: a sentence of the server.
        error: String,
        /// Why, for programs.
        #[serde(default)]
        code: String,
    },
    /// It is followed.
    Followed(Joined),
}

/// Of `leave`, `unfollow` and `delete_room`.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::client) struct Room {
    pub(in crate::client) room: String,
    #[serde(skip)]
    json: Json,
}

/// Names, in their order.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct NamesPage {
    /// One line for each name.
    pub names: Vec<NameLine>,
    /// There are more behind the last one.
    #[serde(default)]
    pub more: bool,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Somebody as `names` lists them.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct NameLine {
    /// The name.
    pub name: String,
    /// In a room the role there, else the role on the server.
    #[serde(default)]
    pub role: String,
    /// Whether there is a session of that user.
    #[serde(default)]
    pub online: bool,
    /// Whether that user is there: online, away or offline.
    #[serde(default)]
    pub status: Word<Status>,
    /// No account.
    #[serde(default)]
    pub guest: bool,
    /// What that user says about being away.
    #[serde(default)]
    pub text: Option<String>,
    /// When an account that is offline was online last.
    #[serde(default, deserialize_with = "some_time")]
    pub last_seen: Option<Time>,
}

/// What was asked for is an entry of the room's log.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Placed {
    /// The entry's place in the log; `None` where the server has not said it, as when nothing had to change.
    #[serde(default, deserialize_with = "some_seq")]
    pub seq: Option<Seq>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// What a room is.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RoomIs {
    /// The room.
    pub room: String,
    /// What kind of room it is.
    #[serde(default)]
    pub kind: Word<RoomKind>,
    /// What it is about.
    #[serde(default)]
    pub topic: String,
    /// What its members see of what was said before they came.
    #[serde(default)]
    pub history: Word<Visibility>,
    /// How long a member has to wait between two messages, in seconds; 0 is not at all.
    #[serde(default)]
    pub slow_mode_s: u64,
    /// How many days an entry is kept; 0 is as long as the server keeps it.
    #[serde(default)]
    pub retention_days: u64,
    /// How many entries are kept; 0 is as many as the server keeps.
    #[serde(default)]
    pub retention_entries: u64,
    /// What changes when entries that somebody has seen may be gone.
    #[serde(default)]
    pub epoch: String,
    /// The first entry that is kept, or that this user may see.
    #[serde(default, deserialize_with = "seq")]
    pub first: Seq,
    /// Its newest entry.
    #[serde(default, deserialize_with = "seq")]
    pub head: Seq,
    /// How many members it has.
    #[serde(default)]
    pub members: u64,
    /// How many of them are online.
    #[serde(default)]
    pub online: u64,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}
