//! Random plans of joining, saying, dropping, resuming and restarting. Afterwards every client has every log whole.
//! `SNAKK_SEED=n` repeats a plan.

use std::collections::HashMap;
use std::net::SocketAddr;

use rustix::process::Signal;

use crate::load::{Fate, Line, Link, Post, again, check, entry, whole_log};
use crate::support::server::PASSWORD;
use crate::support::{Daemon, Dice, Value, daemon, json};

const ROOMS: [&str; 3] = ["lobby", "one", "two"];
/// How many steps a plan has.
const STEPS: usize = 250;

/// A room as a client knows it.
#[derive(Default)]
struct Known {
    epoch: String,
    /// All that it has seen: the entries 1 to the number of them.
    entries: Vec<Line>,
    /// Whether its entries are being told on this connection.
    followed: bool,
    member: bool,
}

/// A client that remembers what it saw, what it sent, and what it does not know.
struct Person {
    name: String,
    guest: bool,
    token: Value,
    link: Option<Link>,
    rooms: HashMap<&'static str, Known>,
    posts: Vec<Post>,
    /// The posts whose answers have not come, in the order in which they will.
    waiting: Vec<usize>,
}

impl Person {
    fn new(name: String, guest: bool) -> Person {
        let rooms = ROOMS.into_iter().map(|room| (room, Known::default())).collect();
        Person { name, guest, token: Value::Null, link: None, rooms, posts: Vec::new(), waiting: Vec::new() }
    }

    /// Makes sure that there is a connection. What was followed before is not any more, and answers are lost.
    async fn connected(&mut self, address: SocketAddr) {
        if self.link.is_some() {
            return;
        }
        let mut login = json!({"request": "login", "username": self.name});
        match (self.guest, self.token.is_null()) {
            (true, true) => {}
            (true, false) => login["token"] = self.token.clone(),
            (false, true) => {
                login = json!({"request": "register", "username": self.name, "password": PASSWORD});
                self.token = true.into();
            }
            (false, false) => login["password"] = PASSWORD.into(),
        }
        let stream = tokio::net::TcpStream::connect(address).await.expect("the daemon runs");
        let mut link = Link::over(stream);
        assert!(link.put(&json!({"request": "hello", "protocol": 1})).await);
        link.answer("hello").await.expect("an answer");
        let answer = link.ask(login).await.expect("an answer");
        assert_eq!(answer.get("error"), None, "{}: {answer}", self.name);
        if self.guest {
            self.token = answer["token"].clone();
        }
        self.link = Some(link);
        self.waiting.clear();
        self.rooms.values_mut().for_each(|room| room.followed = false);
    }

    /// The connection is gone, in one way or the other.
    fn disconnected(&mut self) {
        self.link = None;
        self.waiting.clear();
    }

    /// Takes what came; whether it was the answer with this name. None when the connection has ended.
    async fn take(&mut self, awaited: &str) -> Option<Option<Value>> {
        let object = self.link.as_mut()?.get().await?;
        if let Some(answer) = object["response"].as_str() {
            if answer == "message" {
                let post = self.waiting.remove(0);
                assert_eq!(object["id"], post, "answers come in the order of the requests: {object}");
                self.posts[post].answered(&object);
            }
            let is_awaited = answer == awaited;
            return Some(is_awaited.then_some(object));
        }
        let room = object["room"].as_str().unwrap_or_default();
        if let (Some((seq, line)), Some((_, known))) =
            (entry(&object), self.rooms.iter_mut().find(|(name, _)| **name == room))
        {
            assert!(known.followed, "{} does not follow {room}: {object}", self.name);
            assert_eq!(seq, known.entries.len() as u64 + 1, "{}: a gap or a double: {object}", self.name);
            known.entries.push(line);
        }
        Some(None)
    }

    /// Sends a request and takes all that comes until its answer.
    async fn ask(&mut self, request: Value) -> Option<Value> {
        self.link.as_mut()?.put(&request).await.then_some(())?;
        let name = request["request"].as_str()?.to_owned();
        loop {
            if let Some(answer) = self.take(&name).await? {
                return Some(answer);
            }
        }
    }

    /// Follows a room from where this client is, by one request or the other.
    async fn follow(&mut self, room: &'static str, dice: &mut Dice) -> Option<()> {
        let known = self.rooms.get_mut(room)?;
        if known.followed {
            return Some(());
        }
        let since = known.entries.len() as u64;
        // Entries come behind the answer, and before anybody can look at it.
        known.followed = true;
        let (by_resume, with_epoch) =
            (known.member && dice.below(2) == 0, !known.epoch.is_empty() && dice.below(4) > 0);
        let answer = if by_resume {
            let place = if with_epoch { json!({"since": since, "epoch": known.epoch}) } else { json!(since) };
            let answer = self.ask(json!({"request": "resume", "rooms": {room: place}})).await?;
            answer["rooms"][0].clone()
        } else {
            let mut request = json!({"request": "join", "room": room, "since": since});
            if with_epoch {
                request["epoch"] = known.epoch.as_str().into();
            }
            self.ask(request).await?
        };
        let known = self.rooms.get_mut(room)?;
        if answer["code"] == "no_such_room" {
            known.followed = false;
            return Some(());
        }
        assert_eq!((&answer["room"], &answer["reset"]), (&json!(room), &json!(false)), "{}: {answer}", self.name);
        assert!(answer["head"].as_u64() >= Some(since), "{answer}");
        known.member = true;
        answer["epoch"].as_str()?.clone_into(&mut known.epoch);
        Some(())
    }

    /// Says something, without waiting for the answer: something new, or what nobody knows about.
    async fn say(&mut self, dice: &mut Dice) -> Option<()> {
        let rooms: Vec<&str> = ROOMS.into_iter().filter(|room| self.rooms[room].member).collect();
        if rooms.is_empty() {
            return Some(());
        }
        let again = (dice.below(3) == 0 && !self.posts.is_empty()).then(|| dice.below(self.posts.len()));
        let again = again.filter(|number| {
            let post = &self.posts[*number];
            // What was refused was not posted. Where it may not post, a repeat settles nothing.
            let settles = post.fate != Fate::Refused && self.rooms[&*post.room].member;
            settles && !self.waiting.contains(number)
        });
        if let Some(number) = again {
            self.posts[number].repeated = true;
        }
        let number = again.unwrap_or_else(|| {
            let number = self.posts.len();
            let text = format!("{} says {number} {}", self.name, "x".repeat(dice.below(2000)));
            self.posts.push(Post::new(rooms[dice.below(rooms.len())], text, format!("{}/{number}", self.name)));
            number
        });
        let request = self.posts[number].request(number);
        self.waiting.push(number);
        self.link.as_mut()?.put(&request).await.then_some(())
    }

    async fn hear_of_own_leaving(&mut self, room: &str) {
        let last = ("member".to_owned(), self.name.clone(), "leave".to_owned());
        let before = self.rooms[room].entries.len();
        assert_ne!(self.rooms[room].entries.last(), Some(&last), "{} is told of it before the answer", self.name);
        while !self.rooms[room].entries[before..].contains(&last) {
            if self.take("").await.is_none() {
                return;
            }
        }
    }

    /// Does something.
    async fn step(&mut self, address: SocketAddr, dice: &mut Dice) {
        self.connected(address).await;
        let room = ROOMS[dice.below(ROOMS.len())];
        let done = match dice.below(20) {
            0..8 => self.say(dice).await,
            8..11 => self.follow(room, dice).await,
            11..13 => {
                // Takes some of what is there.
                self.ask(json!({"request": "ping"})).await.map(drop)
            }
            13 => {
                let answer = self.ask(json!({"request": "unfollow", "room": room})).await;
                self.rooms.get_mut(room).expect("a room").followed = false;
                answer.map(drop)
            }
            14 => self.ask(json!({"request": "create", "room": room})).await.map(|answer| {
                // Whoever makes it is a member of it.
                if answer.get("error").is_none() {
                    self.rooms.get_mut(room).expect("a room").member = true;
                }
            }),
            15 if self.waiting.is_empty() => {
                let answer = self.ask(json!({"request": "leave", "room": room})).await;
                let left = answer.as_ref().is_some_and(|answer| answer.get("error").is_none());
                // An account's own leaving is the last that it is told of the room, behind the answer.
                if left && !self.guest && self.rooms[room].followed {
                    self.hear_of_own_leaving(room).await;
                }
                let known = self.rooms.get_mut(room).expect("a room");
                (known.followed, known.member) = (false, false);
                answer.map(drop)
            }
            16 | 17 => {
                if let Some(link) = self.link.take() {
                    link.reset();
                }
                self.disconnected();
                Some(())
            }
            _ => Some(()),
        };
        if done.is_none() {
            self.disconnected();
        }
    }

    /// Reads everything to its end, and settles what nobody knows.
    async fn settle(&mut self, address: SocketAddr, dice: &mut Dice) {
        self.connected(address).await;
        for room in ROOMS {
            let created = self.ask(json!({"request": "create", "room": room})).await.expect("an answer");
            assert!(created.get("error").is_none() || created["code"] == "room_exists", "{created}");
            self.follow(room, dice).await.expect("an answer");
        }
        while !self.waiting.is_empty() {
            self.take("message").await.expect("an answer");
        }
        // Most of what nobody knows is repeated, and the rest stays unknown.
        for number in 0..self.posts.len() {
            if self.posts[number].fate == Fate::Unknown && dice.below(4) > 0 {
                self.waiting.push(number);
                let answer = self.ask(self.posts[number].request(number)).await.expect("an answer");
                assert_eq!(answer.get("error"), None, "{answer}");
            }
        }
    }

    /// Reads on until it has everything.
    async fn catch_up(&mut self, heads: &HashMap<&str, usize>) {
        for room in ROOMS {
            while self.rooms[room].entries.len() < heads[room] {
                self.take("").await.expect("the log comes");
            }
        }
    }
}

/// Carries out one plan.
async fn carry_out(mut dice: Dice) {
    let mut daemon: Daemon = daemon().await;
    let mut people: Vec<Person> = (0..6).map(|n| Person::new(format!("person-{n}"), n % 2 == 0)).collect();
    for _ in 0..STEPS {
        if dice.below(60) == 0 {
            let kill = dice.below(2) == 0;
            daemon.signal(if kill { Signal::KILL } else { Signal::TERM });
            // Some notice it by what they do meanwhile.
            let person = dice.below(people.len());
            if people[person].link.is_some() && people[person].say(&mut dice).await.is_none() {
                people[person].disconnected();
            }
            let status = daemon.exited().await;
            assert!(kill || status.success(), "{status}: {}", daemon.stderr());
            // What is still in their sockets is theirs, for it was committed before it was sent.
            for person in &mut people {
                while person.link.is_some() && person.take("").await.is_some() {}
                person.disconnected();
                if person.guest {
                    // Guests are members for as long as somebody remembers them.
                    person.rooms.values_mut().for_each(|room| room.member = false);
                }
            }
            daemon = again(&daemon).await;
        }
        let person = dice.below(people.len());
        people[person].step(daemon.address(), &mut dice).await;
    }
    for person in &mut people {
        person.settle(daemon.address(), &mut dice).await;
    }
    let mut logs = HashMap::new();
    for room in ROOMS {
        logs.insert(room, whole_log(daemon.address(), room).await);
    }
    let heads = logs.iter().map(|(room, log)| (*room, log.len())).collect();
    let mut posts = Vec::new();
    for person in &mut people {
        person.catch_up(&heads).await;
        for room in ROOMS {
            assert!(person.rooms[room].entries == logs[room], "{} saw another log of {room}", person.name);
        }
        posts.append(&mut person.posts);
    }
    // A plan in which hardly anything was said would prove nothing; how much it is depends on the dice.
    assert!(posts.iter().filter(|post| matches!(post.fate, Fate::Acknowledged(_))).count() > STEPS / 50);
    check(daemon.address(), &posts, &[]).await;
}

#[tokio::test]
async fn after_any_plan_everybody_has_every_log_whole() {
    let repeats = if std::env::var_os("SNAKK_SEED").is_some() { 1 } else { 6 };
    for _ in 0..repeats {
        carry_out(Dice::new()).await;
    }
}
