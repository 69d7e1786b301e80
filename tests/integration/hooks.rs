//! The program around a server: what its hooks decide, what becomes of it when they fail, and what it is told.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use snakk::client::{ClientError, HistoryQuery};
use snakk::model::{Seq, ServerRole};
use snakk::protocol::request::Whom;
use snakk::server::{
    Attempt, Authentication, Connection, Decision, Happening, Hooks, Identity, Login, NewMessage, Verdict,
};
use tokio::sync::Semaphore;

use crate::support::server::{TestServer, hello};
use crate::support::wire::{lines, message, texts};
use crate::support::{Value, Wire, json, server, within};

/// What the program knows of what it was asked and told.
#[derive(Default)]
pub(crate) struct Known {
    connections: Vec<Connection>,
    logins: Vec<(String, bool, bool, Option<IpAddr>)>,
    attempts: Vec<Attempt>,
    messages: Vec<NewMessage>,
    pub(crate) happenings: Vec<Happening>,
}

/// A program whose hooks do what they are asked to: most of it is in the texts, names and passwords.
#[derive(Clone)]
pub(crate) struct House {
    known: Arc<Mutex<Known>>,
    /// It lets nothing be said any more.
    strict: Arc<AtomicBool>,
    /// What lets those go on who wait.
    gate: Arc<Semaphore>,
    /// What lets `on_event` go on.
    pub(crate) news: Arc<Semaphore>,
    /// How many calls that block their threads have begun, and have ended.
    blocks: Arc<(AtomicU64, AtomicU64)>,
}

impl House {
    pub(crate) fn new() -> House {
        House {
            known: Arc::default(),
            strict: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            news: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            blocks: Arc::default(),
        }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics while holding it")
    }

    /// The rooms and targets of the attempts of this request.
    fn attempted(&self, request: &str) -> Vec<(Option<String>, Option<String>)> {
        let known = self.known();
        let attempts = known.attempts.iter().filter(|attempt| attempt.request == request);
        attempts.map(|attempt| (attempt.room.clone(), attempt.target.clone())).collect()
    }

    fn heard(&self) -> Vec<String> {
        self.known().messages.iter().map(|message| message.text.clone()).collect()
    }

    async fn misbehaves(&self, how: &str) {
        match how {
            "panic" => panic!("it was asked to"),
            "hang" => std::future::pending().await,
            "block" => {
                self.blocks.0.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_secs(5));
                self.blocks.1.fetch_add(1, Ordering::SeqCst);
            }
            "wait" => self.gate.acquire().await.expect("it stays open").forget(),
            _ => {}
        }
    }
}

impl Hooks for House {
    async fn on_connect(&self, connection: &Connection) -> Decision {
        self.known().connections.push(connection.clone());
        match connection.peer.map(|peer| peer.to_string()).as_deref() {
            Some("127.0.0.8") => {
                self.misbehaves("panic").await;
                Decision::Allow
            }
            Some("127.0.0.9") => Decision::Refuse("not from there".to_owned()),
            _ => Decision::Allow,
        }
    }

    async fn authenticate(&self, login: &Login) -> Authentication {
        let secret = login.password.as_ref().or(login.token.as_ref()).map_or("", |secret| &*secret.0).to_owned();
        let Login { username, password, token, peer, .. } = login;
        self.known().logins.push((username.clone(), password.is_some(), token.is_some(), *peer));
        self.misbehaves(&secret).await;
        match secret.as_str() {
            "let me in" | "ticket-7" => Authentication::Accept(Identity::new(username.clone())),
            "as the boss" => Authentication::Accept(Identity::new(username.clone()).admin(true)),
            "as anybody" => Authentication::Accept(Identity::new(username.clone()).admin(false)),
            "as somebody else" => Authentication::Accept(Identity::new("Erika")),
            "as what is no name" => Authentication::Accept(Identity::new("no name\n")),
            "no" => Authentication::Refuse("the house does not know you".to_owned()),
            _ if username == "vampire" => Authentication::Refuse("nobody has invited you".to_owned()),
            _ => Authentication::NotMine,
        }
    }

    async fn authorize(&self, attempt: &Attempt) -> Decision {
        self.known().attempts.push(attempt.clone());
        if attempt.request == "status" {
            self.misbehaves(&attempt.username).await;
        }
        match (attempt.request, attempt.room.as_deref()) {
            ("register", _) if attempt.username == "mallory" => Decision::Refuse("no mallories".to_owned()),
            (_, Some("vault")) if attempt.role != ServerRole::Admin => Decision::Refuse("staff only".to_owned()),
            ("typing", _) => Decision::Refuse(String::new()),
            ("join", _) if attempt.username == "outsider" => Decision::Refuse("not you".to_owned()),
            _ => Decision::Allow,
        }
    }

    async fn before_message(&self, message: &NewMessage) -> Verdict {
        self.known().messages.push(message.clone());
        self.misbehaves(&message.text).await;
        if self.strict.load(Ordering::SeqCst) {
            return Verdict::Refuse("not any more".to_owned());
        }
        match message.text.as_str() {
            "refuse" => Verdict::Refuse("mind your\nlanguage".to_owned()),
            "change" => Verdict::Change("changed".to_owned()),
            "empty" => Verdict::Change(String::new()),
            "control" => Verdict::Change("a\u{1b}b".to_owned()),
            "long" => Verdict::Change("x".repeat(100_000)),
            _ => Verdict::Allow,
        }
    }

    async fn on_event(&self, event: &Happening) {
        self.news.acquire().await.expect("it stays open").forget();
        self.known().happenings.push(event.clone());
    }
}

/// A server in a house.
async fn at_home(house: &House) -> TestServer {
    let house = house.clone();
    // Nobody waits that long unless the machine is busy: what is to take too long says so itself.
    server().around(|builder| builder.hooks(house).hook_deadline(Duration::from_secs(60))).await
}

#[tokio::test]
async fn a_hook_decides_who_may_connect() {
    let house = House::new();
    let server = at_home(&house).await;
    let mut stranger = Wire::connect_from("127.0.0.9", "stranger", server.address()).await;
    let refused = stranger.next().await;
    assert_eq!((&refused["code"], &refused["reason"]), (&json!("forbidden"), &json!("not from there")));
    stranger.expect_close().await;
    let mut unlucky = Wire::connect_from("127.0.0.8", "unlucky", server.address()).await;
    assert_eq!(unlucky.next().await["code"], "internal");
    unlucky.expect_close().await;
    server.native("ann").await.join("lobby").await;
    // The program's own clients do not connect.
    server.server.connect("house").await.unwrap();
    let peers: Vec<_> = house.known().connections.iter().map(|one| (one.peer, one.encrypted)).collect();
    let from = |address: &str| (Some(address.parse().unwrap()), false);
    assert_eq!(peers, [from("127.0.0.9"), from("127.0.0.8"), from("127.0.0.1")]);
    let stats = server.server.stats();
    assert!(stats.rejected.contains(&("hook", 2)) && stats.accepted == 1, "{stats:?}");
}

#[tokio::test]
async fn a_hook_decides_who_somebody_is() {
    let house = House::new();
    let server = at_home(&house).await;
    let login = |name: &str, password: &str| json!({"request": "login", "username": name, "password": password});
    // Accounts are made, and are the same the next time.
    let mut ann = server.hello("ann").await;
    let answer = ann.ask(login("ann", "let me in")).await;
    assert_eq!(
        (&answer["username"], &answer["guest"], &answer["role"]),
        (&json!("ann"), &json!(false), &json!("user"))
    );
    ann.join("lobby").await;
    ann.say("lobby", "hello").await;
    let mut again = server.hello("ann").await;
    let answer = again.ask(json!({"request": "login", "username": "Ann", "token": "ticket-7"})).await;
    assert_eq!((&answer["username"], &answer["rooms"][0]["room"]), (&json!("ann"), &json!("lobby")));
    // No password fits such an account.
    for password in ["!", "ann", "let me ín"] {
        server.hello("eve").await.ask_in_vain(login("ann", password), "bad_credentials").await;
    }
    // The role is the program's business, if it says so.
    for (password, role) in
        [("let me in", "user"), ("as the boss", "admin"), ("let me in", "admin"), ("as anybody", "user")]
    {
        let answer = server.hello("bob").await.ask(login("bob", password)).await;
        assert_eq!(answer["role"], role, "{password}");
    }
    let answer = server.hello("x").await.ask(login("nobody", "as somebody else")).await;
    assert_eq!(answer["username"], "Erika");
    // Neither its mistakes nor its refusals let anybody in.
    let mut eve = server.hello("eve").await;
    for (password, code) in [("as what is no name", "internal"), ("panic", "internal")] {
        eve.ask_in_vain(login("eve", password), code).await;
    }
    let answer = eve.ask_in_vain(login("eve", "no"), "bad_credentials").await;
    assert_eq!(answer["reason"], "the house does not know you");
    let mut vampire = server.hello("vampire").await;
    let answer = vampire.ask_in_vain(json!({"request": "login", "username": "vampire"}), "bad_credentials").await;
    assert_eq!(answer["reason"], "nobody has invited you");
    // What it does not know is as ever: guests, accounts, names that are taken.
    eve.ask(json!({"request": "login", "username": "eve"})).await;
    server.account("carol").await;
    server.login("carol").await;
    server.hello("x").await.ask_in_vain(login("carol", "wrong horse"), "bad_credentials").await;
    server.hello("x").await.ask_in_vain(login("eve", "let me in"), "name_taken").await;
    // Nor is it asked about those of the program itself.
    server.server.connect("house").await.unwrap();
    let known = house.known();
    assert!(!known.logins.iter().any(|(name, ..)| name == "house"));
    assert!(known.logins.iter().all(|(.., peer)| *peer == Some("127.0.0.1".parse().unwrap())));
    assert!(known.logins.contains(&("Ann".to_owned(), false, true, Some("127.0.0.1".parse().unwrap()))));
}

#[tokio::test]
async fn two_first_logins_of_one_user_do_not_hinder_each_other() {
    let house = House::new();
    let server = at_home(&house).await;
    let mut wires = Vec::new();
    for _ in 0..8 {
        let mut wire = server.hello("ann").await;
        wire.send(json!({"request": "login", "username": "ann", "password": "let me in"})).await;
        wires.push(wire);
    }
    for wire in &mut wires {
        wire.expect(json!({"response": "login", "username": "ann", "guest": false})).await;
    }
}

#[tokio::test]
async fn what_a_hook_refuses_counts_as_an_attempt() {
    let house = House::new();
    let hooks = house.clone();
    let server =
        server().with(|config| config.limits.password_attempts = 3).around(|builder| builder.hooks(hooks)).await;
    let login = |password: &str| json!({"request": "login", "username": "ann", "password": password});
    let mut ann = server.hello("ann").await;
    for _ in 0..3 {
        ann.ask_in_vain(login("no"), "bad_credentials").await;
    }
    ann.ask_in_vain(login("let me in"), "rate_limited").await;
    assert_eq!(house.known().logins.len(), 3);
}

#[tokio::test]
async fn closed_doors_are_closed_to_whom_a_hook_accepts_too() {
    let house = House::new();
    let server = at_home(&house).await;
    let admin = server.server.admin().await.unwrap();
    let login = |name: &str| json!({"request": "login", "username": name, "password": "let me in"});
    server.hello("ann").await.ask(login("ann")).await;
    admin.set_level(snakk::model::Level::NoRegistration).await.unwrap();
    server.hello("ann").await.ask(login("ann")).await;
    server.hello("bob").await.ask_in_vain(login("bob"), "registration_closed").await;
    admin.delete_account_of("ann").await.unwrap();
    server.hello("ann").await.ask_in_vain(login("ann"), "bad_credentials").await;
}

#[tokio::test]
async fn a_hook_is_asked_before_anything_is_done() {
    let house = House::new();
    let server = at_home(&house).await;
    let (mut ann, mut bob) = (server.account("ann").await, server.account("bob").await);
    ann.ask(json!({"request": "create", "room": "vault-2"})).await;
    // It sees the room that is meant, however its name is written.
    ann.ask(json!({"request": "join", "room": "VAULT-2"})).await;
    let refused = ann.ask_in_vain(json!({"request": "create", "room": "vault"}), "forbidden").await;
    assert_eq!(refused["reason"], "staff only");
    ann.ask_in_vain(json!({"request": "join", "room": "vault"}), "forbidden").await;
    // Without a reason there is none.
    let refused = ann.ask_in_vain(json!({"request": "typing", "room": "vault-2"}), "forbidden").await;
    assert_eq!(refused.get("reason"), None);
    assert_eq!(house.attempted("join"), [(Some("vault-2".to_owned()), None), (Some("vault".to_owned()), None)]);
    // Whom or what it is about.
    bob.join("vault-2").await;
    let seq = ann.say("vault-2", "hello").await;
    ann.ask(json!({"request": "react", "room": "vault-2", "target": seq, "emoji": "+"})).await;
    ann.ask(json!({"request": "mute", "room": "vault-2", "username": "BOB"})).await;
    let about = |room: &str, target: String| [(Some(room.to_owned()), Some(target))];
    assert_eq!(house.attempted("react"), about("vault-2", seq.to_string()));
    assert_eq!(house.attempted("mute"), about("vault-2", "BOB".to_owned()));
    assert!(house.known().attempts.iter().all(|one| !one.guest && one.role == ServerRole::User));
    // It cannot allow what the rules refuse.
    bob.ask_in_vain(message("vault-2", "let me speak"), "muted").await;
    assert_eq!(house.heard(), ["hello"], "what the rules refuse is not heard");
    // Each room of a `resume` by itself.
    let mut boss = server.hello("boss").await;
    boss.ask(json!({"request": "login", "username": "boss", "password": "as the boss"})).await;
    boss.ask(json!({"request": "create", "room": "vault"})).await;
    boss.ask(json!({"request": "resume", "rooms": {"vault": 0}})).await;
    boss.ask(json!({"request": "invite", "room": "vault", "username": "ann"})).await;
    let answer = ann.ask(json!({"request": "resume", "rooms": {"vault": 0, "vault-2": 0}})).await;
    let rooms = answer["rooms"].as_array().unwrap();
    let code = |room: &str| rooms.iter().find(|line| line["room"] == room).unwrap().get("code").cloned();
    assert_eq!((code("vault"), code("vault-2")), (Some(json!("forbidden")), None), "{answer}");
    // Accounts.
    let register = json!({"request": "register", "username": "mallory", "password": "correct horse"});
    let refused = server.hello("mallory").await.ask_in_vain(register, "forbidden").await;
    assert_eq!(refused["reason"], "no mallories");
    // What is asked about nobody, and what the program does itself.
    let asked = house.known().attempts.len();
    ann.ask(json!({"request": "ping"})).await;
    ann.ask(json!({"request": "help"})).await;
    server.server.admin().await.unwrap().server_status().await.unwrap();
    assert_eq!(house.known().attempts.len(), asked);
    ann.ask(json!({"request": "logout"})).await;
    assert_eq!(house.known().attempts.len(), asked);
    // Its clients are users, though.
    let own = server.server.connect("house").await.unwrap();
    match own.join("vault").await {
        Err(ClientError::Refused { reason, .. }) => assert_eq!(reason.as_deref(), Some("staff only")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_hook_decides_what_is_said() {
    let house = House::new();
    let server = at_home(&house).await;
    let (mut ann, mut bob) = (server.account("ann").await, server.account("bob").await);
    bob.join("lobby").await;
    ann.join("lobby").await;
    bob.expect(json!({"event": "member", "user": "ann"})).await;
    let first = ann.say("lobby", "change").await;
    bob.hear("lobby", "changed").await;
    ann.hear("lobby", "changed").await;
    let refused = ann.ask_in_vain(message("lobby", "refuse"), "forbidden").await;
    assert_eq!(refused["reason"], "mind your\u{240a}language");
    for (text, code) in
        [("empty", "bad_text"), ("control", "bad_text"), ("long", "text_too_long"), ("panic", "internal")]
    {
        ann.ask_in_vain(message("lobby", text), code).await;
    }
    // What it knows of a message; and what it changes is the text alone.
    let say = json!({"request": "message", "room": "Lobby", "text": "change", "reply_to": first, "action": true});
    ann.ask(say).await;
    bob.expect(json!({"event": "message", "text": "changed", "reply_to": first, "action": true})).await;
    {
        let known = house.known();
        let last = known.messages.last().unwrap();
        let place = (last.username.as_str(), last.guest, last.room.as_str());
        assert_eq!((place, last.action), (("ann", false, "lobby"), true));
        assert_eq!((last.reply_to, last.edits), (Some(Seq(first)), None));
    }
    // Nobody gets round it by saying something harmless first.
    let seq = ann.say("lobby", "harmless").await;
    let edit = |text: &str| json!({"request": "edit", "room": "lobby", "target": seq, "text": text});
    ann.ask_in_vain(edit("refuse"), "forbidden").await;
    ann.ask(edit("change")).await;
    assert_eq!(house.known().messages.last().unwrap().edits, Some(Seq(seq)));
    let page = ann.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(texts(&page), ["changed", "changed", "changed"]);
    // A conversation that begins with nothing does not begin.
    ann.ask_in_vain(message("@bob", "refuse"), "forbidden").await;
    ann.ask_in_vain(message("@bob", "control"), "bad_text").await;
    ann.ask_in_vain(json!({"request": "history", "room": "@bob"}), "no_such_room").await;
    ann.ask(message("@bob", "change")).await;
    let page = ann.ask(json!({"request": "history", "room": "@bob"})).await;
    assert_eq!(texts(&page), ["changed"]);
    assert_eq!(house.known().messages.last().unwrap().room, "@bob");
    assert_eq!(house.heard().iter().filter(|text| **text == "change").count(), 4, "each is heard once");
}

#[tokio::test]
async fn course_clients_are_asked_about_as_others_are() {
    let house = House::new();
    let server = at_home(&house).await;
    let mut new = server.course2015("new").await;
    assert_eq!(house.attempted("join"), [(Some("lobby".to_owned()), None)]);
    new.send_raw(json!({"request": "msg", "content": "change"}).to_string()).await;
    new.expect(json!({"response": "message", "content": "changed"})).await;
    new.send_raw(json!({"request": "msg", "content": "refuse"}).to_string()).await;
    let refused = new.next().await;
    assert_eq!(refused["response"], "error");
    assert!(refused["content"].as_str().unwrap().contains("mind your"), "{refused}");
    for name in ["vampire", "outsider"] {
        let mut wire = server.connect(name).await;
        wire.send_raw(json!({"request": "login", "content": name}).to_string()).await;
        let refused = wire.next().await;
        assert_eq!(refused["response"], "error", "{refused}");
        // It is not half logged in.
        wire.send_raw(json!({"request": "names", "content": null}).to_string()).await;
        assert_eq!(wire.next().await["content"], "Not logged in");
    }
}

#[tokio::test]
async fn messages_keep_their_order_while_a_hook_takes_its_time() {
    let house = House::new();
    let server = at_home(&house).await;
    let (mut ann, mut bob) = (server.native("ann").await, server.native("bob").await);
    ann.join("lobby").await;
    bob.join("lobby").await;
    let say = |id: u64, text: &str| json!({"request": "message", "id": id, "room": "lobby", "text": text});
    let others = [json!({"request": "ping", "id": 4}), json!({"request": "history", "id": 5, "room": "lobby"})];
    ann.send_raw(lines([say(1, "first"), say(2, "wait"), say(3, "third")].into_iter().chain(others))).await;
    ann.expect(json!({"id": 1})).await;
    ann.hear("lobby", "first").await;
    bob.hear("lobby", "first").await;
    within("the question", async {
        while !house.heard().contains(&"wait".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Others do not wait for it.
    bob.say("lobby", "meanwhile").await;
    bob.hear("lobby", "meanwhile").await;
    assert!(!house.heard().contains(&"third".to_owned()));
    house.gate.add_permits(1);
    let mut ids = Vec::new();
    while ids.len() < 4 {
        let object = ann.next().await;
        if let Some(id) = object["id"].as_u64() {
            ids.push(id);
            if id == 5 {
                assert_eq!(texts(&object), ["first", "meanwhile", "wait", "third"]);
            }
        }
    }
    assert_eq!(ids, [2, 3, 4, 5]);
}

#[tokio::test]
async fn a_repeat_finds_what_was_stored_whatever_a_hook_says_then() {
    let house = House::new();
    let server = at_home(&house).await;
    let mut ann = server.account("ann").await;
    ann.join("lobby").await;
    let say = |text: &str, nonce: &str| json!({"request": "message", "room": "lobby", "text": text, "nonce": nonce});
    let seq = ann.ask(say("change", "n1")).await["seq"].clone();
    ann.hear("lobby", "changed").await;
    let again = ann.ask(say("change", "n1")).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&seq, &json!(true)));
    house.strict.store(true, Ordering::SeqCst);
    let again = ann.ask(say("change", "n1")).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&seq, &json!(true)));
    // Nor by failing.
    let again = ann.ask(say("panic", "n1")).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&seq, &json!(true)));
    ann.ask_in_vain(say("something new", "n2"), "forbidden").await;
    // What was refused once may be said later.
    house.strict.store(false, Ordering::SeqCst);
    let later = ann.ask(say("something new", "n2")).await;
    assert_eq!(later["duplicate"], Value::Null);
    let page = ann.ask(json!({"request": "history", "room": "lobby"})).await;
    assert_eq!(texts(&page), ["changed", "something new"]);
}

#[tokio::test]
async fn whoever_goes_while_a_hook_takes_its_time_says_nothing_more() {
    let house = House::new();
    let server = at_home(&house).await;
    let mut ann = server.account("ann").await;
    ann.join("lobby").await;
    ann.send(message("lobby", "wait")).await;
    within("the question", async {
        while house.heard().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.server.admin().await.unwrap().disconnect(&Whom::Name("ann".into()), None).await.unwrap();
    house.gate.add_permits(1);
    ann.expect_gone().await;
    let own = server.server.connect("house").await.unwrap();
    assert_eq!(own.history("lobby", HistoryQuery::default()).await.unwrap().messages.len(), 0);
}

/// Fault F15: each hook panics, blocks its thread, hangs or refuses; that request is answered, and others go on.
#[tokio::test]
async fn a_hook_that_fails_harms_only_its_own_request() {
    let house = House::new();
    let hooks = house.clone();
    let server = server().around(|builder| builder.hooks(hooks).hook_deadline(Duration::from_millis(500))).await;
    let mut canary = hello(Wire::connect_from("127.0.0.2", "canary", server.address()).await).await;
    canary.ask(json!({"request": "login", "username": "canary"})).await;
    canary.join("lobby").await;
    let mut unlucky = server.native("unlucky").await;
    unlucky.join("lobby").await;
    for how in ["panic", "hang", "block"] {
        unlucky.send(json!({"request": "message", "room": "lobby", "text": how, "id": how})).await;
    }
    let mut stranger = server.hello("stranger").await;
    for how in ["panic", "hang", "block"] {
        stranger.send(json!({"request": "login", "username": "stranger", "password": how, "id": how})).await;
    }
    let mut doers = Vec::new();
    for how in ["panic", "hang", "block"] {
        let mut doer = server.native(how).await;
        doer.send(json!({"request": "status", "status": "away", "id": how})).await;
        doers.push((how, doer));
    }
    let blocked = || (house.blocks.0.load(Ordering::SeqCst), house.blocks.1.load(Ordering::SeqCst));
    // While threads are blocked, others chat.
    let (mut rounds, mut said) = (0, 0);
    while blocked().0 < 3 || rounds < 5 {
        canary.ask(json!({"request": "ping"})).await;
        // On a machine that stands still for so long even what answers at once may be late.
        let outcome = canary.outcome(message("lobby", "still here")).await;
        said += u64::from(outcome.get("error").is_none());
        rounds += 1;
    }
    assert!(said > 0);
    for how in ["panic", "hang", "block"] {
        unlucky.expect_answer(how).await;
        stranger.expect_answer(how).await;
    }
    for (how, doer) in &mut doers {
        doer.expect_answer(how).await;
    }
    assert_eq!(blocked().0, 3, "each was asked once");
    // They themselves go on as well.
    unlucky.say("lobby", "here I am again").await;
    stranger.ask(json!({"request": "login", "username": "stranger"})).await;
    let stats = server.server.stats();
    let failed: Vec<_> = stats.hooks_failed.iter().map(|(how, count)| (*how, *count >= 3)).collect();
    assert_eq!(failed, [("panic", true), ("timeout", true)]);
    assert!(stats.hooks_asked.iter().all(|(hook, count)| *hook == "on_event" || *count >= 3), "{stats:?}");
    let page = snakk::server::prometheus(&stats);
    assert!(page.contains("snakk_hooks_failed_total{reason=\"panic\"} 3\n"), "{page}");
    // The server stops all the same, though threads of hooks may not have come back yet.
    drop((canary, unlucky, stranger, doers));
    within("the shutdown", server.server.shutdown()).await.unwrap();
}

impl Wire {
    /// Waits for the answer with this id, which says that the server could not do it; leaves out events.
    async fn expect_answer(&mut self, id: &str) {
        loop {
            let object = self.next().await;
            if object.get("event").is_none() {
                assert_eq!((&object["id"], &object["code"]), (&json!(id), &json!("internal")), "{object}");
                return;
            }
        }
    }
}

#[test]
fn a_hook_works_on_a_runtime_with_several_threads_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let house = House::new();
    let hooks = house.clone();
    let done = runtime.spawn(async move {
        let server = at_home(&hooks).await;
        let mut ann = server.native("ann").await;
        ann.join("lobby").await;
        ann.say("lobby", "change").await;
        ann.hear("lobby", "changed").await;
        within("the shutdown", server.server.shutdown()).await.unwrap();
    });
    runtime.block_on(done).unwrap();
}
