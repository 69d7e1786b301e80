//! The log of the program: to standard error, to files that begin anew at times, or to the journal. The library only says
//! what there is to say; where that goes is decided here, once for the process.
//!
//! An event becomes a [`line::Line`], in which nothing can break a line or a terminal; the [`limiter`] leaves out what
//! repeats itself; the [`form`] makes bytes of it; and the [`queue`] hands them to a [`queue::Sink`] on a thread of its own,
//! for which nobody waits.

mod files;
mod form;
mod journal;
mod limiter;
mod line;
mod output;
mod queue;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{env, panic};

use snakk::config::{LogFormat, LogSection};
use snakk::model::SystemClock;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::exit::{self, Failure};
use files::Files;
use form::{Form, Text};
use journal::Journal;
use output::Output;
use queue::{Queue, Sink};

/// The installed log. What waits is written when it is dropped.
pub(crate) struct Logging {
    filter: reload::Handle<Targets, Registry>,
    level: Mutex<String>,
    output: Arc<Output>,
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

    /// Opens the log file by its name again, which somebody may have given to another file. To be seen from outside, by
    /// the new file; where there are no files, nothing happens.
    pub(crate) fn reopen(&self) {
        self.output.queue().reopen();
    }

    /// Tells how many lines were left out for which no other line has told it yet. To be called now and then.
    pub(crate) fn sum_up(&self) {
        self.output.sum_up();
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.output.sum_up();
        self.output.queue().close();
    }
}

/// Looks whether there is a journal, where the log goes to one.
pub(crate) fn check(log: &LogSection) -> Result<(), Failure> {
    if log.format == LogFormat::Journald { journal().map(drop) } else { Ok(()) }
}

/// Installs the log.
pub(crate) fn install(log: &LogSection, data_dir: &Path) -> Result<Logging, Failure> {
    let filter = filter(&log.level)
        .map_err(|error| Failure::new(exit::CONFIG, format!("log.level cannot be {:?}: {error}", log.level)))?;
    let (filter, handle) = reload::Layer::new(filter);
    let (form, sink) = form_and_sink(log, data_dir)?;
    let queue = Queue::start(sink, form);
    let output = Arc::new(Output::new(form, queue));
    tracing_subscriber::registry()
        .with(filter)
        .with(output::layer(&output))
        .try_init()
        .map_err(|error| Failure::new(exit::FAILURE, format!("cannot install the log: {error}")))?;
    // A panic is a defect, which ends one connection or the server; it belongs where the other news are.
    panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("a panic without words");
        match panic.location() {
            Some(place) => tracing::error!(%place, "defect: {what}"),
            None => tracing::error!("defect: {what}"),
        }
    }));
    Ok(Logging { filter: handle, level: Mutex::new(log.level.clone()), output })
}

fn filter(level: &str) -> Result<Targets, ParseError> {
    // Blanks may stand around the commas, and would be taken for a part of a name.
    level.split(',').map(str::trim).collect::<Vec<_>>().join(",").parse()
}

/// How lines are written, and where to.
fn form_and_sink(log: &LogSection, data_dir: &Path) -> Result<(Form, Box<dyn Sink>), Failure> {
    if log.format == LogFormat::Journald {
        return Ok((Form::Journal, Box::new(journal()?)));
    }
    let form = |text| if log.format == LogFormat::Json { Form::Json } else { Form::Text(text) };
    let Some(directory) = log.directory_in(data_dir) else {
        let text = if is_journal() {
            Text::ForJournal
        } else if io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            Text::Coloured
        } else {
            Text::Plain
        };
        return Ok((form(text), Box::new(Stderr)));
    };
    let files = Files::open(&directory, log.rotation, log.keep, Box::new(SystemClock))
        .map_err(|error| Failure::new(exit::CANNOT_CREATE, format!("cannot log: {error}")))?;
    Ok((form(Text::Plain), Box::new(files)))
}

fn journal() -> Result<Journal, Failure> {
    Journal::open(&journal::socket()).map_err(|error| {
        Failure::new(exit::CONFIG, format!("log.format is \"journald\", but there is no journal: {error}"))
    })
}

/// Standard error, which may be closed.
struct Stderr;

impl Sink for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        io::stderr().lock().write_all(line)
    }

    fn is_stderr(&self) -> bool {
        true
    }
}

/// Whether standard error goes to the systemd journal: the variable names the device and inode that do.
fn is_journal() -> bool {
    let stderr = fs::metadata("/proc/self/fd/2").map(|file| format!("{}:{}", file.dev(), file.ino()));
    env::var("JOURNAL_STREAM").is_ok_and(|stream| stderr.is_ok_and(|stderr| stderr == stream))
}
