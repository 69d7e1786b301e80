//! Somebody who uses the terminal program.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::daemon::{Daemon, daemon};
use super::within;

/// Somebody with the program and a folder.
pub(crate) struct Person {
    folder: TempDir,
    server: String,
}

/// The program under way, and the other end of its standard input.
pub(crate) struct Talk {
    pub(crate) program: Daemon,
    pub(crate) says: fs::File,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<String>,
    pub(crate) stderr: String,
}

impl Person {
    /// Somebody whose operating system calls them `tester`, and whose server is there.
    pub(crate) fn of(server: SocketAddr) -> Person {
        Person { folder: tempfile::tempdir().expect("a temporary directory"), server: server.to_string() }
    }

    /// Where their server is.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// A file of theirs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of theirs that nobody else can read.
    pub(crate) fn secret(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
    }

    /// A line of a shell in which `$0` is the program, and `$@` the arguments.
    pub(crate) fn shell(&self, line: &str, args: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_snakk")]).args(args).current_dir(self.folder.path());
        command.env_clear().env("HOME", self.folder.path()).env("USER", "tester").env("TZ", "UTC");
        command.env("PATH", "/usr/bin:/bin").env("SNAKK_SERVER", &self.server);
        command
    }

    /// Starts it with these arguments.
    pub(crate) fn start(&self, args: &[&str]) -> Daemon {
        daemon().spawn_by(self.shell("exec \"$0\" \"$@\"", args))
    }

    /// Starts it, to talk to it for as long as it runs.
    pub(crate) fn talk(&self, args: &[&str]) -> Talk {
        let pipe = self.path("talk");
        let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo can be started");
        assert!(made.success());
        let program = daemon().spawn_by(self.shell("exec \"$0\" \"$@\" < talk", args));
        // Opens when both ends are there.
        let says = fs::OpenOptions::new().write(true).open(pipe).expect("the writing end of a pipe");
        Talk { program, says }
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        ended(self.start(args)).await
    }

    /// Writes their settings, in the usual place.
    pub(crate) fn settle(&self, text: &str) {
        fs::create_dir_all(self.path(".config/snakk")).expect("a folder");
        self.secret(".config/snakk/config.toml", text);
    }

    /// Runs it with these variables, set as a shell sets them (`NAME=value`), and without a server in them.
    pub(crate) async fn run_with(&self, variables: &str, args: &[&str]) -> Ended {
        let line = format!("unset SNAKK_SERVER; {variables} exec \"$0\" \"$@\" </dev/null");
        ended(daemon().spawn_by(self.shell(&line, args))).await
    }

    /// Runs it with this on its standard input.
    pub(crate) async fn run_on(&self, input: &str, args: &[&str]) -> Ended {
        fs::write(self.path("input"), input).expect("a file");
        ended(daemon().spawn_by(self.shell("exec \"$0\" \"$@\" < input", args))).await
    }
}

/// Waits for its end.
pub(crate) async fn ended(mut program: Daemon) -> Ended {
    let mut lines = Vec::new();
    while let Some(line) = within("the end of the output", program.line()).await {
        lines.push(line);
    }
    let code = program.exited().await.code();
    Ended { code, lines, stderr: program.stderr() }
}

/// It did what it was told, and complained of nothing.
#[track_caller]
pub(crate) fn fine(ended: &Ended) {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
}

impl Talk {
    /// The next line that it prints.
    #[track_caller]
    pub(crate) fn line(&mut self) -> impl Future<Output = String> {
        let line = within("a line", self.program.line());
        async { line.await.unwrap_or_default() }
    }

    /// Says nothing more, and waits for the end, which has this code.
    pub(crate) async fn end(self, code: i32) {
        drop(self.says);
        let ended = ended(self.program).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}
