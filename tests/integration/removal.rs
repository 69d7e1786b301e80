//! Being put out, leaving, renaming and deleting: everybody is told everything up to that, then that, and nothing more.

use serde_json::{Value, json};

use crate::support::wire::{lines, message, texts};
use crate::support::{TestServer, Wire, server};

/// The owner of a den.
async fn owner(server: &TestServer) -> Wire {
    let mut alice = server.account("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice.join("den").await;
    alice
}

/// Somebody who follows the den.
async fn member(server: &TestServer, name: &str) -> Wire {
    let mut wire = server.account(name).await;
    wire.join("den").await;
    wire
}

/// Fills a room until its log is longer than the memory of the server and the way to somebody who does not read.
/// The number of the last entry.
async fn flood(who: &mut Wire, room: &str, count: u64) -> u64 {
    who.ask(json!({"request": "unfollow", "room": room})).await;
    let text = "x".repeat(15_000);
    let mut last = 0;
    for _ in 0..count / 20 {
        who.send_raw(lines((0..20).map(|_| message(room, &text)))).await;
        for _ in 0..20 {
            last = loop {
                let object = who.next().await;
                if object["response"] == "message" {
                    break object["seq"].as_u64().unwrap_or_else(|| panic!("{object}"));
                }
            };
        }
    }
    last
}

fn act(request: &str, username: &str) -> Value {
    json!({"request": request, "room": "den", "username": username, "reason": "so"})
}

#[tokio::test]
async fn who_is_put_out_hears_everything_up_to_that_then_that_and_then_nothing() {
    for request in ["kick", "ban"] {
        let server = server().await;
        let mut alice = owner(&server).await;
        let (mut bob, mut bob_too) = (member(&server, "bob").await, member(&server, "bob").await);
        let mut bob_idle = server.account("bob").await;
        alice.say("den", "before").await;
        let seq = alice.ask(act(request, "bob")).await["seq"].clone();
        alice.say("den", "after").await;
        for who in [&mut bob, &mut bob_too] {
            who.hear("den", "before").await;
            who.expect(json!({"event": "member", "seq": seq, "user": "bob", "change": request, "reason": "so"})).await;
            who.expect(json!({"event": "removed", "room": "den", "seq": seq, "change": request, "reason": "so"})).await;
            who.expect_silence().await;
        }
        bob_idle.expect(json!({"event": "removed", "room": "den", "seq": seq, "change": request})).await;
        bob_idle.expect_silence().await;
        let code = if request == "ban" { "banned" } else { "not_a_member" };
        for who in [&mut bob, &mut bob_too, &mut bob_idle] {
            who.ask_in_vain(message("den", "x"), code).await;
            let resumed = who.ask(json!({"request": "resume", "rooms": {"den": 1}})).await;
            assert_eq!(resumed["rooms"][0]["code"], code);
        }
        assert_eq!(server.hello("bob").await.login().await["rooms"], json!([]));
    }
}

#[tokio::test]
async fn who_leaves_is_answered_and_its_other_sessions_are_told() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let (mut bob, mut bob_too) = (member(&server, "bob").await, member(&server, "bob").await);
    let mut bob_idle = server.account("bob").await;
    alice.say("den", "before").await;
    bob.hear("den", "before").await;
    bob.ask(json!({"request": "leave", "room": "den"})).await;
    alice.say("den", "after").await;
    let leave = json!({"event": "member", "user": "bob", "change": "leave", "seq": 3});
    bob_too.hear("den", "before").await;
    bob_too.expect(leave.clone()).await;
    bob_too.expect(json!({"event": "removed", "room": "den", "seq": 3, "change": "leave"})).await;
    bob_too.expect_silence().await;
    bob_idle.expect(json!({"event": "removed", "room": "den", "seq": 3, "change": "leave"})).await;
    bob_idle.expect_silence().await;
    // The one that asked has its answer, and perhaps its own entry; never more.
    bob.send(json!({"request": "ping", "id": "end"})).await;
    loop {
        let object = bob.next().await;
        if object["response"] == "ping" {
            break;
        }
        assert_eq!(object["seq"], 3, "{object}");
    }
}

#[tokio::test]
async fn a_guest_is_put_out_too() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut gus = server.native("gus").await;
    gus.join("den").await;
    alice.say("den", "before").await;
    let seq = alice.ask(act("kick", "gus")).await["seq"].clone();
    alice.say("den", "after").await;
    gus.hear("den", "before").await;
    gus.expect(json!({"event": "member", "seq": seq, "user": "gus", "change": "kick"})).await;
    gus.expect(json!({"event": "removed", "room": "den", "seq": seq, "change": "kick"})).await;
    gus.expect_silence().await;
    gus.join("den").await;
    gus.say("den", "back").await;
}

#[tokio::test]
async fn a_laggard_that_is_put_out_still_gets_what_was_said_until_then() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = member(&server, "bob").await;
    let last = flood(&mut alice, "den", 800).await;
    let seq = alice.ask(act("kick", "bob")).await["seq"].as_u64().unwrap();
    assert_eq!(seq, last + 1);
    alice.say("den", "after").await;
    for expected in 2..=seq {
        let object = bob.next().await;
        let event = if expected == 2 || expected == seq { "member" } else { "message" };
        if object["seq"] == 2 && event == "member" {
            continue;
        }
        assert_eq!((&object["event"], &object["seq"]), (&json!(event), &json!(expected)), "{}", object["seq"]);
    }
    bob.expect(json!({"event": "removed", "room": "den", "seq": seq, "change": "kick"})).await;
    bob.expect_silence().await;
}

#[tokio::test]
async fn who_is_deleted_with_the_room_hears_the_end_of_it_and_the_name_is_free() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = member(&server, "bob").await;
    let mut bob_idle = server.account("bob").await;
    let mut gus = server.native("gus").await;
    let old = gus.join("den").await;
    alice.say("den", "the end").await;
    alice.ask(json!({"request": "delete_room", "room": "den"})).await;
    let removed = json!({"event": "removed", "room": "den", "seq": 2, "change": "delete"});
    for who in [&mut bob, &mut gus] {
        who.hear("den", "the end").await;
        who.expect(removed.clone()).await;
        who.ask_in_vain(message("den", "x"), "no_such_room").await;
        who.expect_silence().await;
    }
    bob_idle.expect(removed).await;
    assert_eq!(server.hello("bob").await.login().await["rooms"], json!([]));
    // Another one has nothing of it.
    bob.ask(json!({"request": "create", "room": "den"})).await;
    let page = bob.ask(json!({"request": "history", "room": "den"})).await;
    assert_eq!((&page["messages"], &page["head"]), (&json!([]), &json!(0)));
    assert_eq!(bob.ask(json!({"request": "search", "query": "end"})).await["messages"], json!([]));
    let since = json!({"request": "join", "room": "den", "since": 2, "epoch": old["epoch"]});
    let joined = alice.ask(since).await;
    assert_eq!((&joined["reset"], &joined["role"]), (&json!(true), &json!("member")));
    assert_ne!(joined["epoch"], old["epoch"]);
    let resumed = gus.ask(json!({"request": "resume", "rooms": {"den": {"since": 1, "epoch": old["epoch"]}}})).await;
    assert_eq!(resumed["rooms"][0]["reset"], true, "also where so much has been said again: {resumed}");
}

#[tokio::test]
async fn a_laggard_hears_the_end_of_a_room_that_was_deleted() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = server.native("bob").await;
    bob.join("den").await;
    let last = flood(&mut alice, "den", 800).await;
    alice.ask(json!({"request": "delete_room", "room": "den"})).await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice.say("den", "of another room").await;
    // What had not been sent when the room went may be gone with it; what comes is in order, and then the end.
    let mut seen = 0;
    loop {
        let object = bob.next().await;
        if object["event"] == "removed" {
            assert_eq!((&object["seq"], &object["change"]), (&json!(last), &json!("delete")));
            break;
        }
        let seq = object["seq"].as_u64().unwrap_or_else(|| panic!("{object}"));
        assert!(seq == seen + 1, "{seq} behind {seen}");
        seen = seq;
    }
    bob.expect_silence().await;
}

#[tokio::test]
async fn a_room_that_is_called_otherwise_goes_on_under_its_new_name() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = member(&server, "bob").await;
    let epoch = bob.join("den").await["epoch"].clone();
    alice.say("den", "under the old name").await;
    let rename = json!({"request": "room", "room": "den", "name": "hall"});
    bob.ask_in_vain(rename.clone(), "forbidden").await;
    let seq = alice.ask(rename).await["seq"].as_u64().unwrap();
    alice.say("hall", "under the new one").await;
    alice.expect(json!({"event": "member", "user": "bob"})).await;
    for who in [&mut alice, &mut bob] {
        who.hear("den", "under the old name").await;
        who.expect(json!({"event": "room", "room": "hall", "seq": seq, "name": "hall", "was": "den"})).await;
        who.hear("hall", "under the new one").await;
        who.ask_in_vain(message("den", "x"), "no_such_room").await;
    }
    let page = bob.ask(json!({"request": "history", "room": "hall"})).await;
    assert_eq!(texts(&page), ["under the old name", "under the new one"]);
    let found = bob.ask(json!({"request": "search", "query": "name"})).await;
    assert_eq!(found["messages"][0]["room"], "hall");
    // The old name is free for another room.
    bob.ask(json!({"request": "create", "room": "den"})).await;
    alice.ask_in_vain(json!({"request": "room", "room": "hall", "name": "den"}), "room_exists").await;
    assert_eq!(alice.join("den").await["head"], 1);
    let server = server.restart().await;
    let mut bob = server.account("bob").await;
    // Whoever was away may know only the old name; the epoch tells which room is meant.
    let rooms = json!({"den": {"since": seq - 1, "epoch": epoch}});
    let resumed = bob.ask(json!({"request": "resume", "rooms": rooms})).await;
    let line = &resumed["rooms"][0];
    assert_eq!((&line["room"], &line["reset"]), (&json!("hall"), &json!(false)), "{resumed}");
    bob.expect(json!({"event": "room", "room": "hall", "seq": seq, "was": "den"})).await;
    bob.hear("hall", "under the new one").await;
}

#[tokio::test]
async fn a_laggard_hears_each_entry_under_the_name_of_its_time() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = server.native("bob").await;
    bob.join("den").await;
    flood(&mut alice, "den", 400).await;
    let rename = alice.ask(json!({"request": "room", "room": "den", "name": "hall"})).await["seq"].as_u64().unwrap();
    let last = flood(&mut alice, "hall", 400).await;
    for seq in 1..=last {
        let object = bob.next().await;
        let room = if seq < rename { "den" } else { "hall" };
        assert_eq!((&object["seq"], &object["room"]), (&json!(seq), &json!(room)), "{rename}");
    }
}

#[tokio::test]
async fn who_lags_after_a_renaming_hears_the_new_name() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = server.native("bob").await;
    bob.join("den").await;
    alice.say("den", "one").await;
    alice.ask(json!({"request": "room", "room": "den", "name": "hall"})).await;
    bob.hear("den", "one").await;
    bob.expect(json!({"event": "room", "room": "hall", "was": "den"})).await;
    // What comes now is more than is in memory, so that it is read from the log.
    let last = flood(&mut alice, "hall", 800).await;
    for seq in 3..=last {
        let object = bob.next().await;
        assert_eq!((&object["seq"], &object["room"]), (&json!(seq), &json!("hall")));
    }
}

#[tokio::test]
async fn two_who_want_the_same_name_do_not_both_get_it() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = server.account("bob").await;
    bob.ask(json!({"request": "create", "room": "attic"})).await;
    tokio::join!(
        alice.send(json!({"request": "room", "room": "den", "name": "hall"})),
        bob.send(json!({"request": "room", "room": "attic", "name": "hall"})),
    );
    let answer = |object: Value| async move { object["error"].is_string() };
    let (first, second) = (
        loop {
            let object = alice.next().await;
            if object["response"] == "room" {
                break answer(object).await;
            }
        },
        answer(bob.next().await).await,
    );
    assert!(first != second, "one of them fails");
}

#[tokio::test]
async fn who_comes_back_before_it_has_heard_that_it_was_put_out_goes_on() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut bob = member(&server, "bob").await;
    alice.ask(act("kick", "bob")).await;
    let joined = bob.join("den").await;
    let seq = alice.say("den", "welcome back").await;
    let mut heard = Vec::new();
    loop {
        let object = bob.next().await;
        if object["seq"].is_u64() && object["event"] != "removed" {
            heard.push(object["seq"].as_u64().unwrap());
        }
        if object["seq"] == seq {
            break;
        }
    }
    let mut sorted = heard.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(heard, sorted, "each once: {joined}");
}

#[tokio::test]
async fn who_changes_something_is_answered_before_it_hears_of_it() {
    let server = server().await;
    let mut alice = owner(&server).await;
    member(&server, "bob").await;
    alice.expect(json!({"event": "member", "user": "bob"})).await;
    for request in [
        act("mute", "bob"),
        act("unmute", "bob"),
        json!({"request": "role", "room": "den", "username": "bob", "role": "owner"}),
        json!({"request": "role", "room": "den", "username": "alice", "role": "owner"}),
        json!({"request": "topic", "room": "den", "topic": "tea"}),
        json!({"request": "room", "room": "den", "slow_mode_s": 1}),
        json!({"request": "room", "room": "den", "kind": "private"}),
        act("invite", "carol"),
        json!({"request": "room", "room": "den", "name": "hall"}),
        json!({"request": "room", "room": "hall", "name": "den"}),
        act("ban", "carol"),
        act("unban", "carol"),
    ] {
        if request["username"] == "carol" {
            server.account("carol").await;
        }
        alice.send(request.clone()).await;
        let answer = alice.next().await;
        assert_eq!(answer["response"], request["request"], "{answer}");
        if answer.get("error").is_none() {
            alice.expect(json!({"event": "<any>", "seq": answer["seq"]})).await;
        }
    }
    alice.expect_silence().await;
}

#[tokio::test]
async fn who_comes_later_hears_everything_under_the_name_that_the_room_has_then() {
    let server = server().await;
    let mut alice = owner(&server).await;
    let mut name = "den";
    for next in ["hall", "attic", "den"] {
        alice.say(name, "something").await;
        alice.ask(json!({"request": "room", "room": name, "name": next})).await;
        name = next;
    }
    let mut bob = server.native("bob").await;
    for room in ["hall", "attic"] {
        bob.ask_in_vain(json!({"request": "join", "room": room, "since": 0}), "no_such_room").await;
    }
    bob.ask(json!({"request": "join", "room": "den", "since": 0})).await;
    for seq in 1..=6 {
        bob.expect(json!({"event": "<any>", "room": "den", "seq": seq})).await;
    }
    // Live, it changes with the entry that says so.
    alice.ask(json!({"request": "unfollow", "room": "den"})).await;
    alice.send_raw(lines([message("den", "x"), json!({"request": "room", "room": "den", "name": "hall"})])).await;
    while alice.next().await["response"] != "room" {}
    alice.say("hall", "y").await;
    bob.expect(json!({"event": "message", "room": "den", "seq": 7})).await;
    bob.expect(json!({"event": "room", "room": "hall", "seq": 8, "was": "den"})).await;
    bob.expect(json!({"event": "message", "room": "hall", "seq": 9})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whoever_posts_into_a_room_that_is_deleted_is_answered() {
    const POSTS: usize = 60;
    let server = server().await;
    for round in 0..5 {
        let room = format!("den-{round}");
        let mut alice = server.account(&format!("alice-{round}")).await;
        alice.ask(json!({"request": "create", "room": room})).await;
        let mut posters = Vec::new();
        for n in 0..3 {
            let mut poster = server.native(&format!("poster-{round}-{n}")).await;
            poster.join(&room).await;
            poster.ask(json!({"request": "unfollow", "room": room})).await;
            posters.push(poster);
        }
        for poster in &mut posters {
            poster.send_raw(message(&room, "words").to_string().repeat(POSTS)).await;
        }
        alice.ask(json!({"request": "delete_room", "room": room})).await;
        for poster in &mut posters {
            let mut answered = 0;
            while answered < POSTS {
                let object = poster.next().await;
                if object["response"] == "message" {
                    assert!(object["seq"].is_u64() || object["code"] == "no_such_room", "{object}");
                    answered += 1;
                }
            }
            poster.ask(json!({"request": "ping"})).await;
        }
    }
}

#[tokio::test]
async fn what_is_said_while_one_is_out_stays_unheard_where_only_members_hear() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    alice.ask(json!({"request": "create", "room": "den", "kind": "private"})).await;
    alice.ask(json!({"request": "room", "room": "den", "history": "joined"})).await;
    let mut bob = server.account("bob").await;
    alice.ask(json!({"request": "invite", "room": "den", "username": "bob"})).await;
    bob.ask(json!({"request": "join", "room": "den"})).await;
    bob.ask(json!({"request": "leave", "room": "den"})).await;
    alice.say("den", "between us").await;
    alice.ask(json!({"request": "invite", "room": "den", "username": "bob"})).await;
    let joined = bob.ask(json!({"request": "join", "room": "den", "since": 0})).await;
    let first = joined["first"].as_u64().unwrap();
    alice.say("den", "for you too").await;
    loop {
        let event = bob.next().await;
        if event["event"] == "message" {
            assert_eq!((&event["text"], event["seq"].as_u64() >= Some(first)), (&json!("for you too"), true));
            break;
        }
    }
    let page = bob.ask(json!({"request": "history", "room": "den", "around": 1})).await;
    assert_eq!(texts(&page), ["for you too"]);
}

#[tokio::test]
async fn a_private_room_that_everybody_has_left_is_still_its_owners() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    alice.ask(json!({"request": "create", "room": "den", "kind": "private"})).await;
    alice.say("den", "mine").await;
    alice.ask(json!({"request": "leave", "room": "den"})).await;
    let mut bob = server.account("bob").await;
    bob.ask_in_vain(json!({"request": "join", "room": "den"}), "no_such_room").await;
    assert_eq!(alice.ask(json!({"request": "join", "room": "den"})).await["role"], "owner");
}

#[tokio::test]
async fn slow_mode_lets_repeats_pass_and_does_not_count_what_was_not_said() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice.ask(json!({"request": "room", "room": "den", "slow_mode_s": 3600})).await;
    let mut bob = server.account("bob").await;
    bob.join("den").await;
    let post = |nonce: &str| json!({"request": "message", "room": "den", "text": "x", "nonce": nonce});
    let answer = json!({"request": "message", "room": "den", "text": "x", "reply_to": 99});
    bob.ask_in_vain(answer, "no_such_message").await;
    let first = bob.ask(post("one")).await;
    bob.ask_in_vain(post("two"), "rate_limited").await;
    let again = bob.ask(post("one")).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&first["seq"], &json!(true)));
}
