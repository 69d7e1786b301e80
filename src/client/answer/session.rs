//! What a server is, and who one is there.

use serde::Deserialize;

use super::json::{answers, some_fingerprint, some_secret, time};
use super::{Json, Membership, Word};
use crate::model::{Fingerprint, ServerRole, Time};
use crate::protocol::Secret;

answers!(Hello, LoggedIn, Pong, Whoami, Help);

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
    /// Which certificate the connection has shown it, if any.
    #[serde(deserialize_with = "some_fingerprint")]
    pub certificate: Option<Fingerprint>,
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
    pub role: Word<ServerRole>,
    /// The rooms that the user is a member of.
    #[serde(default)]
    pub rooms: Vec<Membership>,
    /// There are more rooms than are listed.
    #[serde(default)]
    pub more: bool,
    /// The names of whom this user wants to hear nothing. The list as it is now is
    /// [`Client::blocked`](crate::Client::blocked).
    #[serde(default)]
    pub blocked: Vec<String>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
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
    pub role: Word<ServerRole>,
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
