//! Attempts at passwords, tokens and invitations, which cost whoever guesses time.

use std::time::Instant;

use crate::chat::Chat;
use crate::chat::session::Session;
use crate::chat::throttle;
use crate::model::Username;
use crate::protocol::{Code, Refusal};

/// An attempt at a password or token, taken before it is looked at. Only failures count: dropping it gives it back.
pub(super) struct Attempt<'a> {
    chat: &'a Chat,
    session: &'a Session,
    name: &'a Username,
    /// None where nobody counts, or not any more.
    origin: Option<throttle::Origin>,
}

impl<'a> Attempt<'a> {
    /// Takes it.
    ///
    /// # Errors
    /// `rate_limited`, where there were too many that failed.
    pub(super) fn take(session: &'a Session, name: &'a Username) -> Result<Attempt<'a>, Refusal> {
        let (chat, origin) = (&session.chat, session.counted());
        if let Some(origin) = origin {
            let most = chat.options().limits.password_attempts;
            chat.attempts.take(name.folded(), origin, most, Instant::now()).map_err(Refusal::rate_limited)?;
        }
        Ok(Attempt { chat, session, name, origin })
    }

    /// It failed, and counts. Says what that is called. (Not the name, in the log: people type passwords there.)
    pub(super) fn failed(mut self, code: Code) -> Refusal {
        self.origin = None;
        tracing::info!(peer = %self.session.origin, "refused: a wrong password, token, certificate or invitation");
        code.into()
    }

    /// It was the owner: earlier failures from there are forgiven.
    pub(super) fn succeeded(self) {
        if let Some(origin) = self.origin {
            self.chat.attempts.forgive(self.name.folded(), origin);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(origin) = self.origin {
            self.chat.attempts.give_back(self.name.folded(), origin);
        }
    }
}
