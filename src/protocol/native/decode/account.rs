//! Requests about oneself: who one is, what proves it, and whom one does not want to hear.

use std::borrow::Cow;

use crate::protocol::native::decode::keys::Keys;
use crate::protocol::object::string;
use crate::protocol::{Credential, Refusal, Request, TokenAction, json};

pub(super) fn hello(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let protocol = keys.maybe("protocol", |value| value.parse().ok())?;
    Ok(Request::Hello { protocol, client: keys.text("client")?.map(Cow::into) })
}

pub(super) fn login(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let username = keys.username()?;
    let credential = match (keys.secret("password")?, keys.secret("token")?, keys.bool("certificate")?) {
        (None, None, false) => Credential::None,
        (Some(password), None, false) => Credential::Password(password),
        (None, Some(token), false) => Credential::Token(token),
        (None, None, true) => Credential::Certificate,
        (Some(_), Some(_), _) => return Err(Refusal::bad_request("token")),
        (_, _, true) => return Err(Refusal::bad_request("certificate")),
    };
    Ok(Request::Login { username, credential })
}

pub(super) fn register(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (username, password) = (keys.username()?, keys.needed_secret("password")?);
    Ok(Request::Register { username, password, invite: keys.secret("invite")? })
}

pub(super) fn ping(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Ping { data: keys.maybe("data", |value| Some(json::compact(value)))? })
}

pub(super) fn password(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Password { old: keys.needed_secret("old")?, new: keys.needed_secret("new")? })
}

pub(super) fn token(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let action = keys.need(keys.choice("action", Action::parse)?, "action")?;
    let (label, for_s, token_id) = (keys.remark("label")?, keys.for_s()?, keys.number("token_id")?);
    let fingerprint = keys.maybe("fingerprint", |value| string(value)?.parse().ok())?;
    Ok(Request::Token(match action {
        Action::Create => {
            keys.without(&["fingerprint", "token_id"])?;
            TokenAction::Create { label, for_s }
        }
        Action::Certificate => {
            keys.without(&["token_id"])?;
            TokenAction::Certificate { fingerprint, label, for_s }
        }
        Action::List => {
            keys.without(&["label", "for_s", "fingerprint", "token_id"])?;
            TokenAction::List
        }
        Action::Revoke => {
            keys.without(&["label", "for_s", "fingerprint"])?;
            TokenAction::Revoke { token_id: keys.need(token_id, "token_id")? }
        }
    }))
}

pub(super) fn sessions(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Sessions { close: keys.number("close")? })
}

pub(super) fn delete(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    match (keys.secret("password")?, keys.text("username")?.map(Cow::into)) {
        (None, None) => Err(Refusal::bad_request("password")),
        (Some(_), Some(_)) => Err(Refusal::bad_request("username")),
        (password, username) => Ok(Request::DeleteAccount { password, username }),
    }
}

/// What is to be done about tokens or invitations.
pub(super) enum Action {
    Create,
    /// Only about tokens.
    Certificate,
    List,
    Revoke,
}

impl Action {
    pub(super) fn parse(word: &str) -> Option<Action> {
        match word {
            "create" => Some(Action::Create),
            "certificate" => Some(Action::Certificate),
            "list" => Some(Action::List),
            "revoke" => Some(Action::Revoke),
            _ => None,
        }
    }
}
