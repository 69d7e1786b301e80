//! Files of keys: TOML in which each key has a place, a type, and a sentence that says what may stand there.
//!
//! A table of [`Key`]s names every key with its field and what it may be; reading a file, the overrides, the nearest key in
//! a message and the tests of the example files all follow from it. Which keys there are is the business of whoever has
//! the table: the daemon's configuration (`config`), and the settings of the terminal client.

mod choice;
mod document;
mod error;
mod key;
mod setting;
mod text;

pub use choice::Choice;
pub use document::{Reader, given, read, text_of};
pub use error::{ConfigErrors, Place, Places, Problem};
pub use key::{Key, plain, set, unknown_key};
pub use setting::{Given, Rule, Setting, Wrong, nearest, parse_duration};
pub use text::{PATH, TIMESTAMP, is_short};
