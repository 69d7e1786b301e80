//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// A chat client. Without a command: what you type is said in a room, and what others say is shown.
#[derive(Debug, Parser)]
#[command(name = "snakk", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) connection: Connection,

    /// The room to talk in.
    #[arg(short, long, value_name = "ROOM", default_value = "lobby")]
    pub(crate) room: String,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused by the server; 2 usage; 69 cannot connect; 75 sent but not \
acknowledged; 77 login refused; 78 bad configuration.\n\nA password comes from --password-file, $SNAKK_PASSWORD_FILE, \
$SNAKK_PASSWORD, or is asked for on a terminal; it is never an argument.";

/// Where to go, and as whom.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Connection {
    /// The server: HOST, HOST:PORT or unix:PATH.
    #[arg(long, value_name = "ADDRESS", env = "SNAKK_SERVER", default_value = "127.0.0.1:9998", global = true)]
    pub(crate) server: String,

    /// Your name there; without it that of the operating system.
    #[arg(short, long = "username", value_name = "NAME", global = true)]
    pub(crate) username: Option<String>,

    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE", env = "SNAKK_PASSWORD_FILE", global = true)]
    pub(crate) password_file: Option<PathBuf>,

    /// How long to wait for the connection and for each answer: 500ms, 30s, 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, global = true)]
    pub(crate) timeout: Duration,

    /// Print what the server sends, one JSON object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say something; ends well only when it is stored.
    Send(Send),
    /// Show the end of a room.
    Tail(Tail),
    /// Show old messages.
    History(History),
    /// Find messages, newest first.
    Search(Search),
    /// List the rooms.
    Rooms,
    /// List the members of a room, or everybody who is online.
    Names {
        /// The room.
        room: Option<String>,
    },
    /// Make an account of the name given with -u.
    Register {
        /// The word that lets you in, where the server asks for one.
        #[arg(long, value_name = "WORD")]
        invite: Option<String>,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Send {
    /// The room.
    pub(crate) room: String,

    /// What to say. Without it each line of standard input is a message; `-` makes all of it one.
    pub(crate) text: Option<String>,

    /// Repeat the message that was not acknowledged under this nonce (the first one, where there are several).
    #[arg(long, value_name = "NONCE")]
    pub(crate) nonce: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Tail {
    /// The room.
    pub(crate) room: String,

    /// How many of the newest messages to begin with, without --since.
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    pub(crate) count: u32,

    /// Go on with what is said from now on.
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Begin behind the entry of this number.
    #[arg(long, value_name = "SEQ")]
    pub(crate) since: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct History {
    /// The room.
    pub(crate) room: String,

    /// The messages in front of the entry of this number.
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["after", "around"])]
    pub(crate) before: Option<u64>,

    /// The messages behind the entry of this number.
    #[arg(long, value_name = "SEQ", conflicts_with = "around")]
    pub(crate) after: Option<u64>,

    /// The messages on both sides of the entry of this number.
    #[arg(long, value_name = "SEQ")]
    pub(crate) around: Option<u64>,

    /// How many.
    #[arg(short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Search {
    /// The words: "a phrase", -without, from:NAME, in:ROOM, before:DAY, after:DAY, has:link. Behind `--` they may begin
    /// with a dash.
    #[arg(required = true, num_args = 1..)]
    pub(crate) query: Vec<String>,

    /// Only in this room.
    #[arg(short, long, value_name = "ROOM")]
    pub(crate) room: Option<String>,

    /// At most how many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "a time is a number with a unit, such as 30s".to_owned())?;
    let ms = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    match ms.and_then(|ms| number.checked_mul(ms)) {
        // A day is more than anybody waits, and far from what clocks can count.
        Some(ms @ 1..=86_400_000) => Ok(Duration::from_millis(ms)),
        Some(_) => Err("a time is between 1ms and 24h".to_owned()),
        None => Err("a time has one of the units ms, s, m, h, such as 30s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, ms) in [("30s", 30_000), ("500ms", 500), ("5m", 300_000), ("24h", 86_400_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["", "30", "s", "-1s", "0s", "25h", "1.5s", "1d", "99999999999999999999s", "9999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_stand_before_or_behind_a_command() {
        for line in [["snakk", "-u", "bob", "tail", "lobby"], ["snakk", "tail", "lobby", "-u", "bob"]] {
            assert_eq!(Args::try_parse_from(line).unwrap().connection.username.as_deref(), Some("bob"));
        }
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
