//! What happens unasked: the entries of logs, hints, and what becomes of the connection.

use std::time::Duration;

use serde::Deserialize;

use super::answer::{Json, Message, ReadMark, Status, Word, seq, some_time, time};
use crate::model::{MemberChange, RoomKind, RoomRole, Seq, Time, Visibility};

/// What an event takes beside its line, roughly.
const EVENT_BYTES: usize = 384;

/// Something that happened.
///
/// Entries of a room's log come in their order, each once, and are what [`Event::entry`] names; everything else is a
/// hint, which may be lost, or tells of the connection itself. An entry of a room that is followed has the name by which
/// the room is followed, also where it is older than that name; its line ([`Event::json`]) says what it was.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Somebody said something.
    Message(Message),
    /// Somebody said a message otherwise.
    Edit(Edit),
    /// A message was taken back.
    Delete(Delete),
    /// Somebody reacted to a message, or took that back.
    React(React),
    /// A room has another topic.
    Topic(Topic),
    /// What somebody is in a room has changed.
    Member(Member),
    /// What a room is has changed; it may have another name now.
    Room(RoomChanged),
    /// An entry of somebody whom this user has blocked: only its place is told, for whoever keeps count.
    Hidden {
        /// The room.
        room: String,
        /// Its place in the log.
        seq: Seq,
    },
    /// Somebody came or went, or said whether they are there.
    Presence(Presence),
    /// Somebody is typing: to be forgotten after six seconds, or when a message of theirs comes.
    Typing {
        /// The room.
        room: String,
        /// Who.
        user: String,
    },
    /// Another session of the same user has read a room.
    Read(ReadMark),
    /// This user may come into a room; or something was said in a direct conversation that this session does not follow.
    Invited(Invited),
    /// A room is closed to this user: it is not followed any more, and this is the last that is heard of it.
    Removed(Removed),
    /// Somebody who runs the server or a room has something to say.
    Notice {
        /// What.
        text: String,
    },
    /// The server stops; the client comes back by itself if it was told to reconnect.
    Shutdown {
        /// Why.
        reason: String,
        /// When it makes sense to come back.
        retry_after: Option<Duration>,
    },
    /// The connection was lost, or could not be had again. Where it is not tried again the events end here.
    Disconnected {
        /// Why.
        reason: String,
        /// When it will be tried again.
        retry_in: Option<Duration>,
    },
    /// The connection is there again, and this session is logged in. What was followed is taken up next; which rooms there
    /// are beside those, and what is unread, [`Client::logged_in`](super::Client::logged_in) says.
    Connected {
        /// The server has forgotten this guest: it is another one of the same name, to whom nothing of what was belongs.
        new_guest: bool,
    },
    /// Rooms that were followed before the connection was lost.
    Resumed(Vec<RoomResumed>),
    /// What this version has no word for.
    Other(Other),
}

impl Event {
    /// The line as it came, where the server told it and it is an entry or unknown.
    pub fn json(&self) -> Option<&str> {
        match self {
            Event::Message(message) => Some(message.json.as_str()),
            Event::Edit(edit) => Some(edit.json.as_str()),
            Event::Delete(delete) => Some(delete.json.as_str()),
            Event::React(react) => Some(react.json.as_str()),
            Event::Topic(topic) => Some(topic.json.as_str()),
            Event::Member(member) => Some(member.json.as_str()),
            Event::Room(room) => Some(room.json.as_str()),
            Event::Other(other) => Some(other.json.as_str()),
            _ => None,
        }
    }

    /// The room and the place in its log, where this is an entry.
    pub fn entry(&self) -> Option<(&str, Seq)> {
        match self {
            Event::Message(message) => Some((&message.room, message.seq)),
            Event::Edit(edit) => Some((&edit.room, edit.seq)),
            Event::Delete(delete) => Some((&delete.room, delete.seq)),
            Event::React(react) => Some((&react.room, react.seq)),
            Event::Topic(topic) => Some((&topic.room, topic.seq)),
            Event::Member(member) => Some((&member.room, member.seq)),
            Event::Room(room) => Some((&room.room, room.seq)),
            Event::Hidden { room, seq } => Some((room, *seq)),
            Event::Other(other) => Some((other.room.as_deref()?, other.seq?)),
            _ => None,
        }
    }

    /// When it was accepted, where this is an entry and its line says so.
    pub fn time(&self) -> Option<Time> {
        match self {
            Event::Message(message) => Some(message.time),
            Event::Edit(edit) => Some(edit.time),
            Event::Delete(delete) => Some(delete.time),
            Event::React(react) => Some(react.time),
            Event::Topic(topic) => Some(topic.time),
            Event::Member(member) => Some(member.time),
            Event::Room(room) => Some(room.time),
            Event::Other(other) => {
                let line: serde_json::Value = serde_json::from_str(other.json.as_str()).ok()?;
                line.get("time").and_then(serde_json::Value::as_str).and_then(Time::parse)
            }
            _ => None,
        }
    }

    /// It is told under a name that the room had before.
    pub(super) fn set_room(&mut self, name: String) {
        match self {
            Event::Message(Message { room, .. })
            | Event::Edit(Edit { room, .. })
            | Event::Delete(Delete { room, .. })
            | Event::React(React { room, .. })
            | Event::Topic(Topic { room, .. })
            | Event::Member(Member { room, .. })
            | Event::Room(RoomChanged { room, .. }) => *room = name,
            Event::Other(other) => other.room = Some(name),
            _ => {}
        }
    }

    /// Who is heard in it: where this user has blocked them, it is not shown.
    pub(super) fn speaker(&self) -> Option<&str> {
        match self {
            Event::Message(message) => Some(&message.from),
            Event::Edit(edit) => Some(&edit.from),
            Event::React(react) => Some(&react.from),
            Event::Presence(presence) => Some(&presence.user),
            Event::Typing { user, .. } => Some(user),
            _ => None,
        }
    }

    /// How much memory it takes, roughly: what is taken out of its line lies beside it.
    pub(crate) fn bytes(&self) -> usize {
        let len = |text: &Option<String>| text.as_deref().map_or(0, str::len);
        let words = match self {
            Event::Hidden { room, .. } => room.len(),
            Event::Presence(presence) => presence.user.len() + presence.status.as_str().len() + len(&presence.text),
            Event::Typing { room, user } => room.len() + user.len(),
            Event::Read(mark) => mark.room.len() + mark.json.as_str().len(),
            Event::Invited(invited) => invited.room.len() + len(&invited.from),
            Event::Removed(removed) => removed.room.len() + removed.change.len() + len(&removed.reason),
            Event::Notice { text } => text.len(),
            Event::Shutdown { reason, .. } | Event::Disconnected { reason, .. } => reason.len(),
            Event::Resumed(rooms) => rooms.iter().map(RoomResumed::bytes).sum(),
            // The others have their line.
            _ => 0,
        };
        EVENT_BYTES + words + 2 * self.json().map_or(0, str::len)
    }
}

/// Somebody said a message otherwise.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Edit {
    /// The room.
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// Who did it.
    pub from: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// The message.
    #[serde(deserialize_with = "seq")]
    pub target: Seq,
    /// What it says from here on; `None` where a later entry has changed it again or taken it back.
    #[serde(default)]
    pub text: Option<String>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A message was taken back.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Delete {
    /// The room.
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// Who did it.
    pub from: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// The message.
    #[serde(deserialize_with = "seq")]
    pub target: Seq,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Somebody reacted to a message, or took that back.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct React {
    /// The room.
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// Who did it.
    pub from: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// The message.
    #[serde(deserialize_with = "seq")]
    pub target: Seq,
    /// With what.
    pub emoji: String,
    /// It was taken back.
    #[serde(default)]
    pub remove: bool,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// A room has another topic.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Topic {
    /// The room.
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// Who did it.
    pub from: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// What the room is about now.
    #[serde(default)]
    pub topic: String,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// What somebody is in a room has changed.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// The room.
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// Who did it.
    pub from: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// Whom it is about.
    pub user: String,
    /// What happened.
    pub change: Word<MemberChange>,
    /// The role afterwards.
    #[serde(default)]
    pub role: Option<Word<RoomRole>>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it ends by itself (a ban, a mute).
    #[serde(default, deserialize_with = "some_time")]
    pub until: Option<Time>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// What a room is has changed. What is `None` stayed as it was.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RoomChanged {
    /// The room.
    pub room: String,
    /// Its place in the log.
    #[serde(deserialize_with = "seq")]
    pub seq: Seq,
    /// Who did it.
    pub from: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub time: Time,
    /// Its new name, by which its events go on.
    #[serde(default)]
    pub name: Option<String>,
    /// The name that it had before, where it has a new one.
    #[serde(default)]
    pub was: Option<String>,
    /// Who finds it, and who may speak in it.
    #[serde(default)]
    pub kind: Option<Word<RoomKind>>,
    /// What its members see of what was said before they came.
    #[serde(default)]
    pub history: Option<Word<Visibility>>,
    /// How long a member has to wait between two messages, in seconds.
    #[serde(default)]
    pub slow_mode_s: Option<u64>,
    /// How many days an entry is kept; 0 is as long as the server keeps it.
    #[serde(default)]
    pub retention_days: Option<u64>,
    /// How many entries are kept; 0 is as many as the server keeps.
    #[serde(default)]
    pub retention_entries: Option<u64>,
    /// The line as it came.
    #[serde(skip)]
    pub json: Json,
}

/// Somebody with whom this session shares a room came or went, or said whether they are there.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Presence {
    /// Who.
    pub user: String,
    /// Whether there is a session of that user.
    pub online: bool,
    /// Whether that user is there: online, away or offline.
    #[serde(default)]
    pub status: Word<Status>,
    /// What that user says about it.
    #[serde(default)]
    pub text: Option<String>,
}

/// This user may come into a room, or something was said in a direct conversation that this session does not follow.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Invited {
    /// The room.
    pub room: String,
    /// Its newest entry.
    #[serde(default, deserialize_with = "seq")]
    pub head: Seq,
    /// Who invites.
    #[serde(default)]
    pub from: Option<String>,
}

/// A room is closed to this user.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Removed {
    /// The room.
    pub room: String,
    /// The last entry of it that was for this user.
    #[serde(default, deserialize_with = "seq")]
    pub seq: Seq,
    /// What happened: "leave", "kick", "ban", or a word for what became of the room.
    #[serde(default)]
    pub change: String,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A room after the connection was lost and found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomResumed {
    /// The room.
    pub room: String,
    /// The name that it had before, where it was renamed meanwhile.
    pub was: Option<String>,
    /// What was remembered of the room is void; its events go on at the head.
    pub reset: bool,
    /// How many entries nobody can see any more, because they are past what the room keeps.
    pub missed: u64,
    /// What changes when the room begins anew; `None` where it is not followed any more.
    pub epoch: Option<String>,
    /// Its newest entry: up to there the events are what was missed.
    pub head: Seq,
    /// Why the room is not followed any more: the server's sentence.
    pub refused: Option<String>,
}

impl RoomResumed {
    fn bytes(&self) -> usize {
        let words = [&self.was, &self.epoch, &self.refused].into_iter().flatten();
        EVENT_BYTES + self.room.len() + words.map(String::len).sum::<usize>()
    }
}

/// An event that this version does not know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Other {
    /// Its name.
    pub name: String,
    /// The room that it is about.
    pub room: Option<String>,
    /// Its place in the room's log, where it is an entry.
    pub seq: Option<Seq>,
    /// The line as it came.
    pub json: Json,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_word_that_a_server_can_make_long_is_counted() {
        let long = "x".repeat(100_000);
        let (room, time) = (json!(long), "2026-01-31T12:00:00.000Z");
        let presence = json!({"user": "b", "online": true, "text": long});
        let status = json!({"user": "b", "online": true, "status": long});
        let resumed = |was: Option<&str>, epoch: Option<&str>, refused: Option<&str>| {
            Event::Resumed(vec![RoomResumed {
                room: "r".to_owned(),
                was: was.map(str::to_owned),
                reset: false,
                missed: 0,
                epoch: epoch.map(str::to_owned),
                head: Seq(1),
                refused: refused.map(str::to_owned),
            }])
        };
        let events = [
            Event::Presence(serde_json::from_value(presence).unwrap()),
            Event::Presence(serde_json::from_value(status).unwrap()),
            Event::Typing { room: "r".to_owned(), user: long.clone() },
            Event::Typing { room: long.clone(), user: "b".to_owned() },
            Event::Read(serde_json::from_value(json!({"room": room, "read": 1})).unwrap()),
            Event::Invited(serde_json::from_value(json!({"room": room})).unwrap()),
            Event::Invited(serde_json::from_value(json!({"room": "r", "from": long})).unwrap()),
            Event::Removed(serde_json::from_value(json!({"room": room})).unwrap()),
            Event::Removed(serde_json::from_value(json!({"room": "r", "change": long})).unwrap()),
            Event::Removed(serde_json::from_value(json!({"room": "r", "reason": long})).unwrap()),
            Event::Hidden { room: long.clone(), seq: Seq(1) },
            Event::Notice { text: long.clone() },
            Event::Shutdown { reason: long.clone(), retry_after: None },
            Event::Disconnected { reason: long.clone(), retry_in: None },
            resumed(Some(&long), None, None),
            resumed(None, Some(&long), None),
            resumed(None, None, Some(&long)),
        ];
        for event in events {
            assert!(event.bytes() >= 100_000, "{}", &format!("{event:?}")[..60]);
        }
        let typed = serde_json::from_value(json!({"room": "r", "seq": 1, "from": "b", "time": time, "text": ""}));
        assert!(Event::Message(typed.unwrap()).bytes() < 1000);
    }
}
