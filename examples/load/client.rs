//! The members of all rooms: one socket each, one thread and one epoll loop for all of them.
//!
//! The load shares two cores with the server that it measures, so it must be cheap: big reads into one buffer, one
//! write for whatever a turn of the loop has made ready, no allocation and no parser for a delivery. It checks each
//! line as it comes (see `ledger`), and in the end that nobody misses anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::fd::OwnedFd;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::ledger::Ledger;
use crate::schedule::Schedule;
use crate::wire::{self, Line, Phrases, Wire};

/// Connections come from so many addresses of the loopback network, for the sake of ports and of limits for each.
const SOURCES: u8 = 16;
const SCRATCH_BYTES: usize = 512 * 1024;
/// How long nothing at all may happen while something is awaited.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long duplicates are waited for when everything has arrived.
const AFTERMATH: Duration = Duration::from_millis(100);

/// When a message is no longer in flight, so that its sender may post another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freed {
    /// When it has come back to its sender as an event.
    Returned,
    /// When it has come to every member.
    Everywhere,
    /// When its posting was acknowledged. On the bare wire the echo is the only acknowledgement.
    Acknowledged,
}

/// Whether members stay for a room's events after they have joined it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    Following,
    Unfollowing,
}

/// What has happened so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) posted: u64,
    pub(crate) acknowledged: u64,
    pub(crate) deliveries: u64,
    /// Events that are no entry of a room's log.
    pub(crate) hints: u64,
}

struct Room {
    name: String,
    phrases: Phrases,
    ledger: Ledger,
    followers: u16,
}

struct Member {
    stream: TcpStream,
    room: usize,
    /// The member's number within its room.
    place: u16,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// What the socket has not taken yet.
    out: Vec<u8>,
    watches_writing: bool,
    /// Answers that must come before the member counts as ready.
    awaiting: u8,
    follows: bool,
    /// The place of the newest message that came.
    newest: u32,
}

/// All members of all rooms.
pub(crate) struct Fleet {
    wire: Wire,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    scratch: Vec<u8>,
    rooms: Vec<Room>,
    members: Vec<Member>,
    ready: usize,
    /// Deliveries that the messages posted so far must lead to.
    due: u64,
    refill: Option<Freed>,
    /// Members that have something to write at the end of the turn.
    unflushed: Vec<usize>,
    /// Messages that may still be posted.
    budget: u64,
    pub(crate) counts: Counts,
    pub(crate) schedule: Option<Schedule>,
}

impl Fleet {
    /// Rooms without members. `bytes` is the length of a message's text.
    pub(crate) fn new(wire: Wire, rooms: &[String], bytes: usize) -> Result<Self> {
        let rooms = rooms.iter().map(|name| Room {
            name: name.clone(),
            phrases: Phrases::new(wire, name, bytes),
            ledger: Ledger::default(),
            followers: 0,
        });
        Ok(Self {
            wire,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1024),
            scratch: vec![0; SCRATCH_BYTES],
            rooms: rooms.collect(),
            members: Vec::new(),
            ready: 0,
            due: 0,
            refill: None,
            unflushed: Vec::new(),
            budget: u64::MAX,
            counts: Counts::default(),
            schedule: None,
        })
    }

    /// Connects `members` for each room and logs them in, `parallel` at a time. The bare wire knows no login: there a
    /// connection begins by naming its room, and so has joined it.
    pub(crate) fn connect(&mut self, address: SocketAddr, members: u16, parallel: usize) -> Result<()> {
        for index in 0..self.rooms.len() * usize::from(members) {
            self.await_ready((index + 1).saturating_sub(parallel))?;
            let room = index % self.rooms.len();
            let source = Ipv4Addr::new(127, 0, 0, 1 + (index % usize::from(SOURCES)) as u8);
            let stream = connect(source, address).with_context(|| format!("connection {index}"))?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
            let (out, awaiting) = match self.wire {
                Wire::Snakk => (wire::greeting(index).into_bytes(), 2),
                Wire::Bare => (format!("{}\n", self.rooms[room].name).into_bytes(), 1),
            };
            self.rooms[room].followers += u16::from(self.wire == Wire::Bare);
            self.members.push(Member {
                stream,
                room,
                place: (index / self.rooms.len()) as u16,
                partial: Vec::new(),
                out,
                watches_writing: false,
                awaiting,
                follows: self.wire == Wire::Bare,
                newest: 0,
            });
            self.flush(index)?;
        }
        self.await_ready(self.members.len())
    }

    /// Every member joins its room, `parallel` at a time.
    pub(crate) fn join(&mut self, parallel: usize, stay: Stay) -> Result<()> {
        if self.wire == Wire::Bare {
            return Ok(());
        }
        self.ready = 0;
        for index in 0..self.members.len() {
            self.await_ready((index + 1).saturating_sub(parallel))?;
            let member = &mut self.members[index];
            let room = &mut self.rooms[member.room];
            member.out.extend_from_slice(wire::join(&room.name).as_bytes());
            member.awaiting = 1;
            if stay == Stay::Unfollowing {
                member
                    .out
                    .extend_from_slice(format!("{{\"request\":\"unfollow\",\"room\":\"{}\"}}\n", room.name).as_bytes());
                member.awaiting = 2;
            } else {
                member.follows = true;
                room.followers += 1;
            }
            self.flush(index)?;
        }
        self.await_ready(self.members.len())
    }

    fn await_ready(&mut self, count: usize) -> Result<()> {
        let mut deadline = Instant::now() + PATIENCE;
        while self.ready < count {
            let before = self.ready;
            self.turn(Duration::from_millis(100))?;
            if self.ready > before {
                deadline = Instant::now() + PATIENCE;
            }
            ensure!(Instant::now() < deadline, "{} of {count} members are ready, and no more become so", self.ready);
        }
        Ok(())
    }

    /// From now on each room has `in_flight` messages in flight, spread over its members.
    pub(crate) fn keep_in_flight(&mut self, in_flight: u16, freed: Freed, budget: u64) -> Result<()> {
        self.refill = Some(freed);
        self.budget = budget;
        let senders = self.members.len() / self.rooms.len();
        for slot in 0..usize::from(in_flight) {
            for room in 0..self.rooms.len() {
                self.post_again((slot % senders) * self.rooms.len() + room);
            }
        }
        (0..self.members.len()).try_for_each(|index| self.flush(index))
    }

    /// Member number `place` of room number `room` posts a message.
    pub(crate) fn post(&mut self, room: usize, place: usize) -> Result<()> {
        let index = place * self.rooms.len() + room;
        self.prepare(index);
        self.flush(index)
    }

    pub(crate) fn run_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left.min(Duration::from_millis(20)))?;
        }
    }

    /// Runs until everything posted has arrived everywhere, then checks each receiver and each room.
    pub(crate) fn drain(&mut self) -> Result<()> {
        if self.budget == u64::MAX {
            self.refill = None;
        }
        self.run_until_arrived()?;
        self.run_for(AFTERMATH)?;
        self.check_receivers()?;
        self.rooms.iter().try_for_each(|room| room.ledger.check_whole().with_context(|| format!("room {}", room.name)))
    }

    fn check_receivers(&self) -> Result<()> {
        for member in self.members.iter().filter(|member| member.follows) {
            let (newest, head) = (member.newest, self.rooms[member.room].ledger.head());
            ensure!(newest == head, "{} is at {newest} of {head}", member.title(&self.rooms));
        }
        Ok(())
    }

    /// Runs until everything posted has arrived everywhere.
    pub(crate) fn run_until_arrived(&mut self) -> Result<()> {
        let mut deadline = Instant::now() + PATIENCE;
        while !self.all_arrived() {
            let before = (self.counts.deliveries, self.counts.acknowledged);
            self.turn(Duration::from_millis(100))?;
            if before != (self.counts.deliveries, self.counts.acknowledged) {
                deadline = Instant::now() + PATIENCE;
            }
            if Instant::now() > deadline {
                let Counts { posted, acknowledged, deliveries, .. } = self.counts;
                let due = self.due;
                self.check_receivers().with_context(|| format!("{deliveries} of {due} deliveries have come"))?;
                bail!("{acknowledged} of {posted} messages were acknowledged");
            }
        }
        Ok(())
    }

    fn all_arrived(&self) -> bool {
        let acknowledged = self.wire == Wire::Bare || self.counts.acknowledged == self.counts.posted;
        acknowledged && self.counts.deliveries == self.due
    }

    /// Like `turn`, but ends at `end` to the microsecond, where epoll alone knows only milliseconds.
    pub(crate) fn turn_until(&mut self, end: Instant) -> Result<()> {
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now()))?;
        let ready = poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&left))?;
        if ready > 0 { self.turn(Duration::ZERO) } else { Ok(()) }
    }

    /// One turn of the loop: waits at most `timeout` for sockets, and does what they allow.
    pub(crate) fn turn(&mut self, timeout: Duration) -> Result<()> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&Timespec::try_from(timeout)?)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let index = event.data.u64() as usize;
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::OUT) {
                self.flush(index)?;
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                self.read(index).with_context(|| self.members[index].title(&self.rooms))?;
            }
        }
        self.events = events;
        while let Some(index) = self.unflushed.pop() {
            self.flush(index)?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let member = &mut self.members[index];
        let held = member.partial.len();
        ensure!(held < scratch.len() / 2, "a line without an end");
        scratch[..held].copy_from_slice(&member.partial);
        let read = match member.stream.read(&mut scratch[held..]) {
            Ok(0) => bail!("closed by the server"),
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.scratch = scratch;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let now = Instant::now();
        let filled = &scratch[..held + read];
        let mut line_start = 0;
        for newline in memchr::memchr_iter(b'\n', &filled[held..]) {
            let line = &filled[line_start..held + newline];
            line_start = held + newline + 1;
            self.take_line(index, line, now).with_context(|| format!("at {}", String::from_utf8_lossy(line)))?;
        }
        let member = &mut self.members[index];
        member.partial.clear();
        member.partial.extend_from_slice(&filled[line_start..]);
        self.scratch = scratch;
        self.flush(index)
    }

    #[inline]
    fn take_line(&mut self, index: usize, line: &[u8], now: Instant) -> Result<()> {
        let member = &mut self.members[index];
        if self.wire == Wire::Bare && member.awaiting > 0 {
            ensure!(line == self.rooms[member.room].name.as_bytes(), "not the name of the room");
            member.awaiting = 0;
            self.ready += 1;
            return Ok(());
        }
        let room = &mut self.rooms[member.room];
        match room.phrases.scan(line) {
            Line::Delivery { number, seq } => {
                let expected = member.newest + 1;
                ensure!(member.follows, "a message for somebody who does not follow the room");
                ensure!(seq == expected || self.wire == Wire::Bare, "{expected} was expected");
                member.newest = expected;
                let everywhere = room.ledger.arrived_at(number, expected)?;
                self.counts.deliveries += 1;
                if let Some(schedule) = &mut self.schedule {
                    schedule.delivered(member.room, number, now);
                }
                let done = match self.refill {
                    Some(Freed::Everywhere) => everywhere,
                    Some(Freed::Acknowledged) if self.wire == Wire::Snakk => false,
                    Some(_) => room.ledger.sender(number) == Some(member.place),
                    None => false,
                };
                if done && let Some(place) = room.ledger.sender(number) {
                    let sender = usize::from(place) * self.rooms.len() + member.room;
                    self.post_again(sender);
                    if sender != index {
                        self.unflushed.push(sender);
                    }
                }
            }
            Line::Acknowledged { number, seq } => {
                ensure!(room.ledger.sender(number) == Some(member.place), "the answer belongs to somebody else");
                room.ledger.stands_at(number, seq)?;
                self.counts.acknowledged += 1;
                if let Some(schedule) = &mut self.schedule {
                    schedule.acknowledged(member.room, number, now);
                }
                if self.refill == Some(Freed::Acknowledged) {
                    self.post_again(index);
                }
            }
            Line::Hint => self.counts.hints += 1,
            Line::Other => self.take_other(index, line)?,
        }
        Ok(())
    }

    /// A line that does not come often: an answer to `hello`, `login`, `join`; a hint; a refusal.
    fn take_other(&mut self, index: usize, line: &[u8]) -> Result<()> {
        let object: Value = serde_json::from_slice(line).context("neither a message nor JSON")?;
        let member = &mut self.members[index];
        if object.get("error").is_some() {
            bail!("refused");
        }
        if let Some(event) = object.get("event") {
            ensure!(object.get("seq").is_none() && event != "removed" && event != "shutdown", "not expected");
            self.counts.hints += 1;
            return Ok(());
        }
        ensure!(object.get("response").is_some() && member.awaiting > 0, "not expected");
        if object["response"] == "join" {
            let head = object["head"].as_u64().context("no head")? as u32;
            self.rooms[member.room].ledger.begin_behind(head)?;
            member.newest = head;
        }
        member.awaiting -= 1;
        self.ready += usize::from(member.awaiting == 0);
        Ok(())
    }

    /// A member whose message is no longer in flight posts another one, if there may be more.
    #[inline]
    fn post_again(&mut self, index: usize) {
        if self.budget > 0 {
            self.budget -= u64::from(self.budget != u64::MAX);
            self.prepare(index);
        }
    }

    #[inline]
    fn prepare(&mut self, index: usize) {
        let member = &mut self.members[index];
        let room = &mut self.rooms[member.room];
        let number = room.ledger.post(member.place, room.followers);
        room.phrases.post(number, &mut member.out);
        self.counts.posted += 1;
        self.due += u64::from(room.followers);
    }

    fn flush(&mut self, index: usize) -> Result<()> {
        let member = &mut self.members[index];
        if member.out.is_empty() {
            return Ok(());
        }
        match member.stream.write(&member.out) {
            Ok(written) if written == member.out.len() => member.out.clear(),
            Ok(written) => drop(member.out.drain(..written)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).with_context(|| member.title(&self.rooms)),
        }
        let watch = !member.out.is_empty();
        if watch != member.watches_writing {
            member.watches_writing = watch;
            let out = if watch { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(index as u64);
            epoll::modify(&self.epoll, &member.stream, data, epoll::EventFlags::IN | out)?;
        }
        Ok(())
    }
}

impl Member {
    fn title(&self, rooms: &[Room]) -> String {
        format!("member {} of room {}", self.place, rooms[self.room].name)
    }
}

fn connect(source: Ipv4Addr, address: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&address.into())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
