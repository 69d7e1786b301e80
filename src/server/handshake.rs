//! The TLS handshake of a connection that was accepted: in a task of its own, within the time that there is for the login,
//! and in the place that the connection has among those in which nobody is logged in. So a flood of half handshakes costs
//! others no more than a flood of silent connections does.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::net::{Acceptor, Peer, Stream};
use crate::server::accept::{Door, Guest};
use crate::server::counters::one_more;

/// How many failed handshakes are logged in a second.
const MOST_LOGGED: u32 = 10;
/// A second.
const SECOND: Duration = Duration::from_secs(1);

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
            match self.terms().manners.handshake_deadline(guest.since) {
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
            Ok(stream) => {
                if let Some(certificate) = stream.peer_certificate() {
                    guest.link.shows(certificate);
                }
                self.serve(stream, guest);
            }
            Err(error) => {
                one_more(&self.counters.failed_handshakes);
                // Its place is free again, whatever there is to say yet.
                drop(guest);
                self.log_failure(peer, &error).await;
            }
        }
    }

    /// Whoever only looks whether there is somebody is no news. The rest is, for whoever wonders why a client does not get
    /// in; but not so often that it could fill a disk. The first one in a second that is left out waits for its end, and
    /// says how many they were.
    async fn log_failure(&self, peer: Peer, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
        if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof) {
            tracing::debug!(%peer, %error, "no TLS handshake");
            return;
        }
        let sparse = || self.handshake_log.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = sparse().next(Instant::now());
        match verdict {
            Verdict::Log => tracing::info!(%peer, %error, "no TLS handshake"),
            Verdict::Count => {}
            Verdict::CountUntil(end) => {
                self.terms().connection.hurry.run_until_cancelled(sleep_until(end)).await;
                let suppressed = sparse().take();
                tracing::info!(suppressed, "more TLS handshakes failed");
            }
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

/// What becomes of a line.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// It is logged.
    Log,
    /// It is counted, and somebody will say so.
    Count,
    /// It is counted, and whoever asked says then how many were.
    CountUntil(Instant),
}

impl Sparse {
    /// Whether another line is logged.
    fn next(&mut self, now: Instant) -> Verdict {
        let begun = self.second.filter(|begun| now.saturating_duration_since(*begun) < SECOND).unwrap_or(now);
        if self.second.replace(begun) != Some(begun) {
            self.logged = 0;
        }
        if self.logged < MOST_LOGGED {
            self.logged += 1;
            return Verdict::Log;
        }
        self.left_out += 1;
        if self.left_out == 1 { Verdict::CountUntil(begun + SECOND) } else { Verdict::Count }
    }

    /// How many were counted since the last time.
    fn take(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_in_part_and_counted_in_full() {
        let start = Instant::now();
        let mut sparse = Sparse::default();
        let mut logged = |ms: u64, times: usize| {
            let now = start + Duration::from_millis(ms);
            let verdicts: Vec<Verdict> = (0..times).map(|_| sparse.next(now)).collect();
            let waits = verdicts.iter().filter(|verdict| **verdict == Verdict::CountUntil(start + SECOND)).count();
            let taken = if ms == 1000 { sparse.take() } else { 0 };
            (verdicts.iter().filter(|verdict| **verdict == Verdict::Log).count(), waits, taken)
        };
        assert_eq!(logged(0, 4), (4, 0, 0));
        assert_eq!(logged(500, 100), (6, 1, 0));
        assert_eq!(logged(999, 3), (0, 0, 0));
        assert_eq!(logged(1000, 2), (2, 0, 97));
        assert_eq!(logged(9000, 1), (1, 0, 0));
    }
}
