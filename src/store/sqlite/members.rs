//! The SQL of who is in a room, who is kept out of it, and who is invited. It follows from the log: each change comes with
//! an entry, in the same transaction, or with the making of the room or the end of an account.

use rusqlite::{Connection, OptionalExtension};

use crate::model::name::skeleton_of;
use crate::model::{Body, Line, MemberChange, RoomId, RoomRole, Seq, Time, UserId, Username};
use crate::store::sqlite::accounts::answer;
use crate::store::sqlite::log::{self, unsigned};
use crate::store::sqlite::rows::number;
use crate::store::sqlite::{moments, unread};
use crate::store::{StoredMember, StoredMembership};

pub(super) const SELECT_MEMBERS: &str = "SELECT accounts.id, accounts.name, accounts.folded, members.role, \
    accounts.seen FROM members JOIN accounts ON accounts.id = members.user \
    WHERE members.room = ?1 AND accounts.folded > ?2 ORDER BY accounts.folded LIMIT ?3";
pub(super) const SELECT_MEMBERSHIPS: &str = "SELECT room, role, read, closed FROM members WHERE user = ?1";
const SELECT_ROLE: &str = "SELECT role FROM members WHERE room = ?1 AND user = ?2";

/// Whether a ban also lets its user listen (the column `mute`).
const KEPT_OUT: i64 = 0;
const MUTED: i64 = 1;

/// Makes somebody a member of a room that is made. Guests are none.
pub(super) fn found(conn: &Connection, room: RoomId, user: UserId, role: RoomRole) -> rusqlite::Result<()> {
    if user.is_guest() {
        return Ok(());
    }
    let sql = "INSERT INTO members (room, user, role, joined, read) VALUES (?1, ?2, ?3, 0, 0) ON CONFLICT DO NOTHING";
    conn.prepare_cached(sql)?.execute((room.0, user.0, role.as_str())).map(|_| ())
}

/// What follows from an entry that says what somebody is in the room. Guests are kept out and muted, by name, and leave no
/// other trace.
pub(super) fn member_changed(conn: &Connection, room: RoomId, body: &Body, seq: Seq) -> rusqlite::Result<()> {
    let Body::Member { user: name, user_id, change, role, reason, until } = body else {
        return Ok(());
    };
    match change {
        MemberChange::Ban => ban(conn, room, KEPT_OUT, name, *until, reason.as_ref())?,
        MemberChange::Unban => unban(conn, room, KEPT_OUT, name)?,
        MemberChange::Mute => ban(conn, room, MUTED, name, *until, reason.as_ref())?,
        MemberChange::Unmute => unban(conn, room, MUTED, name)?,
        _ => {}
    }
    if user_id.is_guest() {
        return Ok(());
    }
    let member = (room.0, user_id.0);
    match change {
        MemberChange::Join => {
            uninvite(conn, room, *user_id)?;
            let sql = "INSERT INTO members (room, user, role, joined, read) VALUES (?1, ?2, ?3, ?4, ?4) \
                ON CONFLICT DO UPDATE SET role = excluded.role";
            let seq = number(seq);
            let role = role.unwrap_or(RoomRole::Member);
            change_role(conn, room, *user_id, Some(role), |conn| {
                conn.prepare_cached(sql)?.execute((room.0, user_id.0, role.as_str(), seq))
            })
        }
        MemberChange::Role => {
            let role = role.unwrap_or(RoomRole::Member);
            change_role(conn, room, *user_id, Some(role), |conn| {
                let sql = "UPDATE members SET role = ?3 WHERE room = ?1 AND user = ?2";
                conn.prepare_cached(sql)?.execute((room.0, user_id.0, role.as_str()))
            })
        }
        MemberChange::Leave | MemberChange::Kick | MemberChange::Ban => {
            if *change == MemberChange::Ban {
                uninvite(conn, room, *user_id)?;
            }
            change_role(conn, room, *user_id, None, |conn| {
                conn.prepare_cached("DELETE FROM members WHERE room = ?1 AND user = ?2")?.execute(member)
            })
        }
        MemberChange::Invite => {
            let sql = "INSERT INTO invited (room, user) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            conn.prepare_cached(sql)?.execute(member).map(|_| ())
        }
        MemberChange::Unban | MemberChange::Mute | MemberChange::Unmute => Ok(()),
    }
}

/// Changes a member's row and keeps book of who owned the room last, so that ownership never falls away by accident.
fn change_role(
    conn: &Connection,
    room: RoomId,
    user: UserId,
    after: Option<RoomRole>,
    change: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
) -> rusqlite::Result<()> {
    let before: Option<RoomRole> = conn
        .prepare_cached(SELECT_ROLE)?
        .query_row((room.0, user.0), |row| log::role(0, row.get_ref(0)?.as_str()?))
        .optional()?;
    let changed = change(conn)? > 0;
    let heir = match (before, after) {
        (_, Some(RoomRole::Owner)) if changed => 0,
        (Some(RoomRole::Owner), None | Some(RoomRole::Member | RoomRole::Moderator)) if !has_owner(conn, room)? => {
            user.0
        }
        _ => return Ok(()),
    };
    conn.prepare_cached("UPDATE rooms SET heir = ?2 WHERE id = ?1")?.execute((room.0, heir)).map(|_| ())
}

fn has_owner(conn: &Connection, room: RoomId) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM members WHERE room = ?1 AND role = 'owner'")?.exists([room.0])
}

fn uninvite(conn: &Connection, room: RoomId, user: UserId) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM invited WHERE room = ?1 AND user = ?2")?.execute((room.0, user.0)).map(|_| ())
}

fn ban(
    conn: &Connection,
    room: RoomId,
    mute: i64,
    name: &str,
    until: Option<Time>,
    reason: Option<&Line>,
) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT OR REPLACE INTO bans (room, skeleton, mute, name, until, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let reason = reason.map_or("", Line::as_str);
    insert.execute((room.0, skeleton_of(name), mute, name, moments::to_column(until), reason)).map(|_| ())
}

fn unban(conn: &Connection, room: RoomId, mute: i64, name: &str) -> rusqlite::Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM bans WHERE room = ?1 AND mute = ?2 AND skeleton = ?3")?;
    delete.execute((room.0, mute, skeleton_of(name))).map(|_| ())
}

/// Takes an account out of all rooms.
pub(super) fn leave_all(conn: &Connection, user: UserId) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached("SELECT room FROM members WHERE user = ?1")?;
    let rooms: Vec<i64> = select.query_map([user.0], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for room in rooms {
        change_role(conn, RoomId(room), user, None, |conn| {
            conn.prepare_cached("DELETE FROM members WHERE room = ?1 AND user = ?2")?.execute((room, user.0))
        })?;
    }
    conn.prepare_cached("DELETE FROM mentions WHERE user = ?1")?.execute([user.0])?;
    conn.prepare_cached("DELETE FROM invited WHERE user = ?1")?.execute([user.0]).map(|_| ())
}

/// A member does not want to see a conversation until something is added to it.
pub(super) fn close(conn: &Connection, user: UserId, room: RoomId, head: Seq) -> rusqlite::Result<u64> {
    let head = number(head);
    let sql = "UPDATE members SET closed = ?3 WHERE room = ?1 AND user = ?2";
    conn.prepare_cached(sql)?.execute((room.0, user.0, head)).map(answer)
}

/// See [`Store::members`](crate::store::Store::members).
pub(super) fn members(
    conn: &Connection,
    room: RoomId,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<StoredMember>> {
    let mut select = conn.prepare_cached(SELECT_MEMBERS)?;
    let rows = select.query_map((room.0, after, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
        Ok(StoredMember {
            user: UserId(row.get(0)?),
            name: Username::trusted(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?),
            role: log::role(3, row.get_ref(3)?.as_str()?)?,
            seen: moments::from_column(row.get(4)?),
        })
    })?;
    rows.collect()
}

/// See [`Store::memberships`](crate::store::Store::memberships).
pub(super) fn memberships(
    conn: &Connection,
    user: UserId,
    blocked: &[UserId],
) -> rusqlite::Result<Vec<StoredMembership>> {
    let mut not_by = blocked.to_vec();
    if !not_by.contains(&user) {
        not_by.push(user);
    }
    let mut select = conn.prepare_cached(SELECT_MEMBERSHIPS)?;
    let mut rows = select.query([user.0])?;
    let mut memberships = Vec::new();
    while let Some(row) = rows.next()? {
        let (room, read) = (RoomId(row.get(0)?), Seq(unsigned(2, row.get(2)?)?));
        memberships.push(StoredMembership {
            room,
            role: log::role(1, row.get_ref(1)?.as_str()?)?,
            read,
            unread: unread::count(conn, room, read, user, &not_by)?,
            closed: Seq(unsigned(3, row.get(3)?)?),
        });
    }
    Ok(memberships)
}
