//! Retention, and rooms that are gone.

use crate::model::{Anchor, MemberChange, RoomId, Seq, Time, UserId};
use crate::store::contract::{ALL, Subject, act, deleted, edited, member, mentioning, nonce, reacted, said, seq, seqs};
use crate::store::{Append, Change, Created, Outcome, Store, StoreError, Unmet, Unread};

fn cut(room: RoomId, first: u64, most: u64) -> Change {
    Change::Cut { room, first: Seq(first), most }
}

pub(crate) async fn a_log_is_cut_in_steps_and_keeps_its_numbers<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    assert_eq!(it.change(cut(room, 5, 5)).await, 1, "there is nothing to cut");
    it.append_all((0..10).map(|_| said(room, 1, "x")).collect()).await;
    assert_eq!(it.change(cut(room, 6, 2)).await, 3);
    assert_eq!(it.change(cut(room, 6, 0)).await, 3);
    assert_eq!(it.change(cut(room, 6, 9)).await, 6);
    assert_eq!(it.change(cut(room, 2, 9)).await, 6, "what is gone is gone");
    assert_eq!(seqs(&it.log(room).await), [6, 7, 8, 9, 10]);
    let page = it.store.messages(room, Anchor::Before(Seq(8)), Seq(1), ALL).await.unwrap();
    assert_eq!((seqs(&page.messages), page.more), (vec![6, 7], false));
    let page = it.store.messages(room, Anchor::After(Seq(2)), Seq(1), ALL).await.unwrap();
    assert_eq!(seqs(&page.messages), [6, 7, 8, 9, 10]);
    assert_eq!(it.change(cut(room, 99, 99)).await, 10, "the last entry holds the numbers");
    let stored = it.stored_room(room).await;
    assert_eq!((stored.first, stored.head), (Seq(10), Seq(10)));
    assert_eq!(seq(&it.append(said(room, 1, "y")).await), 11);
    assert_eq!(it.change(cut(RoomId(99), 5, 5)).await, 0);
}

pub(crate) async fn what_was_cut_off_is_nowhere<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let bob = it.account("bob").await;
    let room = it.room("a").await;
    it.append_all(vec![
        member(room, bob, MemberChange::Join, None),
        mentioning(said(room, 9, "x"), &["bob"]),
        mentioning(said(room, 9, "x"), &["bob"]),
        reacted(room, 9, 2, "x"),
    ])
    .await;
    it.change(cut(room, 3, 9)).await;
    let outcomes = it
        .append_all(vec![
            edited(room, 9, 2, "y"),
            reacted(room, 9, 2, "y"),
            deleted(room, 9, 2),
            reacted(room, 9, 3, "y"),
        ])
        .await;
    assert!(outcomes[..3].iter().all(|outcome| matches!(outcome, Outcome::Unmet(Unmet::NoTarget))));
    assert_eq!(seq(&outcomes[3]), 5);
    let memberships = it.store.memberships(UserId(bob), Vec::new()).await.unwrap();
    assert_eq!(memberships[0].unread, Unread { messages: 1, mentions: 1 });
    let unread = it.store.unread(room, Seq(1), UserId(-3), Vec::new()).await.unwrap();
    assert_eq!(unread.messages, 1);
}

pub(crate) async fn the_first_entry_since_a_moment_is_found<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    assert_eq!(it.store.first_since(room, Time(0)).await.unwrap(), Seq(1));
    let times = [10, 10, 20, 15, 30, 30, 40];
    it.append_all(times.iter().map(|time| Append { time: Time(*time), ..said(room, 1, "x") }).collect()).await;
    let table = [(0, 1), (10, 1), (11, 3), (20, 3), (21, 5), (30, 5), (40, 7), (41, 8)];
    for (time, wanted) in table {
        assert_eq!(it.store.first_since(room, Time(time)).await.unwrap(), Seq(wanted), "{time}");
    }
    it.change(cut(room, 4, 9)).await;
    for (time, wanted) in [(0, 4), (11, 4), (21, 5), (41, 8)] {
        assert_eq!(it.store.first_since(room, Time(time)).await.unwrap(), Seq(wanted), "{time} after a cut");
    }
}

pub(crate) async fn a_deleted_room_is_gone_at_once_and_erased_in_steps<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let bob = it.account("bob").await;
    let Ok(Created::New(room)) = it.create("a", Some(bob)).await else { panic!() };
    let stays = it.room("b").await;
    it.append_all((0..10).map(|n| nonce(said(room, bob, "x"), &n.to_string())).collect()).await;
    it.append(said(stays, bob, "x")).await;
    let delete = || Change::DeleteRoom(room, Some(Box::new(act("delete_room", Some(room), ""))));
    assert_eq!([it.change(delete()).await, it.change(delete()).await], [1, 0]);
    assert!(it.store.rooms().await.unwrap().iter().all(|stored| stored.id == stays));
    assert!(it.store.memberships(UserId(bob), Vec::new()).await.unwrap().is_empty());
    assert!(it.store.members(room, "", 9).await.unwrap().is_empty());
    let outcome = it.append(said(room, bob, "late")).await;
    assert!(matches!(outcome, Outcome::Failed { error: StoreError::Unavailable(_), .. }), "{outcome:?}");
    let Ok(Created::New(again)) = it.create("a", None).await else { panic!("the name is free") };
    assert!(again > stays, "an id is never used again");
    assert_eq!(it.stored_room(again).await.head, Seq(0));
    let mut erased = Vec::new();
    for _ in 0..4 {
        erased.push(it.change(Change::Erase(4)).await);
    }
    assert_eq!(erased, [4, 4, 2, 0]);
    assert_eq!(it.log(stays).await.len(), 1);
    let acts = it.store.acts(Some(room), None, 9).await.unwrap();
    assert_eq!(acts.len(), 1, "what was done to it is remembered, once");
}
