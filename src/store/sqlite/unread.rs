//! What somebody has not read, counted without reading it.
//!
//! Every entry knows how many messages there are up to it, so those behind a place are a subtraction. Of them those of some
//! authors do not count, nor those that were deleted. They are tallied by author (0 for the deleted ones) in blocks of 256
//! numbers of the log, and the sums of 256 blocks stand in one more row as soon as the log has left them behind. So a count
//! looks at hardly more than 128 entries, 512 rows for each author, and one more for every 65536 entries.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::model::{RoomId, Seq, UserId};
use crate::store::Unread;
use crate::store::sqlite::log::{self, id};
use crate::store::sqlite::mentions;
use crate::store::sqlite::rows::{DELETED, MESSAGE, number, unsigned};

const BLOCK_BITS: u32 = 8;
const WIDE_BITS: u32 = 16;
/// Whose messages are those that were deleted.
const NOBODY: UserId = UserId(0);

pub(super) const SELECT_BLOCK: &str = "SELECT kind, author, flags FROM entries WHERE id BETWEEN ?1 AND ?2";
pub(super) const SELECT_TALLY: &str = "SELECT ifnull(sum(count), 0) FROM tallies \
    WHERE room = ?1 AND author = ?2 AND block BETWEEN ?3 AND ?4";
const ADD_TALLY: &str = "INSERT INTO tallies (room, author, block, count) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT DO UPDATE SET count = count + excluded.count";

/// The block of a number, as the table has it.
fn block(seq: u64) -> i64 {
    (seq >> BLOCK_BITS).cast_signed()
}

/// The row that has the sums of 256 blocks.
fn wide(seq: u64) -> i64 {
    -1 - (seq >> WIDE_BITS).cast_signed()
}

/// What is counted in a transaction, and written down once at its end.
#[derive(Default)]
pub(super) struct Tallies {
    counts: HashMap<(RoomId, UserId, u64), i64>,
    /// Rooms whose log has come to the first number behind 256 blocks.
    crossed: Vec<(RoomId, u64)>,
}

impl Tallies {
    /// So many more of an author's messages, at that place.
    pub(super) fn add(&mut self, room: RoomId, author: UserId, seq: Seq, count: i64) {
        *self.counts.entry((room, author, seq.0 >> BLOCK_BITS)).or_default() += count;
    }

    /// The log has come to that number.
    pub(super) fn crossed(&mut self, room: RoomId, seq: Seq) {
        if seq.0.trailing_zeros() >= WIDE_BITS {
            self.crossed.push((room, seq.0));
        }
    }

    /// Writes everything down.
    pub(super) fn flush(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if !self.counts.is_empty() {
            let mut add = conn.prepare_cached(ADD_TALLY)?;
            let mut behind = Vec::new();
            for ((room, author, block), count) in self.counts.drain().filter(|(_, count)| *count != 0) {
                add.execute((room.0, author.0, block.cast_signed(), count))?;
                if author == NOBODY || count < 0 {
                    // Somewhere in the log, and not at its end: the sums may have been written down already.
                    behind.push((room, author, block, count));
                }
            }
            for (room, author, block, count) in behind {
                let first = block << BLOCK_BITS;
                if self.is_summed_up(conn, room, first)? {
                    add.execute((room.0, author.0, wide(first), count))?;
                }
            }
        }
        for (room, seq) in self.crossed.drain(..) {
            sum_up(conn, room, seq - 1)?;
        }
        Ok(())
    }

    /// Whether the log had left the blocks around a number behind before this transaction.
    fn is_summed_up(&self, conn: &Connection, room: RoomId, seq: u64) -> rusqlite::Result<bool> {
        let next = ((seq >> WIDE_BITS) + 1) << WIDE_BITS;
        let head = log::head(conn, room)?.unwrap_or_default();
        Ok(head.seq >= next && !self.crossed.contains(&(room, next)))
    }
}

/// Writes down the sums of the 256 blocks that end with a number.
fn sum_up(conn: &Connection, room: RoomId, last: u64) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO tallies (room, author, block, count) SELECT room, author, ?4, sum(count) FROM tallies \
         WHERE room = ?1 AND block BETWEEN ?2 AND ?3 GROUP BY author",
    )?;
    let first = last >> WIDE_BITS << WIDE_BITS;
    insert.execute((room.0, block(first), block(last), wide(last))).map(|_| ())
}

/// What stands in a room behind `read` and is by none of `not_by`; mentions are those of `user`.
pub(super) fn count(
    conn: &Connection,
    room: RoomId,
    read: Seq,
    user: UserId,
    not_by: &[UserId],
) -> rusqlite::Result<Unread> {
    let Some(head) = log::head(conn, room)?.filter(|head| head.seq > read.0) else {
        return Ok(Unread::default());
    };
    let Some((read, before)) = log::place(conn, room, read)? else {
        return Ok(Unread::default());
    };
    let mut others = not_by.to_vec();
    others.push(NOBODY);
    others.sort_unstable();
    others.dedup();
    // Of the block in which it was read so far, the shorter part is looked at: what stands behind `read`; or what stands in
    // front of it, to be taken from the tally of the block.
    let start = read.0 >> BLOCK_BITS << BLOCK_BITS;
    let end = (read.0 | ((1 << BLOCK_BITS) - 1)).min(head.seq);
    let tally_reads = 3 * others.len() as u64;
    let whole = read.0 - start + tally_reads < end - read.0;
    let (first, last) = if whole { (Seq(start), read) } else { (read.next(), Seq(end)) };
    let mut seen = 0;
    let mut select = conn.prepare_cached(SELECT_BLOCK)?;
    let mut rows = select.query((id(room, first), id(room, last)))?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(0)? == MESSAGE {
            let deleted = row.get::<_, i64>(2)? & DELETED != 0;
            seen += i64::from(deleted || others.binary_search(&UserId(row.get(1)?)).is_ok());
        }
    }
    drop(rows);
    let mut left_out = if whole { -seen } else { seen };
    // The first number whose tally counts.
    let next = if whole { start } else { end + 1 };
    if next <= head.seq {
        let mut ranges = Vec::with_capacity(3);
        let wide_end = read.0 | ((1 << WIDE_BITS) - 1);
        ranges.push((block(next), block(wide_end)));
        if wide_end < head.seq {
            // The sums, newest first, and then what stands behind them.
            ranges.push((wide(head.seq) + 1, wide(wide_end + 1)));
            ranges.push((block(head.seq >> WIDE_BITS << WIDE_BITS), block(head.seq)));
        }
        let mut select = conn.prepare_cached(SELECT_TALLY)?;
        for author in &others {
            for (first, last) in ranges.iter().filter(|(first, last)| first <= last) {
                left_out += select.query_row((room.0, author.0, first, last), |row| row.get::<_, i64>(0))?;
            }
        }
    }
    Ok(Unread {
        messages: u64::try_from(head.messages - before - left_out).unwrap_or(0),
        mentions: mentions::count(conn, room, read, user, not_by)?,
    })
}

/// A member has read up to an entry. Answers up to where it has read now; 0 if it is no member.
pub(super) fn read(conn: &Connection, user: UserId, room: RoomId, seq: Seq) -> rusqlite::Result<u64> {
    let Some(head) = log::head(conn, room)? else { return Ok(0) };
    let mut update =
        conn.prepare_cached("UPDATE members SET read = max(read, ?3) WHERE room = ?1 AND user = ?2 RETURNING read")?;
    let read: Option<i64> =
        update.query_row((room.0, user.0, number(seq.min(Seq(head.seq)))), |row| row.get(0)).optional()?;
    let Some(read) = read else { return Ok(0) };
    mentions::forget_read(conn, room, user, read)?;
    unsigned(0, read)
}

/// Messages were erased: so many of each author in each block.
pub(super) fn take_away(conn: &Connection, room: RoomId, erased: &Erased) -> rusqlite::Result<()> {
    let mut update =
        conn.prepare_cached("UPDATE tallies SET count = count - ?4 WHERE room = ?1 AND author = ?2 AND block = ?3")?;
    let mut delete =
        conn.prepare_cached("DELETE FROM tallies WHERE room = ?1 AND author = ?2 AND block = ?3 AND count <= 0")?;
    for ((author, block), count) in &erased.0 {
        for block in [block.cast_signed(), wide(block << BLOCK_BITS)] {
            update.execute((room.0, author.0, block, count))?;
            delete.execute((room.0, author.0, block))?;
        }
    }
    Ok(())
}

/// How many messages of each author were erased in each block.
#[derive(Default)]
pub(super) struct Erased(HashMap<(UserId, u64), i64>);

impl Erased {
    /// One more.
    pub(super) fn add(&mut self, author: UserId, deleted: bool, seq: Seq) {
        let author = if deleted { NOBODY } else { author };
        *self.0.entry((author, seq.0 >> BLOCK_BITS)).or_default() += 1;
    }
}
