//! Writing a log: what is added to it, what that does to older entries, and what is cut off.

use std::sync::Arc;

use crate::model::{Body, Entry, Line, Message, Reaction, RoomId, Seq, Text, Time, UserId};
use crate::store::batch::Fate;
use crate::store::memory::rooms::Room;
use crate::store::memory::state::State;
use crate::store::{Append, Reach, Unmet};

/// One entry, as later ones have left it.
pub(super) struct Logged {
    pub(super) entry: Entry,
    /// Its number among the entries of all rooms.
    pub(super) number: u64,
    /// The accounts that a message mentions.
    pub(super) mentioned: Vec<UserId>,
    /// The reactions to a message, in the order in which they came.
    pub(super) reactions: Vec<Reacted>,
}

/// That somebody reacted to a message.
pub(super) struct Reacted {
    pub(super) emoji: Line,
    user: UserId,
    pub(super) name: Arc<str>,
    /// The entry by which it did.
    seq: Seq,
    time: Time,
}

impl Logged {
    fn message(&mut self) -> Option<&mut Message> {
        match &mut self.entry.body {
            Body::Message(message) => Some(message),
            _ => None,
        }
    }
}

impl Room {
    /// A message that is there, was not deleted, and is within reach.
    fn target(&mut self, seq: Seq, reach: Reach) -> Result<&mut Logged, Fate> {
        let within = |logged: &&mut Logged| logged.entry.seq == seq && seq >= reach.first;
        let there = |logged: &&mut Logged| matches!(&logged.entry.body, Body::Message(message) if !message.deleted);
        self.log.iter_mut().find(within).filter(there).ok_or(Fate::Unmet(Unmet::NoTarget))
    }

    /// Whether an entry may be about what it is about; otherwise what becomes of it.
    fn check(&mut self, append: &Append) -> Result<(), Fate> {
        match &append.body {
            Body::Message(Message { reply_to: Some(seq), .. }) => self.target(*seq, append.reach).map(|_| ()),
            Body::Edit { target, .. } => match self.target(*target, append.reach)? {
                message if message.entry.author == append.author => Ok(()),
                _ => Err(Fate::Unmet(Unmet::NotYours)),
            },
            Body::Delete { target, .. } => match self.target(*target, append.reach)? {
                message if message.entry.author == append.author || append.reach.others => Ok(()),
                _ => Err(Fate::Unmet(Unmet::NotYours)),
            },
            Body::React { target, emoji, remove } => {
                let reactions = &self.target(*target, append.reach)?.reactions;
                let same = |reacted: &&Reacted| reacted.user == append.author && reacted.emoji == *emoji;
                match (reactions.iter().find(same), remove) {
                    (Some(first), false) => Err(Fate::Duplicate(first.seq, first.time)),
                    (None, true) => Err(Fate::Unmet(Unmet::NoTarget)),
                    (Some(_), true) => Ok(()),
                    (None, false) => {
                        let mut kinds: Vec<&str> = reactions.iter().map(|reacted| reacted.emoji.as_str()).collect();
                        kinds.sort_unstable();
                        kinds.dedup();
                        let full = kinds.len() >= Reaction::MOST_KINDS && !kinds.contains(&emoji.as_str());
                        if full { Err(Fate::Unmet(Unmet::Full)) } else { Ok(()) }
                    }
                }
            }
            _ => Ok(()),
        }
    }

    /// What follows from an entry for the message that it is about, and whom that mentions from then on.
    fn change_target(&mut self, entry: &Entry, users: &[UserId], names: &[Arc<str>]) {
        let (Body::Edit { target, .. } | Body::Delete { target, .. } | Body::React { target, .. }) = &entry.body else {
            return;
        };
        let changed = *target;
        if matches!(entry.body, Body::Edit { .. } | Body::Delete { .. }) {
            // Only the newest text is kept.
            for older in &mut self.log {
                match &mut older.entry.body {
                    Body::Edit { target, text } if *target == changed => *text = None,
                    _ => {}
                }
            }
        }
        let Some(logged) = self.log.iter_mut().find(|logged| logged.entry.seq == changed) else { return };
        match &entry.body {
            Body::Edit { text: Some(text), .. } => {
                logged.mentioned = users.to_vec();
                if let Some(message) = logged.message() {
                    message.text = text.clone();
                    message.edited = Some(entry.time);
                    message.mentions = names.into();
                }
            }
            Body::Delete { .. } => {
                logged.reactions.clear();
                logged.mentioned.clear();
                if let Some(message) = logged.message() {
                    message.text = Text::trusted("");
                    message.mentions = Box::default();
                    message.deleted = true;
                }
            }
            Body::React { emoji, remove: false, .. } => logged.reactions.push(Reacted {
                emoji: emoji.clone(),
                user: entry.author,
                name: Arc::clone(&entry.from),
                seq: entry.seq,
                time: entry.time,
            }),
            Body::React { emoji, .. } => {
                logged.reactions.retain(|reacted| reacted.user != entry.author || reacted.emoji != *emoji);
            }
            _ => {}
        }
    }
}

impl State {
    /// Adds an entry and what follows from it; none where there is no such room.
    pub(super) fn append(&mut self, append: &Append) -> Option<Fate> {
        let posted = append.nonce.as_ref().and_then(|nonce| self.posted(append.author, append.room, nonce));
        let mentioned = self.mentioned(append);
        // The rules do not let this happen; see `room_changed` of the other store.
        let taken = match &append.body {
            Body::Room(change) => change.name.as_ref().is_some_and(|name| self.is_named(name, Some(append.room))),
            _ => false,
        };
        let room = self.rooms.get_mut(&append.room)?;
        if let Some((seq, time)) = posted {
            return Some(Fate::Duplicate(seq, time));
        }
        if let Err(fate) = room.check(append) {
            if let (Fate::Duplicate(seq, time), Some(nonce)) = (&fate, &append.nonce) {
                self.nonces.insert((append.author, append.room, nonce.clone()), (*seq, *time));
            }
            return Some(fate);
        }
        let last = room.log.last().map(|last| &last.entry);
        let seq = last.map_or(Seq(1), |last| last.seq.next());
        let time = last.map_or(append.time, |last| append.time.max(last.time));
        if let Some(nonce) = &append.nonce {
            self.nonces.insert((append.author, append.room, nonce.clone()), (seq, time));
        }
        let names: Box<[Arc<str>]> = mentioned.iter().map(|(_, name)| Arc::clone(name)).collect();
        let mut body = append.body.clone();
        let is_message = matches!(body, Body::Message(_));
        if let Body::Message(message) = &mut body {
            message.mentions = names.clone();
        }
        // What people do to their own messages is nobody's business.
        let own = match &append.body {
            Body::Delete { target, .. } => {
                room.target(*target, append.reach).is_ok_and(|m| m.entry.author == append.author)
            }
            _ => false,
        };
        let entry = Entry { seq, time, author: append.author, from: Arc::clone(&append.from), body };
        let users: Vec<UserId> = mentioned.into_iter().map(|(user, _)| user).collect();
        room.change_target(&entry, &users, &names);
        match entry.body.clone() {
            Body::Room(mut change) => {
                change.name = change.name.filter(|_| !taken);
                room.follow(&Body::Room(change), seq);
            }
            body => room.follow(&body, seq),
        }
        self.logged += 1;
        let mentioned = if is_message { users } else { Vec::new() };
        room.log.push(Logged { entry, number: self.logged, mentioned, reactions: Vec::new() });
        self.acts.extend(append.act.as_deref().filter(|_| !own).cloned());
        Some(Fate::Appended(seq, time, names))
    }

    /// The members whom a message or an edit mentions, but for its author, in the order given.
    fn mentioned(&self, append: &Append) -> Vec<(UserId, Arc<str>)> {
        let Some(room) = self.rooms.get(&append.room) else { return Vec::new() };
        let mut mentioned: Vec<(UserId, Arc<str>)> = Vec::new();
        for folded in &append.mentions {
            let Some(account) = self.account(folded) else { continue };
            let is_new = mentioned.iter().all(|(user, _)| *user != account.id);
            if is_new && room.members.contains_key(&account.id) && account.id != append.author {
                mentioned.push((account.id, account.name.shared()));
            }
        }
        mentioned
    }

    /// Cuts off what stands in front of an entry, step by step; answers the first that is kept.
    pub(super) fn cut(&mut self, room: RoomId, first: Seq, most: u64) -> u64 {
        let Some(room) = self.rooms.get_mut(&room) else { return 0 };
        let wanted = first.0.min(room.head().0).min(room.first.0.saturating_add(most));
        room.first = Seq(wanted.max(room.first.0));
        let kept = room.first;
        room.log.retain(|logged| logged.entry.seq >= kept);
        for logged in &mut room.log {
            match &mut logged.entry.body {
                // What a message said is gone with it, also where an edit said it.
                Body::Edit { target, text } if *target < kept => *text = None,
                _ => {}
            }
        }
        kept.0
    }
}
