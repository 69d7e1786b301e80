//! Who somebody is: names, accounts and their passwords, guests and their tokens.

use serde_json::json;

use crate::support::server::PASSWORD;
use crate::support::{Wire, server};

#[tokio::test]
async fn whoami_counts_sessions() {
    let server = server().await;
    let mut alice = server.account("alice").await;
    let mut again = server.account("alice").await;
    let expected = json!({"response": "whoami", "username": "alice", "guest": false, "role": "user", "sessions": 2});
    alice.send(json!({"request": "whoami"})).await;
    alice.expect_exactly(&expected, &mut Default::default()).await;
    again.ask(json!({"request": "logout"})).await;
    let mut bob = server.native("bob").await;
    let bob = bob.ask(json!({"request": "whoami"})).await;
    assert_eq!((&bob["guest"], &bob["sessions"]), (&json!(true), &json!(1)));
    assert_eq!(alice.ask(json!({"request": "whoami"})).await["sessions"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_logout_frees_the_name_before_it_is_answered() {
    let server = server().await;
    let (mut alice, mut other) = (server.native("alice").await, server.hello("other").await);
    for _ in 0..50 {
        other.ask_in_vain(json!({"request": "login", "username": "alice"}), "name_taken").await;
        alice.ask(json!({"request": "logout"})).await;
        alice.ask_in_vain(json!({"request": "whoami"}), "not_logged_in").await;
        other.ask(json!({"request": "login", "username": "alice"})).await;
        std::mem::swap(&mut alice, &mut other);
    }
}

#[tokio::test]
async fn a_name_is_taken_in_any_case_by_look_alikes_and_by_accounts() {
    let server = server().await;
    let _alice = server.native("alice").await;
    let mut owner = server.account("Olaf").await;
    owner.ask(json!({"request": "logout"})).await;
    let mut bob = server.hello("bob").await;
    for name in ["alice", "ALICE", "Alice", "olaf", "OLAF", "O1af", "0laf", "a1ice"] {
        bob.ask_in_vain(json!({"request": "login", "username": name}), "name_taken").await;
        bob.ask_in_vain(json!({"request": "register", "username": name, "password": PASSWORD}), "name_taken").await;
    }
    for name in ["", "a b", "-a", "_a", "å", "a.b", "@a", "server", "Admin", "snakkd", "everyone", &"x".repeat(33)] {
        let answer = bob.ask_in_vain(json!({"request": "login", "username": name}), "bad_name").await;
        assert_eq!(answer["field"], "username");
    }
    bob.ask(json!({"request": "login", "username": "x".repeat(32)})).await;
}

#[tokio::test]
async fn an_account_logs_in_with_its_password_in_any_case_of_its_name() {
    let server = server().await;
    let mut olaf = server.hello("olaf").await;
    let answer = olaf.ask(json!({"request": "register", "username": "Olaf", "password": PASSWORD})).await;
    assert_eq!((&answer["username"], &answer["guest"], answer.get("token")), (&json!("Olaf"), &json!(false), None));
    olaf.ask(json!({"request": "join", "room": "lobby"})).await;
    let server = server.restart().await;
    let mut olaf = server.hello("olaf").await;
    let unknown =
        olaf.ask_in_vain(json!({"request": "login", "username": "nobody", "password": PASSWORD}), "bad_credentials");
    let unknown = unknown.await;
    let wrong =
        olaf.ask_in_vain(json!({"request": "login", "username": "olaf", "password": "wrong horse"}), "bad_credentials");
    assert_eq!(wrong.await["error"], unknown["error"]);
    let answer = olaf.ask(json!({"request": "login", "username": "OLAF", "password": PASSWORD})).await;
    assert_eq!(answer["username"], "Olaf");
    let rooms = answer["rooms"].as_array().unwrap();
    assert_eq!(rooms.len(), 1);
    assert_eq!(
        (&rooms[0]["room"], &rooms[0]["head"], &rooms[0]["role"]),
        (&json!("lobby"), &json!(1), &json!("member"))
    );
}

#[tokio::test]
async fn weak_passwords_are_refused_and_registration_can_be_closed() {
    let server = server().await;
    let mut olaf = server.hello("olaf").await;
    for password in ["", "short", "1234567", "olafolaf"] {
        let name = if password == "olafolaf" { "olafolaf" } else { "olaf" };
        olaf.ask_in_vain(json!({"request": "register", "username": name, "password": password}), "weak_password").await;
    }
    let closed = crate::support::server()
        .with(|config| config.accounts.registration = snakk::config::Registration::Closed)
        .await;
    let mut olaf = closed.hello("olaf").await;
    let request = json!({"request": "register", "username": "olaf", "password": PASSWORD});
    olaf.ask_in_vain(request, "registration_closed").await;
}

/// The token of a new guest of that name.
async fn token(wire: &mut Wire) -> String {
    let answer = wire.ask(json!({"request": "login", "username": wire.name})).await;
    assert_eq!(answer["guest"], true);
    answer["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_guest_returns_with_its_token_as_the_same_guest() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = token(&mut gina).await;
    gina.join("lobby").await;
    gina.ask(json!({"request": "create", "room": "den"})).await;
    let post = json!({"request": "message", "room": "lobby", "text": "mine", "nonce": "n1"});
    let first = gina.ask(post.clone()).await;
    gina.reset();

    let mut again = server.hello("gina").await;
    let answer = again.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    assert_eq!((&answer["username"], &answer["guest"]), (&json!("gina"), &json!(true)));
    // A member still, without a new join.
    let repeated = again.ask(post).await;
    assert_eq!(
        (&repeated["seq"], &repeated["time"], &repeated["duplicate"]),
        (&first["seq"], &first["time"], &json!(true))
    );
    again.say("den", "still here").await;
}

#[tokio::test]
async fn a_guest_returns_even_while_its_old_connection_hangs() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = token(&mut gina).await;
    gina.join("lobby").await;
    let mut again = server.hello("gina again").await;
    again.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    again.say("lobby", "it is me").await;
    gina.expect_close().await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_for_another_name_or_when_the_name_is_anothers() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = token(&mut gina).await;
    let mut eve = server.hello("eve").await;
    eve.ask_in_vain(json!({"request": "login", "username": "eve", "token": token}), "bad_credentials").await;
    eve.ask_in_vain(json!({"request": "login", "username": "gina", "token": "x"}), "bad_credentials").await;
    gina.join("lobby").await;
    let post = json!({"request": "message", "room": "lobby", "text": "mine", "nonce": "n1"});
    gina.ask(post.clone()).await;
    gina.ask(json!({"request": "logout"})).await;
    eve.ask(json!({"request": "login", "username": "gina"})).await;
    gina.ask_in_vain(json!({"request": "login", "username": "gina", "token": token}), "bad_credentials").await;
    // Who takes the name inherits nothing.
    eve.ask_in_vain(post.clone(), "not_a_member").await;
    eve.join("lobby").await;
    let answer = eve.ask(post).await;
    assert_eq!((&answer["seq"], answer.get("duplicate")), (&json!(2), None));
}

#[tokio::test]
async fn a_guest_returns_across_a_restart_of_the_daemon() {
    let daemon = crate::support::daemon().await;
    let mut gina = daemon.hello("gina").await;
    let token = token(&mut gina).await;
    gina.join("lobby").await;
    let post = json!({"request": "message", "room": "lobby", "text": "mine", "nonce": "n1"});
    let first = gina.ask(post.clone()).await;
    gina.hear("lobby", "mine").await;
    let daemon = daemon.restart().await;
    gina.expect(json!({"event": "shutdown", "reason": "<string>", "retry_after_ms": "<int>"})).await;
    let mut gina = daemon.hello("gina").await;
    gina.ask(json!({"request": "login", "username": "gina", "token": token})).await;
    let resumed = gina.ask(json!({"request": "resume", "rooms": {"lobby": first["seq"]}})).await;
    assert_eq!((&resumed["rooms"][0]["head"], &resumed["rooms"][0]["reset"]), (&json!(1), &json!(false)));
    let repeated = gina.ask(post).await;
    assert_eq!((&repeated["seq"], &repeated["duplicate"]), (&first["seq"], &json!(true)));
    gina.expect_silence().await;
}

#[tokio::test]
async fn an_account_stays_a_member_while_it_is_away() {
    let server = server().await;
    let mut alice = server.native("alice").await;
    alice.join("lobby").await;
    let mut olaf = server.account("olaf").await;
    olaf.join("lobby").await;
    olaf.ask(json!({"request": "logout"})).await;
    alice.expect(json!({"event": "member", "user": "olaf"})).await;
    alice.say("lobby", "for later").await;
    olaf.send(json!({"request": "login", "username": "olaf", "password": PASSWORD})).await;
    let room = json!({"room": "lobby", "head": 2, "unread": 1, "role": "member"});
    let login = olaf.expect(json!({"response": "login", "rooms": "<any>"})).await;
    for key in ["room", "head", "role", "unread"] {
        assert_eq!(login["rooms"][0][key], room[key], "{key} in {login}");
    }
    olaf.expect_silence().await;
    olaf.ask(json!({"request": "resume", "rooms": {"lobby": 1}})).await;
    olaf.expect(json!({"event": "message", "seq": 2, "text": "for later"})).await;
    let names = olaf.ask(json!({"request": "names", "room": "lobby"})).await;
    assert_eq!(
        names["names"],
        json!([
            {"name": "alice", "role": "member", "online": true, "status": "online", "guest": true},
            {"name": "olaf", "role": "member", "online": true, "status": "online", "guest": false},
        ])
    );
}

#[tokio::test]
async fn a_guest_that_logged_out_may_still_return() {
    let server = server().await;
    let mut gina = server.hello("gina").await;
    let token = token(&mut gina).await;
    gina.join("lobby").await;
    gina.ask(json!({"request": "logout"})).await;
    let mut bob = server.native("bob").await;
    let names = bob.ask(json!({"request": "names", "room": "lobby"})).await;
    assert_eq!(names["names"], json!([]));
    gina.ask(json!({"request": "login", "username": "GINA", "token": token})).await;
    gina.say("lobby", "here again").await;
    let names = bob.ask(json!({"request": "names"})).await;
    let online: Vec<&str> =
        names["names"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(online, ["bob", "gina"]);
}
