//! What goes into a store and what comes out of it.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::model::{
    Body, Entry, Epoch, Fingerprint, Level, Line, Query, RoomId, RoomKind, RoomName, RoomRole, Seq, ServerRole,
    Settings, Time, UserId, Username,
};
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
    /// Anything else; see [`Change`] for what each answers.
    Change(Box<Change>, Done<u64>),
    /// Nothing: somebody wants to know whether the store still answers, and could store something. Answered in its turn.
    Probe(Done<()>),
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
    /// What it may be about; holds for the `reply_to` of a message, and the `target` of an edit, deletion or reaction.
    pub reach: Reach,
    /// The folded names that its text calls with `@`. Accounts that are members are mentioned.
    pub mentions: Box<[String]>,
    /// What is to be remembered of it when the log is forgotten. (Of a deletion only where the message was another's.)
    pub act: Option<Box<Act>>,
    /// Whoever asked for it.
    pub origin: Origin,
}

/// Which messages an entry may be about. Only the log knows them, so the store looks, in the same commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The first entry that the author may see.
    pub first: Seq,
    /// Messages of others may be deleted too. (They can never be edited.)
    pub others: bool,
}

/// Why an entry was not stored though nothing failed. Nothing that stands behind it was checked against it, so nothing
/// else fails with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// What it is about is no message, was deleted, or is out of reach.
    NoTarget,
    /// What it is about is somebody else's.
    NotYours,
    /// The message has as many different reactions as it can have.
    Full,
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
    /// It is not in the log, and never will be.
    Unmet(Unmet),
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
    /// The two of a direct conversation, who become members. (Its `name` is then one that no other room can have.)
    pub sides: Option<[Side; 2]>,
    /// When it is made.
    pub time: Time,
}

/// One of the two of a direct conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Who it is.
    pub user: UserId,
    /// The name, as its owner writes it.
    pub name: Arc<str>,
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
    /// The invitation that it needs, hashed; it is used up in the same commit.
    pub invitation: Option<Hash>,
    /// When it is made.
    pub time: Time,
}

/// The hash of a token or invitation.
pub type Hash = [u8; 32];

/// A change that is no entry. Each says what it answers; 0 where nothing was changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// An account has another password (PHC string). Answers 1.
    Password {
        /// Whose.
        user: UserId,
        /// The password, hashed.
        hash: Box<str>,
        /// And nothing else logs in to it any more: its tokens are void with the same commit.
        revoke_tokens: bool,
    },
    /// An account has a token. Answers its id. Where it has it already that gets the new label and end, and answers its own.
    AddToken(NewToken),
    /// A token was used. Answers 1.
    UseToken {
        /// Which.
        id: u64,
        /// When.
        time: Time,
    },
    /// A token of an account is void. Answers 1.
    RevokeToken {
        /// Whose.
        user: UserId,
        /// Which.
        id: u64,
    },
    /// Somebody may register. Answers the invitation's id.
    AddInvitation(NewInvitation, Option<Box<Act>>),
    /// An invitation is void. Answers 1.
    RevokeInvitation(u64, Option<Box<Act>>),
    /// An account has another role on the server. Answers 1.
    Role {
        /// Whose.
        user: UserId,
        /// Which.
        role: ServerRole,
        /// Who did it.
        act: Option<Box<Act>>,
    },
    /// An account was online up to this moment. Answers 1.
    Seen {
        /// Who.
        user: UserId,
        /// When.
        time: Time,
    },
    /// An account is gone, with its password, tokens, blocks and memberships; its name stays taken. Answers 1.
    DeleteAccount {
        /// Which.
        user: UserId,
        /// Who did it.
        act: Option<Box<Act>>,
    },
    /// An account wants to hear nothing of somebody. Answers 1.
    Block {
        /// Who wants that.
        user: UserId,
        /// Whom it is about.
        blocked: Blocked,
    },
    /// That is over. Answers 1.
    Unblock {
        /// Who wanted that.
        user: UserId,
        /// Whom it was about.
        blocked: UserId,
    },
    /// A name or network is kept out of the server; replaces what was said of it before. Answers 1.
    Suspend(Suspension, Option<Box<Act>>),
    /// That is over. Answers 1.
    Unsuspend(Box<str>, Option<Box<Act>>),
    /// How far the server is closed. Answers 1.
    Level(Level, Option<Box<Act>>),
    /// An account has read a room up to an entry; never goes back. Answers up to where it has read now.
    Read {
        /// Who.
        user: UserId,
        /// Which room.
        room: RoomId,
        /// Up to and with.
        seq: Seq,
    },
    /// A member of a direct conversation does not want it listed until something is added to it. Answers 1.
    Close {
        /// Who.
        user: UserId,
        /// Which conversation.
        room: RoomId,
        /// What was the last entry then.
        head: Seq,
    },
    /// A room is gone: nobody finds it any more. Its log is erased later, by [`Change::Erase`]. Answers 1.
    DeleteRoom(RoomId, Option<Box<Act>>),
    /// Erases up to so many entries of rooms that are gone. Answers how many it erased: fewer than asked for when none are
    /// left.
    Erase(u64),
    /// Erases a room's entries in front of `first`, up to so many in one step. Answers the first that is kept now.
    Cut {
        /// Which room.
        room: RoomId,
        /// The first entry that is to be kept. (The last one of a log is always kept: it holds the numbers.)
        first: Seq,
        /// How many entries go in one step.
        most: u64,
    },
    /// Only remembers that somebody did something. Answers 1.
    Act(Box<Act>),
}

/// What makes it possible to log in without the password.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields explain themselves")]
pub struct NewToken {
    pub user: UserId,
    pub hash: Hash,
    /// Of the certificate that it is, if it is no word.
    pub fingerprint: Option<Fingerprint>,
    pub label: Line,
    pub time: Time,
    pub expires: Option<Time>,
}

/// A token as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields explain themselves")]
pub struct StoredToken {
    pub id: u64,
    pub user: UserId,
    /// Of the certificate that it is, if it is no word.
    pub fingerprint: Option<Fingerprint>,
    pub label: Line,
    pub created: Time,
    pub expires: Option<Time>,
    /// When it was used last.
    pub used: Option<Time>,
}

impl StoredToken {
    /// Whether one can log in with it at that time.
    pub fn is_good(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// Leave to register.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields explain themselves")]
pub struct NewInvitation {
    pub hash: Hash,
    pub label: Line,
    /// How many accounts may be made with it.
    pub count: u32,
    /// Who made it.
    pub by: Arc<str>,
    pub time: Time,
    pub expires: Option<Time>,
}

/// An invitation as admins see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields explain themselves")]
pub struct StoredInvitation {
    pub id: u64,
    pub label: Line,
    /// How many accounts may still be made with it.
    pub left: u32,
    pub by: Arc<str>,
    pub created: Time,
    pub expires: Option<Time>,
}

/// Somebody of whom somebody wants to hear nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Who it is.
    pub user: UserId,
    /// The name.
    pub name: Arc<str>,
}

/// What is kept out of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// `name:SKELETON`, or `net:ADDRESS/BITS`.
    pub target: Box<str>,
    /// The name or network as an admin wrote it.
    pub shown: Box<str>,
    /// Why.
    pub reason: Line,
    /// When it ends by itself.
    pub until: Option<Time>,
    /// Who did it.
    pub by: Arc<str>,
    /// When.
    pub time: Time,
}

/// Something that somebody who may did, to be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub time: Time,
    /// Who.
    pub by: Arc<str>,
    /// What: the word of the request.
    pub act: Box<str>,
    /// In which room.
    pub room: Option<RoomId>,
    /// What that room was called then.
    pub room_name: Box<str>,
    /// Whom or what it was about.
    pub target: Box<str>,
    /// What else there is to know: a reason, a role, an end.
    pub detail: Box<str>,
}

/// Whether something that needs a name of its own could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created<T> {
    /// It was made.
    New(T),
    /// Its name is taken.
    Taken,
    /// It needs an invitation, and that one does not hold (any more).
    NotInvited,
}

/// A room as it is found at the start.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of NewRoom")]
pub struct StoredRoom {
    pub id: RoomId,
    pub name: RoomName,
    pub settings: Settings,
    pub epoch: Epoch,
    /// The first entry that is kept.
    pub first: Seq,
    /// The last entry.
    pub head: Seq,
    /// The account that owned it last, where no member does.
    pub heir: Option<UserId>,
    /// The two of a direct conversation.
    pub sides: Option<[Side; 2]>,
    /// The accounts that are members.
    pub members: Vec<Seat>,
    /// Who is kept out: the skeleton of the name, and until when.
    pub bans: Vec<Ban>,
    /// Who may not speak.
    pub mutes: Vec<Ban>,
    /// The accounts that are invited.
    pub invited: Vec<UserId>,
}

/// An account in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub user: UserId,
    /// What it may do there.
    pub role: RoomRole,
    /// The entry by which it joined; 0 where it made the room.
    pub joined: Seq,
}

/// Somebody who is kept out of a room, or may not speak there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The skeleton of the name.
    pub skeleton: Box<str>,
    /// The name.
    pub name: Arc<str>,
    /// Until when.
    pub until: Option<Time>,
    /// Why.
    pub reason: Option<Line>,
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
    /// When it was online last.
    pub seen: Option<Time>,
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
    /// What stands behind that.
    pub unread: Unread,
    /// The entry at which a direct conversation was closed.
    pub closed: Seq,
}

/// How much somebody has not read. Its own messages, deleted ones and those of whom it has blocked do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many messages.
    pub messages: u64,
    /// In how many of them it is called with `@NAME`. (Accounts only.)
    pub mentions: u64,
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
    /// The password, hashed (PHC string). Empty where the account was deleted: nothing is hashed to that.
    pub password_hash: Box<str>,
    /// When it was online last.
    pub seen: Option<Time>,
    /// It was deleted; only the name is left of it.
    pub deleted: bool,
}

/// What holds for the server as a whole, for the start.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// How far it is closed.
    pub level: Level,
    /// Who is kept out.
    pub suspensions: Vec<Suspension>,
    /// Who wants to hear nothing of whom.
    pub blocks: Vec<(UserId, Blocked)>,
}

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Search {
    /// What the messages say.
    pub query: Query,
    /// Where it is searched: the rooms, and the first entry that may be seen in each.
    pub rooms: Vec<(RoomId, Seq)>,
    /// Only messages in front of this entry, where it is searched in one room.
    pub before: Option<Seq>,
    /// Only behind the place of the last page; see [`Hits::next`].
    pub after: Option<u64>,
    /// How many hits at most.
    pub most: Most,
    /// How long it may take. What was found by then is what there is.
    pub timeout: Duration,
}

/// What was found, newest first.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// The messages.
    pub hits: Vec<(RoomId, Entry)>,
    /// Where to go on; none where everything was looked at.
    pub next: Option<u64>,
}

/// How much a page may hold.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// In entries.
    pub entries: usize,
    /// In bytes of text, roughly as they are on the wire.
    pub bytes: usize,
}
