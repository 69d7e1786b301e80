//! The scrub. Where SQLite moves rows from page to page to keep its trees balanced, copies of them stay in the old pages,
//! between the list of the cells and the cells themselves, and `secure_delete` does not know of them. So after something
//! was erased the keeper looks at all pages, and the writer fills these gaps with zeros.
//!
//! The pages are read and written through the table `sqlite_dbpage`, in ordinary transactions. Where SQLite was built
//! without it there is no scrub.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use crate::store::sqlite::rooms;

/// So many pages are looked at in one go.
const LOOK_STEP: u32 = 512;
/// So many are written in one transaction.
const WRITE_STEP: usize = 64;
/// No more are looked for while so many wait for the writer.
const MOST_WAITING: usize = 1024;
/// Between two steps it waits as long as the last one took, but within these bounds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// How long it waits for the writer in between.
const WAIT: Duration = Duration::from_millis(10);
/// Between two passes, so many times as long as the last one took.
const REST: u32 = 2;
/// How long more of what is erased is waited for, before a pass.
const QUIET: Duration = Duration::from_millis(100);
/// After a failure it is tried again after so long.
const RETRY: Duration = Duration::from_secs(10);
/// From so many pages on (128 GiB), the number of a page might look like the kind of one.
const MOST_PAGES: u32 = 0x0200_0000;

/// Stands in `meta` from a commit that erases something until a pass over all pages has come behind it.
const MARK: &str = "unscrubbed";

/// What the writer and the keeper know of each other's part.
#[derive(Default)]
pub(super) struct Scrub {
    /// How many commits have erased something.
    erasures: AtomicU64,
    /// How many of them have a whole pass behind them.
    behind: AtomicU64,
    /// It cannot be done here.
    unable: AtomicBool,
    /// The pages to be written. The keeper adds to the end, and the writer takes off what is committed.
    pages: Mutex<Vec<u32>>,
}

impl Scrub {
    /// What the last daemon has left to be done counts as an erasure.
    pub(super) fn of(conn: &Connection) -> rusqlite::Result<Scrub> {
        let left = u64::from(rooms::meta::<i64>(conn, MARK)?.is_some());
        Ok(Scrub { erasures: AtomicU64::new(left), ..Scrub::default() })
    }

    /// A commit has erased something.
    pub(super) fn erased(&self) {
        self.erasures.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether it can be done here, as far as is known.
    pub(super) fn is_able(&self) -> bool {
        !self.unable.load(Ordering::Acquire)
    }

    /// Whether the writer may have something to do soon.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_able() && self.behind.load(Ordering::Acquire) < self.erasures.load(Ordering::Acquire)
    }

    /// How many pages wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Fills the gaps of the first pages that wait with zeros, inside the transaction that is open. Answers how many pages
    /// are to be taken off once it is committed.
    pub(super) fn write(&self, conn: &Connection) -> rusqlite::Result<usize> {
        let pages: Vec<u32> = {
            let waiting = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.iter().take(WRITE_STEP).copied().collect()
        };
        if pages.is_empty() {
            // There may be no table of pages, and then it must not be asked.
            return Ok(0);
        }
        let usable = usable(conn)?;
        let mut update = conn.prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")?;
        for pgno in &pages {
            // It may be another one since it was looked at.
            if let Some(mut page) = read(conn, *pgno)?
                && zeroed(&mut page, *pgno, usable)
            {
                update.execute((pgno, page))?;
            }
        }
        Ok(pages.len())
    }

    /// So many pages were written.
    pub(super) fn take_off(&self, count: usize) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count.min(pages.len());
        pages.drain(..count);
    }
}

/// Writes down that there is something to be done.
pub(super) fn mark(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, 1)")?.execute([MARK]).map(|_| ())
}

/// Writes down that all is done.
pub(super) fn unmark(conn: &Connection) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([MARK]).map(|_| ())
}

/// The keeper's part: one pass after the other over all pages, for as long as something is erased.
pub(super) struct Passes<'a> {
    scrub: &'a Scrub,
    /// When the next step is due.
    at: Option<Instant>,
    pass: Option<Pass>,
    /// No pass begins before that.
    rest: Option<Instant>,
}

struct Pass {
    /// The erasures that it comes behind.
    erasures: u64,
    next: u32,
    found: bool,
    /// How long it has worked, without its pauses.
    took: Duration,
}

impl<'a> Passes<'a> {
    pub(super) fn new(scrub: &'a Scrub) -> Passes<'a> {
        Passes { scrub, at: None, pass: None, rest: None }
    }

    /// When there is something to do.
    pub(super) fn due(&mut self) -> Option<Instant> {
        if self.at.is_none() && self.scrub.is_under_way() {
            let soon = Instant::now() + QUIET;
            self.at = Some(self.rest.map_or(soon, |rest| rest.max(soon)));
        }
        self.at
    }

    /// Does what is due. True when a pass is over that has changed pages: then the log has to be emptied.
    pub(super) fn go_on(&mut self, conn: &Connection) -> bool {
        let began = Instant::now();
        if self.at.is_none_or(|at| began < at) {
            return false;
        }
        let mut pass = match self.pass.take() {
            Some(pass) => pass,
            None => match is_possible(conn) {
                Ok(true) => Pass {
                    erasures: self.scrub.erasures.load(Ordering::Acquire),
                    next: 1,
                    found: false,
                    took: Duration::ZERO,
                },
                Ok(false) => {
                    tracing::warn!(
                        "traces of what was deleted may stay in the database until their place is used again, for the pages \
                         cannot be scrubbed here; SQLite needs the flag SQLITE_ENABLE_DBPAGE_VTAB (docs/embedding.md)"
                    );
                    self.scrub.unable.store(true, Ordering::Release);
                    self.at = None;
                    return false;
                }
                Err(error) => return self.failed(&error),
            },
        };
        let waiting = self.scrub.waiting();
        if pass.next != 0 && waiting < MOST_WAITING {
            match look(conn, pass.next) {
                Ok((found, next)) => {
                    pass.found |= !found.is_empty();
                    pass.next = next;
                    self.scrub.pages.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                }
                Err(error) => return self.failed(&error),
            }
        } else if pass.next == 0 && waiting == 0 {
            self.scrub.behind.store(pass.erasures, Ordering::Release);
            self.rest = Some(began + pass.took * REST);
            self.at = None;
            return pass.found;
        }
        let waits = pass.next == 0 || waiting >= MOST_WAITING;
        let took = began.elapsed();
        pass.took += took;
        let (least, most) = PAUSE;
        self.at = Some(Instant::now() + if waits { WAIT } else { took.clamp(least, most) });
        self.pass = Some(pass);
        false
    }

    /// Nothing can be done now.
    pub(super) fn later(&mut self) {
        self.at = self.at.map(|_| Instant::now() + RETRY);
    }

    /// The pass is given up, and another one begins later. What was found is still written.
    fn failed(&mut self, error: &rusqlite::Error) -> bool {
        tracing::debug!(%error, "the pages could not be looked at");
        self.later();
        false
    }
}

/// Whether the pages can be read and written here, and can be told apart: where none has a high number, the first byte of
/// those that are in no tree is 0 or 1, unless SQLite keeps a map of them.
fn is_possible(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_module_list WHERE name = 'sqlite_dbpage')";
    let there: bool = conn.query_row(sql, [], |row| row.get(0))?;
    let map: i64 = conn.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    let pages: u32 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    Ok(there && map == 0 && pages < MOST_PAGES)
}

/// How many bytes of a page SQLite uses.
fn usable(conn: &Connection) -> rusqlite::Result<usize> {
    let header = read(conn, 1)?.unwrap_or_default();
    // Byte 20 of the file says how many it leaves to others.
    Ok(header.len().saturating_sub(header.get(20).copied().unwrap_or_default().into()))
}

fn read(conn: &Connection, pgno: u32) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = conn.prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")?;
    select.query_row([pgno], |row| row.get(0)).optional()
}

/// The pages with something in their gap, from that one on, and where to go on; 0 where that was the last.
fn look(conn: &Connection, from: u32) -> rusqlite::Result<(Vec<u32>, u32)> {
    // One transaction, so that the log is not asked anew for each page.
    let _reading = conn.unchecked_transaction()?;
    let usable = usable(conn)?;
    let last: u32 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let end = last.min(from.saturating_add(LOOK_STEP - 1));
    let mut select = conn.prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")?;
    let mut found = Vec::new();
    for pgno in from..=end {
        let mut rows = select.query([pgno])?;
        if let Some(row) = rows.next()?
            && let Ok(page) = row.get_ref(0)?.as_blob()
            && gap(page, pgno, usable).is_some_and(|(from, to)| page[from..to].iter().any(|byte| *byte != 0))
        {
            found.push(pgno);
        }
    }
    Ok((found, if end < last { end + 1 } else { 0 }))
}

/// Fills the gap of a page with zeros. False where there is nothing to fill, and where it is no page of a tree.
fn zeroed(page: &mut [u8], pgno: u32, usable: usize) -> bool {
    let Some((from, to)) = gap(page, pgno, usable) else { return false };
    let Some(gap) = page.get_mut(from..to).filter(|gap| gap.iter().any(|byte| *byte != 0)) else { return false };
    gap.fill(0);
    true
}

/// Where nothing stands in a page of a tree: from behind the list of its cells to where the first of them begins. See
/// <https://sqlite.org/fileformat2.html#b_tree_pages>. None where the page is not as it should be.
fn gap(page: &[u8], pgno: u32, usable: usize) -> Option<(usize, usize)> {
    let header = if pgno == 1 { 100 } else { 0 };
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    let list = match page.get(header)? {
        0x02 | 0x05 => header + 12,
        0x0a | 0x0d => header + 8,
        _ => return None,
    };
    let cells = number(header + 3)?;
    let from = list + 2 * cells;
    let to = match number(header + 5)? {
        0 => 65536,
        to => to,
    };
    if usable > page.len() || from > to || to > usable {
        return None;
    }
    for cell in 0..cells {
        let at = number(list + 2 * cell)?;
        if at < to || at >= usable {
            return None;
        }
    }
    let free = number(header + 1)?;
    (free == 0 || free >= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;

    use rusqlite::Connection;

    use super::{Scrub, is_possible, look, zeroed};

    /// A leaf of a table: three cells that begin at 400, and something everywhere else.
    fn leaf(header: usize) -> Vec<u8> {
        let mut page = vec![7; 512];
        page[header..header + 8].copy_from_slice(&[0x0d, 0, 0, 0, 3, 1, 144, 0]);
        for (n, at) in [400_u16, 480, 440].into_iter().enumerate() {
            page[header + 8 + 2 * n..header + 10 + 2 * n].copy_from_slice(&at.to_be_bytes());
        }
        page
    }

    #[test]
    fn a_gap_is_filled_with_zeros_and_nothing_else() {
        for (pgno, header) in [(1, 100), (2, 0)] {
            let mut page = leaf(header);
            let mut wanted = page.clone();
            wanted[header + 14..400].fill(0);
            assert!(zeroed(&mut page, pgno, 512));
            assert_eq!(page, wanted);
            assert!(!zeroed(&mut page, pgno, 512), "it is clean now");
        }
    }

    #[test]
    fn a_page_inside_a_tree_has_a_longer_header() {
        for kind in [0x02, 0x05] {
            let mut page = vec![7; 512];
            page[..14].copy_from_slice(&[kind, 0, 0, 0, 1, 1, 144, 0, 0, 0, 0, 9, 1, 144]);
            let mut wanted = page.clone();
            wanted[14..400].fill(0);
            assert!(zeroed(&mut page, 3, 512));
            assert_eq!(page, wanted);
        }
    }

    #[test]
    fn cells_that_begin_at_0_begin_at_65536() {
        let mut page = vec![7; 65536];
        page[..8].copy_from_slice(&[0x0a, 0, 0, 0, 0, 0, 0, 0]);
        assert!(zeroed(&mut page, 9, 65536));
        assert!(page[8..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_page_that_is_not_as_it_should_be_is_left_alone() {
        let spoilt: [&[(usize, u8)]; 7] = [
            &[(0, 0)],
            &[(0, 1)],
            // More cells than fit, cells behind the end, a cell in the gap, a cell behind the end, a free block in the gap.
            &[(3, 1)],
            &[(5, 3)],
            &[(8, 0)],
            &[(8, 2)],
            &[(1, 1), (2, 0)],
        ];
        for changes in spoilt {
            let mut page = leaf(0);
            for (at, byte) in changes {
                page[*at] = *byte;
            }
            let before = page.clone();
            assert!(!zeroed(&mut page, 2, 512), "{changes:?}");
            assert_eq!(page, before);
        }
        assert!(!zeroed(&mut leaf(0), 2, 399), "the end of the page is not SQLite's");
        assert!(!zeroed(&mut leaf(0), 2, 513));
        for length in [0, 1, 7, 100, 105] {
            assert!(!zeroed(&mut vec![0x0d; length], 1, length));
        }
    }

    /// Numbers that are the same each time.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (self.0 >> 33) % sides
        }
    }

    fn rows(conn: &Connection) -> Vec<(i64, String, i64)> {
        let sql = "SELECT id, text, 0 FROM a UNION ALL SELECT n, text, 1 FROM b ORDER BY 3, 1, 2";
        let mut select = conn.prepare(sql).unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// A table and an index-like table (and a real index) that are written to at random, with pages of that size.
    fn workload(conn: &Connection, seed: u64) -> (HashSet<String>, usize) {
        let mut dice = Dice(seed);
        let (mut gone, mut next) = (HashSet::new(), 0);
        let mut live: Vec<(i64, String)> = Vec::new();
        conn.execute_batch("BEGIN").unwrap();
        for _ in 0..2500 {
            let length = [0, 10, 60, 300, 3000][dice.roll(5) as usize];
            let word = format!("w{:08x}", (next as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32);
            let text = format!("{word} {}", "x".repeat(dice.roll(length + 1) as usize));
            match dice.roll(10) {
                0..5 => {
                    let id = dice.roll(1 << 31).cast_signed();
                    conn.execute("INSERT INTO a VALUES (?1, ?2)", (id, &text)).unwrap();
                    conn.execute("INSERT INTO b VALUES (?1, ?2)", (id, &text)).unwrap();
                    live.push((id, word));
                }
                5..7 if !live.is_empty() => {
                    let at = dice.roll(live.len() as u64) as usize;
                    let (id, old) = &mut live[at];
                    conn.execute("UPDATE a SET text = ?2 WHERE id = ?1", (*id, &text)).unwrap();
                    conn.execute("UPDATE b SET text = ?2 WHERE n = ?1", (*id, &text)).unwrap();
                    gone.insert(std::mem::replace(old, word));
                }
                _ if !live.is_empty() => {
                    let (id, old) = live.swap_remove(dice.roll(live.len() as u64) as usize);
                    conn.execute("DELETE FROM a WHERE id = ?1", [id]).unwrap();
                    conn.execute("DELETE FROM b WHERE n = ?1", [id]).unwrap();
                    gone.insert(old);
                }
                _ => {}
            }
            next += 1;
        }
        conn.execute_batch("COMMIT").unwrap();
        (gone, live.len())
    }

    #[test]
    fn nothing_that_was_deleted_is_left_and_everything_else_is() {
        for (seed, size) in [(1, 512), (2, 1024), (3, 4096), (4, 65536)] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("some.db");
            let conn = Connection::open(&file).unwrap();
            conn.pragma_update(None, "page_size", size).unwrap();
            conn.pragma_update(None, "journal_mode", "WAL").unwrap();
            conn.pragma_update(None, "secure_delete", true).unwrap();
            conn.execute_batch(
                "CREATE TABLE a (id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX a_by_text ON a (text); \
                CREATE TABLE b (n INTEGER, text TEXT, PRIMARY KEY (n, text)) WITHOUT ROWID;",
            )
            .unwrap();
            let (gone, _) = workload(&conn, seed);
            let before = rows(&conn);
            assert!(is_possible(&conn).unwrap());
            let scrub = Scrub::default();
            let (mut next, mut found) = (1, 0);
            // Looked at through another connection, as the keeper does.
            let other = Connection::open(&file).unwrap();
            while next != 0 {
                let (pages, on) = look(&other, next).unwrap();
                found += pages.len();
                next = on;
                scrub.pages.lock().unwrap().extend(pages);
            }
            assert!(found > 0, "there was something to scrub");
            while scrub.waiting() > 0 {
                conn.execute_batch("BEGIN IMMEDIATE").unwrap();
                let count = scrub.write(&conn).unwrap();
                conn.execute_batch("COMMIT").unwrap();
                scrub.take_off(count);
            }
            drop(other);
            conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            assert_eq!(conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
            assert_eq!(rows(&conn), before);
            let bytes = fs::read(&file).unwrap();
            let left: Vec<_> = bytes
                .windows(9)
                .filter(|word| word[0] == b'w' && word[1..].iter().all(u8::is_ascii_hexdigit))
                .filter(|word| gone.contains(std::str::from_utf8(word).unwrap()))
                .collect();
            assert!(left.is_empty(), "{} with pages of {size}", left.len());
            assert_eq!(look(&conn, 1).unwrap().0, [0_u32; 0]);
            // And it can be written to as before.
            workload(&conn, seed + 10);
            assert_eq!(conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
        }
    }
}
