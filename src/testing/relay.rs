//! What stands between the clients and the server: a port that stays while servers behind it come and go, and connections
//! that can be cut as a bad network cuts them.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A port, and the connections that came in through it. All end when it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    /// Where the server is, while there is one.
    server: watch::Sender<Option<SocketAddr>>,
    open: Arc<Mutex<Open>>,
    _stop: DropGuard,
}

/// The connections since the last cut.
#[derive(Clone, Debug, Default)]
struct Open {
    cut: CancellationToken,
    tasks: TaskTracker,
}

impl Relay {
    /// Listens there. Who comes in waits until there is a server.
    pub(super) async fn bind(address: &str) -> io::Result<Relay> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (server, place) = watch::channel(None);
        let (open, stop) = (Arc::new(Mutex::new(Open::default())), CancellationToken::new());
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, place, Arc::clone(&open))));
        Ok(Relay { address, server, open, _stop: stop.drop_guard() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who comes in from now on is let through to there, or waits where that is nowhere.
    pub(super) fn lead_to(&self, server: Option<SocketAddr>) {
        self.server.send_replace(server);
    }

    /// Resets every connection; says how many there were.
    pub(super) async fn cut(&self) -> usize {
        let open = std::mem::take(&mut *lock(&self.open));
        let connections = open.tasks.len();
        open.cut.cancel();
        open.tasks.close();
        open.tasks.wait().await;
        connections
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        lock(&self.open).cut.cancel();
    }
}

async fn accept(listener: TcpListener, place: watch::Receiver<Option<SocketAddr>>, open: Arc<Mutex<Open>>) {
    loop {
        // What fails here is one connection; and where files have run out, nothing in a test will go well.
        let Ok((client, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let open = lock(&open);
        open.tasks.spawn(carry(client, place.clone(), open.cut.clone()));
    }
}

/// Carries bytes to and fro until one side ends, or the connection is cut.
async fn carry(mut client: TcpStream, mut place: watch::Receiver<Option<SocketAddr>>, cut: CancellationToken) {
    let carried = async {
        let found = place.wait_for(Option::is_some).await.ok().and_then(|place| *place);
        let mut server = TcpStream::connect(found.ok_or(io::ErrorKind::NotConnected)?).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        copy_bidirectional(&mut client, &mut server).await
    };
    if !matches!(cut.run_until_cancelled(carried).await, Some(Ok(_))) {
        // A reset instead of an orderly end. Where it cannot be had, the end is orderly.
        let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
    }
}

/// Nothing that is done under this lock can leave it half changed.
fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
