//! Files that are nobody else's business.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::show::note;

/// That a file can be read by its group, or by all others.
const OTHERS_READ: u32 = 0o044;

/// Makes a folder for its owner alone, unless it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file for its owner alone, which must not be there yet: whole, or not at all.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| {
        // Half a file would be in the way of the next attempt.
        let _ = fs::remove_file(path);
    })?;
    Ok(file)
}

/// Replaces a file: whoever reads it sees all of the old one or all of the new one. The new one is locked from the start,
/// until what this returns is dropped. Only one at a time may replace it, which is the business of another lock.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    // Where it is a link, what it leads to is meant.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = path.clone().into_os_string();
    beside.push(".new");
    // Somebody may have been killed in the middle of it.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = create(Path::new(&beside), bytes)?;
    file.lock()?;
    fs::rename(&beside, path)?;
    Ok(file)
}

/// Says what others may do with a file and should not: read it where it holds a secret, write it where it says what is run.
pub(crate) fn warn_of_others(path: &Path, metadata: &Metadata, secret: bool, runs: bool) {
    // A pipe has no rights to speak of.
    if !metadata.is_file() {
        return;
    }
    let (mode, shown) = (metadata.permissions().mode(), path.display());
    if secret && mode & OTHERS_READ != 0 {
        note(&format!("warning: others can read {shown}, which holds a password; chmod 600 helps"));
    }
    if runs && mode & 0o022 != 0 {
        note(&format!("warning: others can change {shown}, which says what is run; chmod 600 helps"));
    }
}

/// Says so where others can read a file that holds the key of a certificate. What else may be wrong with it is said where it
/// is used.
pub(crate) fn warn_of_key(path: &Path) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & OTHERS_READ != 0) {
        let shown = path.display();
        note(&format!("warning: others can read {shown}, which holds the key of your certificate; chmod 600 helps"));
    }
}
