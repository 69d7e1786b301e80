//! The index of words: which messages have which words, so that they are found.
//!
//! It is filled behind the postings, not with them: everything up to the nr `indexed` is in it, and a search looks at what
//! stands behind that itself. What is edited or deleted up to there is changed in the index in the same transaction.
//!
//! FTS5 keeps no copy of the texts here. To take one out it has to be told the words again, and they must be the same as
//! when it was put in. So the index is made anew where the rules by which a text is cut have changed.

use rusqlite::{Connection, OptionalExtension};

use crate::model::RoomId;
use crate::model::name::fold;
use crate::model::words::{has_link, indexed as words_of};
use crate::store::sqlite::log::room;
use crate::store::sqlite::rooms;

/// To be counted up when other words are put into the index for the same text.
const FORM: u32 = 1;

/// What was deleted (see `rows::DELETED`) has no words.
pub(super) const SELECT_NEXT: &str = "SELECT postings.nr, entries.id, entries.name, \
    CASE WHEN entries.flags & 2 THEN '' ELSE entries.text END FROM postings JOIN entries ON entries.id = postings.id WHERE postings.nr > ?1 ORDER BY postings.nr LIMIT ?2";

/// What the words of a text depend on.
pub(super) fn form() -> String {
    format!("{FORM} {:?} {:?}", char::UNICODE_VERSION, unicode_normalization::UNICODE_VERSION)
}

/// Empties the index where it was made by other rules than ours.
pub(super) fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    let form = form();
    if rooms::meta::<String>(conn, "index_form")?.as_deref() == Some(&*form) {
        return Ok(());
    }
    conn.execute_batch("BEGIN IMMEDIATE")?;
    if indexed(conn)? > 0 {
        tracing::info!("the index of words is made anew");
        conn.execute("INSERT INTO found (found) VALUES ('delete-all')", [])?;
        set_indexed(conn, 0)?;
    }
    conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('index_form', ?1)", [form])?;
    conn.execute_batch("COMMIT")
}

/// Up to which nr everything is in the index.
pub(super) fn indexed(conn: &Connection) -> rusqlite::Result<i64> {
    let mut select = conn.prepare_cached("SELECT value FROM meta WHERE key = 'indexed'")?;
    Ok(select.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn set_indexed(conn: &Connection, nr: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('indexed', ?1)")?.execute([nr]).map(|_| ())
}

/// The highest nr that was ever given, as far as it matters.
pub(super) fn newest(conn: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = conn.prepare_cached("SELECT max(nr) FROM postings")?.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0).max(indexed(conn)?))
}

/// Puts up to so many more messages into the index. Answers up to where it is now.
pub(super) fn go_on(conn: &Connection, most: usize, given: Option<i64>) -> rusqlite::Result<i64> {
    let before = indexed(conn)?;
    let mut select = conn.prepare_cached(SELECT_NEXT)?;
    let mut rows = select.query((before, i64::try_from(most).unwrap_or(i64::MAX)))?;
    let (mut last, mut count) = (before, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        add(conn, last, room(row.get(1)?), row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?)?;
    }
    if count < most {
        // The last ones may have been cut off, and then nothing stands there.
        last = newest(conn)?.max(given.unwrap_or(0));
    }
    set_indexed(conn, last)?;
    Ok(last)
}

/// Fills an empty index with all that it is said to have.
pub(super) fn make(conn: &Connection) -> rusqlite::Result<()> {
    let mut select = conn.prepare(SELECT_NEXT)?;
    let up_to = indexed(conn)?;
    let mut rows = select.query((0, i64::MAX))?;
    while let Some(row) = rows.next()? {
        let nr = row.get(0)?;
        if nr > up_to {
            break;
        }
        add(conn, nr, room(row.get(1)?), row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?)?;
    }
    conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('index_form', ?1)", [form()]).map(|_| ())
}

/// Puts a message into the index, or what it says now.
pub(super) fn add(conn: &Connection, nr: i64, room: RoomId, name: &str, text: &str) -> rusqlite::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut insert = conn.prepare_cached("INSERT INTO found (rowid, text, facets) VALUES (?1, ?2, ?3)")?;
    insert.execute((nr, words_of(text), facets(room, name, text))).map(|_| ())
}

/// Takes a message out of the index: it said that when it was put in.
pub(super) fn remove(conn: &Connection, nr: i64, room: RoomId, name: &str, text: &str) -> rusqlite::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut delete =
        conn.prepare_cached("INSERT INTO found (found, rowid, text, facets) VALUES ('delete', ?1, ?2, ?3)")?;
    delete.execute((nr, words_of(text), facets(room, name, text))).map(|_| ())
}

pub(super) fn facets(room: RoomId, name: &str, text: &str) -> String {
    let mut facets = format!("{} {}", room_facet(room), author_facet(&fold(name)));
    if has_link(text) {
        facets.push(' ');
        facets.push_str(LINK_FACET);
    }
    facets
}

/// The word that all messages with a link have.
pub(super) const LINK_FACET: &str = "link";

/// The word that all messages in a room have.
pub(super) fn room_facet(room: RoomId) -> String {
    format!("r{}", room.0)
}

/// The word that all messages have whose author has that name.
pub(super) fn author_facet(folded: &str) -> String {
    use std::fmt::Write;
    let mut facet = String::from("u");
    for byte in folded.bytes() {
        let _ = write!(facet, "{byte:02x}");
    }
    facet
}
