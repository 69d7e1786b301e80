//! How far each followed room has come: what to ask for after a reconnect, and what was there before. Pure.
//!
//! A room is known by its name, which may change: what follows it goes by its new name then. A room that was renamed
//! while there was no connection is known by its epoch, which is a random word of its own. Entries from before a rename
//! are replayed under the old name, which may be another room's by now; they are known by their number, for the entries
//! of a room come without a gap.

use std::collections::BTreeMap;

use super::Start;
use super::answer::{Joined, ResumedRoom};
use super::event::{RoomChanged, RoomResumed};
use super::wire::Place;
use crate::model::Seq;

/// A room that is followed.
#[derive(Debug)]
struct Follow {
    epoch: Box<str>,
    /// The last entry that was handed on.
    last: u64,
    /// The newest entry when it was joined or resumed: up to there it is replayed.
    head: u64,
    /// The events start where the server says: the next entry is right, whatever its number.
    open: bool,
}

impl Follow {
    /// Whether that is the entry that comes next.
    fn awaits(&self, seq: u64) -> bool {
        if self.open { seq > self.last } else { self.last.checked_add(1) == Some(seq) }
    }
}

/// What is to be done with an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was handed on before.
    Seen,
    /// It is handed on.
    New,
    /// It is handed on under the name by which its room is followed.
    NewIn(String),
}

/// The rooms that are followed.
#[derive(Debug, Default)]
pub(super) struct Follows(BTreeMap<Box<str>, Follow>);

/// The most rooms in one `resume`: with the longest names and epochs it stays well under the frame limit.
const ROOMS_PER_RESUME: usize = 200;

impl Follows {
    /// The answer to a `join`.
    pub(super) fn joined(&mut self, joined: &Joined, start: &Start) {
        self.find(joined);
        let known = self.0.get(joined.room.as_str());
        let gone = joined.first.before().0;
        let (last, open) = match start {
            _ if joined.reset => (joined.head.0, false),
            // The stream of a room that is followed already simply goes on.
            Start::Now if known.is_some_and(|known| *known.epoch == *joined.epoch) => return,
            Start::Now => (joined.head.0, false),
            Start::Since { seq, .. } => (seq.0.max(gone), false),
            Start::Backlog(count) => (joined.head.0.saturating_sub(*count).max(gone), true),
        };
        self.0.insert(
            joined.room.as_str().into(),
            Follow { epoch: joined.epoch.as_str().into(), last, head: joined.head.0, open },
        );
    }

    /// One room of the answer to a `resume`.
    pub(super) fn resumed(&mut self, room: ResumedRoom) -> RoomResumed {
        match room {
            ResumedRoom::Refused { room, error, code } => {
                self.forget(&room);
                let refused = Some(if error.is_empty() { code } else { error });
                RoomResumed { room, was: None, reset: false, missed: 0, epoch: None, head: Seq::ZERO, refused }
            }
            ResumedRoom::Followed(joined) => {
                let was = self.find(&joined);
                let mut missed = 0;
                let epoch = joined.epoch.as_str().into();
                match self.0.get_mut(joined.room.as_str()) {
                    Some(follow) if !joined.reset => {
                        missed = joined.first.before().0.saturating_sub(follow.last);
                        *follow = Follow { epoch, last: follow.last + missed, head: joined.head.0, open: false };
                    }
                    _ => {
                        let follow = Follow { epoch, last: joined.head.0, head: joined.head.0, open: false };
                        self.0.insert(joined.room.as_str().into(), follow);
                    }
                }
                let Joined { room, epoch, head, reset, .. } = joined;
                RoomResumed { room, was, reset, missed, epoch: Some(epoch), head, refused: None }
            }
        }
    }

    /// Whether an entry is to be handed on, and where: not when it was before.
    pub(super) fn accept(&mut self, room: &str, seq: u64) -> Verdict {
        let awaited = self.0.get(room).is_some_and(|follow| follow.awaits(seq));
        let elsewhere = if awaited { None } else { self.replayed(room, seq) };
        let name = elsewhere.as_deref().unwrap_or(room);
        let Some(follow) = self.0.get_mut(name) else { return Verdict::New };
        if seq <= follow.last && !follow.open {
            return Verdict::Seen;
        }
        follow.last = seq;
        follow.open = false;
        elsewhere.map_or(Verdict::New, |name| Verdict::NewIn(name.into()))
    }

    /// The only other room that is being replayed and awaits just that entry.
    fn replayed(&self, room: &str, seq: u64) -> Option<Box<str>> {
        let mut rooms = self.0.iter().filter(|(name, follow)| {
            ***name != *room && seq <= follow.head && follow.last < follow.head && follow.awaits(seq)
        });
        match (rooms.next(), rooms.next()) {
            (Some((name, _)), None) => Some(name.clone()),
            _ => None,
        }
    }

    /// What a room is has changed: if its name did, it is followed by that from here on. Says by which name it is known
    /// now. A rename that was told before is an old story, and says nothing of who has that name now.
    pub(super) fn changed<'c>(&mut self, change: &'c RoomChanged) -> &'c str {
        let at = change.room.as_str();
        let (Some(name), Some(was)) = (change.name.as_deref(), change.was.as_deref()) else { return at };
        let (from, to) = match self.0.contains_key(at) {
            true if at == was => (was, name),
            true => return at,
            false => (was, at),
        };
        if self.0.get(from).is_some_and(|follow| follow.awaits(change.seq.0))
            && let Some(follow) = self.0.remove(from)
        {
            self.0.insert(to.into(), follow);
            return to;
        }
        at
    }

    /// Finds the room of an answer under a name that it had before; says which.
    fn find(&mut self, joined: &Joined) -> Option<String> {
        if joined.epoch.is_empty() || self.0.contains_key(joined.room.as_str()) {
            return None;
        }
        let was = self.0.iter().find(|(_, follow)| *follow.epoch == *joined.epoch)?.0.clone();
        let follow = self.0.remove(&was)?;
        self.0.insert(joined.room.as_str().into(), follow);
        Some(was.into())
    }

    /// The room is not followed any more.
    pub(super) fn forget(&mut self, room: &str) {
        self.0.remove(room);
    }

    /// Nothing is followed any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What to ask for in order to go on, in requests of a good size.
    pub(super) fn places(&self) -> Vec<BTreeMap<&str, Place<'_>>> {
        let all: Vec<_> = self.0.iter().collect();
        all.chunks(ROOMS_PER_RESUME)
            .map(|chunk| {
                chunk
                    .iter()
                    .map(|(room, follow)| (&***room, Place { since: follow.last, epoch: Some(&follow.epoch) }))
                    .collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(first: u64, head: u64, epoch: &str, reset: bool) -> Joined {
        let line = format!(r#"{{"room":"r","epoch":"{epoch}","first":{first},"head":{head},"reset":{reset}}}"#);
        serde_json::from_str(&line).unwrap()
    }

    fn last(follows: &Follows) -> u64 {
        follows.places()[0]["r"].since
    }

    #[test]
    fn a_join_sets_the_cursor_where_the_events_start() {
        let since = |seq| Start::Since { seq: Seq(seq), epoch: None };
        let cases = [
            (Start::Now, joined(1, 10, "e", false), 10),
            (since(4), joined(1, 10, "e", false), 4),
            (since(2), joined(7, 10, "e", false), 6),
            (since(99), joined(1, 10, "e", true), 10),
            (Start::Backlog(3), joined(1, 10, "e", false), 7),
            (Start::Backlog(30), joined(1, 10, "e", false), 0),
            (Start::Backlog(30), joined(5, 10, "e", false), 4),
        ];
        for (start, answer, expected) in cases {
            let mut follows = Follows::default();
            follows.joined(&answer, &start);
            assert_eq!(last(&follows), expected, "{start:?}");
        }
    }

    #[test]
    fn joining_again_lets_the_stream_go_on() {
        let mut follows = Follows::default();
        follows.joined(&joined(1, 10, "e", false), &Start::Since { seq: Seq(3), epoch: None });
        follows.joined(&joined(1, 12, "e", false), &Start::Now);
        assert_eq!(last(&follows), 3);
        follows.joined(&joined(1, 1, "other", true), &Start::Now);
        assert_eq!(last(&follows), 1);
    }

    #[test]
    fn an_entry_is_handed_on_once() {
        let mut follows = Follows::default();
        follows.joined(&joined(1, 10, "e", false), &Start::Now);
        assert_eq!(follows.accept("r", 10), Verdict::Seen);
        assert_eq!(follows.accept("r", 11), Verdict::New);
        assert_eq!(follows.accept("r", 11), Verdict::Seen);
        assert_eq!(follows.accept("r", 12), Verdict::New);
        assert_eq!(follows.accept("never joined", 1), Verdict::New);
        assert_eq!(follows.accept("r", u64::MAX), Verdict::New);
        assert_eq!(follows.accept("r", u64::MAX), Verdict::Seen);
    }

    fn renamed(room: &str, seq: u64, was: &str, name: &str) -> RoomChanged {
        let line = format!(
            r#"{{"room":"{room}","seq":{seq},"from":"ann","time":"2026-01-31T12:00:00.000Z","was":"{was}","name":"{name}"}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    fn names(follows: &Follows) -> Vec<&str> {
        follows.0.keys().map(|name| &**name).collect()
    }

    #[test]
    fn a_renamed_room_is_followed_by_its_new_name() {
        // The server may call the room by either name when it tells of the change.
        for room in ["r", "new"] {
            let mut follows = Follows::default();
            follows.joined(&joined(1, 10, "e", false), &Start::Now);
            assert_eq!(follows.changed(&renamed(room, 11, "r", "new")), "new");
            assert_eq!(names(&follows), ["new"]);
            assert_eq!((follows.accept("new", 10), follows.accept("new", 11)), (Verdict::Seen, Verdict::New));
        }
        // An old rename, replayed, says nothing of the room that has the name now.
        let mut follows = Follows::default();
        follows.joined(&joined(1, 10, "e", false), &Start::Now);
        follows.changed(&renamed("x", 4, "r", "x"));
        follows.changed(&renamed("r", 5, "was-once", "r"));
        follows.changed(&renamed("r", 6, "r", "never"));
        assert_eq!(names(&follows), ["r"]);
    }

    #[test]
    fn a_room_that_was_renamed_meanwhile_is_known_by_its_epoch() {
        let mut follows = Follows::default();
        follows.joined(&joined(1, 10, "e", false), &Start::Now);
        let mut answer = joined(1, 14, "e", false);
        answer.room = "new".to_owned();
        let resumed = follows.resumed(ResumedRoom::Followed(answer));
        assert_eq!((resumed.was.as_deref(), resumed.room.as_str()), (Some("r"), "new"));
        assert_eq!(names(&follows), ["new"]);
        // What is replayed comes under the old name, up to the rename.
        assert_eq!(follows.accept("r", 11), Verdict::NewIn("new".to_owned()));
        assert_eq!(follows.changed(&renamed("new", 12, "r", "new")), "new");
        assert_eq!(follows.accept("new", 12), Verdict::New);
        assert_eq!(follows.accept("new", 13), Verdict::New);
    }

    #[test]
    fn an_old_name_may_be_another_rooms_by_now() {
        let mut follows = Follows::default();
        follows.joined(&joined(1, 50, "other", false), &Start::Now);
        let mut answer = joined(1, 3, "e", false);
        answer.room = "new".to_owned();
        follows.joined(&answer, &Start::Since { seq: Seq(0), epoch: None });
        assert_eq!(follows.accept("r", 1), Verdict::NewIn("new".to_owned()));
        assert_eq!(follows.accept("r", 51), Verdict::New);
        assert_eq!(follows.changed(&renamed("new", 2, "r", "new")), "new");
        assert_eq!(follows.accept("new", 2), Verdict::New);
        assert_eq!(names(&follows), ["new", "r"]);
        assert_eq!(follows.accept("r", 52), Verdict::New);
    }

    #[test]
    fn a_resume_goes_on_or_starts_anew() {
        let mut follows = Follows::default();
        follows.joined(&joined(1, 10, "e", false), &Start::Now);
        let resumed = follows.resumed(ResumedRoom::Followed(joined(15, 20, "e", false)));
        assert_eq!((resumed.reset, resumed.missed, last(&follows)), (false, 4, 14));
        let resumed = follows.resumed(ResumedRoom::Followed(joined(1, 2, "f", true)));
        assert_eq!((resumed.reset, resumed.missed, last(&follows)), (true, 0, 2));
        assert_eq!((resumed.epoch.as_deref(), resumed.head), (Some("f"), Seq(2)));
        let refused = ResumedRoom::Refused { room: "r".into(), error: "No.".into(), code: "not_a_member".into() };
        assert_eq!(follows.resumed(refused).refused.as_deref(), Some("No."));
        assert!(follows.places().is_empty());
    }
}
