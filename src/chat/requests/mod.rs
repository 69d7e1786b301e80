//! What each request does: one table of who may ask it and what it costs, and one match; then a file for each family.

pub(super) mod account;
pub(super) mod admin;
pub(super) mod direct;
mod history;
mod host;
mod moderate;
mod notice;
mod operator;
pub(super) mod rooms;
mod search;
mod settings;
mod suspend;
mod talk;

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::figures::one_more;
use crate::chat::online::Person;
use crate::chat::requests::talk::{Draft, What};
use crate::chat::room::Room;
use crate::chat::session::{Asking, Form, Next, Session};
use crate::model::{Line, RoomName, TextError, Username};
use crate::protocol::request::Request;
use crate::protocol::{Answer, Ask, Code, Kind, Refusal, Response, Tag};

/// What holds for a request before it is looked at.
struct Rule {
    /// Who is not logged in may not ask it.
    login: bool,
    /// It acts as if everything that was asked before were done, so it waits for that.
    settled: bool,
    /// The operator may ask it, who is nobody: nobody talks over the control socket, or has rooms there.
    operator: bool,
    cost: Cost,
}

/// How many rooms or names one answer holds at most.
const MOST_LINES: usize = 500;
/// About how many bytes a room takes in an answer, without its topic.
const LINE_BYTES: usize = 250;

/// What a request is paid with.
#[derive(PartialEq, Eq)]
enum Cost {
    /// With what a user may say.
    Talk,
    /// With everything else that a user may ask.
    Other,
}

/// Who may ask what, and what it costs.
fn rule(kind: Kind) -> Rule {
    use Cost::{Other, Talk};
    let (login, settled, operator, cost) = match kind {
        Kind::Hello | Kind::Help | Kind::Ping => (false, false, true, Other),
        // For clients that always log in.
        Kind::Login => (false, true, true, Other),
        Kind::Register | Kind::Enter => (false, true, false, Other),
        Kind::Message | Kind::Edit | Kind::Delete | Kind::React | Kind::Topic => (true, false, false, Talk),
        // An unknown request tells nothing to who is not logged in.
        Kind::Whoami | Kind::Unknown => (true, false, true, Other),
        Kind::Typing => (true, false, false, Other),
        Kind::Logout
        | Kind::Password
        | Kind::Token
        | Kind::Sessions
        | Kind::Block
        | Kind::Unblock
        | Kind::Create
        | Kind::Join
        | Kind::Resume
        | Kind::Unfollow
        | Kind::Leave
        | Kind::Invite
        | Kind::Kick
        | Kind::Ban
        | Kind::Unban
        | Kind::Mute
        | Kind::Unmute
        | Kind::Role
        | Kind::Room
        | Kind::DeleteRoom
        | Kind::History
        | Kind::Search
        | Kind::Read
        | Kind::Status
        | Kind::Report => (true, true, false, Other),
        Kind::DeleteAccount
        | Kind::Rooms
        | Kind::Names
        | Kind::Bans
        | Kind::Acts
        | Kind::Invitation
        | Kind::ServerRole
        | Kind::Suspend
        | Kind::Unsuspend
        | Kind::Suspensions
        | Kind::Disconnect
        | Kind::Level
        | Kind::Notice
        | Kind::ServerStatus
        | Kind::ServerSessions
        | Kind::Accounts
        | Kind::AddAccount
        | Kind::SetPassword
        | Kind::Reload
        | Kind::LogLevel => (true, true, true, Other),
    };
    Rule { login, settled, operator, cost }
}

/// Does what is asked. The answer comes out of the session in its order.
pub(super) fn handle(session: &Arc<Session>, ask: Ask) -> Asking {
    let Ask { tag, request } = ask;
    let rule = rule(tag.kind);
    let person = session.person();
    // Who is not logged in is told so before anything else.
    if rule.login && person.is_none() && !speaks_for_itself(session, &tag, &request) {
        return done(session, tag, Err(Code::NotLoggedIn.into()));
    }
    if operator::is_operator(session) && !rule.operator {
        return done(session, tag, Err(Code::Forbidden.into()));
    }
    let request = match request {
        Ok(request) => request,
        Err(refusal) => {
            // It costs like any other, but what is wrong with it is said all the same.
            let _ = session.spend_other(person.as_deref());
            return done(session, tag, Err(refusal));
        }
    };
    if rule.cost == Cost::Other
        && let Err(refusal) = session.spend_other(person.as_deref())
    {
        return done(session, tag, Err(refusal));
    }
    let host_is_asked = host::asked_about(session, tag.kind).is_some();
    if !rule.settled && !host_is_asked {
        return at_once(session, person, tag, request);
    }
    // Rare ones have their future on the heap: a session at rest does not hold the place for it.
    let session = Arc::clone(session);
    Asking::Later(Box::pin(async move {
        if rule.settled && session.settled().await == Next::Stop {
            return Next::Stop;
        }
        // Somebody may have ended the session meanwhile.
        let mut may = still_here(&session, person.as_ref());
        if host_is_asked && let (Ok(()), Some(person)) = (&may, &person) {
            // The next request waits for this one, so nothing changes places.
            may = host::authorize(&session, person, tag.kind, &request).await;
            may = may.and_then(|()| still_here(&session, Some(person)));
        }
        let answer = match may {
            Ok(()) if !rule.settled => {
                return match at_once(&session, person, tag, request) {
                    Asking::Done(next) => next,
                    Asking::Later(asking) => asking.await,
                };
            }
            Ok(()) => in_order(&session, person, request).await,
            Err(refusal) => Err(refusal),
        };
        count(&session.chat, tag.kind, &answer);
        session.answer(tag, answer);
        Next::Ask
    }))
}

/// Whether whoever asked is still logged in.
fn still_here(session: &Session, person: Option<&Arc<Person>>) -> Result<(), Refusal> {
    if person.is_none_or(|person| session.is_of(person)) { Ok(()) } else { Err(Code::NotLoggedIn.into()) }
}

/// Counts who comes in, and who tried in vain.
fn count(chat: &Chat, kind: Kind, answer: &Answer) {
    let counters = &chat.counters;
    match (kind, answer) {
        (Kind::Login | Kind::Enter, Ok(_)) => one_more(&counters.logins),
        (Kind::Login | Kind::Enter, Err(refusal)) if refusal.code == Code::BadCredentials => {
            one_more(&counters.bad_credentials);
        }
        (Kind::Register, Ok(_)) => one_more(&counters.registrations),
        _ => {}
    }
}

/// Whether a request is refused as what it is even before login: one without a word; and any unknown one of a course
/// client, many of which send whatever their user types, and whose user has to see that it is unknown.
fn speaks_for_itself(session: &Session, tag: &Tag, request: &Result<Request, Refusal>) -> bool {
    let unknown = tag.kind == Kind::Unknown;
    unknown && request.as_ref().is_err_and(|refusal| refusal.field.is_some() || session.form() == Form::Typed)
}

/// Requests that wait for nothing that was asked before.
fn at_once(session: &Arc<Session>, person: Option<Arc<Person>>, tag: Tag, request: Request) -> Asking {
    let answer = match (request, person) {
        (Request::Message { room, text, nonce, reply_to, action }, Some(person)) => {
            let what = What::Message { text, reply_to, action };
            return talk::post(session, person, tag, Draft { room, what, nonce });
        }
        (Request::Edit { room, target, text }, Some(person)) => {
            return talk::post(session, person, tag, Draft { room, what: What::Edit { target, text }, nonce: None });
        }
        (Request::Delete { room, target, reason }, Some(person)) => {
            return talk::post(
                session,
                person,
                tag,
                Draft { room, what: What::Delete { target, reason }, nonce: None },
            );
        }
        (Request::React { room, target, emoji, remove }, Some(person)) => {
            let what = What::React { target, emoji, remove };
            return talk::post(session, person, tag, Draft { room, what, nonce: None });
        }
        (Request::Topic { room, topic }, Some(person)) => {
            return talk::post(session, person, tag, Draft { room, what: What::Topic { topic }, nonce: None });
        }
        (Request::Hello { protocol, client }, _) => account::hello(session, protocol, client),
        (Request::Ping { data }, _) => Ok(Response::Pong { data, time: session.chat.clock.now() }),
        (Request::Help, _) => Ok(Response::Help),
        (Request::Whoami, Some(person)) => Ok(account::whoami(&person)),
        (Request::Typing { room }, Some(person)) => notice::typing(&session.chat, &person, &room),
        _ => Err(Code::Internal.into()),
    };
    done(session, tag, answer)
}

/// Requests that act as if everything that was asked before were done.
async fn in_order(session: &Arc<Session>, person: Option<Arc<Person>>, request: Request) -> Answer {
    let request = match &person {
        Some(person) if operator::is_operator(session) => match operator::obey(session, person, request).await {
            Ok(answer) => return answer,
            Err(request) => request,
        },
        _ => request,
    };
    match (request, person) {
        (Request::Login { username, credential }, _) => account::login(session, &username, credential).await,
        (Request::Register { username, password, invite }, _) => {
            account::register(session, &username, &password, invite).await
        }
        (Request::Enter { username, password, room, backlog, as_list }, _) => {
            account::enter(session, &username, password, &room, backlog, as_list).await
        }
        (Request::Logout, Some(_)) => account::logout(session),
        (request, Some(person)) => of_user(session, &person, request).await,
        _ => Err(Code::Internal.into()),
    }
}

/// What somebody asks who is logged in.
async fn of_user(session: &Arc<Session>, person: &Arc<Person>, request: Request) -> Answer {
    let chat = &*session.chat;
    match request {
        Request::Rooms { after } => Ok(rooms::list(chat, person, after.as_deref())),
        Request::Create { room, kind, topic } => rooms::create(session, person, &room, kind, &topic).await,
        Request::Join { room, start } => rooms::join(session, person, &room, start).await,
        Request::Resume { rooms } => rooms::resume(session, person, rooms).await,
        Request::Unfollow { room } => rooms::unfollow(session, person, &room),
        Request::Leave { room } => rooms::leave(session, person, &room).await,
        Request::Names { room: Some(room), after } => rooms::names(chat, person, &room, after.as_deref()).await,
        Request::Names { room: None, after } => Ok(rooms::everybody(chat, after.as_deref())),
        Request::Room { room, change } => settings::settings(session, person, &room, *change).await,
        Request::DeleteRoom { room } => settings::delete(session, person, &room).await,
        Request::Moderate(moderation) => moderate::moderate(session, person, *moderation).await,
        Request::Bans { room } => moderate::bans(chat, person, &room),
        Request::Report { room, target, username, reason } => {
            moderate::report(chat, person, &room, target, username, reason).await
        }
        Request::Acts { room, before, limit } => moderate::acts(chat, person, room.as_ref(), before, limit).await,
        Request::History { room, anchor, limit } => history::page(chat, person, &room, anchor, limit).await,
        Request::Search(search) => search::search(chat, person, *search).await,
        Request::Read { room, seq } => notice::read(session, person, &room, seq).await,
        Request::Status { away, text } => notice::status(chat, person, away, text),
        Request::Password { old, new } => account::password(session, person, &old, &new).await,
        Request::Token(action) => account::token(session, person, action).await,
        Request::Sessions { close } => account::sessions(session, person, close),
        Request::DeleteAccount { password, username } => account::delete(session, person, password, username).await,
        Request::Block { username } => account::block(session, person, &username).await,
        Request::Unblock { username } => account::unblock(session, person, &username).await,
        request => admin::administer(session, person, request).await,
    }
}

/// As many lines as one answer may hold: 500, and not more than about 240 KiB.
#[derive(Default)]
struct Fitting {
    lines: usize,
    bytes: usize,
}

impl Fitting {
    /// Whether one more line fits that says so many bytes, beside names and numbers.
    fn take(&mut self, said: usize) -> bool {
        self.lines += 1;
        // Each character may have to be escaped.
        self.bytes += LINE_BYTES + 2 * said;
        self.lines <= MOST_LINES && self.bytes < history::MOST_BYTES
    }
}

fn done(session: &Session, tag: Tag, answer: Answer) -> Asking {
    session.answer(tag, answer);
    Asking::Done(Next::Ask)
}

/// The room of that name, as far as this user may see it: what it may not see does not exist.
fn seen(chat: &Chat, person: &Person, room: &RoomName) -> Result<Arc<Room>, Refusal> {
    let room = match room.peer() {
        None => chat.rooms.named(room),
        Some(peer) => direct::known(chat, person, peer)?,
    };
    let asker = person.asks(chat.clock.now());
    room.filter(|room| room.ledger().state.sees(asker)).ok_or_else(|| Code::NoSuchRoom.into())
}

/// The same, for what can be done about a room, but not about a direct conversation.
fn seen_room(chat: &Chat, person: &Person, room: &RoomName) -> Result<Arc<Room>, Refusal> {
    let room = seen(chat, person, room)?;
    if room.is_direct() { Err(Code::Forbidden.into()) } else { Ok(room) }
}

/// A user's name, as somebody wrote it.
fn username(chat: &Chat, name: &str) -> Result<Username, Refusal> {
    Username::parse(name, chat.options().names).map_err(|_| Refusal::from(Code::BadName).about("username"))
}

/// What a text that may not be said is called.
fn bad_text(error: TextError) -> Refusal {
    match error {
        TextError::TooLong { .. } => Code::TextTooLong.into(),
        _ => Code::BadText.into(),
    }
}

/// A reason, label or the like that need not be given.
fn line(line: Option<Box<str>>, key: &str) -> Result<Option<Line>, Refusal> {
    let line = line.filter(|line| !line.is_empty());
    line.map(Line::parse).transpose().map_err(|error| bad_text(error).about(key))
}
