//! A server that is not ours, and may mean harm.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// What does harm on a terminal: a title, a clipboard, a report, a reset, C1, a bell, a backspace, a line from the
/// beginning, the other direction, tags.
pub(crate) const HARM: &str =
    "x\u{1b}]0;owned\u{7}\u{1b}]52;c;aGk=\u{7}\u{1b}[6n\u{1b}c\u{9b}31m\u{8}\u{8}\r\u{202e}\u{2066}\u{e0041}\u{7f}\0y";

/// A server that answers as a test says.
pub(crate) struct Harm;

impl Harm {
    /// Starts it: what it is asked becomes what it answers; `null` closes the connection.
    pub(crate) async fn start(answer: impl Fn(&Value) -> Option<Vec<Value>> + Send + Sync + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let (reading, mut writing) = stream.into_split();
                    let mut lines = BufReader::new(reading).lines();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let request: Value = serde_json::from_str(&line).unwrap();
                        for object in answer(&request).unwrap_or_default() {
                            if object.is_null() {
                                return;
                            }
                            // The other side may be gone.
                            let _ = writing.write_all(format!("{object}\n").as_bytes()).await;
                        }
                    }
                });
            }
        });
        address
    }
}

/// How a proper server answers.
pub(crate) fn polite(request: &Value) -> Vec<Value> {
    answer(request, "fine")
}

/// The same, with that word wherever there may be one.
pub(crate) fn answer(request: &Value, word: &str) -> Vec<Value> {
    let mut answer = json!({"response": request["request"], "id": request["id"]});
    let time = "2026-01-31T12:00:00.000Z";
    let message = json!({"event": "message", "room": "lobby", "seq": 1, "from": word, "time": time, "text": word});
    let more = match request["request"].as_str().unwrap() {
        "hello" => json!({"protocol": 1, "server": word, "name": word, "motd": word, "time": time, "features": [],
            "limits": {"max_frame_bytes": 65536, "max_text_bytes": 16384},
            "accounts": {"guests": true, "registration": "open"}}),
        "login" => json!({"username": "ann", "guest": true, "token": "t", "role": "user", "rooms": []}),
        "join" => json!({"room": "lobby", "kind": "public", "topic": word, "role": "member", "epoch": "e", "first": 1,
            "head": 1, "read": 0, "reset": false}),
        "history" => json!({"room": "lobby", "messages": [message], "more": false, "first": 1, "head": 1}),
        "search" => json!({"more": true, "next": 7, "messages": [{"room": word, "seq": 1, "from": word, "time": time,
            "text": word, "snippet": word, "hit": [0, 1]}]}),
        "rooms" => json!({"rooms": [{"room": word, "kind": "public", "topic": word, "members": 1, "online": 1,
            "head": 1, "joined": false}]}),
        "names" => json!({"names": [{"name": word, "role": word, "online": true, "status": word, "guest": true}]}),
        "message" => json!({"room": "lobby", "seq": 2, "time": time}),
        "unfollow" => json!({"room": "lobby"}),
        _ => json!({}),
    };
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut objects = vec![answer];
    if request["request"] == "join" {
        objects.push(message);
    }
    objects
}
