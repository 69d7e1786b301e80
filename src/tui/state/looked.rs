//! Where one looks: what is read by that, what is fetched for it, and how one gets elsewhere.

use super::answered::reach;
use super::chunk::Chunk;
use super::room::{RoomKey, Scroll};
use super::{Connection, Overlay, PAGE, State};
use crate::model::{Anchor, Seq};
use crate::tui::ask::Ask;
use crate::tui::timeline::calls;

impl State {
    /// What was on the screen was read; what is missing above is fetched.
    pub(super) fn shown(&mut self, key: RoomKey, seen: Option<Seq>, at_top: bool) {
        let (looking, online) = (self.looking(), self.connection == Connection::Online);
        let (me, now) = (self.me.clone(), self.now);
        let Some(room) = self.by_key(key) else { return };
        // What lies between the end of what was read and a place that was jumped to was not seen.
        let is_read = |seen: &Seq| looking && *seen > room.read && room.is_open() && room.back.is_none();
        if let Some(seen) = seen.filter(is_read) {
            room.read = seen;
            let before = (room.unread, room.mentions);
            let known = !room.live.more_before || room.live.first_message().is_some_and(|first| first <= seen);
            if known {
                let behind = (std::ops::Bound::Excluded(seen), std::ops::Bound::Unbounded);
                let others = room.live.log.range(behind).filter(|message| message.from != me && !message.deleted);
                let (mut unread, mut mentions) = (0, 0);
                for message in others {
                    unread += 1;
                    mentions += u64::from(calls(message, &me));
                }
                room.count(unread, mentions);
            }
            let is_stale = before != (room.unread, room.mentions);
            self.stale |= is_stale;
            self.read_due.insert(key, seen);
        }
        let Some(room) = self.by_key(key) else { return };
        if online && at_top && !room.loading && room.load_at <= now && (room.loaded || room.back.is_some()) {
            let chunk = room.shown();
            if let Some(first) = chunk.first_message().filter(|_| chunk.more_before) {
                room.loading = true;
                let room = room.name.clone();
                self.ask(Ask::History { key, room, anchor: Anchor::Before(first), limit: PAGE });
            }
        }
        self.load();
    }

    /// Asks for the newest messages of the room that one is in, where they are not there yet.
    pub(super) fn load(&mut self) {
        let (now, online) = (self.now, self.connection == Connection::Online);
        let room = self.room_mut();
        if online && room.is_open() && !room.loaded && !room.loading && room.back.is_none() && room.load_at <= now {
            room.loading = true;
            let (key, room) = (room.key, room.name.clone());
            self.ask(Ask::History { key, room, anchor: Anchor::Newest, limit: PAGE });
        }
    }

    /// The end of a stretch in the past was reached: what follows is fetched.
    fn load_newer(&mut self) {
        let online = self.connection == Connection::Online;
        let room = self.room_mut();
        if let Some(back) = room.back.as_ref().filter(|back| online && back.more_after && !room.loading)
            && let Some(last) = back.last_message()
        {
            room.loading = true;
            let (key, room) = (room.key, room.name.clone());
            self.ask(Ask::History { key, room, anchor: Anchor::After(last), limit: PAGE });
        }
    }

    pub(super) fn focus(&mut self, focused: bool) {
        self.focused = focused;
        let room = self.room_mut();
        if !focused && room.unread == 0 {
            // What comes from now on is what is new when somebody looks again.
            room.marker = None;
        }
    }

    /// Goes up (negative) or down by some rows.
    pub(super) fn scroll(&mut self, rows: i32) {
        let (timeline, height) = self.past();
        let scroll = self.room().scroll;
        let by = usize::try_from(rows.unsigned_abs()).unwrap_or(usize::MAX);
        let scroll = if rows < 0 { timeline.up(scroll, height, by).0 } else { timeline.down(scroll, by) };
        self.look_at(scroll);
    }

    pub(super) fn look_at(&mut self, scroll: Scroll) {
        let room = self.room_mut();
        room.scroll = scroll;
        if scroll == Scroll::Bottom && room.back.is_some() {
            if room.back.as_ref().is_some_and(|back| back.more_after) {
                // Its end is not the end of the room: it is a place like others.
                let key = room.back.as_ref().and_then(Chunk::newest);
                room.scroll = key.map_or(Scroll::Bottom, |key| Scroll::At { key, hidden: 0 });
            } else {
                reach(room);
            }
            self.load_newer();
        }
    }

    /// Whether what is drawn now is seen by somebody.
    pub(crate) fn looking(&self) -> bool {
        self.focused && !matches!(self.overlay, Some(Overlay::Picker(_)))
    }

    /// Whether the last frame is to be drawn again at once: what it counted as unread was read on it.
    pub(crate) fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.stale)
    }
}
