//! Keeping order in a room: who may come in, who has to go, who may not speak, and who decides that.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::chat::Chat;
use crate::chat::online::Person;
use crate::chat::requests::direct;
use crate::chat::requests::rooms::{committed, posted};
use crate::chat::requests::{Fitting, history, line, seen, seen_room, username};
use crate::chat::room::{self, Barrier, Room, State, Target};
use crate::chat::session::{Session, Waiter, unavailable};
use crate::model::{
    Body, Level, Line, MemberChange, RoomName, RoomRole, Seq, ServerRole, Text, Time, User, UserId, Username,
};
use crate::protocol::response::{ActLine, BanLine};
use crate::protocol::{Answer, Code, Hint, Moderation, Refusal, Response};
use crate::store::{Act, Change, Side};

/// So many names may be banned, muted and invited in a room.
const MOST_NAMED: usize = 10_000;

/// How many acts one answer lists if not told otherwise, and at most.
const ACTS: (u32, u32) = (50, 500);

/// Whom a name means that nobody has: it may still be banned.
const NOBODY: UserId = UserId(0);

/// Does something to somebody in a room.
pub(super) async fn moderate(session: &Arc<Session>, person: &Arc<Person>, asked: Moderation) -> Answer {
    let chat = &session.chat;
    let Moderation { room, username: name, change, role, reason, for_s } = asked;
    let room = seen_room(chat, person, &room)?;
    let name = username(chat, &name)?;
    let target = direct::find_user(chat, &name).await?;
    let known = target.is_some();
    let target = target.unwrap_or(Side { user: NOBODY, name: name.shared() });
    let target_role = direct::server_role(chat, target.user).await?;
    let may = |state: &State| {
        let asker = person.asks(chat.clock.now());
        let target = Target { id: target.user, name: &target.name, role: target_role };
        state.may_moderate(asker, change, role, target)?;
        let names_more = matches!(change, MemberChange::Invite | MemberChange::Ban | MemberChange::Mute);
        if names_more && state.named() >= MOST_NAMED { Err(Code::Forbidden.into()) } else { Ok(()) }
    };
    may(&room.ledger().state)?;
    // Whoever was banned or muted may have gone for good; others have to be somebody.
    if !known && !matches!(change, MemberChange::Unban | MemberChange::Unmute) {
        return Err(Code::NoSuchUser.into());
    }
    let mut reason = line(reason, "reason")?;
    if change == MemberChange::Invite {
        let speaks = room.ledger().state.may_speak(person.asks(chat.clock.now())).is_ok();
        if !speaks || chat.standing.open_below(Level::ReadOnly, person).is_err() {
            // Who may not speak here may still invite, but not by the way say something.
            reason = None;
        }
        if chat.standing.is_blocked(target.user, person.user.id) {
            return Err(Code::Forbidden.into());
        }
        direct::approach(chat, person)?;
    }
    let until = for_s.map(|seconds| after(chat.clock.now(), seconds));
    let body = Body::Member { user: Arc::clone(&target.name), user_id: target.user, change, role, reason, until };
    let act = chat.act(person, change.as_str(), Some(&room), &target.name, &described(&body));
    // The answer comes in front of the entry.
    session.hold(&room);
    let seq = if change.puts_out() {
        post_with_heir(chat, &person.user, &room, target.user, &body, Some(act), may).await?
    } else {
        let draft = |origin| room::Draft {
            act: Some(act),
            ..room::Draft::new(&person.user, chat.clock.now(), body.clone(), origin)
        };
        posted(session, &room, draft, |state| may(state).map(|()| false)).await?.seq
    };
    if change == MemberChange::Invite
        && let Some(invited) = chat.online.known(target.user)
    {
        for session in invited.open_sessions() {
            session.hint(Hint::Invited {
                room: room.name(),
                head: room.told_head(),
                by: Some(person.user.name.shared()),
            });
        }
    }
    Ok(Response::Changed { seq })
}

/// So many seconds after a moment.
pub(super) fn after(time: Time, seconds: u64) -> Time {
    Time(time.0.saturating_add(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)))
}

/// What else there is to know of an act than who, what and to whom.
fn described(body: &Body) -> String {
    let Body::Member { role, reason, until, .. } = body else { return String::new() };
    let role = role.map(|role| format!("role={}", role.as_str()));
    let until = until.map(|until| format!("until={until}"));
    let reason = reason.as_ref().map(|reason| reason.as_str().to_owned());
    [role, until, reason].into_iter().flatten().collect::<Vec<String>>().join(" ")
}

/// Posts an entry by which somebody is no member any more. Where that is the last owner, the next in line is owner first.
pub(super) async fn post_with_heir(
    chat: &Chat,
    author: &User,
    room: &Arc<Room>,
    leaving: UserId,
    body: &Body,
    act: Option<Box<Act>>,
    check: impl Fn(&State) -> Result<(), Refusal>,
) -> Result<Seq, Refusal> {
    let queue = chat.store.queue();
    loop {
        let heir = match room.successor(leaving) {
            Some(heir) => {
                // Known to the rules by number only.
                let account = chat.store.user(heir).await.map_err(|error| unavailable(&error))?;
                let place = queue.reserve(0).await.map_err(|error| unavailable(&error))?;
                account.map(|account| (heir, place, account.name))
            }
            None => None,
        };
        let place = queue.reserve(0).await.map_err(|error| unavailable(&error))?;
        let now = chat.clock.now();
        let (caller, outcome) = oneshot::channel();
        let draft = room::Draft {
            act: act.clone(),
            ..room::Draft::new(author, now, body.clone(), Box::new(Waiter::Call(caller)))
        };
        let handing_over = |(heir, place, name): (UserId, _, Username)| {
            let body = Body::Member {
                user: name.shared(),
                user_id: heir,
                change: MemberChange::Role,
                role: Some(RoomRole::Owner),
                reason: None,
                until: None,
            };
            (heir, place, room::Draft::new(author, now, body, Box::new(Waiter::Nobody)))
        };
        if room.post_with_heir(queue, heir.map(handing_over), leaving, place, draft, &check)? {
            return committed(outcome).await.map(|entry| entry.seq);
        }
        // Somebody came or went meanwhile, and another one is next in line.
    }
}

/// Who is banned from a room, and who is muted there.
pub(super) fn bans(chat: &Chat, person: &Person, room: &RoomName) -> Answer {
    let room = seen_room(chat, person, room)?;
    let now = chat.clock.now();
    let (bans, mutes) = {
        let ledger = room.ledger();
        ledger.state.may_oversee(person.asks(now))?;
        ledger.state.barriers(now)
    };
    let mut fitting = Fitting::default();
    let mut lines = |barriers: Vec<Barrier>| {
        let line = |Barrier { name, reason, until }| BanLine { username: name, reason, until };
        let said = |line: &BanLine| line.reason.as_ref().map_or(0, |reason| reason.as_str().len());
        barriers.into_iter().map(line).take_while(|line| fitting.take(said(line))).collect()
    };
    Ok(Response::Bans { room: room.name(), bans: lines(bans), mutes: lines(mutes) })
}

/// Tells the moderators of a room that something is not right; of a direct conversation, the admins.
pub(super) async fn report(
    chat: &Chat,
    person: &Person,
    room: &RoomName,
    target: Option<Seq>,
    whom: Option<Box<str>>,
    reason: Option<Box<str>>,
) -> Answer {
    let room = seen(chat, person, room)?;
    {
        let ledger = room.ledger();
        ledger.state.may_enter(person.asks(chat.clock.now()))?;
        ledger.state.role(person.user.id).ok_or(Code::NotAMember)?;
    }
    let whom = whom.map(|whom| username(chat, &whom)).transpose()?;
    let reason = line(reason, "reason")?;
    if target.is_some_and(|target| target > room.told_head() || target < room.ledger().state.first_of(person.user.id)) {
        return Err(Refusal::from(Code::NoSuchMessage).about("target"));
    }
    direct::approach(chat, person)?;
    let about = [target.map(|target| target.to_string()), whom.map(|whom| whom.as_str().to_owned())];
    let about = about.into_iter().flatten().collect::<Vec<String>>().join(" ");
    let said = reason.as_ref().map_or("", Line::as_str);
    // Of whom with whom is nobody's business but theirs.
    let act = chat.act(person, "report", (!room.is_direct()).then_some(&*room), &about, said);
    chat.change(Change::Act(act)).await?;
    let people: Vec<Arc<Person>> = if room.is_direct() {
        chat.online.everybody().into_iter().filter(|person| person.role() == ServerRole::Admin).collect()
    } else {
        let moderators: Vec<UserId> = room.ledger().state.moderators().collect();
        moderators.into_iter().filter_map(|user| chat.online.known(user)).collect()
    };
    let place = if room.is_direct() { "a direct conversation".to_owned() } else { room.name().to_string() };
    let mut text = format!("{} reports {place}", person.user.name);
    for part in [&*about, said].into_iter().filter(|part| !part.is_empty()) {
        text = format!("{text}: {part}");
    }
    for session in people.iter().flat_map(|person| person.open_sessions()) {
        session.hint(Hint::Notice { text: Text::trusted(text.clone()) });
    }
    Ok(Response::Done)
}

/// What was done by those who keep order: in a room, or, for admins, everywhere.
pub(super) async fn acts(
    chat: &Chat,
    person: &Person,
    room: Option<&RoomName>,
    before: Option<u64>,
    limit: Option<u32>,
) -> Answer {
    let room = room.map(|room| seen_room(chat, person, room)).transpose()?;
    match &room {
        Some(room) => room.ledger().state.may_oversee(person.asks(chat.clock.now()))?,
        None if person.role() == ServerRole::Admin => {}
        None => return Err(Code::Forbidden.into()),
    }
    let limit = limit.unwrap_or(ACTS.0).min(ACTS.1) as usize;
    let acts = chat.store.acts(room.map(|room| room.id), before, limit + 1).await;
    let acts = acts.map_err(|error| unavailable(&error))?;
    let (count, mut bytes) = (acts.len(), 0);
    let line = |(number, act): (u64, Act)| ActLine {
        number,
        time: act.time,
        by: act.by,
        act: act.act,
        room: Some(act.room_name).filter(|name| !name.is_empty()),
        target: act.target,
        detail: act.detail,
    };
    let fits = |line: &ActLine| {
        bytes += 300 + 2 * (line.target.len() + line.detail.len());
        bytes < history::MOST_BYTES
    };
    let acts: Vec<ActLine> = acts.into_iter().take(limit).map(line).take_while(fits).collect();
    Ok(Response::Acts { more: acts.len() < count, acts })
}
