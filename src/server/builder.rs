//! Starting: certificates and addresses first, then the data, then the doors open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::chat::{Chat, Hooks, Host};
use crate::config::{Config, ListenerSection, ServerSection};
use crate::model::{Clock, SystemClock};
use crate::net::address::Address;
use crate::net::connection;
use crate::net::limiter::Limiter;
use crate::net::listener::Listener;
use crate::protocol::Dialects;
use crate::server::StartError;
use crate::server::accept::{Door, Entrance};
use crate::server::certificates;
use crate::server::control::Control;
use crate::server::data_dir;
use crate::server::options;
use crate::server::running::{Server, ServerParts};
use crate::server::sockets::{Socket, deal, strangers};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

/// What a server is to be, before it is started.
///
/// # Example
/// ```
/// # async fn example() -> Result<(), snakk::StartError> {
/// let server = snakk::Server::builder(snakk::Config::default())
///     .data_dir("chat")
///     .listen("127.0.0.1:0")
///     .start()
///     .await?;
/// println!("chat at {}", server.local_addrs()[0]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a server starts with .start()"]
pub struct Builder {
    config: Config,
    data_dir: Option<PathBuf>,
    listen: Vec<String>,
    sockets: Vec<Socket>,
    inherited: Vec<Socket>,
    without_listeners: bool,
    metrics: Option<String>,
    store: Option<Arc<dyn Store>>,
    clock: Arc<dyn Clock>,
    control_socket: Option<PathBuf>,
    hooks: Option<Host>,
    hook_deadline: Option<Duration>,
}

impl Builder {
    pub(super) fn new(config: Config) -> Builder {
        Builder {
            config,
            data_dir: None,
            listen: Vec::new(),
            sockets: Vec::new(),
            inherited: Vec::new(),
            without_listeners: false,
            metrics: None,
            store: None,
            clock: Arc::new(SystemClock),
            control_socket: None,
            hooks: None,
            hook_deadline: None,
        }
    }

    /// Where the data is, instead of what the configuration says. It is made, for its owner alone, if it is not there.
    pub fn data_dir(mut self, path: impl AsRef<Path>) -> Builder {
        self.data_dir = Some(path.as_ref().to_owned());
        self
    }

    /// Listens there (`HOST:PORT`, `unix:PATH`; port 0 picks a free one) instead of where the configuration says. May be
    /// given several times.
    pub fn listen(mut self, address: impl Into<String>) -> Builder {
        self.listen.push(address.into());
        self
    }

    /// Serves `/metrics` and `/health` over HTTP there (`HOST:PORT`, `unix:PATH`; port 0 picks a free one; "" is nowhere).
    /// Unless this is called they are served nowhere, whatever the configuration says. There is neither a password nor
    /// encryption: it is for this machine, or a network of one's own.
    pub fn metrics(mut self, address: impl Into<String>) -> Builder {
        self.metrics = Some(address.into()).filter(|address| !address.is_empty());
        self
    }

    /// Accepts connections from this socket, which is bound already, instead of where the configuration says. May be given
    /// several times, and together with [`listen`](Builder::listen).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = snakk::Server::builder(snakk::Config::default()).data_dir("chat").listener(socket).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn listener(mut self, socket: impl Into<Socket>) -> Builder {
        self.sockets.push(socket.into());
        self
    }

    /// Accepts no connections by itself: those inside the program ([`Server::connect`]), and those that it hands over
    /// ([`Server::serve`]), are all that there are.
    pub fn without_listeners(mut self) -> Builder {
        self.without_listeners = true;
        self
    }

    /// Sockets that were bound for listeners of the configuration, by systemd or a program that was there before: each goes
    /// to the listener that has its address, and the others to those that are left, in their order. What is said of the
    /// listener otherwise (TLS, dialect) holds for it. Listeners without one are bound as always.
    pub fn inherited(mut self, sockets: impl IntoIterator<Item = Socket>) -> Builder {
        self.inherited.extend(sockets);
        self
    }

    /// Keeps everything in this store instead of in a SQLite database in the data directory.
    pub fn store(mut self, store: impl Store) -> Builder {
        self.store = Some(Arc::new(store));
        self
    }

    /// Takes the time from there.
    pub fn clock(mut self, clock: impl Clock) -> Builder {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the control socket: a Unix socket there (relative to the data directory) over which the user that the program
    /// runs as, and root, are heard as admins. Without this there is none, whatever the configuration says;
    /// [`Server::admin`] is the same without a socket.
    pub fn control_socket(mut self, path: impl AsRef<Path>) -> Builder {
        self.control_socket = Some(path.as_ref().to_owned());
        self
    }

    /// Asks these hooks who may come in, what may be done and what may be said, and tells them what happens. See [`Hooks`].
    pub fn hooks(mut self, hooks: impl Hooks) -> Builder {
        self.hooks = Some(Host::new(hooks));
        self
    }

    /// How long a request waits for a hook: two seconds unless this is called, and never longer than a day. Then the request
    /// is answered `internal`.
    pub fn hook_deadline(mut self, deadline: Duration) -> Builder {
        self.hook_deadline = Some(deadline);
        self
    }

    /// Starts the server on the runtime that this is called in, and returns once it accepts connections.
    ///
    /// # Errors
    /// [`StartError`] says why it does not start; then nothing was left behind but, at most, an empty data directory.
    pub async fn start(self) -> Result<Server, StartError> {
        let Builder { mut config, data_dir, listen, sockets, inherited, without_listeners, .. } = self;
        let Builder { metrics, store, clock, control_socket, hooks, hook_deadline, .. } = self;
        let own_listeners = without_listeners || !listen.is_empty() || !sockets.is_empty();
        if own_listeners {
            if config.listeners.iter().any(|listener| listener.tls.is_some()) {
                tracing::warn!("the configuration has a listener with TLS, but those that replace it have none");
            }
            config.listeners = listen.into_iter().map(ListenerSection::new).collect();
        }
        config.check()?;
        // Behind those with an address, and not to be judged by the rules of addresses.
        config.listeners.extend(sockets.iter().map(|socket| ListenerSection::new(socket.address())));
        let given: Vec<&str> = config.listeners.iter().map(|listener| &*listener.address).collect();
        let (mut ready, left) = deal(inherited, &given[..given.len() - sockets.len()]);
        if !left.is_empty() {
            return Err(StartError::Sockets {
                listeners: ready.len(),
                left: left.iter().map(Socket::address).collect(),
            });
        }
        for (socket, address) in strangers(&ready, &given) {
            tracing::warn!(
                "the socket that was handed over for {socket} is taken for the listener {address:?}, for none has its address"
            );
        }
        ready.extend(sockets.into_iter().map(Some));
        let secured = certificates::open(&config.listeners)?;

        let data_dir = data_dir.or_else(|| config.server.data_dir.clone()).or_else(data_dir::default_data_dir);
        // The addresses first: where they are taken, another server runs here, and its data is not touched.
        let mut entrances = Vec::new();
        for ((section, security), socket) in config.listeners.iter().zip(secured).zip(ready) {
            let listener = match socket {
                Some(socket) => socket
                    .into_listener()
                    .map_err(|source| StartError::Socket { address: section.address.clone(), source })?,
                None => bind(&section.address, data_dir.as_deref())?,
            };
            let course = options::course(&config, &section.course.over(&config.course));
            let dialects = Dialects::new(options::dialect(section.dialect), course);
            entrances.push(Entrance { listener, dialects: Arc::new(dialects), security });
        }

        let metrics = metrics.map(|address| bind(&address, data_dir.as_deref())).transpose()?;

        let (store, data_dir): (Arc<dyn Store>, PathBuf) = match (store, data_dir) {
            (Some(store), data_dir) => (store, data_dir.unwrap_or_default()),
            (None, None) => return Err(StartError::NoDataDir),
            (None, Some(data_dir)) => {
                data_dir::make(&data_dir).map_err(|source| StartError::DataDir { path: data_dir.clone(), source })?;
                let options = options::store(&config, &data_dir);
                let opened = spawn_blocking(move || SqliteStore::open(options)).await;
                let store = opened.map_err(StoreError::unavailable)??;
                (Arc::new(store), data_dir)
            }
        };
        let started = clock.now();
        let control = match control_socket.map(|path| bind_control(&config, &data_dir, path)).transpose() {
            Ok(control) => control.flatten(),
            Err(error) => {
                // Best effort: why it does not start is the news.
                let _ = store.close().await;
                return Err(error);
            }
        };
        let host = match (hooks, hook_deadline) {
            (Some(host), Some(deadline)) => Some(host.within(deadline)),
            (host, _) => host,
        };
        let (chat, publisher) = match Chat::open_in(host, Arc::clone(&store), clock, options::chat(&config)).await {
            Ok(opened) => opened,
            Err(error) => {
                // Best effort: that it cannot be closed cleanly is no news behind that it cannot be used.
                let _ = store.close().await;
                return Err(error.into());
            }
        };

        let (hurry, cut) = (CancellationToken::new(), CancellationToken::new());
        let door = Door::new(
            chat,
            Limiter::new(options::limiter(&config)),
            options::terms(
                &config,
                &connection::Options {
                    stall_timeout: config.limits.stall_timeout,
                    hurry: hurry.clone(),
                    cut: cut.clone(),
                },
            ),
        );
        let parts = ServerParts {
            door,
            publisher,
            store,
            entrances,
            control,
            metrics,
            data_dir,
            hurry,
            cut,
            started,
            config,
            own_listeners,
        };
        Ok(Server::run(parts))
    }
}

/// Binds the control socket. A data directory whose path is too long for any socket does not keep the server from
/// starting; a socket that somebody has put there does.
fn bind_control(config: &Config, data_dir: &Path, path: PathBuf) -> Result<Option<Control>, StartError> {
    match Control::place(data_dir, &path) {
        Ok(place) => Ok(Some(Control::bind(&place)?)),
        Err(error) if path == ServerSection::default().control_socket => {
            let path = data_dir.join(path);
            tracing::warn!(path = %path.display(), %error, "no control socket; give it a shorter path: server.control_socket");
            Ok(None)
        }
        Err(source) => Err(StartError::ControlSocket { path: config.server.control_socket.clone(), source }),
    }
}

/// Listens at an address. A Unix socket's path is relative to the data directory, which is made for it.
fn bind(address: &str, data_dir: Option<&Path>) -> Result<Listener, StartError> {
    let wrong = |source| StartError::Address { address: address.to_owned(), source };
    let address = match address.parse().map_err(wrong)? {
        Address::Unix(path) => Address::Unix(data_dir.unwrap_or(Path::new("")).join(path)),
        address => address,
    };
    if let (Address::Unix(_), Some(data_dir)) = (&address, data_dir) {
        data_dir::make(data_dir).map_err(|source| StartError::DataDir { path: data_dir.to_owned(), source })?;
    }
    Ok(Listener::bind(&address)?)
}
