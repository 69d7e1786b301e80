//! The course dialect of 2014.
//!
//! ```text
//! > {"request":"login","username":"bob"}
//! < {"response":"login","username":"bob","messages":[],"message":"Login successful"}
//! > {"request":"message","message":"hi"}
//! < {"response":"message","message":"bob said @ 2026-01-31 12:00:00: hi","username":"bob","timestamp":"2026-01-31 12:00:00"}
//! > {"request":"logout"}
//! < {"response":"logout","username":"bob","message":"Logout successful"}
//! ```
//!
//! `error` is there only where something failed. The keys behind the assigned ones are extras: some clients print them,
//! and die where there is nothing to print. `docs/protocol.md` describes the whole.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{Clock, Entry, RoomName, Time, UserId};
use crate::protocol::course::{self, Course, CourseOptions, HistoryForm, Said};
use crate::protocol::dialect::Dialect;
use crate::protocol::json::{self, Object};
use crate::protocol::object::{Fields, cut, string};
use crate::protocol::response::Entered;
use crate::protocol::{Answer, Ask, Code, Hint, Kind, Refusal, Request, Response, Tag};

/// The course dialect of 2014.
pub struct Course2014 {
    course: Course,
}

impl Course2014 {
    /// The dialect with its options, on a clock, with times shown in a time zone.
    pub fn new(options: CourseOptions, clock: Arc<dyn Clock>, zone: TimeZone) -> Course2014 {
        Course2014 { course: Course::new(options, clock, zone) }
    }

    fn options(&self) -> &CourseOptions {
        &self.course.options
    }

    /// Whether the backlog comes in the answer to the login.
    fn lists(&self) -> bool {
        matches!(self.options().history, HistoryForm::Strings | HistoryForm::Objects | HistoryForm::Text)
    }

    fn login(&self, fields: &Fields<'_>) -> (Option<Box<str>>, Result<Request, Refusal>) {
        let username = course::value(fields, "username").map(|value| value.and_then(string));
        let asked = username.as_ref().ok().and_then(|name| name.as_deref()).map(|name| cut(name).into());
        let request = || {
            let username = username?.filter(|name| is_name(name)).ok_or(Code::BadName)?.into();
            let options = self.options();
            let backlog = if options.history == HistoryForm::None { 0 } else { options.backlog };
            let (room, password) = (options.room.clone(), course::password(fields)?);
            Ok(Request::Enter { username, password, room, backlog, as_list: self.lists() })
        };
        (asked, request())
    }

    /// The line that says who speaks: a broadcast has no key for it.
    fn line(&self, entry: &Entry, said: &Said<'_>) -> String {
        if said.action {
            return said.text.to_string();
        }
        format!("{} said @ {}: {}", entry.from, self.course.timestamp(entry.time), said.text)
    }

    fn broadcast(&self, from: &str, time: Time, line: &str, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.str("response", "message");
        object.str("message", line);
        if self.options().extras {
            object.str("username", from);
            object.str("timestamp", &self.course.timestamp(time));
        }
        object.end();
    }

    fn entered(&self, entered: &Entered, out: &mut Vec<u8>) {
        let start = out.len();
        self.login_response(&entered.username, b"[]", out);
        if !self.lists() || entered.backlog.is_empty() {
            return;
        }
        let left = self.options().history_max_bytes.saturating_sub(out.len() - start);
        out.truncate(start);
        let as_object = self.options().history == HistoryForm::Objects;
        let mut list = Vec::new();
        if self.options().history == HistoryForm::Text {
            let lines = Course::newest(&entered.backlog, left, 2, |entry, said| {
                let mut line = Vec::new();
                json::escaped(&mut line, &self.line(entry, said));
                line
            });
            list.push(b'"');
            list.extend_from_slice(&lines.join(&b"\\n"[..]));
            list.push(b'"');
        } else {
            let elements = Course::newest(&entered.backlog, left, 1, |entry, said| {
                let mut element = Vec::new();
                if as_object {
                    let mut object = Object::open(&mut element);
                    object.str("username", &entry.from);
                    object.str("timestamp", &self.course.timestamp(entry.time));
                    object.str("message", &said.text);
                    object.close();
                } else {
                    json::string(&mut element, &self.line(entry, said));
                }
                element
            });
            json::list(&mut list, elements, |element, out| out.extend_from_slice(&element));
        }
        self.login_response(&entered.username, &list, out);
    }

    fn login_response(&self, username: &str, messages: &[u8], out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.str("response", "login");
        object.str("username", username);
        object.key("messages").extend_from_slice(messages);
        if self.options().extras {
            object.str("message", "Login successful");
        }
        object.end();
    }

    fn refused(tag: &Tag, refusal: &Refusal, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.str("response", response_word(tag));
        if matches!(tag.kind, Kind::Enter | Kind::Logout) {
            object.str("username", tag.word.as_deref().unwrap_or_default());
        }
        object.str("error", &sentence(tag.kind, refusal));
        object.end();
    }
}

impl Dialect for Course2014 {
    fn decode(&self, object: &str) -> Ask {
        let mut tag = Tag::new(Kind::Unknown);
        let Some(fields) = Fields::parse(object) else { return Ask { tag, request: Err(Code::BadJson.into()) } };
        let word = course::value(&fields, "request").map(|value| value.and_then(string));
        let word = match word.and_then(|word| word.ok_or_else(|| Refusal::bad_request("request"))) {
            Ok(word) => word,
            Err(refusal) => return Ask { tag, request: Err(refusal) },
        };
        let room = || self.options().room.clone();
        let request = match word.to_ascii_lowercase().as_str() {
            "login" => {
                let (asked, request) = self.login(&fields);
                tag.kind = Kind::Enter;
                tag.word = asked;
                request
            }
            "message" => {
                tag.kind = Kind::Message;
                course::value(&fields, "message").and_then(|value| match value {
                    None | Some("null" | "\"\"") => Err(Code::BadText.into()),
                    Some(value) => {
                        let text = string(value).ok_or_else(|| Refusal::bad_request("message"))?.into();
                        Ok(Request::Message { room: room(), text, nonce: None, reply_to: None, action: false })
                    }
                })
            }
            "logout" => {
                tag.kind = Kind::Logout;
                // Some clients name themselves. The session knows better, if it knows anybody.
                let name = course::value(&fields, "username").ok().flatten().and_then(string);
                tag.word = name.map(|name| cut(&name).into());
                Ok(Request::Logout)
            }
            "listusers" if self.options().extras => {
                tag.kind = Kind::Names;
                Ok(Request::Names { room: Some(room()), after: None })
            }
            _ => {
                tag.word = Some(cut(&word).into());
                Err(Code::UnknownRequest.into())
            }
        };
        Ask { tag, request }
    }

    fn answer(&self, tag: &Tag, answer: &Answer, out: &mut Vec<u8>) {
        match answer {
            Err(refusal) => Course2014::refused(tag, refusal, out),
            Ok(Response::Entered(entered)) => self.entered(entered, out),
            Ok(Response::LoggedOut { username }) => {
                let mut object = Object::open(out);
                object.str("response", "logout");
                object.str("username", username);
                if self.options().extras {
                    object.str("message", "Logout successful");
                }
                object.end();
            }
            Ok(Response::Names { names, .. }) => {
                let mut object = Object::open(out);
                object.str("response", "listUsers");
                json::list(object.key("users"), course::online(names), |name, out| json::string(out, name));
                object.end();
            }
            // Who posts sees it in the broadcast. The rest is never asked for.
            Ok(_) => {}
        }
    }

    fn entry(&self, _room: &RoomName, entry: &Entry, viewer: Option<UserId>, out: &mut Vec<u8>) {
        if !self.options().echo && viewer == Some(entry.author) {
            return;
        }
        if let Some(said) = Said::of(entry) {
            self.broadcast(&entry.from, entry.time, &self.line(entry, &said), out);
        }
    }

    fn hint(&self, hint: &Hint, out: &mut Vec<u8>) {
        if let Some(notice) = self.course.notice(hint) {
            self.broadcast(&self.options().server_name, self.course.now(), &notice, out);
        }
    }

    fn fault(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        Course2014::refused(&Tag::new(Kind::Unknown), refusal, out);
    }

    fn pace(&self) -> Option<Duration> {
        Some(self.options().pace)
    }

    fn is_lenient(&self) -> bool {
        true
    }

    fn room(&self) -> Option<&RoomName> {
        Some(&self.options().room)
    }

    fn close_after_logout(&self) -> bool {
        self.options().close_after_logout
    }
}

/// The key `response` of a refusal. Clients know three words, and some die of a fourth that they did not send.
fn response_word(tag: &Tag) -> &str {
    match tag.kind {
        Kind::Enter => "login",
        Kind::Logout => "logout",
        Kind::Names => "listUsers",
        Kind::Unknown => tag.word.as_deref().unwrap_or("message"),
        _ => "message",
    }
}

/// The first four are the assignment's, and some clients compare them.
fn sentence(kind: Kind, refusal: &Refusal) -> String {
    match (refusal.code, kind) {
        (Code::BadName, _) => "Invalid username!".to_owned(),
        (Code::NameTaken, _) => "Name already taken!".to_owned(),
        (Code::NotLoggedIn, Kind::Logout) => "Not logged in!".to_owned(),
        (Code::NotLoggedIn, _) => "You are not logged in!".to_owned(),
        (Code::AlreadyLoggedIn, _) => "Already logged in!".to_owned(),
        (Code::UnknownRequest, _) => "Unknown request!".to_owned(),
        _ => course::sentence(refusal),
    }
}

/// Letters, digits and underscore, as assigned; the rules may refuse more.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
