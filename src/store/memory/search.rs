//! The search: looks at every message.

use crate::model::{Body, Entry, RoomId, Seq};
use crate::store::memory::state::State;
use crate::store::page::Page;
use crate::store::{Hits, Most, Search};

impl State {
    pub(super) fn search(&self, search: &Search) -> Hits {
        let mut found: Vec<(u64, RoomId, &Entry)> = Vec::new();
        for (id, first) in &search.rooms {
            let log = self.rooms.get(id).map_or(&[][..], |room| &room.log);
            let wanted = log.iter().filter(|logged| is_hit(search, *first, &logged.entry));
            found.extend(wanted.map(|logged| (logged.number, *id, &logged.entry)));
        }
        found.retain(|(number, ..)| search.after.is_none_or(|after| *number < after));
        found.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
        found.dedup_by_key(|(number, ..)| *number);
        let mut page = Page::new(Most { entries: search.most.entries.max(1), ..search.most });
        let mut hits = Hits::default();
        let mut last = None;
        for (number, id, entry) in found {
            if !page.take(entry.clone()) {
                hits.next = last;
                break;
            }
            hits.hits.push((id, entry.clone()));
            last = Some(number);
        }
        hits
    }
}

fn is_hit(search: &Search, first: Seq, entry: &Entry) -> bool {
    let Body::Message(message) = &entry.body else { return false };
    let query = &search.query;
    !message.deleted
        && entry.seq >= first
        && search.before.is_none_or(|before| entry.seq < before)
        && query.from.as_ref().is_none_or(|from| from.to_lowercase() == entry.from.to_lowercase())
        && query.after.is_none_or(|after| entry.time >= after)
        && query.before.is_none_or(|before| entry.time < before)
        && query.matches(message.text.as_str())
}
