//! The client's side: a connection that was made becomes TLS, if the server is the one that was meant.

use std::io;
use std::sync::Arc;

use tokio_rustls::{TlsConnector, rustls};

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::verifier::Verifier;
use super::{SEND_BYTES, TlsStream, VERSIONS, in_words, provider};
use crate::net::{ConnectError, Host, Stream, Trust};

/// What it takes to know a server: the authorities of the system, if they are asked.
pub struct Credentials {
    trust: Trust,
    roots: RootCertStore,
}

impl Credentials {
    /// Reads the authorities of the system, if they are needed, without holding up the runtime. Anew each time, because
    /// they change, and because hundreds of certificates are not worth keeping for the next connection.
    ///
    /// # Errors
    /// The reading was cut short. Authorities that cannot be read are no error: they are not trusted.
    pub async fn load(trust: &Trust) -> io::Result<Credentials> {
        let trust = trust.clone();
        let roots = match trust {
            Trust::System => tokio::task::spawn_blocking(system_roots).await.map_err(io::Error::other)?,
            Trust::Pinned(_) | Trust::Anything => RootCertStore::empty(),
        };
        Ok(Credentials::with(trust, roots))
    }

    /// With these authorities.
    pub(super) fn with(trust: Trust, roots: RootCertStore) -> Credentials {
        Credentials { trust, roots }
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
        let mut config = config.with_custom_certificate_verifier(verifies).with_no_client_auth();
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
