//! Accepting connections: who may come in, and what is said to who may not.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::io::DuplexStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::{Chat, Connection, Host, Origin};
use crate::net::limiter::{Admission, Limiter, Rejected};
use crate::net::listener::{Listener, Peer};
use crate::net::stream::Stream;
use crate::net::{Acceptor, connection};
use crate::protocol::{Choice, Code, CourseOptions, Dialects, Refusal};
use crate::server::bridge::{Asker, Ignorant, Link, Manners, Teller, Turned};
use crate::server::certificates::Security;
use crate::server::connections::{Connections, NoPlace, Place};
use crate::server::counters::{Counters, one_more};
use crate::server::handshake::{Handshake, Sparse};

/// How many connections at once are told why they may not come in. The others are closed without a word.
const MOST_TURNED_AWAY: usize = 64;

/// How long the handshake with somebody who may not come in may take.
const TURNED_HANDSHAKE: Duration = Duration::from_secs(2);

/// How much an in-process connection holds in each direction.
const PIPE_BYTES: usize = 16 * 1024;

/// Where connections come in, and what is spoken there.
pub(super) struct Entrance {
    pub(super) listener: Listener,
    pub(super) dialects: Arc<Dialects>,
    /// What makes its connections TLS, if they are to be.
    pub(super) security: Option<Security>,
}

/// A connection that has a place.
pub(super) struct Guest {
    pub(super) link: Arc<Link>,
    pub(super) place: Place,
    /// When it was accepted.
    pub(super) since: tokio::time::Instant,
}

/// What a connection holds for as long as it lives.
pub(super) enum Ticket {
    /// It counts among those from its address.
    Counted(#[expect(dead_code, reason = "held for as long as it lives")] Admission),
    /// It is one of the few at the control socket.
    Control { _permit: OwnedSemaphorePermit },
}

/// What holds for connections that come from now on.
pub(super) struct Terms {
    pub(super) manners: Manners,
    pub(super) max_unauthenticated: usize,
    pub(super) connection: Arc<connection::Options>,
}

/// Everything that it takes to serve a connection.
pub(super) struct Door {
    pub(super) chat: Arc<Chat>,
    pub(super) limiter: Limiter,
    pub(super) connections: Arc<Connections>,
    terms: RwLock<Arc<Terms>>,
    pub(super) tasks: TaskTracker,
    pub(super) counters: Arc<Counters>,
    pub(super) handshake_log: Mutex<Sparse>,
    turned: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(chat: Arc<Chat>, limiter: Limiter, terms: Terms) -> Door {
        Door {
            chat,
            limiter,
            connections: Arc::default(),
            terms: RwLock::new(Arc::new(terms)),
            tasks: TaskTracker::new(),
            counters: Arc::new(Counters::new()),
            handshake_log: Mutex::default(),
            turned: Arc::new(Semaphore::new(MOST_TURNED_AWAY)),
        }
    }

    /// What holds for connections that come now.
    pub(super) fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Something else holds for those that come from now on.
    pub(super) fn set_terms(&self, terms: Terms) {
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(terms);
    }

    /// Accepts until it is told to stop. Nothing that takes its time is done here.
    pub(super) async fn accept(self: Arc<Door>, entrance: Entrance, stop: CancellationToken) {
        let Entrance { mut listener, dialects, security } = entrance;
        let acceptor = security.map(|security| security.acceptor);
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match (self.admit(peer, Arc::clone(&dialects)), self.chat.host()) {
                (Ok(guest), None) => self.let_in(stream, peer, acceptor.clone(), guest),
                (Ok(guest), Some(host)) => {
                    let (door, acceptor, dialects) = (Arc::clone(&self), acceptor.clone(), Arc::clone(&dialects));
                    self.tasks.spawn(door.let_in_if(host, stream, peer, acceptor, dialects, guest));
                }
                (Err(refusal), _) => self.turn_away(stream, acceptor.clone(), &dialects, &refusal),
            }
        }
    }

    /// Serves a connection that may come in, behind its handshake if there is one.
    pub(super) fn let_in(self: &Arc<Door>, stream: Stream, peer: Peer, acceptor: Option<Acceptor>, guest: Guest) {
        one_more(&self.counters.accepted);
        match acceptor {
            None => self.serve(stream, guest),
            Some(acceptor) => {
                let handshake = Handshake { acceptor, stream, peer };
                self.tasks.spawn(Arc::clone(self).serve_after(handshake, guest));
            }
        }
    }

    /// Serves a connection if the hooks let it in; it has its place meanwhile, as others who say nothing.
    async fn let_in_if(
        self: Arc<Door>,
        host: Arc<Host>,
        stream: Stream,
        peer: Peer,
        acceptor: Option<Acceptor>,
        dialects: Arc<Dialects>,
        guest: Guest,
    ) {
        let address = match peer {
            Peer::Ip(address) => Some(address),
            Peer::Local => None,
        };
        let admitted = tokio::select! {
            biased;
            // It is to make room, or the server stops.
            () = guest.link.is_dismissed() => return,
            admitted = host.admits(Connection::new(address, acceptor.is_some())) => admitted,
        };
        match admitted {
            Ok(()) => self.let_in(stream, peer, acceptor, guest),
            Err(refusal) => {
                self.counters.hook_rejects();
                drop(guest);
                self.turn_away(stream, acceptor, &dialects, &refusal);
            }
        }
    }

    /// Finds a place for a connection from outside, by the limits for where it comes from.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn admit(&self, peer: Peer, dialects: Arc<Dialects>) -> Result<Guest, Refusal> {
        let origin = match peer {
            Peer::Ip(address) => Origin::Address(address),
            Peer::Local => Origin::Local,
        };
        let admission = self.limiter.admit(peer, Instant::now());
        let admission = admission.inspect_err(|why| self.counters.reject(*why))?;
        self.welcome(origin, dialects, Some(Ticket::Counted(admission)))
    }

    /// A connection in memory, in the native dialect. Where there is no place for it, it says so, as any other does.
    pub(super) fn pipe(&self, origin: Origin) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let dialects = native();
        match self.welcome(origin, Arc::clone(&dialects), None) {
            Ok(guest) => self.serve(ours.into(), guest),
            Err(refusal) => self.turn_away(ours.into(), None, &dialects, &refusal),
        }
        theirs
    }

    /// Finds a place for a connection.
    pub(super) fn welcome(
        &self,
        origin: Origin,
        dialects: Arc<Dialects>,
        ticket: Option<Ticket>,
    ) -> Result<Guest, Refusal> {
        let terms = self.terms();
        let session = self.chat.session(origin);
        let link = Arc::new(Link::new(session, dialects, terms.manners, ticket, Arc::clone(&self.counters)));
        // Whoever lives in the same program as the server does not count as a stranger.
        let most = if origin == Origin::Host { 0 } else { terms.max_unauthenticated };
        let place = self.connections.add(&link, most);
        let place = place.inspect_err(|why| self.counters.no_place(*why))?;
        Ok(Guest { link, place, since: tokio::time::Instant::now() })
    }

    /// Starts to serve a connection.
    pub(super) fn serve(&self, stream: Stream, guest: Guest) {
        let Guest { link, place, since } = guest;
        let (asker, teller) = (Asker::new(Arc::clone(&link), place, since), Teller::new(link));
        connection::spawn(stream, asker, teller, Arc::clone(&self.terms().connection), &self.tasks);
    }

    /// Says why a connection may not come in, and closes it.
    pub(super) fn turn_away(&self, stream: Stream, acceptor: Option<Acceptor>, dialects: &Dialects, refusal: &Refusal) {
        self.counters.refuse(refusal);
        let Ok(permit) = Arc::clone(&self.turned).try_acquire_owned() else { return };
        let (ignorant, turned) = (Ignorant::new(permit), Turned::away(dialects, refusal));
        let (options, tasks) = (Arc::clone(&self.terms().connection), self.tasks.clone());
        match acceptor {
            None => connection::spawn(stream, ignorant, turned, options, &tasks),
            Some(acceptor) => drop(self.tasks.spawn(async move {
                let hurry = options.hurry.clone();
                let shaken = timeout(TURNED_HANDSHAKE, acceptor.accept(stream));
                if let Some(Ok(Ok(stream))) = hurry.run_until_cancelled(shaken).await {
                    connection::spawn(stream, ignorant, turned, options, &tasks);
                }
            })),
        }
    }
}

/// What is spoken where there are only clients of this protocol.
pub(super) fn native() -> Arc<Dialects> {
    Arc::new(Dialects::new(Choice::Native, CourseOptions::default()))
}

impl From<NoPlace> for Refusal {
    fn from(no_place: NoPlace) -> Refusal {
        match no_place {
            NoPlace::Strangers => Code::TooManyConnections.into(),
            NoPlace::Closed => Code::ShuttingDown.into(),
        }
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Refusal {
        let retry_after = match rejected {
            Rejected::TooFast { retry_after } => Some(retry_after),
            Rejected::Full | Rejected::TooManyFromAddress => None,
        };
        Refusal { retry_after, ..Refusal::new(Code::TooManyConnections) }
    }
}
