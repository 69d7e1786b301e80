//! Somebody in front of a screen, and the server behind it, both played by the test.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::{Value, json};

use crate::client::{Event, Joined, LoggedIn, Message, NamesPage, Page, Posted, ResumedRoom};
use crate::model::{Anchor, Seq, Time};
use crate::tui::ask::{Answer, Ask, Trouble};
use crate::tui::settings::Settings;
use crate::tui::state::room::{Room, RoomKey};
use crate::tui::state::{Effect, Input, State};
use crate::tui::view;

/// Noon of a Saturday.
pub(crate) const NOON: Time = Time(1_769_860_800_000);

/// Somebody called ann, in front of a screen.
pub(crate) struct Person {
    pub(crate) state: State,
    pub(crate) now: Time,
    /// What the screen wanted done, and nobody has done yet.
    pub(crate) effects: Vec<Effect>,
}

impl Person {
    /// In the lobby, whose log ends at that entry, and in `dev`; both are followed, and nothing is loaded yet.
    pub(crate) fn new(head: u64) -> Person {
        Person::with(Settings::default(), head)
    }

    pub(crate) fn with(settings: Settings, head: u64) -> Person {
        let mut state = State::new(settings, TimeZone::UTC, "p".to_owned(), Some("lobby".to_owned()));
        state.size = (80, 12);
        let mut ann = Person { state, now: NOON, effects: Vec::new() };
        let rooms = json!([
            {"room": "lobby", "kind": "public", "topic": "all and nothing", "role": "member", "head": head, "read": head},
            {"room": "dev", "kind": "public", "topic": "", "role": "member", "head": 0},
        ]);
        ann.login(&rooms);
        ann.follow("lobby", head);
        ann.follow("dev", 0);
        ann
    }

    pub(crate) fn login(&mut self, rooms: &Value) {
        let login: LoggedIn = read(json!({"username": "ann", "guest": false, "role": "user", "rooms": rooms}));
        self.input(Input::Session {
            login: Box::new(login),
            server: "test".to_owned(),
            motd: String::new(),
            max_text_bytes: 16_384,
        });
    }

    /// The connection is there again, and the login lists these rooms.
    pub(crate) fn back(&mut self, rooms: &Value) {
        let login: LoggedIn = read(json!({"username": "ann", "guest": false, "role": "user", "rooms": rooms}));
        self.input(Input::Back { new_guest: false, login: Box::new(login) });
    }

    pub(crate) fn input(&mut self, input: Input) {
        let effects = self.state.update(input, self.now);
        self.effects.extend(effects);
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.input(Input::Told(event));
    }

    pub(crate) fn answer(&mut self, answer: Answer) {
        self.input(Input::Answered(answer));
    }

    /// Time passes.
    pub(crate) fn later(&mut self, ms: i64) {
        self.now = Time(self.now.0 + ms);
        self.input(Input::Tick);
    }

    pub(crate) fn follow(&mut self, room: &str, head: u64) {
        self.answer(Answer::Followed(vec![room.to_owned()], Ok(vec![ResumedRoom::Followed(joined(room, head))])));
    }

    /// The rooms that were asked for since the last look.
    pub(crate) fn wanted(&mut self) -> Vec<(String, u64, Option<String>)> {
        let asked =
            self.asked().into_iter().filter_map(|ask| if let Ask::Follow(rooms) = ask { Some(rooms) } else { None });
        asked.flatten().map(|(room, head, epoch)| (room, head.0, epoch)).collect()
    }

    /// Somebody says something in a conversation that the server does not tell this session of.
    pub(crate) fn invited(&mut self, room: &str, head: u64) {
        self.tell(Event::Invited(read(json!({"room": room, "head": head, "from": room.trim_start_matches('@')}))));
    }

    pub(crate) fn room(&self, name: &str) -> &Room {
        self.state.rooms.iter().find(|room| room.name == name).expect("a room on the screen")
    }

    /// The answer to a join comes: to the one that was asked, or else to one that was asked from the room that one is in.
    pub(crate) fn joins(&mut self, room: &str, joined: Result<Joined, Trouble>) {
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask(Ask::Join { room: other, from, .. }) if other == room => Some(*from),
            _ => None,
        });
        let from = asked.unwrap_or(Some(self.state.current));
        self.answer(Answer::Joined { room: room.to_owned(), from, joined });
    }

    pub(crate) fn key_of(&self, room: &str) -> RoomKey {
        self.state.rooms.iter().find(|other| other.name == room).expect("a room on the screen").key
    }

    /// The newest page of a room comes.
    pub(crate) fn page(&mut self, room: &str, messages: &[(u64, &str, &str)], more: bool, head: u64) {
        let page = Ok(page(room, messages, more, head));
        self.answer(Answer::Page { key: self.key_of(room), anchor: Anchor::Newest, page });
    }

    pub(crate) fn names(&mut self, room: &str, names: &Value) {
        let names: NamesPage = read(json!({"names": names}));
        self.answer(Answer::Names(self.key_of(room), Ok(names)));
    }

    /// Somebody says something.
    pub(crate) fn said(&mut self, room: &str, seq: u64, from: &str, text: &str) {
        self.tell(Event::Message(message(room, seq, from, text)));
    }

    /// A key by its name in the table, or a character.
    pub(crate) fn press(&mut self, name: &str) {
        self.input(Input::Key(key(name)));
    }

    /// Types a line, without sending it.
    pub(crate) fn types(&mut self, line: &str) {
        line.chars().for_each(|c| self.input(Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))));
    }

    /// Types a line and sends it.
    pub(crate) fn enters(&mut self, line: &str) {
        self.types(line);
        self.press("Enter");
    }

    /// What was asked of the server since the last look.
    pub(crate) fn asked(&mut self) -> Vec<Ask> {
        let effects = std::mem::take(&mut self.effects);
        effects.into_iter().filter_map(|effect| if let Effect::Ask(ask) = effect { Some(ask) } else { None }).collect()
    }

    /// What was posted since the last look: the id, the text, and the nonce.
    pub(crate) fn posts(&mut self) -> Vec<(u64, String, String)> {
        let posts = self.asked().into_iter().filter_map(|ask| match ask {
            Ask::Post { id, draft } => Some((id, draft.text, draft.nonce.unwrap_or_default())),
            _ => None,
        });
        posts.collect()
    }

    /// A message is acknowledged.
    pub(crate) fn stored(&mut self, id: u64, seq: u64) {
        let posted: Posted = read(json!({"room": "lobby", "seq": seq, "time": NOON.to_string()}));
        self.answer(Answer::Posted { id, posted: Ok(posted) });
    }

    /// Draws a frame, as the loop does; the rows without what is blank at their ends.
    pub(crate) fn screen(&mut self) -> Vec<String> {
        let (width, height) = self.state.size;
        loop {
            let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
            let drawn = view::draw(&self.state, &mut buffer);
            if let Some((key, seen, at_top)) = drawn.shown {
                self.input(Input::Shown { key, seen, at_top });
            }
            if !self.state.take_stale() {
                return rows(&buffer);
            }
        }
    }

    pub(crate) fn shows(&mut self, words: &str) -> bool {
        self.screen().iter().any(|row| row.contains(words))
    }
}

/// What is in a buffer, as text.
pub(crate) fn rows(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width.max(1));
    let mut rows = Vec::new();
    for cells in buffer.content.chunks(width) {
        let mut row = String::new();
        let mut skip = 0;
        for cell in cells {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            row.push_str(cell.symbol());
            skip = crate::tui::text::width(cell.symbol()).saturating_sub(1);
        }
        rows.push(row.trim_end().to_owned());
    }
    rows
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a line of a server")
}

pub(crate) fn joined(room: &str, head: u64) -> Joined {
    read(json!({"room": room, "kind": "public", "topic": if room == "lobby" { "all and nothing" } else { "" },
        "role": "member", "epoch": format!("epoch of {room}"), "first": 1, "head": head, "read": head, "reset": false}))
}

/// A minute passes between two messages.
pub(crate) fn message(room: &str, seq: u64, from: &str, text: &str) -> Message {
    let mentions: Vec<&str> = if text.contains("@ann") { vec!["ann"] } else { Vec::new() };
    let time = Time(NOON.0 + 60_000 * i64::try_from(seq).unwrap_or(0));
    read(json!({"room": room, "seq": seq, "from": from, "time": time.to_string(), "text": text, "mentions": mentions}))
}

pub(crate) fn page(room: &str, messages: &[(u64, &str, &str)], more: bool, head: u64) -> Page {
    let list: Vec<Message> = messages.iter().map(|(seq, from, text)| message(room, *seq, from, text)).collect();
    let (oldest, newest) = (list.first().map(|first| first.seq), list.last().map(|last| last.seq));
    let mut page: Page = read(json!({"room": room, "messages": [], "more": more, "first": 1, "head": head}));
    page.count = list.len();
    page.messages = list;
    (page.oldest, page.newest) = (oldest, newest);
    page
}

/// Many messages of bob.
pub(crate) fn many(from: u64, to: u64) -> Vec<(u64, String)> {
    (from..=to).map(|seq| (seq, format!("message {seq}"))).collect()
}

pub(crate) fn page_of(room: &str, messages: &[(u64, String)], more: bool, head: u64) -> Page {
    let list: Vec<(u64, &str, &str)> = messages.iter().map(|(seq, text)| (*seq, "bob", text.as_str())).collect();
    page(room, &list, more, head)
}

pub(crate) fn seq(number: u64) -> Seq {
    Seq(number)
}

fn key(name: &str) -> KeyEvent {
    let (modifiers, word) = match name.split_once('-') {
        Some(("Ctrl", word)) => (KeyModifiers::CONTROL, word),
        Some(("Alt", word)) => (KeyModifiers::ALT, word),
        Some(("Shift", "Tab")) => return KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT),
        _ => (KeyModifiers::NONE, name),
    };
    let code = match word {
        "Enter" => KeyCode::Enter,
        "Tab" => KeyCode::Tab,
        "Esc" => KeyCode::Esc,
        "Backspace" => KeyCode::Backspace,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "PageUp" => KeyCode::PageUp,
        "PageDown" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "F1" => KeyCode::F(1),
        other => {
            let c = other.chars().next().expect("the name of a key");
            KeyCode::Char(if modifiers == KeyModifiers::CONTROL { c.to_ascii_lowercase() } else { c })
        }
    };
    KeyEvent::new(code, modifiers)
}
