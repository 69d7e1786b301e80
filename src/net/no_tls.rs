//! What stands in the place of `tls.rs` in a build without the feature: the same names, of which there is never a value.
//! Whoever asks for one is told why, and nothing else has to know.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream;
use super::{CertificateError, CertificateFiles, ConnectError, Host, Stream, Trust};
use crate::model::Fingerprint;

/// There is none.
#[derive(Clone, Debug)]
pub enum Certificate {}

/// There is none.
#[derive(Clone)]
pub enum Acceptor {}

/// There are none.
pub enum Credentials {}

/// There is none.
pub enum TlsStream {}

/// There is none.
pub type ReadHalf = TlsStream;

/// There is none.
pub type WriteHalf = TlsStream;

impl Certificate {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn read(files: &CertificateFiles, _now: SystemTime) -> Result<Certificate, CertificateError> {
        Err(CertificateError::NoTls { path: files.certificate.clone() })
    }

    /// Never called.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match *self {}
    }

    /// Never called.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        match *self {}
    }
}

impl Acceptor {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn new(certificate: Certificate) -> io::Result<Acceptor> {
        match certificate {}
    }

    /// Never called.
    pub fn replace(&self, _certificate: Certificate) -> bool {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn accept(&self, _stream: Stream) -> io::Result<Stream> {
        match *self {}
    }
}

impl Credentials {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub async fn load(_trust: &Trust, _own: Option<&CertificateFiles>) -> Result<Credentials, ConnectError> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this program was built without TLS").into())
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn connect(self, _stream: Stream, _host: &Host) -> Result<Stream, ConnectError> {
        match self {}
    }
}

impl TlsStream {
    /// Never called.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<Fingerprint> {
        match *self {}
    }

    /// Never called.
    #[must_use]
    pub fn split(self) -> (stream::ReadHalf, stream::WriteHalf) {
        match self {}
    }

    pub(super) fn forsake(&self) {
        match *self {}
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, _cx: &mut Context<'_>, _buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, _bytes: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
