//! What queries mean, and that FTS5 finds for them what they match.

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::model::words::indexed;

fn parse(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The terms as FTS5 has them, `-` before those that must be missing.
fn terms(text: &str) -> Vec<String> {
    parse(text).terms.iter().map(|term| format!("{}{}", if term.not { "-" } else { "" }, term.fts())).collect()
}

#[test]
fn words_phrases_prefixes_and_what_must_be_missing() {
    let cases: [(&str, &[&str]); 28] = [
        ("cake", &["\"cake\""]),
        (" Cake\n\tRÉCIPE ", &["\"cake\"", "\"recipe\""]),
        ("\"cake  recipe\" x", &["\"cake recipe\"", "\"x\""]),
        ("a \"not closed -b c*", &["\"a\"", "\"not closed b c\""]),
        ("“cake recipe” «b c»", &["\"cake recipe\"", "\"b c\""]),
        ("a -b -\"c d\"", &["\"a\"", "-\"b\"", "-\"c d\""]),
        ("a - b --c", &["\"a\"", "\"b\"", "-\"c\""]),
        ("well-known don't", &["\"well known\"", "\"don t\""]),
        ("cak* -cak*", &["\"cak\"*", "-\"cak\"*"]),
        ("ca* c* * ** a**", &["\"ca\"*", "\"c\"", "\"a\""]),
        ("well-kn* a-b*", &["\"well kn\"*", "\"a b\""]),
        ("cake.* ca*ke", &["\"cake\"", "\"ca ke\""]),
        ("\"cak*\"", &["\"cak\""]),
        ("a\"b c\"d", &["\"a\"", "\"b c\"", "\"d\""]),
        ("東京 日*", &["\"東 京\"", "\"日\""]),
        ("🦀", &["\"\u{e980}\""]),
        ("a:b", &["\"a b\""]),
        ("http://x.y/z?a=b", &["\"http x y z a b\""]),
        ("c++ !! a", &["\"c\"", "\"a\""]),
        ("a AND b OR NOT c", &["\"a\"", "\"and\"", "\"b\"", "\"or\"", "\"not\"", "\"c\""]),
        ("NEAR(a b, 2)", &["\"near a\"", "\"b\"", "\"2\""]),
        ("^a (b) {c}:d +e", &["\"a\"", "\"b\"", "\"c d\"", "\"e\""]),
        ("words:a -words:b", &["\"words a\"", "-\"words b\""]),
        ("from alice", &["\"from\"", "\"alice\""]),
        ("\"from:alice\"", &["\"from alice\""]),
        ("xfrom:alice", &["\"xfrom alice\""]),
        ("in' a\"\"b", &["\"in\"", "\"a\"", "\"b\""]),
        ("a;DROP--b", &["\"a drop b\""]),
    ];
    for (text, expected) in cases {
        assert_eq!(terms(text), expected, "{text:?}");
    }
}

#[test]
fn keys_say_who_where_and_when() {
    let query = parse("cake from:Alice in:Lobby after:2026-01-31 before:2026-02-01T12:00:00+02:00 has:link");
    assert_eq!(query.from.as_deref(), Some("Alice"));
    assert_eq!(query.room.as_deref(), Some("Lobby"));
    assert_eq!(query.after, Time::parse("2026-01-31T00:00:00Z"));
    assert_eq!(query.before, Time::parse("2026-02-01T10:00:00Z"));
    assert!(query.has_link);
    assert_eq!(query.terms.len(), 1);

    assert_eq!(parse("From:@åse").from.as_deref(), Some("åse"));
    assert_eq!(parse("FROM:\"alice\"x").from.as_deref(), Some("alice"));
    assert_eq!(parse("in:@Bob").room.as_deref(), Some("@Bob"));
    assert!(parse("has:LINK has:link").has_link);
}

#[test]
fn a_day_ends_where_the_next_one_begins() {
    let day = parse("after:2026-01-31 before:2026-02-01");
    assert_eq!(day.before.unwrap().0 - day.after.unwrap().0, 24 * 60 * 60 * 1000);
    assert_eq!(parse("before:2024-02-29").before, Time::parse("2024-02-29T00:00:00Z"));
}

#[test]
fn a_value_that_makes_no_sense_is_an_error_that_names_the_key() {
    let long = format!("from:{}", "a".repeat(33));
    let cases = [
        ("from:", "from"),
        ("from: alice", "from"),
        ("from:a.b", "from"),
        ("from:-a", "from"),
        ("from:\"a b\"", "from"),
        (long.as_str(), "from"),
        ("in:!!", "in"),
        ("in:#lobby", "in"),
        ("in:@", "in"),
        ("in:@a!", "in"),
        ("before:yesterday", "before"),
        ("before:2026-02-30", "before"),
        ("before:2026-1-1", "before"),
        ("after:", "after"),
        ("after:2026", "after"),
        ("after:2026-01-31T12:00:00", "after"),
        ("after:éé-é-é", "after"),
        ("cake has:pony", "has"),
        ("has:", "has"),
    ];
    for (text, key) in cases {
        assert_eq!(Query::parse(text), Err(QueryError::Value { key }), "{text:?}");
    }
    assert_eq!(Query::parse("from:a from:a"), Err(QueryError::Repeated { key: "from" }));
    assert_eq!(Query::parse("after:2026-01-31 x after:2026-01-30"), Err(QueryError::Repeated { key: "after" }));
    assert_eq!(Query::parse("x -in:lobby"), Err(QueryError::Negated { key: "in" }));
    assert_eq!(Query::parse("-has:link"), Err(QueryError::Negated { key: "has" }));
    assert_eq!(QueryError::Value { key: "has" }.to_string(), "has: needs 'link'");
}

#[test]
fn a_query_asks_for_something() {
    for text in ["", " \n\t", "\0", "-cake", "-cake -\"a b\" !!"] {
        assert_eq!(Query::parse(text), Err(QueryError::Empty), "{text:?}");
    }
    for text in ["!!!", "*", "\"\"", "\"", "-", "-!", "( ) ^ :", "\u{301}"] {
        let query = parse(text);
        assert!(query.is_empty() && query.fts().is_none() && !query.matches("!!!") && !query.matches(""), "{text:?}");
    }
    for text in ["from:a -cake", "in:a", "has:link !!", "before:2026-01-31"] {
        let query = parse(text);
        assert!(!query.is_empty() && query.fts().is_none() && query.matches("http://x"), "{text:?}");
    }
    assert!(!parse("from:a -cake").matches("a cake"));
}

#[test]
fn a_query_has_its_bounds() {
    assert!(Query::parse(&"a ".repeat(32)).is_ok());
    assert_eq!(Query::parse(&"a ".repeat(33)), Err(QueryError::TooLong));
    assert!(Query::parse(&"東".repeat(512)).is_ok());
    assert_eq!(Query::parse(&"東".repeat(513)), Err(QueryError::TooLong));
    assert!(Query::parse(&"a".repeat(8192)).is_ok());
    assert_eq!(Query::parse(&"a".repeat(8193)), Err(QueryError::TooLong));
}

#[test]
fn a_text_matches_when_all_holds_at_once() {
    let text = "Crème brûlée für Åse: https://example.com/東京タワー 🦀!";
    for query in [
        "creme BRULEE",
        "\"brulee fur\"",
        "åse creme",
        "crè*",
        "京タ",
        "🦀 has:link",
        "example.com -cake",
        "\"com 東京\" -\"com 京\"",
    ] {
        assert!(parse(query).matches(text), "{query:?}");
    }
    for query in ["brulee cake", "\"brulee creme\"", "creme -åse", "rème", "タ京", "-creme has:link", "creme -cr*"]
    {
        assert!(!parse(query).matches(text), "{query:?}");
    }
    assert!(!parse("creme has:link").matches("crème"));
}

/// The hit as the snippet has it.
fn hit(snippet: &Snippet) -> String {
    snippet.text.chars().skip(snippet.start).take(snippet.end - snippet.start).collect()
}

#[test]
fn a_snippet_shows_the_first_hit() {
    let snippet = parse("brulee -x \"brulee for\" nothing*").snippet("a\tCrème\nbrûlée for two, nothing else");
    assert_eq!(snippet.text, "a Crème brûlée for two, nothing else");
    assert_eq!((snippet.start, snippet.end, hit(&snippet).as_str()), (8, 18, "brûlée for"));
    assert_eq!(hit(&parse("京タ").snippet("👋🏽 東京タワー")), "京タ");
    assert_eq!(hit(&parse("nor*").snippet("it is NORMAL")), "NORMAL");

    let none = Snippet { text: "hello you".into(), start: 0, end: 0 };
    assert_eq!(parse("from:bob").snippet("hello\nyou\n"), none);
    assert_eq!(parse("cake").snippet("hello you"), none);
    assert_eq!(parse("cake").snippet(""), Snippet::default());
}

#[test]
fn a_snippet_is_short_and_cut_between_words() {
    let text = format!("{}needle {}", "before ".repeat(100), "after ".repeat(100));
    let snippet = parse("needle").snippet(&text);
    assert!((160..=Snippet::MAX_CHARS).contains(&snippet.text.chars().count()));
    assert!(snippet.text.starts_with("before ") && snippet.text.ends_with(" after"), "{snippet:?}");
    assert_eq!(hit(&snippet), "needle");

    // Near an end, the other side has the room.
    let snippet = parse("needle").snippet(&format!("{}needle", "before ".repeat(100)));
    assert!(snippet.text.chars().count() > 180 && snippet.text.ends_with("needle"), "{snippet:?}");
    let snippet = parse("after").snippet(&"after ".repeat(100));
    assert!(snippet.text.chars().count() > 180 && snippet.start == 0, "{snippet:?}");

    // A word that is longer than a snippet, and a text without blanks.
    assert_eq!(parse("aaa*").snippet(&"a".repeat(1000)), Snippet { text: "a".repeat(200), start: 0, end: 200 });
    let snippet = parse("京").snippet(&format!("{}京{}", "東".repeat(500), "\u{304b}\u{3099}".repeat(500)));
    assert_eq!(hit(&snippet), "京");
    assert!(snippet.text.chars().count() > 190 && snippet.text.ends_with("\u{304b}\u{3099}"), "{snippet:?}");
}

/// Pieces of texts and queries that are likely to meet.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "a", "b", "ab", "Ab", "abc", "á", "ÅSE", "ase", "ß", "ss", "don't", "が", "か", "\u{3099}", "東京", "京", "한", "🦀", "👍🏽",
            "ﷺ", "ς", "Σ", "AND", "OR", "NOT", "NEAR(", "x:y", "http://a.b", "ไท", "\u{200d}", "½",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![" ", " ", " ", "\"", "*", "-", " -", "(", "^", "'", ",", "\n"]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

fn pieces(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..most).prop_map(|pieces| pieces.concat())
}

/// The numbers of the texts that FTS5 finds.
fn found(db: &Connection, expression: &str) -> Vec<u32> {
    let mut query = db.prepare_cached("SELECT rowid FROM entries WHERE entries MATCH ?1 ORDER BY rowid").unwrap();
    let rows = query.query_map([expression], |row| row.get(0));
    rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_query_matches_what_fts5_finds(
        texts in prop::collection::vec(pieces(12), 1..12),
        queries in prop::collection::vec(pieces(6), 1..24),
    ) {
        for tokenizer in ["unicode61 remove_diacritics 0", "ascii"] {
            let db = Connection::open_in_memory().unwrap();
            db.execute_batch(&format!("CREATE VIRTUAL TABLE entries USING fts5(words, tokenize = \"{tokenizer}\")")).unwrap();
            for (number, text) in (0u32..).zip(&texts) {
                db.execute("INSERT INTO entries (rowid, words) VALUES (?1, ?2)", (number, indexed(text))).unwrap();
            }
            for query in queries.iter().filter_map(|query| Query::parse(query).ok()) {
                let matching: Vec<u32> =
                    (0u32..).zip(&texts).filter(|(_, text)| query.matches(text)).map(|(number, _)| number).collect();
                match query.fts() {
                    Some(expression) => prop_assert_eq!(found(&db, &expression), matching, "{} {:?}", expression, texts),
                    None => prop_assert!(matching.is_empty()),
                }
            }
        }
    }

    #[test]
    fn a_word_of_a_text_finds_it_and_is_the_hit(text in pieces(80)) {
        for word in words(&text) {
            let query = Query { terms: vec![Term { words: vec![word.text.clone()], ..Term::default() }], ..Query::default() };
            prop_assert!(query.matches(&text));
            let snippet = query.snippet(&text);
            prop_assert!(snippet.text.chars().count() <= Snippet::MAX_CHARS);
            prop_assert!(!snippet.text.chars().any(|c| c.is_control()));
            prop_assert!(words(&hit(&snippet)).iter().any(|other| other.text == word.text), "{snippet:?} {word:?}");
        }
    }

    #[test]
    fn whatever_is_typed_is_a_query_or_an_error(
        text in "(?s)(from:|in:|BEFORE:|after:|has:|link|2026-01-31|[-@\"* a0é]|\u{301}|.){0,40}",
        searched in pieces(20),
    ) {
        if let Ok(query) = Query::parse(&text) {
            query.matches(&searched);
            let snippet = query.snippet(&searched);
            prop_assert!(snippet.start <= snippet.end && snippet.end <= snippet.text.chars().count());
            for term in &query.terms {
                prop_assert!(!term.words.is_empty() && term.words.iter().all(|word| !word.contains(['"', ' '])));
            }
        }
    }
}
