//! `snakkd user`: looks after the accounts of a data directory that no daemon has open.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Read};

use serde_json::json;
use snakk::protocol::{Refusal, Secret};
use snakk::server::{AccountLine, Missing, Offline};

use crate::args::{Args, UserVerb};
use crate::exit::{self, Failure};
use crate::{paths, verbs};

/// The most bytes of standard input that are read for a password: no good one has so many.
const MOST_PASSWORD_BYTES: u64 = 4096;

/// Does it.
pub(crate) fn run(args: &Args, verb: &UserVerb) -> Result<(), Failure> {
    let found = paths::load(args)?;
    let data_dir = paths::data_dir(args, &found.config)?;
    // What SQLite puts beside the database is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // Asked for before anything is opened: whoever thinks about it keeps no daemon from starting.
    let password = match verb {
        UserVerb::Add { .. } | UserVerb::Passwd { .. } => Some(password()?),
        UserVerb::Role { .. } | UserVerb::List { .. } | UserVerb::Delete { .. } => None,
    };
    // An account may be the first thing that there is; the others are about what there is.
    let missing = if matches!(verb, UserVerb::Add { .. }) { Missing::Make } else { Missing::Refuse };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(exit::FAILURE, format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let data = Offline::open(&found.config, &data_dir, missing).await?;
        let done = act(&data, verb, password).await;
        let closed = data.close().await;
        verbs::say(&done?);
        closed.map_err(|error| Failure::new(exit::FAILURE, format!("the database was not closed cleanly: {error}")))
    })
}

/// Does it, and gives what there is to say.
async fn act(data: &Offline, verb: &UserVerb, password: Option<Secret>) -> Result<String, Failure> {
    let password = password.unwrap_or(Secret("".into()));
    let (name, done) = match verb {
        UserVerb::Add { name } => (name, data.add_user(name, &password).await),
        UserVerb::Passwd { name } => (name, data.set_password(name, &password).await),
        UserVerb::Role { name, role } => (name, data.set_role(name, *role).await),
        UserVerb::Delete { name } => (name, data.delete_user(name).await),
        UserVerb::List { json } => {
            let users = data.users().await.map_err(|refusal| refused("the accounts", &refusal))?;
            return Ok(users.iter().map(|user| line(user, *json)).collect());
        }
    };
    done.map(|()| String::new()).map_err(|refusal| refused(name, &refusal))
}

fn refused(what: &str, refusal: &Refusal) -> Failure {
    // Names are not always what they should be, and may be shown on a terminal.
    Failure::new(exit::FAILURE, format!("{}: {}", what.escape_debug(), refusal.code.sentence()))
}

fn line(user: &AccountLine, json: bool) -> String {
    let (name, role) = (user.username.as_str(), user.role.as_str());
    let seen = user.seen.map(|seen| seen.to_string());
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = if json {
        writeln!(line, "{}", json!({"username": name, "role": role, "last_seen": seen}))
    } else {
        writeln!(line, "{name} {role} {}", seen.as_deref().unwrap_or("never"))
    };
    line
}

/// Asks for the password twice without showing it, or takes the first line of standard input where nobody sits there.
fn password() -> Result<Secret, Failure> {
    let failed = |why: &str| Failure::new(exit::FAILURE, why);
    if io::stdin().is_terminal() {
        let ask = |prompt: &str| {
            rpassword::prompt_password(prompt).map_err(|error| failed(&format!("cannot read a password: {error}")))
        };
        let password = ask("Password: ")?;
        if ask("Again: ")? != password {
            return Err(failed("the two passwords are not the same"));
        }
        return Ok(Secret(password.into()));
    }
    let mut line = String::new();
    let mut input = io::stdin().lock().take(MOST_PASSWORD_BYTES);
    input.read_line(&mut line).map_err(|error| failed(&format!("cannot read a password: {error}")))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(failed("no password: the first line of standard input is empty"));
    }
    Ok(Secret(password.into()))
}
