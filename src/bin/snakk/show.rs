//! What is printed, and in which form. Everything from the network goes through here: no control character reaches the
//! terminal, and a text of several lines is indented, so that nobody can forge a line of somebody else.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use snakk::client::{Event, Member, Message, NameLine, RoomLine};
use snakk::model::text::safe;
use snakk::model::{Seq, Time};

/// How much of a time is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stamp {
    /// With the entry's number and the date.
    Full,
    /// Hours and minutes.
    Short,
}

/// One line of text from the network.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    safe(text, false)
}

/// A text that may have several lines.
fn indented(text: &str) -> String {
    safe(text, true).replace('\n', "\n    ")
}

/// An entry as people read it; `None` for what is no entry.
pub(crate) fn entry(event: &Event, stamp: Stamp) -> Option<String> {
    match event {
        Event::Message(message) => Some(self::message(message, stamp)),
        Event::Member(member) => Some(self::member(member, stamp)),
        Event::Other(other) => {
            let seq = other.seq?;
            // Of a kind that this version has no words for; its name and whom it is from are better than silence.
            let value: serde_json::Value = serde_json::from_str(other.json.as_str()).unwrap_or_default();
            let word = |key: &str| value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            let time = Time::parse(&word("time")).unwrap_or_default();
            Some(format!("{}* {} ({})", when(seq, time, stamp), plain(&word("from")), plain(&other.name)))
        }
        _ => None,
    }
}

/// A message as people read it.
pub(crate) fn message(message: &Message, stamp: Stamp) -> String {
    let when = when(message.seq, message.time, stamp);
    let from = plain(&message.from);
    let edited = if message.edited.is_some() { " (edited)" } else { "" };
    let text = indented(&message.text);
    match (message.deleted, message.action) {
        (true, _) => format!("{when}{from}: (deleted)"),
        (false, true) => format!("{when}* {from} {text}{edited}"),
        (false, false) => format!("{when}{from}: {text}{edited}"),
    }
}

fn member(member: &Member, stamp: Stamp) -> String {
    let when = when(member.seq, member.time, stamp);
    let (user, from) = (plain(&member.user), plain(&member.from));
    let deed = match member.change.as_str() {
        "join" => "joined".into(),
        "leave" => "left".into(),
        other => plain(other),
    };
    let by = if member.user == member.from { String::new() } else { format!(", by {from}") };
    let why = member.reason.as_deref().map(|reason| format!(" ({})", plain(reason))).unwrap_or_default();
    format!("{when}* {user} {deed}{by}{why}")
}

/// A room as a list shows it.
pub(crate) fn room(room: &RoomLine) -> String {
    let topic = if room.topic.is_empty() { String::new() } else { format!("  {}", plain(&room.topic)) };
    let mark = if room.joined { '*' } else { ' ' };
    format!("{mark} {:<24} {:>5} of {:<5} online{topic}", plain(&room.room), room.online, room.members)
}

/// Somebody as a list shows them.
pub(crate) fn name(name: &NameLine) -> String {
    let presence = if name.online { "online" } else { "offline" };
    let guest = if name.guest { ", guest" } else { "" };
    format!("{:<32} {presence}, {}{guest}", plain(&name.name), plain(&name.role))
}

fn when(seq: Seq, time: Time, stamp: Stamp) -> String {
    let local = time.timestamp().to_zoned(jiff::tz::TimeZone::system());
    match stamp {
        Stamp::Full => format!("{seq:>6}  {}  ", local.strftime("%Y-%m-%d %H:%M:%S")),
        Stamp::Short => format!("{} ", local.strftime("%H:%M")),
    }
}

/// Prints a line, at once: whoever reads a pipe sees what is said when it is said.
pub(crate) fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints what the server sent, as it was: programs read it. Only where a terminal does, it is made harmless like
/// everything else, for JSON may hold what steers one (C1, bidirectional overrides).
pub(crate) fn print_json(line: &str) -> io::Result<()> {
    if io::stdout().is_terminal() { print(&plain(line)) } else { print(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(keys: &str) -> Message {
        let line = format!(r#"{{"seq":7,"from":"alice","time":"2026-01-31T12:00:00.000Z",{keys}}}"#);
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn a_text_cannot_forge_a_line_or_move_the_cursor() {
        let shown = message(&said(r#""text":"hi\n12:00 bob: I quit\r\u001b[2J\u202e\u0007""#), Stamp::Short);
        let lines: Vec<&str> = shown.split('\n').collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("alice: hi"));
        assert_eq!(lines[1], "    12:00 bob: I quit\u{240d}\u{241b}[2J\u{fffd}\u{2407}");
    }

    #[test]
    fn entries_are_one_line_each() {
        let full = |keys| message(&said(keys), Stamp::Full);
        assert!(full(r#""text":"waves","action":true"#).ends_with("  * alice waves"));
        assert!(full(r#""text":"","deleted":true"#).ends_with("  alice: (deleted)"));
        assert!(full(r#""text":"x","edited":"2026-01-31T12:00:01.000Z""#).ends_with("  alice: x (edited)"));
        assert!(full(r#""text":"x""#).starts_with("     7  2026-"));
    }
}
