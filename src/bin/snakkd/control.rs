//! The way to the daemon that runs: its control socket, over which the native protocol is spoken, one request at a time.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use snakk::Config;
use snakk::server::MAX_SOCKET_PATH;

use crate::args::Args;
use crate::exit::{self, Failure};
use crate::paths;

/// How long the daemon may take for an answer. Reading certificates again, or hashing a password behind others, takes a while.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest line that is read: answers are at most about 256 KiB.
const MOST_BYTES: u64 = 1 << 20;

/// An open control socket.
pub(crate) struct Control {
    input: BufReader<UnixStream>,
    path: PathBuf,
}

impl Control {
    /// Connects to the daemon that runs with this configuration on this data directory; nothing where none does.
    ///
    /// # Errors
    /// The daemon belongs to somebody else.
    pub(crate) fn find(config: &Config, data_dir: &Path) -> Result<Option<Control>, Failure> {
        let path = data_dir.join(&config.server.control_socket);
        match UnixStream::connect(&path) {
            Ok(stream) => {
                let ready = stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE)));
                ready.map_err(|error| failed(&path, &error))?;
                Ok(Some(Control { input: BufReader::new(stream), path }))
            }
            // Nothing there, or what a dead daemon has left; and a path that is too long for any socket.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound
                        | ErrorKind::NotADirectory
                        | ErrorKind::ConnectionRefused
                        | ErrorKind::InvalidInput
                ) =>
            {
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Failure::new(
                exit::UNAVAILABLE,
                format!("cannot use {}: {error}; only the user that snakkd runs as, and root, may", path.display()),
            )),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// The same, where a daemon has to run.
    ///
    /// # Errors
    /// None does; or the configuration is wrong.
    pub(crate) fn open(args: &Args) -> Result<Control, Failure> {
        let config = paths::load(args)?.config;
        let data_dir = paths::data_dir(args, &config)?;
        Control::find(&config, &data_dir)?.ok_or_else(|| {
            let path = data_dir.join(&config.server.control_socket);
            let bytes = path.as_os_str().len();
            let what = if bytes > MAX_SOCKET_PATH {
                format!(
                    "{} has {bytes} bytes, and a socket at most {MAX_SOCKET_PATH}, so a snakkd that runs there cannot be asked; \
                     give server.control_socket a shorter path, and restart it",
                    path.display()
                )
            } else {
                format!("no snakkd runs on {}; another one may run elsewhere: --data-dir", data_dir.display())
            };
            Failure::new(exit::UNAVAILABLE, what)
        })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The daemon refuses, with what it says; or it is gone.
    pub(crate) fn ask(&mut self, request: &Value) -> Result<Value, Failure> {
        self.ask_for(request, |_| None)
    }

    /// The same, with other words for some codes, where ours know more of what was asked.
    pub(crate) fn ask_for(
        &mut self,
        request: &Value,
        other: impl Fn(&str) -> Option<String>,
    ) -> Result<Value, Failure> {
        let line = format!("{request}\n");
        self.input.get_mut().write_all(line.as_bytes()).map_err(|error| failed(&self.path, &error))?;
        loop {
            let mut line = String::new();
            let read = self.input.by_ref().take(MOST_BYTES).read_line(&mut line);
            if read.map_err(|error| failed(&self.path, &error))? == 0 {
                return Err(Failure::new(exit::FAILURE, "snakkd has ended before it answered"));
            }
            let answer: Value = serde_json::from_str(&line).map_err(|error| failed(&self.path, &error.into()))?;
            // Events are not what was asked for.
            if answer.get("response").is_none() {
                continue;
            }
            return match answer["error"].as_str() {
                None => Ok(answer),
                Some(error) => {
                    let other = answer["code"].as_str().and_then(&other);
                    Err(Failure::new(exit::FAILURE, other.unwrap_or_else(|| explained(error, &answer))))
                }
            };
        }
    }

    /// Asks for a list, which may come in pages, and gives all its lines.
    pub(crate) fn list(&mut self, request: &str, key: &str, name: &str) -> Result<Vec<Value>, Failure> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let mut ask = json!({ "request": request });
            if let Some(last) = all.last() {
                ask["after"] = last[name].clone();
            }
            let mut page = self.ask(&ask)?;
            let lines = page[key].as_array_mut().map(std::mem::take).unwrap_or_default();
            let is_last = page["more"] != true || lines.is_empty();
            all.extend(lines);
            if is_last {
                return Ok(all);
            }
        }
    }
}

/// What the daemon says, with the key that it says it about.
fn explained(error: &str, answer: &Value) -> String {
    match (answer["code"].as_str(), answer["field"].as_str()) {
        // The sentence of the protocol speaks of nonces, which nobody has here.
        (Some("storage_unavailable"), _) => {
            "nothing can be stored now, so it was not done; snakkd status and the log say why".to_owned()
        }
        (_, Some(field)) => format!("{error} ({field})"),
        (_, None) => error.to_owned(),
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!(
            "no answer within {} s: it hangs, or has very much to do; what it was asked to do may still be done",
            PATIENCE.as_secs()
        ),
        _ => error.to_string(),
    };
    Failure::new(exit::UNAVAILABLE, format!("cannot talk to snakkd at {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_does_not_answer_may_still_do_what_it_was_asked() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let mut control = Control { input: BufReader::new(ours), path: "control.sock".into() };
        let failure = control.ask(&json!({"request": "ping"})).unwrap_err();
        assert_eq!(
            failure.message(),
            "cannot talk to snakkd at control.sock: no answer within 30 s: it hangs, or has very much to do; what it was \
             asked to do may still be done"
        );
    }
}
