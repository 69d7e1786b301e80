//! What those ask who run the server.

use serde::Deserialize;

use super::json::{answers, secret, some_time, time};
use super::{Json, Word};
use crate::model::{Level, Time};
use crate::protocol::Secret;

answers!(NewInvite, Invitations, Suspensions, Disconnected, LevelIs);

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
