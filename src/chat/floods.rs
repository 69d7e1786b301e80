//! What users have left of what they may send.

use std::time::Instant;

use crate::chat::flood::Bucket;

/// What a user has left of what it may send.
#[derive(Default)]
pub(crate) struct Floods {
    /// For what is said.
    pub(crate) talk: Bucket,
    /// For everything else.
    pub(crate) other: Bucket,
    /// For asking whether something was said before.
    pub(crate) lookups: Bucket,
    /// For rooms that are made.
    pub(crate) creations: Bucket,
    /// For what reaches somebody who has not asked for it: direct conversations that are begun, invitations, reports.
    pub(crate) approaches: Bucket,
}

impl Floods {
    /// Whether nothing of it is spent, so that it need not be remembered.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        let Floods { talk, other, lookups, creations, approaches } = self;
        [talk, other, lookups, creations, approaches].iter().all(|bucket| bucket.is_full(now))
    }
}
