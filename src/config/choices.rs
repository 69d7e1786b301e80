//! The keys that are a choice between words. Of each the first is the default.

use crate::model::NameRule;

/// A value that is one of a few words.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// The words and what they mean, the default first.
    const ALL: &'static [(&'static str, Self)];
}

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
    /// What survives what (`storage.durability`).
    Durability {
        /// What was acknowledged survives a power cut.
        Full = "full",
        /// What was acknowledged survives `kill -9`; a power cut may take the newest of it.
        Normal = "normal",
    }
}

choice! {
    /// Who may make an account (`accounts.registration`).
    Registration {
        /// Everybody.
        Open = "open",
        /// Who was invited.
        Invite = "invite",
        /// Nobody, over the network.
        Closed = "closed",
    }
}

choice! {
    /// Who may make a room (`rooms.creation`).
    Creation {
        /// Everybody who is logged in.
        Users = "users",
        /// Administrators.
        Admins = "admins",
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
