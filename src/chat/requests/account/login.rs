//! Coming in: as a guest, or to an account, with what proves who somebody is; and going out.

use std::sync::Arc;
use std::time::Instant;

use crate::chat::Chat;
use crate::chat::guest_token::{GuestToken, guest_token};
use crate::chat::online::{GUEST_RETURN, Person, Return};
use crate::chat::requests::account::identity::by_host;
use crate::chat::requests::account::{Attempt, claim};
use crate::chat::requests::history::MOST_BYTES;
use crate::chat::requests::{Fitting, host, rooms, seen};
use crate::chat::room::Room;
use crate::chat::secret;
use crate::chat::session::{Origin, Session, UsedToken, unavailable};
use crate::model::{Anchor, Level, RoomName, RoomRole, Seq, ServerRole, User, UserId, Username};
use crate::protocol::response::{Entered, LoggedIn, Membership};
use crate::protocol::{Answer, Code, Credential, Kind, Refusal, Response, Secret, TOKEN_PREFIX};
use crate::store::{Account, Change, Hash, Most, StoredToken, Unread};

/// How an account proved who it is.
pub(super) enum Proof {
    /// With the password of that hash.
    Password(Box<str>),
    /// With a token, or a certificate.
    Token(Hash, StoredToken),
    /// The program that the chat lives in says so.
    Host,
}

/// Logs in: to an account, or as a guest.
pub(in crate::chat::requests) async fn login(session: &Arc<Session>, username: &str, credential: Credential) -> Answer {
    let name = newcomer(session, username)?;
    let (password, token) = match &credential {
        Credential::Password(password) => (Some(password), None),
        Credential::Token(token) => (None, Some(token)),
        Credential::Certificate | Credential::None => (None, None),
    };
    if let Some(logged_in) = by_host(session, &name, password, token).await? {
        return Ok(Response::LoggedIn(Box::new(logged_in)));
    }
    match credential {
        Credential::Password(password) => with_password(session, &name, &password).await,
        Credential::Token(token) if token.0.starts_with(TOKEN_PREFIX) => with_token(session, &name, &token).await,
        Credential::Token(token) => as_returning_guest(session, name, &token).await,
        Credential::Certificate => with_certificate(session, &name).await,
        Credential::None => as_guest(session, name).await,
    }
    .map(|logged_in| Response::LoggedIn(Box::new(logged_in)))
}

/// A course dialect's login: logs in, joins the course room, and starts the backlog.
pub(in crate::chat::requests) async fn enter(
    session: &Arc<Session>,
    username: &str,
    password: Option<Secret>,
    room: &RoomName,
    backlog: u32,
    as_list: bool,
) -> Answer {
    let chat = &session.chat;
    let name = newcomer(session, username)?;
    match (by_host(session, &name, password.as_ref(), None).await?, password) {
        (Some(logged_in), _) => logged_in,
        (None, Some(password)) => with_password(session, &name, &password).await?,
        // These dialects have no word for a certificate: whoever shows one that the account knows means it.
        (None, None) => match known_certificate(session, &name).await? {
            Some((hash, token, account)) => as_account(session, account, Proof::Token(hash, token)).await?,
            None => as_guest(session, name).await?,
        },
    };
    let person = session.person().ok_or(Code::Internal)?;
    let entered = async {
        let room = seen(chat, &person, room)?;
        room.ledger().state.may_enter(person.asks(chat.clock.now()))?;
        host::authorize_room(session, &person, Kind::Join, &room.name_for(person.user.id)).await?;
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
pub(in crate::chat::requests) fn logout(session: &Arc<Session>) -> Answer {
    let person = session.leave().ok_or(Code::NotLoggedIn)?;
    session.unfollow_all();
    Ok(Response::LoggedOut { username: person.user.name.shared() })
}

/// The name under which somebody wants to come in.
pub(super) fn newcomer(session: &Session, username: &str) -> Result<Username, Refusal> {
    if session.person().is_some() {
        return Err(Code::AlreadyLoggedIn.into());
    }
    // Before anything that costs work.
    admits_address(session)?;
    Username::parse(username, session.chat.options().names).map_err(|_| Refusal::from(Code::BadName).about("username"))
}

/// Whether the address that a session comes from may come in.
fn admits_address(session: &Session) -> Result<(), Refusal> {
    match session.origin {
        Origin::Address(address) => session.chat.standing.admits_address(address, session.chat.clock.now()),
        Origin::Local | Origin::Host | Origin::Control => Ok(()),
    }
}

/// Whether a guest, or a new account, may come in under a name now.
fn admits_guest(session: &Session, skeleton: &str, look: &str) -> Result<(), Refusal> {
    let chat = &session.chat;
    if session.origin != Origin::Host && (!chat.options().guests || chat.standing.level() >= Level::NoGuests) {
        return Err(Code::Forbidden.into());
    }
    let now = chat.clock.now();
    chat.standing.admits_name(skeleton, now).and_then(|()| chat.standing.admits_name(look, now))
}

/// Whoever has come online is logged in, unless the server was closed meanwhile, or this one kept out: who decides that
/// looks for sessions after saying so, and this is asked when the session can be found.
///
/// # Errors
/// Why it is out again.
pub(super) fn come_in(session: &Arc<Session>, person: &Arc<Person>) -> Result<(), Refusal> {
    let chat = &session.chat;
    let admitted = admits_address(session).and_then(|()| match person.role() {
        _ if person.user.is_guest() => admits_guest(session, &person.skeleton, person.look()),
        _ if chat.standing.is_closing(person.user.id) => Err(Code::BadCredentials.into()),
        // Or an admin who likes to look like somebody could be kept out by another's name.
        ServerRole::Admin => Ok(()),
        ServerRole::User => chat.standing.admits_name(&person.skeleton, chat.clock.now()),
    });
    if let Err(refusal) = admitted {
        chat.depart(person, session);
        return Err(refusal);
    }
    if chat.online.has_ended() {
        // The name was a guest's, whose conversations are over.
        chat.upkeep.notify_one();
    }
    session.set_person(person)?;
    chat.online.arrive(person, &chat.feed);
    Ok(())
}

async fn as_guest(session: &Arc<Session>, name: Username) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    admits_guest(session, &name.skeleton(), &name.look())?;
    let claim = claim(chat, &name).await?;
    let GuestToken { token, id } = guest_token(chat, &name)?;
    let person = claim.enter(User { id, name, role: ServerRole::User }, session, session.floods());
    come_in(session, &person)?;
    Ok(logged_in(chat, &person, Some(token), Vec::new()))
}

async fn with_password(session: &Arc<Session>, name: &Username, password: &Secret) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    let attempt = Attempt::take(session, name)?;
    let account = chat.store.account(name.folded()).await.map_err(|error| unavailable(&error))?;
    // What is left of a deleted one has no password, and is as much work as nobody.
    let account = account.filter(|account| !account.deleted);
    let hash = account.as_ref().map(|account| &*account.password_hash);
    let fits = chat.passwords.verify(password, hash).await?;
    let Some(account) = account.filter(|_| fits) else {
        return Err(attempt.failed(Code::BadCredentials));
    };
    attempt.succeeded();
    let hash = account.password_hash.clone();
    as_account(session, account, Proof::Password(hash)).await
}

/// An account shows one of its tokens.
async fn with_token(session: &Arc<Session>, name: &Username, token: &Secret) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    let attempt = Attempt::take(session, name)?;
    let hash = secret::hash(&token.0);
    let Some((token, account)) = good_token(chat, hash, name).await? else {
        return Err(attempt.failed(Code::BadCredentials));
    };
    attempt.succeeded();
    as_account(session, account, Proof::Token(hash, token)).await
}

/// An account that knows the certificate which the connection has shown.
async fn with_certificate(session: &Arc<Session>, name: &Username) -> Result<LoggedIn, Refusal> {
    let attempt = Attempt::take(session, name)?;
    let Some((hash, token, account)) = known_certificate(session, name).await? else {
        return Err(attempt.failed(Code::BadCredentials));
    };
    attempt.succeeded();
    as_account(session, account, Proof::Token(hash, token)).await
}

/// The certificate that the connection has shown, if the account of that name knows it; it is used now.
async fn known_certificate(
    session: &Session,
    name: &Username,
) -> Result<Option<(Hash, StoredToken, Account)>, Refusal> {
    let chat = &session.chat;
    let Some(certificate) = session.certificate() else { return Ok(None) };
    let account = chat.store.account(name.folded()).await.map_err(|error| unavailable(&error))?;
    // Of an account that there is not as much is asked as of one that there is.
    let hash = secret::hash_of(&certificate, account.map_or(UserId(0), |account| account.id));
    Ok(good_token(chat, hash, name).await?.map(|(token, account)| (hash, token, account)))
}

/// The token or certificate of that hash, if one can log in with it under that name; it is used now.
async fn good_token(chat: &Chat, hash: Hash, name: &Username) -> Result<Option<(StoredToken, Account)>, Refusal> {
    let found = chat.store.token(hash).await.map_err(|error| unavailable(&error))?;
    let now = chat.clock.now();
    let good =
        |(token, account): &(StoredToken, Account)| account.name == *name && !account.deleted && token.is_good(now);
    let found = found.filter(good);
    if let Some((token, _)) = &found {
        chat.note(Change::UseToken { id: token.id, time: now });
    }
    Ok(found)
}

/// What the account is now that proved itself a moment ago, if what proved it still does.
async fn proved(chat: &Chat, account: &Account, proof: &Proof) -> Result<Option<Account>, Refusal> {
    let now = match proof {
        Proof::Password(hash) => {
            let now = chat.store.user(account.id).await.map_err(|error| unavailable(&error))?;
            now.filter(|now| now.password_hash == *hash)
        }
        // A certificate may have been revoked and added again, which makes it another one.
        Proof::Token(hash, token) => {
            let now = chat.store.token(*hash).await.map_err(|error| unavailable(&error))?;
            now.filter(|(now, _)| now.id == token.id).map(|(_, now)| now).filter(|now| now.id == account.id)
        }
        Proof::Host => chat.store.user(account.id).await.map_err(|error| unavailable(&error))?,
    };
    Ok(now.filter(|now| !now.deleted))
}

/// An account has proved who it is.
pub(super) async fn as_account(session: &Arc<Session>, account: Account, proof: Proof) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    if account.role != ServerRole::Admin {
        chat.standing.admits_name(&account.name.skeleton(), chat.clock.now())?;
    }
    let blocked = chat.standing.blocked_by(account.id).into_iter().map(|blocked| blocked.user).collect();
    let memberships = chat.store.memberships(account.id, blocked).await.map_err(|error| unavailable(&error))?;
    let user = User { id: account.id, name: account.name.clone(), role: account.role };
    let skeleton = user.name.skeleton();
    let person = chat.online.enter(user, skeleton, session, chat.options().limits.max_sessions_per_user)?;
    // Whoever takes back what proves it, or the role, does so first and looks for sessions then.
    let now = match proved(chat, &account, &proof).await {
        Ok(Some(now)) => now,
        Ok(None) => {
            chat.depart(&person, session);
            return Err(Code::BadCredentials.into());
        }
        Err(refusal) => {
            chat.depart(&person, session);
            return Err(refusal);
        }
    };
    if now.role != account.role {
        person.set_role(now.role);
    }
    come_in(session, &person)?;
    if let Proof::Token(hash, StoredToken { id, label, .. }) = proof {
        session.set_token(UsedToken { id, label });
        // Whoever revoked it a moment ago has looked for sessions that came in with it before this was one of them.
        let now = chat.store.token(hash).await.map_err(|error| unavailable(&error))?;
        if now.is_none_or(|(now, _)| now.id != id) {
            session.leave();
            return Err(Code::BadCredentials.into());
        }
    }
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
async fn as_returning_guest(session: &Arc<Session>, name: Username, token: &Secret) -> Result<LoggedIn, Refusal> {
    let chat = &session.chat;
    let skeleton = name.skeleton();
    let attempt = Attempt::take(session, &name)?;
    let Some(GuestToken { token, id }) = GuestToken::of(chat, &name, &token.0) else {
        return Err(attempt.failed(Code::BadCredentials));
    };
    attempt.succeeded();
    admits_guest(session, &skeleton, &name.look())?;
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
            let claim = claim(chat, &name).await?;
            let person = claim.enter(User { id, name, role: ServerRole::User }, session, session.floods());
            // Its conversations have waited for it.
            for room in chat.rooms.direct_of(id) {
                person.add_room(&room, Seq::ZERO);
                rooms::come_back(chat, &person, &room);
            }
            person
        }
        Return::Taken => return Err(Code::NameTaken.into()),
        Return::TooLate | Return::Unknown => return Err(Code::BadCredentials.into()),
    };
    come_in(session, &person)?;
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

/// What is answered to somebody who has come in.
pub(super) fn logged_in(chat: &Chat, person: &Person, token: Option<Box<str>>, mut rooms: Vec<Membership>) -> LoggedIn {
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
