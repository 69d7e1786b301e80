//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use snakk::model::{Level, ServerRole};

use crate::pages::{Page, Shell};

/// A chat daemon: one program, one TOML file, one SQLite file, JSON over TCP.
///
/// Without a command it runs, in the foreground, until SIGTERM or SIGINT. SIGHUP makes it read its configuration and its
/// certificates again; SIGUSR1 makes it open its log file anew. The commands from status to log-level ask the daemon that
/// runs.
#[derive(Debug, Parser)]
#[command(name = "snakkd", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// The configuration; else $SNAKK_CONFIG, ./snakk.toml, /etc/snakk/snakk.toml, or none.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Where everything is that it keeps.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,

    /// Accept connections here instead of where the configuration says: HOST:PORT or unix:PATH. May be repeated.
    #[arg(long, value_name = "ADDR", global = true, value_parser = listen_address)]
    pub(crate) listen: Vec<String>,

    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check the configuration, the certificates and the paths, and create nothing.
    Check,
    /// Show the settings in force, and where each comes from.
    Config {
        /// One JSON object for each setting.
        #[arg(long)]
        json: bool,
    },
    /// Write a configuration with every key, its default and a comment, to --config or ./snakk.toml.
    Init,
    #[command(flatten)]
    Operate(Operation),
    /// Look after the accounts, whether the daemon runs or not.
    #[command(subcommand)]
    User(UserVerb),
    /// Write a backup, whether the daemon runs or not: one file, whole and checked, and never in the place of another.
    Backup {
        /// Where to.
        file: PathBuf,
    },
    /// Put a backup in the place of the database, while no daemon has it open. The old database is kept beside it.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Look whether a database or a backup holds together, and change nothing.
    Verify {
        /// Which.
        file: PathBuf,
    },
    /// Write everything to standard output as lines of JSON, password hashes too, whether the daemon runs or not.
    Export,
    /// Make a database of what `export` has written. There must be none yet.
    Import {
        /// From where, instead of standard input.
        file: Option<PathBuf>,
    },
    /// Write the manual page of the program, or of snakk.toml, to standard output, or all manual pages into a folder.
    #[command(hide = true)]
    Man {
        /// snakk.toml, or the folder.
        #[arg(value_name = "PAGE|DIR")]
        what: Option<PathBuf>,
    },
    /// Write what makes a shell complete command lines to standard output.
    #[command(hide = true)]
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

/// What the daemon that runs is asked for or told, over its control socket.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Operation {
    /// Say how the daemon is doing. The exit code is 1 where it is not ready.
    Status {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List the rooms: kind, members, last entry, topic.
    Rooms {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// List who is connected: session, name, role, address, since when, with which program.
    Sessions {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// End the sessions of a user or an address; they may come back.
    Kick {
        /// A name, an address, or a network as ADDRESS/BITS.
        #[arg(value_parser = whom)]
        whom: String,
        /// Why, for them to read.
        #[arg(long)]
        reason: Option<String>,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep a user or an address out of the whole server.
    Ban {
        /// A name, an address, or a network as ADDRESS/BITS.
        #[arg(value_parser = whom)]
        whom: String,
        /// Why, for them to read.
        #[arg(long)]
        reason: Option<String>,
        /// For how long, such as 1h or 7d; for ever, if not said.
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        lasting: Option<Duration>,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a user or an address in again.
    Unban {
        /// As it was banned.
        #[arg(value_parser = whom)]
        whom: String,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List who is kept out.
    Bans {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Tell everybody who is online something.
    Notice {
        /// What.
        text: String,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Close the server on a bad day, or say how far it is closed.
    Level {
        /// open, no_registration, no_guests, members_only or read_only.
        #[arg(value_parser = level)]
        level: Option<String>,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read the configuration and the certificates again, as on SIGHUP, and say what came of it.
    Reload {
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Log something else until the next start or reload, or say what is logged.
    LogLevel {
        /// error, warn, info, debug, trace, or a filter such as info,snakk::net=trace.
        #[arg(value_parser = log_level)]
        level: Option<String>,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What is to be done about accounts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// Make an account. Its password is asked for, or is the first line of standard input.
    Add {
        /// The name.
        name: String,
        /// What came of it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give an account another password, which is asked for, or is the first line of standard input.
    Passwd {
        /// Whose.
        name: String,
        /// And take its tokens and certificates from it, which log in without the password.
        #[arg(long)]
        revoke_tokens: bool,
        /// What came of it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make an account an admin, or take that back.
    Role {
        /// Whose.
        name: String,
        /// Which.
        #[arg(value_parser = role)]
        role: ServerRole,
        /// What came of it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the accounts: the name, the role, and when it was online last.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Delete an account. What it said stays, its rooms get another owner, and nobody can ever take its name.
    Delete {
        /// Which.
        name: String,
        /// What came of it as JSON.
        #[arg(long)]
        json: bool,
    },
}

const EXIT_CODES: &str = "Exit codes: 0; 1 failure; 2 usage; 69 address not available, or no daemon runs; 73 cannot create or open the data \
    directory, the database or a file; 75 another snakkd has the database open; 78 bad configuration.";

/// What the manual pages have besides what is said here.
pub(crate) const PAGE: Page = Page {
    section: "8",
    environment: &[
        ("SNAKK_CONFIG", "The configuration, where --config names none."),
        ("SNAKK_SECTION__KEY", "Overrides a key of the configuration, such as SNAKK_LOG__LEVEL=debug."),
        (
            "STATE_DIRECTORY",
            "The data directory under systemd, where neither --data-dir nor the configuration names one.",
        ),
        ("XDG_STATE_HOME", "Where the data directory is otherwise, instead of ~/.local/state."),
        ("NO_COLOR", "Keeps colours out of a log on a terminal."),
    ],
    exit: &[
        ("0", "It is done; it was stopped, and everything is on disk."),
        ("1", "It failed."),
        ("2", "The arguments make no sense."),
        ("69", "An address is not available; or no daemon runs that could be asked, or it does not answer."),
        ("73", "The data directory, the database or a file cannot be created or opened."),
        ("75", "Another snakkd has the database open."),
        ("78", "The configuration is wrong."),
    ],
    files: &[
        (
            "./snakk.toml, /etc/snakk/snakk.toml",
            "The configuration, where nobody names one; snakkd init writes an example.",
        ),
        ("~/.local/state/snakk/", "The data directory, where nobody names one."),
        ("snakk.db", "The database, in the data directory."),
        ("control.sock", "The control socket, in the data directory; for the daemon's own user and root."),
        ("snakk.db.v1", "The database as it was in format 1, before it was brought up to date."),
        ("snakk.db.before-TIME", "The database as it was before a backup was put in its place."),
    ],
    see_also: &["snakk(1)", "snakk.toml(5)"],
};

fn duration(text: &str) -> Result<Duration, String> {
    let time = snakk::config::duration(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| "it must be a time such as 30s, 5m, 12h or 7d".to_owned())
}

/// A user, or an address or network: no name has a slash, or looks like an address.
fn whom(text: &str) -> Result<String, String> {
    let Some((address, bits)) = text.split_once('/') else { return Ok(text.to_owned()) };
    let most = address.parse::<IpAddr>().map_or(0, |address| if address.is_ipv4() { 32 } else { 128 });
    match bits.parse::<u8>() {
        Ok(bits) if (1..=most).contains(&bits) => Ok(text.to_owned()),
        _ => Err("it must be a name, an address, or a network such as 192.0.2.0/24 or 2001:db8::/32".to_owned()),
    }
}

fn level(text: &str) -> Result<String, String> {
    let words = Level::ALL.map(Level::as_str).join(", ");
    Level::parse(text).map(|_| text.to_owned()).ok_or_else(|| format!("it must be one of {words}"))
}

fn log_level(text: &str) -> Result<String, String> {
    let checked = snakk::config::check_log_level(text);
    checked.map(|()| text.to_owned()).map_err(|allowed| format!("it must be {allowed}"))
}

fn role(text: &str) -> Result<ServerRole, String> {
    ServerRole::parse(text).ok_or_else(|| "it must be admin or user".to_owned())
}

/// An address of a listener. A Unix socket's path is relative to the current folder, as in all arguments.
fn listen_address(text: &str) -> Result<String, String> {
    snakk::config::check_address(text).map_err(|allowed| format!("it must be {allowed}"))?;
    let Some(path) = text.strip_prefix("unix:") else { return Ok(text.to_owned()) };
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let path = path.to_str().ok_or("the current folder is not UTF-8")?;
    Ok(format!("unix:{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(["snakkd"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn options_stand_before_or_behind_a_subcommand() {
        for line in ["--config a --data-dir b check", "check --config a --data-dir b", "--config a check --data-dir b"]
        {
            let args = parse(line).unwrap();
            assert_eq!((args.config, args.data_dir), (Some("a".into()), Some("b".into())), "{line}");
        }
        let args = parse("--listen 127.0.0.1:0 --listen [::1]:0").unwrap();
        assert_eq!(args.listen, ["127.0.0.1:0", "[::1]:0"]);
        let unix = parse("--listen unix:a.sock").unwrap().listen.remove(0);
        assert!(unix.starts_with("unix:/") && unix.ends_with("/a.sock"), "{unix}");
    }

    #[test]
    fn a_role_is_one_of_two() {
        let args = parse("user role olaf admin --data-dir b").unwrap();
        assert!(matches!(args.verb, Some(Verb::User(UserVerb::Role { role: ServerRole::Admin, .. }))));
        for line in ["user", "user add", "user role olaf", "user role olaf owner", "user list x", "user add a b"] {
            assert_eq!(parse(line).map(|_| ()).map_err(|error| error.exit_code()), Err(2), "{line}");
        }
    }

    #[test]
    fn what_is_no_use_is_a_usage_error() {
        for line in ["--listen 9998", "--listen tls://a:1", "frobnicate", "--nonsense", "check check", "--config"] {
            assert_eq!(parse(line).map(|_| ()).map_err(|error| error.exit_code()), Err(2), "{line}");
        }
    }

    #[test]
    fn what_the_daemon_would_refuse_is_told_with_what_is_allowed() {
        for (line, allowed) in [
            ("ban ann --for 0s", "a time such as 30s"),
            ("ban ann --for 0", "a time such as 30s"),
            ("ban ann --for soon", "a time such as 30s"),
            ("kick 10.0.0.0/99", "a network such as 192.0.2.0/24"),
            ("kick 10.0.0.0/0", "a network such as"),
            ("ban 10.0.0.0/", "a network such as"),
            ("ban ann/8", "a network such as"),
            ("unban ::1/129", "a network such as"),
            ("level ajar", "one of open, no_registration, no_guests, members_only, read_only"),
            ("log-level bogus=", "\"error\", \"warn\", \"info\", \"debug\""),
            ("log-level loud", "\"error\", \"warn\", \"info\", \"debug\""),
        ] {
            let error = parse(line).map(|_| ()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(allowed), "{line}: {error}");
        }
        for line in
            ["ban ann --for 100ms", "kick 10.0.0.0/8", "kick ::1/128", "kick ::1", "level read_only", "log-level"]
        {
            assert!(parse(line).is_ok(), "{line}");
        }
    }
}
