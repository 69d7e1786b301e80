//! A TOML file as written: a walk over the document that knows the place of everything, and reports all that is wrong.
//!
//! serde is not used for it: it stops at the first unknown key, and loses the places as soon as tables are flattened.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Place, Places, Problem};
use super::key::{Key, plain, set};
use super::setting::{Given, quoted};

/// A larger file is not a configuration.
const MAX_BYTES: u64 = 1 << 20;

/// More problems than this are not looked for: each costs some time, and a file may be all noise.
const MAX_PROBLEMS: usize = 500;

/// The text of a file.
pub fn text_of(file: &Path) -> Result<String, Problem> {
    let refused = |what: String| Problem::new(Place::WholeFile(file.to_owned()), what);
    let unreadable = |error: std::io::Error| refused(format!("the configuration cannot be read: {error}"));
    // Asked before it is opened: opening a FIFO would wait for somebody who writes into it.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(refused("the configuration is not a regular file, it must be one".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(file).map_err(unreadable)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refused("the configuration is too large, it must have at most 1 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        Problem::new(Source::new(&text, file).place(good), "this byte is not UTF-8, the file must be".to_owned())
    })
}

/// Parses the text of a file, and has `walk` go over the document, unless that is no TOML at all. `unknown` says what is
/// wrong with a key that does not exist: it is given the table, the key, and which ones do.
pub fn read(
    text: &str,
    file: &Path,
    places: &mut Places,
    problems: &mut Vec<Problem>,
    unknown: fn(&str, &str, &[&str]) -> String,
    walk: impl FnOnce(&mut Reader<'_>, &DeTable<'_>),
) {
    let source = Source::new(text, file);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        walk(&mut Reader { source, places, problems, unknown }, document.get_ref());
    } else {
        // What the parser guessed behind an error is not worth a second complaint.
        problems.extend(errors.iter().take(MAX_PROBLEMS).map(|error| source.syntax(error)));
    }
    dismantle(document.into_inner());
}

/// What goes over a document: it knows where everything stands, and collects what is wrong.
pub struct Reader<'a> {
    source: Source<'a>,
    places: &'a mut Places,
    problems: &'a mut Vec<Problem>,
    unknown: fn(&str, &str, &[&str]) -> String,
}

impl Reader<'_> {
    /// Reads a table by its keys. `name` is shown, `path` finds the place again; `tables` are read by somebody else.
    pub fn table<S>(
        &mut self,
        name: &str,
        path: &str,
        known: &[Key<S>],
        target: &mut S,
        table: &DeTable<'_>,
        tables: &[&'static str],
    ) {
        for (key_name, value) in table {
            if tables.contains(&key_name.get_ref().as_ref()) {
                continue;
            }
            if self.is_full() {
                break;
            }
            let Some(key) = known.iter().find(|key| key.name == key_name.get_ref()) else {
                let there: Vec<&str> = known.iter().map(|key| key.name).chain(tables.iter().copied()).collect();
                self.wrong(key_name.span(), (self.unknown)(name, key_name.get_ref(), &there));
                continue;
            };
            let place = self.source.place(value.span().start);
            set(key, name, target, &given(value), &place, self.problems);
            self.places.put(format!("{path}.{}", key.name), place);
        }
    }

    /// Whether so much is wrong that nothing more is looked for.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// That key stands there.
    pub fn found(&mut self, key: String, at: Range<usize>) {
        self.places.put(key, self.source.place(at.start));
    }

    /// A path that is relative to the file, seen from where we are.
    pub fn beside(&self, path: &Path) -> PathBuf {
        self.source.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// That is wrong there.
    pub fn wrong(&mut self, at: Range<usize>, what: String) {
        self.problems.push(Problem::new(self.source.place(at.start), what));
    }
}

/// The text, to find places in.
struct Source<'a> {
    text: &'a str,
    file: &'a Path,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(text: &'a str, file: &'a Path) -> Source<'a> {
        let lines = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { text, file, lines }
    }

    fn place(&self, at: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or_default().trim_start_matches('\u{feff}');
        Place::File { file: self.file.to_owned(), line, column: before.chars().count() + 1 }
    }

    /// An error of the grammar, in our words.
    fn syntax(&self, error: &toml::de::Error) -> Problem {
        let span = error.span().unwrap_or(0..0);
        let text = self.text.get(span.clone()).unwrap_or_default();
        let what = if error.message().starts_with("duplicate key") {
            format!("{} is given twice, it must be given once", plain(text.trim_matches(['"', '\''])))
        } else if text.is_empty() || text.trim().is_empty() {
            format!("this is not TOML: {}", error.message())
        } else {
            format!("this is not TOML: {} (at {})", error.message(), quoted(text))
        };
        Problem::new(self.place(span.start), what)
    }
}

/// A value of the document as the table of keys takes it.
pub fn given<'a>(value: &'a Spanned<DeValue<'_>>) -> Given<'a> {
    match value.get_ref() {
        DeValue::String(text) => Given::Text(text),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Given::Whole(number),
            Err(_) => Given::Other("a number with too many digits"),
        },
        DeValue::Boolean(switch) => Given::Switch(*switch),
        DeValue::Float(_) => Given::Other("a number with a fraction"),
        DeValue::Datetime(_) => Given::Other("a date or time"),
        DeValue::Array(items) => Given::List(items.iter().map(given).collect()),
        DeValue::Table(_) => Given::Other("a table"),
    }
}

/// Drops a document level by level. Dotted keys nest as deep as the file is long, and dropping such a tree the usual way
/// would need a stack of that depth.
fn dismantle(document: DeTable<'_>) {
    let mut tables = vec![document];
    while let Some(table) = tables.pop() {
        let mut values: Vec<DeValue<'_>> = table.into_iter().map(|(_, value)| value.into_inner()).collect();
        while let Some(value) = values.pop() {
            match value {
                DeValue::Table(table) => tables.push(table),
                // Lists nest by brackets, of which the parser allows 80.
                DeValue::Array(items) => values.extend(items.into_iter().map(Spanned::into_inner)),
                _ => {}
            }
        }
    }
}
