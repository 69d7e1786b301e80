//! Completing what is being typed: commands, names, rooms, emoji. Pure.

use super::emoji;

/// What is completed behind a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Somebody's name.
    Nick,
    /// A room's name.
    Room,
    /// Another command.
    Command,
    /// What is completed in a message.
    Text,
    /// Nothing.
    Nothing,
}

/// What there is to complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// Names, who spoke last first.
    pub(crate) nicks: Vec<String>,
    pub(crate) rooms: Vec<String>,
    /// Commands without their slash.
    pub(crate) commands: Vec<(&'static str, Argument)>,
}

/// The most that is offered.
const MAX_OFFERED: usize = 100;
/// Fewer letters of an emoji's name are no question, but a smile.
const MIN_EMOJI_LETTERS: usize = 2;

/// A completion under way: each further key takes the next of what fits.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    /// What stands in front of the word and behind the cursor.
    before: String,
    behind: String,
    /// What is shown of each, and what is inserted.
    offered: Vec<String>,
    inserted: Vec<String>,
    taken: usize,
    text: String,
}

impl Completion {
    /// Completes the word in front of the cursor; `None` where nothing fits.
    pub(crate) fn begin(text: &str, cursor: usize, words: &Words) -> Option<Completion> {
        let (front, behind) = text.split_at_checked(cursor)?;
        let start =
            front.rfind(char::is_whitespace).map_or(0, |at| at + front[at..].chars().next().map_or(1, char::len_utf8));
        let (before, word) = front.split_at(start);
        let found = find(before, word, words);
        let (offered, inserted): (Vec<String>, Vec<String>) = found.into_iter().take(MAX_OFFERED).unzip();
        if offered.is_empty() {
            return None;
        }
        let mut completion = Completion {
            before: before.to_owned(),
            behind: behind.to_owned(),
            offered,
            inserted,
            taken: 0,
            text: String::new(),
        };
        completion.take(0);
        Some(completion)
    }

    /// Takes the next one.
    pub(crate) fn forward(&mut self) {
        self.take((self.taken + 1) % self.offered.len());
    }

    /// Takes the one before.
    pub(crate) fn backward(&mut self) {
        self.take((self.taken + self.offered.len() - 1) % self.offered.len());
    }

    fn take(&mut self, number: usize) {
        self.taken = number;
        let word = self.word();
        self.text = format!("{}{word}{}", self.before, self.behind);
    }

    /// What is inserted; a blank that stands there already does not come twice.
    fn word(&self) -> &str {
        let word = self.inserted.get(self.taken).map_or("", String::as_str);
        if self.behind.starts_with(' ') { word.trim_end_matches(' ') } else { word }
    }

    /// The text with what was taken in it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The byte behind what was taken.
    pub(crate) fn cursor(&self) -> usize {
        self.before.len() + self.word().len()
    }

    /// What fits, and which of it was taken.
    pub(crate) fn candidates(&self) -> (&[String], usize) {
        (&self.offered, self.taken)
    }
}

/// What fits: as it is offered, and as it is inserted.
fn find(before: &str, word: &str, words: &Words) -> Vec<(String, String)> {
    let is_command = before.is_empty() && word.starts_with('/') && !word.starts_with("//");
    if is_command {
        let commands = words.commands.iter().map(|(command, _)| format!("/{command}"));
        return fitting(word, commands).map(|command| (command.clone(), format!("{command} "))).collect();
    }
    let command = before.strip_prefix('/').filter(|rest| !rest.starts_with('/'));
    let (argument, is_first) = match command
        .map(|rest| rest.trim_end().split_once(' ').map_or((rest.trim_end(), true), |(word, _)| (word, false)))
    {
        Some((command, is_first)) => {
            let known = words.commands.iter().find(|(word, _)| word.eq_ignore_ascii_case(command));
            (known.map_or(Argument::Nothing, |(_, argument)| *argument), is_first)
        }
        None => (Argument::Text, false),
    };
    match argument {
        Argument::Nothing => Vec::new(),
        Argument::Nick if is_first => {
            let name = word.strip_prefix('@').unwrap_or(word);
            fitting(name, words.nicks.iter().cloned()).map(|nick| (nick.clone(), format!("{nick} "))).collect()
        }
        Argument::Room if is_first => {
            fitting(word, words.rooms.iter().cloned()).map(|room| (room.clone(), format!("{room} "))).collect()
        }
        Argument::Command if is_first => {
            let commands = words.commands.iter().map(|(command, _)| (*command).to_owned());
            fitting(word, commands).map(|command| (command.clone(), format!("{command} "))).collect()
        }
        _ => in_text(before, word, words),
    }
}

/// What fits in a message.
fn in_text(before: &str, word: &str, words: &Words) -> Vec<(String, String)> {
    if let Some(room) = word.strip_prefix('#') {
        return fitting(room, words.rooms.iter().cloned()).map(|room| (room.clone(), format!("{room} "))).collect();
    }
    if let Some(name) = word.strip_prefix(':').filter(|name| name.chars().count() >= MIN_EMOJI_LETTERS) {
        return emoji::matching(name).map(|(name, emoji)| (format!("{emoji} {name}"), format!("{emoji} "))).collect();
    }
    // The server rings for `@NAME` alone.
    let name = word.strip_prefix('@').unwrap_or(word);
    let end = if before.is_empty() { ": " } else { " " };
    fitting(name, words.nicks.iter().cloned()).map(|nick| (nick.clone(), format!("@{nick}{end}"))).collect()
}

/// Those that begin with the word, in their order, then those that have it in them. Case does not matter.
fn fitting(word: &str, all: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let word = word.to_lowercase();
    let (begin, others): (Vec<String>, Vec<String>) = all.partition(|one| one.to_lowercase().starts_with(&word));
    let within = others.into_iter().filter(move |one| one.to_lowercase().contains(&word));
    begin.into_iter().chain(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Words {
            nicks: owned(&["Bert", "bob", "alberta"]),
            rooms: owned(&["lobby", "dev"]),
            commands: vec![
                ("join", Argument::Room),
                ("msg", Argument::Nick),
                ("me", Argument::Text),
                ("help", Argument::Command),
                ("quit", Argument::Nothing),
            ],
        }
    }

    /// What the line becomes, key by key, with a bar where the cursor is.
    fn completed(line: &str, times: usize) -> Vec<String> {
        let cursor = line.find('|').expect("a cursor");
        let Some(mut completion) = Completion::begin(&line.replace('|', ""), cursor, &words()) else {
            return Vec::new();
        };
        let mut seen = Vec::new();
        for _ in 0..times {
            let (before, behind) = completion.text().split_at(completion.cursor());
            seen.push(format!("{before}|{behind}"));
            completion.forward();
        }
        seen
    }

    #[test]
    fn names_come_by_who_spoke_last_and_ring() {
        assert_eq!(completed("b|", 4), ["@Bert: |", "@bob: |", "@alberta: |", "@Bert: |"]);
        assert_eq!(completed("hi @bo|", 1), ["hi @bob |"]);
        assert_eq!(completed("hi bo| there", 1), ["hi @bob| there"]);
        assert_eq!(completed("hi xyz|", 1), [""; 0]);
    }

    #[test]
    fn commands_and_what_stands_behind_them() {
        assert_eq!(completed("/jo|", 1), ["/join |"]);
        assert_eq!(completed("/m|", 2), ["/msg |", "/me |"]);
        assert_eq!(completed("/join d|", 1), ["/join dev |"]);
        assert_eq!(completed("/msg @b|", 1), ["/msg Bert |"]);
        assert_eq!(completed("/msg bob hello b|", 1), ["/msg bob hello @Bert |"]);
        assert_eq!(completed("/help q|", 1), ["/help quit |"]);
        assert_eq!(completed("/me greets b|", 1), ["/me greets @Bert |"]);
        assert_eq!(completed("/quit b|", 1), [""; 0]);
        assert_eq!(completed("/unknown b|", 1), [""; 0]);
        assert_eq!(completed("//b|", 1), [""; 0]);
    }

    #[test]
    fn rooms_and_emoji_stand_in_messages() {
        assert_eq!(completed("see #lo|", 1), ["see lobby |"]);
        assert_eq!(completed("yay :tada|", 1), ["yay 🎉 |"]);
        assert_eq!(completed("yay :t|", 1), [""; 0]);
    }

    #[test]
    fn backward_is_forward_the_other_way() {
        let mut completion = Completion::begin("b", 1, &words()).expect("names");
        completion.backward();
        assert_eq!(completion.text(), "@alberta: ");
        assert_eq!(completion.candidates().1, 2);
        completion.forward();
        assert_eq!(completion.text(), "@Bert: ");
    }
}
