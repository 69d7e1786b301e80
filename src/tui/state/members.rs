//! Who is in a room, as far as it was asked and told.

use std::collections::BTreeMap;

use crate::client::{NameLine, NamesPage, Presence, Status};
use crate::model::RoomRole;

/// No screen shows more, and no server makes us keep more.
const MAX_MEMBERS: usize = 2000;

/// The longest name that is kept; servers allow 32 characters.
pub(crate) const MAX_NAME_BYTES: usize = 512;

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) role: Option<RoomRole>,
    pub(crate) online: bool,
    pub(crate) away: bool,
    pub(crate) guest: bool,
}

/// Who is in a room.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// By the name in small letters, for names compare without case.
    list: BTreeMap<String, Member>,
    /// There are more than are listed.
    pub(crate) more: bool,
    /// They were asked for.
    pub(crate) asked: bool,
    /// They are asked for, and the answer has not come.
    pub(crate) asking: bool,
    /// They were asked for, and the answer has come.
    pub(crate) known: bool,
    /// Somebody came of whom nothing is known: ask again.
    pub(crate) stale: bool,
}

impl Members {
    /// The answer to the question who is there.
    pub(crate) fn set(&mut self, page: &NamesPage) {
        let names = page.names.iter().filter(|line| line.name.len() <= MAX_NAME_BYTES);
        self.list = names.take(MAX_MEMBERS).map(|line| (fold(&line.name), Member::of(line))).collect();
        self.more = page.more || page.names.len() > MAX_MEMBERS;
        self.known = true;
    }

    /// Somebody came, went, or is away. Says whether they are known here.
    pub(crate) fn present(&mut self, presence: &Presence) -> bool {
        let Some(member) = self.list.get_mut(&fold(&presence.user)) else { return false };
        if member.guest && !presence.online {
            // A guest who goes is no member any more.
            self.list.remove(&fold(&presence.user));
            return true;
        }
        member.online = presence.online;
        member.away = presence.status == Status::Away;
        true
    }

    /// Somebody has become a member, or something else.
    pub(crate) fn put(&mut self, name: &str, role: Option<RoomRole>) {
        let full = self.list.len() >= MAX_MEMBERS;
        match self.list.get_mut(&fold(name)) {
            Some(member) => member.role = role,
            None if full || name.len() > MAX_NAME_BYTES => self.more = true,
            None => {
                let member = Member { name: name.to_owned(), role, online: true, away: false, guest: false };
                self.list.insert(fold(name), member);
            }
        }
    }

    /// Somebody is a member no more.
    pub(crate) fn remove(&mut self, name: &str) {
        self.list.remove(&fold(name));
    }

    /// Everybody: those who are there first, by role and name.
    pub(crate) fn sorted(&self) -> Vec<&Member> {
        let mut all: Vec<&Member> = self.list.values().collect();
        all.sort_by_key(|member| (!member.online, member.role.map_or(3, rank)));
        all
    }

    /// How many are there, and how many there are.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.list.values().filter(|member| member.online).count(), self.list.len())
    }

    /// The names, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.values().map(|member| member.name.as_str())
    }
}

impl Member {
    fn of(line: &NameLine) -> Member {
        Member {
            name: line.name.clone(),
            role: RoomRole::parse(&line.role),
            online: line.online,
            away: line.status == Status::Away,
            guest: line.guest,
        }
    }

    /// What stands in front of the name: who keeps order here.
    pub(crate) fn sign(&self) -> char {
        match self.role {
            Some(RoomRole::Owner) => '~',
            Some(RoomRole::Moderator) => '%',
            _ => ' ',
        }
    }
}

fn rank(role: RoomRole) -> u8 {
    match role {
        RoomRole::Owner => 0,
        RoomRole::Moderator => 1,
        RoomRole::Member => 2,
    }
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}
