//! Committed entries, in commit order: answers, state, tail, head, wake. The only place where a head moves.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::chat::happenings::Happening;
use crate::chat::room::{Room, changes_state, cost};
use crate::chat::service::Chat;
use crate::chat::session::{Posting, Session, Timed, Waiter, unavailable};
use crate::chat::upkeep;
use crate::model::{Body, Entry, RoomId, Seq, Text};
use crate::protocol::encoded::Segment;
use crate::protocol::{Answer, Response};
use crate::store::{Origin, Outcome, Settled};

/// How much of all rooms' tails together is kept in memory, in bytes: the newest entries of the server. Enough for the
/// readers that are a few commits behind; whoever is further behind reads the log.
const TAIL_BYTES: usize = 4 * 1024 * 1024;

/// Publishes what was committed. Has to be run as long as the chat lives.
pub struct Publisher {
    chat: Arc<Chat>,
    settled: mpsc::Receiver<Vec<Settled>>,
    /// Whoever wants to know whether it is still there.
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    /// The segments in all tails, oldest first: the room, the last entry, and what it costs.
    kept: VecDeque<(Arc<Room>, Seq, usize)>,
    kept_bytes: usize,
    /// Where in `rooms` a room's part of the batch is.
    places: HashMap<RoomId, usize>,
}

/// What a batch holds for one room, in order.
struct Part {
    room: Arc<Room>,
    entries: Vec<Entry>,
    /// The highest number that was told to anybody.
    head: Seq,
    /// Somebody's membership has changed, or a change failed.
    changed: bool,
    /// How many appends it holds, whatever became of them.
    count: u64,
    /// The oldest of its entries that a session has posted, and when that was.
    timed: Option<(Seq, Instant)>,
}

/// Who asked for what a batch holds, to be told when it can be seen.
#[derive(Default)]
struct Told {
    posters: Vec<Arc<Session>>,
    callers: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

impl Publisher {
    pub(super) fn new(
        chat: Arc<Chat>,
        settled: mpsc::Receiver<Vec<Settled>>,
        asked: mpsc::Receiver<oneshot::Sender<()>>,
    ) -> Publisher {
        Publisher { chat, settled, asked, kept: VecDeque::new(), kept_bytes: 0, places: HashMap::new() }
    }

    /// Publishes until the store is closed, and meanwhile tidies up.
    ///
    /// # Cancel safety
    /// Each batch is published in one step, without an await.
    pub async fn run(mut self) {
        let upkeep = upkeep::run(Arc::clone(&self.chat));
        let publish = async {
            loop {
                tokio::select! {
                    // By chance, for there may always be another batch.
                    batch = self.settled.recv() => match batch {
                        Some(batch) => self.publish(batch),
                        None => return,
                    },
                    // The chat has the other end, so there is always another one.
                    Some(answer) = self.asked.recv() => {
                        self.touch_rooms();
                        // Whoever asked may have gone.
                        let _ = answer.send(());
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = publish => {}
            () = upkeep => {}
        }
    }

    /// Takes and gives back the locks of the rooms that always exist, as publishing would: where one of them is never given
    /// back, nobody is answered.
    fn touch_rooms(&self) {
        for room in self.chat.options().default_rooms.iter().filter_map(|name| self.chat.rooms.named(name)) {
            drop(room.ledger());
            drop(room.live());
        }
    }

    fn publish(&mut self, batch: Vec<Settled>) {
        let mut parts: Vec<Part> = Vec::new();
        let mut told = Told::default();
        self.places.clear();
        for Settled { room, origin, outcome } in batch {
            let at = match self.places.get(&room) {
                Some(at) => *at,
                None => {
                    let Some(room) = self.chat.rooms.by_id(room) else {
                        tracing::error!(room_id = room.0, "an entry was committed for a room that is not known");
                        continue;
                    };
                    self.places.insert(room.id, parts.len());
                    parts.push(Part {
                        room,
                        entries: Vec::new(),
                        head: Seq::ZERO,
                        changed: false,
                        count: 0,
                        timed: None,
                    });
                    parts.len() - 1
                }
            };
            parts[at].count += 1;
            self.settle(&mut parts[at], &mut told, origin, outcome);
        }
        for part in &mut parts {
            self.show(part);
        }
        // Only now, so that each session finds everything that this commit brought and sends it with one write.
        for part in &parts {
            for follower in &part.room.live().followers {
                follower.session.rouse();
            }
            if part.room.is_direct() && !part.entries.is_empty() {
                self.chat.announce_direct(&part.room);
            }
        }
        for part in &parts {
            if part.changed {
                part.room.note_change();
            }
        }
        for poster in told.posters {
            poster.published();
        }
        for (caller, outcome) in told.callers {
            // Nobody minds if the caller is gone.
            let _ = caller.send(outcome);
        }
        for part in &parts {
            part.room.note_published(part.count);
        }
    }

    /// Tells whoever asked for it what became of an append. The head has not moved yet.
    fn settle(&self, part: &mut Part, told: &mut Told, origin: Origin, outcome: Outcome) {
        let room = &part.room;
        if let Outcome::Failed { generation, .. } = &outcome {
            let users = room.ledger().failed(*generation);
            for user in users {
                self.chat.review(room, user);
            }
            part.changed = true;
        }
        let seq = match &outcome {
            Outcome::Appended(Entry { seq, .. }) | Outcome::Duplicate { seq, .. } => Some(*seq),
            Outcome::Unmet(_) | Outcome::Failed { .. } => None,
        };
        if let Some(seq) = seq {
            part.head = part.head.max(seq);
            // Whoever reads the answer may ask for what is behind it before the head has come there.
            room.tell(seq);
        }
        if let Outcome::Appended(entry) = &outcome {
            self.chat.counters.entry(&entry.body);
        }
        if let Outcome::Appended(entry) = &outcome
            && changes_state(&entry.body)
        {
            room.ledger().committed(entry);
            part.changed = true;
        }
        match origin.downcast::<Waiter>().map(|waiter| *waiter) {
            Ok(Waiter::Slot(session, ticket, posting, since)) => {
                let answer = answer(room, &session, posting, &outcome);
                session.settle(ticket, answer, seq.map(|seq| (room.id, seq)));
                if posting == Posting::Message
                    && matches!(outcome, Outcome::Duplicate { .. } | Outcome::Unmet(_))
                    && let Some(author) = session.viewer()
                {
                    room.ledger().state.has_not_spoken(author);
                }
                if matches!(outcome, Outcome::Duplicate { .. })
                    && let Some(person) = session.person()
                {
                    // A repeat is free.
                    person.floods().talk.give_back(self.chat.talk_rate());
                }
                // Runs of one poster are common; who is woken twice only finds nothing the second time.
                if told.posters.last().is_none_or(|last| !Arc::ptr_eq(last, &session)) {
                    told.posters.push(session);
                }
                if let Outcome::Appended(entry) = outcome {
                    part.timed = part.timed.or(Some((entry.seq, since)));
                    part.entries.push(entry);
                }
            }
            Ok(Waiter::Call(caller)) => {
                if let Outcome::Appended(entry) = &outcome {
                    part.entries.push(entry.clone());
                }
                told.callers.push((caller, outcome));
            }
            Ok(Waiter::Nobody) => {
                if let Outcome::Appended(entry) = outcome {
                    part.entries.push(entry);
                }
            }
            Err(_) => tracing::error!(room = %room.name(), "an entry was committed that nobody asked for"),
        }
    }

    /// Lets the room's followers see its part of the batch.
    fn show(&mut self, part: &mut Part) {
        let room = &part.room;
        for entry in &part.entries {
            if let Body::Member { user_id, change, reason, .. } = &entry.body
                && change.puts_out()
            {
                // Before the head moves: nothing behind this entry is for them.
                self.chat.put_out(room, *user_id, entry.seq, change.as_str(), reason.clone());
            }
        }
        let rewritten = catch_up(&mut part.entries);
        let name = self.chat.feed.is_heard().then(|| name_for_host(room));
        let renamed = part.entries.iter().rev().find_map(|entry| match &entry.body {
            Body::Room(change) => change.name.clone(),
            _ => None,
        });
        let mut live = room.live();
        if live.followers.is_empty() || rewritten || renamed.is_some() {
            // What is in memory does not show what was edited or deleted; the log does.
            live.clear_tails();
        }
        // Where it has another name, each follower goes on from the name by which it knows the room: it reads the log.
        if !live.followers.is_empty() && !part.entries.is_empty() && renamed.is_none() {
            match &room.sides {
                None => {
                    let segment = Segment::encode(&room.name(), Seq::ZERO, &part.entries);
                    self.keep(room, &segment);
                    live.tail.push(segment);
                }
                Some([one, other]) => {
                    let segment = Segment::encode(&room.name_for(one.user), Seq::ZERO, &part.entries);
                    self.keep(room, &segment);
                    live.tail.push(segment);
                    let segment = Segment::encode(&room.name_for(other.user), Seq::ZERO, &part.entries);
                    self.keep(room, &segment);
                    live.other_tail.push(segment);
                }
            }
        }
        // One of them for each commit: that tells how long it takes, and costs the others nothing.
        let sample = part.timed.and_then(|timed| Some((timed, Arc::clone(&live.followers.last()?.session))));
        drop(live);
        if let Some(((seq, since), follower)) = sample {
            follower.time(Timed { room: room.id, seq, since });
        }
        if let Some(name) = renamed {
            self.chat.rooms.rename(room, name);
        }
        room.advance(part.head);
        if let Some(name) = name {
            self.chat.feed.tell(|| happenings(name, &part.entries));
        }
        while self.kept_bytes > TAIL_BYTES
            && let Some((room, last, bytes)) = self.kept.pop_front()
        {
            let mut live = room.live();
            live.tail.forget(last);
            live.other_tail.forget(last);
            drop(live);
            self.kept_bytes -= bytes;
        }
    }

    fn keep(&mut self, room: &Arc<Room>, segment: &Segment) {
        self.kept.push_back((Arc::clone(room), segment.last(), cost(segment)));
        self.kept_bytes += cost(segment);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Nothing is published any more.
        self.chat.feed.end();
    }
}

/// What a room is called where no user sees it.
fn name_for_host(room: &Room) -> String {
    match &room.sides {
        None => room.name().as_str().to_owned(),
        Some([one, other]) => format!("@{}:{}", one.name, other.name),
    }
}

/// What those who listen are told of a batch's entries in a room, which had this name before.
fn happenings(mut name: String, entries: &[Entry]) -> Vec<Happening> {
    let happening = |entry: &Entry| {
        let room = name.clone();
        if let Body::Room(change) = &entry.body
            && let Some(renamed) = &change.name
        {
            name = renamed.as_str().to_owned();
        }
        Happening::Entry { room, entry: entry.clone() }
    };
    entries.iter().map(happening).collect()
}

/// What a posting is answered with.
fn answer(room: &Room, session: &Session, posting: Posting, outcome: &Outcome) -> Answer {
    let (seq, time, duplicate) = match outcome {
        Outcome::Appended(entry) => (entry.seq, entry.time, false),
        Outcome::Duplicate { seq, time } => (*seq, *time, true),
        Outcome::Unmet(unmet) => return Err(posting.refusal(*unmet)),
        Outcome::Failed { error, .. } => return Err(unavailable(error)),
    };
    Ok(match posting {
        Posting::Message => {
            let room = session.viewer().map_or_else(|| room.name(), |viewer| room.name_for(viewer));
            Response::Posted { room, seq, time, duplicate }
        }
        Posting::Change => Response::Changed { seq },
    })
}

/// Makes the entries of a batch say what the later ones among them have left of the earlier ones: whoever sees them first
/// now sees what the log shows from now on. True if there was an edit or deletion.
fn catch_up(entries: &mut [Entry]) -> bool {
    let mut rewritten = false;
    for at in 0..entries.len() {
        let (earlier, later) = entries.split_at_mut(at);
        let Some(Entry { time, body, .. }) = later.first() else { break };
        let (target, now) = match body {
            Body::Edit { target, text } => (*target, text.clone()),
            Body::Delete { target, .. } => (*target, None),
            _ => continue,
        };
        rewritten = true;
        for entry in earlier {
            match &mut entry.body {
                Body::Message(message) if entry.seq == target => match &now {
                    Some(text) => (message.text, message.edited) = (text.clone(), Some(*time)),
                    None => (message.text, message.deleted) = (Text::trusted(""), true),
                },
                Body::Edit { target: edited, text } if *edited == target => *text = None,
                _ => {}
            }
        }
    }
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, Time, UserId};

    fn entry(seq: u64, body: Body) -> Entry {
        Entry { seq: Seq(seq), time: Time(seq as i64), author: UserId(1), from: "a".into(), body }
    }

    #[test]
    fn a_batch_shows_what_its_later_entries_have_left_of_the_earlier_ones() {
        let said = |text: &str| Body::Message(Message::new(Text::trusted(text)));
        let edit = |target, text: &str| Body::Edit { target: Seq(target), text: Some(Text::trusted(text)) };
        let mut entries = vec![
            entry(1, said("one")),
            entry(2, said("two")),
            entry(3, edit(1, "first")),
            entry(4, edit(1, "second")),
            entry(5, Body::Delete { target: Seq(2), reason: None }),
            entry(6, edit(9, "of an earlier batch")),
        ];
        assert!(catch_up(&mut entries));
        let Body::Message(message) = &entries[0].body else { panic!() };
        assert_eq!((message.text.as_str(), message.edited), ("second", Some(Time(4))));
        let Body::Message(message) = &entries[1].body else { panic!() };
        assert_eq!((message.text.as_str(), message.deleted), ("", true));
        assert_eq!(entries[2].body, Body::Edit { target: Seq(1), text: None });
        assert_eq!(entries[3].body, edit(1, "second"));
        assert_eq!(entries[5].body, edit(9, "of an earlier batch"));
        assert!(!catch_up(&mut [entry(1, said("x"))]));
    }
}
