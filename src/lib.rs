//! snakk
pub mod model;
pub mod protocol;
#[cfg(feature = "server")]
pub mod store;
