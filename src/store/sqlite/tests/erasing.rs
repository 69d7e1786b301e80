//! What is gone is in none of the files, and that soon.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::model::{RoomId, Seq};
use crate::store::contract::{Subject, deleted, edited, reacted, said};
use crate::store::sqlite::tests::{all_files, open_new};
use crate::store::sqlite::{Options, SqliteStore};
use crate::store::{Append, Change, Store};

/// What a word ends with. The index leaves out what a word begins with, where the one in front of it begins alike.
fn tail(word: &str) -> &[u8] {
    &word.as_bytes()[word.len() - TAIL..]
}

const TAIL: usize = 12;

/// The tails of all words that stand anywhere in the files.
fn tails(folder: &Path) -> HashSet<Vec<u8>> {
    let mut tails = HashSet::new();
    for (_, bytes) in all_files(folder) {
        for run in bytes.split(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            tails.extend(run.windows(TAIL).map(<[u8]>::to_vec));
        }
    }
    tails
}

/// Waits until none of the words is anywhere; a second is promised, and slow machines get some more.
async fn all_gone(folder: &Path, words: &[String]) {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let tails = tails(folder);
        let left: Vec<_> = words.iter().filter(|word| tails.contains(tail(word))).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "{left:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until everything is in the index.
pub(super) async fn indexed(it: &Subject<SqliteStore>, folder: &Path) {
    let conn = rusqlite::Connection::open(folder.join("snakk.db")).unwrap();
    let sql = "SELECT (SELECT value FROM meta WHERE key = 'indexed') >= ifnull(max(nr), 0) FROM postings";
    while !conn.query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let _ = it;
}

/// Lower case, so that it is the same in the index.
fn word(n: u64) -> String {
    // Scrambled, so that none of them stands in another one.
    let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    format!("qz{:016x}", mixed ^ (mixed >> 27))
}

/// Texts of many lengths, each with a word of its own.
fn text(n: u64) -> String {
    let filling = "and so on ".repeat([0, 1, 30, 3, 700, 9, 80][n as usize % 7]);
    format!("first {} {filling}", word(n))
}

async fn many(it: &mut Subject<SqliteStore>, rooms: &[RoomId], count: u64) {
    let mut appends: Vec<Append> = Vec::new();
    for n in 0..count {
        appends.push(said(rooms[n as usize % rooms.len()], 1, &text(n)));
    }
    for chunk in 0..appends.len().div_ceil(100) {
        let _ = chunk;
        let rest = appends.split_off(appends.len().min(100));
        it.append_all(std::mem::replace(&mut appends, rest)).await;
    }
}

#[tokio::test]
async fn a_deleted_or_edited_text_is_in_no_file() {
    for with_index in [true, false] {
        let (folder, store) = open_new();
        let mut it = Subject::new(store);
        let rooms = [it.room("a").await, it.room("b").await, it.room("c").await];
        many(&mut it, &rooms, 600).await;
        if with_index {
            indexed(&it, folder.path()).await;
        }
        let there = tails(folder.path());
        assert!((0..600).all(|n| there.contains(tail(&word(n)))), "the test sees what is there");
        let mut appends = Vec::new();
        for n in (0..600_u64).filter(|n| n % 2 == 0) {
            let (room, seq) = (rooms[n as usize % 3], n / 3 + 1);
            appends.push(reacted(room, 1, seq, "x"));
            appends.push(edited(room, 1, seq, &format!("{} instead", word(n + 10_000))));
            appends.push(if n % 4 == 0 {
                deleted(room, 1, seq)
            } else {
                edited(room, 1, seq, &format!("{} at last", word(n + 20_000)))
            });
        }
        for append in appends {
            it.append(append).await;
        }
        let mut gone: Vec<String> = (0..600).filter(|n| n % 2 == 0).map(word).collect();
        gone.extend((0..600).filter(|n| n % 2 == 0).map(|n| word(n + 10_000)));
        all_gone(folder.path(), &gone).await;
        let tails = tails(folder.path());
        assert!((0..600).filter(|n| n % 2 == 1).all(|n| tails.contains(tail(&word(n)))), "the others stay");
        it.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_cut_off_or_erased_is_in_no_file() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let rooms = [it.room("a").await, it.room("b").await];
    many(&mut it, &rooms, 400).await;
    it.append(edited(rooms[0], 1, 1, &format!("{} instead", word(999)))).await;
    indexed(&it, folder.path()).await;
    let mut first = 0;
    while first < 100 {
        first = it.change(Change::Cut { room: rooms[0], first: Seq(100), most: 17 }).await;
    }
    it.change(Change::DeleteRoom(rooms[1], None)).await;
    while it.change(Change::Erase(50)).await == 50 {}
    let mut gone: Vec<String> = (0..198).map(word).collect();
    gone.extend((200..400).filter(|n| n % 2 == 1).map(word));
    gone.push(word(999));
    all_gone(folder.path(), &gone).await;
    assert!(tails(folder.path()).contains(tail(&word(398))));
    let conn = rusqlite::Connection::open(folder.path().join("snakk.db")).unwrap();
    let sql = "SELECT (SELECT count(*) FROM postings) || ' ' || (SELECT count(*) FROM entries WHERE kind = 0) || ' ' || \
        (SELECT sum(count) FROM tallies) || ' ' || (SELECT count(*) FROM doomed)";
    assert_eq!(conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap(), "101 101 101 0");
}

#[tokio::test]
async fn what_moved_before_it_was_deleted_is_in_no_file() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let rooms = [it.room("a").await, it.room("b").await, it.room("c").await, it.room("d").await];
    many(&mut it, &rooms, 800).await;
    indexed(&it, folder.path()).await;
    // What stands around the pages of others goes first, so that what is left moves together.
    it.change(Change::DeleteRoom(rooms[1], None)).await;
    while it.change(Change::Erase(50)).await == 50 {}
    it.change(Change::Cut { room: rooms[2], first: Seq(90), most: 1000 }).await;
    for room in [rooms[0], rooms[2], rooms[3]] {
        for seq in 1..=200 {
            it.append(deleted(room, 1, seq)).await;
        }
    }
    all_gone(folder.path(), &(0..800).map(word).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn what_moved_when_others_grew_is_in_no_file() {
    let (folder, store) = open_new();
    let mut it = Subject::new(store);
    let mut rooms = Vec::new();
    for n in 0..12 {
        rooms.push(it.room(&format!("r{n}")).await);
    }
    many(&mut it, &rooms, 1200).await;
    // Every third message grows and pushes the others away, while more is said in front of the next room.
    let mut appends = Vec::new();
    for n in (0..1200).filter(|n| n % 3 == 0) {
        let (room, seq) = (rooms[n as usize % 12], n / 12 + 1);
        appends.push(edited(room, 1, seq, &format!("{} {}", word(n + 5000), "longer ".repeat(n as usize % 90))));
        appends.push(said(rooms[(n as usize * 7) % 12], 1, &text(n + 7000)));
    }
    for append in appends {
        it.append(append).await;
    }
    it.change(Change::DeleteRoom(rooms[5], None)).await;
    while it.change(Change::Erase(50)).await == 50 {}
    it.change(Change::Cut { room: rooms[8], first: Seq(60), most: 1000 }).await;
    for n in (0..1200).filter(|n| n % 2 == 0 && ![5, 8].contains(&(n % 12))) {
        it.append(deleted(rooms[n as usize % 12], 1, n / 12 + 1)).await;
    }
    let mut gone: Vec<String> = (0..1200).filter(|n| n % 2 == 0 || n % 3 == 0 || n % 12 == 5).map(word).collect();
    gone.retain(|gone| (0..1200).all(|n| n % 12 != 8 || n / 12 < 59 || n % 3 == 0 || word(n) != *gone));
    gone.extend((0..1200).filter(|n| n % 6 == 0 && n % 12 != 8).map(|n| word(n + 5000)));
    all_gone(folder.path(), &gone).await;
    let kept: Vec<String> = (0..1200).filter(|n| n % 2 == 1 && n % 3 != 0 && n % 12 != 5).map(word).collect();
    let tails = tails(folder.path());
    assert!(kept.iter().all(|word| tails.contains(tail(word))), "the others stay");
    it.store.close().await.unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("snakk.db")).unwrap();
    let sql = "PRAGMA integrity_check";
    assert_eq!(conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap(), "ok");
}

#[tokio::test]
async fn what_a_stop_has_left_is_scrubbed_after_the_start() {
    let (folder, store) = open_new();
    let file = folder.path().join("snakk.db");
    let it = Subject::new(store);
    it.room("a").await;
    it.store.close().await.unwrap();
    // A connection that does not overwrite what it deletes leaves it where the scrub has to find it.
    let conn = rusqlite::Connection::open(&file).unwrap();
    let sql = "INSERT INTO acts (time, by, act, detail) VALUES (1, 'somebody', 'something', ?1)";
    conn.execute(sql, [word(0)]).unwrap();
    conn.execute_batch("DELETE FROM acts; INSERT INTO meta (key, value) VALUES ('unscrubbed', 1)").unwrap();
    drop(conn);
    assert!(tails(folder.path()).contains(tail(&word(0))), "the test sees what is there");
    let _store = SqliteStore::open(Options::new(&file)).unwrap();
    all_gone(folder.path(), &[word(0)]).await;
    // The mark goes too, so that the next start has nothing to do.
    let conn = rusqlite::Connection::open(&file).unwrap();
    let sql = "SELECT count(*) FROM meta WHERE key = 'unscrubbed'";
    while conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
