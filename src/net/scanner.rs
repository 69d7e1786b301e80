//! A pushdown automaton over RFC 8259 that judges JSON byte by byte, in pieces of any size, and finds where a value
//! ends. It holds no text and allocates nothing: the nesting is a stack of bits, a literal under way is four bytes.
//!
//! What it does not judge: whether the bytes are UTF-8 (only the whole object shows that), keys given twice, and what
//! a number amounts to.

/// The deepest nesting that is allowed; the outermost object or array is level 1.
pub(super) const MAX_DEPTH: u8 = 32;

/// What the bytes seen so far amount to. The numbers count from the beginning of the piece that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All bytes fit, and the value goes on.
    More,
    /// The value ends behind this many bytes.
    End(usize),
    /// The byte at this place cannot continue the value.
    Fault(usize),
}

/// What the next byte has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value.
    Value,
    /// A value, or the end of the array that has just begun.
    FirstElement,
    /// A key, or the end of the object that has just begun.
    FirstKey,
    /// A key, behind a comma.
    Key,
    /// The colon behind a key.
    Colon,
    /// A comma or the end of the container, behind a value.
    After,
    /// The inside of a string.
    Text,
    /// What follows a backslash.
    Escape,
    /// A digit of `\uXXXX`.
    Hex,
    /// A letter of `true`, `false` or `null`.
    Word,
    /// A digit, behind the sign of a number.
    Minus,
    /// What may follow a leading zero.
    Zero,
    /// What may follow the digits before the point.
    Integer,
    /// A digit, behind the point.
    Point,
    /// What may follow a digit behind the point.
    Fraction,
    /// A sign or a digit, behind the `e`.
    Exponent,
    /// A digit, behind the sign of the exponent.
    ExponentSign,
    /// What may follow a digit of the exponent.
    ExponentDigits,
}

/// The state of one value under way.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    /// One bit for each open container, the innermost lowest: 1 for an object, 0 for an array.
    kinds: u32,
    /// The letters of a literal that are still to come, the next one lowest.
    word: u32,
    /// The digits of a `\uXXXX` so far.
    unit: u16,
    /// How many of its digits are still to come.
    digits: u8,
    depth: u8,
    state: State,
    /// The string under way is a key.
    key: bool,
    /// The last thing in the string was the first half of a surrogate pair.
    high: bool,
    half_pair: bool,
}

impl Scanner {
    /// Ready for what stands behind the `{` of an object.
    pub(super) fn object() -> Scanner {
        Scanner { kinds: 1, depth: 1, state: State::FirstKey, ..Scanner::value() }
    }

    /// Ready for the first byte of a value of any kind, without white space before it.
    pub(super) fn value() -> Scanner {
        Scanner {
            kinds: 0,
            word: 0,
            unit: 0,
            digits: 0,
            depth: 0,
            state: State::Value,
            key: false,
            high: false,
            half_pair: false,
        }
    }

    /// Whether a string had half a surrogate pair in it.
    pub(super) fn half_pair(&self) -> bool {
        self.half_pair
    }

    /// Judges the next bytes. After `End` or `Fault` the scanner is spent.
    ///
    /// A number or a literal that stands alone ends at the first byte that cannot continue it; that byte is not taken.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Verdict {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Text => {
                    if self.high && byte != b'\\' {
                        self.high = false;
                        self.half_pair = true;
                    }
                    at += plain(bytes.get(at..).unwrap_or_default());
                    match bytes.get(at) {
                        None => break,
                        Some(b'"') if self.key => self.state = State::Colon,
                        Some(b'"') if self.depth == 0 => return Verdict::End(at + 1),
                        Some(b'"') => self.state = State::After,
                        Some(b'\\') => self.state = State::Escape,
                        Some(_) => return Verdict::Fault(at),
                    }
                }
                State::After => match byte {
                    b',' if self.in_object() => self.state = State::Key,
                    b',' => self.state = State::Value,
                    b'}' if self.in_object() => {
                        if self.close() {
                            return Verdict::End(at + 1);
                        }
                    }
                    b']' if !self.in_object() => {
                        if self.close() {
                            return Verdict::End(at + 1);
                        }
                    }
                    _ if is_space(byte) => {}
                    _ => return Verdict::Fault(at),
                },
                State::Colon => match byte {
                    b':' => self.state = State::Value,
                    _ if is_space(byte) => {}
                    _ => return Verdict::Fault(at),
                },
                State::Key | State::FirstKey => match byte {
                    b'"' => self.open_text(true),
                    // The only container that is closed here is the one that has just begun: an object.
                    b'}' if self.state == State::FirstKey => {
                        if self.close() {
                            return Verdict::End(at + 1);
                        }
                    }
                    _ if is_space(byte) => {}
                    _ => return Verdict::Fault(at),
                },
                State::Value | State::FirstElement => match byte {
                    b'"' => self.open_text(false),
                    b'{' | b'[' if self.depth == MAX_DEPTH => return Verdict::Fault(at),
                    b'{' => self.open(1, State::FirstKey),
                    b'[' => self.open(0, State::FirstElement),
                    b'1'..=b'9' => self.state = State::Integer,
                    b'0' => self.state = State::Zero,
                    b'-' => self.state = State::Minus,
                    b't' => self.open_word(*b"rue\0"),
                    b'f' => self.open_word(*b"alse"),
                    b'n' => self.open_word(*b"ull\0"),
                    b']' if self.state == State::FirstElement => {
                        if self.close() {
                            return Verdict::End(at + 1);
                        }
                    }
                    _ if is_space(byte) => {}
                    _ => return Verdict::Fault(at),
                },
                State::Escape => match byte {
                    b'u' => {
                        self.state = State::Hex;
                        self.digits = 4;
                        self.unit = 0;
                    }
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                        self.half_pair |= self.high;
                        self.high = false;
                        self.state = State::Text;
                    }
                    _ => return Verdict::Fault(at),
                },
                State::Hex => {
                    let Some(digit) = char::from(byte).to_digit(16) else { return Verdict::Fault(at) };
                    // At most four digits of four bits: nothing is shifted out, nothing is cut off.
                    self.unit = self.unit << 4 | digit as u16;
                    self.digits -= 1;
                    if self.digits == 0 {
                        self.end_unit();
                        self.state = State::Text;
                    }
                }
                State::Word => {
                    if self.word & 0xff != u32::from(byte) {
                        return Verdict::Fault(at);
                    }
                    self.word >>= 8;
                    if self.word == 0 {
                        if self.depth == 0 {
                            return Verdict::End(at + 1);
                        }
                        self.state = State::After;
                    }
                }
                State::Minus => match byte {
                    b'0' => self.state = State::Zero,
                    b'1'..=b'9' => self.state = State::Integer,
                    _ => return Verdict::Fault(at),
                },
                State::Point => match byte {
                    b'0'..=b'9' => self.state = State::Fraction,
                    _ => return Verdict::Fault(at),
                },
                State::Exponent => match byte {
                    b'0'..=b'9' => self.state = State::ExponentDigits,
                    b'+' | b'-' => self.state = State::ExponentSign,
                    _ => return Verdict::Fault(at),
                },
                State::ExponentSign => match byte {
                    b'0'..=b'9' => self.state = State::ExponentDigits,
                    _ => return Verdict::Fault(at),
                },
                State::Zero | State::Integer | State::Fraction | State::ExponentDigits => {
                    match (self.state, byte) {
                        (State::Integer | State::Fraction | State::ExponentDigits, b'0'..=b'9') => {}
                        (State::Zero | State::Integer, b'.') => self.state = State::Point,
                        (State::Zero | State::Integer | State::Fraction, b'e' | b'E') => self.state = State::Exponent,
                        _ if self.depth == 0 => return Verdict::End(at),
                        _ => {
                            // The number is over; this byte is judged as what follows it.
                            self.state = State::After;
                            continue;
                        }
                    }
                }
            }
            at += 1;
        }
        Verdict::More
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }

    fn open(&mut self, kind: u32, state: State) {
        self.kinds = self.kinds << 1 | kind;
        self.depth += 1;
        self.state = state;
    }

    /// Leaves the innermost container; says whether it was the outermost one.
    fn close(&mut self) -> bool {
        self.kinds >>= 1;
        self.depth -= 1;
        self.state = State::After;
        self.depth == 0
    }

    fn open_text(&mut self, key: bool) {
        self.key = key;
        self.state = State::Text;
    }

    fn open_word(&mut self, rest: [u8; 4]) {
        self.word = u32::from_le_bytes(rest);
        self.state = State::Word;
    }

    /// A `\uXXXX` is whole: keeps account of surrogate pairs.
    fn end_unit(&mut self) {
        let low = (0xdc00..=0xdfff).contains(&self.unit);
        // Wrong are a first half without a second one behind it, and a second half without a first one before it.
        self.half_pair |= self.high != low;
        self.high = (0xd800..=0xdbff).contains(&self.unit);
    }
}

/// The white space of RFC 8259.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How many bytes from the beginning are neither a quote, nor a backslash, nor a control character.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // The top bit of each byte that is below the subtrahend. A borrow can set it wrongly too, but only above a byte
        // where it is right, so the lowest one can be trusted.
        let hits = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        let hits = hits & TOPS;
        if hits != 0 {
            return index * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    let found = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
    bytes.len() - rest.len() + found.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &[u8]) -> Verdict {
        Scanner::value().scan(text)
    }

    #[test]
    fn whole_values_end_where_they_end() {
        let cases: [&[u8]; 22] = [
            br#"{}"#,
            br#"{ }"#,
            br#"[]"#,
            b"[ \t\r\n]",
            br#"{"":0}"#,
            br#"{"a":{"b":[1,2,{"c":null}]},"d":"}"}"#,
            br#"{"a" : [ true , false , null ] }"#,
            br#"[-0,0,-1,10,1.5,0.0,1e5,1E+5,1e-05,-0.0e0]"#,
            br#"["\"\\\/\b\f\n\r\t\u00e9\uABCD"]"#,
            br#""a string""#,
            br#""""#,
            b"true",
            b"false",
            b"null",
            b"[\"\x7f\xc3\xa9\"]",
            br#"{"a":1,"a":1}"#,
            br#"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"#,
            br#"["\u0000"]"#,
            br#"["asdfasdfasdfasdf\\"]"#,
            br#"[123e400,-123456789123456789123456789]"#,
            br#"{"a":[]}"#,
            br#"[[],{},[{}]]"#,
        ];
        for case in cases {
            let shown = String::from_utf8_lossy(case);
            assert_eq!(verdict(case), Verdict::End(case.len()), "{shown}");
            let more = [case, b"}]"].concat();
            assert_eq!(verdict(&more), Verdict::End(case.len()), "{shown} with more behind it");
            for end in 1..case.len() {
                assert_eq!(verdict(&case[..end]), Verdict::More, "{shown} cut at {end}");
            }
        }
    }

    #[test]
    fn the_first_byte_that_cannot_continue_is_named() {
        // The byte behind the bar is the faulty one.
        let cases = [
            "{|,}",
            "{|1:2}",
            "{|a:1}",
            "{|'a':1}",
            "{\"a\"|}",
            "{\"a\"|,",
            "{\"a\":|}",
            "{\"a\":|,",
            "{\"a\":1|]",
            "{\"a\":1,|}",
            "{\"a\":1,|,",
            "{\"a\":1 |\"b\"",
            "{\"a\"::",
            "[1,|]",
            "[|,",
            "[1 |2",
            "[1|}",
            "[|}",
            "{|]",
            "[0|1",
            "[-|]",
            "[-|-",
            "[+",
            "[|.5",
            "[1.|]",
            "[1.|e1",
            "[1e|]",
            "[1e+|]",
            "[1e|E",
            "[1e5|.",
            "[1.2|.3",
            "[0|x10",
            "[1|_000",
            "[|N",
            "[|I",
            "[-|I",
            "[t|x",
            "[nul|]",
            "[nul|L",
            "[truE",
            "[true|x",
            "[fals|]",
            "[\"\\|x",
            "[\"\\u12|g",
            "[\"\\u|\"",
            "[\"\\|'",
            "[\"a|\nb",
            "[\"a|\tb",
            "[\"|\0",
            "[\"12345678|\x1f",
            "[|/",
            "[1|/",
            "[|#",
            "|}",
            "|]",
            "|,",
            "|:",
            "|a",
            "|\u{feff}",
            "[|\u{a0}",
            "[|\u{b}",
            "[|\u{c}",
            "[1|;",
            "{|{",
            "{\"a\":1|:",
            "[|\u{e9}",
        ];
        for case in cases {
            let Some(place) = case.find('|') else { continue };
            let text = case.replacen('|', "", 1);
            assert_eq!(verdict(text.as_bytes()), Verdict::Fault(place), "{case}");
        }
        assert_eq!(verdict(b"{\"a\"::"), Verdict::Fault(5));
        assert_eq!(verdict(b"[+"), Verdict::Fault(1));
        assert_eq!(verdict(b"[truE"), Verdict::Fault(4));
    }

    #[test]
    fn a_number_alone_ends_before_the_byte_that_cannot_continue_it() {
        for (text, end) in [("1 ", 1), ("01", 1), ("-0.5e3,", 6), ("12{", 2), ("7\n", 1), ("1e5.", 3)] {
            assert_eq!(verdict(text.as_bytes()), Verdict::End(end), "{text}");
        }
        for (text, place) in [("-x", 1), ("1.{", 2), ("1e ", 2)] {
            assert_eq!(verdict(text.as_bytes()), Verdict::Fault(place), "{text}");
        }
    }

    #[test]
    fn the_thirty_third_level_is_a_fault() {
        let deep = |levels: usize| "[".repeat(levels);
        assert_eq!(verdict(deep(32).as_bytes()), Verdict::More);
        assert_eq!(verdict(deep(33).as_bytes()), Verdict::Fault(32));
        assert_eq!(verdict(format!("{}{{", deep(32)).as_bytes()), Verdict::Fault(32));
        let objects = "{\"a\":".repeat(33);
        assert_eq!(verdict(objects.as_bytes()), Verdict::Fault(32 * 5));
        assert_eq!(Scanner::object().scan(&objects.as_bytes()[1..]), Verdict::Fault(32 * 5 - 1));
        // What was closed again does not count.
        assert_eq!(verdict(format!("{}{}[]", deep(31), "[],".repeat(100)).as_bytes()), Verdict::More);
    }

    #[test]
    fn half_surrogate_pairs_are_noticed() {
        let cases = [
            (r#"["\ud83d\ude00"]"#, false),
            (r#"["\uD83D\uDE00\ud83d\ude00"]"#, false),
            (r#"["\ud7ff\ue000"]"#, false),
            (r#"["\ud800"]"#, true),
            (r#"["\udc00"]"#, true),
            (r#"["\udc00\ud800"]"#, true),
            (r#"["\ud800\ud800\udc00"]"#, true),
            (r#"["\ud800\n"]"#, true),
            (r#"["\ud800x\udc00"]"#, true),
            (r#"["\ud800","\udc00"]"#, true),
            (r#"["\ud800\u0041"]"#, true),
            (r#"["\ud83d\ude00\ude00"]"#, true),
            (r#"["\\ud800"]"#, false),
            (r#"{"\ud800":1}"#, true),
        ];
        for (text, half) in cases {
            for cut in 0..text.len() {
                let mut scanner = Scanner::value();
                let (first, second) = text.as_bytes().split_at(cut);
                assert_eq!(scanner.scan(first), Verdict::More, "{text} cut at {cut}");
                assert_eq!(scanner.scan(second), Verdict::End(second.len()), "{text} cut at {cut}");
                assert_eq!(scanner.half_pair(), half, "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn plain_text_is_measured_exactly() {
        for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for length in 0..40 {
                for filler in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut bytes = vec![filler; length];
                    assert_eq!(plain(&bytes), length);
                    bytes.push(special);
                    bytes.extend([b'"', 0, b'x', b'\\', filler]);
                    assert_eq!(plain(&bytes), length, "{length} of {filler:#x} before {special:#x}");
                }
            }
        }
    }
}
