//! What was said, and what was found of it.

use serde::Deserialize;

use super::Json;
use super::json::{answers, lines, seq, some_seq, some_time, time};
use crate::model::{Seq, Time};

answers!(Done, Posted, Page, Found, Hit, ReadMark);

/// An answer of which nothing matters but that it came.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::client) struct Done {
    #[serde(skip)]
    json: Json,
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

/// A page of a room's history, without what those said whom this user has blocked (see
/// [`Builder::show_blocked`](crate::client::Builder::show_blocked)).
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
    /// The first message of the page, even where it is hidden: the next older page is in front of it.
    #[serde(skip)]
    pub oldest: Option<Seq>,
    /// The last message of the page, even where it is hidden: the next newer page is behind it.
    #[serde(skip)]
    pub newest: Option<Seq>,
    /// How many messages the page has, hidden ones too.
    #[serde(skip)]
    pub count: usize,
    /// The line as it came, with everything in it.
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
    /// Whom of the room's members it names with `@NAME`.
    #[serde(default)]
    pub mentions: Vec<String>,
    /// When the text was changed.
    #[serde(default, deserialize_with = "some_time")]
    pub edited: Option<Time>,
    /// The text is gone.
    #[serde(default)]
    pub deleted: bool,
    /// What others think of it. Only in pages: the log has them as entries of their own ([`Log`](crate::client::Log)
    /// puts both together).
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// The line as it came, where this is an event.
    #[serde(skip)]
    pub json: Json,
}

/// What several users think of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Reaction {
    /// What they think.
    pub emoji: String,
    /// How many they are.
    #[serde(default)]
    pub count: u64,
    /// Who they are, in the order in which they came; not all of them, where they are many.
    #[serde(default)]
    pub users: Vec<String>,
}

/// A page of what was found, newest first, without what those said whom this user has blocked (see
/// [`Builder::show_blocked`](crate::client::Builder::show_blocked)).
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Found {
    /// Newest first.
    #[serde(deserialize_with = "lines")]
    pub messages: Vec<Hit>,
    /// There are more.
    #[serde(default)]
    pub more: bool,
    /// Where to go on: `after` of the next [`SearchQuery`](crate::client::SearchQuery).
    #[serde(default)]
    pub next: Option<u64>,
    /// The line as it came, with everything in it.
    #[serde(skip)]
    pub json: Json,
}

/// A message that was found.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Hit {
    /// The message, with its room.
    #[serde(flatten)]
    pub message: Message,
    /// What of its text stands around the hit; empty where the server does not say it.
    #[serde(default)]
    pub snippet: String,
    /// Where in the snippet the hit is, in characters (code points): from, and how many.
    #[serde(default)]
    pub hit: Option<(usize, usize)>,
    /// The hit as it came.
    #[serde(skip)]
    pub json: Json,
}

/// How far this user has read a room.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ReadMark {
    /// The room.
    #[serde(default)]
    pub room: String,
    /// The entry up to which the user has read.
    #[serde(default, deserialize_with = "seq")]
    pub read: Seq,
    /// How many messages are behind that.
    #[serde(default)]
    pub unread: u64,
    /// How many of them name the user.
    #[serde(default)]
    pub mentions: u64,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}
