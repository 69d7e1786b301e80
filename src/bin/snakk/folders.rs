//! Where this program's files are: the folders of the XDG Base Directory Specification.

use std::path::PathBuf;

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;

/// The file of settings, if any folder is known.
pub(crate) fn settings() -> Option<PathBuf> {
    Some(Xdg::new().ok()?.config_dir().join("snakk/config.toml"))
}

/// The folder for what is to be remembered, if any is known.
pub(crate) fn state() -> Option<PathBuf> {
    Some(Xdg::new().ok()?.state_dir()?.join("snakk"))
}

/// The user's own folder.
pub(crate) fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()
}
