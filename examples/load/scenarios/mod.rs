//! The scenarios: one file for each kind of question.

mod closed;
mod history;
mod idle;
mod large;
mod latency;
mod logins;
mod start;

use anyhow::Result;

use crate::args::{Big, Follow, History, Idle, Ingest, Latency, Logins, Rooms, Scenario, Start, Target, Until};
use crate::bench::Bench;
use crate::report::Figure;

pub(crate) use closed::Closed;

/// Something that can be measured on a server.
pub(crate) trait Measurement {
    /// The heading of its figures.
    fn title(&self) -> String;

    /// Whether the bare servers can do it too.
    fn suits_bare_servers(&self) -> bool {
        true
    }

    /// Measures `target` once.
    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>>;
}

/// What a scenario of the command line consists of.
pub(crate) fn measurements(scenario: &Scenario, quick: bool) -> Vec<Box<dyn Measurement>> {
    match scenario {
        Scenario::Rooms(options) => vec![Box::new(Closed::rooms(options))],
        Scenario::Big(options) => vec![Box::new(Closed::big(options))],
        Scenario::Ingest(options) => vec![Box::new(Closed::ingest(options))],
        Scenario::Latency(options) => vec![Box::new(latency::OpenLoop(options.clone()))],
        Scenario::Idle(options) => vec![Box::new(idle::Waiting::new(options, quick))],
        Scenario::Logins(options) => vec![Box::new(logins::Arrival::new(options, quick))],
        Scenario::History(options) => vec![Box::new(history::NewestPage::new(options, quick))],
        Scenario::Start(options) => vec![
            Box::new(start::FirstLogin { messages: 0, starts: options.starts }),
            Box::new(start::FirstLogin {
                messages: options.messages.unwrap_or(if quick { 20_000 } else { 1_000_000 }),
                starts: options.starts,
            }),
        ],
        Scenario::Large(options) => vec![Box::new(large::Busy::new(options, quick))],
        Scenario::All => {
            let long = if quick { 50_000 } else { 1_000_000 };
            let ingest = |rooms, in_flight| Scenario::Ingest(Ingest { rooms, members: 2, in_flight });
            let latency = |rooms| Scenario::Latency(Latency { rooms, members: 10, rate: 2000 });
            let history = |messages| Scenario::History(History { messages, requests: None, limit: 50 });
            let parts = [
                Scenario::Rooms(Rooms { rooms: 20, members: 10, in_flight: 32, until: Until::Sender }),
                Scenario::Big(Big { members: 1000, in_flight: 32, until: Until::Sender }),
                ingest(100, 16),
                ingest(1, 16),
                ingest(1, 1),
                latency(20),
                latency(1),
                Scenario::Idle(Idle { sessions: None, follow: Follow::Room }),
                Scenario::Logins(Logins { count: None, parallel: 32, joiners: 1000 }),
                history(None),
                history(Some(long)),
                Scenario::Start(Start { messages: Some(long), starts: 10 }),
            ];
            parts.iter().flat_map(|part| measurements(part, quick)).collect()
        }
        Scenario::Serve { .. } => Vec::new(),
    }
}
