//! snakk: a chat server that you can put anywhere, and its client.
//!
//! *snakk* is Norwegian for "talk!". The program `snakkd` is a daemon with one TOML file and one SQLite file that speaks
//! JSON over TCP or TLS; `snakk` is its terminal client. This crate is both of them as a library.
//!
//! **A room is a log, a session is a set of cursors, everything else is a hint.** What was acknowledged was committed;
//! everybody sees a room's entries in one order, each once; a slow reader lags and loses nothing.
//!
//! Whoever wants a chat in their own program reads on in the guide, `docs/embedding.md`: from `cargo add` to accounts, rules and
//! tests of one's own. `examples/` has a game's lobby, a chat in a web page, bots and a webhook, each in one file.
//!
//! # A server in ten lines
#![cfg_attr(all(feature = "server", feature = "client"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "server", feature = "client")), doc = "```ignore")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = snakk::Server::builder(snakk::Config::default())
//!     .data_dir("chat")
//!     .listen("127.0.0.1:0")
//!     .start()
//!     .await?;
//! let me = server.connect("house").await?; // the client below, without a socket
//! me.join("lobby").await?;
//! let sent = me.send("lobby", "hello").await?; // stored, as number sent.seq
//! server.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A client in ten lines
#![cfg_attr(feature = "client", doc = "```no_run")]
#![cfg_attr(not(feature = "client"), doc = "```ignore")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = snakk::Client::builder("127.0.0.1:9998").username("bob").connect().await?;
//! let mut events = client.events();
//! client.join("lobby").await?;
//! client.send("lobby", "hello").await?;
//! while let Some(event) = events.next().await {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Rules of one's own
#![cfg_attr(feature = "server", doc = "```")]
#![cfg_attr(not(feature = "server"), doc = "```ignore")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use snakk::server::{Authentication, Hooks, Identity, Login};
//! use snakk::testing::TestServer;
//!
//! /// Believes the tickets that the program itself has given out.
//! struct Tickets;
//!
//! impl Hooks for Tickets {
//!     async fn authenticate(&self, login: &Login) -> Authentication {
//!         match &login.token {
//!             Some(ticket) if *ticket.0 == *"ticket of ann" => Authentication::Accept(Identity::new("ann")),
//!             _ => Authentication::Refuse("log in to the product first".to_owned()),
//!         }
//!     }
//! }
//!
//! // A server for a test; in a product it is `Server::builder(config).hooks(Tickets)`.
//! let server = TestServer::builder().prepare(|builder| builder.hooks(Tickets)).start().await?;
//! assert!(server.connect("ann").await.is_err());
//! let ann = server.client().username("ann").token("ticket of ann").connect().await?;
//! assert_eq!(ann.username().as_deref(), Some("ann"));
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `server` and `client` are the two libraries; neither compiles an argument parser or a terminal library.
//! - `tls` encrypts: listeners with a certificate, and addresses that begin with `tls://`. Without it both are refused.
//! - `daemon` and `tui` are what the programs `snakkd` and `snakk` need on top of them. They are on by default, and bring `tls`.
//!
//! `snakk = { version = "0.1", default-features = false, features = ["server", "tls"] }` is what an embedder wants.
//!
//! # Map
//! [`Server`] is the door for embedders, [`Client`] the one for bots and programs, [`testing`] a server for their tests,
//! [`config`] what can be set, [`model`] the nouns, [`protocol`] the words, [`store`] the promises behind which the logs are kept. `docs/architecture.md` tells
//! how it works inside, `docs/protocol.md` what goes over the wire.

#[cfg(feature = "server")]
#[doc(hidden)]
pub mod chat;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod config;
pub mod model;
#[doc(hidden)]
pub mod net;
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(feature = "server", feature = "tui"))]
#[doc(hidden)]
pub mod settings;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod testing;
#[cfg(feature = "tui")]
pub mod tui;

/// The guide's examples compile, and run.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../docs/embedding.md")]
mod guide {}

#[cfg(feature = "client")]
pub use client::Client;
#[cfg(feature = "server")]
pub use config::Config;
#[cfg(feature = "server")]
pub use server::{Hooks, Server, StartError};
