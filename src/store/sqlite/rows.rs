//! An entry as a row of the table `entries`: what stands in which column, both ways.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};

use crate::model::{
    Body, Entry, Line, MemberChange, Message, RoomChange, RoomKind, RoomName, RoomRole, Seq, Text, Time, UserId,
    Visibility,
};
use crate::store::sqlite::log::seq;

pub(super) const MESSAGE: i64 = 0;
const MEMBER: i64 = 1;
const EDIT: i64 = 2;
const DELETE: i64 = 3;
const REACT: i64 = 4;
const TOPIC: i64 = 5;
const ROOM: i64 = 6;

const ACTION: i64 = 1;
/// The message was deleted, or the edit is not the newest any more. Nothing but spaces stands in `text` then, or nothing.
pub(super) const DELETED: i64 = 2;
/// There are or were reactions to it, so that it is worth looking for them.
pub(super) const REACTED: i64 = 4;

/// What [`entry`] reads, in this order.
macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT id, messages, time, author, name, kind, reply_to, flags, text, body, edited FROM entries ",
            $rest
        )
    };
}
pub(super) use select_entries;

/// What of an entry depends on its kind.
pub(super) struct Columns<'a> {
    pub(super) kind: i64,
    pub(super) reply_to: i64,
    pub(super) flags: i64,
    pub(super) text: &'a str,
    pub(super) body: String,
}

impl<'a> Columns<'a> {
    /// What an entry says, apart from whom it mentions.
    pub(super) fn of(body: &'a Body) -> rusqlite::Result<Columns<'a>> {
        let (kind, reply_to, flags, text, body) = match body {
            Body::Message(message) => {
                let flags = if message.action { ACTION } else { 0 };
                (MESSAGE, message.reply_to, flags, message.text.as_str(), String::new())
            }
            Body::Edit { target, text } => {
                (EDIT, Some(*target), 0, text.as_ref().map_or("", Text::as_str), String::new())
            }
            Body::Delete { target, reason } => {
                (DELETE, Some(*target), 0, "", to_json(&DeleteBody::of(reason.as_ref()))?)
            }
            Body::React { target, emoji, remove } => {
                let body = ReactBody { emoji: emoji.as_str().into(), remove: *remove };
                (REACT, Some(*target), 0, "", to_json(&body)?)
            }
            Body::Topic { topic } => (TOPIC, None, 0, "", to_json(&TopicBody { topic: topic.as_str().into() })?),
            Body::Member { .. } => (MEMBER, None, 0, "", to_json(&MemberBody::of(body))?),
            Body::Room(change) => (ROOM, None, 0, "", to_json(&RoomBody::of(change))?),
        };
        Ok(Columns { kind, reply_to: reply_to.map_or(0, number), flags, text, body })
    }
}

/// A number of an entry, as a column has it.
pub(super) fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// The names that a message mentions, as the column `body` has them.
pub(super) fn mentions_body(names: &[Arc<str>]) -> rusqlite::Result<String> {
    if names.is_empty() { Ok(String::new()) } else { to_json(&names.iter().map(|name| &**name).collect::<Vec<_>>()) }
}

/// The last name that was read: in most logs the next one is the same, and is shared.
#[derive(Default)]
pub(super) struct Names(Option<Arc<str>>);

impl Names {
    fn share(&mut self, name: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *name => Arc::clone(last),
            _ => Arc::clone(self.0.insert(name.into())),
        }
    }
}

/// The entry in a row of [`select_entries`].
pub(super) fn entry(row: &Row<'_>, names: &mut Names) -> rusqlite::Result<Entry> {
    let reply_to = unsigned(6, row.get(6)?)?;
    let target = Seq(reply_to);
    let body = match row.get::<_, i64>(5)? {
        MESSAGE => {
            let (flags, edited): (i64, i64) = (row.get(7)?, row.get(10)?);
            let deleted = flags & DELETED != 0;
            let mentions = match row.get_ref(9)?.as_str()? {
                "" => Box::default(),
                json => from_json::<Vec<Cow<'_, str>>>(json)?.into_iter().map(|name| (&*name).into()).collect(),
            };
            Body::Message(Message {
                text: Text::trusted(if deleted { "" } else { row.get_ref(8)?.as_str()? }),
                reply_to: (reply_to != 0).then_some(target),
                action: flags & ACTION != 0,
                mentions,
                edited: (edited != 0).then_some(Time(edited)),
                deleted,
                reactions: Box::default(),
            })
        }
        EDIT => {
            let text = row.get_ref(8)?.as_str()?;
            let says = !text.is_empty() && row.get::<_, i64>(7)? & DELETED == 0;
            Body::Edit { target, text: says.then(|| Text::trusted(text)) }
        }
        DELETE => {
            let body: DeleteBody<'_> = from_json(row.get_ref(9)?.as_str()?)?;
            Body::Delete { target, reason: body.reason.map(line) }
        }
        REACT => {
            let body: ReactBody<'_> = from_json(row.get_ref(9)?.as_str()?)?;
            Body::React { target, emoji: line(body.emoji), remove: body.remove }
        }
        TOPIC => Body::Topic { topic: line(from_json::<TopicBody<'_>>(row.get_ref(9)?.as_str()?)?.topic) },
        MEMBER => from_json::<MemberBody<'_>>(row.get_ref(9)?.as_str()?)?.into_body()?,
        ROOM => Body::Room(from_json::<RoomBody<'_>>(row.get_ref(9)?.as_str()?)?.into_change()?),
        kind => return Err(damaged(5, format!("an entry of kind {kind}"))),
    };
    Ok(Entry {
        seq: seq(row.get(0)?),
        time: Time(row.get(2)?),
        author: UserId(row.get(3)?),
        from: names.share(row.get_ref(4)?.as_str()?),
        body,
    })
}

// What stands in the column `body`, in JSON.

#[derive(Serialize, Deserialize)]
struct DeleteBody<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
}

impl<'a> DeleteBody<'a> {
    fn of(reason: Option<&'a Line>) -> DeleteBody<'a> {
        DeleteBody { reason: reason.map(|reason| reason.as_str().into()) }
    }
}

#[derive(Serialize, Deserialize)]
struct ReactBody<'a> {
    #[serde(borrow)]
    emoji: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    remove: bool,
}

#[derive(Serialize, Deserialize)]
struct TopicBody<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
}

#[derive(Default, Serialize, Deserialize)]
struct MemberBody<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    user_id: i64,
    change: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

impl<'a> MemberBody<'a> {
    /// Of another body there is nothing to say.
    fn of(body: &'a Body) -> MemberBody<'a> {
        let Body::Member { user, user_id, change, role, reason, until } = body else {
            return MemberBody::default();
        };
        MemberBody {
            user: Cow::Borrowed(user),
            user_id: user_id.0,
            change: change.as_str(),
            role: role.map(RoomRole::as_str),
            reason: reason.as_ref().map(|reason| reason.as_str().into()),
            until: until.map(|until| until.0),
        }
    }

    fn into_body(self) -> rusqlite::Result<Body> {
        let change = MemberChange::parse(self.change);
        Ok(Body::Member {
            user: (&*self.user).into(),
            user_id: UserId(self.user_id),
            change: change.ok_or_else(|| damaged(9, format!("the change {:?}", self.change)))?,
            role: self.role.map(|word| role(9, word)).transpose()?,
            reason: self.reason.map(line),
            until: self.until.map(Time),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct RoomBody<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    was: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slow_mode_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_entries: Option<u64>,
}

impl<'a> RoomBody<'a> {
    fn of(change: &'a RoomChange) -> RoomBody<'a> {
        RoomBody {
            name: change.name.as_ref().map(|name| name.as_str().into()),
            was: change.was.as_ref().map(|name| name.as_str().into()),
            kind: change.kind.map(RoomKind::as_str),
            history: change.history.map(Visibility::as_str),
            slow_mode_s: change.slow_mode_s,
            retention_days: change.retention_days,
            retention_entries: change.retention_entries,
        }
    }

    fn into_change(self) -> rusqlite::Result<RoomChange> {
        let kind = |word| RoomKind::parse(word).ok_or_else(|| damaged(9, format!("the kind {word:?}")));
        let history = |word| Visibility::parse(word).ok_or_else(|| damaged(9, format!("the visibility {word:?}")));
        Ok(RoomChange {
            name: self.name.map(|name| RoomName::trusted(&name)),
            was: self.was.map(|name| RoomName::trusted(&name)),
            kind: self.kind.map(kind).transpose()?,
            history: self.history.map(history).transpose()?,
            slow_mode_s: self.slow_mode_s,
            retention_days: self.retention_days,
            retention_entries: self.retention_entries,
        })
    }
}

fn to_json(body: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(body).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn from_json<'a, T: Deserialize<'a>>(json: &'a str) -> rusqlite::Result<T> {
    serde_json::from_str(json).map_err(|error| damaged(9, error.to_string()))
}

fn line(text: Cow<'_, str>) -> Line {
    Line::trusted(&*text)
}

/// A role in a room, as a word in a column.
pub(super) fn role(column: usize, word: &str) -> rusqlite::Result<RoomRole> {
    RoomRole::parse(word).ok_or_else(|| damaged(column, format!("the role {word:?}")))
}

/// A number that is never negative, as SQLite has none of its own.
pub(super) fn unsigned(column: usize, number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number).map_err(|_| damaged(column, format!("the number {number}")))
}

/// A row that this program has not written.
pub(super) fn damaged(column: usize, found: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("{found} cannot be").into())
}
