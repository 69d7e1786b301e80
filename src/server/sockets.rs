//! Connections that come in otherwise than by an address of the configuration: over sockets that somebody else has bound,
//! and over streams that somebody else has accepted.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Weak};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::Stream;
use crate::net::listener::{Listener, Peer};
use crate::protocol::Dialects;
use crate::server::accept::Door;

/// A listening socket that somebody else has bound: the program that the server lives in, or systemd.
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(std::net::TcpListener),
    Tokio(tokio::net::TcpListener),
    Unix(UnixListener),
}

impl From<std::net::TcpListener> for Socket {
    fn from(listener: std::net::TcpListener) -> Socket {
        Socket(Kind::Tcp(listener))
    }
}

impl From<tokio::net::TcpListener> for Socket {
    fn from(listener: tokio::net::TcpListener) -> Socket {
        Socket(Kind::Tokio(listener))
    }
}

impl From<UnixListener> for Socket {
    fn from(listener: UnixListener) -> Socket {
        Socket(Kind::Unix(listener))
    }
}

impl Socket {
    /// Where it listens, as an address of the configuration would say it.
    pub(super) fn address(&self) -> String {
        let tcp =
            |address: io::Result<SocketAddr>| address.map_or_else(|_| "?".to_owned(), |address| address.to_string());
        match &self.0 {
            Kind::Tcp(listener) => tcp(listener.local_addr()),
            Kind::Tokio(listener) => tcp(listener.local_addr()),
            Kind::Unix(listener) => {
                let path = listener.local_addr().ok().and_then(|address| address.as_pathname().map(ToOwned::to_owned));
                format!("unix:{}", path.unwrap_or_default().display())
            }
        }
    }

    pub(super) fn into_listener(self) -> io::Result<Listener> {
        let listens = match &self.0 {
            Kind::Tcp(listener) => SockRef::from(listener).is_listener(),
            Kind::Tokio(listener) => SockRef::from(listener).is_listener(),
            Kind::Unix(listener) => SockRef::from(listener).is_listener(),
        };
        if !listens? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no listening socket"));
        }
        match self.0 {
            Kind::Tcp(listener) => Listener::from_std(listener),
            Kind::Tokio(listener) => Listener::from_std(listener.into_std()?),
            Kind::Unix(listener) => Listener::from_unix(listener),
        }
    }
}

/// Takes those of the sockets that belong to these addresses: first those whose address is the same, then the others in
/// their order. Gives back what is left over.
pub(super) fn deal(mut sockets: Vec<Socket>, addresses: &[&str]) -> (Vec<Option<Socket>>, Vec<Socket>) {
    let mut dealt: Vec<Option<Socket>> = addresses
        .iter()
        .map(|address| {
            let same = sockets.iter().position(|socket| is_same(&socket.address(), address));
            same.map(|index| sockets.remove(index))
        })
        .collect();
    let mut rest = sockets.into_iter();
    for place in dealt.iter_mut().filter(|place| place.is_none()) {
        *place = rest.next();
    }
    (dealt, rest.collect())
}

/// Where a socket serves a listener whose address is another one: both addresses. That of a listener may leave something
/// open: the port, where a host's name leads, where a relative path begins.
pub(super) fn strangers(dealt: &[Option<Socket>], addresses: &[&str]) -> Vec<(String, String)> {
    let both = dealt.iter().zip(addresses).filter_map(|(socket, address)| Some((socket.as_ref()?.address(), *address)));
    let strangers = both.filter(|(socket, address)| !may_be_at(socket, address));
    strangers.map(|(socket, address)| (socket, address.to_owned())).collect()
}

fn may_be_at(socket: &str, address: &str) -> bool {
    let path = |text: &str| text.strip_prefix("unix:").map(|path| Path::new(path).to_owned());
    match (path(socket), path(address)) {
        (Some(socket), Some(address)) => return socket.ends_with(address),
        (None, None) => {}
        _ => return false,
    }
    let (Ok(socket), Some((_, port))) = (socket.parse::<SocketAddr>(), address.rsplit_once(':')) else { return false };
    let port_fits = port == "0" || port == socket.port().to_string();
    let host_fits = address.parse::<SocketAddr>().map_or(true, |address| address.ip() == socket.ip());
    port_fits && host_fits
}

fn is_same(one: &str, other: &str) -> bool {
    match (one.parse::<SocketAddr>(), other.parse::<SocketAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Serves connections that somebody else has accepted; from [`Server::streams`](crate::Server::streams). Clones serve for
/// the same server, and may outlive it: then every stream is closed at once.
#[derive(Clone)]
pub struct Streams {
    pub(super) door: Weak<Door>,
    pub(super) dialects: Arc<Dialects>,
}

impl Streams {
    /// Serves a connection over any stream of bytes in both directions: a TLS stream of one's own, a WebSocket, a pipe. It
    /// counts for no address's limits, only for the limit in all. Returns at once; the connection is served by tasks of the
    /// server, and ends like any other.
    pub fn serve(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        self.accept(Stream::Other(Box::new(stream)), Peer::Local);
    }

    /// The same, for a connection whose peer has an address: the limits and suspensions of addresses hold for it.
    pub fn serve_from(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, address: IpAddr) {
        self.accept(Stream::Other(Box::new(stream)), Peer::Ip(address.to_canonical()));
    }

    fn accept(&self, stream: Stream, peer: Peer) {
        let Some(door) = self.door.upgrade() else { return };
        match door.admit(peer, Arc::clone(&self.dialects)) {
            Ok(guest) => door.let_in(stream, peer, None, guest),
            Err(refusal) => door.turn_away(stream, None, &self.dialects, &refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_go_to_the_listeners_of_their_address_and_the_others_in_order() {
        let bound = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (one, two, three) = (bound(), bound(), bound());
        let of = |listener: &std::net::TcpListener| listener.local_addr().unwrap().to_string();
        let (first, second, third) = (of(&one), of(&two), of(&three));
        let (dealt, left) = deal(vec![one.into(), two.into(), three.into()], &["127.0.0.1:9998", &second, "[::1]:9"]);
        let dealt: Vec<_> = dealt.iter().map(|socket| socket.as_ref().unwrap().address()).collect();
        assert_eq!((dealt, left.len()), (vec![first, second, third], 0));
        let (dealt, left) = deal(vec![bound().into(), bound().into()], &["127.0.0.1:9998"]);
        assert_eq!((dealt.len(), left.len()), (1, 1));
    }

    #[test]
    fn a_socket_that_is_elsewhere_than_its_listener_is_found() {
        for (socket, address, fits) in [
            ("127.0.0.1:9998", "127.0.0.1:9998", true),
            ("127.0.0.1:9998", "127.0.0.1:0", true),
            ("127.0.0.1:9998", "localhost:9998", true),
            ("127.0.0.1:9998", "localhost:9999", false),
            ("127.0.0.1:9998", "127.0.0.1:9999", false),
            ("0.0.0.0:9998", "127.0.0.1:9998", false),
            ("[::]:9998", "[::]:9998", true),
            ("127.0.0.1:9998", "unix:/run/s.sock", false),
            ("unix:/run/s.sock", "127.0.0.1:9998", false),
            ("unix:/run/s.sock", "unix:/run/s.sock", true),
            ("unix:/run/s.sock", "unix:s.sock", true),
            ("unix:/run/s.sock", "unix:/srv/s.sock", false),
        ] {
            assert_eq!(may_be_at(socket, address), fits, "{socket} for {address}");
        }
    }
}
