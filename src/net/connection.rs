//! A connection: one task that reads and one that writes, over any stream. What an object means, and what there is to
//! send, is the business of a [`Receiver`] and a [`Transmitter`].
//!
//! # The two tasks
//! Each task owns one half of the stream, and one end of two one-shot channels: through one the reader learns that the
//! writer is over, through the other the writer learns that the reader is. A task that panics, or whose runtime goes
//! away, drops its ends, and so ends the other one too. There is no flag to forget and no wake-up to lose: a one-shot
//! channel remembers.
//!
//! # Why no byte is lost or sent twice
//! - Reading: `poll_read` moves bytes from the socket into the framer within one poll. There is no `await` between the
//!   two at which the bytes could be dropped. An object leaves the framer when [`Receiver::receive`] is called with it,
//!   and that future is always driven to its end; only the end of the whole runtime stops it.
//! - Writing: the chunks that [`Transmitter::next`] has filled in belong to the task until every byte of them was
//!   written. Each `poll_write` and the account of what it took happen within one poll. The transmitter is not asked again
//!   before, and the future of `next` is dropped only when the connection is over, so a cursor that moves inside
//!   `next` moves for bytes that will be written, or for a connection that is over.
//! - Waiting for room, for the deadline or for the other task never holds bytes: those futures may be dropped.
//!
//! # Closing
//! When the transmitter finishes, its last line was written, the writing half is shut down, and the reader takes in what
//! the peer still sends, for at most a second: closing a socket with unread input would reset the connection, and the
//! last line might never be seen.
//!
//! A server that shuts down first hurries its connections ([`Options::hurry`]): no pauses, little patience with those who
//! take nothing. It cuts those that are still there in the end ([`Options::cut`]): also a peer that takes a byte now and
//! then, which no patience ever gets rid of. Who is idle waits for neither token, which would cost memory: there the
//! transmitter finishes, and the reader ends with the writer.
//!
//! # Memory
//! An idle connection has no buffers: bytes are read through the stack, the framer holds nothing between objects, and
//! the list of chunks is freed before waiting. What is rare (a deadline, a full socket, the close) is boxed.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::framing::{Frame, Rules};
use super::stream::Stream;

/// Whether to go on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Judge nothing more: what still comes is thrown away until the transmitter has finished, which it does by itself.
    Stop,
}

/// What the reader calls.
pub trait Receiver: Send + 'static {
    /// How the next bytes are judged; asked anew before each object.
    fn rules(&self) -> Rules;

    /// Takes an object, or learns of bytes that are none. Nothing is read while this waits, which is what holds back a
    /// peer that asks faster than it can be served. The future is never dropped before its end, except with the runtime.
    fn receive(&mut self, frame: Frame<'_>) -> impl Future<Output = Flow> + Send;

    /// The first byte of the connection has come.
    fn began(&mut self);

    /// Until when more bytes must have come; asked before each wait for bytes.
    fn deadline(&self) -> Option<Instant>;

    /// The deadline has passed. If reading goes on, the deadline should be another one now: the same one does not pass twice.
    fn expired(&mut self) -> Flow;

    /// The peer sends nothing more. It may still read: it gets what is due to it, and then the transmitter finishes. Not
    /// called after [`Flow::Stop`].
    fn ended(&mut self) -> impl Future<Output = ()> + Send;

    /// Reading has failed: nobody is there any more. The transmitter is closed after this.
    fn broken(&mut self);
}

/// What is to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The bytes, in pieces that are written one after the other, with as few system calls as possible.
    pub chunks: Vec<Bytes>,
    /// How long to wait after the last byte was written before the transmitter is asked again.
    pub pace: Option<Duration>,
}

/// What comes after what is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The transmitter is asked again.
    More,
    /// The connection closes, as soon as the peer has had a chance to read all of it.
    Finish,
}

/// What the writer calls.
pub trait Transmitter: Send + 'static {
    /// Waits until there is something to send, and fills in the chunks. Called again only after all of it was written.
    /// The future is dropped before its end only when the connection is over.
    fn next(&mut self, out: &mut Outgoing) -> impl Future<Output = Then> + Send;

    /// The connection is over; called exactly once, whatever happens. Whoever waits for room, such as a pending
    /// [`Receiver::receive`], has to be woken.
    fn closed(&mut self, why: Closed);
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// The transmitter has finished.
    Finished,
    /// The peer took nothing for too long.
    Stalled,
    /// The peer took nothing for a moment while we were shutting down.
    Hurried,
    /// The time was up before everything was sent.
    Cut,
    /// Reading or writing has failed.
    Broken,
    /// One of the two tasks has panicked, or the runtime is going away.
    Abandoned,
}

impl Closed {
    /// All of them, in the order in which they are declared.
    pub const ALL: &'static [Closed] =
        &[Closed::Finished, Closed::Stalled, Closed::Hurried, Closed::Cut, Closed::Broken, Closed::Abandoned];

    /// The reason as a word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Closed::Finished => "finished",
            Closed::Stalled => "stalled",
            Closed::Hurried => "hurried",
            Closed::Cut => "cut",
            Closed::Broken => "broken",
            Closed::Abandoned => "abandoned",
        }
    }
}

/// The options of connections.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A write that makes no progress for so long is given up; zero switches this off.
    pub stall_timeout: Duration,
    /// Cancelled when everything has to end: from then on a write that makes no progress for half a second is given up, and
    /// no pace is kept.
    pub hurry: CancellationToken,
    /// Cancelled when the time is up: whatever is under way ends at once, be it a write, a pause or the farewell.
    pub cut: CancellationToken,
}

/// How the writer ended, for the reader.
enum WriterEnd {
    /// All was sent, and the writing half is shut down.
    Finished,
    /// Nothing can be sent any more.
    Failed,
}

/// Told by the reader: reading has failed.
struct ReadFailed;

/// Starts the two tasks of a connection. Neither is aborted from outside: a connection ends when its transmitter
/// finishes, or by itself.
///
/// # Panics
/// Outside a tokio runtime.
pub fn spawn<R: Receiver, T: Transmitter>(
    stream: Stream,
    receiver: R,
    transmitter: T,
    options: Arc<Options>,
    tasks: &TaskTracker,
) {
    let (read, write) = stream.split();
    let (writer_end, writer_over) = oneshot::channel();
    let (reader_end, reader_over) = oneshot::channel();
    let mut reader = reader::Reader::new(read, receiver, writer_over, reader_end, Arc::clone(&options));
    let mut writer = writer::Writer::new(write, transmitter, reader_over, writer_end, options);
    // The blocks own what the methods borrow: a method that takes `self` would have it twice in its future.
    tasks.spawn(async move { reader.run().await });
    tasks.spawn(async move { writer.run().await });
}
