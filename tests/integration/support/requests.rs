//! Every request with every key, to be asked with something else in each of them.

use serde_json::{Value, json};

/// Each request with keys that go together, as an admin may ask it who is called `ada` and owns the room `den`, in which
/// there are `mark`, who is muted, and the message 3. `tom` is banned there, `rita` has an account.
pub(crate) fn whole() -> Vec<Value> {
    vec![
        json!({"request": "hello", "protocol": 1, "client": "x/1"}),
        json!({"request": "login", "username": "rita", "password": "wrong horse"}),
        json!({"request": "login", "username": "rita", "token": "snk_a0"}),
        json!({"request": "login", "username": "rita", "certificate": true}),
        json!({"request": "register", "username": "mark", "password": "wrong horse", "invite": "snk_i0"}),
        json!({"request": "ping", "data": 1}),
        json!({"request": "whoami"}),
        json!({"request": "password", "old": "wrong horse", "new": "another horse"}),
        json!({"request": "token", "action": "create", "label": "bot", "for_s": 60}),
        json!({"request": "token", "action": "certificate", "label": "bot", "for_s": 60, "fingerprint": "00".repeat(32)}),
        json!({"request": "token", "action": "revoke", "token_id": 100_000}),
        json!({"request": "sessions", "close": 100_000}),
        json!({"request": "delete_account", "password": "wrong horse"}),
        json!({"request": "delete_account", "username": "nobody"}),
        json!({"request": "block", "username": "rita"}),
        json!({"request": "unblock", "username": "rita"}),
        json!({"request": "help"}),
        json!({"request": "rooms", "after": "den"}),
        json!({"request": "create", "room": "den", "kind": "public", "topic": "cake"}),
        json!({"request": "join", "room": "den", "since": 1, "epoch": "none"}),
        json!({"request": "join", "room": "den", "backlog": 1}),
        json!({"request": "resume", "rooms": {"den": 1}}),
        json!({"request": "resume", "rooms": {"den": {"since": 1, "epoch": "none"}}}),
        json!({"request": "unfollow", "room": "den"}),
        json!({"request": "leave", "room": "lobby"}),
        json!({"request": "names", "room": "den", "after": "ada"}),
        json!({"request": "topic", "room": "den", "topic": "cake"}),
        json!({"request": "invite", "room": "den", "username": "rita", "reason": "because"}),
        json!({"request": "kick", "room": "den", "username": "mark", "reason": "because"}),
        json!({"request": "ban", "room": "den", "username": "mark", "reason": "because", "for_s": 60}),
        json!({"request": "unban", "room": "den", "username": "tom", "reason": "because"}),
        json!({"request": "mute", "room": "den", "username": "mark", "reason": "because", "for_s": 60}),
        json!({"request": "unmute", "room": "den", "username": "mark", "reason": "because"}),
        json!({"request": "bans", "room": "den"}),
        json!({"request": "role", "room": "den", "username": "mark", "role": "member", "reason": "because"}),
        json!({"request": "room", "room": "den", "name": "den", "kind": "public", "history": "all", "slow_mode_s": 0,
            "retention_days": 0, "retention_entries": 0}),
        json!({"request": "delete_room", "room": "lobby"}),
        json!({"request": "message", "room": "den", "text": "words", "nonce": "n", "reply_to": 3, "action": true}),
        json!({"request": "edit", "room": "den", "target": 3, "text": "words"}),
        json!({"request": "delete", "room": "den", "target": 3, "reason": "because"}),
        json!({"request": "react", "room": "den", "target": 3, "emoji": "+1", "remove": false}),
        json!({"request": "history", "room": "den", "before": 1, "limit": 1}),
        json!({"request": "history", "room": "den", "after": 1, "limit": 1}),
        json!({"request": "history", "room": "den", "around": 1, "limit": 1}),
        json!({"request": "search", "query": "words", "room": "den", "from": "ada", "before": 1, "limit": 1}),
        json!({"request": "search", "query": "words", "from": "ada", "after": 1, "limit": 1}),
        json!({"request": "read", "room": "den", "seq": 1}),
        json!({"request": "typing", "room": "den"}),
        json!({"request": "status", "status": "away", "text": "lunch"}),
        json!({"request": "report", "room": "den", "target": 3, "username": "mark", "reason": "because"}),
        json!({"request": "acts", "room": "den", "before": 1, "limit": 1}),
        json!({"request": "invitation", "action": "create", "label": "club", "count": 2, "for_s": 60}),
        json!({"request": "invitation", "action": "revoke", "invitation_id": 100_000}),
        json!({"request": "server_role", "username": "rita", "role": "user"}),
        json!({"request": "suspend", "username": "trudy", "reason": "because", "for_s": 60}),
        json!({"request": "suspend", "address": "192.0.2.0/24", "reason": "because", "for_s": 60}),
        json!({"request": "unsuspend", "username": "trudy"}),
        json!({"request": "unsuspend", "address": "192.0.2.0/24"}),
        json!({"request": "suspensions"}),
        json!({"request": "disconnect", "username": "rita", "reason": "because"}),
        json!({"request": "disconnect", "address": "192.0.2.0/24", "reason": "because"}),
        json!({"request": "level", "level": "open"}),
        json!({"request": "notice", "text": "words"}),
        json!({"request": "server_status"}),
        json!({"request": "server_sessions", "after": 1}),
        json!({"request": "accounts", "after": "ada"}),
        json!({"request": "add_account", "username": "newly", "password": "correct horse"}),
        json!({"request": "set_password", "username": "newly", "password": "correct horses", "revoke_tokens": true}),
        json!({"request": "reload"}),
        json!({"request": "log_level", "level": "info"}),
        // Last, for it ends the others.
        json!({"request": "logout"}),
    ]
}

/// The keys of a request, apart from `request`.
pub(crate) fn keys(request: &Value) -> Vec<String> {
    let keys = request.as_object().expect("an object").keys();
    keys.filter(|key| *key != "request").cloned().collect()
}

/// The same request with another value.
pub(crate) fn with(request: &Value, key: &str, value: Value) -> Value {
    let mut request = request.clone();
    request[key] = value;
    request
}

/// The same request without a key.
pub(crate) fn without(request: &Value, key: &str) -> Value {
    let mut request = request.clone();
    request.as_object_mut().expect("an object").remove(key);
    request
}
