//! The loop: what happens goes into the state, what the state wants done is done, and what it has become is drawn.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, MouseEventKind};
use futures_core::Stream as _;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::ask::{Answer, perform};
use super::notify;
use super::settings::Settings;
use super::state::{Connection, Effect, Input, State};
use super::terminal::Terminal;
use crate::Client;
use crate::client::{ClientError, Event, Events};
use crate::model::Time;

/// No two frames are closer than this: nobody sees more, and a flood costs no more than this.
const FRAME: Duration = Duration::from_millis(16);
/// How many things may happen before a frame is drawn in any case.
const MANY: usize = 512;
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the program tells the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// Give the terminal back and return.
    Quit,
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// The terminal may show something else: draw it anew.
    Redraw,
}

/// How the screen came to its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What was typed and not acknowledged: room and text. Whoever prints it makes it harmless.
    pub unsent: Vec<(String, String)>,
}

/// A future that ends with another session, or with the reason why there is none.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Client, ClientError>> + Send>>;

/// Shows the full screen on standard output until the user leaves it.
///
/// `client` is logged in; `connect` makes another session for the same user where that one has ended for good and the user
/// asks for it; `room` is the room to begin in. `suspend` stops the process (the terminal is given back meanwhile), and
/// returns when it goes on.
///
/// # Errors
/// What the terminal says; then it was given back all the same.
pub async fn run(
    client: Client,
    connect: impl Fn() -> Connecting,
    room: Option<String>,
    settings: Settings,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    suspend: impl Fn() -> io::Result<()>,
) -> io::Result<Outcome> {
    let prefix = format!("{:016x}", getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?);
    let mut state = State::new(settings, TimeZone::system(), prefix, room);
    let mut session = Session::new(client);
    let mut terminal = Terminal::enter(&state.settings)?;
    state.size = terminal.size()?;
    let mut keys = Some(EventStream::new());
    let mut answers: JoinSet<Option<Answer>> = JoinSet::new();
    let mut connecting: Option<Connecting> = None;
    let mut todo = state.update(session.greeting(), now());
    let mut drawn_at = Instant::now() - FRAME;
    loop {
        for effect in std::mem::take(&mut todo) {
            match effect {
                Effect::Ask(ask) => {
                    let client = session.client.clone();
                    answers.spawn(async move { Some(perform(&client, ask).await) });
                }
                Effect::Ring { title, text } => {
                    let Settings { notify, in_tmux, notify_command, .. } = &state.settings;
                    terminal.write(&notify::sequence(*notify, &title, &text, *in_tmux))?;
                    let command = notify_command.clone();
                    answers.spawn(async move {
                        notify::run(command, title, text).await;
                        None
                    });
                }
                Effect::Reconnect => match state.connection {
                    Connection::Ended { .. } => connecting = Some(connect()),
                    _ => session.client.reconnect_now(),
                },
                Effect::Redraw => terminal.redraw()?,
                Effect::Suspend => {
                    // Whoever reads keys meanwhile would take them from the shell.
                    drop(keys.take());
                    terminal.pause(&suspend)?;
                    keys = Some(EventStream::new());
                    state.size = terminal.size()?;
                }
                Effect::Quit => {
                    drop(terminal);
                    return Ok(leave(session, &state).await);
                }
            }
        }
        // A frame takes in all that has happened since the last one.
        if drawn_at.elapsed() >= FRAME {
            let drawn = terminal.draw(&state)?;
            drawn_at = Instant::now();
            if let Some((key, seen, at_top)) = drawn.shown {
                todo = state.update(Input::Shown { key, seen, at_top }, now());
                if state.take_stale() {
                    terminal.draw(&state)?;
                }
                if !todo.is_empty() {
                    continue;
                }
            }
            let idle = state.next_wake().map(wait);
            let next = next(&mut session.events, &mut keys, &mut answers, &mut signals, &mut connecting, idle).await?;
            todo = take(&mut state, &mut session, next);
        } else {
            let frame = Some(drawn_at + FRAME);
            let mut taken = 0;
            while drawn_at.elapsed() < FRAME && taken < MANY && todo.is_empty() {
                let next =
                    next(&mut session.events, &mut keys, &mut answers, &mut signals, &mut connecting, frame).await?;
                todo.extend(take(&mut state, &mut session, next));
                taken += 1;
            }
            if taken >= MANY {
                drawn_at -= FRAME;
            }
        }
    }
}

/// A session, and what it tells.
struct Session {
    client: Client,
    events: Option<Events>,
}

impl Session {
    fn new(client: Client) -> Session {
        let events = Some(client.events());
        Session { client, events }
    }

    /// What the session begins with.
    fn greeting(&self) -> Input {
        let hello = self.client.hello();
        let Some(login) = self.client.logged_in() else { return Input::Ended("nobody is logged in".to_owned()) };
        Input::Session {
            login: Box::new((*login).clone()),
            server: hello.name.clone(),
            motd: hello.motd.clone(),
            max_text_bytes: hello.limits.max_text_bytes,
        }
    }

    /// What the session goes on with after its connection was lost and found.
    fn back(&self, new_guest: bool) -> Input {
        match self.client.logged_in() {
            Some(login) => Input::Back { new_guest, login: Box::new((*login).clone()) },
            None => Input::Told(Event::Connected { new_guest }),
        }
    }
}

/// Something that happened to the loop.
enum Next {
    Input(Box<Input>),
    Quit,
    Suspend,
    Redraw,
    Connected(Result<Client, ClientError>),
}

impl From<Input> for Next {
    fn from(input: Input) -> Next {
        Next::Input(Box::new(input))
    }
}

fn take(state: &mut State, session: &mut Session, next: Next) -> Vec<Effect> {
    match next {
        Next::Input(input) => {
            let input = match *input {
                Input::Told(Event::Connected { new_guest }) => session.back(new_guest),
                input => input,
            };
            state.update(input, now())
        }
        Next::Quit => vec![Effect::Quit],
        Next::Suspend => vec![Effect::Suspend],
        Next::Redraw => vec![Effect::Redraw],
        Next::Connected(Ok(client)) => {
            *session = Session::new(client);
            state.update(session.greeting(), now())
        }
        Next::Connected(Err(error)) => state.update(Input::Ended(error.to_string()), now()),
    }
}

/// Waits for the next thing that happens, or until a moment.
///
/// Nothing is lost where another branch is ready first: keys, events, answers and signals stay where they are until they
/// are taken.
async fn next(
    events: &mut Option<Events>,
    keys: &mut Option<EventStream>,
    answers: &mut JoinSet<Option<Answer>>,
    signals: &mut mpsc::UnboundedReceiver<Signal>,
    connecting: &mut Option<Connecting>,
    until: Option<Instant>,
) -> io::Result<Next> {
    loop {
        let wake = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.recv() => return Ok(match signal {
                Some(Signal::Quit) | None => Next::Quit,
                Some(Signal::Suspend) => Next::Suspend,
                Some(Signal::Redraw) => Next::Redraw,
            }),
            key = key(keys) => match key {
                Some(event) => if let Some(input) = input(event?) {
                    return Ok(input.into());
                },
                // The terminal is gone.
                None => return Ok(Next::Quit),
            },
            event = event(events) => match event {
                Some(event) => return Ok(Input::Told(event).into()),
                // The last event has said why.
                None => *events = None,
            },
            Some(answer) = answers.join_next(), if !answers.is_empty() => match answer {
                Ok(Some(answer)) => return Ok(Input::Answered(answer).into()),
                Ok(None) => {}
                // A defect is not to be hidden behind a screen that goes on.
                Err(error) => if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                },
            },
            connected = connected(connecting) => {
                *connecting = None;
                return Ok(Next::Connected(connected));
            }
            () = wake => return Ok(Input::Tick.into()),
        }
    }
}

async fn key(keys: &mut Option<EventStream>) -> Option<io::Result<TerminalEvent>> {
    match keys {
        Some(keys) => poll_fn(|context| Pin::new(&mut *keys).poll_next(context)).await,
        None => std::future::pending().await,
    }
}

async fn event(events: &mut Option<Events>) -> Option<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn connected(connecting: &mut Option<Connecting>) -> Result<Client, ClientError> {
    match connecting {
        Some(connecting) => connecting.await,
        None => std::future::pending().await,
    }
}

fn input(event: TerminalEvent) -> Option<Input> {
    Some(match event {
        TerminalEvent::Key(key) => Input::Key(key),
        TerminalEvent::Paste(text) => Input::Paste(text),
        TerminalEvent::Resize(columns, rows) => Input::Resize(columns, rows),
        TerminalEvent::FocusGained => Input::Focus(true),
        TerminalEvent::FocusLost => Input::Focus(false),
        TerminalEvent::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollUp => Input::Wheel(-3),
            MouseEventKind::ScrollDown => Input::Wheel(3),
            _ => return None,
        },
    })
}

/// Ends the session; the server is told, and nobody waits long for it.
async fn leave(session: Session, state: &State) -> Outcome {
    let Session { client, events } = session;
    // Whoever holds events without reading them would hold up the farewell.
    drop(events);
    let farewell = async {
        if state.guest {
            // So that the name is free at once.
            let _ = client.logout().await;
        }
        client.close().await;
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    Outcome { unsent: state.unsent() }
}

fn now() -> Time {
    Time(jiff::Timestamp::now().as_millisecond())
}

/// The moment of a time by the wall clock.
fn wait(until: Time) -> Instant {
    let left = until.0.saturating_sub(now().0).clamp(0, 3_600_000);
    // A millisecond more than is left: a wake-up just before it is due would be for nothing.
    Instant::now() + Duration::from_millis(left.unsigned_abs() + 1)
}
