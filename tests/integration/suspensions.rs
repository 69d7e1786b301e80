//! Who is kept out of the server, by name or by address, and whose sessions are ended.

use serde_json::{Value, json};
use snakk::model::ServerRole;

use crate::support::server::PASSWORD;
use crate::support::{TestServer, Wire, server};

async fn staffed() -> (TestServer, Wire) {
    let server = server().people(ServerRole::Admin, ["root", "ada"]).people(ServerRole::User, ["olaf"]).await;
    let root = server.login("root").await;
    (server, root)
}

fn about(request: &str, key: &str, value: &str) -> Value {
    json!({"request": request, key: value})
}

#[tokio::test]
async fn a_suspended_account_is_out_at_once_and_kept_out_until_it_is_let_in_again() {
    let (server, mut root) = staffed().await;
    let mut olaf = server.login("olaf").await;
    olaf.join("lobby").await;
    let token = olaf.ask(json!({"request": "token", "action": "create"})).await["token"].clone();
    let suspend = json!({"request": "suspend", "username": "OLAF", "reason": "spam", "for_s": 600});
    root.ask(suspend).await;
    let rest = olaf.rest().await;
    assert!(rest.iter().any(|object| object["event"] == "notice" && object["text"] == "spam"), "{rest:?}");
    assert_eq!(rest.last().map(|object| &object["event"]), Some(&json!("shutdown")));
    let mut server = server;
    for restarted in [false, true] {
        if restarted {
            server = server.restart().await;
            root = server.login("root").await;
        }
        let mut olaf = server.hello("olaf").await;
        let login = |password: &str| json!({"request": "login", "username": "olaf", "password": password});
        // Who does not know the password does not learn it.
        olaf.ask_in_vain(login("wrong horse"), "bad_credentials").await;
        let answer = olaf.ask_in_vain(login(PASSWORD), "banned").await;
        assert!(answer["reason"] == "spam" && answer["until"].is_string(), "{answer}");
        olaf.ask_in_vain(json!({"request": "login", "username": "olaf", "token": token}), "banned").await;
        let listed = root.ask(json!({"request": "suspensions"})).await;
        assert_eq!(
            (&listed["suspensions"][0]["username"], &listed["suspensions"][0]["by"]),
            (&json!("OLAF"), &json!("root"))
        );
    }
    root.ask(about("unsuspend", "username", "olaf")).await;
    root.ask_in_vain(about("unsuspend", "username", "olaf"), "no_such_user").await;
    server.login("olaf").await;
}

#[tokio::test]
async fn a_suspended_guest_comes_back_under_no_name_that_looks_alike() {
    let (server, mut root) = staffed().await;
    let mut gina = server.hello("gina").await;
    let token = gina.ask(json!({"request": "login", "username": "gina1"})).await["token"].clone();
    gina.join("lobby").await;
    root.ask(about("suspend", "username", "gina1")).await;
    assert!(gina.rest().await.iter().any(|object| object["event"] == "shutdown"));
    let mut again = server.hello("again").await;
    for name in ["gina1", "GINA1", "ginal"] {
        again.ask_in_vain(json!({"request": "login", "username": name}), "banned").await;
        again.ask_in_vain(json!({"request": "register", "username": name, "password": PASSWORD}), "banned").await;
    }
    let with_token = json!({"request": "login", "username": "gina1", "token": token});
    again.ask_in_vain(with_token.clone(), "banned").await;
    let mut course = server.connect("course").await;
    course.send_raw(json!({"request": "login", "content": "gina1"}).to_string()).await;
    course.expect(json!({"response": "error"})).await;
    root.ask(about("unsuspend", "username", "gina1")).await;
    again.ask(with_token).await;
    again.say("lobby", "the same guest").await;
}

#[tokio::test]
async fn a_suspended_network_is_refused_before_anything_else() {
    let (server, mut root) = staffed().await;
    let mut olaf = Wire::connect_from("127.0.0.9", "olaf", server.address()).await;
    olaf.ask(json!({"request": "hello", "protocol": 1})).await;
    olaf.ask(json!({"request": "login", "username": "olaf", "password": PASSWORD})).await;
    for own in ["127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.1", "0.0.0.0/1"] {
        root.ask_in_vain(about("suspend", "address", own), "forbidden").await;
    }
    for bad in ["127.0.0.0/0", "nonsense", "127.0.0.9/33", "::/0"] {
        assert_eq!(root.ask_in_vain(about("suspend", "address", bad), "bad_request").await["field"], "address");
    }
    root.ask(about("suspend", "address", "::ffff:127.0.0.9/127")).await;
    assert!(olaf.rest().await.iter().any(|object| object["event"] == "shutdown"));
    let mut again = Wire::connect_from("127.0.0.8", "again", server.address()).await;
    again.ask(json!({"request": "hello", "protocol": 1})).await;
    for request in [
        json!({"request": "login", "username": "olaf", "password": "wrong horse"}),
        json!({"request": "login", "username": "eve"}),
        json!({"request": "register", "username": "eve", "password": PASSWORD}),
    ] {
        again.ask_in_vain(request, "banned").await;
    }
    let listed = root.ask(json!({"request": "suspensions"})).await;
    assert_eq!(listed["suspensions"][0]["address"], "127.0.0.8/31");
    root.ask(about("unsuspend", "address", "127.0.0.9/31")).await;
    assert_eq!(
        root.ask_in_vain(about("unsuspend", "address", "127.0.0.9/31"), "bad_request").await["field"],
        "address"
    );
    again.ask(json!({"request": "login", "username": "eve"})).await;
}

#[tokio::test]
async fn nobody_suspends_an_admin_or_oneself_and_others_learn_nothing() {
    let (server, mut root) = staffed().await;
    for name in ["root", "ROOT", "r00t", "ada", "ADA"] {
        root.ask_in_vain(about("suspend", "username", name), "forbidden").await;
    }
    let mut olaf = server.login("olaf").await;
    for request in [
        about("suspend", "username", "nobody"),
        about("unsuspend", "username", "nobody"),
        about("disconnect", "username", "nobody"),
        about("suspend", "address", "nonsense"),
        json!({"request": "suspensions"}),
        json!({"request": "notice", "text": "hello"}),
        json!({"request": "level"}),
        json!({"request": "invitation", "action": "list"}),
        json!({"request": "server_role", "username": "nobody", "role": "admin"}),
    ] {
        olaf.ask_in_vain(request, "forbidden").await;
    }
}

#[tokio::test]
async fn who_is_disconnected_may_come_back() {
    let (server, mut root) = staffed().await;
    let (mut one, mut other) = (server.login("olaf").await, server.login("olaf").await);
    let disconnect = json!({"request": "disconnect", "username": "olaf", "reason": "have a break"});
    assert_eq!(root.ask(disconnect.clone()).await["sessions"], 2);
    for wire in [&mut one, &mut other] {
        let rest = wire.rest().await;
        assert!(rest.iter().any(|object| object["text"] == "have a break"), "{rest:?}");
    }
    assert_eq!(root.ask(disconnect).await["sessions"], 0);
    root.ask_in_vain(about("disconnect", "username", "nobody"), "no_such_user").await;
    let mut olaf = server.login("olaf").await;
    assert_eq!(root.ask(about("disconnect", "address", "127.0.0.1")).await["sessions"], 1);
    olaf.rest().await;
    let acts = root.ask(json!({"request": "acts"})).await;
    assert_eq!((&acts["acts"][0]["act"], &acts["acts"][0]["target"]), (&json!("disconnect"), &json!("127.0.0.1/32")));
}
