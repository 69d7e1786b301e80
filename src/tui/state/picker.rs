//! A list that lies over the screen: one types to narrow it down, and takes a line of it.

use super::room::RoomKey;
use crate::model::Seq;
use crate::tui::editor::Editor;
use crate::tui::fuzzy;

/// The most lines of a list.
const MAX_LINES: usize = 5000;

/// What a line stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// A room that is on the screen already.
    Go(RoomKey),
    /// A room of that name.
    Join(String),
    /// A message.
    Jump { room: String, seq: Seq },
    /// More of what is listed, from there on.
    More { query: String, after: u64 },
    /// Nothing: it is there to be read.
    Nothing,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) text: String,
    pub(crate) detail: String,
    pub(crate) pick: Pick,
}

impl Choice {
    pub(crate) fn new(text: impl Into<String>, detail: impl Into<String>, pick: Pick) -> Choice {
        Choice { text: text.into(), detail: detail.into(), pick }
    }
}

/// A list that lies over the screen.
#[derive(Debug)]
pub(crate) struct Picker {
    pub(crate) title: String,
    /// What narrows it down, where it can be.
    pub(crate) filter: Option<Editor>,
    choices: Vec<Choice>,
    /// Which of them are listed, in their order.
    listed: Vec<usize>,
    /// Which of the listed ones is marked.
    pub(crate) marked: usize,
}

impl Picker {
    /// A list to choose from, by a few letters.
    pub(crate) fn filtered(title: impl Into<String>, choices: Vec<Choice>) -> Picker {
        Picker { filter: Some(Editor::new()), ..Picker::plain(title, choices) }
    }

    /// A list to read or choose from.
    pub(crate) fn plain(title: impl Into<String>, mut choices: Vec<Choice>) -> Picker {
        choices.truncate(MAX_LINES);
        let listed = (0..choices.len()).collect();
        Picker { title: title.into(), filter: None, choices, listed, marked: 0 }
    }

    /// Adds lines behind the last one, in the place of a line that stood for them.
    pub(crate) fn extend(&mut self, more: Vec<Choice>) {
        if matches!(self.choices.last(), Some(Choice { pick: Pick::More { .. }, .. })) {
            self.choices.pop();
        }
        self.choices.extend(more);
        self.choices.truncate(MAX_LINES);
        self.narrow();
    }

    /// What is listed.
    pub(crate) fn listed(&self) -> impl ExactSizeIterator<Item = &Choice> {
        self.listed.iter().map(|at| &self.choices[*at])
    }

    /// The line that is marked.
    pub(crate) fn picked(&self) -> Option<&Choice> {
        self.listed.get(self.marked).and_then(|at| self.choices.get(*at))
    }

    /// Marks another line: so many further down, or up.
    pub(crate) fn move_by(&mut self, by: isize) {
        let last = self.listed.len().saturating_sub(1);
        self.marked = self.marked.saturating_add_signed(by).min(last);
    }

    /// The filter has changed.
    pub(crate) fn narrow(&mut self) {
        let needle = self.filter.as_ref().map(|filter| filter.text().trim().to_owned()).unwrap_or_default();
        let mut scored: Vec<(i32, usize)> = self
            .choices
            .iter()
            .enumerate()
            .filter_map(|(at, choice)| {
                Some((if needle.is_empty() { 0 } else { fuzzy::score(&needle, &choice.text)? }, at))
            })
            .collect();
        scored.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
        self.listed = scored.into_iter().map(|(_, at)| at).collect();
        self.marked = self.marked.min(self.listed.len().saturating_sub(1));
        if !needle.is_empty() {
            self.marked = 0;
        }
    }
}
