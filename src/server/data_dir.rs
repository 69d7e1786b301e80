//! The data directory: where it is if nobody says, and how it is made.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Where the data is if neither the program nor the configuration says: where systemd says (`$STATE_DIRECTORY`), else
/// where the XDG Base Directory Specification says (`$XDG_STATE_HOME/snakk`, `~/.local/state/snakk`).
pub fn default_data_dir() -> Option<PathBuf> {
    find(|name| env::var_os(name))
}

/// Relative paths are ignored, as that specification demands; so is what is empty.
fn find(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // A list, where a unit has been given several folders; the first is the one that the shipped unit names.
    let by_systemd = variable("STATE_DIRECTORY").and_then(|list| env::split_paths(&list).next());
    by_systemd
        .filter(|path| path.is_absolute())
        .or_else(|| absolute("XDG_STATE_HOME").map(|home| home.join("snakk")))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/snakk")))
}

/// Makes it for its owner alone, unless it is there.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_where_programs_keep_such_things() {
        let cases = [
            (&[("STATE_DIRECTORY", "/s:/t"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")][..], Some("/s")),
            (&[("STATE_DIRECTORY", "s"), ("XDG_STATE_HOME", "/x")], Some("/x/snakk")),
            (&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")], Some("/x/snakk")),
            (&[("XDG_STATE_HOME", "x"), ("HOME", "/h")], Some("/h/.local/state/snakk")),
            (&[("STATE_DIRECTORY", ""), ("XDG_STATE_HOME", ""), ("HOME", "/h")], Some("/h/.local/state/snakk")),
            (&[("HOME", "h")], None),
            (&[], None),
        ];
        for (variables, expected) in cases {
            let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| v.into());
            assert_eq!(find(variable), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
