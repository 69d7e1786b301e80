//! What the exit code says of a server that does not start. Both programs can be one, and share this file.

use snakk::StartError;
use snakk::server::OpenError;

/// An address is not available.
pub(crate) const UNAVAILABLE: u8 = 69;
/// The data directory, the database or a file cannot be created or opened.
pub(crate) const CANNOT_CREATE: u8 = 73;
/// Another server has the database open: trying again later helps.
pub(crate) const TEMPORARY: u8 = 75;
/// Something was set up wrongly: trying again never helps, and systemd is told not to.
pub(crate) const CONFIG: u8 = 78;

/// The exit code (those above are from sysexits.h).
pub(crate) fn exit_code(error: &StartError) -> u8 {
    match error {
        StartError::Config(_)
        | StartError::Address { .. }
        | StartError::Certificates(_)
        | StartError::ControlSocket { .. }
        | StartError::Socket { .. }
        | StartError::Sockets { .. }
        | StartError::NoDataDir => CONFIG,
        StartError::Listen { .. } => UNAVAILABLE,
        StartError::DataDir { .. } | StartError::Database(OpenError::CannotOpen { .. }) => CANNOT_CREATE,
        StartError::Database(OpenError::Locked { .. }) => TEMPORARY,
        _ => 1,
    }
}
