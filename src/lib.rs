//! snakk
#[cfg(feature = "client")]
pub mod client;
pub mod model;
#[doc(hidden)]
pub mod net;
pub mod protocol;
#[cfg(feature = "server")]
pub mod store;

#[cfg(feature = "client")]
pub use client::Client;
