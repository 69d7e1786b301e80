//! What logs in to an account without its password: tokens, for programs, and certificates that connections show.

use std::sync::Arc;

use crate::chat::Chat;
use crate::chat::online::Person;
use crate::chat::requests::{line, moderate};
use crate::chat::secret;
use crate::chat::session::{Farewell, Session, unavailable};
use crate::model::{Fingerprint, Line, Time, UserId};
use crate::protocol::response::TokenLine;
use crate::protocol::{Answer, Code, Refusal, Response, TOKEN_PREFIX, TokenAction};
use crate::store::{Change, Hash, NewToken, StoredToken};

/// How many tokens and certificates an account may have. Those that have expired count until they are revoked.
const MOST_TOKENS: usize = 100;

/// Makes, lists and revokes somebody's own tokens and certificates.
pub(in crate::chat::requests) async fn token(
    session: &Arc<Session>,
    person: &Arc<Person>,
    action: TokenAction,
) -> Answer {
    let (chat, user) = (&session.chat, person.user.id);
    if user.is_guest() {
        return Err(Code::Forbidden.into());
    }
    let tokens = || async { chat.store.tokens(user).await.map_err(|error| unavailable(&error)) };
    match action {
        TokenAction::Create { label, for_s } => {
            let label = line(label, "label")?.unwrap_or_default();
            if tokens().await?.len() >= MOST_TOKENS {
                return Err(Code::Forbidden.into());
            }
            let secret = secret::mint(TOKEN_PREFIX)?;
            let (id, expires) = add(chat, user, secret::hash(&secret), None, label, for_s).await?;
            Ok(Response::Minted { secret, id, expires })
        }
        TokenAction::Certificate { fingerprint, label, for_s } => {
            let label = line(label, "label")?.unwrap_or_default();
            let shown = || session.certificate().ok_or_else(|| Refusal::bad_request("fingerprint"));
            let fingerprint = fingerprint.map_or_else(shown, Ok)?;
            // One that is there gets this label and this end, and is the same: whoever has heard no answer asks again.
            let there = tokens().await?;
            if there.len() >= MOST_TOKENS && there.iter().all(|token| token.fingerprint != Some(fingerprint)) {
                return Err(Code::Forbidden.into());
            }
            let hash = secret::hash_of(&fingerprint, user);
            let (id, expires) = add(chat, user, hash, Some(fingerprint), label, for_s).await?;
            Ok(Response::Certified { fingerprint, id, expires })
        }
        TokenAction::List => {
            let line = |token: StoredToken| TokenLine {
                token_id: token.id,
                fingerprint: token.fingerprint,
                label: token.label,
                created: token.created,
                expires: token.expires,
                last_used: token.used,
            };
            Ok(Response::Tokens(tokens().await?.into_iter().map(line).collect()))
        }
        TokenAction::Revoke { token_id } => {
            if chat.change(Change::RevokeToken { user, id: token_id }).await? == 0 {
                return Err(Refusal::bad_request("token_id"));
            }
            let by_it = |session: &Arc<Session>| session.is_by_token(token_id);
            for session in person.open_sessions().into_iter().filter(by_it) {
                session.expel(&Farewell::because("what this session logged in with was revoked"));
            }
            Ok(Response::Done)
        }
    }
}

/// Gives an account what it can log in with from now on; its id, and when it ends.
async fn add(
    chat: &Chat,
    user: UserId,
    hash: Hash,
    fingerprint: Option<Fingerprint>,
    label: Line,
    for_s: Option<u64>,
) -> Result<(u64, Option<Time>), Refusal> {
    let time = chat.clock.now();
    let expires = for_s.map(|seconds| moderate::after(time, seconds));
    let new = NewToken { user, hash, fingerprint, label, time, expires };
    match chat.change(Change::AddToken(new)).await? {
        // The account was deleted meanwhile.
        0 => Err(Code::Forbidden.into()),
        id => Ok((id, expires)),
    }
}
