//! The TOML file and the environment, made into one [`Config`] in which nothing is left open.
//!
//! It happens in two steps: as written (`file.rs`, `env.rs`: values with the place where they stand; what is common to
//! all such files is in `settings`), then as meant (the sections in here). One table, `keys.rs`, names every key with its field and what it may be; reading the file, the
//! overrides, the nearest key in a message and the test of `config.example.toml` all follow from it. Nothing here reads
//! the process's environment or looks for files by itself: that is the program's business. What the options *do* is the
//! business of the layers that obey them.

mod choices;
mod dangers;
mod env;
mod explain;
mod file;
mod keys;
mod manual;
mod sections;
#[cfg(test)]
mod tests;
mod text;

use std::ffi::OsString;
use std::path::Path;

pub use crate::settings::{ConfigErrors, Place, Problem, parse_duration as duration};
pub use choices::{CourseHistory, Creation, Durability, ListenerDialect, LogFormat, Registration, Rotation};
pub use explain::Explained;
pub use manual::{Manual, ManualEntry, ManualKey, ManualSection};
pub use sections::{
    AccountsSection, CourseOverrides, CourseSection, LimitsSection, ListenerSection, LogSection, MetricsSection,
    RoomsSection, ServerSection, StorageSection, TlsSection,
};
pub use text::{check_address, check_log_level};

use crate::settings::{self, Places};

/// Everything that can be set, resolved: each key has its value, written or default.
///
/// # Example
/// ```
/// let text = "[limits]\nmessages_per_second = 20\n";
/// let config = snakk::Config::from_toml(text, "snakk.toml".as_ref())?;
/// assert_eq!(config.limits.messages_per_second, 20);
/// assert_eq!(config.listeners[0].address, "127.0.0.1:9998");
/// # Ok::<(), snakk::config::ConfigErrors>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// `[server]`: what the server is called and where its data is.
    pub server: ServerSection,
    /// `[[listener]]`: where it accepts connections.
    pub listeners: Vec<ListenerSection>,
    /// `[storage]`: the database.
    pub storage: StorageSection,
    /// `[accounts]`: who may come in.
    pub accounts: AccountsSection,
    /// `[rooms]`: which rooms there are, and for how long what was said is kept.
    pub rooms: RoomsSection,
    /// `[limits]`: how much of everything.
    pub limits: LimitsSection,
    /// `[course]`: the knobs of the course dialects.
    pub course: CourseSection,
    /// `[log]`: what is logged, and where.
    pub log: LogSection,
    /// `[metrics]`: figures for a monitoring system.
    pub metrics: MetricsSection,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            server: ServerSection::default(),
            listeners: vec![ListenerSection::default()],
            storage: StorageSection::default(),
            accounts: AccountsSection::default(),
            rooms: RoomsSection::default(),
            limits: LimitsSection::default(),
            course: CourseSection::default(),
            log: LogSection::default(),
            metrics: MetricsSection::default(),
        }
    }
}

impl Config {
    /// Reads a configuration from the text of a file. `file` is named in what is wrong with it, and what is relative to
    /// the file is relative to its folder.
    ///
    /// # Errors
    /// Everything that is wrong, with places, not only the first.
    pub fn from_toml(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
        let (mut config, mut problems, mut places) = (Config::default(), Vec::new(), Places::default());
        file::read(text, file, &mut config, &mut places, &mut problems);
        config.find_contradictions(&places, &mut problems);
        ConfigErrors::unless_empty(problems).map(|()| config)
    }

    /// Reads the file (or takes the defaults, where there is none) and lays the variables over it; see
    /// [`Config::apply_env`] for which ones count.
    ///
    /// # Errors
    /// Everything that is wrong in both. A file that is no regular file, is larger than 1 MiB or is not UTF-8 is refused
    /// without being waited for.
    pub fn load<N, V>(file: Option<&Path>, variables: impl IntoIterator<Item = (N, V)>) -> Result<Config, ConfigErrors>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        Config::load_explained(file, variables).map(|(config, _)| config)
    }

    /// The same, with all settings in force and where each comes from.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_explained<N, V>(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(Config, Vec<Explained>), ConfigErrors>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let (mut config, mut problems, mut places) = (Config::default(), Vec::new(), Places::default());
        if let Some(file) = file {
            match settings::text_of(file) {
                Ok(text) => file::read(&text, file, &mut config, &mut places, &mut problems),
                Err(problem) => problems.push(problem),
            }
        }
        env::apply(variables, &mut config, &mut places, &mut problems);
        config.find_contradictions(&places, &mut problems);
        ConfigErrors::unless_empty(problems)?;
        let explained = explain::explain(&config, &places);
        Ok((config, explained))
    }

    /// Overrides keys by variables called `SNAKK_SECTION__KEY`. `SNAKK_CONFIG` and `SNAKK_SERVER` mean something else and
    /// are left alone, and so is whatever has no double underscore (Kubernetes gives each container such variables for a
    /// service called `snakk`).
    ///
    /// # Errors
    /// Values that may not be, keys that do not exist, and tables in lists, which no variable can reach. What was good is
    /// taken over nevertheless.
    pub fn apply_env<N, V>(&mut self, variables: impl IntoIterator<Item = (N, V)>) -> Result<(), ConfigErrors>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut problems = Vec::new();
        env::apply(variables, self, &mut Places::default(), &mut problems);
        ConfigErrors::unless_empty(problems)
    }

    /// Checks everything: what each key may be, contradictions between keys, and what this version cannot do. Reading a
    /// file does this too; it is for configurations that a program has put together. What may not stand in a file may not
    /// stand in a program either.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        let mut problems = Vec::new();
        keys::check(self, &mut problems);
        self.find_contradictions(&Places::default(), &mut problems);
        ConfigErrors::unless_empty(problems)
    }

    /// What is allowed, but dangerous, or may not be what its writer wants. One sentence each.
    pub fn remarks(&self) -> Vec<String> {
        dangers::find(self)
    }

    /// The keys (`section.key`; `listener` for all that is in the list) whose values differ, in the order of the example
    /// file: what a reload changes, or would.
    pub fn differences(&self, other: &Config) -> Vec<String> {
        let (mut left, mut right) = (self.clone(), other.clone());
        let mut names = Vec::new();
        for section in keys::SECTIONS {
            for key in section.keys {
                if (key.field)(&mut left).written() != (key.field)(&mut right).written() {
                    names.push(format!("{}.{}", section.name, key.name));
                }
            }
            if section.name == "server" && self.listeners != other.listeners {
                names.push(keys::LISTENER.to_owned());
            }
        }
        names
    }

    /// `config.example.toml`: every key with its default and a comment. Reading it gives [`Config::default`].
    pub fn example() -> &'static str {
        include_str!("../../config.example.toml")
    }

    /// What the example says, key by key.
    pub fn manual() -> Manual {
        Manual::of(Config::example())
    }

    fn find_contradictions(&self, places: &Places, problems: &mut Vec<Problem>) {
        // A default stands in for a value that is wrong, and nobody has written that.
        let is_written = |index: usize| {
            let place = places.given(&format!("listener.{index}.address"));
            place.is_none_or(|place| problems.iter().all(|problem| *problem.place() != place))
        };
        let addresses: Vec<Option<&str>> =
            self.listeners.iter().enumerate().map(|(index, one)| is_written(index).then_some(&*one.address)).collect();
        let mut wrong = |key: &str, what: &str| problems.push(Problem::new(places.of(key), what.to_owned()));
        for (index, listener) in self.listeners.iter().enumerate() {
            if listener.tls.is_some()
                && let Some(why) = no_tls(&listener.address)
            {
                let key = format!("listener.{index}.tls");
                wrong(&key, &format!("listener.tls is given, but {why}; it must be left out"));
            }
            let twin = addresses[index].is_some() && addresses[..index].contains(&addresses[index]);
            if twin && !listener.address.ends_with(":0") {
                let what = format!("listener.address {:?} is there twice, it must be another one", listener.address);
                wrong(&format!("listener.{index}.address"), &what);
            }
        }
        if self.log.format == LogFormat::Journald && !self.log.directory.as_os_str().is_empty() {
            let what = format!(
                "log.directory is {:?}, but log.format is \"journald\", which needs no files; it must be \"\"",
                self.log.directory.display().to_string()
            );
            wrong("log.directory", &what);
        }
        let metrics = &self.metrics.address;
        let twin = addresses.contains(&Some(&**metrics));
        if twin && !metrics.is_empty() && !metrics.ends_with(":0") {
            let what = format!("metrics.address {metrics:?} is that of a listener too, it must be another one");
            wrong("metrics.address", &what);
        }
    }
}

/// Why there can be no TLS at an address.
fn no_tls(address: &str) -> Option<&'static str> {
    if !cfg!(feature = "tls") {
        Some("this program was built without TLS")
    } else if address.starts_with("unix:") {
        Some("nobody can listen in on a Unix socket")
    } else {
        None
    }
}
