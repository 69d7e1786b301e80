//! The answers of a session, in the order of its requests.
//!
//! A slot is opened when a request is taken and filled when it is answered, which for a posting is after its commit. Only
//! a run of filled slots from the front may be sent. This is no queue of messages: it holds at most as many answers as
//! one session may have requests waiting.

use std::collections::VecDeque;

use crate::model::{RoomId, Seq};
use crate::protocol::{Answer, Refusal, Response, Tag};

/// How many requests may wait for their answers before the session stops reading.
pub(crate) const MOST_WAITING: usize = 64;

/// How many bytes of answers, roughly, may wait to be sent before the session stops reading.
const MOST_BYTES: usize = 64 * 1024;

/// An answer and what it needs to know of its request; or an error that answers no request.
#[derive(Debug)]
pub enum Answered {
    /// The answer to a request.
    Request(Tag, Answer),
    /// Something was wrong with the input.
    Fault(Refusal),
}

/// The answers of a session, in the order of its requests.
#[derive(Default)]
pub(crate) struct Outbox {
    slots: VecDeque<Slot>,
    /// The ticket of the slot in front.
    first: u64,
    waiting: usize,
    /// Postings that were answered, but whose entries nobody may see yet.
    unpublished: usize,
    bytes: usize,
}

struct Slot {
    tag: Option<Tag>,
    answer: Option<Answered>,
    bytes: usize,
    /// The entry that this answers, which the session's own stream must not show before.
    posted: Option<(RoomId, Seq)>,
}

/// Names a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Outbox {
    /// Opens a slot at the end, to be filled later.
    pub(crate) fn open(&mut self, tag: Tag) -> Ticket {
        let ticket = Ticket(self.first + self.slots.len() as u64);
        self.slots.push_back(Slot { tag: Some(tag), answer: None, bytes: 0, posted: None });
        self.waiting += 1;
        ticket
    }

    /// Fills a slot. `posted` is the entry that it answers.
    pub(crate) fn fill(&mut self, ticket: Ticket, answer: Answer, posted: Option<(RoomId, Seq)>) {
        let Some(slot) = ticket.0.checked_sub(self.first).and_then(|at| self.slots.get_mut(at as usize)) else {
            return;
        };
        let Some(tag) = slot.tag.take() else { return };
        slot.bytes = weight(&answer);
        self.bytes += slot.bytes;
        slot.answer = Some(Answered::Request(tag, answer));
        slot.posted = posted;
        self.waiting -= 1;
        self.unpublished += usize::from(posted.is_some());
    }

    /// The entries of all postings that were answered can be seen now.
    pub(crate) fn published(&mut self) {
        self.unpublished = 0;
    }

    /// Adds an answer at the end that is known already.
    pub(crate) fn push(&mut self, answered: Answered) {
        let bytes = if let Answered::Request(_, answer) = &answered { weight(answer) } else { 0 };
        self.bytes += bytes;
        self.slots.push_back(Slot { tag: None, answer: Some(answered), bytes, posted: None });
    }

    /// Takes what may be sent.
    pub(crate) fn take(&mut self, answers: &mut Vec<Answered>) {
        while self.slots.front().is_some_and(|slot| slot.answer.is_some()) {
            let Some(slot) = self.slots.pop_front() else { return };
            self.bytes -= slot.bytes;
            answers.extend(slot.answer);
            self.first += 1;
        }
        if self.slots.is_empty() {
            self.slots = VecDeque::new();
        }
    }

    /// Whether there is something that may be sent.
    pub(crate) fn is_ready(&self) -> bool {
        self.slots.front().is_some_and(|slot| slot.answer.is_some())
    }

    /// Up to where the session's own stream of a room may go: not as far as an entry whose answer was not sent yet.
    pub(crate) fn limit(&self, room: RoomId, head: Seq) -> Seq {
        let unsent = self.slots.iter().filter_map(|slot| slot.posted);
        unsent.filter(|(posted, _)| *posted == room).map(|(_, seq)| seq.before()).fold(head, Seq::min)
    }

    /// Whether another request may be taken.
    pub(crate) fn has_room(&self) -> bool {
        self.slots.len() < MOST_WAITING && self.bytes < MOST_BYTES
    }

    /// Whether every request so far has its answer, and what it posted can be seen.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting == 0 && self.unpublished == 0
    }

    /// Whether nothing waits at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// Roughly how many bytes an answer holds in memory and takes on the wire.
fn weight(answer: &Answer) -> usize {
    match answer {
        Ok(Response::History(page)) => 200 * page.messages.len() + page.messages.iter().map(text_bytes).sum::<usize>(),
        Ok(Response::Rooms { rooms, .. }) => 256 * rooms.len(),
        Ok(Response::Names { names, .. }) => 128 * names.len(),
        Ok(Response::LoggedIn(login)) => 256 * login.rooms.len(),
        Ok(Response::Resumed(rooms)) => 256 * rooms.len(),
        Ok(Response::Pong { data: Some(data), .. }) => data.len(),
        Ok(Response::Help) => 4096,
        _ => 128,
    }
}

fn text_bytes(entry: &crate::model::Entry) -> usize {
    match &entry.body {
        crate::model::Body::Message(message) => message.text.as_str().len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;

    fn tag(id: i64) -> Tag {
        Tag { id: Some(crate::protocol::RequestId::Int(id)), ..Tag::new(Kind::Message) }
    }

    fn ids(outbox: &mut Outbox) -> Vec<i64> {
        let mut answers = Vec::new();
        outbox.take(&mut answers);
        let id = |answered| match answered {
            Answered::Request(Tag { id: Some(crate::protocol::RequestId::Int(id)), .. }, _) => id,
            other => panic!("{other:?}"),
        };
        answers.into_iter().map(id).collect()
    }

    #[test]
    fn answers_leave_in_the_order_of_the_requests() {
        let mut outbox = Outbox::default();
        let tickets: Vec<Ticket> = (0..4).map(|id| outbox.open(tag(id))).collect();
        outbox.fill(tickets[1], Ok(Response::Help), None);
        assert_eq!(ids(&mut outbox), [0i64; 0]);
        outbox.fill(tickets[0], Ok(Response::Help), None);
        assert_eq!(ids(&mut outbox), [0, 1]);
        outbox.fill(tickets[3], Ok(Response::Help), None);
        outbox.fill(tickets[2], Ok(Response::Help), None);
        assert_eq!(ids(&mut outbox), [2, 3]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_entry_is_not_shown_to_its_author_before_the_answer() {
        let mut outbox = Outbox::default();
        let (first, second) = (outbox.open(tag(0)), outbox.open(tag(1)));
        outbox.fill(second, Ok(Response::Help), Some((RoomId(1), Seq(7))));
        assert_eq!(outbox.limit(RoomId(1), Seq(9)), Seq(6));
        assert_eq!(outbox.limit(RoomId(2), Seq(9)), Seq(9), "other rooms do not wait for it");
        outbox.fill(first, Ok(Response::Help), Some((RoomId(2), Seq(3))));
        assert_eq!(ids(&mut outbox), [0, 1]);
        assert_eq!(outbox.limit(RoomId(1), Seq(9)), Seq(9));
    }

    #[test]
    fn a_session_that_does_not_read_its_answers_stops_being_read() {
        let mut outbox = Outbox::default();
        let data: Box<str> = "x".repeat(MOST_BYTES).into();
        let pong = Response::Pong { data: Some(data), time: crate::model::Time(0) };
        outbox.push(Answered::Request(tag(0), Ok(pong)));
        assert!(!outbox.has_room());
        assert_eq!(ids(&mut outbox), [0]);
        for id in 0..MOST_WAITING as i64 {
            outbox.open(tag(id));
        }
        assert!(!outbox.has_room());
    }
}
