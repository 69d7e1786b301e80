//! The full screen: what it needs of the process around it. Signals, a panic, and the password before it starts.

use std::io::{self, IsTerminal};
use std::panic;
use std::thread;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use snakk::tui::{self, Connecting, Settings, Signal};
use tokio::sync::mpsc;

use crate::args::Connection;
use crate::failure::Failure;
use crate::login;
use crate::show::plain;

/// The exit code of a defect, which is that of every Rust program.
const CRASHED: i32 = 101;

/// Whether there is a terminal that can show it, and nobody asked for something else.
pub(crate) fn is_wanted(connection: &Connection) -> bool {
    let can = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    can && !connection.json && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Shows the full screen until the user leaves it.
pub(crate) async fn run(connection: &Connection, room: &str) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    let signals = catch().map_err(|error| Failure::new(Failure::REFUSED, format!("cannot catch signals: {error}")))?;
    // What a panic says is written to the screen that the user has behind ours. On whichever thread it is: a defect ends
    // the program, instead of leaving a screen that half works.
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tui::restore();
        report(panic);
        std::process::exit(CRASHED);
    }));
    let connect = || -> Connecting { Box::pin(async { Err(snakk::client::ClientError::Closed) }) };
    let settings = Settings::default();
    let outcome = tui::run(client, connect, Some(room.to_owned()), settings, signals, suspend).await;
    let outcome = outcome.map_err(|error| Failure::new(Failure::REFUSED, format!("the terminal: {error}")))?;
    for (room, text) in &outcome.unsent {
        eprintln!("snakk: not sent to {}: {}", plain(room), plain(text));
    }
    Ok(())
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
