//! Reads requests of the native dialect. One key after the other, so that a refusal names the one that does not fit.
//!
//! The types of all keys are judged before any name is, for `bad_request` goes before `bad_name`. `null` is a value like
//! any other, and fits nowhere but in `ping`: who means nothing leaves the key out.

use std::borrow::Cow;

use crate::model::{Anchor, RoomKind, RoomName, Seq};
use crate::protocol::object::{Fields, cut, natural, string};
use crate::protocol::{Ask, Code, Credential, Kind, Refusal, Request, RequestId, Secret, Since, Start, Tag, json};

/// The most bytes of an id, a nonce, an epoch.
const MAX_WORD_BYTES: usize = 64;
/// The most unknown keys that an answer names.
const MAX_IGNORED: usize = 16;

/// Reads a request.
pub(super) fn decode(object: &str) -> Ask {
    let unreadable = |refusal| Ask { tag: Tag::new(Kind::Unknown), request: Err(refusal) };
    let Some(fields) = Fields::parse(object) else { return unreadable(Code::BadJson.into()) };
    let word = match fields.count("request") {
        1 => fields.find("request").and_then(string),
        _ => None,
    };
    let Some(word) = word else { return unreadable(Refusal::bad_request("request")) };
    let kind = Kind::parse(&word);
    let mut tag = Tag::new(kind.unwrap_or(Kind::Unknown));
    if kind.is_none() {
        tag.word = Some(cut(&word).into());
    }
    let id = match fields.count("id") {
        0 => Ok(None),
        1 => fields.find("id").and_then(id).map(Some).ok_or_else(|| Refusal::bad_request("id")),
        _ => Err(Refusal::bad_request("id")),
    };
    let mut ignored = Vec::new();
    let request = match (id, fields.repeated(), kind) {
        (Err(refusal), ..) => Err(refusal),
        (Ok(id), repeated, kind) => {
            tag.id = id;
            match (repeated, kind) {
                (Some(key), _) => Err(Refusal::bad_request(cut(key))),
                (None, None) => Err(Code::UnknownRequest.into()),
                (None, Some(kind)) => {
                    let known = |key: &str| matches!(key, "request" | "id") || kind.keys().contains(&key);
                    let unknown = fields.iter().map(|(key, _)| key).filter(|key| !known(key));
                    ignored.extend(unknown.take(MAX_IGNORED).map(|key| cut(key).into()));
                    request(kind, &Keys(&fields), &mut ignored)
                }
            }
        }
    };
    tag.ignored = ignored.into();
    Ask { tag, request }
}

/// An id, if this value is one.
fn id(value: &str) -> Option<RequestId> {
    if let Some(text) = string(value) {
        return (text.len() <= MAX_WORD_BYTES).then(|| RequestId::Json(value.into()));
    }
    // "-0" would come back as another text.
    match value.parse::<i64>() {
        Ok(int) => (value != "-0").then_some(RequestId::Int(int)),
        Err(_) => value.parse::<u64>().ok().map(|_| RequestId::Json(value.into())),
    }
}

fn request(kind: Kind, keys: &Keys<'_, '_>, ignored: &mut Vec<Box<str>>) -> Result<Request, Refusal> {
    Ok(match kind {
        Kind::Hello => Request::Hello {
            protocol: keys.maybe("protocol", |value| value.parse().ok())?,
            client: keys.text("client")?.map(Cow::into),
        },
        Kind::Login => {
            let username = keys.need(keys.text("username")?, "username")?.into();
            let credential = match (keys.secret("password")?, keys.secret("token")?) {
                (None, None) => Credential::None,
                (Some(password), None) => Credential::Password(password),
                (None, Some(token)) => Credential::Token(token),
                (Some(_), Some(_)) => return Err(Refusal::bad_request("token")),
            };
            Request::Login { username, credential }
        }
        Kind::Register => Request::Register {
            username: keys.need(keys.text("username")?, "username")?.into(),
            password: keys.need(keys.secret("password")?, "password")?,
            invite: keys.secret("invite")?,
        },
        Kind::Logout => Request::Logout,
        Kind::Ping => Request::Ping { data: keys.maybe("data", |value| Some(json::compact(value)))? },
        Kind::Whoami => Request::Whoami,
        Kind::Help => Request::Help,
        Kind::Rooms => Request::Rooms { after: keys.text("after")?.map(after).transpose()? },
        Kind::Create => {
            let room = keys.need(keys.text("room")?, "room")?;
            let kind = keys.maybe("kind", |value| RoomKind::parse(&string(value)?))?.unwrap_or_default();
            let topic = keys.text("topic")?.unwrap_or_default().into();
            Request::Create { room: room_name(&room)?, kind, topic }
        }
        Kind::Join => {
            let room = keys.need(keys.text("room")?, "room")?;
            let start = match (keys.seq("since")?, keys.word("epoch")?, keys.maybe("backlog", natural)?) {
                (None, None, None) => Start::Now,
                (Some(seq), epoch, None) => Start::Since(Since { seq, epoch }),
                (None, None, Some(count)) => Start::Backlog(count),
                (Some(_), _, Some(_)) => return Err(Refusal::bad_request("backlog")),
                (None, Some(_), _) => return Err(Refusal::bad_request("epoch")),
            };
            Request::Join { room: room_name(&room)?, start }
        }
        Kind::Resume => {
            let rooms = keys.need(keys.maybe("rooms", Fields::parse)?, "rooms")?;
            Request::Resume { rooms: resume(&rooms, ignored)? }
        }
        Kind::Unfollow => Request::Unfollow { room: keys.room()? },
        Kind::Leave => Request::Leave { room: keys.room()? },
        Kind::Names => {
            let (room, name) = (keys.text("room")?, keys.text("after")?);
            Request::Names { room: room.map(|room| room_name(&room)).transpose()?, after: name.map(after).transpose()? }
        }
        Kind::Message => {
            let room = keys.need(keys.text("room")?, "room")?;
            let text = keys.need(keys.text("text")?, "text")?.into();
            let nonce = keys.word("nonce")?;
            if nonce.as_deref() == Some("") {
                return Err(Refusal::bad_request("nonce"));
            }
            let reply_to = keys.seq("reply_to")?;
            let action = keys.maybe("action", |value| value.parse().ok())?.unwrap_or_default();
            Request::Message { room: room_name(&room)?, text, nonce, reply_to, action }
        }
        Kind::History => {
            let room = keys.need(keys.text("room")?, "room")?;
            let anchor = match (keys.seq("before")?, keys.seq("after")?, keys.seq("around")?) {
                (None, None, None) => Anchor::Newest,
                (Some(seq), None, None) => Anchor::Before(seq),
                (None, Some(seq), None) => Anchor::After(seq),
                (None, None, Some(seq)) => Anchor::Around(seq),
                (_, _, Some(_)) => return Err(Refusal::bad_request("around")),
                (Some(_), Some(_), None) => return Err(Refusal::bad_request("after")),
            };
            let limit = keys.maybe("limit", |value| value.parse().ok().filter(|limit: &u32| *limit > 0))?;
            Request::History { room: room_name(&room)?, anchor, limit }
        }
        // No word stands for these.
        _ => return Err(Code::UnknownRequest.into()),
    })
}

/// The rooms of a `resume`: each with a number, or with an object of `since` and `epoch`.
fn resume(rooms: &Fields<'_>, ignored: &mut Vec<Box<str>>) -> Result<Vec<(RoomName, Since)>, Refusal> {
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
                let keys = Keys(&fields);
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
    if names.is_sorted_by(|one, other| one < other) { Ok(named) } else { Err(wrong()) }
}

fn room_name(name: &str) -> Result<RoomName, Refusal> {
    RoomName::parse(name).map_err(|_| Refusal::new(Code::BadName).about("room"))
}

/// A name to go on behind. It need not exist, but it has to look like a name.
fn after(name: Cow<'_, str>) -> Result<Box<str>, Refusal> {
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(Refusal::new(Code::BadName).about("after"));
    }
    Ok(name.into())
}

/// The keys of a request, by type. Each is `bad_request` with its name where the value does not fit.
struct Keys<'f, 'a>(&'f Fields<'a>);

impl<'a> Keys<'_, 'a> {
    fn maybe<T>(&self, key: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<Option<T>, Refusal> {
        match self.0.find(key) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| Refusal::bad_request(key)),
        }
    }

    fn need<T>(&self, value: Option<T>, key: &str) -> Result<T, Refusal> {
        value.ok_or_else(|| Refusal::bad_request(key))
    }

    fn text(&self, key: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.maybe(key, string)
    }

    fn secret(&self, key: &str) -> Result<Option<Secret>, Refusal> {
        Ok(self.text(key)?.map(|secret| Secret(secret.into())))
    }

    fn seq(&self, key: &str) -> Result<Option<Seq>, Refusal> {
        Ok(self.maybe(key, natural)?.map(Seq))
    }

    /// A short string that is only compared, never shown.
    fn word(&self, key: &str) -> Result<Option<Box<str>>, Refusal> {
        let good = |word: &Cow<'_, str>| word.len() <= MAX_WORD_BYTES && !word.chars().any(char::is_control);
        self.maybe(key, |value| string(value).filter(good).map(Cow::into))
    }

    fn room(&self) -> Result<RoomName, Refusal> {
        room_name(&self.need(self.text("room")?, "room")?)
    }
}

#[cfg(test)]
mod tests;
