//! Closing.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::RoomId;
use crate::store::contract::{Subject, new_room, said};
use crate::store::{Created, Outcome, Store, StoreError, Write};

pub(crate) async fn closing_settles_what_waits_and_takes_no_more<S: Store>(store: S) {
    let mut it = Subject::new(store);
    let room = it.room("a").await;
    let place = it.store.queue().reserve(1).await.unwrap();
    it.push((0..50).map(|_| Write::Append(said(room, 1, "x"))).collect()).await;
    let (done, answer) = oneshot::channel();
    it.push(vec![Write::CreateRoom(new_room("b", None), done)]).await;
    let store = Arc::new(it.store);
    let closing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.close().await })
    };
    let mut count = 0;
    while let Some(batch) = it.settled.recv().await {
        count += batch.iter().filter(|settled| matches!(settled.outcome, Outcome::Appended(_))).count();
    }
    assert_eq!(count, 50);
    assert!(matches!(answer.await, Ok(Ok(Created::New(_)))));
    closing.await.unwrap().unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.queue().reserve(1).await, Err(StoreError::Closed)));
    assert!(store.queue().push(place, Write::Append(said(room, 1, "late"))).is_err());
    assert!(matches!(store.rooms().await, Err(StoreError::Closed)));
}

pub(crate) async fn closing_waits_for_no_receiver_that_nobody_took<S: Store>(store: S) {
    for name in ["a", "b"] {
        let (done, answer) = oneshot::channel();
        let place = store.queue().reserve(1).await.unwrap();
        assert!(store.queue().push(place, Write::CreateRoom(new_room(name, None), done)).is_ok());
        answer.await.unwrap().unwrap();
    }
    for _ in 0..20 {
        let place = store.queue().reserve(1).await.unwrap();
        assert!(store.queue().push(place, Write::Append(said(RoomId(1), 1, "x"))).is_ok());
    }
    store.close().await.unwrap();
}
