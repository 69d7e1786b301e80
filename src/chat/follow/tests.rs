//! Rounds, one by one: commits are shown only when a test says so, and what a session sends is asked for without waiting.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use super::*;
use crate::chat::{Asking, Chat, Limits, Options, Origin};
use crate::model::SystemClock;
use crate::protocol::request::{Credential, Kind, Request, Since, Start, Tag};
use crate::protocol::{Ask, Response};
use crate::store::memory::MemoryStore;

/// How long anything may take that should come at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is told behind the last entry.
fn farewell() -> Hint {
    Hint::Removed { room: RoomName::trusted("den"), seq: Seq(1), change: "kick", reason: None }
}

/// A chat whose publisher runs only while a test waits for it.
struct World {
    chat: Arc<Chat>,
    publishing: Pin<Box<dyn Future<Output = ()>>>,
}

impl World {
    async fn new(rooms: &[&str]) -> World {
        let limits = Limits { messages_per_second: 0, ..Limits::default() };
        let default_rooms = rooms.iter().map(|name| RoomName::trusted(name)).collect();
        let options = Options { limits, default_rooms, ..Options::default() };
        let opened = Chat::open(Arc::new(MemoryStore::new()), Arc::new(SystemClock), options).await;
        let (chat, publisher) = opened.expect("an empty store opens");
        World { chat, publishing: Box::pin(publisher.run()) }
    }

    fn room(&self, name: &str) -> Arc<Room> {
        self.chat.rooms.named(&RoomName::trusted(name)).expect("a room")
    }

    /// A guest of that name who has joined these rooms, with nothing left to be sent.
    async fn guest(&mut self, name: &str, rooms: &[&str]) -> Arc<Session> {
        let session = self.chat.session(Origin::Host);
        let login = Request::Login { username: name.into(), credential: Credential::None };
        self.done(&session, Kind::Login, login).await;
        for room in rooms {
            self.done(&session, Kind::Join, join(room, Start::Now)).await;
        }
        let (answers, _) = read(&rounds(&session));
        assert_eq!(answers, 1 + rooms.len());
        session
    }

    /// Asks, and publishes until that has its answer.
    async fn done(&mut self, session: &Arc<Session>, kind: Kind, request: Request) {
        if let Asking::Later(mut asking) = session.ask(Ask { tag: Tag::new(kind), request: Ok(request) }) {
            self.publish_while(|cx| asking.as_mut().poll(cx).is_pending()).await;
        }
    }

    /// Says something so many times, and publishes it.
    async fn say(&mut self, session: &Arc<Session>, room: &str, count: u64) {
        let head = self.room(room).head();
        for said in 1..=count {
            say_unpublished(session, room);
            self.publish_until(room, Seq(head.0 + said)).await;
            session.inner().outbox.take(&mut Vec::new());
        }
    }

    /// Publishes until the head of a room is there.
    async fn publish_until(&mut self, room: &str, head: Seq) {
        let room = self.room(room);
        self.publish_while(|_| room.head() < head).await;
    }

    async fn publish_while(&mut self, mut waits: impl FnMut(&mut Context<'_>) -> bool) {
        let publishing = &mut self.publishing;
        let published = poll_fn(|cx| {
            let _ = publishing.as_mut().poll(cx);
            if waits(cx) { Poll::Pending } else { Poll::Ready(()) }
        });
        tokio::time::timeout(PATIENCE, published).await.expect("what was queued is published");
    }
}

fn join(room: &str, start: Start) -> Request {
    Request::Join { room: RoomName::trusted(room), start }
}

fn since(seq: u64) -> Start {
    Start::Since(Since { seq: Seq(seq), epoch: None })
}

/// Says something that nobody can see before it is published.
fn say_unpublished(session: &Arc<Session>, room: &str) {
    let room = RoomName::trusted(room);
    let request = Request::Message { room, text: "hello".into(), nonce: None, reply_to: None, action: false };
    let asking = session.ask(Ask { tag: Tag::new(Kind::Message), request: Ok(request) });
    assert!(matches!(asking, Asking::Done(_)), "a message waits for nothing");
}

/// The next round, if there is one now. A store of maps answers at once, so that this does not end in mid-read.
fn round(session: &Arc<Session>) -> Option<Round> {
    match pin!(session.next()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(round) => Some(round),
        Poll::Pending => None,
    }
}

/// All rounds that there are now.
fn rounds(session: &Arc<Session>) -> Vec<Round> {
    std::iter::from_fn(|| round(session)).collect()
}

/// How many answers rounds hold, and which entries: the room and the number of each.
fn read(rounds: &[Round]) -> (usize, Vec<(String, u64)>) {
    let answers = rounds.iter().map(|round| round.answers.len()).sum();
    (answers, rounds.iter().flat_map(|round| entries(&round.entries)).collect())
}

fn entries(entries: &Entries) -> Vec<(String, u64)> {
    match entries {
        Entries::Typed(room, entry) => vec![(room.to_string(), entry.seq.0)],
        Entries::Encoded(chunks) => {
            let bytes = chunks.concat();
            let lines = bytes.split_inclusive(|byte| *byte == b'\n');
            let entry = |line| {
                let object: serde_json::Value = serde_json::from_slice(line).expect("a line is an object");
                (object["room"].as_str().expect("a room").to_owned(), object["seq"].as_u64().expect("a number"))
            };
            lines.map(entry).collect()
        }
    }
}

fn of(room: &str, seqs: impl IntoIterator<Item = u64>) -> Vec<(String, u64)> {
    seqs.into_iter().map(|seq| (room.to_owned(), seq)).collect()
}

#[tokio::test]
async fn the_answer_to_a_join_comes_before_entries_that_were_committed_meanwhile() {
    for form in [Form::Encoded, Form::Typed] {
        let mut world = World::new(&["den", "side"]).await;
        let (author, reader) = (world.guest("author", &["den", "side"]).await, world.guest("reader", &["side"]).await);
        reader.set_form(form);
        // As the request does it, but with time between the two.
        reader.inner().asking = true;
        reader.follow(&world.room("den"), Some).expect("it may be followed");
        world.say(&author, "den", 2).await;
        world.say(&author, "side", 1).await;
        assert_eq!(read(&rounds(&reader)), (0, Vec::new()), "{form:?}");
        reader.answer(Tag::new(Kind::Join), Ok(Response::Help));
        let first = round(&reader).expect("the answer");
        assert_eq!(first.answers.len(), 1, "{form:?}");
        let mut all = entries(&first.entries);
        all.extend(read(&rounds(&reader)).1);
        all.sort();
        assert_eq!(all, [of("den", 1..=2), of("side", [1])].concat(), "{form:?}");
    }
}

#[tokio::test]
async fn while_a_leave_waits_for_its_commit_only_its_own_room_is_held_back() {
    for form in [Form::Encoded, Form::Typed] {
        let mut world = World::new(&["den", "side"]).await;
        let rooms = ["den", "side"];
        let (author, reader) = (world.guest("author", &rooms).await, world.guest("reader", &rooms).await);
        reader.set_form(form);
        reader.inner().asking = true;
        reader.hold(&world.room("den"));
        world.say(&author, "den", 2).await;
        world.say(&author, "side", 2).await;
        assert_eq!(read(&rounds(&reader)), (0, of("side", 1..=2)), "{form:?}");
        reader.put_out(&world.room("den"), Seq(2), farewell());
        reader.answer(Tag::new(Kind::Leave), Ok(Response::Help));
        world.say(&author, "den", 1).await;
        let first = round(&reader).expect("the answer");
        assert_eq!(first.answers.len(), 1, "{form:?}");
        let mut rest = entries(&first.entries);
        rest.extend(read(&rounds(&reader)).1);
        assert_eq!(rest, of("den", 1..=2), "{form:?}: what came before the end, and nothing behind it");
    }
}

#[tokio::test]
async fn an_own_entry_never_comes_before_its_answer() {
    for form in [Form::Encoded, Form::Typed] {
        let mut world = World::new(&["den", "side"]).await;
        let rooms = ["den", "side"];
        let (author, other) = (world.guest("author", &rooms).await, world.guest("other", &rooms).await);
        author.set_form(form);
        // An earlier request that has no answer yet keeps those behind it waiting.
        let earlier = author.open(Tag::new(Kind::Message));
        world.say(&other, "den", 1).await;
        say_unpublished(&author, "den");
        world.publish_until("den", Seq(2)).await;
        world.say(&other, "den", 1).await;
        world.say(&other, "side", 1).await;
        let (answers, mut before) = read(&rounds(&author));
        before.sort();
        assert_eq!((answers, before), (0, [of("den", [1]), of("side", [1])].concat()), "{form:?}");
        author.settle(earlier, Ok(Response::Help), None);
        author.published();
        let first = round(&author).expect("the answers");
        assert_eq!(first.answers.len(), 2, "{form:?}");
        let mut rest = entries(&first.entries);
        rest.extend(read(&rounds(&author)).1);
        assert_eq!(rest, of("den", 2..=3), "{form:?}");
    }
}

#[tokio::test]
async fn who_lags_reads_the_log_and_gets_no_entry_twice() {
    for form in [Form::Encoded, Form::Typed] {
        let mut world = World::new(&["den"]).await;
        let author = world.guest("author", &["den"]).await;
        author.stop_following(&world.room("den"));
        // Nobody follows, so nothing of this is in memory.
        world.say(&author, "den", 600).await;
        let reader = world.guest("reader", &[]).await;
        reader.set_form(form);
        world.done(&reader, Kind::Join, join("den", since(0))).await;
        let mut all = Vec::new();
        for posted in [601, 602, 603] {
            // A few rounds, and then something new, which is in memory.
            for _ in 0..2 {
                all.extend(round(&reader).iter().flat_map(|round| entries(&round.entries)));
            }
            world.say(&author, "den", 1).await;
            assert_eq!(world.room("den").head(), Seq(posted));
        }
        all.extend(read(&rounds(&reader)).1);
        assert_eq!(all, of("den", 1..=603), "{form:?}");
    }
}

#[tokio::test]
async fn what_was_read_ahead_is_void_when_the_cursor_is_set_anew() {
    let mut world = World::new(&["den"]).await;
    let author = world.guest("author", &["den"]).await;
    author.stop_following(&world.room("den"));
    world.say(&author, "den", 20).await;
    let reader = world.guest("reader", &[]).await;
    reader.set_form(Form::Typed);
    world.done(&reader, Kind::Join, join("den", since(0))).await;
    assert_eq!(round(&reader).map(|round| round.answers.len()), Some(1));
    let taken: Vec<Round> = (0..3).filter_map(|_| round(&reader)).collect();
    assert_eq!(read(&taken).1, of("den", 1..=3));
    world.done(&reader, Kind::Join, join("den", since(18))).await;
    let (_, all) = read(&rounds(&reader));
    assert_eq!(all, of("den", 19..=20));
}

#[tokio::test]
async fn a_room_that_is_behind_has_its_turn_while_another_is_busy() {
    for form in [Form::Encoded, Form::Typed] {
        let mut world = World::new(&["slow", "busy", "busier"]).await;
        let author = world.guest("author", &["slow", "busy", "busier"]).await;
        author.stop_following(&world.room("slow"));
        world.say(&author, "slow", 20).await;
        let reader = world.guest("reader", &["busy", "busier"]).await;
        reader.set_form(form);
        world.done(&reader, Kind::Join, join("slow", since(0))).await;
        let mut slow = 0;
        for _ in 0..100 {
            world.say(&author, "busy", 1).await;
            world.say(&author, "busier", 1).await;
            let round = round(&reader).expect("something new");
            slow += entries(&round.entries).iter().filter(|(room, _)| room == "slow").count();
        }
        assert_eq!(slow, 20, "{form:?}");
    }
}

#[tokio::test]
async fn a_room_is_followed_up_to_where_it_ends_and_no_further() {
    for form in [Form::Encoded, Form::Typed] {
        let mut world = World::new(&["den", "side"]).await;
        let rooms = ["den", "side"];
        let (author, reader) = (world.guest("author", &rooms).await, world.guest("reader", &rooms).await);
        reader.set_form(form);
        world.say(&author, "den", 1).await;
        reader.put_out(&world.room("den"), Seq(3), farewell());
        // A later end does not put the first one off.
        reader.put_out(&world.room("den"), Seq(5), farewell());
        assert_eq!(read(&rounds(&reader)).1, of("den", [1]), "{form:?}");
        world.say(&author, "den", 3).await;
        world.say(&author, "side", 1).await;
        let (_, mut all) = read(&rounds(&reader));
        all.sort();
        assert_eq!(all, [of("den", 2..=3), of("side", [1])].concat(), "{form:?}");
        let followed: Vec<String> =
            reader.inner().follows.iter().map(|follow| follow.room.name().to_string()).collect();
        assert_eq!(followed, ["side"], "{form:?}");
        let den = world.room("den");
        assert!(den.live().followers.iter().all(|follower| !Arc::ptr_eq(&follower.session, &reader)), "{form:?}");
    }
}

#[tokio::test]
async fn a_session_that_has_to_end_sends_what_its_rooms_held_at_that_moment() {
    for form in [Form::Encoded, Form::Typed] {
        let mut world = World::new(&["den"]).await;
        let (author, reader) = (world.guest("author", &["den"]).await, world.guest("reader", &["den"]).await);
        reader.set_form(form);
        world.say(&author, "den", 2).await;
        reader.finish(None);
        world.say(&author, "den", 2).await;
        let mut sent = Vec::new();
        while let Some(round) = round(&reader) {
            let last = round.last;
            sent.push(round);
            if last {
                break;
            }
        }
        assert_eq!(read(&sent).1, of("den", 1..=2), "{form:?}");
        assert!(sent.last().is_some_and(|round| round.last), "{form:?}");
    }
}
