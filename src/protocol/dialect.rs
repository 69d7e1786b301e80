//! What a dialect is, and how a connection's first object chooses one.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Clock, Entry, RoomName, SystemClock, UserId};
use crate::protocol::course::CourseOptions;
use crate::protocol::course2014::Course2014;
use crate::protocol::course2015::Course2015;
use crate::protocol::native::Native;
use crate::protocol::object::{Fields, string};
use crate::protocol::{Answer, Ask, Hint, Refusal, Tag};

/// JSON in both directions. What is written is a number of objects, each on a line of its own that ends with `\n`; there
/// is no other newline in it.
pub trait Dialect: Send + Sync + 'static {
    /// What a client sent: one whole object, of which the framing has checked the grammar. Never fails: what makes no
    /// sense is a refusal in the [`Ask`].
    fn decode(&self, object: &str) -> Ask;

    /// The answer to a request, which may be several objects, or none.
    fn answer(&self, tag: &Tag, answer: &Answer, out: &mut Vec<u8>);

    /// An entry of a followed room, for one who looks at it; nothing for kinds that have no form here.
    fn entry(&self, room: &RoomName, entry: &Entry, viewer: Option<UserId>, out: &mut Vec<u8>);

    /// What is told unasked and is no entry.
    fn hint(&self, hint: &Hint, out: &mut Vec<u8>);

    /// An error that answers no request.
    fn fault(&self, refusal: &Refusal, out: &mut Vec<u8>);

    /// The pause that has to follow each object, which then goes out in a write of its own. `None`: as they come.
    fn pace(&self) -> Option<Duration>;

    /// Whether the input is cut into objects by the rules for course clients, which send no newlines.
    fn is_lenient(&self) -> bool;

    /// The room that all sessions of a course dialect are in.
    fn room(&self) -> Option<&RoomName>;

    /// Whether the connection ends with the answer to `logout`.
    fn close_after_logout(&self) -> bool;
}

/// Which dialect a listener speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The one that a connection's first object is in.
    #[default]
    Auto,
    /// Always the native one.
    Native,
    /// Always the course dialect of 2014.
    Course2014,
    /// Always the course dialect of 2015.
    Course2015,
}

impl Choice {
    /// All choices.
    pub const ALL: [Choice; 4] = [Choice::Auto, Choice::Native, Choice::Course2014, Choice::Course2015];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Choice::Auto => "auto",
            Choice::Native => "native",
            Choice::Course2014 => "course2014",
            Choice::Course2015 => "course2015",
        }
    }

    /// The choice of that word.
    pub fn parse(word: &str) -> Option<Choice> {
        Choice::ALL.into_iter().find(|choice| choice.as_str() == word)
    }
}

/// The dialects of one listener.
#[derive(Clone)]
pub struct Dialects {
    choice: Choice,
    native: Arc<dyn Dialect>,
    course2014: Arc<dyn Dialect>,
    course2015: Arc<dyn Dialect>,
}

impl Dialects {
    /// The dialects that a listener of that choice can speak, on the system's clock and in its time zone.
    pub fn new(choice: Choice, options: CourseOptions) -> Dialects {
        Dialects::with_clock(choice, options, Arc::new(SystemClock), jiff::tz::TimeZone::system())
    }

    /// The same with another clock and time zone. (Only the course dialects have local times in them.)
    pub fn with_clock(
        choice: Choice,
        options: CourseOptions,
        clock: Arc<dyn Clock>,
        zone: jiff::tz::TimeZone,
    ) -> Dialects {
        Dialects {
            choice,
            native: Arc::new(Native),
            course2014: Arc::new(Course2014::new(options.clone(), Arc::clone(&clock), zone.clone())),
            course2015: Arc::new(Course2015::new(options, clock, zone)),
        }
    }

    /// The only dialect of the listener, if it does not depend on the first object.
    pub fn pinned(&self) -> Option<Arc<dyn Dialect>> {
        (self.choice != Choice::Auto).then(|| self.get(self.choice))
    }

    /// The dialect of a connection, by its first object.
    pub fn choose(&self, first_object: &str) -> Arc<dyn Dialect> {
        match self.choice {
            Choice::Auto => self.get(recognise(first_object)),
            pinned => self.get(pinned),
        }
    }

    /// The dialect for faults in front of the first object.
    pub fn undecided(&self) -> Arc<dyn Dialect> {
        self.get(self.choice)
    }

    fn get(&self, choice: Choice) -> Arc<dyn Dialect> {
        Arc::clone(match choice {
            Choice::Auto | Choice::Native => &self.native,
            Choice::Course2014 => &self.course2014,
            Choice::Course2015 => &self.course2015,
        })
    }
}

/// Which dialect an object is in. The key `protocol` makes the native one, not the word `hello`: a user of a course client
/// who types "hello there" may send `{"request":"hello","content":"there"}`.
fn recognise(object: &str) -> Choice {
    let Some(fields) = Fields::parse(object) else { return Choice::Native };
    let has = |key| fields.find_caseless(key).0 > 0;
    let asks = |value: &str| {
        string(value).is_some_and(|word| ["msg", "names", "help"].iter().any(|name| word.eq_ignore_ascii_case(name)))
    };
    if has("protocol") {
        Choice::Native
    } else if has("content") || fields.find_caseless("request").1.is_some_and(asks) {
        Choice::Course2015
    } else {
        Choice::Course2014
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_object_decides() {
        for (object, choice) in [
            (r#"{"request":"hello","protocol":1}"#, Choice::Native),
            (r#"{"protocol":null,"content":1}"#, Choice::Native),
            (r#"{"Protocol":1}"#, Choice::Native),
            (r#"{"\u0070rotocol":1}"#, Choice::Native),
            (r#"{"request":"hello","content":"x"}"#, Choice::Course2015),
            (r#"{"request":"login","content":"bob"}"#, Choice::Course2015),
            (r#"{"Request":"login","Content":"bob"}"#, Choice::Course2015),
            (r#"{"request":"login","content":null,"username":"bob"}"#, Choice::Course2015),
            (r#"{"\u0072equest":"names"}"#, Choice::Course2015),
            (r#"{"request":"HELP"}"#, Choice::Course2015),
            (r#"{"request":"msg"}"#, Choice::Course2015),
            (r#"{"request":"login","username":"bob"}"#, Choice::Course2014),
            (r#"{"request":"message","message":"hi"}"#, Choice::Course2014),
            (r#"{"request":"login","nested":{"protocol":1,"content":""}}"#, Choice::Course2014),
            (r#"{"request":"login","nested":"{\"protocol\":1}"}"#, Choice::Course2014),
            (r#"{"request":["help"]}"#, Choice::Course2014),
            (r#"{"request":"logout"}"#, Choice::Course2014),
            (r#"{"request":"hello"}"#, Choice::Course2014),
            (r#"{}"#, Choice::Course2014),
        ] {
            assert_eq!(recognise(object), choice, "{object}");
        }
    }

    #[test]
    fn a_pinned_listener_does_not_look() {
        for choice in Choice::ALL {
            assert_eq!(Choice::parse(choice.as_str()), Some(choice));
            let dialects = Dialects::new(choice, CourseOptions::default());
            assert_eq!(dialects.pinned().is_some(), choice != Choice::Auto);
            let lenient = dialects.choose(r#"{"request":"help"}"#).is_lenient();
            assert_eq!(lenient, choice != Choice::Native);
            let lenient = dialects.choose(r#"{"protocol":1}"#).is_lenient();
            assert_eq!(lenient, !matches!(choice, Choice::Native | Choice::Auto));
            assert_eq!(dialects.undecided().is_lenient(), lenient);
        }
    }
}
