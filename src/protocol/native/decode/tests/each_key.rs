//! Every key of every request: of a wrong type, missing, or together with one that it does not go with.

use super::*;

/// Requests with all keys that go together, with values that fit.
const WHOLE: &[&str] = &[
    r#"{"request":"hello","protocol":1,"client":"x/1"}"#,
    r#"{"request":"login","username":"a","password":"b"}"#,
    r#"{"request":"login","username":"a","token":"b"}"#,
    r#"{"request":"login","username":"a","certificate":true}"#,
    r#"{"request":"register","username":"a","password":"b","invite":"c"}"#,
    r#"{"request":"logout"}"#,
    r#"{"request":"ping","data":1}"#,
    r#"{"request":"whoami"}"#,
    r#"{"request":"password","old":"a","new":"b"}"#,
    r#"{"request":"token","action":"create","label":"l","for_s":60}"#,
    r#"{"request":"token","action":"certificate","label":"l","for_s":60,"fingerprint":"0707070707070707070707070707070707070707070707070707070707070707"}"#,
    r#"{"request":"token","action":"list"}"#,
    r#"{"request":"token","action":"revoke","token_id":1}"#,
    r#"{"request":"sessions","close":1}"#,
    r#"{"request":"delete_account","password":"a"}"#,
    r#"{"request":"delete_account","username":"a"}"#,
    r#"{"request":"block","username":"a"}"#,
    r#"{"request":"unblock","username":"a"}"#,
    r#"{"request":"help"}"#,
    r#"{"request":"rooms","after":"a"}"#,
    r#"{"request":"create","room":"a","kind":"public","topic":"t"}"#,
    r#"{"request":"join","room":"a","since":1,"epoch":"e"}"#,
    r#"{"request":"join","room":"a","backlog":1}"#,
    r#"{"request":"resume","rooms":{"a":1}}"#,
    r#"{"request":"unfollow","room":"a"}"#,
    r#"{"request":"leave","room":"a"}"#,
    r#"{"request":"names","room":"a","after":"b"}"#,
    r#"{"request":"topic","room":"a","topic":"t"}"#,
    r#"{"request":"invite","room":"a","username":"b","reason":"r"}"#,
    r#"{"request":"kick","room":"a","username":"b","reason":"r"}"#,
    r#"{"request":"ban","room":"a","username":"b","reason":"r","for_s":60}"#,
    r#"{"request":"unban","room":"a","username":"b","reason":"r"}"#,
    r#"{"request":"mute","room":"a","username":"b","reason":"r","for_s":60}"#,
    r#"{"request":"unmute","room":"a","username":"b","reason":"r"}"#,
    r#"{"request":"bans","room":"a"}"#,
    r#"{"request":"role","room":"a","username":"b","role":"owner","reason":"r"}"#,
    r#"{"request":"room","room":"a","name":"b","kind":"private","history":"all","slow_mode_s":1,"retention_days":1,"retention_entries":1}"#,
    r#"{"request":"delete_room","room":"a"}"#,
    r#"{"request":"message","room":"a","text":"t","nonce":"n","reply_to":1,"action":true}"#,
    r#"{"request":"edit","room":"a","target":1,"text":"t"}"#,
    r#"{"request":"delete","room":"a","target":1,"reason":"r"}"#,
    r#"{"request":"react","room":"a","target":1,"emoji":"+1","remove":false}"#,
    r#"{"request":"history","room":"a","before":1,"limit":1}"#,
    r#"{"request":"history","room":"a","after":1,"limit":1}"#,
    r#"{"request":"history","room":"a","around":1,"limit":1}"#,
    r#"{"request":"search","query":"q","room":"a","from":"b","before":1,"limit":1}"#,
    r#"{"request":"search","query":"q","from":"b","after":1,"limit":1}"#,
    r#"{"request":"read","room":"a","seq":1}"#,
    r#"{"request":"typing","room":"a"}"#,
    r#"{"request":"status","status":"away","text":"t"}"#,
    r#"{"request":"report","room":"a","target":1,"username":"b","reason":"r"}"#,
    r#"{"request":"acts","room":"a","before":1,"limit":1}"#,
    r#"{"request":"invitation","action":"create","label":"l","count":2,"for_s":60}"#,
    r#"{"request":"invitation","action":"list"}"#,
    r#"{"request":"invitation","action":"revoke","invitation_id":1}"#,
    r#"{"request":"server_role","username":"a","role":"admin"}"#,
    r#"{"request":"suspend","username":"a","reason":"r","for_s":60}"#,
    r#"{"request":"suspend","address":"192.0.2.0/24","reason":"r","for_s":60}"#,
    r#"{"request":"unsuspend","username":"a"}"#,
    r#"{"request":"unsuspend","address":"192.0.2.1"}"#,
    r#"{"request":"suspensions"}"#,
    r#"{"request":"disconnect","username":"a","reason":"r"}"#,
    r#"{"request":"disconnect","address":"192.0.2.1","reason":"r"}"#,
    r#"{"request":"level","level":"no_guests"}"#,
    r#"{"request":"notice","text":"t"}"#,
    r#"{"request":"server_status"}"#,
    r#"{"request":"server_sessions","after":1}"#,
    r#"{"request":"accounts","after":"a"}"#,
    r#"{"request":"add_account","username":"a","password":"p"}"#,
    r#"{"request":"set_password","username":"a","password":"p","revoke_tokens":true}"#,
    r#"{"request":"reload"}"#,
    r#"{"request":"log_level","level":"info"}"#,
];

/// What stands where it should not.
const WRONG: [&str; 9] = ["null", "true", "0", "-1", "1.5", "\"\"", "[]", "{}", LONG];
/// A string of a million bytes.
const LONG: &str = "long";

/// What becomes of a request with a key that has another value: nothing where it fits after all.
fn expected(kind: &str, key: &str, value: &str) -> Option<Code> {
    let is_string = matches!(value, "\"\"" | LONG);
    let fits = match (kind, key) {
        ("ping", "data") => true,
        ("hello", "protocol") => matches!(value, "0" | "-1"),
        ("message" | "react", "action" | "remove") => value == "true",
        ("login" | "set_password", "certificate" | "revoke_tokens") => value == "true",
        ("resume", "rooms") => value == "{}",
        (_, "since" | "backlog" | "reply_to" | "target" | "before" | "around" | "seq" | "close") => value == "0",
        ("room", "slow_mode_s" | "retention_days" | "retention_entries") => value == "0",
        (_, "token_id" | "invitation_id") => value == "0",
        ("history" | "search" | "server_sessions", "after") => value == "0",
        ("log_level", "level") => is_string,
        ("join", "epoch") => value == "\"\"",
        (_, "room" | "name" | "after") if is_string => return Some(Code::BadName),
        (_, "username" | "password" | "token" | "invite" | "old" | "new" | "address" | "from") => is_string,
        (_, "text" | "topic" | "client" | "label" | "reason" | "emoji" | "query") => is_string,
        _ => {
            let choices = ["kind", "history", "role", "status", "level", "action"];
            let others = ["room", "name", "after", "nonce", "limit", "for_s", "count", "fingerprint"];
            assert!(choices.iter().chain(&others).any(|other| *other == key), "{kind}.{key}");
            false
        }
    };
    (!fits).then_some(Code::BadRequest)
}

/// The keys of a request in the table, and their values as JSON.
fn fields(whole: &str) -> Vec<(String, String)> {
    let fields = Fields::parse(whole).unwrap();
    fields.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn object(fields: impl Iterator<Item = (String, String)>) -> String {
    let inside: Vec<String> = fields.map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", inside.join(","))
}

#[test]
fn each_key_of_each_request_is_in_the_table() {
    let all: Vec<_> = WHOLE.iter().map(|whole| (decode(whole).tag.kind, fields(whole))).collect();
    for kind in Kind::ALL {
        let requests = || all.iter().filter(|(other, _)| other == kind);
        assert!(requests().next().is_some(), "{kind:?} is missing");
        for key in kind.keys() {
            let has = |(_, fields): &(Kind, Vec<(String, String)>)| fields.iter().any(|(other, _)| other == key);
            assert!(requests().any(has), "{kind:?}.{key} is missing");
        }
    }
}

#[test]
fn each_key_of_each_request_replaced_by_anything_is_refused_by_its_name() {
    let long = format!("\"{}\"", "x".repeat(1_000_000));
    for whole in WHOLE {
        let request = good(whole);
        let Tag { kind, ignored, .. } = decode(whole).tag;
        assert!(ignored.is_empty(), "{request:?}");
        for (key, _) in fields(whole).iter().filter(|(key, _)| key != "request") {
            for value in WRONG {
                let written = if value == LONG { &*long } else { value };
                let object = object(fields(whole).into_iter().map(|(name, old)| {
                    let value = if name == *key { written.to_owned() } else { old };
                    (name, value)
                }));
                match expected(kind.as_str(), key, value) {
                    None => drop(good(&object)),
                    Some(code) => {
                        let shown = &object[..object.len().min(200)];
                        assert_eq!(refusal(&object), (code, Some(key.as_str().into())), "{shown}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_key_that_is_left_out_is_missed_by_its_name_or_not_needed() {
    let needed = |kind: &str, key: &str| match key {
        "room" => !matches!(kind, "names" | "acts" | "search"),
        "username" => kind != "report",
        "password" => true,
        "topic" => kind == "topic",
        "text" => kind != "status",
        "label" | "fingerprint" | "certificate" | "revoke_tokens" | "reason" | "from" | "limit" | "for_s" | "count"
        | "remove" | "nonce" | "reply_to" | "client" | "protocol" | "data" | "invite" | "token" | "close" | "after"
        | "kind" | "since" | "epoch" | "backlog" | "name" | "history" | "slow_mode_s" | "retention_days"
        | "retention_entries" | "before" | "around" | "level" => false,
        "action" => kind != "message",
        "target" => kind != "report",
        _ => true,
    };
    for whole in WHOLE {
        let kind = decode(whole).tag.kind.as_str();
        for (key, _) in fields(whole).iter().filter(|(key, _)| key != "request") {
            let object = object(fields(whole).into_iter().filter(|(name, _)| name != key));
            match (kind, key.as_str()) {
                // What these go with is gone.
                ("join", "since") => bad(&object, "epoch"),
                ("search", "room") if whole.contains("before") => bad(&object, "before"),
                ("login", "password") => drop(good(&object)),
                // One of two is missed by the name of the first of them.
                ("delete_account", "username") => bad(&object, "password"),
                (_, "address") => bad(&object, "username"),
                (kind, key) if needed(kind, key) => bad(&object, key),
                _ => drop(good(&object)),
            }
        }
    }
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    for (object, field) in [
        (r#"{"request":"login","username":"a","password":"b","token":"c"}"#, "token"),
        (r#"{"request":"login","username":"a","password":"b","certificate":true}"#, "certificate"),
        (r#"{"request":"login","username":"a","token":"b","certificate":true}"#, "certificate"),
        (r#"{"request":"delete_account","username":"a","password":"b"}"#, "username"),
        (r#"{"request":"join","room":"a","since":1,"backlog":1}"#, "backlog"),
        (r#"{"request":"join","room":"a","epoch":"e"}"#, "epoch"),
        (r#"{"request":"join","room":"a","epoch":"e","backlog":1}"#, "epoch"),
        (r#"{"request":"history","room":"a","before":1,"after":1}"#, "after"),
        (r#"{"request":"history","room":"a","before":1,"around":1}"#, "around"),
        (r#"{"request":"history","room":"a","before":1,"after":1,"around":1}"#, "around"),
        (r#"{"request":"search","query":"q","before":1}"#, "before"),
        (r#"{"request":"search","query":"q","before":1,"after":1}"#, "before"),
        (r#"{"request":"search","query":"q","room":"a","before":1,"after":1}"#, "after"),
        (r#"{"request":"token","action":"create","token_id":1}"#, "token_id"),
        (r#"{"request":"token","action":"create","fingerprint":"SHA256:x"}"#, "fingerprint"),
        (r#"{"request":"token","action":"certificate","token_id":1}"#, "token_id"),
        (r#"{"request":"token","action":"list","label":"l"}"#, "label"),
        (r#"{"request":"token","action":"list","token_id":1}"#, "token_id"),
        (r#"{"request":"token","action":"revoke","token_id":1,"for_s":1}"#, "for_s"),
        (r#"{"request":"invitation","action":"create","invitation_id":1}"#, "invitation_id"),
        (r#"{"request":"invitation","action":"list","count":1}"#, "count"),
        (r#"{"request":"invitation","action":"revoke","invitation_id":1,"label":"l"}"#, "label"),
        (r#"{"request":"suspend","username":"a","address":"192.0.2.1"}"#, "address"),
        (r#"{"request":"unsuspend","username":"a","address":"192.0.2.1"}"#, "address"),
        (r#"{"request":"disconnect","username":"a","address":"192.0.2.1"}"#, "address"),
        (r#"{"request":"suspend"}"#, "username"),
    ] {
        bad(object, field);
    }
}

#[test]
fn a_key_of_another_request_is_only_ignored() {
    for (object, key) in [
        (r#"{"request":"kick","room":"a","username":"b","for_s":60}"#, "for_s"),
        (r#"{"request":"mute","room":"a","username":"b","role":"owner"}"#, "role"),
        (r#"{"request":"rooms","limit":null}"#, "limit"),
    ] {
        good(object);
        assert_eq!(&*decode(object).tag.ignored, [key.into()]);
    }
}
