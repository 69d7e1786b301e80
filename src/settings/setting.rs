//! A field of a section as a key of the file: what it may be, how it is set, how it is written.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::Choice;
use crate::model::RoomName;

/// The longest time that can be set. Timers count further than this, sums of two such times do not overflow them.
const MAX_DAYS: u64 = 365;

/// Units of time, the largest first, each in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A value as it was given.
#[derive(Debug)]
pub enum Given<'a> {
    /// A string of the file.
    Text(&'a str),
    /// An integer of the file.
    Whole(i128),
    /// A boolean of the file.
    Switch(bool),
    /// A list of the file.
    List(Vec<Given<'a>>),
    /// Something of the file that no key may be, in words.
    Other(&'static str),
    /// A variable: what it is depends on who asks.
    Word(&'a str),
}

impl Given<'_> {
    /// The value as a message shows it: short, on one line, and harmless.
    pub fn shown(&self) -> String {
        match self {
            Given::Text(text) | Given::Word(text) => quoted(text),
            Given::Whole(number) => number.to_string(),
            Given::Switch(switch) => switch.to_string(),
            Given::List(items) => {
                let shown: Vec<String> = items.iter().take(4).map(Given::shown).collect();
                format!("[{}{}]", shown.join(", "), if items.len() > 4 { ", .." } else { "" })
            }
            Given::Other(what) => (*what).to_owned(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Given::Text(text) | Given::Word(text) => Some(text),
            _ => None,
        }
    }

    fn whole(&self) -> Option<i128> {
        match self {
            Given::Whole(number) => Some(*number),
            // The digits only: `parse` alone would take "+5".
            Given::Word(word) if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok(),
            _ => None,
        }
    }
}

/// A text in quotes, with everything escaped that could move a cursor, and cut where it gets long.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("..");
    }
    format!("\"{shown}\"")
}

/// What a key demands beyond its type.
#[derive(Clone, Copy)]
pub enum Rule {
    /// Nothing.
    Free,
    /// A number within these bounds.
    Within(u64, u64),
    /// A text for which that holds.
    Text {
        /// What is allowed, in words.
        allowed: &'static str,
        /// Whether a text is.
        holds: fn(&str) -> bool,
    },
}

/// Why a value was not taken.
#[derive(Debug, Default)]
pub struct Wrong {
    /// What was probably meant.
    pub near: Option<&'static str>,
}

/// A field that can be set from outside.
pub trait Setting {
    /// Takes the value, or leaves everything as it was.
    fn set(&mut self, given: &Given<'_>, rule: Rule) -> Result<(), Wrong>;

    /// What may stand there, in words.
    fn allowed(&self, rule: Rule) -> String;

    /// Whether it is what may stand there: what [`Setting::set`] has taken is, what a program has put there need not be.
    fn fits(&self, rule: Rule) -> bool;

    /// The value as it is written in the file.
    fn written(&self) -> String;

    /// The value as a message shows it: short, on one line, and harmless.
    fn shown(&self) -> String {
        self.written()
    }
}

impl Setting for bool {
    fn set(&mut self, given: &Given<'_>, _: Rule) -> Result<(), Wrong> {
        *self = match given {
            Given::Switch(switch) => *switch,
            Given::Word("true") => true,
            Given::Word("false") => false,
            _ => return Err(Wrong::default()),
        };
        Ok(())
    }

    fn allowed(&self, _: Rule) -> String {
        "true or false".to_owned()
    }

    fn fits(&self, _: Rule) -> bool {
        true
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

/// Whole numbers that cannot be negative.
macro_rules! whole {
    ($($type:ty),*) => {
        $(impl Setting for $type {
            fn set(&mut self, given: &Given<'_>, rule: Rule) -> Result<(), Wrong> {
                let whole = given.whole().and_then(|whole| <$type>::try_from(whole).ok());
                *self = whole.filter(|whole| whole.fits(rule)).ok_or_else(Wrong::default)?;
                Ok(())
            }

            fn allowed(&self, rule: Rule) -> String {
                let (min, max) = bounds(rule);
                format!("a whole number from {min} to {max}")
            }

            fn fits(&self, rule: Rule) -> bool {
                let (min, max) = bounds(rule);
                u64::try_from(*self).is_ok_and(|whole| (min..=max).contains(&whole))
            }

            fn written(&self) -> String {
                self.to_string()
            }
        })*
    };
}

whole!(u32, u64, usize);

fn bounds(rule: Rule) -> (u64, u64) {
    match rule {
        Rule::Within(min, max) => (min, max),
        Rule::Free | Rule::Text { .. } => (0, u64::from(u32::MAX)),
    }
}

impl Setting for String {
    fn set(&mut self, given: &Given<'_>, rule: Rule) -> Result<(), Wrong> {
        *self = checked(given, rule)?.to_owned();
        Ok(())
    }

    fn allowed(&self, rule: Rule) -> String {
        match rule {
            Rule::Text { allowed, .. } => allowed.to_owned(),
            Rule::Free | Rule::Within(..) => "a string".to_owned(),
        }
    }

    fn fits(&self, rule: Rule) -> bool {
        holds(self, rule)
    }

    fn written(&self) -> String {
        toml_string(self)
    }

    fn shown(&self) -> String {
        quoted(self)
    }
}

impl Setting for PathBuf {
    fn set(&mut self, given: &Given<'_>, rule: Rule) -> Result<(), Wrong> {
        *self = checked(given, rule)?.into();
        Ok(())
    }

    fn allowed(&self, rule: Rule) -> String {
        String::new().allowed(rule)
    }

    fn fits(&self, rule: Rule) -> bool {
        // A program may have paths that no file could name; what the rules are about shows all the same.
        holds(&self.to_string_lossy(), rule)
    }

    fn written(&self) -> String {
        toml_string(&self.to_string_lossy())
    }

    fn shown(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

fn checked<'a>(given: &'a Given<'_>, rule: Rule) -> Result<&'a str, Wrong> {
    given.text().filter(|text| holds(text, rule)).ok_or_else(Wrong::default)
}

fn holds(text: &str, rule: Rule) -> bool {
    match rule {
        Rule::Text { holds, .. } => holds(text),
        Rule::Free | Rule::Within(..) => true,
    }
}

/// A basic string of TOML, whose escapes are those of JSON.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Setting for Duration {
    fn set(&mut self, given: &Given<'_>, _: Rule) -> Result<(), Wrong> {
        let time = match given {
            Given::Whole(0) => Some(Duration::ZERO),
            _ => given.text().and_then(parse_duration),
        };
        *self = time.filter(|time| time.fits(Rule::Free)).ok_or_else(Wrong::default)?;
        Ok(())
    }

    fn allowed(&self, _: Rule) -> String {
        format!("a time such as \"100ms\", \"30s\", \"5m\", \"10h\" or \"7d\", from \"0s\" to \"{MAX_DAYS}d\"")
    }

    fn fits(&self, _: Rule) -> bool {
        *self <= Duration::from_millis(MAX_DAYS * UNITS[0].1)
    }

    fn written(&self) -> String {
        let ms = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        // The largest unit that fits, but "60s": the minute is written so in most files.
        let natural = |(unit, each): &&(&str, u64)| ms % each == 0 && !(*unit == "m" && ms == *each);
        match UNITS.iter().find(natural) {
            Some((unit, each)) if ms > 0 => format!("\"{}{unit}\"", ms / each),
            _ => "\"0s\"".to_owned(),
        }
    }
}

/// Digits and a unit: `"30s"`, `"5m"`, `"12h"`. `None` for everything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().ok()?;
    let each = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, each)) => *each,
        None if unit.is_empty() && number == 0 => 0,
        None => return None,
    };
    number.checked_mul(each).map(Duration::from_millis)
}

const A_ROOM: &str = "a room name: letters, digits, '_' and '-', at most 64, the first a letter or digit";

impl Setting for RoomName {
    fn set(&mut self, given: &Given<'_>, _: Rule) -> Result<(), Wrong> {
        *self = given.text().and_then(|text| RoomName::parse(text).ok()).ok_or_else(Wrong::default)?;
        Ok(())
    }

    fn allowed(&self, _: Rule) -> String {
        A_ROOM.to_owned()
    }

    fn fits(&self, _: Rule) -> bool {
        true
    }

    fn written(&self) -> String {
        toml_string(self.as_str())
    }
}

/// In a variable: names with commas between.
impl Setting for Vec<RoomName> {
    fn set(&mut self, given: &Given<'_>, _: Rule) -> Result<(), Wrong> {
        let names: Option<Vec<&str>> = match given {
            Given::List(items) => items.iter().map(Given::text).collect(),
            Given::Word("") => Some(Vec::new()),
            Given::Word(word) => Some(word.split(',').map(str::trim).collect()),
            _ => None,
        };
        let rooms: Option<Vec<RoomName>> =
            names.and_then(|names| names.into_iter().map(|name| RoomName::parse(name).ok()).collect());
        *self = rooms.ok_or_else(Wrong::default)?;
        Ok(())
    }

    fn allowed(&self, _: Rule) -> String {
        format!("a list of room names (each {})", A_ROOM.trim_start_matches("a room name: "))
    }

    fn fits(&self, _: Rule) -> bool {
        true
    }

    fn written(&self) -> String {
        format!("[{}]", self.iter().map(Setting::written).collect::<Vec<_>>().join(", "))
    }
}

/// Words of which none is looked at more closely. In a variable there is no way to write them.
impl Setting for Vec<String> {
    fn set(&mut self, given: &Given<'_>, _: Rule) -> Result<(), Wrong> {
        let Given::List(items) = given else { return Err(Wrong::default()) };
        let words: Option<Vec<&str>> = items.iter().map(Given::text).collect();
        *self = words.ok_or_else(Wrong::default)?.into_iter().map(str::to_owned).collect();
        Ok(())
    }

    fn allowed(&self, _: Rule) -> String {
        "a list of strings".to_owned()
    }

    fn fits(&self, _: Rule) -> bool {
        true
    }

    fn written(&self) -> String {
        format!("[{}]", self.iter().map(Setting::written).collect::<Vec<_>>().join(", "))
    }
}

impl<C: Choice> Setting for C {
    fn set(&mut self, given: &Given<'_>, _: Rule) -> Result<(), Wrong> {
        let text = given.text().ok_or_else(Wrong::default)?;
        let found = C::ALL.iter().find(|(word, _)| *word == text);
        *self = found.ok_or_else(|| Wrong { near: nearest(text, C::ALL.iter().map(|(word, _)| *word)) })?.1;
        Ok(())
    }

    fn allowed(&self, _: Rule) -> String {
        let words: Vec<String> = C::ALL.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        }
    }

    fn fits(&self, _: Rule) -> bool {
        true
    }

    fn written(&self) -> String {
        let found = C::ALL.iter().find(|(_, value)| value == self);
        found.map(|(word, _)| format!("\"{word}\"")).unwrap_or_default()
    }
}

/// A key that may be left out and then has no value at all.
impl<S: Setting + Default> Setting for Option<S> {
    fn set(&mut self, given: &Given<'_>, rule: Rule) -> Result<(), Wrong> {
        let mut value = S::default();
        value.set(given, rule)?;
        *self = Some(value);
        Ok(())
    }

    fn allowed(&self, rule: Rule) -> String {
        S::default().allowed(rule)
    }

    fn fits(&self, rule: Rule) -> bool {
        self.as_ref().is_none_or(|value| value.fits(rule))
    }

    fn written(&self) -> String {
        self.as_ref().map(Setting::written).unwrap_or_default()
    }

    fn shown(&self) -> String {
        self.as_ref().map(Setting::shown).unwrap_or_default()
    }
}

/// The word that was probably meant, if one is near enough.
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR_ENOUGH: f64 = 0.8;
    // Nobody mistypes a hundred characters, and the comparison takes the product of the lengths.
    if word.chars().nth(100).is_some() {
        return None;
    }
    let word = word.to_lowercase();
    let rated = words.map(|known| (strsim::jaro_winkler(&word, known), known));
    rated.filter(|(rate, _)| *rate >= NEAR_ENOUGH).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, ms) in [("30s", 30_000), ("5m", 300_000), ("10h", 36_000_000), ("100ms", 100), ("7d", 604_800_000)] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
            let mut time = Duration::from_millis(ms);
            assert_eq!(time.written(), format!("\"{text}\""));
            assert!(time.set(&Given::Text(text), Rule::Free).is_ok());
            assert!(time.set(&Given::Text("366d"), Rule::Free).is_err());
        }
        for zero in ["0s", "0", "0ms"] {
            assert_eq!(parse_duration(zero), Some(Duration::ZERO), "{zero}");
        }
        let huge = format!("1{}s", "0".repeat(30));
        for bad in ["", "s", "-5s", "+5s", "5", "5 s", "1.5s", "5S", "5sec", "٣s", huge.as_str()] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_of_a_value_is_short_and_harmless() {
        assert_eq!(Given::Text("a\u{1b}[2J\n\"b\"").shown(), r#""a\u{1b}[2J\n\"b\"""#);
        assert_eq!(Given::Text(&"x".repeat(100)).shown(), format!("\"{}..\"", "x".repeat(60)));
        assert_eq!(Given::List((0..9).map(Given::Whole).collect()).shown(), "[0, 1, 2, 3, ..]");
    }
}
