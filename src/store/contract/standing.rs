//! What holds for the server as a whole, and what was done.

use crate::model::{Level, Line, RoomId, Time, UserId};
use crate::store::contract::{Subject, act};
use crate::store::{Blocked, Change, Store, Suspension};

pub(crate) async fn the_level_and_the_suspensions_hold_until_they_are_changed<S: Store>(store: S) {
    let it = Subject::new(store);
    let standing = it.store.standing().await.unwrap();
    assert_eq!(standing.level, Level::Open);
    assert!(standing.suspensions.is_empty() && standing.blocks.is_empty());
    let suspension = |target: &str, until: Option<i64>| Suspension {
        target: target.into(),
        shown: "Shown".into(),
        reason: Line::trusted("enough"),
        until: until.map(Time),
        by: "admin".into(),
        time: Time(3),
    };
    let note = |word: &str| Some(Box::new(act(word, None, "")));
    for (change, answer) in [
        (Change::Level(Level::NoGuests, note("1")), 1),
        (Change::Suspend(suspension("net:10.0.0.0/8", None), note("2")), 1),
        (Change::Suspend(suspension("name:bob", None), note("3")), 1),
        (Change::Suspend(suspension("name:alice", Some(5)), note("4")), 1),
        (Change::Suspend(suspension("name:bob", Some(70)), note("5")), 1),
        (Change::Unsuspend("name:alice".into(), note("6")), 1),
        (Change::Unsuspend("name:alice".into(), note("not done")), 0),
        (Change::Level(Level::ReadOnly, None), 1),
    ] {
        assert_eq!(it.change(change.clone()).await, answer, "{change:?}");
    }
    let standing = it.store.standing().await.unwrap();
    assert_eq!(standing.level, Level::ReadOnly);
    assert_eq!(standing.suspensions, [suspension("name:bob", Some(70)), suspension("net:10.0.0.0/8", None)]);
    let acts = it.store.acts(None, None, 99).await.unwrap();
    assert_eq!(acts.iter().map(|(_, act)| &*act.act).collect::<Vec<_>>(), ["6", "5", "4", "3", "2", "1"]);
}

pub(crate) async fn blocks_are_kept_for_each_account<S: Store>(store: S) {
    let it = Subject::new(store);
    let (alice, bob) = (it.account("alice").await, it.account("bob").await);
    let blocked = |user, name: &str| Blocked { user: UserId(user), name: name.into() };
    let block = |user, blocked| Change::Block { user: UserId(user), blocked };
    let unblock = |user, blocked| Change::Unblock { user: UserId(user), blocked: UserId(blocked) };
    for (change, answer) in [
        (block(bob, blocked(alice, "alice")), 1),
        (block(alice, blocked(bob, "bob")), 1),
        (block(alice, blocked(-5, "guest")), 1),
        (block(alice, blocked(bob, "BOB")), 1),
        (block(99, blocked(bob, "bob")), 0),
        (unblock(bob, alice), 1),
        (unblock(bob, alice), 0),
    ] {
        assert_eq!(it.change(change.clone()).await, answer, "{change:?}");
    }
    let blocks = it.store.standing().await.unwrap().blocks;
    assert_eq!(blocks, [(UserId(alice), blocked(-5, "guest")), (UserId(alice), blocked(bob, "BOB"))]);
}

pub(crate) async fn acts_are_listed_newest_first_in_pages<S: Store>(store: S) {
    let it = Subject::new(store);
    for n in 0..10 {
        let room = (n % 3 != 0).then_some(RoomId(n % 3));
        assert_eq!(it.change(Change::Act(Box::new(act("report", room, &n.to_string())))).await, 1);
    }
    let all = it.store.acts(None, None, 99).await.unwrap();
    let targets =
        |acts: &[(u64, crate::store::Act)]| acts.iter().map(|(_, act)| act.target.to_string()).collect::<Vec<_>>();
    assert_eq!(targets(&all).concat(), "9876543210");
    assert_eq!(all[0].1, act("report", None, "9"));
    assert_eq!(all[2].1.room, Some(RoomId(1)));
    let page = it.store.acts(None, Some(all[3].0), 2).await.unwrap();
    assert_eq!(page, all[4..6]);
    let of_room = it.store.acts(Some(RoomId(1)), None, 99).await.unwrap();
    assert_eq!(targets(&of_room).concat(), "741");
    assert_eq!(it.store.acts(Some(RoomId(1)), Some(of_room[0].0), 1).await.unwrap(), of_room[1..2]);
    assert!(it.store.acts(None, Some(all[9].0), 9).await.unwrap().is_empty());
}
