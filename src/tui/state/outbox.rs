//! What was typed and is not in the log yet. Nothing leaves it but by an acknowledgement or by the hand of who typed it.
//!
//! In each room one message at a time is on its way, so that they arrive in the order in which they were typed; each has
//! a nonce from the start, so that sending it again after a lost connection never makes two of it.

use crate::client::Draft;
use crate::model::{Seq, Time};

use super::room::RoomKey;

/// How long to wait before what the server could not take now is sent again, in milliseconds.
const AGAIN_MS: i64 = 3_000;

/// A message that was typed here.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: u64,
    pub(crate) room: RoomKey,
    pub(crate) text: String,
    pub(crate) action: bool,
    pub(crate) reply_to: Option<Seq>,
    pub(crate) time: Time,
    pub(crate) sending: Sending,
    nonce: String,
    /// As which guest it was tried first: the nonces of another one mean nothing.
    tried_as: Option<u32>,
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// It waits for its turn, and in any case until then.
    Waiting { until: Time },
    /// It is on its way.
    UnderWay,
    /// It is stored under that number; its entry is about to come.
    Stored(Seq),
    /// The server refused it, for that reason.
    Refused(String),
    /// Nobody can find out whether it was stored.
    Unsure,
}

/// Why the server has not acknowledged a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not stored: the sentence says why.
    Refused(String),
    /// It is stored once or not at all; sending it again settles it, and that makes sense after so many milliseconds.
    Unknown { after_ms: Option<i64> },
}

/// The messages that were typed and are not in the log yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Vec<Outgoing>,
    last_id: u64,
    /// What the nonces of this screen begin with.
    prefix: String,
    /// How often the server has forgotten who we are.
    guest: u32,
}

impl Outbox {
    /// An empty one; the prefix is random, for no two screens may use the same nonces.
    pub(crate) fn new(prefix: String) -> Outbox {
        Outbox { prefix, ..Outbox::default() }
    }

    /// Takes in what was typed.
    pub(crate) fn push(&mut self, room: RoomKey, draft: Draft, now: Time) {
        self.last_id += 1;
        let nonce = format!("{}-{}", self.prefix, self.last_id);
        let Draft { text, action, reply_to, .. } = draft;
        let sending = Sending::Waiting { until: now };
        let id = self.last_id;
        self.waiting.push(Outgoing { id, room, text, action, reply_to, time: now, sending, nonce, tried_as: None });
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Outgoing] {
        &self.waiting
    }

    /// Those of a room.
    pub(crate) fn of(&self, room: RoomKey) -> impl DoubleEndedIterator<Item = &Outgoing> {
        self.waiting.iter().filter(move |outgoing| outgoing.room == room)
    }

    /// Those of a room that are shown: what is stored and has come is not.
    pub(crate) fn shown(&self, room: RoomKey, newest: Seq) -> impl DoubleEndedIterator<Item = &Outgoing> {
        self.of(room).filter(move |outgoing| !matches!(outgoing.sending, Sending::Stored(seq) if seq <= newest))
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Outgoing> {
        self.waiting.iter().find(|outgoing| outgoing.id == id)
    }

    /// How many are neither stored nor given up.
    pub(crate) fn unsent(&self) -> usize {
        self.waiting.iter().filter(|outgoing| !matches!(outgoing.sending, Sending::Stored(_))).count()
    }

    /// Which messages are to be sent now, each with its nonce: of each open room the first that waits, where none is on its
    /// way and its time has come.
    pub(crate) fn due(&mut self, now: Time, is_open: impl Fn(RoomKey) -> bool) -> Vec<(u64, RoomKey, Draft)> {
        let guest = self.guest;
        for outgoing in &mut self.waiting {
            let other = outgoing.tried_as.is_some_and(|tried| tried != guest);
            if other && matches!(outgoing.sending, Sending::Waiting { .. }) {
                outgoing.sending = Sending::Unsure;
            }
        }
        let mut busy: Vec<RoomKey> = Vec::new();
        let mut due = Vec::new();
        for outgoing in &mut self.waiting {
            match outgoing.sending {
                Sending::UnderWay => busy.push(outgoing.room),
                Sending::Waiting { until } if !busy.contains(&outgoing.room) => {
                    busy.push(outgoing.room);
                    if until <= now && is_open(outgoing.room) {
                        outgoing.sending = Sending::UnderWay;
                        outgoing.tried_as = Some(guest);
                        let draft = Draft {
                            text: outgoing.text.clone(),
                            nonce: Some(outgoing.nonce.clone()),
                            reply_to: outgoing.reply_to,
                            action: outgoing.action,
                            ..Draft::default()
                        };
                        due.push((outgoing.id, outgoing.room, draft));
                    }
                }
                _ => {}
            }
        }
        due
    }

    /// When the next one is to be sent that [`due`](Outbox::due) would find: nobody wakes up for one that cannot go.
    pub(crate) fn next_due(&self, is_open: impl Fn(RoomKey) -> bool) -> Option<Time> {
        let mut busy: Vec<RoomKey> = Vec::new();
        let mut times = Vec::new();
        for outgoing in &self.waiting {
            match outgoing.sending {
                Sending::UnderWay => busy.push(outgoing.room),
                Sending::Waiting { until } if !busy.contains(&outgoing.room) => {
                    busy.push(outgoing.room);
                    times.extend(Some(until).filter(|_| is_open(outgoing.room)));
                }
                _ => {}
            }
        }
        times.into_iter().min()
    }

    /// A room is closed: what waits for it stays, with the reason, until it is sent again or thrown away by hand.
    pub(crate) fn closed(&mut self, room: RoomKey, why: &str) {
        for outgoing in self.waiting.iter_mut().filter(|outgoing| outgoing.room == room) {
            if matches!(outgoing.sending, Sending::Waiting { .. }) {
                outgoing.sending = match outgoing.tried_as {
                    None => Sending::Refused(why.to_owned()),
                    Some(_) => Sending::Unsure,
                };
            }
        }
    }

    /// A message is stored.
    pub(crate) fn stored(&mut self, id: u64, seq: Seq) {
        if let Some(outgoing) = self.waiting.iter_mut().find(|outgoing| outgoing.id == id) {
            outgoing.sending = Sending::Stored(seq);
        }
    }

    /// A message was not acknowledged.
    pub(crate) fn failed(&mut self, id: u64, failure: Failure, now: Time) {
        let guest = self.guest;
        let Some(outgoing) = self.waiting.iter_mut().find(|outgoing| outgoing.id == id) else { return };
        outgoing.sending = match failure {
            Failure::Refused(why) => Sending::Refused(why),
            Failure::Unknown { .. } if outgoing.tried_as != Some(guest) => Sending::Unsure,
            Failure::Unknown { after_ms } => {
                Sending::Waiting { until: Time(now.0.saturating_add(after_ms.unwrap_or(AGAIN_MS))) }
            }
        };
    }

    /// The connection is there again: nothing that waits has to wait longer.
    pub(crate) fn connected(&mut self, new_guest: bool) {
        if new_guest {
            self.guest += 1;
        }
        self.hurry();
    }

    /// The entries of a room up to that one have come: what is stored among them is in the log.
    pub(crate) fn came(&mut self, room: RoomKey, newest: Seq) {
        self.waiting.retain(|outgoing| {
            outgoing.room != room || !matches!(outgoing.sending, Sending::Stored(seq) if seq <= newest)
        });
    }

    /// Sends again what was refused or is unsure in a room, under the same nonce. Says how many.
    pub(crate) fn retry(&mut self, room: RoomKey, now: Time) -> usize {
        let mut count = 0;
        for outgoing in self.waiting.iter_mut().filter(|outgoing| outgoing.room == room) {
            if matches!(outgoing.sending, Sending::Refused(_) | Sending::Unsure) {
                outgoing.sending = Sending::Waiting { until: now };
                outgoing.tried_as = None;
                count += 1;
            }
        }
        count
    }

    /// Throws away what was refused or is unsure in a room; the texts go back to whoever typed them.
    pub(crate) fn discard(&mut self, room: RoomKey) -> Vec<String> {
        let gone = |outgoing: &mut Outgoing| {
            outgoing.room == room && matches!(outgoing.sending, Sending::Refused(_) | Sending::Unsure)
        };
        self.waiting.extract_if(.., gone).map(|outgoing| outgoing.text).collect()
    }

    /// What was to be said in one room is to be said in another: they turned out to be the same.
    pub(crate) fn hand_over(&mut self, from: RoomKey, to: RoomKey) {
        for outgoing in self.waiting.iter_mut().filter(|outgoing| outgoing.room == from) {
            outgoing.room = to;
        }
    }

    /// Whether something of a room is neither stored nor given up.
    pub(crate) fn has_unsent(&self, room: RoomKey) -> bool {
        self.of(room).any(|outgoing| !matches!(outgoing.sending, Sending::Stored(_)))
    }

    /// The clock was set back: nothing waits for a time that is far away by now.
    pub(crate) fn hurry(&mut self) {
        for outgoing in &mut self.waiting {
            if let Sending::Waiting { until } = &mut outgoing.sending {
                *until = Time::default();
            }
        }
    }

    /// A room is gone for good, and with it what was to be said in it.
    pub(crate) fn forget(&mut self, room: RoomKey) {
        self.waiting.retain(|outgoing| outgoing.room != room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000_000);
    const ROOM: RoomKey = RoomKey(1);

    fn outbox(texts: &[&str]) -> Outbox {
        let mut outbox = Outbox::new("p".to_owned());
        for text in texts {
            outbox.push(ROOM, Draft::new("", *text), NOW);
        }
        outbox
    }

    fn due(outbox: &mut Outbox, now: Time) -> Vec<(String, String)> {
        let due = outbox.due(now, |_| true);
        due.into_iter().map(|(_, _, draft)| (draft.text, draft.nonce.unwrap_or_default())).collect()
    }

    fn pair(text: &str, nonce: &str) -> (String, String) {
        (text.to_owned(), nonce.to_owned())
    }

    #[test]
    fn one_message_of_a_room_is_on_its_way_at_a_time() {
        let mut outbox = outbox(&["one", "two"]);
        outbox.push(RoomKey(2), Draft::new("", "elsewhere"), NOW);
        assert_eq!(due(&mut outbox, NOW), [pair("one", "p-1"), pair("elsewhere", "p-3")]);
        assert_eq!(due(&mut outbox, NOW), []);
        outbox.stored(1, Seq(5));
        assert_eq!(due(&mut outbox, NOW), [pair("two", "p-2")]);
        assert_eq!(outbox.shown(ROOM, Seq(5)).count(), 1);
        outbox.came(ROOM, Seq(5));
        assert_eq!(outbox.of(ROOM).count(), 1);
    }

    #[test]
    fn what_is_unknown_is_sent_again_under_the_same_nonce_and_before_what_follows() {
        let mut outbox = outbox(&["one", "two"]);
        due(&mut outbox, NOW);
        outbox.failed(1, Failure::Unknown { after_ms: Some(500) }, NOW);
        assert_eq!(due(&mut outbox, NOW), []);
        assert_eq!(outbox.next_due(|_| true), Some(Time(NOW.0 + 500)));
        assert_eq!(due(&mut outbox, Time(NOW.0 + 500)), [pair("one", "p-1")]);
        outbox.failed(1, Failure::Unknown { after_ms: None }, NOW);
        outbox.connected(false);
        assert_eq!(due(&mut outbox, NOW), [pair("one", "p-1")]);
    }

    #[test]
    fn nobody_wakes_up_for_what_cannot_go() {
        let mut outbox = outbox(&["one", "two"]);
        assert_eq!((outbox.next_due(|_| true), outbox.next_due(|_| false)), (Some(NOW), None));
        due(&mut outbox, NOW);
        // The second one goes behind the answer to the first.
        assert_eq!(outbox.next_due(|_| true), None);
        outbox.stored(1, Seq(5));
        assert_eq!(outbox.next_due(|_| true), Some(NOW));
    }

    #[test]
    fn a_closed_room_gives_back_what_waited_for_it() {
        let mut outbox = outbox(&["tried", "not tried"]);
        outbox.push(RoomKey(2), Draft::new("", "elsewhere"), NOW);
        due(&mut outbox, NOW);
        outbox.failed(1, Failure::Unknown { after_ms: None }, NOW);
        outbox.closed(ROOM, "you were put out");
        assert_eq!(outbox.get(1).map(|outgoing| &outgoing.sending), Some(&Sending::Unsure));
        let refused = Sending::Refused("you were put out".to_owned());
        assert_eq!(outbox.get(2).map(|outgoing| &outgoing.sending), Some(&refused));
        assert_eq!(outbox.get(3).map(|outgoing| &outgoing.sending), Some(&Sending::UnderWay));
        assert_eq!(outbox.discard(ROOM).len(), 2);
    }

    #[test]
    fn what_is_refused_stays_and_holds_up_nothing() {
        let mut outbox = outbox(&["bad", "good"]);
        due(&mut outbox, NOW);
        outbox.failed(1, Failure::Refused("no".to_owned()), NOW);
        assert_eq!(due(&mut outbox, NOW), [pair("good", "p-2")]);
        outbox.stored(2, Seq(1));
        outbox.came(ROOM, Seq(1));
        assert_eq!((outbox.unsent(), outbox.retry(ROOM, NOW)), (1, 1));
        assert_eq!(due(&mut outbox, NOW), [pair("bad", "p-1")]);
        outbox.failed(1, Failure::Refused("no".to_owned()), NOW);
        assert_eq!(outbox.discard(ROOM), ["bad"]);
        assert_eq!(outbox.unsent(), 0);
    }

    #[test]
    fn another_guest_does_not_repeat_what_may_be_stored() {
        let mut outbox = outbox(&["tried", "never tried"]);
        due(&mut outbox, NOW);
        outbox.connected(true);
        outbox.failed(1, Failure::Unknown { after_ms: None }, NOW);
        assert_eq!(outbox.get(1).map(|outgoing| &outgoing.sending), Some(&Sending::Unsure));
        assert_eq!(due(&mut outbox, NOW), [pair("never tried", "p-2")]);
        // The other order of things: the answer first, the new guest then.
        let mut outbox = self::outbox(&["tried"]);
        due(&mut outbox, NOW);
        outbox.failed(1, Failure::Unknown { after_ms: None }, NOW);
        outbox.connected(true);
        assert_eq!(due(&mut outbox, NOW), []);
        assert_eq!(outbox.get(1).map(|outgoing| &outgoing.sending), Some(&Sending::Unsure));
    }
}
