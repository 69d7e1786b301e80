//! What came of what was asked.

use super::chunk::{Chunk, Key, NoteSort};
use super::picker::{Choice, Pick, Picker};
use super::room::{Compose, Room, RoomKey, Scroll, Standing, cut};
use super::{AGAIN_MS, Connection, Overlay, PAGE, State};
use crate::client::{Event, Found, Hit, Joined, Page, Posted, ResumedRoom, RoomLine, Start};
use crate::model::{Anchor, Seq, Time};
use crate::protocol::Code;
use crate::tui::ask::{Answer, Ask, Deed, Trouble};
use crate::tui::timeline::local;

use super::outbox::Failure;

impl State {
    /// Takes in what came of what was asked.
    pub(super) fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Followed(_, Ok(rooms)) => rooms.iter().for_each(|room| self.followed(room)),
            Answer::Followed(names, Err(trouble)) => {
                if self.connection == Connection::Online {
                    self.error(format!("cannot follow {}: {}", names.first().map_or("", String::as_str), trouble.text));
                }
            }
            Answer::Joined { room, from, joined: Ok(joined) } => self.joined(&room, from, &joined),
            Answer::Joined { room, from, joined: Err(trouble) } => self.not_joined(&room, from, &trouble),
            Answer::Left(key, Ok(())) => self.left(key),
            Answer::Left(key, Err(trouble)) => match trouble.code {
                // It is gone already.
                Some(Code::NotAMember | Code::NoSuchRoom) => self.left(key),
                _ => self.error(trouble.text),
            },
            Answer::Page { key, anchor, page } => self.page(key, anchor, page),
            Answer::Names(key, names) => {
                let Some(room) = self.by_key(key) else { return };
                room.members.asking = false;
                // Where it failed, the next one who comes has it asked again.
                if let Ok(page) = names {
                    room.members.set(&page);
                }
            }
            Answer::Rooms(Ok(page)) => self.list_rooms(&page.rooms),
            Answer::Found { query, first, found: Ok(found) } => self.list_hits(query, first, &found),
            Answer::Read { key, mark: Ok(mark), .. } => {
                let Some(room) = self.by_key(key) else { return };
                room.read = room.read.max(mark.read);
                // What has come meanwhile is counted here already.
                if room.head <= mark.read || !room.loaded {
                    room.count(mark.unread, mark.mentions);
                }
            }
            Answer::Posted { id, posted } => self.posted(id, posted),
            Answer::Lag(lag) => {
                // An answer that comes after the connection was lost and found says nothing.
                if self.pinged.take().is_some() {
                    self.lag = lag;
                }
            }
            Answer::Done(deed, done) => self.done(deed, done),
            Answer::Rooms(Err(trouble)) | Answer::Found { found: Err(trouble), .. } => self.error(trouble.text),
            Answer::Read { key, seq, mark: Err(trouble) } => self.not_marked(key, seq, &trouble),
            Answer::Nothing => {}
        }
    }

    /// A read mark did not arrive. It is told again where that may help, for nobody reads the same once more.
    fn not_marked(&mut self, key: RoomKey, seq: Seq, trouble: &Trouble) {
        let is_passing = matches!(
            trouble.code,
            None | Some(Code::RateLimited | Code::StorageUnavailable | Code::Internal | Code::ShuttingDown)
        );
        if is_passing {
            let due = self.read_due.entry(key).or_default();
            *due = seq.max(*due);
            self.read_at = self.read_at.max(Time(self.now.0 + AGAIN_MS));
        }
    }

    fn followed(&mut self, answer: &ResumedRoom) {
        match answer {
            ResumedRoom::Followed(joined) => {
                self.stands(joined);
            }
            ResumedRoom::Refused { room, error, code } => {
                let now = self.now;
                let Some(room) = self.by_name(room) else { return };
                let why = if error.is_empty() { code.clone() } else { error.clone() };
                room.tell(now, NoteSort::Wrong, format!("this room is closed to you: {}", cut(&why)));
                let key = room.key;
                self.close(key, &why);
            }
        }
        self.load();
    }

    /// A room is followed now.
    fn stands(&mut self, joined: &Joined) -> Option<RoomKey> {
        // By its epoch, where it was renamed meanwhile.
        let was = self.rooms.iter().find(|room| room.epoch.as_deref() == Some(&joined.epoch));
        if let Some(was) = was.map(|room| room.name.clone()).filter(|was| *was != joined.room) {
            self.renamed(&was, &joined.room);
        }
        let key = self.open(&joined.room)?;
        let now = self.now;
        let room = self.by_key(key)?;
        // Whoever joins says of no epoch that they know it.
        if joined.reset || room.epoch.as_ref().is_some_and(|epoch| *epoch != joined.epoch) {
            room.reset(joined.head);
            if room.epoch.is_some() {
                room.tell(now, NoteSort::Wrong, "the room began anew");
            }
        }
        room.followed();
        room.set_epoch(&joined.epoch);
        room.kind = joined.kind.known();
        room.role = joined.role.known();
        room.set_topic(&joined.topic);
        if !room.loaded {
            room.live.more_before = joined.head > Seq::ZERO;
        }
        room.members.stale = true;
        Some(key)
    }

    fn joined(&mut self, asked: &str, from: Option<RoomKey>, joined: &Joined) {
        self.unite(asked, &joined.room);
        let Some(key) = self.stands(joined) else { return };
        if let Some(room) = self.by_key(key) {
            // It is followed from here on: what was known before it was left may have a gap behind it.
            if joined.head > room.head {
                room.reset(joined.head);
            }
            room.read = joined.read;
        }
        self.arrive(key, from);
        // What came before this answer was looked at.
        let (early, others): (Vec<Event>, Vec<Event>) =
            std::mem::take(&mut self.early).into_iter().partition(|event| is_of(event, &joined.room));
        self.early = others;
        for event in early {
            self.told(&event);
        }
    }

    /// A room that was asked for by a name is called otherwise by the server, which folds names: it is one room.
    fn unite(&mut self, asked: &str, name: &str) {
        let Some(placeholder) = self.by_name(asked).filter(|room| room.name != name).map(|room| room.key) else {
            return;
        };
        let Some(known) = self.by_name(name).map(|room| room.key) else {
            self.renamed(asked, name);
            return;
        };
        self.outbox.hand_over(placeholder, known);
        let draft = self.by_key(placeholder).map(|room| room.editor.take()).unwrap_or_default();
        self.rooms.retain(|room| room.key != placeholder);
        if self.current == placeholder {
            self.go(known);
        }
        if let Some(room) = self.by_key(known).filter(|room| room.editor.is_empty() && !draft.is_empty()) {
            room.editor.set(&draft);
        }
    }

    fn not_joined(&mut self, name: &str, from: Option<RoomKey>, trouble: &Trouble) {
        self.early.retain(|event| !is_of(event, name));
        if name.starts_with('@') && trouble.code == Some(Code::NoSuchRoom) {
            // Nothing was said in it yet: it begins with the first message.
            if let Some(key) = self.open(name) {
                if let Some(room) = self.by_key(key) {
                    room.standing = Standing::Unborn;
                }
                self.arrive(key, from);
            }
            return;
        }
        let hint = match trouble.code {
            Some(Code::NoSuchRoom) => format!(" (/create {name} makes one)"),
            _ => String::new(),
        };
        // What was lost on the way is asked again.
        if trouble.code.is_some()
            && let Some(room) = self.by_name(name).filter(|room| room.standing == Standing::Joining)
        {
            let key = room.key;
            self.close(key, &format!("{}{hint}", cut(&trouble.text)));
        }
        self.error(format!("{name}: {}{hint}", trouble.text));
    }

    /// A room was left: it is not on the screen any more, unless something was typed in it meanwhile.
    fn left(&mut self, key: RoomKey) {
        if !self.outbox.has_unsent(key) && self.by_key(key).is_none_or(|room| room.editor.text().trim().is_empty()) {
            self.forget(key);
            return;
        }
        let now = self.now;
        if let Some(room) = self.by_key(key) {
            room.role = None;
            room.tell(now, NoteSort::Wrong, "you left, and what you typed meanwhile is still here (/leave forgets it)");
        }
        self.close(key, "you left");
    }

    /// A room is not on the screen any more.
    fn forget(&mut self, key: RoomKey) {
        self.outbox.forget(key);
        let at = self.rooms.iter().position(|room| room.key == key).unwrap_or(0);
        self.rooms.retain(|room| room.key != key);
        if self.current == key {
            let previous = self.previous;
            let next = self.rooms.iter().find(|room| room.key == previous);
            let next = next.or_else(|| self.rooms.get(at)).or_else(|| self.rooms.last()).map(|room| room.key);
            match next {
                Some(next) => self.go(next),
                None => self.current = RoomKey::HALL,
            }
        }
    }

    fn page(&mut self, key: RoomKey, anchor: Anchor, page: Result<Page, Trouble>) {
        let again = Time(self.now.0 + AGAIN_MS);
        let page = match page {
            Ok(page) => page,
            Err(trouble) => {
                if let Some(room) = self.by_key(key) {
                    room.loading = false;
                    room.load_at = again;
                }
                if self.connection == Connection::Online {
                    self.error(format!("no older messages: {}", trouble.text));
                }
                return;
            }
        };
        let current = self.current;
        let Some(room) = self.by_key(key) else { return };
        room.loading = false;
        match anchor {
            Anchor::Newest => {
                room.live.add(&page);
                room.live.more_before = page.more;
                room.loaded = true;
                for name in page.messages.iter().map(|message| message.from.clone()).collect::<Vec<_>>() {
                    room.spoke(&name);
                }
                let newest = room.live.newest().map_or(Seq::ZERO, |key| key.seq);
                self.outbox.came(key, newest);
            }
            Anchor::Before(seq) => {
                let chunk = match &mut room.back {
                    Some(back) if back.first_message() == Some(seq) => back,
                    _ => &mut room.live,
                };
                if chunk.first_message() == Some(seq) {
                    chunk.add(&page);
                    // A server that says the same page twice has nothing older.
                    chunk.more_before = page.more && page.oldest.is_some_and(|oldest| oldest < seq);
                }
            }
            Anchor::After(seq) => {
                if let Some(back) = room.back.as_mut().filter(|back| back.last_message() == Some(seq)) {
                    back.add(&page);
                    back.more_after = page.more && page.newest.is_some_and(|newest| newest > seq);
                    reach(room);
                }
            }
            // Whoever has gone elsewhere meanwhile stays there.
            Anchor::Around(_) if key != current => {}
            Anchor::Around(seq) => {
                let mut back = Chunk::new(room.live.log.room());
                back.add(&page);
                back.more_before = page.oldest.is_some_and(|oldest| oldest > page.first);
                back.more_after = page.newest.is_some_and(|newest| newest < page.head);
                room.back = Some(back);
                reach(room);
                self.look_at_message(key, seq);
            }
        }
    }

    /// Has a message of the room in the middle of the screen, and selected.
    pub(super) fn look_at_message(&mut self, key: RoomKey, seq: Seq) {
        self.go(key);
        let (timeline, height) = self.past();
        let scroll = timeline.around(Key::entry(seq), height);
        let room = self.room_mut();
        room.scroll = scroll;
        room.selected = Some(seq).filter(|seq| room.shown().log.get(*seq).is_some());
    }

    fn posted(&mut self, id: u64, posted: Result<Posted, Failure>) {
        let now = self.now;
        let Some(key) = self.outbox.get(id).map(|outgoing| outgoing.room) else { return };
        match posted {
            Ok(posted) => {
                self.outbox.stored(id, posted.seq);
                let Some(room) = self.by_key(key) else { return };
                let newest = room.live.newest().map_or(Seq::ZERO, |key| key.seq);
                if room.standing == Standing::Unborn {
                    // Now there is such a conversation.
                    let start = Start::Since { seq: posted.seq.before(), epoch: None };
                    room.standing = Standing::Wanted;
                    room.head = posted.seq.before();
                    let room = room.name.clone();
                    self.ask(Ask::Join { room, start, from: None });
                }
                self.outbox.came(key, newest);
            }
            Err(failure) => {
                self.outbox.failed(id, failure, now);
                // It is not tried again where the room was closed meanwhile.
                if let Some(Standing::Closed(why)) = self.by_key(key).map(|room| room.standing.clone()) {
                    self.outbox.closed(key, &why);
                }
            }
        }
    }

    fn done(&mut self, deed: Deed, done: Result<(), Trouble>) {
        match (deed, done) {
            (Deed::Edit { key, target, text, .. }, Err(trouble)) => {
                // What was typed is not lost.
                if let Some(room) = self.by_key(key) {
                    if room.editor.is_empty() {
                        room.editor.set(&text);
                        room.compose = Compose::Edit(target);
                    } else {
                        room.history.push(&text);
                    }
                }
                self.error(format!("not edited: {}", trouble.text));
            }
            (_, Err(trouble)) => self.error(trouble.text),
            (Deed::Create { from, room, .. }, Ok(())) => {
                self.ask(Ask::Join { room, start: Start::Now, from: Some(from) });
            }
            (Deed::Invite { user, room, .. }, Ok(())) => self.say(format!("{user} is invited to {room}")),
            (Deed::Status { away, .. }, Ok(())) => {
                self.away = away;
                self.say(if away { "you are away; /back ends that" } else { "you are there again" });
            }
            (Deed::Block { user }, Ok(())) => {
                self.say(format!("you hear nothing more of {user}; /unblock {user} ends that"))
            }
            (Deed::Unblock { user }, Ok(())) => self.say(format!("you hear {user} again")),
            (_, Ok(())) => {}
        }
    }

    fn list_rooms(&mut self, rooms: &[RoomLine]) {
        let choices = rooms.iter().map(|room| {
            let mark = if room.joined { '*' } else { ' ' };
            let detail = format!("{mark} {} of {} online  {}", room.online, room.members, room.topic);
            Choice::new(&room.room, detail, Pick::Join(room.room.clone()))
        });
        let picker = Picker::filtered("rooms: * are yours, Enter goes in", choices.collect());
        self.overlay = Some(Overlay::Picker(picker));
    }

    fn list_hits(&mut self, query: String, first: bool, found: &Found) {
        let mut choices: Vec<Choice> = found.messages.iter().take(PAGE as usize).map(|hit| self.hit(hit)).collect();
        if let (true, Some(after)) = (found.more, found.next) {
            choices.push(Choice::new("more …", "", Pick::More { query: query.clone(), after }));
        }
        match &mut self.overlay {
            Some(Overlay::Picker(picker)) if !first => picker.extend(choices),
            // The list was closed before this came.
            _ if !first => {}
            _ if choices.is_empty() => self.say(format!("nothing was found for {query}")),
            _ => {
                let picker = Picker::plain(format!("found for {query}: Enter goes there"), choices);
                self.overlay = Some(Overlay::Picker(picker));
            }
        }
    }

    fn hit(&self, hit: &Hit) -> Choice {
        let message = &hit.message;
        let text = if hit.snippet.is_empty() { &message.text } else { &hit.snippet };
        let when = local(message.time, &self.zone, "%Y-%m-%d %H:%M");
        let said = format!("{}: {}", message.from, text.replace(['\n', '\t'], " "));
        Choice::new(
            said,
            format!("{}  {when}", message.room),
            Pick::Jump { room: message.room.clone(), seq: message.seq },
        )
    }
}

fn is_of(event: &Event, name: &str) -> bool {
    event.entry().is_some_and(|(room, _)| room == name)
}

/// A stretch in the past that has come to touch the end of the room is one with it.
pub(super) fn reach(room: &mut Room) {
    let touches = room.back.as_ref().is_some_and(|back| {
        let last = back.last_message();
        // What is live begins where nothing older was left out, or with a message that both have.
        !back.more_after || room.live.first_message().is_some_and(|first| last.is_some_and(|last| last >= first))
    });
    if touches && let Some(back) = room.back.take() {
        room.live.absorb(back);
        if let Scroll::At { key, hidden: 0 } = room.scroll
            && room.live.after(Some(key)).next().is_none()
        {
            room.scroll = Scroll::Bottom;
        }
    }
}
