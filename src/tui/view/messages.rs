//! What was said.

use super::Canvas;
use crate::model::Seq;
use crate::tui::layout::{Area, Areas};
use crate::tui::state::room::{RoomKey, Standing};
use crate::tui::text;
use crate::tui::theme::Role;

/// Draws the room that one is in; says what of it was on the screen.
pub(super) fn draw(canvas: &mut Canvas<'_, '_>, areas: Areas) -> Option<(RoomKey, Option<Seq>, bool)> {
    let area = areas.messages;
    let room = canvas.state.room();
    if room.key == RoomKey::HALL {
        welcome(canvas, area);
    }
    let (timeline, height) = canvas.state.timeline();
    let screen = timeline.screen(room.scroll, height);
    // What is little stands below, next to where one types.
    let blank = height.saturating_sub(screen.rows.len());
    for (at, row) in (blank..).zip(&screen.rows) {
        let y = area.y.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
        canvas.row(area.x, y, row, area.width);
    }
    if screen.rows.is_empty() && area.height > 0 {
        let words = match &room.standing {
            _ if room.loading => "…",
            Standing::Unborn => "nothing was said here yet",
            Standing::Closed(_) => "",
            _ if room.loaded => "nothing was said here yet",
            _ => "…",
        };
        let words = text::fit(words, usize::from(area.width));
        canvas.put(area.x, area.y + area.height - 1, &words, area.width, Role::Faint);
    }
    below(canvas, areas.below, screen.below, room.back.as_ref().is_some_and(|back| back.more_after));
    Some((room.key, screen.seen, screen.at_top))
}

/// Says how much is below the edge.
fn below(canvas: &mut Canvas<'_, '_>, area: Area, below: usize, more: bool) {
    if area.height == 0 {
        return;
    }
    let room = canvas.state.room();
    let words = match (more, room.unread) {
        (true, 0) => "further back in time: Esc goes to the end".to_owned(),
        (true, new) => format!("further back in time, {new} new: Esc goes to the end"),
        (false, 0) => format!("{below} below: Esc goes to the end"),
        (false, new) => format!("{new} new below: Esc goes there"),
    };
    let words = text::fit(&format!(" ↓ {words}"), usize::from(area.width));
    canvas.fill(area, Role::Bar);
    canvas.put(area.x, area.y, &words, area.width, Role::BarStrong);
}

fn welcome(canvas: &mut Canvas<'_, '_>, area: Area) {
    for (at, line) in ["You are in no room.", "/rooms lists them, /join ROOM comes in."].iter().enumerate() {
        let y = area.y.saturating_add(u16::try_from(at).unwrap_or(0));
        if y < area.y + area.height {
            let line = text::fit(line, usize::from(area.width));
            canvas.put(area.x, y, &line, area.width, Role::Told);
        }
    }
}
