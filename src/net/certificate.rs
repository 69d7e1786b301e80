//! What can be wrong with a certificate and its key, a server's or a client's own. Their contents are read in `tls/`.

use std::io;
use std::path::PathBuf;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate (PEM), with those of the authorities between it and a trusted one behind it.
    pub certificate: PathBuf,
    /// The key of the first certificate (PEM), without a password.
    pub key: PathBuf,
}

/// Why a certificate and its key are of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The system does not let us read a file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is a directory, or something else that is no file.
    #[error("{} is not a regular file, it must be one", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// It is something else than a certificate or key.
    #[error("{} is too large, it must have at most 1 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// There is no certificate in the file.
    #[error("{} has no certificate in it (PEM: \"-----BEGIN CERTIFICATE-----\")", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error("{} has no private key in it (PEM: \"-----BEGIN PRIVATE KEY-----\")", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key has a password.
    #[error("the key in {} is encrypted, and nobody is asked for its password; store it without one", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// What is in the file is broken, or of a kind that cannot be used.
    #[error("{} cannot be used: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The two do not belong together.
    #[error("the key in {} is not that of the first certificate in {}", files.key.display(), files.certificate.display())]
    Mismatch {
        /// Where they are.
        files: CertificateFiles,
    },
    /// snakk was built without TLS.
    #[error("{} cannot be used: this snakk was built without TLS", path.display())]
    NoTls {
        /// The file of the certificate.
        path: PathBuf,
    },
}
