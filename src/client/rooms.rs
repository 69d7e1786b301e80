//! Rooms: which there are, who is in them, what they are, and following them.

use std::collections::BTreeMap;

use super::answer::{
    Created, Joined, NameLine, NamesPage, Placed, Resumed, ResumedRoom, Room, RoomIs, RoomLine, RoomsPage,
};
use super::error::ClientError;
use super::pending::Sort;
use super::wire::{Ask, Place};
use super::{Client, all_pages};
use crate::model::{RoomKind, Seq, Visibility};
use crate::protocol::Kind;

/// Where a joined room's events start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the next entry; where the room is followed already they simply go on.
    #[default]
    Now,
    /// Behind an entry.
    Since {
        /// The last entry that was seen; 0 for none.
        seq: Seq,
        /// The room's epoch at that time, where it is known.
        epoch: Option<String>,
    },
    /// With the last so many entries.
    Backlog(u64),
}

/// A room that is to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRoom {
    /// Its name.
    pub room: String,
    /// Who finds it, and who may speak in it: everybody, unless told otherwise.
    pub kind: RoomKind,
    /// What it is about.
    pub topic: String,
}

impl NewRoom {
    /// A public room without a topic.
    pub fn new(room: impl Into<String>) -> NewRoom {
        NewRoom { room: room.into(), ..NewRoom::default() }
    }

    /// Of another kind.
    #[must_use]
    pub fn kind(self, kind: RoomKind) -> NewRoom {
        NewRoom { kind, ..self }
    }

    /// With a topic.
    #[must_use]
    pub fn topic(self, topic: impl Into<String>) -> NewRoom {
        NewRoom { topic: topic.into(), ..self }
    }
}

/// What of a room is to be changed. What is not set stays as it is.
///
/// ```
/// use snakk::client::RoomSettings;
/// use snakk::model::RoomKind;
///
/// let quiet = RoomSettings::new().kind(RoomKind::Private).slow_mode_s(30).retention_days(90);
/// # assert_eq!(quiet.name, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomSettings {
    /// Another name. What was said stays.
    pub name: Option<String>,
    /// Who finds it, and who may speak in it.
    pub kind: Option<RoomKind>,
    /// What its members see of what was said before they came.
    pub history: Option<Visibility>,
    /// How long a member has to wait between two messages, in seconds; 0 is not at all.
    pub slow_mode_s: Option<u32>,
    /// How many days an entry is kept; 0 is as long as the server keeps it.
    pub retention_days: Option<u32>,
    /// How many entries are kept; 0 is as many as the server keeps.
    pub retention_entries: Option<u64>,
}

impl RoomSettings {
    /// Nothing is to be changed.
    pub fn new() -> RoomSettings {
        RoomSettings::default()
    }

    /// Gives it another name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> RoomSettings {
        RoomSettings { name: Some(name.into()), ..self }
    }

    /// Changes who finds it, and who may speak in it.
    #[must_use]
    pub fn kind(self, kind: RoomKind) -> RoomSettings {
        RoomSettings { kind: Some(kind), ..self }
    }

    /// Changes what its members see of what was said before they came.
    #[must_use]
    pub fn history(self, history: Visibility) -> RoomSettings {
        RoomSettings { history: Some(history), ..self }
    }

    /// Changes how many seconds a member has to wait between two messages.
    #[must_use]
    pub fn slow_mode_s(self, seconds: u32) -> RoomSettings {
        RoomSettings { slow_mode_s: Some(seconds), ..self }
    }

    /// Changes how many days an entry is kept.
    #[must_use]
    pub fn retention_days(self, days: u32) -> RoomSettings {
        RoomSettings { retention_days: Some(days), ..self }
    }

    /// Changes how many entries are kept.
    #[must_use]
    pub fn retention_entries(self, entries: u64) -> RoomSettings {
        RoomSettings { retention_entries: Some(entries), ..self }
    }
}

/// Rooms: which there are, who is in them, what they are, and following them. A direct conversation is the room `@NAME`.
///
/// ```no_run
/// # async fn run(me: snakk::Client) -> Result<(), snakk::client::ClientError> {
/// use snakk::client::{NewRoom, RoomSettings, Start};
/// use snakk::model::{RoomKind, Visibility};
///
/// me.create_with(NewRoom::new("den").kind(RoomKind::Private).topic("what nobody may know")).await?;
/// me.change_room("den", RoomSettings::new().history(Visibility::Joined).retention_days(30)).await?;
/// let joined = me.join_with("den", Start::Backlog(50)).await?;
/// println!("{}: {}", joined.room, joined.topic);
/// # Ok(())
/// # }
/// ```
impl Client {
    /// All rooms that this user may see.
    ///
    /// # Errors
    /// What holds for every request.
    pub async fn rooms(&self) -> Result<Vec<RoomLine>, ClientError> {
        let place = |line: &RoomLine| line.room.clone();
        let next = |after: Option<String>| async move {
            let page = self.rooms_after(after.as_deref()).await?;
            Ok((page.rooms, page.more))
        };
        all_pages(place, next).await
    }

    /// One page of the rooms, behind a name.
    ///
    /// # Errors
    /// What holds for every request.
    pub async fn rooms_after(&self, after: Option<&str>) -> Result<RoomsPage, ClientError> {
        self.ask(Ask::new(Kind::Rooms).maybe("after", after), Sort::Read).await
    }

    /// All members of a room, or everybody who is online.
    ///
    /// # Errors
    /// `not_a_member` where the room is not open to everybody.
    pub async fn names(&self, room: Option<&str>) -> Result<Vec<NameLine>, ClientError> {
        let place = |line: &NameLine| line.name.clone();
        let next = |after: Option<String>| async move {
            let page = self.names_after(room, after.as_deref()).await?;
            Ok((page.names, page.more))
        };
        all_pages(place, next).await
    }

    /// One page of the names, behind a name.
    ///
    /// # Errors
    /// As [`names`](Client::names).
    pub async fn names_after(&self, room: Option<&str>, after: Option<&str>) -> Result<NamesPage, ClientError> {
        self.ask(Ask::new(Kind::Names).maybe("room", room).maybe("after", after), Sort::Read).await
    }

    /// Makes a public room and becomes a member of it, without following it.
    ///
    /// # Errors
    /// As [`create_with`](Client::create_with).
    pub async fn create(&self, room: &str, topic: &str) -> Result<Created, ClientError> {
        self.create_with(NewRoom::new(room).topic(topic)).await
    }

    /// Makes a room and becomes its owner, without following it. (A room that a guest makes has no owner.)
    ///
    /// # Errors
    /// `room_exists`, `bad_name`, `forbidden`.
    pub async fn create_with(&self, new: NewRoom) -> Result<Created, ClientError> {
        let kind = (new.kind != RoomKind::Public).then(|| new.kind.as_str());
        let topic = (!new.topic.is_empty()).then_some(&new.topic);
        let ask = Ask::new(Kind::Create).with("room", &new.room).maybe("kind", kind).maybe("topic", topic);
        self.ask(ask, Sort::Change).await
    }

    /// Becomes a member of a room and follows it from its next entry on.
    ///
    /// # Errors
    /// As [`join_with`](Client::join_with).
    pub async fn join(&self, room: &str) -> Result<Joined, ClientError> {
        self.join_with(room, Start::Now).await
    }

    /// Becomes a member of a room and follows it from a place in its log on.
    ///
    /// # Errors
    /// `no_such_room` (also where this user may not see it), `banned` (with [`reason`](ClientError::reason) and
    /// [`until`](ClientError::until)).
    pub async fn join_with(&self, room: &str, start: Start) -> Result<Joined, ClientError> {
        let ask = Ask::new(Kind::Join).with("room", room);
        let ask = match &start {
            Start::Now => ask,
            Start::Since { seq, epoch } => ask.with("since", seq.0).maybe("epoch", epoch.as_ref()),
            Start::Backlog(count) => ask.with("backlog", count),
        };
        self.ask(ask, Sort::Join(start)).await
    }

    /// Follows several rooms at once, each from behind the entry that was seen last (and in the epoch of that time,
    /// where it is known), as a program does that remembers what it showed. Not needed after a lost connection: a client
    /// that reconnects does it by itself. An account stays a member while it is away; a room of which it is none any more
    /// is [`ResumedRoom::Refused`].
    ///
    /// # Errors
    /// What holds for every request. [`ClientError::TooLarge`] where there are some hundreds of rooms: ask for them in
    /// parts.
    pub async fn resume(&self, rooms: &[(&str, Seq, Option<&str>)]) -> Result<Vec<ResumedRoom>, ClientError> {
        let places: BTreeMap<&str, Place<'_>> =
            rooms.iter().map(|&(room, seq, epoch)| (room, Place { since: seq.0, epoch })).collect();
        let starts = rooms
            .iter()
            .map(|&(room, seq, epoch)| (room.to_owned(), Start::Since { seq, epoch: epoch.map(str::to_owned) }));
        let ask = Ask::new(Kind::Resume).with("rooms", places);
        let answer: Resumed = self.ask(ask, Sort::Rooms(starts.collect())).await?;
        Ok(answer.rooms)
    }

    /// Stops following a room; the membership stays.
    ///
    /// # Errors
    /// What holds for every request.
    pub async fn unfollow(&self, room: &str) -> Result<(), ClientError> {
        self.ask::<Room>(Ask::new(Kind::Unfollow).with("room", room), Sort::Unfollow).await.map(drop)
    }

    /// Ends the membership in a room. The last owner hands it to another member.
    ///
    /// # Errors
    /// `not_a_member`.
    pub async fn leave(&self, room: &str) -> Result<(), ClientError> {
        self.ask::<Room>(Ask::new(Kind::Leave).with("room", room), Sort::Leave).await.map(drop)
    }

    /// Says what a room is about.
    ///
    /// # Errors
    /// `not_a_member`, `muted`, `forbidden`, `bad_text`.
    pub async fn topic(&self, room: &str, topic: &str) -> Result<Placed, ClientError> {
        self.ask(Ask::new(Kind::Topic).with("room", room).with("topic", topic), Sort::Change).await
    }

    /// Asks what a room is.
    ///
    /// # Errors
    /// `no_such_room`.
    pub async fn room(&self, room: &str) -> Result<RoomIs, ClientError> {
        self.ask(Ask::new(Kind::Room).with("room", room), Sort::Read).await
    }

    /// Changes what a room is. Settings that change nothing are refused here, for without a change the server would
    /// only say what the room is.
    ///
    /// # Errors
    /// `forbidden` to all but owners; `room_exists` and `bad_name` of a new name; [`ClientError::Protocol`] where nothing
    /// is to be changed.
    pub async fn change_room(&self, room: &str, settings: RoomSettings) -> Result<Placed, ClientError> {
        if settings == RoomSettings::default() {
            return Err(super::wire::protocol("there is nothing to change"));
        }
        let ask = Ask::new(Kind::Room)
            .with("room", room)
            .maybe("name", settings.name)
            .maybe("kind", settings.kind.map(RoomKind::as_str))
            .maybe("history", settings.history.map(Visibility::as_str))
            .maybe("slow_mode_s", settings.slow_mode_s)
            .maybe("retention_days", settings.retention_days)
            .maybe("retention_entries", settings.retention_entries);
        self.ask(ask, Sort::Change).await
    }

    /// Deletes a room and everything that was said in it. Who followed it is told [`Event::Removed`](super::Event::Removed).
    ///
    /// # Errors
    /// `forbidden` to all but owners.
    pub async fn delete_room(&self, room: &str) -> Result<(), ClientError> {
        self.done(Ask::new(Kind::DeleteRoom).with("room", room), Sort::Change).await
    }
}
