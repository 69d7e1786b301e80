//! One line of a room's log.

use std::sync::Arc;

use crate::model::{Line, RoomKind, RoomName, RoomRole, Seq, Text, Time, UserId, Visibility};

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
    /// Somebody said it otherwise.
    Edit {
        /// The message.
        target: Seq,
        /// What it says from here on; gone where it was edited again, or deleted.
        text: Option<Text>,
    },
    /// A message was taken back.
    Delete {
        /// The message.
        target: Seq,
        /// Why, as somebody wrote.
        reason: Option<Line>,
    },
    /// Somebody reacted to a message, or took that back.
    React {
        /// The message.
        target: Seq,
        /// With what.
        emoji: Line,
        /// It was taken back.
        remove: bool,
    },
    /// The room has another topic.
    Topic {
        /// The topic.
        topic: Line,
    },
    /// What somebody is in the room has changed.
    Member {
        /// Whom it is about.
        user: Arc<str>,
        /// The user whom it is about.
        user_id: UserId,
        /// What happened.
        change: MemberChange,
        /// The role that the user has afterwards.
        role: Option<RoomRole>,
        /// Why, as somebody wrote.
        reason: Option<Line>,
        /// When it ends by itself (a ban, a mute).
        until: Option<Time>,
    },
    /// What the room is has changed.
    Room(RoomChange),
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text; empty where it was deleted.
    pub text: Text,
    /// The message that this one answers.
    pub reply_to: Option<Seq>,
    /// Told as a deed ("/me"), not as speech.
    pub action: bool,
    /// Whom of the room's members it names with `@NAME`.
    pub mentions: Box<[Arc<str>]>,
    /// When it was edited last.
    pub edited: Option<Time>,
    /// It was taken back.
    pub deleted: bool,
    /// What others think of it. Only in pages of history: the log has them as entries.
    pub reactions: Box<[Reaction]>,
}

impl Message {
    /// Something new that somebody says.
    pub fn new(text: Text) -> Message {
        Message {
            text,
            reply_to: None,
            action: false,
            mentions: Box::default(),
            edited: None,
            deleted: false,
            reactions: Box::default(),
        }
    }
}

/// What several users think of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// What they think.
    pub emoji: Line,
    /// Who they are, in the order in which they came; at most [`Reaction::MOST_NAMED`] of them.
    pub users: Vec<Arc<str>>,
    /// How many they are.
    pub count: u64,
}

impl Reaction {
    /// So many users are named for each emoji of a message.
    pub const MOST_NAMED: usize = 20;
    /// So many different emoji a message can have.
    pub const MOST_KINDS: usize = 50;
}

/// What has changed about a room. What is `None` stayed as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomChange {
    /// Its new name.
    pub name: Option<RoomName>,
    /// The name that it had before, where it has a new one.
    pub was: Option<RoomName>,
    /// Who finds it, and who may speak in it.
    pub kind: Option<RoomKind>,
    /// What its members see of what was said before they came.
    pub history: Option<Visibility>,
    /// How long a member has to wait between two messages, in seconds.
    pub slow_mode_s: Option<u32>,
    /// How many days an entry is kept; 0 is for ever.
    pub retention_days: Option<u32>,
    /// How many entries are kept; 0 is all.
    pub retention_entries: Option<u64>,
}

/// What happened to somebody in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberChange {
    /// Became a member.
    Join,
    /// Left.
    Leave,
    /// May come in, and is told so.
    Invite,
    /// Was put out.
    Kick,
    /// Was put out, and is kept out.
    Ban,
    /// Is not kept out any more.
    Unban,
    /// May not speak.
    Mute,
    /// May speak again.
    Unmute,
    /// Has another role.
    Role,
}

impl MemberChange {
    const ALL: [MemberChange; 9] = [
        MemberChange::Join,
        MemberChange::Leave,
        MemberChange::Invite,
        MemberChange::Kick,
        MemberChange::Ban,
        MemberChange::Unban,
        MemberChange::Mute,
        MemberChange::Unmute,
        MemberChange::Role,
    ];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            MemberChange::Join => "join",
            MemberChange::Leave => "leave",
            MemberChange::Invite => "invite",
            MemberChange::Kick => "kick",
            MemberChange::Ban => "ban",
            MemberChange::Unban => "unban",
            MemberChange::Mute => "mute",
            MemberChange::Unmute => "unmute",
            MemberChange::Role => "role",
        }
    }

    /// The change of that word.
    pub fn parse(word: &str) -> Option<MemberChange> {
        MemberChange::ALL.into_iter().find(|change| change.as_str() == word)
    }

    /// Whether the user is a member no more afterwards.
    pub fn puts_out(self) -> bool {
        matches!(self, MemberChange::Leave | MemberChange::Kick | MemberChange::Ban)
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
    /// Those nearest to an entry: half of them up to it and half of them behind it, or more where one side has fewer.
    Around(Seq),
}
