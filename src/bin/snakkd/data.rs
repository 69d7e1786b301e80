//! `snakkd backup`, `restore`, `verify`, `export` and `import`: the database as a whole.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use snakk::server::{Database, ExportError, Report};

use crate::args::Args;
use crate::exit::{self, Failure};
use crate::{paths, verbs};

/// Where the database is.
fn database(args: &Args) -> Result<Database, Failure> {
    let found = paths::load(args)?;
    let data_dir = paths::data_dir(args, &found.config)?;
    // What is made from here on is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // By default this signal kills, and what was begun would stay: a write beyond the limit on file sizes shall fail instead.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())
        .map_err(|error| Failure::new(exit::FAILURE, format!("cannot catch signals: {error}")))?;
    Ok(Database::of(&found.config, data_dir))
}

/// `snakkd backup FILE`.
pub(crate) fn backup(args: &Args, file: &Path) -> Result<(), Failure> {
    let backup = database(args)?.backup(absolute(file)?)?;
    let held = held(&backup.report);
    verbs::say(&format!("{}: {}, {held}\n", file.display(), counted(backup.bytes, "byte")))
}

/// `snakkd restore FILE`.
pub(crate) fn restore(args: &Args, file: &Path) -> Result<(), Failure> {
    let restored = database(args)?.restore(absolute(file)?)?;
    let Report { path, format, .. } = &restored.report;
    let mut text = format!("{}: restored, {}\n", path.display(), held(&restored.report));
    if restored.format < *format {
        text += &format!("it was brought up to date from format {} to {format}\n", restored.format);
    }
    text += &match restored.kept {
        Some(kept) => format!("the database that was there before is {}\n", kept.display()),
        None => "there was no database before\n".to_owned(),
    };
    verbs::say(&text)
}

/// `snakkd verify FILE`.
pub(crate) fn verify(file: &Path) -> Result<(), Failure> {
    let report = Database::verify(file)?;
    if !report.is_whole() {
        return Err(Failure::new(exit::FAILURE, format!("{}: something is wrong with it\n{report}", file.display())));
    }
    let mut text = format!("{}: a database of snakkd, format {}, whole\n", file.display(), report.format);
    let (accounts, entries) = (counted(report.accounts, "account"), counted(report.entries, "entry"));
    text += &format!("{}, {accounts}, {entries}\n", held(&report));
    if report.is_old {
        text += "this snakkd brings it up to date when it opens it\n";
    }
    verbs::say(&text)
}

/// `snakkd export`.
pub(crate) fn export(args: &Args) -> Result<(), Failure> {
    let database = database(args)?;
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        // Where standard error is closed there is nobody to warn.
        let _ = writeln!(io::stderr(), "snakkd: this shows password hashes; it is meant for a file or a pipe");
    }
    match database.export(&mut stdout) {
        // Nobody reads any more, which is how `snakkd export | head` ends.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map(|_| ()).map_err(Failure::from),
    }
}

/// `snakkd import [FILE]`.
pub(crate) fn import(args: &Args, file: Option<&Path>) -> Result<(), Failure> {
    let database = database(args)?;
    let report = match file {
        None => database.import(&mut io::stdin().lock()),
        Some(file) => {
            let opened = File::open(file)
                .map_err(|error| Failure::new(exit::FAILURE, format!("cannot read {}: {error}", file.display())))?;
            database.import(&mut BufReader::with_capacity(1 << 16, opened))
        }
    };
    let report = report?;
    verbs::say(&format!("{}: {}\n", report.path.display(), held(&report)))
}

/// What most people want to know of a database.
fn held(report: &Report) -> String {
    format!("{}, {}", counted(report.rooms, "room"), counted(report.messages, "message"))
}

fn counted(count: u64, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

/// Paths in arguments are relative to the current folder.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file)
        .map_err(|error| Failure::new(exit::CANNOT_CREATE, format!("cannot use {}: {error}", file.display())))
}
