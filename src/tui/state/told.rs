//! What the server told.

use super::chunk::{Note, NoteSort};
use super::room::{Room, RoomKey, Standing, cut};
use super::{Connection, Effect, MAX_EARLY, MAX_EARLY_BYTES, RING_EVERY_MS, State};
use crate::client::{Event, Invited, Member, Message, Removed, RoomChanged, RoomResumed};
use crate::model::{MemberChange, Seq, Time};
use crate::tui::deeds;
use crate::tui::timeline::calls;

impl State {
    /// Takes in what the server told.
    pub(super) fn told(&mut self, event: &Event) {
        if let Some((name, seq)) = event.entry() {
            self.entry(event, name, seq);
            return;
        }
        match event {
            Event::Presence(presence) => {
                let mut known = false;
                for room in &mut self.rooms {
                    known |= room.members.present(presence);
                }
                if !known && presence.online {
                    // Somebody came into a room that we are in, and only asking tells into which.
                    for room in &mut self.rooms {
                        room.members.stale = true;
                    }
                }
            }
            Event::Typing { room, user } => {
                let (now, is_me) = (self.now, *user == self.me);
                if let Some(room) = self.by_name(room)
                    && !is_me
                {
                    room.types(user, now);
                }
            }
            Event::Read(mark) => {
                if let Some(room) = self.by_name(&mark.room) {
                    room.read = room.read.max(mark.read);
                    room.count(mark.unread, mark.mentions);
                }
            }
            Event::Invited(invited) => self.invited(invited),
            Event::Removed(removed) => self.removed(removed),
            Event::Notice { text } => self.tell(NoteSort::Told, format!("notice from the server: {text}")),
            Event::Shutdown { reason, .. } => self.say(format!("the session ends: {reason}")),
            Event::Disconnected { reason, retry_in: Some(wait) } => {
                let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
                let retry_at = Time(self.now.0.saturating_add(wait));
                self.connection = Connection::Lost { reason: reason.clone(), retry_at };
                (self.lag, self.pinged) = (None, None);
            }
            Event::Disconnected { reason, retry_in: None } => {
                self.connection = Connection::Ended { reason: reason.clone() };
                (self.lag, self.pinged) = (None, None);
            }
            Event::Connected { new_guest } => self.connected(*new_guest),
            Event::Resumed(rooms) => rooms.iter().for_each(|resumed| self.resumed(resumed)),
            _ => {}
        }
    }

    pub(super) fn connected(&mut self, new_guest: bool) {
        self.connection = Connection::Online;
        self.early.clear();
        self.flash = None;
        self.outbox.connected(new_guest);
        (self.follow_at, self.ping_at) = (Time::default(), Time::default());
        for room in &mut self.rooms {
            room.members.stale = true;
            // What was asked on the old connection and not answered is asked again.
            room.loading = false;
        }
        if new_guest {
            self.tell(
                NoteSort::Wrong,
                "the server has forgotten this guest: you are a new one of the same name".to_owned(),
            );
        }
        self.load();
    }

    fn resumed(&mut self, resumed: &RoomResumed) {
        if let Some(was) = &resumed.was {
            self.renamed(was, &resumed.room);
        }
        let now = self.now;
        let Some(room) = self.by_name(&resumed.room) else { return };
        let key = room.key;
        room.live.log.apply(&Event::Resumed(vec![resumed.clone()]));
        if let Some(epoch) = &resumed.epoch {
            room.set_epoch(epoch);
        }
        if let Some(refused) = &resumed.refused {
            room.tell(now, NoteSort::Wrong, format!("this room is closed to you: {}", cut(refused)));
            self.close(key, refused);
        } else if resumed.reset {
            room.reset(resumed.head);
            room.tell(now, NoteSort::Wrong, "the room began anew while the connection was lost");
        } else if resumed.missed > 0 {
            let missed = resumed.missed;
            room.tell(now, NoteSort::Wrong, format!("{missed} entries are past what the room keeps"));
        }
        if resumed.refused.is_none()
            && let Some(room) = self.by_key(key)
        {
            room.followed();
        }
        self.load();
    }

    /// An entry of a room's log.
    fn entry(&mut self, event: &Event, name: &str, seq: Seq) {
        let mut name = name;
        if let Event::Room(change) = event {
            self.room_changed(change);
            // It may be told under either name.
            name = change.name.as_deref().filter(|new| self.by_name(new).is_some()).unwrap_or(name);
        }
        let time = event.time().unwrap_or(self.now);
        // Edits, deletions and reactions are seen in the message itself.
        let is_seen = matches!(event, Event::Message(_) | Event::Edit(_) | Event::Delete(_) | Event::React(_));
        let text = if is_seen { None } else { deeds::deed(event, &self.zone) };
        let looking = self.looking();
        let (me, current) = (self.me.clone(), self.current);
        let Some(room) = self.by_name(name) else {
            // It may be one that is being joined: the answer is on its way.
            let bytes: usize = self.early.iter().map(Event::bytes).sum();
            if self.early.len() < MAX_EARLY && bytes + event.bytes() <= MAX_EARLY_BYTES {
                self.early.push(event.clone());
            }
            return;
        };
        let is_new = seq > room.head;
        let before = room.head;
        room.head = room.head.max(seq);
        room.live.apply(event, text.map(|text| Note { time, text, sort: NoteSort::Entry }));
        if let Some(back) = &mut room.back
            && matches!(event, Event::Edit(_) | Event::Delete(_) | Event::React(_) | Event::Room(_))
        {
            back.apply(event, None);
        }
        match event {
            Event::Message(message) => {
                room.spoke(&message.from);
                let is_own = message.from == me;
                let is_seen = looking && room.key == current && room.at_end();
                if is_new && !is_own && !is_seen && seq > room.read {
                    if room.marker.is_none() && (room.key == current || room.unread == 0) {
                        room.marker = Some(before.max(room.read));
                    }
                    room.unread_since.get_or_insert(message.time);
                    if seq > room.counted {
                        room.unread += 1;
                        room.mentions += u64::from(room.is_direct() || calls(message, &me));
                    }
                }
                let key = room.key;
                self.outbox.came(key, seq);
                if is_new && !is_own && !is_seen {
                    self.ring(key, message);
                }
            }
            Event::Topic(topic) => room.set_topic(&topic.topic),
            Event::Member(member) => self.member_changed(member),
            _ => {}
        }
    }

    fn member_changed(&mut self, member: &Member) {
        let is_me = member.user == self.me;
        let Some(room) = self.by_name(&member.room) else { return };
        let role = member.role.as_ref().and_then(|role| role.known());
        match member.change.known() {
            Some(MemberChange::Join | MemberChange::Role) => {
                room.members.put(&member.user, role);
                if is_me {
                    room.role = role;
                }
            }
            Some(MemberChange::Leave | MemberChange::Kick | MemberChange::Ban) => room.members.remove(&member.user),
            _ => {}
        }
    }

    fn room_changed(&mut self, change: &RoomChanged) {
        if let (Some(name), Some(was)) = (&change.name, &change.was) {
            self.renamed(was, name);
        }
        if let Some(kind) = &change.kind
            && let Some(room) = self.by_name(&change.room)
        {
            room.kind = kind.known();
        }
    }

    pub(super) fn renamed(&mut self, was: &str, name: &str) {
        if self.by_name(name).is_some() || !Room::is_name(name) {
            return;
        }
        if let Some(room) = self.by_name(was) {
            room.rename(name);
            self.sort();
        }
    }

    fn invited(&mut self, invited: &Invited) {
        if invited.room.starts_with('@') {
            let is_known = self.by_name(&invited.room).is_some();
            let Some(key) = self.open(&invited.room) else { return };
            if let Some(room) = self.by_key(key) {
                // The entry that this is about comes as what is new.
                let before = invited.head.before();
                if matches!(room.standing, Standing::Closed(_)) {
                    // What was there ended, with a guest perhaps: this is another conversation.
                    room.reset(before);
                    room.epoch = None;
                } else if !is_known || room.standing == Standing::Unborn {
                    room.head = before;
                    room.live.more_before = before > Seq::ZERO;
                }
                // The server says this only to sessions that do not follow it: where this one thought that it does, it was
                // left elsewhere, and goes on from what was seen last.
                let is_asked = std::mem::replace(&mut room.standing, Standing::Wanted) == Standing::Wanted;
                if !is_asked || !is_known {
                    self.follow_at = Time::default();
                }
            }
            return;
        }
        let by = invited.from.as_deref().unwrap_or("somebody");
        let text = format!("{by} asks you into {room}; /join {room}", room = invited.room);
        self.tell(NoteSort::Told, text);
        if !self.focused {
            self.ring_with("snakk: an invitation".to_owned(), format!("<{by}> asks you into {}", invited.room));
        }
    }

    fn removed(&mut self, removed: &Removed) {
        let now = self.now;
        let Some(room) = self.by_name(&removed.room) else { return };
        let key = room.key;
        let reason = removed.reason.as_deref().map(|reason| format!(": {}", cut(reason))).unwrap_or_default();
        let what = match removed.change.as_str() {
            "kick" => "you were put out",
            "ban" => "you are banned",
            "leave" => "you left",
            "" => "it is closed",
            other => other,
        };
        let words = format!("{}{reason}", cut(what));
        room.tell(
            now,
            NoteSort::Wrong,
            format!("this room is closed to you: {words} (/join comes back, /leave forgets it)"),
        );
        room.role = None;
        self.close(key, &words);
    }

    /// Somebody was called who looks elsewhere.
    fn ring(&mut self, key: RoomKey, message: &Message) {
        let calls = calls(message, &self.me);
        let Some(room) = self.rooms.iter().find(|room| room.key == key) else { return };
        if !calls && !room.is_direct() {
            return;
        }
        let title = if room.is_direct() {
            format!("snakk: {}", message.from)
        } else {
            format!("snakk: {} in {}", message.from, room.name)
        };
        let text = match self.settings.notify_text {
            true => format!("<{}> {}", message.from, message.text),
            false => format!("<{}> has a word for you", message.from),
        };
        self.ring_with(title, text);
    }

    fn ring_with(&mut self, title: String, text: String) {
        if self.ring_at <= self.now {
            self.ring_at = Time(self.now.0 + RING_EVERY_MS);
            self.effects.push(Effect::Ring { title, text });
        }
    }
}
