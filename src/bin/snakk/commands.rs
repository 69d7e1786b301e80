//! The commands for scripts: each does one thing, prints what was asked for, and ends with a code that says how it went.

use std::time::Duration;

use snakk::Client;
use snakk::client::{ClientError, Draft, Event, Events, HistoryQuery, Message, Page, SearchQuery, Start};
use snakk::model::{Anchor, Seq};
use snakk::protocol::Code;

use crate::args::{Connection, History, Search, Send, Tail};
use crate::failure::{Failure, describe};
use crate::input::{self, Lines};
use crate::login;
use crate::show::{self, Stamp, plain, print, print_json};

/// The longest page of history that a server gives.
const PAGE: u32 = 500;

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
    client.join(&send.room).await?;
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
    Failure::new(Failure::UNKNOWN, format!("{place}not acknowledged: {why}\nsnakk: {advice}"))
}

/// Whether nobody knows if the message is stored.
pub(crate) fn is_unknown(error: &ClientError) -> bool {
    match error {
        ClientError::Timeout | ClientError::Disconnected | ClientError::Closed | ClientError::Protocol(_) => true,
        _ => matches!(error.code(), Some(Code::StorageUnavailable | Code::Internal | Code::ShuttingDown)),
    }
}

/// `snakk tail`: shows the end of a room, and goes on with it if told to.
pub(crate) async fn tail(connection: &Connection, tail: Tail) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    let since = match (tail.since, tail.count) {
        (Some(seq), _) => Some(Seq(seq)),
        (None, 0) => None,
        (None, count) => Some(before_newest(&client, &tail.room, count).await?),
    };
    // Before joining, or the first entries would be over before anybody listens.
    let mut events = client.events();
    let start = since.map_or(Start::Now, |seq| Start::Since { seq, epoch: None });
    let joined = client.join_with(&tail.room, start).await?;
    if joined.reset {
        eprintln!("snakk: the room has no entry {}; its end is {}", since.unwrap_or_default(), joined.head);
    }
    let nothing_old = joined.reset || since.is_none_or(|seq| seq >= joined.head);
    if tail.follow || !nothing_old {
        let end = if tail.follow { None } else { Some(joined.head) };
        show_entries(connection, &mut events, end).await?;
    }
    drop(events);
    login::leave(client).await;
    Ok(())
}

/// Prints entries up to the last one that is wanted, or for ever.
async fn show_entries(connection: &Connection, events: &mut Events, end: Option<Seq>) -> Result<(), Failure> {
    // Without an end there is nothing to wait for in particular.
    let patience = end.map_or(Duration::MAX, |_| connection.timeout);
    loop {
        let event = match tokio::time::timeout(patience, events.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(Failure::new(Failure::UNAVAILABLE, "the connection was lost")),
            Err(_) => return Err(ClientError::Timeout.into()),
        };
        match &event {
            Event::Disconnected { reason, .. } => eprintln!("snakk: {}; reconnecting", plain(reason)),
            Event::Connected { .. } => eprintln!("snakk: connected again"),
            Event::Resumed(rooms) => {
                for room in rooms {
                    if let Some(refusal) = &room.refused {
                        return Err(Failure::new(Failure::REFUSED, plain(refusal)));
                    }
                    if room.reset {
                        eprintln!("snakk: the room began anew while we were away");
                        if end.is_some() {
                            return Ok(());
                        }
                    }
                }
            }
            Event::Removed(removed) => {
                let words =
                    format!("{} is closed to you ({})", plain(&removed.room), plain(&removed.change.to_string()));
                return Err(Failure::new(Failure::REFUSED, words));
            }
            _ => {}
        }
        let Some((_, seq)) = event.entry() else { continue };
        if let (true, Some(json)) = (connection.json, event.json()) {
            print_json(json)?;
        } else if let Some(line) = show::entry(&event, Stamp::Full) {
            print(&line)?;
        }
        if end.is_some_and(|end| seq >= end) {
            return Ok(());
        }
    }
}

/// The number of the entry in front of the newest messages.
async fn before_newest(client: &Client, room: &str, count: u32) -> Result<Seq, Failure> {
    let mut anchor = Anchor::Newest;
    let mut left = count;
    loop {
        let query = HistoryQuery { anchor, limit: Some(left.min(PAGE)) };
        let page = client.history(room, query).await?;
        left = left.saturating_sub(u32::try_from(page.count).unwrap_or(u32::MAX));
        match page.oldest {
            Some(first) if left == 0 => return Ok(first.before()),
            Some(first) if page.more => anchor = Anchor::Before(first),
            // Fewer messages than asked for: everything that there is.
            _ => return Ok(Seq::ZERO),
        }
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
    let mut after: Option<String> = None;
    loop {
        let page = client.rooms_after(after.as_deref()).await?;
        if connection.json {
            print_json(page.json.as_str())?;
        } else {
            for room in &page.rooms {
                print(&show::room(room))?;
            }
        }
        match page.rooms.last() {
            Some(last) if page.more => after = Some(last.room.clone()),
            _ => break,
        }
    }
    login::leave(client).await;
    Ok(())
}

/// `snakk names`: lists the members of a room, or everybody who is online.
pub(crate) async fn names(connection: &Connection, room: Option<&str>) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    let mut after: Option<String> = None;
    loop {
        let page = client.names_after(room, after.as_deref()).await?;
        if connection.json {
            print_json(page.json.as_str())?;
        } else {
            for name in &page.names {
                print(&show::name(name))?;
            }
        }
        match page.names.last() {
            Some(last) if page.more => after = Some(last.name.clone()),
            _ => break,
        }
    }
    login::leave(client).await;
    Ok(())
}
