//! Direct conversations: the room `@NAME` as its other member sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chat::Chat;
use crate::chat::flood::Rate;
use crate::chat::online::{GUEST_RETURN, Person};
use crate::chat::room::Room;
use crate::chat::session::{Session, unavailable};
use crate::model::{Level, RoomKind, RoomName, RoomRole, Seq, ServerRole, UserId, Username};
use crate::protocol::{Answer, Code, Refusal, Response};
use crate::store::{Change, Created, NewRoom, Side};

/// How often somebody may come to somebody who has not asked for it.
const APPROACHES: Rate = Rate { tokens: 1, period: Duration::from_secs(5), burst: 20 };

/// Somebody comes to somebody who has not asked for it. Without flood control as often as it likes.
///
/// # Errors
/// `rate_limited`
pub(super) fn approach(chat: &Chat, person: &Person) -> Result<(), Refusal> {
    if chat.options().limits.messages_per_second == 0 {
        return Ok(());
    }
    person.floods().approaches.take(APPROACHES, Instant::now()).map_err(Refusal::rate_limited)
}

/// The conversation of somebody with the user of that name, if there is one.
///
/// # Errors
/// `bad_name`; `forbidden` for a conversation with oneself.
pub(super) fn known(chat: &Chat, person: &Person, peer: &str) -> Result<Option<Arc<Room>>, Refusal> {
    let name = Username::parse(peer, chat.options().names).map_err(|_| Refusal::from(Code::BadName).about("room"))?;
    if name == person.user.name {
        return Err(Code::Forbidden.into());
    }
    let room = chat.rooms.direct(person.user.id, name.folded());
    let is_there =
        |room: &Arc<Room>| room.peer_of(person.user.id).is_some_and(|peer| !has_gone_for_good(chat, peer.user, &name));
    Ok(room.filter(is_there))
}

/// Whether a user was a guest who cannot come back any more: it takes its conversations along, whoever has its name now.
fn has_gone_for_good(chat: &Chat, user: UserId, name: &Username) -> bool {
    let may_return = || chat.is_young(GUEST_RETURN) && chat.online.named(name).is_none();
    user.is_guest() && chat.online.known(user).is_none() && !may_return()
}

/// Begins a conversation, or finds the one that somebody else has begun meanwhile; if its first message can be said.
///
/// # Errors
/// The first refusal that applies.
pub(super) async fn begin(
    session: &Session,
    person: &Arc<Person>,
    room: &RoomName,
    sayable: Result<(), Refusal>,
) -> Result<Arc<Room>, Refusal> {
    let chat = &session.chat;
    let name = Username::parse(room.peer().unwrap_or_default(), chat.options().names)
        .map_err(|_| Refusal::from(Code::BadName).about("room"))?;
    chat.standing.open_below(Level::MembersOnly, person)?;
    let peer = find_user(chat, &name).await?.ok_or(Code::NoSuchUser)?;
    if chat.standing.is_blocked(peer.user, person.user.id) {
        return Err(Code::Forbidden.into());
    }
    sayable?;
    approach(chat, person)?;
    // What was begun with an earlier guest of one of the names is over, and both are told so before this begins.
    for (me, other, name) in [(person.user.id, peer.user, &name), (peer.user, person.user.id, &person.user.name)] {
        let old = chat.rooms.direct(me, name.folded());
        if let Some(old) = old.filter(|room| room.peer_of(me).is_some_and(|known| known.user != other)) {
            // It may be about to end by itself.
            let _ = super::settings::erase(chat, &old, None).await;
        }
    }
    let me = Side { user: person.user.id, name: person.user.name.shared() };
    let sides = if me.user < peer.user { [me, peer] } else { [peer, me] };
    // No room can have this name, and no two conversations the same one.
    let name_in_store = RoomName::trusted(&format!("@{}:{}", sides[0].user.0, sides[1].user.0));
    let new = NewRoom { name: name_in_store, sides: Some(sides.clone()), ..chat.new_room(RoomKind::Direct) };
    let created = chat.create(new).await.map_err(|error| unavailable(&error))?;
    if let Created::New(room) = created {
        seat(chat, &room, &sides);
        return Ok(room);
    }
    // Whoever made it is about to let it be seen.
    known(chat, person, name.as_str())?.ok_or_else(|| Code::Internal.into())
}

/// Makes those who begin a conversation its members.
pub(in crate::chat) fn seat(chat: &Chat, room: &Arc<Room>, sides: &[Side]) {
    {
        // In one step, so that neither is ever alone there.
        let mut ledger = room.ledger();
        for side in sides {
            if side.user.is_guest() {
                ledger.state.add_guest(side.user, Arc::clone(&side.name), Seq(1));
            } else {
                ledger.state.add_first(side.user, RoomRole::Member);
            }
        }
    }
    for side in sides {
        if let Some(person) = chat.online.known(side.user) {
            person.add_room(room, Seq::ZERO);
            chat.refresh_presence(room, &person);
        } else {
            room.ledger().state.set_online(side.user, false);
        }
    }
}

/// Whoever has that name: an account that was not deleted, or a guest who is here or may come back.
pub(super) async fn find_user(chat: &Chat, name: &Username) -> Result<Option<Side>, Refusal> {
    if let Some(person) = chat.online.named(name) {
        return Ok(Some(Side { user: person.user.id, name: person.user.name.shared() }));
    }
    let account = chat.store.account(name.folded()).await.map_err(|error| unavailable(&error))?;
    Ok(account.filter(|account| !account.deleted).map(|account| Side { user: account.id, name: account.name.shared() }))
}

/// What somebody is on the server: an admin, too, who is not here at the moment.
pub(super) async fn server_role(chat: &Chat, user: UserId) -> Result<ServerRole, Refusal> {
    if let Some(person) = chat.online.known(user) {
        return Ok(person.role());
    }
    let account = chat.store.user(user).await.map_err(|error| unavailable(&error))?;
    Ok(account.map_or(ServerRole::User, |account| account.role))
}

/// Does not list a conversation any more, until something is added to it.
pub(super) async fn close(session: &Arc<Session>, person: &Arc<Person>, room: &Arc<Room>) -> Answer {
    let (user, name) = (person.user.id, room.name_for(person.user.id));
    let head = room.told_head();
    if !user.is_guest() {
        session.chat.change(Change::Close { user, room: room.id, head }).await?;
    }
    for session in room.followed_by(user) {
        session.stop_following(room);
    }
    Ok(Response::Left { room: name })
}

/// A guest has gone for good, and its conversations with it.
pub(in crate::chat) async fn end_all(chat: &Chat, guest: UserId) {
    for room in chat.rooms.direct_of(guest) {
        if let Err(refusal) = super::settings::erase(chat, &room, None).await {
            tracing::warn!(code = refusal.code.as_str(), "a conversation with a guest who has gone could not be ended");
        }
    }
}
