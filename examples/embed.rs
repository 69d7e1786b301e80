//! The smallest program with a chat in it: `cargo run --example embed -- 127.0.0.1:9998`. Enter stops it.
//!
//! It needs no more than `snakk = { default-features = false, features = ["server"] }` and a tokio runtime of any kind.

use std::error::Error;
use std::path::PathBuf;

use snakk::client::{Event, Events, Message};
use snakk::model::text::safe;
use snakk::{Config, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9998".to_owned());
    let server = start(&address, "embedded-chat".into()).await?;
    println!("chat at {}, data in {}; Enter stops it", server.listening().join(", "), server.data_dir().display());
    // The program itself is a user like the others, without a socket.
    let house = server.connect("house").await?;
    let events = house.events(); // before joining, so that nothing is missed
    house.join("lobby").await?;
    house.send("lobby", "the house is open").await?;
    tokio::select! {
        () = enter() => {}
        () = server.failed() => eprintln!("the chat has failed; its log says why"),
        () = watch(events, |message| println!("{}: {}", message.from, safe(&message.text, false))) => {}
    }
    // What was received is answered, everybody is told, and the store is closed.
    let stopped = server.shutdown().await?;
    println!("stopped; {} connections were open", stopped.connections);
    Ok(())
}

/// A chat at an address, with its data in a folder.
async fn start(address: &str, data_dir: PathBuf) -> Result<Server, Box<dyn Error + Send + Sync>> {
    let mut config = Config::default();
    config.server.name = "the house".to_owned();
    config.limits.messages_per_second = 5;
    Ok(Server::builder(config).data_dir(data_dir).listen(address).start().await?)
}

/// Hands on what is said, until there is no chat any more.
async fn watch(mut events: Events, mut said: impl FnMut(&Message)) {
    while let Some(event) = events.next().await {
        if let Event::Message(message) = event {
            said(&message);
        }
    }
}

/// Waits for Enter, or the end of the input.
async fn enter() {
    let read = || std::io::stdin().read_line(&mut String::new());
    // Where there is no input at all, it stops as well.
    let _ = tokio::task::spawn_blocking(read).await;
}

#[cfg(test)]
mod tests {
    use snakk::Client;

    use super::*;

    #[tokio::test]
    async fn what_is_said_over_the_network_is_heard_by_the_house() {
        let folder = tempfile::tempdir().unwrap();
        let server = start("127.0.0.1:0", folder.path().join("chat")).await.unwrap();
        let house = server.connect("house").await.unwrap();
        let events = house.events();
        house.join("lobby").await.unwrap();
        let ann = Client::builder(server.local_addrs()[0].to_string()).username("ann").connect().await.unwrap();
        ann.join("lobby").await.unwrap();
        ann.send("lobby", "hello").await.unwrap();
        server.shutdown().await.unwrap();
        // What was stored is told before the end.
        let mut heard = Vec::new();
        watch(events, |message| heard.push((message.from.clone(), message.text.clone()))).await;
        assert_eq!(heard, [("ann".to_owned(), "hello".to_owned())]);
    }
}
