//! The smallest program with a chat in it: `cargo run --example embed -- 127.0.0.1:9998`. Enter stops it.
//!
//! It needs no more than `snakk = { default-features = false, features = ["server"] }` and a tokio runtime of any kind.

use std::error::Error;
use std::path::PathBuf;

use snakk::client::Event;
use snakk::{Client, Config, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9998".to_owned());
    let server = start(&address, "embedded-chat".into()).await?;
    println!("chat at {}, data in {}; Enter stops it", server.listening().join(", "), server.data_dir().display());
    // The program itself is a user like the others, without a socket.
    let house = server.connect("house").await?;
    let greeting = tokio::spawn(greet(house));
    tokio::select! {
        () = enter() => {}
        () = server.failed() => eprintln!("the chat has failed; its log says why"),
        _ = greeting => eprintln!("the greeting has ended"),
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

/// Greets whoever comes into the lobby.
async fn greet(house: Client) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut events = house.events();
    house.join("lobby").await?;
    while let Some(event) = events.next().await {
        if let Event::Member(member) = event
            && member.change.as_str() == "join"
            && Some(&member.user) != house.username().as_ref()
        {
            house.send("lobby", &format!("Welcome, {}.", member.user)).await?;
        }
    }
    Ok(())
}

/// Waits for Enter, or the end of the input.
async fn enter() {
    let read = || std::io::stdin().read_line(&mut String::new());
    // Where there is no input at all, it stops as well.
    let _ = tokio::task::spawn_blocking(read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_in_is_greeted() {
        let folder = tempfile::tempdir().unwrap();
        let server = start("127.0.0.1:0", folder.path().join("chat")).await.unwrap();
        let house = server.connect("house").await.unwrap();
        tokio::spawn(greet(house));
        let ann = Client::builder(server.local_addrs()[0].to_string()).username("ann").connect().await.unwrap();
        let mut events = ann.events();
        // The house has to be there before somebody comes.
        while !ann.names(Some("lobby")).await.unwrap().iter().any(|name| name.name == "house") {
            tokio::task::yield_now().await;
        }
        ann.join("lobby").await.unwrap();
        loop {
            if let Event::Message(message) = events.next().await.expect("a greeting") {
                assert_eq!((&*message.from, &*message.text), ("house", "Welcome, ann."));
                break;
            }
        }
        assert_eq!(server.shutdown().await.unwrap().cut, 0);
    }
}
