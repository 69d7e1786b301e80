//! Looks at a database without changing a byte of it: is it ours, is it whole, and how did the last daemon leave it?

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::sqlite::files::{beside, has_bytes};
use crate::store::sqlite::{OpenError, rooms};

/// Stands in the header of every database of ours: "snkk".
pub(super) const APPLICATION_ID: i64 = 0x736e_6b6b;

/// What is known about a database that is ours.
pub(super) struct Found {
    /// The format of its schema.
    pub(super) version: i64,
    /// The marker of a daemon that did not stop as it should have.
    pub(super) unclean: Option<String>,
}

/// Looks at a database that is not empty, and that nobody has open.
pub(super) fn inspect(path: &Path, file: &File, known: i64) -> Result<Found, OpenError> {
    let mut version = check_header(path, file, known)?;
    if has_bytes(&beside(path, "-journal")) {
        // A migration was cut short while its pages were written. What is left of it says nothing, not even the number of
        // the format; SQLite takes it back.
        roll_back(path).map_err(|error| OpenError::sqlite(path, error))?;
        version = check_header(path, file, known)?;
    }
    match read_marker(path) {
        Ok(State { running: None, secret, meta_page }) => {
            check_stray_log(path, file, &secret, meta_page)?;
            Ok(Found { version, unclean: None })
        }
        Ok(State { running: Some(marker), secret, .. }) => {
            check_whole(path, Some(&secret))?;
            Ok(Found { version, unclean: Some(marker) })
        }
        // A power cut may have left the file half written, and the log makes it whole.
        Err(error) if fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0) => {
            tracing::warn!(%error, "the database cannot be read without its log");
            check_whole(path, None)?;
            Ok(Found { version, unclean: Some(String::new()) })
        }
        Err(error) => Err(OpenError::damaged(path, error.to_string())),
    }
}

/// Takes back what a transaction has written that was cut short.
fn roll_back(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)?.execute_batch("SELECT count(*) FROM sqlite_schema")
}

/// The first bytes of the file, see <https://sqlite.org/fileformat2.html#the_database_header>.
fn check_header(path: &Path, file: &File, known: i64) -> Result<i64, OpenError> {
    let mut header = [0; 100];
    match file.read_exact_at(&mut header, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(OpenError::damaged(path, "it is shorter than the header of a database"));
        }
        Err(error) => return Err(OpenError::cannot_open(path, error)),
    }
    let number =
        |at: usize| i64::from(u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::damaged(path, "it does not begin like a database of SQLite"));
    }
    check_ids(path, number(68), number(60), known)
}

/// Whether a database is ours, and of a format that is known.
pub(super) fn check_ids(path: &Path, application: i64, version: i64, known: i64) -> Result<i64, OpenError> {
    if application != APPLICATION_ID {
        let finding = format!("its application id is {application:#x}, not {APPLICATION_ID:#x}");
        return Err(OpenError::Foreign { path: path.to_owned(), finding });
    }
    if version > known {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known });
    }
    Ok(version)
}

struct State {
    running: Option<String>,
    secret: [u8; 32],
    meta_page: u32,
}

/// Opens a database to read what its file alone says, without the log. Nothing is locked and nothing is made: only for
/// where nobody changes it meanwhile.
pub(super) fn connect_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?mode=ro&immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags)
}

/// What the database file alone says, without the log.
fn read_marker(path: &Path) -> rusqlite::Result<State> {
    let conn = connect_immutable(path)?;
    let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let state = State {
        running: rooms::meta(&conn, "running")?,
        secret: rooms::meta(&conn, "secret")?.ok_or(rusqlite::Error::QueryReturnedNoRows)?,
        meta_page: conn.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0))?,
    };
    // Whole at the front, cut off at the end: only the size tells, where nobody has left in a hurry.
    let size: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let journal = fs::metadata(beside(path, "-journal")).is_ok_and(|journal| journal.len() > 0);
    let there = fs::metadata(path).map_or(0, |file| i64::try_from(file.len()).unwrap_or(i64::MAX));
    if state.running.is_none() && !journal && there < pages.saturating_mul(size) {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(format!("it has {there} bytes and should have {}", pages.saturating_mul(size))),
        ));
    }
    Ok(state)
}

/// A clean stop leaves no log behind. If there is one, either the stop or the start after it was cut short at its very
/// end, so that there is nothing in it but the marker; or it came from elsewhere, and SQLite would play it back into ours.
fn check_stray_log(path: &Path, file: &File, secret: &[u8], meta_page: u32) -> Result<(), OpenError> {
    let log = beside(path, "-wal");
    let mut bytes = Vec::new();
    match File::open(&log) {
        Ok(log) => log.take(1 << 20).read_to_end(&mut bytes).map_err(|error| OpenError::cannot_open(path, error))?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::cannot_open(path, error)),
    };
    let mut size = [0; 2];
    file.read_exact_at(&mut size, 16).map_err(|error| OpenError::cannot_open(path, error))?;
    let page = match u16::from_be_bytes(size) {
        1 => 65536,
        size => usize::from(size),
    };
    if bytes.is_empty() || is_ours(&bytes, page, secret, meta_page) {
        return Ok(());
    }
    Err(OpenError::damaged(path, format!("the log {} does not belong to it", log.display())))
}

fn is_ours(log: &[u8], page: usize, secret: &[u8], meta_page: u32) -> bool {
    // https://sqlite.org/fileformat2.html#wal_file_format
    const HEADER: usize = 32;
    const FRAME: usize = 24;
    let magic = [0x37, 0x7f, 0x06];
    if !log.starts_with(&magic[..magic.len().min(log.len())]) {
        return false;
    }
    log.get(HEADER..).unwrap_or_default().chunks(FRAME + page).filter(|frame| frame.len() == FRAME + page).all(
        |frame| {
            let (head, content) = frame.split_at(FRAME);
            head.starts_with(&meta_page.to_be_bytes()) && content.windows(secret.len()).any(|window| window == secret)
        },
    )
}

/// Reads all of the database together with its log. Takes a while; needed after an unclean stop only.
fn check_whole(path: &Path, secret: Option<&[u8]>) -> Result<(), OpenError> {
    let wal = beside(path, "-wal");
    let was_there = wal.exists();
    let result = quick_check(path, secret);
    if !was_there && result.is_err() && fs::metadata(&wal).is_ok_and(|wal| wal.len() == 0) {
        let _ = fs::remove_file(&wal);
    }
    match result {
        Ok(None) => Ok(()),
        Ok(Some(finding)) => Err(OpenError::damaged(path, finding)),
        Err(error) => Err(OpenError::sqlite(path, error)),
    }
}

fn quick_check(path: &Path, secret: Option<&[u8]>) -> rusqlite::Result<Option<String>> {
    let alone = connect_alone(path)?;
    alone.busy_timeout(Duration::ZERO)?;
    match quick_check_over(&alone, path, secret) {
        // Somebody else reads it, a backup for example, and so has made an index of the log that all can use.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            quick_check_over(&Connection::open_with_flags(path, flags)?, path, secret)
        }
        result => result,
    }
}

/// Opens a database and its log so that nobody else can, and that nothing is written: in this mode SQLite keeps the index
/// of the log in memory, and it leaves the log where it is.
pub(super) fn connect_alone(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(conn)
}

fn quick_check_over(conn: &Connection, path: &Path, secret: Option<&[u8]>) -> rusqlite::Result<Option<String>> {
    conn.pragma_update(None, "cell_size_check", true)?;
    let finding: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if finding != "ok" {
        return Ok(Some(finding));
    }
    let application: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let there: Option<[u8; 32]> = rooms::meta(conn, "secret")?;
    if application != APPLICATION_ID
        || there.is_none()
        || secret.is_some_and(|secret| there.as_ref().map(|it| &it[..]) != Some(secret))
    {
        return Ok(Some(format!("the log {} does not belong to it", beside(path, "-wal").display())));
    }
    Ok(None)
}
