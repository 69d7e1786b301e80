//! Who this session is, and what belongs to one's own account.

use std::time::Duration;

use super::Client;
use super::answer::{LoggedIn, NewCertificate, NewToken, OwnSession, Sessions, TokenLine, Tokens, Whoami};
use super::builder::Identity;
use super::error::ClientError;
use super::pending::Sort;
use super::wire::{Ask, seconds};
use crate::model::Fingerprint;
use crate::protocol::{Kind, Secret};

/// Accounts: who this session is, and what belongs to an account.
///
/// ```no_run
/// # async fn run() -> Result<(), snakk::client::ClientError> {
/// use std::time::Duration;
/// use snakk::Client;
///
/// let me = Client::builder("127.0.0.1:9998").username("bob").password("correct horse").connect().await?;
/// // A program of mine logs in by a token, which can be taken back without changing the password.
/// let day = Duration::from_secs(24 * 60 * 60);
/// let made = me.create_token("the build server", Some(90 * day)).await?;
/// let bot = Client::builder("127.0.0.1:9998").username("bob").token(made.token.0).connect().await?;
/// // Whose noise I have heard enough of.
/// me.block("mallory").await?;
/// for session in me.sessions().await?.iter().filter(|session| !session.current) {
///     me.close_session(session.session_id).await?;
/// }
/// # Ok(())
/// # }
/// ```
impl Client {
    /// Logs in: to an account with its password, or as a guest without one. Not needed after
    /// [`Builder::username`](super::Builder::username).
    ///
    /// # Errors
    /// [`ClientError::LoginRefused`]: `bad_credentials`, `name_taken`, `bad_name`, `banned` (with
    /// [`reason`](ClientError::reason) and [`until`](ClientError::until)), `already_logged_in`.
    pub async fn login(&self, username: &str, password: Option<&str>) -> Result<LoggedIn, ClientError> {
        let identity = Identity::new(username, password.map(|password| Secret(password.into())));
        let ask = Ask::new(Kind::Login).with("username", username).maybe("password", password);
        self.ask(ask, Sort::Login(identity)).await
    }

    /// Logs in by a token: to an account, or as the guest that got it at its last login.
    ///
    /// # Errors
    /// As [`login`](Client::login).
    pub async fn login_with_token(&self, username: &str, token: &str) -> Result<LoggedIn, ClientError> {
        let identity = Identity::Token { username: username.into(), token: Secret(token.into()) };
        let ask = Ask::new(Kind::Login).with("username", username).with("token", token);
        self.ask(ask, Sort::Login(identity)).await
    }

    /// Logs in to an account that knows the certificate which this connection shows
    /// ([`Builder::certificate`](super::Builder::certificate)).
    ///
    /// # Errors
    /// As [`login`](Client::login): `bad_credentials` also where the connection shows none.
    pub async fn login_with_certificate(&self, username: &str) -> Result<LoggedIn, ClientError> {
        let ask = Ask::new(Kind::Login).with("username", username).with("certificate", true);
        self.ask(ask, Sort::Login(Identity::Certificate { username: username.into() })).await
    }

    /// Makes an account and logs in to it. Nobody may be logged in on this session before (a client that was built
    /// without a name). `invite` is needed where [`Accounts::registration`](super::Accounts::registration) is "invite".
    ///
    /// # Errors
    /// [`ClientError::LoginRefused`]: `registration_closed`, `name_taken`, `bad_name`, `weak_password`, `bad_credentials`.
    pub async fn register(
        &self,
        username: &str,
        password: &str,
        invite: Option<&str>,
    ) -> Result<LoggedIn, ClientError> {
        let identity = Identity::new(username, Some(Secret(password.into())));
        let ask = Ask::new(Kind::Register).with("username", username).with("password", password);
        self.ask(ask.maybe("invite", invite), Sort::Login(identity)).await
    }

    /// Logs out. The connection stays; a guest's name is free when this returns.
    ///
    /// # Errors
    /// What holds for every request.
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Logout), Sort::Logout).await
    }

    /// Asks who this session is.
    ///
    /// # Errors
    /// What holds for every request.
    pub async fn whoami(&self) -> Result<Whoami, ClientError> {
        self.ask(Ask::new(Kind::Whoami), Sort::Read).await
    }

    /// Gives this account another password, and ends its other sessions. This client logs in with the new one when it
    /// reconnects.
    ///
    /// # Errors
    /// `bad_credentials` where the old one is wrong, `weak_password`, `forbidden` to guests.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Password).with("old", old).with("new", new), Sort::Password(Secret(new.into()))).await
    }

    /// Makes a token, by which a program logs in to this account without its password: for ever, or for so long (in
    /// whole seconds).
    ///
    /// # Errors
    /// `forbidden` to guests, `bad_text`.
    pub async fn create_token(&self, label: &str, lasting: Option<Duration>) -> Result<NewToken, ClientError> {
        let ask = Ask::new(Kind::Token).with("action", "create").with("label", label);
        self.ask(ask.maybe("for_s", lasting.map(seconds)), Sort::Change).await
    }

    /// Lets the certificate that this connection shows ([`Builder::certificate`](super::Builder::certificate)) log in to this
    /// account without its password: for ever, or for so long (in whole seconds). One that may do so already gets this
    /// label and this end.
    ///
    /// # Errors
    /// `bad_request` where the connection shows none; `forbidden` to guests, `bad_text`.
    pub async fn add_certificate(&self, label: &str, lasting: Option<Duration>) -> Result<NewCertificate, ClientError> {
        self.certificate(None, label, lasting).await
    }

    /// The same for a certificate of which only the fingerprint is known: one of another machine.
    ///
    /// # Errors
    /// `forbidden` to guests, `bad_text`.
    pub async fn add_certificate_of(
        &self,
        fingerprint: Fingerprint,
        label: &str,
        lasting: Option<Duration>,
    ) -> Result<NewCertificate, ClientError> {
        self.certificate(Some(fingerprint), label, lasting).await
    }

    async fn certificate(
        &self,
        fingerprint: Option<Fingerprint>,
        label: &str,
        lasting: Option<Duration>,
    ) -> Result<NewCertificate, ClientError> {
        let ask = Ask::new(Kind::Token).with("action", "certificate").with("label", label);
        let ask = ask.maybe("fingerprint", fingerprint.map(|fingerprint| fingerprint.to_string()));
        self.ask(ask.maybe("for_s", lasting.map(seconds)), Sort::Change).await
    }

    /// The tokens and certificates of this account; without the words themselves, which nobody can show again.
    ///
    /// # Errors
    /// `forbidden` to guests.
    pub async fn tokens(&self) -> Result<Vec<TokenLine>, ClientError> {
        let answer: Tokens = self.ask(Ask::new(Kind::Token).with("action", "list"), Sort::Read).await?;
        Ok(answer.tokens)
    }

    /// Takes a token or certificate back, and ends the sessions that logged in by it.
    ///
    /// # Errors
    /// `bad_request` where there is none of that id.
    pub async fn revoke_token(&self, token_id: u64) -> Result<(), ClientError> {
        let ask = Ask::new(Kind::Token).with("action", "revoke").with("token_id", token_id);
        self.done(ask, Sort::Change).await
    }

    /// The sessions of this account.
    ///
    /// # Errors
    /// `forbidden` to guests.
    pub async fn sessions(&self) -> Result<Vec<OwnSession>, ClientError> {
        let answer: Sessions = self.ask(Ask::new(Kind::Sessions), Sort::Read).await?;
        Ok(answer.sessions)
    }

    /// Ends one of this account's sessions; says which are left.
    ///
    /// # Errors
    /// `forbidden` to guests, `bad_request` where there is no such session.
    pub async fn close_session(&self, session_id: u64) -> Result<Vec<OwnSession>, ClientError> {
        let answer: Sessions = self.ask(Ask::new(Kind::Sessions).with("close", session_id), Sort::Change).await?;
        Ok(answer.sessions)
    }

    /// Deletes this account, and ends its sessions; nobody can ever take its name. What it said stays. A client that
    /// reconnects is nobody afterwards.
    ///
    /// # Errors
    /// `bad_credentials` where the password is wrong, `forbidden` to guests.
    pub async fn delete_account(&self, password: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::DeleteAccount).with("password", password), Sort::Logout).await
    }

    /// Hears nothing more of somebody. The server lets no direct conversation and no invitation of theirs through and
    /// counts nothing of theirs as unread; in rooms their entries still arrive, for a log has no gaps, and this client
    /// hides them (see [`Builder::show_blocked`](super::Builder::show_blocked)).
    ///
    /// # Errors
    /// `no_such_user`, `forbidden` to guests.
    pub async fn block(&self, username: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Block).with("username", username), Sort::Block(username.into())).await
    }

    /// Hears of somebody again.
    ///
    /// # Errors
    /// `no_such_user`, `forbidden` to guests.
    pub async fn unblock(&self, username: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Unblock).with("username", username), Sort::Unblock(username.into())).await
    }

    /// Of whom this user wants to hear nothing: as the last login told it, and as this client has changed it since.
    pub fn blocked(&self) -> Vec<String> {
        self.known().blocked.names()
    }
}
