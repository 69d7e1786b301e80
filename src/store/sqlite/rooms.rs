//! The SQL of the rooms: what they are, apart from their logs and from who is in them.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::model::{Epoch, Line, RoomChange, RoomId, RoomKind, RoomName, RoomRole, Seq, Settings, UserId, Visibility};
use crate::store::sqlite::log::{self, damaged, unsigned};
use crate::store::sqlite::{members, moments};
use crate::store::{Ban, Created, NewRoom, Seat, Side, StoredRoom};

const SELECT_ROOMS: &str = "SELECT id, name, kind, topic, epoch, first_seq, heir, \
    history, slow_mode_s, retention_days, retention_entries FROM rooms ORDER BY id";

/// Makes a room, and its owner or the two of a direct conversation members.
pub(super) fn create(conn: &Connection, room: &NewRoom) -> rusqlite::Result<Created<RoomId>> {
    if is_taken(conn, &room.name)? {
        return Ok(Created::Taken);
    }
    let mut insert =
        conn.prepare_cached("INSERT INTO rooms (name, kind, topic, epoch, created) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let id = insert.insert((room.name.as_str(), room.kind.as_str(), &*room.topic, &*room.epoch.0, room.time.0))?;
    let id = RoomId(id);
    if let Some(owner) = room.owner {
        members::found(conn, id, owner, RoomRole::Owner)?;
    }
    for (number, side) in (0..).zip(room.sides.iter().flatten()) {
        let sql = "INSERT INTO sides (room, side, user, name) VALUES (?1, ?2, ?3, ?4)";
        conn.prepare_cached(sql)?.execute((id.0, number, side.user.0, &*side.name))?;
        members::found(conn, id, side.user, RoomRole::Member)?;
    }
    Ok(Created::New(id))
}

fn is_taken(conn: &Connection, name: &RoomName) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM rooms WHERE name = ?1")?.exists([name.as_str()])
}

/// What follows from an entry that changes what a room is.
pub(super) fn room_changed(conn: &Connection, room: RoomId, change: &RoomChange) -> rusqlite::Result<()> {
    if let Some(name) = &change.name {
        let mut select = conn.prepare_cached("SELECT 1 FROM rooms WHERE name = ?1 AND id <> ?2")?;
        if select.exists((name.as_str(), room.0))? {
            // The rules do not let this happen; if they did, the whole batch must not fail for it.
            tracing::error!(room_id = room.0, room = %name, "the name of a room is taken; it keeps the one it has");
        } else {
            conn.prepare_cached("UPDATE rooms SET name = ?2 WHERE id = ?1")?.execute((room.0, name.as_str()))?;
        }
    }
    let mut update = conn.prepare_cached(
        "UPDATE rooms SET kind = ifnull(?2, kind), history = ifnull(?3, history), \
         slow_mode_s = ifnull(?4, slow_mode_s), retention_days = ifnull(?5, retention_days), \
         retention_entries = ifnull(?6, retention_entries) WHERE id = ?1",
    )?;
    let entries = change.retention_entries.map(|entries| i64::try_from(entries).unwrap_or(i64::MAX));
    update.execute((
        room.0,
        change.kind.map(RoomKind::as_str),
        change.history.map(Visibility::as_str),
        change.slow_mode_s,
        change.retention_days,
        entries,
    ))?;
    Ok(())
}

/// What follows from an entry that changes a room's topic.
pub(super) fn topic_changed(conn: &Connection, room: RoomId, topic: &Line) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE rooms SET topic = ?2 WHERE id = ?1")?.execute((room.0, topic.as_str())).map(|_| ())
}

/// Takes a room away, with everything but its log. That is only marked: it may be long, and is erased in small steps.
pub(super) fn doom(conn: &Connection, room: RoomId) -> rusqlite::Result<u64> {
    if conn.prepare_cached("DELETE FROM rooms WHERE id = ?1")?.execute([room.0])? == 0 {
        return Ok(0);
    }
    for sql in [
        "DELETE FROM sides WHERE room = ?1",
        "DELETE FROM members WHERE room = ?1",
        "DELETE FROM bans WHERE room = ?1",
        "DELETE FROM invited WHERE room = ?1",
        "INSERT INTO doomed (room) VALUES (?1)",
    ] {
        conn.prepare_cached(sql)?.execute([room.0])?;
    }
    Ok(1)
}

/// See [`Store::rooms`](crate::store::Store::rooms). This runs at every start: what is in other tables is read once, in the
/// order of the rooms, and not room by room.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<StoredRoom>> {
    let mut select = conn.prepare(SELECT_ROOMS)?;
    let mut rows = select.query([])?;
    let mut rooms = Vec::new();
    while let Some(row) = rows.next()? {
        let id = RoomId(row.get(0)?);
        let heir = UserId(row.get(6)?);
        rooms.push(StoredRoom {
            id,
            name: RoomName::trusted(row.get_ref(1)?.as_str()?),
            settings: settings(row)?,
            epoch: Epoch(row.get(4)?),
            first: Seq(unsigned(5, row.get(5)?)?),
            head: Seq(log::head(conn, id)?.unwrap_or_default().seq),
            heir: (heir.0 != 0).then_some(heir),
            sides: None,
            members: Vec::new(),
            bans: Vec::new(),
            mutes: Vec::new(),
            invited: Vec::new(),
        });
    }
    add_rows(conn, &mut rooms, "SELECT room, side, user, name FROM sides ORDER BY room, side", |room, row| {
        let side = Side { user: UserId(row.get(2)?), name: row.get_ref(3)?.as_str()?.into() };
        match &mut room.sides {
            Some([_, second]) => *second = side,
            none => *none = Some([side.clone(), side]),
        }
        Ok(())
    })?;
    add_rows(conn, &mut rooms, "SELECT room, user, role, joined FROM members ORDER BY room, user", |room, row| {
        let role = log::role(2, row.get_ref(2)?.as_str()?)?;
        let joined = Seq(unsigned(3, row.get(3)?)?);
        room.members.push(Seat { user: UserId(row.get(1)?), role, joined });
        Ok(())
    })?;
    let sql = "SELECT room, mute, skeleton, name, until, reason FROM bans ORDER BY room, mute, skeleton";
    add_rows(conn, &mut rooms, sql, |room, row| {
        let ban = Ban {
            skeleton: row.get(2)?,
            name: row.get_ref(3)?.as_str()?.into(),
            until: moments::from_column(row.get(4)?),
            reason: Some(row.get_ref(5)?.as_str()?).filter(|reason| !reason.is_empty()).map(Line::trusted),
        };
        let mute: bool = row.get(1)?;
        if mute {
            room.mutes.push(ban)
        } else {
            room.bans.push(ban)
        }
        Ok(())
    })?;
    add_rows(conn, &mut rooms, "SELECT room, user FROM invited ORDER BY room, user", |room, row| {
        room.invited.push(UserId(row.get(1)?));
        Ok(())
    })?;
    Ok(rooms)
}

fn settings(row: &Row<'_>) -> rusqlite::Result<Settings> {
    let (kind, history) = (row.get_ref(2)?.as_str()?, row.get_ref(7)?.as_str()?);
    let small = |column: usize| -> rusqlite::Result<u32> {
        let number: i64 = row.get(column)?;
        u32::try_from(number).map_err(|_| damaged(column, format!("the number {number}")))
    };
    Ok(Settings {
        kind: RoomKind::parse(kind).ok_or_else(|| damaged(2, format!("the kind {kind:?}")))?,
        topic: Line::trusted(row.get_ref(3)?.as_str()?),
        history: Visibility::parse(history).ok_or_else(|| damaged(7, format!("the visibility {history:?}")))?,
        slow_mode_s: small(8)?,
        retention_days: small(9)?,
        retention_entries: unsigned(10, row.get(10)?)?,
    })
}

/// Gives each row of another table to its room. Both stand in the order of the rooms, so that one look at each is enough.
fn add_rows(
    conn: &Connection,
    rooms: &mut [StoredRoom],
    sql: &str,
    mut add: impl FnMut(&mut StoredRoom, &Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut select = conn.prepare(sql)?;
    let mut rows = select.query([])?;
    let mut rooms = rooms.iter_mut().peekable();
    while let Some(row) = rows.next()? {
        let id = RoomId(row.get(0)?);
        while rooms.next_if(|room| room.id < id).is_some() {}
        if let Some(room) = rooms.peek_mut().filter(|room| room.id == id) {
            add(room, row)?;
        }
    }
    Ok(())
}

/// Gives every room a new epoch.
pub(super) fn renew_epochs(conn: &Connection) -> rusqlite::Result<usize> {
    conn.execute("UPDATE rooms SET epoch = lower(hex(randomblob(8)))", [])
}

/// A value that belongs to the database as a whole.
pub(super) fn meta<T: rusqlite::types::FromSql>(conn: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

/// Writes the mark that the database is open anew, as it is. Not by an UPDATE: SQLite leaves a page alone on which that would
/// change nothing.
pub(super) fn rewrite_mark(conn: &Connection) -> rusqlite::Result<()> {
    let mark: Option<String> = meta(conn, "running")?;
    forget_meta(conn, "running")?;
    conn.execute("INSERT INTO meta (key, value) VALUES ('running', ?1)", [mark.unwrap_or_default()]).map(|_| ())
}

/// Takes such a value out.
pub(super) fn forget_meta(conn: &Connection, key: &str) -> rusqlite::Result<()> {
    conn.execute("DELETE FROM meta WHERE key = ?1", [key]).map(|_| ())
}
