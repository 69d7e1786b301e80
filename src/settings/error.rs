//! What is wrong with a configuration, and where.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

/// More problems than this are counted, not shown: nobody reads them, and a file full of noise would fill the log.
const MOST_SHOWN: usize = 50;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, at that line and column (in characters), both counted from 1.
    File {
        /// The file, as it was named.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A file as a whole.
    WholeFile(PathBuf),
    /// In the variable of that name.
    Variable(String),
    /// In values that a program has put together.
    Program,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line, column } => write!(f, "{}:{line}:{column}", file.display()),
            Place::WholeFile(file) => file.display().fmt(f),
            Place::Variable(name) => name.fmt(f),
            Place::Program => "configuration".fmt(f),
        }
    }
}

/// One thing that is wrong: shown as `PLACE: WHAT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    place: Place,
    what: String,
}

impl Problem {
    /// That is wrong there.
    #[doc(hidden)]
    pub fn new(place: Place, what: String) -> Problem {
        Problem { place, what }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong with which key, what is allowed, and perhaps what was meant.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Everything that is wrong with a configuration. Shown as a line for each problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// All of these together, if there are any.
    ///
    /// # Errors
    /// All of these together.
    #[doc(hidden)]
    pub fn unless_empty(mut problems: Vec<Problem>) -> Result<(), ConfigErrors> {
        if problems.is_empty() {
            return Ok(());
        }
        // In the order of the file, whatever found them; the sort is stable, so all else stays as it was found.
        problems.sort_by_key(|problem| match problem.place {
            Place::File { line, column, .. } => (line, column),
            Place::WholeFile(_) => (0, 0),
            Place::Variable(_) | Place::Program => (usize::MAX, 0),
        });
        Err(ConfigErrors(problems))
    }

    /// The problems: at least one; those of the file in its order, then those of variables.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(MOST_SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        match self.0.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n({more} more)"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// Where each key that was given stands, by its name; in lists also by its index (`listener.0.address`).
#[derive(Default)]
pub struct Places(HashMap<String, Place>);

impl Places {
    /// That key stands there.
    pub fn put(&mut self, key: String, place: Place) {
        self.0.insert(key, place);
    }

    /// Where that key was given, if it was.
    pub fn given(&self, key: &str) -> Option<Place> {
        self.0.get(key).cloned()
    }

    /// Where that key stands.
    pub fn of(&self, key: &str) -> Place {
        self.0.get(key).cloned().unwrap_or(Place::Program)
    }
}
