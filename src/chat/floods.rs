//! What users have left of what they may send, and what is remembered of that when they go, so that nobody gets more by
//! coming again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::chat::flood::Bucket;
use crate::chat::throttle::Origin;

/// Of how many guests who are gone this is remembered. When there are more, all of it is forgotten.
const MOST_GONE: usize = 10_000;

/// What a user has left of what it may send.
#[derive(Clone, Default)]
pub(crate) struct Floods {
    /// For what is said.
    pub(crate) talk: Bucket,
    /// For what changes a room or who is in it: each such change is an entry too.
    pub(crate) changes: Bucket,
    /// For everything else.
    pub(crate) other: Bucket,
    /// For asking whether something was said before.
    pub(crate) lookups: Bucket,
    /// For rooms that are made.
    pub(crate) creations: Bucket,
    /// For what reaches somebody who has not asked for it: direct conversations that are begun, invitations, reports.
    pub(crate) approaches: Bucket,
}

impl Floods {
    /// Whether nothing of it is spent, so that it need not be remembered.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        let Floods { talk, changes, other, lookups, creations, approaches } = self;
        [talk, changes, other, lookups, creations, approaches].iter().all(|bucket| bucket.is_full(now))
    }
}

/// What guests who are gone had left, by where they came from. A guest is another one after each login, so without this
/// each new connection would begin with full buckets. Whoever comes in takes over what one of them had left, and so many
/// who are there at once, behind one address, each have their own.
#[derive(Default)]
pub(crate) struct Gone {
    by_origin: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    floods: HashMap<Origin, Vec<Floods>>,
    count: usize,
}

impl Gone {
    /// A guest has gone from there.
    pub(crate) fn add(&self, origin: Origin, floods: Floods, now: Instant) {
        if floods.is_full(now) {
            return;
        }
        let mut table = self.by_origin.lock().unwrap_or_else(PoisonError::into_inner);
        if table.count >= MOST_GONE {
            table.forget_full(now);
        }
        if table.count >= MOST_GONE {
            // As many as no crowd of people is: forgetting is better than to search among them for ever.
            *table = Table::default();
        }
        table.floods.entry(origin).or_default().push(floods);
        table.count += 1;
    }

    /// What somebody who comes from there may send.
    pub(crate) fn take(&self, origin: Origin, now: Instant) -> Arc<Mutex<Floods>> {
        let mut table = self.by_origin.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut known) = table.floods.remove(&origin) else { return Arc::default() };
        let before = known.len();
        known.retain(|floods| !floods.is_full(now));
        let taken = known.pop();
        table.count -= before - known.len();
        if !known.is_empty() {
            table.floods.insert(origin, known);
        }
        Arc::new(Mutex::new(taken.unwrap_or_default()))
    }
}

impl Table {
    fn forget_full(&mut self, now: Instant) {
        self.floods.retain(|_, known| {
            known.retain(|floods| !floods.is_full(now));
            !known.is_empty()
        });
        self.count = self.floods.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::chat::flood::Rate;

    const RATE: Rate = Rate { tokens: 1, period: Duration::from_secs(1), burst: 2 };

    fn origin(last: u8) -> Origin {
        Origin::of([192, 0, 2, last].into())
    }

    fn spent(now: Instant) -> Floods {
        let mut floods = Floods::default();
        while floods.talk.take(RATE, now).is_ok() {}
        floods
    }

    fn may_talk(floods: &Mutex<Floods>, now: Instant) -> bool {
        floods.lock().unwrap().talk.take(RATE, now).is_ok()
    }

    #[test]
    fn who_comes_again_has_what_was_left_and_others_have_all() {
        let (gone, now) = (Gone::default(), Instant::now());
        gone.add(origin(1), spent(now), now);
        assert!(may_talk(&gone.take(origin(2), now), now), "from elsewhere");
        assert!(!may_talk(&gone.take(origin(1), now), now));
        assert!(may_talk(&gone.take(origin(1), now), now), "a second one, while the first is there");
        gone.add(origin(1), spent(now), now);
        assert!(may_talk(&gone.take(origin(1), now + Duration::from_secs(2)), now), "it has filled up meanwhile");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_counted() {
        let (gone, now) = (Gone::default(), Instant::now());
        for n in 0..=MOST_GONE {
            gone.add(origin(n as u8), spent(now), now);
        }
        assert_eq!(gone.by_origin.lock().unwrap().count, 1);
        for _ in 1..MOST_GONE {
            gone.add(origin(1), spent(now), now);
        }
        let later = now + Duration::from_secs(60);
        gone.add(origin(2), spent(later), later);
        let table = gone.by_origin.lock().unwrap();
        assert_eq!((table.count, table.floods.len()), (1, 1), "what has filled up is forgotten first");
    }
}
