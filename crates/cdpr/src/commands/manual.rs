//! `cdpr completions` and `cdpr man`: what a shell and a reader need, made of the same words as `--help`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;
use study::folder;

use crate::terminal::say;
use crate::{Ending, Failure};

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Pages {
    /// Which command's page, as it is typed; the program's own by default.
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write every page into this folder instead.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn completions(arguments: &Completions, mut cdpr: Command) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut cdpr, "cdpr", &mut script);
    say(script)?;
    Ok(Ending::Done)
}

pub(crate) fn pages(arguments: &Pages, mut cdpr: Command) -> Result<Ending, Failure> {
    cdpr.build();
    if let Some(out) = &arguments.out {
        folder::make(out).map_err(super::unwritten)?;
        let mut told = String::new();
        let mut left = vec![&cdpr];
        while let Some(command) = left.pop() {
            let path = out.join(format!("{}.1", name(command)));
            super::write(&path, &page(command)?)?;
            told.push_str(&format!("{}\n", path.display()));
            left.extend(command.get_subcommands().filter(|one| one.get_name() != "help"));
        }
        say(told)?;
        return Ok(Ending::Done);
    }
    let mut found = &cdpr;
    for word in &arguments.command {
        found = found.find_subcommand(word).ok_or_else(|| {
            let names: Vec<&str> = found.get_subcommands().map(Command::get_name).collect();
            super::refuse(format!("there is no command {word:?}"), super::known_words(word, &names))
        })?;
    }
    say(page(found)?)?;
    Ok(Ending::Done)
}

fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = folder::MADE_BY_ROFF.as_bytes().to_vec();
    clap_mangen::Man::new(command.clone()).render(&mut page).context("a manual page")?;
    Ok(page)
}
