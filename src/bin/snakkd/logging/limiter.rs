//! Lets only so many lines of a kind through, and counts the others: whoever attacks the server must not fill the disk, and
//! must not hide what else there is to say. A kind is a place in the program that says something, so there are only so many
//! of them. The time is handed in.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use snakk::model::{Clock, SystemClock, Time};
use tracing::Level;

use super::line::{self, Line, SUPPRESSED};

/// How often a kind may be seen.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// So many at once,
    burst: u32,
    /// and then one each time that so much has passed.
    pause: Duration,
}

/// What everybody logs.
const NEWS: Pace = Pace { burst: 10, pause: Duration::from_secs(5) };
/// What somebody logs who looks for something, and wants to see more of it than a few lines.
const DETAILS: Pace = Pace { burst: 100, pause: Duration::from_millis(100) };
/// What the program itself says: it follows from what its operator does, who wants to see all of it.
const PROGRAM: &str = "snakkd";
/// Except for the part of it that reports panics, for those may follow from what anybody does.
const PANICS: &str = "snakkd::logging";

/// What is to be done with a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is written.
    Write,
    /// It is written, behind another one that tells how many were left out before it.
    WriteBehind(Line),
    /// It is left out.
    LeaveOut,
}

/// All kinds of lines that were seen lately. `K` tells kinds apart.
#[derive(Debug)]
pub(super) struct Limiter<K> {
    kinds: HashMap<K, Kind>,
}

/// A bucket, and what did not come out of it.
#[derive(Debug)]
struct Kind {
    /// When the bucket will be full.
    full_at: Instant,
    left_out: u64,
    /// The line that was left out last but for its fields, if one was.
    like: Option<Line>,
}

impl<K: Eq + Hash> Limiter<K> {
    pub(super) fn new() -> Limiter<K> {
        Limiter { kinds: HashMap::new() }
    }

    /// Whether a line is written.
    pub(super) fn judge(&mut self, kind: K, line: &Line, now: Instant) -> Verdict {
        let Some(pace) = pace(line) else { return Verdict::Write };
        let kind = self.kinds.entry(kind).or_insert(Kind { full_at: now, left_out: 0, like: None });
        let full_at = kind.full_at.max(now) + pace.pause;
        if full_at > now + pace.pause * pace.burst {
            kind.left_out += line.weight();
            if kind.like.is_none() {
                kind.like = Some(Line { fields: Vec::new(), ..line.clone() });
            }
            return Verdict::LeaveOut;
        }
        kind.full_at = full_at;
        kind.sum_up(line.time).map_or(Verdict::Write, Verdict::WriteBehind)
    }

    /// What was left out since anybody was told, a line for each kind. Forgets those that could as well be new.
    pub(super) fn sum_up(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        self.kinds.retain(|_, kind| {
            lines.extend(kind.sum_up(SystemClock.now()));
            kind.full_at > now
        });
        lines
    }
}

impl Kind {
    /// How many were left out, as a line that is said then.
    fn sum_up(&mut self, time: Time) -> Option<Line> {
        let like = self.like.take()?;
        let left_out = std::mem::take(&mut self.left_out);
        let message = line::harmless(format_args!("{left_out} more like this: {}", like.message));
        Some(Line { time, message, ..like }.with(SUPPRESSED, left_out))
    }
}

fn pace(line: &Line) -> Option<Pace> {
    let program = line.target.split("::").next() == Some(PROGRAM) && line.target != PANICS;
    if program {
        None
    } else if line.level > Level::INFO {
        Some(DETAILS)
    } else {
        Some(NEWS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        Line::new(Level::WARN, "snakk::net", message.to_owned()).with("peer", "127.0.0.1")
    }

    /// How many of so many are written, and what is told to have been left out before them.
    fn flood(limiter: &mut Limiter<u32>, kind: u32, line: &Line, now: Instant, times: u32) -> (u32, Vec<String>) {
        let (mut written, mut told) = (0, Vec::new());
        for _ in 0..times {
            match limiter.judge(kind, line, now) {
                Verdict::Write => written += 1,
                Verdict::WriteBehind(summary) => {
                    written += 1;
                    told.push(summary.message);
                }
                Verdict::LeaveOut => {}
            }
        }
        (written, told)
    }

    #[test]
    fn a_flood_is_written_in_part_and_counted_in_full() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut limiter = Limiter::new();
        let none = Vec::<String>::new();
        assert_eq!(flood(&mut limiter, 1, &line("no"), at(0), 100), (10, none.clone()));
        // Another kind is another matter.
        assert_eq!(flood(&mut limiter, 2, &line("so"), at(0), 3), (3, none.clone()));
        assert_eq!(flood(&mut limiter, 1, &line("no"), at(4), 10), (0, none.clone()));
        assert_eq!(flood(&mut limiter, 1, &line("no"), at(5), 10), (1, vec!["100 more like this: no".to_owned()]));
        assert_eq!(flood(&mut limiter, 1, &line("no"), at(15), 10), (2, vec!["9 more like this: no".to_owned()]));
        let told = limiter.sum_up(at(16));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].message, "8 more like this: no");
        assert_eq!((told[0].level, told[0].target), (Level::WARN, "snakk::net"));
        assert_eq!(told[0].fields, [(SUPPRESSED, 8.into())]);
        assert_eq!(limiter.sum_up(at(16)), []);
        // After a quiet time it is as in the beginning.
        assert_eq!(flood(&mut limiter, 1, &line("no"), at(1000), 100), (10, none));
    }

    #[test]
    fn a_long_flood_leaves_a_line_each_pause() {
        let start = Instant::now();
        let mut limiter = Limiter::new();
        let mut written = 0;
        for ms in 0..60_000 {
            written += flood(&mut limiter, 1, &line("no"), start + Duration::from_millis(ms), 1).0;
        }
        assert_eq!(written, 21, "ten at once, and one each five seconds");
    }

    #[test]
    fn kinds_are_forgotten_when_they_could_as_well_be_new() {
        let start = Instant::now();
        let mut limiter = Limiter::new();
        for kind in 0..1000 {
            flood(&mut limiter, kind, &line("no"), start, 12);
        }
        assert_eq!(limiter.sum_up(start).len(), 1000);
        assert_eq!(limiter.kinds.len(), 1000, "their buckets are empty");
        limiter.sum_up(start + Duration::from_secs(60));
        assert!(limiter.kinds.is_empty());
    }

    #[test]
    fn a_line_that_stands_for_others_counts_as_many() {
        let now = Instant::now();
        let mut limiter = Limiter::new();
        flood(&mut limiter, 1, &line("no"), now, 10);
        limiter.judge(1, &line("no").with(SUPPRESSED, 90), now);
        assert_eq!(limiter.sum_up(now)[0].message, "90 more like this: no");
    }

    #[test]
    fn who_looks_for_details_sees_more_and_the_program_says_everything() {
        let now = Instant::now();
        let mut limiter = Limiter::new();
        let details = Line { level: Level::DEBUG, ..line("no") };
        assert_eq!(flood(&mut limiter, 1, &details, now, 1000).0, 100);
        for (target, written) in [("snakkd::run", 50), ("snakkd", 50), ("snakkd::logging", 10), ("snakkdx", 10)] {
            let mut limiter = Limiter::new();
            assert_eq!(flood(&mut limiter, 1, &Line { target, ..line("no") }, now, 50).0, written, "{target}");
        }
    }
}
