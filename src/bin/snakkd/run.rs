//! Running: from the configuration to the last line of the log.

use std::pin::pin;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use snakk::Server;
use snakk::config::check_log_level;
use snakk::server::Socket;
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
    let mut found = paths::load(args)?;
    let data_dir = paths::data_dir(args, &found.config)?;
    // What is made from here on (log files, the database and what SQLite puts beside it) is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let logging = logging::install(&found.config.log, &data_dir)?;
    raise_open_files();
    if let Some(remark) = fit_open_files(&mut found) {
        tracing::warn!("{remark}");
    }
    let failed = |what: &str, error: std::io::Error| Failure::new(exit::FAILURE, format!("cannot {what}: {error}"));
    let orders = signals::catch().map_err(|error| failed("catch signals", error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("start the runtime", error))?;
    let done = runtime.block_on(async {
        let mut server = Server::builder(found.config.clone())
            .data_dir(&data_dir)
            .control_socket(&found.config.server.control_socket)
            .metrics(&found.config.metrics.address)
            .inherited(inherited()?);
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
    found: Found,
    server: Server,
    logging: &Logging,
    mut orders: UnboundedReceiver<Order>,
) -> Result<(), Failure> {
    let listening = server.listening();
    let lines: String = listening.iter().map(|address| format!("listening on {address}\n")).collect();
    // It is there to serve, whether or not anybody can be told where; the log says it too.
    let _ = verbs::say(&lines);
    let watchdog = tokio::spawn(notify::feed_watchdog(server.health()));
    let file = found.file.as_ref().map_or_else(|| "none, defaults".to_owned(), |file| file.display().to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = file,
        path = %server.data_dir().display(),
        listener = listening.join(", "),
        metrics = server.metrics_listening(),
        "snakkd is running"
    );
    found.config.remarks().iter().for_each(|remark| tracing::warn!("{remark}"));
    let mut minute = tokio::time::interval(Duration::from_secs(60));
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
                    reload(args, &server, logging);
                    if ready {
                        notify::ready(listening.len());
                    }
                }
                Some(Order::ReopenLog) => logging.reopen(),
                // Without the thread that hears signals nobody could ever stop us.
                Some(Order::Stop) | None => break false,
            },
            order = server.order() => match order {
                snakk::server::Order::Reload(order) => {
                    let Reloading { changed, restart, problems } = reload(args, &server, logging);
                    order.answer(changed, restart, problems);
                }
                snakk::server::Order::LogLevel(order) => {
                    let holds = match &order.level {
                        Some(level) => {
                            let good = check_log_level(level).is_ok() && logging.set_level(level).is_ok();
                            good.then(|| level.clone())
                        }
                        None => Some(logging.level()),
                    };
                    if let (Some(_), Some(level)) = (&order.level, &holds) {
                        tracing::info!(log_level = level, "the log's level was changed");
                    }
                    order.answer(holds);
                }
                // A later version of the library may have others; nobody obeys those here.
                _ => {}
            },
            _ = minute.tick() => logging.sum_up(),
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

/// What came of reading everything again: keys that changed and hold, keys that wait for a restart, and what is wrong.
#[derive(Default)]
struct Reloading {
    changed: Vec<String>,
    restart: Vec<String>,
    problems: Vec<String>,
}

/// Reads the configuration again, of which a bad one changes nothing; and the certificates, whatever became of the
/// configuration: they are renewed more often than anything else changes.
fn reload(args: &Args, server: &Server, logging: &Logging) -> Reloading {
    let mut done = Reloading::default();
    let taken = paths::load(args).and_then(|mut found| {
        fit_open_files(&mut found);
        let level = &found.config.log.level;
        // The only one that is asked before it is known that all the others are good.
        let before = logging.level();
        logging.set_level(level).map_err(|error| Failure::new(exit::CONFIG, format!("log.level: {error}")))?;
        server.reload(&found.config).map_err(|errors| {
            let _ = logging.set_level(&before);
            Failure::from(errors)
        })
    });
    match taken {
        Ok(reloaded) => (done.changed, done.restart) = (reloaded.changed, reloaded.restart),
        Err(failure) => done.problems.extend(failure.message().lines().map(str::to_owned)),
    }
    for problem in &done.problems {
        tracing::error!(error = problem, "the configuration was not reloaded");
    }
    if done.problems.is_empty() {
        let (changed, restart) = (done.changed.join(", "), done.restart.join(", "));
        if done.restart.is_empty() {
            tracing::info!(changed, "the configuration was reloaded");
        } else {
            tracing::warn!(
                changed,
                restart,
                "the configuration was reloaded, but some of it will change only at a restart"
            );
        }
    }
    match server.reload_certificates() {
        Ok(renewed) => {
            let shown = renewed.iter().map(|new| format!("the certificate of {} ({})", new.listener, new.fingerprint));
            done.changed.extend(shown);
        }
        Err(errors) => {
            for error in errors.errors() {
                tracing::error!(%error, "a certificate was not reloaded, the old one stays");
                done.problems.push(error.to_string());
            }
        }
    }
    done
}

/// The sockets that systemd has bound for us (sd_listen_fds(3)), in its order.
fn inherited() -> Result<Vec<Socket>, Failure> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let tcp = passed.take_tcp_listener(index).ok().flatten().map(Socket::from);
        let socket = match tcp {
            Some(socket) => Some(socket),
            None => passed.take_unix_listener(index).ok().flatten().map(Socket::from),
        };
        sockets.push(socket.ok_or_else(|| {
            let what =
                format!("the socket number {index} that systemd passed is neither of TCP nor a Unix one that listens");
            Failure::new(exit::CONFIG, what)
        })?);
    }
    Ok(sockets)
}

/// A connection is an open file. The soft limit is low for the sake of programs that use select(2), which we do not.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    // It may be forbidden (in a sandbox), and then the old limit has to do.
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(current, %error, "cannot raise the limit of open files");
    }
}

/// So many open files are left for the database, the log, the control socket, metrics, and those who are told that they may
/// not come in: whoever runs the server can still ask how it is when everything else is taken.
const KEPT_FILES: u64 = 112;

/// No more connections than there may be open files for. Says so where that is less than was asked for.
fn fit_open_files(found: &mut Found) -> Option<String> {
    let files = getrlimit(Resource::Nofile).current?;
    let most = usize::try_from(files - KEPT_FILES.min(files / 2)).unwrap_or(usize::MAX);
    let connections = &mut found.config.limits.max_connections;
    let wanted = std::mem::replace(connections, if *connections == 0 { most } else { most.min(*connections) });
    (wanted > most).then(|| {
        format!(
            "limits.max_connections is {wanted}, but this process may have no more than {files} files open: it takes {most} \
             connections (LimitNOFILE= in a unit, ulimit -n in a shell)"
        )
    })
}
