//! The bars: what the room is about above, and below how things stand and what a key does now.

use super::Canvas;
use super::lists::short_number;
use crate::tui::keys::Place;
use crate::tui::layout::{Area, Areas};
use crate::tui::state::room::{Compose, RoomKey, Standing};
use crate::tui::state::{Connection, State};
use crate::tui::text;
use crate::tui::theme::Role;

/// A round trip that takes longer is worth a look, in milliseconds.
const SLOW_MS: u128 = 300;

/// What the room is about, and how many are in it.
pub(super) fn topic(canvas: &mut Canvas<'_, '_>, area: Area) {
    canvas.fill(area, Role::Bar);
    if area.height == 0 {
        return;
    }
    let room = canvas.state.room();
    let (online, members) = room.members.count();
    let more = if room.members.more { "+" } else { "" };
    let right = if room.members.known { format!(" {online} of {members}{more} ") } else { " ".to_owned() };
    let room_for = area.width.saturating_sub(u16::try_from(text::width(&right)).unwrap_or(0));
    let name = format!(" {} ", canvas.short(&room.name, 40));
    let at = canvas.put(area.x, area.y, &name, room_for, Role::BarStrong);
    let left = (area.x + room_for).saturating_sub(at);
    let topic = canvas.short(&room.topic, left);
    canvas.put(at, area.y, &topic, left, Role::Bar);
    canvas.put(area.x + room_for, area.y, &right, area.width, Role::Bar);
}

/// How things stand: the connection, what is wrong, who types, what is new elsewhere, and what a key does now.
pub(super) fn bar(canvas: &mut Canvas<'_, '_>, area: Area) {
    if area.height == 0 {
        return;
    }
    canvas.fill(area, Role::Bar);
    let state = canvas.state;
    let mut left: Vec<(String, Role)> = Vec::new();
    let me = canvas.short(&state.me, 20);
    match &state.connection {
        Connection::Online => {
            let away = if state.away { " (away)" } else { "" };
            left.push((format!(" {me}{away} "), Role::Bar));
            if let Some(lag) = state.lag().filter(|lag| lag.as_millis() >= SLOW_MS) {
                left.push((format!("· lag {:.1}s ", lag.as_secs_f64()), Role::BarStrong));
            }
        }
        Connection::Lost { reason, retry_at } => {
            let seconds = (retry_at.0.saturating_sub(state.now.0).max(0) + 999) / 1000;
            let when = if seconds > 0 { format!("again in {seconds}s") } else { "connecting".to_owned() };
            let room_for = area.width.saturating_sub(24);
            left.push((format!(" offline, {when} "), Role::BarError));
            left.push((format!(" {} ", canvas.short(reason, room_for)), Role::Bar));
        }
        Connection::Ended { reason } => {
            let room_for = area.width.saturating_sub(28);
            left.push((" offline: /reconnect ".to_owned(), Role::BarError));
            left.push((format!(" {} ", canvas.short(reason, room_for)), Role::Bar));
        }
    }
    let unsent = state.outbox.unsent();
    if unsent > 0 && state.connection != Connection::Online {
        left.insert(1, (format!(" {unsent} to send "), Role::BarStrong));
    }
    if let Some(flash) = &state.flash {
        // What was just said matters more than how things stand.
        let role = if flash.is_error { Role::BarError } else { Role::BarStrong };
        left = vec![(format!(" {} ", canvas.short(&flash.text, area.width.saturating_sub(2))), role)];
    } else if let Some((offered, at)) = state.offered() {
        left = offer(canvas, &offered, at, area.width);
    } else if let Some(needle) = state.history_search() {
        left = vec![(format!(" searching back for: {} ", canvas.short(needle, 40)), Role::BarStrong)];
    } else {
        left.extend(typing(canvas, state));
        if Areas::of(state).rooms.width == 0 {
            left.extend(activity(canvas, state));
        }
    }
    let mut at = area.x;
    let end = area.x + area.width;
    for (words, role) in &left {
        at = canvas.put(at, area.y, words, end.saturating_sub(at), *role);
    }
    let hint = hint(state);
    let width = u16::try_from(text::width(hint)).unwrap_or(u16::MAX);
    if end.saturating_sub(at) > width + 1 {
        canvas.put(end - width - 1, area.y, hint, width, Role::Bar);
    }
}

/// What a completion offers, the one that is taken strong.
fn offer(canvas: &Canvas<'_, '_>, offered: &[String], taken: usize, width: u16) -> Vec<(String, Role)> {
    // As many as there is room for, the taken one among them.
    let mut first = taken;
    let room_for = usize::from(width);
    let size = |at: usize| offered.get(at).map_or(0, |word| text::width(word).min(30) + 2);
    let mut used = size(taken);
    while first > 0 && used + size(first - 1) < room_for / 2 {
        first -= 1;
        used += size(first);
    }
    let words = offered.iter().enumerate().skip(first).take(40);
    words
        .map(|(at, word)| (format!(" {} ", canvas.short(word, 30)), if at == taken { Role::Plain } else { Role::Bar }))
        .collect()
}

/// Who is typing here.
fn typing(canvas: &Canvas<'_, '_>, state: &State) -> Option<(String, Role)> {
    let typists: Vec<&str> = state.room().typing(state.now).take(4).collect();
    let words = match typists.as_slice() {
        [] => return None,
        [one] => format!("· {} is typing… ", canvas.short(one, 20)),
        [one, other] => format!("· {} and {} are typing… ", canvas.short(one, 20), canvas.short(other, 20)),
        _ => "· several are typing… ".to_owned(),
    };
    Some((words, Role::Bar))
}

/// What is new in the other rooms, for screens without a list of them.
fn activity(canvas: &Canvas<'_, '_>, state: &State) -> Vec<(String, Role)> {
    let others = state.rooms.iter().enumerate().filter(|(_, room)| room.key != state.current && room.unread > 0);
    others
        .take(9)
        .enumerate()
        .map(|(place, (at, room))| {
            let before = if place == 0 { "· " } else { "" };
            let name = canvas.short(&room.name, 10);
            let number = if at < 9 { format!("{}:", at + 1) } else { String::new() };
            match room.mentions {
                0 => (format!("{before}{number}{name} {} ", short_number(room.unread)), Role::Bar),
                mentions => (format!("{before}{number}{name} !{} ", short_number(mentions)), Role::BarStrong),
            }
        })
        .collect()
}

/// What a key does now.
fn hint(state: &State) -> &'static str {
    let room = state.room();
    match (state.place(), &room.compose) {
        (Place::Picking, _) => "Enter takes · Esc closes",
        (Place::Asked, _) => "y yes · n no",
        (Place::Selecting, _) => "r reply · + react · e edit · d delete · Esc back",
        (_, Compose::Edit(_)) => "Enter saves · Esc leaves it as it was",
        (_, Compose::Reply(_)) => "Enter answers · Esc answers nobody",
        (_, Compose::React(_)) => "Tab completes · Enter reacts · Esc back",
        _ if room.key == RoomKey::HALL => "Ctrl-Q leaves · F1 help",
        _ if matches!(room.standing, Standing::Closed(_)) => "/join comes back · /leave forgets it",
        _ if !room.at_end() => "Esc to the end · Alt-Up selects",
        _ if !room.editor.is_empty() => "Enter sends · Tab completes",
        _ if state.rooms.iter().any(|other| other.key != room.key && other.unread > 0) => "Alt-A next new · F1 help",
        _ => "Ctrl-K rooms · F1 help",
    }
}
