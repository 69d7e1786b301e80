//! How long it takes from the start of the program until a guest is logged in.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::Measurement;
use crate::args::Target;
use crate::bench::{Bench, LONG_ROOM};
use crate::control::Control;
use crate::report::{Figure, Goal, percentile};

pub(crate) struct FirstLogin {
    /// What the room that the daemon finds holds; 0 is a new folder for each start.
    pub(crate) messages: u32,
    pub(crate) starts: u16,
}

impl Measurement for FirstLogin {
    fn title(&self) -> String {
        match self.messages {
            0 => "start: without data".to_owned(),
            messages => format!("start: with {messages} messages"),
        }
    }

    fn suits_bare_servers(&self) -> bool {
        self.messages == 0
    }

    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let prepared = if self.messages > 0 { Some(bench.filled(self.messages)?) } else { None };
        let mut taken = Vec::new();
        for _ in 0..self.starts.max(1) {
            let new = bench.new_folder()?;
            let dir = prepared.as_deref().unwrap_or(new.path());
            let began = Instant::now();
            let server = bench.start_in(target, dir)?;
            if target == Target::Snakk {
                let mut control = Control::log_in(server.address, "early")?;
                taken.push(began.elapsed().as_nanos() as u64);
                if self.messages > 0 {
                    let joined = control.ask(&format!(r#"{{"request":"join","room":"{LONG_ROOM}"}}"#))?;
                    ensure!(joined["head"] == self.messages, "the room has not kept what was posted: {joined}");
                }
            } else {
                let mut control = Control::connect(server.address)?;
                control.exchange("room")?;
                taken.push(began.elapsed().as_nanos() as u64);
            }
            server.stop()?;
        }
        taken.sort_unstable();
        let goal = if self.messages > 0 { 50.0 } else { 8.0 };
        Ok(vec![
            Figure::new("first login p50", "ms", percentile(&taken, 50.0) / 1e6).goal(Goal::OrLess(goal)),
            Figure::new("first login max", "ms", percentile(&taken, 100.0) / 1e6),
        ])
    }
}
