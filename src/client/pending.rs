//! Who waits for which answer, by the id of the request, and what becomes of a request whose connection is gone.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::Start;
use super::answer::Json;
use super::builder::Identity;
use super::error::ClientError;
use crate::protocol::Secret;

/// How many requests may wait for an answer. Further callers wait before theirs is taken.
const MAX_PENDING: usize = 1024;

/// A request on its way to the background task.
pub(super) struct Command {
    pub(super) frame: Frame,
    pub(super) reply: Option<oneshot::Sender<Result<Json, ClientError>>>,
}

/// A request as it is sent, with what the client itself has to know of it.
pub(super) struct Frame {
    pub(super) body: Box<str>,
    pub(super) sort: Sort,
}

/// What a request means to the client itself.
pub(super) enum Sort {
    /// Changes nothing: may be asked again on another connection.
    Read,
    /// Has a nonce: may be repeated on another connection, as long as that is the same user's.
    Message,
    /// Follows a room.
    Join(Start),
    /// Follows several rooms, each from where it says.
    Rooms(Vec<(String, Start)>),
    /// Does not follow a room any more.
    Unfollow,
    /// Ends a membership, and with it the following.
    Leave,
    /// Makes this session somebody's.
    Login(Identity),
    /// Makes this session nobody's.
    Logout,
    /// Gives this user another password, which proves who it is from then on.
    Password(Secret),
    /// Wants to hear nothing more of somebody.
    Block(Box<str>),
    /// Ends that.
    Unblock(Box<str>),
    /// Changes something else.
    Change,
    /// The client's own: takes up rooms after a reconnect.
    Resume,
    /// The client's own: asks whether the server is still there.
    KeepAlive,
}

impl Sort {
    /// Whether the request can be sent again after it may have been done.
    fn repeatable(&self) -> bool {
        matches!(self, Sort::Read | Sort::Message | Sort::Join(_) | Sort::Rooms(_) | Sort::Unfollow)
    }
}

/// The requests that wait, in the order in which they were sent.
#[derive(Default)]
pub(super) struct Pending {
    waiting: BTreeMap<u64, Command>,
    last_id: u64,
}

impl Pending {
    /// Whether one more may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_PENDING
    }

    /// Whether a caller waits.
    pub(super) fn is_asked(&self) -> bool {
        self.waiting.values().any(|command| command.reply.as_ref().is_some_and(|reply| !reply.is_closed()))
    }

    /// Takes a request in, and gives it its id.
    pub(super) fn insert(&mut self, command: Command) -> u64 {
        self.last_id += 1;
        self.waiting.insert(self.last_id, command);
        self.last_id
    }

    /// The request that is answered.
    pub(super) fn take(&mut self, id: u64) -> Option<Command> {
        self.waiting.remove(&id)
    }

    /// The request, which goes on waiting.
    pub(super) fn body(&self, id: u64) -> Option<&str> {
        self.waiting.get(&id).map(|command| &*command.frame.body)
    }

    /// The connection is gone: what cannot be repeated has failed, and nobody knows whether it was done.
    pub(super) fn lost(&mut self) {
        self.fail(|command| !command.frame.sort.repeatable());
    }

    /// The session is another user's now, to whom the nonces of the former one mean nothing.
    pub(super) fn lost_identity(&mut self) {
        self.fail(|command| matches!(command.frame.sort, Sort::Message));
    }

    /// There will be no connection any more.
    pub(super) fn end(&mut self) {
        self.fail(|_| true);
    }

    /// The requests that are to be sent again, in their order. Those that nobody waits for any more are dropped.
    pub(super) fn again(&mut self) -> Vec<u64> {
        self.fail(|command| command.reply.as_ref().is_none_or(oneshot::Sender::is_closed));
        self.waiting.keys().copied().collect()
    }

    fn fail(&mut self, which: impl Fn(&Command) -> bool) {
        for (_, command) in self.waiting.extract_if(.., |_, command| which(command)) {
            if let Some(reply) = command.reply {
                // Whoever gave up waiting does not want to know.
                let _ = reply.send(Err(ClientError::Disconnected));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pending: &mut Pending, sort: Sort) -> oneshot::Receiver<Result<Json, ClientError>> {
        let (reply, answer) = oneshot::channel();
        pending.insert(Command { frame: Frame { body: "{}".into(), sort }, reply: Some(reply) });
        answer
    }

    #[test]
    fn what_cannot_be_repeated_fails_with_the_connection_and_the_rest_keeps_its_order() {
        let mut pending = Pending::default();
        let _read = ask(&mut pending, Sort::Read);
        let mut leave = ask(&mut pending, Sort::Leave);
        let message = ask(&mut pending, Sort::Message);
        let _join = ask(&mut pending, Sort::Join(Start::Now));
        pending.lost();
        assert!(matches!(leave.try_recv(), Ok(Err(ClientError::Disconnected))));
        assert_eq!(pending.again(), [1, 3, 4]);
        drop(message);
        assert_eq!(pending.again(), [1, 4]);
    }

    #[test]
    fn a_message_is_not_repeated_as_somebody_else() {
        let mut pending = Pending::default();
        let mut message = ask(&mut pending, Sort::Message);
        pending.lost();
        pending.lost_identity();
        assert!(matches!(message.try_recv(), Ok(Err(ClientError::Disconnected))));
        assert!(pending.again().is_empty());
    }
}
