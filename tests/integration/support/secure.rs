//! Certificates of a test's own, connections that are encrypted, and somebody in the middle of them.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use snakk::client::Fingerprint;
use snakk::config::{Config, TlsSection};
use snakk::server::check_certificates;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};
use tokio_util::sync::CancellationToken;

use super::daemon::{Daemon, daemon};
use super::person::{Ended, ended};
use super::server::{TestServer, guest, hello, server};
use super::wire::Wire;
use super::within;

/// Both versions that there should be.
pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

/// An encrypted connection.
pub(crate) type Secure = Wire<TlsStream<TcpStream>>;

/// An authority that signs certificates, and a folder in which it leaves them.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

/// What a certificate is to be, where nothing else is said: for this machine, and for some centuries.
pub(crate) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("good names")
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let (mut params, key) = (params(&[]), KeyPair::generate().expect("a key"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::write(folder.path().join("authority.crt"), certificate.pem()).expect("a file");
        Authority { folder, issuer: Issuer::new(params, key), certificate }
    }

    /// Where it leaves its own certificate (`authority.crt`) and all others.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `snakk.crt` and `snakk.key` for this machine; others, if they are there already.
    pub(crate) fn issue(&self) -> TlsSection {
        self.issue_as(&params(&["localhost", "127.0.0.1"]))
    }

    /// The same, as it is said.
    pub(crate) fn issue_as(&self, params: &CertificateParams) -> TlsSection {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.write(&certificate.pem(), &key.serialize_pem())
    }

    /// Puts these into `snakk.crt` and `snakk.key`.
    pub(crate) fn write(&self, certificate: &str, key: &str) -> TlsSection {
        let tls = TlsSection::new(self.path("snakk.crt"), self.path("snakk.key"));
        fs::write(&tls.certificate, certificate).expect("a file");
        fs::write(&tls.key, key).expect("a file");
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o600)).expect("a file of ours");
        tls
    }

    /// The fingerprint of the certificate that is there.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut config = Config::default();
        config.listeners[0].tls = Some(TlsSection::new(self.path("snakk.crt"), self.path("snakk.key")));
        check_certificates(&config).expect("a good certificate")[0].fingerprint
    }

    fn config(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        shown: Option<&CertifiedKey>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(versions).expect("versions").with_root_certificates(roots);
        Arc::new(match shown {
            Some(shown) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown.clone()))),
            None => config.with_no_client_auth(),
        })
    }

    /// Connects to a server whose certificate it has signed. With an IP address there is no SNI.
    pub(crate) async fn connect_as(
        &self,
        name: &str,
        stream: TcpStream,
        host: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<Secure> {
        self.connect_by(self.config(versions, None), name, stream, host).await
    }

    async fn connect_by(
        &self,
        config: Arc<ClientConfig>,
        name: &str,
        stream: TcpStream,
        host: &str,
    ) -> std::io::Result<Secure> {
        let host = ServerName::try_from(host.to_owned()).expect("a host");
        stream.set_nodelay(true)?;
        let stream = within("a handshake", TlsConnector::from(config).connect(host, stream)).await?;
        Ok(Wire::on(name, stream))
    }

    /// Connects, and shows a certificate.
    pub(crate) async fn connect_showing(
        &self,
        shown: &CertifiedKey,
        name: &str,
        address: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<Secure> {
        let stream = within("a connection", TcpStream::connect(address)).await?;
        self.connect_by(self.config(versions, Some(shown)), name, stream, "localhost").await
    }

    /// The message with which a good client begins.
    pub(crate) fn first_message(&self) -> Vec<u8> {
        let host = ServerName::try_from("localhost").expect("a host");
        let mut client = ClientConnection::new(self.config(BOTH, None), host).expect("a client");
        let mut message = Vec::new();
        client.write_tls(&mut message).expect("a vector takes everything");
        message
    }

    /// An encrypted connection that has said nothing yet.
    pub(crate) async fn connect(&self, name: &str, address: SocketAddr) -> Secure {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("a connection");
        let wire = self.connect_as(name, stream, "127.0.0.1", BOTH).await;
        wire.unwrap_or_else(|error| panic!("{name} cannot shake hands: {error}"))
    }

    /// A native guest over an encrypted connection.
    pub(crate) async fn native(&self, name: &str, address: SocketAddr) -> Secure {
        guest(hello(self.connect(name, address).await).await).await
    }
}

/// Somebody in the middle, who hears all, changes nothing, and may cut what goes through.
pub(crate) struct Middle {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    cut: Arc<Mutex<CancellationToken>>,
}

impl Middle {
    /// Between those who connect to it and a server.
    pub(crate) async fn before(server: SocketAddr) -> Middle {
        Middle::slow(server, Duration::ZERO).await
    }

    /// The same, but the first answer on each connection takes its time.
    pub(crate) async fn slow(server: SocketAddr, delay: Duration) -> Middle {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heard, cut) = (Arc::<Mutex<Vec<Vec<u8>>>>::default(), Arc::<Mutex<CancellationToken>>::default());
        let (all, token) = (Arc::clone(&heard), Arc::clone(&cut));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (all, token) = (Arc::clone(&all), lock(&token).clone());
                let number = {
                    let mut all = lock(&all);
                    all.push(Vec::new());
                    all.len() - 1
                };
                tokio::spawn(token.run_until_cancelled_owned(async move {
                    let Ok(far) = TcpStream::connect(server).await else { return };
                    let ((mut from, mut back), (mut answers, mut to)) = (near.into_split(), far.into_split());
                    let there = async {
                        let mut bytes = [0; 4096];
                        while let Ok(count @ 1..) = from.read(&mut bytes).await {
                            lock(&all)[number].extend_from_slice(&bytes[..count]);
                            if to.write_all(&bytes[..count]).await.is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown().await;
                    };
                    let here = async {
                        tokio::time::sleep(delay).await;
                        let _ = tokio::io::copy(&mut answers, &mut back).await;
                        let _ = back.shutdown().await;
                    };
                    tokio::join!(there, here);
                }));
            }
        });
        Middle { address, heard, cut }
    }

    /// Cuts everything that goes through now. What comes later goes through again.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *lock(&self.cut)).cancel();
    }

    /// What clients have sent until now, for each connection.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        lock(&self.heard).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines of a configuration file for a listener at a free port with this certificate.
pub(crate) fn listener(certificate: &Path, key: &Path) -> String {
    let tls = format!("{{ certificate = {certificate:?}, key = {key:?} }}");
    format!("[[listener]]\naddress = \"127.0.0.1:0\"\ntls = {tls}\n")
}

/// A server that speaks plain text at its first port and TLS at its second one, and who has signed its certificate.
pub(crate) async fn secured(change: impl FnOnce(&mut Config)) -> (TestServer, Authority) {
    let authority = Authority::new();
    let tls = authority.issue();
    let server = server().listening(|section| section.tls = Some(tls)).with(change).await;
    (server, authority)
}

/// A folder with a configuration and a certificate.
pub(crate) struct Place {
    pub(crate) authority: Authority,
    pub(crate) folder: TempDir,
}

impl Place {
    /// With a good certificate.
    pub(crate) fn new() -> Place {
        let place = Place { authority: Authority::new(), folder: tempfile::tempdir().unwrap() };
        let tls = place.authority.issue();
        place.configure(&listener(&tls.certificate, &tls.key));
        place
    }

    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.folder.path().join("snakk.toml"), text).unwrap();
    }

    /// `snakkd` in this folder, its log among what it prints.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("exec \"$0\" {args} --data-dir data 2>&1"), env!("CARGO_BIN_EXE_snakkd")]);
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command
    }

    pub(crate) async fn run(&self, args: &str) -> Ended {
        ended(daemon().spawn_by(self.command(args))).await
    }

    /// A running daemon, and where it listens.
    pub(crate) async fn start(&self) -> (Daemon, SocketAddr) {
        let mut daemon = daemon().spawn_by(self.command(""));
        let line = line_with(&mut daemon, "listening on ").await;
        let address = line.strip_prefix("listening on ").and_then(|line| line.strip_suffix(" (tls)"));
        (daemon, address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line:?}")))
    }
}

/// The next line with these words.
pub(crate) async fn line_with(daemon: &mut Daemon, words: &str) -> String {
    loop {
        let line = within(words, daemon.line()).await.unwrap_or_else(|| panic!("no more lines, but no {words:?}"));
        if line.contains(words) {
            return line;
        }
    }
}
