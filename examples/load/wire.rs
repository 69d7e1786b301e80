//! The two wires, as bytes: snakk's native protocol and that of the bare servers.
//!
//! Nothing here comes from the snakk library, so that a mistake there is not made twice. A line that arrives a million
//! times a second is scanned for the few bytes that count; whatever else arrives is left to a JSON parser.

use std::io::Write;

use memchr::memmem;

/// Which protocol a server talks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One JSON object a line.
    Snakk,
    /// The first line names a room and comes back as it is; every further line goes to all of the room's members.
    Bare,
}

/// Digits of a message's number at the beginning of its text.
const DIGITS: usize = 8;

/// What a line from a server says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Message `number` stands at `seq`. On the bare wire there is no `seq`, and it is 0.
    Delivery { number: u32, seq: u32 },
    /// The posting of message `number` succeeded.
    Acknowledged { number: u32, seq: u32 },
    /// An event that may come in crowds and is no entry of a room.
    Hint,
    /// Anything else: a matter for a JSON parser.
    Other,
}

/// Writes and scans the lines that concern one room.
pub(crate) struct Phrases {
    wire: Wire,
    /// How a delivery begins if its keys come in the usual order.
    delivery: Vec<u8>,
    /// The same if they do not.
    room: memmem::Finder<'static>,
    seq: memmem::Finder<'static>,
    id: memmem::Finder<'static>,
    text: memmem::Finder<'static>,
    /// What stands between the number of a request and the number of its message.
    posting: Vec<u8>,
    /// What stands behind the message's number: the rest of the text, and the end of the request.
    ending: Vec<u8>,
    /// How much of that ends a text that has come back as well.
    text_ending: usize,
}

const EVENT: &[u8] = br#"{"event":"message","#;
const PRESENCE: &[u8] = br#"{"event":"presence","#;
const RESPONSE: &[u8] = br#"{"response":"message","#;

impl Phrases {
    /// For messages of `bytes` bytes in `room`.
    pub(crate) fn new(wire: Wire, room: &str, bytes: usize) -> Self {
        let words = b" the quick brown fox jumps over the lazy dog and".iter().copied().cycle();
        let mut ending: Vec<u8> = words.take(bytes.saturating_sub(DIGITS)).collect();
        ending.extend_from_slice(if wire == Wire::Snakk { b"\"}\n" } else { b"\n" });
        Self {
            wire,
            delivery: format!(r#"{{"event":"message","room":"{room}","seq":"#).into_bytes(),
            room: memmem::Finder::new(&format!(r#""room":"{room}""#)).into_owned(),
            seq: memmem::Finder::new(br#""seq":"#),
            id: memmem::Finder::new(br#""id":"#),
            text: memmem::Finder::new(br#""text":""#),
            posting: format!(r#","room":"{room}","text":""#).into_bytes(),
            text_ending: ending.len() - if wire == Wire::Snakk { "}\n".len() } else { "\n".len() },
            ending,
        }
    }

    /// Appends the request that posts message `number`, which is the request's `id` as well.
    pub(crate) fn post(&self, number: u32, out: &mut Vec<u8>) {
        if self.wire == Wire::Snakk {
            // Writing to a vector cannot fail.
            let _ = write!(out, r#"{{"request":"message","id":{number}"#);
            out.extend_from_slice(&self.posting);
        }
        let _ = write!(out, "{number:0DIGITS$}");
        out.extend_from_slice(&self.ending);
    }

    /// Reads a line without its newline.
    #[inline]
    pub(crate) fn scan(&self, line: &[u8]) -> Line {
        self.try_scan(line).unwrap_or(Line::Other)
    }

    #[inline]
    fn try_scan(&self, line: &[u8]) -> Option<Line> {
        if self.wire == Wire::Bare {
            return Some(Line::Delivery { number: self.whole(line)?, seq: 0 });
        }
        if let Some(rest) = line.strip_prefix(&self.delivery[..]) {
            let seq = leading_number(rest)?;
            let number = self.whole(&rest[self.text.find(rest)? + self.text.needle().len()..])?;
            return Some(Line::Delivery { number, seq });
        }
        let behind = |key: &memmem::Finder<'_>| Some(&line[key.find(line)? + key.needle().len()..]);
        if line.starts_with(EVENT) {
            self.room.find(line)?;
            let (seq, number) = (leading_number(behind(&self.seq)?)?, self.whole(behind(&self.text)?)?);
            return Some(Line::Delivery { number, seq });
        }
        if line.starts_with(RESPONSE) {
            let (seq, number) = (leading_number(behind(&self.seq)?)?, leading_number(behind(&self.id)?)?);
            return Some(Line::Acknowledged { number, seq });
        }
        if line.starts_with(PRESENCE) {
            return Some(Line::Hint);
        }
        None
    }

    /// The number of the message whose text begins here, if that is the whole text as it was posted.
    #[inline]
    fn whole(&self, text: &[u8]) -> Option<u32> {
        let number = leading_number(text.get(..DIGITS)?)?;
        text[DIGITS..].starts_with(&self.ending[..self.text_ending]).then_some(number)
    }
}

/// The decimal number at the beginning of `bytes`, at most nine digits long.
#[inline]
fn leading_number(bytes: &[u8]) -> Option<u32> {
    let mut number = 0;
    let mut digits = 0;
    for &byte in bytes.iter().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number * 10 + u32::from(digit);
        digits += 1;
    }
    (1..=9).contains(&digits).then_some(number)
}

/// The name of a user, and what makes it known to the server.
pub(crate) fn greeting(user: usize) -> String {
    format!("{{\"request\":\"hello\",\"protocol\":1}}\n{{\"request\":\"login\",\"username\":\"u{user}\"}}\n")
}

/// The request to join `room`.
pub(crate) fn join(room: &str) -> String {
    format!("{{\"request\":\"join\",\"room\":\"{room}\"}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whatever_the_order_of_their_keys() {
        let native = Phrases::new(Wire::Snakk, "r1", 20);
        let bare = Phrases::new(Wire::Bare, "r1", 20);
        let delivery = Line::Delivery { number: 7, seq: 12 };
        let cases: [(&Phrases, &str, Line); 10] = [
            (
                &native,
                r#"{"event":"message","room":"r1","seq":12,"from":"u1","text":"00000007 the quick b"}"#,
                delivery,
            ),
            (
                &native,
                r#"{"event":"message","seq":12,"text":"00000007 the quick b","room":"r1"}"#,
                Line::Delivery { number: 7, seq: 12 },
            ),
            (&native, r#"{"event":"message","room":"r2","seq":12,"text":"00000007 the quick b"}"#, Line::Other),
            (&native, r#"{"event":"message","room":"r1","seq":12,"text":"00000007 the quick"}"#, Line::Other),
            (&native, r#"{"event":"message","room":"r1","seq":1234567890,"text":"00000007 the quick b"}"#, Line::Other),
            (
                &native,
                r#"{"response":"message","id":7,"room":"r1","seq":12,"time":"x"}"#,
                Line::Acknowledged { number: 7, seq: 12 },
            ),
            (&native, r#"{"response":"message","id":7,"error":"Slow down.","code":"rate_limited"}"#, Line::Other),
            (&native, r#"{"event":"presence","user":"u1","online":true}"#, Line::Hint),
            (&bare, "00000042 the quick b", Line::Delivery { number: 42, seq: 0 }),
            (&bare, "r1", Line::Other),
        ];
        for (phrases, line, expected) in cases {
            assert_eq!(phrases.scan(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn a_posting_has_the_asked_length() {
        let mut out = Vec::new();
        Phrases::new(Wire::Snakk, "r1", 12).post(7, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"request\":\"message\",\"id\":7,\"room\":\"r1\",\"text\":\"00000007 the\"}\n"
        );
        let mut out = Vec::new();
        Phrases::new(Wire::Bare, "r1", 100).post(7, &mut out);
        assert_eq!(out.len(), 101);
    }
}
