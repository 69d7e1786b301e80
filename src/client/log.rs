//! What a room's log says, put together from pages of history and from events. Pure.
//!
//! An entry may come twice (a page overlaps with the events, a program begins anew behind an entry that it had seen), and
//! a replayed one shows what is left of it, not what it was. Everybody must end with the same picture all the same, so for
//! each message it is kept up to which entry its text and its reactions are told: what is older changes nothing.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use super::answer::{Message, Page, Reaction};
use super::event::{Delete, Edit, Event, React};
use crate::model::Seq;

/// The most reactions that are kept of one message, and the most names of each: more are counted, and a server that makes
/// things up does not fill the memory.
const MAX_REACTIONS: usize = 100;
const MAX_REACTING: usize = 100;

/// The messages of one room, as they are by now: edits, deletions and reactions are applied to them, and applying
/// something again changes nothing. Whom a message mentions is what was told with it: an edit does not say it anew.
///
/// ```no_run
/// # async fn run(me: snakk::Client) -> Result<(), snakk::client::ClientError> {
/// use snakk::client::{HistoryQuery, Log};
///
/// let mut events = me.events();
/// me.join("lobby").await?;
/// let mut log = Log::new("lobby");
/// log.add(&me.history("lobby", HistoryQuery::default()).await?);
/// while let Some(event) = events.next().await {
///     if let Some(seq) = log.apply(&event) {
///         println!("{:?}", log.get(seq));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Log {
    room: String,
    messages: BTreeMap<Seq, Kept>,
}

/// A message, and up to which entry it is told.
#[derive(Clone, Debug)]
struct Kept {
    message: Message,
    text: Seq,
    reactions: Seq,
}

impl Log {
    /// Nothing of a room yet.
    pub fn new(room: impl Into<String>) -> Log {
        Log { room: room.into(), messages: BTreeMap::new() }
    }

    /// The room. It may get another name by [`apply`](Log::apply).
    pub fn room(&self) -> &str {
        &self.room
    }

    /// The messages, oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.values().map(|kept| &kept.message)
    }

    /// The messages of a part of the log, oldest first.
    pub fn range(&self, seqs: impl RangeBounds<Seq>) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.range(seqs).map(|(_, kept)| &kept.message)
    }

    /// The message of that number.
    pub fn get(&self, seq: Seq) -> Option<&Message> {
        self.messages.get(&seq).map(|kept| &kept.message)
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes in a page of the room's history, which is told up to its [`head`](Page::head).
    pub fn add(&mut self, page: &Page) {
        for message in &page.messages {
            self.put(message, page.head.max(message.seq), page.head.max(message.seq));
        }
    }

    /// Takes in what happened. Says which message is new or another one now; what happened elsewhere changes nothing.
    ///
    /// After [`RoomResumed::reset`](super::RoomResumed::reset) the log is void: [`clear`](Log::clear) it.
    pub fn apply(&mut self, event: &Event) -> Option<Seq> {
        if let Event::Room(change) = event
            && let (Some(name), Some(was)) = (&change.name, &change.was)
            && *was == self.room
        {
            self.room.clone_from(name);
        }
        if let Event::Resumed(rooms) = event {
            if let Some(room) = rooms.iter().find(|room| room.was.as_ref() == Some(&self.room)) {
                self.room.clone_from(&room.room);
            }
            return None;
        }
        if event.entry().is_none_or(|(room, _)| *room != self.room) {
            return None;
        }
        match event {
            // Its reactions are entries of their own, which come yet or have come.
            Event::Message(message) => self.put(message, message.seq, Seq::ZERO).then_some(message.seq),
            Event::Edit(edit) => self.edit(edit),
            Event::Delete(delete) => self.delete(delete),
            Event::React(react) => self.react(react),
            _ => None,
        }
    }

    /// The room has another name, of which no event told.
    pub fn rename(&mut self, room: impl Into<String>) {
        self.room = room.into();
    }

    /// Takes in what another log of the same room has.
    pub fn absorb(&mut self, other: Log) {
        for kept in other.messages.into_values() {
            self.put(&kept.message, kept.text, kept.reactions);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.messages.clear();
    }

    /// Forgets all but the newest messages.
    pub fn keep_newest(&mut self, count: usize) {
        while self.messages.len() > count {
            self.messages.pop_first();
        }
    }

    /// Forgets all but the oldest messages, for whoever reads far back.
    pub fn keep_oldest(&mut self, count: usize) {
        while self.messages.len() > count {
            self.messages.pop_last();
        }
    }

    /// Takes in a message whose text and reactions are told up to those entries.
    fn put(&mut self, message: &Message, text: Seq, reactions: Seq) -> bool {
        let Some(kept) = self.messages.get_mut(&message.seq) else {
            let mut message = message.clone();
            if message.deleted {
                empty(&mut message);
            }
            self.messages.insert(message.seq, Kept { message, text, reactions });
            return true;
        };
        let mut changed = false;
        if message.deleted {
            changed = !kept.message.deleted;
            empty(&mut kept.message);
        }
        if kept.message.deleted {
            return changed;
        }
        // By time first, for an event does not say which of its edits it shows; edits in the same moment follow as entries.
        if message.edited > kept.message.edited || (message.edited == kept.message.edited && text > kept.text) {
            changed |= message.text != kept.message.text;
            kept.message.text.clone_from(&message.text);
            kept.message.mentions.clone_from(&message.mentions);
            kept.message.edited = message.edited;
        }
        kept.text = kept.text.max(text);
        if reactions > kept.reactions {
            changed |= message.reactions != kept.message.reactions;
            kept.message.reactions.clone_from(&message.reactions);
            kept.reactions = reactions;
        }
        changed
    }

    fn edit(&mut self, edit: &Edit) -> Option<Seq> {
        let kept = self.messages.get_mut(&edit.target)?;
        let text = edit.text.as_ref()?;
        let is_old = edit.seq <= kept.text || kept.message.edited.is_some_and(|shown| shown > edit.time);
        if kept.message.deleted || is_old {
            return None;
        }
        kept.text = edit.seq;
        kept.message.text.clone_from(text);
        kept.message.edited = Some(edit.time);
        Some(edit.target)
    }

    fn delete(&mut self, delete: &Delete) -> Option<Seq> {
        let kept = self.messages.get_mut(&delete.target).filter(|kept| !kept.message.deleted)?;
        empty(&mut kept.message);
        Some(delete.target)
    }

    fn react(&mut self, react: &React) -> Option<Seq> {
        let kept = self.messages.get_mut(&react.target)?;
        if kept.message.deleted || react.seq <= kept.reactions {
            return None;
        }
        kept.reactions = react.seq;
        let all = &mut kept.message.reactions;
        let full = all.len() >= MAX_REACTIONS;
        let at = all.iter().position(|reaction| reaction.emoji == react.emoji);
        match (at.and_then(|at| all.get_mut(at)), react.remove) {
            (Some(reaction), false) => {
                if !reaction.users.contains(&react.from) {
                    if reaction.users.len() < MAX_REACTING {
                        reaction.users.push(react.from.clone());
                    }
                    reaction.count = reaction.count.saturating_add(1);
                }
            }
            (Some(reaction), true) => {
                // Somebody who is not named is one of those who are only counted, if there are any.
                let (named, before) = (u64::try_from(reaction.users.len()).unwrap_or(u64::MAX), reaction.users.len());
                reaction.users.retain(|user| *user != react.from);
                if reaction.users.len() < before || reaction.count > named {
                    reaction.count = reaction.count.saturating_sub(1);
                }
                all.retain(|reaction| reaction.count > 0);
            }
            (None, false) if full => return None,
            (None, false) => {
                all.push(Reaction { emoji: react.emoji.clone(), count: 1, users: vec![react.from.clone()] });
            }
            (None, true) => return None,
        }
        Some(react.target)
    }
}

/// What is left of a message that was taken back.
fn empty(message: &mut Message) {
    message.deleted = true;
    message.text.clear();
    message.edited = None;
    message.mentions.clear();
    message.reactions.clear();
}

#[cfg(test)]
mod tests;
