//! The timetable of an open loop: when each message is to be sent, whatever became of the earlier ones.
//!
//! Every delay is counted from the intended time. A client that counted from the real sending would forgive the
//! server each moment in which it, or this program because of it, was late: coordinated omission.

use std::time::{Duration, Instant};

pub(crate) struct Schedule {
    start: Instant,
    interval: Duration,
    rooms: usize,
    /// Only what is intended for this span is measured.
    window: (Instant, Instant),
    /// Delays of deliveries in nanoseconds.
    pub(crate) deliveries: Vec<u64>,
    /// Delays of acknowledgements in nanoseconds.
    pub(crate) acknowledgements: Vec<u64>,
}

impl Schedule {
    /// `rate` messages a second from `start` on, the rooms in turn; measured are those of `window` behind `warm_up`.
    pub(crate) fn new(start: Instant, rate: u32, rooms: usize, warm_up: Duration, window: Duration) -> Self {
        Self {
            start,
            interval: Duration::from_secs(1) / rate,
            rooms,
            window: (start + warm_up, start + warm_up + window),
            deliveries: Vec::new(),
            acknowledgements: Vec::new(),
        }
    }

    /// When the message that is the `turn`-th of all is to be sent, unless the schedule is over.
    pub(crate) fn due(&self, turn: u64) -> Option<Instant> {
        let due = self.intended(turn);
        (due < self.window.1).then_some(due)
    }

    pub(crate) fn measured_from(&self) -> Instant {
        self.window.0
    }

    fn intended(&self, turn: u64) -> Instant {
        self.start + Duration::from_nanos(self.interval.as_nanos() as u64 * turn)
    }

    pub(crate) fn delivered(&mut self, room: usize, number: u32, now: Instant) {
        self.deliveries.extend(self.delay(room, number, now));
    }

    pub(crate) fn acknowledged(&mut self, room: usize, number: u32, now: Instant) {
        self.acknowledgements.extend(self.delay(room, number, now));
    }

    /// The rooms take turns, so a room's message `number` has a fixed turn.
    fn delay(&self, room: usize, number: u32, now: Instant) -> Option<u64> {
        let intended = self.intended(u64::from(number) * self.rooms as u64 + room as u64);
        (intended >= self.window.0).then(|| now.saturating_duration_since(intended).as_nanos() as u64)
    }
}
