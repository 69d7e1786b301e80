//! Lines -> a database.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::store::sqlite::dump::tables::{self, ABOUT_FILES, NUMBERS, Table};
use crate::store::sqlite::dump::{FORMAT, SNAKK};
use crate::store::sqlite::files::{adopt, beside, has_bytes, remove_database, sync_folder};
use crate::store::sqlite::lock::Lock;
use crate::store::sqlite::verify::{Look, look_at};
use crate::store::sqlite::{OpenError, Report, backup, index, migrate, restore, rooms};

/// The longest first line. So what is no export at all is found out soon.
const MOST_FIRST_BYTES: u64 = 1 << 16;
/// The longest other line.
const MOST_LINE_BYTES: u64 = 1 << 30;

/// Why nothing was imported. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is a database already.
    #[error("there is a database already, {}, and it stays as it is; choose another data directory", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The database cannot be made.
    #[error(transparent)]
    Place(#[from] OpenError),
    /// The lines cannot be read.
    #[error("cannot read the export: {0}")]
    Read(#[from] io::Error),
    /// A line makes no sense.
    #[error("line {line} of the export: {problem}")]
    Line {
        /// Which, counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Each line makes sense, but not all of them together.
    #[error("the export was read, but something is wrong with what it holds:\n{report}")]
    NotWhole {
        /// What was found.
        report: Box<Report>,
    },
}

/// Makes a database of what [`export`](super::export()) has written, of this format or an older one, where there is none
/// yet. It has its name when all of it is there, holds together and is on the disk. Blocks, with as much memory as the
/// longest line needs.
///
/// # Errors
/// [`ImportError`].
pub fn import(database: &Path, input: &mut dyn BufRead) -> Result<Report, ImportError> {
    let exists = || ImportError::Exists { path: database.to_owned() };
    if is_taken(database) {
        return Err(exists());
    }
    let was_there = database.exists();
    let lock = Lock::open(database)?;
    let cannot = |error: io::Error| OpenError::cannot_open(database, error);
    let path = fs::canonicalize(database).map_err(cannot)?;
    let result = if is_taken(&path) { Err(exists()) } else { make(&path, input) };
    if result.is_err() && !was_there && !has_bytes(&path) {
        // The lock has made it.
        let _ = fs::remove_file(&path);
    }
    drop(lock);
    result
}

/// Whether there is a database, or what is left of one.
fn is_taken(path: &Path) -> bool {
    has_bytes(path) || has_bytes(&beside(path, "-wal")) || restore::is_unfinished(path)
}

fn make(path: &Path, input: &mut dyn BufRead) -> Result<Report, ImportError> {
    let new = beside(path, ".new");
    let cannot = |error: io::Error| OpenError::cannot_open(path, error);
    remove_database(&new).map_err(cannot)?;
    let lock = Lock::create(&new).map_err(cannot)?;
    let filled = fill(&new, path, input).and_then(|report| {
        adopt(&lock.file, path).and_then(|()| lock.file.sync_all()).map_err(cannot)?;
        fs::rename(&new, path).map_err(cannot)?;
        sync_folder(path).map_err(cannot)?;
        Ok(report)
    });
    filled.inspect_err(|_| _ = remove_database(&new))
}

fn fill(new: &Path, path: &Path, input: &mut dyn BufRead) -> Result<Report, ImportError> {
    let failed = |error| ImportError::Place(OpenError::sqlite(path, error));
    let mut lines = Lines { input, number: 0, line: Vec::new() };
    let schema = lines.schema()?;
    let old = migrate::MIGRATIONS.get(..schema).unwrap_or_default();
    let conn = backup::connect(new).map_err(failed)?;
    conn.execute_batch("BEGIN EXCLUSIVE").map_err(failed)?;
    migrate::lay_out(&conn, old).map_err(failed)?;
    insert_all(&conn, &mut lines, failed)?;
    for key in ABOUT_FILES {
        rooms::forget_meta(&conn, key).map_err(failed)?;
    }
    conn.execute_batch("COMMIT").map_err(failed)?;
    migrate::bring_up_to_date(&conn, migrate::newest(old), migrate::MIGRATIONS).map_err(failed)?;
    conn.execute_batch("BEGIN EXCLUSIVE").map_err(failed)?;
    index::make(&conn).map_err(failed)?;
    conn.execute_batch("COMMIT").map_err(failed)?;
    let report = look_at(&conn, path, Look::Quick);
    if !report.is_whole() {
        return Err(ImportError::NotWhole { report: report.into() });
    }
    migrate::use_log(&conn).map_err(failed)?;
    conn.close().map_err(|(_, error)| failed(error))?;
    Ok(report)
}

/// A table, and the statement that adds a row to it.
type Target<'a> = (&'a Table, CachedStatement<'a>);

fn insert_all(
    conn: &Connection,
    lines: &mut Lines<'_>,
    failed: impl Fn(rusqlite::Error) -> ImportError,
) -> Result<(), ImportError> {
    let tables = tables::all(conn).map_err(&failed)?;
    // What the migrations have put there is in the export as well.
    for table in &tables {
        conn.execute_batch(&format!("DELETE FROM \"{}\"", table.name)).map_err(&failed)?;
    }
    let mut targets: HashMap<&str, Target<'_>> = HashMap::new();
    for table in &tables {
        targets.insert(&table.name, (table, conn.prepare_cached(&table.insert()).map_err(&failed)?));
    }
    let mut numbers = conn.prepare("DELETE FROM sqlite_sequence WHERE name = ?1").map_err(&failed)?;
    let mut count = 0;
    loop {
        match lines.next()? {
            Line::Row { table: name, row } => {
                let Some((table, insert)) = targets.get_mut(&*name) else {
                    return Err(lines.wrong(format!("there is no table {name:?}")));
                };
                let values = row.in_order_of(table).map_err(|problem| lines.wrong(problem))?;
                if name == NUMBERS {
                    // Each row that was added with a number of its own has left one.
                    numbers.execute([values.first()]).map_err(&failed)?;
                }
                insert.execute(rusqlite::params_from_iter(values)).map_err(|error| {
                    match error.sqlite_error_code() {
                        // The row cannot be; everything else is about the disk.
                        Some(
                            rusqlite::ErrorCode::ConstraintViolation
                            | rusqlite::ErrorCode::TypeMismatch
                            | rusqlite::ErrorCode::TooBig,
                        ) => lines.wrong(error.to_string()),
                        _ => failed(error),
                    }
                })?;
                count += 1;
            }
            Line::End { rows } if rows == count => return lines.nothing_more(),
            Line::End { rows } => {
                return Err(lines.wrong(format!("there should be {rows} rows in front of it, and there are {count}")));
            }
        }
    }
}

/// The lines of an export, read one at a time.
struct Lines<'a> {
    input: &'a mut dyn BufRead,
    /// Of the line that was read last.
    number: u64,
    line: Vec<u8>,
}

/// The first line.
#[derive(Deserialize)]
struct First {
    export: String,
    format: i64,
    schema: i64,
}

/// Any other.
enum Line {
    Row { table: String, row: Row },
    End { rows: u64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine {
    table: Option<String>,
    row: Option<Row>,
    end: Option<bool>,
    rows: Option<u64>,
}

impl Lines<'_> {
    /// Reads the first line: the number of the schema.
    fn schema(&mut self) -> Result<usize, ImportError> {
        if !self.read(MOST_FIRST_BYTES)? {
            return Err(ImportError::Line { line: 1, problem: "there is none".into() });
        }
        let first: First = serde_json::from_slice(&self.line)
            .map_err(|error| self.wrong(format!("it does not say that this is an export of snakkd ({error})")))?;
        if first.export != SNAKK {
            return Err(self.wrong(format!("it says that this is an export of {:?}", first.export)));
        }
        let newest = migrate::newest(migrate::MIGRATIONS);
        if first.format != FORMAT || first.schema > newest {
            return Err(self.wrong(format!(
                "it has format {} and schema {}, and this program knows format {FORMAT} and schemas up to {newest}; \
                 import it with the newer snakkd that wrote it",
                first.format, first.schema
            )));
        }
        match usize::try_from(first.schema) {
            Ok(schema @ 1..) => Ok(schema),
            _ => Err(self.wrong(format!("there is no schema {}", first.schema))),
        }
    }

    fn next(&mut self) -> Result<Line, ImportError> {
        if !self.read(MOST_LINE_BYTES)? {
            let problem = "the export ends without its last line, and so is not whole".into();
            return Err(ImportError::Line { line: self.number + 1, problem });
        }
        let raw: RawLine = serde_json::from_slice(&self.line).map_err(|error| self.wrong(error.to_string()))?;
        match raw {
            RawLine { table: Some(table), row: Some(row), end: None, rows: None } => Ok(Line::Row { table, row }),
            RawLine { table: None, row: None, end: Some(true), rows: Some(rows) } => Ok(Line::End { rows }),
            _ => Err(self.wrong("it is neither a row of a table nor the end")),
        }
    }

    fn nothing_more(&mut self) -> Result<(), ImportError> {
        if self.read(MOST_FIRST_BYTES)? {
            return Err(self.wrong("it stands behind the end"));
        }
        Ok(())
    }

    /// Reads a line, without its end; false where there is none.
    fn read(&mut self, most: u64) -> Result<bool, ImportError> {
        self.line.clear();
        (&mut *self.input).take(most).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(false);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() as u64 >= most {
            return Err(self.wrong(format!("it is longer than {most} bytes")));
        }
        Ok(true)
    }

    fn wrong(&self, problem: impl Into<String>) -> ImportError {
        ImportError::Line { line: self.number, problem: problem.into() }
    }
}

/// The columns of a row as they came, each with its name.
struct Row(Vec<(String, Value)>);

impl Row {
    /// The values in the order of the table's columns: each once, and no others.
    fn in_order_of(self, table: &Table) -> Result<Vec<Value>, String> {
        let mut there: HashMap<String, Value> = HashMap::with_capacity(self.0.len());
        for (name, value) in self.0 {
            if !table.columns.contains(&name) {
                return Err(format!("the table has no column {name:?}"));
            }
            if there.contains_key(&name) {
                return Err(format!("the column {name:?} stands there twice"));
            }
            there.insert(name, value);
        }
        let mut values = Vec::with_capacity(table.columns.len());
        for (name, kind) in table.columns.iter().zip(&table.kinds) {
            let value = there.remove(name).ok_or_else(|| format!("the column {name:?} is missing"))?;
            if !value.fits(kind) {
                return Err(format!("the column {name:?} is of the kind {kind}"));
            }
            values.push(value);
        }
        Ok(values)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the columns of a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Row(columns))
            }
        }
        deserializer.deserialize_map(Columns)
    }
}

/// What stands in a column.
enum Value {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    /// Whether it may stand in a column of that kind as it is. SQLite would take some for others.
    fn fits(&self, kind: &str) -> bool {
        match kind {
            "INTEGER" => matches!(self, Value::Number(_)),
            "TEXT" => matches!(self, Value::Text(_)),
            "BLOB" => matches!(self, Value::Bytes(_)),
            _ => true,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, deny_unknown_fields)]
        enum Raw {
            Number(i64),
            Text(String),
            Bytes { hex: String },
        }
        match Raw::deserialize(deserializer) {
            Ok(Raw::Number(number)) => Ok(Value::Number(number)),
            Ok(Raw::Text(text)) => Ok(Value::Text(text)),
            Ok(Raw::Bytes { hex }) => {
                from_hex(&hex).map(Value::Bytes).ok_or_else(|| D::Error::custom("these are no bytes in hex"))
            }
            Err(_) => Err(D::Error::custom("a value is a whole number of 64 bits, a string, or bytes in hex")),
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None }).collect()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn bytes_are_pairs_of_digits() {
        assert_eq!(from_hex(""), Some(vec![]));
        assert_eq!(from_hex("00fF7a"), Some(vec![0, 255, 0x7a]));
        for wrong in ["0", "0g", "000", "+1", "é0"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
