//! `snakk`, the terminal client: line mode, and commands for scripts.
//!
//! Without a command it sends what standard input says, and prints what others say. Everything that came from the
//! network is made harmless before it is printed (`show.rs`).

mod args;
mod commands;
mod failure;
mod input;
mod lines;
mod login;
mod screen;
mod show;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use failure::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    // The connection lives on the worker, so that a terminal or pipe that takes nothing holds up only this thread.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let outcome = match runtime {
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

async fn run(args: Args) -> Result<(), Failure> {
    let Args { connection, room, command } = args;
    match command {
        None if screen::is_wanted(&connection) => screen::run(&connection, &room).await,
        None => lines::run(&connection, &room).await,
        Some(Command::Send(send)) => commands::send(&connection, send).await,
        Some(Command::Tail(tail)) => commands::tail(&connection, tail).await,
        Some(Command::History(history)) => commands::history(&connection, history).await,
        Some(Command::Search(search)) => commands::search(&connection, search).await,
        Some(Command::Rooms) => commands::rooms(&connection).await,
        Some(Command::Names { room }) => commands::names(&connection, room.as_deref()).await,
        Some(Command::Register { invite }) => login::register(&connection, invite.as_deref()).await,
    }
}
