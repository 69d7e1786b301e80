//! snakk
pub mod model;
