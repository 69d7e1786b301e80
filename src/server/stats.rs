//! What a running server counts, as values.

use std::time::Duration;

use crate::chat::{ENTRY_KINDS, HOOKS};
use crate::model::Distribution;
use crate::server::counters::load;
use crate::server::health::Inside;
use crate::server::process::Process;

/// Of so many sessions at most it is asked how far they lag.
const MOST_ASKED: usize = 10_000;

/// What a running server has counted since its start, and what there is in it now; from
/// [`Server::stats`](crate::Server::stats). Nothing in it grows with users or rooms.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The version of this program.
    pub version: &'static str,
    /// The time since the start.
    pub uptime: Duration,
    /// Connections that are open, those of [`Server::connect`](crate::Server::connect) among them.
    pub connections: usize,
    /// Those of them in which nobody is logged in.
    pub unauthenticated: usize,
    /// Connections that were let in.
    pub accepted: u64,
    /// Connections that were turned away, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// Connections that ended, by how.
    pub closed: Vec<(&'static str, u64)>,
    /// TLS handshakes that failed.
    pub failed_handshakes: u64,
    /// Sessions that are open, by what they speak: `native`, `course`. Who has said nothing yet is in neither.
    pub sessions: Vec<(&'static str, u64)>,
    /// Users who are online: `account`, `guest`.
    pub online: Vec<(&'static str, u64)>,
    /// Rooms: `room`, `direct`.
    pub rooms: Vec<(&'static str, u64)>,
    /// Entries that were committed, by kind.
    pub entries: Vec<(&'static str, u64)>,
    /// Entries that were handed to the writers of sessions, each once for each session.
    pub deliveries: u64,
    /// The bytes that these had, where they were encoded for all at once (native sessions).
    pub delivered_bytes: u64,
    /// How long entries took from being accepted to being handed to the writer of a follower: of each commit the oldest of
    /// each room, and the follower that came last.
    pub delivery: Distribution,
    /// How long commits took, from the taking of what waited to the end of the commit.
    pub commits: Distribution,
    /// Commits that failed.
    pub failed_commits: u64,
    /// Why what was to be stored last could not be stored.
    pub storage_refuses: Option<String>,
    /// Readings of the database.
    pub readings: u64,
    /// What waits, and how much may: the `writer`'s queue in its places (with what is being committed), the `readers`', and
    /// the `passwords`' that are to be hashed.
    pub queues: Vec<(&'static str, u64, u64)>,
    /// Passwords that are being hashed.
    pub hashing: u64,
    /// How many entries stand behind the cursors of sessions, all together. At most 10,000 sessions are asked.
    pub lag: u64,
    /// How many stand behind the cursors of the session that lags most.
    pub most_lag: u64,
    /// How many sessions lag.
    pub lagging: u64,
    /// What was refused, by code.
    pub refusals: Vec<(&'static str, u64)>,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins with a wrong password or token.
    pub bad_credentials: u64,
    /// Accounts that were made by their users.
    pub registrations: u64,
    /// How often hooks were asked, by which.
    pub hooks_asked: Vec<(&'static str, u64)>,
    /// Calls of hooks that failed: `panic`, `timeout`.
    pub hooks_failed: Vec<(&'static str, u64)>,
    /// Happenings that those who listen for them ([`Server::events`](crate::Server::events), the hook `on_event`) were not
    /// told of, for they did not keep up.
    pub events_missed: u64,
    /// The size of the database, in bytes.
    pub database_bytes: Option<u64>,
    /// The size of its log (WAL), in bytes.
    pub wal_bytes: Option<u64>,
    /// What the system says of the process.
    pub process: Process,
}

impl Inside {
    /// See [`Server::stats`](crate::Server::stats).
    pub(super) fn stats(&self) -> Stats {
        let (door, figures, vitals) = (&self.door, self.door.chat.figures(), self.store.vitals());
        let counters = &door.counters;
        let (connections, unauthenticated) = door.connections.count();
        let lags = door.connections.some(MOST_ASKED).into_iter().map(|link| link.lag());
        let (mut lag, mut most_lag, mut lagging) = (0, 0, 0);
        for behind in lags.filter(|behind| *behind > 0) {
            (lag, most_lag, lagging) = (lag + behind, behind.max(most_lag), lagging + 1);
        }
        let (places, taken) = self.store.queue().places();
        let (hashing, _) = figures.hashing;
        let (waiting_to_hash, may_wait_to_hash) = figures.waiting_to_hash;
        Stats {
            version: env!("CARGO_PKG_VERSION"),
            uptime: self.started.elapsed(),
            connections,
            unauthenticated,
            accepted: load(&counters.accepted),
            rejected: counters.rejections(),
            closed: counters.closes(),
            failed_handshakes: load(&counters.failed_handshakes),
            sessions: vec![("native", load(&counters.native)), ("course", load(&counters.course))],
            online: vec![("account", figures.accounts_online as u64), ("guest", figures.guests_online as u64)],
            rooms: vec![("room", figures.rooms as u64), ("direct", figures.conversations as u64)],
            entries: ENTRY_KINDS.into_iter().zip(figures.entries).collect(),
            deliveries: figures.deliveries,
            delivered_bytes: figures.delivered_bytes,
            delivery: figures.delivery,
            commits: vitals.commits,
            failed_commits: vitals.failed_commits,
            storage_refuses: vitals.refuses,
            readings: vitals.readings,
            queues: vec![
                ("writer", taken as u64, places as u64),
                ("readers", vitals.readings_waiting as u64, vitals.most_readings_waiting as u64),
                ("passwords", waiting_to_hash as u64, may_wait_to_hash as u64),
            ],
            hashing: hashing as u64,
            lag,
            most_lag,
            lagging,
            refusals: counters.refusals(),
            logins: figures.logins,
            bad_credentials: figures.bad_credentials,
            registrations: figures.registrations,
            hooks_asked: HOOKS.into_iter().zip(figures.hooks.asked).collect(),
            hooks_failed: vec![("panic", figures.hooks.panicked), ("timeout", figures.hooks.timed_out)],
            events_missed: figures.events_missed,
            database_bytes: vitals.file_bytes,
            wal_bytes: vitals.log_bytes,
            process: Process::now(),
        }
    }
}
