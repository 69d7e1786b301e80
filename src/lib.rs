//! snakk: a chat server that you can put anywhere, and its client.
//!
//! *snakk* is Norwegian for "talk!". The program `snakkd` is a daemon with one TOML file and one SQLite file that speaks
//! JSON over TCP or TLS; `snakk` is its terminal client. This crate is both of them as a library.
//!
//! **A room is a log, a session is a set of cursors, everything else is a hint.** What was acknowledged was committed;
//! everybody sees a room's entries in one order, each once; a slow reader lags and loses nothing.
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
//! # Features
//! - `server` and `client` are the two libraries; neither compiles an argument parser or a terminal library.
//! - `tls` encrypts: listeners with a certificate, and addresses that begin with `tls://`. Without it both are refused.
//! - `daemon` and `tui` are what the programs `snakkd` and `snakk` need on top of them. They are on by default, and bring `tls`.
//!
//! `snakk = { version = "0.1", default-features = false, features = ["server", "tls"] }` is what an embedder wants.
//!
//! # Map
//! [`Server`] is the door for embedders, [`Client`] the one for bots and programs, [`config`] what can be set, [`model`]
//! the nouns, [`protocol`] the words, [`store`] the promises behind which the logs are kept. `docs/architecture.md` tells
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

#[cfg(feature = "client")]
pub use client::Client;
#[cfg(feature = "server")]
pub use config::Config;
#[cfg(feature = "server")]
pub use server::{Hooks, Server, StartError};
