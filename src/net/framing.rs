//! Cuts a stream of bytes into JSON objects, and holds no more of it than one object may have.
//!
//! The answers to a stream are the same however it was cut on its way: each byte is judged once, by an automaton that
//! keeps its state between the pieces. Nothing is judged behind an object before its successor is asked for, because
//! what an object says (a login, the choice of a dialect) changes the rules for what follows.

use std::ops::Range;

use memchr::{memchr, memchr2};

use super::scanner::{Scanner, Verdict, is_space};

/// The most bytes that are read at once.
pub const READ_BYTES: usize = 16 * 1024;

/// How the bytes up to the end of the next object are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The most bytes that an object may have, and so the most that are held for a connection (`usize::MAX`: no limit).
    pub max_bytes: usize,
    /// The rules of course sessions: values that are no object are ignored, and what follows a fault is skipped only up
    /// to the next `{` or newline, because their clients send no newlines.
    pub lenient: bool,
}

/// What comes next in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole object: good JSON, from its `{` to its `}`. Its keys may repeat, and its numbers may be too large for
    /// anything.
    Object(&'a str),
    /// Bytes that are no object.
    Fault(Fault),
}

/// Why bytes are no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Wrong grammar, nested too deeply, a raw control character in a string, bad UTF-8, or half a surrogate pair.
    BadJson,
    /// Larger than the rules allow. Nothing more comes out of the framer after this.
    TooLarge,
}

/// Where in the stream we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between two objects.
    Between,
    /// Inside an object.
    Object,
    /// Inside a value of another kind, of which nothing is held (lenient rules only).
    Ignored,
    /// Behind a fault, on the way to where the next object may begin.
    Skipping,
    /// Behind an object that was too large.
    Refused,
}

/// Owns the input that is not yet a whole object.
#[derive(Debug)]
pub struct Framer {
    /// Empty, and without memory of its own, whenever there is nothing to hold: thousands of connections are idle.
    held: Vec<u8>,
    /// Where in `held` that begins which is still needed: an object under way, or bytes that nobody has judged.
    start: usize,
    /// The first byte in `held` that nobody has judged.
    at: usize,
    /// The limit of the latest rules, which bounds how far `held` grows ahead of need.
    max_bytes: usize,
    scanner: Scanner,
    place: Place,
}

impl Default for Framer {
    fn default() -> Framer {
        Framer::new()
    }
}

impl Framer {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> Framer {
        Framer { held: Vec::new(), start: 0, at: 0, max_bytes: 0, scanner: Scanner::object(), place: Place::Between }
    }

    /// How many bytes may be read now: at least one, at most [`READ_BYTES`], and never more than fit under the limit,
    /// where [`next`](Framer::next) has said that there is nothing more in what came before.
    #[must_use]
    pub fn room(&self, rules: &Rules) -> usize {
        rules.max_bytes.saturating_sub(self.held.len() - self.start).clamp(1, READ_BYTES)
    }

    /// Takes the bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        let needed = self.held.len() + bytes.len();
        if needed > self.held.capacity() {
            // Doubling saves copying, but the limit is also one for what is only set aside.
            let capacity = needed.max((self.held.capacity() * 2).min(self.max_bytes));
            self.held.reserve_exact(capacity - self.held.len());
        }
        self.held.extend_from_slice(bytes);
    }

    /// The next object or fault, if the bytes at hand show one; judges nothing behind it.
    pub fn next(&mut self, rules: &Rules) -> Option<Frame<'_>> {
        self.max_bytes = rules.max_bytes;
        match self.find(rules) {
            Some(Ok(object)) => {
                let text = self.held.get(object).and_then(|bytes| std::str::from_utf8(bytes).ok());
                Some(text.map_or(Frame::Fault(Fault::BadJson), Frame::Object))
            }
            Some(Err(fault)) => Some(Frame::Fault(fault)),
            None => {
                self.tidy();
                None
            }
        }
    }

    /// Whether nothing is held: no unfinished object, and nothing that was not judged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.held.len()
    }

    /// Whether the last byte judged was inside an object.
    #[must_use]
    pub fn in_object(&self) -> bool {
        self.place == Place::Object
    }

    /// Moves to the end of the next object, or to a fault.
    fn find(&mut self, rules: &Rules) -> Option<Result<Range<usize>, Fault>> {
        loop {
            let rest = self.held.get(self.at..).unwrap_or_default();
            match self.place {
                Place::Between => {
                    let Some((blanks, &byte)) = rest.iter().enumerate().find(|(_, byte)| !is_space(**byte)) else {
                        return self.consume_all();
                    };
                    self.consume(blanks);
                    if byte == b'{' {
                        self.place = Place::Object;
                        self.scanner = Scanner::object();
                        self.at += 1;
                    } else if rules.lenient {
                        self.place = Place::Ignored;
                        self.scanner = Scanner::value();
                    } else {
                        self.place = Place::Skipping;
                        return Some(Err(Fault::BadJson));
                    }
                }
                Place::Object => {
                    let end = self.held.len().min(self.start.saturating_add(rules.max_bytes));
                    let window = self.held.get(self.at..end).unwrap_or_default();
                    match self.scanner.scan(window) {
                        Verdict::More => {
                            self.at += window.len();
                            if self.held.len() - self.start < rules.max_bytes {
                                return None;
                            }
                            self.place = Place::Refused;
                            return Some(Err(Fault::TooLarge));
                        }
                        Verdict::End(taken) => {
                            let object = self.start..self.at + taken;
                            self.place = Place::Between;
                            self.consume(taken);
                            return Some(if self.scanner.half_pair() { Err(Fault::BadJson) } else { Ok(object) });
                        }
                        Verdict::Fault(taken) => return Some(self.fault(taken)),
                    }
                }
                Place::Ignored => match self.scanner.scan(rest) {
                    Verdict::More => return self.consume_all(),
                    Verdict::End(taken) => {
                        self.place = Place::Between;
                        self.consume(taken);
                    }
                    Verdict::Fault(taken) => return Some(self.fault(taken)),
                },
                Place::Skipping => {
                    let found = if rules.lenient { memchr2(b'\n', b'{', rest) } else { memchr(b'\n', rest) };
                    let Some(skipped) = found else { return self.consume_all() };
                    // A newline is white space, and a `{` begins an object: both are judged as what they are.
                    self.place = Place::Between;
                    self.consume(skipped);
                }
                Place::Refused => return self.consume_all(),
            }
        }
    }

    /// The byte behind the next `taken` ones is at fault: it is the first one to be skipped, or to end the skipping.
    fn fault<T>(&mut self, taken: usize) -> Result<T, Fault> {
        self.place = Place::Skipping;
        self.consume(taken);
        Err(Fault::BadJson)
    }

    fn consume(&mut self, taken: usize) {
        self.at += taken;
        self.start = self.at;
    }

    fn consume_all<T>(&mut self) -> Option<T> {
        self.start = self.held.len();
        self.at = self.start;
        None
    }

    /// Lets go of what is not needed any more.
    fn tidy(&mut self) {
        if self.is_empty() {
            self.held = Vec::new();
        } else if self.start > 0 {
            self.held.drain(..self.start);
            if self.held.capacity() > 2 * self.held.len() + 256 {
                self.held.shrink_to_fit();
            }
        }
        self.at -= self.start;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests;
