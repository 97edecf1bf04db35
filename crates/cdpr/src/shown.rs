//! What README and book show of this program: every command line is one that it takes, over files that a clone has.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use crate::Cli;

/// Folders of the repository whose files are given to commands.
const GIVEN: [&str; 5] = ["crates", "deployments", "examples", "scenarios", "workflows"];

#[test]
fn every_command_that_readme_and_book_show_is_taken() {
    let mut pages = vec![root().join("README.md")];
    find(&root().join("book/src"), &mut pages);
    let mut shown = 0;
    let mut refused = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        shown += commands(&text).len();
        refused.extend(refusals(&text).into_iter().map(|why| format!("{}: {why}", page.display())));
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(shown > 20, "found {shown} in {} pages: are they still in code blocks?", pages.len());
}

#[test]
fn what_is_not_taken_or_not_there_is_named() {
    let page = "`cdpr prose`\n```console\n\
                $ cdpr run --seed 7   # --not-a-flag in a comment\n\
                $ A=1 cargo run --features compiler -- workflow simulate main.ts | head -1\n\
                $ cargo test --not-ours\n\
                $ cdpr --version && cdpr simulate --nonsense\n\
                $ cargo run -- run --scenario scenarios/none.toml > out\n\
                ```\n";
    let refused = refusals(page);
    let begin = |idx: usize| refused[idx].lines().next().unwrap_or_default();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_eq!(
        begin(0),
        "`cdpr simulate --nonsense`: error: unexpected argument '--nonsense' found"
    );
    assert_eq!(begin(1), "`cdpr run --scenario scenarios/none.toml`: no scenarios/none.toml");
    assert_eq!(commands(page).len(), 5);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn find(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, pages);
        } else if path.extension().is_some_and(|it| it == "md") {
            pages.push(path);
        }
    }
}

/// Why each of a page's commands would not run.
fn refusals(markdown: &str) -> Vec<String> {
    let mut refused = Vec::new();
    for words in commands(markdown) {
        let line = words.join(" ");
        if let Err(error) = Cli::try_parse_from(&words)
            && error.use_stderr()
        {
            refused.push(format!("`{line}`: {error}"));
        }
        let given = words
            .iter()
            .filter(|word| word.split_once('/').is_some_and(|(folder, _)| GIVEN.contains(&folder)));
        let missing = given.filter(|word| !root().join(word).exists());
        refused.extend(missing.map(|word| format!("`{line}`: no {word}")));
    }
    refused
}

/// What code blocks call this program with, its name first. Nothing in them is quoted.
fn commands(markdown: &str) -> Vec<Vec<&str>> {
    let blocks = markdown.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).map(|line| line.trim_start_matches("$ "));
    let calls =
        lines.flat_map(|line| line.split(" #").next().unwrap_or_default().split(['|', '&', ';']));
    calls.filter_map(words_of).collect()
}

fn words_of(call: &str) -> Option<Vec<&str>> {
    let call = call.split('>').next()?;
    let is_setting = |word: &&str| word.contains('=') && !word.starts_with('-');
    let mut words = call.split_whitespace().skip_while(is_setting);
    match words.next()? {
        "cdpr" => {}
        "cargo" if words.next() == Some("run") => {
            words.find(|word| *word == "--")?;
        }
        _other => return None,
    }
    Some(std::iter::once("cdpr").chain(words).collect())
}
