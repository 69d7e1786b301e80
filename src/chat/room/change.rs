//! How to take a change of a room's state back, when its commit has failed.

use crate::chat::room::state::{Barrier, Member};
use crate::model::{Line, Seq, Settings, UserId};

/// How to take a change back.
#[derive(Debug)]
pub(crate) struct Undo {
    /// Whom it is about.
    pub(super) user: Option<UserId>,
    /// What was before, in the order in which it was changed.
    pub(super) was: Vec<Was>,
}

/// What was before.
#[derive(Debug)]
pub(super) enum Was {
    Topic(Line),
    Settings(Box<Settings>),
    Heir(Option<UserId>),
    Member(UserId, Option<Member>),
    Invited(UserId, bool),
    Ban(Box<str>, Option<Barrier>),
    Mute(Box<str>, Option<Barrier>),
}

impl Undo {
    /// Of a change that is about nobody in particular.
    pub(super) fn of_room(was: Was) -> Undo {
        Undo { user: None, was: vec![was] }
    }

    /// Whom it is about.
    pub(crate) fn user(&self) -> Option<UserId> {
        self.user
    }

    /// A membership that was to be put back as one whose beginning was not known has one now.
    pub(super) fn joined(&mut self, user: UserId, seq: Seq) {
        for was in &mut self.was {
            if let Was::Member(member, Some(before)) = was
                && *member == user
            {
                before.joined.get_or_insert(seq);
            }
        }
    }

    /// Whether it is about that user.
    pub(crate) fn is_of(&self, user: UserId) -> bool {
        self.user == Some(user)
    }
}
