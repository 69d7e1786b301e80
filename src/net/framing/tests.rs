//! What comes out of the framer: tables, the same answers however the stream is cut, and serde_json as a witness.

use proptest::prelude::*;

use super::*;

const NATIVE: Rules = Rules { max_bytes: 64, lenient: false };
const COURSE: Rules = Rules { max_bytes: 64, lenient: true };

/// Hands in the stream in pieces that end at the cuts, and no more than there is room for; a fault is shown as its name.
fn frames(stream: &[u8], cuts: &[usize], rules: &Rules) -> Vec<String> {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    let mut at = 0;
    let mut ends = cuts.iter().copied().filter(|cut| *cut < stream.len()).chain([stream.len()]);
    let mut end = ends.next().unwrap_or(stream.len());
    while at < stream.len() {
        while end <= at {
            end = ends.next().unwrap_or(stream.len());
        }
        let room = framer.room(rules);
        assert!((1..=READ_BYTES).contains(&room));
        let piece = &stream[at..end.min(at + room)];
        at += piece.len();
        framer.push(piece);
        assert!(framer.held.len() <= rules.max_bytes.max(1), "{} bytes held", framer.held.len());
        assert!(framer.held.capacity() <= rules.max_bytes.max(READ_BYTES), "{} set aside", framer.held.capacity());
        while let Some(frame) = framer.next(rules) {
            found.push(match frame {
                Frame::Object(object) => object.to_owned(),
                Frame::Fault(fault) => format!("{fault:?}"),
            });
        }
        assert_eq!(framer.held.capacity() == 0, framer.is_empty(), "an empty framer holds no memory");
    }
    found
}

fn check(cases: &[(&[u8], &[&str])], rules: &Rules) {
    for (stream, expected) in cases {
        let shown = String::from_utf8_lossy(stream);
        assert_eq!(frames(stream, &[], rules), *expected, "{shown}");
        let everywhere: Vec<usize> = (1..stream.len()).collect();
        assert_eq!(frames(stream, &everywhere, rules), *expected, "{shown} in single bytes");
    }
}

#[test]
fn native_streams_are_cut_into_objects() {
    check(
        &[
            (b"", &[]),
            (b" \t\r\n", &[]),
            (b"{}", &["{}"]),
            (b"{}{}", &["{}", "{}"]),
            (b" {} \r\n\t {\n\"a\" : 1\n}\n", &["{}", "{\n\"a\" : 1\n}"]),
            (b"{\"a\":\"}{\"}{\"b\":\"\\\"}\"}", &["{\"a\":\"}{\"}", "{\"b\":\"\\\"}\"}"]),
            ("{\"a\":\"gr\u{fc}\u{df} \u{1f600}\"}".as_bytes(), &["{\"a\":\"gr\u{fc}\u{df} \u{1f600}\"}"]),
            // A fault, and what follows it up to the next newline.
            (b"x{}\n{}", &["BadJson", "{}"]),
            (b"null\n{}", &["BadJson", "{}"]),
            (b"[]\n{}", &["BadJson", "{}"]),
            (b"\"x\"{}\n1\n{}", &["BadJson", "BadJson", "{}"]),
            (b"\xef\xbb\xbf{}\n{}", &["BadJson", "{}"]),
            (b"{}\xc2\xa0{}\n{}", &["{}", "BadJson", "{}"]),
            (b"\x0b\n\x0c\n{}", &["BadJson", "BadJson", "{}"]),
            (b"}\n]\n,\n{}", &["BadJson", "BadJson", "BadJson", "{}"]),
            (b"{a}{}{}\n\n{}", &["BadJson", "{}"]),
            (b"{\"a\":1,}\n{}", &["BadJson", "{}"]),
            // The newline is the fault itself: it ends the skipping too.
            (b"{\"a\":\"\n{}", &["BadJson", "{}"]),
            // An object that somebody forgot to close does not swallow the lines after it.
            (b"{\"a\":1\n{\"b\":2}\n{\"c\":3}", &["BadJson", "{\"c\":3}"]),
            // What only the whole object shows.
            (b"{\"a\":\"\xff\"}{}", &["BadJson", "{}"]),
            (b"{\"a\":\"\xc3\"}{}", &["BadJson", "{}"]),
            (b"{\"a\":\"\xed\xa0\x80\"}{}", &["BadJson", "{}"]),
            (b"{\"a\":\"\xc0\xaf\"}{}", &["BadJson", "{}"]),
            (b"{\"a\":\"\\ud800\"}{}", &["BadJson", "{}"]),
            (b"{\"a\":\"\\ud83d\\ude00\"}{}", &["{\"a\":\"\\ud83d\\ude00\"}", "{}"]),
            // A fault of the grammar comes first, wherever bad UTF-8 stands.
            (b"{\"\xff\":,{}\n{}", &["BadJson", "{}"]),
            (b"{\"a\":\xff}{}\n{}", &["BadJson", "{}"]),
            (b"{\"a\":1}}{}\n{}", &["{\"a\":1}", "BadJson", "{}"]),
        ],
        &NATIVE,
    );
}

#[test]
fn course_streams_are_cut_into_objects() {
    check(
        &[
            (b"{}{}", &["{}", "{}"]),
            (b"{}null{}", &["{}", "{}"]),
            (b" null true false 12 -1.5e3 \"}{\" [1,{\"a\":2},[]] {} ", &["{}"]),
            (b"nullnull{}", &["{}"]),
            (b"01{}", &["{}"]),
            (b"1{}2{}3", &["{}", "{}"]),
            (b"\"\xff\\ud800\"{}", &["{}"]),
            (b"x{}", &["BadJson", "{}"]),
            (b"xyz\n{}", &["BadJson", "{}"]),
            (b"nul{}", &["BadJson", "{}"]),
            (b"-{}", &["BadJson", "{}"]),
            (b"1.\n{}", &["BadJson", "{}"]),
            (b"123abc{}", &["BadJson", "{}"]),
            (b"[1 {}", &["BadJson", "{}"]),
            (b"[1,}{}", &["BadJson", "{}"]),
            (b"\"a\n{}", &["BadJson", "{}"]),
            (b"\xef\xbb\xbf{}", &["BadJson", "{}"]),
            // The failing byte may be the one that begins the next object.
            (b"{{}", &["BadJson", "{}"]),
            (b"{\"a\":1 {\"b\":2}", &["BadJson", "{\"b\":2}"]),
            (b"{\"a\":1\n{\"b\":2}", &["BadJson", "{\"b\":2}"]),
            (b"{a}{b}\n}{}", &["BadJson", "BadJson", "BadJson", "{}"]),
            (b"{\"a\":\"\xff\"}null{}", &["BadJson", "{}"]),
        ],
        &COURSE,
    );
}

#[test]
fn nesting_is_limited_where_it_becomes_too_deep() {
    let rules = Rules { max_bytes: 1 << 20, lenient: false };
    let nested = |levels: usize, open: &str, close: &str| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    assert_eq!(frames(&nested(32, "{\"a\":", "}"), &[], &rules).len(), 1);
    assert_ne!(frames(&nested(32, "{\"a\":", "}"), &[], &rules), ["BadJson"]);
    assert_eq!(frames(&nested(33, "{\"a\":", "}"), &[], &rules), ["BadJson"]);
    assert_eq!(frames(&nested(100_000, "{\"a\":", "}"), &[], &rules), ["BadJson"]);
    let arrays = [b"{\"a\":".as_slice(), &nested(32, "[", "]"), b"}"].concat();
    assert_eq!(frames(&arrays, &[], &rules), ["BadJson"]);
    // Under the lenient rules the 33rd `{` is the next place where an object may begin.
    let course = Rules { lenient: true, ..rules };
    assert_eq!(frames(&nested(64, "{\"a\":", "}")[..64 * 5], &[], &course), ["BadJson"]);
    assert_eq!(frames(&nested(33, "[", "]"), &[], &course), ["BadJson"]);
    assert_eq!(frames(&nested(32, "[", "]"), &[], &course), [""; 0]);
}

#[test]
fn an_object_may_have_as_many_bytes_as_the_limit_and_not_one_more() {
    let object = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into_bytes();
    for rules in [NATIVE, COURSE] {
        let everywhere: Vec<usize> = (1..100).collect();
        for cuts in [&[][..], &[63], &[64], &everywhere] {
            let whole = object(64);
            assert_eq!(frames(&[&whole[..], b"{}"].concat(), cuts, &rules).len(), 2);
            assert_eq!(frames(&[b"    ", &whole[..], b"{}"].concat(), cuts, &rules).len(), 2);
            let large = [&object(65)[..], b"{}\n{}\n"].concat();
            assert_eq!(frames(&large, cuts, &rules), ["TooLarge"]);
            // It is enough that it has not ended; what it would have become does not matter.
            assert_eq!(frames(&large[..64], cuts, &rules), ["TooLarge"]);
            assert_eq!(frames(&large[..63], cuts, &rules), [""; 0]);
        }
    }
    // More at once than there was room for changes nothing.
    let mut framer = Framer::new();
    framer.push(&[b"{}".as_slice(), &object(65), b"{}"].concat());
    assert_eq!(framer.next(&NATIVE), Some(Frame::Object("{}")));
    assert_eq!(framer.next(&NATIVE), Some(Frame::Fault(Fault::TooLarge)));
    assert_eq!(framer.next(&NATIVE), None);
    assert!(framer.is_empty());
}

#[test]
fn what_is_skipped_or_ignored_is_not_held() {
    let course = Rules { max_bytes: 1024, lenient: true };
    let native = Rules { max_bytes: 1024, lenient: false };
    let cases: [(&[u8], &[u8], &Rules); 6] = [
        (b"\"", b"x", &course),
        (b"", b"7", &course),
        (b"[", b"{\"a\":1},", &course),
        (b"x", b"y", &course),
        (b"x", b"{}", &native),
        (b"", b" ", &native),
    ];
    for (first, more, rules) in cases {
        let mut framer = Framer::new();
        framer.push(first);
        while framer.next(rules).is_some() {}
        for _ in 0..100 {
            let piece = more.repeat(100);
            assert_eq!(framer.room(rules), 1024);
            framer.push(&piece);
            assert_eq!(framer.next(rules), None);
            assert!(framer.is_empty());
            assert_eq!(framer.held.capacity(), 0);
        }
    }
}

#[test]
fn nothing_behind_an_object_is_judged_before_it_is_asked_for() {
    let mut framer = Framer::new();
    framer.push(b"{\"request\":\"login\"}null{\"a\":\"0123456789012345678901234567890123456789\"}x");
    let narrow = Rules { max_bytes: 20, lenient: false };
    assert_eq!(framer.next(&narrow), Some(Frame::Object("{\"request\":\"login\"}")));
    assert!(!framer.is_empty());
    // The login has changed the dialect and the limit.
    assert!(matches!(framer.next(&COURSE), Some(Frame::Object(object)) if object.starts_with("{\"a\"")));
    assert!(!framer.in_object());
    assert_eq!(framer.next(&COURSE), Some(Frame::Fault(Fault::BadJson)));
    assert_eq!(framer.next(&COURSE), None);
    framer.push(b"{\"a\":");
    assert_eq!(framer.next(&COURSE), None);
    assert!(framer.in_object());
    assert!(!framer.is_empty());
}

/// Fragments that mean something, so that random streams get somewhere.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    const FRAGMENTS: [&[u8]; 40] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\\",
        b"\n",
        b" ",
        b"\r",
        b"{}",
        b"[]",
        b"\"a\"",
        b"\"a\":",
        b"{\"request\":\"ping\"}",
        b"{\"a\":[1,2.5,-3e2],\"b\":{\"c\":null}}",
        b"null",
        b"true",
        b"fals",
        b"0",
        b"-",
        b"12",
        b".5",
        b"e+1",
        b"\\ud83d\\ude00",
        b"\\ud800",
        b"\\udc00",
        b"\\u00e9",
        b"\\n",
        b"\xf0\x9f\x98\x80",
        b"\xc3\xa9",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\0",
        b"{\"text\":\"\xf0\x9f\x98\x80 \\ud83d\\ude00 \xc3\xa9\"}",
        b"{\"text\":\"0123456789012345678901234567890123456789\"}",
        b"{\"t\":\"",
        b"{\"a\":1,",
    ];
    prop_oneof![
        8 => (0..FRAGMENTS.len()).prop_map(|index| FRAGMENTS[index].to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(fragment(), 0..40).prop_map(|fragments| fragments.concat())
}

/// JSON values of every shape, as text.
fn value() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        "[a-z {}\\[\\]:,]{0,12}".prop_map(|text| format!("\"{text}\"")),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        string.clone(),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let pair = (string.clone(), inner.clone()).prop_map(|(key, value)| format!("{key} : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(pair, 0..5).prop_map(|items| format!("{{\n{}}}", items.join(",\r\t"))),
        ]
    })
}

/// What serde_json says of one object. It says nothing where its rules are not ours: numbers that are out of its range.
fn is_good_object(bytes: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(value) => Some(value.is_object()),
        Err(error) if error.to_string().contains("number out of range") => None,
        Err(_) => Some(false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_frames_are_the_same_however_the_stream_is_cut(
        stream in stream(),
        mut cuts in prop::collection::vec(0..400_usize, 0..30),
        lenient in any::<bool>(),
        max_bytes in 1..300_usize,
    ) {
        let rules = Rules { max_bytes, lenient };
        cuts.sort_unstable();
        let everywhere: Vec<usize> = (0..stream.len()).collect();
        let whole = frames(&stream, &[], &rules);
        prop_assert_eq!(&frames(&stream, &cuts, &rules), &whole);
        prop_assert_eq!(&frames(&stream, &everywhere, &rules), &whole);
    }

    #[test]
    fn objects_are_what_serde_json_takes_for_objects(stream in stream(), lenient in any::<bool>()) {
        for frame in frames(&stream, &[], &Rules { max_bytes: 10_000, lenient }) {
            if frame != "BadJson" {
                prop_assert!(is_good_object(frame.as_bytes()) != Some(false), "{frame}");
            }
        }
    }

    #[test]
    fn whatever_serde_json_writes_or_reads_passes(values in prop::collection::vec(value(), 1..4)) {
        let objects: Vec<String> = values.iter().map(|value| format!("{{\"a\":{value}}}")).collect();
        for object in &objects {
            prop_assert_eq!(is_good_object(object.as_bytes()), Some(true), "{}", object);
        }
        let rules = Rules { max_bytes: 1 << 20, lenient: false };
        prop_assert_eq!(frames(objects.concat().as_bytes(), &[], &rules), objects);
    }

    #[test]
    fn one_changed_byte_is_judged_as_serde_json_judges_it(value in value(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut object = format!("{{\"a\":{value}}}").into_bytes();
        let place = place.index(object.len());
        object[place] = byte;
        let rules = Rules { max_bytes: 1 << 20, lenient: false };
        let found = frames(&object, &[], &rules);
        // White space may have come before it, or the object may end early with something behind it.
        match is_good_object(&object) {
            Some(true) => {
                prop_assert_eq!(found.len(), 1);
                prop_assert!(found[0] != "BadJson");
            }
            Some(false) => {
                let same = std::str::from_utf8(&object).is_ok_and(|text| found == [text]);
                prop_assert!(!same, "{}", String::from_utf8_lossy(&object));
            }
            None => {}
        }
    }
}
