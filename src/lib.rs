//! snakk
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod chat;
pub mod model;
#[doc(hidden)]
pub mod net;
pub mod protocol;
#[cfg(feature = "server")]
pub mod store;
