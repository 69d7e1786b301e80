//! The server from outside the chat: how it is doing, who is connected, its accounts, its configuration and its log. And
//! the operator, who comes in over the control socket: an admin who is nobody, and only does what is said here.

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::online::Person;
use crate::chat::orders::Order;
use crate::chat::requests::{Fitting, MOST_LINES, admin, line, username};
use crate::chat::session::{Origin, Session, unavailable};
use crate::model::ServerRole;
use crate::protocol::response::{AccountLine, LoggedIn, ServerSessionLine};
use crate::protocol::{Answer, Code, Refusal, Request, Response, Secret};
use crate::store::{Account, Change};

/// What the operator asks otherwise than admins do; gives the rest back.
pub(super) async fn obey(session: &Session, person: &Person, request: Request) -> Result<Answer, Request> {
    let chat = &*session.chat;
    let done = |done: Result<(), Refusal>| done.map(|()| Response::Done);
    Ok(match request {
        // For clients that always log in. Under whatever name: it was known who this is when it came.
        Request::Login { .. } => Ok(Response::LoggedIn(Box::new(LoggedIn {
            username: person.user.name.shared(),
            guest: false,
            token: None,
            role: ServerRole::Admin,
            rooms: Vec::new(),
            more: false,
            blocked: Vec::new(),
        }))),
        // It may do so to admins too: somebody has to be able to.
        Request::ServerRole { username, role } => done(chat.set_account_role(&username, role).await),
        Request::DeleteAccount { username: Some(username), .. } => done(chat.delete_account(&username).await),
        Request::DeleteAccount { .. } => Err(Code::Forbidden.into()),
        request => return Err(request),
    })
}

/// Does what only admins may do about the server as a whole.
pub(super) async fn operate(chat: &Chat, person: &Person, request: Request) -> Answer {
    match request {
        Request::ServerStatus => {
            chat.orders.give(Order::Status).await.map(|status| Response::ServerStatus(Box::new(status)))
        }
        Request::ServerSessions { after } => Ok(sessions(chat, after.unwrap_or_default())),
        Request::Accounts { after } => accounts(chat, after.as_deref()).await,
        Request::AddAccount { username, password } => {
            chat.add_account(&username, &password).await?;
            note(chat, person, "add_account", &username, "").await;
            Ok(Response::Done)
        }
        Request::SetPassword { username, password, revoke_tokens } => {
            set_password(chat, person, &username, &password, revoke_tokens).await
        }
        Request::Reload => {
            let reloaded = chat.orders.give(Order::Reload).await?;
            note(chat, person, "reload", "", "").await;
            Ok(Response::Reloaded(Box::new(reloaded)))
        }
        Request::LogLevel { level } => {
            let level: Option<Box<str>> = line(level, "level")?.map(|level| level.as_str().into());
            let change = level.clone();
            let holds = chat.orders.give(|done| Order::LogLevel(level, done)).await?;
            let holds = holds.ok_or_else(|| Refusal::bad_request("level"))?;
            if change.is_some() {
                note(chat, person, "log_level", "", &holds).await;
            }
            Ok(Response::LogLevel(holds))
        }
        _ => Err(Code::Internal.into()),
    }
}

/// Remembers what was done. It is done, whether that can be stored or not.
pub(super) async fn note(chat: &Chat, person: &Person, act: &str, target: &str, detail: &str) {
    if let Err(refusal) = chat.change(Change::Act(chat.act(person, act, None, target, detail))).await {
        let user = person.user.name.as_str();
        tracing::warn!(
            user,
            act,
            code = refusal.code.as_str(),
            "what an admin did is not among the acts, for it cannot be stored"
        );
    }
}

/// All sessions in which somebody is logged in, by their numbers.
fn sessions(chat: &Chat, after: u64) -> Response {
    let everybody = chat.online.everybody();
    let mut found: Vec<(Arc<Session>, &Arc<Person>)> = everybody
        .iter()
        .flat_map(|person| person.open_sessions().into_iter().map(move |session| (session, person)))
        .filter(|(session, _)| session.id > after)
        .collect();
    found.sort_by_key(|(session, _)| session.id);
    let mut more = found.len() > MOST_LINES;
    let mut lines = Fitting::default();
    let mut sessions = Vec::new();
    for (session, person) in &found {
        let line = shown(session, person);
        if !lines.take(line.client.as_ref().map_or(0, |client| client.as_str().len())) {
            more = true;
            break;
        }
        sessions.push(line);
    }
    Response::ServerSessions { sessions, more }
}

fn shown(session: &Session, person: &Person) -> ServerSessionLine {
    let inner = session.inner();
    ServerSessionLine {
        session_id: session.id,
        username: person.user.name.shared(),
        guest: person.user.is_guest(),
        role: person.role(),
        address: session.origin.to_string().into(),
        client: inner.client.clone(),
        since: inner.since,
        rooms: inner.follows.len() as u64,
    }
}

/// A page of the accounts, by their names.
async fn accounts(chat: &Chat, after: Option<&str>) -> Answer {
    let after = after.map(crate::model::name::fold).unwrap_or_default();
    let mut page = chat.store.accounts(&after, MOST_LINES + 1).await.map_err(|error| unavailable(&error))?;
    let more = page.len() > MOST_LINES;
    page.truncate(MOST_LINES);
    let line =
        |account: Account| AccountLine { username: account.name.shared(), role: account.role, last_seen: account.seen };
    Ok(Response::Accounts { accounts: page.into_iter().map(line).collect(), more })
}

/// Gives somebody else's account another password; another admin's role has to be taken first, unless by the operator.
async fn set_password(chat: &Chat, person: &Person, whom: &str, password: &Secret, revoke_tokens: bool) -> Answer {
    let account = admin::account(chat, &username(chat, whom)?).await?;
    if account.role == ServerRole::Admin && !person.is_operator() {
        return Err(Code::Forbidden.into());
    }
    chat.set_account_password(whom, password, revoke_tokens).await?;
    let detail = if revoke_tokens { "revoke_tokens" } else { "" };
    note(chat, person, "set_password", account.name.as_str(), detail).await;
    Ok(Response::Done)
}

/// Whether a session is the operator's.
pub(super) fn is_operator(session: &Session) -> bool {
    session.origin == Origin::Control
}
