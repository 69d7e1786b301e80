//! The password: the places it comes from, in their order. It is never an argument, which everybody could see.

mod command;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::private;
use crate::settings::PasswordCommand;

/// More than any password has.
const MAX_BYTES: u64 = 64 << 10;

/// Where a password may come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The file that the command line or the environment names.
    pub(crate) named: Option<PathBuf>,
    /// The command of the profile.
    pub(crate) command: Option<PasswordCommand>,
    /// The file of the profile.
    pub(crate) file: Option<PathBuf>,
}

impl Sources {
    /// The password that was set up, if any.
    pub(crate) async fn password(&self) -> Result<Option<String>, Failure> {
        if let Some(path) = &self.named {
            return of_file(path).map(Some);
        }
        match std::env::var("SNAKK_PASSWORD") {
            Ok(password) if !password.is_empty() => return Ok(Some(password)),
            Ok(_) | Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => return Err(bad("$SNAKK_PASSWORD is not UTF-8")),
        }
        if let Some(command) = &self.command {
            return command::run(command).await.map(Some);
        }
        self.file.as_deref().map(of_file).transpose()
    }
}

fn of_file(path: &Path) -> Result<String, Failure> {
    let wrong = |why: String| bad(format!("password file {}: {why}", path.display()));
    let unreadable = |error: io::Error| wrong(error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    private::warn_of_others(path, &file.metadata().map_err(unreadable)?, true, false);
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    first_line(&bytes).map_err(|why| wrong(why.to_owned()))
}

/// The first line, which is all that counts.
fn first_line(bytes: &[u8]) -> Result<String, &'static str> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| "its first line is not UTF-8")?;
    match line.strip_suffix('\r').unwrap_or(line) {
        "" => Err("its first line is empty"),
        line => Ok(line.to_owned()),
    }
}

/// Whether somebody sits there who can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a password, which is not shown.
pub(crate) fn ask(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt).map_err(|error| bad(format!("cannot read a password: {error}")))
}

fn bad(why: impl Into<String>) -> Failure {
    Failure::new(Failure::CONFIGURATION, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts() {
        for (bytes, expected) in [
            (&b"secret\nmore\n"[..], Ok("secret")),
            (b"secret\r\n", Ok("secret")),
            (b" with blanks ", Ok(" with blanks ")),
            (b"secret\n\xff", Ok("secret")),
            (b"", Err("its first line is empty")),
            (b"\nsecret", Err("its first line is empty")),
            (b"\r\nsecret", Err("its first line is empty")),
            (b"\xff\n", Err("its first line is not UTF-8")),
        ] {
            assert_eq!(first_line(bytes), expected.map(str::to_owned));
        }
    }
}
