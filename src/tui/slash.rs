//! The commands, as one table: how each is written, what it does, and what can be completed behind it. An unknown word is an
//! error and never a message; a line that is to begin with a slash begins with two.

use std::time::Duration;

use super::complete::Argument;
use crate::client::Sanction;
use crate::model::{RoomKind, RoomRole};

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// To be said.
    Say(String),
    /// To be done.
    Do(Command),
    /// Neither: the sentence says what is wrong with it.
    Wrong(String),
}

/// A command, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help(Option<String>),
    Join(String),
    Leave,
    Message { user: String, text: String },
    Me(String),
    Topic(Option<String>),
    Names,
    Rooms,
    Search(String),
    Reply(String),
    React(String),
    Delete(Option<String>),
    Create { room: String, kind: RoomKind },
    Rename(String),
    Kind(RoomKind),
    DeleteRoom(String),
    Invite { user: String, reason: Option<String> },
    Kick { user: String, reason: Option<String> },
    Ban { user: String, sanction: Sanction },
    Unban(String),
    Mute { user: String, sanction: Sanction },
    Unmute(String),
    Role { user: String, role: RoomRole },
    Away(Option<String>),
    Back,
    Block(String),
    Unblock(String),
    Notice(String),
    Read,
    Retry,
    Discard,
    Reconnect,
    Quit,
}

/// How a command is written.
pub(crate) struct Spec {
    pub(crate) word: &'static str,
    /// What stands behind it.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    /// What can be completed behind it.
    pub(crate) argument: Argument,
    read: fn(&str) -> Option<Command>,
}

const fn spec(
    word: &'static str,
    usage: &'static str,
    about: &'static str,
    argument: Argument,
    read: fn(&str) -> Option<Command>,
) -> Spec {
    Spec { word, usage, about, argument, read }
}

use Argument::{Nick, Nothing, Room, Text};

/// All of them, in the order of the help.
pub(crate) const COMMANDS: &[Spec] = &[
    spec("help", "[COMMAND]", "the keys and commands, or one command", Argument::Command, |rest| {
        Some(Command::Help(some(rest)))
    }),
    spec("join", "ROOM", "come into a room, or go to it", Room, |rest| one(rest).map(Command::Join)),
    spec("leave", "", "leave the room for good (its membership ends)", Nothing, |rest| nothing(rest, Command::Leave)),
    spec("msg", "NAME [TEXT]", "talk with somebody alone", Nick, |rest| {
        let (user, text) = first(rest)?;
        Some(Command::Message { user: bare(user), text: text.to_owned() })
    }),
    spec("me", "TEXT", "tell a deed: /me waves", Text, |rest| some(rest).map(Command::Me)),
    spec("topic", "[TEXT]", "say what the room is about, or show it", Text, |rest| Some(Command::Topic(some(rest)))),
    spec("names", "", "show or hide the members", Nothing, |rest| nothing(rest, Command::Names)),
    spec("rooms", "", "list the rooms, and go into one", Nothing, |rest| nothing(rest, Command::Rooms)),
    spec(
        "search",
        "WORDS",
        "find messages: \"a phrase\" -without from:NAME in:ROOM before:DAY after:DAY has:link",
        Text,
        |rest| some(rest).map(Command::Search),
    ),
    spec("reply", "TEXT", "answer the selected message, or the newest", Text, |rest| some(rest).map(Command::Reply)),
    spec("react", "EMOJI", "react to the selected message, or the newest: /react :tada:", Text, |rest| {
        one(rest).map(Command::React)
    }),
    spec("delete", "[REASON]", "take the selected message back, or your newest", Text, |rest| {
        Some(Command::Delete(some(rest)))
    }),
    spec("create", "ROOM [public|private|announce]", "make a room", Text, |rest| {
        let (room, kind) = first(rest)?;
        let kind = if kind.is_empty() { RoomKind::Public } else { kind_of(kind)? };
        Some(Command::Create { room: room.to_owned(), kind })
    }),
    spec("rename", "NAME", "give the room another name", Text, |rest| one(rest).map(Command::Rename)),
    spec("kind", "public|private|announce", "say who finds the room and who may speak", Text, |rest| {
        kind_of(rest).map(Command::Kind)
    }),
    spec("delete-room", "NAME", "delete the room and all that was said in it (its name, to be sure)", Room, |rest| {
        one(rest).map(Command::DeleteRoom)
    }),
    spec("invite", "NAME [REASON]", "let somebody in", Nick, |rest| {
        let (user, reason) = first(rest)?;
        Some(Command::Invite { user: bare(user), reason: some(reason) })
    }),
    spec("kick", "NAME [REASON]", "put somebody out", Nick, |rest| {
        let (user, reason) = first(rest)?;
        Some(Command::Kick { user: bare(user), reason: some(reason) })
    }),
    spec("ban", "NAME [TIME] [REASON]", "put somebody out and keep them out: /ban mallory 2h shouting", Nick, |rest| {
        let (user, rest) = first(rest)?;
        Some(Command::Ban { user: bare(user), sanction: sanction(rest) })
    }),
    spec("unban", "NAME", "end a ban", Nick, |rest| one(rest).map(|user| Command::Unban(bare(&user)))),
    spec("mute", "NAME [TIME] [REASON]", "let somebody say nothing: /mute mallory 10m", Nick, |rest| {
        let (user, rest) = first(rest)?;
        Some(Command::Mute { user: bare(user), sanction: sanction(rest) })
    }),
    spec("unmute", "NAME", "let them speak again", Nick, |rest| one(rest).map(|user| Command::Unmute(bare(&user)))),
    spec("role", "NAME owner|moderator|member", "give a member another role", Nick, |rest| {
        let (user, role) = first(rest)?;
        Some(Command::Role { user: bare(user), role: RoomRole::parse(role)? })
    }),
    spec("away", "[TEXT]", "say that you are not there", Text, |rest| Some(Command::Away(some(rest)))),
    spec("back", "", "say that you are there again", Nothing, |rest| nothing(rest, Command::Back)),
    spec("block", "NAME", "hear nothing more of somebody", Nick, |rest| {
        one(rest).map(|user| Command::Block(bare(&user)))
    }),
    spec("unblock", "NAME", "hear them again", Nick, |rest| one(rest).map(|user| Command::Unblock(bare(&user)))),
    spec("notice", "TEXT", "tell everybody on the server (admins)", Text, |rest| some(rest).map(Command::Notice)),
    spec("read", "", "mark every room as read", Nothing, |rest| nothing(rest, Command::Read)),
    spec("retry", "", "send again what was not sent here", Nothing, |rest| nothing(rest, Command::Retry)),
    spec("discard", "", "throw away what was not sent here", Nothing, |rest| nothing(rest, Command::Discard)),
    spec("reconnect", "", "do not wait: try now to get the connection back", Nothing, |rest| {
        nothing(rest, Command::Reconnect)
    }),
    spec("quit", "", "leave", Nothing, |rest| nothing(rest, Command::Quit)),
];

/// The command of that word.
pub(crate) fn find(word: &str) -> Option<&'static Spec> {
    let word = word.strip_prefix('/').unwrap_or(word);
    COMMANDS.iter().find(|spec| spec.word.eq_ignore_ascii_case(word))
}

/// Reads a line.
pub(crate) fn read(line: &str) -> Line {
    let Some(rest) = line.strip_prefix('/') else { return Line::Say(line.to_owned()) };
    if rest.starts_with('/') {
        return Line::Say(rest.to_owned());
    }
    let (word, rest) = first(rest).unwrap_or(("", ""));
    let Some(spec) = find(word).filter(|_| !line.starts_with("/ ")) else {
        return Line::Wrong(format!(
            "there is no command /{word}; /help lists them, and a message that begins with / begins with //"
        ));
    };
    match (spec.read)(rest) {
        Some(command) => Line::Do(command),
        None => Line::Wrong(format!("it is written /{} {}", spec.word, spec.usage).trim_end().to_owned()),
    }
}

/// The first word, and what stands behind it.
fn first(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (!word.is_empty()).then_some((word, rest.trim_start()))
}

fn one(text: &str) -> Option<String> {
    first(text).filter(|(_, rest)| rest.is_empty()).map(|(word, _)| word.to_owned())
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn nothing(text: &str, command: Command) -> Option<Command> {
    text.trim().is_empty().then_some(command)
}

/// A name, also where it was written as a mention.
fn bare(name: &str) -> String {
    name.strip_prefix('@').unwrap_or(name).trim_end_matches([':', ',']).to_owned()
}

fn kind_of(word: &str) -> Option<RoomKind> {
    [RoomKind::Public, RoomKind::Private, RoomKind::Announce].into_iter().find(|kind| kind.as_str() == word.trim())
}

/// A time, if there is one, and a reason.
fn sanction(text: &str) -> Sanction {
    let (lasting, reason) = match first(text) {
        Some((word, rest)) => match duration(word) {
            Some(lasting) => (Some(lasting), rest),
            None => (None, text),
        },
        None => (None, ""),
    };
    Sanction { reason: some(reason), lasting }
}

fn duration(word: &str) -> Option<Duration> {
    let (number, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_or_done_or_wrong_and_never_the_other() {
        assert_eq!(read("hello /join"), Line::Say("hello /join".to_owned()));
        assert_eq!(read("//etc/hosts"), Line::Say("/etc/hosts".to_owned()));
        for line in
            ["/nonsense", "/", "/ join lobby", "/joined lobby", "/join", "/join a b", "/quit now", "/role ann king"]
        {
            assert!(matches!(read(line), Line::Wrong(_)), "{line}");
        }
    }

    #[test]
    fn commands_are_read_with_what_stands_behind_them() {
        let command = |line| match read(line) {
            Line::Do(command) => command,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(command("/JOIN  lobby "), Command::Join("lobby".to_owned()));
        assert_eq!(command("/me waves  twice"), Command::Me("waves  twice".to_owned()));
        assert_eq!(
            command("/msg @ann: hi there"),
            Command::Message { user: "ann".to_owned(), text: "hi there".to_owned() }
        );
        let sanction = Sanction::new().reason("too loud").lasting(Duration::from_secs(7200));
        assert_eq!(command("/ban mallory 2h too loud"), Command::Ban { user: "mallory".to_owned(), sanction });
        let sanction = Sanction::new().reason("2 loud");
        assert_eq!(command("/mute mallory 2 loud"), Command::Mute { user: "mallory".to_owned(), sanction });
        assert_eq!(command("/topic"), Command::Topic(None));
        assert_eq!(command("/create den private"), Command::Create { room: "den".to_owned(), kind: RoomKind::Private });
    }

    #[test]
    fn each_command_is_there_once_and_says_what_it_does() {
        for (at, spec) in COMMANDS.iter().enumerate() {
            assert!(!COMMANDS[..at].iter().any(|other| other.word == spec.word), "{}", spec.word);
            assert!(!spec.about.is_empty());
        }
    }
}
