//! A list that lies over the messages.

use ratatui::layout::Position;

use super::Canvas;
use crate::tui::layout::{Area, Areas};
use crate::tui::state::picker::Picker;
use crate::tui::text;
use crate::tui::theme::Role;

/// Draws a list; says where the cursor is.
pub(super) fn picker(canvas: &mut Canvas<'_, '_>, picker: &Picker, areas: Areas) -> Option<Position> {
    let (width, height) = canvas.state.size;
    // Everything but the status line and where one types.
    let area = Area { x: 0, y: 0, width, height: areas.status.y.min(height) };
    canvas.fill(area, Role::Plain);
    let title = Area { height: 1.min(area.height), ..area };
    canvas.fill(title, Role::Bar);
    let count = picker.listed().len();
    let words = canvas.short(&picker.title, area.width.saturating_sub(12));
    canvas.put(area.x, area.y, &format!(" {words} "), area.width, Role::BarStrong);
    let counted = format!(" {count} ");
    let counted_width = u16::try_from(counted.len()).unwrap_or(0);
    canvas.put((area.x + area.width).saturating_sub(counted_width), area.y, &counted, counted_width, Role::Bar);
    let rows = usize::from(area.height.saturating_sub(1));
    let first = (picker.marked + 1).saturating_sub(rows);
    let names = picker.listed().skip(first).take(rows).map(|choice| text::width(&choice.text)).max().unwrap_or(0);
    let names = names.clamp(8, (usize::from(area.width) * 2 / 3).max(8));
    for (at, choice) in picker.listed().enumerate().skip(first).take(rows) {
        let y = area.y + 1 + u16::try_from(at - first).unwrap_or(0);
        let name = canvas.short(&choice.text, u16::try_from(names).unwrap_or(u16::MAX));
        let left = area.width.saturating_sub(u16::try_from(names).unwrap_or(0) + 3);
        let detail = canvas.short(&choice.detail, left);
        let is_marked = at == picker.marked;
        let role = if is_marked { Role::Here } else { Role::Plain };
        let line = format!(" {}  {detail}", text::pad(&name, names));
        let line = text::pad(&line, usize::from(area.width));
        canvas.put(area.x, y, &line, area.width, role);
        if !is_marked {
            let x = area.x + u16::try_from(names).unwrap_or(0) + 3;
            canvas.put(x, y, &detail, left, Role::Faint);
        }
    }
    let filter = picker.filter.as_ref()?;
    canvas.fill(areas.input, Role::Plain);
    let at = canvas.put(areas.input.x, areas.input.y, "> ", areas.input.width, Role::Called);
    let width = (areas.input.x + areas.input.width).saturating_sub(at).max(1);
    let view = filter.view(usize::from(width), 1);
    if let Some(row) = view.rows.first() {
        canvas.put(at, areas.input.y, row, width, Role::Plain);
    }
    let x = at.saturating_add(u16::try_from(view.cursor_column).unwrap_or(u16::MAX));
    Some(Position::new(x.min(width.saturating_sub(1) + at), areas.input.y))
}
