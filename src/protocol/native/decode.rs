//! Reads requests of the native dialect. One key after the other, so that a refusal names the one that does not fit.
//!
//! The types of all keys are judged before any name is, for `bad_request` goes before `bad_name`. `null` is a value like
//! any other, and fits nowhere but in `ping`: who means nothing leaves the key out. A key that the request knows but that
//! does not go with the others, like `epoch` without `since`, is refused too: whoever sent it meant something by it.

mod account;
mod admin;
mod keys;
mod rooms;
mod talk;

use crate::model::MemberChange;
use crate::protocol::native::decode::keys::{Keys, MAX_IGNORED, MAX_WORD_BYTES};
use crate::protocol::object::{Fields, cut, string};
use crate::protocol::{Ask, Code, Kind, Refusal, Request, RequestId, Tag};

/// Reads a request.
pub(super) fn decode(object: &str) -> Ask {
    let unreadable = |refusal| Ask { tag: Tag::new(Kind::Unknown), request: Err(refusal) };
    let Some(fields) = Fields::parse(object) else { return unreadable(Code::BadJson.into()) };
    let word = match fields.count("request") {
        1 => fields.find("request").and_then(string),
        _ => None,
    };
    let Some(word) = word else { return unreadable(Refusal::bad_request("request")) };
    let kind = Kind::parse(&word);
    let mut tag = Tag::new(kind.unwrap_or(Kind::Unknown));
    if kind.is_none() {
        tag.word = Some(cut(&word).into());
    }
    let id = match fields.count("id") {
        0 => Ok(None),
        1 => fields.find("id").and_then(id).map(Some).ok_or_else(|| Refusal::bad_request("id")),
        _ => Err(Refusal::bad_request("id")),
    };
    let mut ignored = Vec::new();
    let request = match (id, fields.repeated(), kind) {
        (Err(refusal), ..) => Err(refusal),
        (Ok(id), repeated, kind) => {
            tag.id = id;
            match (repeated, kind) {
                (Some(key), _) => Err(Refusal::bad_request(cut(key))),
                (None, None) => Err(Code::UnknownRequest.into()),
                (None, Some(kind)) => {
                    let known = |key: &str| matches!(key, "request" | "id") || kind.keys().contains(&key);
                    let unknown = fields.iter().map(|(key, _)| key).filter(|key| !known(key));
                    ignored.extend(unknown.take(MAX_IGNORED).map(|key| cut(key).into()));
                    request(kind, &Keys::new(&fields), &mut ignored)
                }
            }
        }
    };
    tag.ignored = ignored.into();
    Ask { tag, request }
}

/// An id, if this value is one.
fn id(value: &str) -> Option<RequestId> {
    if let Some(text) = string(value) {
        return (text.len() <= MAX_WORD_BYTES).then(|| RequestId::Json(value.into()));
    }
    // "-0" would come back as another text.
    match value.parse::<i64>() {
        Ok(int) => (value != "-0").then_some(RequestId::Int(int)),
        Err(_) => value.parse::<u64>().ok().map(|_| RequestId::Json(value.into())),
    }
}

fn request(kind: Kind, keys: &Keys<'_, '_>, ignored: &mut Vec<Box<str>>) -> Result<Request, Refusal> {
    match kind {
        Kind::Hello => account::hello(keys),
        Kind::Login => account::login(keys),
        Kind::Register => account::register(keys),
        Kind::Logout => Ok(Request::Logout),
        Kind::Ping => account::ping(keys),
        Kind::Whoami => Ok(Request::Whoami),
        Kind::Password => account::password(keys),
        Kind::Token => account::token(keys),
        Kind::Sessions => account::sessions(keys),
        Kind::DeleteAccount => account::delete(keys),
        Kind::Block => Ok(Request::Block { username: keys.username()? }),
        Kind::Unblock => Ok(Request::Unblock { username: keys.username()? }),
        Kind::Help => Ok(Request::Help),
        Kind::Rooms => rooms::list(keys),
        Kind::Create => rooms::create(keys),
        Kind::Join => rooms::join(keys),
        Kind::Resume => rooms::resume(keys, ignored),
        Kind::Unfollow => Ok(Request::Unfollow { room: keys.room()? }),
        Kind::Leave => Ok(Request::Leave { room: keys.room()? }),
        Kind::Names => rooms::names(keys),
        Kind::Topic => rooms::topic(keys),
        Kind::Invite => rooms::moderate(keys, MemberChange::Invite),
        Kind::Kick => rooms::moderate(keys, MemberChange::Kick),
        Kind::Ban => rooms::moderate(keys, MemberChange::Ban),
        Kind::Unban => rooms::moderate(keys, MemberChange::Unban),
        Kind::Mute => rooms::moderate(keys, MemberChange::Mute),
        Kind::Unmute => rooms::moderate(keys, MemberChange::Unmute),
        Kind::Bans => Ok(Request::Bans { room: keys.room()? }),
        Kind::Role => rooms::moderate(keys, MemberChange::Role),
        Kind::Room => rooms::change(keys),
        Kind::DeleteRoom => Ok(Request::DeleteRoom { room: keys.room()? }),
        Kind::Message => talk::message(keys),
        Kind::Edit => talk::edit(keys),
        Kind::Delete => talk::delete(keys),
        Kind::React => talk::react(keys),
        Kind::History => talk::history(keys),
        Kind::Search => talk::search(keys),
        Kind::Read => talk::read(keys),
        Kind::Typing => Ok(Request::Typing { room: keys.room()? }),
        Kind::Status => talk::status(keys),
        Kind::Report => talk::report(keys),
        Kind::Acts => admin::acts(keys),
        Kind::Invitation => admin::invitation(keys),
        Kind::ServerRole => admin::server_role(keys),
        Kind::Suspend => admin::suspend(keys),
        Kind::Unsuspend => Ok(Request::Unsuspend { whom: admin::whom(keys)? }),
        Kind::Suspensions => Ok(Request::Suspensions),
        Kind::Disconnect => admin::disconnect(keys),
        Kind::Level => admin::level(keys),
        Kind::Notice => Ok(Request::Notice { text: keys.needed_text("text")? }),
        Kind::ServerStatus => Ok(Request::ServerStatus),
        Kind::ServerSessions => Ok(Request::ServerSessions { after: keys.number("after")? }),
        Kind::Accounts => admin::accounts(keys),
        Kind::AddAccount => {
            admin::credentials(keys).map(|(username, password)| Request::AddAccount { username, password })
        }
        Kind::SetPassword => {
            let (username, password) = admin::credentials(keys)?;
            Ok(Request::SetPassword { username, password, revoke_tokens: keys.bool("revoke_tokens")? })
        }
        Kind::Reload => Ok(Request::Reload),
        Kind::LogLevel => Ok(Request::LogLevel { level: keys.remark("level")? }),
        // No word stands for these.
        Kind::Enter | Kind::Unknown => Err(Code::UnknownRequest.into()),
    }
}

#[cfg(test)]
mod tests;
