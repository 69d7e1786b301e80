//! Which rooms there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::chat::room::Room;
use crate::model::name::fold;
use crate::model::{RoomId, RoomName, UserId};

/// All rooms, by name and by id; and all direct conversations, by who is in them.
#[derive(Default)]
pub(crate) struct Rooms {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_id: HashMap<RoomId, Arc<Room>>,
    /// All but the direct conversations, in the order in which they are listed.
    by_name: BTreeMap<RoomName, Arc<Room>>,
    /// Names that rooms are about to have.
    claimed: HashSet<RoomName>,
    /// For each user the direct conversations, by the folded name of the other.
    direct: HashMap<UserId, HashMap<Box<str>, Arc<Room>>>,
}

/// A name that no other room can get while this lives.
pub(crate) struct Claim<'a> {
    rooms: &'a Rooms,
    name: RoomName,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.rooms.table_mut().claimed.remove(&self.name);
    }
}

impl Rooms {
    /// Adds a room, or finds the one that was added under that id before.
    pub(crate) fn add(&self, room: Room) -> Arc<Room> {
        let mut table = self.table_mut();
        if let Some(known) = table.by_id.get(&room.id) {
            return Arc::clone(known);
        }
        let room = Arc::new(room);
        match &room.sides {
            None => drop(table.by_name.insert(room.name(), Arc::clone(&room))),
            Some([one, other]) => {
                for (me, peer) in [(one, other), (other, one)] {
                    let mine = table.direct.entry(me.user).or_default();
                    mine.insert(folded(&peer.name), Arc::clone(&room));
                }
            }
        }
        table.by_id.insert(room.id, Arc::clone(&room));
        room
    }

    /// The room is no more.
    pub(crate) fn remove(&self, room: &Arc<Room>) {
        let mut table = self.table_mut();
        table.by_id.remove(&room.id);
        match &room.sides {
            None => {
                let name = room.name();
                if table.by_name.get(&name).is_some_and(|known| Arc::ptr_eq(known, room)) {
                    table.by_name.remove(&name);
                }
            }
            Some([one, other]) => {
                for (me, peer) in [(one, other), (other, one)] {
                    if let Some(mine) = table.direct.get_mut(&me.user) {
                        mine.retain(|name, known| **name != *folded(&peer.name) || !Arc::ptr_eq(known, room));
                        if mine.is_empty() {
                            table.direct.remove(&me.user);
                        }
                    }
                }
            }
        }
    }

    /// Keeps a name for a room that is about to have it.
    pub(crate) fn claim(&self, name: &RoomName) -> Option<Claim<'_>> {
        let mut table = self.table_mut();
        if table.by_name.contains_key(name) || !table.claimed.insert(name.clone()) {
            return None;
        }
        Some(Claim { rooms: self, name: name.clone() })
    }

    /// A room has another name.
    pub(crate) fn rename(&self, room: &Arc<Room>, name: RoomName) {
        let mut table = self.table_mut();
        if !table.by_id.contains_key(&room.id) {
            return;
        }
        table.by_name.remove(&room.name());
        table.by_name.insert(name.clone(), Arc::clone(room));
        room.rename(name);
    }

    /// The room of that name, which is no direct conversation.
    pub(crate) fn named(&self, name: &RoomName) -> Option<Arc<Room>> {
        self.table().by_name.get(name).cloned()
    }

    /// The direct conversation of a user with whoever has that folded name.
    pub(crate) fn direct(&self, user: UserId, peer: &str) -> Option<Arc<Room>> {
        self.table().direct.get(&user)?.get(peer).cloned()
    }

    /// All direct conversations of a user.
    pub(crate) fn direct_of(&self, user: UserId) -> Vec<Arc<Room>> {
        self.table().direct.get(&user).map(|mine| mine.values().cloned().collect()).unwrap_or_default()
    }

    /// All direct conversations.
    pub(crate) fn all_direct(&self) -> Vec<Arc<Room>> {
        self.table().by_id.values().filter(|room| room.is_direct()).cloned().collect()
    }

    /// All users who are in direct conversations as guests.
    pub(crate) fn guests_in_direct(&self) -> Vec<UserId> {
        self.table().direct.keys().copied().filter(|user| user.is_guest()).collect()
    }

    /// The room of that id.
    pub(crate) fn by_id(&self, id: RoomId) -> Option<Arc<Room>> {
        self.table().by_id.get(&id).cloned()
    }

    /// All rooms that are no direct conversations and whose names stand behind `after`, sorted by name.
    pub(crate) fn behind(&self, after: &str) -> Vec<Arc<Room>> {
        let table = self.table();
        let behind = (Bound::Excluded(RoomName::trusted(after)), Bound::Unbounded);
        table.by_name.range(behind).map(|(_, room)| Arc::clone(room)).collect()
    }

    /// How many there are: those that are no direct conversations, and those that are.
    pub(crate) fn count(&self) -> (usize, usize) {
        let table = self.table();
        (table.by_name.len(), table.by_id.len().saturating_sub(table.by_name.len()))
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name as it is looked up.
fn folded(name: &str) -> Box<str> {
    fold(name).into()
}
