//! Flood control: pure functions of a state and the time.

use std::time::{Duration, Instant};

/// A token bucket, kept as the one moment at which it would be full again (GCRA, ITU-T I.371 annex A).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    full_at: Option<Instant>,
}

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Tokens in a period; 0 switches flood control off.
    pub(crate) tokens: u32,
    /// The period.
    pub(crate) period: Duration,
    /// Tokens that it holds at most.
    pub(crate) burst: u32,
}

impl Rate {
    /// So many tokens a second.
    pub(crate) fn per_second(tokens: u32, burst: u32) -> Rate {
        Rate { tokens, period: Duration::from_secs(1), burst }
    }

    /// So many tokens an hour, all of which may be taken at once.
    pub(crate) fn per_hour(tokens: u32) -> Rate {
        Rate { tokens, period: Duration::from_secs(3600), burst: tokens }
    }

    fn token(self) -> Duration {
        self.period / self.tokens.max(1)
    }
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        if rate.tokens == 0 {
            return Ok(());
        }
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + rate.token();
        let most = rate.token() * rate.burst.max(1);
        match (full_at - now).checked_sub(most) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                self.full_at = Some(full_at);
                Ok(())
            }
        }
    }

    /// Gives a token back.
    pub(crate) fn give_back(&mut self, rate: Rate) {
        if let Some(at) = self.full_at
            && rate.tokens > 0
        {
            self.full_at = at.checked_sub(rate.token());
        }
    }

    /// Whether it is full, and thus need not be remembered.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let (rate, start) = (Rate::per_second(5, 20), Instant::now());
        let mut bucket = Bucket::default();
        for _ in 0..20 {
            assert_eq!(bucket.take(rate, start), Ok(()));
        }
        let wait = bucket.take(rate, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(200));
        assert!(bucket.take(rate, start + wait - Duration::from_millis(1)).is_err());
        assert_eq!(bucket.take(rate, start + wait), Ok(()), "the wait that was told is true");
        assert!(bucket.take(rate, start + wait).is_err());
    }

    #[test]
    fn an_idle_bucket_fills_up_to_the_burst_and_no_further() {
        let (rate, start) = (Rate::per_second(10, 3), Instant::now());
        let mut bucket = Bucket::default();
        for second in [0, 1, 100, 1_000_000] {
            let now = start + Duration::from_secs(second);
            let taken = (0..10).filter(|_| bucket.take(rate, now).is_ok()).count();
            assert_eq!(taken, 3);
        }
    }

    #[test]
    fn a_token_that_is_given_back_can_be_taken_again() {
        let (rate, now) = (Rate::per_second(1, 1), Instant::now());
        let mut bucket = Bucket::default();
        for _ in 0..10 {
            assert_eq!(bucket.take(rate, now), Ok(()));
            bucket.give_back(rate);
        }
    }

    #[test]
    fn zero_switches_it_off() {
        let mut bucket = Bucket::default();
        assert!((0..1000).all(|_| bucket.take(Rate::per_second(0, 0), Instant::now()).is_ok()));
    }
}
