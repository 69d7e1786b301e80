//! What the screen knows and what one has typed: changed by what happens and by nothing else. Pure: it has no clock, no
//! terminal and no connection; what it wants done it says as [`Effect`]s.

pub(crate) mod chunk;
pub(crate) mod members;
pub(crate) mod outbox;
pub(crate) mod picker;
pub(crate) mod room;

mod answered;
mod commanded;
mod due;
mod looked;
mod picked;
mod selected;
mod told;
mod typed;

use std::collections::BTreeMap;
use std::time::Duration;

use crossterm::event::KeyEvent;
use jiff::tz::TimeZone;

use self::chunk::NoteSort;
use self::outbox::{Outbox, Sending};
use self::picker::Picker;
use self::room::{Room, RoomKey, Standing, cut};
use super::ask::{Answer, Ask, Deed};
use super::layout::Areas;
use super::settings::Settings;
use super::timeline::{Canvas, Timeline};
use crate::client::{Event, LoggedIn, Start};
use crate::model::{Seq, Time};

/// How many messages a page of history has.
const PAGE: u32 = 100;
/// More rooms than this are not shown, whatever a server says.
const MAX_ROOMS: usize = 1000;
/// Entries of rooms whose joining is not answered yet that are kept until then.
const MAX_EARLY: usize = 256;
/// And their bytes.
const MAX_EARLY_BYTES: usize = 1 << 20;
/// What could not be asked is asked again after this long, in milliseconds.
const AGAIN_MS: i64 = 3_000;
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
    /// The connection is there again, and this is what the login has brought.
    Back {
        new_guest: bool,
        login: Box<LoggedIn>,
    },
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
    then: Then,
}

/// What is done where a question is answered with yes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Then {
    Do(Effect),
    /// The line that was typed in that room is sent.
    Send(RoomKey),
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
            self.rooms.iter_mut().for_each(|room| room.load_at = Time::default());
            self.outbox.hurry();
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
            Input::Back { new_guest, login } => {
                self.learn(&login);
                self.connected(new_guest);
            }
            Input::Answered(answer) => self.answered(answer),
            Input::Shown { key, seen, at_top } => self.shown(key, seen, at_top),
            Input::Ended(reason) => self.connection = Connection::Ended { reason },
            Input::Tick => {}
        }
        self.on_time();
        std::mem::take(&mut self.effects)
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
        self.learn(login);
        for room in &mut self.rooms {
            if room.standing == Standing::Followed {
                room.standing = Standing::Wanted;
            }
            room.members.stale = true;
        }
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

    /// Takes in which rooms a login lists, and what is unread in them: also those that began, or were joined elsewhere, while
    /// nobody was here to be told.
    fn learn(&mut self, login: &LoggedIn) {
        for membership in login.rooms.iter().filter(|room| Room::is_name(&room.room)).take(MAX_ROOMS) {
            let has_place = self.rooms.len() < MAX_ROOMS;
            match self.by_name(&membership.room) {
                Some(room) => room.learn(membership),
                None if has_place => {
                    let key = self.next_key();
                    self.rooms.push(Room::of(key, membership));
                }
                None => {}
            }
        }
        self.sort();
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

    /// Goes to a room that one wanted to go to when one was elsewhere, where one still stands there with empty hands: what is
    /// typed meanwhile is meant for the room in which it is typed. Says whether one is there now.
    fn arrive(&mut self, key: RoomKey, from: Option<RoomKey>) -> bool {
        // In the hall nothing can be said: what is typed there goes along.
        let is_free = self.current == RoomKey::HALL || self.room().editor.is_empty();
        let is_idle = is_free && self.typing.search.is_none() && self.overlay.is_none();
        if key == self.current || (from == Some(self.current) && is_idle) {
            self.go(key);
            return true;
        }
        if from.is_some() {
            let name = self.by_key(key).map(|room| room.name.clone()).unwrap_or_default();
            self.say(format!("you are in {name} now"));
        }
        false
    }

    /// Joins a room by its name, or goes to it.
    fn join(&mut self, name: &str) {
        let known = self.by_name(name).map(|room| (room.key, !matches!(room.standing, Standing::Closed(_))));
        match known {
            Some((key, true)) => self.go(key),
            _ if self.connection != Connection::Online => self.error("there is no connection; join when it is back"),
            _ => {
                let from = Some(self.current);
                self.ask(Ask::Join { room: name.to_owned(), start: Start::Now, from });
            }
        }
    }

    /// A room is not open to us (any more): what waits for it is given back.
    fn close(&mut self, key: RoomKey, why: &str) {
        let why = cut(why);
        self.outbox.closed(key, why);
        if let Some(room) = self.by_key(key) {
            room.standing = Standing::Closed(why.to_owned());
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
