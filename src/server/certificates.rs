//! The certificates of the listeners: read at the start, and again when somebody says so.

use std::fmt;
use std::time::SystemTime;

use crate::config::{Config, ListenerSection};
use crate::model::Fingerprint;
use crate::net::{Acceptor, Certificate, CertificateError, CertificateFiles};

/// What a listener shows to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerCertificate {
    /// The address of the listener, as it is configured.
    pub listener: String,
    /// What clients can pin.
    pub fingerprint: Fingerprint,
    /// What is not as it should be, but does not keep a server from starting: a certificate out of date, a key that others
    /// can read. A sentence each.
    pub warnings: Vec<String>,
}

/// The certificate or the key of a listener is of no use.
#[derive(Debug, thiserror::Error)]
#[error("listener {listener}: {key}: {error}")]
#[non_exhaustive]
pub struct ListenerCertificateError {
    /// The address of the listener, as it is configured; where several share a file, that of the first.
    pub listener: String,
    /// The key of the configuration that names the file: `tls.certificate` or `tls.key`.
    pub key: &'static str,
    /// What is wrong.
    pub error: CertificateError,
}

impl ListenerCertificateError {
    fn new(listener: &str, files: &CertificateFiles, error: CertificateError) -> ListenerCertificateError {
        let is_about_key = match &error {
            CertificateError::NoKey { .. } | CertificateError::EncryptedKey { .. } | CertificateError::Mismatch { .. } => {
                true
            }
            CertificateError::Read { path, .. }
            | CertificateError::NotAFile { path }
            | CertificateError::TooLarge { path }
            | CertificateError::NoCertificate { path }
            | CertificateError::Unusable { path, .. }
            // Both may be in one file, of which the certificate is read first.
            | CertificateError::NoTls { path } => *path != files.certificate,
        };
        let key = if is_about_key { "tls.key" } else { "tls.certificate" };
        ListenerCertificateError { listener: listener.to_owned(), key, error }
    }
}

/// Certificates that are of no use. Shown as a line for each.
#[derive(Debug)]
pub struct CertificateErrors(Vec<ListenerCertificateError>);

impl CertificateErrors {
    /// What is wrong; at least one.
    pub fn errors(&self) -> &[ListenerCertificateError] {
        &self.0
    }
}

impl fmt::Display for CertificateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, error)| {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")
        })
    }
}

impl std::error::Error for CertificateErrors {}

/// Reads the certificates and keys of all listeners, as a start does, and creates nothing. Takes as long as reading files
/// takes.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn check_certificates(config: &Config) -> Result<Vec<ListenerCertificate>, CertificateErrors> {
    let secured = config.listeners.iter().filter_map(|listener| Some((listener, files_of(listener)?)));
    collect(secured.map(|(listener, files)| {
        let certificate = read(&listener.address, &files)?;
        Ok(ListenerCertificate {
            listener: listener.address.clone(),
            fingerprint: certificate.fingerprint(),
            warnings: certificate.warnings().to_vec(),
        })
    }))
}

/// What makes the connections of a listener TLS.
#[derive(Clone)]
pub(super) struct Security {
    pub(super) acceptor: Acceptor,
    listener: String,
    files: CertificateFiles,
}

/// Reads the certificates of these listeners, in their order; none for those without TLS.
pub(super) fn open(listeners: &[ListenerSection]) -> Result<Vec<Option<Security>>, CertificateErrors> {
    collect(listeners.iter().map(|listener| {
        let Some(files) = files_of(listener) else { return Ok(None) };
        let certificate = read(&listener.address, &files)?;
        report(&listener.address, certificate.fingerprint(), certificate.warnings());
        let acceptor = Acceptor::new(certificate).map_err(|error| {
            let error = CertificateError::Unusable { path: files.certificate.clone(), why: error.to_string() };
            ListenerCertificateError::new(&listener.address, &files, error)
        })?;
        Ok(Some(Security { acceptor, listener: listener.address.clone(), files }))
    }))
}

/// Reads them again. Each that is good is shown from now on; those that are not leave the old one in its place. Gives those
/// that are others than before.
pub(super) fn reload<'a>(
    secured: impl Iterator<Item = &'a Security>,
) -> Result<Vec<ListenerCertificate>, CertificateErrors> {
    collect(secured.map(|Security { acceptor, listener, files }| {
        let certificate = read(listener, files)?;
        let (fingerprint, warnings) = (certificate.fingerprint(), certificate.warnings().to_vec());
        let is_new = acceptor.replace(certificate);
        // Not before: whoever has read that connects.
        report(listener, fingerprint, &warnings);
        Ok(is_new.then(|| ListenerCertificate { listener: listener.clone(), fingerprint, warnings }))
    }))
    .map(|read| read.into_iter().flatten().collect())
}

fn read(listener: &str, files: &CertificateFiles) -> Result<Certificate, ListenerCertificateError> {
    Certificate::read(files, SystemTime::now()).map_err(|error| ListenerCertificateError::new(listener, files, error))
}

fn files_of(listener: &ListenerSection) -> Option<CertificateFiles> {
    let tls = listener.tls.as_ref()?;
    Some(CertificateFiles { certificate: tls.certificate.clone(), key: tls.key.clone() })
}

/// All results, or all errors. Listeners that share a file do not repeat what is wrong with it.
fn collect<T>(results: impl Iterator<Item = Result<T, ListenerCertificateError>>) -> Result<Vec<T>, CertificateErrors> {
    let (mut good, mut errors) = (Vec::new(), Vec::<ListenerCertificateError>::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) if errors.iter().any(|other| other.error.to_string() == error.error.to_string()) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(good) } else { Err(CertificateErrors(errors)) }
}

fn report(listener: &str, fingerprint: Fingerprint, warnings: &[String]) {
    tracing::info!(listener, %fingerprint, "the certificate was read");
    warnings.iter().for_each(|warning| tracing::warn!(listener, "{warning}"));
}
