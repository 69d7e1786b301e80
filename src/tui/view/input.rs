//! Where one types.

use ratatui::layout::Position;

use super::Canvas;
use crate::tui::layout::{Area, prompt};
use crate::tui::state::Question;
use crate::tui::state::room::Compose;
use crate::tui::text;
use crate::tui::theme::Role;

/// Draws the input line; says where the cursor is.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, area: Area) -> Option<Position> {
    let room = canvas.state.room();
    let prompt = prompt(canvas.state, area.width);
    let role = if room.compose == Compose::Plain { Role::Faint } else { Role::Called };
    let at = canvas.put(area.x, area.y, &prompt, area.width, role);
    let width = (area.x + area.width).saturating_sub(at).max(1);
    let view = room.editor.view(usize::from(width), usize::from(area.height));
    for (row, y) in view.rows.iter().zip(area.y..area.y + area.height) {
        canvas.put(at, y, row, width, Role::Plain);
    }
    let x = at.saturating_add(u16::try_from(view.cursor_column).unwrap_or(u16::MAX));
    let y = area.y.saturating_add(u16::try_from(view.cursor_row).unwrap_or(u16::MAX));
    Some(Position::new(x.min((area.x + area.width).saturating_sub(1)), y))
}

/// Draws a question in the place of the input line.
pub(super) fn question(canvas: &mut Canvas<'_, '_>, question: &Question, area: Area) -> Option<Position> {
    canvas.fill(area, Role::Plain);
    let end = " (y/n) ";
    let room_for = area.width.saturating_sub(u16::try_from(end.len()).unwrap_or(0));
    let words = text::fit(&canvas.short(&question.text, room_for), usize::from(room_for));
    let at = canvas.put(area.x, area.y, &words, room_for, Role::Called);
    let at = canvas.put(at, area.y, end, area.width, Role::Called);
    Some(Position::new(at.min((area.x + area.width).saturating_sub(1)), area.y))
}
