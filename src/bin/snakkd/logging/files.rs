//! Log files, in a folder that only we can read: `snakkd.2026-01-31.log`, `snakkd.2026-01-31-05.log`, or `snakkd.log`. A new
//! one is begun when its time has come, when somebody asks for it, and when the old one is not there any more; so whoever
//! renames or deletes a file needs to tell nobody. The old ones are counted by their names.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use snakk::config::Rotation;
use snakk::model::{Clock, Time};

use super::queue::Sink;

/// How often it is looked whether the file is still there, in milliseconds.
const LOOK_EVERY_MS: u64 = 1000;

/// The files of a folder, of which one is open.
pub(super) struct Files {
    directory: PathBuf,
    rotation: Rotation,
    /// How many there may be; 0 is any number.
    keep: usize,
    clock: Box<dyn Clock>,
    open: Option<Open>,
    /// When it was looked last whether the file is there.
    looked: Time,
}

/// The file that lines go to.
struct Open {
    file: File,
    name: String,
    /// A part of a line is at its end, which could not be taken back.
    torn: bool,
}

impl Files {
    /// Makes the folder, and the file that lines go to now; and deletes what is too much.
    pub(super) fn open(directory: &Path, rotation: Rotation, keep: usize, clock: Box<dyn Clock>) -> io::Result<Files> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| named(directory, &error))?;
        let mut files =
            Files { directory: directory.to_owned(), rotation, keep, clock, open: None, looked: Time::default() };
        files.ready()?;
        Ok(files)
    }

    /// The file that lines go to now.
    fn ready(&mut self) -> io::Result<&mut Open> {
        let now = self.clock.now();
        let name = name(self.rotation, now);
        if now.0.abs_diff(self.looked.0) >= LOOK_EVERY_MS {
            self.looked = now;
            if self.open.as_ref().is_some_and(|open| !open.is_in(&self.directory)) {
                self.open = None;
            }
        }
        if self.open.as_ref().is_none_or(|open| open.name != name) {
            match self.begin(&name) {
                Ok(file) => self.open = Some(Open { file, name, torn: false }),
                // The old one is better than none.
                Err(_) if self.open.is_some() => {}
                Err(error) => return Err(error),
            }
            self.delete_old();
        }
        self.open.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Opens the file of this name at its end, or makes it.
    fn begin(&self, name: &str) -> io::Result<File> {
        match DirBuilder::new().mode(0o700).create(&self.directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(named(&self.directory, &error)),
            _ => {}
        }
        let path = self.directory.join(name);
        let made = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = match made {
            // Whatever the umask is, we can read it the next time.
            Ok(file) => file.set_permissions(Permissions::from_mode(0o600)).map(|()| file),
            // It keeps the mode that somebody gave it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => OpenOptions::new().append(true).open(&path),
            Err(error) => Err(error),
        };
        file.map_err(|error| named(&path, &error))
    }

    /// Deletes the oldest files, by their names, until there are as few as there may be. What cannot be deleted stays.
    fn delete_old(&self) {
        let Some(open) = self.open.as_ref().filter(|_| self.keep > 0 && self.rotation != Rotation::Never) else {
            return;
        };
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        // The open one stays, even if the clock was set back and it is the oldest.
        let mut old: Vec<String> = names.filter(|name| is_ours(name) && *name != open.name).collect();
        old.sort_unstable();
        for name in old.iter().rev().skip(self.keep - 1) {
            let _ = fs::remove_file(self.directory.join(name));
        }
    }
}

impl Sink for Files {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let directory = self.directory.clone();
        let open = self.ready()?;
        open.write(line).map_err(|error| named(&directory.join(&open.name), &error))
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open = None;
        self.ready().map(drop)
    }
}

impl Open {
    /// Whether it is still the file of its name.
    fn is_in(&self, directory: &Path) -> bool {
        let there = fs::metadata(directory.join(&self.name)).map(|file| (file.dev(), file.ino()));
        let open = self.file.metadata().map(|file| (file.dev(), file.ino()));
        there.is_ok_and(|there| open.is_ok_and(|open| open == there))
    }

    /// Writes a line, whole or not at all.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.torn = false;
        }
        let mut done = 0;
        while done < line.len() {
            match self.file.write(&line[done..]) {
                Ok(count @ 1..) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                failed => {
                    // A part would stand in front of the next line.
                    self.torn = done > 0 && self.take_back(done as u64).is_err();
                    return failed.and(Err(ErrorKind::WriteZero.into()));
                }
            }
        }
        Ok(())
    }

    fn take_back(&self, bytes: u64) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.file.set_len(length.saturating_sub(bytes))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What the file is called that lines go to then.
fn name(rotation: Rotation, time: Time) -> String {
    let time = time.to_string();
    match rotation {
        Rotation::Daily => format!("snakkd.{}.log", &time[..10]),
        Rotation::Hourly => format!("snakkd.{}-{}.log", &time[..10], &time[11..13]),
        Rotation::Never => "snakkd.log".to_owned(),
    }
}

/// Whether a file is called like one of a day or an hour.
fn is_ours(name: &str) -> bool {
    let Some(time) = name.strip_prefix("snakkd.").and_then(|name| name.strip_suffix(".log")) else { return false };
    let alike = |form: &str| {
        form.len() == time.len()
            && form.bytes().zip(time.bytes()).all(|(form, byte)| match form {
                b'0' => byte.is_ascii_digit(),
                _ => byte == form,
            })
    };
    alike("0000-00-00") || alike("0000-00-00-00")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use tempfile::TempDir;

    use super::*;

    /// A clock that stands where it was put.
    #[derive(Clone, Default)]
    struct Hands(Arc<AtomicI64>);

    impl Clock for Hands {
        fn now(&self) -> Time {
            Time(self.0.load(Ordering::Relaxed))
        }
    }

    impl Hands {
        fn put(&self, time: &str) {
            self.0.store(Time::parse(time).unwrap().0, Ordering::Relaxed);
        }
    }

    struct Place {
        folder: TempDir,
        hands: Hands,
    }

    fn place() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap(), hands: Hands::default() };
        place.hands.put("2026-01-31T12:00:00Z");
        place
    }

    impl Place {
        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join("log").join(name)
        }

        fn files(&self, rotation: Rotation, keep: usize) -> Files {
            Files::open(&self.path(""), rotation, keep, Box::new(self.hands.clone())).unwrap()
        }

        fn names(&self) -> Vec<String> {
            let names = fs::read_dir(self.path("")).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.path(name)).unwrap()
        }
    }

    #[test]
    fn a_new_file_is_begun_when_its_time_has_come_and_so_many_are_kept() {
        let place = place();
        let mut files = place.files(Rotation::Daily, 2);
        files.write(b"one\n").unwrap();
        place.hands.put("2026-01-31T23:59:59.999Z");
        files.write(b"two\n").unwrap();
        place.hands.put("2026-02-01T00:00:00Z");
        files.write(b"three\n").unwrap();
        assert_eq!(place.read("snakkd.2026-01-31.log"), "one\ntwo\n");
        place.hands.put("2026-02-03T00:00:00Z");
        files.write(b"four\n").unwrap();
        assert_eq!(place.names(), ["snakkd.2026-02-01.log", "snakkd.2026-02-03.log"]);
        // A clock that is set back deletes nothing that is new.
        place.hands.put("2026-01-01T00:00:00Z");
        files.write(b"five\n").unwrap();
        assert_eq!(place.names(), ["snakkd.2026-01-01.log", "snakkd.2026-02-03.log"]);
        assert_eq!(place.read("snakkd.2026-01-01.log"), "five\n");
    }

    #[test]
    fn only_what_is_ours_is_deleted_and_a_start_goes_on_in_the_file_that_is_there() {
        let place = place();
        fs::create_dir(place.path("")).unwrap();
        let others = ["notes.log", "snakkd.2025-01-01.log.gz", "snakkd.2025-01-xx.log", "snakkd.log"];
        let ours = ["snakkd.2026-01-29.log", "snakkd.2026-01-30-23.log", "snakkd.2026-01-31-11.log"];
        for name in others.iter().chain(&ours) {
            fs::write(place.path(name), "old\n").unwrap();
        }
        fs::write(place.path("snakkd.2026-01-31-12.log"), "old\n").unwrap();
        place.files(Rotation::Hourly, 2).write(b"new\n").unwrap();
        let mut expected: Vec<&str> = others.to_vec();
        expected.extend(["snakkd.2026-01-31-11.log", "snakkd.2026-01-31-12.log"]);
        expected.sort_unstable();
        assert_eq!(place.names(), expected);
        assert_eq!(place.read("snakkd.2026-01-31-12.log"), "old\nnew\n");
        // Neither do all, nor one file for ever.
        for (rotation, keep) in [(Rotation::Hourly, 0), (Rotation::Never, 1)] {
            place.files(rotation, keep).write(b"new\n").unwrap();
            assert_eq!(place.names(), expected);
        }
        assert_eq!(place.read("snakkd.log"), "old\nnew\n");
    }

    #[test]
    fn a_file_that_was_renamed_or_deleted_is_made_anew_on_request_or_after_a_second() {
        let place = place();
        let mut files = place.files(Rotation::Never, 14);
        files.write(b"one\n").unwrap();
        fs::rename(place.path("snakkd.log"), place.path("old")).unwrap();
        files.write(b"two\n").unwrap();
        files.reopen().unwrap();
        assert_eq!(place.read("snakkd.log"), "", "it is there at once");
        files.write(b"three\n").unwrap();
        assert_eq!((place.read("old").as_str(), place.read("snakkd.log").as_str()), ("one\ntwo\n", "three\n"));
        fs::remove_file(place.path("snakkd.log")).unwrap();
        place.hands.put("2026-01-31T12:00:01Z");
        files.write(b"four\n").unwrap();
        assert_eq!(place.read("snakkd.log"), "four\n");
        // The whole folder is no other matter.
        fs::remove_dir_all(place.path("")).unwrap();
        place.hands.put("2026-01-31T12:00:02Z");
        files.write(b"five\n").unwrap();
        assert_eq!(place.read("snakkd.log"), "five\n");
    }

    #[test]
    fn what_cannot_be_written_is_an_error_until_it_can() {
        let place = place();
        let mut files = place.files(Rotation::Never, 14);
        fs::remove_dir_all(place.path("")).unwrap();
        fs::write(place.folder.path().join("log"), "in the way").unwrap();
        place.hands.put("2026-01-31T12:00:01Z");
        for _ in 0..2 {
            let error = files.write(b"lost\n").unwrap_err().to_string();
            assert!(error.starts_with(place.path("snakkd.log").to_str().unwrap()), "{error}");
        }
        fs::remove_file(place.folder.path().join("log")).unwrap();
        files.write(b"there\n").unwrap();
        assert_eq!(place.read("snakkd.log"), "there\n");
    }

    #[test]
    fn a_new_file_that_cannot_be_made_leaves_the_old_one_in_use() {
        let place = place();
        let mut files = place.files(Rotation::Daily, 14);
        fs::create_dir(place.path("snakkd.2026-02-01.log")).unwrap();
        place.hands.put("2026-02-01T00:00:00Z");
        files.write(b"late\n").unwrap();
        assert_eq!(place.read("snakkd.2026-01-31.log"), "late\n");
        fs::remove_dir(place.path("snakkd.2026-02-01.log")).unwrap();
        files.write(b"new\n").unwrap();
        assert_eq!(place.read("snakkd.2026-02-01.log"), "new\n");
    }

    #[test]
    fn files_are_ours_alone() {
        let place = place();
        place.files(Rotation::Daily, 14);
        let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("snakkd.2026-01-31.log")), (0o700, 0o600));
    }
}
