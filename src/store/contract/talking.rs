//! What is said of messages: edits, deletions, answers, reactions, mentions.

use crate::model::{Body, MemberChange, Message, Reaction, RoomId, Seq, Text, Time, UserId};
use crate::store::contract::{
    ALL, Subject, act, deleted, edited, member, mentioning, nonce, reacted, said, seq, text, unreacted,
};
use crate::store::{Append, Change, Outcome, Reach, Store, Unmet};

fn answering(append: Append, to: u64) -> Append {
    match append.body {
        Body::Message(message) => {
            Append { body: Body::Message(Message { reply_to: Some(Seq(to)), ..message }), ..append }
        }
        _ => append,
    }
}

fn from(append: Append, first: u64) -> Append {
    Append { reach: Reach { first: Seq(first), ..append.reach }, ..append }
}

fn may_delete(append: Append) -> Append {
    Append { reach: Reach { others: true, ..append.reach }, ..append }
}

fn later(append: Append, time: i64) -> Append {
    Append { time: Time(time), ..append }
}

/// The texts of the edits in a log, in order.
async fn edits<S: Store>(it: &Subject<S>, room: RoomId) -> Vec<Option<String>> {
    let mut edits = Vec::new();
    for entry in it.log(room).await {
        if let Body::Edit { text, .. } = entry.body {
            edits.push(text.map(|text| text.as_str().to_owned()));
        }
    }
    edits
}

pub(crate) async fn an_edit_changes_what_a_message_says<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append_all(vec![said(room, 1, "first"), answering(said(room, 1, "second"), 1)]).await;
    let outcome = it.append(later(edited(room, 1, 2, "better"), 2_000_000)).await;
    let Outcome::Appended(entry) = &outcome else { panic!("{outcome:?}") };
    assert_eq!((entry.seq, text(entry)), (Seq(3), format!("{:?}", edited(room, 1, 2, "better").body)));
    let wanted =
        Message { reply_to: Some(Seq(1)), edited: Some(Time(2_000_000)), ..Message::new(Text::trusted("better")) };
    assert_eq!(it.message(room, 2).await, wanted);
    assert_eq!(it.log(room).await[1].body, Body::Message(wanted), "the log shows it too");
    // Of several edits only the newest one has its text, also where they come together.
    it.append_all(vec![
        later(edited(room, 1, 2, "still better"), 3_000_000),
        edited(room, 1, 1, "other"),
        later(edited(room, 1, 2, "best"), 4_000_000),
    ])
    .await;
    assert_eq!(edits(&it, room).await, [None, None, Some("other".into()), Some("best".into())]);
    let message = it.message(room, 2).await;
    assert_eq!((message.text.as_str(), message.edited), ("best", Some(Time(4_000_000))));
    assert_eq!(it.message(room, 1).await.text.as_str(), "other");
}

pub(crate) async fn only_the_author_edits<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append(said(room, 1, "mine")).await;
    for other in [2, -1] {
        let outcome = it.append(may_delete(edited(room, other, 1, "yours"))).await;
        assert!(matches!(outcome, Outcome::Unmet(Unmet::NotYours)), "{outcome:?}");
    }
    assert_eq!(it.message(room, 1).await, Message::new(Text::trusted("mine")));
}

pub(crate) async fn a_deleted_message_says_nothing<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let bob = it.account("Bob").await;
    let room = it.room("a").await;
    let outcomes = it
        .append_all(vec![
            member(room, bob, MemberChange::Join, None),
            mentioning(said(room, 1, "@bob look"), &["bob"]),
            answering(said(room, bob, "at what?"), 2),
            edited(room, 1, 2, "@bob see"),
            reacted(room, bob, 2, "👍"),
            deleted(room, 1, 2),
            deleted(room, 1, 2),
        ])
        .await;
    assert_eq!(seq(&outcomes[5]), 6);
    assert!(matches!(outcomes[6], Outcome::Unmet(Unmet::NoTarget)), "it is gone already");
    let message = it.message(room, 2).await;
    assert_eq!((message.text.as_str(), message.deleted), ("", true));
    assert!(message.mentions.is_empty() && message.reactions.is_empty());
    assert_eq!(edits(&it, room).await, [None]);
    let log = it.log(room).await;
    assert_eq!(log[5].body, deleted(room, 1, 2).body);
    assert!(matches!(&log[2].body, Body::Message(Message { reply_to: Some(Seq(2)), .. })), "what answers it stays");
}

pub(crate) async fn others_delete_where_they_may<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append_all(vec![said(room, 1, "mine"), said(room, -4, "a guest's")]).await;
    let outcome = it.append(deleted(room, 2, 1)).await;
    assert!(matches!(outcome, Outcome::Unmet(Unmet::NotYours)), "{outcome:?}");
    assert_eq!(seq(&it.append(may_delete(deleted(room, 2, 1))).await), 3);
    assert_eq!(seq(&it.append(deleted(room, -4, 2)).await), 4);
    assert!(it.message(room, 1).await.deleted && it.message(room, 2).await.deleted);
}

pub(crate) async fn a_deletion_is_remembered_where_the_message_was_anothers<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let noted = |append, target: &str| Append { act: Some(Box::new(act("delete", Some(room), target))), ..append };
    it.append_all(vec![
        said(room, 1, "x"),
        said(room, 1, "y"),
        noted(may_delete(deleted(room, 1, 1)), "its own"),
        noted(may_delete(deleted(room, 2, 2)), "another's"),
        noted(may_delete(deleted(room, 2, 2)), "gone already"),
    ])
    .await;
    let acts = it.store.acts(Some(room), None, 9).await.unwrap();
    assert_eq!(acts.iter().map(|(_, act)| &*act.target).collect::<Vec<_>>(), ["another's"]);
}

pub(crate) async fn nothing_is_said_about_what_is_not_there<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (room, elsewhere) = (it.room("a").await, it.room("b").await);
    it.append_all(vec![
        said(room, 1, "too old for some"),
        member(room, 1, MemberChange::Join, None),
        said(room, 1, "deleted"),
        deleted(room, 1, 3),
        said(room, 1, "there"),
    ])
    .await;
    it.append_all((0..9).map(|_| said(elsewhere, 1, "elsewhere")).collect()).await;
    let about = |target| {
        vec![
            answering(said(room, 1, "x"), target),
            edited(room, 1, target, "x"),
            may_delete(deleted(room, 1, target)),
            reacted(room, 1, target, "x"),
            unreacted(room, 1, target, "x"),
        ]
    };
    let mut appends = Vec::new();
    for target in [0, 2, 3, 4, 6, 9, 1 << 40, (1 << 40) + 1, u64::MAX] {
        appends.extend(about(target));
    }
    appends.extend(about(1).into_iter().map(|append| from(append, 2)));
    let count = appends.len();
    // What stands behind them in the same batch, with the same generation, does not fail.
    appends.push(said(room, 1, "on"));
    appends.push(from(reacted(room, 1, 1, "x"), 1));
    let outcomes = it.append_all(appends).await;
    for (number, outcome) in outcomes[..count].iter().enumerate() {
        assert!(matches!(outcome, Outcome::Unmet(Unmet::NoTarget)), "{number}: {outcome:?}");
    }
    assert_eq!([seq(&outcomes[count]), seq(&outcomes[count + 1])], [6, 7]);
    assert_eq!(it.log(room).await.len(), 7);
}

pub(crate) async fn reactions_are_counted_by_kind_and_shown_with_the_message<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append_all(vec![said(room, 1, "x"), said(room, 1, "y")]).await;
    let mut appends = vec![reacted(room, 5, 1, "🦀"), reacted(room, 5, 1, "👍")];
    appends.extend((0..30).map(|n| reacted(room, -9 - n, 1, "🦀")));
    appends.extend([reacted(room, 1, 2, "👍"), unreacted(room, -10, 1, "🦀"), unreacted(room, 1, 2, "👍")]);
    it.append_all(appends).await;
    let reactions = it.message(room, 1).await.reactions;
    let shown: Vec<_> = reactions.iter().map(|reaction| (reaction.emoji.as_str(), reaction.count)).collect();
    assert_eq!(shown, [("🦀", 30), ("👍", 1)]);
    let named: Vec<_> = reactions[0].users.iter().map(|name| &**name).collect();
    assert_eq!(named.len(), Reaction::MOST_NAMED);
    assert_eq!(named[..3], ["user5", "user-9", "user-11"]);
    assert!(it.message(room, 2).await.reactions.is_empty());
    let log = it.store.entries(room, Seq(0), Seq(1), ALL).await.unwrap();
    assert_eq!(log[0].body, said(room, 1, "x").body, "the log has them as entries");
}

pub(crate) async fn a_reaction_is_there_once<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let outcomes = it
        .append_all(vec![
            said(room, 1, "x"),
            later(reacted(room, 2, 1, "👍"), 2_000_000),
            later(reacted(room, 2, 1, "👍"), 3_000_000),
            unreacted(room, 3, 1, "👍"),
            unreacted(room, 2, 1, "🦀"),
        ])
        .await;
    assert!(matches!(outcomes[2], Outcome::Duplicate { seq: Seq(2), time: Time(2_000_000) }), "{:?}", outcomes[2]);
    assert!(outcomes[3..].iter().all(|outcome| matches!(outcome, Outcome::Unmet(Unmet::NoTarget))));
    assert_eq!(seq(&it.append(unreacted(room, 2, 1, "👍")).await), 3);
    assert!(it.message(room, 1).await.reactions.is_empty());
    assert_eq!(seq(&it.append(reacted(room, 2, 1, "👍")).await), 4);
    assert_eq!(it.message(room, 1).await.reactions[0].count, 1);
}

pub(crate) async fn a_message_has_only_so_many_kinds_of_reactions<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append(said(room, 1, "x")).await;
    it.append_all((0..Reaction::MOST_KINDS).map(|n| reacted(room, 2, 1, &n.to_string())).collect()).await;
    let outcome = it.append(reacted(room, 2, 1, "one more")).await;
    assert!(matches!(outcome, Outcome::Unmet(Unmet::Full)), "{outcome:?}");
    seq(&it.append(reacted(room, 3, 1, "7")).await);
    seq(&it.append(unreacted(room, 2, 1, "8")).await);
    seq(&it.append(reacted(room, 3, 1, "one more")).await);
    assert_eq!(it.message(room, 1).await.reactions.len(), Reaction::MOST_KINDS);
}

pub(crate) async fn a_repeated_nonce_is_known_before_anything_is_looked_at<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let outcomes = it
        .append_all(vec![
            said(room, 1, "x"),
            nonce(edited(room, 1, 1, "y"), "edit"),
            nonce(deleted(room, 1, 1), "delete"),
            nonce(deleted(room, 1, 1), "delete"),
            nonce(edited(room, 1, 1, "y"), "edit"),
            nonce(edited(room, 1, 1, "y"), "unmet"),
            nonce(said(room, 1, "z"), "unmet"),
        ])
        .await;
    assert!(matches!(outcomes[3], Outcome::Duplicate { seq: Seq(3), .. }), "{:?}", outcomes[3]);
    assert!(matches!(outcomes[4], Outcome::Duplicate { seq: Seq(2), .. }), "{:?}", outcomes[4]);
    assert!(matches!(outcomes[5], Outcome::Unmet(Unmet::NoTarget)), "{:?}", outcomes[5]);
    assert_eq!(seq(&outcomes[6]), 4, "a nonce is used up only by what was stored");
}

pub(crate) async fn mentions_are_members_in_the_order_given<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (bob, alice, carol) = (it.account("Bob").await, it.account("ALICE").await, it.account("carol").await);
    let room = it.room("a").await;
    let join = |user| member(room, user, MemberChange::Join, None);
    let names = ["carol", "nobody", "alice", "bob"];
    let outcomes = it
        .append_all(vec![
            mentioning(said(room, carol, "too early"), &names),
            join(alice),
            join(bob),
            mentioning(said(room, bob, "hello"), &names),
            mentioning(said(room, -3, "from a guest"), &names),
            member(room, alice, MemberChange::Kick, None),
            join(carol),
            mentioning(said(room, -3, "later"), &names),
        ])
        .await;
    for (number, wanted) in [(0, &[][..]), (3, &["ALICE"]), (4, &["ALICE", "Bob"]), (7, &["carol", "Bob"])] {
        let Outcome::Appended(entry) = &outcomes[number] else { panic!("{:?}", outcomes[number]) };
        let Body::Message(settled) = &entry.body else { panic!("{entry:?}") };
        let names = |message: &Message| message.mentions.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(settled), wanted, "as it was settled");
        assert_eq!(names(&it.message(room, entry.seq.0).await), wanted, "as it is read");
    }
}

pub(crate) async fn an_edit_mentions_anew<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (bob, carol) = (it.account("Bob").await, it.account("carol").await);
    let room = it.room("a").await;
    it.append_all(vec![
        member(room, bob, MemberChange::Join, None),
        member(room, carol, MemberChange::Join, None),
        mentioning(said(room, 9, "@bob"), &["bob"]),
        mentioning(edited(room, 9, 3, "@carol"), &["carol"]),
    ])
    .await;
    assert_eq!(it.message(room, 3).await.mentions.iter().map(|name| &**name).collect::<Vec<_>>(), ["carol"]);
    for (user, mentions) in [(bob, 0), (carol, 1)] {
        let memberships = it.store.memberships(UserId(user), Vec::new()).await.unwrap();
        assert_eq!((memberships[0].unread.messages, memberships[0].unread.mentions), (1, mentions));
    }
    it.append(edited(room, 9, 3, "nobody")).await;
    assert!(it.message(room, 3).await.mentions.is_empty());
}

pub(crate) async fn an_edit_says_nothing_after_its_message_was_cut_off<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append_all(vec![said(room, 1, "x"), said(room, 1, "y"), edited(room, 1, 1, "z"), edited(room, 1, 2, "w")]).await;
    it.change(Change::Cut { room, first: Seq(2), most: 9 }).await;
    assert_eq!(edits(&it, room).await, [None, Some("w".into())]);
}
