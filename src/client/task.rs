//! The one task that owns the connection: it sends what callers ask, sorts what comes, and gets a new connection when
//! the old one is gone. Callers only ever wait for it, so that none of their futures holds anything half done.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::{Joined, Json, LoggedIn, Resumed, ResumedRoom, Room};
use super::block::Blocked;
use super::builder::Identity;
use super::dial::{self, Backoff, Session, Target};
use super::error::ClientError;
use super::event::Event;
use super::events::Hub;
use super::follow::{Follows, Verdict};
use super::link::{Lines, Output};
use super::pending::{Command, Frame, Pending, Sort};
use super::wire::{self, Ask, Incoming};
use super::{Known, Start};
use crate::protocol::Kind;

/// How much may wait to be sent before no further request is taken.
const MAX_OUTPUT_BYTES: usize = 256 * 1024;
/// A connection that has lasted this long was a good one: its loss begins a new series of attempts.
const LASTING: Duration = Duration::from_secs(10);
/// After this long without a byte the server is asked whether it is still there ...
const SILENCE: Duration = Duration::from_secs(30);
/// ... and after this long without one the connection is given up.
const DEAD: Duration = Duration::from_secs(60);
/// However long a server says that it will be away, it is looked for after this long.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(60);
/// How long the last bytes may take when the client is closed.
const FAREWELL: Duration = Duration::from_secs(1);
/// Before what was refused for want of storage is asked again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Task {
    /// Where to reconnect to, if at all.
    pub(super) target: Option<Target>,
    pub(super) name: Box<str>,
    pub(super) timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) identity: Identity,
    pub(super) commands: mpsc::Receiver<Command>,
    /// The client was closed, or nobody holds it any more.
    pub(super) stop: CancellationToken,
    /// Somebody does not want to wait for the next attempt to reconnect.
    pub(super) hurry: Arc<Notify>,
    pub(super) hub: Arc<Hub>,
    pub(super) known: Arc<Mutex<Known>>,
    pub(super) pending: Pending,
    pub(super) follows: Follows,
    /// What blocked users say is handed on like everything else.
    pub(super) show_blocked: bool,
    /// The server said that it stops, and when to come back.
    pub(super) shutdown: Option<Duration>,
    /// When to ask for the followed rooms again.
    pub(super) resume_at: Option<Instant>,
}

/// Why a connection is not served any more.
enum End {
    /// The client was closed.
    Stopped,
    /// The connection is gone.
    Lost(String),
}

impl Task {
    /// Takes in what a login has brought.
    pub(super) fn begin(mut self, session: &Session) -> Task {
        self.learn(session);
        self
    }

    /// Serves one connection after the other.
    pub(super) async fn run(mut self, mut session: Session) {
        loop {
            let since = Instant::now();
            let End::Lost(reason) = self.serve(session.lines, session.output).await else { break };
            if since.elapsed() > LASTING {
                self.backoff.reset();
            }
            self.pending.lost();
            match self.redial(reason).await {
                Some(next) => session = next,
                None => break,
            }
        }
        self.commands.close();
        self.pending.end();
        self.hub.end();
    }

    /// Serves a connection until it is lost or the client is closed.
    ///
    /// Each branch of the `select!` can be cancelled without loss: the link keeps what it has read or written, a
    /// command is either taken or stays in its queue, and everything else happens between two rounds.
    async fn serve(&mut self, mut lines: Lines, mut output: Output) -> End {
        let mut heard = Instant::now();
        let mut asked_alive = false;
        loop {
            let reading = loop {
                if !self.hub.has_room(self.pending.is_asked()) {
                    break false;
                }
                match lines.next() {
                    Ok(None) => break true,
                    Ok(Some(line)) => {
                        if let ControlFlow::Break(end) = self.take(line) {
                            return end;
                        }
                    }
                    Err(error) => return End::Lost(error.to_string()),
                }
            };
            if self.resume_at.is_some_and(|at| at <= Instant::now()) {
                self.resume_at = None;
                self.ask_resume(&mut output);
            }
            let silent_at = heard + if asked_alive { DEAD } else { SILENCE };
            let wake_at = self.resume_at.map_or(silent_at, |at| at.min(silent_at));
            let watching = self.resume_at.is_some() || (reading && self.target.is_some());
            tokio::select! {
                () = self.stop.cancelled() => {
                    // The server sees the end in any case; a peer that takes nothing must not hold up the caller.
                    let _ = timeout(FAREWELL, output.finish()).await;
                    return End::Stopped;
                }
                written = output.write(), if output.has_work() => {
                    if let Err(error) = written {
                        return End::Lost(error.to_string());
                    }
                }
                read = lines.read(), if reading => match read {
                    Ok(0) => return End::Lost("the server closed the connection".to_owned()),
                    Ok(_) => (heard, asked_alive) = (Instant::now(), false),
                    Err(error) => return End::Lost(error.to_string()),
                },
                () = self.hub.space.notified(), if !reading => heard = Instant::now(),
                command = self.commands.recv(), if self.pending.has_room() && output.len() < MAX_OUTPUT_BYTES => {
                    // When all senders are gone the stop is near; until then there is nothing to do here.
                    if let Some(command) = command.filter(|command| !is_abandoned(command)) {
                        self.send(command, &mut output);
                    }
                }
                () = sleep_until(wake_at), if watching => {
                    if reading && heard.elapsed() >= DEAD {
                        return End::Lost("the server is silent".to_owned());
                    }
                    if reading && !asked_alive && heard.elapsed() >= SILENCE {
                        asked_alive = true;
                        if let Ok(body) = Ask::new(Kind::Ping).encode() {
                            self.send(Command { frame: Frame { body, sort: Sort::KeepAlive }, reply: None }, &mut output);
                        }
                    }
                }
            }
        }
    }

    fn send(&mut self, command: Command, output: &mut Output) {
        let id = self.pending.insert(command);
        self.send_again(id, output);
    }

    fn send_again(&self, id: u64, output: &mut Output) {
        if let Some(body) = self.pending.body(id) {
            wire::number(body, id, output.buffer());
        }
    }

    fn ask_resume(&mut self, output: &mut Output) {
        let bodies: Vec<_> = self
            .follows
            .places()
            .into_iter()
            .filter_map(|rooms| Ask::new(Kind::Resume).with("rooms", rooms).encode().ok())
            .collect();
        for body in bodies {
            self.send(Command { frame: Frame { body, sort: Sort::Resume }, reply: None }, output);
        }
    }

    /// One line of the server.
    fn take(&mut self, line: &[u8]) -> ControlFlow<End> {
        match wire::incoming(line) {
            Ok(Incoming::Event(event)) => {
                self.tell(*event);
                ControlFlow::Continue(())
            }
            Ok(Incoming::Answer { id: Some(id), answer }) => match self.pending.take(id) {
                Some(command) => self.answer(command, answer),
                // Nothing waits under that id: a server that makes things up, which harms nobody.
                None => ControlFlow::Continue(()),
            },
            // It is about the connection, and the server is about to close it.
            Ok(Incoming::Answer { id: None, answer: Err(error) }) => ControlFlow::Break(End::Lost(error.to_string())),
            Ok(Incoming::Answer { id: None, answer: Ok(_) }) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(End::Lost(error.to_string())),
        }
    }

    fn tell(&mut self, mut event: Event) {
        if let Some((room, seq)) = event.entry() {
            let room = match &event {
                Event::Room(change) => self.follows.changed(change),
                _ => room,
            };
            match self.follows.accept(room, seq.0) {
                Verdict::Seen => return,
                Verdict::New => {}
                Verdict::NewIn(name) => event.set_room(name),
            }
        }
        match &event {
            Event::Shutdown { retry_after, .. } => self.shutdown = Some(retry_after.unwrap_or_default()),
            Event::Removed(removed) => self.follows.forget(&removed.room),
            _ => {}
        }
        if !self.show_blocked && event.speaker().is_some_and(|name| self.known().blocked.contains(name)) {
            if let Some((room, seq)) = event.entry() {
                self.hub.publish(Event::Hidden { room: room.to_owned(), seq });
            }
            return;
        }
        self.hub.publish(event);
    }

    fn answer(&mut self, command: Command, answer: Result<Json, ClientError>) -> ControlFlow<End> {
        let answer = match answer {
            Ok(json) => self.note(command.frame.sort, &json).map(|()| json),
            Err(refusal) if matches!(command.frame.sort, Sort::Resume) => {
                // The rooms must be followed again, or entries would be missing without a word.
                let passing = refusal.retry_after().or(match refusal.code() {
                    Some(crate::protocol::Code::StorageUnavailable | crate::protocol::Code::Internal) => Some(PAUSE),
                    _ => None,
                });
                let Some(wait) = passing else { return ControlFlow::Break(End::Lost(refusal.to_string())) };
                self.resume_at = Some(Instant::now() + wait.min(LONGEST_SHUTDOWN));
                return ControlFlow::Continue(());
            }
            Err(refusal) => Err(match command.frame.sort {
                Sort::Login(_) => refusal.of_login(),
                _ => refusal,
            }),
        };
        if let Some(reply) = command.reply {
            // Whoever gave up waiting does not want to know.
            let _ = reply.send(answer);
        } else if let Err(error) = answer {
            return ControlFlow::Break(End::Lost(error.to_string()));
        }
        ControlFlow::Continue(())
    }

    /// What an answer changes for the client itself, in the order of the stream: the entries behind it already count
    /// by what it says.
    fn note(&mut self, sort: Sort, json: &Json) -> Result<(), ClientError> {
        match sort {
            Sort::Join(start) => {
                let joined: Joined = wire::answer(json.clone())?;
                self.follows.joined(&joined, &start);
            }
            Sort::Unfollow | Sort::Leave => {
                let left: Room = wire::answer(json.clone())?;
                self.follows.forget(&left.room);
            }
            Sort::Login(identity) => {
                let login: LoggedIn = wire::answer(json.clone())?;
                self.identity = identity;
                self.learn_login(login);
            }
            Sort::Rooms(starts) => {
                let resumed: Resumed = wire::answer(json.clone())?;
                for room in &resumed.rooms {
                    let ResumedRoom::Followed(joined) = room else { continue };
                    let start = starts.iter().find(|(room, _)| *room == joined.room).map(|(_, start)| start);
                    // Under a name that was not asked for: the first entry that comes is right, whichever it is.
                    self.follows.joined(joined, start.unwrap_or(&Start::Backlog(u64::MAX)));
                }
            }
            Sort::Logout => {
                self.identity = Identity::Nobody;
                self.follows.clear();
                let mut known = self.known();
                (known.login, known.blocked) = (None, Blocked::default());
            }
            Sort::Password(new) => {
                if let Identity::Account { password, .. } = &mut self.identity {
                    *password = new;
                }
            }
            Sort::Block(name) => self.known().blocked.insert(&name),
            Sort::Unblock(name) => self.known().blocked.remove(&name),
            Sort::Resume => {
                let resumed: Resumed = wire::answer(json.clone())?;
                let rooms = resumed.rooms.into_iter().map(|room| self.follows.resumed(room)).collect();
                self.hub.publish(Event::Resumed(rooms));
            }
            Sort::Read | Sort::Message | Sort::Change | Sort::KeepAlive => {}
        }
        Ok(())
    }

    /// Tries until there is a session again; `None` when there will be none.
    async fn redial(&mut self, mut reason: String) -> Option<Session> {
        loop {
            let Some(target) = &self.target else {
                self.hub.publish(Event::Disconnected { reason, retry_in: None });
                return None;
            };
            let wait = self.backoff.next(chance()).max(self.shutdown.take().unwrap_or_default().min(LONGEST_SHUTDOWN));
            self.hub.publish(Event::Disconnected { reason, retry_in: Some(wait) });
            let (stop, hurry) = (self.stop.clone(), Arc::clone(&self.hurry));
            let attempt = async {
                // That the wait is over or cut short is the same.
                let _ = timeout(wait, hurry.notified()).await;
                timeout(self.timeout, self.dial(target)).await.map_err(|_| ClientError::Timeout)?
            };
            let error = match stop.run_until_cancelled(attempt).await? {
                Ok(mut session) => {
                    self.take_up(&mut session);
                    return Some(session);
                }
                Err(error) => error,
            };
            if let Some(wait) = error.retry_after() {
                self.shutdown = Some(wait);
            }
            reason = describe(&error);
            if dial::is_final(&error) {
                self.hub.publish(Event::Disconnected { reason, retry_in: None });
                return None;
            }
        }
    }

    async fn dial(&self, target: &Target) -> Result<Session, ClientError> {
        dial::greet(target.open().await?, &target.address, &self.name, &self.identity).await
    }

    /// Takes up what was there before: the rooms first, because a guest becomes a member again with that, then what
    /// had been asked.
    fn take_up(&mut self, session: &mut Session) {
        self.learn(session);
        if session.new_guest {
            self.pending.lost_identity();
        }
        self.resume_at = None;
        self.hub.publish(Event::Connected { new_guest: session.new_guest });
        let again = self.pending.again();
        self.ask_resume(&mut session.output);
        for id in again {
            self.send_again(id, &mut session.output);
        }
    }

    fn learn(&mut self, session: &Session) {
        self.known().hello = Arc::new(session.hello.clone());
        if let Some(login) = session.login.clone() {
            self.learn_login(login);
        }
    }

    fn learn_login(&mut self, login: LoggedIn) {
        if login.guest {
            self.identity = Identity::Guest { username: login.username.as_str().into(), token: login.token.clone() };
        }
        let mut known = self.known();
        known.blocked = Blocked::new(&login.blocked);
        known.login = Some(Arc::new(login));
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_abandoned(command: &Command) -> bool {
    command.reply.as_ref().is_some_and(tokio::sync::oneshot::Sender::is_closed)
}

/// An error with what is behind it.
fn describe(error: &ClientError) -> String {
    match error {
        ClientError::Connect { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

/// A random number; without any, clients that lost the same server would come back in step, which is no disaster.
fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
