//! The manual says what the tables say.

use crate::tui::keys::{BINDINGS, Place};
use crate::tui::slash::COMMANDS;

const MANUAL: &str = include_str!("../../../docs/client.md");

/// The rows of the tables.
fn rows() -> Vec<String> {
    MANUAL.lines().filter(|line| line.starts_with("| ")).map(|line| line.replace("\\|", "|")).collect()
}

#[test]
fn the_manual_has_each_key_and_each_command() {
    let rows = rows();
    for binding in BINDINGS.iter().filter(|binding| !binding.about.is_empty()) {
        let place = match binding.place {
            Place::Selecting => "with a message selected: ",
            Place::Picking => "in a list: ",
            Place::Typing | Place::Asked => "",
        };
        let row = format!("| {} | {place}{} |", binding.key, binding.about);
        assert!(rows.contains(&row), "docs/client.md lacks the row\n{row}");
    }
    for spec in COMMANDS {
        let row = format!("| `{}` | {} |", format!("/{} {}", spec.word, spec.usage).trim_end(), spec.about);
        assert!(rows.contains(&row), "docs/client.md lacks the row\n{row}");
    }
}
