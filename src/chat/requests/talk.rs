//! Saying something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chat::flood::Rate;
use crate::chat::online::Person;
use crate::chat::requests::{bad_text, done, seen};
use crate::chat::room::{self, Room};
use crate::chat::session::{Asking, Next, Session, Waiter, unavailable};
use crate::model::{Body, Message, RoomName, Seq, Text};
use crate::protocol::{Answer, Code, Refusal, Response, Tag};
use crate::store::{Most, Place};

/// How often the store is asked for a user whether something was said before: as often as it promises to remember.
const LOOKUPS: Rate = Rate { tokens: 100, period: Duration::from_secs(1), burst: 1000 };

/// What somebody wants to say.
pub(super) struct Draft {
    pub(super) room: RoomName,
    pub(super) text: Box<str>,
    pub(super) nonce: Option<Box<str>>,
    pub(super) reply_to: Option<Seq>,
    pub(super) action: bool,
}

/// Says something: checked, put into the queue, and answered after its commit. The session goes on meanwhile.
pub(super) fn message(session: &Arc<Session>, person: Arc<Person>, tag: Tag, mut draft: Draft) -> Asking {
    if let Some(target) = draft.reply_to.take() {
        return Asking::Later(Box::pin(reply(Arc::clone(session), person, tag, draft, target)));
    }
    say(session, person, tag, draft, None)
}

/// Says something in answer to a message, which has to be one: only the log knows.
async fn reply(session: Arc<Session>, person: Arc<Person>, tag: Tag, draft: Draft, target: Seq) -> Next {
    // The message may be one's own, and still on its way.
    if session.settled().await == Next::Stop {
        return Next::Stop;
    }
    let known = match seen(&session.chat, &draft.room) {
        Ok(room) => is_message(&session, &room, target).await,
        // What is wrong is found again, and said, below.
        Err(_) => Ok(true),
    };
    let asking = match known {
        Ok(true) => say(&session, person, tag, draft, Some(target)),
        Ok(false) => say(&session, person, tag, draft, Some(Seq::ZERO)),
        Err(refusal) => done(&session, tag, Err(refusal)),
    };
    match asking {
        Asking::Done(next) => next,
        Asking::Later(asking) => asking.await,
    }
}

/// Whether there is a message of that number that may be seen.
async fn is_message(session: &Session, room: &Room, target: Seq) -> Result<bool, Refusal> {
    let first = room.ledger().state.first;
    if target < first || target > room.told_head() {
        return Ok(false);
    }
    let most = Most { entries: 1, bytes: 0 };
    let entries = session.chat.store.entries(room.id, target.before(), target, most).await;
    let entries = entries.map_err(|error| unavailable(&error))?;
    Ok(entries.first().is_some_and(|entry| entry.seq == target && matches!(entry.body, Body::Message(_))))
}

fn say(session: &Arc<Session>, person: Arc<Person>, tag: Tag, mut draft: Draft, reply_to: Option<Seq>) -> Asking {
    let chat = &session.chat;
    let nonce = draft.nonce.take();
    let (room, message) = match check(session, &person, draft, reply_to) {
        Ok(checked) => checked,
        Err(refusal) => {
            // What may not be said costs like any other request, or one could try for ever.
            let _ = session.spend_other(Some(&person));
            return done(session, tag, Err(refusal));
        }
    };
    let taken = person.floods().talk.take(chat.talk_rate(), Instant::now());
    if let Err(retry_after) = taken {
        let refusal = Refusal::rate_limited(retry_after);
        return match nonce {
            // A repeat is free, but whether it is one only the store knows.
            Some(nonce) => Asking::Later(Box::pin(repeat(Arc::clone(session), person, tag, room, nonce, refusal))),
            None => done(session, tag, Err(refusal)),
        };
    }
    let bytes = message.text.as_str().len();
    match chat.store.queue().try_reserve(bytes) {
        Some(place) => {
            post(session, &person, tag, &room, message, nonce, place);
            Asking::Done(Next::Ask)
        }
        None => {
            let session = Arc::clone(session);
            Asking::Later(Box::pin(async move {
                match session.chat.store.queue().reserve(bytes).await {
                    Ok(place) => post(&session, &person, tag, &room, message, nonce, place),
                    Err(error) => session.answer(tag, Err(unavailable(&error))),
                }
                Next::Ask
            }))
        }
    }
}

/// The first refusal that applies, or what is to be posted where.
///
/// `reply_to` is 0 where there is no such message.
fn check(
    session: &Session,
    person: &Person,
    draft: Draft,
    reply_to: Option<Seq>,
) -> Result<(Arc<Room>, Message), Refusal> {
    let room = seen(&session.chat, &draft.room)?;
    room.ledger().state.may_speak(person.user.id)?;
    if reply_to == Some(Seq::ZERO) {
        return Err(Refusal::from(Code::NoSuchMessage).about("reply_to"));
    }
    let text = Text::parse(draft.text, session.chat.options.limits.most_text()).map_err(bad_text)?;
    Ok((room, Message { reply_to, action: draft.action, ..Message::new(text) }))
}

fn post(
    session: &Arc<Session>,
    person: &Person,
    tag: Tag,
    room: &Room,
    message: Message,
    nonce: Option<Box<str>>,
    place: Place,
) {
    let ticket = session.open(tag);
    let draft = room::Draft {
        author: &person.user,
        time: session.chat.clock.now(),
        body: Body::Message(message),
        nonce,
        origin: Box::new(Waiter::Slot(Arc::clone(session), ticket)),
    };
    if let Err(refusal) = room.post(session.chat.store.queue(), place, draft, |state| state.may_speak(person.user.id)) {
        session.settle(ticket, Err(refusal), None);
        session.rouse();
    }
}

/// Answers a repeat from the store where flood control would refuse a new posting.
async fn repeat(
    session: Arc<Session>,
    person: Arc<Person>,
    tag: Tag,
    room: Arc<Room>,
    nonce: Box<str>,
    refusal: Refusal,
) -> Next {
    // The first posting may still be on its way.
    if session.settled().await == Next::Stop {
        return Next::Stop;
    }
    let taken = person.floods().lookups.take(LOOKUPS, Instant::now());
    let answer = match taken {
        Err(_) => Err(refusal),
        Ok(()) => looked_up(&session, &person, &room, &nonce, refusal).await,
    };
    session.answer(tag, answer);
    Next::Ask
}

async fn looked_up(session: &Session, person: &Person, room: &Room, nonce: &str, refusal: Refusal) -> Answer {
    match session.chat.store.posted(person.user.id, room.id, nonce).await {
        Ok(Some((seq, time))) => Ok(Response::Posted { room: room.name.clone(), seq, time, duplicate: true }),
        Ok(None) => Err(refusal),
        Err(error) => Err(unavailable(&error)),
    }
}
