//! The TOML file as written: a walk over the document that knows the place of everything, and reports all that is wrong.
//!
//! serde is not used for it: it stops at the first unknown key, and loses the places as soon as tables are flattened.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{Place, Places, Problem};
use super::keys::{self, COURSE, COURSE_KEYS, Key, LISTENER, LISTENER_KEYS, TLS, TLS_KEYS};
use super::setting::Given;
use super::{Config, ListenerSection, TlsSection};

/// A larger file is not a configuration.
const MAX_BYTES: u64 = 1 << 20;

/// More problems than this are not looked for: each costs some time, and a file may be all noise.
const MAX_PROBLEMS: usize = 500;

/// More listeners than this are a mistake.
const MAX_LISTENERS: usize = 256;

/// The text of a file.
pub(super) fn text_of(file: &Path) -> Result<String, Problem> {
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

/// Reads the text of a file into a configuration.
pub(super) fn read(text: &str, file: &Path, config: &mut Config, places: &mut Places, problems: &mut Vec<Problem>) {
    let source = Source::new(text, file);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let mut walk = Walk { source, config, places, problems };
        walk.document(document.get_ref());
    } else {
        // What the parser guessed behind an error is not worth a second complaint.
        problems.extend(errors.iter().take(MAX_PROBLEMS).map(|error| source.syntax(error)));
    }
    dismantle(document.into_inner());
}

/// Sets a key, or says what is wrong with the value.
pub(super) fn set<S>(
    key: &Key<S>,
    table: &str,
    target: &mut S,
    given: &Given<'_>,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    let field = (key.field)(target);
    if let Err(wrong) = field.set(given, key.rule) {
        let near = wrong.near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        let what = format!("{table}.{} is {}, it must be {}{near}", key.name, given.shown(), field.allowed(key.rule));
        problems.push(Problem::new(place.clone(), what));
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
            format!("{} is given twice, it must be given once", keys::plain(text.trim_matches(['"', '\''])))
        } else if text.is_empty() || text.trim().is_empty() {
            format!("this is not TOML: {}", error.message())
        } else {
            format!("this is not TOML: {} (at {})", error.message(), super::setting::quoted(text))
        };
        Problem::new(self.place(span.start), what)
    }
}

/// A walk over the document.
struct Walk<'a> {
    source: Source<'a>,
    config: &'a mut Config,
    places: &'a mut Places,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            if self.problems.len() >= MAX_PROBLEMS {
                break;
            }
            let known = keys::section(name.get_ref());
            match (known, value.get_ref()) {
                (Some(section), DeValue::Table(table)) => {
                    let mut config = std::mem::take(self.config);
                    self.table(section.name, section.name, section.keys, &mut config, table, &[]);
                    if section.name == "server" && table.contains_key("data_dir") {
                        let beside = config.server.data_dir.take().map(|path| self.beside(&path));
                        config.server.data_dir = beside;
                    }
                    *self.config = config;
                }
                (Some(section), _) => {
                    let what = format!("{0} is {1}, it must be a section: [{0}]", section.name, given(value).shown());
                    self.wrong(value.span(), what);
                }
                (None, value_given) if name.get_ref() == LISTENER => match value_given {
                    DeValue::Array(listeners) => self.listeners(listeners),
                    _ => {
                        let what = format!("{LISTENER} is {}, it must be a list: [[{LISTENER}]]", given(value).shown());
                        self.wrong(name.span(), what);
                    }
                },
                (None, _) => self.wrong(name.span(), keys::unknown_section(name.get_ref())),
            }
        }
    }

    fn listeners(&mut self, list: &DeArray<'_>) {
        let mut listeners = Vec::new();
        if let Some(item) = list.get(MAX_LISTENERS) {
            self.wrong(
                item.span(),
                format!("{LISTENER} is too long a list, it must have at most {MAX_LISTENERS} tables"),
            );
            return;
        }
        for (index, item) in list.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else {
                let what = format!("{LISTENER} is {}, it must be a table", given(item).shown());
                self.wrong(item.span(), what);
                continue;
            };
            let path = format!("{LISTENER}.{index}");
            // Where there is no key, what is wrong with it is wrong with the table.
            self.places.put(format!("{path}.address"), self.source.place(item.span().start));
            let mut listener = ListenerSection::default();
            self.table(LISTENER, &path, LISTENER_KEYS, &mut listener, table, &[TLS, COURSE]);
            if let Some(value) = table.get(TLS) {
                self.places.put(format!("{path}.{TLS}"), self.source.place(value.span().start));
                listener.tls = self.tls(value);
            }
            if let Some(value) = table.get(COURSE) {
                self.inner("listener.course", COURSE_KEYS, &mut listener.course, value);
            }
            listeners.push(listener);
        }
        if !listeners.is_empty() {
            self.config.listeners = listeners;
        }
    }

    /// The `tls` of a listener. Neither of its keys has a default.
    fn tls(&mut self, value: &Spanned<DeValue<'_>>) -> Option<TlsSection> {
        const NAME: &str = "listener.tls";
        let mut tls = TlsSection::default();
        self.inner(NAME, TLS_KEYS, &mut tls, value);
        let DeValue::Table(table) = value.get_ref() else { return None };
        let there = TLS_KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(" and ");
        for key in TLS_KEYS.iter().filter(|key| !table.contains_key(key.name)) {
            self.wrong(value.span(), format!("{NAME} has no {}, it must have {there}", key.name));
        }
        Some(TlsSection::new(self.beside(&tls.certificate), self.beside(&tls.key)))
    }

    /// A table in a listener.
    fn inner<S>(&mut self, name: &str, known: &[Key<S>], target: &mut S, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(name, name, known, target, table, &[]),
            _ => self.wrong(value.span(), format!("{name} is {}, it must be a table", given(value).shown())),
        }
    }

    /// Reads a table by its keys. `name` is shown, `path` finds the place again; `tables` are read by somebody else.
    fn table<S>(
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
            if self.problems.len() >= MAX_PROBLEMS {
                break;
            }
            let Some(key) = known.iter().find(|key| key.name == key_name.get_ref()) else {
                let there = known.iter().map(|key| key.name).chain(tables.iter().copied());
                self.wrong(key_name.span(), keys::unknown_key(name, key_name.get_ref(), there));
                continue;
            };
            let place = self.source.place(value.span().start);
            set(key, name, target, &given(value), &place, self.problems);
            self.places.put(format!("{path}.{}", key.name), place);
        }
    }

    /// A path that is relative to the file, seen from where we are.
    fn beside(&self, path: &Path) -> PathBuf {
        self.source.file.parent().unwrap_or(Path::new("")).join(path)
    }

    fn wrong(&mut self, at: Range<usize>, what: String) {
        self.problems.push(Problem::new(self.source.place(at.start), what));
    }
}

/// A value of the document as the table of keys takes it.
fn given<'a>(value: &'a Spanned<DeValue<'_>>) -> Given<'a> {
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
