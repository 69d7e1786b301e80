//! What proves that a guest is the guest that it was.
//!
//! A guest's token is signed, not stored: it carries random bytes, and the guest's id follows from them, the name, and a
//! secret of the store. So a guest that comes back after a crash of the server is still who it was to its own postings,
//! and a login writes nothing.

use blake2::{Blake2b256, Digest};

use crate::chat::Chat;
use crate::chat::service::hex;
use crate::model::{UserId, Username};
use crate::protocol::{Code, Refusal};

/// What tokens begin with, so that those who scan for secrets find them.
const PREFIX: &str = "snk_g";
/// How many random bytes a token carries.
const RANDOM_BYTES: usize = 16;
/// How many bytes of the signature a token carries.
const SIGNATURE_BYTES: usize = 16;

/// A guest's token, and who it proves the guest to be.
pub(crate) struct GuestToken {
    /// The token.
    pub(crate) token: Box<str>,
    /// Who it is.
    pub(crate) id: UserId,
}

/// A token for a new guest of that name.
///
/// # Errors
/// `internal`, where the operating system has no randomness.
pub(crate) fn guest_token(chat: &Chat, name: &Username) -> Result<GuestToken, Refusal> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|_| Code::Internal)?;
    Ok(GuestToken::new(&chat.store.secret(), name, &random))
}

impl GuestToken {
    /// The token, if it is one that was made for that name.
    pub(crate) fn of(chat: &Chat, name: &Username, token: &str) -> Option<GuestToken> {
        let digits = token.strip_prefix(PREFIX)?.get(..2 * RANDOM_BYTES)?;
        let mut random = [0; RANDOM_BYTES];
        for (at, byte) in random.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        let made = GuestToken::new(&chat.store.secret(), name, &random);
        // In a time that does not tell how much of it was right.
        let differs = made.token.bytes().zip(token.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
        (made.token.len() == token.len() && differs == 0).then_some(made)
    }

    fn new(secret: &[u8; 32], name: &Username, random: &[u8; RANDOM_BYTES]) -> GuestToken {
        // BLAKE2 has no length extension (RFC 7693), and all parts but the last have a fixed length.
        let digest = Blake2b256::new()
            .chain_update(b"snakk guest token 1")
            .chain_update(secret)
            .chain_update(random)
            .chain_update(name.folded().as_bytes())
            .finalize();
        let (signature, rest) = digest.split_at(SIGNATURE_BYTES);
        let mut id = [0; 8];
        id.copy_from_slice(&rest[..8]);
        GuestToken {
            token: format!("{PREFIX}{}{}", hex(random), hex(signature)).into(),
            id: UserId(i64::from_le_bytes(id) | i64::MIN),
        }
    }
}
