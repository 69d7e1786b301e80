//! Signals, as messages. They are caught by signal-hook on a thread of its own; only the second request to stop acts in
//! the handler itself, so that it works whatever else hangs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use tokio::sync::mpsc;

use crate::exit;

/// What somebody wants of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    ReopenLog,
}

/// Catches the signals from here on. The second SIGTERM or SIGINT ends the process at once.
pub(crate) fn catch() -> io::Result<mpsc::UnboundedReceiver<Order>> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order: the first signal finds the flag down, and raises it for the second.
        flag::register_conditional_shutdown(signal, i32::from(exit::FAILURE), Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    // Caught to no purpose, for by default it kills: a write beyond the limit on file sizes shall fail instead.
    flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
    // Each signal is pending at most once, and orders cost nothing, so the queue needs no bound of its own.
    let (orders, receiver) = mpsc::unbounded_channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let order = match signal {
                SIGHUP => Order::Reload,
                SIGTERM | SIGINT => Order::Stop,
                SIGUSR1 => Order::ReopenLog,
                // Other daemons dump figures on it; by default it would kill.
                _ => {
                    tracing::info!(signal, "this signal means nothing to this version");
                    continue;
                }
            };
            if orders.send(order).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}
