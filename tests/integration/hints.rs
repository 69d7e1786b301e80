//! Hints: who is there, who is typing, and what a session is told that is no entry of a log.

use serde_json::{Value, json};

use crate::support::wire::{lines, message};
use crate::support::{TestServer, Wire, server};

/// Two accounts that follow a room, of which the first made it, and who have heard of one another.
async fn den(server: &TestServer) -> (Wire, Wire) {
    let mut alice = server.account("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice.join("den").await;
    let mut bob = server.account("bob").await;
    bob.join("den").await;
    alice.expect(json!({"event": "member", "user": "bob"})).await;
    (alice, bob)
}

fn typing(room: &str) -> Value {
    json!({"request": "typing", "room": room})
}

fn presence(user: &str, status: &str, text: &str) -> Value {
    let text = if text.is_empty() { "<absent>" } else { text };
    json!({"event": "presence", "user": user, "online": status != "offline", "status": status, "text": text})
}

/// Everything that is there until now, presence too.
async fn until_now(who: &mut Wire) -> Vec<Value> {
    who.send(json!({"request": "ping", "id": "now"})).await;
    let mut objects = Vec::new();
    loop {
        // Whatever it is: presence alone is asked for by name.
        let object = who.expect_any().await;
        if object["id"] == "now" {
            return objects;
        }
        objects.push(object);
    }
}

#[tokio::test]
async fn typing_is_told_to_those_who_follow_and_once_in_a_while() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let mut bob_too = server.account("bob").await;
    bob_too.join("den").await;
    let mut alice_idle = server.account("alice").await;
    let mut carol = server.account("carol").await;
    for _ in 0..5 {
        assert_eq!(bob.ask(typing("den")).await.get("error"), None);
        bob_too.ask(typing("den")).await;
    }
    alice.expect(json!({"event": "typing", "room": "den", "user": "bob"})).await;
    // In another room it is told at once.
    bob.join("lobby").await;
    alice.join("lobby").await;
    bob.expect(json!({"event": "member", "room": "lobby", "user": "alice"})).await;
    bob.ask(typing("lobby")).await;
    alice.expect(json!({"event": "typing", "room": "lobby", "user": "bob"})).await;
    for who in [&mut alice, &mut alice_idle, &mut bob, &mut bob_too, &mut carol] {
        who.expect_silence().await;
    }
}

#[tokio::test]
async fn who_may_not_speak_does_not_type() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let mut carol = server.account("carol").await;
    carol.ask_in_vain(typing("den"), "not_a_member").await;
    carol.ask_in_vain(typing("cellar"), "no_such_room").await;
    alice.ask(json!({"request": "mute", "room": "den", "username": "bob"})).await;
    bob.ask_in_vain(typing("den"), "muted").await;
    alice.expect(json!({"event": "member", "change": "mute"})).await;
    alice.expect_silence().await;
    alice.ask(json!({"request": "create", "room": "news", "kind": "announce"})).await;
    bob.join("news").await;
    bob.ask_in_vain(typing("news"), "forbidden").await;
}

#[tokio::test]
async fn who_is_away_says_so_wherever_it_can_be_seen() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let mut bob_too = server.account("bob").await;
    let away = json!({"request": "status", "status": "away", "text": "lunch"});
    bob.ask(away.clone()).await;
    alice.expect(presence("bob", "away", "lunch")).await;
    let line = |names: Value| {
        let names = names["names"].as_array().cloned().unwrap_or_default();
        let line = names.into_iter().find(|line| line["name"] == "bob").expect("a line about bob");
        (line["online"].clone(), line["status"].clone(), line.get("text").cloned().unwrap_or_default())
    };
    let of_bob = (json!(true), json!("away"), json!("lunch"));
    assert_eq!(line(alice.ask(json!({"request": "names", "room": "den"})).await), of_bob);
    assert_eq!(line(alice.ask(json!({"request": "names"})).await), of_bob);
    // The status is one for all sessions, and what is no news is not told.
    bob_too.ask(away).await;
    assert_eq!(until_now(&mut alice).await, [Value::Null; 0]);
    bob_too.ask(json!({"request": "status", "status": "online"})).await;
    alice.expect(presence("bob", "online", "")).await;
    bob.ask_in_vain(json!({"request": "status", "status": "asleep"}), "bad_request").await;
    bob.ask_in_vain(json!({"request": "status", "status": "away", "text": "a\nb"}), "bad_text").await;
    bob.ask_in_vain(json!({"request": "status", "status": "away", "text": "x".repeat(513)}), "text_too_long").await;
    // It is forgotten by who goes.
    bob.ask(json!({"request": "status", "status": "away", "text": "brb"})).await;
    alice.expect(presence("bob", "away", "brb")).await;
    bob.reset();
    drop(bob_too);
    alice.expect(presence("bob", "offline", "")).await;
    server.account("bob").await;
    alice.expect(presence("bob", "online", "")).await;
}

#[tokio::test]
async fn a_guest_that_comes_back_is_not_away_any_more() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let mut gus = server.hello("gus").await;
    let login = gus.ask(json!({"request": "login", "username": "gus"})).await;
    gus.join("lobby").await;
    alice.expect(presence("gus", "online", "")).await;
    gus.ask(json!({"request": "status", "status": "away", "text": "tea"})).await;
    alice.expect(presence("gus", "away", "tea")).await;
    gus.reset();
    alice.expect(presence("gus", "offline", "")).await;
    let mut gus = server.hello("gus").await;
    gus.ask(json!({"request": "login", "username": "gus", "token": login["token"]})).await;
    alice.expect(presence("gus", "online", "")).await;
}

#[tokio::test]
async fn coming_and_going_is_no_entry_and_told_once_for_all_sessions() {
    let server = server().await;
    let (mut alice, bob) = den(&server).await;
    let bob_too = server.account("bob").await;
    drop(bob);
    // Bob is here as long as one session is.
    let mut bob_again = server.account("bob").await;
    bob_again.ask(json!({"request": "logout"})).await;
    assert_eq!(until_now(&mut alice).await, [Value::Null; 0]);
    drop(bob_too);
    alice.expect(presence("bob", "offline", "")).await;
    assert_eq!(alice.ask(json!({"request": "history", "room": "den"})).await["head"], 1);
    let names = alice.ask(json!({"request": "names", "room": "den"})).await;
    let line = &names["names"][1];
    assert_eq!((&line["name"], &line["online"], &line["status"]), (&json!("bob"), &json!(false), &json!("offline")));
    let rooms = alice.ask(json!({"request": "rooms"})).await;
    assert_eq!((&rooms["rooms"][0]["members"], &rooms["rooms"][0]["online"]), (&json!(2), &json!(1)));
    server.account("bob").await;
    alice.expect(presence("bob", "online", "")).await;
}

#[tokio::test]
async fn who_is_gone_was_last_seen_then() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let seen = |names: &Value| names["names"][1].get("last_seen").cloned();
    let names = json!({"request": "names", "room": "den"});
    assert_eq!(seen(&alice.ask(names.clone()).await), None, "bob is here");
    let before = bob.ask(json!({"request": "ping"})).await["time"].as_str().unwrap().to_owned();
    bob.ask(json!({"request": "logout"})).await;
    alice.presence("bob", false).await;
    // The posting waits until what is noted before it is on disk.
    alice.say("den", "x").await;
    let last = seen(&alice.ask(names.clone()).await).expect("bob was seen");
    assert!(last.as_str().unwrap() >= before.as_str(), "{last} {before}");
    let server = server.restart().await;
    alice = server.account("alice").await;
    assert_eq!(seen(&alice.ask(names.clone()).await), Some(last), "it outlives a restart");
    server.account("bob").await;
    alice.join("den").await;
    drop(bob);
}

#[tokio::test]
async fn big_rooms_tell_nobody_who_comes_and_goes() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let mut crowd = Vec::new();
    for number in 0..130 {
        let mut one = server.native(&format!("guest-{number}")).await;
        one.join("den").await;
        crowd.push(one);
    }
    until_now(&mut alice).await;
    let mut late = server.native("late").await;
    late.join("den").await;
    late.ask(typing("den")).await;
    bob.ask(json!({"request": "status", "status": "away"})).await;
    bob.ask(typing("den")).await;
    assert_eq!(until_now(&mut alice).await, [Value::Null; 0]);
    let names = alice.ask(json!({"request": "names", "room": "den"})).await;
    assert_eq!(names["names"].as_array().unwrap().len(), 133);
    alice.say("den", "hello all").await;
    late.hear("den", "hello all").await;
    // When most have gone it is told again.
    crowd.truncate(10);
    late.ask(json!({"request": "unfollow", "room": "den"})).await;
    loop {
        until_now(&mut alice).await;
        let names = alice.ask(json!({"request": "names", "room": "den"})).await;
        if names["names"].as_array().unwrap().len() < 20 {
            break;
        }
    }
    until_now(&mut alice).await;
    bob.ask(json!({"request": "status", "status": "online"})).await;
    alice.expect(presence("bob", "online", "")).await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_loses_only_what_may_be_lost() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let mut carol = server.account("carol").await;
    carol.join("den").await;
    // So much that nothing more goes to bob.
    alice.ask(json!({"request": "unfollow", "room": "den"})).await;
    carol.ask(json!({"request": "unfollow", "room": "den"})).await;
    let text = "x".repeat(15_000);
    for _ in 0..40 {
        alice.send_raw(lines((0..20).map(|_| message("den", &text)))).await;
        for _ in 0..20 {
            while alice.next().await["response"] != "message" {}
        }
    }
    // Many hints that say the same, and some that each count.
    for n in 0..200 {
        carol.ask(json!({"request": "status", "status": "away", "text": format!("{n}")})).await;
    }
    for n in 0..50 {
        alice.say("@bob", &format!("{n}")).await;
        alice.expect(json!({"event": "invited", "room": "@bob"})).await;
    }
    for n in 0..10 {
        let room = format!("room-{n}");
        alice.ask(json!({"request": "create", "room": room, "kind": "private"})).await;
        alice.ask(json!({"request": "invite", "room": room, "username": "bob"})).await;
    }
    let seq = alice.ask(json!({"request": "kick", "room": "den", "username": "bob"})).await["seq"].clone();
    let (mut invited, mut statuses, mut removed) = (Vec::new(), Vec::new(), None);
    let mut last = json!(0);
    while removed.is_none() || invited.len() < 11 {
        let object = bob.expect_any().await;
        match object["event"].as_str() {
            Some("invited") => invited.push((object["room"].clone(), object["head"].clone())),
            Some("presence") => statuses.push(object["text"].clone()),
            Some("removed") => removed = Some((object["seq"].clone(), last.clone())),
            Some("message" | "member") => last = object["seq"].clone(),
            other => panic!("{other:?}: {object}"),
        }
    }
    assert_eq!(removed, Some((seq.clone(), seq)), "behind the last entry");
    let direct: Vec<_> = invited.iter().filter(|(room, _)| room == "@alice").collect();
    assert_eq!(direct.last().map(|(_, head)| head), Some(&json!(50)), "the newest counts");
    let mut rooms: Vec<_> = invited.iter().filter_map(|(room, _)| room.as_str()).collect();
    rooms.sort();
    rooms.dedup();
    assert_eq!(rooms.len(), 11, "{rooms:?}");
    assert!(statuses.len() < 200, "merged: {}", statuses.len());
    assert_eq!(statuses.last(), Some(&json!("199")), "the newest counts");
}

#[tokio::test]
async fn a_report_reaches_the_moderators_who_are_here() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let seq = alice.say("den", "rude words").await;
    alice.hear("den", "rude words").await;
    bob.hear("den", "rude words").await;
    bob.ask(json!({"request": "report", "room": "den", "target": seq, "reason": "rude"})).await;
    let notice = alice.expect(json!({"event": "notice", "text": "<string>"})).await;
    assert!(notice["text"].as_str().unwrap().contains("rude"), "{notice}");
    bob.expect_silence().await;
}
