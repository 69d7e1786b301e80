//! What happened in a room beside talking, in words. Not made harmless yet: whoever shows it does that.

use jiff::tz::TimeZone;

use crate::client::{Event, Member, RoomChanged};
use crate::model::MemberChange;

/// What happened, as a sentence that begins with who did it: "ann set the topic: tea". `None` for messages, which speak for
/// themselves, and for hints. A time in it is in that zone.
pub fn deed(event: &Event, zone: &TimeZone) -> Option<String> {
    Some(match event {
        Event::Edit(edit) => match &edit.text {
            Some(text) => format!("{} edited {}: {text}", edit.from, edit.target),
            None => format!("{} edited {}", edit.from, edit.target),
        },
        Event::Delete(delete) => {
            format!("{} deleted {}{}", delete.from, delete.target, why(delete.reason.as_deref()))
        }
        Event::React(react) if react.remove => {
            format!("{} took {} back from {}", react.from, react.emoji, react.target)
        }
        Event::React(react) => format!("{} reacted to {} with {}", react.from, react.target, react.emoji),
        Event::Topic(topic) if topic.topic.is_empty() => format!("{} took the topic away", topic.from),
        Event::Topic(topic) => format!("{} set the topic: {}", topic.from, topic.topic),
        Event::Member(change) => member(change, zone),
        Event::Room(change) => format!("{} changed the room: {}", change.from, changes(change)),
        Event::Other(other) if other.seq.is_some() => {
            let line = serde_json::from_str::<serde_json::Value>(other.json.as_str()).unwrap_or_default();
            let from = line.get("from").and_then(serde_json::Value::as_str).unwrap_or_default();
            format!("{from} ({})", other.name)
        }
        _ => return None,
    })
}

fn member(member: &Member, zone: &TimeZone) -> String {
    let role = member.role.as_ref().map(|role| role.as_str()).unwrap_or_default();
    let deed = match member.change.known() {
        Some(MemberChange::Join) => "joined".to_owned(),
        Some(MemberChange::Leave) => "left".to_owned(),
        Some(MemberChange::Invite) => "is invited".to_owned(),
        Some(MemberChange::Kick) => "was put out".to_owned(),
        Some(MemberChange::Ban) => "is banned".to_owned(),
        Some(MemberChange::Unban) => "is banned no more".to_owned(),
        Some(MemberChange::Mute) => "is muted".to_owned(),
        Some(MemberChange::Unmute) => "may speak again".to_owned(),
        Some(MemberChange::Role) => format!("is {role}"),
        None => member.change.as_str().to_owned(),
    };
    let until = member
        .until
        .map(|until| until.timestamp().to_zoned(zone.clone()).strftime(" until %Y-%m-%d %H:%M").to_string());
    let by = if member.user == member.from { String::new() } else { format!(", by {}", member.from) };
    format!("{} {deed}{}{by}{}", member.user, until.unwrap_or_default(), why(member.reason.as_deref()))
}

/// What has changed about a room.
fn changes(change: &RoomChanged) -> String {
    let number = |name: &str, value: Option<u64>| value.map(|value| format!("{name} {value}"));
    let changes = [
        change.name.as_deref().map(|name| format!("its name is {name}")),
        change.kind.as_ref().map(|kind| format!("it is {kind}")),
        change.history.as_ref().map(|history| format!("history {history}")),
        number("slow mode in seconds", change.slow_mode_s),
        number("days kept", change.retention_days),
        number("entries kept", change.retention_entries),
    ];
    changes.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn why(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}
