//! What the screen knows and what one has typed: changed by what happens and by nothing else. Pure: it has no clock, no
//! terminal and no connection; what it wants done it says as [`Effect`]s.

pub(crate) mod chunk;
pub(crate) mod members;
pub(crate) mod outbox;
pub(crate) mod picker;
pub(crate) mod room;

mod answered;
mod commanded;
mod told;
mod typed;

use std::collections::BTreeMap;
use std::time::Duration;

use crossterm::event::KeyEvent;
use jiff::tz::TimeZone;

use self::chunk::NoteSort;
use self::outbox::{Outbox, Sending};
use self::picker::Picker;
use self::room::{Room, RoomKey, Scroll, Standing};
use super::ask::{Answer, Ask, Deed};
use super::layout::Areas;
use super::settings::Settings;
use super::timeline::{Canvas, Timeline, calls};
use crate::client::{Event, LoggedIn, Start};
use crate::model::{Anchor, Seq, Time};

/// How many messages a page of history has.
const PAGE: u32 = 100;
/// More rooms than this are not shown, whatever a server says.
const MAX_ROOMS: usize = 1000;
/// Entries of rooms whose joining is not answered yet that are kept until then.
const MAX_EARLY: usize = 256;
/// How much memory all logs may take; beyond it, rooms that nobody looks at forget what the server has.
const MAX_BYTES: usize = 64 << 20;
/// Read marks are told no more often than this, in milliseconds.
const READ_EVERY_MS: i64 = 500;
/// How often the server is asked how fast it answers, in milliseconds.
const PING_EVERY_MS: i64 = 15_000;
/// What could not be asked is asked again after this long, in milliseconds.
const AGAIN_MS: i64 = 3_000;
/// Members are asked for no more often than this, in milliseconds.
const NAMES_EVERY_MS: i64 = 3_000;
/// The bell rings no more often than this, in milliseconds.
const RING_EVERY_MS: i64 = 1_000;
/// A sentence on the status line stays at least this long, in milliseconds.
const FLASH_MS: i64 = 10_000;

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Input {
    Key(KeyEvent),
    Paste(String),
    /// The wheel was turned: up is negative.
    Wheel(i32),
    Resize(u16, u16),
    /// Whether the terminal's window is the one that is looked at.
    Focus(bool),
    /// There is a new session.
    Session {
        login: Box<LoggedIn>,
        server: String,
        motd: String,
        max_text_bytes: usize,
    },
    Told(Event),
    Answered(Answer),
    /// What the last frame showed of the room that one is in.
    Shown {
        key: RoomKey,
        seen: Option<Seq>,
        at_top: bool,
    },
    /// There will be no session any more, unless it is asked for.
    Ended(String),
    /// Time has passed.
    Tick,
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Ask(Ask),
    /// Somebody is wanted who looks elsewhere.
    Ring {
        title: String,
        text: String,
    },
    /// Get the connection back now.
    Reconnect,
    Redraw,
    Suspend,
    Quit,
}

/// What has become of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    Online,
    /// It is being made again.
    Lost {
        reason: String,
        retry_at: Time,
    },
    /// It is not.
    Ended {
        reason: String,
    },
}

/// A sentence on the status line, until it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flash {
    pub(crate) text: String,
    pub(crate) is_error: bool,
    until: Time,
}

/// What is asked before something is done that cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) text: String,
    /// What is done where it is answered with yes; nothing else is asked about than the line that was typed.
    then: Option<Effect>,
}

/// What lies over the screen.
#[derive(Debug)]
pub(crate) enum Overlay {
    Picker(Picker),
    Question(Question),
}

/// What the screen knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) zone: TimeZone,
    pub(crate) me: String,
    pub(crate) guest: bool,
    /// What the server calls itself.
    pub(crate) server: String,
    pub(crate) connection: Connection,
    lag: Option<Duration>,
    pub(crate) rooms: Vec<Room>,
    hall: Room,
    pub(crate) current: RoomKey,
    pub(crate) outbox: Outbox,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) flash: Option<Flash>,
    pub(crate) size: (u16, u16),
    pub(crate) focused: bool,
    pub(crate) show_members: bool,
    pub(crate) now: Time,
    pub(crate) away: bool,
    typing: typed::Typing,
    previous: RoomKey,
    last_key: u32,
    max_text_bytes: usize,
    /// The room to go to when it has come, where one was named at the start.
    wanted: Option<String>,
    greeted: bool,
    /// Entries that came before the answer to the join of their room.
    early: Vec<Event>,
    read_due: BTreeMap<RoomKey, Seq>,
    read_at: Time,
    ping_at: Time,
    /// When the question was asked that is not answered yet.
    pinged: Option<Time>,
    follow_at: Time,
    names_at: Time,
    ring_at: Time,
    effects: Vec<Effect>,
    /// What the last frame has shown is not true any more, because it was shown.
    stale: bool,
}

impl State {
    /// A screen without a session yet. The prefix is random, for the nonces of what is posted.
    pub(crate) fn new(settings: Settings, zone: TimeZone, prefix: String, wanted: Option<String>) -> State {
        let show_members = settings.members;
        State {
            settings,
            zone,
            me: String::new(),
            guest: false,
            server: String::new(),
            connection: Connection::Online,
            lag: None,
            rooms: Vec::new(),
            hall: Room::hall(),
            current: RoomKey::HALL,
            outbox: Outbox::new(prefix),
            overlay: None,
            flash: None,
            size: (80, 24),
            focused: true,
            show_members,
            now: Time::default(),
            away: false,
            typing: typed::Typing::default(),
            previous: RoomKey::HALL,
            last_key: 0,
            max_text_bytes: usize::MAX,
            wanted,
            greeted: false,
            early: Vec::new(),
            read_due: BTreeMap::new(),
            read_at: Time::default(),
            ping_at: Time::default(),
            pinged: None,
            follow_at: Time::default(),
            names_at: Time::default(),
            ring_at: Time::default(),
            effects: Vec::new(),
            stale: false,
        }
    }

    /// Takes in what happened at that time. Says what is to be done.
    pub(crate) fn update(&mut self, input: Input, now: Time) -> Vec<Effect> {
        // A clock that was set back must not stop what waits for a time.
        if now < self.now {
            for at in [&mut self.read_at, &mut self.ping_at, &mut self.follow_at, &mut self.names_at, &mut self.ring_at]
            {
                *at = Time::default();
            }
        }
        self.now = now;
        match input {
            Input::Key(key) => self.key(key),
            Input::Paste(text) => self.paste(&text),
            Input::Wheel(rows) => self.scroll(rows),
            Input::Resize(columns, rows) => {
                self.size = (columns, rows);
                // A window that was small for a moment has lost what was cut off, though its size may be the old one.
                self.effects.push(Effect::Redraw);
            }
            Input::Focus(focused) => self.focus(focused),
            Input::Session { login, server, motd, max_text_bytes } => {
                (self.server, self.max_text_bytes) = (server, max_text_bytes);
                self.begin(&login, &motd);
            }
            Input::Told(event) => self.told(&event),
            Input::Answered(answer) => self.answered(answer),
            Input::Shown { key, seen, at_top } => self.shown(key, seen, at_top),
            Input::Ended(reason) => self.connection = Connection::Ended { reason },
            Input::Tick => {}
        }
        self.on_time();
        std::mem::take(&mut self.effects)
    }

    /// Whether the last frame is to be drawn again at once: what it counted as unread was read on it.
    pub(crate) fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.stale)
    }

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
                wakes.extend(self.outbox.next_due());
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

    /// The room that one is in, or the hall in front of all rooms.
    pub(crate) fn room(&self) -> &Room {
        self.rooms.iter().find(|room| room.key == self.current).unwrap_or(&self.hall)
    }

    pub(crate) fn room_mut(&mut self) -> &mut Room {
        let current = self.current;
        self.rooms.iter_mut().find(|room| room.key == current).unwrap_or(&mut self.hall)
    }

    fn by_key(&mut self, key: RoomKey) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.key == key)
    }

    fn by_name(&mut self, name: &str) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.name == name)
    }

    /// The current room with what is needed to lay it out.
    pub(crate) fn timeline(&self) -> (Timeline<'_>, usize) {
        let room = self.room();
        let areas = Areas::of(self);
        let newest = room.live.newest().map_or(Seq::ZERO, |key| key.seq);
        let timeline = Timeline::new(room, self.outbox.shown(room.key, newest), self.canvas(areas.messages.width));
        (timeline, usize::from(areas.messages.height))
    }

    /// The same, for looking into the past: then there is a row less for the messages.
    fn past(&self) -> (Timeline<'_>, usize) {
        let (timeline, height) = self.timeline();
        (timeline, if self.room().at_end() && height >= 3 { height - 1 } else { height })
    }

    fn canvas(&self, width: u16) -> Canvas<'_> {
        Canvas {
            width: usize::from(width),
            me: &self.me,
            zone: &self.zone,
            time_format: &self.settings.time_format,
            rtl: self.settings.rtl,
        }
    }

    /// How slow the server is: as it was last, or as it is, where it owes an answer for longer.
    pub(crate) fn lag(&self) -> Option<Duration> {
        let owed = self.pinged.and_then(|asked| u64::try_from(self.now.0.saturating_sub(asked.0)).ok());
        self.lag.max(owed.map(Duration::from_millis))
    }

    /// Whether what is drawn now is seen by somebody.
    pub(crate) fn looking(&self) -> bool {
        self.focused && !matches!(self.overlay, Some(Overlay::Picker(_)))
    }

    /// There is a session: its rooms are the ones that are shown.
    fn begin(&mut self, login: &LoggedIn, motd: &str) {
        let again = std::mem::replace(&mut self.greeted, true);
        let other = again && (self.me != login.username || self.guest != login.guest);
        self.me.clone_from(&login.username);
        self.guest = login.guest;
        self.connection = Connection::Online;
        // A guest that came by a new session is another one.
        self.outbox.connected(again && (other || login.guest));
        self.early.clear();
        for membership in login.rooms.iter().filter(|room| Room::is_name(&room.room)).take(MAX_ROOMS) {
            match self.by_name(&membership.room) {
                Some(room) => room.learn(membership),
                None => {
                    let key = self.next_key();
                    self.rooms.push(Room::of(key, membership));
                }
            }
        }
        for room in &mut self.rooms {
            if room.standing == Standing::Followed {
                room.standing = Standing::Wanted;
            }
            room.members.stale = true;
        }
        self.sort();
        (self.follow_at, self.ping_at) = (Time::default(), Time::default());
        if again {
            return;
        }
        let first = self.rooms.first().map(|room| room.key);
        let wanted = self.wanted.take().and_then(|name| {
            let is_new = self.by_name(&name).is_none();
            let key = self.open(&name)?;
            if let Some(room) = self.by_key(key).filter(|_| is_new) {
                // One can type already; it is sent when we are in.
                room.standing = Standing::Joining;
            }
            Some(key)
        });
        if let Some(key) = wanted.or(first) {
            self.go(key);
        }
        if !motd.is_empty() {
            self.tell(NoteSort::Told, motd.to_owned());
        }
        for line in std::mem::take(&mut self.settings.greeting) {
            self.tell(NoteSort::Told, line);
        }
        if login.more {
            self.tell(NoteSort::Wrong, "you are in more rooms than this screen shows; /rooms lists them".to_owned());
        }
    }

    fn next_key(&mut self) -> RoomKey {
        self.last_key += 1;
        RoomKey(self.last_key)
    }

    /// Finds a room, or makes a place for it.
    fn open(&mut self, name: &str) -> Option<RoomKey> {
        if let Some(room) = self.by_name(name) {
            return Some(room.key);
        }
        if self.rooms.len() >= MAX_ROOMS || !Room::is_name(name) {
            self.error("there are too many rooms on this screen; /leave one first");
            return None;
        }
        let key = self.next_key();
        self.rooms.push(Room::new(key, name));
        self.sort();
        Some(key)
    }

    /// Rooms first, then conversations of two, both by name: the numbers that one learns stay as they are.
    fn sort(&mut self) {
        self.rooms.sort_by_cached_key(|room| (room.is_direct(), room.name.to_lowercase()));
    }

    /// Goes to a room.
    pub(crate) fn go(&mut self, key: RoomKey) {
        if self.current != key {
            let current = self.current;
            if let Some(left) = self.by_key(current) {
                left.marker = None;
                left.selected = None;
                left.trim(false);
                self.previous = current;
            }
        }
        let early = if self.current == RoomKey::HALL { self.hall.editor.take() } else { String::new() };
        self.current = key;
        self.typing.reset();
        let Some(room) = self.by_key(key) else { return };
        if !early.is_empty() && room.editor.is_empty() {
            room.editor.set(&early);
        }
        if room.unread > 0 && room.marker.is_none() {
            room.marker = Some(room.read);
        }
        self.load();
        self.follow_at = self.follow_at.min(self.now);
        self.names_at = self.names_at.min(self.now);
    }

    /// Asks for the newest messages of the room that one is in, where they are not there yet.
    fn load(&mut self) {
        let (now, online) = (self.now, self.connection == Connection::Online);
        let room = self.room_mut();
        if online && room.is_open() && !room.loaded && !room.loading && room.back.is_none() && room.load_at <= now {
            room.loading = true;
            let (key, room) = (room.key, room.name.clone());
            self.ask(Ask::History { key, room, anchor: Anchor::Newest, limit: PAGE });
        }
    }

    /// Joins a room by its name, or goes to it.
    fn join(&mut self, name: &str) {
        let known = self.by_name(name).map(|room| (room.key, !matches!(room.standing, Standing::Closed(_))));
        match known {
            Some((key, true)) => self.go(key),
            _ if self.connection != Connection::Online => self.error("there is no connection; join when it is back"),
            _ => self.ask(Ask::Join { room: name.to_owned(), start: Start::Now }),
        }
    }

    /// What was on the screen was read; what is missing above is fetched.
    fn shown(&mut self, key: RoomKey, seen: Option<Seq>, at_top: bool) {
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

    fn focus(&mut self, focused: bool) {
        self.focused = focused;
        let room = self.room_mut();
        if !focused && room.unread == 0 {
            // What comes from now on is what is new when somebody looks again.
            room.marker = None;
        }
    }

    /// Goes up (negative) or down by some rows.
    fn scroll(&mut self, rows: i32) {
        let (timeline, height) = self.past();
        let scroll = self.room().scroll;
        let by = usize::try_from(rows.unsigned_abs()).unwrap_or(usize::MAX);
        let scroll = if rows < 0 { timeline.up(scroll, height, by).0 } else { timeline.down(scroll, by) };
        self.look_at(scroll);
    }

    fn look_at(&mut self, scroll: Scroll) {
        let room = self.room_mut();
        room.scroll = scroll;
        if scroll == Scroll::Bottom && room.back.is_some() {
            if room.back.as_ref().is_some_and(|back| back.more_after) {
                // Its end is not the end of the room: it is a place like others.
                let key = room.back.as_ref().and_then(chunk::Chunk::newest);
                room.scroll = key.map_or(Scroll::Bottom, |key| Scroll::At { key, hidden: 0 });
            }
            self.load_newer();
        }
    }

    /// What is due by now.
    fn on_time(&mut self) {
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
                (room.members.asked, room.members.stale) = (true, false);
                let (key, room) = (room.key, room.name.clone());
                self.ask(Ask::Names { key, room });
            }
        }
        self.bound();
    }

    fn send_due(&mut self) {
        let rooms = &self.rooms;
        let is_open = |key| {
            let room = rooms.iter().find(|room| room.key == key);
            // The first message of a conversation is what makes it.
            room.is_some_and(|room| matches!(room.standing, Standing::Followed | Standing::Unborn))
        };
        for (id, key, mut draft) in self.outbox.due(self.now, is_open) {
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
                self.ask(Ask::Join { room, start: Start::Now });
            }
            for some in wanted.chunks(200) {
                self.ask(Ask::Follow(some.to_vec()));
            }
        }
    }

    fn wants_names(&self) -> bool {
        let room = self.room();
        room.standing == Standing::Followed && !room.is_direct() && (!room.members.asked || room.members.stale)
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

    fn ask(&mut self, ask: Ask) {
        self.effects.push(Effect::Ask(ask));
    }

    fn deed(&mut self, deed: Deed) {
        self.ask(Ask::Deed(deed));
    }

    /// Says something on the status line.
    fn say(&mut self, text: impl Into<String>) {
        self.flash = Some(Flash { text: text.into(), is_error: false, until: Time(self.now.0 + FLASH_MS) });
    }

    /// Says on the status line what is wrong.
    fn error(&mut self, text: impl Into<String>) {
        self.flash = Some(Flash { text: text.into(), is_error: true, until: Time(self.now.0 + FLASH_MS) });
    }

    /// Adds a line to the room that one is in.
    fn tell(&mut self, sort: NoteSort, text: String) {
        let now = self.now;
        self.room_mut().tell(now, sort, text);
    }

    /// What was typed and is not acknowledged: room and text.
    pub(crate) fn unsent(&self) -> Vec<(String, String)> {
        let name = |key| self.rooms.iter().find(|room| room.key == key).map_or("", |room| room.name.as_str());
        let unsent = self.outbox.all().iter().filter(|outgoing| !matches!(outgoing.sending, Sending::Stored(_)));
        unsent.map(|outgoing| (name(outgoing.room).to_owned(), outgoing.text.clone())).collect()
    }
}
