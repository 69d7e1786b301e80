//! How storing and reading can fail. How opening can fail is the business of each store.

use std::sync::Arc;

/// Why something could not be stored or read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full, failing, or not ours any more. What was to be stored is there or it is not: a repeat with the
    /// same nonce settles it.
    #[error("the store is not available now: {0}")]
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// Something in front of it in the same room failed, so it was not tried.
    #[error("what stood in front of it could not be stored")]
    Behind,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Wraps what the disk or database said.
    pub fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Unavailable(Arc::from(error.into()))
    }
}
