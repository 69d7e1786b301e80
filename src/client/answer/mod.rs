//! What the server answers, as the client hands it on, by families. Keys that are unknown here are ignored, words that
//! are unknown are kept ([`Word`]), and each answer also keeps the line as it came.

mod account;
mod admin;
mod json;
mod moderate;
mod rooms;
mod session;
mod talk;
mod word;

pub use account::{NewCertificate, NewToken, OwnSession, TokenLine};
pub(super) use account::{Sessions, Tokens};
pub use admin::{AccountLine, InvitationLine, NewInvite, Reloaded, ServerSessionLine, ServerStatus, SuspensionLine};
pub(super) use admin::{AccountList, Disconnected, Invitations, LevelIs, LogLevelIs, ServerSessions, Suspensions};
pub use json::Json;
pub(super) use json::{Answer, seq, some_time, time};
pub use moderate::{ActLine, ActsPage, BanLine, Bans};
pub use rooms::{Created, Joined, Membership, NameLine, NamesPage, Placed, ResumedRoom, RoomIs, RoomLine, RoomsPage};
pub(super) use rooms::{Resumed, Room};
pub use session::{Accounts, Hello, Help, HelpLine, Limits, LoggedIn, Pong, Whoami};
pub(super) use talk::Done;
pub use talk::{Found, Hit, Message, Page, Posted, Reaction, ReadMark};
pub use word::{Status, Word, Worded};
