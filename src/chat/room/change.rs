//! What an entry changes about a room's state, and how to take that back when its commit has failed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::chat::room::state::{Barrier, Member, State};
use crate::model::name::skeleton_of;
use crate::model::{Body, Line, MemberChange, RoomRole, Seq, Settings, Time, UserId};

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

impl State {
    /// What an entry changes, and how to take it back. Most entries change nothing.
    pub(crate) fn apply(&mut self, author: UserId, time: Time, body: &Body, online: bool) -> Option<Undo> {
        match body {
            Body::Message(_) => {
                if self.settings.slow_mode_s > 0 {
                    self.spoke.insert(author, time);
                } else if !self.spoke.is_empty() {
                    self.spoke = HashMap::new();
                }
                None
            }
            Body::Topic { topic } => {
                let was = std::mem::replace(&mut self.settings.topic, topic.clone());
                Some(Undo::of_room(Was::Topic(was)))
            }
            Body::Room(change) => {
                let was = self.settings.clone();
                self.settings.apply(change);
                Some(Undo::of_room(Was::Settings(Box::new(was))))
            }
            Body::Member { user, user_id, change, role, reason, until } => {
                let barrier = || Barrier { name: Arc::clone(user), reason: reason.clone(), until: *until };
                Some(self.apply_to_member(*user_id, user, *change, *role, barrier, online))
            }
            _ => None,
        }
    }

    fn apply_to_member(
        &mut self,
        user: UserId,
        name: &str,
        change: MemberChange,
        role: Option<RoomRole>,
        barrier: impl Fn() -> Barrier,
        online: bool,
    ) -> Undo {
        let heir = self.heir;
        let skeleton = || skeleton_of(name).into_boxed_str();
        let mut was = vec![Was::Heir(heir)];
        match change {
            MemberChange::Join => {
                let role = role.unwrap_or(RoomRole::Member);
                if role == RoomRole::Owner {
                    self.heir = None;
                }
                was.push(Was::Invited(user, self.invited.remove(&user)));
                let member = Member { role, guest: None, joined: None, online };
                was.push(Was::Member(user, self.set(user, Some(member))));
            }
            MemberChange::Leave | MemberChange::Kick | MemberChange::Ban => {
                if self.is_last_owner(user) {
                    self.heir = Some(user);
                }
                was.push(Was::Member(user, self.set(user, None)));
                if change == MemberChange::Ban {
                    was.push(Was::Invited(user, self.invited.remove(&user)));
                    let skeleton = skeleton();
                    was.push(Was::Ban(skeleton.clone(), self.bans.insert(skeleton, barrier())));
                }
            }
            MemberChange::Unban => {
                let skeleton = skeleton();
                let ban = self.bans.remove(&skeleton);
                was.push(Was::Ban(skeleton, ban));
            }
            MemberChange::Mute => {
                let skeleton = skeleton();
                was.push(Was::Mute(skeleton.clone(), self.mutes.insert(skeleton, barrier())));
            }
            MemberChange::Unmute => {
                let skeleton = skeleton();
                let mute = self.mutes.remove(&skeleton);
                was.push(Was::Mute(skeleton, mute));
            }
            MemberChange::Invite => {
                let news = self.invited.insert(user);
                was.push(Was::Invited(user, !news));
            }
            MemberChange::Role => {
                let role = role.unwrap_or(RoomRole::Member);
                if role != RoomRole::Owner && self.is_last_owner(user) {
                    self.heir = Some(user);
                } else if role == RoomRole::Owner {
                    self.heir = None;
                }
                if let Some(member) = self.members.get(&user).cloned() {
                    was.push(Was::Member(user, self.set(user, Some(Member { role, ..member }))));
                }
            }
        }
        Undo { user: Some(user), was }
    }

    /// Takes a change back.
    pub(crate) fn undo(&mut self, undo: Undo) {
        for was in undo.was.into_iter().rev() {
            match was {
                Was::Topic(topic) => self.settings.topic = topic,
                Was::Settings(settings) => self.settings = *settings,
                Was::Heir(heir) => self.heir = heir,
                Was::Member(user, member) => drop(self.set(user, member)),
                Was::Invited(user, true) => drop(self.invited.insert(user)),
                Was::Invited(user, false) => drop(self.invited.remove(&user)),
                Was::Ban(skeleton, Some(ban)) => drop(self.bans.insert(skeleton, ban)),
                Was::Ban(skeleton, None) => drop(self.bans.remove(&skeleton)),
                Was::Mute(skeleton, Some(mute)) => drop(self.mutes.insert(skeleton, mute)),
                Was::Mute(skeleton, None) => drop(self.mutes.remove(&skeleton)),
            }
        }
    }
}
