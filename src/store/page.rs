//! How much fits into a page. The same rule for every store, so that they give the same answers.

use std::sync::Arc;

use crate::model::{Body, Entry, Line, Reaction, RoomName};
use crate::store::Most;

/// What the keys, numbers and punctuation around an entry take on the wire, roughly.
const FRAME_BYTES: usize = 100;
/// The same around a name in a list.
const NAME_BYTES: usize = 3;
/// The same around a reaction.
const REACTION_BYTES: usize = 40;

/// How many bytes an entry takes on the wire, roughly.
pub(super) fn weight(entry: &Entry) -> usize {
    let line = |line: &Line| quoted(line.as_str());
    let said = match &entry.body {
        Body::Message(message) => {
            let names = |names: &[Arc<str>]| names.iter().map(|name| NAME_BYTES + name.len()).sum::<usize>();
            let reaction = |it: &Reaction| REACTION_BYTES + line(&it.emoji) + names(&it.users);
            quoted(message.text.as_str())
                + names(&message.mentions)
                + message.reactions.iter().map(reaction).sum::<usize>()
        }
        Body::Edit { text, .. } => text.as_ref().map_or(0, |text| quoted(text.as_str())),
        Body::Delete { reason, .. } => reason.as_ref().map_or(0, line),
        Body::React { emoji, .. } => line(emoji),
        Body::Topic { topic } => line(topic),
        Body::Member { user, reason, .. } => user.len() + reason.as_ref().map_or(0, line),
        Body::Room(change) => {
            let name = |name: &Option<RoomName>| name.as_ref().map_or(0, |name| name.as_str().len());
            name(&change.name) + name(&change.was)
        }
    };
    FRAME_BYTES + entry.from.len() + said
}

/// How many bytes a text takes between the quotation marks of JSON. Of what has to be escaped there, these four are all
/// that a text can hold, and each takes one byte more.
fn quoted(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t')).count()
}

/// Entries that are taken one after the other, away from the anchor, until the page is full.
pub(super) struct Page {
    most: Most,
    bytes: usize,
    /// What was taken.
    pub(super) entries: Vec<Entry>,
    /// Whether something did not fit any more.
    pub(super) more: bool,
}

impl Page {
    /// A page that takes so much, but at least one entry (unless it is to have none).
    pub(super) fn new(most: Most) -> Page {
        Page { most, bytes: 0, entries: Vec::new(), more: false }
    }

    /// Takes an entry; false when the page is full, and this entry was left out.
    pub(super) fn take(&mut self, entry: Entry) -> bool {
        self.bytes = self.bytes.saturating_add(weight(&entry));
        let fits = self.entries.len() < self.most.entries && self.bytes <= self.most.bytes;
        if fits || (self.entries.is_empty() && self.most.entries > 0) {
            self.entries.push(entry);
            return true;
        }
        self.more = true;
        false
    }
}

/// What stands up to the anchor, and what behind it, when a page is to be around it.
pub(super) fn halves(most: Most) -> (Most, Most) {
    let entries = most.entries.max(1);
    let bytes = most.bytes / 2;
    (Most { entries: entries.div_ceil(2), bytes }, Most { entries: entries / 2, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_weighs_what_json_makes_of_it() {
        for text in ["", "plain", "\n\n\n", "\t\"quoted\" \\ é 🦀"] {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(quoted(text) + 2, json.len(), "{text:?}");
        }
    }
}
