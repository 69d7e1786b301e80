//! How many connections there may be: in all, from each address, and new ones from each address in a time.
//!
//! Pure: the caller brings the time. Its memory is bounded, whatever addresses turn up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Peer;

/// The most addresses that are remembered at once.
const MAX_ADDRESSES: usize = 65536;

/// The options of a [`Limiter`]; 0 switches a limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address at the same time.
    pub max_connections_per_ip: usize,
    /// New connections from one address: so many at once, and as many in each minute after that.
    pub new_connections_per_minute_per_ip: u32,
}

/// Why a connection was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// There are as many connections as there may be.
    #[error("the server has as many connections as it may have")]
    Full,
    /// There are as many connections from this address as there may be.
    #[error("there are too many connections from this address")]
    TooManyFromAddress,
    /// New connections come too fast from this address.
    #[error("new connections come too fast from this address")]
    TooFast {
        /// When the next one will be admitted.
        retry_after: Duration,
    },
}

/// Counts the connections. Clones share their counts.
#[derive(Clone, Debug)]
pub struct Limiter {
    counts: Arc<Mutex<Counts>>,
}

/// An admitted connection's place; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    counts: Arc<Mutex<Counts>>,
    origin: Option<Origin>,
}

/// What counts as one address: an IPv4 address, or a /64 of IPv6, of which anybody can have all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    V4(u32),
    V6(u64),
}

#[derive(Debug)]
struct Counts {
    limits: Limits,
    open: usize,
    origins: HashMap<Origin, Visits>,
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Visits {
    open: usize,
    /// When the allowance for new connections is whole again.
    restored: Option<Instant>,
}

impl Limiter {
    /// With these limits, and no connections.
    #[must_use]
    pub fn new(limits: Limits) -> Limiter {
        Limiter { counts: Arc::new(Mutex::new(Counts { limits, open: 0, origins: HashMap::new(), swept: None })) }
    }

    /// Changes the limits for those who come from now on.
    pub fn set_limits(&self, limits: Limits) {
        lock(&self.counts).limits = limits;
    }

    /// How many connections there are.
    #[must_use]
    pub fn open(&self) -> usize {
        lock(&self.counts).open
    }

    /// Takes a place for a connection. Only the limit in all holds for local peers.
    ///
    /// # Errors
    /// [`Rejected`] says which limit was reached. Who is rejected has spent nothing.
    pub fn admit(&self, peer: Peer, now: Instant) -> Result<Admission, Rejected> {
        let origin = match peer {
            Peer::Local => None,
            Peer::Ip(ip) => Some(Origin::of(ip)),
        };
        let origin = lock(&self.counts).admit(origin, now)?;
        Ok(Admission { counts: Arc::clone(&self.counts), origin })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        lock(&self.counts).give_back(self.origin);
    }
}

impl Origin {
    fn of(ip: IpAddr) -> Origin {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Origin::V4(ip.to_bits()),
            IpAddr::V6(ip) => Origin::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

impl Counts {
    /// Returns under which origin the connection was counted, if under any.
    fn admit(&mut self, origin: Option<Origin>, now: Instant) -> Result<Option<Origin>, Rejected> {
        if self.limits.max_connections > 0 && self.open >= self.limits.max_connections {
            return Err(Rejected::Full);
        }
        let Some(origin) = origin else {
            self.open += 1;
            return Ok(None);
        };
        let mut visits = self.origins.get(&origin).copied().unwrap_or(Visits { open: 0, restored: None });
        if self.limits.max_connections_per_ip > 0 && visits.open >= self.limits.max_connections_per_ip {
            return Err(Rejected::TooManyFromAddress);
        }
        visits.restored = self.spend(visits.restored, now)?;
        visits.open += 1;
        self.open += 1;
        if !self.origins.contains_key(&origin) && self.origins.len() >= MAX_ADDRESSES {
            self.sweep(now);
            if self.origins.len() >= MAX_ADDRESSES {
                // More addresses in a second than can be remembered, or as many with connections open: whoever can do
                // that is not held by a limit for each of them. The limit in all still holds.
                return Ok(None);
            }
        }
        self.origins.insert(origin, visits);
        Ok(Some(origin))
    }

    /// Spends one new connection of an address's allowance: a leaky bucket that is kept as the time when it is empty.
    fn spend(&self, restored: Option<Instant>, now: Instant) -> Result<Option<Instant>, Rejected> {
        const MINUTE: Duration = Duration::from_secs(60);
        let Some(each) = MINUTE.checked_div(self.limits.new_connections_per_minute_per_ip) else { return Ok(None) };
        let from = restored.map_or(now, |restored| restored.max(now));
        let restored = from + each;
        match restored.duration_since(now).checked_sub(MINUTE) {
            Some(over) if !over.is_zero() => Err(Rejected::TooFast { retry_after: over }),
            _ => Ok(Some(restored)),
        }
    }

    fn give_back(&mut self, origin: Option<Origin>) {
        self.open = self.open.saturating_sub(1);
        let Some(origin) = origin else { return };
        let Some(visits) = self.origins.get_mut(&origin) else { return };
        visits.open = visits.open.saturating_sub(1);
        if visits.open == 0 && visits.restored.is_none() {
            self.origins.remove(&origin);
        }
    }

    /// Makes room among the remembered addresses: first those that have nothing to remember, then, if that is not
    /// enough, all those without an open connection. At most once a second: where nothing can be freed, a sweep for
    /// each newcomer would be a gift to an attacker.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|last| now.saturating_duration_since(last) < Duration::from_secs(1)) {
            return;
        }
        self.swept = Some(now);
        self.origins.retain(|_, visits| visits.open > 0 || visits.restored.is_some_and(|restored| restored > now));
        if self.origins.len() > MAX_ADDRESSES / 2 {
            self.origins.retain(|_, visits| visits.open > 0);
        }
        self.origins.shrink_to(self.origins.len() * 2);
    }
}

/// The counts are whole between any two statements that can panic (there are none), so a poisoned lock is a good one.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn ip(text: &str) -> Peer {
        Peer::Ip(text.parse().unwrap())
    }

    fn limiter(max_connections: usize, per_ip: usize, per_minute: u32) -> Limiter {
        Limiter::new(Limits {
            max_connections,
            max_connections_per_ip: per_ip,
            new_connections_per_minute_per_ip: per_minute,
        })
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let now = Instant::now();
        let limiter = limiter(2, 0, 0);
        let first = limiter.admit(ip("10.0.0.1"), now).unwrap();
        let _second = limiter.admit(Peer::Local, now).unwrap();
        assert_eq!(limiter.admit(ip("10.0.0.2"), now).unwrap_err(), Rejected::Full);
        assert_eq!(limiter.admit(Peer::Local, now).unwrap_err(), Rejected::Full);
        drop(first);
        assert_eq!(limiter.open(), 1);
        let _third = limiter.admit(ip("10.0.0.2"), now).unwrap();
        assert_eq!(limiter.open(), 2);
    }

    #[test]
    fn which_addresses_count_as_one() {
        let cases = [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.2", false),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::1", "127.0.0.1", false),
        ];
        for (one, other, same) in cases {
            let now = Instant::now();
            let limiter = limiter(0, 1, 0);
            let _held = limiter.admit(ip(one), now).unwrap();
            let second = limiter.admit(ip(other), now);
            assert_eq!(second.is_err(), same, "{one} and {other}");
            if let Err(rejected) = second {
                assert_eq!(rejected, Rejected::TooManyFromAddress);
            }
        }
    }

    #[test]
    fn local_peers_are_limited_only_in_all() {
        let now = Instant::now();
        let limiter = limiter(100, 1, 1);
        let held: Vec<_> = (0..100).map(|_| limiter.admit(Peer::Local, now).unwrap()).collect();
        assert_eq!(limiter.admit(Peer::Local, now).unwrap_err(), Rejected::Full);
        drop(held);
        assert_eq!(limiter.open(), 0);
    }

    #[test]
    fn new_connections_have_a_pace() {
        let start = Instant::now();
        let limiter = limiter(0, 0, 6);
        // Seconds after the start, and whether it gets in: six at once, then one in ten seconds.
        let cases = [
            (0.0, Ok(())),
            (0.0, Ok(())),
            (0.0, Ok(())),
            (0.0, Ok(())),
            (0.0, Ok(())),
            (0.0, Ok(())),
            (0.0, Err(10.0)),
            (4.0, Err(6.0)),
            (10.0, Ok(())),
            (10.0, Err(10.0)),
            (25.0, Ok(())),
            (25.0, Err(5.0)),
            (1000.0, Ok(())),
            (1000.0, Ok(())),
        ];
        for (index, (seconds, expected)) in cases.into_iter().enumerate() {
            let now = start + Duration::from_secs_f64(seconds);
            let expected = expected.map_err(|wait| Rejected::TooFast { retry_after: Duration::from_secs_f64(wait) });
            assert_eq!(limiter.admit(ip("10.0.0.1"), now).map(drop), expected, "step {index}");
            // Others are not concerned.
            assert!(limiter.admit(ip(&format!("10.0.1.{index}")), now).is_ok());
        }
    }

    #[test]
    fn limits_change_while_connections_are_open() {
        let now = Instant::now();
        let limiter = limiter(0, 0, 0);
        let held: Vec<_> = (0..5).map(|_| limiter.admit(ip("10.0.0.1"), now).unwrap()).collect();
        limiter.set_limits(Limits { max_connections_per_ip: 5, ..Limits::default() });
        assert_eq!(limiter.admit(ip("10.0.0.1"), now).unwrap_err(), Rejected::TooManyFromAddress);
        drop(held);
        assert!(limiter.admit(ip("10.0.0.1"), now).is_ok());
        limiter.set_limits(Limits { max_connections: 0, ..Limits::default() });
        assert!(limiter.admit(ip("10.0.0.1"), now).is_ok());
    }

    #[test]
    fn nothing_is_remembered_of_those_who_left() {
        let now = Instant::now();
        let limiter = limiter(0, 2, 0);
        drop(limiter.admit(ip("10.0.0.1"), now).unwrap());
        assert!(lock(&limiter.counts).origins.is_empty());
    }

    #[test]
    fn memory_is_bounded_whatever_addresses_turn_up() {
        let now = Instant::now();
        let limiter = limiter(0, 1, 1);
        let peer = |number: u32| Peer::Ip(IpAddr::V4(Ipv4Addr::from_bits(number)));
        let stays = limiter.admit(ip("2001:db8::1"), now).unwrap();
        for number in 0..200_000 {
            drop(limiter.admit(peer(number), now + Duration::from_millis(number.into()) / 10).unwrap());
        }
        assert!(lock(&limiter.counts).origins.len() <= MAX_ADDRESSES);
        // Who has a connection open is never forgotten.
        assert_eq!(limiter.admit(ip("2001:db8::2"), now).unwrap_err(), Rejected::TooManyFromAddress);
        drop(stays);

        let nets = |number: u32| Peer::Ip(IpAddr::V6(Ipv6Addr::from_bits(u128::from(number) << 64)));
        let held: Vec<_> = (0..70_000).map(|number| limiter.admit(nets(number), now).unwrap()).collect();
        assert_eq!(lock(&limiter.counts).origins.len(), MAX_ADDRESSES);
        assert_eq!(limiter.open(), 70_000);
        drop(held);
        assert_eq!(limiter.open(), 0);
    }
}
