//! Rooms and who is in them.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::chat::Chat;
use crate::chat::flood::Rate;
use crate::chat::follow::MOST_FOLLOWED;
use crate::chat::limits::Creation;
use crate::chat::online::Person;
use crate::chat::requests::{MOST_LINES, bad_text, seen, within_bounds};
use crate::chat::room::{self, Room};
use crate::chat::session::{Session, Waiter, unavailable};
use crate::model::{Body, Line, MemberChange, RoomKind, RoomName, RoomRole, Seq, ServerRole};
use crate::protocol::request::{Since, Start};
use crate::protocol::response::{Joined, NameLine, Resumed, RoomLine};
use crate::protocol::{Answer, Code, Refusal, Response};
use crate::store::{Created, Outcome};

/// The rooms that a user may see.
pub(super) fn list(chat: &Chat, person: &Person, after: Option<&str>) -> Response {
    let rooms = chat.rooms.behind(after.unwrap_or_default());
    let count = rooms.len();
    let line = |room: Arc<Room>| {
        let ledger = room.ledger();
        let state = &ledger.state;
        RoomLine {
            room: room.name.clone(),
            kind: state.settings.kind,
            topic: state.settings.topic.as_str().into(),
            members: state.members(),
            online: state.online(),
            head: room.told_head(),
            joined: state.role(person.user.id).is_some(),
        }
    };
    let rooms = within_bounds(rooms.into_iter().map(line), |line| line.topic.len());
    Response::Rooms { more: rooms.len() < count, rooms }
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
    if chat.options.creation == Creation::Admins && user.role != ServerRole::Admin {
        return Err(Code::Forbidden.into());
    }
    if chat.rooms.named(name).is_some() {
        return Err(Code::RoomExists.into());
    }
    let topic = Line::parse(topic).map_err(|error| bad_text(error).about("topic"))?;
    let limits = &chat.options.limits;
    let owns = |room: &Arc<Room>| room.ledger().state.role(user.id) == Some(RoomRole::Owner);
    if limits.rooms_per_user > 0
        && person.rooms().iter().filter(|room| owns(room)).count() >= limits.rooms_per_user as usize
    {
        return Err(Code::Forbidden.into());
    }
    let rate = Rate::per_hour(limits.room_creations_per_hour);
    person.floods().creations.take(rate, Instant::now()).map_err(Refusal::rate_limited)?;
    let owner = (!user.is_guest()).then_some(user.id);
    match chat.create(name, kind, topic.as_str(), owner).await.map_err(|error| unavailable(&error))? {
        Created::Taken | Created::NotInvited => Err(Code::RoomExists.into()),
        Created::New(room) => {
            if user.is_guest() {
                add_guest(session, person, &room);
            } else {
                person.add_room(&room, Seq::ZERO);
                // The owner may have gone meanwhile.
                chat.refresh_presence(&room, person);
            }
            Ok(Response::Created { room: room.name.clone(), head: room.head() })
        }
    }
}

/// Makes a user a member, and starts the room's events on this session.
pub(super) async fn join(session: &Arc<Session>, person: &Arc<Person>, room: &RoomName, start: Start) -> Answer {
    let room = seen(&session.chat, room)?;
    if !session.may_follow(&room) {
        return Err(Code::Forbidden.into());
    }
    become_member(session, person, &room).await?;
    follow(session, person, &room, &start).map(|joined| Response::Joined(Box::new(joined)))
}

/// Follows rooms again, each from behind the entry that was seen last.
pub(super) fn resume(session: &Arc<Session>, person: &Arc<Person>, rooms: Vec<(RoomName, Since)>) -> Answer {
    if rooms.len() > MOST_FOLLOWED {
        return Err(Refusal::bad_request("rooms"));
    }
    let resume_one = |room: &RoomName, since: Since| {
        let room = seen(&session.chat, room)?;
        if room.ledger().state.role(person.user.id).is_none() {
            if !person.user.is_guest() {
                return Err(Code::NotAMember.into());
            }
            add_guest(session, person, &room);
        }
        follow(session, person, &room, &Start::Since(since)).map(Box::new)
    };
    let resumed = rooms.into_iter().map(|(room, since)| {
        let outcome = resume_one(&room, since);
        Resumed { room, outcome }
    });
    Ok(Response::Resumed(resumed.collect()))
}

/// Stops a room's events on this session.
pub(super) fn unfollow(session: &Arc<Session>, room: &RoomName) -> Answer {
    let room = seen(&session.chat, room)?;
    session.stop_following(&room);
    Ok(Response::Unfollowed { room: room.name.clone() })
}

/// Ends a membership.
pub(super) async fn leave(session: &Arc<Session>, person: &Arc<Person>, room: &RoomName) -> Answer {
    let room = seen(&session.chat, room)?;
    let user = &person.user;
    if user.is_guest() {
        if !room.ledger().state.remove_guest(user.id) {
            return Err(Code::NotAMember.into());
        }
        session.stop_following(&room);
        session.chat.tell_presence(&room, person, false);
    } else {
        let is_member = |state: &room::State| state.role(user.id).map(|_| ()).ok_or(Code::NotAMember);
        session.hold(&room);
        change(session, person, &room, MemberChange::Leave, is_member).await?;
    }
    person.remove_room(room.id);
    Ok(Response::Left { room: room.name.clone() })
}

/// The members of a room, sorted by name.
pub(super) async fn names(chat: &Chat, room: &RoomName, after: Option<&str>) -> Answer {
    let room = seen(chat, room)?;
    let after = after.unwrap_or_default().to_lowercase();
    let accounts = chat.store.members(room.id, &after, MOST_LINES + 1).await.map_err(|error| unavailable(&error))?;
    let ledger = room.ledger();
    let state = &ledger.state;
    let line = |name, role: RoomRole, online, guest| NameLine {
        name,
        role: role.as_str(),
        online,
        guest,
        away: false,
        text: None,
        last_seen: None,
    };
    let mut lines: Vec<(String, NameLine)> = accounts
        .into_iter()
        .map(|member| {
            let online = state.is_online(member.user);
            (member.name.folded().to_owned(), line(member.name.shared(), member.role, online, false))
        })
        .collect();
    let guests = state.guests().map(|(_, name, role)| (name.to_lowercase(), line(Arc::clone(name), role, true, true)));
    lines.extend(guests.filter(|(folded, _)| **folded > *after));
    drop(ledger);
    lines.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(page(lines.into_iter().map(|(_, line)| line).collect(), Some(room.name.clone())))
}

/// Everybody who is online, sorted by name.
pub(super) fn everybody(chat: &Chat, after: Option<&str>) -> Response {
    let after = after.unwrap_or_default().to_lowercase();
    let users = chat.online.everybody().into_iter().filter(|user| *user.name.folded() > *after);
    let line = |user: crate::model::User| NameLine {
        name: user.name.shared(),
        role: user.role.as_str(),
        online: true,
        guest: user.is_guest(),
        away: false,
        text: None,
        last_seen: None,
    };
    page(users.take(MOST_LINES + 1).map(line).collect(), None)
}

fn page(mut names: Vec<NameLine>, room: Option<RoomName>) -> Response {
    let more = names.len() > MOST_LINES;
    names.truncate(MOST_LINES);
    Response::Names { room, names, more }
}

/// Makes a user a member of a room that it can see, unless it is one.
pub(super) async fn become_member(
    session: &Arc<Session>,
    person: &Arc<Person>,
    room: &Arc<Room>,
) -> Result<(), Refusal> {
    if person.user.is_guest() {
        add_guest(session, person, room);
        return Ok(());
    }
    // What another session of the same user has begun is awaited: what is answered was committed.
    room.settled(person.user.id).await;
    if room.ledger().state.role(person.user.id).is_none() {
        let mut is_member = false;
        let no_member = |state: &room::State| {
            is_member = state.role(person.user.id).is_some();
            // Where another session of the same user was quicker, nothing is posted, and what is told is not this.
            if is_member { Err(Code::Internal) } else { Ok(()) }
        };
        match change(session, person, room, MemberChange::Join, no_member).await {
            Ok(seq) => person.add_room(room, seq),
            Err(_) if is_member => room.settled(person.user.id).await,
            Err(refusal) => return Err(refusal),
        }
        session.chat.refresh_presence(room, person);
    }
    Ok(())
}

/// A guest's membership is no entry: it ends with the connection.
fn add_guest(session: &Session, person: &Arc<Person>, room: &Arc<Room>) {
    // First, so that a departure that begins now finds the room.
    person.add_room(room, room.head());
    let mut ledger = room.ledger();
    let added = session.is_of(person) && ledger.state.add_guest(person.user.id, person.user.name.shared());
    drop(ledger);
    if added {
        session.chat.tell_presence(room, person, true);
    }
}

/// Puts a change of a membership into the log, and waits for its commit.
async fn change(
    session: &Session,
    person: &Arc<Person>,
    room: &Arc<Room>,
    change: MemberChange,
    check: impl FnOnce(&room::State) -> Result<(), Code>,
) -> Result<Seq, Refusal> {
    let (chat, user) = (&session.chat, &person.user);
    let place = chat.store.queue().reserve(0).await.map_err(|error| unavailable(&error))?;
    let (caller, outcome) = oneshot::channel();
    let body = Body::Member {
        user: user.name.shared(),
        user_id: user.id,
        change,
        role: (change == MemberChange::Join).then_some(RoomRole::Member),
        reason: None,
        until: None,
    };
    let origin = Box::new(Waiter::Call(caller));
    let draft = room::Draft { author: user, time: chat.clock.now(), body, nonce: None, origin };
    room.post(chat.store.queue(), place, draft, check)?;
    match outcome.await {
        Ok(Outcome::Appended(entry)) => Ok(entry.seq),
        Ok(Outcome::Duplicate { seq, .. }) => Ok(seq),
        Ok(Outcome::Unmet(_)) => Err(Code::NoSuchMessage.into()),
        Ok(Outcome::Failed { error, .. }) => {
            // What was taken back may have been of a time when the user was online, or was not.
            chat.refresh_presence(room, person);
            Err(unavailable(&error))
        }
        Err(_) => Err(Code::ShuttingDown.into()),
    }
}

/// Starts a room's events on this session.
fn follow(session: &Arc<Session>, person: &Person, room: &Arc<Room>, start: &Start) -> Result<Joined, Refusal> {
    let (kind, topic, first, role) = {
        let ledger = room.ledger();
        let state = &ledger.state;
        let role = state.role(person.user.id).ok_or(Code::NotAMember)?;
        (state.settings.kind, state.settings.topic.as_str().into(), state.first, role)
    };
    let mut reset = false;
    let head = session.follow(room, |head| match start {
        Start::Now => None,
        Start::Since(since) => {
            let other_epoch = since.epoch.as_ref().is_some_and(|epoch| *epoch != room.epoch.0);
            reset = other_epoch || since.seq > head;
            Some(if reset { head } else { since.seq.max(first.before()) })
        }
        Start::Backlog(count) => Some(Seq(head.0.saturating_sub(*count)).max(first.before())),
    })?;
    let (room_id, room, epoch) = (room.id, room.name.clone(), room.epoch.clone());
    Ok(Joined { room, kind, topic, role, epoch, first, head, read: person.read(room_id), reset })
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
