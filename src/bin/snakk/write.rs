//! What is written about the program, and not by it: the example of the settings, manual pages, completions.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;

use crate::args::{Args, PAGE};
use crate::failure::Failure;
use crate::pages::{self, Shell};
use crate::settings::EXAMPLE;
use crate::show::print;
use crate::{folders, private};

/// `snakk init`: writes the example of the settings, never over what is there.
pub(crate) fn init(named: Option<&Path>) -> Result<(), Failure> {
    let file = named.map(Path::to_owned).or_else(folders::settings);
    let file =
        file.ok_or_else(|| Failure::new(Failure::CONFIGURATION, "no folder is known ($HOME, $XDG_CONFIG_HOME)"))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), private::make_folder).and_then(|()| private::create(&file, EXAMPLE.as_bytes()));
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(Failure::REFUSED, format!("{} is there already, and stays as it is", file.display()))
        }
        _ => Failure::new(Failure::CONFIGURATION, format!("cannot write {}: {error}", file.display())),
    })?;
    Ok(print(&format!("{} has every key with a comment", file.display()))?)
}

/// `snakk man`: writes the manual page of the program to standard output, or all pages into a folder.
pub(crate) fn man(folder: Option<&Path>) -> Result<(), Failure> {
    let program = Args::command();
    match folder {
        None => out(&pages::page(&program, &PAGE)?),
        Some(folder) => pages::write_all(&program, &PAGE, folder).map_err(|error| {
            Failure::new(Failure::REFUSED, format!("cannot write the pages into {}: {error}", folder.display()))
        }),
    }
}

/// `snakk completions`.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    out(&pages::completions(&Args::command(), shell))
}

fn out(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    Ok(stdout.write_all(bytes).and_then(|()| stdout.flush())?)
}
