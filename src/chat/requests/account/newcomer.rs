//! Names for those who have none yet. A name is taken, too, by whoever looks like it: without case, and as it is written.

use std::time::Instant;

use crate::chat::Chat;
use crate::chat::online::Claim;
use crate::chat::session::unavailable;
use crate::model::Username;
use crate::protocol::{Code, Refusal};

/// So many letters of a name are tried in another case: capital `I` is the one that looks like other small letters.
const MOST_TRIED: usize = 4;

/// Keeps a name for somebody new, if neither somebody who is here nor an account has it or looks like it.
///
/// # Errors
/// `name_taken`; or that the store cannot be read.
pub(in crate::chat) async fn claim<'a>(chat: &'a Chat, name: &Username) -> Result<Claim<'a>, Refusal> {
    let (skeleton, look) = (name.skeleton(), name.look());
    let claim = chat.online.claim(skeleton.clone(), &look, Instant::now())?;
    let mut taken = chat.store.is_taken(&skeleton).await.map_err(|error| unavailable(&error))?;
    if !taken && look != skeleton {
        taken = chat.store.is_taken(&look).await.map_err(|error| unavailable(&error))?;
    }
    // The store knows accounts without case only, so those are looked up whose look may be this one.
    for other in with_other_letters(name.folded()) {
        if taken {
            break;
        }
        let account = chat.store.account(&other).await.map_err(|error| unavailable(&error))?;
        taken = account.is_some_and(|account| account.name.look() == look);
    }
    if taken { Err(Code::NameTaken.into()) } else { Ok(claim) }
}

/// Names without case that have an `i`, which is an `I` perhaps, where this one has something that looks like it.
fn with_other_letters(folded: &str) -> Vec<String> {
    let alike = |c: char| matches!(c, 'l' | '1');
    let places: Vec<usize> = folded.match_indices(alike).map(|(at, _)| at).take(MOST_TRIED).collect();
    let tried = 1_u32..1 << places.len();
    tried
        .map(|mask| {
            let mut other = folded.to_owned();
            for (bit, at) in places.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
                debug_assert!(bit < MOST_TRIED);
                other.replace_range(*at..*at + 1, "i");
            }
            other
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_look_like_a_capital_i_are_tried_as_one() {
        assert_eq!(with_other_letters("lan"), ["ian"]);
        assert_eq!(with_other_letters("a1l"), ["ail", "a1i", "aii"]);
        assert!(with_other_letters("bob").is_empty());
        assert_eq!(with_other_letters(&"l".repeat(32)).len(), 15);
    }
}
