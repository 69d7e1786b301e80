//! Whether `docs/protocol.md` says what the code does.

use crate::protocol::native::Native;
use crate::protocol::{Choice, Code, CourseOptions, Dialect, Dialects, Kind};

const PAGE: &str = include_str!("../../docs/protocol.md");

/// The row of a table that begins with this word.
fn row(word: &str) -> Option<&'static str> {
    let start = format!("| `{word}` |");
    PAGE.lines().find(|line| line.starts_with(&start))
}

#[test]
fn each_request_is_documented_with_its_keys() {
    for kind in Kind::ALL {
        let row = row(kind.as_str()).unwrap_or_else(|| panic!("{kind:?} is missing in docs/protocol.md"));
        for key in kind.keys() {
            assert!(row.contains(&format!("`{key}`")), "{kind:?} has the key {key}: {row}");
        }
    }
}

#[test]
fn each_code_is_documented() {
    for code in Code::ALL {
        assert!(row(code.as_str()).is_some(), "{code:?} is missing in docs/protocol.md");
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
