//! The SQL of the accounts.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::model::{ServerRole, Time, UserId, Username};
use crate::store::sqlite::log::damaged;
use crate::store::sqlite::{invitations, members, moments, tokens};
use crate::store::{Account, Created, NewAccount};

pub(super) const SELECT_ACCOUNT: &str =
    "SELECT id, name, folded, role, password_hash, seen, deleted FROM accounts WHERE folded = ?1";
pub(super) const SELECT_ACCOUNTS: &str = "SELECT id, name, folded, role, password_hash, seen, deleted FROM accounts \
    WHERE folded > ?1 AND deleted = 0 ORDER BY folded LIMIT ?2";
pub(super) const SELECT_USER: &str =
    "SELECT id, name, folded, role, password_hash, seen, deleted FROM accounts WHERE id = ?1";
pub(super) const SELECT_TAKEN: &str = "SELECT 1 FROM accounts WHERE skeleton = ?1";

/// Makes an account, unless its name or one that looks like it is taken, or the invitation does not hold. Who is not
/// invited learns nothing about names.
pub(super) fn create(conn: &Connection, account: &NewAccount) -> rusqlite::Result<Created<UserId>> {
    if let Some(invitation) = &account.invitation
        && !invitations::holds(conn, invitation, account.time)?
    {
        return Ok(Created::NotInvited);
    }
    let mut select = conn.prepare_cached("SELECT 1 FROM accounts WHERE folded = ?1 OR skeleton = ?2")?;
    if select.exists((account.name.folded(), &*account.skeleton))? {
        return Ok(Created::Taken);
    }
    let mut insert = conn.prepare_cached(
        "INSERT INTO accounts (name, folded, skeleton, role, password_hash, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let id = insert.insert((
        account.name.as_str(),
        account.name.folded(),
        &*account.skeleton,
        ServerRole::User.as_str(),
        &*account.password_hash,
        account.time.0,
    ))?;
    if let Some(invitation) = &account.invitation {
        invitations::use_up(conn, invitation)?;
    }
    Ok(Created::New(UserId(id)))
}

/// Another password, unless the account is gone.
pub(super) fn password(conn: &Connection, user: UserId, hash: &str, revoke_tokens: bool) -> rusqlite::Result<u64> {
    if revoke_tokens {
        tokens::revoke_all(conn, user)?;
    }
    let sql = "UPDATE accounts SET password_hash = ?2 WHERE id = ?1 AND deleted = 0";
    conn.prepare_cached(sql)?.execute((user.0, hash)).map(answer)
}

/// Another role on the server, unless the account is gone.
pub(super) fn role(conn: &Connection, user: UserId, role: ServerRole) -> rusqlite::Result<u64> {
    let sql = "UPDATE accounts SET role = ?2 WHERE id = ?1 AND deleted = 0";
    conn.prepare_cached(sql)?.execute((user.0, role.as_str())).map(answer)
}

/// It was online up to this moment, unless it is gone.
pub(super) fn seen(conn: &Connection, user: UserId, time: Time) -> rusqlite::Result<u64> {
    let sql = "UPDATE accounts SET seen = max(seen, ?2) WHERE id = ?1 AND deleted = 0";
    conn.prepare_cached(sql)?.execute((user.0, time.0)).map(answer)
}

/// Takes away all but the name, which stays so that nobody can be taken for whoever had it.
pub(super) fn delete(conn: &Connection, user: UserId) -> rusqlite::Result<u64> {
    let sql = "UPDATE accounts SET role = ?2, password_hash = '', seen = 0, deleted = 1 WHERE id = ?1 AND deleted = 0";
    if conn.prepare_cached(sql)?.execute((user.0, ServerRole::User.as_str()))? == 0 {
        return Ok(0);
    }
    tokens::revoke_all(conn, user)?;
    conn.prepare_cached("DELETE FROM blocks WHERE user = ?1")?.execute([user.0])?;
    conn.prepare_cached("DELETE FROM blocks WHERE blocked = ?1")?.execute([user.0])?;
    members::leave_all(conn, user)?;
    Ok(1)
}

/// Whether the account is there, and was not deleted.
pub(super) fn is_there(conn: &Connection, user: UserId) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM accounts WHERE id = ?1 AND deleted = 0")?.exists([user.0])
}

/// See [`Store::account`](crate::store::Store::account).
pub(super) fn by_name(conn: &Connection, folded: &str) -> rusqlite::Result<Option<Account>> {
    conn.prepare_cached(SELECT_ACCOUNT)?.query_row([folded], account).optional()
}

/// See [`Store::user`](crate::store::Store::user).
pub(super) fn by_id(conn: &Connection, user: UserId) -> rusqlite::Result<Option<Account>> {
    conn.prepare_cached(SELECT_USER)?.query_row([user.0], account).optional()
}

/// See [`Store::accounts`](crate::store::Store::accounts).
pub(super) fn behind(conn: &Connection, after: &str, limit: usize) -> rusqlite::Result<Vec<Account>> {
    let mut select = conn.prepare_cached(SELECT_ACCOUNTS)?;
    let rows = select.query_map((after, i64::try_from(limit).unwrap_or(i64::MAX)), account)?;
    rows.collect()
}

/// The account in the first seven columns of a row.
pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let role = row.get_ref(3)?.as_str()?;
    Ok(Account {
        id: UserId(row.get(0)?),
        name: Username::trusted(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?),
        role: ServerRole::parse(role).ok_or_else(|| damaged(3, format!("the role {role:?}")))?,
        password_hash: row.get(4)?,
        seen: moments::from_column(row.get(5)?),
        deleted: row.get(6)?,
    })
}

/// See [`Store::is_taken`](crate::store::Store::is_taken).
pub(super) fn is_taken(conn: &Connection, skeleton: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached(SELECT_TAKEN)?.exists([skeleton])
}

/// What a change of one row answers.
pub(super) fn answer(rows: usize) -> u64 {
    u64::from(rows > 0)
}
