//! The SQL of the mentions: who is named in a message and has not read it.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use crate::model::{RoomId, Seq, UserId};
use crate::store::sqlite::rows::number;

pub(super) const SELECT_NAMED: &str = "SELECT accounts.id, accounts.name, members.read FROM accounts \
    JOIN members ON members.room = ?1 AND members.user = accounts.id WHERE accounts.folded = ?2";
pub(super) const DELETE_OF_ENTRY: &str = "DELETE FROM mentions WHERE room = ?1 AND seq = ?2";

/// A member that is named.
pub(super) struct Mentioned {
    user: i64,
    /// The name as it is stored.
    pub(super) name: Arc<str>,
    /// Up to where it has read.
    read: i64,
}

/// Those of the folded names that belong to members of the room. Nobody mentions itself.
pub(super) fn resolve(
    conn: &Connection,
    room: RoomId,
    author: UserId,
    folded: &[String],
) -> rusqlite::Result<Vec<Mentioned>> {
    let mut select = conn.prepare_cached(SELECT_NAMED)?;
    let mut mentioned: Vec<Mentioned> = Vec::new();
    for folded in folded {
        let found = select
            .query_row((room.0, folded), |row| {
                Ok(Mentioned { user: row.get(0)?, name: row.get_ref(1)?.as_str()?.into(), read: row.get(2)? })
            })
            .optional()?;
        if let Some(found) = found
            && found.user != author.0
            && mentioned.iter().all(|other| other.user != found.user)
        {
            mentioned.push(found);
        }
    }
    Ok(mentioned)
}

/// Remembers it for those who have not read so far.
pub(super) fn add(
    conn: &Connection,
    room: RoomId,
    seq: Seq,
    author: UserId,
    mentioned: &[Mentioned],
) -> rusqlite::Result<()> {
    if mentioned.is_empty() {
        return Ok(());
    }
    let mut insert =
        conn.prepare_cached("INSERT OR REPLACE INTO mentions (user, room, seq, author) VALUES (?1, ?2, ?3, ?4)")?;
    for Mentioned { user, read, .. } in mentioned {
        if *read < number(seq) {
            insert.execute((user, room.0, number(seq), author.0))?;
        }
    }
    Ok(())
}

/// A message mentions nobody any more.
pub(super) fn forget(conn: &Connection, room: RoomId, seq: Seq) -> rusqlite::Result<()> {
    conn.prepare_cached(DELETE_OF_ENTRY)?.execute((room.0, number(seq))).map(|_| ())
}

/// Somebody is in a room no more, or anew.
pub(super) fn forget_all_of(conn: &Connection, room: RoomId, user: UserId) -> rusqlite::Result<()> {
    forget_read(conn, room, user, i64::MAX)
}

/// A member has read up to there.
pub(super) fn forget_read(conn: &Connection, room: RoomId, user: UserId, read: i64) -> rusqlite::Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM mentions WHERE user = ?1 AND room = ?2 AND seq <= ?3")?;
    delete.execute((user.0, room.0, read)).map(|_| ())
}

/// How many stand behind `read` and are by none of those.
pub(super) fn count(
    conn: &Connection,
    room: RoomId,
    read: Seq,
    user: UserId,
    not_by: &[UserId],
) -> rusqlite::Result<u64> {
    let mut select = conn.prepare_cached("SELECT author FROM mentions WHERE user = ?1 AND room = ?2 AND seq > ?3")?;
    let mut rows = select.query((user.0, room.0, number(read)))?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += u64::from(!not_by.contains(&UserId(row.get(0)?)));
    }
    Ok(count)
}
