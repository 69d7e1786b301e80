//! Saying something.

use std::sync::Arc;
use std::time::Instant;

use crate::chat::online::Person;
use crate::chat::requests::{bad_text, done, seen};
use crate::chat::room::{self, Room};
use crate::chat::session::{Asking, Next, Session, Waiter, unavailable};
use crate::model::{Body, Message, RoomName, Seq, Text};
use crate::protocol::{Code, Refusal, Response, Tag};
use crate::store::Place;

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
    let chat = &session.chat;
    let nonce = draft.nonce.take();
    let (room, message) = match check(session, &person, draft) {
        Ok(checked) => checked,
        Err(refusal) => return done(session, tag, Err(refusal)),
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
fn check(session: &Session, person: &Person, draft: Draft) -> Result<(Arc<Room>, Message), Refusal> {
    let room = seen(&session.chat, &draft.room)?;
    let first = {
        let ledger = room.ledger();
        ledger.state.may_speak(person.user.id)?;
        ledger.state.first
    };
    if let Some(target) = draft.reply_to
        && (target < first || target > room.told_head() || target == Seq::ZERO)
    {
        return Err(Refusal::from(Code::NoSuchMessage).about("reply_to"));
    }
    let text = Text::parse(draft.text, session.chat.options.limits.max_text_bytes).map_err(bad_text)?;
    Ok((room, Message { text, reply_to: draft.reply_to, action: draft.action }))
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
    let answer = match session.chat.store.posted(person.user.id, room.id, &nonce).await {
        Ok(Some((seq, time))) => Ok(Response::Posted { room: room.name.clone(), seq, time, duplicate: true }),
        Ok(None) => Err(refusal),
        Err(error) => Err(unavailable(&error)),
    };
    session.answer(tag, answer);
    Next::Ask
}
