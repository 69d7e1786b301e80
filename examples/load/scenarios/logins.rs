//! Arrival: what a guest's login costs, and how long a crowd needs to join one room.
//!
//! On the bare servers a login is a connection and the line that names its room.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Measurement;
use crate::args::{Logins, Target};
use crate::bench::{Bench, Moment};
use crate::client::Stay;
use crate::report::{Figure, Goal};

/// Work that a login leaves behind is given this time to be done and counted.
const AFTERWARDS: Duration = Duration::from_millis(200);

pub(crate) struct Arrival {
    count: u16,
    parallel: u16,
    joiners: u16,
}

impl Arrival {
    pub(crate) fn new(options: &Logins, quick: bool) -> Self {
        let &Logins { count, parallel, joiners } = options;
        Self { count: count.unwrap_or(if quick { 1000 } else { 5000 }), parallel, joiners }
    }

    fn log_in(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let fresh = bench.start(target)?;
        let mut fleet = bench.rooms(&fresh.server, 1)?;
        let before = Moment::now(&fresh.server)?;
        let began = Instant::now();
        fleet.connect(fresh.server.address, self.count, usize::from(self.parallel))?;
        let taken = began.elapsed();
        fleet.run_for(AFTERWARDS)?;
        let after = Moment::now(&fresh.server)?;
        drop(fleet);
        fresh.stop()?;
        let count = f64::from(self.count);
        let cpu = after.server_since(&before).as_secs_f64() * 1e6 / count;
        Ok(vec![
            Figure::new("CPU for a login", "us", cpu).goal(Goal::OrLess(100.0)),
            Figure::new("logins", "1/s", count / taken.as_secs_f64()),
        ])
    }

    fn join(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let fresh = bench.start(target)?;
        let mut fleet = bench.rooms(&fresh.server, 1)?;
        fleet.connect(fresh.server.address, self.joiners, usize::from(self.parallel))?;
        let before = Moment::now(&fresh.server)?;
        let began = Instant::now();
        fleet.join(usize::MAX, Stay::Following)?;
        let taken = began.elapsed().as_secs_f64();
        fleet.run_for(AFTERWARDS)?;
        let cpu = Moment::now(&fresh.server)?.server_since(&before).as_secs_f64() * 1e6 / f64::from(self.joiners);
        let hints = fleet.counts.hints as f64;
        fleet.post(0, 0)?;
        fleet.drain()?;
        drop(fleet);
        fresh.stop()?;
        let joined = Figure::new(format!("{} have joined one room", self.joiners), "s", taken);
        Ok(vec![
            if self.joiners == 1000 { joined.goal(Goal::OrLess(0.3)) } else { joined },
            Figure::new("CPU for a join", "us", cpu),
            Figure::new("hints that the joins led to", "", hints),
        ])
    }
}

impl Measurement for Arrival {
    fn title(&self) -> String {
        format!("logins: {} guests, {} at a time", self.count, self.parallel)
    }

    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let mut figures = self.log_in(bench, target)?;
        if target == Target::Snakk {
            figures.extend(self.join(bench, target)?);
        }
        Ok(figures)
    }
}
