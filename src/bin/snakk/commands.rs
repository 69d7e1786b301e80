//! The commands for scripts: each does one thing, prints what was asked for, and ends with a code that says how it went.

use snakk::Client;
use snakk::client::{ClientError, Draft, HistoryQuery, Message, Page, SearchQuery};
use snakk::model::{Anchor, Seq};
use snakk::protocol::Code;

use crate::args::{History, Search, Send};
use crate::failure::{Failure, describe};
use crate::input::{self, Lines};
use crate::login;
use crate::setup::Connection;
use crate::show::{self, Stamp, plain, print, print_json};

/// The longest page of history that a server gives.
pub(crate) const PAGE: u32 = 500;

/// `snakk send`: says something, and ends well only when all of it is stored.
pub(crate) async fn send(connection: &Connection, send: Send) -> Result<(), Failure> {
    // Before anybody is bothered: is there something to say at all?
    let mut lines = Lines::new();
    let (mut text, many) = match send.text {
        Some(text) if text == "-" => (Some(input::whole().await?), false),
        Some(text) => (Some(text), false),
        None => (lines.next().await?, true),
    };
    if text.as_ref().is_none_or(String::is_empty) {
        return Err(Failure::new(Failure::USAGE, "there is nothing to send"));
    }
    let client = login::connect(connection).await?;
    // A conversation needs no joining: the first message makes it.
    if !send.room.starts_with('@') {
        client.join(&send.room).await?;
    }
    let mut nonce = send.nonce;
    while let Some(said) = text {
        let nonce = match nonce.take() {
            Some(nonce) => nonce,
            None => Draft::random_nonce()?,
        };
        let draft = Draft { nonce: Some(nonce.clone()), ..Draft::new(&send.room, said) };
        let place = if many { format!("line {}: ", lines.number()) } else { String::new() };
        match client.post(draft).await {
            Ok(posted) if connection.json => print_json(posted.json.as_str())?,
            Ok(_) => {}
            Err(error) => return Err(unsent(&client, &error, &place, &nonce)),
        }
        text = if many { lines.next().await? } else { None };
    }
    login::leave(client).await;
    Ok(())
}

/// Why a message was not acknowledged, and what can be done about it.
fn unsent(client: &Client, error: &ClientError, place: &str, nonce: &str) -> Failure {
    let unknown = is_unknown(error);
    let why = describe(error);
    if !unknown {
        return Failure::new(Failure::REFUSED, format!("{place}{why}"));
    }
    let nonce = plain(nonce);
    // The nonces of a guest are gone with the guest.
    let advice = match client.logged_in().is_some_and(|login| login.guest) {
        true => format!("it may be stored; look before you send it again (nonce {nonce})"),
        false => format!("it may be stored; send it again with --nonce {nonce}"),
    };
    Failure::new(Failure::UNKNOWN, format!("{place}not acknowledged: {why}\n{advice}"))
}

/// Whether nobody knows if the message is stored.
pub(crate) fn is_unknown(error: &ClientError) -> bool {
    match error {
        ClientError::Timeout | ClientError::Disconnected | ClientError::Closed | ClientError::Protocol(_) => true,
        _ => matches!(error.code(), Some(Code::StorageUnavailable | Code::Internal | Code::ShuttingDown)),
    }
}

/// `snakk history`: shows old messages.
pub(crate) async fn history(connection: &Connection, history: History) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    let anchor = match (history.before, history.after, history.around) {
        (Some(seq), _, _) => Anchor::Before(Seq(seq)),
        (_, Some(seq), _) => Anchor::After(Seq(seq)),
        (_, _, Some(seq)) => Anchor::Around(Seq(seq)),
        (None, None, None) => Anchor::Newest,
    };
    for page in pages(&client, &history.room, anchor, history.count).await? {
        if connection.json {
            print_json(page.json.as_str())?;
        } else {
            page.messages.iter().try_for_each(|message: &Message| print(&show::message(message, Stamp::Full)))?;
        }
    }
    login::leave(client).await;
    Ok(())
}

/// `snakk search`: finds messages.
pub(crate) async fn search(connection: &Connection, search: Search) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    let mut query = SearchQuery { room: search.room, ..SearchQuery::new(search.query.join(" ")) };
    let mut left = search.limit;
    loop {
        let found = client.search(query.clone().limit(left.min(PAGE))).await?;
        // A server that sends more than it was asked for is not let ramble on.
        for hit in found.messages.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            match connection.json {
                true => print_json(hit.json.as_str())?,
                false => print(&show::hit(hit))?,
            }
        }
        left = left.saturating_sub(u32::try_from(found.messages.len()).unwrap_or(u32::MAX));
        match found.next {
            // Whoever says twice that it goes on there goes on for ever.
            Some(next) if found.more && left > 0 && query.after != Some(next) => query = query.after(next),
            _ => break,
        }
    }
    login::leave(client).await;
    Ok(())
}

/// As many pages as make up the count, oldest first.
async fn pages(client: &Client, room: &str, mut anchor: Anchor, count: u32) -> Result<Vec<Page>, Failure> {
    let (mut pages, mut left) = (Vec::new(), count);
    loop {
        let page = client.history(room, HistoryQuery { anchor, limit: Some(left.min(PAGE)) }).await?;
        left = left.saturating_sub(u32::try_from(page.count).unwrap_or(u32::MAX));
        let next = match (anchor, page.oldest, page.newest) {
            _ if !page.more || left == 0 => None,
            (Anchor::Newest | Anchor::Before(_), Some(first), _) => Some(Anchor::Before(first)),
            (Anchor::After(_), _, Some(last)) => Some(Anchor::After(last)),
            // A page around an entry has two ends, and is never more than one page.
            _ => None,
        };
        pages.push(page);
        match next {
            Some(next) => anchor = next,
            None => break,
        }
    }
    if matches!(anchor, Anchor::Newest | Anchor::Before(_)) {
        pages.reverse();
    }
    Ok(pages)
}

/// `snakk rooms`: lists the rooms.
pub(crate) async fn rooms(connection: &Connection) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    list_rooms(&client, connection.json).await?;
    login::leave(client).await;
    Ok(())
}

/// Prints all rooms.
pub(crate) async fn list_rooms(client: &Client, json: bool) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    loop {
        let page = client.rooms_after(after.as_deref()).await?;
        match json {
            true => print_json(page.json.as_str())?,
            false => page.rooms.iter().try_for_each(|room| print(&show::room(room)))?,
        }
        match page.rooms.last().filter(|_| page.more) {
            Some(last) => after = Some(further(after.as_deref(), &last.room)?),
            None => return Ok(()),
        }
    }
}

/// The name behind which the next page begins. A server whose names do not rise has no end.
fn further(after: Option<&str>, last: &str) -> Result<String, ClientError> {
    if after.is_some_and(|after| last.to_lowercase() <= after.to_lowercase()) {
        let what = "the server says that there is more, and brings nothing new; the list ends here";
        return Err(ClientError::Protocol(what.into()));
    }
    Ok(last.to_owned())
}

/// `snakk names`: lists the members of a room, or everybody who is online.
pub(crate) async fn names(connection: &Connection, room: Option<&str>) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    list_names(&client, room, connection.json).await?;
    login::leave(client).await;
    Ok(())
}

/// Prints the members of a room, or everybody who is online.
pub(crate) async fn list_names(client: &Client, room: Option<&str>, json: bool) -> Result<(), Failure> {
    let mut after: Option<String> = None;
    loop {
        let page = client.names_after(room, after.as_deref()).await?;
        match json {
            true => print_json(page.json.as_str())?,
            false => page.names.iter().try_for_each(|name| print(&show::name(name)))?,
        }
        match page.names.last().filter(|_| page.more) {
            Some(last) => after = Some(further(after.as_deref(), &last.name)?),
            None => return Ok(()),
        }
    }
}
