//! Saying something, and finding it again: order, nonces, pages of history.

use serde_json::{Value, json};

use crate::support::server;
use crate::support::wire::{lines, message, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
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
        (json!({"around": 60, "limit": 4}), 59..=62, true),
        (json!({"around": 120, "limit": 4}), 117..=120, true),
        (json!({"around": 1, "limit": 4}), 1..=4, true),
        (json!({"around": 100, "limit": 500}), 1..=120, false),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
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
async fn texts_of_all_kinds_arrive_as_they_were_sent() {
    let server = server().with(|config| config.course.pace = std::time::Duration::from_millis(1)).await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let (mut new, mut old) = (server.course2015("new").await, server.course2014("old").await);
    let long = "\u{1f44b}".repeat(4096);
    for text in [
        "\"quotes\" and \\ and \\u0041 and / and \\n",
        "'; DROP TABLE entries; -- %s {} %_*",
        "\u{2028}\u{2029}\u{202e}\u{200b}\u{feff}\u{fffd}\u{10ffff}\u{ad}",
        "smørbrød \u{6f22}\u{5b57} a\u{301} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        " leading and trailing ",
        "\n\n\ttabs and lines\n",
        "null",
        &long,
    ] {
        alice.say("lobby", text).await;
        assert_eq!(alice.expect(json!({"event": "message"})).await["text"], text);
        assert_eq!(new.expect(json!({"response": "message"})).await["content"], text);
        assert!(old.expect(json!({"response": "message"})).await["message"].as_str().unwrap().ends_with(text));
    }
    let page = alice.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(texts(&page).last(), Some(&&*long));
}

#[tokio::test]
async fn numbers_at_the_edges_are_numbers() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    for text in ["one", "two", "three"] {
        alice.say("den", text).await;
    }
    const MOST: i64 = i64::MAX;
    let (all, none): (&[&str], &[&str]) = (&["one", "two", "three"], &[]);
    for (key, seq, expected) in [
        ("before", 0, none),
        ("before", 1, none),
        ("before", MOST, all),
        ("after", 0, all),
        ("after", 3, none),
        ("after", MOST, none),
        ("after", MOST - 1, none),
    ] {
        let page = alice.ask(json!({"request": "history", "room": "den", key: seq, "limit": u32::MAX})).await;
        assert_eq!((texts(&page).as_slice(), &page["more"]), (expected, &json!(false)), "{key} {seq}");
    }
    for seq in [0, 1, 4, MOST] {
        alice.ask(json!({"request": "history", "room": "den", "around": seq, "limit": 500})).await;
        alice.ask(json!({"request": "history", "room": "den", "around": seq, "limit": 1})).await;
    }
    for seq in [4, MOST] {
        for request in [
            json!({"request": "join", "room": "den", "since": seq}),
            json!({"request": "resume", "rooms": {"den": seq}}),
        ] {
            let answer = alice.ask(request).await;
            assert_eq!(answer["rooms"].get(0).unwrap_or(&answer)["reset"], true);
        }
        alice
            .ask_in_vain(json!({"request": "message", "room": "den", "text": "x", "reply_to": seq}), "no_such_message")
            .await;
    }
    alice
        .ask_in_vain(json!({"request": "message", "room": "den", "text": "x", "reply_to": 0}), "no_such_message")
        .await;
    alice.ask(json!({"request": "join", "room": "den", "backlog": MOST})).await;
    for seq in 1..=3 {
        alice.expect(json!({"event": "message", "seq": seq})).await;
    }
    assert_eq!(alice.say("DEN", "four").await, 4);
}

#[tokio::test]
async fn who_asks_much_and_reads_late_gets_every_answer_in_order() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    const PINGS: usize = 100_000;
    let server = server().await;
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut requests = String::from("{\"request\":\"hello\",\"protocol\":1}");
    for id in 1..=PINGS {
        requests.push_str(&format!("{{\"request\":\"ping\",\"id\":{id}}}"));
    }
    let write = tokio::spawn(async move {
        writer.write_all(requests.as_bytes()).await.unwrap();
        writer
    });
    // Another one is served meanwhile.
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    alice.say("lobby", "not held up").await;
    let mut lines = BufReader::new(reader).lines();
    crate::support::within("the answer to hello", lines.next_line()).await.unwrap().unwrap();
    for id in 1..=PINGS {
        let line = crate::support::within("an answer", lines.next_line()).await.unwrap().unwrap();
        assert!(line.starts_with(&format!("{{\"response\":\"ping\",\"id\":{id},")), "{id}: {line}");
    }
    write.await.unwrap();
}
