//! The configuration as a manual: what `config.example.toml` says about each key, and what the table of keys demands of
//! it. Both are tested against each other, so this cannot tell of keys that do not exist, or leave one out.

use super::{Config, ListenerSection, keys};
use crate::settings::{Key, Rule};

/// What can be set, for who makes a page of it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Manual {
    /// What holds for the whole file: a text for each paragraph.
    pub intro: Vec<String>,
    /// The sections, in the order of the file.
    pub sections: Vec<ManualSection>,
}

/// A section of the file.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ManualSection {
    /// Its line in the file: `[server]`, `[[listener]]`.
    pub header: String,
    /// What is said about all of it; may be empty.
    pub about: String,
    /// Its keys, in the order of the file.
    pub entries: Vec<ManualEntry>,
}

/// One key, or a few that are explained together.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ManualEntry {
    /// The keys, each with its value in the example.
    pub keys: Vec<ManualKey>,
    /// What is said about them.
    pub about: String,
}

/// A key.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ManualKey {
    /// Its name.
    pub name: String,
    /// Its value in the example, as TOML.
    pub value: String,
    /// Whether that is the default. Otherwise the key is left out by default, and the value is only such as it could be.
    pub is_default: bool,
    /// What it must be, in words, where that is more than the value itself shows.
    pub allowed: Option<String>,
}

impl Manual {
    /// The manual of an example file.
    pub(super) fn of(example: &str) -> Manual {
        let (mut manual, mut said, mut is_together) = (Manual::default(), Vec::<&str>::new(), false);
        for line in example.lines() {
            if let Some(comment) =
                line.strip_prefix("# ").or_else(|| line.strip_prefix('#').filter(|text| text.is_empty()))
            {
                said.push(comment);
                is_together = false;
            } else if line.starts_with('[') {
                let (header, about) = (line.to_owned(), said.join(" "));
                manual.sections.push(ManualSection { header, about, entries: Vec::new() });
                said.clear();
                is_together = false;
            } else if let (Some((name, value)), Some(section)) = (line.split_once(" = "), manual.sections.last_mut()) {
                let (name, is_default) = name.strip_prefix('#').map_or((name, true), |name| (name, false));
                let allowed = allowed(&section.header, name);
                let key = ManualKey { name: name.to_owned(), value: value.to_owned(), is_default, allowed };
                match section.entries.last_mut() {
                    // Without a comment of its own, it belongs to the one above.
                    Some(entry) if is_together => entry.keys.push(key),
                    _ => section.entries.push(ManualEntry { keys: vec![key], about: said.join(" ") }),
                }
                said.clear();
                is_together = true;
            } else if manual.sections.is_empty() {
                let paragraphs = said.split(|line| line.is_empty()).map(|lines| lines.join(" "));
                manual.intro.extend(paragraphs.filter(|paragraph| !paragraph.is_empty()));
                said.clear();
            }
        }
        manual
    }
}

/// What the key must be, where its comment and its value do not show it already: bounds, and forms of a text.
fn allowed(header: &str, name: &str) -> Option<String> {
    fn find<S: Default>(keys: &[Key<S>], name: &str) -> Option<String> {
        let key = keys.iter().find(|key| key.name == name)?;
        let is_plain = matches!(key.rule, Rule::Free);
        (!is_plain).then(|| (key.field)(&mut S::default()).allowed(key.rule)).filter(|allowed| allowed != "a path")
    }
    let section = header.trim_matches(['[', ']']);
    if section == keys::LISTENER {
        return find::<ListenerSection>(keys::LISTENER_KEYS, name);
    }
    find::<Config>(keys::section(section)?.keys, name)
}

#[cfg(test)]
mod tests {
    use super::super::keys::SECTIONS;
    use super::*;

    #[test]
    fn it_tells_of_every_key_in_words() {
        let manual = Config::manual();
        assert!(manual.intro.len() >= 3 && manual.intro[0].starts_with("The configuration of snakkd."), "{manual:?}");
        let headers: Vec<&str> = manual.sections.iter().map(|section| section.header.as_str()).collect();
        assert_eq!(headers.len(), SECTIONS.len() + 1);
        for section in SECTIONS {
            let told = manual.sections.iter().find(|told| told.header == format!("[{}]", section.name)).unwrap();
            let names: Vec<&str> = told.entries.iter().flat_map(|entry| &entry.keys).map(|key| &*key.name).collect();
            let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
            assert_eq!(names, known, "{}", section.name);
        }
        for entry in manual.sections.iter().flat_map(|section| &section.entries) {
            assert!(!entry.about.is_empty() && !entry.about.contains('#'), "{entry:?}");
        }
    }

    #[test]
    fn keys_that_share_a_comment_stay_together() {
        let manual = Manual::of(
            "# All.\n\n# Both.\n[storage]\n# Two.\nfile = \"a\"\n#readers = 2\n# One.\ndurability = \"x\"\n",
        );
        assert_eq!(manual.intro, ["All."]);
        let [section] = &manual.sections[..] else { panic!("{manual:?}") };
        assert_eq!((section.about.as_str(), section.entries.len()), ("Both.", 2));
        let [file, readers] = &section.entries[0].keys[..] else { panic!("{section:?}") };
        assert_eq!((file.is_default, file.allowed.as_deref()), (true, None));
        assert_eq!((readers.is_default, readers.allowed.as_deref()), (false, Some("a whole number from 1 to 64")));
        assert_eq!(section.entries[1].about, "One.");
    }
}
