//! As much HTTP/1.1 as the examples need, so that they need no framework: one request a connection, its head bounded in
//! size and time, and refused where it could be read in two ways.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The head of a request has at most so many bytes.
const MOST_HEAD: usize = 8 * 1024;
/// How long a request, and its answer, may take.
pub(crate) const TIME: Duration = Duration::from_secs(10);

/// A request, up to its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    /// What came behind the head already.
    pub(crate) rest: Vec<u8>,
}

impl Head {
    /// The value of a header that came once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is said to whoever asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
    /// Further headers, each with its line's end.
    pub(crate) headers: String,
}

impl Answer {
    /// A sentence.
    pub(crate) fn plain(status: u16, text: impl Into<String>) -> Answer {
        let body = text.into() + "\n";
        Answer { status, kind: "text/plain; charset=utf-8", body, headers: String::new() }
    }

    /// Sends it, and closes the connection.
    pub(crate) async fn send(self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
        let Answer { status, kind, body, headers } = self;
        let mut text = format!("HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\n", word(status));
        // Writing to a string does not fail.
        let _ = write!(text, "Content-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len());
        timeout(TIME, async {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            // Closing while something is unread would take the answer away from whoever still sends.
            let mut unread = 64 * 1024_usize;
            let mut buffer = [0; 4096];
            while unread > 0 {
                match stream.read(&mut buffer).await? {
                    0 => break,
                    bytes => unread = unread.saturating_sub(bytes),
                }
            }
            Ok(())
        })
        .await?
    }
}

fn word(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

/// Reads the head of a request.
///
/// # Errors
/// What to answer; nothing where there is nobody to answer to.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<Head, Option<Answer>> {
    let mut bytes = Vec::with_capacity(1024);
    let read = async {
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(end);
            }
            if bytes.len() > MOST_HEAD {
                return Err(Some(Answer::plain(431, format!("the head has more than {MOST_HEAD} bytes"))));
            }
            if stream.read_buf(&mut bytes).await.map_err(|_| None)? == 0 {
                return Err(None);
            }
        }
    };
    let end = timeout(TIME, read).await.map_err(|_| None)??;
    let rest = bytes.split_off(end + 4);
    bytes.truncate(end);
    let text = String::from_utf8(bytes).ok();
    text.as_deref().and_then(parse).map(|head| Head { rest, ..head }).ok_or_else(|| {
        Some(Answer::plain(400, "this is no request of HTTP/1.1, or one that could be read in two ways"))
    })
}

fn parse(text: &str) -> Option<Head> {
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || version != "HTTP/1.1" || method.is_empty() || !path.starts_with('/') {
        return None;
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let (name, value) = (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']));
        if name.is_empty() || !name.bytes().all(is_name) || value.chars().any(|c| c.is_control() && c != '\t') {
            return None;
        }
        // Two of those that decide where the request ends, or who asks, are one too many.
        let once = ["content-length", "transfer-encoding", "authorization", "host", "origin", "sec-websocket-key"];
        if once.contains(&&*name) && headers.iter().any(|(known, _)| *known == name) {
            return None;
        }
        headers.push((name, value.to_owned()));
    }
    Some(Head { method: method.to_owned(), path: path.to_owned(), headers, rest: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_is_read_in_one_way_or_not_at_all() {
        let cases = [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", Ok("rest")),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Err(Some(400))),
            ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", Err(Some(400))),
            ("GET  / HTTP/1.1\r\n\r\n", Err(Some(400))),
            ("GET / HTTP/1.0\r\n\r\n", Err(Some(400))),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n", Err(Some(400))),
            ("GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n", Err(Some(400))),
            ("GET / HTTP/1.1\r\nX: a", Err(None)),
        ];
        for (text, expected) in cases {
            let head = read_head(&mut text.as_bytes()).await;
            let found = head.as_ref().map(|head| &*head.rest).map_err(|answer| answer.as_ref().map(|it| it.status));
            assert_eq!(found, expected.map(str::as_bytes), "{text:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000));
        let refused = read_head(&mut long.as_bytes()).await.unwrap_err();
        assert_eq!(refused.map(|answer| answer.status), Some(431));
    }
}
