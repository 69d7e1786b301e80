//! Encrypted connections, from both sides: what is spoken over them, whom a client believes, and what a handshake may cost.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::date_time_ymd;
use snakk::Client;
use snakk::client::{ClientError, Distrust, Event, Events, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::rustls::version;

use crate::support::person::{ended, fine};
use crate::support::secure::{BOTH, Middle, Place, line_with, listener, params, secured};
use crate::support::server::{guest, hello};
use crate::support::{Person, Wire, daemon, json, within};

/// What a handshake begins with, as a client of some version would send it.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session, two ciphers of old, no compression.
    hello.extend([0, 0, 4, 0, 0x2f, 0xc0, 0x13, 1, 0]);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend(hello);
    let mut record = vec![0x16, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

/// Half of a handshake, and no more.
async fn half_a_handshake(stream: &mut TcpStream) {
    stream.write_all(&client_hello([3, 3])[..20]).await.unwrap();
}

async fn tcp(address: SocketAddr) -> TcpStream {
    within("a connection", TcpStream::connect(address)).await.unwrap()
}

async fn tcp_from(from: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    within("a connection", socket.connect(address)).await.unwrap()
}

/// Everything up to the end, which a reset may be.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = within("the close", stream.read_to_end(&mut bytes)).await;
    bytes
}

#[tokio::test]
async fn everybody_talks_to_everybody_whatever_carries_them() {
    let (server, authority) = secured(|config| config.course.pace = Duration::ZERO).await;
    let address = server.address_of(1);
    assert_eq!(server.server.listening()[1], format!("{address} (tls)"));
    let mut plain = server.native("plain").await;
    let mut newer = authority.native("newer", address).await;
    let stream = tcp(address).await;
    let older = authority.connect_as("older", stream, "localhost", &[&version::TLS12]).await.unwrap();
    let mut older = guest(hello(older).await).await;
    let mut course2015 = authority.connect("course15", address).await;
    course2015.send_raw(json!({"request": "login", "content": "course15"}).to_string()).await;
    course2015.expect(json!({"response": "info", "content": "Login successful"})).await;
    let mut course2014 = authority.connect("course14", address).await;
    course2014.send_raw(json!({"request": "login", "username": "course14"}).to_string()).await;
    course2014.expect(json!({"response": "login", "username": "course14", "messages": "<any>"})).await;
    let library = Client::builder(format!("tls://{address}")).username("library").trust(Trust::Anything);
    let library = library.connect().await.unwrap();
    let mut events = library.events();
    library.join("lobby").await.unwrap();
    plain.join("lobby").await;
    newer.join("lobby").await;
    older.join("lobby").await;

    // As large as a text may be, so that it takes more than one record.
    let text = "x".repeat(16_000);
    newer.say("lobby", &text).await;
    for native in [&mut newer, &mut older] {
        native.hear("lobby", &text).await;
    }
    plain.hear("lobby", &text).await;
    course2015.expect(json!({"response": "message", "sender": "newer", "content": text})).await;
    course2014.expect(json!({"response": "message", "message": "<string>"})).await;
    message(&mut events, &text).await;

    course2014.send_raw(json!({"request": "message", "message": "from the course"}).to_string()).await;
    newer.hear("lobby", "from the course").await;
    plain.hear("lobby", "from the course").await;
    library.send("lobby", "from the library").await.unwrap();
    older.hear("lobby", "from the course").await;
    older.hear("lobby", "from the library").await;
    library.close().await;
}

/// Waits for a message.
async fn message(events: &mut Events, text: &str) {
    loop {
        match within("a message", events.next()).await {
            Some(Event::Message(message)) if message.text == text => return,
            Some(_) => {}
            None => panic!("the events end before {text:?}"),
        }
    }
}

/// Every close of these is an announced one: an end without `close_notify` is an error for who reads.
#[tokio::test]
async fn the_last_line_arrives_and_then_the_close_is_announced() {
    let (server, authority) = secured(|config| {
        config.limits.max_frame_bytes_before_login = 1000;
        config.course.close_after_logout = true;
    })
    .await;
    let address = server.address_of(1);
    let mut junk = authority.connect("junk", address).await;
    junk.send_raw("GET / HTTP/1.1\r\n").await;
    junk.expect_code("bad_json").await;
    junk.expect_close().await;
    let mut large = authority.connect("large", address).await;
    large.send_what_goes(format!("{{\"request\":\"{}", "x".repeat(100_000))).await;
    large.expect_code("frame_too_large").await;
    large.expect_close().await;
    let mut course = authority.connect("course", address).await;
    course.send_raw(json!({"request": "login", "content": "course"}).to_string()).await;
    course.expect(json!({"response": "info"})).await;
    course.send_raw(json!({"request": "logout"}).to_string()).await;
    course.expect_gone().await;
    // One who has said that nothing more comes still gets what is due.
    let mut half = authority.native("half", address).await;
    half.join("lobby").await;
    half.send(json!({"request": "message", "room": "lobby", "text": "the last word"})).await;
    half.finish_sending().await;
    assert!(half.rest().await.iter().any(|object| object["response"] == "message"));

    let mut last = authority.native("last", address).await;
    let stopping = tokio::spawn(server.stop());
    last.expect(json!({"event": "shutdown"})).await;
    last.expect_close().await;
    drop(last);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_reader_that_falls_behind_loses_nothing_and_one_that_takes_nothing_is_given_up() {
    let (server, authority) = secured(|config| config.limits.stall_timeout = Duration::from_secs(2)).await;
    let narrow = async |name: &'static str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = within("a connection", socket.connect(server.address_of(1))).await.unwrap();
        let wire = authority.connect_as(name, stream, "127.0.0.1", BOTH).await.unwrap();
        let mut wire = guest(hello(wire).await).await;
        wire.join("lobby").await;
        wire
    };
    let house = server.server.connect("house").await.unwrap();
    house.join("lobby").await.unwrap();
    let (mut slow, stalled) = (narrow("slow").await, narrow("stalled").await);
    // More than the kernel takes for those who do not read.
    const COUNT: usize = 600;
    let text = |n: usize| format!("{n} {}", "x".repeat(16_000));
    let posting = async {
        for n in 0..COUNT {
            house.send("lobby", &text(n)).await.unwrap();
        }
    };
    let reading = async {
        for n in 0..COUNT {
            slow.hear("lobby", &text(n)).await;
        }
    };
    tokio::join!(posting, reading);
    within("the end of who takes nothing", async {
        while house.names(None).await.unwrap().iter().any(|line| line.name == "stalled") {}
    })
    .await;
    slow.ask(json!({"request": "ping"})).await;
    drop(stalled);
}

#[tokio::test]
async fn who_speaks_the_wrong_thing_is_told_and_nobody_else_notices() {
    let (server, authority) = secured(|config| config.limits.login_timeout = Duration::from_millis(500)).await;
    let (plain, secure) = (server.address(), server.address_of(1));
    let mut canary = authority.native("canary", secure).await;
    canary.join("lobby").await;
    for round in 0..5 {
        // Plain text at the TLS port: an alert (a record of type 21) and the end.
        let mut stream = tcp(secure).await;
        stream.write_all(b"{\"request\":\"hello\",\"protocol\":1}\n").await.unwrap();
        let told = rest(&mut stream).await;
        assert!(told.starts_with(&[21, 3]) && told.len() == 7, "{told:?}");
        // TLS at the plain port: an error as everybody gets it, and the end.
        let mut stream = tcp(plain).await;
        stream.write_all(&client_hello([3, 3])).await.unwrap();
        let told = String::from_utf8(rest(&mut stream).await).unwrap();
        assert!(told.contains("\"bad_json\"") && told.ends_with('\n'), "{told:?}");
        // Nothing at all, and what is neither.
        let mut stream = tcp(secure).await;
        stream.shutdown().await.unwrap();
        rest(&mut stream).await;
        let mut stream = tcp(secure).await;
        stream.write_all(&[0x16, 3, 1, 0, 0]).await.unwrap();
        stream.write_all(&[0xff; 5000]).await.unwrap();
        rest(&mut stream).await;
        canary.ask(json!({"request": "ping"})).await;
        canary.say("lobby", &format!("round {round}")).await;
    }
    for (address, words) in [
        (format!("tls://{plain}"), "what came is not TLS"),
        (format!("{secure}"), "it speaks TLS, so its address begins with tls://"),
    ] {
        let error = Client::builder(address).trust(Trust::Anything).connect().await.unwrap_err();
        let shown = match &error {
            ClientError::Connect { source, .. } => source.to_string(),
            ClientError::Protocol(what) => what.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, words);
    }
}

#[tokio::test]
async fn versions_that_are_broken_are_refused() {
    let (server, _authority) = secured(|_| {}).await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        let mut stream = tcp(server.address_of(1)).await;
        stream.write_all(&client_hello(version)).await.unwrap();
        let told = rest(&mut stream).await;
        // An alert: fatal, and that it is about the version, or (for want of an extension) about the handshake.
        assert!(told.starts_with(&[21, 3]) && told[5] == 2, "{version:?}: {told:?}");
    }
}

#[tokio::test]
async fn the_time_for_the_login_begins_with_the_connection() {
    const TIMEOUT: Duration = Duration::from_millis(1500);
    let (server, authority) = secured(|config| {
        config.limits.login_timeout = TIMEOUT;
        config.limits.silent_timeout = Duration::from_secs(600);
    })
    .await;
    let (plain, secure) = (server.address(), server.address_of(1));
    let mut canary = authority.native("canary", secure).await;
    let in_time = |begun: Instant, what: &str| {
        let took = begun.elapsed();
        assert!(took >= TIMEOUT && took < TIMEOUT + Duration::from_millis(800), "{what}: {took:?}");
    };
    // No byte, half of a handshake, and a byte now and then.
    let begun = Instant::now();
    let (mut silent, mut half, mut drip) = (tcp(secure).await, tcp(secure).await, tcp(secure).await);
    half_a_handshake(&mut half).await;
    let silence = async {
        rest(&mut silent).await;
        in_time(begun, "silence");
    };
    let halves = async {
        rest(&mut half).await;
        in_time(begun, "half a handshake");
    };
    let drips = async {
        for byte in client_hello([3, 3]) {
            if drip.write_all(&[byte]).await.is_err() {
                break;
            }
            if tokio::time::timeout(Duration::from_millis(100), drip.readable()).await.is_ok() {
                break;
            }
        }
        in_time(begun, "a byte now and then");
    };
    // What the handshake took is missing from the time for the rest: somebody in the middle holds it up.
    let middle = Middle::slow(secure, Duration::from_millis(1000)).await;
    let held_up = async {
        let begun = Instant::now();
        let mut wire = authority.connect("held up", middle.address).await;
        let shaken = begun.elapsed();
        assert!(shaken > Duration::from_millis(900), "it was held up: {shaken:?}");
        wire.send(json!({"request": "hello", "protocol": 1})).await;
        wire.expect(json!({"response": "hello"})).await;
        wire.expect_code("login_timeout").await;
        wire.expect_close().await;
        in_time(begun, "a slow handshake");
    };
    tokio::join!(silence, halves, drips, held_up);
    // One who has shaken hands and says nothing may be a person who has not typed yet, as without TLS.
    let mut person = authority.connect("person", secure).await;
    let mut typist = hello(Wire::connect("typist", plain).await).await;
    typist.expect_code("login_timeout").await;
    person.send_raw(json!({"request": "login", "content": "person"}).to_string()).await;
    person.expect(json!({"response": "info", "content": "Login successful"})).await;
    canary.ask(json!({"request": "ping"})).await;
}

#[tokio::test]
async fn half_handshakes_count_and_make_room_for_others() {
    let (server, authority) = secured(|config| config.limits.max_unauthenticated = 3).await;
    let secure = server.address_of(1);
    let mut halves = Vec::new();
    for _ in 0..4 {
        let mut stream = tcp(secure).await;
        half_a_handshake(&mut stream).await;
        halves.push(stream);
    }
    assert!(rest(&mut halves[0]).await.is_empty(), "the oldest has made room for the fourth");
    let mut ann = authority.native("ann", secure).await;
    assert!(rest(&mut halves[1]).await.is_empty(), "the next one has made room for ann");
    ann.join("lobby").await;
    ann.say("lobby", "hello").await;
}

#[tokio::test]
async fn limits_count_those_who_shake_hands_and_refuse_over_tls() {
    let (server, authority) = secured(|config| config.limits.max_connections_per_ip = 2).await;
    let secure = server.address_of(1);
    let (mut first, mut second) = (tcp_from("127.0.0.3", secure).await, tcp_from("127.0.0.3", secure).await);
    half_a_handshake(&mut first).await;
    half_a_handshake(&mut second).await;
    let third = tcp_from("127.0.0.3", secure).await;
    let mut third = authority.connect_as("third", third, "127.0.0.1", BOTH).await.unwrap();
    third.expect_code("too_many_connections").await;
    third.expect_close().await;
    // One who is turned away may not hold anything up either.
    let mut fourth = tcp_from("127.0.0.3", secure).await;
    half_a_handshake(&mut fourth).await;
    assert!(rest(&mut fourth).await.is_empty());
    drop(first);
    // The place is free as soon as the server knows.
    let fifth = within("a place", async {
        loop {
            let stream = tcp_from("127.0.0.3", secure).await;
            let wire = authority.connect_as("fifth", stream, "127.0.0.1", BOTH).await.unwrap();
            let mut wire = wire;
            wire.send(json!({"request": "hello", "protocol": 1})).await;
            if wire.next().await["response"] == "hello" {
                return wire;
            }
        }
    });
    guest(fifth.await).await;
    authority.native("elsewhere", secure).await;
}

/// As CVE-2024-32650 has it: a handshake that ends with the first message neither spins nor stays.
#[tokio::test]
async fn who_says_hello_and_goodbye_in_one_breath_is_let_go() {
    let (server, authority) = secured(|_| {}).await;
    let secure = server.address_of(1);
    for goodbye in [&[0x15, 3, 3, 0, 2, 1, 0][..], &[0x15, 3, 3, 0, 2, 2, 40]] {
        let mut stream = tcp(secure).await;
        stream.write_all(&authority.first_message()).await.unwrap();
        stream.write_all(goodbye).await.unwrap();
        rest(&mut stream).await;
    }
    authority.native("ann", secure).await;
}

#[tokio::test]
async fn a_crowd_that_shakes_hands_harms_nobody() {
    crowd(200).await;
}

#[tokio::test]
#[ignore = "it takes its time: for before a release"]
async fn a_crowd_that_shakes_hands_for_long_harms_nobody() {
    crowd(5000).await;
}

async fn crowd(handshakes: usize) {
    let (server, authority) = secured(|config| {
        config.limits.max_unauthenticated = 64;
        config.limits.login_timeout = Duration::from_secs(2);
    })
    .await;
    let secure = server.address_of(1);
    let mut canary = authority.native("canary", secure).await;
    canary.join("lobby").await;
    let mut halves = Vec::new();
    let mut delays = Vec::new();
    for n in 0..handshakes {
        if halves.len() < 500 {
            let mut stream = tcp(secure).await;
            half_a_handshake(&mut stream).await;
            halves.push(stream);
        }
        // Whoever shakes hands in full and goes at once is no news either.
        drop(authority.connect("visitor", secure).await);
        if n % 10 == 0 {
            let begun = Instant::now();
            canary.say("lobby", &format!("{n}")).await;
            delays.push(begun.elapsed());
        }
    }
    delays.sort();
    assert!(delays[delays.len() / 2] < Duration::from_millis(250), "{delays:?}");
    // All of them are gone in time: evicted, or because the time was up.
    for mut stream in halves {
        rest(&mut stream).await;
    }
    canary.ask(json!({"request": "ping"})).await;
}

#[tokio::test]
async fn a_failed_handshake_is_one_line_in_the_log_at_most() {
    let place = Place::new();
    let tls = listener(&place.authority.path("snakk.crt"), &place.authority.path("snakk.key"));
    place.configure(&format!("[limits]\nlogin_timeout = \"300ms\"\n{tls}"));
    let (mut daemon, address) = place.start().await;
    line_with(&mut daemon, "snakkd is running").await;
    let builder = || Client::builder(format!("tls://{address}")).username("ann");
    for _ in 0..2 {
        // Two kinds that are news ..
        let mut plain = tcp(address).await;
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        rest(&mut plain).await;
        builder().connect().await.unwrap_err();
        // .. and some that are none: who only looks, who goes in the middle of it, and who is too slow.
        drop(tcp(address).await);
        let mut gone = tcp(address).await;
        half_a_handshake(&mut gone).await;
        drop(gone);
        let mut slow = tcp(address).await;
        half_a_handshake(&mut slow).await;
        rest(&mut slow).await;
        builder().trust(Trust::Anything).connect().await.unwrap();
    }
    // A flood is counted.
    for _ in 0..30 {
        let mut plain = tcp(address).await;
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        rest(&mut plain).await;
    }
    daemon.sigterm();
    let mut lines = Vec::new();
    while let Some(line) = within("the end of the log", daemon.line()).await {
        lines.push(line);
    }
    let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert!(lines.iter().all(|line| !line.contains("WARN") && !line.contains("ERROR")), "{lines:#?}");
    assert_eq!(count("the certificate is not trusted there"), 2, "{lines:#?}");
    let told = |line: &String| line.split_once("suppressed=").map(|(_, count)| count.trim().parse::<usize>().unwrap());
    let plain = lines.iter().filter(|line| line.contains("what came is not TLS") && told(line).is_none()).count();
    let left_out: usize = lines.iter().filter_map(told).sum();
    assert!(left_out > 0, "{lines:#?}");
    assert_eq!(plain + left_out, 32, "{lines:#?}");
    let summaries = lines.iter().filter(|line| told(line).is_some()).count();
    assert_eq!(lines.len(), 2 + plain + summaries + 2, "the rest is the farewell: {lines:#?}");
    let failures = lines.iter().filter(|line| line.contains("no TLS handshake") && told(line).is_none());
    assert!(failures.into_iter().all(|line| line.contains("peer=127.0.0.1")), "{lines:#?}");
}

/// Whether a client has sent nothing but the beginning of a handshake, and the alert that ends it.
fn said_nothing(sent: &[u8]) -> bool {
    let (mut rest, mut records) = (sent, Vec::new());
    while let [kind, _, _, high, low, behind @ ..] = rest {
        let length = usize::from(*high) << 8 | usize::from(*low);
        records.push((*kind, length));
        rest = behind.get(length..).unwrap_or_default();
    }
    // A handshake, a change of ciphers that is none (RFC 8446, D.4), and an alert, which may be encrypted: two bytes, the
    // true type, and the 16 that make it tamper-proof.
    matches!(records.first(), Some((0x16, _)))
        && records[1..].iter().all(|record| matches!(record, (0x14, 1) | (0x15, 2) | (0x17, 19)))
}

#[tokio::test]
async fn the_first_certificate_can_be_pinned_and_then_no_other_one_is_believed() {
    let (server, authority) = secured(|_| {}).await;
    let middle = Middle::before(server.address_of(1)).await;
    let address = format!("tls://{}", middle.address);
    let builder = || Client::builder(&*address).username("ann");
    // Nobody whom this system trusts has signed it, so nothing is said, and somebody is asked.
    let error = builder().connect().await.unwrap_err();
    let ClientError::Untrusted { address: at, why, fingerprint } = &error else { panic!("{error:?}") };
    assert_eq!((&**at, *fingerprint), (&*address, authority.fingerprint()));
    assert!(why.may_be_pinned() && matches!(why, Distrust::UnknownIssuer | Distrust::NoAuthorities), "{why}");
    let shown = format!("the certificate of {address} ({fingerprint}) is not trusted: {why}");
    assert_eq!(error.to_string(), shown);
    let heard = middle.heard();
    assert!(heard.len() == 1 && said_nothing(&heard[0]), "{heard:?}");

    let ann = builder().trust(Trust::Pinned(*fingerprint)).connect().await.unwrap();
    ann.join("lobby").await.unwrap();
    ann.send("lobby", "hello").await.unwrap();
    ann.close().await;
    let heard = middle.heard();
    assert!(heard.len() == 2 && !said_nothing(&heard[1]), "{heard:?}");

    authority.issue();
    server.server.reload_certificates().unwrap();
    let error = builder().trust(Trust::Pinned(*fingerprint)).connect().await.unwrap_err();
    let ClientError::Untrusted { why, fingerprint: other, .. } = &error else { panic!("{error:?}") };
    assert_eq!((why, *other), (&Distrust::OtherFingerprint { pinned: *fingerprint }, authority.fingerprint()));
    assert!(!why.may_be_pinned() && error.to_string().ends_with(&format!("the one that is pinned, {fingerprint}")));
    let heard = middle.heard();
    assert!(heard.len() == 3 && said_nothing(&heard[2]), "{heard:?}");
    builder().trust(Trust::Anything).connect().await.unwrap();
}

#[tokio::test]
async fn a_client_never_goes_on_in_plain_text() {
    // Servers that speak plain text, say nothing, or close.
    for answer in ["{\"response\":\"hello\"}\n", "HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tls://{}", listener.local_addr().unwrap());
        let client = Client::builder(address).username("ann").password("battery staple").trust(Trust::Anything);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = vec![0; 16];
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut heard).await;
            heard
        };
        let (error, heard) = tokio::join!(client.connect(), serving);
        assert!(matches!(error, Err(ClientError::Connect { .. })), "{error:?}");
        assert!(said_nothing(&heard), "{heard:?}");
        let again = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(again.is_err(), "there is no second attempt of another kind");
    }
}

#[tokio::test]
async fn a_pinned_server_that_shows_another_certificate_ends_the_reconnecting_and_says_so() {
    let (server, authority) = secured(|_| {}).await;
    let middle = Middle::before(server.address_of(1)).await;
    let pinned = authority.fingerprint();
    let ann = Client::builder(format!("tls://{}", middle.address)).username("ann").trust(Trust::Pinned(pinned));
    let ann = ann.reconnect(true).retry_delays(Duration::from_millis(1), Duration::from_millis(10));
    let ann = ann.connect().await.unwrap();
    let mut events = ann.events();
    ann.join("lobby").await.unwrap();
    let house = server.server.connect("house").await.unwrap();
    house.join("lobby").await.unwrap();

    // The same certificate: it comes back, and has everything.
    middle.cut();
    house.send("lobby", "while away").await.unwrap();
    message(&mut events, "while away").await;
    ann.send("lobby", "back").await.unwrap();

    authority.issue();
    server.server.reload_certificates().unwrap();
    middle.cut();
    let reason = loop {
        match within("the end", events.next()).await {
            Some(Event::Disconnected { reason, retry_in: None }) => break reason,
            Some(_) => {}
            None => panic!("the events end without a reason"),
        }
    };
    assert!(reason.contains(&pinned.to_string()), "{reason}");
    assert!(reason.contains(&authority.fingerprint().to_string()), "{reason}");
    assert!(within("the end", events.next()).await.is_none());
    assert!(matches!(ann.ping().await, Err(ClientError::Closed)));
    assert!(said_nothing(middle.heard().last().unwrap()));
}

#[tokio::test]
async fn the_program_believes_whom_the_system_believes() {
    let (server, authority) = secured(|_| {}).await;
    let port = server.address_of(1).port();
    let person = Person::of(server.address());
    let root = authority.path("authority.crt");
    let rooms = async |host: &str, root: &Path| {
        let address = format!("tls://{host}:{port}");
        let mut command = person.shell("exec \"$0\" \"$@\"", &["--server", &address, "rooms"]);
        command.env("SSL_CERT_FILE", root);
        ended(daemon().spawn_by(command)).await
    };
    for host in ["localhost", "127.0.0.1"] {
        let ended = rooms(host, &root).await;
        fine(&ended);
        assert!(ended.lines[0].contains("lobby"), "{ended:?}");
    }
    let wrong = async |host: &str, root: &Path, words: &str| {
        let ended = rooms(host, root).await;
        assert_eq!((ended.code, ended.lines.len()), (Some(69), 0), "{ended:?}");
        assert!(ended.stderr.starts_with("snakk: ") && ended.stderr.contains(words), "{ended:?}");
    };
    wrong("localhost", &authority.path("nowhere.crt"), "this system has no list of authorities to trust").await;
    wrong("localhost", &authority.path("snakk.crt"), "no authority that this system trusts has signed it").await;
    let mut old = params(&["localhost", "chat.example.org"]);
    authority.issue_as(&old);
    server.server.reload_certificates().unwrap();
    wrong("127.0.0.1", &root, "it is not for 127.0.0.1, but for localhost, chat.example.org").await;
    (old.not_before, old.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    authority.issue_as(&old);
    server.server.reload_certificates().unwrap();
    wrong("localhost", &root, "it expired on 2001-01-01 00:00 UTC").await;
}
