//! Keeping order in a room.

use std::time::Duration;

use super::Client;
use super::answer::{ActsPage, Bans, Placed};
use super::error::ClientError;
use super::pending::Sort;
use super::wire::{Ask, seconds};
use crate::model::{RoomRole, Seq};
use crate::protocol::Kind;

/// Why somebody is kept out or silent, and for how long: for ever and without a word, unless told otherwise.
///
/// ```
/// use std::time::Duration;
/// use snakk::client::Sanction;
///
/// let hour = Sanction::new().reason("shouting").lasting(Duration::from_secs(3600));
/// # assert_eq!(hour.reason.as_deref(), Some("shouting"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sanction {
    /// Why: one line.
    pub reason: Option<String>,
    /// After how long it ends by itself, in whole seconds.
    pub lasting: Option<Duration>,
}

impl Sanction {
    /// For ever, and without a word.
    pub fn new() -> Sanction {
        Sanction::default()
    }

    /// With a reason.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Sanction {
        Sanction { reason: Some(reason.into()), ..self }
    }

    /// With an end.
    #[must_use]
    pub fn lasting(self, lasting: Duration) -> Sanction {
        Sanction { lasting: Some(lasting), ..self }
    }

    pub(super) fn put(self, ask: Ask) -> Ask {
        ask.maybe("reason", self.reason).maybe("for_s", self.lasting.map(seconds))
    }
}

/// Something that is not right, for a room's moderators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The room.
    pub room: String,
    /// The message that it is about.
    pub target: Option<Seq>,
    /// Whom it is about.
    pub username: Option<String>,
    /// What is not right.
    pub reason: Option<String>,
}

impl Report {
    /// Something in a room is not right.
    pub fn new(room: impl Into<String>) -> Report {
        Report { room: room.into(), ..Report::default() }
    }

    /// It is about a message.
    #[must_use]
    pub fn message(self, seq: Seq) -> Report {
        Report { target: Some(seq), ..self }
    }

    /// It is about somebody.
    #[must_use]
    pub fn user(self, username: impl Into<String>) -> Report {
        Report { username: Some(username.into()), ..self }
    }

    /// What is not right.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Report {
        Report { reason: Some(reason.into()), ..self }
    }
}

/// Which page of what was done by moderators and admins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActsQuery {
    /// In this room; in none, what concerns the server.
    pub room: Option<String>,
    /// Those in front of this number.
    pub before: Option<u64>,
    /// At most how many.
    pub limit: Option<u32>,
}

/// Moderation: keeping order in a room. All of it is an entry of the room's log, and holds for every session of whom it
/// is about.
///
/// ```no_run
/// # async fn run(me: snakk::Client) -> Result<(), snakk::client::ClientError> {
/// use std::time::Duration;
/// use snakk::client::Sanction;
///
/// me.mute("lobby", "mallory", Sanction::new().reason("calm down").lasting(Duration::from_secs(600))).await?;
/// for ban in me.bans("lobby").await?.bans {
///     println!("{} until {:?}", ban.username, ban.until);
/// }
/// # Ok(())
/// # }
/// ```
impl Client {
    /// Invites somebody into a room: they may come in where they could not, and are told.
    ///
    /// # Errors
    /// `no_such_user`, `banned` where they are kept out, `forbidden`.
    pub async fn invite(&self, room: &str, username: &str, reason: Option<&str>) -> Result<Placed, ClientError> {
        self.ask(about(Kind::Invite, room, username).maybe("reason", reason), Sort::Change).await
    }

    /// Puts a member out of a room. They may come back.
    ///
    /// # Errors
    /// `no_such_user`, `forbidden` to all but moderators and owners, and towards those who are no less.
    pub async fn kick(&self, room: &str, username: &str, reason: Option<&str>) -> Result<Placed, ClientError> {
        self.ask(about(Kind::Kick, room, username).maybe("reason", reason), Sort::Change).await
    }

    /// Puts somebody out of a room and keeps them out.
    ///
    /// # Errors
    /// As [`kick`](Client::kick).
    pub async fn ban(&self, room: &str, username: &str, sanction: Sanction) -> Result<Placed, ClientError> {
        self.ask(sanction.put(about(Kind::Ban, room, username)), Sort::Change).await
    }

    /// Ends a ban.
    ///
    /// # Errors
    /// As [`kick`](Client::kick).
    pub async fn unban(&self, room: &str, username: &str, reason: Option<&str>) -> Result<Placed, ClientError> {
        self.ask(about(Kind::Unban, room, username).maybe("reason", reason), Sort::Change).await
    }

    /// Lets somebody say nothing in a room.
    ///
    /// # Errors
    /// As [`kick`](Client::kick).
    pub async fn mute(&self, room: &str, username: &str, sanction: Sanction) -> Result<Placed, ClientError> {
        self.ask(sanction.put(about(Kind::Mute, room, username)), Sort::Change).await
    }

    /// Ends a mute.
    ///
    /// # Errors
    /// As [`kick`](Client::kick).
    pub async fn unmute(&self, room: &str, username: &str, reason: Option<&str>) -> Result<Placed, ClientError> {
        self.ask(about(Kind::Unmute, room, username).maybe("reason", reason), Sort::Change).await
    }

    /// Who is banned from a room, and who is muted in it.
    ///
    /// # Errors
    /// `forbidden` to all but moderators and owners.
    pub async fn bans(&self, room: &str) -> Result<Bans, ClientError> {
        self.ask(Ask::new(Kind::Bans).with("room", room), Sort::Read).await
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// `no_such_user`, `forbidden` to all but owners, and to the last of them.
    pub async fn role(
        &self,
        room: &str,
        username: &str,
        role: RoomRole,
        reason: Option<&str>,
    ) -> Result<Placed, ClientError> {
        let ask = about(Kind::Role, room, username).with("role", role.as_str()).maybe("reason", reason);
        self.ask(ask, Sort::Change).await
    }

    /// Tells a room's moderators of something that is not right.
    ///
    /// # Errors
    /// `not_a_member`, `no_such_message`, `no_such_user`.
    pub async fn report(&self, report: Report) -> Result<(), ClientError> {
        let ask = Ask::new(Kind::Report)
            .with("room", &report.room)
            .maybe("target", report.target.map(|seq| seq.0))
            .maybe("username", report.username)
            .maybe("reason", report.reason);
        self.done(ask, Sort::Change).await
    }

    /// What moderators and admins did, and what was reported to them, newest first: of a room to those who keep order in
    /// it, of the server to its admins.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn acts(&self, query: ActsQuery) -> Result<ActsPage, ClientError> {
        let ask = Ask::new(Kind::Acts).maybe("room", query.room).maybe("before", query.before);
        self.ask(ask.maybe("limit", query.limit), Sort::Read).await
    }
}

fn about(kind: Kind, room: &str, username: &str) -> Ask {
    Ask::new(kind).with("room", room).with("username", username)
}
