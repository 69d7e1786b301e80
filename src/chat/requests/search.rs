//! Finding messages.

use crate::chat::Chat;
use crate::chat::online::Person;
use crate::chat::requests::history::{DEFAULT_LIMIT, MOST_BYTES, MOST_MESSAGES, may_read};
use crate::chat::requests::seen;
use crate::chat::session::unavailable;
use crate::model::{Body, Level, Query, RoomId, RoomName, Seq};
use crate::protocol::response::{Found, Hit};
use crate::protocol::{Answer, Code, Refusal, Response, SearchFor};
use crate::store::{Most, Search};

/// Finds messages in a room, or in all rooms that the user may read: those that everybody may read, and its own.
pub(super) async fn search(chat: &Chat, person: &Person, asked: SearchFor) -> Answer {
    let wrong = |field| Refusal::bad_request(field);
    // As in a text: what nobody can have said is not looked for.
    if asked.query.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(wrong("query"));
    }
    let mut query = Query::parse(&asked.query).map_err(|_| wrong("query"))?;
    if let Some(from) = asked.from {
        // What all names have in common; it may be nobody's.
        RoomName::parse(&format!("@{from}")).map_err(|_| Refusal::from(Code::BadName).about("from"))?;
        query.from = Some(from.into());
    }
    let room = match (asked.room, &query.room) {
        (Some(room), _) => Some(room),
        (None, Some(word)) => Some(RoomName::parse(word).map_err(|_| Refusal::from(Code::BadName).about("query"))?),
        (None, None) => None,
    };
    let rooms = match room {
        Some(name) => {
            let room = seen(chat, person, &name)?;
            let first = may_read(chat, person, &room)?;
            vec![(room.id, first)]
        }
        None => everywhere(chat, person),
    };
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT).min(MOST_MESSAGES);
    let search = Search {
        rooms,
        before: asked.before,
        after: asked.after,
        // A snippet comes with each hit.
        most: Most { entries: limit as usize, bytes: MOST_BYTES / 2 },
        timeout: chat.options().limits.longest_search(),
        query: query.clone(),
    };
    if query.is_empty() {
        return Ok(Response::Found(Box::new(Found { messages: Vec::new(), next: None })));
    }
    let hits = chat.store.search(search).await.map_err(|error| unavailable(&error))?;
    let hit = |(room, entry): (RoomId, crate::model::Entry)| {
        let Body::Message(message) = &entry.body else { return None };
        let snippet = query.snippet(message.text.as_str());
        Some(Hit {
            room: chat.rooms.by_id(room)?.name_for(person.user.id),
            snippet: snippet.text.into(),
            hit: (snippet.start, snippet.end.saturating_sub(snippet.start)),
            entry,
        })
    };
    let messages = hits.hits.into_iter().filter_map(hit).collect();
    Ok(Response::Found(Box::new(Found { messages, next: hits.next })))
}

/// The rooms that a user may read, and from where on. There may be many, so each is asked once.
fn everywhere(chat: &Chat, person: &Person) -> Vec<(RoomId, Seq)> {
    let asker = person.asks(chat.clock.now());
    let only_own = chat.standing.open_below(Level::MembersOnly, person).is_err();
    let direct = chat.rooms.direct_of(person.user.id);
    let rooms = chat.rooms.behind("").into_iter().chain(direct);
    let readable = rooms.filter_map(|room| {
        let ledger = room.ledger();
        let state = &ledger.state;
        let may = state.sees(asker) && (!only_own || state.role(person.user.id).is_some());
        let first = if may { state.may_read(asker).ok() } else { None }?;
        Some((room.id, first))
    });
    readable.collect()
}
