//! How a stream of bytes becomes requests: what is an object, what is none, and that the cuts of TCP do not matter.

use serde_json::{Value, json};

use crate::support::{Dice, Wire, server};

const PONG: &str = r#"{"response":"ping"}"#;
const BAD_JSON: &str = r#"{"response":"error","code":"bad_json"}"#;
const BAD_REQUEST: &str = r#"{"response":"error","code":"bad_request"}"#;

/// Bytes to a session that is logged in, and the answers to them, but for their sentences and times.
fn matrix() -> Vec<(Vec<u8>, Vec<String>)> {
    let mut rows: Vec<(Vec<u8>, Vec<String>)> = Vec::new();
    let mut row = |bytes: &[u8], answers: &[&str]| {
        rows.push((bytes.to_vec(), answers.iter().map(|answer| (*answer).to_owned()).collect()));
    };
    let ping = |id: u32| format!(r#"{{"request":"ping","id":{id}}}"#);
    let pong = |id: u32| format!(r#"{{"response":"ping","id":{id}}}"#);
    let refused = |field: &str| format!(r#"{{"response":"ping","code":"bad_request","field":"{field}"}}"#);
    let (ping1, ping2, pong1, pong2) = (ping(1), ping(2), pong(1), pong(2));

    // Between objects stands nothing, or white space.
    row(format!("{ping1}{ping2}").as_bytes(), &[&pong1, &pong2]);
    row(format!("\r\n \t{ping1}\r\n\r\n\t {ping2}\n\n").as_bytes(), &[&pong1, &pong2]);
    row(b"{ \"request\" :\n  \"ping\" ,\r\n\t\"id\" : 1 }", &[&pong1]);
    for blank in ["\u{b}", "\u{c}", "\u{a0}", "\u{feff}", "\0"] {
        row(format!("{blank}{ping1}\n{ping2}").as_bytes(), &[BAD_JSON, &pong2]);
    }

    // What is no object spoils its line and nothing else.
    for wrong in [
        "hello",
        "1",
        "\"x\"",
        "null",
        "[]",
        "true",
        "-",
        "// comment",
        "}",
        "]",
        ",",
        ":",
        "'a'",
        "NaN",
        "\\",
        r#"{"request":"ping",}"#,
        r#"{"request":"ping" "id":1}"#,
        r#"{'request':'ping'}"#,
        r#"{request:"ping"}"#,
        r#"{"request":NaN}"#,
        r#"{"request":Infinity}"#,
        r#"{"request":0x1}"#,
        r#"{"id":01}"#,
        r#"{"id":1.}"#,
        r#"{"id":.5}"#,
        r#"{"id":+1}"#,
        r#"{"id":1e}"#,
        r#"{"id":tru}"#,
        r#"{"id":nulL}"#,
        r#"{"a":"\x41"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":1/*b*/}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1}"#,
        r#"{"a"}"#,
        r#"{,}"#,
        r#"{"a":}"#,
        r#"{1:2}"#,
        "{\"a\":\"raw\ttab\"}",
        "{\"a\":\"raw\u{0}nul\"}",
        "{\"a\":\"raw\u{1f}\"}",
    ] {
        row(format!("{wrong}{ping1}\n{ping2}").as_bytes(), &[BAD_JSON, &pong2]);
    }
    // A raw newline ends what it is in the middle of; what is behind it is a line of its own.
    row(format!("{{\"request\":\"pi\n{ping1}").as_bytes(), &[BAD_JSON, &pong1]);
    row(format!("{{\"request\":\"never closed\n{ping1}\n").as_bytes(), &[BAD_JSON, &pong1]);
    row(format!("{{\"request\":\"ping\",\n}}{ping1}\n{ping2}").as_bytes(), &[BAD_JSON, &pong2]);

    // What only a whole object shows spoils that object alone.
    for broken in [
        &b"\xff"[..],
        b"\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xf0\x9f\x91",
        b"\xc3",
        br"\ud800",
        br"\udc00\ud800",
        br"\ud83d",
        br"\ud83dx",
        br"\ud83d\n",
        br"\ud83d\u0041",
    ] {
        let mut bytes = br#"{"request":"ping","data":""#.to_vec();
        bytes.extend_from_slice(broken);
        bytes.extend_from_slice(format!("\"}}{ping1}").as_bytes());
        row(&bytes, &[BAD_JSON, &pong1]);
    }
    row(r#"{"request":"ping","data":"\ud83d\ude00"}"#.as_bytes(), &[r#"{"response":"ping","data":"\ud83d\ude00"}"#]);
    row("{\"request\":\"ping\",\"data\":\"😀\"}".as_bytes(), &[r#"{"response":"ping","data":"😀"}"#]);
    for (twice, answer) in [
        (r#"{"request":"ping","request":"ping"}"#, BAD_REQUEST.replace('}', r#","field":"request"}"#)),
        (r#"{"request":"ping","\u0072equest":"login"}"#, BAD_REQUEST.replace('}', r#","field":"request"}"#)),
        (r#"{"request":"ping","data":1,"data":2}"#, refused("data")),
        (r#"{"request":"ping","data":1,"d\u0061ta":2}"#, refused("data")),
        (r#"{"request":"ping","id":1,"id":1}"#, refused("id")),
    ] {
        row(format!("{twice}{ping1}").as_bytes(), &[&answer, &pong1]);
    }
    row(format!("{{}}{ping1}").as_bytes(), &[&BAD_REQUEST.replace('}', r#","field":"request"}"#), &pong1]);
    row(br#"{"\u0072equest":"pin\u0067"}"#, &[PONG]);

    // Numbers of any size are good JSON.
    for number in ["1e400", "-0", "1E+2", "1.000000000000000000000001", &"9".repeat(5000)] {
        let answer = format!(r#"{{"response":"ping","id":1,"data":{number}}}"#);
        row(format!(r#"{{"request":"ping","id":1,"data":{number}}}"#).as_bytes(), &[&answer]);
    }

    // The object itself is the first level of 32.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| {
            let inside = if open == "[" { "" } else { "1" };
            format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
        };
        let answer = format!(r#"{{"response":"ping","data":{}}}"#, nested(31));
        row(format!(r#"{{"request":"ping","data":{}}}"#, nested(31)).as_bytes(), &[&answer]);
        row(format!("{{\"request\":\"ping\",\"data\":{}}}\n{ping1}", nested(32)).as_bytes(), &[BAD_JSON, &pong1]);
        row(
            format!("{{\"request\":\"ping\",\"data\":{}\n{ping1}", open.repeat(100_000)).as_bytes(),
            &[BAD_JSON, &pong1],
        );
    }
    row(format!("{}\n{ping1}", "[".repeat(100_000)).as_bytes(), &[BAD_JSON, &pong1]);
    rows
}

/// What an answer says, but for its sentence and time. Numbers stay as they are written.
fn essence(line: &str) -> String {
    let start = line.find(",\"time\":").or_else(|| line.find("\"time\":"));
    let mut line = line.to_owned();
    if let Some(start) = start {
        let end = line[start + 8..].find('Z').map(|end| start + 8 + end + 2);
        line.replace_range(start..end.expect("a time"), "");
    }
    if let (Some(start), Some(end)) = (line.find("\"error\":\""), line.find("\"code\":")) {
        line.replace_range(start..end, "");
    }
    line
}

/// Everything that is answered to bytes which end with a ping of this id, that ping's answer left out.
async fn answers(wire: &mut Wire, end: &str) -> Vec<String> {
    let end = format!("{{\"response\":\"ping\",\"id\":\"{end}\"");
    let (mut bytes, mut lines) = (Vec::new(), Vec::new());
    loop {
        bytes.extend(wire.read_once().await.1);
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=at).collect();
            let line = String::from_utf8(line).expect("UTF-8");
            if line.starts_with(&end) {
                assert!(bytes.is_empty(), "something stands behind the last answer");
                return lines;
            }
            lines.push(essence(line.trim_end()));
        }
        assert!(!wire.is_closed(), "closed behind {lines:?}");
    }
}

#[tokio::test]
async fn each_row_of_the_matrix_is_answered_as_it_should_be() {
    let server = server().await;
    for (number, (bytes, expected)) in matrix().into_iter().enumerate() {
        // Connections of their own, for so much bad JSON closes.
        let mut alice = server.native(&format!("alice{number}")).await;
        alice.send_raw(&bytes).await;
        alice.send_raw("\n{\"request\":\"ping\",\"id\":\"end\"}").await;
        let answers = answers(&mut alice, "end").await;
        assert_eq!(answers, expected, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
    }
}

#[tokio::test]
async fn the_answers_do_not_depend_on_the_cuts() {
    let (server, mut dice) = (server().await, Dice::new());
    let rows = matrix();
    for round in 0..40 {
        let mut wire = server.native(&format!("alice{round}")).await;
        let (mut bytes, mut expected, mut bad) = (Vec::new(), Vec::new(), 0);
        for _ in 0..12 {
            let (row, answers) = &rows[dice.below(rows.len())];
            bad += answers.iter().filter(|answer| *answer == BAD_JSON).count();
            if bad >= 10 || row.len() > 10_000 {
                continue;
            }
            bytes.extend_from_slice(row);
            bytes.push(b'\n');
            expected.extend(answers.iter().cloned());
        }
        bytes.extend_from_slice(b"{\"request\":\"ping\",\"id\":\"end\"}");
        let mut rest = &bytes[..];
        let longest = [1, 3, 10, 200][dice.below(4)];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((1 + dice.below(longest)).min(rest.len()));
            wire.send_raw(piece).await;
            // The server runs in this thread: now it may read just this.
            tokio::task::yield_now().await;
            rest = behind;
        }
        assert_eq!(answers(&mut wire, "end").await, expected, "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[tokio::test]
async fn an_object_is_answered_at_its_closing_brace() {
    let server = server().await;
    let mut alice = server.connect("alice").await;
    for byte in br#"{"request":"hello","protocol":1}"# {
        alice.send_raw([*byte]).await;
        tokio::task::yield_now().await;
    }
    alice.expect(json!({"response": "hello"})).await;
}

#[tokio::test]
async fn before_login_the_first_bad_json_closes_and_nothing_behind_it_is_done() {
    let server = server().await;
    for garbage in [
        "POST /login HTTP/1.1\r\nHost: localhost\r\n\r\n{\"request\":\"register\",\"username\":\"eve\",\"password\":\"correct horse\"}",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "[{\"request\":\"help\"}]",
    ] {
        for hello in ["", "{\"request\":\"hello\",\"protocol\":1}\n"] {
            let mut eve = server.connect("eve").await;
            eve.send_raw(format!(
                "{hello}{garbage}\n{{\"request\":\"register\",\"username\":\"eve\",\"password\":\"correct horse\"}}\n"
            ))
            .await;
            if !hello.is_empty() {
                eve.expect(json!({"response": "hello"})).await;
            }
            let error = json!({"response": "error", "error": "<string>", "code": "bad_json"});
            eve.expect_exactly(&error, &mut Default::default()).await;
            eve.expect_close().await;
        }
    }
    server.hello("eve").await.ask(json!({"request": "login", "username": "eve"})).await;
}

#[tokio::test]
async fn the_tenth_bad_json_closes() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    for _ in 0..9 {
        alice.send_raw("nonsense\n").await;
        alice.expect(json!({"response": "error", "error": "<string>", "code": "bad_json", "id": "<absent>"})).await;
        alice.ask(json!({"request": "ping"})).await;
    }
    alice.send_raw(format!("nonsense\n{}\n", json!({"request": "ping"}))).await;
    alice.expect_code("bad_json").await;
    alice.expect(json!({"response": "error", "error": "<string>", "code": "too_many_errors"})).await;
    alice.expect_close().await;
}

#[tokio::test]
async fn bad_json_stands_in_the_order_of_the_input() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    let post = json!({"request": "message", "room": "den", "text": "x"});
    alice.send_raw(format!("{post}\nnonsense\n{post}\n{{}}{post}\n")).await;
    for expected in [
        json!({"seq": 1}),
        json!({"code": "bad_json", "error": "<string>"}),
        json!({"seq": 2}),
        json!({"code": "bad_request", "error": "<string>"}),
        json!({"seq": 3}),
    ] {
        alice.expect(expected).await;
    }
}

/// A ping of just so many bytes.
fn ping_of(bytes: usize) -> String {
    let frame = |data: &str| format!("{{\"request\":\"ping\",\"data\":\"{data}\"}}");
    frame(&"x".repeat(bytes - frame("").len()))
}

async fn expect_too_large(mut wire: Wire) {
    wire.expect(json!({"response": "error", "error": "<string>", "code": "frame_too_large", "id": "<absent>"})).await;
    wire.expect_close().await;
}

#[tokio::test]
async fn an_object_may_be_so_large_and_no_larger() {
    let server = server().await;
    let mut stranger = server.hello("stranger").await;
    stranger.send_raw(ping_of(8192)).await;
    stranger.expect(json!({"response": "ping"})).await;
    stranger.send_raw(&ping_of(8193)[..8193]).await;
    expect_too_large(stranger).await;

    let mut alice = server.native("alice").await;
    alice.send_raw(ping_of(65536)).await;
    alice.expect(json!({"response": "ping"})).await;
    alice.send_raw(ping_of(65537)).await;
    expect_too_large(alice).await;

    // White space is not part of an object, and there may be any amount of it.
    let mut bob = server.native("bob").await;
    bob.send_raw(" ".repeat(200_000) + &ping_of(65536) + &"\n".repeat(200_000)).await;
    bob.expect(json!({"response": "ping"})).await;
    // Neither is what is skipped.
    bob.send_raw(format!("nonsense{}\n{}", "x".repeat(200_000), ping_of(100))).await;
    bob.expect_code("bad_json").await;
    bob.expect(json!({"response": "ping"})).await;
}

#[tokio::test]
async fn the_last_line_arrives_whatever_was_still_on_its_way() {
    let server = server().await;
    for _ in 0..20 {
        let mut alice = server.hello("alice").await;
        alice.send_what_goes(ping_of(300_000)).await;
        expect_too_large(alice).await;
        let mut eve = server.connect("eve").await;
        eve.send_what_goes(format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(50_000))).await;
        eve.expect_code("bad_json").await;
        eve.expect_close().await;
    }
}

#[tokio::test]
async fn bytes_of_all_kinds_without_an_end_are_refused_in_time() {
    let server = server().await;
    let units = [("{\"a\":\"", "x"), ("{\"a\":", "9"), ("", "{\"a\":1,"), ("{\"a\":[", "1,"), ("{\"a\":", "    ")];
    for (number, (start, unit)) in units.into_iter().enumerate() {
        for login in [false, true] {
            let mut eve = if login { server.native(&format!("eve{number}")).await } else { server.hello("eve").await };
            eve.send_what_goes(format!("{start}{}", unit.repeat(1_000_000 / unit.len()))).await;
            let answer = eve.next().await;
            assert!(matches!(answer["code"].as_str(), Some("frame_too_large" | "bad_json")), "{answer}");
            if !login || answer["code"] == "frame_too_large" {
                eve.expect_close().await;
            }
        }
    }
    server.native("alice").await.join("lobby").await;
}

#[tokio::test]
async fn a_course_session_finds_its_way_back_at_the_next_object() {
    let server = server().with(|config| config.course.pace = std::time::Duration::from_millis(1)).await;
    let names = r#"{"request":"names","content":null}"#;
    for (bytes, errors) in [
        ("{\"request\":,}", 1),
        ("nonsense", 1),
        ("{\"request\":\"msg\",\"content\":nonsense ", 1),
        ("null", 0),
        ("[1,2]", 0),
        ("\"text\"", 0),
        ("{\"request\":\"msg\",\"content\":\"never closed\n", 1),
    ] {
        let mut bob = server.course2015("bob").await;
        bob.send_raw(format!("{bytes}{names}")).await;
        for _ in 0..errors {
            bob.expect(json!({"response": "error", "content": "<string>"})).await;
        }
        let answer: Value = bob.next().await;
        assert_eq!((&answer["response"], &answer["content"]), (&json!("info"), &json!("bob")), "{bytes}");
        bob.send_raw("{\"request\":\"logout\"}").await;
        bob.expect(json!({"content": "Logout successful"})).await;
    }
}

#[tokio::test]
async fn a_dialect_never_changes() {
    let server = server().with(|config| config.course.pace = std::time::Duration::from_millis(1)).await;
    let (native, old, new) = (
        r#"{"request":"hello","protocol":1}"#,
        r#"{"request":"logout","username":"x"}"#,
        r#"{"request":"names","content":null}"#,
    );
    let mut wire = server.connect("native").await;
    wire.send_raw([native, old, new].concat()).await;
    wire.expect(json!({"response": "hello"})).await;
    wire.expect(json!({"response": "logout", "error": "<string>", "code": "not_logged_in"})).await;
    wire.expect(json!({"response": "names", "error": "<string>", "code": "not_logged_in"})).await;
    let mut wire = server.connect("old").await;
    wire.send_raw([old, native, new].concat()).await;
    wire.expect(json!({"response": "logout", "username": "x", "error": "Not logged in!"})).await;
    wire.expect(json!({"response": "hello", "error": "<string>"})).await;
    wire.expect(json!({"response": "names", "error": "<string>"})).await;
    let mut wire = server.connect("new").await;
    wire.send_raw([new, native, old].concat()).await;
    for content in ["Not logged in", "Unknown request hello, try help", "Not logged in"] {
        wire.expect(json!({"response": "error", "content": content, "sender": "Server", "timestamp": "<string>"}))
            .await;
    }
}
