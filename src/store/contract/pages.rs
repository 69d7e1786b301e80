//! Reading: pages of entries and of messages.

use crate::model::{Anchor, MemberChange, RoomId, Seq};
use crate::store::contract::{ALL, Subject, member, most, said, seqs};
use crate::store::{Append, Most, Store};

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
        // Where one side has fewer, there is more of the other.
        (Anchor::Around(Seq(1007)), 1, 4, &[504, 505, 506, 1007], true),
        (Anchor::Around(Seq(u64::MAX)), 1, 4, &[504, 505, 506, 1007], true),
        (Anchor::Around(Seq(0)), 1, 4, &[1, 2, 3, 504], true),
        (Anchor::Around(Seq(1)), 1, 4, &[1, 2, 3, 504], true),
        (Anchor::Around(Seq(2)), 1, 6, &[1, 2, 3, 504, 505, 506], true),
        (Anchor::Around(Seq(2)), 1, 7, &[1, 2, 3, 504, 505, 506, 1007], false),
        (Anchor::Around(Seq(505)), 505, 2, &[505, 506], true),
        (Anchor::Around(Seq(505)), 505, 3, &[505, 506, 1007], false),
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
    for (seq, bytes, wanted) in [
        (505, 0, &[505][..]),
        (505, 250, &[505, 506]),
        (505, 350, &[504, 505, 506]),
        (1007, 350, &[505, 506, 1007]),
        (1, 350, &[1, 2, 3]),
    ] {
        let page = it.store.messages(room, Anchor::Around(Seq(seq)), Seq(1), Most { entries: 9, bytes }).await.unwrap();
        assert_eq!((&seqs(&page.messages)[..], page.more), (wanted, true), "{bytes} bytes around {seq}");
    }
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
