//! Puts it together: a chat server inside your program.
//!
//! [`Builder`] says what it is to be, [`Server`] is one that runs. [`Hooks`] are what your program has to say about who comes
//! in and what is said, [`ServerEvents`] tell it what happens, [`Stats`] and [`Health`] how the server is. [`Database`] and
//! [`Offline`] are for data directories on which no server runs.
//!
//! Nothing here is global, installs a logger or a signal handler, or ends the process; it needs a tokio runtime of any kind.
//! The guide is `docs/embedding.md`; [`testing`](crate::testing) is for your tests.

mod accept;
mod bridge;
mod builder;
mod certificates;
mod connections;
mod control;
mod counters;
mod data_dir;
mod database;
mod error;
mod handshake;
mod health;
mod http;
mod metrics;
mod offline;
mod options;
mod orders;
mod process;
mod reload;
mod running;
mod sockets;
mod stats;

pub use crate::chat::AccountLine;
pub use crate::chat::{
    Attempt, Authentication, Connection, Decision, Happening, Hooks, Identity, Login, NewMessage, ServerEvents, Verdict,
};
pub use crate::model::Fingerprint;
pub use crate::net::{CertificateError, CertificateFiles};
pub use crate::store::sqlite::{
    Backup, BackupError, ExportError, ImportError, OpenError, Report, RestoreError, Restored,
};
pub use builder::Builder;
pub use certificates::{CertificateErrors, ListenerCertificate, ListenerCertificateError, check_certificates};
pub use control::MAX_SOCKET_PATH;
pub use data_dir::default_data_dir;
pub use database::Database;
pub use error::StartError;
pub use health::{Health, NotReady, Part};
pub use metrics::prometheus;
pub use offline::{Missing, Offline};
pub use orders::{LogLevelOrder, Order, ReloadOrder};
pub use process::Process;
pub use reload::Reloaded;
pub use running::{Server, Shutdown};
pub use sockets::{Socket, Streams};
pub use stats::Stats;
