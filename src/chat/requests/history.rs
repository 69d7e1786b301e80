//! Old messages.

use crate::chat::Chat;
use crate::chat::online::Person;
use crate::chat::requests::seen;
use crate::chat::room::Room;
use crate::chat::session::unavailable;
use crate::model::{Anchor, Level, RoomName, Seq};
use crate::protocol::response::Page;
use crate::protocol::{Answer, Refusal, Response};
use crate::store::Most;

/// How many messages a page has if not told otherwise.
pub(super) const DEFAULT_LIMIT: u32 = 50;
/// How many messages a page has at most.
pub(super) const MOST_MESSAGES: u32 = 500;
/// About how many bytes a page has at most.
pub(super) const MOST_BYTES: usize = 240 * 1024;

/// Whether somebody may read a room, as its rules and the server's level have it, and from which entry on.
///
/// # Errors
/// The first refusal that applies.
pub(super) fn may_read(chat: &Chat, person: &Person, room: &Room) -> Result<Seq, Refusal> {
    let (first, is_member) = {
        let ledger = room.ledger();
        let first = ledger.state.may_read(person.asks(chat.clock.now()))?;
        (first, ledger.state.role(person.user.id).is_some())
    };
    if !is_member {
        chat.standing.open_below(Level::MembersOnly, person)?;
    }
    Ok(first)
}

/// A page of a room's messages.
pub(super) async fn page(chat: &Chat, person: &Person, room: &RoomName, anchor: Anchor, limit: Option<u32>) -> Answer {
    let room = seen(chat, person, room)?;
    let first = may_read(chat, person, &room)?;
    let most = Most { entries: limit.unwrap_or(DEFAULT_LIMIT).min(MOST_MESSAGES) as usize, bytes: MOST_BYTES };
    // Before the page is read: whoever follows from this head on misses nothing between the two.
    let head = room.told_head();
    let page = chat.store.messages(room.id, anchor, first, most).await.map_err(|error| unavailable(&error))?;
    let last = page.messages.last().map_or(Seq::ZERO, |entry| entry.seq);
    room.tell(last);
    let head = head.max(last);
    Ok(Response::History(Box::new(Page {
        room: room.name_for(person.user.id),
        messages: page.messages,
        more: page.more,
        first,
        head,
    })))
}
