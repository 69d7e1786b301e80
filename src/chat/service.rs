//! The chat as a whole: what all sessions share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::chat::figures::Counters;
use crate::chat::flood::Rate;
use crate::chat::happenings::{Feed, ServerEvents};
use crate::chat::hooks::Host;
use crate::chat::limits::Options;
use crate::chat::online::{Online, Person, Status};
use crate::chat::orders::{Order, Orders};
use crate::chat::password::Passwords;
use crate::chat::publish::Publisher;
use crate::chat::requests::direct;
use crate::chat::room::Room;
use crate::chat::rooms::Rooms;
use crate::chat::session::{Origin, Session, unavailable};
use crate::chat::standing::Standing;
use crate::chat::throttle::{Attempts, ByOrigin};
use crate::model::{Clock, Epoch, Level, Line, RoomKind, RoomName, RoomRole, Seq, Settings, UserId};
use crate::protocol::{Hint, Refusal};
use crate::store::{Act, Change, Created, Done, NewRoom, Side, Store, StoreError, StoredRoom, Write};

/// How many more requests than messages a user may send.
const OTHERS_PER_MESSAGE: u32 = 10;

/// A room with more followers than this hears nothing of who comes and goes: telling everybody of everybody is work that
/// grows with the square of the crowd, and `names` says it to who wants to know.
const MOST_TOLD_OF_PRESENCE: usize = 128;

/// The chat as a whole.
pub struct Chat {
    options: RwLock<Arc<Options>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rooms: Rooms,
    pub(super) online: Online,
    pub(super) passwords: Passwords,
    pub(super) attempts: Attempts,
    /// Accounts that are made.
    pub(super) registrations: ByOrigin,
    pub(super) standing: Standing,
    pub(super) orders: Orders,
    /// There is something to tidy up.
    pub(super) upkeep: Notify,
    /// A room keeps its entries for another time than it did when this was looked at last.
    pub(super) ages_changed: AtomicBool,
    pub(super) started: Instant,
    pub(super) counters: Counters,
    /// The program that the chat lives in, if it has something to say.
    pub(super) host: Option<Arc<Host>>,
    pub(super) feed: Arc<Feed>,
    /// Where the publisher hears who wants to know whether it is still there.
    ask_publisher: mpsc::Sender<oneshot::Sender<()>>,
    stamps: AtomicU64,
    sessions: AtomicU64,
}

impl Chat {
    /// Opens the rooms of a store, and makes those that are to exist from the first start. The publisher has to be run.
    ///
    /// # Errors
    /// What the store says; or that its commits are taken by another chat.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Arc<Chat>, Publisher), StoreError> {
        Chat::open_in(None, store, clock, options).await
    }

    /// The same, in a program that has hooks.
    ///
    /// # Errors
    /// As [`Chat::open`].
    pub async fn open_in(
        host: Option<Host>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<(Arc<Chat>, Publisher), StoreError> {
        let settled =
            store.settled().ok_or_else(|| StoreError::unavailable("the store serves another chat already"))?;
        let (ask_publisher, asked) = mpsc::channel(1);
        let chat = Arc::new(Chat {
            options: RwLock::new(Arc::new(options)),
            store,
            clock,
            rooms: Rooms::default(),
            online: Online::default(),
            passwords: Passwords::new(),
            attempts: Attempts::default(),
            registrations: ByOrigin::default(),
            standing: Standing::default(),
            orders: Orders::default(),
            upkeep: Notify::new(),
            ages_changed: AtomicBool::default(),
            started: Instant::now(),
            counters: Counters::default(),
            host: host.map(Arc::new),
            feed: Arc::default(),
            ask_publisher,
            stamps: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
        });
        chat.standing.load(chat.store.standing().await?);
        for stored in chat.store.rooms().await? {
            // Accounts are members as they were stored: who was deleted is none.
            let guests = stored.sides.iter().flatten().filter(|side| side.user.is_guest()).cloned();
            let guests: Vec<Side> = guests.collect();
            let room = chat.rooms.add(Room::new(stored));
            direct::seat(&chat, &room, &guests);
        }
        for name in &chat.options().default_rooms {
            if chat.rooms.named(name).is_none() {
                chat.create(NewRoom { name: name.clone(), ..chat.new_room(RoomKind::Public) }).await?;
            }
        }
        let publisher = Publisher::new(Arc::clone(&chat), settled, asked);
        Ok((chat, publisher))
    }

    /// A new session, of nobody yet.
    pub fn session(self: &Arc<Chat>, origin: Origin) -> Arc<Session> {
        Arc::new(Session::new(Arc::clone(self), origin))
    }

    /// The options that hold.
    pub fn options(&self) -> Arc<Options> {
        Arc::clone(&self.options.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other options hold from now on, for who is here too. Which names users may have, and which rooms there are from the
    /// first start, was settled at the start.
    pub fn set_options(&self, options: Options) {
        let mut held = self.options.write().unwrap_or_else(PoisonError::into_inner);
        let (names, default_rooms) = (held.names, held.default_rooms.clone());
        *held = Arc::new(Options { names, default_rooms, ..options });
        drop(held);
        // What is kept for less long than before goes.
        self.ages_changed.store(true, Ordering::Release);
        self.upkeep.notify_one();
    }

    /// What admins ask of whoever runs the chat; only the first who takes them gets them.
    pub fn take_orders(&self) -> Option<mpsc::Receiver<Order>> {
        self.orders.take()
    }

    /// What happens from now on.
    pub fn events(&self) -> ServerEvents {
        self.feed.listen()
    }

    /// The program that the chat lives in, if it has hooks. Somebody has to have it listen.
    pub fn host(&self) -> Option<Arc<Host>> {
        self.host.clone()
    }

    /// How many sessions there are in which somebody is logged in.
    pub fn sessions(&self) -> usize {
        self.online.everybody().iter().map(|person| person.sessions()).sum()
    }

    /// How far an admin has closed the server.
    pub fn level(&self) -> Level {
        self.standing.level()
    }

    /// A room that is about to be made, without a name, topic or owner yet.
    pub(super) fn new_room(&self, kind: RoomKind) -> NewRoom {
        NewRoom {
            name: RoomName::trusted(""),
            kind,
            topic: "".into(),
            // A random word; where there is no randomness, the time still tells epochs apart.
            epoch: Epoch(format!("{:016x}", getrandom::u64().unwrap_or(self.clock.now().0 as u64)).into()),
            owner: None,
            sides: None,
            time: self.clock.now(),
        }
    }

    /// Makes a room, unless there is one of that name.
    pub(super) async fn create(&self, new: NewRoom) -> Result<Created<Arc<Room>>, StoreError> {
        let bytes = new.name.as_str().len() + new.topic.len();
        let created = self.write(bytes, |done| Write::CreateRoom(new.clone(), done)).await?;
        Ok(match created {
            Created::Taken | Created::NotInvited => {
                let known = |name: &RoomName| new.sides.is_none() && self.rooms.named(name).is_some();
                if !known(&new.name) {
                    // Made by a commit that only seemed to fail; or somebody else has just begun the same conversation.
                    let stored = self.store.rooms().await?.into_iter().filter(|stored| stored.name == new.name);
                    stored.for_each(|stored| drop(self.rooms.add(Room::new(stored))));
                }
                Created::Taken
            }
            Created::New(id) => {
                let topic = Line::trusted(new.topic);
                let room = self.rooms.add(Room::new(StoredRoom {
                    id,
                    name: new.name,
                    settings: Settings { kind: new.kind, topic, ..Settings::default() },
                    epoch: new.epoch,
                    first: Seq(1),
                    head: Seq::ZERO,
                    heir: None,
                    sides: new.sides.clone(),
                    members: Vec::new(),
                    bans: Vec::new(),
                    mutes: Vec::new(),
                    invited: Vec::new(),
                }));
                if let Some(owner) = new.owner {
                    room.ledger().state.add_first(owner, RoomRole::Owner);
                }
                Created::New(room)
            }
        })
    }

    /// Has a change written that is no entry, and waits for its commit.
    ///
    /// # Errors
    /// What the store says, as it is told to whoever asked.
    pub(super) async fn change(&self, change: Change) -> Result<u64, Refusal> {
        self.write(0, |done| Write::Change(Box::new(change), done)).await.map_err(|error| unavailable(&error))
    }

    /// What somebody did who may, to be remembered.
    pub(super) fn act(&self, by: &Person, act: &str, room: Option<&Room>, target: &str, detail: &str) -> Box<Act> {
        Box::new(Act {
            time: self.clock.now(),
            by: by.user.name.shared(),
            act: act.into(),
            room: room.map(|room| room.id),
            room_name: room.map(|room| room.name().as_str().into()).unwrap_or_default(),
            target: target.into(),
            detail: detail.into(),
        })
    }

    /// Has something written that is no entry, and waits for its commit.
    pub(super) async fn write<T>(&self, bytes: usize, write: impl FnOnce(Done<T>) -> Write) -> Result<T, StoreError> {
        let place = self.store.queue().reserve(bytes).await?;
        let (done, outcome) = oneshot::channel();
        self.store.queue().push(place, write(done)).map_err(|_| StoreError::Closed)?;
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Goes through the queue and the writer, and back.
    ///
    /// # Errors
    /// Nothing could be stored now.
    pub async fn ask_writer(&self) -> Result<(), StoreError> {
        self.write(0, Write::Probe).await
    }

    /// Has a reader look something up.
    ///
    /// # Errors
    /// Nothing can be read now.
    pub async fn ask_reader(&self) -> Result<(), StoreError> {
        self.store.is_taken("").await.map(|_| ())
    }

    /// Has the publisher answer, and look whether the rooms can be had.
    ///
    /// # Errors
    /// It is not there any more.
    pub async fn ask_publisher(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.ask_publisher.send(answer).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)
    }

    /// A session of this user ends; where it was the last, the user is offline. Ends a guest's memberships, but not its
    /// direct conversations: it may come back to them.
    pub(super) fn depart(&self, person: &Arc<Person>, session: &Session) {
        let guest = person.user.is_guest();
        if guest {
            // Before the name is free: who takes it next must not find the guest still there.
            for room in person.rooms().iter().filter(|room| !room.is_direct()) {
                let mut ledger = room.ledger();
                // Asked under the room's lock: a guest that has come back on another connection is made a member after
                // that, or not taken away here.
                let gone = person.has_only(session) && ledger.state.remove_guest(person.user.id);
                drop(ledger);
                if gone {
                    self.tell_presence(room, person, false);
                }
            }
        }
        if self.online.leave(person, session, Instant::now(), &self.feed) {
            for room in person.rooms().iter().filter(|room| !guest || room.is_direct()) {
                self.refresh_presence(room, person);
            }
            if !guest {
                self.note_seen(person);
            }
        }
    }

    /// Remembers when an account was online last.
    fn note_seen(&self, person: &Person) {
        self.note(Change::Seen { user: person.user.id, time: self.clock.now() });
    }

    /// Has something written that nobody waits for, and that is let be where the queue is full.
    pub(super) fn note(&self, change: Change) {
        if let Some(place) = self.store.queue().try_reserve(0) {
            let (done, _) = oneshot::channel();
            let _ = self.store.queue().push(place, Write::Change(Box::new(change), done));
        }
    }

    /// What was to happen to somebody in a room was taken back, and meanwhile it may have come or gone.
    pub(super) fn review(&self, room: &Arc<Room>, user: UserId) {
        match self.online.known(user) {
            Some(person) if !user.is_guest() || self.online.is_here(&person) => self.refresh_presence(room, &person),
            _ => {
                let mut ledger = room.ledger();
                if ledger.state.is_guest_member(user) && !room.is_direct() {
                    ledger.state.remove_guest(user);
                } else {
                    ledger.state.set_online(user, false);
                }
            }
        }
    }

    /// Somebody was put out of a room by an entry, or has left: its sessions are told so behind that entry.
    pub(super) fn put_out(&self, room: &Arc<Room>, user: UserId, seq: Seq, change: &'static str, reason: Option<Line>) {
        let farewell = Hint::Removed { room: room.name_for(user), seq, change, reason };
        // Whoever follows without being known any more has just gone, and is not sent anything either.
        for session in room.followed_by(user) {
            session.put_out(room, seq, farewell.clone());
        }
        let Some(person) = self.online.known(user) else { return };
        // A guest may be in again by now.
        let is_in = {
            let ledger = room.ledger();
            !ledger.state.gone && ledger.state.role(user).is_some()
        };
        if !is_in {
            person.remove_room(room.id);
        }
        for session in person.open_sessions().iter().filter(|session| !session.follows(room)) {
            session.put_out(room, seq, farewell.clone());
        }
    }

    /// Something was added to a direct conversation: sessions of the two that do not follow it are told so.
    pub(super) fn announce_direct(&self, room: &Arc<Room>) {
        let head = room.told_head();
        for side in room.sides.iter().flatten() {
            let Some(person) = self.online.known(side.user) else { continue };
            for session in person.open_sessions().iter().filter(|session| !session.follows(room)) {
                session.hint(Hint::Invited { room: room.name_for(side.user), head, by: None });
            }
        }
    }

    /// Makes the room know whether a member is online. Whoever comes last is right, for the question is asked under the
    /// room's lock.
    pub(super) fn refresh_presence(&self, room: &Arc<Room>, person: &Arc<Person>) {
        let mut ledger = room.ledger();
        let online = self.online.is_here(person);
        let news = ledger.state.set_online(person.user.id, online);
        drop(ledger);
        if news {
            self.tell_presence(room, person, online);
        }
    }

    /// Tells who follows a room that somebody came or went.
    pub(super) fn tell_presence(&self, room: &Room, person: &Person, online: bool) {
        let Status { away, text } = if online { person.status() } else { Status::default() };
        let hint = Hint::Presence { user: person.user.name.shared(), online, away, text };
        for session in audience(room, person) {
            session.hint(hint.clone());
        }
    }

    /// Tells who follows a room that a guest is no member any more, but not those who share another room with it: it is
    /// still there.
    pub(super) fn tell_parting(&self, room: &Room, guest: &Person) {
        let hint = Hint::Presence { user: guest.user.name.shared(), online: false, away: false, text: None };
        let shared = guest.rooms();
        for session in audience(room, guest) {
            if !shared.iter().any(|room| session.follows(room)) {
                session.hint(hint.clone());
            }
        }
    }

    /// Tells everybody who follows a room with somebody what that one says of being there; each session once.
    pub(super) fn tell_status(&self, person: &Person) {
        let Status { away, text } = person.status();
        let hint = Hint::Presence { user: person.user.name.shared(), online: true, away, text };
        // A session that follows several of the rooms has the later hint replace the earlier one.
        for session in person.rooms().iter().flat_map(|room| audience(room, person)) {
            session.hint(hint.clone());
        }
    }

    /// Tells who follows a room that somebody is typing.
    pub(super) fn tell_typing(&self, room: &Room, person: &Person) {
        for session in audience(room, person) {
            let room = session.viewer().map_or_else(|| room.name(), |viewer| room.name_for(viewer));
            session.hint(Hint::Typing { room, user: person.user.name.shared() });
        }
    }

    /// How fast messages may be sent.
    pub(super) fn talk_rate(&self) -> Rate {
        let limits = &self.options().limits;
        Rate::per_second(limits.messages_per_second, limits.message_burst)
    }

    /// How fast everything else may be asked.
    pub(super) fn other_rate(&self) -> Rate {
        let limits = &self.options().limits;
        let times = |count: u32| count.saturating_mul(OTHERS_PER_MESSAGE);
        Rate::per_second(times(limits.messages_per_second), times(limits.message_burst))
    }

    /// A number that was not given before.
    pub(super) fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1 << 32, Ordering::Relaxed)
    }

    /// The number of the next session.
    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether guests of an earlier run may still come back with their tokens.
    pub(super) fn is_young(&self, within: Duration) -> bool {
        self.started.elapsed() < within
    }
}

/// The others who follow a room and are told who is there; nobody in a big one.
fn audience(room: &Room, person: &Person) -> Vec<Arc<Session>> {
    let live = room.live();
    if live.followers.len() > MOST_TOLD_OF_PRESENCE {
        return Vec::new();
    }
    let others = live.followers.iter().filter(|follower| follower.user != person.user.id);
    others.map(|follower| Arc::clone(&follower.session)).collect()
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
