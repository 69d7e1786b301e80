//! The tests that every store passes. Each gets a store that is new and empty.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::model::{
    Anchor, Body, Entry, Epoch, Line, MemberChange, Message, RoomId, RoomKind, RoomName, RoomRole, Seq, Text, Time,
    UserId, Username,
};
use crate::store::{
    Append, Created, Most, NewAccount, NewRoom, Outcome, Settled, Store, StoreError, StoredMember, StoredRoom, Write,
};

/// A store together with its receiver, and words to write with.
pub(crate) struct Subject<S> {
    pub(crate) store: S,
    pub(crate) settled: mpsc::Receiver<Vec<Settled>>,
    /// What came out and was not asked for yet.
    waiting: std::collections::VecDeque<Settled>,
    /// How many batches came out.
    pub(crate) batches: usize,
}

pub(crate) const ALL: Most = Most { entries: usize::MAX, bytes: usize::MAX };

pub(crate) fn most(entries: usize) -> Most {
    Most { entries, bytes: usize::MAX }
}

pub(crate) fn said(room: RoomId, author: i64, text: &str) -> Append {
    Append {
        room,
        generation: 0,
        time: Time(1_000_000),
        author: UserId(author),
        from: format!("user{author}").into(),
        body: Body::Message(Message { text: Text::trusted(text), reply_to: None, action: false }),
        nonce: None,
        origin: Box::new(()),
    }
}

pub(crate) fn member(room: RoomId, user: i64, change: MemberChange, role: Option<RoomRole>) -> Append {
    let reason = (change == MemberChange::Leave).then(|| Line::trusted("has \"enough\"\\"));
    let body = Body::Member { user: "Some\"body".into(), user_id: UserId(user), change, role, reason };
    Append { body, ..said(room, user, "") }
}

pub(crate) fn nonce(append: Append, nonce: &str) -> Append {
    Append { nonce: Some(nonce.into()), ..append }
}

impl<S: Store> Subject<S> {
    pub(crate) fn new(store: S) -> Subject<S> {
        let settled = store.settled().expect("the receiver, once");
        Subject { store, settled, waiting: Default::default(), batches: 0 }
    }

    /// Pushes all of them, so that they may share a commit, without waiting for what becomes of them.
    pub(crate) async fn push(&self, writes: Vec<Write>) {
        let mut placed = Vec::new();
        for write in writes {
            placed.push((self.store.queue().reserve(10).await.expect("a place"), write));
        }
        for (place, write) in placed {
            assert!(self.store.queue().push(place, write).is_ok(), "the queue is open");
        }
    }

    pub(crate) async fn outcome(&mut self) -> Settled {
        while self.waiting.is_empty() {
            self.waiting.extend(self.settled.recv().await.expect("an outcome"));
            self.batches += 1;
        }
        self.waiting.pop_front().expect("just filled")
    }

    /// Pushes them together, and waits for all outcomes.
    pub(crate) async fn append_all(&mut self, appends: Vec<Append>) -> Vec<Outcome> {
        let count = appends.len();
        self.push(appends.into_iter().map(Write::Append).collect()).await;
        let mut outcomes = Vec::new();
        for _ in 0..count {
            outcomes.push(self.outcome().await.outcome);
        }
        outcomes
    }

    pub(crate) async fn append(&mut self, append: Append) -> Outcome {
        self.append_all(vec![append]).await.remove(0)
    }

    pub(crate) async fn create(&self, name: &str, owner: Option<i64>) -> Result<Created<RoomId>, StoreError> {
        let (done, answer) = oneshot::channel();
        self.push(vec![Write::CreateRoom(new_room(name, owner), done)]).await;
        answer.await.expect("an answer")
    }

    /// A room that is certainly new.
    pub(crate) async fn room(&self, name: &str) -> RoomId {
        match self.create(name, None).await {
            Ok(Created::New(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn register(&self, name: &str, skeleton: &str) -> Created<UserId> {
        let (done, answer) = oneshot::channel();
        let account = NewAccount {
            name: Username::trusted(name, &name.to_ascii_lowercase()),
            skeleton: skeleton.into(),
            password_hash: "hash".into(),
            time: Time(7),
        };
        self.push(vec![Write::CreateAccount(account, done)]).await;
        answer.await.expect("an answer").expect("stored")
    }

    pub(crate) async fn stored_room(&self, room: RoomId) -> StoredRoom {
        let rooms = self.store.rooms().await.expect("rooms");
        rooms.into_iter().find(|stored| stored.id == room).expect("the room")
    }

    pub(crate) async fn log(&self, room: RoomId) -> Vec<Entry> {
        self.store.entries(room, Seq::ZERO, Seq(u64::MAX), ALL).await.expect("entries")
    }
}

pub(crate) fn new_room(name: &str, owner: Option<i64>) -> NewRoom {
    NewRoom {
        name: RoomName::trusted(name),
        kind: RoomKind::Public,
        topic: "about it".into(),
        epoch: Epoch("first".into()),
        owner: owner.map(UserId),
        time: Time(5),
    }
}

/// The number that an append got.
pub(crate) fn seq(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Appended(entry) => entry.seq.0,
        other => panic!("not appended: {other:?}"),
    }
}

fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq.0).collect()
}

pub(crate) async fn entries_are_numbered_in_the_order_of_the_queue<S: Store>(store: S) {
    let mut it = Subject::new(store);
    assert!(it.store.settled().is_none(), "there is one receiver");
    let (a, b) = (it.room("a").await, it.room("b").await);
    let appends = (0..100).map(|n| said(if n % 3 == 0 { b } else { a }, -5, &n.to_string())).collect();
    let outcomes = it.append_all(appends).await;
    assert_eq!(outcomes.iter().step_by(3).map(seq).collect::<Vec<_>>(), (1..=34).collect::<Vec<_>>());
    let log = it.log(a).await;
    assert_eq!(seqs(&log), (1..=66).collect::<Vec<_>>());
    let texts: Vec<_> = log.iter().map(text).collect();
    let wanted: Vec<_> = (0..100).filter(|n| n % 3 != 0).map(|n| n.to_string()).collect();
    assert_eq!(texts, wanted);
    assert_eq!(it.stored_room(a).await.head, Seq(66));
}

fn text(entry: &Entry) -> String {
    match &entry.body {
        Body::Message(message) => message.text.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

pub(crate) async fn what_is_read_is_what_was_settled<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let mut deed = said(room, 3, "waves 👋\n\tå\"");
    deed.body =
        Body::Message(Message { text: Text::trusted("waves 👋\n\t\""), reply_to: Some(Seq(9)), action: true });
    let appends = vec![
        deed,
        member(room, 3, MemberChange::Join, Some(RoomRole::Moderator)),
        member(room, 3, MemberChange::Leave, None),
    ];
    for outcome in it.append_all(appends).await {
        let Outcome::Appended(entry) = outcome else { panic!("{outcome:?}") };
        let read = it.store.entries(room, entry.seq.before(), entry.seq, ALL).await.unwrap();
        assert_eq!(read, [entry]);
    }
}

pub(crate) async fn an_origin_comes_back_untouched<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.push(vec![Write::Append(Append { origin: Box::new(String::from("mine")), ..said(room, 1, "x") })]).await;
    assert_eq!(*it.outcome().await.origin.downcast::<String>().unwrap(), "mine");
}

pub(crate) async fn a_nonce_is_stored_once<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (a, b) = (it.room("a").await, it.room("b").await);
    let outcomes = it
        .append_all(vec![
            nonce(said(a, 1, "first"), "n"),
            nonce(said(a, 1, "again in the same batch"), "n"),
            nonce(said(a, 2, "somebody else"), "n"),
            nonce(said(b, 1, "elsewhere"), "n"),
            nonce(said(a, 1, "another"), "N"),
        ])
        .await;
    assert_eq!(seq(&outcomes[0]), 1);
    assert!(matches!(outcomes[1], Outcome::Duplicate { seq: Seq(1), time: Time(1_000_000) }), "{:?}", outcomes[1]);
    assert_eq!([seq(&outcomes[2]), seq(&outcomes[3]), seq(&outcomes[4])], [2, 1, 3]);
    let again = it.append(Append { time: Time(2_000_000), ..nonce(said(a, 1, "again later"), "n") }).await;
    assert!(matches!(again, Outcome::Duplicate { seq: Seq(1), time: Time(1_000_000) }), "{again:?}");
    assert_eq!(it.log(a).await.len(), 3);
}

pub(crate) async fn time_never_falls_in_a_room<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (a, b) = (it.room("a").await, it.room("b").await);
    for (room, time) in [(a, 50), (a, 40), (b, 10), (a, 60)] {
        it.append(Append { time: Time(time), ..said(room, 1, "x") }).await;
    }
    let times: Vec<_> = it.log(a).await.iter().map(|entry| entry.time.0).collect();
    assert_eq!(times, [50, 50, 60]);
    assert_eq!(it.log(b).await[0].time, Time(10));
}

pub(crate) async fn what_stands_behind_a_failure_fails<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let nowhere = RoomId(77);
    let outcomes =
        it.append_all(vec![said(nowhere, 1, "fails"), said(room, 1, "elsewhere"), said(nowhere, 1, "behind it")]).await;
    assert!(matches!(&outcomes[0], Outcome::Failed { generation: 1, error: StoreError::Unavailable(_) }));
    assert_eq!(seq(&outcomes[1]), 1);
    assert!(matches!(&outcomes[2], Outcome::Failed { generation: 1, error: StoreError::Behind }));
    let old = it.append(said(nowhere, 1, "still old")).await;
    assert!(matches!(old, Outcome::Failed { generation: 1, error: StoreError::Behind }));
    let new = it.append(Append { generation: 1, ..said(nowhere, 1, "tried") }).await;
    assert!(matches!(new, Outcome::Failed { generation: 2, error: StoreError::Unavailable(_) }));
}

pub(crate) async fn pages_hold_messages_near_their_anchor<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let join = || member(room, 1, MemberChange::Join, None);
    // Messages at 1 2 3, 504 505 506, 1007; nothing but members between them.
    let mut appends: Vec<Append> = (0..3).map(|_| said(room, 1, "xxxx")).collect();
    appends.extend((0..500).map(|_| join()));
    appends.extend((0..3).map(|_| said(room, 1, "xxxx")));
    appends.extend((0..500).map(|_| join()));
    appends.push(said(room, 1, "xxxx"));
    appends.extend((0..300).map(|_| join()));
    it.append_all(appends).await;
    let table: &[(Anchor, u64, usize, &[u64], bool)] = &[
        (Anchor::Newest, 1, 100, &[1, 2, 3, 504, 505, 506, 1007], false),
        (Anchor::Newest, 1, 7, &[1, 2, 3, 504, 505, 506, 1007], false),
        (Anchor::Newest, 1, 6, &[2, 3, 504, 505, 506, 1007], true),
        (Anchor::Newest, 505, 6, &[505, 506, 1007], false),
        (Anchor::Newest, 600, 6, &[1007], false),
        (Anchor::Newest, 1100, 6, &[], false),
        (Anchor::Newest, 1, 0, &[1007], true),
        (Anchor::Before(Seq(1007)), 1, 2, &[505, 506], true),
        (Anchor::Before(Seq(506)), 1, 2, &[504, 505], true),
        (Anchor::Before(Seq(504)), 1, 3, &[1, 2, 3], false),
        (Anchor::Before(Seq(504)), 3, 3, &[3], false),
        (Anchor::Before(Seq(1)), 1, 3, &[], false),
        (Anchor::Before(Seq(0)), 1, 3, &[], false),
        (Anchor::Before(Seq(u64::MAX)), 1, 1, &[1007], true),
        (Anchor::After(Seq(0)), 1, 2, &[1, 2], true),
        (Anchor::After(Seq(0)), 400, 2, &[504, 505], true),
        (Anchor::After(Seq(3)), 1, 3, &[504, 505, 506], true),
        (Anchor::After(Seq(506)), 1, 3, &[1007], false),
        (Anchor::After(Seq(1007)), 1, 3, &[], false),
        (Anchor::After(Seq(u64::MAX)), 1, 3, &[], false),
        (Anchor::Around(Seq(505)), 1, 4, &[504, 505, 506, 1007], true),
        (Anchor::Around(Seq(505)), 1, 5, &[3, 504, 505, 506, 1007], true),
        (Anchor::Around(Seq(700)), 1, 2, &[506, 1007], true),
        (Anchor::Around(Seq(505)), 1, 1, &[505], true),
        (Anchor::Around(Seq(505)), 1, 100, &[1, 2, 3, 504, 505, 506, 1007], false),
    ];
    for (anchor, first, limit, wanted, more) in table {
        let page = it.store.messages(room, *anchor, Seq(*first), most(*limit)).await.unwrap();
        assert_eq!((&seqs(&page.messages)[..], page.more), (*wanted, *more), "{anchor:?} from {first}, {limit}");
    }
    // Each weighs a little over 100 bytes.
    let page = it.store.messages(room, Anchor::Newest, Seq(1), Most { entries: 9, bytes: 250 }).await.unwrap();
    assert_eq!((seqs(&page.messages), page.more), (vec![506, 1007], true));
    let page = it.store.messages(room, Anchor::After(Seq(0)), Seq(1), Most { entries: 9, bytes: 0 }).await.unwrap();
    assert_eq!((seqs(&page.messages), page.more), (vec![1], true));
    for (anchor, room) in
        [(Anchor::Newest, RoomId(99)), (Anchor::Around(Seq(1)), RoomId(i64::MAX)), (Anchor::After(Seq(0)), RoomId(-1))]
    {
        let page = it.store.messages(room, anchor, Seq(1), ALL).await.unwrap();
        assert!(page.messages.is_empty() && !page.more);
    }
}

pub(crate) async fn entries_stop_where_the_page_is_full<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (room, _other) = (it.room("a").await, it.room("b").await);
    it.append_all((0..10).map(|_| said(room, 1, "xxxx")).collect()).await;
    let bytes = |bytes| Most { entries: 100, bytes };
    let table = [
        (0, 10, most(100), 1..=10),
        (0, 10, most(3), 1..=3),
        (4, 6, most(100), 5..=6),
        (9, u64::MAX, most(100), 10..=10),
        (0, 10, bytes(250), 1..=2),
        (0, 10, bytes(0), 1..=1),
        (0, 10, most(0), 1..=1),
    ];
    for (after, up_to, most, wanted) in table {
        let found = it.store.entries(room, Seq(after), Seq(up_to), most).await.unwrap();
        assert_eq!(seqs(&found), wanted.collect::<Vec<_>>(), "{after}..={up_to} {most:?}");
    }
    for (after, up_to) in [(10, 20), (6, 5), (u64::MAX, u64::MAX), (5, 5)] {
        assert!(it.store.entries(room, Seq(after), Seq(up_to), ALL).await.unwrap().is_empty());
    }
}

pub(crate) async fn membership_follows_from_the_entries<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let Created::New(UserId(bob)) = it.register("Bob", "bob").await else { panic!() };
    let Created::New(UserId(alice)) = it.register("alice", "alice").await else { panic!() };
    let Ok(Created::New(room)) = it.create("a", Some(alice)).await else { panic!() };
    it.append_all(vec![
        said(room, bob, "before"),
        member(room, bob, MemberChange::Join, None),
        said(room, bob, "his own"),
        said(room, alice, "for both"),
        said(room, -9, "by a guest"),
        member(room, -9, MemberChange::Join, None),
        member(room, bob, MemberChange::Join, Some(RoomRole::Moderator)),
        said(room, bob, "his own"),
    ])
    .await;
    let members = it.store.members(room, "", 10).await.unwrap();
    let found = |user, name: &str, role| StoredMember {
        user: UserId(user),
        name: Username::trusted(name, &name.to_ascii_lowercase()),
        role,
    };
    assert_eq!(members, [found(alice, "alice", RoomRole::Owner), found(bob, "Bob", RoomRole::Moderator)]);
    assert_eq!(it.store.members(room, "alice", 10).await.unwrap(), members[1..]);
    assert_eq!(it.store.members(room, "", 1).await.unwrap(), members[..1]);
    let of_bob = it.store.memberships(UserId(bob)).await.unwrap();
    assert_eq!(
        (of_bob[0].room, of_bob[0].role, of_bob[0].read, of_bob[0].unread),
        (room, RoomRole::Moderator, Seq(2), 2)
    );
    let of_alice = it.store.memberships(UserId(alice)).await.unwrap();
    assert_eq!((of_alice[0].read, of_alice[0].unread), (Seq(0), 4));
    let mut stored = it.stored_room(room).await.members;
    stored.sort();
    assert_eq!(stored.len(), 2);
    // In one batch: what was said as a member before does not count for the next time.
    it.append_all(vec![
        said(room, bob, "his last"),
        member(room, bob, MemberChange::Leave, None),
        said(room, alice, "alone"),
        member(room, bob, MemberChange::Join, None),
        said(room, alice, "again"),
    ])
    .await;
    assert_eq!(it.store.memberships(UserId(bob)).await.unwrap()[0].unread, 1);
    it.append(member(room, bob, MemberChange::Leave, None)).await;
    assert!(it.store.memberships(UserId(bob)).await.unwrap().is_empty());
}

pub(crate) async fn a_name_is_given_once<S: Store>(store: S) {
    let it = Subject::new(store);
    let Ok(Created::New(first)) = it.create("a", None).await else { panic!() };
    assert!(matches!(it.create("a", None).await, Ok(Created::Taken)));
    let Ok(Created::New(second)) = it.create("b", None).await else { panic!() };
    assert_ne!(first, second);
    let Created::New(alice) = it.register("Alice", "alice").await else { panic!() };
    assert_eq!(it.register("aLICE", "different").await, Created::Taken);
    assert_eq!(it.register("a1ice", "alice").await, Created::Taken);
    assert!(it.store.is_taken("alice").await.unwrap() && !it.store.is_taken("bob").await.unwrap());
    let account = it.store.account("alice").await.unwrap().unwrap();
    assert_eq!((account.id, account.name.as_str(), &*account.password_hash), (alice, "Alice", "hash"));
    assert!(it.store.account("bob").await.unwrap().is_none());
    let room = it.stored_room(first).await;
    assert_eq!((room.name.as_str(), &*room.topic, &*room.epoch.0), ("a", "about it", "first"));
    assert_eq!((room.first, room.head), (Seq(1), Seq(0)));
}

pub(crate) async fn closing_settles_what_waits_and_takes_no_more<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let place = it.store.queue().reserve(1).await.unwrap();
    it.push((0..50).map(|_| Write::Append(said(room, 1, "x"))).collect()).await;
    let (done, answer) = oneshot::channel();
    it.push(vec![Write::CreateRoom(new_room("b", None), done)]).await;
    let store = Arc::new(it.store);
    let closing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.close().await })
    };
    let mut count = 0;
    while let Some(batch) = it.settled.recv().await {
        count += batch.iter().filter(|settled| matches!(settled.outcome, Outcome::Appended(_))).count();
    }
    assert_eq!(count, 50);
    assert!(matches!(answer.await, Ok(Ok(Created::New(_)))));
    closing.await.unwrap().unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.queue().reserve(1).await, Err(StoreError::Closed)));
    assert!(store.queue().push(place, Write::Append(said(room, 1, "late"))).is_err());
    assert!(matches!(store.rooms().await, Err(StoreError::Closed)));
}

pub(crate) async fn closing_waits_for_no_receiver_that_nobody_took<S: Store>(store: S) {
    for name in ["a", "b"] {
        let (done, answer) = oneshot::channel();
        let place = store.queue().reserve(1).await.unwrap();
        assert!(store.queue().push(place, Write::CreateRoom(new_room(name, None), done)).is_ok());
        answer.await.unwrap().unwrap();
    }
    for _ in 0..20 {
        let place = store.queue().reserve(1).await.unwrap();
        assert!(store.queue().push(place, Write::Append(said(RoomId(1), 1, "x"))).is_ok());
    }
    store.close().await.unwrap();
}

/// One test for each promise, with a store that `$open` makes.
macro_rules! contract {
    ($open:expr) => {
        contract! { $open =>
            entries_are_numbered_in_the_order_of_the_queue
            what_is_read_is_what_was_settled
            an_origin_comes_back_untouched
            a_nonce_is_stored_once
            time_never_falls_in_a_room
            what_stands_behind_a_failure_fails
            pages_hold_messages_near_their_anchor
            entries_stop_where_the_page_is_full
            membership_follows_from_the_entries
            a_name_is_given_once
            closing_settles_what_waits_and_takes_no_more
            closing_waits_for_no_receiver_that_nobody_took
        }
    };
    ($open:expr => $($name:ident)*) => {
        $(#[tokio::test]
        async fn $name() {
            let (_guard, store) = $open();
            $crate::store::contract::$name(store).await;
        })*
    };
}
pub(crate) use contract;
