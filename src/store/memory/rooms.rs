//! Rooms: what they are, who is in them, who is kept out.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::name::skeleton_of;
use crate::model::{Body, Epoch, Line, MemberChange, RoomChange, RoomId, RoomName, RoomRole, Seq, Settings, UserId};
use crate::store::memory::log::Logged;
use crate::store::memory::state::State;
use crate::store::{Ban, Created, NewRoom, Seat, Side, StoredMember, StoredMembership, StoredRoom};

/// A room.
pub(super) struct Room {
    name: RoomName,
    settings: Settings,
    epoch: Epoch,
    heir: Option<UserId>,
    sides: Option<[Side; 2]>,
    /// The first entry that is kept.
    pub(super) first: Seq,
    /// The entries that are kept.
    pub(super) log: Vec<Logged>,
    pub(super) members: BTreeMap<UserId, Member>,
    bans: BTreeMap<Box<str>, Ban>,
    mutes: BTreeMap<Box<str>, Ban>,
    pub(super) invited: BTreeSet<UserId>,
}

/// An account in a room.
pub(super) struct Member {
    role: RoomRole,
    joined: Seq,
    read: Seq,
    closed: Seq,
}

impl Member {
    fn new(role: RoomRole, joined: Seq) -> Member {
        Member { role, joined, read: joined, closed: Seq::ZERO }
    }
}

impl Room {
    /// The last entry.
    pub(super) fn head(&self) -> Seq {
        self.log.last().map_or(Seq::ZERO, |last| last.entry.seq)
    }

    /// What follows from an entry for what the room is and who is in it.
    pub(super) fn follow(&mut self, body: &Body, seq: Seq) {
        match body {
            Body::Topic { topic } => self.settings.topic = topic.clone(),
            Body::Room(change) => self.change(change),
            Body::Member { user, user_id, change, role, reason, until } => {
                let reason = reason.clone().filter(|reason| !reason.is_empty());
                let skeleton: Box<str> = skeleton_of(user).into();
                let ban = Ban { skeleton: skeleton.clone(), name: user.clone(), until: *until, reason };
                match change {
                    MemberChange::Ban => drop(self.bans.insert(skeleton, ban)),
                    MemberChange::Unban => drop(self.bans.remove(&skeleton)),
                    MemberChange::Mute => drop(self.mutes.insert(skeleton, ban)),
                    MemberChange::Unmute => drop(self.mutes.remove(&skeleton)),
                    _ => {}
                }
                if !user_id.is_guest() {
                    self.change_member(*user_id, *change, role.unwrap_or(RoomRole::Member), seq);
                }
            }
            _ => {}
        }
    }

    fn change(&mut self, change: &RoomChange) {
        self.settings.apply(change);
        if let Some(name) = &change.name {
            self.name = name.clone();
        }
    }

    fn change_member(&mut self, user: UserId, change: MemberChange, role: RoomRole, seq: Seq) {
        match change {
            MemberChange::Join => {
                self.invited.remove(&user);
                let owned = self.owns(user);
                self.members.entry(user).or_insert(Member::new(role, seq)).role = role;
                self.note_owner(user, owned);
            }
            MemberChange::Role => {
                let owned = self.owns(user);
                if let Some(member) = self.members.get_mut(&user) {
                    member.role = role;
                }
                self.note_owner(user, owned);
            }
            MemberChange::Leave | MemberChange::Kick => self.put_out(user),
            MemberChange::Ban => {
                self.invited.remove(&user);
                self.put_out(user);
            }
            MemberChange::Invite => {
                self.invited.insert(user);
            }
            MemberChange::Unban | MemberChange::Mute | MemberChange::Unmute => {}
        }
    }

    /// It is a member no more.
    pub(super) fn put_out(&mut self, user: UserId) {
        let owned = self.owns(user);
        self.members.remove(&user);
        self.note_owner(user, owned);
    }

    fn owns(&self, user: UserId) -> bool {
        self.members.get(&user).is_some_and(|member| member.role == RoomRole::Owner)
    }

    /// Keeps book of who owned the room last, after a change of somebody who owned it or did not.
    fn note_owner(&mut self, user: UserId, owned: bool) {
        if self.owns(user) {
            self.heir = None;
        } else if owned && !self.members.keys().any(|other| self.owns(*other)) {
            self.heir = Some(user);
        }
    }

    fn stored(&self, id: RoomId) -> StoredRoom {
        let seat = |(user, member): (&UserId, &Member)| Seat { user: *user, role: member.role, joined: member.joined };
        StoredRoom {
            id,
            name: self.name.clone(),
            settings: self.settings.clone(),
            epoch: self.epoch.clone(),
            first: self.first,
            head: self.head(),
            heir: self.heir,
            sides: self.sides.clone(),
            members: self.members.iter().map(seat).collect(),
            bans: self.bans.values().cloned().collect(),
            mutes: self.mutes.values().cloned().collect(),
            invited: self.invited.iter().copied().collect(),
        }
    }
}

impl State {
    pub(super) fn create_room(&mut self, new: &NewRoom) -> Created<RoomId> {
        if self.is_named(&new.name, None) {
            return Created::Taken;
        }
        self.last_room += 1;
        let id = RoomId(self.last_room);
        let owner = new.owner.map(|owner| (owner, RoomRole::Owner));
        let sides = new.sides.iter().flatten().map(|side| (side.user, RoomRole::Member));
        let mut members = BTreeMap::new();
        for (user, role) in owner.into_iter().chain(sides).filter(|(user, _)| !user.is_guest()) {
            members.entry(user).or_insert(Member::new(role, Seq::ZERO));
        }
        let room = Room {
            name: new.name.clone(),
            settings: Settings { kind: new.kind, topic: Line::trusted(new.topic.clone()), ..Settings::default() },
            epoch: new.epoch.clone(),
            heir: None,
            sides: new.sides.clone(),
            first: Seq(1),
            log: Vec::new(),
            members,
            bans: BTreeMap::new(),
            mutes: BTreeMap::new(),
            invited: BTreeSet::new(),
        };
        self.rooms.insert(id, room);
        Created::New(id)
    }

    /// Whether another room than this one has the name.
    pub(super) fn is_named(&self, name: &RoomName, but: Option<RoomId>) -> bool {
        self.rooms.iter().any(|(id, room)| room.name == *name && Some(*id) != but)
    }

    pub(super) fn delete_room(&mut self, id: RoomId) -> u64 {
        let Some(room) = self.rooms.remove(&id) else { return 0 };
        self.doomed += room.log.len() as u64;
        self.nonces.retain(|(_, room, _), _| *room != id);
        1
    }

    pub(super) fn erase(&mut self, most: u64) -> u64 {
        let erased = self.doomed.min(most);
        self.doomed -= erased;
        erased
    }

    pub(super) fn read(&mut self, user: UserId, room: RoomId, seq: Seq) -> u64 {
        let Some(room) = self.rooms.get_mut(&room) else { return 0 };
        let head = room.head();
        let Some(member) = room.members.get_mut(&user) else { return 0 };
        member.read = member.read.max(seq.min(head));
        member.read.0
    }

    pub(super) fn close(&mut self, user: UserId, room: RoomId, head: Seq) -> u64 {
        let Some(member) = self.rooms.get_mut(&room).and_then(|room| room.members.get_mut(&user)) else { return 0 };
        member.closed = head;
        1
    }

    pub(super) fn stored_rooms(&self) -> Vec<StoredRoom> {
        self.rooms.iter().map(|(id, room)| room.stored(*id)).collect()
    }

    pub(super) fn members(&self, room: RoomId, after: &str, limit: usize) -> Vec<StoredMember> {
        let Some(room) = self.rooms.get(&room) else { return Vec::new() };
        let named = |(user, member): (&UserId, &Member)| {
            let account = &self.accounts.get(user)?.account;
            Some(StoredMember { user: *user, name: account.name.clone(), role: member.role, seen: account.seen })
        };
        let mut members: Vec<StoredMember> = room.members.iter().filter_map(named).collect();
        members.retain(|member| member.name.folded() > after);
        members.sort_by(|a, b| a.name.folded().cmp(b.name.folded()));
        members.truncate(limit);
        members
    }

    pub(super) fn memberships(&self, user: UserId, blocked: &[UserId]) -> Vec<StoredMembership> {
        let not_by: Vec<UserId> = blocked.iter().copied().chain([user]).collect();
        let membership = |(id, room): (&RoomId, &Room)| {
            let member = room.members.get(&user)?;
            Some(StoredMembership {
                room: *id,
                role: member.role,
                read: member.read,
                unread: self.unread(*id, member.read, user, &not_by),
                closed: member.closed,
            })
        };
        self.rooms.iter().filter_map(membership).collect()
    }
}
