//! The SQL of the logs: entries in, entries out.

use std::borrow::Cow;
use std::collections::hash_map::{self, HashMap};
use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Rows};
use serde::{Deserialize, Serialize};

use crate::model::{Anchor, Body, Entry, Line, MemberChange, Message, RoomId, RoomRole, Seq, Text, Time, UserId};
use crate::store::page::{Page, halves};
use crate::store::sqlite::{members, rooms};
use crate::store::{Append, Most, StoredPage};

/// An entry's id is its room's number and, in this many bits, its own.
const SEQ_BITS: u32 = 40;
const MAX_SEQ: u64 = (1 << SEQ_BITS) - 1;
const MAX_ROOM: i64 = (1 << (63 - SEQ_BITS)) - 1;

/// So many entries that are no messages are read over before the next message is looked for in another way.
const SKIP: usize = 200;

const MESSAGE: i64 = 0;
const MEMBER: i64 = 1;
const ACTION: i64 = 1;

pub(super) const INSERT_ENTRY: &str = "INSERT INTO entries \
    (id, messages, time, author, name, kind, reply_to, flags, text, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
pub(super) const INSERT_NONCE: &str = "INSERT INTO nonces (author, room, nonce, seq, time) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO NOTHING";
pub(super) const SELECT_NONCE: &str = "SELECT seq, time FROM nonces WHERE author = ?1 AND room = ?2 AND nonce = ?3";
pub(super) const SELECT_UP: &str = "SELECT id, messages, time, author, name, kind, reply_to, flags, text, body \
    FROM entries WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
pub(super) const SELECT_DOWN: &str = "SELECT id, messages, time, author, name, kind, reply_to, flags, text, body \
    FROM entries WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC";
pub(super) const SELECT_HEAD: &str = "SELECT id, messages, time FROM entries WHERE id BETWEEN ?1 AND ?2 \
    ORDER BY id DESC LIMIT 1";
pub(super) const SELECT_MESSAGES: &str = "SELECT messages, kind FROM entries WHERE id = ?1";

/// Where an entry stands in the table. What no room can have is where nothing stands.
pub(super) fn id(room: RoomId, seq: Seq) -> i64 {
    let room = if (1..=MAX_ROOM).contains(&room.0) { room.0 } else { 0 };
    (room << SEQ_BITS) | i64::try_from(seq.0.min(MAX_SEQ)).unwrap_or_default()
}

pub(super) fn seq(id: i64) -> Seq {
    Seq(id.unsigned_abs() & MAX_SEQ)
}

/// The end of a log, as the next append has to know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) messages: i64,
    pub(super) time: i64,
}

/// The heads of the rooms that were written to, so that they need not be looked up each time. To be forgotten when a
/// transaction was rolled back.
#[derive(Default)]
pub(super) struct Heads(HashMap<RoomId, Head>);

impl Heads {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The room is gone.
    pub(super) fn forget(&mut self, room: RoomId) {
        self.0.remove(&room);
    }
}

/// What an author posted to a room with that nonce.
pub(super) fn posted(
    conn: &Connection,
    author: UserId,
    room: RoomId,
    nonce: &str,
) -> rusqlite::Result<Option<(Seq, Time)>> {
    let row = conn
        .prepare_cached(SELECT_NONCE)?
        .query_row((author.0, room.0, nonce), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(seq, time)| Ok((unsigned(0, seq).map(Seq)?, Time(time)))).transpose()
}

/// What became of an append inside a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    New(Seq, Time),
    Duplicate(Seq, Time),
    NoRoom,
    Full,
}

/// The statements of an append, looked up once for a batch.
pub(super) struct Appender<'a> {
    conn: &'a Connection,
    heads: &'a mut Heads,
    insert: CachedStatement<'a>,
    insert_nonce: Option<CachedStatement<'a>>,
}

impl<'a> Appender<'a> {
    pub(super) fn new(conn: &'a Connection, heads: &'a mut Heads) -> rusqlite::Result<Appender<'a>> {
        Ok(Appender { conn, heads, insert: conn.prepare_cached(INSERT_ENTRY)?, insert_nonce: None })
    }

    /// The room is gone.
    pub(super) fn forget(&mut self, room: RoomId) {
        self.heads.forget(room);
    }

    /// Adds an entry and what follows from it.
    pub(super) fn append(&mut self, append: &Append) -> rusqlite::Result<Added> {
        let head = match self.heads.0.entry(append.room) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(unknown) => match head(self.conn, append.room)? {
                Some(head) => unknown.insert(head),
                None => return Ok(Added::NoRoom),
            },
        };
        if head.seq >= MAX_SEQ {
            return Ok(Added::Full);
        }
        let seq = Seq(head.seq + 1);
        let time = append.time.0.max(head.time);
        let number = i64::try_from(seq.0).unwrap_or(i64::MAX);
        if let Some(nonce) = &append.nonce {
            let insert = match &mut self.insert_nonce {
                Some(insert) => insert,
                none => none.insert(self.conn.prepare_cached(INSERT_NONCE)?),
            };
            if insert.execute((append.author.0, append.room.0, &**nonce, number, time))? == 0 {
                let mut select = self.conn.prepare_cached(SELECT_NONCE)?;
                let (seq, time) = select
                    .query_row((append.author.0, append.room.0, &**nonce), |row| Ok((row.get(0)?, row.get(1)?)))?;
                return Ok(Added::Duplicate(unsigned(0, seq).map(Seq)?, Time(time)));
            }
        }
        let mut columns = Columns { kind: MESSAGE, reply_to: 0, flags: 0, text: "", body: String::new() };
        match &append.body {
            Body::Message(message) => {
                columns.reply_to = message.reply_to.map_or(0, |seq| i64::try_from(seq.0).unwrap_or(i64::MAX));
                columns.flags = if message.action { ACTION } else { 0 };
                columns.text = message.text.as_str();
            }
            _ => {
                columns.kind = MEMBER;
                columns.body = member_body(&append.body)?;
            }
        }
        let is_message = columns.kind == MESSAGE;
        let messages = head.messages + i64::from(is_message);
        self.insert.execute((
            id(append.room, seq),
            messages,
            time,
            append.author.0,
            &*append.from,
            columns.kind,
            columns.reply_to,
            columns.flags,
            columns.text,
            columns.body.as_str(),
        ))?;
        *head = Head { seq: seq.0, messages, time };
        match &append.body {
            Body::Member { .. } => members::member_changed(self.conn, append.room, &append.body, seq)?,
            Body::Room(change) => rooms::room_changed(self.conn, append.room, change)?,
            Body::Topic { topic } => rooms::topic_changed(self.conn, append.room, topic)?,
            _ => {}
        }
        Ok(Added::New(seq, Time(time)))
    }
}

/// What of an entry depends on its kind.
struct Columns<'a> {
    kind: i64,
    reply_to: i64,
    flags: i64,
    text: &'a str,
    body: String,
}

/// `Body::Member` as it is in the column `body`.
#[derive(Serialize, Deserialize)]
struct MemberBody<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    user_id: i64,
    change: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
}

fn member_body(body: &Body) -> rusqlite::Result<String> {
    let Body::Member { user, user_id, change, role, reason, until: _ } = body else {
        return Ok(String::new());
    };
    let body = MemberBody {
        user: Cow::Borrowed(user),
        user_id: user_id.0,
        change: change.as_str(),
        role: role.map(RoomRole::as_str),
        reason: reason.as_ref().map(|reason| reason.as_str().into()),
    };
    serde_json::to_string(&body).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
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
            let (older, newer) = halves(most);
            let mut page = up_to(conn, room, first, seq, older)?;
            let newer = behind(conn, room, first.max(Seq(seq.0.saturating_add(1))), newer)?;
            page.entries.extend(newer.entries);
            page.more |= newer.more;
            page
        }
    };
    Ok(StoredPage { messages: page.entries, more: page.more })
}

/// Takes messages into a page until it is full or there are no more rows. Where a long run of other entries comes first:
/// the entry at which it was given up, and how many messages there are up to it, so that the caller can go on behind it.
fn take_messages(rows: &mut Rows<'_>, page: &mut Page, names: &mut Names) -> rusqlite::Result<Option<(Seq, i64)>> {
    let mut skipped = 0;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(5)? == MESSAGE {
            skipped = 0;
            if !page.take(entry(row, names)?) {
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
        let Some((lowest, count)) = take_messages(&mut rows, &mut page, &mut names)? else { break };
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
        let Some((highest, count)) = take_messages(&mut rows, &mut page, &mut names)? else { break };
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
fn find(conn: &Connection, room: RoomId, count: i64, low: Seq, high: Seq) -> rusqlite::Result<Option<Seq>> {
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

/// The last name that was read: in most logs the next one is the same, and is shared.
#[derive(Default)]
struct Names(Option<Arc<str>>);

impl Names {
    fn share(&mut self, name: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *name => Arc::clone(last),
            _ => Arc::clone(self.0.insert(name.into())),
        }
    }
}

fn entry(row: &Row<'_>, names: &mut Names) -> rusqlite::Result<Entry> {
    let body = match row.get::<_, i64>(5)? {
        MESSAGE => {
            let reply_to = unsigned(6, row.get(6)?)?;
            Body::Message(Message {
                reply_to: (reply_to != 0).then_some(Seq(reply_to)),
                action: row.get::<_, i64>(7)? & ACTION != 0,
                ..Message::new(Text::trusted(row.get_ref(8)?.as_str()?))
            })
        }
        MEMBER => parse_member(row.get_ref(9)?.as_str()?)?,
        kind => return Err(damaged(5, format!("an entry of kind {kind}"))),
    };
    Ok(Entry {
        seq: seq(row.get(0)?),
        time: Time(row.get(2)?),
        author: UserId(row.get(3)?),
        from: names.share(row.get_ref(4)?.as_str()?),
        body,
    })
}

fn parse_member(json: &str) -> rusqlite::Result<Body> {
    let body: MemberBody<'_> = serde_json::from_str(json).map_err(|error| damaged(9, error.to_string()))?;
    let change = MemberChange::parse(body.change).ok_or_else(|| damaged(9, format!("the change {:?}", body.change)))?;
    Ok(Body::Member {
        user: (&*body.user).into(),
        user_id: UserId(body.user_id),
        change,
        role: body.role.map(|word| role(9, word)).transpose()?,
        reason: body.reason.map(|reason| Line::trusted(&*reason)),
        until: None,
    })
}

/// A role in a room, as a word in a column.
pub(super) fn role(column: usize, word: &str) -> rusqlite::Result<RoomRole> {
    RoomRole::parse(word).ok_or_else(|| damaged(column, format!("the role {word:?}")))
}

/// A number that is never negative, as SQLite has none of its own.
pub(super) fn unsigned(column: usize, number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number).map_err(|_| damaged(column, format!("the number {number}")))
}

/// A row that this program has not written.
pub(super) fn damaged(column: usize, found: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("{found} cannot be").into())
}
