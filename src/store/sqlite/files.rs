//! The files of a database, and how a new one gets its name: whole, on the disk, and never in the place of another.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::sqlite::lock::FileId;

/// What SQLite puts beside a database: the log, its index, and the journal of a transaction that is under way.
pub(super) const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How the folder ends in which a file is made that is to get its name when it is whole.
const PART: &str = ".snakk-part";

/// The name of a file beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the name of a file last.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Whether there is a file of that name, and something in it.
pub(super) fn has_bytes(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// Removes a file, unless there is none.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes a database and what SQLite has put beside it.
pub(super) fn remove_database(path: &Path) -> io::Result<()> {
    remove(path)?;
    SIDES.iter().try_for_each(|side| remove(&beside(path, side)))
}

/// A new file that nobody but us can read.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// A file in the making: in a folder of its own beside its place, which nobody else can look into, and which goes with
/// this. Where the process dies the folder stays, and goes when the next file is made beside it.
#[derive(Debug)]
pub(super) struct Part {
    target: PathBuf,
    folder: PathBuf,
    /// The file itself, from the beginning on.
    pub(super) file: PathBuf,
    /// Held for as long as this lives. It is not on the file itself, for not everywhere are the locks of SQLite another
    /// matter.
    lock: File,
}

impl Part {
    /// Begins a file that is to be called `target`.
    pub(super) fn begin(target: &Path) -> io::Result<Part> {
        clean(folder(target));
        if target.file_name().is_none() {
            return Err(io::Error::other("it names no file"));
        }
        for _ in 0..10 {
            let mut random = [0; 4];
            getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
            let inside = folder(target).join(format!(".{:08x}{PART}", u32::from_be_bytes(random)));
            match DirBuilder::new().mode(0o700).create(&inside) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            // Somebody who cleans up may take it for what was left behind, until it is locked.
            let lock = match create(&inside.join("lock")) {
                // Where there are no locks, nobody cleans up either.
                Ok(lock) if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) => lock,
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let _ = fs::remove_dir(&inside);
                    return Err(error);
                }
                _ => continue,
            };
            let part = Part { target: target.to_owned(), file: inside.join("database"), folder: inside, lock };
            create(&part.file)?;
            return Ok(part);
        }
        Err(io::Error::other("no name is free for it"))
    }

    /// Brings the file to the disk and gives it its name. [`ErrorKind::AlreadyExists`] where there is a file of that name,
    /// which stays.
    pub(super) fn finish(self) -> io::Result<()> {
        let target = self.target.clone();
        self.finish_as(&target)
    }

    /// The same with another name in the same folder.
    pub(super) fn finish_as(self, target: &Path) -> io::Result<()> {
        File::open(&self.file)?.sync_all()?;
        give_name(&self.file, target)?;
        sync_folder(target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What cannot be removed now is removed the next time.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = self.lock.unlock();
    }
}

/// Gives a file another name, unless there is a file of that name. The first name may be gone afterwards, or not.
pub(super) fn give_name(file: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(file, name) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Not every file system can give a file two names. On those it may happen that two who choose the same name at the
        // same moment do not notice.
        Err(_) if fs::symlink_metadata(name).is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(file, name),
    }
}

/// Gives a file to whom its folder belongs, if root has made it: who owns the folder is to open it.
pub(super) fn adopt(file: &File, path: &Path) -> io::Result<()> {
    let owner = fs::metadata(folder(path))?;
    if file.metadata()?.uid() == 0 && owner.uid() != 0 {
        std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Whether two names are those of one file.
pub(super) fn are_one(a: &Path, b: &Path) -> bool {
    FileId::at(a).is_ok_and(|a| FileId::at(b).is_ok_and(|b| a == b))
}

/// Removes what dead processes have left in a folder of files that were in the making.
fn clean(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !is_part(&entry.file_name()) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let part = entry.path();
        match File::open(part.join("lock")) {
            Ok(lock) if lock.try_lock().is_ok() => {
                tracing::info!(path = %part.display(), "removing what a backup that was cut short has left behind");
                let _ = fs::remove_dir_all(&part);
            }
            // Its owner is alive.
            Ok(_) => {}
            // It goes only if it is empty.
            Err(_) => _ = fs::remove_dir(&part),
        }
    }
}

fn is_part(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(PART))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;

    use super::{Part, clean};

    fn names(folder: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_its_name_when_it_is_whole_and_takes_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let part = Part::begin(&target).unwrap();
        fs::write(&part.file, "whole").unwrap();
        assert_eq!(fs::metadata(&part.file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&part.folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!target.exists());
        let other = Part::begin(&target).unwrap();
        assert_eq!(names(folder.path()).len(), 2, "who is alive is left alone");
        part.finish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "whole");
        assert_eq!(other.finish().unwrap_err().kind(), ErrorKind::AlreadyExists);
        drop(Part::begin(&folder.path().join("given-up")).unwrap());
        assert_eq!((names(folder.path()), fs::read_to_string(&target).unwrap()), (vec!["a".into()], "whole".into()));
    }

    #[test]
    fn what_the_dead_have_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for dead in [".0123abcd.snakk-part", ".empty.snakk-part"] {
            fs::create_dir(at(dead)).unwrap();
        }
        for file in ["lock", "database", "database-journal"] {
            fs::write(at(".0123abcd.snakk-part").join(file), "half").unwrap();
        }
        for other in [".full.snakk-part", "visible.snakk-part", "folder"] {
            fs::create_dir(at(other)).unwrap();
            fs::write(at(other).join("file"), "").unwrap();
        }
        fs::write(at(".file.snakk-part"), "").unwrap();
        std::os::unix::fs::symlink(at("folder"), at(".link.snakk-part")).unwrap();
        let alive = Part::begin(&at("alive")).unwrap();
        clean(folder.path());
        let left = names(folder.path());
        assert_eq!(left.len(), 6, "{left:?}");
        assert!(alive.file.exists() && at("folder/file").exists() && at(".full.snakk-part/file").exists());
        assert!(!at(".0123abcd.snakk-part").exists() && !at(".empty.snakk-part").exists());
    }
}
