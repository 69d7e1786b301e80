//! The nouns: plain values that are checked when they are made. No I/O, no JSON.

pub mod entry;
pub mod fingerprint;
#[cfg(feature = "server")]
pub mod histogram;
pub mod id;
pub mod mention;
pub mod name;
#[cfg(feature = "server")]
pub mod query;
pub mod role;
pub mod room;
pub mod text;
pub mod time;
pub mod user;
#[cfg(feature = "server")]
pub mod words;

pub use entry::{Anchor, Body, Entry, MemberChange, Message, Reaction, RoomChange};
pub use fingerprint::{Fingerprint, FingerprintError};
#[cfg(feature = "server")]
pub use histogram::{Distribution, Histogram};
pub use id::{RoomId, Seq, UserId};
pub use name::{NameError, NameRule, RoomName, Username};
#[cfg(feature = "server")]
pub use query::Query;
pub use role::{Level, RoomRole, ServerRole};
pub use room::{Epoch, RoomKind, Settings, Visibility};
pub use text::{Line, Text, TextError};
pub use time::{Clock, SystemClock, Time};
pub use user::User;
