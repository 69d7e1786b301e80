//! The full screen: when it can be had, and what it takes.

use std::env;
use std::io::{self, IsTerminal};

use crate::failure::Failure;
use crate::lines;
use crate::setup::Setup;

/// Whether there is a terminal on which something can be drawn.
pub(crate) fn is_possible() -> bool {
    let draws = env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    draws && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Talks until whoever sits there leaves.
pub(crate) async fn run(setup: &Setup) -> Result<(), Failure> {
    lines::run(&setup.connection, &setup.room).await
}
