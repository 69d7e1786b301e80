//! Closed loops: so many messages in flight in each room, a new one whenever one is done. They show how much a server
//! can do at most, and what it costs.

use anyhow::Result;

use super::Measurement;
use crate::args::{Big, Ingest, Rooms, Target, Until};
use crate::bench::{Bench, Moment};
use crate::client::Freed;
use crate::process::resident_kib;
use crate::report::{Figure, Goal};

/// Which figures matter.
enum Question {
    Rooms,
    Big,
    Ingest,
}

pub(crate) struct Closed {
    question: Question,
    rooms: u16,
    members: u16,
    in_flight: u16,
    freed: Freed,
}

impl Closed {
    pub(crate) fn rooms(options: &Rooms) -> Self {
        let &Rooms { rooms, members, in_flight, until } = options;
        Self { question: Question::Rooms, rooms, members, in_flight, freed: freed(until) }
    }

    pub(crate) fn big(options: &Big) -> Self {
        let &Big { members, in_flight, until } = options;
        Self { question: Question::Big, rooms: 1, members, in_flight, freed: freed(until) }
    }

    pub(crate) fn ingest(options: &Ingest) -> Self {
        let &Ingest { rooms, members, in_flight } = options;
        Self { question: Question::Ingest, rooms, members, in_flight, freed: Freed::Acknowledged }
    }

    /// The goals are those of the usual size.
    fn goals(&self) -> [Option<Goal>; 2] {
        let tokio = Goal::TimesOrMore(0.5, Target::BareTokio);
        match (&self.question, self.rooms, self.members, self.in_flight) {
            (Question::Rooms, 20, 10, 32) => [Some(tokio), Some(Goal::TimesOrLess(2.0, Target::BareEpoll))],
            (Question::Big, 1, 1000, 32) => [Some(tokio), Some(Goal::TimesOrLess(1.5, Target::BareEpoll))],
            (Question::Ingest, 100, 2, 16) => [Some(Goal::OrMore(50_000.0)), Some(Goal::OrLess(18.0))],
            _ => [None, None],
        }
    }
}

fn freed(until: Until) -> Freed {
    match until {
        Until::Sender => Freed::Returned,
        Until::All => Freed::Everywhere,
    }
}

impl Measurement for Closed {
    fn title(&self) -> String {
        let name = match self.question {
            Question::Rooms => "rooms",
            Question::Big => "big",
            Question::Ingest => "ingest",
        };
        let rooms = if self.rooms == 1 { "1 room" } else { &format!("{} rooms", self.rooms) };
        let until = match self.freed {
            Freed::Returned => "back at the sender",
            Freed::Everywhere => "everywhere",
            Freed::Acknowledged => "acknowledged",
        };
        format!("{name}: {rooms} x {} members, {} in flight in each until {until}", self.members, self.in_flight)
    }

    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let fresh = bench.start(target)?;
        let mut fleet = bench.members(&fresh.server, self.rooms, self.members)?;
        fleet.keep_in_flight(self.in_flight, self.freed, u64::MAX)?;
        fleet.run_for(bench.common.warm_up())?;
        let (counts_before, before) = (fleet.counts, Moment::now(&fresh.server)?);
        fleet.run_for(bench.common.window())?;
        let (counts, after) = (fleet.counts, Moment::now(&fresh.server)?);
        let resident = resident_kib(fresh.server.pid())?;
        fleet.drain()?;
        drop(fleet);
        fresh.stop()?;

        let seconds = after.seconds_since(&before);
        let cpu = after.server_since(&before).as_secs_f64();
        let deliveries = (counts.deliveries - counts_before.deliveries) as f64;
        // The bare servers do not acknowledge: there a message counts when it comes back to its two members.
        let stored = match target {
            Target::Snakk => (counts.acknowledged - counts_before.acknowledged) as f64,
            Target::BareEpoll | Target::BareTokio => deliveries / f64::from(self.members),
        };
        let goals = self.goals();
        let mut figures = match self.question {
            Question::Rooms | Question::Big => vec![
                Figure::new("deliveries", "1/s", deliveries / seconds),
                Figure::new("CPU for a million deliveries", "s", cpu * 1e6 / deliveries),
            ],
            Question::Ingest => vec![
                Figure::new("messages stored", "1/s", stored / seconds),
                Figure::new("CPU for a message", "us", cpu * 1e6 / stored),
            ],
        };
        for (figure, goal) in figures.iter_mut().zip(goals) {
            figure.goal = goal;
        }
        figures.push(Figure::new("resident memory", "MiB", resident as f64 / 1024.0));
        figures.extend(after.shares(&before));
        Ok(figures)
    }
}
