//! What the requests of each family are when they are read.

use super::*;
use crate::model::{Fingerprint, Level, MemberChange, RoomChange, RoomKind, RoomRole, ServerRole, Visibility};
use crate::protocol::{InvitationAction, Moderation, SearchFor, Secret, TokenAction, Whom};

fn named(object: &str, field: &str) {
    assert_eq!(refusal(object), (Code::BadName, Some(field.into())), "{object}");
}

/// Tries a number in the place of `N`.
fn bounds(object: &str, field: &str, fitting: &[&str], wrong: &[&str]) {
    for value in fitting {
        good(&object.replace('N', value));
    }
    for value in wrong {
        bad(&object.replace('N', value), field);
    }
}

#[test]
fn account_requests_have_all_their_keys() {
    let secret = |text: &str| Secret(text.into());
    for (object, request) in [
        (
            r#"{"request":"password","old":"o\u0000","new":"æ"}"#,
            Request::Password { old: secret("o\0"), new: secret("æ") },
        ),
        (
            r#"{"request":"token","action":"create","label":"bot","for_s":60}"#,
            Request::Token(TokenAction::Create { label: Some("bot".into()), for_s: Some(60) }),
        ),
        (
            r#"{"request":"token","action":"create","label":""}"#,
            Request::Token(TokenAction::Create { label: None, for_s: None }),
        ),
        (
            r#"{"request":"token","action":"certificate"}"#,
            Request::Token(TokenAction::Certificate { fingerprint: None, label: None, for_s: None }),
        ),
        (
            r#"{"request":"token","action":"certificate","label":"laptop","for_s":60,"fingerprint":"SHA256 Fingerprint=0707070707070707070707070707070707070707070707070707070707070707"}"#,
            Request::Token(TokenAction::Certificate {
                fingerprint: Some(Fingerprint::from_bytes([7; 32])),
                label: Some("laptop".into()),
                for_s: Some(60),
            }),
        ),
        (r#"{"request":"token","action":"list"}"#, Request::Token(TokenAction::List)),
        (r#"{"request":"token","action":"revoke","token_id":3}"#, Request::Token(TokenAction::Revoke { token_id: 3 })),
        (r#"{"request":"sessions"}"#, Request::Sessions { close: None }),
        (r#"{"request":"sessions","close":4}"#, Request::Sessions { close: Some(4) }),
        (
            r#"{"request":"delete_account","password":"p"}"#,
            Request::DeleteAccount { password: Some(secret("p")), username: None },
        ),
        (
            r#"{"request":"delete_account","username":"Eve"}"#,
            Request::DeleteAccount { password: None, username: Some("Eve".into()) },
        ),
        (r#"{"request":"block","username":"Eve"}"#, Request::Block { username: "Eve".into() }),
        (r#"{"request":"unblock","username":" ? "}"#, Request::Unblock { username: " ? ".into() }),
    ] {
        assert_eq!(good(object), request);
    }
    for action in ["\"\"", "\"Create\"", "\"delete\"", "1"] {
        bad(&format!(r#"{{"request":"token","action":{action}}}"#), "action");
        bad(&format!(r#"{{"request":"invitation","action":{action}}}"#), "action");
    }
}

#[test]
fn what_happens_to_a_member_is_one_request_with_its_own_keys() {
    let moderation = |change| Moderation {
        room: lobby(),
        username: "Eve".into(),
        change,
        role: None,
        reason: Some("spam".into()),
        for_s: None,
    };
    for (word, change) in [
        ("invite", MemberChange::Invite),
        ("kick", MemberChange::Kick),
        ("ban", MemberChange::Ban),
        ("unban", MemberChange::Unban),
        ("mute", MemberChange::Mute),
        ("unmute", MemberChange::Unmute),
    ] {
        let keys = r#""room":"Lobby","username":"Eve","reason":"spam""#;
        let mut expected = moderation(change);
        assert_eq!(good(&format!(r#"{{"request":"{word}",{keys}}}"#)), Request::Moderate(Box::new(expected.clone())));
        if matches!(change, MemberChange::Ban | MemberChange::Mute) {
            expected.for_s = Some(60);
            assert_eq!(
                good(&format!(r#"{{"request":"{word}",{keys},"for_s":60}}"#)),
                Request::Moderate(Box::new(expected))
            );
        }
    }
    for (word, role) in [("owner", RoomRole::Owner), ("moderator", RoomRole::Moderator), ("member", RoomRole::Member)] {
        let object = format!(r#"{{"request":"role","room":"lobby","username":"Eve","role":"{word}","reason":""}}"#);
        let expected = Moderation { role: Some(role), reason: None, ..moderation(MemberChange::Role) };
        assert_eq!(good(&object), Request::Moderate(Box::new(expected)));
    }
    bad(r#"{"request":"role","room":"a","username":"b","role":"admin"}"#, "role");
    bad(r#"{"request":"role","room":"!","username":"b","role":"Owner"}"#, "role");
    named(r#"{"request":"ban","room":"a b","username":""}"#, "room");
    bounds(
        r#"{"request":"ban","room":"a","username":"b","for_s":N}"#,
        "for_s",
        &["1", "3153600000"],
        &["0", "3153600001", "-1", "1.0", "\"1\"", "18446744073709551616"],
    );
}

#[test]
fn a_room_is_changed_key_by_key() {
    let nothing = Request::Room { room: lobby(), change: Box::default() };
    assert_eq!(good(r#"{"request":"room","room":"lobby"}"#), nothing);
    let object = r#"{"request":"room","room":"lobby","name":"Hall","kind":"announce","history":"joined",
                     "slow_mode_s":5,"retention_days":30,"retention_entries":1000}"#;
    let change = RoomChange {
        name: RoomName::parse("hall").ok(),
        was: None,
        kind: Some(RoomKind::Announce),
        history: Some(Visibility::Joined),
        slow_mode_s: Some(5),
        retention_days: Some(30),
        retention_entries: Some(1000),
    };
    assert_eq!(good(object), Request::Room { room: lobby(), change: Box::new(change) });
    for request in ["room", "create"] {
        for kind in ["direct", "Public", ""] {
            bad(&format!(r#"{{"request":"{request}","room":"a","kind":"{kind}"}}"#), "kind");
        }
    }
    bad(r#"{"request":"room","room":"a","history":"none"}"#, "history");
    let room = |key: &str| format!(r#"{{"request":"room","room":"a","{key}":N}}"#);
    bounds(&room("slow_mode_s"), "slow_mode_s", &["0", "86400"], &["86401", "-1", "1.5"]);
    bounds(&room("retention_days"), "retention_days", &["0", "36500"], &["36501", "-0"]);
    let most = ["0", "9223372036854775807"];
    bounds(&room("retention_entries"), "retention_entries", &most, &["9223372036854775808", "\"1\""]);
}

#[test]
fn a_room_is_never_called_like_a_direct_conversation() {
    for name in ["@bob", "", "a b", "-a"] {
        named(&format!(r#"{{"request":"create","room":"{name}"}}"#), "room");
        named(&format!(r#"{{"request":"room","room":"a","name":"{name}"}}"#), "name");
    }
    named(r#"{"request":"room","room":"!","name":"!"}"#, "room");
    bad(r#"{"request":"room","room":"!","name":"!","slow_mode_s":-1}"#, "slow_mode_s");
    bad(r#"{"request":"create","room":"@bob","topic":1}"#, "topic");
    let room = RoomName::parse("@bob").unwrap();
    assert_eq!(good(r#"{"request":"typing","room":"@bob"}"#), Request::Typing { room });
}

#[test]
fn what_is_said_can_be_changed_found_and_read() {
    let (room, target) = (lobby(), Seq(7));
    let search = SearchFor { query: "q".into(), room: None, from: None, before: None, after: None, limit: None };
    let with_room = SearchFor {
        room: Some(lobby()),
        from: Some("Eve".into()),
        before: Some(Seq(9)),
        limit: Some(5),
        ..search.clone()
    };
    for (object, request) in [
        (r#"{"request":"topic","room":"lobby","topic":""}"#, Request::Topic { room: room.clone(), topic: "".into() }),
        (
            r#"{"request":"edit","room":"lobby","target":7,"text":"t"}"#,
            Request::Edit { room: room.clone(), target, text: "t".into() },
        ),
        (
            r#"{"request":"delete","room":"lobby","target":7,"reason":"r"}"#,
            Request::Delete { room: room.clone(), target, reason: Some("r".into()) },
        ),
        (
            r#"{"request":"delete","room":"lobby","target":7,"reason":""}"#,
            Request::Delete { room: room.clone(), target, reason: None },
        ),
        (
            r#"{"request":"react","room":"lobby","target":7,"emoji":"👍"}"#,
            Request::React { room: room.clone(), target, emoji: "👍".into(), remove: false },
        ),
        (
            r#"{"request":"react","room":"lobby","target":7,"emoji":"","remove":true}"#,
            Request::React { room: room.clone(), target, emoji: "".into(), remove: true },
        ),
        (r#"{"request":"search","query":"q"}"#, Request::Search(Box::new(search.clone()))),
        (
            r#"{"request":"search","query":"q","room":"lobby","from":"Eve","before":9,"limit":5}"#,
            Request::Search(Box::new(with_room)),
        ),
        (
            r#"{"request":"search","query":"q","after":44}"#,
            Request::Search(Box::new(SearchFor { after: Some(44), ..search })),
        ),
        (r#"{"request":"read","room":"lobby","seq":0}"#, Request::Read { room: room.clone(), seq: Seq(0) }),
        (
            r#"{"request":"report","room":"lobby"}"#,
            Request::Report { room: room.clone(), target: None, username: None, reason: None },
        ),
        (
            r#"{"request":"report","room":"lobby","target":7,"username":"Eve","reason":"r"}"#,
            Request::Report { room, target: Some(target), username: Some("Eve".into()), reason: Some("r".into()) },
        ),
        (
            r#"{"request":"status","status":"away","text":"lunch"}"#,
            Request::Status { away: true, text: Some("lunch".into()) },
        ),
        (r#"{"request":"status","status":"online","text":""}"#, Request::Status { away: false, text: None }),
    ] {
        assert_eq!(good(object), request);
    }
    for status in ["offline", "Away", ""] {
        bad(&format!(r#"{{"request":"status","status":"{status}"}}"#), "status");
    }
    for request in [r#"edit","text":"t""#, r#"delete""#, r#"react","emoji":"x""#] {
        let object = format!(r#"{{"request":"{request},"room":"a","target":N}}"#);
        bounds(&object, "target", &["0", "9223372036854775807"], &["9223372036854775808", "-1", "\"1\"", "null"]);
    }
    named(r#"{"request":"search","query":"q","room":"!"}"#, "room");
    bad(r#"{"request":"search","query":"q","room":"!","limit":0}"#, "limit");
    named(r#"{"request":"edit","room":"","target":1,"text":""}"#, "room");
}

#[test]
fn admins_name_a_user_or_a_network() {
    let (name, network) = (Whom::Name("Eve".into()), Whom::Address("192.0.2.0/24".into()));
    for (object, request) in [
        (
            r#"{"request":"suspend","username":"Eve","reason":"r","for_s":60}"#,
            Request::Suspend { whom: name.clone(), reason: Some("r".into()), for_s: Some(60) },
        ),
        (
            r#"{"request":"suspend","address":"192.0.2.0/24"}"#,
            Request::Suspend { whom: network.clone(), reason: None, for_s: None },
        ),
        (r#"{"request":"unsuspend","address":"192.0.2.0/24"}"#, Request::Unsuspend { whom: network.clone() }),
        (r#"{"request":"disconnect","username":"Eve"}"#, Request::Disconnect { whom: name, reason: None }),
        (
            r#"{"request":"disconnect","address":"192.0.2.0/24","reason":"r"}"#,
            Request::Disconnect { whom: network, reason: Some("r".into()) },
        ),
        (r#"{"request":"suspensions"}"#, Request::Suspensions),
        (r#"{"request":"acts"}"#, Request::Acts { room: None, before: None, limit: None }),
        (
            r#"{"request":"acts","room":"lobby","before":9,"limit":5}"#,
            Request::Acts { room: Some(lobby()), before: Some(9), limit: Some(5) },
        ),
        (
            r#"{"request":"invitation","action":"create"}"#,
            Request::Invitation(InvitationAction::Create { label: None, count: 1, for_s: None }),
        ),
        (
            r#"{"request":"invitation","action":"create","label":"l","count":5,"for_s":60}"#,
            Request::Invitation(InvitationAction::Create { label: Some("l".into()), count: 5, for_s: Some(60) }),
        ),
        (r#"{"request":"invitation","action":"list"}"#, Request::Invitation(InvitationAction::List)),
        (
            r#"{"request":"invitation","action":"revoke","invitation_id":3}"#,
            Request::Invitation(InvitationAction::Revoke { invitation_id: 3 }),
        ),
        (r#"{"request":"level"}"#, Request::Level { level: None }),
        (r#"{"request":"notice","text":""}"#, Request::Notice { text: "".into() }),
        (r#"{"request":"server_status"}"#, Request::ServerStatus),
        (r#"{"request":"server_sessions","after":7}"#, Request::ServerSessions { after: Some(7) }),
        (r#"{"request":"accounts"}"#, Request::Accounts { after: None }),
        (r#"{"request":"accounts","after":"Bob"}"#, Request::Accounts { after: Some("Bob".into()) }),
        (
            r#"{"request":"add_account","username":"Eve","password":"p"}"#,
            Request::AddAccount { username: "Eve".into(), password: Secret("p".into()) },
        ),
        (
            r#"{"request":"set_password","username":"Eve","password":"p"}"#,
            Request::SetPassword { username: "Eve".into(), password: Secret("p".into()), revoke_tokens: false },
        ),
        (
            r#"{"request":"set_password","username":"Eve","password":"p","revoke_tokens":true}"#,
            Request::SetPassword { username: "Eve".into(), password: Secret("p".into()), revoke_tokens: true },
        ),
        (r#"{"request":"reload"}"#, Request::Reload),
        (r#"{"request":"log_level","level":"debug"}"#, Request::LogLevel { level: Some("debug".into()) }),
        (r#"{"request":"log_level"}"#, Request::LogLevel { level: None }),
    ] {
        assert_eq!(good(object), request);
    }
    bounds(
        r#"{"request":"invitation","action":"create","count":N}"#,
        "count",
        &["1", "10000"],
        &["0", "10001", "-1", "1.5"],
    );
    for level in Level::ALL {
        let request = good(&format!(r#"{{"request":"level","level":"{}"}}"#, level.as_str()));
        assert_eq!(request, Request::Level { level: Some(level) });
    }
    for role in [ServerRole::Admin, ServerRole::User] {
        let object = format!(r#"{{"request":"server_role","username":"Eve","role":"{}"}}"#, role.as_str());
        assert_eq!(good(&object), Request::ServerRole { username: "Eve".into(), role });
    }
    bad(r#"{"request":"server_role","username":"Eve","role":"owner"}"#, "role");
    bad(r#"{"request":"level","level":"closed"}"#, "level");
    named(r#"{"request":"acts","room":"?"}"#, "room");
}
