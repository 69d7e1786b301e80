//! A bot that answers whoever mentions it: `cargo run --example bot -- 127.0.0.1:9998 parrot lobby`.
//!
//! It comes back by itself when the connection is lost, misses nothing and answers nothing twice. What it says mentions
//! nobody, so that two of them do not talk for ever.

use std::error::Error;

use snakk::Client;
use snakk::client::{ClientError, Draft, Event, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg = |or: &str| args.next().unwrap_or_else(|| or.to_owned());
    let (address, name, room) = (arg("127.0.0.1:9998"), arg("parrot"), arg("lobby"));
    // An account's bot logs in by a token, which can be revoked without changing the password.
    let mut builder = Client::builder(address).username(name).client_name("parrot/1");
    if let Ok(token) = std::env::var("SNAKK_TOKEN") {
        builder = builder.token(token);
    }
    run(builder.connect().await?, &room).await?;
    Ok(())
}

/// Answers until the events end.
async fn run(me: Client, room: &str) -> Result<(), ClientError> {
    // Before joining, so that nothing is missed.
    let mut events = me.events();
    me.join(room).await?;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) => {
                let name = me.username().unwrap_or_default();
                if let Some(answer) = answer(&message, &name) {
                    me.post(Draft::new(&message.room, answer).reply_to(message.seq)).await?;
                }
            }
            // Somebody wants it elsewhere, too; where it may not go, it does not.
            Event::Invited(invited) => drop(me.join(&invited.room).await),
            _ => {}
        }
    }
    Ok(())
}

/// What to say to a message: nothing, unless it mentions the bot.
fn answer(message: &Message, name: &str) -> Option<String> {
    let is_name = |other: &str| other.to_lowercase() == name.to_lowercase();
    if is_name(&message.from) || !message.mentions.iter().any(|mention| is_name(mention)) {
        return None;
    }
    let words = message.text.split_whitespace().filter(|word| !word.starts_with('@'));
    Some(format!("{}: {}", message.from, words.collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::*;

    /// Plays the server: lets the bot in, says three things, and waits for what the bot answers.
    async fn serve(stream: tokio::io::DuplexStream) -> Value {
        let (reading, mut writing) = tokio::io::split(stream);
        let mut lines = BufReader::new(reading).lines();
        loop {
            let request: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
            let said = |seq: u64, from: &str, mentions: &[&str]| {
                json!({"event": "message", "room": "lobby", "seq": seq, "from": from, "text": "@Parrot say hi",
                    "time": "2026-01-31T12:00:00.000Z", "mentions": mentions})
            };
            let (mut answer, told) = match request["request"].as_str().unwrap() {
                "hello" => (json!({"protocol": 1}), vec![]),
                "login" => (json!({"username": "parrot", "guest": true}), vec![]),
                "join" => (
                    json!({"room": "lobby", "epoch": "e", "head": 0}),
                    vec![said(1, "ann", &[]), said(2, "parrot", &["parrot"]), said(3, "bob", &["Parrot"])],
                ),
                _ => return request,
            };
            answer["response"] = request["request"].clone();
            answer["id"] = request["id"].clone();
            for line in std::iter::once(answer).chain(told) {
                writing.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn it_answers_who_mentions_it_and_not_itself() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let server = tokio::spawn(serve(far));
        let me = Client::over(near).username("parrot").connect().await.unwrap();
        // The server goes when it has heard the answer, and with it the connection.
        assert!(run(me, "lobby").await.is_err());
        let answer = server.await.unwrap();
        assert_eq!((&answer["request"], &answer["text"]), (&json!("message"), &json!("bob: say hi")));
        assert_eq!(answer["reply_to"], 3);
    }
}
