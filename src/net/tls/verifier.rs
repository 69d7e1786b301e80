//! Whom a client believes: the rules behind [`Trust`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::fingerprint;
use crate::net::{Distrust, Trust, Untrusted};

/// Verifies the certificate of one connection, and remembers what was wrong with it: the handshake itself only reports
/// the alert that it has sent.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    /// For [`Trust::System`]: its authorities, if it has any.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    untrusted: Mutex<Option<Untrusted>>,
}

impl Verifier {
    /// `roots` are the authorities of the system; they only matter where it is trusted.
    pub(super) fn new(trust: Trust, roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Verifier {
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        Verifier {
            trust,
            // It fails only without any authority.
            authorities: authorities.ok(),
            algorithms: provider.signature_verification_algorithms,
            untrusted: Mutex::default(),
        }
    }

    /// Why the server was not believed, if that was the reason.
    pub(super) fn untrusted(&self) -> Option<Untrusted> {
        self.untrusted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn refuse(&self, certificate: &CertificateDer<'_>, why: Distrust) {
        let untrusted = Untrusted { why, fingerprint: fingerprint(certificate) };
        *self.untrusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(untrusted);
    }

    /// The server proves that it holds the key of the certificate; without that, nothing else that was verified counts.
    fn proof(
        &self,
        certificate: &CertificateDer<'_>,
        verified: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verified.inspect_err(|_| self.refuse(certificate, Distrust::NotProven))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (why, error) = match (&self.trust, &self.authorities) {
            (Trust::Anything, _) => return Ok(ServerCertVerified::assertion()),
            (Trust::Pinned(pinned), _) if fingerprint(end_entity) == *pinned => {
                return Ok(ServerCertVerified::assertion());
            }
            (Trust::Pinned(pinned), _) => {
                let why = Distrust::OtherFingerprint { pinned: *pinned };
                (why, CertificateError::ApplicationVerificationFailure.into())
            }
            (Trust::System, None) => (Distrust::NoAuthorities, CertificateError::UnknownIssuer.into()),
            (Trust::System, Some(authorities)) => {
                match authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    Ok(verified) => return Ok(verified),
                    Err(error) => (distrust(error.clone(), &server_name.to_str()), error),
                }
            }
        };
        let why = match ParsedCertificate::try_from(end_entity) {
            Ok(_) => why,
            Err(error) => Distrust::Unreadable(error.to_string().into()),
        };
        self.refuse(end_entity, why);
        Err(error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof(cert, verify_tls12_signature(message, cert, dss, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proof(cert, verify_tls13_signature(message, cert, dss, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why a verification failed, in our words.
pub(super) fn distrust(error: Error, host: &str) -> Distrust {
    let time = |time: UnixTime| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    let error = match error {
        Error::InvalidCertificate(error) => error,
        other => return Distrust::Faulty(other.to_string().into()),
    };
    match error {
        CertificateError::Expired => Distrust::Expired { since: None },
        CertificateError::ExpiredContext { not_after, .. } => Distrust::Expired { since: time(not_after) },
        CertificateError::NotValidYet => Distrust::NotYetValid { until: None },
        CertificateError::NotValidYetContext { not_before, .. } => Distrust::NotYetValid { until: time(not_before) },
        CertificateError::NotValidForName => Distrust::WrongHost { host: host.into(), names: Vec::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().filter_map(|name| plain_name(name)).map(str::to_owned).collect();
            Distrust::WrongHost { host: host.into(), names }
        }
        // A bad signature is that of another authority, under a name that one has whom this system trusts.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::UnknownIssuer,
        // A self-signed certificate as `openssl req -x509` makes it says of itself that it is an authority, and that is
        // found before it is found that nobody knows it.
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => Distrust::UnknownIssuer,
        other => Distrust::Faulty(Error::InvalidCertificate(other).to_string().into()),
    }
}

/// A name that a certificate is for, which comes as `DnsName("example.org")` or `IpAddress(127.0.0.1)`. Names of another
/// kind are not for hosts.
fn plain_name(name: &str) -> Option<&str> {
    let inside = |front, back| name.strip_prefix(front).and_then(|rest| rest.strip_suffix(back));
    inside("DnsName(\"", "\")").or_else(|| inside("IpAddress(", ")"))
}
