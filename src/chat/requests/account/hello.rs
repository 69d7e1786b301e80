//! What the server is, and who asks.

use crate::chat::limits::Registration;
use crate::chat::online::Person;
use crate::chat::requests::line;
use crate::chat::session::Session;
use crate::model::Level;
use crate::protocol::response::{Hello, HelloLimits};
use crate::protocol::{Answer, Code, Refusal, Response};

/// The version of the native protocol.
const PROTOCOL: i64 = 1;
/// What this version of the server can do beyond the first.
const FEATURES: &[&str] = &["history", "nonce", "resume", "edit", "react", "search", "direct", "read", "moderation"];

/// Says what the server is.
pub(in crate::chat::requests) fn hello(session: &Session, protocol: Option<i64>, client: Option<Box<str>>) -> Answer {
    let chat = &session.chat;
    if protocol.is_some_and(|version| version != PROTOCOL) {
        return Err(Refusal::from(Code::UnsupportedProtocol).about("protocol"));
    }
    if let Some(client) = line(client, "client")? {
        session.set_client(client);
    }
    let options = chat.options();
    let (limits, level) = (&options.limits, chat.standing.level());
    Ok(Response::Hello(Box::new(Hello {
        server: concat!("snakkd/", env!("CARGO_PKG_VERSION")).into(),
        name: options.name.clone(),
        motd: options.motd.clone(),
        time: chat.clock.now(),
        features: FEATURES,
        limits: HelloLimits {
            max_frame_bytes: limits.max_frame_bytes,
            max_frame_bytes_before_login: limits.max_frame_bytes_before_login,
            max_text_bytes: limits.max_text_bytes,
            messages_per_second: limits.messages_per_second,
            message_burst: limits.message_burst,
            stall_timeout: limits.stall_timeout,
        },
        guests: options.guests && level < Level::NoGuests,
        certificate: session.certificate(),
        registration: if level < Level::NoRegistration { options.registration } else { Registration::Closed }.as_str(),
    })))
}

/// Says who somebody is.
pub(in crate::chat::requests) fn whoami(person: &Person) -> Response {
    Response::Whoami {
        username: person.user.name.shared(),
        guest: person.user.is_guest(),
        role: person.role(),
        sessions: u32::try_from(person.sessions()).unwrap_or(u32::MAX),
    }
}
