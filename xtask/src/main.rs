//! The project's chores. CI does nothing that a person can't do with one of these commands.
//!
//! - [`ci`]: the gate, step by step, with seconds;
//! - [`tidy`]: structural claims of the documents, executed;
//! - [`artifacts`]: generated Solidity and compiled contracts, rebuilt or compared;
//! - [`guests`]: workflow modules, rebuilt or compared;
//! - [`picture`]: what the first command prints, drawn or compared;
//! - [`conformance`]: judges that no one here wrote;
//! - [`fuzz`]: bytes that no one wrote.
#![allow(clippy::print_stdout, reason = "a command line tool reports on stdout")]
#![allow(clippy::print_stderr, reason = "and complains on stderr")]

mod artifacts;
mod ci;
mod conformance;
mod fuzz;
mod guests;
mod picture;
mod shell;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  ci [--quick | --full] [--skip-tests] [--only STEP,STEP]
                        the gate; --quick: fmt, tidy, clippy, tests; --full: fuzzing, the book
                        and a clean release build too
  tidy [--bless]        check crate graph, purity, sources, licences, enclave closure, stages, pins, files, links and
                        citations;
                        --bless rewrites crates/enclave/closure.txt
  artifacts [--check]   regenerate verifier and contract artifacts; --check: only compare with the committed ones
  guests [--check]      rebuild the workflow modules (WASM); --check: only compare with the committed ones
  picture [--check]     draw what `cargo run -- run` prints; --check: only compare with the committed picture
  fuzz [--only TARGET,TARGET] [--seconds N]
                        run every fuzz target for a minute; needs a C++ compiler
  fix                   what clippy and rustfmt can mend by themselves";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<ExitCode> {
    let (command, flags) = args.split_first().unwrap_or((&"help", &[]));
    match *command {
        "ci" => return gate(flags),
        "fuzz" => return look(flags),
        _ => {}
    }
    let known: &[&str] = match *command {
        "tidy" => &["--bless"],
        "artifacts" | "guests" | "picture" => &["--check"],
        "fix" => &[],
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        other => return Ok(misused(other)),
    };
    if let Some(unknown) = flags.iter().find(|flag| !known.contains(flag)) {
        return Ok(misused(unknown));
    }
    let has = |flag| flags.contains(&flag);
    match *command {
        "tidy" => tidy::run(has("--bless"))?,
        "artifacts" => artifacts::run(has("--check"))?,
        "guests" => guests::run(has("--check"))?,
        "picture" => picture::run(has("--check"))?,
        _fix => fix()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads what is asked of the gate. `--after FILE` is `.ci/run`'s: what it did itself, with its seconds.
fn gate(flags: &[&str]) -> Result<ExitCode> {
    let mut options =
        ci::Options { scope: ci::Scope::Default, skip_tests: false, only: None, after: None };
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match *flag {
            "--quick" if options.scope == ci::Scope::Default => options.scope = ci::Scope::Quick,
            "--full" if options.scope == ci::Scope::Default => options.scope = ci::Scope::Full,
            "--skip-tests" => options.skip_tests = true,
            "--only" => match flags.next() {
                Some(names) => options.only = Some(names.split(',').collect()),
                None => return Ok(misused("--only without names")),
            },
            "--after" => match flags.next() {
                Some(file) => options.after = Some(file),
                None => return Ok(misused("--after without a file")),
            },
            other => return Ok(misused(other)),
        }
    }
    ci::run(&options)
}

/// Reads for how long which targets look.
fn look(flags: &[&str]) -> Result<ExitCode> {
    let (mut only, mut seconds) = (None, fuzz::SECONDS);
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match (*flag, flags.next()) {
            ("--only", Some(names)) => only = Some(names.split(',').collect::<Vec<_>>()),
            ("--seconds", Some(number)) => match number.parse() {
                Ok(number) => seconds = number,
                Err(_) => return Ok(misused(number)),
            },
            (other, _) => return Ok(misused(other)),
        }
    }
    fuzz::run(only.as_deref(), seconds)?;
    Ok(ExitCode::SUCCESS)
}

fn misused(what: &str) -> ExitCode {
    eprintln!("error: don't know what to do with `{what}`\n\n{USAGE}");
    ExitCode::from(2)
}

/// Clippy first: what it rewrites still needs formatting.
fn fix() -> Result<()> {
    shell::Call::new(
        "cargo clippy --fix --allow-dirty --allow-staged --workspace --all-targets --all-features",
    )
    .run()?;
    shell::Call::new("cargo fmt --all").run()
}
