//! The same random operations on SQLite and on maps give the same answers, and leave the same things to be read.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio::sync::oneshot;

use crate::model::{
    Anchor, Body, Entry, Fingerprint, Level, Line, MemberChange, Message, RoomChange, RoomId, RoomKind, RoomName,
    RoomRole, Seq, ServerRole, Text, Time, UserId, Username, Visibility,
};
use crate::store::contract::{Subject, act, most, new_room, said, search};
use crate::store::sqlite::{Durability, Options, SqliteStore};
use crate::store::{
    Append, Blocked, Change, MemoryStore, Most, NewAccount, NewInvitation, NewRoom, NewToken, Outcome, Reach, Search,
    Side, Store, Suspension, Write,
};

// Few of everything, so that operations meet.
const ROOMS: std::ops::Range<i64> = 1..4;
// Guests and accounts; nobody is 0.
const USERS: [i64; 6] = [-2, -1, 1, 2, 3, 4];
const SEQS: std::ops::Range<u64> = 0..16;
const TIMES: std::ops::Range<i64> = 1..100;
const TEXTS: [&str; 5] = ["cake", "bread and cake", "http://cake.example/", "東京 \"bread\"", "Bread\ncakes"];
const EMOJI: [&str; 3] = ["👍", "🦀", "+1"];
const SEARCHES: [&str; 6] =
    ["cake", "bread -cake", "from:user1", "has:link", "\"and cake\"", "cak* before:1970-01-01T00:00:00.050Z"];

#[derive(Clone, Debug)]
enum Op {
    /// Pushed together, so that they may share a commit.
    Batch(Vec<Step>),
    /// Everything is read and compared.
    Look,
    Reopen,
}

#[derive(Clone, Debug)]
enum Step {
    Say(Said),
    Change(Change),
    Room { name: u8, owner: Option<i64>, other: Option<i64> },
    Register { name: u8, invitation: Option<u8>, time: i64 },
}

#[derive(Clone, Debug)]
struct Said {
    room: i64,
    author: i64,
    nonce: Option<u8>,
    time: i64,
    reach: Reach,
    mentions: Vec<u8>,
    noted: bool,
    body: Body,
}

fn number() -> impl Strategy<Value = i64> {
    proptest::sample::select(&USERS[..])
}

fn user() -> impl Strategy<Value = UserId> {
    number().prop_map(UserId)
}

fn room() -> impl Strategy<Value = RoomId> {
    ROOMS.prop_map(RoomId)
}

fn seq() -> impl Strategy<Value = Seq> {
    SEQS.prop_map(Seq)
}

fn until() -> impl Strategy<Value = Option<Time>> {
    option::of((1..100_i64).prop_map(Time))
}

fn line() -> impl Strategy<Value = Line> {
    (0..3_u8).prop_map(|n| Line::trusted(if n == 0 { String::new() } else { format!("line \"{n}\"") }))
}

fn said_text() -> impl Strategy<Value = Text> {
    (0..TEXTS.len(), 0..50_u8).prop_map(|(text, n)| Text::trusted(format!("{} {n}", TEXTS[text])))
}

fn message() -> impl Strategy<Value = Body> {
    (said_text(), option::weighted(0.3, seq()), any::<bool>())
        .prop_map(|(text, reply_to, action)| Body::Message(Message { reply_to, action, ..Message::new(text) }))
}

fn member_change() -> impl Strategy<Value = Body> {
    use MemberChange::{Ban, Invite, Join, Kick, Leave, Mute, Role, Unban, Unmute};
    let change = prop_oneof![
        6 => Just(Join),
        1 => Just(Leave),
        1 => Just(Kick),
        1 => Just(Ban),
        1 => Just(Unban),
        1 => Just(Mute),
        1 => Just(Unmute),
        2 => Just(Invite),
        2 => Just(Role),
    ];
    let role = option::of(prop_oneof![Just(RoomRole::Member), Just(RoomRole::Moderator), Just(RoomRole::Owner)]);
    (number(), change, role, option::of(line()), until()).prop_map(|(user, change, role, reason, until)| Body::Member {
        user: format!("user{user}").into(),
        user_id: UserId(user),
        change,
        role,
        reason,
        until,
    })
}

fn room_change() -> impl Strategy<Value = Body> {
    let kind = option::of(prop_oneof![Just(RoomKind::Private), Just(RoomKind::Announce)]);
    let history = option::of(prop_oneof![Just(Visibility::All), Just(Visibility::Joined)]);
    let name = option::of((0..4_u8).prop_map(|name| RoomName::trusted(&format!("room{name}"))));
    (name, kind, history, option::of(0..9_u32), option::of(0..9_u32), option::of(0..9_u64)).prop_map(
        |(name, kind, history, slow_mode_s, retention_days, retention_entries)| {
            let was = name.clone();
            Body::Room(RoomChange { name, was, kind, history, slow_mode_s, retention_days, retention_entries })
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        10 => message(),
        6 => member_change(),
        5 => (seq(), said_text()).prop_map(|(target, text)| Body::Edit { target, text: Some(text) }),
        3 => (seq(), option::of(line())).prop_map(|(target, reason)| Body::Delete { target, reason }),
        6 => (seq(), 0..EMOJI.len(), any::<bool>()).prop_map(|(target, emoji, remove)| {
            Body::React { target, emoji: Line::trusted(EMOJI[emoji]), remove }
        }),
        1 => line().prop_map(|topic| Body::Topic { topic }),
        1 => room_change(),
    ]
}

fn say() -> impl Strategy<Value = Said> {
    let reach = (prop_oneof![3 => Just(Seq(1)), 1 => seq()], any::<bool>());
    let reach = reach.prop_map(|(first, others)| Reach { first, others });
    let rest = (reach, vec(0..5_u8, 0..3), proptest::bool::weighted(0.1), body());
    (ROOMS, number(), option::weighted(0.3, 0..6_u8), TIMES, rest).prop_map(
        |(room, author, nonce, time, (reach, mut mentions, noted, body))| {
            mentions.sort_unstable();
            mentions.dedup();
            mentions.reverse();
            Said { room, author, nonce, time, reach, mentions, noted, body }
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    let time = || TIMES.prop_map(Time);
    let noted = || option::of((0..3_i64).prop_map(|room| Box::new(act("did", Some(RoomId(room + 1)), "it"))));
    let id = || 1..5_u64;
    let blocked =
        || (number(), 0..3_u8).prop_map(|(user, n)| Blocked { user: UserId(user), name: format!("n{n}").into() });
    let target = || (0..3_u8).prop_map(|n| Box::<str>::from(format!("name:{n}")));
    let token = (user(), 0..4_u8, line(), time(), until()).prop_map(|(user, hash, label, time, expires)| {
        let fingerprint = (hash > 2).then(|| Fingerprint::from_bytes([hash; 32]));
        Change::AddToken(NewToken { user, hash: [hash; 32], fingerprint, label, time, expires })
    });
    let invitation =
        (0..3_u8, line(), 0..3_u32, time(), until(), noted()).prop_map(|(hash, label, count, time, expires, act)| {
            let new = NewInvitation { hash: [hash; 32], label, count, by: "admin".into(), time, expires };
            Change::AddInvitation(new, act)
        });
    let suspend = (target(), line(), until(), time(), noted()).prop_map(|(target, reason, until, time, act)| {
        Change::Suspend(Suspension { shown: target.clone(), target, reason, until, by: "admin".into(), time }, act)
    });
    let level = prop_oneof![Just(Level::Open), Just(Level::NoGuests), Just(Level::ReadOnly)];
    let role = prop_oneof![Just(ServerRole::User), Just(ServerRole::Admin)];
    let accounts = prop_oneof![
        1 => (user(), 0..9_u8, any::<bool>()).prop_map(|(user, n, revoke_tokens)| {
            Change::Password { user, hash: format!("hash{n}").into(), revoke_tokens }
        }),
        2 => token,
        1 => (id(), time()).prop_map(|(id, time)| Change::UseToken { id, time }),
        1 => (user(), id()).prop_map(|(user, id)| Change::RevokeToken { user, id }),
        2 => invitation,
        1 => (id(), noted()).prop_map(|(id, act)| Change::RevokeInvitation(id, act)),
        1 => (user(), role, noted()).prop_map(|(user, role, act)| Change::Role { user, role, act }),
        1 => (user(), time()).prop_map(|(user, time)| Change::Seen { user, time }),
        1 => (user(), noted()).prop_map(|(user, act)| Change::DeleteAccount { user, act }),
        2 => (user(), blocked()).prop_map(|(user, blocked)| Change::Block { user, blocked }),
        1 => (user(), user()).prop_map(|(user, blocked)| Change::Unblock { user, blocked }),
        1 => suspend,
        1 => (target(), noted()).prop_map(|(target, act)| Change::Unsuspend(target, act)),
        1 => (level, noted()).prop_map(|(level, act)| Change::Level(level, act)),
    ];
    let rooms = prop_oneof![
        6 => (user(), room(), seq()).prop_map(|(user, room, seq)| Change::Read { user, room, seq }),
        1 => (user(), room(), seq()).prop_map(|(user, room, head)| Change::Close { user, room, head }),
        1 => (room(), noted()).prop_map(|(room, act)| Change::DeleteRoom(room, act)),
        1 => (0..5_u64).prop_map(Change::Erase),
        4 => (room(), seq(), 0..6_u64).prop_map(|(room, first, most)| Change::Cut { room, first, most }),
        1 => noted().prop_map(|noted| Change::Act(noted.unwrap_or_else(|| Box::new(act("did", None, "this"))))),
    ];
    prop_oneof![accounts, rooms]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => say().prop_map(Step::Say),
        4 => change().prop_map(Step::Change),
        1 => (0..4_u8, option::of(number()), option::weighted(0.2, number())).prop_map(|(name, owner, other)| {
            Step::Room { name, owner, other }
        }),
        1 => (0..5_u8, option::weighted(0.3, 0..3_u8), TIMES).prop_map(|(name, invitation, time)| {
            Step::Register { name, invitation, time }
        }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => vec(step(), 1..10).prop_map(Op::Batch),
        1 => Just(Op::Look),
        1 => Just(Op::Reopen),
    ]
}

/// Rooms and accounts to begin with, for most operations need them.
fn begin() -> Op {
    let register = (0..3).map(|name| Step::Register { name, invitation: None, time: 1 });
    let rooms = (0..2).map(|name| Step::Room { name, owner: Some(1), other: None });
    Op::Batch(register.chain(rooms).collect())
}

/// A store, and the generation that each room has come to.
struct Tried<S> {
    it: Subject<S>,
    generations: BTreeMap<i64, u64>,
}

impl<S: Store> Tried<S> {
    fn new(store: S) -> Tried<S> {
        Tried { it: Subject::new(store), generations: BTreeMap::new() }
    }

    fn append(&self, said_so: &Said) -> Append {
        let Said { room, author, nonce, time, reach, mentions, noted, body } = said_so.clone();
        Append {
            generation: self.generations.get(&room).copied().unwrap_or(0),
            time: Time(time),
            nonce: nonce.map(|nonce| nonce.to_string().into()),
            reach,
            mentions: mentions.iter().map(|name| format!("user{name}")).collect(),
            act: noted.then(|| Box::new(act("did", Some(RoomId(room)), "something"))),
            body,
            ..said(RoomId(room), author, "")
        }
    }

    /// Does all of it, and tells what became of each step.
    async fn apply(&mut self, steps: &[Step]) -> Vec<String> {
        let (mut writes, mut answers, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            let (done, answer) = oneshot::channel();
            let (made_room, room) = oneshot::channel();
            let (made_account, account) = oneshot::channel();
            match step {
                Step::Say(said_so) => {
                    rooms.push(said_so.room);
                    writes.push(Write::Append(self.append(said_so)));
                }
                Step::Change(change) => writes.push(Write::Change(Box::new(change.clone()), done)),
                Step::Room { name, owner, other } => {
                    let mut new = new_room(&format!("room{name}"), *owner);
                    if let (Some(one), Some(other)) = (owner.filter(|one| Some(*one) != *other), other) {
                        let side = |user: i64| Side { user: UserId(user), name: format!("user{user}").into() };
                        let sides = Some([side(one), side(*other)]);
                        new = NewRoom { kind: RoomKind::Direct, owner: None, sides, ..new };
                    }
                    writes.push(Write::CreateRoom(new, made_room));
                }
                Step::Register { name, invitation, time } => {
                    let new = NewAccount {
                        name: Username::trusted(&format!("User{name}"), &format!("user{name}")),
                        skeleton: format!("s{}", if *name == 4 { 3 } else { *name }).into(),
                        password_hash: "hash".into(),
                        invitation: invitation.map(|hash| [hash; 32]),
                        time: Time(*time),
                    };
                    writes.push(Write::CreateAccount(new, made_account));
                }
            }
            answers.push((answer, room, account));
        }
        self.it.push(writes).await;
        let mut outcomes = Vec::new();
        for (step, (answer, room, account)) in steps.iter().zip(answers) {
            outcomes.push(match step {
                Step::Say(said_so) => match self.it.outcome().await.outcome {
                    // Batches may be cut differently, and then failures name different generations; the newest counts.
                    Outcome::Failed { generation, .. } => {
                        self.generations.insert(said_so.room, generation);
                        "failed".into()
                    }
                    Outcome::Appended(entry) => shown(&[entry]),
                    other => format!("{other:?}"),
                },
                Step::Change(_) => format!("{:?}", answer.await),
                Step::Room { .. } => format!("{:?}", room.await),
                Step::Register { .. } => format!("{:?}", account.await),
            });
        }
        outcomes
    }
}

/// Entries with what they say, which `Debug` hides.
fn shown(entries: &[Entry]) -> String {
    let shown = entries.iter().map(|entry| match &entry.body {
        Body::Message(Message { text, .. }) | Body::Edit { text: Some(text), .. } => {
            format!("{entry:?} {}\n", text.as_str())
        }
        _ => format!("{entry:?}\n"),
    });
    shown.collect()
}

/// Everything that can be read, each with its question.
async fn view<S: Store>(store: &S) -> Vec<String> {
    let mut seen = Vec::new();
    let rooms = store.rooms().await.unwrap();
    for room in &rooms {
        let (id, name) = (room.id, room.id.0);
        seen.push(format!("room {room:?}"));
        for (anchor, first, most) in [
            (Anchor::Newest, 1, Most { entries: 3, bytes: 1000 }),
            (Anchor::Newest, 4, Most { entries: 100, bytes: 500 }),
            (Anchor::Newest, 1, most(100)),
            (Anchor::Before(Seq(5)), 2, most(2)),
            (Anchor::After(Seq(2)), 1, most(4)),
            (Anchor::Around(Seq(6)), 3, most(5)),
            (Anchor::Around(Seq(3)), 1, Most { entries: 100, bytes: 700 }),
        ] {
            let page = store.messages(id, anchor, Seq(first), most).await.unwrap();
            let (messages, more) = (shown(&page.messages), page.more);
            seen.push(format!("page {anchor:?} of {name} from {first}, {most:?}: {more}\n{messages}"));
        }
        for (after, up_to, most) in [(0, 1000, most(1000)), (3, 9, Most { entries: 100, bytes: 700 })] {
            let entries = store.entries(id, Seq(after), Seq(up_to), most).await.unwrap();
            seen.push(format!("entries {after}..={up_to} of {name}, {most:?}:\n{}", shown(&entries)));
        }
        seen.push(format!("members of {name}: {:?}", store.members(id, "user0", 2).await.unwrap()));
        for time in [0, 20, 50, 80, 200] {
            seen.push(format!("since {time} in {name}: {:?}", store.first_since(id, Time(time)).await.unwrap()));
        }
        for read in [0, 3, 7] {
            let unread = store.unread(id, Seq(read), UserId(-7), vec![UserId(1)]).await.unwrap();
            seen.push(format!("unread of a guest in {name} behind {read}: {unread:?}"));
        }
        for author in USERS {
            let posted = store.posted(UserId(author), id, "3").await.unwrap();
            seen.push(format!("posted by {author} to {name}: {posted:?}"));
        }
    }
    let everywhere: Vec<_> = rooms.iter().map(|room| (room.id, 1)).collect();
    let some: Vec<_> = rooms.iter().skip(1).map(|room| (room.id, 3)).collect();
    for query in SEARCHES {
        let found = pages(store, Search { most: most(2), ..search(query, &everywhere) }).await;
        seen.push(format!("search {query} everywhere: {found}"));
        let found = pages(store, search(query, &some)).await;
        seen.push(format!("search {query} in {some:?}: {found}"));
        if let Some(first) = everywhere.first() {
            let found = pages(store, Search { before: Some(Seq(6)), ..search(query, &[*first]) }).await;
            seen.push(format!("search {query} before 6: {found}"));
        }
    }
    for user in USERS {
        for blocked in [vec![], vec![UserId(2), UserId(-1)]] {
            let mut memberships = store.memberships(UserId(user), blocked.clone()).await.unwrap();
            memberships.sort_by_key(|membership| membership.room);
            seen.push(format!("memberships of {user} without {blocked:?}: {memberships:?}"));
            for membership in memberships {
                let read = Seq(membership.read.0 + 2);
                let unread = store.unread(membership.room, read, UserId(user), blocked.clone()).await.unwrap();
                seen.push(format!("unread by {user} in {:?} behind {read}: {unread:?}", membership.room));
            }
        }
        seen.push(format!("account {user}: {:?}", store.account(&format!("user{user}")).await.unwrap()));
        seen.push(format!("user {user}: {:?}", store.user(UserId(user)).await.unwrap()));
        seen.push(format!("taken {user}: {:?}", store.is_taken(&format!("s{user}")).await.unwrap()));
        seen.push(format!("tokens of {user}: {:?}", store.tokens(UserId(user)).await.unwrap()));
    }
    for hash in 0..4 {
        seen.push(format!("token {hash}: {:?}", store.token([hash; 32]).await.unwrap()));
    }
    seen.push(format!("invitations: {:?}", store.invitations().await.unwrap()));
    seen.push(format!("standing: {:?}", store.standing().await.unwrap()));
    for (room, before, limit) in [(None, None, 99), (Some(RoomId(1)), None, 2), (Some(RoomId(2)), Some(4), 9)] {
        let acts = store.acts(room, before, limit).await.unwrap();
        seen.push(format!("acts in {room:?} before {before:?}: {acts:?}"));
    }
    seen
}

/// All hits, page by page.
async fn pages<S: Store>(store: &S, mut search: Search) -> String {
    let mut found = String::new();
    loop {
        let hits = store.search(search.clone()).await.unwrap();
        for (room, entry) in hits.hits {
            found += &format!("{} {}", room.0, shown(&[entry]));
        }
        search.after = hits.next;
        if search.after.is_none() {
            return found;
        }
    }
}

async fn compare(plain: &MemoryStore, real: &SqliteStore) {
    for (wanted, found) in view(plain).await.into_iter().zip(view(real).await) {
        assert!(wanted == found, "the maps have\n{wanted}\nand SQLite has\n{found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn sqlite_answers_like_maps(ops in vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let options = Options { durability: Durability::Normal, ..Options::new(folder.path().join("snakk.db")) };
            let mut plain = Tried::new(MemoryStore::new());
            let mut real = Tried::new(SqliteStore::open(options.clone()).unwrap());
            for op in [begin()].iter().chain(&ops) {
                match op {
                    Op::Batch(steps) => {
                        let (wanted, found) = (plain.apply(steps).await, real.apply(steps).await);
                        for ((step, wanted), found) in steps.iter().zip(wanted).zip(found) {
                            assert!(wanted == found, "{step:?}\non maps:   {wanted}\non SQLite: {found}");
                        }
                    }
                    Op::Look => compare(&plain.it.store, &real.it.store).await,
                    Op::Reopen => {
                        real.it.store.close().await.unwrap();
                        // Generations begin anew with the process.
                        real = Tried::new(SqliteStore::open(options.clone()).unwrap());
                    }
                }
            }
            compare(&plain.it.store, &real.it.store).await;
            real.it.store.close().await.unwrap();
        });
    }
}
