//! The command line: the scenarios and their options, with the defaults of the table that the figures are compared with.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measure snakkd, and check while doing so that every receiver gets every message exactly once and in order.
///
/// The same client code first drives two bare broadcast servers, which parse and store nothing and so show what this
/// machine allows. Every figure is printed as it is and as a ratio to both of them.
#[derive(Parser)]
#[command(name = "load", max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The daemon to measure [default: snakkd beside the folder that this program is in].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) daemon: Option<PathBuf>,
    /// Where the daemon's data goes, in a new folder that is removed at the end [default: target/tmp].
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
    /// `storage.durability` of the daemon.
    #[arg(long, global = true, value_enum, default_value_t = Durability::Full)]
    pub(crate) durability: Durability,
    /// Which servers to drive [default: all three].
    #[arg(long, global = true, value_enum, value_delimiter = ',', value_name = "SERVER")]
    pub(crate) only: Vec<Target>,
    /// Length of the measured window in seconds [default: 5, with --quick 1].
    #[arg(long, global = true, value_name = "S")]
    pub(crate) seconds: Option<f64>,
    /// What runs before the measured window, in seconds [default: 1, with --quick 0.3].
    #[arg(long, global = true, value_name = "S")]
    pub(crate) warm_up: Option<f64>,
    /// Length of a message's text in bytes.
    #[arg(long, global = true, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u16).range(10..=16000))]
    pub(crate) bytes: u16,
    /// Measure everything this many times and print the median of each figure.
    #[arg(long, global = true, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) repeat: u16,
    /// Short runs and small numbers: to see that it works, not to compare.
    #[arg(long, global = true)]
    pub(crate) quick: bool,
    /// Print one JSON object instead of the table.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Common {
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 1.0 } else { 5.0 }).clamp(0.01, 3600.0))
    }

    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up.unwrap_or(if self.quick { 0.3 } else { 1.0 }).clamp(0.0, 3600.0))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    Full,
    Normal,
}

/// A server that can be driven.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Target {
    Snakk,
    BareEpoll,
    BareTokio,
}

impl Target {
    /// In the order in which they are measured: the limits of the machine first.
    pub(crate) const ALL: [Target; 3] = [Target::BareEpoll, Target::BareTokio, Target::Snakk];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Snakk => "snakk",
            Target::BareEpoll => "bare-epoll",
            Target::BareTokio => "bare-tokio",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// Back to its sender, as an event.
    Sender,
    /// To every member.
    All,
}

#[derive(Subcommand, Clone)]
pub(crate) enum Scenario {
    /// Many rooms, closed loop: deliveries/s, CPU per million deliveries, memory.
    Rooms(Rooms),
    /// One big room, closed loop.
    Big(Big),
    /// Many small rooms, closed loop on acknowledgements: messages stored per second, CPU for each.
    Ingest(Ingest),
    /// A fixed schedule (open loop): how late messages and acknowledgements arrive, counted from the intended time.
    Latency(Latency),
    /// Sessions that do nothing: memory for each, CPU, and one message that reaches them all.
    Idle(Idle),
    /// Guest logins: CPU for each; and how long it takes until many connected members have joined one room.
    Logins(Logins),
    /// The newest page of a long history, one request at a time.
    History(History),
    /// From exec to the first answered login, without data and with a long history.
    Start(Start),
    /// A million messages in ten thousand rooms, a hundred thousand accounts: start, logins, and each kind of request, one
    /// at a time on one connection. Not among `all`.
    Large(Large),
    /// All the others, in one table.
    All,
    /// One of the bare servers, until it is killed.
    #[command(hide = true)]
    Serve { target: Target },
}

#[derive(Args, Clone)]
pub(crate) struct Rooms {
    /// Number of rooms.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rooms: u16,
    /// Members of each room, each with a connection of its own.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) members: u16,
    /// Messages in flight for each room.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) in_flight: u16,
    /// How far a message must have come to be no longer in flight.
    #[arg(long, value_enum, default_value_t = Until::Sender)]
    pub(crate) until: Until,
}

#[derive(Args, Clone)]
pub(crate) struct Big {
    /// Members of the room.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) members: u16,
    /// Messages in flight.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) in_flight: u16,
    /// How far a message must have come to be no longer in flight.
    #[arg(long, value_enum, default_value_t = Until::Sender)]
    pub(crate) until: Until,
}

#[derive(Args, Clone)]
pub(crate) struct Ingest {
    /// Number of rooms.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rooms: u16,
    /// Members of each room.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) members: u16,
    /// Messages in flight for each room: posted and not yet acknowledged.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) in_flight: u16,
}

#[derive(Args, Clone)]
pub(crate) struct Latency {
    /// Number of rooms.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rooms: u16,
    /// Members of each room.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) members: u16,
    /// Messages per second in all rooms together.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
}

#[derive(Args, Clone)]
pub(crate) struct Idle {
    /// Number of sessions [default: 10000, with --quick 1000].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) sessions: Option<u16>,
    /// What the sessions follow: one room, the same for all, or nothing.
    #[arg(long, value_enum, default_value_t = Follow::Room)]
    pub(crate) follow: Follow,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Follow {
    Room,
    None,
}

#[derive(Args, Clone)]
pub(crate) struct Logins {
    /// Number of logins [default: 5000, with --quick 1000].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) count: Option<u16>,
    /// Logins that are under way at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) parallel: u16,
    /// Connected members that then join one room, all at once.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) joiners: u16,
}

#[derive(Args, Clone)]
pub(crate) struct History {
    /// Messages in the room [default: 100000, with --quick 20000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) messages: Option<u32>,
    /// Measured requests [default: 5000, with --quick 500].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests: Option<u32>,
    /// Messages in each answer.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,
}

#[derive(Args, Clone)]
pub(crate) struct Start {
    /// Messages that the daemon finds [default: 1000000, with --quick 20000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) messages: Option<u32>,
    /// Starts of each kind.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) starts: u16,
}

#[derive(Args, Clone)]
pub(crate) struct Large {
    /// Messages in the database; a hundredth of that in rooms, a tenth in accounts [default: 1000000, with --quick 100000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(10_000..))]
    pub(crate) messages: Option<u32>,
    /// Measured requests of each kind; slow ones end after ten seconds [default: 300, with --quick 50].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests: Option<u32>,
    /// A folder in which the database is made and stays, to be found by the next run [default: a new one, removed at the
    /// end].
    #[arg(long, value_name = "PATH")]
    pub(crate) keep: Option<PathBuf>,
}
