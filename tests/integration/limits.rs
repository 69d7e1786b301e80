//! The limits: what is refused, what is told about it, and that nobody else suffers.

use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::support::server::{PASSWORD, guest, hello};
use crate::support::{PATIENCE, Wire, server, within};

fn post(text: &str) -> Value {
    json!({"request": "message", "room": "lobby", "text": text})
}

fn wait_told(answer: &Value) -> Duration {
    Duration::from_millis(answer["retry_after_ms"].as_u64().unwrap_or_else(|| panic!("no retry_after_ms in {answer}")))
}

/// Tries again until it works, for what the server learns a moment later.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    within(what, async {
        loop {
            if let Some(done) = attempt().await {
                return done;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn who_posts_too_fast_is_told_when_to_go_on() {
    let server = server()
        .with(|config| {
            config.limits.messages_per_second = 4;
            config.limits.message_burst = 3;
        })
        .await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    for n in 1..=3 {
        assert_eq!(alice.say("lobby", "quick").await, n);
    }
    let asked = Instant::now();
    let answer = alice.ask_in_vain(post("quicker"), "rate_limited").await;
    let wait = wait_told(&answer);
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(250), "{wait:?}");
    // True from both sides: not a moment is lost by who keeps to it.
    tokio::time::sleep_until((asked + wait).into()).await;
    assert_eq!(alice.say("lobby", "patient").await, 4);
    if asked.elapsed() < Duration::from_millis(450) {
        alice.ask_in_vain(post("quicker"), "rate_limited").await;
    }
}

#[tokio::test]
async fn flood_control_holds_for_a_user_with_all_sessions_and_for_nobody_else() {
    let server = server()
        .with(|config| {
            config.limits.messages_per_second = 1;
            config.limits.message_burst = 4;
        })
        .await;
    let (mut one, mut other) = (server.account("alice").await, server.account("alice").await);
    let mut bob = server.native("bob").await;
    one.join("lobby").await;
    bob.join("lobby").await;
    let start = Instant::now();
    let mut passed = 0;
    for _ in 0..5 {
        for wire in [&mut one, &mut other] {
            wire.send(post("x")).await;
            let answer = loop {
                let object = wire.next().await;
                if object["response"] == "message" {
                    break object;
                }
            };
            passed += u64::from(answer.get("error").is_none());
        }
    }
    let refilled = start.elapsed().as_secs() + 1;
    assert!((4..=4 + refilled).contains(&passed), "{passed} of 10");
    bob.say("lobby", "I may").await;
}

#[tokio::test]
async fn a_repeat_by_nonce_is_free() {
    let server = server()
        .with(|config| {
            config.limits.messages_per_second = 1;
            config.limits.message_burst = 1;
        })
        .await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let mut first = post("once");
    first["nonce"] = "n".into();
    let sent = alice.ask(first.clone()).await;
    let mut limited = 0;
    for _ in 0..20 {
        let again = alice.ask(first.clone()).await;
        assert_eq!((&again["seq"], &again["duplicate"]), (&sent["seq"], &json!(true)));
        let mut fresh = post("another");
        fresh["nonce"] = format!("n{limited}").into();
        fresh["request"] = "message".into();
        alice.send(fresh).await;
        let answer = loop {
            let object = alice.next().await;
            if object["response"] == "message" {
                break object;
            }
        };
        limited += u32::from(answer["code"] == "rate_limited");
    }
    assert!(limited >= 15, "{limited}");
}

#[tokio::test]
async fn everything_else_has_a_bucket_of_ten_times_the_size() {
    let server = server()
        .with(|config| {
            config.limits.messages_per_second = 1;
            config.limits.message_burst = 2;
        })
        .await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let start = Instant::now();
    alice.send_raw("{\"request\":\"ping\"}".repeat(60)).await;
    let mut passed = 0;
    for _ in 0..60 {
        let answer = alice.next().await;
        match answer["code"].as_str() {
            None => passed += 1,
            Some(code) => {
                assert_eq!(code, "rate_limited");
                assert!(wait_told(&answer) <= Duration::from_millis(100));
            }
        }
    }
    let refilled = usize::try_from(start.elapsed().as_millis() / 100).unwrap() + 1;
    assert!((15..=20 + refilled).contains(&passed), "{passed} of 60 in {:?}", start.elapsed());
    alice.say("lobby", "this costs something else").await;
}

#[tokio::test]
async fn there_are_only_so_many_connections_and_places_are_given_back() {
    let server = server().with(|config| config.limits.max_connections = 2).await;
    let (alice, _bob) = (server.native("alice").await, server.native("bob").await);
    let mut third = server.connect("third").await;
    third.expect(json!({"response": "error", "error": "<string>", "code": "too_many_connections"})).await;
    third.expect_close().await;
    drop(alice);
    eventually("a free place", || async {
        let mut wire = server.connect("fourth").await;
        wire.send(json!({"request": "hello", "protocol": 1})).await;
        (wire.next().await["response"] == "hello").then_some(())
    })
    .await;
}

#[tokio::test]
async fn there_are_only_so_many_connections_from_one_address() {
    let server = server().with(|config| config.limits.max_connections_per_ip = 2).await;
    let (_alice, _bob) = (server.native("alice").await, server.native("bob").await);
    let mut third = server.connect("third").await;
    third.expect_code("too_many_connections").await;
    third.expect_close().await;
    let elsewhere = Wire::connect_from("127.0.0.2", "carol", server.address()).await;
    guest(hello(elsewhere).await).await.join("lobby").await;
}

#[tokio::test]
async fn new_connections_from_one_address_may_come_only_so_fast() {
    let server = server().with(|config| config.limits.new_connections_per_minute_per_ip = 3).await;
    for _ in 0..3 {
        drop(server.hello("alice").await);
    }
    let mut fourth = server.connect("fourth").await;
    let answer = fourth.expect_code("too_many_connections").await;
    let wait = wait_told(&answer);
    assert!(wait > Duration::from_secs(10) && wait <= Duration::from_secs(20), "{wait:?}");
    hello(Wire::connect_from("127.0.0.2", "carol", server.address()).await).await;
}

#[tokio::test]
async fn strangers_who_say_nothing_make_room_and_those_who_speak_do_not() {
    let server = server().with(|config| config.limits.max_unauthenticated = 3).await;
    // Who is logged in does not count.
    let (mut alice, _bob) = (server.native("alice").await, server.native("bob").await);
    let mut speaking = server.hello("speaking").await;
    let mut silent = server.connect("silent").await;
    let mut course = server.connect("course").await;
    course.send_raw(r#"{"request":"help","content":null}"#).await;
    course.expect(json!({"response": "info"})).await;

    let mut newcomers = Vec::new();
    newcomers.push(server.hello("first newcomer").await);
    silent.expect_code("too_many_connections").await;
    silent.expect_close().await;
    newcomers.push(server.hello("second newcomer").await);
    course.expect(json!({"response": "error", "content": "<string>"})).await;
    course.expect_close().await;
    // Now all three are programs that have begun to speak.
    let mut turned_away = server.connect("turned away").await;
    turned_away.expect_code("too_many_connections").await;
    turned_away.expect_close().await;
    speaking.ask(json!({"request": "ping"})).await;
    // One of them logs in, so there is a place again.
    speaking.ask(json!({"request": "login", "username": "speaking"})).await;
    server.hello("third newcomer").await;
    alice.ask(json!({"request": "ping"})).await;
}

#[tokio::test]
async fn who_has_begun_has_to_log_in_and_who_is_silent_has_longer() {
    let server = server()
        .with(|config| {
            config.limits.login_timeout = Duration::from_millis(200);
            config.limits.silent_timeout = Duration::from_millis(900);
        })
        .await;
    let start = Instant::now();
    let mut alice = server.native("alice").await;
    let mut silent = server.connect("silent").await;
    let mut blank = server.connect("blank").await;
    blank.send_raw(" ").await;
    let mut half = server.connect("half").await;
    half.send_raw("{\"request\":").await;
    let mut speaking = server.hello("speaking").await;
    for wire in [&mut blank, &mut half, &mut speaking] {
        wire.expect(json!({"response": "error", "error": "<string>", "code": "login_timeout", "id": "<absent>"})).await;
        wire.expect_close().await;
        assert!(start.elapsed() >= Duration::from_millis(200));
    }
    silent.expect_code("login_timeout").await;
    silent.expect_close().await;
    assert!(start.elapsed() >= Duration::from_millis(900));
    alice.ask(json!({"request": "ping"})).await;
    // Who logged out is a stranger again.
    alice.ask(json!({"request": "logout"})).await;
    alice.expect_code("login_timeout").await;
    alice.expect_close().await;
}

#[tokio::test]
async fn who_reads_nothing_is_closed_and_loses_nothing() {
    const POSTS: u64 = 700;
    let server = server().with(|config| config.limits.stall_timeout = Duration::from_millis(500)).await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stalled = Wire::over("stalled", socket.connect(server.address()).await.unwrap()).unwrap();
    let mut stalled = hello(stalled).await;
    let token = stalled.ask(json!({"request": "login", "username": "stalled"})).await["token"].clone();
    stalled.join("lobby").await;
    alice.expect(json!({"event": "presence", "user": "stalled", "online": true})).await;
    let text = "x".repeat(16_000);
    for n in 1..=POSTS {
        assert_eq!(alice.say("lobby", &text).await, n);
    }
    alice.presence("stalled", false).await;
    let mut back = server.hello("back").await;
    back.ask(json!({"request": "login", "username": "stalled", "token": token})).await;
    back.ask(json!({"request": "resume", "rooms": {"lobby": 0}})).await;
    for n in 1..=POSTS {
        back.expect(json!({"event": "message", "seq": n})).await;
    }
    back.expect_silence().await;
}

#[tokio::test]
async fn an_account_has_only_so_many_sessions() {
    let server = server().with(|config| config.limits.max_sessions_per_user = 2).await;
    let (mut one, _other) = (server.account("alice").await, server.account("alice").await);
    let mut third = server.hello("third").await;
    let login = json!({"request": "login", "username": "alice", "password": PASSWORD});
    third.ask_in_vain(login.clone(), "too_many_sessions").await;
    one.ask(json!({"request": "logout"})).await;
    third.ask(login).await;
}

#[tokio::test]
async fn accounts_are_made_only_so_fast_from_one_address() {
    let server = server().with(|config| config.limits.registrations_per_hour = 2).await;
    let register = |name: &str| json!({"request": "register", "username": name, "password": PASSWORD});
    for name in ["anna", "berit"] {
        server.hello(name).await.ask(register(name)).await;
    }
    let mut third = server.hello("third").await;
    let wait = wait_told(&third.ask_in_vain(register("cora"), "rate_limited").await);
    assert!(wait > Duration::from_secs(1700) && wait <= Duration::from_secs(1800), "{wait:?}");
    // A name that is taken costs nothing, and is told first.
    third.ask_in_vain(register("anna"), "name_taken").await;
    let mut elsewhere = hello(Wire::connect_from("127.0.0.2", "elsewhere", server.address()).await).await;
    elsewhere.ask(register("cora")).await;
}

#[tokio::test]
async fn passwords_are_guessed_slowly_and_the_owner_comes_in_from_elsewhere() {
    let server = server().with(|config| config.limits.password_attempts = 3).await;
    for name in ["olaf", "kari"] {
        server.account(name).await.ask(json!({"request": "logout"})).await;
    }
    let login = |name: &str, password: &str| json!({"request": "login", "username": name, "password": password});
    let mut eve = server.hello("eve").await;
    // What succeeds does not count.
    for _ in 0..5 {
        eve.ask(login("kari", PASSWORD)).await;
        eve.ask(json!({"request": "logout"})).await;
    }
    for _ in 0..3 {
        eve.ask_in_vain(login("olaf", "battery staple"), "bad_credentials").await;
    }
    let mut more = server.hello("more").await;
    for wire in [&mut eve, &mut more] {
        // Even the right one, and for another account as well.
        for (name, password) in [("olaf", "battery staple"), ("olaf", PASSWORD), ("kari", "battery staple")] {
            let wait = wait_told(&wire.ask_in_vain(login(name, password), "rate_limited").await);
            assert!(wait > Duration::from_secs(5) && wait <= PATIENCE, "{wait:?}");
        }
    }
    let mut olaf = hello(Wire::connect_from("127.0.0.2", "olaf", server.address()).await).await;
    olaf.ask(login("olaf", PASSWORD)).await;
}

#[tokio::test]
async fn rooms_are_limited_for_each_user() {
    let server = server()
        .with(|config| {
            config.limits.rooms_per_user = 2;
            config.limits.room_creations_per_hour = 3;
        })
        .await;
    let create = |room: &str| json!({"request": "create", "room": room});
    let mut olaf = server.account("olaf").await;
    olaf.ask(create("one")).await;
    olaf.ask(create("two")).await;
    olaf.ask_in_vain(create("three"), "forbidden").await;
    let mut gina = server.native("gina").await;
    for room in ["a", "b", "c"] {
        gina.ask(create(room)).await;
    }
    wait_told(&gina.ask_in_vain(create("d"), "rate_limited").await);
}

#[tokio::test]
async fn guests_can_be_kept_out() {
    let server = server().with(|config| config.accounts.guests = false).await;
    let mut gina = server.hello("gina").await;
    gina.ask_in_vain(json!({"request": "login", "username": "gina"}), "forbidden").await;
    server.account("olaf").await.join("lobby").await;
    let mut old = server.connect("old").await;
    old.send_raw(r#"{"request":"login","username":"old"}"#).await;
    old.expect(json!({"response": "login", "username": "old", "error": "<string>"})).await;
    server.server.connect("house").await.expect("who lives here comes in");
}
