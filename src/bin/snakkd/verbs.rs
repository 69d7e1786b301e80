//! What `snakkd` does besides running.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use snakk::server::check_certificates;
use snakk::{Config, StartError};

use crate::args::{Args, PAGE};
use crate::exit::{self, Failure};
use crate::manual;
use crate::pages::{self, Shell};
use crate::paths;

/// `snakkd check`: says what is wrong with the configuration and the certificates, or what they come to. Creates nothing.
pub(crate) fn check(args: &Args) -> Result<(), Failure> {
    let found = paths::load(args)?;
    let data_dir = paths::data_dir(args, &found.config)?;
    let mut text = match &found.file {
        Some(file) => format!("{}: the configuration is good\n", file.display()),
        None => "no configuration file, so the defaults count\n".to_owned(),
    };
    let mut notes = found.config.remarks();
    if args.listen.is_empty() {
        let mut certificates = check_certificates(&found.config).map_err(StartError::from)?.into_iter();
        for listener in &found.config.listeners {
            text += &format!("listener {}", listener.address);
            if let Some(shown) = listener.tls.as_ref().and_then(|_| certificates.next()) {
                text += &format!(" (tls, {})", shown.fingerprint);
                notes.extend(shown.warnings);
            }
            text += "\n";
        }
    } else {
        args.listen.iter().for_each(|address| text += &format!("listener {address}\n"));
    }
    text += &format!("data in {}\n", data_dir.display());
    notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    say(&text);
    Ok(())
}

/// `snakkd init`: writes the example file. It holds no secret and the daemon may run as another user, so who may read it
/// is left to the umask.
pub(crate) fn init(args: &Args) -> Result<(), Failure> {
    let file = args.config.clone().unwrap_or_else(|| PathBuf::from("snakk.toml"));
    write_new(&file, Config::example().as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(exit::FAILURE, format!("{} is there already, and stays as it is", file.display()))
        }
        _ => Failure::new(exit::CANNOT_CREATE, format!("cannot write {}: {error}", file.display())),
    })?;
    say(&format!("{} has every key with its default\n", file.display()));
    Ok(())
}

/// `snakkd man`: writes a manual page to standard output, or all of them into a folder.
pub(crate) fn man(what: Option<&Path>) -> Result<(), Failure> {
    let program = Args::command();
    let written = match what {
        None => pages::page(&program, &PAGE).map(|page| say(&String::from_utf8_lossy(&page))),
        Some(page) if page == Path::new(manual::NAME) => {
            say(&manual::page());
            Ok(())
        }
        Some(folder) => pages::write_all(&program, &PAGE, folder)
            .and_then(|()| fs::write(folder.join(format!("{}.{}", manual::NAME, manual::SECTION)), manual::page())),
    };
    written.map_err(|error| Failure::new(exit::FAILURE, format!("cannot write the pages: {error}")))
}

/// `snakkd completions`.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    say(&String::from_utf8_lossy(&pages::completions(&Args::command(), shell)));
    Ok(())
}

/// Writes a file that must not be there yet: whole, or not at all.
fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).open(file)?;
    opened.write_all(bytes).inspect_err(|_| {
        // Half a file would be in the way of the next attempt.
        let _ = fs::remove_file(file);
    })
}

/// Writes to standard output, where somebody may have stopped reading.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
