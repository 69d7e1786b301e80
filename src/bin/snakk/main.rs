//! `snakk`, the terminal client: a full screen, line mode, and commands for scripts.
//!
//! Without a command it sends what is typed, and shows what others say. Everything that came from the network is made
//! harmless before it is printed (`show.rs`).

mod args;
mod commands;
mod cursor;
mod directs;
mod failure;
mod folders;
mod host;
mod input;
mod lines;
mod login;
#[path = "../both/pages.rs"]
mod pages;
mod password;
mod private;
mod screen;
mod settings;
mod setup;
mod show;
#[cfg(feature = "server")]
#[path = "../both/start.rs"]
mod start;
mod tail;
mod tokens;
mod trust;
mod write;

use std::process::ExitCode;

use args::{Args, Command};
use failure::Failure;
use setup::Setup;

fn main() -> ExitCode {
    let args = Args::of_process();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if !matches!(args.command, Some(Command::Host(_))) {
        // The connection lives on the worker, so that a terminal or pipe that takes nothing holds up only this thread.
        builder.worker_threads(1);
    }
    let outcome = match builder.enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(args));
            // A thread may still wait for standard input; nobody waits for it.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Failure::new(Failure::REFUSED, format!("cannot start: {error}"))),
    };
    outcome.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

async fn run(mut args: Args) -> Result<(), Failure> {
    // What is written about the program needs no settings, which may be what is to be written.
    match &args.command {
        Some(Command::Init) => return write::init(args.connection.config.as_deref()),
        Some(Command::Man { dir }) => return write::man(dir.as_deref()),
        Some(Command::Completions { shell }) => return write::completions(*shell),
        _ => {}
    }
    let setup = Setup::of(&args)?;
    let connection = &setup.connection;
    match args.command.take() {
        None => talk(&setup, args.line).await,
        Some(Command::Host(host)) => host::run(setup, host, args.line).await,
        Some(Command::Send(send)) => commands::send(connection, send).await,
        Some(Command::Tail(tail)) => tail::tail(connection, tail).await,
        Some(Command::History(history)) => commands::history(connection, history).await,
        Some(Command::Search(search)) => commands::search(connection, search).await,
        Some(Command::Rooms) => commands::rooms(connection).await,
        Some(Command::Names { room }) => commands::names(connection, room.as_deref()).await,
        Some(Command::Token(token)) => tokens::run(connection, token).await,
        Some(Command::Register { invite }) => login::register(connection, invite.as_deref()).await,
        Some(Command::Init | Command::Man { .. } | Command::Completions { .. }) => Ok(()),
    }
}

/// The client itself: on a full screen where there is one and nobody wants it otherwise.
async fn talk(setup: &Setup, by_line: bool) -> Result<(), Failure> {
    if !by_line && !setup.connection.json && screen::is_possible() {
        screen::run(setup).await
    } else {
        lines::run(&setup.connection, &setup.room).await
    }
}
