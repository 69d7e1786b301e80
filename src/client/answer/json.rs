//! Lines of the server, and how their values are read.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::{Fingerprint, Seq, Time};
use crate::protocol::Secret;

/// A line as the server sent it: one JSON object. Its `Debug` does not show what is in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    pub(crate) fn new(line: &str) -> Json {
        Json(line.into())
    }

    /// The line, without its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer that keeps the line it was read from.
pub(in crate::client) trait Answer: serde::de::DeserializeOwned {
    fn keep(&mut self, json: Json);
}

/// Implements [`Answer`] for what has a field `json`.
macro_rules! answers {
    ($($name:ident),* $(,)?) => {
        $(impl $crate::client::answer::Answer for $name {
            fn keep(&mut self, json: $crate::client::answer::Json) {
                self.json = json;
            }
        })*
    };
}
pub(super) use answers;

/// Reads a list, each line of which keeps the text that it was read from.
pub(super) fn lines<'de, D: Deserializer<'de>, T: Answer>(from: D) -> Result<Vec<T>, D::Error> {
    let lines = Vec::<Box<RawValue>>::deserialize(from)?;
    lines
        .iter()
        .map(|line| {
            let mut read: T = serde_json::from_str(line.get()).map_err(serde::de::Error::custom)?;
            read.keep(Json::new(line.get()));
            Ok(read)
        })
        .collect()
}

pub(in crate::client) fn seq<'de, D: Deserializer<'de>>(from: D) -> Result<Seq, D::Error> {
    u64::deserialize(from).map(Seq)
}

pub(in crate::client) fn some_seq<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Seq>, D::Error> {
    Ok(Option::<u64>::deserialize(from)?.map(Seq))
}

pub(in crate::client) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    Time::parse(&text).ok_or_else(|| serde::de::Error::custom("not a time in RFC 3339"))
}

pub(in crate::client) fn some_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
    // An answer is not lost for a time that nobody can read.
    Ok(Option::<String>::deserialize(from)?.and_then(|text| Time::parse(&text)))
}

pub(super) fn fingerprint<'de, D: Deserializer<'de>>(from: D) -> Result<Fingerprint, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

pub(super) fn some_fingerprint<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Fingerprint>, D::Error> {
    // A list is not lost for a certificate of a kind that is not known yet.
    Ok(Option::<String>::deserialize(from)?.and_then(|text| text.parse().ok()))
}

pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    Box::<str>::deserialize(from).map(Secret)
}

pub(super) fn some_secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<Box<str>>::deserialize(from)?.map(Secret))
}
