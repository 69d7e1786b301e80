//! The keys, as one table: what each does, where, and what is said about it in the help and on the status line.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Where a key has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// While one types.
    Typing,
    /// While a message is selected; other keys are as while typing.
    Selecting,
    /// In a list that lies over the screen.
    Picking,
    /// Where a question is to be answered.
    Asked,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Submit,
    Newline,
    Complete,
    CompleteBack,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    Older,
    Newer,
    KillStart,
    KillEnd,
    KillWord,
    KillWordForward,
    Yank,
    Undo,
    Transpose,
    SearchHistory,
    Cancel,
    Clear,
    PageUp,
    PageDown,
    Top,
    Bottom,
    FirstUnread,
    NextRoom,
    PreviousRoom,
    NextActive,
    LastRoom,
    Room(u8),
    Switcher,
    Members,
    Find,
    Select,
    SelectNewer,
    Reply,
    React,
    EditSelected,
    DeleteSelected,
    Yes,
    No,
    Help,
    Redraw,
    Suspend,
    Quit,
}

/// A key and what it does.
pub(crate) struct Binding {
    pub(crate) key: &'static str,
    pub(crate) place: Place,
    pub(crate) action: Action,
    /// For the help; empty where another line says it already.
    pub(crate) about: &'static str,
}

const fn bind(key: &'static str, place: Place, action: Action, about: &'static str) -> Binding {
    Binding { key, place, action, about }
}

use Action::*;
use Place::{Asked, Picking, Selecting, Typing};

/// All of them.
pub(crate) const BINDINGS: &[Binding] = &[
    bind("Enter", Typing, Submit, "send what was typed"),
    bind("Alt-Enter", Typing, Newline, "a new line in the same message (also Ctrl-J)"),
    bind("Ctrl-J", Typing, Newline, ""),
    bind("Tab", Typing, Complete, "complete a name, a room, a command, an :emoji (Shift-Tab: the one before)"),
    bind("Shift-Tab", Typing, CompleteBack, ""),
    bind("Up", Typing, Up, "in an empty line: edit your last message; else the line before"),
    bind("Down", Typing, Down, ""),
    bind("Ctrl-Up", Typing, Older, "what was typed before (Ctrl-Down: after it)"),
    bind("Ctrl-Down", Typing, Newer, ""),
    bind("Ctrl-R", Typing, SearchHistory, "search what was typed before; again: further back"),
    bind("Esc", Typing, Cancel, "back: out of an edit, a reply, a look into the past"),
    bind("Ctrl-C", Typing, Clear, "clear the line"),
    bind("PageUp", Typing, PageUp, "look back (older messages are fetched at the top); PageDown: forward"),
    bind("PageDown", Typing, PageDown, ""),
    bind("Ctrl-Home", Typing, Top, "the oldest message that was fetched; Ctrl-End: back to the end"),
    bind("Ctrl-End", Typing, Bottom, ""),
    bind("Alt-u", Typing, FirstUnread, "the first message that is new"),
    bind("Alt-a", Typing, NextActive, "the next room with something new, mentions first"),
    bind("Ctrl-N", Typing, NextRoom, "the next room; Ctrl-P: the previous one"),
    bind("Ctrl-P", Typing, PreviousRoom, ""),
    bind("Alt-1", Typing, Room(1), "the room of that number (Alt-1 to Alt-9, Alt-0 is the tenth)"),
    bind("Alt-2", Typing, Room(2), ""),
    bind("Alt-3", Typing, Room(3), ""),
    bind("Alt-4", Typing, Room(4), ""),
    bind("Alt-5", Typing, Room(5), ""),
    bind("Alt-6", Typing, Room(6), ""),
    bind("Alt-7", Typing, Room(7), ""),
    bind("Alt-8", Typing, Room(8), ""),
    bind("Alt-9", Typing, Room(9), ""),
    bind("Alt-0", Typing, Room(10), ""),
    bind("Alt-Tab", Typing, LastRoom, ""),
    bind("Alt-l", Typing, LastRoom, "the room where one was before"),
    bind("Ctrl-K", Typing, Switcher, "go to a room by a few letters of its name"),
    bind("Alt-m", Typing, Members, "show or hide the members"),
    bind("Ctrl-F", Typing, Find, "search (as /search)"),
    bind("Alt-Up", Typing, Select, "select a message, to answer, react, edit or delete; Alt-Down: the next one"),
    bind("Alt-Down", Typing, SelectNewer, ""),
    bind("Backspace", Typing, Backspace, ""),
    bind("Ctrl-H", Typing, Backspace, ""),
    bind("Delete", Typing, Delete, ""),
    bind("Ctrl-D", Typing, Delete, ""),
    bind("Left", Typing, Left, ""),
    bind("Right", Typing, Right, ""),
    bind("Ctrl-B", Typing, Left, ""),
    bind("Ctrl-Left", Typing, WordLeft, ""),
    bind("Ctrl-Right", Typing, WordRight, ""),
    bind("Alt-Left", Typing, WordLeft, ""),
    bind("Alt-Right", Typing, WordRight, ""),
    bind("Alt-b", Typing, WordLeft, "a word back; Alt-F: forward (also Ctrl-Left, Ctrl-Right)"),
    bind("Alt-f", Typing, WordRight, ""),
    bind("Home", Typing, Home, "the begin of the line; End: its end (also Ctrl-A, Ctrl-E)"),
    bind("End", Typing, End, ""),
    bind("Ctrl-A", Typing, Home, ""),
    bind("Ctrl-E", Typing, End, ""),
    bind(
        "Ctrl-W",
        Typing,
        KillWord,
        "delete the word before; Ctrl-U: all before; Alt-K: all behind; Alt-D: the next word",
    ),
    bind("Alt-Backspace", Typing, KillWord, ""),
    bind("Ctrl-U", Typing, KillStart, ""),
    bind("Alt-k", Typing, KillEnd, ""),
    bind("Alt-d", Typing, KillWordForward, ""),
    bind("Ctrl-Y", Typing, Yank, "insert what was deleted last"),
    bind("Ctrl-_", Typing, Undo, "undo"),
    bind("Ctrl-T", Typing, Transpose, ""),
    bind("F1", Typing, Help, "this help (also /help)"),
    bind("Ctrl-L", Typing, Redraw, "draw the screen anew"),
    bind("Ctrl-Z", Typing, Suspend, "stop; `fg` goes on"),
    bind("Ctrl-Q", Typing, Quit, "leave (also /quit)"),
    bind("Up", Selecting, Select, ""),
    bind("Down", Selecting, SelectNewer, ""),
    bind("k", Selecting, Select, ""),
    bind("j", Selecting, SelectNewer, ""),
    bind("r", Selecting, Reply, "answer the selected message"),
    bind("Enter", Selecting, Reply, ""),
    bind("+", Selecting, React, "react to it; the same again takes it back"),
    bind("e", Selecting, EditSelected, "edit it"),
    bind("d", Selecting, DeleteSelected, "delete it"),
    bind("Esc", Selecting, Cancel, ""),
    bind("Enter", Picking, Submit, "take what is marked"),
    bind("Up", Picking, Up, "mark another one (also Ctrl-P, Ctrl-N)"),
    bind("Down", Picking, Down, ""),
    bind("Ctrl-P", Picking, Up, ""),
    bind("Ctrl-N", Picking, Down, ""),
    bind("Ctrl-K", Picking, Down, ""),
    bind("PageUp", Picking, PageUp, ""),
    bind("PageDown", Picking, PageDown, ""),
    bind("Home", Picking, Top, ""),
    bind("End", Picking, Bottom, ""),
    bind("Backspace", Picking, Backspace, ""),
    bind("Ctrl-H", Picking, Backspace, ""),
    bind("Ctrl-U", Picking, KillStart, ""),
    bind("Ctrl-W", Picking, KillWord, ""),
    bind("Esc", Picking, Cancel, "close the list"),
    bind("Ctrl-C", Picking, Cancel, ""),
    bind("F1", Picking, Cancel, ""),
    bind("Ctrl-L", Picking, Redraw, ""),
    bind("Ctrl-Z", Picking, Suspend, ""),
    bind("Ctrl-Q", Picking, Quit, ""),
    bind("y", Asked, Yes, ""),
    bind("Enter", Asked, Yes, ""),
    bind("n", Asked, No, ""),
    bind("Esc", Asked, No, ""),
    bind("Ctrl-C", Asked, No, ""),
    bind("Ctrl-Z", Asked, Suspend, ""),
    bind("Ctrl-L", Asked, Redraw, ""),
    bind("Ctrl-Q", Asked, Yes, ""),
];

/// What a key does in a place.
pub(crate) fn action(key: KeyEvent, place: Place) -> Option<Action> {
    let name = name(key)?;
    let find = |place| BINDINGS.iter().find(|binding| binding.place == place && binding.key == name);
    let fallback = (place == Selecting).then_some(Typing);
    find(place).or_else(|| find(fallback?)).map(|binding| binding.action)
}

/// The character that a key types, if it types one.
pub(crate) fn typed(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c) if key.kind != KeyEventKind::Release && !c.is_control() => {
            // AltGr comes as Ctrl and Alt together on some terminals, and types.
            let held = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
            (held.is_empty() || held == KeyModifiers::CONTROL | KeyModifiers::ALT).then_some(c)
        }
        _ => None,
    }
}

/// The name of a key in the table.
fn name(key: KeyEvent) -> Option<String> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let word = match key.code {
        // What terminals send for Ctrl and the underscore or the slash.
        KeyCode::Char('7' | '/' | '_') if control && !alt => return Some("Ctrl-_".to_owned()),
        KeyCode::Char(c) if control && !alt => return Some(format!("Ctrl-{}", c.to_ascii_uppercase())),
        KeyCode::Char(c) if alt && !control => return Some(format!("Alt-{}", c.to_ascii_lowercase())),
        KeyCode::Char(c) => return Some(c.to_string()),
        KeyCode::BackTab => return Some("Shift-Tab".to_owned()),
        KeyCode::F(number) => return Some(format!("F{number}")),
        KeyCode::Enter => "Enter",
        KeyCode::Tab => "Tab",
        KeyCode::Esc => "Esc",
        KeyCode::Backspace => "Backspace",
        KeyCode::Delete => "Delete",
        KeyCode::Left => "Left",
        KeyCode::Right => "Right",
        KeyCode::Up => "Up",
        KeyCode::Down => "Down",
        KeyCode::Home => "Home",
        KeyCode::End => "End",
        KeyCode::PageUp => "PageUp",
        KeyCode::PageDown => "PageDown",
        _ => return None,
    };
    let held = if alt {
        "Alt-"
    } else if control {
        "Ctrl-"
    } else {
        ""
    };
    Some(format!("{held}{word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn each_key_has_one_meaning_in_a_place() {
        for (at, binding) in BINDINGS.iter().enumerate() {
            let same = |other: &&Binding| other.place == binding.place && other.key == binding.key;
            assert!(!BINDINGS[..at].iter().any(|other| same(&other)), "{} {:?}", binding.key, binding.place);
        }
    }

    #[test]
    fn keys_are_found_however_the_terminal_spells_them() {
        let (none, control, alt) = (KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::ALT);
        for (event, place, expected) in [
            (key(KeyCode::Char('k'), control), Typing, Some(Switcher)),
            (key(KeyCode::Char('A'), alt | KeyModifiers::SHIFT), Typing, Some(NextActive)),
            (key(KeyCode::Char('7'), control), Typing, Some(Undo)),
            (key(KeyCode::Char('3'), alt), Typing, Some(Room(3))),
            (key(KeyCode::Enter, alt), Typing, Some(Newline)),
            (key(KeyCode::BackTab, KeyModifiers::SHIFT), Typing, Some(CompleteBack)),
            (key(KeyCode::Char('e'), none), Typing, None),
            (key(KeyCode::Char('e'), none), Selecting, Some(EditSelected)),
            (key(KeyCode::PageUp, none), Selecting, Some(PageUp)),
            (key(KeyCode::Char('y'), none), Picking, None),
        ] {
            assert_eq!(action(event, place), expected, "{event:?}");
        }
    }

    #[test]
    fn what_is_held_down_decides_whether_a_key_types() {
        assert_eq!(typed(key(KeyCode::Char('é'), KeyModifiers::NONE)), Some('é'));
        assert_eq!(typed(key(KeyCode::Char('E'), KeyModifiers::SHIFT)), Some('E'));
        assert_eq!(typed(key(KeyCode::Char('@'), KeyModifiers::CONTROL | KeyModifiers::ALT)), Some('@'));
        assert_eq!(typed(key(KeyCode::Char('e'), KeyModifiers::CONTROL)), None);
        assert_eq!(typed(key(KeyCode::Char('e'), KeyModifiers::ALT)), None);
        assert_eq!(typed(key(KeyCode::Enter, KeyModifiers::NONE)), None);
    }
}
