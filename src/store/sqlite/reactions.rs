//! The SQL of the reactions, as they are now: what the log says of them, added up.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use crate::model::{Line, Reaction, RoomId, Seq, Time, UserId};
use crate::store::sqlite::log::{id, unsigned};
use crate::store::sqlite::rows::number;

pub(super) const SELECT_REACTIONS: &str =
    "SELECT emoji, name, seq FROM reactions WHERE room = ?1 AND target = ?2 ORDER BY emoji";
pub(super) const SELECT_REACTION: &str = "SELECT reactions.seq, entries.time FROM reactions \
    JOIN entries ON entries.id = ?5 | reactions.seq \
    WHERE reactions.room = ?1 AND reactions.target = ?2 AND reactions.emoji = ?3 AND reactions.author = ?4";

/// A reaction's number, and who it is by.
type By = (i64, Arc<str>);

/// The reactions to a message: the oldest first, and so whom each of them names.
pub(super) fn of(conn: &Connection, room: RoomId, target: Seq) -> rusqlite::Result<Box<[Reaction]>> {
    let mut select = conn.prepare_cached(SELECT_REACTIONS)?;
    let mut rows = select.query((room.0, number(target)))?;
    let mut kinds: Vec<(Box<str>, Vec<By>)> = Vec::new();
    while let Some(row) = rows.next()? {
        let emoji = row.get_ref(0)?.as_str()?;
        let user: By = (row.get(2)?, row.get_ref(1)?.as_str()?.into());
        match kinds.last_mut() {
            Some((last, users)) if **last == *emoji => users.push(user),
            _ => kinds.push((emoji.into(), vec![user])),
        }
    }
    for (_, users) in &mut kinds {
        users.sort_unstable_by_key(|(seq, _)| *seq);
    }
    kinds.sort_unstable_by_key(|(_, users)| users.first().map(|(seq, _)| *seq));
    let reactions = kinds.into_iter().map(|(emoji, users)| Reaction {
        emoji: Line::trusted(emoji),
        count: users.len() as u64,
        users: users.into_iter().take(Reaction::MOST_NAMED).map(|(_, name)| name).collect(),
    });
    Ok(reactions.collect())
}

/// The entry by which somebody reacted so.
pub(super) fn first(
    conn: &Connection,
    room: RoomId,
    target: Seq,
    emoji: &str,
    author: UserId,
) -> rusqlite::Result<Option<(Seq, Time)>> {
    let row: Option<(i64, i64)> = conn
        .prepare_cached(SELECT_REACTION)?
        .query_row((room.0, number(target), emoji, author.0, id(room, Seq::ZERO)), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(seq, time)| Ok((unsigned(0, seq).map(Seq)?, Time(time)))).transpose()
}

/// How many different emoji there are, apart from one.
pub(super) fn other_kinds(conn: &Connection, room: RoomId, target: Seq, emoji: &str) -> rusqlite::Result<usize> {
    // From each emoji to the next, whatever number of users stand between.
    let mut next = conn.prepare_cached(
        "SELECT emoji FROM reactions WHERE room = ?1 AND target = ?2 AND emoji > ?3 ORDER BY emoji LIMIT 1",
    )?;
    let (mut at, mut count) = (String::new(), 0);
    while let Some(found) = next.query_row((room.0, number(target), &at), |row| row.get::<_, String>(0)).optional()? {
        count += usize::from(found != emoji);
        at = found;
    }
    Ok(count)
}

/// Somebody reacts so.
pub(super) fn add(
    conn: &Connection,
    room: RoomId,
    target: Seq,
    emoji: &str,
    author: UserId,
    name: &str,
    seq: Seq,
) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO reactions (room, target, emoji, author, name, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute((room.0, number(target), emoji, author.0, name, number(seq))).map(|_| ())
}

/// Somebody takes it back.
pub(super) fn remove(
    conn: &Connection,
    room: RoomId,
    target: Seq,
    emoji: &str,
    author: UserId,
) -> rusqlite::Result<()> {
    let mut delete =
        conn.prepare_cached("DELETE FROM reactions WHERE room = ?1 AND target = ?2 AND emoji = ?3 AND author = ?4")?;
    delete.execute((room.0, number(target), emoji, author.0)).map(|_| ())
}

/// The message has none any more.
pub(super) fn forget(conn: &Connection, room: RoomId, target: Seq) -> rusqlite::Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM reactions WHERE room = ?1 AND target = ?2")?;
    delete.execute((room.0, number(target))).map(|_| ())
}
