//! The newest page of a long history, asked for again and again on one connection, one request at a time.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Measurement;
use crate::args::{History, Target};
use crate::bench::{Bench, LONG_ROOM, Moment};
use crate::control::{self, Control};
use crate::report::{Figure, Goal, percentile};

const WARM_UP_REQUESTS: u32 = 50;

pub(crate) struct NewestPage {
    messages: u32,
    requests: u32,
    limit: u16,
}

impl NewestPage {
    pub(crate) fn new(options: &History, quick: bool) -> Self {
        Self {
            messages: options.messages.unwrap_or(if quick { 20_000 } else { 100_000 }),
            requests: options.requests.unwrap_or(if quick { 500 } else { 5000 }),
            limit: options.limit,
        }
    }

    /// The answer must hold exactly the newest messages, oldest first.
    fn check(&self, answer: &Value) -> Result<()> {
        let page = answer["messages"].as_array().context("no messages")?;
        let seqs = page.iter().map(|message| message["seq"].as_u64().unwrap_or(0));
        let newest = u64::from(self.messages);
        let oldest = (newest + 1).saturating_sub(u64::from(self.limit)).max(1);
        ensure!(seqs.eq(oldest..=newest), "the page is not {oldest} to {newest}: {answer}");
        Ok(())
    }
}

impl Measurement for NewestPage {
    fn title(&self) -> String {
        format!("history: the newest {} of {} messages", self.limit, self.messages)
    }

    fn suits_bare_servers(&self) -> bool {
        false
    }

    fn measure(&self, bench: &Bench, target: Target) -> Result<Vec<Figure>> {
        let server = bench.start_in(target, &bench.filled(self.messages)?)?;
        let mut control = Control::log_in(server.address, "reader")?;
        let request = format!(r#"{{"request":"history","room":"{LONG_ROOM}","limit":{}}}"#, self.limit);
        for _ in 0..WARM_UP_REQUESTS {
            control.ask(&request)?;
        }
        let mut taken = Vec::with_capacity(self.requests as usize);
        let before = Moment::now(&server)?;
        for _ in 0..self.requests {
            let start = Instant::now();
            let answer = control.exchange(&request)?;
            taken.push(start.elapsed().as_nanos() as u64);
            self.check(&control::parse(answer)?)?;
        }
        let after = Moment::now(&server)?;
        drop(control);
        server.stop()?;
        taken.sort_unstable();
        let cpu = after.server_since(&before).as_secs_f64() * 1e6 / f64::from(self.requests.max(1));
        Ok(vec![
            Figure::new("answer p50", "ms", percentile(&taken, 50.0) / 1e6).goal(Goal::OrLess(0.3)),
            Figure::new("answer p99", "ms", percentile(&taken, 99.0) / 1e6).goal(Goal::OrLess(1.0)),
            Figure::new("answer max", "ms", percentile(&taken, 100.0) / 1e6),
            Figure::new("CPU for an answer", "us", cpu),
        ])
    }
}
