//! What a room is: its settings, its name, and that it is no more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::chat::Chat;
use crate::chat::online::Person;
use crate::chat::requests::rooms::posted;
use crate::chat::requests::seen_room;
use crate::chat::room::{self, Room, State};
use crate::chat::session::Session;
use crate::model::{Body, RoomChange, RoomName};
use crate::protocol::response::RoomIs;
use crate::protocol::{Answer, Code, Refusal, Response};
use crate::store::{Act, Change};

/// Says what a room is, or changes it.
pub(super) async fn settings(
    session: &Arc<Session>,
    person: &Arc<Person>,
    name: &RoomName,
    mut change: RoomChange,
) -> Answer {
    let chat = &session.chat;
    let room = seen_room(chat, person, name)?;
    if change == RoomChange::default() {
        let ledger = room.ledger();
        let state = &ledger.state;
        state.may_enter(person.asks(chat.clock.now()))?;
        return Ok(Response::RoomIs(Box::new(RoomIs {
            room: room.name(),
            settings: state.settings.clone(),
            epoch: room.epoch.clone(),
            first: state.first,
            head: room.told_head(),
            members: state.members(),
            online: state.online(),
        })));
    }
    let may = |state: &State| state.may_rule(person.asks(chat.clock.now())).map(|()| false);
    may(&room.ledger().state)?;
    let mut claim = None;
    if let Some(new) = change.name.clone() {
        let old = room.name();
        if new == old {
            change.name = None;
        } else {
            // Rooms that the configuration names are found by that name.
            if chat.options().default_rooms.contains(&old) {
                return Err(Refusal::from(Code::Forbidden).about("name"));
            }
            claim = Some(chat.rooms.claim(&new).ok_or_else(|| Refusal::from(Code::RoomExists).about("name"))?);
            change.was = Some(old);
        }
    }
    let ages = change.retention_days.is_some();
    let retention = ages || change.retention_entries.is_some();
    let act = chat.act(person, "room", Some(&room), "", &described(&change));
    let draft = |origin| room::Draft {
        act: Some(act),
        ..room::Draft::new(&person.user, chat.clock.now(), Body::Room(change), origin)
    };
    // The answer comes in front of the entry.
    session.hold(&room);
    let entry = posted(session, &room, draft, may).await?;
    drop(claim);
    if ages {
        chat.ages_changed.store(true, Ordering::Release);
    }
    if retention {
        chat.upkeep.notify_one();
    }
    Ok(Response::Changed { seq: entry.seq })
}

/// What a change of a room says, for those who look at it later.
fn described(change: &RoomChange) -> String {
    let RoomChange { name, was: _, kind, history, slow_mode_s, retention_days, retention_entries } = change;
    let said = [
        name.as_ref().map(|name| format!("name={name}")),
        kind.map(|kind| format!("kind={}", kind.as_str())),
        history.map(|history| format!("history={}", history.as_str())),
        slow_mode_s.map(|seconds| format!("slow_mode_s={seconds}")),
        retention_days.map(|days| format!("retention_days={days}")),
        retention_entries.map(|entries| format!("retention_entries={entries}")),
    ];
    said.into_iter().flatten().collect::<Vec<String>>().join(" ")
}

/// Deletes a room.
pub(super) async fn delete(session: &Arc<Session>, person: &Arc<Person>, name: &RoomName) -> Answer {
    let chat = &session.chat;
    let room = seen_room(chat, person, name)?;
    room.ledger().state.may_rule(person.asks(chat.clock.now()))?;
    // They would be there again after the next start, and course clients need theirs.
    if chat.options().default_rooms.contains(&room.name()) {
        return Err(Code::Forbidden.into());
    }
    let act = chat.act(person, "delete_room", Some(&room), room.name().as_str(), "");
    session.hold_to_leave(&room);
    erase(chat, &room, Some(act)).await?;
    Ok(Response::Deleted { room: room.name() })
}

/// A room is no more. Its log is erased in the background.
pub(super) async fn erase(chat: &Chat, room: &Arc<Room>, act: Option<Box<Act>>) -> Result<(), Refusal> {
    if std::mem::replace(&mut room.ledger().state.gone, true) {
        return Err(Code::NoSuchRoom.into());
    }
    if let Err(refusal) = chat.change(Change::DeleteRoom(room.id, act)).await {
        room.ledger().state.gone = false;
        return Err(refusal);
    }
    // What was queued before was committed before, and is about to be published: whoever waits for it has to be told.
    room.published().await;
    chat.rooms.remove(room);
    let head = room.told_head();
    let mut users = room.ledger().state.everybody();
    users.extend(room.live().followers.iter().map(|follower| follower.user));
    users.sort();
    users.dedup();
    for user in users {
        chat.put_out(room, user, head, "delete", None);
    }
    chat.upkeep.notify_one();
    Ok(())
}
