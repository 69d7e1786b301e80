//! Who may do what, as simply as it can be said: sets, maps, and no thought of time or place.

use std::collections::{BTreeMap, BTreeSet};

use super::{DIRECT, Deed, LEVELS, LOOKS, VERBS};

/// Everybody: five accounts, an admin, two guests.
pub(crate) const PEOPLE: usize = 8;
/// The admin.
pub(crate) const ADMIN: usize = 5;
/// The guests.
pub(crate) const GUESTS: [usize; 2] = [6, 7];
/// A name that nobody has.
pub(crate) const NOBODY: usize = PEOPLE;
/// How many rooms there may be.
pub(crate) const ROOMS: usize = 3;
/// Their kinds.
pub(crate) const KINDS: [&str; 3] = ["public", "announce", "private"];

/// What is expected of an answer.
pub(crate) struct Said {
    pub(crate) code: &'static str,
    pub(crate) seq: Option<u64>,
    pub(crate) messages: Vec<u64>,
}

/// A refusal, by its code.
type No = &'static str;

const MEMBER: u8 = 1;
const MODERATOR: u8 = 2;
const OWNER: u8 = 3;
const ABOVE_ALL: u8 = 4;

struct Room {
    kind: &'static str,
    joined_only: bool,
    head: u64,
    /// The role, and the first entry of the membership.
    members: BTreeMap<usize, (u8, u64)>,
    invited: BTreeSet<usize>,
    /// Until when.
    bans: BTreeMap<usize, Option<i64>>,
    mutes: BTreeMap<usize, Option<i64>>,
    /// Who owned it last, where nobody does.
    heir: Option<usize>,
    /// Who said it, by its number; what was taken back is no message any more.
    messages: BTreeMap<u64, usize>,
    taken_back: BTreeSet<u64>,
    reactions: BTreeMap<(u64, usize), u64>,
}

#[derive(Default)]
pub(crate) struct Model {
    rooms: BTreeMap<usize, Room>,
    /// The messages of each conversation, by the two who have it.
    direct: BTreeMap<(usize, usize), Vec<usize>>,
    /// Who blocked whom.
    blocks: BTreeSet<(usize, usize)>,
    level: usize,
    guests_are_out: bool,
    now: i64,
}

/// The room that a deed is about.
pub(crate) fn room_of(deed: &Deed) -> Option<usize> {
    match deed {
        Deed::Create { room, .. }
        | Deed::Join { room }
        | Deed::Resume { room }
        | Deed::Leave { room }
        | Deed::Unfollow { room }
        | Deed::Moderate { room, .. }
        | Deed::Role { room, .. }
        | Deed::Kind { room, .. }
        | Deed::History { room, .. }
        | Deed::Delete { room }
        | Deed::Look { room, .. }
        | Deed::Page { room }
        | Deed::Topic { room }
        | Deed::Message { room, .. }
        | Deed::Edit { room, .. }
        | Deed::TakeBack { room, .. }
        | Deed::React { room, .. } => Some(*room),
        Deed::Direct { .. }
        | Deed::DirectEdit { .. }
        | Deed::DirectOther { .. }
        | Deed::Block { .. }
        | Deed::Level { .. }
        | Deed::Wait { .. } => None,
    }
}

fn is_guest(who: usize) -> bool {
    GUESTS.contains(&who)
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

impl Room {
    fn holds(barriers: &BTreeMap<usize, Option<i64>>, who: usize, now: i64) -> bool {
        barriers.get(&who).is_some_and(|until| until.is_none_or(|until| now < until))
    }

    fn rank(&self, who: usize) -> u8 {
        if who == ADMIN { ABOVE_ALL } else { self.members.get(&who).map_or(0, |(role, _)| *role) }
    }

    fn owners(&self) -> usize {
        self.members.values().filter(|(role, _)| *role == OWNER).count()
    }

    fn is_last_owner(&self, who: usize) -> bool {
        self.members.get(&who).is_some_and(|(role, _)| *role == OWNER) && self.owners() == 1
    }

    /// One more entry.
    fn log(&mut self) -> u64 {
        self.head += 1;
        self.head
    }

    /// Somebody goes, or is put out: where that is the last owner, the next in line is made owner first.
    fn remove(&mut self, who: usize) -> u64 {
        if self.is_last_owner(who) {
            let mut others: Vec<(u8, u64, usize)> = self
                .members
                .iter()
                .filter(|(other, _)| **other != who && !is_guest(**other))
                .map(|(other, (role, joined))| (*role, *joined, *other))
                .collect();
            others.sort_by_key(|(role, joined, _)| (u8::MAX - role, *joined));
            match others.first() {
                Some((_, joined, next)) => {
                    self.members.insert(*next, (OWNER, *joined));
                    self.log();
                }
                None => self.heir = Some(who),
            }
        }
        self.members.remove(&who);
        self.log()
    }

    /// The first entry that somebody may see.
    fn first(&self, who: usize) -> u64 {
        match self.members.get(&who) {
            Some((_, joined)) if self.joined_only => *joined,
            _ => 1,
        }
    }

    /// A message that is there and that somebody may see.
    fn message(&self, who: usize, seq: u64) -> Result<usize, No> {
        let author = self.messages.get(&seq).filter(|_| seq >= self.first(who) && !self.taken_back.contains(&seq));
        author.copied().ok_or("no_such_message")
    }
}

impl Model {
    pub(crate) fn new() -> Model {
        Model::default()
    }

    pub(crate) fn is_here(&self, who: usize) -> bool {
        !(is_guest(who) && self.guests_are_out)
    }

    /// The same deed, with a target that is mostly a message of the room: what is drawn is its place among them.
    pub(crate) fn meant(&self, mut deed: Deed) -> Deed {
        let room = room_of(&deed);
        if let Deed::Edit { target, .. }
        | Deed::TakeBack { target, .. }
        | Deed::React { target, .. }
        | Deed::Message { reply_to: Some(target), .. } = &mut deed
        {
            let messages = room.and_then(|room| self.rooms.get(&room)).map(|room| &room.messages);
            let message = messages.and_then(|messages| messages.keys().nth(*target as usize));
            *target = message.copied().unwrap_or(*target);
        }
        deed
    }

    pub(crate) fn members(&self, room: usize) -> Option<BTreeMap<usize, &'static str>> {
        let word = |role: u8| ["", "member", "moderator", "owner"][usize::from(role)];
        let members = &self.rooms.get(&room)?.members;
        Some(members.iter().map(|(who, (role, _))| (*who, word(*role))).collect())
    }

    pub(crate) fn act(&mut self, who: usize, deed: &Deed) -> Said {
        let mut messages = Vec::new();
        let (code, seq) = match self.attempt(who, deed, &mut messages) {
            Ok(seq) => ("ok", seq),
            Err(code) => (code, None),
        };
        Said { code, seq, messages }
    }

    fn closed(&self, who: usize, level: &str) -> Result<(), No> {
        if who != ADMIN && LEVELS[..=self.level].contains(&level) { Err("forbidden") } else { Ok(()) }
    }

    /// A room that somebody can see and is not banned from.
    fn room(&mut self, who: usize, room: usize) -> Result<&mut Room, No> {
        let now = self.now;
        let room = self.rooms.get_mut(&room).ok_or("no_such_room")?;
        let banned = who != ADMIN && Room::holds(&room.bans, who, now);
        let may_come = room.invited.contains(&who) || room.heir == Some(who);
        let part = room.members.contains_key(&who) || may_come && !banned;
        if room.kind == "private" && !part && who != ADMIN {
            return Err("no_such_room");
        }
        if banned { Err("banned") } else { Ok(room) }
    }

    /// The same, and somebody is a member.
    fn my_room(&mut self, who: usize, room: usize) -> Result<&mut Room, No> {
        let room = self.room(who, room)?;
        if room.members.contains_key(&who) { Ok(room) } else { Err("not_a_member") }
    }

    /// The same, or somebody is an admin.
    fn kept_room(&mut self, who: usize, room: usize) -> Result<&mut Room, No> {
        if who == ADMIN { self.room(who, room) } else { self.my_room(who, room) }
    }

    /// The same, and somebody has at least this role.
    fn ruled_room(&mut self, who: usize, room: usize, least: u8) -> Result<&mut Room, No> {
        let room = self.kept_room(who, room)?;
        if room.rank(who) >= least { Ok(room) } else { Err("forbidden") }
    }

    /// A room in which somebody may react.
    fn loud_room(&mut self, who: usize, room: usize, admins: bool) -> Result<&mut Room, No> {
        let now = self.now;
        let room = if admins { self.kept_room(who, room)? } else { self.my_room(who, room)? };
        if who != ADMIN && Room::holds(&room.mutes, who, now) { Err("muted") } else { Ok(room) }
    }

    /// A room in which somebody may speak.
    fn open_room(&mut self, who: usize, room: usize) -> Result<&mut Room, No> {
        let room = self.loud_room(who, room, false)?;
        if room.kind == "announce" && room.rank(who) < MODERATOR { Err("forbidden") } else { Ok(room) }
    }

    fn add(&mut self, who: usize, room: usize) -> Result<(), No> {
        if self.room(who, room)?.members.contains_key(&who) {
            return Ok(());
        }
        self.closed(who, "members_only")?;
        let room = self.room(who, room)?;
        room.invited.remove(&who);
        if is_guest(who) {
            room.members.insert(who, (MEMBER, room.head + 1));
            return Ok(());
        }
        let joined = room.log();
        let role = if room.heir == Some(who) { OWNER } else { MEMBER };
        if role == OWNER {
            room.heir = None;
        }
        room.members.insert(who, (role, joined));
        Ok(())
    }

    fn attempt(&mut self, who: usize, deed: &Deed, messages: &mut Vec<u64>) -> Result<Option<u64>, No> {
        match deed {
            Deed::Create { room, kind } => {
                if is_guest(who) && KINDS[*kind] != "public" {
                    return Err("forbidden");
                }
                self.closed(who, "members_only")?;
                if self.rooms.contains_key(room) {
                    return Err("room_exists");
                }
                let (role, joined) = if is_guest(who) { (MEMBER, 1) } else { (OWNER, 0) };
                let made = Room {
                    kind: KINDS[*kind],
                    joined_only: false,
                    head: 0,
                    members: BTreeMap::from([(who, (role, joined))]),
                    invited: BTreeSet::new(),
                    bans: BTreeMap::new(),
                    mutes: BTreeMap::new(),
                    heir: None,
                    messages: BTreeMap::new(),
                    taken_back: BTreeSet::new(),
                    reactions: BTreeMap::new(),
                };
                self.rooms.insert(*room, made);
                Ok(None)
            }
            Deed::Join { room } => self.add(who, *room).map(|()| None),
            Deed::Resume { room } => {
                if is_guest(who) {
                    self.add(who, *room)?;
                } else {
                    self.my_room(who, *room)?;
                }
                Ok(None)
            }
            Deed::Leave { room } => {
                let room = self.my_room(who, *room)?;
                if is_guest(who) {
                    room.members.remove(&who);
                } else {
                    room.remove(who);
                }
                Ok(None)
            }
            Deed::Unfollow { room } => self.room(who, *room).map(|_| None),
            Deed::Moderate { room, verb, whom, for_s } => {
                self.moderate(who, *room, VERBS[*verb], *whom, *for_s).map(Some)
            }
            Deed::Role { room, whom, role } => {
                let room = self.ruled_room(who, *room, OWNER)?;
                let role = [MEMBER, MODERATOR, OWNER][*role];
                let (old, joined) = *room.members.get(whom).ok_or("no_such_user")?;
                let stepping_back = who == *whom && role < old;
                if is_guest(*whom)
                    || room.is_last_owner(*whom) && role != OWNER
                    || room.rank(who) <= old && !stepping_back
                {
                    return Err("forbidden");
                }
                room.members.insert(*whom, (role, joined));
                if role == OWNER {
                    room.heir = None;
                }
                Ok(Some(room.log()))
            }
            Deed::Kind { room, kind } => {
                let room = self.ruled_room(who, *room, OWNER)?;
                room.kind = KINDS[*kind];
                Ok(Some(room.log()))
            }
            Deed::History { room, joined } => {
                let room = self.ruled_room(who, *room, OWNER)?;
                room.joined_only = *joined;
                Ok(Some(room.log()))
            }
            Deed::Delete { room } => {
                self.ruled_room(who, *room, OWNER)?;
                self.rooms.remove(room);
                Ok(None)
            }
            Deed::Look { room, verb } => {
                match LOOKS[*verb] {
                    "room" => {
                        self.room(who, *room)?;
                    }
                    "names" => {
                        let open = self.room(who, *room)?.kind != "private";
                        if !open {
                            self.kept_room(who, *room)?;
                        }
                    }
                    "bans" | "acts" => {
                        self.ruled_room(who, *room, MODERATOR)?;
                    }
                    "read" => {
                        self.my_room(who, *room)?;
                    }
                    "typing" => {
                        self.open_room(who, *room)?;
                    }
                    _ => {
                        self.readable(who, *room)?;
                    }
                }
                Ok(None)
            }
            Deed::Page { room } => {
                let room = self.readable(who, *room)?;
                messages.extend(room.messages.keys().filter(|seq| **seq >= room.first(who)));
                Ok(None)
            }
            Deed::Topic { room } => {
                let found = self.loud_room(who, *room, true)?;
                if found.kind == "announce" && found.rank(who) < MODERATOR {
                    return Err("forbidden");
                }
                self.closed(who, "read_only")?;
                self.room(who, *room).map(|room| Some(room.log()))
            }
            Deed::Message { room, reply_to } => {
                self.open_room(who, *room)?;
                self.closed(who, "read_only")?;
                let room = self.room(who, *room)?;
                if let Some(seq) = reply_to {
                    room.message(who, *seq)?;
                }
                let seq = room.log();
                room.messages.insert(seq, who);
                Ok(Some(seq))
            }
            Deed::Edit { room, target } => {
                self.open_room(who, *room)?;
                self.closed(who, "read_only")?;
                let room = self.room(who, *room)?;
                if room.message(who, *target)? == who { Ok(Some(room.log())) } else { Err("forbidden") }
            }
            Deed::TakeBack { room, target } => {
                let room = self.kept_room(who, *room)?;
                if room.message(who, *target)? != who && room.rank(who) < MODERATOR {
                    return Err("forbidden");
                }
                room.taken_back.insert(*target);
                room.reactions.retain(|(seq, _), _| seq != target);
                Ok(Some(room.log()))
            }
            Deed::React { room, target } => {
                self.loud_room(who, *room, false)?;
                self.closed(who, "read_only")?;
                let room = self.room(who, *room)?;
                room.message(who, *target)?;
                if let Some(first) = room.reactions.get(&(*target, who)) {
                    return Ok(Some(*first));
                }
                let seq = room.log();
                room.reactions.insert((*target, who), seq);
                Ok(Some(seq))
            }
            Deed::Direct { whom } => {
                self.not_oneself(who, *whom)?;
                let known = self.direct.contains_key(&pair(who, *whom));
                if !known {
                    self.closed(who, "members_only")?;
                    if *whom == NOBODY {
                        return Err("no_such_user");
                    }
                }
                self.closed(who, "read_only")?;
                self.not_blocked(who, *whom)?;
                let said = self.direct.entry(pair(who, *whom)).or_default();
                said.push(who);
                Ok(Some(said.len() as u64))
            }
            Deed::DirectEdit { whom, target } => {
                self.not_oneself(who, *whom)?;
                self.direct.get(&pair(who, *whom)).ok_or("no_such_room")?;
                self.closed(who, "read_only")?;
                self.not_blocked(who, *whom)?;
                let said = self.direct.entry(pair(who, *whom)).or_default();
                match said.get(*target as usize - 1) {
                    // An edit, by which nothing was said.
                    None | Some(&NOBODY) => Err("no_such_message"),
                    Some(author) if *author != who => Err("forbidden"),
                    Some(_) => {
                        said.push(NOBODY);
                        Ok(Some(said.len() as u64))
                    }
                }
            }
            Deed::DirectOther { whom, verb } => {
                self.not_oneself(who, *whom)?;
                let said = self.direct.get(&pair(who, *whom)).ok_or("no_such_room")?;
                match DIRECT[*verb] {
                    "history" => {
                        messages.extend((1..).zip(said).filter(|(_, who)| **who != NOBODY).map(|(seq, _)| seq));
                        Ok(None)
                    }
                    "read" | "leave" => Ok(None),
                    _ => Err("forbidden"),
                }
            }
            Deed::Block { whom, on } => self.block(who, *whom, *on).map(|()| None),
            Deed::Level { level } => {
                if who != ADMIN {
                    return Err("forbidden");
                }
                self.level = *level;
                if LEVELS[..=*level].contains(&"no_guests") {
                    self.guests_are_out = true;
                    for room in self.rooms.values_mut() {
                        room.members.retain(|who, _| !is_guest(*who));
                    }
                }
                Ok(None)
            }
            Deed::Wait { seconds } => {
                self.now += seconds * 1000;
                Ok(None)
            }
        }
    }

    fn readable(&mut self, who: usize, number: usize) -> Result<&mut Room, No> {
        let room = self.room(who, number)?;
        if !room.members.contains_key(&who) {
            if room.kind == "private" || room.joined_only {
                return Err("not_a_member");
            }
            self.closed(who, "members_only")?;
        }
        self.room(who, number)
    }

    fn not_oneself(&self, who: usize, whom: usize) -> Result<(), No> {
        if who == whom { Err("forbidden") } else { Ok(()) }
    }

    fn not_blocked(&self, who: usize, whom: usize) -> Result<(), No> {
        if self.blocks.contains(&(whom, who)) { Err("forbidden") } else { Ok(()) }
    }

    fn block(&mut self, who: usize, whom: usize, on: bool) -> Result<(), No> {
        if on && who == whom {
            return Err("forbidden");
        }
        if on && whom != NOBODY {
            self.blocks.insert((who, whom));
        } else if !self.blocks.remove(&(who, whom)) {
            return Err("no_such_user");
        }
        Ok(())
    }

    fn moderate(&mut self, who: usize, room: usize, verb: &str, whom: usize, for_s: Option<i64>) -> Result<u64, No> {
        let (now, blocked) = (self.now, self.not_blocked(who, whom));
        let private = self.room(who, room)?.kind == "private";
        let least = if verb == "invite" && !private { MEMBER } else { MODERATOR };
        let room = self.ruled_room(who, room, least)?;
        let until = for_s.map(|seconds| now + seconds * 1000);
        if verb == "invite" {
            let speaks = who == ADMIN || room.members.get(&who).is_some_and(|(role, _)| *role >= MODERATOR);
            if !speaks && Room::holds(&room.mutes, who, now) {
                return Err("muted");
            }
            let kept_out = Room::holds(&room.bans, whom, now);
            if room.members.contains_key(&whom) || kept_out {
                return Err("forbidden");
            }
            if whom == NOBODY {
                return Err("no_such_user");
            }
            blocked?;
            room.invited.insert(whom);
            return Ok(room.log());
        }
        if who == whom || room.rank(whom) >= room.rank(who) {
            return Err("forbidden");
        }
        match verb {
            "kick" if !room.members.contains_key(&whom) => return Err("no_such_user"),
            "ban" | "mute" if whom == NOBODY => return Err("no_such_user"),
            "unban" if !Room::holds(&room.bans, whom, now) => return Err("no_such_user"),
            "unmute" if !Room::holds(&room.mutes, whom, now) => return Err("no_such_user"),
            _ => {}
        }
        Ok(match verb {
            "kick" => room.remove(whom),
            "ban" => {
                let seq = room.remove(whom);
                room.invited.remove(&whom);
                room.bans.insert(whom, until);
                seq
            }
            "unban" => {
                room.bans.remove(&whom);
                room.log()
            }
            "mute" => {
                room.mutes.insert(whom, until);
                room.log()
            }
            _ => {
                room.mutes.remove(&whom);
                room.log()
            }
        })
    }
}
