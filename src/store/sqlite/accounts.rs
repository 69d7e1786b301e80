//! The SQL of the accounts.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{ServerRole, UserId, Username};
use crate::store::sqlite::log::damaged;
use crate::store::{Account, Created, NewAccount};

pub(super) const SELECT_ACCOUNT: &str = "SELECT id, name, folded, role, password_hash FROM accounts WHERE folded = ?1";
pub(super) const SELECT_TAKEN: &str = "SELECT 1 FROM accounts WHERE skeleton = ?1";

/// Makes an account, unless its name or one that looks like it is taken.
pub(super) fn create(conn: &Connection, account: &NewAccount) -> rusqlite::Result<Created<UserId>> {
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
    Ok(Created::New(UserId(id)))
}

/// See [`Store::account`](crate::store::Store::account).
pub(super) fn by_name(conn: &Connection, folded: &str) -> rusqlite::Result<Option<Account>> {
    let mut select = conn.prepare_cached(SELECT_ACCOUNT)?;
    select
        .query_row([folded], |row| {
            let role: String = row.get(3)?;
            Ok(Account {
                id: UserId(row.get(0)?),
                name: Username::trusted(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?),
                role: ServerRole::parse(&role).ok_or_else(|| damaged(3, format!("the role {role:?}")))?,
                password_hash: row.get(4)?,
                seen: None,
                deleted: false,
            })
        })
        .optional()
}

/// See [`Store::is_taken`](crate::store::Store::is_taken).
pub(super) fn is_taken(conn: &Connection, skeleton: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached(SELECT_TAKEN)?.exists([skeleton])
}
