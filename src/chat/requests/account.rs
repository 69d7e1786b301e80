//! Who somebody is: guests, accounts, and what proves it.

use std::sync::Arc;
use std::time::Instant;

use crate::chat::Chat;
use crate::chat::guest_token::{GuestToken, guest_token};
use crate::chat::limits::Registration;
use crate::chat::online::{GUEST_RETURN, Person, Return};
use crate::chat::password::Passwords;
use crate::chat::requests::history::MOST_BYTES;
use crate::chat::requests::{Fitting, line, rooms, seen};
use crate::chat::room::Room;
use crate::chat::session::{Origin, Session, unavailable};
use crate::chat::throttle;
use crate::model::{Anchor, RoomName, RoomRole, Seq, ServerRole, User, Username};
use crate::protocol::response::{Entered, Hello, HelloLimits, LoggedIn, Membership};
use crate::protocol::{Answer, Code, Credential, Refusal, Request, Response, Secret};
use crate::store::{Account, Created, Most, NewAccount, Unread, Write};

/// The version of the native protocol.
const PROTOCOL: i64 = 1;
/// What this version of the server can do beyond the first.
const FEATURES: &[&str] = &["history", "nonce", "resume", "edit", "react", "search", "direct", "read", "moderation"];

/// Says what the server is.
pub(super) fn hello(session: &Session, protocol: Option<i64>, client: Option<Box<str>>) -> Answer {
    let chat = &session.chat;
    if protocol.is_some_and(|version| version != PROTOCOL) {
        return Err(Refusal::from(Code::UnsupportedProtocol).about("protocol"));
    }
    if let Some(client) = line(client, "client")? {
        session.set_client(client);
    }
    let (options, limits) = (&chat.options, &chat.options.limits);
    Ok(Response::Hello(Box::new(Hello {
        server: concat!("snakkd/", env!("CARGO_PKG_VERSION")).into(),
        name: options.name.clone(),
        motd: options.motd.clone(),
        time: chat.clock.now(),
        features: FEATURES,
        limits: HelloLimits {
            max_frame_bytes: limits.max_frame_bytes,
            max_frame_bytes_before_login: limits.max_frame_bytes_before_login,
            max_text_bytes: limits.max_text_bytes,
            messages_per_second: limits.messages_per_second,
            message_burst: limits.message_burst,
            stall_timeout: limits.stall_timeout,
        },
        guests: options.guests,
        registration: options.registration.as_str(),
    })))
}

/// Says who somebody is.
pub(super) fn whoami(person: &Person) -> Response {
    Response::Whoami {
        username: person.user.name.shared(),
        guest: person.user.is_guest(),
        role: person.role(),
        sessions: u32::try_from(person.sessions()).unwrap_or(u32::MAX),
    }
}

/// Logs in: to an account, or as a guest.
pub(super) async fn login(session: &Arc<Session>, username: &str, credential: Credential) -> Answer {
    let name = newcomer(session, username)?;
    match credential {
        Credential::Password(password) => with_password(session, &name, &password).await,
        Credential::Token(token) => with_token(session, name, &token).await,
        Credential::None => as_guest(session, name).await,
    }
    .map(|logged_in| Response::LoggedIn(Box::new(logged_in)))
}

/// Makes an account, and logs in to it.
pub(super) async fn register(
    session: &Arc<Session>,
    username: &str,
    password: &Secret,
    _invite: Option<Secret>,
) -> Answer {
    let chat = &session.chat;
    let name = newcomer(session, username)?;
    if chat.options.registration != Registration::Open {
        return Err(Code::RegistrationClosed.into());
    }
    let skeleton = name.skeleton();
    let claim = chat.online.claim(skeleton.clone(), Instant::now())?;
    if chat.store.is_taken(&skeleton).await.map_err(|error| unavailable(&error))? {
        return Err(Code::NameTaken.into());
    }
    let password = Passwords::check(password, &name)?;
    if let Some(origin) = session.counted() {
        let per_hour = chat.options.limits.registrations_per_hour;
        chat.registrations.take(origin, per_hour, Instant::now()).map_err(Refusal::rate_limited)?;
    }
    let password_hash = chat.passwords.hash(password).await?;
    let time = chat.clock.now();
    let new = NewAccount { name: name.clone(), skeleton: skeleton.into(), password_hash, invitation: None, time };
    let created = chat.write(0, |done| Write::CreateAccount(new, done)).await.map_err(|error| unavailable(&error))?;
    let Created::New(id) = created else { return Err(Code::NameTaken.into()) };
    let user = User { id, name, role: ServerRole::User };
    let person = claim.enter(user, session, session.floods());
    session.set_person(&person)?;
    Ok(Response::LoggedIn(Box::new(logged_in(chat, &person, None, Vec::new()))))
}

/// A course dialect's login: logs in, joins the course room, and starts the backlog.
pub(super) async fn enter(
    session: &Arc<Session>,
    username: &str,
    password: Option<Secret>,
    room: &RoomName,
    backlog: u32,
    as_list: bool,
) -> Answer {
    let chat = &session.chat;
    let name = newcomer(session, username)?;
    match password {
        Some(password) => with_password(session, &name, &password).await?,
        None => as_guest(session, name).await?,
    };
    let person = session.person().ok_or(Code::Internal)?;
    let entered = async {
        let room = seen(chat, &person, room)?;
        room.ledger().state.may_enter(person.asks(chat.clock.now()))?;
        rooms::become_member(session, &person, &room).await?;
        let head = room.head();
        let first = room.ledger().state.may_read(person.asks(chat.clock.now()))?;
        let most = Most { entries: backlog as usize, bytes: MOST_BYTES };
        let page = match backlog {
            0 => Vec::new(),
            _ => {
                chat.store
                    .messages(room.id, Anchor::Before(head.next()), first, most)
                    .await
                    .map_err(|e| unavailable(&e))?
                    .messages
            }
        };
        // As a list the backlog is in the answer, and events go on behind it; else it comes as events itself.
        let behind = match page.first() {
            Some(oldest) if !as_list => oldest.seq.before(),
            _ => head,
        };
        rooms::follow_behind(session, &person, &room, behind)?;
        Ok(Response::Entered(Box::new(Entered {
            username: person.user.name.shared(),
            backlog: if as_list { page } else { Vec::new() },
        })))
    };
    let answer = entered.await;
    if answer.is_err() {
        // Not half logged in: a course client has no word for that.
        session.leave();
        session.unfollow_all();
    }
    answer
}

/// Logs out. A guest's name is free before the answer.
pub(super) fn logout(session: &Arc<Session>) -> Answer {
    let person = session.leave().ok_or(Code::NotLoggedIn)?;
    session.unfollow_all();
    Ok(Response::LoggedOut { username: person.user.name.shared() })
}

/// The name under which somebody wants to come in.
fn newcomer(session: &Session, username: &str) -> Result<Username, Refusal> {
    if session.person().is_some() {
        return Err(Code::AlreadyLoggedIn.into());
    }
    Username::parse(username, session.chat.options.names).map_err(|_| Refusal::from(Code::BadName).about("username"))
}

async fn as_guest(session: &Arc<Session>, name: Username) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    if !chat.options.guests && session.origin != Origin::Host {
        return Err(Code::Forbidden.into());
    }
    let skeleton = name.skeleton();
    let claim = chat.online.claim(skeleton.clone(), Instant::now())?;
    if chat.store.is_taken(&skeleton).await.map_err(|error| unavailable(&error))? {
        return Err(Code::NameTaken.into());
    }
    let GuestToken { token, id } = guest_token(chat, &name)?;
    let person = claim.enter(User { id, name, role: ServerRole::User }, session, session.floods());
    session.set_person(&person)?;
    Ok(logged_in(chat, &person, Some(token), Vec::new()))
}

async fn with_password(session: &Arc<Session>, name: &Username, password: &Secret) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    let attempt = Attempt::take(session, name)?;
    let account = chat.store.account(name.folded()).await.map_err(|error| unavailable(&error))?;
    let hash = account.as_ref().map(|account| &*account.password_hash);
    let fits = chat.passwords.verify(password, hash).await?;
    let Some(account) = account.filter(|_| fits) else { return Err(attempt.failed()) };
    attempt.succeeded();
    as_account(session, account).await
}

/// An account has proved who it is.
async fn as_account(session: &Arc<Session>, account: Account) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    let blocked = chat.standing.blocked_by(account.id).into_iter().map(|blocked| blocked.user).collect();
    let memberships = chat.store.memberships(account.id, blocked).await.map_err(|error| unavailable(&error))?;
    let user = User { id: account.id, name: account.name, role: account.role };
    let skeleton = user.name.skeleton();
    let person = chat.online.enter(user, skeleton, session, chat.options.limits.max_sessions_per_user)?;
    session.set_person(&person)?;
    let mut lines = Vec::new();
    for membership in memberships {
        let Some(room) = chat.rooms.by_id(membership.room) else { continue };
        person.add_room(&room, membership.read);
        person.note_read(room.id, membership.read);
        chat.refresh_presence(&room, &person);
        let closed = room.is_direct() && room.told_head() <= membership.closed;
        if !closed && room.ledger().state.role(account.id).is_some() {
            lines.push(line_of(&room, &person, membership.role, membership.read, membership.unread));
        }
    }
    Ok(logged_in(chat, &person, None, lines))
}

/// A guest shows the token of its last login, and is the same guest again.
async fn with_token(session: &Arc<Session>, name: Username, token: &Secret) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    let skeleton = name.skeleton();
    let attempt = Attempt::take(session, &name)?;
    let Some(GuestToken { token, id }) = GuestToken::of(chat, &name, &token.0) else { return Err(attempt.failed()) };
    attempt.succeeded();
    let person = match chat.online.come_back(id, &skeleton, session, Instant::now()) {
        Return::Back(person, old) => {
            for session in old {
                // Its connection is dead, or its owner has another one now.
                session.displace();
            }
            for room in person.rooms() {
                rooms::come_back(chat, &person, &room);
            }
            person
        }
        // Of an earlier run of the server, which has forgotten its guests, but not their postings.
        Return::Unknown if chat.is_young(GUEST_RETURN) => {
            let claim = chat.online.claim(skeleton.clone(), Instant::now())?;
            if chat.store.is_taken(&skeleton).await.map_err(|error| unavailable(&error))? {
                return Err(Code::NameTaken.into());
            }
            claim.enter(User { id, name, role: ServerRole::User }, session, session.floods())
        }
        Return::Taken => return Err(Code::NameTaken.into()),
        Return::TooLate | Return::Unknown => return Err(Code::BadCredentials.into()),
    };
    session.set_person(&person)?;
    let mut lines = Vec::new();
    for room in person.rooms() {
        let Some(role) = room.ledger().state.role(id) else { continue };
        let read = person.read(room.id);
        let unread = chat.store.unread(room.id, read, id, chat.standing.not_counted(id)).await;
        lines.push(line_of(&room, &person, role, read, unread.map_err(|error| unavailable(&error))?));
    }
    Ok(logged_in(chat, &person, Some(token), lines))
}

fn line_of(room: &Room, person: &Person, role: RoomRole, read: Seq, unread: Unread) -> Membership {
    let (kind, topic) = {
        let ledger = room.ledger();
        (ledger.state.settings.kind, ledger.state.settings.topic.as_str().into())
    };
    let (room, head) = (room.name_for(person.user.id), room.told_head());
    Membership { room, kind, topic, role, head, read, unread: unread.messages, mentions: unread.mentions }
}

fn logged_in(chat: &Chat, person: &Person, token: Option<Box<str>>, mut rooms: Vec<Membership>) -> LoggedIn {
    let (user, count) = (&person.user, rooms.len());
    rooms.sort_by(|a, b| a.room.cmp(&b.room));
    let mut fitting = Fitting::default();
    rooms = rooms.into_iter().take_while(|line| fitting.take(line.topic.len())).collect();
    LoggedIn {
        username: user.name.shared(),
        guest: user.is_guest(),
        token,
        role: person.role(),
        more: rooms.len() < count,
        rooms,
        blocked: chat.standing.blocked_by(user.id).into_iter().map(|blocked| blocked.name).collect(),
    }
}

/// What somebody does about its own account, and what admins do about others.
pub(super) async fn manage(_session: &Arc<Session>, _person: &Arc<Person>, _request: Request) -> Answer {
    Err(Code::Internal.into())
}

/// An attempt at a password or token, taken before it is looked at. Only failures count: dropping it gives it back.
struct Attempt<'a> {
    chat: &'a Chat,
    name: &'a Username,
    /// None where nobody counts, or not any more.
    origin: Option<throttle::Origin>,
}

impl<'a> Attempt<'a> {
    fn take(session: &'a Session, name: &'a Username) -> Result<Attempt<'a>, Refusal> {
        let (chat, origin) = (&session.chat, session.counted());
        if let Some(origin) = origin {
            let most = chat.options.limits.password_attempts;
            chat.attempts.take(name.folded(), origin, most, Instant::now()).map_err(Refusal::rate_limited)?;
        }
        Ok(Attempt { chat, name, origin })
    }

    fn failed(mut self) -> Refusal {
        self.origin = None;
        Code::BadCredentials.into()
    }

    fn succeeded(self) {
        if let Some(origin) = self.origin {
            self.chat.attempts.forgive(self.name.folded(), origin);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(origin) = self.origin {
            self.chat.attempts.give_back(self.name.folded(), origin);
        }
    }
}
