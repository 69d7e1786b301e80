//! What one typed: keys, and what is pasted.

use crossterm::event::KeyEvent;

use super::chunk::Key;
use super::room::{Compose, Room, RoomKey, Standing};
use super::{Connection, Effect, Overlay, Question, State, Then};
use crate::client::Draft;
use crate::model::{Anchor, Seq};
use crate::tui::ask::{Ask, Deed};
use crate::tui::complete::{Completion, Words};
use crate::tui::editor::MAX_BYTES;
use crate::tui::keys::{self, Action, Place};
use crate::tui::layout::MEMBERS_FROM;
use crate::tui::slash::{self, Line};

/// More lines or bytes than this at once are sent only after a question: most of them were pasted into the wrong window.
const MANY_LINES: usize = 5;
const MANY_BYTES: usize = 2000;
/// Others are told that one is typing no more often than this, in milliseconds.
const TYPING_EVERY_MS: i64 = 3_000;

/// What is under way in the input line.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    completion: Option<Completion>,
    /// What is searched for in what was typed before.
    pub(crate) search: Option<String>,
}

impl Typing {
    pub(super) fn reset(&mut self) {
        *self = Typing::default();
    }
}

impl State {
    /// What a completion offers, and which of it is taken.
    pub(crate) fn offered(&self) -> Option<(Vec<String>, usize)> {
        let completion = self.typing.completion.as_ref()?;
        let (offered, at) = completion.candidates();
        (offered.len() > 1).then(|| (offered.to_vec(), at))
    }

    /// What is searched for in what was typed before.
    pub(crate) fn history_search(&self) -> Option<&str> {
        self.typing.search.as_deref()
    }

    /// Where keys have their meaning now.
    pub(crate) fn place(&self) -> Place {
        match &self.overlay {
            Some(Overlay::Picker(_)) => Place::Picking,
            Some(Overlay::Question(_)) => Place::Asked,
            None if self.room().selected.is_some() => Place::Selecting,
            None => Place::Typing,
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        let place = self.place();
        let action = keys::action(key, place);
        if action.is_some() || keys::typed(key).is_some() {
            self.flash = None;
        }
        match (place, action) {
            (Place::Picking, Some(action)) => self.pick(action),
            (Place::Picking, None) => {
                if let (Some(c), Some(Overlay::Picker(picker))) = (keys::typed(key), &mut self.overlay)
                    && let Some(filter) = &mut picker.filter
                {
                    filter.insert(c);
                    picker.narrow();
                }
            }
            (Place::Asked, Some(action)) => self.answer(action),
            (Place::Asked, None) => {}
            (_, Some(action)) => self.act(action),
            (_, None) => {
                if let Some(c) = keys::typed(key) {
                    self.type_char(c);
                }
            }
        }
    }

    fn type_char(&mut self, c: char) {
        self.typing.completion = None;
        if let Some(needle) = &mut self.typing.search {
            needle.push(c);
            self.search_history(false);
            return;
        }
        let room = self.room_mut();
        room.selected = None;
        room.editor.insert(c);
        self.tell_typing();
    }

    /// What is pasted is never sent by itself, however many lines it has.
    pub(super) fn paste(&mut self, text: &str) {
        match &mut self.overlay {
            Some(Overlay::Picker(picker)) => {
                if let Some(filter) = &mut picker.filter {
                    filter.paste(&text.replace(['\n', '\r'], " "));
                    picker.narrow();
                }
                return;
            }
            Some(Overlay::Question(_)) => return,
            None => {}
        }
        self.typing.reset();
        let room = self.room_mut();
        room.selected = None;
        let fits = room.editor.paste(text);
        let lines = room.editor.text().lines().count();
        if !fits {
            self.error(format!("that is too much: a message has room for {MAX_BYTES} bytes at most"));
        } else if lines > 1 {
            self.say(format!("{lines} lines, which Enter sends as one message"));
        }
        self.tell_typing();
    }

    /// Tells the others that one is typing, now and then.
    fn tell_typing(&mut self) {
        let (now, online) = (self.now, self.connection == Connection::Online);
        let room = self.room_mut();
        let is_said = !room.editor.text().starts_with('/') && !matches!(room.compose, Compose::React(_));
        let is_due = now.0.saturating_sub(room.typed_at.0) >= TYPING_EVERY_MS || now < room.typed_at;
        if online && is_said && is_due && room.standing == Standing::Followed {
            room.typed_at = now;
            let room = room.name.clone();
            self.ask(Ask::Typing { room });
        }
    }

    fn act(&mut self, action: Action) {
        let is_completion = matches!(action, Action::Complete | Action::CompleteBack);
        if !is_completion {
            self.typing.completion = None;
        }
        if self.typing.search.is_some() && !matches!(action, Action::SearchHistory) {
            match action {
                Action::Backspace => {
                    if let Some(needle) = &mut self.typing.search {
                        needle.pop();
                    }
                    self.search_history(false);
                    return;
                }
                Action::Cancel | Action::Clear => {
                    self.typing.search = None;
                    let room = self.room_mut();
                    room.editor.set("");
                    room.history.reset();
                    return;
                }
                // The line that was found is what is typed now.
                _ => self.typing.search = None,
            }
        }
        match action {
            Action::Submit => self.submit(),
            Action::Complete => self.complete(true),
            Action::CompleteBack => self.complete(false),
            Action::Up => self.up(),
            Action::Down => self.down(),
            Action::Older => self.older(),
            Action::Newer => self.newer(),
            Action::SearchHistory => {
                self.typing.search.get_or_insert_default();
                self.search_history(true);
            }
            Action::Cancel => self.cancel(),
            Action::Clear => self.clear(),
            Action::PageUp | Action::PageDown => {
                let height = self.past().1;
                let rows = i32::try_from(height.saturating_sub(1).max(1)).unwrap_or(i32::MAX);
                self.scroll(if action == Action::PageUp { -rows } else { rows });
            }
            Action::Top => {
                let (timeline, height) = self.past();
                let top = timeline.top(height);
                self.look_at(top);
            }
            Action::Bottom => {
                self.room_mut().go_to_end();
            }
            Action::FirstUnread => self.first_unread(),
            Action::NextRoom => self.step(1),
            Action::PreviousRoom => self.step(-1),
            Action::NextActive => self.next_active(),
            Action::LastRoom => {
                let previous = self.previous;
                if self.by_key(previous).is_some() {
                    self.go(previous);
                }
            }
            Action::Room(number) => match self.rooms.get(usize::from(number.saturating_sub(1))).map(|room| room.key) {
                Some(key) => self.go(key),
                None => self.error(format!("there is no room {number}")),
            },
            Action::Switcher => self.switcher(),
            Action::Members => self.toggle_members(),
            Action::Find => {
                let room = self.room_mut();
                keep_draft(room);
                room.compose = Compose::Plain;
                room.editor.set("/search ");
            }
            Action::Select => self.select(-1),
            Action::SelectNewer => self.select(1),
            Action::Reply => self.compose_for(Compose::Reply),
            Action::React => self.compose_for(Compose::React),
            Action::EditSelected => self.edit_selected(),
            Action::DeleteSelected => self.delete_selected(None),
            Action::Help => self.help(None),
            Action::Redraw => self.effects.push(Effect::Redraw),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Quit => self.quit(),
            Action::Yes | Action::No => {}
            edit => {
                edit_line(self.room_mut(), edit);
            }
        }
    }

    fn complete(&mut self, forward: bool) {
        if let Some(completion) = &mut self.typing.completion {
            if forward { completion.forward() } else { completion.backward() }
        } else {
            let room = self.room();
            let words = self.words();
            self.typing.completion = Completion::begin(room.editor.text(), room.editor.cursor(), &words);
        }
        let Some(completion) = &self.typing.completion else { return };
        let (text, cursor) = (completion.text().to_owned(), completion.cursor());
        self.room_mut().editor.replace(&text, cursor);
    }

    /// What there is to complete, here and now.
    fn words(&self) -> Words {
        let mut nicks: Vec<String> = Vec::new();
        let room = self.room();
        let other = room.name.strip_prefix('@').map(str::to_owned);
        let names = room.speakers().iter().cloned().chain(other).chain(room.members.names().map(str::to_owned));
        for name in names {
            if name != self.me && !nicks.contains(&name) {
                nicks.push(name);
            }
        }
        let rooms = self.rooms.iter().map(|room| room.name.clone()).collect();
        let commands = slash::COMMANDS.iter().map(|spec| (spec.word, spec.argument)).collect();
        Words { nicks, rooms, commands }
    }

    fn up(&mut self) {
        let room = self.room_mut();
        // An edit that was not begun yet is left by going on.
        let is_untouched = match room.compose {
            Compose::Edit(seq) => room.live.log.get(seq).is_some_and(|message| message.text == room.editor.text()),
            _ => false,
        };
        if room.editor.is_empty() && room.compose == Compose::Plain {
            self.edit_last();
        } else if !room.editor.up() {
            if is_untouched {
                room.compose = Compose::Plain;
                room.editor.set("");
            }
            self.older();
        }
    }

    fn down(&mut self) {
        let room = self.room_mut();
        if !room.editor.down() {
            self.newer();
        }
    }

    pub(super) fn older(&mut self) {
        let room = self.room_mut();
        let current = room.editor.text().to_owned();
        if let Some(line) = room.history.previous(&current).map(str::to_owned) {
            room.editor.set(&line);
        }
    }

    fn newer(&mut self) {
        let room = self.room_mut();
        if let Some(line) = room.history.next().map(str::to_owned) {
            room.editor.set(&line);
        }
    }

    fn search_history(&mut self, further: bool) {
        let needle = self.typing.search.clone().unwrap_or_default();
        let room = self.room_mut();
        if let Some(line) = room.history.search_backward(&needle, further).map(str::to_owned) {
            room.editor.set(&line);
        }
    }

    fn cancel(&mut self) {
        let room = self.room_mut();
        if room.selected.take().is_some() {
            return;
        }
        if room.compose != Compose::Plain {
            let is_reply = matches!(room.compose, Compose::Reply(_));
            room.compose = Compose::Plain;
            if !is_reply {
                room.editor.set("");
                room.history.reset();
            }
            return;
        }
        room.go_to_end();
    }

    fn clear(&mut self) {
        let room = self.room_mut();
        let is_idle = room.editor.is_empty() && room.compose == Compose::Plain && room.selected.is_none();
        if is_idle {
            self.say("Ctrl-Q or /quit leaves");
            return;
        }
        // What was cleared by mistake is found in the history.
        keep_draft(room);
        room.compose = Compose::Plain;
        room.selected = None;
    }

    fn first_unread(&mut self) {
        let room = self.room();
        let Some(marker) = room.marker else {
            self.say("nothing here is new");
            return;
        };
        let (key, first) = (room.key, room.live.log.range(marker.next()..).next().map(|message| message.seq));
        let is_here = !room.live.more_before || room.live.first_message().is_some_and(|first| first <= marker.next());
        match first.filter(|_| is_here) {
            Some(seq) => {
                if let Some(room) = self.by_key(key) {
                    room.back = None;
                }
                let (timeline, height) = self.past();
                let scroll = timeline.around(Key::entry(seq), height);
                self.look_at(scroll);
            }
            None => self.jump(key, marker.next()),
        }
    }

    /// Goes to a message, wherever in the log it is.
    pub(super) fn jump(&mut self, key: RoomKey, seq: Seq) {
        self.go(key);
        let Some(room) = self.by_key(key) else { return };
        let is_live = room.live.log.get(seq).is_some()
            && (!room.live.more_before || room.live.first_message().is_some_and(|first| first <= seq));
        if is_live {
            room.back = None;
            self.look_at_message(key, seq);
            return;
        }
        let (key, name) = (room.key, room.name.clone());
        if self.connection == Connection::Online {
            self.ask(Ask::History { key, room: name, anchor: Anchor::Around(seq), limit: super::PAGE });
        } else {
            self.error("there is no connection to fetch that from");
        }
    }

    fn step(&mut self, by: isize) {
        let count = self.rooms.len();
        let at = self.rooms.iter().position(|room| room.key == self.current).unwrap_or(0);
        let next = at.saturating_add(count).saturating_add_signed(by) % count.max(1);
        if let Some(key) = self.rooms.get(next).map(|room| room.key) {
            self.go(key);
        }
    }

    /// The next room with something new: mentions first, then what has waited longest.
    fn next_active(&mut self) {
        let current = self.current;
        let rooms = self.rooms.iter().filter(|room| room.key != current && (room.unread > 0 || room.mentions > 0));
        let next = rooms.min_by_key(|room| (room.mentions == 0, room.unread_since.unwrap_or_default(), room.key));
        match next.map(|room| room.key) {
            Some(key) => self.go(key),
            None => self.say("nothing is new anywhere"),
        }
    }

    pub(super) fn toggle_members(&mut self) {
        self.show_members = !self.show_members;
        if self.show_members && self.size.0 < MEMBERS_FROM {
            self.say(format!("the members need {MEMBERS_FROM} columns"));
        }
    }

    /// Sends the line, or does what it says; asks first where it is much.
    fn submit(&mut self) {
        let room = self.room_mut();
        let text = room.editor.text();
        let (lines, bytes) = (text.lines().count(), text.len());
        if (lines > MANY_LINES || bytes > MANY_BYTES) && !matches!(room.compose, Compose::React(_)) {
            let text = format!("send {lines} lines ({bytes} bytes) to {}?", room.name);
            let then = Then::Send(room.key);
            self.overlay = Some(Overlay::Question(Question { text, then }));
            return;
        }
        self.send_line();
    }

    pub(super) fn send_line(&mut self) {
        let now = self.now;
        let max_bytes = self.max_text_bytes;
        let room = self.room_mut();
        let line = room.editor.text().to_owned();
        if line.trim().is_empty() {
            if matches!(room.compose, Compose::Edit(_)) {
                self.error("an empty text deletes nothing: Esc leaves the edit, /delete takes the message back");
            }
            return;
        }
        // What is pasted over many lines is a text, even where it begins with a slash.
        let read = match (&room.compose, line.contains('\n') && !line.starts_with("/me ")) {
            (Compose::React(_), _) => Line::Say(line.clone()),
            (_, true) => Line::Say(line.clone()),
            (_, false) => slash::read(&line),
        };
        let (text, action) = match read {
            Line::Wrong(why) => {
                self.error(why);
                return;
            }
            Line::Do(slash::Command::Me(text)) => (text, true),
            Line::Do(command) => {
                let compose = room.compose.clone();
                room.editor.take();
                room.history.push(&line);
                // What a command is about may be what was to be answered.
                if !matches!(compose, Compose::Reply(_)) {
                    room.compose = Compose::Plain;
                }
                self.command(command);
                return;
            }
            Line::Say(text) => (text, false),
        };
        if text.len() > max_bytes {
            self.error(format!("that is {} bytes, and the server takes {max_bytes}", text.len()));
            return;
        }
        if let Some(why) = room.is_closed() {
            self.error(why);
            return;
        }
        let compose = std::mem::take(&mut room.compose);
        let (key, name) = (room.key, room.name.clone());
        match compose {
            Compose::React(target) => self.react(target, &text),
            Compose::Edit(target) => {
                if self.connection != Connection::Online {
                    self.room_mut().compose = Compose::Edit(target);
                    self.error("there is no connection; send the edit when it is back");
                    return;
                }
                let room = self.room_mut();
                room.editor.take();
                room.history.push(&line);
                self.deed(Deed::Edit { key, room: name, target, text });
            }
            Compose::Plain | Compose::Reply(_) => {
                room.editor.take();
                room.history.push(&line);
                room.typed_at = crate::model::Time::default();
                // Whoever answers has read.
                room.marker = None;
                room.go_to_end();
                let reply_to = match compose {
                    Compose::Reply(seq) => Some(seq),
                    _ => None,
                };
                self.outbox.push(key, Draft { text, action, reply_to, ..Draft::default() }, now);
            }
        }
    }
}

/// What was typed goes into the history instead of being lost.
pub(super) fn keep_draft(room: &mut Room) {
    let line = room.editor.take();
    if !line.trim().is_empty() && !matches!(room.compose, Compose::Edit(_) | Compose::React(_)) {
        room.history.push(&line);
    }
}

fn edit_line(room: &mut Room, action: Action) {
    let editor = &mut room.editor;
    match action {
        Action::Newline => editor.newline(),
        Action::Backspace => editor.backspace(),
        Action::Delete => editor.delete(),
        Action::Left => editor.left(),
        Action::Right => editor.right(),
        Action::WordLeft => editor.word_left(),
        Action::WordRight => editor.word_right(),
        Action::Home => editor.home(),
        Action::End => editor.end(),
        Action::KillStart => editor.kill_to_start(),
        Action::KillEnd => editor.kill_to_end(),
        Action::KillWord => editor.kill_word(),
        Action::KillWordForward => editor.kill_word_forward(),
        Action::Yank => editor.yank(),
        Action::Undo => editor.undo(),
        Action::Transpose => editor.transpose(),
        _ => {}
    }
}
