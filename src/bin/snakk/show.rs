//! What is printed, and in which form. Everything from the network goes through here: no control character reaches the
//! terminal, and a text of several lines is indented, so that nobody can forge a line of somebody else.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use jiff::tz::TimeZone;
use snakk::client::{Event, Hit, Message, NameLine, RoomLine, Status, TokenLine};
use snakk::model::text::safe;
use snakk::model::{Seq, Time};
use snakk::tui::deeds::deed;

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
    if let Event::Message(message) = event {
        return Some(self::message(message, stamp));
    }
    let (_, seq) = event.entry()?;
    let what = deed(event, &TimeZone::system())?;
    Some(format!("{}* {}", when(seq, event.time().unwrap_or_default(), stamp), indented(&what)))
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

fn why(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({})", plain(reason))).unwrap_or_default()
}

/// A message that was found, on one line: where, when, who, and what of the text is around the hit.
pub(crate) fn hit(hit: &Hit) -> String {
    let message = &hit.message;
    let text = if hit.snippet.is_empty() { &message.text } else { &hit.snippet };
    format!("{} {} {}: {}", plain(&message.room), moment(message.time), plain(&message.from), one_line(text))
}

/// A text on one line, for lists.
fn one_line(text: &str) -> String {
    plain(&text.replace(['\n', '\t'], " ")).into_owned()
}

/// A room as a list shows it.
pub(crate) fn room(room: &RoomLine) -> String {
    let topic = if room.topic.is_empty() { String::new() } else { format!("  {}", plain(&room.topic)) };
    let mark = if room.joined { '*' } else { ' ' };
    format!("{mark} {:<24} {:>5} of {:<5} online{topic}", plain(&room.room), room.online, room.members)
}

/// Somebody as a list shows them.
pub(crate) fn name(name: &NameLine) -> String {
    let presence = match (name.online, name.status.known(), name.last_seen) {
        (true, Some(Status::Away), _) => "away".to_owned(),
        (true, ..) => "online".to_owned(),
        (false, _, Some(seen)) => format!("offline since {}", moment(seen)),
        (false, _, None) => "offline".to_owned(),
    };
    let guest = if name.guest { ", guest" } else { "" };
    format!("{:<32} {presence}, {}{guest}{}", plain(&name.name), plain(&name.role), why(name.text.as_deref()))
}

/// A token or certificate as a list shows it.
pub(crate) fn token(token: &TokenLine) -> String {
    let what = token.fingerprint.map_or_else(|| "token".to_owned(), |fingerprint| fingerprint.to_string());
    let label = if token.label.is_empty() { String::new() } else { format!("  {}", plain(&token.label)) };
    let used = token.last_used.map_or_else(|| "never used".to_owned(), |time| format!("used {}", moment(time)));
    let ends = token.expires.map(|time| format!(", ends {}", moment(time))).unwrap_or_default();
    format!("{:>5}  {what}{label}  (made {}, {used}{ends})", token.token_id, moment(token.created))
}

/// A moment, in local time.
fn moment(time: Time) -> String {
    time.timestamp().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn when(seq: Seq, time: Time, stamp: Stamp) -> String {
    let local = time.timestamp().to_zoned(TimeZone::system());
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

/// Says something about what goes on, on standard error. Where nobody reads that, nobody needs to know.
pub(crate) fn note(text: &str) {
    let lines: String = text.lines().map(|line| format!("snakk: {line}\n")).collect();
    let _ = io::stderr().lock().write_all(lines.as_bytes());
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

    #[test]
    fn search_hits_are_one_line_each() {
        let line = r#"{"room":"lobby\u001b","seq":7,"from":"alice","time":"2026-01-31T12:00:00.000Z","text":"long",
            "snippet":"a\nhit\u0007"}"#;
        let shown = hit(&serde_json::from_str(line).unwrap());
        assert!(shown.starts_with("lobby\u{241b} 2026-") && shown.ends_with(" alice: a hit\u{2407}"), "{shown:?}");
    }

    #[test]
    fn names_say_who_is_away_and_since_when_somebody_is_gone() {
        let line = |keys: &str| name(&serde_json::from_str(&format!(r#"{{"name":"ann",{keys}}}"#)).unwrap());
        let cases = [
            (r#""role":"owner","online":true,"status":"online""#, " online, owner"),
            (
                r#""role":"member","online":true,"status":"away","text":"lunch","guest":true"#,
                " away, member, guest (lunch)",
            ),
            (r#""role":"member","online":false,"status":"offline""#, " offline, member"),
        ];
        for (keys, end) in cases {
            assert!(line(keys).ends_with(end), "{}", line(keys));
        }
        let seen = line(r#""role":"member","online":false,"last_seen":"2026-01-31T12:00:00.000Z""#);
        assert!(seen.contains(" offline since 2026-"), "{seen}");
    }

    /// The events of a server, as the client reads them.
    async fn told(entries: &[&str]) -> Vec<Event> {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
        let (near, far) = tokio::io::duplex(1 << 16);
        let entries: Vec<String> = entries
            .iter()
            .zip(1..)
            .map(|(keys, seq)| {
                let same = r#""room":"r","from":"ann","time":"2026-01-31T12:00:00.000Z""#;
                format!("{{\"seq\":{seq},{same},{keys}}}\n")
            })
            .collect();
        let count = entries.len();
        tokio::spawn(async move {
            let (reading, mut writing) = tokio::io::split(far);
            let mut lines = BufReader::new(reading).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let request: serde_json::Value = serde_json::from_str(&line).unwrap();
                let answer = serde_json::json!({"response": request["request"], "id": request["id"],
                    "time": "2026-01-31T12:00:00.000Z"});
                writing.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
                if request["request"] == "ping" {
                    writing.write_all(entries.concat().as_bytes()).await.unwrap();
                }
            }
        });
        let client = snakk::Client::over(near).connect().await.unwrap();
        let mut events = client.events();
        client.ping().await.unwrap();
        let mut told = Vec::new();
        while told.len() < count {
            told.push(events.next().await.unwrap());
        }
        told
    }

    #[tokio::test]
    async fn each_kind_of_entry_has_words_and_hints_have_none() {
        let cases = [
            (r#""event":"edit","target":3,"text":"a\nb\u001b""#, "* ann edited 3: a\n    b\u{241b}"),
            (r#""event":"edit","target":3"#, "* ann edited 3"),
            (r#""event":"delete","target":3,"reason":"spam\u202e""#, "* ann deleted 3 (spam\u{fffd})"),
            (r#""event":"react","target":3,"emoji":"+1\u0007""#, "* ann reacted to 3 with +1\u{2407}"),
            (r#""event":"react","target":3,"emoji":"+1","remove":true"#, "* ann took +1 back from 3"),
            (r#""event":"topic","topic":"tea""#, "* ann set the topic: tea"),
            (r#""event":"topic","topic":"""#, "* ann took the topic away"),
            (r#""event":"member","user":"ann","change":"join""#, "* ann joined"),
            (r#""event":"member","user":"bob","change":"kick","reason":"noise""#, "* bob was put out, by ann (noise)"),
            (r#""event":"member","user":"bob","change":"role","role":"owner""#, "* bob is owner, by ann"),
            (r#""event":"member","user":"bob","change":"crown\u001b""#, "* bob crown\u{241b}, by ann"),
            (
                r#""event":"room","name":"hall","was":"r","kind":"private","slow_mode_s":5"#,
                "* ann changed the room: its name is hall, it is private, slow mode in seconds 5",
            ),
            (r#""event":"poll\u001b""#, "* ann (poll\u{241b})"),
        ];
        let told = told(&cases.map(|(keys, _)| keys)).await;
        for (event, (keys, expected)) in told.iter().zip(cases) {
            let line = entry(event, Stamp::Short).unwrap();
            assert_eq!(line.split_once(' ').map(|(_, said)| said), Some(expected), "{keys}");
        }
        let hints = [r#""event":"typing","user":"bob""#, r#""event":"notice","text":"x""#, r#""event":"removed""#];
        for event in self::told(&hints).await {
            assert_eq!(entry(&event, Stamp::Short), None, "{event:?}");
        }
    }
}
