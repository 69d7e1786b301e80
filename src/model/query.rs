//! The language of `search`: parsed here, and never handed to FTS5 as it was typed.
//!
//! | written | finds |
//! | --- | --- |
//! | `cake recipe` | texts that have both words, anywhere and in any order |
//! | `"cake recipe"` | the words next to one another, in this order; a quote that is not closed goes on to the end |
//! | `-cake`, `-"cake recipe"` | texts that do not have it |
//! | `cak*` | words that begin so: at least two letters, else it is the plain word |
//! | `from:alice`, `from:@alice` | what alice said |
//! | `in:lobby`, `in:@alice` | what was said in that room, or directly between alice and oneself |
//! | `after:2026-01-31` | what was said when that day began (in UTC), or later |
//! | `before:2026-01-31` | what was said earlier than that |
//! | `after:2026-01-31T12:00:00Z` | the same with a moment, in RFC 3339 |
//! | `has:link` | texts with a link |
//!
//! So `after:2026-01-31 before:2026-02-01` is one day. Everything that is asked for must hold at once.
//!
//! **Words** are those of [`words`](crate::model::words): case, accents and punctuation do not matter, and in scripts without
//! spaces every letter is a word. Whatever is written without a blank inside, as `don't` or `東京`, is one phrase of its words.
//! Nothing else means anything: `AND`, `NOT` and `NEAR` are words, brackets, `^`, `+` and a `*` alone divide them, and an
//! unknown key, as in `a:b` or `http://x`, is a word like those behind it.
//!
//! **Keys** may be written in any case, and their value in quotes (`from:"alice"`). Each but `has:` may stand once. A key
//! whose value makes no sense is an error that names it, and so is `-` before a key.
//!
//! **Without a word**, a key is enough: `from:alice -cake` finds all that alice said without cake. Without a key, a query
//! needs something that must be there: an empty one and one of `-word` alone are errors. One that has punctuation alone was
//! meant seriously, has no words, and finds nothing ([`Query::is_empty`]).

use crate::model::mention::is_name_char;
use crate::model::words::{Word, has_link, words};
use crate::model::{RoomName, Time, Username};

/// What somebody searches for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// What must and what must not be in the text.
    pub terms: Vec<Term>,
    /// Who must have said it: a name as it was written, without `@`. It may be nobody's.
    pub from: Option<String>,
    /// Where it must have been said: the name of a room as it was written, or `@` and a user's name.
    pub room: Option<String>,
    /// It must have been said earlier than this.
    pub before: Option<Time>,
    /// It must have been said then or later.
    pub after: Option<Time>,
    /// Whether there must be a link in it.
    pub has_link: bool,
}

/// One word or phrase of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// Words of the index that stand next to one another; at least one.
    pub words: Vec<String>,
    /// Whether the last of them may go on.
    pub prefix: bool,
    /// Whether it must be missing.
    pub not: bool,
}

/// The piece of a text that a hit is shown with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The piece, on one line. Nothing shows where it was cut.
    pub text: String,
    /// Where the hit begins in it, in Unicode characters (code points).
    pub start: usize,
    /// Where the hit ends in it, in Unicode characters. Equal to `start` when there is no hit to show.
    pub end: usize,
}

/// Why a query cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// There is nothing that must be there.
    #[error("say what to search for: a word, or one of from:, in:, before:, after: and has:link")]
    Empty,
    /// More bytes, terms or words than allowed.
    #[error(
        "the query is longer than {} bytes, {} terms or {} words",
        Query::MAX_BYTES,
        Query::MAX_TERMS,
        Query::MAX_WORDS
    )]
    TooLong,
    /// The value of a key makes no sense.
    #[error("{key}: needs {}", needs(.key))]
    Value {
        /// The key.
        key: &'static str,
    },
    /// A key stands there twice.
    #[error("{key}: may stand there once")]
    Repeated {
        /// The key.
        key: &'static str,
    },
    /// A key with `-` before it.
    #[error("{key}: cannot be turned around with '-'")]
    Negated {
        /// The key.
        key: &'static str,
    },
}

/// What may stand behind a key.
fn needs(key: &str) -> &'static str {
    match key {
        "from" => "the name of a user",
        "in" => "the name of a room, or '@' and the name of a user",
        "has" => "'link'",
        _ => "a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z",
    }
}

/// The words that have a meaning before a colon.
const KEYS: [&str; 5] = ["from", "in", "before", "after", "has"];

impl Query {
    /// The most bytes that a query may have.
    pub const MAX_BYTES: usize = 8 * 1024;
    /// The most words and phrases that it may have, with those that must be missing.
    pub const MAX_TERMS: usize = 32;
    /// The most words that these may have together. A letter of a script without spaces is a word.
    pub const MAX_WORDS: usize = 512;

    /// Reads what somebody searches for.
    ///
    /// # Errors
    /// [`QueryError`] says what is wrong with it.
    ///
    /// # Example
    /// ```
    /// use snakk::model::query::Query;
    /// let query = Query::parse(r#"cake -"with nuts" from:alice"#)?;
    /// assert_eq!(query.from.as_deref(), Some("alice"));
    /// assert!(query.matches("Cake with almonds") && !query.matches("Cake with nuts"));
    /// # Ok::<(), snakk::model::query::QueryError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        if text.len() > Query::MAX_BYTES {
            return Err(QueryError::TooLong);
        }
        let mut query = Query::default();
        let mut rest = text.trim_start_matches(is_blank);
        let blank = rest.is_empty();
        while !rest.is_empty() {
            let item;
            (item, rest) = Item::cut(rest);
            query.add(item)?;
        }
        let words: usize = query.terms.iter().map(|term| term.words.len()).sum();
        if query.terms.len() > Query::MAX_TERMS || words > Query::MAX_WORDS {
            return Err(QueryError::TooLong);
        }
        let asks = query.has_filter() || query.terms.iter().any(|term| !term.not);
        if !asks && (blank || !query.terms.is_empty()) {
            return Err(QueryError::Empty);
        }
        Ok(query)
    }

    fn add(&mut self, item: Item<'_>) -> Result<(), QueryError> {
        let Some(key) = item.key else {
            self.terms.extend(item.term());
            return Ok(());
        };
        if item.not {
            return Err(QueryError::Negated { key });
        }
        let wrong = QueryError::Value { key };
        match key {
            "from" => {
                let name = item.value.strip_prefix('@').unwrap_or(item.value);
                put(&mut self.from, key, Some(name).filter(|name| is_name(name)).map(str::to_owned).ok_or(wrong)?)
            }
            "in" => {
                let good = match item.value.strip_prefix('@') {
                    Some(name) => is_name(name),
                    None => RoomName::parse(item.value).is_ok(),
                };
                put(&mut self.room, key, Some(item.value.to_owned()).filter(|_| good).ok_or(wrong)?)
            }
            "before" => put(&mut self.before, key, moment(item.value).ok_or(wrong)?),
            "after" => put(&mut self.after, key, moment(item.value).ok_or(wrong)?),
            _ if item.value.eq_ignore_ascii_case("link") => {
                self.has_link = true;
                Ok(())
            }
            _ => Err(wrong),
        }
    }

    fn has_filter(&self) -> bool {
        self.has_link || self.from.is_some() || self.room.is_some() || self.before.is_some() || self.after.is_some()
    }

    /// Whether it has neither words nor keys, and so finds nothing.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty() && !self.has_filter()
    }

    /// The terms for FTS5's `MATCH`, over a table of [indexed](crate::model::words::indexed) texts. `None` if no word must be there: FTS5 cannot look for
    /// what is missing, so that whoever asks has to go through the entries and see whether they match.
    ///
    /// # Example
    /// ```
    /// use snakk::model::query::Query;
    /// let query = Query::parse("-d B\u{e9}c\u{e9}* A \"b c\" -e")?;
    /// assert_eq!(query.fts().as_deref(), Some(r#"("bece"* AND "a" AND "b c") NOT ("d" OR "e")"#));
    /// # Ok::<(), snakk::model::query::QueryError>(())
    /// ```
    pub fn fts(&self) -> Option<String> {
        let joined = |not: bool, operator: &str| {
            let terms = self.terms.iter().filter(|term| term.not == not).map(Term::fts);
            terms.collect::<Vec<_>>().join(operator)
        };
        let (with, without) = (joined(false, " AND "), joined(true, " OR "));
        match (with.is_empty(), without.is_empty()) {
            (true, _) => None,
            (false, true) => Some(format!("({with})")),
            (false, false) => Some(format!("({with}) NOT ({without})")),
        }
    }

    /// Whether the text is what is searched for, as far as the text can say: `from`, `room`, `before` and `after` are for the
    /// caller to see to. For the terms this says what [`Query::fts`] would find.
    pub fn matches(&self, text: &str) -> bool {
        if self.is_empty() || (self.has_link && !has_link(text)) {
            return false;
        }
        let words = if self.terms.is_empty() { Vec::new() } else { words(text) };
        self.terms.iter().all(|term| term.find(&words).is_none() == term.not)
    }

    /// The piece of the text with the hit that comes first in it: at most [`Snippet::MAX_CHARS`] characters, cut between words
    /// where that costs little. Where no word must be there, or none is, it is the beginning of the text, without a hit.
    pub fn snippet(&self, text: &str) -> Snippet {
        let words = words(text);
        let hits = self.terms.iter().filter(|term| !term.not).filter_map(|term| {
            let first = term.find(&words)?;
            Some((words[first].start, words[first + term.words.len() - 1].end))
        });
        // Of two that begin together the longer one says more.
        match hits.min_by_key(|(start, end)| (*start, usize::MAX - end)) {
            Some((start, end)) => Snippet::around(text, start, end),
            None => Snippet::around(text, 0, 0),
        }
    }
}

impl Term {
    /// The number of the first word of the first place where the term stands.
    fn find(&self, words: &[Word]) -> Option<usize> {
        let (last, before) = self.words.split_last()?;
        words.windows(self.words.len()).position(|window| {
            let (end, start) = match window.split_last() {
                Some((end, start)) => (&end.text, start),
                None => return false,
            };
            let ends = if self.prefix { end.starts_with(last.as_str()) } else { end == last };
            ends && start.iter().zip(before).all(|(word, wanted)| word.text == *wanted)
        })
    }

    /// The term as FTS5 has it. Words have neither quotes nor anything else that would have to be escaped.
    fn fts(&self) -> String {
        format!("\"{}\"{}", self.words.join(" "), if self.prefix { "*" } else { "" })
    }
}

impl Snippet {
    /// The most characters that a snippet has.
    pub const MAX_CHARS: usize = 200;
    /// How many characters may be given up so that the cut falls between two words.
    const SLACK_CHARS: usize = 20;

    /// The snippet around the bytes `start..end` of the text.
    fn around(text: &str, start: usize, end: usize) -> Snippet {
        let hit = text[start..end].chars().take(Snippet::MAX_CHARS).count();
        let end = text[start..].char_indices().nth(hit).map_or(text.len(), |(at, _)| start + at);
        let room = Snippet::MAX_CHARS - hit;
        // Half of the room for what stands before the hit, and whatever either side leaves to the other.
        let behind = text[end..].chars().take(room).count();
        let before = text[..start].chars().rev().take(room - behind.min(room / 2)).count();
        let behind = behind.min(room - before);
        let from = text[..start].char_indices().rev().take(before).last().map_or(start, |(at, _)| at);
        let to = text[end..].char_indices().nth(behind).map_or(text.len(), |(at, _)| end + at);
        let from =
            if from == 0 { 0 } else { from + start_of_word(&text[from..start], text[..from].chars().next_back()) };
        let to = if to == text.len() { to } else { end + end_of_word(&text[end..to], text[to..].chars().next()) };

        let from = start - text[from..start].trim_start().len();
        let to = end + text[end..to].trim_end().len();
        let at = text[from..start].chars().count();
        // One character for one character, so that the place of the hit stays right.
        let line = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
        Snippet { text: text[from..to].chars().map(line).collect(), start: at, end: at + hit }
    }
}

/// Where the first whole word begins in a piece that follows on `before`; if none does soon, the first whole character.
fn start_of_word(piece: &str, before: Option<char>) -> usize {
    if before.is_some_and(char::is_whitespace) {
        return 0;
    }
    let blank = piece.char_indices().take(Snippet::SLACK_CHARS).find(|(_, c)| c.is_whitespace());
    let whole = || piece.find(|c| !clings(c)).unwrap_or(piece.len());
    blank.map_or_else(whole, |(at, _)| at)
}

/// Where the last whole word ends in a piece that is followed by `next`; if none does soon, the last whole character.
fn end_of_word(piece: &str, next: Option<char>) -> usize {
    if next.is_none_or(char::is_whitespace) {
        return piece.len();
    }
    let blank = piece.char_indices().rev().take(Snippet::SLACK_CHARS).find(|(_, c)| c.is_whitespace());
    let whole = || match next {
        Some(c) if clings(c) => piece.trim_end_matches(clings).char_indices().next_back().map_or(0, |(at, _)| at),
        _ => piece.len(),
    };
    blank.map_or_else(whole, |(at, _)| at)
}

/// Whether the character belongs to the one before it.
fn clings(c: char) -> bool {
    !c.is_ascii()
        && (unicode_normalization::char::is_combining_mark(c) || matches!(c, '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}'))
}

/// What stands between two blanks or quotes.
struct Item<'a> {
    not: bool,
    key: Option<&'static str>,
    value: &'a str,
    /// Whether the value stood in quotes, where a `*` means nothing.
    quoted: bool,
}

impl<'a> Item<'a> {
    /// Cuts the first item off a text that begins with one. The rest begins with the next item, or is empty.
    fn cut(text: &'a str) -> (Item<'a>, &'a str) {
        let (not, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (key, text) = key(text);
        let (value, quoted, rest) = match text.strip_prefix(is_quote) {
            Some(text) => {
                let (value, rest) = text.split_once(is_quote).unwrap_or((text, ""));
                (value, true, rest)
            }
            None => {
                let (value, rest) = text.split_at(text.find(|c| is_blank(c) || is_quote(c)).unwrap_or(text.len()));
                (value, false, rest)
            }
        };
        (Item { not, key, value, quoted }, rest.trim_start_matches(is_blank))
    }

    /// The term that the value is, if it has words.
    fn term(&self) -> Option<Term> {
        let begun = if self.quoted { self.value } else { self.value.trim_end_matches('*') };
        let words = words(self.value);
        let last = words.last()?;
        let prefix = begun.len() < self.value.len() && last.end == begun.len() && last.text.chars().nth(1).is_some();
        Some(Term { words: words.into_iter().map(|word| word.text).collect(), prefix, not: self.not })
    }
}

/// The key that an item begins with, and what stands behind its colon; without one, the item as it is.
fn key(item: &str) -> (Option<&'static str>, &str) {
    let behind = |key: &str| {
        let (before, behind) = item.split_at_checked(key.len())?;
        behind.strip_prefix(':').filter(|_| before.eq_ignore_ascii_case(key))
    };
    let found = KEYS.into_iter().find_map(|key| Some((key, behind(key)?)));
    found.map_or((None, item), |(key, behind)| (Some(key), behind))
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Quotes as keyboards have them, and as telephones make them.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»')
}

/// Whether it could be the name of a user, under whichever rule for names.
fn is_name(name: &str) -> bool {
    name.starts_with(char::is_alphanumeric)
        && name.chars().all(is_name_char)
        && name.chars().count() <= Username::MAX_CHARS
}

/// Fills a place that is filled once.
fn put<T>(place: &mut Option<T>, key: &'static str, value: T) -> Result<(), QueryError> {
    match place.replace(value) {
        Some(_) => Err(QueryError::Repeated { key }),
        None => Ok(()),
    }
}

/// The moment that a date (when it begins, in UTC) or a time names.
fn moment(value: &str) -> Option<Time> {
    match value.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => Time::parse(&format!("{value}T00:00:00Z")),
        _ => Time::parse(value),
    }
}

#[cfg(test)]
mod tests;
