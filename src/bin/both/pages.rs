//! Manual pages and completions, from the definitions by which the command line is parsed. Both programs have them, and
//! share this file.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, ValueEnum};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// What a program's pages tell besides what its command line does.
pub(crate) struct Page {
    /// The section of the manual.
    pub(crate) section: &'static str,
    /// The variables that count, and what each is for.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// The exit codes, and what each means.
    pub(crate) exit: &'static [(&'static str, &'static str)],
    /// The files, and what is in each.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Other pages.
    pub(crate) see_also: &'static [&'static str],
}

/// A shell that can complete command lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The page of the program itself.
pub(crate) fn page(program: &Command, page: &Page) -> io::Result<Vec<u8>> {
    let program = built(program);
    let sections = [("ENVIRONMENT", page.environment), ("FILES", page.files)];
    written(&program, page, &sections, page.see_also.iter().map(|other| (*other).to_owned()).collect())
}

/// Writes the page of the program and those of its commands into a folder, which is made if it is not there.
pub(crate) fn write_all(program: &Command, page: &Page, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let program = built(program);
    fs::write(folder.join(file_name(&program, page)), self::page(&program, page)?)?;
    write_below(&program, page, folder)
}

fn write_below(parent: &Command, page: &Page, folder: &Path) -> io::Result<()> {
    for command in parent.get_subcommands().filter(|command| !command.is_hide_set()) {
        let parent = format!("{}({})", name(parent), page.section);
        fs::write(folder.join(file_name(command, page)), written(command, page, &[], vec![parent])?)?;
        write_below(command, page, folder)?;
    }
    Ok(())
}

/// What makes a shell complete the command lines of the program.
pub(crate) fn completions(program: &Command, shell: Shell) -> Vec<u8> {
    let (mut program, mut text) = (program.clone(), Vec::new());
    let name = program.get_name().to_owned();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut program, name, &mut text);
    text
}

/// With what clap adds by itself: the options that hold for all commands, and the commands' full names.
fn built(program: &Command) -> Command {
    let mut program = program.clone().disable_help_subcommand(true);
    program.build();
    program
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn file_name(command: &Command, page: &Page) -> String {
    format!("{}.{}", name(command), page.section)
}

type Entries = &'static [(&'static str, &'static str)];

fn written(command: &Command, page: &Page, more: &[(&str, Entries)], see_also: Vec<String>) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .title(name(command).to_uppercase())
        .section(page.section)
        .source(concat!("snakk ", env!("CARGO_PKG_VERSION")))
        .manual("snakk");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    for (heading, entries) in [("EXIT STATUS", page.exit)].iter().chain(more) {
        roff.control("SH", [*heading]);
        for (word, meaning) in *entries {
            roff.control("TP", []);
            roff.text([bold(*word)]);
            roff.text([roman(*meaning)]);
        }
    }
    if !see_also.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([roman(see_also.join(", "))]);
    }
    roff.to_writer(&mut text)?;
    Ok(text)
}
