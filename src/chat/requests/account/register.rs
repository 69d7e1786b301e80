//! Making an account.

use std::sync::Arc;
use std::time::Instant;

use crate::chat::flood::Rate;
use crate::chat::limits::Registration;
use crate::chat::password::Passwords;
use crate::chat::requests::account::login::{come_in, logged_in, newcomer};
use crate::chat::requests::account::{Attempt, claim};
use crate::chat::requests::host;
use crate::chat::secret;
use crate::chat::session::{Session, unavailable};
use crate::model::{Level, ServerRole, User, Username};
use crate::protocol::{Answer, Code, Refusal, Response, Secret};
use crate::store::{Created, Hash, NewAccount, Write};

/// Makes an account, and logs in to it.
pub(in crate::chat::requests) async fn register(
    session: &Arc<Session>,
    username: &str,
    password: &Secret,
    invite: Option<Secret>,
) -> Answer {
    let chat = &session.chat;
    let name = newcomer(session, username)?;
    let invitation = may_register(session, &name, invite).await?;
    host::authorize_newcomer(session, &name).await?;
    let skeleton = name.skeleton();
    chat.standing.admits_name(&skeleton, chat.clock.now())?;
    let claim = claim(chat, &name).await?;
    let password = Passwords::check(password, &name)?;
    if let Some(origin) = session.counted() {
        let per_hour = chat.options().limits.registrations_per_hour;
        chat.registrations.take(origin, Rate::per_hour(per_hour), Instant::now()).map_err(Refusal::rate_limited)?;
    }
    let password_hash = chat.passwords.hash(password).await?;
    let time = chat.clock.now();
    let new = NewAccount { name: name.clone(), skeleton: skeleton.into(), password_hash, invitation, time };
    let created = chat.write(0, |done| Write::CreateAccount(new, done)).await.map_err(|error| unavailable(&error))?;
    let id = match created {
        Created::New(id) => id,
        Created::Taken => return Err(Code::NameTaken.into()),
        // It held a moment ago.
        Created::NotInvited => return Err(not_invited(Code::RegistrationClosed.into())),
    };
    let user = User { id, name, role: ServerRole::User };
    let person = claim.enter(user, session, session.floods());
    come_in(session, &person)?;
    Ok(Response::LoggedIn(Box::new(logged_in(chat, &person, None, Vec::new()))))
}

/// Whether somebody may make an account, and the invitation that is used up by that. Who is not invited learns nothing of
/// names, and costs no work.
async fn may_register(session: &Session, name: &Username, invite: Option<Secret>) -> Result<Option<Hash>, Refusal> {
    let chat = &session.chat;
    if chat.standing.level() >= Level::NoRegistration {
        return Err(Code::RegistrationClosed.into());
    }
    match chat.options().registration {
        Registration::Closed => Err(Code::RegistrationClosed.into()),
        Registration::Open => Ok(None),
        Registration::Invite => {
            let invite = invite.ok_or_else(|| not_invited(Code::RegistrationClosed.into()))?;
            let attempt = Attempt::take(session, name)?;
            let hash = secret::hash(&invite.0);
            let holds = chat.store.is_invited(hash, chat.clock.now()).await.map_err(|error| unavailable(&error))?;
            if holds { Ok(Some(hash)) } else { Err(not_invited(attempt.failed(Code::RegistrationClosed))) }
        }
    }
}

fn not_invited(refusal: Refusal) -> Refusal {
    refusal.about("invite")
}
