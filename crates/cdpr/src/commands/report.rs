//! `cdpr report`: what a study came to, for people and for programs.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use study::summary::Summary;

use crate::{Ending, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folders that `cdpr simulate` wrote; several make one report.
    #[arg(value_name = "DIR", required = true)]
    studies: Vec<PathBuf>,
    /// Where it goes: a file, or a folder for `svg`. In the first study's folder by default; `-` for JSON is stdout.
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
    let summaries: Vec<Summary> = arguments
        .studies
        .iter()
        .map(|folder| {
            study::study::read(folder).map_err(|error| {
                let hint = "hint: give folders that `cdpr simulate` finished";
                Failure::Input(
                    anyhow::Error::from(error)
                        .context(format!("{} holds no finished study\n  {hint}", folder.display())),
                )
            })
        })
        .collect::<Result<_, _>>()?;
    let beside = |name: &str| arguments.studies[0].join(name);
    match arguments.format {
        Format::Html => {
            let path = arguments.out.clone().unwrap_or_else(|| beside("report.html"));
            write(&path, &study::report::html(&summaries))?;
            say(&path);
        }
        Format::Json => {
            let json = study::report::json(&summaries);
            let text = format!("{json:#}\n");
            match &arguments.out {
                Some(path) if path.as_os_str() != "-" => {
                    write(path, &text)?;
                    say(path);
                }
                Some(_) | None => {
                    std::io::stdout().write_all(text.as_bytes()).context("writing to stdout")?
                }
            }
        }
        Format::Svg => {
            let folder = arguments.out.clone().unwrap_or_else(|| beside("plots"));
            std::fs::create_dir_all(&folder)
                .map_err(|error| Failure::Input(anyhow!("{}: {error}", folder.display())))?;
            for (name, svg) in study::report::svgs(&summaries) {
                let path = folder.join(name);
                write(&path, &svg)?;
                say(&path);
            }
        }
    }
    Ok(Ending::Done)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::Input(anyhow!(
            "{}: {error}\n  hint: give a path this user may write",
            path.display()
        ))
    })
}

#[allow(clippy::print_stdout, reason = "the path is the command's answer")]
fn say(path: &Path) {
    println!("{}", path.display());
}
