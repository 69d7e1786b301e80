//! Readers that do not read, or hardly: they cost nothing, hold nobody up, and lose nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::load::{Link, Load, Seen, check};
use crate::support::daemon::FREE;
use crate::support::{Daemon, Value, daemon, json, within};

/// The resident memory of a process, in KiB.
fn memory(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line about memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A connection whose kernel takes little for a client that does not read.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a socket has this option");
    within("a connection", socket.connect(address)).await.expect("a connection")
}

/// A guest who follows the lobby through a narrow connection. What comes behind the answer is unread.
async fn narrow_follower(address: SocketAddr, name: &str) -> TcpStream {
    let mut stream = narrow(address).await;
    let requests = [
        json!({"request": "hello", "protocol": 1}),
        json!({"request": "login", "username": name}),
        json!({"request": "join", "room": "lobby", "since": 0}),
    ];
    for request in requests {
        within("sending", stream.write_all(request.to_string().as_bytes())).await.expect("the server reads");
        line(&mut stream).await;
    }
    stream
}

/// The next line, and not a byte more.
async fn line(stream: &mut TcpStream) -> Value {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.push(within("a byte", stream.read_u8()).await.expect("the server writes"));
    }
    serde_json::from_slice(&line).expect("JSON")
}

/// Everything that is still in the way, up to the end.
async fn rest(stream: TcpStream) -> (Vec<Value>, bool) {
    let mut link = Link::over(stream);
    let mut objects = Vec::new();
    while let Some(object) = link.get().await {
        objects.push(object);
    }
    (objects, link.ended_well)
}

#[tokio::test]
async fn a_reader_that_reads_nothing_costs_nothing_and_loses_nothing() {
    let daemon = daemon().config(&format!("{FREE}stall_timeout = \"1h\"\n")).await;
    let mut load = Load::start(daemon.address(), "warm", 8, &["lobby"]).await;
    load.acknowledged(6000).await;
    let mut posts = load.stop().await.posts;

    let mut stalled = Vec::new();
    for number in 0..4 {
        stalled.push(narrow_follower(daemon.address(), &format!("stalled-{number}")).await);
    }
    // Others are not delayed by it: for one of them the time is taken, from the post to its event.
    let mut canary = daemon.native("canary").await;
    canary.ask(json!({"request": "create", "room": "mine"})).await;
    canary.join("mine").await;
    let before = memory(&daemon);
    let mut load = Load::of(daemon.address(), "flood", 8, &["lobby"], 500).await;
    let mut delays = Vec::new();
    while delays.len() < 40 {
        load.acknowledged(delays.len() * 500).await;
        let begun = Instant::now();
        canary.say("mine", "tick").await;
        canary.hear("mine", "tick").await;
        delays.push(begun.elapsed());
    }
    load.acknowledged(20_000).await;
    let ledger = load.stop().await;
    let grown = memory(&daemon).saturating_sub(before);
    // What the four of them have not read is more than twice that.
    assert!(grown < 16 * 1024, "{grown} KiB more than the {before} before");
    delays.sort();
    assert!(delays[delays.len() * 9 / 10] < Duration::from_millis(500), "{delays:?}");
    posts.extend(ledger.posts);

    // They read on, and have everything.
    let mut seen = Vec::new();
    for stream in stalled {
        let mut one = Seen::of("lobby");
        let mut link = Link::over(stream);
        while one.last() < posts.len() as u64 {
            one.note(&link.get().await.expect("the log comes"));
        }
        seen.push(one);
    }
    check(daemon.address(), &posts, &seen).await;
    let grown = memory(&daemon).saturating_sub(before);
    assert!(grown < 24 * 1024, "{grown} KiB more than the {before} before");
}

#[tokio::test]
async fn a_stalled_reader_is_closed_in_time_and_can_resume() {
    let daemon = daemon().config(&format!("{FREE}stall_timeout = \"500ms\"\n")).await;
    let mut stalled = narrow_follower(daemon.address(), "stalled").await;
    let mut talker = daemon.native("talker").await;
    talker.join("lobby").await;
    talker.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    for n in 1..=1000 {
        assert_eq!(talker.say("lobby", &format!("{n} {}", "x".repeat(8000))).await, n);
    }
    // The daemon gives up; who is online says so. Somebody who reads is not closed.
    let begun = Instant::now();
    loop {
        let names = talker.ask(json!({"request": "names"})).await;
        if names["names"].as_array().is_some_and(|names| names.iter().all(|line| line["name"] != "stalled")) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "it is still there");
    }
    // What had been written is whole up to some place, and from the last whole line on it can be resumed.
    let mut bytes = Vec::new();
    // It may end with a reset.
    let _ = within("the end", stalled.read_to_end(&mut bytes)).await;
    let mut seen = Seen::of("lobby");
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        seen.note(&serde_json::from_slice(line).expect("JSON"));
    }
    assert!(seen.last() < 1000, "it was cut off in the middle");
    let mut link = Link::guest(daemon.address(), "again").await.expect("a connection");
    link.ask(json!({"request": "join", "room": "lobby", "since": seen.last()})).await.expect("an answer");
    while seen.last() < 1000 {
        seen.note(&link.get().await.expect("the log comes"));
    }
}

#[tokio::test]
async fn who_has_said_all_still_gets_what_is_due() {
    let daemon = daemon().await;
    let mut talker = daemon.native("talker").await;
    talker.join("lobby").await;
    for n in 0..500 {
        talker.say("lobby", &format!("{n} {}", "x".repeat(4000))).await;
    }
    let mut half = narrow(daemon.address()).await;
    let mut requests = String::new();
    for request in [
        json!({"request": "hello", "protocol": 1}),
        json!({"request": "login", "username": "half"}),
        json!({"request": "join", "room": "lobby", "since": 0}),
        json!({"request": "message", "room": "lobby", "text": "the last"}),
        json!({"request": "history", "room": "lobby", "limit": 500}),
        json!({"request": "ping", "id": "last"}),
    ] {
        requests += &request.to_string();
    }
    within("sending", half.write_all(requests.as_bytes())).await.expect("the server reads");
    half.shutdown().await.expect("a half can be closed");
    let (objects, ended_well) = rest(half).await;
    assert!(ended_well, "with a proper end");
    let answers: Vec<&str> = objects.iter().filter_map(|object| object["response"].as_str()).collect();
    assert_eq!(answers, ["hello", "login", "join", "message", "history", "ping"]);
    assert!(objects.iter().all(|object| object.get("error").is_none()));
    talker.ask(json!({"request": "ping"})).await;
}

#[tokio::test]
async fn a_reader_of_very_small_bites_has_everything_in_the_end() {
    let daemon = daemon().config(&format!("{FREE}stall_timeout = \"2s\"\n")).await;
    let mut stream = narrow_follower(daemon.address(), "nibbler").await;
    let mut talker = daemon.native("talker").await;
    talker.join("lobby").await;
    talker.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    for n in 1..=300 {
        assert_eq!(talker.say("lobby", &format!("{n} {}", "x".repeat(3000))).await, n);
    }
    let mut seen = Seen::of("lobby");
    let (mut bytes, mut bite) = (Vec::new(), [0; 7]);
    while seen.last() < 300 {
        let count = within("a bite", stream.read(&mut bite)).await.expect("the server writes");
        assert!(count > 0, "it is not closed");
        bytes.extend_from_slice(&bite[..count]);
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            seen.note(&serde_json::from_slice(&line).expect("JSON"));
        }
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_pile_up() {
    let daemon = daemon().config(&format!("{FREE}stall_timeout = \"1h\"\n")).await;
    let mut talker = daemon.native("talker").await;
    talker.join("lobby").await;
    talker.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    for n in 0..100 {
        talker.say("lobby", &format!("{n} {}", "x".repeat(8000))).await;
    }
    let request = json!({"request": "history", "room": "lobby", "limit": 500}).to_string();
    for _ in 0..20 {
        talker.ask(json!({"request": "history", "room": "lobby", "limit": 500})).await;
    }
    let before = memory(&daemon);
    let mut askers = Vec::new();
    for number in 0..20 {
        let mut stream = narrow_follower(daemon.address(), &format!("asker-{number}")).await;
        // As much as goes: 1000 answers of a quarter of a megabyte each are asked for.
        let asked = request.repeat(1000);
        let (mut sent, begun) = (0, Instant::now());
        while sent < asked.len() && begun.elapsed() < Duration::from_secs(1) {
            match tokio::time::timeout(Duration::from_millis(50), stream.write(&asked.as_bytes()[sent..])).await {
                Ok(written) => sent += written.expect("the server does not close"),
                // It does not read any more, which is what we want.
                Err(_) => break,
            }
        }
        askers.push(stream);
        talker.ask(json!({"request": "ping"})).await;
    }
    let grown = memory(&daemon).saturating_sub(before);
    // An answer being written, and one waiting, for each.
    assert!(grown < 20 * 1024, "{grown} KiB more than the {before} before");
    drop(askers);
    talker.ask(json!({"request": "history", "room": "lobby"})).await;
}
