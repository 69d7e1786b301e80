//! What a competent author writes with tokio in an afternoon: a `broadcast` channel for each room, a reader task and a
//! writer task for each connection, and a writer that gathers what waits into one write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// Lines that a room keeps for its slowest member.
const CAPACITY: usize = 4096;
const READ_BYTES: usize = 8 * 1024;
/// A writer stops gathering at this size.
const WRITE_BYTES: usize = 64 * 1024;

type Rooms = Arc<Mutex<HashMap<Bytes, Sender<Bytes>>>>;

pub(crate) fn serve() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_io().build()?.block_on(accept())
}

async fn accept() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening on {} (tcp)", listener.local_addr()?);
    let rooms = Rooms::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let rooms = Arc::clone(&rooms);
        tokio::spawn(async move {
            if let Err(error) = connection(stream, rooms).await {
                eprintln!("{error:#}");
            }
        });
    }
}

async fn connection(stream: TcpStream, rooms: Rooms) -> Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut partial = Vec::new();
    let mut lines = loop {
        match next_lines(&reader, &mut partial).await? {
            Some(lines) if lines.is_empty() => {}
            Some(lines) => break lines,
            None => return Ok(()),
        }
    };
    let Some(room) = cut_line(&mut lines) else { return Ok(()) };
    let sender = {
        let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(room.clone()).or_insert_with(|| broadcast::channel(CAPACITY).0).clone()
    };
    let receiver = sender.subscribe();
    writer.write_all(&room).await?;
    drop(room);
    tokio::spawn(async move {
        if let Err(error) = write(writer, receiver).await {
            eprintln!("{error:#}");
        }
    });
    loop {
        while let Some(line) = cut_line(&mut lines) {
            // It fails only if nobody listens.
            let _ = sender.send(line);
        }
        match next_lines(&reader, &mut partial).await? {
            Some(more) => lines = more,
            None => return Ok(()),
        }
    }
}

fn cut_line(lines: &mut Bytes) -> Option<Bytes> {
    memchr::memchr(b'\n', lines).map(|end| lines.split_to(end + 1))
}

/// The whole lines that came, in one allocation for all of them; none at the end of the stream. An idle connection
/// holds no buffer: what is read goes through one on the stack, which does not live across an await.
async fn next_lines(reader: &OwnedReadHalf, partial: &mut Vec<u8>) -> Result<Option<Bytes>> {
    loop {
        reader.readable().await?;
        let mut chunk = [0; READ_BYTES];
        match reader.try_read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(read) => {
                let end = memchr::memrchr(b'\n', &chunk[..read]).map_or(0, |end| end + 1);
                let mut lines = Vec::new();
                if end > 0 {
                    lines.reserve_exact(partial.len() + end);
                    lines.append(partial);
                    lines.extend_from_slice(&chunk[..end]);
                }
                partial.extend_from_slice(&chunk[end..read]);
                return Ok(Some(Bytes::from(lines)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut receiver: Receiver<Bytes>) -> Result<()> {
    let mut gathered = Vec::new();
    loop {
        match receiver.recv().await {
            Ok(line) => gathered.extend_from_slice(&line),
            Err(RecvError::Closed) => return Ok(()),
            Err(RecvError::Lagged(lost)) => bail!("a member lost {lost} lines"),
        }
        while gathered.len() < WRITE_BYTES {
            // Lagging shows again at the next `recv`.
            let Ok(line) = receiver.try_recv() else { break };
            gathered.extend_from_slice(&line);
        }
        writer.write_all(&gathered).await?;
        gathered.clear();
    }
}
