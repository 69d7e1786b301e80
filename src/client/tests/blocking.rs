//! Who is blocked is not heard, and nothing else is lost by it.

use super::*;

/// A server that tells what blocked and other people do, and answers a page and a search.
async fn noisy(listener: TcpListener) {
    let mut wire = Wire::accept(&listener).await;
    let hello = wire.expect("hello").await;
    wire.answer(&hello, json!({"protocol": 1})).await;
    let login = wire.expect("login").await;
    wire.answer(&login, json!({"username": "bob", "guest": false, "blocked": ["Mallory"]})).await;
    wire.joined(0).await;
    let said = |seq: u64, from: &str| json!({"event": "message", "room": "lobby", "seq": seq, "from": from, "time": TIME, "text": "x"});
    wire.tell(said(1, "ann")).await;
    wire.tell(said(2, "MALLORY")).await;
    wire.tell(json!({"event": "edit", "room": "lobby", "seq": 3, "from": "mallory", "time": TIME, "target": 2,
        "text": "y"}))
        .await;
    wire.tell(json!({"event": "react", "room": "lobby", "seq": 4, "from": "mallory", "time": TIME, "target": 1,
        "emoji": "+"}))
        .await;
    wire.tell(json!({"event": "typing", "room": "lobby", "user": "mallory"})).await;
    wire.tell(json!({"event": "presence", "user": "Mallory", "online": true})).await;
    wire.tell(json!({"event": "typing", "room": "lobby", "user": "ann"})).await;
    let block = wire.expect("block").await;
    assert_eq!(block["username"], "ann");
    wire.answer(&block, json!({})).await;
    wire.tell(said(5, "ann")).await;
    let unblock = wire.expect("unblock").await;
    wire.answer(&unblock, json!({})).await;
    wire.tell(said(6, "ann")).await;
    let history = wire.expect("history").await;
    let line = |seq: u64, from: &str| {
        json!({"seq": seq, "from": from, "time": TIME, "text": "x", "reactions": [
            {"emoji": "+", "count": 2, "users": ["mallory", "ann"]}, {"emoji": "-", "count": 1, "users": ["Mallory"]}]})
    };
    let messages = json!([line(1, "mallory"), line(2, "ann"), line(3, "mallory")]);
    wire.answer(&history, json!({"room": "lobby", "messages": messages, "head": 6})).await;
    let search = wire.expect("search").await;
    wire.answer(&search, json!({"messages": messages, "next": 3, "more": true})).await;
}

/// What was heard, up to the last entry.
async fn heard(events: &mut Events) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let event = events.next().await.unwrap();
        heard.push(match &event {
            Event::Message(message) => format!("{} {}", message.seq, message.from),
            Event::Hidden { seq, .. } => format!("{seq} hidden"),
            Event::Typing { user, .. } => format!("{user} types"),
            other => other.entry().map_or_else(|| format!("{other:?}"), |(_, seq)| format!("{seq}")),
        });
        if event.entry().is_some_and(|(_, seq)| seq == Seq(6)) {
            return heard;
        }
    }
}

#[tokio::test]
async fn what_blocked_people_say_is_hidden_and_its_place_is_told() {
    play(noisy, async |builder| {
        let me = builder.connect().await.unwrap();
        let mut events = me.events();
        me.join("lobby").await.unwrap();
        me.block("ann").await.unwrap();
        me.unblock("Ann").await.unwrap();
        let expected = ["1 ann", "2 hidden", "3 hidden", "4 hidden", "ann types", "5 hidden", "6 ann"];
        assert_eq!(heard(&mut events).await, expected);
        let page = me.history("lobby", HistoryQuery::default()).await.unwrap();
        assert_eq!((page.messages.len(), page.oldest, page.newest, page.count), (1, Some(Seq(1)), Some(Seq(3)), 3));
        let [reaction] = &page.messages[0].reactions[..] else { panic!("{page:?}") };
        assert_eq!((reaction.count, &reaction.users[..]), (1, &["ann".to_owned()][..]));
        let found = me.search(SearchQuery::new("x")).await.unwrap();
        assert_eq!((found.messages.len(), found.next), (1, Some(3)));
    })
    .await;
}

#[tokio::test]
async fn whoever_wants_to_see_everything_does() {
    play(noisy, async |builder| {
        let me = builder.show_blocked(true).connect().await.unwrap();
        let mut events = me.events();
        me.join("lobby").await.unwrap();
        me.block("ann").await.unwrap();
        me.unblock("ann").await.unwrap();
        let heard = heard(&mut events).await;
        assert_eq!((heard[1].as_str(), heard.len()), ("2 MALLORY", 9));
        assert_eq!(me.history("lobby", HistoryQuery::default()).await.unwrap().messages.len(), 3);
        assert_eq!(me.search(SearchQuery::new("x")).await.unwrap().messages.len(), 3);
    })
    .await;
}
