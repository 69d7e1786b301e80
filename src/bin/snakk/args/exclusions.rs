//! What a search is to leave out (`-nuts`), told from options that look like it.
//!
//! clap alone cannot: with `allow_hyphen_values` everything behind the first word would be a word, and no option could
//! stand there any more. So such words are moved behind a `--`; where they stand makes no difference to a search.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The words of a command line, those that a search is to leave out behind a `--`. Other command lines stay as they are.
pub(super) fn escaped(program: &Command, words: Vec<OsString>) -> Vec<OsString> {
    let Some(search) = program.find_subcommand("search") else { return words };
    let options = || search.get_arguments().chain(program.get_arguments());
    let mut behind = false;
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    let mut rest = words.into_iter();
    // The program's own name.
    kept.extend(rest.next());
    while let Some(word) = rest.next() {
        let text = word.to_str().unwrap_or_default().to_owned();
        if text == "--" {
            kept.push(word);
            kept.append(&mut left_out);
            kept.extend(rest);
            return kept;
        }
        if behind && is_left_out(&text) {
            left_out.push(word);
            continue;
        }
        let is_option = text.starts_with('-') && text != "-";
        if !behind && !is_option {
            behind = text == "search";
            if !behind {
                kept.push(word);
                kept.extend(rest);
                return kept;
            }
        }
        kept.push(word);
        if is_option && is_continued(&text, options()) {
            kept.extend(rest.next());
        }
    }
    if !left_out.is_empty() {
        kept.push("--".into());
        kept.append(&mut left_out);
    }
    kept
}

/// Whether a word behind `search` says what is to be left out. A dash and one letter is an option, whether there is such a
/// one or not, and so is `-n20`; the values of all others are words of their own there.
fn is_left_out(word: &str) -> bool {
    let Some(what) = word.strip_prefix('-') else { return false };
    let mut letters = what.chars();
    match (letters.next(), letters.as_str()) {
        (None | Some('-'), _) => false,
        (Some(letter), "") => !letter.is_ascii_alphabetic(),
        (Some('n'), count) => !count.trim_start_matches('=').bytes().all(|byte| byte.is_ascii_digit()),
        _ => true,
    }
}

/// Whether the value of an option is the next word.
fn is_continued<'a>(option: &str, mut known: impl Iterator<Item = &'a Arg>) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        return known.any(|known| known.get_long() == Some(long) && known.get_action().takes_values());
    }
    let valued: Vec<char> =
        known.filter(|known| known.get_action().takes_values()).filter_map(Arg::get_short).collect();
    // Several letters may stand together; the first one that has a value takes what is behind it.
    option.chars().skip(1).position(|letter| valued.contains(&letter)) == Some(option.chars().count().saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::{Args, Command as Verb};
    use super::*;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(escaped(&Args::command(), line.split(' ').map(OsString::from).collect()))
    }

    #[test]
    fn a_word_with_a_dash_is_left_out_of_a_search_and_an_option_is_an_option() {
        let cases = [
            ("snakk search cake -nuts", "cake -nuts", None, 50, None),
            ("snakk search -nuts cake -raisins", "cake -nuts -raisins", None, 50, None),
            ("snakk search cake -nuts -r lobby -n 5", "cake -nuts", Some("lobby"), 5, None),
            ("snakk search cake -n5 -u bob -nuts", "cake -nuts", None, 5, Some("bob")),
            ("snakk -u bob search -r dash -nuts cake", "cake -nuts", Some("dash"), 50, Some("bob")),
            ("snakk -u search search cake -from:ann --limit 7", "cake -from:ann", None, 7, Some("search")),
            ("snakk --json --timeout 5s search --room=lobby cake -7", "cake -7", Some("lobby"), 50, None),
            ("snakk search -nuts -- -r cake", "-nuts -r cake", None, 50, None),
            ("snakk search -- -n", "-n", None, 50, None),
        ];
        for (line, query, room, limit, name) in cases {
            let args = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let Some(Verb::Search(search)) = args.command else { panic!("{line}") };
            assert_eq!((&*search.query.join(" "), search.limit), (query, limit), "{line}");
            assert_eq!((search.room.as_deref(), args.connection.username.as_deref()), (room, name), "{line}");
        }
        for line in ["snakk search", "snakk search cake -x", "snakk search cake --nuts", "snakk search cake -n many"] {
            assert_eq!(parsed(line).map(drop).map_err(|error| error.exit_code()), Err(2), "{line}");
        }
    }

    #[test]
    fn other_command_lines_stay_as_they_are() {
        for line in
            ["snakk", "snakk send lobby -nuts", "snakk -r search", "snakk tail search -n5", "snakk - search -nuts"]
        {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(escaped(&Args::command(), words.clone()), words);
        }
    }
}
