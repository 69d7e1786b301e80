//! What is searched for.

/// A query.
#[derive(Clone, Debug, Default)]
pub struct Query;
