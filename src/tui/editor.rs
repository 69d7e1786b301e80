//! The input line: a text of one or more lines, a cursor in it, and what was typed before. Pure.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::text::{self, in_order};
use crate::model::text::safe;

mod history;

pub(crate) use history::History;

/// More than this is not taken: no server takes a text of this length, and each frame looks at all of it.
pub(crate) const MAX_BYTES: usize = 128 * 1024;
/// How many steps can be undone.
const MAX_UNDO: usize = 100;

/// A text that is being typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Editor {
    text: String,
    /// A byte between two clusters.
    cursor: usize,
    /// What was deleted last by more than a character.
    killed: String,
    undo: Vec<(String, usize)>,
    /// What was done last: typing on is one step.
    last: Step,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Other,
    Typing,
    Deleting,
}

/// A text as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) rows: Vec<String>,
    pub(crate) cursor_row: usize,
    pub(crate) cursor_column: usize,
}

impl Editor {
    pub(crate) fn new() -> Editor {
        Editor::default()
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Where the cursor is, in bytes.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Another text, with the cursor behind it.
    pub(crate) fn set(&mut self, text: &str) {
        self.replace(text, usize::MAX);
    }

    /// Another text, with the cursor at a byte of it or at the next place that is one.
    pub(crate) fn replace(&mut self, text: &str, cursor: usize) {
        self.step(Step::Other);
        self.text = clean(text);
        self.cursor = boundary_from(&self.text, cursor.min(self.text.len()));
    }

    /// The text, which is gone from here.
    pub(crate) fn take(&mut self) -> String {
        self.undo.clear();
        (self.cursor, self.last) = (0, Step::Other);
        std::mem::take(&mut self.text)
    }

    pub(crate) fn insert(&mut self, c: char) {
        // A word at a time is undone.
        self.step(if c.is_whitespace() { Step::Other } else { Step::Typing });
        let mut bytes = [0; 4];
        self.put(&clean(c.encode_utf8(&mut bytes)));
    }

    /// Takes in what was pasted: its lines stay lines, and what steers terminals is dropped. False where it is more than
    /// can be typed: then nothing is taken.
    pub(crate) fn paste(&mut self, text: &str) -> bool {
        self.step(Step::Other);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = clean(text.strip_suffix('\n').unwrap_or(&text));
        let fits = self.text.len() + text.len() <= MAX_BYTES;
        self.put(&text);
        fits
    }

    pub(crate) fn newline(&mut self) {
        self.step(Step::Other);
        self.put("\n");
    }

    pub(crate) fn backspace(&mut self) {
        self.step(Step::Deleting);
        let start = self.before(self.cursor);
        self.cut(start, self.cursor);
    }

    pub(crate) fn delete(&mut self) {
        self.step(Step::Deleting);
        let end = self.behind(self.cursor);
        self.cut(self.cursor, end);
    }

    pub(crate) fn left(&mut self) {
        self.last = Step::Other;
        self.cursor = self.before(self.cursor);
    }

    pub(crate) fn right(&mut self) {
        self.last = Step::Other;
        self.cursor = self.behind(self.cursor);
    }

    pub(crate) fn word_left(&mut self) {
        self.last = Step::Other;
        self.cursor = self.word_start();
    }

    pub(crate) fn word_right(&mut self) {
        self.last = Step::Other;
        self.cursor = self.word_end();
    }

    /// To the beginning of the line.
    pub(crate) fn home(&mut self) {
        self.last = Step::Other;
        self.cursor = self.line().0;
    }

    /// To the end of the line.
    pub(crate) fn end(&mut self) {
        self.last = Step::Other;
        self.cursor = self.line().1;
    }

    /// To the line above; false where there is none.
    pub(crate) fn up(&mut self) -> bool {
        let (start, _) = self.line();
        let Some(end) = start.checked_sub(1) else { return false };
        let above = self.text.get(..end).unwrap_or_default().rfind('\n').map_or(0, |at| at + 1);
        self.go_to_column(start, above, end);
        true
    }

    /// To the line below; false where there is none.
    pub(crate) fn down(&mut self) -> bool {
        let (start, end) = self.line();
        if end == self.text.len() {
            return false;
        }
        let below = end + 1;
        let below_end = self.text.get(below..).unwrap_or_default().find('\n').map_or(self.text.len(), |at| below + at);
        self.go_to_column(start, below, below_end);
        true
    }

    fn go_to_column(&mut self, line: usize, start: usize, end: usize) {
        self.last = Step::Other;
        let column = text::width(self.text.get(line..self.cursor).unwrap_or_default());
        let (mut used, mut at) = (0, start);
        for (cluster, cells) in text::cells(self.text.get(start..end).unwrap_or_default()) {
            if used + cells > column {
                break;
            }
            used += cells;
            at += cluster.len();
        }
        self.cursor = at;
    }

    pub(crate) fn kill_to_end(&mut self) {
        let end = self.line().1;
        // At the end of a line its end is what is there to be deleted.
        let end = if end == self.cursor { self.behind(end) } else { end };
        self.kill(self.cursor, end);
    }

    pub(crate) fn kill_to_start(&mut self) {
        self.kill(self.line().0, self.cursor);
    }

    /// Deletes the word in front of the cursor, up to a blank.
    pub(crate) fn kill_word(&mut self) {
        let before = self.text.get(..self.cursor).unwrap_or_default();
        let word = before.trim_end();
        let start =
            word.rfind(char::is_whitespace).map_or(0, |at| at + word[at..].chars().next().map_or(1, char::len_utf8));
        self.kill(start, self.cursor);
    }

    pub(crate) fn kill_word_forward(&mut self) {
        let end = self.word_end();
        self.kill(self.cursor, end);
    }

    /// Inserts what was deleted last.
    pub(crate) fn yank(&mut self) {
        self.step(Step::Other);
        let killed = self.killed.clone();
        self.put(&killed);
    }

    /// Exchanges the two characters around the cursor.
    pub(crate) fn transpose(&mut self) {
        let at = if self.cursor == self.text.len() { self.before(self.cursor) } else { self.cursor };
        let (start, end) = (self.before(at), self.behind(at));
        if start == at || at == end {
            return;
        }
        self.step(Step::Other);
        let (one, other) = (self.text[start..at].to_owned(), self.text[at..end].to_owned());
        self.text.replace_range(start..end, &format!("{other}{one}"));
        self.cursor = boundary_from(&self.text, end);
    }

    /// Takes the last step back.
    pub(crate) fn undo(&mut self) {
        self.last = Step::Other;
        if let Some((text, cursor)) = self.undo.pop() {
            (self.text, self.cursor) = (text, cursor);
        }
    }

    /// The text in rows of so many cells, and no more rows than that around the cursor. Nothing is left out at the end of a
    /// row, so that the cursor is where the next character goes.
    pub(crate) fn view(&self, width: usize, max_rows: usize) -> View {
        let rows = self.rows(width.max(1));
        let is_here = |row: &&RowAt| row.start <= self.cursor;
        let cursor_row = rows.iter().filter(is_here).count().saturating_sub(1);
        let cursor_column = rows.get(cursor_row).map_or(0, |row| self.column(row));
        let most = max_rows.max(1);
        let first = (cursor_row + 1).saturating_sub(most);
        let shown = rows.iter().skip(first).take(most);
        let rows = shown.map(|row| text::visual(&self.shown(row), row.rtl)).collect();
        View { rows, cursor_row: cursor_row - first, cursor_column }
    }

    /// Where the rows begin and end.
    fn rows(&self, width: usize) -> Vec<RowAt> {
        let mut rows = Vec::new();
        let mut at = 0;
        for line in self.text.split('\n') {
            let rtl = text::is_rtl(line);
            let (mut start, mut used) = (at, 0);
            for (cluster, cells) in text::cells(line) {
                let cells = cells.clamp(1, width);
                if used + cells > width {
                    rows.push(RowAt { start, end: at, rtl });
                    (start, used) = (at, 0);
                }
                used += cells;
                at += cluster.len();
            }
            rows.push(RowAt { start, end: at, rtl });
            // The cursor takes a cell of its own behind the last character.
            if at == self.cursor && used == width {
                rows.push(RowAt { start: at, end: at, rtl });
            }
            at += 1;
        }
        rows
    }

    /// A row as it is shown, still in the order in which it was written. What has no width is seen all the same here, for
    /// it is there to be deleted.
    fn shown(&self, row: &RowAt) -> String {
        let written = self.text.get(row.start..row.end).unwrap_or_default();
        text::cells(written)
            .map(|(cluster, cells)| if (1..=2).contains(&cells) { cluster } else { "\u{25af}" })
            .collect()
    }

    /// The cell of the cursor in its row.
    fn column(&self, row: &RowAt) -> usize {
        let shown = self.shown(row);
        let before = self.text.get(row.start..self.cursor).unwrap_or_default().graphemes(true).count();
        match in_order(&shown, row.rtl) {
            None => text::cells(&shown).take(before).map(|(_, cells)| cells).sum(),
            Some(order) => {
                let place = order.iter().position(|seen| seen.written == before);
                match place {
                    Some(place) => order.iter().take(place).map(|seen| text::width(&seen.shown)).sum(),
                    // Behind the last one: where the row goes on.
                    None if row.rtl => 0,
                    None => text::width(&shown),
                }
            }
        }
    }

    fn put(&mut self, text: &str) {
        if self.text.len() + text.len() > MAX_BYTES {
            return;
        }
        self.text.insert_str(self.cursor, text);
        // What was inserted may have become one cluster with what stands behind it.
        self.cursor = boundary_from(&self.text, self.cursor + text.len());
    }

    fn cut(&mut self, start: usize, end: usize) {
        if start < end {
            self.text.replace_range(start..end, "");
            self.cursor = boundary_from(&self.text, start);
        }
    }

    fn kill(&mut self, start: usize, end: usize) {
        if let Some(killed) = self.text.get(start..end).filter(|killed| !killed.is_empty()) {
            self.killed = killed.to_owned();
            self.step(Step::Other);
            self.cut(start, end);
        }
    }

    /// Keeps what is there, so that the step that follows can be undone.
    fn step(&mut self, step: Step) {
        let goes_on = step != Step::Other && step == self.last;
        self.last = step;
        if !goes_on && self.undo.last().is_none_or(|(text, _)| *text != self.text) {
            self.undo.push((self.text.clone(), self.cursor));
            if self.undo.len() > MAX_UNDO {
                self.undo.remove(0);
            }
        }
    }

    /// Where the line of the cursor begins and ends.
    fn line(&self) -> (usize, usize) {
        let start = self.text.get(..self.cursor).unwrap_or_default().rfind('\n').map_or(0, |at| at + 1);
        let end = self.text.get(self.cursor..).unwrap_or_default().find('\n');
        (start, end.map_or(self.text.len(), |at| self.cursor + at))
    }

    fn before(&self, at: usize) -> usize {
        let before = GraphemeCursor::new(at, self.text.len(), true).prev_boundary(&self.text, 0);
        before.ok().flatten().unwrap_or(0)
    }

    fn behind(&self, at: usize) -> usize {
        let behind = GraphemeCursor::new(at, self.text.len(), true).next_boundary(&self.text, 0);
        behind.ok().flatten().unwrap_or(self.text.len())
    }

    fn word_start(&self) -> usize {
        let before = self.text.get(..self.cursor).unwrap_or_default();
        let word = before.trim_end_matches(|c: char| !c.is_alphanumeric());
        word.trim_end_matches(char::is_alphanumeric).len()
    }

    fn word_end(&self) -> usize {
        let behind = self.text.get(self.cursor..).unwrap_or_default();
        let word = behind.trim_start_matches(|c: char| !c.is_alphanumeric());
        self.text.len() - word.trim_start_matches(char::is_alphanumeric).len()
    }
}

/// A row of the text: its bytes, and the direction of its line.
struct RowAt {
    start: usize,
    end: usize,
    rtl: bool,
}

/// The text without what steers terminals; tabs are blanks, for a tab completes.
fn clean(text: &str) -> String {
    let is_good = |c: &char| *c == '\n' || safe(c.encode_utf8(&mut [0; 4]), false) == c.to_string();
    text.replace('\t', "    ").chars().filter(is_good).collect()
}

/// The first place between two clusters that is not in front of that byte.
fn boundary_from(text: &str, at: usize) -> usize {
    let at = (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(true) => at,
        _ => cursor.next_boundary(text, 0).ok().flatten().unwrap_or(text.len()),
    }
}

#[cfg(test)]
mod tests;
