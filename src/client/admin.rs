//! Running the server.

use std::time::Duration;

use super::answer::{
    AccountLine, AccountList, Disconnected, InvitationLine, Invitations, LevelIs, LogLevelIs, NewInvite, Reloaded,
    ServerSessionLine, ServerSessions, ServerStatus, SuspensionLine, Suspensions, Word,
};
use super::error::ClientError;
use super::pending::Sort;
use super::wire::{Ask, seconds};
use super::{Client, Sanction, all_pages};
use crate::model::{Level, ServerRole};
use crate::protocol::{Kind, Whom};

/// An invitation to register that is to be made: for one account and for ever, unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewInvitation {
    /// Whom it is for: one line.
    pub label: Option<String>,
    /// How many accounts can be made with it.
    pub count: Option<u32>,
    /// After how long it ends by itself, in whole seconds.
    pub lasting: Option<Duration>,
}

impl NewInvitation {
    /// For one account, and for ever.
    pub fn new() -> NewInvitation {
        NewInvitation::default()
    }

    /// Says whom it is for.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> NewInvitation {
        NewInvitation { label: Some(label.into()), ..self }
    }

    /// For so many accounts.
    #[must_use]
    pub fn count(self, count: u32) -> NewInvitation {
        NewInvitation { count: Some(count), ..self }
    }

    /// With an end.
    #[must_use]
    pub fn lasting(self, lasting: Duration) -> NewInvitation {
        NewInvitation { lasting: Some(lasting), ..self }
    }
}

/// Administration: running the server. All of it is `forbidden` to those who are no admins.
///
/// ```no_run
/// # async fn run(me: snakk::Client) -> Result<(), snakk::client::ClientError> {
/// use snakk::client::{NewInvitation, Sanction, Whom};
/// use snakk::model::Level;
///
/// let invite = me.create_invitation(NewInvitation::new().label("the new ones").count(3)).await?;
/// println!("snakk register --invite {}", invite.invite.0);
/// // A bad day.
/// me.set_level(Level::NoRegistration).await?;
/// me.suspend(&Whom::Address("192.0.2.0/24".into()), Sanction::new().reason("a flood")).await?;
/// # Ok(())
/// # }
/// ```
impl Client {
    /// Makes an invitation to register.
    ///
    /// # Errors
    /// `forbidden`, `bad_text`.
    pub async fn create_invitation(&self, new: NewInvitation) -> Result<NewInvite, ClientError> {
        let ask = Ask::new(Kind::Invitation)
            .with("action", "create")
            .maybe("label", new.label)
            .maybe("count", new.count)
            .maybe("for_s", new.lasting.map(seconds));
        self.ask(ask, Sort::Change).await
    }

    /// The invitations to register, without the words themselves, which nobody can show again.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn invitations(&self) -> Result<Vec<InvitationLine>, ClientError> {
        let answer: Invitations = self.ask(Ask::new(Kind::Invitation).with("action", "list"), Sort::Read).await?;
        Ok(answer.invitations)
    }

    /// Takes an invitation to register back. Accounts that were made with it stay.
    ///
    /// # Errors
    /// `forbidden`, `bad_request` where there is no such invitation.
    pub async fn revoke_invitation(&self, invitation_id: u64) -> Result<(), ClientError> {
        let ask = Ask::new(Kind::Invitation).with("action", "revoke").with("invitation_id", invitation_id);
        self.done(ask, Sort::Change).await
    }

    /// Makes an account an admin, or takes that back.
    ///
    /// # Errors
    /// `forbidden` (also where nobody would be left to run the server), `no_such_user`.
    pub async fn server_role(&self, username: &str, role: ServerRole) -> Result<(), ClientError> {
        let ask = Ask::new(Kind::ServerRole).with("username", username).with("role", role.as_str());
        self.done(ask, Sort::Change).await
    }

    /// Deletes somebody else's account; nobody can ever take its name.
    ///
    /// # Errors
    /// `forbidden`, `no_such_user`.
    pub async fn delete_account_of(&self, username: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::DeleteAccount).with("username", username), Sort::Change).await
    }

    /// Keeps a user or a network out of the server, and ends their sessions.
    ///
    /// # Errors
    /// `forbidden`, `no_such_user`, `bad_request` for what is no address.
    pub async fn suspend(&self, whom: &Whom, sanction: Sanction) -> Result<(), ClientError> {
        self.done(sanction.put(about(Kind::Suspend, whom)), Sort::Change).await
    }

    /// Ends a suspension.
    ///
    /// # Errors
    /// As [`suspend`](Client::suspend).
    pub async fn unsuspend(&self, whom: &Whom) -> Result<(), ClientError> {
        self.done(about(Kind::Unsuspend, whom), Sort::Change).await
    }

    /// Who is kept out of the server.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn suspensions(&self) -> Result<Vec<SuspensionLine>, ClientError> {
        let answer: Suspensions = self.ask(Ask::new(Kind::Suspensions), Sort::Read).await?;
        Ok(answer.suspensions)
    }

    /// Ends the sessions of a user or a network; says how many there were. They may come back.
    ///
    /// # Errors
    /// As [`suspend`](Client::suspend).
    pub async fn disconnect(&self, whom: &Whom, reason: Option<&str>) -> Result<u64, ClientError> {
        let answer: Disconnected =
            self.ask(about(Kind::Disconnect, whom).maybe("reason", reason), Sort::Change).await?;
        Ok(answer.sessions)
    }

    /// How far the server is closed.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn level(&self) -> Result<Word<Level>, ClientError> {
        let answer: LevelIs = self.ask(Ask::new(Kind::Level), Sort::Read).await?;
        Ok(answer.level)
    }

    /// Closes the server so far, until it is opened again.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn set_level(&self, level: Level) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Level).with("level", level.as_str()), Sort::Change).await
    }

    /// Tells everybody who is online something.
    ///
    /// # Errors
    /// `forbidden`, `bad_text`, `text_too_long`.
    pub async fn notice(&self, text: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Notice).with("text", text), Sort::Change).await
    }
}

/// The server as a process, and its accounts.
impl Client {
    /// How the server is doing.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn server_status(&self) -> Result<ServerStatus, ClientError> {
        self.ask(Ask::new(Kind::ServerStatus), Sort::Read).await
    }

    /// The sessions of everybody.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn server_sessions(&self) -> Result<Vec<ServerSessionLine>, ClientError> {
        let place = |line: &ServerSessionLine| line.session_id;
        let next = |after: Option<u64>| async move {
            let ask = Ask::new(Kind::ServerSessions).maybe("after", after);
            let page: ServerSessions = self.ask(ask, Sort::Read).await?;
            Ok((page.sessions, page.more))
        };
        all_pages(place, next).await
    }

    /// All accounts, by their names.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn accounts(&self) -> Result<Vec<AccountLine>, ClientError> {
        let place = |line: &AccountLine| line.username.clone();
        let next = |after: Option<String>| async move {
            let page: AccountList = self.ask(Ask::new(Kind::Accounts).maybe("after", after), Sort::Read).await?;
            Ok((page.accounts, page.more))
        };
        all_pages(place, next).await
    }

    /// Makes an account for somebody, whoever may register.
    ///
    /// # Errors
    /// `forbidden`, `bad_name`, `name_taken`, `weak_password`.
    pub async fn add_account(&self, username: &str, password: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::AddAccount).with("username", username).with("password", password), Sort::Change).await
    }

    /// Gives somebody else's account another password, and ends its sessions. With `revoke_tokens` its tokens and
    /// certificates log nobody in any more.
    ///
    /// # Errors
    /// `forbidden`, also for an admin's; `no_such_user`, `weak_password`.
    pub async fn set_password_of(
        &self,
        username: &str,
        password: &str,
        revoke_tokens: bool,
    ) -> Result<(), ClientError> {
        let ask = Ask::new(Kind::SetPassword).with("username", username).with("password", password);
        self.done(ask.with("revoke_tokens", revoke_tokens), Sort::Change).await
    }

    /// Has the server read its configuration and certificates again.
    ///
    /// # Errors
    /// `forbidden`, also where the server has no such files. What is wrong with them stands in the answer.
    pub async fn reload(&self) -> Result<Reloaded, ClientError> {
        self.ask(Ask::new(Kind::Reload), Sort::Change).await
    }

    /// What the server logs.
    ///
    /// # Errors
    /// `forbidden`, also where the server has no log of its own.
    pub async fn log_level(&self) -> Result<String, ClientError> {
        let answer: LogLevelIs = self.ask(Ask::new(Kind::LogLevel), Sort::Read).await?;
        Ok(answer.level)
    }

    /// Has the server log something else until its next start or reload: a level, or a filter such as
    /// `info,snakk::net=trace`.
    ///
    /// # Errors
    /// `forbidden`; `bad_request` where that is no filter.
    pub async fn set_log_level(&self, level: &str) -> Result<(), ClientError> {
        let ask = Ask::new(Kind::LogLevel).with("level", level);
        self.ask::<LogLevelIs>(ask, Sort::Change).await.map(drop)
    }
}

fn about(kind: Kind, whom: &Whom) -> Ask {
    match whom {
        Whom::Name(name) => Ask::new(kind).with("username", name),
        Whom::Address(address) => Ask::new(kind).with("address", address),
    }
}
