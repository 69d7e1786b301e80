//! Rooms and who is in them.

use crate::model::{
    Body, Line, MemberChange, RoomChange, RoomId, RoomKind, RoomName, RoomRole, Seq, Settings, Time, UserId, Username,
    Visibility,
};
use crate::store::contract::{Subject, member, new_room, said, seq};
use crate::store::{Append, Ban, Change, Created, NewRoom, Seat, Side, Store, StoredMember, Write};

/// An entry about somebody of that name.
fn about(room: RoomId, name: &str, user: i64, change: MemberChange) -> Append {
    let (reason, until) = (None, None);
    let body = Body::Member { user: name.into(), user_id: UserId(user), change, role: None, reason, until };
    Append { body, ..said(room, 1, "") }
}

fn changed(room: RoomId, change: RoomChange) -> Append {
    Append { body: Body::Room(change), ..said(room, 1, "") }
}

async fn seats<S: Store>(it: &Subject<S>, room: RoomId) -> Vec<(i64, RoomRole, u64)> {
    let members = it.stored_room(room).await.members;
    members.iter().map(|Seat { user, role, joined }| (user.0, *role, joined.0)).collect()
}

pub(crate) async fn membership_follows_from_the_entries<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (bob, alice) = (it.account("Bob").await, it.account("alice").await);
    let Ok(Created::New(room)) = it.create("a", Some(alice)).await else { panic!() };
    it.append_all(vec![
        said(room, bob, "before"),
        member(room, bob, MemberChange::Join, None),
        member(room, -9, MemberChange::Join, None),
        member(room, bob, MemberChange::Join, Some(RoomRole::Moderator)),
    ])
    .await;
    assert_eq!(it.change(Change::Seen { user: UserId(alice), time: Time(44) }).await, 1);
    let members = it.store.members(room, "", 10).await.unwrap();
    let found = |user, name: &str, role, seen| StoredMember {
        user: UserId(user),
        name: Username::trusted(name, &name.to_ascii_lowercase()),
        role,
        seen,
    };
    let wanted = [found(alice, "alice", RoomRole::Owner, Some(Time(44))), found(bob, "Bob", RoomRole::Moderator, None)];
    assert_eq!(members, wanted);
    assert_eq!(it.store.members(room, "alice", 10).await.unwrap(), members[1..]);
    assert_eq!(it.store.members(room, "", 1).await.unwrap(), members[..1]);
    assert_eq!(seats(&it, room).await, [(bob, RoomRole::Moderator, 2), (alice, RoomRole::Owner, 0)]);
    let of_bob = it.store.memberships(UserId(bob), Vec::new()).await.unwrap();
    assert_eq!((of_bob[0].room, of_bob[0].role, of_bob[0].read), (room, RoomRole::Moderator, Seq(2)));
    let of_alice = it.store.memberships(UserId(alice), Vec::new()).await.unwrap();
    assert_eq!((of_alice[0].read, of_alice[0].closed), (Seq(0), Seq(0)));
    it.append(member(room, bob, MemberChange::Role, Some(RoomRole::Owner))).await;
    assert_eq!(seats(&it, room).await[0], (bob, RoomRole::Owner, 2));
    for change in [MemberChange::Leave, MemberChange::Kick, MemberChange::Ban] {
        let joined = seq(&it.append(member(room, bob, MemberChange::Join, None)).await);
        assert_eq!(seats(&it, room).await.len(), 2, "{joined}");
        it.append(member(room, bob, change, None)).await;
        assert_eq!(seats(&it, room).await, [(alice, RoomRole::Owner, 0)], "{change:?}");
        assert!(it.store.memberships(UserId(bob), Vec::new()).await.unwrap().is_empty());
    }
    it.append(member(room, bob, MemberChange::Role, Some(RoomRole::Owner))).await;
    assert_eq!(seats(&it, room).await.len(), 1, "a role makes nobody a member");
}

pub(crate) async fn a_room_remembers_who_owned_it_last<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (alice, bob) = (it.account("alice").await, it.account("bob").await);
    let Ok(Created::New(room)) = it.create("a", Some(alice)).await else { panic!() };
    let owner = Some(RoomRole::Owner);
    let table = [
        (bob, MemberChange::Join, None, None),
        (bob, MemberChange::Role, owner, None),
        (alice, MemberChange::Leave, None, None),
        (bob, MemberChange::Mute, None, None),
        (bob, MemberChange::Role, Some(RoomRole::Moderator), Some(bob)),
        (alice, MemberChange::Join, None, Some(bob)),
        (alice, MemberChange::Role, owner, None),
        (alice, MemberChange::Kick, None, Some(alice)),
        (bob, MemberChange::Leave, None, Some(alice)),
        (bob, MemberChange::Join, owner, None),
        (bob, MemberChange::Join, None, Some(bob)),
        (bob, MemberChange::Join, owner, None),
        (bob, MemberChange::Ban, None, Some(bob)),
        (alice, MemberChange::Join, owner, None),
    ];
    for (number, (user, change, role, heir)) in table.into_iter().enumerate() {
        it.append(member(room, user, change, role)).await;
        assert_eq!(it.stored_room(room).await.heir, heir.map(UserId), "after the step {number}");
    }
    it.change(Change::DeleteAccount { user: UserId(alice), act: None }).await;
    assert_eq!(it.stored_room(room).await.heir, Some(UserId(alice)));
}

pub(crate) async fn bans_and_mutes_hold_for_all_that_look_like_the_name<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let with = |change, until: Option<i64>, reason: Option<&str>| Append {
        body: Body::Member {
            user: "Modern".into(),
            user_id: UserId(7),
            change,
            role: None,
            reason: reason.map(Line::trusted),
            until: until.map(Time),
        },
        ..said(room, 1, "")
    };
    it.append_all(vec![
        with(MemberChange::Ban, None, None),
        with(MemberChange::Mute, Some(50), Some("loud")),
        about(room, "guest", -5, MemberChange::Ban),
        about(room, "guest", -5, MemberChange::Mute),
        with(MemberChange::Ban, Some(70), Some("rude")),
    ])
    .await;
    let ban = |name: &str, skeleton: &str, until: Option<i64>, reason: Option<&str>| Ban {
        skeleton: skeleton.into(),
        name: name.into(),
        until: until.map(Time),
        reason: reason.map(Line::trusted),
    };
    let guest = ban("guest", "guest", None, None);
    let stored = it.stored_room(room).await;
    let modern = crate::model::name::skeleton_of("Modern");
    assert_eq!(stored.bans, [guest.clone(), ban("Modern", &modern, Some(70), Some("rude"))]);
    assert_eq!(stored.mutes, [guest, ban("Modern", &modern, Some(50), Some("loud"))]);
    it.append_all(vec![
        about(room, "rnodern", 99, MemberChange::Unban),
        about(room, "GUEST", -6, MemberChange::Unmute),
        about(room, "nobody", 98, MemberChange::Unban),
    ])
    .await;
    let stored = it.stored_room(room).await;
    assert_eq!((stored.bans.len(), &*stored.bans[0].name), (1, "guest"));
    assert_eq!((stored.mutes.len(), &*stored.mutes[0].name), (1, "Modern"));
}

pub(crate) async fn an_invitation_ends_with_joining_or_a_ban<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let invite = |user| about(room, "x", user, MemberChange::Invite);
    it.append_all(vec![invite(3), invite(1), invite(2), invite(2), invite(-4), invite(5)]).await;
    assert_eq!(it.stored_room(room).await.invited, [1, 2, 3, 5].map(UserId));
    it.append_all(vec![
        about(room, "x", 1, MemberChange::Join),
        about(room, "x", 3, MemberChange::Ban),
        about(room, "x", 5, MemberChange::Kick),
    ])
    .await;
    let stored = it.stored_room(room).await;
    assert_eq!((stored.invited, stored.members.len()), (vec![UserId(2), UserId(5)], 1));
}

pub(crate) async fn what_a_room_is_follows_from_the_entries<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (room, other) = (it.room("a").await, it.room("b").await);
    let before = it.stored_room(other).await;
    it.append_all(vec![
        Append { body: Body::Topic { topic: Line::trusted("new") }, ..said(room, 1, "") },
        changed(room, RoomChange { slow_mode_s: Some(u32::MAX), ..RoomChange::default() }),
        changed(
            room,
            RoomChange {
                name: Some(RoomName::trusted("c")),
                was: Some(RoomName::trusted("a")),
                kind: Some(RoomKind::Private),
                history: Some(Visibility::Joined),
                retention_days: Some(u32::MAX),
                retention_entries: Some(1 << 50),
                ..RoomChange::default()
            },
        ),
        // The name of a room that is there is not taken over; the rest holds.
        changed(
            room,
            RoomChange { name: Some(RoomName::trusted("b")), retention_days: Some(0), ..RoomChange::default() },
        ),
        changed(room, RoomChange::default()),
    ])
    .await;
    let stored = it.stored_room(room).await;
    let wanted = Settings {
        kind: RoomKind::Private,
        topic: Line::trusted("new"),
        history: Visibility::Joined,
        slow_mode_s: u32::MAX,
        retention_days: 0,
        retention_entries: 1 << 50,
    };
    assert_eq!((stored.name.as_str(), stored.settings, stored.head), ("c", wanted, Seq(5)));
    assert_eq!(format!("{before:?}"), format!("{:?}", it.stored_room(other).await));
    assert!(matches!(it.create("c", None).await, Ok(Created::Taken)));
    assert!(matches!(it.create("a", None).await, Ok(Created::New(_))), "the old name is free");
}

pub(crate) async fn a_direct_conversation_has_two_sides<S: Store>(store: S) {
    let it = Subject::new(store);
    let alice = it.account("Alice").await;
    for (name, other) in [("two accounts", it.account("Bob").await), ("with a guest", -5)] {
        let side = |user, name: &str| Side { user: UserId(user), name: name.into() };
        let sides = [side(alice, "Alice"), side(other, "Bob")];
        let new = NewRoom { kind: RoomKind::Direct, sides: Some(sides.clone()), ..new_room(name, None) };
        let (done, answer) = tokio::sync::oneshot::channel();
        it.push(vec![Write::CreateRoom(new, done)]).await;
        let Ok(Ok(Created::New(room))) = answer.await else { panic!() };
        let stored = it.stored_room(room).await;
        assert_eq!((stored.settings.kind, stored.sides, stored.heir), (RoomKind::Direct, Some(sides), None));
        let accounts = [alice, other].into_iter().filter(|user| *user > 0);
        let wanted: Vec<_> = accounts.map(|user| (user, RoomRole::Member, 0)).collect();
        assert_eq!(seats(&it, room).await, wanted);
        let close = |user: i64, head| Change::Close { user: UserId(user), room, head: Seq(head) };
        assert_eq!([it.change(close(alice, 7)).await, it.change(close(99, 7)).await], [1, 0]);
        let memberships = it.store.memberships(UserId(alice), Vec::new()).await.unwrap();
        let found = memberships.iter().find(|membership| membership.room == room).unwrap();
        assert_eq!((found.closed, found.read), (Seq(7), Seq(0)));
    }
}
