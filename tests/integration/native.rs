//! The native dialect: what is answered, in which order, and what goes before what.

use serde_json::json;

use crate::support::server;
use crate::support::server::PASSWORD;
use crate::support::wire::{lines, message, texts};

#[tokio::test]
async fn hello_says_what_the_server_is() {
    let server = server().with(|config| config.server.motd = "mind the step".into()).await;
    let mut alice = server.connect("alice").await;
    for _ in 0..2 {
        let hello = alice.ask(json!({"request": "hello", "protocol": 1, "client": "test/1"})).await;
        assert_eq!(hello["protocol"], 1);
        assert_eq!(hello["server"], concat!("snakkd/", env!("CARGO_PKG_VERSION")));
        assert_eq!((&hello["name"], &hello["motd"]), (&json!("snakk"), &json!("mind the step")));
        assert_eq!(hello["limits"]["max_frame_bytes"], 65536);
        assert_eq!(hello["limits"]["max_text_bytes"], 16384);
        assert_eq!(hello["accounts"], json!({"guests": true, "registration": "open"}));
        assert!(hello["features"].is_array());
    }
    let answer = alice.ask_in_vain(json!({"request": "hello", "protocol": 2}), "unsupported_protocol").await;
    assert_eq!(answer["response"], "hello");
}

#[tokio::test]
async fn help_lists_each_request_and_needs_no_login() {
    let server = server().await;
    let help = server.hello("alice").await.ask(json!({"request": "help"})).await;
    let listed: Vec<&str> =
        help["requests"].as_array().unwrap().iter().map(|line| line["request"].as_str().unwrap()).collect();
    assert_eq!(listed, snakk::protocol::Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_id_comes_back_as_it_was() {
    let server = server().await;
    let mut alice = server.hello("alice").await;
    let long = format!("\"{}\"", "x".repeat(64));
    for id in ["0", "-7", "9007199254740993", "18446744073709551615", "\"\"", "\"a\\\"b\\\\\"", "\"\\u0041👋\"", &long]
    {
        alice.send_raw(format!("{{\"request\":\"ping\",\"id\":{id}}}\n")).await;
        let (_, line) = alice.read_once().await;
        let line = String::from_utf8(line).unwrap();
        assert!(line.starts_with(&format!("{{\"response\":\"ping\",\"id\":{id},")), "{id}: {line}");
    }
    for id in ["1.0", "1e2", "-0", "null", "[]", "{}", "18446744073709551616", &format!("\"{}\"", "x".repeat(65))] {
        alice.send_raw(format!("{{\"request\":\"ping\",\"id\":{id}}}\n")).await;
        alice.expect(json!({"response": "ping", "id": "<absent>", "error": "<string>", "code": "bad_request", "field": "id"})).await;
    }
}

#[tokio::test]
async fn keys_that_nobody_knows_are_ignored_and_named() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    let answer = alice.ask(json!({"request": "join", "room": "lobby", "sinse": 3, "quick": true})).await;
    let mut ignored: Vec<&str> =
        answer["ignored"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    ignored.sort_unstable();
    assert_eq!(ignored, ["quick", "sinse"]);
    let answer =
        alice.ask_in_vain(json!({"request": "message", "room": "nowhere", "text": "x", "y": 1}), "no_such_room");
    assert_eq!(answer.await["ignored"], json!(["y"]));
}

#[tokio::test]
async fn before_login_nothing_else_is_told() {
    let server = server().await;
    let mut alice = server.hello("alice").await;
    for request in [
        json!({"request": "whoami"}),
        json!({"request": "message"}),
        json!({"request": "message", "room": "!", "text": 1}),
        json!({"request": "history", "room": "nowhere"}),
        json!({"request": "join", "room": "lobby"}),
        json!({"request": "resume", "rooms": 5}),
        json!({"request": "logout"}),
        json!({"request": "rooms"}),
        json!({"request": "names"}),
        json!({"request": "create", "room": "x"}),
        json!({"request": "unfollow", "room": "lobby"}),
        json!({"request": "leave", "room": "lobby"}),
        json!({"request": "fly"}),
    ] {
        alice.ask_in_vain(request, "not_logged_in").await;
    }
    for request in [json!({"request": "ping"}), json!({"request": "help"}), json!({"request": "hello", "protocol": 1})]
    {
        alice.ask(request).await;
    }
}

#[tokio::test]
async fn the_first_refusal_that_applies_is_given() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    for (request, code) in [
        (json!({"request": "fly"}), "unknown_request"),
        (json!({"request": "message", "room": "nowhere"}), "bad_request"),
        (json!({"request": "message", "room": "nowhere", "text": ""}), "no_such_room"),
        (json!({"request": "message", "room": "lobby", "text": ""}), "not_a_member"),
        (json!({"request": "message", "room": "lobby", "text": "x", "reply_to": 99}), "not_a_member"),
        (json!({"request": "leave", "room": "lobby"}), "not_a_member"),
        (json!({"request": "leave", "room": "nowhere"}), "no_such_room"),
        (json!({"request": "history", "room": "nowhere"}), "no_such_room"),
        (json!({"request": "join", "room": "a b"}), "bad_name"),
        (json!({"request": "create", "room": "lobby"}), "room_exists"),
        (json!({"request": "create", "room": "LOBBY"}), "room_exists"),
        (json!({"request": "login", "username": "alice"}), "already_logged_in"),
        (json!({"request": "register", "username": "alice", "password": PASSWORD}), "already_logged_in"),
    ] {
        alice.ask_in_vain(request, code).await;
    }
    alice.join("lobby").await;
    for (request, code) in [
        (json!({"request": "message", "room": "lobby", "text": "x", "reply_to": 99}), "no_such_message"),
        (json!({"request": "message", "room": "lobby", "text": "", "reply_to": 99}), "no_such_message"),
        (message("lobby", ""), "bad_text"),
        (message("lobby", "a\u{1b}[2Jb"), "bad_text"),
        (message("lobby", "a\u{9b}b"), "bad_text"),
        (message("lobby", "a\rb"), "bad_text"),
        (message("lobby", &"x".repeat(16385)), "text_too_long"),
    ] {
        alice.ask_in_vain(request, code).await;
    }
    assert_eq!(alice.say("lobby", "lines\n\tand tabs").await, 1, "nothing that was refused took a number");
}

#[tokio::test]
async fn an_unknown_request_keeps_its_word_and_an_object_without_one_has_none() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.send(json!({"request": "fly", "id": 3})).await;
    alice.expect(json!({"response": "fly", "id": 3, "error": "<string>", "code": "unknown_request"})).await;
    alice.send(json!({"id": 3})).await;
    let expected = json!({"response": "error", "error": "<string>", "code": "bad_request", "field": "request"});
    alice.expect_exactly(&expected, &mut Default::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_answer_comes_before_the_posters_own_entry_and_answers_keep_their_order() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let posts = (1..=1000).map(|n| json!({"request": "message", "id": n, "room": "lobby", "text": format!("no. {n}")}));
    alice.send_raw(lines(posts)).await;
    let (mut answered, mut seen) = (0, 0);
    while seen < 1000 {
        let object = alice.next().await;
        if object.get("response").is_some() {
            answered += 1;
            assert_eq!((&object["id"], &object["seq"]), (&json!(answered), &json!(answered)), "{object}");
        } else {
            seen += 1;
            assert_eq!(object["seq"], seen, "{object}");
            assert_eq!(object["text"], format!("no. {seen}"));
            assert!(answered >= seen, "entry {seen} came before its answer");
        }
    }
    assert_eq!(answered, 1000);
    alice.expect_silence().await;
}

#[tokio::test]
async fn a_request_acts_as_if_the_earlier_ones_were_done() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    let requests = [
        json!({"request": "create", "room": "den", "id": 1}),
        json!({"request": "message", "room": "den", "text": "one", "id": 2}),
        json!({"request": "message", "room": "den", "text": "two", "id": 3}),
        json!({"request": "history", "room": "den", "id": 4}),
        json!({"request": "join", "room": "den", "backlog": 1, "id": 5}),
        json!({"request": "leave", "room": "den", "id": 6}),
        json!({"request": "message", "room": "den", "text": "three", "id": 7}),
        json!({"request": "rooms", "id": 8}),
    ];
    alice.send_raw(lines(requests)).await;
    alice.expect(json!({"response": "create", "id": 1, "room": "den", "head": 0})).await;
    alice.expect(json!({"response": "message", "id": 2, "seq": 1})).await;
    alice.expect(json!({"response": "message", "id": 3, "seq": 2})).await;
    let page = alice.expect(json!({"response": "history", "id": 4, "head": 2})).await;
    assert_eq!(texts(&page), ["one", "two"]);
    alice.expect(json!({"response": "join", "id": 5, "head": 2})).await;
    // The entry of the backlog may come or not: the room was left at once.
    let mut left = alice.next().await;
    if left["event"] == "message" {
        assert_eq!(left["text"], "two");
        left = alice.next().await;
    }
    assert_eq!((&left["response"], &left["id"], left.get("error")), (&json!("leave"), &json!(6), None), "{left}");
    alice.expect_code("not_a_member").await;
    let rooms = alice.expect(json!({"response": "rooms", "id": 8})).await;
    let den = rooms["rooms"].as_array().unwrap().iter().find(|room| room["room"] == "den").unwrap();
    assert_eq!((&den["head"], &den["joined"]), (&json!(2), &json!(false)));
}

#[tokio::test]
async fn a_login_is_a_barrier() {
    let server = server().with(|config| config.limits.max_frame_bytes_before_login = 300).await;
    let mut alice = server.connect("alice").await;
    let long = "x".repeat(1000);
    // Behind the login stands an object that is too large for who is not logged in, and one that is no JSON.
    let bytes = lines([
        json!({"request": "hello", "protocol": 1}),
        json!({"request": "register", "username": "alice", "password": PASSWORD, "id": 1}),
        json!({"request": "join", "room": "lobby", "id": 2}),
        message("lobby", &long),
    ]) + "nonsense\n"
        + &lines([message("lobby", "behind"), json!({"request": "logout", "id": 3}), message("lobby", "late")]);
    alice.send_raw(bytes).await;
    alice.expect(json!({"response": "hello"})).await;
    alice.expect(json!({"response": "register", "id": 1})).await;
    alice.expect(json!({"response": "join", "id": 2})).await;
    let mut answers = Vec::new();
    while answers.len() < 5 {
        let object = alice.next().await;
        if object.get("response").is_some() {
            answers.push(object);
        }
    }
    let short: Vec<_> = answers.iter().map(|answer| (&answer["response"], answer.get("code"))).collect();
    assert_eq!(
        short,
        [
            (&json!("message"), None),
            (&json!("error"), Some(&json!("bad_json"))),
            (&json!("message"), None),
            (&json!("logout"), None),
            (&json!("message"), Some(&json!("not_logged_in"))),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn posts_behind_a_login_are_the_logins() {
    let server = server().await;
    let mut watcher = server.native("watcher").await;
    watcher.join("lobby").await;
    let mut alice = server.connect("alice").await;
    let mut requests = vec![
        json!({"request": "hello", "protocol": 1}),
        json!({"request": "login", "username": "alice"}),
        json!({"request": "join", "room": "lobby"}),
    ];
    requests.extend((1..=100).map(|n| message("lobby", &n.to_string())));
    alice.send_raw(lines(requests)).await;
    for n in 1..=100 {
        watcher
            .expect(json!({"event": "message", "from": "alice", "seq": n, "text": n.to_string(), "guest": true}))
            .await;
    }
}

#[tokio::test]
async fn who_logged_out_hears_nothing_any_more() {
    let server = server().await;
    let (mut alice, mut bob) = (server.native("alice").await, server.native("bob").await);
    alice.join("lobby").await;
    bob.join("lobby").await;
    assert_eq!(alice.ask(json!({"request": "logout"})).await["username"], "alice");
    bob.say("lobby", "is she gone?").await;
    alice.expect_silence().await;
    alice.ask(json!({"request": "login", "username": "alice2"})).await;
    bob.say("lobby", "and now?").await;
    alice.expect_silence().await;
}

#[tokio::test]
async fn a_stop_is_told_and_the_line_arrives() {
    let mut daemon = crate::support::daemon().await;
    let mut alice = daemon.native("alice").await;
    alice.join("lobby").await;
    alice.say("lobby", "last words").await;
    alice.hear("lobby", "last words").await;
    daemon.sigterm();
    let told = json!({"event": "shutdown", "reason": "<string>", "retry_after_ms": "<int>"});
    alice.expect_exactly(&told, &mut Default::default()).await;
    alice.expect_close().await;
    assert_eq!(daemon.exited().await.code(), Some(0));
}

#[tokio::test]
async fn several_servers_live_in_one_process() {
    let (one, other) = (server().await, server().await);
    let (mut alice, mut also) = (one.native("alice").await, other.native("alice").await);
    alice.join("lobby").await;
    also.join("lobby").await;
    alice.say("lobby", "here").await;
    also.expect_silence().await;
}

#[tokio::test]
async fn a_logout_is_a_barrier_too() {
    let server = server().await;
    let logout = "{\"request\":\"logout\"}\n";
    let mut alice = server.native("alice").await;
    // Behind it the rules for who is not logged in hold again.
    alice.send_raw(format!("{logout}{}\n", json!({"request": "ping", "data": "x".repeat(10_000)}))).await;
    alice.expect(json!({"response": "logout"})).await;
    alice.expect_code("frame_too_large").await;
    alice.expect_close().await;
    let mut bob = server.native("bob").await;
    bob.send_raw(format!("{logout}nonsense\n{logout}")).await;
    bob.expect(json!({"response": "logout"})).await;
    bob.expect_code("bad_json").await;
    bob.expect_close().await;
}

#[tokio::test]
async fn a_socket_of_the_file_system_serves_as_well() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chat.sock");
    let server = server().listening(|section| section.address = format!("unix:{}", path.display())).await;
    let stream = crate::support::within("a connection", tokio::net::UnixStream::connect(&path)).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    writer.write_all(b"{\"request\":\"hello\",\"protocol\":1}").await.unwrap();
    let mut line = String::new();
    crate::support::within("an answer", BufReader::new(reader).read_line(&mut line)).await.unwrap();
    assert!(line.starts_with("{\"response\":\"hello\""), "{line}");
    drop(server.stop().await);
    assert!(!path.exists(), "the socket goes with the server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_answer_comes_before_the_posters_own_entry_in_many_rooms_at_once() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    let rooms = ["e", "a", "d", "b", "c"];
    for room in rooms {
        alice.ask(json!({"request": "create", "room": room})).await;
        alice.join(room).await;
    }
    for round in 0..10 {
        let posts = (0..300).map(|n| json!({"request": "message", "id": n, "room": rooms[n * 7 % 5], "text": "x"}));
        alice.send_raw(lines(posts)).await;
        let (mut answered, mut seen) = (std::collections::HashSet::new(), 0);
        let mut last = -1;
        while seen < 300 {
            let object = alice.next().await;
            let seq = object["seq"].as_u64().unwrap();
            let entry = (object["room"].as_str().unwrap().to_owned(), seq);
            if object.get("response").is_some() {
                last += 1;
                assert_eq!(object["id"], last, "{object}");
                answered.insert(entry);
            } else {
                seen += 1;
                assert!(answered.contains(&entry), "round {round}: {entry:?} came before its answer");
            }
        }
    }
}
