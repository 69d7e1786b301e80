//! Rooms that get another name, close, or are taken up by hand.

use super::*;

#[tokio::test]
async fn a_renamed_room_goes_on_and_is_resumed_under_its_new_name_and_a_closed_one_is_not() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.joined(7).await;
            let join = wire.expect("join").await;
            let mut den = joined(3);
            (den["room"], den["epoch"]) = ("den".into(), "d".into());
            wire.answer(&join, den).await;
            wire.tell(json!({"event": "room", "room": "hall", "seq": 8, "from": "ann", "time": TIME, "name": "hall",
                "was": "lobby"}))
                .await;
            wire.tell(json!({"event": "message", "room": "hall", "seq": 9, "from": "ann", "time": TIME, "text": "x"}))
                .await;
            wire.tell(json!({"event": "removed", "room": "den", "seq": 3, "change": "kick"})).await;
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let resume = wire.expect("resume").await;
            assert_eq!(resume["rooms"], json!({"hall": {"since": 9, "epoch": "e"}}));
            // It was renamed once more while we were away: what was said before that comes under the name of that time.
            let mut foyer = joined(11);
            foyer["room"] = "foyer".into();
            wire.answer(&resume, json!({"rooms": [foyer]})).await;
            wire.tell(json!({"event": "message", "room": "hall", "seq": 9, "from": "ann", "time": TIME, "text": "x"}))
                .await;
            wire.tell(json!({"event": "message", "room": "hall", "seq": 10, "from": "ann", "time": TIME, "text": "y"}))
                .await;
            wire.tell(
                json!({"event": "room", "room": "foyer", "seq": 11, "from": "ann", "time": TIME, "name": "foyer",
                "was": "hall"}),
            )
            .await;
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let resume = wire.expect("resume").await;
            assert_eq!(resume["rooms"], json!({"foyer": {"since": 11, "epoch": "e"}}));
            let _ = wire.reader.read_line(&mut String::new()).await;
        },
        async |builder| {
            let me = builder.reconnect(true).connect().await.unwrap();
            let mut events = me.events();
            me.join("lobby").await.unwrap();
            me.join("den").await.unwrap();
            let mut told = Vec::new();
            while told.last().is_none_or(|last| last != "11 in foyer") {
                match events.next().await.unwrap() {
                    Event::Resumed(rooms) => told.push(format!("{} was {:?}", rooms[0].room, rooms[0].was)),
                    event => told.extend(event.entry().map(|(room, seq)| format!("{seq} in {room}"))),
                }
            }
            let expected =
                ["8 in hall", "9 in hall", "foyer was Some(\"hall\")", "9 in hall", "10 in foyer", "11 in foyer"];
            assert_eq!(told, expected);
            while !matches!(events.next().await.unwrap(), Event::Connected { .. }) {}
        },
    )
    .await;
}

#[tokio::test]
async fn rooms_that_are_resumed_by_hand_begin_where_they_were_left() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let resume = wire.expect("resume").await;
            wire.answer(&resume, json!({"rooms": [joined(5)]})).await;
            for seq in 1..=5 {
                wire.message(seq, "x").await;
            }
            drop(wire);
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let resume = wire.expect("resume").await;
            assert_eq!(resume["rooms"], json!({"lobby": {"since": 5, "epoch": "e"}}));
            let _ = wire.reader.read_line(&mut String::new()).await;
        },
        async |builder| {
            let me = builder.reconnect(true).connect().await.unwrap();
            let mut events = me.events();
            me.resume(&[("lobby", Seq(3), Some("e"))]).await.unwrap();
            for seq in [4, 5] {
                assert_eq!(next_message(&mut events).await.seq, Seq(seq));
            }
            while !matches!(events.next().await.unwrap(), Event::Connected { .. }) {}
        },
    )
    .await;
}

#[tokio::test]
async fn after_a_new_password_the_client_comes_back_with_that() {
    play(
        async |listener| {
            for password in ["old", "new"] {
                let mut wire = Wire::accept(&listener).await;
                let hello = wire.expect("hello").await;
                wire.answer(&hello, json!({"protocol": 1})).await;
                let login = wire.expect("login").await;
                assert_eq!(login["password"], password);
                wire.answer(&login, json!({"username": "bob", "guest": false})).await;
                let request = wire.expect(if password == "old" { "password" } else { "ping" }).await;
                wire.answer(&request, json!({"time": TIME})).await;
            }
        },
        async |builder| {
            let me = builder.password("old").reconnect(true).connect().await.unwrap();
            me.change_password("old", "new").await.unwrap();
            me.ping().await.unwrap();
        },
    )
    .await;
}

/// Nothing is run here: that it compiles is what is wanted.
#[test]
fn what_is_asked_may_be_waited_for_in_any_task() {
    fn in_any_task<F: Future + Send>(_: F) {}
    let _ = |me: &Client| {
        in_any_task(me.rooms());
        in_any_task(me.names(None));
        in_any_task(me.accounts());
        in_any_task(me.server_sessions());
    };
}
