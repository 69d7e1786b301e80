//! The open connections, so that they can be told to end; and those among them in which nobody is logged in, of which
//! there may be only so many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::server::bridge::Link;

/// The open connections.
#[derive(Default)]
pub(super) struct Connections {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    all: BTreeMap<u64, Weak<Link>>,
    /// Nobody is logged in there. Oldest first, for numbers only rise.
    strangers: BTreeMap<u64, Weak<Link>>,
    last: u64,
    closed: bool,
}

/// A connection's place among the others; given back when dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    logged_in: bool,
}

/// Why there is no place for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// Too many in which nobody is logged in, and none of them can make room.
    Strangers,
    /// The server is stopping.
    Closed,
}

impl Connections {
    /// Adds a connection in which nobody is logged in yet. Where there are too many of those, the oldest that nobody
    /// misses makes room.
    pub(super) fn add(self: &Arc<Connections>, link: &Arc<Link>, most_strangers: usize) -> Result<Place, NoPlace> {
        let mut table = self.table();
        if table.closed {
            return Err(NoPlace::Closed);
        }
        let mut evicted = None;
        if most_strangers > 0 && table.strangers.len() >= most_strangers {
            let candidates = table.strangers.iter().filter_map(|(number, link)| Some((*number, link.upgrade()?)));
            let (number, oldest) =
                candidates.into_iter().find(|(_, link)| link.may_make_room()).ok_or(NoPlace::Strangers)?;
            table.strangers.remove(&number);
            evicted = Some(oldest);
        }
        table.last += 1;
        let number = table.last;
        table.all.insert(number, Arc::downgrade(link));
        table.strangers.insert(number, Arc::downgrade(link));
        drop(table);
        if let Some(link) = evicted {
            link.make_room();
        }
        Ok(Place { connections: Arc::clone(self), number, logged_in: false })
    }

    /// Takes no more connections, and returns those that there are.
    pub(super) fn close(&self) -> Vec<Arc<Link>> {
        let mut table = self.table();
        table.closed = true;
        table.all.values().filter_map(Weak::upgrade).collect()
    }

    /// Those that there are.
    pub(super) fn all(&self) -> Vec<Arc<Link>> {
        self.table().all.values().filter_map(Weak::upgrade).collect()
    }

    /// How many there are, and in how many of them nobody is logged in.
    pub(super) fn count(&self) -> (usize, usize) {
        let table = self.table();
        (table.all.len(), table.strangers.len())
    }

    /// Those that there are, but no more than so many.
    pub(super) fn some(&self, most: usize) -> Vec<Arc<Link>> {
        self.table().all.values().filter_map(Weak::upgrade).take(most).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Somebody has logged in, or out. True if that is news.
    pub(super) fn set_logged_in(&mut self, logged_in: bool) -> bool {
        if self.logged_in == logged_in {
            return false;
        }
        self.logged_in = logged_in;
        let mut table = self.connections.table();
        if logged_in {
            table.strangers.remove(&self.number);
        } else if let Some(link) = table.all.get(&self.number).cloned() {
            table.strangers.insert(self.number, link);
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.table();
        table.all.remove(&self.number);
        table.strangers.remove(&self.number);
    }
}
