//! The SQL of an append: an entry and all that follows from it, in one transaction.

use std::collections::hash_map;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use crate::model::{Body, RoomId, Seq, Time, UserId};
use crate::store::sqlite::log::{self, Head, Heads, MAX_SEQ, id, unsigned};
use crate::store::sqlite::rows::{Columns, MESSAGE, mentions_body, number};
use crate::store::sqlite::targets::{self, Aim};
use crate::store::sqlite::unread::Tallies;
use crate::store::sqlite::{acts, index, members, mentions, rooms};
use crate::store::{Append, Unmet};

pub(super) const INSERT_ENTRY: &str = "INSERT INTO entries \
    (id, messages, time, author, name, kind, reply_to, flags, text, body, nr) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const INSERT_POSTING: &str = "INSERT INTO postings (nr, id) VALUES (?1, ?2)";
pub(super) const INSERT_NONCE: &str = "INSERT INTO nonces (author, room, nonce, seq, time) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT DO NOTHING";
pub(super) const SELECT_NONCE: &str = "SELECT seq, time FROM nonces WHERE author = ?1 AND room = ?2 AND nonce = ?3";

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It mentions these.
    New(Seq, Time, Box<[Arc<str>]>),
    Duplicate(Seq, Time),
    Unmet(Unmet),
    NoRoom,
    Full,
}

/// The statements of an append, looked up once for a batch.
pub(super) struct Appender<'a> {
    conn: &'a Connection,
    heads: &'a mut Heads,
    insert: CachedStatement<'a>,
    insert_posting: CachedStatement<'a>,
    insert_nonce: Option<CachedStatement<'a>>,
    tallies: Tallies,
    /// Whether something was overwritten that must not be found in the files.
    pub(super) erased: bool,
}

impl<'a> Appender<'a> {
    pub(super) fn new(conn: &'a Connection, heads: &'a mut Heads) -> rusqlite::Result<Appender<'a>> {
        Ok(Appender {
            conn,
            heads,
            insert: conn.prepare_cached(INSERT_ENTRY)?,
            insert_posting: conn.prepare_cached(INSERT_POSTING)?,
            insert_nonce: None,
            tallies: Tallies::default(),
            erased: false,
        })
    }

    /// Adds an entry and what follows from it.
    pub(super) fn append(&mut self, append: &Append) -> rusqlite::Result<Added> {
        let head = match self.heads.rooms.entry(append.room) {
            hash_map::Entry::Occupied(known) => *known.get(),
            hash_map::Entry::Vacant(unknown) => match log::head(self.conn, append.room)? {
                Some(head) => *unknown.insert(head),
                None => return Ok(Added::NoRoom),
            },
        };
        if head.seq >= MAX_SEQ {
            return Ok(Added::Full);
        }
        let seq = Seq(head.seq + 1);
        let time = append.time.0.max(head.time);
        let aim = if targets::has_target(&append.body) {
            // A repeat is one, whatever has become of its target since.
            if let Some(nonce) = &append.nonce
                && let Some((seq, time)) = posted(self.conn, append.author, append.room, nonce)?
            {
                return Ok(Added::Duplicate(seq, time));
            }
            match targets::aim(self.conn, append)? {
                Aim::Unmet(unmet) => return Ok(Added::Unmet(unmet)),
                Aim::There(seq, time) => {
                    self.remember(append, number(seq), time.0)?;
                    return Ok(Added::Duplicate(seq, time));
                }
                aim => aim,
            }
        } else {
            Aim::Nothing
        };
        if !self.remember(append, number(seq), time)? {
            let first = append.nonce.as_deref().map(|nonce| posted(self.conn, append.author, append.room, nonce));
            let (seq, time) = first.transpose()?.flatten().ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            return Ok(Added::Duplicate(seq, time));
        }
        let mut columns = Columns::of(&append.body)?;
        let is_message = columns.kind == MESSAGE;
        let mentioned = if append.mentions.is_empty() {
            Vec::new()
        } else {
            mentions::resolve(self.conn, append.room, append.author, &append.mentions)?
        };
        let names: Box<[Arc<str>]> = mentioned.iter().map(|mentioned| Arc::clone(&mentioned.name)).collect();
        if is_message && !names.is_empty() {
            columns.body = mentions_body(&names)?;
        }
        let messages = head.messages + i64::from(is_message);
        let place = id(append.room, seq);
        let nr = if is_message { self.next_nr()? } else { 0 };
        self.insert.execute((
            place,
            messages,
            time,
            append.author.0,
            &*append.from,
            columns.kind,
            columns.reply_to,
            columns.flags,
            columns.text,
            columns.body.as_str(),
            nr,
        ))?;
        self.heads.rooms.insert(append.room, Head { seq: seq.0, messages, time });
        self.tallies.crossed(append.room, seq);
        if is_message {
            self.insert_posting.execute((nr, place))?;
            self.tallies.add(append.room, append.author, seq, 1);
        }
        // What people do to their own messages is nobody's business.
        let own = matches!((&append.body, &aim), (Body::Delete { .. }, Aim::Message(it)) if it.author == append.author);
        match (&append.body, aim) {
            (Body::Message(_), _) => mentions::add(self.conn, append.room, seq, append.author, &mentioned)?,
            (Body::Edit { .. }, Aim::Message(target)) => {
                targets::edit(self.conn, append.room, &target, seq, Time(time), columns.text, &mentions_body(&names)?)?;
                if target.mentions {
                    mentions::forget(self.conn, append.room, target.seq)?;
                }
                mentions::add(self.conn, append.room, target.seq, append.author, &mentioned)?;
                self.erased = true;
            }
            (Body::Delete { .. }, Aim::Message(target)) => {
                targets::delete(self.conn, append.room, &target)?;
                self.tallies.add(append.room, target.author, target.seq, -1);
                self.tallies.add(append.room, UserId(0), target.seq, 1);
                self.erased = true;
            }
            (Body::React { emoji, remove, .. }, Aim::Message(target)) => {
                targets::react(self.conn, append, &target, emoji, *remove, seq)?;
            }
            (Body::Member { user_id, change, .. }, _) => {
                members::member_changed(self.conn, append.room, &append.body, seq)?;
                if change.puts_out() {
                    mentions::forget_all_of(self.conn, append.room, *user_id)?;
                }
            }
            (Body::Topic { topic }, _) => rooms::topic_changed(self.conn, append.room, topic)?,
            (Body::Room(change), _) => rooms::room_changed(self.conn, append.room, change)?,
            _ => {}
        }
        if let Some(act) = append.act.as_ref().filter(|_| !own) {
            acts::add(self.conn, act)?;
        }
        Ok(Added::New(seq, Time(time), names))
    }

    /// Writes down what was only counted, so that others in this transaction find it.
    pub(super) fn flush(&mut self) -> rusqlite::Result<()> {
        self.tallies.flush(self.conn)
    }

    /// Forgets the head of a room that something else than an append has changed.
    pub(super) fn forget(&mut self, room: RoomId) {
        self.heads.rooms.remove(&room);
    }

    /// Writes down the nonce; false where it is there already.
    fn remember(&mut self, append: &Append, seq: i64, time: i64) -> rusqlite::Result<bool> {
        let Some(nonce) = &append.nonce else { return Ok(true) };
        let insert = match &mut self.insert_nonce {
            Some(insert) => insert,
            none => none.insert(self.conn.prepare_cached(INSERT_NONCE)?),
        };
        Ok(insert.execute((append.author.0, append.room.0, &**nonce, seq, time))? > 0)
    }

    fn next_nr(&mut self) -> rusqlite::Result<i64> {
        let last = match self.heads.nr {
            Some(nr) => nr,
            None => index::newest(self.conn)?,
        };
        Ok(*self.heads.nr.insert(last + 1))
    }
}
