//! Whether a server answers, and whether it is of use: found out by asking it.
//!
//! Four are asked: the thread that writes the database, through its queue; one of those that read it; the publisher, which
//! looks whether the rooms can be had; and a session, which has to answer `hello`. Each is asked one question at a time,
//! however many want to know: where it hangs, nothing piles up.
//!
//! **Alive** is a server of which all of them go on: starting it anew would make nothing better. A disk takes its time: a
//! sync of seconds, or another program that has the database locked, is no reason to kill anybody, least of all in the midst
//! of a commit. So a writer that has not answered is alive while it is at work that only the disk can hold up, for up to a
//! minute ([`PATIENCE`]). Readers have as long to get on by one question. Whoever waits for nothing but a processor has a few
//! seconds ([`BUSY`]): a machine with too much to do is not helped by a restart either. **Ready** is an alive server that
//! answers now, can store something, and is not about to stop.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::chat::Origin;
use crate::client::Client;
use crate::server::accept::Door;
use crate::store::{Store, StoreError};

/// How long a disk may take for one thing before the server counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long whoever waits for no disk may take to get on.
const BUSY: Duration = Duration::from_secs(5);

/// Why a server is not ready.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// The server has failed of itself; its log says why.
    #[error("the server has failed, its log says why; restart it")]
    Failed,
    /// One of its parts did not answer.
    #[error("{} did not answer within {within:?}{}", part.as_str(), if *hangs { " and hangs" } else { ", it is slow" })]
    Silent {
        /// Which one.
        part: Part,
        /// How long it was waited for.
        within: Duration,
        /// It will not answer by itself: it is not at anything that takes its time.
        hangs: bool,
    },
    /// Nothing can be stored.
    #[error("nothing can be stored: {0}")]
    Storage(StoreError),
    /// Nothing can be read.
    #[error("nothing can be read: {0}")]
    Reading(StoreError),
    /// The server is about to stop.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// A part of a server that has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The thread that writes the database.
    Writer,
    /// The threads that read it.
    Readers,
    /// What shows committed entries to those who follow the rooms.
    Publisher,
    /// What answers connections.
    Sessions,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Part::Writer => "the writer of the database",
            Part::Readers => "the readers of the database",
            Part::Publisher => "the publisher",
            Part::Sessions => "a session",
        }
    }
}

impl NotReady {
    /// Whether the server is alive nevertheless: it goes on, and starting it anew would make nothing better.
    pub fn is_alive(&self) -> bool {
        match self {
            NotReady::Failed => false,
            NotReady::Silent { hangs, .. } => !hangs,
            NotReady::Storage(_) | NotReady::Reading(_) | NotReady::ShuttingDown => true,
        }
    }
}

/// What of a server can be looked at beside its owner.
pub(super) struct Inside {
    pub(super) door: Arc<Door>,
    pub(super) store: Arc<dyn Store>,
    pub(super) started: Instant,
    pub(super) stop: CancellationToken,
    pub(super) failed: CancellationToken,
    writer: Question,
    readers: Question,
    publisher: Question,
    sessions: Question,
}

/// Asks a server how it is; from [`Server::health`](crate::Server::health). It may be kept beyond the server's end.
#[derive(Clone)]
pub struct Health(pub(super) Arc<Inside>);

impl Health {
    /// Asks all parts of the server whether they answer, and whether something can be stored.
    ///
    /// # Errors
    /// The worst of what is wrong.
    ///
    /// # Cancel safety
    /// Who asks next waits for the same answers.
    pub async fn probe(&self, within: Duration) -> Result<(), NotReady> {
        let problems = self.0.problems(within).await;
        // The first of those that are not alive, else the first.
        problems.into_iter().min_by_key(NotReady::is_alive).map_or(Ok(()), Err)
    }
}

impl Inside {
    pub(super) fn new(
        door: Arc<Door>,
        store: Arc<dyn Store>,
        stop: CancellationToken,
        failed: CancellationToken,
    ) -> Inside {
        let (writer, readers, publisher, sessions) = Default::default();
        Inside { door, store, started: Instant::now(), stop, failed, writer, readers, publisher, sessions }
    }

    /// All that is wrong.
    pub(super) async fn problems(self: &Arc<Inside>, within: Duration) -> Vec<NotReady> {
        if self.stop.is_cancelled() {
            return vec![NotReady::ShuttingDown];
        }
        if self.failed.is_cancelled() {
            return vec![NotReady::Failed];
        }
        let before = self.store.vitals();
        let chat = || Arc::clone(&self.door.chat);
        let (writer, readers, publisher, inside) = (chat(), chat(), chat(), Arc::clone(self));
        let (writer, readers, publisher, sessions) = tokio::join!(
            self.writer.ask(within, before.beats, async move { writer.ask_writer().await }),
            self.readers.ask(within, before.readings, async move { readers.ask_reader().await }),
            self.publisher.ask(within, 0, async move { publisher.ask_publisher().await }),
            self.sessions.ask(within, 0, async move { inside.say_hello().await }),
        );
        if self.stop.is_cancelled() {
            return vec![NotReady::ShuttingDown];
        }
        let now = self.store.vitals();
        let silent = |part, hangs| NotReady::Silent { part, within, hangs };
        let mut problems = Vec::new();
        // Those whom no disk holds up come first.
        for (part, answer) in [(Part::Publisher, publisher), (Part::Sessions, sessions)] {
            match answer {
                Answer::Came(Ok(())) => {}
                Answer::Came(Err(_)) => problems.push(NotReady::Failed),
                Answer::None { stands_still } => problems.push(silent(part, stands_still >= BUSY)),
            }
        }
        match writer {
            Answer::Came(Ok(())) => {}
            Answer::Came(Err(StoreError::Closed)) => problems.push(NotReady::Failed),
            Answer::Came(Err(error)) => problems.push(NotReady::Storage(error)),
            Answer::None { stands_still } => {
                let works = now.at_work.is_some_and(|time| time < PATIENCE);
                problems.push(silent(Part::Writer, !works && stands_still >= BUSY));
            }
        }
        match readers {
            Answer::Came(Ok(())) => {}
            Answer::Came(Err(StoreError::Closed)) => problems.push(NotReady::Failed),
            Answer::Came(Err(error)) => problems.push(NotReady::Reading(error)),
            Answer::None { stands_still } => problems.push(silent(Part::Readers, stands_still >= PATIENCE)),
        }
        problems
    }

    /// Says hello to the server, as any connection does.
    async fn say_hello(&self) -> Result<(), StoreError> {
        Client::over(self.door.pipe(Origin::Host))
            .timeout(PATIENCE)
            .connect()
            .await
            .map(drop)
            .map_err(StoreError::unavailable)
    }
}

/// A question, asked once at a time.
#[derive(Default)]
struct Question {
    pending: Mutex<Option<Pending>>,
}

/// A question that was not answered yet when somebody looked.
struct Pending {
    answer: watch::Receiver<Option<Result<(), StoreError>>>,
    /// How far whoever was asked had come, and when that was seen first.
    progress: u64,
    seen: Instant,
}

/// What came of a question.
enum Answer {
    /// An answer.
    Came(Result<(), StoreError>),
    /// None came in time, and for so long whoever was asked has not got on.
    None { stands_still: Duration },
}

impl Question {
    /// Asks, or waits for the answer to what was asked before. `progress` says how far whoever is asked has come.
    async fn ask(
        &self,
        within: Duration,
        progress: u64,
        asking: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Answer {
        let (mut answer, seen) = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *pending {
                // An answer that is there already says nothing of now.
                Some(known) if known.answer.borrow().is_none() && known.answer.has_changed().is_ok() => {
                    if known.progress != progress {
                        (known.progress, known.seen) = (progress, Instant::now());
                    }
                    (known.answer.clone(), known.seen)
                }
                _ => {
                    let (said, answer) = watch::channel(None);
                    tokio::spawn(async move { drop(said.send(Some(asking.await))) });
                    let seen = Instant::now();
                    *pending = Some(Pending { answer: answer.clone(), progress, seen });
                    (answer, seen)
                }
            }
        };
        let answer = timeout(within, answer.wait_for(Option::is_some)).await;
        match answer {
            Ok(Ok(answer)) => Answer::Came(answer.clone().unwrap_or(Err(StoreError::Closed))),
            // It panicked.
            Ok(Err(_)) => Answer::Came(Err(StoreError::Closed)),
            Err(_) => Answer::None { stands_still: seen.elapsed() },
        }
    }
}
