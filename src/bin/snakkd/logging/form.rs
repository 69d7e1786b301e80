//! What a line looks like: for people, for programs, for the journal.

use std::fmt::Write as _;

use serde_json::Value;
use tracing::Level;

use super::line::Line;

/// The form of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `2026-01-31T12:00:00.000Z  INFO snakk::server: what happened peer=127.0.0.1`
    Text(Text),
    /// One JSON object.
    Json,
    /// The native protocol of systemd-journald: a field a line, all of them in one datagram.
    Journal,
}

/// How text is dressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Not at all.
    Plain,
    /// For a terminal.
    Coloured,
    /// For the journal, which reads what a program writes to standard error: it has its own times, and takes the level from
    /// a prefix (sd-daemon(3)).
    ForJournal,
}

impl Form {
    /// The bytes of a line, with its end.
    pub(super) fn render(self, line: &Line) -> Vec<u8> {
        let text = match self {
            Form::Text(dress) => text(line, dress),
            Form::Json => json(line),
            Form::Journal => journal(line),
        };
        text.into_bytes()
    }
}

fn text(line: &Line, dress: Text) -> String {
    let Line { time, level, target, .. } = line;
    let words = words(line);
    match dress {
        Text::Plain => format!("{time} {level:>5} {target}: {words}\n"),
        Text::Coloured => {
            let colour = match *level {
                Level::ERROR => 31,
                Level::WARN => 33,
                Level::INFO => 32,
                Level::DEBUG => 34,
                _ => 35,
            };
            format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m \x1b[2m{target}:\x1b[0m {words}\n")
        }
        Text::ForJournal => format!("<{}>{target}: {words}\n", priority(*level)),
    }
}

/// The message and the fields. A value is quoted where one could not see otherwise where it ends.
fn words(line: &Line) -> String {
    let mut words = line.message.clone();
    for (name, value) in &line.fields {
        let value = plain(value);
        let open = value.is_empty() || value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\'));
        // Writing to a string does not fail.
        let _ = if open { write!(words, " {name}={}", quoted(&value)) } else { write!(words, " {name}={value}") };
    }
    words
}

fn json(line: &Line) -> String {
    let mut text = format!(
        "{{\"timestamp\":\"{}\",\"level\":\"{}\",\"target\":{},\"message\":{}",
        line.time,
        line.level,
        quoted(line.target),
        quoted(&line.message)
    );
    for (name, value) in &line.fields {
        let _ = write!(text, ",{}:{value}", quoted(name));
    }
    text + "}\n"
}

fn journal(line: &Line) -> String {
    let mut text = format!(
        "MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER=snakkd\nTARGET={}\n",
        words(line),
        priority(line.level),
        line.target
    );
    for (name, value) in &line.fields {
        // No value has a line break, so none needs the form with a length.
        let _ = writeln!(text, "SNAKK_{}={}", name.to_ascii_uppercase().replace('.', "_"), plain(value));
    }
    text
}

/// The levels of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use snakk::model::Time;

    use super::*;
    use crate::logging::line::harmless;

    fn line() -> Line {
        let line =
            Line { time: Time(1_769_860_800_000), ..Line::new(Level::WARN, "snakk::net", "it is late".to_owned()) };
        line.with("peer", "127.0.0.1").with("reason", "so \"said\" he").with("code", "").with("count", 7)
    }

    fn rendered(form: Form) -> String {
        String::from_utf8(form.render(&line())).unwrap()
    }

    #[test]
    fn text_is_for_people() {
        let words = "it is late peer=127.0.0.1 reason=\"so \\\"said\\\" he\" code=\"\" count=7\n";
        assert_eq!(rendered(Form::Text(Text::Plain)), format!("2026-01-31T12:00:00.000Z  WARN snakk::net: {words}"));
        assert_eq!(rendered(Form::Text(Text::ForJournal)), format!("<4>snakk::net: {words}"));
        let coloured = rendered(Form::Text(Text::Coloured));
        assert!(coloured.contains("\u{1b}[33m WARN\u{1b}[0m") && coloured.ends_with(words), "{coloured:?}");
    }

    #[test]
    fn json_keeps_numbers() {
        assert_eq!(
            rendered(Form::Json),
            "{\"timestamp\":\"2026-01-31T12:00:00.000Z\",\"level\":\"WARN\",\"target\":\"snakk::net\",\
             \"message\":\"it is late\",\"peer\":\"127.0.0.1\",\"reason\":\"so \\\"said\\\" he\",\"code\":\"\",\"count\":7}\n"
        );
    }

    #[test]
    fn the_journal_gets_a_field_a_line() {
        assert_eq!(
            rendered(Form::Journal),
            "MESSAGE=it is late peer=127.0.0.1 reason=\"so \\\"said\\\" he\" code=\"\" count=7\nPRIORITY=4\n\
             SYSLOG_IDENTIFIER=snakkd\nTARGET=snakk::net\nSNAKK_PEER=127.0.0.1\nSNAKK_REASON=so \"said\" he\n\
             SNAKK_CODE=\nSNAKK_COUNT=7\n"
        );
        let wild = Line::new(Level::INFO, "snakk", harmless("a\nPRIORITY=0")).with("peer", harmless("b\nMESSAGE=c"));
        let text = String::from_utf8(Form::Journal.render(&wild)).unwrap();
        assert_eq!(text.lines().count(), 5, "{text:?}");
    }
}
