//! Rooms: making, joining, following, leaving and listing them, and where a stream starts.

use serde_json::{Value, json};

use crate::support::json::is_time;
use crate::support::server::PASSWORD;
use crate::support::wire::{lines, message, texts};
use crate::support::{TestServer, Wire, server};

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
    let last_seen = &names["names"][0]["last_seen"];
    assert!(is_time(last_seen.as_str().unwrap_or_default()), "{names}");
    let alice = json!({"name": "alice", "role": "owner", "online": false, "status": "offline", "guest": false,
        "last_seen": last_seen});
    assert_eq!(names["names"], json!([alice]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_join_in_the_middle_of_a_storm_has_no_gap_and_no_double() {
    const POSTS: u64 = 600;
    let server = server().await;
    let mut senders = Vec::new();
    for name in ["anna", "berit", "cora"] {
        let mut wire = server.native(name).await;
        wire.ask(json!({"request": "join", "room": "lobby"})).await;
        wire.ask(json!({"request": "unfollow", "room": "lobby"})).await;
        senders.push(wire);
    }
    let mut bob = server.native("bob").await;
    let storm = async {
        for n in 0..POSTS / 3 {
            for wire in &mut senders {
                wire.send(message("lobby", &n.to_string())).await;
            }
            tokio::task::yield_now().await;
        }
    };
    let joins = async {
        let mut last = 0_u64;
        for round in 0_u64.. {
            let request = match round % 4 {
                0 => json!({"request": "join", "room": "lobby", "since": last}),
                1 => json!({"request": "join", "room": "lobby", "backlog": 3}),
                2 => json!({"request": "resume", "rooms": {"lobby": last}}),
                _ => json!({"request": "join", "room": "lobby"}),
            };
            bob.send(request).await;
            // Up to the answer the old stream goes on.
            let asked = last;
            let answer = loop {
                let object = bob.next().await;
                if object.get("response").is_some() {
                    break object;
                }
                last += 1;
                assert_eq!(object["seq"], last);
            };
            let joined = answer["rooms"].get(0).unwrap_or(&answer);
            let head = joined["head"].as_u64().unwrap();
            last = match round % 4 {
                0 | 2 => asked,
                1 => head.saturating_sub(3),
                _ => last,
            };
            while last < head.min(POSTS) {
                let object = bob.next().await;
                last += 1;
                assert_eq!(object["seq"], last, "round {round}, head {head}");
            }
            if head == POSTS {
                return;
            }
        }
    };
    tokio::join!(storm, joins);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn behind_the_answer_to_unfollow_leave_or_logout_nothing_comes() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    for number in 0..60 {
        let mut bob = server.native(&format!("bob{number}")).await;
        bob.join("den").await;
        let storm: String = (0..40).map(|n| format!("{}\n", message("den", &n.to_string()))).collect();
        let request = match number % 3 {
            0 => json!({"request": "unfollow", "room": "den"}),
            1 => json!({"request": "leave", "room": "den"}),
            _ => json!({"request": "logout"}),
        };
        tokio::join!(alice.send_raw(storm), async {
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            bob.ask(request).await;
        });
        for _ in 0..40 {
            alice.expect(json!({"response": "message"})).await;
        }
        while bob.next_kept().is_some() {}
        bob.expect_silence().await;
    }
}

#[tokio::test]
async fn an_epoch_lasts_as_long_as_nothing_was_lost() {
    let daemon = crate::support::daemon().await;
    let epoch = daemon.native("alice").await.join("lobby").await["epoch"].clone();
    let mut daemon = daemon.restart().await;
    assert_eq!(daemon.native("alice").await.join("lobby").await["epoch"], epoch);
    daemon.kill9().await;
    let daemon = daemon.again().await;
    assert_eq!(daemon.native("alice").await.join("lobby").await["epoch"], epoch, "with durability = \"full\"");
    let other = crate::support::daemon().await;
    assert_ne!(other.native("alice").await.join("lobby").await["epoch"], epoch);
}

#[tokio::test]
async fn long_lists_come_in_parts() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    for chunk in (0..550).collect::<Vec<_>>().chunks(50) {
        let requests = chunk.iter().map(|n| json!({"request": "create", "room": format!("room{n:03}"), "id": n}));
        alice.send_raw(lines(requests)).await;
        for n in chunk {
            alice.expect(json!({"response": "create", "id": n})).await;
        }
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let mut request = json!({"request": "rooms"});
        if let Some(after) = after {
            request["after"] = after;
        }
        let page = alice.ask(request).await;
        let rooms = page["rooms"].as_array().unwrap();
        assert!(rooms.len() <= 500);
        seen.extend(rooms.iter().map(|room| room["room"].as_str().unwrap().to_owned()));
        after = rooms.last().map(|room| room["room"].clone());
        if page["more"] == json!(false) {
            break;
        }
    }
    let mut expected: Vec<String> = (0..550).map(|n| format!("room{n:03}")).collect();
    expected.insert(0, "lobby".to_owned());
    assert_eq!(seen, expected);
    alice.ask(json!({"request": "logout"})).await;
    let login = alice.ask(json!({"request": "login", "username": "alice", "password": PASSWORD})).await;
    assert_eq!((login["rooms"].as_array().unwrap().len(), &login["more"]), (500, &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_of_a_room_comes_before_the_answer_that_starts_it() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    let rooms: Vec<String> = (0..100).map(|n| format!("room{n}")).collect();
    alice.send_raw(lines(rooms.iter().map(|room| json!({"request": "create", "room": room})))).await;
    for room in &rooms {
        alice.expect(json!({"response": "create", "room": room})).await;
    }
    alice.send_raw(lines(rooms.iter().map(|room| message(room, "there before")))).await;
    for room in &rooms {
        alice.expect(json!({"response": "message", "room": room})).await;
    }
    let all: serde_json::Map<_, _> = rooms.iter().map(|room| (room.clone(), json!(0))).collect();
    for round in 0..40 {
        let mut bob = server.hello("bob").await;
        bob.ask(json!({"request": "login", "username": format!("bob{round}")})).await;
        let storm = lines((0..60).map(|n| message(&rooms[n % 3], "live")));
        let started = tokio::join!(alice.send_raw(storm), async {
            match round % 2 {
                0 => bob.send(json!({"request": "resume", "rooms": all})).await,
                _ => bob.send(json!({"request": "join", "room": "room0", "since": 0})).await,
            }
            bob.next().await
        });
        assert!(started.1.get("response").is_some(), "round {round}: {}", started.1);
        for _ in 0..60 {
            alice.expect(json!({"response": "message"})).await;
        }
    }
}
