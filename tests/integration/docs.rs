//! What README.md and the pages in `docs/` promise is there: commands, options, files, examples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{daemon, server};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open) = (Vec::<(String, String)>::new(), false);
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                blocks.push((language.to_owned(), String::new()));
                open = true;
            }
            None if open => {
                let (_, block) = blocks.last_mut().expect("an open block");
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// What a command of a page means to its program, if it is one of ours: the program, and its arguments.
fn command(line: &str) -> Option<(&'static str, Vec<String>)> {
    // Without comments, and without what is the shell's business.
    let line = [" #", " | ", " > ", " >> "].iter().fold(line, |line, end| line.split(end).next().unwrap_or_default());
    let mut words = shell_words(line);
    let program = words.first()?.clone();
    words.remove(0);
    if program == "cargo" {
        if words.first().map(String::as_str) != Some("run") {
            return None;
        }
        let bin = words.iter().position(|word| word == "--bin").and_then(|at| words.get(at + 1));
        let program = if bin.is_some_and(|bin| bin == "snakk") { "snakk" } else { "snakkd" };
        let arguments = words.iter().position(|word| word == "--").map_or(Vec::new(), |at| words[at + 1..].to_vec());
        return Some((program, arguments));
    }
    match program.as_str() {
        "snakk" => Some(("snakk", words)),
        "snakkd" => Some(("snakkd", words)),
        _ => None,
    }
}

fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in line.trim().chars() {
        match c {
            '"' | '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_commands_of_the_pages_are_understood() {
    let mut tried = 0;
    let pages = ["README.md", "docs/client.md", "docs/operating.md"].map(read).concat();
    for (_, block) in blocks(&pages).iter().filter(|(language, _)| language == "sh") {
        for (program, mut arguments) in block.lines().filter_map(command) {
            let binary = if program == "snakk" { env!("CARGO_BIN_EXE_snakk") } else { env!("CARGO_BIN_EXE_snakkd") };
            // Help is given only for a command line whose words are all known up to there.
            arguments.push("--help".to_owned());
            let output = Command::new(binary).args(&arguments).env_clear().output().expect("it can be started");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {arguments:?}: {errors}");
            tried += 1;
        }
    }
    assert!(tried >= 30, "the pages have only {tried} commands");
}

#[tokio::test]
async fn the_lines_for_nc_in_the_readme_work() {
    let page = read("README.md");
    let blocks = blocks(&page);
    let (_, lines) = blocks.iter().find(|(language, _)| language == "json").expect("a block of lines for nc");
    let server = server().await;
    let mut carol = server.connect("carol").await;
    carol.send_raw(lines).await;
    for word in ["hello", "login", "join", "message"] {
        carol.expect(json!({"response": word})).await;
    }
    carol.expect(json!({"event": "message", "from": "carol", "text": "hello from nc"})).await;
}

#[test]
fn links_inside_the_project_lead_somewhere() {
    let mut pages = vec![PathBuf::from("README.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        pages.push(Path::new("docs").join(entry.unwrap().file_name()));
    }
    let mut dead = Vec::new();
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = read(page.to_str().unwrap());
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#', ' ']).next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://");
            if local && !root().join(page).with_file_name(target).exists() {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_eq!(dead, [] as [String; 0]);
}

#[test]
fn each_transcript_is_linked_from_the_protocol_page() {
    let page = read("docs/protocol.md");
    for entry in fs::read_dir(root().join("tests/integration/transcripts")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let link = format!("(../tests/integration/transcripts/{name})");
        assert!(page.contains(&link), "docs/protocol.md does not link {name}");
    }
}

#[test]
fn conversations_on_the_protocol_page_are_parts_of_transcripts() {
    let mut transcripts = String::new();
    for entry in fs::read_dir(root().join("tests/integration/transcripts")).unwrap() {
        transcripts.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let page = read("docs/protocol.md");
    let blocks = blocks(&page);
    let shown: Vec<&str> = blocks.iter().filter(|(language, _)| language == "text").map(|(_, text)| &**text).collect();
    let conversations: Vec<&&str> =
        shown.iter().filter(|text| text.contains(" > {") && text.contains(" < {")).collect();
    assert!(!conversations.is_empty(), "docs/protocol.md shows no conversation");
    for conversation in conversations {
        assert!(transcripts.contains(*conversation), "no transcript has this:\n{conversation}");
    }
}

#[tokio::test]
async fn the_example_configuration_starts_a_daemon_as_it_is() {
    let daemon = daemon().config(&read("config.example.toml")).await;
    daemon.native("alice").await.join("lobby").await;
}

#[test]
fn the_settings_on_the_page_of_the_client_are_good() {
    let (page, folder) = (read("docs/client.md"), tempfile::tempdir().unwrap());
    let blocks = blocks(&page);
    let settings: Vec<_> = blocks.iter().filter(|(language, _)| language == "toml").collect();
    assert!(!settings.is_empty(), "docs/client.md shows no settings");
    for (_, text) in settings {
        let file = folder.path().join("config.toml");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_snakk"));
        command.env_clear().arg("--config").arg(&file).args(["-p", "home", "--server", "127.0.0.1:1", "rooms"]);
        let output = command.output().expect("it can be started");
        // They are good, and nobody is there.
        assert_eq!(output.status.code(), Some(69), "{output:?}");
    }
}
