//! A room as rows of text: what is on the screen for a place to look at, and where one looks after scrolling. Only what is
//! looked at is laid out, however much there is.

use jiff::tz::TimeZone;

use super::settings::Rtl;
use super::state::chunk::{Chunk, Item, Key, NoteSort};
use super::state::outbox::{Outgoing, Sending};
use super::state::room::{Room, Scroll};
use super::text;
use super::theme::Role;
use crate::client::{Message, Reaction};
use crate::model::mention::mentions;
use crate::model::{Seq, Time};

/// From here on each message has a column for its time and one for its author; below there is only room for the text.
const WIDE: usize = 50;
/// Below this not even the time is shown.
const TINY: usize = 30;
/// The most rows of a quote, a topic or a list of reactions.
const MAX_QUOTE: usize = 300;
/// The most bytes of a message that are looked at for the screen: twice what any server takes.
const MAX_SHOWN_BYTES: usize = 32 * 1024;
/// Behind a name there is room for so many cells of text, or the text begins below it.
const MIN_BEHIND_LEAD: usize = 8;
/// The most cells of a time: the format is the user's, the screen is everybody's.
const MAX_CLOCK: usize = 40;
/// The most rows that one message takes: who wrote more is told to be read elsewhere.
const MAX_ROWS: usize = 2000;

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

    /// The rows of what stands at a place, with the lines that set it off from what is in front of it.
    fn rows(&self, key: Key, entry: Entry<'r>) -> Vec<Row> {
        let mut rows = Vec::new();
        let before = self.before(Some(key));
        let time = entry_time(entry);
        let day = self.day(time);
        if before.is_none()
            && !self.chunk.more_before
            && (self.room.loaded || self.room.back.is_some())
            && self.room.head > Seq::ZERO
        {
            rows.push(self.line("the beginning", Role::Line));
        }
        if before.is_none_or(|(_, before)| self.day(entry_time(before)) != day) {
            rows.push(self.line(&day, Role::Line));
        }
        if let (Some(marker), Entry::Item(_)) = (self.room.marker, entry)
            && key.seq > marker
            && before.is_none_or(|(before, _)| before.seq <= marker)
        {
            rows.push(self.line("new", Role::Marker));
        }
        match entry {
            Entry::Item(Item::Message(message)) => {
                let mut block = self.message(message);
                let selected = self.room.selected == Some(message.seq);
                block.iter_mut().for_each(|row| row.selected = selected);
                rows.extend(block);
            }
            Entry::Item(Item::Note(note)) => {
                let role = match note.sort {
                    NoteSort::Entry => Role::Note,
                    NoteSort::Told => Role::Told,
                    NoteSort::Wrong => Role::Error,
                };
                let author = Author::Sign(if note.sort == NoteSort::Entry { "--" } else { "!" });
                let body = self.paragraph(&note.text, role, self.lead(note.time, author));
                rows.extend(self.block(note.time, author, body));
            }
            Entry::Pending(outgoing) => rows.extend(self.pending(outgoing)),
        }
        rows.truncate(MAX_ROWS);
        rows
    }

    fn message(&self, message: &Message) -> Vec<Row> {
        let called = calls(message, self.canvas.me);
        let own = message.from == self.canvas.me;
        let author = match message.action {
            true => Author::Sign("*"),
            false => {
                let role = match (called, own) {
                    (true, _) => Role::Called,
                    (false, true) => Role::Me,
                    (false, false) => Role::of_name(&message.from),
                };
                Author::Name { name: &message.from, role }
            }
        };
        let mut body = Vec::new();
        if let Some(target) = message.reply_to {
            body.push(self.quote(target));
        }
        let role = match (message.deleted, called) {
            (true, _) => Role::Gone,
            (false, true) => Role::Called,
            (false, false) => Role::Plain,
        };
        let said = if message.deleted { "(deleted)" } else { message.text.as_str() };
        let said = if message.action { format!("{} {said}", message.from) } else { said.to_owned() };
        let lead = if body.is_empty() { self.lead(message.time, author) } else { 0 };
        body.extend(self.paragraph(&said, role, lead));
        if message.edited.is_some() && !message.deleted {
            self.append(&mut body, " (edited)", Role::Line);
        }
        if !message.reactions.is_empty() {
            body.push(self.reactions(&message.reactions));
        }
        self.block(message.time, author, body)
    }

    fn pending(&self, outgoing: &Outgoing) -> Vec<Row> {
        let me = self.canvas.me;
        let author = match outgoing.action {
            true => Author::Sign("*"),
            false => Author::Name { name: me, role: Role::Me },
        };
        let mut body = Vec::new();
        if let Some(target) = outgoing.reply_to {
            body.push(self.quote(target));
        }
        let said = if outgoing.action { format!("{me} {}", outgoing.text) } else { outgoing.text.clone() };
        let lead = if body.is_empty() { self.lead(outgoing.time, author) } else { 0 };
        body.extend(self.paragraph(&said, Role::Pending, lead));
        let stuck = match &outgoing.sending {
            Sending::Waiting { .. } | Sending::UnderWay | Sending::Stored(_) => {
                self.append(&mut body, " …", Role::Pending);
                None
            }
            Sending::Refused(why) => Some(format!("not sent: {why} (/retry or /discard)")),
            Sending::Unsure => {
                Some("nobody knows whether this was sent; look before you /retry it (or /discard)".to_owned())
            }
        };
        if let Some(why) = stuck {
            body.extend(self.paragraph(&why, Role::Error, 0));
        }
        self.block(outgoing.time, author, body)
    }

    /// The beginning of the message that is answered.
    fn quote(&self, target: Seq) -> Row {
        let width = self.body_width();
        let quoted = match self.chunk.log.get(target).or_else(|| self.room.live.log.get(target)) {
            Some(message) if message.deleted => format!("↳ {}: (deleted)", message.from),
            Some(message) => {
                let start: String = message.text.chars().take(MAX_QUOTE).collect();
                format!("↳ {}: {}", message.from, start.replace(['\n', '\t'], " "))
            }
            None => format!("↳ message {target}"),
        };
        Row::of(text::fit(&self.visual(&text::harmless(&quoted, false)), width), Role::Quote)
    }

    fn reactions(&self, reactions: &[Reaction]) -> Row {
        let mut row = Row::default();
        let width = self.body_width();
        for reaction in reactions {
            let own = reaction.users.iter().any(|user| user == self.canvas.me);
            let emoji = text::fit(&text::harmless(&reaction.emoji, false), 24);
            let shown = format!("{emoji} {}  ", reaction.count);
            if row.width() + text::width(&shown) > width {
                let room_for = width.saturating_sub(row.width());
                row.push(text::fit("…", room_for), Role::Quote);
                break;
            }
            row.push(shown, if own { Role::Me } else { Role::Quote });
        }
        row
    }

    /// Adds something behind the last row, or on one of its own.
    fn append(&self, body: &mut Vec<Row>, suffix: &str, role: Role) {
        match body.last_mut() {
            Some(last) if last.width() + text::width(suffix) <= self.body_width() => last.push(suffix, role),
            _ => body.push(Row::of(text::fit(suffix.trim_start(), self.body_width()), role)),
        }
    }

    /// A text in rows. In front of the first one, `lead` cells are taken.
    fn paragraph(&self, said: &str, role: Role, lead: usize) -> Vec<Row> {
        let said = text::harmless(start_of(said), true);
        let width = self.body_width();
        let mut rows = Vec::new();
        for (number, line) in said.split('\n').enumerate() {
            let rtl = self.canvas.rtl == Rtl::Reorder && text::is_rtl(line);
            let wrapped = match number == 0 && !rtl && lead > 0 && lead + MIN_BEHIND_LEAD <= width {
                true => wrap_behind(line, lead, width),
                false => text::wrap(line, width),
            };
            for row in wrapped {
                let row = if self.canvas.rtl == Rtl::Reorder { text::visual(&row, rtl) } else { row };
                rows.push(if role == Role::Called { self.called(&row) } else { Row::of(row, role) });
            }
            if rows.len() > MAX_ROWS {
                break;
            }
        }
        rows
    }

    /// A row of a message that calls this user, with the name set off where it stands.
    fn called(&self, row: &str) -> Row {
        let folded = row.to_lowercase();
        let name = format!("@{}", self.canvas.me.to_lowercase());
        // Where small letters have other lengths, there is nothing to be found by their places.
        let at = if folded.len() == row.len() { folded.find(&name) } else { None };
        let parts =
            at.and_then(|at| Some((row.get(..at)?, row.get(at..at + name.len())?, row.get(at + name.len()..)?)));
        let mut found = Row::default();
        match parts {
            Some((before, name, behind)) => {
                found.push(before, Role::Plain);
                found.push(name, Role::Called);
                found.push(behind, Role::Plain);
            }
            None => found.push(row, Role::Plain),
        }
        found
    }

    fn visual(&self, row: &str) -> String {
        match self.canvas.rtl {
            Rtl::Reorder => text::visual(row, false),
            Rtl::Terminal => row.to_owned(),
        }
    }

    /// Sets a body off with its time and author.
    fn block(&self, time: Time, author: Author<'_>, body: Vec<Row>) -> Vec<Row> {
        let width = self.canvas.width;
        let mut rows = Vec::new();
        if width >= WIDE {
            let names = name_width(width);
            let (name, role) = author.shown(names);
            let blank = names.saturating_sub(text::width(&name));
            let mut first = Row::of(format!("{} ", self.clock(time)), Role::Time);
            first.push(" ".repeat(blank), Role::Plain);
            first.push(name, role);
            first.push(" │ ", Role::Line);
            let rest =
                Row::of(" ".repeat(text::width(&self.clock(time)) + 1 + names), Role::Plain).and(" │ ", Role::Line);
            for (at, row) in body.into_iter().enumerate() {
                let mut whole = if at == 0 { first.clone() } else { rest.clone() };
                whole.spans.extend(row.spans);
                rows.push(whole);
            }
            return rows;
        }
        let mut head = self.head(time, author);
        let mut body = body.into_iter().peekable();
        // On the same row where there is room for it.
        if let Some(first) = body.peek()
            && head.width() + 1 + first.width() <= width
            && let Some(first) = body.next()
        {
            head.push(" ", Role::Plain);
            head.spans.extend(first.spans);
        }
        rows.push(head);
        rows.extend(body.map(|row| {
            let mut whole = Row::of(" ", Role::Plain);
            whole.spans.extend(row.spans);
            whole
        }));
        rows
    }

    /// What stands in front of a message where there are no columns.
    fn head(&self, time: Time, author: Author<'_>) -> Row {
        let width = self.canvas.width;
        let (name, role) = author.shown((width / 2).max(4));
        let mut head = Row::default();
        if width >= TINY {
            head.push(format!("{} ", self.clock(time)), Role::Time);
        }
        let colon = if matches!(author, Author::Name { .. }) { ":" } else { "" };
        head.push(format!("{name}{colon}"), role);
        head
    }

    /// How many cells of the first row are taken by that.
    fn lead(&self, time: Time, author: Author<'_>) -> usize {
        if self.canvas.width >= WIDE { 0 } else { self.head(time, author).width() }
    }

    /// How much of a row is left for what is said.
    fn body_width(&self) -> usize {
        let width = self.canvas.width;
        match width >= WIDE {
            true => width.saturating_sub(text::width(&self.clock(Time::default())) + 1 + name_width(width) + 3).max(1),
            false => width.saturating_sub(1).max(1),
        }
    }

    /// A line across, with words in it.
    fn line(&self, words: &str, role: Role) -> Row {
        let words = text::fit(words, self.canvas.width.saturating_sub(6));
        let left = self.canvas.width.saturating_sub(text::width(&words) + 2);
        let (before, behind) = (left / 2, left - left / 2);
        Row::of(format!("{} {words} {}", "─".repeat(before), "─".repeat(behind)), role)
    }

    fn clock(&self, time: Time) -> String {
        local(time, self.canvas.zone, self.canvas.time_format)
    }

    fn day(&self, time: Time) -> String {
        local(time, self.canvas.zone, "%A, %-d %B %Y")
    }
}

/// Who stands in front of a body.
#[derive(Clone, Copy)]
enum Author<'a> {
    Name { name: &'a str, role: Role },
    Sign(&'static str),
}

impl Author<'_> {
    fn shown(self, width: usize) -> (String, Role) {
        match self {
            Author::Name { name, role } => (text::fit(&text::harmless(name, false), width), role),
            Author::Sign(sign) => (sign.to_owned(), Role::Note),
        }
    }
}

/// A moment in local time. A format that cannot be used shows nothing rather than something wrong.
pub(crate) fn local(time: Time, zone: &TimeZone, format: &str) -> String {
    let zoned = time.timestamp().to_zoned(zone.clone());
    let shown = jiff::fmt::strtime::format(format, &zoned).unwrap_or_default();
    text::fit(&text::harmless(&shown, false), MAX_CLOCK)
}

/// Whether a message calls somebody. The server counts mentions of accounts; guests find theirs in the text, by the same
/// rule.
pub(crate) fn calls(message: &Message, name: &str) -> bool {
    if message.from == name || !message.text.contains('@') {
        return false;
    }
    let folded = name.to_lowercase();
    let text = start_of(&message.text);
    message.mentions.iter().any(|mention| mention.to_lowercase() == folded) || mentions(text).contains(&folded)
}

/// As much of a text as is looked at.
fn start_of(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_SHOWN_BYTES)).unwrap_or_default()
}

/// The rows of a line whose first row begins behind some cells that are taken.
fn wrap_behind(line: &str, lead: usize, width: usize) -> Vec<String> {
    let mut rows = text::wrap(&format!("{}{line}", " ".repeat(lead)), width);
    if let Some(first) = rows.first_mut() {
        // It is empty where not even the first word has room.
        *first = first.get(lead..).unwrap_or_default().to_owned();
    }
    rows
}

/// How wide the column of names is.
fn name_width(width: usize) -> usize {
    (width / 7).clamp(8, 16)
}

fn is_message((_, item): &(Key, Item<'_>)) -> bool {
    matches!(item, Item::Message(_))
}

fn entry_time(entry: Entry<'_>) -> Time {
    match entry {
        Entry::Item(item) => item.time(),
        Entry::Pending(outgoing) => outgoing.time,
    }
}

/// The number of an entry of the log; what only this screen is told has none.
fn entry_seq(key: Key, entry: Entry<'_>) -> Option<Seq> {
    match entry {
        Entry::Item(_) => Some(key.seq),
        Entry::Pending(_) => None,
    }
}
