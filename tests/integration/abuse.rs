//! What hostile people do: guessing, flooding, going on when they should be gone. What it costs them, and that nobody else
//! suffers.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use snakk::config::Registration;
use snakk::model::ServerRole;

use crate::support::server::{PASSWORD, hello};
use crate::support::wire::{lines, message, texts};
use crate::support::{TestServer, Wire, server};

/// A connection from an address of its own that said hello.
async fn from(server: &TestServer, address: &str) -> Wire {
    hello(Wire::connect_from(address, address, server.address()).await).await
}

/// Sends all of it in one go, and gives the answers. Events are left out.
async fn answers(wire: &mut Wire, requests: Vec<Value>) -> Vec<Value> {
    let count = requests.len();
    wire.send_raw(lines(requests)).await;
    let mut answers = Vec::with_capacity(count);
    while answers.len() < count {
        let object = wire.next().await;
        if object.get("response").is_some() {
            answers.push(object);
        }
    }
    answers
}

/// How many of the answers have this code, or none.
fn count(answers: &[Value], code: &str) -> usize {
    answers.iter().filter(|answer| answer["code"].as_str().unwrap_or("ok") == code).count()
}

/// Checks that of many attempts only so many were looked at, and that the others were told when to come again.
fn only(answers: &[Value], code: &str, most: usize) {
    let refused: Vec<&Value> = answers.iter().filter(|answer| answer["code"] == "rate_limited").collect();
    assert_eq!(count(answers, code), most, "{:?}", answers.last());
    assert_eq!(refused.len(), answers.len() - most, "{:?}", answers.first());
    assert!(refused.iter().all(|answer| answer["retry_after_ms"].as_u64() > Some(0)));
}

fn login(name: &str, password: &str) -> Value {
    json!({"request": "login", "username": name, "password": password})
}

/// How many wrong passwords a server takes before it slows down, by its defaults.
const BUDGET: usize = 5;

#[tokio::test]
async fn whatever_is_guessed_only_the_budget_is_looked_at_and_the_owner_comes_in() {
    let names: Vec<String> = (0..40).map(|n| format!("user-{n}")).collect();
    let server = server()
        .people(ServerRole::User, names.iter().map(String::as_str).chain(["olaf"]))
        .with(|config| {
            config.limits.password_attempts = BUDGET as u32;
            config.accounts.registration = Registration::Invite;
        })
        .await;

    // One account, in one breath and by many at once.
    let mut eve = from(&server, "127.0.0.11").await;
    only(&answers(&mut eve, vec![login("olaf", "battery staple"); 200]).await, "bad_credentials", BUDGET);
    let mut many = Vec::new();
    for _ in 0..20 {
        let mut wire = from(&server, "127.0.0.11").await;
        wire.send_raw(lines(vec![login("olaf", "battery staple"); 5])).await;
        many.push(wire);
    }
    for wire in &mut many {
        for _ in 0..5 {
            wire.expect_code("rate_limited").await;
        }
    }
    let mut olaf = from(&server, "127.0.0.2").await;
    olaf.ask(login("olaf", PASSWORD)).await;

    // One password for many accounts; and tokens, of accounts and of guests.
    let many = names.iter().map(|name| login(name, "battery staple")).collect();
    only(&answers(&mut from(&server, "127.0.0.12").await, many).await, "bad_credentials", BUDGET);
    for (address, token) in [("127.0.0.13", "snk_a"), ("127.0.0.14", "snk_g"), ("127.0.0.15", "")] {
        let token = |n| json!({"request": "login", "username": "olaf", "token": format!("{token}{n:064x}")});
        let tokens = (0..40).map(token).collect();
        only(&answers(&mut from(&server, address).await, tokens).await, "bad_credentials", BUDGET);
    }

    // Who is logged in, and does not know the password.
    for (address, request) in [
        ("127.0.0.16", json!({"request": "password", "old": "battery staple", "new": "another horse"})),
        ("127.0.0.17", json!({"request": "delete_account", "password": "battery staple"})),
    ] {
        let mut wire = from(&server, address).await;
        wire.ask(login("user-1", PASSWORD)).await;
        only(&answers(&mut wire, vec![request; 40]).await, "bad_credentials", BUDGET);
    }

    // Invitations that are none.
    let register =
        |n| json!({"request": "register", "username": format!("new-{n}"), "password": PASSWORD, "invite": "snk_i0"});
    let registers = (0..40).map(register).collect();
    only(&answers(&mut from(&server, "127.0.0.18").await, registers).await, "registration_closed", BUDGET);
    from(&server, "127.0.0.19").await.ask(login("olaf", PASSWORD)).await;
}

#[tokio::test]
async fn too_many_logins_at_once_are_put_off_and_nobody_else_waits() {
    let server = server().people(ServerRole::User, ["olaf"]).await;
    let crowd = std::thread::available_parallelism().map_or(1, usize::from) + 64 + 20;
    let mut canary = server.native("canary").await;
    let mut wires = Vec::new();
    for n in 0..crowd {
        wires.push(server.hello(&format!("wire-{n}")).await);
    }
    for (n, wire) in wires.iter_mut().enumerate() {
        // Nobody of that name: as much work as for anybody else.
        let name = if n % 10 == 0 { "olaf".to_owned() } else { format!("nobody-{n}") };
        wire.send(login(&name, PASSWORD)).await;
    }
    canary.ask(json!({"request": "ping"})).await;
    canary.join("lobby").await;
    canary.say("lobby", "still here").await;
    let mut all = Vec::new();
    for wire in &mut wires {
        all.push(wire.next().await);
    }
    let (put_off, wrong) = (count(&all, "rate_limited"), count(&all, "bad_credentials"));
    assert!(put_off > 0 && wrong > 0, "{put_off} of {crowd} were put off, {wrong} looked at");
    assert_eq!(put_off + wrong + count(&all, "ok"), crowd);
}

#[tokio::test]
async fn a_password_is_neither_cut_nor_hashed_where_it_is_too_long() {
    let server = server().await;
    let register = |name: &str, password: &str| json!({"request": "register", "username": name, "password": password});
    let mut olaf = server.hello("olaf").await;
    for bad in ["x".repeat(1025), "correct\0horse".to_owned(), "x".repeat(7)] {
        olaf.ask_in_vain(register("olaf", &bad), "weak_password").await;
    }
    let longest = "\u{e5}".repeat(512);
    olaf.ask(register("olaf", &longest)).await;
    let old = |old: String| json!({"request": "password", "old": old, "new": "another horse"});
    for wrong in ["x".repeat(60 * 1024), format!("{longest}x"), longest[..1022].to_owned(), format!("{longest}\0")] {
        olaf.ask_in_vain(old(wrong), "bad_credentials").await;
    }
    // The same letters, written in another way.
    olaf.ask(json!({"request": "password", "old": longest, "new": "\u{e5}".repeat(8)})).await;
    olaf.ask(json!({"request": "logout"})).await;
    olaf.ask(login("olaf", &"a\u{30a}".repeat(8))).await;
}

#[tokio::test]
async fn whatever_is_said_is_paid_from_one_budget_by_all_sessions() {
    const SESSIONS: usize = 10;
    let server = server()
        .people(ServerRole::User, ["olaf"])
        .with(|config| {
            config.limits.messages_per_second = 1;
            config.limits.message_burst = 12;
        })
        .await;
    let start = Instant::now();
    let mut wires = Vec::new();
    for _ in 0..SESSIONS {
        wires.push(server.login("olaf").await);
    }
    wires[0].join("lobby").await;
    let target = wires[0].say("lobby", "first").await;
    let mut passed = 1;
    for (n, wire) in wires.iter_mut().enumerate() {
        let asked = [
            message("lobby", "more"),
            json!({"request": "edit", "room": "lobby", "target": target, "text": format!("first, {n}")}),
            json!({"request": "react", "room": "lobby", "target": target, "emoji": format!("{n}")}),
            json!({"request": "topic", "room": "lobby", "topic": format!("{n}")}),
            json!({"request": "message", "room": "lobby", "text": "more", "nonce": format!("{n}")}),
        ];
        let answers = answers(wire, asked.to_vec()).await;
        let ok = count(&answers, "ok");
        only(&answers, "ok", ok);
        passed += ok;
    }
    let most = 12 + usize::try_from(start.elapsed().as_secs()).unwrap() + 1;
    assert!((12..=most).contains(&passed), "{passed} instead of {most}");
    // Everything else goes on.
    for request in [json!({"request": "ping"}), json!({"request": "history", "room": "lobby"})] {
        wires[1].ask(request).await;
    }
}

/// The bytes of all files in a folder and below it.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file"));
    entries
        .map(|entry| {
            let data = entry.metadata().expect("a file");
            if data.is_dir() { size(&entry.path()) } else { data.len() }
        })
        .sum()
}

/// A server with the limits that it has if nobody says otherwise.
async fn shipped() -> TestServer {
    let people: Vec<String> = (0..30).map(|n| format!("peer-{n}")).collect();
    let setup = server().people(ServerRole::User, people.iter().map(String::as_str).chain(["olaf"]));
    setup.with(|config| config.limits = snakk::Config::default().limits).await
}

#[tokio::test]
async fn rooms_that_one_makes_stay_few_however_one_goes_about_it() {
    let server = shipped().await;
    let create = |room: String| json!({"request": "create", "room": room});
    let mut olaf = server.login("olaf").await;
    for n in 0..50 {
        olaf.ask(create(format!("room-{n}"))).await;
    }
    olaf.ask_in_vain(create("one-more".to_owned()), "forbidden").await;
    for n in 0..50 {
        olaf.ask(json!({"request": "leave", "room": format!("room-{n}")})).await;
    }
    olaf.ask_in_vain(create("one-more".to_owned()), "forbidden").await;
    olaf.ask(json!({"request": "join", "room": "room-1"})).await;
    olaf.ask(json!({"request": "delete_room", "room": "room-1"})).await;
    olaf.ask(create("one-more".to_owned())).await;
}

#[tokio::test]
async fn a_flood_of_anything_ends_at_a_cap_and_leaves_little_behind() {
    let server = shipped().await;
    let mut olaf = server.login("olaf").await;
    olaf.ask(json!({"request": "create", "room": "den"})).await;
    olaf.join("den").await;
    let target = olaf.say("den", "words").await;
    let before = size(server.data_dir());
    let long = "x".repeat(500);
    let request = |kind: &str, n: usize| match kind {
        "invite" => json!({"request": "invite", "room": "den", "username": format!("peer-{}", n % 30)}),
        "report" => json!({"request": "report", "room": "den", "reason": long}),
        "direct" => message(&format!("@peer-{}", n % 30), "hello"),
        "token" => json!({"request": "token", "action": "create", "label": long}),
        "react" => json!({"request": "react", "room": "den", "target": target, "emoji": format!("{n}")}),
        "nonce" => json!({"request": "message", "room": "den", "text": "x", "nonce": format!("{n:060}")}),
        "message" => message("den", &long.repeat(32)),
        "ban" => json!({"request": "ban", "room": "den", "username": format!("peer-{}", n % 30), "reason": long}),
        "read" => json!({"request": "read", "room": "den", "seq": n}),
        "status" => json!({"request": "status", "status": "away", "text": format!("{n}{long}")}),
        "typing" => json!({"request": "typing", "room": "den"}),
        "block" => json!({"request": "block", "username": format!("peer-{}", n % 30)}),
        "room" => json!({"request": "room", "room": "den", "slow_mode_s": n % 2}),
        _ => json!({"request": if n.is_multiple_of(2) { "leave" } else { "join" }, "room": "lobby"}),
    };
    let kinds = [
        "invite", "report", "direct", "token", "react", "nonce", "message", "ban", "read", "status", "typing", "block",
        "room", "join",
    ];
    for kind in kinds {
        let answers = answers(&mut olaf, (0..300).map(|n| request(kind, n)).collect()).await;
        assert!(count(&answers, "rate_limited") > 0, "{kind}: {:?}", answers.last());
        assert_eq!(count(&answers, "internal"), 0, "{kind}");
    }
    let mut nobody = server.hello("nobody").await;
    let register = |n| json!({"request": "register", "username": format!("new-{n}"), "password": PASSWORD});
    let mut made = Vec::new();
    for n in 0..8 {
        made.push(nobody.outcome(register(n)).await);
        nobody.outcome(json!({"request": "logout"})).await;
    }
    only(&made, "ok", 5);
    let grown = size(server.data_dir()).saturating_sub(before);
    assert!(grown < 10 << 20, "{} KiB", grown >> 10);
}

#[tokio::test]
async fn what_an_account_may_have_has_an_end() {
    let server = server().people(ServerRole::User, ["olaf"]).await;
    let mut olaf = server.login("olaf").await;
    let token = |n| json!({"request": "token", "action": "create", "label": format!("{n}")});
    let answers_to_tokens = answers(&mut olaf, (0..101).map(token).collect()).await;
    assert_eq!((count(&answers_to_tokens, "ok"), count(&answers_to_tokens, "forbidden")), (100, 1));
    olaf.join("lobby").await;
    let target = olaf.say("lobby", "words").await;
    let react = |n| json!({"request": "react", "room": "lobby", "target": target, "emoji": format!("{n}")});
    let reactions = answers(&mut olaf, (0..60).map(react).collect()).await;
    assert_eq!((count(&reactions, "ok"), count(&reactions, "forbidden")), (50, 10));
}

#[tokio::test]
async fn hostile_searches_find_something_or_nothing() {
    let server = server()
        .people(ServerRole::User, ["olaf", "eve"])
        .with(|config| config.limits.search_timeout = Duration::from_millis(50))
        .await;
    let (mut olaf, mut eve) = (server.login("olaf").await, server.login("eve").await);
    olaf.ask(json!({"request": "create", "room": "den", "kind": "private"})).await;
    olaf.say("den", "the secret the").await;
    olaf.join("lobby").await;
    let said = (0..300).map(|n| message("lobby", &format!("the word {n} NEAR AND not a:b 👋 the"))).collect();
    assert_eq!(count(&answers(&mut olaf, said).await, "ok"), 300);
    let terms: String = (0..500).map(|n| format!("w{n} ")).collect();
    let phrase = format!("\"{terms}\"");
    let longest = "x".repeat(8 * 1024);
    let queries = [
        "\"",
        "AND",
        "NOT",
        "OR",
        "NEAR(",
        "NEAR(the word, 5)",
        "a:b",
        "text:the",
        "facets:the",
        "^the",
        "-the",
        "(",
        ")",
        "*",
        "t*",
        "th*",
        "the*",
        "the the the",
        "👋",
        "...",
        "\"the",
        "\"\"",
        "-\"the\"",
        "from:",
        "in:",
        "in:den the",
        "before:the",
        "has:the",
        "the -the",
        "{the word}",
        "the + word",
        "NULL",
        "\u{1f600}\u{200d}",
        "the\u{301}",
        "\u{fffd}",
        "rowid:1",
        "the; DELETE FROM found",
        "''",
        "the\tword\nnear",
        &terms,
        &phrase,
        &longest,
        &"((((".repeat(1000),
        &"a*b* ".repeat(100),
        &"the ".repeat(32),
        "before:2026-01-31T12:00:00Z after:2026-01-31",
    ];
    for query in queries {
        for request in [
            json!({"request": "search", "query": query}),
            json!({"request": "search", "query": query, "room": "lobby", "limit": 500}),
            json!({"request": "search", "query": query, "after": 1}),
        ] {
            let answer = eve.outcome(request).await;
            match answer["code"].as_str() {
                None => assert!(texts(&answer).iter().all(|text| !text.contains("secret")), "{query}: {answer}"),
                Some("no_such_room") => assert!(query.contains("in:den"), "{answer}"),
                code => {
                    assert!(matches!(code, Some("bad_request" | "bad_name")) && answer["field"] == "query", "{answer}")
                }
            }
        }
    }
    assert_eq!(texts(&eve.ask(json!({"request": "search", "query": "300 -the"})).await).len(), 0);
    assert_eq!(texts(&olaf.ask(json!({"request": "search", "query": "secret"})).await), ["the secret the"]);
}

/// What ends sessions of somebody.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blow {
    Password,
    Revoked,
    Deleted,
    Suspended,
    Disconnected,
}

#[tokio::test]
async fn who_has_to_go_is_gone_at_once_and_says_nothing_more() {
    let names = ["one", "two", "three", "four", "five"];
    let server = server().people(ServerRole::User, names).people(ServerRole::Admin, ["ada"]).await;
    let mut ada = server.login("ada").await;
    ada.join("lobby").await;
    let blows = [Blow::Password, Blow::Revoked, Blow::Deleted, Blow::Suspended, Blow::Disconnected];
    for (name, blow) in names.into_iter().zip(blows) {
        let mut own = server.login(name).await;
        let made = own.ask(json!({"request": "token", "action": "create"})).await;
        let mut victim = server.hello(name).await;
        let by_token = json!({"request": "login", "username": name, "token": made["token"]});
        victim.ask(by_token.clone()).await;
        victim.join("lobby").await;
        // Under way when it happens: some of it may still be posted, none of it afterwards.
        victim.send_raw(lines(vec![message("lobby", name); 300])).await;
        let request = match blow {
            Blow::Password => json!({"request": "password", "old": PASSWORD, "new": "another horse"}),
            Blow::Revoked => json!({"request": "token", "action": "revoke", "token_id": made["token_id"]}),
            Blow::Deleted => json!({"request": "delete_account", "password": PASSWORD}),
            Blow::Suspended => json!({"request": "suspend", "username": name}),
            Blow::Disconnected => json!({"request": "disconnect", "username": name}),
        };
        let by = if matches!(blow, Blow::Suspended | Blow::Disconnected) { &mut ada } else { &mut own };
        by.ask(request).await;
        let mark = ada.say("lobby", "this far").await;
        victim.send_what_goes(lines(vec![message("lobby", "afterwards"); 50])).await;
        let last = victim.rest().await;
        assert!(last.iter().any(|object| object["event"] == "shutdown"), "{blow:?}: {:?}", last.last());
        let page = ada.ask(json!({"request": "history", "room": "lobby", "limit": 1})).await;
        assert_eq!((&page["head"], texts(&page)), (&json!(mark), vec!["this far"]), "{blow:?}");
        // The session that asked goes on, unless it has deleted itself.
        match blow {
            Blow::Password | Blow::Revoked => drop(own.ask(json!({"request": "whoami"})).await),
            Blow::Deleted => drop(own.ask_in_vain(json!({"request": "whoami"}), "not_logged_in").await),
            Blow::Suspended | Blow::Disconnected => own.expect_gone().await,
        }
        let again = server.hello("again").await.outcome(by_token).await;
        let expected = match blow {
            Blow::Password | Blow::Disconnected => "ok",
            Blow::Revoked | Blow::Deleted => "bad_credentials",
            Blow::Suspended => "banned",
        };
        assert_eq!(again["code"].as_str().unwrap_or("ok"), expected, "{blow:?}");
        while ada.next_kept().is_some() {}
    }
}

#[tokio::test]
async fn who_logs_out_has_no_rights_and_its_other_sessions_have_theirs() {
    let server = server().people(ServerRole::User, ["olaf"]).await;
    let (mut one, mut other) = (server.login("olaf").await, server.login("olaf").await);
    one.join("lobby").await;
    let answers = answers(&mut one, vec![json!({"request": "logout"}), message("lobby", "late")]).await;
    assert_eq!((count(&answers, "ok"), count(&answers, "not_logged_in")), (1, 1));
    other.say("lobby", "still here").await;
}
