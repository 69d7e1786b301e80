//! Each request as it goes over the wire, and what its answer becomes.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::model::{Anchor, Fingerprint, Level, MemberChange, RoomKind, RoomRole, ServerRole, Time, Visibility};
use crate::protocol::Kind;

/// A good answer to each request, with a key and a word of tomorrow where there is room for one.
fn answer_to(request: &Value) -> Value {
    let seq = json!({"seq": 9, "later": true});
    let until = "2026-02-01T12:00:00.000Z";
    let message = json!({"room": "lobby", "seq": 4, "from": "ann", "time": TIME, "text": "hi bob", "action": false,
        "guest": true, "reply_to": 2, "mentions": ["bob"], "edited": TIME,
        "reactions": [{"emoji": "+", "count": 2, "users": ["bob"], "later": 1}]});
    match request["request"].as_str().unwrap() {
        "hello" => json!({"protocol": 1}),
        "login" | "register" => json!({"username": "bob", "role": "admin", "blocked": ["Mallory"],
            "rooms": [{"room": "@ann", "kind": "direct", "topic": "", "role": "member", "head": 3, "read": 1,
                "unread": 2, "mentions": 1}]}),
        "ping" => json!({"time": TIME}),
        "whoami" => json!({"username": "bob", "guest": false, "role": "admin", "sessions": 2}),
        "token" => match request["action"].as_str().unwrap() {
            "create" => json!({"token": "secret", "token_id": 5, "expires": until}),
            "certificate" => json!({"fingerprint": "ab".repeat(32), "token_id": 6, "expires": until}),
            "list" => json!({"tokens": [{"token_id": 5, "label": "ci", "created": TIME, "last_used": until},
                {"token_id": 6, "fingerprint": "ab".repeat(32), "label": "laptop", "created": TIME}]}),
            _ => json!({}),
        },
        "invitation" => match request["action"].as_str().unwrap() {
            "create" => json!({"invite": "word", "invitation_id": 6}),
            "list" => json!({"invitations": [{"invitation_id": 6, "label": "new", "left": 3, "by": "bob",
                "created": TIME, "expires": until}]}),
            _ => json!({}),
        },
        "sessions" if request.get("close").is_none() => {
            json!({"sessions": [{"session_id": 7, "client": "x/1", "since": TIME, "current": true}]})
        }
        "help" => json!({"requests": [{"request": "help"}]}),
        "rooms" => json!({"rooms": [{"room": "lobby", "kind": "circus", "head": 3}], "more": false}),
        "names" => json!({"names": [{"name": "ann", "role": "owner", "online": false, "status": "offline",
            "guest": false, "last_seen": TIME}, {"name": "bob", "role": "member", "online": true, "status": "away",
            "guest": true, "text": "lunch"}]}),
        "create" => json!({"room": "den", "head": 0}),
        "join" => joined(3),
        "resume" => json!({"rooms": [joined(3), {"room": "gone", "error": "No.", "code": "not_a_member"}]}),
        "unfollow" | "leave" | "delete_room" => json!({"room": "lobby"}),
        "room" if request.as_object().unwrap().len() == 3 => json!({"room": "lobby", "kind": "announce", "topic": "x",
            "history": "joined", "slow_mode_s": 1, "retention_days": 2, "retention_entries": 3, "epoch": "e",
            "first": 1, "head": 4, "members": 5, "online": 6}),
        "topic" | "invite" | "kick" | "ban" | "unban" | "mute" | "unmute" | "role" | "room" | "edit" | "delete"
        | "react" => seq,
        "bans" => json!({"room": "lobby", "bans": [{"username": "mallory", "reason": "noise", "until": until}],
            "mutes": [{"username": "trent"}]}),
        "message" => json!({"room": "lobby", "seq": 8, "time": TIME}),
        "history" => json!({"room": "lobby", "messages": [message], "more": true, "first": 1, "head": 4}),
        "search" => {
            let mut hit = message;
            (hit["snippet"], hit["hit"]) = ("..bob".into(), json!([2, 3]));
            json!({"messages": [hit], "more": true, "next": 77})
        }
        "read" => json!({"room": "lobby", "read": 4, "unread": 1, "mentions": 0}),
        "acts" => json!({"acts": [{"number": 3, "time": TIME, "by": "ann", "act": "kick", "room": "lobby",
            "target": "bob", "detail": ""}], "more": true}),
        "suspensions" => json!({"suspensions": [{"address": "192.0.2.0/24", "reason": "flood", "until": until,
            "by": "bob", "time": TIME}]}),
        "disconnect" => json!({"sessions": 2}),
        "level" => json!({"level": "read_only"}),
        "server_status" => json!({"version": "9", "name": "n", "started": TIME, "level": "open", "ready": false,
            "problem": "full", "sessions": 2, "later": 1}),
        "server_sessions" => {
            let behind = request["after"].as_u64();
            json!({"sessions": [{"session_id": behind.map_or(7, |after| after + 1), "username": "ann", "guest": false,
                "role": "user", "address": "local", "since": TIME, "rooms": 1}], "more": behind.is_none()})
        }
        "accounts" => {
            let name = if request.get("after").is_some() { "bob" } else { "ann" };
            json!({"accounts": [{"username": name, "role": "user"}], "more": name == "ann"})
        }
        "reload" => json!({"changed": [], "restart": ["storage.file"], "problems": []}),
        "log_level" => json!({"level": "info"}),
        _ => json!({}),
    }
}

/// Answers everything well, until the client closes; then says what was asked, without the ids.
async fn obliging(listener: TcpListener) -> Vec<Value> {
    let mut wire = Wire::accept(&listener).await;
    let mut asked = Vec::new();
    loop {
        let mut line = String::new();
        if wire.reader.read_line(&mut line).await.unwrap() == 0 {
            return asked;
        }
        let mut request: Value = serde_json::from_str(&line).unwrap();
        wire.answer(&request, answer_to(&request)).await;
        request.as_object_mut().unwrap().remove("id");
        asked.push(request);
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one line for each request")]
async fn each_request_has_a_method_and_its_answer_a_type() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(obliging(listener));
    let me = Client::builder(address).timeout(PATIENCE).connect().await.unwrap();
    let hour = Duration::from_secs(3600);
    let hour_of = || Sanction::new().reason("noise").lasting(hour);
    let nine = |placed: Placed| assert_eq!(placed.seq, Some(Seq(9)));
    let until = Time::parse("2026-02-01T12:00:00.000Z");

    let login = me.register("bob", "password", Some("word")).await.unwrap();
    assert!(login.role == ServerRole::Admin && login.rooms[0].kind == RoomKind::Direct);
    me.logout().await.unwrap();
    assert_eq!(me.blocked(), Vec::<String>::new());
    me.login_with_certificate("bob").await.unwrap();
    me.logout().await.unwrap();
    me.login_with_token("bob", "secret").await.unwrap();
    assert_eq!(me.blocked(), ["Mallory"]);
    me.ping().await.unwrap();
    assert_eq!(me.whoami().await.unwrap().sessions, 2);
    me.help().await.unwrap();
    me.change_password("old", "new").await.unwrap();
    let token = me.create_token("ci", Some(Duration::from_millis(1500))).await.unwrap();
    assert_eq!((&*token.token.0, token.token_id, token.expires), ("secret", 5, until));
    let laptop = Fingerprint::from_bytes([0xab; 32]);
    let added = me.add_certificate("laptop", Some(hour)).await.unwrap();
    assert_eq!((added.fingerprint, added.token_id, added.expires), (laptop, 6, until));
    assert_eq!(me.add_certificate_of(laptop, "", None).await.unwrap().fingerprint, laptop);
    let tokens = me.tokens().await.unwrap();
    assert_eq!((tokens[0].last_used, tokens[0].fingerprint), (until, None));
    assert_eq!((tokens[1].last_used, tokens[1].fingerprint), (None, Some(laptop)));
    me.revoke_token(5).await.unwrap();
    assert!(me.sessions().await.unwrap()[0].current);
    assert!(me.close_session(7).await.unwrap().is_empty());
    me.block("Trent").await.unwrap();
    me.unblock("MALLORY").await.unwrap();
    assert_eq!(me.blocked(), ["Trent"]);

    let rooms = me.rooms().await.unwrap();
    assert_eq!((rooms[0].kind.known(), rooms[0].kind.as_str()), (None, "circus"));
    let names = me.names(Some("lobby")).await.unwrap();
    assert_eq!(names[0].last_seen, Time::parse(TIME));
    assert!(names[1].status == Status::Away && names[1].text.as_deref() == Some("lunch"));
    me.create_with(NewRoom::new("den").kind(RoomKind::Private).topic("x")).await.unwrap();
    assert!(me.join("lobby").await.unwrap().role == RoomRole::Member);
    let resumed = me.resume(&[("lobby", Seq(2), Some("e")), ("gone", Seq(0), None)]).await.unwrap();
    assert!(matches!(&resumed[..], [ResumedRoom::Followed(_), ResumedRoom::Refused { room, .. }] if room == "gone"));
    me.unfollow("lobby").await.unwrap();
    me.leave("lobby").await.unwrap();
    nine(me.topic("lobby", "x").await.unwrap());
    nine(me.invite("lobby", "ann", None).await.unwrap());
    nine(me.kick("lobby", "ann", Some("noise")).await.unwrap());
    nine(me.ban("lobby", "ann", hour_of()).await.unwrap());
    nine(me.unban("lobby", "ann", None).await.unwrap());
    nine(me.mute("lobby", "ann", Sanction::new()).await.unwrap());
    nine(me.unmute("lobby", "ann", None).await.unwrap());
    let bans = me.bans("lobby").await.unwrap();
    assert_eq!((bans.bans[0].until, bans.mutes[0].username.as_str()), (until, "trent"));
    nine(me.role("lobby", "ann", RoomRole::Moderator, None).await.unwrap());
    let room = me.room("lobby").await.unwrap();
    assert!(room.kind == RoomKind::Announce && room.history == Visibility::Joined && room.online == 6);
    let settings = RoomSettings::new().name("hall").kind(RoomKind::Public).history(Visibility::All).slow_mode_s(0);
    nine(me.change_room("lobby", settings.retention_days(1).retention_entries(2)).await.unwrap());
    assert!(matches!(me.change_room("lobby", RoomSettings::new()).await, Err(ClientError::Protocol(_))));
    me.delete_room("lobby").await.unwrap();

    me.post(Draft::new("lobby", "hi").nonce("n").reply_to(Seq(1)).action()).await.unwrap();
    nine(me.edit("lobby", Seq(4), "ho").await.unwrap());
    nine(me.delete("lobby", Seq(4), None).await.unwrap());
    nine(me.react("lobby", Seq(4), "+").await.unwrap());
    nine(me.unreact("lobby", Seq(4), "+").await.unwrap());
    let page = me.history("lobby", HistoryQuery::at(Anchor::Around(Seq(4))).limit(10)).await.unwrap();
    let message = &page.messages[0];
    assert_eq!((message.mentions[0].as_str(), message.reactions[0].count, message.guest), ("bob", 2, true));
    assert_eq!((page.oldest, page.newest, page.count), (Some(Seq(4)), Some(Seq(4)), 1));
    let query = SearchQuery::new("bob").room("lobby").from("ann").before(Seq(9)).after(5).limit(3);
    let found = me.search(query).await.unwrap();
    let hit = &found.messages[0];
    assert_eq!((found.next, hit.hit, hit.snippet.as_str()), (Some(77), Some((2, 3)), "..bob"));
    assert_eq!((hit.message.room.as_str(), hit.message.text.as_str()), ("lobby", "hi bob"));
    assert_eq!(serde_json::from_str::<Value>(hit.json.as_str()).unwrap()["snippet"], "..bob");
    assert_eq!(me.read("lobby", Seq(4)).await.unwrap().unread, 1);
    me.typing("lobby").await.unwrap();
    me.status(Status::Away, Some("lunch")).await.unwrap();
    me.report(Report::new("lobby").message(Seq(4)).user("ann").reason("noise")).await.unwrap();
    let acts = me.acts(ActsQuery { room: Some("lobby".into()), before: Some(9), limit: Some(1) }).await.unwrap();
    assert_eq!((acts.acts[0].act.as_str(), acts.more), ("kick", true));

    let invitation = NewInvitation::new().label("new").count(3).lasting(hour);
    assert_eq!(&*me.create_invitation(invitation).await.unwrap().invite.0, "word");
    assert_eq!(me.invitations().await.unwrap()[0].left, 3);
    me.revoke_invitation(6).await.unwrap();
    me.server_role("ann", ServerRole::Admin).await.unwrap();
    me.suspend(&Whom::Address("192.0.2.0/24".into()), hour_of()).await.unwrap();
    me.unsuspend(&Whom::Name("ann".into())).await.unwrap();
    assert_eq!(me.suspensions().await.unwrap()[0].until, until);
    assert_eq!(me.disconnect(&Whom::Name("ann".into()), Some("bye")).await.unwrap(), 2);
    assert!(me.level().await.unwrap() == Level::ReadOnly);
    me.set_level(Level::Open).await.unwrap();
    me.notice("tea").await.unwrap();
    let status = me.server_status().await.unwrap();
    assert_eq!((status.sessions, status.problem.as_deref(), status.ready), (2, Some("full"), false));
    assert_eq!(me.server_sessions().await.unwrap().len(), 2);
    assert_eq!(me.accounts().await.unwrap()[1].username, "bob");
    me.add_account("eve", "password").await.unwrap();
    me.set_password_of("eve", "passwords", true).await.unwrap();
    assert_eq!(me.reload().await.unwrap().restart, ["storage.file"]);
    assert_eq!(me.log_level().await.unwrap(), "info");
    me.set_log_level("debug").await.unwrap();
    me.delete_account_of("ann").await.unwrap();
    me.delete_account("password").await.unwrap();
    assert!(me.logged_in().is_none());
    me.close().await;

    let asked = server.await.unwrap();
    let of = |kind: Kind| asked.iter().filter(move |request| request["request"] == kind.as_str());
    for kind in Kind::ALL {
        assert!(of(*kind).next().is_some(), "nobody asked {}", kind.as_str());
        for request in of(*kind) {
            for key in request.as_object().unwrap().keys().filter(|key| *key != "request") {
                assert!(kind.keys().contains(&key.as_str()), "{} has no key {key}", kind.as_str());
            }
        }
        // Of each key there is a request that has it, apart from those that are for other clients.
        for key in kind.keys() {
            let elsewhere = matches!((kind, *key), (Kind::Ping, "data") | (Kind::Rooms | Kind::Names, "after"))
                || matches!((kind, *key), (Kind::Join, _) | (Kind::History, "before" | "after"))
                || matches!((kind, *key), (Kind::Login, "password"))
                || (*key == "reason" && !matches!(kind, Kind::Kick | Kind::Ban))
                || matches!((kind, *key), (Kind::Mute, "for_s") | (Kind::Unsuspend, "address"))
                || matches!((kind, *key), (Kind::Disconnect | Kind::Suspend, _));
            assert!(elsewhere || of(*kind).any(|request| request.get(*key).is_some()), "{} {key}", kind.as_str());
        }
    }
    let lines: Vec<String> =
        [Kind::Token, Kind::Ban, Kind::Suspend, Kind::React, Kind::Resume, Kind::Room, Kind::Search]
            .into_iter()
            .filter_map(|kind| of(kind).next().map(Value::to_string))
            .collect();
    assert_eq!(
        lines.join("\n"),
        r#"{"action":"create","for_s":2,"label":"ci","request":"token"}
{"for_s":3600,"reason":"noise","request":"ban","room":"lobby","username":"ann"}
{"address":"192.0.2.0/24","for_s":3600,"reason":"noise","request":"suspend"}
{"emoji":"+","request":"react","room":"lobby","target":4}
{"request":"resume","rooms":{"gone":{"since":0},"lobby":{"epoch":"e","since":2}}}
{"request":"room","room":"lobby"}
{"after":5,"before":9,"from":"ann","limit":3,"query":"bob","request":"search","room":"lobby"}"#
    );
}

#[tokio::test]
async fn a_refusal_says_why_and_until_when() {
    play(
        async |listener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let join = wire.expect("join").await;
            let code = Code::Banned;
            let refusal = json!({"error": code.sentence(), "code": code.as_str(), "reason": "noise", "until": TIME});
            wire.answer(&join, refusal).await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let refusal = me.join("lobby").await.unwrap_err();
            assert_eq!((refusal.code(), refusal.reason()), (Some(Code::Banned), Some("noise")));
            assert_eq!(refusal.until(), Time::parse(TIME));
        },
    )
    .await;
}

#[tokio::test]
async fn each_event_has_a_type() {
    let entries = [
        json!({"event": "edit", "room": "lobby", "seq": 1, "from": "ann", "time": TIME, "target": 1, "text": "x"}),
        json!({"event": "delete", "room": "lobby", "seq": 2, "from": "ann", "time": TIME, "target": 1, "reason": "y"}),
        json!({"event": "react", "room": "lobby", "seq": 3, "from": "ann", "time": TIME, "target": 1, "emoji": "+",
            "remove": true}),
        json!({"event": "topic", "room": "lobby", "seq": 4, "from": "ann", "time": TIME, "topic": "t"}),
        json!({"event": "member", "room": "lobby", "seq": 5, "from": "ann", "time": TIME, "user": "bob",
            "change": "ban", "reason": "noise", "until": TIME}),
        json!({"event": "member", "room": "lobby", "seq": 6, "from": "ann", "time": TIME, "user": "bob",
            "change": "crown", "role": "king"}),
        json!({"event": "room", "room": "lobby", "seq": 7, "from": "ann", "time": TIME, "kind": "private",
            "history": "joined", "slow_mode_s": 5}),
        json!({"event": "poll", "room": "lobby", "seq": 8}),
    ];
    let hints = [
        json!({"event": "presence", "user": "ann", "online": true, "status": "away", "text": "lunch"}),
        json!({"event": "typing", "room": "lobby", "user": "ann"}),
        json!({"event": "read", "room": "lobby", "read": 3, "unread": 1, "mentions": 0}),
        json!({"event": "invited", "room": "den", "head": 3, "from": "ann"}),
        json!({"event": "notice", "text": "tea"}),
        json!({"event": "removed", "room": "lobby", "seq": 8, "change": "kick", "reason": "noise"}),
    ];
    let count = entries.len() + hints.len();
    play(
        async move |listener: TcpListener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            wire.joined(0).await;
            for event in entries.into_iter().chain(hints) {
                wire.tell(event).await;
            }
            let ping = wire.expect("ping").await;
            wire.answer(&ping, json!({"time": TIME})).await;
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let mut events = me.events();
            me.join("lobby").await.unwrap();
            let mut told = Vec::new();
            for _ in 0..count {
                told.push(events.next().await.unwrap());
            }
            let seqs: Vec<Option<u64>> = told.iter().map(|event| event.entry().map(|(_, seq)| seq.0)).collect();
            assert_eq!(seqs[..8], (1..=8).map(Some).collect::<Vec<_>>());
            assert_eq!(seqs[8..], [None; 6]);
            let [edit, delete, react, topic, ban, crown, room, poll, presence, typing, read, invited, notice, removed] =
                &told[..]
            else {
                panic!("{told:?}")
            };
            assert!(matches!(edit, Event::Edit(edit) if edit.text.as_deref() == Some("x") && edit.target == Seq(1)));
            assert!(matches!(delete, Event::Delete(delete) if delete.reason.as_deref() == Some("y")));
            assert!(matches!(react, Event::React(react) if react.remove && react.emoji == "+"));
            assert!(matches!(topic, Event::Topic(topic) if topic.topic == "t"));
            assert!(matches!(ban, Event::Member(ban) if ban.change == MemberChange::Ban && ban.until.is_some()));
            assert!(matches!(crown, Event::Member(crown) if crown.change.as_str() == "crown"));
            assert!(matches!(room, Event::Room(room) if room.slow_mode_s == Some(5) && room.name.is_none()));
            assert!(matches!(poll, Event::Other(other) if other.name == "poll"));
            assert!(matches!(presence, Event::Presence(presence) if presence.status == Status::Away));
            assert!(matches!(typing, Event::Typing { user, .. } if user == "ann"));
            assert!(matches!(read, Event::Read(read) if read.unread == 1));
            assert!(matches!(invited, Event::Invited(invited) if invited.from.as_deref() == Some("ann")));
            assert!(matches!(notice, Event::Notice { text } if text == "tea"));
            assert!(matches!(removed, Event::Removed(removed) if removed.change == "kick"));
            me.ping().await.unwrap();
        },
    )
    .await;
}

/// A line with one value replaced by another: what a server may send that means harm, or is of tomorrow.
fn bent(line: &Value) -> Vec<Value> {
    let odd =
        [json!(null), json!(-1), json!(u64::MAX), json!("\u{1b}[31m"), json!([[]]), json!({"a": {}}), json!(true)];
    let mut lines = Vec::new();
    for key in line.as_object().unwrap().keys().filter(|key| !matches!(key.as_str(), "event" | "response" | "id")) {
        for value in &odd {
            let mut line = line.clone();
            line[key] = value.clone();
            lines.push(line);
        }
    }
    lines
}

#[tokio::test]
async fn a_server_that_means_harm_makes_errors_and_not_panics() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    play(
        async move |listener: TcpListener| {
            let mut wire = Wire::accept(&listener).await;
            wire.greet("t").await;
            let entry = json!({"event": "message", "room": "lobby", "seq": 1, "from": "ann", "time": TIME, "text": "x",
                "reason": "x", "until": TIME, "code": "x", "error": "x", "retry_after_ms": 1});
            let kinds = [
                "message", "edit", "delete", "react", "topic", "member", "room", "presence", "typing", "read",
                "invited", "removed", "notice", "later",
            ];
            for kind in kinds {
                for mut line in bent(&entry) {
                    line["event"] = kind.into();
                    line["target"] = line["seq"].clone();
                    wire.tell(line).await;
                }
            }
            loop {
                let mut line = String::new();
                if wire.reader.read_line(&mut line).await.unwrap() == 0 {
                    break;
                }
                let request: Value = serde_json::from_str(&line).unwrap();
                let answers = bent(&answer_to(&request));
                let number = counter.fetch_add(1, Ordering::Relaxed);
                let answer = answers.get(number % answers.len().max(1)).cloned().unwrap_or_else(|| json!({}));
                wire.answer(&request, answer).await;
            }
        },
        async |builder| {
            let me = builder.connect().await.unwrap();
            let mut events = me.events();
            let mut log = Log::new("lobby");
            for _ in 0..120 {
                // Whether it is an answer or an error: it comes, and the next one does.
                let _ = me.history("lobby", HistoryQuery::default()).await.map(|page| log.add(&page));
                let _ = me.search(SearchQuery::new("x")).await;
                let _ = me.join("lobby").await;
                let _ = me.names_after(None, None).await;
                let _ = me.rooms_after(None).await;
                let _ = me.acts(ActsQuery::default()).await;
                let _ = me.bans("lobby").await;
                let _ = me.resume(&[("lobby", Seq(1), None)]).await;
                let _ = me.room("lobby").await;
                let _ = me.tokens().await;
            }
            me.close().await;
            while let Some(event) = events.next().await {
                log.apply(&event);
            }
        },
    )
    .await;
    assert_eq!(asked.load(Ordering::Relaxed), 1200);
}
