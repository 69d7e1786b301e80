//! What requests decode to, key by key.

mod each_key;
mod families;

use proptest::prelude::*;

use super::*;
use crate::model::{Anchor, RoomName, Seq};
use crate::protocol::Since;

fn refusal(object: &str) -> (Code, Option<Box<str>>) {
    match decode(object).request {
        Err(refusal) => (refusal.code, refusal.field),
        Ok(request) => panic!("{object} is {request:?}"),
    }
}

fn bad(object: &str, field: &str) {
    assert_eq!(refusal(object), (Code::BadRequest, Some(field.into())), "{object}");
}

fn good(object: &str) -> Request {
    decode(object).request.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"))
}

fn lobby() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

#[test]
fn a_message_has_all_its_keys() {
    let object =
        r#"{"request":"message","id":7,"room":"Lobby","text":"a\n\u00e6","nonce":"n1","reply_to":3,"action":true}"#;
    let Ask { tag, request } = decode(object);
    assert_eq!((tag.kind, tag.id, tag.word), (Kind::Message, Some(RequestId::Int(7)), None));
    let message = Request::Message {
        room: lobby(),
        text: "a\næ".into(),
        nonce: Some("n1".into()),
        reply_to: Some(Seq(3)),
        action: true,
    };
    assert_eq!(request, Ok(message));
}

#[test]
fn ids_come_back_exactly_or_are_refused() {
    let long = "x".repeat(64);
    let (fits, too_long) = (format!("\"{long}\""), format!("\"{long}x\""));
    for id in [
        "0",
        "-1",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "\"\"",
        "\"a\\\"b\\\\\"",
        "\"\\u0041\"",
        "\"👋\"",
        "\"\\ud83d\\ude00\"",
        &fits,
    ] {
        let ask = decode(&format!(r#"{{"request":"ping","id":{id}}}"#));
        assert!(ask.request.is_ok(), "{id}");
        assert_eq!(ask.tag.id.unwrap().to_string(), id);
    }
    let digits = "1".repeat(100_000);
    for id in [
        "null",
        "true",
        "-0",
        "1.0",
        "1e2",
        "1e400",
        "1.5",
        "18446744073709551616",
        "-9223372036854775809",
        "[]",
        "{}",
        "[1]",
        "\"\\ud800\"",
        &digits,
        &too_long,
    ] {
        let object = format!(r#"{{"request":"ping","id":{id}}}"#);
        bad(&object, "id");
        assert_eq!((decode(&object).tag.kind, decode(&object).tag.id), (Kind::Ping, None));
    }
}

#[test]
fn a_key_given_twice_is_refused_by_its_name() {
    for (object, field) in [
        (r#"{"request":"ping","request":"ping"}"#, "request"),
        (r#"{"request":"ping","\u0072equest":"login"}"#, "request"),
        (r#"{"request":"ping","id":1,"id":1}"#, "id"),
        (r#"{"request":"message","room":"a","text":"t","room":"b"}"#, "room"),
        (r#"{"request":"message","room":"a","text":"t","te\u0078t":"b"}"#, "text"),
        (r#"{"request":"login","username":"a","username":"a"}"#, "username"),
        (r#"{"request":"ping","x":1,"x":1}"#, "x"),
        (r#"{"request":"resume","rooms":{"a":1,"a":2}}"#, "rooms"),
        (r#"{"request":"resume","rooms":{"a":1,"A":2}}"#, "rooms"),
        (r#"{"request":"resume","rooms":{"a":{"since":1,"since":2}}}"#, "rooms"),
    ] {
        bad(object, field);
    }
    assert_eq!(
        good(r#"{"request":"ping","data":{"a":1,"a":2}}"#),
        Request::Ping { data: Some(r#"{"a":1,"a":2}"#.into()) }
    );
}

#[test]
fn without_a_request_there_is_no_id_to_answer_with() {
    for object in
        ["{}", r#"{"id":1}"#, r#"{"request":null,"id":1}"#, r#"{"request":["ping"],"id":1}"#, r#"{"Request":"ping"}"#]
    {
        bad(object, "request");
        assert_eq!(decode(object).tag, Tag::new(Kind::Unknown));
    }
    for object in ["[]", "1", "\"x\"", "null", "", "{\"a\"}"] {
        assert_eq!(refusal(object), (Code::BadJson, None), "{object}");
    }
}

#[test]
fn an_unknown_request_keeps_its_word_and_its_id() {
    for word in ["fly", "Ping", "error", "", "enter"] {
        let ask = decode(&format!(r#"{{"request":"{word}","id":"a"}}"#));
        assert_eq!(ask.request, Err(Code::UnknownRequest.into()), "{word}");
        assert_eq!((ask.tag.kind, ask.tag.word.as_deref()), (Kind::Unknown, Some(word)));
        assert_eq!(ask.tag.id, Some(RequestId::Json("\"a\"".into())));
    }
    let long = decode(&format!(r#"{{"request":"{}"}}"#, "æ".repeat(1000)));
    assert_eq!(long.tag.word.unwrap().len(), 64);
}

#[test]
fn unknown_keys_are_named_up_to_a_bound() {
    let ask = decode(r#"{"request":"ping","a":1,"\u0062":{},"data":1,"Data":2}"#);
    assert_eq!(&*ask.tag.ignored, ["a".into(), "b".into(), "Data".into()]);
    let keys: String = (0..100).map(|n| format!(",\"{}{n}\":0", "k".repeat(100))).collect();
    let ask = decode(&format!(r#"{{"request":"ping"{keys}}}"#));
    assert_eq!(ask.tag.ignored.len(), 16);
    assert!(ask.tag.ignored.iter().all(|key| key.len() == 64));
    let ask = decode(r#"{"request":"resume","rooms":{"a":{"since":1,"epok":"x"}}}"#);
    assert_eq!(&*ask.tag.ignored, ["epok".into()]);
}

#[test]
fn escaped_keys_are_keys() {
    assert_eq!(good(r#"{"\u0072equest":"pin\u0067"}"#), Request::Ping { data: None });
}

#[test]
fn numbers_are_natural_and_bounded() {
    for (value, fits) in [
        ("0", true),
        ("1099511627776", true),
        ("9223372036854775807", true),
        ("9223372036854775808", false),
        ("-1", false),
        ("-0", false),
        ("1.0", false),
        ("1e2", false),
        ("1e400", false),
        ("\"1\"", false),
    ] {
        for key in ["before", "after", "around"] {
            let object = format!(r#"{{"request":"history","room":"a","{key}":{value}}}"#);
            if fits { drop(good(&object)) } else { bad(&object, key) }
        }
        for key in ["since", "backlog"] {
            let object = format!(r#"{{"request":"join","room":"a","{key}":{value}}}"#);
            if fits { drop(good(&object)) } else { bad(&object, key) }
        }
        let object = format!(r#"{{"request":"resume","rooms":{{"a":{value}}}}}"#);
        if fits { drop(good(&object)) } else { bad(&object, "rooms") }
    }
    for limit in ["0", "-1", "4294967296", "9223372036854775808", "\"5\"", "5.0"] {
        bad(&format!(r#"{{"request":"history","room":"a","limit":{limit}}}"#), "limit");
    }
    let page = good(r#"{"request":"history","room":"lobby","limit":100000}"#);
    assert_eq!(page, Request::History { room: lobby(), anchor: Anchor::Newest, limit: Some(100_000) });
}

#[test]
fn a_wrong_type_goes_before_a_wrong_name() {
    bad(r#"{"request":"message","room":"!","text":1}"#, "text");
    bad(r#"{"request":"resume","rooms":{"!":1,"a":"x"}}"#, "rooms");
    assert_eq!(refusal(r#"{"request":"message","room":"!","text":"a"}"#), (Code::BadName, Some("room".into())));
    assert_eq!(refusal(r#"{"request":"resume","rooms":{"!":1}}"#), (Code::BadName, Some("rooms".into())));
}

#[test]
fn rooms_are_resumed_by_number_or_by_object() {
    let request = good(r#"{"request":"resume","rooms":{"b":4,"a":{"since":3,"epoch":"e"},"C":{"since":0}}}"#);
    let since = |seq, epoch: Option<&str>| Since { seq: Seq(seq), epoch: epoch.map(Into::into) };
    let name = |name| RoomName::parse(name).unwrap();
    let rooms = vec![(name("b"), since(4, None)), (name("a"), since(3, Some("e"))), (name("c"), since(0, None))];
    assert_eq!(request, Request::Resume { rooms });
    for value in ["null", "\"1\"", "[]", "{}", r#"{"epoch":"e"}"#, r#"{"since":null}"#, r#"{"since":1,"epoch":1}"#] {
        bad(&format!(r#"{{"request":"resume","rooms":{{"a":{value}}}}}"#), "rooms");
    }
}

#[test]
fn nonces_have_one_to_64_bytes_and_no_control_characters() {
    let message = |nonce: &str| format!(r#"{{"request":"message","room":"a","text":"t","nonce":{nonce}}}"#);
    let long = "x".repeat(64);
    good(&message(&format!("\"{long}\"")));
    good(&message("\"æ👋\""));
    for nonce in [&format!("\"{long}x\""), "\"\"", "\"a\\u0000\"", "\"\\u009b\"", "1"] {
        bad(&message(nonce), "nonce");
    }
}

#[test]
fn ping_brings_its_data_back_without_blanks() {
    let data = good("{\"request\":\"ping\",\"data\": [1.50, \"a  b\\u0041\" ,\n{ \"x\" : null } ]}");
    assert_eq!(data, Request::Ping { data: Some("[1.50,\"a  b\\u0041\",{\"x\":null}]".into()) });
    assert_eq!(good(r#"{"request":"ping","data":null}"#), Request::Ping { data: Some("null".into()) });
}

#[test]
fn usages_name_each_key() {
    for kind in Kind::ALL {
        assert!(kind.keys().iter().all(|key| kind.usage().contains(key)), "{kind:?}");
        assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_panics(object: String) {
        let _ = decode(&object);
    }

    #[test]
    fn no_object_of_any_shape_panics(
        kind in prop::sample::select(Kind::ALL),
        fields in prop::collection::vec(
            ("(room|text|id|rooms|since|epoch|limit|username|token|nonce|x|target|role|for_s|action|query|before|after|status|address)", "(1|-0|1e9|null|\"[a-z\\\\\\\\n]{0,9}\"|\\{\\}|\\[1\\]|\\{\"a\":1\\})"),
            0..6,
        ),
    ) {
        let inside: String = fields.iter().map(|(key, value)| format!(",\"{key}\":{value}")).collect();
        let _ = decode(&format!("{{\"request\":\"{}\"{inside}}}", kind.as_str()));
    }
}
