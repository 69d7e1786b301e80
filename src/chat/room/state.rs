//! A room's rules: a plain struct and pure functions. No lock, no clock, no store.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Body, MemberChange, RoomRole, Seq, Settings, UserId};
use crate::protocol::Code;
use crate::store::Seat;

/// What a room is, as everything that was queued will leave it.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What its owners have decided.
    pub(crate) settings: Settings,
    /// The first entry that is kept.
    pub(crate) first: Seq,
    members: HashMap<UserId, Member>,
    online: u64,
}

/// Somebody who belongs to a room.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// What this member may do.
    pub(crate) role: RoomRole,
    /// A guest's name; accounts are looked up.
    pub(crate) guest: Option<Arc<str>>,
    online: bool,
}

/// How to take a change back whose commit failed.
#[derive(Debug)]
pub(crate) struct Undo {
    user: UserId,
    was: Option<Member>,
}

impl Undo {
    /// Whose membership it is about.
    pub(crate) fn is_of(&self, user: UserId) -> bool {
        self.user == user
    }
}

impl State {
    /// A room as it was stored: nobody is online yet.
    pub(crate) fn new(settings: Settings, first: Seq, accounts: impl Iterator<Item = Seat>) -> State {
        let member = |seat: Seat| (seat.user, Member { role: seat.role, guest: None, online: false });
        State { settings, first, members: accounts.map(member).collect(), online: 0 }
    }

    /// The role of a member.
    pub(crate) fn role(&self, user: UserId) -> Option<RoomRole> {
        self.members.get(&user).map(|member| member.role)
    }

    /// Whether somebody may say something here.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_speak(&self, user: UserId) -> Result<(), Code> {
        if self.members.contains_key(&user) { Ok(()) } else { Err(Code::NotAMember) }
    }

    /// How many members there are.
    pub(crate) fn members(&self) -> u64 {
        self.members.len() as u64
    }

    /// How many of them are online.
    pub(crate) fn online(&self) -> u64 {
        self.online
    }

    /// Whether a member is online.
    pub(crate) fn is_online(&self, user: UserId) -> bool {
        self.members.get(&user).is_some_and(|member| member.online)
    }

    /// The guests among the members.
    pub(crate) fn guests(&self) -> impl Iterator<Item = (UserId, &Arc<str>, RoomRole)> {
        self.members.iter().filter_map(|(user, member)| Some((*user, member.guest.as_ref()?, member.role)))
    }

    /// What an entry changes, and how to take it back. Most entries change nothing.
    pub(crate) fn apply(&mut self, body: &Body, online: bool) -> Option<Undo> {
        match body {
            Body::Member { user_id, change: MemberChange::Join, role, .. } => {
                let member = Member { role: role.unwrap_or(RoomRole::Member), guest: None, online };
                Some(Undo { user: *user_id, was: self.set(*user_id, Some(member)) })
            }
            Body::Member { user_id, change: MemberChange::Leave, .. } => {
                Some(Undo { user: *user_id, was: self.set(*user_id, None) })
            }
            _ => None,
        }
    }

    /// Takes a change back.
    pub(crate) fn undo(&mut self, undo: Undo) {
        self.set(undo.user, undo.was);
    }

    /// A guest, who is online, becomes a member. True if it was none.
    pub(crate) fn add_guest(&mut self, user: UserId, name: Arc<str>) -> bool {
        let member = Member { role: RoomRole::Member, guest: Some(name), online: true };
        !self.members.contains_key(&user) && self.set(user, Some(member)).is_none()
    }

    /// A guest is a member no more. True if it was one.
    pub(crate) fn remove_guest(&mut self, user: UserId) -> bool {
        self.set(user, None).is_some()
    }

    /// An account became its owner when it was made.
    pub(crate) fn add_owner(&mut self, user: UserId) {
        self.set(user, Some(Member { role: RoomRole::Owner, guest: None, online: true }));
    }

    /// A member came online or went offline. True if that is news.
    pub(crate) fn set_online(&mut self, user: UserId, online: bool) -> bool {
        let Some(member) = self.members.get_mut(&user) else { return false };
        if member.online == online {
            return false;
        }
        member.online = online;
        if online {
            self.online += 1
        } else {
            self.online -= 1
        }
        true
    }

    /// The one place where members change, so that the count of those online stays true.
    fn set(&mut self, user: UserId, member: Option<Member>) -> Option<Member> {
        let now = member.as_ref().is_some_and(|member| member.online);
        let was = match member {
            Some(member) => self.members.insert(user, member),
            None => self.members.remove(&user),
        };
        self.online += u64::from(now);
        self.online -= u64::from(was.as_ref().is_some_and(|member| member.online));
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(user: i64, change: MemberChange) -> Body {
        let role = (change == MemberChange::Join).then_some(RoomRole::Member);
        Body::Member { user: "u".into(), user_id: UserId(user), change, role, reason: None, until: None }
    }

    #[test]
    fn only_members_speak() {
        let mut state = State::default();
        assert_eq!(state.may_speak(UserId(7)), Err(Code::NotAMember));
        state.apply(&change(7, MemberChange::Join), true);
        assert_eq!(state.may_speak(UserId(7)), Ok(()));
        state.apply(&change(7, MemberChange::Leave), true);
        assert_eq!(state.may_speak(UserId(7)), Err(Code::NotAMember));
    }

    #[test]
    fn what_was_taken_back_was_never_there() {
        let mut state = State::new(
            Settings::default(),
            Seq(1),
            [Seat { user: UserId(1), role: RoomRole::Owner, joined: Seq::ZERO }].into_iter(),
        );
        let undos = [
            state.apply(&change(1, MemberChange::Leave), true),
            state.apply(&change(2, MemberChange::Join), true),
            state.apply(&change(2, MemberChange::Leave), true),
            state.apply(&change(1, MemberChange::Join), true),
        ];
        for undo in undos.into_iter().rev().flatten() {
            state.undo(undo);
        }
        assert_eq!(state.role(UserId(1)), Some(RoomRole::Owner));
        assert_eq!((state.role(UserId(2)), state.members(), state.online()), (None, 1, 0));
    }

    #[test]
    fn the_count_of_those_online_is_true() {
        let mut state = State::default();
        assert!(state.add_guest(UserId(-1), "g".into()));
        assert!(!state.add_guest(UserId(-1), "g".into()));
        state.apply(&change(1, MemberChange::Join), true);
        assert_eq!(state.online(), 2);
        assert!(state.set_online(UserId(1), false));
        assert!(!state.set_online(UserId(1), false));
        assert_eq!(state.online(), 1);
        assert!(state.remove_guest(UserId(-1)));
        assert!(!state.remove_guest(UserId(-1)));
        assert_eq!((state.online(), state.members()), (0, 1));
    }
}
