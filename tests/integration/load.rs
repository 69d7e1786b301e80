//! A load that keeps a ledger: who posted what, what was acknowledged, what was seen; and whether it all fits together
//! with what the rooms hold afterwards. Its connections may break at any time, for that is what it is for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;

use snakk::server::Database;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::json::read_strictly;
use crate::support::{Daemon, Value, json, within};

/// How many posts of a sender wait for their answer.
const IN_FLIGHT: usize = 16;

/// A connection whose end is an ordinary thing.
pub(crate) struct Link {
    lines: BufReader<OwnedReadHalf>,
    out: OwnedWriteHalf,
    /// It ended in good order: all bytes, then the end, and no reset.
    pub(crate) ended_well: bool,
}

impl Link {
    /// Connects, says hello, and logs in as a guest, or as that request says.
    pub(crate) async fn open(address: SocketAddr, login: Value) -> Option<Link> {
        let stream = within("a connection", TcpStream::connect(address)).await.ok()?;
        let mut link = Link::over(stream);
        link.put(&json!({"request": "hello", "protocol": 1})).await.then_some(())?;
        link.answer("hello").await?;
        link.put(&login).await.then_some(())?;
        let answer = link.answer(login["request"].as_str()?).await?;
        assert_eq!(answer.get("error"), None, "{answer}");
        Some(link)
    }

    pub(crate) fn over(stream: TcpStream) -> Link {
        stream.set_nodelay(true).expect("a socket has this option");
        let (lines, out) = stream.into_split();
        Link { lines: BufReader::new(lines), out, ended_well: false }
    }

    pub(crate) async fn guest(address: SocketAddr, name: &str) -> Option<Link> {
        Link::open(address, json!({"request": "login", "username": name})).await
    }

    /// Sends an object; whether that was possible.
    pub(crate) async fn put(&mut self, object: &Value) -> bool {
        within("sending", self.out.write_all(format!("{object}\n").as_bytes())).await.is_ok()
    }

    /// The next object; none when the connection has ended.
    pub(crate) async fn get(&mut self) -> Option<Value> {
        let mut line = Vec::new();
        match within("a line of the server", self.lines.read_until(b'\n', &mut line)).await {
            Ok(0) => {
                self.ended_well = true;
                None
            }
            // What a dead process has begun is not whole.
            Ok(_) if line.pop() != Some(b'\n') => None,
            Ok(_) => Some(read_strictly(&line).unwrap_or_else(|what| panic!("{what}: {line:?}"))),
            Err(_) => None,
        }
    }

    /// The next answer of that name; events before it are passed over.
    pub(crate) async fn answer(&mut self, name: &str) -> Option<Value> {
        loop {
            let object = self.get().await?;
            if object.get("response").is_some() {
                assert_eq!(object["response"], name, "{object}");
                return Some(object);
            }
        }
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask(&mut self, request: Value) -> Option<Value> {
        self.put(&request).await.then_some(())?;
        self.answer(request["request"].as_str()?).await
    }

    /// Closes with a reset, so that what is under way in either direction is lost.
    pub(crate) fn reset(self) {
        let stream = self.lines.into_inner().reunite(self.out).expect("two halves of one");
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("a socket can be reset");
    }
}

/// What became of a post, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nobody knows.
    Unknown,
    /// It is in the log, with that number.
    Acknowledged(u64),
    /// It is not in the log, and never will be.
    Refused,
}

/// Something that was said, or was tried to be.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) room: String,
    pub(crate) text: String,
    pub(crate) nonce: String,
    pub(crate) fate: Fate,
    /// It was sent more than once: that the last time was refused says nothing of the others.
    pub(crate) repeated: bool,
}

impl Post {
    pub(crate) fn new(room: &str, text: String, nonce: String) -> Post {
        Post { room: room.to_owned(), text, nonce, fate: Fate::Unknown, repeated: false }
    }

    pub(crate) fn request(&self, id: usize) -> Value {
        json!({"request": "message", "id": id, "room": self.room, "text": self.text, "nonce": self.nonce})
    }

    /// Notes what an answer says.
    pub(crate) fn answered(&mut self, answer: &Value) {
        let fate = match (answer["seq"].as_u64(), answer["code"].as_str()) {
            (Some(seq), None) => Fate::Acknowledged(seq),
            (None, Some("storage_unavailable" | "internal")) => Fate::Unknown,
            (None, Some(_)) if self.repeated => Fate::Unknown,
            (None, Some(_)) => Fate::Refused,
            _ => panic!("neither a number nor a code: {answer}"),
        };
        if let (Fate::Acknowledged(first), Fate::Acknowledged(second)) = (self.fate, fate) {
            assert_eq!(first, second, "{} has two numbers", self.nonce);
        }
        if self.fate == Fate::Unknown {
            self.fate = fate;
        }
    }
}

/// What all senders have sent, and how it ended for them.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) posts: Vec<Post>,
    /// How many of them heard that the server stops, and then saw a proper end.
    pub(crate) told: usize,
}

/// Senders at work.
pub(crate) struct Load {
    senders: JoinSet<(Vec<Post>, bool)>,
    acknowledged: watch::Receiver<usize>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// Starts so many senders, who post to the rooms in turn until the connection ends, or [`Load::stop`]. The word tells
    /// their texts from those of another load.
    pub(crate) async fn start(address: SocketAddr, word: &str, senders: usize, rooms: &[&str]) -> Load {
        Load::of(address, word, senders, rooms, 50).await
    }

    /// The same, with texts that have up to so many bytes more.
    pub(crate) async fn of(address: SocketAddr, word: &str, senders: usize, rooms: &[&str], bytes: usize) -> Load {
        let (count, acknowledged) = watch::channel(0);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for number in 0..senders {
            let name = format!("{word}-{number}");
            let mut link = Link::guest(address, &name).await.expect("a new server takes guests");
            let mut posts_to = Vec::new();
            for room in rooms {
                // The first creates it, the others find it there.
                link.ask(json!({"request": "create", "room": room})).await.expect("an answer");
                let joined = link.ask(json!({"request": "join", "room": room})).await.expect("an answer");
                assert_eq!(joined.get("error"), None, "{joined}");
                // Every second sender hears what is said.
                if number % 2 == 0 {
                    link.ask(json!({"request": "unfollow", "room": room})).await.expect("an answer");
                }
                posts_to.push((*room).to_owned());
            }
            tasks.spawn(send(link, name, posts_to, bytes, count.clone(), stopped.clone()));
        }
        Load { senders: tasks, acknowledged, stop }
    }

    /// Waits until so many posts are acknowledged.
    pub(crate) async fn acknowledged(&mut self, least: usize) {
        let waiting = self.acknowledged.wait_for(|count| *count >= least);
        let reached = within("so many acknowledgements", waiting).await.map(|count| *count);
        reached.expect("the senders are at work");
    }

    /// Lets the senders wait for their last answers and go.
    pub(crate) async fn stop(self) -> Ledger {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// Waits until all senders have ended.
    pub(crate) async fn ended(mut self) -> Ledger {
        let mut ledger = Ledger::default();
        while let Some(ended) = within("the end of a sender", self.senders.join_next()).await {
            let (posts, told) = ended.unwrap_or_else(|error| panic!("a sender: {error}"));
            ledger.posts.extend(posts);
            ledger.told += usize::from(told);
        }
        ledger
    }
}

async fn send(
    mut link: Link,
    name: String,
    rooms: Vec<String>,
    bytes: usize,
    count: watch::Sender<usize>,
    stopped: watch::Receiver<bool>,
) -> (Vec<Post>, bool) {
    let mut posts: Vec<Post> = Vec::new();
    let (mut waiting, mut told) = (0, false);
    loop {
        while waiting < IN_FLIGHT && !*stopped.borrow() {
            let number = posts.len();
            let text = format!("{name} says {number} {}", "x".repeat(number % bytes));
            let post = Post::new(&rooms[number % rooms.len()], text, format!("{name}/{number}"));
            let request = post.request(number);
            posts.push(post);
            if !link.put(&request).await {
                break;
            }
            waiting += 1;
        }
        if waiting == 0 {
            return (posts, told);
        }
        match link.get().await {
            None => return (posts, told && link.ended_well),
            Some(object) if object["event"] == "shutdown" => told = true,
            Some(object) if object["response"] == "message" => {
                let id = object["id"].as_u64().and_then(|id| usize::try_from(id).ok()).expect("the id comes back");
                posts[id].answered(&object);
                waiting -= 1;
                count.send_modify(|count| *count += 1);
            }
            Some(object) => assert!(object.get("event").is_some(), "{object}"),
        }
    }
}

/// An entry of a room's log: what it is, who made it, and what it says or changes.
pub(crate) type Line = (String, String, String);

/// An entry, with its number; none where this is no entry.
pub(crate) fn entry(object: &Value) -> Option<(u64, Line)> {
    let word = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    Some((object["seq"].as_u64()?, (word("event"), word("from"), word("text") + &word("change"))))
}

/// What somebody saw of a room: the first entries of its log, without a gap and each once.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) room: String,
    pub(crate) entries: Vec<Line>,
    /// The server said that it stops, and then closed properly.
    pub(crate) told: bool,
}

impl Seen {
    pub(crate) fn of(room: &str) -> Seen {
        Seen { room: room.to_owned(), ..Seen::default() }
    }

    pub(crate) fn last(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Notes an entry of the room, which has to be the next one.
    #[track_caller]
    pub(crate) fn note(&mut self, object: &Value) {
        if object["room"] != self.room.as_str() || object.get("event").is_none() {
            return;
        }
        if let Some((seq, line)) = entry(object) {
            assert_eq!(seq, self.last() + 1, "a gap or a double in {}: {object}", self.room);
            self.entries.push(line);
        }
    }
}

/// Somebody who reads a room from its beginning, until the connection ends.
pub(crate) struct Follower(JoinHandle<Seen>);

impl Follower {
    pub(crate) async fn start(address: SocketAddr, name: &str, room: &str) -> Follower {
        let mut link = Link::guest(address, name).await.expect("a server takes guests");
        let joined = link.ask(json!({"request": "join", "room": room, "since": 0})).await.expect("an answer");
        assert_eq!(joined.get("error"), None, "{joined}");
        let mut seen = Seen::of(room);
        Follower(tokio::spawn(async move {
            let mut told = false;
            while let Some(object) = link.get().await {
                told |= object["event"] == "shutdown";
                seen.note(&object);
            }
            seen.told = told && link.ended_well;
            seen
        }))
    }

    pub(crate) async fn ended(self) -> Seen {
        within("the end of a follower", self.0).await.unwrap_or_else(|error| panic!("a follower: {error}"))
    }
}

/// The whole log of a room, as its event stream shows it to somebody who comes now.
pub(crate) async fn whole_log(address: SocketAddr, room: &str) -> Vec<Line> {
    let mut link = Link::guest(address, "reader").await.expect("a server takes guests");
    let joined = link.ask(json!({"request": "join", "room": room, "since": 0})).await.expect("an answer");
    let head = joined["head"].as_u64().unwrap_or_else(|| panic!("{joined}"));
    assert_eq!((&joined["first"], &joined["reset"]), (&json!(1), &joined["reset"]));
    let mut seen = Seen::of(room);
    while seen.last() < head {
        seen.note(&link.get().await.expect("the log comes"));
    }
    link.ask(json!({"request": "logout"})).await.expect("an answer");
    seen.entries
}

/// All messages of a room, as its history shows them page by page.
pub(crate) async fn whole_history(address: SocketAddr, room: &str) -> BTreeMap<u64, String> {
    let mut link = Link::guest(address, "historian").await.expect("a server takes guests");
    let (mut messages, mut after) = (BTreeMap::new(), 0);
    loop {
        let request = json!({"request": "history", "room": room, "after": after, "limit": 500});
        let page = link.ask(request).await.expect("an answer");
        for message in page["messages"].as_array().unwrap_or_else(|| panic!("{page}")) {
            let seq = message["seq"].as_u64().expect("a number");
            assert!(seq > after, "pages go on: {message}");
            after = seq;
            messages.insert(seq, message["text"].as_str().expect("a text").to_owned());
        }
        if page["more"] != true {
            link.ask(json!({"request": "logout"})).await.expect("an answer");
            return messages;
        }
    }
}

/// Checks that the log has every acknowledged post once, with its text and at its number; every other at most once, the
/// refused ones never; that history and log say the same; and that everybody saw what the log holds.
pub(crate) async fn check(address: SocketAddr, posts: &[Post], seen: &[Seen]) {
    let rooms: HashSet<&str> =
        posts.iter().map(|post| &*post.room).chain(seen.iter().map(|seen| &*seen.room)).collect();
    for room in rooms {
        let log = whole_log(address, room).await;
        let messages: BTreeMap<u64, String> = (1..)
            .zip(&log)
            .filter(|(_, (event, _, _))| event == "message")
            .map(|(seq, (_, _, text))| (seq, text.clone()))
            .collect();
        let history = whole_history(address, room).await;
        if let Some(seq) = messages.keys().chain(history.keys()).find(|seq| messages.get(seq) != history.get(seq)) {
            let (log, history) = (messages.get(seq), history.get(seq));
            panic!("number {seq} of {room} is {log:?} in the log, and {history:?} in the history");
        }
        let mut places: HashMap<&str, Vec<u64>> = HashMap::new();
        for (seq, text) in &messages {
            places.entry(text).or_default().push(*seq);
        }
        for post in posts.iter().filter(|post| post.room == room) {
            let places = places.remove(&*post.text).unwrap_or_default();
            let good = match post.fate {
                Fate::Acknowledged(seq) => places == [seq],
                Fate::Unknown => places.len() <= 1,
                Fate::Refused => places.is_empty(),
            };
            assert!(good, "{} is {:?}, and at {places:?} of {room}", post.nonce, post.fate);
        }
        assert!(places.is_empty(), "nobody has said {places:?}");
        for seen in seen.iter().filter(|seen| seen.room == room) {
            assert!(log.starts_with(&seen.entries), "somebody saw in {room} what is not in its log");
        }
    }
}

/// Checks a database that nobody has open, on a copy of it.
pub(crate) fn check_database(data_dir: &Path) {
    let copy = tempfile::tempdir().expect("a temporary directory");
    for name in ["snakk.db", "snakk.db-wal"] {
        if data_dir.join(name).exists() {
            std::fs::copy(data_dir.join(name), copy.path().join(name)).expect("a copy");
        }
    }
    let report = Database::verify(copy.path().join("snakk.db")).expect("a database");
    assert!(report.is_whole(), "{report}");
}

/// Starts another daemon on the same data, having looked at the database.
pub(crate) async fn again(daemon: &Daemon) -> Daemon {
    check_database(&daemon.data_dir());
    daemon.again().await
}
