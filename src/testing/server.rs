//! A server for a test, and what can be done to it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::client::{self, Client, ClientError};
use crate::config::{Config, Durability, ListenerSection};
use crate::net::Address;
use crate::net::listener::BindError;
use crate::server::{self, Server, StartError};
use crate::testing::folder::Folder;
use crate::testing::relay::Relay;

/// How long a client of a test waits before it tries to come back, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// Any free port of this machine.
const LOOPBACK: &str = "127.0.0.1:0";

/// A configuration in which every limit is off that is not about sizes: a test is faster than people are.
pub fn unlimited() -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    limits.max_connections = 0;
    limits.max_connections_per_ip = 0;
    limits.max_unauthenticated = 0;
    limits.max_sessions_per_user = 0;
    limits.login_timeout = Duration::ZERO;
    limits.silent_timeout = Duration::ZERO;
    limits.messages_per_second = 0;
    limits.registrations_per_hour = 0;
    limits.password_attempts = 0;
    limits.rooms_per_user = 0;
    config.server.shutdown_grace = Duration::from_secs(2);
    config.listeners = vec![ListenerSection::new(LOOPBACK)];
    config
}

/// What changes a server before each of its starts.
type Prepare = Box<dyn Fn(server::Builder) -> server::Builder + Send + Sync>;

/// What a test's server is to be; from [`TestServer::builder`].
#[must_use = "a server starts with .start()"]
pub struct Builder {
    config: Config,
    prepare: Vec<Prepare>,
}

impl Builder {
    /// Changes the configuration, which is [`unlimited`].
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Builder {
        change(&mut self.config);
        self
    }

    /// Changes what the server is built from: its clock, its hooks. Called for each start, so also at a
    /// [`restart`](TestServer::restart).
    pub fn prepare(mut self, prepare: impl Fn(server::Builder) -> server::Builder + Send + Sync + 'static) -> Builder {
        self.prepare.push(Box::new(prepare));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// As [`server::Builder::start`].
    pub async fn start(self) -> Result<TestServer, StartError> {
        let source = |source| StartError::DataDir { path: std::env::temp_dir(), source };
        let folder = Folder::new().map_err(source)?;
        let wrong = |source| StartError::Address { address: LOOPBACK.to_owned(), source };
        let address: Address = LOOPBACK.parse().map_err(wrong)?;
        let relay = Relay::bind(LOOPBACK).await.map_err(|source| BindError::Socket { address, source })?;
        let plan = Plan { config: self.config, prepare: self.prepare };
        let server = plan.start(folder.path(), &relay).await?;
        Ok(TestServer { server, relay, plan, folder })
    }
}

/// What is the same at each start.
struct Plan {
    config: Config,
    prepare: Vec<Prepare>,
}

impl Plan {
    async fn start(&self, data_dir: &Path, relay: &Relay) -> Result<Server, StartError> {
        let builder = Server::builder(self.config.clone()).data_dir(data_dir);
        let server = self.prepare.iter().fold(builder, |builder, prepare| prepare(builder)).start().await?;
        relay.lead_to(server.local_addrs().first().copied());
        Ok(server)
    }
}

/// A running server with a port and a folder of its own; see [the module](crate::testing). When it is dropped everything
/// ends abruptly, and the folder goes.
pub struct TestServer {
    // Dropped in this order: the folder when nothing needs it any more.
    server: Server,
    relay: Relay,
    plan: Plan,
    folder: Folder,
}

impl TestServer {
    /// A server that is [`unlimited`].
    ///
    /// # Errors
    /// As [`server::Builder::start`].
    pub async fn start() -> Result<TestServer, StartError> {
        TestServer::builder().start().await
    }

    /// What it is to be.
    ///
    /// ```
    /// # async fn example() -> Result<(), snakk::StartError> {
    /// let server = snakk::testing::TestServer::builder()
    ///     .config(|config| config.accounts.guests = false)
    ///     .start()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        let mut config = unlimited();
        // A test's data need not survive a power cut.
        config.storage.durability = Durability::Normal;
        Builder { config, prepare: Vec::new() }
    }

    /// Where it listens. It is the same after a restart.
    pub fn address(&self) -> SocketAddr {
        self.relay.address()
    }

    /// The server itself: its figures, an admin, clients without a socket.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A client over the network, logged in as a guest. It reconnects, sooner than others do.
    ///
    /// # Errors
    /// As [`client::Builder::connect`].
    pub async fn connect(&self, name: &str) -> Result<Client, ClientError> {
        self.client().username(name).connect().await
    }

    /// Makes an account, and a client over the network that is logged in to it.
    ///
    /// # Errors
    /// As [`Client::add_account`] and [`client::Builder::connect`].
    pub async fn account(&self, name: &str, password: &str) -> Result<Client, ClientError> {
        self.server.admin().await?.add_account(name, password).await?;
        self.client().username(name).password(password).connect().await
    }

    /// What a client is to be that comes over the network and reconnects, sooner than others do.
    pub fn client(&self) -> client::Builder {
        let (first, longest) = RETRY;
        Client::builder(self.address().to_string()).reconnect(true).retry_delays(first, longest)
    }

    /// Cuts every connection to [`address`](TestServer::address), as a network does: without a word, in the midst of what
    /// was going on. Who comes back is let in. Says how many connections there were; all are closed when this returns, and
    /// each side finds out for itself. Clients inside the program ([`Server::connect`]) have no connection that could be cut.
    pub async fn cut_connections(&self) -> usize {
        self.relay.cut().await
    }

    /// Stops the server as [`Server::shutdown`] does and starts it again, on the same data, at the same address. Who connects
    /// meanwhile waits. Guests are forgotten by a restart, and clients inside the program end.
    ///
    /// # Errors
    /// As [`server::Builder::start`]; also where the store could not be closed.
    pub async fn restart(self) -> Result<TestServer, StartError> {
        let TestServer { server, relay, plan, folder } = self;
        relay.lead_to(None);
        server.shutdown().await?;
        let server = plan.start(folder.path(), &relay).await?;
        Ok(TestServer { server, relay, plan, folder })
    }

    /// Stops it in good order. Dropping it does, too, but does not say whether anything was wrong.
    ///
    /// # Errors
    /// As [`Server::shutdown`].
    pub async fn shutdown(self) -> Result<server::Shutdown, crate::store::StoreError> {
        self.server.shutdown().await
    }
}
