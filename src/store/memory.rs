//! A store of maps: nothing survives it. The plain model that SQLite is compared with, and the store for tests of whoever
//! embeds the server; it can be told to fail.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{mpsc, watch};

use crate::model::{Anchor, Entry, RoomId, Seq, Time, UserId};
use crate::store::batch::{Generations, settle};
use crate::store::{
    Account, Act, Hash, Hits, Most, Queued, Reading, Search, Settled, Standing, Store, StoreError, StoredInvitation,
    StoredMember, StoredMembership, StoredPage, StoredRoom, StoredToken, Unread, WriteQueue,
};

mod accounts;
mod log;
mod pages;
mod rooms;
mod search;
mod standing;
mod state;
mod unread;

use state::State;

/// Which commits fail, counted from 1.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// These fail, and nothing of them is kept.
    pub lost: BTreeSet<u64>,
    /// These are kept, and yet reported as failed: what a failing sync can do.
    pub kept: BTreeSet<u64>,
    /// From this one on nothing is taken from the queue any more, until the store is closed: what a deadlock does.
    pub stuck_from: Option<u64>,
}

/// A [`Store`] of maps.
pub struct MemoryStore {
    shared: Arc<Shared>,
    settled: Mutex<Option<mpsc::Receiver<Vec<Settled>>>>,
    secret: [u8; 32],
    closed: watch::Receiver<bool>,
}

struct Shared {
    queue: WriteQueue,
    /// None when it is closed.
    state: Mutex<Option<State>>,
}

impl MemoryStore {
    /// An empty store that never fails.
    pub fn new() -> MemoryStore {
        MemoryStore::with_faults(Faults::default())
    }

    /// An empty store that fails as planned.
    pub fn with_faults(faults: Faults) -> MemoryStore {
        let (sender, receiver) = mpsc::channel(4);
        let (closing, closed) = watch::channel(false);
        let shared = Arc::new(Shared { queue: WriteQueue::new(4096), state: Mutex::new(Some(State::default())) });
        let mut secret = [0; 32];
        // Without randomness there is nothing to protect either: this store is for tests.
        let _ = getrandom::fill(&mut secret);
        let store = MemoryStore { shared: Arc::clone(&shared), settled: Mutex::new(Some(receiver)), secret, closed };
        let write = move || {
            run(&shared, &faults, &sender);
            closing.send_replace(true);
        };
        if thread::Builder::new().name("snakk-memory".into()).spawn(write).is_err() {
            store.shared.queue.close();
        }
        store
    }

    fn read<'a, T: Send + 'a>(&'a self, read: impl FnOnce(&State) -> T) -> Reading<'a, T> {
        let result = self.shared.lock().as_ref().map(read).ok_or(StoreError::Closed);
        Box::pin(async move { result })
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(shared: &Shared, faults: &Faults, settled: &mpsc::Sender<Vec<Settled>>) {
    let mut generations = Generations::default();
    let (mut batch, mut fates) = (Vec::new(), Vec::new());
    let mut commit = 0;
    while shared.queue.take(&mut batch) {
        commit += 1;
        if faults.stuck_from.is_some_and(|from| commit >= from) {
            shared.queue.wait_for_close();
        }
        if !faults.lost.contains(&commit) {
            // Under the lock, so that nobody sees half of it.
            if let Some(state) = &mut *shared.lock() {
                fates.extend(batch.iter().map(|queued: &Queued| state.store(&queued.write, &mut generations)));
            }
        }
        if faults.lost.contains(&commit) || faults.kept.contains(&commit) {
            generations.fail_batch(&batch, &StoreError::unavailable("as planned"), &mut fates);
        }
        settle(&mut batch, &mut fates, &generations, settled);
    }
    *shared.lock() = None;
}

impl Store for MemoryStore {
    fn queue(&self) -> &WriteQueue {
        &self.shared.queue
    }

    fn settled(&self) -> Option<mpsc::Receiver<Vec<Settled>>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn secret(&self) -> [u8; 32] {
        self.secret
    }

    fn rooms(&self) -> Reading<'_, Vec<StoredRoom>> {
        self.read(State::stored_rooms)
    }

    fn entries(&self, room: RoomId, after: Seq, up_to: Seq, most: Most) -> Reading<'_, Vec<Entry>> {
        self.read(|state| state.entries(room, after, up_to, most))
    }

    fn messages(&self, room: RoomId, anchor: Anchor, first: Seq, most: Most) -> Reading<'_, StoredPage> {
        self.read(|state| state.messages(room, anchor, first, most))
    }

    fn posted(&self, author: UserId, room: RoomId, nonce: &str) -> Reading<'_, Option<(Seq, Time)>> {
        self.read(|state| state.posted(author, room, nonce))
    }

    fn members(&self, room: RoomId, after: &str, limit: usize) -> Reading<'_, Vec<StoredMember>> {
        self.read(|state| state.members(room, after, limit))
    }

    fn memberships(&self, user: UserId, blocked: Vec<UserId>) -> Reading<'_, Vec<StoredMembership>> {
        self.read(|state| state.memberships(user, &blocked))
    }

    fn unread(&self, room: RoomId, read: Seq, user: UserId, not_by: Vec<UserId>) -> Reading<'_, Unread> {
        self.read(|state| state.unread(room, read, user, &not_by))
    }

    fn first_since(&self, room: RoomId, time: Time) -> Reading<'_, Seq> {
        self.read(|state| state.first_since(room, time))
    }

    fn search(&self, search: Search) -> Reading<'_, Hits> {
        self.read(|state| state.search(&search))
    }

    fn account(&self, folded: &str) -> Reading<'_, Option<Account>> {
        self.read(|state| state.account(folded))
    }

    fn user(&self, user: UserId) -> Reading<'_, Option<Account>> {
        self.read(|state| state.user(user))
    }

    fn token(&self, hash: Hash) -> Reading<'_, Option<(StoredToken, Account)>> {
        self.read(|state| state.token(&hash))
    }

    fn tokens(&self, user: UserId) -> Reading<'_, Vec<StoredToken>> {
        self.read(|state| state.tokens(user))
    }

    fn accounts(&self, after: &str, limit: usize) -> Reading<'_, Vec<Account>> {
        let after = after.to_owned();
        self.read(move |state| state.accounts(&after, limit))
    }

    fn is_invited(&self, hash: Hash, time: Time) -> Reading<'_, bool> {
        self.read(move |state| state.is_invited(&hash, time))
    }

    fn invitations(&self) -> Reading<'_, Vec<StoredInvitation>> {
        self.read(State::invitations)
    }

    fn acts(&self, room: Option<RoomId>, before: Option<u64>, limit: usize) -> Reading<'_, Vec<(u64, Act)>> {
        self.read(|state| state.acts(room, before, limit))
    }

    fn standing(&self) -> Reading<'_, Standing> {
        self.read(State::standing)
    }

    fn is_taken(&self, skeleton: &str) -> Reading<'_, bool> {
        self.read(|state| state.is_taken(skeleton))
    }

    fn close(&self) -> Reading<'_, ()> {
        drop(self.settled());
        self.shared.queue.close();
        let mut closed = self.closed.clone();
        Box::pin(async move {
            let _ = closed.wait_for(|closed| *closed).await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{Subject, contract, nonce, said, seq};
    use crate::store::{Append, Outcome};

    fn open() -> ((), MemoryStore) {
        ((), MemoryStore::new())
    }

    contract!(open);

    #[tokio::test]
    async fn a_planned_failure_is_unknown_to_the_writer_and_settled_by_the_nonce() {
        let faults = Faults { lost: [2].into(), kept: [3].into(), ..Faults::default() };
        let mut it = Subject::new(MemoryStore::with_faults(faults));
        let room = it.room("a").await;
        assert!(matches!(it.append(nonce(said(room, 1, "lost"), "a")).await, Outcome::Failed { generation: 1, .. }));
        let kept = Append { generation: 1, ..nonce(said(room, 1, "kept"), "b") };
        assert!(matches!(it.append(kept).await, Outcome::Failed { generation: 2, .. }));
        let again = Append { generation: 2, ..nonce(said(room, 1, "kept"), "b") };
        assert!(matches!(it.append(again).await, Outcome::Duplicate { seq: Seq(1), .. }));
        let again = Append { generation: 2, ..nonce(said(room, 1, "lost"), "a") };
        assert_eq!(seq(&it.append(again).await), 2);
    }
}
