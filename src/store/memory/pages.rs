//! Reading a log: entries as they are in it, and pages of messages with what others think of them.

use std::sync::Arc;

use crate::model::{Anchor, Body, Entry, Reaction, RoomId, Seq, Time, UserId};
use crate::store::memory::log::Logged;
use crate::store::memory::state::State;
use crate::store::page::{Page, around};
use crate::store::{Most, StoredPage};

impl State {
    fn log(&self, room: RoomId) -> &[Logged] {
        self.rooms.get(&room).map_or(&[], |room| &room.log)
    }

    pub(super) fn entries(&self, room: RoomId, after: Seq, up_to: Seq, most: Most) -> Vec<Entry> {
        let mut page = Page::new(Most { entries: most.entries.max(1), ..most });
        let mut wanted = self.log(room).iter().map(|logged| &logged.entry);
        while wanted
            .by_ref()
            .find(|entry| entry.seq > after && entry.seq <= up_to)
            .is_some_and(|entry| page.take(entry.clone()))
        {}
        page.entries
    }

    pub(super) fn messages(&self, room: RoomId, anchor: Anchor, first: Seq, most: Most) -> StoredPage {
        let log = self.log(room);
        let shown = log.partition_point(|logged| logged.entry.seq < first);
        let page = page(&log[shown..], anchor, Most { entries: most.entries.max(1), ..most });
        StoredPage { messages: page.entries, more: page.more }
    }

    pub(super) fn posted(&self, author: UserId, room: RoomId, nonce: &str) -> Option<(Seq, Time)> {
        self.nonces.get(&(author, room, nonce.into())).copied()
    }

    pub(super) fn first_since(&self, room: RoomId, time: Time) -> Seq {
        let log = self.log(room);
        let behind = log.last().map_or(Seq(1), |last| last.entry.seq.next());
        log.iter().map(|logged| &logged.entry).find(|entry| entry.time >= time).map_or(behind, |entry| entry.seq)
    }
}

/// A page of messages among the entries that may be shown.
fn page(log: &[Logged], anchor: Anchor, most: Most) -> Page {
    let messages = || log.iter().filter(|logged| matches!(logged.entry.body, Body::Message(_)));
    let up_to = |last: Seq, most| {
        let mut page = Page::new(most);
        let mut older = messages().rev().filter(|logged| logged.entry.seq <= last);
        while older.next().is_some_and(|logged| page.take(shown(logged))) {}
        page.entries.reverse();
        page
    };
    let behind = |seq: Seq, most| {
        let mut page = Page::new(most);
        let mut newer = messages().filter(|logged| logged.entry.seq > seq);
        while newer.next().is_some_and(|logged| page.take(shown(logged))) {}
        page
    };
    match anchor {
        Anchor::Newest => up_to(Seq(u64::MAX), most),
        Anchor::Before(seq) => up_to(seq.before(), most),
        Anchor::After(seq) => behind(seq, most),
        Anchor::Around(seq) => around(up_to(seq, most), behind(seq, most), most),
    }
}

/// A message with the reactions to it.
fn shown(logged: &Logged) -> Entry {
    let mut reactions: Vec<Reaction> = Vec::new();
    for reacted in &logged.reactions {
        let reaction = match reactions.iter_mut().find(|reaction| reaction.emoji == reacted.emoji) {
            Some(reaction) => reaction,
            None => {
                reactions.push(Reaction { emoji: reacted.emoji.clone(), users: Vec::new(), count: 0 });
                reactions.last_mut().unwrap_or_else(|| unreachable!("just pushed"))
            }
        };
        reaction.count += 1;
        if reaction.users.len() < Reaction::MOST_NAMED {
            reaction.users.push(Arc::clone(&reacted.name));
        }
    }
    let mut entry = logged.entry.clone();
    if let Body::Message(message) = &mut entry.body {
        message.reactions = reactions.into();
    }
    entry
}
