//! What holds for the server as a whole: its level, who is kept out, who wants to hear nothing of whom; and what was done.

use std::sync::Arc;

use crate::model::{Level, RoomId, UserId};
use crate::store::memory::state::State;
use crate::store::{Act, Blocked, Standing, Suspension};

impl State {
    pub(super) fn set_level(&mut self, level: Level) -> u64 {
        self.level = level;
        1
    }

    pub(super) fn suspend(&mut self, suspension: &Suspension) -> u64 {
        self.suspensions.insert(suspension.target.clone(), suspension.clone());
        1
    }

    pub(super) fn unsuspend(&mut self, target: &str) -> u64 {
        u64::from(self.suspensions.remove(target).is_some())
    }

    pub(super) fn block(&mut self, user: UserId, blocked: &Blocked) -> u64 {
        if !self.is_living(user) {
            return 0;
        }
        self.blocks.insert((user, blocked.user), Arc::clone(&blocked.name));
        1
    }

    pub(super) fn unblock(&mut self, user: UserId, blocked: UserId) -> u64 {
        u64::from(self.blocks.remove(&(user, blocked)).is_some())
    }

    pub(super) fn standing(&self) -> Standing {
        let block = |((user, blocked), name): (&(UserId, UserId), &Arc<str>)| {
            (*user, Blocked { user: *blocked, name: Arc::clone(name) })
        };
        Standing {
            level: self.level,
            suspensions: self.suspensions.values().cloned().collect(),
            blocks: self.blocks.iter().map(block).collect(),
        }
    }

    pub(super) fn acts(&self, room: Option<RoomId>, before: Option<u64>, limit: usize) -> Vec<(u64, Act)> {
        let numbered = (1_u64..).zip(&self.acts).filter(|(number, _)| before.is_none_or(|before| *number < before));
        let mut acts: Vec<_> = numbered.filter(|(_, act)| room.is_none() || act.room == room).collect();
        acts.reverse();
        acts.truncate(limit);
        acts.into_iter().map(|(number, act)| (number, act.clone())).collect()
    }
}
