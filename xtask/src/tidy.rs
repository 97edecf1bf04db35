//! Structural claims of README, ARCHITECTURE and CONTRIBUTING, executed.
//!
//! Each check is a function from data (metadata, file names, text) to findings, so that its tests can feed it a bad
//! repository. A claim that nothing checks is gone in two years.

mod crates;
mod licences;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::guests;
use crate::shell::{self, Call};
use crates::Metadata;

/// The measured programs: each has a `closure.txt` beside its manifest.
const MEASURED: [&str; 2] = ["enclave", "runner"];
const LICENCES: &str = "xtask/licences.txt";

/// One broken claim, and what to do about it.
#[derive(Debug)]
struct Finding {
    rule: &'static str,
    what: String,
    hint: String,
}

impl Finding {
    fn new(rule: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { rule, what: what.into(), hint: hint.into() }
    }
}

/// Runs every check and prints what it found.
///
/// # Errors
/// When something was found, or a fact couldn't be read.
pub(crate) fn run(bless: bool) -> Result<()> {
    let root = shell::root();
    let mut metadata =
        Metadata::parse(&Call::new("cargo metadata --format-version 1 --all-features").read()?)?;
    let compiled =
        Call::new("cargo tree --workspace --all-features --target all --prefix none").read()?;
    let mut findings = Vec::new();
    for program in MEASURED {
        // Their one target, so that the list is the same on every developer's machine.
        let tree = Call::new(&format!(
            "cargo tree --package {program} --edges normal --prefix none --target x86_64-unknown-linux-gnu",
        ))
        .read()?;
        let path = format!("crates/{program}/closure.txt");
        if bless {
            let closure = crates::closure(&tree);
            fs::write(root.join(&path), &closure).with_context(|| format!("writing {path}"))?;
            println!("{path}: {} crates", closure.lines().count());
        }
        let committed = fs::read_to_string(root.join(&path)).ok();
        findings.extend(crates::check_closure(program, &tree, committed.as_deref()));
    }
    let listing = Call::new("git ls-files -z --cached --others --exclude-standard").read()?;
    let files = tree::files(&root, &listing);
    let text = |path: &str| fs::read_to_string(root.join(path)).ok();

    findings.extend(crates::check_sources(&metadata));
    metadata.keep_compiled(&compiled);
    findings.extend(crates::check_graph(&metadata, text(crates::GRAPH_PAGE).as_deref()));
    findings.extend(crates::check_rooms(&metadata));
    let alone = |name: &str| {
        let words = "--all-features --edges normal --target all --prefix none";
        Call::new(&format!("cargo tree --package {name} {words}")).read()
    };
    findings.extend(crates::check_walls(&metadata, alone)?);
    findings.extend(crates::check_purity(&metadata, alone)?);
    findings.extend(tree::check_purity_line(&files));
    let rules = text(LICENCES).with_context(|| format!("reading {LICENCES}"))?;
    findings.extend(licences::check(&metadata, &rules, |path| fs::read(path).ok())?);
    findings.extend(tree::check_pins(|path| fs::read(root.join(path)).ok()));
    let sources = text(guests::SOURCES).unwrap_or_default();
    findings.extend(tree::check_hashes(&sources, |path| fs::read(root.join(path)).ok()));
    findings.extend(tree::check_sizes(&files));
    let mut functions = BTreeSet::new();
    for path in files.keys() {
        let source = source_of(&root, path).unwrap_or_default();
        functions.extend(tree::functions(path, &source).map(str::to_owned));
    }
    for path in files.keys() {
        let Some(source) = source_of(&root, path) else {
            continue;
        };
        findings.extend(tree::check_stage(path, &source));
        findings.extend(tree::check_unfinished(path, &source));
        findings.extend(tree::check_links(path, &source, &files, text));
        findings.extend(tree::check_citations(path, &source));
        findings.extend(tree::check_tests(path, &source, &functions));
    }
    report(&findings)
}

/// The text of a file that a check reads: what people write by hand.
fn source_of(root: &Path, path: &str) -> Option<String> {
    let written = [".rs", ".md", ".toml", ".sol", ".yaml", ".sh"];
    let is_read = written.iter().any(|extension| path.ends_with(extension));
    is_read.then(|| fs::read_to_string(root.join(path)).ok()).flatten()
}

fn report(findings: &[Finding]) -> Result<()> {
    for Finding { rule, what, hint } in findings {
        eprintln!("tidy({rule}): {what}\n  hint: {hint}");
    }
    match findings.len() {
        0 => println!("tidy: nothing to mend"),
        1 => bail!("tidy found 1 thing to mend"),
        n => bail!("tidy found {n} things to mend"),
    }
    Ok(())
}
