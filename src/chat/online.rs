//! Who is online, and under which names.
//!
//! One table of everybody, by the skeleton of the name, so that nobody can come in under a name that is in use or looks
//! like one. A name is claimed here before the store is asked whether an account has it, which makes claiming and asking
//! one step as others see it.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::chat::floods::Floods;
use crate::chat::happenings::{Feed, Happening};
use crate::chat::room::{Asker, Room};
use crate::chat::session::Session;
use crate::model::{Line, RoomId, Seq, ServerRole, Time, User, UserId, Username};
use crate::protocol::Code;

/// How long a guest who is gone may come back with the token.
pub(crate) const GUEST_RETURN: Duration = Duration::from_secs(600);

/// What whoever runs the server is called, where it is remembered what was done: a name that is reserved for nobody.
pub(crate) const OPERATOR: &str = "snakkd";
/// Its number, which no account and no guest has.
const NOBODY: UserId = UserId(0);

/// How many guests who are gone are remembered, so that a crowd that comes and goes cannot fill the memory.
const MOST_DEPARTED: usize = 10_000;

/// How many accounts' flood control is remembered before those are forgotten that need not be.
const MOST_FLOODS: usize = 10_000;

/// Somebody who is online, or a guest who was a short while ago.
pub(crate) struct Person {
    /// Who it is. (For the role see [`Person::role`].)
    pub(crate) user: User,
    admin: AtomicBool,
    /// Nothing more is done in this user's name: it is being put out of the server, and may have requests under way.
    barred: AtomicBool,
    /// What all sessions of this user share of flood control.
    flood: Arc<Mutex<Floods>>,
    /// What all names have in common that look like this one.
    pub(crate) skeleton: Box<str>,
    /// The look of the name as it is written, where that is not the skeleton.
    look: Option<Box<str>>,
    here: Mutex<Here>,
}

/// Whether somebody is there, as it was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    /// Not at the moment.
    pub(crate) away: bool,
    /// What there is to say about that.
    pub(crate) text: Option<Line>,
}

#[derive(Default)]
struct Here {
    sessions: Vec<Weak<Session>>,
    /// Where this user is a member.
    rooms: Vec<Place>,
    status: Status,
    /// In which rooms this user was typing, and when.
    typing: Vec<(RoomId, Instant)>,
    /// It was told that this user is online.
    told: bool,
}

/// A room that somebody is a member of.
struct Place {
    room: Arc<Room>,
    /// The first entry of the membership, of a guest.
    joined: Seq,
    /// Up to where it was read.
    read: Seq,
}

impl Person {
    /// Somebody who is about to come online.
    fn new(user: User, skeleton: Box<str>, flood: Arc<Mutex<Floods>>) -> Person {
        let admin = AtomicBool::new(user.role == ServerRole::Admin);
        let look = Some(user.name.look().into_boxed_str()).filter(|look| **look != *skeleton);
        Person { user, admin, barred: AtomicBool::new(false), skeleton, look, flood, here: Mutex::default() }
    }

    /// Whoever runs the server: an admin who is in no table, so that nobody can look it up, mention it or put it out.
    pub(crate) fn operator() -> Person {
        let name = Username::trusted(OPERATOR, OPERATOR);
        let user = User { id: NOBODY, name, role: ServerRole::Admin };
        Person::new(user, OPERATOR.into(), Arc::default())
    }

    /// Whether this is whoever runs the server.
    pub(crate) fn is_operator(&self) -> bool {
        self.user.id == NOBODY
    }

    /// The role on the server, as it is now.
    pub(crate) fn role(&self) -> ServerRole {
        if self.admin.load(Ordering::Acquire) { ServerRole::Admin } else { ServerRole::User }
    }

    /// Gives this user another role on the server.
    pub(crate) fn set_role(&self, role: ServerRole) {
        self.admin.store(role == ServerRole::Admin, Ordering::Release);
    }

    /// Says whether anything more is done in this user's name.
    pub(crate) fn set_barred(&self, barred: bool) {
        self.barred.store(barred, Ordering::Release);
    }

    /// This user, who wants something now.
    pub(crate) fn asks(&self, now: Time) -> Asker<'_> {
        let barred = self.barred.load(Ordering::Acquire);
        Asker { id: self.user.id, skeleton: &self.skeleton, look: self.look(), role: self.role(), barred, now }
    }

    /// What all names have in common that look like this one as it is written.
    pub(crate) fn look(&self) -> &str {
        self.look.as_deref().unwrap_or(&self.skeleton)
    }

    /// The sessions that are open.
    pub(crate) fn open_sessions(&self) -> Vec<Arc<Session>> {
        self.here().sessions.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether this user is there, as it said.
    pub(crate) fn status(&self) -> Status {
        self.here().status.clone()
    }

    /// Says whether this user is there. True if that is news.
    pub(crate) fn set_status(&self, status: Status) -> bool {
        let mut here = self.here();
        let news = here.status != status;
        here.status = status;
        news
    }

    /// This user is typing. True if that was not told within the last so long.
    pub(crate) fn types(&self, room: RoomId, now: Instant, pause: Duration) -> bool {
        let mut here = self.here();
        here.typing.retain(|(_, at)| now.saturating_duration_since(*at) < pause);
        let news = !here.typing.iter().any(|(known, _)| *known == room);
        if news {
            here.typing.push((room, now));
        }
        news
    }

    /// What this user has left of what it may send.
    pub(crate) fn floods(&self) -> MutexGuard<'_, Floods> {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this user has left of what it may send, for whoever comes next on the same connection.
    pub(crate) fn shared_floods(&self) -> Arc<Mutex<Floods>> {
        Arc::clone(&self.flood)
    }

    /// Whether no other session of this user is open.
    pub(crate) fn has_only(&self, session: &Session) -> bool {
        self.here().sessions.iter().all(|known| known.as_ptr() == std::ptr::from_ref(session))
    }

    /// How many sessions this user has.
    pub(crate) fn sessions(&self) -> usize {
        self.here().sessions.len()
    }

    /// The rooms that this user is a member of.
    pub(crate) fn rooms(&self) -> Vec<Arc<Room>> {
        self.here().rooms.iter().map(|place| Arc::clone(&place.room)).collect()
    }

    /// This user is a member of a room now.
    pub(crate) fn add_room(&self, room: &Arc<Room>, read: Seq) {
        let mut here = self.here();
        if !here.rooms.iter().any(|place| place.room.id == room.id) {
            here.rooms.reserve_exact(1);
            here.rooms.push(Place { room: Arc::clone(room), joined: read.next(), read });
        }
    }

    /// From where on a guest has been a member of a room.
    pub(crate) fn joined(&self, room: RoomId) -> Seq {
        self.place(room, |place| place.joined)
    }

    /// Up to where this user has read a room.
    pub(crate) fn read(&self, room: RoomId) -> Seq {
        self.place(room, |place| place.read)
    }

    /// This user has read a room up to an entry. Never goes back; says up to where it has read now.
    pub(crate) fn note_read(&self, room: RoomId, seq: Seq) -> Seq {
        match self.here().rooms.iter_mut().find(|place| place.room.id == room) {
            Some(place) => {
                place.read = place.read.max(seq);
                place.read
            }
            None => seq,
        }
    }

    fn place<T: Default>(&self, room: RoomId, read: impl FnOnce(&Place) -> T) -> T {
        self.here().rooms.iter().find(|place| place.room.id == room).map(read).unwrap_or_default()
    }

    /// This user is a member of a room no more.
    pub(crate) fn remove_room(&self, room: RoomId) {
        self.here().rooms.retain(|place| place.room.id != room);
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nothing of it is spent.
fn is_full(floods: &Mutex<Floods>, now: Instant) -> bool {
    floods.lock().unwrap_or_else(PoisonError::into_inner).is_full(now)
}

/// Everybody who is online.
#[derive(Default)]
pub(crate) struct Online {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    holders: HashMap<Box<str>, Holder>,
    /// How many of those who are here have a look that is not their skeleton, by that look.
    looks: HashMap<Box<str>, u32>,
    /// Everybody who is here, and guests who may come back.
    by_id: HashMap<UserId, Arc<Person>>,
    /// Guests who cannot come back any more, until somebody has tidied up after them.
    ended: Vec<UserId>,
    /// Guests who are gone, oldest first.
    departed: VecDeque<(Instant, Arc<Person>)>,
    /// What accounts have left of what they may send, until that is all again: a new login does not fill it up.
    floods: HashMap<UserId, Arc<Mutex<Floods>>>,
}

enum Holder {
    /// Somebody is about to come in under this name.
    Claimed,
    Here(Arc<Person>),
    /// A guest who may come back; until then the name is free.
    Departed(Arc<Person>, Instant),
}

/// A name that nobody else can come in under while this lives.
pub(crate) struct Claim<'a> {
    online: &'a Online,
    skeleton: Option<Box<str>>,
    /// The guest whose name it was; has it still if nobody comes in.
    displaced: Option<Holder>,
}

/// What became of a guest's token.
pub(crate) enum Return {
    /// The guest is back, with what it had. A session of its that was still open is closed by the caller.
    Back(Arc<Person>, Vec<Arc<Session>>),
    /// Somebody is about to come in under the name.
    Taken,
    /// Somebody else has, or has had, the name since.
    TooLate,
    /// Nobody has the name, and the guest is not remembered.
    Unknown,
}

impl Online {
    /// Claims a name for a newcomer, with the look of it as it is written.
    ///
    /// # Errors
    /// `name_taken`
    pub(crate) fn claim(&self, skeleton: String, look: &str, now: Instant) -> Result<Claim<'_>, Code> {
        let mut table = self.table();
        table.forget_departed(now);
        let skeleton = skeleton.into_boxed_str();
        let in_use = |look: &str| {
            let held = matches!(table.holders.get(look), Some(Holder::Claimed | Holder::Here(_)));
            held || table.looks.contains_key(look)
        };
        if in_use(&skeleton) || in_use(look) {
            return Err(Code::NameTaken);
        }
        let displaced = table.holders.insert(skeleton.clone(), Holder::Claimed);
        Ok(Claim { online: self, skeleton: Some(skeleton), displaced })
    }

    /// An account's session comes online.
    ///
    /// # Errors
    /// `too_many_sessions`; or `name_taken`, by a guest who came in under a name that looks like this one.
    pub(crate) fn enter(
        &self,
        user: User,
        skeleton: String,
        session: &Arc<Session>,
        most: u32,
    ) -> Result<Arc<Person>, Code> {
        let mut table = self.table();
        let skeleton = skeleton.into_boxed_str();
        if let Some(Holder::Here(person)) = table.holders.get(&skeleton) {
            if person.user.id != user.id {
                return Err(Code::NameTaken);
            }
            let mut here = person.here();
            if most > 0 && here.sessions.len() >= most as usize {
                return Err(Code::TooManySessions);
            }
            here.sessions.push(Arc::downgrade(session));
            drop(here);
            return Ok(Arc::clone(person));
        }
        let flood = Arc::clone(table.floods.entry(user.id).or_default());
        let person = Arc::new(Person::new(user, skeleton.clone(), flood));
        person.here().sessions.push(Arc::downgrade(session));
        table.by_id.insert(person.user.id, Arc::clone(&person));
        if let Some(Holder::Departed(guest, _)) = table.seat(&person) {
            table.end(guest.user.id);
        }
        Ok(person)
    }

    /// A guest shows the token of its last login.
    pub(crate) fn come_back(&self, id: UserId, skeleton: &str, session: &Arc<Session>, now: Instant) -> Return {
        let mut table = self.table();
        table.forget_departed(now);
        let person = match table.holders.get(skeleton) {
            None => return Return::Unknown,
            Some(Holder::Here(person) | Holder::Departed(person, _)) if person.user.id == id => Arc::clone(person),
            Some(Holder::Claimed) => return Return::Taken,
            Some(Holder::Here(_) | Holder::Departed(..)) => return Return::TooLate,
        };
        let old = mem::replace(&mut person.here().sessions, vec![Arc::downgrade(session)]);
        table.seat(&person);
        table.by_id.insert(id, Arc::clone(&person));
        person.set_barred(false);
        Return::Back(person, old.iter().filter_map(Weak::upgrade).collect())
    }

    /// Somebody has come in for good, which is told unless it is known. (Under the lock of the table, as the opposite is:
    /// so both are told in the order in which they happened.)
    pub(crate) fn arrive(&self, person: &Arc<Person>, feed: &Feed) {
        let table = self.table();
        let is_here =
            matches!(table.holders.get(&person.skeleton), Some(Holder::Here(known)) if Arc::ptr_eq(known, person));
        if is_here && !mem::replace(&mut person.here().told, true) {
            let (username, guest) = (person.user.name.as_str().to_owned(), person.user.is_guest());
            feed.tell(|| vec![Happening::Online { username, guest }]);
        }
    }

    /// A session of this user ends. True if it was the last one, so that the user is offline now.
    pub(crate) fn leave(&self, person: &Arc<Person>, session: &Session, now: Instant, feed: &Feed) -> bool {
        let mut table = self.table();
        let mut here = person.here();
        here.sessions.retain(|known| known.as_ptr() != std::ptr::from_ref(session));
        if !here.sessions.is_empty() {
            return false;
        }
        here.sessions = Vec::new();
        // A guest may come back, but is there then.
        here.status = Status::default();
        let told = mem::take(&mut here.told);
        drop(here);
        match table.holders.get(&person.skeleton) {
            Some(Holder::Here(known)) if Arc::ptr_eq(known, person) => {}
            _ => return false,
        }
        table.unseat(person);
        if told {
            let (username, guest) = (person.user.name.as_str().to_owned(), person.user.is_guest());
            feed.tell(|| vec![Happening::Offline { username, guest }]);
        }
        if person.user.is_guest() {
            let until = now + GUEST_RETURN;
            table.holders.insert(person.skeleton.clone(), Holder::Departed(Arc::clone(person), until));
            table.departed.push_back((until, Arc::clone(person)));
        } else {
            table.holders.remove(&person.skeleton);
            table.by_id.remove(&person.user.id);
            if table.floods.len() > MOST_FLOODS {
                table.floods.retain(|_, floods| Arc::strong_count(floods) > 1 || !is_full(floods, now));
            } else if is_full(&person.flood, now) {
                table.floods.remove(&person.user.id);
            }
        }
        true
    }

    /// Whether somebody is online.
    pub(crate) fn is_here(&self, person: &Arc<Person>) -> bool {
        matches!(self.table().holders.get(&person.skeleton), Some(Holder::Here(known)) if known.user.id == person.user.id)
    }

    /// Somebody who is online, or a guest who may come back.
    pub(crate) fn known(&self, id: UserId) -> Option<Arc<Person>> {
        self.table().by_id.get(&id).cloned()
    }

    /// Whoever is online under a name, or was as a guest and may come back.
    pub(crate) fn named(&self, name: &Username) -> Option<Arc<Person>> {
        match self.table().holders.get(&*name.skeleton()) {
            Some(Holder::Here(person) | Holder::Departed(person, _)) if person.user.name == *name => {
                Some(Arc::clone(person))
            }
            _ => None,
        }
    }

    /// Whoever is online under a name that looks like that, or was as a guest and may come back.
    pub(crate) fn holding(&self, skeleton: &str) -> Option<Arc<Person>> {
        match self.table().holders.get(skeleton) {
            Some(Holder::Here(person) | Holder::Departed(person, _)) => Some(Arc::clone(person)),
            Some(Holder::Claimed) | None => None,
        }
    }

    /// Everybody who is online, in no order.
    pub(crate) fn everybody(&self) -> Vec<Arc<Person>> {
        let table = self.table();
        let here = table.holders.values().filter_map(|holder| match holder {
            Holder::Here(person) => Some(Arc::clone(person)),
            Holder::Claimed | Holder::Departed(..) => None,
        });
        here.collect()
    }

    /// How many are online: accounts, and guests.
    pub(crate) fn count(&self) -> (usize, usize) {
        let (mut accounts, mut guests) = (0, 0);
        for holder in self.table().holders.values() {
            if let Holder::Here(person) = holder {
                *(if person.user.is_guest() { &mut guests } else { &mut accounts }) += 1;
            }
        }
        (accounts, guests)
    }

    /// Whether there are guests who cannot come back any more.
    pub(crate) fn has_ended(&self) -> bool {
        !self.table().ended.is_empty()
    }

    /// Guests who cannot come back any more, each once.
    pub(crate) fn take_ended(&self, now: Instant) -> Vec<UserId> {
        let mut table = self.table();
        table.forget_departed(now);
        mem::take(&mut table.ended)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Somebody is here. Gives what was known of the name before.
    fn seat(&mut self, person: &Arc<Person>) -> Option<Holder> {
        let before = self.holders.insert(person.skeleton.clone(), Holder::Here(Arc::clone(person)));
        if let Some(Holder::Here(known)) = &before {
            self.unseat(known);
        }
        if let Some(look) = &person.look {
            *self.looks.entry(look.clone()).or_default() += 1;
        }
        before
    }

    /// Somebody who was here is about to be gone.
    fn unseat(&mut self, person: &Person) {
        let Some(look) = &person.look else { return };
        match self.looks.get_mut(look) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.looks.remove(look)),
        }
    }

    fn forget_departed(&mut self, now: Instant) {
        while self.departed.front().is_some_and(|(until, _)| *until <= now || self.departed.len() > MOST_DEPARTED) {
            let Some((until, person)) = self.departed.pop_front() else { return };
            // The guest may have come back since, or somebody else may have the name.
            let gone = match self.holders.get(&person.skeleton) {
                Some(Holder::Departed(known, known_until)) => Arc::ptr_eq(known, &person) && *known_until == until,
                _ => false,
            };
            if gone {
                self.holders.remove(&person.skeleton);
                self.end(person.user.id);
            }
        }
    }

    /// A guest cannot come back any more.
    fn end(&mut self, guest: UserId) {
        if self.by_id.remove(&guest).is_some() {
            self.ended.push(guest);
        }
    }
}

impl Claim<'_> {
    /// Comes in under the name that was claimed, with what whoever was here before on the same connection has left of what
    /// it may send.
    pub(crate) fn enter(mut self, user: User, session: &Arc<Session>, flood: Arc<Mutex<Floods>>) -> Arc<Person> {
        let skeleton = self.skeleton.take().unwrap_or_default();
        let mut table = self.online.table();
        if let Some(Holder::Here(person)) = table.holders.get(&skeleton)
            && person.user.id == user.id
        {
            // A new account whose owner was quicker on another connection.
            person.here().sessions.push(Arc::downgrade(session));
            return Arc::clone(person);
        }
        if !user.is_guest() {
            // A new account: what it spends now counts at its next login too.
            table.floods.insert(user.id, Arc::clone(&flood));
        }
        let person = Arc::new(Person::new(user, skeleton.clone(), flood));
        person.here().sessions.push(Arc::downgrade(session));
        table.by_id.insert(person.user.id, Arc::clone(&person));
        if let Some(Holder::Departed(guest, _)) = self.displaced.take() {
            table.end(guest.user.id);
        }
        table.seat(&person);
        person
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let Some(skeleton) = self.skeleton.take() else { return };
        let mut table = self.online.table();
        if matches!(table.holders.get(&skeleton), Some(Holder::Claimed)) {
            match self.displaced.take() {
                Some(departed) => {
                    if let Holder::Departed(person, until) = &departed {
                        table.departed.push_back((*until, Arc::clone(person)));
                    }
                    table.holders.insert(skeleton, departed);
                }
                None => {
                    table.holders.remove(&skeleton);
                }
            }
        }
    }
}
