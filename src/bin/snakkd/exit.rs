//! How the program ends: the exit codes, most of them from sysexits.h, and the message that goes with them.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use snakk::StartError;
use snakk::config::ConfigErrors;
use snakk::server::{BackupError, ExportError, ImportError, OpenError, RestoreError};

use crate::start::exit_code;
pub(crate) use crate::start::{CANNOT_CREATE, CONFIG, UNAVAILABLE};

/// Something failed.
pub(crate) const FAILURE: u8 = 1;
/// The arguments are wrong.
pub(crate) const USAGE: u8 = 2;
/// Why the program ends, and with which code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Display) -> Failure {
        Failure { code, message: message.to_string() }
    }

    /// The same, with what it is about in front.
    pub(crate) fn about(self, what: &str) -> Failure {
        // Names are not always what they should be, and may be shown on a terminal.
        Failure { message: format!("{}: {}", what.escape_debug(), self.message), ..self }
    }

    /// Why, on one line or several.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says why on standard error, each line with the program's name in front.
    pub(crate) fn report(&self) -> ExitCode {
        let mut stderr = io::stderr().lock();
        for line in self.message.lines() {
            // Where standard error is closed, the code still tells.
            let _ = writeln!(stderr, "snakkd: {line}");
        }
        ExitCode::from(self.code)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Failure {
        Failure::new(CONFIG, errors)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        Failure::new(exit_code(&error), error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        StartError::from(error).into()
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Failure {
        match error {
            BackupError::Database(error) => error.into(),
            BackupError::CannotWrite { .. } => Failure::new(CANNOT_CREATE, error),
            _ => Failure::new(FAILURE, error),
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Failure {
        match error {
            RestoreError::Backup(error) | RestoreError::Place(error) => error.into(),
            _ => Failure::new(FAILURE, error),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Failure {
        match error {
            ExportError::Database(error) => error.into(),
            _ => Failure::new(FAILURE, error),
        }
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        match error {
            ImportError::Place(error) => error.into(),
            _ => Failure::new(FAILURE, error),
        }
    }
}
