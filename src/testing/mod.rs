//! A server for the tests of whoever embeds one, or writes a bot: [`TestServer`].
//!
//! It listens on a free port of this machine, has nothing to limit a test that is in a hurry, keeps its data in a folder
//! that goes when it goes, and can be made to do what networks and servers do: lose every connection, and come back.
//!
//! # Example
//! A bot's own test: what it says arrives once, also where the connection was lost meanwhile.
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use snakk::client::Event;
//! use snakk::testing::TestServer;
//!
//! let server = TestServer::start().await?;
//! let bot = server.connect("bot").await?; // as your program does it, with server.address()
//! let watcher = server.connect("watcher").await?;
//! let mut events = watcher.events();
//! watcher.join("lobby").await?;
//! bot.join("lobby").await?;
//!
//! server.cut_connections().await;
//! bot.send("lobby", "still here").await?;
//!
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         assert_eq!((&*message.from, &*message.text), ("bot", "still here"));
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod folder;
mod relay;
mod server;

pub use server::{Builder, TestServer, unlimited};
