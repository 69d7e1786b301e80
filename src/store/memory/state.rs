//! All that the store holds, and the one place where a write finds what it does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::{Level, RoomId, Seq, Time, UserId};
use crate::store::batch::{Fate, Generations};
use crate::store::memory::accounts::Registered;
use crate::store::memory::rooms::Room;
use crate::store::{Act, Change, Hash, StoreError, StoredInvitation, StoredToken, Suspension, Write};

/// All that the store holds.
#[derive(Default)]
pub(super) struct State {
    pub(super) rooms: BTreeMap<RoomId, Room>,
    /// The id of the last room that was made.
    pub(super) last_room: i64,
    /// How many entries are left of rooms that are gone.
    pub(super) doomed: u64,
    /// How many entries there ever were, in all rooms.
    pub(super) logged: u64,
    pub(super) nonces: HashMap<(UserId, RoomId, Box<str>), (Seq, Time)>,
    pub(super) accounts: BTreeMap<UserId, Registered>,
    pub(super) tokens: Vec<(Hash, StoredToken)>,
    pub(super) last_token: u64,
    pub(super) invitations: Vec<(Hash, StoredInvitation)>,
    pub(super) last_invitation: u64,
    pub(super) blocks: BTreeMap<(UserId, UserId), Arc<str>>,
    pub(super) suspensions: BTreeMap<Box<str>, Suspension>,
    pub(super) level: Level,
    pub(super) acts: Vec<Act>,
}

impl State {
    /// Stores one write.
    pub(super) fn store(&mut self, write: &Write, generations: &mut Generations) -> Fate {
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
            Write::Change(change, _) => Fate::Changed(self.change(change)),
            Write::Probe(_) => Fate::Probed,
        }
    }

    /// Makes a change, and remembers what was done where something was changed.
    fn change(&mut self, change: &Change) -> u64 {
        let (answer, act) = match change {
            Change::Password { user, hash, revoke_tokens } => (self.set_password(*user, hash, *revoke_tokens), &None),
            Change::AddToken(token) => (self.add_token(token), &None),
            Change::UseToken { id, time } => (self.use_token(*id, *time), &None),
            Change::RevokeToken { user, id } => (self.revoke_token(*user, *id), &None),
            Change::AddInvitation(invitation, act) => (self.add_invitation(invitation), act),
            Change::RevokeInvitation(id, act) => (self.revoke_invitation(*id), act),
            Change::Role { user, role, act } => (self.set_role(*user, *role), act),
            Change::Seen { user, time } => (self.set_seen(*user, *time), &None),
            Change::DeleteAccount { user, act } => (self.delete_account(*user), act),
            Change::Block { user, blocked } => (self.block(*user, blocked), &None),
            Change::Unblock { user, blocked } => (self.unblock(*user, *blocked), &None),
            Change::Suspend(suspension, act) => (self.suspend(suspension), act),
            Change::Unsuspend(target, act) => (self.unsuspend(target), act),
            Change::Level(level, act) => (self.set_level(*level), act),
            Change::Read { user, room, seq } => (self.read(*user, *room, *seq), &None),
            Change::Close { user, room, head } => (self.close(*user, *room, *head), &None),
            Change::DeleteRoom(room, act) => (self.delete_room(*room), act),
            Change::Erase(most) => (self.erase(*most), &None),
            Change::Cut { room, first, most } => (self.cut(*room, *first, *most), &None),
            Change::Act(act) => {
                self.acts.push(Act::clone(act));
                (1, &None)
            }
        };
        if let Some(act) = act.as_deref().filter(|_| answer > 0) {
            self.acts.push(act.clone());
        }
        answer
    }
}
