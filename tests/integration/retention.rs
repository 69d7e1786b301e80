//! Retention: what is too old or too much is erased, from the front of the log, for good and without holding anybody up.

use std::time::Instant;

use serde_json::{Value, json};
use snakk::Server;
use snakk::model::Time;

use crate::erasure::wait_until_gone;
use crate::support::clock::Hands;
use crate::support::server::{account, free, hello};
use crate::support::wire::{lines, message};
use crate::support::{PATIENCE, TestServer, Wire, server, within};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The owner of a den, which nobody follows.
async fn owner(server: &TestServer) -> Wire {
    let mut alice = server.account("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice
}

async fn say_many(who: &mut Wire, texts: impl IntoIterator<Item = String>) {
    let requests: Vec<Value> = texts.into_iter().map(|text| message("den", &text)).collect();
    for part in requests.chunks(100) {
        who.send_raw(lines(part.iter().cloned())).await;
        for _ in part {
            while who.next().await["response"] != "message" {}
        }
    }
}

fn keep(entries: u64) -> Value {
    json!({"request": "room", "room": "den", "retention_entries": entries})
}

/// What the room is, once its first entry is `first`.
async fn until_first(who: &mut Wire, first: u64) -> Value {
    let begun = Instant::now();
    loop {
        let room = who.ask(json!({"request": "room", "room": "den"})).await;
        if room["first"] == first {
            return room;
        }
        assert!(begun.elapsed() < PATIENCE, "the first entry is still {}, not {first}", room["first"]);
    }
}

#[tokio::test]
async fn so_many_entries_are_kept_and_older_ones_are_gone() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = server.account("bob").await;
    bob.join("den").await;
    say_many(&mut alice, (2..=600).map(|n| format!("xylophone number{n}n"))).await;
    say_many(&mut alice, (601..=700).map(|n| format!("violin number{n}n"))).await;
    let target = json!({"request": "react", "room": "den", "target": 10, "emoji": "🎻"});
    alice.ask(target).await;
    let set = alice.ask(keep(50)).await;
    assert_eq!(set["seq"], 702);
    let room = until_first(&mut alice, 653).await;
    assert_eq!((&room["head"], &room["retention_entries"]), (&json!(702), &json!(50)));
    assert_eq!(alice.say("den", "goes on").await, 703);
    // What is gone is gone for everybody, wherever it was.
    let page = alice.ask(json!({"request": "history", "room": "den", "before": 653})).await;
    assert_eq!((&page["messages"], &page["more"]), (&json!([]), &json!(false)));
    let page = alice.ask(json!({"request": "history", "room": "den", "after": 0, "limit": 1})).await;
    assert_eq!((&page["messages"][0]["text"], &page["first"]), (&json!("violin number653n"), &json!(653)));
    assert_eq!(alice.ask(json!({"request": "search", "query": "xylophone"})).await["messages"], json!([]));
    assert_eq!(alice.ask(json!({"request": "search", "query": "number652n"})).await["messages"], json!([]));
    assert_eq!(alice.ask(json!({"request": "search", "query": "number653n"})).await["messages"][0]["seq"], 653);
    alice.ask_in_vain(json!({"request": "edit", "room": "den", "target": 100, "text": "x"}), "no_such_message").await;
    alice
        .ask_in_vain(json!({"request": "message", "room": "den", "text": "x", "reply_to": 100}), "no_such_message")
        .await;
    wait_until_gone(server.data_dir(), "xylophone").await;
    wait_until_gone(server.data_dir(), "number652n").await;
    let counts = bob.ask(json!({"request": "read", "room": "den", "seq": 0})).await;
    assert_eq!(counts["unread"], 50 - 2 + 1, "what is gone is not unread: {counts}");
    let mut carol = server.account("carol").await;
    let joined = carol.ask(json!({"request": "join", "room": "den", "since": 0})).await;
    assert_eq!(joined["reset"], false);
    let first = joined["first"].as_u64().unwrap();
    carol.expect(json!({"event": "message", "seq": first})).await;
    for seq in first + 1..=joined["head"].as_u64().unwrap() {
        carol.expect(json!({"seq": seq, "event": "<any>"})).await;
    }
    carol.expect_silence().await;
    // It is the same after a restart.
    let server = server.restart().await;
    alice = server.account("alice").await;
    let room = alice.ask(json!({"request": "room", "room": "den"})).await;
    assert!(room["first"].as_u64().unwrap() >= first, "{room}");
    assert_eq!(alice.say("den", "and on").await, joined["head"].as_u64().unwrap() + 1);
}

#[tokio::test]
async fn the_last_entry_stays_and_numbers_go_on() {
    let server = server().await;
    let mut alice = owner(&server).await;
    say_many(&mut alice, (1..=20).map(|n| format!("{n}"))).await;
    assert_eq!(alice.ask(keep(1)).await["seq"], 21);
    until_first(&mut alice, 21).await;
    let server = server.restart().await;
    alice = server.account("alice").await;
    assert_eq!(alice.say("den", "the next").await, 22);
}

#[tokio::test]
async fn what_the_server_keeps_is_a_bound_for_every_room() {
    let server = server().with(|config| config.rooms.retention_entries = 30).await;
    let mut alice = owner(&server).await;
    say_many(&mut alice, (1..=100).map(|n| format!("{n}"))).await;
    // A room may keep less, and not more.
    alice.ask(keep(1000)).await;
    until_first(&mut alice, 72).await;
    alice.ask(keep(10)).await;
    until_first(&mut alice, 93).await;
}

#[tokio::test]
async fn a_follower_that_lags_goes_on_at_the_first_entry_that_is_kept() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = server.native("bob").await;
    bob.join("den").await;
    let text = "x".repeat(15_000);
    say_many(&mut alice, (1..=800).map(|_| text.clone())).await;
    let last = alice.ask(keep(20)).await["seq"].as_u64().unwrap();
    until_first(&mut alice, last - 19).await;
    let mut seen = 0;
    while seen < last {
        let seq = bob.next().await["seq"].as_u64().expect("an entry");
        assert!(seq == seen + 1 || seq == last - 19, "{seq} behind {seen}");
        seen = seq;
    }
    alice.say("den", "live again").await;
    bob.hear("den", "live again").await;
}

#[tokio::test]
async fn thousands_of_entries_go_while_somebody_talks() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = server.account("bob").await;
    bob.join("den").await;
    say_many(&mut alice, (2..=4000).map(|n| format!("xylophone {n}"))).await;
    while bob.next().await["seq"] != 4000 {}
    alice.ask(keep(100)).await;
    let mut slowest = std::time::Duration::ZERO;
    let mut first = 0;
    while first < 3901 {
        let begun = Instant::now();
        let seq = alice.say("den", "meanwhile").await;
        slowest = slowest.max(begun.elapsed());
        assert!(seq < 8000, "the front is still at {first}");
        if seq % 10 == 0 {
            let room = alice.ask(json!({"request": "room", "room": "den"})).await;
            first = room["first"].as_u64().unwrap();
        }
    }
    assert!(slowest.as_millis() < 1000, "a posting waited for {slowest:?}");
    say_many(&mut alice, (0..100).map(|n| format!("{n}"))).await;
    let head = alice.ask(keep(99)).await["seq"].as_u64().unwrap();
    until_first(&mut alice, head - 98).await;
    for seq in 4001..=head {
        bob.expect(json!({"event": "<any>", "seq": seq})).await;
    }
    wait_until_gone(server.data_dir(), "xylophone").await;
}

#[tokio::test]
async fn what_is_too_old_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let now = Time::parse("2026-06-01T12:00:00Z").expect("a time");
    let hands = Hands::at(Time(now.0 - 10 * DAY_MS));
    let clock = hands.clone();
    let started = within("a start", Server::builder(free()).data_dir(dir.path()).clock(clock).start()).await;
    let server = started.expect("a server");
    let mut alice = account(hello(Wire::connect("alice", server.local_addrs()[0]).await).await).await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice.ask(json!({"request": "create", "room": "attic"})).await;
    for (days, text) in [(10, "xylophone"), (8, "harpsichord"), (6, "violin"), (1, "flute")] {
        hands.set(Time(now.0 - days * DAY_MS));
        alice.say("den", text).await;
        alice.say("attic", &format!("{text} kept")).await;
    }
    hands.set(now);
    within("a stop", server.shutdown()).await.expect("it stops");

    // A start looks at once for what has become too old.
    let mut config = free();
    config.rooms.retention_days = 9;
    let clock = hands.clone();
    let started = within("a start", Server::builder(config).data_dir(dir.path()).clock(clock).start()).await;
    let server = started.expect("a server");
    let mut alice = account(hello(Wire::connect("alice", server.local_addrs()[0]).await).await).await;
    until_first(&mut alice, 2).await;
    wait_until_gone(dir.path(), "xylophone").await;
    // A room that keeps less is looked at as soon as it says so.
    alice.ask(json!({"request": "room", "room": "den", "retention_days": 7})).await;
    until_first(&mut alice, 3).await;
    let page = alice.ask(json!({"request": "history", "room": "den"})).await;
    assert_eq!(page["messages"][0]["text"], "violin");
    let page = alice.ask(json!({"request": "history", "room": "attic"})).await;
    assert_eq!(page["messages"][0]["text"], "harpsichord kept", "other rooms keep it");
    assert_eq!(alice.ask(json!({"request": "search", "query": "harpsichord -kept"})).await["messages"], json!([]));
    within("a stop", server.shutdown()).await.expect("it stops");
}
