//! How the program ends: the exit codes, most of them from sysexits.h, and the message that goes with them.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use snakk::StartError;
use snakk::config::ConfigErrors;
use snakk::server::{BackupError, ExportError, ImportError, OpenError, RestoreError};

/// Something failed.
pub(crate) const FAILURE: u8 = 1;
/// The arguments are wrong.
pub(crate) const USAGE: u8 = 2;
/// An address is not available.
pub(crate) const UNAVAILABLE: u8 = 69;
/// The data directory, the database or a file cannot be created or opened.
pub(crate) const CANNOT_CREATE: u8 = 73;
/// Another `snakkd` has the database open: trying again later helps.
pub(crate) const TEMPORARY: u8 = 75;
/// The configuration is wrong: trying again never helps, and systemd is told not to.
pub(crate) const CONFIG: u8 = 78;

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
        let code = match &error {
            StartError::Config(_) | StartError::Address { .. } | StartError::NoDataDir => CONFIG,
            StartError::Listen { .. } => UNAVAILABLE,
            StartError::DataDir { .. } => CANNOT_CREATE,
            StartError::Database(error) => code_of(error),
            _ => FAILURE,
        };
        Failure::new(code, error)
    }
}

/// The code of a database that cannot be opened.
fn code_of(error: &OpenError) -> u8 {
    match error {
        OpenError::CannotOpen { .. } => CANNOT_CREATE,
        OpenError::Locked { .. } => TEMPORARY,
        _ => FAILURE,
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        Failure::new(code_of(&error), error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Failure {
        let code = match &error {
            BackupError::Database(error) => code_of(error),
            BackupError::CannotWrite { .. } => CANNOT_CREATE,
            _ => FAILURE,
        };
        Failure::new(code, error)
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Failure {
        let code = match &error {
            RestoreError::Backup(error) | RestoreError::Place(error) => code_of(error),
            _ => FAILURE,
        };
        Failure::new(code, error)
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        let code = match &error {
            ImportError::Place(error) => code_of(error),
            _ => FAILURE,
        };
        Failure::new(code, error)
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Failure {
        let code = match &error {
            ExportError::Database(error) => code_of(error),
            _ => FAILURE,
        };
        Failure::new(code, error)
    }
}
