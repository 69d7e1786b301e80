//! How fast messages become durable: batches of one size, pushed, committed, settled; and how long opening takes.
//!
//! `cargo bench --bench append [-- ROOMS..]`. CPU is that of the whole process, so of the pushing thread too.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use snakk::model::{Anchor, Body, Epoch, Message, RoomId, RoomKind, RoomName, Seq, Text, Time, UserId};
use snakk::store::{
    Append, Created, Durability, Most, NewRoom, Options, Outcome, Reach, Settled, SqliteStore, Store, Write,
};
use tokio::sync::{mpsc, oneshot};

const ABOUT: Duration = Duration::from_millis(1500);

fn main() {
    let rooms: Vec<i64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let rooms = if rooms.is_empty() { vec![1, 100] } else { rooms };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for durability in [Durability::Full, Durability::Normal] {
        for rooms in &rooms {
            for nonces in [false, true] {
                println!("{durability:?}, {rooms} rooms, {} nonces", if nonces { "with" } else { "without" });
                for batch in [1, 10, 100, 400, 1000] {
                    runtime.block_on(measure(durability, *rooms, nonces, batch));
                }
            }
        }
    }
    runtime.block_on(opening());
}

async fn measure(durability: Durability, rooms: i64, nonces: bool, batch: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, mut settled) = open(folder.path(), durability);
    create(&store, rooms).await;
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut sent = 0;
    while start.elapsed() < ABOUT {
        push(&store, &mut settled, rooms, nonces, batch, sent).await;
        sent += batch;
    }
    let (took, cpu) = (start.elapsed().as_secs_f64(), (cpu_time() - cpu).as_secs_f64());
    let per = 1e6 / sent as f64;
    println!(
        "  {batch:5} in a batch: {:8.0} messages/s, {:6.1} us each, {:5.1} us CPU each",
        sent as f64 / took,
        took * per,
        cpu * per,
    );
    store.close().await.expect("closed");
}

async fn opening() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = Instant::now();
    let (store, mut settled) = open(folder.path(), Durability::Full);
    println!("opening a new database: {:?}", start.elapsed());
    create(&store, 100).await;
    for batch in 0..1000 {
        push(&store, &mut settled, 100, false, 1000, batch * 1000).await;
    }
    let start = Instant::now();
    store.close().await.expect("closed");
    let size = std::fs::metadata(folder.path().join("snakk.db")).map_or(0, |file| file.len());
    println!("closing it with 1,000,000 messages ({} MiB): {:?}", size >> 20, start.elapsed());
    drop(store);
    let start = Instant::now();
    let (store, _settled) = open(folder.path(), Durability::Full);
    println!("opening it: {:?}", start.elapsed());
    let start = Instant::now();
    let found = store.rooms().await.expect("rooms");
    println!("its {} rooms: {:?}", found.len(), start.elapsed());
    let mut times: Vec<Duration> = Vec::new();
    for n in 0..1000 {
        let start = Instant::now();
        let most = Most { entries: 50, bytes: 1 << 18 };
        let page = store.messages(RoomId(n % 100 + 1), Anchor::Newest, Seq(1), most).await.expect("a page");
        assert_eq!(page.messages.len(), 50);
        times.push(start.elapsed());
    }
    times.sort();
    println!("newest 50: p50 {:?}, p99 {:?}", times[500], times[990]);
    store.close().await.expect("closed");
}

fn open(folder: &Path, durability: Durability) -> (SqliteStore, mpsc::Receiver<Vec<Settled>>) {
    let options = Options { durability, ..Options::new(folder.join("snakk.db")) };
    let store = SqliteStore::open(options).expect("a store");
    let settled = store.settled().expect("the receiver");
    (store, settled)
}

async fn create(store: &SqliteStore, rooms: i64) {
    for room in 1..=rooms {
        let (done, answer) = oneshot::channel();
        let new = NewRoom {
            name: RoomName::parse(&format!("room{room}")).expect("a name"),
            kind: RoomKind::Public,
            topic: "".into(),
            epoch: Epoch("epoch".into()),
            owner: None,
            sides: None,
            time: Time(1),
        };
        let place = store.queue().reserve(0).await.expect("a place");
        assert!(store.queue().push(place, Write::CreateRoom(new, done)).is_ok());
        assert_eq!(answer.await.expect("an answer").expect("a room"), Created::New(RoomId(room)));
    }
}

async fn push(
    store: &SqliteStore,
    settled: &mut mpsc::Receiver<Vec<Settled>>,
    rooms: i64,
    nonces: bool,
    count: usize,
    from: usize,
) {
    let text =
        "a message of about one hundred bytes, which is what people say to one another on an ordinary day, or so";
    let mut writes = Vec::with_capacity(count);
    let author: Arc<str> = "alice".into();
    for n in from..from + count {
        let append = Append {
            room: RoomId(n as i64 % rooms + 1),
            generation: 0,
            time: Time(1_769_860_800_000 + n as i64),
            author: UserId(-1 - n as i64 % 200),
            from: Arc::clone(&author),
            body: Body::Message(Message::new(Text::trusted(text))),
            nonce: nonces.then(|| format!("nonce-{n:012}").into()),
            reach: Reach { first: Seq(1), others: false },
            mentions: Box::default(),
            act: None,
            origin: Box::new(()),
        };
        writes.push((store.queue().reserve(100).await.expect("a place"), Write::Append(append)));
    }
    for (place, write) in writes {
        assert!(store.queue().push(place, write).is_ok());
    }
    let mut left = count;
    while left > 0 {
        let batch = settled.recv().await.expect("outcomes");
        left -= batch.len();
        assert!(batch.iter().all(|settled| matches!(settled.outcome, Outcome::Appended(_))));
    }
}

/// User and system time of this process, from /proc (in ticks of 10 ms).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .map(|rest| rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
        .unwrap_or_default();
    Duration::from_millis(ticks * 10)
}
