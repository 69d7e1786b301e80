//! A place in which everything has happened that can happen: for tests of what becomes of a database as a whole. And what
//! there is to be seen of it, by everybody in it.
//!
//! It can be built on an older program too, to make a fixture. What that one does not know has not happened there.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::daemon::Setup;
use super::json::{Known, Rest, compare};
use super::server::PASSWORD;
use super::{Daemon, Dice, PATIENCE, Value, Wire, json, within};

/// Those who have accounts in the end. The first one is an admin.
pub(crate) const PEOPLE: [&str; 7] = ["ada", "bob", "cleo", "dora", "eve", "finn", "Greta"];
/// What somebody has instead of [`PASSWORD`].
const OTHER_PASSWORD: (&str, &str) = ("dora", "another horse");
/// A hundred years.
const LONG_S: u64 = 3_153_600_000;

/// A town, and what only those know who have built it.
pub(crate) struct Town {
    pub(crate) daemon: Daemon,
    /// What was posted with a nonce: `by`, `request` and `seq`.
    pub(crate) nonces: Vec<Value>,
    /// Tokens with which somebody may log in: `username` and `token`.
    pub(crate) tokens: Vec<Value>,
    /// Whether everything has to succeed.
    strict: bool,
}

/// Which program is to run, and whether it knows everything.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) is_old: bool,
}

impl Program {
    /// The one of this package.
    pub(crate) fn ours() -> Program {
        Program { path: env!("CARGO_BIN_EXE_snakkd").into(), is_old: false }
    }
}

/// Builds it, in the data directory of a daemon to be.
pub(crate) async fn build(setup: Setup, program: &Program, dice: &mut Dice) -> Town {
    let daemon = setup.clone().program(&program.path).await;
    let mut town = Town { daemon, nonces: Vec::new(), tokens: Vec::new(), strict: !program.is_old };
    for name in PEOPLE.into_iter().chain(["zed"]) {
        let mut wire = town.daemon.hello(name).await;
        wire.ask(json!({"request": "register", "username": name, "password": PASSWORD})).await;
    }
    town.stop().await;
    let mut command = Command::new(&program.path);
    command.arg("--data-dir").arg(setup.data_dir()).args(["user", "role", PEOPLE[0], "admin"]).env_clear();
    let made = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("snakkd can be started");
    assert!(made.success() || program.is_old);
    town.daemon = setup.clone().program(&program.path).await;
    town.found_rooms().await;
    town.talk(dice).await;
    town.talk_otherwise().await;
    town.keep_order().await;
    town.look_after_accounts().await;
    town.erase().await;
    town
}

impl Town {
    /// Somebody with an account.
    pub(crate) async fn person(&self, name: &str) -> Wire {
        person(&self.daemon, name).await.0
    }

    /// Ends the program in good order.
    pub(crate) async fn stop(&mut self) {
        self.daemon.sigterm();
        let status = self.daemon.exited().await;
        assert!(status.success(), "{status}: {}", self.daemon.stderr());
    }

    /// Asks for something that has to succeed, unless the program may not know it.
    async fn ask(&self, who: &mut Wire, request: Value) -> Option<Value> {
        let answer = who.outcome(request.clone()).await;
        let succeeded = answer.get("error").is_none();
        assert!(succeeded || !self.strict, "{}: {request} became {answer}", who.name);
        succeeded.then_some(answer)
    }

    async fn each(&self, who: &mut Wire, requests: impl IntoIterator<Item = Value>) {
        for request in requests {
            self.ask(who, request).await;
        }
    }

    async fn found_rooms(&self) {
        let mut ada = self.person("ada").await;
        let room = |room: &str, kind: &str, topic: &str| json!({"request": "create", "room": room, "kind": kind, "topic": topic});
        self.each(
            &mut ada,
            [
                room("den", "public", "where we are"),
                room("attic", "private", "what nobody knows"),
                room("news", "announce", ""),
                room("plaza", "public", "\u{6771}\u{4eac} \u{1f600}"),
                room("cellar", "public", "to be gone soon"),
            ],
        )
        .await;
        let mut bob = self.person("bob").await;
        self.each(&mut bob, [room("short", "public", ""), room("lonely", "public", "")]).await;
        for name in PEOPLE.into_iter().chain(["zed"]) {
            let mut who = self.person(name).await;
            for room in ["lobby", "den", "plaza", "news"] {
                self.ask(&mut who, json!({"request": "join", "room": room})).await;
            }
        }
        for name in ["bob", "cleo", "eve"] {
            let invite = json!({"request": "invite", "room": "attic", "username": name, "reason": "come up"});
            self.ask(&mut ada, invite).await;
        }
        for name in ["bob", "cleo"] {
            self.ask(&mut self.person(name).await, json!({"request": "join", "room": "attic"})).await;
        }
        for name in ["cleo", "dora"] {
            self.ask(&mut self.person(name).await, json!({"request": "join", "room": "short"})).await;
        }
        self.each(
            &mut self.person("eve").await,
            [
                json!({"request": "create", "room": "deserted"}),
                json!({"request": "message", "room": "deserted", "text": "anybody?"}),
                json!({"request": "leave", "room": "deserted"}),
            ],
        )
        .await;
    }

    /// Many words: said, answered, edited, taken back, liked, read.
    async fn talk(&mut self, dice: &mut Dice) {
        let mut people = Vec::new();
        for name in PEOPLE {
            people.push(self.person(name).await);
        }
        // What each has said where, and was not taken back.
        let mut said: Vec<(usize, &str, u64)> = Vec::new();
        for step in 0..120_u64 {
            let at = dice.below(people.len());
            let room = ["lobby", "den", "plaza"][dice.below(3)];
            let target = (!said.is_empty()).then(|| dice.below(said.len()));
            let request = match (dice.below(12), target) {
                (0, Some(target)) => {
                    let (by, room, seq) = said[target];
                    let edit = json!({"request": "edit", "room": room, "target": seq, "text": words(dice, step)});
                    self.ask(&mut people[by], edit).await;
                    continue;
                }
                (1, Some(target)) => {
                    let (by, room, seq) = said.swap_remove(target);
                    let delete = json!({"request": "delete", "room": room, "target": seq, "reason": "never mind"});
                    self.ask(&mut people[by], delete).await;
                    continue;
                }
                (2 | 3, Some(target)) => {
                    let (_, room, seq) = said[target];
                    let emoji = ["+1", "\u{1f44d}", "\u{2764}\u{fe0f}"][dice.below(3)];
                    self.ask(&mut people[at], json!({"request": "react", "room": room, "target": seq, "emoji": emoji}))
                        .await;
                    if dice.below(4) == 0 {
                        let back =
                            json!({"request": "react", "room": room, "target": seq, "emoji": emoji, "remove": true});
                        self.ask(&mut people[at], back).await;
                    }
                    continue;
                }
                (4, Some(target)) => {
                    let (_, room, seq) = said[target];
                    self.ask(&mut people[at], json!({"request": "read", "room": room, "seq": seq})).await;
                    continue;
                }
                (5, Some(target)) => {
                    let (_, room, seq) = said[target];
                    json!({"request": "message", "room": room, "text": words(dice, step), "reply_to": seq})
                }
                (6, _) => json!({"request": "message", "room": room, "text": "waves", "action": true}),
                (7 | 8, _) => {
                    let nonce = format!("nonce \u{2713} {step}");
                    json!({"request": "message", "room": room, "text": words(dice, step), "nonce": nonce})
                }
                _ => json!({"request": "message", "room": room, "text": words(dice, step)}),
            };
            let room =
                request["room"].as_str().and_then(|it| ["lobby", "den", "plaza"].into_iter().find(|room| *room == it));
            let Some(answer) = self.ask(&mut people[at], request.clone()).await else { continue };
            let seq = answer["seq"].as_u64().expect("a number");
            if request.get("nonce").is_some() {
                self.nonces.push(json!({"by": people[at].name, "request": request, "seq": seq}));
            }
            said.push((at, room.expect("one of the three"), seq));
        }
    }

    /// What guests and course clients say, and what is said aside.
    async fn talk_otherwise(&self) {
        let mut gus = self.daemon.native("gus").await;
        gus.join("lobby").await;
        gus.say("lobby", "I am only passing through").await;
        let mut old = self.daemon.connect("hans").await;
        old.send_raw("{\"request\":\"login\",\"content\":\"hans\"}{\"request\":\"msg\",\"content\":\"hei fra 2015\"}")
            .await;
        while old.next().await["content"] != "hei fra 2015" {}
        let mut older = self.daemon.connect("ole").await;
        let words = json!({"request": "message", "message": "hei fra 2014"});
        older.send_raw(format!("{}{words}", json!({"request": "login", "username": "ole"}))).await;
        while !older.next().await["message"].to_string().contains("hei fra 2014") {}
        self.each(
            &mut self.person("bob").await,
            [
                json!({"request": "message", "room": "@cleo", "text": "have you a minute?"}),
                json!({"request": "message", "room": "@cleo", "text": "or two"}),
                json!({"request": "message", "room": "@ada", "text": "psst"}),
                json!({"request": "message", "room": "attic", "text": "it is dusty up here, @cleo"}),
                json!({"request": "leave", "room": "lonely"}),
            ],
        )
        .await;
        self.each(
            &mut self.person("cleo").await,
            [
                json!({"request": "message", "room": "@bob", "text": "three"}),
                json!({"request": "read", "room": "@bob", "seq": 2}),
                json!({"request": "message", "room": "@dora", "text": "you there?"}),
                json!({"request": "leave", "room": "@dora"}),
                json!({"request": "message", "room": "attic", "text": "\u{6771}\u{4eac}\u{3078}\u{884c}\u{304f}"}),
            ],
        )
        .await;
    }

    /// What owners, moderators and admins do.
    async fn keep_order(&self) {
        let mut ada = self.person("ada").await;
        // A guest can be banned as long as it is there.
        let mut mallory = self.daemon.native("mallory").await;
        mallory.join("den").await;
        let told = |word: &str, room: &str, name: &str| json!({"request": word, "room": room, "username": name, "reason": "you know why"});
        let lasting = |word: &str, room: &str, name: &str| {
            let mut request = told(word, room, name);
            request["for_s"] = LONG_S.into();
            request
        };
        let role = |room: &str, name: &str, role: &str| json!({"request": "role", "room": room, "username": name, "role": role});
        self.each(
            &mut ada,
            [
                role("den", "bob", "moderator"),
                role("attic", "bob", "owner"),
                role("news", "cleo", "moderator"),
                json!({"request": "topic", "room": "den", "topic": "something else"}),
                json!({"request": "message", "room": "news", "text": "extra, extra: https://example.com/"}),
                json!({"request": "room", "room": "plaza", "slow_mode_s": 1, "history": "joined"}),
                json!({"request": "room", "room": "news", "name": "tidings"}),
                lasting("ban", "den", "eve"),
                told("ban", "den", "mallory"),
                told("ban", "den", "finn"),
                told("unban", "den", "finn"),
                lasting("mute", "lobby", "finn"),
                told("mute", "plaza", "dora"),
                told("mute", "den", "dora"),
                told("unmute", "den", "dora"),
                told("kick", "plaza", "Greta"),
            ],
        )
        .await;
        let mut bob = self.person("bob").await;
        self.each(
            &mut bob,
            [
                json!({"request": "report", "room": "lobby", "username": "finn", "reason": "noise"}),
                json!({"request": "message", "room": "den", "text": "@dora and @cleo, look"}),
                json!({"request": "message", "room": "den", "text": "this goes"}),
            ],
        )
        .await;
        // A moderator takes back what somebody else has said.
        let page = bob.ask(json!({"request": "history", "room": "den"})).await;
        let other = page["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .find(|it| it["from"] == "cleo" && it["text"].is_string());
        if let Some(message) = other {
            let delete = json!({"request": "delete", "room": "den", "target": message["seq"], "reason": "not here"});
            self.ask(&mut bob, delete).await;
        }
        self.each(
            &mut ada,
            [
                json!({"request": "suspend", "username": "trudy", "reason": "spam"}),
                json!({"request": "suspend", "address": "192.0.2.0/24", "reason": "spam", "for_s": LONG_S}),
                json!({"request": "suspend", "username": "ivan"}),
                json!({"request": "unsuspend", "username": "ivan"}),
                json!({"request": "invitation", "action": "create", "label": "club", "count": 3}),
                json!({"request": "invitation", "action": "create", "label": "gone", "for_s": LONG_S}),
                json!({"request": "level", "level": "no_registration"}),
            ],
        )
        .await;
        let invitations = self.ask(&mut ada, json!({"request": "invitation", "action": "list"})).await;
        if let Some(invitations) = invitations {
            let id = &invitations["invitations"][1]["invitation_id"];
            self.ask(&mut ada, json!({"request": "invitation", "action": "revoke", "invitation_id": id})).await;
        }
    }

    /// What people do to their accounts.
    async fn look_after_accounts(&mut self) {
        let mut bob = self.person("bob").await;
        for label in ["weather bot", "lost"] {
            let made = self.ask(&mut bob, json!({"request": "token", "action": "create", "label": label})).await;
            let Some(made) = made else { return };
            if label == "lost" {
                let revoke = json!({"request": "token", "action": "revoke", "token_id": made["token_id"]});
                self.ask(&mut bob, revoke).await;
            } else {
                self.tokens.push(json!({"username": "bob", "token": made["token"]}));
            }
        }
        let certificate = json!({"request": "token", "action": "certificate", "label": "laptop",
            "fingerprint": "07".repeat(32), "for_s": LONG_S});
        self.ask(&mut bob, certificate).await;
        self.ask(&mut self.person("cleo").await, json!({"request": "block", "username": "Greta"})).await;
        self.each(
            &mut self.person("Greta").await,
            [json!({"request": "block", "username": "bob"}), json!({"request": "block", "username": "gus"})],
        )
        .await;
        let (name, password) = OTHER_PASSWORD;
        let change = json!({"request": "password", "old": PASSWORD, "new": password});
        self.ask(&mut self.person(name).await, change).await;
        let delete = json!({"request": "delete_account", "password": PASSWORD});
        self.ask(&mut self.person("zed").await, delete).await;
    }

    /// What is erased: the front of a log, and a room.
    async fn erase(&self) {
        let mut bob = self.person("bob").await;
        for n in 0..30 {
            self.ask(&mut bob, json!({"request": "message", "room": "short", "text": format!("line {n}")})).await;
        }
        if self.ask(&mut bob, json!({"request": "room", "room": "short", "retention_entries": 10})).await.is_none() {
            return;
        }
        let begun = Instant::now();
        while bob.ask(json!({"request": "room", "room": "short"})).await["first"] == 1 {
            assert!(begun.elapsed() < PATIENCE, "nothing is erased");
        }
        let mut ada = self.person("ada").await;
        self.each(
            &mut ada,
            [
                json!({"request": "message", "room": "cellar", "text": "what is said here is gone soon"}),
                json!({"request": "delete_room", "room": "cellar"}),
            ],
        )
        .await;
    }
}

/// Something that might be said.
fn words(dice: &mut Dice, step: u64) -> String {
    let texts = [
        "cr\u{e8}me br\u{fb}l\u{e9}e for everybody",
        "two lines\nand a\ttab",
        "\u{6771}\u{4eac} \u{306f}\u{96e8}",
        "see https://example.com/?q=1&r=\"2\"",
        "\u{1f600} \\ \"quoted\" {\"json\": true}",
        "@bob, @Greta: are you there?",
        "na\u{ef}ve caf\u{e9}, stra\u{df}e, \u{c5}se",
        "nothing in particular",
    ];
    format!("{} {step}", texts[dice.below(texts.len())])
}

/// Somebody with an account, and the answer to the login.
async fn person(daemon: &Daemon, name: &str) -> (Wire, Value) {
    let mut wire = daemon.hello(name).await;
    let mut login = json!({"request": "login", "username": name, "password": PASSWORD});
    let mut answer = wire.outcome(login.clone()).await;
    if answer["code"] == "bad_credentials" && name == OTHER_PASSWORD.0 {
        login["password"] = OTHER_PASSWORD.1.into();
        answer = wire.outcome(login).await;
    }
    assert_eq!(answer.get("error"), None, "{name}: {answer}");
    (wire, answer)
}

/// What there is to be seen, by each of the people: a list of {`by`, `ask`, `answer`} and {`by`, `room`, `entries`}. Asking
/// changes nothing of it.
pub(crate) async fn sights(daemon: &Daemon) -> Vec<Value> {
    let mut seen = Vec::new();
    for name in PEOPLE {
        let (mut wire, login) = person(daemon, name).await;
        let mut rooms: Vec<String> = login["rooms"]
            .as_array()
            .expect("a list of rooms")
            .iter()
            .map(|room| room["room"].as_str().expect("a name").to_owned())
            .collect();
        rooms.sort();
        seen.push(json!({"by": name, "ask": "login", "answer": steady(login)}));
        let mut asks = vec![
            json!({"request": "rooms"}),
            json!({"request": "token", "action": "list"}),
            json!({"request": "invitation", "action": "list"}),
            json!({"request": "suspensions"}),
            json!({"request": "level"}),
            json!({"request": "acts", "limit": 500}),
            json!({"request": "history", "room": "deserted"}),
        ];
        let queries = ["creme", "\u{4eac}", "has:link", "line", "\"in particular\" from:bob", "gone", "passing", "fra"];
        asks.extend(queries.map(|query| json!({"request": "search", "query": query, "limit": 500})));
        for room in &rooms {
            for word in ["names", "room", "bans", "history"] {
                asks.push(json!({"request": word, "room": room}));
            }
        }
        for ask in asks {
            let answer = wire.outcome(ask.clone()).await;
            if answer["code"] != "unknown_request" {
                seen.push(json!({"by": name, "ask": ask, "answer": steady(answer)}));
            }
        }
        for room in rooms {
            let joined = wire.ask(json!({"request": "join", "room": room, "since": 0})).await;
            let (first, head) =
                (joined["first"].as_u64().expect("a number"), joined["head"].as_u64().expect("a number"));
            let mut entries = Vec::new();
            for seq in first..=head {
                let entry = wire.next().await;
                assert_eq!(entry["seq"], seq, "{entry}");
                entries.push(entry);
            }
            seen.push(json!({"by": name, "ask": "join", "answer": steady(joined)}));
            seen.push(json!({"by": name, "room": room, "entries": entries}));
        }
        // So that the next one sees nobody here.
        wire.ask(json!({"request": "logout"})).await;
    }
    seen
}

/// The same without what somebody else sees just so.
pub(crate) fn distinct(sights: Vec<Value>) -> Vec<Value> {
    let mut distinct: Vec<Value> = Vec::new();
    for sight in sights {
        let is_same =
            |other: &Value| ["ask", "answer", "room", "entries"].iter().all(|key| other.get(key) == sight.get(key));
        if !distinct.iter().any(is_same) {
            distinct.push(sight);
        }
    }
    distinct
}

/// An answer without what is different each time.
fn steady(mut answer: Value) -> Value {
    fn forget(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for key in ["id", "last_seen", "online", "status", "last_used", "error"] {
                    object.remove(key);
                }
                object.values_mut().for_each(forget);
            }
            Value::Array(list) => list.iter_mut().for_each(forget),
            _ => {}
        }
    }
    forget(&mut answer);
    answer
}

/// What is seen has to be what was seen before; a newer program may tell more. Rooms come in no particular order.
#[track_caller]
pub(crate) fn compare_sights(before: &[Value], now: &[Value]) {
    let sorted = |sight: &Value| {
        let mut sight = sight.clone();
        if let Some(Value::Array(rooms)) = sight.pointer_mut("/answer/rooms") {
            rooms.sort_by_key(|room| room["room"].to_string());
        }
        sight
    };
    for old in before {
        let same = |key: &str, new: &Value| old.get(key) == new.get(key);
        let is_it =
            |new: &&Value| same("by", new) && same("room", new) && same("ask", new) && room_of(old) == room_of(new);
        let Some(new) = now.iter().find(is_it) else { panic!("nobody sees {old}") };
        let result = compare(&sorted(old), &sorted(new), Rest::Anything, &mut Known::new());
        if let Err(what) = result {
            panic!("{what}: {old}\n  is now {new}");
        }
    }
}

/// The room that an answer is about, for those that are asked for many.
fn room_of(sight: &Value) -> Option<&Value> {
    sight.pointer("/answer/room")
}

/// What was posted with a nonce is a repeat now, and tokens are still good.
pub(crate) async fn check_promises(daemon: &Daemon, nonces: &[Value], tokens: &[Value]) {
    for posted in nonces {
        let name = posted["by"].as_str().expect("a name");
        let (mut wire, _) = person(daemon, name).await;
        let answer = wire.outcome(posted["request"].clone()).await;
        // Some may not speak there any more.
        if !matches!(answer["code"].as_str(), Some("muted" | "banned" | "not_a_member")) {
            assert_eq!((&answer["seq"], &answer["duplicate"]), (&posted["seq"], &json!(true)), "{posted}: {answer}");
        }
    }
    for token in tokens {
        let mut login = token.clone();
        login["request"] = "login".into();
        let mut bot = daemon.hello("bot").await;
        let answer = within("a login", bot.ask(login)).await;
        assert_eq!(answer["username"], token["username"], "{answer}");
    }
}
