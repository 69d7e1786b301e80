//! The manual page of the configuration, snakk.toml(5), from what the library knows about each key.

use clap_mangen::roff::{Roff, bold, italic, roman};
use snakk::Config;
use snakk::config::ManualEntry;

/// What the page is called.
pub(crate) const NAME: &str = "snakk.toml";
/// Its section of the manual.
pub(crate) const SECTION: &str = "5";

/// The page, as roff.
pub(crate) fn page() -> String {
    let (manual, mut roff) = (Config::manual(), Roff::new());
    let source = concat!("snakk ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["SNAKK.TOML", SECTION, "", source, "snakk"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("snakk.toml - the configuration of snakkd")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman("What follows is the file that \"snakkd init\" writes, key by key.")]);
    for paragraph in &manual.intro {
        roff.control("PP", []);
        roff.text([roman(paragraph)]);
    }
    for section in &manual.sections {
        roff.control("SH", [section.header.as_str()]);
        if !section.about.is_empty() {
            roff.text([roman(&section.about)]);
        }
        section.entries.iter().for_each(|entry| write(entry, &mut roff));
    }
    roff.control("SH", ["FILES"]);
    roff.control("TP", []);
    roff.text([bold("/etc/snakk/snakk.toml")]);
    roff.text([roman("The configuration, where nobody names another.")]);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman("snakkd(8), snakkd-check(8), snakkd-init(8)")]);
    roff.render()
}

fn write(entry: &ManualEntry, roff: &mut Roff) {
    for (index, key) in entry.keys.iter().enumerate() {
        roff.control(if index == 0 { "TP" } else { "TQ" }, []);
        roff.text([bold(&key.name), roman(" = "), italic(&key.value)]);
    }
    roff.text([roman(&entry.about)]);
    if entry.keys.iter().any(|key| !key.is_default) {
        roff.text([roman("By default it is not there.")]);
    }
    let mut demands: Vec<&str> = entry.keys.iter().filter_map(|key| key.allowed.as_deref()).collect();
    demands.dedup();
    for demand in demands {
        roff.text([roman(format!("It must be {demand}."))]);
    }
}
