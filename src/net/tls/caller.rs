//! What a server asks of those who connect: a certificate, if they have one. Nobody has to show any, and whoever has signed
//! it, for whatever and for however long, is no matter: what counts is which one it is, and that whoever shows it holds its
//! key. Whether somebody knows it is decided above.

use std::sync::Arc;

use tokio_rustls::rustls;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};

/// The most that a client may show, in bytes and in certificates, for each has its price. It is kept for as long as the
/// connection is open, and nobody looks at what stands behind the first one.
const MAX_BYTES: usize = 8 * 1024;
const MAX_CERTIFICATES: usize = 8;

/// Why what a client shows is refused.
#[derive(Debug, thiserror::Error)]
#[error(
    "the client shows {certificates} certificates of {bytes} bytes in all; the most are {MAX_CERTIFICATES}, of {MAX_BYTES}"
)]
struct TooMuch {
    certificates: usize,
    bytes: usize,
}

/// Takes any certificate of whoever holds its key.
#[derive(Debug)]
pub(super) struct AnyCaller {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCaller {
    pub(super) fn new(provider: &CryptoProvider) -> AnyCaller {
        AnyCaller { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyCaller {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let bytes = intermediates.iter().fold(end_entity.len(), |sum, one| sum.saturating_add(one.len()));
        let certificates = intermediates.len().saturating_add(1);
        if bytes > MAX_BYTES || certificates > MAX_CERTIFICATES {
            return Err(CertificateError::Other(OtherError(Arc::new(TooMuch { certificates, bytes }))).into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
