//! Accounts, their tokens, and the invitations to make one.

use crate::model::{ServerRole, Time, UserId};
use crate::store::memory::state::State;
use crate::store::{Account, Created, Hash, NewAccount, NewInvitation, NewToken, StoredInvitation, StoredToken};

/// An account.
pub(super) struct Registered {
    pub(super) account: Account,
    skeleton: Box<str>,
}

impl State {
    pub(super) fn create_account(&mut self, new: &NewAccount) -> Created<UserId> {
        if let Some(hash) = &new.invitation
            && self.invitation(hash, new.time).is_none()
        {
            return Created::NotInvited;
        }
        let taken = |old: &Registered| old.account.name == new.name || old.skeleton == new.skeleton;
        if self.accounts.values().any(taken) {
            return Created::Taken;
        }
        if let Some(hash) = &new.invitation
            && let Some(invitation) = self.invitation(hash, new.time)
        {
            invitation.left -= 1;
        }
        let id = self.accounts.last_key_value().map_or(UserId(1), |(last, _)| UserId(last.0 + 1));
        let account = Account {
            id,
            name: new.name.clone(),
            role: ServerRole::User,
            password_hash: new.password_hash.clone(),
            seen: None,
            deleted: false,
        };
        self.accounts.insert(id, Registered { account, skeleton: new.skeleton.clone() });
        Created::New(id)
    }

    /// The invitation, if it holds.
    fn invitation(&mut self, hash: &Hash, time: Time) -> Option<&mut StoredInvitation> {
        let (_, invitation) = self.invitations.iter_mut().find(|(found, _)| found == hash)?;
        may_invite(invitation, time).then_some(invitation)
    }

    pub(super) fn is_invited(&self, hash: &Hash, time: Time) -> bool {
        self.invitations.iter().any(|(found, invitation)| found == hash && may_invite(invitation, time))
    }

    /// The account of that id, unless it was deleted.
    fn living(&mut self, user: UserId) -> Option<&mut Account> {
        self.accounts.get_mut(&user).map(|found| &mut found.account).filter(|account| !account.deleted)
    }

    pub(super) fn is_living(&mut self, user: UserId) -> bool {
        self.living(user).is_some()
    }

    pub(super) fn set_password(&mut self, user: UserId, hash: &str, revoke_tokens: bool) -> u64 {
        if revoke_tokens {
            self.tokens.retain(|(_, token)| token.user != user);
        }
        self.living(user).map_or(0, |account| {
            account.password_hash = hash.into();
            1
        })
    }

    pub(super) fn set_role(&mut self, user: UserId, role: ServerRole) -> u64 {
        self.living(user).map_or(0, |account| {
            account.role = role;
            1
        })
    }

    pub(super) fn set_seen(&mut self, user: UserId, time: Time) -> u64 {
        self.living(user).map_or(0, |account| {
            account.seen = account.seen.max(Some(time));
            1
        })
    }

    pub(super) fn delete_account(&mut self, user: UserId) -> u64 {
        let Some(account) = self.living(user) else { return 0 };
        account.password_hash = "".into();
        account.role = ServerRole::User;
        account.seen = None;
        account.deleted = true;
        self.tokens.retain(|(_, token)| token.user != user);
        self.blocks.retain(|(who, whom), _| *who != user && *whom != user);
        for room in self.rooms.values_mut() {
            room.put_out(user);
            room.invited.remove(&user);
        }
        1
    }

    pub(super) fn account(&self, folded: &str) -> Option<Account> {
        self.accounts.values().map(|found| &found.account).find(|account| account.name.folded() == folded).cloned()
    }

    pub(super) fn user(&self, user: UserId) -> Option<Account> {
        self.accounts.get(&user).map(|found| found.account.clone())
    }

    pub(super) fn accounts(&self, after: &str, limit: usize) -> Vec<Account> {
        let mut found: Vec<Account> = self.accounts.values().map(|found| found.account.clone()).collect();
        found.retain(|account| !account.deleted && account.name.folded() > after);
        found.sort_by(|a, b| a.name.folded().cmp(b.name.folded()));
        found.truncate(limit);
        found
    }

    pub(super) fn is_taken(&self, skeleton: &str) -> bool {
        self.accounts.values().any(|found| *found.skeleton == *skeleton)
    }

    pub(super) fn add_token(&mut self, new: &NewToken) -> u64 {
        if !self.is_living(new.user) {
            return 0;
        }
        if let Some((_, there)) = self.tokens.iter_mut().find(|(hash, _)| *hash == new.hash) {
            if there.user != new.user {
                return 0;
            }
            (there.label, there.expires) = (new.label.clone(), new.expires);
            return there.id;
        }
        self.last_token += 1;
        let NewToken { user, hash, fingerprint, label, time, expires } = new.clone();
        let token = StoredToken { id: self.last_token, user, fingerprint, label, created: time, expires, used: None };
        self.tokens.push((hash, token));
        self.last_token
    }

    pub(super) fn use_token(&mut self, id: u64, time: Time) -> u64 {
        self.tokens.iter_mut().find(|(_, token)| token.id == id).map_or(0, |(_, token)| {
            token.used = token.used.max(Some(time));
            1
        })
    }

    pub(super) fn revoke_token(&mut self, user: UserId, id: u64) -> u64 {
        let before = self.tokens.len();
        self.tokens.retain(|(_, token)| token.user != user || token.id != id);
        u64::from(self.tokens.len() < before)
    }

    pub(super) fn token(&self, hash: &Hash) -> Option<(StoredToken, Account)> {
        let (_, token) = self.tokens.iter().find(|(found, _)| found == hash)?;
        Some((token.clone(), self.accounts.get(&token.user)?.account.clone()))
    }

    pub(super) fn tokens(&self, user: UserId) -> Vec<StoredToken> {
        self.tokens.iter().map(|(_, token)| token).filter(|token| token.user == user).cloned().collect()
    }

    pub(super) fn add_invitation(&mut self, new: &NewInvitation) -> u64 {
        if self.invitations.iter().any(|(hash, _)| *hash == new.hash) {
            return 0;
        }
        self.last_invitation += 1;
        let NewInvitation { hash, label, count, by, time, expires } = new.clone();
        let stored = StoredInvitation { id: self.last_invitation, label, left: count, by, created: time, expires };
        self.invitations.push((hash, stored));
        self.last_invitation
    }

    pub(super) fn revoke_invitation(&mut self, id: u64) -> u64 {
        let before = self.invitations.len();
        self.invitations.retain(|(_, invitation)| invitation.id != id);
        u64::from(self.invitations.len() < before)
    }

    pub(super) fn invitations(&self) -> Vec<StoredInvitation> {
        self.invitations.iter().map(|(_, invitation)| invitation.clone()).collect()
    }
}

fn may_invite(invitation: &StoredInvitation, time: Time) -> bool {
    invitation.left > 0 && invitation.expires.is_none_or(|expires| expires > time)
}
