//! The real program, as a process of its own that never outlives its test.

use std::future::IntoFuture;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use super::person::{Ended, ended};
use super::server::{account, guest, hello};
use super::wire::Wire;
use super::within;

/// What the configuration file of a test begins with: every limit is off that is not about sizes.
pub(crate) const FREE: &str = "\
[limits]
max_connections = 0
max_connections_per_ip = 0
max_unauthenticated = 0
max_sessions_per_user = 0
login_timeout = \"0s\"
silent_timeout = \"0s\"
messages_per_second = 0
registrations_per_hour = 0
password_attempts = 0
rooms_per_user = 0
";

/// A daemon to be: `daemon().await`. Without further words it runs in a directory of its own, at a free port, with all
/// limits off.
pub(crate) fn daemon() -> Setup {
    Setup {
        dir: Arc::new(tempfile::tempdir().expect("a temporary directory")),
        config: FREE.to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        program: env!("CARGO_BIN_EXE_snakkd").into(),
    }
}

/// What a daemon is to be.
#[derive(Clone)]
#[must_use = "a daemon starts when it is awaited"]
pub(crate) struct Setup {
    dir: Arc<TempDir>,
    config: String,
    listen: String,
    program: PathBuf,
}

impl Setup {
    /// The text of the configuration file, instead of [`FREE`].
    pub(crate) fn config(self, text: &str) -> Setup {
        Setup { config: text.to_owned(), ..self }
    }

    /// Listens there instead of at a free port.
    pub(crate) fn listen(self, address: impl ToString) -> Setup {
        Setup { listen: address.to_string(), ..self }
    }

    /// Runs another program, such as an older one.
    pub(crate) fn program(self, path: &Path) -> Setup {
        Setup { program: path.to_owned(), ..self }
    }

    /// The directory that everything is in: `snakk.toml`, and `data`.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts it, without waiting for anything.
    pub(crate) fn spawn(self) -> Daemon {
        let config = self.dir.path().join("snakk.toml");
        std::fs::write(&config, &self.config).expect("a configuration file");
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(config).arg("--data-dir").arg(self.data_dir()).args(["--listen", &self.listen]);
        command.current_dir(self.dir.path()).env_clear().env("HOME", self.dir.path());
        self.spawn_by(command)
    }

    /// The program with other arguments, on the same data and in the same directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(self.data_dir()).args(args);
        command.current_dir(self.dir.path()).env_clear().env("HOME", self.dir.path());
        command
    }

    /// Runs it so to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        ended(self.clone().spawn_by(self.command(args))).await
    }

    /// Starts it by a command of one's own, which decides everything; for tests of arguments and of the environment.
    pub(crate) fn spawn_by(self, mut command: Command) -> Daemon {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Daemon::of(child.expect("snakkd can be started"), self)
    }
}

impl IntoFuture for Setup {
    type Output = Daemon;
    type IntoFuture = Pin<Box<dyn Future<Output = Daemon> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut daemon = self.spawn();
            daemon.listens().await;
            daemon
        })
    }
}

/// Runs a command to its end, with this on its standard input.
pub(crate) fn fed(mut command: Command, input: &str) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("snakkd can be started");
    // It may not want to read anything.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("its end")
}

/// What it printed, if all went well.
#[track_caller]
pub(crate) fn printed(output: Output, what: &[&str]) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{what:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Looks whether it was refused, for that reason; gives what it said.
#[track_caller]
pub(crate) fn refused(output: &Output, what: &[&str], code: i32, why: &str) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{what:?}: {stderr}");
    assert!(stderr.starts_with("snakkd: ") && stderr.contains(why), "{what:?}: {stderr}");
    stderr.into_owned()
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    setup: Setup,
    pid: Pid,
    address: Option<SocketAddr>,
    lines: mpsc::UnboundedReceiver<String>,
    stderr: watch::Receiver<String>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Daemon {
    fn of(mut child: Child, setup: Setup) -> Daemon {
        let pid = Pid::from_child(&child);
        let (line, lines) = mpsc::unbounded_channel();
        let (stdout, mut errors) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        thread::spawn(move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The test may have ended.
                let _ = line.send(text);
            }
        });
        let (collected, stderr) = watch::channel(String::new());
        let collecting = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                collected.send_modify(|stderr| stderr.push_str(&text));
            }
        });
        let (exited, exit) = watch::channel(None);
        thread::spawn(move || {
            let status = child.wait().ok();
            // So that whoever learns of the exit has the last words too.
            let _ = collecting.join();
            exited.send_replace(status);
        });
        Daemon { setup, pid, address: None, lines, stderr, exit }
    }

    /// Waits until it says where it listens.
    pub(crate) async fn listens(&mut self) {
        let listening = within("a line on which address snakkd listens", self.line()).await;
        let Some(line) = listening else { panic!("snakkd does not start:\n{}", self.stderr()) };
        let address = line.strip_prefix("listening on ").and_then(|line| line.strip_suffix(" (tcp)"));
        let address = address.and_then(|address| address.parse().ok());
        self.address = Some(address.unwrap_or_else(|| panic!("snakkd says {line:?}")));
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it listens")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The directory that everything is in.
    pub(crate) fn dir(&self) -> &Path {
        self.setup.dir()
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.setup.data_dir()
    }

    /// What it takes to start another one with the same data and settings.
    pub(crate) fn again(&self) -> Setup {
        self.setup.clone()
    }

    /// The next line that it prints; none at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// What it has written to standard error until now; all of it, when it has exited.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.borrow().clone()
    }

    /// Waits until there is a whole line with these words on standard error; gives all that is.
    #[track_caller]
    pub(crate) fn logs(&self, words: &str) -> impl Future<Output = String> {
        let (mut stderr, words) = (self.stderr.clone(), words.to_owned());
        let what = format!("{words:?} on standard error");
        within(&what, async move {
            let is_said = |stderr: &String| stderr.split_once(&words).is_some_and(|(_, rest)| rest.contains('\n'));
            let said = stderr.wait_for(is_said).await;
            said.unwrap_or_else(|_| panic!("{words:?} was not said before the end")).clone()
        })
    }

    /// A connection that has said nothing yet.
    pub(crate) async fn connect(&self, name: &str) -> Wire {
        Wire::connect(name, self.address()).await
    }

    /// A native connection that said hello.
    pub(crate) async fn hello(&self, name: &str) -> Wire {
        hello(self.connect(name).await).await
    }

    /// A native guest.
    pub(crate) async fn native(&self, name: &str) -> Wire {
        guest(self.hello(name).await).await
    }

    /// A native account, made if there is none.
    pub(crate) async fn account(&self, name: &str) -> Wire {
        account(self.hello(name).await).await
    }

    /// Sends a signal, unless it has exited.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.exit.borrow().is_none() {
            // It may exit at this very moment.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Asks it to stop.
    pub(crate) fn sigterm(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it without a warning, and waits until it is gone.
    pub(crate) async fn kill9(&mut self) {
        self.signal(Signal::KILL);
        self.exited().await;
    }

    /// Waits until it has exited.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let exit = self.exit.wait_for(Option::is_some);
        let status = within("the exit of snakkd", exit).await.expect("somebody waits for it");
        (*status).expect("it has exited")
    }

    /// Stops it in good order and starts another one with the same data and settings.
    pub(crate) async fn restart(mut self) -> Daemon {
        self.sigterm();
        let status = self.exited().await;
        assert!(status.success(), "snakkd stops with {status}:\n{}", self.stderr());
        self.again().await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if thread::panicking() {
            println!("what snakkd said:\n{}", self.stderr());
        }
    }
}
