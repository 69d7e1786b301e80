//! The same picture for everybody, however the entries came to them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::client::wire::{self, Incoming};
use crate::model::Time;

/// What somebody does; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Deed {
    Say,
    Edit(usize),
    Delete(usize),
    React { target: usize, who: usize, emoji: usize },
    Topic,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => Just(Deed::Say),
        4 => any::<usize>().prop_map(Deed::Edit),
        1 => any::<usize>().prop_map(Deed::Delete),
        4 => (any::<usize>(), 0..3usize, 0..2usize).prop_map(|(target, who, emoji)| Deed::React { target, who, emoji }),
        1 => Just(Deed::Topic),
    ]
}

/// An entry as a server keeps it.
#[derive(Clone, Debug)]
enum Body {
    Message,
    Edit { target: u64, text: String },
    Delete { target: u64 },
    React { target: u64, who: String, emoji: String, remove: bool },
    Topic,
}

/// A server's log: the entry of number n stands at n - 1. Several entries share a moment.
#[derive(Debug)]
struct Server(Vec<Body>);

/// What is left of a message at some head.
struct Left {
    text: Option<String>,
    edited: Option<u64>,
    reactions: Vec<(String, Vec<String>)>,
}

impl Server {
    fn of(deeds: &[Deed]) -> Server {
        // There is always something to be about.
        let mut server = Server(vec![Body::Message]);
        for deed in deeds {
            let head = server.0.len() as u64;
            let messages: Vec<u64> = (1..=head)
                .filter(|&seq| matches!(server.0[seq as usize - 1], Body::Message))
                .filter(|&seq| server.left(seq, head).text.is_some())
                .collect();
            let chosen = |number: &usize| messages.get(number % messages.len().max(1)).copied();
            let body = match deed {
                Deed::Say => Some(Body::Message),
                Deed::Edit(number) => chosen(number).map(|target| Body::Edit { target, text: format!("edit {head}") }),
                Deed::Delete(number) => chosen(number).map(|target| Body::Delete { target }),
                Deed::React { target, who, emoji } => chosen(target).map(|target| {
                    let (who, emoji) = (format!("user{who}"), ["+", "-"][*emoji].to_owned());
                    let left = server.left(target, head);
                    let remove = left.reactions.iter().any(|(other, users)| *other == emoji && users.contains(&who));
                    Body::React { target, who, emoji, remove }
                }),
                Deed::Topic => Some(Body::Topic),
            };
            server.0.extend(body);
        }
        server
    }

    fn time(seq: u64) -> Time {
        Time(1_769_860_800_000 + seq as i64 / 3)
    }

    fn left(&self, seq: u64, head: u64) -> Left {
        let mut left = Left { text: Some(format!("text {seq}")), edited: None, reactions: Vec::new() };
        for at in seq + 1..=head {
            match &self.0[at as usize - 1] {
                Body::Edit { target, text } if *target == seq => {
                    (left.text, left.edited) = (Some(text.clone()), Some(at));
                }
                Body::Delete { target } if *target == seq => {
                    left = Left { text: None, edited: None, reactions: Vec::new() };
                }
                Body::React { target, who, emoji, remove } if *target == seq => {
                    let place = left.reactions.iter().position(|(other, _)| other == emoji);
                    match (place, remove) {
                        (Some(place), false) => left.reactions[place].1.push(who.clone()),
                        (Some(place), true) => {
                            left.reactions[place].1.retain(|other| other != who);
                            left.reactions.retain(|(_, users)| !users.is_empty());
                        }
                        (None, false) => left.reactions.push((emoji.clone(), vec![who.clone()])),
                        (None, true) => {}
                    }
                }
                _ => {}
            }
        }
        left
    }

    fn message(&self, seq: u64, head: u64) -> Value {
        let left = self.left(seq, head);
        let mut message = json!({"seq": seq, "from": "ann", "time": Server::time(seq).to_string(), "action": false});
        match left.text {
            Some(text) => message["text"] = text.into(),
            None => message["deleted"] = true.into(),
        }
        if let Some(edited) = left.edited {
            message["edited"] = Server::time(edited).to_string().into();
        }
        message
    }

    /// The entry as it is told while the log ends at `head`.
    fn event(&self, seq: u64, head: u64) -> Event {
        let mut event = match &self.0[seq as usize - 1] {
            Body::Message => {
                let mut message = self.message(seq, head);
                message["event"] = "message".into();
                message
            }
            Body::Edit { target, text } => {
                let mut edit = json!({"event": "edit", "target": target, "from": "ann"});
                let left = self.left(*target, head);
                if left.edited == Some(seq) && left.text.is_some() {
                    edit["text"] = text.as_str().into();
                }
                edit
            }
            Body::Delete { target } => json!({"event": "delete", "target": target, "from": "ann"}),
            Body::React { target, who, emoji, remove } => {
                json!({"event": "react", "target": target, "from": who, "emoji": emoji, "remove": remove})
            }
            Body::Topic => json!({"event": "topic", "topic": "x", "from": "ann"}),
        };
        event["room"] = "lobby".into();
        event["seq"] = seq.into();
        event["time"] = Server::time(seq).to_string().into();
        match wire::incoming(event.to_string().as_bytes()) {
            Ok(Incoming::Event(event)) => *event,
            _ => panic!("{event} is no event"),
        }
    }

    fn page(&self, head: u64) -> Page {
        let messages = (1..=head).filter(|&seq| matches!(self.0[seq as usize - 1], Body::Message)).map(|seq| {
            let mut message = self.message(seq, head);
            message["room"] = "lobby".into();
            let reactions = self.left(seq, head).reactions.into_iter();
            let reactions =
                reactions.map(|(emoji, users)| json!({"emoji": emoji, "count": users.len(), "users": users}));
            message["reactions"] = reactions.collect();
            message
        });
        let messages: Vec<Value> = messages.collect();
        serde_json::from_value(json!({"room": "lobby", "messages": messages, "first": 1, "head": head})).unwrap()
    }

    fn head(&self) -> u64 {
        self.0.len() as u64
    }

    /// As somebody sees it who was there all the time.
    fn live(&self) -> Vec<Event> {
        (1..=self.head()).map(|seq| self.event(seq, seq)).collect()
    }
}

/// What is to be seen. Reactions in the order of their names: after one is gone and back, pages and events may differ.
fn seen(log: &Log) -> Vec<String> {
    let shown = |message: &Message| {
        let Message { seq, text, edited, deleted, reactions, .. } = message;
        let mut reactions: Vec<String> =
            reactions.iter().map(|Reaction { emoji, count, users }| format!("{emoji} {count} {users:?}")).collect();
        reactions.sort();
        format!("{seq} {text:?} {edited:?} {deleted} {reactions:?}")
    };
    log.messages().map(shown).collect()
}

fn applied<'a>(events: impl IntoIterator<Item = &'a Event>) -> Log {
    let mut log = Log::new("lobby");
    for event in events {
        log.apply(event);
    }
    log
}

proptest! {
    #[test]
    fn live_events_pages_and_replays_come_to_the_same(
        deeds in prop::collection::vec(deed(), 1..40),
        // How far somebody had come when the connection was lost, and from where they begin again.
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
        page_at in any::<prop::sample::Index>(),
    ) {
        let server = Server::of(&deeds);
        let (head, live) = (server.head(), server.live());
        let whole = applied(&live);
        let expected = seen(&whole);

        // Once more, and from anywhere: as it was told then, or as it is told now.
        for (come, again) in &cuts {
            let come = come.index(live.len());
            let mut old = whole.clone();
            for event in live.iter().skip(come) {
                old.apply(event);
            }
            prop_assert_eq!(&seen(&old), &expected);

            let mut log = applied(live.iter().take(come));
            let again = again.index(come + 1) as u64;
            for seq in again + 1..=head {
                log.apply(&server.event(seq, head));
            }
            prop_assert_eq!(&seen(&log), &expected);
        }

        // A page in the middle of it, of which the events that it holds already come yet; and an old one at the end.
        let page_head = page_at.index(live.len()) as u64 + 1;
        let come = cuts[0].0.index(page_head as usize + 1);
        let mut log = applied(live.iter().take(come));
        log.add(&server.page(page_head));
        for seq in come as u64 + 1..=head {
            log.apply(&server.event(seq, seq.max(page_head)));
        }
        prop_assert_eq!(&seen(&log), &expected);
        log.add(&server.page(page_head));
        prop_assert_eq!(&seen(&log), &expected);

        // And the newest page alone.
        let mut log = Log::new("lobby");
        log.add(&server.page(head));
        prop_assert_eq!(&seen(&log), &expected);
    }
}

fn event(line: Value) -> Event {
    match wire::incoming(line.to_string().as_bytes()) {
        Ok(Incoming::Event(event)) => *event,
        _ => panic!("{line} is no event"),
    }
}

const TIME: &str = "2026-01-31T12:00:00.000Z";

#[test]
fn what_happens_elsewhere_or_to_nothing_changes_nothing() {
    let mut log = Log::new("lobby");
    let entries = [
        json!({"event": "message", "room": "other", "seq": 1, "from": "ann", "time": TIME, "text": "x"}),
        json!({"event": "edit", "room": "lobby", "seq": 2, "from": "ann", "time": TIME, "target": 9, "text": "x"}),
        json!({"event": "delete", "room": "lobby", "seq": 3, "from": "ann", "time": TIME, "target": 0}),
        json!({"event": "react", "room": "lobby", "seq": u64::MAX, "from": "ann", "time": TIME, "target": 1, "emoji": ""}),
        json!({"event": "notice", "text": "x"}),
    ];
    for entry in entries {
        assert_eq!(log.apply(&event(entry)), None);
    }
    assert!(log.is_empty());
}

#[test]
fn a_log_goes_on_when_its_room_gets_another_name() {
    let mut log = Log::new("old");
    log.apply(&event(json!({"event": "message", "room": "old", "seq": 1, "from": "ann", "time": TIME, "text": "x"})));
    log.apply(&event(json!({"event": "room", "room": "new", "seq": 2, "from": "ann", "time": TIME, "name": "new",
        "was": "old"})));
    let edit = json!({"event": "edit", "room": "new", "seq": 3, "from": "ann", "time": TIME, "target": 1, "text": "y"});
    assert_eq!(log.apply(&event(edit)), Some(Seq(1)));
    assert_eq!((log.room(), log.get(Seq(1)).map(|message| message.text.as_str())), ("new", Some("y")));
}

#[test]
fn somebody_who_was_only_counted_takes_a_reaction_back() {
    let mut log = Log::new("lobby");
    let message = json!({"room": "lobby", "seq": 1, "from": "ann", "time": TIME, "text": "x",
        "reactions": [{"emoji": "+", "count": 3, "users": ["ann"]}]});
    log.add(&serde_json::from_value(json!({"room": "lobby", "messages": [message], "head": 5})).unwrap());
    let count = |log: &Log| log.get(Seq(1)).unwrap().reactions.first().map(|reaction| reaction.count);
    for (seq, expected) in [(5, Some(3)), (6, Some(2)), (7, Some(1)), (8, Some(1))] {
        log.apply(&event(
            json!({"event": "react", "room": "lobby", "seq": seq, "from": "bob", "time": TIME, "target": 1,
            "emoji": "+", "remove": true}),
        ));
        assert_eq!(count(&log), expected, "{seq}");
    }
    log.apply(&event(json!({"event": "react", "room": "lobby", "seq": 9, "from": "ann", "time": TIME, "target": 1,
        "emoji": "+", "remove": true})));
    assert_eq!(count(&log), None);
}

#[test]
fn a_log_can_be_cut_at_either_end() {
    let mut log = Log::new("lobby");
    for seq in 1..=10 {
        log.apply(&event(json!({"event": "message", "room": "lobby", "seq": seq, "from": "ann", "time": TIME,
            "text": "x"})));
    }
    log.keep_newest(8);
    log.keep_oldest(2);
    assert_eq!(log.messages().map(|message| message.seq.0).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(log.len(), 2);
}
