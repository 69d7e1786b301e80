//! How long things took: counts in fixed buckets, cheap enough to be kept everywhere and always.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the buckets, in microseconds: from what memory takes to what a disk in trouble takes.
const ENDS: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Counts durations. What is added from several threads is all there in the end, though not at one moment.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; ENDS.len() + 1],
    nanos: AtomicU64,
}

/// What a [`Histogram`] held at one moment; without anything in it by [`Distribution::default`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// For each bucket its upper end, and how many took so long or less: each holds the ones before it.
    pub buckets: Vec<(Duration, u64)>,
    /// How many there were in all, also those beyond the last bucket.
    pub count: u64,
    /// How long all of them took together.
    pub sum: Duration,
}

impl Default for Distribution {
    fn default() -> Distribution {
        Histogram::default().distribution()
    }
}

impl Histogram {
    /// One more took so long.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        let at = ENDS.partition_point(|end| *end < micros);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What there is by now.
    pub fn distribution(&self) -> Distribution {
        let mut count = 0;
        let mut counts = self.counts.iter().map(|bucket| {
            count += bucket.load(Ordering::Relaxed);
            count
        });
        let buckets = ENDS.iter().map(|end| Duration::from_micros(*end)).zip(counts.by_ref()).collect();
        let count = counts.next().unwrap_or_default();
        Distribution { buckets, count, sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_holds_what_took_as_long_or_less() {
        let histogram = Histogram::default();
        for micros in [0, 100, 101, 250, 999, 60_000_000, 60_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        histogram.observe(Duration::from_nanos(100_001));
        let Distribution { buckets, count, sum } = histogram.distribution();
        let at = |micros| buckets.iter().find(|(end, _)| *end == Duration::from_micros(micros)).unwrap().1;
        assert_eq!((at(100), at(250), at(500), at(1000), at(60_000_000), count), (2, 5, 5, 6, 7, 8));
        assert_eq!(sum, Duration::from_nanos(120_001_451_000 + 100_001));
        assert!(buckets.is_sorted());
    }
}
