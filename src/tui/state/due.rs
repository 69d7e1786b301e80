//! What is to be done though nothing happens, and when; and what keeps memory bounded.

use super::room::{Room, RoomKey, Standing};
use super::{AGAIN_MS, Connection, State};
use crate::client::Start;
use crate::model::{Seq, Time};
use crate::tui::ask::Ask;

/// How much memory all logs may take; beyond it, rooms that nobody looks at forget what the server has.
const MAX_BYTES: usize = 64 << 20;
/// Read marks are told no more often than this, in milliseconds.
const READ_EVERY_MS: i64 = 500;
/// How often the server is asked how fast it answers, in milliseconds.
const PING_EVERY_MS: i64 = 15_000;
/// Members are asked for no more often than this, in milliseconds.
const NAMES_EVERY_MS: i64 = 3_000;

impl State {
    /// When something is to be done though nothing happens.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let mut wakes = Vec::new();
        match &self.connection {
            Connection::Online => {
                wakes.push(match self.pinged {
                    None => self.ping_at,
                    // The lag is shown as it grows.
                    Some(asked) => Time(asked.0 + (self.now.0.saturating_sub(asked.0) / 1000 + 1) * 1000),
                });
                wakes.extend(self.outbox.next_due(|key| takes_messages(&self.rooms, key)));
                if !self.read_due.is_empty() {
                    wakes.push(self.read_at);
                }
                if self.rooms.iter().any(|room| matches!(room.standing, Standing::Wanted | Standing::Joining)) {
                    wakes.push(self.follow_at);
                }
                if self.wants_names() {
                    wakes.push(self.names_at);
                }
                wakes.extend(Some(self.room().load_at).filter(|at| *at > self.now));
            }
            // The countdown.
            Connection::Lost { retry_at, .. } if *retry_at > self.now => {
                wakes.push(Time(self.now.0 + 1000 - self.now.0.rem_euclid(1000)))
            }
            Connection::Lost { .. } | Connection::Ended { .. } => {}
        }
        wakes.extend(self.room().typing_ends(self.now));
        wakes.extend(self.flash.as_ref().map(|flash| flash.until));
        wakes.into_iter().min()
    }

    /// What is due by now.
    pub(super) fn on_time(&mut self) {
        if self.flash.as_ref().is_some_and(|flash| flash.until <= self.now) {
            self.flash = None;
        }
        if self.connection == Connection::Online {
            self.send_due();
            self.follow_due();
            if self.ping_at <= self.now && self.pinged.is_none() {
                self.ping_at = Time(self.now.0 + PING_EVERY_MS);
                self.pinged = Some(self.now);
                self.ask(Ask::Ping);
            }
            if !self.read_due.is_empty() && self.read_at <= self.now {
                self.read_at = Time(self.now.0 + READ_EVERY_MS);
                for (key, seq) in std::mem::take(&mut self.read_due) {
                    if let Some(room) = self.by_key(key).map(|room| room.name.clone()) {
                        self.ask(Ask::Read { key, room, seq });
                    }
                }
            }
            if self.wants_names() && self.names_at <= self.now {
                self.names_at = Time(self.now.0 + NAMES_EVERY_MS);
                let room = self.room_mut();
                (room.members.asked, room.members.asking, room.members.stale) = (true, true, false);
                let (key, room) = (room.key, room.name.clone());
                self.ask(Ask::Names { key, room });
            }
        }
        self.bound();
    }

    fn send_due(&mut self) {
        let rooms = &self.rooms;
        for (id, key, mut draft) in self.outbox.due(self.now, |key| takes_messages(rooms, key)) {
            if let Some(room) = self.by_key(key) {
                draft.room.clone_from(&room.name);
                self.ask(Ask::Post { id, draft });
            }
        }
    }

    fn follow_due(&mut self) {
        if self.follow_at > self.now {
            return;
        }
        let wanted: Vec<(String, Seq, Option<String>)> = self
            .rooms
            .iter()
            .filter(|room| room.standing == Standing::Wanted)
            .map(|room| (room.name.clone(), room.head, room.epoch.clone()))
            .collect();
        let joining: Vec<String> =
            self.rooms.iter().filter(|room| room.standing == Standing::Joining).map(|room| room.name.clone()).collect();
        if !wanted.is_empty() || !joining.is_empty() {
            self.follow_at = Time(self.now.0 + AGAIN_MS);
            for room in joining {
                self.ask(Ask::Join { room, start: Start::Now, from: None });
            }
            for some in wanted.chunks(200) {
                self.ask(Ask::Follow(some.to_vec()));
            }
        }
    }

    fn wants_names(&self) -> bool {
        let room = self.room();
        let members = &room.members;
        let is_due = !members.asking && (!members.asked || members.stale);
        room.standing == Standing::Followed && !room.is_direct() && is_due
    }

    /// Keeps memory bounded, whatever the server sends.
    fn bound(&mut self) {
        let current = self.current;
        self.room_mut().trim(true);
        let bytes: usize = self.rooms.iter().map(Room::bytes).sum();
        if bytes <= MAX_BYTES {
            return;
        }
        for keep in [100, 10, 0] {
            for room in self.rooms.iter_mut().filter(|room| room.key != current) {
                room.shrink(keep);
            }
            if self.rooms.iter().map(Room::bytes).sum::<usize>() <= MAX_BYTES {
                return;
            }
        }
        let room = self.room_mut();
        room.go_to_end();
        // Fewer and fewer, for a message may be of any length.
        let mut keep = 256;
        while room.bytes() > MAX_BYTES / 2 && keep > 0 {
            room.shrink(keep);
            keep /= 2;
        }
    }
}

/// Whether what was typed in a room can be sent now: the first message of a conversation is what makes it.
fn takes_messages(rooms: &[Room], key: RoomKey) -> bool {
    let room = rooms.iter().find(|room| room.key == key);
    room.is_some_and(|room| matches!(room.standing, Standing::Followed | Standing::Unborn))
}
