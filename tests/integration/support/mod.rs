//! The small language that the tests are written in.
//!
//! ```text
//! let server = server().with(|config| config.limits.message_burst = 3).await;
//! let mut alice = server.native("alice").await;          // a guest who said hello and logged in
//! alice.join("lobby").await;
//! let seq = alice.say("lobby", "hello").await;           // acknowledged
//! alice.expect(json!({"event": "message", "seq": seq})).await;
//! ```
//!
//! Nothing here waits longer than [`PATIENCE`] for anything, and nothing sleeps: what is awaited is an object, a close, a
//! line or an exit. What fails says who awaited what, where the test says so, and what was said until then.

pub(crate) mod clock;
pub(crate) mod daemon;
pub(crate) mod harm;
pub(crate) mod json;
pub(crate) mod people;
pub(crate) mod person;
pub(crate) mod requests;
pub(crate) mod screen;
pub(crate) mod secure;
pub(crate) mod server;
pub(crate) mod town;
pub(crate) mod transcript;
pub(crate) mod wire;

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

pub(crate) use daemon::{Daemon, daemon};
pub(crate) use person::Person;
pub(crate) use serde_json::{Value, json};
pub(crate) use server::{TestServer, server};
pub(crate) use wire::Wire;

/// How long anything may take that should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something, but not for ever.
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> + use<F> {
    let (at, what) = (Location::caller(), what.to_owned());
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{what} did not happen within {PATIENCE:?} ({at})"),
        }
    }
}

/// Random numbers that come again with the same seed (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    /// The seed is `$SNAKK_SEED` if that is set, else a new one. It is printed, so that whoever sees a failure has it.
    pub(crate) fn new() -> Dice {
        let seed = std::env::var("SNAKK_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.map_or(1, |now| now.subsec_nanos().into())
        });
        println!("SNAKK_SEED={seed}");
        Dice(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }
}
