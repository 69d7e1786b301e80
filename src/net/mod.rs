//! Bytes: sockets, framing, one reader and one writer task for each connection, limits and stalls. Knows nothing of
//! chat; the server and the client share it.

pub mod address;
mod certificate;
pub mod connection;
pub mod framing;
pub mod limiter;
pub mod listener;
mod scanner;
pub mod stream;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
pub mod tls;
mod trust;

pub use address::{Address, AddressError, Host};
pub use certificate::{CertificateError, CertificateFiles};
pub use connection::{Closed, Flow, Options, Outgoing, Receiver, Then, Transmitter, spawn};
pub use framing::{Fault, Frame, Framer, Rules};
pub use limiter::{Admission, Limiter, Limits, Rejected};
pub use listener::{BindError, Listener, LocalAddress, Peer};
pub use stream::{ConnectError, Stream, connect, memory_pair};
pub use tls::{Acceptor, Certificate};
pub use trust::{Distrust, Trust, Untrusted};
