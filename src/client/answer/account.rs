//! One's own account: its tokens and sessions.

use serde::Deserialize;

use super::Json;
use super::json::{answers, fingerprint, lines, secret, some_fingerprint, some_time, time};
use crate::model::{Fingerprint, Time};
use crate::protocol::Secret;

answers!(NewToken, NewCertificate, Tokens, TokenLine, Sessions);

/// A token that was made.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct NewToken {
    /// The token itself, which is shown this once.
    #[serde(deserialize_with = "secret")]
    pub token: Secret,
    /// By which it is revoked.
    pub token_id: u64,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "some_time")]
    pub expires: Option<Time>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A certificate that may log in from now on.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct NewCertificate {
    /// Which one it is.
    #[serde(deserialize_with = "fingerprint")]
    pub fingerprint: Fingerprint,
    /// By which it is revoked, as a token is.
    pub token_id: u64,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "some_time")]
    pub expires: Option<Time>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// The answer to `token`, action "list".
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Tokens {
    #[serde(deserialize_with = "lines")]
    pub(in crate::client) tokens: Vec<TokenLine>,
    #[serde(skip)]
    json: Json,
}

/// A token or certificate as the list of them shows it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct TokenLine {
    /// By which it is revoked.
    pub token_id: u64,
    /// Which certificate it is, if it is one.
    #[serde(default, deserialize_with = "some_fingerprint")]
    pub fingerprint: Option<Fingerprint>,
    /// What it is for.
    #[serde(default)]
    pub label: String,
    /// When it was made.
    #[serde(deserialize_with = "time")]
    pub created: Time,
    /// When it ends by itself.
    #[serde(default, deserialize_with = "some_time")]
    pub expires: Option<Time>,
    /// When somebody logged in with it last.
    #[serde(default, deserialize_with = "some_time")]
    pub last_used: Option<Time>,
    /// Its object as it came.
    #[serde(skip)]
    pub json: Json,
}

/// The answer to `sessions`.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Sessions {
    // Of an answer to `close` there may be none.
    #[serde(default)]
    pub(in crate::client) sessions: Vec<OwnSession>,
    #[serde(skip)]
    json: Json,
}

/// One of one's own sessions.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct OwnSession {
    /// By which it is closed.
    pub session_id: u64,
    /// What it called itself.
    #[serde(default)]
    pub client: Option<String>,
    /// Since when it is logged in.
    #[serde(deserialize_with = "time")]
    pub since: Time,
    /// The label of the token or certificate by which it logged in.
    #[serde(default)]
    pub token: Option<String>,
    /// By which that is revoked.
    #[serde(default)]
    pub token_id: Option<u64>,
    /// It is the one that asks.
    #[serde(default)]
    pub current: bool,
}
