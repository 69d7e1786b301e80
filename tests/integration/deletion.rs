//! The end of an account, and blocking.

use serde_json::json;
use snakk::model::ServerRole;

use crate::support::server;
use crate::support::server::PASSWORD;

#[tokio::test]
async fn whoever_deletes_the_account_is_gone_at_once_and_for_ever() {
    let server = server().people(ServerRole::User, ["olaf", "anna", "bea"]).await;
    let (mut olaf, mut other, mut anna, mut bea) =
        (server.login("olaf").await, server.login("olaf").await, server.login("anna").await, server.login("bea").await);
    olaf.ask(json!({"request": "create", "room": "den"})).await;
    for wire in [&mut other, &mut anna] {
        wire.join("den").await;
    }
    bea.say("@olaf", "hello").await;
    olaf.say("@bea", "hello").await;
    olaf.say("den", "mine").await;
    other.ask_in_vain(json!({"request": "delete_account", "password": "wrong horse"}), "bad_credentials").await;
    olaf.ask(json!({"request": "delete_account", "password": PASSWORD})).await;
    olaf.ask_in_vain(json!({"request": "whoami"}), "not_logged_in").await;
    assert!(other.rest().await.iter().any(|object| object["event"] == "shutdown"));
    // What it owned is somebody else's, and what it said stays.
    anna.hear("den", "mine").await;
    anna.expect(json!({"event": "member", "room": "den", "user": "anna", "change": "role", "role": "owner"})).await;
    anna.expect(json!({"event": "member", "room": "den", "user": "olaf", "change": "leave"})).await;
    let mut server = server;
    for restarted in [false, true] {
        if restarted {
            server = server.restart().await;
            bea = server.login("bea").await;
        }
        let say = json!({"request": "message", "room": "@olaf", "text": "still there?"});
        bea.ask_in_vain(say, "no_such_user").await;
        let history = bea.ask(json!({"request": "history", "room": "@olaf"})).await;
        assert_eq!(history["messages"].as_array().map(Vec::len), Some(2), "{history}");
        let mut eve = server.hello("eve").await;
        eve.ask_in_vain(json!({"request": "login", "username": "olaf", "password": PASSWORD}), "bad_credentials").await;
        for name in ["olaf", "OLAF", "0laf"] {
            eve.ask_in_vain(json!({"request": "login", "username": name}), "name_taken").await;
            let register = json!({"request": "register", "username": name, "password": PASSWORD});
            eve.ask_in_vain(register, "name_taken").await;
        }
    }
}

#[tokio::test]
async fn an_admin_deletes_the_accounts_of_others_but_of_no_admin() {
    let server = server().people(ServerRole::Admin, ["root", "ada"]).people(ServerRole::User, ["olaf", "anna"]).await;
    let (mut root, mut olaf, mut anna) =
        (server.login("root").await, server.login("olaf").await, server.login("anna").await);
    olaf.join("lobby").await;
    let delete = |name: &str| json!({"request": "delete_account", "username": name});
    for name in ["olaf", "nobody"] {
        anna.ask_in_vain(delete(name), "forbidden").await;
    }
    for (name, code) in [("root", "forbidden"), ("ada", "forbidden"), ("nobody", "no_such_user"), ("-", "bad_name")] {
        root.ask_in_vain(delete(name), code).await;
    }
    root.ask(delete("olaf")).await;
    assert!(olaf.rest().await.iter().any(|object| object["event"] == "shutdown"));
    root.ask_in_vain(delete("olaf"), "no_such_user").await;
    let names = root.ask(json!({"request": "names", "room": "lobby"})).await;
    assert_eq!(names["names"], json!([]));
    let acts = root.ask(json!({"request": "acts"})).await;
    assert_eq!((&acts["acts"][0]["act"], &acts["acts"][0]["target"]), (&json!("delete_account"), &json!("olaf")));
}

#[tokio::test]
async fn whoever_is_blocked_begins_no_conversation_also_after_a_restart() {
    let server = server().people(ServerRole::User, ["olaf", "anna"]).await;
    let (mut olaf, mut anna, mut gina) =
        (server.login("olaf").await, server.login("anna").await, server.native("gina").await);
    let about = |request: &str, name: &str| json!({"request": request, "username": name});
    for (name, code) in [("olaf", "forbidden"), ("nobody", "no_such_user"), ("", "bad_name")] {
        olaf.ask_in_vain(about("block", name), code).await;
    }
    olaf.ask_in_vain(about("unblock", "anna"), "no_such_user").await;
    for name in ["ANNA", "gina"] {
        olaf.ask(about("block", name)).await;
    }
    let say = json!({"request": "message", "room": "@olaf", "text": "hello"});
    anna.ask_in_vain(say.clone(), "forbidden").await;
    gina.ask_in_vain(say.clone(), "forbidden").await;
    olaf.ask(about("unblock", "GINA")).await;
    gina.ask(say.clone()).await;
    let server = server.restart().await;
    let (mut olaf, mut anna) = (server.hello("olaf").await, server.login("anna").await);
    let login = olaf.ask(json!({"request": "login", "username": "olaf", "password": PASSWORD})).await;
    assert_eq!(login["blocked"], json!(["anna"]));
    anna.ask_in_vain(say.clone(), "forbidden").await;
    olaf.ask(about("unblock", "anna")).await;
    anna.ask(say).await;
}
