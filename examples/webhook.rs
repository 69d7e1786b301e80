//! Messages from programs that can do no more than HTTP: `WEBHOOK_TOKEN=secret cargo run --example webhook -- 127.0.0.1:8080
//! 127.0.0.1:9998 hook`. Then:
//!
//! ```sh
//! curl -H 'Authorization: Bearer secret' -H 'Idempotency-Key: build-17' -d 'the build is green' 127.0.0.1:8080/rooms/lobby
//! ```
//!
//! The answer comes when the message is stored. Whoever sends the same `Idempotency-Key` again, because they heard no answer,
//! posts nothing twice. While the chat server is away, requests wait for it. Plain HTTP: for this machine, or behind a proxy.

mod http;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use snakk::Client;
use snakk::client::{ClientError, Code, Draft};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use http::{Answer, Head, read_head};

/// A message has at most so many bytes here; the server may take less.
const MOST_BODY: usize = 64 * 1024;
/// So many requests at once; the others wait.
const MOST_REQUESTS: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg = |or: &str| args.next().unwrap_or_else(|| or.to_owned());
    let (here, chat, name) = (arg("127.0.0.1:8080"), arg("127.0.0.1:9998"), arg("hook"));
    let token = std::env::var("WEBHOOK_TOKEN").ok().filter(|token| !token.is_empty());
    let token = token.ok_or("WEBHOOK_TOKEN is not set: whoever knows what it says may post")?;
    let mut builder = Client::builder(chat).username(name).timeout(Duration::from_secs(8));
    if let Ok(token) = std::env::var("SNAKK_TOKEN") {
        builder = builder.token(token);
    }
    let (client, listener) = (builder.connect().await?, TcpListener::bind(here).await?);
    println!("POST http://{}/rooms/NAME", listener.local_addr()?);
    serve(listener, client, token).await;
    Ok(())
}

/// Takes messages until it is dropped.
async fn serve(listener: TcpListener, client: Client, token: String) {
    let (places, token) = (Arc::new(Semaphore::new(MOST_REQUESTS)), Arc::<str>::from(token));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let mut stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                eprintln!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (client, token) = (client.clone(), Arc::clone(&token));
        tokio::spawn(async move {
            let _place = place;
            let answer = match read_head(&mut stream).await {
                Ok(head) => take(head, &mut stream, &client, &token).await.unwrap_or_else(|refusal| refusal),
                Err(Some(refusal)) => refusal,
                Err(None) => return,
            };
            // Whoever asked may be gone; the message is stored nevertheless.
            let _ = answer.send(&mut stream).await;
        });
    }
}

/// Takes one message.
async fn take(head: Head, stream: &mut TcpStream, client: &Client, token: &str) -> Result<Answer, Answer> {
    let given = head.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if !given.is_some_and(|given| is_same(given, token)) {
        return Err(Answer::plain(401, "Authorization: Bearer TOKEN is missing, or another one"));
    }
    let room = head.path.strip_prefix("/rooms/").and_then(decode).filter(|room| !room.is_empty());
    let room = room.ok_or_else(|| Answer::plain(404, "there is only /rooms/NAME"))?;
    if head.method != "POST" {
        return Err(Answer { headers: "Allow: POST\r\n".to_owned(), ..Answer::plain(405, "only POST") });
    }
    let nonce = head.header("idempotency-key").map(str::to_owned);
    let text = read_body(head, stream).await?;
    let draft = Draft { nonce, ..Draft::new(&room, text.trim_end()) };
    // Being in a room already is no mistake.
    client.join(&room).await.map_err(|error| refusal(&error))?;
    let posted = client.post(draft).await.map_err(|error| refusal(&error))?;
    let body = format!("{{\"seq\":{},\"duplicate\":{}}}\n", posted.seq, posted.duplicate);
    Ok(Answer { kind: "application/json", body, ..Answer::plain(200, "") })
}

async fn read_body(head: Head, stream: &mut TcpStream) -> Result<String, Answer> {
    if head.header("transfer-encoding").is_some() {
        return Err(Answer::plain(411, "send Content-Length instead of Transfer-Encoding"));
    }
    let length = head.header("content-length").filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let length = length.and_then(|text| text.parse().ok()).ok_or_else(|| Answer::plain(411, "no Content-Length"))?;
    if length > MOST_BODY {
        return Err(Answer::plain(413, format!("a message has at most {MOST_BODY} bytes")));
    }
    let mut body = head.rest;
    body.truncate(length);
    let missing = (length - body.len()) as u64;
    let read = timeout(http::TIME, stream.take(missing).read_to_end(&mut body)).await;
    if !matches!(read, Ok(Ok(_))) || body.len() < length {
        return Err(Answer::plain(400, "the message did not come whole"));
    }
    String::from_utf8(body).map_err(|_| Answer::plain(400, "a message is text in UTF-8"))
}

/// What a refusal of the chat is in HTTP.
fn refusal(error: &ClientError) -> Answer {
    let status = match error.code() {
        Some(Code::NoSuchRoom) => 404,
        Some(Code::Forbidden | Code::NotAMember | Code::Banned | Code::Muted) => 403,
        Some(Code::BadText | Code::BadName | Code::BadRequest) => 422,
        Some(Code::TextTooLong) => 413,
        Some(Code::RateLimited) => 429,
        _ => 503,
    };
    let mut answer = Answer::plain(status, error.to_string());
    if let Some(wait) = error.retry_after() {
        answer.headers = format!("Retry-After: {}\r\n", wait.as_secs() + 1);
    }
    answer
}

/// `%C3%A9` is `é`; nothing where it is no text.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<u8>| digit.and_then(|digit| char::from(digit).to_digit(16));
        bytes.push(match byte {
            b'%' => u8::try_from(hex(rest.next())? * 16 + hex(rest.next())?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Compares without saying by its time where they differ.
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use snakk::client::HistoryQuery;
    use snakk::testing::TestServer;
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn ask(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn post(path: &str, token: &str, more: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )
    }

    #[tokio::test]
    async fn what_is_posted_is_said_once_and_what_may_not_be_is_refused() {
        let server = TestServer::start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = server.connect("hook").await.unwrap();
        tokio::spawn(serve(listener, client, "secret".to_owned()));

        let key = "Idempotency-Key: build-17\r\n";
        for (duplicate, cut) in [(false, false), (true, false), (true, true)] {
            if cut {
                server.cut_connections().await;
            }
            let answer = ask(address, &post("/rooms/lobby", "secret", key, "the build is gréen\n")).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains(&format!("\"duplicate\":{duplicate}")), "{answer}");
        }
        let refused = [
            (post("/rooms/lobby", "secreT", "", "x"), 401),
            (post("/rooms/lobby", "secret2", "", "x"), 401),
            ("POST /rooms/lobby HTTP/1.1\r\nContent-Length: 1\r\n\r\nx".to_owned(), 401),
            (post("/", "secret", "", "x"), 404),
            (post("/rooms/%ff", "secret", "", "x"), 404),
            (post("/rooms/nowhere", "secret", "", "x"), 404),
            (post("/rooms/a%20b", "secret", "", "x"), 422),
            (post("/rooms/lobby", "secret", "", ""), 422),
            (post("/rooms/lobby", "secret", "", "x").replace("POST", "PUT"), 405),
            (post("/rooms/lobby", "secret", "Transfer-Encoding: chunked\r\n", "x"), 411),
            (post("/rooms/lobby", "secret", "", "x").replace("Length: 1", "Length: +1"), 411),
            (post("/rooms/lobby", "secret", "", "x").replace("Length: 1", "Length: 99999999"), 413),
        ];
        for (request, status) in refused {
            let answer = ask(address, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
        }
        let ann = server.connect("ann").await.unwrap();
        let page = ann.history("lobby", HistoryQuery::default()).await.unwrap();
        let said: Vec<_> = page.messages.iter().map(|message| (&*message.from, &*message.text)).collect();
        assert_eq!(said, [("hook", "the build is gréen")]);
    }
}
