//! What can go wrong between asking and being answered.

use std::io;
use std::time::Duration;

use crate::model::{Fingerprint, Time};
use crate::net::{CertificateError, Distrust};
use crate::protocol::Code;

/// Why a request, or the attempt to connect, brought nothing.
///
/// The sentences of a server are shown as they came. Whoever prints them on a terminal passes them through
/// [`safe`](crate::model::text::safe) first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server said no.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        code: Code,
        /// Why, for people.
        message: Box<str>,
        /// Which key of the request it is about.
        field: Option<Box<str>>,
        /// How long to wait before it makes sense to ask again.
        retry_after: Option<Duration>,
        /// Why somebody was banned, muted or suspended, as far as it was said.
        reason: Option<Box<str>>,
        /// Until when.
        until: Option<Time>,
    },
    /// The server said no, with a code that this version does not know.
    #[error("{message} ({code})")]
    RefusedOtherwise {
        /// The word on the wire.
        code: Box<str>,
        /// Why, for people.
        message: Box<str>,
    },
    /// The server did not let this user in.
    #[error("{message}")]
    LoginRefused {
        /// Why, for programs.
        code: Code,
        /// Why, for people.
        message: Box<str>,
        /// How long to wait before it makes sense to try again.
        retry_after: Option<Duration>,
        /// Why this user was suspended, as far as it was said.
        reason: Option<Box<str>>,
        /// Until when.
        until: Option<Time>,
    },
    /// There is no connection to be had.
    #[error("cannot connect to {address}")]
    Connect {
        /// As it was given.
        address: Box<str>,
        /// What the operating system says.
        source: io::Error,
    },
    /// The server's certificate is not to be trusted. Nothing was sent to it.
    #[error("the certificate of {address} ({fingerprint}) is not trusted: {why}")]
    Untrusted {
        /// Where, as it was given.
        address: Box<str>,
        /// What is wrong with it.
        why: Distrust,
        /// Which certificate the server showed: what [`Trust::Pinned`](super::Trust::Pinned) takes, once somebody has
        /// compared it with what the server's operator says.
        fingerprint: Fingerprint,
    },
    /// The certificate that was to be shown to the server is of no use, or its key. Nothing was sent.
    #[error("{0}")]
    Certificate(CertificateError),
    /// The connection was lost while the request was under way: it may have been done or not.
    #[error("the connection was lost")]
    Disconnected,
    /// No answer came in time: the request may have been done or not.
    #[error("the server did not answer in time")]
    Timeout,
    /// The client was closed, or has given up.
    #[error("the client is closed")]
    Closed,
    /// The request is larger than the server takes; it was not sent, because the server would close the connection.
    #[error("the request has {bytes} bytes, and the server takes {max_bytes}")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What is allowed.
        max_bytes: usize,
    },
    /// What came is not the native protocol.
    #[error("this is no snakk server, or not one of this version: {0}")]
    Protocol(Box<str>),
}

impl ClientError {
    /// The code of a refusal that this version knows.
    pub fn code(&self) -> Option<Code> {
        match self {
            ClientError::Refused { code, .. } | ClientError::LoginRefused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long to wait before it makes sense to ask again, where the server says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Refused { retry_after, .. } | ClientError::LoginRefused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Why somebody was banned, muted or suspended, where the server says so.
    pub fn reason(&self) -> Option<&str> {
        match self {
            ClientError::Refused { reason, .. } | ClientError::LoginRefused { reason, .. } => reason.as_deref(),
            _ => None,
        }
    }

    /// Until when somebody is banned, muted or suspended, where the server says so.
    pub fn until(&self) -> Option<Time> {
        match self {
            ClientError::Refused { until, .. } | ClientError::LoginRefused { until, .. } => *until,
            _ => None,
        }
    }

    /// The same refusal, as the answer to a login.
    pub(super) fn of_login(self) -> ClientError {
        match self {
            ClientError::Refused { code, message, retry_after, reason, until, .. } => {
                ClientError::LoginRefused { code, message, retry_after, reason, until }
            }
            other => other,
        }
    }
}
