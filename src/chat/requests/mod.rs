//! What each request does: one table of who may ask it and what it costs, and one match; then a file for each family.

mod account;
mod history;
mod rooms;
mod talk;

use std::sync::Arc;

use crate::chat::online::Person;
use crate::chat::session::{Asking, Form, Next, Session};
use crate::protocol::request::Request;
use crate::protocol::{Answer, Ask, Code, Kind, Refusal, Response, Tag};

/// What holds for a request before it is looked at.
struct Rule {
    /// Who is not logged in may not ask it.
    login: bool,
    /// It acts as if everything that was asked before were done, so it waits for that.
    settled: bool,
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
    let (login, settled, cost) = match kind {
        Kind::Hello | Kind::Help | Kind::Ping => (false, false, Other),
        Kind::Login | Kind::Register | Kind::Enter => (false, true, Other),
        Kind::Message => (true, false, Talk),
        Kind::Whoami => (true, false, Other),
        Kind::Logout
        | Kind::Rooms
        | Kind::Create
        | Kind::Join
        | Kind::Resume
        | Kind::Unfollow
        | Kind::Leave
        | Kind::Names
        | Kind::History => (true, true, Other),
        Kind::Edit | Kind::Delete | Kind::React | Kind::Topic => (true, true, Talk),
        // An unknown request tells nothing to who is not logged in.
        Kind::Unknown => (true, false, Other),
        _ => (true, true, Other),
    };
    Rule { login, settled, cost }
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
    if !rule.settled {
        return at_once(session, person, tag, request);
    }
    // Rare ones have their future on the heap: a session at rest does not hold the place for it.
    let session = Arc::clone(session);
    Asking::Later(Box::pin(async move {
        if session.settled().await == Next::Stop {
            return Next::Stop;
        }
        let answer = in_order(&session, person, request).await;
        session.answer(tag, answer);
        Next::Ask
    }))
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
            return talk::message(session, person, tag, talk::Draft { room, text, nonce, reply_to, action });
        }
        (Request::Hello { protocol, .. }, _) => account::hello(&session.chat, protocol),
        (Request::Ping { data }, _) => Ok(Response::Pong { data, time: session.chat.clock.now() }),
        (Request::Help, _) => Ok(Response::Help),
        (Request::Whoami, Some(person)) => Ok(account::whoami(&person)),
        _ => Err(Code::Internal.into()),
    };
    done(session, tag, answer)
}

/// Requests that act as if everything that was asked before were done.
async fn in_order(session: &Arc<Session>, person: Option<Arc<Person>>, request: Request) -> Answer {
    match (request, person) {
        (Request::Login { username, credential }, _) => account::login(session, &username, credential).await,
        (Request::Register { username, password, .. }, _) => account::register(session, &username, &password).await,
        (Request::Enter { username, password, room, backlog, as_list }, _) => {
            account::enter(session, &username, password, &room, backlog, as_list).await
        }
        (Request::Logout, Some(_)) => account::logout(session),
        (Request::Rooms { after }, Some(person)) => Ok(rooms::list(&session.chat, &person, after.as_deref())),
        (Request::Create { room, kind, topic }, Some(person)) => {
            rooms::create(session, &person, &room, kind, &topic).await
        }
        (Request::Join { room, start }, Some(person)) => rooms::join(session, &person, &room, start).await,
        (Request::Resume { rooms }, Some(person)) => rooms::resume(session, &person, rooms),
        (Request::Unfollow { room }, Some(_)) => rooms::unfollow(session, &room),
        (Request::Leave { room }, Some(person)) => rooms::leave(session, &person, &room).await,
        (Request::Names { room: Some(room), after }, Some(_)) => {
            rooms::names(&session.chat, &room, after.as_deref()).await
        }
        (Request::Names { room: None, after }, Some(_)) => Ok(rooms::everybody(&session.chat, after.as_deref())),
        (Request::History { room, anchor, limit }, Some(_)) => history::page(&session.chat, &room, anchor, limit).await,
        _ => Err(Code::Internal.into()),
    }
}

/// As many lines as one answer may hold: 500, and not more than about 240 KiB.
fn within_bounds<T>(lines: impl Iterator<Item = T>, topic_bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let mut bytes = 0;
    let fits = |line: &T| {
        // Names and numbers, and a topic of which each character may have to be escaped.
        bytes += LINE_BYTES + 2 * topic_bytes(line);
        bytes < history::MOST_BYTES
    };
    lines.take(MOST_LINES).take_while(fits).collect()
}

fn done(session: &Session, tag: Tag, answer: Answer) -> Asking {
    session.answer(tag, answer);
    Asking::Done(Next::Ask)
}

/// The room of that name, as far as this user may see it.
fn seen(chat: &crate::chat::Chat, room: &crate::model::RoomName) -> Result<Arc<crate::chat::room::Room>, Refusal> {
    chat.rooms.named(room).ok_or_else(|| Code::NoSuchRoom.into())
}

/// What a text that may not be said is called.
fn bad_text(error: crate::model::TextError) -> Refusal {
    match error {
        crate::model::TextError::TooLong { .. } => Code::TextTooLong.into(),
        _ => Code::BadText.into(),
    }
}
