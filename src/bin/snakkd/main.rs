//! `snakkd`, the chat daemon: arguments, exit codes, signals, the log, systemd. How chat works is the library's business.

mod args;
mod control;
mod data;
mod exit;
mod logging;
mod manual;
mod notify;
mod operate;
#[path = "../both/pages.rs"]
mod pages;
mod paths;
mod run;
mod signals;
#[path = "../both/start.rs"]
mod start;
mod users;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Verb};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Also --help and --version.
            let printed = error.print();
            if error.use_stderr() {
                return ExitCode::from(exit::USAGE);
            }
            return verbs::written(printed).map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS);
        }
    };
    let done = match &args.verb {
        None => run::run(&args),
        Some(Verb::Check) => verbs::check(&args),
        Some(Verb::Config { json }) => verbs::config(&args, *json),
        Some(Verb::Operate(operation)) => operate::run(&args, operation),
        Some(Verb::Init) => verbs::init(&args),
        Some(Verb::User(verb)) => users::run(&args, verb),
        Some(Verb::Backup { file }) => data::backup(&args, file),
        Some(Verb::Restore { file }) => data::restore(&args, file),
        Some(Verb::Verify { file }) => data::verify(file),
        Some(Verb::Export) => data::export(&args),
        Some(Verb::Import { file }) => data::import(&args, file.as_deref()),
        Some(Verb::Man { what }) => verbs::man(what.as_deref()),
        Some(Verb::Completions { shell }) => verbs::completions(*shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
