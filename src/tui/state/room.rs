//! A room as the screen knows it: its log, where one looks, what one is typing there, and who else is there.

use super::chunk::{Chunk, Key, Note, NoteSort};
use super::members::Members;
use crate::client::Membership;
use crate::model::{RoomKind, RoomRole, Seq, Time};
use crate::tui::editor::{Editor, History};

/// Names a room on this screen. A room that gets another name keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RoomKey(pub(crate) u32);

impl RoomKey {
    /// No room at all.
    pub(crate) const HALL: RoomKey = RoomKey(0);
}

/// How many messages of a room are kept while one looks at its end, and how many where one looks elsewhere.
const KEPT: usize = 2000;
const KEPT_ELSEWHERE: usize = 500;
/// The longest that anybody is said to be typing without a new hint (the protocol says six seconds).
const TYPING_MS: i64 = 6_000;
/// How many who spoke and who type are remembered.
const MAX_SPEAKERS: usize = 200;
const MAX_TYPING: usize = 10;

/// The longest name that is kept; servers allow 64 characters.
const MAX_NAME_BYTES: usize = 512;
/// The longest topic that is kept; servers allow 512 bytes.
const MAX_TOPIC_CHARS: usize = 2000;

/// The longest sentence of a server that is kept.
const MAX_WORDS_BYTES: usize = 4096;

/// As much of what a server says as is kept: a sentence of a megabyte helps nobody.
pub(crate) fn cut(words: &str) -> &str {
    words.get(..words.floor_char_boundary(MAX_WORDS_BYTES)).unwrap_or(words)
}

/// Where in a room one looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scroll {
    /// At its end, and goes along with it.
    #[default]
    Bottom,
    /// The last row on the screen belongs to that place, and so many rows of it are below the edge.
    At { key: Key, hidden: usize },
}

/// What the input line is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Compose {
    /// A new message.
    #[default]
    Plain,
    /// A new message, in answer to that one.
    Reply(Seq),
    /// Another text for that message.
    Edit(Seq),
    /// A reaction to that message.
    React(Seq),
}

/// How far this session is in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its events come.
    Followed,
    /// Its events are asked for, or will be when there is a connection.
    Wanted,
    /// We are not in it yet; it was named at the start.
    Joining,
    /// A direct conversation in which nothing was said yet: it begins with the first message.
    Unborn,
    /// It is not open to us (any more); the sentence says why.
    Closed(String),
}

/// What a login says of what is unread in a room.
#[derive(Clone, Copy, Debug)]
struct Counts {
    head: Seq,
    read: Seq,
    unread: u64,
    mentions: u64,
}

/// A room as the screen knows it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) key: RoomKey,
    pub(crate) name: String,
    pub(crate) kind: Option<RoomKind>,
    pub(crate) topic: String,
    pub(crate) role: Option<RoomRole>,
    pub(crate) epoch: Option<String>,
    pub(crate) standing: Standing,
    /// The newest entry that has come.
    pub(crate) head: Seq,
    /// Up to where it was read, as the server knows it.
    pub(crate) read: Seq,
    /// Up to where the server has counted what is unread.
    pub(crate) counted: Seq,
    pub(crate) unread: u64,
    pub(crate) mentions: u64,
    /// When the oldest unread message came.
    pub(crate) unread_since: Option<Time>,
    /// What the login has said, until the room is followed: it holds where the room turns out to have begun anew.
    counts: Option<Counts>,
    /// The end of the room, where events arrive.
    pub(crate) live: Chunk,
    /// A stretch further back, while one looks there and it does not reach the end.
    pub(crate) back: Option<Chunk>,
    /// A page of history is on its way.
    pub(crate) loading: bool,
    /// A page could not be had: it is not asked for again before that.
    pub(crate) load_at: Time,
    /// A first page has come.
    pub(crate) loaded: bool,
    pub(crate) scroll: Scroll,
    /// What is behind this entry is new since one looked last.
    pub(crate) marker: Option<Seq>,
    /// The message that keys act on.
    pub(crate) selected: Option<Seq>,
    pub(crate) members: Members,
    speakers: Vec<String>,
    typing: Vec<(String, Time)>,
    pub(crate) editor: Editor,
    pub(crate) history: History,
    pub(crate) compose: Compose,
    /// When this user was said to be typing here.
    pub(crate) typed_at: Time,
}

impl Room {
    pub(crate) fn new(key: RoomKey, name: &str) -> Room {
        Room {
            key,
            name: name.to_owned(),
            kind: None,
            topic: String::new(),
            role: None,
            epoch: None,
            standing: Standing::Wanted,
            head: Seq::ZERO,
            read: Seq::ZERO,
            counted: Seq::ZERO,
            unread: 0,
            mentions: 0,
            unread_since: None,
            counts: None,
            live: Chunk::new(name),
            back: None,
            loading: false,
            load_at: Time::default(),
            loaded: false,
            scroll: Scroll::Bottom,
            marker: None,
            selected: None,
            members: Members::default(),
            speakers: Vec::new(),
            typing: Vec::new(),
            editor: Editor::new(),
            history: History::default(),
            compose: Compose::Plain,
            typed_at: Time::default(),
        }
    }

    /// Where one is while one is in no room, and can type all the same.
    pub(crate) fn hall() -> Room {
        let why = "you are in no room: /rooms lists them, /join ROOM comes in".to_owned();
        Room { standing: Standing::Closed(why), ..Room::new(RoomKey::HALL, "") }
    }

    /// A room that the login listed.
    pub(crate) fn of(key: RoomKey, membership: &Membership) -> Room {
        let mut room = Room::new(key, &membership.room);
        room.learn(membership);
        room
    }

    /// Whether a server may call a room that.
    pub(crate) fn is_name(name: &str) -> bool {
        !name.is_empty() && name.len() <= MAX_NAME_BYTES
    }

    /// It is about something else.
    pub(crate) fn set_topic(&mut self, topic: &str) {
        self.topic = topic.chars().take(MAX_TOPIC_CHARS).collect();
    }

    /// What changes when the room begins anew.
    pub(crate) fn set_epoch(&mut self, epoch: &str) {
        self.epoch = Some(epoch.to_owned()).filter(|epoch| epoch.len() <= MAX_NAME_BYTES);
    }

    /// How much is unread in it. Everything that is said to one alone is meant for one.
    pub(crate) fn count(&mut self, unread: u64, mentions: u64) {
        self.unread = unread;
        self.mentions = if self.is_direct() { unread } else { mentions };
        if unread == 0 {
            self.unread_since = None;
        }
    }

    /// Takes in what a login says of the room.
    pub(crate) fn learn(&mut self, membership: &Membership) {
        self.kind = membership.kind.known();
        self.set_topic(&membership.topic);
        self.role = membership.role.known();
        let Membership { head, read, unread, mentions, .. } = *membership;
        self.counts = Some(Counts { head, read, unread, mentions });
        // A mark that is still to be told is behind what the server knows, and so are its counts.
        if read >= self.read {
            (self.read, self.counted) = (read, head);
            self.count(unread, mentions);
        }
        if self.epoch.is_none() && self.standing != Standing::Joining {
            // It was never followed here: it goes on from where the login counted.
            self.head = head;
            self.live.more_before = head > Seq::ZERO;
        }
        if matches!(self.standing, Standing::Closed(_) | Standing::Unborn) {
            self.standing = Standing::Wanted;
        }
    }

    /// It is followed: what the login has said is old from here on.
    pub(crate) fn followed(&mut self) {
        self.standing = Standing::Followed;
        self.counts = None;
    }

    /// Whether it is a conversation of two.
    pub(crate) fn is_direct(&self) -> bool {
        self.name.starts_with('@')
    }

    /// Whether there is something to ask the server about it.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Followed | Standing::Wanted)
    }

    /// Why nothing can be said in it, where that is so.
    pub(crate) fn is_closed(&self) -> Option<String> {
        match &self.standing {
            Standing::Closed(why) if self.key == RoomKey::HALL => Some(why.clone()),
            Standing::Closed(why) => Some(format!("this room is closed to you: {why}")),
            _ => None,
        }
    }

    /// The stretch that is looked at.
    pub(crate) fn shown(&self) -> &Chunk {
        self.back.as_ref().unwrap_or(&self.live)
    }

    /// Whether the end of the room is what one sees.
    pub(crate) fn at_end(&self) -> bool {
        self.back.is_none() && self.scroll == Scroll::Bottom
    }

    /// Back to the end of the room.
    pub(crate) fn go_to_end(&mut self) {
        self.back = None;
        self.scroll = Scroll::Bottom;
    }

    /// It has another name.
    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.live.log.rename(name);
        if let Some(back) = &mut self.back {
            back.log.rename(name);
        }
    }

    /// Adds a line that only this screen is told.
    pub(crate) fn tell(&mut self, time: Time, sort: NoteSort, text: impl Into<String>) {
        let head = self.head;
        let text: String = text.into();
        self.live.tell(head, Note { time, text: cut(&text).to_owned(), sort });
    }

    /// What is remembered of its log is void.
    pub(crate) fn reset(&mut self, head: Seq) {
        let name = self.live.log.room().to_owned();
        self.live = Chunk::new(&name);
        self.live.more_before = head > Seq::ZERO;
        self.go_to_end();
        (self.head, self.read, self.counted) = (head, Seq::ZERO, Seq::ZERO);
        (self.unread, self.mentions, self.unread_since, self.marker, self.selected) = (0, 0, None, None, None);
        if let Some(counts) = self.counts {
            (self.read, self.counted) = (counts.read, counts.head);
            self.count(counts.unread, counts.mentions);
        }
        self.loaded = false;
        self.loading = false;
        self.compose = Compose::Plain;
    }

    /// Somebody said something.
    pub(crate) fn spoke(&mut self, name: &str) {
        if name.len() <= MAX_NAME_BYTES {
            self.speakers.retain(|speaker| speaker != name);
            self.speakers.insert(0, name.to_owned());
            self.speakers.truncate(MAX_SPEAKERS);
        }
        self.typing.retain(|(typist, _)| typist != name);
    }

    /// Those who spoke here, the last one first.
    pub(crate) fn speakers(&self) -> &[String] {
        &self.speakers
    }

    /// Somebody is typing.
    pub(crate) fn types(&mut self, name: &str, now: Time) {
        self.typing.retain(|(typist, _)| typist != name);
        if self.typing.len() < MAX_TYPING && name.len() <= MAX_NAME_BYTES {
            self.typing.push((name.to_owned(), Time(now.0.saturating_add(TYPING_MS))));
        }
    }

    /// Who is typing.
    pub(crate) fn typing(&self, now: Time) -> impl Iterator<Item = &str> {
        self.typing.iter().filter(move |(_, until)| *until > now).map(|(name, _)| name.as_str())
    }

    /// When the first of those who type has been silent for too long.
    pub(crate) fn typing_ends(&self, now: Time) -> Option<Time> {
        self.typing.iter().map(|(_, until)| *until).filter(|until| *until > now).min()
    }

    /// Forgets what nobody looks at and the server has, so that memory has a bound; `looked_at`: it is on the screen.
    pub(crate) fn trim(&mut self, looked_at: bool) {
        let most = if looked_at { KEPT } else { KEPT_ELSEWHERE };
        if !looked_at && self.back.is_some() {
            self.go_to_end();
        }
        if self.live.log.len() <= 2 * most && self.live.bytes() < 2 * most * 4096 {
            return;
        }
        if looked_at && self.back.is_none() && self.scroll != Scroll::Bottom {
            // One looks far back: that stays, as a stretch of its own.
            let mut back = self.live.clone();
            let below = match self.scroll {
                Scroll::At { key, .. } => back.log.range(..=key.seq).count(),
                Scroll::Bottom => back.log.len(),
            };
            back.keep_oldest(below + 200);
            back.keep_newest(most);
            // Without anything behind it, it would be a copy of the end that nothing arrives in.
            self.back = Some(back).filter(|back| back.more_after);
        }
        self.live.keep_newest(most);
    }

    /// Keeps as little of it as possible: there is too much in all.
    pub(crate) fn shrink(&mut self, count: usize) {
        self.live.keep_newest(count);
        if count == 0 {
            self.loaded = false;
        }
    }

    /// How much memory its log takes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.live.bytes() + self.back.as_ref().map_or(0, Chunk::bytes)
    }
}
