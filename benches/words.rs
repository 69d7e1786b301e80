//! What the words cost: nanoseconds for each request read and each entry written.
//!
//! `cargo bench --bench words`. A plain loop, for the question is which order of magnitude a message costs on its way
//! through the dialect, against the microseconds that its commit and its system calls cost.

use std::hint::black_box;
use std::time::{Duration, Instant};

use snakk::model::{Body, Entry, Message, RoomName, Seq, Text, Time, UserId};
use snakk::protocol::native::Native;
use snakk::protocol::{Choice, CourseOptions, Dialect, Dialects, Kind, Response, Segment, Tag};

fn main() {
    let room = RoomName::trusted("lobby");
    let request = message_request();
    let entries: Vec<Entry> = (1..=32).map(|seq| entry(Seq(seq))).collect();
    let mut out = Vec::with_capacity(1 << 16);

    println!("{:<44} {:>10}", "", "ns");
    measure(&format!("decode `message` ({} bytes)", request.len()), || {
        black_box(Native.decode(black_box(&request)));
    });
    measure("decode `ping`", || {
        black_box(Native.decode(black_box(r#"{"request":"ping","id":1}"#)));
    });
    measure("encode the answer to `message`", || {
        let posted =
            Response::Posted { room: room.clone(), seq: Seq(7), time: Time(1_769_860_800_000), duplicate: false };
        out.clear();
        Native.answer(black_box(&Tag::new(Kind::Message)), &Ok(posted), &mut out);
    });
    measure("encode a `message` event", || {
        out.clear();
        Native.entry(&room, black_box(&entries[0]), None, &mut out);
    });
    measure("encode a segment of 32 entries", || {
        black_box(Segment::encode(&room, Seq::ZERO, black_box(&entries)));
    });
    let segment = Segment::encode(&room, Seq::ZERO, &entries);
    measure("slice a segment", || {
        black_box(segment.slice(black_box(Seq(7)), Seq(32)));
    });
    for (choice, request) in [
        (Choice::Course2014, r#"{"request":"message","message":"hello, everybody"}"#),
        (Choice::Course2015, r#"{"request":"msg","content":"hello, everybody"}"#),
    ] {
        let dialects = Dialects::new(choice, CourseOptions::default());
        let dialect = dialects.choose("{}");
        measure(&format!("decode a message, {}", choice.as_str()), || {
            black_box(dialect.decode(black_box(request)));
        });
        measure(&format!("encode a message, {}", choice.as_str()), || {
            out.clear();
            dialect.entry(&room, black_box(&entries[0]), None, &mut out);
        });
    }
}

/// The median of several runs, each long enough for the clock.
fn measure(name: &str, mut work: impl FnMut()) {
    let mut time = |rounds: u32| {
        let start = Instant::now();
        (0..rounds).for_each(|_| work());
        start.elapsed()
    };
    let mut rounds = 16;
    while time(rounds) < Duration::from_millis(20) {
        rounds *= 2;
    }
    let mut runs: Vec<f64> = (0..9).map(|_| time(rounds).as_secs_f64() * 1e9 / f64::from(rounds)).collect();
    runs.sort_by(f64::total_cmp);
    println!("{name:<44} {:>10.0}", runs[runs.len() / 2]);
}

/// A posting of 150 bytes.
fn message_request() -> String {
    let start = r#"{"request":"message","id":1234,"room":"lobby","nonce":"6f1c2d3e","text":""#;
    let text = "a line of some words, as people say them; ".repeat(4);
    format!("{start}{}\"}}", &text[..150 - start.len() - 2])
}

fn entry(seq: Seq) -> Entry {
    let text = Text::trusted("a line of some words, as people say them, with \"quotes\" and æøå");
    Entry {
        seq,
        time: Time(1_769_860_800_000),
        author: UserId(12),
        from: "alice".into(),
        body: Body::Message(Message::new(text)),
    }
}
