//! The SQL of what holds for the server as a whole: its level, who is kept out, and who wants to hear nothing of whom.

use rusqlite::Connection;

use crate::model::{Level, Line, Time, UserId};
use crate::store::sqlite::accounts::{self, answer};
use crate::store::sqlite::log::damaged;
use crate::store::sqlite::{moments, rooms};
use crate::store::{Blocked, Standing, Suspension};

/// Where the level is kept.
const LEVEL: &str = "level";

/// How far the server is closed.
pub(super) fn level(conn: &Connection, level: Level) -> rusqlite::Result<u64> {
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
    conn.prepare_cached(sql)?.execute((LEVEL, level.as_str())).map(answer)
}

/// Keeps somebody out; replaces what was said before.
pub(super) fn suspend(conn: &Connection, suspension: &Suspension) -> rusqlite::Result<u64> {
    let mut insert = conn.prepare_cached(
        "INSERT OR REPLACE INTO suspensions (target, shown, reason, until, by, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let Suspension { target, shown, reason, until, by, time } = suspension;
    insert.execute((&**target, &**shown, reason.as_str(), moments::to_column(*until), &**by, time.0)).map(answer)
}

/// Lets it in again.
pub(super) fn unsuspend(conn: &Connection, target: &str) -> rusqlite::Result<u64> {
    conn.prepare_cached("DELETE FROM suspensions WHERE target = ?1")?.execute([target]).map(answer)
}

/// An account wants to hear nothing of somebody.
pub(super) fn block(conn: &Connection, user: UserId, blocked: &Blocked) -> rusqlite::Result<u64> {
    if !accounts::is_there(conn, user)? {
        return Ok(0);
    }
    let sql = "INSERT OR REPLACE INTO blocks (user, blocked, name) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute((user.0, blocked.user.0, &*blocked.name)).map(answer)
}

/// That is over.
pub(super) fn unblock(conn: &Connection, user: UserId, blocked: UserId) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM blocks WHERE user = ?1 AND blocked = ?2";
    conn.prepare_cached(sql)?.execute((user.0, blocked.0)).map(answer)
}

/// See [`Store::standing`](crate::store::Store::standing).
pub(super) fn standing(conn: &Connection) -> rusqlite::Result<Standing> {
    let level = match rooms::meta::<String>(conn, LEVEL)? {
        Some(word) => Level::parse(&word).ok_or_else(|| damaged(0, format!("the level {word:?}")))?,
        None => Level::default(),
    };
    let mut select = conn.prepare("SELECT target, shown, reason, until, by, time FROM suspensions ORDER BY target")?;
    let suspensions = select.query_map([], |row| {
        Ok(Suspension {
            target: row.get(0)?,
            shown: row.get(1)?,
            reason: Line::trusted(row.get_ref(2)?.as_str()?),
            until: moments::from_column(row.get(3)?),
            by: row.get_ref(4)?.as_str()?.into(),
            time: Time(row.get(5)?),
        })
    })?;
    let suspensions = suspensions.collect::<rusqlite::Result<_>>()?;
    let mut select = conn.prepare("SELECT user, blocked, name FROM blocks ORDER BY user, blocked")?;
    let blocks = select.query_map([], |row| {
        Ok((UserId(row.get(0)?), Blocked { user: UserId(row.get(1)?), name: row.get_ref(2)?.as_str()?.into() }))
    })?;
    Ok(Standing { level, suspensions, blocks: blocks.collect::<rusqlite::Result<_>>()? })
}
