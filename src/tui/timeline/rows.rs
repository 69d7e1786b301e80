//! What stands at a place, as rows: who said it and when, what it answers, what others think of it, and the lines that set it
//! off from what is in front of it.

use jiff::tz::TimeZone;

use super::{Entry, Row, Timeline};
use crate::client::{Message, Reaction};
use crate::model::mention::mentions;
use crate::model::{Seq, Time};
use crate::tui::settings::Rtl;
use crate::tui::state::chunk::{Item, Key, NoteSort};
use crate::tui::state::outbox::{Outgoing, Sending};
use crate::tui::text;
use crate::tui::theme::Role;

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

impl<'r> Timeline<'r> {
    /// The rows of what stands at a place, with the lines that set it off from what is in front of it.
    pub(super) fn rows(&self, key: Key, entry: Entry<'r>) -> Vec<Row> {
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

fn entry_time(entry: Entry<'_>) -> Time {
    match entry {
        Entry::Item(item) => item.time(),
        Entry::Pending(outgoing) => outgoing.time,
    }
}
