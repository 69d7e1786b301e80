//! `/metrics` and `/health` over HTTP/1.1: as much of it as scrapers and probes need, and no more. Each connection has one
//! answer. Whoever sends something else, or nothing, is gone after a few seconds and has cost a few KiB.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::net::listener::Listener;
use crate::net::stream::{ReadHalf, Stream};
use crate::server::NotReady;
use crate::server::health::Inside;
use crate::server::metrics::prometheus;

/// The head of a request has at most so many bytes.
const MOST_HEAD: usize = 8 * 1024;
/// How long it may take to come, and how long the answer may take to go.
const TIME: Duration = Duration::from_secs(5);
/// So many connections at once; then whoever has said nothing for longest makes room, and where nobody is silent the others
/// are told to come later.
const MOST_CONNECTIONS: usize = 64;
/// How long there may be no room.
const MAKE_ROOM: Duration = Duration::from_millis(100);
/// What a peer still sends behind its head is read so far and so long, or it would never see the answer.
const MOST_REST: usize = 64 * 1024;
const REST_TIME: Duration = Duration::from_millis(500);
/// How long the parts of the server may take to say how they are. Most who ask wait a second.
const HEALTH_TIME: Duration = Duration::from_millis(500);

const PLAIN: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";

/// Those who have not said yet what they want, oldest first.
#[derive(Default)]
struct Silent(Mutex<BTreeMap<u64, CancellationToken>>);

impl Silent {
    fn table(&self) -> MutexGuard<'_, BTreeMap<u64, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until it is told to end.
pub(super) async fn serve(mut listener: Listener, inside: Arc<Inside>, end: CancellationToken) {
    let (places, silent) = (Arc::new(Semaphore::new(MOST_CONNECTIONS)), Arc::new(Silent::default()));
    for number in 0.. {
        let stream = tokio::select! {
            biased;
            () = end.cancelled() => return,
            (stream, _) = listener.accept() => stream,
        };
        if places.available_permits() == 0
            && let Some((_, oldest)) = silent.table().pop_first()
        {
            // A crowd that says nothing keeps no probe from being answered.
            oldest.cancel();
        }
        let Ok(Ok(place)) = timeout(MAKE_ROOM, Arc::clone(&places).acquire_owned()).await else {
            turn_away(stream);
            continue;
        };
        let (inside, silent, end) = (Arc::clone(&inside), Arc::clone(&silent), end.child_token());
        silent.table().insert(number, end.clone());
        tokio::spawn(async move {
            let _place = place;
            let has_spoken = || drop(silent.table().remove(&number));
            let _ = end.run_until_cancelled(converse(stream, &inside, &has_spoken)).await;
            has_spoken();
        });
    }
}

/// Says that there is no place now, as far as that goes without waiting.
fn turn_away(stream: Stream) {
    let (_read, mut write) = stream.split();
    let bytes = Answer::plain("503 Service Unavailable", "too many connections; try again later\n").bytes(true);
    let _ = pin!(write.write_all(&bytes)).poll(&mut Context::from_waker(Waker::noop()));
}

async fn converse(stream: Stream, inside: &Arc<Inside>, has_spoken: &impl Fn()) {
    let (mut read, mut write) = stream.split();
    let mut head = Vec::new();
    let said = timeout(TIME, read_head(&mut read, &mut head)).await;
    has_spoken();
    let (answer, with_body) = match said {
        Ok(Ok(true)) => match parse(&head) {
            Ok(request) => (answer(request.path, inside).await, !request.is_head),
            Err(answer) => (answer, true),
        },
        Ok(Ok(false)) if head.len() < MOST_HEAD => return,
        Ok(Ok(false)) => (Answer::plain("431 Request Header Fields Too Large", "a request has at most 8 KiB\n"), true),
        Ok(Err(_)) => return,
        Err(_) if head.is_empty() => return,
        Err(_) => (Answer::plain("408 Request Timeout", "the request did not come to its end\n"), true),
    };
    let bytes = answer.bytes(with_body);
    let told = timeout(TIME, async {
        write.write_all(&bytes).await?;
        write.shutdown().await
    });
    if let Ok(Ok(())) = told.await {
        // Closing with something unread takes back what was sent.
        let mut rest = [0; 4096];
        let mut left = MOST_REST;
        let reading = async {
            while let Ok(count @ 1..) = read.read(&mut rest).await
                && left > 0
            {
                left = left.saturating_sub(count);
            }
        };
        let _ = timeout(REST_TIME, reading).await;
    }
}

/// Reads until the head is there. False where it never will be.
async fn read_head(read: &mut ReadHalf, head: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut piece = [0; 1024];
    loop {
        let room = piece.len().min(MOST_HEAD - head.len());
        let count = read.read(&mut piece[..room]).await?;
        if count == 0 {
            return Ok(false);
        }
        // The end may be in two pieces.
        let from = head.len().saturating_sub(3);
        head.extend_from_slice(&piece[..count]);
        let tail = &head[from..];
        if memchr::memmem::find(tail, b"\n\r\n").is_some() || memchr::memmem::find(tail, b"\n\n").is_some() {
            return Ok(true);
        }
        if head.len() >= MOST_HEAD {
            return Ok(false);
        }
    }
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    path: &'a str,
    is_head: bool,
}

/// What is said.
struct Answer {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl Answer {
    fn plain(status: &'static str, body: &str) -> Answer {
        Answer { status, kind: PLAIN, body: body.to_owned() }
    }

    /// As it goes over the wire. The length is that of the body, also where the body is not wanted.
    fn bytes(&self, with_body: bool) -> Vec<u8> {
        let Answer { status, kind, body } = self;
        let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
        let mut text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n{allow}\
             Connection: close\r\n\r\n",
            body.len()
        );
        if with_body {
            text.push_str(body);
        }
        text.into_bytes()
    }
}

/// Reads the request line. The fields behind it do not matter here.
fn parse(head: &[u8]) -> Result<Request<'_>, Answer> {
    let bad = || Answer::plain("400 Bad Request", "this is no HTTP/1.1 request\n");
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).map_err(|_| bad())?;
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    let is_word = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_word || !matches!(version, "HTTP/1.1" | "HTTP/1.0") || target.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(bad());
    }
    let is_head = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Answer::plain("405 Method Not Allowed", "only GET and HEAD are known here\n")),
    };
    // Also as it is said to a proxy.
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    if !path.starts_with('/') {
        return Err(bad());
    }
    Ok(Request { path: path.split(['?', '#']).next().unwrap_or_default(), is_head })
}

async fn answer(path: &str, inside: &Arc<Inside>) -> Answer {
    match path {
        "/metrics" => {
            let inside = Arc::clone(inside);
            // The system is asked for the size of files, which may take its time where a disk is in trouble.
            let page = timeout(TIME, spawn_blocking(move || prometheus(&inside.stats()))).await;
            match page {
                Ok(Ok(body)) => Answer { status: "200 OK", kind: PROMETHEUS, body },
                _ => Answer::plain("503 Service Unavailable", "the figures could not be put together\n"),
            }
        }
        "/health" | "/health/ready" => health(&inside.problems(HEALTH_TIME).await, |problems| problems.is_empty()),
        "/health/live" => {
            health(&inside.problems(HEALTH_TIME).await, |problems| problems.iter().all(NotReady::is_alive))
        }
        _ => Answer::plain("404 Not Found", "there are /metrics, /health, /health/live and /health/ready\n"),
    }
}

/// Says what is wrong, as JSON: `{"live":true,"ready":false,"problems":["..."]}`.
fn health(problems: &[NotReady], is_fine: impl Fn(&[NotReady]) -> bool) -> Answer {
    let status = if is_fine(problems) { "200 OK" } else { "503 Service Unavailable" };
    let live = problems.iter().all(NotReady::is_alive);
    let mut body = format!("{{\"live\":{live},\"ready\":{},\"problems\":[", problems.is_empty());
    for (at, problem) in problems.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let text = serde_json::Value::from(problem.to_string());
        // Writing to a string does not fail.
        let _ = write!(body, "{comma}{text}");
    }
    body.push_str("]}\n");
    Answer { status, kind: JSON, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_http_means_them() {
        let path = |head: &str| parse(head.as_bytes()).map(|request| (request.path.to_owned(), request.is_head));
        for (head, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", ("/metrics", false)),
            ("HEAD /health HTTP/1.0\r\n\r\n", ("/health", true)),
            ("GET /metrics?a=b HTTP/1.1\n\n", ("/metrics", false)),
            ("GET http://chat:9190/health/live HTTP/1.1\r\n\r\n", ("/health/live", false)),
            ("GET http://chat:9190 HTTP/1.1\r\n\r\n", ("/", false)),
        ] {
            let (path, is_head) = path(head).unwrap_or_else(|answer| panic!("{head}: {}", answer.status));
            assert_eq!((path.as_str(), is_head), expected, "{head}");
        }
        for (head, status) in [
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("M-SEARCH * HTTP/1.1\r\n\r\n", "405"),
            ("GET metrics HTTP/1.1\r\n\r\n", "400"),
            ("GET  /metrics HTTP/1.1\r\n\r\n", "400"),
            ("GET /metrics\r\n\r\n", "400"),
            ("GET /metrics HTTP/2.0\r\n\r\n", "400"),
            ("GET /me\u{1}trics HTTP/1.1\r\n\r\n", "400"),
            ("{\"request\":\"hello\"}\n\n", "400"),
            ("\n\n", "400"),
        ] {
            let answer = path(head).expect_err(head);
            assert!(answer.status.starts_with(status), "{head}: {}", answer.status);
        }
        assert!(parse(b"GET /\xff HTTP/1.1\r\n\r\n").is_err());
    }

    #[test]
    fn an_answer_says_how_long_it_is_also_without_its_body() {
        let answer = Answer::plain("405 Method Not Allowed", "no\n");
        let whole = String::from_utf8(answer.bytes(true)).unwrap();
        let head = String::from_utf8(answer.bytes(false)).unwrap();
        assert_eq!(whole, format!("{head}no\n"));
        assert!(head.contains("\r\nContent-Length: 3\r\n") && head.contains("\r\nAllow: GET, HEAD\r\n"), "{head}");
        assert!(head.ends_with("\r\nConnection: close\r\n\r\n"), "{head}");
    }
}
