//! The database as a whole: backups, and moving it to elsewhere. Unlike [`Offline`](crate::server::Offline) most of this
//! works beside a server that runs, in this process or in another one.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::server::{data_dir, options};
use crate::store::sqlite::{
    self, Backup, BackupError, ExportError, ImportError, OpenError, Report, RestoreError, Restored,
};

/// The database of a server, which may run or not. All methods block until they are done, which takes as long as reading
/// everything: in a task, call them by `tokio::task::spawn_blocking`.
///
/// # Example
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = snakk::Config::default();
/// let server = snakk::Server::builder(config.clone()).data_dir("chat").listen("127.0.0.1:0").start().await?;
/// let database = snakk::server::Database::of(&config, "chat");
/// let backup = tokio::task::spawn_blocking(move || database.backup("chat-monday.db")).await??;
/// println!("{} messages in {} bytes", backup.report.messages, backup.bytes);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Database {
    file: PathBuf,
    data_dir: PathBuf,
    server: String,
}

impl Database {
    /// The database that a server has with these settings and this data directory. Nothing is opened or made.
    pub fn of(config: &Config, data_dir: impl AsRef<Path>) -> Database {
        let data_dir = data_dir.as_ref().to_owned();
        let file = options::store(config, &data_dir).file;
        Database { file, data_dir, server: config.server.name.clone() }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Writes a backup: one file that only its owner can read, with everything that was acknowledged before the call and
    /// nothing that was deleted. It gets its name when it is whole, was looked at as [`verify`](Database::verify) does,
    /// and is on the disk.
    ///
    /// # Errors
    /// [`BackupError`]; there is no such file then, or the one that was there before. A file that is there is never
    /// written over.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<Backup, BackupError> {
        sqlite::backup(&self.file, to.as_ref())
    }

    /// Puts a backup in the place of the database, of this format or an older one. Every room gets a new epoch, so that
    /// clients know that what they remember of it is void. The old database is kept under another name. Whenever the
    /// process is killed, there is either the old database or the new one.
    ///
    /// # Errors
    /// [`RestoreError`]; no server may have the database open.
    pub fn restore(&self, backup: impl AsRef<Path>) -> Result<Restored, RestoreError> {
        let made = self.make_data_dir().map_err(RestoreError::Place)?;
        sqlite::restore(backup.as_ref(), &self.file).inspect_err(|_| made.undo())
    }

    /// Writes everything as lines of JSON, and says how many rows that are. They hold the hashes of passwords and tokens.
    /// While they are taken the log of a running server grows.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export(&self, out: &mut dyn Write) -> Result<u64, ExportError> {
        sqlite::export(&self.file, &self.server, out)
    }

    /// Makes the database of what [`export`](Database::export) has written. There must be none yet.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is left behind.
    pub fn import(&self, input: &mut dyn BufRead) -> Result<Report, ImportError> {
        let made = self.make_data_dir()?;
        sqlite::import(&self.file, input).inspect_err(|_| made.undo())
    }

    /// Looks whether a database holds together, whether a server has it open or not; changes nothing.
    ///
    /// # Errors
    /// [`OpenError`]: it cannot be read, or is none of ours. What is wrong with one of ours stands in the [`Report`].
    pub fn verify(file: impl AsRef<Path>) -> Result<Report, OpenError> {
        sqlite::verify(file.as_ref())
    }

    fn make_data_dir(&self) -> Result<Made<'_>, OpenError> {
        let was_there = self.data_dir.exists();
        let failed = |error: io::Error| OpenError::CannotOpen { path: self.file.clone(), source: error.into() };
        data_dir::make(&self.data_dir).map_err(failed)?;
        Ok(Made { data_dir: &self.data_dir, was_there })
    }
}

/// A data directory, and whether we have made it.
struct Made<'a> {
    data_dir: &'a Path,
    was_there: bool,
}

impl Made<'_> {
    /// It was for nothing. What is not empty stays.
    fn undo(&self) {
        if !self.was_there {
            let _ = std::fs::remove_dir(self.data_dir);
        }
    }
}
