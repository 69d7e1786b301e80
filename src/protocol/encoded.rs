//! Entries that were encoded once, for everybody who follows the room in the native dialect.

use bytes::Bytes;

use crate::model::{Entry, RoomName, Seq};
use crate::protocol::native;

/// Several consecutive entries of one room as the bytes of their events. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Segment {
    room_after: RoomName,
    first: Seq,
    bytes: Bytes,
    /// Where each entry ends in `bytes`.
    ends: Box<[u32]>,
}

impl Segment {
    /// Encodes entries, which must be consecutive, of a room that was called `room` in front of them. At most 4 GiB of them,
    /// which is beyond anything that stays in memory.
    ///
    /// An entry that gives the room another name stands under that name, and so does what is behind it. That does not hold
    /// up to and including `known`: whoever has learnt the name there knows the room by no older one.
    pub fn encode(room: &RoomName, known: Seq, entries: &[Entry]) -> Segment {
        debug_assert!(entries.windows(2).all(|pair| pair[0].seq.next() == pair[1].seq), "entries are consecutive");
        // A guess that fits short messages, so that the buffer rarely has to move.
        let mut bytes = Vec::with_capacity(entries.len() * 256);
        let mut room_after = room;
        let ends = entries
            .iter()
            .map(|entry| {
                if entry.seq > known {
                    room_after = native::renames(entry).unwrap_or(room_after);
                }
                native::write_entry(room_after, entry, &mut bytes);
                u32::try_from(bytes.len()).unwrap_or(u32::MAX)
            })
            .collect();
        // What the guess was too large by would stay in memory for as long as the segment does.
        bytes.shrink_to_fit();
        let first = entries.first().map_or(Seq::ZERO, |entry| entry.seq);
        Segment { room_after: room_after.clone(), first, bytes: Bytes::from(bytes), ends }
    }

    /// What the room is called behind the last entry: whoever goes on from here needs it for the next ones.
    pub fn room_after(&self) -> &RoomName {
        &self.room_after
    }

    /// The first entry.
    pub fn first(&self) -> Seq {
        self.first
    }

    /// The last entry; in front of the first where there is none.
    pub fn last(&self) -> Seq {
        Seq((self.first.0 + self.ends.len() as u64).saturating_sub(1))
    }

    /// How many bytes it has.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The events of the entries behind `after`, up to and including `up_to`, as far as they are in here. Copies nothing.
    pub fn slice(&self, after: Seq, up_to: Seq) -> Bytes {
        let (start, end) = (self.end_of(after), self.end_of(up_to));
        if start < end { self.bytes.slice(start..end) } else { Bytes::new() }
    }

    /// Where an entry ends; 0 for those in front of this segment.
    fn end_of(&self, seq: Seq) -> usize {
        let count = seq.0.saturating_add(1).saturating_sub(self.first.0);
        let index = usize::try_from(count).unwrap_or(usize::MAX).min(self.ends.len());
        index.checked_sub(1).map_or(0, |index| self.ends[index] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, RoomChange};
    use crate::protocol::course::tests::said;
    use crate::protocol::json::tests::lines;
    use crate::protocol::{Dialect, native::Native};

    #[test]
    fn a_slice_is_the_events_behind_a_cursor() {
        let room = RoomName::parse("lobby").unwrap();
        let entries: Vec<_> = (7..=11).map(|seq| said(seq, "alice", &"x".repeat(seq as usize), false)).collect();
        let segment = Segment::encode(&room, Seq::ZERO, &entries);
        assert_eq!((segment.first(), segment.last()), (Seq(7), Seq(11)));
        let expected = |range: std::ops::RangeInclusive<u64>| {
            let mut out = Vec::new();
            for entry in entries.iter().filter(|entry| range.contains(&entry.seq.0)) {
                Native.entry(&room, entry, None, &mut out);
            }
            out
        };
        for after in 0..14 {
            for up_to in 0..14 {
                assert_eq!(segment.slice(Seq(after), Seq(up_to)), expected(after + 1..=up_to), "{after}..={up_to}");
            }
        }
        assert_eq!(segment.slice(Seq::ZERO, Seq(u64::MAX)).len(), segment.len_bytes());
    }

    #[test]
    fn a_renamed_room_has_its_new_name_from_that_entry_on() {
        let (old, new) = (RoomName::parse("lobby").unwrap(), RoomName::parse("hall").unwrap());
        let mut entries: Vec<_> = (7..=9).map(|seq| said(seq, "alice", "x", false)).collect();
        entries[1].body =
            Body::Room(RoomChange { name: Some(new.clone()), was: Some(old.clone()), ..RoomChange::default() });
        let segment = Segment::encode(&old, Seq::ZERO, &entries);
        let rooms: Vec<_> = lines(&segment.slice(Seq::ZERO, Seq(9))).iter().map(|line| line["room"].clone()).collect();
        assert_eq!(rooms, ["lobby", "hall", "hall"]);
        assert_eq!(segment.room_after(), &new);
        assert_eq!(Segment::encode(&old, Seq::ZERO, &entries[..1]).room_after(), &old);
        let back = RoomChange { name: Some(old.clone()), was: Some(new.clone()), ..RoomChange::default() };
        entries[2].body = Body::Room(back);
        assert_eq!(Segment::encode(&old, Seq::ZERO, &entries).room_after(), &old);
        let segment = Segment::encode(&old, Seq(9), &entries);
        let rooms: Vec<_> = lines(&segment.slice(Seq::ZERO, Seq(9))).iter().map(|line| line["room"].clone()).collect();
        assert_eq!(
            (rooms, segment.room_after()),
            (vec!["lobby".into(); 3], &old),
            "who joined later knows no other name"
        );
    }

    #[test]
    fn an_empty_segment_has_nothing_to_slice() {
        let segment = Segment::encode(&RoomName::parse("lobby").unwrap(), Seq::ZERO, &[]);
        assert_eq!(segment.slice(Seq::ZERO, Seq(9)), Bytes::new());
        assert_eq!((segment.len_bytes(), segment.last()), (0, Seq::ZERO));
    }
}
