//! What the two course dialects have in common: their options, local time, and the backlog cut to what a client can read.
//!
//! Each rule here is what most of 42 real clients, written for a university course by people who never met, can bear.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::model::{Body, Clock, Entry, Line, MemberChange, RoomName, Time};
use crate::protocol::object::{Fields, string};
use crate::protocol::response::NameLine;
use crate::protocol::{Code, Hint, Refusal, Secret};

/// How a course session gets the messages from before its login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HistoryForm {
    /// Each as an ordinary message.
    #[default]
    Messages,
    /// A list of strings: encoded messages in 2015, lines of text in 2014.
    Strings,
    /// A list of objects.
    Objects,
    /// One string with a line for each.
    Text,
    /// Each in a `history` object of its own. (In 2014, which has no such object, as `Messages`.)
    Each,
    /// Not at all.
    None,
}

impl HistoryForm {
    /// All forms.
    pub const ALL: [HistoryForm; 6] = [
        HistoryForm::Messages,
        HistoryForm::Strings,
        HistoryForm::Objects,
        HistoryForm::Text,
        HistoryForm::Each,
        HistoryForm::None,
    ];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            HistoryForm::Messages => "messages",
            HistoryForm::Strings => "strings",
            HistoryForm::Objects => "objects",
            HistoryForm::Text => "text",
            HistoryForm::Each => "each",
            HistoryForm::None => "none",
        }
    }

    /// The form of that word.
    pub fn parse(word: &str) -> Option<HistoryForm> {
        HistoryForm::ALL.into_iter().find(|form| form.as_str() == word)
    }
}

/// The options of the course dialects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourseOptions {
    /// The room that all course sessions are in.
    pub room: RoomName,
    /// How they get what was said before.
    pub history: HistoryForm,
    /// How much of it, in messages.
    pub backlog: u32,
    /// The pause behind each object.
    pub pace: Duration,
    /// The most bytes of an object that lists old messages.
    pub history_max_bytes: usize,
    /// How times are shown: a strftime pattern, in local time.
    pub timestamp: String,
    /// Who speaks when the server does.
    pub server_name: String,
    /// Whether one sees one's own messages.
    pub echo: bool,
    /// Whether one is told who comes and goes, who is put out or silenced, what the topic is, and what admins have to say.
    pub notices: bool,
    /// Whether the dialect of 2014 has a few more keys than were assigned, which some clients need.
    pub extras: bool,
    /// Whether the connection ends with the answer to `logout`.
    pub close_after_logout: bool,
}

impl CourseOptions {
    /// How times are shown if not told otherwise.
    pub const TIMESTAMP: &'static str = "%Y-%m-%d %H:%M:%S";

    /// Checks a pattern for times.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn check_timestamp(pattern: &str) -> Result<(), String> {
        let zoned = Time(1_769_860_800_123).timestamp().to_zoned(TimeZone::UTC);
        match strtime::format(pattern, &zoned) {
            Err(error) => Err(error.to_string()),
            Ok(text) if text.is_empty() => Err("the pattern shows nothing".to_owned()),
            Ok(text) if text.chars().any(char::is_control) => Err("the pattern has a control character".to_owned()),
            Ok(_) => Ok(()),
        }
    }
}

impl Default for CourseOptions {
    fn default() -> CourseOptions {
        CourseOptions {
            room: RoomName::trusted("lobby"),
            history: HistoryForm::Messages,
            backlog: 50,
            pace: Duration::from_millis(100),
            history_max_bytes: 1000,
            timestamp: CourseOptions::TIMESTAMP.to_owned(),
            server_name: "Server".to_owned(),
            echo: true,
            notices: false,
            extras: true,
            close_after_logout: false,
        }
    }
}

/// The options with a clock, and a time zone to show its times in.
pub(super) struct Course {
    pub(super) options: CourseOptions,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
}

impl Course {
    pub(super) fn new(options: CourseOptions, clock: Arc<dyn Clock>, zone: TimeZone) -> Course {
        Course { options, clock, zone }
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// A time as clients are shown it.
    pub(super) fn timestamp(&self, time: Time) -> String {
        let zoned = time.timestamp().to_zoned(self.zone.clone());
        // The fallback is for a pattern that nobody checked.
        strtime::format(&self.options.timestamp, &zoned)
            .or_else(|_| strtime::format(CourseOptions::TIMESTAMP, &zoned))
            .unwrap_or_default()
    }

    /// What is told where notices are wanted. A shutdown shows by itself: the connection ends.
    ///
    /// Whoever is back from a pause is told of in the same words as who has just come, for a hint does not say which it is.
    pub(super) fn notice(&self, hint: &Hint) -> Option<String> {
        if !self.options.notices {
            return None;
        }
        match hint {
            Hint::Presence { user, online: false, .. } => Some(format!("{user} has gone.")),
            Hint::Presence { user, away: true, .. } => Some(format!("{user} is away.")),
            Hint::Presence { user, .. } => Some(format!("{user} is here.")),
            Hint::Removed { change: "kick" | "ban", reason, .. } => {
                Some(format!("You were put out{}.", because(reason.as_ref())))
            }
            Hint::Notice { text } => Some(text.as_str().to_owned()),
            _ => None,
        }
    }

    /// What is told of an entry that is no message, where notices are wanted. What happens to single messages shows in the
    /// backlog.
    pub(super) fn told(&self, entry: &Entry) -> Option<String> {
        let from = &entry.from;
        match &entry.body {
            _ if !self.options.notices => None,
            Body::Topic { topic } if topic.is_empty() => Some(format!("{from} has taken the topic away.")),
            Body::Topic { topic } => Some(format!("{from} has set the topic: {}", topic.as_str())),
            Body::Member { user, change, reason, .. } => {
                let verb = match change {
                    MemberChange::Kick => "put out",
                    MemberChange::Ban => "banned",
                    MemberChange::Mute => "silenced",
                    _ => return None,
                };
                Some(format!("{from} has {verb} {user}{}.", because(reason.as_ref())))
            }
            _ => None,
        }
    }

    /// The newest of the encoded messages, oldest first, which together with `separator` bytes between two of them have at
    /// most so many bytes.
    pub(super) fn newest(
        entries: &[Entry],
        max_bytes: usize,
        separator: usize,
        mut encode: impl FnMut(&Entry, &Said<'_>) -> Vec<u8>,
    ) -> Vec<Vec<u8>> {
        let mut left = max_bytes;
        let mut newest = Vec::new();
        for entry in entries.iter().rev() {
            let Some(said) = Said::of(entry) else { continue };
            let encoded = encode(entry, &said);
            let cost = encoded.len() + if newest.is_empty() { 0 } else { separator };
            let Some(rest) = left.checked_sub(cost) else { break };
            left = rest;
            newest.push(encoded);
        }
        newest.reverse();
        newest
    }
}

/// The end of a sentence about something that somebody may have given a reason for.
fn because(reason: Option<&Line>) -> String {
    match reason {
        Some(reason) if !reason.is_empty() => format!(" ({})", reason.as_str()),
        _ => String::new(),
    }
}

/// A message as course clients are shown it.
pub(super) struct Said<'a> {
    /// What it says; of a deed "* NAME TEXT".
    pub(super) text: Cow<'a, str>,
    /// Whether it is a deed.
    pub(super) action: bool,
}

impl<'a> Said<'a> {
    /// What an entry says, if it is a message: these dialects have no form for other entries.
    pub(super) fn of(entry: &'a Entry) -> Option<Said<'a>> {
        match &entry.body {
            // There is nothing left to show.
            Body::Message(message) if message.deleted => None,
            Body::Message(message) if message.action => {
                Some(Said { text: format!("* {} {}", entry.from, message.text.as_str()).into(), action: true })
            }
            Body::Message(message) => Some(Said { text: message.text.as_str().into(), action: false }),
            _ => None,
        }
    }
}

/// The names of those who are online, in their order.
pub(super) fn online(names: &[NameLine]) -> Vec<&str> {
    let mut online: Vec<&str> = names.iter().filter(|line| line.online).map(|line| &*line.name).collect();
    online.sort_unstable();
    online
}

/// The value of a key, whose name is compared without case.
pub(super) fn value<'a>(fields: &Fields<'a>, key: &str) -> Result<Option<&'a str>, Refusal> {
    match fields.find_caseless(key) {
        (0 | 1, value) => Ok(value),
        // Which one counts? No client sends two, so whoever does is not helped by a guess.
        _ => Err(Refusal::bad_request(key)),
    }
}

/// A password, if there is one. No course client sends it; a person with `nc` may.
pub(super) fn password(fields: &Fields<'_>) -> Result<Option<Secret>, Refusal> {
    match value(fields, "password")? {
        None | Some("null") => Ok(None),
        Some(value) => match string(value) {
            Some(password) => Ok(Some(Secret(password.into()))),
            None => Err(Refusal::bad_request("password")),
        },
    }
}

/// The sentence for a refusal that neither assignment has words for.
pub(super) fn sentence(refusal: &Refusal) -> String {
    match (refusal.code, refusal.retry_after, refusal.field.as_deref()) {
        (Code::RateLimited, Some(wait), _) => {
            format!("Too fast; try again in {} s.", wait.as_millis().div_ceil(1000).max(1))
        }
        (Code::BadRequest, _, Some(field)) => format!("The key {field} is missing, or does not fit."),
        (Code::BadText, ..) => "There is nothing in it that can be said.".to_owned(),
        (Code::BadJson, ..) => "That is no JSON object.".to_owned(),
        // What the program has to say in which the server lives.
        (code @ (Code::Forbidden | Code::BadCredentials), ..) => {
            let reason = refusal.because.as_ref().and_then(|because| because.reason.as_ref());
            format!("{}{}.", code.sentence().trim_end_matches('.'), because(reason))
        }
        (code, ..) => code.sentence().to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Message, Seq, Text, UserId};

    /// A clock that stands.
    pub(in crate::protocol) struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Time {
            Time(1_769_860_800_000)
        }
    }

    /// A message of a guest.
    pub(in crate::protocol) fn said(seq: u64, from: &str, text: &str, action: bool) -> Entry {
        Entry {
            seq: Seq(seq),
            time: Time(1_769_860_800_000 + 1000 * i64::try_from(seq).unwrap()),
            author: UserId(-5 - i64::try_from(from.len()).unwrap()),
            from: from.into(),
            body: Body::Message(Message { action, ..Message::new(Text::trusted(text)) }),
        }
    }

    /// Somebody as `names` lists them.
    pub(in crate::protocol) fn named(name: &str, online: bool) -> NameLine {
        NameLine { name: name.into(), role: "member", online, guest: true, away: false, text: None, last_seen: None }
    }

    /// Somebody who came or went.
    pub(in crate::protocol) fn presence(user: &str, online: bool) -> Hint {
        Hint::Presence { user: user.into(), online, away: false, text: None }
    }

    #[test]
    fn what_happens_in_the_room_is_told_where_it_is_wanted() {
        let course = |notices| {
            let options = CourseOptions { notices, ..CourseOptions::default() };
            Course::new(options, Arc::new(Noon), TimeZone::UTC)
        };
        let line = |text: &str| Line::trusted(text);
        let member = |change, reason| Body::Member {
            user: "bob".into(),
            user_id: UserId(7),
            change,
            role: None,
            reason,
            until: None,
        };
        for (body, expected) in [
            (Body::Topic { topic: line("cake") }, Some("eve has set the topic: cake")),
            (Body::Topic { topic: line("") }, Some("eve has taken the topic away.")),
            (member(MemberChange::Kick, None), Some("eve has put out bob.")),
            (member(MemberChange::Ban, Some(line("spam"))), Some("eve has banned bob (spam).")),
            (member(MemberChange::Mute, Some(line(""))), Some("eve has silenced bob.")),
            (member(MemberChange::Join, None), None),
            (Body::Edit { target: Seq(1), text: Some(Text::trusted("x")) }, None),
            (Body::Delete { target: Seq(1), reason: None }, None),
            (Body::React { target: Seq(1), emoji: line("+1"), remove: false }, None),
        ] {
            let entry = Entry { body, ..said(2, "eve", "x", false) };
            assert_eq!(course(true).told(&entry).as_deref(), expected);
            assert_eq!(course(false).told(&entry), None);
        }
        assert_eq!(course(true).told(&said(1, "eve", "x", false)), None);
        let away = Hint::Presence { user: "bob".into(), online: true, away: true, text: Some(line("lunch")) };
        let room = RoomName::trusted("lobby");
        let removed = |change| Hint::Removed { room: room.clone(), seq: Seq(2), change, reason: Some(line("spam")) };
        for (hint, expected) in [
            (presence("bob", true), "bob is here."),
            (presence("bob", false), "bob has gone."),
            (away, "bob is away."),
            (removed("ban"), "You were put out (spam)."),
            (Hint::Notice { text: Text::trusted("Down at 8.") }, "Down at 8."),
        ] {
            assert_eq!(course(true).notice(&hint).as_deref(), Some(expected));
            assert_eq!(course(false).notice(&hint), None);
        }
        assert_eq!(course(true).notice(&removed("leave")), None);
    }

    #[test]
    fn patterns_for_times_are_checked() {
        for good in ["%Y-%m-%d %H:%M:%S", "%H:%M", "%c", "at %s", "%Z %z"] {
            assert_eq!(CourseOptions::check_timestamp(good), Ok(()), "{good}");
        }
        for bad in ["%", "%H:%!", "", "%H%n%M", "a\nb"] {
            assert!(CourseOptions::check_timestamp(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_local() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let course = Course::new(CourseOptions::default(), Arc::new(Noon), zone);
        assert_eq!(course.timestamp(course.now()), "2026-01-31 14:00:00");
        let options = CourseOptions { timestamp: "%!".to_owned(), ..CourseOptions::default() };
        let course = Course::new(options, Arc::new(Noon), TimeZone::UTC);
        assert_eq!(course.timestamp(course.now()), "2026-01-31 12:00:00", "an unchecked pattern does no harm");
    }

    #[test]
    fn forms_have_words() {
        for form in HistoryForm::ALL {
            assert_eq!(HistoryForm::parse(form.as_str()), Some(form));
        }
        assert_eq!(HistoryForm::parse("Messages"), None);
    }
}
