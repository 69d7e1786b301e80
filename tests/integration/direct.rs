//! Direct conversations: the room `@NAME`, which is one room with two names.

use serde_json::{Value, json};

use crate::support::wire::{lines, message, texts};
use crate::support::{TestServer, Wire, daemon, server};

/// Two accounts, of which the first has said one thing to the second. Nobody follows.
async fn begun(server: &TestServer) -> (Wire, Wire) {
    let (mut alice, mut bob) = (server.account("alice").await, server.account("bob").await);
    assert_eq!(alice.say("@bob", "have you a minute?").await, 1);
    alice.expect(json!({"event": "invited", "room": "@bob", "head": 1})).await;
    bob.expect(json!({"event": "invited", "room": "@alice", "head": 1})).await;
    (alice, bob)
}

/// Two accounts that follow their conversation.
async fn following(server: &TestServer) -> (Wire, Wire) {
    let (mut alice, mut bob) = begun(server).await;
    alice.join("@bob").await;
    bob.join("@alice").await;
    (alice, bob)
}

/// The line of a room in the answer to a login.
fn line<'a>(login: &'a Value, room: &str) -> Option<&'a Value> {
    login["rooms"].as_array().expect("a list").iter().find(|line| line["room"] == room)
}

/// Logs in as a guest; the token.
async fn guest(wire: &mut Wire) -> String {
    let answer = wire.ask(json!({"request": "login", "username": wire.name})).await;
    answer["token"].as_str().expect("a token").to_owned()
}

fn history(room: &str) -> Value {
    json!({"request": "history", "room": room})
}

#[tokio::test]
async fn the_first_message_makes_the_room_for_both_and_each_sees_it_under_the_name_of_the_other() {
    let server = server().await;
    let (mut alice, mut bob) = (server.account("alice").await, server.account("bob").await);
    for room in ["@bob", "@BOB"] {
        alice.ask_in_vain(json!({"request": "join", "room": room}), "no_such_room").await;
        alice.ask_in_vain(history(room), "no_such_room").await;
        alice.ask_in_vain(json!({"request": "react", "room": room, "target": 1, "emoji": "x"}), "no_such_room").await;
    }
    let answer = alice.ask(message("@Bob", "have you a minute?")).await;
    assert_eq!((&answer["room"], &answer["seq"]), (&json!("@bob"), &json!(1)));
    alice.expect(json!({"event": "invited", "room": "@bob", "head": 1, "from": "<absent>"})).await;
    bob.expect(json!({"event": "invited", "room": "@alice", "head": 1, "from": "<absent>"})).await;

    let joined = bob.ask(json!({"request": "join", "room": "@alice", "since": 0})).await;
    assert_eq!((&joined["room"], &joined["kind"], &joined["head"]), (&json!("@alice"), &json!("direct"), &json!(1)));
    bob.expect(json!({"event": "message", "room": "@alice", "seq": 1, "from": "alice"})).await;
    let joined = alice.ask(json!({"request": "join", "room": "@bob", "backlog": 1})).await;
    assert_eq!((&joined["room"], &joined["role"]), (&json!("@bob"), &json!("member")));
    alice.hear("@bob", "have you a minute?").await;

    let answer = bob.ask(message("@alice", "two")).await;
    assert_eq!((&answer["room"], &answer["seq"]), (&json!("@alice"), &json!(2)));
    bob.hear("@alice", "two").await;
    alice.expect(json!({"event": "message", "room": "@bob", "seq": 2, "from": "bob", "text": "two"})).await;
    for (who, room) in [(&mut alice, "@bob"), (&mut bob, "@alice")] {
        let page = who.ask(history(room)).await;
        assert_eq!(page["room"], room);
        assert_eq!(texts(&page), ["have you a minute?", "two"]);
        let found = who.ask(json!({"request": "search", "query": "minute"})).await;
        assert_eq!((&found["messages"][0]["room"], found["messages"].as_array().unwrap().len()), (&json!(room), 1));
        let found = who.ask(json!({"request": "search", "query": format!("in:{room} two")})).await;
        assert_eq!((&found["messages"][0]["room"], &found["messages"][0]["seq"]), (&json!(room), &json!(2)));
        let found = who.ask(json!({"request": "search", "query": "two", "room": room})).await;
        assert_eq!(found["messages"][0]["text"], "two");
        let read = who.ask(json!({"request": "read", "room": room, "seq": 1})).await;
        assert_eq!(read["room"], room);
        // It is among nobody's rooms: `login` lists it.
        assert_eq!(who.ask(json!({"request": "rooms"})).await["rooms"].as_array().unwrap().len(), 1);
        let resumed = who.ask(json!({"request": "resume", "rooms": {room: 1}})).await;
        assert_eq!(resumed["rooms"][0]["room"], room);
        who.expect(json!({"event": "message", "room": room, "seq": 2})).await;
        assert_eq!(who.ask(json!({"request": "unfollow", "room": room})).await["room"], room);
        assert_eq!(who.ask(json!({"request": "leave", "room": room})).await["room"], room);
        who.expect_silence().await;
    }
}

#[tokio::test]
async fn the_list_at_login_tells_what_is_unread_on_each_side() {
    let server = server().await;
    let (mut alice, mut bob) = following(&server).await;
    alice.say("@bob", "@bob, @alice").await;
    bob.say("@alice", "yes").await;
    let of_alice = server.hello("alice").await.login().await;
    let expected = json!({"room": "@bob", "kind": "direct", "topic": "", "role": "member", "head": 3, "read": 0,
        "unread": 1, "mentions": 0});
    assert_eq!(line(&of_alice, "@bob"), Some(&expected));
    let of_bob = server.hello("bob").await.login().await;
    let expected = json!({"room": "@alice", "kind": "direct", "topic": "", "role": "member", "head": 3, "read": 0,
        "unread": 2, "mentions": 1});
    assert_eq!(line(&of_bob, "@alice"), Some(&expected));
    let read = bob.ask(json!({"request": "read", "room": "@alice", "seq": 2})).await;
    assert_eq!((&read["read"], &read["unread"], &read["mentions"]), (&json!(2), &json!(0), &json!(0)));
    let of_bob = server.hello("bob").await.login().await;
    assert_eq!(line(&of_bob, "@alice").unwrap()["read"], 2);
}

#[tokio::test]
async fn sessions_that_follow_get_entries_and_the_others_get_a_hint() {
    let server = server().await;
    let (mut alice, mut bob) = following(&server).await;
    let mut bob_too = server.account("bob").await;
    let mut alice_too = server.account("alice").await;
    alice.say("@bob", "two").await;
    alice.hear("@bob", "two").await;
    alice_too.expect(json!({"event": "invited", "room": "@bob", "head": 2})).await;
    bob.hear("@alice", "two").await;
    bob_too.expect(json!({"event": "invited", "room": "@alice", "head": 2})).await;
    bob_too.join("@alice").await;
    bob_too.ask(json!({"request": "react", "room": "@alice", "target": 2, "emoji": "👍"})).await;
    bob_too.expect(json!({"event": "react", "room": "@alice", "seq": 3, "from": "bob"})).await;
    bob.expect(json!({"event": "react", "room": "@alice", "seq": 3})).await;
    alice.expect(json!({"event": "react", "room": "@bob", "seq": 3})).await;
    alice_too.expect(json!({"event": "invited", "room": "@bob", "head": 3})).await;
    for who in [&mut alice, &mut alice_too, &mut bob, &mut bob_too] {
        who.expect_silence().await;
    }
}

#[tokio::test]
async fn who_leaves_closes_it_until_something_is_added() {
    let server = server().await;
    let (_, mut bob) = following(&server).await;
    assert_eq!(bob.ask(json!({"request": "leave", "room": "@alice"})).await["room"], "@alice");
    assert_eq!(line(&server.hello("bob").await.login().await, "@alice"), None);
    assert!(line(&server.hello("alice").await.login().await, "@bob").is_some(), "alice has not closed it");
    assert_eq!(texts(&bob.ask(history("@alice")).await), ["have you a minute?"]);
    let server = server.restart().await;
    let mut bob_later = server.hello("bob").await;
    let login = json!({"request": "login", "username": "bob", "password": "correct horse"});
    assert_eq!(line(&bob_later.ask(login).await, "@alice"), None, "that outlives a restart");
    let mut alice = server.account("alice").await;
    alice.join("@bob").await;
    alice.say("@bob", "still there?").await;
    bob_later.expect(json!({"event": "invited", "room": "@alice", "head": 2})).await;
    let login = server.hello("bob").await.login().await;
    assert_eq!(line(&login, "@alice").map(|line| &line["unread"]), Some(&json!(2)));
}

#[tokio::test]
async fn two_who_begin_at_once_have_one_conversation() {
    for _ in 0..8 {
        let server = server().await;
        let (mut alice, mut bob) = (server.account("alice").await, server.account("bob").await);
        tokio::join!(alice.send(message("@bob", "from alice")), bob.send(message("@alice", "from bob")));
        let mut seqs = Vec::new();
        for who in [&mut alice, &mut bob] {
            loop {
                let object = who.next().await;
                if object["response"] == "message" {
                    seqs.push(object["seq"].as_u64().unwrap_or_else(|| panic!("{object}")));
                    break;
                }
            }
        }
        seqs.sort();
        assert_eq!(seqs, [1, 2]);
        let mut said = texts(&alice.ask(history("@bob")).await).join(",");
        assert_eq!(said, texts(&bob.ask(history("@alice")).await).join(","));
        let server = server.restart().await;
        alice = server.account("alice").await;
        said = texts(&alice.ask(history("@bob")).await).join(",");
        assert!(["from alice,from bob", "from bob,from alice"].contains(&said.as_str()), "{said}");
    }
}

#[tokio::test]
async fn nobody_talks_to_oneself_or_to_nobody_or_rules_over_a_conversation() {
    let server = server().await;
    let (mut alice, mut bob) = following(&server).await;
    for room in ["@alice", "@ALICE"] {
        alice.ask_in_vain(message(room, "me"), "forbidden").await;
        alice.ask_in_vain(history(room), "forbidden").await;
    }
    alice.ask_in_vain(message("@nobody", "hello?"), "no_such_user").await;
    alice.ask_in_vain(json!({"request": "join", "room": "@nobody"}), "no_such_room").await;
    for room in ["@", "@@bob", "@b ob", "@bob@alice", "@-bob"] {
        alice.ask_in_vain(message(room, "x"), "bad_name").await;
    }
    server.account("carol").await;
    let names = |request: &str| json!({"request": request, "room": "@bob", "username": "carol"});
    for request in ["invite", "kick", "ban", "unban", "mute", "unmute"] {
        alice.ask_in_vain(names(request), "forbidden").await;
        let mut about_bob = names(request);
        about_bob["username"] = "bob".into();
        alice.ask_in_vain(about_bob, "forbidden").await;
    }
    for request in [
        json!({"request": "topic", "room": "@bob", "topic": "us"}),
        json!({"request": "role", "room": "@bob", "username": "bob", "role": "owner"}),
        json!({"request": "names", "room": "@bob"}),
        json!({"request": "room", "room": "@bob"}),
        json!({"request": "room", "room": "@bob", "kind": "public"}),
        json!({"request": "room", "room": "@bob", "name": "us"}),
        json!({"request": "delete_room", "room": "@bob"}),
        json!({"request": "bans", "room": "@bob"}),
        json!({"request": "acts", "room": "@bob"}),
    ] {
        alice.ask_in_vain(request, "forbidden").await;
    }
    alice.ask_in_vain(json!({"request": "create", "room": "@carol"}), "bad_name").await;
    for who in [&mut alice, &mut bob] {
        who.expect_silence().await;
    }
    assert_eq!(alice.ask(history("@bob")).await["head"], 1);
}

#[tokio::test]
async fn everything_that_is_said_about_what_was_said_works_there_too() {
    let server = server().await;
    let (mut alice, mut bob) = following(&server).await;
    let mut post = message("@bob", "helo");
    post["nonce"] = "n1".into();
    let first = alice.ask(post.clone()).await;
    let again = alice.ask(post.clone()).await;
    assert_eq!((&again["seq"], &again["duplicate"], &again["room"]), (&first["seq"], &json!(true), &json!("@bob")));
    let seq = first["seq"].as_u64().unwrap();
    bob.hear("@alice", "helo").await;
    bob.ask_in_vain(json!({"request": "edit", "room": "@alice", "target": seq, "text": "x"}), "forbidden").await;
    bob.ask_in_vain(json!({"request": "delete", "room": "@alice", "target": seq}), "forbidden").await;
    alice.ask(json!({"request": "edit", "room": "@bob", "target": seq, "text": "hello"})).await;
    bob.expect(json!({"event": "edit", "room": "@alice", "target": seq, "text": "hello"})).await;
    bob.ask(json!({"request": "message", "room": "@alice", "text": "hi", "reply_to": seq})).await;
    bob.hear("@alice", "hi").await;
    bob.ask(json!({"request": "react", "room": "@alice", "target": seq, "emoji": "👋"})).await;
    bob.expect(json!({"event": "react", "room": "@alice"})).await;
    alice.hear("@bob", "helo").await;
    alice.expect(json!({"event": "edit", "room": "@bob", "text": "hello"})).await;
    alice.expect(json!({"event": "message", "room": "@bob", "reply_to": seq})).await;
    alice.expect(json!({"event": "react", "room": "@bob", "emoji": "👋"})).await;
    alice.ask(json!({"request": "typing", "room": "@bob"})).await;
    bob.expect(json!({"event": "typing", "room": "@alice", "user": "alice"})).await;
    bob.ask(json!({"request": "typing", "room": "@alice"})).await;
    alice.expect(json!({"event": "typing", "room": "@bob", "user": "bob"})).await;
    alice.ask(json!({"request": "delete", "room": "@bob", "target": seq, "reason": "so"})).await;
    bob.expect(json!({"event": "delete", "room": "@alice", "target": seq})).await;
    let page = bob.ask(history("@alice")).await;
    assert_eq!((&page["messages"][1]["deleted"], page["messages"][1].get("text")), (&json!(true), None));
    bob.ask(json!({"request": "report", "room": "@alice", "target": 1, "reason": "rude"})).await;
    alice.expect(json!({"event": "delete"})).await;
    alice.expect_silence().await;
}

#[tokio::test]
async fn nobody_else_sees_that_it_exists() {
    let server = server().await;
    let (mut alice, mut bob) = following(&server).await;
    let mut carol = server.account("carol").await;
    alice.say("@bob", "a secret word").await;
    bob.hear("@alice", "a secret word").await;
    for room in ["@alice", "@bob", "@alice:bob", "@1:2", "@2:1", "1:2"] {
        let code = if room.contains(':') { "bad_name" } else { "no_such_room" };
        carol.ask_in_vain(history(room), code).await;
        carol.ask_in_vain(json!({"request": "join", "room": room, "since": 0}), code).await;
        carol.ask_in_vain(json!({"request": "search", "query": "secret", "room": room}), code).await;
    }
    let found = carol.ask(json!({"request": "search", "query": "secret"})).await;
    assert_eq!(found["messages"], json!([]));
    let rooms = carol.ask(json!({"request": "rooms"})).await;
    assert_eq!(rooms["rooms"].as_array().unwrap().len(), 1, "{rooms}");
    let login = server.hello("carol").await.login().await;
    assert_eq!(login["rooms"], json!([]));
    // A conversation of carol's own with one of the two is another one.
    assert_eq!(carol.say("@bob", "hello").await, 1);
    assert_eq!(texts(&carol.ask(history("@bob")).await), ["hello"]);
    bob.expect(json!({"event": "invited", "room": "@carol", "head": 1})).await;
    alice.hear("@bob", "a secret word").await;
    alice.expect_silence().await;
}

#[tokio::test]
async fn all_sessions_of_both_see_the_same_under_load() {
    let server = server().await;
    let (mut alice, mut bob) = following(&server).await;
    let (mut alice_too, mut bob_too) = (server.account("alice").await, server.account("bob").await);
    alice_too.join("@bob").await;
    bob_too.join("@alice").await;
    const EACH: usize = 100;
    let many = |room: &str| lines((0..EACH).map(|n| message(room, &format!("{room} {n}"))));
    tokio::join!(
        alice.send_raw(many("@bob")),
        alice_too.send_raw(many("@bob")),
        bob.send_raw(many("@alice")),
        bob_too.send_raw(many("@alice")),
    );
    let mut logs = Vec::new();
    for (who, room) in [(&mut alice, "@bob"), (&mut alice_too, "@bob"), (&mut bob, "@alice"), (&mut bob_too, "@alice")]
    {
        let mut log = Vec::new();
        while log.len() < 4 * EACH {
            let object = who.next().await;
            if object["event"] == "message" {
                assert_eq!((&object["room"], &object["seq"]), (&json!(room), &json!(log.len() + 2)), "{object}");
                log.push((object["from"].clone(), object["text"].clone()));
            } else {
                assert_eq!(object["response"], "message", "{object}");
            }
        }
        logs.push(log);
    }
    assert!(logs.iter().all(|log| *log == logs[0]), "one order");
}

#[tokio::test]
async fn a_guest_and_an_account_talk_while_the_guest_is_here_and_when_it_is_back() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    let mut gus = server.hello("gus").await;
    let token = guest(&mut gus).await;
    assert_eq!(gus.say("@alice", "psst").await, 1);
    alice.expect(json!({"event": "invited", "room": "@gus", "head": 1})).await;
    alice.ask(json!({"request": "join", "room": "@gus", "since": 0})).await;
    alice.expect(json!({"event": "message", "room": "@gus", "from": "gus", "guest": true})).await;
    gus.expect(json!({"event": "invited", "room": "@alice", "head": 1})).await;
    gus.join("@alice").await;
    alice.say("@gus", "yes?").await;
    gus.hear("@alice", "yes?").await;
    gus.ask(json!({"request": "read", "room": "@alice", "seq": 2})).await;
    drop(gus);
    alice.presence("gus", false).await;
    assert_eq!(alice.say("@gus", "gone?").await, 3);
    // It comes back, and has everything.
    let mut gus = server.hello("gus").await;
    let login = gus.ask(json!({"request": "login", "username": "gus", "token": token})).await;
    let expected = json!({"room": "@alice", "kind": "direct", "topic": "", "role": "member", "head": 3, "read": 2,
        "unread": 1, "mentions": 0});
    assert_eq!(line(&login, "@alice"), Some(&expected), "{login}");
    gus.ask(json!({"request": "resume", "rooms": {"@alice": 2}})).await;
    gus.hear("@alice", "gone?").await;
    gus.ask(json!({"request": "edit", "room": "@alice", "target": 1, "text": "psst!"})).await;
    gus.expect(json!({"event": "edit", "room": "@alice", "target": 1})).await;
    assert_eq!(texts(&alice.ask(history("@gus")).await), ["psst!", "yes?", "gone?"]);
}

#[tokio::test]
async fn a_conversation_with_a_guest_ends_when_somebody_else_has_its_name() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    let mut alice_too = server.account("alice").await;
    let mut gus = server.native("gus").await;
    gus.say("@alice", "between us").await;
    alice.expect(json!({"event": "invited", "room": "@gus", "head": 1})).await;
    alice_too.expect(json!({"event": "invited", "room": "@gus", "head": 1})).await;
    alice.ask(json!({"request": "join", "room": "@gus", "since": 0})).await;
    alice.hear("@gus", "between us").await;
    gus.reset();
    alice.presence("gus", false).await;
    let mut other = server.hello("gus").await;
    let login = other.ask(json!({"request": "login", "username": "gus"})).await;
    assert_eq!(login["rooms"], json!([]));
    other.ask_in_vain(history("@alice"), "no_such_room").await;
    assert_eq!(other.ask(json!({"request": "search", "query": "between"})).await["messages"], json!([]));
    let removed = json!({"event": "removed", "room": "@gus", "seq": 1, "change": "delete"});
    alice.expect(removed.clone()).await;
    alice_too.expect(removed).await;
    alice.ask_in_vain(history("@gus"), "no_such_room").await;
    assert_eq!(alice.ask(json!({"request": "search", "query": "between"})).await["messages"], json!([]));
    // Another conversation begins at its beginning.
    assert_eq!(alice.say("@gus", "who are you?").await, 1);
    other.expect(json!({"event": "invited", "room": "@alice", "head": 1})).await;
    assert_eq!(texts(&other.ask(history("@alice")).await), ["who are you?"]);
}

#[tokio::test]
async fn conversations_outlive_a_restart_and_a_kill() {
    let mut daemon = daemon().await;
    let (mut alice, mut bob) = (daemon.account("alice").await, daemon.account("bob").await);
    for n in 1..=20 {
        assert_eq!(alice.say("@bob", &format!("{n}")).await, n);
    }
    bob.ask(json!({"request": "read", "room": "@alice", "seq": 7})).await;
    daemon.kill9().await;
    let daemon = daemon.again().await;
    let login = daemon.hello("bob").await.login().await;
    let counts = |login: &Value| line(login, "@alice").map(|line| (line["read"].clone(), line["unread"].clone()));
    assert_eq!(counts(&login), Some((json!(7), json!(13))));
    let daemon = daemon.restart().await;
    let login = daemon.hello("bob").await.login().await;
    assert_eq!(counts(&login), Some((json!(7), json!(13))));
    bob = daemon.account("bob").await;
    assert_eq!(bob.say("@alice", "back").await, 21);
    alice = daemon.account("alice").await;
    assert_eq!(texts(&alice.ask(history("@bob")).await).len(), 21);
}

#[tokio::test]
async fn who_has_blocked_somebody_gets_no_conversation_from_it() {
    let server = server().await;
    let (mut alice, mut bob) = (server.account("alice").await, server.account("bob").await);
    bob.ask(json!({"request": "block", "username": "alice"})).await;
    alice.ask_in_vain(message("@bob", "hello?"), "forbidden").await;
    bob.expect_silence().await;
    assert_eq!(line(&server.hello("bob").await.login().await, "@alice"), None);
    bob.ask(json!({"request": "unblock", "username": "alice"})).await;
    alice.say("@bob", "hello?").await;
    bob.expect(json!({"event": "invited", "room": "@alice", "head": 1})).await;
    bob.ask(json!({"request": "block", "username": "alice"})).await;
    alice.ask_in_vain(message("@bob", "and again"), "forbidden").await;
    alice.ask(json!({"request": "typing", "room": "@bob"})).await;
    bob.expect_silence().await;
    let login = server.hello("bob").await.login().await;
    assert_eq!(line(&login, "@alice").map(|line| &line["unread"]), Some(&json!(0)));
}

#[tokio::test]
async fn who_writes_to_another_guest_of_the_same_name_begins_anew_at_once() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    for round in 0..3 {
        let mut gus = server.native("gus").await;
        alice.say("@gus", &format!("hello, the {round}.")).await;
        gus.expect(json!({"event": "invited", "room": "@alice", "head": 1})).await;
        if round > 0 {
            alice.expect(json!({"event": "removed", "room": "@gus", "seq": 1, "change": "delete"})).await;
        }
        alice.expect(json!({"event": "invited", "room": "@gus", "head": 1})).await;
        assert_eq!(texts(&gus.ask(history("@alice")).await), [format!("hello, the {round}.")]);
        assert_eq!(texts(&alice.ask(history("@gus")).await), [format!("hello, the {round}.")]);
        gus.ask(json!({"request": "logout"})).await;
    }
    assert_eq!(texts(&alice.ask(history("@gus")).await), ["hello, the 2."]);
}

#[tokio::test]
async fn a_conversation_with_a_guest_outlives_a_restart_if_the_guest_comes_back() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    let mut gus = server.hello("gus").await;
    let token = guest(&mut gus).await;
    gus.say("@alice", "psst").await;
    alice.ask(json!({"request": "read", "room": "@gus", "seq": 1})).await;
    let server = server.restart().await;
    let login = server.hello("alice").await.login().await;
    assert_eq!(line(&login, "@gus").map(|line| &line["head"]), Some(&json!(1)));
    let mut alice = server.account("alice").await;
    assert_eq!(texts(&alice.ask(history("@gus")).await), ["psst"], "what is listed can be read");
    alice.ask(json!({"request": "join", "room": "@gus", "since": 0})).await;
    alice.hear("@gus", "psst").await;
    assert_eq!(alice.say("@gus", "are you there?").await, 2);
    alice.hear("@gus", "are you there?").await;
    let mut gus = server.hello("gus").await;
    let login = gus.ask(json!({"request": "login", "username": "gus", "token": token})).await;
    assert_eq!(line(&login, "@alice").map(|line| &line["head"]), Some(&json!(2)), "{login}");
    gus.ask(json!({"request": "join", "room": "@alice", "since": 0})).await;
    gus.hear("@alice", "psst").await;
    gus.hear("@alice", "are you there?").await;
    gus.ask(json!({"request": "edit", "room": "@alice", "target": 1, "text": "psst!"})).await;
    alice.expect(json!({"event": "edit", "room": "@gus", "target": 1})).await;
    // In another life somebody else takes the name.
    let server = server.restart().await;
    let mut other = server.native("gus").await;
    other.ask_in_vain(history("@alice"), "no_such_room").await;
    let mut alice = server.account("alice").await;
    alice.ask_in_vain(history("@gus"), "no_such_room").await;
    assert_eq!(alice.say("@gus", "who are you?").await, 1);
    assert_eq!(texts(&other.ask(history("@alice")).await), ["who are you?"]);
}
