//! What admins do: who may register, who is an admin, how far the server is closed, and what everybody has to know. (For
//! who is kept out see [`suspend`](super::suspend).) Whoever is no admin is told so before any name is looked up.

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::online::Person;
use crate::chat::requests::{bad_text, line, moderate, operator, suspend, username};
use crate::chat::secret;
use crate::chat::session::{Farewell, Origin, Session, unavailable};
use crate::model::{Level, ServerRole, Text, Username};
use crate::protocol::response::InvitationLine;
use crate::protocol::{Answer, Code, Hint, InvitationAction, Refusal, Request, Response};
use crate::store::{Account, Change, NewInvitation, StoredInvitation};

/// How many invitations there may be. Those that are used up or have expired count until they are revoked.
const MOST_INVITATIONS: usize = 1000;
/// How much of a notice is remembered among the acts.
const MOST_REMEMBERED: usize = 200;

/// Does what only admins may do.
pub(super) async fn administer(session: &Arc<Session>, person: &Arc<Person>, request: Request) -> Answer {
    is_admin(person)?;
    let chat = &*session.chat;
    match request {
        Request::Invitation(action) => invitation(chat, person, action).await,
        Request::ServerRole { username, role } => server_role(chat, person, &username, role).await,
        Request::Level { level: Some(level) } => set_level(chat, person, level).await,
        Request::Level { level: None } => Ok(Response::Level(chat.standing.level())),
        Request::Notice { text } => notice(chat, person, text).await,
        Request::Suspend { whom, reason, for_s } => suspend::suspend(session, person, &whom, reason, for_s).await,
        Request::Unsuspend { whom } => suspend::unsuspend(chat, person, &whom).await,
        Request::Suspensions => Ok(suspend::list(chat)),
        Request::Disconnect { whom, reason } => suspend::disconnect(session, person, &whom, reason).await,
        request => operator::operate(chat, person, request).await,
    }
}

/// Whether somebody is an admin.
///
/// # Errors
/// `forbidden`
pub(super) fn is_admin(person: &Person) -> Result<(), Refusal> {
    if person.role() == ServerRole::Admin { Ok(()) } else { Err(Code::Forbidden.into()) }
}

/// The account of that name.
///
/// # Errors
/// `no_such_user`, also where it was deleted.
pub(in crate::chat) async fn account(chat: &Chat, name: &Username) -> Result<Account, Refusal> {
    let account = chat.store.account(name.folded()).await.map_err(|error| unavailable(&error))?;
    account.filter(|account| !account.deleted).ok_or_else(|| Code::NoSuchUser.into())
}

async fn invitation(chat: &Chat, person: &Person, action: InvitationAction) -> Answer {
    let invitations = || async { chat.store.invitations().await.map_err(|error| unavailable(&error)) };
    match action {
        InvitationAction::Create { label, count, for_s } => {
            let label = line(label, "label")?.unwrap_or_default();
            if invitations().await?.len() >= MOST_INVITATIONS {
                return Err(Code::Forbidden.into());
            }
            let (invite, time) = (secret::mint(secret::INVITATION)?, chat.clock.now());
            let expires = for_s.map(|seconds| moderate::after(time, seconds));
            let detail = expires.map_or_else(|| format!("count={count}"), |end| format!("count={count} until={end}"));
            let act = chat.act(person, "invitation", None, label.as_str(), &format!("create {detail}"));
            let (hash, by) = (secret::hash(&invite), person.user.name.shared());
            let new = NewInvitation { hash, label, count, by, time, expires };
            let id = chat.change(Change::AddInvitation(new, Some(act))).await?;
            Ok(Response::Minted { secret: invite, id, expires })
        }
        InvitationAction::List => {
            let line = |invitation: StoredInvitation| InvitationLine {
                invitation_id: invitation.id,
                label: invitation.label,
                left: invitation.left,
                by: invitation.by,
                created: invitation.created,
                expires: invitation.expires,
            };
            Ok(Response::Invitations(invitations().await?.into_iter().map(line).collect()))
        }
        InvitationAction::Revoke { invitation_id } => {
            let act = chat.act(person, "invitation", None, &invitation_id.to_string(), "revoke");
            match chat.change(Change::RevokeInvitation(invitation_id, Some(act))).await? {
                0 => Err(Refusal::bad_request("invitation_id")),
                _ => Ok(Response::Done),
            }
        }
    }
}

/// Makes an account an admin, or takes that back, also from oneself: the operator can always make another
/// (`snakkd user role`).
async fn server_role(chat: &Chat, person: &Person, whom: &str, role: ServerRole) -> Answer {
    let account = account(chat, &username(chat, whom)?).await?;
    let act = chat.act(person, "server_role", None, account.name.as_str(), &format!("role={}", role.as_str()));
    if chat.change(Change::Role { user: account.id, role, act: Some(act) }).await? == 0 {
        return Err(Code::NoSuchUser.into());
    }
    if let Some(person) = chat.online.known(account.id) {
        person.set_role(role);
    }
    Ok(Response::Done)
}

async fn set_level(chat: &Chat, person: &Person, level: Level) -> Answer {
    let act = chat.act(person, "level", None, level.as_str(), "");
    chat.change(Change::Level(level, Some(act))).await?;
    chat.standing.set_level(level);
    if level >= Level::NoGuests {
        for guest in chat.online.everybody().iter().filter(|person| person.user.is_guest()) {
            for session in guest.open_sessions().iter().filter(|session| session.origin != Origin::Host) {
                session.expel(&Farewell::because("the server takes no guests for now"));
            }
        }
    }
    Ok(Response::Level(level))
}

/// Tells everybody who is online something.
async fn notice(chat: &Chat, person: &Person, text: Box<str>) -> Answer {
    let text = Text::parse(text, chat.options().limits.most_text()).map_err(|error| bad_text(error).about("text"))?;
    let said: String = text.as_str().chars().take(MOST_REMEMBERED).collect();
    for session in chat.online.everybody().iter().flat_map(|person| person.open_sessions()) {
        session.hint(Hint::Notice { text: text.clone() });
    }
    operator::note(chat, person, "notice", "", &said).await;
    Ok(Response::Done)
}
