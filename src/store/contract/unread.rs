//! What is unread, and how far somebody has read.

use crate::model::{MemberChange, RoomId, Seq, UserId};
use crate::store::contract::{Subject, deleted, edited, member, mentioning, reacted, said};
use crate::store::{Append, Change, Reach, Store, StoredMembership, Unread};

async fn membership<S: Store>(it: &Subject<S>, user: i64, blocked: &[i64]) -> StoredMembership {
    let blocked = blocked.iter().copied().map(UserId).collect();
    it.store.memberships(UserId(user), blocked).await.unwrap()[0]
}

async fn unread<S: Store>(it: &Subject<S>, user: i64, blocked: &[i64]) -> (u64, u64) {
    let Unread { messages, mentions } = membership(it, user, blocked).await.unread;
    (messages, mentions)
}

async fn read<S: Store>(it: &Subject<S>, user: i64, room: RoomId, seq: u64) -> u64 {
    it.change(Change::Read { user: UserId(user), room, seq: Seq(seq) }).await
}

pub(crate) async fn unread_is_what_others_said<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (bob, carol) = (it.account("bob").await, it.account("carol").await);
    let room = it.room("a").await;
    let join = |user| member(room, user, MemberChange::Join, None);
    it.append_all(vec![
        join(carol),
        mentioning(said(room, carol, "1: before he came"), &["bob"]),
        join(bob),
        mentioning(said(room, carol, "2: to bob"), &["bob"]),
        said(room, bob, "3: his own"),
        said(room, -5, "4: by a guest"),
        mentioning(said(room, -5, "5: by a guest, to both"), &["bob", "carol"]),
        mentioning(edited(room, carol, 4, "changed"), &["bob"]),
        reacted(room, carol, 5, "x"),
    ])
    .await;
    assert_eq!(unread(&it, bob, &[]).await, (3, 2));
    assert_eq!(unread(&it, carol, &[]).await, (3, 1));
    assert_eq!(unread(&it, bob, &[-5]).await, (1, 1));
    assert_eq!(unread(&it, bob, &[carol, -5]).await, (0, 0));
    let others = Reach { first: Seq(1), others: true };
    it.append_all(vec![Append { reach: others, ..deleted(room, carol, 7) }, deleted(room, bob, 5)]).await;
    assert_eq!(unread(&it, bob, &[]).await, (2, 1), "deleted ones do not count");
    assert_eq!(unread(&it, carol, &[]).await, (1, 0));
    let count = |read, user: i64, not_by: &[i64]| {
        it.store.unread(room, Seq(read), UserId(user), not_by.iter().copied().map(UserId).collect())
    };
    assert_eq!(count(0, -7, &[]).await.unwrap(), Unread { messages: 3, mentions: 0 }, "a guest reads, too");
    assert_eq!(count(2, -7, &[carol]).await.unwrap(), Unread { messages: 1, mentions: 0 });
    assert_eq!(count(4, bob, &[]).await.unwrap(), Unread { messages: 1, mentions: 0 });
    assert_eq!(count(99, bob, &[]).await.unwrap(), Unread::default());
}

pub(crate) async fn reading_never_goes_back<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let bob = it.account("bob").await;
    let room = it.room("a").await;
    it.append(member(room, bob, MemberChange::Join, None)).await;
    it.append_all((0..9).map(|_| mentioning(said(room, 9, "x"), &["bob"])).collect()).await;
    assert_eq!(unread(&it, bob, &[]).await, (9, 9));
    assert_eq!([read(&it, bob, room, 4).await, read(&it, bob, room, 2).await], [4, 4]);
    assert_eq!((membership(&it, bob, &[]).await.read, unread(&it, bob, &[]).await), (Seq(4), (6, 6)));
    assert_eq!(read(&it, bob, room, 10).await, 10);
    assert_eq!(unread(&it, bob, &[]).await, (0, 0));
    it.append(said(room, 9, "x")).await;
    assert_eq!(unread(&it, bob, &[]).await, (1, 0));
    assert_eq!([read(&it, 77, room, 4).await, read(&it, bob, RoomId(99), 4).await], [0, 0], "who is no member");
    // A membership that ended leaves nothing for the next one.
    it.append_all(vec![
        mentioning(said(room, 9, "x"), &["bob"]),
        member(room, bob, MemberChange::Leave, None),
        said(room, 9, "x"),
        member(room, bob, MemberChange::Join, None),
        mentioning(said(room, 9, "x"), &["bob"]),
    ])
    .await;
    assert_eq!((membership(&it, bob, &[]).await.read, unread(&it, bob, &[]).await), (Seq(15), (1, 1)));
}

pub(crate) async fn unread_is_exact_in_a_long_log<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let bob = it.account("bob").await;
    let room = it.room("a").await;
    it.append(member(room, bob, MemberChange::Join, None)).await;
    for _ in 0..4 {
        it.append_all((0..300).map(|n| said(room, [bob, 50, 51][n % 3], "x")).collect()).await;
    }
    it.append_all((0..300).map(|n| deleted(room, [bob, 50, 51][n % 3], n as u64 + 2)).collect()).await;
    assert_eq!(unread(&it, bob, &[]).await, (600, 0));
    assert_eq!(unread(&it, bob, &[51]).await, (300, 0));
    for (seq, wanted) in [(256, 600), (302, 600), (303, 599), (511, 460), (512, 460), (513, 459), (1201, 0), (1501, 0)]
    {
        let count = it.store.unread(room, Seq(seq), UserId(bob), vec![UserId(bob)]).await.unwrap();
        assert_eq!(count.messages, wanted, "behind {seq}");
    }
}
