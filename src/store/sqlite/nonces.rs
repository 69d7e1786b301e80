//! Finds nonces that nobody can rely on any more, so that they may go.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Time, UserId};

/// For so long every nonce is kept.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Of an account, so many are kept for ever.
const KEPT: i64 = 1000;
/// So many go in one step.
pub(super) const STEP: usize = 256;

/// Names a nonce: author, room, nonce.
pub(super) type Key = (i64, i64, String);

/// Up to [`STEP`] (of one author, or of several) behind `after`, in order of key; and how to go on, if there is more.
pub(super) fn stale(conn: &Connection, after: Option<Key>, now: Time) -> rusqlite::Result<(Vec<Key>, Option<Key>)> {
    let cutoff = now.0.saturating_sub(KEPT_MS);
    let mut authors = conn.prepare_cached("SELECT author FROM nonces WHERE author >= ?1 ORDER BY author LIMIT 1")?;
    let mut newest =
        conn.prepare_cached("SELECT time FROM nonces WHERE author = ?1 ORDER BY time DESC LIMIT 1 OFFSET ?2")?;
    let mut select = conn.prepare_cached(
        "SELECT room, nonce FROM nonces WHERE author = ?1 AND (room, nonce) > (?2, ?3) AND time < ?4 \
         ORDER BY room, nonce LIMIT ?5",
    )?;
    let mut found = Vec::new();
    let mut at = after.unwrap_or((i64::MIN, i64::MIN, String::new()));
    for _ in 0..STEP {
        let author: Option<i64> = authors.query_row([at.0], |row| row.get(0)).optional()?;
        let Some(author) = author else {
            return Ok((found, None));
        };
        if author != at.0 {
            at = (author, i64::MIN, String::new());
        }
        let before = if UserId(author).is_guest() {
            Some(cutoff)
        } else {
            let oldest: Option<i64> = newest.query_row((author, KEPT - 1), |row| row.get(0)).optional()?;
            oldest.map(|oldest| oldest.min(cutoff))
        };
        if let Some(before) = before {
            let limit = i64::try_from(STEP - found.len()).unwrap_or(0);
            let mut rows = select.query((author, at.1, &at.2, before, limit))?;
            while let Some(row) = rows.next()? {
                found.push((author, row.get(0)?, row.get(1)?));
            }
        }
        match found.last() {
            Some(last) if found.len() >= STEP => {
                let next = last.clone();
                return Ok((found, Some(next)));
            }
            _ => at = (author.saturating_add(1), i64::MIN, String::new()),
        }
    }
    Ok((found, Some(at)))
}

/// Deletes them.
pub(super) fn delete(conn: &Connection, keys: &[Key]) -> rusqlite::Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM nonces WHERE author = ?1 AND room = ?2 AND nonce = ?3")?;
    for (author, room, nonce) in keys {
        delete.execute(params![author, room, nonce])?;
    }
    Ok(())
}
