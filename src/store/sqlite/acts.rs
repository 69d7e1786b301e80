//! The SQL of what moderators and admins did.

use rusqlite::{Connection, Row};

use crate::model::{RoomId, Time};
use crate::store::Act;
use crate::store::sqlite::log::unsigned;

pub(super) const SELECT_ACTS: &str = "SELECT id, time, by, act, room, room_name, target, detail FROM acts \
    WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
pub(super) const SELECT_ACTS_OF_ROOM: &str = "SELECT id, time, by, act, room, room_name, target, detail FROM acts \
    WHERE room = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";

/// Remembers that somebody did something.
pub(super) fn add(conn: &Connection, act: &Act) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO acts (time, by, act, room, room_name, target, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let room = act.room.map_or(0, |room| room.0);
    insert.execute((act.time.0, &*act.by, &*act.act, room, &*act.room_name, &*act.target, &*act.detail)).map(|_| ())
}

/// See [`Store::acts`](crate::store::Store::acts).
pub(super) fn list(
    conn: &Connection,
    room: Option<RoomId>,
    before: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Vec<(u64, Act)>> {
    let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match room {
        Some(room) => {
            let mut select = conn.prepare_cached(SELECT_ACTS_OF_ROOM)?;
            select.query_map((before, limit, room.0), act)?.collect()
        }
        None => conn.prepare_cached(SELECT_ACTS)?.query_map((before, limit), act)?.collect(),
    }
}

fn act(row: &Row<'_>) -> rusqlite::Result<(u64, Act)> {
    let room: i64 = row.get(4)?;
    let act = Act {
        time: Time(row.get(1)?),
        by: row.get_ref(2)?.as_str()?.into(),
        act: row.get(3)?,
        room: (room != 0).then_some(RoomId(room)),
        room_name: row.get(5)?,
        target: row.get(6)?,
        detail: row.get(7)?,
    };
    Ok((unsigned(0, row.get(0)?)?, act))
}
