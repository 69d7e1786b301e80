//! What somebody else's program gets of this crate: the files that it is built from, and no more crates than promised.
//! And such a program, which is built and run. (`.ci/external` does that with every set of features, from the packed crate.)

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// So many crates at most end up in a program that takes `server`.
const MOST_CRATES: usize = 90;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo");
    assert!(output.status.success(), "cargo {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The names of the crates that end up in a program that takes these features.
fn crates(features: &str) -> BTreeSet<String> {
    let tree = ["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = cargo(&[&tree[..], &["--no-default-features", "--features", features]].concat());
    let packages = tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.starts_with("snakk "));
    packages.map(str::to_owned).collect()
}

/// The row of the guide's table: how many crates it says these features bring.
fn promised(guide: &str, features: &str) -> usize {
    let row = format!("| `{}` |", features.replace(',', "`, `"));
    let row = guide.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
    let cell = row.split('|').nth(3).expect("a cell");
    cell.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{row}"))
}

#[test]
fn an_embedder_takes_few_crates_and_as_many_as_the_guide_says() {
    let guide = fs::read_to_string(root().join("docs/embedding.md")).unwrap();
    for features in ["client", "client,tls", "server", "server,tls"] {
        let crates = crates(features);
        assert_eq!(crates.len(), promised(&guide, features), "{features}: {crates:#?}");
        assert!(crates.len() <= MOST_CRATES, "{features}: {crates:#?}");
        let needless = ["clap", "crossterm", "ratatui", "rpassword", "signal-hook", "tracing-subscriber"];
        let found = crates.iter().filter(|line| line.split(' ').next().is_some_and(|name| needless.contains(&name)));
        assert_eq!(found.count(), 0, "{features}: {crates:#?}");
    }
}

#[test]
fn what_is_published_has_all_that_is_built_from_and_nothing_of_ours() {
    let list = cargo(&["package", "--list", "--allow-dirty", "--offline"]);
    let files: BTreeSet<&str> = list.lines().collect();
    // What the code takes in at compile time, from outside `src`; found by itself.
    let mut included = BTreeSet::new();
    let mut folders = vec![root().join("src"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            for (at, _) in text.match_indices("include_str!(\"") {
                let name = text[at..].split('"').nth(1).expect("a name");
                let file = folder.join(name).canonicalize().unwrap_or_else(|error| panic!("{name}: {error}"));
                included
                    .insert(file.strip_prefix(root().canonicalize().unwrap()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert!(included.contains("docs/embedding.md"), "{included:?}");
    let missing: Vec<_> = included.iter().filter(|file| !files.contains(file.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!files.iter().any(|file| file.starts_with(".ci/") || file.starts_with("target/")), "{files:?}");
}

#[test]
fn each_example_is_tested_and_stands_in_the_guide() {
    let (manifest, guide) = (root().join("Cargo.toml"), root().join("docs/embedding.md"));
    let (manifest, guide) = (fs::read_to_string(manifest).unwrap(), fs::read_to_string(guide).unwrap());
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let source = if path.is_dir() { path.join("main.rs") } else { path.clone() };
        // Of folders without it others are made of: what several examples use, and what is not Rust.
        if !source.is_file() {
            continue;
        }
        let source = source.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let section = manifest.split("[[example]]").find(|section| section.contains(&format!("path = \"{source}\"")));
        let section = section.unwrap_or_else(|| panic!("{source} does not stand in Cargo.toml"));
        let section = section.split("\n[").next().unwrap_or_default();
        assert!(section.contains("test = true"), "{source} is not tested");
        // The load generator has a page of its own.
        let page = if source.starts_with("examples/load") { continue } else { format!("../{source}") };
        assert!(guide.contains(&page), "{source} does not stand in docs/embedding.md");
    }
}

/// What the other program needs to be built.
const MANIFEST: &str = r#"
[package]
name = "outside"
version = "0.0.0"
edition = "2024"

[dependencies]
snakk = { path = "ROOT", default-features = false, features = ["server"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }

[workspace]
"#;

#[test]
fn a_program_of_somebody_else_builds_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir_all(outside.join("src")).unwrap();
    fs::write(outside.join("Cargo.toml"), MANIFEST.replace("ROOT", &root().display().to_string())).unwrap();
    fs::write(outside.join("src/main.rs"), include_str!("external/outside.rs")).unwrap();
    // The same versions, which are here already.
    fs::copy(root().join("Cargo.lock"), outside.join("Cargo.lock")).unwrap();
    // Kept for the next time, and with patience: the other tests have the processors first.
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("outside");
    let built = Command::new("nice")
        .args(["-n", "19", env!("CARGO"), "build", "--offline", "--quiet"])
        .current_dir(&outside)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let run = Command::new(target.join("debug/outside")).arg(folder.path().join("chat")).output().expect("the program");
    let said = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said:?}");
    assert_eq!(said.0, "done, 1 connection\n");
}
