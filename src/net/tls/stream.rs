//! An encrypted stream, and its halves.
//!
//! Both directions go through one state machine, so the halves share it. Only the writing half writes to the socket
//! (reading does so only to say why the connection ends), so that each task is woken by its own half and by nothing else.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{fingerprint, in_words};
use crate::model::Fingerprint;
use crate::net::stream::{self, Stream};

/// A stream after its handshake.
pub struct TlsStream(Box<tokio_rustls::TlsStream<Stream>>);

/// The half that is read.
pub struct ReadHalf(Shared);

/// The half that is written.
pub struct WriteHalf(Shared);

#[derive(Clone)]
struct Shared(Arc<Mutex<TlsStream>>);

impl Shared {
    /// Whatever a panic has left behind is only read by the other half, which finds out that its task is alone.
    fn lock(&self) -> MutexGuard<'_, TlsStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsStream {
    pub(super) fn new(stream: impl Into<tokio_rustls::TlsStream<Stream>>) -> TlsStream {
        TlsStream(Box::new(stream.into()))
    }

    /// The certificate of the other side, if it has shown one. It holds its key.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<Fingerprint> {
        self.0.get_ref().1.peer_certificates()?.first().map(|certificate| fingerprint(certificate))
    }

    /// The two halves. The stream closes when both were dropped.
    #[must_use]
    pub fn split(self) -> (stream::ReadHalf, stream::WriteHalf) {
        let shared = Shared(Arc::new(Mutex::new(self)));
        (stream::ReadHalf::Tls(ReadHalf(shared.clone())), stream::WriteHalf::Tls(WriteHalf(shared)))
    }
}

impl WriteHalf {
    /// Makes the close that follows an abrupt one, as for a stream without TLS.
    pub(in crate::net) fn forsake(&self) {
        if let Stream::Tcp(socket) = self.0.lock().0.get_ref().0 {
            // If the socket is gone already, there is nothing to forsake.
            let _ = socket.set_zero_linger();
        }
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_read(cx, buffer).map_err(|error| match error.kind() {
            // The close was not announced, so somebody in the middle may have cut it.
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the connection was cut off"),
            _ => in_words(error),
        })
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_flush(cx)
    }

    /// Says that nothing more comes (`close_notify`), and shuts the writing half of the stream below down.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().0).poll_shutdown(cx)
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(cx)
    }
}
