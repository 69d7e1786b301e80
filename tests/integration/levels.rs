//! What admins decide for the server as a whole: how far it is closed, who may register, who is an admin.

use serde_json::{Value, json};
use snakk::config::Registration;
use snakk::model::ServerRole;

use crate::support::server;
use crate::support::server::PASSWORD;

fn level(level: &str) -> Value {
    json!({"request": "level", "level": level})
}

fn register(name: &str, invite: Option<&Value>) -> Value {
    let mut request = json!({"request": "register", "username": name, "password": PASSWORD});
    if let Some(invite) = invite {
        request["invite"] = invite.clone();
    }
    request
}

#[tokio::test]
async fn each_level_holds_what_the_ones_before_it_hold_and_outlives_a_restart() {
    let server = server().people(ServerRole::Admin, ["root"]).people(ServerRole::User, ["olaf"]).await;
    let (mut root, mut olaf, mut gina) =
        (server.login("root").await, server.login("olaf").await, server.native("gina").await);
    olaf.join("lobby").await;
    gina.join("lobby").await;
    let mut eve = server.hello("eve").await;
    assert_eq!(root.ask(json!({"request": "level"})).await["level"], "open");
    root.ask(level("no_registration")).await;
    eve.ask_in_vain(register("eve", None), "registration_closed").await;
    gina.say("lobby", "still here").await;
    root.ask(level("no_guests")).await;
    let rest = gina.rest().await;
    assert_eq!(rest.last().map(|object| &object["event"]), Some(&json!("shutdown")), "{rest:?}");
    eve.ask_in_vain(json!({"request": "login", "username": "eve"}), "forbidden").await;
    eve.ask_in_vain(register("eve", None), "registration_closed").await;
    let mut course = server.connect("course").await;
    course.send_raw(json!({"request": "login", "content": "course"}).to_string()).await;
    course.expect(json!({"response": "error"})).await;
    // The program that the server lives in comes in all the same.
    let house = server.server.connect("house").await.expect("a client inside");
    root.ask(level("members_only")).await;
    olaf.say("lobby", "a member").await;
    olaf.ask_in_vain(json!({"request": "create", "room": "den"}), "forbidden").await;
    root.ask(json!({"request": "create", "room": "den"})).await;
    olaf.ask_in_vain(json!({"request": "join", "room": "den"}), "forbidden").await;
    root.ask(level("read_only")).await;
    olaf.ask_in_vain(json!({"request": "message", "room": "lobby", "text": "x"}), "forbidden").await;
    root.join("lobby").await;
    root.say("lobby", "admins are free of it").await;
    drop(house);
    let server = server.restart().await;
    let (mut root, mut olaf) = (server.login("root").await, server.login("olaf").await);
    assert_eq!(root.ask(json!({"request": "level"})).await["level"], "read_only");
    olaf.ask_in_vain(json!({"request": "message", "room": "lobby", "text": "x"}), "forbidden").await;
    assert_eq!(root.ask(level("open")).await["level"], "open");
    olaf.say("lobby", "open again").await;
    server.native("gina").await;
}

#[tokio::test]
async fn an_invitation_lets_as_many_register_as_it_says() {
    let server = server()
        .with(|config| config.accounts.registration = Registration::Invite)
        .people(ServerRole::Admin, ["root"])
        .await;
    let (mut root, mut eve) = (server.login("root").await, server.hello("eve").await);
    let create = json!({"request": "invitation", "action": "create", "label": "friends", "count": 2});
    let made = root.ask(create).await;
    let (invite, id) = (&made["invite"], &made["invitation_id"]);
    assert!(invite.as_str().is_some_and(|invite| invite.starts_with("snk_i")), "{made}");
    for wrong in [None, Some(&json!("snk_i00"))] {
        // Who is not invited learns nothing of names.
        for name in ["eve", "root"] {
            assert_eq!(eve.ask_in_vain(register(name, wrong), "registration_closed").await["field"], "invite");
        }
    }
    eve.ask_in_vain(register("root", Some(invite)), "name_taken").await;
    for name in ["eve", "adam"] {
        server.hello(name).await.ask(register(name, Some(invite))).await;
    }
    eve.ask_in_vain(register("third", Some(invite)), "registration_closed").await;
    let list = json!({"request": "invitation", "action": "list"});
    let listed = root.ask(list.clone()).await["invitations"][0].clone();
    assert_eq!((&listed["left"], &listed["label"], &listed["by"]), (&json!(0), &json!("friends"), &json!("root")));
    let revoke = json!({"request": "invitation", "action": "revoke", "invitation_id": id});
    root.ask(revoke.clone()).await;
    assert_eq!(root.ask_in_vain(revoke, "bad_request").await["field"], "invitation_id");
    assert_eq!(root.ask(list).await["invitations"], json!([]));
}

#[tokio::test]
async fn invitations_are_not_guessed_quickly_and_not_used_up_where_none_is_needed() {
    let server = server()
        .with(|config| {
            config.accounts.registration = Registration::Invite;
            config.limits.password_attempts = 3;
        })
        .await;
    let mut eve = server.hello("eve").await;
    for number in 0..3 {
        eve.ask_in_vain(register(&format!("eve{number}"), Some(&json!("snk_i"))), "registration_closed").await;
    }
    eve.ask_in_vain(register("eve", Some(&json!("snk_i"))), "rate_limited").await;
    let open = crate::support::server().people(ServerRole::Admin, ["root"]).await;
    let mut root = open.login("root").await;
    let invite = root.ask(json!({"request": "invitation", "action": "create"})).await["invite"].clone();
    open.hello("eve").await.ask(register("eve", Some(&invite))).await;
    let listed = root.ask(json!({"request": "invitation", "action": "list"})).await;
    assert_eq!(listed["invitations"][0]["left"], 1);
}

#[tokio::test]
async fn a_role_holds_at_once_for_open_sessions() {
    let server = server().people(ServerRole::Admin, ["root"]).people(ServerRole::User, ["olaf"]).await;
    let (mut root, mut olaf) = (server.login("root").await, server.login("olaf").await);
    let role = |name: &str, role: &str| json!({"request": "server_role", "username": name, "role": role});
    olaf.ask_in_vain(role("olaf", "admin"), "forbidden").await;
    root.ask(role("OLAF", "admin")).await;
    assert_eq!(olaf.ask(json!({"request": "whoami"})).await["role"], "admin");
    olaf.ask(role("root", "user")).await;
    root.ask_in_vain(role("olaf", "user"), "forbidden").await;
    olaf.ask_in_vain(role("nobody", "user"), "no_such_user").await;
    let server = server.restart().await;
    let mut olaf = server.login("olaf").await;
    assert_eq!(olaf.ask(json!({"request": "whoami"})).await["role"], "admin");
    assert_eq!(server.login("root").await.ask(json!({"request": "whoami"})).await["role"], "user");
}

#[tokio::test]
async fn a_notice_reaches_everybody_who_is_online_and_is_remembered() {
    let server = server().people(ServerRole::Admin, ["root"]).await;
    let (mut root, mut gina) = (server.login("root").await, server.native("gina").await);
    root.ask_in_vain(json!({"request": "notice", "text": ""}), "bad_text").await;
    root.ask(json!({"request": "notice", "text": "tea at four"})).await;
    for wire in [&mut gina, &mut root] {
        wire.expect(json!({"event": "notice", "text": "tea at four"})).await;
    }
    let acts = root.ask(json!({"request": "acts"})).await;
    assert_eq!((&acts["acts"][0]["act"], &acts["acts"][0]["detail"]), (&json!("notice"), &json!("tea at four")));
}
