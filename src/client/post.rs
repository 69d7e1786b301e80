//! Posting: waits where the server says so, and repeats by nonce, so that there is one entry or an error.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::Client;
use super::answer::Posted;
use super::error::ClientError;
use super::pending::Sort;
use super::wire::{self, Ask};
use crate::model::Seq;
use crate::protocol::{Code, Kind};

/// The pause after the first refusal for want of storage; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A message that is to be posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Where to.
    pub room: String,
    /// What to say.
    pub text: String,
    /// The client's own id for it, at most 64 bytes: posting again under the same one appends nothing. A random one is
    /// made where there is none.
    pub nonce: Option<String>,
    /// The message that this one answers.
    pub reply_to: Option<Seq>,
    /// Told as a deed ("/me"), not as speech.
    pub action: bool,
}

impl Draft {
    /// A plain message.
    pub fn new(room: impl Into<String>, text: impl Into<String>) -> Draft {
        Draft { room: room.into(), text: text.into(), ..Draft::default() }
    }

    /// The same, in answer to a message.
    #[must_use]
    pub fn reply_to(self, seq: Seq) -> Draft {
        Draft { reply_to: Some(seq), ..self }
    }

    /// The same, told as a deed ("/me").
    #[must_use]
    pub fn action(self) -> Draft {
        Draft { action: true, ..self }
    }

    /// The same, under a nonce of the caller's.
    #[must_use]
    pub fn nonce(self, nonce: impl Into<String>) -> Draft {
        Draft { nonce: Some(nonce.into()), ..self }
    }

    /// A random nonce.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] where the operating system has no randomness to give.
    pub fn random_nonce() -> Result<String, ClientError> {
        let number = (getrandom::u64(), getrandom::u64());
        match number {
            (Ok(high), Ok(low)) => Ok(format!("{high:016x}{low:016x}")),
            (Err(error), _) | (_, Err(error)) => Err(ClientError::Protocol(error.to_string().into())),
        }
    }
}

impl Client {
    /// Says something in a room. What it promises is that of [`post`](Client::post).
    ///
    /// # Errors
    /// As [`post`](Client::post).
    pub async fn send(&self, room: &str, text: &str) -> Result<Posted, ClientError> {
        self.post(Draft::new(room, text)).await
    }

    /// Posts a message; when this returns it is stored, once.
    ///
    /// It is repeated under the same nonce after a lost connection (if the client reconnects), after `rate_limited` when
    /// the server says so, and after `storage_unavailable` until the timeout. Messages that are posted one after the
    /// other are in that order; of several at once a refused one may come behind the others.
    ///
    /// # Errors
    /// [`ClientError::Refused`]: it was not posted. [`ClientError::Timeout`] and [`ClientError::Disconnected`]: nobody
    /// knows; posting it again with the same nonce settles it.
    pub async fn post(&self, draft: Draft) -> Result<Posted, ClientError> {
        let nonce = match draft.nonce {
            Some(nonce) => nonce,
            None => Draft::random_nonce()?,
        };
        let ask = Ask::new(Kind::Message).with("room", &draft.room).with("text", &draft.text).with("nonce", &nonce);
        let body = ask.maybe("reply_to", draft.reply_to.map(|seq| seq.0)).flag("action", draft.action).encode()?;
        let patience = self.inner.timeout;
        let mut deadline = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = timeout_at(deadline, self.submit(body.clone(), Sort::Message)).await;
            let refusal = match answer.map_err(|_| ClientError::Timeout)? {
                Ok(json) => return wire::answer(json),
                Err(refusal) => refusal,
            };
            match (refusal.code(), refusal.retry_after()) {
                // To wait as told is no failure of the server, so it does not count against the timeout.
                (Some(Code::RateLimited), Some(wait)) if wait <= patience => {
                    sleep(wait).await;
                    deadline = Instant::now() + patience;
                }
                (Some(Code::StorageUnavailable | Code::Internal | Code::ShuttingDown), wait)
                    if Instant::now() + wait.unwrap_or(pause) < deadline =>
                {
                    sleep(wait.unwrap_or(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                _ => return Err(refusal),
            }
        }
    }
}
