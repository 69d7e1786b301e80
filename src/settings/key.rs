//! One key of a table, and what is said about those that do not exist.

use super::error::{Place, Problem};
use super::setting::{Given, Rule, Setting, nearest, quoted};

/// A key of a table that is read into an `S`.
pub struct Key<S: 'static> {
    /// Its name in the file.
    pub name: &'static str,
    /// What it demands beyond its type.
    pub rule: Rule,
    /// Where its value goes.
    pub field: fn(&mut S) -> &mut dyn Setting,
}

/// Sets a key, or says what is wrong with the value. `table` is the table's name; the keys of the whole file have none in
/// front.
pub fn set<S>(
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
        let dot = if table.is_empty() { "" } else { "." };
        let allowed = field.allowed(key.rule);
        let what = format!("{table}{dot}{} is {}, it must be {allowed}{near}", key.name, given.shown());
        problems.push(Problem::new(place.clone(), what));
    }
}

/// What is wrong with a key that does not exist: which ones do, and which one was probably meant; `elsewhere` is asked
/// for it where none of them is near.
pub fn unknown_key(table: &str, name: &str, known: &[&str], elsewhere: impl FnOnce() -> Option<String>) -> String {
    let near = nearest(name, known.iter().copied()).map(str::to_owned).or_else(elsewhere);
    let near = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
    let (name, there) = (plain(name), known.join(", "));
    match table {
        "" => format!("unknown key {name}, there are {there}{near}"),
        _ => format!("unknown key {table}.{name}, {table} has {there}{near}"),
    }
}

/// A key as a message shows it: bare where it is a bare key, quoted where it could do mischief.
pub fn plain(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare && name.len() <= 60 { name.to_owned() } else { quoted(name) }
}
