//! A server inside the test.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::json;
use snakk::config::ListenerSection;
use snakk::model::ServerRole;
use snakk::server::Builder;
pub(crate) use snakk::testing::unlimited as free;
use snakk::{Config, Server};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};

use super::people;
use super::wire::Wire;
use super::within;

/// A server to be: `server().with(|config| ..).await`. Every limit that is not under test is off.
pub(crate) fn server() -> Setup {
    Setup { config: free(), dir: None, people: Vec::new(), around: None }
}

/// What a server is to be. It starts when it is awaited.
pub(crate) struct Setup {
    config: Config,
    dir: Option<Arc<TempDir>>,
    people: Vec<(String, ServerRole)>,
    /// What else its builder is told.
    around: Option<Box<dyn FnOnce(Builder) -> Builder + Send>>,
}

impl Setup {
    /// Changes the configuration.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Setup {
        change(&mut self.config);
        self
    }

    /// Is part of a program that has more to say to its builder. (A later start is not.)
    pub(crate) fn around(self, build: impl FnOnce(Builder) -> Builder + Send + 'static) -> Setup {
        Setup { around: Some(Box::new(build)), ..self }
    }

    /// Has these accounts from the start, with [`PASSWORD`].
    pub(crate) fn people<'a>(mut self, role: ServerRole, names: impl IntoIterator<Item = &'a str>) -> Setup {
        self.people.extend(names.into_iter().map(|name| (name.to_owned(), role)));
        self
    }

    /// Where its data is, if it has been running.
    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.as_ref().expect("it has been running").path()
    }

    /// Listens at another port as well, as the changed section says.
    pub(crate) fn listening(self, change: impl FnOnce(&mut ListenerSection)) -> Setup {
        self.with(|config| {
            let mut section = ListenerSection::new("127.0.0.1:0");
            change(&mut section);
            config.listeners.push(section);
        })
    }
}

impl IntoFuture for Setup {
    type Output = TestServer;
    type IntoFuture = Pin<Box<dyn Future<Output = TestServer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let dir = self.dir.unwrap_or_else(|| Arc::new(tempfile::tempdir().expect("a temporary directory")));
            if !self.people.is_empty() {
                let people: Vec<_> = self.people.iter().map(|(name, role)| (name.as_str(), *role)).collect();
                people::seed(&dir.path().join(&self.config.storage.file), &people).await;
            }
            let builder = Server::builder(self.config.clone()).data_dir(dir.path());
            let builder = match self.around {
                Some(build) => build(builder),
                None => builder,
            };
            let started = within("the start of a server", builder.start()).await;
            let server = started.unwrap_or_else(|error| panic!("the server does not start: {error}"));
            TestServer { addresses: server.local_addrs(), server, config: self.config, dir }
        })
    }
}

/// A running server with a directory of its own, which goes when it goes.
pub(crate) struct TestServer {
    /// The server itself.
    pub(crate) server: Server,
    config: Config,
    dir: Arc<TempDir>,
    addresses: Vec<SocketAddr>,
}

impl TestServer {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where its further listeners listen; 0 is [`TestServer::address`].
    pub(crate) fn address_of(&self, listener: usize) -> SocketAddr {
        self.addresses[listener]
    }

    /// Where its data is.
    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// A connection that has said nothing yet.
    pub(crate) async fn connect(&self, name: &str) -> Wire {
        Wire::connect(name, self.address()).await
    }

    /// A native connection that said hello.
    pub(crate) async fn hello(&self, name: &str) -> Wire {
        hello(self.connect(name).await).await
    }

    /// A native guest.
    pub(crate) async fn native(&self, name: &str) -> Wire {
        guest(self.hello(name).await).await
    }

    /// A native account, made if there is none, with [`PASSWORD`].
    pub(crate) async fn account(&self, name: &str) -> Wire {
        account(self.hello(name).await).await
    }

    /// A native account that is there already, with [`PASSWORD`].
    pub(crate) async fn login(&self, name: &str) -> Wire {
        let mut wire = self.hello(name).await;
        wire.ask(json!({"request": "login", "username": name, "password": PASSWORD})).await;
        wire
    }

    /// A course client of 2015, with its `Login successful` read, but not its backlog.
    pub(crate) async fn course2015(&self, name: &str) -> Wire {
        let mut wire = self.connect(name).await;
        wire.send_raw(json!({"request": "login", "content": name}).to_string()).await;
        wire.expect(json!({"response": "info", "content": "Login successful"})).await;
        wire
    }

    /// A course client of 2014, with the answer to its login read, but not its backlog.
    pub(crate) async fn course2014(&self, name: &str) -> Wire {
        let mut wire = self.connect(name).await;
        wire.send_raw(json!({"request": "login", "username": name}).to_string()).await;
        wire.expect(json!({"response": "login", "username": name, "messages": "<any>"})).await;
        wire
    }

    /// Stops it in good order, and gives what it takes to start it again with the same data and settings.
    pub(crate) async fn stop(self) -> Setup {
        let stopped = within("the stop of a server", self.server.shutdown()).await;
        stopped.unwrap_or_else(|error| panic!("the server does not stop as it should: {error}"));
        Setup { config: self.config, dir: Some(self.dir), people: Vec::new(), around: None }
    }

    /// Stops it in good order and starts it again, at another port.
    pub(crate) async fn restart(self) -> TestServer {
        self.stop().await.await
    }
}

/// What accounts of tests have.
pub(crate) const PASSWORD: &str = "correct horse";

/// Starts to speak natively.
pub(crate) async fn hello<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>) -> Wire<S> {
    wire.ask(json!({"request": "hello", "protocol": 1})).await;
    wire
}

/// Logs in as the guest that the connection is named after.
pub(crate) async fn guest<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>) -> Wire<S> {
    let login = json!({"request": "login", "username": wire.name});
    wire.ask(login).await;
    wire
}

/// Logs in to the account that the connection is named after, or makes it.
pub(crate) async fn account<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>) -> Wire<S> {
    let name = wire.name.clone();
    wire.send(json!({"request": "register", "username": name, "password": PASSWORD})).await;
    let answer = wire.next().await;
    if answer["code"] == "name_taken" {
        wire.ask(json!({"request": "login", "username": name, "password": PASSWORD})).await;
    } else {
        assert_eq!(answer["username"], name.as_str(), "{answer}");
    }
    wire
}
