//! One stream of bytes in both directions, whatever carries it: TCP, a Unix socket, a pair in memory, or anything else
//! that reads and writes (which is where TLS comes in: it wraps a TCP stream, and the result is [`Stream::Other`]).

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use super::Address;

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
    /// Of anything else.
    Other(tokio::io::WriteHalf<Box<dyn Duplex>>),
}

/// Connects to a server.
///
/// # Errors
/// What the system says; a name that leads nowhere, and TLS, which this version does not have, are errors too.
///
/// # Cancel safety
/// Dropping the future gives the attempt up.
pub async fn connect(address: &Address) -> io::Result<Stream> {
    match address {
        Address::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            prepare(&stream)?;
            Ok(Stream::Tcp(stream))
        }
        Address::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
        Address::Tls(..) => Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not available in this version")),
    }
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
        if let WriteHalf::Tcp(half) = self {
            // If the socket is gone already, there is nothing to forsake.
            let _ = half.as_ref().set_zero_linger();
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
            $kind::Other($half) => $call,
        }
    };
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(ReadHalf, self.get_mut(), half => Pin::new(half).poll_read(cx, buffer))
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        forward!(WriteHalf, self, half => half.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(WriteHalf, self.get_mut(), half => Pin::new(half).poll_shutdown(cx))
    }
}
