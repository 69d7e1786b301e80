//! What is written into strings: what could mean something to a database, a terminal or an eye, in every key of every
//! request, and in names.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use snakk::model::{NameRule, ServerRole};
use snakk::protocol::{Code, Kind};

use crate::support::requests::{keys, whole, with, without};
use crate::support::server::{PASSWORD, Setup};
use crate::support::wire::texts;
use crate::support::{TestServer, Wire, server};

/// What could mean something to whoever builds a query of it.
const HOSTILE: [&str; 9] =
    ["'; DROP TABLE entries; --", "\"; DROP TABLE entries; --", "%", "_", "\\", "\"", "'", "*", "den' OR '1'='1"];

/// A server with somebody who may do everything, in the situation of [`whole`].
async fn scene() -> (TestServer, Wire) {
    let setup = server().with(|config| config.storage.durability = snakk::store::Durability::Normal);
    let server = setup.people(ServerRole::Admin, ["ada"]).people(ServerRole::User, ["mark", "rita", "tom"]).await;
    let (mut ada, mut mark) = (server.login("ada").await, server.login("mark").await);
    ada.ask(json!({"request": "create", "room": "den"})).await;
    ada.join("den").await;
    mark.join("den").await;
    ada.say("den", "words").await;
    ada.say("den", "more words").await;
    ada.ask(json!({"request": "mute", "room": "den", "username": "mark"})).await;
    ada.ask(json!({"request": "ban", "room": "den", "username": "tom"})).await;
    (server, ada)
}

/// What the answer to a request says is wrong. Whatever it is, it is no mistake of the server, and the session lives.
async fn judged(wire: &mut Wire, request: &Value) -> Option<String> {
    let answer = wire.outcome(request.clone()).await;
    while wire.next_kept().is_some() {}
    let code = answer["code"].as_str()?;
    assert!(Code::parse(code).is_some() && code != "internal", "{request} is answered with {answer}");
    assert!(code != "bad_request" || answer["field"].is_string(), "{request}: {answer}");
    Some(code.to_owned())
}

/// Asks as somebody who may do everything, or, where that one is logged in already, as nobody yet.
async fn ask(server: &TestServer, ada: &mut Wire, request: &Value) -> Option<String> {
    if !matches!(request["request"].as_str(), Some("login" | "register")) {
        return judged(ada, request).await;
    }
    let mut nobody = server.hello("nobody").await;
    judged(&mut nobody, request).await
}

/// Stops the server; what is in the database then.
async fn database(server: TestServer) -> (Connection, Setup) {
    let setup = server.stop().await;
    let file = setup.data_dir().join("snakk.db");
    (Connection::open(file).expect("a database"), setup)
}

/// What the tables are.
fn schema(file: &Path) -> Vec<String> {
    let conn = Connection::open(file).expect("a database");
    let mut select = conn.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name").expect("a schema");
    select.query_map((), |row| row.get(0)).expect("a schema").map(|sql| sql.expect("a text")).collect()
}

/// Every text in every table.
fn stored(conn: &Connection) -> Vec<String> {
    let mut tables =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'").unwrap();
    let tables: Vec<String> = tables.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut texts = Vec::new();
    for table in tables {
        let mut select = conn.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query(()).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let ValueRef::Text(text) = row.get_ref(column).unwrap() {
                    texts.push(String::from_utf8(text.to_vec()).expect("UTF-8"));
                }
            }
        }
    }
    texts
}

#[test]
fn each_key_of_each_request_is_among_those_that_are_tried() {
    let whole = whole();
    for kind in Kind::ALL {
        let forms: Vec<&Value> = whole.iter().filter(|request| request["request"] == kind.as_str()).collect();
        let known: BTreeSet<String> = forms.iter().flat_map(|request| keys(request)).collect();
        let missing: Vec<_> = kind.keys().iter().filter(|key| !known.contains(**key)).collect();
        assert!(!forms.is_empty() && missing.is_empty(), "{kind:?} is not tried with {missing:?}");
    }
}

#[tokio::test]
async fn whatever_stands_in_a_key_the_answer_names_it_and_the_session_lives() {
    let (server, mut ada) = scene().await;
    let long = "x".repeat(60_000);
    let values =
        [json!(null), json!(true), json!(0), json!(-1), json!(1.5), json!(""), json!([]), json!({}), json!(long)];
    let numbers = [json!(9_223_372_036_854_775_807_u64), json!(9_223_372_036_854_775_808_u64), json!("1")];
    for request in whole() {
        for key in keys(&request) {
            // Before a login objects are small.
            let short = matches!(request["request"].as_str(), Some("login" | "register"));
            for value in values.iter().chain(&numbers).filter(|value| !short || **value != long.as_str()) {
                ask(&server, &mut ada, &with(&request, &key, value.clone())).await;
            }
            ask(&server, &mut ada, &without(&request, &key)).await;
        }
    }
    ada.ask(json!({"request": "whoami"})).await;
}

#[tokio::test]
async fn what_means_something_to_a_database_is_refused_or_only_text() {
    let (server, _) = scene().await;
    let setup = server.stop().await;
    let before = schema(&setup.data_dir().join("snakk.db"));
    let server = setup.await;
    let mut ada = server.login("ada").await;
    ada.join("den").await;
    for request in whole() {
        for key in keys(&request) {
            for text in HOSTILE {
                ask(&server, &mut ada, &with(&request, &key, json!(text))).await;
            }
        }
    }
    for text in HOSTILE {
        ada.say("den", text).await;
        ada.ask(json!({"request": "topic", "room": "den", "topic": text})).await;
    }
    let page = ada.ask(json!({"request": "history", "room": "den", "limit": HOSTILE.len()})).await;
    assert_eq!(texts(&page), HOSTILE);
    let room = ada.ask(json!({"request": "room", "room": "den"})).await;
    assert_eq!(room["topic"], HOSTILE[HOSTILE.len() - 1]);

    let setup = server.stop().await;
    assert_eq!(schema(&setup.data_dir().join("snakk.db")), before);
    let server = setup.await;
    let mut ada = server.login("ada").await;
    ada.join("den").await;
    assert_eq!(ada.ask(json!({"request": "names", "room": "den"})).await["names"][0]["name"], "ada");
}

#[tokio::test]
async fn nothing_in_a_name_or_a_query_stands_for_anything_else() {
    let server = server().people(ServerRole::User, ["a_b", "axb"]).await;
    let (mut one, mut other) = (server.login("a_b").await, server.login("axb").await);
    for (wire, room, text) in [(&mut one, "r_m", "one_word 100%"), (&mut other, "rxm", "onexword 1000")] {
        wire.ask(json!({"request": "create", "room": room})).await;
        wire.join(room).await;
        wire.say(room, text).await;
    }
    let found = async |one: &mut Wire, query: Value| {
        let mut request = json!({"request": "search"});
        for (key, value) in query.as_object().unwrap() {
            request[key] = value.clone();
        }
        texts(&one.ask(request).await).into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    for (query, hits) in [
        (json!({"query": "one_word"}), vec!["one_word 100%"]),
        (json!({"query": "100%"}), vec!["one_word 100%"]),
        (json!({"query": "from:a_b"}), vec!["one_word 100%"]),
        (json!({"query": "in:r_m"}), vec!["one_word 100%"]),
        (json!({"query": "one*", "from": "a_b"}), vec!["one_word 100%"]),
        (json!({"query": "one*", "room": "r_m"}), vec!["one_word 100%"]),
        (json!({"query": "%"}), vec![]),
        (json!({"query": "o*word"}), vec![]),
    ] {
        assert_eq!(found(&mut one, query.clone()).await, hits, "{query}");
    }
    assert!(found(&mut one, json!({"query": "one*", "from": "_"})).await.is_empty());
    for wild in ["%", "a%", "*"] {
        one.ask_in_vain(json!({"request": "search", "query": "one*", "from": wild}), "bad_name").await;
        one.ask_in_vain(json!({"request": "join", "room": wild}), "bad_name").await;
    }
    let names = one.ask(json!({"request": "names", "after": "a_a"})).await;
    assert_eq!(names["names"][0]["name"], "a_b", "{names}");
}

/// The control characters: C0, DEL and C1.
fn controls() -> impl Iterator<Item = char> {
    (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control())
}

/// Whether a control character may stand there, because it is only compared, or comes back as it was; or because there
/// are lines in it.
fn may_have(request: &str, key: &str, c: char) -> bool {
    let lines = matches!((request, key), ("message" | "edit" | "notice", "text") | ("search", "query"));
    (request, key) == ("ping", "data") || lines && matches!(c, '\n' | '\t')
}

#[tokio::test]
async fn a_control_character_is_refused_wherever_it_stands_and_never_stored() {
    let (server, mut ada) = scene().await;
    let secrets = ["password", "token", "invite", "old", "new"];
    for request in whole() {
        let kind = request["request"].as_str().expect("a word").to_owned();
        for key in keys(&request).into_iter().filter(|key| request[key].is_string() || request[key].is_object()) {
            for c in controls() {
                let value = match &request[&key] {
                    Value::Object(_) => json!({format!("de{c}n"): 1}),
                    value => json!(format!("{}{c}x", value.as_str().expect("a string"))),
                };
                let code = ask(&server, &mut ada, &with(&request, &key, value)).await;
                let code = code.as_deref().unwrap_or("ok");
                let good = match key.as_str() {
                    _ if may_have(&kind, &key, c) => true,
                    // A secret with one is a wrong one.
                    _ if secrets.contains(&key.as_str()) => {
                        matches!(
                            code,
                            "bad_credentials" | "weak_password" | "registration_closed" | "name_taken" | "no_such_user"
                        )
                    }
                    _ => matches!(code, "bad_text" | "bad_name" | "bad_request"),
                };
                assert!(good, "{kind}.{key} with {c:?} is answered with {code}");
            }
        }
    }
    let (conn, _setup) = database(server).await;
    for text in stored(&conn) {
        assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{text:?}");
    }
}

/// What is not seen, or turns round what is: U+200B to U+200F, U+202A to U+202E, U+2060, U+2066 to U+2069, U+FEFF, tags.
fn invisible() -> Vec<char> {
    let ranges =
        [0x200b..=0x200f, 0x2028..=0x202e, 0x2060..=0x2060, 0x2066..=0x2069, 0xfeff..=0xfeff, 0xe0000..=0xe007f];
    ranges.into_iter().flatten().filter_map(char::from_u32).collect()
}

#[tokio::test]
async fn what_is_not_seen_is_in_no_name_and_stays_in_texts() {
    for names in [NameRule::Ascii, NameRule::Unicode] {
        let server = server().with(|config| config.accounts.names = names).await;
        let (mut eve, mut ann) = (server.hello("eve").await, server.native("ann").await);
        ann.join("lobby").await;
        for c in invisible() {
            for name in [format!("bo{c}b"), format!("{c}bob"), format!("bob{c}")] {
                eve.ask_in_vain(json!({"request": "login", "username": name}), "bad_name").await;
                ann.ask_in_vain(json!({"request": "create", "room": name}), "bad_name").await;
            }
        }
    }
    let server = server().await;
    let mut ann = server.native("ann").await;
    ann.join("lobby").await;
    let text: String = invisible().into_iter().collect();
    ann.say("lobby", &text).await;
    let page = ann.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(texts(&page), [text]);
}

/// How somebody is refused who wants to be called so, as a guest and with an account.
async fn refused(server: &TestServer, names: &[&str]) {
    let mut eve = server.hello("eve").await;
    for name in names {
        for request in [
            json!({"request": "login", "username": name}),
            json!({"request": "register", "username": name, "password": PASSWORD}),
        ] {
            let answer = eve.outcome(request).await;
            let code = answer["code"].as_str().unwrap_or("ok");
            assert!(matches!(code, "bad_name" | "name_taken"), "{name:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn nobody_can_be_taken_for_somebody_else_or_for_the_server() {
    const ALWAYS: [&str; 28] = [
        "ALICE",
        "a1ice",
        "aIice",
        "alice.",
        "alice ",
        " alice",
        "@alice",
        "#alice",
        "alice\u{200b}",
        "al\u{ad}ice",
        "\u{430}lice",
        "\u{ff41}lice",
        "al\u{131}ce",
        "ali\u{441}e",
        "\u{391}lice",
        "rnodern",
        "m0dern",
        "MODERN",
        "lan",
        "1an",
        "server",
        "System",
        "\u{430}dmin",
        "adrnin",
        "snakkd",
        "everyone",
        "al\u{456}ce",
        "alic\u{435}",
    ];
    for names in [NameRule::Ascii, NameRule::Unicode] {
        let server = server().with(|config| config.accounts.names = names).await;
        let mut wires = Vec::new();
        for name in ["alice", "Modern", "Ian"] {
            let mut wire = server.account(name).await;
            // One of them is not there.
            if name == "Ian" {
                wire.ask(json!({"request": "logout"})).await;
            }
            wires.push(wire);
        }
        refused(&server, &ALWAYS).await;
        // Those who are only there for now are not to be imitated either.
        let _guests = [server.native("Ivo").await, server.native("lara").await];
        refused(&server, &["ivo", "lvo", "1vo", "Iara", "LARA"]).await;
        let _other = server.native("iara").await;
    }
    let server = server().with(|config| config.accounts.names = NameRule::Unicode).await;
    let _jose = server.native("jos\u{e9}").await;
    refused(&server, &["jose\u{301}", "JOS\u{c9}", "JOSE\u{301}"]).await;
    let _others = [server.native("jose").await, server.native("\u{65e5}\u{672c}").await, server.native("İpek").await];
}

#[test]
fn the_invisible_are_many() {
    assert!(invisible().into_iter().collect::<HashSet<char>>().len() > 140);
}
