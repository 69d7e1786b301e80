//! A line of the log before it has a form: what an event says, cut to a bearable length, and without anything that ends a
//! line, steers a terminal or turns text around. Every form is made of this, so none of them can be tricked.

use std::fmt::{self, Write as _};

use serde_json::Value;
use snakk::model::text::safe;
use snakk::model::{Clock, SystemClock, Time};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// The most bytes of a message or of a field's value. Longer ones are cut.
const MAX_BYTES: usize = 2048;
/// The field that says how many lines like this one were left out.
pub(super) const SUPPRESSED: &str = "suppressed";

/// What is to be written as one line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) time: Time,
    pub(super) level: Level,
    /// The part of the program that says it.
    pub(super) target: &'static str,
    pub(super) message: String,
    /// In the order in which they were given. The values are strings, numbers and booleans.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// A line that is said now.
    pub(super) fn new(level: Level, target: &'static str, message: String) -> Line {
        Line { time: SystemClock.now(), level, target, message, fields: Vec::new() }
    }

    /// What an event says.
    pub(super) fn of(event: &Event<'_>) -> Line {
        let mut line = Line::new(*event.metadata().level(), event.metadata().target(), String::new());
        event.record(&mut line);
        line
    }

    /// The same with one field more.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Line {
        self.fields.push((name, value.into()));
        self
    }

    /// How many events it stands for: as many as it says to have been left out, or itself.
    pub(super) fn weight(&self) -> u64 {
        let suppressed = self.fields.iter().find(|(name, _)| *name == SUPPRESSED);
        suppressed.and_then(|(_, value)| value.as_u64()).unwrap_or(1)
    }

    fn put(&mut self, field: &Field, value: impl fmt::Display) {
        let text = harmless(value);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name(), Value::String(text)));
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), value.into()));
    }
}

/// What a value says, cut and made harmless.
pub(super) fn harmless(value: impl fmt::Display) -> String {
    let mut cut = Cut { text: String::new(), whole: true };
    // It ends with an error where it is cut, and a value that cannot say what it is says what it can.
    let _ = write!(cut, "{value}");
    if !cut.whole {
        cut.text.push('…');
    }
    safe(&cut.text, false).into_owned()
}

/// Takes text until it is enough.
struct Cut {
    text: String,
    whole: bool,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = MAX_BYTES - self.text.len();
        if text.len() <= left {
            self.text.push_str(text);
            return Ok(());
        }
        self.text.push_str(&text[..text.floor_char_boundary(left)]);
        self.whole = false;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(harmless("x".repeat(MAX_BYTES)).len(), MAX_BYTES);
        let cut = harmless("å".repeat(MAX_BYTES));
        assert_eq!((cut.chars().count(), cut.ends_with("å…")), (MAX_BYTES / 2 + 1, true));
        let cut = harmless(format_args!("{}{}", "x".repeat(MAX_BYTES - 1), "åå"));
        assert_eq!((cut.len(), cut.ends_with("x…")), (MAX_BYTES - 1 + '…'.len_utf8(), true));
    }

    #[test]
    fn nothing_ends_a_line_or_steers_a_terminal() {
        let text = harmless("a\nb\r\u{1b}[31m\u{9b}2J\u{2028}\u{202e}\u{0}");
        assert_eq!(text, "a␊b␍␛[31m\u{fffd}2J\u{fffd}\u{fffd}␀");
    }
}
