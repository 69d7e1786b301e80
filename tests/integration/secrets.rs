//! What somebody may not know: private rooms, what was said before one came, what follows a removal, addresses.

use std::collections::BTreeMap;

use snakk::model::ServerRole;

use crate::support::server::PASSWORD;
use crate::support::wire::{lines, message};
use crate::support::{TestServer, Value, Wire, json, server};

/// Asks something, and gives everything that the server writes up to the answer, byte for byte.
async fn written(wire: &mut Wire, mut request: Value) -> String {
    request["id"] = "this".into();
    wire.send(request).await;
    up_to(wire, "\"id\":\"this\"").await
}

/// Everything that the server has for somebody now, presence too.
async fn heard(wire: &mut Wire) -> String {
    let mut kept = String::new();
    while let Some(event) = wire.next_kept() {
        kept = format!("{kept}{event}\n");
    }
    wire.send(json!({"request": "ping", "id": "now"})).await;
    kept + &up_to(wire, "\"id\":\"now\"").await
}

async fn up_to(wire: &mut Wire, mark: &str) -> String {
    let mut text = String::new();
    while !(text.contains(mark) && text.ends_with('\n')) {
        let (_, bytes) = wire.read_once().await;
        assert!(!bytes.is_empty(), "{} was closed after {text}", wire.name);
        text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
    }
    text
}

async fn people(accounts: &[&str], admins: &[&str]) -> TestServer {
    let setup = server().with(|config| config.storage.durability = snakk::store::Durability::Normal);
    setup.people(ServerRole::User, accounts.iter().copied()).people(ServerRole::Admin, admins.iter().copied()).await
}

/// Everything that can be asked about a room, in each form whose answer could tell something.
fn about(room: &str) -> Vec<Value> {
    let words = ["join", "unfollow", "leave", "names", "bans", "room", "delete_room", "history", "typing", "acts"];
    let mut requests: Vec<Value> = words.iter().map(|word| json!({"request": word, "room": room})).collect();
    for word in ["invite", "kick", "ban", "unban", "mute", "unmute"] {
        for name in ["olga", "nemo", "outside", "!"] {
            requests.push(json!({"request": word, "room": room, "username": name}));
        }
    }
    requests.extend([
        json!({"request": "join", "room": room, "since": 0}),
        json!({"request": "join", "room": room, "since": 1, "epoch": "x"}),
        json!({"request": "join", "room": room, "backlog": 5}),
        json!({"request": "resume", "rooms": {room: 1}}),
        json!({"request": "resume", "rooms": {room: {"since": 1, "epoch": "x"}, "lobby": 0}}),
        json!({"request": "names", "room": room, "after": "a"}),
        json!({"request": "topic", "room": room, "topic": "words"}),
        json!({"request": "topic", "room": room, "topic": "\u{1}"}),
        json!({"request": "role", "room": room, "username": "olga", "role": "member"}),
        json!({"request": "room", "room": room, "kind": "public"}),
        json!({"request": "room", "room": room, "name": "lobby"}),
        json!({"request": "message", "room": room, "text": "words"}),
        json!({"request": "message", "room": room, "text": ""}),
        json!({"request": "message", "room": room, "text": "words", "nonce": "n"}),
        json!({"request": "message", "room": room, "text": "words", "reply_to": 1}),
        json!({"request": "message", "room": room, "text": "words", "reply_to": 99}),
        json!({"request": "history", "room": room, "around": 1}),
        json!({"request": "history", "room": room, "before": 99, "limit": 1}),
        json!({"request": "history", "room": room, "after": 0}),
        json!({"request": "search", "room": room, "query": "words"}),
        json!({"request": "search", "room": room, "query": ""}),
        json!({"request": "search", "query": format!("words in:{room}")}),
        json!({"request": "read", "room": room, "seq": 1}),
        json!({"request": "report", "room": room, "target": 1}),
        json!({"request": "report", "room": room, "target": 99, "username": "olga"}),
        json!({"request": "acts", "room": room, "before": 9}),
    ]);
    for target in [1, 99] {
        requests.push(json!({"request": "edit", "room": room, "target": target, "text": "words"}));
        requests.push(json!({"request": "edit", "room": room, "target": target, "text": ""}));
        requests.push(json!({"request": "delete", "room": room, "target": target}));
        requests.push(json!({"request": "react", "room": room, "target": target, "emoji": "+"}));
    }
    requests
}

#[tokio::test]
async fn a_private_room_is_to_outsiders_as_one_that_is_not_there() {
    let server = people(&["olga", "outside", "banned", "former", "lapsed"], &[]).await;
    let mut olga = server.login("olga").await;
    olga.ask(json!({"request": "create", "room": "hidden", "topic": "words"})).await;
    olga.join("hidden").await;
    olga.say("hidden", "words").await;
    let mut outsiders = vec![server.login("outside").await, server.native("guest").await];
    for name in ["banned", "former", "lapsed"] {
        let mut wire = server.login(name).await;
        wire.join("hidden").await;
        wire.say("hidden", "words of my own").await;
        wire.ask(json!({"request": "leave", "room": "hidden"})).await;
        outsiders.push(wire);
    }
    olga.ask(json!({"request": "room", "room": "hidden", "kind": "private"})).await;
    // Once invited, and then banned.
    olga.ask(json!({"request": "invite", "room": "hidden", "username": "lapsed"})).await;
    for name in ["banned", "lapsed"] {
        olga.ask(json!({"request": "ban", "room": "hidden", "username": name, "reason": "words"})).await;
    }
    for wire in &mut outsiders {
        heard(wire).await;
        for (real, none) in about("hidden").into_iter().zip(about("absent")) {
            let said = written(wire, real.clone()).await;
            assert!(said.contains("\"code\":\""), "{} is refused {real}: {said}", wire.name);
            let there_is_none = written(wire, none).await;
            assert_eq!(said.replace("hidden", "absent"), there_is_none, "{} asks {real}", wire.name);
        }
        for request in [
            json!({"request": "rooms"}),
            json!({"request": "rooms", "after": "hidde"}),
            json!({"request": "names"}),
            json!({"request": "search", "query": "words"}),
            json!({"request": "whoami"}),
        ] {
            let said = written(wire, request).await;
            assert!(!said.contains("hidden") && !said.contains("words"), "{}: {said}", wire.name);
        }
    }
    for name in ["outside", "banned", "former", "lapsed"] {
        let mut wire = server.hello(name).await;
        let said = written(&mut wire, json!({"request": "login", "username": name, "password": PASSWORD})).await;
        assert!(!said.contains("hidden"), "{said}");
    }
}

#[tokio::test]
async fn nothing_of_a_private_room_reaches_who_is_not_in_it() {
    let server = people(&["olga", "mark", "outside"], &[]).await;
    let (mut olga, mut mark, mut outside) =
        (server.login("olga").await, server.login("mark").await, server.login("outside").await);
    for wire in [&mut olga, &mut mark, &mut outside] {
        wire.join("lobby").await;
    }
    olga.ask(json!({"request": "create", "room": "hidden", "kind": "private"})).await;
    olga.join("hidden").await;
    olga.ask(json!({"request": "invite", "room": "hidden", "username": "mark"})).await;
    mark.join("hidden").await;
    heard(&mut outside).await;
    for wire in [&mut olga, &mut mark] {
        wire.say("hidden", "hidden words for @outside").await;
        wire.ask(json!({"request": "typing", "room": "hidden"})).await;
        wire.ask(json!({"request": "read", "room": "hidden", "seq": 1})).await;
    }
    mark.ask(json!({"request": "report", "room": "hidden", "reason": "hidden"})).await;
    olga.ask(json!({"request": "topic", "room": "hidden", "topic": "hidden words"})).await;
    olga.ask(json!({"request": "kick", "room": "hidden", "username": "mark"})).await;
    olga.ask(json!({"request": "room", "room": "hidden", "name": "hidden-2"})).await;
    olga.ask(json!({"request": "delete_room", "room": "hidden-2"})).await;
    let said = heard(&mut outside).await;
    assert!(!said.contains("hidden") && !said.contains("typing") && !said.contains("\"event\":\"read\""), "{said}");
}

#[tokio::test]
async fn nobody_is_told_where_somebody_else_is() {
    let server = people(&["olga", "mark"], &["ada"]).await;
    let (mut olga, mut mark, mut ada) =
        (server.login("olga").await, server.login("mark").await, server.login("ada").await);
    for wire in [&mut olga, &mut mark, &mut ada] {
        wire.join("lobby").await;
    }
    let mut said = String::new();
    ada.ask(json!({"request": "suspend", "address": "127.0.0.9", "reason": "words"})).await;
    let guest = server.native("guest").await;
    olga.ask(json!({"request": "status", "status": "away", "text": "words"})).await;
    olga.say("lobby", "@mark").await;
    drop(guest);
    for request in [
        json!({"request": "names"}),
        json!({"request": "names", "room": "lobby"}),
        json!({"request": "rooms"}),
        json!({"request": "room", "room": "lobby"}),
        json!({"request": "history", "room": "lobby"}),
        json!({"request": "search", "query": "mark"}),
        json!({"request": "whoami"}),
        json!({"request": "acts"}),
        json!({"request": "suspensions"}),
        json!({"request": "disconnect", "username": "olga"}),
    ] {
        said += &written(&mut mark, request).await;
    }
    said += &heard(&mut mark).await;
    assert!(said.contains("words") && !said.contains("127.0.0"), "{said}");
}

#[tokio::test]
async fn who_comes_to_a_room_that_shows_nothing_old_sees_nothing_old() {
    let server = people(&["olga", "nina"], &[]).await;
    let (mut olga, mut nina) = (server.login("olga").await, server.login("nina").await);
    olga.ask(json!({"request": "create", "room": "den"})).await;
    olga.join("den").await;
    let old = olga.say("den", "ancient words").await;
    let reply = json!({"request": "message", "room": "den", "text": "ancient answer", "reply_to": old});
    olga.ask(reply).await;
    olga.ask(json!({"request": "react", "room": "den", "target": old, "emoji": "ancient"})).await;
    olga.ask(json!({"request": "edit", "room": "den", "target": old, "text": "ancient words, edited"})).await;
    olga.ask(json!({"request": "room", "room": "den", "history": "joined"})).await;
    nina.ask_in_vain(json!({"request": "history", "room": "den"}), "not_a_member").await;
    nina.ask_in_vain(json!({"request": "search", "room": "den", "query": "ancient"}), "not_a_member").await;
    let found = nina.ask(json!({"request": "search", "query": "ancient"})).await;
    assert_eq!(found["messages"], json!([]));
    let mut said = written(&mut nina, json!({"request": "join", "room": "den", "since": 0})).await;
    olga.ask(json!({"request": "role", "room": "den", "username": "nina", "role": "moderator"})).await;
    for request in [
        json!({"request": "join", "room": "den", "since": 0}),
        json!({"request": "join", "room": "den", "backlog": 100}),
        json!({"request": "resume", "rooms": {"den": 0}}),
        json!({"request": "history", "room": "den"}),
        json!({"request": "history", "room": "den", "around": old}),
        json!({"request": "history", "room": "den", "before": old + 1}),
        json!({"request": "history", "room": "den", "after": 0}),
        json!({"request": "search", "query": "ancient"}),
        json!({"request": "search", "room": "den", "query": "ancient", "before": 99}),
        json!({"request": "read", "room": "den", "seq": old}),
    ] {
        said += &written(&mut nina, request).await;
    }
    said += &heard(&mut nina).await;
    assert!(!said.contains("ancient words") && !said.contains("ancient answer"), "{said}");
    // Nor can anything be said about it, by which it would be seen.
    for request in [
        json!({"request": "message", "room": "den", "text": "words", "reply_to": old}),
        json!({"request": "react", "room": "den", "target": old, "emoji": "+"}),
        json!({"request": "edit", "room": "den", "target": old, "text": "words"}),
        json!({"request": "delete", "room": "den", "target": old}),
        json!({"request": "report", "room": "den", "target": old}),
    ] {
        nina.ask_in_vain(request, "no_such_message").await;
    }
    let seq = olga.say("den", "new words").await;
    nina.ask(json!({"request": "react", "room": "den", "target": seq, "emoji": "+"})).await;
}

/// What a session was sent of a room: the numbers of its entries, and whether it was told that it is out, behind them.
fn seen(said: &str, room: &str) -> (Vec<u64>, bool) {
    let (mut seqs, mut removed) = (Vec::new(), false);
    for line in said.lines() {
        let object: Value = serde_json::from_str(line).expect("an object");
        if object["room"] == room && object.get("event").is_some() {
            assert!(!removed, "nothing comes behind the end: {line}");
            match object["event"].as_str() {
                Some("removed") => removed = true,
                _ => seqs.extend(object["seq"].as_u64()),
            }
        }
    }
    (seqs, removed)
}

#[tokio::test]
async fn whoever_is_put_out_sees_and_says_nothing_from_then_on() {
    for verb in ["kick", "ban"] {
        let server = people(&["olga", "victim"], &[]).await;
        let mut olga = server.login("olga").await;
        olga.ask(json!({"request": "create", "room": "den"})).await;
        olga.join("den").await;
        let mut sessions =
            vec![server.login("victim").await, server.login("victim").await, server.login("victim").await];
        for session in &mut sessions {
            session.join("den").await;
        }
        // Posts in flight: some come before the removal, and some too late.
        let posts = 200;
        sessions[0].send_raw(lines((0..posts).map(|number| message("den", &format!("post {number}"))))).await;
        let removal = olga.ask(json!({"request": verb, "room": "den", "username": "victim"})).await["seq"].clone();
        let removal = removal.as_u64().expect("a number");
        for number in 0..5 {
            olga.say("den", &format!("among us {number}")).await;
        }
        let code = if verb == "ban" { "banned" } else { "not_a_member" };
        for (number, session) in sessions.iter_mut().enumerate() {
            let said = heard(session).await;
            let (seqs, removed) = seen(&said, "den");
            assert!(removed, "session {number} is told so");
            assert!(seqs.iter().all(|seq| *seq <= removal), "session {number} sees nothing of what follows {removal}");
            assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "and no gap before");
            if number == 0 {
                let answers = said.lines().filter(|line| line.starts_with("{\"response\":\"message\""));
                let (mut done, mut refused) = (0, 0);
                for line in answers {
                    let answer: Value = serde_json::from_str(line).expect("an object");
                    match answer["seq"].as_u64() {
                        Some(seq) => {
                            assert!(seq < removal, "{verb}: nothing is posted behind {removal}: {answer}");
                            done += 1;
                        }
                        None => {
                            assert_eq!(answer["code"], code);
                            refused += 1;
                        }
                    }
                }
                assert_eq!(done + refused, posts);
            }
        }
        let page = olga.ask(json!({"request": "history", "room": "den", "limit": 500})).await;
        let late = page["messages"].as_array().expect("a list").iter().filter(|line| line["from"] == "victim");
        assert!(late.into_iter().all(|line| line["seq"].as_u64() < Some(removal)));
        // Neither by resuming, nor as another session in another case.
        let resume = json!({"request": "resume", "rooms": {"DEN": removal}});
        let resumed = sessions[1].ask(resume.clone()).await;
        assert_eq!(resumed["rooms"][0]["code"], code);
        let mut again = server.login("VICTIM").await;
        assert_eq!(again.ask(resume).await["rooms"][0]["code"], code);
        again.ask_in_vain(message("Den", "I am back"), code).await;
        if verb == "ban" {
            again.ask_in_vain(json!({"request": "join", "room": "dEn"}), code).await;
            again.ask_in_vain(json!({"request": "history", "room": "den"}), code).await;
        }
    }
}

#[tokio::test]
async fn a_banned_guest_does_not_come_back_as_a_look_alike() {
    let server = people(&["olga"], &[]).await;
    let mut olga = server.login("olga").await;
    olga.ask(json!({"request": "create", "room": "den"})).await;
    olga.join("den").await;
    let mut troll = server.native("troll").await;
    troll.join("den").await;
    olga.ask(json!({"request": "ban", "room": "den", "username": "Troll"})).await;
    troll.ask_in_vain(json!({"request": "join", "room": "den"}), "banned").await;
    troll.ask(json!({"request": "logout"})).await;
    for name in ["TROLL", "tro11", "tr0ll", "trol1"] {
        let mut again = server.native(name).await;
        for request in ["join", "history", "names", "leave", "unfollow"] {
            again.ask_in_vain(json!({"request": request, "room": "den"}), "banned").await;
        }
        let resumed = again.ask(json!({"request": "resume", "rooms": {"den": 0}})).await;
        assert_eq!(resumed["rooms"][0]["code"], "banned");
        again.ask_in_vain(message("den", "I am back"), "banned").await;
        again.ask(json!({"request": "logout"})).await;
    }
}

#[tokio::test]
async fn nothing_that_a_moderator_has_in_flight_is_done_after_the_demotion() {
    let names: Vec<String> = (0..100).map(|number| format!("member-{number}")).collect();
    let accounts: Vec<&str> = ["olga", "mona"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let server = people(&accounts, &[]).await;
    let (mut olga, mut mona) = (server.login("olga").await, server.login("mona").await);
    olga.ask(json!({"request": "create", "room": "den"})).await;
    mona.join("den").await;
    mona.ask(json!({"request": "unfollow", "room": "den"})).await;
    for name in &names {
        server.login(name).await.join("den").await;
    }
    let role = |role: &str| json!({"request": "role", "room": "den", "username": "mona", "role": role});
    olga.ask(role("moderator")).await;
    let kicks = names.iter().map(|name| json!({"request": "kick", "room": "den", "username": name, "id": name}));
    mona.send_raw(lines(kicks)).await;
    let demotion = olga.ask(role("member")).await["seq"].as_u64().expect("a number");
    let mut kicked = BTreeMap::new();
    for name in &names {
        let answer = mona.next().await;
        assert_eq!(answer["id"], name.as_str());
        match answer["seq"].as_u64() {
            Some(seq) => {
                assert!(seq < demotion, "{name} is put out behind {demotion}: {answer}");
                kicked.insert(name, seq);
            }
            None => assert_eq!(answer["code"], "forbidden", "{answer}"),
        }
    }
    mona.ask_in_vain(json!({"request": "kick", "room": "den", "username": "olga"}), "forbidden").await;
    let left = olga.ask(json!({"request": "names", "room": "den"})).await;
    assert_eq!(left["names"].as_array().expect("a list").len(), 2 + names.len() - kicked.len());
}

#[tokio::test]
async fn a_room_is_never_without_an_owner_by_accident() {
    let server = people(&["olga", "mark", "mona", "moritz"], &[]).await;
    let [mut olga, mut mark, mut mona, mut moritz] = [
        server.login("olga").await,
        server.login("mark").await,
        server.login("mona").await,
        server.login("moritz").await,
    ];
    olga.ask(json!({"request": "create", "room": "den"})).await;
    for wire in [&mut mark, &mut mona, &mut moritz] {
        wire.join("den").await;
    }
    let role = |name: &str, role: &str| json!({"request": "role", "room": "den", "username": name, "role": role});
    olga.ask(role("moritz", "moderator")).await;
    olga.ask(role("mona", "moderator")).await;
    olga.ask_in_vain(role("olga", "member"), "forbidden").await;
    olga.ask(json!({"request": "leave", "room": "den"})).await;
    // Of the two moderators mona is longer in it.
    let roles = mark.ask(json!({"request": "names", "room": "den"})).await;
    let role_of = |name: &str| {
        let names = roles["names"].as_array().expect("a list").iter();
        names.filter(|line| line["name"] == name).map(|line| line["role"].clone()).next()
    };
    assert_eq!(
        [role_of("mona"), role_of("moritz"), role_of("olga")],
        [Some("owner".into()), Some("moderator".into()), None]
    );
    for wire in [&mut mark, &mut moritz, &mut mona] {
        wire.ask(json!({"request": "leave", "room": "den"})).await;
    }
    assert_eq!(mark.join("den").await["role"], "member", "it waits for mona");
    assert_eq!(mona.join("den").await["role"], "owner");
}

#[tokio::test]
async fn what_cannot_be_said_begins_no_conversation() {
    let server = people(&["olga", "mark"], &[]).await;
    let (mut olga, mut mark) = (server.login("olga").await, server.login("mark").await);
    olga.ask_in_vain(message("@mark", ""), "bad_text").await;
    let reply = json!({"request": "message", "room": "@mark", "text": "words", "reply_to": 1});
    olga.ask_in_vain(reply, "no_such_message").await;
    olga.ask_in_vain(message("@nemo", ""), "no_such_user").await;
    for (wire, peer) in [(&mut olga, "@mark"), (&mut mark, "@olga")] {
        wire.ask_in_vain(json!({"request": "history", "room": peer}), "no_such_room").await;
    }
    mark.expect_silence().await;
    olga.say("@mark", "words").await;
    mark.ask(json!({"request": "history", "room": "@olga"})).await;
}
