//! The client against a server that plays a script: what a real one does rarely, or never.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::model::Seq;
use crate::protocol::Code;

const TIME: &str = "2026-01-31T12:00:00.000Z";
/// Longer than anything here takes, so that a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server's end of a connection.
struct Wire {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Wire {
    async fn accept(listener: &TcpListener) -> Wire {
        Wire::over(listener.accept().await.unwrap().0)
    }

    fn over(stream: TcpStream) -> Wire {
        let (reader, writer) = stream.into_split();
        Wire { reader: BufReader::new(reader), writer }
    }

    /// The next request, which must be of that name.
    async fn expect(&mut self, request: &str) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).await.unwrap();
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{request}, not {line:?}"));
        assert_eq!(value["request"], request, "{line}");
        value
    }

    async fn raw(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    async fn tell(&mut self, value: Value) {
        self.raw(format!("{value}\n").as_bytes()).await;
    }

    async fn answer(&mut self, request: &Value, mut keys: Value) {
        keys["response"] = request["request"].clone();
        keys["id"] = request["id"].clone();
        self.tell(keys).await;
    }

    async fn refuse(&mut self, request: &Value, code: Code, retry_after_ms: Option<u64>) {
        let mut keys = json!({"error": code.sentence(), "code": code.as_str()});
        if let Some(ms) = retry_after_ms {
            keys["retry_after_ms"] = ms.into();
        }
        self.answer(request, keys).await;
    }

    /// Lets a guest in, and gives it a token. Returns what the login said.
    async fn greet(&mut self, token: &str) -> Value {
        let hello = self.expect("hello").await;
        assert_eq!(hello["protocol"], 1);
        let about = json!({"protocol": 1, "server": "fake/1", "name": "fake", "motd": "", "time": TIME, "later": [1],
            "limits": {"max_frame_bytes": 65536, "max_text_bytes": 16384}});
        self.answer(&hello, about).await;
        let login = self.expect("login").await;
        self.answer(&login, json!({"username": "bob", "guest": true, "token": token, "role": "user", "rooms": []}))
            .await;
        login
    }

    async fn joined(&mut self, head: u64) -> Value {
        let join = self.expect("join").await;
        self.answer(&join, joined(head)).await;
        join
    }

    async fn message(&mut self, seq: u64, text: &str) {
        self.tell(
            json!({"event": "message", "room": "lobby", "seq": seq, "from": "alice", "time": TIME, "text": text}),
        )
        .await;
    }

    async fn posted(&mut self, request: &Value, seq: u64) {
        self.answer(request, json!({"room": "lobby", "seq": seq, "time": TIME})).await;
    }
}

fn joined(head: u64) -> Value {
    json!({"room": "lobby", "kind": "public", "topic": "", "role": "member", "epoch": "e", "first": 1, "head": head,
        "read": 0, "reset": false})
}

/// Plays a script to a client. Both must come to their end.
async fn play<S: Future<Output = ()> + Send + 'static>(
    script: impl FnOnce(TcpListener) -> S,
    client: impl AsyncFnOnce(Builder),
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Client::builder(listener.local_addr().unwrap().to_string())
        .username("bob")
        .reconnect(false)
        .timeout(PATIENCE)
        .retry_delays(Duration::from_millis(5), Duration::from_millis(20));
    let script = tokio::spawn(script(listener));
    tokio::time::timeout(PATIENCE, async {
        client(builder).await;
        script.await.unwrap();
    })
    .await
    .unwrap();
}

async fn next_message(events: &mut Events) -> Message {
    loop {
        match events.next().await {
            Some(Event::Message(message)) => return message,
            Some(_) => {}
            None => panic!("the events ended"),
        }
    }
}

#[tokio::test]
async fn a_session_begins_with_hello_and_login_and_ends_with_close() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            let login = wire.greet("t").await;
            assert_eq!(login["username"], "bob");
            assert!(login.get("password").is_none() && login.get("token").is_none());
            wire.joined(7).await;
            let mut line = String::new();
            assert_eq!(wire.reader.read_line(&mut line).await.unwrap(), 0);
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            assert_eq!((me.username().as_deref(), me.hello().server.as_str()), (Some("bob"), "fake/1"));
            assert_eq!(me.join("lobby").await.unwrap().head, Seq(7));
            me.clone().close().await;
            assert!(matches!(me.whoami().await, Err(ClientError::Closed)));
            assert!(me.events().next().await.is_none());
        },
    )
    .await;
}

#[tokio::test]
async fn a_refused_login_is_told_as_such() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            let hello = wire.expect("hello").await;
            wire.answer(&hello, json!({"protocol": 1})).await;
            let login = wire.expect("login").await;
            wire.refuse(&login, Code::NameTaken, None).await;
        },
        async |builder| {
            let error = builder.reconnect(true).connect().await.unwrap_err();
            assert!(matches!(error, ClientError::LoginRefused { code: Code::NameTaken, .. }), "{error}");
        },
    )
    .await;
}

#[tokio::test]
async fn what_is_no_snakk_server_is_refused() {
    for junk in [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\xfe\n", b"{}\n", b"[1]\n"]
    {
        play(
            async |listener| {
                let mut wire = Wire::accept(&listener).await;
                wire.raw(junk).await;
                wire.expect("hello").await;
            },
            async |builder| {
                let error = builder.connect().await.unwrap_err();
                assert!(matches!(error, ClientError::Protocol(_)), "{junk:?}: {error}");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let junk = vec![b'x'; 1 << 16];
            while wire.writer.write_all(&junk).await.is_ok() {}
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let mut events = me.events();
            while let Some(event) = events.next().await {
                assert!(matches!(event, Event::Disconnected { retry_in: None, .. }), "{event:?}");
            }
            assert!(matches!(me.ping().await, Err(ClientError::Closed | ClientError::Disconnected)));
        },
    )
    .await;
}

#[tokio::test]
async fn sending_waits_out_a_rate_limit_and_keeps_its_nonce() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let first = wire.expect("message").await;
            wire.refuse(&first, Code::RateLimited, Some(20)).await;
            let second = wire.expect("message").await;
            wire.refuse(&second, Code::StorageUnavailable, None).await;
            let third = wire.expect("message").await;
            assert!(first["nonce"].is_string());
            assert_eq!(first["nonce"], second["nonce"]);
            assert_eq!(first["nonce"], third["nonce"]);
            wire.posted(&third, 5).await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let posted = me.send("lobby", "hello").await.unwrap();
            assert_eq!((posted.seq, posted.duplicate), (Seq(5), false));
        },
    )
    .await;
}

#[tokio::test]
async fn a_wait_that_is_longer_than_the_timeout_is_a_refusal() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let message = wire.expect("message").await;
            wire.refuse(&message, Code::RateLimited, Some(3_600_000)).await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let error = me.send("lobby", "hello").await.unwrap_err();
            assert_eq!(error.code(), Some(Code::RateLimited));
        },
    )
    .await;
}

#[tokio::test]
async fn after_a_cut_rooms_are_resumed_and_posts_repeated_in_their_order() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("first").await;
            wire.joined(7).await;
            wire.message(8, "before").await;
            let one = wire.expect("message").await;
            let two = wire.expect("message").await;
            drop(wire);

            let mut wire = Wire::accept(&listener).await;
            let login = wire.greet("second").await;
            assert_eq!(login["token"], "first");
            let resume = wire.expect("resume").await;
            assert_eq!(resume["rooms"], json!({"lobby": {"since": 8, "epoch": "e"}}));
            wire.answer(&resume, json!({"rooms": [joined(10)]})).await;
            // A server that repeats itself: what was seen is not handed on again.
            wire.message(8, "before").await;
            wire.message(9, "meanwhile").await;
            let again = wire.expect("message").await;
            assert_eq!(again["nonce"], one["nonce"]);
            wire.answer(&again, json!({"room": "lobby", "seq": 10, "time": TIME, "duplicate": true})).await;
            let again = wire.expect("message").await;
            assert_eq!(again["nonce"], two["nonce"]);
            wire.posted(&again, 11).await;
            wire.message(10, "one").await;
            wire.message(11, "two").await;
            let _ = wire.reader.read_line(&mut String::new()).await;
        },
        async |builder| {
            let me = builder.reconnect(true).connect().await.unwrap();
            let mut events = me.events();
            me.join("lobby").await.unwrap();
            let (one, two) = tokio::join!(biased; me.send("lobby", "one"), me.send("lobby", "two"));
            let (one, two) = (one.unwrap(), two.unwrap());
            assert_eq!((one.seq, one.duplicate, two.seq, two.duplicate), (Seq(10), true, Seq(11), false));
            let mut told = Vec::new();
            while told.len() < 7 {
                told.push(match events.next().await.unwrap() {
                    Event::Message(message) => message.seq.to_string(),
                    Event::Disconnected { retry_in: Some(Duration::ZERO), .. } => "disconnected".to_owned(),
                    Event::Connected { new_guest: false } => "connected".to_owned(),
                    Event::Resumed(rooms) => format!("resumed {} reset {}", rooms[0].room, rooms[0].reset),
                    other => panic!("{other:?}"),
                });
            }
            assert_eq!(told, ["8", "disconnected", "connected", "resumed lobby reset false", "9", "10", "11"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_guest_whom_the_server_forgot_does_not_repeat_what_may_have_been_posted() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("first").await;
            wire.expect("message").await;
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            let hello = wire.expect("hello").await;
            wire.answer(&hello, json!({"protocol": 1})).await;
            let login = wire.expect("login").await;
            assert_eq!(login["token"], "first");
            wire.refuse(&login, Code::BadCredentials, None).await;
            let login = wire.expect("login").await;
            assert!(login.get("token").is_none());
            wire.answer(&login, json!({"username": "bob", "guest": true, "token": "second"})).await;
            let whoami = wire.expect("whoami").await;
            wire.answer(&whoami, json!({"username": "bob", "guest": true, "role": "user", "sessions": 1})).await;
        },
        async |builder| {
            let me = builder.reconnect(true).connect().await.unwrap();
            assert!(matches!(me.send("lobby", "hello").await, Err(ClientError::Disconnected)));
            assert_eq!(me.whoami().await.unwrap().username, "bob");
        },
    )
    .await;
}

#[tokio::test]
async fn a_room_that_was_reset_is_told_and_followed_at_its_head() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.joined(70).await;
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let resume = wire.expect("resume").await;
            let mut room = joined(3);
            room["epoch"] = "other".into();
            room["reset"] = true.into();
            wire.answer(&resume, json!({"rooms": [room]})).await;
            wire.message(4, "new").await;
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let resume = wire.expect("resume").await;
            assert_eq!(resume["rooms"], json!({"lobby": {"since": 4, "epoch": "other"}}));
            let refusal = json!({"room": "lobby", "error": "Join the room first.", "code": "not_a_member"});
            wire.answer(&resume, json!({"rooms": [refusal]})).await;
            let _ = wire.reader.read_line(&mut String::new()).await;
        },
        async |builder| {
            let me = builder.reconnect(true).connect().await.unwrap();
            let mut events = me.events();
            me.join("lobby").await.unwrap();
            let mut resumed = Vec::new();
            while resumed.len() < 2 {
                if let Event::Resumed(rooms) = events.next().await.unwrap() {
                    resumed.extend(rooms);
                }
            }
            assert!(resumed[0].reset && resumed[0].refused.is_none());
            assert_eq!(resumed[1].refused.as_deref(), Some("Join the room first."));
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_that_changes_something_fails_with_its_connection() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.expect("create").await;
            wire.expect("rooms").await;
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let rooms = wire.expect("rooms").await;
            let line = json!({"room": "lobby", "kind": "public", "topic": "", "members": 1, "online": 1, "head": 3});
            wire.answer(&rooms, json!({"rooms": [line]})).await;
        },
        async |builder| {
            let me = builder.reconnect(true).connect().await.unwrap();
            let (created, rooms) = tokio::join!(biased; me.create("new", ""), me.rooms());
            assert!(matches!(created, Err(ClientError::Disconnected)));
            assert_eq!(rooms.unwrap()[0].head, Seq(3));
        },
    )
    .await;
}

#[tokio::test]
async fn without_reconnecting_everything_ends_with_the_connection() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.expect("message").await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let mut events = me.events();
            assert!(matches!(me.send("lobby", "hello").await, Err(ClientError::Disconnected)));
            assert!(matches!(events.next().await, Some(Event::Disconnected { retry_in: None, .. })));
            assert!(events.next().await.is_none());
        },
    )
    .await;
}

#[tokio::test]
async fn after_a_shutdown_the_client_comes_back_when_it_was_told_to() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.tell(json!({"event": "shutdown", "reason": "update", "retry_after_ms": 30})).await;
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let ping = wire.expect("ping").await;
            wire.answer(&ping, json!({"time": TIME})).await;
        },
        async |builder| {
            let me = builder.reconnect(true).connect().await.unwrap();
            let mut events = me.events();
            loop {
                match events.next().await.unwrap() {
                    Event::Disconnected { retry_in, .. } => {
                        assert_eq!(retry_in, Some(Duration::from_millis(30)));
                        break;
                    }
                    // The subscriber may have come before or after it.
                    Event::Shutdown { reason, .. } => assert_eq!(reason, "update"),
                    other => panic!("{other:?}"),
                }
            }
            me.ping().await.unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn unread_events_hold_up_the_server_and_not_the_answers() {
    const COUNT: u64 = 20_000;
    let text = "x".repeat(1000);
    play(
        async move |listener: TcpListener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.joined(0).await;
            // Some megabytes behind which an answer stands.
            for seq in 1..=2000 {
                wire.message(seq, &text).await;
            }
            let message = wire.expect("message").await;
            wire.posted(&message, COUNT + 1).await;
            for seq in 2001..=COUNT {
                wire.message(seq, &text).await;
            }
            let _ = wire.reader.read_line(&mut String::new()).await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let mut events = me.events();
            me.join("lobby").await.unwrap();
            assert_eq!(me.send("lobby", "hello").await.unwrap().seq, Seq(COUNT + 1));
            for seq in 1..=COUNT {
                assert_eq!(next_message(&mut events).await.seq, Seq(seq));
            }
        },
    )
    .await;
}

#[tokio::test]
async fn where_nobody_subscribed_events_are_dropped_and_hold_up_nothing() {
    let text = "x".repeat(1000);
    play(
        async move |listener: TcpListener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.joined(0).await;
            for seq in 1..=30_000 {
                wire.message(seq, &text).await;
            }
            let ping = wire.expect("ping").await;
            wire.answer(&ping, json!({"time": TIME})).await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            me.join("lobby").await.unwrap();
            drop(me.events());
            me.ping().await.unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_that_the_server_would_close_for_is_not_sent() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let ping = wire.expect("ping").await;
            wire.answer(&ping, json!({"time": TIME})).await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let error = me.send("lobby", &"x".repeat(70_000)).await.unwrap_err();
            assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");
            me.ping().await.unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn no_answer_is_a_timeout_and_a_late_one_harms_nobody() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let late = wire.expect("whoami").await;
            let ping = wire.expect("ping").await;
            wire.answer(&late, json!({"username": "bob"})).await;
            wire.answer(&json!({"request": "ping", "id": 999}), json!({"time": TIME})).await;
            wire.answer(&ping, json!({"time": TIME})).await;
        },
        async |builder| {
            let me = builder.timeout(Duration::from_millis(300)).connect().await.unwrap();
            assert!(matches!(me.whoami().await, Err(ClientError::Timeout)));
            me.ping().await.unwrap();
        },
    )
    .await;
}

mod blocking;
mod requests;
mod rooms;
