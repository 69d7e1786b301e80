//! The words: everything that can be asked, answered and told, and the dialects that put it into JSON.
//!
//! Nothing here knows who may do what. A dialect is one file; [`dialect`] chooses it by a connection's first object.

pub mod code;
pub mod course;
pub mod course2014;
pub mod course2015;
pub mod dialect;
#[cfg(test)]
mod documented;
pub mod encoded;
pub mod event;
pub mod json;
pub mod native;
mod object;
pub mod request;
pub mod response;

pub use code::{Because, Code, Refusal};
pub use course::{CourseOptions, HistoryForm};
pub use dialect::{Choice, Dialect, Dialects};
pub use encoded::Segment;
pub use event::Hint;
pub use request::{
    Ask, Credential, InvitationAction, Kind, Moderation, Request, RequestId, SearchFor, Secret, Since, Start,
    TOKEN_PREFIX, Tag, TokenAction, Whom, is_token,
};
pub use response::{Answer, Response};
