//! Who may do what: the tables of docs/protocol.md, cell by cell, against a real server.
//!
//! For each cell the situation is built that its row and column name, the request is asked, and the code is compared. A
//! room is used again as long as nothing succeeded in it that changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use snakk::model::ServerRole;
use snakk::protocol::Code;

use crate::support::server::PASSWORD;
use crate::support::{TestServer, Value, Wire, json, server};

const KINDS: [&str; 3] = ["public", "announce", "private"];

/// Requests that change nothing that a later cell could see.
const HARMLESS: [&str; 12] = [
    "names", "unfollow", "bans", "history", "search", "read", "typing", "report", "acts", "react", "message", "resume",
];

/// Who asks in the tables of rooms; the order of the columns.
const ROLES: [&str; 11] = [
    "not logged in",
    "guest",
    "outsider",
    "invited",
    "member",
    "muted",
    "banned",
    "former",
    "moderator",
    "owner",
    "admin",
];

/// A table: the words of its head, and those of each row.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A request of a row, and which form of it where there are several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct What {
    request: String,
    form: String,
}

/// The tables of the section, in their order: on the server, in a room, upon whom, in a direct conversation.
fn tables() -> Vec<Table> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md")).expect("the page");
    let section = page.split("\n## ").find(|section| section.starts_with("Who may do what\n")).expect("the section");
    let mut tables: Vec<Table> = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            inside = false;
            continue;
        };
        let cells = row.split(" | ").map(|cell| cell.trim().to_owned()).collect();
        match tables.last_mut() {
            Some(table) if inside => table.rows.push(cells),
            _ => tables.push(Table { head: cells, rows: Vec::new() }),
        }
        inside = true;
    }
    for table in &mut tables {
        assert!(table.rows.remove(0).iter().all(|cell| cell == "---"), "a line of dashes is behind the head");
        assert!(table.rows.iter().all(|row| row.len() == table.head.len()), "a row has another length than its head");
    }
    // The table of levels has no requests in its rows.
    tables.retain(|table| table.head[0] == "request");
    tables
}

/// What the first cell of a row names.
fn whats(cell: &str) -> Vec<What> {
    let parts: Vec<&str> = cell.split(", ").collect();
    let requests: Vec<&str> = parts.iter().filter_map(|part| part.strip_prefix('`')?.strip_suffix('`')).collect();
    let forms: Vec<&str> = parts.iter().copied().filter(|part| !part.contains('`')).collect();
    assert!(!requests.is_empty() && forms.len() <= 1, "no request: {cell}");
    let what = |request: &&str| What { request: (*request).to_owned(), form: forms.concat() };
    requests.iter().map(what).collect()
}

/// A cell is `ok` or a code that there is.
fn checked(cell: &str) -> &str {
    assert!(cell == "ok" || Code::parse(cell).is_some(), "no code: {cell}");
    cell
}

/// The code of an answer, also where it stands in a room's own object.
fn code(answer: &Value) -> &str {
    let answer = match answer["response"].as_str() {
        Some("resume") if answer.get("code").is_none() => &answer["rooms"][0],
        _ => answer,
    };
    answer.get("code").map_or("ok", |code| code.as_str().expect("a code is a string"))
}

/// What came otherwise than the page says.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn compare(&mut self, cell: &str, answer: &Value, place: impl FnOnce() -> String) {
        if checked(cell) != code(answer) {
            self.0.push(format!("{}: the page says {cell}, the server {answer}", place()));
        }
    }

    fn report(self) {
        assert!(self.0.is_empty(), "{} cells are wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// The people around the rooms of one kind.
struct Cast {
    kind: &'static str,
    nobody: Wire,
    guest: Wire,
    /// Whose role is that of the column.
    anna: Wire,
    owner: Wire,
    admin: Wire,
    /// A plain member, to whom things are done.
    mark: Wire,
    rooms: usize,
    /// The room in which each role stands as it should.
    ready: BTreeMap<&'static str, Scene>,
}

/// A room in which somebody has the role of a column.
#[derive(Clone)]
struct Scene {
    room: String,
    /// A message of whoever asks, or of somebody else who has none.
    own: u64,
    /// A message of mark.
    others: u64,
}

impl Cast {
    async fn new(server: &TestServer, kind: &'static str) -> Cast {
        let name = |name: &str| format!("{name}-{kind}");
        Cast {
            kind,
            nobody: server.hello("nobody").await,
            guest: server.native(&name("gus")).await,
            anna: server.login(&name("anna")).await,
            owner: server.login(&name("olga")).await,
            admin: server.login(&name("ada")).await,
            mark: server.login(&name("mark")).await,
            rooms: 0,
            ready: BTreeMap::new(),
        }
    }

    /// Who asks in a column.
    fn asker(&mut self, role: &str) -> &mut Wire {
        match role {
            "not logged in" => &mut self.nobody,
            "guest" => &mut self.guest,
            "owner" => &mut self.owner,
            "admin" => &mut self.admin,
            _ => &mut self.anna,
        }
    }

    /// A room in which the asker of a column stands as it says.
    async fn scene(&mut self, role: &'static str) -> Scene {
        if let Some(scene) = self.ready.remove(role) {
            return scene;
        }
        self.rooms += 1;
        let room = format!("{}-{}", self.kind, self.rooms);
        self.owner.ask(json!({"request": "create", "room": room})).await;
        self.owner.join(&room).await;
        self.mark.join(&room).await;
        let others = self.mark.say(&room, "word of mark").await;
        let mut own = others;
        if !matches!(role, "not logged in" | "outsider" | "invited") {
            let asker = self.asker(role);
            asker.join(&room).await;
            own = asker.say(&room, "word of the asker").await;
        }
        if matches!(role, "former" | "admin") {
            self.asker(role).ask(json!({"request": "leave", "room": room})).await;
        }
        let anna = self.anna.name.clone();
        match role {
            "muted" => drop(self.owner.ask(json!({"request": "mute", "room": room, "username": anna})).await),
            "banned" => drop(self.owner.ask(json!({"request": "ban", "room": room, "username": anna})).await),
            "moderator" => {
                self.owner.ask(json!({"request": "role", "room": room, "username": anna, "role": "moderator"})).await;
            }
            _ => {}
        }
        if self.kind != "public" {
            self.owner.ask(json!({"request": "room", "room": room, "kind": self.kind})).await;
        }
        if role == "invited" {
            self.owner.ask(json!({"request": "invite", "room": room, "username": anna})).await;
        }
        Scene { room, own, others }
    }

    /// Asks what a row says in the situation of a column.
    async fn ask(&mut self, what: &What, role: &'static str) -> Value {
        let scene = self.scene(role).await;
        let (room, mark) = (scene.room.clone(), self.mark.name.clone());
        match &*what.request {
            "unban" => {
                let rita = format!("rita-{}", self.kind);
                self.owner.ask(json!({"request": "ban", "room": room, "username": rita})).await;
            }
            "unmute" => drop(self.owner.ask(json!({"request": "mute", "room": room, "username": mark})).await),
            _ => {}
        }
        let about = About { room: room.clone(), own: scene.own, others: scene.others, mark, kind: self.kind };
        let answer = self.asker(role).outcome(about.request(what)).await;
        let changed = code(&answer) == "ok" && !HARMLESS.contains(&what.request.as_str());
        if !changed || what.form == "asked" {
            self.ready.insert(role, scene);
        } else if what.request != "delete_room" {
            // So that nobody follows more rooms than one may.
            self.admin.ask(json!({"request": "delete_room", "room": room})).await;
        }
        for wire in [&mut self.guest, &mut self.anna, &mut self.owner, &mut self.admin, &mut self.mark] {
            while wire.next_kept().is_some() {}
        }
        answer
    }
}

/// What a request of a room is about.
struct About {
    room: String,
    own: u64,
    others: u64,
    mark: String,
    kind: &'static str,
}

impl About {
    fn request(&self, what: &What) -> Value {
        let target = if what.form == "another's" { self.others } else { self.own };
        let mut request = json!({"request": what.request, "room": self.room});
        let more = match (&*what.request, &*what.form) {
            ("join" | "unfollow" | "leave" | "names" | "bans" | "delete_room" | "history" | "typing" | "acts", "")
            | ("room", "asked") => json!({}),
            ("resume", "") => json!({"room": null, "rooms": {self.room.as_str(): 0}}),
            ("topic", "") => json!({"topic": "words"}),
            ("invite" | "unban", "") => json!({"username": format!("rita-{}", self.kind)}),
            ("kick" | "ban" | "mute" | "unmute", "") => json!({"username": self.mark}),
            ("role", "") => json!({"username": self.mark, "role": "moderator"}),
            ("room", "changed") => json!({"slow_mode_s": 1}),
            ("message", "") => json!({"text": "more words"}),
            ("edit", "own" | "another's") => json!({"target": target, "text": "other words"}),
            ("delete", "own" | "another's") => json!({"target": target}),
            ("react", "") => json!({"target": self.others, "emoji": "+"}),
            ("search", "") => json!({"query": "words"}),
            ("read", "") => json!({"seq": 1}),
            ("report", "") => json!({"reason": "words"}),
            _ => panic!("nobody knows what to ask for {what:?}"),
        };
        for (key, value) in more.as_object().expect("an object") {
            request[key] = value.clone();
        }
        if request["room"].is_null() {
            request.as_object_mut().expect("an object").remove("room");
        }
        request
    }
}

/// Checks the table of what is asked of a room, for rooms of one kind.
async fn walk_rooms(server: &TestServer, table: &Table, kind: &'static str) -> Wrong {
    let mut cast = Cast::new(server, kind).await;
    let mut wrong = Wrong::default();
    assert_eq!(table.head[2..], ROLES);
    for row in table.rows.iter().filter(|row| row[1].split(", ").any(|word| word == kind)) {
        for what in whats(&row[0]) {
            for (role, cell) in ROLES.iter().zip(&row[2..]) {
                let answer = cast.ask(&what, role).await;
                wrong.compare(cell, &answer, || format!("{what:?} in a {kind} room, {role}"));
            }
        }
    }
    wrong
}

#[tokio::test]
async fn each_request_to_a_room_is_answered_as_the_page_says() {
    let tables = tables();
    let table = &tables[1];
    for kind in KINDS {
        let rows: Vec<&Vec<String>> =
            table.rows.iter().filter(|row| row[1].split(", ").any(|word| word == kind)).collect();
        let once: BTreeSet<What> = rows.iter().flat_map(|row| whats(&row[0])).collect();
        assert_eq!(once.len(), rows.len(), "a row of {kind} rooms stands there twice");
    }
    let names: Vec<String> =
        KINDS.iter().flat_map(|kind| ["anna", "olga", "mark", "rita"].map(|name| format!("{name}-{kind}"))).collect();
    let admins = KINDS.map(|kind| format!("ada-{kind}"));
    let server = quick(&names, &admins).await;
    let [public, announce, private] = KINDS.map(|kind| walk_rooms(&server, table, kind));
    let (public, announce, private) = tokio::join!(public, announce, private);
    Wrong([public.0, announce.0, private.0].concat()).report();
}

/// A server with these people on which nothing waits for a disk.
async fn quick(people: &[String], admins: &[String]) -> TestServer {
    let setup = server().with(|config| config.storage.durability = snakk::store::Durability::Normal);
    let setup = setup.people(ServerRole::User, people.iter().map(String::as_str));
    setup.people(ServerRole::Admin, admins.iter().map(String::as_str)).await
}

#[tokio::test]
async fn things_are_done_to_others_as_the_page_says() {
    let tables = tables();
    let table = &tables[2];
    assert_eq!(table.head[2..], ["moderator", "owner", "admin"]);
    let people = ["olga", "otto", "mona", "moritz", "mark", "bertil"].map(str::to_owned);
    let server = quick(&people, &["ada".to_owned(), "alma".to_owned()]).await;
    let (mut olga, mut otto, mut mona) =
        (server.login("olga").await, server.login("otto").await, server.login("mona").await);
    let (mut ada, mut alma, mut gus) =
        (server.login("ada").await, server.login("alma").await, server.native("gus").await);
    let (mut mark, mut moritz) = (server.login("mark").await, server.login("moritz").await);
    let mut wrong = Wrong::default();
    let mut number = 0;
    for row in &table.rows {
        for what in whats(&row[0]) {
            for (by, cell) in ["moderator", "owner", "admin"].into_iter().zip(&row[2..]) {
                number += 1;
                let room = format!("room-{number}");
                olga.ask(json!({"request": "create", "room": room})).await;
                let last = row[1] == "the last owner";
                for wire in [&mut otto, &mut mona, &mut moritz, &mut mark, &mut gus, &mut alma, &mut ada] {
                    wire.join(&room).await;
                }
                for (name, role) in [("mona", "moderator"), ("moritz", "moderator"), ("otto", "owner")] {
                    if !(last && role == "owner") {
                        olga.ask(json!({"request": "role", "room": room, "username": name, "role": role})).await;
                    }
                }
                if what.request == "unmute" && !matches!(&*row[1], "an admin" | "oneself") {
                    let name =
                        [("a member", "mark"), ("a guest", "gus"), ("a moderator", "moritz"), ("an owner", "otto")];
                    let (_, name) = name.iter().find(|(word, _)| *word == row[1]).expect("somebody");
                    ada.ask(json!({"request": "mute", "room": room, "username": name})).await;
                }
                let asker = match by {
                    "moderator" => &mut mona,
                    "owner" => &mut olga,
                    _ => &mut ada,
                };
                let target = match &*row[1] {
                    "a member" => "mark",
                    "a guest" => "gus",
                    "a moderator" => "moritz",
                    "an owner" => "otto",
                    "an admin" => "alma",
                    "the last owner" => "olga",
                    "oneself" => &asker.name.clone(),
                    other => panic!("nobody knows who is meant: {other}"),
                };
                let mut request = json!({"request": what.request, "room": room, "username": target});
                if what.request == "role" {
                    request["role"] = "member".into();
                }
                let answer = asker.outcome(request).await;
                wrong.compare(cell, &answer, || format!("{what:?} upon {} by {by}", row[1]));
                for wire in [&mut otto, &mut mona, &mut moritz, &mut mark, &mut gus, &mut alma, &mut ada] {
                    wire.outcome(json!({"request": "leave", "room": room})).await;
                    while wire.next_kept().is_some() {}
                }
            }
        }
    }
    wrong.report();
}

#[tokio::test]
async fn each_request_to_the_server_is_answered_as_the_page_says() {
    let tables = tables();
    let table = &tables[0];
    assert_eq!(table.head[1..], ["not logged in", "guest", "account", "admin"]);
    let named =
        |word: &str| (0..=table.rows.len() * 4).map(|number| format!("{word}-{number}")).collect::<Vec<String>>();
    let (accounts, admins) = ([named("account"), named("other")].concat(), named("boss"));
    let server = quick(&accounts, &admins).await;
    let mut boss = server.login("boss-0").await;
    let mut wrong = Wrong::default();
    let mut number = 0;
    for row in &table.rows {
        for what in whats(&row[0]) {
            for (role, cell) in table.head[1..].iter().zip(&row[1..]) {
                number += 1;
                let mut asker = match role.as_str() {
                    "not logged in" => server.hello("nobody").await,
                    "guest" => server.native(&format!("guest-{number}")).await,
                    "account" => server.login(&format!("account-{number}")).await,
                    _ => server.login(&format!("boss-{number}")).await,
                };
                let other = format!("other-{number}");
                match &*what.request {
                    // What is to be taken back has to be there.
                    "unblock" => drop(asker.outcome(json!({"request": "block", "username": other})).await),
                    "unsuspend" => drop(boss.outcome(json!({"request": "suspend", "username": other})).await),
                    _ => {}
                }
                let disconnected = if what.request == "disconnect" { Some(server.login(&other).await) } else { None };
                let answer = asker.outcome(of_server(&what, number, &other)).await;
                wrong.compare(cell, &answer, || format!("{what:?}, {role}"));
                drop(disconnected);
            }
        }
    }
    wrong.report();
}

/// A request to the server, which is about somebody else where it is about somebody.
fn of_server(what: &What, number: usize, other: &str) -> Value {
    let mut request = match (&*what.request, &*what.form) {
        ("logout" | "ping" | "whoami" | "sessions" | "help" | "rooms" | "suspensions", "")
        | ("server_status" | "server_sessions" | "accounts" | "reload" | "log_level", "")
        | ("names" | "acts", "without a room") => json!({}),
        ("hello", "") => json!({"protocol": 1}),
        ("login", "") => json!({"username": format!("new-{number}")}),
        ("register", "") => json!({"username": format!("new-{number}"), "password": PASSWORD}),
        ("password", "") => json!({"old": PASSWORD, "new": "another horse"}),
        ("token" | "invitation", "") => json!({"action": "create"}),
        ("delete_account", "own") => json!({"password": PASSWORD}),
        ("delete_account", "another's") | ("block" | "unblock" | "suspend" | "unsuspend" | "disconnect", "") => {
            json!({"username": other})
        }
        ("create", kind) => json!({"room": format!("room-{number}"), "kind": kind}),
        ("search", "without a room") => json!({"query": "words"}),
        ("status", "") => json!({"status": "away"}),
        ("server_role", "") => json!({"username": other, "role": "admin"}),
        ("level", "") => json!({"level": "open"}),
        ("add_account", "") => json!({"username": format!("made-{number}"), "password": PASSWORD}),
        ("set_password", "") => json!({"username": other, "password": PASSWORD}),
        ("notice", "") => json!({"text": "words"}),
        _ => panic!("nobody knows what to ask for {what:?}"),
    };
    request["request"] = what.request.as_str().into();
    request
}

#[tokio::test]
async fn each_request_to_a_direct_conversation_is_answered_as_the_page_says() {
    let tables = tables();
    let table = &tables[3];
    assert_eq!(table.head[1..], ["not logged in", "one of the two", "blocked", "anybody else"]);
    let server =
        quick(&["anna", "bea", "carl", "clara", "mark"].map(str::to_owned), &["ada", "alma"].map(str::to_owned)).await;
    let (mut anna, mut bea, mut mark) =
        (server.login("anna").await, server.login("bea").await, server.login("mark").await);
    let (mut carl, mut ada, mut nobody) =
        (server.login("carl").await, server.login("ada").await, server.hello("nobody").await);
    // Both have a conversation with mark, who wants to hear nothing more of bea.
    for (wire, peer) in [(&mut anna, "@anna"), (&mut bea, "@bea")] {
        wire.say("@mark", "hello").await;
        mark.say(peer, "hello").await;
    }
    let mut wrong = Wrong::default();
    let mut blocked = false;
    for row in &table.rows {
        for what in whats(&row[0]) {
            // Each row has messages of its own. Whoever is blocked said them before.
            if blocked {
                mark.ask(json!({"request": "unblock", "username": "bea"})).await;
            }
            let mut said = BTreeMap::new();
            for (wire, peer) in [(&mut anna, "@anna"), (&mut bea, "@bea")] {
                let own = wire.say("@mark", "word of the asker").await;
                said.insert(peer, (own, mark.say(peer, "word of mark").await));
            }
            mark.ask(json!({"request": "block", "username": "bea"})).await;
            blocked = true;
            let askers = [(&mut nobody, "@anna"), (&mut anna, "@anna"), (&mut bea, "@bea")];
            for ((wire, peer), (role, cell)) in askers.into_iter().zip(table.head[1..].iter().zip(&row[1..])) {
                let (own, others) = said[peer];
                let about = About { room: "@mark".into(), own, others, mark: "carl".into(), kind: "direct" };
                let answer = wire.outcome(about.request(&what)).await;
                wrong.compare(cell, &answer, || format!("{what:?} in a direct conversation, {role}"));
            }
            // An admin has no more to do with the conversations of others than anybody else.
            for (wire, peer) in [(&mut carl, "@anna"), (&mut ada, "@bea")] {
                let about = About { room: peer.into(), own: 1, others: 1, mark: "carl".into(), kind: "direct" };
                let answer = wire.outcome(about.request(&what)).await;
                let who = wire.name.clone();
                wrong.compare(&row[4], &answer, || format!("{what:?} to somebody else, {who}"));
                let about = About { room: format!("@{who}"), own: 1, others: 1, mark: "carl".into(), kind: "direct" };
                let answer = wire.outcome(about.request(&what)).await;
                wrong.compare("forbidden", &answer, || format!("{what:?} to oneself, {who}"));
            }
            if what.request == "message" {
                // Whoever had no conversation has one now; the next rows are asked by somebody else.
                carl = server.login("clara").await;
                ada = server.login("alma").await;
            }
            for wire in [&mut anna, &mut bea, &mut mark] {
                while wire.next_kept().is_some() {}
            }
        }
    }
    wrong.report();
}

#[tokio::test]
async fn the_page_says_of_every_request_who_may_do_it() {
    let tables = tables();
    let [on_server, in_room, upon, direct] = &tables[..] else { panic!("there are {} tables", tables.len()) };
    let server = server().await;
    let help = server.hello("nobody").await.ask(json!({"request": "help"})).await;
    let requests: BTreeSet<String> = help["requests"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| line["request"].as_str().expect("a word").to_owned())
        .collect();
    let of = |table: &Table, kind: Option<&str>| -> BTreeSet<String> {
        let rows = table.rows.iter().filter(|row| kind.is_none_or(|kind| row[1].split(", ").any(|word| word == kind)));
        rows.flat_map(|row| whats(&row[0])).map(|what| what.request).collect()
    };
    let of_rooms = of(in_room, Some("public"));
    for kind in KINDS {
        assert_eq!(of(in_room, Some(kind)), of_rooms, "what is asked of a {kind} room");
    }
    assert_eq!(of(direct, None), of_rooms, "what is asked of a direct conversation");
    assert!(of(upon, None).is_subset(&of_rooms));
    let all: BTreeSet<String> = of(on_server, None).union(&of_rooms).cloned().collect();
    assert_eq!(all, requests, "every request there is, and no other");
    for table in &tables {
        let cells = table.rows.iter().flat_map(|row| &row[table.head.iter().position(|word| is_role(word)).unwrap()..]);
        cells.for_each(|cell| assert!(!checked(cell).is_empty()));
    }
}

/// Whether a column's head names who asks.
fn is_role(word: &str) -> bool {
    !matches!(word, "request" | "in" | "upon")
}
