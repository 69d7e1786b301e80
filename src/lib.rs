//! snakk
#[cfg(feature = "server")]
pub mod config;
pub mod model;
pub mod protocol;
#[cfg(feature = "server")]
pub mod store;

#[cfg(feature = "server")]
pub use config::Config;
