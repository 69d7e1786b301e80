//! Searching: what is found, by whom, and how it is shown.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::wire::{lines, message};
use crate::support::{Dice, TestServer, Wire, server};

fn search(query: &str) -> Value {
    json!({"request": "search", "query": query})
}

/// The texts that are found, newest first.
async fn found(who: &mut Wire, query: &str) -> Vec<String> {
    let answer = who.ask(search(query)).await;
    let messages = answer["messages"].as_array().unwrap_or_else(|| panic!("a list in {answer}"));
    messages.iter().map(|message| message["text"].as_str().expect("a text").to_owned()).collect()
}

/// Somebody in the lobby.
async fn talker(server: &TestServer, name: &str) -> Wire {
    let mut wire = server.account(name).await;
    wire.ask(json!({"request": "join", "room": "lobby"})).await;
    wire.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    wire
}

#[tokio::test]
async fn words_phrases_prefixes_and_what_must_not_be_there() {
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    let said = [
        "There is cake in the kitchen.",
        "The recipe of the cake, with nuts",
        "cake recipe: eggs",
        "Crème brûlée, ÆRLIG talt; Straße",
        "東京タワーへ行きたい",
        "I don't know",
        "see https://example.com/cakes now",
        "half a\nmessage",
    ];
    for text in said {
        alice.say("lobby", text).await;
    }
    let expected: &[(&str, &[usize])] = &[
        ("cake", &[2, 1, 0]),
        ("CAKE", &[2, 1, 0]),
        ("cake recipe", &[2, 1]),
        ("recipe cake", &[2, 1]),
        ("\"cake recipe\"", &[2]),
        ("\"cake recipe", &[2]),
        ("cake -nuts", &[2, 0]),
        ("cake -\"cake recipe\"", &[1, 0]),
        ("cak*", &[6, 2, 1, 0]),
        ("cakes", &[6]),
        ("creme brulee", &[3]),
        ("CRÈME", &[3]),
        ("cre\u{301}me", &[]),
        ("æRLig", &[3]),
        ("strasse", &[3]),
        ("東京", &[4]),
        ("京タ", &[4]),
        ("東タ", &[]),
        ("行きたい", &[4]),
        ("don't", &[5]),
        ("has:link", &[6]),
        ("has:link cakes", &[6]),
        ("has:link kitchen", &[]),
        ("a message", &[7]),
        ("\"a message\"", &[7]),
        ("AND", &[]),
        ("from:alice eggs", &[2]),
        ("from:@ALICE eggs", &[2]),
        ("from:bob eggs", &[]),
        ("in:lobby eggs", &[2]),
        ("in:LOBBY eggs", &[2]),
        ("after:2020-01-01 eggs", &[2]),
        ("after:2099-01-01 eggs", &[]),
        ("before:2020-01-01 eggs", &[]),
        ("before:2099-01-01T12:00:00Z eggs", &[2]),
        ("in:lobby", &[7, 6, 5, 4, 3, 2, 1, 0]),
    ];
    for (query, texts) in expected {
        let texts: Vec<&str> = texts.iter().map(|at| said[*at]).collect();
        // An accent that stands apart is the same accent.
        if *query == "cre\u{301}me" {
            assert_eq!(found(&mut alice, query).await, [said[3]]);
            continue;
        }
        assert_eq!(found(&mut alice, query).await, texts, "{query}");
    }
}

#[tokio::test]
async fn a_search_without_a_limit_of_time_finds_what_is_there() {
    let server = server().with(|config| config.limits.search_timeout = Duration::ZERO).await;
    let mut alice = talker(&server, "alice").await;
    for n in 0..100 {
        alice.say("lobby", &format!("cake {n}")).await;
    }
    assert_eq!(found(&mut alice, "cake 7").await, ["cake 7"]);
    assert_eq!(found(&mut alice, "from:alice").await.len(), 50);
}

#[tokio::test]
async fn a_hit_is_shown_with_its_place() {
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    let long = format!("{} the Crème is here {}", "word ".repeat(200), "word ".repeat(200));
    let texts = ["There is cake in the kitchen.", "ключ 👍 東京 cake", &long, "two\nlines of\tcake"];
    for text in texts {
        alice.say("lobby", text).await;
    }
    for (query, hit) in [("cake", "cake"), ("creme", "Crème"), ("東京", "東京"), ("\"is cake\"", "is cake")] {
        for message in alice.ask(search(query)).await["messages"].as_array().expect("a list") {
            let snippet = message["snippet"].as_str().unwrap_or_else(|| panic!("a snippet in {message}"));
            let place = |at: usize| usize::try_from(message["hit"][at].as_u64().unwrap()).unwrap();
            let shown: String = snippet.chars().skip(place(0)).take(place(1)).collect();
            assert_eq!(shown, hit, "{message}");
            assert!(!snippet.contains(['\n', '\t']) && snippet.chars().count() < 500, "{snippet:?}");
            assert_eq!(message["room"], "lobby");
        }
    }
    let bare = &alice.ask(search("from:alice")).await["messages"][0];
    assert_eq!(bare["hit"][1], 0, "there is nothing to show: {bare}");
}

#[tokio::test]
async fn what_was_said_since_is_what_is_found_and_at_once() {
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    let first = alice.say("lobby", "a xylophone").await;
    let second = alice.say("lobby", "another xylophone").await;
    alice.ask(json!({"request": "edit", "room": "lobby", "target": first, "text": "a violin"})).await;
    assert_eq!(found(&mut alice, "xylophone").await, ["another xylophone"]);
    assert_eq!(found(&mut alice, "violin").await, ["a violin"]);
    let hit = alice.ask(search("violin")).await["messages"][0].clone();
    assert!(hit["edited"].is_string(), "{hit}");
    assert_eq!(hit["seq"], first);
    alice.ask(json!({"request": "delete", "room": "lobby", "target": second})).await;
    assert_eq!(found(&mut alice, "xylophone").await, [""; 0]);
    assert_eq!(found(&mut alice, "from:alice").await, ["a violin"]);
    // In one breath with what it is about.
    alice.send_raw(lines([message("lobby", "a gong"), search("gong")])).await;
    alice.expect(json!({"response": "message"})).await;
    let answer = alice.expect(json!({"response": "search"})).await;
    assert_eq!(answer["messages"][0]["text"], "a gong");
}

#[tokio::test]
async fn everything_that_was_acknowledged_is_found_right_after_a_burst() {
    const COUNT: usize = 2000;
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    let mut bob = talker(&server, "bob").await;
    let mut asked = 0;
    for round in 0..20 {
        let burst = lines((0..COUNT / 20).map(|n| message("lobby", &format!("needle{} straw n{}x", round, n))));
        alice.send_raw(burst).await;
        for _ in 0..COUNT / 20 {
            alice.expect(json!({"response": "message", "seq": "<int>"})).await;
        }
        asked += COUNT / 20;
        let answer = bob.ask(json!({"request": "search", "query": format!("needle{round}"), "limit": 500})).await;
        assert_eq!(answer["messages"].as_array().unwrap().len(), COUNT / 20, "round {round}");
    }
    let all = pages(&mut bob, json!({"request": "search", "query": "straw", "limit": 500})).await;
    assert_eq!(all.len(), asked);
    let server = server.restart().await;
    let mut bob = talker(&server, "bob").await;
    assert_eq!(pages(&mut bob, json!({"request": "search", "query": "straw", "limit": 499})).await.len(), asked);
}

/// All pages of a search: the rooms and numbers, in the order in which they come.
async fn pages(who: &mut Wire, mut request: Value) -> Vec<(String, u64)> {
    let mut hits = Vec::new();
    loop {
        let page = who.ask(request.clone()).await;
        let limit = request["limit"].as_u64().unwrap_or(50);
        let messages = page["messages"].as_array().expect("a list");
        assert!(messages.len() as u64 <= limit, "{} of {limit}", messages.len());
        for message in messages {
            hits.push((message["room"].as_str().unwrap().to_owned(), message["seq"].as_u64().unwrap()));
        }
        assert_eq!(page["more"], page.get("next").is_some(), "{page}");
        let Some(next) = page.get("next") else { return hits };
        request["after"] = next.clone();
    }
}

#[tokio::test]
async fn pages_follow_on_one_another_while_others_talk() {
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    let mut bob = talker(&server, "bob").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    bob.join("den").await;
    bob.ask(json!({"request": "unfollow", "room": "den"})).await;
    let mut expected = Vec::new();
    let mut dice = Dice::new();
    for n in 0..120 {
        let room = ["lobby", "den"][dice.below(2)];
        let seq = alice.say(room, &format!("straw {n}")).await;
        expected.insert(0, (room.to_owned(), seq));
    }
    for limit in [1, 7, 50] {
        let mut request = json!({"request": "search", "query": "straw", "limit": limit});
        let mut hits = Vec::new();
        loop {
            let page = bob.ask(request.clone()).await;
            for message in page["messages"].as_array().unwrap() {
                hits.push((message["room"].as_str().unwrap().to_owned(), message["seq"].as_u64().unwrap()));
            }
            // What comes meanwhile is newer than everything on the pages that follow.
            let seq = alice.say("den", &format!("late straw {limit}")).await;
            alice.ask(json!({"request": "delete", "room": "den", "target": seq})).await;
            let Some(next) = page.get("next") else { break };
            request["after"] = next.clone();
        }
        assert_eq!(hits, expected, "in pages of {limit}");
    }
    let in_den: Vec<_> = expected.iter().filter(|(room, _)| room == "den").cloned().collect();
    let half = in_den[in_den.len() / 2].1;
    let request = json!({"request": "search", "query": "straw", "room": "den", "before": half, "limit": 5});
    let older: Vec<_> = in_den.into_iter().filter(|(_, seq)| *seq < half).collect();
    let page = bob.ask(request).await;
    let mut hits: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|hit| hit["seq"].as_u64().unwrap()).collect();
    let next = json!({"request": "search", "query": "straw", "room": "den", "after": page["next"], "limit": 5});
    hits.extend(pages(&mut bob, next).await.into_iter().map(|(_, seq)| seq));
    assert_eq!(hits, older.into_iter().map(|(_, seq)| seq).collect::<Vec<u64>>());
}

#[tokio::test]
async fn nobody_finds_what_it_may_not_read() {
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    let mut bob = talker(&server, "bob").await;
    let mut carol = talker(&server, "carol").await;
    let mut gus = server.native("gus").await;
    alice.ask(json!({"request": "create", "room": "cellar", "kind": "private"})).await;
    alice.say("cellar", "straw in the cellar").await;
    alice.say("@bob", "straw for bob").await;
    alice.ask(json!({"request": "create", "room": "news", "kind": "announce"})).await;
    alice.say("news", "straw in the news").await;
    alice.ask(json!({"request": "create", "room": "late"})).await;
    alice.ask(json!({"request": "room", "room": "late", "history": "joined"})).await;
    alice.say("late", "straw too early").await;
    bob.join("late").await;
    alice.say("late", "straw in time").await;
    alice.ask(json!({"request": "create", "room": "bar"})).await;
    alice.say("bar", "straw in the bar").await;
    alice.ask(json!({"request": "ban", "room": "bar", "username": "carol"})).await;
    let all = [
        "straw in the bar",
        "straw in time",
        "straw too early",
        "straw in the news",
        "straw for bob",
        "straw in the cellar",
    ];
    assert_eq!(found(&mut alice, "straw").await, all);
    assert_eq!(
        found(&mut bob, "straw").await,
        ["straw in the bar", "straw in time", "straw in the news", "straw for bob"]
    );
    assert_eq!(found(&mut carol, "straw").await, ["straw in the news"]);
    assert_eq!(found(&mut gus, "straw").await, ["straw in the bar", "straw in the news"]);
    for (query, code) in [
        ("in:cellar straw", "no_such_room"),
        ("in:nowhere straw", "no_such_room"),
        ("in:@bob straw", "no_such_room"),
        ("in:late straw", "not_a_member"),
        ("in:bar straw", "banned"),
    ] {
        carol.ask_in_vain(search(query), code).await;
    }
    assert_eq!(found(&mut bob, "in:@alice straw").await, ["straw for bob"]);
    assert_eq!(found(&mut bob, "in:late straw").await, ["straw in time"]);
    // Who is let in finds it, and who is put out does not any more.
    alice.ask(json!({"request": "invite", "room": "cellar", "username": "carol"})).await;
    assert_eq!(found(&mut carol, "straw").await, ["straw in the news"], "invited is not in");
    carol.join("cellar").await;
    assert_eq!(found(&mut carol, "straw").await, ["straw in the news", "straw in the cellar"]);
    alice.ask(json!({"request": "kick", "room": "cellar", "username": "carol"})).await;
    assert_eq!(found(&mut carol, "straw").await, ["straw in the news"]);
    alice.ask(json!({"request": "delete_room", "room": "news"})).await;
    assert_eq!(found(&mut carol, "straw").await, [""; 0]);
}

#[tokio::test]
async fn a_query_without_sense_is_refused_or_finds_nothing() {
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    alice.say("lobby", "straw NEAR \"quotes\" OR 1=1; -- * ( ) ^ col:umn").await;
    for query in [
        "",
        " ",
        "-straw",
        "-\"straw\"",
        "has:link has:nothing",
        "before:yesterday",
        "after:2026-13-01",
        "from:",
        "in:",
        "from:a from:b",
        "-from:alice",
        "\u{0}straw",
        &"x".repeat(9000),
        &"a ".repeat(40),
    ] {
        let answer = alice.ask_in_vain(search(query), "bad_request").await;
        assert_eq!(answer["field"], "query", "{query}");
    }
    for (query, at) in [
        ("straw", 1),
        ("\"", 0),
        ("*", 0),
        ("()", 0),
        ("straw*", 1),
        ("NEAR", 1),
        ("col:umn", 1),
        ("OR", 1),
        ("NOT", 0),
        ("straw AND quotes", 0),
        ("NEAR(straw quotes)", 0),
        ("^straw", 1),
        ("{text}:straw", 0),
        ("1=1; --", 1),
        ("straw'", 1),
        ("straw\\", 1),
        ("in:lobby \"\"", 1),
        ("s*", 0),
        ("👍", 0),
        ("\u{202e}", 0),
    ] {
        alice.send(search(query)).await;
        let answer = alice.next().await;
        let count = answer["messages"].as_array().map(Vec::len);
        assert!(count == Some(at) || answer["code"] == "bad_request" && at == 0, "{query:?}: {answer}");
    }
    for (request, field) in [
        (json!({"request": "search"}), "query"),
        (json!({"request": "search", "query": 7}), "query"),
        (json!({"request": "search", "query": "x", "limit": 0}), "limit"),
        (json!({"request": "search", "query": "x", "before": 1}), "before"),
        (json!({"request": "search", "query": "x", "after": "1"}), "after"),
    ] {
        assert_eq!(alice.ask_in_vain(request, "bad_request").await["field"], field);
    }
    assert_eq!(alice.ask(json!({"request": "search", "query": "straw", "after": 0})).await["messages"], json!([]));
    assert_eq!(
        alice.ask(json!({"request": "search", "query": "straw", "after": u64::MAX >> 1})).await["messages"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let of = |from: &str| json!({"request": "search", "query": "straw from:nobody", "from": from});
    assert_eq!(alice.ask(of("alice")).await["messages"].as_array().unwrap().len(), 1, "the key goes before the word");
    assert_eq!(alice.ask(of("nobody")).await["messages"], json!([]));
}

#[tokio::test]
async fn whatever_is_asked_is_answered() {
    const PIECES: [&str; 24] = [
        "straw",
        "\"",
        "-",
        "*",
        "(",
        ")",
        ":",
        "from:",
        "in:",
        "before:",
        "after:",
        "has:link",
        "NEAR",
        "AND",
        "^",
        "東京",
        "é",
        "\u{301}",
        " ",
        " ",
        "lobby",
        "2026-01-31",
        "'",
        "\\",
    ];
    let server = server().await;
    let mut alice = talker(&server, "alice").await;
    alice.say("lobby", "straw 東京 é").await;
    let mut dice = Dice::new();
    let mut codes = BTreeSet::new();
    for _ in 0..400 {
        let query: String = (0..1 + dice.below(8)).map(|_| PIECES[dice.below(PIECES.len())]).collect();
        alice.send(search(&query)).await;
        let answer = alice.next().await;
        match answer["code"].as_str() {
            None => assert!(answer["messages"].is_array(), "{query:?}: {answer}"),
            Some(code) => {
                assert!(
                    ["bad_request", "no_such_room", "bad_name", "forbidden"].contains(&code),
                    "{query:?}: {answer}"
                );
                codes.insert(code.to_owned());
            }
        }
    }
    println!("{codes:?}");
}
