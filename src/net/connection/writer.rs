//! The task that writes: asks the transmitter what is next, and writes all of it before it asks again.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{Closed, Options, Outgoing, ReadFailed, Then, Transmitter, WriterEnd};
use crate::net::stream::WriteHalf;

/// How many chunks are handed to the system at once.
const MAX_SLICES: usize = 64;

/// How large the pieces are into which chunks are gathered for a stream that takes only one at a time.
const GATHERED_BYTES: usize = 16 * 1024;

/// How long a write may make no progress when we are in a hurry.
const HURRIED_STALL: Duration = Duration::from_millis(500);

/// How long the shutting down of the writing half may take (TLS has something to say there).
const SHUTDOWN: Duration = Duration::from_secs(1);

pub(super) struct Writer<T: Transmitter> {
    half: WriteHalf,
    transmitter: T,
    /// Must not be polled again once it has said something.
    reader: oneshot::Receiver<ReadFailed>,
    /// Taken when the transmitter has been told that the connection is over; dropped with the writer, which tells the
    /// reader.
    end: Option<oneshot::Sender<WriterEnd>>,
    options: Arc<Options>,
}

impl<T: Transmitter> Writer<T> {
    pub(super) fn new(
        half: WriteHalf,
        transmitter: T,
        reader: oneshot::Receiver<ReadFailed>,
        end: oneshot::Sender<WriterEnd>,
        options: Arc<Options>,
    ) -> Writer<T> {
        Writer { half, transmitter, reader, end: Some(end), options }
    }

    pub(super) async fn run(&mut self) {
        let why = self.serve().await;
        if matches!(why, Closed::Stalled | Closed::Hurried | Closed::Cut) {
            self.half.forsake();
        }
        if let Some(end) = self.end.take() {
            self.transmitter.closed(why);
            // If the reader is over already, it does not need to know.
            let _ = end.send(if why == Closed::Finished { WriterEnd::Finished } else { WriterEnd::Failed });
        }
    }

    async fn serve(&mut self) -> Closed {
        loop {
            let mut out = Outgoing::default();
            let then = match self.next(&mut out).await {
                Ok(then) => then,
                Err(why) => return why,
            };
            if !out.chunks.is_empty()
                && let Err(why) = self.write(out.chunks).await
            {
                return why;
            }
            if then == Then::Finish {
                return Box::pin(self.finish()).await;
            }
            if let Some(pace) = out.pace
                && let Err(why) = Box::pin(self.pause(pace)).await
            {
                return why;
            }
        }
    }

    /// Asks the transmitter, unless the reader ends.
    async fn next(&mut self, out: &mut Outgoing) -> Result<Then, Closed> {
        let mut next = pin!(self.transmitter.next(out));
        let reader = &mut self.reader;
        poll_fn(|cx| match poll_reader(reader, cx) {
            Poll::Ready(why) => Poll::Ready(Err(why)),
            Poll::Pending => next.as_mut().poll(cx).map(Ok),
        })
        .await
    }

    /// Writes everything. As long as the socket takes it, there is neither a timer nor a box.
    async fn write(&mut self, chunks: Vec<Bytes>) -> Result<(), Closed> {
        let mut batch = Batch::new(chunks, self.half.is_write_vectored());
        loop {
            let step = poll_fn(|cx| Poll::Ready(batch.poll_step(&mut self.half, cx))).await;
            let step = match step {
                Poll::Ready(step) => step,
                Poll::Pending => Box::pin(self.wait_for_progress(&mut batch)).await?,
            };
            match step {
                Ok(_) if self.options.cut.is_cancelled() => return Err(Closed::Cut),
                Ok(Step::Done) => return Ok(()),
                Ok(Step::Progress) => {}
                Err(_) => return Err(Closed::Broken),
            }
        }
    }

    /// The socket is full: waits until it takes something, the reader ends, patience does, or the time is up.
    async fn wait_for_progress(&mut self, batch: &mut Batch) -> Result<io::Result<Step>, Closed> {
        let Writer { half, reader, options, .. } = self;
        tokio::select! {
            biased;
            () = options.cut.cancelled() => Err(Closed::Cut),
            step = poll_fn(|cx| batch.poll_step(half, cx)) => Ok(step),
            why = poll_fn(|cx| poll_reader(reader, cx)) => Err(why),
            why = end_of_patience(options) => Err(why),
        }
    }

    /// Keeps the pace, which nobody waits for when we are in a hurry.
    async fn pause(&mut self, pace: Duration) -> Result<(), Closed> {
        let Writer { reader, options, .. } = self;
        tokio::select! {
            biased;
            () = options.cut.cancelled() => Err(Closed::Cut),
            why = poll_fn(|cx| poll_reader(reader, cx)) => Err(why),
            () = options.hurry.cancelled() => Ok(()),
            () = sleep(pace) => Ok(()),
        }
    }

    /// Everything was written and flushed: tells the peer that nothing more comes.
    async fn finish(&mut self) -> Closed {
        let Writer { half, options, .. } = self;
        tokio::select! {
            done = timeout(SHUTDOWN, half.shutdown()) => match done {
                Ok(Ok(())) => Closed::Finished,
                Ok(Err(_)) => Closed::Broken,
                Err(_) => Closed::Stalled,
            },
            () = options.cut.cancelled() => Closed::Cut,
        }
    }
}

impl<T: Transmitter> Drop for Writer<T> {
    fn drop(&mut self) {
        if self.end.is_some() {
            // A panic is under way, or the runtime ends. A second panic on top of it would end the whole process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.transmitter.closed(Closed::Abandoned)));
        }
    }
}

/// Whether the reader is over before us, which is always the end.
fn poll_reader(reader: &mut oneshot::Receiver<ReadFailed>, cx: &mut Context<'_>) -> Poll<Closed> {
    Pin::new(reader).poll(cx).map(|end| end.map_or(Closed::Abandoned, |ReadFailed| Closed::Broken))
}

/// Ends when a write that makes no progress should be given up.
async fn end_of_patience(options: &Options) -> Closed {
    let stall = async {
        match options.stall_timeout {
            Duration::ZERO => std::future::pending().await,
            stall_timeout => sleep(stall_timeout).await,
        }
    };
    let hurried = async {
        options.hurry.cancelled().await;
        sleep(HURRIED_STALL).await;
    };
    tokio::select! {
        () = stall => Closed::Stalled,
        () = hurried => Closed::Hurried,
    }
}

/// Chunks on their way into the stream.
struct Batch {
    chunks: Vec<Bytes>,
    /// The first one of which something is left.
    first: usize,
}

enum Step {
    /// Something was taken, and something is left.
    Progress,
    /// Everything was taken, and is on its way.
    Done,
}

impl Batch {
    fn new(chunks: Vec<Bytes>, is_vectored: bool) -> Batch {
        let chunks = if is_vectored || chunks.len() < 2 { chunks } else { gather(chunks) };
        Batch { chunks, first: 0 }
    }

    /// Writes until the stream takes no more. What it took is accounted for in the same poll.
    fn poll_step(&mut self, half: &mut WriteHalf, cx: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let mut progress = false;
        loop {
            let left = self.chunks.get(self.first..).unwrap_or_default();
            let taken = match left {
                [] => {
                    ready!(Pin::new(half).poll_flush(cx))?;
                    return Poll::Ready(Ok(Step::Done));
                }
                [chunk, ..] if chunk.is_empty() => {
                    self.first += 1;
                    continue;
                }
                [chunk] => Pin::new(&mut *half).poll_write(cx, chunk),
                several => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    let mut count = 0;
                    for (slice, chunk) in slices.iter_mut().zip(several) {
                        *slice = IoSlice::new(chunk);
                        count += 1;
                    }
                    Pin::new(&mut *half).poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
                }
            };
            match taken {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(taken)) => {
                    self.advance(taken);
                    progress = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if progress => return Poll::Ready(Ok(Step::Progress)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The stream has taken so many bytes. Chunks that are through are let go of at once.
    fn advance(&mut self, mut taken: usize) {
        while let Some(chunk) = self.chunks.get_mut(self.first) {
            if taken < chunk.len() {
                chunk.advance(taken);
                return;
            }
            taken -= chunk.len();
            *chunk = Bytes::new();
            self.first += 1;
        }
    }
}

/// Puts small neighbours together: on a stream that takes one slice at a time each chunk would be a write of its own.
fn gather(chunks: Vec<Bytes>) -> Vec<Bytes> {
    let mut gathered = Vec::new();
    let mut small = BytesMut::new();
    for chunk in chunks {
        if small.len() + chunk.len() > GATHERED_BYTES && !small.is_empty() {
            gathered.push(small.split().freeze());
        }
        if chunk.len() >= GATHERED_BYTES {
            gathered.push(chunk);
        } else {
            small.extend_from_slice(&chunk);
        }
    }
    if !small.is_empty() {
        gathered.push(small.freeze());
    }
    gathered
}
