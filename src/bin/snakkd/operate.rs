//! What the daemon that runs is asked for and told: `status`, `rooms`, `sessions`, `kick`, `ban` and their like.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use snakk::model::{Clock, SystemClock, Time, text};

use crate::args::{Args, Operation};
use crate::control::Control;
use crate::exit::{self, Failure};
use crate::verbs;

/// Does it, and says what came of it: for people, or as JSON.
pub(crate) fn run(args: &Args, operation: &Operation) -> Result<(), Failure> {
    let mut control = Control::open(args)?;
    match operation {
        Operation::Status { json } => {
            let status = control.ask(&json!({"request": "server_status"}))?;
            verbs::say(&if *json { line(&status) } else { shown_status(&status) })?;
            // Scripts look at the code.
            if status["ready"] == false {
                return Err(Failure::new(exit::FAILURE, "snakkd is not ready"));
            }
            Ok(())
        }
        Operation::Rooms { json } => {
            let rooms = control.list("rooms", "rooms", "room")?;
            say_all(&rooms, *json, |room| {
                let members = format!("{} members, {} online", room["members"], room["online"]);
                format!(
                    "{} {} {members}, head {} {}",
                    word(&room["room"]),
                    word(&room["kind"]),
                    room["head"],
                    word(&room["topic"])
                )
            })
        }
        Operation::Sessions { json } => {
            let sessions = control.list("server_sessions", "sessions", "session_id")?;
            say_all(&sessions, *json, |session| {
                let guest = if session["guest"] == true { "guest" } else { session["role"].as_str().unwrap_or("user") };
                let client = session.get("client").map(word).unwrap_or_default();
                let (name, address) = (word(&session["username"]), word(&session["address"]));
                format!("{} {name} {guest} {address} since {} {client}", session["session_id"], word(&session["since"]))
            })
        }
        Operation::Kick { whom, reason, json } => {
            let answer = control.ask(&about("disconnect", whom, reason.as_deref(), None))?;
            if *json {
                verbs::say(&line(&answer))
            } else {
                verbs::say(&format!("{} ended\n", counted(&answer["sessions"], "session")))
            }
        }
        Operation::Ban { whom, reason, lasting, json } => {
            done(&mut control, &about("suspend", whom, reason.as_deref(), *lasting), *json)
        }
        Operation::Unban { whom, json } => {
            // Who is not banned is nobody, and the address of nobody does not fit.
            let answer = control.ask_for(&about("unsuspend", whom, None, None), |code| {
                let unknown = matches!(code, "no_such_user" | "bad_request");
                unknown.then(|| format!("{} is not banned; snakkd bans lists who is", whom.escape_debug()))
            })?;
            if *json { verbs::say(&line(&answer)) } else { Ok(()) }
        }
        Operation::Bans { json } => {
            let answer = control.ask(&json!({"request": "suspensions"}))?;
            let bans = answer["suspensions"].as_array().cloned().unwrap_or_default();
            say_all(&bans, *json, |ban| {
                let whom = ban.get("username").or_else(|| ban.get("address")).map(word).unwrap_or_default();
                let until =
                    ban.get("until").map_or_else(|| "for ever".to_owned(), |until| format!("until {}", word(until)));
                format!("{whom} {until}, by {} {}", word(&ban["by"]), ban.get("reason").map(word).unwrap_or_default())
            })
        }
        Operation::Notice { text, json } => done(&mut control, &json!({"request": "notice", "text": text}), *json),
        Operation::Level { level, json } => level_of(&mut control, "level", level.as_deref(), *json),
        Operation::LogLevel { level, json } => level_of(&mut control, "log_level", level.as_deref(), *json),
        Operation::Reload { json } => {
            let answer = control.ask(&json!({"request": "reload"}))?;
            verbs::say(&if *json { line(&answer) } else { shown_reload(&answer) })?;
            let problems: Vec<String> = answer["problems"].as_array().into_iter().flatten().map(word).collect();
            if problems.is_empty() { Ok(()) } else { Err(Failure::new(exit::FAILURE, problems.join("\n"))) }
        }
    }
}

/// Asks for what is answered with nothing.
fn done(control: &mut Control, request: &Value, json: bool) -> Result<(), Failure> {
    let answer = control.ask(request)?;
    if json { verbs::say(&line(&answer)) } else { Ok(()) }
}

/// Says which level holds, of the server or of its log; sets it first, if one is given.
fn level_of(control: &mut Control, request: &str, level: Option<&str>, json: bool) -> Result<(), Failure> {
    let mut ask = json!({"request": request});
    level.iter().for_each(|level| ask["level"] = (*level).into());
    let answer = control.ask(&ask)?;
    verbs::say(&if json { line(&answer) } else { format!("{}\n", word(&answer["level"])) })
}

/// A request about a user, or about an address or network: no name looks like one of those.
fn about(request: &str, whom: &str, reason: Option<&str>, lasting: Option<Duration>) -> Value {
    let address = whom.split('/').next().unwrap_or_default();
    let key = if address.parse::<IpAddr>().is_ok() { "address" } else { "username" };
    let mut ask = json!({"request": request, key: whom});
    reason.iter().for_each(|reason| ask["reason"] = (*reason).into());
    lasting.iter().for_each(|lasting| ask["for_s"] = lasting.as_secs().max(1).into());
    ask
}

fn say_all(lines: &[Value], json: bool, shown: impl Fn(&Value) -> String) -> Result<(), Failure> {
    let mut text = String::new();
    for item in lines {
        if json {
            text += &line(item);
        } else {
            text += shown(item).trim_end();
            text.push('\n');
        }
    }
    verbs::say(&text)
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// A string, as it may be shown on a terminal: it may be what somebody on the network has chosen.
fn word(value: &Value) -> String {
    text::safe(value.as_str().unwrap_or_default(), false).into_owned()
}

fn counted(count: &Value, what: &str) -> String {
    let count = count.as_u64().unwrap_or_default();
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn shown_status(status: &Value) -> String {
    let mut text = format!("snakkd {} {:?}, ", word(&status["version"]), word(&status["name"]));
    text += &match status.get("problem") {
        None => "ready\n".to_owned(),
        Some(problem) => format!("NOT READY: {}\n", word(problem)),
    };
    // Writing to a string does not fail.
    let started = word(&status["started"]);
    let now = SystemClock.now();
    let up = Time::parse(&started)
        .map(|started| shown_time(Duration::from_millis(u64::try_from(now.0 - started.0).unwrap_or_default())));
    let _ = writeln!(text, "up {} (since {started})", up.as_deref().unwrap_or("?"));
    let _ = writeln!(
        text,
        "{}, {}: {} and {} online",
        counted(&status["connections"], "connection"),
        counted(&status["sessions"], "session"),
        counted(&status["accounts"], "account"),
        counted(&status["guests"], "guest"),
    );
    let _ = writeln!(text, "{}, {} waiting", counted(&status["rooms"], "room"), counted(&status["queue"], "write"));
    let (database, wal) = (shown_bytes(&status["database_bytes"]), shown_bytes(&status["wal_bytes"]));
    let _ = writeln!(text, "database {database}, the log beside it {wal}");
    if status["level"] != "open" {
        let _ = writeln!(text, "closed so far: {}", word(&status["level"]));
    }
    text
}

fn shown_reload(answer: &Value) -> String {
    let list = |key: &str| {
        let keys: Vec<String> = answer[key].as_array().into_iter().flatten().map(word).collect();
        keys.join(", ")
    };
    let (changed, restart) = (list("changed"), list("restart"));
    let mut text = String::new();
    if !changed.is_empty() {
        text += &format!("changed: {changed}\n");
    }
    if !restart.is_empty() {
        text += &format!("only at the next start: {restart}\n");
    }
    if text.is_empty() && answer["problems"].as_array().is_none_or(Vec::is_empty) {
        text += "nothing has changed\n";
    }
    text
}

fn shown_time(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", time.as_secs()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn shown_bytes(bytes: &Value) -> String {
    let bytes = bytes.as_u64().unwrap_or_default();
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
