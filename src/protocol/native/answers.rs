//! Writes what a request brought: the keys behind `response` and `id`.

use crate::model::{Body, Settings};
use crate::protocol::json::Object;
use crate::protocol::native::entries::{line, write_message};
use crate::protocol::native::{VERSION, milliseconds, status, write_refusal};
use crate::protocol::response::{
    AccountLine, ActLine, BanLine, Found, Hello, Hit, InvitationLine, Joined, LoggedIn, Membership, NameLine, Page,
    Reloaded, Resumed, RoomIs, RoomLine, ServerSessionLine, ServerStatus, SessionLine, SuspensionLine, TokenLine,
};
use crate::protocol::{Kind, Response};

/// Writes an answer's own keys. The kind of the request is needed where two of them bring the same.
pub(super) fn write_response(object: &mut Object<'_>, kind: Kind, response: &Response) {
    match response {
        Response::Hello(hello) => write_hello(object, hello),
        Response::LoggedIn(login) => write_login(object, login),
        Response::LoggedOut { username } => object.str("username", username),
        Response::Pong { data, time } => {
            if let Some(data) = data {
                object.json("data", data);
            }
            object.time("time", *time);
        }
        Response::Whoami { username, guest, role, sessions } => {
            object.str("username", username);
            object.bool("guest", *guest);
            object.str("role", role.as_str());
            object.int("sessions", u64::from(*sessions));
        }
        Response::Help => object.objects("requests", Kind::ALL, |kind, line| {
            line.str("request", kind.as_str());
            line.str("usage", kind.usage());
            line.str("about", kind.about());
        }),
        Response::Minted { secret, id, expires } => {
            let (secret_key, id_key) = match kind {
                Kind::Invitation => ("invite", "invitation_id"),
                _ => ("token", "token_id"),
            };
            object.str(secret_key, secret);
            object.int(id_key, *id);
            object.maybe_time("expires", *expires);
        }
        Response::Certified { fingerprint, id, expires } => {
            object.str("fingerprint", &fingerprint.to_string());
            object.int("token_id", *id);
            object.maybe_time("expires", *expires);
        }
        Response::Tokens(tokens) => object.objects("tokens", tokens, write_token),
        Response::Invitations(invitations) => object.objects("invitations", invitations, write_invitation),
        Response::Sessions(sessions) => object.objects("sessions", sessions, write_session),
        Response::Rooms { rooms, more } => {
            object.objects("rooms", rooms, write_room_line);
            object.bool("more", *more);
        }
        Response::Created { room, head } => {
            object.str("room", room.as_str());
            object.int("head", head.0);
        }
        Response::Joined(joined) => write_joined(object, joined),
        Response::Resumed(rooms) => object.objects("rooms", rooms, |resumed, line| {
            let Resumed { room, outcome } = resumed;
            match outcome {
                Ok(joined) => write_joined(line, joined),
                Err(refusal) => {
                    line.str("room", room.as_str());
                    write_refusal(line, refusal);
                }
            }
        }),
        Response::Unfollowed { room } | Response::Left { room } | Response::Deleted { room } => {
            object.str("room", room.as_str());
        }
        Response::Names { room, names, more } => {
            object.maybe_str("room", room.as_ref().map(|room| room.as_str()));
            object.objects("names", names, write_name);
            object.bool("more", *more);
        }
        Response::RoomIs(room) => write_room(object, room),
        Response::Bans { room, bans, mutes } => {
            object.str("room", room.as_str());
            object.objects("bans", bans, write_ban);
            object.objects("mutes", mutes, write_ban);
        }
        Response::Posted { room, seq, time, duplicate } => {
            object.str("room", room.as_str());
            object.int("seq", seq.0);
            object.time("time", *time);
            if *duplicate {
                object.bool("duplicate", true);
            }
        }
        Response::Changed { seq } => object.int("seq", seq.0),
        Response::History(page) => write_page(object, page),
        Response::Found(found) => write_found(object, found),
        Response::Read { room, read, unread, mentions } => {
            object.str("room", room.as_str());
            object.int("read", read.0);
            object.int("unread", *unread);
            object.int("mentions", *mentions);
        }
        Response::Acts { acts, more } => {
            object.objects("acts", acts, write_act);
            object.bool("more", *more);
        }
        Response::Suspensions(suspensions) => object.objects("suspensions", suspensions, write_suspension),
        Response::Disconnected { sessions } => object.int("sessions", *sessions),
        Response::Level(level) => object.str("level", level.as_str()),
        Response::ServerStatus(status) => write_server_status(object, status),
        Response::ServerSessions { sessions, more } => {
            object.objects("sessions", sessions, write_server_session);
            object.bool("more", *more);
        }
        Response::Accounts { accounts, more } => {
            object.objects("accounts", accounts, write_account);
            object.bool("more", *more);
        }
        Response::Reloaded(reloaded) => {
            let Reloaded { changed, restart, problems } = &**reloaded;
            object.strs("changed", changed);
            object.strs("restart", restart);
            object.strs("problems", problems);
        }
        Response::LogLevel(level) => object.str("level", level),
        Response::Done => {}
        // The answer to a request that only course dialects have.
        Response::Entered(entered) => object.str("username", &entered.username),
    }
}

fn write_hello(object: &mut Object<'_>, hello: &Hello) {
    object.int("protocol", VERSION.unsigned_abs());
    object.str("server", &hello.server);
    object.str("name", &hello.name);
    object.str("motd", &hello.motd);
    object.time("time", hello.time);
    object.strs("features", hello.features);
    let limits = &hello.limits;
    object.object("limits", |object| {
        object.int("max_frame_bytes", limits.max_frame_bytes as u64);
        object.int("max_frame_bytes_before_login", limits.max_frame_bytes_before_login as u64);
        object.int("max_text_bytes", limits.max_text_bytes as u64);
        object.int("messages_per_second", u64::from(limits.messages_per_second));
        object.int("message_burst", u64::from(limits.message_burst));
        object.int("stall_timeout_ms", milliseconds(limits.stall_timeout));
    });
    object.object("accounts", |object| {
        object.bool("guests", hello.guests);
        object.str("registration", hello.registration);
    });
    object.maybe_str("certificate", hello.certificate.map(|it| it.to_string()).as_deref());
}

fn write_login(object: &mut Object<'_>, login: &LoggedIn) {
    let LoggedIn { username, guest, token, role, rooms, more, blocked } = login;
    object.str("username", username);
    object.bool("guest", *guest);
    object.maybe_str("token", token.as_deref());
    object.str("role", role.as_str());
    object.objects("rooms", rooms, |membership, line| {
        let Membership { room, kind, topic, role, head, read, unread, mentions } = membership;
        line.str("room", room.as_str());
        line.str("kind", kind.as_str());
        line.str("topic", topic);
        line.str("role", role.as_str());
        line.int("head", head.0);
        line.int("read", read.0);
        line.int("unread", *unread);
        line.int("mentions", *mentions);
    });
    object.bool("more", *more);
    object.strs("blocked", blocked);
}

fn write_token(token: &TokenLine, object: &mut Object<'_>) {
    let TokenLine { token_id, fingerprint, label, created, expires, last_used } = token;
    object.int("token_id", *token_id);
    object.maybe_str("fingerprint", fingerprint.map(|it| it.to_string()).as_deref());
    object.str("label", label.as_str());
    object.time("created", *created);
    object.maybe_time("expires", *expires);
    object.maybe_time("last_used", *last_used);
}

fn write_invitation(invitation: &InvitationLine, object: &mut Object<'_>) {
    let InvitationLine { invitation_id, label, left, by, created, expires } = invitation;
    object.int("invitation_id", *invitation_id);
    object.str("label", label.as_str());
    object.int("left", u64::from(*left));
    object.str("by", by);
    object.time("created", *created);
    object.maybe_time("expires", *expires);
}

fn write_session(session: &SessionLine, object: &mut Object<'_>) {
    let SessionLine { session_id, client, since, token, current } = session;
    object.int("session_id", *session_id);
    object.maybe_str("client", line(client.as_ref()));
    object.time("since", *since);
    if let Some((label, id)) = token {
        object.str("token", label.as_str());
        object.int("token_id", *id);
    }
    object.bool("current", *current);
}

fn write_room_line(room: &RoomLine, object: &mut Object<'_>) {
    let RoomLine { room, kind, topic, members, online, head, joined } = room;
    object.str("room", room.as_str());
    object.str("kind", kind.as_str());
    object.str("topic", topic);
    object.int("members", *members);
    object.int("online", *online);
    object.int("head", head.0);
    object.bool("joined", *joined);
}

fn write_joined(object: &mut Object<'_>, joined: &Joined) {
    let Joined { room, kind, topic, role, epoch, first, head, read, reset } = joined;
    object.str("room", room.as_str());
    object.str("kind", kind.as_str());
    object.str("topic", topic);
    object.str("role", role.as_str());
    object.str("epoch", &epoch.0);
    object.int("first", first.0);
    object.int("head", head.0);
    object.int("read", read.0);
    object.bool("reset", *reset);
}

fn write_name(name: &NameLine, object: &mut Object<'_>) {
    let NameLine { name, role, online, guest, away, text, last_seen } = name;
    object.str("name", name);
    object.str("role", role);
    object.bool("online", *online);
    object.str("status", status(*online, *away));
    object.bool("guest", *guest);
    object.maybe_str("text", line(text.as_ref()));
    object.maybe_time("last_seen", *last_seen);
}

fn write_room(object: &mut Object<'_>, room: &RoomIs) {
    let RoomIs { room, settings, epoch, first, head, members, online } = room;
    let Settings { kind, topic, history, slow_mode_s, retention_days, retention_entries } = settings;
    object.str("room", room.as_str());
    object.str("kind", kind.as_str());
    object.str("topic", topic.as_str());
    object.str("history", history.as_str());
    object.int("slow_mode_s", u64::from(*slow_mode_s));
    object.int("retention_days", u64::from(*retention_days));
    object.int("retention_entries", *retention_entries);
    object.str("epoch", &epoch.0);
    object.int("first", first.0);
    object.int("head", head.0);
    object.int("members", *members);
    object.int("online", *online);
}

fn write_ban(ban: &BanLine, object: &mut Object<'_>) {
    let BanLine { username, reason, until } = ban;
    object.str("username", username);
    object.maybe_str("reason", line(reason.as_ref()));
    object.maybe_time("until", *until);
}

fn write_page(object: &mut Object<'_>, page: &Page) {
    object.str("room", page.room.as_str());
    let messages = page.messages.iter().filter_map(|entry| match &entry.body {
        Body::Message(message) => Some((entry, message)),
        _ => None,
    });
    object.objects("messages", messages, |(entry, message), line| write_message(line, entry, message));
    object.bool("more", page.more);
    object.int("first", page.first.0);
    object.int("head", page.head.0);
}

fn write_found(object: &mut Object<'_>, found: &Found) {
    let messages = found.messages.iter().filter_map(|hit| match &hit.entry.body {
        Body::Message(message) => Some((hit, message)),
        _ => None,
    });
    object.objects("messages", messages, |(hit, message), line| {
        let Hit { room, entry, snippet, hit: (start, length) } = hit;
        line.str("room", room.as_str());
        write_message(line, entry, message);
        line.str("snippet", snippet);
        line.json("hit", &format!("[{start},{length}]"));
    });
    object.bool("more", found.next.is_some());
    object.maybe_int("next", found.next);
}

fn write_act(act: &ActLine, object: &mut Object<'_>) {
    let ActLine { number, time, by, act, room, target, detail } = act;
    object.int("number", *number);
    object.time("time", *time);
    object.str("by", by);
    object.str("act", act);
    object.maybe_str("room", room.as_deref());
    object.str("target", target);
    object.str("detail", detail);
}

fn write_suspension(suspension: &SuspensionLine, object: &mut Object<'_>) {
    let SuspensionLine { username, address, reason, until, by, time } = suspension;
    object.maybe_str("username", username.as_deref());
    object.maybe_str("address", address.as_deref());
    object.maybe_str("reason", line(Some(reason)));
    object.maybe_time("until", *until);
    object.str("by", by);
    object.time("time", *time);
}

fn write_server_status(object: &mut Object<'_>, status: &ServerStatus) {
    let ServerStatus { version, name, started, level, ready, problem, .. } = status;
    object.str("version", version);
    object.str("name", name);
    object.time("started", *started);
    object.str("level", level.as_str());
    object.bool("ready", *ready);
    object.maybe_str("problem", problem.as_deref());
    object.int("connections", status.connections);
    object.int("sessions", status.sessions);
    object.int("accounts", status.accounts);
    object.int("guests", status.guests);
    object.int("rooms", status.rooms);
    object.int("queue", status.queue);
    object.int("database_bytes", status.database_bytes);
    object.int("wal_bytes", status.wal_bytes);
}

fn write_server_session(session: &ServerSessionLine, object: &mut Object<'_>) {
    let ServerSessionLine { session_id, username, guest, role, address, client, since, rooms } = session;
    object.int("session_id", *session_id);
    object.str("username", username);
    object.bool("guest", *guest);
    object.str("role", role.as_str());
    object.str("address", address);
    object.maybe_str("client", line(client.as_ref()));
    object.time("since", *since);
    object.int("rooms", *rooms);
}

fn write_account(account: &AccountLine, object: &mut Object<'_>) {
    let AccountLine { username, role, last_seen } = account;
    object.str("username", username);
    object.str("role", role.as_str());
    object.maybe_time("last_seen", *last_seen);
}
