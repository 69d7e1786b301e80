//! The index is behind the log, and nobody notices.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rusqlite::Connection;

use crate::model::{Body, RoomId};
use crate::store::contract::{Subject, deleted, edited, most, said, search};
use crate::store::sqlite::files::beside;
use crate::store::sqlite::tests::erasing::indexed;
use crate::store::sqlite::tests::{crash, open_with, seams};
use crate::store::sqlite::{Durability, Options, SqliteStore, index, migrate};
use crate::store::{Search, Store};

/// The texts that a search finds, newest first, and the number of pages.
async fn found(it: &Subject<SqliteStore>, wanted: Search) -> (Vec<String>, usize) {
    let (mut texts, mut pages, mut search) = (Vec::new(), 0, wanted);
    loop {
        let hits = it.store.search(search.clone()).await.unwrap();
        pages += 1;
        for (_, entry) in hits.hits {
            let Body::Message(message) = entry.body else { panic!("{entry:?}") };
            texts.push(message.text.as_str().to_owned());
        }
        match hits.next {
            None => return (texts, pages),
            next => search.after = next,
        }
    }
}

async fn cakes(it: &Subject<SqliteStore>, room: RoomId) -> usize {
    found(it, search("cake", &[(room, 1)])).await.0.len()
}

#[tokio::test]
async fn what_is_not_in_the_index_yet_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let seams = seams("boot");
    let faults = seams.faults.clone();
    let file = folder.path().join("snakk.db");
    let mut it = Subject::new(open_with(&file, Durability::Normal, seams).unwrap());
    let room = it.room("a").await;
    it.append_all((0..300).map(|n| said(room, 1, &format!("cake {n}"))).collect()).await;
    indexed(&it, folder.path()).await;
    faults.no_index.store(true, SeqCst);
    it.append_all((300..600).map(|n| said(room, 1, &format!("cake {n}"))).collect()).await;
    it.append_all(vec![
        edited(room, 1, 1, "bread"),
        edited(room, 1, 600, "bread too"),
        deleted(room, 1, 2),
        deleted(room, 1, 599),
    ])
    .await;
    let (texts, pages) = found(&it, Search { most: most(7), ..search("cake", &[(room, 1)]) }).await;
    let wanted: Vec<String> = (2..598).rev().map(|n| format!("cake {n}")).collect();
    assert_eq!((texts, pages), (wanted.clone(), 86));
    assert_eq!(found(&it, search("bread", &[(room, 1)])).await.0, ["bread too", "bread"]);
    // Nor does it matter for those that come afterwards.
    faults.no_index.store(false, SeqCst);
    it.append(said(room, 1, "wakes the writer")).await;
    indexed(&it, folder.path()).await;
    assert_eq!(found(&it, search("cake", &[(room, 1)])).await.0, wanted);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_the_indexing_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    let mut it = Subject::new(open_with(&file, Durability::Normal, seams("boot")).unwrap());
    let room = it.room("a").await;
    it.append_all((0..3000).map(|n| said(room, 1, &format!("cake {n}"))).collect()).await;
    for _ in 0..5 {
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = crash(&file, elsewhere.path());
        let crashed = Subject::new(open_with(&copy, Durability::Normal, seams("boot")).unwrap());
        assert_eq!(cakes(&crashed, room).await, 3000);
        crashed.store.close().await.unwrap();
    }
    it.store.close().await.unwrap();
    let it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    assert_eq!(cakes(&it, room).await, 3000);
    indexed(&it, folder.path()).await;
    assert_eq!(cakes(&it, room).await, 3000);
}

#[tokio::test]
async fn an_index_that_was_made_by_other_rules_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    let mut it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    let room = it.room("a").await;
    it.append_all((0..100).map(|n| said(room, 1, &format!("cake {n}"))).collect()).await;
    indexed(&it, folder.path()).await;
    it.store.close().await.unwrap();
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch("UPDATE meta SET value = 'older' WHERE key = 'index_form'").unwrap();
    index::prepare(&conn).unwrap();
    assert_eq!(index::indexed(&conn).unwrap(), 0);
    conn.close().unwrap();
    let it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    indexed(&it, folder.path()).await;
    assert_eq!(cakes(&it, room).await, 100);
}

#[tokio::test]
async fn a_search_ends_in_time_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut it = Subject::new(SqliteStore::open(Options::new(folder.path().join("snakk.db"))).unwrap());
    let room = it.room("a").await;
    it.append_all((0..500).map(|n| said(room, 1, &format!("cake {n}"))).collect()).await;
    let timeout = Duration::ZERO;
    // Without words it looks at the clock now and then; with words, SQLite does.
    let hits = it.store.search(Search { timeout, ..search("before:2030-01-01", &[(room, 1)]) }).await.unwrap();
    assert!(hits.hits.len() < 500 && hits.next.is_some(), "{}", hits.hits.len());
    let rest = Search { after: hits.next, ..search("before:2030-01-01", &[(room, 1)]) };
    assert_eq!(hits.hits.len() + found(&it, rest).await.0.len(), 500);
}

#[tokio::test]
async fn a_database_of_the_first_format_is_searched_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.db");
    let first = &migrate::MIGRATIONS[..1];
    drop(migrate::create(&file, crate::store::sqlite::lock::Lock::open(&file).unwrap(), first, "full x").unwrap());
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch(
        "INSERT INTO rooms (id, name, kind, epoch, created) VALUES (1, 'a', 'public', 'e', 1), (2, 'b', 'public', 'e', 1);
         INSERT INTO accounts (id, name, folded, skeleton, role, password_hash, created)
             VALUES (1, 'Bob', 'bob', 'bob', 'user', 'x', 1);
         INSERT INTO members (room, user, role, joined, read, own) VALUES (1, 1, 'member', 1, 1, 2);
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 70000)
         INSERT INTO entries (id, messages, time, author, name, kind, text)
             SELECT 1 << 40 | n, n, n, CASE n WHEN 3 THEN 1 WHEN 69000 THEN 1 ELSE -5 END, 'x', 0, 'cake ' || n FROM n;
         INSERT INTO entries (id, messages, time, author, name, kind, text)
             VALUES (2 << 40 | 1, 1, 35000, -5, 'x', 0, 'cake in between');
         DELETE FROM meta WHERE key = 'running'",
    )
    .unwrap();
    conn.close().unwrap();
    let mut it = Subject::new(SqliteStore::open(Options::new(&file)).unwrap());
    assert!(beside(&file, ".v1").exists());
    let bob = crate::model::UserId(1);
    let membership = it.store.memberships(bob, Vec::new()).await.unwrap().remove(0);
    assert_eq!(membership.unread.messages, 69_997);
    let page = Search { most: most(3), ..search("cake", &[(RoomId(1), 1), (RoomId(2), 1)]) };
    let hits = it.store.search(page).await.unwrap();
    assert_eq!(hits.hits.len(), 3);
    assert_eq!((hits.hits[0].0, hits.hits[0].1.seq.0), (RoomId(1), 70_000));
    let between = it.store.search(search("\"in between\"", &[(RoomId(1), 1), (RoomId(2), 1)])).await.unwrap();
    assert_eq!(between.hits.len(), 1);
    it.append(deleted(RoomId(1), -5, 100)).await;
    let membership = it.store.memberships(bob, Vec::new()).await.unwrap().remove(0);
    assert_eq!(membership.unread.messages, 69_996);
    it.store.close().await.unwrap();
}
