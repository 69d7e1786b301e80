//! What users decide about themselves: the password, the sessions, the account, and of whom they want to hear nothing.

use std::sync::Arc;

use crate::chat::online::Person;
use crate::chat::password::Passwords;
use crate::chat::requests::account::{Attempt, leave};
use crate::chat::requests::{admin, direct, username};
use crate::chat::session::{Farewell, Session, unavailable};
use crate::model::ServerRole;
use crate::protocol::response::SessionLine;
use crate::protocol::{Answer, Code, Refusal, Response, Secret};
use crate::store::{Blocked, Change};

/// Of how many somebody may want to hear nothing.
const MOST_BLOCKED: usize = 1000;

/// Gives an account another password. Its other sessions end, for they may be of whoever knew the old one; its tokens
/// stay, for they were not made of it.
pub(in crate::chat::requests) async fn password(
    session: &Arc<Session>,
    person: &Arc<Person>,
    old: &Secret,
    new: &Secret,
) -> Answer {
    let (chat, user) = (&session.chat, &person.user);
    if user.is_guest() {
        return Err(Code::Forbidden.into());
    }
    knows_password(session, person, old).await?;
    let new = Passwords::check(new, &user.name)?;
    let hash = chat.passwords.hash(new).await?;
    if chat.change(Change::Password { user: user.id, hash, revoke_tokens: false }).await? == 0 {
        return Err(Code::BadCredentials.into());
    }
    for other in person.open_sessions().into_iter().filter(|other| !Arc::ptr_eq(other, session)) {
        other.expel(&Farewell::because("the account has another password"));
    }
    Ok(Response::Done)
}

/// Whether somebody who is logged in knows the password of the account. As slow as a login for who guesses.
async fn knows_password(session: &Session, person: &Person, password: &Secret) -> Result<(), Refusal> {
    let chat = &session.chat;
    let attempt = Attempt::take(session, &person.user.name)?;
    let account = chat.store.user(person.user.id).await.map_err(|error| unavailable(&error))?;
    let account = account.filter(|account| !account.deleted);
    let hash = account.as_ref().map(|account| &*account.password_hash);
    if !chat.passwords.verify(password, hash).await? {
        return Err(attempt.failed(Code::BadCredentials));
    }
    attempt.succeeded();
    Ok(())
}

/// Lists somebody's own sessions; ends one of them first, where that is asked for.
pub(in crate::chat::requests) fn sessions(session: &Arc<Session>, person: &Arc<Person>, close: Option<u64>) -> Answer {
    let mut sessions = person.open_sessions();
    if let Some(id) = close {
        let meant = sessions.iter().position(|one| one.id == id).ok_or_else(|| Refusal::bad_request("close"))?;
        sessions.remove(meant).expel(&Farewell::because("another session of the same user has ended this one"));
    }
    sessions.sort_by_key(|one| one.id);
    let line = |one: &Arc<Session>| {
        let inner = one.inner();
        SessionLine {
            session_id: one.id,
            client: inner.client.clone(),
            since: inner.since,
            token: inner.token.as_ref().map(|token| (token.label.clone(), token.id)),
            current: Arc::ptr_eq(one, session),
        }
    };
    Ok(Response::Sessions(sessions.iter().map(line).collect()))
}

/// Deletes somebody's own account, which takes its password; or, as an admin, somebody else's.
pub(in crate::chat::requests) async fn delete(
    session: &Arc<Session>,
    person: &Arc<Person>,
    password: Option<Secret>,
    whom: Option<Box<str>>,
) -> Answer {
    let chat = &session.chat;
    let user = match (password, whom) {
        (_, Some(whom)) => {
            admin::is_admin(person)?;
            let name = username(chat, &whom)?;
            // One's own takes the password; another admin's role has to be taken first.
            if name == person.user.name {
                return Err(Code::Forbidden.into());
            }
            let account = admin::account(chat, &name).await?;
            if account.role == ServerRole::Admin {
                return Err(Code::Forbidden.into());
            }
            leave::user_of(&account)
        }
        (Some(_), None) if person.user.is_guest() => return Err(Code::Forbidden.into()),
        (Some(password), None) => {
            knows_password(session, person, &password).await?;
            person.user.clone()
        }
        (None, None) => return Err(Refusal::bad_request("password")),
    };
    let act = chat.act(person, "delete_account", None, user.name.as_str(), "");
    leave::delete_account(chat, &user, Some(session), Some(act)).await?;
    Ok(Response::Done)
}

/// Hears nothing more of somebody.
pub(in crate::chat::requests) async fn block(session: &Session, person: &Person, whom: &str) -> Answer {
    let (chat, user) = (&session.chat, person.user.id);
    let name = username(chat, whom)?;
    let known = chat.standing.blocked_by(user);
    if name == person.user.name || known.len() >= MOST_BLOCKED {
        return Err(Code::Forbidden.into());
    }
    let side = direct::find_user(chat, &name).await?.ok_or(Code::NoSuchUser)?;
    let blocked = Blocked { user: side.user, name: side.name };
    // A guest has nothing in the store; it is remembered for as long as the guest is.
    let stays = !user.is_guest() && !blocked.user.is_guest();
    if stays && chat.change(Change::Block { user, blocked: blocked.clone() }).await? == 0 {
        return Err(Code::NoSuchUser.into());
    }
    chat.standing.block(user, blocked);
    Ok(Response::Done)
}

/// Hears of somebody again.
pub(in crate::chat::requests) async fn unblock(session: &Session, person: &Person, whom: &str) -> Answer {
    let (chat, user) = (&session.chat, person.user.id);
    let name = username(chat, whom)?;
    let known = chat.standing.blocked_by(user);
    let is_meant = |blocked: &Blocked| username(chat, &blocked.name).is_ok_and(|blocked| blocked == name);
    // There may be a guest of that name beside an account whose name it has had.
    let meant: Vec<Blocked> = known.into_iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Err(Code::NoSuchUser.into());
    }
    for blocked in meant {
        if !user.is_guest() && !blocked.user.is_guest() {
            chat.change(Change::Unblock { user, blocked: blocked.user }).await?;
        }
        chat.standing.unblock(user, blocked.user);
    }
    Ok(Response::Done)
}
