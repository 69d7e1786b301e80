//! Plays the conversations in `transcripts/`: text files that are the worked examples of docs/protocol.md as well.
//!
//! ```text
//! # A sentence about what happens.
//! alice > {"request":"hello","protocol":1}
//! alice < {"response":"hello","protocol":1,..}
//! bob < (closed)
//! ```
//!
//! Who speaks first connects. `<` is the next object that this connection gets, with nothing left out but presence and,
//! where `..` ends the line, further keys. Between `<` and `>` stand placeholders, see `json.rs`. At the end nobody may
//! have got anything else.

use std::collections::HashMap;

use super::json::{Known, fill};
use super::server::TestServer;
use super::wire::Wire;
use serde_json::{Value, json};

/// Plays a conversation.
pub(crate) async fn play(server: &TestServer, name: &str, text: &str) {
    let (mut wires, mut known) = (HashMap::<String, Wire>::new(), Known::new());
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{name}:{}", number + 1);
        let Some((who, direction, what)) = divide(line) else { panic!("{place}: nobody says anything in {line:?}") };
        if !wires.contains_key(who) {
            wires.insert(who.to_owned(), server.connect(&format!("({place}) {who}")).await);
        }
        let wire = wires.get_mut(who).expect("somebody");
        wire.name = format!("({place}) {who}");
        match (direction, what) {
            ('<', "(closed)") => {
                wire.expect_close().await;
                wires.remove(who);
            }
            ('>', "(closes)") => drop(wires.remove(who)),
            ('<', _) => {
                let (text, open) = match what.strip_suffix(",..}") {
                    Some(start) => (format!("{start}}}"), true),
                    None => (what.to_owned(), false),
                };
                let pattern = parse(&place, &text);
                if open {
                    let object = wire.expect(pattern.clone()).await;
                    // Once more, for the placeholders.
                    let compared = super::json::compare(&pattern, &object, super::json::Rest::Anything, &mut known);
                    compared.unwrap_or_else(|what| panic!("{place}: {what} in {object}"));
                } else {
                    wire.expect_exactly(&pattern, &mut known).await;
                }
            }
            _ => match serde_json::from_str::<Value>(what) {
                Ok(mut object) if what.contains('<') => {
                    fill(&mut object, &known);
                    wire.send(object).await;
                }
                // As it is written, for that is what the example shows.
                _ => wire.send_raw(format!("{what}\n")).await,
            },
        }
    }
    for (_, mut wire) in wires {
        wire.finish_sending().await;
        wire.expect_close().await;
    }
}

fn divide(line: &str) -> Option<(&str, char, &str)> {
    let (who, rest) = line.split_once(' ')?;
    let direction = rest.chars().next().filter(|direction| matches!(direction, '<' | '>'))?;
    Some((who, direction, rest[1..].trim()))
}

fn parse(place: &str, text: &str) -> Value {
    let parsed = serde_json::from_str(text);
    parsed.unwrap_or_else(|error| panic!("{place}: {error} in {}", json!(text)))
}
