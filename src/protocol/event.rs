//! What the server tells unasked, apart from the entries of logs: hints, which have no `seq`.

use std::sync::Arc;
use std::time::Duration;

/// What may be told unasked and is no entry of a log. `presence` may be merged or dropped under load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the keys are those of the wire")]
pub enum Hint {
    /// Somebody with whom this session shares a room came or went.
    Presence { user: Arc<str>, online: bool },
    /// The server stops; try again after a while.
    Shutdown { reason: &'static str, retry_after: Duration },
}
