//! The systemd journal, by its native protocol: a datagram for each line
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>). A line is far shorter than what a datagram may hold, so the other way,
//! by a file that is passed along, is not needed.

use std::env;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::queue::Sink;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// The variable that names another socket, such as that of a journal namespace.
const VARIABLE: &str = "SNAKK_JOURNAL_SOCKET";

/// Where this process is to find the journal.
pub(super) fn socket() -> PathBuf {
    env::var_os(VARIABLE).filter(|path| !path.is_empty()).map_or_else(|| SOCKET.into(), PathBuf::from)
}

/// A journal that was there when it was opened.
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// Looks whether there is a journal.
    pub(super) fn open(path: &Path) -> io::Result<Journal> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        // By a connection of its own, for that one would not outlive a journal that starts anew.
        UnixDatagram::unbound().and_then(|socket| socket.connect(path)).map_err(named)?;
        Ok(Journal { socket: UnixDatagram::unbound().map_err(named)?, path: path.to_owned() })
    }
}

impl Sink for Journal {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.socket.send_to(line, &self.path).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_line_is_a_datagram_and_a_journal_that_comes_back_gets_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let refused = Journal::open(&path).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.starts_with(path.to_str().unwrap()), "{refused:?}");
        let old = UnixDatagram::bind(&path).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        let mut datagram = [0; 1000];
        for line in ["MESSAGE=one\n", "MESSAGE=two\n"] {
            journal.write(line.as_bytes()).unwrap();
            let length = old.recv(&mut datagram).unwrap();
            assert_eq!(&datagram[..length], line.as_bytes());
        }
        drop(old);
        journal.write(b"MESSAGE=nobody\n").unwrap_err();
        fs::remove_file(&path).unwrap();
        let new = UnixDatagram::bind(&path).unwrap();
        journal.write(b"MESSAGE=three\n").unwrap();
        let length = new.recv(&mut datagram).unwrap();
        assert_eq!(&datagram[..length], b"MESSAGE=three\n");
    }
}
