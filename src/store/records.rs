//! What goes into a store and what comes out of it.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::{Body, Entry, Epoch, RoomId, RoomKind, RoomName, RoomRole, Seq, ServerRole, Time, UserId, Username};
use crate::store::StoreError;

/// Whoever asked for an append; comes back with its outcome, untouched.
pub type Origin = Box<dyn Any + Send>;

/// Where the outcome of a write goes, after its commit. Nobody minds if the receiver is gone.
pub type Done<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something to be stored.
pub enum Write {
    /// One more entry for a room. Its outcome comes out of [`Store::settled`](crate::store::Store::settled).
    Append(Append),
    /// A new room, empty.
    CreateRoom(NewRoom, Done<Created<RoomId>>),
    /// A new account.
    CreateAccount(NewAccount, Done<Created<UserId>>),
}

/// One more entry for a room.
pub struct Append {
    /// The room, which exists.
    pub room: RoomId,
    /// Which state of the room it was checked against. See promise 5 of [`Store`](crate::store::Store).
    pub generation: u64,
    /// When it was accepted.
    pub time: Time,
    /// Who wrote it.
    pub author: UserId,
    /// The author's name.
    pub from: Arc<str>,
    /// What it says.
    pub body: Body,
    /// Makes it safe to repeat.
    pub nonce: Option<Box<str>>,
    /// Whoever asked for it.
    pub origin: Origin,
}

/// What became of an append.
pub struct Settled {
    /// The room.
    pub room: RoomId,
    /// Whoever asked for it.
    pub origin: Origin,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an append.
#[derive(Debug)]
pub enum Outcome {
    /// It is in the log.
    Appended(Entry),
    /// It was in the log already.
    Duplicate {
        /// The number that it got the first time.
        seq: Seq,
        /// When that was.
        time: Time,
    },
    /// It is not in the log, or nobody knows.
    Failed {
        /// The generation that the room's next append has to carry.
        generation: u64,
        /// Why.
        error: StoreError,
    },
}

/// A room to be made.
#[derive(Clone, Debug)]
pub struct NewRoom {
    /// Its name.
    pub name: RoomName,
    /// Its kind.
    pub kind: RoomKind,
    /// Its topic.
    pub topic: Box<str>,
    /// Its epoch.
    pub epoch: Epoch,
    /// The account that becomes a member and owns it.
    pub owner: Option<UserId>,
    /// When it is made.
    pub time: Time,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: Username,
    /// What look-alikes of the name have in common.
    pub skeleton: Box<str>,
    /// The password, hashed (PHC string).
    pub password_hash: Box<str>,
    /// When it is made.
    pub time: Time,
}

/// Whether something that needs a name of its own could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created<T> {
    /// It was made.
    New(T),
    /// Its name is taken.
    Taken,
}

/// A room as it is found at the start.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of NewRoom")]
pub struct StoredRoom {
    pub id: RoomId,
    pub name: RoomName,
    pub kind: RoomKind,
    pub topic: Box<str>,
    pub epoch: Epoch,
    /// The first entry that is kept.
    pub first: Seq,
    /// The last entry.
    pub head: Seq,
    /// The accounts that are members.
    pub members: Vec<(UserId, RoomRole)>,
}

/// A member of a room, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMember {
    /// The account.
    pub user: UserId,
    /// Its name.
    pub name: Username,
    /// Its role in the room.
    pub role: RoomRole,
}

/// A room that an account is a member of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredMembership {
    /// The room.
    pub room: RoomId,
    /// The account's role in it.
    pub role: RoomRole,
    /// Up to where the account has read: at first the entry by which it joined.
    pub read: Seq,
    /// How many messages of others stand behind that.
    pub unread: u64,
}

/// A page of messages, oldest first.
#[derive(Clone, Debug, Default)]
pub struct StoredPage {
    /// The messages.
    pub messages: Vec<Entry>,
    /// There are more on the side away from the anchor (for a page around one: on either side).
    pub more: bool,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who it is.
    pub id: UserId,
    /// Its name.
    pub name: Username,
    /// Its role on the server.
    pub role: ServerRole,
    /// The password, hashed (PHC string).
    pub password_hash: Box<str>,
}

/// How much a page may hold.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// In entries.
    pub entries: usize,
    /// In bytes of text, roughly as they are on the wire.
    pub bytes: usize,
}
