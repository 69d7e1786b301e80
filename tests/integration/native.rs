//! The native dialect, request by request: what is answered, in which order, and what reaches whom.

use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::{TestServer, Wire, server};

fn message(room: &str, text: &str) -> Value {
    json!({"request": "message", "room": room, "text": text})
}

/// Lines, each with its newline, to be sent in one go.
fn lines(requests: impl IntoIterator<Item = Value>) -> String {
    requests.into_iter().map(|request| format!("{request}\n")).collect()
}

fn texts(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().expect("a list of messages");
    messages.iter().map(|message| message["text"].as_str().expect("a text")).collect()
}

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
async fn whoami_counts_sessions() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    let mut again = server.account("alice").await;
    let expected = json!({"response": "whoami", "username": "alice", "guest": false, "role": "user", "sessions": 2});
    alice.send(json!({"request": "whoami"})).await;
    alice.expect_exactly(&expected, &mut Default::default()).await;
    again.ask(json!({"request": "logout"})).await;
    let mut bob = server.native("bob").await;
    let bob = bob.ask(json!({"request": "whoami"})).await;
    assert_eq!((&bob["guest"], &bob["sessions"]), (&json!(true), &json!(1)));
    assert_eq!(alice.ask(json!({"request": "whoami"})).await["sessions"], 1);
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

#[tokio::test]
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

#[tokio::test]
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
async fn everybody_sees_the_same_entries_in_the_same_order() {
    let server = server().await;
    let (mut alice, mut bob) = (server.native("alice").await, server.account("bob").await);
    let mut carol = server.native("carol").await;
    for wire in [&mut alice, &mut bob, &mut carol] {
        wire.join("lobby").await;
    }
    // Bob is an account, so his coming is the first entry.
    for n in 0..100 {
        alice.send(message("lobby", &format!("a{n}"))).await;
        bob.send(message("lobby", &format!("b{n}"))).await;
    }
    let mut views = Vec::new();
    for wire in [&mut alice, &mut bob, &mut carol] {
        let mut view: Vec<(u64, Value, Value)> = Vec::new();
        while view.last().is_none_or(|(seq, ..)| *seq < 201) {
            let object = wire.next().await;
            if object.get("event").is_some() {
                view.push((object["seq"].as_u64().unwrap(), object["from"].clone(), object["text"].clone()));
            }
        }
        views.push(view);
    }
    // Whoever followed before bob came has seen that as well.
    let behind = |view: &[(u64, Value, Value)]| view.iter().filter(|(seq, ..)| *seq > 1).cloned().collect::<Vec<_>>();
    assert_eq!(behind(&views[0]), behind(&views[1]));
    assert_eq!(behind(&views[0]), behind(&views[2]));
    assert_eq!(behind(&views[0]).iter().map(|(seq, ..)| *seq).collect::<Vec<_>>(), (2..=201).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_logout_frees_the_name_before_it_is_answered() {
    let server = server().await;
    let (mut alice, mut other) = (server.native("alice").await, server.hello("other").await);
    for _ in 0..50 {
        other.ask_in_vain(json!({"request": "login", "username": "alice"}), "name_taken").await;
        alice.ask(json!({"request": "logout"})).await;
        alice.ask_in_vain(json!({"request": "whoami"}), "not_logged_in").await;
        other.ask(json!({"request": "login", "username": "alice"})).await;
        std::mem::swap(&mut alice, &mut other);
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
async fn a_name_is_taken_in_any_case_by_look_alikes_and_by_accounts() {
    let server = server().await;
    let _alice = server.native("alice").await;
    let mut owner = server.account("Olaf").await;
    owner.ask(json!({"request": "logout"})).await;
    let mut bob = server.hello("bob").await;
    for name in ["alice", "ALICE", "Alice", "olaf", "OLAF", "O1af", "0laf", "a1ice"] {
        bob.ask_in_vain(json!({"request": "login", "username": name}), "name_taken").await;
        bob.ask_in_vain(json!({"request": "register", "username": name, "password": PASSWORD}), "name_taken").await;
    }
    for name in ["", "a b", "-a", "_a", "å", "a.b", "@a", "server", "Admin", "snakkd", "everyone", &"x".repeat(33)] {
        let answer = bob.ask_in_vain(json!({"request": "login", "username": name}), "bad_name").await;
        assert_eq!(answer["field"], "username");
    }
    bob.ask(json!({"request": "login", "username": "x".repeat(32)})).await;
}

#[tokio::test]
async fn an_account_logs_in_with_its_password_in_any_case_of_its_name() {
    let server = server().await;
    let mut olaf = server.hello("olaf").await;
    let answer = olaf.ask(json!({"request": "register", "username": "Olaf", "password": PASSWORD})).await;
    assert_eq!((&answer["username"], &answer["guest"], answer.get("token")), (&json!("Olaf"), &json!(false), None));
    olaf.ask(json!({"request": "join", "room": "lobby"})).await;
    let server = server.restart().await;
    let mut olaf = server.hello("olaf").await;
    let unknown =
        olaf.ask_in_vain(json!({"request": "login", "username": "nobody", "password": PASSWORD}), "bad_credentials");
    let unknown = unknown.await;
    let wrong =
        olaf.ask_in_vain(json!({"request": "login", "username": "olaf", "password": "wrong horse"}), "bad_credentials");
    assert_eq!(wrong.await["error"], unknown["error"]);
    let answer = olaf.ask(json!({"request": "login", "username": "OLAF", "password": PASSWORD})).await;
    assert_eq!(answer["username"], "Olaf");
    let rooms = answer["rooms"].as_array().unwrap();
    assert_eq!(rooms.len(), 1);
    assert_eq!(
        (&rooms[0]["room"], &rooms[0]["head"], &rooms[0]["role"]),
        (&json!("lobby"), &json!(1), &json!("member"))
    );
}

#[tokio::test]
async fn weak_passwords_are_refused_and_registration_can_be_closed() {
    let server = server().await;
    let mut olaf = server.hello("olaf").await;
    for password in ["", "short", "1234567", "olafolaf"] {
        let name = if password == "olafolaf" { "olafolaf" } else { "olaf" };
        olaf.ask_in_vain(json!({"request": "register", "username": name, "password": password}), "weak_password").await;
    }
    let closed = crate::support::server()
        .with(|config| config.accounts.registration = snakk::config::Registration::Closed)
        .await;
    let mut olaf = closed.hello("olaf").await;
    let request = json!({"request": "register", "username": "olaf", "password": PASSWORD});
    olaf.ask_in_vain(request, "registration_closed").await;
}

/// The token of a new guest of that name.
async fn token(wire: &mut Wire) -> String {
    let answer = wire.ask(json!({"request": "login", "username": wire.name})).await;
    assert_eq!(answer["guest"], true);
    answer["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_guest_returns_with_its_token_as_the_same_guest() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = token(&mut gina).await;
    gina.join("lobby").await;
    gina.ask(json!({"request": "create", "room": "den"})).await;
    let post = json!({"request": "message", "room": "lobby", "text": "mine", "nonce": "n1"});
    let first = gina.ask(post.clone()).await;
    gina.reset();

    let mut again = server.hello("gina").await;
    let answer = again.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    assert_eq!((&answer["username"], &answer["guest"]), (&json!("gina"), &json!(true)));
    // A member still, without a new join.
    let repeated = again.ask(post).await;
    assert_eq!(
        (&repeated["seq"], &repeated["time"], &repeated["duplicate"]),
        (&first["seq"], &first["time"], &json!(true))
    );
    again.say("den", "still here").await;
}

#[tokio::test]
async fn a_guest_returns_even_while_its_old_connection_hangs() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = token(&mut gina).await;
    gina.join("lobby").await;
    let mut again = server.hello("gina again").await;
    again.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    again.say("lobby", "it is me").await;
    gina.expect_close().await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_for_another_name_or_when_the_name_is_anothers() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = token(&mut gina).await;
    let mut eve = server.hello("eve").await;
    eve.ask_in_vain(json!({"request": "login", "username": "eve", "token": token}), "bad_credentials").await;
    eve.ask_in_vain(json!({"request": "login", "username": "gina", "token": "x"}), "bad_credentials").await;
    gina.join("lobby").await;
    let post = json!({"request": "message", "room": "lobby", "text": "mine", "nonce": "n1"});
    gina.ask(post.clone()).await;
    gina.ask(json!({"request": "logout"})).await;
    eve.ask(json!({"request": "login", "username": "gina"})).await;
    gina.ask_in_vain(json!({"request": "login", "username": "gina", "token": token}), "bad_credentials").await;
    // Who takes the name inherits nothing.
    eve.ask_in_vain(post.clone(), "not_a_member").await;
    eve.join("lobby").await;
    let answer = eve.ask(post).await;
    assert_eq!((&answer["seq"], answer.get("duplicate")), (&json!(2), None));
}

#[tokio::test]
async fn a_guest_returns_across_a_restart_of_the_daemon() {
    let daemon = crate::support::daemon().await;
    let mut gina = daemon.hello("gina").await;
    let token = token(&mut gina).await;
    gina.join("lobby").await;
    let post = json!({"request": "message", "room": "lobby", "text": "mine", "nonce": "n1"});
    let first = gina.ask(post.clone()).await;
    gina.hear("lobby", "mine").await;
    let daemon = daemon.restart().await;
    gina.expect(json!({"event": "shutdown", "reason": "<string>", "retry_after_ms": "<int>"})).await;
    let mut gina = daemon.hello("gina").await;
    gina.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    let resumed = gina.ask(json!({"request": "resume", "rooms": {"lobby": first["seq"]}})).await;
    assert_eq!((&resumed["rooms"][0]["head"], &resumed["rooms"][0]["reset"]), (&json!(1), &json!(false)));
    let repeated = gina.ask(post).await;
    assert_eq!((&repeated["seq"], &repeated["duplicate"]), (&first["seq"], &json!(true)));
    gina.expect_silence().await;
}

#[tokio::test]
async fn a_nonce_makes_posting_safe_to_repeat() {
    let server = server().await;
    let (mut alice, mut also) = (server.account("alice").await, server.account("alice").await);
    let mut bob = server.native("bob").await;
    for room in ["one", "two"] {
        alice.ask(json!({"request": "create", "room": room})).await;
    }
    bob.join("one").await;
    let post = |room: &str, text: &str| json!({"request": "message", "room": room, "text": text, "nonce": "n"});
    let first = alice.ask(post("one", "first")).await;
    for (wire, text) in [(&mut alice, "first"), (&mut also, "another text")] {
        let again = wire.ask(post("one", text)).await;
        assert_eq!((&again["seq"], &again["time"], &again["duplicate"]), (&first["seq"], &first["time"], &json!(true)));
    }
    assert_eq!(first.get("duplicate"), None);
    let elsewhere = alice.ask(post("two", "first")).await;
    assert_eq!((&elsewhere["seq"], elsewhere.get("duplicate")), (&json!(1), None));
    let anothers = bob.ask(post("one", "bob's")).await;
    assert_eq!(anothers.get("duplicate"), None);
    let page = bob.ask(json!({"request": "history", "room": "one"})).await;
    assert_eq!(texts(&page), ["first", "bob's"]);
}

#[tokio::test]
async fn the_same_nonce_on_two_connections_at_once_is_one_entry() {
    let server = server().await;
    let (mut one, mut other) = (server.account("alice").await, server.account("alice").await);
    one.ask(json!({"request": "create", "room": "den"})).await;
    let posts = lines((0..200).map(
        |n| json!({"request": "message", "room": "den", "text": format!("no. {n}"), "nonce": n.to_string(), "id": n}),
    ));
    tokio::join!(one.send_raw(&posts), other.send_raw(&posts));
    let mut fresh = 0;
    for n in 0..200 {
        let mut seqs = Vec::new();
        for wire in [&mut one, &mut other] {
            let answer = wire.expect(json!({"response": "message", "id": n, "seq": "<int>"})).await;
            fresh += u32::from(answer.get("duplicate").is_none());
            seqs.push(answer["seq"].clone());
        }
        assert_eq!(seqs[0], seqs[1]);
    }
    assert_eq!(fresh, 200);
    assert_eq!(one.ask(json!({"request": "history", "room": "den"})).await["head"], 200);
}

/// A room with ten messages in it, `1` to `10`, whose maker is a guest and does not follow it.
async fn ten(server: &TestServer, room: &str) -> Wire {
    let mut alice = server.native(&format!("alice-{room}")).await;
    alice.ask(json!({"request": "create", "room": room})).await;
    for n in 1..=10 {
        alice.say(room, &n.to_string()).await;
    }
    alice
}

#[tokio::test]
async fn a_join_starts_where_it_is_told() {
    let server = server().await;
    let starts = [
        ("since", 0, 1),
        ("since", 7, 8),
        ("since", 10, 11),
        ("backlog", 0, 11),
        ("backlog", 3, 8),
        ("backlog", 99, 1),
    ];
    for (number, (key, value, first)) in starts.into_iter().enumerate() {
        let room = format!("room{number}");
        let mut alice = ten(&server, &room).await;
        let mut bob = server.native(&format!("bob{number}")).await;
        bob.send(json!({"request": "join", "room": room, key: value})).await;
        bob.expect(json!({"response": "join", "room": room, "reset": false, "first": 1, "head": 10})).await;
        for seq in first..=10 {
            bob.expect(json!({"event": "message", "room": room, "seq": seq, "text": seq.to_string()})).await;
        }
        bob.expect_silence().await;
        alice.say(&room, "live").await;
        bob.expect(json!({"event": "message", "seq": 11, "text": "live"})).await;
    }
    let mut alice = ten(&server, "quiet").await;
    let mut bob = server.native("bob").await;
    bob.join("quiet").await;
    bob.expect_silence().await;
    alice.say("quiet", "live").await;
    bob.expect(json!({"event": "message", "seq": 11, "text": "live"})).await;
}

#[tokio::test]
async fn a_stream_that_starts_elsewhere_or_beyond_the_head_is_void() {
    let server = server().await;
    let mut alice = ten(&server, "den").await;
    let mut bob = server.native("bob").await;
    let epoch = bob.join("den").await["epoch"].clone();
    for (request, reset) in [
        (json!({"request": "join", "room": "den", "since": 11}), true),
        (json!({"request": "join", "room": "den", "since": 3, "epoch": "another"}), true),
        (json!({"request": "join", "room": "den", "since": 10, "epoch": epoch}), false),
        (json!({"request": "resume", "rooms": {"den": {"since": 99, "epoch": epoch}}}), true),
        (json!({"request": "resume", "rooms": {"den": {"since": 4, "epoch": "another"}}}), true),
        (json!({"request": "resume", "rooms": {"den": 10}}), false),
    ] {
        let answer = bob.ask(request.clone()).await;
        let joined = answer["rooms"].get(0).unwrap_or(&answer);
        assert_eq!((&joined["reset"], &joined["epoch"]), (&json!(reset), &epoch), "{request}");
        bob.expect_silence().await;
    }
    alice.say("den", "live").await;
    bob.expect(json!({"event": "message", "seq": 11})).await;
}

#[tokio::test]
async fn resume_gives_what_was_missed_in_each_room() {
    let server = server().await;
    let (_alice, _also) = (ten(&server, "one").await, ten(&server, "two").await);
    let mut bob = server.native("bob").await;
    let request = json!({"request": "resume", "rooms": {"one": 8, "two": {"since": 9}, "nowhere": 1}});
    let answer = bob.ask(request).await;
    let rooms = answer["rooms"].as_array().unwrap();
    assert_eq!(rooms.len(), 3);
    for joined in rooms {
        if joined["room"] == "nowhere" {
            assert_eq!(joined["code"], "no_such_room");
            assert!(joined["error"].is_string());
        } else {
            assert_eq!((&joined["head"], &joined["first"], &joined["kind"]), (&json!(10), &json!(1), &json!("public")));
        }
    }
    let mut missed = Vec::new();
    for _ in 0..3 {
        let event = bob.expect(json!({"event": "message"})).await;
        missed.push(format!("{} {}", event["room"].as_str().unwrap(), event["seq"]));
    }
    missed.sort();
    assert_eq!(missed, ["one 10", "one 9", "two 10"]);
    bob.say("one", "a guest that resumes is a member again").await;
    let mut carol = server.account("carol").await;
    let answer = carol.ask(json!({"request": "resume", "rooms": {"one": 8}})).await;
    assert_eq!(answer["rooms"][0]["code"], "not_a_member", "an account is one only by join");
}

#[tokio::test]
async fn another_join_moves_the_cursor_and_one_without_a_start_does_not() {
    let server = server().await;
    let mut alice = ten(&server, "den").await;
    let mut bob = server.native("bob").await;
    bob.join("den").await;
    bob.ask(json!({"request": "join", "room": "den", "since": 8})).await;
    bob.expect(json!({"event": "message", "seq": 9})).await;
    bob.expect(json!({"event": "message", "seq": 10})).await;
    bob.ask(json!({"request": "join", "room": "den", "backlog": 1})).await;
    bob.expect(json!({"event": "message", "seq": 10})).await;
    bob.join("den").await;
    bob.expect_silence().await;
    alice.say("den", "live").await;
    bob.expect(json!({"event": "message", "seq": 11})).await;
    bob.expect_silence().await;
}

#[tokio::test]
async fn who_does_not_follow_a_room_is_still_a_member_and_who_left_is_not() {
    let server = server().await;
    let mut alice = ten(&server, "den").await;
    let mut bob = server.native("bob").await;
    bob.join("den").await;
    bob.ask(json!({"request": "unfollow", "room": "den"})).await;
    alice.say("den", "unheard").await;
    bob.expect_silence().await;
    assert_eq!(bob.say("den", "said").await, 12);
    bob.expect_silence().await;
    let names = bob.ask(json!({"request": "names", "room": "den"})).await;
    assert!(names["names"].as_array().unwrap().iter().any(|name| name["name"] == "bob"), "{names}");
    bob.join("den").await;
    bob.ask(json!({"request": "leave", "room": "den"})).await;
    bob.ask_in_vain(message("den", "not any more"), "not_a_member").await;
    bob.ask_in_vain(json!({"request": "leave", "room": "den"}), "not_a_member").await;
    alice.say("den", "unheard").await;
    bob.expect_silence().await;
    let page = bob.ask(json!({"request": "history", "room": "den", "after": 11})).await;
    assert_eq!(texts(&page), ["said", "unheard"], "history of a public room needs no membership");
}

#[tokio::test]
async fn an_accounts_coming_and_going_is_in_the_log_and_a_guests_is_a_hint() {
    let server = server().await;
    let (mut alice, mut bob, mut olaf) =
        (server.native("alice").await, server.native("bob").await, server.account("olaf").await);
    alice.join("lobby").await;
    bob.join("lobby").await;
    alice.expect(json!({"event": "presence", "user": "bob", "online": true})).await;
    bob.ask(json!({"request": "leave", "room": "lobby"})).await;
    alice.expect(json!({"event": "presence", "user": "bob", "online": false})).await;
    olaf.join("lobby").await;
    let member = |seq: u64, change: &str| json!({"event": "member", "room": "lobby", "seq": seq, "user": "olaf", "from": "olaf", "change": change, "time": "<time>"});
    alice.expect(member(1, "join")).await;
    olaf.ask(json!({"request": "leave", "room": "lobby"})).await;
    alice.expect(member(2, "leave")).await;
    let page = alice.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!((texts(&page).len(), &page["head"]), (0, &json!(2)), "a page has messages only");
}

#[tokio::test]
async fn an_account_stays_a_member_while_it_is_away() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let mut olaf = server.account("olaf").await;
    olaf.join("lobby").await;
    olaf.ask(json!({"request": "logout"})).await;
    alice.expect(json!({"event": "member", "user": "olaf"})).await;
    alice.say("lobby", "for later").await;
    olaf.send(json!({"request": "login", "username": "olaf", "password": PASSWORD})).await;
    let room = json!({"room": "lobby", "head": 2, "unread": 1, "role": "member"});
    let login = olaf.expect(json!({"response": "login", "rooms": "<any>"})).await;
    for key in ["room", "head", "role", "unread"] {
        assert_eq!(login["rooms"][0][key], room[key], "{key} in {login}");
    }
    olaf.expect_silence().await;
    olaf.ask(json!({"request": "resume", "rooms": {"lobby": 1}})).await;
    olaf.expect(json!({"event": "message", "seq": 2, "text": "for later"})).await;
    let names = olaf.ask(json!({"request": "names", "room": "lobby"})).await;
    assert_eq!(
        names["names"],
        json!([
            {"name": "alice", "role": "member", "online": true, "status": "online", "guest": true},
            {"name": "olaf", "role": "member", "online": true, "status": "online", "guest": false},
        ])
    );
}

#[tokio::test]
async fn pages_of_history_fit_together() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    alice.send_raw(lines((1..=120).map(|n| message("lobby", &n.to_string())))).await;
    let numbers = |page: &Value| {
        page["messages"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let ask = |extra: Value| {
        let mut request = json!({"request": "history", "room": "lobby"});
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        request
    };
    alice.send(ask(json!({}))).await;
    let page = loop {
        let object = alice.next().await;
        if object["response"] == "history" {
            break object;
        }
    };
    assert_eq!((numbers(&page), &page["more"], &page["head"]), ((71..=120).collect(), &json!(true), &json!(120)));
    for (request, expected, more) in [
        (json!({"limit": 3}), 118..=120, true),
        (json!({"before": 71}), 21..=70, true),
        (json!({"before": 21}), 1..=20, false),
        (json!({"after": 0, "limit": 5}), 1..=5, true),
        (json!({"after": 115, "limit": 5}), 116..=120, false),
        (json!({"after": 118}), 119..=120, false),
        (json!({"limit": 500}), 1..=120, false),
        (json!({"limit": 100_000}), 1..=120, false),
    ] {
        let page = alice.ask(ask(request.clone())).await;
        assert_eq!((numbers(&page), &page["more"]), (expected.collect(), &json!(more)), "{request}");
    }
    let page = alice.ask(ask(json!({"around": 60, "limit": 5}))).await;
    let numbers = numbers(&page);
    assert!(numbers.contains(&60) && numbers.len() <= 6 && numbers.iter().all(|seq| (57..=63).contains(seq)), "{page}");
    for (request, field) in [
        (json!({"before": 1, "after": 1}), "after"),
        (json!({"before": -1}), "before"),
        (json!({"limit": 0}), "limit"),
        (json!({"after": "1"}), "after"),
    ] {
        assert_eq!(alice.ask_in_vain(ask(request), "bad_request").await["field"], field);
    }
}

#[tokio::test]
async fn one_answer_is_bounded_and_says_that_there_is_more() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    for n in 0..40 {
        alice.say("den", &format!("{n} {}", "x".repeat(16_000))).await;
    }
    let (mut before, mut seen) = (41, Vec::new());
    loop {
        let page = alice.ask(json!({"request": "history", "room": "den", "before": before, "limit": 500})).await;
        assert!(page.to_string().len() <= 280 * 1024);
        let seqs: Vec<u64> =
            page["messages"].as_array().unwrap().iter().map(|one| one["seq"].as_u64().unwrap()).collect();
        before = *seqs.first().expect("a page that says more has some");
        seen.splice(0..0, seqs);
        if page["more"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn rooms_are_listed_made_and_kept() {
    let server = server().await;
    let (mut alice, mut bob) = (server.account("alice").await, server.native("bob").await);
    assert_eq!(alice.ask(json!({"request": "create", "room": "Den", "topic": "things"})).await["room"], "den");
    alice.ask_in_vain(json!({"request": "create", "room": "den"}), "room_exists").await;
    bob.ask_in_vain(json!({"request": "create", "room": "Den"}), "room_exists").await;
    bob.ask(json!({"request": "create", "room": "shed"})).await;
    let answer = bob.ask_in_vain(json!({"request": "create", "room": "x", "topic": "a\nb"}), "bad_text").await;
    assert_eq!(answer["field"], "topic");
    let listed = |rooms: &Value| {
        let rooms = rooms["rooms"].as_array().unwrap().iter();
        rooms.map(|room| room["room"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let rooms = alice.ask(json!({"request": "rooms"})).await;
    assert_eq!(listed(&rooms), ["den", "lobby", "shed"]);
    let den = json!({"room": "den", "kind": "public", "topic": "things", "members": 1, "online": 1, "head": 0, "joined": true});
    assert_eq!(rooms["rooms"][0], den);
    assert_eq!(listed(&alice.ask(json!({"request": "rooms", "after": "den"})).await), ["lobby", "shed"]);
    let server = server.restart().await;
    let mut carol = server.native("carol").await;
    assert_eq!(listed(&carol.ask(json!({"request": "rooms"})).await), ["den", "lobby", "shed"]);
    let names = carol.ask(json!({"request": "names", "room": "den"})).await;
    let alice = json!({"name": "alice", "role": "owner", "online": false, "status": "offline", "guest": false});
    assert_eq!(names["names"], json!([alice]));
}

#[tokio::test]
async fn a_reply_and_an_action_say_so() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    alice.say("lobby", "tea?").await;
    alice.hear("lobby", "tea?").await;
    alice.ask(json!({"request": "message", "room": "lobby", "text": "waves", "reply_to": 1, "action": true})).await;
    let entry = json!({"event": "message", "room": "lobby", "seq": 2, "from": "alice", "time": "<time>", "text": "waves",
        "reply_to": 1, "action": true, "guest": true});
    alice.expect_exactly(&entry, &mut Default::default()).await;
    let page = alice.ask(json!({"request": "history", "room": "lobby", "after": 1})).await;
    let mut entry = page["messages"][0].clone();
    entry["time"] = "t".into();
    let expected =
        json!({"seq": 2, "from": "alice", "time": "t", "text": "waves", "reply_to": 1, "action": true, "guest": true});
    assert_eq!(entry, expected);
}

#[tokio::test]
async fn who_only_stops_sending_still_gets_what_is_due() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let posts = (1..=300).map(|n| json!({"request": "message", "id": n, "room": "lobby", "text": n.to_string()}));
    alice.send_raw(lines(posts)).await;
    alice.finish_sending().await;
    let objects = alice.rest().await;
    let seqs = |key: &str| -> Vec<u64> {
        objects.iter().filter(|object| object.get(key).is_some()).filter_map(|object| object["seq"].as_u64()).collect()
    };
    assert_eq!(seqs("response"), (1..=300).collect::<Vec<_>>());
    assert_eq!(seqs("event"), (1..=300).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_said_survives_a_kill() {
    let mut daemon = crate::support::daemon().await;
    let mut alice = daemon.native("alice").await;
    alice.join("lobby").await;
    for n in 1..=20 {
        alice.say("lobby", &n.to_string()).await;
    }
    daemon.kill9().await;
    let daemon = daemon.again().await;
    let mut bob = daemon.native("bob").await;
    let page = bob.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(texts(&page), (1..=20).map(|n| n.to_string()).collect::<Vec<_>>());
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
