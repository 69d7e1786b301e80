//! Tokens of accounts: how they are made, what they are good for, and how that ends.

use serde_json::{Value, json};
use snakk::model::ServerRole;

use crate::support::server::PASSWORD;
use crate::support::{TestServer, Wire, server};

async fn olaf() -> (TestServer, Wire) {
    let server = server().people(ServerRole::User, ["Olaf", "other"]).await;
    let wire = server.login("Olaf").await;
    (server, wire)
}

async fn create(wire: &mut Wire, label: &str) -> (String, Value) {
    let answer = wire.ask(json!({"request": "token", "action": "create", "label": label})).await;
    (answer["token"].as_str().expect("a token").to_owned(), answer["token_id"].clone())
}

fn login(name: &str, token: &str) -> Value {
    json!({"request": "login", "username": name, "token": token})
}

#[tokio::test]
async fn a_token_logs_in_to_its_account_across_a_restart() {
    let (server, mut olaf) = olaf().await;
    let (token, id) = create(&mut olaf, "weather bot").await;
    assert!(token.starts_with("snk_a") && token.len() == 69, "{token}");
    let server = server.restart().await;
    let mut bot = server.hello("bot").await;
    let answer = bot.ask(login("OLAF", &token)).await;
    assert_eq!((&answer["username"], &answer["guest"], answer.get("token")), (&json!("Olaf"), &json!(false), None));
    bot.join("lobby").await;
    bot.say("lobby", "rain").await;
    let listed = bot.ask(json!({"request": "token", "action": "list"})).await;
    let listed = listed["tokens"].as_array().expect("a list");
    assert_eq!((listed.len(), &listed[0]["token_id"], &listed[0]["label"]), (1, &id, &json!("weather bot")));
    assert!(listed[0].get("token").is_none(), "it is shown once");
    assert!(listed[0]["last_used"].is_string(), "{listed:?}");
}

#[tokio::test]
async fn a_token_is_worth_nothing_for_another_account_or_when_it_is_revoked() {
    let (server, mut olaf) = olaf().await;
    let (token, id) = create(&mut olaf, "a").await;
    let (kept, _) = create(&mut olaf, "b").await;
    let mut bot = server.hello("bot").await;
    for (name, token) in [("other", &*token), ("nobody", &token), ("Olaf", &token[..68]), ("Olaf", "snk_a")] {
        bot.ask_in_vain(login(name, token), "bad_credentials").await;
    }
    bot.ask(login("olaf", &token)).await;
    let mut other = server.login("other").await;
    let revoke = json!({"request": "token", "action": "revoke", "token_id": id});
    assert_eq!(other.ask_in_vain(revoke.clone(), "bad_request").await["field"], "token_id");
    olaf.ask(revoke.clone()).await;
    bot.expect(json!({"event": "shutdown", "reason": "<string>", "retry_after_ms": "<int>"})).await;
    bot.expect_close().await;
    olaf.ask_in_vain(revoke, "bad_request").await;
    let mut bot = server.hello("bot").await;
    bot.ask_in_vain(login("olaf", &token), "bad_credentials").await;
    bot.ask(login("olaf", &kept)).await;
    olaf.ask(json!({"request": "whoami"})).await;
}

#[tokio::test]
async fn a_session_that_revokes_its_own_token_is_answered_and_ends() {
    let (server, mut olaf) = olaf().await;
    let (token, id) = create(&mut olaf, "").await;
    let mut bot = server.hello("bot").await;
    bot.ask(login("olaf", &token)).await;
    bot.ask(json!({"request": "token", "action": "revoke", "token_id": id})).await;
    bot.expect(json!({"event": "shutdown"})).await;
    bot.expect_close().await;
}

#[tokio::test]
async fn guests_have_no_tokens_and_accounts_at_most_a_hundred() {
    let (server, mut olaf) = olaf().await;
    let mut gina = server.native("gina").await;
    for action in ["create", "list"] {
        gina.ask_in_vain(json!({"request": "token", "action": action}), "forbidden").await;
    }
    for _ in 0..100 {
        create(&mut olaf, "x").await;
    }
    olaf.ask_in_vain(json!({"request": "token", "action": "create"}), "forbidden").await;
}

#[tokio::test]
async fn wrong_tokens_are_slowed_down_like_wrong_passwords() {
    let server = server().with(|config| config.limits.password_attempts = 3).people(ServerRole::User, ["olaf"]).await;
    let mut eve = server.hello("eve").await;
    for _ in 0..3 {
        eve.ask_in_vain(login("olaf", "snk_a00"), "bad_credentials").await;
    }
    let answer = eve.ask_in_vain(login("olaf", "snk_a00"), "rate_limited").await;
    assert!(answer["retry_after_ms"].as_u64() > Some(5000), "{answer}");
}

#[tokio::test]
async fn another_password_ends_the_other_sessions_but_no_token() {
    let (server, mut olaf) = olaf().await;
    let (token, _) = create(&mut olaf, "bot").await;
    let mut other = server.login("Olaf").await;
    other.join("lobby").await;
    let change = |old: &str, new: &str| json!({"request": "password", "old": old, "new": new});
    olaf.ask_in_vain(change("wrong horse", "another horse"), "bad_credentials").await;
    olaf.ask_in_vain(change(PASSWORD, "short"), "weak_password").await;
    olaf.ask(change(PASSWORD, "another horse")).await;
    other.expect(json!({"event": "shutdown"})).await;
    other.expect_close().await;
    assert_eq!(olaf.ask(json!({"request": "whoami"})).await["sessions"], 1);
    let mut again = server.hello("again").await;
    let with = |password: &str| json!({"request": "login", "username": "olaf", "password": password});
    again.ask_in_vain(with(PASSWORD), "bad_credentials").await;
    again.ask(with("another horse")).await;
    server.hello("bot").await.ask(login("olaf", &token)).await;
    let mut gina = server.native("gina").await;
    gina.ask_in_vain(change("", "another horse"), "forbidden").await;
}

#[tokio::test]
async fn sessions_are_listed_and_closed_by_their_owner() {
    let (server, mut olaf) = olaf().await;
    let (token, _) = create(&mut olaf, "bot").await;
    let mut bot = server.connect("bot").await;
    bot.ask(json!({"request": "hello", "protocol": 1, "client": "bot/2"})).await;
    bot.ask(login("olaf", &token)).await;
    let sessions = |answer: Value| answer["sessions"].as_array().expect("a list").clone();
    let listed = sessions(olaf.ask(json!({"request": "sessions"})).await);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!((&listed[0]["current"], &listed[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!((&listed[1]["client"], &listed[1]["token"]), (&json!("bot/2"), &json!("bot")));
    let mut gina = server.native("gina").await;
    let close = json!({"request": "sessions", "close": listed[1]["session_id"]});
    assert_eq!(gina.ask_in_vain(close.clone(), "bad_request").await["field"], "close");
    assert_eq!(sessions(gina.ask(json!({"request": "sessions"})).await).len(), 1);
    assert_eq!(sessions(olaf.ask(close).await).len(), 1);
    bot.expect(json!({"event": "shutdown"})).await;
    bot.expect_close().await;
    let own = json!({"request": "sessions", "close": listed[0]["session_id"]});
    assert_eq!(sessions(olaf.ask(own).await).len(), 0);
    olaf.expect(json!({"event": "shutdown"})).await;
    olaf.expect_close().await;
}
