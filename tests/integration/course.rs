//! The course dialects, as real course clients speak them: leniently read, and written one object at a time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use snakk::config::CourseHistory;

use crate::support::json::{is_local_time, read_strictly};
use crate::support::server::PASSWORD;
use crate::support::{TestServer, Wire, server};

/// A server that does not let course clients wait, for tests that are not about that.
async fn quick() -> TestServer {
    server().with(|config| config.course.pace = Duration::from_millis(1)).await
}

/// A server with a log of so many messages in the lobby, `no. 1` and on.
async fn with_log(count: usize, change: impl FnOnce(&mut snakk::Config)) -> TestServer {
    let server = server().with(change).await;
    let mut alice = server.native("alice").await;
    alice.ask(json!({"request": "join", "room": "lobby"})).await;
    alice.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    let post = |n| format!("{}\n", json!({"request": "message", "room": "lobby", "text": format!("no. {n}")}));
    alice.send_raw((1..=count).map(post).collect::<String>()).await;
    for _ in 0..count {
        alice.expect(json!({"response": "message", "seq": "<int>"})).await;
    }
    server
}

fn info(content: &str) -> Value {
    json!({"response": "info", "content": content})
}

fn error(content: &str) -> Value {
    json!({"response": "error", "content": content})
}

fn said(sender: &str, content: &str) -> Value {
    json!({"response": "message", "sender": sender, "content": content})
}

#[tokio::test]
async fn what_stands_in_content_where_none_is_needed_does_not_matter() {
    let server = quick().await;
    for (number, content) in ["null", "\"\"", "\"word\"", "[1]", ""].into_iter().enumerate() {
        let mut bob = server.course2015(&format!("bob{number}")).await;
        let request = |word: &str| match content {
            "" => format!("{{\"request\":\"{word}\"}}"),
            _ => format!("{{\"request\":\"{word}\",\"content\":{content}}}"),
        };
        bob.send_raw(request("names")).await;
        bob.expect(info(&format!("bob{number}"))).await;
        bob.send_raw(request("help")).await;
        bob.expect(json!({"response": "info", "content": "<string>"})).await;
        bob.send_raw(request("logout")).await;
        bob.expect(info("Logout successful")).await;
    }
}

#[tokio::test]
async fn nothing_to_say_is_an_error_and_no_broadcast() {
    let server = quick().await;
    let mut bob = server.course2015("bob").await;
    for content in [",\"content\":null", ",\"content\":\"\"", "", ",\"content\":5", ",\"content\":[\"a\"]"] {
        bob.send_raw(format!("{{\"request\":\"msg\"{content}}}")).await;
        bob.expect(json!({"response": "error", "content": "<string>"})).await;
    }
    bob.send_raw(r#"{"request":"names","content":null}"#).await;
    bob.expect(info("bob")).await;
}

#[tokio::test]
async fn words_and_keys_are_read_in_any_case_and_names_are_not_changed() {
    let server = quick().await;
    let mut bob = server.connect("bob").await;
    bob.send_raw(r#"{"Request":"LOGIN","Content":"BOB","timestamp":1}"#).await;
    bob.expect(info("Login successful")).await;
    bob.send_raw(r#"{"Content":"hei","Request":"Msg"}"#).await;
    bob.expect(said("BOB", "hei")).await;
    bob.send_raw(r#"{"request":"message","content":"by another word"}"#).await;
    bob.expect(said("BOB", "by another word")).await;
    let mut old = server.connect("old").await;
    old.send_raw(r#"{"Request":"Login","Username":"Old_1"}"#).await;
    old.expect(json!({"response": "login", "username": "Old_1"})).await;
}

#[tokio::test]
async fn objects_may_be_glued_or_cut_anywhere() {
    let server = quick().await;
    let stream = "{\"request\":\"login\",\"content\":\"NAME\"}{\"request\":\"msg\",\"content\":\"a \\ud83d\\ude00 b\"}\r\n  \
         {\n  \"request\": \"msg\",\n  \"content\": \"c 😀 \\u003c\"\n}null{\"request\":\"names\",\"content\":null}";
    for (number, longest) in [usize::MAX, 1, 2, 5].into_iter().enumerate() {
        let name = format!("bob{number}");
        let mut bob = server.connect(&name).await;
        for piece in stream.replace("NAME", &name).as_bytes().chunks(longest.min(1000)) {
            bob.send_raw(piece).await;
            tokio::task::yield_now().await;
        }
        bob.expect(info("Login successful")).await;
        // Messages are entries and keep their order, what the earlier ones said first; the names are an answer, and may
        // come in between.
        let mut contents = Vec::new();
        for _ in 0..2 * number + 3 {
            contents.push(bob.next().await["content"].as_str().unwrap().to_owned());
        }
        let position = contents.iter().position(|content| *content == name).expect("the names");
        contents.remove(position);
        assert_eq!(contents, ["a 😀 b", "c 😀 <"].repeat(number + 1));
        bob.send_raw("{\"request\":\"logout\"}").await;
        bob.expect(info("Logout successful")).await;
    }
}

#[tokio::test]
async fn a_taken_name_is_refused_and_a_free_one_welcome() {
    let server = quick().await;
    let _alice = server.native("alice").await;
    let mut olaf = server.account("olaf").await;
    olaf.ask(json!({"request": "logout"})).await;
    let mut bob = server.connect("bob").await;
    for (name, sentence) in [
        ("alice", "Username taken"),
        ("ALICE", "Username taken"),
        ("olaf", "Username taken"),
        ("a_b", "Invalid username"),
        (" bob", "Invalid username"),
        ("bob ", "Invalid username"),
        ("b\\u00f8b", "Invalid username"),
        ("server", "Invalid username"),
        ("", "Invalid username"),
    ] {
        bob.send_raw(format!("{{\"request\":\"login\",\"content\":\"{name}\"}}")).await;
        bob.expect(error(sentence)).await;
    }
    bob.send_raw(r#"{"request":"login","content":"bob"}"#).await;
    bob.expect(info("Login successful")).await;
    // An account's owner comes in with the password.
    let mut olaf = server.connect("olaf").await;
    olaf.send(json!({"request": "login", "content": "olaf", "password": "wrong horse"})).await;
    olaf.expect(json!({"response": "error", "content": "<string>"})).await;
    olaf.send(json!({"request": "login", "content": "olaf", "password": PASSWORD})).await;
    olaf.expect(info("Login successful")).await;
}

#[tokio::test]
async fn before_login_there_is_help_and_nothing_else() {
    let server = quick().await;
    for first in ["help", "msg", "names", "history", "logout"] {
        let mut bob = server.connect("bob").await;
        bob.send_raw(format!("{{\"request\":\"{first}\",\"content\":null}}")).await;
        let answer = bob.next().await;
        let (response, content) = (answer["response"].as_str().unwrap(), answer["content"].as_str().unwrap());
        if first == "help" {
            assert_eq!(response, "info");
        } else {
            assert_eq!((response, content), ("error", "Not logged in"), "{first}");
        }
    }
    let mut bob = server.connect("bob").await;
    bob.send_raw(r#"{"request":"hello","content":"x"}"#).await;
    bob.expect(json!({"response": "error", "sender": "Server", "timestamp": "<local time>", "content": "<string>"}))
        .await;
    bob.send_raw(r#"{"request":"login","content":"bob"}"#).await;
    bob.expect(info("Login successful")).await;
}

#[tokio::test]
async fn each_object_to_a_client_of_2015_has_four_keys_and_all_are_strings() {
    let server = with_log(3, |config| config.course.pace = Duration::from_millis(1)).await;
    let mut bob = server.connect("bob").await;
    let requests = ["fly", "help", "login", "names", "history", "msg", "help", "login", "fly", "logout", "logout"];
    let text: String = requests.iter().map(|word| format!("{{\"request\":\"{word}\",\"content\":\"bob\"}}")).collect();
    bob.send_raw(text).await;
    bob.finish_sending().await;
    let objects = bob.rest().await;
    assert!(objects.len() > requests.len(), "{objects:?}");
    for object in objects {
        let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["content", "response", "sender", "timestamp"]);
        assert!(object.as_object().unwrap().values().all(Value::is_string), "{object}");
        assert!(is_local_time(object["timestamp"].as_str().unwrap()), "{object}");
        let word = object["response"].as_str().unwrap();
        assert!(["info", "error", "message", "history"].contains(&word), "{object}");
    }
}

/// What each read gives, which has to be one whole object, until there were so many.
async fn paced(wire: &mut Wire, count: usize) -> Vec<(Instant, Value)> {
    let mut reads = Vec::new();
    while reads.len() < count {
        let (at, bytes) = wire.read_once().await;
        let line =
            bytes.strip_suffix(b"\n").unwrap_or_else(|| panic!("half an object: {}", String::from_utf8_lossy(&bytes)));
        let object = read_strictly(line).unwrap_or_else(|what| panic!("{what}: {}", String::from_utf8_lossy(line)));
        reads.push((at, object));
    }
    reads
}

#[tokio::test]
async fn two_objects_never_come_at_once_while_a_native_session_gets_both() {
    let pace = Duration::from_millis(150);
    let server = server().with(|config| config.course.pace = pace).await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let (mut new, mut old) = (server.course2015("new").await, server.course2014("old").await);
    let post = |text: &str| format!("{}\n", json!({"request": "message", "room": "lobby", "text": text}));
    let start = Instant::now();
    alice.send_raw(["one", "two", "three"].map(post).concat()).await;
    let native = async {
        for text in ["one", "two", "three"] {
            while alice.next().await["text"] != text {}
        }
        start.elapsed()
    };
    let (native, new, old) = tokio::join!(native, paced(&mut new, 3), paced(&mut old, 3));
    for (reads, key) in [(new, "content"), (old, "message")] {
        for (number, (at, object)) in reads.iter().enumerate() {
            // Measured from before the first was sent: then a slow machine makes it longer, never shorter.
            assert!(*at - start >= pace * u32::try_from(number).unwrap(), "{number}: {:?}", *at - start);
            assert!(object[key].as_str().unwrap().ends_with(["one", "two", "three"][number]), "{object}");
        }
        assert!(reads[2].0 - start > native, "a native session does not wait");
    }
}

#[tokio::test]
async fn the_first_object_after_a_quiet_time_does_not_wait() {
    let pace = Duration::from_secs(5);
    let server = server().with(|config| config.course.pace = pace).await;
    let start = Instant::now();
    let mut bob = server.course2015("bob").await;
    assert!(start.elapsed() < pace);
    // A pause delays nobody else, and no logout of a client that does not wait for its answer.
    bob.send_raw(r#"{"request":"logout","content":null}"#).await;
    drop(bob);
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    alice.say("lobby", "hello").await;
    alice.hear("lobby", "hello").await;
    assert!(start.elapsed() < pace);
}

#[tokio::test]
async fn a_long_backlog_is_replayed_one_object_a_write_and_live_messages_wait_behind_it() {
    let server = with_log(500, |config| {
        config.course.pace = Duration::from_millis(100);
        config.course.backlog = 12;
    })
    .await;
    let mut bob = server.connect("bob").await;
    bob.send_raw(r#"{"request":"login","content":"bob"}"#).await;
    let mut reads = paced(&mut bob, 4).await;
    let mut eve = server.native("eve").await;
    eve.join("lobby").await;
    eve.say("lobby", "live").await;
    reads.extend(paced(&mut bob, 10).await);
    let contents: Vec<&str> = reads.iter().map(|(_, object)| object["content"].as_str().unwrap()).collect();
    let mut expected = vec!["Login successful".to_owned()];
    expected.extend((489..=500).map(|n| format!("no. {n}")));
    expected.push("live".to_owned());
    assert_eq!(contents, expected);
    assert!(reads[13].0 - reads[4].0 >= Duration::from_millis(700), "{:?}", reads[13].0 - reads[4].0);
}

#[tokio::test]
async fn a_listed_backlog_keeps_within_its_size_and_has_the_newest() {
    for form in [CourseHistory::Strings, CourseHistory::Objects, CourseHistory::Text] {
        let server = with_log(500, |config| {
            config.course.pace = Duration::from_millis(1);
            config.course.backlog = 500;
            config.course.history = form;
        })
        .await;
        let mut new = server.course2015("new").await;
        let history = new.expect(json!({"response": "history", "sender": "Server", "content": "<any>"})).await;
        assert!(history.to_string().len() < 1000, "{form:?}: {}", history.to_string().len());
        let shown = history["content"].to_string();
        assert!(shown.contains("no. 500") && !shown.contains("no. 400"), "{form:?}: {shown}");
        if form == CourseHistory::Strings {
            let newest = history["content"].as_array().unwrap().last().unwrap().as_str().unwrap();
            let newest: Value = serde_json::from_str(newest).unwrap();
            assert_eq!((&newest["sender"], &newest["content"]), (&json!("alice"), &json!("no. 500")));
        }
        new.send_raw(r#"{"request":"msg","content":"live"}"#).await;
        new.expect(said("new", "live")).await;

        let mut old = server.connect("old").await;
        old.send_raw(r#"{"request":"login","username":"old_1"}"#).await;
        let login = old.expect(json!({"response": "login", "messages": "<any>"})).await;
        assert!(login.to_string().len() < 1000, "{form:?}");
        assert!(login["messages"].to_string().contains("live"), "{form:?}: {login}");
    }
}

#[tokio::test]
async fn an_empty_log_has_no_history_object() {
    for form in [CourseHistory::Strings, CourseHistory::Objects, CourseHistory::Text, CourseHistory::Each] {
        let server = server()
            .with(|config| {
                config.course.history = form;
                config.course.pace = Duration::from_millis(1);
            })
            .await;
        let mut bob = server.course2015("bob").await;
        bob.send_raw(r#"{"request":"names","content":null}"#).await;
        bob.expect(info("bob")).await;
        let mut old = server.connect("old").await;
        old.send_raw(r#"{"request":"login","username":"old"}"#).await;
        old.expect(json!({"response": "login", "messages": []})).await;
    }
}

#[tokio::test]
async fn a_listener_has_a_dialect_and_knobs_of_its_own() {
    let server = with_log(2, |config| {
        config.course.pace = Duration::from_millis(1);
        let mut section = snakk::config::ListenerSection::new("127.0.0.1:0");
        section.dialect = snakk::config::ListenerDialect::Course2015;
        section.course.history = Some(CourseHistory::Strings);
        section.course.server_name = Some("Tjener".to_owned());
        config.listeners.push(section);
    })
    .await;
    let mut bob = Wire::connect("bob", server.address_of(1)).await;
    // Elsewhere this first object would choose another dialect.
    bob.send_raw(r#"{"request":"login","username":"bob","protocol":1}"#).await;
    bob.expect(json!({"response": "error", "sender": "Tjener", "content": "Invalid username"})).await;
    bob.send_raw(r#"{"request":"login","content":"bob"}"#).await;
    bob.expect(json!({"response": "info", "sender": "Tjener", "content": "Login successful"})).await;
    assert_eq!(bob.expect(json!({"response": "history"})).await["content"].as_array().unwrap().len(), 2);
    let mut eve = server.course2015("eve").await;
    eve.expect(said("alice", "no. 1")).await;
}

#[tokio::test]
async fn the_error_key_is_there_only_where_something_failed() {
    let server = quick().await;
    let mut old = server.course2014("old_1").await;
    for (request, answer) in [
        (r#"{"request":"message","message":"hei","username":"somebody"}"#, "message"),
        (r#"{"request":"logout","username":"old_1"}"#, "logout"),
    ] {
        old.send_raw(request).await;
        let object = old.next().await;
        assert_eq!((&object["response"], object.get("error")), (&json!(answer), None), "{object}");
    }
}

#[tokio::test]
async fn who_logged_out_may_log_in_again_under_another_name() {
    let server = quick().await;
    let mut bob = server.course2015("bob").await;
    for name in ["bert", "bjorn"] {
        bob.send_raw(r#"{"request":"logout","content":null}"#).await;
        bob.expect(info("Logout successful")).await;
        bob.send_raw(format!("{{\"request\":\"login\",\"content\":\"{name}\"}}")).await;
        bob.expect(info("Login successful")).await;
    }
    bob.send_raw(r#"{"request":"names","content":null}"#).await;
    bob.expect(info("bjorn")).await;
}

#[tokio::test]
async fn a_logout_can_close_where_that_is_wanted() {
    let server = server().with(|config| config.course.close_after_logout = true).await;
    let mut new = server.course2015("new").await;
    new.send_raw(r#"{"request":"logout","content":null}"#).await;
    new.expect(info("Logout successful")).await;
    new.expect_close().await;
    let mut old = server.course2014("old").await;
    old.send_raw(r#"{"request":"logout"}"#).await;
    old.expect(json!({"response": "logout", "username": "old"})).await;
    old.expect_close().await;
}

#[tokio::test]
async fn a_client_that_closes_right_behind_its_logout_is_gone_and_does_no_harm() {
    let server = quick().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    for number in 0..50 {
        let name = format!("bob{number}");
        let mut bob = server.course2015(&name).await;
        alice.presence(&name, true).await;
        bob.send_raw(r#"{"request":"msg","content":"bye"}{"request":"logout","content":null}"#).await;
        if number % 2 == 0 {
            drop(bob);
        } else {
            bob.finish_sending().await;
            // The last word of the one before may come behind the hint that it went.
            while alice.expect(json!({"event": "message", "text": "bye"})).await["from"] != name.as_str() {}
        }
        alice.presence(&name, false).await;
    }
    alice.ask(json!({"request": "ping"})).await;
}

#[tokio::test]
async fn a_client_that_stops_sending_still_gets_what_is_due() {
    let server = with_log(5, |config| config.course.pace = Duration::from_millis(20)).await;
    let mut bob = server.connect("bob").await;
    bob.send_raw(r#"{"request":"login","content":"bob"}{"request":"msg","content":"mine"}"#).await;
    bob.finish_sending().await;
    let objects = bob.rest().await;
    let contents: Vec<&str> = objects.iter().map(|object| object["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["Login successful", "no. 1", "no. 2", "no. 3", "no. 4", "no. 5", "mine"]);
}

#[tokio::test]
async fn who_waits_for_a_person_is_not_timed_out_like_a_program() {
    let server = server()
        .with(|config| {
            config.limits.login_timeout = Duration::from_millis(300);
            config.limits.silent_timeout = Duration::from_secs(600);
        })
        .await;
    let mut silent = server.connect("silent").await;
    let mut asked = server.connect("asked").await;
    asked.send_raw(r#"{"request":"help","content":null}"#).await;
    asked.expect(json!({"response": "info"})).await;
    let mut native = server.hello("native").await;
    // The native one is the clock.
    native.expect(json!({"response": "error", "error": "<string>", "code": "login_timeout"})).await;
    native.expect_close().await;
    for (wire, name) in [(&mut silent, "silent"), (&mut asked, "asked")] {
        wire.send_raw(format!("{{\"request\":\"login\",\"content\":\"{name}\"}}")).await;
        wire.expect(info("Login successful")).await;
    }
}

#[tokio::test]
async fn echo_and_notices_can_be_chosen() {
    let server = server()
        .with(|config| {
            config.course.pace = Duration::from_millis(1);
            config.course.echo = false;
            config.course.notices = true;
        })
        .await;
    let mut bob = server.course2015("bob").await;
    let mut eve = server.course2015("eve").await;
    bob.expect(json!({"response": "info", "sender": "Server", "content": "eve is here."})).await;
    bob.send_raw(r#"{"request":"msg","content":"hei"}"#).await;
    eve.expect(said("bob", "hei")).await;
    eve.send_raw(r#"{"request":"msg","content":"hei, bob"}"#).await;
    bob.expect(said("eve", "hei, bob")).await;
    eve.send_raw(r#"{"request":"logout"}"#).await;
    eve.expect(info("Logout successful")).await;
    bob.expect(info("eve has gone.")).await;
}

#[tokio::test]
async fn a_flood_is_told_in_a_sentence() {
    let server = server()
        .with(|config| {
            config.course.pace = Duration::from_millis(1);
            config.limits.messages_per_second = 1;
            config.limits.message_burst = 1;
        })
        .await;
    let mut new = server.course2015("new").await;
    new.send_raw(r#"{"request":"msg","content":"1"}{"request":"msg","content":"2"}"#).await;
    let (one, other) = (new.next().await, new.next().await);
    let mut words = [one, other].map(|object| object["response"].as_str().unwrap().to_owned());
    words.sort();
    assert_eq!(words, ["error", "message"]);
    let mut old = server.course2014("old").await;
    old.expect(json!({"response": "message", "username": "new"})).await;
    old.send_raw(r#"{"request":"message","message":"1"}{"request":"message","message":"2"}"#).await;
    let (one, other) = (old.next().await, old.next().await);
    assert!([one, other].iter().any(|object| object["response"] == "message" && object["error"].is_string()));
}

#[tokio::test]
async fn a_stop_closes_and_does_not_wait_for_a_paced_backlog() {
    let server = with_log(50, |config| config.course.pace = Duration::from_secs(1)).await;
    let mut bob = server.course2015("bob").await;
    let start = Instant::now();
    let _data = server.stop().await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(bob.rest().await.len() < 10);
}
