//! What the program that the chat lives in is asked about requests. Without hooks nothing here is ever reached but one look
//! whether there are any.

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::hooks::{Attempt, Host, NewMessage};
use crate::chat::online::Person;
use crate::chat::requests::{bad_text, operator, seen};
use crate::chat::session::Session;
use crate::model::{Body, Message, RoomName, ServerRole, Text, Username};
use crate::protocol::request::{Moderation, Whom};
use crate::protocol::{Kind, Refusal, Request};

/// The program, if it has a say in what is done in a session. In what the operator does it has none: that is the program
/// itself, or whoever runs it.
pub(super) fn asked(session: &Session) -> Option<&Host> {
    session.chat.host.as_deref().filter(|_| !operator::is_operator(session))
}

/// The program, if it has a say in such a request as a whole.
pub(super) fn asked_about(session: &Session, kind: Kind) -> Option<&Host> {
    asked(session).filter(|_| match kind {
        Kind::Hello | Kind::Ping | Kind::Help | Kind::Login | Kind::Logout | Kind::Unknown => false,
        // Asked about where it is known what becomes of it: for each room, or when a name is there.
        Kind::Resume | Kind::Enter | Kind::Register => false,
        _ => true,
    })
}

/// Whether somebody may do what it asks, as far as the program is concerned.
///
/// # Errors
/// `forbidden`, or `internal`.
pub(super) async fn authorize(
    session: &Session,
    person: &Person,
    kind: Kind,
    request: &Request,
) -> Result<(), Refusal> {
    let Some(host) = asked_about(session, kind) else { return Ok(()) };
    let (room, target) = about(request);
    // However it was written: who looks at names is to see the room that is meant.
    let room = room.map(|room| match seen(&session.chat, person, room) {
        Ok(room) => room.name_for(person.user.id),
        Err(_) => room.clone(),
    });
    host.authorizes(attempt(person, kind, room.as_ref(), target)).await
}

/// The same, of what is done in one room by a request that does several things.
///
/// # Errors
/// `forbidden`, or `internal`.
pub(super) async fn authorize_room(
    session: &Session,
    person: &Person,
    kind: Kind,
    room: &RoomName,
) -> Result<(), Refusal> {
    match asked(session) {
        Some(host) => host.authorizes(attempt(person, kind, Some(room), None)).await,
        None => Ok(()),
    }
}

/// The same, of making an account.
///
/// # Errors
/// `forbidden`, or `internal`.
pub(super) async fn authorize_newcomer(session: &Session, name: &Username) -> Result<(), Refusal> {
    let Some(host) = asked(session) else { return Ok(()) };
    let (username, request) = (name.as_str().to_owned(), Kind::Register.as_str());
    let attempt = Attempt { username, guest: false, role: ServerRole::User, request, room: None, target: None };
    host.authorizes(attempt).await
}

fn attempt(person: &Person, kind: Kind, room: Option<&RoomName>, target: Option<String>) -> Attempt {
    Attempt {
        username: person.user.name.as_str().to_owned(),
        guest: person.user.is_guest(),
        role: person.role(),
        request: kind.as_str(),
        room: room.map(|room| room.as_str().to_owned()),
        target,
    }
}

/// In which room something is asked, and whom or what it is about.
fn about(request: &Request) -> (Option<&RoomName>, Option<String>) {
    let whom = |whom: &Whom| match whom {
        Whom::Name(name) => name.to_string(),
        Whom::Address(address) => address.to_string(),
    };
    match request {
        Request::Create { room, .. }
        | Request::Join { room, .. }
        | Request::Unfollow { room }
        | Request::Leave { room }
        | Request::Message { room, .. }
        | Request::History { room, .. }
        | Request::Topic { room, .. }
        | Request::Bans { room }
        | Request::Room { room, .. }
        | Request::DeleteRoom { room }
        | Request::Read { room, .. }
        | Request::Typing { room } => (Some(room), None),
        Request::Edit { room, target, .. }
        | Request::Delete { room, target, .. }
        | Request::React { room, target, .. } => (Some(room), Some(target.to_string())),
        Request::Report { room, target, username, .. } => {
            let message = || target.map(|target| target.to_string());
            (Some(room), username.as_ref().map(|name| name.to_string()).or_else(message))
        }
        Request::Moderate(moderation) => {
            let Moderation { room, username, .. } = &**moderation;
            (Some(room), Some(username.to_string()))
        }
        Request::Names { room, .. } | Request::Acts { room, .. } => (room.as_ref(), None),
        Request::Search(search) => (search.room.as_ref(), None),
        Request::Block { username }
        | Request::Unblock { username }
        | Request::ServerRole { username, .. }
        | Request::AddAccount { username, .. }
        | Request::SetPassword { username, .. } => (None, Some(username.to_string())),
        Request::DeleteAccount { username, .. } => (None, username.as_ref().map(|name| name.to_string())),
        Request::Suspend { whom: one, .. }
        | Request::Unsuspend { whom: one }
        | Request::Disconnect { whom: one, .. } => (None, Some(whom(one))),
        _ => (None, None),
    }
}

/// Has the program hear what somebody wants to say: a message, or another text for one. Gives what is to be said.
///
/// # Errors
/// `forbidden`, or `internal`; or why its own text may not be said.
pub(super) async fn hear(chat: &Arc<Chat>, person: &Person, room: &RoomName, body: Body) -> Result<Body, Refusal> {
    let Some(host) = &chat.host else { return Ok(body) };
    let said = |text: &Text| NewMessage {
        username: person.user.name.as_str().to_owned(),
        guest: person.user.is_guest(),
        room: room.as_str().to_owned(),
        text: text.as_str().to_owned(),
        reply_to: None,
        action: false,
        edits: None,
    };
    let question = match &body {
        Body::Message(Message { text, reply_to, action, .. }) => {
            NewMessage { reply_to: *reply_to, action: *action, ..said(text) }
        }
        Body::Edit { target, text: Some(text) } => NewMessage { edits: Some(*target), ..said(text) },
        _ => return Ok(body),
    };
    let Some(changed) = host.hears(question).await? else { return Ok(body) };
    let changed = Text::parse(changed, chat.options().limits.most_text()).map_err(bad_text)?;
    Ok(match body {
        Body::Message(message) => Body::Message(Message { text: changed, ..message }),
        Body::Edit { target, .. } => Body::Edit { target, text: Some(changed) },
        other => other,
    })
}
