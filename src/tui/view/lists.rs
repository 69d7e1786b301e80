//! The rooms on the left, the members on the right.

use super::Canvas;
use crate::tui::layout::Area;
use crate::tui::state::room::{Room, Standing};
use crate::tui::text;
use crate::tui::theme::Role;

/// The rooms, with their numbers and what is new in them. The one that one is in is always among them.
pub(super) fn rooms(canvas: &mut Canvas<'_, '_>, area: Area) {
    let height = usize::from(area.height);
    let state = canvas.state;
    let here = state.rooms.iter().position(|room| room.key == state.current).unwrap_or(0);
    let first = here.saturating_sub(height.saturating_sub(1)).min(state.rooms.len().saturating_sub(height));
    let shown = state.rooms.iter().enumerate().skip(first).take(height);
    for ((number, room), y) in shown.zip(area.y..) {
        room_line(canvas, area, y, number, room, number == here);
    }
}

fn room_line(canvas: &mut Canvas<'_, '_>, area: Area, y: u16, number: usize, room: &Room, is_here: bool) {
    let count = match (room.mentions, room.unread) {
        (0, 0) => String::new(),
        (0, unread) => short_number(unread),
        (mentions, _) => format!("!{}", short_number(mentions)),
    };
    let role = match room {
        _ if is_here => Role::Here,
        Room { mentions: 1.., .. } => Role::Mentioned,
        Room { unread: 1.., .. } => Role::Unread,
        Room { standing: Standing::Closed(_), .. } => Role::Faint,
        _ => Role::Plain,
    };
    let number = match number {
        0..9 => format!("{} ", number + 1),
        9 => "0 ".to_owned(),
        _ => "  ".to_owned(),
    };
    let room_for = usize::from(area.width).saturating_sub(2 + text::width(&count) + usize::from(!count.is_empty()));
    let name = canvas.short(&room.name, u16::try_from(room_for).unwrap_or(u16::MAX));
    let line = format!("{number}{} {count}", text::pad(&name, room_for));
    let line = text::pad(line.trim_end(), usize::from(area.width));
    canvas.put(area.x, y, &line, area.width, role);
    if !is_here {
        canvas.put(area.x, y, &number, 2, Role::Faint);
    }
}

/// Who is in the room: those who are there first.
pub(super) fn members(canvas: &mut Canvas<'_, '_>, area: Area) {
    if area.width == 0 {
        return;
    }
    let room = canvas.state.room();
    let all = room.members.sorted();
    let height = usize::from(area.height);
    let is_cut = all.len() > height || room.members.more;
    let shown = if is_cut { height.saturating_sub(1) } else { height };
    for (member, y) in all.iter().take(shown).zip(area.y..) {
        let role = match member {
            member if !member.online => Role::Faint,
            member if member.away => Role::Pending,
            member if member.name == canvas.state.me => Role::Me,
            member => Role::of_name(&member.name),
        };
        let name = canvas.short(&member.name, area.width.saturating_sub(1));
        let line = format!("{}{name}", member.sign());
        canvas.put(area.x, y, &line, area.width, role);
    }
    if is_cut && height > 0 {
        let more = all.len().saturating_sub(shown);
        let sign = if room.members.more { "+" } else { "" };
        let line = format!(" {more}{sign} more");
        canvas.put(area.x, area.y + area.height - 1, &line, area.width, Role::Faint);
    }
}

/// A number in at most four cells.
pub(super) fn short_number(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => format!("{}k", number / 1000),
        _ => "1M+".to_owned(),
    }
}
