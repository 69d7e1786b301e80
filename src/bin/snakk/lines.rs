//! Line mode: what standard input says is sent, what others say is printed. It is for pipes, for screen readers, and
//! for terminals that can do nothing else.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use snakk::Client;
use snakk::client::{Draft, Event, Events, Removed, RoomChanged};

use crate::commands::{is_unknown, list_names, list_rooms};
use crate::directs::Directs;
use crate::failure::{Failure, describe};
use crate::input::Lines;
use crate::login;
use crate::setup::Connection;
use crate::show::{self, Stamp, note, plain, print, print_json};

/// The commands, for `/help` and for whoever mistypes one.
const COMMANDS: [(&str, &str); 7] = [
    ("/join ROOM", "talk in a room, too"),
    ("/leave", "leave the room"),
    ("/rooms", "list the rooms"),
    ("/names", "list the members of the room"),
    ("/me TEXT", "tell a deed"),
    ("/quit", "end"),
    ("/help", "list these; a line that is to begin with / begins with //"),
];

/// The most own messages whose entries are awaited; the oldest is given up before memory is.
const MAX_SAID: usize = 1000;

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Say(&'a str),
    Do(&'a str),
    Join(&'a str),
    Leave,
    Rooms,
    Names,
    Quit,
    Help,
    Wrong(&'a str),
}

impl Line<'_> {
    fn parse(line: &str) -> Line<'_> {
        let Some(rest) = line.strip_prefix('/') else { return Line::Say(line) };
        if rest.starts_with('/') {
            return Line::Say(rest);
        }
        let (word, argument) = rest.split_once(' ').unwrap_or((rest, ""));
        match (word, argument.trim()) {
            ("join", room) if !room.is_empty() && !room.contains(' ') => Line::Join(room),
            ("leave", "") => Line::Leave,
            ("rooms", "") => Line::Rooms,
            ("names", "") => Line::Names,
            ("me", deed) if !deed.is_empty() => Line::Do(deed),
            ("quit", "") => Line::Quit,
            ("help", "") => Line::Help,
            _ => Line::Wrong(word),
        }
    }
}

/// What both halves know: who types, and who prints.
#[derive(Default)]
struct Shared {
    /// The rooms that were joined, the one that is talked in last.
    rooms: Vec<String>,
    /// What was said here and has not come back as an entry yet: it stands on the screen already.
    said: VecDeque<(String, String)>,
}

type Talk = Arc<Mutex<Shared>>;

/// Talks until standard input ends.
pub(crate) async fn run(connection: &Connection, room: &str) -> Result<(), Failure> {
    let client = login::connect(connection).await?;
    let events = client.events();
    // From this login on: what is said while the connection is lost in the midst of entering the room counts as missed.
    let directs = Directs::new(&client);
    let talk = Talk::default();
    let by_hand = io::stdin().is_terminal();
    if by_hand {
        let hello = client.hello();
        match (hello.motd.as_str(), connection.json) {
            ("", _) => {}
            (motd, true) => note(&plain(motd)),
            (motd, false) => print(&plain(motd))?,
        }
        let name = client.username().unwrap_or_default();
        note(&format!("you are {} on {}; /help helps", plain(&name), plain(&connection.server)));
    }
    enter(&client, &talk, room).await?;
    let told = tell(connection, client.clone(), events, directs, Arc::clone(&talk));
    let typist = Typist { client: &client, talk: &talk, json: connection.json };
    let outcome = tokio::select! {
        outcome = typist.type_lines(by_hand) => outcome,
        outcome = told => outcome,
    };
    login::leave(client).await;
    outcome
}

/// The half that listens: prints what happens.
async fn tell(
    connection: &Connection,
    client: Client,
    mut events: Events,
    mut directs: Directs,
    talk: Talk,
) -> Result<(), Failure> {
    loop {
        let event = tokio::select! {
            biased;
            event = events.next() => match event {
                Some(event) => event,
                None => break,
            },
            () = directs.joined() => continue,
        };
        directs.told(&event);
        match &event {
            Event::Disconnected { reason, retry_in: Some(_) } => {
                note(&format!("{}; reconnecting", plain(reason)));
            }
            Event::Disconnected { reason, .. } => {
                return Err(Failure::new(Failure::UNAVAILABLE, plain(reason)));
            }
            Event::Connected { .. } => {
                note("connected again");
                directs.missed();
            }
            Event::Shutdown { reason, .. } => note(&format!("the session ends ({})", plain(reason))),
            Event::Resumed(rooms) => {
                for room in rooms {
                    for place in lock(&talk).rooms.iter_mut().filter(|place| Some(&**place) == room.was.as_ref()) {
                        place.clone_from(&room.room);
                    }
                    match &room.refused {
                        Some(refusal) => note(&format!("{}: {}", plain(&room.room), plain(refusal))),
                        None if room.reset => note(&format!("{} began anew while we were away", plain(&room.room))),
                        None => {}
                    }
                }
            }
            Event::Removed(removed) => leave_behind(&talk, removed),
            // What is said to one alone is printed like everything else.
            Event::Invited(invited) if directs.hear(&invited.room, invited.head.before(), invited.head) => {}
            Event::Invited(invited) => {
                let room = plain(&invited.room);
                let by = invited.from.as_deref().map(|from| format!(" by {}", plain(from))).unwrap_or_default();
                note(&format!("you are invited{by}; /join {room}"));
            }
            Event::Notice { text } => note(&format!("notice: {}", plain(text))),
            _ => {}
        }
        if let Event::Room(change) = &event {
            rename(&talk, change);
        }
        if connection.json {
            if let Some(json) = event.json() {
                print_json(json)?;
            }
        } else if !is_own(&client, &talk, &event)
            && let Some(line) = show::entry(&event, Stamp::Short)
        {
            print(&in_room(&talk, &event, line))?;
        }
    }
    Err(Failure::new(Failure::UNAVAILABLE, "the connection was lost"))
}

/// A room was closed to us: it is not talked in any more.
fn leave_behind(talk: &Talk, removed: &Removed) {
    let mut shared = lock(talk);
    let before = shared.rooms.len();
    shared.rooms.retain(|room| *room != removed.room);
    // Who has left by their own will knows it.
    if shared.rooms.len() < before {
        let why = removed.reason.as_deref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        note(&format!("{} is closed to you ({}){why}", plain(&removed.room), plain(&removed.change)));
    }
}

/// A room has another name: what is typed goes there.
fn rename(talk: &Talk, change: &RoomChanged) {
    let (Some(name), Some(was)) = (&change.name, &change.was) else { return };
    for room in lock(talk).rooms.iter_mut().filter(|room| *room == was) {
        room.clone_from(name);
    }
}

/// Whether this is the entry of what was typed here. The same user may also talk elsewhere, and that is shown.
fn is_own(client: &Client, talk: &Talk, event: &Event) -> bool {
    let Event::Message(message) = event else { return false };
    if client.username().as_deref() != Some(message.from.as_str()) {
        return false;
    }
    let mut shared = lock(talk);
    let found = shared.said.iter().position(|(room, text)| *room == message.room && *text == message.text);
    found.and_then(|at| shared.said.remove(at)).is_some()
}

/// With several rooms, a line says where it was said; and so does one from elsewhere.
fn in_room(talk: &Talk, event: &Event, line: String) -> String {
    let Some((room, _)) = event.entry() else { return line };
    match lock(talk).rooms.as_slice() {
        [only] if only == room => line,
        _ => format!("[{}] {line}", plain(room)),
    }
}

/// The half that types: does what the lines of standard input say, one after the other.
struct Typist<'t> {
    client: &'t Client,
    talk: &'t Talk,
    json: bool,
}

impl Typist<'_> {
    async fn type_lines(&self, by_hand: bool) -> Result<(), Failure> {
        let mut lines = Lines::new();
        let mut worst: Option<Failure> = None;
        while let Some(line) = lines.next().await? {
            if line == "/quit" {
                break;
            }
            if let Err(failure) = self.obey(Line::parse(&line)).await {
                match by_hand {
                    // Whoever sees it can do something about it.
                    true => drop(failure.report()),
                    false => worst = Some(worse(worst, failure)),
                }
            }
        }
        worst.map_or(Ok(()), Err)
    }

    async fn obey(&self, line: Line<'_>) -> Result<(), Failure> {
        let Typist { client, talk, json } = *self;
        let room = lock(talk).rooms.last().cloned();
        let here = || room.clone().ok_or_else(|| Failure::new(Failure::USAGE, "you are in no room; /join ROOM"));
        match line {
            Line::Say(text) => say(client, talk, Draft::new(here()?, text)).await?,
            Line::Do(deed) => say(client, talk, Draft { action: true, ..Draft::new(here()?, deed) }).await?,
            Line::Join(room) => enter(client, talk, room).await?,
            Line::Leave => {
                let room = here()?;
                client.leave(&room).await?;
                let mut shared = lock(talk);
                shared.rooms.retain(|other| *other != room);
                match shared.rooms.last() {
                    Some(room) => note(&format!("in {}", plain(room))),
                    None => note("in no room; /join ROOM"),
                }
            }
            Line::Rooms => list_rooms(client, json).await?,
            Line::Names => list_names(client, Some(&here()?), json).await?,
            Line::Help => {
                for (usage, about) in COMMANDS {
                    let line = format!("{usage:<12} {about}");
                    match json {
                        true => note(&line),
                        false => print(&line)?,
                    }
                }
            }
            Line::Quit => {}
            Line::Wrong(word) => {
                let usage = COMMANDS.iter().map(|(usage, _)| *usage);
                let usage =
                    usage.clone().find(|usage| usage.get(1..).unwrap_or_default().split(' ').next() == Some(word));
                let why = match usage {
                    Some(usage) => format!("this is written {usage}"),
                    None => {
                        format!("there is no command /{}; /help lists them, // begins a message with /", plain(word))
                    }
                };
                return Err(Failure::new(Failure::USAGE, why));
            }
        }
        Ok(())
    }
}

/// In a pipe nobody sees a failure when it happens: it is reported, and what is unknown outweighs what was refused.
fn worse(before: Option<Failure>, now: Failure) -> Failure {
    match before {
        Some(before) if before.code() >= now.code() => {
            now.report();
            before
        }
        Some(before) => {
            before.report();
            now
        }
        None => now,
    }
}

async fn say(client: &Client, talk: &Talk, draft: Draft) -> Result<(), Failure> {
    let said = (draft.room.clone(), draft.text.clone());
    {
        let mut shared = lock(talk);
        shared.said.push_back(said.clone());
        if shared.said.len() > MAX_SAID {
            shared.said.pop_front();
        }
    }
    let Err(error) = client.post(draft).await else { return Ok(()) };
    if is_unknown(&error) {
        return Err(Failure::new(
            Failure::UNKNOWN,
            format!("not acknowledged, it may be stored: {}", describe(&error)),
        ));
    }
    lock(talk).said.retain(|other| *other != said);
    Err(error.into())
}

async fn enter(client: &Client, talk: &Talk, room: &str) -> Result<(), Failure> {
    let joined = client.join(room).await?;
    let mut shared = lock(talk);
    shared.rooms.retain(|other| *other != joined.room);
    let topic = if joined.topic.is_empty() { String::new() } else { format!(": {}", plain(&joined.topic)) };
    note(&format!("in {}{topic}", plain(&joined.room)));
    shared.rooms.push(joined.room);
    Ok(())
}

fn lock(talk: &Talk) -> std::sync::MutexGuard<'_, Shared> {
    talk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_or_a_command_and_never_both() {
        let cases = [
            ("hello", Line::Say("hello")),
            (" /quit", Line::Say(" /quit")),
            ("//etc/passwd", Line::Say("/etc/passwd")),
            ("/me  waves ", Line::Do("waves")),
            ("/join dev", Line::Join("dev")),
            ("/join", Line::Wrong("join")),
            ("/join a b", Line::Wrong("join")),
            ("/me", Line::Wrong("me")),
            ("/quit now", Line::Wrong("quit")),
            ("/quit", Line::Quit),
            ("/password hunter2", Line::Wrong("password")),
            ("/", Line::Wrong("")),
        ];
        for (line, meant) in cases {
            assert_eq!(Line::parse(line), meant, "{line}");
        }
    }
}
