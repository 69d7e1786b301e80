//! The message that keys and commands act on: answered, edited, reacted to, taken back.

use super::chunk::Key;
use super::room::Compose;
use super::typed::keep_draft;
use super::{Effect, State};
use crate::model::Seq;
use crate::tui::ask::{Ask, Deed};
use crate::tui::emoji;

impl State {
    /// Selects the message above (-1) or below (1), or the last one on the screen.
    pub(super) fn select(&mut self, by: i32) {
        let (timeline, height) = self.past();
        let room = self.room();
        let chunk = room.shown();
        let next = match room.selected {
            Some(seq) if by < 0 => chunk.log.range(..seq).next_back().map(|message| message.seq).or(Some(seq)),
            Some(seq) => chunk.log.range(seq.next()..).next().map(|message| message.seq),
            None if by > 0 => None,
            None => {
                let seen = timeline.screen(room.scroll, height).seen;
                let last = seen.and_then(|seen| chunk.log.range(..=seen).next_back());
                last.or_else(|| chunk.log.messages().next_back()).map(|message| message.seq)
            }
        };
        // It is kept on the screen.
        let scroll = next.map(|seq| match timeline.shows(room.scroll, height, Key::entry(seq)) {
            true => room.scroll,
            false => timeline.around(Key::entry(seq), height),
        });
        self.room_mut().selected = next;
        if let Some(scroll) = scroll {
            self.look_at(scroll);
        }
    }

    pub(super) fn compose_for(&mut self, compose: impl Fn(Seq) -> Compose) {
        let room = self.room_mut();
        let Some(seq) = room.selected.take() else { return };
        room.compose = compose(seq);
        if matches!(room.compose, Compose::React(_)) {
            keep_draft(room);
            room.editor.set(":");
        }
    }

    /// Another text for the last message that one wrote here.
    pub(super) fn edit_last(&mut self) {
        let me = self.me.clone();
        let room = self.room_mut();
        let last = room.live.log.messages().rev().take(500).find(|message| message.from == me && !message.deleted);
        match last.map(|message| (message.seq, message.text.clone())) {
            Some((seq, text)) => {
                room.compose = Compose::Edit(seq);
                room.editor.set(&text);
            }
            None => self.older(),
        }
    }

    pub(super) fn edit_selected(&mut self) {
        let me = self.me.clone();
        let room = self.room_mut();
        let Some(message) = room.selected.and_then(|seq| room.shown().log.get(seq)) else { return };
        if message.from != me || message.deleted {
            self.error("only your own messages can be edited");
            return;
        }
        let (seq, text) = (message.seq, message.text.clone());
        keep_draft(room);
        room.selected = None;
        room.compose = Compose::Edit(seq);
        room.editor.set(&text);
    }

    /// Takes a message back, after a question.
    pub(super) fn delete_selected(&mut self, reason: Option<String>) {
        let me = self.me.clone();
        let room = self.room_mut();
        let own = room.live.log.messages().rev().find(|message| message.from == me && !message.deleted);
        let Some(target) = room.selected.or_else(|| own.map(|message| message.seq)) else {
            self.error("there is nothing of yours to delete");
            return;
        };
        let said = room
            .shown()
            .log
            .get(target)
            .map(|message| format!("{}: {}", message.from, message.text))
            .unwrap_or_default();
        let start: String = said.chars().take(60).collect();
        room.selected = None;
        let room = room.name.clone();
        let then = Effect::Ask(Ask::Deed(Deed::Delete { room, target, reason }));
        self.question(format!("delete \"{}\" for everybody, for ever?", start.replace('\n', " ")), then);
    }

    /// Reacts to a message, or takes the same reaction back.
    pub(super) fn react(&mut self, target: Seq, word: &str) {
        let me = self.me.clone();
        let word = word.trim();
        let Some(found) = emoji::by_name(word) else {
            self.room_mut().compose = Compose::React(target);
            self.error(format!("there is no emoji {word}; Tab completes them"));
            return;
        };
        let room = self.room_mut();
        room.compose = Compose::Plain;
        room.editor.set("");
        room.history.reset();
        let reactions = room.shown().log.get(target).map(|message| message.reactions.as_slice()).unwrap_or_default();
        let remove = reactions.iter().any(|reaction| reaction.emoji == found && reaction.users.contains(&me));
        let room = room.name.clone();
        self.deed(Deed::React { room, target, emoji: found.to_owned(), remove });
    }
}
