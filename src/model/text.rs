//! What may be said, and the form of it that is safe to show.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing was said.
    #[error("the text is empty")]
    Empty,
    /// Longer than allowed.
    #[error("the text is longer than {max_bytes} bytes")]
    TooLong {
        /// What is allowed.
        max_bytes: usize,
    },
    /// A control character (C0, DEL or C1), which could take over the terminal of whoever reads it.
    #[error("the text contains a control character")]
    Control,
}

/// What somebody says: at least one byte, no control characters but newline and tab.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Box<str>);

impl Text {
    /// Checks what somebody wants to say.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it.
    pub fn parse(text: impl Into<Box<str>>, max_bytes: usize) -> Result<Text, TextError> {
        let text = text.into();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > max_bytes {
            return Err(TextError::TooLong { max_bytes });
        }
        if has_control(&text, true) {
            return Err(TextError::Control);
        }
        Ok(Text(text))
    }

    /// A text that was checked before, as it comes from the store.
    pub fn trusted(text: impl Into<Box<str>>) -> Text {
        Text(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    // What people said does not belong into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// A short text on one line, such as a topic or a reason: may be empty, has no control characters at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Line(Box<str>);

impl Line {
    /// The most bytes that a topic, reason, status or label may have.
    pub const MAX_BYTES: usize = 512;

    /// Checks a line.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it.
    pub fn parse(line: impl Into<Box<str>>) -> Result<Line, TextError> {
        let line = line.into();
        if line.len() > Line::MAX_BYTES {
            return Err(TextError::TooLong { max_bytes: Line::MAX_BYTES });
        }
        if has_control(&line, false) {
            return Err(TextError::Control);
        }
        Ok(Line(line))
    }

    /// A line that was checked before, as it comes from the store.
    pub fn trusted(line: impl Into<Box<str>>) -> Line {
        Line(line.into())
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether there is a control character (C0, DEL, C1) in it; `breaks` lets newline and tab pass.
fn has_control(text: &str, breaks: bool) -> bool {
    let bytes = text.as_bytes();
    // All that most texts need, and nothing that keeps the compiler from looking at many bytes at once.
    let control = |byte: &u8| u8::from(*byte < 0x20) | u8::from(*byte == 0x7f);
    let controls: usize = bytes.iter().map(|byte| usize::from(control(byte))).sum();
    let breaks =
        if breaks && controls > 0 { bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\t')).count() } else { 0 };
    // C1 is U+0080 to U+009F: in UTF-8 the byte C2 and one from 80 to 9F.
    controls > breaks || (!text.is_ascii() && bytes.windows(2).any(|pair| pair[0] == 0xc2 && pair[1] < 0xa0))
}

/// The text as it may be shown on a terminal: control characters and bidirectional overrides are replaced by something
/// that can be seen and does nothing. `breaks` lets newline and tab pass.
///
/// # Example
/// ```
/// use snakk::model::text::safe;
/// assert_eq!(safe("plain", false), "plain");
/// assert_eq!(safe("a\u{1b}[31mb", false), "a\u{241b}[31mb");
/// assert_eq!(safe("a\u{202e}b", false), "a\u{fffd}b");
/// ```
pub fn safe(text: &str, breaks: bool) -> Cow<'_, str> {
    let harmless = |c: char| (breaks && matches!(c, '\n' | '\t')) || !(c.is_control() || steers(c));
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| match c {
                c if harmless(c) => c,
                // The control pictures block has a symbol for each of C0 and for DEL.
                '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
                '\x7f' => '\u{2421}',
                _ => '\u{fffd}',
            })
            .collect(),
    )
}

/// Characters that change the order or the meaning of what stands around them without being seen: line and paragraph
/// separators, bidirectional controls (UAX 9), invisible operators, the byte order mark, and tags.
fn steers(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_no_control_characters_but_newline_and_tab() {
        for c in (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control()) {
            let text = format!("a{c}b");
            assert_eq!(Text::parse(text.clone(), 100).is_ok(), matches!(c, '\n' | '\t'), "{c:?}");
            assert!(Line::parse(text.clone()).is_err(), "{c:?}");
            assert!(!safe(&text, false).chars().any(char::is_control), "{c:?}");
        }
        assert!(Text::parse("å\u{a0}日本語 👋", 100).is_ok());
    }

    #[test]
    fn a_text_is_neither_empty_nor_too_long() {
        assert_eq!(Text::parse("", 5), Err(TextError::Empty));
        assert!(Text::parse("12345", 5).is_ok());
        assert_eq!(Text::parse("123456", 5), Err(TextError::TooLong { max_bytes: 5 }));
    }

    #[test]
    fn what_is_safe_stays_as_it_is_and_twice_is_once() {
        for text in ["plain", "a\u{1b}b", "\u{202e}abc", "x\u{9b}y", "tab\tline\n"] {
            let once = safe(text, true).into_owned();
            assert_eq!(safe(&once, true), once);
        }
    }
}
