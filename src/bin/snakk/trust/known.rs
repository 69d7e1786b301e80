//! The servers that were trusted when they were first seen: a file with a line for each, `HOST:PORT FINGERPRINT`. It is
//! read and written by people, too, so blank lines and lines that begin with `#` stay what they are.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use snakk::client::Fingerprint;

use crate::failure::Failure;
use crate::{folders, private};

/// The file.
pub(super) struct KnownServers {
    file: PathBuf,
}

impl KnownServers {
    /// Where it always is, if any folder is known.
    pub(super) fn usual() -> Option<KnownServers> {
        Some(KnownServers { file: folders::state()?.join("known_servers") })
    }

    /// The file itself.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The fingerprint of the certificate by which the server there is known.
    pub(super) fn find(&self, place: &str) -> Result<Option<Fingerprint>, Failure> {
        let text = self.text().map_err(|error| self.failed("read", &error))?;
        let Some((line, words)) = find(&text, place) else { return Ok(None) };
        words.parse().map(Some).map_err(|_| {
            let what = format!("{}:{line}: there is no fingerprint behind {place}", self.file.display());
            Failure::new(Failure::CONFIGURATION, what)
        })
    }

    /// Remembers it. Several programs may do that at the same time.
    pub(super) fn remember(&self, place: &str, fingerprint: Fingerprint) -> Result<(), Failure> {
        self.add(place, fingerprint).map_err(|error| self.failed("write", &error))
    }

    fn add(&self, place: &str, fingerprint: Fingerprint) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            private::make_folder(folder)?;
        }
        // The file itself is replaced, so what is locked is another one. It is unlocked when it is closed.
        let lock = self.file.with_extension("lock");
        let lock: File = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock)?;
        lock.lock()?;
        let text = self.text()?;
        match find(&text, place) {
            Some((_, words)) if words.parse().is_ok_and(|known: Fingerprint| known == fingerprint) => Ok(()),
            Some(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a line for this server by now")),
            None => private::replace(&self.file, with(&text, place, fingerprint).as_bytes()).map(drop),
        }
    }

    fn text(&self) -> io::Result<String> {
        match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        }
    }

    fn failed(&self, verb: &str, error: &io::Error) -> Failure {
        Failure::new(Failure::CONFIGURATION, format!("cannot {verb} {}: {error}", self.file.display()))
    }
}

/// The line of a server: its number, and what stands behind the name.
fn find<'t>(text: &'t str, place: &str) -> Option<(usize, &'t str)> {
    let mut lines = text.lines().zip(1..);
    lines.find_map(|(line, number)| {
        let (name, words) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        (name.eq_ignore_ascii_case(place)).then_some((number, words))
    })
}

/// The text with a line more.
fn with(text: &str, place: &str, fingerprint: Fingerprint) -> String {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{end}{place} {fingerprint}\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;

    fn print(byte: u8) -> Fingerprint {
        Fingerprint::from_bytes([byte; 32])
    }

    #[test]
    fn a_line_is_found_by_its_server_whatever_else_there_is() {
        let text = format!("# mine\n\nother:1 {}\nA.example:9998\t sha256={}  \nbad:1\n", print(1), "ab".repeat(32));
        assert_eq!(
            find(&text, "a.example:9998").map(|(line, words)| (line, words.parse())),
            Some((4, Ok(print(0xab))))
        );
        assert_eq!(find(&text, "bad:1"), Some((5, "")));
        assert_eq!(find(&text, "# mine"), None);
        assert_eq!(find(&text, "a.example"), None);
        assert_eq!(with("x", "y:1", print(0)), format!("x\ny:1 {}\n", print(0)));
    }

    #[test]
    fn many_at_once_lose_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/snakk/known_servers");
        let all: Vec<_> = (0..16)
            .map(|n| {
                let known = KnownServers { file: file.clone() };
                thread::spawn(move || known.remember(&format!("host{n}:1"), print(n)))
            })
            .collect();
        assert!(all.into_iter().all(|one| one.join().unwrap().is_ok()));
        let known = KnownServers { file: file.clone() };
        for n in 0..16 {
            assert_eq!(known.find(&format!("host{n}:1")).unwrap(), Some(print(n)));
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        // The same once more is nothing new, and another one is no business of a program.
        assert!(known.remember("host3:1", print(3)).is_ok());
        assert!(known.remember("host3:1", print(4)).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 16);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownServers { file: folder.path().join("known_servers") };
        fs::write(known.file(), "a:1 nonsense\n").unwrap();
        assert_eq!(known.find("a:1").unwrap_err().code(), Failure::CONFIGURATION);
        assert_eq!(known.find("b:1").unwrap(), None);
    }
}
