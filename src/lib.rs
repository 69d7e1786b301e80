//! snakk
pub mod model;
pub mod protocol;
