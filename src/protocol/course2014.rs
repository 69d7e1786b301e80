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

use crate::model::{Clock, Entry, RoomName, UserId};
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
        line(&entry.from, &self.course.timestamp(entry.time), said)
    }

    fn broadcast(&self, from: &str, timestamp: &str, line: &str, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.str("response", "message");
        object.str("message", line);
        if self.options().extras {
            object.str("username", from);
            object.str("timestamp", timestamp);
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
            let timestamp = self.course.timestamp(entry.time);
            self.broadcast(&entry.from, &timestamp, &line(&entry.from, &timestamp, &said), out);
        } else if let Some(notice) = self.course.told(entry) {
            let timestamp = self.course.timestamp(entry.time);
            self.broadcast(&self.options().server_name, &timestamp, &notice, out);
        }
    }

    fn hint(&self, hint: &Hint, out: &mut Vec<u8>) {
        if let Some(notice) = self.course.notice(hint) {
            let timestamp = self.course.timestamp(self.course.now());
            self.broadcast(&self.options().server_name, &timestamp, &notice, out);
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

fn line(from: &str, timestamp: &str, said: &Said<'_>) -> String {
    if said.action { said.text.to_string() } else { format!("{from} said @ {timestamp}: {}", said.text) }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{Body, Line, Seq, Time};
    use crate::protocol::course::tests::{Noon, named, presence, said};
    use crate::protocol::json::tests::lines;

    fn dialect(options: CourseOptions) -> Course2014 {
        Course2014::new(options, Arc::new(Noon), TimeZone::UTC)
    }

    fn usual() -> Course2014 {
        dialect(CourseOptions::default())
    }

    fn listed(history: HistoryForm) -> CourseOptions {
        CourseOptions { history, ..CourseOptions::default() }
    }

    fn answered(dialect: &Course2014, object: &str, response: Response) -> Vec<Value> {
        let mut out = Vec::new();
        dialect.answer(&dialect.decode(object).tag, &Ok(response), &mut out);
        lines(&out)
    }

    /// What comes back for a request that is refused, by the dialect itself or with the given code.
    fn refused(object: &str, code: Code) -> Value {
        let Ask { tag, request } = usual().decode(object);
        let refusal = request.err().unwrap_or(Refusal::new(code));
        let mut out = Vec::new();
        usual().answer(&tag, &Err(refusal), &mut out);
        lines(&out).remove(0)
    }

    #[test]
    fn a_login_enters_the_course_room() {
        let enter = |name: &str, backlog, as_list| Request::Enter {
            username: name.into(),
            password: None,
            room: RoomName::trusted("lobby"),
            backlog,
            as_list,
        };
        let object = r#"{"username":"bob_1","request":"login","timestamp":1}"#;
        assert_eq!(usual().decode(object).request, Ok(enter("bob_1", 50, false)));
        assert_eq!(usual().decode(r#"{"Request":"LOGIN","Username":"BOB"}"#).request, Ok(enter("BOB", 50, false)));
        for (form, backlog, as_list) in [
            (HistoryForm::Strings, 50, true),
            (HistoryForm::Objects, 50, true),
            (HistoryForm::Text, 50, true),
            (HistoryForm::Each, 50, false),
            (HistoryForm::None, 0, false),
        ] {
            assert_eq!(dialect(listed(form)).decode(object).request, Ok(enter("bob_1", backlog, as_list)), "{form:?}");
        }
    }

    #[test]
    fn requests_are_read_leniently() {
        for (object, expected) in [
            (r#"{"request":"logout"}"#, Request::Logout),
            (r#"{"request":"logout","username":"bob"}"#, Request::Logout),
            (r#"{"request":"Logout","username":null}"#, Request::Logout),
            (r#"{"request":"listUsers"}"#, Request::Names { room: Some(RoomName::trusted("lobby")), after: None }),
        ] {
            assert_eq!(usual().decode(object).request, Ok(expected), "{object}");
        }
        for object in [
            r#"{"request":"message","message":"h\u00e6 \ud83d\ude00"}"#,
            r#"{"Message":"hæ 😀","username":"x","Request":"message"}"#,
        ] {
            let Ok(Request::Message { text, .. }) = usual().decode(object).request else { panic!("{object}") };
            assert_eq!(&*text, "hæ 😀");
        }
    }

    #[test]
    fn refusals_have_the_assigned_sentences() {
        let login = r#"{"request":"login","username":"bob"}"#;
        let failed = |error: &str| json!({"response": "login", "username": "bob", "error": error});
        assert_eq!(refused(login, Code::NameTaken), failed("Name already taken!"));
        assert_eq!(refused(login, Code::BadName), failed("Invalid username!"));
        assert_eq!(refused(login, Code::AlreadyLoggedIn), failed("Already logged in!"));
        let message = |error: &str| json!({"response": "message", "error": error});
        let object = r#"{"request":"message","message":"hi"}"#;
        assert_eq!(refused(object, Code::NotLoggedIn), message("You are not logged in!"));
        assert_eq!(refused(object, Code::Muted), message(Code::Muted.sentence()));
        let logout = json!({"response": "logout", "username": "", "error": "Not logged in!"});
        assert_eq!(refused(r#"{"request":"logout"}"#, Code::NotLoggedIn), logout);
        let logout = json!({"response": "logout", "username": "bob", "error": "Not logged in!"});
        assert_eq!(refused(r#"{"request":"logout","username":"bob"}"#, Code::NotLoggedIn), logout);
        let unknown = json!({"response": "Dance", "error": "Unknown request!"});
        assert_eq!(refused(r#"{"request":"Dance"}"#, Code::Internal), unknown);
    }

    #[test]
    fn refused_names_come_back_as_they_were_asked_for() {
        for name in ["a b", " bob", "bob ", "a-b", "æ", "", "a\nb"] {
            let object = json!({"request": "login", "username": name}).to_string();
            let expected = json!({"response": "login", "username": name, "error": "Invalid username!"});
            assert_eq!(refused(&object, Code::Internal), expected);
        }
        for value in ["null", "1", "[\"a\"]", "{}"] {
            let value = refused(&format!(r#"{{"request":"login","username":{value}}}"#), Code::Internal);
            assert_eq!(value, json!({"response": "login", "username": "", "error": "Invalid username!"}));
        }
        assert_eq!(refused(r#"{"request":"login"}"#, Code::Internal)["error"], "Invalid username!");
    }

    #[test]
    fn what_makes_no_sense_gets_a_sentence() {
        for object in [
            r#"{"request":"message"}"#,
            r#"{"request":"message","message":null}"#,
            r#"{"request":"message","message":""}"#,
            r#"{"request":"message","message":5}"#,
            r#"{"request":"message","message":["a"]}"#,
            r#"{"request":"message","message":"a","Message":"b"}"#,
            r#"{"request":["login"]}"#,
            r#"{"request":"login","request":"logout"}"#,
            "{}",
            "[]",
        ] {
            let value = refused(object, Code::Internal);
            assert_eq!(value["response"], "message", "{object}");
            assert!(value["error"].as_str().is_some_and(|error| !error.is_empty()), "{object}");
            assert_eq!(value.as_object().unwrap().len(), 2, "{object}");
        }
    }

    #[test]
    fn success_has_no_error_and_a_few_extras() {
        let entered = || Response::Entered(Box::new(Entered { username: "bob".into(), backlog: Vec::new() }));
        let login = r#"{"request":"login","username":"bob"}"#;
        let expected = json!({"response": "login", "username": "bob", "messages": [], "message": "Login successful"});
        assert_eq!(answered(&usual(), login, entered()), [expected]);
        let plain = dialect(CourseOptions { extras: false, ..CourseOptions::default() });
        let expected = json!({"response": "login", "username": "bob", "messages": []});
        assert_eq!(answered(&plain, login, entered()), [expected]);
        let logout = r#"{"request":"logout"}"#;
        let expected = json!({"response": "logout", "username": "bob", "message": "Logout successful"});
        assert_eq!(answered(&usual(), logout, Response::LoggedOut { username: "bob".into() }), [expected]);
        let expected = json!({"response": "logout", "username": "bob"});
        assert_eq!(answered(&plain, logout, Response::LoggedOut { username: "bob".into() }), [expected]);
        let names = vec![named("carol", true), named("bob", false), named("alice", true)];
        let users = Response::Names { room: None, names, more: false };
        let expected = json!({"response": "listUsers", "users": ["alice", "carol"]});
        assert_eq!(answered(&usual(), r#"{"request":"listUsers"}"#, users), [expected]);
        let posted =
            Response::Posted { room: RoomName::trusted("lobby"), seq: Seq(1), time: Time(0), duplicate: false };
        assert_eq!(answered(&usual(), r#"{"request":"message","message":"a"}"#, posted), [] as [Value; 0]);
    }

    #[test]
    fn a_broadcast_says_who_speaks() {
        let shown = |dialect: &Course2014, entry: &Entry, viewer| {
            let mut out = Vec::new();
            dialect.entry(&RoomName::trusted("lobby"), entry, viewer, &mut out);
            lines(&out)
        };
        let entry = said(1, "bob", "hi", false);
        let line = "bob said @ 2026-01-31 12:00:01: hi";
        let extras =
            json!({"response": "message", "message": line, "username": "bob", "timestamp": "2026-01-31 12:00:01"});
        assert_eq!(shown(&usual(), &entry, Some(entry.author)), [extras]);
        let plain = dialect(CourseOptions { extras: false, echo: false, ..CourseOptions::default() });
        assert_eq!(shown(&plain, &entry, None), [json!({"response": "message", "message": line})]);
        assert_eq!(shown(&plain, &entry, Some(entry.author)), [] as [Value; 0], "no echo");
        let deed = said(1, "bob", "waves", true);
        assert_eq!(shown(&plain, &deed, None), [json!({"response": "message", "message": "* bob waves"})]);
    }

    #[test]
    fn notices_are_messages_where_they_are_wanted() {
        let hints = [presence("bob", true), Hint::Shutdown { reason: "stop", retry_after: Duration::ZERO }];
        let mut out = Vec::new();
        hints.iter().for_each(|hint| usual().hint(hint, &mut out));
        assert!(out.is_empty());
        let dialect = dialect(CourseOptions { notices: true, ..CourseOptions::default() });
        hints.iter().for_each(|hint| dialect.hint(hint, &mut out));
        let expected = json!({"response": "message", "message": "bob is here.", "username": "Server",
                              "timestamp": "2026-01-31 12:00:00"});
        let topic = Entry { body: Body::Topic { topic: Line::trusted("cake") }, ..said(3, "eve", "x", false) };
        dialect.entry(&RoomName::trusted("lobby"), &topic, None, &mut out);
        usual().entry(&RoomName::trusted("lobby"), &topic, None, &mut out);
        let told = json!({"response": "message", "message": "eve has set the topic: cake", "username": "Server",
                          "timestamp": "2026-01-31 12:00:03"});
        assert_eq!(lines(&out), [expected, told]);
    }

    #[test]
    fn a_listed_backlog_keeps_to_the_newest_that_fit() {
        let backlog: Vec<Entry> = (1..=500).map(|seq| said(seq, "bob", &format!("no. {seq} \"æ\""), false)).collect();
        for form in HistoryForm::ALL {
            let dialect = dialect(listed(form));
            let entered = Entered { username: "bob".into(), backlog: backlog.clone() };
            let mut out = Vec::new();
            dialect.entered(&entered, &mut out);
            assert!(out.len() <= 1000, "{form:?}: {}", out.len());
            let messages = &lines(&out)[0]["messages"];
            if !dialect.lists() {
                assert_eq!(messages, &json!([]), "{form:?}");
                continue;
            }
            assert!(out.len() > 900, "{form:?}: {}", out.len());
            let newest = match form {
                HistoryForm::Objects => messages.as_array().unwrap().last().unwrap()["message"].clone(),
                HistoryForm::Text => json!(messages.as_str().unwrap().lines().last().unwrap()),
                _ => messages.as_array().unwrap().last().unwrap().clone(),
            };
            assert!(newest.as_str().unwrap().ends_with("no. 500 \"æ\""), "{form:?}: {newest}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics_and_each_refusal_is_one_line(object in "(\\{\"(request|username|message)\":\\PC{0,30}\\}|\\PC{0,40}|\\{\"request\":\"(login|message|\\PC{0,9})\",\"(username|message)\":(\"\\PC{0,30}\"|[0-9]|null|\\[\\])\\})") {
            let Ask { tag, request } = usual().decode(&object);
            let mut out = Vec::new();
            usual().answer(&tag, &Err(request.err().unwrap_or(Code::Internal.into())), &mut out);
            prop_assert_eq!(lines(&out).len(), 1);
        }
    }
}
