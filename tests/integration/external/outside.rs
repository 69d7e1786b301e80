//! A program of somebody else's, with a chat server inside: only what the crate has for everybody.

use std::error::Error;

use snakk::client::HistoryQuery;
use snakk::server::{Attempt, Decision, NewMessage, Verdict};
use snakk::{Client, Config, Hooks, Server};

/// Rewrites a word, and has a mistake in it that one request brings out.
struct House;

impl Hooks for House {
    async fn authorize(&self, attempt: &Attempt) -> Decision {
        assert!(attempt.request != "names", "a mistake of the program");
        Decision::Allow
    }

    async fn before_message(&self, message: &NewMessage) -> Verdict {
        Verdict::Change(message.text.replace("darn", "d**n"))
    }
}

async fn texts(client: &Client) -> Result<Vec<String>, Box<dyn Error>> {
    let page = client.history("lobby", HistoryQuery::default()).await?;
    Ok(page.messages.iter().map(|message| message.text.to_string()).collect())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("no folder")?;
    let start = || Server::builder(Config::default()).data_dir(&folder).without_listeners().hooks(House).start();
    let server = start().await?;
    let (ann, bob) = (server.connect("ann").await?, server.connect("bob").await?);
    ann.join("lobby").await?;
    bob.join("lobby").await?;
    ann.send("lobby", "darn it").await?;
    // It harms only its own request.
    assert!(bob.names(Some("lobby")).await.is_err());
    let sent = bob.send("lobby", "all is well").await?;
    assert_eq!(sent.seq.to_string(), "2");
    assert_eq!(texts(&ann).await?, ["d**n it", "all is well"]);
    server.shutdown().await?;

    let server = start().await?;
    let ann = server.connect("ann").await?;
    ann.join("lobby").await?;
    assert_eq!(ann.send("lobby", "again").await?.seq.to_string(), "3");
    assert_eq!(texts(&ann).await?, ["d**n it", "all is well", "again"]);
    let shutdown = server.shutdown().await?;
    println!("done, {} connection", shutdown.connections);
    Ok(())
}
