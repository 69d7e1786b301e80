//! A running server, and how it stops.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::chat::{Origin, Publisher, ServerEvents};
use crate::client::{Client, ClientError};
use crate::config::Config;
use crate::model::Time;
use crate::net::listener::{Listener, LocalAddress};
use crate::protocol::{Choice, Dialects};
use crate::server::accept::{Door, Entrance};
use crate::server::certificates::{self, Security};
use crate::server::control::Control;
use crate::server::health::{Health, Inside, NotReady};
use crate::server::orders::{self, Lookout, Orders};
use crate::server::sockets::Streams;
use crate::server::{Builder, CertificateErrors, ListenerCertificate, Stats, http, options};
use crate::store::{Store, StoreError};

/// When clients may try again after the server has stopped.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a connection that was cut takes to end.
const CUT: Duration = Duration::from_secs(1);

/// A running chat server. Dropping it stops it abruptly: connections are cut, what was acknowledged is stored. Better to
/// wait for [`Server::shutdown`].
pub struct Server {
    pub(super) door: Arc<Door>,
    store: Arc<dyn Store>,
    inside: Arc<Inside>,
    /// Where `/metrics` is, and what ends it.
    metrics: Option<LocalAddress>,
    end: CancellationToken,
    entries: Vec<Entry>,
    data_dir: PathBuf,
    config: Mutex<Config>,
    /// The listeners are not those of the configuration.
    pub(super) own_listeners: bool,
    pub(super) orders: Orders,
    /// Has the control socket look for its file.
    pub(super) control: Option<Arc<Notify>>,
    stop: CancellationToken,
    hurry: CancellationToken,
    cut: CancellationToken,
    failed: CancellationToken,
    publishing: Option<JoinHandle<()>>,
    /// What tells the hooks what happens.
    telling: Option<JoinHandle<()>>,
}

/// Where a server is entered.
struct Entry {
    address: LocalAddress,
    security: Option<Security>,
}

/// How a server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Connections that were open.
    pub connections: usize,
    /// Connections that had to be cut when the time was up, before everything was sent.
    pub cut: usize,
}

/// What a server is put together from.
pub(super) struct ServerParts {
    pub(super) door: Door,
    pub(super) publisher: Publisher,
    pub(super) store: Arc<dyn Store>,
    pub(super) entrances: Vec<Entrance>,
    pub(super) control: Option<Control>,
    pub(super) metrics: Option<Listener>,
    pub(super) data_dir: PathBuf,
    pub(super) hurry: CancellationToken,
    pub(super) cut: CancellationToken,
    pub(super) started: Time,
    pub(super) config: Config,
    pub(super) own_listeners: bool,
}

impl Server {
    /// What a server is to be; [`Builder::start`] starts it.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    pub(super) fn run(parts: ServerParts) -> Server {
        let (door, stop, failed) = (Arc::new(parts.door), CancellationToken::new(), CancellationToken::new());
        // Cancelled when the task ends, be it by a panic: without a publisher nobody hears anything any more.
        let guard = failed.clone().drop_guard();
        let publishing = tokio::spawn(async move {
            parts.publisher.run().await;
            drop(guard);
        });
        let telling = door.chat.host().map(|host| tokio::spawn(host.listen(door.chat.events())));
        let mut entries = Vec::new();
        for entrance in parts.entrances {
            let address = entrance.listener.local_address().clone();
            entries.push(Entry { address, security: entrance.security.clone() });
            door.tasks.spawn(Arc::clone(&door).accept(entrance, stop.clone()));
        }
        let look = parts.control.as_ref().map(Control::look);
        if let Some(control) = parts.control {
            door.tasks.spawn(control.accept(Arc::clone(&door), stop.clone()));
        }
        let inside = Inside::new(Arc::clone(&door), Arc::clone(&parts.store), stop.clone(), failed.clone());
        let (inside, end) = (Arc::new(inside), CancellationToken::new());
        let metrics = parts.metrics.map(|listener| {
            let address = listener.local_address().clone();
            tokio::spawn(http::serve(listener, Arc::clone(&inside), end.clone()));
            address
        });
        let orders = orders::take(&door, Lookout { inside: Arc::downgrade(&inside), started: parts.started });
        Server {
            door,
            store: parts.store,
            inside,
            metrics,
            end,
            entries,
            data_dir: parts.data_dir,
            config: Mutex::new(parts.config),
            own_listeners: parts.own_listeners,
            orders,
            control: look,
            stop,
            hurry: parts.hurry,
            cut: parts.cut,
            failed,
            publishing: Some(publishing),
            telling,
        }
    }

    /// Where it listens on TCP, in the order of the configuration, with the ports that were picked.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.entries.iter().filter_map(|entry| entry.address.socket_address()).collect()
    }

    /// Where it listens, for people: `127.0.0.1:9998 (tcp)`, `127.0.0.1:9999 (tls)`.
    pub fn listening(&self) -> Vec<String> {
        let kind = |entry: &Entry| if entry.security.is_some() { "tls" } else { entry.address.kind() };
        self.entries.iter().map(|entry| format!("{} ({})", entry.address, kind(entry))).collect()
    }

    /// Where `/metrics` and `/health` are served, if they are, and over TCP.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(LocalAddress::socket_address)
    }

    /// Where `/metrics` and `/health` are served, for people: `127.0.0.1:9190`, `unix:/run/snakk/metrics.sock`.
    pub fn metrics_listening(&self) -> Option<String> {
        self.metrics.as_ref().map(LocalAddress::to_string)
    }

    /// What was counted since the start, and what there is now. Asks up to 10,000 sessions how far they lag, and the system
    /// for the sizes of files.
    ///
    /// # Example
    /// ```
    /// # async fn example(server: &snakk::Server) {
    /// let stats = server.stats();
    /// println!("{} connections, {} deliveries", stats.connections, stats.deliveries);
    /// print!("{}", snakk::server::prometheus(&stats)); // what /metrics would say
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.inside.stats()
    }

    /// What happens from now on: entries that were committed, in their order, and who comes and goes. Everybody who calls
    /// this has a queue; who does not keep up is told how much it missed, and holds up nobody.
    ///
    /// ```
    /// use snakk::server::Happening;
    ///
    /// # async fn example(server: &snakk::Server) {
    /// let mut events = server.events();
    /// while let Some(happening) = events.next().await {
    ///     match happening {
    ///         Happening::Entry { room, entry } => println!("{room} {}: {:?}", entry.seq, entry.body),
    ///         Happening::Missed(count) => println!("{count} more"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> ServerEvents {
        self.door.chat.events()
    }

    /// Asks the server how it is: the thread that writes, through its queue, those that read, what shows entries to
    /// followers, and a session. Nothing is written but where something could not be stored a while ago, to see whether it
    /// can be again.
    ///
    /// # Errors
    /// The worst of what is wrong. [`NotReady::is_alive`] says whether a restart would help.
    pub async fn probe(&self, within: Duration) -> Result<(), NotReady> {
        self.health().probe(within).await
    }

    /// What [`Server::probe`] asks, for a task that outlives the call of [`Server::shutdown`].
    pub fn health(&self) -> Health {
        Health(Arc::clone(&self.inside))
    }

    /// Reads the certificates and keys of all listeners again, from the files that they had at the start. Those who connect
    /// from now on are shown the new ones; connections that are open stay as they are. Where a pair is of no use, its
    /// listener goes on with the old one, and the others are not concerned. Gives those that are others than before. Takes as
    /// long as reading files takes.
    ///
    /// # Errors
    /// Everything that is wrong with those that stayed as they were.
    pub fn reload_certificates(&self) -> Result<Vec<ListenerCertificate>, CertificateErrors> {
        certificates::reload(self.entries.iter().filter_map(|entry| entry.security.as_ref()))
    }

    /// Where the data is.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A client inside the same program, without a socket: logged in as a guest of that name, even where others may not
    /// come in as guests. It does not reconnect, for there is nothing between the two that could break.
    ///
    /// # Errors
    /// Why the name may not come in.
    pub async fn connect(&self, name: &str) -> Result<Client, ClientError> {
        self.client(Origin::Host, name).await
    }

    /// The same, as whoever runs the server: an admin who is nobody, and may do what can be done over the control socket.
    ///
    /// ```no_run
    /// # async fn run(server: snakk::Server) -> Result<(), Box<dyn std::error::Error>> {
    /// let admin = server.admin().await?;
    /// admin.add_account("alice", "correct horse").await?;
    /// admin.notice("The server stops in five minutes.").await?;
    /// println!("{} sessions", admin.server_status().await?.sessions);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server stops.
    pub async fn admin(&self) -> Result<Client, ClientError> {
        self.client(Origin::Control, "snakkd").await
    }

    /// Serves a connection over any stream of bytes in both directions: a WebSocket of the program's own web server, a TLS
    /// stream, a pipe. Any dialect may be spoken. Returns at once.
    ///
    /// ```no_run
    /// # fn example(server: &snakk::Server) {
    /// let (ours, theirs) = tokio::io::duplex(16 * 1024);
    /// server.serve(ours);
    /// # drop(theirs);
    /// # }
    /// ```
    pub fn serve(&self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        self.streams().serve(stream);
    }

    /// What serves such connections, for tasks that do not own the server.
    pub fn streams(&self) -> Streams {
        let config = self.config();
        let course = options::course(&config, &config.course);
        let dialects = Arc::new(Dialects::new(Choice::Auto, course));
        Streams { door: Arc::downgrade(&self.door), dialects }
    }

    async fn client(&self, origin: Origin, name: &str) -> Result<Client, ClientError> {
        Client::over(self.door.pipe(origin)).username(name).connect().await
    }

    /// The settings that hold.
    pub(super) fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server has failed of itself, which it does only where going on would break a promise: its store is
    /// gone, or it found a mistake of its own. Shut it down then.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Stops within the configured grace.
    ///
    /// # Errors
    /// As [`Server::shutdown_within`].
    pub async fn shutdown(self) -> Result<Shutdown, StoreError> {
        let grace = self.config().server.shutdown_grace;
        self.shutdown_within(grace).await
    }

    /// Stops: accepts no more, commits and answers what was received, tells every session, lets those who still read have
    /// what is due to them until the time is up, and closes the store. Only readers that are taking bytes, or a commit
    /// that hangs, use the time.
    ///
    /// # Errors
    /// The store could not be closed as it should be. What was acknowledged is safe nevertheless.
    pub async fn shutdown_within(mut self, grace: Duration) -> Result<Shutdown, StoreError> {
        let deadline = Instant::now() + grace;
        self.stop.cancel();
        self.hurry.cancel();
        let links = self.door.connections.close();
        let connections = links.len();
        for link in &links {
            if self.failed.is_cancelled() {
                // Nothing that waits for its commit will ever be answered.
                link.cut();
            } else {
                link.say_goodbye(RETRY_AFTER);
            }
        }
        drop(links);
        self.door.tasks.close();
        let mut cut = 0;
        if timeout_at(deadline, self.door.tasks.wait()).await.is_err() {
            let left = self.door.connections.all();
            cut = left.len();
            left.iter().for_each(|link| link.cut());
            self.cut.cancel();
            drop(left);
            // Tasks that do not end even so do not keep the store open.
            let _ = timeout(CUT, self.door.tasks.wait()).await;
        }
        let closed = timeout_at(deadline.max(Instant::now() + CUT), self.store.close()).await;
        if let Some(publishing) = self.publishing.take() {
            let _ = timeout(CUT, publishing).await;
        }
        if let Some(telling) = self.telling.take() {
            // The hooks hear the rest, if they do not take too long.
            let _ = timeout(CUT, telling).await;
        }
        self.end.cancel();
        closed.unwrap_or_else(|_| Err(StoreError::unavailable("a commit hangs")))?;
        Ok(Shutdown { connections, cut })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.hurry.cancel();
        for link in self.door.connections.close() {
            link.cut();
        }
        self.cut.cancel();
        self.end.cancel();
        // What waits is still committed; then the store closes itself.
        self.store.queue().close();
    }
}
