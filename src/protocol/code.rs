//! Error codes, and [`Refusal`]: a code with what belongs to it.

use std::time::Duration;

use crate::model::{Line, Time};

macro_rules! codes {
    ($($name:ident $word:literal $sentence:literal,)*) => {
        /// Why a request was refused, for programs. Each has one sentence for people, without names in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $sentence] $name,)*
        }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }

            /// One English sentence.
            pub fn sentence(self) -> &'static str {
                match self { $(Code::$name => $sentence,)* }
            }

            /// The code of that word.
            pub fn parse(word: &str) -> Option<Code> {
                Code::ALL.iter().copied().find(|code| code.as_str() == word)
            }
        }
    };
}

codes! {
    BadJson "bad_json" "This is not a JSON object; what follows it up to the end of the line was skipped.",
    FrameTooLarge "frame_too_large" "The object is larger than allowed; the connection closes.",
    TooManyErrors "too_many_errors" "Too much of the input was not JSON; the connection closes.",
    BadRequest "bad_request" "A key is missing, given twice, or has a value that does not fit; see field.",
    UnknownRequest "unknown_request" "There is no such request; help lists those that there are.",
    UnsupportedProtocol "unsupported_protocol" "This server does not speak that version of the protocol; it speaks version 1.",
    NotLoggedIn "not_logged_in" "Log in first.",
    AlreadyLoggedIn "already_logged_in" "This session is logged in already; log out first.",
    LoginTimeout "login_timeout" "Nobody logged in within the time allowed; the connection closes.",
    BadName "bad_name" "That is no name: letters, digits, '_' and '-' after a letter or digit, not too long, and no reserved word.",
    NameTaken "name_taken" "That name, or one that looks like it, is taken.",
    BadCredentials "bad_credentials" "The name and what proves it do not fit together.",
    RegistrationClosed "registration_closed" "No accounts are made here for now.",
    WeakPassword "weak_password" "A password has 8 to 1024 bytes and is not the name.",
    NoSuchRoom "no_such_room" "There is no such room.",
    RoomExists "room_exists" "There is a room of that name already.",
    NotAMember "not_a_member" "Join the room first.",
    Forbidden "forbidden" "You may not do that.",
    Banned "banned" "You are banned here.",
    Muted "muted" "You may not speak in the room for now.",
    NoSuchUser "no_such_user" "There is no such user.",
    NoSuchMessage "no_such_message" "There is no such message.",
    BadText "bad_text" "A text may not be empty or contain control characters.",
    TextTooLong "text_too_long" "The text is longer than allowed.",
    RateLimited "rate_limited" "Too fast; try again later.",
    TooManySessions "too_many_sessions" "This user has as many sessions open as allowed.",
    TooManyConnections "too_many_connections" "There are as many connections as allowed; try again later.",
    StorageUnavailable "storage_unavailable" "The server cannot store anything now; repeat it with the same nonce later.",
    ShuttingDown "shutting_down" "The server is shutting down.",
    Internal "internal" "The server made a mistake; repeat it with the same nonce.",
}

/// Why something was not done: a value, not an error that travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// Which key of the request it is about.
    pub field: Option<Box<str>>,
    /// How long to wait before it makes sense to try again.
    pub retry_after: Option<Duration>,
    /// Why somebody was banned, muted or suspended, and until when.
    pub because: Option<Box<Because>>,
}

/// Why somebody was banned, muted or suspended, as far as it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Because {
    /// Why.
    pub reason: Option<Line>,
    /// Until when.
    pub until: Option<Time>,
}

impl Refusal {
    /// A refusal that says no more than its code.
    pub fn new(code: Code) -> Refusal {
        Refusal { code, field: None, retry_after: None, because: None }
    }

    /// A key of the request is missing, given twice, or has a value that does not fit.
    pub fn bad_request(field: &str) -> Refusal {
        Refusal { code: Code::BadRequest, field: Some(field.into()), retry_after: None, because: None }
    }

    /// The same, about one key of the request.
    pub fn about(self, field: &str) -> Refusal {
        Refusal { field: Some(field.into()), ..self }
    }

    /// The same, with why and until when.
    pub fn because(self, reason: Option<Line>, until: Option<Time>) -> Refusal {
        Refusal { because: Some(Box::new(Because { reason, until })), ..self }
    }

    /// Too fast: when it makes sense to try again.
    pub fn rate_limited(retry_after: Duration) -> Refusal {
        Refusal { code: Code::RateLimited, field: None, retry_after: Some(retry_after), because: None }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Refusal {
        Refusal::new(code)
    }
}
