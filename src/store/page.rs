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
        let bytes = self.bytes.saturating_add(weight(&entry));
        let fits = self.entries.len() < self.most.entries && bytes <= self.most.bytes;
        if fits || (self.entries.is_empty() && self.most.entries > 0) {
            self.bytes = bytes;
            self.entries.push(entry);
            return true;
        }
        self.more = true;
        false
    }
}

/// The page around an anchor, out of what stands up to it and what behind it: each side oldest first, and as much of it
/// as would fit alone, for the other may be empty.
///
/// What is nearest to the anchor is taken first, by turns and the older first, so that each side has half of the page.
/// A side ends at the first entry that does not fit any more; what is left of the page is for the other side.
pub(super) fn around(older: Page, newer: Page, most: Most) -> Page {
    let mut page = Page::new(most);
    let (mut up_to, mut behind) = (older.entries.into_iter().rev(), newer.entries.into_iter());
    let (mut older_goes_on, mut newer_goes_on) = (true, true);
    while older_goes_on || newer_goes_on {
        older_goes_on = older_goes_on && up_to.next().is_some_and(|entry| page.take(entry));
        newer_goes_on = newer_goes_on && behind.next().is_some_and(|entry| page.take(entry));
    }
    page.entries.sort_unstable_by_key(|entry| entry.seq);
    page.more |= older.more || newer.more;
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, Seq, Text, Time, UserId};

    /// A message that weighs so much.
    fn message(seq: u64, bytes: usize) -> Entry {
        let text = Text::trusted("x".repeat(bytes - FRAME_BYTES));
        Entry {
            seq: Seq(seq),
            time: Time(1),
            author: UserId(1),
            from: "".into(),
            body: Body::Message(Message::new(text)),
        }
    }

    /// The page around an entry of a log, given what each message weighs: the first one is number 1.
    fn page_around(log: &[usize], anchor: u64, most: Most) -> (Vec<u64>, bool) {
        let log: Vec<Entry> = (1..).zip(log).map(|(seq, bytes)| message(seq, *bytes)).collect();
        let (mut older, mut newer) = (Page::new(most), Page::new(most));
        let (up_to, behind) = log.split_at(log.partition_point(|entry| entry.seq <= Seq(anchor)));
        while up_to.iter().rev().nth(older.entries.len()).is_some_and(|entry| older.take(entry.clone())) {}
        while behind.get(newer.entries.len()).is_some_and(|entry| newer.take(entry.clone())) {}
        older.entries.reverse();
        let page = around(older, newer, most);
        (page.entries.iter().map(|entry| entry.seq.0).collect(), page.more)
    }

    #[test]
    fn a_page_around_an_entry_leaves_out_what_is_farthest_from_it() {
        let log = [200; 20];
        for (anchor, count, wanted, more) in [
            (10, 1, 10..=10, true),
            (10, 2, 10..=11, true),
            (10, 4, 9..=12, true),
            (10, 5, 8..=12, true),
            (20, 4, 17..=20, true),
            (19, 4, 17..=20, true),
            (18, 4, 17..=20, true),
            (17, 4, 16..=19, true),
            (90, 4, 17..=20, true),
            (0, 4, 1..=4, true),
            (1, 4, 1..=4, true),
            (2, 4, 1..=4, true),
            (3, 4, 2..=5, true),
            (5, 19, 1..=19, true),
            (15, 19, 2..=20, true),
            (5, 20, 1..=20, false),
            (20, 99, 1..=20, false),
        ] {
            let wanted: Vec<u64> = wanted.collect();
            let of_entries = Most { entries: count, bytes: usize::MAX };
            assert_eq!(page_around(&log, anchor, of_entries), (wanted.clone(), more), "{count} around {anchor}");
            let of_bytes = Most { entries: 99, bytes: 200 * count + 50 };
            assert_eq!(page_around(&log, anchor, of_bytes), (wanted, more), "bytes of {count} around {anchor}");
        }
    }

    #[test]
    fn a_page_around_an_entry_has_at_least_what_is_nearest_to_it() {
        for (log, anchor, bytes, wanted, more) in [
            (&[900, 900, 900][..], 2, 0, &[2][..], true),
            (&[900, 900, 900], 0, 0, &[1], true),
            (&[900], 1, 0, &[1], false),
            (&[], 1, 0, &[], false),
            // A side ends at what does not fit, and the other one has what is left.
            (&[200, 200, 200, 900, 200], 3, 1000, &[1, 2, 3], true),
            (&[200, 900, 200, 200, 200], 3, 1000, &[3, 4, 5], true),
            (&[200, 200, 200, 9000, 200], 3, 1000, &[1, 2, 3], true),
        ] {
            let page = page_around(log, anchor, Most { entries: 99, bytes });
            assert_eq!(page, (wanted.to_vec(), more), "{log:?} around {anchor}, {bytes}");
        }
    }

    #[test]
    fn a_text_weighs_what_json_makes_of_it() {
        for text in ["", "plain", "\n\n\n", "\t\"quoted\" \\ é 🦀"] {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(quoted(text) + 2, json.len(), "{text:?}");
        }
    }
}
