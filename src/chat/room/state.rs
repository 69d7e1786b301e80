//! A room's rules: a plain struct and pure functions. No lock, no clock, no store.
//!
//! What somebody may do is answered with the first refusal that applies, in the order of `docs/protocol.md`: `banned`,
//! `not_a_member`, `muted`, `forbidden`, the rest. Whether the room can be seen at all ([`State::sees`]) is asked before.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::name::skeleton_of;
use crate::model::{Line, MemberChange, RoomKind, RoomRole, Seq, ServerRole, Settings, Time, UserId, Visibility};
use crate::protocol::{Code, Refusal};
use crate::store::{Ban, StoredRoom};

/// What a room is, as everything that was queued will leave it.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What its owners have decided.
    pub(crate) settings: Settings,
    /// The first entry that is kept.
    pub(crate) first: Seq,
    /// The room was deleted: nothing may be queued any more.
    pub(crate) gone: bool,
    /// The account that owned it last, where no member does.
    pub(super) heir: Option<UserId>,
    pub(super) members: HashMap<UserId, Member>,
    /// Who may come in though the room is private. A guest only until the server stops: the store does not know it.
    pub(super) invited: HashSet<UserId>,
    /// By the skeleton of the name, so that neither another case nor a look-alike gets round them.
    pub(super) bans: HashMap<Box<str>, Barrier>,
    pub(super) mutes: HashMap<Box<str>, Barrier>,
    /// When members spoke last, in slow mode.
    pub(super) spoke: HashMap<UserId, Time>,
    online: u64,
}

/// Somebody who belongs to a room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    /// What this member may do.
    pub(crate) role: RoomRole,
    /// A guest's name; accounts are looked up.
    pub(crate) guest: Option<Arc<str>>,
    /// The first entry of the membership; not known until it is committed.
    pub(crate) joined: Option<Seq>,
    pub(super) online: bool,
}

/// What keeps somebody out, or silent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Barrier {
    /// The name.
    pub(crate) name: Arc<str>,
    /// Why.
    pub(crate) reason: Option<Line>,
    /// When it ends by itself.
    pub(crate) until: Option<Time>,
}

/// Who wants something, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// Who it is.
    pub(crate) id: UserId,
    /// What all names have in common that look like this one.
    pub(crate) skeleton: &'a str,
    /// The same of the name as it is written.
    pub(crate) look: &'a str,
    /// The role on the server.
    pub(crate) role: ServerRole,
    /// It is being put out of the server.
    pub(crate) barred: bool,
    /// When.
    pub(crate) now: Time,
}

/// Whom somebody wants to do something to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// Who it is.
    pub(crate) id: UserId,
    /// The name.
    pub(crate) name: &'a str,
    /// The role on the server.
    pub(crate) role: ServerRole,
}

/// What an asker may do about others. Everybody may act upon those who stand below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Outsider,
    Member,
    Moderator,
    Owner,
    Admin,
}

impl Barrier {
    fn of(ban: Ban) -> (Box<str>, Barrier) {
        (ban.skeleton, Barrier { name: ban.name, reason: ban.reason, until: ban.until })
    }

    fn holds(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn refusal(&self, code: Code) -> Refusal {
        Refusal::new(code).because(self.reason.clone(), self.until)
    }
}

impl Asker<'_> {
    fn is_admin(&self) -> bool {
        self.role == ServerRole::Admin
    }
}

impl State {
    /// A room as it was stored: nobody is online yet.
    pub(crate) fn new(stored: &mut StoredRoom) -> State {
        let members = std::mem::take(&mut stored.members)
            .into_iter()
            .map(|seat| (seat.user, Member { role: seat.role, guest: None, joined: Some(seat.joined), online: false }));
        State {
            settings: std::mem::take(&mut stored.settings),
            first: stored.first,
            gone: false,
            heir: stored.heir,
            members: members.collect(),
            invited: std::mem::take(&mut stored.invited).into_iter().collect(),
            bans: std::mem::take(&mut stored.bans).into_iter().map(Barrier::of).collect(),
            mutes: std::mem::take(&mut stored.mutes).into_iter().map(Barrier::of).collect(),
            spoke: HashMap::new(),
            online: 0,
        }
    }

    /// The role of a member.
    pub(crate) fn role(&self, user: UserId) -> Option<RoomRole> {
        self.members.get(&user).map(|member| member.role)
    }

    /// Whether an account owns the room, or would again if it came back.
    pub(crate) fn is_owned_by(&self, user: UserId) -> bool {
        self.heir == Some(user) || self.role(user) == Some(RoomRole::Owner)
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

    /// Whether the other one of a direct conversation is gone for good.
    pub(crate) fn is_deserted(&self) -> bool {
        self.settings.kind == RoomKind::Direct && self.members.len() < 2
    }

    /// All members.
    pub(crate) fn everybody(&self) -> Vec<UserId> {
        self.members.keys().copied().collect()
    }

    /// The members who keep order, to be told of what is not right.
    pub(crate) fn moderators(&self) -> impl Iterator<Item = UserId> {
        self.members.iter().filter(|(_, member)| member.role >= RoomRole::Moderator).map(|(user, _)| *user)
    }

    /// Who is kept out, and who may not speak, now.
    pub(crate) fn barriers(&self, now: Time) -> (Vec<Barrier>, Vec<Barrier>) {
        let holding = |barriers: &HashMap<Box<str>, Barrier>| {
            let mut holding: Vec<Barrier> = barriers.values().filter(|barrier| barrier.holds(now)).cloned().collect();
            holding.sort_by(|a, b| a.name.cmp(&b.name));
            holding
        };
        (holding(&self.bans), holding(&self.mutes))
    }

    /// How many names are kept out or silent, and how many accounts invited.
    pub(crate) fn named(&self) -> usize {
        self.bans.len() + self.mutes.len() + self.invited.len()
    }

    /// Whether a room is anything to somebody: to others it does not exist.
    pub(crate) fn sees(&self, asker: Asker<'_>) -> bool {
        match self.settings.kind {
            _ if self.gone => false,
            RoomKind::Public | RoomKind::Announce => true,
            RoomKind::Direct => self.members.contains_key(&asker.id),
            RoomKind::Private => {
                // Whoever owned it last may come back to it.
                let may_come = self.invited.contains(&asker.id) || self.heir == Some(asker.id);
                self.members.contains_key(&asker.id) || asker.is_admin() || may_come && self.not_banned(asker).is_ok()
            }
        }
    }

    /// Whether somebody may come in, or be here already.
    ///
    /// # Errors
    /// `banned`
    pub(crate) fn may_enter(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        if self.gone {
            return Err(Code::NoSuchRoom.into());
        }
        self.not_banned(asker)
    }

    /// Whether somebody may read what was said, and from which entry on.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_read(&self, asker: Asker<'_>) -> Result<Seq, Refusal> {
        self.not_banned(asker)?;
        let open = matches!(self.settings.kind, RoomKind::Public | RoomKind::Announce);
        match self.members.get(&asker.id) {
            Some(member) => Ok(self.first_for(member)),
            None if open && self.settings.history == Visibility::All => Ok(self.first),
            None => Err(Code::NotAMember.into()),
        }
    }

    /// The first entry whose message somebody may be about to say something about. Who keeps order need not be a member.
    pub(crate) fn reach_of(&self, user: UserId, others: bool) -> Seq {
        if others && !self.members.contains_key(&user) { self.first } else { self.first_of(user) }
    }

    /// The first entry that a member may see; behind everything for who is none.
    pub(crate) fn first_of(&self, user: UserId) -> Seq {
        self.members.get(&user).map_or(Seq(u64::MAX), |member| self.first_for(member))
    }

    fn first_for(&self, member: &Member) -> Seq {
        match self.settings.history {
            Visibility::All => self.first,
            Visibility::Joined => member.joined.map_or(Seq(u64::MAX), |joined| joined.max(self.first)),
        }
    }

    /// Whether somebody may know who the members are.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_list(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        self.not_banned(asker)?;
        let open = matches!(self.settings.kind, RoomKind::Public | RoomKind::Announce);
        if open || asker.is_admin() || self.members.contains_key(&asker.id) {
            Ok(())
        } else {
            Err(Code::NotAMember.into())
        }
    }

    /// Whether somebody may say something, or say it otherwise.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_speak(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        self.may_react(asker)?;
        if self.settings.kind == RoomKind::Announce && self.rank(asker) < Rank::Moderator {
            return Err(Code::Forbidden.into());
        }
        Ok(())
    }

    /// Whether slow mode lets somebody say something now.
    ///
    /// # Errors
    /// `rate_limited`
    pub(crate) fn may_speak_again(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        let pause = i64::from(self.settings.slow_mode_s) * 1000;
        if pause == 0 || self.rank(asker) >= Rank::Moderator {
            return Ok(());
        }
        // A clock that was set back must not silence anybody for longer than the pause.
        let since = self.spoke.get(&asker.id).map_or(pause, |last| (asker.now.0 - last.0).max(0));
        match u64::try_from(pause - since) {
            Ok(wait) if wait > 0 => Err(Refusal::rate_limited(Duration::from_millis(wait))),
            _ => Ok(()),
        }
    }

    /// Whether somebody may react to what others say.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_react(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        self.not_banned(asker)?;
        if !self.members.contains_key(&asker.id) {
            return Err(Code::NotAMember.into());
        }
        self.not_muted(asker)
    }

    /// Whether somebody may take messages back, and whether those of others too.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_delete(&self, asker: Asker<'_>) -> Result<bool, Refusal> {
        self.belongs(asker)?;
        Ok(self.settings.kind != RoomKind::Direct && self.rank(asker) >= Rank::Moderator)
    }

    /// Whether somebody may say what the room is about.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_set_topic(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        self.belongs(asker)?;
        self.not_muted(asker)?;
        let least = if self.settings.kind == RoomKind::Announce { Rank::Moderator } else { Rank::Member };
        self.at_least(asker, least)
    }

    /// Whether somebody may decide what the room is, or that it is no more.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_rule(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        self.belongs(asker)?;
        self.at_least(asker, Rank::Owner)
    }

    /// Whether somebody may know what the moderators know.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_oversee(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        self.belongs(asker)?;
        self.at_least(asker, Rank::Moderator)
    }

    /// Whether somebody may do that to somebody.
    ///
    /// # Errors
    /// The first refusal that applies.
    pub(crate) fn may_moderate(
        &self,
        asker: Asker<'_>,
        change: MemberChange,
        role: Option<RoomRole>,
        target: Target<'_>,
    ) -> Result<(), Refusal> {
        self.belongs(asker)?;
        let mine = self.rank(asker);
        let Target { id: target, name, role: server_role } = target;
        let member = self.members.get(&target);
        let least = match change {
            MemberChange::Invite if self.settings.kind == RoomKind::Private => Rank::Moderator,
            MemberChange::Invite => Rank::Member,
            MemberChange::Role => Rank::Owner,
            _ => Rank::Moderator,
        };
        self.at_least(asker, least)?;
        if mine < Rank::Moderator {
            // An invitation is an entry with a reason, which is a way to speak.
            self.not_muted(asker)?;
        }
        let theirs = member.map_or(Rank::Outsider, |member| rank(member.role));
        let skeleton = skeleton_of(name);
        let holds = |barriers: &HashMap<Box<str>, Barrier>| {
            barriers.get(&*skeleton).is_some_and(|barrier| barrier.holds(asker.now))
        };
        match change {
            // Nobody is asked in who is in, or who is kept out.
            MemberChange::Invite => {
                if member.is_some() || holds(&self.bans) {
                    Err(Code::Forbidden.into())
                } else {
                    Ok(())
                }
            }
            MemberChange::Role => {
                let Some(member) = member else { return Err(Code::NoSuchUser.into()) };
                let handing_back = target == asker.id && role < Some(member.role);
                let last = role != Some(RoomRole::Owner) && self.is_last_owner(target);
                if member.guest.is_some() || last || !(mine > theirs || handing_back) {
                    return Err(Code::Forbidden.into());
                }
                Ok(())
            }
            _ if target == asker.id || server_role == ServerRole::Admin || mine <= theirs => {
                Err(Code::Forbidden.into())
            }
            MemberChange::Kick if member.is_none() => Err(Code::NoSuchUser.into()),
            MemberChange::Unban if !holds(&self.bans) => Err(Code::NoSuchUser.into()),
            MemberChange::Unmute if !holds(&self.mutes) => Err(Code::NoSuchUser.into()),
            _ => Ok(()),
        }
    }

    /// Who owns the room when its last owner is gone: the member of the highest role who is longest in it.
    pub(crate) fn successor(&self, leaving: UserId) -> Option<UserId> {
        if !self.is_last_owner(leaving) {
            return None;
        }
        let accounts = self.members.iter().filter(|(user, member)| **user != leaving && member.guest.is_none());
        let first = |(user, member): &(&UserId, &Member)| {
            (std::cmp::Reverse(member.role), member.joined.unwrap_or(Seq(u64::MAX)), **user)
        };
        accounts.min_by_key(first).map(|(user, _)| *user)
    }

    /// What an account becomes when it comes in: a room that nobody owns any more belongs to its last owner again.
    pub(crate) fn role_on_entry(&self, user: UserId) -> RoomRole {
        if self.heir == Some(user) { RoomRole::Owner } else { RoomRole::Member }
    }

    pub(super) fn is_last_owner(&self, user: UserId) -> bool {
        let owner = |member: &Member| member.role == RoomRole::Owner;
        self.members.get(&user).is_some_and(owner)
            && !self.members.iter().any(|(other, member)| *other != user && owner(member))
    }

    fn not_banned(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        if asker.barred {
            return Err(Code::Banned.into());
        }
        let ban = barrier(&self.bans, asker).filter(|ban| ban.holds(asker.now) && !asker.is_admin());
        ban.map_or(Ok(()), |ban| Err(ban.refusal(Code::Banned)))
    }

    fn not_muted(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        let mute = barrier(&self.mutes, asker).filter(|mute| mute.holds(asker.now) && !asker.is_admin());
        mute.map_or(Ok(()), |mute| Err(mute.refusal(Code::Muted)))
    }

    /// A member; or an admin, who need not be one to keep order.
    fn belongs(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        self.not_banned(asker)?;
        if asker.is_admin() && self.settings.kind != RoomKind::Direct || self.members.contains_key(&asker.id) {
            Ok(())
        } else {
            Err(Code::NotAMember.into())
        }
    }

    fn at_least(&self, asker: Asker<'_>, least: Rank) -> Result<(), Refusal> {
        if self.rank(asker) >= least { Ok(()) } else { Err(Code::Forbidden.into()) }
    }

    fn rank(&self, asker: Asker<'_>) -> Rank {
        if asker.is_admin() {
            return Rank::Admin;
        }
        self.members.get(&asker.id).map_or(Rank::Outsider, |member| rank(member.role))
    }

    /// Whether a member is a guest.
    pub(crate) fn is_guest_member(&self, user: UserId) -> bool {
        self.members.get(&user).is_some_and(|member| member.guest.is_some())
    }

    /// What somebody was about to say is not in the log after all, or was there before.
    pub(crate) fn has_not_spoken(&mut self, user: UserId) {
        self.spoke.remove(&user);
    }

    /// A membership that was checked is committed, and so has a beginning.
    pub(crate) fn joined(&mut self, user: UserId, seq: Seq) {
        if let Some(member) = self.members.get_mut(&user).filter(|member| member.joined.is_none()) {
            member.joined = Some(seq);
        }
    }

    /// A guest, who is online, becomes a member; sees what comes from `joined` on, where that matters. True if it was none.
    pub(crate) fn add_guest(&mut self, user: UserId, name: Arc<str>, joined: Seq) -> bool {
        let member = Member { role: RoomRole::Member, guest: Some(name), joined: Some(joined), online: true };
        // An invitation lets in once.
        self.invited.remove(&user);
        !self.members.contains_key(&user) && self.set(user, Some(member)).is_none()
    }

    /// An account was deleted, which is no entry of a direct conversation.
    pub(crate) fn desert(&mut self, user: UserId) {
        self.set(user, None);
    }

    /// A guest is a member no more. True if it was one.
    pub(crate) fn remove_guest(&mut self, user: UserId) -> bool {
        self.set(user, None).is_some()
    }

    /// An account became a member when the room was made.
    pub(crate) fn add_first(&mut self, user: UserId, role: RoomRole) {
        self.set(user, Some(Member { role, guest: None, joined: Some(Seq::ZERO), online: true }));
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
    pub(super) fn set(&mut self, user: UserId, member: Option<Member>) -> Option<Member> {
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

/// What stands against a name, in any case and as it is written.
fn barrier<'a>(barriers: &'a HashMap<Box<str>, Barrier>, asker: Asker<'_>) -> Option<&'a Barrier> {
    if barriers.is_empty() {
        return None;
    }
    barriers.get(asker.skeleton).or_else(|| barriers.get(asker.look))
}

fn rank(role: RoomRole) -> Rank {
    match role {
        RoomRole::Member => Rank::Member,
        RoomRole::Moderator => Rank::Moderator,
        RoomRole::Owner => Rank::Owner,
    }
}

#[cfg(test)]
mod tests;
