//! What can be said on the command line.

mod exclusions;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand};
use snakk::client::{Address, Fingerprint};

use crate::pages::{Page, Shell};

/// A chat client: a full screen, line mode, and commands for scripts.
///
/// Without a command it is a full screen on a terminal; elsewhere what standard input says is said in a room, and what
/// others say is printed.
#[derive(Debug, Parser)]
#[command(name = "snakk", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) connection: Connection,

    /// The room to talk in; else that of the settings, else lobby.
    #[arg(short, long, value_name = "ROOM")]
    pub(crate) room: Option<String>,

    /// Line mode, on a terminal too: nothing is drawn, lines are read and printed. It suits screen readers.
    #[arg(long)]
    pub(crate) line: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What stands behind the options in `--help`; the manual pages have it in their own sections.
const AFTER_HELP: &str = "Settings are read from ~/.config/snakk/config.toml; snakk init writes an example.\n\nA password \
comes from --password-file, $SNAKK_PASSWORD_FILE, $SNAKK_PASSWORD, the settings (password_command, password_file), or is \
asked for on a terminal; it is never an argument.\n\nExit codes: 0 done; 1 refused by the server; 2 usage; 69 cannot \
connect, or the server is not trusted; 75 sent but not acknowledged; 77 login refused; 78 bad configuration.";

/// What the manual pages have besides what is said here.
pub(crate) const PAGE: Page = Page {
    section: "1",
    environment: &[
        ("SNAKK_SERVER", "The server, as with --server."),
        ("SNAKK_PASSWORD_FILE", "A file whose first line is the password, as with --password-file."),
        ("SNAKK_PASSWORD", "The password itself, where no file is named. What runs as the same user can read it."),
        ("SNAKK_CLIENT_CONFIG", "The file of settings, as with --config."),
        ("XDG_CONFIG_HOME, XDG_STATE_HOME", "Where the files below are, instead of ~/.config and ~/.local/state."),
        ("TERM", "Where it is unset or \"dumb\", there is no full screen."),
        ("SSL_CERT_FILE, SSL_CERT_DIR", "The authorities that are trusted, instead of those of the system."),
    ],
    exit: &[
        ("0", "It is done. For send: what was sent is stored."),
        ("1", "The server refused it; or something failed."),
        ("2", "It was asked in a way that makes no sense."),
        (
            "69",
            "There is no connection to be had, or the server's certificate is not trusted. For host: the address is taken.",
        ),
        ("73", "For host: the data directory or the database cannot be created or opened."),
        (
            "75",
            "Sent, but not acknowledged: sending it again with --nonce is safe. For host: another daemon has the database.",
        ),
        ("77", "The login was refused."),
        (
            "78",
            "Something that was set up for the program is not as it should be: the settings, a password file or command, a cursor.",
        ),
    ],
    files: &[
        ("~/.config/snakk/config.toml", "The settings."),
        (
            "~/.local/state/snakk/known_servers",
            "The certificates that were trusted when they were first seen, a server a line.",
        ),
        ("~/.local/state/snakk/host/", "Where snakk host keeps what is said."),
    ],
    see_also: &["snakkd(8)"],
};

/// Where to go, and as whom.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct Connection {
    /// The server: HOST, HOST:PORT, tls://HOST:PORT or unix:PATH; else that of the settings, else 127.0.0.1:9998.
    #[arg(long, value_name = "ADDRESS", env = "SNAKK_SERVER", global = true)]
    pub(crate) server: Option<String>,

    /// Your name there; else that of the settings, else that of the operating system.
    #[arg(short, long = "username", value_name = "NAME", global = true)]
    pub(crate) username: Option<String>,

    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE", env = "SNAKK_PASSWORD_FILE", value_parser = path(), global = true)]
    pub(crate) password_file: Option<PathBuf>,

    /// A certificate (PEM) to log in with instead of a password, to servers at tls://HOST:PORT.
    #[arg(long, value_name = "FILE", value_parser = path(), global = true)]
    pub(crate) certificate: Option<PathBuf>,

    /// The key of the certificate (PEM), where it does not stand in the same file.
    #[arg(long, value_name = "FILE", value_parser = path(), global = true)]
    pub(crate) key: Option<PathBuf>,

    /// How long to wait for the connection and for each answer: 500ms, 30s, 5m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, global = true)]
    pub(crate) timeout: Duration,

    /// Print what the server sends, one JSON object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// The profile of the settings that counts.
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(crate) profile: Option<String>,

    /// The settings, instead of ~/.config/snakk/config.toml.
    #[arg(long, value_name = "FILE", env = "SNAKK_CLIENT_CONFIG", value_parser = path(), global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Trust the server that shows the certificate with this SHA-256 fingerprint, and no other.
    #[arg(long, value_name = "FP", global = true, conflicts_with = "insecure")]
    pub(crate) tls_fingerprint: Option<Fingerprint>,

    /// Trust whoever answers. Whoever is in between can read and change everything.
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
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
    /// Manage what logs in to your account without its password: tokens for programs, and certificates.
    #[command(subcommand)]
    Token(Token),
    /// Be the server, too: a daemon and the client in one program.
    Host(Host),
    /// Write an example of the settings, to --config or where they are looked for.
    Init,
    /// Write the manual page of the program to standard output, or all manual pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder.
        dir: Option<PathBuf>,
    },
    /// Write what makes a shell complete command lines to standard output.
    #[command(hide = true)]
    Completions {
        /// For which shell.
        shell: Shell,
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

    /// Remember in this file what was printed, and go on behind it the next time.
    #[arg(long, value_name = "FILE", conflicts_with = "since")]
    pub(crate) cursor: Option<PathBuf>,
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
    /// The words: "a phrase", -without, from:NAME, in:ROOM, before:DAY, after:DAY, has:link.
    #[arg(required = true, num_args = 1..)]
    pub(crate) query: Vec<String>,

    /// Only in this room.
    #[arg(short, long, value_name = "ROOM")]
    pub(crate) room: Option<String>,

    /// At most how many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token, and print it; it is shown this once. It stands in a password file in the password's place.
    Create(Lasting),
    /// Let a certificate log in: the one that is shown (--certificate), or the one of that fingerprint.
    Certificate {
        /// The SHA-256 fingerprint of a certificate that is somewhere else.
        #[arg(long, value_name = "FP")]
        fingerprint: Option<Fingerprint>,

        #[command(flatten)]
        lasting: Lasting,
    },
    /// List the tokens and certificates.
    List,
    /// Take a token or certificate back, and end the sessions that logged in with it.
    Revoke {
        /// Its number, as the list has it.
        #[arg(value_name = "NUMBER")]
        number: u64,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Lasting {
    /// What it is for.
    #[arg(default_value = "")]
    pub(crate) label: String,

    /// For how long: 12h, 90d; without it for ever.
    #[arg(long = "for", value_name = "TIME", value_parser = lifetime)]
    pub(crate) lasting: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Host {
    /// Accept connections here: HOST:PORT or unix:PATH; else 127.0.0.1:9998, where only this computer can connect. May be
    /// repeated.
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub(crate) listen: Vec<String>,

    /// Where everything is that is kept; else ~/.local/state/snakk/host.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// The room to talk in.
    #[arg(short, long, value_name = "ROOM")]
    pub(crate) room: Option<String>,

    /// Line mode, on a terminal too.
    #[arg(long)]
    pub(crate) line: bool,
}

impl Args {
    /// What this process was told. Ends it where that makes no sense, or where it is only asked for help.
    pub(crate) fn of_process() -> Args {
        let words = exclusions::escaped(&Args::command(), std::env::args_os().collect());
        let matches = Args::command().get_matches_from(words);
        Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// A path that may be empty: in the environment that means none.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
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

fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || "it must be a time such as 30s, 5m, 12h or 90d".to_owned();
    snakk::settings::parse_duration(text).filter(|time| !time.is_zero()).ok_or_else(wrong)
}

/// An address to listen on. A Unix socket's path is relative to the current folder.
fn listen_address(text: &str) -> Result<String, String> {
    match text.parse() {
        Ok(Address::Unix(path)) => {
            let path = std::path::absolute(path).map_err(|error| error.to_string())?;
            Ok(format!("unix:{}", path.to_str().ok_or("the current folder is not UTF-8")?))
        }
        Ok(Address::Tls(..)) => Err("a server that speaks TLS needs a certificate, which snakkd can have".to_owned()),
        Ok(Address::Tcp(..)) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
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
        Args::command().debug_assert();
    }
}
