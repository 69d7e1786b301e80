//! Appending: order, numbers, times, nonces, failures.

use crate::model::{
    Body, Line, MemberChange, Message, RoomChange, RoomId, RoomKind, RoomName, RoomRole, Seq, Text, Time, UserId,
    Visibility,
};
use crate::store::contract::{ALL, Subject, act, member, nonce, said, seq, seqs, text};
use crate::store::{Append, Outcome, Store, StoreError, Write};

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

pub(crate) async fn what_is_read_is_what_was_settled<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let say = |text: &str, reply_to| {
        let message = Message { reply_to, action: true, ..Message::new(Text::trusted(text)) };
        Append { body: Body::Message(message), ..said(room, 3, "") }
    };
    let about = |body| Append { body, ..said(room, 3, "") };
    let mut banned = member(room, 3, MemberChange::Ban, None);
    banned.body = Body::Member {
        user: "Some\"body".into(),
        user_id: UserId(3),
        change: MemberChange::Ban,
        role: None,
        reason: Some(Line::trusted("\\ \"enough\"")),
        until: Some(Time(77)),
    };
    let change = RoomChange {
        name: Some(RoomName::trusted("other")),
        was: Some(RoomName::trusted("a")),
        kind: Some(RoomKind::Announce),
        history: Some(Visibility::Joined),
        slow_mode_s: Some(5),
        retention_days: Some(6),
        retention_entries: Some(7),
    };
    let appends = vec![
        say("waves 👋\n\tå\"", None),
        say("again", Some(Seq(1))),
        member(room, 3, MemberChange::Join, Some(RoomRole::Moderator)),
        member(room, 3, MemberChange::Leave, None),
        banned,
        about(Body::Topic { topic: Line::trusted("a \"topic\"") }),
        about(Body::Room(change)),
        about(Body::Room(RoomChange { slow_mode_s: Some(0), ..RoomChange::default() })),
        about(Body::React { target: Seq(2), emoji: Line::trusted("👍"), remove: false }),
        about(Body::React { target: Seq(2), emoji: Line::trusted("👍"), remove: true }),
        about(Body::Delete { target: Seq(2), reason: None }),
    ];
    for append in appends {
        // One by one, for later ones change what earlier ones say.
        let outcome = it.append(append).await;
        let Outcome::Appended(entry) = outcome else { panic!("{outcome:?}") };
        let read = it.store.entries(room, entry.seq.before(), entry.seq, ALL).await.unwrap();
        assert_eq!(read, [entry]);
    }
}

pub(crate) async fn what_is_done_by_an_entry_is_remembered_with_it<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let noted = |append, target: &str| Append { act: Some(Box::new(act("ban", Some(room), target))), ..append };
    it.append_all(vec![
        noted(nonce(member(room, 3, MemberChange::Ban, None), "n"), "first"),
        noted(nonce(member(room, 3, MemberChange::Ban, None), "n"), "repeated"),
        noted(said(RoomId(99), 1, "fails"), "failed"),
        noted(member(room, 3, MemberChange::Unban, None), "second"),
    ])
    .await;
    let acts = it.store.acts(Some(room), None, 10).await.unwrap();
    assert_eq!(acts.iter().map(|(_, act)| &*act.target).collect::<Vec<_>>(), ["second", "first"]);
}
