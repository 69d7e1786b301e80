//! The least that a broadcast server can do, on one thread: read what is there, collect it for each room, and write it
//! with one call to each member. It parses and keeps nothing, so it shows what the kernel allows.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::Result;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::fd::OwnedFd;

const LISTENER: u64 = u64::MAX;

struct Connection {
    stream: TcpStream,
    room: Option<usize>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// What the socket has not taken yet.
    out: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    /// The lines of this turn of the loop.
    lines: Vec<u8>,
}

struct Broadcaster {
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    rooms: Vec<Room>,
    names: HashMap<Vec<u8>, usize>,
    /// Rooms with lines in this turn.
    dirty: Vec<usize>,
}

pub(crate) fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    println!("listening on {} (tcp)", listener.local_addr()?);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut broadcaster = Broadcaster {
        epoll,
        connections: Vec::new(),
        free: Vec::new(),
        rooms: Vec::new(),
        names: HashMap::new(),
        dirty: Vec::new(),
    };
    let mut events = Vec::with_capacity(1024);
    let mut scratch = vec![0; 256 * 1024];
    loop {
        events.clear();
        match epoll::wait(&broadcaster.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let flags = event.flags;
            match event.data.u64() {
                LISTENER => broadcaster.accept(&listener)?,
                index => {
                    let index = index as usize;
                    if flags.contains(epoll::EventFlags::OUT) {
                        broadcaster.write(index, &[]);
                    }
                    if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                        broadcaster.read(index, &mut scratch);
                    }
                }
            }
        }
        broadcaster.deliver();
    }
}

impl Broadcaster {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
            let connection = Connection { stream, room: None, partial: Vec::new(), out: Vec::new() };
            self.connections[index] = Some(connection);
        }
    }

    fn read(&mut self, index: usize, scratch: &mut [u8]) {
        let Some(connection) = &mut self.connections[index] else { return };
        let read = match connection.stream.read(scratch) {
            Ok(read @ 1..) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            Ok(0) | Err(_) => return self.close(index),
        };
        let Some(end) = memchr::memrchr(b'\n', &scratch[..read]) else {
            connection.partial.extend_from_slice(&scratch[..read]);
            return;
        };
        let (mut lines, rest) = scratch[..read].split_at(end + 1);
        if connection.room.is_none() {
            let Some(end) = memchr::memchr(b'\n', lines) else { return };
            let mut name = std::mem::take(&mut connection.partial);
            name.extend_from_slice(&lines[..=end]);
            lines = &lines[end + 1..];
            let room = *self.names.entry(name.clone()).or_insert_with(|| {
                self.rooms.push(Room::default());
                self.rooms.len() - 1
            });
            connection.room = Some(room);
            self.rooms[room].members.push(index);
            self.write(index, &name);
        }
        let Some(connection) = &mut self.connections[index] else { return };
        if let (Some(room), false) = (connection.room, lines.is_empty()) {
            if self.rooms[room].lines.is_empty() {
                self.dirty.push(room);
            }
            self.rooms[room].lines.append(&mut connection.partial);
            self.rooms[room].lines.extend_from_slice(lines);
        }
        connection.partial.extend_from_slice(rest);
    }

    fn deliver(&mut self) {
        for room in std::mem::take(&mut self.dirty) {
            let mut lines = std::mem::take(&mut self.rooms[room].lines);
            // From behind, because a member whose connection is broken leaves the list.
            for place in (0..self.rooms[room].members.len()).rev() {
                let index = self.rooms[room].members[place];
                self.write(index, &lines);
            }
            lines.clear();
            self.rooms[room].lines = lines;
        }
    }

    /// Writes what waits and `more`; what the socket does not take waits for it.
    fn write(&mut self, index: usize, more: &[u8]) {
        let Some(connection) = &mut self.connections[index] else { return };
        let waited = !connection.out.is_empty();
        let result = if waited {
            connection.out.extend_from_slice(more);
            connection.stream.write(&connection.out)
        } else {
            connection.stream.write(more)
        };
        let written = match result {
            Ok(written) => written,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => return self.close(index),
        };
        if waited {
            connection.out.drain(..written);
        } else {
            connection.out.extend_from_slice(&more[written..]);
        }
        let waits = !connection.out.is_empty();
        if waits != waited {
            let out = if waits { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(index as u64);
            // It fails only for a descriptor that is not registered.
            let _ = epoll::modify(&self.epoll, &connection.stream, data, epoll::EventFlags::IN | out);
        }
    }

    /// Closing the socket takes it out of epoll as well.
    fn close(&mut self, index: usize) {
        let Some(connection) = self.connections[index].take() else { return };
        if let Some(room) = connection.room {
            self.rooms[room].members.retain(|&member| member != index);
        }
        self.free.push(index);
    }
}
