//! What a client is told before it connects.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::dial::{self, Backoff, Target};
use super::error::ClientError;
use super::events::Hub;
use super::task::Task;
use super::{Client, Inner, Known};
use crate::net::{CertificateFiles, Stream, Trust};
use crate::protocol::Secret;

/// What stands for the address of a stream that was handed in.
const A_STREAM: &str = "a stream";

/// How many requests may wait until the background task takes them.
const COMMANDS: usize = 64;

/// Who a session is, and what proves it.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    Nobody,
    Guest {
        username: Box<str>,
        token: Option<Secret>,
    },
    Account {
        username: Box<str>,
        password: Secret,
    },
    Token {
        username: Box<str>,
        token: Secret,
    },
    /// The account that knows the certificate which the connection shows.
    Certificate {
        username: Box<str>,
    },
}

impl Identity {
    pub(super) fn new(username: &str, password: Option<Secret>) -> Identity {
        match password {
            Some(password) => Identity::Account { username: username.into(), password },
            None => Identity::Guest { username: username.into(), token: None },
        }
    }
}

/// Where a client gets its connection from.
enum Source {
    Address(Box<str>),
    Stream(Stream),
}

/// What a client is told before it connects; from [`Client::builder`] or [`Client::over`].
pub struct Builder {
    source: Source,
    username: Option<Box<str>>,
    password: Option<Secret>,
    token: Option<Secret>,
    reconnect: bool,
    show_blocked: bool,
    timeout: Duration,
    backoff: Backoff,
    name: Box<str>,
    trust: Trust,
    certificate: Option<CertificateFiles>,
}

impl Builder {
    pub(super) fn to(address: String) -> Builder {
        Builder::from(Source::Address(address.into()))
    }

    pub(super) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Builder {
        Builder::from(Source::Stream(Stream::Other(Box::new(stream))))
    }

    fn from(source: Source) -> Builder {
        Builder {
            source,
            username: None,
            password: None,
            token: None,
            reconnect: true,
            show_blocked: false,
            timeout: Duration::from_secs(30),
            backoff: Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30), attempts: 0 },
            name: concat!("snakk/", env!("CARGO_PKG_VERSION")).into(),
            trust: Trust::System,
            certificate: None,
        }
    }

    /// Who to log in as. Without a password, token or certificate that is a guest; without a name nobody is logged in, and
    /// [`Client::login`] or [`Client::register`] does it later.
    #[must_use]
    pub fn username(mut self, username: impl Into<Box<str>>) -> Builder {
        self.username = Some(username.into());
        self
    }

    /// The password of the account.
    #[must_use]
    pub fn password(mut self, password: impl Into<Box<str>>) -> Builder {
        self.password = Some(Secret(password.into()));
        self
    }

    /// An account's token, in place of its password.
    #[must_use]
    pub fn token(mut self, token: impl Into<Box<str>>) -> Builder {
        self.token = Some(Secret(token.into()));
        self
    }

    /// Whether a lost connection is made again, with everything that was followed and posted. It is unless told otherwise,
    /// and never over a stream that was handed in. The first connection is tried once.
    #[must_use]
    pub fn reconnect(mut self, reconnect: bool) -> Builder {
        self.reconnect = reconnect;
        self
    }

    /// Whether what those say whom this user has blocked is handed on like everything else. Not unless asked: of their
    /// entries only the place is told ([`Event::Hidden`](super::Event::Hidden)), of their hints nothing, and pages come
    /// without their messages.
    #[must_use]
    pub fn show_blocked(mut self, show_blocked: bool) -> Builder {
        self.show_blocked = show_blocked;
        self
    }

    /// How long to wait for the first connection, and for each answer: 30 seconds unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Builder {
        self.timeout = timeout;
        self
    }

    /// How long to wait before the second attempt to reconnect (the first one is made at once), and at most between two
    /// attempts: half a second and half a minute unless told otherwise.
    #[must_use]
    pub fn retry_delays(mut self, first: Duration, longest: Duration) -> Builder {
        self.backoff = Backoff { first, longest, attempts: 0 };
        self
    }

    /// What the client calls itself in `hello`, as `name/version`.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<Box<str>>) -> Builder {
        self.name = name.into();
        self
    }

    /// Which server is believed at an address that begins with `tls://`: one whose certificate an authority of this system
    /// has signed, unless told otherwise. Reconnecting goes by the same.
    ///
    /// # Example
    /// Trust on first use: whatever the server shows is shown to a person, once, and then pinned.
    /// ```no_run
    /// # async fn run(ask: impl Fn(&str, &str) -> bool) -> Result<(), snakk::client::ClientError> {
    /// use snakk::client::{Client, ClientError, Trust};
    ///
    /// let builder = || Client::builder("tls://chat.example.org").username("bob");
    /// let me = match builder().connect().await {
    ///     Err(ClientError::Untrusted { why, fingerprint, .. })
    ///         if why.may_be_pinned() && ask(&why.to_string(), &fingerprint.to_string()) =>
    ///     {
    ///         builder().trust(Trust::Pinned(fingerprint)).connect().await?
    ///     }
    ///     other => other?,
    /// };
    /// # drop(me);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Builder {
        self.trust = trust;
        self
    }

    /// Shows the server this certificate. Without a password or token it logs in to the account of the
    /// [`username`](Builder::username), if that knows it ([`Client::add_certificate`]), and never as a guest. Only at an
    /// address that begins with `tls://`. Both files are PEM, and may be the same
    /// one; they are read for each connection, so that they may be renewed. Who has signed the certificate and how long it
    /// holds does not matter.
    ///
    /// # Example
    /// ```no_run
    /// # async fn run() -> Result<(), snakk::client::ClientError> {
    /// use snakk::Client;
    ///
    /// let builder = || Client::builder("tls://chat.example.org").username("bob").certificate("bob.crt", "bob.key");
    /// // Once, with the password: the account learns what the connection shows.
    /// builder().password("correct horse").connect().await?.add_certificate("my laptop", None).await?;
    /// // From then on.
    /// let me = builder().connect().await?;
    /// # drop(me);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Builder {
        self.certificate = Some(CertificateFiles { certificate: certificate.into(), key: key.into() });
        self
    }

    /// Connects, says hello, and logs in if there is a name.
    ///
    /// # Errors
    /// [`ClientError::Connect`] where there is nobody, [`ClientError::Untrusted`] where the certificate of who is there is
    /// not to be trusted, [`ClientError::Certificate`] where one's own cannot be shown, [`ClientError::Protocol`] where there is something else than a
    /// snakk server, [`ClientError::LoginRefused`] where it does not let this user in, [`ClientError::Timeout`] and
    /// [`ClientError::Disconnected`].
    ///
    /// # Cancel safety
    /// A connection that is not returned is closed.
    pub async fn connect(self) -> Result<Client, ClientError> {
        let identity = match (self.username, self.token, self.password) {
            (None, ..) => Identity::Nobody,
            (Some(username), Some(token), _) => Identity::Token { username, token },
            (Some(username), None, None) if self.certificate.is_some() => Identity::Certificate { username },
            (Some(username), None, password) => Identity::new(&username, password),
        };
        let (target, stream) = match self.source {
            Source::Stream(_) if self.certificate.is_some() => {
                let what = "a certificate is shown by whoever has made the stream, if it is encrypted";
                let source = io::Error::new(io::ErrorKind::InvalidInput, what);
                return Err(ClientError::Connect { address: A_STREAM.into(), source });
            }
            Source::Address(address) => {
                (Some(Target { address, trust: self.trust, certificate: self.certificate }), None)
            }
            Source::Stream(stream) => (None, Some(stream)),
        };
        let greeting = async {
            let stream = match (stream, &target) {
                (Some(stream), _) => stream,
                (None, Some(target)) => target.open().await?,
                (None, None) => return Err(ClientError::Disconnected),
            };
            let address = target.as_ref().map_or(A_STREAM, |target| &target.address);
            dial::greet(stream, address, &self.name, &identity).await
        };
        let session = tokio::time::timeout(self.timeout, greeting).await.map_err(|_| ClientError::Timeout)??;

        let hub = Arc::new(Hub::default());
        let known = Arc::new(Mutex::new(Known::default()));
        let (stop, done) = (CancellationToken::new(), CancellationToken::new());
        let hurry = Arc::new(Notify::new());
        let (sender, commands) = mpsc::channel(COMMANDS);
        let task = Task {
            target: target.filter(|_| self.reconnect),
            name: self.name,
            timeout: self.timeout,
            backoff: self.backoff,
            identity,
            commands,
            stop: stop.clone(),
            hurry: Arc::clone(&hurry),
            hub: Arc::clone(&hub),
            known: Arc::clone(&known),
            pending: Default::default(),
            follows: Default::default(),
            show_blocked: self.show_blocked,
            shutdown: None,
            resume_at: None,
        };
        // What is known is there before the first caller looks.
        let task = task.begin(&session);
        let ended = done.clone().drop_guard();
        tokio::spawn(async move {
            task.run(session).await;
            drop(ended);
        });
        let inner = Inner {
            commands: sender,
            hub,
            known,
            timeout: self.timeout,
            show_blocked: self.show_blocked,
            hurry,
            done,
            stop: stop.drop_guard(),
        };
        Ok(Client { inner: Arc::new(inner) })
    }
}
