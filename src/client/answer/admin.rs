//! What those ask who run the server.

use serde::Deserialize;

use super::json::{answers, secret, some_time, time};
use super::{Json, Word};
use crate::model::{Level, ServerRole, Time};
use crate::protocol::Secret;

answers!(
    NewInvite,
    Invitations,
    Suspensions,
    Disconnected,
    LevelIs,
    ServerStatus,
    ServerSessions,
    AccountList,
    Reloaded,
    LogLevelIs
);

/// An invitation to register that was made.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct NewInvite {
    /// The word with which somebody registers; it is shown this once.
    #[serde(deserialize_with = "secret")]
    pub invite: Secret,
    /// By which it is revoked.
    pub invitation_id: u64,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "some_time")]
    pub expires: Option<Time>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// The answer to `invitation`, action "list".
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Invitations {
    pub(in crate::client) invitations: Vec<InvitationLine>,
    #[serde(skip)]
    json: Json,
}

/// An invitation to register as the list of them shows it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct InvitationLine {
    /// By which it is revoked.
    pub invitation_id: u64,
    /// Whom it is for.
    #[serde(default)]
    pub label: String,
    /// How many accounts may still be made with it.
    #[serde(default)]
    pub left: u64,
    /// Who made it.
    #[serde(default)]
    pub by: String,
    /// When it was made.
    #[serde(deserialize_with = "time")]
    pub created: Time,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "some_time")]
    pub expires: Option<Time>,
}

/// The answer to `suspensions`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Suspensions {
    pub(in crate::client) suspensions: Vec<SuspensionLine>,
    #[serde(skip)]
    json: Json,
}

/// Who is kept out of the server: a user or a network.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SuspensionLine {
    /// The user.
    #[serde(default)]
    pub username: Option<String>,
    /// The address, or a network as ADDRESS/BITS.
    #[serde(default)]
    pub address: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "some_time")]
    pub until: Option<Time>,
    /// Who did it.
    #[serde(default)]
    pub by: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
}

/// The answer to `disconnect`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Disconnected {
    #[serde(default)]
    pub(in crate::client) sessions: u64,
    #[serde(skip)]
    json: Json,
}

/// The answer to `level`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct LevelIs {
    pub(in crate::client) level: Word<Level>,
    #[serde(skip)]
    json: Json,
}

/// How the server is doing.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ServerStatus {
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// What it calls itself.
    #[serde(default)]
    pub name: String,
    /// When it was started.
    #[serde(deserialize_with = "time")]
    pub started: Time,
    /// How far it is closed.
    pub level: Word<Level>,
    /// Whether everything that is asked of it would be done.
    #[serde(default)]
    pub ready: bool,
    /// What is wrong, where it is not ready.
    #[serde(default)]
    pub problem: Option<String>,
    /// Open connections, those in which nobody is logged in too.
    #[serde(default)]
    pub connections: u64,
    /// Sessions in which somebody is logged in.
    #[serde(default)]
    pub sessions: u64,
    /// Accounts that are online.
    #[serde(default)]
    pub accounts: u64,
    /// Guests who are online.
    #[serde(default)]
    pub guests: u64,
    /// Rooms, apart from direct conversations.
    #[serde(default)]
    pub rooms: u64,
    /// Writes that wait for their commit.
    #[serde(default)]
    pub queue: u64,
    /// Of the database.
    #[serde(default)]
    pub database_bytes: u64,
    /// Of the log beside it.
    #[serde(default)]
    pub wal_bytes: u64,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// The answer to `server_sessions`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct ServerSessions {
    pub(in crate::client) sessions: Vec<ServerSessionLine>,
    #[serde(default)]
    pub(in crate::client) more: bool,
    #[serde(skip)]
    json: Json,
}

/// A session of anybody, as an admin sees it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ServerSessionLine {
    /// Its number.
    pub session_id: u64,
    /// Who is logged in.
    pub username: String,
    /// Whether that is a guest.
    #[serde(default)]
    pub guest: bool,
    /// The role on the server.
    pub role: Word<ServerRole>,
    /// Where it comes from: an address, `local`, or `host`.
    #[serde(default)]
    pub address: String,
    /// What the program calls itself.
    #[serde(default)]
    pub client: Option<String>,
    /// Since when.
    #[serde(deserialize_with = "time")]
    pub since: Time,
    /// How many rooms it follows.
    #[serde(default)]
    pub rooms: u64,
}

/// The answer to `accounts`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct AccountList {
    pub(in crate::client) accounts: Vec<AccountLine>,
    #[serde(default)]
    pub(in crate::client) more: bool,
    #[serde(skip)]
    json: Json,
}

/// An account, as an admin sees it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AccountLine {
    /// Its name.
    pub username: String,
    /// The role on the server.
    pub role: Word<ServerRole>,
    /// When it was online last.
    #[serde(default, deserialize_with = "some_time")]
    pub last_seen: Option<Time>,
}

/// What came of reading the configuration again.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Reloaded {
    /// The keys that changed, and hold now.
    #[serde(default)]
    pub changed: Vec<String>,
    /// The keys that changed, and hold from the next start on.
    #[serde(default)]
    pub restart: Vec<String>,
    /// What is wrong, a line each. Where it is the configuration, nothing has changed.
    #[serde(default)]
    pub problems: Vec<String>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// The answer to `log_level`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct LogLevelIs {
    pub(in crate::client) level: String,
    #[serde(skip)]
    json: Json,
}
