//! Many sessions that do nothing: what each costs in memory, and all of them in processor time.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::Measurement;
use crate::args::{Follow, Idle, Target};
use crate::bench::{Bench, Moment};
use crate::client::Stay;
use crate::control::Control;
use crate::process::{open_files_limit, settled_kib};
use crate::report::{Figure, Goal};
use crate::wire::Wire;

/// Sessions that come at the same time.
const ARRIVING: usize = 128;
/// Descriptors that this program needs besides the sessions'.
const SPARE_FILES: u64 = 64;

pub(crate) struct Waiting {
    sessions: u16,
    follow: Follow,
}

impl Waiting {
    pub(crate) fn new(options: &Idle, quick: bool) -> Self {
        Self { sessions: options.sessions.unwrap_or(if quick { 1000 } else { 10_000 }), follow: options.follow }
    }
}

impl Measurement for Waiting {
    fn title(&self) -> String {
        let follow = match self.follow {
            Follow::Room => "all follow one room",
            Follow::None => "none follows a room",
        };
        format!("idle: {} sessions, {follow}", self.sessions)
    }

    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let files = open_files_limit();
        ensure!(
            u64::from(self.sessions) + SPARE_FILES <= files,
            "the hard limit of open files is {files}: raise it (ulimit -Hn), or use --sessions"
        );
        let fresh = bench.start(target)?;
        let pid = fresh.server.pid();
        if fresh.server.wire() == Wire::Snakk {
            // What is made for the first login of all is not a session's.
            Control::log_in(fresh.server.address, "early")?;
        }
        let mut fleet = bench.rooms(&fresh.server, 1)?;
        let empty = settled_kib(pid)?;
        let began = Instant::now();
        fleet.connect(fresh.server.address, self.sessions, ARRIVING)?;
        if self.follow == Follow::Room {
            fleet.join(ARRIVING, Stay::Following)?;
        }
        let arrived = began.elapsed();
        let full = settled_kib(pid)?;
        let before = Moment::now(&fresh.server)?;
        fleet.run_for(bench.common.window())?;
        let after = Moment::now(&fresh.server)?;
        let each = full.saturating_sub(empty) as f64 / f64::from(self.sessions);
        let mut figures = vec![
            Figure::new("memory for each", "KiB", each).goal(Goal::OrLess(3.0)),
            Figure::new("server's CPU", "% of a core", after.server_percent(&before)).goal(Goal::OrLess(0.5)),
            Figure::new("until all are there", "s", arrived.as_secs_f64()),
        ];
        if self.follow == Follow::Room {
            let posted = Instant::now();
            fleet.post(0, 0)?;
            fleet.run_until_arrived()?;
            figures.push(Figure::new("one message reaches all", "ms", posted.elapsed().as_secs_f64() * 1e3));
            fleet.drain()?;
            let then = settled_kib(pid)?.saturating_sub(empty) as f64 / f64::from(self.sessions);
            figures.push(Figure::new("memory for each after it", "KiB", then));
        }
        drop(fleet);
        fresh.stop()?;
        Ok(figures)
    }
}
