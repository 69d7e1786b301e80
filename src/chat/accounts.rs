//! What the operator does about accounts, without a session: the rules are the same, but nobody asks for permission.

use crate::chat::online::OPERATOR;
use crate::chat::password::Passwords;
use crate::chat::requests::account::{claim, delete_account, user_of};
use crate::chat::requests::admin;
use crate::chat::service::Chat;
use crate::chat::session::{Farewell, unavailable};
use crate::model::{ServerRole, Time, UserId, Username};
use crate::protocol::{Code, Refusal, Secret};
use crate::store::{Account, Act, Change, Created, NewAccount, Write};

/// How many accounts are read at once.
const PAGE: usize = 500;

/// An account as it is listed.
#[derive(Clone, Debug)]
pub struct AccountLine {
    /// Its name.
    pub username: Username,
    /// Its role on the server.
    pub role: ServerRole,
    /// When it was online last.
    pub seen: Option<Time>,
}

impl Chat {
    /// Makes an account, whoever may register. Nothing stands in the way of a name but that it is taken.
    ///
    /// # Errors
    /// `bad_name`, `name_taken`, `weak_password`; or that nothing can be stored.
    pub async fn add_account(&self, name: &str, password: &Secret) -> Result<(), Refusal> {
        let name = self.parse_name(name)?;
        let _claim = claim(self, &name).await?;
        let password_hash = self.passwords.hash(Passwords::check(password, &name)?).await?;
        self.make_account(name, password_hash).await.map(|_| ())
    }

    /// Makes an account under a name that was claimed.
    pub(super) async fn make_account(&self, name: Username, password_hash: Box<str>) -> Result<UserId, Refusal> {
        let (skeleton, time) = (name.skeleton().into(), self.clock.now());
        let new = NewAccount { name, skeleton, password_hash, invitation: None, time };
        match self.write(0, |done| Write::CreateAccount(new, done)).await.map_err(|error| unavailable(&error))? {
            Created::New(id) => Ok(id),
            Created::Taken | Created::NotInvited => Err(Code::NameTaken.into()),
        }
    }

    /// Gives an account another password, makes its tokens and certificates void if they shall be, and ends its sessions.
    ///
    /// # Errors
    /// `no_such_user`, `weak_password`; or that nothing can be stored.
    pub async fn set_account_password(
        &self,
        name: &str,
        password: &Secret,
        revoke_tokens: bool,
    ) -> Result<(), Refusal> {
        let account = self.find_account(name).await?;
        let hash = self.passwords.hash(Passwords::check(password, &account.name)?).await?;
        if self.change(Change::Password { user: account.id, hash, revoke_tokens }).await? == 0 {
            return Err(Code::NoSuchUser.into());
        }
        for session in self.online.known(account.id).into_iter().flat_map(|person| person.open_sessions()) {
            session.expel(&Farewell::because("the account has another password"));
        }
        Ok(())
    }

    /// Makes an account an admin, or takes that back.
    ///
    /// # Errors
    /// `no_such_user`; or that nothing can be stored.
    pub async fn set_account_role(&self, name: &str, role: ServerRole) -> Result<(), Refusal> {
        let account = self.find_account(name).await?;
        let act = self.by_operator("server_role", account.name.as_str(), &format!("role={}", role.as_str()));
        if self.change(Change::Role { user: account.id, role, act: Some(act) }).await? == 0 {
            return Err(Code::NoSuchUser.into());
        }
        if let Some(person) = self.online.known(account.id) {
            person.set_role(role);
        }
        Ok(())
    }

    /// Deletes an account. Its rooms stay; where it was the last owner, somebody else is owner first.
    ///
    /// # Errors
    /// `no_such_user`; or that nothing can be stored.
    pub async fn delete_account(&self, name: &str) -> Result<(), Refusal> {
        let account = self.find_account(name).await?;
        let act = self.by_operator("delete_account", account.name.as_str(), "");
        delete_account(self, &user_of(&account), None, Some(act)).await
    }

    /// All accounts, sorted by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_accounts(&self) -> Result<Vec<AccountLine>, Refusal> {
        let mut lines: Vec<AccountLine> = Vec::new();
        loop {
            let after = lines.last().map_or("", |line| line.username.folded()).to_owned();
            let page = self.store.accounts(&after, PAGE).await.map_err(|error| unavailable(&error))?;
            let is_last = page.len() < PAGE;
            let line =
                |account: Account| AccountLine { username: account.name, role: account.role, seen: account.seen };
            lines.extend(page.into_iter().map(line));
            if is_last {
                return Ok(lines);
            }
        }
    }

    async fn find_account(&self, name: &str) -> Result<Account, Refusal> {
        admin::account(self, &self.parse_name(name)?).await
    }

    fn parse_name(&self, name: &str) -> Result<Username, Refusal> {
        Username::parse(name, self.options().names).map_err(|_| Code::BadName.into())
    }

    fn by_operator(&self, act: &str, target: &str, detail: &str) -> Box<Act> {
        Box::new(Act {
            time: self.clock.now(),
            by: OPERATOR.into(),
            act: act.into(),
            room: None,
            room_name: "".into(),
            target: target.into(),
            detail: detail.into(),
        })
    }
}
