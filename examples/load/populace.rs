//! A database of the size that a busy server has after years: rooms, accounts, memberships and messages, made through the
//! library's store. This is the one place where the generator uses code of the daemon: a million messages of thousands of
//! authors would take hours over the wire. What is measured is asked over the wire again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use blake2::{Blake2b256, Digest};
use snakk::model::{
    Body, Epoch, Line, MemberChange, Message, NameRule, Query, RoomId, RoomKind, RoomName, RoomRole, Seq, Text, Time,
    UserId, Username,
};
use snakk::store::{
    Append, Change, Created, Done, Durability, Most, NewAccount, NewRoom, NewToken, Options, Outcome, Reach, Search,
    Settled, SqliteStore, Store, Write,
};
use tokio::sync::{mpsc, oneshot};

use crate::prose::{self, Dice, RARE};

/// The room with a tenth of all messages and a fifth of all accounts.
pub(crate) const BIG_ROOM: &str = "big";
/// An account that is a member of three rooms and of the big one.
pub(crate) const ORDINARY: &str = "ordinary";
/// An account that is a member of many rooms and has never read anything.
pub(crate) const HEAVY: &str = "heavy";
/// A word that nobody has said.
pub(crate) const NOWHERE: &str = "xylophonist";
/// How often [`RARE`] was said.
pub(crate) const RARE_HITS: u64 = 10;

/// So many writes are handed to the store before it is asked what became of them.
const CHUNK: usize = 8000;
/// When everything began.
const BEGINNING: Time = Time(1_600_000_000_000);
/// So much time passes from one message to the next.
const PAUSE_MS: i64 = 60_000;
/// The search of a word that is nowhere takes less than this where no message has to be looked at.
const INDEXED: Duration = Duration::from_millis(4);

/// How big it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) messages: u64,
}

impl Size {
    pub(crate) fn rooms(self) -> u64 {
        self.messages / 100
    }

    pub(crate) fn accounts(self) -> u64 {
        self.messages / 10
    }

    /// How many rooms the heavy account is in.
    pub(crate) fn of_heavy(self) -> u64 {
        500.min(self.rooms() / 2)
    }
}

/// The name of a room. The first one is the big one.
pub(crate) fn room_name(index: u64) -> String {
    if index == 0 { BIG_ROOM.to_owned() } else { format!("room{index:05}") }
}

/// What a room is: one of a hundred is private, and one for announcements.
fn kind(index: u64) -> RoomKind {
    match index % 100 {
        98 => RoomKind::Announce,
        99 => RoomKind::Private,
        _ => RoomKind::Public,
    }
}

/// The name of an account.
pub(crate) fn account_name(index: u64) -> String {
    match index {
        0 => HEAVY.to_owned(),
        1 => ORDINARY.to_owned(),
        _ => format!("user{index:05}"),
    }
}

/// The token of [`ORDINARY`] or [`HEAVY`], in the form of those that the server makes.
pub(crate) fn token(username: &str) -> String {
    format!("snk_a{:0>64}", username.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Makes the database in a file. Its index of words is not complete afterwards.
pub(crate) fn make(file: &Path, size: Size) -> Result<()> {
    runtime()?.block_on(async {
        let options = Options { durability: Durability::Normal, writer_queue: 1 << 16, ..Options::new(file) };
        let store = SqliteStore::open(options)?;
        let settled = store.settled().context("no receiver")?;
        let mut making = Making { size, store, settled, dice: Dice::new(1), pending: Vec::new(), rooms: Vec::new() };
        making.accounts().await?;
        making.rooms().await?;
        making.talk().await?;
        making.reads().await?;
        making.store.close().await?;
        Ok(())
    })
}

/// Waits until all messages are in the index of words.
pub(crate) fn index(file: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let store = SqliteStore::open(Options::new(file))?;
        let mut quick = 0;
        while quick < 3 {
            // The writer goes on with the index while nobody writes.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let began = Instant::now();
            let hits = store.search(Search {
                query: Query::parse(NOWHERE)?,
                rooms: vec![(RoomId(1), Seq(1)), (RoomId(2), Seq(1))],
                before: None,
                after: None,
                most: Most { entries: 1, bytes: 1 << 16 },
                timeout: Duration::from_secs(60),
            });
            ensure!(hits.await?.hits.is_empty(), "{NOWHERE} was found");
            quick = if began.elapsed() < INDEXED { quick + 1 } else { 0 };
        }
        store.close().await?;
        Ok(())
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?)
}

struct Making {
    size: Size,
    store: SqliteStore,
    settled: mpsc::Receiver<Vec<Settled>>,
    dice: Dice,
    /// Entries that wait to be handed to the store.
    pending: Vec<Append>,
    rooms: Vec<Room>,
}

/// What has to be known of a room to say something there.
#[derive(Default)]
struct Room {
    head: u64,
    members: Vec<u64>,
}

/// Somebody who says something.
struct Author {
    id: UserId,
    name: Arc<str>,
}

impl Author {
    /// An account by its number, which is one less than its id.
    fn account(index: u64) -> Author {
        Author { id: UserId(index as i64 + 1), name: account_name(index).into() }
    }

    fn guest(index: u64) -> Author {
        Author { id: UserId(-(index as i64) - 1), name: format!("guest{index:04}").into() }
    }
}

impl Making {
    /// Has many things written that are no entries, and waits for all of them.
    async fn write_all<T>(&self, writes: impl Iterator<Item = impl FnOnce(Done<T>) -> Write>) -> Result<Vec<T>> {
        let mut answers = Vec::new();
        let mut waiting = Vec::with_capacity(CHUNK);
        let mut writes = writes.peekable();
        while let Some(write) = writes.next() {
            let place = self.store.queue().reserve(0).await?;
            let (done, answer) = oneshot::channel();
            self.store.queue().push(place, write(done)).map_err(|_| anyhow!("the store is closed"))?;
            waiting.push(answer);
            if waiting.len() == CHUNK || writes.peek().is_none() {
                for answer in waiting.drain(..) {
                    answers.push(answer.await??);
                }
            }
        }
        Ok(answers)
    }

    async fn accounts(&mut self) -> Result<()> {
        let mut new = Vec::new();
        for index in 0..self.size.accounts() {
            let name = Username::parse(&account_name(index), NameRule::Ascii)?;
            let skeleton = name.skeleton().into();
            // Nothing is hashed to that: nobody logs in with a password here.
            new.push(NewAccount { name, skeleton, password_hash: "".into(), invitation: None, time: BEGINNING });
        }
        let made = self.write_all(new.into_iter().map(|new| |done| Write::CreateAccount(new, done))).await?;
        for (id, created) in (1..).zip(made) {
            ensure!(created == Created::New(UserId(id)), "account {id} was not made: {created:?}");
        }
        let tokens = (1..).zip([HEAVY, ORDINARY]).map(|(user, name)| NewToken {
            user: UserId(user),
            hash: Blake2b256::digest(token(name)).into(),
            fingerprint: None,
            label: Line::trusted("load"),
            time: BEGINNING,
            expires: None,
        });
        let added = tokens.map(|token| |done| Write::Change(Box::new(Change::AddToken(token)), done));
        ensure!(self.write_all(added).await?.iter().all(|id| *id > 0), "no token");
        Ok(())
    }

    async fn rooms(&mut self) -> Result<()> {
        let mut new = Vec::new();
        for index in 0..self.size.rooms() {
            let owner = self.owner(index);
            new.push(NewRoom {
                name: RoomName::parse(&room_name(index))?,
                kind: kind(index),
                topic: format!("what there is to say about {index}").into(),
                epoch: Epoch(format!("{index:016x}").into()),
                owner: Some(UserId(owner as i64 + 1)),
                sides: None,
                time: BEGINNING,
            });
            self.rooms.push(Room { head: 0, members: vec![owner] });
        }
        let made = self.write_all(new.into_iter().map(|new| |done| Write::CreateRoom(new, done))).await?;
        for (id, created) in (1..).zip(made) {
            ensure!(created == Created::New(RoomId(id)), "room {id} was not made: {created:?}");
        }
        // Before anything was said, so that all of it is unread.
        let of_heavy = self.size.of_heavy();
        for index in 0..of_heavy {
            self.join(index * (self.size.rooms() / of_heavy), 0, BEGINNING);
        }
        Ok(())
    }

    fn owner(&self, room: u64) -> u64 {
        2 + room * 7 % (self.size.accounts() - 2)
    }

    /// Everybody joins a few rooms and talks, all through one another.
    async fn talk(&mut self) -> Result<()> {
        let (messages, accounts, rooms) = (self.size.messages, self.size.accounts(), self.size.rooms());
        let every = messages / RARE_HITS;
        for number in 0..messages {
            let time = Time(BEGINNING.0 + number as i64 * PAUSE_MS);
            if number.is_multiple_of(messages / accounts) {
                let account = 1 + number / (messages / accounts);
                if account < accounts {
                    for _ in 0..3 {
                        let room = 1 + self.dice.below(rooms - 1);
                        self.join(room, account, time);
                    }
                    if account.is_multiple_of(5) || account == 1 {
                        self.join(0, account, time);
                    }
                }
            }
            let mut text = prose::text(&mut self.dice);
            let mut room = if number.is_multiple_of(10) { 0 } else { 1 + self.dice.below(rooms - 1) };
            if number % every == every / 2 {
                text.push(' ');
                text.push_str(RARE);
                // One that everybody may read.
                room = 10 + number / every;
            }
            self.say(room, text, time).await?;
        }
        self.flush().await
    }

    /// Somebody says something, and some of it is edited or reacted to.
    async fn say(&mut self, room: u64, mut text: String, time: Time) -> Result<()> {
        let author = if self.dice.once_in(20) {
            Author::guest(self.dice.rank(1000))
        } else {
            Author::account(2 + self.dice.rank(self.size.accounts() - 2))
        };
        let mut called = Vec::new();
        if self.dice.once_in(50) {
            let members = &self.rooms[room as usize].members;
            let member = if self.dice.once_in(2) { members[0] } else { members[members.len() / 2] };
            called.push(account_name(member));
            text = format!("@{} {text}", account_name(member));
        }
        let message = Body::Message(Message::new(Text::trusted(text)));
        self.add(room, author, time, message, called);
        let target = Seq(self.rooms[room as usize].head);
        if self.dice.once_in(50) {
            let (reactor, emoji) = (self.dice.below(self.size.accounts()), Line::trusted("👍"));
            let body = Body::React { target, emoji, remove: false };
            self.add(room, Author::account(reactor), time, body, Vec::new());
        }
        if self.dice.once_in(100)
            && let Some(Append { author, from, .. }) = self
                .pending
                .iter()
                .rev()
                .find(|append| append.room == RoomId(room as i64 + 1) && matches!(append.body, Body::Message(_)))
        {
            let author = Author { id: *author, name: Arc::clone(from) };
            let text = Some(Text::trusted(prose::text(&mut self.dice)));
            self.add(room, author, time, Body::Edit { target, text }, Vec::new());
        }
        if self.pending.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    fn join(&mut self, room: u64, account: u64, time: Time) {
        let members = &mut self.rooms[room as usize].members;
        // Who has just joined may draw the same room again.
        if members[0] == account || members.iter().rev().take(8).any(|member| *member == account) {
            return;
        }
        members.push(account);
        let Author { id, name } = Author::account(account);
        let body = Body::Member {
            user: Arc::clone(&name),
            user_id: id,
            change: MemberChange::Join,
            role: Some(RoomRole::Member),
            reason: None,
            until: None,
        };
        self.add(room, Author { id, name }, time, body, Vec::new());
    }

    fn add(&mut self, room: u64, author: Author, time: Time, body: Body, called: Vec<String>) {
        self.rooms[room as usize].head += 1;
        self.pending.push(Append {
            room: RoomId(room as i64 + 1),
            generation: 0,
            time,
            author: author.id,
            from: author.name,
            body,
            nonce: None,
            reach: Reach { first: Seq(1), others: false },
            mentions: called.into(),
            act: None,
            origin: Box::new(()),
        });
    }

    /// Has the store write what waits, and sees that it is there.
    async fn flush(&mut self) -> Result<()> {
        let mut left = self.pending.len();
        for append in self.pending.drain(..) {
            let place = self.store.queue().reserve(0).await?;
            let pushed = self.store.queue().push(place, Write::Append(append));
            pushed.map_err(|_| anyhow!("the store is closed"))?;
        }
        while left > 0 {
            let outcomes = self.settled.recv().await.context("the store is closed")?;
            left -= outcomes.len();
            for Settled { room, outcome, .. } in outcomes {
                ensure!(matches!(outcome, Outcome::Appended(_)), "not stored in room {}: {outcome:?}", room.0);
            }
        }
        Ok(())
    }

    /// One in four has read everything, but not the heavy account.
    async fn reads(&mut self) -> Result<()> {
        let mut reads = Vec::new();
        for (index, room) in (1..).zip(&self.rooms) {
            for member in room.members.iter().filter(|member| **member % 4 == 3) {
                let user = UserId(*member as i64 + 1);
                reads.push(Change::Read { user, room: RoomId(index), seq: Seq(room.head) });
            }
        }
        self.write_all(reads.into_iter().map(|read| |done| Write::Change(Box::new(read), done))).await.map(|_| ())
    }
}
