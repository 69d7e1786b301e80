//! The end of an account. Its name stays taken for ever, so that nobody can be taken for whoever had it, and so does what it
//! said, for that belongs to the rooms.

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::requests::rooms;
use crate::chat::session::{Farewell, Session};
use crate::model::User;
use crate::protocol::{Code, Refusal};
use crate::store::{Account, Act, Change};

/// The user that an account is.
pub(in crate::chat) fn user_of(account: &Account) -> User {
    User { id: account.id, name: account.name.clone(), role: account.role }
}

/// Deletes an account: its sessions end, it leaves its rooms, where others may have to own what it owned, and what it
/// needs to log in is gone. A session that asks for it is only logged out. Where something could not be stored the
/// account is still there, and the next attempt goes on from there.
///
/// # Errors
/// `no_such_user`, where somebody else was quicker; or that nothing can be stored.
pub(in crate::chat) async fn delete_account(
    chat: &Chat,
    user: &User,
    asking: Option<&Arc<Session>>,
    act: Option<Box<Act>>,
) -> Result<(), Refusal> {
    // Nobody comes in from here on, nobody who is in does anything more, and then nobody is in.
    let _closing = chat.standing.close(user.id).ok_or(Code::NoSuchUser)?;
    if let Some(person) = chat.online.known(user.id) {
        person.set_barred(true);
        for session in person.open_sessions() {
            if asking.is_some_and(|asking| Arc::ptr_eq(asking, &session)) {
                session.leave();
                session.unfollow_all();
            } else {
                session.expel(&Farewell::because("the account was deleted"));
            }
        }
    }
    for room in chat.rooms.behind("") {
        // What is queued counts: a membership that waits for its commit has to end too.
        if room.ledger().state.role(user.id).is_none() {
            continue;
        }
        match rooms::part(chat, user, &room).await {
            Err(refusal) if !matches!(refusal.code, Code::NotAMember | Code::NoSuchRoom) => return Err(refusal),
            _ => {}
        }
    }
    if chat.change(Change::DeleteAccount { user: user.id, act }).await? == 0 {
        return Err(Code::NoSuchUser.into());
    }
    for room in chat.rooms.direct_of(user.id) {
        room.ledger().state.desert(user.id);
    }
    chat.standing.forget(user.id);
    Ok(())
}
