//! `snakkd user`: looks after the accounts, through the daemon that runs, or else in the data directory that none has open.

use std::io::{self, BufRead, IsTerminal, Read};

use serde_json::{Value, json};
use snakk::protocol::{Refusal, Secret};
use snakk::server::{AccountLine, Missing, Offline};

use crate::args::{Args, UserVerb};
use crate::control::Control;
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
    if let Some(control) = Control::find(&found.config, &data_dir)? {
        return over(control, verb, password);
    }
    // An account may be the first thing that there is; the others are about what there is.
    let missing = if matches!(verb, UserVerb::Add { .. }) { Missing::Make } else { Missing::Refuse };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(exit::FAILURE, format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let data = Offline::open(&found.config, &data_dir, missing).await?;
        let done = act(&data, verb, password).await;
        let closed = data.close().await;
        let said = verbs::say(&done?);
        closed.map_err(|error| Failure::new(exit::FAILURE, format!("the database was not closed cleanly: {error}")))?;
        said
    })
}

/// Does it through the daemon.
fn over(mut control: Control, verb: &UserVerb, password: Option<Secret>) -> Result<(), Failure> {
    let password = password.map(|password| password.0).unwrap_or_default();
    let request = match verb {
        UserVerb::Add { name, .. } => json!({"request": "add_account", "username": name, "password": password}),
        UserVerb::Passwd { name, revoke_tokens, .. } => {
            let request = "set_password";
            json!({"request": request, "username": name, "password": password, "revoke_tokens": revoke_tokens})
        }
        UserVerb::Role { name, role, .. } => {
            json!({"request": "server_role", "username": name, "role": role.as_str()})
        }
        UserVerb::Delete { name, .. } => json!({"request": "delete_account", "username": name}),
        UserVerb::List { json } => {
            let accounts = control.list("accounts", "accounts", "username")?;
            let shown = |account: &Value| {
                let text = |key: &str| account[key].as_str().unwrap_or_default().to_owned();
                let seen = account["last_seen"].as_str().map(str::to_owned);
                line(&text("username"), &text("role"), seen, *json)
            };
            return verbs::say(&accounts.iter().map(shown).collect::<String>());
        }
    };
    control.ask(&request).map_err(|failure| failure.about(named(verb)))?;
    verbs::say(&told(verb))
}

/// Whom it is about.
fn named(verb: &UserVerb) -> &str {
    match verb {
        UserVerb::Add { name, .. }
        | UserVerb::Passwd { name, .. }
        | UserVerb::Role { name, .. }
        | UserVerb::Delete { name, .. } => name,
        UserVerb::List { .. } => "the accounts",
    }
}

/// What is said when it is done: nothing, for people.
fn told(verb: &UserVerb) -> String {
    let (UserVerb::Add { json, .. }
    | UserVerb::Passwd { json, .. }
    | UserVerb::Role { json, .. }
    | UserVerb::Delete { json, .. }
    | UserVerb::List { json }) = verb;
    if *json { format!("{}\n", json!({"username": named(verb), "done": true})) } else { String::new() }
}

/// Does it, and gives what there is to say.
async fn act(data: &Offline, verb: &UserVerb, password: Option<Secret>) -> Result<String, Failure> {
    let password = password.unwrap_or(Secret("".into()));
    let done = match verb {
        UserVerb::Add { name, .. } => data.add_user(name, &password).await,
        UserVerb::Passwd { name, revoke_tokens, .. } => data.set_password(name, &password, *revoke_tokens).await,
        UserVerb::Role { name, role, .. } => data.set_role(name, *role).await,
        UserVerb::Delete { name, .. } => data.delete_user(name).await,
        UserVerb::List { json } => {
            let users = data.users().await.map_err(|refusal| refused(verb, &refusal))?;
            let shown = |user: &AccountLine| {
                let seen = user.seen.map(|seen| seen.to_string());
                line(user.username.as_str(), user.role.as_str(), seen, *json)
            };
            return Ok(users.iter().map(shown).collect());
        }
    };
    done.map(|()| told(verb)).map_err(|refusal| refused(verb, &refusal))
}

fn refused(verb: &UserVerb, refusal: &Refusal) -> Failure {
    Failure::new(exit::FAILURE, refusal.code.sentence()).about(named(verb))
}

fn line(name: &str, role: &str, seen: Option<String>, json: bool) -> String {
    if json {
        format!("{}\n", json!({"username": name, "role": role, "last_seen": seen}))
    } else {
        format!("{name} {role} {}\n", seen.as_deref().unwrap_or("never"))
    }
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
