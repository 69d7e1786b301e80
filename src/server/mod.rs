//! Puts it together: a chat server inside your program.

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
pub use crate::net::{CertificateError, CertificateFiles, Fingerprint};
pub use crate::store::sqlite::{
    Backup, BackupError, ExportError, ImportError, OpenError, Report, RestoreError, Restored,
};
pub use builder::Builder;
pub use certificates::{CertificateErrors, ListenerCertificate, check_certificates};
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
