//! Words out of a list that may grow: those that this version knows, and the others as they came.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::model::{Level, MemberChange, RoomKind, RoomRole, ServerRole, Visibility};

/// One of the words that the protocol has for something.
///
/// ```
/// use snakk::client::Word;
/// use snakk::model::RoomRole;
///
/// let role: Word<RoomRole> = Word::from("owner");
/// assert_eq!(role, RoomRole::Owner);
/// // A later version may know more of them.
/// assert_eq!(Word::<RoomRole>::from("emperor").as_str(), "emperor");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word<T> {
    /// One that this version knows.
    Known(T),
    /// One of a later version, as it came; empty where the server said nothing.
    Other(String),
}

/// What has a word on the wire.
pub trait Worded: Copy + Eq + 'static {
    /// The word.
    fn word(self) -> &'static str;

    /// What has that word.
    fn of_word(word: &str) -> Option<Self>;
}

macro_rules! worded {
    ($($name:ident),*) => {
        $(impl Worded for $name {
            fn word(self) -> &'static str {
                self.as_str()
            }

            fn of_word(word: &str) -> Option<$name> {
                $name::parse(word)
            }
        })*
    };
}

worded!(Level, MemberChange, RoomKind, RoomRole, ServerRole, Status, Visibility);

/// Whether somebody is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// There.
    #[default]
    Online,
    /// Connected, but not there.
    Away,
    /// Not connected.
    Offline,
}

impl Status {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Online => "online",
            Status::Away => "away",
            Status::Offline => "offline",
        }
    }

    /// The status of that word.
    pub fn parse(word: &str) -> Option<Status> {
        [Status::Online, Status::Away, Status::Offline].into_iter().find(|status| status.as_str() == word)
    }
}

impl<T: Worded> Word<T> {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Word::Known(known) => known.word(),
            Word::Other(word) => word,
        }
    }

    /// What it means, where this version knows it.
    pub fn known(&self) -> Option<T> {
        match self {
            Word::Known(known) => Some(*known),
            Word::Other(_) => None,
        }
    }
}

impl<T: Worded> From<&str> for Word<T> {
    fn from(word: &str) -> Word<T> {
        T::of_word(word).map_or_else(|| Word::Other(word.to_owned()), Word::Known)
    }
}

impl<T> Default for Word<T> {
    fn default() -> Word<T> {
        Word::Other(String::new())
    }
}

impl<T: Worded> PartialEq<T> for Word<T> {
    fn eq(&self, other: &T) -> bool {
        self.known() == Some(*other)
    }
}

impl<T: Worded> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de, T: Worded> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Word<T>, D::Error> {
        Ok(Word::from(String::deserialize(from)?.as_str()))
    }
}
