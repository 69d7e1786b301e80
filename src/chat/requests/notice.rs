//! What is only noted, or told on: where somebody has read, whether somebody is there, who is typing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chat::Chat;
use crate::chat::online::{Person, Status};
use crate::chat::requests::{line, seen};
use crate::chat::session::{Session, unavailable};
use crate::model::{RoomName, Seq};
use crate::protocol::{Answer, Code, Hint, Response};
use crate::store::Change;

/// That somebody is typing in a room is told at most once in so long.
const TYPING_PAUSE: Duration = Duration::from_secs(3);

/// Notes up to where somebody has read a room, and tells its other sessions.
pub(super) async fn read(session: &Arc<Session>, person: &Arc<Person>, room: &RoomName, seq: Seq) -> Answer {
    let chat = &session.chat;
    let room = seen(chat, person, room)?;
    let user = person.user.id;
    {
        let ledger = room.ledger();
        ledger.state.may_enter(person.asks(chat.clock.now()))?;
        ledger.state.role(user).ok_or(Code::NotAMember)?;
    }
    let before = person.read(room.id);
    let seq = seq.min(room.told_head());
    if seq > before && !user.is_guest() {
        chat.change(Change::Read { user, room: room.id, seq }).await?;
    }
    let read = person.note_read(room.id, seq);
    let unread = chat.store.unread(room.id, read, user, chat.standing.not_counted(user)).await;
    let unread = unread.map_err(|error| unavailable(&error))?;
    let name = room.name_for(user);
    if read > before {
        let (unread, mentions) = (unread.messages, unread.mentions);
        for other in person.open_sessions().iter().filter(|other| !Arc::ptr_eq(other, session)) {
            other.hint(Hint::Read { room: name.clone(), read, unread, mentions });
        }
    }
    Ok(Response::Read { room: name, read, unread: unread.messages, mentions: unread.mentions })
}

/// Says whether somebody is there.
pub(super) fn status(chat: &Chat, person: &Person, away: bool, text: Option<Box<str>>) -> Answer {
    let status = Status { away, text: line(text, "text")? };
    if person.set_status(status) {
        chat.tell_status(person);
    }
    Ok(Response::Done)
}

/// Tells who follows a room that somebody is typing.
pub(super) fn typing(chat: &Chat, person: &Person, room: &RoomName) -> Answer {
    let room = seen(chat, person, room)?;
    room.ledger().state.may_speak(person.asks(chat.clock.now()))?;
    let blocked = room.peer_of(person.user.id).is_some_and(|peer| chat.standing.is_blocked(peer.user, person.user.id));
    if !blocked && person.types(room.id, Instant::now(), TYPING_PAUSE) {
        chat.tell_typing(&room, person);
    }
    Ok(Response::Done)
}
