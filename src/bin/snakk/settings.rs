//! The settings: what stands in the user's TOML file, key by key. What of it counts is decided in `setup.rs`.

mod screen;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use snakk::client::{Address, Fingerprint};
use snakk::model::Line;
use snakk::settings::{ConfigErrors, Given, Key, PATH, Places, Reader, Rule, Setting, Wrong, given, nearest, text_of};
use toml::de::{DeTable, DeValue};

use crate::failure::Failure;
use crate::login::system_name;
use crate::setup::DEFAULT_SERVER;
use crate::{folders, private};

pub(crate) use screen::{Emoji, Notify, Rtl, Screen, Theme};

/// The example that `snakk init` writes: every key, with its default where it has one, and a comment.
pub(crate) const EXAMPLE: &str = include_str!("config.example.toml");

const PROFILE: &str = "profile";
const SCREEN: &str = "screen";

/// Everything that the file says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// The keys at its top: the profile that counts where none is named.
    pub(crate) base: Profile,
    /// The other profiles.
    pub(crate) profiles: BTreeMap<String, Profile>,
    /// How the full screen looks and behaves.
    pub(crate) screen: Screen,
}

/// Where to go, and as whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Profile {
    pub(crate) server: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) room: Option<String>,
    pub(crate) password_command: Option<PasswordCommand>,
    pub(crate) password_file: Option<PathBuf>,
    /// The certificate that is shown, and its key; without one it stands in the same file.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) certificate_key: Option<PathBuf>,
    /// A fingerprint, as it was written; the rule of its key says that it is one.
    pub(crate) tls_fingerprint: Option<String>,
}

/// A command whose output begins with the password.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PasswordCommand {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

impl Default for PasswordCommand {
    fn default() -> PasswordCommand {
        PasswordCommand::Words(Vec::new())
    }
}

impl Setting for PasswordCommand {
    fn set(&mut self, given: &Given<'_>, _: Rule) -> Result<(), Wrong> {
        *self = match given {
            Given::Text(line) => PasswordCommand::Shell((*line).to_owned()),
            Given::List(_) => {
                let mut words = Vec::new();
                words.set(given, Rule::Free)?;
                PasswordCommand::Words(words)
            }
            _ => return Err(Wrong::default()),
        };
        if self.fits(Rule::Free) { Ok(()) } else { Err(Wrong::default()) }
    }

    fn allowed(&self, _: Rule) -> String {
        "a list of strings (a program and its arguments), or a string for the shell".to_owned()
    }

    fn fits(&self, _: Rule) -> bool {
        match self {
            PasswordCommand::Shell(line) => !line.trim().is_empty() && !line.contains('\0'),
            PasswordCommand::Words(words) => {
                words.first().is_some_and(|program| !program.is_empty())
                    && !words.iter().any(|word| word.contains('\0'))
            }
        }
    }

    fn written(&self) -> String {
        match self {
            PasswordCommand::Shell(line) => line.written(),
            PasswordCommand::Words(words) => words.written(),
        }
    }
}

const NAME: Rule =
    Rule::Text { allowed: "a name", holds: |text| !text.is_empty() && text.len() <= 256 && Line::parse(text).is_ok() };

const SERVER: Rule = Rule::Text {
    allowed: "\"HOST\", \"HOST:PORT\", \"tls://HOST:PORT\" or \"unix:PATH\"",
    holds: |text| Address::parse_server(text).is_ok(),
};

const FINGERPRINT: Rule = Rule::Text {
    allowed: "a SHA-256 fingerprint of 32 bytes such as \"SHA256:AB:CD:..\"",
    holds: |text| text.parse::<Fingerprint>().is_ok(),
};

/// The keys of a profile.
const KEYS: &[Key<Profile>] = &[
    Key { name: "server", rule: SERVER, field: |profile| &mut profile.server },
    Key { name: "username", rule: NAME, field: |profile| &mut profile.username },
    Key { name: "room", rule: NAME, field: |profile| &mut profile.room },
    Key { name: "password_command", rule: Rule::Free, field: |profile| &mut profile.password_command },
    Key { name: "password_file", rule: PATH, field: |profile| &mut profile.password_file },
    Key { name: "certificate", rule: PATH, field: |profile| &mut profile.certificate },
    Key { name: "certificate_key", rule: PATH, field: |profile| &mut profile.certificate_key },
    Key { name: "tls_fingerprint", rule: FINGERPRINT, field: |profile| &mut profile.tls_fingerprint },
];

impl Settings {
    /// Reads the file that is named, or else the one in the usual place, which need not be there.
    pub(crate) fn load(named: Option<&Path>) -> Result<Settings, Failure> {
        let usual = || folders::settings().filter(|file| !matches!(file.metadata(), Err(error) if is_missing(&error)));
        let Some(file) = named.map(Path::to_owned).or_else(usual) else { return Ok(Settings::default()) };
        let wrong = |errors: ConfigErrors| Failure::new(Failure::CONFIGURATION, errors.to_string());
        let text = match text_of(&file) {
            Ok(text) => text,
            Err(problem) => return Err(Failure::new(Failure::CONFIGURATION, problem.to_string())),
        };
        let settings = Settings::parse(&text, &file);
        if let Ok(metadata) = fs::metadata(&file) {
            let runs = settings.as_ref().is_ok_and(Settings::runs_something);
            // A password is refused there, but it stands there all the same.
            let is_password =
                |errors: &ConfigErrors| errors.problems().iter().any(|it| it.what().starts_with(NO_PASSWORD));
            let secret = settings.as_ref().is_err_and(is_password);
            private::warn_of_others(&file, &metadata, secret, runs);
        }
        settings.map_err(wrong)
    }

    /// Reads the text of a file; what is relative in it is relative to the file's folder.
    fn parse(text: &str, file: &Path) -> Result<Settings, ConfigErrors> {
        let (mut settings, mut problems) = (Settings::default(), Vec::new());
        snakk::settings::read(text, file, &mut Places::default(), &mut problems, unknown, |reader, document| {
            settings.walk(reader, document);
        });
        ConfigErrors::unless_empty(problems).map(|()| settings)
    }

    fn walk(&mut self, reader: &mut Reader<'_>, document: &DeTable<'_>) {
        self.base = profile(reader, "", document, &[PROFILE, SCREEN]);
        if let Some(value) = document.get(SCREEN) {
            match value.get_ref() {
                DeValue::Table(table) => reader.table(SCREEN, SCREEN, screen::KEYS, &mut self.screen, table, &[]),
                _ => reader.wrong(value.span(), format!("screen is {}, it must be a table", given(value).shown())),
            }
        }
        let Some(value) = document.get(PROFILE) else { return };
        let DeValue::Table(profiles) = value.get_ref() else {
            let what = format!("profile is {}, it must be tables: [profile.NAME]", given(value).shown());
            reader.wrong(value.span(), what);
            return;
        };
        for (name, value) in profiles {
            if reader.is_full() {
                break;
            }
            let shown = format!("{PROFILE}.{}", snakk::settings::plain(name.get_ref()));
            match value.get_ref() {
                DeValue::Table(table) => {
                    let profile = profile(reader, &shown, table, &[]);
                    self.profiles.insert(name.get_ref().to_string(), profile);
                }
                _ => {
                    let what = format!("{shown} is {}, it must be a table: [{shown}]", given(value).shown());
                    reader.wrong(value.span(), what);
                }
            }
        }
    }

    /// The profile of that name, or the keys at the top of the file; what it leaves out is taken from them.
    pub(crate) fn profile(&self, name: Option<&str>) -> Result<Profile, Failure> {
        let Some(name) = name else { return Ok(self.base.clone()) };
        if let Some(profile) = self.profiles.get(name) {
            return Ok(profile.clone().over(&self.base));
        }
        let there: Vec<String> = self.profiles.keys().map(|name| snakk::settings::plain(name)).collect();
        let there = match there.is_empty() {
            true => "the settings have none".to_owned(),
            false => format!("there are {}", there.join(", ")),
        };
        let near = nearest(name, self.profiles.keys().map(String::as_str));
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        let what = format!("unknown profile {}, {there}{near}", snakk::settings::plain(name));
        Err(Failure::new(Failure::CONFIGURATION, what))
    }

    /// Whether something in here is run.
    fn runs_something(&self) -> bool {
        let mut profiles = self.profiles.values().chain([&self.base]);
        !self.screen.notify_command.is_empty() || profiles.any(|profile| profile.password_command.is_some())
    }
}

/// Reads the keys of a profile.
fn profile(reader: &mut Reader<'_>, name: &str, table: &DeTable<'_>, tables: &[&'static str]) -> Profile {
    let mut profile = Profile::default();
    reader.table(name, name, KEYS, &mut profile, table, tables);
    for path in [&mut profile.password_file, &mut profile.certificate, &mut profile.certificate_key] {
        *path = path.take().map(|path| match path.strip_prefix("~") {
            Ok(below) => folders::home().unwrap_or_default().join(below),
            Err(_) => reader.beside(&path),
        });
    }
    profile
}

impl Profile {
    /// This profile, with what it leaves out taken from another one. A password, a certificate and a fingerprint are taken
    /// only for the server and the name that they belong to: where another one is named, they are nobody's business there.
    /// Where they stand with none, they belong to the ones that count then.
    pub(crate) fn over(self, below: &Profile) -> Profile {
        let server = self.server.or_else(|| below.server.clone());
        let username = self.username.or_else(|| below.username.clone());
        let of = |server: &Option<String>| canonical(server.as_deref().unwrap_or(DEFAULT_SERVER));
        let named = |username: &Option<String>| username.clone().unwrap_or_else(system_name);
        let there = of(&below.server) == of(&server);
        let same = there && named(&below.username) == named(&username);
        let taken = same && self.password_command.is_none() && self.password_file.is_none();
        // A key is that of its certificate.
        let shows = match self.certificate {
            None if same => (below.certificate.clone(), self.certificate_key.or_else(|| below.certificate_key.clone())),
            own => (own, self.certificate_key),
        };
        Profile {
            server,
            username,
            room: self.room.or_else(|| below.room.clone()),
            password_command: self.password_command.or_else(|| below.password_command.clone().filter(|_| taken)),
            password_file: self.password_file.or_else(|| below.password_file.clone().filter(|_| taken)),
            certificate: shows.0,
            certificate_key: shows.1,
            tls_fingerprint: self.tls_fingerprint.or_else(|| below.tls_fingerprint.clone().filter(|_| there)),
        }
    }
}

/// An address as it is always written, so that two can be compared.
pub(crate) fn canonical(server: &str) -> String {
    match Address::parse_server(server) {
        Ok(address @ Address::Unix(_)) => address.to_string(),
        Ok(address) => address.to_string().to_lowercase(),
        Err(_) => server.to_owned(),
    }
}

/// Why there is no key for a password.
const NO_PASSWORD: &str = "password may not stand in the settings, which are copied and shown around";

/// What is wrong with a key that does not exist.
fn unknown(table: &str, name: &str, known: &[&str]) -> String {
    if name == "password" {
        return format!(
            "{NO_PASSWORD}; give password_command or password_file instead (or --password-file, $SNAKK_PASSWORD_FILE, \
             $SNAKK_PASSWORD)"
        );
    }
    snakk::settings::unknown_key(table, name, known, || match table {
        SCREEN => KEYS.iter().find(|key| key.name == name).map(|_| format!("{name}, above [screen]")),
        _ => screen::KEYS.iter().find(|key| key.name == name).map(|_| format!("{SCREEN}.{name}")),
    })
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
