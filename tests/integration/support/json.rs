//! Strict reading of what the server writes, and patterns to compare it with.
//!
//! A pattern is JSON in which some strings are placeholders: `<any>`, `<string>`, `<int>`, `<time>`, `<absent>`, and
//! `<NAME>` of any other form, which stands for whatever comes there first and for the same thing from then on.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a line as docs/protocol.md promises it: one compact object in strict JSON, no key twice at any depth, the key
/// that says what it is at its front.
pub(crate) fn read_strictly(line: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    if let Some(control) = text.chars().find(|c| c.is_ascii_control()) {
        return Err(format!("a raw control character {control:?}"));
    }
    let Strict(value) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !["{\"response\":", "{\"event\":", "{\"timestamp\":"].iter().any(|start| text.starts_with(start)) {
        return Err("neither response nor event (or, for a course client of 2015, timestamp) is the first key".into());
    }
    let (mut inside, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b' ' if !inside => return Err("a blank outside of a string".into()),
            _ => {}
        }
    }
    Ok(value)
}

/// A value in which no object has a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(Strictly)
    }
}

struct Strictly;

impl<'de> Visitor<'de> for Strictly {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Strict, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(Strict(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("the key {key:?} twice")));
            }
        }
        Ok(Strict(object.into()))
    }
}

/// What else may stand in an object beside what the pattern names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Anything, but an `error` only where the pattern names one.
    Anything,
    /// Nothing.
    Nothing,
}

/// What placeholders stand for.
pub(crate) type Known = HashMap<String, Value>;

/// Whether a value is as the pattern says, or what is different.
pub(crate) fn compare(pattern: &Value, value: &Value, rest: Rest, known: &mut Known) -> Result<(), String> {
    match (pattern, value) {
        (Value::String(word), _) if word.starts_with('<') && word.ends_with('>') => placeholder(word, value, known),
        (Value::Object(pattern), Value::Object(object)) => {
            for (key, expected) in pattern {
                match object.get(key) {
                    Some(_) if expected == "<absent>" => return Err(format!("the key {key:?} is there")),
                    None if expected == "<absent>" => {}
                    None => return Err(format!("the key {key:?} is missing")),
                    Some(value) => {
                        compare(expected, value, rest, known).map_err(|what| format!("{key}: {what}"))?;
                    }
                }
            }
            let surplus = object.keys().find(|key| {
                !pattern.contains_key(*key) && (rest == Rest::Nothing || matches!(key.as_str(), "error" | "code"))
            });
            surplus.map_or(Ok(()), |key| Err(format!("the key {key:?} should not be there")))
        }
        (Value::Array(pattern), Value::Array(list)) => {
            if pattern.len() != list.len() {
                return Err(format!("{} elements instead of {}", list.len(), pattern.len()));
            }
            for (index, (expected, value)) in pattern.iter().zip(list).enumerate() {
                compare(expected, value, rest, known).map_err(|what| format!("[{index}]: {what}"))?;
            }
            Ok(())
        }
        _ if pattern == value => Ok(()),
        _ => Err(format!("{value} instead of {pattern}")),
    }
}

fn placeholder(word: &str, value: &Value, known: &mut Known) -> Result<(), String> {
    let fits = match word {
        "<any>" => true,
        "<string>" => value.is_string(),
        "<int>" => value.is_i64() || value.is_u64(),
        "<time>" => value.as_str().is_some_and(is_time),
        "<local time>" => value.as_str().is_some_and(is_local_time),
        _ => {
            let expected = known.entry(word.to_owned()).or_insert_with(|| value.clone());
            expected == value
        }
    };
    if fits { Ok(()) } else { Err(format!("{value} is no {word}, which is {:?}", known.get(word))) }
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn is_time(text: &str) -> bool {
    has_shape(text, "0000-00-00T00:00:00.000Z")
}

/// As course clients get it.
pub(crate) fn is_local_time(text: &str) -> bool {
    has_shape(text, "0000-00-00 00:00:00")
}

fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(one, other): (u8, u8)| if other == b'0' { one.is_ascii_digit() } else { one == other };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// Puts what is known into a request.
pub(crate) fn fill(value: &mut Value, known: &Known) {
    match value {
        Value::String(word) => {
            if let Some(value_of) = known.get(word.as_str()) {
                *value = value_of.clone();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| fill(value, known)),
        Value::Object(object) => object.values_mut().for_each(|value| fill(value, known)),
        _ => {}
    }
}
