//! The TLS handshake of a connection that was accepted: in a task of its own, within the time that there is for the login,
//! and in the place that the connection has among those in which nobody is logged in. So a flood of half handshakes costs
//! others no more than a flood of silent connections does.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::net::{Acceptor, Peer, Stream};
use crate::server::accept::{Door, Guest};
use crate::server::counters::one_more;

/// How many failed handshakes are logged in a second.
const MOST_LOGGED: u32 = 10;

/// A connection that does not speak TLS yet.
pub(super) struct Handshake {
    pub(super) acceptor: Acceptor,
    pub(super) stream: Stream,
    pub(super) peer: Peer,
}

impl Door {
    /// Shakes hands, and then serves the connection.
    pub(super) async fn serve_after(self: Arc<Door>, handshake: Handshake, guest: Guest) {
        let Handshake { acceptor, stream, peer } = handshake;
        let shaken = acceptor.accept(stream);
        let shaken = async {
            match self.manners.handshake_deadline(guest.since) {
                Some(deadline) => timeout_at(deadline, shaken).await.unwrap_or_else(|_| Err(too_slow())),
                None => shaken.await,
            }
        };
        let outcome = tokio::select! {
            biased;
            // It is to make room, or the server stops. There is no way yet to tell the other side.
            () = guest.link.is_dismissed() => return,
            outcome = shaken => outcome,
        };
        match outcome {
            Ok(stream) => self.serve(stream, guest),
            Err(error) => {
                one_more(&self.counters.failed_handshakes);
                self.log_failure(peer, &error);
            }
        }
    }

    /// Whoever only looks whether there is somebody is no news. The rest is, for whoever wonders why a client does not get
    /// in; but not so often that it could fill a disk.
    fn log_failure(&self, peer: Peer, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
        if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof) {
            tracing::debug!(%peer, reason = %error, "no TLS handshake");
            return;
        }
        let allowed = self.handshake_log.lock().unwrap_or_else(PoisonError::into_inner).next(Instant::now());
        match allowed {
            Some(0) => tracing::info!(%peer, reason = %error, "no TLS handshake"),
            Some(more) => tracing::info!(%peer, reason = %error, more, "no TLS handshake; more were not logged"),
            None => {}
        }
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it took too long")
}

/// Lets only so many lines of a kind into the log, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    second: Option<Instant>,
    logged: u32,
    left_out: u64,
}

impl Sparse {
    /// Whether another line is logged, and how many were left out before it.
    fn next(&mut self, now: Instant) -> Option<u64> {
        if self.second.is_none_or(|begun| now.saturating_duration_since(begun) >= Duration::from_secs(1)) {
            (self.second, self.logged) = (Some(now), 0);
        }
        if self.logged >= MOST_LOGGED {
            self.left_out += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_in_part_and_counted_in_full() {
        let start = Instant::now();
        let mut sparse = Sparse::default();
        let mut count = |ms: u64, times: usize| {
            let now = start + Duration::from_millis(ms);
            (0..times).filter_map(|_| sparse.next(now)).collect::<Vec<_>>()
        };
        assert_eq!(count(0, 4), [0; 4]);
        assert_eq!(count(500, 100), [0; 6]);
        assert_eq!(count(999, 3), [0; 0]);
        assert_eq!(count(1000, 2), [97, 0]);
        assert_eq!(count(9000, 1), [0]);
    }
}
