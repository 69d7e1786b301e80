//! Cuts a text into the words of the search index.
//!
//! The index is fed [`indexed`], the words of a text joined by single blanks, and asked for phrases of the words of a query,
//! which are cut by the same rules. So two texts find one another when their words are equal:
//!
//! - A word is a run of letters and digits; everything else divides words, apart from what cannot be seen (joiners, soft
//!   hyphens, variation selectors), which is passed over.
//! - Case does not matter, nor the way in which a letter is encoded (NFKD), nor its accents (combining marks are dropped),
//!   nor the strokes that Unicode does not take for accents: `ÅSE` is `ase`, `Straße` is `strasse`, `Øl` is `ol`,
//!   `ﬁn` is `fin`. In scripts whose vowels are marks this finds more than it should, and never less.
//! - Scripts that write without spaces have words of one letter each: Han, Kana (whose voiced letters stay what they are),
//!   Thai, Lao, Khmer, Myanmar and their like. So a query in such a script is a phrase of letters, and finds them anywhere.
//!   Hangul has words of one syllable each, for Korean hangs its particles on the noun.
//! - Emoji, arrows, signs of currency and other symbols outside ASCII are words of one character each; skin tones are
//!   dropped like accents. Frames, blocks and Braille patterns are no symbols: people draw with them.
//! - A word ends after [`MAX_WORD_BYTES`]; the rest of its run is dropped.
//!
//! **What the tokenizer makes of it.** Each word passes through FTS5's `unicode61 remove_diacritics 0` and through its `ascii`
//! as exactly one token, unchanged. Symbols are no token characters for `unicode61`, so the index has private use characters
//! in their stead: U+F0000 and more for a symbol of the first plane, U+E000 to U+EFFF for U+1F000 to U+1FFFF. No word can
//! collide with them, for private use characters that somebody writes are neither letters nor digits here.

use std::ops::Range;

use unicode_normalization::char::{compose, decompose_compatible, is_combining_mark};

/// The most bytes that a word has.
pub const MAX_WORD_BYTES: usize = 64;

/// A word of the index, and the place that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word as the index has it.
    pub text: String,
    /// Where it begins in the text that was cut, in bytes.
    pub start: usize,
    /// Where it ends there, in bytes.
    pub end: usize,
}

/// The words of a text, in their order. Takes time in proportion to the length of the text.
///
/// # Example
/// ```
/// use snakk::model::words::words;
/// let texts = |text| words(text).into_iter().map(|word| word.text).collect::<Vec<_>>();
/// assert_eq!(texts("Crème brûlée, 3 €?")[..3], ["creme", "brulee", "3"]);
/// assert_eq!(texts("東京へ"), ["東", "京", "へ"]);
/// ```
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    each_word(text, |word, place| words.push(Word { text: word.to_owned(), start: place.start, end: place.end }));
    words
}

/// What the index is fed for a text: its words, joined by single blanks.
pub fn indexed(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    each_word(text, |word, _| {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    });
    joined
}

/// Whether there is a link in the text: a scheme, `://` and something behind it, or `www.` and something behind it.
///
/// # Example
/// ```
/// use snakk::model::words::has_link;
/// assert!(has_link("see https://example.com/") && has_link("(www.example.com)"));
/// assert!(!has_link("http:// is not enough") && !has_link("a://"));
/// ```
pub fn has_link(text: &str) -> bool {
    let names_a_host = |behind: &str| behind.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    let with_scheme = text.match_indices("://").any(|(at, colon)| {
        // The runs before two colons have no byte in common, so that this is linear.
        let before = &text[..at];
        let scheme = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let scheme = before[scheme.len()..].trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        scheme.len() >= 2 && names_a_host(&text[at + colon.len()..])
    });
    let bytes = text.as_bytes();
    with_scheme
        || bytes.windows(4).enumerate().any(|(at, window)| {
            window.eq_ignore_ascii_case(b"www.")
                && !text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@'))
                && names_a_host(&text[at + 4..])
        })
}

/// Calls `take` with each word and its place.
fn each_word(text: &str, take: impl FnMut(&str, Range<usize>)) {
    let mut cutter =
        Cutter { word: String::with_capacity(MAX_WORD_BYTES), place: 0..0, alone: false, full: false, take };
    for (start, c) in text.char_indices() {
        if c.is_ascii_alphanumeric() {
            cutter.letter(c.to_ascii_lowercase(), start..start + 1);
        } else if c.is_ascii() {
            cutter.end_word();
        } else {
            let place = start..start + c.len_utf8();
            decompose_compatible(c, |part| {
                for part in part.to_lowercase() {
                    cutter.part(part, place.clone());
                }
            });
        }
    }
    cutter.end_word();
}

/// The word that is being put together.
struct Cutter<F> {
    word: String,
    place: Range<usize>,
    /// Whether the word is one letter or symbol that takes no further ones.
    alone: bool,
    /// Whether a letter has found no room, so that none may follow it.
    full: bool,
    take: F,
}

impl<F: FnMut(&str, Range<usize>)> Cutter<F> {
    /// Takes a decomposed character in lower case.
    fn part(&mut self, c: char, place: Range<usize>) {
        if self.alone
            && let Some(last) = self.word.chars().next_back()
            && let Some(whole) = compose(last, c)
        {
            // What NFKD has taken apart though it is one letter: voiced Kana, the syllables of Hangul.
            self.word.clear();
            self.word.push(whole);
            self.place.end = place.end;
        } else if is_combining_mark(c) || matches!(c, '\u{1f3fb}'..='\u{1f3ff}') {
            if !self.word.is_empty() {
                self.place.end = place.end;
            }
        } else if let Some(code) = symbol(c) {
            self.lone(code, place);
        } else if stands_alone(c) && c.is_alphanumeric() {
            self.lone(c, place);
        } else if let Some(letters) = without_stroke(c) {
            letters.chars().for_each(|letter| self.letter(letter, place.clone()));
        } else if c.is_alphanumeric() {
            self.letter(c, place);
        } else if !is_unseen(c) {
            self.end_word();
        }
    }

    fn letter(&mut self, c: char, place: Range<usize>) {
        if self.alone {
            self.end_word();
        }
        if self.word.is_empty() {
            self.place.start = place.start;
        }
        self.place.end = place.end;
        self.full |= self.word.len() + c.len_utf8() > MAX_WORD_BYTES;
        if !self.full {
            self.word.push(c);
        }
    }

    fn lone(&mut self, c: char, place: Range<usize>) {
        self.end_word();
        self.letter(c, place);
        self.alone = true;
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            (self.take)(&self.word, self.place.clone());
        }
        self.word.clear();
        self.alone = false;
        self.full = false;
    }
}

/// What the index has for a symbol. See the head of this file.
fn symbol(c: char) -> Option<char> {
    let code = u32::from(c);
    match c {
        '\u{2500}'..='\u{259f}' | '\u{2800}'..='\u{28ff}' => None,
        '¢'..='¥' | '©' | '®' | '\u{20a0}'..='\u{20cf}' | '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}'
        // Letters of the newest Unicode that were marks before, and that SQLite may take for marks.
        | '\u{19b0}'..='\u{19c9}' | '\u{1cf2}' | '\u{1cf3}' => char::from_u32(0xf_0000 + code),
        '\u{1f000}'..='\u{1faff}' => char::from_u32(0xe000 + (code - 0x1_f000)),
        _ => None,
    }
}

/// Letters of scripts that write without spaces, and the syllables of Hangul.
fn stands_alone(c: char) -> bool {
    matches!(c,
        // Thai and Lao; Myanmar; Hangul; Khmer; Tai Le and New Tai Lue; Tai Tham; Balinese.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{19ff}' | '\u{1a20}'..='\u{1aaf}' | '\u{1b00}'..='\u{1b7f}'
        // Radicals, Kana, Bopomofo, Han; Yi.
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{a4cf}'
        // Hangul, old and new; Javanese; Myanmar; Tai Viet; compatibility ideographs.
        | '\u{a960}'..='\u{a97f}' | '\u{a980}'..='\u{a9ff}' | '\u{aa60}'..='\u{aadf}' | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        // Tangut, Khitan; Kana and Nushu; Han of the second and third plane.
        | '\u{17000}'..='\u{18dff}' | '\u{1aff0}'..='\u{1b2ff}' | '\u{20000}'..='\u{3fffd}')
}

/// Letters that people without the key for them write differently, and that NFKD leaves whole.
fn without_stroke(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        'ı' => "i",
        // Lower case all the same, at the end of a word.
        'ς' => "σ",
        _ => return None,
    })
}

/// Characters inside a word that nobody sees: the soft hyphen, joiners, the byte order mark. (The zero width space is not
/// among them; it is there to divide words.)
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    fn places(text: &str) -> Vec<&str> {
        words(text).iter().map(|word| &text[word.start..word.end]).collect()
    }

    #[test]
    fn case_accents_and_encoding_do_not_matter() {
        let cases = [
            ("ÅSE", "ase"),
            ("A\u{30a}se", "ase"),
            ("Straße STRASSE ẞ", "strasse strasse ss"),
            ("Øl Łódź İstanbul ılık ﬁn", "ol lodz istanbul ilik fin"),
            ("ΟΔΟΣ ὁδός", "οδοσ οδοσ"),
            ("ＡＢＣ １２ ½ x²", "abc 12 1 2 x2"),
            ("Ёлка Йод", "елка иод"),
            ("أَهْلًا", "اهلا"),
            ("co\u{ad}op می\u{200c}خواهم a\u{200b}b", "coop میخواهم a b"),
            ("don't foo_bar-baz.rs", "don t foo bar baz rs"),
            ("", ""),
            ("?! ... --- \n\t", ""),
            ("\u{301}\u{301}a\u{301}", "a"),
        ];
        for (text, expected) in cases {
            assert_eq!(indexed(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_letter_of_a_script_without_spaces_is_a_word() {
        let cases = [
            ("東京タワーへGO!2人", "東 京 タ ワ ー へ go 2 人"),
            ("か\u{3099} が ｶﾞ", "が が ガ"),
            ("かが", "か が"),
            ("서울에서", "서 울 에 서"),
            ("\u{1109}\u{1165}\u{110b}\u{116e}\u{11af}", "서 울"),
            ("ไทย", "ไ ท ย"),
            ("\u{20000}\u{fa1f}", "\u{20000} \u{fa1f}"),
        ];
        for (text, expected) in cases {
            assert_eq!(indexed(text), expected, "{text:?}");
        }
        assert_eq!(places("が서か\u{3099}x"), ["が", "서", "か\u{3099}", "x"]);
    }

    #[test]
    fn a_symbol_is_a_word() {
        assert_eq!(texts("🦀"), ["\u{e980}"]);
        assert_eq!(
            texts("rust🦀🦀is→nice ©"),
            ["rust", "\u{e980}", "\u{e980}", "is", "\u{f2192}", "nice", "\u{f00a9}"]
        );
        assert_eq!(texts("👍🏽 ❤️"), texts("👍 ❤"));
        assert_eq!(texts("1️⃣"), ["1"]);
        assert_eq!(texts("🇩🇪").len(), 2);
        assert_eq!(texts("\u{e980}\u{f2192}"), [""; 0]);
        assert_eq!(texts("┌─┐ ⠿ █"), [""; 0]);
        assert_eq!(places("a❤\u{fe0f}b 👍🏽👩\u{200d}🚀"), ["a", "❤\u{fe0f}", "b", "👍🏽", "👩", "🚀"]);
    }

    #[test]
    fn a_word_knows_its_place() {
        assert_eq!(places(" Crème-brûlée, x²!"), ["Crème", "brûlée", "x²"]);
        assert_eq!(places("e\u{301}a\u{301}\u{301} b"), ["e\u{301}a\u{301}\u{301}", "b"]);
        assert_eq!(places("ﷺ").len(), 4);
    }

    #[test]
    fn a_long_word_is_cut() {
        assert_eq!(texts(&"a".repeat(1000)), ["a".repeat(64)]);
        assert_eq!(words(&"a".repeat(1000))[0].end, 1000);
        assert_eq!(texts(&format!("a{} b", "д".repeat(40))), [format!("a{}", "д".repeat(31)), "b".to_owned()]);
        assert_eq!(texts(&format!("a{}b", "д".repeat(40))), [format!("a{}", "д".repeat(31))]);
    }

    #[test]
    fn a_link_needs_something_behind_it() {
        for text in [
            "http://a",
            "x HTTPS://Example.com",
            "<http://[::1]/>",
            "(ftp://a)",
            "日本https://a",
            "www.a.de",
            "é,WWW.a",
            "1http://a",
        ] {
            assert!(has_link(text), "{text:?}");
        }
        for text in
            ["", "http://", "http:// a", "://a", "a://b", "http:a", "www.", "www. a", "awww.cute", "a@www.b", "1://2"]
        {
            assert!(!has_link(text), "{text:?}");
        }
    }

    /// What FTS5 makes of each text, by its number.
    fn tokens(tokenizer: &str, texts: &[String]) -> Vec<Vec<String>> {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(&format!(
            "CREATE VIRTUAL TABLE entries USING fts5(words, tokenize = \"{tokenizer}\");
             CREATE VIRTUAL TABLE tokens USING fts5vocab(entries, instance);
             BEGIN;"
        ))
        .unwrap();
        for (number, text) in texts.iter().enumerate() {
            db.execute("INSERT INTO entries (rowid, words) VALUES (?1, ?2)", (number as u32, text)).unwrap();
        }
        let mut tokens = vec![Vec::new(); texts.len()];
        let mut query = db.prepare("SELECT doc, term FROM tokens ORDER BY doc, offset").unwrap();
        let mut rows = query.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            tokens[row.get::<_, u32>(0).unwrap() as usize].push(row.get(1).unwrap());
        }
        tokens
    }

    /// All characters that words are made of, of the great ideographic blocks and Hangul only some.
    fn characters() -> impl Iterator<Item = char> {
        let great = |c: &char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{17000}'..='\u{18dff}' | '\u{20000}'..);
        let kept = move |c: &char| !great(c) || u32::from(*c).is_multiple_of(64);
        ('\0'..=char::MAX).filter(kept).filter(|c| c.is_alphanumeric() || !indexed(&c.to_string()).is_empty())
    }

    #[test]
    fn every_character_passes_through_the_tokenizer_as_it_is() {
        // Between letters too, where the tokenizer would pass over a mark.
        let texts: Vec<String> = characters().map(|c| indexed(&format!("{c} a{c}b"))).collect();
        for tokenizer in ["unicode61 remove_diacritics 0", "ascii"] {
            for (text, tokens) in texts.iter().zip(tokens(tokenizer, &texts)) {
                assert!(text.split_terminator(' ').eq(&tokens), "{text:?} {tokens:?}");
            }
        }
    }

    #[test]
    fn words_of_letters_are_cut_into_themselves() {
        for c in characters() {
            let once = indexed(&c.to_string());
            if once.chars().all(|c| c == ' ' || c.is_alphanumeric()) {
                assert_eq!(indexed(&once), once, "{c:?}");
                assert_eq!(once.to_lowercase().replace('ς', "σ"), once, "{c:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn words_are_short_in_order_and_pass_through_the_tokenizer(
            text in "(?s)([a-zßÅǅ한が\u{3099}\u{301}\u{200d}🦀👍🏽ﷺ東ไ\u{e38}9 ]|\u{1161}|\u{11a8}|.){0,100}",
        ) {
            let words = words(&text);
            for word in &words {
                prop_assert!(!word.text.is_empty() && word.text.len() <= MAX_WORD_BYTES);
                prop_assert!(word.start < word.end && text.get(word.start..word.end).is_some());
            }
            for pair in words.windows(2) {
                // They may have a character in common: some are taken apart into several words.
                prop_assert!(pair[0].start <= pair[1].start && pair[0].end <= pair[1].end, "{pair:?}");
            }
            let joined = indexed(&text);
            prop_assert!(joined.split_terminator(' ').eq(words.iter().map(|word| word.text.as_str())));
            let tokens = tokens("unicode61 remove_diacritics 0", std::slice::from_ref(&joined));
            prop_assert!(joined.split_terminator(' ').eq(&tokens[0]), "{joined:?} {tokens:?}");
            has_link(&text);
        }
    }
}
