//! What the chat counts: cheap enough to be counted always. Nothing here grows with users or rooms.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::chat::Chat;
use crate::chat::hooks::HookFigures;
use crate::model::{Body, Distribution, Histogram};

/// The kinds of entries, as they are called in events.
pub const ENTRY_KINDS: [&str; 7] = ["message", "edit", "delete", "react", "topic", "member", "room"];

/// How many places a [`Tally`] has.
const SHARDS: usize = 16;

/// A number that many threads add to, each mostly in a cache line of its own.
#[derive(Default)]
pub(super) struct Tally([Shard; SHARDS]);

#[derive(Default)]
#[repr(align(64))]
struct Shard(AtomicU64);

impl Tally {
    /// Adds to it. `whose` only spreads those who add.
    pub(super) fn add(&self, whose: u64, count: u64) {
        self.0[whose as usize % SHARDS].0.fetch_add(count, Ordering::Relaxed);
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|shard| shard.0.load(Ordering::Relaxed)).sum()
    }
}

/// What the chat counts.
#[derive(Default)]
pub(super) struct Counters {
    entries: [AtomicU64; ENTRY_KINDS.len()],
    /// Entries that were handed to the writers of sessions, and their bytes.
    pub(super) deliveries: Tally,
    pub(super) delivered_bytes: Tally,
    /// See [`Figures::delivery`].
    pub(super) delivery: Histogram,
    pub(super) logins: AtomicU64,
    pub(super) bad_credentials: AtomicU64,
    pub(super) registrations: AtomicU64,
}

impl Counters {
    /// One more entry was committed.
    pub(super) fn entry(&self, body: &Body) {
        let kind = match body {
            Body::Message(_) => 0,
            Body::Edit { .. } => 1,
            Body::Delete { .. } => 2,
            Body::React { .. } => 3,
            Body::Topic { .. } => 4,
            Body::Member { .. } => 5,
            Body::Room(_) => 6,
        };
        one_more(&self.entries[kind]);
    }
}

/// One more.
pub(super) fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// What the chat has counted, and what there is in it, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How many entries were committed, in the order of [`ENTRY_KINDS`].
    pub entries: [u64; ENTRY_KINDS.len()],
    /// How many entries were handed to the writers of sessions: each once for each session.
    pub deliveries: u64,
    /// How many bytes these had.
    pub delivered_bytes: u64,
    /// How long entries took from being accepted to being handed to the writer of a follower. Of each commit the oldest
    /// entry of each room is measured, with the follower that came last.
    pub delivery: Distribution,
    /// How many logins succeeded, by whatever dialect.
    pub logins: u64,
    /// How many were refused because of what should have proved them.
    pub bad_credentials: u64,
    /// How many accounts were made by their users.
    pub registrations: u64,
    /// Accounts that are online.
    pub accounts_online: usize,
    /// Guests who are online.
    pub guests_online: usize,
    /// Rooms that are no direct conversations.
    pub rooms: usize,
    /// Direct conversations.
    pub conversations: usize,
    /// Passwords that are being hashed, and how many can be at once.
    pub hashing: (usize, usize),
    /// Passwords that wait for that, and how many may.
    pub waiting_to_hash: (usize, usize),
    /// How the hooks of the program fared that the chat lives in.
    pub hooks: HookFigures,
    /// Happenings that somebody who listens for them was not told of, for it did not keep up.
    pub events_missed: u64,
}

impl Chat {
    /// What was counted until now. Costs a look at everybody who is online.
    pub fn figures(&self) -> Figures {
        let counters = &self.counters;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (accounts_online, guests_online) = self.online.count();
        let (rooms, conversations) = self.rooms.count();
        let (hashing, waiting_to_hash) = self.passwords.count();
        Figures {
            entries: std::array::from_fn(|kind| load(&counters.entries[kind])),
            deliveries: counters.deliveries.sum(),
            delivered_bytes: counters.delivered_bytes.sum(),
            delivery: counters.delivery.distribution(),
            logins: load(&counters.logins),
            bad_credentials: load(&counters.bad_credentials),
            registrations: load(&counters.registrations),
            accounts_online,
            guests_online,
            rooms,
            conversations,
            hashing,
            waiting_to_hash,
            hooks: self.host.as_ref().map(|host| host.figures()).unwrap_or_default(),
            events_missed: self.feed.missed(),
        }
    }
}
