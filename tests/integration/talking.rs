//! What is said about what was said: edits, deletions, reactions, answers, mentions, topics. Whoever was away sees what is
//! left of it.

use serde_json::{Value, json};

use crate::support::wire::message;
use crate::support::{TestServer, Wire, server};

/// Two accounts that follow a room, of which the first made it.
async fn den(server: &TestServer) -> (Wire, Wire) {
    let (mut alice, mut bob) = (server.account("alice").await, server.account("bob").await);
    alice.ask(json!({"request": "create", "room": "den"})).await;
    alice.join("den").await;
    bob.join("den").await;
    alice.expect(json!({"event": "member", "user": "bob", "change": "join"})).await;
    (alice, bob)
}

/// Says something, and lets both hear it.
async fn said(who: &mut Wire, other: &mut Wire, text: &str) -> u64 {
    let seq = who.say("den", text).await;
    who.hear("den", text).await;
    other.hear("den", text).await;
    seq
}

async fn history(who: &mut Wire) -> Vec<Value> {
    let page = who.ask(json!({"request": "history", "room": "den"})).await;
    page["messages"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_edit_is_an_entry_and_history_shows_what_is_left() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let first = said(&mut alice, &mut bob, "helo").await;
    let edited = alice.ask(json!({"request": "edit", "room": "den", "target": first, "text": "hello"})).await;
    let event = json!({"event": "edit", "room": "den", "seq": edited["seq"], "from": "alice", "target": first,
        "text": "hello"});
    alice.expect(event.clone()).await;
    let told = bob.expect(event).await;
    let messages = history(&mut bob).await;
    assert_eq!((&messages[0]["text"], &messages[0]["edited"]), (&json!("hello"), &told["time"]));
    // Edited again: the first edit has nothing to show any more.
    let again = alice.ask(json!({"request": "edit", "room": "den", "target": first, "text": "hello!"})).await;
    bob.expect(json!({"event": "edit", "seq": again["seq"], "text": "hello!"})).await;
    let mut carol = server.account("carol").await;
    carol.ask(json!({"request": "join", "room": "den", "since": 0})).await;
    carol.expect(json!({"event": "member", "user": "bob"})).await;
    carol.expect(json!({"event": "message", "seq": first, "text": "hello!", "edited": "<any>"})).await;
    let old = carol.expect(json!({"event": "edit", "seq": edited["seq"], "target": first})).await;
    assert_eq!(old.get("text"), None);
    carol.expect(json!({"event": "edit", "seq": again["seq"], "text": "hello!"})).await;
}

#[tokio::test]
async fn only_the_author_edits_and_nobody_edits_what_is_no_message() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let first = said(&mut bob, &mut alice, "mine").await;
    let edit = |target: u64, text: &str| json!({"request": "edit", "room": "den", "target": target, "text": text});
    alice.ask_in_vain(edit(first, "yours"), "forbidden").await;
    bob.ask_in_vain(edit(1, "x"), "no_such_message").await;
    bob.ask_in_vain(edit(999, "x"), "no_such_message").await;
    bob.ask_in_vain(edit(0, "x"), "no_such_message").await;
    bob.ask_in_vain(edit(first, "\u{1b}"), "bad_text").await;
    bob.ask_in_vain(edit(999, "\u{1b}"), "no_such_message").await;
    let changed = bob.ask(edit(first, "still mine")).await;
    bob.ask_in_vain(edit(changed["seq"].as_u64().unwrap(), "x"), "no_such_message").await;
    assert_eq!(history(&mut alice).await[0]["text"], "still mine");
}

#[tokio::test]
async fn authors_and_moderators_take_messages_back() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let one = said(&mut bob, &mut alice, "one").await;
    let two = said(&mut bob, &mut alice, "two").await;
    let three = said(&mut alice, &mut bob, "three").await;
    let delete = |target: u64| json!({"request": "delete", "room": "den", "target": target, "reason": "so"});
    bob.ask_in_vain(delete(three), "forbidden").await;
    bob.ask(delete(one)).await;
    alice.expect(json!({"event": "delete", "from": "bob", "target": one, "reason": "so"})).await;
    alice.ask(delete(two)).await;
    bob.expect(json!({"event": "delete", "target": one})).await;
    bob.expect(json!({"event": "delete", "from": "alice", "target": two})).await;
    for who in [&mut alice, &mut bob] {
        who.ask_in_vain(delete(two), "no_such_message").await;
        who.ask_in_vain(json!({"request": "edit", "room": "den", "target": two, "text": "x"}), "no_such_message").await;
        let answer = json!({"request": "message", "room": "den", "text": "x", "reply_to": two});
        who.ask_in_vain(answer, "no_such_message").await;
        let react = json!({"request": "react", "room": "den", "target": two, "emoji": "👍"});
        who.ask_in_vain(react, "no_such_message").await;
    }
    let messages = history(&mut alice).await;
    assert_eq!(messages.len(), 3);
    for gone in &messages[..2] {
        assert_eq!((gone.get("text"), &gone["deleted"]), (None, &json!(true)), "{gone}");
    }
    // The room's moderators can look up who took back what of others.
    let acts = alice.ask(json!({"request": "acts", "room": "den"})).await;
    assert_eq!(acts["acts"][0]["act"], "delete", "{acts}");
    assert_eq!((&acts["acts"][0]["by"], &acts["acts"][0]["target"]), (&json!("alice"), &json!(two.to_string())));
    assert_eq!(acts["acts"].as_array().unwrap().len(), 1, "what bob did to his own is nobody's business: {acts}");
}

#[tokio::test]
async fn reactions_are_counted_once_for_each_user_and_can_be_taken_back() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    let target = said(&mut alice, &mut bob, "lunch?").await;
    let react = |emoji: &str| json!({"request": "react", "room": "den", "target": target, "emoji": emoji});
    let first = bob.ask(react("👍")).await;
    alice.expect(json!({"event": "react", "from": "bob", "target": target, "emoji": "👍", "remove": false})).await;
    let again = bob.ask(react("👍")).await;
    assert_eq!(first["seq"], again["seq"], "it is there already");
    alice.ask(react("👍")).await;
    alice.ask(react("🍕")).await;
    let reactions = history(&mut bob).await[0]["reactions"].clone();
    let expected = json!([{"emoji": "👍", "count": 2, "users": ["bob", "alice"]},
        {"emoji": "🍕", "count": 1, "users": ["alice"]}]);
    assert_eq!(reactions, expected);
    bob.ask(json!({"request": "react", "room": "den", "target": target, "emoji": "👍", "remove": true})).await;
    let remove = json!({"request": "react", "room": "den", "target": target, "emoji": "👍", "remove": true});
    bob.ask_in_vain(remove, "no_such_message").await;
    assert_eq!(history(&mut bob).await[0]["reactions"][0], json!({"emoji": "👍", "count": 1, "users": ["alice"]}));
    for (emoji, code) in
        [("", "bad_text"), (" ", "bad_text"), ("\u{1b}", "bad_text"), (&"x".repeat(65), "text_too_long")]
    {
        bob.ask_in_vain(react(emoji), code).await;
    }
    for kind in 0..48 {
        bob.ask(react(&format!("e{kind}"))).await;
    }
    bob.ask_in_vain(react("one more"), "forbidden").await;
    bob.ask(react("🍕")).await;
}

#[tokio::test]
async fn what_follows_in_the_same_breath_acts_upon_what_went_before() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    // Twenty messages, each edited, every second taken back, in one write: one commit, or a few.
    let mut input = String::new();
    for n in 0..20 {
        let seq = 2 + 2 * n + n / 2;
        input += &message("den", &format!("draft {n}")).to_string();
        input += &json!({"request": "edit", "room": "den", "target": seq, "text": format!("final {n}")}).to_string();
        if n % 2 == 1 {
            input += &json!({"request": "delete", "room": "den", "target": seq}).to_string();
        }
    }
    alice.send_raw(input).await;
    let mut shown = vec![None; 60];
    for seq in 2..=51_u64 {
        let event = bob.next().await;
        assert_eq!(event["seq"], seq, "{event}");
        let text = event["text"].as_str().map(str::to_owned);
        match event["event"].as_str() {
            Some("message") => shown[seq as usize] = text,
            Some("edit") => {
                if let Some(text) = text {
                    shown[event["target"].as_u64().unwrap() as usize] = Some(text);
                }
            }
            Some("delete") => shown[event["target"].as_u64().unwrap() as usize] = None,
            _ => panic!("{event}"),
        }
    }
    let messages = history(&mut bob).await;
    assert_eq!(messages.len(), 20);
    for (n, message) in messages.iter().enumerate() {
        let text = message.get("text").and_then(Value::as_str);
        assert_eq!(text, (n % 2 == 0).then(|| format!("final {n}")).as_deref());
        assert_eq!(shown[message["seq"].as_u64().unwrap() as usize].as_deref(), text, "as it came, live");
    }
}

#[tokio::test]
async fn whoever_is_called_by_name_is_mentioned() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    server.account("carol").await;
    let text = "@Bob and @carol, mail bob@example.com; @nobody @here @alice";
    let seq = alice.say("den", text).await;
    let heard = bob.hear("den", text).await;
    assert_eq!(heard["mentions"], json!(["bob"]), "members of the room, and not oneself");
    let lines = |login: &Value| (login["rooms"][0]["unread"].clone(), login["rooms"][0]["mentions"].clone());
    let again = server.hello("bob").await.login().await;
    assert_eq!(lines(&again), (json!(1), json!(1)));
    alice.ask(json!({"request": "edit", "room": "den", "target": seq, "text": "never mind"})).await;
    assert_eq!(lines(&server.hello("bob").await.login().await), (json!(1), json!(0)));
    alice.ask(json!({"request": "edit", "room": "den", "target": seq, "text": "@bob!"})).await;
    assert_eq!(lines(&server.hello("bob").await.login().await), (json!(1), json!(1)));
    alice.ask(json!({"request": "delete", "room": "den", "target": seq})).await;
    assert_eq!(lines(&server.hello("bob").await.login().await), (json!(0), json!(0)));
}

#[tokio::test]
async fn a_topic_is_an_entry_and_is_shown_wherever_the_room_is() {
    let server = server().await;
    let (mut alice, mut bob) = den(&server).await;
    bob.ask(json!({"request": "topic", "room": "den", "topic": "tea & cake"})).await;
    alice.expect(json!({"event": "topic", "from": "bob", "topic": "tea & cake"})).await;
    let joined = alice.ask(json!({"request": "join", "room": "den"})).await;
    assert_eq!(joined["topic"], "tea & cake");
    let rooms = bob.ask(json!({"request": "rooms"})).await;
    assert_eq!(rooms["rooms"][0]["topic"], "tea & cake");
    bob.ask_in_vain(json!({"request": "topic", "room": "den", "topic": "a\nb"}), "bad_text").await;
    bob.ask_in_vain(json!({"request": "topic", "room": "den", "topic": "x".repeat(513)}), "text_too_long").await;
    let server = server.restart().await;
    let login = server.hello("bob").await.login().await;
    assert_eq!(login["rooms"][0]["topic"], "tea & cake");
    bob = server.account("bob").await;
    bob.ask(json!({"request": "topic", "room": "den", "topic": ""})).await;
}
