//! The chat as a whole: what all sessions share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::chat::flood::Rate;
use crate::chat::limits::Options;
use crate::chat::online::{Online, Person};
use crate::chat::password::Passwords;
use crate::chat::publish::Publisher;
use crate::chat::room::Room;
use crate::chat::rooms::Rooms;
use crate::chat::session::{Origin, Session};
use crate::chat::throttle::{Attempts, Registrations};
use crate::model::{Clock, Epoch, Line, RoomKind, RoomName, Seq, Settings, UserId};
use crate::protocol::Hint;
use crate::store::{Created, Done, NewRoom, Store, StoreError, StoredRoom, Write};

/// How many more requests than messages a user may send.
const OTHERS_PER_MESSAGE: u32 = 10;

/// A room with more followers than this hears nothing of who comes and goes: telling everybody of everybody is work that
/// grows with the square of the crowd, and `names` says it to who wants to know.
const MOST_TOLD_OF_PRESENCE: usize = 128;

/// The chat as a whole.
pub struct Chat {
    pub(super) options: Options,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rooms: Rooms,
    pub(super) online: Online,
    pub(super) passwords: Passwords,
    pub(super) attempts: Attempts,
    pub(super) registrations: Registrations,
    pub(super) started: Instant,
    stamps: AtomicU64,
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
        let settled =
            store.settled().ok_or_else(|| StoreError::unavailable("the store serves another chat already"))?;
        let chat = Arc::new(Chat {
            options,
            store,
            clock,
            rooms: Rooms::default(),
            online: Online::default(),
            passwords: Passwords::new(),
            attempts: Attempts::default(),
            registrations: Registrations::default(),
            started: Instant::now(),
            stamps: AtomicU64::new(0),
        });
        for stored in chat.store.rooms().await? {
            chat.rooms.add(Room::new(stored));
        }
        for name in &chat.options.default_rooms {
            if chat.rooms.named(name).is_none() {
                chat.create(name, RoomKind::Public, "", None).await?;
            }
        }
        let publisher = Publisher::new(Arc::clone(&chat), settled);
        Ok((chat, publisher))
    }

    /// A new session, of nobody yet.
    pub fn session(self: &Arc<Chat>, origin: Origin) -> Arc<Session> {
        Arc::new(Session::new(Arc::clone(self), origin))
    }

    /// The options that hold.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Makes a room, unless there is one of that name.
    pub(super) async fn create(
        &self,
        name: &RoomName,
        kind: RoomKind,
        topic: &str,
        owner: Option<UserId>,
    ) -> Result<Created<Arc<Room>>, StoreError> {
        let new = NewRoom {
            name: name.clone(),
            kind,
            topic: topic.into(),
            // A random word; where there is no randomness, the time still tells epochs apart.
            epoch: Epoch(format!("{:016x}", getrandom::u64().unwrap_or(self.clock.now().0 as u64)).into()),
            owner,
            sides: None,
            time: self.clock.now(),
        };
        let created =
            self.write(name.as_str().len() + topic.len(), |done| Write::CreateRoom(new.clone(), done)).await?;
        Ok(match created {
            Created::Taken | Created::NotInvited => {
                if self.rooms.named(name).is_none() {
                    // Made by a commit that only seemed to fail.
                    let stored = self.store.rooms().await?.into_iter().filter(|stored| stored.name == *name);
                    stored.for_each(|stored| drop(self.rooms.add(Room::new(stored))));
                }
                Created::Taken
            }
            Created::New(id) => {
                let (name, epoch) = (name.clone(), new.epoch);
                let settings = Settings { kind, topic: Line::trusted(topic), ..Settings::default() };
                let (first, head, members) = (Seq(1), Seq::ZERO, Vec::new());
                let room = self.rooms.add(Room::new(StoredRoom {
                    id,
                    name,
                    settings,
                    epoch,
                    first,
                    head,
                    heir: None,
                    sides: None,
                    members,
                    bans: Vec::new(),
                    mutes: Vec::new(),
                    invited: Vec::new(),
                }));
                if let Some(owner) = owner {
                    room.ledger().state.add_owner(owner);
                }
                Created::New(room)
            }
        })
    }

    /// Has something written that is no entry, and waits for its commit.
    pub(super) async fn write<T>(&self, bytes: usize, write: impl FnOnce(Done<T>) -> Write) -> Result<T, StoreError> {
        let place = self.store.queue().reserve(bytes).await?;
        let (done, outcome) = oneshot::channel();
        self.store.queue().push(place, write(done)).map_err(|_| StoreError::Closed)?;
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    /// A session of this user ends; where it was the last, the user is offline. Ends a guest's memberships.
    pub(super) fn depart(&self, person: &Arc<Person>, session: &Session) {
        let guest = person.user.is_guest();
        if guest {
            // Before the name is free: who takes it next must not find the guest still there.
            for room in person.rooms() {
                let mut ledger = room.ledger();
                // Asked under the room's lock: a guest that has come back on another connection is made a member after
                // that, or not taken away here.
                let gone = person.has_only(session) && ledger.state.remove_guest(person.user.id);
                drop(ledger);
                if gone {
                    self.tell_presence(&room, person, false);
                }
            }
        }
        if self.online.leave(person, session, Instant::now()) && !guest {
            for room in person.rooms() {
                self.refresh_presence(&room, person);
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
        let live = room.live();
        if live.followers.len() > MOST_TOLD_OF_PRESENCE {
            return;
        }
        let others = live.followers.iter().filter(|follower| follower.user != person.user.id);
        let sessions: Vec<Arc<Session>> = others.map(|follower| Arc::clone(&follower.session)).collect();
        drop(live);
        for session in sessions {
            session.hint(Hint::Presence { user: person.user.name.shared(), online, away: false, text: None });
        }
    }

    /// How fast messages may be sent.
    pub(super) fn talk_rate(&self) -> Rate {
        Rate::per_second(self.options.limits.messages_per_second, self.options.limits.message_burst)
    }

    /// How fast everything else may be asked.
    pub(super) fn other_rate(&self) -> Rate {
        let limits = &self.options.limits;
        let times = |count: u32| count.saturating_mul(OTHERS_PER_MESSAGE);
        Rate::per_second(times(limits.messages_per_second), times(limits.message_burst))
    }

    /// A number that was not given before.
    pub(super) fn stamp(&self) -> u64 {
        self.stamps.fetch_add(1 << 32, Ordering::Relaxed)
    }

    /// Whether guests of an earlier run may still come back with their tokens.
    pub(super) fn is_young(&self, within: Duration) -> bool {
        self.started.elapsed() < within
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
