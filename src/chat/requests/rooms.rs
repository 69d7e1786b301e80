//! Rooms and who is in them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::chat::Chat;
use crate::chat::flood::Rate;
use crate::chat::follow::MOST_FOLLOWED;
use crate::chat::limits::Creation;
use crate::chat::online::{Person, Status};
use crate::chat::requests::{Fitting, MOST_LINES, bad_text, direct, host, moderate, seen, seen_room};
use crate::chat::room::{self, Room, State};
use crate::chat::session::{Session, Waiter, unavailable};
use crate::model::name::fold;
use crate::model::{Body, Entry, Level, Line, MemberChange, RoomKind, RoomName, Seq, ServerRole, User, Username};
use crate::protocol::request::{Since, Start};
use crate::protocol::response::{Joined, NameLine, Resumed, RoomLine};
use crate::protocol::{Answer, Code, Kind, Refusal, Response};
use crate::store::{Created, NewRoom, Outcome};

/// The rooms that a user may see.
pub(super) fn list(chat: &Chat, person: &Person, after: Option<&str>) -> Response {
    let rooms = chat.rooms.behind(after.unwrap_or_default());
    let asker = person.asks(chat.clock.now());
    let mut seen = rooms.into_iter().filter(|room| room.ledger().state.sees(asker));
    let line = |room: &Arc<Room>| {
        let ledger = room.ledger();
        let state = &ledger.state;
        RoomLine {
            room: room.name(),
            kind: state.settings.kind,
            topic: state.settings.topic.as_str().into(),
            members: state.members(),
            online: state.online(),
            head: room.told_head(),
            joined: state.role(person.user.id).is_some(),
        }
    };
    let (mut rooms, mut more) = (Vec::new(), false);
    let mut lines = Fitting::default();
    for room in &mut seen {
        let line = line(&room);
        if !lines.take(line.topic.len()) {
            more = true;
            break;
        }
        rooms.push(line);
    }
    Response::Rooms { rooms, more }
}

/// Makes a room. An account owns it; a guest's room has no owner, and stays.
pub(super) async fn create(
    session: &Arc<Session>,
    person: &Arc<Person>,
    name: &RoomName,
    kind: RoomKind,
    topic: &str,
) -> Answer {
    let (chat, user) = (&session.chat, &person.user);
    let may_create = chat.options().creation == Creation::Users || person.role() == ServerRole::Admin;
    // What only its members know needs an owner who lets them in.
    if !may_create || user.is_guest() && kind != RoomKind::Public {
        return Err(Code::Forbidden.into());
    }
    chat.standing.open_below(Level::MembersOnly, person)?;
    let topic = Line::parse(topic).map_err(|error| bad_text(error).about("topic"))?;
    let Some(_claim) = chat.rooms.claim(name) else { return Err(Code::RoomExists.into()) };
    let limits = &chat.options().limits;
    let owns = |room: &Arc<Room>| room.ledger().state.is_owned_by(user.id);
    if limits.rooms_per_user > 0
        && chat.rooms.behind("").iter().filter(|room| owns(room)).count() >= limits.rooms_per_user as usize
    {
        return Err(Code::Forbidden.into());
    }
    let rate = Rate::per_hour(limits.room_creations_per_hour);
    person.floods().creations.take(rate, Instant::now()).map_err(Refusal::rate_limited)?;
    let owner = (!user.is_guest()).then_some(user.id);
    let new = NewRoom { name: name.clone(), topic: topic.as_str().into(), owner, ..chat.new_room(kind) };
    match chat.create(new).await.map_err(|error| unavailable(&error))? {
        Created::Taken | Created::NotInvited => Err(Code::RoomExists.into()),
        Created::New(room) => {
            if user.is_guest() {
                add_guest(session, person, &room);
            } else {
                person.add_room(&room, Seq::ZERO);
                // The owner may have gone meanwhile.
                chat.refresh_presence(&room, person);
            }
            Ok(Response::Created { room: room.name(), head: room.head() })
        }
    }
}

/// Makes a user a member, and starts the room's events on this session.
pub(super) async fn join(session: &Arc<Session>, person: &Arc<Person>, room: &RoomName, start: Start) -> Answer {
    let chat = &session.chat;
    let room = seen(chat, person, room)?;
    room.ledger().state.may_enter(person.asks(chat.clock.now()))?;
    if !session.may_follow(&room) {
        return Err(Code::Forbidden.into());
    }
    if !room.is_direct() {
        become_member(session, person, &room).await?;
    }
    follow(session, person, &room, &start).map(|joined| Response::Joined(Box::new(joined)))
}

/// Follows rooms again, each from behind the entry that was seen last.
pub(super) async fn resume(session: &Arc<Session>, person: &Arc<Person>, rooms: Vec<(RoomName, Since)>) -> Answer {
    if rooms.len() > MOST_FOLLOWED {
        return Err(Refusal::bad_request("rooms"));
    }
    let chat = &session.chat;
    let asked: HashSet<RoomName> = rooms.iter().map(|(room, _)| room.clone()).collect();
    let resume_one = async |name: &RoomName, since: Since| {
        let room = renamed(person, &asked, &since).map_or_else(|| seen(chat, person, name), Ok)?;
        room.settled(person.user.id).await;
        room.ledger().state.may_enter(person.asks(chat.clock.now()))?;
        host::authorize_room(session, person, Kind::Resume, &room.name_for(person.user.id)).await?;
        if room.ledger().state.role(person.user.id).is_none() {
            if !person.user.is_guest() {
                return Err(Code::NotAMember.into());
            }
            chat.standing.open_below(Level::MembersOnly, person)?;
            add_guest(session, person, &room);
        }
        follow(session, person, &room, &Start::Since(since)).map(Box::new)
    };
    let mut resumed = Vec::with_capacity(rooms.len());
    for (room, since) in rooms {
        let outcome = resume_one(&room, since).await;
        resumed.push(Resumed { room, outcome });
    }
    Ok(Response::Resumed(resumed))
}

/// The room of this user that its client means by an epoch, where it has another name by now than any that was asked for.
fn renamed(person: &Person, asked: &HashSet<RoomName>, since: &Since) -> Option<Arc<Room>> {
    let epoch = since.epoch.as_ref()?;
    let mut rooms = person.rooms().into_iter();
    rooms.find(|room| room.epoch.0 == *epoch && !asked.contains(&room.name_for(person.user.id)))
}

/// Stops a room's events on this session.
pub(super) fn unfollow(session: &Arc<Session>, person: &Person, room: &RoomName) -> Answer {
    let room = seen(&session.chat, person, room)?;
    room.ledger().state.may_enter(person.asks(session.chat.clock.now()))?;
    session.stop_following(&room);
    Ok(Response::Unfollowed { room: room.name_for(person.user.id) })
}

/// Ends a membership.
pub(super) async fn leave(session: &Arc<Session>, person: &Arc<Person>, room: &RoomName) -> Answer {
    let room = seen(&session.chat, person, room)?;
    room.ledger().state.may_enter(person.asks(session.chat.clock.now()))?;
    if room.is_direct() {
        return direct::close(session, person, &room).await;
    }
    let user = &person.user;
    if user.is_guest() {
        if !room.ledger().state.remove_guest(user.id) {
            return Err(Code::NotAMember.into());
        }
        session.stop_following(&room);
        person.remove_room(room.id);
        session.chat.tell_parting(&room, person);
    } else {
        room.ledger().state.role(user.id).ok_or(Code::NotAMember)?;
        session.hold_to_leave(&room);
        part(&session.chat, user, &room).await?;
    }
    Ok(Response::Left { room: room.name() })
}

/// Ends an account's membership. Where it was the last owner, somebody else is owner first.
pub(super) async fn part(chat: &Chat, user: &User, room: &Arc<Room>) -> Result<Seq, Refusal> {
    let is_member = |state: &State| state.role(user.id).map(|_| ()).ok_or(Refusal::new(Code::NotAMember));
    let body = Body::Member {
        user: user.name.shared(),
        user_id: user.id,
        change: MemberChange::Leave,
        role: None,
        reason: None,
        until: None,
    };
    moderate::post_with_heir(chat, user, room, user.id, &body, None, is_member).await
}

/// The members of a room, sorted by name.
pub(super) async fn names(chat: &Chat, person: &Person, room: &RoomName, after: Option<&str>) -> Answer {
    let room = seen_room(chat, person, room)?;
    room.ledger().state.may_list(person.asks(chat.clock.now()))?;
    let after = fold(after.unwrap_or_default());
    let accounts = chat.store.members(room.id, &after, MOST_LINES + 1).await.map_err(|error| unavailable(&error))?;
    let ledger = room.ledger();
    let state = &ledger.state;
    let mut lines: Vec<(String, NameLine)> = Vec::with_capacity(accounts.len());
    for member in accounts {
        let online = state.is_online(member.user);
        let line = NameLine {
            name: member.name.shared(),
            role: member.role.as_str(),
            online,
            guest: false,
            away: false,
            text: None,
            last_seen: member.seen.filter(|_| !online),
        };
        lines.push((member.name.folded().to_owned(), line));
    }
    for (_, name, role) in state.guests() {
        let folded = fold(name);
        if *folded > *after {
            let (name, role) = (Arc::clone(name), role.as_str());
            let line = NameLine { name, role, online: true, guest: true, away: false, text: None, last_seen: None };
            lines.push((folded, line));
        }
    }
    drop(ledger);
    lines.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut response = page(lines.into_iter().map(|(_, line)| line).collect(), Some(room.name()));
    if let Response::Names { names, .. } = &mut response {
        for line in names.iter_mut().filter(|line| line.online) {
            let name = Username::trusted(&line.name, &fold(&line.name));
            if let Some(person) = chat.online.named(&name) {
                let Status { away, text } = person.status();
                (line.away, line.text) = (away, text);
            }
        }
    }
    Ok(response)
}

/// Everybody who is online, sorted by name.
pub(super) fn everybody(chat: &Chat, after: Option<&str>) -> Response {
    let after = fold(after.unwrap_or_default());
    let mut people = chat.online.everybody();
    people.retain(|person| *person.user.name.folded() > *after);
    people.sort_by(|a, b| a.user.name.folded().cmp(b.user.name.folded()));
    let line = |person: &Arc<Person>| {
        let Status { away, text } = person.status();
        NameLine {
            name: person.user.name.shared(),
            role: person.role().as_str(),
            online: true,
            guest: person.user.is_guest(),
            away,
            text,
            last_seen: None,
        }
    };
    page(people.iter().take(MOST_LINES + 1).map(line).collect(), None)
}

fn page(mut names: Vec<NameLine>, room: Option<RoomName>) -> Response {
    let count = names.len();
    let mut lines = Fitting::default();
    let fit =
        names.iter().take_while(|line| lines.take(line.text.as_ref().map_or(0, |text| text.as_str().len()))).count();
    names.truncate(fit);
    Response::Names { room, names, more: fit < count }
}

/// Makes a user a member of a room that it can see and enter, unless it is one.
pub(super) async fn become_member(
    session: &Arc<Session>,
    person: &Arc<Person>,
    room: &Arc<Room>,
) -> Result<(), Refusal> {
    let (chat, user) = (&session.chat, &person.user);
    // What another session of the same user has begun is awaited, or what somebody has begun to do to it: what is answered
    // was committed.
    room.settled(user.id).await;
    if room.ledger().state.role(user.id).is_some() {
        return Ok(());
    }
    chat.standing.open_below(Level::MembersOnly, person)?;
    if user.is_guest() {
        add_guest(session, person, room);
        return Ok(());
    }
    let mut is_member = false;
    let may_join = |state: &State| {
        is_member = state.role(user.id).is_some();
        // Where another session of the same user was quicker, nothing is posted, and what is told is not this.
        if is_member {
            return Err(Code::Internal.into());
        }
        let asker = person.asks(chat.clock.now());
        if !state.sees(asker) {
            return Err(Code::NoSuchRoom.into());
        }
        state.may_enter(asker).map(|()| false)
    };
    let role = room.ledger().state.role_on_entry(user.id);
    let body = Body::Member {
        user: user.name.shared(),
        user_id: user.id,
        change: MemberChange::Join,
        role: Some(role),
        reason: None,
        until: None,
    };
    let draft = |origin| room::Draft { online: true, ..room::Draft::new(user, chat.clock.now(), body, origin) };
    match posted(session, room, draft, may_join).await {
        Ok(entry) => person.add_room(room, entry.seq),
        Err(_) if is_member => room.settled(user.id).await,
        Err(refusal) => {
            // What was taken back may have been of a time when the user was online, or was not.
            chat.refresh_presence(room, person);
            return Err(refusal);
        }
    }
    chat.refresh_presence(room, person);
    Ok(())
}

/// A guest's membership is no entry: it ends with the connection.
fn add_guest(session: &Session, person: &Arc<Person>, room: &Arc<Room>) {
    // First, so that a departure that begins now finds the room.
    let head = room.head();
    person.add_room(room, head);
    let mut ledger = room.ledger();
    let added = session.is_of(person)
        && ledger.state.may_enter(person.asks(session.chat.clock.now())).is_ok()
        && ledger.state.add_guest(person.user.id, person.user.name.shared(), head.next());
    drop(ledger);
    if added {
        session.chat.tell_presence(room, person, true);
    }
}

/// A guest is back in a room that it was in before it went.
pub(super) fn come_back(chat: &Chat, person: &Person, room: &Arc<Room>) {
    let mut ledger = room.ledger();
    let (id, name) = (person.user.id, person.user.name.shared());
    let back = if room.is_direct() {
        ledger.state.set_online(id, true)
    } else {
        ledger.state.may_enter(person.asks(chat.clock.now())).is_ok()
            && ledger.state.add_guest(id, name, person.joined(room.id))
    };
    let gone = ledger.state.gone;
    drop(ledger);
    if back {
        chat.tell_presence(room, person, true);
    } else if gone {
        person.remove_room(room.id);
    }
}

/// Puts an entry into a room's log, and waits for its commit.
///
/// # Errors
/// Why it may not be, or that nothing can be stored.
pub(super) async fn posted<'a>(
    session: &Session,
    room: &Room,
    draft: impl FnOnce(crate::store::Origin) -> room::Draft<'a>,
    check: impl FnOnce(&State) -> Result<bool, Refusal>,
) -> Result<Entry, Refusal> {
    let queue = session.chat.store.queue();
    let place = queue.reserve(0).await.map_err(|error| unavailable(&error))?;
    let (caller, outcome) = oneshot::channel();
    room.post(queue, place, draft(Box::new(Waiter::Call(caller))), check)?;
    committed(outcome).await
}

/// Waits until an entry is committed.
pub(super) async fn committed(outcome: oneshot::Receiver<Outcome>) -> Result<Entry, Refusal> {
    match outcome.await {
        Ok(Outcome::Appended(entry)) => Ok(entry),
        Ok(Outcome::Failed { error, .. }) => Err(unavailable(&error)),
        // Of entries without nonce and target.
        Ok(Outcome::Duplicate { .. } | Outcome::Unmet(_)) => Err(Code::Internal.into()),
        Err(_) => Err(Code::ShuttingDown.into()),
    }
}

/// Starts a room's events on this session.
fn follow(session: &Arc<Session>, person: &Person, room: &Arc<Room>, start: &Start) -> Result<Joined, Refusal> {
    let user = person.user.id;
    let (kind, topic, first, role) = {
        let ledger = room.ledger();
        let state = &ledger.state;
        let role = state.role(user).filter(|_| !state.gone).ok_or(Code::NotAMember)?;
        (state.settings.kind, state.settings.topic.as_str().into(), state.first_of(user), role)
    };
    let mut reset = false;
    let head = session.follow(room, |head| match start {
        Start::Now => None,
        Start::Since(since) => {
            let other_epoch = since.epoch.as_ref().is_some_and(|epoch| *epoch != room.epoch.0);
            reset = other_epoch || since.seq > head;
            Some(if reset { head } else { since.seq.max(first.before()).min(head) })
        }
        Start::Backlog(count) => Some(Seq(head.0.saturating_sub(*count)).max(first.before()).min(head)),
    })?;
    // Whoever was put out meanwhile was not among the followers yet, and would hear everything.
    let is_out = {
        let ledger = room.ledger();
        ledger.state.gone || ledger.state.role(user).is_none()
    };
    if is_out {
        session.stop_following(room);
        return Err(Code::NotAMember.into());
    }
    let (read, epoch) = (person.read(room.id), room.epoch.clone());
    Ok(Joined { room: room.name_for(user), kind, topic, role, epoch, first, head, read, reset })
}

/// Follows a room from behind an entry, for a course session.
pub(super) fn follow_behind(
    session: &Arc<Session>,
    person: &Person,
    room: &Arc<Room>,
    seq: Seq,
) -> Result<(), Refusal> {
    follow(session, person, room, &Start::Since(Since { seq, epoch: None })).map(|_| ())
}
