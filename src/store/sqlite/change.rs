//! What becomes of a [`Change`], inside the transaction that is open.

use rusqlite::Connection;

use crate::store::sqlite::{accounts, acts, erase, invitations, members, rooms, standing, tokens, unread};
use crate::store::{Act, Change};

/// Makes the change and answers as it promises. What was done is remembered where something was changed.
pub(super) fn apply(conn: &Connection, change: &Change) -> rusqlite::Result<u64> {
    let answer = match change {
        Change::Password { user, hash, revoke_tokens } => accounts::password(conn, *user, hash, *revoke_tokens),
        Change::AddToken(token) => tokens::add(conn, token),
        Change::UseToken { id, time } => tokens::used(conn, *id, *time),
        Change::RevokeToken { user, id } => tokens::revoke(conn, *user, *id),
        Change::AddInvitation(invitation, _) => invitations::add(conn, invitation),
        Change::RevokeInvitation(id, _) => invitations::revoke(conn, *id),
        Change::Role { user, role, .. } => accounts::role(conn, *user, *role),
        Change::Seen { user, time } => accounts::seen(conn, *user, *time),
        Change::DeleteAccount { user, .. } => accounts::delete(conn, *user),
        Change::Block { user, blocked } => standing::block(conn, *user, blocked),
        Change::Unblock { user, blocked } => standing::unblock(conn, *user, *blocked),
        Change::Suspend(suspension, _) => standing::suspend(conn, suspension),
        Change::Unsuspend(target, _) => standing::unsuspend(conn, target),
        Change::Level(level, _) => standing::level(conn, *level),
        Change::Close { user, room, head } => members::close(conn, *user, *room, *head),
        Change::DeleteRoom(room, _) => rooms::doom(conn, *room),
        Change::Act(_) => Ok(1),
        Change::Read { user, room, seq } => unread::read(conn, *user, *room, *seq),
        Change::Erase(most) => erase::doomed(conn, *most),
        Change::Cut { room, first, most } => erase::cut(conn, *room, *first, *most).map(|first| first.0),
    }?;
    if let Some(act) = act(change).filter(|_| answer > 0) {
        acts::add(conn, act)?;
    }
    Ok(answer)
}

/// What is to be remembered of a change.
fn act(change: &Change) -> Option<&Act> {
    match change {
        Change::AddInvitation(_, act)
        | Change::RevokeInvitation(_, act)
        | Change::Role { act, .. }
        | Change::DeleteAccount { act, .. }
        | Change::Suspend(_, act)
        | Change::Unsuspend(_, act)
        | Change::Level(_, act)
        | Change::DeleteRoom(_, act) => act.as_deref(),
        Change::Act(act) => Some(act),
        _ => None,
    }
}
