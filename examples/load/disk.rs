//! What the disk allows: the file system of a folder, and how long an `fdatasync` of a small append takes there. A
//! durable daemon cannot acknowledge faster than that.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::report::percentile;

const APPENDS: usize = 500;

#[derive(Serialize)]
pub(crate) struct Disk {
    pub(crate) path: String,
    pub(crate) file_system: String,
    pub(crate) fdatasync_p50_ms: f64,
    pub(crate) fdatasync_p99_ms: f64,
}

impl Disk {
    pub(crate) fn measure(dir: &Path) -> Result<Self> {
        let dir = dir.canonicalize().context("the data folder")?;
        let path = dir.join("fdatasync-probe");
        let mut file = fs::File::create(&path)?;
        let block = [b'x'; 4096];
        let mut taken = Vec::with_capacity(APPENDS);
        for _ in 0..APPENDS {
            let start = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            taken.push(start.elapsed().as_nanos() as u64);
        }
        fs::remove_file(&path)?;
        taken.sort_unstable();
        Ok(Self {
            path: dir.display().to_string(),
            file_system: file_system(&dir).unwrap_or_else(|| "unknown".to_owned()),
            fdatasync_p50_ms: percentile(&taken, 50.0) / 1e6,
            fdatasync_p99_ms: percentile(&taken, 99.0) / 1e6,
        })
    }
}

/// The type of the mount with the longest path above `dir`.
fn file_system(dir: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((Path::new(fields.next()?), fields.next()?))
        })
        .filter(|(mount, _)| dir.starts_with(mount))
        .max_by_key(|(mount, _)| mount.components().count())
        .map(|(_, kind)| kind.to_owned())
}
