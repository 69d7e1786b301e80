//! What the server answers, as the client hands it on. Keys that are unknown here are ignored, but each answer also
//! keeps the line as it came.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::model::{Seq, Time};
use crate::protocol::Secret;

/// A line as the server sent it: one JSON object. Its `Debug` does not show what is in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    pub(super) fn new(line: &str) -> Json {
        Json(line.into())
    }

    /// The line, without its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer that keeps the line it was read from.
pub(super) trait Answer: serde::de::DeserializeOwned {
    fn keep(&mut self, json: Json);
}

macro_rules! answers {
    ($($name:ident),*) => {
        $(impl Answer for $name {
            fn keep(&mut self, json: Json) {
                self.json = json;
            }
        })*
    };
}

answers!(Hello, LoggedIn, Pong, Whoami, Help, RoomsPage, Created, Joined, Resumed, Room, NamesPage, Posted, Page, Done);

pub(super) fn seq<'de, D: Deserializer<'de>>(from: D) -> Result<Seq, D::Error> {
    u64::deserialize(from).map(Seq)
}

pub(super) fn some_seq<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Seq>, D::Error> {
    Ok(Option::<u64>::deserialize(from)?.map(Seq))
}

pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    Time::parse(&text).ok_or_else(|| serde::de::Error::custom("not a time in RFC 3339"))
}

pub(super) fn some_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
    // An answer is not lost for a time that nobody can read.
    Ok(Option::<String>::deserialize(from)?.and_then(|text| Time::parse(&text)))
}

fn some_secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<Box<str>>::deserialize(from)?.map(Secret))
}

/// What the server is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Hello {
    /// The version of the protocol that is spoken.
    pub protocol: u32,
    /// Program and version, `snakkd/0.1.0`.
    pub server: String,
    /// What the server calls itself.
    pub name: String,
    /// The message of the day.
    pub motd: String,
    /// What it can do beyond the first version.
    pub features: Vec<String>,
    /// What it takes.
    pub limits: Limits,
    /// Whom it lets in.
    pub accounts: Accounts,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// What a server takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Limits {
    /// The largest object.
    pub max_frame_bytes: usize,
    /// The longest text.
    pub max_text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_frame_bytes: 65_536, max_text_bytes: 16_384 }
    }
}

/// Whom a server lets in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Accounts {
    /// Whether guests may log in.
    pub guests: bool,
    /// How accounts are made: "open", "invite" or "closed".
    pub registration: String,
}

/// Who this session is after `login` or `register`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct LoggedIn {
    /// The name, as the server has it.
    pub username: String,
    /// No account, but somebody who is forgotten some time after the connection is gone.
    #[serde(default)]
    pub guest: bool,
    /// With which a guest is the same guest again. The client uses it by itself when it reconnects.
    #[serde(default, deserialize_with = "some_secret")]
    pub token: Option<Secret>,
    /// The role on the server.
    #[serde(default)]
    pub role: String,
    /// The rooms that the user is a member of.
    #[serde(default)]
    pub rooms: Vec<Membership>,
    /// There are more rooms than are listed.
    #[serde(default)]
    pub more: bool,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A room that the user is a member of.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Membership {
    /// The room.
    pub room: String,
    /// What kind of room it is.
    #[serde(default)]
    pub kind: String,
    /// What it is about.
    #[serde(default)]
    pub topic: String,
    /// The role in it.
    #[serde(default)]
    pub role: String,
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

/// The echo of a `ping`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Pong {
    /// The time of the server.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Who this session is.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Whoami {
    /// The name.
    pub username: String,
    /// No account.
    #[serde(default)]
    pub guest: bool,
    /// The role on the server.
    #[serde(default)]
    pub role: String,
    /// How many sessions the user has.
    #[serde(default)]
    pub sessions: u32,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Everything that can be asked.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Help {
    /// One line for each request.
    pub requests: Vec<HelpLine>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A request as `help` lists it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct HelpLine {
    /// Its word.
    pub request: String,
    /// Its keys.
    #[serde(default)]
    pub usage: String,
    /// What it does.
    #[serde(default)]
    pub about: String,
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
    pub kind: String,
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
    pub kind: String,
    /// What it is about.
    #[serde(default)]
    pub topic: String,
    /// The role in it.
    #[serde(default)]
    pub role: String,
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

/// The answer to `resume`, which only the client itself asks.
#[derive(Debug, Deserialize)]
pub(super) struct Resumed {
    pub(super) rooms: Vec<ResumedRoom>,
    #[serde(skip)]
    json: Json,
}

/// One room of a `resume`: followed, or refused on its own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ResumedRoom {
    Refused {
        room: String,
        error: String,
        #[serde(default)]
        code: String,
    },
    Followed(Joined),
}

/// Of `leave` and `unfollow`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Room {
    pub(super) room: String,
    #[serde(skip)]
    json: Json,
}

/// An answer of which nothing matters but that it came.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Done {
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
    /// No account.
    #[serde(default)]
    pub guest: bool,
}

/// A message that is stored.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Posted {
    /// The room.
    #[serde(default)]
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// When it was accepted.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// The nonce was seen before: this is where the first posting is.
    #[serde(default)]
    pub duplicate: bool,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A page of a room's history.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Page {
    /// The room.
    #[serde(default)]
    pub room: String,
    /// Oldest first.
    pub messages: Vec<Message>,
    /// There are more on the side away from the anchor.
    #[serde(default)]
    pub more: bool,
    /// The first entry that is kept.
    #[serde(default, deserialize_with = "seq")]
    pub first: Seq,
    /// The room's newest entry.
    #[serde(default, deserialize_with = "seq")]
    pub head: Seq,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// What somebody said, as an event or in a page of history.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// The room.
    #[serde(default)]
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// The name of who said it.
    pub from: String,
    /// When it was accepted.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// What was said; empty where it was deleted.
    #[serde(default)]
    pub text: String,
    /// The message that this one answers.
    #[serde(default, deserialize_with = "some_seq")]
    pub reply_to: Option<Seq>,
    /// Told as a deed ("/me"), not as speech.
    #[serde(default)]
    pub action: bool,
    /// Said by somebody without an account.
    #[serde(default)]
    pub guest: bool,
    /// When the text was changed.
    #[serde(default, deserialize_with = "some_time")]
    pub edited: Option<Time>,
    /// The text is gone.
    #[serde(default)]
    pub deleted: bool,
    /// The line as it came, where this is an event.
    #[serde(skip)]
    pub json: Json,
}
