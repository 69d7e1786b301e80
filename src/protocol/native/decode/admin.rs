//! Requests of those who run the server, and what they look back at.

use std::borrow::Cow;

use crate::model::{Level, ServerRole};
use crate::protocol::native::decode::account::Action;
use crate::protocol::native::decode::keys::{Keys, after, room_name};
use crate::protocol::{InvitationAction, Refusal, Request, Secret, Whom};

/// The most accounts that can be made with one invitation.
const MAX_COUNT: u32 = 10_000;

pub(super) fn acts(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, before, limit) = (keys.text("room")?, keys.number("before")?, keys.limit()?);
    Ok(Request::Acts { room: room.map(|room| room_name(&room)).transpose()?, before, limit })
}

pub(super) fn invitation(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let action = keys.need(keys.choice("action", Action::parse)?, "action")?;
    let (label, count, for_s) = (keys.remark("label")?, keys.between("count", 1, MAX_COUNT)?, keys.for_s()?);
    let invitation_id = keys.number("invitation_id")?;
    Ok(Request::Invitation(match action {
        Action::Create => {
            keys.without(&["invitation_id"])?;
            InvitationAction::Create { label, count: count.unwrap_or(1), for_s }
        }
        Action::Certificate => return Err(Refusal::bad_request("action")),
        Action::List => {
            keys.without(&["label", "count", "for_s", "invitation_id"])?;
            InvitationAction::List
        }
        Action::Revoke => {
            keys.without(&["label", "count", "for_s"])?;
            InvitationAction::Revoke { invitation_id: keys.need(invitation_id, "invitation_id")? }
        }
    }))
}

pub(super) fn server_role(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let username = keys.username()?;
    Ok(Request::ServerRole { username, role: keys.need(keys.choice("role", ServerRole::parse)?, "role")? })
}

pub(super) fn suspend(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Suspend { whom: whom(keys)?, reason: keys.remark("reason")?, for_s: keys.for_s()? })
}

pub(super) fn disconnect(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Disconnect { whom: whom(keys)?, reason: keys.remark("reason")? })
}

pub(super) fn level(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Level { level: keys.choice("level", Level::parse)? })
}

pub(super) fn accounts(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Accounts { after: keys.text("after")?.map(after).transpose()? })
}

/// An account's name, and the password that it is to have.
pub(super) fn credentials(keys: &Keys<'_, '_>) -> Result<(Box<str>, Secret), Refusal> {
    Ok((keys.username()?, keys.needed_secret("password")?))
}

/// A user or a network, exactly one of them.
pub(super) fn whom(keys: &Keys<'_, '_>) -> Result<Whom, Refusal> {
    match (keys.text("username")?.map(Cow::into), keys.text("address")?.map(Cow::into)) {
        (Some(name), None) => Ok(Whom::Name(name)),
        (None, Some(address)) => Ok(Whom::Address(address)),
        (Some(_), Some(_)) => Err(Refusal::bad_request("address")),
        (None, None) => Err(Refusal::bad_request("username")),
    }
}
