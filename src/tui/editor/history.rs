//! What was typed before in a room.

/// How many lines are kept.
const MAX_LINES: usize = 200;

/// What was typed before, oldest first, and where in it one is.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    lines: Vec<String>,
    /// The line that is shown; none while something new is typed.
    at: Option<usize>,
    /// What was being typed when one began to go back.
    draft: String,
}

impl History {
    /// Keeps a line that was sent. The same again is kept once.
    pub(crate) fn push(&mut self, line: &str) {
        self.reset();
        if self.lines.last().is_none_or(|last| last != line) {
            self.lines.push(line.to_owned());
            if self.lines.len() > MAX_LINES {
                self.lines.remove(0);
            }
        }
    }

    /// The line before the one that is shown; `current` is what is being typed, and comes back in the end.
    pub(crate) fn previous(&mut self, current: &str) -> Option<&str> {
        let before = self.at.unwrap_or(self.lines.len()).checked_sub(1)?;
        if self.at.is_none() {
            current.clone_into(&mut self.draft);
        }
        self.at = Some(before);
        self.lines.get(before).map(String::as_str)
    }

    /// The line after the one that is shown, in the end what was being typed.
    pub(crate) fn next(&mut self) -> Option<&str> {
        let behind = self.at? + 1;
        match self.lines.get(behind) {
            Some(line) => {
                self.at = Some(behind);
                Some(line)
            }
            None => {
                self.at = None;
                Some(&self.draft)
            }
        }
    }

    /// The newest line that has the needle in it, or, going further, the next older one than what is shown.
    pub(crate) fn search_backward(&mut self, needle: &str, further: bool) -> Option<&str> {
        let end = match self.at {
            Some(at) if further => at,
            Some(at) => at + 1,
            None => self.lines.len(),
        };
        let needle = needle.to_lowercase();
        let found = self.lines.iter().take(end).rposition(|line| line.to_lowercase().contains(&needle))?;
        self.at = Some(found);
        self.lines.get(found).map(String::as_str)
    }

    /// Something new is typed.
    pub(crate) fn reset(&mut self) {
        self.at = None;
        self.draft.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_and_forth_ends_with_what_was_being_typed() {
        let mut history = History::default();
        assert_eq!(history.previous("new"), None);
        for line in ["one", "two", "two", "three"] {
            history.push(line);
        }
        assert_eq!(history.previous("new"), Some("three"));
        assert_eq!(history.previous("three"), Some("two"));
        assert_eq!(history.previous("two"), Some("one"));
        assert_eq!(history.previous("one"), None);
        assert_eq!(history.next(), Some("two"));
        assert_eq!(history.next(), Some("three"));
        assert_eq!(history.next(), Some("new"));
        assert_eq!(history.next(), None);
    }

    #[test]
    fn a_search_goes_further_back_each_time() {
        let mut history = History::default();
        for line in ["make tea", "make cake", "eat cake", "sleep"] {
            history.push(line);
        }
        assert_eq!(history.search_backward("", false), Some("sleep"));
        assert_eq!(history.search_backward("CAKE", false), Some("eat cake"));
        assert_eq!(history.search_backward("cake", true), Some("make cake"));
        assert_eq!(history.search_backward("cake", true), None);
        assert_eq!(history.search_backward("make", true), Some("make tea"));
    }

    #[test]
    fn only_the_newest_lines_are_kept() {
        let mut history = History::default();
        (0..1000).for_each(|number| history.push(&number.to_string()));
        let mut count = 0;
        while history.previous("").is_some() {
            count += 1;
        }
        assert_eq!(count, MAX_LINES);
    }
}
