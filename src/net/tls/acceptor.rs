//! The server's side: connections that came in are made TLS.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::{TlsAcceptor, rustls};

use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::caller::AnyCaller;
use super::{Certificate, SEND_BYTES, TlsStream, VERSIONS, in_words, provider};
use crate::net::Stream;

/// Makes streams TLS. Clones show the same certificate.
#[derive(Clone)]
pub struct Acceptor {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

/// The certificate that new connections are shown, whatever name they ask for, or none.
#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl Acceptor {
    /// With this certificate.
    ///
    /// # Errors
    /// The cryptography does not do what TLS needs, which would be a mistake in how this program was built.
    pub fn new(certificate: Certificate) -> io::Result<Acceptor> {
        let shown = Arc::new(Shown(Mutex::new(certificate.certified)));
        let provider = provider();
        let caller = Arc::new(AnyCaller::new(&provider));
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(VERSIONS);
        let config = config.map_err(io::Error::other)?.with_client_cert_verifier(caller);
        let mut config = config.with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Acceptor { acceptor: Arc::new(config).into(), shown })
    }

    /// Shows this certificate from now on. Handshakes that have begun, and connections that are open, are not touched. Says
    /// whether it is another one.
    pub fn replace(&self, certificate: Certificate) -> bool {
        let mut shown = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = shown.cert.first() != certificate.certified.cert.first();
        *shown = certificate.certified;
        is_new
    }

    /// Shakes hands with a client. There is no limit to how long that takes: the caller has one.
    ///
    /// # Errors
    /// The client speaks no TLS, or none of the versions and ciphers that we do; it does not trust the certificate; it has
    /// gone. Where it makes sense it has been told.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn accept(&self, stream: Stream) -> io::Result<Stream> {
        let limit = |session: &mut rustls::ServerConnection| session.set_buffer_limit(Some(SEND_BYTES));
        let stream = self.acceptor.accept_with(stream, limit).await.map_err(in_words)?;
        Ok(Stream::Tls(TlsStream::new(stream)))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
