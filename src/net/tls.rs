//! TLS 1.2 and 1.3, by rustls with the cryptography of *ring*, for both sides. It wraps a stream, and what comes out is a
//! stream again; what runs in it is nobody's business here.
//!
//! The provider of the cryptography is named wherever it is needed: none is installed for the whole process, which
//! belongs to whoever embeds us. Sessions are never resumed: a resumed one would be believed without its certificate, and
//! connections here last long enough for a whole handshake.

mod acceptor;
mod caller;
mod certificate;
mod client;
mod stream;
#[cfg(test)]
pub(in crate::net) mod tests;
mod verifier;

pub use acceptor::Acceptor;
pub use certificate::Certificate;
pub use client::Credentials;
pub use stream::{ReadHalf, TlsStream, WriteHalf};

use std::io;
use std::sync::Arc;

use tokio_rustls::rustls;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, SupportedCipherSuite, SupportedProtocolVersion,
};

use crate::model::Fingerprint;

/// The versions that are spoken. The older ones are broken (RFC 8996).
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// How much that was encrypted may wait for the socket. One record: what is more waits where it came from.
const SEND_BYTES: usize = 16 * 1024;

/// The cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The SHA-256 of a certificate.
fn fingerprint(certificate: &[u8]) -> Fingerprint {
    // The provider shows its hash functions only through the cipher suites that use them.
    let hash = match TLS13_AES_128_GCM_SHA256 {
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
    };
    let mut bytes = [0; 32];
    for (byte, hashed) in bytes.iter_mut().zip(hash.hash(certificate).as_ref()) {
        *byte = *hashed;
    }
    Fingerprint::from_bytes(bytes)
}

/// What went wrong in a handshake, or what of it is heard behind it, in words that do not need a knowledge of the protocol.
fn in_words(error: io::Error) -> io::Error {
    let kind = error.kind();
    let words = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => "what came is not TLS".to_owned(),
        Some(Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied),
        )) => format!("the certificate is not trusted there ({alert:?})"),
        Some(Error::AlertReceived(alert)) => format!("the other side ended the TLS handshake ({alert:?})"),
        Some(Error::PeerIncompatible(why)) => {
            format!("the two sides have no version or cipher of TLS in common ({why:?})")
        }
        // Our own words.
        Some(Error::InvalidCertificate(CertificateError::Other(other))) => other.to_string(),
        Some(error) => error.to_string(),
        None if kind == io::ErrorKind::UnexpectedEof => "the connection was closed in the TLS handshake".to_owned(),
        None => return error,
    };
    io::Error::new(kind, words)
}
