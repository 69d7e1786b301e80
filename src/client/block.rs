//! Of whom this user wants to hear nothing. The server keeps the list; hiding what they say is done here, because a
//! room's log has no gaps.

use std::collections::BTreeMap;

use super::answer::{Found, Message, Page};

/// The names that are blocked, compared without case.
#[derive(Debug, Default)]
pub(super) struct Blocked(BTreeMap<String, String>);

impl Blocked {
    pub(super) fn new(names: &[String]) -> Blocked {
        Blocked(names.iter().map(|name| (folded(name), name.clone())).collect())
    }

    pub(super) fn insert(&mut self, name: &str) {
        self.0.entry(folded(name)).or_insert_with(|| name.to_owned());
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(&folded(name));
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        !self.0.is_empty() && self.0.contains_key(&folded(name))
    }

    /// The names, as they are written.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.values().cloned().collect()
    }

    /// Takes out of a page what is not to be seen.
    pub(super) fn hide_in_page(&self, page: &mut Page) {
        page.messages.retain(|message| !self.contains(&message.from));
        page.messages.iter_mut().for_each(|message| self.hide_reactions(message));
    }

    /// Takes out of what was found what is not to be seen.
    pub(super) fn hide_in_found(&self, found: &mut Found) {
        found.messages.retain(|hit| !self.contains(&hit.message.from));
        found.messages.iter_mut().for_each(|hit| self.hide_reactions(&mut hit.message));
    }

    /// As far as they are named; of the others nobody knows who they are.
    fn hide_reactions(&self, message: &mut Message) {
        for reaction in &mut message.reactions {
            let before = reaction.users.len();
            reaction.users.retain(|user| !self.contains(user));
            let hidden = u64::try_from(before - reaction.users.len()).unwrap_or(u64::MAX);
            reaction.count = reaction.count.saturating_sub(hidden);
        }
        message.reactions.retain(|reaction| reaction.count > 0);
    }
}

fn folded(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_blocked_whatever_their_case() {
        let mut blocked = Blocked::new(&["Ann".to_owned()]);
        assert!(blocked.contains("aNN") && !blocked.contains("anna"));
        blocked.insert("ÅSE");
        assert!(blocked.contains("åse"));
        assert_eq!(blocked.names(), ["Ann", "ÅSE"]);
        blocked.remove("ANN");
        assert!(!blocked.contains("ann"));
    }
}
