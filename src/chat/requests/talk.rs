//! What is said: messages, and what is said about them. All of it goes into the log; the session goes on meanwhile, and is
//! answered after the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chat::Chat;
use crate::chat::flood::Rate;
use crate::chat::online::Person;
use crate::chat::requests::{bad_text, direct, done, host, line, seen};
use crate::chat::room::{self, Asker, Room, State};
use crate::chat::session::{Asking, Next, Posting, Session, Waiter, unavailable};
use crate::model::mention::mentions;
use crate::model::name::fold;
use crate::model::{Body, Level, Line, Message, RoomKind, RoomName, Seq, Text};
use crate::protocol::{Answer, Code, Refusal, Response, Tag};
use crate::store::{Most, Place};

/// How often the store is asked for a user whether something was said before: as often as it promises to remember.
const LOOKUPS: Rate = Rate { tokens: 100, period: Duration::from_secs(1), burst: 1000 };

/// The most bytes that the emoji of a reaction may have: the longest sequences in use have about 35.
const MOST_EMOJI_BYTES: usize = 64;

/// What somebody wants to put into a room's log.
pub(super) struct Draft {
    pub(super) room: RoomName,
    pub(super) what: What,
    pub(super) nonce: Option<Box<str>>,
}

/// What it is, as it came.
pub(super) enum What {
    Message { text: Box<str>, reply_to: Option<Seq>, action: bool },
    Edit { target: Seq, text: Box<str> },
    Delete { target: Seq, reason: Option<Box<str>> },
    React { target: Seq, emoji: Box<str>, remove: bool },
    Topic { topic: Box<str> },
}

/// A draft of which everything was checked that does not depend on what the log holds.
struct Checked {
    room: Arc<Room>,
    rule: Rule,
    body: Body,
    nonce: Option<Box<str>>,
}

/// Whether the program that the chat lives in has heard what somebody wants to say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hearing {
    /// Not yet, if it wants to.
    Due,
    /// It has.
    Had,
}

impl What {
    /// By which rule somebody may do this.
    fn rule(&self) -> Rule {
        match self {
            What::Message { .. } => Rule::Say,
            What::Edit { .. } => Rule::Edit,
            What::Delete { .. } => Rule::Delete,
            What::React { .. } => Rule::React,
            What::Topic { .. } => Rule::Topic,
        }
    }

    /// The message that it is about, and the key that names it.
    fn target(&self) -> Option<(Seq, &'static str)> {
        match self {
            What::Message { reply_to, .. } => reply_to.map(|seq| (seq, "reply_to")),
            What::Edit { target, .. } | What::Delete { target, .. } | What::React { target, .. } => {
                Some((*target, "target"))
            }
            What::Topic { .. } => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            What::Message { text, .. } | What::Edit { text, .. } => text.len(),
            What::Delete { reason, .. } => reason.as_ref().map_or(0, |reason| reason.len()),
            What::React { emoji, .. } => emoji.len(),
            What::Topic { topic } => topic.len(),
        }
    }

    /// Whether it can be the first that is said in a conversation.
    fn first_words(&self, most_text: usize) -> Result<(), Refusal> {
        match self {
            What::Message { reply_to: Some(_), .. } => Err(Refusal::from(Code::NoSuchMessage).about("reply_to")),
            What::Message { text, .. } => Text::parse(text.clone(), most_text).map(|_| ()).map_err(bad_text),
            _ => Ok(()),
        }
    }

    /// What goes into the log.
    fn body(self, most_text: usize) -> Result<Body, Refusal> {
        Ok(match self {
            What::Message { text, reply_to, action } => {
                let text = Text::parse(text, most_text).map_err(bad_text)?;
                Body::Message(Message { reply_to, action, ..Message::new(text) })
            }
            What::Edit { target, text } => {
                Body::Edit { target, text: Some(Text::parse(text, most_text).map_err(bad_text)?) }
            }
            What::Delete { target, reason } => Body::Delete { target, reason: line(reason, "reason")? },
            What::React { target, emoji, remove } => {
                if emoji.trim().is_empty() {
                    return Err(Refusal::from(Code::BadText).about("emoji"));
                }
                if emoji.len() > MOST_EMOJI_BYTES {
                    return Err(Refusal::from(Code::TextTooLong).about("emoji"));
                }
                let emoji = Line::parse(emoji).map_err(|error| bad_text(error).about("emoji"))?;
                Body::React { target, emoji, remove }
            }
            What::Topic { topic } => {
                Body::Topic { topic: Line::parse(topic).map_err(|error| bad_text(error).about("topic"))? }
            }
        })
    }
}

/// Puts something into a room's log: checked, put into the queue, and answered after its commit.
pub(super) fn post(session: &Arc<Session>, person: Arc<Person>, tag: Tag, draft: Draft) -> Asking {
    let asked = seen(&session.chat, &person, &draft.room);
    if let (What::Message { .. }, Some(_), true) = (&draft.what, draft.room.peer(), is_unknown(&asked)) {
        // The first message to somebody begins the conversation.
        let (session, mut draft) = (Arc::clone(session), draft);
        return Asking::Later(Box::pin(async move {
            // What cannot be said begins nothing.
            let mut sayable = draft.what.first_words(session.chat.options().limits.most_text());
            let mut hearing = Hearing::Due;
            if sayable.is_ok() && host::asked(&session).is_some() {
                sayable = hear_first_words(&session, &person, &mut draft).await;
                hearing = Hearing::Had;
            }
            let asking = match direct::begin(&session, &person, &draft.room, sayable).await {
                Ok(room) => post_to(&session, person, tag, Ok(room), draft, hearing),
                Err(refusal) => refused(&session, &person, tag, refusal),
            };
            match asking {
                Asking::Done(next) => next,
                Asking::Later(asking) => asking.await,
            }
        }));
    }
    post_to(session, person, tag, asked, draft, Hearing::Due)
}

/// Has the program hear what is to begin a conversation.
async fn hear_first_words(session: &Arc<Session>, person: &Person, draft: &mut Draft) -> Result<(), Refusal> {
    let chat = &session.chat;
    // It is taken for good further on; here so that nobody can have the program asked without end.
    person.floods().talk.take(chat.talk_rate(), Instant::now()).map_err(Refusal::rate_limited)?;
    let What::Message { text, reply_to, action } = &mut draft.what else { return Ok(()) };
    let said = Text::parse(text.clone(), chat.options().limits.most_text()).map_err(bad_text)?;
    let body = Body::Message(Message { reply_to: *reply_to, action: *action, ..Message::new(said) });
    if let Body::Message(message) = host::hear(chat, person, &draft.room, body).await? {
        *text = message.text.as_str().into();
    }
    person.floods().talk.give_back(chat.talk_rate());
    Ok(())
}

fn is_unknown(asked: &Result<Arc<Room>, Refusal>) -> bool {
    asked.as_ref().is_err_and(|refusal| refusal.code == Code::NoSuchRoom)
}

/// What may not be said costs like any other request, or one could try for ever.
fn refused(session: &Session, person: &Person, tag: Tag, refusal: Refusal) -> Asking {
    let _ = session.spend_other(Some(person));
    done(session, tag, Err(refusal))
}

fn post_to(
    session: &Arc<Session>,
    person: Arc<Person>,
    tag: Tag,
    room: Result<Arc<Room>, Refusal>,
    draft: Draft,
    hearing: Hearing,
) -> Asking {
    let chat = &session.chat;
    let Draft { what, nonce, .. } = draft;
    let (bytes, target, rule) = (what.bytes(), what.target(), what.rule());
    let checked = room.and_then(|room| check(chat, &person, &room, rule).map(|()| room));
    let room = match checked {
        Ok(room) => room,
        Err(refusal) => return refused(session, &person, tag, refusal),
    };
    let body = match what.body(chat.options().limits.most_text()) {
        Ok(body) => body,
        Err(refusal) => {
            let Some((target, key)) = target else { return refused(session, &person, tag, refusal) };
            // That there is no such message is said first, and only the log knows.
            let session = Arc::clone(session);
            return Asking::Later(Box::pin(async move {
                let refusal = match is_message(&session, &person, &room, target).await {
                    Ok(true) => refusal,
                    Ok(false) => Refusal::from(Code::NoSuchMessage).about(key),
                    Err(refusal) => refusal,
                };
                let _ = refused(&session, &person, tag, refusal);
                Next::Ask
            }));
        }
    };
    let checked = Checked { room, rule, body, nonce };
    let taken = not_too_soon(chat, &person, &checked).and_then(|()| {
        let taken = person.floods().talk.take(chat.talk_rate(), Instant::now());
        taken.map_err(Refusal::rate_limited)
    });
    if let Err(refusal) = taken {
        return match checked.nonce {
            // A repeat is free, but whether it is one only the store knows.
            Some(nonce) => {
                Asking::Later(Box::pin(repeat(Arc::clone(session), person, tag, checked.room, nonce, refusal)))
            }
            None => done(session, tag, Err(refusal)),
        };
    }
    if hearing == Hearing::Due && matches!(rule, Rule::Say | Rule::Edit) && host::asked(session).is_some() {
        return Asking::Later(Box::pin(queue_when_heard(Arc::clone(session), person, tag, checked)));
    }
    match chat.store.queue().try_reserve(bytes) {
        Some(place) => {
            queue(session, &person, tag, checked, place);
            Asking::Done(Next::Ask)
        }
        None => Asking::Later(Box::pin(queue_when_possible(Arc::clone(session), person, tag, checked, bytes))),
    }
}

/// Puts something into the queue when there is a place.
async fn queue_when_possible(
    session: Arc<Session>,
    person: Arc<Person>,
    tag: Tag,
    checked: Checked,
    bytes: usize,
) -> Next {
    match session.chat.store.queue().reserve(bytes).await {
        Ok(place) => queue(&session, &person, tag, checked, place),
        Err(error) => session.answer(tag, Err(unavailable(&error))),
    }
    Next::Ask
}

/// Puts something into the queue if the program that the chat lives in lets it be said, or as it wants it to be said.
async fn queue_when_heard(session: Arc<Session>, person: Arc<Person>, tag: Tag, checked: Checked) -> Next {
    let Checked { room, rule, body, nonce } = checked;
    let name = room.name_for(person.user.id);
    match host::hear(&session.chat, &person, &name, body).await {
        Ok(body) => {
            let bytes = match &body {
                Body::Message(Message { text, .. }) | Body::Edit { text: Some(text), .. } => text.as_str().len(),
                _ => 0,
            };
            queue_when_possible(session, person, tag, Checked { room, rule, body, nonce }, bytes).await
        }
        Err(refusal) => match nonce {
            // What was stored once was said, whatever the program thinks of it now.
            Some(nonce) => repeat(session, person, tag, room, nonce, refusal).await,
            None => {
                session.answer(tag, Err(refusal));
                Next::Ask
            }
        },
    }
}

/// Whether slow mode lets somebody say something now.
fn not_too_soon(chat: &Chat, person: &Person, checked: &Checked) -> Result<(), Refusal> {
    match checked.rule {
        Rule::Say => checked.room.ledger().state.may_speak_again(person.asks(chat.clock.now())),
        _ => Ok(()),
    }
}

/// The first refusal that applies, of those that depend on who asks and where.
fn check(chat: &Chat, person: &Person, room: &Room, rule: Rule) -> Result<(), Refusal> {
    rule.holds(&room.ledger().state, person.asks(chat.clock.now()))?;
    if rule == Rule::Delete {
        return Ok(());
    }
    chat.standing.open_below(Level::ReadOnly, person)?;
    match room.peer_of(person.user.id) {
        Some(peer) if chat.standing.is_blocked(peer.user, person.user.id) => Err(Code::Forbidden.into()),
        _ => Ok(()),
    }
}

fn queue(session: &Arc<Session>, person: &Arc<Person>, tag: Tag, checked: Checked, place: Place) {
    let chat = &session.chat;
    if !session.is_of(person) {
        // Somebody has ended the session while it waited for a place.
        return session.answer(tag, Err(Code::NotLoggedIn.into()));
    }
    let Checked { room, rule, body, nonce } = checked;
    let posting = if rule == Rule::Say { Posting::Message } else { Posting::Change };
    let called = match &body {
        Body::Message(Message { text, .. }) | Body::Edit { text: Some(text), .. } => {
            mentions(text.as_str()).iter().map(|name| fold(name)).collect()
        }
        _ => Vec::new(),
    };
    let act = match &body {
        // Remembered where it is somebody else's, which only the log knows.
        Body::Delete { target, reason } if !room.is_direct() => {
            let reason = reason.as_ref().map_or("", |reason| reason.as_str());
            Some(chat.act(person, "delete", Some(&room), &target.to_string(), reason))
        }
        _ => None,
    };
    let ticket = session.open(tag);
    let origin = Box::new(Waiter::Slot(Arc::clone(session), ticket, posting, Instant::now()));
    let time = chat.clock.now();
    let draft = room::Draft { nonce, mentions: called, act, ..room::Draft::new(&person.user, time, body, origin) };
    if let Err(refusal) = room.post(chat.store.queue(), place, draft, |state| rule.holds_now(state, person.asks(time)))
    {
        session.settle(ticket, Err(refusal), None);
        session.rouse();
    }
}

/// By which rule somebody may do something. Asked at once, and again under the room's lock, when everything that was
/// queued before is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Say,
    Edit,
    Delete,
    React,
    Topic,
}

impl Rule {
    /// The same at the moment at which it is queued, when slow mode counts too.
    fn holds_now(self, state: &State, asker: Asker<'_>) -> Result<bool, Refusal> {
        let others = self.holds(state, asker)?;
        if self == Rule::Say {
            state.may_speak_again(asker)?;
        }
        Ok(others)
    }

    /// Whether it lets somebody do it, and do it to messages of others.
    fn holds(self, state: &State, asker: Asker<'_>) -> Result<bool, Refusal> {
        if self != Rule::Delete && state.role(asker.id).is_some() && state.is_deserted() {
            return Err(Code::NoSuchUser.into());
        }
        match self {
            Rule::Say | Rule::Edit => state.may_speak(asker).map(|()| false),
            Rule::Delete => state.may_delete(asker),
            Rule::React => state.may_react(asker).map(|()| false),
            Rule::Topic if state.settings.kind == RoomKind::Direct => Err(Code::Forbidden.into()),
            Rule::Topic => state.may_set_topic(asker).map(|()| false),
        }
    }
}

/// Whether there is a message of that number that may be seen.
async fn is_message(session: &Session, person: &Person, room: &Room, target: Seq) -> Result<bool, Refusal> {
    // The message may be one's own, and still on its way.
    session.settled().await;
    // Who is no member has come so far only where that is no hindrance.
    if target < room.ledger().state.reach_of(person.user.id, true) || target > room.told_head() {
        return Ok(false);
    }
    let most = Most { entries: 1, bytes: 0 };
    let entries = session.chat.store.entries(room.id, target.before(), target, most).await;
    let entries = entries.map_err(|error| unavailable(&error))?;
    let said = |body: &Body| matches!(body, Body::Message(message) if !message.deleted);
    Ok(entries.first().is_some_and(|entry| entry.seq == target && said(&entry.body)))
}

/// Answers a repeat from the store where a new posting would be refused.
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
        Ok(Some((seq, time))) => {
            Ok(Response::Posted { room: room.name_for(person.user.id), seq, time, duplicate: true })
        }
        Ok(None) => Err(refusal),
        Err(error) => Err(unavailable(&error)),
    }
}
