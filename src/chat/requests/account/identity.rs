//! Coming in as whom the program says that the chat lives in.

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::hooks::{Host, Login};
use crate::chat::password::NO_PASSWORD;
use crate::chat::requests::account::login::{Proof, as_account};
use crate::chat::requests::account::{Attempt, claim};
use crate::chat::requests::host;
use crate::chat::session::{Origin, Session, unavailable};
use crate::model::{Level, Username};
use crate::protocol::response::LoggedIn;
use crate::protocol::{Code, Refusal, Secret};
use crate::store::Account;

/// Asks the program who somebody is; nothing where it does not know, or is not there. Its own clients it is not asked about.
///
/// # Errors
/// `bad_credentials`, which counts as an attempt; or why whom it knows may not come in all the same.
pub(super) async fn by_host(
    session: &Arc<Session>,
    name: &Username,
    password: Option<&Secret>,
    token: Option<&Secret>,
) -> Result<Option<LoggedIn>, Refusal> {
    let Some(host) = host::asked(session).filter(|_| session.origin != Origin::Host) else { return Ok(None) };
    let attempt = Attempt::take(session, name)?;
    let peer = match session.origin {
        Origin::Address(address) => Some(address),
        _ => None,
    };
    let (username, password, token) = (name.as_str().to_owned(), password.cloned(), token.cloned());
    let certificate = session.certificate();
    let identity = match host.identify(Login { username, password, token, certificate, peer }).await {
        Ok(None) => return Ok(None),
        Ok(Some(identity)) => identity,
        Err(refusal) => {
            if refusal.code == Code::BadCredentials {
                let _ = attempt.failed(refusal.code);
            }
            return Err(refusal);
        }
    };
    attempt.succeeded();
    let chat = &session.chat;
    let Ok(name) = Username::parse(identity.username(), chat.options().names) else {
        tracing::warn!(username = ?identity.username(), "the hook `authenticate` accepted somebody under what is no name");
        return Err(Code::Internal.into());
    };
    let mut account = account_of(chat, host, &name).await?;
    if let Some(role) = identity.role().filter(|role| *role != account.role) {
        chat.set_account_role(name.as_str(), role).await?;
        account.role = role;
    }
    as_account(session, account, Proof::Host).await.map(Some)
}

/// The account of that name, made if there is none.
async fn account_of(chat: &Chat, host: &Host, name: &Username) -> Result<Account, Refusal> {
    if let Some(account) = find(chat, name).await? {
        return Ok(account);
    }
    let _turn = host.making.lock().await;
    if let Some(account) = find(chat, name).await? {
        return Ok(account);
    }
    if chat.standing.level() >= Level::NoRegistration {
        return Err(Code::RegistrationClosed.into());
    }
    chat.standing.admits_name(&name.skeleton(), chat.clock.now())?;
    let _claim = claim(chat, name).await?;
    let id = chat.make_account(name.clone(), NO_PASSWORD.into()).await?;
    let account = chat.store.user(id).await.map_err(|error| unavailable(&error))?;
    account.ok_or_else(|| Code::Internal.into())
}

/// The account of that name. One that was deleted comes never again.
async fn find(chat: &Chat, name: &Username) -> Result<Option<Account>, Refusal> {
    let account = chat.store.account(name.folded()).await.map_err(|error| unavailable(&error))?;
    match account {
        Some(account) if account.deleted => Err(Code::BadCredentials.into()),
        account => Ok(account),
    }
}
