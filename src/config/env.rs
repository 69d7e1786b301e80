//! Variables that override keys. They are handed in: the process's own environment is the program's business.

use std::ffi::OsString;

use super::Config;
use super::keys::{self, LISTENER, SECTIONS};
use crate::settings::{self, Given, Place, Places, Problem};

/// What all of ours begin with.
const PREFIX: &str = "SNAKK_";

/// Lays the variables over the configuration.
pub(super) fn apply<N, V>(
    variables: impl IntoIterator<Item = (N, V)>,
    config: &mut Config,
    places: &mut Places,
    problems: &mut Vec<Problem>,
) where
    N: Into<OsString>,
    V: Into<OsString>,
{
    let ours = variables.into_iter().filter_map(|(name, value)| {
        let name = name.into().into_string().ok()?;
        let (section, key) = name.strip_prefix(PREFIX)?.split_once("__")?;
        Some((name.clone(), section.to_lowercase(), key.to_lowercase(), value.into()))
    });
    // An environment has no order; the messages should have one.
    let mut ours: Vec<_> = ours.collect();
    ours.sort();
    for (variable, section, key, value) in ours {
        let place = Place::Variable(variable);
        let Ok(value) = value.into_string() else {
            problems.push(Problem::new(place, format!("{section}.{key} is not UTF-8, it must be")));
            continue;
        };
        if section == LISTENER {
            let what = "the listeners are a list of tables, it must be in the file";
            problems.push(Problem::new(place, what.to_owned()));
            continue;
        }
        let Some(known) = keys::section(&section) else {
            problems.push(Problem::new(place, unknown(&section, &key)));
            continue;
        };
        let Some(found) = known.keys.iter().find(|known| known.name == key) else {
            let there: Vec<&str> = known.keys.iter().map(|key| key.name).collect();
            let what = keys::unknown_key(known.name, &key, &there);
            problems.push(Problem::new(place, what));
            continue;
        };
        settings::set(found, known.name, config, &Given::Word(&value), &place, problems);
        places.put(format!("{section}.{key}"), place);
    }
}

/// What is wrong with a variable whose section does not exist: the nearest of all keys may have been meant.
fn unknown(section: &str, key: &str) -> String {
    let all: Vec<String> =
        SECTIONS.iter().flat_map(|s| s.keys.iter().map(move |key| format!("{}.{}", s.name, key.name))).collect();
    let wanted = format!("{section}.{key}");
    match settings::nearest(&wanted, all.iter().map(String::as_str)) {
        Some(near) => {
            let variable = near.to_uppercase().replacen('.', "__", 1);
            let there: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
            format!(
                "unknown section {}, there are {}; did you mean \"{PREFIX}{variable}\"?",
                settings::plain(section),
                there.join(", ")
            )
        }
        None => keys::unknown_section(section),
    }
}
