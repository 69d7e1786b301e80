//! Why a server does not start.

use std::io;
use std::path::PathBuf;

use crate::config::ConfigErrors;
use crate::net::address::AddressError;
use crate::net::listener::BindError;
use crate::server::CertificateErrors;
use crate::store::StoreError;
use crate::store::sqlite::OpenError;

/// Why a server does not start. What was done until then was undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// An address to listen on is none.
    #[error("cannot listen on {address:?}: {source}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        source: AddressError,
    },
    /// Certificates or keys are missing or of no use.
    #[error(transparent)]
    Certificates(#[from] CertificateErrors),
    /// The system does not let us listen there.
    #[error("{}", whole(.error))]
    Listen {
        /// Where and why.
        #[from]
        error: BindError,
    },
    /// A socket that was handed over cannot be used.
    #[error("cannot accept connections from the socket that was handed over for {address}: {source}")]
    Socket {
        /// Where it is, or for which listener.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// More sockets were handed over than there are listeners.
    #[error("there are {listeners} listeners, but sockets for more were handed over: {}", left.join(", "))]
    Sockets {
        /// How many listeners the configuration has.
        listeners: usize,
        /// Where the sockets are that nobody wants.
        left: Vec<String>,
    },
    /// There can be no control socket of that name.
    #[error("cannot open the control socket {}: {source}; give it another path: server.control_socket", path.display())]
    ControlSocket {
        /// As it was given.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The data directory cannot be made or used.
    #[error("cannot use the data directory {}: {source}; choose another one with server.data_dir", path.display())]
    DataDir {
        /// The data directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No place for the data is known.
    #[error(
        "no data directory: neither $STATE_DIRECTORY, $XDG_STATE_HOME nor $HOME names a folder; set server.data_dir"
    )]
    NoDataDir,
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The database was opened, but cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// With its cause, where it has one.
fn whole(error: &BindError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}
