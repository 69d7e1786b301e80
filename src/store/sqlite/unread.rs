//! How much somebody has not read.

use rusqlite::Connection;

use crate::model::{RoomId, Seq, UserId};
use crate::store::Unread;
use crate::store::sqlite::log;

/// See [`Store::unread`](crate::store::Store::unread).
pub(super) fn count(
    conn: &Connection,
    room: RoomId,
    read: Seq,
    _user: UserId,
    not_by: &[UserId],
) -> rusqlite::Result<Unread> {
    let mut select = conn.prepare_cached("SELECT author FROM entries WHERE id > ?1 AND id < ?2 AND kind = 0")?;
    let (after, end) = (log::id(room, read), log::id(RoomId(room.0 + 1), Seq::ZERO));
    let authors = select.query_map((after, end), |row| row.get(0).map(UserId))?;
    let mut unread = Unread::default();
    for author in authors {
        unread.messages += u64::from(!not_by.contains(&author?));
    }
    Ok(unread)
}
