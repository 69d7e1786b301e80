//! A stretch of a room's log without gaps, as far as it is known here: its messages, and between them the lines that tell
//! what else happened.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::client::{Event, Log, Message, Page};
use crate::model::{Seq, Time};

/// What a message takes beside its text, roughly.
const MESSAGE_BYTES: usize = 400;

/// Where something stands in a room: behind the entry of that number, as its how manieth line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) seq: Seq,
    pub(crate) sub: u64,
}

impl Key {
    /// The entry of that number itself.
    pub(crate) fn entry(seq: Seq) -> Key {
        Key { seq, sub: 0 }
    }

    /// A message that is not in the log yet stands behind everything.
    pub(crate) fn pending(id: u64) -> Key {
        Key { seq: Seq(u64::MAX), sub: id }
    }
}

/// A line that is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) time: Time,
    pub(crate) text: String,
    pub(crate) sort: NoteSort,
}

/// What a note is, for its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteSort {
    /// An entry of the log: somebody came, the topic is another.
    Entry,
    /// Told to this screen alone.
    Told,
    /// Something is wrong.
    Wrong,
}

/// Something that takes rows of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'c> {
    Message(&'c Message),
    Note(&'c Note),
}

impl Item<'_> {
    pub(crate) fn time(&self) -> Time {
        match self {
            Item::Message(message) => message.time,
            Item::Note(note) => note.time,
        }
    }
}

/// A stretch of a room's log.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) log: Log,
    notes: BTreeMap<Key, Note>,
    /// The server has older messages.
    pub(crate) more_before: bool,
    /// The server has newer ones: this is not the end of the room.
    pub(crate) more_after: bool,
    /// The first and the last message of the pages that it was put together from, also where those are hidden because their
    /// author is blocked.
    begins: Option<Seq>,
    ends: Option<Seq>,
    bytes: usize,
}

impl Chunk {
    pub(crate) fn new(room: &str) -> Chunk {
        Chunk {
            log: Log::new(room),
            notes: BTreeMap::new(),
            more_before: false,
            more_after: false,
            begins: None,
            ends: None,
            bytes: 0,
        }
    }

    /// Takes in a page of history.
    pub(crate) fn add(&mut self, page: &Page) {
        for message in &page.messages {
            self.bytes += size(message);
        }
        self.log.add(page);
        self.begins = page.oldest.into_iter().chain(self.begins).min();
        self.ends = self.ends.max(page.newest);
        self.recount();
    }

    /// Takes in an entry that happened; `note` is what it says where it is no message.
    pub(crate) fn apply(&mut self, event: &Event, note: Option<Note>) -> Option<Seq> {
        let changed = self.log.apply(event);
        self.bytes += event.json().map_or(0, str::len) + MESSAGE_BYTES;
        if let (Some((_, seq)), Some(note)) = (event.entry(), note) {
            self.notes.insert(Key::entry(seq), note);
        }
        changed
    }

    /// Takes in a stretch further back that has come to reach this one.
    pub(crate) fn absorb(&mut self, back: Chunk) {
        self.more_before = back.more_before;
        self.begins = back.begins.into_iter().chain(self.begins).min();
        self.ends = self.ends.max(back.ends);
        self.log.absorb(back.log);
        self.notes.extend(back.notes);
        self.recount();
    }

    /// Adds a line that only this screen is told, behind everything that is there.
    pub(crate) fn tell(&mut self, head: Seq, note: Note) {
        let seq = self.newest().map_or(head, |key| key.seq.max(head));
        let last = self.notes.range(Key::entry(seq)..=Key { seq, sub: u64::MAX }).next_back();
        let sub = last.map_or(1, |(key, _)| key.sub.saturating_add(1));
        self.bytes += note.text.len() + MESSAGE_BYTES;
        self.notes.insert(Key { seq, sub }, note);
    }

    /// The last of everything.
    pub(crate) fn newest(&self) -> Option<Key> {
        self.before(None).next().map(|(key, _)| key)
    }

    /// Where it begins: the message that the next older page is in front of.
    pub(crate) fn first_message(&self) -> Option<Seq> {
        let first = self.log.messages().next().map(|message| message.seq);
        first.into_iter().chain(self.begins).min()
    }

    /// Where it ends: the message that the next newer page is behind.
    pub(crate) fn last_message(&self) -> Option<Seq> {
        self.log.messages().next_back().map(|message| message.seq).max(self.ends)
    }

    /// Everything in front of a place, backwards; with no place everything.
    pub(crate) fn before(&self, key: Option<Key>) -> impl Iterator<Item = (Key, Item<'_>)> {
        let end = key.map_or(Bound::Unbounded, Bound::Excluded);
        let messages_end = match key {
            None => Bound::Unbounded,
            Some(Key { seq, sub: 0 }) => Bound::Excluded(seq),
            Some(Key { seq, .. }) => Bound::Included(seq),
        };
        let messages = self.log.range((Bound::Unbounded, messages_end)).rev().map(message_item);
        let notes = self.notes.range((Bound::Unbounded, end)).rev().map(note_item);
        merge(messages, notes, |one, other| one > other)
    }

    /// Everything behind a place.
    pub(crate) fn after(&self, key: Option<Key>) -> impl Iterator<Item = (Key, Item<'_>)> {
        let start = key.map_or(Bound::Unbounded, Bound::Excluded);
        let messages_start = key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.seq));
        let messages = self.log.range((messages_start, Bound::Unbounded)).map(message_item);
        let notes = self.notes.range((start, Bound::Unbounded)).map(note_item);
        merge(messages, notes, |one, other| one < other)
    }

    /// What stands at a place.
    pub(crate) fn get(&self, key: Key) -> Option<Item<'_>> {
        let message = if key.sub == 0 { self.log.get(key.seq).map(Item::Message) } else { None };
        message.or_else(|| self.notes.get(&key).map(Item::Note))
    }

    /// How much memory it takes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all but the newest messages.
    pub(crate) fn keep_newest(&mut self, count: usize) {
        if self.log.len() > count {
            (self.more_before, self.begins) = (true, None);
            self.log.keep_newest(count);
        }
        // Notes from before the first message that is kept would stand there without their neighbours.
        let first = match self.first_message() {
            Some(first) if self.more_before => Key::entry(first),
            _ => Key::default(),
        };
        self.notes = self.notes.split_off(&first);
        while self.notes.len() > count.max(1) {
            self.notes.pop_first();
        }
        self.recount();
    }

    /// Forgets all but the oldest messages.
    pub(crate) fn keep_oldest(&mut self, count: usize) {
        if self.log.len() > count {
            (self.more_after, self.ends) = (true, None);
            self.log.keep_oldest(count);
            if let Some(last) = self.last_message() {
                self.notes.split_off(&Key { seq: last, sub: u64::MAX });
            }
        }
        self.recount();
    }

    fn recount(&mut self) {
        let messages: usize = self.log.messages().map(size).sum();
        let notes: usize = self.notes.values().map(|note| note.text.len() + MESSAGE_BYTES).sum();
        self.bytes = messages + notes;
    }
}

fn size(message: &Message) -> usize {
    let reactions: usize = message
        .reactions
        .iter()
        .map(|reaction| reaction.emoji.len() + reaction.users.iter().map(|user| user.len() + 24).sum::<usize>() + 64)
        .sum();
    MESSAGE_BYTES + message.text.len() + message.json.as_str().len() + reactions
}

fn message_item(message: &Message) -> (Key, Item<'_>) {
    (Key::entry(message.seq), Item::Message(message))
}

fn note_item<'c>((key, note): (&Key, &'c Note)) -> (Key, Item<'c>) {
    (*key, Item::Note(note))
}

/// Two sorted sequences as one; `first` says which key comes first.
fn merge<'c>(
    one: impl Iterator<Item = (Key, Item<'c>)>,
    other: impl Iterator<Item = (Key, Item<'c>)>,
    first: impl Fn(Key, Key) -> bool,
) -> impl Iterator<Item = (Key, Item<'c>)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some((left, _)), Some((right, _))) if first(*left, *right) => one.next(),
        (Some(_), None) => one.next(),
        _ => other.next(),
    })
}
