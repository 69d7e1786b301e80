//! Emoji by the names that people know them by.

/// The emoji of a name, with or without its colons; an emoji is its own name.
pub(crate) fn by_name(name: &str) -> Option<&'static str> {
    let name = name.trim();
    let word = name.strip_prefix(':').unwrap_or(name);
    let word = word.strip_suffix(':').unwrap_or(word);
    let found = emojis::get_by_shortcode(word).or_else(|| emojis::get_by_shortcode(&word.to_lowercase()));
    found.or_else(|| emojis::get(name)).map(|emoji| emoji.as_str())
}

/// The names that begin with some letters, then those that have them in them, each with its emoji.
pub(crate) fn matching(letters: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let letters = letters.to_lowercase();
    let all = || emojis::iter().flat_map(|emoji| emoji.shortcodes().map(move |name| (name, emoji.as_str())));
    let mut begin: Vec<_> = all().filter(|(name, _)| name.starts_with(&letters)).collect();
    // The shortest name is the one that was meant.
    begin.sort_by_key(|(name, _)| name.len());
    let within: Vec<_> = all().filter(|(name, _)| !name.starts_with(&letters) && name.contains(&letters)).collect();
    begin.into_iter().chain(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_found_by_their_names_and_by_themselves() {
        for (name, emoji) in
            [(":tada:", "🎉"), ("tada", "🎉"), ("TADA", "🎉"), ("+1", "👍"), (":thumbsup:", "👍"), ("🎉", "🎉")]
        {
            assert_eq!(by_name(name), Some(emoji), "{name}");
        }
        assert_eq!(by_name("no such thing"), None);
        assert_eq!(by_name(""), None);
    }

    #[test]
    fn names_that_begin_with_the_letters_come_first_the_shortest_of_them_before_the_others() {
        let found: Vec<&str> = matching("smi").map(|(name, _)| name).collect();
        assert_eq!(found[0], "smile");
        assert!(found.iter().any(|name| !name.starts_with("smi")) || found.len() > 3);
    }
}
