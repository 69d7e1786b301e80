//! Where one thing ends while another is under way: logins of the dead, a last word before the close, answers and entries
//! that meet, guests who come back while they go, ends of the busy; and what a refusal must not cost.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::daemon::FREE;
use crate::support::server::PASSWORD;
use crate::support::wire::{lines, message};
use crate::support::{Daemon, TestServer, Wire, daemon, server, within};

/// Somebody who talks in a room without a pause, until aborted.
async fn talker(server: &TestServer, room: &'static str) -> JoinHandle<()> {
    let mut talker = server.native("talker").await;
    talker.join(room).await;
    tokio::spawn(async move {
        loop {
            talker.say(room, "and another thing").await;
            talker.hear(room, "and another thing").await;
        }
    })
}

/// Writes a log of so many messages into the lobby.
async fn fill(alice: &mut Wire, count: usize, text: &str) {
    alice.join("lobby").await;
    alice.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    alice.send_raw(lines((0..count).map(|_| message("lobby", text)))).await;
    for _ in 0..count {
        alice.expect(json!({"response": "message", "seq": "<int>"})).await;
    }
}

/// How many requests out of so many succeed.
async fn passed(wire: &mut Wire, count: usize, request: Value) -> u64 {
    wire.send_raw(lines((0..count).map(|_| request.clone()))).await;
    let mut passed = 0;
    for _ in 0..count {
        let answer = loop {
            let object = wire.next().await;
            if object["response"] == request["request"] {
                break object;
            }
        };
        match answer.get("error") {
            None => passed += 1,
            Some(_) => assert_eq!(answer["code"], "rate_limited", "{answer}"),
        }
    }
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_connection_that_dies_while_it_logs_in_is_no_session() {
    let server = server().with(|config| config.course.pace = Duration::from_millis(5)).await;
    let mut ann = server.account("ann").await;
    for _ in 0..8 {
        // The answer to what stands before it says that the login is under way.
        let mut native = server.hello("native").await;
        let login = json!({"request": "login", "username": "ann", "password": PASSWORD});
        native.send_raw(lines([json!({"request": "ping"}), login])).await;
        native.expect(json!({"response": "ping"})).await;
        native.reset();
        // Here the further answers, which go out at the slow pace, find out that nobody is there any more.
        let mut course = server.connect("course").await;
        let help = json!({"request": "help", "content": null});
        let login = json!({"request": "login", "content": "ann", "password": PASSWORD});
        course.send_raw(lines([help.clone(), help.clone(), help, login])).await;
        course.expect(json!({"response": "info"})).await;
        course.reset();
    }
    // Passwords are looked at in turn: those before these have had theirs.
    for _ in 0..4 {
        server.account("ann").await.ask(json!({"request": "logout"})).await;
    }
    within("that only the living count", async {
        while ann.ask(json!({"request": "whoami"})).await["sessions"] != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_name_is_free_again_when_whoever_was_about_to_take_it_died() {
    let server = server().with(|config| config.course.pace = Duration::from_millis(1)).await;
    let mut next = server.hello("next").await;
    for number in 0..30 {
        let name = format!("gina{number}");
        let login = match number % 2 {
            0 => lines([
                json!({"request": "hello", "protocol": 1}),
                json!({"request": "login", "username": name}),
                json!({"request": "join", "room": "lobby"}),
            ]),
            _ => lines([json!({"request": "help", "content": null}), json!({"request": "login", "content": name})]),
        };
        let mut dying = server.connect("dying").await;
        dying.send_raw(login).await;
        if number % 3 == 0 {
            dying.next().await;
        }
        dying.reset();
        within("the return of a name", async {
            loop {
                next.send(json!({"request": "login", "username": name})).await;
                let answer = next.next().await;
                if answer.get("error").is_none() {
                    return;
                }
                assert_eq!(answer["code"], "name_taken", "{answer}");
            }
        })
        .await;
        next.ask(json!({"request": "logout"})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_died_while_registering_is_not_online() {
    let server = server().await;
    let mut next = server.hello("next").await;
    for number in 0..6 {
        let name = format!("olaf{number}");
        let register = json!({"request": "register", "username": name, "password": PASSWORD});
        let mut dying = server.hello("dying").await;
        dying.send_raw(lines([json!({"request": "ping"}), register.clone()])).await;
        dying.expect(json!({"response": "ping"})).await;
        dying.reset();
        // The account was made, or was not; whoever comes next is the only one in any case.
        within("a login after it", async {
            for request in
                [json!({"request": "login", "username": name, "password": PASSWORD}), register].iter().cycle()
            {
                next.send(request.clone()).await;
                if next.next().await.get("error").is_none() {
                    return;
                }
            }
        })
        .await;
        within("that only the living count", async {
            while next.ask(json!({"request": "whoami"})).await["sessions"] != 1 {}
        })
        .await;
        next.ask(json!({"request": "logout"})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_says_something_and_stops_sending_gets_the_answer_and_the_event_before_the_close() {
    let server = server()
        .with(|config| {
            config.course.pace = Duration::from_millis(1);
            config.course.backlog = 0;
        })
        .await;
    for number in 0..100 {
        let (name, text) = (format!("gina{number}"), format!("no. {number}"));
        let mut gina = server.connect(&name).await;
        let requests = [
            json!({"request": "hello", "protocol": 1}),
            json!({"request": "login", "username": name}),
            json!({"request": "join", "room": "lobby"}),
            message("lobby", &text),
        ];
        gina.send_raw(lines(requests)).await;
        gina.finish_sending().await;
        for word in ["hello", "login", "join", "message"] {
            gina.expect(json!({"response": word})).await;
        }
        gina.hear("lobby", &text).await;
        gina.expect_close().await;
    }
    // In one commit, the more of which there is to show, the longer it takes from the answer to the event.
    let mut crowd = Vec::new();
    for number in 0..8 {
        let mut gunda = server.native(&format!("gunda{number}")).await;
        gunda.join("lobby").await;
        crowd.push(gunda);
    }
    for _ in 0..10 {
        let mut gone = JoinSet::new();
        for (number, mut gunda) in crowd.drain(..).enumerate() {
            gone.spawn(async move {
                gunda.send_raw(lines((0..5).map(|_| message("lobby", &"x".repeat(2000))))).await;
                gunda.finish_sending().await;
                let said = gunda.rest().await;
                let answers = said.iter().filter(|object| object["response"] == "message").count();
                let own = |object: &&Value| object["event"] == "message" && object["from"] == gunda.name.as_str();
                assert_eq!((answers, said.iter().filter(own).count()), (5, 5), "{}", gunda.name);
                number
            });
        }
        for number in gone.join_all().await {
            let mut gunda = server.native(&format!("gunda{number}")).await;
            gunda.join("lobby").await;
            crowd.push(gunda);
        }
    }
    drop(crowd);
    for number in 0..100 {
        let (name, text) = (format!("greta{number}"), format!("nr. {number}"));
        let mut greta = server.connect(&name).await;
        let login = json!({"request": "login", "username": name});
        let say = json!({"request": "message", "message": text});
        greta.send_raw(format!("{login}{say}")).await;
        greta.finish_sending().await;
        greta.expect(json!({"response": "login", "username": name, "messages": "<any>"})).await;
        let said = greta.expect(json!({"response": "message", "message": "<string>"})).await;
        assert!(said["message"].as_str().is_some_and(|said| said.ends_with(&text)), "{said}");
        greta.expect_close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_account_that_joins_is_told_a_head_with_its_own_entry_which_is_nothing_new() {
    let server = server().await;
    let rooms: Vec<String> = (0..100).map(|number| format!("room{number}")).collect();
    let mut alice = server.native("alice").await;
    let create = |room: &String| json!({"request": "create", "room": room, "kind": "public"});
    alice.send_raw(lines(rooms.iter().map(create))).await;
    for _ in &rooms {
        alice.expect(json!({"response": "create"})).await;
    }
    let mut olaf = server.account("olaf").await;
    let join_and_speak = |room: &String| [json!({"request": "join", "room": room}), message(room, "here I am")];
    olaf.send_raw(lines(rooms.iter().flat_map(join_and_speak))).await;
    let (mut joined, mut told, mut heard) = (0, 0, 0);
    while heard < rooms.len() {
        let object = olaf.next().await;
        if object["response"] == "join" {
            assert_eq!((&object["room"], object.get("error")), (&json!(rooms[joined]), None), "{object}");
            assert!(object["head"].as_u64() >= object["read"].as_u64(), "{object}");
            assert_eq!(object["head"], 1, "the entry of its joining: {object}");
            joined += 1;
        } else if object["response"] == "message" {
            assert_eq!((&object["room"], &object["seq"]), (&json!(rooms[told]), &json!(2)), "{object}");
            told += 1;
        } else {
            assert_eq!((&object["event"], &object["seq"]), (&json!("message"), &json!(2)), "{object}");
            assert!(rooms[..told].iter().any(|room| object["room"] == room.as_str()), "before its answer: {object}");
            heard += 1;
        }
    }
    olaf.expect_silence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_leave_is_answered_before_its_event_which_is_the_last_of_the_room_and_holds_no_other_up() {
    const ROUNDS: usize = 40;
    const POSTS: usize = 10;
    let text = "psst ".repeat(400);
    let server = server().await;
    let mut bob = server.native("bob").await;
    for room in ["den", "side"] {
        bob.ask(json!({"request": "create", "room": room, "kind": "public"})).await;
    }
    let mut ann = server.account("ann").await;
    let mut side = ann.join("side").await["head"].as_u64().expect("a number");
    let all = side + (ROUNDS * POSTS) as u64;
    for _ in 0..ROUNDS {
        bob.send_raw(lines((0..POSTS).flat_map(|_| [message("den", &text), message("side", &text)]))).await;
        let go = |word: &str| json!({"request": word, "room": "den"});
        ann.send_raw(lines([go("join"), go("leave")])).await;
        // The last entry of the room that came, from the join on; and whether the leave was answered.
        let (mut den, mut answered) = (None, false);
        loop {
            let object = ann.next().await;
            assert_eq!(object.get("error"), None, "{object}");
            if object["response"] == "join" {
                den = object["head"].as_u64();
                assert!(den >= object["read"].as_u64(), "{object}");
            } else if object["response"] == "leave" {
                answered = true;
            } else if object["room"] == "side" {
                side += 1;
                assert_eq!(object["seq"], side, "{object}");
            } else {
                den = den.map(|den| den + 1);
                assert_eq!((&object["room"], object["seq"].as_u64()), (&json!("den"), den), "{object}");
                if object["event"] == "member" {
                    assert_eq!((&object["user"], &object["change"]), (&json!("ann"), &json!("leave")), "{object}");
                    assert!(answered, "before the answer: {object}");
                    break;
                }
            }
        }
        for _ in 0..2 * POSTS {
            bob.expect(json!({"response": "message", "seq": "<int>"})).await;
        }
    }
    while side < all {
        side += 1;
        ann.expect(json!({"event": "message", "room": "side", "seq": side})).await;
    }
    ann.expect_silence().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_who_come_and_go_at_once_get_each_answer_before_its_event() {
    let server = server().await;
    let mut crowd = JoinSet::new();
    for number in 0..8 {
        let mut ann = server.account(&format!("ann{number}")).await;
        crowd.spawn(async move {
            for _ in 0..30 {
                let joined = ann.join("lobby").await;
                while let Some(kept) = ann.next_kept() {
                    assert_eq!(kept["event"], "presence", "before the answer: {kept}");
                }
                assert!(joined["head"].as_u64() >= joined["read"].as_u64(), "{joined}");
                let mut seq = joined["head"].as_u64().expect("a number");
                ann.send(json!({"request": "leave", "room": "lobby"})).await;
                let mut answered = false;
                loop {
                    let object = ann.next().await;
                    if object["response"] == "leave" {
                        answered = true;
                        continue;
                    }
                    seq += 1;
                    assert_eq!((&object["event"], &object["seq"]), (&json!("member"), &json!(seq)), "{object}");
                    if object["user"] == ann.name.as_str() {
                        assert_eq!((&object["change"], answered), (&json!("leave"), true), "{object}");
                        break;
                    }
                }
            }
        });
    }
    crowd.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_guest_that_returns_while_its_old_connection_closes_is_a_member_wherever_it_was() {
    const ROOMS: usize = 60;
    let server = server().with(|config| config.rooms.default = Vec::new()).await;
    let mut old = server.hello("gina").await;
    let token = old.ask(json!({"request": "login", "username": "gina"})).await["token"].clone();
    let create = |number| json!({"request": "create", "room": format!("room{number}"), "kind": "public"});
    old.send_raw(lines((0..ROOMS).map(create))).await;
    for _ in 0..ROOMS {
        old.expect(json!({"response": "create"})).await;
    }
    for round in 0..100 {
        let mut new = server.hello("gina").await;
        let login = json!({"request": "login", "username": "gina", "token": token});
        if round % 2 == 0 {
            new.send(login.clone()).await;
        }
        match round / 2 % 4 {
            0 => old.reset(),
            1 => drop(old),
            2 => old.finish_sending().await,
            _ => old.send_what_goes(lines([json!({"request": "logout"})])).await,
        }
        if round % 2 != 0 {
            new.send(login).await;
        }
        let answer =
            new.expect(json!({"response": "login", "username": "gina", "guest": true, "rooms": "<any>"})).await;
        assert_eq!(answer["rooms"].as_array().map(Vec::len), Some(ROOMS), "round {round}");
        let rooms = new.ask(json!({"request": "rooms"})).await;
        let rooms = rooms["rooms"].as_array().expect("a list of rooms");
        let joined = rooms.iter().filter(|room| room["joined"] == true).count();
        assert_eq!(joined, ROOMS, "round {round}");
        old = new;
    }
}

#[tokio::test]
async fn the_login_of_a_guest_that_returns_lists_its_rooms() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = gina.ask(json!({"request": "login", "username": "gina"})).await["token"].clone();
    gina.join("lobby").await;
    gina.ask(json!({"request": "create", "room": "den", "kind": "public", "topic": "secrets"})).await;
    gina.say("den", "mine").await;
    gina.ask(json!({"request": "logout"})).await;
    let mut bob = server.native("bob").await;
    bob.join("den").await;
    bob.say("den", "are you there?").await;
    let answer = gina.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    let expected = json!([
        {"room": "den", "kind": "public", "topic": "secrets", "role": "member", "head": 2, "unread": 1},
        {"room": "lobby", "kind": "public", "topic": "", "role": "member", "head": 0, "unread": 0},
    ]);
    for (number, line) in expected.as_array().unwrap().iter().enumerate() {
        for (key, value) in line.as_object().unwrap() {
            assert_eq!(answer["rooms"][number][key], *value, "{key} in {answer}");
        }
    }
}

#[tokio::test]
async fn the_token_of_a_guest_that_is_gone_holds_when_somebody_fails_to_register_its_name() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = gina.ask(json!({"request": "login", "username": "gina"})).await["token"].clone();
    gina.join("lobby").await;
    gina.ask(json!({"request": "logout"})).await;
    let mut eve = server.hello("eve").await;
    for name in ["gina", "GINA", "g1na"] {
        eve.ask_in_vain(json!({"request": "register", "username": name, "password": "short"}), "weak_password").await;
    }
    gina.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    gina.say("lobby", "here again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_session_that_has_to_end_ends_however_busy_its_rooms_are() {
    let server = server()
        .with(|config| {
            config.course.pace = Duration::from_millis(1);
            config.limits.login_timeout = Duration::from_millis(200);
        })
        .await;
    let talking = talker(&server, "lobby").await;
    let huge = format!("{{\"request\":\"{}", "x".repeat(70_000));

    let mut native = server.native("native").await;
    native.join("lobby").await;
    native.hear("lobby", "and another thing").await;
    native.send_what_goes(&huge).await;
    let said = within("the end of a native session", native.rest()).await;
    assert_eq!(said.last().map(|last| &last["code"]), Some(&json!("frame_too_large")));

    let mut course = server.course2015("course").await;
    course.expect(json!({"response": "message", "sender": "talker"})).await;
    course.send_what_goes(&huge).await;
    let said = within("the end of a course session", course.rest()).await;
    assert_eq!(said.last().map(|last| &last["response"]), Some(&json!("error")), "{:?}", said.last());

    let mut left = server.native("left").await;
    left.join("lobby").await;
    left.hear("lobby", "and another thing").await;
    left.ask(json!({"request": "logout"})).await;
    while left.next_kept().is_some() {}
    left.expect_code("login_timeout").await;
    left.expect_close().await;

    assert!(!talking.is_finished());
    talking.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_session_that_has_to_end_does_not_get_the_rest_of_a_long_log_first() {
    const COUNT: usize = 400;
    let server = server().with(|config| config.limits.max_frame_bytes = 20_000).await;
    let mut alice = server.native("alice").await;
    fill(&mut alice, COUNT, &"x".repeat(16_000)).await;

    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a socket has this option");
    let stream = within("a connection", socket.connect(server.address())).await.expect("a connection");
    let mut narrow = Wire::over("narrow", stream).expect("a connection");
    let requests = [
        json!({"request": "hello", "protocol": 1}),
        json!({"request": "login", "username": "narrow"}),
        json!({"request": "join", "room": "lobby", "since": 0}),
        json!({"request": "create", "room": "mark", "kind": "public"}),
    ];
    narrow.send_raw(format!("{}{{\"request\":\"{}", lines(requests), "x".repeat(30_000))).await;
    within("the mark that the input was read", async {
        while !alice.ask(json!({"request": "rooms"})).await.to_string().contains("mark") {}
    })
    .await;
    let said = narrow.rest().await;
    assert_eq!(said.last().map(|last| &last["code"]), Some(&json!("frame_too_large")));
    let entries = said.iter().filter(|object| object["event"] == "message").count();
    assert!(entries < COUNT, "{entries}");

    // A course session is behind as long as its pace is slow.
    let slow = daemon().config(&format!("{}[course]\npace = \"300ms\"\n", FREE)).await;
    fill(&mut slow.native("alice").await, 50, "old").await;
    let mut course = slow.connect("course").await;
    course.send_raw(r#"{"request":"login","content":"course"}"#).await;
    course.expect(json!({"response": "info", "content": "Login successful"})).await;
    course.send_what_goes(format!("{{\"request\":\"{}", "x".repeat(70_000))).await;
    let said = within("the end of a course session", course.rest()).await;
    assert_eq!(said.last().map(|last| &last["response"]), Some(&json!("error")), "{said:?}");
    assert!(said.len() < 10, "{said:?}");
}

/// How long a daemon takes to stop while a course client, which said this, has just got its first old message.
async fn stop_amid(requests: &[Value]) -> Duration {
    let mut daemon: Daemon = daemon().config(&format!("{}[course]\npace = \"200ms\"\n", FREE)).await;
    let mut alice = daemon.native("alice").await;
    fill(&mut alice, 50, "old").await;
    let mut bob = daemon.connect("bob").await;
    bob.send_raw(lines(requests.iter().cloned())).await;
    bob.expect(json!({"response": "info", "content": "Login successful"})).await;
    bob.expect(json!({"content": "old"})).await;
    let start = Instant::now();
    daemon.sigterm();
    assert_eq!(daemon.exited().await.code(), Some(0));
    start.elapsed()
}

#[tokio::test]
async fn a_daemon_does_not_wait_for_what_course_clients_get_slowly() {
    let login = json!({"request": "login", "content": "bob"});
    let history = json!({"request": "history", "content": null});
    // What is asked for comes before what is due by itself.
    let took = [stop_amid(std::slice::from_ref(&login)).await, stop_amid(&[login, history]).await];
    assert!(took.iter().all(|took| *took < Duration::from_secs(2)), "{took:?}");
}

#[tokio::test]
async fn more_rooms_than_may_be_followed_cannot_be_resumed() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    let resume = |count: usize| {
        let rooms: serde_json::Map<String, Value> = (0..count).map(|n| (format!("room{n}"), json!(0))).collect();
        json!({"request": "resume", "rooms": rooms})
    };
    let answer = alice.ask_in_vain(resume(501), "bad_request").await;
    assert_eq!(answer["field"], "rooms");
    let answer = alice.ask(resume(500)).await;
    assert_eq!(answer["rooms"].as_array().map(Vec::len), Some(500));
}

#[tokio::test]
async fn a_page_of_texts_that_have_to_be_escaped_keeps_within_its_size() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    fill(&mut alice, 500, &"\n".repeat(1000)).await;
    let page = alice.ask(json!({"request": "history", "room": "lobby", "limit": 500})).await;
    let bytes = page.to_string().len();
    assert!(bytes < 270_000, "{bytes} bytes");
    assert_eq!((&page["more"], page["messages"].as_array().map(Vec::is_empty)), (&json!(true), Some(false)));
}

#[tokio::test]
async fn flood_control_is_not_filled_up_by_another_login() {
    const BURST: usize = 20;
    let server = server()
        .with(|config| {
            config.limits.messages_per_second = 1;
            config.limits.message_burst = 20;
        })
        .await;
    // A guest that comes in again under other names.
    let start = Instant::now();
    let mut gina = server.hello("gina").await;
    let mut all = 0;
    for name in ["gina", "greta", "gunda"] {
        gina.ask(json!({"request": "login", "username": name})).await;
        gina.join("lobby").await;
        all += passed(&mut gina, BURST, message("lobby", "x")).await;
        gina.ask(json!({"request": "logout"})).await;
        while gina.next_kept().is_some() {}
    }
    let most = BURST as u64 + start.elapsed().as_secs() + 1;
    assert!((BURST as u64..=most).contains(&all), "a guest: {all} instead of {most}");

    // An account that connects again: a new one, and one that was logged in to.
    for again in ["new", "old"] {
        let start = Instant::now();
        let mut all = 0;
        for _ in 0..3 {
            let mut olaf = server.account(&format!("olaf-{again}")).await;
            if again == "old" && all == 0 {
                olaf.ask(json!({"request": "logout"})).await;
                olaf = server.account("olaf-old").await;
            }
            olaf.join("lobby").await;
            all += passed(&mut olaf, BURST, message("lobby", "x")).await;
            olaf.ask(json!({"request": "logout"})).await;
        }
        let most = BURST as u64 + start.elapsed().as_secs() + 1;
        assert!((BURST as u64..=most).contains(&all), "an account, {again}: {all} instead of {most}");
    }
}

#[tokio::test]
async fn a_registration_that_is_refused_does_not_count() {
    let server = server().with(|config| config.limits.registrations_per_hour = 2).await;
    let register = |name: &str, password: &str| json!({"request": "register", "username": name, "password": password});
    let mut wire = server.hello("somebody").await;
    for _ in 0..5 {
        wire.ask_in_vain(register("anna", "short"), "weak_password").await;
    }
    for name in ["anna", "berit"] {
        wire.ask(register(name, PASSWORD)).await;
        wire.ask(json!({"request": "logout"})).await;
    }
    wire.ask_in_vain(register("anna", PASSWORD), "name_taken").await;
    wire.ask_in_vain(register("cora", PASSWORD), "rate_limited").await;
}

#[tokio::test]
async fn only_a_message_can_be_answered() {
    let server = server().await;
    let mut olaf = server.account("olaf").await;
    assert_eq!(olaf.join("lobby").await["head"], 1, "the entry of its joining");
    let mut reply = message("lobby", "welcome, me");
    for target in [0, 1, 2] {
        reply["reply_to"] = target.into();
        let answer = olaf.ask_in_vain(reply.clone(), "no_such_message").await;
        assert_eq!(answer["field"], "reply_to", "{answer}");
    }
    let seq = olaf.say("lobby", "hello").await;
    reply["reply_to"] = seq.into();
    olaf.ask(reply).await;
}
