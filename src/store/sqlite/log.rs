//! The SQL of the logs: where entries stand, and how they are read.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Rows};

use crate::model::{Anchor, Body, Entry, RoomId, Seq, Time};
use crate::store::page::{Page, around};
use crate::store::sqlite::reactions;
use crate::store::sqlite::rows::{MESSAGE, Names, REACTED, entry, select_entries};
use crate::store::{Most, StoredPage};

pub(super) use crate::store::sqlite::rows::{damaged, role, unsigned};

/// An entry's id is its room's number and, in this many bits, its own.
const SEQ_BITS: u32 = 40;
pub(super) const MAX_SEQ: u64 = (1 << SEQ_BITS) - 1;
const MAX_ROOM: i64 = (1 << (63 - SEQ_BITS)) - 1;

/// So many entries that are no messages are read over before the next message is looked for in another way.
const SKIP: usize = 200;

pub(super) const SELECT_UP: &str = select_entries!("WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
pub(super) const SELECT_DOWN: &str = select_entries!("WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC");
pub(super) const SELECT_HEAD: &str = "SELECT id, messages, time FROM entries WHERE id BETWEEN ?1 AND ?2 \
    ORDER BY id DESC LIMIT 1";
pub(super) const SELECT_FIRST: &str = "SELECT id, messages, kind FROM entries WHERE id BETWEEN ?1 AND ?2 \
    ORDER BY id LIMIT 1";
pub(super) const SELECT_MESSAGES: &str = "SELECT messages, kind FROM entries WHERE id = ?1";
const SELECT_TIME: &str = "SELECT time FROM entries WHERE id = ?1";

/// Where an entry stands in the table. What no room can have is where nothing stands.
pub(super) fn id(room: RoomId, seq: Seq) -> i64 {
    let room = if (1..=MAX_ROOM).contains(&room.0) { room.0 } else { 0 };
    (room << SEQ_BITS) | i64::try_from(seq.0.min(MAX_SEQ)).unwrap_or_default()
}

pub(super) fn seq(id: i64) -> Seq {
    Seq(id.unsigned_abs() & MAX_SEQ)
}

/// The room in whose log an entry stands.
pub(super) fn room(id: i64) -> RoomId {
    RoomId(id >> SEQ_BITS)
}

/// The end of a log, as the next append has to know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) messages: i64,
    pub(super) time: i64,
}

/// The heads of the rooms that were written to, and the nr of the newest message, so that they need not be looked up each
/// time. To be forgotten when a transaction was rolled back.
#[derive(Default)]
pub(super) struct Heads {
    pub(super) rooms: HashMap<RoomId, Head>,
    pub(super) nr: Option<i64>,
}

impl Heads {
    pub(super) fn clear(&mut self) {
        self.rooms.clear();
        self.nr = None;
    }
}

/// The end of a room's log; none if there is no such room.
pub(super) fn head(conn: &Connection, room: RoomId) -> rusqlite::Result<Option<Head>> {
    let mut select = conn.prepare_cached("SELECT first_seq FROM rooms WHERE id = ?1")?;
    let first: Option<i64> = select.query_row([room.0], |row| row.get(0)).optional()?;
    let Some(first) = first else {
        return Ok(None);
    };
    if id(room, Seq(1)) >> SEQ_BITS == 0 {
        return Ok(None);
    }
    let mut select = conn.prepare_cached(SELECT_HEAD)?;
    let last = select
        .query_row((id(room, Seq::ZERO), id(room, Seq(MAX_SEQ))), |row| {
            Ok(Head { seq: seq(row.get(0)?).0, messages: row.get(1)?, time: row.get(2)? })
        })
        .optional()?;
    let before_first = Head { seq: unsigned(0, first)?.saturating_sub(1), messages: 0, time: 0 };
    Ok(Some(last.unwrap_or(before_first)))
}

/// See [`Store::entries`](crate::store::Store::entries).
pub(super) fn entries(
    conn: &Connection,
    room: RoomId,
    after: Seq,
    up_to: Seq,
    most: Most,
) -> rusqlite::Result<Vec<Entry>> {
    if up_to <= after {
        return Ok(Vec::new());
    }
    let mut select = conn.prepare_cached(SELECT_UP)?;
    let mut rows = select.query((id(room, Seq(after.0.saturating_add(1))), id(room, up_to)))?;
    let mut page = Page::new(Most { entries: most.entries.max(1), bytes: most.bytes });
    let mut names = Names::default();
    while let Some(row) = rows.next()? {
        if !page.take(entry(row, &mut names)?) {
            break;
        }
    }
    Ok(page.entries)
}

/// See [`Store::messages`](crate::store::Store::messages).
pub(super) fn messages(
    conn: &Connection,
    room: RoomId,
    anchor: Anchor,
    first: Seq,
    most: Most,
) -> rusqlite::Result<StoredPage> {
    let most = Most { entries: most.entries.max(1), bytes: most.bytes };
    let first = first.max(Seq(1));
    let page = match anchor {
        Anchor::Newest => up_to(conn, room, first, Seq(MAX_SEQ), most)?,
        Anchor::Before(seq) => up_to(conn, room, first, seq.before(), most)?,
        Anchor::After(seq) => behind(conn, room, first.max(Seq(seq.0.saturating_add(1))), most)?,
        Anchor::Around(seq) => {
            let older = up_to(conn, room, first, seq, most)?;
            let newer = behind(conn, room, first.max(Seq(seq.0.saturating_add(1))), most)?;
            around(older, newer, most)
        }
    };
    Ok(StoredPage { messages: page.entries, more: page.more })
}

/// Takes messages into a page until it is full or there are no more rows. Where a long run of other entries comes first:
/// the entry at which it was given up, and how many messages there are up to it, so that the caller can go on behind it.
fn take_messages(
    conn: &Connection,
    room: RoomId,
    rows: &mut Rows<'_>,
    page: &mut Page,
    names: &mut Names,
) -> rusqlite::Result<Option<(Seq, i64)>> {
    let mut skipped = 0;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(5)? == MESSAGE {
            skipped = 0;
            let mut entry = entry(row, names)?;
            if row.get::<_, i64>(7)? & REACTED != 0
                && let Body::Message(message) = &mut entry.body
            {
                message.reactions = reactions::of(conn, room, entry.seq)?;
            }
            if !page.take(entry) {
                break;
            }
        } else {
            skipped += 1;
            if skipped == SKIP {
                return Ok(Some((seq(row.get(0)?), row.get(1)?)));
            }
        }
    }
    Ok(None)
}

/// The last messages from `first` up to and with `last`, oldest first.
fn up_to(conn: &Connection, room: RoomId, first: Seq, last: Seq, most: Most) -> rusqlite::Result<Page> {
    let mut page = Page::new(most);
    let mut names = Names::default();
    let mut last = last;
    while first <= last {
        let mut select = conn.prepare_cached(SELECT_DOWN)?;
        let mut rows = select.query((id(room, first), id(room, last)))?;
        let Some((lowest, count)) = take_messages(conn, room, &mut rows, &mut page, &mut names)? else { break };
        drop(rows);
        // The message in front of this run is the first entry with the same count.
        match find(conn, room, count, first, lowest)? {
            Some(found) => last = found,
            None => break,
        }
    }
    page.entries.reverse();
    Ok(page)
}

/// The first messages from `first`, oldest first.
fn behind(conn: &Connection, room: RoomId, first: Seq, most: Most) -> rusqlite::Result<Page> {
    let mut page = Page::new(most);
    let mut names = Names::default();
    let mut first = first;
    loop {
        let mut select = conn.prepare_cached(SELECT_UP)?;
        let mut rows = select.query((id(room, first), id(room, Seq(MAX_SEQ))))?;
        let Some((highest, count)) = take_messages(conn, room, &mut rows, &mut page, &mut names)? else { break };
        drop(rows);
        let Some(head) = head(conn, room)? else {
            break;
        };
        match find(conn, room, count + 1, highest, Seq(head.seq))? {
            Some(found) => first = found,
            None => break,
        }
    }
    Ok(page)
}

/// The first entry in `low..=high` that has so many messages up to and with itself, if it is a message. Halves the range
/// with each step, for the count never falls.
pub(super) fn find(conn: &Connection, room: RoomId, count: i64, low: Seq, high: Seq) -> rusqlite::Result<Option<Seq>> {
    let mut select = conn.prepare_cached(SELECT_MESSAGES)?;
    let mut at = |seq: Seq| -> rusqlite::Result<(i64, i64)> {
        select.query_row([id(room, seq)], |row| Ok((row.get(0)?, row.get(1)?)))
    };
    let (mut low, mut high) = (low.0.max(1), high.0);
    while low < high {
        let middle = low + (high - low) / 2;
        // What retention has cut off stands in front of everything.
        let here = at(Seq(middle)).optional()?.map_or(0, |(count, _)| count);
        if here >= count {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let found = at(Seq(low)).optional()?;
    Ok(found.filter(|(here, kind)| *here == count && *kind == MESSAGE).map(|_| Seq(low)))
}

/// The first entry that is kept behind an entry of that number or with it: its own number where it is kept, else one less;
/// and how many messages there are up to and with that. None where the log is empty.
pub(super) fn place(conn: &Connection, room: RoomId, at: Seq) -> rusqlite::Result<Option<(Seq, i64)>> {
    let mut select = conn.prepare_cached(SELECT_FIRST)?;
    select
        .query_row((id(room, at), id(room, Seq(MAX_SEQ))), |row| {
            let (here, messages, kind): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let here = seq(here);
            // What retention has cut off counts no more.
            Ok(if here <= at { (here, messages) } else { (here.before(), messages - i64::from(kind == MESSAGE)) })
        })
        .optional()
}

/// See [`Store::first_since`](crate::store::Store::first_since). Halves the log with each step, for the time never falls.
pub(super) fn first_since(conn: &Connection, room: RoomId, time: Time) -> rusqlite::Result<Seq> {
    let (Some(head), Some((before, _))) = (head(conn, room)?, place(conn, room, Seq::ZERO)?) else {
        return Ok(Seq(head(conn, room)?.unwrap_or_default().seq + 1));
    };
    let mut select = conn.prepare_cached(SELECT_TIME)?;
    let (mut low, mut high) = (before.0 + 1, head.seq + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let here: i64 = select.query_row([id(room, Seq(middle))], |row| row.get(0))?;
        if here >= time.0 {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(Seq(low))
}
