//! What survives a restart. Nothing here knows who may do what.
//!
//! The store is a set of append-only logs, one for each room, and what follows from them: rooms, members, accounts. All
//! writing goes through one bounded [`WriteQueue`], whose order is the order of everything; the store takes what waits
//! there, commits it as one, and only then says so. Reading is separate, concurrent, and sees only what was committed.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;

use crate::model::{Anchor, Entry, RoomId, Seq, Time, UserId};

mod batch;
#[cfg(test)]
pub(crate) mod contract;
mod error;
pub mod memory;
mod page;
mod queue;
mod records;
pub mod sqlite;
mod vitals;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use queue::{Place, Queued, Taken, WriteQueue};
pub use records::{
    Account, Act, Append, Ban, Blocked, Change, Created, Done, Hash, Hits, Most, NewAccount, NewInvitation, NewRoom,
    NewToken, Origin, Outcome, Reach, Search, Seat, Settled, Side, Standing, StoredInvitation, StoredMember,
    StoredMembership, StoredPage, StoredRoom, StoredToken, Suspension, Unmet, Unread, Write,
};
pub use sqlite::{Durability, OpenError, Options, SqliteStore};
pub use vitals::Vitals;

/// A reading under way. Stores are used as `dyn Store`, so the future is boxed.
pub type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where the logs are kept. SQLite is one; an embedder may bring another. `store::contract` tests what is promised here.
///
/// # Promises
/// 1. **Order.** Writes take effect one after the other, in the order in which they were pushed to [`Store::queue`].
/// 2. **Settled is committed.** An [`Append`] comes out of [`Store::settled`], and a [`Done`] is sent, only after the
///    commit that holds it (with fsync, where the store was opened so). Each comes out exactly once, in queue order for
///    each room, in batches as they were committed.
/// 3. **No gaps.** A room's entries have the numbers 1, 2, 3, ... Numbers are given at the commit, so a failed append
///    leaves no hole. An entry's time is never before that of the entry in front of it.
/// 4. **Once.** A second append with the same author, room and nonce adds nothing, and settles as
///    [`Outcome::Duplicate`] with the number and time of the first: for at least 24 hours, and always for the author's
///    newest 1000 postings.
/// 5. **What stands behind a failure fails.** When an append to a room fails, so do all appends to it that carry the same
///    or an older `generation`, until one comes with the generation that [`Outcome::Failed`] named: whatever was checked
///    against a state that will never be is not stored.
/// 6. **One source.** What follows from an entry (membership) is changed in the same commit as the entry is stored.
/// 7. **Reading** sees whole commits, and each that was settled before the call. A message is shown as its later edits and
///    its deletion have left it, and an edit has its text only while it is the newest one.
/// 8. **Gone is gone.** What was deleted, edited away, cut off or erased is in no file of the store within a second of its
///    commit.
/// 9. **Unread** is exact, and costs no more the longer the log is.
pub trait Store: Send + Sync + 'static {
    /// The way in for everything that changes something.
    fn queue(&self) -> &WriteQueue;

    /// What became of the appends, in commit order. There is one receiver: the second call gets `None`. Its capacity is
    /// bounded, and the store waits while it is full.
    fn settled(&self) -> Option<mpsc::Receiver<Vec<Settled>>>;

    /// 32 random bytes that were made with the store and stay with it, to sign what need not be stored.
    fn secret(&self) -> [u8; 32];

    /// All rooms with their members, for the start.
    fn rooms(&self) -> Reading<'_, Vec<StoredRoom>>;

    /// The entries of a room from behind `after` up to and with `up_to`, in order, as many as fit into `most` but at
    /// least one if there is one.
    fn entries(&self, room: RoomId, after: Seq, up_to: Seq, most: Most) -> Reading<'_, Vec<Entry>>;

    /// A page of a room's messages (and of no other entries), oldest first. What does not fit into `most` is left out on
    /// the side away from the anchor. Entries before `first` are not shown.
    fn messages(&self, room: RoomId, anchor: Anchor, first: Seq, most: Most) -> Reading<'_, StoredPage>;

    /// What an author posted to a room with that nonce, if promise 4 still holds for it.
    fn posted(&self, author: UserId, room: RoomId, nonce: &str) -> Reading<'_, Option<(Seq, Time)>>;

    /// The accounts that are members of a room and whose folded names stand behind `after`, sorted by folded name.
    fn members(&self, room: RoomId, after: &str, limit: usize) -> Reading<'_, Vec<StoredMember>>;

    /// The rooms that an account is a member of, in no order. Messages of `blocked` are not counted.
    fn memberships(&self, user: UserId, blocked: Vec<UserId>) -> Reading<'_, Vec<StoredMembership>>;

    /// What stands in a room behind `read` and is by none of `not_by`; mentions are those of `user`.
    fn unread(&self, room: RoomId, read: Seq, user: UserId, not_by: Vec<UserId>) -> Reading<'_, Unread>;

    /// The first entry of a room that is not older than a moment; behind the head where all are.
    fn first_since(&self, room: RoomId, time: Time) -> Reading<'_, Seq>;

    /// What was searched for, newest first. Sees each message that was settled before.
    fn search(&self, search: Search) -> Reading<'_, Hits>;

    /// The account of that folded name.
    fn account(&self, folded: &str) -> Reading<'_, Option<Account>>;

    /// The account of that number.
    fn user(&self, user: UserId) -> Reading<'_, Option<Account>>;

    /// The account that a token belongs to, and the token.
    fn token(&self, hash: Hash) -> Reading<'_, Option<(StoredToken, Account)>>;

    /// The tokens of an account, oldest first.
    fn tokens(&self, user: UserId) -> Reading<'_, Vec<StoredToken>>;

    /// The accounts that were not deleted and whose folded names stand behind `after`, sorted by folded name.
    fn accounts(&self, after: &str, limit: usize) -> Reading<'_, Vec<Account>>;

    /// Whether an account may be made with the invitation of that hash at that time.
    fn is_invited(&self, hash: Hash, time: Time) -> Reading<'_, bool>;

    /// The invitations, oldest first.
    fn invitations(&self) -> Reading<'_, Vec<StoredInvitation>>;

    /// What was done, newest first: in a room, or everywhere; behind `before`, which is a number that comes with each.
    fn acts(&self, room: Option<RoomId>, before: Option<u64>, limit: usize) -> Reading<'_, Vec<(u64, Act)>>;

    /// What holds for the server as a whole.
    fn standing(&self) -> Reading<'_, Standing>;

    /// Whether an account has, or had, a name with that skeleton.
    fn is_taken(&self, skeleton: &str) -> Reading<'_, bool>;

    /// How the store is doing, for whoever watches it. Does not wait for what the store is at. Nothing depends on it but
    /// what is shown, and whether a store that takes its time is taken for one that hangs.
    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    /// Commits and settles what waits in the queue, takes no more, and closes the store as a clean stop does. The second
    /// call does nothing.
    fn close(&self) -> Reading<'_, ()>;
}
