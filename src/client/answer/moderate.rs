//! Who is kept out or silent, and what was done about whom.

use serde::Deserialize;

use super::Json;
use super::json::{answers, some_time, time};
use crate::model::Time;

answers!(Bans, ActsPage);

/// Who is banned from a room, and who is muted in it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Bans {
    /// The room.
    #[serde(default)]
    pub room: String,
    /// Who is kept out.
    #[serde(default)]
    pub bans: Vec<BanLine>,
    /// Who may not speak.
    #[serde(default)]
    pub mutes: Vec<BanLine>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Somebody who is banned or muted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct BanLine {
    /// Who.
    pub username: String,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "some_time")]
    pub until: Option<Time>,
}

/// What moderators and admins did, and what was reported to them; newest first.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ActsPage {
    /// Newest first.
    pub acts: Vec<ActLine>,
    /// There are older ones.
    #[serde(default)]
    pub more: bool,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Something that a moderator or admin did, or that somebody reported.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ActLine {
    /// Its number: older ones are `before` it.
    pub number: u64,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// Who did it.
    #[serde(default)]
    pub by: String,
    /// What was done: the word of the request.
    #[serde(default)]
    pub act: String,
    /// In which room, as it was called then.
    #[serde(default)]
    pub room: Option<String>,
    /// Whom or what it was about.
    #[serde(default)]
    pub target: String,
    /// What else there is to know.
    #[serde(default)]
    pub detail: String,
}
