//! How somebody who looks elsewhere is told that they are wanted: the bell, an escape sequence that their terminal shows as
//! a notification, a program of their own. What came from the network is made harmless on each of these ways.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::settings::Notify;
use super::text;

/// The longest title and text of a notification, in characters.
const MAX_TITLE: usize = 80;
const MAX_TEXT: usize = 200;
/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is written to the terminal.
pub(crate) fn sequence(how: Notify, title: &str, words: &str, in_tmux: bool) -> String {
    let (title, words) = (line(title, MAX_TITLE), line(words, MAX_TEXT));
    let sequence = match how {
        Notify::Off => return String::new(),
        Notify::Bell => return "\x07".to_owned(),
        Notify::Osc9 => format!("\x1b]9;{title}: {words}\x1b\\"),
        // A semicolon ends the title.
        Notify::Osc777 => format!("\x1b]777;notify;{};{words}\x1b\\", title.replace(';', ",")),
    };
    // tmux hands on to the terminal what is wrapped like this, with each escape doubled (tmux(1), allow-passthrough).
    let sequence = if in_tmux { format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")) } else { sequence };
    format!("\x07{sequence}")
}

/// Runs the program; the title and the text are its last two arguments. No shell is in between, and neither of the two can
/// be taken for an option: the title begins with "snakk", the text with "<".
pub(crate) async fn run(command: Vec<String>, title: String, words: String) {
    let Some((program, arguments)) = command.split_first() else { return };
    let mut child = Command::new(program);
    child.args(arguments).arg(line(&title, MAX_TITLE)).arg(line(&words, MAX_TEXT));
    child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    if let Ok(mut child) = child.spawn() {
        // Whether it could tell anybody is its own business; it only must not stay for ever.
        let _ = timeout(PATIENCE, child.wait()).await;
    }
}

/// A harmless line of bounded length.
fn line(words: &str, most: usize) -> String {
    let start: String = words.chars().take(most).collect();
    text::harmless(&start.replace(['\n', '\t'], " "), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_network_gets_out_of_a_notification() {
        let (title, words) = ("snakk: ev\x1b]0;il;x", "<evil> a\x07b\x1b\\c\u{9c}d\u{202e}e\nf");
        for how in [Notify::Osc9, Notify::Osc777] {
            for in_tmux in [false, true] {
                let sequence = sequence(how, title, words, in_tmux);
                let (escapes, ends) = (sequence.matches('\x1b').count(), sequence.matches("\x1b\\").count());
                assert_eq!((escapes, ends), if in_tmux { (6, 2) } else { (2, 1) }, "{sequence:?}");
                assert_eq!(sequence.matches('\x07').count(), 1, "{sequence:?}");
                assert!(!sequence.contains(['\u{9c}', '\u{202e}', '\n']), "{sequence:?}");
            }
        }
        assert_eq!(sequence(Notify::Bell, title, words, true), "\x07");
        assert_eq!(sequence(Notify::Off, title, words, false), "");
    }

    #[test]
    fn a_notification_names_who_wants_us() {
        let shown = sequence(Notify::Osc777, "snakk: ann in a;b", "<ann> hello; you", false);
        assert_eq!(shown, "\x07\x1b]777;notify;snakk: ann in a,b;<ann> hello; you\x1b\\");
        assert_eq!(sequence(Notify::Osc9, "snakk: ann", "<ann> hi", false), "\x07\x1b]9;snakk: ann: <ann> hi\x1b\\");
    }
}
