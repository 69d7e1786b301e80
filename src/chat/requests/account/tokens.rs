//! Tokens, by which programs log in to an account without its password.

use std::sync::Arc;

use crate::chat::online::Person;
use crate::chat::requests::{line, moderate};
use crate::chat::secret;
use crate::chat::session::{Farewell, Session, unavailable};
use crate::protocol::response::TokenLine;
use crate::protocol::{Answer, Code, Refusal, Response, TokenAction};
use crate::store::{Change, NewToken, StoredToken};

/// How many tokens an account may have. Those that have expired count until they are revoked.
const MOST_TOKENS: usize = 100;

/// Makes, lists and revokes somebody's own tokens.
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
            let (token, time) = (secret::mint(secret::TOKEN)?, chat.clock.now());
            let expires = for_s.map(|seconds| moderate::after(time, seconds));
            let new = NewToken { user, hash: secret::hash(&token), label, time, expires };
            match chat.change(Change::AddToken(new)).await? {
                // The account was deleted meanwhile.
                0 => Err(Code::Forbidden.into()),
                id => Ok(Response::Minted { secret: token, id, expires }),
            }
        }
        TokenAction::List => {
            let line = |token: StoredToken| TokenLine {
                token_id: token.id,
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
                session.expel(&Farewell::because("the token of this session was revoked"));
            }
            Ok(Response::Done)
        }
    }
}
