//! What the kernel says about a process: processor time, resident memory, the limit of open files.
//!
//! Processor time comes from the scheduler's own counters in nanoseconds, summed over the threads, as long as no
//! thread has ended in between; otherwise from the process's user and system time, in ticks of 10 ms.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

/// The kernel's USER_HZ, a fixed part of its interface on every architecture that matters here.
const TICKS_PER_SECOND: u64 = 100;

/// The processor time of a process at one moment.
pub(crate) struct Cpu {
    ticks: u64,
    /// Nanoseconds on a processor, by thread.
    threads: BTreeMap<u32, u64>,
    taken: Instant,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
        // The second field is the program's name in parentheses, which may hold anything; utime and stime are the
        // 14th and 15th field.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A thread may end between the listing and the reading: then it is missing, as if it had ended before.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
            if let Some(ran) = text.split_whitespace().next().and_then(|text| text.parse().ok()) {
                threads.insert(thread, ran);
            }
        }
        Ok(Self { ticks: field(11) + field(12), threads, taken: Instant::now() })
    }

    /// The processor time used between `earlier` and this moment.
    pub(crate) fn since(&self, earlier: &Cpu) -> Duration {
        let ended = earlier.threads.keys().any(|thread| !self.threads.contains_key(thread));
        if ended || self.threads.is_empty() {
            return Duration::from_millis((self.ticks - earlier.ticks) * 1000 / TICKS_PER_SECOND);
        }
        let ran = self
            .threads
            .iter()
            .map(|(thread, ran)| ran.saturating_sub(earlier.threads.get(thread).copied().unwrap_or(0)));
        Duration::from_nanos(ran.sum())
    }

    pub(crate) fn seconds_since(&self, earlier: &Cpu) -> f64 {
        (self.taken - earlier.taken).as_secs_f64()
    }

    /// The share of one core that the process used between `earlier` and this moment, in percent.
    pub(crate) fn percent_since(&self, earlier: &Cpu) -> f64 {
        100.0 * self.since(earlier).as_secs_f64() / self.seconds_since(earlier).max(1e-9)
    }
}

/// Processor time that all programs of this machine, and its kernel, have used.
pub(crate) fn busy_machine() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let total = stat.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal: all but the idle ones.
    let ticks = total.split_whitespace().skip(1).take(8).enumerate().filter(|(index, _)| ![3, 4].contains(index));
    let ticks: u64 = ticks.filter_map(|(_, text)| text.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Resident memory once it has stopped moving: two readings 300 ms apart that differ by less than 1 in 200, or
/// whatever it is after five seconds.
pub(crate) fn settled_kib(pid: u32) -> Result<u64> {
    let mut before = resident_kib(pid)?;
    for _ in 0..16 {
        std::thread::sleep(Duration::from_millis(300));
        let now = resident_kib(pid)?;
        if now.abs_diff(before) * 200 < now {
            return Ok(now);
        }
        before = now;
    }
    Ok(before)
}

/// Raises the soft limit of open files to the hard one: a session is a descriptor here and one in the server.
pub(crate) fn raise_open_files_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

pub(crate) fn open_files_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
