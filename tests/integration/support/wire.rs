//! One raw connection: what a client sends and sees, byte for byte.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::Location;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::PATIENCE;
use super::json::{Known, Rest, compare, read_strictly};
use super::server::PASSWORD;

/// How many lines of the conversation a failure shows.
const REMEMBERED: usize = 30;

/// One connection, and who is behind it.
pub(crate) struct Wire<S = TcpStream> {
    /// Who it is, for failures.
    pub(crate) name: String,
    stream: S,
    unread: Vec<u8>,
    /// Objects that came while the answer to something else was awaited.
    aside: VecDeque<Value>,
    said: VecDeque<String>,
    last_id: u64,
    closed: bool,
}

/// What came, or did not.
enum Came {
    Object(Value),
    Closed,
}

impl Wire {
    /// Connects.
    pub(crate) async fn connect(name: &str, address: SocketAddr) -> Wire {
        Wire::try_connect_from(None, name, address)
            .await
            .unwrap_or_else(|error| panic!("{name} cannot connect: {error}"))
    }

    /// Connects from another address of this machine, such as 127.0.0.2.
    pub(crate) async fn connect_from(from: &str, name: &str, address: SocketAddr) -> Wire {
        let from = from.parse().expect("an address");
        let wire = Wire::try_connect_from(Some(from), name, address).await;
        wire.unwrap_or_else(|error| panic!("{name} cannot connect from {from}: {error}"))
    }

    /// Connects, if that is possible.
    pub(crate) async fn try_connect(name: &str, address: SocketAddr) -> io::Result<Wire> {
        Wire::try_connect_from(None, name, address).await
    }

    async fn try_connect_from(from: Option<IpAddr>, name: &str, address: SocketAddr) -> io::Result<Wire> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        Wire::over(name, timeout(PATIENCE, socket.connect(address)).await??)
    }

    /// Over a socket with options of its own.
    pub(crate) fn over(name: &str, stream: TcpStream) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        Ok(Wire::on(name, stream))
    }

    /// Closes the connection at once, with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket can be reset");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Over a stream of any kind.
    pub(crate) fn on(name: &str, stream: S) -> Wire<S> {
        Wire {
            name: name.to_owned(),
            stream,
            unread: Vec::new(),
            aside: VecDeque::new(),
            said: VecDeque::new(),
            last_id: 0,
            closed: false,
        }
    }

    /// Sends an object and a newline.
    #[track_caller]
    pub(crate) fn send(&mut self, object: Value) -> impl Future<Output = ()> {
        self.send_raw(format!("{object}\n"))
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let bytes = bytes.as_ref();
            self.remember('>', &shown(bytes));
            match timeout(PATIENCE, self.stream.write_all(bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.fail(at, &format!("cannot send: {error}")),
                Err(_) => self.fail(at, "the server takes no more bytes"),
            }
        }
    }

    /// Sends bytes for as long as the other side takes any. For those who are being closed.
    pub(crate) async fn send_what_goes(&mut self, bytes: impl AsRef<[u8]>) {
        self.remember('>', &shown(bytes.as_ref()));
        // That it does not take all of it is what such a test is about.
        let _ = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
    }

    /// Sends nothing more, but still listens.
    pub(crate) async fn finish_sending(&mut self) {
        self.remember('>', "(end)");
        // The other side may be gone already.
        let _ = self.stream.shutdown().await;
    }

    /// Waits for the next object, which has to be as the pattern says. Presence is left out unless it is awaited, for it
    /// may come at any time, or not.
    #[track_caller]
    pub(crate) fn expect(&mut self, pattern: Value) -> impl Future<Output = Value> {
        let at = Location::caller();
        async move { self.compared(at, &pattern, Rest::Anything, &mut Known::new()).await }
    }

    /// Like [`Wire::expect`], but nothing else may stand in the object; and placeholders are remembered.
    #[track_caller]
    pub(crate) fn expect_exactly(&mut self, pattern: &Value, known: &mut Known) -> impl Future<Output = Value> {
        let at = Location::caller();
        async move { self.compared(at, pattern, Rest::Nothing, known).await }
    }

    /// Waits for a refusal with this code.
    #[track_caller]
    pub(crate) fn expect_code(&mut self, code: &str) -> impl Future<Output = Value> {
        self.expect(json!({"response": "<any>", "error": "<string>", "code": code}))
    }

    /// Waits until somebody is said to have come or gone, and leaves out everything that comes before that.
    #[track_caller]
    pub(crate) fn presence(&mut self, user: &str, online: bool) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let awaited = format!("presence of {user}: {online}");
            loop {
                let object = self.object(at, &awaited, true).await;
                if is_presence(&object) && object["user"] == user && object["online"] == online {
                    return;
                }
            }
        }
    }

    /// Waits for the next object, whatever it is. Presence is left out.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Value> {
        let at = Location::caller();
        async move { self.object(at, "anything", false).await }
    }

    /// Waits for the next object, whatever it is, presence too.
    #[track_caller]
    pub(crate) fn expect_any(&mut self) -> impl Future<Output = Value> {
        let at = Location::caller();
        async move { self.object(at, "anything", true).await }
    }

    /// Waits until the server closes. Nothing but presence may come before.
    #[track_caller]
    pub(crate) fn expect_close(&mut self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            loop {
                match self.came(at, "the close").await {
                    Came::Closed => return,
                    Came::Object(object) if is_presence(&object) => {}
                    Came::Object(object) => self.fail(at, &format!("awaited the close, but got {object}")),
                }
            }
        }
    }

    /// Waits until the server has closed, whatever comes before.
    #[track_caller]
    pub(crate) fn expect_gone(&mut self) -> impl Future<Output = ()> {
        let rest = self.rest();
        async move { drop(rest.await) }
    }

    /// Everything until the server closes.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> impl Future<Output = Vec<Value>> {
        let at = Location::caller();
        async move {
            let mut objects = Vec::new();
            while let Came::Object(object) = self.came(at, "the close").await {
                objects.push(object);
            }
            objects
        }
    }

    /// Whatever one read gives, and when it came. Empty at the end.
    #[track_caller]
    pub(crate) fn read_once(&mut self) -> impl Future<Output = (Instant, Vec<u8>)> {
        let at = Location::caller();
        async move {
            if !self.unread.is_empty() {
                return (Instant::now(), std::mem::take(&mut self.unread));
            }
            let mut bytes = vec![0; 65536];
            match timeout(PATIENCE, self.stream.read(&mut bytes)).await {
                Ok(Ok(count)) => bytes.truncate(count),
                Ok(Err(error)) => self.fail(at, &format!("cannot read: {error}")),
                Err(_) => self.fail(at, "awaited any bytes, but nothing came"),
            }
            let now = Instant::now();
            self.closed = bytes.is_empty();
            self.remember('<', &shown(&bytes));
            (now, bytes)
        }
    }

    /// Whether [`Wire::read_once`] has come to the end.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Asks, and waits for the answer to just that, which has to be a success. Events that come meanwhile are kept for
    /// later.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: Value) -> impl Future<Output = Value> {
        let at = Location::caller();
        async move {
            let answer = self.answer(at, request).await;
            if answer.get("error").is_some() {
                self.fail(at, &format!("awaited a success, but got {answer}"));
            }
            answer
        }
    }

    /// Asks, and waits for the answer to just that, which has to be a refusal with this code.
    #[track_caller]
    pub(crate) fn ask_in_vain(&mut self, request: Value, code: &str) -> impl Future<Output = Value> {
        let at = Location::caller();
        async move {
            let answer = self.answer(at, request).await;
            let sentence = answer.get("error").and_then(Value::as_str).unwrap_or_default();
            if answer["code"] != code || sentence.is_empty() {
                self.fail(at, &format!("awaited {code}, but got {answer}"));
            }
            answer
        }
    }

    /// Asks, and waits for the answer to just that, whatever it is. Events that come meanwhile are kept for later.
    #[track_caller]
    pub(crate) fn outcome(&mut self, request: Value) -> impl Future<Output = Value> {
        let at = Location::caller();
        async move { self.answer(at, request).await }
    }

    async fn answer(&mut self, at: &'static Location<'static>, mut request: Value) -> Value {
        self.last_id += 1;
        let id = format!("ask-{}", self.last_id);
        request["id"] = id.as_str().into();
        let word = request["request"].clone();
        self.send(request).await;
        let mut kept = std::mem::take(&mut self.aside);
        let answer = loop {
            match self.came(at, "an answer").await {
                Came::Object(object) if object["id"] == id.as_str() => break object,
                Came::Object(object) if object.get("event").is_some() => kept.push_back(object),
                Came::Object(object) => self.fail(at, &format!("awaited the answer to {id}, but got {object}")),
                Came::Closed => self.fail(at, &format!("awaited the answer to {id}, but the server closed")),
            }
        };
        self.aside = kept;
        if answer["response"] != word {
            self.fail(at, &format!("awaited the answer to {word}, but got {answer}"));
        }
        answer
    }

    /// Logs in to the account that the connection is named after; the answer.
    pub(crate) async fn login(mut self) -> Value {
        let login = json!({"request": "login", "username": self.name, "password": PASSWORD});
        self.ask(login).await
    }

    /// Joins a room, from now on. The answer.
    #[track_caller]
    pub(crate) fn join(&mut self, room: &str) -> impl Future<Output = Value> {
        self.ask(json!({"request": "join", "room": room}))
    }

    /// Says something; its number, when it was acknowledged.
    #[track_caller]
    pub(crate) fn say(&mut self, room: &str, text: &str) -> impl Future<Output = u64> {
        let answer = self.ask(json!({"request": "message", "room": room, "text": text}));
        async move { answer.await["seq"].as_u64().expect("a number") }
    }

    /// Waits for the next message of a room.
    #[track_caller]
    pub(crate) fn hear(&mut self, room: &str, text: &str) -> impl Future<Output = Value> {
        self.expect(json!({"event": "message", "room": room, "text": text}))
    }

    /// What came while the answer to something else was awaited.
    pub(crate) fn next_kept(&mut self) -> Option<Value> {
        self.aside.pop_front()
    }

    /// Checks that nothing but presence came until now: a ping is answered at once, and answers stand behind the events
    /// that were due.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            self.last_id += 1;
            let id = format!("silence-{}", self.last_id);
            self.send(json!({"request": "ping", "id": id})).await;
            let pong = json!({"response": "ping", "id": id});
            self.compared(at, &pong, Rest::Anything, &mut Known::new()).await;
        }
    }

    /// Waits for the end of the connection, which is an error.
    #[track_caller]
    pub(crate) fn expect_broken(&mut self) -> impl Future<Output = io::Error> {
        let at = Location::caller();
        async move {
            match timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await {
                Ok(Err(error)) => error,
                other => self.fail(at, &format!("awaited an error\n  but got {other:?}")),
            }
        }
    }

    async fn compared(
        &mut self,
        at: &'static Location<'static>,
        pattern: &Value,
        rest: Rest,
        known: &mut Known,
    ) -> Value {
        let object = self.object(at, &pattern.to_string(), pattern["event"] == "presence").await;
        if let Err(what) = compare(pattern, &object, rest, known) {
            self.fail(at, &format!("awaited {pattern}\n  but got {object}\n  ({what})"));
        }
        object
    }

    async fn object(&mut self, at: &'static Location<'static>, awaited: &str, with_presence: bool) -> Value {
        loop {
            match self.came(at, awaited).await {
                Came::Object(object) if !with_presence && is_presence(&object) => {}
                Came::Object(object) => return object,
                Came::Closed => self.fail(at, &format!("awaited {awaited}\n  but the server closed")),
            }
        }
    }

    async fn came(&mut self, at: &'static Location<'static>, awaited: &str) -> Came {
        if let Some(object) = self.aside.pop_front() {
            return Came::Object(object);
        }
        let mut start = 0;
        loop {
            if let Some(end) = self.unread[start..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=start + end).collect();
                let line = &line[..line.len() - 1];
                self.remember('<', &shown(line));
                match read_strictly(line) {
                    Ok(object) => return Came::Object(object),
                    Err(what) => self.fail(at, &format!("the server wrote {:?}: {what}", shown(line))),
                }
            }
            start = self.unread.len();
            self.unread.reserve(65536);
            match timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await {
                Ok(Ok(0)) if self.unread.is_empty() => return Came::Closed,
                Ok(Ok(0)) => self.fail(at, &format!("the server closed in mid-line: {:?}", shown(&self.unread))),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.fail(at, &format!("awaited {awaited}\n  but could not read: {error}")),
                Err(_) => self.fail(at, &format!("awaited {awaited}\n  but nothing came within {PATIENCE:?}")),
            }
        }
    }

    fn remember(&mut self, direction: char, line: &str) {
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back(format!("{direction} {}", line.trim_end()));
    }

    fn fail(&self, at: &'static Location<'static>, what: &str) -> ! {
        let mut before = String::new();
        for line in &self.said {
            // Writing to a string does not fail.
            let _ = write!(before, "\n    {line}");
        }
        panic!("{at}: {} {what}\n  The conversation until then:{before}", self.name)
    }
}

/// The request to say something.
pub(crate) fn message(room: &str, text: &str) -> Value {
    json!({"request": "message", "room": room, "text": text})
}

/// Lines, each with its newline, to be sent in one go.
pub(crate) fn lines(requests: impl IntoIterator<Item = Value>) -> String {
    requests.into_iter().map(|request| format!("{request}\n")).collect()
}

/// The texts of a page of history.
pub(crate) fn texts(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().expect("a list of messages");
    messages.iter().map(|message| message["text"].as_str().expect("a text")).collect()
}

fn is_presence(object: &Value) -> bool {
    object["event"] == "presence"
}

/// What a failure shows of bytes.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 400;
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]).into_owned();
    if bytes.len() > MOST {
        let _ = write!(text, ".. ({} bytes)", bytes.len());
    }
    text
}
