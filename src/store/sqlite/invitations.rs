//! The SQL of the invitations: leave to register.

use rusqlite::Connection;

use crate::model::{Line, Time};
use crate::store::sqlite::accounts::answer;
use crate::store::sqlite::log::{damaged, unsigned};
use crate::store::sqlite::{moments, tokens};
use crate::store::{Hash, NewInvitation, StoredInvitation};

/// Adds one; answers its id.
pub(super) fn add(conn: &Connection, invitation: &NewInvitation) -> rusqlite::Result<u64> {
    if conn.prepare_cached("SELECT 1 FROM invitations WHERE hash = ?1")?.exists([&invitation.hash[..]])? {
        return Ok(0);
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO invitations (hash, label, count, by, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let id = insert.insert((
        &invitation.hash[..],
        invitation.label.as_str(),
        invitation.count,
        &*invitation.by,
        invitation.time.0,
        moments::to_column(invitation.expires),
    ))?;
    unsigned(0, id)
}

/// Takes one back.
pub(super) fn revoke(conn: &Connection, id: u64) -> rusqlite::Result<u64> {
    conn.prepare_cached("DELETE FROM invitations WHERE id = ?1")?.execute([tokens::number(id)]).map(answer)
}

/// Whether an account may be made with it.
pub(super) fn holds(conn: &Connection, hash: &Hash, time: Time) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM invitations WHERE hash = ?1 AND count > 0 AND (expires = 0 OR expires > ?2)";
    conn.prepare_cached(sql)?.exists((&hash[..], time.0))
}

/// An account was made with it.
pub(super) fn use_up(conn: &Connection, hash: &Hash) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE invitations SET count = count - 1 WHERE hash = ?1")?.execute([&hash[..]]).map(|_| ())
}

/// See [`Store::invitations`](crate::store::Store::invitations).
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<StoredInvitation>> {
    let mut select =
        conn.prepare_cached("SELECT id, label, count, by, created, expires FROM invitations ORDER BY id")?;
    let rows = select.query_map([], |row| {
        let count: i64 = row.get(2)?;
        Ok(StoredInvitation {
            id: unsigned(0, row.get(0)?)?,
            label: Line::trusted(row.get_ref(1)?.as_str()?),
            left: u32::try_from(count).map_err(|_| damaged(2, format!("the count {count}")))?,
            by: row.get_ref(3)?.as_str()?.into(),
            created: Time(row.get(4)?),
            expires: moments::from_column(row.get(5)?),
        })
    })?;
    rows.collect()
}
