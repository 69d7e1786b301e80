//! Both tasks of a connection at work, over real sockets.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;

use super::*;
use crate::net::framing::Fault;
use crate::net::stream::{Duplex, ReadHalf, WriteHalf, memory_pair};

/// What the receiver was called with.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Began,
    Object(String),
    Fault(Fault),
    Expired,
    Ended,
    Broken,
}

enum Say {
    Bytes(Bytes),
    Paced(Bytes, Duration),
    Forever(Bytes),
    Finish,
    Panic,
}

/// Does what the objects say: `{"stop":1}`, `{"panic":1}`, `{"hang":1}`; all others are echoed as a line.
struct Ear {
    heard: mpsc::UnboundedSender<Heard>,
    voice: Option<mpsc::UnboundedSender<Say>>,
    over: CancellationToken,
    deadline: Option<Instant>,
}

/// Says what it is told. Finishes when nobody can tell it anything any more.
struct Voice {
    told: mpsc::UnboundedReceiver<Say>,
    forever: Option<Bytes>,
    over: CancellationToken,
    closed: mpsc::UnboundedSender<Closed>,
}

impl Ear {
    fn say(&self, what: Say) {
        if let Some(voice) = &self.voice {
            // Nobody listens where the writer is over.
            let _ = voice.send(what);
        }
    }

    fn note(&self, what: Heard) {
        let _ = self.heard.send(what);
    }
}

impl Receiver for Ear {
    fn rules(&self) -> Rules {
        Rules { max_bytes: 8192, lenient: false }
    }

    async fn receive(&mut self, frame: Frame<'_>) -> Flow {
        match frame {
            Frame::Object(object) => {
                self.note(Heard::Object(object.to_owned()));
                match object {
                    "{\"stop\":1}" => {
                        self.say(Say::Bytes(Bytes::from_static(b"bye\n")));
                        self.say(Say::Finish);
                        return Flow::Stop;
                    }
                    "{\"panic\":1}" => panic!("a receiver was told to panic"),
                    "{\"hang\":1}" => self.over.cancelled().await,
                    _ => self.say(Say::Bytes(format!("{object}\n").into())),
                }
            }
            Frame::Fault(fault) => self.note(Heard::Fault(fault)),
        }
        Flow::Continue
    }

    fn began(&mut self) {
        self.note(Heard::Began);
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn expired(&mut self) -> Flow {
        self.note(Heard::Expired);
        self.say(Say::Bytes(Bytes::from_static(b"too late\n")));
        Flow::Continue
    }

    async fn ended(&mut self) {
        self.note(Heard::Ended);
        self.voice = None;
    }

    fn broken(&mut self) {
        self.note(Heard::Broken);
    }
}

impl Transmitter for Voice {
    async fn next(&mut self, out: &mut Outgoing) -> Then {
        if let Some(bytes) = &self.forever {
            out.chunks.push(bytes.clone());
            return Then::More;
        }
        let mut told = self.told.recv().await;
        loop {
            match told {
                Some(Say::Bytes(bytes)) => out.chunks.push(bytes),
                Some(Say::Paced(bytes, pace)) => {
                    out.chunks.push(bytes);
                    out.pace = Some(pace);
                    return Then::More;
                }
                Some(Say::Forever(bytes)) => self.forever = Some(bytes),
                Some(Say::Finish) | None => return Then::Finish,
                Some(Say::Panic) => panic!("a transmitter was told to panic"),
            }
            match self.told.try_recv() {
                Ok(more) => told = Some(more),
                Err(mpsc::error::TryRecvError::Disconnected) => told = None,
                Err(mpsc::error::TryRecvError::Empty) => return Then::More,
            }
        }
    }

    fn closed(&mut self, why: Closed) {
        self.over.cancel();
        let _ = self.closed.send(why);
    }
}

/// A connection under test, seen from outside.
struct Fixture {
    heard: mpsc::UnboundedReceiver<Heard>,
    closed: mpsc::UnboundedReceiver<Closed>,
    voice: mpsc::WeakUnboundedSender<Say>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Setup {
    options: Options,
    deadline: Option<Instant>,
}

impl Setup {
    fn start(self, stream: Stream) -> Fixture {
        let (heard_sender, heard) = mpsc::unbounded_channel();
        let (closed_sender, closed) = mpsc::unbounded_channel();
        let (voice, told) = mpsc::unbounded_channel();
        let over = CancellationToken::new();
        let tasks = TaskTracker::new();
        let fixture = Fixture { heard, closed, voice: voice.downgrade(), tasks: tasks.clone() };
        let ear = Ear { heard: heard_sender, voice: Some(voice), over: over.clone(), deadline: self.deadline };
        let voice = Voice { told, forever: None, over, closed: closed_sender };
        spawn(stream, ear, voice, Arc::new(self.options), &tasks);
        tasks.close();
        fixture
    }
}

impl Fixture {
    fn say(&self, what: Say) {
        assert!(self.voice.upgrade().is_some_and(|voice| voice.send(what).is_ok()), "nobody listens");
    }

    async fn heard(&mut self) -> Option<Heard> {
        soon(self.heard.recv()).await
    }

    async fn closed(&mut self) -> Option<Closed> {
        soon(self.closed.recv()).await
    }

    /// Both tasks are over, and the transmitter was told so once.
    async fn expect_end(mut self, why: Closed) {
        assert_eq!(self.closed().await, Some(why));
        soon(self.tasks.wait()).await;
        assert_eq!(self.closed().await, None, "told twice");
    }
}

/// Nothing here takes long; what does would hang.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it took too long")
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

async fn start_tcp(setup: Setup) -> (ReadHalf, WriteHalf, Fixture) {
    let (client, server) = tcp_pair().await;
    let (read, write) = Stream::from(client).split();
    (read, write, setup.start(server.into()))
}

async fn read_all(read: &mut ReadHalf) -> String {
    let mut text = String::new();
    soon(read.read_to_string(&mut text)).await.unwrap();
    text
}

/// A stream that takes little at a time, and one slice only.
struct Narrow(tokio::io::DuplexStream);

impl AsyncRead for Narrow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..bytes.len().min(3)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn objects_are_answered_in_order_over_every_kind_of_stream() {
    let (tcp_client, tcp_server) = tcp_pair().await;
    let (unix_client, unix_server) = UnixStream::pair().unwrap();
    let (narrow_client, narrow_server) = tokio::io::duplex(5);
    let narrow_server: Box<dyn Duplex> = Box::new(Narrow(narrow_server));
    for (client, server) in [
        (Stream::from(tcp_client), Stream::from(tcp_server)),
        (unix_client.into(), unix_server.into()),
        memory_pair(),
        #[cfg(feature = "tls")]
        crate::net::tls::tests::pair().await,
        (narrow_client.into(), narrow_server.into()),
    ] {
        let shown = format!("{server:?}");
        let mut fixture = Setup::default().start(server);
        let (mut read, mut write) = client.split();
        let objects: Vec<String> = (0..2000).map(|number| format!("{{\"number\":{number}}}")).collect();
        let sent = objects.concat();
        let sending = tokio::spawn(async move {
            for piece in sent.as_bytes().chunks(777) {
                write.write_all(piece).await.unwrap();
            }
            write.shutdown().await.unwrap();
        });
        assert_eq!(read_all(&mut read).await, objects.join("\n") + "\n", "{shown}");
        sending.await.unwrap();
        assert_eq!(fixture.heard().await, Some(Heard::Began));
        for object in objects {
            assert_eq!(fixture.heard().await, Some(Heard::Object(object)), "{shown}");
        }
        assert_eq!(fixture.heard().await, Some(Heard::Ended));
        fixture.expect_end(Closed::Finished).await;
    }
}

#[tokio::test]
async fn chunks_of_all_sizes_arrive_whole_and_in_order() {
    let (mut read, write, fixture) = start_tcp(Setup::default()).await;
    let mut expected = Vec::new();
    for number in 0..5000_usize {
        let chunk = vec![number as u8; number * 37 % 1000 + if number % 500 == 0 { 100_000 } else { 0 }];
        expected.extend_from_slice(&chunk);
        fixture.say(Say::Bytes(chunk.into()));
    }
    fixture.say(Say::Finish);
    let mut taken = Vec::new();
    let mut piece = vec![0; 10_000];
    loop {
        let count = soon(read.read(&mut piece)).await.unwrap();
        if count == 0 {
            break;
        }
        taken.extend_from_slice(&piece[..count]);
    }
    assert!(taken == expected, "{} bytes of {}", taken.len(), expected.len());
    drop((read, write));
    fixture.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn faults_reach_the_receiver_in_their_order() {
    let (mut read, mut write, mut fixture) = start_tcp(Setup::default()).await;
    write.write_all(b"{\"a\":1}x\n{\"a\":2}").await.unwrap();
    write.write_all(format!("{{\"a\":\"{}", "x".repeat(10_000)).as_bytes()).await.unwrap();
    write.shutdown().await.unwrap();
    assert_eq!(read_all(&mut read).await, "{\"a\":1}\n{\"a\":2}\n");
    for expected in [
        Heard::Began,
        Heard::Object("{\"a\":1}".into()),
        Heard::Fault(Fault::BadJson),
        Heard::Object("{\"a\":2}".into()),
        Heard::Fault(Fault::TooLarge),
        Heard::Ended,
    ] {
        assert_eq!(fixture.heard().await, Some(expected));
    }
}

#[tokio::test]
async fn half_a_close_still_gets_what_is_due_to_it() {
    let (mut read, mut write, fixture) = start_tcp(Setup::default()).await;
    write.write_all(b"{\"a\":1}{\"a\":2").await.unwrap();
    write.shutdown().await.unwrap();
    assert_eq!(read_all(&mut read).await, "{\"a\":1}\n");
    fixture.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let options = Options { stall_timeout: Duration::from_millis(100), ..Options::default() };
    let (_read, _write, fixture) = start_tcp(Setup { options, ..Setup::default() }).await;
    fixture.say(Say::Forever(vec![b'x'; 100_000].into()));
    fixture.expect_end(Closed::Stalled).await;
}

// Nothing but memory and timers, so the clock may jump.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_something_is_not() {
    let options = Options { stall_timeout: Duration::from_secs(1), ..Options::default() };
    let (client, server) = tokio::io::duplex(100);
    let fixture = Setup { options, ..Setup::default() }.start(server.into());
    let (mut read, write) = Stream::from(client).split();
    fixture.say(Say::Bytes(vec![b'x'; 1500].into()));
    fixture.say(Say::Finish);
    // Each piece comes well within the timeout, all of them together well after it.
    let mut piece = [0; 50];
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        soon(read.read_exact(&mut piece)).await.unwrap();
    }
    drop((read, write));
    fixture.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn a_peer_that_takes_nothing_does_not_hold_up_a_shutdown() {
    let hurry = CancellationToken::new();
    let options = Options { hurry: hurry.clone(), ..Options::default() };
    let (_read, _write, fixture) = start_tcp(Setup { options, ..Setup::default() }).await;
    fixture.say(Say::Forever(vec![b'x'; 100_000].into()));
    hurry.cancel();
    fixture.expect_end(Closed::Hurried).await;
}

// Nothing but memory and timers, so the clock may jump.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_little_now_and_then_is_cut_when_the_time_is_up() {
    let (hurry, cut) = (CancellationToken::new(), CancellationToken::new());
    let options = Options { hurry: hurry.clone(), cut: cut.clone(), ..Options::default() };
    let (client, server) = tokio::io::duplex(1);
    let mut fixture = Setup { options, ..Setup::default() }.start(server.into());
    let (mut read, _write) = Stream::from(client).split();
    fixture.say(Say::Forever(vec![b'x'; 100_000].into()));
    hurry.cancel();
    // Longer than one may make no progress in a hurry, but there is progress.
    for _ in 0..14 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        soon(read.read_u8()).await.unwrap();
    }
    assert!(fixture.closed.try_recv().is_err());
    cut.cancel();
    fixture.expect_end(Closed::Cut).await;
}

#[tokio::test]
async fn a_peer_that_takes_everything_there_is_is_cut_too() {
    let cut = CancellationToken::new();
    let options = Options { cut: cut.clone(), ..Options::default() };
    let (mut read, _write, fixture) = start_tcp(Setup { options, ..Setup::default() }).await;
    fixture.say(Say::Forever(vec![b'x'; 1000].into()));
    let taking = tokio::spawn(async move {
        let mut piece = vec![0; 100_000];
        while read.read(&mut piece).await.is_ok_and(|count| count > 0) {}
    });
    cut.cancel();
    fixture.expect_end(Closed::Cut).await;
    soon(taking).await.unwrap();
}

#[tokio::test]
async fn a_pause_ends_with_the_hurry_and_with_the_cut() {
    let long = Duration::from_secs(3600);
    for (why, rest) in [(Closed::Cut, ""), (Closed::Finished, "b")] {
        let options = Options::default();
        let token = if why == Closed::Cut { options.cut.clone() } else { options.hurry.clone() };
        let (mut read, write, fixture) = start_tcp(Setup { options, ..Setup::default() }).await;
        fixture.say(Say::Paced(Bytes::from_static(b"a"), long));
        fixture.say(Say::Paced(Bytes::from_static(b"b"), long));
        fixture.say(Say::Finish);
        assert_eq!(soon(read.read_u8()).await.unwrap(), b'a');
        token.cancel();
        let mut text = String::new();
        // Where it is cut, the peer sees a reset.
        let _ = soon(read.read_to_string(&mut text)).await;
        assert_eq!(text, rest);
        drop((read, write));
        fixture.expect_end(why).await;
    }
}

#[tokio::test]
async fn the_farewell_ends_with_the_cut() {
    let cut = CancellationToken::new();
    let options = Options { cut: cut.clone(), ..Options::default() };
    let (mut read, _write, fixture) = start_tcp(Setup { options, ..Setup::default() }).await;
    fixture.say(Say::Finish);
    assert_eq!(read_all(&mut read).await, "");
    let begun = Instant::now();
    cut.cancel();
    fixture.expect_end(Closed::Finished).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_last_line_arrives_though_input_is_unread() {
    let (mut read, mut write, mut fixture) = start_tcp(Setup::default()).await;
    write.write_all(b"{\"stop\":1}").await.unwrap();
    // More than any buffer holds: with a close that resets, the writing or the reading would fail.
    let sending = tokio::spawn(async move {
        for _ in 0..200 {
            write.write_all(&[b'{'; 100_000]).await?;
        }
        write.shutdown().await
    });
    assert_eq!(read_all(&mut read).await, "bye\n");
    soon(sending).await.unwrap().unwrap();
    assert_eq!(fixture.heard().await, Some(Heard::Began));
    assert_eq!(fixture.heard().await, Some(Heard::Object("{\"stop\":1}".into())));
    assert_eq!(fixture.heard().await, None, "nothing is judged after the stop");
    fixture.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn a_reader_that_waits_ends_with_the_writer() {
    let (mut read, write, fixture) = start_tcp(Setup::default()).await;
    fixture.say(Say::Finish);
    assert_eq!(read_all(&mut read).await, "");
    drop((read, write));
    fixture.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn a_peer_that_never_closes_is_left_after_a_moment() {
    let hurry = CancellationToken::new();
    hurry.cancel();
    for options in [Options::default(), Options { hurry, ..Options::default() }] {
        let (mut read, mut write, fixture) = start_tcp(Setup { options, ..Setup::default() }).await;
        fixture.say(Say::Finish);
        assert_eq!(read_all(&mut read).await, "");
        // Nor does it help to go on sending.
        let sending = tokio::spawn(async move { while write.write_all(b"   ").await.is_ok() {} });
        fixture.expect_end(Closed::Finished).await;
        soon(sending).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_was_reset_is_broken() {
    let (client, server) = tcp_pair().await;
    let mut fixture = Setup::default().start(server.into());
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(fixture.heard().await, Some(Heard::Broken));
    fixture.expect_end(Closed::Broken).await;
}

#[tokio::test]
async fn a_panic_ends_its_own_connection_only() {
    let (mut read, mut write, mut other) = start_tcp(Setup::default()).await;

    let (mut first_read, mut first_write, first) = start_tcp(Setup::default()).await;
    first_write.write_all(b"{\"panic\":1}").await.unwrap();
    assert_eq!(read_all(&mut first_read).await, "");
    first.expect_end(Closed::Abandoned).await;

    // A receiver that waits for room is set free.
    let (mut second_read, mut second_write, mut second) = start_tcp(Setup::default()).await;
    second_write.write_all(b"{\"hang\":1}").await.unwrap();
    assert_eq!(second.heard().await, Some(Heard::Began));
    assert_eq!(second.heard().await, Some(Heard::Object("{\"hang\":1}".into())));
    second.say(Say::Panic);
    assert_eq!(read_all(&mut second_read).await, "");
    second.expect_end(Closed::Abandoned).await;

    write.write_all(b"{\"a\":1}").await.unwrap();
    assert_eq!(other.heard().await, Some(Heard::Began));
    write.shutdown().await.unwrap();
    assert_eq!(read_all(&mut read).await, "{\"a\":1}\n");
    other.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn a_deadline_passes_once() {
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let (mut read, mut write, mut fixture) = start_tcp(Setup { deadline, ..Setup::default() }).await;
    assert_eq!(fixture.heard().await, Some(Heard::Expired));
    write.write_all(b"{\"a\":1}").await.unwrap();
    write.shutdown().await.unwrap();
    assert_eq!(read_all(&mut read).await, "too late\n{\"a\":1}\n");
    assert_eq!(fixture.heard().await, Some(Heard::Began));
    assert_eq!(fixture.heard().await, Some(Heard::Object("{\"a\":1}".into())));
    assert_eq!(fixture.heard().await, Some(Heard::Ended));
    fixture.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn a_deadline_passes_also_for_those_who_never_pause() {
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let (client, server) = memory_pair();
    let mut fixture = Setup { deadline, ..Setup::default() }.start(server);
    let (mut read, mut write) = client.split();
    let sending = tokio::spawn(async move { while write.write_all(&[b' '; 1000]).await.is_ok() {} });
    loop {
        match fixture.heard().await {
            Some(Heard::Began) => {}
            other => break assert_eq!(other, Some(Heard::Expired)),
        }
    }
    fixture.say(Say::Finish);
    assert_eq!(read_all(&mut read).await, "too late\n");
    sending.abort();
    fixture.expect_end(Closed::Finished).await;
}

#[tokio::test]
async fn nothing_is_read_while_the_receiver_waits() {
    let (client, server) = memory_pair();
    let mut fixture = Setup::default().start(server);
    let (_read, mut write) = client.split();
    write.write_all(b"{\"hang\":1}").await.unwrap();
    assert_eq!(fixture.heard().await, Some(Heard::Began));
    assert_eq!(fixture.heard().await, Some(Heard::Object("{\"hang\":1}".into())));
    let mut taken = 0;
    // There is only one thread: whoever wants to read has every chance to do it.
    for _ in 0..1000 {
        if let Poll::Ready(count) = poll_once(write.write(&[b' '; 1000])).await {
            taken += count.unwrap();
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(taken, 16 * 1024, "what the pipe itself holds");
}

/// Polls once.
async fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[tokio::test]
async fn a_pace_is_kept() {
    let (mut read, write, fixture) = start_tcp(Setup::default()).await;
    let start = Instant::now();
    for text in ["a", "b", "c"] {
        fixture.say(Say::Paced(Bytes::from_static(text.as_bytes()), Duration::from_millis(40)));
    }
    fixture.say(Say::Finish);
    assert_eq!(read_all(&mut read).await, "abc");
    assert!(start.elapsed() >= Duration::from_millis(120));
    drop((read, write));
    fixture.expect_end(Closed::Finished).await;
}

#[test]
fn the_end_of_the_runtime_is_told_too() {
    let (closed_sender, mut closed) = mpsc::unbounded_channel();
    let (voice, told) = mpsc::unbounded_channel();
    let (heard, _heard) = mpsc::unbounded_channel();
    let over = CancellationToken::new();
    let ear = Ear { heard, voice: Some(voice), over: over.clone(), deadline: None };
    let voice = Voice { told, forever: None, over, closed: closed_sender };
    let (_client, server) = memory_pair();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        spawn(server, ear, voice, Arc::new(Options::default()), &TaskTracker::new());
        tokio::task::yield_now().await;
    });
    drop(runtime);
    assert_eq!(closed.try_recv(), Ok(Closed::Abandoned));
}

#[tokio::test]
async fn the_tasks_of_an_idle_connection_are_small() {
    let (_client, server) = tcp_pair().await;
    let (read, write) = Stream::from(server).split();
    let (heard, _heard) = mpsc::unbounded_channel();
    let (closed, _closed) = mpsc::unbounded_channel();
    let (voice, told) = mpsc::unbounded_channel();
    let over = CancellationToken::new();
    let ear = Ear { heard, voice: Some(voice), over: over.clone(), deadline: None };
    let voice = Voice { told, forever: None, over, closed };
    let options = Arc::new(Options::default());
    let (writer_end, writer_over) = oneshot::channel();
    let (reader_end, reader_over) = oneshot::channel();
    let (ear_bytes, voice_bytes) = (size_of_val(&ear), size_of_val(&voice));
    let mut reader = reader::Reader::new(read, ear, writer_over, reader_end, Arc::clone(&options));
    let mut writer = writer::Writer::new(write, voice, reader_over, writer_end, options);
    let reader = async move { reader.run().await };
    let writer = async move { writer.run().await };
    let (reader_bytes, writer_bytes) = (size_of_val(&reader) - ear_bytes, size_of_val(&writer) - voice_bytes);
    assert!(reader_bytes <= 320, "the reading task has {reader_bytes} bytes of its own");
    assert!(writer_bytes <= 320, "the writing task has {writer_bytes} bytes of its own");
}
