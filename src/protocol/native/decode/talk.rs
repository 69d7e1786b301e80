//! Requests about what is said: saying it, finding it, and having read it.

use std::borrow::Cow;

use crate::model::Anchor;
use crate::protocol::native::decode::keys::{Keys, room_name};
use crate::protocol::{Refusal, Request, SearchFor};

pub(super) fn message(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, text) = (keys.unchecked_room()?, keys.needed_text("text")?);
    let nonce = keys.word("nonce")?;
    if nonce.as_deref() == Some("") {
        return Err(Refusal::bad_request("nonce"));
    }
    let (reply_to, action) = (keys.seq("reply_to")?, keys.bool("action")?);
    Ok(Request::Message { room: room_name(&room)?, text, nonce, reply_to, action })
}

pub(super) fn edit(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, target, text) = (keys.unchecked_room()?, keys.needed_seq("target")?, keys.needed_text("text")?);
    Ok(Request::Edit { room: room_name(&room)?, target, text })
}

pub(super) fn delete(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, target, reason) = (keys.unchecked_room()?, keys.needed_seq("target")?, keys.remark("reason")?);
    Ok(Request::Delete { room: room_name(&room)?, target, reason })
}

pub(super) fn react(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, target) = (keys.unchecked_room()?, keys.needed_seq("target")?);
    let (emoji, remove) = (keys.needed_text("emoji")?, keys.bool("remove")?);
    Ok(Request::React { room: room_name(&room)?, target, emoji, remove })
}

pub(super) fn history(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let room = keys.unchecked_room()?;
    let anchor = match (keys.seq("before")?, keys.seq("after")?, keys.seq("around")?) {
        (None, None, None) => Anchor::Newest,
        (Some(seq), None, None) => Anchor::Before(seq),
        (None, Some(seq), None) => Anchor::After(seq),
        (None, None, Some(seq)) => Anchor::Around(seq),
        (_, _, Some(_)) => return Err(Refusal::bad_request("around")),
        (Some(_), Some(_), None) => return Err(Refusal::bad_request("after")),
    };
    let limit = keys.limit()?;
    Ok(Request::History { room: room_name(&room)?, anchor, limit })
}

pub(super) fn search(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (query, room, from) = (keys.needed_text("query")?, keys.text("room")?, keys.text("from")?);
    let (before, after, limit) = (keys.seq("before")?, keys.number("after")?, keys.limit()?);
    match (&room, before, after) {
        // Each room counts its entries itself.
        (None, Some(_), _) => return Err(Refusal::bad_request("before")),
        (Some(_), Some(_), Some(_)) => return Err(Refusal::bad_request("after")),
        _ => {}
    }
    let (room, from) = (room.map(|room| room_name(&room)).transpose()?, from.map(Cow::into));
    Ok(Request::Search(Box::new(SearchFor { query, room, from, before, after, limit })))
}

pub(super) fn read(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, seq) = (keys.unchecked_room()?, keys.needed_seq("seq")?);
    Ok(Request::Read { room: room_name(&room)?, seq })
}

pub(super) fn status(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let away = keys.choice("status", |word| match word {
        "online" => Some(false),
        "away" => Some(true),
        _ => None,
    })?;
    Ok(Request::Status { away: keys.need(away, "status")?, text: keys.remark("text")? })
}

pub(super) fn report(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, target) = (keys.unchecked_room()?, keys.seq("target")?);
    let (username, reason) = (keys.text("username")?.map(Cow::into), keys.remark("reason")?);
    Ok(Request::Report { room: room_name(&room)?, target, username, reason })
}
