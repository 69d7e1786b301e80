//! Which rooms there are.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::chat::room::Room;
use crate::model::{RoomId, RoomName};

/// All rooms, by name and by id.
#[derive(Default)]
pub(crate) struct Rooms {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_name: HashMap<RoomName, Arc<Room>>,
    by_id: HashMap<RoomId, Arc<Room>>,
}

impl Rooms {
    /// Adds a room, or finds the one that was added under that id before.
    pub(crate) fn add(&self, room: Room) -> Arc<Room> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = table.by_id.get(&room.id) {
            return Arc::clone(known);
        }
        let room = Arc::new(room);
        table.by_name.insert(room.name.clone(), Arc::clone(&room));
        table.by_id.insert(room.id, Arc::clone(&room));
        room
    }

    /// The room of that name.
    pub(crate) fn named(&self, name: &RoomName) -> Option<Arc<Room>> {
        self.table().by_name.get(name).cloned()
    }

    /// The room of that id.
    pub(crate) fn by_id(&self, id: RoomId) -> Option<Arc<Room>> {
        self.table().by_id.get(&id).cloned()
    }

    /// All rooms whose names stand behind `after`, sorted by name.
    pub(crate) fn behind(&self, after: &str) -> Vec<Arc<Room>> {
        let mut rooms: Vec<Arc<Room>> =
            self.table().by_name.values().filter(|room| room.name.as_str() > after).cloned().collect();
        rooms.sort_by(|a, b| a.name.cmp(&b.name));
        rooms
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }
}
