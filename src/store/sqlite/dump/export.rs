//! A database -> lines.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::json;

use crate::model::{Clock, SystemClock};
use crate::store::sqlite::OpenError;
use crate::store::sqlite::dump::tables::{self, Table};
use crate::store::sqlite::dump::{FORMAT, SNAKK};
use crate::store::sqlite::visit::Visit;

/// Why an export is not whole. What was written of it has no last line, and no import takes it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The database cannot be read.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The lines cannot be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

/// Writes all that is in a database, as it is at one moment, whether a store has it open or not, and how many rows that are.
/// The name is that of the server, and only told. Blocks, with as much memory as the longest line needs.
///
/// Where a store has the database open, its log grows until the last line was written: whoever takes the lines slowly
/// should have them in a file first.
///
/// # Errors
/// [`ExportError`].
pub fn export(database: &Path, server: &str, out: &mut dyn Write) -> Result<u64, ExportError> {
    let visit = Visit::open(database)?;
    let failed = |error| ExportError::Database(OpenError::sqlite(&visit.path, error));
    let mut out = BufWriter::with_capacity(1 << 16, out);
    visit.begin().map_err(failed)?;
    let first = json!({
        "export": SNAKK,
        "format": FORMAT,
        "schema": visit.version,
        "server": server,
        "time": SystemClock.now().to_string(),
    });
    writeln!(out, "{first}")?;
    let tables = tables::all(&visit.conn).map_err(failed)?;
    let some_are_erased = has_doomed(&visit.conn, &tables).map_err(failed)?;
    let mut rows = 0;
    for table in &tables {
        rows += write_rows(&visit, table, some_are_erased, &mut out)?;
    }
    writeln!(out, "{}", json!({"end": true, "rows": rows}))?;
    out.flush()?;
    Ok(rows)
}

fn has_doomed(conn: &Connection, tables: &[Table]) -> rusqlite::Result<bool> {
    if tables.iter().all(|table| table.name != "doomed") {
        return Ok(false);
    }
    conn.query_row("SELECT EXISTS (SELECT 1 FROM doomed)", [], |row| row.get(0))
}

fn write_rows(visit: &Visit, table: &Table, some_are_erased: bool, out: &mut impl Write) -> Result<u64, ExportError> {
    let failed = |error| ExportError::Database(OpenError::sqlite(&visit.path, error));
    let mut select = visit.conn.prepare(&table.select(some_are_erased)).map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let (mut count, mut line) = (0, Vec::new());
    while let Some(row) = rows.next().map_err(failed)? {
        line.clear();
        line.extend_from_slice(b"{\"table\":");
        write_text(&mut line, &table.name)?;
        line.extend_from_slice(b",\"row\":{");
        for (number, column) in table.columns.iter().enumerate() {
            if number > 0 {
                line.push(b',');
            }
            write_text(&mut line, column)?;
            line.push(b':');
            let value = row.get_ref(number).map_err(failed)?;
            if !write_value(&mut line, value)? {
                let finding = format!("{column} of a row of {} is {}", table.name, value.data_type());
                return Err(OpenError::damaged(&visit.path, finding).into());
            }
        }
        line.extend_from_slice(b"}}\n");
        out.write_all(&line)?;
        count += 1;
    }
    Ok(count)
}

/// False where it is of a kind that is in none of our tables, or no text though it should be one.
fn write_value(line: &mut Vec<u8>, value: ValueRef<'_>) -> io::Result<bool> {
    match value {
        ValueRef::Integer(number) => write!(line, "{number}")?,
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => write_text(line, text)?,
            Err(_) => return Ok(false),
        },
        ValueRef::Blob(bytes) => {
            line.extend_from_slice(b"{\"hex\":\"");
            for byte in bytes {
                write!(line, "{byte:02x}")?;
            }
            line.extend_from_slice(b"\"}");
        }
        ValueRef::Null | ValueRef::Real(_) => return Ok(false),
    }
    Ok(true)
}

fn write_text(line: &mut Vec<u8>, text: &str) -> io::Result<()> {
    serde_json::to_writer(line, text).map_err(io::Error::from)
}
