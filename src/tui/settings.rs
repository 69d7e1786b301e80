//! What the person in front of the screen can choose.

/// What the person in front of the screen can choose. The defaults need no further thought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What the first room begins with, for this screen alone.
    pub greeting: Vec<String>,
    /// The colours.
    pub look: Look,
    /// How a message's time is shown (strftime).
    pub time_format: String,
    /// How somebody who looks elsewhere is told that they are wanted.
    pub notify: Notify,
    /// Whether tmux is between us and the terminal, and has to be told to hand notifications on.
    pub in_tmux: bool,
    /// A program, with its arguments, that is told as well: title and text come behind them.
    pub notify_command: Vec<String>,
    /// Whether what was said goes into notifications, or only who said it.
    pub notify_text: bool,
    /// Whether the list of members is there from the start, where there is room for it.
    pub members: bool,
    /// Who puts right-to-left text in its order.
    pub rtl: Rtl,
    /// What the terminal makes of emoji that are put together from several characters.
    pub emoji: Emoji,
    /// Whether the mouse wheel scrolls. The terminal's own selection then needs Shift.
    pub mouse: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            greeting: Vec::new(),
            look: Look::Dark,
            time_format: "%H:%M".to_owned(),
            notify: Notify::Bell,
            in_tmux: false,
            notify_command: Vec::new(),
            notify_text: false,
            members: true,
            rtl: Rtl::Reorder,
            emoji: Emoji::Full,
            mouse: false,
        }
    }
}

/// The colours. All are of the terminal's own sixteen, on its own background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// Without colours: bold, dim, underlined and reversed only.
    Mono,
}

/// How somebody who looks elsewhere is told that they are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// Not at all.
    Off,
    /// The bell, which every terminal has; tmux marks the window.
    #[default]
    Bell,
    /// The bell, and the escape sequence OSC 9 (iTerm2, ConEmu, Windows Terminal, foot, kitty).
    Osc9,
    /// The bell, and the escape sequence OSC 777 (urxvt, foot, VTE, Ghostty).
    Osc777,
}

/// Who puts right-to-left text in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rtl {
    /// We do, as most terminals do not; those that would are asked not to.
    #[default]
    Reorder,
    /// The terminal does, whatever it is told.
    Terminal,
}

/// What the terminal makes of emoji that are put together from several characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emoji {
    /// It shows them as one.
    #[default]
    Full,
    /// It shows a skin tone as a character of its own, as tmux and screen do, and what stands behind it is off: tones are
    /// left out.
    Simple,
}
