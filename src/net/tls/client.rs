//! The client's side: a connection that was made becomes TLS, if the server is the one that was meant.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::{TlsConnector, rustls};

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use super::verifier::Verifier;
use super::{Certificate, SEND_BYTES, TlsStream, VERSIONS, in_words, provider};
use crate::net::{CertificateFiles, ConnectError, Host, Stream, Trust};

/// What it takes to know a server, the authorities of the system, if they are asked; and to be known there.
pub struct Credentials {
    trust: Trust,
    roots: RootCertStore,
    own: Option<Certificate>,
}

impl Credentials {
    /// Reads the authorities of the system, if they are needed, and one's own certificate, if there is one, without holding
    /// up the runtime. Anew each time, because they change, and because hundreds of certificates are not worth keeping for
    /// the next connection.
    ///
    /// # Errors
    /// One's own certificate is of no use; or the reading was cut short. Authorities that cannot be read are no error: they
    /// are not trusted.
    pub async fn load(trust: &Trust, own: Option<&CertificateFiles>) -> Result<Credentials, ConnectError> {
        let (trust, own) = (trust.clone(), own.cloned());
        let read = move || {
            let own = own.map(|files| Certificate::read(&files, SystemTime::now())).transpose()?;
            let roots = match trust {
                Trust::System => system_roots(),
                Trust::Pinned(_) | Trust::Anything => RootCertStore::empty(),
            };
            Ok(Credentials { own, ..Credentials::with(trust, roots) })
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// With these authorities, and nothing to show.
    pub(super) fn with(trust: Trust, roots: RootCertStore) -> Credentials {
        Credentials { trust, roots, own: None }
    }

    /// Shakes hands with the server at the other end of a stream, which has to be that host. There is no limit to how long
    /// that takes: the caller has one.
    ///
    /// # Errors
    /// [`ConnectError::Untrusted`] if the server is not the one that was meant; otherwise what else went wrong. Nothing
    /// but the handshake was sent.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn connect(self, stream: Stream, host: &Host) -> Result<Stream, ConnectError> {
        let (provider, name) = (provider(), server_name(host)?);
        let verifier = Arc::new(Verifier::new(self.trust, self.roots, &provider));
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(VERSIONS);
        let config = config.map_err(io::Error::other)?.dangerous();
        let verifies = Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>;
        let config = config.with_custom_certificate_verifier(verifies);
        let mut config = match self.own {
            Some(own) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.alone()))),
            None => config.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        let limit = |session: &mut rustls::ClientConnection| session.set_buffer_limit(Some(SEND_BYTES));
        match TlsConnector::from(Arc::new(config)).connect_with(name, stream, limit).await {
            Ok(stream) => Ok(Stream::Tls(TlsStream::new(stream))),
            Err(error) => Err(verifier.untrusted().map_or_else(|| in_words(error).into(), ConnectError::Untrusted)),
        }
    }
}

/// The authorities that the system trusts; those that cannot be read are not among them.
fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "a certificate of the system cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}

/// What the certificate has to be for.
fn server_name(host: &Host) -> io::Result<ServerName<'static>> {
    // The interface of a link-local address is our own business.
    let name = host.as_str().split('%').next().unwrap_or_default();
    ServerName::try_from(name.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}
