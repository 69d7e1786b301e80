//! The full-screen terminal client, on top of the typed [`Client`](crate::Client): what is shown is a pure function of a state, the
//! state a pure function of what happened, and every rule of the chat lives in the server.
//!
//! What happens (keys, events, answers, time) goes into `state::State`, which says what it wants done; `run.rs` does
//! it, `view/` draws it. `keys.rs` and `slash.rs` are the two tables of what one can do.

mod ask;
mod complete;
pub mod deeds;
mod editor;
mod emoji;
mod fuzzy;
mod keys;
mod layout;
mod notify;
mod run;
mod settings;
mod slash;
mod state;
mod terminal;
mod text;
mod theme;
mod timeline;
mod view;

#[cfg(test)]
mod tests;

pub use run::{Connecting, Outcome, Signal, run};
pub use settings::{Emoji, Look, Notify, Rtl, Settings};
pub use terminal::restore;
