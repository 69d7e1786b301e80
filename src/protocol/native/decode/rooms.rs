//! Requests about rooms, and about those who are in them.

use crate::model::{MemberChange, RoomChange, RoomKind, RoomName, RoomRole, Seq, Visibility};
use crate::protocol::native::decode::keys::{Keys, MAX_IGNORED, after, new_name, room_name};
use crate::protocol::object::{Fields, cut, natural};
use crate::protocol::{Code, Moderation, Refusal, Request, Since, Start};

/// The longest pause that a room can ask for between two messages: a day.
const MAX_SLOW_MODE_S: u32 = 86_400;
/// The longest time that a room can keep its entries, unless it keeps them for ever: a hundred years.
const MAX_RETENTION_DAYS: u32 = 36_500;

pub(super) fn list(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    Ok(Request::Rooms { after: keys.text("after")?.map(after).transpose()? })
}

pub(super) fn create(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let room = keys.unchecked_room()?;
    let kind = kind(keys)?.unwrap_or_default();
    let topic = keys.text("topic")?.unwrap_or_default().into();
    Ok(Request::Create { room: new_name(&room, "room")?, kind, topic })
}

pub(super) fn join(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let room = keys.unchecked_room()?;
    let start = match (keys.seq("since")?, keys.word("epoch")?, keys.number("backlog")?) {
        (None, None, None) => Start::Now,
        (Some(seq), epoch, None) => Start::Since(Since { seq, epoch }),
        (None, None, Some(count)) => Start::Backlog(count),
        (Some(_), _, Some(_)) => return Err(Refusal::bad_request("backlog")),
        (None, Some(_), _) => return Err(Refusal::bad_request("epoch")),
    };
    Ok(Request::Join { room: room_name(&room)?, start })
}

/// The rooms of a `resume`: each with a number, or with an object of `since` and `epoch`.
pub(super) fn resume(keys: &Keys<'_, '_>, ignored: &mut Vec<Box<str>>) -> Result<Request, Refusal> {
    let rooms = keys.need(keys.maybe("rooms", Fields::parse)?, "rooms")?;
    let wrong = || Refusal::bad_request("rooms");
    if rooms.repeated().is_some() {
        return Err(wrong());
    }
    let mut read = Vec::new();
    for (room, value) in rooms.iter() {
        let since = match natural(value) {
            Some(seq) => Since { seq: Seq(seq), epoch: None },
            None => {
                let fields = Fields::parse(value).filter(|fields| fields.repeated().is_none()).ok_or_else(wrong)?;
                let keys = Keys::new(&fields);
                let seq = keys.seq("since").ok().flatten().ok_or_else(wrong)?;
                let epoch = keys.word("epoch").map_err(|_| wrong())?;
                let unknown = fields.iter().map(|(key, _)| key).filter(|key| !matches!(*key, "since" | "epoch"));
                let space = MAX_IGNORED.saturating_sub(ignored.len());
                ignored.extend(unknown.take(space).map(|key| cut(key).into()));
                Since { seq, epoch }
            }
        };
        read.push((room, since));
    }
    // Only now, for a wrong type goes before a wrong name.
    let mut named = Vec::with_capacity(read.len());
    for (room, since) in read {
        named.push((RoomName::parse(room).map_err(|_| Refusal::new(Code::BadName).about("rooms"))?, since));
    }
    let mut names: Vec<&str> = named.iter().map(|(room, _)| room.as_str()).collect();
    names.sort_unstable();
    // The same room in two spellings.
    if names.is_sorted_by(|one, other| one < other) { Ok(Request::Resume { rooms: named }) } else { Err(wrong()) }
}

pub(super) fn names(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, name) = (keys.text("room")?, keys.text("after")?);
    let room = room.map(|room| room_name(&room)).transpose()?;
    Ok(Request::Names { room, after: name.map(after).transpose()? })
}

pub(super) fn topic(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, topic) = (keys.unchecked_room()?, keys.needed_text("topic")?);
    Ok(Request::Topic { room: room_name(&room)?, topic })
}

/// What is to happen to somebody in a room. Which keys there are besides depends on what it is.
pub(super) fn moderate(keys: &Keys<'_, '_>, change: MemberChange) -> Result<Request, Refusal> {
    let (room, username) = (keys.unchecked_room()?, keys.username()?);
    let role = match change {
        MemberChange::Role => Some(keys.need(keys.choice("role", RoomRole::parse)?, "role")?),
        _ => None,
    };
    let reason = keys.remark("reason")?;
    let for_s = match change {
        MemberChange::Ban | MemberChange::Mute => keys.for_s()?,
        _ => None,
    };
    let room = room_name(&room)?;
    Ok(Request::Moderate(Box::new(Moderation { room, username, change, role, reason, for_s })))
}

pub(super) fn change(keys: &Keys<'_, '_>) -> Result<Request, Refusal> {
    let (room, name) = (keys.unchecked_room()?, keys.text("name")?);
    let kind = kind(keys)?;
    let history = keys.choice("history", Visibility::parse)?;
    let slow_mode_s = keys.between("slow_mode_s", 0, MAX_SLOW_MODE_S)?;
    let retention_days = keys.between("retention_days", 0, MAX_RETENTION_DAYS)?;
    let retention_entries = keys.number("retention_entries")?;
    let room = room_name(&room)?;
    let name = name.map(|name| new_name(&name, "name")).transpose()?;
    let change = RoomChange { name, was: None, kind, history, slow_mode_s, retention_days, retention_entries };
    Ok(Request::Room { room, change: Box::new(change) })
}

/// A kind that somebody can give a room. A direct conversation is one from the beginning, and nothing else becomes one.
fn kind(keys: &Keys<'_, '_>) -> Result<Option<RoomKind>, Refusal> {
    keys.choice("kind", |word| RoomKind::parse(word).filter(|kind| *kind != RoomKind::Direct))
}
