//! Somebody who sits at a terminal.

use std::process::ExitStatus;

use pty_process::Pty;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;

use super::{Person, within};

/// A terminal, and the program that runs on it.
pub(crate) struct Seat {
    pty: Pty,
    program: Child,
    /// Everything that was shown until now.
    shown: String,
    /// How much of it was awaited already.
    seen: usize,
}

impl Person {
    /// Runs a line of a shell on a terminal; in it `$0` is the program, and `$@` are the arguments.
    pub(crate) fn sit(&self, line: &str, args: &[&str]) -> Seat {
        let (pty, pts) = pty_process::open().expect("a terminal");
        pty.resize(pty_process::Size::new(24, 200)).expect("its size can be set");
        let command = self.shell(line, args);
        let mut program = pty_process::Command::new(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            program = program.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = command.get_current_dir() {
            program = program.current_dir(folder);
        }
        let program = program.env("TERM", "xterm").kill_on_drop(true).spawn(pts).expect("the program can be started");
        Seat { pty, program, shown: String::new(), seen: 0 }
    }
}

impl Seat {
    /// Waits until that is shown, behind what was awaited before.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) -> impl Future<Output = ()> {
        within("what is to be shown on a terminal", async move {
            loop {
                if let Some(at) = self.shown[self.seen..].find(text) {
                    self.seen += at + text.len();
                    return;
                }
                assert!(self.read().await, "{text:?} is not shown:\n{}", self.shown);
            }
        })
    }

    /// Types a line.
    pub(crate) async fn types(&mut self, line: &str) {
        self.pty.write_all(format!("{line}\n").as_bytes()).await.expect("it can be typed");
    }

    /// Waits for the end of the program: how it ended, and all that was shown.
    #[track_caller]
    pub(crate) fn ends(mut self) -> impl Future<Output = (ExitStatus, String)> {
        within("the end of a program on a terminal", async move {
            while self.read().await {}
            let status = self.program.wait().await.expect("it can be waited for");
            (status, self.shown)
        })
    }

    /// Reads what there is; false at the end.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // When nobody has the other end any more the system says that as an error.
        let count = self.pty.read(&mut bytes).await.unwrap_or(0);
        self.shown += &String::from_utf8_lossy(&bytes[..count]);
        count > 0
    }
}
