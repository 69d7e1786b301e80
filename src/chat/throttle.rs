//! Slows down who guesses passwords or makes accounts in bulk: by address, and by account and address, so that nobody can
//! lock an owner out from elsewhere.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::chat::flood::{Bucket, Rate};

/// The first pause after the attempts are used up; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause; and how long a row of failures is remembered.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How many addresses are remembered. When there are more, the oldest half is forgotten.
const MOST_REMEMBERED: usize = 65_536;

/// Where somebody comes from, as far as it is counted: an IPv4 address, or an IPv6 network of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    /// Where that address is counted.
    pub(crate) fn of(address: IpAddr) -> Origin {
        Origin(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 => v4,
        })
    }
}

/// Counts wrong passwords.
#[derive(Default)]
pub(crate) struct Attempts {
    by_origin: Mutex<HashMap<Origin, Row>>,
    by_account: Mutex<HashMap<(Box<str>, Origin), Row>>,
}

/// Counts accounts that were made.
#[derive(Default)]
pub(crate) struct Registrations {
    by_origin: Mutex<HashMap<Origin, Bucket>>,
}

/// A row of failures.
#[derive(Clone, Copy, Debug)]
struct Row {
    failures: u32,
    last: Instant,
    /// Not before this moment is the next attempt looked at.
    next: Instant,
    /// What `next` was before the last attempt, to take that attempt back.
    before: Instant,
}

impl Attempts {
    /// Takes an attempt before it is looked at, as if it would fail; [`Attempts::succeeded`] gives it back.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn take(&self, account: &str, origin: Origin, most: u32, now: Instant) -> Result<(), Duration> {
        if most == 0 {
            return Ok(());
        }
        take(&mut lock(&self.by_origin), origin, most, now)?;
        let taken = take(&mut lock(&self.by_account), (account.into(), origin), most, now);
        if taken.is_err() {
            // Nothing is looked at, so nothing fails.
            lock(&self.by_origin).get_mut(&origin).map(Row::give_back);
        }
        taken
    }

    /// The attempt did not fail: it does not count.
    pub(crate) fn give_back(&self, account: &str, origin: Origin) {
        lock(&self.by_origin).get_mut(&origin).map(Row::give_back);
        lock(&self.by_account).get_mut(&(account.into(), origin)).map(Row::give_back);
    }

    /// The owner was there: the account's row of failures from that address is over.
    pub(crate) fn forgive(&self, account: &str, origin: Origin) {
        lock(&self.by_account).remove(&(account.into(), origin));
    }
}

impl Row {
    /// The last attempt does not count.
    fn give_back(&mut self) {
        self.failures = self.failures.saturating_sub(1);
        // Not at once: a good login between two guesses must not make the guesses cheaper.
        self.next = self.before;
    }
}

impl Registrations {
    /// Takes one of the accounts that may be made from there.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn take(&self, origin: Origin, per_hour: u32, now: Instant) -> Result<(), Duration> {
        let mut buckets = lock(&self.by_origin);
        if buckets.len() >= MOST_REMEMBERED {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        if buckets.len() >= MOST_REMEMBERED {
            // So many addresses at once are a botnet, against which counting by address does nothing anyway.
            buckets.clear();
        }
        buckets.entry(origin).or_default().take(Rate::per_hour(per_hour), now)
    }
}

fn take<K: Eq + Hash + Clone>(rows: &mut HashMap<K, Row>, key: K, most: u32, now: Instant) -> Result<(), Duration> {
    if rows.len() >= MOST_REMEMBERED && !rows.contains_key(&key) {
        rows.retain(|_, row| now.saturating_duration_since(row.last) < LONGEST_PAUSE);
        if rows.len() >= MOST_REMEMBERED {
            let mut ages: Vec<Instant> = rows.values().map(|row| row.last).collect();
            let (_, middle, _) = ages.select_nth_unstable(MOST_REMEMBERED / 2);
            let middle = *middle;
            rows.retain(|_, row| row.last > middle);
        }
    }
    let row = rows.entry(key).or_insert(Row { failures: 0, last: now, next: now, before: now });
    if now.saturating_duration_since(row.last) >= LONGEST_PAUSE && now >= row.next {
        row.failures = 0;
    }
    if now < row.next {
        return Err(row.next - now);
    }
    row.failures += 1;
    row.last = now;
    row.before = row.next;
    row.next = now + pause(row.failures, most);
    Ok(())
}

/// How long to wait behind so many failures.
fn pause(failures: u32, most: u32) -> Duration {
    match failures.checked_sub(most) {
        None => Duration::ZERO,
        Some(beyond) => FIRST_PAUSE.saturating_mul(1 << beyond.min(10)).min(LONGEST_PAUSE),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(text.parse().unwrap())
    }

    #[test]
    fn after_the_attempts_pauses_double() {
        let (attempts, here, start) = (Attempts::default(), origin("192.0.2.1"), Instant::now());
        for _ in 0..5 {
            assert_eq!(attempts.take("bob", here, 5, start), Ok(()));
        }
        assert_eq!(attempts.take("bob", here, 5, start), Err(Duration::from_secs(10)));
        let later = start + Duration::from_secs(10);
        assert_eq!(attempts.take("bob", here, 5, later), Ok(()));
        assert_eq!(attempts.take("bob", here, 5, later), Err(Duration::from_secs(20)));
        assert_eq!(attempts.take("bob", origin("192.0.2.2"), 5, later), Ok(()), "the owner comes in from elsewhere");
        assert!(attempts.take("eve", here, 5, later).is_err(), "one password for many accounts is slowed down too");
    }

    #[test]
    fn good_attempts_do_not_count() {
        let (attempts, here, now) = (Attempts::default(), origin("192.0.2.1"), Instant::now());
        for _ in 0..100 {
            assert_eq!(attempts.take("bob", here, 5, now), Ok(()));
            attempts.forgive("bob", here);
            attempts.give_back("bob", here);
        }
    }

    #[test]
    fn what_is_not_looked_at_does_not_count() {
        let (attempts, here, now) = (Attempts::default(), origin("192.0.2.1"), Instant::now());
        assert_eq!(attempts.take("bob", here, 5, now), Ok(()));
        // As where the origin's row of failures is shorter, for a login to another account was taken back.
        lock(&attempts.by_account).get_mut(&("bob".into(), here)).unwrap().next = now + Duration::from_secs(9);
        let failures = || lock(&attempts.by_origin)[&here].failures;
        let before = failures();
        assert_eq!(attempts.take("bob", here, 5, now), Err(Duration::from_secs(9)));
        assert_eq!(failures(), before);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_address_as_itself() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:2"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for address in 0..(2 * MOST_REMEMBERED as u32) {
            let later = now + Duration::from_millis(u64::from(address));
            let _ = attempts.take("bob", Origin::of(IpAddr::V4(address.into())), 5, later);
        }
        assert!(lock(&attempts.by_origin).len() <= MOST_REMEMBERED);
    }
}
