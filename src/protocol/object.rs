//! Takes a JSON object apart: its keys, and the values as they were written.
//!
//! The values are looked at one by one afterwards, by whoever knows which type is meant, so that each wrong one can be named
//! and no number passes through a float. Nothing is copied unless it has escapes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// From so many keys on a set finds the repeated ones: somebody may send thousands.
const MANY: usize = 16;

/// An object taken apart, in its own order.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Fields<'a> {
    /// Takes an object apart; `None` if it is none.
    pub(super) fn parse(object: &'a str) -> Option<Fields<'a>> {
        serde_json::from_str(object).ok()
    }

    /// The keys and their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }

    /// The first value of a key.
    pub(super) fn find(&self, key: &str) -> Option<&'a str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// How often a key is there.
    pub(super) fn count(&self, key: &str) -> usize {
        self.iter().filter(|(name, _)| *name == key).count()
    }

    /// How often a key is there, and its first value, if keys are compared without case.
    pub(super) fn find_caseless(&self, key: &str) -> (usize, Option<&'a str>) {
        let mut values = self.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        let first = values.next();
        (usize::from(first.is_some()) + values.count(), first)
    }

    /// A key that is there more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        if self.0.len() > MANY {
            let mut seen = HashSet::with_capacity(self.0.len());
            return self.iter().map(|(key, _)| key).find(|key| !seen.insert(*key));
        }
        let keys = || self.iter().map(|(key, _)| key);
        keys().enumerate().find(|(index, key)| keys().take(*index).any(|other| other == *key)).map(|(_, key)| key)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'a>, D::Error> {
        struct Taker;

        impl<'de> Visitor<'de> for Taker {
            type Value = Vec<(Cow<'de, str>, &'de str)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some(Key(key)) = map.next_key()? {
                    fields.push((key, map.next_value::<&RawValue>()?.get()));
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Taker).map(Fields)
    }
}

/// A key, borrowed where it has no escapes. (Serde's own `Cow` always copies.)
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'a>, D::Error> {
        struct Taker;

        impl<'de> Visitor<'de> for Taker {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(key))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(key.to_owned()))
            }
        }

        deserializer.deserialize_str(Taker).map(Key)
    }
}

/// What a value says if it is a string.
pub(super) fn string(value: &str) -> Option<Cow<'_, str>> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(value).ok().map(Cow::Owned)
}

/// What a value says if it is an integer that can be the number of an entry. The largest is what a database can hold.
pub(super) fn natural(value: &str) -> Option<u64> {
    value.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok())
}

/// The beginning of a word that comes from outside, to be shown or sent back.
pub(super) fn cut(word: &str) -> &str {
    &word[..word.floor_char_boundary(64)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_as_they_were_written() {
        let fields = Fields::parse(r#" {"a": [1, {"b":2}], "\u0062":1e400, "c":"\ud83d\ude00"} "#).unwrap();
        let all: Vec<_> = fields.iter().collect();
        assert_eq!(all, [("a", r#"[1, {"b":2}]"#), ("b", "1e400"), ("c", r#""\ud83d\ude00""#)]);
        assert_eq!(string(all[2].1).as_deref(), Some("😀"));
        for other in ["[]", "1", "null", "\"x\"", "", "{", "{\"a\":1}}"] {
            assert!(Fields::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_repeated_key_is_found_among_few_and_among_many() {
        assert_eq!(Fields::parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap().repeated(), Some("a"));
        assert_eq!(Fields::parse(r#"{"a":1,"b":2,"A":3}"#).unwrap().repeated(), None);
        let keys = |extra: &str| {
            let keys: String = (0..5000).map(|n| format!("\"k{n}\":0,")).collect();
            format!("{{{keys}\"{extra}\":0}}")
        };
        assert_eq!(Fields::parse(&keys("k4999")).unwrap().repeated(), Some("k4999"));
        assert_eq!(Fields::parse(&keys("other")).unwrap().repeated(), None);
    }

    #[test]
    fn numbers_are_natural_or_none() {
        for (value, number) in [
            ("0", Some(0)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("-1", None),
            ("-0", None),
            ("1.0", None),
            ("1e2", None),
            ("\"1\"", None),
            ("null", None),
        ] {
            assert_eq!(natural(value), number, "{value}");
        }
    }
}
