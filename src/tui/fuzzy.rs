//! Finding a name by a few of its letters.

/// How well the letters fit the name, in their order; `None` where they do not. Case does not matter. Letters at the start
/// of the name or of a word in it count more, and so do letters that stand side by side.
pub(crate) fn score(letters: &str, name: &str) -> Option<i32> {
    let name: Vec<char> = name.to_lowercase().chars().take(200).collect();
    let letters: Vec<char> = letters.to_lowercase().chars().filter(|c| !c.is_whitespace()).take(100).collect();
    // For each place in the name, the best score of the letters so far with the last of them there.
    let mut best: Vec<Option<i32>> = vec![None; name.len()];
    for (number, letter) in letters.iter().enumerate() {
        let mut next = vec![None; name.len()];
        // The best of all places further to the left.
        let mut before: Option<i32> = if number == 0 { Some(0) } else { None };
        for (at, c) in name.iter().enumerate() {
            if c == letter {
                let apart = before.map(|score| score + place(&name, at));
                let adjoining = at.checked_sub(1).and_then(|left| best[left]).map(|score| score + place(&name, at) + 7);
                next[at] = apart.max(adjoining);
            }
            if number > 0 {
                before = before.max(best[at]);
            }
        }
        best = next;
    }
    if letters.is_empty() {
        return Some(0);
    }
    // Of two that fit alike the shorter one was meant.
    let length = i32::try_from(name.len()).unwrap_or(i32::MAX);
    best.into_iter().flatten().max().map(|score| score * 16 - length.min(200))
}

/// What a place in a name counts.
fn place(name: &[char], at: usize) -> i32 {
    match at.checked_sub(1).and_then(|before| name.get(before)) {
        None => 8,
        Some('-' | '_' | '@' | '.' | ' ') => 6,
        Some(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant_comes_first() {
        let cases = [
            ("dev", &["dev", "devops", "old-dev", "indeval"][..]),
            ("lb", &["lb", "lobby", "old-lobby"]),
            ("do", &["dev-ops", "idol"]),
            ("BOB", &["bob", "@bob", "b-o-b-x"]),
        ];
        for (letters, names) in cases {
            let scores: Vec<Option<i32>> = names.iter().map(|name| score(letters, name)).collect();
            assert!(scores.iter().all(Option::is_some), "{letters}: {scores:?}");
            assert!(scores.is_sorted_by(|one, other| one > other), "{letters}: {names:?} {scores:?}");
        }
    }

    #[test]
    fn letters_that_are_not_there_in_their_order_do_not_fit() {
        for (letters, name) in [("x", "lobby"), ("bl", "lobby"), ("lobbyy", "lobby"), ("a", "")] {
            assert_eq!(score(letters, name), None, "{letters} {name}");
        }
        assert_eq!(score("", "lobby"), Some(0));
    }
}
