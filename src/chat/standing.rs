//! What holds for the server as a whole: how far it is closed, who is kept out, and who wants to hear nothing of whom.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::chat::online::Person;
use crate::model::{Level, ServerRole, UserId};
use crate::protocol::{Code, Refusal};
use crate::store::{self, Blocked, Suspension};

/// What holds for the server as a whole. Kept in memory; the store has it for the next start.
#[derive(Default)]
pub(crate) struct Standing {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    level: Level,
    /// By what they keep out; see [`Suspension::target`].
    suspensions: HashMap<Box<str>, Suspension>,
    blocks: HashMap<UserId, Vec<Blocked>>,
}

impl Standing {
    /// Takes over what was stored.
    pub(crate) fn load(&self, stored: store::Standing) {
        let mut table = self.table_mut();
        table.level = stored.level;
        table.suspensions = stored.suspensions.into_iter().map(|one| (one.target.clone(), one)).collect();
        for (user, blocked) in stored.blocks {
            table.blocks.entry(user).or_default().push(blocked);
        }
    }

    /// How far the server is closed.
    pub(crate) fn level(&self) -> Level {
        self.table().level
    }

    /// Closes the server so far.
    pub(crate) fn set_level(&self, level: Level) {
        self.table_mut().level = level;
    }

    /// Whether the server is closed so far for somebody.
    ///
    /// # Errors
    /// `forbidden`
    pub(crate) fn open_below(&self, level: Level, person: &Person) -> Result<(), Refusal> {
        if self.level() < level || person.role() == ServerRole::Admin { Ok(()) } else { Err(Code::Forbidden.into()) }
    }

    /// Whether a user wants to hear nothing of another.
    pub(crate) fn is_blocked(&self, user: UserId, other: UserId) -> bool {
        let table = self.table();
        table.blocks.get(&user).is_some_and(|blocked| blocked.iter().any(|blocked| blocked.user == other))
    }

    /// Of whom a user wants to hear nothing.
    pub(crate) fn blocked_by(&self, user: UserId) -> Vec<Blocked> {
        self.table().blocks.get(&user).cloned().unwrap_or_default()
    }

    /// Whose messages do not count for a user: its own, and of whom it wants to hear nothing.
    pub(crate) fn not_counted(&self, user: UserId) -> Vec<UserId> {
        let mut users = vec![user];
        users.extend(self.table().blocks.get(&user).into_iter().flatten().map(|blocked| blocked.user));
        users
    }

    /// A user wants to hear nothing of another.
    pub(crate) fn block(&self, user: UserId, blocked: Blocked) {
        let mut table = self.table_mut();
        let known = table.blocks.entry(user).or_default();
        known.retain(|known| known.user != blocked.user);
        known.push(blocked);
    }

    /// A user wants to hear of another again. False if it did.
    pub(crate) fn unblock(&self, user: UserId, other: UserId) -> bool {
        let mut table = self.table_mut();
        let Some(known) = table.blocks.get_mut(&user) else { return false };
        let before = known.len();
        known.retain(|known| known.user != other);
        let after = known.len();
        if after == 0 {
            table.blocks.remove(&user);
        }
        after < before
    }

    /// Nobody needs to know any more of whom a user wants to hear nothing.
    pub(crate) fn forget(&self, user: UserId) {
        self.table_mut().blocks.remove(&user);
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}
