//! What a command does. Each only asks: what may be done the server decides.

use super::chunk::NoteSort;
use super::picker::{Choice, Pick, Picker};
use super::room::{Compose, RoomKey, Standing};
use super::{Connection, Effect, Overlay, State};
use crate::client::{Draft, RoomSettings};
use crate::model::Seq;
use crate::tui::ask::{Ask, Deed};
use crate::tui::keys::{BINDINGS, Place};
use crate::tui::slash::{COMMANDS, Command, find};

impl State {
    /// Does what was commanded, in the room that one is in.
    pub(super) fn command(&mut self, command: Command) {
        // What does not need the server, first.
        match command {
            Command::Help(about) => return self.help(about.as_deref()),
            Command::Names => return self.toggle_members(),
            Command::Quit => return self.quit(),
            Command::Retry => return self.retry(),
            Command::Discard => return self.discard(),
            Command::Reply(text) => return self.reply(text),
            Command::Reconnect => {
                if self.connection == Connection::Online {
                    self.say("the connection is there");
                } else {
                    self.effects.push(Effect::Reconnect);
                }
                return;
            }
            _ => {}
        }
        if self.connection != Connection::Online {
            self.error("there is no connection; only messages wait for it");
            return;
        }
        let room = self.room().name.clone();
        match command {
            Command::Join(name) => self.join(&name),
            Command::Leave => self.leave(),
            Command::Message { user, text } => self.message(&user, text),
            Command::Topic(None) => {
                let topic = self.room().topic.clone();
                let words = if topic.is_empty() { "there is no topic".to_owned() } else { format!("topic: {topic}") };
                self.tell(NoteSort::Told, words);
            }
            Command::Topic(Some(topic)) => self.deed(Deed::Topic { room, topic }),
            Command::Rooms => self.ask(Ask::Rooms),
            Command::Search(query) => self.ask(Ask::Search { query, room: None, after: None }),
            Command::React(word) => match self.target() {
                Some(target) => self.react(target, &word),
                None => self.error("there is nothing to react to"),
            },
            Command::Delete(reason) => self.delete_selected(reason),
            Command::Create { room, kind } => {
                let from = self.current;
                self.deed(Deed::Create { from, room, kind, topic: String::new() });
            }
            Command::Rename(name) => self.change(room, RoomSettings::new().name(name)),
            Command::Kind(kind) => self.change(room, RoomSettings::new().kind(kind)),
            Command::DeleteRoom(name) if name == room => {
                let then = Effect::Ask(Ask::Deed(Deed::DeleteRoom { room: name }));
                self.question(format!("delete {room} and all that was said in it, for everybody, for ever?"), then);
            }
            Command::DeleteRoom(_) => {
                self.error(format!("to be sure, name the room that you are in: /delete-room {room}"))
            }
            Command::Invite { user, reason } => self.deed(Deed::Invite { room, user, reason }),
            Command::Kick { user, reason } => self.deed(Deed::Kick { room, user, reason }),
            Command::Ban { user, sanction } => self.deed(Deed::Ban { room, user, sanction }),
            Command::Unban(user) => self.deed(Deed::Unban { room, user }),
            Command::Mute { user, sanction } => self.deed(Deed::Mute { room, user, sanction }),
            Command::Unmute(user) => self.deed(Deed::Unmute { room, user }),
            Command::Role { user, role } => self.deed(Deed::Role { room, user, role }),
            Command::Away(text) => self.deed(Deed::Status { away: true, text }),
            Command::Back => self.deed(Deed::Status { away: false, text: None }),
            Command::Block(user) => self.deed(Deed::Block { user }),
            Command::Unblock(user) => self.deed(Deed::Unblock { user }),
            Command::Notice(text) => self.deed(Deed::Notice { text }),
            Command::Read => self.read_all(),
            // Done above.
            Command::Help(_)
            | Command::Names
            | Command::Quit
            | Command::Retry
            | Command::Discard
            | Command::Reply(_)
            | Command::Reconnect
            | Command::Me(_) => {}
        }
    }

    fn change(&mut self, room: String, settings: RoomSettings) {
        self.deed(Deed::Change { room, settings });
    }

    /// The message that a command is about: the selected one, the one that is answered, or the newest.
    fn target(&self) -> Option<Seq> {
        let room = self.room();
        let answered = match room.compose {
            Compose::Reply(seq) => Some(seq),
            _ => None,
        };
        let newest = || room.live.log.messages().next_back().map(|message| message.seq);
        room.selected.or(answered).or_else(newest)
    }

    fn reply(&mut self, text: String) {
        let (now, target) = (self.now, self.target());
        let room = self.room_mut();
        if let Some(why) = room.is_closed() {
            // It can be mended and said elsewhere.
            room.history.push(&text);
            self.error(why);
            return;
        }
        room.compose = Compose::Plain;
        room.selected = None;
        room.go_to_end();
        let (key, draft) = (room.key, Draft { text, reply_to: target, ..Draft::default() });
        self.outbox.push(key, draft, now);
    }

    fn leave(&mut self) {
        let room = self.room();
        let (key, name) = (room.key, room.name.clone());
        if key == RoomKey::HALL {
            self.error("you are in no room");
            return;
        }
        if self.outbox.has_unsent(key) {
            self.error("something here is not sent yet: wait for it, or /discard it first");
            return;
        }
        self.ask(Ask::Leave { key, room: name });
    }

    /// Goes into a conversation of two, and says something there.
    fn message(&mut self, user: &str, text: String) {
        let name = format!("@{user}");
        let open = self.by_name(&name).filter(|room| room.is_closed().is_none()).map(|room| room.key);
        if let Some(key) = open {
            self.go(key);
        } else {
            let Some(key) = self.open(&name) else { return };
            if let Some(room) = self.by_key(key) {
                room.standing = Standing::Unborn;
            }
            // Whether there is such a conversation only the server knows.
            self.ask(Ask::Join { room: name, start: crate::client::Start::Now, from: None });
            self.go(key);
        }
        let (now, key) = (self.now, self.current);
        if !text.is_empty() {
            self.outbox.push(key, Draft { text, ..Draft::default() }, now);
        }
    }

    fn read_all(&mut self) {
        let mut due = Vec::new();
        for room in &mut self.rooms {
            if room.unread > 0 || room.mentions > 0 {
                (room.unread, room.mentions, room.unread_since, room.marker) = (0, 0, None, None);
                room.read = room.head;
                due.push((room.key, room.head));
            }
        }
        self.read_due.extend(due);
    }

    fn retry(&mut self) {
        let (now, key) = (self.now, self.current);
        if let Some(why) = self.room().is_closed() {
            self.error(why);
        } else if self.outbox.retry(key, now) == 0 {
            self.say("there is nothing that was not sent here");
        }
    }

    fn discard(&mut self) {
        let texts = self.outbox.discard(self.current);
        if texts.is_empty() {
            self.say("there is nothing that was not sent here");
        }
        // They can be had back with Ctrl-Up.
        let room = self.room_mut();
        texts.iter().for_each(|text| room.history.push(text));
    }

    /// The keys and commands, or one command.
    pub(super) fn help(&mut self, about: Option<&str>) {
        if let Some(word) = about {
            match find(word) {
                Some(spec) => self.say(format!("/{} {}: {}", spec.word, spec.usage, spec.about)),
                None => self.error(format!("there is no command {word}")),
            }
            return;
        }
        let mut choices = Vec::new();
        for (place, title) in
            [(Place::Typing, "keys"), (Place::Selecting, "with a message selected"), (Place::Picking, "in a list")]
        {
            choices.push(Choice::new(format!("— {title} —"), "", Pick::Nothing));
            let told = BINDINGS.iter().filter(|binding| binding.place == place && !binding.about.is_empty());
            choices.extend(told.map(|binding| Choice::new(binding.key, binding.about, Pick::Nothing)));
        }
        choices.push(Choice::new("— commands; // begins a message with / —", "", Pick::Nothing));
        choices.extend(
            COMMANDS.iter().map(|spec| {
                Choice::new(format!("/{} {}", spec.word, spec.usage).trim_end(), spec.about, Pick::Nothing)
            }),
        );
        self.overlay = Some(Overlay::Picker(Picker::plain("help: Esc closes it", choices)));
    }
}
