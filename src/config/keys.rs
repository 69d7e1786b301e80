//! The table of all keys: everything else about them follows from it.

use super::{Config, CourseOverrides, ListenerSection, TlsSection, text};
use crate::settings::{self, Key, Place, Problem, Rule, nearest, plain};

/// A `[section]`.
pub(super) struct Section {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// What it may have.
    pub(super) keys: &'static [Key<Config>],
}

/// `section { key; key: rule; .. }`: names and fields are the same words.
macro_rules! sections {
    ($($section:ident { $($key:ident $(: $rule:expr)?;)* })*) => {
        &[$(Section {
            name: stringify!($section),
            keys: &[$(Key {
                name: stringify!($key),
                rule: rule!($($rule)?),
                field: |config| &mut config.$section.$key,
            }),*],
        }),*]
    };
}

/// The same for a table that is not a section of its own.
macro_rules! table {
    ($($key:ident $(: $rule:expr)?;)*) => {
        &[$(Key { name: stringify!($key), rule: rule!($($rule)?), field: |table| &mut table.$key }),*]
    };
}

macro_rules! rule {
    () => {
        Rule::Free
    };
    ($rule:expr) => {
        $rule
    };
}

/// The name of the list of listeners.
pub(super) const LISTENER: &str = "listener";

/// The keys of a `[[listener]]` that are tables themselves.
pub(super) const TLS: &str = "tls";
/// See [`TLS`].
pub(super) const COURSE: &str = "course";

/// More bytes than this in one object, text or answer help nobody.
const MAX_BYTES: Rule = Rule::Within(0, 1 << 30);

/// All sections, in the order of the example file.
pub(super) const SECTIONS: &[Section] = sections! {
    server {
        name: text::NAME;
        motd: text::MOTD;
        data_dir: text::PATH;
        control_socket: text::PATH;
        shutdown_grace;
    }
    storage {
        file: text::PATH;
        durability;
        readers: Rule::Within(1, 64);
    }
    accounts {
        guests;
        registration;
        names;
    }
    rooms {
        default;
        course;
        creation;
        retention_days: Rule::Within(0, 36_500);
        retention_entries: Rule::Within(0, i64::MAX as u64);
    }
    limits {
        max_connections;
        max_connections_per_ip;
        max_unauthenticated;
        max_sessions_per_user;
        max_frame_bytes: MAX_BYTES;
        max_frame_bytes_before_login: MAX_BYTES;
        max_text_bytes: MAX_BYTES;
        login_timeout;
        silent_timeout;
        stall_timeout;
        messages_per_second;
        message_burst;
        registrations_per_hour;
        password_attempts;
        rooms_per_user;
        new_connections_per_minute_per_ip;
        room_creations_per_hour;
        writer_queue: Rule::Within(1, 1 << 20);
        search_timeout;
    }
    course {
        history;
        backlog: Rule::Within(0, 10_000);
        pace;
        history_max_bytes: Rule::Within(100, 1 << 20);
        timestamp: text::TIMESTAMP;
        server_name: text::NAME_OR_NOTHING;
        echo;
        notices;
        extras;
        close_after_logout;
    }
    log {
        level: text::FILTER;
        format;
        directory: text::PATH_OR_NOTHING;
        rotation;
        keep: Rule::Within(0, 10_000);
    }
    metrics {
        address: text::ADDRESS_OR_NOTHING;
    }
};

/// What stands directly in a `[[listener]]`.
pub(super) const LISTENER_KEYS: &[Key<ListenerSection>] = table! {
    address: text::ADDRESS;
    dialect;
};

/// What stands in its `tls`.
pub(super) const TLS_KEYS: &[Key<TlsSection>] = table! {
    certificate: text::PATH;
    key: text::PATH;
};

/// What stands in its `course`: the keys of `[course]`, under the same rules (a test says so).
pub(super) const COURSE_KEYS: &[Key<CourseOverrides>] = table! {
    history;
    backlog: Rule::Within(0, 10_000);
    pace;
    history_max_bytes: Rule::Within(100, 1 << 20);
    timestamp: text::TIMESTAMP;
    server_name: text::NAME_OR_NOTHING;
    echo;
    notices;
    extras;
    close_after_logout;
};

/// Finds the keys whose values could not stand in a file.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    // The table gives fields to be changed, hence a copy.
    let mut config = config.clone();
    for section in SECTIONS {
        check_table(section.name, section.keys, &mut config, problems);
    }
    for listener in &mut config.listeners {
        check_table(LISTENER, LISTENER_KEYS, listener, problems);
        if let Some(tls) = &mut listener.tls {
            check_table("listener.tls", TLS_KEYS, tls, problems);
        }
        check_table("listener.course", COURSE_KEYS, &mut listener.course, problems);
    }
}

fn check_table<S>(name: &str, keys: &[Key<S>], table: &mut S, problems: &mut Vec<Problem>) {
    for key in keys {
        let field = (key.field)(table);
        if !field.fits(key.rule) {
            let what = format!("{name}.{} is {}, it must be {}", key.name, field.shown(), field.allowed(key.rule));
            problems.push(Problem::new(Place::Program, what));
        }
    }
}

/// The section of that name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// What is wrong with a key that does not exist: which ones do, and which one was probably meant.
pub(super) fn unknown_key(table: &str, name: &str, known: &[&str]) -> String {
    settings::unknown_key(table, name, known, || {
        let mut homes = SECTIONS.iter().filter(|section| section.keys.iter().any(|key| key.name == name));
        homes.next().map(|section| format!("{}.{name}", section.name))
    })
}

/// What is wrong with a section that does not exist.
pub(super) fn unknown_section(name: &str) -> String {
    let known = SECTIONS.iter().map(|section| section.name).chain([LISTENER]);
    let there: Vec<&str> = known.clone().collect();
    let home = SECTIONS.iter().find(|section| section.keys.iter().any(|key| key.name == name));
    let near = match home {
        Some(section) => Some(format!("{}.{name}", section.name)),
        None => nearest(name, known).map(str::to_owned),
    };
    let near = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
    format!("unknown section {}, there are {}{near}", plain(name), there.join(", "))
}
