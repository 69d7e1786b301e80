//! What counts in the end: the command line before the environment, that before the profile, that before the defaults.

use std::path::PathBuf;
use std::time::Duration;

use snakk::client::{Address, CertificateFiles};

use crate::args::{self, Command};
use crate::failure::Failure;
use crate::password::Sources;
use crate::private;
use crate::settings::{Profile, Screen, Settings};
use crate::show::plain;
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
            if given.certificate.is_some() || given.key.is_some() {
                return Err(Failure::new(
                    Failure::USAGE,
                    "who hosts is the server: there is nobody to show a certificate to",
                ));
            }
            // It is the server. A password that stands with no server is meant for the one that is usually there.
            server = Some(host.listen.first().map_or(DEFAULT_SERVER, String::as_str).to_owned());
            room = host.room.clone().or(room);
            if profile.server.is_none() {
                (profile.password_command, profile.password_file) = (None, None);
            }
            (profile.certificate, profile.certificate_key) = (None, None);
        }
        let named = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let (certificate, certificate_key) = (named(&given.certificate), named(&given.key));
        let said_on_the_line = certificate.is_some() || certificate_key.is_some();
        let username = given.username.clone();
        let said = Profile { server, username, room, certificate, certificate_key, ..Profile::default() };
        let profile = said.over(&profile);
        let pinned =
            given.tls_fingerprint.or_else(|| profile.tls_fingerprint.as_deref().and_then(|it| it.parse().ok()));
        let server = profile.server.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let certificate = shown(&server, profile.certificate, profile.certificate_key, said_on_the_line)?;
        let connection = Connection {
            certificate,
            server,
            username: profile.username,
            password: Sources {
                named: named(&given.password_file),
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

/// The certificate that is shown there, and its key. Wrong is what was said: on the command line, or else in the settings.
fn shown(
    server: &str,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    said_on_the_line: bool,
) -> Result<Option<CertificateFiles>, Failure> {
    let wrong = |what: String| {
        let code = if said_on_the_line { Failure::USAGE } else { Failure::CONFIGURATION };
        Err(Failure::new(code, what))
    };
    let Some(certificate) = certificate else {
        return match key {
            Some(_) => wrong(
                "there is a key, and no certificate: --certificate FILE, or certificate in the settings".to_owned(),
            ),
            None => Ok(None),
        };
    };
    if !matches!(Address::parse_server(server), Ok(Address::Tls(..)) | Err(_)) {
        let server = plain(server);
        return wrong(format!("a certificate can be shown only to a server at tls://HOST:PORT, and {server} is none"));
    }
    let key = key.unwrap_or_else(|| certificate.clone());
    private::warn_of_key(&key);
    Ok(Some(CertificateFiles { certificate, key }))
}
