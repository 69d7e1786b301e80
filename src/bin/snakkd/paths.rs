//! Which files: the order in which the configuration is looked for, which is the program's business and not the
//! library's, and the data directory.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use snakk::config::Explained;
use snakk::server::default_data_dir;
use snakk::{Config, StartError};

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
    load_explained(args).map(|(found, _)| found)
}

/// The same, with where each setting comes from.
pub(crate) fn load_explained(args: &Args) -> Result<(Found, Vec<Explained>), Failure> {
    let variable = || env::var_os("SNAKK_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
    let named = args.config.clone().or_else(variable);
    // One that is named has to be there. Of the others a missing one is no news, but one that is there and cannot be
    // read is: it must not be passed over in silence.
    let there = |place: &Path| !matches!(place.metadata(), Err(error) if is_missing(&error));
    let file = named.or_else(|| USUAL_PLACES.into_iter().map(PathBuf::from).find(|place| there(place)));
    let (config, explained) = Config::load_explained(file.as_deref(), env::vars_os())?;
    Ok((Found { config, file }, explained))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The data directory: the argument, the key, or where the library would put it. Always absolute.
pub(crate) fn data_dir(args: &Args, config: &Config) -> Result<PathBuf, Failure> {
    let named = args.data_dir.clone().or_else(|| config.server.data_dir.clone());
    let found = named.or_else(default_data_dir).ok_or(StartError::NoDataDir)?;
    // The current folder may be gone, and then only absolute paths are any use.
    std::path::absolute(&found)
        .map_err(|error| Failure::new(exit::CANNOT_CREATE, format!("cannot use the data directory {found:?}: {error}")))
}
