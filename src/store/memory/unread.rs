//! How much somebody has not read: counted by looking at everything.

use crate::model::{Body, RoomId, Seq, UserId};
use crate::store::Unread;
use crate::store::memory::log::Logged;
use crate::store::memory::state::State;

impl State {
    pub(super) fn unread(&self, room: RoomId, read: Seq, user: UserId, not_by: &[UserId]) -> Unread {
        let Some(room) = self.rooms.get(&room) else { return Unread::default() };
        let counts = |logged: &&Logged| {
            let said = matches!(&logged.entry.body, Body::Message(message) if !message.deleted);
            said && logged.entry.seq > read && !not_by.contains(&logged.entry.author)
        };
        let mut unread = Unread::default();
        for logged in room.log.iter().filter(counts) {
            unread.messages += 1;
            unread.mentions += u64::from(logged.mentioned.contains(&user));
        }
        unread
    }
}
