//! The SQL of the tokens, by which one logs in without the password.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::model::{Fingerprint, Line, Time, UserId};
use crate::store::sqlite::accounts::{self, answer};
use crate::store::sqlite::log::unsigned;
use crate::store::sqlite::moments;
use crate::store::{Account, Hash, NewToken, StoredToken};

pub(super) const SELECT_TOKEN: &str = "SELECT accounts.id, accounts.name, accounts.folded, accounts.role, \
    accounts.password_hash, accounts.seen, accounts.deleted, \
    tokens.id, tokens.user, tokens.label, tokens.created, tokens.expires, tokens.used, tokens.fingerprint \
    FROM tokens JOIN accounts ON accounts.id = tokens.user WHERE tokens.hash = ?1";
pub(super) const SELECT_TOKENS: &str =
    "SELECT id, user, label, created, expires, used, fingerprint FROM tokens WHERE user = ?1 ORDER BY id";

/// Gives an account a token, or the one that it has already another label and end; answers its id.
pub(super) fn add(conn: &Connection, token: &NewToken) -> rusqlite::Result<u64> {
    let NewToken { user, hash, fingerprint, label, time, expires } = token;
    if !accounts::is_there(conn, *user)? {
        return Ok(0);
    }
    let (label, expires) = (label.as_str(), moments::to_column(*expires));
    let mut there = conn.prepare_cached("SELECT id, user FROM tokens WHERE hash = ?1")?;
    let there = there.query_row([&hash[..]], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if let Some((id, owner)) = there {
        if UserId(owner) != *user {
            return Ok(0);
        }
        conn.prepare_cached("UPDATE tokens SET label = ?2, expires = ?3 WHERE id = ?1")?
            .execute((id, label, expires))?;
        return unsigned(0, id);
    }
    let sql = "INSERT INTO tokens (user, hash, label, created, expires, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let fingerprint = fingerprint.as_ref().map_or(&[][..], |it| it.as_bytes());
    let id = conn.prepare_cached(sql)?.insert((user.0, &hash[..], label, time.0, expires, fingerprint))?;
    unsigned(0, id)
}

/// Remembers when it was used last.
pub(super) fn used(conn: &Connection, id: u64, time: Time) -> rusqlite::Result<u64> {
    let sql = "UPDATE tokens SET used = max(used, ?2) WHERE id = ?1";
    conn.prepare_cached(sql)?.execute((number(id), time.0)).map(answer)
}

/// Takes it from its account.
pub(super) fn revoke(conn: &Connection, user: UserId, id: u64) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM tokens WHERE id = ?1 AND user = ?2";
    conn.prepare_cached(sql)?.execute((number(id), user.0)).map(answer)
}

/// Takes all from their account.
pub(super) fn revoke_all(conn: &Connection, user: UserId) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM tokens WHERE user = ?1")?.execute([user.0]).map(|_| ())
}

/// See [`Store::token`](crate::store::Store::token).
pub(super) fn by_hash(conn: &Connection, hash: &Hash) -> rusqlite::Result<Option<(StoredToken, Account)>> {
    let mut select = conn.prepare_cached(SELECT_TOKEN)?;
    select.query_row([&hash[..]], |row| Ok((token(row, 7)?, accounts::account(row)?))).optional()
}

/// See [`Store::tokens`](crate::store::Store::tokens).
pub(super) fn of(conn: &Connection, user: UserId) -> rusqlite::Result<Vec<StoredToken>> {
    conn.prepare_cached(SELECT_TOKENS)?.query_map([user.0], |row| token(row, 0))?.collect()
}

/// The token in seven columns of a row.
fn token(row: &Row<'_>, at: usize) -> rusqlite::Result<StoredToken> {
    Ok(StoredToken {
        id: unsigned(at, row.get(at)?)?,
        user: UserId(row.get(at + 1)?),
        label: Line::trusted(row.get_ref(at + 2)?.as_str()?),
        created: Time(row.get(at + 3)?),
        expires: moments::from_column(row.get(at + 4)?),
        used: moments::from_column(row.get(at + 5)?),
        fingerprint: row.get_ref(at + 6)?.as_blob()?.try_into().ok().map(Fingerprint::from_bytes),
    })
}

/// An id as SQLite has it; what it cannot have is nobody's.
pub(super) fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}
