//! The screen as a picture of the state, and nothing else: whatever is drawn here is drawn anew from the state alone.

mod input;
mod lists;
mod messages;
mod overlay;
mod status;

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::layout::{Area, Areas};
use super::settings::{Emoji, Rtl};
use super::state::room::RoomKey;
use super::state::{Overlay, State};
use super::text;
use super::theme::Role;
use super::timeline::Row;
use crate::model::Seq;

/// What a frame has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// Where the cursor is.
    pub(crate) cursor: Option<Position>,
    /// Of which room, and up to which entry, and whether the oldest one that is known was on it.
    pub(crate) shown: Option<(RoomKey, Option<Seq>, bool)>,
}

/// Draws the state.
pub(crate) fn draw(state: &State, buffer: &mut Buffer) -> Drawn {
    let canvas = Canvas { buffer, state };
    let areas = Areas::of(state);
    let mut drawn = Drawn::default();
    let mut canvas = canvas;
    lists::rooms(&mut canvas, areas.rooms);
    lists::members(&mut canvas, areas.members);
    status::topic(&mut canvas, areas.topic);
    drawn.shown = messages::draw(&mut canvas, areas);
    if areas.rooms.width > 0 {
        canvas.rule(areas.rooms.x + areas.rooms.width, areas.rooms.y, areas.rooms.height);
    }
    if areas.members.width > 0 {
        canvas.rule(areas.members.x.saturating_sub(1), areas.members.y, areas.members.height);
    }
    status::bar(&mut canvas, areas.status);
    drawn.cursor = input::draw(&mut canvas, areas.input);
    match &state.overlay {
        Some(Overlay::Picker(picker)) => drawn.cursor = overlay::picker(&mut canvas, picker, areas),
        Some(Overlay::Question(question)) => drawn.cursor = input::question(&mut canvas, question, areas.input),
        None => {}
    }
    drawn
}

/// Where things are drawn. It never writes outside of the screen, whatever it is told.
struct Canvas<'b, 's> {
    buffer: &'b mut Buffer,
    state: &'s State,
}

impl Canvas<'_, '_> {
    fn style(&self, role: Role) -> Style {
        self.state.settings.look.style(role)
    }

    /// Writes a text that was made harmless; says where it ends.
    fn put(&mut self, x: u16, y: u16, words: &str, width: u16, role: Role) -> u16 {
        let style = self.style(role);
        self.put_styled(x, y, words, width, style)
    }

    fn put_styled(&mut self, x: u16, y: u16, words: &str, width: u16, style: Style) -> u16 {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() {
            return x;
        }
        let words = match self.state.settings.emoji {
            Emoji::Full => Cow::Borrowed(words),
            Emoji::Simple => text::without_tones(words),
        };
        self.buffer.set_stringn(x, y, words, usize::from(width), style).0
    }

    /// Fills cells with blanks of a style.
    fn fill(&mut self, area: Area, role: Role) {
        let style = self.style(role);
        let rect = Rect::new(area.x, area.y, area.width, area.height).intersection(self.buffer.area);
        for y in rect.top()..rect.bottom() {
            for x in rect.left()..rect.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    /// A line from above to below.
    fn rule(&mut self, x: u16, y: u16, height: u16) {
        for row in y..y.saturating_add(height) {
            self.put(x, row, "│", 1, Role::Line);
        }
    }

    fn row(&mut self, x: u16, y: u16, row: &Row, width: u16) {
        let mut at = x;
        let end = x.saturating_add(width);
        for span in &row.spans {
            let mut style = self.style(span.role);
            if row.selected {
                style = style.patch(self.style(Role::Here));
            }
            at = self.put_styled(at, y, &span.text, end.saturating_sub(at), style);
        }
        if row.selected {
            let blank = " ".repeat(usize::from(end.saturating_sub(at)));
            self.put(at, y, &blank, end.saturating_sub(at), Role::Here);
        }
    }

    /// A short text from the network, harmless, in its order, and cut to a width.
    fn short(&self, words: &str, width: u16) -> String {
        let words: String = words.chars().take(1000).collect();
        let words = text::harmless(&words, false);
        let words = match self.state.settings.rtl {
            Rtl::Reorder => text::visual(&words, text::is_rtl(&words)),
            Rtl::Terminal => words,
        };
        text::fit(&words, usize::from(width))
    }
}
