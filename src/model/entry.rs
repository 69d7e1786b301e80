//! One line of a room's log.

use std::sync::Arc;

use crate::model::{Line, RoomRole, Seq, Text, Time, UserId};

/// One line of a room's log, of any kind. It belongs to a room and is named by its `seq` there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log.
    pub seq: Seq,
    /// When it was accepted. Never falls within a room, whatever the clock does.
    pub time: Time,
    /// Who wrote it.
    pub author: UserId,
    /// The author's name at that time.
    pub from: Arc<str>,
    /// What it says.
    pub body: Body,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// Somebody said something.
    Message(Message),
    /// An account became a member, or stopped being one.
    Member {
        /// Whom it is about.
        user: Arc<str>,
        /// The account whom it is about.
        user_id: UserId,
        /// What happened.
        change: MemberChange,
        /// The role that the user has afterwards.
        role: Option<RoomRole>,
        /// Why, as somebody wrote.
        reason: Option<Line>,
    },
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text.
    pub text: Text,
    /// The message that this one answers.
    pub reply_to: Option<Seq>,
    /// Told as a deed ("/me"), not as speech.
    pub action: bool,
}

/// How a membership changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberChange {
    /// Became a member.
    Join,
    /// Left.
    Leave,
}

impl MemberChange {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            MemberChange::Join => "join",
            MemberChange::Leave => "leave",
        }
    }

    /// The change of that word.
    pub fn parse(word: &str) -> Option<MemberChange> {
        [MemberChange::Join, MemberChange::Leave].into_iter().find(|change| change.as_str() == word)
    }
}

/// Which page of a room's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The newest messages.
    #[default]
    Newest,
    /// Those in front of an entry.
    Before(Seq),
    /// Those behind an entry.
    After(Seq),
    /// Half of them up to an entry, half of them behind it.
    Around(Seq),
}
