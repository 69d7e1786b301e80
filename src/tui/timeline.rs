//! A room as rows of text: what is on the screen for a place to look at, and where one looks after scrolling. Only what is
//! looked at is laid out, however much there is.

mod rows;

use jiff::tz::TimeZone;

pub(crate) use rows::{calls, local};

use super::settings::Rtl;
use super::state::chunk::{Chunk, Item, Key};
use super::state::outbox::Outgoing;
use super::state::room::{Room, Scroll};
use super::text;
use super::theme::Role;
use crate::model::Seq;

/// A piece of a row, all in the same look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) text: String,
    pub(crate) role: Role,
}

/// A row of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) spans: Vec<Span>,
    /// It belongs to the message that keys act on.
    pub(crate) selected: bool,
}

impl Row {
    fn of(text: impl Into<String>, role: Role) -> Row {
        Row { spans: vec![Span { text: text.into(), role }], selected: false }
    }

    fn and(mut self, text: impl Into<String>, role: Role) -> Row {
        self.push(text, role);
        self
    }

    fn push(&mut self, text: impl Into<String>, role: Role) {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span { text, role });
        }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(|span| text::width(&span.text)).sum()
    }
}

/// What rows are made for: how wide they are, and who looks at them.
#[derive(Clone, Debug)]
pub(crate) struct Canvas<'s> {
    pub(crate) width: usize,
    pub(crate) me: &'s str,
    pub(crate) zone: &'s TimeZone,
    pub(crate) time_format: &'s str,
    pub(crate) rtl: Rtl,
}

/// What is on the screen.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    pub(crate) rows: Vec<Row>,
    /// The last entry of which the last row is on it.
    pub(crate) seen: Option<Seq>,
    /// How many messages are below the edge.
    pub(crate) below: usize,
    /// The first thing that is known is on it.
    pub(crate) at_top: bool,
}

/// What stands at a place.
#[derive(Clone, Copy)]
enum Entry<'r> {
    Item(Item<'r>),
    Pending(&'r Outgoing),
}

/// A room, to be laid out.
pub(crate) struct Timeline<'r> {
    canvas: Canvas<'r>,
    room: &'r Room,
    chunk: &'r Chunk,
    pending: Vec<&'r Outgoing>,
}

impl<'r> Timeline<'r> {
    /// The room as it is looked at. What waits to be sent stands at its end, and only there.
    pub(crate) fn new(room: &'r Room, pending: impl Iterator<Item = &'r Outgoing>, canvas: Canvas<'r>) -> Timeline<'r> {
        let pending = if room.back.is_some() { Vec::new() } else { pending.collect() };
        let canvas = Canvas { width: canvas.width.max(1), ..canvas };
        Timeline { canvas, room, chunk: room.shown(), pending }
    }

    /// The rows that are on a screen of that height.
    pub(crate) fn screen(&self, scroll: Scroll, height: usize) -> Screen {
        let mut screen = Screen::default();
        let (mut at, mut hidden) = match scroll {
            Scroll::Bottom => (self.before(None), 0),
            Scroll::At { key, hidden } => (self.at_or_before(key).or_else(|| self.after(None)), hidden),
        };
        let bottom = at.map(|(key, _)| key);
        screen.below = bottom.map_or(0, |key| self.chunk.after(Some(key)).filter(is_message).count());
        // Upwards from the edge.
        let mut rows = Vec::new();
        while let (Some((key, entry)), true) = (at, rows.len() < height) {
            let mut block = self.rows(key, entry);
            let left = block.len().saturating_sub(hidden).max(1);
            block.truncate(left);
            if hidden == 0 && screen.seen.is_none() {
                screen.seen = entry_seq(key, entry);
            }
            hidden = 0;
            rows.extend(block.into_iter().rev());
            at = self.before(Some(key));
        }
        screen.at_top = at.is_none() && rows.len() <= height;
        rows.truncate(height);
        rows.reverse();
        screen.rows = rows;
        screen
    }

    /// Whether the last row of what stands at a place is on the screen.
    pub(crate) fn shows(&self, scroll: Scroll, height: usize, key: Key) -> bool {
        let Some((bottom, hidden)) = self.edge(scroll) else { return false };
        if key >= bottom {
            return key == bottom && hidden == 0;
        }
        let mut rows =
            self.at_or_before(bottom).map_or(0, |(at, entry)| self.rows(at, entry).len()).saturating_sub(hidden);
        let mut at = self.before(Some(bottom));
        while let (Some((here, entry)), true) = (at, rows < height) {
            if here == key {
                return true;
            }
            rows += self.rows(here, entry).len();
            at = self.before(Some(here));
        }
        false
    }

    /// Where one looks after going up by some rows; the second value says that there is nothing further up.
    pub(crate) fn up(&self, scroll: Scroll, height: usize, by: usize) -> (Scroll, bool) {
        let Some((mut key, mut hidden)) = self.edge(scroll) else { return (Scroll::Bottom, true) };
        hidden += by;
        loop {
            let Some((here, entry)) = self.at_or_before(key) else { return (self.top(height), true) };
            let rows = self.rows(here, entry).len();
            if hidden < rows {
                (key, hidden) = (here, hidden);
                break;
            }
            hidden -= rows;
            match self.before(Some(here)) {
                Some((before, _)) => key = before,
                None => return (self.top(height), true),
            }
        }
        let scroll = Scroll::At { key, hidden };
        if self.screen(scroll, height).rows.len() < height { (self.top(height), true) } else { (scroll, false) }
    }

    /// Where one looks after going down by some rows.
    pub(crate) fn down(&self, scroll: Scroll, by: usize) -> Scroll {
        let Scroll::At { key, hidden } = scroll else { return Scroll::Bottom };
        let (mut key, mut left) = (key, by);
        if hidden >= left {
            return self.rest(key, hidden - left);
        }
        left -= hidden;
        while let Some((next, entry)) = self.after(Some(key)) {
            let rows = self.rows(next, entry).len();
            if left <= rows {
                return self.rest(next, rows - left);
            }
            left -= rows;
            key = next;
        }
        Scroll::Bottom
    }

    /// Where one looks to have a place in the middle of the screen.
    pub(crate) fn around(&self, key: Key, height: usize) -> Scroll {
        let at = self.down(Scroll::At { key, hidden: 0 }, height / 2);
        let short = self.screen(at, height).rows.len() < height;
        if short { self.top(height) } else { at }
    }

    /// Where one looks to have the beginning of it on the screen.
    pub(crate) fn top(&self, height: usize) -> Scroll {
        let Some((first, entry)) = self.after(None) else { return Scroll::Bottom };
        let rows = self.rows(first, entry).len();
        if rows >= height {
            return self.rest(first, rows - height);
        }
        self.down(Scroll::At { key: first, hidden: 0 }, height - rows)
    }

    /// The end of what is known is the bottom, where it is the end of the room too.
    fn rest(&self, key: Key, hidden: usize) -> Scroll {
        if hidden == 0 && self.after(Some(key)).is_none() { Scroll::Bottom } else { Scroll::At { key, hidden } }
    }

    /// The lower edge of the screen as a place.
    fn edge(&self, scroll: Scroll) -> Option<(Key, usize)> {
        match scroll {
            Scroll::At { key, hidden } => Some((key, hidden)),
            Scroll::Bottom => self.before(None).map(|(key, _)| (key, 0)),
        }
    }

    fn at_or_before(&self, key: Key) -> Option<(Key, Entry<'r>)> {
        let here = match self.pending.iter().find(|outgoing| Key::pending(outgoing.id) == key) {
            Some(outgoing) => Some(Entry::Pending(outgoing)),
            None => self.chunk.get(key).map(Entry::Item),
        };
        here.map(|entry| (key, entry)).or_else(|| self.before(Some(key)))
    }

    fn before(&self, key: Option<Key>) -> Option<(Key, Entry<'r>)> {
        let is_before = |outgoing: &&&Outgoing| key.is_none_or(|key| Key::pending(outgoing.id) < key);
        let pending = self.pending.iter().rev().find(is_before);
        let pending = pending.map(|outgoing| (Key::pending(outgoing.id), Entry::Pending(outgoing)));
        pending.or_else(|| self.chunk.before(key).next().map(|(key, item)| (key, Entry::Item(item))))
    }

    fn after(&self, key: Option<Key>) -> Option<(Key, Entry<'r>)> {
        let item = self.chunk.after(key).next().map(|(key, item)| (key, Entry::Item(item)));
        let is_after = |outgoing: &&&Outgoing| key.is_none_or(|key| Key::pending(outgoing.id) > key);
        item.or_else(|| {
            let outgoing = self.pending.iter().find(is_after)?;
            Some((Key::pending(outgoing.id), Entry::Pending(outgoing)))
        })
    }
}

fn is_message((_, item): &(Key, Item<'_>)) -> bool {
    matches!(item, Item::Message(_))
}

/// The number of an entry of the log; what only this screen is told has none.
fn entry_seq(key: Key, entry: Entry<'_>) -> Option<Seq> {
    match entry {
        Entry::Item(_) if key.sub == 0 => Some(key.seq),
        Entry::Item(_) | Entry::Pending(_) => None,
    }
}
