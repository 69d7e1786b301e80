//! The log of the program: to standard error, or to files that begin anew at times. The library only says what there is
//! to say; where that goes is decided here, once for the process.

use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, panic};

use snakk::config::{LogFormat, LogSection, Rotation};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::exit::{self, Failure};

/// Lines that may wait for a slow disk or a stopped terminal. More are dropped: chat does not wait for its log.
const MAX_WAITING_LINES: usize = 8192;

/// The installed log. What waits is written when it is dropped.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    level: Mutex<String>,
    _writer: WorkerGuard,
}

impl Logging {
    /// Changes what is logged.
    pub(crate) fn set_level(&self, level: &str) -> Result<(), String> {
        let filter = filter(level).map_err(|error| error.to_string())?;
        self.filter.reload(filter).map_err(|error| error.to_string())?;
        level.clone_into(&mut self.held());
        Ok(())
    }

    /// What is logged.
    pub(crate) fn level(&self) -> String {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, String> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Installs the log.
pub(crate) fn install(log: &LogSection, data_dir: &Path) -> Result<Logging, Failure> {
    let filter = filter(&log.level)
        .map_err(|error| Failure::new(exit::CONFIG, format!("log.level cannot be {:?}: {error}", log.level)))?;
    let (filter, handle) = reload::Layer::new(filter);
    let (writer, guard, ansi, time) = match log.directory_in(data_dir) {
        Some(directory) => {
            let files = files(log, &directory).map_err(|error| {
                Failure::new(exit::CANNOT_CREATE, format!("cannot log to {}: {error}", directory.display()))
            })?;
            let (writer, guard) = unhurried(files);
            (writer, guard, false, true)
        }
        None => {
            let (writer, guard) = unhurried(io::stderr());
            let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            // The journal has its own times.
            (writer, guard, colours, !is_journal())
        }
    };
    // Failures of the writing itself must not be printed: the printing would panic where standard error is closed.
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ansi).log_internal_errors(false);
    let layer = match (log.format, time) {
        (LogFormat::Json, _) => layer.json().flatten_event(true).boxed(),
        (_, true) => layer.boxed(),
        (_, false) => layer.without_time().boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init()
        .map_err(|error| Failure::new(exit::FAILURE, format!("cannot install the log: {error}")))?;
    // A panic is a defect, which ends one connection or the server; it belongs where the other news are.
    panic::set_hook(Box::new(|panic| tracing::error!("defect: {panic}")));
    Ok(Logging { filter: handle, level: Mutex::new(log.level.clone()), _writer: guard })
}

fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().parse(level)
}

/// A writer that nobody waits for.
fn unhurried(writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(MAX_WAITING_LINES).thread_name("log").finish(writer)
}

/// Log files in a directory that only we can read. They are called `snakkd.2026-01-31.log`.
fn files(log: &LogSection, directory: &Path) -> Result<rolling::RollingFileAppender, Box<dyn std::error::Error>> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // The appender leaves the mode of its files to the umask.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let rotation = match log.rotation {
        Rotation::Daily => rolling::Rotation::DAILY,
        Rotation::Hourly => rolling::Rotation::HOURLY,
        Rotation::Never => rolling::Rotation::NEVER,
    };
    let builder = rolling::Builder::new().rotation(rotation).filename_prefix("snakkd").filename_suffix("log");
    let builder = if log.keep > 0 { builder.max_log_files(log.keep) } else { builder };
    Ok(builder.build(directory)?)
}

/// Whether standard error goes to the systemd journal: the variable names the device and inode that do.
fn is_journal() -> bool {
    let stderr = fs::metadata("/proc/self/fd/2").map(|file| format!("{}:{}", file.dev(), file.ino()));
    env::var("JOURNAL_STREAM").is_ok_and(|stream| stderr.is_ok_and(|stderr| stderr == stream))
}
