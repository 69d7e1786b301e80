//! The servers that are measured, as child processes: snakkd with a configuration made for it, and the bare servers,
//! which are this same program under a hidden subcommand.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::args::{Durability, Target};
use crate::wire::Wire;

/// How long a server may take to leave when it was asked to.
const LEAVING: Duration = Duration::from_secs(15);

pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    child: Child,
    /// Kept open: a server that prints into a closed pipe could take offence.
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a server whose data and log are in `dir`, and waits until it listens.
    pub(crate) fn start(target: Target, program: &Path, dir: &Path, durability: Durability) -> Result<Self> {
        let log = dir.join("standard-error");
        let mut command = match target {
            Target::Snakk => {
                let config = dir.join("snakk.toml");
                fs::write(&config, configuration(dir, durability))?;
                let mut command = Command::new(program);
                command.arg("--config").arg(config);
                command
            }
            Target::BareEpoll | Target::BareTokio => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["serve", target.name()]);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log)?);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let Some(stdout) = child.stdout.take() else { bail!("the child has no standard output") };
        let mut output = BufReader::new(stdout);
        match listening_on(&mut output) {
            Ok(address) => Ok(Self { target, address, child, _output: output }),
            Err(error) => {
                // It may have ended by itself; otherwise it is of no use.
                let _ = child.kill();
                let status = child.wait()?;
                let said = fs::read_to_string(&log).unwrap_or_default();
                Err(error.context(format!("{} ended with {status} and said: {}", target.name(), said.trim())))
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wire(&self) -> Wire {
        if self.target == Target::Snakk { Wire::Snakk } else { Wire::Bare }
    }

    /// Asks the server to leave; the daemon must do so with success.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + LEAVING;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success() || self.target != Target::Snakk, "snakkd ended with {status}");
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{} has not left {LEAVING:?} after SIGTERM", self.target.name());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Only after a failure: nothing is expected of this server any more.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn listening_on(output: &mut impl BufRead) -> Result<SocketAddr> {
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if let Some(address) = line.trim().strip_prefix("listening on ").and_then(|rest| rest.strip_suffix(" (tcp)")) {
            return Ok(address.parse()?);
        }
        line.clear();
    }
    bail!("it does not say where it listens")
}

/// The defaults, without the limits that are meant for people.
fn configuration(dir: &Path, durability: Durability) -> String {
    let durability = match durability {
        Durability::Full => "full",
        Durability::Normal => "normal",
    };
    // A string of JSON is one of TOML as well.
    let data_dir = serde_json::Value::from(dir.join("data").to_string_lossy().into_owned());
    format!(
        r#"
[server]
data_dir = {data_dir}
[[listener]]
address = "127.0.0.1:0"
[storage]
durability = "{durability}"
[limits]
max_connections = 0
max_connections_per_ip = 0
max_unauthenticated = 0
messages_per_second = 0
rooms_per_user = 0
[log]
level = "warn"
"#
    )
}
