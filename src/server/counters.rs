//! What happens at the doors, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::net::connection::Closed;
use crate::net::limiter::Rejected;
use crate::protocol::{Code, Refusal};
use crate::server::connections::NoPlace;

/// Why connections are turned away, as a word.
const REJECTIONS: [&str; 6] = ["full", "address_full", "address_fast", "not_logged_in", "stopping", "hook"];

/// What happens at the doors, counted.
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) failed_handshakes: AtomicU64,
    /// Sessions by what they speak. Those that end are taken off again.
    pub(super) native: AtomicU64,
    pub(super) course: AtomicU64,
    rejected: [AtomicU64; REJECTIONS.len()],
    closed: [AtomicU64; Closed::ALL.len()],
    refusals: [AtomicU64; Code::ALL.len()],
}

impl Counters {
    pub(super) fn new() -> Counters {
        Counters {
            accepted: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
            native: AtomicU64::new(0),
            course: AtomicU64::new(0),
            rejected: [const { AtomicU64::new(0) }; REJECTIONS.len()],
            closed: [const { AtomicU64::new(0) }; Closed::ALL.len()],
            refusals: [const { AtomicU64::new(0) }; Code::ALL.len()],
        }
    }

    /// A connection may not come in.
    pub(super) fn reject(&self, rejected: Rejected) {
        one_more(
            &self.rejected[match rejected {
                Rejected::Full => 0,
                Rejected::TooManyFromAddress => 1,
                Rejected::TooFast { .. } => 2,
            }],
        );
    }

    /// There is no place for a connection.
    pub(super) fn no_place(&self, no_place: NoPlace) {
        one_more(
            &self.rejected[match no_place {
                NoPlace::Strangers => 3,
                NoPlace::Closed => 4,
            }],
        );
    }

    /// The hooks let a connection not in, or failed.
    pub(super) fn hook_rejects(&self) {
        one_more(&self.rejected[5]);
    }

    /// A connection is over.
    pub(super) fn close(&self, why: Closed) {
        one_more(&self.closed[why as usize]);
    }

    /// Somebody is told that something is not done.
    pub(super) fn refuse(&self, refusal: &Refusal) {
        one_more(&self.refusals[refusal.code as usize]);
    }

    /// How many connections were turned away, by reason.
    pub(super) fn rejections(&self) -> Vec<(&'static str, u64)> {
        REJECTIONS.into_iter().zip(self.rejected.iter().map(load)).collect()
    }

    /// How many connections ended, by reason.
    pub(super) fn closes(&self) -> Vec<(&'static str, u64)> {
        Closed::ALL.iter().map(|why| why.as_str()).zip(self.closed.iter().map(load)).collect()
    }

    /// How often something was refused, by code.
    pub(super) fn refusals(&self) -> Vec<(&'static str, u64)> {
        Code::ALL.iter().map(|code| code.as_str()).zip(self.refusals.iter().map(load)).collect()
    }
}

/// One more.
pub(super) fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// How many by now.
pub(super) fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_under_its_own_word() {
        let counters = Counters::new();
        for code in Code::ALL {
            counters.refuse(&(*code).into());
        }
        for why in Closed::ALL {
            counters.close(*why);
        }
        counters.refuse(&Code::Internal.into());
        assert!(counters.closes().iter().all(|(_, count)| *count == 1));
        assert!(counters.refusals().iter().all(|(code, count)| *count == 1 + u64::from(*code == "internal")));
    }
}
