//! What it costs that one commit reaches a thousand sessions: from the publisher through the tail to each writer task,
//! without sockets. `cargo bench --bench tail`

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use snakk::chat::{Asking, Chat, Entries, Limits, Options, Origin, Session};
use snakk::model::{RoomName, SystemClock};
use snakk::protocol::Ask;
use snakk::protocol::request::{Credential, Kind, Request, Start, Tag};
use snakk::store::memory::MemoryStore;

const FOLLOWERS: usize = 1000;
const ROUNDS: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for posts in [1, 8, 32] {
            let (time, deliveries) = measure(posts).await;
            let each = time.as_nanos() as f64 / deliveries as f64;
            println!("{posts:>3} posts a commit, {FOLLOWERS} followers: {each:>7.1} ns for each delivery");
        }
    });
}

async fn measure(posts: usize) -> (Duration, usize) {
    let limits = Limits { messages_per_second: 0, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let (chat, publisher) =
        Chat::open(Arc::new(MemoryStore::new()), Arc::new(SystemClock), options).await.expect("an empty store opens");
    tokio::spawn(publisher.run());
    let mut sessions = Vec::new();
    for number in 0..FOLLOWERS {
        let session = chat.session(Origin::Host);
        let username = format!("u{number}x").into();
        ask(&session, Kind::Login, Request::Login { username, credential: Credential::None }).await;
        ask(&session, Kind::Join, Request::Join { room: lobby(), start: Start::Now }).await;
        session.next().await;
        sessions.push(session);
    }
    for session in &sessions {
        drain(session);
    }
    let (mut time, mut deliveries) = (Duration::ZERO, 0);
    for _ in 0..ROUNDS {
        for _ in 0..posts {
            let text =
                "a message of about a hundred bytes, as people write them to each other when they have time to".into();
            let request = Request::Message { room: lobby(), text, nonce: None, reply_to: None, action: false };
            ask(&sessions[0], Kind::Message, request).await;
        }
        // The answers come with the commit; then everybody has it.
        let mut answers = 0;
        while answers < posts {
            answers += sessions[0].next().await.answers.len();
        }
        let start = Instant::now();
        for session in &sessions[1..] {
            deliveries += drain(session) * posts;
        }
        time += start.elapsed();
    }
    (time, deliveries)
}

/// Takes what there is for a session, as its writer task would; returns 1 if entries were among it.
fn drain(session: &Arc<Session>) -> usize {
    let mut entries = 0;
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(round) = pin!(session.next()).poll(&mut context) {
        if matches!(&round.entries, Entries::Encoded(chunks) if !chunks.is_empty()) {
            entries = 1;
        }
    }
    entries
}

async fn ask(session: &Arc<Session>, kind: Kind, request: Request) {
    if let Asking::Later(asking) = session.ask(Ask { tag: Tag::new(kind), request: Ok(request) }) {
        asking.await;
    }
}

fn lobby() -> RoomName {
    RoomName::parse("lobby").expect("a good name")
}
