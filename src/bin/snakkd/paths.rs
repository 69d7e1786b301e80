//! Which files: the order in which the configuration and the data directory are looked for. This reads the environment,
//! so it is the program's business and not the library's.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use snakk::Config;

use crate::args::Args;
use crate::exit::{self, Failure};

/// Where a configuration is looked for when nobody names one.
const USUAL_PLACES: [&str; 2] = ["snakk.toml", "/etc/snakk/snakk.toml"];

/// The configuration, and the file that it came from.
pub(crate) struct Found {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
}

/// Reads the configuration: the file, with the variables over it.
pub(crate) fn load(args: &Args) -> Result<Found, Failure> {
    let named = args.config.clone().or_else(|| variable("SNAKK_CONFIG").map(PathBuf::from));
    // One that is named has to be there. Of the others a missing one is no news, but one that is there and cannot be
    // read is: it must not be passed over in silence.
    let there = |place: &Path| !matches!(place.metadata(), Err(error) if is_missing(&error));
    let file = named.or_else(|| USUAL_PLACES.into_iter().map(PathBuf::from).find(|place| there(place)));
    let config = Config::load(file.as_deref(), env::vars_os())?;
    Ok(Found { config, file })
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The data directory: the argument, the key, or what the environment says.
pub(crate) fn data_dir(args: &Args, config: &Config) -> Result<PathBuf, Failure> {
    let named = args.data_dir.clone().or_else(|| config.server.data_dir.clone());
    let found = named.or_else(|| usual_data_dir(variable)).ok_or_else(|| {
        let why = "there is no place for the data: none of $STATE_DIRECTORY, $XDG_STATE_HOME and $HOME names a folder; \
                   use --data-dir, or set server.data_dir";
        Failure::new(exit::CONFIG, why)
    })?;
    // The current folder may be gone, and then only absolute paths are any use.
    std::path::absolute(&found)
        .map_err(|error| Failure::new(exit::CANNOT_CREATE, format!("cannot use the data directory {found:?}: {error}")))
}

/// Where programs keep such things: told by systemd, or by the XDG base directory specification, which says that
/// relative paths are to be ignored.
fn usual_data_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let by_systemd = variable("STATE_DIRECTORY").and_then(|list| {
        // Several, where a unit has been given several; the first is the one that the shipped unit names.
        env::split_paths(&list).next().filter(|path| path.is_absolute())
    });
    by_systemd
        .or_else(|| absolute("XDG_STATE_HOME").map(|home| home.join("snakk")))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/snakk")))
}

/// A variable that is set, to something.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_where_programs_keep_such_things() {
        let cases = [
            (&[("STATE_DIRECTORY", "/s:/t"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")][..], Some("/s")),
            (&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")], Some("/x/snakk")),
            (&[("XDG_STATE_HOME", "x"), ("HOME", "/h")], Some("/h/.local/state/snakk")),
            (&[("HOME", "h")], None),
            (&[], None),
        ];
        for (variables, expected) in cases {
            let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| v.into());
            assert_eq!(usual_data_dir(variable), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
