//! The keys of a request, by type. Each is `bad_request` with its name where the value does not fit.

use std::borrow::Cow;

use crate::model::{RoomName, Seq};
use crate::protocol::object::{Fields, natural, string};
use crate::protocol::{Code, Refusal, Secret};

/// The most bytes of an id, a nonce, an epoch.
pub(super) const MAX_WORD_BYTES: usize = 64;
/// The most unknown keys that an answer names.
pub(super) const MAX_IGNORED: usize = 16;
/// The longest time that something can be given, in seconds: a hundred years.
const MAX_FOR_S: u64 = 3_153_600_000;

/// The keys of a request.
pub(super) struct Keys<'f, 'a>(&'f Fields<'a>);

impl<'f, 'a> Keys<'f, 'a> {
    pub(super) fn new(fields: &'f Fields<'a>) -> Keys<'f, 'a> {
        Keys(fields)
    }

    /// A value that somebody else can read.
    pub(super) fn maybe<T>(&self, key: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<Option<T>, Refusal> {
        match self.0.find(key) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| Refusal::bad_request(key)),
        }
    }

    /// A value that must be there.
    pub(super) fn need<T>(&self, value: Option<T>, key: &str) -> Result<T, Refusal> {
        value.ok_or_else(|| Refusal::bad_request(key))
    }

    /// Refuses the first of these keys that is there, for it does not go with the others. Their types are judged before.
    pub(super) fn without(&self, keys: &[&str]) -> Result<(), Refusal> {
        match keys.iter().find(|key| self.0.count(key) > 0) {
            Some(key) => Err(Refusal::bad_request(key)),
            None => Ok(()),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.maybe(key, string)
    }

    pub(super) fn needed_text(&self, key: &str) -> Result<Box<str>, Refusal> {
        Ok(self.need(self.text(key)?, key)?.into())
    }

    /// A text that says nothing where it is empty.
    pub(super) fn remark(&self, key: &str) -> Result<Option<Box<str>>, Refusal> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()).map(Cow::into))
    }

    pub(super) fn secret(&self, key: &str) -> Result<Option<Secret>, Refusal> {
        Ok(self.text(key)?.map(|secret| Secret(secret.into())))
    }

    pub(super) fn needed_secret(&self, key: &str) -> Result<Secret, Refusal> {
        self.need(self.secret(key)?, key)
    }

    /// A word of a few.
    pub(super) fn choice<T>(&self, key: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        self.maybe(key, |value| parse(&string(value)?))
    }

    pub(super) fn bool(&self, key: &str) -> Result<bool, Refusal> {
        Ok(self.maybe(key, |value| value.parse().ok())?.unwrap_or_default())
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        self.maybe(key, natural)
    }

    /// A number that fits into less, from `least` to `most`.
    pub(super) fn between(&self, key: &str, least: u32, most: u32) -> Result<Option<u32>, Refusal> {
        self.maybe(key, |value| value.parse().ok().filter(|number| (least..=most).contains(number)))
    }

    /// How many lines an answer shall have at most.
    pub(super) fn limit(&self) -> Result<Option<u32>, Refusal> {
        self.between("limit", 1, u32::MAX)
    }

    /// In how many seconds something ends.
    pub(super) fn for_s(&self) -> Result<Option<u64>, Refusal> {
        self.maybe("for_s", |value| natural(value).filter(|seconds| (1..=MAX_FOR_S).contains(seconds)))
    }

    pub(super) fn seq(&self, key: &str) -> Result<Option<Seq>, Refusal> {
        Ok(self.number(key)?.map(Seq))
    }

    pub(super) fn needed_seq(&self, key: &str) -> Result<Seq, Refusal> {
        self.need(self.seq(key)?, key)
    }

    /// A short string that is only compared, never shown.
    pub(super) fn word(&self, key: &str) -> Result<Option<Box<str>>, Refusal> {
        let good = |word: &Cow<'_, str>| word.len() <= MAX_WORD_BYTES && !word.chars().any(char::is_control);
        self.maybe(key, |value| string(value).filter(good).map(Cow::into))
    }

    /// A user's name as it was written. Which names there can be is the rules' business.
    pub(super) fn username(&self) -> Result<Box<str>, Refusal> {
        self.needed_text("username")
    }

    /// The room that a request is about, where there is no other key behind it whose type has to be judged.
    pub(super) fn room(&self) -> Result<RoomName, Refusal> {
        room_name(&self.unchecked_room()?)
    }

    /// The room that a request is about, to be [checked](room_name) when all types were judged.
    pub(super) fn unchecked_room(&self) -> Result<Cow<'a, str>, Refusal> {
        self.need(self.text("room")?, "room")
    }
}

/// The name of the room that a request is about.
pub(super) fn room_name(name: &str) -> Result<RoomName, Refusal> {
    RoomName::parse(name).map_err(|_| Refusal::new(Code::BadName).about("room"))
}

/// A name for a room that is to be called so, as no direct conversation is.
pub(super) fn new_name(name: &str, key: &str) -> Result<RoomName, Refusal> {
    let name = RoomName::parse(name).ok().filter(|name| name.peer().is_none());
    name.ok_or_else(|| Refusal::new(Code::BadName).about(key))
}

/// A name to go on behind. It need not exist, but it has to look like a name.
pub(super) fn after(name: Cow<'_, str>) -> Result<Box<str>, Refusal> {
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(Refusal::new(Code::BadName).about("after"));
    }
    Ok(name.into())
}
