//! Where connections come in. Accepting survives what a busy system does to it: a peer that was gone before it was
//! accepted, and running out of file descriptors or memory.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fmt, time::Duration};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{Instant, sleep_until};

use super::stream::prepare;
use super::{Address, Stream};

/// How many connections the kernel keeps for us until we accept them.
const BACKLOG: i32 = 1024;

/// The pauses after the system had no room for another connection: doubling from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Why there is no listener at an address.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The host's name leads nowhere.
    #[error("cannot find the host of {address}")]
    Host {
        /// Where we should listen.
        address: Address,
        /// What the resolver says.
        #[source]
        source: io::Error,
    },
    /// The system refuses: in use, not permitted, not an address of this computer.
    #[error("cannot listen on {address}")]
    Socket {
        /// Where we should listen.
        address: Address,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Somebody listens on this Unix socket.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The socket's file.
        path: PathBuf,
    },
    /// Something else has the name of the socket; it is left alone.
    #[error("{} exists and is not a socket, so it stays; move it away, or choose another path", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// It is where clients find TLS; a server's address does not say so.
    #[error("cannot listen on {address}: an address to listen on is HOST:PORT, also where TLS is spoken")]
    Scheme {
        /// Where we should listen.
        address: Address,
    },
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A host; an IPv4 address that came over IPv6 is shown as what it is.
    Ip(IpAddr),
    /// This computer, over a Unix socket or in memory.
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Ip(ip) => ip.fmt(f),
            Peer::Local => f.write_str("local"),
        }
    }
}

/// Where a listener really is: with the port that the system chose, if it was to choose one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAddress {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl LocalAddress {
    /// The kind of listener, as a word: `tcp` or `unix`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            LocalAddress::Tcp(_) => "tcp",
            LocalAddress::Unix(_) => "unix",
        }
    }

    /// The socket address of a TCP listener.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            LocalAddress::Tcp(address) => Some(*address),
            LocalAddress::Unix(_) => None,
        }
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalAddress::Tcp(address) => address.fmt(f),
            LocalAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A bound socket. A Unix socket's file goes when the listener is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: Bound,
    local: LocalAddress,
    shortage: Shortage,
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(dead_code, reason = "it is there to be dropped")] Option<SocketFile>),
}

/// The file of a Unix socket that is ours.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// The state of pausing while the system has no room for another connection.
#[derive(Debug, Default)]
struct Shortage {
    pause: Duration,
    until: Option<Instant>,
    reported: Option<Instant>,
}

impl Listener {
    /// Listens on an address. A host name is looked up (which may take its time: this is for the start of a program).
    ///
    /// # Errors
    /// [`BindError`] names the address and the reason.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(address: &Address) -> Result<Listener, BindError> {
        match address {
            Address::Tcp(host, port) => {
                let lookup = (host.as_str(), *port).to_socket_addrs();
                let lookup = lookup.map_err(|source| BindError::Host { address: address.clone(), source })?;
                let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
                for candidate in lookup {
                    match bind_tcp(candidate) {
                        Ok(listener) => return Ok(listener),
                        Err(error) => last = error,
                    }
                }
                Err(BindError::Socket { address: address.clone(), source: last })
            }
            Address::Unix(path) => {
                clear_stale(path, address)?;
                bind_unix(path).map_err(|source| BindError::Socket { address: address.clone(), source })
            }
            Address::Tls(..) => Err(BindError::Scheme { address: address.clone() }),
        }
    }

    /// Takes over a listening TCP socket, such as one that was inherited.
    ///
    /// # Errors
    /// If the socket is not one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Listener> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let local = LocalAddress::Tcp(listener.local_addr()?);
        Ok(Listener { socket: Bound::Tcp(listener), local, shortage: Shortage::default() })
    }

    /// Takes over a listening Unix socket. Its file stays when the listener is dropped: it is somebody else's.
    ///
    /// # Errors
    /// If the socket is not one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_unix(listener: std::os::unix::net::UnixListener) -> io::Result<Listener> {
        listener.set_nonblocking(true)?;
        let path = listener.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default();
        let socket = Bound::Unix(UnixListener::from_std(listener)?, None);
        Ok(Listener { socket, local: LocalAddress::Unix(path), shortage: Shortage::default() })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_address(&self) -> &LocalAddress {
        &self.local
    }

    /// Waits for the next connection. Never fails: where the system has no room for another connection, it tries again
    /// after a pause.
    ///
    /// # Cancel safety
    /// A connection that was accepted is returned in the same step; until then dropping the future loses nothing.
    pub async fn accept(&mut self) -> (Stream, Peer) {
        loop {
            if let Some(until) = self.shortage.until {
                sleep_until(until).await;
            }
            let accepted = match &self.socket {
                Bound::Tcp(listener) => listener.accept().await.map(|(stream, from)| {
                    // This fails if the peer is gone already, which the reader will notice.
                    let _ = prepare(&stream);
                    (Stream::Tcp(stream), Peer::Ip(from.ip().to_canonical()))
                }),
                Bound::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| (Stream::Unix(stream), Peer::Local))
                }
            };
            match accepted {
                Ok(connection) => {
                    self.shortage.pause = Duration::ZERO;
                    self.shortage.until = None;
                    return connection;
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    if self.shortage.begin_pause(Instant::now()) {
                        tracing::warn!(listener = %self.local, %error, "cannot accept connections, trying again");
                    }
                }
            }
        }
    }
}

impl Shortage {
    /// The next pause, and whether it should be reported: at most once a second, or a full disk comes next.
    fn begin_pause(&mut self, now: Instant) -> bool {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        self.until = Some(now + self.pause);
        let report = self.reported.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(1));
        if report {
            self.reported = Some(now);
        }
        report
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever has replaced the file meanwhile keeps what is theirs.
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode));
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Errors of `accept` that the connection brought with it: the next one may be fine, so there is no reason to pause.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
    )
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if let SocketAddr::V6(address) = address {
        // "[::]" means every interface and both versions of the protocol; any other address means itself.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Listener::from_std(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // On Linux the file gets the mode of the unbound socket (less the umask), so nobody can connect before the mode is
    // set for good below. Where that does not work, the second call is the one that counts.
    let file = fs::File::from(OwnedFd::from(socket));
    let owner_only = fs::Permissions::from_mode(0o600);
    let _ = file.set_permissions(owner_only.clone());
    let socket = Socket::from(OwnedFd::from(file));
    socket.bind(&SockAddr::unix(path)?)?;
    let metadata = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() };
    fs::set_permissions(path, owner_only)?;
    socket.listen(BACKLOG)?;
    let listener = UnixListener::from_std(OwnedFd::from(socket).into())?;
    Ok(Listener {
        socket: Bound::Unix(listener, Some(file)),
        local: LocalAddress::Unix(path.to_owned()),
        shortage: Shortage::default(),
    })
}

/// Removes the socket file that a dead process left behind.
fn clear_stale(path: &Path, address: &Address) -> Result<(), BindError> {
    let failed = |source| BindError::Socket { address: address.clone(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => return Err(BindError::NotASocket { path: path.to_owned() }),
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    // A live listener with a full backlog must not hold us up.
    probe.set_nonblocking(true).map_err(failed)?;
    match SockAddr::unix(path).and_then(|address| probe.connect(&address)) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(failed(error)),
        Ok(()) | Err(_) => Err(BindError::InUse { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::net::Trust;
    use crate::net::stream::connect;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    async fn exchange(mut listener: Listener, to: &Address) -> (Stream, Peer) {
        let (client, accepted) = tokio::join!(connect(to, &Trust::System, None), listener.accept());
        let (_read, mut write) = client.unwrap().split();
        write.write_all(b"hello").await.unwrap();
        drop((write, _read));
        let (stream, peer) = accepted;
        let (mut read, write) = stream.split();
        let mut text = String::new();
        read.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
        drop((read, write));
        (connect(to, &Trust::System, None).await.unwrap(), peer)
    }

    #[tokio::test]
    async fn tcp_listeners_say_where_they_are() {
        let listener = Listener::bind(&address("127.0.0.1:0")).unwrap();
        let local = listener.local_address().clone();
        assert_eq!(local.kind(), "tcp");
        let port = local.socket_address().unwrap().port();
        assert_ne!(port, 0);
        assert_eq!(local.to_string(), format!("127.0.0.1:{port}"));
        let (_, peer) = exchange(listener, &address(&local.to_string())).await;
        assert_eq!(peer.to_string(), "127.0.0.1");
    }

    #[tokio::test]
    async fn accepted_connections_send_at_once_and_notice_vanished_peers() {
        let mut listener = Listener::bind(&address("127.0.0.1:0")).unwrap();
        let to = address(&listener.local_address().to_string());
        let (client, (server, _)) = tokio::join!(connect(&to, &Trust::System, None), listener.accept());
        for stream in [client.unwrap(), server] {
            let Stream::Tcp(stream) = stream else { panic!("not tcp") };
            let socket = socket2::SockRef::from(&stream);
            assert!(stream.nodelay().unwrap());
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 6);
        }
    }

    #[tokio::test]
    async fn every_interface_means_both_protocols() {
        let Ok(listener) = Listener::bind(&address("[::]:0")) else {
            return; // A system without IPv6.
        };
        let port = listener.local_address().socket_address().unwrap().port();
        let (_, peer) = exchange(listener, &address(&format!("127.0.0.1:{port}"))).await;
        assert_eq!(peer, Peer::Ip("127.0.0.1".parse().unwrap()));
    }

    #[tokio::test]
    async fn addresses_that_cannot_be_had_are_named() {
        let first = Listener::bind(&address("127.0.0.1:0")).unwrap();
        let taken = address(&first.local_address().to_string());
        let error = Listener::bind(&taken).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {taken}"));
        let error = Listener::bind(&address("tls://localhost:1")).unwrap_err();
        assert!(matches!(error, BindError::Scheme { .. }), "{error}");
        // 192.0.2.0/24 is nobody's.
        assert!(matches!(Listener::bind(&address("192.0.2.1:0")), Err(BindError::Socket { .. })));
    }

    #[tokio::test]
    async fn unix_sockets_are_private_and_go_with_their_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sock");
        let to = Address::Unix(path.clone());
        let listener = Listener::bind(&to).unwrap();
        assert_eq!(listener.local_address().to_string(), format!("unix:{}", path.display()));
        assert_eq!(listener.local_address().kind(), "unix");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        assert!(matches!(Listener::bind(&to), Err(BindError::InUse { .. })), "a live socket is left alone");
        assert!(path.exists());
        let mut listener = listener;
        let (client, (_, peer)) = tokio::join!(connect(&to, &Trust::System, None), listener.accept());
        assert!(client.is_ok());
        assert_eq!(peer, Peer::Local);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_dead_process_left_behind_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sock");
        let to = Address::Unix(path.clone());
        // The standard library leaves the file behind, as a killed process does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = Listener::bind(&to).unwrap();

        // A file that came in its place is not ours to remove.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(listener);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(Listener::bind(&to), Err(BindError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

        let nowhere = Address::Unix(folder.path().join("missing/chat.sock"));
        assert!(matches!(Listener::bind(&nowhere), Err(BindError::Socket { .. })));
        let long = Address::Unix(folder.path().join("x".repeat(200)));
        assert!(matches!(Listener::bind(&long), Err(BindError::Socket { .. })));
    }

    #[test]
    fn pauses_double_up_to_a_second_and_are_reported_once_a_second() {
        let start = Instant::now();
        let mut shortage = Shortage::default();
        let mut now = start;
        let mut pauses = Vec::new();
        let mut reports = 0;
        for _ in 0..10 {
            reports += u32::from(shortage.begin_pause(now));
            pauses.push(shortage.pause.as_millis());
            now += shortage.pause;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
        assert_eq!(reports, 4, "at 0, 1.27, 2.27 and 3.27 seconds");
    }

    #[test]
    fn running_out_of_file_descriptors_is_survived() {
        // In a process of its own, because it takes them all.
        let status = std::process::Command::new("sh")
            .args(["-c", "ulimit -n 48 && exec \"$0\" --ignored --exact \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg("net::listener::tests::takes_all_file_descriptors_of_the_process")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&status.stdout);
        assert!(status.status.success() && output.contains("1 passed"), "{output}");
    }

    #[tokio::test]
    #[ignore = "takes all file descriptors of the process; another test starts it in one of its own"]
    async fn takes_all_file_descriptors_of_the_process() {
        let mut listener = Listener::bind(&address("127.0.0.1:0")).unwrap();
        let to = address(&listener.local_address().to_string());
        let client = connect(&to, &Trust::System, None).await.unwrap();
        let hoard: Vec<fs::File> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        assert!(hoard.len() < 100, "the limit is too high for this test");

        while listener.shortage.reported.is_none() {
            let attempt = tokio::time::timeout(Duration::from_millis(5), listener.accept()).await;
            assert!(attempt.is_err(), "there was no shortage");
        }
        drop(hoard);
        let _accepted = listener.accept().await;
        drop(client);
    }
}
