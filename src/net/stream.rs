//! One stream of bytes in both directions, whatever carries it: TCP, a Unix socket, a pair in memory, TLS over one of
//! these, or anything else that reads and writes.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use super::tls::{self, Credentials, TlsStream};
use super::{Address, CertificateError, CertificateFiles, Host, Trust, Untrusted};
use crate::model::Fingerprint;

/// How much a stream in memory holds in each direction.
const MEMORY_BYTES: usize = 16 * 1024;

/// Anything that reads and writes bytes.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open stream.
pub enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A connection over a Unix socket.
    Unix(UnixStream),
    /// One end of a pair in memory.
    Memory(DuplexStream),
    /// One of these, encrypted.
    Tls(TlsStream),
    /// Anything else.
    Other(Box<dyn Duplex>),
}

/// The half of a stream that is read.
pub enum ReadHalf {
    /// Of a TCP connection.
    Tcp(tcp::OwnedReadHalf),
    /// Of a connection over a Unix socket.
    Unix(unix::OwnedReadHalf),
    /// Of a pair in memory.
    Memory(tokio::io::ReadHalf<DuplexStream>),
    /// Of an encrypted stream.
    Tls(tls::ReadHalf),
    /// Of anything else.
    Other(tokio::io::ReadHalf<Box<dyn Duplex>>),
}

/// The half of a stream that is written.
pub enum WriteHalf {
    /// Of a TCP connection.
    Tcp(tcp::OwnedWriteHalf),
    /// Of a connection over a Unix socket.
    Unix(unix::OwnedWriteHalf),
    /// Of a pair in memory.
    Memory(tokio::io::WriteHalf<DuplexStream>),
    /// Of an encrypted stream.
    Tls(tls::WriteHalf),
    /// Of anything else.
    Other(tokio::io::WriteHalf<Box<dyn Duplex>>),
}

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It cannot be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is one, but not to whom it should be.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The certificate that was to be shown is of no use.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Connects to a server. Whom to believe only matters where it shows a certificate, and one's own is shown only where it
/// asks for one.
///
/// # Errors
/// What the system says; a name that leads nowhere, a server that does not speak TLS where it should, and one that is not
/// to be believed are errors too; and a certificate of one's own that cannot be used, or is to be shown where nothing is
/// encrypted.
///
/// # Cancel safety
/// Dropping the future gives the attempt up.
pub async fn connect(address: &Address, trust: &Trust, own: Option<&CertificateFiles>) -> Result<Stream, ConnectError> {
    match address {
        Address::Tcp(..) | Address::Unix(_) if own.is_some() => {
            let what = "a certificate can be shown only to servers at addresses that begin with tls://";
            Err(io::Error::new(io::ErrorKind::InvalidInput, what).into())
        }
        Address::Tcp(host, port) => Ok(connect_tcp(host, *port).await?),
        Address::Unix(path) => Ok(UnixStream::connect(path).await.map(Stream::Unix)?),
        Address::Tls(host, port) => {
            // First, because the server counts the time from the connection on.
            let credentials = Credentials::load(trust, own).await?;
            let stream = connect_tcp(host, *port).await?;
            // Big, and over soon: on the heap, so that whoever may reconnect does not hold the place for it.
            Box::pin(credentials.connect(stream, host)).await
        }
    }
}

async fn connect_tcp(host: &Host, port: u16) -> io::Result<Stream> {
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    prepare(&stream)?;
    Ok(Stream::Tcp(stream))
}

/// Two streams in memory, each the other end of the other.
#[must_use]
pub fn memory_pair() -> (Stream, Stream) {
    let (one, other) = tokio::io::duplex(MEMORY_BYTES);
    (Stream::Memory(one), Stream::Memory(other))
}

/// Sends small writes at once, and notices within two minutes when a silent peer has vanished.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10)).with_retries(6);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

impl Stream {
    /// The user at the other end of a Unix socket, as the kernel says.
    #[must_use]
    pub fn peer_user(&self) -> Option<u32> {
        match self {
            Stream::Unix(stream) => stream.peer_cred().ok().map(|peer| peer.uid()),
            _ => None,
        }
    }

    /// The certificate that the other side has shown, where the stream is encrypted and it has one. It holds its key.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<Fingerprint> {
        match self {
            Stream::Tls(stream) => stream.peer_certificate(),
            _ => None,
        }
    }

    /// The two halves, each for a task of its own. The stream closes when both were dropped.
    #[must_use]
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Stream::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
            Stream::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read), WriteHalf::Unix(write))
            }
            Stream::Memory(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ReadHalf::Memory(read), WriteHalf::Memory(write))
            }
            Stream::Tls(stream) => stream.split(),
            Stream::Other(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ReadHalf::Other(read), WriteHalf::Other(write))
            }
        }
    }
}

impl WriteHalf {
    /// Makes the close that follows an abrupt one: what the peer did not take is dropped instead of being kept in the
    /// kernel until the peer is given up.
    pub(super) fn forsake(&self) {
        match self {
            // If the socket is gone already, there is nothing to forsake.
            WriteHalf::Tcp(half) => drop(half.as_ref().set_zero_linger()),
            WriteHalf::Tls(half) => half.forsake(),
            WriteHalf::Unix(_) | WriteHalf::Memory(_) | WriteHalf::Other(_) => {}
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream::Tcp(stream)
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Stream {
        Stream::Unix(stream)
    }
}

impl From<DuplexStream> for Stream {
    fn from(stream: DuplexStream) -> Stream {
        Stream::Memory(stream)
    }
}

impl From<Box<dyn Duplex>> for Stream {
    fn from(stream: Box<dyn Duplex>) -> Stream {
        Stream::Other(stream)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stream::Tcp(_) => "Stream::Tcp",
            Stream::Unix(_) => "Stream::Unix",
            Stream::Memory(_) => "Stream::Memory",
            Stream::Tls(_) => "Stream::Tls",
            Stream::Other(_) => "Stream::Other",
        })
    }
}

/// Calls the same method of whatever carries the stream.
macro_rules! forward {
    ($kind:ident, $this:expr, $half:ident => $call:expr) => {
        match $this {
            $kind::Tcp($half) => $call,
            $kind::Unix($half) => $call,
            $kind::Memory($half) => $call,
            $kind::Tls($half) => $call,
            $kind::Other($half) => $call,
        }
    };
}

/// A whole stream is read and written in the same way as its halves.
macro_rules! readable {
    ($kind:ident) => {
        impl AsyncRead for $kind {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                forward!($kind, self.get_mut(), half => Pin::new(half).poll_read(cx, buffer))
            }
        }
    };
}

/// See [`readable`].
macro_rules! writable {
    ($kind:ident) => {
        impl AsyncWrite for $kind {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                forward!($kind, self.get_mut(), half => Pin::new(half).poll_write(cx, bytes))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                forward!($kind, self.get_mut(), half => Pin::new(half).poll_write_vectored(cx, slices))
            }

            fn is_write_vectored(&self) -> bool {
                forward!($kind, self, half => half.is_write_vectored())
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                forward!($kind, self.get_mut(), half => Pin::new(half).poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                forward!($kind, self.get_mut(), half => Pin::new(half).poll_shutdown(cx))
            }
        }
    };
}

readable!(Stream);
writable!(Stream);
readable!(ReadHalf);
writable!(WriteHalf);
