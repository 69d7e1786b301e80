//! What things look like: each has a role, and a look gives each role a style out of the terminal's own sixteen colours.

use ratatui::style::{Color, Modifier, Style};

use super::settings::Look;

/// What a piece of text is, for its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Time,
    /// Somebody's name; the number is the same for the same name everywhere.
    Name(u8),
    /// One's own name and reactions.
    Me,
    /// A message that names this user.
    Called,
    /// Lines across, separators, asides.
    Line,
    /// The line in front of what is new.
    Marker,
    /// What happened beside talking.
    Note,
    /// What only this screen was told.
    Told,
    Error,
    Quote,
    /// A message that is not there any more.
    Gone,
    /// A message that is not sent yet.
    Pending,
    /// The bars above and below.
    Bar,
    /// On a bar, what matters.
    BarStrong,
    /// On a bar, what is wrong.
    BarError,
    /// The room that one is in.
    Here,
    /// A room with something new.
    Unread,
    /// A room in which this user was named.
    Mentioned,
    /// Rooms and people that are not there.
    Faint,
}

/// How many colours there are for names.
const NAMES: u8 = 10;

impl Role {
    /// The look of a name: the same on every screen (FNV-1a of its small letters).
    pub(crate) fn of_name(name: &str) -> Role {
        let hash = name
            .to_lowercase()
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Role::Name((hash % u32::from(NAMES)) as u8)
    }
}

impl Look {
    /// The style of a role.
    pub(crate) fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let colour = |dark: Color, light: Color| match self {
            Look::Dark => plain.fg(dark),
            Look::Light => plain.fg(light),
            Look::Mono => plain,
        };
        let faint = match self {
            // "Bright black" is grey in every palette; dim is left out by some terminals.
            Look::Dark | Look::Light => plain.fg(Color::DarkGray),
            Look::Mono => plain.add_modifier(Modifier::DIM),
        };
        let bar = plain.add_modifier(Modifier::REVERSED);
        match role {
            Role::Plain => plain,
            Role::Time | Role::Line | Role::Quote | Role::Faint => faint,
            Role::Name(number) => name_style(self, number),
            Role::Me => plain.add_modifier(Modifier::BOLD),
            Role::Called => colour(Color::Yellow, Color::Red).add_modifier(Modifier::BOLD),
            Role::Marker => colour(Color::Red, Color::Red).add_modifier(Modifier::BOLD),
            Role::Note => faint,
            Role::Told => colour(Color::Cyan, Color::Blue),
            Role::Error => colour(Color::LightRed, Color::Red).add_modifier(Modifier::BOLD),
            Role::Gone => faint.add_modifier(Modifier::ITALIC),
            Role::Pending => faint.add_modifier(Modifier::ITALIC),
            Role::Bar => bar,
            Role::BarStrong => bar.add_modifier(Modifier::BOLD),
            Role::BarError => match self {
                Look::Mono => bar.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
                _ => plain.bg(Color::Red).fg(Color::White).add_modifier(Modifier::BOLD),
            },
            Role::Here => plain.add_modifier(Modifier::REVERSED),
            Role::Unread => plain.add_modifier(Modifier::BOLD),
            Role::Mentioned => colour(Color::Yellow, Color::Red).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }
}

/// Colours that can be read on the background that the look is for.
fn name_style(look: Look, number: u8) -> Style {
    const DARK: [Color; NAMES as usize] = [
        Color::Cyan,
        Color::Green,
        Color::Magenta,
        Color::Yellow,
        Color::LightBlue,
        Color::LightCyan,
        Color::LightGreen,
        Color::LightMagenta,
        Color::LightRed,
        Color::LightYellow,
    ];
    const LIGHT: [Color; NAMES as usize] = [
        Color::Blue,
        Color::Red,
        Color::Magenta,
        Color::Green,
        Color::Cyan,
        Color::Blue,
        Color::Red,
        Color::Magenta,
        Color::Green,
        Color::Cyan,
    ];
    let at = usize::from(number % NAMES);
    match look {
        Look::Dark => Style::new().fg(DARK[at]),
        Look::Light if number < NAMES / 2 => Style::new().fg(LIGHT[at]),
        Look::Light => Style::new().fg(LIGHT[at]).add_modifier(Modifier::BOLD),
        Look::Mono => Style::new().add_modifier(Modifier::BOLD),
    }
}
