//! Running: from the configuration to the last line of the log.

use std::pin::pin;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use snakk::{Config, Server};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::args::Args;
use crate::exit::{self, Failure};
use crate::logging::{self, Logging};
use crate::paths::{self, Found};
use crate::signals::{self, Order};
use crate::{notify, verbs};

/// How long work that blocks may go on when all that counts is done.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// Runs until somebody says stop.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let found = paths::load(args)?;
    let data_dir = paths::data_dir(args, &found.config)?;
    // What is made from here on (log files, the database and what SQLite puts beside it) is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let logging = logging::install(&found.config.log, &data_dir)?;
    raise_open_files();
    let failed = |what: &str, error: std::io::Error| Failure::new(exit::FAILURE, format!("cannot {what}: {error}"));
    let orders = signals::catch().map_err(|error| failed("catch signals", error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("start the runtime", error))?;
    let done = runtime.block_on(async {
        let mut server =
            Server::builder(found.config.clone()).data_dir(&data_dir).metrics(&found.config.metrics.address);
        for address in &args.listen {
            server = server.listen(address);
        }
        serve(args, found, server.start().await?, &logging, orders).await
    });
    runtime.shutdown_timeout(LEFTOVERS);
    done
}

/// Says where the server is, obeys, and shuts it down.
async fn serve(
    args: &Args,
    mut found: Found,
    server: Server,
    logging: &Logging,
    mut orders: UnboundedReceiver<Order>,
) -> Result<(), Failure> {
    let listening = server.listening();
    let lines: String = listening.iter().map(|address| format!("listening on {address}\n")).collect();
    verbs::say(&lines);
    let watchdog = tokio::spawn(notify::feed_watchdog(server.health()));
    let file = found.file.as_ref().map_or_else(|| "none, defaults".to_owned(), |file| file.display().to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = file,
        data = %server.data_dir().display(),
        listening = listening.join(", "),
        metrics = server.metrics_listening(),
        "snakkd is running"
    );
    found.config.remarks().iter().for_each(|remark| tracing::warn!("{remark}"));
    let mut answers = pin!(notify::until_it_answers(server.health()));
    let mut ready = false;
    let died = loop {
        tokio::select! {
            () = &mut answers, if !ready => {
                ready = true;
                notify::ready(listening.len());
            }
            order = orders.recv() => match order {
                Some(Order::Reload) => {
                    notify::reloading();
                    reload(args, &mut found.config, logging);
                    reload_certificates(&server);
                    if ready {
                        notify::ready(listening.len());
                    }
                }
                // Without the thread that hears signals nobody could ever stop us.
                Some(Order::Stop) | None => break false,
            },
            () = server.failed() => break true,
        }
    };
    notify::stopping();
    tracing::info!(reason = if died { "defect" } else { "signal" }, "shutting down");
    let shut_down = server.shutdown().await;
    // Until here it is alive.
    watchdog.abort();
    if died {
        return Err(Failure::new(exit::FAILURE, "the server cannot go on; its log says why"));
    }
    shut_down.map_err(|error| Failure::new(exit::FAILURE, format!("the shutdown was not clean: {error}")))?;
    tracing::info!("everything is on disk, good bye");
    Ok(())
}

/// Reads the configuration again. A bad one changes nothing. The log's level is taken over at once; of everything else
/// it is said that it waits for a restart.
fn reload(args: &Args, running: &mut Config, logging: &Logging) {
    let new = match paths::load(args) {
        Ok(found) => found.config,
        Err(failure) => {
            for line in failure.message().lines() {
                tracing::error!("the configuration was not reloaded: {line}");
            }
            return;
        }
    };
    if new.log.level != running.log.level {
        match logging.set_level(&new.log.level) {
            Ok(()) => running.log.level.clone_from(&new.log.level),
            Err(error) => tracing::error!("log.level was not changed: {error}"),
        }
    }
    let waiting = running.differences(&new);
    if waiting.is_empty() {
        tracing::info!("the configuration was reloaded");
    } else {
        tracing::warn!("the configuration was reloaded, but {} will change only at a restart", waiting.join(", "));
    }
}

/// Reads the certificates again, whatever became of the configuration: they are renewed more often than anything else
/// changes.
fn reload_certificates(server: &Server) {
    if let Err(errors) = server.reload_certificates() {
        for error in errors.errors() {
            tracing::error!("a certificate was not reloaded, the old one stays: {error}");
        }
    }
}

/// A connection is an open file. The soft limit is low for the sake of programs that use select(2), which we do not.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    // It may be forbidden (in a sandbox), and then the old limit has to do.
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!("cannot raise the limit of open files above {current:?}: {error}");
    }
}
