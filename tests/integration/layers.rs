//! Imports point downward: the table of layers against each path in `src`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Which directories of `src` may use which others. A directory may always use itself.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("net", &["model"]),
    ("protocol", &["model"]),
    ("store", &["model"]),
    ("chat", &["store", "protocol", "model"]),
    ("settings", &["model"]),
    ("config", &["settings", "chat", "store", "net", "model"]),
    ("client", &["net", "protocol", "model"]),
    ("tui", &["client", "protocol", "model"]),
    ("server", &["config", "chat", "client", "protocol", "store", "net", "model"]),
    ("testing", &["server", "config", "client", "store", "net"]),
    ("bin", &["settings", "config", "server", "client", "tui", "protocol", "model"]),
];

/// What the crate's front page exports under a shorter name.
const SHORT: &[(&str, &str)] =
    &[("Client", "client"), ("Config", "config"), ("Server", "server"), ("StartError", "server")];

/// A name behind `crate::` (in the programs: `snakk::`), and the line that it stands in.
struct Use {
    line: usize,
    name: String,
}

#[test]
fn each_path_points_downward() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = String::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap();
        let directory = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        if directory.ends_with(".rs") {
            // lib.rs, the front page, names them all.
            assert_eq!(directory, "lib.rs", "a file that belongs to no layer");
            continue;
        }
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == directory) else {
            panic!("src/{directory} is in no layer");
        };
        let root = if directory == "bin" { "snakk" } else { "crate" };
        for Use { line, name } in uses(&fs::read_to_string(&file).unwrap(), root) {
            let layer = SHORT.iter().find(|(short, _)| *short == name).map_or(name.as_str(), |(_, layer)| layer);
            if layer != directory && !allowed.contains(&layer) {
                // Writing to a string does not fail.
                let _ = writeln!(wrong, "src/{}:{line}: {directory} may not use {root}::{name}", inside.display());
            }
        }
    }
    assert!(wrong.is_empty(), "imports that do not point downward:\n{wrong}");
}

#[test]
fn the_table_itself_has_no_circle() {
    for (place, (name, allowed)) in TABLE.iter().enumerate() {
        let below = |other: &&str| TABLE[..place].iter().any(|(earlier, _)| earlier == other);
        assert!(allowed.iter().all(below), "{name} uses something that does not stand above it");
    }
}

#[test]
fn paths_are_found_in_all_their_forms() {
    let text = "use crate::model::Seq;\n// crate::comment\nuse crate::{net::{a, b}, store,\n    chat::*, self};\n\
        fn f() { crate::server::run(\"crate::text\"); }\n/// [`crate::doc`]\n/* crate::block */ use super::x;\nmod mycrate { }\n";
    let found: Vec<_> = uses(text, "crate").into_iter().map(|found| (found.line, found.name)).collect();
    let expected = [(1, "model"), (3, "net"), (3, "store"), (3, "chat"), (5, "server")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The names right behind the root of a path, comments and strings left out.
fn uses(text: &str, root: &str) -> Vec<Use> {
    let code = without_comments_and_strings(text);
    let (start, mut found) = (format!("{root}::"), Vec::new());
    for (at, _) in code.match_indices(&start) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        if code[..at].chars().next_back().is_some_and(|before| is_part(before) || before == ':' || before == '$') {
            continue;
        }
        let line = 1 + code[..at].matches('\n').count();
        let behind = &code[at + start.len()..];
        let word = |text: &str| text.chars().take_while(|c| is_part(*c)).collect::<String>();
        let names = match behind.strip_prefix('{') {
            None => vec![word(behind)],
            Some(group) => first_level(group).iter().map(|part| word(part.trim())).collect(),
        };
        found.extend(names.into_iter().filter(|name| !matches!(&**name, "" | "self")).map(|name| Use { line, name }));
    }
    found
}

/// The parts of a group `a, b::{c, d}, e}`, up to its closing brace.
fn first_level(group: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                parts.last_mut().unwrap().push(c);
            }
        }
    }
    parts
}

/// The same number of lines, but with blanks where something is only said.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let rest = &text[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            string_length(rest)
        } else if rest.starts_with("r#\"") || rest.starts_with("r\"") {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            rest[start..].find(&end).map_or(rest.len(), |found| start + found + end.len())
        } else if rest.starts_with("'\"'") {
            3
        } else {
            code.push(c);
            continue;
        };
        code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        while chars.next_if(|(next, _)| *next < at + length).is_some() {}
    }
    code
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
