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
        } else if let Some(notice) = self.course.told(entry) {
            let sender = &self.options().server_name;
            self.write(entry.time, sender, "info", |out| json::string(out, &notice), out);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{Body, Line, Seq};
    use crate::protocol::course::tests::{Noon, named, presence, said};
    use crate::protocol::json::tests::lines;
    use crate::protocol::response::{Entered, Page};

    fn dialect(options: CourseOptions) -> Course2015 {
        Course2015::new(options, Arc::new(Noon), TimeZone::UTC)
    }

    fn usual() -> Course2015 {
        dialect(CourseOptions::default())
    }

    fn lobby() -> RoomName {
        RoomName::trusted("lobby")
    }

    /// The objects in what was written, each of which has exactly the four keys.
    fn objects(out: &[u8]) -> Vec<Value> {
        let lines = lines(out);
        for line in &lines {
            assert_eq!(line.as_object().unwrap().len(), 4, "{line}");
            for key in ["timestamp", "sender", "response"] {
                assert!(line[key].is_string(), "{line}");
            }
            assert!(
                line["content"].is_string() || (line["response"] == "history" && line["content"].is_array()),
                "{line}"
            );
        }
        lines
    }

    fn server(response: &str, content: &str) -> Value {
        json!({"timestamp": "2026-01-31 12:00:00", "sender": "Server", "response": response, "content": content})
    }

    fn answered(dialect: &Course2015, object: &str, response: Response) -> Vec<Value> {
        let mut out = Vec::new();
        dialect.answer(&dialect.decode(object).tag, &Ok(response), &mut out);
        objects(&out)
    }

    /// What comes back for a request that is refused, by the dialect itself or with the given code.
    fn refused(object: &str, code: Code) -> String {
        let Ask { tag, request } = usual().decode(object);
        let mut out = Vec::new();
        usual().answer(&tag, &Err(request.err().unwrap_or(Refusal::new(code))), &mut out);
        let mut objects = objects(&out);
        assert_eq!((objects.len(), &objects[0]["response"]), (1, &json!("error")), "{object}");
        objects.remove(0)["content"].as_str().unwrap().to_owned()
    }

    #[test]
    fn requests_without_argument_take_any_content() {
        let names = || Request::Names { room: Some(lobby()), after: None };
        for (word, expected) in [("logout", Request::Logout), ("names", names()), ("help", Request::Help)] {
            for content in
                ["", ",\"content\":null", ",\"content\":\"\"", ",\"content\":\"bob\"", ",\"content\":[1]", ",\"x\":1"]
            {
                let object = format!(r#"{{"request":"{word}"{content}}}"#);
                assert_eq!(usual().decode(&object).request.as_ref(), Ok(&expected), "{object}");
            }
        }
        let page = Request::History { room: lobby(), anchor: Anchor::Newest, limit: Some(50) };
        assert_eq!(usual().decode(r#"{"request":"history","content":null}"#).request, Ok(page));
    }

    #[test]
    fn a_login_enters_the_course_room() {
        let enter = |backlog, as_list, password: Option<&str>| Request::Enter {
            username: "Bob1".into(),
            password: password.map(|password| crate::protocol::Secret(password.into())),
            room: lobby(),
            backlog,
            as_list,
        };
        for object in [
            r#"{"request":"login","content":"Bob1"}"#,
            r#"{"content":"Bob1","request":"login"}"#,
            r#"{"Request":"login","Content":"Bob1","timestamp":"x"}"#,
            r#"{"request":"LOGIN","content":"\u0042ob1","password":null}"#,
        ] {
            assert_eq!(usual().decode(object).request, Ok(enter(50, false, None)), "{object}");
        }
        let object = r#"{"request":"login","content":"Bob1","password":"p"}"#;
        for (history, backlog, as_list) in [
            (HistoryForm::Messages, 50, false),
            (HistoryForm::Strings, 50, true),
            (HistoryForm::Objects, 50, true),
            (HistoryForm::Text, 50, true),
            (HistoryForm::Each, 50, true),
            (HistoryForm::None, 0, false),
        ] {
            let dialect = dialect(CourseOptions { history, ..CourseOptions::default() });
            assert_eq!(dialect.decode(object).request, Ok(enter(backlog, as_list, Some("p"))), "{history:?}");
        }
    }

    #[test]
    fn only_letters_and_digits_may_log_in() {
        for content in
            ["\"a_b\"", "\"a-b\"", "\"\"", "\" bob\"", "\"bob \"", "\"æ\"", "null", "5", "[]", "{}", "\"a\\u0000\""]
        {
            let object = format!(r#"{{"request":"login","content":{content}}}"#);
            assert_eq!(refused(&object, Code::Internal), "Invalid username", "{object}");
        }
        assert_eq!(refused(r#"{"request":"login"}"#, Code::Internal), "Invalid username");
    }

    #[test]
    fn both_words_for_a_message_are_understood() {
        for object in [
            r#"{"request":"msg","content":"h\u00e6 \ud83d\ude00\u003c"}"#,
            r#"{"request":"message","content":"hæ 😀<"}"#,
            r#"{"Content":"hæ 😀<","Request":"Msg"}"#,
        ] {
            let expected =
                Request::Message {
                    room: lobby(), text: "hæ 😀<".into(), nonce: None, reply_to: None, action: false
                };
            assert_eq!(usual().decode(object).request, Ok(expected), "{object}");
        }
        for object in [
            r#"{"request":"msg"}"#,
            r#"{"request":"msg","content":null}"#,
            r#"{"request":"msg","content":""}"#,
            r#"{"request":"msg","content":5}"#,
            r#"{"request":"msg","content":["a"]}"#,
            r#"{"request":"msg","content":"a","CONTENT":"b"}"#,
            r#"{"request":"login","Request":"logout","content":null}"#,
            r#"{"request":null,"content":null}"#,
            "{}",
            "[]",
        ] {
            assert!(!refused(object, Code::Internal).is_empty());
        }
    }

    #[test]
    fn refusals_are_one_sentence() {
        let login = r#"{"request":"login","content":"bob"}"#;
        assert_eq!(refused(login, Code::NameTaken), "Username taken");
        assert_eq!(refused(login, Code::AlreadyLoggedIn), "Already logged in");
        let message = r#"{"request":"msg","content":"hi"}"#;
        assert_eq!(refused(message, Code::NotLoggedIn), "Not logged in");
        assert_eq!(refused(message, Code::TextTooLong), Code::TextTooLong.sentence());
        assert_eq!(
            refused(r#"{"request":"hello","content":"there"}"#, Code::Internal),
            "Unknown request hello, try help"
        );
        let mut out = Vec::new();
        usual().fault(&Code::BadJson.into(), &mut out);
        usual().answer(&Tag::new(Kind::Message), &Err(Refusal::rate_limited(Duration::from_millis(1200))), &mut out);
        let expected = [server("error", "That is no JSON object."), server("error", "Too fast; try again in 2 s.")];
        assert_eq!(objects(&out), expected);
    }

    #[test]
    fn answers_are_strings() {
        let names = vec![named("carol", true), named("bob", false), named("alice", true)];
        let names = Response::Names { room: Some(lobby()), names, more: false };
        assert_eq!(answered(&usual(), r#"{"request":"names"}"#, names), [server("info", "alice, carol")]);
        let logout = Response::LoggedOut { username: "bob".into() };
        assert_eq!(answered(&usual(), r#"{"request":"logout"}"#, logout), [server("info", "Logout successful")]);
        assert_eq!(answered(&usual(), r#"{"request":"help"}"#, Response::Help), [server("info", HELP)]);
        let posted = Response::Posted { room: lobby(), seq: Seq(1), time: Time(0), duplicate: false };
        assert_eq!(answered(&usual(), r#"{"request":"msg","content":"a"}"#, posted), [] as [Value; 0]);
    }

    fn entered(form: HistoryForm, backlog: Vec<Entry>) -> (usize, Vec<Value>) {
        let dialect = dialect(CourseOptions { history: form, ..CourseOptions::default() });
        let response = Response::Entered(Box::new(Entered { username: "bob".into(), backlog }));
        let mut out = Vec::new();
        dialect.answer(&Tag::new(Kind::Enter), &Ok(response), &mut out);
        let longest = out.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
        (longest, objects(&out))
    }

    #[test]
    fn without_a_backlog_there_is_no_history_object() {
        for form in HistoryForm::ALL {
            assert_eq!(entered(form, Vec::new()).1, [server("info", "Login successful")], "{form:?}");
        }
    }

    #[test]
    fn the_backlog_has_the_configured_form() {
        let backlog = || vec![said(1, "alice", "h\"i", false), said(2, "bob", "waves", true)];
        let message = |second: u64, sender: &str, response: &str, content: &str| {
            let timestamp = format!("2026-01-31 12:00:0{second}");
            json!({"timestamp": timestamp, "sender": sender, "response": response, "content": content})
        };
        let old = [message(1, "alice", "message", "h\"i"), message(2, "bob", "message", "* bob waves")];

        let (_, objects) = entered(HistoryForm::Strings, backlog());
        assert_eq!(
            (objects.len(), &objects[1]["response"], &objects[1]["sender"]),
            (2, &json!("history"), &json!("Server"))
        );
        let strings = objects[1]["content"].as_array().unwrap();
        let decoded: Vec<Value> =
            strings.iter().map(|old| serde_json::from_str(old.as_str().unwrap()).unwrap()).collect();
        assert_eq!(decoded, old);

        assert_eq!(entered(HistoryForm::Objects, backlog()).1[1]["content"], json!(old));
        let text = "2026-01-31 12:00:01 alice: h\"i\n2026-01-31 12:00:02 * bob waves";
        assert_eq!(entered(HistoryForm::Text, backlog()).1[1]["content"], text);
        let each = [message(1, "alice", "history", "h\"i"), message(2, "bob", "history", "* bob waves")];
        assert_eq!(entered(HistoryForm::Each, backlog()).1[1..], each);
        assert_eq!(entered(HistoryForm::Messages, backlog()).1.len(), 1, "it comes as events");
        assert_eq!(entered(HistoryForm::None, backlog()).1.len(), 1);
    }

    #[test]
    fn a_listed_backlog_keeps_to_the_newest_that_fit() {
        let backlog = || (1..=500).map(|seq| said(seq, "bob", &format!("no. {seq} \"æ\""), false)).collect();
        for form in [HistoryForm::Strings, HistoryForm::Objects, HistoryForm::Text] {
            let (longest, objects) = entered(form, backlog());
            assert!((800..=1000).contains(&longest), "{form:?}: {longest}");
            assert!(objects[1]["content"].to_string().contains("no. 500 "), "{form:?}");
        }
        let (_, objects) = entered(HistoryForm::Strings, vec![said(1, "bob", &"x".repeat(2000), false)]);
        assert_eq!(objects.len(), 1, "what fits into no list is in none");
    }

    #[test]
    fn history_as_a_request_is_answered_in_the_configured_form() {
        let page = |messages: Vec<Entry>| {
            Response::History(Box::new(Page { room: lobby(), messages, more: false, first: Seq(1), head: Seq(1) }))
        };
        let object = r#"{"request":"history","content":null}"#;
        for form in HistoryForm::ALL {
            let dialect = dialect(CourseOptions { history: form, ..CourseOptions::default() });
            let words: Vec<Value> =
                answered(&dialect, object, page(vec![said(1, "bob", "hi", false), said(2, "bob", "ho", false)]))
                    .into_iter()
                    .map(|object| object["response"].clone())
                    .collect();
            let expected = match form {
                HistoryForm::Messages => vec!["message", "message"],
                HistoryForm::Each => vec!["history", "history"],
                HistoryForm::None => vec!["info"],
                _ => vec!["history"],
            };
            assert_eq!(words, expected, "{form:?}");
            assert_eq!(answered(&dialect, object, page(Vec::new()))[0]["response"], "info", "{form:?}");
        }
    }

    #[test]
    fn a_message_goes_to_its_sender_too_if_wanted() {
        let entry = said(1, "a_b", "line\none", false);
        let expected =
            json!({"timestamp": "2026-01-31 12:00:01", "sender": "a_b", "response": "message", "content": "line\none"});
        for (echo, viewer, seen) in
            [(true, Some(entry.author), true), (false, Some(entry.author), false), (false, None, true)]
        {
            let mut out = Vec::new();
            dialect(CourseOptions { echo, ..CourseOptions::default() }).entry(&lobby(), &entry, viewer, &mut out);
            assert_eq!(objects(&out), if seen { vec![expected.clone()] } else { Vec::new() });
        }
    }

    #[test]
    fn notices_are_infos_where_they_are_wanted() {
        let hints = [presence("bob", false), Hint::Shutdown { reason: "stop", retry_after: Duration::ZERO }];
        let mut out = Vec::new();
        hints.iter().for_each(|hint| usual().hint(hint, &mut out));
        assert!(out.is_empty());
        let dialect = dialect(CourseOptions { notices: true, ..CourseOptions::default() });
        hints.iter().for_each(|hint| dialect.hint(hint, &mut out));
        let topic = Entry { body: Body::Topic { topic: Line::trusted("cake") }, ..said(3, "eve", "x", false) };
        dialect.entry(&lobby(), &topic, None, &mut out);
        usual().entry(&lobby(), &topic, None, &mut out);
        let told = json!({"timestamp": "2026-01-31 12:00:03", "sender": "Server", "response": "info",
                          "content": "eve has set the topic: cake"});
        assert_eq!(objects(&out), [server("info", "bob has gone."), told]);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_panics_and_each_refusal_is_one_object(object in "(\\{\"(request|content)\":\\PC{0,30}\\}|\\PC{0,40}|\\{\"request\":\"(login|msg|\\PC{0,9})\",\"content\":(\"\\PC{0,30}\"|[0-9]|null|\\[\\])\\})") {
            refused(&object, Code::Internal);
        }
    }
}
