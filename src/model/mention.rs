//! Who is mentioned in a text: the names behind an `@`.
//!
//! `@alice` mentions alice at the start of the text and behind everything that could not be part of a name or of a mail
//! address: in `(@alice)` and `hi,@alice`, not in `bob@alice`, `bob.@alice` and `@@alice`. A name is the longest run of
//! letters, digits, `_`, `-` and marks that begins with a letter or digit, without `-` at its end. Whether anybody has that
//! name is for others to say.

/// The most names that one text can mention; further ones mention nobody.
pub const MAX_MENTIONS: usize = 20;

/// The names that the text mentions: in lower case, in their order, each once, at most [`MAX_MENTIONS`].
///
/// # Example
/// ```
/// use snakk::model::mention::mentions;
/// assert_eq!(mentions("@Alice, ask @bob-2. (not carol@example.com; @alice knows)"), ["alice", "bob-2"]);
/// ```
pub fn mentions(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = text;
    let mut before = None;
    while let Some(at) = rest.find('@') {
        let before_at = rest[..at].chars().next_back().or(before);
        rest = &rest[at + 1..];
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let stands_alone = !before_at.is_some_and(|c| is_name_char(c) || matches!(c, '.' | '@'));
        if stands_alone && run.starts_with(char::is_alphanumeric) {
            let name = run.trim_end_matches('-').to_lowercase();
            if !names.contains(&name) {
                names.push(name);
                if names.len() == MAX_MENTIONS {
                    break;
                }
            }
        }
        before = run.chars().next_back().or(Some('@'));
        rest = after;
    }
    names
}

/// Whether a name may go on with the character, under whichever rule for names.
pub(crate) fn is_name_char(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || matches!(c, '_' | '-') } else { c.is_alphanumeric() || is_mark(c) }
}

/// Marks that Unicode does not count as alphabetic, though words of many scripts have them: accents, tone marks, signs that
/// take a vowel away. Those of living scripts, for a client has no tables of Unicode but those of the standard library.
fn is_mark(c: char) -> bool {
    let at = MARKS.partition_point(|(_, last)| *last < c);
    MARKS.get(at).is_some_and(|(first, _)| *first <= c)
}

/// First and last of each range, in order.
#[rustfmt::skip]
const MARKS: [(char, char); 66] = [
    ('\u{300}', '\u{344}'), ('\u{346}', '\u{362}'), ('\u{483}', '\u{487}'), ('\u{591}', '\u{5af}'),
    ('\u{658}', '\u{658}'), ('\u{6df}', '\u{6e0}'), ('\u{6ea}', '\u{6ec}'), ('\u{740}', '\u{74a}'),
    ('\u{7eb}', '\u{7f3}'), ('\u{8ca}', '\u{8d3}'), ('\u{8ea}', '\u{8ef}'), ('\u{93c}', '\u{93c}'),
    ('\u{94d}', '\u{94d}'), ('\u{951}', '\u{954}'), ('\u{9bc}', '\u{9bc}'), ('\u{9cd}', '\u{9cd}'),
    ('\u{9fe}', '\u{9fe}'), ('\u{a3c}', '\u{a3c}'), ('\u{a4d}', '\u{a4d}'), ('\u{abc}', '\u{abc}'),
    ('\u{acd}', '\u{acd}'), ('\u{afd}', '\u{aff}'), ('\u{b3c}', '\u{b3c}'), ('\u{b4d}', '\u{b4d}'),
    ('\u{b55}', '\u{b55}'), ('\u{bcd}', '\u{bcd}'), ('\u{c3c}', '\u{c3c}'), ('\u{c4d}', '\u{c4d}'),
    ('\u{cbc}', '\u{cbc}'), ('\u{ccd}', '\u{ccd}'), ('\u{d3b}', '\u{d3c}'), ('\u{d4d}', '\u{d4d}'),
    ('\u{dca}', '\u{dca}'), ('\u{e47}', '\u{e4c}'), ('\u{e4e}', '\u{e4e}'), ('\u{eba}', '\u{eba}'),
    ('\u{ec8}', '\u{ecc}'), ('\u{f35}', '\u{f35}'), ('\u{f37}', '\u{f37}'), ('\u{f39}', '\u{f39}'),
    ('\u{f84}', '\u{f84}'), ('\u{1037}', '\u{1037}'), ('\u{1039}', '\u{103a}'), ('\u{135d}', '\u{135f}'),
    ('\u{1714}', '\u{1715}'), ('\u{1734}', '\u{1734}'), ('\u{17c9}', '\u{17d3}'), ('\u{17dd}', '\u{17dd}'),
    ('\u{1939}', '\u{193b}'), ('\u{1a60}', '\u{1a60}'), ('\u{1a75}', '\u{1a7c}'), ('\u{1ab0}', '\u{1abd}'),
    ('\u{1b34}', '\u{1b34}'), ('\u{1b44}', '\u{1b44}'), ('\u{1baa}', '\u{1bab}'), ('\u{1be6}', '\u{1be6}'),
    ('\u{1bf2}', '\u{1bf3}'), ('\u{1c37}', '\u{1c37}'), ('\u{1dc0}', '\u{1dd2}'), ('\u{1df5}', '\u{1dff}'),
    ('\u{302a}', '\u{302f}'), ('\u{3099}', '\u{309a}'), ('\u{a9b3}', '\u{a9b3}'), ('\u{a9c0}', '\u{a9c0}'),
    ('\u{abed}', '\u{abed}'), ('\u{fe20}', '\u{fe2f}'),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_behind_an_at_sign_is_mentioned_where_it_stands_alone() {
        let cases: [(&str, &[&str]); 16] = [
            ("", &[]),
            ("@", &[]),
            ("@alice", &["alice"]),
            ("hi @Alice, (@bob) and\n@carol!", &["alice", "bob", "carol"]),
            ("alice@example.com a.@b a-@b a_@b", &[]),
            ("@@alice", &[]),
            ("@alice@example.com", &["alice"]),
            ("@alice@@bob", &["alice"]),
            ("@Åse @åse", &["åse"]),
            ("@a\u{301}b x", &["a\u{301}b"]),
            ("a\u{301}@b", &[]),
            ("@हिन्दी, @नमस्ते।", &["हिन्दी", "नमस्ते"]),
            ("@bob- @bob-- @bob_ @a-b_c", &["bob", "bob_", "a-b_c"]),
            ("@-a @_a @- @!", &[]),
            ("🦀@alice 👋@bob👋", &["alice", "bob"]),
            ("日本@ab 「@cd」", &["cd"]),
        ];
        for (text, names) in cases {
            assert_eq!(mentions(text), names, "{text:?}");
        }
    }

    #[test]
    fn a_text_mentions_no_more_than_twenty_names() {
        let text: String = (0..50).map(|i| format!("@u{i} ")).collect();
        assert_eq!(mentions(&text).len(), MAX_MENTIONS);
        assert_eq!(mentions(&"@bob ".repeat(50)), ["bob"]);
    }

    #[test]
    fn the_marks_are_in_order() {
        assert!(MARKS.iter().all(|(first, last)| first <= last));
        assert!(MARKS.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[cfg(feature = "server")]
    #[test]
    fn the_marks_are_marks() {
        for c in MARKS.iter().flat_map(|(first, last)| *first..=*last) {
            assert!(unicode_normalization::char::is_combining_mark(c), "{c:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn mentioned_names_are_names_of_the_text(text in "(?s)([@aB_.-]|\u{e5}|\u{301}|\u{130}| |.){0,60}") {
            for name in mentions(&text) {
                prop_assert!(name.starts_with(char::is_alphanumeric) && !name.ends_with('-'), "{name:?}");
                let written = text.split('@').skip(1).any(|part| part.to_lowercase().starts_with(&name));
                prop_assert!(written, "{name:?}");
            }
        }
    }
}
