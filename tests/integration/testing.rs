//! The server for other people's tests: what it is used for works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use snakk::client::{Client, ClientError, Event, Events, HistoryQuery};
use snakk::testing::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::within;

async fn started() -> TestServer {
    within("the start", TestServer::start()).await.expect("a start")
}

/// Waits for the next message, and passes over the rest.
async fn message(events: &mut Events) -> (String, u64) {
    loop {
        match within("a message", events.next()).await.expect("more events") {
            Event::Message(message) => return (message.text, message.seq.0),
            Event::Disconnected { retry_in: None, reason } => panic!("it has given up: {reason}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn connections_that_were_cut_come_back_and_miss_nothing() {
    let server = started().await;
    let (ann, bob) = (server.connect("ann").await.unwrap(), server.connect("bob").await.unwrap());
    let inside = server.server().connect("house").await.unwrap();
    let mut events = ann.events();
    for one in [&ann, &bob, &inside] {
        one.join("lobby").await.unwrap();
    }
    bob.send("lobby", "before").await.unwrap();
    assert_eq!(message(&mut events).await.0, "before");
    assert_eq!(within("the cut", server.cut_connections()).await, 2);
    // Nobody is there to see this happen.
    inside.send("lobby", "meanwhile").await.unwrap();
    assert_eq!(message(&mut events).await.0, "meanwhile");
    let sent = within("an answer", bob.send("lobby", "after")).await.unwrap();
    assert_eq!(message(&mut events).await, ("after".to_owned(), sent.seq.0));
    within("the stop", server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_cut_is_no_orderly_end() {
    let server = started().await;
    let mut raw = TcpStream::connect(server.address()).await.unwrap();
    raw.write_all(b"{\"request\":\"ping\"}\n").await.unwrap();
    assert_ne!(within("an answer", raw.read(&mut [0; 1024])).await.unwrap(), 0);
    assert_eq!(within("the cut", server.cut_connections()).await, 1);
    let end = within("the end", raw.read(&mut [0; 16])).await;
    assert_eq!(end.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
    // Whoever does not reconnect has lost it.
    let once = server.client().reconnect(false).username("once").connect().await.unwrap();
    server.cut_connections().await;
    let lost = within("an answer", once.ping()).await;
    assert!(matches!(lost, Err(ClientError::Disconnected | ClientError::Closed)), "{lost:?}");
}

#[tokio::test]
async fn a_restart_keeps_data_and_address() {
    let server = started().await;
    let address = server.address();
    let ann = server.account("ann", "correct horse").await.unwrap();
    let mut events = ann.events();
    ann.join("lobby").await.unwrap();
    ann.send("lobby", "before").await.unwrap();
    let server = within("the restart", server.restart()).await.unwrap();
    assert_eq!(server.address(), address);
    assert_eq!(within("an answer", ann.send("lobby", "after")).await.unwrap().seq.0, 3);
    assert_eq!(message(&mut events).await.0, "before");
    assert_eq!(message(&mut events).await, ("after".to_owned(), 3));
    let bob = Client::builder(address.to_string()).username("bob").connect().await.unwrap();
    let page = bob.history("lobby", HistoryQuery::default()).await.unwrap();
    assert_eq!(page.messages.iter().map(|message| &*message.text).collect::<Vec<_>>(), ["before", "after"]);
}

#[tokio::test]
async fn it_is_what_the_test_wants_it_to_be_at_each_start() {
    let starts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&starts);
    let builder = TestServer::builder().config(|config| config.accounts.guests = false).prepare(move |builder| {
        counted.fetch_add(1, Ordering::Relaxed);
        builder
    });
    let server = within("the start", builder.start()).await.unwrap();
    assert!(matches!(server.connect("ann").await, Err(ClientError::LoginRefused { .. })));
    let server = within("the restart", server.restart()).await.unwrap();
    assert!(matches!(server.connect("ann").await, Err(ClientError::LoginRefused { .. })));
    assert_eq!(starts.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn nothing_is_left_of_it() {
    let server = started().await;
    let folder = server.server().data_dir().to_owned();
    assert!(folder.join("snakk.db").is_file());
    let ann = server.connect("ann").await.unwrap();
    let mut events = ann.events();
    drop(server);
    assert!(!folder.exists());
    // There is nobody to come back to.
    loop {
        match within("the end", events.next()).await {
            Some(Event::Disconnected { .. }) => break,
            Some(_) => {}
            None => panic!("it ended without a word"),
        }
    }
    let nobody = ann.ping();
    assert!(tokio::time::timeout(Duration::ZERO, nobody).await.is_err());
}
