//! How hooks are asked: each on a thread that may block, behind so many places, with a deadline. Whatever a hook does, the
//! task that asks only waits, and not for long.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::chat::figures::one_more;
use crate::chat::happenings::{Happening, ServerEvents};
use crate::chat::hooks::{Attempt, Authentication, Connection, Decision, Hooks, Identity, Login, NewMessage, Verdict};
use crate::model::{Line, text};
use crate::protocol::{Code, Refusal};

/// How many calls may be under way at once.
const MOST_ASKED: usize = 64;
/// How long whoever asks waits, unless it was told otherwise.
const DEADLINE: Duration = Duration::from_secs(2);
/// No deadline is longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How often it is logged at most that hooks fail.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// The hooks, as they are called in figures.
pub const HOOKS: [&str; 5] = ["on_connect", "authenticate", "authorize", "before_message", "on_event"];

/// Which of [`HOOKS`].
#[derive(Clone, Copy)]
enum Which {
    OnConnect,
    Authenticate,
    Authorize,
    BeforeMessage,
    OnEvent,
}

impl Which {
    fn as_str(self) -> &'static str {
        HOOKS[self as usize]
    }
}

/// What somebody answers when there is time for it.
type Answering<'a, A> = Pin<Box<dyn Future<Output = A> + Send + 'a>>;

/// [`Hooks`] of whatever type.
trait Erased: Send + Sync + 'static {
    fn on_connect<'a>(&'a self, connection: &'a Connection) -> Answering<'a, Decision>;
    fn authenticate<'a>(&'a self, login: &'a Login) -> Answering<'a, Authentication>;
    fn authorize<'a>(&'a self, attempt: &'a Attempt) -> Answering<'a, Decision>;
    fn before_message<'a>(&'a self, message: &'a NewMessage) -> Answering<'a, Verdict>;
    fn on_event<'a>(&'a self, event: &'a Happening) -> Answering<'a, ()>;
}

impl<H: Hooks> Erased for H {
    fn on_connect<'a>(&'a self, connection: &'a Connection) -> Answering<'a, Decision> {
        Box::pin(Hooks::on_connect(self, connection))
    }

    fn authenticate<'a>(&'a self, login: &'a Login) -> Answering<'a, Authentication> {
        Box::pin(Hooks::authenticate(self, login))
    }

    fn authorize<'a>(&'a self, attempt: &'a Attempt) -> Answering<'a, Decision> {
        Box::pin(Hooks::authorize(self, attempt))
    }

    fn before_message<'a>(&'a self, message: &'a NewMessage) -> Answering<'a, Verdict> {
        Box::pin(Hooks::before_message(self, message))
    }

    fn on_event<'a>(&'a self, event: &'a Happening) -> Answering<'a, ()> {
        Box::pin(Hooks::on_event(self, event))
    }
}

/// The program that the chat lives in, as far as it has hooks.
pub struct Host {
    hooks: Arc<dyn Erased>,
    deadline: Duration,
    places: Arc<Semaphore>,
    /// Happenings are told one after the other.
    telling: Arc<Semaphore>,
    /// Accounts are made for it one after the other, so that two first logins of one user do not hinder each other.
    pub(in crate::chat) making: tokio::sync::Mutex<()>,
    asked: [AtomicU64; HOOKS.len()],
    panicked: AtomicU64,
    timed_out: AtomicU64,
    warned: Mutex<Option<Instant>>,
}

/// How hooks fared.
#[derive(Clone, Copy, Debug, Default)]
pub struct HookFigures {
    /// How often each was asked, in the order of [`HOOKS`].
    pub asked: [u64; HOOKS.len()],
    /// How many calls panicked.
    pub panicked: u64,
    /// How many calls took too long, or found no place in time.
    pub timed_out: u64,
}

impl Host {
    /// One that has these hooks.
    pub fn new(hooks: impl Hooks) -> Host {
        Host {
            hooks: Arc::new(hooks),
            deadline: DEADLINE,
            places: Arc::new(Semaphore::new(MOST_ASKED)),
            telling: Arc::new(Semaphore::new(1)),
            making: tokio::sync::Mutex::default(),
            asked: Default::default(),
            panicked: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            warned: Mutex::default(),
        }
    }

    /// The same, with another deadline.
    pub fn within(self, deadline: Duration) -> Host {
        Host { deadline: deadline.min(LONGEST), ..self }
    }

    /// Whether a connection may come in.
    ///
    /// # Errors
    /// `forbidden`; or `internal`, where the hook failed.
    pub async fn admits(&self, connection: Connection) -> Result<(), Refusal> {
        decided(self.ask(Which::OnConnect, connection, |hooks, connection| hooks.on_connect(connection)).await?)
    }

    /// Who somebody is; nobody that it knows, perhaps.
    ///
    /// # Errors
    /// `bad_credentials`; or `internal`, where the hook failed.
    pub(in crate::chat) async fn identify(&self, login: Login) -> Result<Option<Identity>, Refusal> {
        match self.ask(Which::Authenticate, login, |hooks, login| hooks.authenticate(login)).await? {
            Authentication::NotMine => Ok(None),
            Authentication::Accept(identity) => Ok(Some(identity)),
            Authentication::Refuse(reason) => Err(refused(Code::BadCredentials, &reason)),
        }
    }

    /// Whether somebody may do something.
    ///
    /// # Errors
    /// `forbidden`; or `internal`, where the hook failed.
    pub(in crate::chat) async fn authorizes(&self, attempt: Attempt) -> Result<(), Refusal> {
        decided(self.ask(Which::Authorize, attempt, |hooks, attempt| hooks.authorize(attempt)).await?)
    }

    /// Whether something may be said; and the text with which, if not with its own.
    ///
    /// # Errors
    /// `forbidden`; or `internal`, where the hook failed.
    pub(in crate::chat) async fn hears(&self, message: NewMessage) -> Result<Option<String>, Refusal> {
        match self.ask(Which::BeforeMessage, message, |hooks, message| hooks.before_message(message)).await? {
            Verdict::Allow => Ok(None),
            Verdict::Change(text) => Ok(Some(text)),
            Verdict::Refuse(reason) => Err(refused(Code::Forbidden, &reason)),
        }
    }

    /// Tells it what happens, one after the other, for as long as anything does.
    pub async fn listen(self: Arc<Host>, mut events: ServerEvents) {
        while let Some(happening) = events.next().await {
            // Where a call blocks its thread beyond the deadline, nothing more is told until it returns.
            let Ok(place) = Arc::clone(&self.telling).acquire_owned().await else { return };
            let call = self.call(place, happening, |hooks, event| hooks.on_event(event));
            // That it failed was counted, and nobody waits for it.
            let _ = self.outcome(Which::OnEvent, timeout(self.deadline, call).await);
        }
    }

    /// How its hooks fared until now.
    pub(in crate::chat) fn figures(&self) -> HookFigures {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HookFigures {
            asked: std::array::from_fn(|which| load(&self.asked[which])),
            panicked: load(&self.panicked),
            timed_out: load(&self.timed_out),
        }
    }

    /// Asks a hook.
    ///
    /// # Errors
    /// `internal`: it panicked, or did not answer in time.
    async fn ask<Q: Send + 'static, A: Send + 'static>(
        &self,
        which: Which,
        question: Q,
        ask: for<'a> fn(&'a dyn Erased, &'a Q) -> Answering<'a, A>,
    ) -> Result<A, Refusal> {
        let call = async {
            match Arc::clone(&self.places).acquire_owned().await {
                Ok(place) => self.call(place, question, ask).await,
                // Nobody closes it.
                Err(_) => Called::Late,
            }
        };
        self.outcome(which, timeout(self.deadline, call).await)
    }

    /// Calls a hook on a thread of its own, which keeps the place until the hook has returned.
    async fn call<Q: Send + 'static, A: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        question: Q,
        ask: for<'a> fn(&'a dyn Erased, &'a Q) -> Answering<'a, A>,
    ) -> Called<A> {
        let (hooks, deadline, handle) = (Arc::clone(&self.hooks), self.deadline, Handle::current());
        let called = spawn_blocking(move || {
            let _place = place;
            // One that only awaits is dropped at the deadline, and its thread is free again.
            handle.block_on(async { timeout(deadline, ask(&*hooks, &question)).await.ok() })
        });
        match called.await {
            Ok(Some(answer)) => Called::Answered(answer),
            Ok(None) => Called::Late,
            Err(error) if error.is_panic() => Called::Panicked,
            // The runtime ends.
            Err(_) => Called::Late,
        }
    }

    /// Counts what came of a call.
    fn outcome<A>(&self, which: Which, called: Result<Called<A>, tokio::time::error::Elapsed>) -> Result<A, Refusal> {
        one_more(&self.asked[which as usize]);
        let (count, what) = match called {
            Ok(Called::Answered(answer)) => return Ok(answer),
            Ok(Called::Panicked) => (&self.panicked, "panicked"),
            Ok(Called::Late) | Err(_) => (&self.timed_out, "took too long"),
        };
        one_more(count);
        let now = Instant::now();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|last| now.saturating_duration_since(last) >= WARN_EVERY) {
            *warned = Some(now);
            drop(warned);
            let HookFigures { panicked, timed_out, .. } = self.figures();
            tracing::warn!(
                hook = which.as_str(),
                panicked,
                timed_out,
                "a hook {what}; its request is answered internal"
            );
        }
        Err(Code::Internal.into())
    }
}

/// What came of a call.
enum Called<A> {
    Answered(A),
    Panicked,
    Late,
}

fn decided(decision: Decision) -> Result<(), Refusal> {
    match decision {
        Decision::Allow => Ok(()),
        Decision::Refuse(reason) => Err(refused(Code::Forbidden, &reason)),
    }
}

/// A refusal with the reason of a hook, as far as it can be told: on one line, without control characters, not too long.
pub(super) fn refused(code: Code, reason: &str) -> Refusal {
    let reason = text::safe(reason.trim(), false);
    let mut end = reason.len().min(Line::MAX_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = Line::parse(&reason[..end]).ok().filter(|reason| !reason.is_empty());
    if reason.is_none() { code.into() } else { Refusal::from(code).because(reason, None) }
}
