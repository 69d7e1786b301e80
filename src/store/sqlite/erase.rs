//! The end of entries: what retention cuts off at the front of a log, and the logs of rooms that are gone. Both in small
//! steps, for everybody waits for the writer. With an entry goes all that belongs to it.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{RoomId, Seq, UserId};
use crate::store::sqlite::log::{self, id, seq, unsigned};
use crate::store::sqlite::rows::{DELETED, MESSAGE, number};
use crate::store::sqlite::unread::{self, Erased};
use crate::store::sqlite::{index, targets};

pub(super) const SELECT_ERASED: &str =
    "SELECT id, kind, nr, edit, name, text, author, flags FROM entries WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3";

/// Cuts up to so many entries in front of `first` off. Answers the first that is kept now.
pub(super) fn cut(conn: &Connection, room: RoomId, first: Seq, most: u64) -> rusqlite::Result<Seq> {
    let Some(head) = log::head(conn, room)? else { return Ok(Seq::ZERO) };
    let kept: i64 =
        conn.prepare_cached("SELECT first_seq FROM rooms WHERE id = ?1")?.query_row([room.0], |row| row.get(0))?;
    let kept = Seq(unsigned(0, kept)?);
    // The last one holds the numbers, and how many messages there were.
    let first = first.min(Seq(head.seq)).min(Seq(kept.0.saturating_add(most)));
    if first <= kept {
        return Ok(kept);
    }
    entries(conn, room, first.before(), u64::MAX)?;
    forget(conn, room, first)?;
    conn.prepare_cached("UPDATE rooms SET first_seq = ?2 WHERE id = ?1")?.execute((room.0, number(first)))?;
    Ok(first)
}

/// Erases up to so many entries of rooms that are gone. Answers how many.
pub(super) fn doomed(conn: &Connection, most: u64) -> rusqlite::Result<u64> {
    let mut erased = 0;
    while erased < most {
        let mut select = conn.prepare_cached("SELECT room FROM doomed ORDER BY room LIMIT 1")?;
        let Some(room) = select.query_row([], |row| row.get(0)).optional()?.map(RoomId) else { break };
        erased += entries(conn, room, Seq(log::MAX_SEQ), most - erased)?;
        if erased >= most {
            break;
        }
        forget(conn, room, Seq(log::MAX_SEQ))?;
        // Its nonces say nothing, and grow old with the others.
        for sql in [
            "DELETE FROM tallies WHERE room = ?1",
            "DELETE FROM members WHERE room = ?1",
            "DELETE FROM bans WHERE room = ?1",
            "DELETE FROM invited WHERE room = ?1",
            "DELETE FROM sides WHERE room = ?1",
            "DELETE FROM doomed WHERE room = ?1",
        ] {
            conn.prepare_cached(sql)?.execute([room.0])?;
        }
    }
    Ok(erased)
}

/// Erases the first entries up to and with `last`, at most so many. Answers how many.
fn entries(conn: &Connection, room: RoomId, last: Seq, most: u64) -> rusqlite::Result<u64> {
    let indexed = index::indexed(conn)?;
    let mut select = conn.prepare_cached(SELECT_ERASED)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = select.query((id(room, Seq::ZERO), id(room, last), most))?;
    let (mut count, mut at, mut erased) = (0, None, Erased::default());
    while let Some(row) = rows.next()? {
        at = Some(row.get::<_, i64>(0)?);
        count += 1;
        if row.get::<_, i64>(1)? != MESSAGE {
            continue;
        }
        let (nr, edit): (i64, i64) = (row.get(2)?, row.get(3)?);
        let deleted = row.get::<_, i64>(7)? & DELETED != 0;
        erased.add(UserId(row.get(6)?), deleted, seq(row.get(0)?));
        if nr <= indexed && !deleted {
            index::remove(conn, nr, room, row.get_ref(4)?.as_str()?, row.get_ref(5)?.as_str()?)?;
        }
        conn.prepare_cached("DELETE FROM postings WHERE nr = ?1")?.execute([nr])?;
        if edit != 0 && !deleted {
            // The edit may be kept: it says what the message said.
            targets::blank(conn, room, Seq(unsigned(3, edit)?))?;
        }
    }
    drop(rows);
    unread::take_away(conn, room, &erased)?;
    if let Some(at) = at {
        let mut delete = conn.prepare_cached("DELETE FROM entries WHERE id BETWEEN ?1 AND ?2")?;
        delete.execute((id(room, Seq::ZERO), at))?;
        debug_assert!(seq(at) <= last);
    }
    Ok(count)
}

/// Forgets what stands in other tables about the entries in front of `first`.
fn forget(conn: &Connection, room: RoomId, first: Seq) -> rusqlite::Result<()> {
    for sql in
        ["DELETE FROM reactions WHERE room = ?1 AND target < ?2", "DELETE FROM mentions WHERE room = ?1 AND seq < ?2"]
    {
        conn.prepare_cached(sql)?.execute((room.0, number(first)))?;
    }
    Ok(())
}
