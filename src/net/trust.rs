//! Which servers a client believes, and why it does not believe one. Only what can be said about it; the checks
//! themselves are in `tls/`.

use std::time::SystemTime;

use crate::model::Fingerprint;

/// By what a client knows that it speaks to the server that it means; for addresses that begin with `tls://`.
///
/// Whichever it is, the server has to prove that it holds the key of the certificate that it shows, nothing is sent before
/// it has, and there is no way back to an unencrypted connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// By a certificate for its name (or IP address) that an authority has signed which this system trusts. The variables
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    #[default]
    System,
    /// By this very certificate, whoever has signed it, for whatever name, and however long ago.
    Pinned(Fingerprint),
    /// Not at all: whoever answers is believed. This protects against those who only listen, and against nobody else.
    Anything,
}

/// A server that is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate ({fingerprint}) is not trusted: {why}")]
pub struct Untrusted {
    /// Why not.
    pub why: Distrust,
    /// Which certificate it showed.
    pub fingerprint: Fingerprint,
}

/// Why a server is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// The certificate was good until then.
    #[error("it expired{}", on(.since))]
    Expired {
        /// Since when it is not good any more.
        since: Option<SystemTime>,
    },
    /// The certificate will be good from then on; or this computer's clock is wrong.
    #[error("it is not valid before{}", on(.until).strip_prefix(" on").unwrap_or(" a later time"))]
    NotYetValid {
        /// Until when it is not good yet.
        until: Option<SystemTime>,
    },
    /// The certificate is one of another server.
    #[error("it is not for {host}{}", instead(.names))]
    WrongHost {
        /// The host that was asked for.
        host: Box<str>,
        /// The names that the certificate is for, as they came.
        names: Vec<String>,
    },
    /// Nobody whom this system trusts has signed the certificate; it may be self-signed.
    #[error("no authority that this system trusts has signed it")]
    UnknownIssuer,
    /// This system has no list of authorities that it trusts.
    #[error("this system has no list of authorities to trust")]
    NoAuthorities,
    /// The certificate is another one than the one that is pinned: the server has a new one, or this is another server.
    #[error("it is not the one that is pinned, {pinned}")]
    OtherFingerprint {
        /// The fingerprint that it should have.
        pinned: Fingerprint,
    },
    /// The server does not prove that it holds the key of the certificate: it has only copied it.
    #[error("the server does not prove that it is its own")]
    NotProven,
    /// The certificate cannot be read.
    #[error("it cannot be read ({0})")]
    Unreadable(Box<str>),
    /// Something else is wrong with the certificate.
    #[error("it breaks the rules ({0})")]
    Faulty(Box<str>),
}

impl Distrust {
    /// Whether the server would be believed if the fingerprint that it showed were pinned. Not where it is pinned to
    /// another one (somebody has to find out first what has happened), and not where a pin would not help.
    #[must_use]
    pub fn may_be_pinned(&self) -> bool {
        match self {
            Distrust::Expired { .. }
            | Distrust::NotYetValid { .. }
            | Distrust::WrongHost { .. }
            | Distrust::UnknownIssuer
            | Distrust::NoAuthorities
            | Distrust::Faulty(_) => true,
            Distrust::OtherFingerprint { .. } | Distrust::NotProven | Distrust::Unreadable(_) => false,
        }
    }
}

/// ` on 2026-01-31 12:00 UTC`, where the time is known.
fn on(time: &Option<SystemTime>) -> String {
    let known = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    known.map(|time| time.strftime(" on %Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// `, but for a, b and 3 more`.
fn instead(names: &[String]) -> String {
    const MOST: usize = 3;
    let shown = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        _ if names.is_empty() => String::new(),
        0 => format!(", but for {shown}"),
        more => format!(", but for {shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_reason_is_a_sentence_about_the_certificate() {
        let time = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600));
        let names = |count: usize| (0..count).map(|n| format!("{n}.example")).collect::<Vec<_>>();
        for (why, shown) in [
            (Distrust::Expired { since: time }, "it expired on 2026-01-01 00:00 UTC"),
            (Distrust::Expired { since: None }, "it expired"),
            (Distrust::NotYetValid { until: time }, "it is not valid before 2026-01-01 00:00 UTC"),
            (Distrust::NotYetValid { until: None }, "it is not valid before a later time"),
            (Distrust::WrongHost { host: "a".into(), names: names(0) }, "it is not for a"),
            (Distrust::WrongHost { host: "a".into(), names: names(1) }, "it is not for a, but for 0.example"),
            (
                Distrust::WrongHost { host: "a".into(), names: names(5) },
                "it is not for a, but for 0.example, 1.example, 2.example and 2 more",
            ),
            (Distrust::UnknownIssuer, "no authority that this system trusts has signed it"),
        ] {
            assert_eq!(why.to_string(), shown);
        }
    }
}
