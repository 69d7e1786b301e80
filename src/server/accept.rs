//! Accepting connections: who may come in, and what is said to who may not.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::{Chat, Origin};
use crate::net::connection;
use crate::net::limiter::{Admission, Limiter, Rejected};
use crate::net::listener::{Listener, Peer};
use crate::net::stream::Stream;
use crate::protocol::{Code, Dialects, Refusal};
use crate::server::bridge::{Asker, Ignorant, Link, Manners, Teller, Turned};
use crate::server::connections::{Connections, NoPlace};

/// How many connections at once are told why they may not come in. The others are closed without a word.
const MOST_TURNED_AWAY: usize = 64;

/// Everything that it takes to serve a connection.
pub(super) struct Door {
    pub(super) chat: Arc<Chat>,
    pub(super) limiter: Limiter,
    pub(super) connections: Arc<Connections>,
    pub(super) manners: Manners,
    pub(super) max_unauthenticated: usize,
    pub(super) options: Arc<connection::Options>,
    pub(super) tasks: TaskTracker,
    turned: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(
        chat: Arc<Chat>,
        limiter: Limiter,
        manners: Manners,
        max_unauthenticated: usize,
        options: connection::Options,
    ) -> Door {
        Door {
            chat,
            limiter,
            connections: Arc::default(),
            manners,
            max_unauthenticated,
            options: Arc::new(options),
            tasks: TaskTracker::new(),
            turned: Arc::new(Semaphore::new(MOST_TURNED_AWAY)),
        }
    }

    /// Accepts until it is told to stop.
    pub(super) async fn accept(
        self: Arc<Door>,
        mut listener: Listener,
        dialects: Arc<Dialects>,
        stop: CancellationToken,
    ) {
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (admission, origin) = match (self.limiter.admit(peer, Instant::now()), peer) {
                (Ok(admission), Peer::Ip(address)) => (admission, Origin::Address(address)),
                (Ok(admission), Peer::Local) => (admission, Origin::Local),
                (Err(rejected), _) => {
                    self.turn_away(stream, &dialects, rejected.into());
                    continue;
                }
            };
            self.serve(stream, origin, Arc::clone(&dialects), Some(admission));
        }
    }

    /// Starts to serve a connection.
    pub(super) fn serve(&self, stream: Stream, origin: Origin, dialects: Arc<Dialects>, admission: Option<Admission>) {
        let session = self.chat.session(origin);
        let link = Arc::new(Link::new(session, Arc::clone(&dialects), self.manners, admission));
        // Whoever lives in the same program as the server does not count as a stranger.
        let most = if origin == Origin::Host { 0 } else { self.max_unauthenticated };
        match self.connections.add(&link, most) {
            Ok(place) => {
                let (asker, teller) = (Asker::new(Arc::clone(&link), place), Teller::new(link));
                connection::spawn(stream, asker, teller, Arc::clone(&self.options), &self.tasks);
            }
            Err(NoPlace::Strangers) => self.turn_away(stream, &dialects, Code::TooManyConnections.into()),
            Err(NoPlace::Closed) => self.turn_away(stream, &dialects, Code::ShuttingDown.into()),
        }
    }

    fn turn_away(&self, stream: Stream, dialects: &Dialects, refusal: Refusal) {
        if let Ok(permit) = Arc::clone(&self.turned).try_acquire_owned() {
            let turned = Turned::away(dialects, &refusal);
            connection::spawn(stream, Ignorant::new(permit), turned, Arc::clone(&self.options), &self.tasks);
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
