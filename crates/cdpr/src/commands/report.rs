//! `cdpr report`: what a study came to, for people and for programs.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use study::folder;
use study::summary::Summary;

use super::{meant, unwritten, write};
use crate::terminal::{self, Progress, say};
use crate::{Ending, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folders that `cdpr simulate` wrote; several make one report.
    #[arg(value_name = "DIR", required = true)]
    studies: Vec<PathBuf>,
    /// Where it goes: a file, `-` for stdout, or a folder for `svg`. By default HTML and SVG go into the first study's folder,
    /// and JSON to stdout.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// What it is.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One file that opens offline in any browser.
    Html,
    /// The same numbers for programs.
    Json,
    /// One file a plot.
    Svg,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let words = "interrupted; no file is half written: run it again";
    terminal::on_interrupt(words.to_owned(), || false);
    let working = Progress::working("reading and drawing");
    let summaries: Vec<Summary> = arguments
        .studies
        .iter()
        .map(|folder| {
            study::study::read(folder).map_err(|error| {
                let hint = "hint: give folders that `cdpr simulate` finished";
                let meant = if folder.exists() { String::new() } else { meant(folder) };
                let what = format!("{} holds no finished study{meant}", folder.display());
                Failure::Input(anyhow::Error::from(error).context(format!("{what}\n  {hint}")))
            })
        })
        .collect::<Result<_, _>>()?;
    let beside = |name: &str| arguments.studies[0].join(name);
    let out = arguments.out.as_deref();
    let is_stdout = out.is_some_and(|out| out == "-");
    match arguments.format {
        Format::Html => {
            let page = study::report::html(&summaries);
            drop(working);
            match out {
                Some(_) if is_stdout => say(page)?,
                Some(path) => written(path, &page)?,
                None => written(&beside("report.html"), &page)?,
            }
        }
        Format::Json => {
            let json = format!("{:#}\n", study::report::json(&summaries));
            drop(working);
            match out {
                Some(path) if !is_stdout => written(path, &json)?,
                Some(_) | None => say(json)?,
            }
        }
        Format::Svg if is_stdout => {
            let hint = "give a folder; a plot is a file of its own";
            return Err(Failure::Input(anyhow!(
                "--out: plots do not go to stdout\n  hint: {hint}"
            )));
        }
        Format::Svg => {
            let folder = out.map_or_else(|| beside("plots"), Path::to_owned);
            folder::make(&folder).map_err(unwritten)?;
            let mut paths = String::new();
            for (name, svg) in study::report::svgs(&summaries) {
                let path = folder.join(name);
                write(&path, svg.as_bytes())?;
                paths.push_str(&format!("{}\n", path.display()));
            }
            drop(working);
            say(paths)?;
        }
    }
    Ok(Ending::Done)
}

/// Writes a file; its path is the command's answer.
fn written(path: &Path, text: &str) -> Result<(), Failure> {
    write(path, text.as_bytes())?;
    say(format!("{}\n", path.display()))
}
