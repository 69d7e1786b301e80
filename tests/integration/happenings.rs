//! What the program around a server is told of what happens, in which order, and what becomes of it when it is slow.

use std::collections::HashSet;
use std::time::Duration;

use snakk::model::Body;
use snakk::server::Happening;
use tokio::sync::Semaphore;

use crate::hooks::House;
use crate::support::server::TestServer;
use crate::support::wire::message;
use crate::support::{json, server, within};

/// What an entry of a message says.
fn said(happening: &Happening) -> Option<&str> {
    match happening {
        Happening::Entry { entry, .. } => match &entry.body {
            Body::Message(message) => Some(message.text.as_str()),
            _ => None,
        },
        _ => None,
    }
}

#[tokio::test]
async fn the_program_hears_what_happens_in_its_order() {
    let server = server().await;
    let mut events = server.server.events();
    let mut ann = server.account("ann").await;
    let mut again = server.login("ann").await;
    let mut bob = server.native("bob").await;
    ann.join("lobby").await;
    for n in 1..=3 {
        ann.say("lobby", &format!("number {n}")).await;
    }
    bob.ask(message("@ann", "psst")).await;
    again.ask(json!({"request": "logout"})).await;
    ann.ask(json!({"request": "logout"})).await;
    bob.ask(json!({"request": "logout"})).await;
    within("the shutdown", server.server.shutdown()).await.unwrap();
    let mut all = Vec::new();
    while let Some(happening) = within("the next", events.next()).await {
        all.push(happening);
    }
    let who = |happening: &Happening| match happening {
        Happening::Online { username, guest } => Some(format!("+{username} {guest}")),
        Happening::Offline { username, guest } => Some(format!("-{username} {guest}")),
        _ => None,
    };
    // Twice the same user is there once.
    let presence: Vec<String> = all.iter().filter_map(who).collect();
    assert_eq!(presence, ["+ann false", "+bob true", "-ann false", "-bob true"]);
    let texts: Vec<_> = all.iter().filter_map(said).collect();
    assert_eq!(texts, ["number 1", "number 2", "number 3", "psst"]);
    let seqs: Vec<(String, u64)> = all
        .iter()
        .filter_map(|happening| match happening {
            Happening::Entry { room, entry } => Some((room.clone(), entry.seq.0)),
            _ => None,
        })
        .collect();
    let lobby: Vec<u64> = seqs.iter().filter(|(room, _)| room == "lobby").map(|(_, seq)| *seq).collect();
    assert_eq!(lobby, (1..=lobby.len() as u64).collect::<Vec<_>>(), "each once, without a gap");
    let direct: HashSet<&str> = seqs.iter().map(|(room, _)| room.as_str()).filter(|room| *room != "lobby").collect();
    assert!(direct.contains("@ann:bob") || direct.contains("@bob:ann"), "{direct:?}");
}

/// Says more in a room than may wait for a listener; how much that was.
async fn flood(server: &TestServer) -> usize {
    let mut ann = server.native("ann").await;
    ann.join("lobby").await;
    ann.ask(json!({"request": "unfollow", "room": "lobby"})).await;
    let (text, count) = ("x".repeat(60_000), 400);
    for n in 0..count {
        ann.say("lobby", &format!("{n} {text}")).await;
    }
    count
}

#[tokio::test]
async fn a_slow_listener_misses_something_and_holds_up_nobody() {
    let house = House::new();
    house.news.forget_permits(Semaphore::MAX_PERMITS);
    let hooks = house.clone();
    let server = server()
        .with(|config| (config.limits.max_text_bytes, config.limits.max_frame_bytes) = (100_000, 200_000))
        .around(|builder| builder.hooks(hooks).hook_deadline(Duration::from_secs(60)))
        .await;
    let mut slow = server.server.events();
    let mut quick = server.server.events();
    let reading = tokio::spawn(async move {
        let mut texts = Vec::new();
        while let Some(happening) = quick.next().await {
            assert!(!matches!(happening, Happening::Missed(_)));
            texts.extend(said(&happening).map(|text| text.split(' ').next().unwrap_or_default().to_owned()));
        }
        texts
    });
    let count = flood(&server).await;
    let missed = server.server.stats().events_missed;
    assert!(missed > 0);
    house.news.add_permits(Semaphore::MAX_PERMITS / 2);
    within("the shutdown", server.server.shutdown()).await.unwrap();
    let all: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    assert_eq!(reading.await.unwrap(), all, "whoever keeps up has all of it");
    let mut heard = Vec::new();
    while let Some(happening) = slow.next().await {
        heard.push(happening);
    }
    let told = house.known().happenings.clone();
    let mut left_out = 0;
    for happenings in [heard, told] {
        let mut next = 0;
        for happening in &happenings {
            if let Happening::Missed(more) = happening {
                left_out += more;
            } else if let Some(text) = said(happening) {
                let number: u64 = text.split(' ').next().unwrap().parse().unwrap();
                assert!(number >= next, "in their order");
                next = number + 1;
            }
        }
        assert!(next > 0);
    }
    assert_eq!(left_out, missed, "each is told what it missed");
}
