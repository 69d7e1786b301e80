//! What the screen asks the server, and what comes of it. The state decides, this only carries: no rule lives here.

use std::time::Duration;

use tokio::time::Instant;

use super::state::members::MAX_NAME_BYTES;
use super::state::outbox::Failure;
use super::state::room::RoomKey;
use crate::Client;
use crate::client::{
    ClientError, Draft, Found, HistoryQuery, Joined, Json, NamesPage, NewRoom, Page, Posted, ReadMark, ResumedRoom,
    RoomSettings, RoomsPage, Sanction, SearchQuery, Start, Status,
};
use crate::model::{Anchor, RoomKind, RoomRole, Seq};
use crate::protocol::Code;

/// How many names of a room are asked for: no screen shows more.
const MAX_NAMES: usize = 2000;
/// How many rooms are asked for.
const MAX_ROOMS: usize = 5000;
/// In how many pages; a page is at most a megabyte, however few names it has.
const MAX_PAGES: usize = 32;

/// A question to the server, with what is needed to make sense of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Follows rooms, each from behind the entry that was seen last (in the epoch of that time).
    Follow(Vec<(String, Seq, Option<String>)>),
    /// Becomes a member of a room, and follows it.
    Join {
        room: String,
        start: Start,
        /// Where one was when one wanted to go there; `None` where nobody wanted to.
        from: Option<RoomKey>,
    },
    Leave {
        key: RoomKey,
        room: String,
    },
    /// A page of a room's history.
    History {
        key: RoomKey,
        room: String,
        anchor: Anchor,
        limit: u32,
    },
    Names {
        key: RoomKey,
        room: String,
    },
    Rooms,
    Search {
        query: String,
        room: Option<String>,
        after: Option<u64>,
    },
    Read {
        key: RoomKey,
        room: String,
        seq: Seq,
    },
    Typing {
        room: String,
    },
    Post {
        id: u64,
        draft: Draft,
    },
    Ping,
    /// Something of which only the outcome matters.
    Deed(Deed),
}

/// Something that changes the chat and has no answer but yes or no. What was typed for it is given back where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Edit { key: RoomKey, room: String, target: Seq, text: String },
    Delete { room: String, target: Seq, reason: Option<String> },
    React { room: String, target: Seq, emoji: String, remove: bool },
    Topic { room: String, topic: String },
    Create { from: RoomKey, room: String, kind: RoomKind, topic: String },
    Change { room: String, settings: RoomSettings },
    DeleteRoom { room: String },
    Invite { room: String, user: String, reason: Option<String> },
    Kick { room: String, user: String, reason: Option<String> },
    Ban { room: String, user: String, sanction: Sanction },
    Unban { room: String, user: String },
    Mute { room: String, user: String, sanction: Sanction },
    Unmute { room: String, user: String },
    Role { room: String, user: String, role: RoomRole },
    Status { away: bool, text: Option<String> },
    Block { user: String },
    Unblock { user: String },
    Notice { text: String },
}

/// What came of a question.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Followed(Vec<String>, Result<Vec<ResumedRoom>, Trouble>),
    Joined {
        room: String,
        from: Option<RoomKey>,
        joined: Result<Joined, Trouble>,
    },
    Left(RoomKey, Result<(), Trouble>),
    Page {
        key: RoomKey,
        anchor: Anchor,
        page: Result<Page, Trouble>,
    },
    Names(RoomKey, Result<NamesPage, Trouble>),
    Rooms(Result<RoomsPage, Trouble>),
    Found {
        query: String,
        first: bool,
        found: Result<Found, Trouble>,
    },
    Read {
        key: RoomKey,
        seq: Seq,
        mark: Result<ReadMark, Trouble>,
    },
    Posted {
        id: u64,
        posted: Result<Posted, Failure>,
    },
    /// How long the server took to answer.
    Lag(Option<Duration>),
    Done(Deed, Result<(), Trouble>),
    /// Nothing that matters.
    Nothing,
}

/// Why a question brought nothing, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) text: String,
    pub(crate) code: Option<Code>,
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        let reason = error.reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
        Trouble { text: format!("{error}{reason}"), code: error.code() }
    }
}

/// Asks, and waits for what comes of it.
pub(crate) async fn perform(client: &Client, ask: Ask) -> Answer {
    match ask {
        Ask::Follow(rooms) => {
            let names = rooms.iter().map(|(room, ..)| room.clone()).collect();
            let places: Vec<_> =
                rooms.iter().map(|(room, seq, epoch)| (room.as_str(), *seq, epoch.as_deref())).collect();
            Answer::Followed(names, client.resume(&places).await.map_err(Trouble::from))
        }
        Ask::Join { room, start, from } => {
            let joined = client.join_with(&room, start).await.map_err(Trouble::from);
            Answer::Joined { room, from, joined }
        }
        Ask::Leave { key, room } => Answer::Left(key, client.leave(&room).await.map_err(Trouble::from)),
        Ask::History { key, room, anchor, limit } => {
            let page = client.history(&room, HistoryQuery { anchor, limit: Some(limit) }).await;
            Answer::Page { key, anchor, page: page.map_err(Trouble::from) }
        }
        Ask::Names { key, room } => Answer::Names(key, names(client, &room).await.map_err(Trouble::from)),
        Ask::Rooms => Answer::Rooms(rooms(client).await.map_err(Trouble::from)),
        Ask::Search { query, room, after } => {
            let asked = SearchQuery { room, after, limit: Some(50), ..SearchQuery::new(&query) };
            let found = client.search(asked).await.map_err(Trouble::from);
            Answer::Found { query, first: after.is_none(), found }
        }
        Ask::Read { key, room, seq } => {
            Answer::Read { key, seq, mark: client.read(&room, seq).await.map_err(Trouble::from) }
        }
        Ask::Typing { room } => {
            // A hint: whether it was heard matters to nobody.
            let _ = client.typing(&room).await;
            Answer::Nothing
        }
        Ask::Post { id, draft } => Answer::Posted { id, posted: client.post(draft).await.map_err(failure) },
        Ask::Ping => {
            let asked = Instant::now();
            Answer::Lag(client.ping().await.ok().map(|_| asked.elapsed()))
        }
        Ask::Deed(deed) => {
            let done = do_it(client, deed.clone()).await.map_err(Trouble::from);
            Answer::Done(deed, done)
        }
    }
}

async fn do_it(client: &Client, deed: Deed) -> Result<(), ClientError> {
    match deed {
        Deed::Edit { room, target, text, .. } => client.edit(&room, target, &text).await.map(drop),
        Deed::Delete { room, target, reason } => client.delete(&room, target, reason.as_deref()).await.map(drop),
        Deed::React { room, target, emoji, remove: false } => client.react(&room, target, &emoji).await.map(drop),
        Deed::React { room, target, emoji, remove: true } => client.unreact(&room, target, &emoji).await.map(drop),
        Deed::Topic { room, topic } => client.topic(&room, &topic).await.map(drop),
        Deed::Create { room, kind, topic, .. } => {
            client.create_with(NewRoom::new(room).kind(kind).topic(topic)).await.map(drop)
        }
        Deed::Change { room, settings } => client.change_room(&room, settings).await.map(drop),
        Deed::DeleteRoom { room } => client.delete_room(&room).await,
        Deed::Invite { room, user, reason } => client.invite(&room, &user, reason.as_deref()).await.map(drop),
        Deed::Kick { room, user, reason } => client.kick(&room, &user, reason.as_deref()).await.map(drop),
        Deed::Ban { room, user, sanction } => client.ban(&room, &user, sanction).await.map(drop),
        Deed::Unban { room, user } => client.unban(&room, &user, None).await.map(drop),
        Deed::Mute { room, user, sanction } => client.mute(&room, &user, sanction).await.map(drop),
        Deed::Unmute { room, user } => client.unmute(&room, &user, None).await.map(drop),
        Deed::Role { room, user, role } => client.role(&room, &user, role, None).await.map(drop),
        Deed::Status { away, text } => {
            let status = if away { Status::Away } else { Status::Online };
            client.status(status, text.as_deref()).await
        }
        Deed::Block { user } => client.block(&user).await,
        Deed::Unblock { user } => client.unblock(&user).await,
        Deed::Notice { text } => client.notice(&text).await,
    }
}

/// The names of a room, page by page, up to what a screen can show.
async fn names(client: &Client, room: &str) -> Result<NamesPage, ClientError> {
    let mut all = small(client.names_after(Some(room), None).await?);
    for _ in 1..MAX_PAGES {
        if !all.more || all.names.len() >= MAX_NAMES {
            break;
        }
        // Behind the last one that is kept: one that is not comes again, in front of what is new.
        let last = all.names.last().map(|name| name.name.clone());
        let page = small(client.names_after(Some(room), last.as_deref()).await?);
        if page.names.is_empty() {
            break;
        }
        all.names.extend(page.names);
        all.more = page.more;
    }
    all.names.truncate(MAX_NAMES);
    Ok(all)
}

/// A page without what no screen shows, and what would only take memory.
fn small(mut page: NamesPage) -> NamesPage {
    let fits = |text: &str| text.len() <= MAX_NAME_BYTES;
    page.names.retain(|line| fits(&line.name) && fits(&line.role) && fits(line.status.as_str()));
    page.names.iter_mut().for_each(|line| line.text = None);
    page.json = Json::default();
    page
}

/// The rooms, page by page, up to what anybody reads.
async fn rooms(client: &Client) -> Result<RoomsPage, ClientError> {
    let mut all = client.rooms_after(None).await?;
    for _ in 1..MAX_PAGES {
        if !all.more || all.rooms.len() >= MAX_ROOMS {
            break;
        }
        let last = all.rooms.last().map(|room| room.room.clone());
        let page = client.rooms_after(last.as_deref()).await?;
        if page.rooms.is_empty() {
            break;
        }
        all.rooms.extend(page.rooms);
        all.more = page.more;
    }
    all.rooms.truncate(MAX_ROOMS);
    Ok(all)
}

/// Whether a message that was not acknowledged can be stored, and when to find out.
fn failure(error: ClientError) -> Failure {
    let after_ms = error.retry_after().map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    match error.code() {
        Some(Code::RateLimited | Code::StorageUnavailable | Code::Internal | Code::ShuttingDown) => {
            Failure::Unknown { after_ms }
        }
        Some(_) => Failure::Refused(Trouble::from(error).text),
        None => match error {
            ClientError::RefusedOtherwise { .. } | ClientError::TooLarge { .. } => Failure::Refused(error.to_string()),
            _ => Failure::Unknown { after_ms },
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_page_of_names_only_what_a_screen_shows_is_kept() {
        let huge = "x".repeat(100_000);
        let page = serde_json::from_value(json!({"more": true, "names": [
            {"name": "ann", "role": "owner", "online": true, "text": huge},
            {"name": huge},
            {"name": "bob", "role": huge},
            {"name": "eve", "status": huge},
        ]}));
        let page = small(page.unwrap());
        assert_eq!(page.names.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["ann"]);
        assert!(page.more && page.names[0].text.is_none());
    }
}
