//! The task that reads: bytes into the framer, objects to the receiver, one after the other.

use std::future::{Future, poll_fn};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{Flow, Options, ReadFailed, Receiver, WriterEnd};
use crate::net::framing::{Framer, READ_BYTES};
use crate::net::stream::ReadHalf;

/// How long a peer may take to read our last line and close, and how long when we are in a hurry.
const DRAIN: Duration = Duration::from_secs(1);
const HURRIED_DRAIN: Duration = Duration::from_millis(300);

pub(super) struct Reader<R> {
    half: ReadHalf,
    framer: Framer,
    receiver: R,
    begun: bool,
    /// The timer of the deadline, if that was ever waited for.
    timer: Option<Pin<Box<Sleep>>>,
    /// The deadline that has passed.
    passed: Option<Instant>,
    /// Must not be polled again once it has said something.
    writer: oneshot::Receiver<WriterEnd>,
    /// Dropped with the reader, which tells the writer.
    end: Option<oneshot::Sender<ReadFailed>>,
    options: Arc<Options>,
}

/// Why there is nothing more to judge.
enum Left {
    Stopped,
    Ended,
    Failed,
    Writer(WriterEnd),
}

/// What a wait for bytes has brought.
enum Event {
    Bytes,
    End,
    Failed,
    Expired(Instant),
    Writer(WriterEnd),
}

impl<R: Receiver> Reader<R> {
    pub(super) fn new(
        half: ReadHalf,
        receiver: R,
        writer: oneshot::Receiver<WriterEnd>,
        end: oneshot::Sender<ReadFailed>,
        options: Arc<Options>,
    ) -> Reader<R> {
        let framer = Framer::new();
        Reader { half, framer, receiver, begun: false, timer: None, passed: None, writer, end: Some(end), options }
    }

    pub(super) async fn run(&mut self) {
        let mut left = self.serve().await;
        self.framer = Framer::new();
        if let Left::Stopped = left {
            left = self.discard().await;
        } else if let Left::Ended = left {
            self.receiver.ended().await;
        }
        match left {
            Left::Failed => {
                self.receiver.broken();
                // If the writer is over already, it does not need to know.
                let _ = self.end.take().map(|end| end.send(ReadFailed));
            }
            Left::Writer(WriterEnd::Finished) => Box::pin(self.drain()).await,
            Left::Writer(WriterEnd::Failed) => {}
            Left::Stopped | Left::Ended => {
                // There is nothing to drain. We only stay because the writer takes our end for a failure.
                let _ = (&mut self.writer).await;
            }
        }
    }

    /// Hands objects to the receiver until there will be no more.
    async fn serve(&mut self) -> Left {
        loop {
            loop {
                match self.writer.try_recv() {
                    Ok(end) => return Left::Writer(end),
                    Err(oneshot::error::TryRecvError::Closed) => return Left::Writer(WriterEnd::Failed),
                    Err(oneshot::error::TryRecvError::Empty) => {}
                }
                let Some(frame) = self.framer.next(&self.receiver.rules()) else { break };
                match self.receiver.receive(frame).await {
                    Flow::Continue => {}
                    Flow::Stop => return Left::Stopped,
                }
            }
            let deadline = self.receiver.deadline().filter(|deadline| self.passed != Some(*deadline));
            match poll_fn(|cx| self.poll_event(cx, deadline)).await {
                Event::Bytes if self.begun => {}
                Event::Bytes => {
                    self.begun = true;
                    self.receiver.began();
                }
                Event::End => return Left::Ended,
                Event::Failed => return Left::Failed,
                Event::Writer(end) => return Left::Writer(end),
                Event::Expired(deadline) => {
                    self.passed = Some(deadline);
                    self.timer = None;
                    match self.receiver.expired() {
                        Flow::Continue => {}
                        Flow::Stop => return Left::Stopped,
                    }
                }
            }
        }
    }

    /// Waits for bytes, for the deadline and for the writer's end.
    fn poll_event(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<Event> {
        if let Poll::Ready(end) = self.poll_writer(cx) {
            return Poll::Ready(Event::Writer(end));
        }
        // Also asked of those who always have bytes ready: they never get as far as the timer.
        if let Some(deadline) = deadline.filter(|deadline| *deadline <= Instant::now()) {
            return Poll::Ready(Event::Expired(deadline));
        }
        let room = self.framer.room(&self.receiver.rules());
        let framer = &mut self.framer;
        match poll_read(&mut self.half, cx, room, |bytes| framer.push(bytes)) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Event::End),
            Poll::Ready(Ok(_)) => return Poll::Ready(Event::Bytes),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::Failed),
            Poll::Pending => {}
        }
        let Some(deadline) = deadline else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| Event::Expired(deadline))
    }

    /// Throws away what comes, until the writer has ended: a peer that is still sending must not wait for us.
    async fn discard(&mut self) -> Left {
        poll_fn(|cx| {
            if let Poll::Ready(end) = self.poll_writer(cx) {
                return Poll::Ready(Left::Writer(end));
            }
            self.poll_discard(cx)
        })
        .await
    }

    /// Throws away what comes, for a moment, after the writer has finished.
    async fn drain(&mut self) {
        let options = Arc::clone(&self.options);
        let patience = async {
            tokio::select! {
                () = sleep(DRAIN) => {}
                () = async { options.hurry.cancelled().await; sleep(HURRIED_DRAIN).await } => {}
                () = options.cut.cancelled() => {}
            }
        };
        tokio::select! {
            biased;
            () = patience => {}
            _ = poll_fn(|cx| self.poll_discard(cx)) => {}
        }
    }

    fn poll_writer(&mut self, cx: &mut Context<'_>) -> Poll<WriterEnd> {
        Pin::new(&mut self.writer).poll(cx).map(|end| end.unwrap_or(WriterEnd::Failed))
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<Left> {
        // The socket itself says when this task has had enough for now, so the loop ends.
        loop {
            match poll_read(&mut self.half, cx, READ_BYTES, |_| ()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Left::Ended),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Left::Failed),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Reads what has come, through a buffer on the stack, so that whoever waits has none.
fn poll_read(
    half: &mut ReadHalf,
    cx: &mut Context<'_>,
    room: usize,
    take: impl FnOnce(&[u8]),
) -> Poll<std::io::Result<usize>> {
    let mut space = [const { MaybeUninit::uninit() }; READ_BYTES];
    let mut buffer = ReadBuf::uninit(space.get_mut(..room).unwrap_or_default());
    Pin::new(half).poll_read(cx, &mut buffer).map_ok(|()| {
        take(buffer.filled());
        buffer.filled().len()
    })
}
