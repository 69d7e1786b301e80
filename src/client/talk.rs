//! What follows on something that was said: changing it, finding it, having read it; and being there. Posting is in
//! `post.rs`.

use super::Client;
use super::answer::{Found, Page, Placed, ReadMark, Status};
use super::error::ClientError;
use super::pending::Sort;
use super::wire::Ask;
use crate::model::{Anchor, Seq};
use crate::protocol::Kind;

/// Which page of a room's history, and how long it may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Which messages.
    pub anchor: Anchor,
    /// At most how many; the server takes 50 unless told otherwise, and at most 500.
    pub limit: Option<u32>,
}

impl HistoryQuery {
    /// The page there.
    pub fn at(anchor: Anchor) -> HistoryQuery {
        HistoryQuery { anchor, limit: None }
    }

    /// With at most so many messages.
    #[must_use]
    pub fn limit(self, limit: u32) -> HistoryQuery {
        HistoryQuery { limit: Some(limit), ..self }
    }
}

/// What is searched for, and where.
///
/// ```
/// use snakk::client::SearchQuery;
///
/// let query = SearchQuery::new("\"release notes\" -draft").room("dev").from("ann").limit(20);
/// # assert_eq!(query.after, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// The words, in the server's little language: `"a phrase"`, `-without`, `begin*`, `from:NAME`, `in:ROOM`, `before:DAY`,
    /// `after:DAY`, `has:link`.
    pub query: String,
    /// Only in this room; in every one that the user may read otherwise.
    pub room: Option<String>,
    /// Only what that user said.
    pub from: Option<String>,
    /// Only in front of that entry; goes with a room.
    pub before: Option<Seq>,
    /// Behind the last page: its [`next`](Found::next).
    pub after: Option<u64>,
    /// At most how many.
    pub limit: Option<u32>,
}

impl SearchQuery {
    /// Everywhere, by everybody.
    pub fn new(query: impl Into<String>) -> SearchQuery {
        SearchQuery { query: query.into(), ..SearchQuery::default() }
    }

    /// Only in that room.
    #[must_use]
    pub fn room(self, room: impl Into<String>) -> SearchQuery {
        SearchQuery { room: Some(room.into()), ..self }
    }

    /// Only what that user said.
    #[must_use]
    pub fn from(self, from: impl Into<String>) -> SearchQuery {
        SearchQuery { from: Some(from.into()), ..self }
    }

    /// Only in front of an entry of the room.
    #[must_use]
    pub fn before(self, seq: Seq) -> SearchQuery {
        SearchQuery { before: Some(seq), ..self }
    }

    /// Behind the last page: its [`next`](Found::next).
    #[must_use]
    pub fn after(self, next: u64) -> SearchQuery {
        SearchQuery { after: Some(next), ..self }
    }

    /// At most so many.
    #[must_use]
    pub fn limit(self, limit: u32) -> SearchQuery {
        SearchQuery { limit: Some(limit), ..self }
    }
}

/// Talking: what was said, what became of it, and who is there.
///
/// ```no_run
/// # async fn run(me: snakk::Client) -> Result<(), snakk::client::ClientError> {
/// use snakk::client::{Draft, HistoryQuery, SearchQuery, Status};
///
/// let sent = me.post(Draft::new("lobby", "waves").action()).await?;
/// me.edit("lobby", sent.seq, "waves with both hands").await?;
/// me.react("lobby", sent.seq, "👋").await?;
/// let found = me.search(SearchQuery::new("hands").room("lobby")).await?;
/// for hit in &found.messages {
///     println!("{} {}: {}", hit.message.room, hit.message.from, hit.snippet);
/// }
/// let page = me.history("lobby", HistoryQuery::default().limit(100)).await?;
/// me.read("lobby", page.head).await?;
/// me.status(Status::Away, Some("lunch")).await?;
/// # Ok(())
/// # }
/// ```
impl Client {
    /// Says one of one's own messages otherwise. Not repeated after a lost connection: look before you do it again.
    ///
    /// # Errors
    /// `no_such_message`, `forbidden` to all but its author, `muted`, `bad_text`, `text_too_long`.
    pub async fn edit(&self, room: &str, target: Seq, text: &str) -> Result<Placed, ClientError> {
        self.ask(at(Kind::Edit, room, target).with("text", text), Sort::Change).await
    }

    /// Takes a message back. Its text is gone for everybody, and for ever.
    ///
    /// # Errors
    /// `no_such_message`, `forbidden` to all but its author and those who keep order.
    pub async fn delete(&self, room: &str, target: Seq, reason: Option<&str>) -> Result<Placed, ClientError> {
        self.ask(at(Kind::Delete, room, target).maybe("reason", reason), Sort::Change).await
    }

    /// Reacts to a message.
    ///
    /// # Errors
    /// `no_such_message`, `muted`, `bad_text`, `forbidden` where the message has as many different ones as it may.
    pub async fn react(&self, room: &str, target: Seq, emoji: &str) -> Result<Placed, ClientError> {
        self.ask(at(Kind::React, room, target).with("emoji", emoji), Sort::Change).await
    }

    /// Takes a reaction back.
    ///
    /// # Errors
    /// As [`react`](Client::react).
    pub async fn unreact(&self, room: &str, target: Seq, emoji: &str) -> Result<Placed, ClientError> {
        self.ask(at(Kind::React, room, target).with("emoji", emoji).with("remove", true), Sort::Change).await
    }

    /// A page of a room's history. To go on, ask for what is [`Anchor::Before`] its [`oldest`](Page::oldest) message or
    /// [`Anchor::After`] its [`newest`](Page::newest), as long as it says that there is [`more`](Page::more).
    ///
    /// # Errors
    /// `not_a_member` where the room is not open to everybody.
    pub async fn history(&self, room: &str, query: HistoryQuery) -> Result<Page, ClientError> {
        let ask = Ask::new(Kind::History).with("room", room);
        let ask = match query.anchor {
            Anchor::Newest => ask,
            Anchor::Before(seq) => ask.with("before", seq.0),
            Anchor::After(seq) => ask.with("after", seq.0),
            Anchor::Around(seq) => ask.with("around", seq.0),
        };
        let mut page: Page = self.ask(ask.maybe("limit", query.limit), Sort::Read).await?;
        for message in &mut page.messages {
            if message.room.is_empty() {
                message.room.clone_from(&page.room);
            }
        }
        page.oldest = page.messages.first().map(|message| message.seq);
        page.newest = page.messages.last().map(|message| message.seq);
        page.count = page.messages.len();
        if !self.inner.show_blocked {
            self.known().blocked.hide_in_page(&mut page);
        }
        Ok(page)
    }

    /// Finds messages, newest first: everything that was acknowledged before this was asked. To go on, ask the same
    /// [`after`](SearchQuery::after) the [`next`](Found::next) of the last page, as long as there is [`more`](Found::more): a
    /// page may be empty and not the last one.
    ///
    /// # Errors
    /// `bad_request` where the query cannot be read, `not_a_member`, `rate_limited`.
    pub async fn search(&self, query: SearchQuery) -> Result<Found, ClientError> {
        let ask = Ask::new(Kind::Search)
            .with("query", &query.query)
            .maybe("room", query.room)
            .maybe("from", query.from)
            .maybe("before", query.before.map(|seq| seq.0))
            .maybe("after", query.after)
            .maybe("limit", query.limit);
        let mut found: Found = self.ask(ask, Sort::Read).await?;
        if !self.inner.show_blocked {
            self.known().blocked.hide_in_found(&mut found);
        }
        Ok(found)
    }

    /// Says up to where this user has read a room; it never goes back. The user's other sessions are told.
    ///
    /// # Errors
    /// `not_a_member`.
    pub async fn read(&self, room: &str, seq: Seq) -> Result<ReadMark, ClientError> {
        self.ask(Ask::new(Kind::Read).with("room", room).with("seq", seq.0), Sort::Change).await
    }

    /// Tells a room's followers that this user is typing, no more than every three seconds: what comes earlier is dropped.
    ///
    /// # Errors
    /// `not_a_member`.
    pub async fn typing(&self, room: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Typing).with("room", room), Sort::Change).await
    }

    /// Says whether this user is there: online or away, and what there is to say about it.
    ///
    /// # Errors
    /// `bad_text`; `bad_request` for [`Status::Offline`], which only the end of a session is.
    pub async fn status(&self, status: Status, text: Option<&str>) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::Status).with("status", status.as_str()).maybe("text", text), Sort::Change).await
    }
}

fn at(kind: Kind, room: &str, target: Seq) -> Ask {
    Ask::new(kind).with("room", room).with("target", target.0)
}
