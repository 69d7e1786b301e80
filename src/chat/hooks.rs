//! What the program that the server lives in has to say: a trait whose methods have defaults, and what they are asked and
//! answer with. How they are asked, so that none of them harms anybody else, is in `ask.rs`.

mod ask;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;

use crate::chat::happenings::Happening;
use crate::model::{Fingerprint, Seq, ServerRole};
use crate::protocol::Secret;

pub use ask::{HOOKS, HookFigures, Host};

/// What the program that the server lives in has to say about what happens in it. Each method has a default that lets
/// everything be as it would be without it; write those that you need, as `async fn`.
///
/// **What holds.** The server's own rules are asked as well: a hook forbids, but never allows what the rules refuse. Each
/// call runs on a thread of its own for as long as it takes, but whoever waits for it waits no longer than
/// [`Builder::hook_deadline`](crate::server::Builder::hook_deadline). A hook that panics, blocks or takes too long harms
/// the request that it was asked for, which is answered `internal`, and no other one; both are counted. At most 64 calls are
/// under way at once; the others wait, within their deadline. A call that is late is dropped where it awaits something; one
/// that blocks its thread holds its place until it returns, and the end of the runtime waits for it.
///
/// **Who is asked about.** Everybody who comes in over a listener, whatever it speaks. Clients from
/// [`Server::connect`](crate::Server::connect) are the program's own: what they do is asked about, that they come in is
/// not. Whoever runs the server ([`Server::admin`](crate::Server::admin), the control socket) is not asked about at all.
///
/// # Example
/// ```
/// use snakk::server::{Hooks, NewMessage, Verdict};
///
/// struct Polite;
///
/// impl Hooks for Polite {
///     async fn before_message(&self, message: &NewMessage) -> Verdict {
///         if message.text.contains("damn") {
///             return Verdict::Refuse("mind your language".to_owned());
///         }
///         Verdict::Allow
///     }
/// }
///
/// let server = snakk::Server::builder(snakk::Config::default()).hooks(Polite);
/// ```
pub trait Hooks: Send + Sync + 'static {
    /// Somebody has connected over a listener, and the limits let it in. Whoever is refused is told `forbidden`, and the
    /// connection closes.
    fn on_connect(&self, connection: &Connection) -> impl Future<Output = Decision> + Send {
        let _ = connection;
        async { Decision::Allow }
    }

    /// Somebody wants to log in: with a password, a token, or nothing (a guest). Asked before the server looks at its own
    /// accounts. Suspensions, levels and limits hold for whoever is accepted, too.
    fn authenticate(&self, login: &Login) -> impl Future<Output = Authentication> + Send {
        let _ = login;
        async { Authentication::NotMine }
    }

    /// Somebody wants to do something: every request but `hello`, `ping`, `help`, `login` and `logout`. Asked before it is
    /// done, and before most of the server's own rules are. A `resume` is asked about for each of its rooms, and a course
    /// client's login, which joins the course room, as a `join`.
    fn authorize(&self, attempt: &Attempt) -> impl Future<Output = Decision> + Send {
        let _ = attempt;
        async { Decision::Allow }
    }

    /// Somebody wants to say something, or one of its messages otherwise, and the server's own rules allow it. It may come a
    /// second time for the same message, where a client repeats it: what was stored once stays as it is, whatever is
    /// answered then.
    fn before_message(&self, message: &NewMessage) -> impl Future<Output = Verdict> + Send {
        let _ = message;
        async { Verdict::Allow }
    }

    /// Something has happened, and was committed. Called for one happening after the other, in their order. The chat waits
    /// for nothing here: where this cannot keep up, happenings are left out, and [`Happening::Missed`] says how many.
    fn on_event(&self, event: &Happening) -> impl Future<Output = ()> + Send {
        let _ = event;
        async {}
    }
}

/// Whether something may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// As far as the hook is concerned.
    Allow,
    /// It may not, and this is the reason that the client sees beside the code `forbidden`. (One line of at most 512 bytes;
    /// what is more is cut. Empty is no reason.)
    Refuse(String),
}

/// Whether somebody may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// The server's own rules and accounts decide.
    NotMine,
    /// It is logged in as this.
    Accept(Identity),
    /// It may not: `bad_credentials`, with this reason. Counts as a failed attempt, of which there may be only so many.
    Refuse(String),
}

/// Who somebody is, as the program knows it. The account of that name is made, without a password that anybody could know,
/// if there is none; the role is kept as it is unless [`Identity::admin`] says what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    username: String,
    admin: Option<bool>,
}

impl Identity {
    /// The account of that name, which need not be the one that was asked for.
    pub fn new(username: impl Into<String>) -> Identity {
        Identity { username: username.into(), admin: None }
    }

    /// Makes the account an admin, or takes that back.
    pub fn admin(self, admin: bool) -> Identity {
        Identity { admin: Some(admin), ..self }
    }

    /// The account's name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The role that it is to have on the server.
    pub(crate) fn role(&self) -> Option<ServerRole> {
        self.admin.map(|admin| if admin { ServerRole::Admin } else { ServerRole::User })
    }
}

/// Whether something may be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it is.
    Allow,
    /// With this text instead, for which the same rules hold.
    Change(String),
    /// It may not, and this is the reason that the client sees beside the code `forbidden`.
    Refuse(String),
}

/// A connection that has come in over a listener.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connection {
    /// The address of the other side; none over a Unix socket.
    pub peer: Option<IpAddr>,
    /// It is about to speak TLS.
    pub encrypted: bool,
}

impl Connection {
    /// One from there.
    pub(crate) fn new(peer: Option<IpAddr>, encrypted: bool) -> Connection {
        Connection { peer, encrypted }
    }
}

/// A login.
#[derive(Clone)]
#[non_exhaustive]
pub struct Login {
    /// The name that was given. It fits the rules for names.
    pub username: String,
    /// The password, if one was given. The server does not keep it.
    pub password: Option<Secret>,
    /// The token, if one was given: an account's, a guest's, or one that only the program knows.
    pub token: Option<Secret>,
    /// The certificate that the connection has shown, if it has; whoever has signed it, and for however long. It holds its
    /// key.
    pub certificate: Option<Fingerprint>,
    /// The address of the other side; none over a Unix socket.
    pub peer: Option<IpAddr>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets do not show themselves either; that there is one is all that is said.
        let Login { username, password, token, certificate, peer } = self;
        let mut login = f.debug_struct("Login");
        login.field("username", username).field("password", password).field("token", token);
        login.field("certificate", certificate).field("peer", peer).finish()
    }
}

/// Something that somebody wants to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Who; for `register` the name that is to be made.
    pub username: String,
    /// It is a guest.
    pub guest: bool,
    /// Its role on the server.
    pub role: ServerRole,
    /// The word of the request, as in `docs/protocol.md`.
    pub request: &'static str,
    /// The room, by its name as this user sees it (`@NAME` for a direct conversation); as it was written, where there is
    /// none that this user may see.
    pub room: Option<String>,
    /// Whom or what it is about: a user's name or an address as it was written (names are the same in any case), or the
    /// number of a message.
    pub target: Option<String>,
}

/// Something that somebody wants to say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewMessage {
    /// Who.
    pub username: String,
    /// It is a guest.
    pub guest: bool,
    /// Where, by the room's name as this user sees it (`@NAME` for a direct conversation).
    pub room: String,
    /// The text. It is neither too long nor empty.
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// It is told as a deed ("/me").
    pub action: bool,
    /// It is said instead of this message, which is the user's own if the edit succeeds.
    pub edits: Option<Seq>,
}
