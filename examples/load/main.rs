//! The load generator of snakk: how fast, how late, how big is the daemon, compared with what this machine allows?
//!
//! It is an independent judge: it shares no code with the daemon (but that it has a big database made by the library; see
//! `populace`), checks that every receiver gets every message exactly
//! once and in order, and drives two bare broadcast servers with the same client code, so that each figure is also a
//! ratio. `docs/benchmarks.md` says how to read the result.
//!
//! ```text
//! args            the command line
//! scenarios/      what is measured, one file for each kind of question
//! bench           what scenarios share: folders, servers, members in rooms
//! client          the members: sockets, the epoll loop      ledger    the check: every message, once, in one order
//! wire            the two protocols, as bytes               schedule  the timetable of an open loop
//! control         one blocking connection                   daemon    the servers, as child processes
//! process, disk   what the kernel says                      report    figures, ratios, the table
//! populace        a database of a million messages          prose     what they say
//! bare_epoll, bare_tokio   the servers that do the least
//! ```

mod args;
mod bare_epoll;
mod bare_tokio;
mod bench;
mod client;
mod control;
mod daemon;
mod disk;
mod ledger;
mod populace;
mod process;
mod prose;
mod report;
mod scenarios;
mod schedule;
mod wire;

use std::num::NonZeroU64;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::args::{Cli, Scenario, Target};
use crate::bench::Bench;
use crate::disk::Disk;
use crate::report::Report;

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    process::raise_open_files_limit()?;
    if let Scenario::Serve { target } = cli.scenario {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        match target {
            Target::BareEpoll => bare_epoll::serve()?,
            Target::BareTokio => bare_tokio::serve()?,
            Target::Snakk => {}
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Without it the kernel lets an open loop oversleep by 50 us.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let bench = Bench::new(cli.common.clone())?;
    let disk = Disk::measure(bench.dir())?;
    let mut report = Report::default();
    for _ in 0..cli.common.repeat {
        run(&bench, &cli.scenario, &mut report)?;
    }
    if cli.common.json {
        println!("{}", report.json(&disk));
    } else {
        report.print_table(&disk);
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures everything that the scenario consists of once, one server after the other.
fn run(bench: &Bench, scenario: &Scenario, report: &mut Report) -> Result<()> {
    let common = &bench.common;
    let mut measured = false;
    for measurement in scenarios::measurements(scenario, common.quick) {
        let title = measurement.title();
        for target in Target::ALL {
            let wanted = common.only.is_empty() || common.only.contains(&target);
            if !wanted || target != Target::Snakk && !measurement.suits_bare_servers() {
                continue;
            }
            measured = true;
            eprintln!("{title} ({})", target.name());
            match measurement.measure(bench, target) {
                Ok(figures) => report.add(&title, target, figures),
                Err(error) => {
                    eprintln!("  FAILED: {error:#}");
                    report.failures.push(format!("{title} ({}): {error:#}", target.name()));
                }
            }
        }
    }
    ensure!(measured, "nothing to measure: the bare servers cannot do this");
    Ok(())
}
