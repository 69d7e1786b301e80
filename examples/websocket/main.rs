//! A chat in a web page, over the program's own WebSocket: `cargo run --example websocket -- 127.0.0.1:8080`, then open
//! <http://127.0.0.1:8080> in two windows and type. Enter stops it.
//!
//! The chat listens nowhere. The program accepts what its web server accepts, and hands the bytes over: one text frame is one
//! object of the native protocol, in both directions. A program with a web framework does the same with its WebSockets.

#[path = "../http/mod.rs"]
mod http;

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use snakk::server::Streams;
use snakk::{Config, Server};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use http::{Answer, Head, read_head};

const PAGE: &str = include_str!("page.html");
/// So many bytes wait between a WebSocket and the chat, in each direction.
const PIPE_BYTES: usize = 16 * 1024;
/// So many connections at once; the others wait.
const MOST_CONNECTIONS: usize = 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = start("websocket-chat".into()).await?;
    let listener = TcpListener::bind(address).await?;
    println!("http://{}; Enter stops it", listener.local_addr()?);
    let read = || io::stdin().read_line(&mut String::new());
    tokio::select! {
        _ = tokio::task::spawn_blocking(read) => {}
        () = serve(listener, server.streams()) => {}
        () = server.failed() => eprintln!("the chat has failed"),
    }
    server.shutdown().await?;
    Ok(())
}

/// A chat that listens nowhere.
async fn start(data_dir: PathBuf) -> Result<Server, snakk::StartError> {
    Server::builder(Config::default()).data_dir(data_dir).without_listeners().start().await
}

/// Serves the page, and carries the chat.
async fn serve(listener: TcpListener, chat: Streams) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (mut stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let chat = chat.clone();
        tokio::spawn(async move {
            let _place = place;
            let refusal = match read_head(&mut stream).await {
                Ok(head) => match answer(&head) {
                    Ok(accept) => return drop(upgrade(stream, from.ip(), head, &accept, &chat).await),
                    Err(answer) => answer,
                },
                Err(Some(refusal)) => refusal,
                Err(None) => return,
            };
            // Whoever asked may be gone.
            let _ = refusal.send(&mut stream).await;
        });
    }
}

/// What becomes of a request: a WebSocket, with what its handshake says, or an answer.
fn answer(head: &Head) -> Result<String, Answer> {
    match (&*head.method, &*head.path) {
        ("GET", "/") => {
            Err(Answer { kind: "text/html; charset=utf-8", body: PAGE.to_owned(), ..Answer::plain(200, "") })
        }
        ("GET", "/chat") => {
            let has =
                |name, word: &str| head.header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
            if !has("upgrade", "websocket") || !has("connection", "upgrade") || !has("sec-websocket-version", "13") {
                return Err(Answer::plain(400, "here is a WebSocket of version 13"));
            }
            // A page of somebody else's may not talk in the name of whoever looks at it.
            let own = head.header("host").map(|host| (format!("http://{host}"), format!("https://{host}")));
            let is_own = |origin| own.as_ref().is_some_and(|(plain, tls)| origin == plain || origin == tls);
            if !head.header("origin").is_none_or(is_own) {
                return Err(Answer::plain(403, "this chat belongs to another page"));
            }
            let key = head.header("sec-websocket-key").ok_or_else(|| Answer::plain(400, "no Sec-WebSocket-Key"))?;
            Ok(derive_accept_key(key.as_bytes()))
        }
        ("GET", _) => Err(Answer::plain(404, "there are / and /chat")),
        _ => Err(Answer { headers: "Allow: GET\r\n".to_owned(), ..Answer::plain(405, "only GET") }),
    }
}

/// Makes a connection a WebSocket, and joins it with the chat until one of both ends.
async fn upgrade(mut stream: TcpStream, from: IpAddr, head: Head, accept: &str, chat: &Streams) -> io::Result<()> {
    let text =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    stream.write_all(format!("{text}{accept}\r\n\r\n").as_bytes()).await?;
    stream.set_nodelay(true)?;
    // The chat bounds what it takes, and says so; here is only the bound of what is held.
    let bounds = WebSocketConfig::default().max_message_size(Some(256 * 1024)).max_frame_size(Some(256 * 1024));
    let socket = WebSocketStream::from_partially_read(stream, head.rest, Role::Server, Some(bounds)).await;
    let (mut frames_out, mut frames_in) = socket.split();
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    chat.serve_from(far, from);
    let (lines_in, mut lines_out) = split(near);

    // Neither direction reads faster than the other side takes it, so nothing piles up here: who lags, lags in the log.
    let up = async {
        while let Some(frame) = frames_in.next().await {
            match frame? {
                Message::Text(text) => {
                    lines_out.write_all(text.as_bytes()).await?;
                    lines_out.write_all(b"\n").await?;
                }
                Message::Close(_) => break,
                _ => {}
            }
        }
        // The chat sends what is due, and then closes.
        lines_out.shutdown().await.map_err(WebSocketError::from)
    };
    let down = async {
        let mut lines = BufReader::new(lines_in).lines();
        while let Some(line) = lines.next_line().await? {
            frames_out.send(Message::text(line)).await?;
        }
        frames_out.send(Message::Close(None)).await
    };
    tokio::pin!(up, down);
    // Where one direction has ended, the other one has what it needs to end as well, and little time.
    let (ended, _) = tokio::select! {
        ended = &mut up => (ended, timeout(http::TIME, down).await),
        ended = &mut down => (ended, timeout(http::TIME, up).await),
    };
    ended.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio_tungstenite::client_async;

    use super::*;

    type Socket = WebSocketStream<TcpStream>;

    async fn ask(socket: &mut Socket, request: Value) -> Value {
        socket.send(Message::text(request.to_string())).await.unwrap();
        until(socket, |line| line["response"] == request["request"]).await
    }

    async fn until(socket: &mut Socket, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = socket.next().await.expect("a frame").unwrap();
            let Message::Text(text) = frame else { panic!("{frame:?}") };
            let line: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(line.get("error"), None, "{line}");
            if is_it(&line) {
                return line;
            }
        }
    }

    async fn guest(address: std::net::SocketAddr, name: &str) -> Socket {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = client_async(format!("ws://{address}/chat"), stream).await.unwrap();
        ask(&mut socket, json!({"request": "hello", "protocol": 1})).await;
        ask(&mut socket, json!({"request": "login", "username": name})).await;
        ask(&mut socket, json!({"request": "join", "room": "lobby"})).await;
        socket
    }

    #[tokio::test]
    async fn pages_talk_with_each_other_and_with_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let server = start(folder.path().to_owned()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, server.streams()));

        let (mut ann, mut bob) = (guest(address, "ann").await, guest(address, "bob").await);
        ask(&mut ann, json!({"request": "message", "room": "lobby", "text": "hello, page"})).await;
        let heard = until(&mut bob, |line| line["event"] == "message").await;
        assert_eq!((&heard["from"], &heard["text"]), (&json!("ann"), &json!("hello, page")));
        // A text of several lines is one object in several lines, as it is over TCP.
        let spread = "{\"request\":\n\"ping\"}";
        bob.send(Message::text(spread)).await.unwrap();
        until(&mut bob, |line| line["response"] == "ping").await;

        ann.close(None).await.unwrap();
        server.shutdown().await.unwrap();
        until(&mut bob, |line| line["event"] == "shutdown").await;
        assert!(matches!(bob.next().await, Some(Ok(Message::Close(_))) | None));
    }

    #[tokio::test]
    async fn the_page_is_there_and_nobody_elses_page_comes_in() {
        let folder = tempfile::tempdir().unwrap();
        let server = start(folder.path().to_owned()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, server.streams()));
        let socket = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let cases = [
            ("GET /".to_owned(), String::new(), "200"),
            ("GET /nothing".to_owned(), String::new(), "404"),
            ("POST /".to_owned(), String::new(), "405"),
            ("GET /chat".to_owned(), String::new(), "400"),
            ("GET /chat".to_owned(), socket.to_owned(), "400"),
            ("GET /chat".to_owned(), format!("{socket}{key}Origin: http://elsewhere\r\n"), "403"),
        ];
        for (what, headers, status) in cases {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("{what} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what} {headers}\n{answer}");
            assert_eq!(answer.contains("<!doctype html>"), status == "200");
        }
    }
}
