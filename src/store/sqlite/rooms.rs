//! The SQL of the rooms and of who is in them.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{Epoch, Line, RoomChange, RoomId, RoomKind, RoomName, RoomRole, Seq, Settings, UserId, Username};
use crate::store::sqlite::log::{self, damaged, unsigned};
use crate::store::sqlite::unread;
use crate::store::{Created, NewRoom, Seat, StoredMember, StoredMembership, StoredRoom};

pub(super) const SELECT_MEMBERS: &str = "SELECT accounts.id, accounts.name, accounts.folded, members.role \
    FROM members JOIN accounts ON accounts.id = members.user \
    WHERE members.room = ?1 AND accounts.folded > ?2 ORDER BY accounts.folded LIMIT ?3";
pub(super) const SELECT_MEMBERSHIPS: &str = "SELECT room, role, read FROM members WHERE user = ?1";

/// Makes a room, and its owner a member.
pub(super) fn create(conn: &Connection, room: &NewRoom) -> rusqlite::Result<Created<RoomId>> {
    let mut select = conn.prepare_cached("SELECT 1 FROM rooms WHERE name = ?1")?;
    if select.exists([room.name.as_str()])? {
        return Ok(Created::Taken);
    }
    let mut insert =
        conn.prepare_cached("INSERT INTO rooms (name, kind, topic, epoch, created) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let id = insert.insert((room.name.as_str(), room.kind.as_str(), &*room.topic, &*room.epoch.0, room.time.0))?;
    if let Some(owner) = room.owner.filter(|owner| !owner.is_guest()) {
        let mut insert =
            conn.prepare_cached("INSERT INTO members (room, user, role, joined, read) VALUES (?1, ?2, ?3, 0, 0)")?;
        insert.execute((id, owner.0, RoomRole::Owner.as_str()))?;
    }
    Ok(Created::New(RoomId(id)))
}

/// See [`Store::rooms`](crate::store::Store::rooms).
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<StoredRoom>> {
    let mut select = conn.prepare("SELECT id, name, kind, topic, epoch, first_seq FROM rooms ORDER BY id")?;
    let mut rows = select.query([])?;
    let mut rooms = Vec::new();
    while let Some(row) = rows.next()? {
        let id = RoomId(row.get(0)?);
        let kind: String = row.get(2)?;
        rooms.push(StoredRoom {
            id,
            name: RoomName::trusted(row.get_ref(1)?.as_str()?),
            settings: Settings {
                kind: RoomKind::parse(&kind).ok_or_else(|| damaged(2, format!("the kind {kind:?}")))?,
                topic: Line::trusted(row.get_ref(3)?.as_str()?),
                ..Settings::default()
            },
            epoch: Epoch(row.get(4)?),
            first: Seq(unsigned(5, row.get(5)?)?),
            head: Seq(log::head(conn, id)?.unwrap_or_default().seq),
            heir: None,
            sides: None,
            members: Vec::new(),
            bans: Vec::new(),
            mutes: Vec::new(),
            invited: Vec::new(),
        });
    }
    let mut select = conn.prepare("SELECT room, user, role, joined FROM members ORDER BY room, user")?;
    let mut rows = select.query([])?;
    let mut at = 0;
    while let Some(row) = rows.next()? {
        let id = RoomId(row.get(0)?);
        while rooms.get(at).is_some_and(|room| room.id < id) {
            at += 1;
        }
        if let Some(room) = rooms.get_mut(at).filter(|room| room.id == id) {
            room.members.push(Seat {
                user: UserId(row.get(1)?),
                role: log::role(2, row.get_ref(2)?.as_str()?)?,
                joined: Seq(unsigned(3, row.get(3)?)?),
            });
        }
    }
    Ok(rooms)
}

/// What follows from an entry that changes what a room is.
pub(super) fn room_changed(_conn: &Connection, _room: RoomId, _change: &RoomChange) -> rusqlite::Result<()> {
    Ok(())
}

/// What follows from an entry that changes a room's topic.
pub(super) fn topic_changed(_conn: &Connection, _room: RoomId, _topic: &Line) -> rusqlite::Result<()> {
    Ok(())
}

/// Gives every room a new epoch.
pub(super) fn renew_epochs(conn: &Connection) -> rusqlite::Result<usize> {
    conn.execute("UPDATE rooms SET epoch = lower(hex(randomblob(8)))", [])
}

/// See [`Store::members`](crate::store::Store::members).
pub(super) fn members(
    conn: &Connection,
    room: RoomId,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<StoredMember>> {
    let mut select = conn.prepare_cached(SELECT_MEMBERS)?;
    let mut rows = select.query((room.0, after, i64::try_from(limit).unwrap_or(i64::MAX)))?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        members.push(StoredMember {
            user: UserId(row.get(0)?),
            name: Username::trusted(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?),
            role: log::role(3, row.get_ref(3)?.as_str()?)?,
            seen: None,
        });
    }
    Ok(members)
}

/// See [`Store::memberships`](crate::store::Store::memberships).
pub(super) fn memberships(
    conn: &Connection,
    user: UserId,
    mut not_by: Vec<UserId>,
) -> rusqlite::Result<Vec<StoredMembership>> {
    not_by.push(user);
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
            closed: Seq::ZERO,
        });
    }
    Ok(memberships)
}

/// A value that belongs to the database as a whole.
pub(super) fn meta<T: rusqlite::types::FromSql>(conn: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}
