//! Secrets that the server makes: random bytes, shown once to whoever is to have them, and kept only as a hash.

use blake2::{Blake2b256, Digest};

use crate::chat::service::hex;
use crate::model::{Fingerprint, UserId};
use crate::protocol::{Code, Refusal};
use crate::store::Hash;

/// What invitations begin with.
pub(crate) const INVITATION: &str = "snk_i";

/// How many random bytes a secret has: nobody guesses them, so their hash need not be slow.
const RANDOM_BYTES: usize = 32;

/// A new secret that begins like this.
///
/// # Errors
/// `internal`, where the operating system has no randomness.
pub(crate) fn mint(prefix: &str) -> Result<Box<str>, Refusal> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|_| Code::Internal)?;
    Ok(format!("{prefix}{}", hex(&random)).into())
}

/// What is kept of a secret.
pub(crate) fn hash(secret: &str) -> Hash {
    Blake2b256::digest(secret.as_bytes()).into()
}

/// What a certificate is found by that may log in to an account. It may log in to several, and is no secret: whoever says
/// its fingerprint, or this, has shown nothing.
pub(crate) fn hash_of(certificate: &Fingerprint, account: UserId) -> Hash {
    hash(&format!("certificate {certificate} of account {}", account.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{TOKEN_PREFIX, is_token};

    #[test]
    fn no_two_secrets_are_alike() {
        let (one, other) = (mint(TOKEN_PREFIX).unwrap(), mint(TOKEN_PREFIX).unwrap());
        assert!(is_token(&one), "{one}");
        assert_ne!(one, other);
        assert_eq!(hash(&one), hash(&one));
        assert_ne!(hash(&one), hash(&other));
        let (one, other) = (Fingerprint::from_bytes([1; 32]), Fingerprint::from_bytes([2; 32]));
        assert_eq!(hash_of(&one, UserId(1)), hash_of(&one, UserId(1)));
        assert_ne!(hash_of(&one, UserId(1)), hash_of(&one, UserId(2)));
        assert_ne!(hash_of(&one, UserId(1)), hash_of(&other, UserId(1)));
    }
}
