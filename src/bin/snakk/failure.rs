//! How the program ends when it did not do what it was asked to.

use std::io;
use std::process::ExitCode;

use snakk::client::ClientError;

use crate::show::{note, plain};

/// An exit code, and what is said about it. An empty message is an end without a word.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Refused by the server.
    pub(crate) const REFUSED: u8 = 1;
    /// Asked in a way that makes no sense.
    pub(crate) const USAGE: u8 = 2;
    /// There is no server, or not the one that is trusted.
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// Sent, but not acknowledged.
    pub(crate) const UNKNOWN: u8 = 75;
    /// The server did not let us in.
    pub(crate) const LOGIN: u8 = 77;
    /// Something that was set up for this program is not as it should be.
    pub(crate) const CONFIGURATION: u8 = 78;

    pub(crate) fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }

    /// Nobody reads what we print any more, which is how `snakk tail | head` ends.
    fn quiet() -> Failure {
        Failure { code: 0, message: String::new() }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// What is said about it.
    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        note(&self.message);
        ExitCode::from(self.code)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let code = match &error {
            ClientError::LoginRefused { .. } => Failure::LOGIN,
            ClientError::Connect { source, .. } => match source.kind() {
                // The address itself is the trouble.
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Failure::USAGE,
                _ => Failure::UNAVAILABLE,
            },
            ClientError::Certificate(_) => Failure::CONFIGURATION,
            ClientError::Untrusted { .. }
            | ClientError::Disconnected
            | ClientError::Timeout
            | ClientError::Closed
            | ClientError::Protocol(_) => Failure::UNAVAILABLE,
            _ => Failure::REFUSED,
        };
        Failure { code, message: describe(&error) }
    }
}

/// An error with what is behind it, safe to print.
pub(crate) fn describe(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    plain(&text).into_owned()
}

/// For standard output, the only thing that is written.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::quiet(),
            _ => Failure::new(Failure::REFUSED, format!("cannot write to standard output: {error}")),
        }
    }
}
