//! Read marks, and the counts of what is behind them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::wire::{lines, message};
use crate::support::{Dice, TestServer, Wire, daemon, server};

/// Two accounts that follow a room, of which the first made it.
async fn den(server: &TestServer) -> (Wire, Wire) {
    let (mut alice, mut bob) = (server.account("alice").await, server.account("bob").await);
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice.join("den").await;
    bob.join("den").await;
    (alice, bob)
}

fn read(seq: u64) -> Value {
    json!({"request": "read", "room": "den", "seq": seq})
}

fn counts(of: &Value) -> (u64, u64, u64) {
    let number = |key: &str| of[key].as_u64().unwrap_or_else(|| panic!("{key} in {of}"));
    (number("read"), number("unread"), number("mentions"))
}

/// What a login tells of the room.
async fn at_login(server: &TestServer, name: &str) -> (u64, u64, u64) {
    let login = server.hello(name).await.login().await;
    let rooms = login["rooms"].as_array().expect("a list");
    counts(rooms.iter().find(|line| line["room"] == "den").unwrap_or_else(|| panic!("the den in {login}")))
}

/// What somebody is told who has read nothing new.
async fn asked(who: &mut Wire) -> (u64, u64, u64) {
    counts(&who.ask(read(0)).await)
}

#[tokio::test]
async fn a_mark_never_goes_back_and_not_beyond_the_head() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    for n in 0..5 {
        alice.say("den", &format!("{n}")).await;
    }
    // Bob's own joining is the first entry, up to which he has read everything.
    assert_eq!(asked(&mut bob).await, (1, 5, 0));
    let answer = bob.ask(read(4)).await;
    assert_eq!((counts(&answer), &answer["room"]), ((4, 2, 0), &json!("den")));
    assert_eq!(counts(&bob.ask(read(2)).await), (4, 2, 0));
    assert_eq!(counts(&bob.ask(read(u64::MAX >> 1)).await), (6, 0, 0), "there is nothing beyond the head");
    alice.say("den", "one more").await;
    assert_eq!(asked(&mut bob).await, (6, 1, 0), "what was not there yet was not read");
    assert_eq!(at_login(&server, "bob").await, (6, 1, 0));
    let server = server.restart().await;
    assert_eq!(at_login(&server, "bob").await, (6, 1, 0));
    assert_eq!(server.account("bob").await.join("den").await["read"], 6);
}

#[tokio::test]
async fn a_mark_outlives_a_kill() {
    let mut daemon = daemon().await;
    let mut alice = daemon.account("alice").await;
    let mut bob = daemon.account("bob").await;
    alice.join("lobby").await;
    bob.join("lobby").await;
    for n in 0..9 {
        alice.say("lobby", &format!("{n}")).await;
    }
    bob.ask(json!({"request": "read", "room": "lobby", "seq": 5})).await;
    daemon.kill9().await;
    let daemon = daemon.again().await;
    let login = daemon.hello("bob").await.login().await;
    assert_eq!(counts(&login["rooms"][0]), (5, 6, 0));
}

#[tokio::test]
async fn the_other_sessions_of_a_user_are_told_and_nobody_else() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    alice.expect(json!({"event": "member"})).await;
    let mut bob_too = server.account("bob").await;
    alice.say("den", "@bob").await;
    alice.hear("den", "@bob").await;
    bob.hear("den", "@bob").await;
    let seq = alice.say("den", "two").await;
    alice.hear("den", "two").await;
    bob.hear("den", "two").await;
    bob.ask(read(2)).await;
    bob_too.expect(json!({"event": "read", "room": "den", "read": 2, "unread": 1, "mentions": 0})).await;
    bob_too.ask(read(seq)).await;
    bob.expect(json!({"event": "read", "room": "den", "read": seq, "unread": 0, "mentions": 0})).await;
    // What is no news is not told.
    bob.ask(read(1)).await;
    bob.ask(read(seq)).await;
    for who in [&mut alice, &mut bob, &mut bob_too] {
        who.expect_silence().await;
    }
}

#[tokio::test]
async fn only_members_read_and_refusals_stand_in_their_order() {
    let server = server().await;
    let (mut alice, _bob) = den(&server).await;
    let mut carol = server.account("carol").await;
    carol.ask_in_vain(read(1), "not_a_member").await;
    carol.ask_in_vain(json!({"request": "read", "room": "cellar", "seq": 1}), "no_such_room").await;
    carol.ask_in_vain(json!({"request": "read", "room": "den", "seq": "1"}), "bad_request").await;
    carol.ask_in_vain(json!({"request": "read", "room": "den", "seq": -1}), "bad_request").await;
    alice.ask(json!({"request": "ban", "room": "den", "username": "carol"})).await;
    carol.ask_in_vain(read(1), "banned").await;
}

#[tokio::test]
async fn own_messages_and_what_was_taken_back_do_not_count() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let first = alice.say("den", "@bob one").await;
    let second = alice.say("den", "two").await;
    bob.say("den", "@bob mine").await;
    alice.ask(json!({"request": "react", "room": "den", "target": first, "emoji": "x"})).await;
    alice.ask(json!({"request": "topic", "room": "den", "topic": "@bob"})).await;
    assert_eq!(asked(&mut bob).await, (1, 2, 1));
    // An edit calls, or calls no more; it is no message of its own.
    alice.ask(json!({"request": "edit", "room": "den", "target": second, "text": "two, @bob"})).await;
    assert_eq!(asked(&mut bob).await, (1, 2, 2));
    assert_eq!(at_login(&server, "bob").await, (1, 2, 2));
    alice.ask(json!({"request": "edit", "room": "den", "target": first, "text": "one"})).await;
    assert_eq!(asked(&mut bob).await, (1, 2, 1));
    alice.ask(json!({"request": "delete", "room": "den", "target": second})).await;
    assert_eq!(asked(&mut bob).await, (1, 1, 0));
    // An edit of what was read already is nothing new, but whom it calls behind the mark it calls nowhere.
    bob.ask(read(first)).await;
    alice.ask(json!({"request": "edit", "room": "den", "target": first, "text": "@bob"})).await;
    assert_eq!(asked(&mut bob).await, (first, 0, 0));
    assert_eq!(at_login(&server, "bob").await, (first, 0, 0));
    assert_eq!(asked(&mut alice).await, (0, 1, 0), "what bob said");
}

#[tokio::test]
async fn what_comes_from_the_blocked_does_not_count() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let mut carol = server.account("carol").await;
    carol.join("den").await;
    let mut gus = server.native("gus").await;
    gus.join("den").await;
    for who in [&mut alice, &mut carol, &mut gus] {
        who.say("den", "hello, @bob").await;
    }
    assert_eq!(asked(&mut bob).await, (1, 3, 3));
    bob.ask(json!({"request": "block", "username": "carol"})).await;
    assert_eq!(asked(&mut bob).await, (1, 2, 2));
    assert_eq!(at_login(&server, "bob").await, (1, 2, 2));
    bob.ask(json!({"request": "unblock", "username": "carol"})).await;
    assert_eq!(asked(&mut bob).await, (1, 3, 3));
    assert_eq!(at_login(&server, "bob").await, (1, 3, 3));
}

#[tokio::test]
async fn who_comes_again_has_read_everything_up_to_that() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    alice.say("den", "@bob one").await;
    bob.ask(json!({"request": "leave", "room": "den"})).await;
    bob.ask_in_vain(read(0), "not_a_member").await;
    alice.say("den", "@bob two").await;
    let joined = bob.join("den").await;
    assert_eq!(joined["read"], joined["head"]);
    let head = joined["head"].as_u64().unwrap();
    assert_eq!(asked(&mut bob).await, (head, 0, 0));
    assert_eq!(at_login(&server, "bob").await, (head, 0, 0));
    alice.say("den", "@bob three").await;
    assert_eq!(asked(&mut bob).await, (head, 1, 1));
    assert_eq!(at_login(&server, "bob").await, (head, 1, 1));
    let server = server.restart().await;
    assert_eq!(at_login(&server, "bob").await, (head, 1, 1));
}

#[tokio::test]
async fn who_sees_a_room_from_its_joining_on_counts_from_there() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    alice.ask(json!({"request": "room", "room": "den", "history": "joined"})).await;
    alice.say("den", "@carol early").await;
    let mut carol = server.account("carol").await;
    let joined = carol.join("den").await;
    let first = joined["first"].as_u64().unwrap();
    assert_eq!((&joined["first"], &joined["read"]), (&joined["head"], &joined["head"]));
    bob.say("den", "@carol late").await;
    assert_eq!(asked(&mut carol).await, (first, 1, 1));
    assert_eq!(at_login(&server, "carol").await, (first, 1, 1));
    assert_eq!(asked(&mut alice).await, (0, 1, 0));
}

#[tokio::test]
async fn a_guest_that_comes_back_has_its_marks() {
    let server = server().await;
    let (mut alice, _bob) = den(&server).await;
    let mut gus = server.hello("gus").await;
    let login = gus.ask(json!({"request": "login", "username": "gus"})).await;
    gus.join("den").await;
    for n in 0..4 {
        alice.say("den", &format!("{n}")).await;
    }
    assert_eq!(asked(&mut gus).await, (1, 4, 0));
    assert_eq!(counts(&gus.ask(read(3)).await), (3, 2, 0));
    gus.reset();
    alice.presence("gus", false).await;
    let mut gus = server.hello("gus").await;
    let login = gus.ask(json!({"request": "login", "username": "gus", "token": login["token"]})).await;
    assert_eq!(counts(&login["rooms"][0]), (3, 2, 0), "{login}");
    assert_eq!(asked(&mut gus).await, (3, 2, 0));
    // Another guest of that name has nothing.
    gus.reset();
    alice.presence("gus", false).await;
    let mut other = server.native("gus").await;
    assert_eq!(other.join("den").await["read"], 5);
}

#[tokio::test]
async fn who_never_reads_has_the_exact_count_of_a_long_log() {
    let server = server().await;
    let (mut alice, bob) = den(&server).await;
    drop(bob);
    alice.ask(json!({"request": "unfollow", "room": "den"})).await;
    for part in 0..20 {
        let text = |n: usize| if n.is_multiple_of(10) { format!("@bob {part}.{n}") } else { format!("{part}.{n}") };
        alice.send_raw(lines((0..100).map(|n| message("den", &text(n))))).await;
        for _ in 0..100 {
            while alice.next().await["response"] != "message" {}
        }
    }
    assert_eq!(at_login(&server, "bob").await, (1, 2000, 200));
    let mut bob = server.account("bob").await;
    assert_eq!(counts(&bob.ask(read(1001)).await), (1001, 1000, 100));
    let server = server.restart().await;
    assert_eq!(at_login(&server, "bob").await, (1001, 1000, 100));
}

/// What a naive reader would say: it looks at everything that was ever said.
#[derive(Default)]
struct Naive {
    /// The messages that are there: who said them, and whom they call.
    messages: BTreeMap<u64, (usize, BTreeSet<usize>)>,
    /// Up to where each has read; none who is no member.
    marks: Vec<Option<u64>>,
    blocks: BTreeSet<(usize, usize)>,
    head: u64,
}

impl Naive {
    fn count(&self, user: usize) -> (u64, u64, u64) {
        let mark = self.marks[user].expect("a member");
        let counts = |author: usize| author != user && !self.blocks.contains(&(user, author));
        let unread: Vec<_> = self.messages.range(mark + 1..).filter(|(_, (author, _))| counts(*author)).collect();
        let mentions = unread.iter().filter(|(_, (_, called))| called.contains(&user)).count();
        (mark, unread.len() as u64, mentions as u64)
    }
}

#[tokio::test]
async fn whatever_happens_the_counts_are_those_of_who_counts_one_by_one() {
    const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
    let mut dice = Dice::new();
    let server = server().await;
    let mut people = Vec::new();
    for name in NAMES {
        people.push(server.account(name).await);
    }
    people[0].ask(json!({"request": "create", "room": "den"})).await;
    let mut naive = Naive { marks: vec![None; NAMES.len()], ..Naive::default() };
    naive.marks[0] = Some(0);
    for step in 0..300 {
        let (who, other) = (dice.below(NAMES.len()), dice.below(NAMES.len()));
        let called: BTreeSet<usize> = (0..dice.below(3)).map(|_| dice.below(NAMES.len())).collect();
        let text = called.iter().fold(format!("{step}"), |text, name| format!("{text} @{}", NAMES[*name]));
        // Members alone can be called.
        let called = called.into_iter().filter(|name| naive.marks[*name].is_some() && *name != who).collect();
        let own = naive.messages.iter().filter(|(_, (author, _))| *author == who).map(|(seq, _)| *seq);
        let own: Vec<u64> = own.collect();
        let target = if own.is_empty() { None } else { Some(own[dice.below(own.len())]) };
        let member = naive.marks[who].is_some();
        let wire = &mut people[who];
        match (dice.below(12), target) {
            (0, _) if who != other => {
                let request = if naive.blocks.remove(&(who, other)) {
                    "unblock"
                } else {
                    naive.blocks.insert((who, other));
                    "block"
                };
                wire.ask(json!({"request": request, "username": NAMES[other]})).await;
            }
            (1, _) if who != 0 && member => {
                wire.ask(json!({"request": "leave", "room": "den"})).await;
                (naive.marks[who], naive.head) = (None, naive.head + 1);
            }
            _ if !member => {
                naive.head = wire.ask(json!({"request": "join", "room": "den"})).await["head"].as_u64().unwrap();
                naive.marks[who] = Some(naive.head);
            }
            (2, Some(target)) => {
                wire.ask(json!({"request": "delete", "room": "den", "target": target})).await;
                naive.messages.remove(&target);
                naive.head += 1;
            }
            (3 | 4, Some(target)) => {
                wire.ask(json!({"request": "edit", "room": "den", "target": target, "text": text})).await;
                naive.messages.insert(target, (who, called));
                naive.head += 1;
            }
            (5 | 6, _) => {
                let seq = dice.below(usize::try_from(naive.head).unwrap() + 3) as u64;
                let mark = naive.marks[who].unwrap().max(seq.min(naive.head));
                naive.marks[who] = Some(mark);
                assert_eq!(counts(&wire.ask(read(seq)).await), naive.count(who), "step {step}");
            }
            _ => {
                naive.head = wire.say("den", &text).await;
                naive.messages.insert(naive.head, (who, called));
            }
        }
        if naive.marks[other].is_some() {
            assert_eq!(asked(&mut people[other]).await, naive.count(other), "step {step}, {}", NAMES[other]);
        }
        if step % 50 == 49 {
            for (user, name) in NAMES.iter().enumerate() {
                if naive.marks[user].is_some() {
                    assert_eq!(at_login(&server, name).await, naive.count(user), "step {step}, {name} at login");
                }
            }
        }
    }
}
