//! How a store is doing, for whoever watches it.

use std::time::Duration;

use crate::model::Distribution;

/// How a store is doing. What a store does not know of itself it leaves as it is in [`Vitals::default`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Vitals {
    /// How long commits took, from the taking of what waited to the end of the commit.
    pub commits: Distribution,
    /// How many commits failed.
    pub failed_commits: u64,
    /// Why what was to be stored last could not be stored. None again when something was.
    pub refuses: Option<String>,
    /// How often the writer has begun or ended something. Whoever sees it rise sees a writer that goes on.
    pub beats: u64,
    /// Since when the writer has been at something that only the disk can hold up, such as a commit.
    pub at_work: Option<Duration>,
    /// How many readings were done.
    pub readings: u64,
    /// How many readings wait for a reader, and how many may.
    pub readings_waiting: usize,
    /// See [`Vitals::readings_waiting`].
    pub most_readings_waiting: usize,
    /// The size of the database file, in bytes.
    pub file_bytes: Option<u64>,
    /// The size of the log beside it, in bytes.
    pub log_bytes: Option<u64>,
}
