//! The changes that are no entries: which function does each.

use rusqlite::Connection;

use crate::store::Change;
use crate::store::sqlite::{acts, erase, unread};

/// Does it, and answers what [`Change`] says of it.
pub(super) fn apply(conn: &Connection, change: &Change) -> rusqlite::Result<u64> {
    match change {
        Change::Read { user, room, seq } => unread::read(conn, *user, *room, *seq),
        Change::Cut { room, first, most } => erase::cut(conn, *room, *first, *most).map(|first| first.0),
        Change::Erase(most) => erase::doomed(conn, *most),
        Change::Act(act) => acts::add(conn, act).map(|()| 1),
        _ => Ok(0),
    }
}
