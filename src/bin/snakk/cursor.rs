//! A place in a room that outlives the program: a file that holds the room, its epoch and the number of the entry that was
//! printed last, as one JSON object.
//!
//! Entries come one after the other, and `kill -9` may come between any two of them. So the file is brought up to date
//! behind each entry, which must cost next to nothing: it is replaced as a whole only where the room or its epoch becomes
//! another one, and otherwise the number in it, which has as many places as it can ever need, is written over in place.
//! Twenty bytes within a block are written or not, whatever happens to the program. Between the printing and that one
//! write there is no time to speak of, but some: whoever is ended just there prints an entry twice, and never loses one.
//! The disk is not waited for: after a power cut the file may say what it said a few seconds before.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use snakk::model::Seq;

use crate::failure::Failure;
use crate::private;
use crate::show::plain;

/// A longer file is something else.
const MAX_BYTES: u64 = 4096;

/// How many places a number has.
const WIDTH: usize = 20;

/// The file, which nobody else uses meanwhile.
pub(crate) struct Cursor {
    path: PathBuf,
    file: File,
    room: String,
    place: Option<(Seq, String)>,
    /// Where the number stands in the file.
    number_at: u64,
}

/// What is in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    room: String,
    epoch: String,
    seq: u64,
}

impl Cursor {
    /// Opens the file, or makes it. What it remembers has to be of that room.
    pub(crate) fn open(path: &Path, room: &str) -> Result<Cursor, Failure> {
        let wrong = |why: String| Failure::new(Failure::CONFIGURATION, format!("cursor {}: {why}", path.display()));
        let file = match locked(path) {
            Ok(Some(file)) => file,
            Ok(None) => return Err(wrong("another program uses it at this moment".to_owned())),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mut text = String::new();
        (&file).take(MAX_BYTES).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
        let place = match text.trim() {
            "" => None,
            text => {
                let read: Result<Written, _> = serde_json::from_str(text);
                let written = read.map_err(|_| wrong("this is no cursor of snakk tail".to_owned()))?;
                if written.room.to_lowercase() != room.to_lowercase() {
                    let what = format!(
                        "cursor {}: it is one of the room {}, not of {}",
                        path.display(),
                        plain(&written.room),
                        plain(room)
                    );
                    return Err(Failure::new(Failure::USAGE, what));
                }
                Some((Seq(written.seq), written.epoch))
            }
        };
        Ok(Cursor { path: path.to_owned(), file, room: room.to_owned(), place, number_at: 0 })
    }

    /// The entry that was printed last, and the epoch of the room at that time; none where nothing is remembered yet.
    pub(crate) fn place(&self) -> Option<(Seq, &str)> {
        self.place.as_ref().map(|(seq, epoch)| (*seq, epoch.as_str()))
    }

    /// The room.
    pub(crate) fn room(&self) -> &str {
        &self.room
    }

    /// From here on it goes on behind that entry.
    pub(crate) fn begin(&mut self, room: &str, epoch: &str, seq: Seq) -> Result<(), Failure> {
        self.room = room.to_owned();
        self.place = Some((seq, epoch.to_owned()));
        let text = written(room, epoch, seq);
        // Behind the number stand a brace and the end of the line.
        self.number_at = (text.len() - WIDTH - 2) as u64;
        // The old file is let go of, and with it its lock, when the new one is locked.
        self.file = private::replace(&self.path, text.as_bytes()).map_err(|error| self.failed(&error))?;
        Ok(())
    }

    /// That entry was printed. The room may have got another name.
    pub(crate) fn printed(&mut self, room: &str, seq: Seq) -> Result<(), Failure> {
        if room != self.room {
            let epoch = self.place.take().map(|(_, epoch)| epoch).unwrap_or_default();
            return self.begin(room, &epoch, seq);
        }
        let number = format!("{seq:>WIDTH$}", seq = seq.0);
        self.file.write_all_at(number.as_bytes(), self.number_at).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::new(Failure::CONFIGURATION, format!("cursor {}: it cannot be written: {error}", self.path.display()))
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // Said aloud: a process that another thread is just starting has a copy of the file until it runs, and with the
        // copy the lock. Where it fails, closing the file does the same a moment later.
        let _ = self.file.unlock();
    }
}

/// The text of the file.
fn written(room: &str, epoch: &str, seq: Seq) -> String {
    let string = |text: &str| serde_json::Value::from(text).to_string();
    format!("{{\"room\":{},\"epoch\":{},\"seq\":{:>WIDTH$}}}\n", string(room), string(epoch), seq.0)
}

/// Opens the file for nobody else, or makes it; `None` where somebody has it.
fn locked(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let opened = file.metadata()?;
        if !opened.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // It may have been replaced before it was locked.
        let there = fs::metadata(path)?;
        if (there.dev(), there.ino()) == (opened.dev(), opened.ino()) {
            return Ok(Some(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_place_is_remembered_as_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        let mut cursor = Cursor::open(&path, "Lobby").unwrap();
        assert_eq!(cursor.place(), None);
        cursor.begin("lobby", "k3\"v9", Seq(7)).unwrap();
        for seq in [8, 9, 10, 1_000_000, u64::MAX] {
            cursor.printed("lobby", Seq(seq)).unwrap();
            let there: Written = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            assert_eq!((there.room.as_str(), there.epoch.as_str(), there.seq), ("lobby", "k3\"v9", seq));
        }
        // It is used by one at a time, also after it was replaced, and is nobody else's business.
        assert_eq!(Cursor::open(&path, "lobby").err().map(|failure| failure.code()), Some(Failure::CONFIGURATION));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(cursor);
        let mut cursor = Cursor::open(&path, "LOBBY").unwrap();
        assert_eq!(cursor.place(), Some((Seq(u64::MAX), "k3\"v9")));
        // A room goes on under its new name.
        cursor.begin("lobby", "e", Seq(1)).unwrap();
        cursor.printed("hall", Seq(2)).unwrap();
        cursor.printed("hall", Seq(3)).unwrap();
        drop(cursor);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"room\":\"hall\",\"epoch\":\"e\",\"seq\":                   3}\n"
        );
        assert_eq!(Cursor::open(&path, "lobby").err().map(|failure| failure.code()), Some(Failure::USAGE));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_cursor_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        for text in [
            "precious",
            "{}",
            "[1]",
            r#"{"room":"r","epoch":"e","seq":-1}"#,
            r#"{"room":"r","epoch":"e","seq":1,"x":1}"#,
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(
                Cursor::open(&path, "r").err().map(|failure| failure.code()),
                Some(Failure::CONFIGURATION),
                "{text}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(Cursor::open(folder.path(), "r").is_err());
        assert!(Cursor::open(&folder.path().join("no/such/folder"), "r").is_err());
    }
}
