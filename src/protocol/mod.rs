//! The words: everything that can be asked, answered and told, and the dialects that put it into JSON.
//!
//! Nothing here knows who may do what. A dialect is one file; [`dialect`] chooses it by a connection's first object.

pub mod code;
pub mod event;
pub mod request;
pub mod response;

pub use code::{Code, Refusal};
pub use event::Hint;
pub use request::{Ask, Credential, Kind, Request, RequestId, Secret, Since, Start, Tag};
pub use response::{Answer, Response};
