//! A store of maps: nothing survives it. The plain model that SQLite is compared with, and the store for tests of whoever
//! embeds the server; it can be told to fail.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{mpsc, watch};

use crate::model::{
    Anchor, Body, Entry, Line, MemberChange, RoomId, RoomRole, Seq, ServerRole, Settings, Time, UserId, Username,
};
use crate::store::batch::{Fate, Generations, settle};
use crate::store::page::{Page, halves};
use crate::store::{
    Account, Act, Append, Created, Hash, Hits, Most, NewAccount, NewRoom, Queued, Reading, Search, Seat, Settled,
    Standing, Store, StoreError, StoredInvitation, StoredMember, StoredMembership, StoredPage, StoredRoom, StoredToken,
    Unread, Write, WriteQueue,
};

/// Which commits fail, counted from 1.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// These fail, and nothing of them is kept.
    pub lost: BTreeSet<u64>,
    /// These are kept, and yet reported as failed: what a failing sync can do.
    pub kept: BTreeSet<u64>,
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

#[derive(Default)]
struct State {
    rooms: BTreeMap<RoomId, Room>,
    accounts: BTreeMap<UserId, (NewAccount, ServerRole)>,
    nonces: HashMap<(UserId, RoomId, Box<str>), (Seq, Time)>,
}

struct Room {
    new: NewRoom,
    entries: Vec<Entry>,
    members: BTreeMap<UserId, (RoomRole, Seq)>,
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

impl State {
    fn store(&mut self, write: &Write, generations: &mut Generations) -> Fate {
        match write {
            Write::Append(append) if append.generation < generations.required(append.room) => {
                Fate::Failed(StoreError::Behind)
            }
            Write::Append(append) => self.append(append).unwrap_or_else(|| {
                generations.fail(append.room, append.generation);
                Fate::Failed(StoreError::unavailable("there is no such room"))
            }),
            Write::CreateRoom(new, _) => Fate::Room(self.create_room(new)),
            Write::CreateAccount(new, _) => Fate::Account(self.create_account(new)),
            Write::Change(..) => Fate::Changed(0),
        }
    }

    fn append(&mut self, append: &Append) -> Option<Fate> {
        let room = self.rooms.get_mut(&append.room)?;
        let last = room.entries.last();
        let seq = last.map_or(Seq(1), |last| last.seq.next());
        let time = last.map_or(append.time, |last| append.time.max(last.time));
        if let Some(nonce) = &append.nonce {
            let key = (append.author, append.room, nonce.clone());
            if let Some((seq, time)) = self.nonces.get(&key) {
                return Some(Fate::Duplicate(*seq, *time));
            }
            self.nonces.insert(key, (seq, time));
        }
        if let Body::Member { user_id, change, role, .. } = &append.body {
            match change {
                _ if user_id.is_guest() => {}
                MemberChange::Join => {
                    let role = role.unwrap_or(RoomRole::Member);
                    room.members.entry(*user_id).and_modify(|member| member.0 = role).or_insert((role, seq));
                }
                MemberChange::Leave => {
                    room.members.remove(user_id);
                }
                _ => {}
            }
        }
        let (author, from, body) = (append.author, Arc::clone(&append.from), append.body.clone());
        room.entries.push(Entry { seq, time, author, from, body });
        Some(Fate::Appended(seq, time))
    }

    fn create_room(&mut self, new: &NewRoom) -> Created<RoomId> {
        if self.rooms.values().any(|room| room.new.name == new.name) {
            return Created::Taken;
        }
        let id = self.rooms.last_key_value().map_or(RoomId(1), |(last, _)| RoomId(last.0 + 1));
        let owner = new.owner.filter(|owner| !owner.is_guest());
        let members = owner.map(|owner| (owner, (RoomRole::Owner, Seq::ZERO))).into_iter().collect();
        self.rooms.insert(id, Room { new: new.clone(), entries: Vec::new(), members });
        Created::New(id)
    }

    fn create_account(&mut self, new: &NewAccount) -> Created<UserId> {
        if self.accounts.values().any(|(old, _)| old.name == new.name || old.skeleton == new.skeleton) {
            return Created::Taken;
        }
        let id = self.accounts.last_key_value().map_or(UserId(1), |(last, _)| UserId(last.0 + 1));
        self.accounts.insert(id, (new.clone(), ServerRole::User));
        Created::New(id)
    }

    fn entries(&self, room: RoomId) -> &[Entry] {
        self.rooms.get(&room).map_or(&[], |room| &room.entries)
    }
}

fn is_message(entry: &&Entry) -> bool {
    matches!(entry.body, Body::Message(_))
}

/// A page of messages among the entries that may be shown.
fn page(entries: &[Entry], anchor: Anchor, most: Most) -> Page {
    let up_to = |last: Seq, most| {
        let mut page = Page::new(most);
        let mut older = entries.iter().rev().filter(|entry| entry.seq <= last).filter(is_message);
        while older.next().is_some_and(|entry| page.take(entry.clone())) {}
        page.entries.reverse();
        page
    };
    let behind = |seq: Seq, most| {
        let mut page = Page::new(most);
        let mut newer = entries.iter().filter(|entry| entry.seq > seq).filter(is_message);
        while newer.next().is_some_and(|entry| page.take(entry.clone())) {}
        page
    };
    match anchor {
        Anchor::Newest => up_to(Seq(u64::MAX), most),
        Anchor::Before(seq) => up_to(seq.before(), most),
        Anchor::After(seq) => behind(seq, most),
        Anchor::Around(seq) => {
            let (older, newer) = halves(most);
            let (mut page, newer) = (up_to(seq, older), behind(seq, newer));
            page.entries.extend(newer.entries);
            page.more |= newer.more;
            page
        }
    }
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
        self.read(|state| {
            let stored = |(id, room): (&RoomId, &Room)| StoredRoom {
                id: *id,
                name: room.new.name.clone(),
                settings: Settings {
                    kind: room.new.kind,
                    topic: Line::trusted(room.new.topic.clone()),
                    ..Settings::default()
                },
                epoch: room.new.epoch.clone(),
                first: Seq(1),
                head: room.entries.last().map_or(Seq::ZERO, |last| last.seq),
                heir: None,
                sides: room.new.sides.clone(),
                members: room
                    .members
                    .iter()
                    .map(|(user, (role, joined))| Seat { user: *user, role: *role, joined: *joined })
                    .collect(),
                bans: Vec::new(),
                mutes: Vec::new(),
                invited: Vec::new(),
            };
            state.rooms.iter().map(stored).collect()
        })
    }

    fn entries(&self, room: RoomId, after: Seq, up_to: Seq, most: Most) -> Reading<'_, Vec<Entry>> {
        self.read(move |state| {
            let mut page = Page::new(Most { entries: most.entries.max(1), ..most });
            let mut wanted = state.entries(room).iter().filter(|entry| entry.seq > after && entry.seq <= up_to);
            while wanted.next().is_some_and(|entry| page.take(entry.clone())) {}
            page.entries
        })
    }

    fn messages(&self, room: RoomId, anchor: Anchor, first: Seq, most: Most) -> Reading<'_, StoredPage> {
        self.read(move |state| {
            let entries = state.entries(room);
            let shown = entries.partition_point(|entry| entry.seq < first);
            let page = page(&entries[shown..], anchor, Most { entries: most.entries.max(1), ..most });
            StoredPage { messages: page.entries, more: page.more }
        })
    }

    fn posted(&self, author: UserId, room: RoomId, nonce: &str) -> Reading<'_, Option<(Seq, Time)>> {
        let key = (author, room, nonce.into());
        self.read(move |state| state.nonces.get(&key).copied())
    }

    fn members(&self, room: RoomId, after: &str, limit: usize) -> Reading<'_, Vec<StoredMember>> {
        let after = after.to_owned();
        self.read(move |state| {
            let Some(room) = state.rooms.get(&room) else { return Vec::new() };
            let named = |(user, (role, _)): (&UserId, &(RoomRole, Seq))| {
                let (account, _) = state.accounts.get(user)?;
                Some(StoredMember { user: *user, name: account.name.clone(), role: *role, seen: None })
            };
            let mut members: Vec<StoredMember> = room.members.iter().filter_map(named).collect();
            members.retain(|member| member.name.folded() > after.as_str());
            members.sort_by(|a, b| a.name.folded().cmp(b.name.folded()));
            members.truncate(limit);
            members
        })
    }

    fn memberships(&self, user: UserId, _blocked: Vec<UserId>) -> Reading<'_, Vec<StoredMembership>> {
        self.read(move |state| {
            let membership = |(id, room): (&RoomId, &Room)| {
                let (role, read) = *room.members.get(&user)?;
                let unread = |entry: &&Entry| entry.seq > read && entry.author != user && is_message(entry);
                let unread = room.entries.iter().filter(unread).count();
                let unread = Unread { messages: u64::try_from(unread).unwrap_or(u64::MAX), mentions: 0 };
                Some(StoredMembership { room: *id, role, read, unread, closed: Seq::ZERO })
            };
            state.rooms.iter().filter_map(membership).collect()
        })
    }

    fn unread(&self, _room: RoomId, _read: Seq, _user: UserId, _not_by: Vec<UserId>) -> Reading<'_, Unread> {
        Box::pin(async { Ok(Unread::default()) })
    }

    fn first_since(&self, _room: RoomId, _time: Time) -> Reading<'_, Seq> {
        Box::pin(async { Ok(Seq(1)) })
    }

    fn search(&self, _search: Search) -> Reading<'_, Hits> {
        Box::pin(async { Ok(Hits::default()) })
    }

    fn user(&self, _user: UserId) -> Reading<'_, Option<Account>> {
        Box::pin(async { Ok(None) })
    }

    fn token(&self, _hash: Hash) -> Reading<'_, Option<(StoredToken, Account)>> {
        Box::pin(async { Ok(None) })
    }

    fn tokens(&self, _user: UserId) -> Reading<'_, Vec<StoredToken>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn invitations(&self) -> Reading<'_, Vec<StoredInvitation>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn acts(&self, _room: Option<RoomId>, _before: Option<u64>, _limit: usize) -> Reading<'_, Vec<(u64, Act)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn standing(&self) -> Reading<'_, Standing> {
        Box::pin(async { Ok(Standing::default()) })
    }

    fn account(&self, folded: &str) -> Reading<'_, Option<Account>> {
        let folded = folded.to_owned();
        self.read(move |state| {
            let found = state.accounts.iter().find(|(_, (account, _))| account.name.folded() == folded);
            found.map(|(id, (account, role))| Account {
                id: *id,
                name: Username::clone(&account.name),
                role: *role,
                password_hash: account.password_hash.clone(),
                seen: None,
                deleted: false,
            })
        })
    }

    fn is_taken(&self, skeleton: &str) -> Reading<'_, bool> {
        let skeleton = skeleton.to_owned();
        self.read(move |state| state.accounts.values().any(|(account, _)| *account.skeleton == *skeleton))
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
    use crate::store::Outcome;
    use crate::store::contract::{Subject, contract, nonce, said, seq};

    fn open() -> ((), MemoryStore) {
        ((), MemoryStore::new())
    }

    contract!(open);

    #[tokio::test]
    async fn a_planned_failure_is_unknown_to_the_writer_and_settled_by_the_nonce() {
        let faults = Faults { lost: [2].into(), kept: [3].into() };
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
