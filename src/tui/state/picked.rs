//! What lies over the screen: a list that something is taken from, a question that is answered.

use super::picker::{Choice, Pick, Picker};
use super::room::{Room, Standing};
use super::{Effect, Overlay, Question, State, Then};
use crate::tui::ask::Ask;
use crate::tui::keys::Action;

impl State {
    pub(super) fn switcher(&mut self) {
        let mut rooms: Vec<&Room> = self.rooms.iter().collect();
        // Where one was before is what one wants most often; then what is new.
        let (current, previous) = (self.current, self.previous);
        rooms.sort_by_key(|room| (room.key == current, room.key != previous, room.mentions == 0, room.unread == 0));
        let choices = rooms.into_iter().map(|room| {
            let detail = match (room.mentions, room.unread) {
                (0, 0) => room.topic.clone(),
                (0, unread) => format!("{unread} new  {}", room.topic),
                (mentions, unread) => format!("{unread} new, {mentions} for you  {}", room.topic),
            };
            Choice::new(&room.name, detail, Pick::Go(room.key))
        });
        let picker = Picker::filtered("go to", choices.collect());
        self.overlay = Some(Overlay::Picker(picker));
    }

    pub(super) fn pick(&mut self, action: Action) {
        let page = isize::try_from(self.size.1 / 2).unwrap_or(isize::MAX);
        let Some(Overlay::Picker(picker)) = &mut self.overlay else { return };
        match action {
            Action::Up => picker.move_by(-1),
            Action::Down => picker.move_by(1),
            Action::PageUp => picker.move_by(-page),
            Action::PageDown => picker.move_by(page),
            Action::Top => picker.move_by(isize::MIN),
            Action::Bottom => picker.move_by(isize::MAX),
            Action::Backspace | Action::KillStart | Action::KillWord => {
                if let Some(filter) = &mut picker.filter {
                    match action {
                        Action::Backspace => filter.backspace(),
                        Action::KillStart => filter.kill_to_start(),
                        _ => filter.kill_word(),
                    }
                    picker.narrow();
                }
            }
            Action::Cancel => self.overlay = None,
            Action::Redraw => self.effects.push(Effect::Redraw),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Quit => {
                self.overlay = None;
                self.quit();
            }
            Action::Submit => {
                let Some(pick) = picker.picked().map(|choice| choice.pick.clone()) else { return };
                self.picked(pick);
            }
            _ => {}
        }
    }

    fn picked(&mut self, pick: Pick) {
        match pick {
            Pick::Go(key) => {
                self.overlay = None;
                self.go(key);
            }
            Pick::Join(room) => {
                self.overlay = None;
                self.join(&room);
            }
            Pick::Jump { room, seq } => {
                self.overlay = None;
                // A room of which one is no member may be open to everybody all the same: then it is only looked at.
                let known = self.by_name(&room).map(|room| room.key);
                let Some(key) = known.or_else(|| self.open(&room)) else { return };
                if known.is_none()
                    && let Some(room) = self.by_key(key)
                {
                    room.standing = Standing::Closed("you are not in it; /join comes in".to_owned());
                }
                self.jump(key, seq);
            }
            Pick::More { query, after } => {
                let room = None;
                self.ask(Ask::Search { query, room, after: Some(after) });
            }
            Pick::Nothing => {}
        }
    }

    pub(super) fn question(&mut self, text: String, then: Effect) {
        self.overlay = Some(Overlay::Question(Question { text, then: Then::Do(then) }));
    }

    pub(super) fn answer(&mut self, action: Action) {
        match action {
            Action::Redraw => self.effects.push(Effect::Redraw),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Yes => {
                let Some(Overlay::Question(question)) = self.overlay.take() else { return };
                match question.then {
                    Then::Do(effect) => self.effects.push(effect),
                    Then::Send(key) if key == self.current => self.send_line(),
                    Then::Send(_) => self.error("that was asked in another room; nothing is sent"),
                }
            }
            Action::No => self.overlay = None,
            _ => {}
        }
    }

    /// Leaves, after a question where something would be lost.
    pub(super) fn quit(&mut self) {
        match self.outbox.unsent() {
            0 => self.effects.push(Effect::Quit),
            1 => self.question("a message is not sent yet; leave all the same?".to_owned(), Effect::Quit),
            many => self.question(format!("{many} messages are not sent yet; leave all the same?"), Effect::Quit),
        }
    }
}
