//! Writes entries: as the events that followers get, and as the messages of a page.

use crate::model::{Body, Entry, Line, Message, Reaction, RoomChange, RoomName};
use crate::protocol::json::Object;

/// Writes an entry as the event that all its receivers get who know the room by this name behind it.
pub(in crate::protocol) fn write_entry(room: &RoomName, entry: &Entry, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.str("event", event(&entry.body));
    object.str("room", room.as_str());
    write_head(&mut object, entry);
    match &entry.body {
        Body::Message(message) => write_said(&mut object, entry, message),
        Body::Edit { target, text } => {
            object.int("target", target.0);
            object.maybe_str("text", text.as_ref().map(|text| text.as_str()));
        }
        Body::Delete { target, reason } => {
            object.int("target", target.0);
            object.maybe_str("reason", line(reason.as_ref()));
        }
        Body::React { target, emoji, remove } => {
            object.int("target", target.0);
            object.str("emoji", emoji.as_str());
            object.bool("remove", *remove);
        }
        Body::Topic { topic } => object.str("topic", topic.as_str()),
        Body::Member { user, user_id: _, change, role, reason, until } => {
            object.str("user", user);
            object.str("change", change.as_str());
            object.maybe_str("role", role.map(|role| role.as_str()));
            object.maybe_str("reason", line(reason.as_ref()));
            object.maybe_time("until", *until);
        }
        Body::Room(change) => write_change(&mut object, change),
    }
    object.end();
}

/// The new name of the room, if that is what the entry is about. It is the first one that is told under that name.
pub(in crate::protocol) fn renames(entry: &Entry) -> Option<&RoomName> {
    match &entry.body {
        Body::Room(change) => change.name.as_ref(),
        _ => None,
    }
}

/// What the event of an entry is called.
fn event(body: &Body) -> &'static str {
    match body {
        Body::Message(_) => "message",
        Body::Edit { .. } => "edit",
        Body::Delete { .. } => "delete",
        Body::React { .. } => "react",
        Body::Topic { .. } => "topic",
        Body::Member { .. } => "member",
        Body::Room(_) => "room",
    }
}

fn write_head(object: &mut Object<'_>, entry: &Entry) {
    object.int("seq", entry.seq.0);
    object.str("from", &entry.from);
    object.time("time", entry.time);
}

/// Writes a message as it stands in a list of them, with what others think of it.
pub(super) fn write_message(object: &mut Object<'_>, entry: &Entry, message: &Message) {
    write_head(object, entry);
    write_said(object, entry, message);
    if !message.reactions.is_empty() {
        object.objects("reactions", &message.reactions, |reaction, object| {
            let Reaction { emoji, users, count } = reaction;
            object.str("emoji", emoji.as_str());
            object.int("count", *count);
            object.strs("users", users);
        });
    }
}

/// What is left of a message: of a deleted one neither the text nor whom it named.
fn write_said(object: &mut Object<'_>, entry: &Entry, message: &Message) {
    let Message { text, reply_to, action, mentions, edited, deleted, reactions: _ } = message;
    if !deleted {
        object.str("text", text.as_str());
    }
    object.bool("action", *action);
    object.bool("guest", entry.author.is_guest());
    object.maybe_int("reply_to", reply_to.map(|seq| seq.0));
    if !deleted && !mentions.is_empty() {
        object.strs("mentions", mentions);
    }
    object.maybe_time("edited", *edited);
    if *deleted {
        object.bool("deleted", true);
    }
}

fn write_change(object: &mut Object<'_>, change: &RoomChange) {
    let RoomChange { name, was, kind, history, slow_mode_s, retention_days, retention_entries } = change;
    object.maybe_str("name", name.as_ref().map(|name| name.as_str()));
    object.maybe_str("was", was.as_ref().map(|was| was.as_str()));
    object.maybe_str("kind", kind.map(|kind| kind.as_str()));
    object.maybe_str("history", history.map(|history| history.as_str()));
    object.maybe_int("slow_mode_s", slow_mode_s.map(u64::from));
    object.maybe_int("retention_days", retention_days.map(u64::from));
    object.maybe_int("retention_entries", *retention_entries);
}

/// A line that somebody may have left empty, which says as little as none.
pub(super) fn line(line: Option<&Line>) -> Option<&str> {
    line.filter(|line| !line.is_empty()).map(|line| line.as_str())
}
