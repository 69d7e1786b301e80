//! `snakk tail`: shows the end of a room, and goes on with it if told to.

use std::time::Duration;

use snakk::Client;
use snakk::client::{ClientError, Event, Events, HistoryQuery, RoomResumed, Start};
use snakk::model::{Anchor, Seq};

use crate::args::Tail;
use crate::commands::PAGE;
use crate::cursor::Cursor;
use crate::failure::Failure;
use crate::login;
use crate::setup::Connection;
use crate::show::{self, Stamp, note, plain, print, print_json};

/// Where it begins.
enum Begin {
    /// With so many of the newest messages.
    Newest(u32),
    /// Behind an entry, of the room as it was in that epoch.
    Behind { seq: Seq, epoch: Option<String> },
}

/// How the showing ended.
enum Shown {
    /// With the last entry that was wanted.
    All,
    /// The room began anew, and so does whoever remembers a place in it.
    Anew,
}

/// `snakk tail`.
pub(crate) async fn tail(connection: &Connection, tail: Tail) -> Result<(), Failure> {
    // Before anybody is bothered: can it be remembered at all?
    let mut cursor = tail.cursor.as_deref().map(|file| Cursor::open(file, &tail.room)).transpose()?;
    let client = login::connect(connection).await?;
    let mut begin = match (cursor.as_ref().and_then(Cursor::place), tail.since) {
        (Some((seq, epoch)), _) => Begin::Behind { seq, epoch: Some(epoch.to_owned()) },
        (None, Some(seq)) => Begin::Behind { seq: Seq(seq), epoch: None },
        (None, None) => Begin::Newest(tail.count),
    };
    while let Shown::Anew = show(connection, &client, &tail, begin, cursor.as_mut()).await? {
        note("the room began anew, and so does this");
        // What still comes is not of where it begins: nobody listens until nothing comes any more.
        client.unfollow(cursor.as_ref().map_or(&tail.room, Cursor::room)).await?;
        begin = Begin::Newest(tail.count);
    }
    login::leave(client).await;
    Ok(())
}

/// Joins the room, and shows it from where it is to begin.
async fn show(
    connection: &Connection,
    client: &Client,
    tail: &Tail,
    begin: Begin,
    mut cursor: Option<&mut Cursor>,
) -> Result<Shown, Failure> {
    let room = cursor.as_deref().map_or(tail.room.as_str(), Cursor::room).to_owned();
    let (start, remembered) = match begin {
        Begin::Newest(0) => (Start::Now, false),
        Begin::Newest(count) => (Start::Since { seq: before_newest(client, &room, count).await?, epoch: None }, false),
        Begin::Behind { seq, epoch } => (Start::Since { seq, epoch }, cursor.is_some()),
    };
    // Before joining, or the first entries would be over before anybody listens.
    let mut events = client.events();
    let joined = client.join_with(&room, start.clone()).await?;
    let behind = match start {
        Start::Since { seq, .. } if !joined.reset => seq,
        _ if joined.reset && remembered => return Ok(Shown::Anew),
        _ => joined.head,
    };
    if let (Some(seq), true) = (tail.since, joined.reset) {
        note(&format!("the room has no entry {seq}; its end is {}", joined.head));
    }
    if remembered {
        tell_missed(joined.first.before().0.saturating_sub(behind.0));
    }
    // What is not kept, or not for this user, does not come.
    let behind = behind.max(joined.first.before()).min(joined.head);
    if let Some(cursor) = &mut cursor {
        cursor.begin(&joined.room, &joined.epoch, behind)?;
    }
    if !tail.follow && behind >= joined.head {
        return Ok(Shown::All);
    }
    let end = if tail.follow { None } else { Some(joined.head) };
    show_entries(connection, &mut events, end, cursor).await
}

/// Prints entries up to the last one that is wanted, or for ever.
async fn show_entries(
    connection: &Connection,
    events: &mut Events,
    end: Option<Seq>,
    mut cursor: Option<&mut Cursor>,
) -> Result<Shown, Failure> {
    // Without an end there is nothing to wait for in particular.
    let patience = end.map_or(Duration::MAX, |_| connection.timeout);
    loop {
        let event = match tokio::time::timeout(patience, events.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(Failure::new(Failure::UNAVAILABLE, "the connection was lost")),
            Err(_) => return Err(ClientError::Timeout.into()),
        };
        match &event {
            Event::Disconnected { reason, retry_in: None } => {
                return Err(Failure::new(Failure::UNAVAILABLE, plain(reason)));
            }
            Event::Disconnected { reason, .. } => note(&format!("{}; reconnecting", plain(reason))),
            Event::Connected { .. } => note("connected again"),
            Event::Resumed(rooms) => match (resumed(rooms)?, &cursor, end) {
                (false, ..) => {}
                (true, Some(_), _) => return Ok(Shown::Anew),
                (true, None, Some(_)) => return Ok(Shown::All),
                (true, None, None) => note("the room began anew while we were away"),
            },
            Event::Removed(removed) => {
                let words =
                    format!("{} is closed to you ({})", plain(&removed.room), plain(&removed.change.to_string()));
                return Err(Failure::new(Failure::REFUSED, words));
            }
            _ => {}
        }
        let Some((room, seq)) = event.entry() else { continue };
        if let (true, Some(json)) = (connection.json, event.json()) {
            print_json(json)?;
        } else if let Some(line) = show::entry(&event, Stamp::Full) {
            print(&line)?;
        }
        if let Some(cursor) = &mut cursor {
            cursor.printed(room, seq)?;
        }
        if end.is_some_and(|end| seq >= end) {
            return Ok(Shown::All);
        }
    }
}

/// Whether what was known of the room is void.
fn resumed(rooms: &[RoomResumed]) -> Result<bool, Failure> {
    let mut reset = false;
    for room in rooms {
        if let Some(refusal) = &room.refused {
            return Err(Failure::new(Failure::REFUSED, plain(refusal)));
        }
        tell_missed(room.missed);
        reset |= room.reset;
    }
    Ok(reset)
}

/// Entries that are gone for good, because the room does not keep them longer.
fn tell_missed(count: u64) {
    match count {
        0 => {}
        1 => note("an entry is not kept any more"),
        _ => note(&format!("{count} entries are not kept any more")),
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
