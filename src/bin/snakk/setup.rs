//! What counts in the end: the command line before the environment, that before the profile, that before the defaults.

use std::time::Duration;

use snakk::client::CertificateFiles;

use crate::args::{self, Command};
use crate::failure::Failure;
use crate::password::Sources;
use crate::private;
use crate::settings::{Profile, Screen, Settings};
use crate::trust::Trusted;

/// The server, where nobody names one; and where one listens that is hosted.
pub(crate) const DEFAULT_SERVER: &str = "127.0.0.1:9998";

/// Everything that is known before there is a connection.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Where to go, and as whom.
    pub(crate) connection: Connection,
    /// The room to talk in.
    pub(crate) room: String,
    /// How the full screen looks and behaves.
    pub(crate) screen: Screen,
    /// What it begins with.
    pub(crate) greeting: Vec<String>,
}

/// Where to go, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The server's address.
    pub(crate) server: String,
    /// The name to log in under, where one was chosen.
    pub(crate) username: Option<String>,
    /// Where the password comes from.
    pub(crate) password: Sources,
    /// The certificate that is shown.
    pub(crate) certificate: Option<CertificateFiles>,
    /// Which server is trusted.
    pub(crate) trusted: Trusted,
    /// How long to wait for the connection, and for each answer.
    pub(crate) timeout: Duration,
    /// Whether what the server sends is printed as it is.
    pub(crate) json: bool,
}

impl Setup {
    /// Puts together what was said and what was set. (clap has laid the command line over the environment.)
    pub(crate) fn of(args: &args::Args) -> Result<Setup, Failure> {
        let given = &args.connection;
        let settings = Settings::load(given.config.as_deref().filter(|path| !path.as_os_str().is_empty()))?;
        let mut profile = settings.profile(given.profile.as_deref())?;
        let (mut server, mut room) = (given.server.clone().filter(|server| !server.is_empty()), args.room.clone());
        if let Some(Command::Host(host)) = &args.command {
            // It is the server. A password that stands with no server is meant for the one that is usually there.
            server = Some(host.listen.first().map_or(DEFAULT_SERVER, String::as_str).to_owned());
            room = host.room.clone().or(room);
            if profile.server.is_none() {
                (profile.password_command, profile.password_file, profile.certificate) = (None, None, None);
            }
        }
        let (username, certificate) = (given.username.clone(), given.certificate.clone());
        let said =
            Profile { server, username, room, certificate, certificate_key: given.key.clone(), ..Profile::default() };
        let profile = said.over(&profile);
        let pinned =
            given.tls_fingerprint.or_else(|| profile.tls_fingerprint.as_deref().and_then(|it| it.parse().ok()));
        if given.key.is_some() && profile.certificate.is_none() {
            return Err(Failure::new(Failure::USAGE, "--key is the key of a certificate: --certificate FILE"));
        }
        let certificate = profile.certificate.map(|certificate| {
            let key = profile.certificate_key.unwrap_or_else(|| certificate.clone());
            private::warn_of_key(&key);
            CertificateFiles { certificate, key }
        });
        let connection = Connection {
            certificate,
            server: profile.server.unwrap_or_else(|| DEFAULT_SERVER.to_owned()),
            username: profile.username,
            password: Sources {
                named: given.password_file.clone().filter(|path| !path.as_os_str().is_empty()),
                command: profile.password_command,
                file: profile.password_file,
            },
            trusted: match (given.insecure, pinned) {
                (true, _) => Trusted::Anything,
                (false, Some(fingerprint)) => Trusted::Pinned(fingerprint),
                (false, None) => Trusted::Known,
            },
            timeout: given.timeout,
            json: given.json,
        };
        let room = profile.room.unwrap_or_else(|| "lobby".to_owned());
        Ok(Setup { connection, room, screen: settings.screen, greeting: Vec::new() })
    }
}
