//! Keeping somebody out of the server: a user, by name and look-alikes, or a network. What is decided here holds for open
//! sessions at once: it is noted first, and then the sessions are looked for, so that who comes in meanwhile is either
//! found or finds it noted.

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::network::Network;
use crate::chat::online::Person;
use crate::chat::requests::{Fitting, direct, line, moderate, operator, username};
use crate::chat::session::{Farewell, Origin, Session, unavailable};
use crate::chat::standing::{is_network, name_target, network_target};
use crate::model::{ServerRole, Username};
use crate::protocol::response::SuspensionLine;
use crate::protocol::{Answer, Code, Refusal, Response, Whom};
use crate::store::{Change, Suspension};

/// How much may be kept out at once.
const MOST_SUSPENSIONS: usize = 10_000;

/// Who is meant by an admin, checked.
enum Target {
    Name(Username),
    Network(Network),
}

impl Target {
    fn parse(chat: &Chat, whom: &Whom) -> Result<Target, Refusal> {
        match whom {
            Whom::Name(name) => username(chat, name).map(Target::Name),
            Whom::Address(address) => {
                Network::parse(address).map(Target::Network).ok_or_else(|| Refusal::bad_request("address"))
            }
        }
    }

    /// How a suspension names it.
    fn key(&self) -> Box<str> {
        match self {
            Target::Name(name) => name_target(&name.skeleton()),
            Target::Network(network) => network_target(*network),
        }
    }

    /// How people name it.
    fn shown(&self) -> Box<str> {
        match self {
            Target::Name(name) => name.as_str().into(),
            Target::Network(network) => network.to_string().into(),
        }
    }
}

/// Keeps a user or a network out. A name need not be anybody's: then nobody gets it.
pub(super) async fn suspend(
    session: &Arc<Session>,
    person: &Arc<Person>,
    whom: &Whom,
    reason: Option<Box<str>>,
    for_s: Option<u64>,
) -> Answer {
    let chat = &*session.chat;
    let target = Target::parse(chat, whom)?;
    let key = target.key();
    may_suspend(chat, person, &target).await?;
    let now = chat.clock.now();
    if !chat.standing.is_suspended(&key, now) && chat.standing.suspensions(now).len() >= MOST_SUSPENSIONS {
        return Err(Code::Forbidden.into());
    }
    let reason = line(reason, "reason")?.unwrap_or_default();
    let until = for_s.map(|seconds| moderate::after(now, seconds));
    let detail = [until.map(|until| format!("until={until}")), Some(reason.as_str().to_owned())];
    let detail: Vec<String> = detail.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    let act = chat.act(person, "suspend", None, &target.shown(), &detail.join(" "));
    let (shown, by) = (target.shown(), person.user.name.shared());
    let suspension = Suspension { target: key, shown, reason: reason.clone(), until, by, time: now };
    chat.change(Change::Suspend(suspension.clone(), Some(act))).await?;
    chat.standing.suspend(suspension);
    let farewell = Farewell::because("this user or address is kept out of the server").with(&reason);
    match &target {
        Target::Name(name) => {
            if let Some(person) = chat.online.holding(&name.skeleton()).filter(|one| one.role() == ServerRole::User) {
                // Requests under way do nothing more; a guest who comes back when this is over may do things again.
                person.set_barred(true);
                person.open_sessions().iter().for_each(|session| session.expel(&farewell));
            }
        }
        Target::Network(network) => sessions_from(chat, *network).iter().for_each(|session| session.expel(&farewell)),
    }
    Ok(Response::Done)
}

/// Nobody keeps out oneself, and no admin by name: the role has to be taken first.
async fn may_suspend(chat: &Chat, person: &Person, target: &Target) -> Result<(), Refusal> {
    let forbidden = match target {
        Target::Name(name) if *name.skeleton() == *person.skeleton => true,
        Target::Name(name) => {
            let here = chat.online.holding(&name.skeleton());
            let stored = chat.store.account(name.folded()).await.map_err(|error| unavailable(&error))?;
            here.is_some_and(|here| here.role() == ServerRole::Admin)
                || stored.is_some_and(|stored| stored.role == ServerRole::Admin)
        }
        Target::Network(network) => person.open_sessions().iter().any(|session| is_from(session, *network)),
    };
    if forbidden { Err(Code::Forbidden.into()) } else { Ok(()) }
}

/// Lets a user or a network in again.
pub(super) async fn unsuspend(chat: &Chat, person: &Person, whom: &Whom) -> Answer {
    let target = Target::parse(chat, whom)?;
    let key = target.key();
    if !chat.standing.is_suspended(&key, chat.clock.now()) {
        return Err(match target {
            Target::Name(_) => Code::NoSuchUser.into(),
            Target::Network(_) => Refusal::bad_request("address"),
        });
    }
    let act = chat.act(person, "unsuspend", None, &target.shown(), "");
    chat.change(Change::Unsuspend(key.clone(), Some(act))).await?;
    chat.standing.unsuspend(&key);
    Ok(Response::Done)
}

/// Who is kept out.
pub(super) fn list(chat: &Chat) -> Response {
    let line = |suspension: Suspension| {
        let is_network = is_network(&suspension);
        let shown = Some(suspension.shown);
        let (username, address) = if is_network { (None, shown) } else { (shown, None) };
        let Suspension { reason, until, by, time, .. } = suspension;
        SuspensionLine { username, address, reason, until, by, time }
    };
    let mut fitting = Fitting::default();
    let lines = chat.standing.suspensions(chat.clock.now()).into_iter().map(line);
    Response::Suspensions(lines.take_while(|line| fitting.take(line.reason.as_str().len())).collect())
}

/// Ends the sessions of a user or from a network, but not the one that asks. They may come again.
pub(super) async fn disconnect(
    session: &Arc<Session>,
    person: &Arc<Person>,
    whom: &Whom,
    reason: Option<Box<str>>,
) -> Answer {
    let chat = &*session.chat;
    let target = Target::parse(chat, whom)?;
    let mut sessions = match &target {
        Target::Name(name) => match chat.online.named(name) {
            Some(person) => person.open_sessions(),
            None => {
                direct::find_user(chat, name).await?.ok_or(Code::NoSuchUser)?;
                Vec::new()
            }
        },
        Target::Network(network) => sessions_from(chat, *network),
    };
    sessions.retain(|one| !Arc::ptr_eq(one, session));
    let reason = line(reason, "reason")?.unwrap_or_default();
    let farewell = Farewell::because("an admin has ended this session").with(&reason);
    sessions.iter().for_each(|session| session.expel(&farewell));
    operator::note(chat, person, "disconnect", &target.shown(), reason.as_str()).await;
    Ok(Response::Disconnected { sessions: sessions.len() as u64 })
}

/// The sessions from a network in which somebody is logged in; others cannot log in any more.
fn sessions_from(chat: &Chat, network: Network) -> Vec<Arc<Session>> {
    let mut sessions: Vec<Arc<Session>> =
        chat.online.everybody().iter().flat_map(|person| person.open_sessions()).collect();
    sessions.retain(|session| is_from(session, network));
    sessions
}

fn is_from(session: &Session, network: Network) -> bool {
    matches!(session.origin, Origin::Address(address) if network.contains(address))
}
