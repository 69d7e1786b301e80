//! An open loop: messages leave on a fixed schedule, and every delay is counted from the intended time.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Measurement;
use crate::args::{Latency, Target};
use crate::bench::{Bench, Moment};
use crate::report::{Figure, Goal, percentile};
use crate::schedule::Schedule;

pub(crate) struct OpenLoop(pub(crate) Latency);

impl Measurement for OpenLoop {
    fn title(&self) -> String {
        let Latency { rooms, members, rate } = self.0;
        let rooms = if rooms == 1 { "1 room" } else { &format!("{rooms} rooms") };
        format!("latency: {rate} messages/s, {rooms} x {members} members, open loop")
    }

    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let Latency { rooms, members, rate } = self.0;
        let fresh = bench.start(target)?;
        let mut fleet = bench.members(&fresh.server, rooms, members)?;
        let start = Instant::now() + Duration::from_millis(20);
        let (warm_up, window) = (bench.common.warm_up(), bench.common.window());
        let timetable = |count| Schedule::new(start, rate, count, warm_up, window);
        let schedule = timetable(usize::from(rooms));
        fleet.schedule = Some(timetable(usize::from(rooms)));
        let mut before = None;
        let mut turn = 0;
        while let Some(due) = schedule.due(turn) {
            while Instant::now() < due {
                fleet.turn_until(due)?;
            }
            if before.is_none() && due >= schedule.measured_from() {
                before = Some(Moment::now(&fresh.server)?);
            }
            let (room, place) = (turn % u64::from(rooms), turn / u64::from(rooms) % u64::from(members));
            fleet.post(room as usize, place as usize)?;
            turn += 1;
        }
        let after = Moment::now(&fresh.server)?;
        fleet.drain()?;
        let measured = fleet.schedule.take().unwrap_or(schedule);
        drop(fleet);
        fresh.stop()?;

        let mut figures = delays("delivery", measured.deliveries);
        if self.0.members == 10 && rate == 2000 {
            for (figure, goal) in figures.iter_mut().zip([1.0, 3.0]) {
                figure.goal = Some(Goal::OrLess(goal));
            }
        }
        if target == Target::Snakk {
            figures.extend(delays("acknowledgement", measured.acknowledgements));
        }
        if let Some(before) = before {
            // At the same rate for every server, whereas a closed loop lets the fast ones gather more in each write.
            let deliveries = f64::from(rate) * f64::from(members) * after.seconds_since(&before);
            let cpu = after.server_since(&before).as_secs_f64() * 1e6 / deliveries;
            figures.push(Figure::new("CPU for a million deliveries", "s", cpu));
            figures.extend(after.shares(&before));
        }
        Ok(figures)
    }
}

fn delays(what: &str, mut nanoseconds: Vec<u64>) -> Vec<Figure> {
    nanoseconds.sort_unstable();
    [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)]
        .map(|(name, percent)| Figure::new(format!("{what} {name}"), "ms", percentile(&nanoseconds, percent) / 1e6))
        .into()
}
