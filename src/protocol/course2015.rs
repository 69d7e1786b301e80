//! The course dialect of 2015 and the years after.
//!
//! ```text
//! > {"request":"login","content":"bob"}
//! < {"timestamp":"2026-01-31 12:00:00","sender":"Server","response":"info","content":"Login successful"}
//! > {"request":"msg","content":"hi"}
//! < {"timestamp":"2026-01-31 12:00:01","sender":"bob","response":"message","content":"hi"}
//! > {"request":"names","content":null}
//! < {"timestamp":"2026-01-31 12:00:02","sender":"Server","response":"info","content":"alice, bob"}
//! ```
//!
//! Every response has exactly these four keys, and all are strings (but for the content of a `history` that is a list):
//! half of the real clients die of anything else. `docs/protocol.md` describes the whole.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{Anchor, Clock, Entry, RoomName, Time, UserId};
use crate::protocol::course::{self, Course, CourseOptions, HistoryForm, Said};
use crate::protocol::dialect::Dialect;
use crate::protocol::json::{self, Object};
use crate::protocol::object::{Fields, cut, string};
use crate::protocol::{Answer, Ask, Code, Hint, Kind, Refusal, Request, Response, Tag};

/// What `help` says.
const HELP: &str = "login NAME: log in. msg TEXT: say something. names: who is here. history: what was said. \
                    logout: log out. help: this text.";

/// The course dialect of 2015.
pub struct Course2015 {
    course: Course,
}

impl Course2015 {
    /// The dialect with its options, on a clock, with times shown in a time zone.
    pub fn new(options: CourseOptions, clock: Arc<dyn Clock>, zone: TimeZone) -> Course2015 {
        Course2015 { course: Course::new(options, clock, zone) }
    }

    fn options(&self) -> &CourseOptions {
        &self.course.options
    }

    fn request(&self, word: &str, fields: &Fields<'_>) -> (Kind, Result<Request, Refusal>) {
        let options = self.options();
        let room = || options.room.clone();
        match word.to_ascii_lowercase().as_str() {
            "login" => (Kind::Enter, self.login(fields)),
            "msg" | "message" => {
                let request = course::value(fields, "content").and_then(|value| match value {
                    None | Some("null" | "\"\"") => Err(Code::BadText.into()),
                    Some(value) => {
                        let text = string(value).ok_or_else(|| Refusal::bad_request("content"))?.into();
                        Ok(Request::Message { room: room(), text, nonce: None, reply_to: None, action: false })
                    }
                });
                (Kind::Message, request)
            }
            // What stands in `content` where none is needed does not matter: clients put all sorts of things there.
            "logout" => (Kind::Logout, Ok(Request::Logout)),
            "names" => (Kind::Names, Ok(Request::Names { room: Some(room()), after: None })),
            "help" => (Kind::Help, Ok(Request::Help)),
            "history" => {
                let limit = Some(options.backlog.max(1));
                (Kind::History, Ok(Request::History { room: room(), anchor: Anchor::Newest, limit }))
            }
            _ => (Kind::Unknown, Err(Code::UnknownRequest.into())),
        }
    }

    fn login(&self, fields: &Fields<'_>) -> Result<Request, Refusal> {
        let options = self.options();
        let name = course::value(fields, "content")?.and_then(string);
        let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let username = name.filter(|name| plain(name)).ok_or(Code::BadName)?.into();
        let (backlog, as_list) = match options.history {
            HistoryForm::Messages => (options.backlog, false),
            HistoryForm::None => (0, false),
            _ => (options.backlog, true),
        };
        let password = course::password(fields)?;
        Ok(Request::Enter { username, password, room: options.room.clone(), backlog, as_list })
    }

    /// Writes one object; `content` writes the value of its last key.
    fn write(&self, time: Time, sender: &str, response: &str, content: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        self.write_unended(time, sender, response, content, out);
        out.push(b'\n');
    }

    fn write_unended(
        &self,
        time: Time,
        sender: &str,
        response: &str,
        content: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        let mut object = Object::open(out);
        object.str("timestamp", &self.course.timestamp(time));
        object.str("sender", sender);
        object.str("response", response);
        content(object.key("content"));
        object.close();
    }

    /// Writes one object of the server's own.
    fn say(&self, response: &str, content: &str, out: &mut Vec<u8>) {
        let sender = &self.options().server_name;
        self.write(self.course.now(), sender, response, |out| json::string(out, content), out);
    }

    fn message(&self, entry: &Entry, said: &Said<'_>, out: &mut Vec<u8>) {
        self.write_unended(entry.time, &entry.from, "message", |out| json::string(out, &said.text), out);
    }

    /// Writes old messages in the configured form. Nothing where there is nothing, for an empty list breaks clients.
    fn history(&self, entries: &[Entry], out: &mut Vec<u8>) {
        let said = || entries.iter().filter_map(|entry| Some((entry, Said::of(entry)?)));
        match self.options().history {
            HistoryForm::None => {}
            HistoryForm::Messages => {
                for (entry, said) in said() {
                    self.message(entry, &said, out);
                    out.push(b'\n');
                }
            }
            HistoryForm::Each => {
                for (entry, said) in said() {
                    self.write(entry.time, &entry.from, "history", |out| json::string(out, &said.text), out);
                }
            }
            HistoryForm::Strings => self.list(entries, (b"[", b",", b"]"), out, |entry, said| {
                let (mut object, mut element) = (Vec::new(), Vec::new());
                self.message(entry, said, &mut object);
                json::string(&mut element, &String::from_utf8_lossy(&object));
                element
            }),
            HistoryForm::Objects => self.list(entries, (b"[", b",", b"]"), out, |entry, said| {
                let mut element = Vec::new();
                self.message(entry, said, &mut element);
                element
            }),
            HistoryForm::Text => self.list(entries, (b"\"", b"\\n", b"\""), out, |entry, said| {
                let time = self.course.timestamp(entry.time);
                let line = if said.action {
                    format!("{time} {}", said.text)
                } else {
                    format!("{time} {}: {}", entry.from, said.text)
                };
                let mut element = Vec::new();
                json::escaped(&mut element, &line);
                element
            }),
        }
    }

    /// Writes one `history` of the newest entries that fit into it.
    fn list(
        &self,
        entries: &[Entry],
        (open, separator, close): (&[u8], &[u8], &[u8]),
        out: &mut Vec<u8>,
        encode: impl FnMut(&Entry, &Said<'_>) -> Vec<u8>,
    ) {
        let (now, sender, start) = (self.course.now(), &self.options().server_name, out.len());
        let write = |elements: &[Vec<u8>], out: &mut Vec<u8>| {
            let content = |out: &mut Vec<u8>| {
                out.extend_from_slice(open);
                out.extend_from_slice(&elements.join(separator));
                out.extend_from_slice(close);
            };
            self.write(now, sender, "history", content, out);
        };
        write(&[], out);
        let left = self.options().history_max_bytes.saturating_sub(out.len() - start);
        out.truncate(start);
        let elements = Course::newest(entries, left, separator.len(), encode);
        if !elements.is_empty() {
            write(&elements, out);
        }
    }
}

impl Dialect for Course2015 {
    fn decode(&self, object: &str) -> Ask {
        let mut tag = Tag::new(Kind::Unknown);
        let Some(fields) = Fields::parse(object) else { return Ask { tag, request: Err(Code::BadJson.into()) } };
        let word = course::value(&fields, "request").map(|value| value.and_then(string));
        match word.and_then(|word| word.ok_or_else(|| Refusal::bad_request("request"))) {
            Err(refusal) => Ask { tag, request: Err(refusal) },
            Ok(word) => {
                let (kind, request) = self.request(&word, &fields);
                tag.kind = kind;
                if kind == Kind::Unknown {
                    tag.word = Some(cut(&word).into());
                }
                Ask { tag, request }
            }
        }
    }

    fn answer(&self, tag: &Tag, answer: &Answer, out: &mut Vec<u8>) {
        match answer {
            Err(refusal) => self.say("error", &sentence(tag, refusal), out),
            Ok(Response::Entered(entered)) => {
                self.say("info", "Login successful", out);
                if self.options().history != HistoryForm::Messages {
                    self.history(&entered.backlog, out);
                }
            }
            Ok(Response::LoggedOut { .. }) => self.say("info", "Logout successful", out),
            Ok(Response::Names { names, .. }) => self.say("info", &course::online(names).join(", "), out),
            Ok(Response::Help) => self.say("info", HELP, out),
            Ok(Response::History(page)) => {
                let start = out.len();
                if self.options().backlog > 0 {
                    self.history(&page.messages, out);
                }
                // Unlike after a login somebody asked for it, and is owed an answer.
                if out.len() == start {
                    self.say("info", "There is no history to show", out);
                }
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
            self.message(entry, &said, out);
            out.push(b'\n');
        }
    }

    fn hint(&self, hint: &Hint, out: &mut Vec<u8>) {
        if let Some(notice) = self.course.notice(hint) {
            self.say("info", &notice, out);
        }
    }

    fn fault(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        self.say("error", &sentence(&Tag::new(Kind::Unknown), refusal), out);
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

/// The commonest sentences among the servers of the course.
fn sentence(tag: &Tag, refusal: &Refusal) -> String {
    match (refusal.code, tag.word.as_deref()) {
        (Code::BadName, _) => "Invalid username".to_owned(),
        (Code::NameTaken, _) => "Username taken".to_owned(),
        (Code::NotLoggedIn, _) => "Not logged in".to_owned(),
        (Code::AlreadyLoggedIn, _) => "Already logged in".to_owned(),
        (Code::UnknownRequest, Some(word)) => format!("Unknown request {word}, try help"),
        (Code::UnknownRequest, None) => "Unknown request, try help".to_owned(),
        _ => course::sentence(refusal),
    }
}
