//! `[screen]`: how the full screen looks and behaves.

use snakk::settings::{Choice, Key, Rule, TIMESTAMP};

/// Every key of the table, resolved: written or default.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Screen {
    /// The colours.
    pub(crate) theme: Theme,
    /// The strftime pattern of the time in front of a message.
    pub(crate) time_format: String,
    /// How the terminal is told that somebody wants something.
    pub(crate) notify: Notify,
    /// A program that is run as well; none if it is empty.
    pub(crate) notify_command: Vec<String>,
    /// Whether a notification holds what was said, or only who said something.
    pub(crate) notify_text: bool,
    /// Whether the members of a room are listed beside it.
    pub(crate) members: bool,
    /// Who puts text that runs from right to left into its order.
    pub(crate) rtl: Rtl,
    /// What the terminal makes of emoji with skin tones.
    pub(crate) emoji: Emoji,
    /// Whether the mouse is taken, with which the terminal then cannot select text any more.
    pub(crate) mouse: bool,
}

impl Default for Screen {
    fn default() -> Screen {
        Screen {
            theme: Theme::Auto,
            time_format: "%H:%M".to_owned(),
            notify: Notify::Bell,
            notify_command: Vec::new(),
            notify_text: false,
            members: true,
            rtl: Rtl::Reorder,
            emoji: Emoji::Auto,
            mouse: false,
        }
    }
}

/// The keys of the table.
pub(super) const KEYS: &[Key<Screen>] = &[
    Key { name: "theme", rule: Rule::Free, field: |screen| &mut screen.theme },
    Key { name: "time_format", rule: TIMESTAMP, field: |screen| &mut screen.time_format },
    Key { name: "notify", rule: Rule::Free, field: |screen| &mut screen.notify },
    Key { name: "notify_command", rule: Rule::Free, field: |screen| &mut screen.notify_command },
    Key { name: "notify_text", rule: Rule::Free, field: |screen| &mut screen.notify_text },
    Key { name: "members", rule: Rule::Free, field: |screen| &mut screen.members },
    Key { name: "rtl", rule: Rule::Free, field: |screen| &mut screen.rtl },
    Key { name: "emoji", rule: Rule::Free, field: |screen| &mut screen.emoji },
    Key { name: "mouse", rule: Rule::Free, field: |screen| &mut screen.mouse },
];

/// The colours (`screen.theme`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the terminal says that its background is.
    Auto,
    /// For a dark background.
    Dark,
    /// For a bright one.
    Light,
    /// No colours at all.
    Mono,
}

impl Choice for Theme {
    const ALL: &'static [(&'static str, Theme)] =
        &[("auto", Theme::Auto), ("dark", Theme::Dark), ("light", Theme::Light), ("mono", Theme::Mono)];
}

/// How the terminal is told that somebody wants something (`screen.notify`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    /// It beeps, or whatever it was told to do instead.
    Bell,
    /// By the escape sequence OSC 9.
    Osc9,
    /// By the escape sequence OSC 777.
    Osc777,
    /// Not at all.
    Off,
}

impl Choice for Notify {
    const ALL: &'static [(&'static str, Notify)] =
        &[("bell", Notify::Bell), ("osc9", Notify::Osc9), ("osc777", Notify::Osc777), ("off", Notify::Off)];
}

/// Who puts text that runs from right to left into its order (`screen.rtl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rtl {
    /// This program does.
    Reorder,
    /// The terminal does.
    Terminal,
}

impl Choice for Rtl {
    const ALL: &'static [(&'static str, Rtl)] = &[("reorder", Rtl::Reorder), ("terminal", Rtl::Terminal)];
}

/// What the terminal makes of emoji with skin tones (`screen.emoji`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emoji {
    /// As the environment says which terminal it is.
    Auto,
    /// It shows them as one.
    Full,
    /// It shows the tone apart: it is left out.
    Simple,
}

impl Choice for Emoji {
    const ALL: &'static [(&'static str, Emoji)] =
        &[("auto", Emoji::Auto), ("full", Emoji::Full), ("simple", Emoji::Simple)];
}
