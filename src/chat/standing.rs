//! What holds for the server as a whole: how far it is closed, who is kept out, and who wants to hear nothing of whom.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::chat::network::Network;
use crate::chat::online::Person;
use crate::model::{Level, ServerRole, Time, UserId};
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
    /// Those of them that are networks.
    networks: Vec<(Network, Box<str>)>,
    blocks: HashMap<UserId, Vec<Blocked>>,
    /// The same the other way round: who has blocked somebody.
    blockers: HashMap<UserId, Vec<UserId>>,
    /// Accounts that are being deleted.
    closing: HashSet<UserId>,
}

/// What in the target of a suspension stands in front of the skeleton of a name.
const NAME: &str = "name:";
/// What in the target of a suspension stands in front of a network.
const NETWORK: &str = "net:";

/// How a suspension names a user: by what all names have in common that look like this one.
pub(crate) fn name_target(skeleton: &str) -> Box<str> {
    format!("{NAME}{skeleton}").into()
}

/// How a suspension names a network.
pub(crate) fn network_target(network: Network) -> Box<str> {
    format!("{NETWORK}{network}").into()
}

/// Whether a suspension is about a network.
pub(crate) fn is_network(suspension: &Suspension) -> bool {
    suspension.target.starts_with(NETWORK)
}

/// An account that is being deleted; nobody logs in to it while this lives.
pub(crate) struct Closing<'a> {
    standing: &'a Standing,
    user: UserId,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.standing.table_mut().closing.remove(&self.user);
    }
}

fn holds(suspension: &Suspension, now: Time) -> bool {
    suspension.until.is_none_or(|until| now < until)
}

fn refusal(suspension: &Suspension) -> Refusal {
    let reason = Some(suspension.reason.clone()).filter(|reason| !reason.is_empty());
    Refusal::new(Code::Banned).because(reason, suspension.until)
}

impl Standing {
    /// Takes over what was stored.
    pub(crate) fn load(&self, stored: store::Standing) {
        let mut table = self.table_mut();
        table.level = stored.level;
        stored.suspensions.into_iter().for_each(|suspension| table.suspend(suspension));
        stored.blocks.into_iter().for_each(|(user, blocked)| table.block(user, blocked));
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
        self.table_mut().block(user, blocked);
    }

    /// A user wants to hear of another again. False if it did.
    pub(crate) fn unblock(&self, user: UserId, other: UserId) -> bool {
        self.table_mut().unblock(user, other)
    }

    /// A user has gone for good: nobody needs to know any more of whom it wanted to hear nothing, or who of it.
    pub(crate) fn forget(&self, user: UserId) {
        let mut table = self.table_mut();
        for blocked in table.blocks.get(&user).cloned().unwrap_or_default() {
            table.unblock(user, blocked.user);
        }
        for blocker in table.blockers.get(&user).cloned().unwrap_or_default() {
            table.unblock(blocker, user);
        }
    }

    /// Keeps something out; replaces what was said of it before.
    pub(crate) fn suspend(&self, suspension: Suspension) {
        self.table_mut().suspend(suspension);
    }

    /// Does not keep it out any more.
    pub(crate) fn unsuspend(&self, target: &str) {
        let mut table = self.table_mut();
        table.suspensions.remove(target);
        table.networks.retain(|(_, known)| **known != *target);
    }

    /// What is kept out now, sorted by what it is.
    pub(crate) fn suspensions(&self, now: Time) -> Vec<Suspension> {
        let table = self.table();
        let mut suspensions: Vec<Suspension> =
            table.suspensions.values().filter(|suspension| holds(suspension, now)).cloned().collect();
        suspensions.sort_by(|a, b| a.target.cmp(&b.target));
        suspensions
    }

    /// Whether something is kept out now.
    pub(crate) fn is_suspended(&self, target: &str, now: Time) -> bool {
        self.table().suspensions.get(target).is_some_and(|suspension| holds(suspension, now))
    }

    /// Whether somebody may come in under a name.
    ///
    /// # Errors
    /// `banned`
    pub(crate) fn admits_name(&self, skeleton: &str, now: Time) -> Result<(), Refusal> {
        let table = self.table();
        if table.suspensions.len() == table.networks.len() {
            return Ok(());
        }
        let suspension = table.suspensions.get(&name_target(skeleton)).filter(|suspension| holds(suspension, now));
        suspension.map_or(Ok(()), |suspension| Err(refusal(suspension)))
    }

    /// Whether somebody may come in from an address.
    ///
    /// # Errors
    /// `banned`
    pub(crate) fn admits_address(&self, address: IpAddr, now: Time) -> Result<(), Refusal> {
        let table = self.table();
        let holding = table.networks.iter().filter(|(network, _)| network.contains(address));
        let mut holding = holding.filter_map(|(_, target)| table.suspensions.get(target));
        holding.find(|suspension| holds(suspension, now)).map_or(Ok(()), |suspension| Err(refusal(suspension)))
    }

    /// Lets nobody log in to an account that is about to be deleted. None where somebody else is about to do that.
    pub(crate) fn close(&self, user: UserId) -> Option<Closing<'_>> {
        let begun = self.table_mut().closing.insert(user);
        // Not `then_some`: one that is made and thrown away would end what somebody else has begun.
        begun.then(|| Closing { standing: self, user })
    }

    /// Whether an account is being deleted.
    pub(crate) fn is_closing(&self, user: UserId) -> bool {
        self.table().closing.contains(&user)
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn suspend(&mut self, suspension: Suspension) {
        let network = suspension.target.strip_prefix(NETWORK).and_then(Network::parse);
        if let Some(network) = network
            && !self.suspensions.contains_key(&suspension.target)
        {
            self.networks.push((network, suspension.target.clone()));
        }
        self.suspensions.insert(suspension.target.clone(), suspension);
    }

    fn block(&mut self, user: UserId, blocked: Blocked) {
        self.unblock(user, blocked.user);
        self.blockers.entry(blocked.user).or_default().push(user);
        self.blocks.entry(user).or_default().push(blocked);
    }

    fn unblock(&mut self, user: UserId, other: UserId) -> bool {
        let known = remove(&mut self.blocks, user, |blocked| blocked.user == other);
        remove(&mut self.blockers, other, |blocker| *blocker == user);
        known
    }
}

/// Takes what is meant out of somebody's list. False if it was not there.
fn remove<T>(lists: &mut HashMap<UserId, Vec<T>>, user: UserId, is_meant: impl Fn(&T) -> bool) -> bool {
    let Some(list) = lists.get_mut(&user) else { return false };
    let before = list.len();
    list.retain(|one| !is_meant(one));
    let after = list.len();
    if after == 0 {
        lists.remove(&user);
    }
    after < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Line;
    use crate::model::name::skeleton_of;

    const NOW: Time = Time(1000);

    fn suspension(target: Box<str>, until: Option<i64>) -> Suspension {
        Suspension {
            shown: target.clone(),
            target,
            reason: Line::trusted("spam"),
            until: until.map(Time),
            by: "root".into(),
            time: Time(1),
        }
    }

    fn network(text: &str) -> Box<str> {
        network_target(Network::parse(text).unwrap())
    }

    #[test]
    fn a_suspended_name_holds_for_its_look_alikes_until_it_ends() {
        let standing = Standing::default();
        standing.suspend(suspension(name_target(&skeleton_of("olaf")), Some(2000)));
        let admits = |name: &str, now| standing.admits_name(&skeleton_of(name), Time(now));
        for name in ["olaf", "OLAF", "o1af", "0laf"] {
            let refusal = admits(name, NOW.0).unwrap_err();
            let because = refusal.because.unwrap();
            assert_eq!((refusal.code, because.until), (Code::Banned, Some(Time(2000))), "{name}");
            assert_eq!(because.reason.unwrap().as_str(), "spam");
        }
        assert_eq!((admits("olav", NOW.0), admits("olaf", 2000)), (Ok(()), Ok(())));
        assert_eq!((standing.suspensions(NOW).len(), standing.suspensions(Time(2000)).len()), (1, 0));
    }

    #[test]
    fn a_suspended_network_holds_until_it_is_let_in_again() {
        let standing = Standing::default();
        standing.suspend(suspension(network("192.0.2.0/24"), Some(1500)));
        standing.suspend(suspension(network("192.0.2.7/24"), None));
        standing.suspend(suspension(network("2001:db8::/32"), None));
        let admits = |address: &str| standing.admits_address(address.parse().unwrap(), Time(3000));
        for (address, admitted) in [("192.0.2.200", false), ("::ffff:192.0.2.1", false), ("192.0.3.1", true)] {
            assert_eq!(admits(address).is_ok(), admitted, "{address}");
        }
        assert!(admits("2001:db8::9").is_err());
        standing.unsuspend(&network("192.0.2.0/24"));
        assert!(admits("192.0.2.200").is_ok() && admits("2001:db8::9").is_err());
        assert!(standing.admits_name("192.0.2.200", NOW).is_ok());
    }

    #[test]
    fn whoever_has_gone_is_forgotten_on_both_sides() {
        let standing = Standing::default();
        let (alice, bob, guest) = (UserId(1), UserId(2), UserId(-3));
        for (user, other) in [(alice, bob), (alice, guest), (guest, bob), (alice, bob)] {
            standing.block(user, Blocked { user: other, name: "x".into() });
        }
        assert_eq!(standing.blocked_by(alice).len(), 2, "nobody is blocked twice");
        standing.forget(guest);
        assert!(standing.is_blocked(alice, bob) && !standing.is_blocked(alice, guest));
        assert!(standing.blocked_by(guest).is_empty());
        assert!(standing.unblock(alice, bob) && !standing.unblock(alice, bob));
        let table = standing.table();
        assert!(table.blocks.is_empty() && table.blockers.is_empty());
    }

    #[test]
    fn an_account_is_deleted_by_one_at_a_time() {
        let standing = Standing::default();
        let closing = standing.close(UserId(1)).unwrap();
        assert!(standing.is_closing(UserId(1)) && standing.close(UserId(1)).is_none());
        drop(closing);
        assert!(!standing.is_closing(UserId(1)));
    }
}
