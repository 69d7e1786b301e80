//! Counting without looking, against counting by looking.

use std::path::Path;

use rusqlite::Connection;

use crate::model::{Body, Message, RoomId, Seq, Text, UserId};
use crate::store::Change;
use crate::store::contract::said;
use crate::store::sqlite::append::Appender;
use crate::store::sqlite::log::{Heads, id};
use crate::store::sqlite::verify::{Look, look_at};
use crate::store::sqlite::{change, migrate, unread};

/// By looking at every entry.
fn looked(conn: &Connection, room: RoomId, read: u64, not_by: &[i64]) -> u64 {
    let sql = "SELECT author FROM entries WHERE id > ?1 AND id < ?2 AND kind = 0 AND flags & 2 = 0";
    let mut select = conn.prepare(sql).unwrap();
    let ids = (id(room, Seq(read)), id(RoomId(room.0 + 1), Seq(0)));
    let authors = select.query_map(ids, |row| row.get::<_, i64>(0)).unwrap();
    authors.filter(|author| !not_by.contains(author.as_ref().unwrap())).count() as u64
}

#[test]
fn counts_are_exact_across_all_blocks() {
    let conn = Connection::open_in_memory().unwrap();
    migrate::MIGRATIONS.iter().for_each(|sql| conn.execute_batch(sql).unwrap());
    conn.execute_batch(
        "INSERT INTO rooms (id, name, kind, epoch, created) VALUES (1, 'a', 'public', 'e', 1), (2, 'b', 'public', 'e', 1)",
    )
    .unwrap();
    let mut heads = Heads::default();
    let room = RoomId(1);
    let mut dice = 1_u64;
    let mut roll = move |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    let mut head = 0;
    conn.execute_batch("BEGIN").unwrap();
    while head < 150_000 {
        let mut appender = Appender::new(&conn, &mut heads).unwrap();
        for _ in 0..roll(3000) {
            let mut append = said(room, [1, 2, -3, 4][roll(4) as usize], "x");
            if head > 10 && roll(20) == 0 {
                let target = Seq(1 + roll(head));
                append.reach.others = true;
                append.body = Body::Delete { target, reason: None };
            } else {
                append.body = Body::Message(Message::new(Text::trusted("x")));
            }
            if let crate::store::sqlite::append::Added::New(seq, ..) = appender.append(&append).unwrap() {
                head = seq.0;
            }
        }
        appender.flush().unwrap();
    }
    let check = |conn: &Connection, reads: &[u64]| {
        for read in reads {
            for not_by in [&[][..], &[1], &[1, -3], &[1, 2, -3, 4], &[99]] {
                let users: Vec<UserId> = not_by.iter().copied().map(UserId).collect();
                let count = unread::count(conn, room, Seq(*read), UserId(1), &users).unwrap();
                assert_eq!(count.messages, looked(conn, room, *read, not_by), "behind {read}, not by {not_by:?}");
            }
        }
    };
    let reads = [0, 1, 254, 255, 256, 257, 65_279, 65_535, 65_536, 70_000, 131_071, 131_072, 140_000, head - 1, head];
    check(&conn, &reads);
    assert_eq!(wrong_counts(&conn), [""; 0]);
    let mut first = 0;
    while first < 70_123 {
        first = change::apply(&conn, &Change::Cut { room, first: Seq(70_123), most: 9999 }).unwrap();
    }
    check(&conn, &reads);
    assert_eq!(wrong_counts(&conn), [""; 0]);
    let rows: i64 =
        conn.query_row("SELECT count(*) FROM tallies WHERE block BETWEEN 0 AND 272", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0, "what is cut off is not counted any more");
    // And whoever looks finds it if they are wrong.
    conn.execute_batch("UPDATE tallies SET count = count + 1 WHERE block = -2").unwrap();
    assert_eq!(wrong_counts(&conn).len(), 1);
}

/// What `verify` finds.
fn wrong_counts(conn: &Connection) -> Vec<String> {
    conn.pragma_update(None, "user_version", migrate::newest(migrate::MIGRATIONS)).unwrap();
    let report = look_at(conn, Path::new("memory"), Look::Quick);
    report.problems.into_iter().filter(|problem| problem.contains("counts of messages")).collect()
}
