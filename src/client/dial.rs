//! From an address to a session that is logged in, and how long to wait before trying that again.

use std::io;
use std::time::Duration;

use super::answer::{Answer, Hello, Json, LoggedIn};
use super::builder::Identity;
use super::error::ClientError;
use super::link::{Lines, Output, link};
use super::wire::{self, Ask, Incoming, protocol, reveal};
use crate::net::{self, Address, CertificateFiles, ConnectError, Distrust, Stream, Trust, Untrusted};
use crate::protocol::{Code, Kind, Secret};

/// What a server is that answers plain text with an alert.
const SPEAKS_TLS: &str = "it speaks TLS, so its address begins with tls://";

/// A connection on which `hello` and the login went well.
pub(super) struct Session {
    pub(super) lines: Lines,
    pub(super) output: Output,
    pub(super) hello: Hello,
    pub(super) login: Option<LoggedIn>,
    /// The server had forgotten the guest: this is another one.
    pub(super) new_guest: bool,
}

/// Where a client goes, whom it believes there, and what it shows.
pub(super) struct Target {
    /// As it was given.
    pub(super) address: Box<str>,
    pub(super) trust: Trust,
    pub(super) certificate: Option<CertificateFiles>,
}

impl Target {
    /// Opens a connection.
    pub(super) async fn open(&self) -> Result<Stream, ClientError> {
        let address = self.address.clone();
        let parsed = match Address::parse_server(&address) {
            Ok(parsed) => parsed,
            Err(error) => {
                return Err(ClientError::Connect {
                    address,
                    source: io::Error::new(io::ErrorKind::InvalidInput, error),
                });
            }
        };
        net::connect(&parsed, &self.trust, self.certificate.as_ref()).await.map_err(|error| match error {
            ConnectError::Io(source) => ClientError::Connect { address, source },
            ConnectError::Untrusted(Untrusted { why, fingerprint }) => {
                ClientError::Untrusted { address, why, fingerprint }
            }
            ConnectError::Certificate(error) => ClientError::Certificate(error),
        })
    }
}

/// Says hello and logs in, on a stream that leads to that address.
pub(super) async fn greet(
    stream: Stream,
    address: &str,
    client: &str,
    identity: &Identity,
) -> Result<Session, ClientError> {
    let (lines, output) = link(stream);
    let mut greeting = Greeting { address, lines, output, id: 0 };
    let hello: Hello = greeting.ask(Ask::hello(client)).await?;
    let mut new_guest = false;
    let login = match identity {
        Identity::Nobody => None,
        Identity::Account { username, password } => {
            let ask = Ask::new(Kind::Login).with("username", username).with("password", reveal(password));
            Some(greeting.log_in(ask).await?)
        }
        Identity::Token { username, token } => {
            let ask = Ask::new(Kind::Login).with("username", username).with("token", reveal(token));
            Some(greeting.log_in(ask).await?)
        }
        Identity::Certificate { username } => {
            let ask = Ask::new(Kind::Login).with("username", username).with("certificate", true);
            Some(greeting.log_in(ask).await?)
        }
        Identity::Guest { username, token } => Some(match token {
            None => greeting.guest(username, None).await?,
            Some(token) => match greeting.guest(username, Some(token)).await {
                // Its ten minutes have passed, or the server was restarted.
                Err(ClientError::LoginRefused { code: Code::BadCredentials, .. }) => {
                    new_guest = true;
                    greeting.guest(username, None).await?
                }
                other => other?,
            },
        }),
    };
    let Greeting { lines, output, .. } = greeting;
    Ok(Session { lines, output, hello, login, new_guest })
}

/// Whether trying again may bring something else. What is wrong with a certificate its owner may mend, or the network that
/// put another one into its place; only that it is not the pinned one any more somebody has to look at on our side.
pub(super) fn is_final(error: &ClientError) -> bool {
    if let ClientError::Untrusted { why, .. } = error {
        return matches!(why, Distrust::OtherFingerprint { .. });
    }
    matches!(
        error.code(),
        Some(
            Code::UnsupportedProtocol
                | Code::BadRequest
                | Code::BadName
                | Code::BadCredentials
                | Code::Forbidden
                | Code::Banned
                | Code::RegistrationClosed
        )
    )
}

/// A connection before its login, when there is one question and one answer at a time.
struct Greeting<'a> {
    address: &'a str,
    lines: Lines,
    output: Output,
    id: u64,
}

impl Greeting<'_> {
    async fn guest(&mut self, username: &str, token: Option<&Secret>) -> Result<LoggedIn, ClientError> {
        let ask = Ask::new(Kind::Login).with("username", username).maybe("token", token.map(reveal));
        self.log_in(ask).await
    }

    async fn log_in(&mut self, ask: Ask) -> Result<LoggedIn, ClientError> {
        self.ask(ask).await.map_err(ClientError::of_login)
    }

    async fn ask<T: Answer>(&mut self, ask: Ask) -> Result<T, ClientError> {
        self.id += 1;
        wire::number(&ask.encode()?, self.id, self.output.buffer());
        self.output.flush().await.map_err(|error| self.ended(error))?;
        let json: Json = loop {
            let Some(incoming) = self.lines.next()?.map(wire::incoming) else {
                if self.lines.read().await.map_err(|error| self.ended(error))? == 0 {
                    let speaks_tls = self.lines.end_with_tls_alert();
                    return Err(if speaks_tls { protocol(SPEAKS_TLS) } else { ClientError::Disconnected });
                }
                continue;
            };
            match incoming? {
                // Without an id it is about the connection: too many of them, a login that took too long.
                Incoming::Answer { id, answer } if id.is_none_or(|id| id == self.id) => break answer?,
                // Nothing is followed yet: what is told now is no entry, and what it says may be old.
                Incoming::Answer { .. } | Incoming::Event(_) => {}
            }
        };
        wire::answer(json)
    }

    /// In TLS 1.3 only now a client hears what the server found wrong in the handshake, such as its certificate. What comes
    /// is invalid then, and the error says why.
    fn ended(&self, error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::InvalidData => ClientError::Connect { address: self.address.into(), source: error },
            _ => ClientError::Disconnected,
        }
    }
}

/// How long to wait before the next attempt: not at all, then twice as long each time, never two clients in step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) first: Duration,
    pub(super) longest: Duration,
    pub(super) attempts: u32,
}

impl Backoff {
    /// The wait before the next attempt; `chance` is a random number.
    pub(super) fn next(&mut self, chance: u32) -> Duration {
        let attempt = self.attempts;
        self.attempts = attempt.saturating_add(1);
        if attempt == 0 {
            return Duration::ZERO;
        }
        let whole = self.first.saturating_mul(1 << (attempt - 1).min(20)).min(self.longest);
        // Between half of it and all of it.
        whole / 2 + (whole / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }

    /// A connection has lasted: the next loss is a new story.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fingerprint;

    #[test]
    fn the_first_attempt_is_made_at_once_and_later_ones_wait_longer_and_longer() {
        let mut backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30), attempts: 0 };
        let most: Vec<u128> = (0..9).map(|_| backoff.next(u32::MAX).as_millis()).collect();
        assert_eq!(most, [0, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(backoff.next(0), Duration::from_secs(15));
        backoff.reset();
        assert_eq!(backoff.next(7), Duration::ZERO);
        backoff.attempts = u32::MAX;
        assert_eq!(backoff.next(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn only_another_certificate_than_the_pinned_one_is_final() {
        let fingerprint = Fingerprint::from_bytes([1; 32]);
        for (why, expected) in [
            (Distrust::OtherFingerprint { pinned: Fingerprint::from_bytes([2; 32]) }, true),
            (Distrust::Expired { since: None }, false),
            (Distrust::UnknownIssuer, false),
            (Distrust::WrongHost { host: "a".into(), names: Vec::new() }, false),
            (Distrust::NotProven, false),
        ] {
            let shown = why.to_string();
            assert_eq!(
                is_final(&ClientError::Untrusted { address: "a".into(), why, fingerprint }),
                expected,
                "{shown}"
            );
        }
    }

    #[cfg(not(feature = "tls"))]
    #[tokio::test]
    async fn without_tls_its_addresses_are_refused_before_anything_is_tried() {
        let target = Target { address: "tls://127.0.0.1:1".into(), trust: Trust::Anything, certificate: None };
        match target.open().await {
            Err(ClientError::Connect { source, .. }) => {
                assert_eq!(source.kind(), io::ErrorKind::Unsupported);
                assert_eq!(source.to_string(), "this program was built without TLS");
            }
            other => panic!("{other:?}"),
        }
    }
}
