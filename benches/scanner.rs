//! How fast a stream is cut into objects: chat lines of about 150 bytes, as they come in one by one, in reads of 16 KiB,
//! and worse. Prints nanoseconds for each object and megabytes in each second; the best of several rounds, because the
//! others only measure what else the machine was doing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use snakk::net::{Frame, Framer, Rules};

const RULES: Rules = Rules { max_bytes: 65536, lenient: false };
const ROUNDS: u32 = 15;
const ROUND: Duration = Duration::from_millis(60);

fn main() {
    let line = |text: &str| {
        format!("{{\"request\":\"message\",\"id\":4711,\"room\":\"lobby\",\"nonce\":\"7f3a9c\",\"text\":\"{text}\"}}\n")
            .into_bytes()
    };
    let plain = line("The quick brown fox jumps over the lazy dog, again and again, until it has had enough.");
    let umlauts = line(
        "Der schnelle Fuchs \u{fc}berl\u{e4}sst dem tr\u{e4}gen Hund das Gebell, und l\u{e4}uft \u{fc}ber die Br\u{fc}cke. \u{1f98a}",
    );
    let escapes = line(
        "C:\\\\tmp\\\\fox \\\"quick\\\"\\n\\tbrown\\u00e9 \\ud83e\\udd8a jumps over \\\\ and \\/ and so on \\n\\n",
    );
    let indented = b"{\n    \"request\": \"message\",\n    \"id\": 4711,\n    \"room\": \"lobby\",\n    \"text\": \"hi\",\n    \"more\": [1, 2.5, true, null, {\"deep\": []}]\n}\n".to_vec();
    let large = line(&"All work and no play makes Jack a dull boy. ".repeat(350));

    println!("{:<44}{:>8}{:>12}{:>10}", "objects", "bytes", "ns/object", "MB/s");
    for (name, object) in [("plain", &plain), ("non-ASCII", &umlauts), ("escapes", &escapes), ("indented", &indented)] {
        measure(&format!("{name}, one in each read"), object, 1);
        measure(&format!("{name}, reads of 16 KiB"), object, 16 * 1024 / object.len());
    }
    measure("15 KiB of text, one in each read", &large, 1);
    measure_bytes("plain, one byte in each read", &plain);
}

/// Cuts reads that hold the object so many times.
fn measure(name: &str, object: &[u8], times: usize) {
    let read = object.repeat(times);
    let mut framer = Framer::new();
    report(name, object.len(), || {
        framer.push(black_box(&read));
        drain(&mut framer)
    });
}

/// Hands the object in byte by byte.
fn measure_bytes(name: &str, object: &[u8]) {
    let mut framer = Framer::new();
    report(name, object.len(), || {
        let mut objects = 0;
        for byte in object {
            framer.push(black_box(std::slice::from_ref(byte)));
            objects += drain(&mut framer);
        }
        objects
    });
}

fn drain(framer: &mut Framer) -> u32 {
    let mut objects = 0;
    while let Some(frame) = framer.next(&RULES) {
        match frame {
            Frame::Object(object) => objects += u32::from(!black_box(object).is_empty()),
            Frame::Fault(fault) => panic!("{fault:?} in good input"),
        }
    }
    objects
}

/// Runs the work for some rounds, and prints the best.
fn report(name: &str, bytes: usize, mut work: impl FnMut() -> u32) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut objects = 0_u64;
        let start = Instant::now();
        while start.elapsed() < ROUND {
            for _ in 0..32 {
                objects += u64::from(work());
            }
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / objects as f64);
    }
    println!("{name:<44}{bytes:>8}{best:>12.1}{:>10.0}", bytes as f64 * 1e3 / best);
}
