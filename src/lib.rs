//! snakk
pub mod model;
#[doc(hidden)]
pub mod net;
