//! What comes from the machine, and where tests make it fail.

use rusqlite::Connection;

/// What comes from the machine, and where tests make it fail.
#[derive(Clone, Debug, Default)]
pub(super) struct Seams {
    /// Which boot of the machine this is; empty where nobody knows.
    pub(super) boot_id: String,
    /// SQLITE_FULL from so many pages on; 0 for never. And the code with which the next commits fail; 0 for none.
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<Faults>,
}

/// What tests may set.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) max_pages: std::sync::atomic::AtomicI64,
    pub(super) commit_code: std::sync::atomic::AtomicI32,
    pub(super) panic: std::sync::atomic::AtomicBool,
    /// A probe tries at once whether something can be stored again.
    pub(super) no_hold: std::sync::atomic::AtomicBool,
    /// Nothing goes into the index.
    pub(super) no_index: std::sync::atomic::AtomicBool,
}

impl Seams {
    pub(super) fn new() -> Seams {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Seams {
            boot_id: boot_id.trim().to_owned(),
            #[cfg(test)]
            faults: Default::default(),
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "in tests it is used")]
    pub(super) fn hold(&self) -> std::time::Duration {
        super::pulse::HOLD
    }

    #[cfg(test)]
    pub(super) fn hold(&self) -> std::time::Duration {
        let no_hold = self.faults.no_hold.load(std::sync::atomic::Ordering::SeqCst);
        if no_hold { std::time::Duration::ZERO } else { super::pulse::HOLD }
    }

    #[cfg(not(test))]
    pub(super) fn before_batch(&self, _: &Connection) {}

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "in tests it is used")]
    pub(super) fn index_stands_still(&self) -> bool {
        false
    }

    #[cfg(not(test))]
    pub(super) fn before_commit(&self) -> rusqlite::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn index_stands_still(&self) -> bool {
        self.faults.no_index.load(std::sync::atomic::Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(super) fn before_batch(&self, conn: &Connection) {
        use std::sync::atomic::Ordering::SeqCst;
        assert!(!self.faults.panic.load(SeqCst), "as the test wanted");
        let pages = match self.faults.max_pages.load(SeqCst) {
            0 => i64::from(u32::MAX) - 1,
            pages => pages,
        };
        let _ = conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
    }

    #[cfg(test)]
    pub(super) fn before_commit(&self) -> rusqlite::Result<()> {
        match self.faults.commit_code.load(std::sync::atomic::Ordering::SeqCst) {
            0 => Ok(()),
            code => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)),
        }
    }
}
