//! The keys that are a choice between words. Of each the first is the default.

use crate::model::NameRule;
use crate::settings::Choice;

pub use crate::chat::{Creation, Registration};
pub use crate::store::sqlite::Durability;

/// An enum of which every variant is a word in the file, the first one being the default.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident = $first_word:literal,
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[$first_doc])*
            #[default]
            $first,
            $($(#[$variant_doc])* $variant,)*
        }

        impl Choice for $name {
            const ALL: &'static [(&'static str, $name)] =
                &[($first_word, $name::$first), $(($word, $name::$variant)),*];
        }
    };
}

choice! {
    /// Which dialect a listener speaks (`listener.dialect`).
    ListenerDialect {
        /// A connection's first object decides.
        Auto = "auto",
        /// The native protocol.
        Native = "native",
        /// The dialect of the course of 2014.
        Course2014 = "course2014",
        /// The dialect of the course of 2015.
        Course2015 = "course2015",
    }
}

choice! {
    /// How a course client is told what was said before it came (`course.history`).
    CourseHistory {
        /// Each old message once more, as an ordinary message: every client understands that.
        Messages = "messages",
        /// One list of texts, which is what the assignment means.
        Strings = "strings",
        /// One list of objects.
        Objects = "objects",
        /// One text with a line for each message.
        Text = "text",
        /// A list of its own for each message.
        Each = "each",
        /// Not at all.
        None = "none",
    }
}

choice! {
    /// How a line of the log is written (`log.format`).
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
        /// To the systemd journal, with fields.
        Journald = "journald",
    }
}

choice! {
    /// When a new log file is begun (`log.rotation`), in UTC.
    Rotation {
        /// At midnight.
        Daily = "daily",
        /// At every full hour.
        Hourly = "hourly",
        /// Never.
        Never = "never",
    }
}

impl Choice for NameRule {
    const ALL: &'static [(&'static str, NameRule)] = &[("ascii", NameRule::Ascii), ("unicode", NameRule::Unicode)];
}

impl Choice for Durability {
    const ALL: &'static [(&'static str, Durability)] = &[("full", Durability::Full), ("normal", Durability::Normal)];
}

impl Choice for Registration {
    const ALL: &'static [(&'static str, Registration)] =
        &[("open", Registration::Open), ("invite", Registration::Invite), ("closed", Registration::Closed)];
}

impl Choice for Creation {
    const ALL: &'static [(&'static str, Creation)] = &[("users", Creation::Users), ("admins", Creation::Admins)];
}
