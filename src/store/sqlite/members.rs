//! The SQL of who is in a room. It follows from the log.

use rusqlite::Connection;

use crate::model::{Body, MemberChange, RoomId, RoomRole, Seq};
use crate::store::sqlite::rows::number;

/// What follows from an entry that says what somebody is in the room.
pub(super) fn member_changed(conn: &Connection, room: RoomId, body: &Body, seq: Seq) -> rusqlite::Result<()> {
    let Body::Member { user_id, change, role, .. } = body else { return Ok(()) };
    if user_id.is_guest() {
        return Ok(());
    }
    match change {
        MemberChange::Join => {
            let role = role.unwrap_or(RoomRole::Member).as_str();
            let mut insert = conn.prepare_cached(
                "INSERT INTO members (room, user, role, joined, read) VALUES (?1, ?2, ?3, ?4, ?4) \
                 ON CONFLICT DO UPDATE SET role = excluded.role",
            )?;
            insert.execute((room.0, user_id.0, role, number(seq)))?;
        }
        MemberChange::Leave => {
            let mut delete = conn.prepare_cached("DELETE FROM members WHERE room = ?1 AND user = ?2")?;
            delete.execute((room.0, user_id.0))?;
        }
        _ => {}
    }
    Ok(())
}
