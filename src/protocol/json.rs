//! Writes JSON: compact, on one line, straight into a buffer of bytes.
//!
//! Entries and answers are encoded so often that a tree of values, or a serializer that asks each type what it is, would be
//! the larger part of the work. Keys are known in advance and need no escapes, so what is left is pushing bytes.
//! Besides what JSON demands, DEL and C1 are escaped: a line of ours may end on somebody's terminal.

use std::io::Write;

use crate::model::Time;

/// An object that is being written. [`Object::close`] ends it.
#[must_use = "an object has to be closed"]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub fn open(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, empty: true }
    }

    /// Writes a key, and gives the buffer into which exactly one value has to be written.
    pub fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string.
    pub fn str(&mut self, key: &'static str, value: &str) {
        string(self.key(key), value);
    }

    /// A natural number.
    pub fn int(&mut self, key: &'static str, value: u64) {
        int(self.key(key), value);
    }

    /// True or false.
    pub fn bool(&mut self, key: &'static str, value: bool) {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A moment.
    pub fn time(&mut self, key: &'static str, value: Time) {
        time(self.key(key), value);
    }

    /// A string, where there is one.
    pub fn maybe_str(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.str(key, value);
        }
    }

    /// A natural number, where there is one.
    pub fn maybe_int(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.int(key, value);
        }
    }

    /// A moment, where there is one.
    pub fn maybe_time(&mut self, key: &'static str, value: Option<Time>) {
        if let Some(value) = value {
            self.time(key, value);
        }
    }

    /// A list of strings.
    pub fn strs(&mut self, key: &'static str, values: impl IntoIterator<Item = impl AsRef<str>>) {
        list(self.key(key), values, |value, out| string(out, value.as_ref()));
    }

    /// A value that is JSON already.
    pub fn json(&mut self, key: &'static str, value: &str) {
        self.key(key).extend_from_slice(value.as_bytes());
    }

    /// An object in the object.
    pub fn object(&mut self, key: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.key(key));
        fill(&mut inner);
        inner.close();
    }

    /// A list of objects.
    pub fn objects<T>(
        &mut self,
        key: &'static str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(T, &mut Object<'_>),
    ) {
        list(self.key(key), items, |item, out| {
            let mut inner = Object::open(out);
            fill(item, &mut inner);
            inner.close();
        });
    }

    /// Ends the object.
    pub fn close(self) {
        self.out.push(b'}');
    }

    /// Ends the object and the line.
    pub fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }
}

/// Writes a list.
pub fn list<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut write: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// Writes a natural number.
pub fn int(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a moment.
pub fn time(out: &mut Vec<u8>, value: Time) {
    out.push(b'"');
    // Writing into a Vec cannot fail.
    let _ = write!(out, "{value}");
    out.push(b'"');
}

/// What is to be done with a byte of a string.
const PLAIN: u8 = 0;
/// `\u00XX`, for a byte that has no escape of one letter.
const NUMBER: u8 = 1;
/// The first byte of U+0080 to U+00BF, of which the first half are controls.
const MAYBE_C1: u8 = 2;

/// For each byte what is to be done with it: one of the above, or the letter of its escape.
const ESCAPES: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = NUMBER;
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[0x7f] = NUMBER;
    table[0xc2] = MAYBE_C1;
    table
};

/// How many bytes of a string are looked at together.
const CHUNK: usize = 16;

/// Writes a string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Writes the inside of a string.
pub fn escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let (mut written, mut at) = (0, 0);
    loop {
        // Most text needs no escapes at all, and the compiler looks at a whole chunk with a few instructions.
        while let Some(chunk) = bytes.get(at..at + CHUNK) {
            let plain = |byte: &u8| (0x20..0x7f).contains(byte) & (*byte != b'"') & (*byte != b'\\');
            if !chunk.iter().fold(true, |all, byte| all & plain(byte)) {
                break;
            }
            at += CHUNK;
        }
        for _ in 0..CHUNK {
            let Some(byte) = bytes.get(at) else {
                out.extend_from_slice(&bytes[written..]);
                return;
            };
            let length = escape(out, &bytes[written..at], *byte, bytes.get(at + 1));
            at += length.max(1);
            if length > 0 {
                written = at;
            }
        }
    }
}

/// Writes the escape of a byte, and before it what needed none. How many bytes it stands for: none if it needs no escape.
fn escape(out: &mut Vec<u8>, plain: &[u8], byte: u8, second: Option<&u8>) -> usize {
    let escape = ESCAPES[usize::from(byte)];
    let (number, length) = match (escape, second) {
        (PLAIN, _) => return 0,
        (MAYBE_C1, Some(second)) if *second < 0xa0 => (*second, 2),
        (MAYBE_C1, _) => return 0,
        _ => (byte, 1),
    };
    out.extend_from_slice(plain);
    if matches!(escape, NUMBER | MAYBE_C1) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        out.extend_from_slice(b"\\u00");
        out.extend_from_slice(&[HEX[usize::from(number >> 4)], HEX[usize::from(number & 15)]]);
    } else {
        out.extend_from_slice(&[b'\\', escape]);
    }
    length
}

/// Copies a value without the white space outside its strings.
pub fn compact(value: &str) -> Box<str> {
    let mut compact = String::with_capacity(value.len());
    let (mut in_string, mut escape) = (false, false);
    for c in value.chars() {
        if in_string {
            in_string = escape || c != '"';
            escape = !escape && c == '\\';
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = c == '"';
        }
        compact.push(c);
    }
    compact.into_boxed_str()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::object::Fields;

    /// The objects in what was written, each on its line, strictly: no control character in it, no key twice.
    pub(in crate::protocol) fn lines(out: &[u8]) -> Vec<serde_json::Value> {
        let text = std::str::from_utf8(out).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        text.split_terminator('\n')
            .map(|line| {
                assert!(!line.chars().any(char::is_control), "{line:?}");
                assert!(Fields::parse(line).unwrap_or_else(|| panic!("{line:?}")).repeated().is_none(), "{line:?}");
                assert_eq!(&*compact(line), line);
                serde_json::from_str(line).unwrap()
            })
            .collect()
    }

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_where_json_or_a_terminal_needs_it() {
        for (text, json) in [
            ("plain æ 👋", "\"plain æ 👋\""),
            ("\"\\/", "\"\\\"\\\\/\""),
            ("\n\r\t\u{8}\u{c}\0\u{1b}", "\"\\n\\r\\t\\b\\f\\u0000\\u001b\""),
            ("\u{7f}\u{80}\u{9f}\u{a0}", "\"\\u007f\\u0080\\u009f\u{a0}\""),
        ] {
            assert_eq!(written(text), json);
        }
    }

    #[test]
    fn numbers_are_exact() {
        for value in [0, 9, 10, 12_345, u64::MAX] {
            let mut out = Vec::new();
            int(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn a_compact_value_keeps_its_strings() {
        for (value, short) in
            [(" [1 , 2\n]\t", "[1,2]"), (r#"{ "a b" : "c \" d" }"#, r#"{"a b":"c \" d"}"#), (r#""\\" "#, r#""\\""#)]
        {
            assert_eq!(&*compact(value), short);
        }
    }

    proptest! {
        #[test]
        fn every_string_reads_as_it_was_written(text in prop::collection::vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{ff}')], 0..80)) {
            let text: String = text.into_iter().collect();
            let json = written(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            prop_assert!(!json.chars().any(char::is_control));
        }
    }
}
