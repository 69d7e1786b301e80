//! Searching.

use std::time::Duration;

use crate::model::{Query, RoomId, Seq, Time};
use crate::store::contract::{ALL, Subject, deleted, edited, most, said, text};
use crate::store::{Append, Change, Search, Store};

/// A search that has all the time it needs.
pub(crate) fn search(query: &str, rooms: &[(RoomId, u64)]) -> Search {
    Search {
        query: Query::parse(query).expect("a query"),
        rooms: rooms.iter().map(|(room, first)| (*room, Seq(*first))).collect(),
        before: None,
        after: None,
        most: ALL,
        timeout: Duration::from_secs(60),
    }
}

async fn found<S: Store>(it: &Subject<S>, query: &str, rooms: &[(RoomId, u64)]) -> String {
    texts(it, search(query, rooms)).await
}

/// What is found, page by page, and where one page ends.
async fn texts<S: Store>(it: &Subject<S>, mut search: Search) -> String {
    let mut pages: Vec<String> = Vec::new();
    loop {
        let hits = it.store.search(search.clone()).await.expect("hits");
        if !hits.hits.is_empty() {
            pages.push(hits.hits.iter().map(|(_, entry)| text(entry)).collect::<Vec<_>>().join(", "));
        }
        search.after = hits.next;
        if search.after.is_none() {
            return pages.join(" | ");
        }
    }
}

pub(crate) async fn hits_come_newest_first_from_where_they_may<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let (a, b, hidden) = (it.room("a").await, it.room("b").await, it.room("c").await);
    let at = |append, time| Append { time: Time(time), ..append };
    it.append_all(vec![
        at(said(a, 1, "cake one"), 10),
        at(said(b, 2, "cake two"), 20),
        at(said(hidden, 1, "cake nowhere"), 20),
        at(said(a, 2, "a Cake, three"), 30),
        at(said(a, 2, "bread"), 30),
        at(said(b, 1, "cake four http://example.org/"), 40),
    ])
    .await;
    let rooms = [(a, 1), (b, 1)];
    assert_eq!(found(&it, "cake", &rooms).await, "cake four http://example.org/, a Cake, three, cake two, cake one");
    assert_eq!(found(&it, "cake", &[(a, 2), (b, 2)]).await, "cake four http://example.org/, a Cake, three");
    assert_eq!(found(&it, "cake -three", &[(a, 1)]).await, "cake one");
    assert_eq!(found(&it, "has:link", &rooms).await, "cake four http://example.org/");
    assert_eq!(found(&it, "from:user2", &rooms).await, "bread, a Cake, three, cake two");
    assert_eq!(found(&it, "from:USER2 cake", &rooms).await, "a Cake, three, cake two");
    assert_eq!(found(&it, "cake from:nobody", &rooms).await, "");
    assert_eq!(found(&it, "cake before:1970-01-01T00:00:00.030Z", &rooms).await, "cake two, cake one");
    assert_eq!(
        found(&it, "cake after:1970-01-01T00:00:00.030Z", &rooms).await,
        "cake four http://example.org/, a Cake, three"
    );
    assert_eq!(found(&it, "cake", &[]).await, "");
    assert_eq!(found(&it, "cake", &[(RoomId(99), 1)]).await, "");
    let before = Search { before: Some(Seq(2)), ..search("cake", &[(a, 1)]) };
    assert_eq!(texts(&it, before).await, "cake one");
    let pages = Search { most: most(2), ..search("cake", &rooms) };
    assert_eq!(texts(&it, pages).await, "cake four http://example.org/, a Cake, three | cake two, cake one");
}

pub(crate) async fn a_message_is_found_by_what_it_says_now<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    it.append_all(vec![said(room, 1, "cake"), said(room, 1, "cake too"), said(room, 1, "cake as well")]).await;
    assert_eq!(found(&it, "cake", &[(room, 1)]).await, "cake as well, cake too, cake");
    it.append_all(vec![edited(room, 1, 1, "bread"), deleted(room, 1, 2)]).await;
    assert_eq!(found(&it, "cake", &[(room, 1)]).await, "cake as well");
    assert_eq!(found(&it, "bread", &[(room, 1)]).await, "bread");
    assert_eq!(found(&it, "too", &[(room, 1)]).await, "");
    it.change(Change::Cut { room, first: Seq(2), most: 9 }).await;
    assert_eq!(found(&it, "bread", &[(room, 1)]).await, "");
}
