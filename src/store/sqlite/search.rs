//! The search. It goes from the newest message back, first through those that are not in the index yet, then through what
//! the index finds, and stops where the page is full or the time is over. The place where it stopped is a nr, and from there
//! the next page goes on, whatever was said meanwhile.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Instant;

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use crate::model::name::fold;
use crate::model::{Query, RoomId, Seq};
use crate::store::page::Page;
use crate::store::sqlite::index;
use crate::store::sqlite::log::{self, find, id, place};
use crate::store::sqlite::rows::{DELETED, MESSAGE, Names, entry, select_entries};
use crate::store::{Hits, Most, Search};

/// So many numbers are searched with one question to the index. What that takes is less than the time that anybody has, so
/// that each page comes further than the last.
const WINDOW: i64 = 1 << 20;
/// The clock is looked at after so many messages, and after so many steps of SQLite.
const CLOCK_EVERY: u32 = 64;
const CLOCK_STEPS: i32 = 1000;

pub(super) const SELECT_POSTINGS: &str = "SELECT nr, id FROM postings WHERE nr BETWEEN ?1 AND ?2 ORDER BY nr DESC";
pub(super) const SELECT_POSTING: &str = "SELECT id FROM postings WHERE nr = ?1";
pub(super) const SELECT_FOUND: &str =
    "SELECT rowid FROM found WHERE found MATCH ?3 AND rowid BETWEEN ?1 AND ?2 ORDER BY rowid DESC";
pub(super) const SELECT_ENTRY: &str = select_entries!("WHERE id = ?1");

thread_local! {
    /// When the search of this thread has to end.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes a connection look at the deadline of its thread.
pub(super) fn watch(conn: &mut Connection) -> rusqlite::Result<()> {
    let is_over = || DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline);
    conn.progress_handler(CLOCK_STEPS, Some(is_over))
}

/// A deadline for as long as this is kept.
struct Deadline(Instant);

impl Deadline {
    fn set(search: &Search) -> Deadline {
        let now = Instant::now();
        let deadline = now.checked_add(search.timeout).unwrap_or(now);
        DEADLINE.set(Some(deadline));
        Deadline(deadline)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        DEADLINE.set(None);
    }
}

/// See [`Store::search`](crate::store::Store::search).
pub(super) fn search(conn: &Connection, search: &Search) -> rusqlite::Result<Hits> {
    let mut rooms: HashMap<RoomId, Window> = HashMap::with_capacity(search.rooms.len());
    for (room, first) in &search.rooms {
        rooms.insert(*room, Window { first: *first, end: search.before.unwrap_or(Seq(log::MAX_SEQ)) });
    }
    if search.query.is_empty() || rooms.is_empty() {
        return Ok(Hits::default());
    }
    let after = search.after.map_or(i64::MAX, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let deadline = Deadline::set(search);
    let range = match narrow(conn, &search.query, &mut rooms) {
        Ok(Some((low, high))) => (low, high.min(after.saturating_sub(1))),
        Ok(None) => return Ok(Hits::default()),
        // Nothing was looked at yet: the next page begins where this one would have.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            return Ok(Hits { hits: Vec::new(), next: u64::try_from(after).ok() });
        }
        Err(error) => return Err(error),
    };
    let mut hunt = Hunt {
        conn,
        query: &search.query,
        from: search.query.from.as_deref().map(fold),
        rooms,
        deadline: deadline.0,
        names: Names::default(),
        looked: 0,
        page: Page::new(Most { entries: search.most.entries.max(1), bytes: search.most.bytes }),
        of_rooms: Vec::new(),
        reached: after,
    };
    let ended = match hunt.run(range) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ended::Early,
        ended => ended?,
    };
    let next = match ended {
        Ended::Early => u64::try_from(hunt.reached).ok(),
        Ended::Done => None,
    };
    Ok(Hits { hits: hunt.of_rooms.into_iter().zip(hunt.page.entries).collect(), next })
}

/// The part of a room's log that is searched: from the first to in front of the last.
struct Window {
    first: Seq,
    end: Seq,
}

/// Where only a part of the logs is asked for, by time or as one room: the first and the last nr that can be in it. Times
/// never fall within a room, so each log is cut exactly where the time says. None where nothing is left.
fn narrow(
    conn: &Connection,
    query: &Query,
    rooms: &mut HashMap<RoomId, Window>,
) -> rusqlite::Result<Option<(i64, i64)>> {
    if query.after.is_none() && query.before.is_none() && rooms.len() > 1 {
        return Ok(Some((1, i64::MAX)));
    }
    let mut range: Option<(i64, i64)> = None;
    let mut empty = Vec::new();
    for (room, window) in &mut *rooms {
        if let Some(after) = query.after {
            window.first = window.first.max(log::first_since(conn, *room, after)?);
        }
        if let Some(before) = query.before {
            window.end = window.end.min(log::first_since(conn, *room, before)?);
        }
        match numbers(conn, *room, window)? {
            Some((low, high)) => {
                range = Some(range.map_or((low, high), |(lowest, highest)| (lowest.min(low), highest.max(high))));
            }
            None => empty.push(*room),
        }
    }
    for room in empty {
        rooms.remove(&room);
    }
    Ok(range)
}

/// The nr of the first and of the last message in a window.
fn numbers(conn: &Connection, room: RoomId, window: &Window) -> rusqlite::Result<Option<(i64, i64)>> {
    let Some(head) = log::head(conn, room)? else { return Ok(None) };
    let last = window.end.before().min(Seq(head.seq));
    let nr = |seq: Option<Seq>| -> rusqlite::Result<Option<i64>> {
        let Some(seq) = seq.filter(|seq| window.first <= *seq && *seq < window.end) else { return Ok(None) };
        conn.prepare_cached("SELECT nr FROM entries WHERE id = ?1")?
            .query_row([id(room, seq)], |row| row.get(0))
            .optional()
    };
    let Some((before, count)) = place(conn, room, window.first.before())? else { return Ok(None) };
    let low = nr(find(conn, room, count + 1, before.next(), Seq(head.seq))?)?;
    let Some((at, count)) = place(conn, room, last)? else { return Ok(None) };
    let high = nr(find(conn, room, count, before.next(), at)?)?;
    Ok(low.zip(high))
}

/// Why there is nothing more to be looked at.
enum Ended {
    /// The page is full, or the time is over.
    Early,
    /// Everything was looked at.
    Done,
}

struct Hunt<'a> {
    conn: &'a Connection,
    query: &'a Query,
    /// Whose messages are searched, folded.
    from: Option<String>,
    rooms: HashMap<RoomId, Window>,
    deadline: Instant,
    names: Names,
    looked: u32,
    page: Page,
    /// The rooms of the entries in the page.
    of_rooms: Vec<RoomId>,
    /// Everything from this nr on was looked at, and is in the page if it is a hit.
    reached: i64,
}

impl Hunt<'_> {
    fn run(&mut self, (low, high): (i64, i64)) -> rusqlite::Result<Ended> {
        let Some(expression) = self.expression() else {
            return self.walk(low, high);
        };
        let indexed = index::indexed(self.conn)?;
        if let Ended::Early = self.walk(low.max(indexed.saturating_add(1)), high)? {
            return Ok(Ended::Early);
        }
        let mut high = high.min(indexed);
        while low <= high {
            let first = low.max(high.saturating_sub(WINDOW - 1));
            if let Ended::Early = self.ask(&expression, first, high)? {
                return Ok(Ended::Early);
            }
            self.reached = first;
            high = first - 1;
        }
        Ok(Ended::Done)
    }

    /// What the index is asked; none where it has nothing to say. Whatever was typed has become words by now, and a word has
    /// nothing in it that means anything to FTS5.
    fn expression(&self) -> Option<String> {
        let mut facets = Vec::new();
        if let Some(from) = &self.from {
            facets.push(format!("\"{}\"", index::author_facet(from)));
        }
        if let (1, Some(room)) = (self.rooms.len(), self.rooms.keys().next()) {
            facets.push(format!("\"{}\"", index::room_facet(*room)));
        }
        if self.query.has_link {
            facets.push(format!("\"{}\"", index::LINK_FACET));
        }
        let words = self.query.fts().map(|words| format!("text : ({words})"));
        let facets = (!facets.is_empty()).then(|| format!("facets : ({})", facets.join(" AND ")));
        match (words, facets) {
            (Some(words), Some(facets)) => Some(format!("{words} AND {facets}")),
            (words, facets) => words.or(facets),
        }
    }

    /// Looks at all messages, from the last to the first.
    fn walk(&mut self, low: i64, high: i64) -> rusqlite::Result<Ended> {
        if low > high {
            return Ok(Ended::Done);
        }
        let mut select = self.conn.prepare_cached(SELECT_POSTINGS)?;
        let mut rows = select.query((low, high))?;
        while let Some(row) = rows.next()? {
            if let Ended::Early = self.look(row.get(0)?, row.get(1)?, true)? {
                return Ok(Ended::Early);
            }
        }
        Ok(Ended::Done)
    }

    /// Looks at what the index finds, from the last to the first.
    fn ask(&mut self, expression: &str, low: i64, high: i64) -> rusqlite::Result<Ended> {
        // Where no word must be there, the index has only said where the message stands and whose it is.
        let with_text = self.query.fts().is_none();
        let mut select = self.conn.prepare_cached(SELECT_FOUND)?;
        let mut posting = self.conn.prepare_cached(SELECT_POSTING)?;
        let mut rows = select.query((low, high, expression))?;
        while let Some(row) = rows.next()? {
            let nr: i64 = row.get(0)?;
            let place = posting.query_row([nr], |row| row.get(0)).optional()?;
            if let Some(place) = place
                && let Ended::Early = self.look(nr, place, with_text)?
            {
                return Ok(Ended::Early);
            }
        }
        Ok(Ended::Done)
    }

    /// Takes a message into the page if it is a hit.
    fn look(&mut self, nr: i64, place: i64, with_text: bool) -> rusqlite::Result<Ended> {
        self.looked += 1;
        if self.looked.is_multiple_of(CLOCK_EVERY) && Instant::now() >= self.deadline {
            return Ok(Ended::Early);
        }
        let (room, seq) = (log::room(place), log::seq(place));
        if self.rooms.get(&room).is_some_and(|window| window.first <= seq && seq < window.end) {
            let mut select = self.conn.prepare_cached(SELECT_ENTRY)?;
            let mut rows = select.query([place])?;
            if let Some(row) = rows.next()? {
                let is_there = row.get::<_, i64>(5)? == MESSAGE && row.get::<_, i64>(7)? & DELETED == 0;
                let from = row.get_ref(4)?.as_str()?;
                let hit = is_there
                    && self.from.as_ref().is_none_or(|wanted| fold(from) == *wanted)
                    && (!with_text || self.query.matches(row.get_ref(8)?.as_str()?));
                if hit {
                    if !self.page.take(entry(row, &mut self.names)?) {
                        return Ok(Ended::Early);
                    }
                    self.of_rooms.push(room);
                }
            }
        }
        self.reached = nr;
        Ok(Ended::Done)
    }
}
