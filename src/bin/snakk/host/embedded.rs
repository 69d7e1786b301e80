//! The server inside the program: starting it, saying how others come in, and ending it when the client ends or somebody
//! says stop.

use std::env;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use snakk::{Config, Server, StartError};
use tokio::sync::oneshot;

use super::reach;
use crate::args::Host;
use crate::failure::Failure;
use crate::folders;
use crate::setup::{DEFAULT_SERVER, Setup};
use crate::show::{note, print};
use crate::start::exit_code;

/// `snakk host`.
pub(crate) async fn run(mut setup: Setup, host: Host, by_line: bool) -> Result<(), Failure> {
    let stop = signals().map_err(|error| Failure::new(Failure::REFUSED, format!("cannot catch signals: {error}")))?;
    let data_dir = data_dir(&host)?;
    // What SQLite puts beside the database is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let config = Config::load(None, env::vars_os())
        .map_err(|errors| Failure::new(Failure::CONFIGURATION, errors.to_string()))?;
    // Where nobody says anything, nobody else can connect.
    let listen = if host.listen.is_empty() { vec![DEFAULT_SERVER.to_owned()] } else { host.listen };
    let mut builder = Server::builder(config).data_dir(data_dir);
    for address in listen {
        builder = builder.listen(address);
    }
    let server = builder.start().await?;

    setup.greeting = invitations(&server);
    for line in &setup.greeting {
        match setup.connection.json {
            true => note(line),
            false => print(line)?,
        }
    }
    setup.connection.server = from_here(&server);
    let outcome = tokio::select! {
        outcome = crate::talk(&setup, by_line || host.line) => outcome,
        _ = stop => Ok(()),
        () = server.failed() => Err(Failure::new(Failure::REFUSED, "the server cannot go on")),
    };
    let closed = server.shutdown().await;
    outcome?;
    closed.map_err(|error| Failure::new(Failure::REFUSED, format!("the server did not end cleanly: {error}")))?;
    Ok(())
}

/// Not where a daemon of the same user keeps its data: the two would be in each other's way.
fn data_dir(host: &Host) -> Result<PathBuf, Failure> {
    let usual = || folders::state().map(|state| state.join("host"));
    let found = host.data_dir.clone().or_else(usual).ok_or(StartError::NoDataDir)?;
    std::path::absolute(&found)
        .map_err(|error| Failure::new(Failure::CONFIGURATION, format!("cannot use {}: {error}", found.display())))
}

/// A line for each listener.
fn invitations(server: &Server) -> Vec<String> {
    let own = reach::own_addresses();
    let tcp = server.local_addrs().into_iter().map(|listener| reach::invitation(listener, &own));
    let unix =
        unix_listeners(server).map(|path| format!("others on this computer connect with: snakk --server {path}"));
    tcp.chain(unix).collect()
}

/// The address at which the client of this program connects.
fn from_here(server: &Server) -> String {
    match server.local_addrs().first() {
        Some(listener) => reach::from_here(*listener).to_string(),
        None => unix_listeners(server).next().unwrap_or_default(),
    }
}

fn unix_listeners(server: &Server) -> impl Iterator<Item = String> + use<> {
    server.listening().into_iter().filter_map(|listener| listener.strip_suffix(" (unix)").map(str::to_owned))
}

/// Tells of the first signal that says stop; the second one ends the process at once.
fn signals() -> io::Result<oneshot::Receiver<()>> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order: the first signal finds the flag down, and raises it for the second.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (stop, stopped) = oneshot::channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            // Whoever is ending already needs not be told.
            let _ = stop.send(());
        }
        // Whoever drops this gives the signals back; they are to stay caught.
        signals.forever().for_each(drop);
    })?;
    Ok(stopped)
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        Failure::new(exit_code(&error), error.to_string())
    }
}
