//! The newest entries of a room in memory, and the sessions that follow it.
//!
//! The tail holds consecutive entries, already encoded, in the segments in which they were committed. It is a cache of
//! the log's end and nothing else: it may be dropped at any time, whole or from the front, and a reader whose cursor
//! stands before it reads the log.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::chat::session::Session;
use crate::model::{Seq, UserId};
use crate::protocol::encoded::Segment;

/// What a segment costs beyond its bytes.
const SEGMENT_OVERHEAD: usize = 160;

/// The newest entries in memory.
#[derive(Default)]
pub(crate) struct Tail {
    segments: VecDeque<Segment>,
}

/// What a tail has for a cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    /// The entries up to `last` were put into the caller's chunks.
    Took {
        /// The new cursor.
        last: Seq,
    },
    /// The entry behind the cursor is not in memory: read the log.
    Behind,
}

impl Tail {
    /// Adds the newest entries. What was there is dropped where they do not follow on it.
    ///
    /// Returns what this adds to the memory in use, in bytes.
    pub(crate) fn push(&mut self, segment: Segment) -> usize {
        if self.segments.back().is_some_and(|last| last.last().next() != segment.first()) {
            self.segments.clear();
        }
        let bytes = cost(&segment);
        self.segments.push_back(segment);
        bytes
    }

    /// Drops the oldest segments, up to and with the one that ends with `seq`.
    pub(crate) fn forget(&mut self, seq: Seq) {
        while self.segments.front().is_some_and(|segment| segment.last() <= seq) {
            self.segments.pop_front();
        }
        if self.segments.is_empty() {
            self.clear();
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.segments = VecDeque::new();
    }

    /// Adds the entries behind `after` up to and with `up_to` to `chunks`, without copying them; not all of them where
    /// that would be more than about `budget` bytes, but at least one.
    pub(crate) fn slice(&self, after: Seq, up_to: Seq, budget: usize, chunks: &mut Vec<Bytes>) -> Slice {
        let Some(first) = self.segments.front().map(Segment::first) else { return Slice::Behind };
        if after.next() < first {
            return Slice::Behind;
        }
        // Most readers are at the head, so the search starts there.
        let mut at = self.segments.len();
        while at > 0 && self.segments[at - 1].last() > after {
            at -= 1;
        }
        let (mut last, mut bytes) = (after, 0);
        for segment in self.segments.range(at..) {
            if last >= up_to || bytes >= budget {
                break;
            }
            let to = segment.last().min(up_to);
            let chunk = segment.slice(last, to);
            bytes += chunk.len();
            chunks.push(chunk);
            last = to;
        }
        if last == after { Slice::Behind } else { Slice::Took { last } }
    }
}

/// What a segment costs in memory.
pub(crate) fn cost(segment: &Segment) -> usize {
    segment.len_bytes() + SEGMENT_OVERHEAD
}

/// A session that follows a room.
pub(crate) struct Follower {
    /// The session, which is woken when the head has moved.
    pub(crate) session: Arc<Session>,
    /// Who it is.
    pub(crate) user: UserId,
}
