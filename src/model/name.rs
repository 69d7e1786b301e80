//! Names of users and rooms. They compare without case, because their types do; look-alikes have the same skeleton.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No name at all.
    #[error("a name is needed")]
    Empty,
    /// Longer than allowed.
    #[error("a name has at most {max} characters")]
    TooLong {
        /// What is allowed.
        max: usize,
    },
    /// A character that a name may not have, or not there.
    #[error("a name begins with a letter or digit and goes on with letters, digits, '_' and '-'")]
    Character,
    /// A word that would be taken for the server, or for everybody.
    #[error("that name is reserved")]
    Reserved,
}

/// Which names users may have (`accounts.names`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameRule {
    /// `[A-Za-z0-9][A-Za-z0-9_-]*`
    #[default]
    Ascii,
    /// The PRECIS profile UsernameCaseMapped (RFC 8265) and skeletons (UTS 39).
    #[cfg(feature = "server")]
    Unicode,
}

/// Nobody may have these: they would be taken for the server, or for everybody.
const RESERVED: [&str; 8] = ["server", "system", "admin", "snakk", "snakkd", "all", "here", "everyone"];

/// The name of a user, as its owner writes it. Two names are equal when they differ only in case.
#[derive(Clone)]
pub struct Username {
    shown: Arc<str>,
    folded: Arc<str>,
}

impl Username {
    /// The most characters that a name may have.
    pub const MAX_CHARS: usize = 32;

    /// Checks a name against the rule.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn parse(name: &str, rule: NameRule) -> Result<Username, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.chars().count() > Username::MAX_CHARS {
            return Err(NameError::TooLong { max: Username::MAX_CHARS });
        }
        let folded = match rule {
            NameRule::Ascii if is_plain(name) => name.to_ascii_lowercase(),
            NameRule::Ascii => return Err(NameError::Character),
            #[cfg(feature = "server")]
            NameRule::Unicode => {
                use precis_profiles::precis_core::profile::PrecisFastInvocation;
                let folded = precis_profiles::UsernameCaseMapped::enforce(name).map_err(|_| NameError::Character)?;
                let mut chars = folded.chars();
                let good = chars.next().is_some_and(char::is_alphanumeric)
                    && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-') || is_mark(c));
                if !good {
                    return Err(NameError::Character);
                }
                folded.into_owned()
            }
        };
        let username = Username::new(name, folded);
        #[cfg(feature = "server")]
        if RESERVED.iter().map(|word| skeleton(word)).any(|word| word == username.skeleton() || word == username.look())
        {
            return Err(NameError::Reserved);
        }
        #[cfg(not(feature = "server"))]
        if RESERVED.contains(&username.folded()) {
            return Err(NameError::Reserved);
        }
        Ok(username)
    }

    /// A name that was checked before, as it comes from the store.
    pub fn trusted(shown: &str, folded: &str) -> Username {
        Username::new(shown, folded.to_owned())
    }

    fn new(shown: &str, folded: String) -> Username {
        let shown: Arc<str> = shown.into();
        let folded = if *shown == *folded { Arc::clone(&shown) } else { folded.into() };
        Username { shown, folded }
    }

    /// The name as its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The name as its owner writes it, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.shown)
    }

    /// The name without case, by which it is looked up.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// What all names have in common that look like this one (UTS 39, section 4). Two users never have the same.
    #[cfg(feature = "server")]
    pub fn skeleton(&self) -> String {
        skeleton(&self.folded)
    }

    /// The skeleton of the name as its owner writes it. It is another one where a capital letter looks like something that
    /// its small letter does not look like, as `I` like `l`.
    #[cfg(feature = "server")]
    pub fn look(&self) -> String {
        skeleton(&self.shown)
    }
}

/// The skeleton of a name. Folded afterwards, for some characters look like a capital letter (`0` like `O`).
#[cfg(feature = "server")]
fn skeleton(name: &str) -> String {
    unicode_security::confusable_detection::skeleton(name).flat_map(char::to_lowercase).collect()
}

/// Combining marks, which scripts beyond Latin need inside their words.
#[cfg(feature = "server")]
fn is_mark(c: char) -> bool {
    // PRECIS IdentifierClass has refused everything else that is no letter, digit or mark, apart from punctuation.
    !c.is_ascii() && !c.is_alphanumeric()
}

impl PartialEq for Username {
    fn eq(&self, other: &Username) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Username {}

impl Hash for Username {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

/// The skeleton of a name that was checked before, as it comes from an entry.
#[cfg(feature = "server")]
pub fn skeleton_of(name: &str) -> String {
    skeleton(&fold(name))
}

/// A name as it is compared with another, whichever rule it was made by.
#[cfg(feature = "server")]
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    Username::parse(name, NameRule::Unicode).map_or_else(|_| name.to_lowercase(), |name| name.folded().to_owned())
}

/// The name of a room: lower case, for room names are folded when they are made. A direct conversation is called `@NAME`,
/// as its other member writes it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// The most characters that a name may have.
    pub const MAX_CHARS: usize = 64;

    /// Checks and folds a name.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn parse(name: &str) -> Result<RoomName, NameError> {
        if let Some(user) = name.strip_prefix('@') {
            return RoomName::parse_direct(name, user);
        }
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if !is_plain(name) {
            return Err(NameError::Character);
        }
        if name.len() > RoomName::MAX_CHARS {
            return Err(NameError::TooLong { max: RoomName::MAX_CHARS });
        }
        Ok(RoomName(if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.to_ascii_lowercase().into()
        } else {
            name.into()
        }))
    }

    /// Which names a user may have is the rules' business; this is what all of them have in common.
    fn parse_direct(name: &str, user: &str) -> Result<RoomName, NameError> {
        if user.is_empty() {
            return Err(NameError::Empty);
        }
        if user.chars().count() > Username::MAX_CHARS {
            return Err(NameError::TooLong { max: Username::MAX_CHARS });
        }
        let good = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-') || !c.is_ascii();
        if !user.chars().all(|c| good(c) && !c.is_control() && !c.is_whitespace()) {
            return Err(NameError::Character);
        }
        Ok(RoomName(name.into()))
    }

    /// The direct conversation with a user.
    pub fn direct(user: &str) -> RoomName {
        RoomName(format!("@{user}").into())
    }

    /// The name of the other member, of a direct conversation.
    pub fn peer(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }

    /// A name that was checked before, as it comes from the store.
    pub fn trusted(name: &str) -> RoomName {
        RoomName(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `[A-Za-z0-9][A-Za-z0-9_-]*`
fn is_plain(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    fn ascii(name: &str) -> Result<Username, NameError> {
        Username::parse(name, NameRule::Ascii)
    }

    #[test]
    fn names_compare_without_case() {
        assert_eq!(ascii("Alice"), ascii("aLICE"));
        assert_eq!(ascii("Alice").unwrap().as_str(), "Alice");
        assert_eq!(RoomName::parse("Lobby"), RoomName::parse("lobby"));
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["", "_a", "-a", "a b", "a.", " a", "a ", "@a", "#a", "å", "a\u{200b}", "a\0", "а"] {
            assert!(ascii(name).is_err(), "{name:?}");
            assert!(RoomName::parse(name).is_err() || name == "@a", "{name:?}");
        }
        assert_eq!(RoomName::parse("@Bob").unwrap().peer(), Some("Bob"));
        for name in ["@", "@a b", "@a\u{9b}", "@a.b", &format!("@{}", "a".repeat(33))] {
            assert!(RoomName::parse(name).is_err(), "{name:?}");
        }
        assert!(ascii(&"a".repeat(32)).is_ok());
        assert!(ascii(&"a".repeat(33)).is_err());
        assert!(RoomName::parse(&"a".repeat(64)).is_ok());
        assert!(RoomName::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn reserved_names_and_their_look_alikes_are_refused() {
        for name in ["server", "SERVER", "Admin", "adrnin", "a11", "aIl", "AII", "everyone"] {
            assert_eq!(ascii(name), Err(NameError::Reserved), "{name:?}");
        }
    }

    #[test]
    fn look_alikes_have_the_same_skeleton() {
        let skeleton = |name| Username::parse(name, NameRule::Unicode).unwrap().skeleton();
        assert_eq!(skeleton("alice"), skeleton("\u{430}lice"));
        assert_eq!(skeleton("Alice"), skeleton("ALICE"));
        assert_eq!(skeleton("modern"), skeleton("rnodern"));
        assert_ne!(skeleton("alice"), skeleton("bob"));
        let look = |name| ascii(name).unwrap().look();
        assert_eq!((look("aIice"), look("Ian")), (skeleton("alice"), skeleton("lan")));
        assert_eq!(look("Alice"), skeleton("alice"));
        assert_ne!(look("aiice"), skeleton("alice"));
        for name in ["a\u{200b}b", "a b", "\u{202e}a", "a\u{301}\u{200d}", "👋"] {
            assert!(Username::parse(name, NameRule::Unicode).is_err(), "{name:?}");
        }
    }
}
