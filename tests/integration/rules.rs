//! Random operations by random people, against a naive model of who may do what.
//!
//! The model ([`model`]) was written from docs/protocol.md alone. Each operation is asked of a real chat on a store of
//! maps, without sockets; its code has to be the model's, and so have, after each operation, the members of the room and their
//! roles. A failure is shrunk, and its seed is printed.

mod model;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::test_runner::{Config, TestRunner};
use snakk::chat::{Answered, Asking, Chat, Limits, Options, Origin, Session};
use snakk::model::ServerRole;
use snakk::protocol::native::Native;
use snakk::protocol::{Dialect, Response};
use snakk::store::{MemoryStore, Store};

use crate::support::clock::Hands;
use crate::support::people::seed_store;
use crate::support::server::PASSWORD;
use crate::support::{Value, json, within};
use model::{ADMIN, GUESTS, KINDS, Model, NOBODY, PEOPLE, ROOMS, Said};

/// What somebody does.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Create {
        room: usize,
        kind: usize,
    },
    Join {
        room: usize,
    },
    Resume {
        room: usize,
    },
    Leave {
        room: usize,
    },
    Unfollow {
        room: usize,
    },
    Moderate {
        room: usize,
        verb: usize,
        whom: usize,
        for_s: Option<i64>,
    },
    Role {
        room: usize,
        whom: usize,
        role: usize,
    },
    Kind {
        room: usize,
        kind: usize,
    },
    History {
        room: usize,
        joined: bool,
    },
    Delete {
        room: usize,
    },
    Look {
        room: usize,
        verb: usize,
    },
    Page {
        room: usize,
    },
    Topic {
        room: usize,
    },
    Message {
        room: usize,
        reply_to: Option<u64>,
    },
    Edit {
        room: usize,
        target: u64,
    },
    TakeBack {
        room: usize,
        target: u64,
    },
    React {
        room: usize,
        target: u64,
    },
    Direct {
        whom: usize,
    },
    DirectEdit {
        whom: usize,
        target: u64,
    },
    DirectOther {
        whom: usize,
        verb: usize,
    },
    Block {
        whom: usize,
        on: bool,
    },
    Level {
        level: usize,
    },
    /// Time goes by, in seconds.
    Wait {
        seconds: i64,
    },
}

/// What may be done to somebody in a room, but for `role`.
pub(crate) const VERBS: [&str; 6] = ["invite", "kick", "ban", "unban", "mute", "unmute"];
/// What one may look at, or note, and nothing changes.
pub(crate) const LOOKS: [&str; 7] = ["names", "room", "bans", "acts", "read", "typing", "search"];
/// What may be asked of a direct conversation besides.
pub(crate) const DIRECT: [&str; 6] = ["history", "read", "kick", "topic", "names", "leave"];
/// How far the server may be closed.
pub(crate) const LEVELS: [&str; 5] = ["open", "no_registration", "no_guests", "members_only", "read_only"];

/// A chat in which every case has people and rooms of its own.
struct World {
    chat: Arc<Chat>,
    store: Arc<MemoryStore>,
    clock: Hands,
    cases: usize,
}

/// The people of one case.
struct Case {
    number: usize,
    sessions: Vec<Arc<Session>>,
}

/// What came of a deed: the code, or what the answer holds.
#[derive(Debug)]
struct Came {
    code: String,
    seq: Option<u64>,
    names: BTreeMap<String, String>,
    messages: Vec<u64>,
}

impl World {
    async fn new() -> World {
        let limits = Limits { messages_per_second: 0, rooms_per_user: 0, password_attempts: 0, ..Limits::default() };
        let options = Options { limits, default_rooms: Vec::new(), ..Options::default() };
        let (store, clock) = (Arc::new(MemoryStore::new()), Hands::default());
        let opened = Chat::open(Arc::clone(&store) as Arc<dyn Store>, Arc::new(clock.clone()), options).await;
        let (chat, publisher) = opened.expect("an empty store opens");
        tokio::spawn(publisher.run());
        World { chat, store, clock, cases: 0 }
    }

    /// People who are logged in and in no room.
    async fn case(&mut self) -> Case {
        self.cases += 1;
        let mut case = Case { number: self.cases, sessions: Vec::new() };
        let names: Vec<String> = (0..PEOPLE).map(|who| case.name(who)).collect();
        let role = |who| if who == ADMIN { ServerRole::Admin } else { ServerRole::User };
        let accounts: Vec<_> =
            (0..PEOPLE).filter(|who| !GUESTS.contains(who)).map(|who| (names[who].as_str(), role(who))).collect();
        seed_store(&*self.store, &accounts).await;
        for (who, name) in names.iter().enumerate() {
            case.sessions.push(self.chat.session(Origin::Local));
            let mut login = json!({"request": "login", "username": name});
            if !GUESTS.contains(&who) {
                login["password"] = PASSWORD.into();
            }
            let came = case.ask(who, login).await;
            assert_eq!(came.code, "ok", "{name} logs in");
        }
        case
    }
}

impl Case {
    fn name(&self, who: usize) -> String {
        let word = match who {
            _ if who == ADMIN => "boss",
            _ if GUESTS.contains(&who) => "guest",
            _ => "user",
        };
        format!("{word}{who}-{}", self.number)
    }

    fn room(&self, room: usize) -> String {
        format!("room{room}-{}", self.number)
    }

    /// Asks, and waits for the answer.
    async fn ask(&self, who: usize, request: Value) -> Came {
        let session = &self.sessions[who];
        if let Asking::Later(asking) = session.ask(Native.decode(&request.to_string())) {
            within("the end of a request", asking).await;
        }
        loop {
            let round = within(&format!("the answer to {request}"), session.next()).await;
            let Some(Answered::Request(_, answer)) = round.answers.into_iter().next() else { continue };
            return match answer {
                Ok(response) => came(response),
                Err(refusal) => Came { code: refusal.code.as_str().into(), ..came(Response::Done) },
            };
        }
    }

    /// Asks for a deed.
    async fn act(&self, who: usize, deed: &Deed) -> Came {
        let room = |room: &usize| self.room(*room);
        let peer = |whom: &usize| format!("@{}", self.name(*whom));
        let request = match deed {
            Deed::Create { room: number, kind } => {
                json!({"request": "create", "room": room(number), "kind": KINDS[*kind]})
            }
            Deed::Join { room: number } => json!({"request": "join", "room": room(number)}),
            Deed::Resume { room: number } => json!({"request": "resume", "rooms": {room(number): 0}}),
            Deed::Leave { room: number } => json!({"request": "leave", "room": room(number)}),
            Deed::Unfollow { room: number } => json!({"request": "unfollow", "room": room(number)}),
            Deed::Moderate { room: number, verb, whom, for_s } => {
                let mut request = json!({"request": VERBS[*verb], "room": room(number), "username": self.name(*whom)});
                if let (Some(for_s), "ban" | "mute") = (for_s, VERBS[*verb]) {
                    request["for_s"] = (*for_s).into();
                }
                request
            }
            Deed::Role { room: number, whom, role } => {
                let role = ["member", "moderator", "owner"][*role];
                json!({"request": "role", "room": room(number), "username": self.name(*whom), "role": role})
            }
            Deed::Kind { room: number, kind } => {
                json!({"request": "room", "room": room(number), "kind": KINDS[*kind]})
            }
            Deed::History { room: number, joined } => {
                let history = if *joined { "joined" } else { "all" };
                json!({"request": "room", "room": room(number), "history": history})
            }
            Deed::Delete { room: number } => json!({"request": "delete_room", "room": room(number)}),
            Deed::Look { room: number, verb } => {
                let mut request = json!({"request": LOOKS[*verb], "room": room(number)});
                match LOOKS[*verb] {
                    "read" => request["seq"] = 1.into(),
                    "search" => request["query"] = "words".into(),
                    _ => {}
                }
                request
            }
            Deed::Page { room: number } => json!({"request": "history", "room": room(number), "limit": 500}),
            Deed::Topic { room: number } => json!({"request": "topic", "room": room(number), "topic": "words"}),
            Deed::Message { room: number, reply_to } => {
                let mut request = json!({"request": "message", "room": room(number), "text": "words"});
                if let Some(seq) = reply_to {
                    request["reply_to"] = (*seq).into();
                }
                request
            }
            Deed::Edit { room: number, target } => {
                json!({"request": "edit", "room": room(number), "target": target, "text": "other words"})
            }
            Deed::TakeBack { room: number, target } => {
                json!({"request": "delete", "room": room(number), "target": target})
            }
            Deed::React { room: number, target } => {
                json!({"request": "react", "room": room(number), "target": target, "emoji": "+"})
            }
            Deed::Direct { whom } => json!({"request": "message", "room": peer(whom), "text": "words"}),
            Deed::DirectEdit { whom, target } => {
                json!({"request": "edit", "room": peer(whom), "target": target, "text": "other words"})
            }
            Deed::DirectOther { whom, verb } => {
                let mut request = json!({"request": DIRECT[*verb], "room": peer(whom)});
                match DIRECT[*verb] {
                    "read" => request["seq"] = 1.into(),
                    "kick" => request["username"] = self.name(*whom).into(),
                    "topic" => request["topic"] = "words".into(),
                    _ => {}
                }
                request
            }
            Deed::Block { whom, on } => {
                json!({"request": if *on { "block" } else { "unblock" }, "username": self.name(*whom)})
            }
            Deed::Level { level } => json!({"request": "level", "level": LEVELS[*level]}),
            Deed::Wait { .. } => json!({"request": "ping"}),
        };
        self.ask(who, request).await
    }

    /// The members of a room and their roles, as an admin sees them; none where there is no such room.
    async fn members(&self, room: usize) -> Option<BTreeMap<String, String>> {
        let came = self.ask(ADMIN, json!({"request": "names", "room": self.room(room)})).await;
        match &*came.code {
            "ok" => Some(came.names),
            "no_such_room" => None,
            code => panic!("an admin is answered {code} to names"),
        }
    }

    fn end(self) {
        for session in &self.sessions {
            session.close();
        }
    }
}

fn came(response: Response) -> Came {
    let mut came = Came { code: "ok".into(), seq: None, names: BTreeMap::new(), messages: Vec::new() };
    match response {
        Response::Posted { seq, .. } | Response::Changed { seq } => came.seq = Some(seq.0),
        Response::History(page) => came.messages = page.messages.iter().map(|entry| entry.seq.0).collect(),
        Response::Names { names, .. } => {
            came.names = names.iter().map(|line| (line.name.to_string(), line.role.to_owned())).collect();
        }
        Response::Resumed(rooms) => {
            if let Some(Err(refusal)) = rooms.first().map(|resumed| resumed.outcome.as_ref()) {
                came.code = refusal.code.as_str().into();
            }
        }
        _ => {}
    }
    came
}

/// Somebody and a deed. Some rooms and people come up more often, so that things happen among them.
fn step() -> impl Strategy<Value = (usize, Deed)> {
    let room = || prop_oneof![4 => Just(0), 2 => Just(1), 1 => 2..ROOMS];
    let whom = || 0..=NOBODY;
    // Most are taken for the number of a message; see `Model::meant`.
    let target = || 0..24u64;
    let verb = || prop_oneof![2 => 0..VERBS.len(), 1 => 2..=2usize, 1 => 4..=4usize];
    let deeds: Vec<(u32, BoxedStrategy<Deed>)> = vec![
        (1, (room(), 0..3usize).prop_map(|(room, kind)| Deed::Create { room, kind }).boxed()),
        (9, room().prop_map(|room| Deed::Join { room }).boxed()),
        (1, room().prop_map(|room| Deed::Resume { room }).boxed()),
        (3, room().prop_map(|room| Deed::Leave { room }).boxed()),
        (1, room().prop_map(|room| Deed::Unfollow { room }).boxed()),
        (
            14,
            (room(), verb(), whom(), proptest::option::weighted(0.7, 1..200i64))
                .prop_map(|(room, verb, whom, for_s)| Deed::Moderate { room, verb, whom, for_s })
                .boxed(),
        ),
        (7, (room(), whom(), 0..3usize).prop_map(|(room, whom, role)| Deed::Role { room, whom, role }).boxed()),
        (2, (room(), 0..3usize).prop_map(|(room, kind)| Deed::Kind { room, kind }).boxed()),
        (1, (room(), any::<bool>()).prop_map(|(room, joined)| Deed::History { room, joined }).boxed()),
        (1, (1..ROOMS).prop_map(|room| Deed::Delete { room }).boxed()),
        (5, (room(), 0..LOOKS.len()).prop_map(|(room, verb)| Deed::Look { room, verb }).boxed()),
        (3, room().prop_map(|room| Deed::Page { room }).boxed()),
        (2, room().prop_map(|room| Deed::Topic { room }).boxed()),
        (
            8,
            (room(), proptest::option::weighted(0.2, target()))
                .prop_map(|(room, reply_to)| Deed::Message { room, reply_to })
                .boxed(),
        ),
        (3, (room(), target()).prop_map(|(room, target)| Deed::Edit { room, target }).boxed()),
        (4, (room(), target()).prop_map(|(room, target)| Deed::TakeBack { room, target }).boxed()),
        (2, (room(), target()).prop_map(|(room, target)| Deed::React { room, target }).boxed()),
        (3, whom().prop_map(|whom| Deed::Direct { whom }).boxed()),
        (1, (whom(), 1..3u64).prop_map(|(whom, target)| Deed::DirectEdit { whom, target }).boxed()),
        (2, (whom(), 0..DIRECT.len()).prop_map(|(whom, verb)| Deed::DirectOther { whom, verb }).boxed()),
        (2, (whom(), any::<bool>()).prop_map(|(whom, on)| Deed::Block { whom, on }).boxed()),
        (1, (0..LEVELS.len()).prop_map(|level| Deed::Level { level }).boxed()),
        (2, (1..60i64).prop_map(|seconds| Deed::Wait { seconds }).boxed()),
    ];
    // Whoever makes the rooms and the admin have more to decide than others.
    let who = prop_oneof![3 => Just(0), 2 => Just(ADMIN), 5 => 0..PEOPLE];
    (who, Union::new_weighted(deeds))
}

/// How a case begins: three rooms, their kinds, and who is in them from the start.
fn beginning() -> impl Strategy<Value = Vec<(usize, Deed)>> {
    let room = |room: usize, owner: usize| {
        (0..KINDS.len(), proptest::collection::vec(any::<bool>(), PEOPLE)).prop_map(move |(kind, joins)| {
            let mut steps = vec![(owner, Deed::Create { room, kind: 0 })];
            let members = (0..PEOPLE).filter(|who| joins[*who] && *who != owner);
            let greet = |who| [(who, Deed::Join { room }), (who, Deed::Message { room, reply_to: None })];
            steps.extend(members.flat_map(greet));
            if !GUESTS.contains(&owner) {
                steps.push((owner, Deed::Kind { room, kind }));
            }
            steps
        })
    };
    (room(0, 0), room(1, 1), room(2, GUESTS[0])).prop_map(|(one, two, three)| [one, two, three].concat())
}

async fn play(world: &mut World, steps: &[(usize, Deed)]) -> Result<(), TestCaseError> {
    let case = world.case().await;
    let outcome = compare(world, &case, steps).await;
    case.ask(ADMIN, json!({"request": "level", "level": "open"})).await;
    case.end();
    outcome
}

/// Does one thing after another, and compares what comes of it.
async fn compare(world: &World, case: &Case, steps: &[(usize, Deed)]) -> Result<(), TestCaseError> {
    let mut model = Model::new();
    let mut done = Vec::new();
    for (who, deed) in steps {
        // Whoever was logged out does nothing more.
        if !model.is_here(*who) {
            continue;
        }
        if let Deed::Wait { seconds } = deed {
            world.clock.pass(Duration::from_secs(seconds.unsigned_abs()));
        }
        let deed = &model.meant(deed.clone());
        let Said { code, seq, messages } = model.act(*who, deed);
        let came = case.act(*who, deed).await;
        done.push(format!("{} {deed:?}: {}", case.name(*who), came.code));
        let done = || done.join("\n");
        prop_assert_eq!(&*came.code, code, "the code of the last of these:\n{}", done());
        if code == "ok" {
            prop_assert_eq!(came.seq, seq, "the number of the last of these:\n{}", done());
            prop_assert_eq!(came.messages, messages, "what the last of these has seen:\n{}", done());
        }
        for guest in GUESTS.iter().filter(|guest| !model.is_here(**guest)) {
            // What a connection does that has sent its last word.
            case.sessions[*guest].close();
        }
        if let Some(room) = model::room_of(deed) {
            let members = model.members(room);
            let members = members.map(|members| {
                members.into_iter().map(|(who, role)| (case.name(who), role.to_owned())).collect::<BTreeMap<_, _>>()
            });
            prop_assert_eq!(case.members(room).await, members, "the members after the last of these:\n{}", done());
        }
    }
    Ok(())
}

#[test]
fn the_rules_are_those_of_a_naive_model() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = std::cell::RefCell::new(runtime.block_on(World::new()));
    let config = Config { cases: 128, failure_persistence: None, ..Config::default() };
    println!("seed: {:?} (PROPTEST_RNG_SEED chooses one)", config.rng_seed);
    let outcome = TestRunner::new(config)
        .run(&(beginning(), proptest::collection::vec(step(), 40..80)), |(beginning, steps)| {
            runtime.block_on(play(&mut world.borrow_mut(), &[beginning, steps].concat()))
        });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
