//! A database as lines of JSON, and back: every table, every row, every value. For moving to elsewhere, for looking at
//! with other tools, and for those who trust no file format but one that they can read.
//!
//! The first line says what it is, and the last one that it is whole:
//!
//! ```json
//! {"export":"snakk","format":1,"schema":3,"server":"snakk","time":"2026-01-31T12:00:00.000Z"}
//! {"table":"accounts","row":{"id":1,"name":"alice", ..}}
//! {"end":true,"rows":1}
//! ```
//!
//! The tables stand in the order of their names, and their rows in the order of their keys. A number is a number (of up to
//! 64 bits), a text is a string, and bytes are `{"hex":"00ff"}`. Left out is what follows from the rest (the search index,
//! which is made anew) or is only about the files at that moment, and what is being erased.

mod export;
mod import;
mod tables;

pub use export::{ExportError, export};
pub use import::{ImportError, import};

/// The form of the lines. The tables and columns are those of the schema.
const FORMAT: i64 = 1;
/// What the first line says that it is.
const SNAKK: &str = "snakk";
