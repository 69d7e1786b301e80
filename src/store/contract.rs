//! The tests that every store passes. Each gets a store that is new and empty.

use tokio::sync::{mpsc, oneshot};

use crate::model::{
    Anchor, Body, Entry, Epoch, Line, MemberChange, Message, RoomId, RoomKind, RoomName, RoomRole, Seq, Text, Time,
    UserId, Username,
};
use crate::store::{
    Act, Append, Change, Created, Hash, Most, NewAccount, NewRoom, Outcome, Reach, Settled, Store, StoreError,
    StoredRoom, Write,
};

mod accounts;
mod appending;
mod closing;
mod cutting;
mod pages;
mod rooms;
mod searching;
mod standing;
mod talking;
mod unread;

pub(crate) use accounts::*;
pub(crate) use appending::*;
pub(crate) use closing::*;
pub(crate) use cutting::*;
pub(crate) use pages::*;
pub(crate) use rooms::*;
pub(crate) use searching::*;
pub(crate) use standing::*;
pub(crate) use talking::*;
pub(crate) use unread::*;

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
        body: Body::Message(Message::new(Text::trusted(text))),
        nonce: None,
        reach: Reach { first: Seq(1), others: false },
        mentions: Box::default(),
        act: None,
        origin: Box::new(()),
    }
}

pub(crate) fn member(room: RoomId, user: i64, change: MemberChange, role: Option<RoomRole>) -> Append {
    let reason = (change == MemberChange::Leave).then(|| Line::trusted("has \"enough\"\\"));
    let body = Body::Member { user: "Some\"body".into(), user_id: UserId(user), change, role, reason, until: None };
    Append { body, ..said(room, user, "") }
}

pub(crate) fn edited(room: RoomId, author: i64, target: u64, text: &str) -> Append {
    Append { body: Body::Edit { target: Seq(target), text: Some(Text::trusted(text)) }, ..said(room, author, "") }
}

pub(crate) fn deleted(room: RoomId, author: i64, target: u64) -> Append {
    let reason = Some(Line::trusted("because"));
    Append { body: Body::Delete { target: Seq(target), reason }, ..said(room, author, "") }
}

pub(crate) fn reacted(room: RoomId, author: i64, target: u64, emoji: &str) -> Append {
    let body = Body::React { target: Seq(target), emoji: Line::trusted(emoji), remove: false };
    Append { body, ..said(room, author, "") }
}

pub(crate) fn unreacted(room: RoomId, author: i64, target: u64, emoji: &str) -> Append {
    let body = Body::React { target: Seq(target), emoji: Line::trusted(emoji), remove: true };
    Append { body, ..said(room, author, "") }
}

pub(crate) fn mentioning(append: Append, names: &[&str]) -> Append {
    Append { mentions: names.iter().map(|name| (*name).to_owned()).collect(), ..append }
}

pub(crate) fn act(word: &str, room: Option<RoomId>, target: &str) -> Act {
    Act {
        time: Time(9),
        by: "admin".into(),
        act: word.into(),
        room,
        room_name: "a".into(),
        target: target.into(),
        detail: "why".into(),
    }
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
        self.register_with(name, skeleton, None, Time(7)).await
    }

    pub(crate) async fn register_with(
        &self,
        name: &str,
        skeleton: &str,
        invitation: Option<Hash>,
        time: Time,
    ) -> Created<UserId> {
        let (done, answer) = oneshot::channel();
        let account = NewAccount {
            name: Username::trusted(name, &name.to_ascii_lowercase()),
            skeleton: skeleton.into(),
            password_hash: "hash".into(),
            invitation,
            time,
        };
        self.push(vec![Write::CreateAccount(account, done)]).await;
        answer.await.expect("an answer").expect("stored")
    }

    /// An account that is certainly new.
    pub(crate) async fn account(&self, name: &str) -> i64 {
        match self.register(name, &name.to_ascii_lowercase()).await {
            Created::New(UserId(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn change(&self, change: Change) -> u64 {
        let (done, answer) = oneshot::channel();
        self.push(vec![Write::Change(Box::new(change), done)]).await;
        answer.await.expect("an answer").expect("stored")
    }

    /// A message as a page of history shows it.
    pub(crate) async fn message(&self, room: RoomId, seq: u64) -> Message {
        let page = self.store.messages(room, Anchor::Around(Seq(seq)), Seq(seq), most(1)).await.expect("a page");
        match page.messages.into_iter().find(|entry| entry.seq == Seq(seq)).map(|entry| entry.body) {
            Some(Body::Message(message)) => message,
            other => panic!("{other:?}"),
        }
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
        sides: None,
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

fn text(entry: &Entry) -> String {
    match &entry.body {
        Body::Message(message) => message.text.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

/// One test for each promise, with a store that `$open` makes.
macro_rules! contract {
    ($open:expr) => {
        contract! { $open =>
            entries_are_numbered_in_the_order_of_the_queue
            an_origin_comes_back_untouched
            a_nonce_is_stored_once
            time_never_falls_in_a_room
            what_stands_behind_a_failure_fails
            what_is_read_is_what_was_settled
            what_is_done_by_an_entry_is_remembered_with_it
            an_edit_changes_what_a_message_says
            only_the_author_edits
            a_deleted_message_says_nothing
            others_delete_where_they_may
            a_deletion_is_remembered_where_the_message_was_anothers
            nothing_is_said_about_what_is_not_there
            reactions_are_counted_by_kind_and_shown_with_the_message
            a_reaction_is_there_once
            a_message_has_only_so_many_kinds_of_reactions
            a_repeated_nonce_is_known_before_anything_is_looked_at
            mentions_are_members_in_the_order_given
            an_edit_mentions_anew
            an_edit_says_nothing_after_its_message_was_cut_off
            unread_is_what_others_said
            reading_never_goes_back
            unread_is_exact_in_a_long_log
            pages_hold_messages_near_their_anchor
            entries_stop_where_the_page_is_full
            membership_follows_from_the_entries
            a_room_remembers_who_owned_it_last
            bans_and_mutes_hold_for_all_that_look_like_the_name
            an_invitation_ends_with_joining_or_a_ban
            what_a_room_is_follows_from_the_entries
            a_direct_conversation_has_two_sides
            a_name_is_given_once
            an_account_changes
            tokens_belong_to_their_account
            an_invitation_is_used_up_with_the_account
            of_a_deleted_account_only_the_name_is_left
            the_level_and_the_suspensions_hold_until_they_are_changed
            blocks_are_kept_for_each_account
            acts_are_listed_newest_first_in_pages
            hits_come_newest_first_from_where_they_may
            a_message_is_found_by_what_it_says_now
            a_log_is_cut_in_steps_and_keeps_its_numbers
            what_was_cut_off_is_nowhere
            the_first_entry_since_a_moment_is_found
            a_deleted_room_is_gone_at_once_and_erased_in_steps
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
