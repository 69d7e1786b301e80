//! The full screen: what it needs of the process around it. Signals, a panic, and the password before it starts.

use std::io::{self, IsTerminal};
use std::panic;
use std::thread;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use snakk::tui::{self, Connecting, Emoji, Look, Notify, Rtl, Settings, Signal};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::login;
use crate::settings::{self, Screen};
use crate::setup::Setup;
use crate::show::{note, plain};

/// The exit code of a defect, which is that of every Rust program.
const CRASHED: i32 = 101;

/// Whether there is a terminal that can show it.
pub(crate) fn is_possible() -> bool {
    let can = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    can && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Shows the full screen until the user leaves it.
pub(crate) async fn run(setup: &Setup) -> Result<(), Failure> {
    let (client, again) = login::enter(&setup.connection).await?;
    let signals = catch().map_err(|error| Failure::new(Failure::REFUSED, format!("cannot catch signals: {error}")))?;
    // What a panic says is written to the screen that the user has behind ours. On whichever thread it is: a defect ends
    // the program, instead of leaving a screen that half works.
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tui::restore();
        report(panic);
        std::process::exit(CRASHED);
    }));
    let connect = move || -> Connecting { Box::pin(again.clone().connect()) };
    let room = Some(setup.room.clone());
    let mut settings = chosen(&setup.screen);
    settings.greeting.clone_from(&setup.greeting);
    let outcome = tui::run(client, connect, room, settings, signals, suspend).await;
    let outcome = outcome.map_err(|error| Failure::new(Failure::REFUSED, format!("the terminal: {error}")))?;
    for (room, text) in &outcome.unsent {
        note(&format!("not sent to {}: {}", plain(room), plain(text)));
    }
    Ok(())
}

/// What the settings choose.
fn chosen(screen: &Screen) -> Settings {
    let mut chosen = Settings::default();
    let variables = Variables::here();
    chosen.in_tmux = !variables.tmux.is_empty();
    chosen.look = match screen.theme {
        settings::Theme::Auto => look_of(&variables),
        settings::Theme::Dark => Look::Dark,
        settings::Theme::Light => Look::Light,
        settings::Theme::Mono => Look::Mono,
    };
    chosen.emoji = match screen.emoji {
        settings::Emoji::Auto => emoji_of(&variables),
        settings::Emoji::Full => Emoji::Full,
        settings::Emoji::Simple => Emoji::Simple,
    };
    chosen.notify = match screen.notify {
        settings::Notify::Bell => Notify::Bell,
        settings::Notify::Osc9 => Notify::Osc9,
        settings::Notify::Osc777 => Notify::Osc777,
        settings::Notify::Off => Notify::Off,
    };
    chosen.rtl = match screen.rtl {
        settings::Rtl::Reorder => Rtl::Reorder,
        settings::Rtl::Terminal => Rtl::Terminal,
    };
    chosen.time_format.clone_from(&screen.time_format);
    chosen.notify_command.clone_from(&screen.notify_command);
    (chosen.notify_text, chosen.members, chosen.mouse) = (screen.notify_text, screen.members, screen.mouse);
    chosen
}

/// What the environment says about the terminal.
#[derive(Debug, Default)]
struct Variables {
    no_color: String,
    colorfgbg: String,
    term: String,
    tmux: String,
}

impl Variables {
    fn here() -> Variables {
        let value = |name: &str| std::env::var_os(name).unwrap_or_default().to_string_lossy().into_owned();
        let (no_color, colorfgbg) = (value("NO_COLOR"), value("COLORFGBG"));
        Variables { no_color, colorfgbg, term: value("TERM"), tmux: value("TMUX") }
    }
}

/// The look that suits the terminal, as far as it tells: `NO_COLOR` (no-color.org) wants none, and `COLORFGBG` (rxvt, Konsole)
/// ends with the number of the background, of which 7 and 15 are white.
fn look_of(variables: &Variables) -> Look {
    match variables.colorfgbg.rsplit(';').next() {
        _ if !variables.no_color.is_empty() => Look::Mono,
        Some("7" | "15") => Look::Light,
        _ => Look::Dark,
    }
}

/// What the terminal makes of emoji with skin tones: tmux and screen show them apart.
fn emoji_of(variables: &Variables) -> Emoji {
    let is_inside =
        !variables.tmux.is_empty() || ["screen", "tmux", "linux"].iter().any(|term| variables.term.starts_with(term));
    if is_inside { Emoji::Simple } else { Emoji::Full }
}

/// Catches the signals from here on, and hands them on.
fn catch() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT])?;
    // So that a test can see what a defect leaves behind.
    #[cfg(debug_assertions)]
    signals.add_signal(signal_hook::consts::SIGUSR2)?;
    // Each signal is pending at most once, so the queue needs no bound of its own.
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let signal = match signal {
                SIGTSTP => Signal::Suspend,
                // Whatever was there meanwhile is still on the terminal.
                SIGCONT => Signal::Redraw,
                #[cfg(debug_assertions)]
                signal_hook::consts::SIGUSR2 => panic!("a defect, on demand"),
                _ => Signal::Quit,
            };
            if sender.send(signal).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}

/// Stops the process as the terminal's own Ctrl-Z does; returns when it goes on.
fn suspend() -> io::Result<()> {
    emulate_default_handler(SIGTSTP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_look_is_what_the_terminal_tells() {
        let with = |no_color: &str, colorfgbg: &str| Variables {
            no_color: no_color.to_owned(),
            colorfgbg: colorfgbg.to_owned(),
            ..Variables::default()
        };
        assert_eq!(look_of(&with("", "")), Look::Dark);
        assert_eq!(look_of(&with("", "15;0")), Look::Dark);
        assert_eq!(look_of(&with("", "0;15")), Look::Light);
        assert_eq!(look_of(&with("", "0;default;7")), Look::Light);
        assert_eq!(look_of(&with("1", "0;15")), Look::Mono);
    }

    #[test]
    fn emoji_are_simple_where_the_terminal_takes_them_apart() {
        let with =
            |term: &str, tmux: &str| Variables { term: term.to_owned(), tmux: tmux.to_owned(), ..Variables::default() };
        assert_eq!(emoji_of(&with("xterm-256color", "")), Emoji::Full);
        assert_eq!(emoji_of(&with("screen.xterm-256color", "")), Emoji::Simple);
        assert_eq!(emoji_of(&with("xterm-256color", "/tmp/tmux-0/default,1,0")), Emoji::Simple);
    }
}
