//! A certificate and its key, a server's or a client's own: read from their files, checked against each other and against
//! the time.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls;

use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use super::verifier::distrust;
use super::{fingerprint, provider};
use crate::model::Fingerprint;
use crate::net::{CertificateError, CertificateFiles, Distrust};

/// A larger file is neither a certificate nor a key.
const MAX_BYTES: u64 = 1 << 20;

/// Who may read a file besides its owner: its group.
const GROUP_READS: u32 = 0o040;
/// And all others.
const OTHERS_READ: u32 = 0o004;
/// Where systemd puts what a unit is given (`LoadCredential=`, systemd.exec(5)).
const CREDENTIALS: &str = "/run/credentials";

/// A certificate with its key, as it is shown to the other side.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub(super) certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
    warnings: Vec<String>,
}

impl Certificate {
    /// Reads the two files, which takes its time. What is no reason not to start with them (they are out of date, the key is
    /// no secret) is a warning.
    ///
    /// # Errors
    /// [`CertificateError`] names the file and the reason.
    pub fn read(files: &CertificateFiles, now: SystemTime) -> Result<Certificate, CertificateError> {
        let (chain, _) = contents(&files.certificate)?;
        let chain = chain_in(&chain, &files.certificate)?;
        let (key, mode) = contents(&files.key)?;
        let key = key_in(&key, &files.key)?;

        let unusable =
            |path: &Path, why: &str| CertificateError::Unusable { path: path.to_owned(), why: why.to_owned() };
        let Some(first) = chain.first() else {
            return Err(CertificateError::NoCertificate { path: files.certificate.clone() });
        };
        ParsedCertificate::try_from(first).map_err(|error| unusable(&files.certificate, &unreadable(&error)))?;
        let fingerprint = fingerprint(first);
        let mut warnings: Vec<String> = chain
            .iter()
            .zip(1..)
            .filter_map(|(one, number)| {
                let why = out_of_date(one, now)?;
                let which = if number == 1 { String::new() } else { format!(", number {number} in the file,") };
                let path = files.certificate.display();
                Some(format!(
                    "the certificate in {path}{which} is not good: {why}; clients that verify it will not come in"
                ))
            })
            .collect();
        if is_open(&files.key, mode) {
            let path = files.key.display();
            warnings
                .push(format!("the key in {path} can be read by others than its owner (mode {:04o})", mode & 0o7777));
        }

        let provider = provider();
        let key = provider.key_provider.load_private_key(key).map_err(|_| unusable(&files.key, KINDS))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(CertificateError::Mismatch { files: files.clone() }),
        }
        Ok(Certificate { certified: Arc::new(certified), fingerprint, warnings })
    }

    /// Without those that stand behind it in the file.
    pub(super) fn alone(&self) -> CertifiedKey {
        let first = self.certified.cert.first().cloned();
        CertifiedKey::new(first.into_iter().collect(), Arc::clone(&self.certified.key))
    }

    /// What clients pin.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What is not as it should be; a sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The keys that there may be (those of the cryptography, *ring*), where there is one of another kind.
const KINDS: &str =
    "it is no key of a kind that can be used: RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, Ed25519";

/// What is wrong with a certificate.
fn unreadable(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(why))
            if why.to_string() == "UnsupportedCertVersion" =>
        {
            "it is not of version 3 of X.509, as those of openssl req -x509 are".to_owned()
        }
        error => error.to_string(),
    }
}

/// What is in a file, and its mode.
fn contents(path: &Path) -> Result<(Vec<u8>, u32), CertificateError> {
    let unreadable = |source: io::Error| CertificateError::Read { path: path.to_owned(), source };
    // Asked before it is opened: opening a FIFO would wait for somebody who writes into it.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(CertificateError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(CertificateError::TooLarge { path: path.to_owned() });
    }
    Ok((bytes, mode))
}

/// Whether others than the owner of a key may read it. The credentials of a unit belong to root, with its user in an access list,
/// and the mode then shows as the group's what that user may.
fn is_open(key: &Path, mode: u32) -> bool {
    mode & OTHERS_READ != 0 || (mode & GROUP_READS != 0 && !key.starts_with(CREDENTIALS))
}

fn chain_in(text: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|error| CertificateError::Unusable { path: path.to_owned(), why: damage(&error) })?;
    if chain.is_empty() { Err(CertificateError::NoCertificate { path: path.to_owned() }) } else { Ok(chain) }
}

fn key_in(text: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let path = || path.to_owned();
    PrivateKeyDer::from_pem_slice(text).map_err(|error| {
        // `BEGIN ENCRYPTED PRIVATE KEY`, or the older `Proc-Type: 4,ENCRYPTED`.
        if text.windows(b"ENCRYPTED".len()).any(|window| window == b"ENCRYPTED") {
            CertificateError::EncryptedKey { path: path() }
        } else if matches!(error, pem::Error::NoItemsFound) {
            CertificateError::NoKey { path: path() }
        } else {
            CertificateError::Unusable { path: path(), why: damage(&error) }
        }
    })
}

/// What is wrong with a PEM file.
fn damage(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a \"-----BEGIN\" in it has no \"-----END\"".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a line in it begins like \"-----BEGIN\", but is none".to_owned(),
        pem::Error::Base64Decode(_) => "it is damaged (it has a line that is not base64)".to_owned(),
        other => other.to_string(),
    }
}

/// Whether a certificate is too old or too new. What else may be wrong with it is not asked.
fn out_of_date(certificate: &CertificateDer<'_>, now: SystemTime) -> Option<Distrust> {
    let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO));
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    // The verification looks at the time before it looks for an authority, of which there are none here.
    let (none, algorithms) = (RootCertStore::empty(), provider().signature_verification_algorithms);
    let verified = verify_server_cert_signed_by_trust_anchor(&parsed, &none, &[], now, algorithms.all);
    let why = distrust(verified.err()?, "");
    matches!(why, Distrust::Expired { .. } | Distrust::NotYetValid { .. }).then_some(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_systemd_hands_over_is_a_secret() {
        for (path, mode, open) in [
            ("/run/credentials/snakkd.service/snakk.key", 0o100_400, false),
            ("/run/credentials/snakkd.service/snakk.key", 0o100_440, false),
            ("/run/credentials/snakkd.service/snakk.key", 0o100_444, true),
            ("/run/credentials.key", 0o100_440, true),
            ("/etc/snakk/snakk.key", 0o100_440, true),
            ("/etc/snakk/snakk.key", 0o100_600, false),
        ] {
            assert_eq!(is_open(Path::new(path), mode), open, "{path}, {mode:o}");
        }
    }
}
