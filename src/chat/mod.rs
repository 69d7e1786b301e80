//! The rules. No bytes, no JSON text, no SQL.
//!
//! A [`Session`] is one conversation: [`Session::ask`] is its asking half, [`Session::next`] its listening half. Between
//! them stand the rooms, each with its state and the end of its log, and `publish`, the only place where a head moves.

mod accounts;
mod figures;
mod flood;
mod floods;
mod follow;
mod guest_token;
mod happenings;
mod hooks;
mod limits;
mod network;
mod online;
mod orders;
mod outbox;
mod password;
mod publish;
mod requests;
mod room;
mod rooms;
mod secret;
mod service;
mod session;
mod standing;
mod throttle;
mod upkeep;

pub use accounts::AccountLine;
pub use figures::{ENTRY_KINDS, Figures};
pub use follow::{Entries, Round};
pub use happenings::{Happening, ServerEvents};
pub use hooks::{
    Attempt, Authentication, Connection, Decision, HOOKS, HookFigures, Hooks, Host, Identity, Login, NewMessage,
    Verdict,
};
pub use limits::{Creation, Limits, Options, Registration};
pub use orders::Order;
pub use outbox::Answered;
pub use publish::Publisher;
pub use service::Chat;
pub use session::{Asking, Form, Next, Origin, Session};
