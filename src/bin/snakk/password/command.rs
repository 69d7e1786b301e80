//! The command that knows the password: a password manager, mostly.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::{MAX_BYTES, bad, first_line};
use crate::failure::Failure;
use crate::settings::PasswordCommand;
use crate::show::plain;

/// Long enough for somebody to unlock a password manager.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the pipes are read when it has ended.
const REST: Duration = Duration::from_secs(1);

/// How much of what it complains of is kept.
const MAX_COMPLAINT: usize = 4096;

/// Runs the command, and takes the first line of what it says.
pub(super) async fn run(command: &PasswordCommand) -> Result<String, Failure> {
    run_within(command, PATIENCE).await
}

async fn run_within(command: &PasswordCommand, patience: Duration) -> Result<String, Failure> {
    let (program, arguments) = match command {
        PasswordCommand::Shell(line) => ("sh", vec!["-c", line]),
        PasswordCommand::Words(words) => match words.split_first() {
            Some((program, arguments)) => (program.as_str(), arguments.iter().map(String::as_str).collect()),
            None => return Err(bad("password_command is empty")),
        },
    };
    let wrong = |why: String| bad(format!("password_command ({}): {why}", plain(program)));
    // What it may ask for, it asks on the terminal: standard input may be what is to be sent.
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| wrong(format!("it cannot be run: {error}")))?;
    let mut complaint = Vec::new();
    let ended = tokio::time::timeout(patience, watch(child, &mut complaint)).await;
    let ended = match ended {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(wrong(format!("it cannot be read: {error}"))),
        Err(_) => {
            return Err(wrong(format!("it is not done after {} seconds{}", patience.as_secs(), last(&complaint))));
        }
    };
    match ended {
        Ended::TooMuch => Err(wrong(format!("it says more than {} KiB", MAX_BYTES >> 10))),
        Ended::With(status, _) if !status.success() => {
            Err(wrong(format!("it ended with {status}{}", last(&complaint))))
        }
        Ended::With(_, said) => first_line(&said).map_err(|why| wrong(format!("{why} (of what it says)"))),
    }
}

enum Ended {
    With(ExitStatus, Vec<u8>),
    TooMuch,
}

/// Reads what it says until it has ended. What it has said by then is in the pipes; something that it has left running may
/// hold them open for ever.
async fn watch(mut child: Child, complaint: &mut Vec<u8>) -> io::Result<Ended> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (mut said, mut status, mut over) = (Vec::new(), None::<ExitStatus>, Instant::now());
    loop {
        if said.len() as u64 > MAX_BYTES {
            return Ok(Ended::TooMuch);
        }
        if let Some(status) = status {
            let enough = match status.success() {
                true => said.contains(&b'\n') || stdout.is_none(),
                false => stderr.is_none(),
            };
            if enough || Instant::now() >= over {
                return Ok(Ended::With(status, said));
            }
        }
        tokio::select! {
            more = read(&mut stdout, &mut said), if stdout.is_some() => more?,
            more = read(&mut stderr, complaint), if stderr.is_some() => {
                more?;
                let old = complaint.len().saturating_sub(MAX_COMPLAINT);
                complaint.drain(..old);
            }
            ended = child.wait(), if status.is_none() => (status, over) = (Some(ended?), Instant::now() + REST),
            () = tokio::time::sleep_until(over), if status.is_some() => {}
        }
    }
}

/// Reads what there is; at the end the pipe is put away.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<()> {
    if let Some(open) = pipe
        && open.read_buf(into).await? == 0
    {
        *pipe = None;
    }
    Ok(())
}

/// The last line of what it complains of, made harmless.
fn last(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.map(|line| format!(": {}", plain(line))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(line: &str) -> Result<String, String> {
        let shell = PasswordCommand::Shell(line.to_owned());
        run_within(&shell, Duration::from_secs(20)).await.map_err(|failure| failure.message().to_owned())
    }

    #[tokio::test]
    async fn the_password_is_the_first_line_of_what_the_command_says() {
        assert_eq!(said("echo secret; echo more").await.as_deref(), Ok("secret"));
        assert_eq!(said("printf secret").await.as_deref(), Ok("secret"));
        let words = ["printf", "%s|", "a b", "$HOME"].map(str::to_owned).to_vec();
        assert_eq!(run(&PasswordCommand::Words(words)).await.ok().as_deref(), Some("a b|$HOME|"));
        // Nothing that it could read is taken away from anybody else.
        assert_eq!(said("cat; echo secret").await.as_deref(), Ok("secret"));
        // What it leaves running is not waited for.
        let began = Instant::now();
        assert_eq!(said("sleep 30 & echo secret").await.as_deref(), Ok("secret"));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_of_with_its_last_words() {
        let cases = [
            (
                "echo one >&2; printf 'two\\033[2J\\n\\n' >&2; echo secret; exit 3",
                "(sh): it ended with exit status: 3: two\u{241b}[2J",
            ),
            ("kill -9 $$", "(sh): it ended with signal: 9 (SIGKILL)"),
            ("head -c 100000 /dev/zero", "(sh): it says more than 64 KiB"),
            ("true", "(sh): its first line is empty (of what it says)"),
        ];
        for (line, expected) in cases {
            assert_eq!(said(line).await, Err(format!("password_command {expected}")), "{line}");
        }
        let nowhere = run(&PasswordCommand::Words(vec!["/no/such\nprogram".to_owned()])).await.unwrap_err();
        assert!(nowhere.message().starts_with("password_command (/no/such\u{240a}program): it cannot be run: "));
        assert_eq!(nowhere.code(), Failure::CONFIGURATION);
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended() {
        let slow = PasswordCommand::Shell("echo wait >&2; exec sleep 600".to_owned());
        let failure = run_within(&slow, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(failure.message(), "password_command (sh): it is not done after 1 seconds: wait");
    }
}
