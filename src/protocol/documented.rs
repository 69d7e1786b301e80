//! Whether `docs/protocol.md` says what the code does.

use crate::model::RoomName;
use crate::protocol::json::tests::lines;
use crate::protocol::native::Native;
use crate::protocol::native::tests::{answers, events};
use crate::protocol::{Choice, Code, CourseOptions, Dialect, Dialects, Kind, Tag};

const PAGE: &str = include_str!("../../docs/protocol.md");

/// The row that begins with this word, of the first table with such a head that has one. Rows that begin with nothing go
/// on with the one above them.
fn row(head: &str, word: &str) -> Option<String> {
    let start = format!("| `{word}` |");
    PAGE.split("\n\n").filter(|part| part.starts_with(head)).find_map(|table| {
        let mut lines = table.lines().skip_while(|line| !line.starts_with(&start));
        let first = lines.next()?;
        Some(lines.take_while(|line| line.starts_with("| |")).fold(first.to_owned(), |row, line| row + line))
    })
}

fn of_request(kind: Kind) -> String {
    row("| request | keys |", kind.as_str()).unwrap_or_else(|| panic!("{kind:?} is missing in docs/protocol.md"))
}

/// Whether each key of an object is in the row; those of objects inside it may be anywhere on the page.
fn tells(row: &str, object: &serde_json::Value, known: &[&str]) {
    let named = |text: &str, key: &str| text.contains(&format!("`{key}`"));
    for (key, value) in object.as_object().unwrap().iter().filter(|(key, _)| !known.contains(&&***key)) {
        assert!(named(row, key), "{key} is missing: {row}");
        for inner in value.as_array().into_iter().flatten().filter_map(|value| value.as_object()) {
            assert!(inner.keys().all(|key| named(PAGE, key)), "a key is missing on the page: {inner:?}");
        }
    }
}

#[test]
fn each_request_is_documented_with_its_keys() {
    for kind in Kind::ALL {
        let row = of_request(*kind);
        for key in kind.keys() {
            assert!(row.contains(&format!("`{key}`")), "{kind:?} has the key {key}: {row}");
        }
    }
}

#[test]
fn each_answer_is_documented_with_its_keys() {
    for (kind, response, _) in answers::whole() {
        let mut out = Vec::new();
        Native.answer(&Tag::new(kind), &Ok(response), &mut out);
        tells(&of_request(kind), &lines(&out)[0], &["response"]);
    }
}

#[test]
fn each_event_is_documented_with_its_keys() {
    let mut out = Vec::new();
    for (entry, ..) in events::entries() {
        Native.entry(&RoomName::trusted("lobby"), &entry, None, &mut out);
    }
    for event in lines(&out) {
        let row = row("| event | keys |", event["event"].as_str().unwrap()).unwrap();
        tells(&row, &event, &["event", "room", "seq", "from", "time"]);
    }
    out.clear();
    for (hint, _) in events::hints() {
        Native.hint(&hint, &mut out);
    }
    for event in lines(&out) {
        let row = row("| event | keys |", event["event"].as_str().unwrap()).unwrap();
        tells(&row, &event, &["event"]);
    }
}

#[test]
fn each_code_is_documented() {
    for code in Code::ALL {
        assert!(row("| code | means |", code.as_str()).is_some(), "{code:?} is missing in docs/protocol.md");
    }
}

#[test]
fn the_examples_are_what_they_claim_to_be() {
    let dialects = Dialects::new(Choice::Auto, CourseOptions::default());
    let mut requests = 0;
    for request in PAGE.lines().filter_map(|line| line.strip_prefix("> ")) {
        requests += 1;
        let ask = if request.contains("content") || request.contains(r#""message":"#) {
            dialects.choose(request).decode(request)
        } else {
            Native.decode(request)
        };
        let meant_to_fail = request.contains("dance") || request.contains(r#""text":7"#);
        assert_eq!(ask.request.is_err(), meant_to_fail, "{request}");
    }
    assert!(requests > 15, "the examples have another form now");
    for response in PAGE.lines().filter_map(|line| line.strip_prefix("< ")).filter(|line| !line.contains("..")) {
        let value: serde_json::Value =
            serde_json::from_str(response).unwrap_or_else(|error| panic!("{response}: {error}"));
        if let Some(code) = value["code"].as_str() {
            assert_eq!(value["error"].as_str(), Code::parse(code).map(Code::sentence), "{response}");
        }
    }
}
