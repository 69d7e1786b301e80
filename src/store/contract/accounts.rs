//! Accounts, tokens and invitations.

use crate::model::{Fingerprint, Line, MemberChange, Seq, ServerRole, Time, UserId};
use crate::store::contract::{Subject, act, member};
use crate::store::{Blocked, Change, Created, NewInvitation, NewToken, Store, StoredToken};

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
    assert_eq!((account.role, account.seen, account.deleted), (ServerRole::User, None, false));
    assert!(it.store.account("bob").await.unwrap().is_none());
    assert_eq!(it.store.user(alice).await.unwrap().map(|account| account.name), Some(account.name));
    assert!(it.store.user(UserId(99)).await.unwrap().is_none());
    for name in ["Bob", "dave", "Carol"] {
        it.register(name, &name.to_lowercase()).await;
    }
    let mut listed = Vec::new();
    for (after, limit) in [("", 3), ("carol", 3), ("c", 1), ("dave", 3)] {
        let accounts = it.store.accounts(after, limit).await.unwrap();
        listed.push(accounts.iter().map(|account| account.name.as_str().to_owned()).collect::<Vec<String>>().join(" "));
    }
    assert_eq!(listed, ["Alice Bob Carol", "dave", "Carol", ""]);
    let room = it.stored_room(first).await;
    assert_eq!((room.name.as_str(), room.settings.topic.as_str(), &*room.epoch.0), ("a", "about it", "first"));
    assert_eq!((room.first, room.head), (Seq(1), Seq(0)));
}

pub(crate) async fn an_account_changes<S: Store>(store: S) {
    let it = Subject::new(store);
    let (alice, nobody) = (UserId(it.account("alice").await), UserId(99));
    let note = |target: &str| Some(Box::new(act("role", None, target)));
    let changes = |user| {
        [
            Change::Password { user, hash: "other".into(), revoke_tokens: false },
            Change::Role { user, role: ServerRole::Admin, act: note(&user.0.to_string()) },
            Change::Seen { user, time: Time(50) },
            Change::Seen { user, time: Time(40) },
        ]
    };
    for (user, answer) in [(alice, 1), (nobody, 0), (UserId(-4), 0)] {
        for change in changes(user) {
            assert_eq!(it.change(change.clone()).await, answer, "{change:?}");
        }
    }
    let account = it.store.account("alice").await.unwrap().unwrap();
    assert_eq!((&*account.password_hash, account.role, account.seen), ("other", ServerRole::Admin, Some(Time(50))));
    let acts = it.store.acts(None, None, 9).await.unwrap();
    assert_eq!(acts.len(), 1, "what changed nothing is not remembered");
    assert_eq!(acts[0].1, act("role", None, &alice.0.to_string()));
}

/// Every third token is a certificate.
fn certificate(hash: u8) -> Option<Fingerprint> {
    hash.is_multiple_of(3).then(|| Fingerprint::from_bytes([100 + hash; 32]))
}

fn token(user: i64, hash: u8, expires: Option<i64>) -> Change {
    let (label, expires) = (Line::trusted(format!("token {hash}")), expires.map(Time));
    let fingerprint = certificate(hash);
    Change::AddToken(NewToken { user: UserId(user), hash: [hash; 32], fingerprint, label, time: Time(5), expires })
}

pub(crate) async fn tokens_belong_to_their_account<S: Store>(store: S) {
    let it = Subject::new(store);
    let (alice, bob) = (it.account("alice").await, it.account("bob").await);
    let mut ids = Vec::new();
    for change in [token(alice, 1, None), token(bob, 2, None), token(alice, 3, Some(70))] {
        ids.push(it.change(change).await);
    }
    assert!(ids[0] > 0 && ids[0] < ids[1] && ids[1] < ids[2]);
    assert_eq!([it.change(token(bob, 1, None)).await, it.change(token(99, 4, None)).await], [0, 0]);
    assert_eq!(it.change(Change::UseToken { id: ids[0], time: Time(60) }).await, 1);
    assert_eq!(it.change(Change::UseToken { id: 99, time: Time(60) }).await, 0);
    let stored = |id, number: u8, expires: Option<i64>, used: Option<i64>| StoredToken {
        id,
        user: UserId(alice),
        fingerprint: certificate(number),
        label: Line::trusted(format!("token {number}")),
        created: Time(5),
        expires: expires.map(Time),
        used: used.map(Time),
    };
    let wanted = [stored(ids[0], 1, None, Some(60)), stored(ids[2], 3, Some(70), None)];
    assert_eq!(it.store.tokens(UserId(alice)).await.unwrap(), wanted);
    let (found, account) = it.store.token([3; 32]).await.unwrap().unwrap();
    assert_eq!((found, account.id, account.name.as_str()), (wanted[1].clone(), UserId(alice), "alice"));
    let revoke = |user, id| Change::RevokeToken { user: UserId(user), id };
    assert_eq!(it.change(revoke(bob, ids[0])).await, 0, "it is not his");
    assert_eq!([it.change(revoke(alice, ids[2])).await, it.change(revoke(alice, ids[2])).await], [1, 0]);
    assert!(it.store.token([3; 32]).await.unwrap().is_none());
    let again = it.change(token(alice, 3, None)).await;
    assert!(again > ids[2], "an id is never used again");
    // Added once more it is what it was, with another end.
    assert_eq!(it.change(token(alice, 3, Some(90))).await, again);
    let (found, _) = it.store.token([3; 32]).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.expires, found.is_good(Time(89)), found.is_good(Time(90))),
        (again, Some(Time(90)), true, false)
    );
    // Another password leaves them, unless it is to be the only way in.
    for (revoke_tokens, left) in [(false, 2), (true, 0)] {
        let change = Change::Password { user: UserId(alice), hash: "other".into(), revoke_tokens };
        assert_eq!(it.change(change).await, 1);
        assert_eq!(it.store.tokens(UserId(alice)).await.unwrap().len(), left);
    }
    assert!(it.store.token([2; 32]).await.unwrap().is_some(), "it is somebody else's");
}

pub(crate) async fn an_invitation_is_used_up_with_the_account<S: Store>(store: S) {
    let it = Subject::new(store);
    let note = || Some(Box::new(act("invite", None, "")));
    let invitation = |hash: u8, count, expires: Option<i64>| {
        let (label, expires) = (Line::trusted("for friends"), expires.map(Time));
        let new = NewInvitation { hash: [hash; 32], label, count, by: "admin".into(), time: Time(5), expires };
        Change::AddInvitation(new, note())
    };
    let first = it.change(invitation(1, 2, None)).await;
    let second = it.change(invitation(2, 9, Some(50))).await;
    assert!(0 < first && first < second);
    assert_eq!(it.change(invitation(1, 9, None)).await, 0, "it is there");
    it.account("alice").await;
    let table = [
        ("Bob", 1, 10, Some("new")),
        ("alice", 1, 10, Some("taken")),
        ("carol", 3, 10, None),
        ("carol", 2, 50, None),
        ("carol", 2, 49, Some("new")),
        ("dave", 1, 10, Some("new")),
        ("erin", 1, 10, None),
        ("alice", 1, 10, None),
    ];
    for (number, (name, hash, time, wanted)) in table.into_iter().enumerate() {
        let lower = name.to_ascii_lowercase();
        let invited = it.store.is_invited([hash; 32], Time(time)).await.unwrap();
        assert_eq!(invited, wanted.is_some(), "{number}: {name}");
        let created = it.register_with(name, &lower, Some([hash; 32]), Time(time)).await;
        let found = match created {
            Created::New(_) => Some("new"),
            Created::Taken => Some("taken"),
            Created::NotInvited => None,
        };
        assert_eq!(found, wanted, "{number}: {name}");
    }
    let stored = it.store.invitations().await.unwrap();
    let seen: Vec<_> = stored.iter().map(|stored| (stored.id, stored.left, stored.expires)).collect();
    assert_eq!(seen, [(first, 0, None), (second, 8, Some(Time(50)))]);
    assert_eq!((stored[0].label.as_str(), &*stored[0].by, stored[0].created), ("for friends", "admin", Time(5)));
    let revoke = || Change::RevokeInvitation(second, note());
    assert_eq!([it.change(revoke()).await, it.change(revoke()).await], [1, 0]);
    assert_eq!(it.register_with("erin", "erin", Some([2; 32]), Time(10)).await, Created::NotInvited);
    assert_eq!(it.store.acts(None, None, 9).await.unwrap().len(), 3);
}

pub(crate) async fn of_a_deleted_account_only_the_name_is_left<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (alice, bob) = (it.account("Alice").await, it.account("bob").await);
    let (room, other) = (it.room("a").await, it.room("b").await);
    it.append_all(vec![
        member(room, alice, MemberChange::Join, None),
        member(room, bob, MemberChange::Join, None),
        member(other, alice, MemberChange::Invite, None),
    ])
    .await;
    let block = |user, blocked, name: &str| Change::Block {
        user: UserId(user),
        blocked: Blocked { user: UserId(blocked), name: name.into() },
    };
    for change in [
        token(alice, 1, None),
        token(bob, 2, None),
        block(alice, bob, "bob"),
        block(bob, alice, "Alice"),
        block(bob, -7, "guest"),
        Change::Role { user: UserId(alice), role: ServerRole::Admin, act: None },
        Change::Seen { user: UserId(alice), time: Time(8) },
    ] {
        assert!(it.change(change.clone()).await > 0, "{change:?}");
    }
    let delete = || Change::DeleteAccount { user: UserId(alice), act: Some(Box::new(act("delete", None, "Alice"))) };
    assert_eq!([it.change(delete()).await, it.change(delete()).await], [1, 0]);
    let account = it.store.account("alice").await.unwrap().unwrap();
    assert_eq!((account.id, account.name.as_str(), account.deleted), (UserId(alice), "Alice", true));
    assert_eq!((&*account.password_hash, account.role, account.seen), ("", ServerRole::User, None));
    assert!(it.store.is_taken("alice").await.unwrap());
    assert_eq!(it.register("ALICE", "alice").await, Created::Taken);
    let listed = it.store.accounts("", 9).await.unwrap();
    assert_eq!(listed.iter().map(|account| account.id).collect::<Vec<UserId>>(), [UserId(bob)]);
    assert!(it.store.token([1; 32]).await.unwrap().is_none() && it.store.token([2; 32]).await.unwrap().is_some());
    let blocks = it.store.standing().await.unwrap().blocks;
    assert_eq!(blocks, [(UserId(bob), Blocked { user: UserId(-7), name: "guest".into() })]);
    assert_eq!(it.stored_room(room).await.members.len(), 1);
    assert!(it.stored_room(other).await.invited.is_empty());
    assert!(it.store.memberships(UserId(alice), Vec::new()).await.unwrap().is_empty());
    for change in [
        Change::Password { user: UserId(alice), hash: "x".into(), revoke_tokens: false },
        Change::Role { user: UserId(alice), role: ServerRole::Admin, act: None },
        Change::Seen { user: UserId(alice), time: Time(9) },
        token(alice, 5, None),
        block(alice, bob, "bob"),
    ] {
        assert_eq!(it.change(change.clone()).await, 0, "{change:?}");
    }
    assert_eq!(it.store.acts(None, None, 9).await.unwrap().len(), 1);
}
