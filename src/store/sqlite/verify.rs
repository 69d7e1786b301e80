//! Whether a database holds together: as SQLite sees it, and as we do. Everything that is stored twice (numbers, counts, the
//! index of words) is compared with what it follows from. Reads all of it once or twice, in memory that does not grow
//! with it, and changes nothing.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::model::Line;
use crate::model::name::fold;
use crate::model::words::words;
use crate::store::sqlite::log::{room, seq};
use crate::store::sqlite::rows::{DELETED, MESSAGE, Names, entry, select_entries};
use crate::store::sqlite::visit::Visit;
use crate::store::sqlite::{OpenError, index, migrate, rooms};

/// So many problems are told one by one.
const MOST: usize = 50;

/// What a database holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// The format of its schema.
    pub format: i64,
    /// Whether this program brings it up to date before it uses it. Then some things are compared only afterwards.
    pub is_old: bool,
    /// How many rooms there are, direct conversations among them.
    pub rooms: u64,
    /// How many accounts there are, without those that were deleted.
    pub accounts: u64,
    /// How many entries all logs have together.
    pub entries: u64,
    /// How many of them are messages that were not deleted.
    pub messages: u64,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
    /// How many more problems there are.
    pub more_problems: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.more_problems == 0
    }

    fn problem(&mut self, problem: impl Into<String>) {
        if self.problems.len() < MOST {
            self.problems.push(problem.into());
        } else {
            self.more_problems += 1;
        }
    }
}

/// The problems, each on a line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if number > 0 { "\n" } else { "" })?;
        }
        if self.more_problems > 0 {
            write!(f, "\nand {} more problems", self.more_problems)?;
        }
        Ok(())
    }
}

/// How closely SQLite is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// At everything.
    Whole,
    /// At all but whether its indexes fit its tables: they were made from them just now.
    Quick,
}

/// Looks at a database, whether a store has it open or not. Blocks for as long as it takes to read all of it.
///
/// # Errors
/// [`OpenError`]: it cannot be read at all, or is none of ours. What is wrong with one of ours stands in the [`Report`].
pub fn verify(path: &Path) -> Result<Report, OpenError> {
    look_whole(&Visit::open(path)?)
}

/// Looks at everything as it is at one moment.
pub(super) fn look_whole(visit: &Visit) -> Result<Report, OpenError> {
    let failed = |error| OpenError::sqlite(&visit.path, error);
    visit.begin().map_err(failed)?;
    let report = look_at(&visit.conn, &visit.path, Look::Whole);
    visit.end().map_err(failed)?;
    Ok(report)
}

type Step = fn(&Connection, Look, &mut Report) -> rusqlite::Result<()>;

/// Looks at a database that is open.
pub(super) fn look_at(conn: &Connection, path: &Path, look: Look) -> Report {
    let mut report = Report { path: path.to_owned(), ..Report::default() };
    match conn.pragma_query_value(None, "user_version", |row| row.get(0)) {
        Ok(format) => report.format = format,
        Err(error) => report.problem(format!("its format cannot be read: {error}")),
    }
    report.is_old = report.format < migrate::newest(migrate::MIGRATIONS);
    let steps: [(&str, Step); 6] = [
        ("what SQLite makes of it", structure),
        ("its tables", tables),
        ("its names", names),
        ("its logs", logs),
        ("what follows from its logs", references),
        ("its search index", found),
    ];
    for (what, step) in steps {
        if let Err(error) = step(conn, look, &mut report) {
            report.problem(format!("{what} cannot be read: {error}"));
        }
    }
    report
}

/// What SQLite finds: pages, records, indexes, and the inner order of the search index.
fn structure(conn: &Connection, look: Look, report: &mut Report) -> rusqlite::Result<()> {
    let sql = match look {
        Look::Whole => "PRAGMA integrity_check",
        Look::Quick => "PRAGMA quick_check",
    };
    let mut check = conn.prepare(sql)?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let finding = row.get_ref(0)?.as_str()?;
        if finding != "ok" {
            report.problem(finding.replace('\n', " "));
        }
    }
    Ok(())
}

/// Whether the tables are those of its format.
fn tables(conn: &Connection, _: Look, report: &mut Report) -> rusqlite::Result<()> {
    let wanted = Connection::open_in_memory()?;
    for migration in migrate::MIGRATIONS.iter().take(usize::try_from(report.format).unwrap_or(0)) {
        wanted.execute_batch(migration)?;
    }
    let (wanted, there) = (columns(&wanted)?, columns(conn)?);
    for missing in wanted.difference(&there) {
        report.problem(format!("{missing} is missing"));
    }
    for other in there.difference(&wanted) {
        report.problem(format!("{other} should not be there"));
    }
    let secret: Option<Vec<u8>> = rooms::meta(conn, "secret")?;
    if secret.is_none_or(|secret| secret.len() != 32) {
        report.problem("its secret is missing");
    }
    Ok(())
}

/// Each column of each table, and each index, in words.
fn columns(conn: &Connection) -> rusqlite::Result<HashSet<String>> {
    // What FTS5 puts beside its table is its own business.
    let sql = "SELECT format('the column %s of the table %s (%s%s)', it.name, tables.name, it.type, \
            CASE WHEN it.pk THEN ', key ' || it.pk ELSE '' END) \
        FROM pragma_table_list AS tables JOIN pragma_table_info(tables.name) AS it \
        WHERE tables.schema = 'main' AND tables.type IN ('table', 'virtual') AND tables.name NOT LIKE 'sqlite^_%' ESCAPE '^' \
        UNION ALL SELECT format('the index %s', name) FROM main.sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    let mut select = conn.prepare(sql)?;
    select.query_map([], |row| row.get(0))?.collect()
}

/// Whether names can be shown on a line, and are found as they are written.
fn names(conn: &Connection, _: Look, report: &mut Report) -> rusqlite::Result<()> {
    let mut select =
        conn.prepare("SELECT id, name, folded FROM accounts UNION ALL SELECT id, name, NULL FROM rooms")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name, folded): (i64, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let what = if folded.is_some() { "account" } else { "room" };
        if name.is_empty() || Line::parse(name.clone()).is_err() {
            report.problem(format!("the {what} {id} has no name that can be shown: {name:?}"));
        } else if folded.is_some_and(|folded| folded != fold(&name)) {
            report.problem(format!("the {what} {id} is not found by its name, {name:?}"));
        }
    }
    Ok(())
}

/// Where the log of a room has come to.
#[derive(Clone, Copy)]
struct Place {
    seq: u64,
    messages: i64,
    time: i64,
}

/// Whether each log has its numbers without a gap, from the first that is kept to the head, and counts its messages right.
fn logs(conn: &Connection, _: Look, report: &mut Report) -> rusqlite::Result<()> {
    let mut firsts: HashMap<i64, (String, i64)> = HashMap::new();
    let mut select = conn.prepare("SELECT id, name, first_seq FROM rooms")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        firsts.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
    }
    report.rooms = firsts.len() as u64;
    let deleted = if report.format > 1 { "deleted = 0" } else { "1" };
    let sql = format!("SELECT count(*) FROM accounts WHERE {deleted}");
    report.accounts = conn.query_row(&sql, [], |row| row.get(0)).map(i64::unsigned_abs)?;
    let doomed = doomed(conn, report)?;
    let mut at: Option<(i64, Place)> = None;
    let mut strangers = 0_u64;
    let mut select = conn.prepare("SELECT id, kind, messages, time, flags FROM entries ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let (here, seq) = (room(id).0, seq(id).0);
        if doomed.contains(&here) {
            continue;
        }
        let is_message = row.get::<_, i64>(1)? == MESSAGE;
        report.entries += 1;
        report.messages += u64::from(is_message && row.get::<_, i64>(4)? & DELETED == 0);
        let place = Place { seq, messages: row.get(2)?, time: row.get(3)? };
        let before = at.replace((here, place)).filter(|(room, _)| *room == here).map(|(_, place)| place);
        let Some((name, first)) = firsts.get(&here) else {
            strangers += 1;
            continue;
        };
        match before {
            None => {
                if i64::try_from(seq) != Ok(*first) {
                    report.problem(format!("the log of {name:?} begins with entry {seq}, and should with {first}"));
                }
                if place.messages < i64::from(is_message) {
                    report.problem(format!("entry {seq} of {name:?} has the wrong count of messages"));
                }
            }
            Some(before) => {
                if seq != before.seq + 1 {
                    let (from, to) = (before.seq + 1, seq - 1);
                    report.problem(format!("the entries {from} to {to} of {name:?} are missing"));
                } else if place.messages != before.messages + i64::from(is_message) {
                    report.problem(format!("entry {seq} of {name:?} has the wrong count of messages"));
                }
                if place.time < before.time {
                    report.problem(format!("entry {seq} of {name:?} is older than the one before it"));
                }
            }
        }
    }
    if strangers > 0 {
        report.problem(format!("there are {strangers} entries of rooms that are not there"));
    }
    // A log that has had entries keeps the last one.
    let sql = "SELECT name FROM rooms WHERE first_seq <> 1 \
        AND NOT EXISTS (SELECT 1 FROM entries WHERE entries.id BETWEEN rooms.id << 40 AND (rooms.id + 1 << 40) - 1)";
    let mut select = conn.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        report.problem(format!("the log of {name:?} is empty, and should have an entry"));
    }
    if report.is_old {
        return Ok(());
    }
    // That each can be read as what it says it is.
    rooms::all(conn)?;
    let mut names = Names::default();
    let mut select = conn.prepare(select_entries!("ORDER BY id"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(error) = entry(row, &mut names) {
            let id: i64 = row.get(0)?;
            report.problem(format!("entry {} of room {} cannot be read: {error}", seq(id), room(id).0));
        }
    }
    Ok(())
}

/// The rooms that are being erased.
fn doomed(conn: &Connection, report: &Report) -> rusqlite::Result<HashSet<i64>> {
    if report.format < 2 {
        return Ok(HashSet::new());
    }
    conn.prepare("SELECT room FROM doomed")?.query_map([], |row| row.get(0))?.collect()
}

/// What has to be nowhere: from which format on, how it is counted, and what is said of it.
const NOWHERE: &[(i64, &str, &str)] = &[
    (1, "SELECT count(*) FROM members WHERE user NOT IN (SELECT id FROM accounts)", "members without an account"),
    (1, "SELECT count(*) FROM rooms WHERE epoch = ''", "rooms without an epoch"),
    (1, "SELECT count(*) FROM accounts WHERE role NOT IN ('user', 'admin')", "accounts whose role is none"),
    (
        1,
        "SELECT count(*) FROM members WHERE role NOT IN ('owner', 'moderator', 'member')",
        "members whose role is none",
    ),
    (2, "SELECT count(*) FROM rooms WHERE history NOT IN ('all', 'joined')", "rooms whose history is for nobody"),
    (
        1,
        "SELECT count(*) FROM sqlite_sequence WHERE name = 'accounts' AND seq < (SELECT max(id) FROM accounts) \
            OR name = 'rooms' AND seq < (SELECT max(id) FROM rooms)",
        "tables that would give a number twice",
    ),
    (
        2,
        "SELECT count(*) FROM sqlite_sequence WHERE name = 'tokens' AND seq < (SELECT max(id) FROM tokens) \
            OR name = 'invitations' AND seq < (SELECT max(id) FROM invitations) \
            OR name = 'acts' AND seq < (SELECT max(id) FROM acts)",
        "further tables that would give a number twice",
    ),
    (
        2,
        "SELECT count(*) FROM members WHERE user IN (SELECT id FROM accounts WHERE deleted <> 0)",
        "members whose account was deleted",
    ),
    (
        2,
        "SELECT count(*) FROM tokens WHERE user NOT IN (SELECT id FROM accounts WHERE deleted = 0)",
        "tokens without an account",
    ),
    (
        3,
        "SELECT count(*) FROM tokens WHERE length(fingerprint) NOT IN (0, 32)",
        "certificates whose fingerprint is none",
    ),
    (
        2,
        "SELECT count(*) FROM blocks WHERE user NOT IN (SELECT id FROM accounts WHERE deleted = 0)",
        "blocks without an account",
    ),
    (
        2,
        "SELECT count(*) FROM invited WHERE user NOT IN (SELECT id FROM accounts WHERE deleted = 0)",
        "people invited to rooms who have no account",
    ),
    (
        2,
        "SELECT count(*) FROM rooms WHERE heir <> 0 AND heir NOT IN (SELECT id FROM accounts)",
        "rooms whose last owner has no account",
    ),
    (
        2,
        "SELECT count(*) FROM (SELECT room FROM members UNION ALL SELECT room FROM sides UNION ALL SELECT room FROM bans \
            UNION ALL SELECT room FROM invited UNION ALL SELECT room FROM reactions UNION ALL SELECT room FROM mentions \
            UNION ALL SELECT room FROM tallies) \
        WHERE room NOT IN (SELECT id FROM rooms UNION ALL SELECT room FROM doomed)",
        "rows about rooms that are not there",
    ),
    (
        2,
        "SELECT count(*) FROM (SELECT room FROM sides GROUP BY room HAVING count(*) <> 2)",
        "direct conversations that have not two sides",
    ),
    (
        2,
        "SELECT count(*) FROM members JOIN rooms ON rooms.id = members.room \
        WHERE read > ifnull((SELECT max(entries.id) FROM entries \
            WHERE entries.id BETWEEN rooms.id << 40 AND (rooms.id + 1 << 40) - 1) & 0xffffffffff, 0)",
        "members who have read beyond the end of a log",
    ),
    (
        2,
        "SELECT count(*) FROM reactions WHERE room NOT IN (SELECT room FROM doomed) AND (\
            NOT EXISTS (SELECT 1 FROM entries WHERE entries.id = reactions.room << 40 | target \
                AND kind = 0 AND flags & 6 = 4) \
            OR NOT EXISTS (SELECT 1 FROM entries WHERE entries.id = reactions.room << 40 | reactions.seq AND kind = 4))",
        "reactions to messages that are not there",
    ),
    (
        2,
        "SELECT count(*) FROM mentions WHERE room NOT IN (SELECT room FROM doomed) AND (\
            NOT EXISTS (SELECT 1 FROM entries WHERE entries.id = mentions.room << 40 | seq AND kind = 0 AND flags & 2 = 0) \
            OR NOT EXISTS (SELECT 1 FROM members WHERE members.room = mentions.room AND members.user = mentions.user))",
        "mentions in messages that are not there, or of those who are no members",
    ),
    (
        2,
        "SELECT count(*) FROM postings LEFT JOIN entries ON entries.id = postings.id \
        WHERE entries.kind IS NOT 0 OR entries.nr IS NOT postings.nr",
        "numbers of messages that are not there",
    ),
    (
        2,
        "SELECT count(*) FROM entries LEFT JOIN postings ON postings.nr = entries.nr \
        WHERE entries.kind = 0 AND postings.id IS NOT entries.id",
        "messages without their number",
    ),
    (
        2,
        "WITH looked AS (SELECT id >> 40 AS room, CASE WHEN flags & 2 THEN 0 ELSE author END AS author, \
                (id & 0xffffffffff) >> 8 AS block, count(*) AS count FROM entries WHERE kind = 0 GROUP BY 1, 2, 3), \
            counted AS (SELECT room, author, block, count FROM tallies WHERE block >= 0 AND count <> 0) \
        SELECT count(*) FROM (\
            SELECT * FROM (SELECT * FROM looked EXCEPT SELECT * FROM counted) \
            UNION ALL SELECT * FROM (SELECT * FROM counted EXCEPT SELECT * FROM looked)) \
        WHERE room NOT IN (SELECT room FROM doomed)",
        "counts of messages that are wrong",
    ),
    (
        2,
        "WITH heads AS (SELECT id >> 40 AS room, (max(id) & 0xffffffffff) >> 16 AS wide FROM entries GROUP BY 1), \
            looked AS (SELECT room, author, -1 - (block >> 8) AS block, sum(count) AS count \
                FROM tallies JOIN heads USING (room) WHERE block >= 0 AND block >> 8 < wide GROUP BY 1, 2, 3 HAVING sum(count) <> 0), \
            counted AS (SELECT room, author, block, count FROM tallies WHERE block < 0 AND count <> 0) \
        SELECT count(*) FROM (\
            SELECT * FROM (SELECT * FROM looked EXCEPT SELECT * FROM counted) \
            UNION ALL SELECT * FROM (SELECT * FROM counted EXCEPT SELECT * FROM looked)) \
        WHERE room NOT IN (SELECT room FROM doomed)",
        "sums of counts of messages that are wrong",
    ),
];

/// Whether everything refers to something that is there, and what is counted was counted right.
fn references(conn: &Connection, _: Look, report: &mut Report) -> rusqlite::Result<()> {
    for (since, sql, what) in NOWHERE {
        if *since > report.format {
            continue;
        }
        let count: i64 = conn.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            report.problem(format!("there are {count} {what}"));
        }
    }
    Ok(())
}

/// Words at their places, added up, whatever their order.
#[derive(Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    sum: u64,
}

impl Sum {
    fn add(&mut self, word: &str, nr: i64, column: u8, offset: i64) {
        let mut hasher = DefaultHasher::new();
        (word, nr, column, offset).hash(&mut hasher);
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

/// Whether the search index has the words of all messages that it has come to, each at its place, and no others.
fn found(conn: &Connection, _: Look, report: &mut Report) -> rusqlite::Result<()> {
    // Where the words are cut in another way, the index is made anew before it is used.
    if report.is_old || rooms::meta::<String>(conn, "index_form")? != Some(index::form()) {
        return Ok(());
    }
    let mut wanted = Sum::default();
    let sql = "SELECT id, nr, name, text FROM entries WHERE kind = 0 AND flags & 2 = 0 AND text <> '' AND nr <= ?1 ORDER BY id";
    let mut select = conn.prepare(sql)?;
    let mut rows = select.query([index::indexed(conn)?])?;
    while let Some(row) = rows.next()? {
        let (nr, text): (i64, _) = (row.get(1)?, row.get_ref(3)?.as_str()?);
        let facets = index::facets(room(row.get(0)?), row.get_ref(2)?.as_str()?, text);
        (0..).zip(words(text)).for_each(|(offset, word)| wanted.add(&word.text, nr, 0, offset));
        (0..).zip(facets.split(' ')).for_each(|(offset, word)| wanted.add(word, nr, 1, offset));
    }
    // This is not part of the database: where it is kept is forgotten with the connection.
    conn.execute_batch("CREATE VIRTUAL TABLE temp.found_words USING fts5vocab('main', 'found', 'instance')")?;
    let mut there = Sum::default();
    let mut select = conn.prepare("SELECT term, doc, col, \"offset\" FROM temp.found_words")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let column = u8::from(row.get_ref(2)?.as_str()? == "facets");
        there.add(row.get_ref(0)?.as_str()?, row.get(1)?, column, row.get(3)?);
    }
    if there != wanted {
        let (there, wanted) = (there.count, wanted.count);
        report.problem(format!(
            "the search index does not agree with the messages: it has {there} words, and should have {wanted}; \
             export and import make it anew"
        ));
    }
    Ok(())
}
