//! What the system says of this process, where it says so (on Linux).

use std::fs;
use std::time::Duration;

/// What the system says of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Process {
    /// Memory in use, in bytes.
    pub resident_bytes: Option<u64>,
    /// Files and sockets that are open.
    pub open_files: Option<u64>,
    /// How many may be.
    pub most_open_files: Option<u64>,
    /// The time on processors.
    pub cpu: Option<Duration>,
}

impl Process {
    /// This process as it is now.
    pub(super) fn now() -> Process {
        let read = |file: &str| fs::read_to_string(file).ok();
        Process {
            resident_bytes: read("/proc/self/status").as_deref().and_then(resident),
            // The folder is read through a file of its own.
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| (files.count() as u64).saturating_sub(1)),
            most_open_files: read("/proc/self/limits").as_deref().and_then(open_files),
            cpu: read("/proc/self/stat").as_deref().and_then(cpu),
        }
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn open_files(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// User and system time (fields 14 and 15 of proc_pid_stat(5)), in hundredths of a second, whatever the kernel's clock.
fn cpu(stat: &str) -> Option<Duration> {
    // The name of the program, in brackets, may hold anything.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_system_are_understood() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(open_files("Limit  Soft  Hard\nMax open files            1024  4096  files\n"), Some(1024));
        assert_eq!(open_files("Max open files            unlimited  unlimited  files\n"), None);
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 1 0 9 0 0\n";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!((resident(""), open_files(""), cpu("")), (None, None, None));
    }
}
