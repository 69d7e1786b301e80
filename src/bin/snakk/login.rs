//! Who we are: the name, the password, and how both come to a session.

use snakk::Client;
use snakk::client::{Builder, CertificateFiles, ClientError, Draft, Trust};
use snakk::model::Username;
use snakk::protocol::{Code, is_token};

use crate::failure::Failure;
use crate::password::{ask, can_ask};
use crate::setup::Connection;
use crate::show::{note, plain};
use crate::trust::Door;

/// How often another name is tried where a guest finds its own taken.
const ATTEMPTS: usize = 5;

/// Connects and logs in. The session comes back by itself when the connection is lost.
pub(crate) async fn connect(connection: &Connection) -> Result<Client, Failure> {
    enter(connection).await.map(|(client, _)| client)
}

/// What it takes to log in once more as the same user, without asking anybody anything.
#[derive(Clone)]
pub(crate) struct Again {
    connection: Connection,
    username: String,
    password: Option<String>,
    trust: Trust,
}

impl Again {
    /// Connects and logs in.
    pub(crate) async fn connect(self) -> Result<Client, ClientError> {
        builder(&self.connection, &self.username, self.password.as_deref()).trust(self.trust).connect().await
    }
}

/// Connects and logs in, and says how to do the same again.
pub(crate) async fn enter(connection: &Connection) -> Result<(Client, Again), Failure> {
    let mut door = Door::new(connection)?;
    let password = connection.password.password().await?;
    let (name, chosen) = match &connection.username {
        Some(name) => (name.clone(), true),
        None => (system_name(), false),
    };
    let mut refusal = match attempt(&mut door, connection, &name, password.as_deref()).await? {
        Err(error @ ClientError::LoginRefused { .. }) if password.is_none() => error,
        outcome => return Ok(entered(outcome?, &door, connection, name, password)),
    };
    let password_helps = match refusal.code() {
        Some(Code::BadCredentials) if connection.certificate.is_some() => Some((
            "the account does not know this certificate, or there is none of that name",
            "snakk token certificate, with the password, makes it known",
        )),
        Some(Code::NameTaken) if chosen => Some((
            "the name is taken",
            "if it is your account, give its password with --password-file; that of the settings counts for their \
             server and name only",
        )),
        _ => None,
    };
    if let Some((what, hint)) = password_helps {
        if !can_ask() {
            return Err(Failure::new(Failure::LOGIN, format!("{what}: {hint}")));
        }
        note(what);
        let password = ask(&format!("Password of {}: ", plain(&name)))?;
        let client = attempt(&mut door, connection, &name, Some(&password)).await??;
        return Ok(entered(client, &door, connection, name, Some(password)));
    }
    if !chosen && matches!(refusal.code(), Some(Code::NameTaken | Code::BadName)) {
        for _ in 0..ATTEMPTS {
            let name = suffixed(&name)?;
            match attempt(&mut door, connection, &name, None).await? {
                Err(error @ ClientError::LoginRefused { code: Code::NameTaken, .. }) => refusal = error,
                outcome => return Ok(entered(outcome?, &door, connection, name, None)),
            }
        }
    }
    Err(refusal.into())
}

fn entered(
    client: Client,
    door: &Door<'_>,
    connection: &Connection,
    username: String,
    password: Option<String>,
) -> (Client, Again) {
    (client, Again { connection: connection.clone(), username, password, trust: door.trust() })
}

fn builder(connection: &Connection, username: &str, password: Option<&str>) -> Builder {
    let builder = to(connection).username(username).reconnect(true);
    match password {
        Some(token) if is_token(token) => builder.token(token),
        Some(password) => builder.password(password),
        None => builder,
    }
}

/// To that server, as nobody yet.
fn to(connection: &Connection) -> Builder {
    let builder = Client::builder(&connection.server).timeout(connection.timeout);
    match &connection.certificate {
        Some(CertificateFiles { certificate, key }) => builder.certificate(certificate, key),
        None => builder,
    }
}

async fn attempt(
    door: &mut Door<'_>,
    connection: &Connection,
    name: &str,
    password: Option<&str>,
) -> Result<Result<Client, ClientError>, Failure> {
    door.open(|| builder(connection, name, password)).await
}

/// Ends a session: a guest's name is free at once, and nobody waits for us.
pub(crate) async fn leave(client: Client) {
    // What was asked for is done; that the farewell was not heard changes nothing.
    let _ = client.logout().await;
    client.close().await;
}

/// `snakk register`: makes an account.
pub(crate) async fn register(connection: &Connection, invite: Option<&str>) -> Result<(), Failure> {
    let name = connection.username.clone().unwrap_or_else(system_name);
    let mut door = Door::new(connection)?;
    let password = match connection.password.password().await? {
        Some(password) => password,
        None if can_ask() => {
            let password = ask(&format!("New password of {}: ", plain(&name)))?;
            if ask("The same again: ")? != password {
                return Err(Failure::new(Failure::USAGE, "the two passwords differ"));
            }
            password
        }
        None => return Err(Failure::new(Failure::USAGE, "a password is needed: --password-file FILE")),
    };
    let client = door.open(|| to(connection).reconnect(false)).await??;
    let account = client.register(&name, &password, invite).await.map_err(|error| match error {
        // Here the answer is no to what was asked, not to letting somebody in.
        ClientError::LoginRefused { .. } => Failure::new(Failure::REFUSED, plain(&error.to_string())),
        ClientError::Timeout | ClientError::Disconnected => {
            Failure::new(Failure::UNKNOWN, format!("{error}; the account may have been made: try to log in"))
        }
        other => other.into(),
    })?;
    if connection.json {
        crate::show::print_json(account.json.as_str())?;
    } else {
        crate::show::print(&format!("registered {}", plain(&account.username)))?;
    }
    leave(client).await;
    Ok(())
}

/// The operating system's name for us, reduced to what a name may be.
pub(crate) fn system_name() -> String {
    let name = ["USER", "LOGNAME"].iter().find_map(|key| std::env::var(key).ok()).unwrap_or_default();
    reduced(&name)
}

fn reduced(name: &str) -> String {
    let good: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
    let good = good.trim_start_matches(['_', '-']);
    let good = good.get(..good.len().min(Username::MAX_CHARS)).unwrap_or_default();
    if good.is_empty() { "guest".to_owned() } else { good.to_owned() }
}

/// The name with something random behind it.
fn suffixed(name: &str) -> Result<String, Failure> {
    let random = Draft::random_nonce()?;
    let suffix = random.get(..4).unwrap_or_default();
    let room = Username::MAX_CHARS - suffix.len() - 1;
    Ok(format!("{}-{suffix}", name.get(..name.len().min(room)).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_name_is_reduced_to_what_is_allowed() {
        for (name, reduced_name) in [
            ("bob", "bob"),
            ("Bob.Smith@x", "BobSmithx"),
            ("_www", "www"),
            ("", "guest"),
            ("åø", "guest"),
            ("--", "guest"),
        ] {
            assert_eq!(reduced(name), reduced_name);
        }
        assert_eq!(reduced(&"x".repeat(99)).len(), 32);
        assert_eq!(suffixed(&"x".repeat(32)).unwrap().len(), 32);
        assert!(suffixed("bob").unwrap().starts_with("bob-"));
    }
}
