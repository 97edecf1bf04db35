//! The binary as people and scripts use it.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Two rounds at the seed's 0.5 %: a mission for tests.
const QUICK: [(&str, &str); 7] = [
    ("start = \"2023-03-10T15:55:00Z\"", "start = \"2023-03-10T16:30:00Z\""),
    ("ticks_after = 12", "ticks_after = 1"),
    ("ticks_max = 144", "ticks_max = 40"),
    ("funding = [\"8%\", \"12%\"]", "funding = [\"1%\", \"3%\"]"),
    ("effort_median = \"0.3%\"", "effort_median = \"0.05%\""),
    ("failure = [\"3%\", \"7%\"]", "failure = [\"0.1%\", \"0.5%\"]"),
    ("latency_minutes = 20", "latency_minutes = 2"),
];

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn quick(folder: &Path) -> String {
    let source = sim::shipped()["usdc-2023-03"].to_owned();
    let source = QUICK.iter().fold(source, |source, (from, to)| {
        assert!(source.contains(from), "{from}");
        source.replace(from, to)
    });
    let path = folder.join("quick.toml");
    std::fs::write(&path, source).unwrap();
    path.display().to_string()
}

fn cdpr(arguments: &[&str]) -> Output {
    // One cache for all tests of this crate: keys are derived once.
    Command::new(env!("CARGO_BIN_EXE_cdpr"))
        .args(arguments)
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

#[test]
fn a_killed_run_goes_on_and_ends_the_same_and_its_journal_verifies() {
    let folder = folder("killed");
    let scenario = quick(&folder);
    let undisturbed = cdpr(&["run", "--scenario", &scenario, "--json"]);
    assert_eq!(undisturbed.status.code(), Some(0), "{}", text(&undisturbed.stderr));
    let undisturbed = json(&undisturbed);
    for key in [
        "workflow",
        "scenario",
        "seed",
        "disclosure",
        "request",
        "recovered",
        "halted",
        "rounds",
        "ticks",
        "transactions",
        "proofs",
        "attestation",
        "public_view",
        "journal_hash",
    ] {
        assert!(undisturbed.get(key).is_some(), "{key}");
    }
    assert_eq!(undisturbed["request"]["status"], "FILLED");
    assert_eq!(undisturbed["recovered"], true);

    let transcript = cdpr(&["run", "--scenario", &scenario]);
    let widest = text(&transcript.stdout).lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}: {}", text(&transcript.stdout));

    let killed_at = |crash: &str| {
        let journal = folder.join(format!("{crash}.journal")).display().to_string();
        let arguments = ["run", "--scenario", &scenario, "--json", "--journal", &journal];
        let killed = cdpr(&[&arguments[..], &["--crash-at", crash]].concat());
        assert_eq!(killed.status.code(), None, "{crash}: killed by a signal");
        let resumed = cdpr(&arguments);
        assert_eq!(resumed.status.code(), Some(0), "{crash}: {}", text(&resumed.stderr));
        let resumed = json(&resumed);
        for key in ["journal_hash", "transactions", "public_view", "request"] {
            assert_eq!(resumed[key], undisturbed[key], "{crash}: {key}");
        }
        journal
    };
    // Each is two missions on one core.
    let journal = std::thread::scope(|scope| {
        let early = ["after-append:ticked", "after-append:ordered", "after-append:observed"];
        let early = scope.spawn(move || early.map(killed_at));
        let late = ["after-append:written", "after-append:cleared", "before-append:written"];
        let [.., journal] = late.map(killed_at);
        let _ = early.join().expect("it ends as the others");
        journal
    });

    // The journal is finished, so it is only read; chain and enclave are gone.
    let told = cdpr(&["run", "--scenario", &scenario, "--journal", &journal]);
    let told_at_once = cdpr(&["run", "--scenario", &scenario]);
    assert_eq!(
        text(&told.stdout),
        text(&told_at_once.stdout),
        "one story, whatever happened to it"
    );
    assert!(text(&told_at_once.stderr).contains("65,218 constraints here"));

    let verified = cdpr(&["verify", "journal", &journal, "--reveal", "1"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
    let words = text(&verified.stdout);
    assert!(words.contains(undisturbed["journal_hash"].as_str().unwrap()), "{words}");
    assert!(words.contains("Not rechecked"), "{words}");
    assert_eq!(cdpr(&["verify", "journal", &journal, "--reveal", "2"]).status.code(), Some(2));

    let mut bytes = std::fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let tampered = cdpr(&["verify", "journal", &journal]);
    assert_eq!(tampered.status.code(), Some(2));
    assert!(text(&tampered.stderr).contains("damaged: record"), "{}", text(&tampered.stderr));
    bytes.truncate(middle);
    std::fs::write(&journal, &bytes).unwrap();
    let torn = cdpr(&["verify", "journal", &journal]);
    assert!(text(&torn.stderr).contains("torn tail: record"), "{}", text(&torn.stderr));
}

#[test]
fn bad_input_is_named_and_nothing_starts() {
    let folder = folder("bad");
    let check = |from: &str, to: &str, wants: &[&str]| {
        let source = recovery::SEED.replacen(from, to, 1);
        assert_ne!(source, recovery::SEED, "{from}");
        let path = folder.join("w.yaml").display().to_string();
        std::fs::write(&path, source).unwrap();
        let journal = folder.join("never.journal");
        let output = cdpr(&["run", &path, "--journal", &journal.display().to_string()]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(output.stdout.is_empty() && !journal.exists(), "nothing started");
        for want in wants {
            assert!(error.contains(want), "expected {want:?} in: {error}");
        }
        assert!(error.contains("w.yaml:") && error.contains("hint:"), "{error}");
    };
    check("type: wait", "type: waits", &["waits", "monitor-fill"]);
    check("threshold: 1.02", "threshold: 0", &["threshold", "check-reserves"]);
    check("premium: \"0.5%\"", "premium: \"9.5%\"", &["premium", "create-request", "8%"]);
    check("timeout: \"1h\"", "timeout: \"0h\"", &["timeout", "create-request"]);
    check("*/5 * * * *", "0 0 30 2 *", &["schedule"]);
    check(
        "CRE_COLLATERAL_DARKPOOL",
        "CRE_COLLATERAL_DARKPOL",
        &["pool", "CRE_COLLATERAL_DARKPOOL"],
    );
    check("id: settle", "id: monitor-fill", &["monitor-fill"]);
    check("check-reserves.deficit", "verify-recovery.deficit", &["amount_encrypted"]);
    check("workflow:", "workflow: [", &[]);

    let missing = cdpr(&["run", "--scenario", "no-such-file.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("no-such-file.toml"));
    assert_eq!(cdpr(&["run", "--disclosure", "half"]).status.code(), Some(2));
    assert_eq!(cdpr(&["verify", "journal", "no-such.journal"]).status.code(), Some(2));
}

#[test]
fn an_address_that_cannot_be_used_is_refused_before_anything_is_written() {
    let folder = folder("workers");
    let out = folder.join("out").display().to_string();
    let example = |name: &str| format!("{}/../../examples/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let check = |arguments: &[&str], wants: &[&str]| {
        let output = cdpr(&[&["simulate"], arguments].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(!Path::new(&out).exists(), "something was written");
        for want in wants {
            assert!(error.contains(want), "expected {want:?} in: {error}");
        }
    };
    let (signals, bench) = (example("signals"), example("bench-1"));
    let study = ["--spec", &signals, "--out", &out, "--workers"];
    let bad = "\"localhost\" is not the address of a cluster";
    check(&[&study[..], &["localhost"]].concat(), &[bad, "temporal://HOST:PORT", "does not start"]);
    check(&["worker", "--workers", "localhost"], &[bad]);
    let good = "temporal://localhost:7233";
    check(&["--spec", &bench, "--out", &out, "--workers", good], &["a benchmark", "hint: leave"]);
    #[cfg(not(feature = "temporal"))]
    check(&[&study[..], &[good]].concat(), &["cannot reach", "hint: build", "--features temporal"]);
    #[cfg(not(feature = "temporal"))]
    check(&["worker", "--workers", good], &["hint: build", "--features temporal"]);
}

/// A bit in the middle of a file, or the file itself: what a killed run left is not gone on with in silence.
#[test]
fn a_file_that_changed_under_a_killed_run_is_named_with_the_byte() {
    let folder = folder("changed");
    let scenario = quick(&folder);
    let journal = folder.join("run.journal").display().to_string();
    let arguments = ["run", "--scenario", &scenario, "--journal", &journal];
    let killed = cdpr(&[&arguments[..], &["--crash-at", "after-append:cleared"]].concat());
    assert_eq!(killed.status.code(), None);
    let files = ["", ".chain", ".enclave"].map(|name| format!("{journal}{name}"));
    let refused = |file: &str, want: &str| {
        let before = files.each_ref().map(|file| std::fs::read(file).ok());
        let resumed = cdpr(&arguments);
        let error = text(&resumed.stderr);
        assert_eq!(resumed.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("{file} {want}")) && error.contains("hint:"), "{error}");
        let after = files.each_ref().map(|file| std::fs::read(file).unwrap_or_default());
        assert!(after == before.map(Option::unwrap_or_default), "nothing was changed");
    };
    for file in &files {
        let whole = std::fs::read(file).unwrap();
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        std::fs::write(file, &changed).unwrap();
        refused(file, "is damaged at byte ");
        std::fs::remove_file(file).unwrap();
        refused(file, "ends at byte 0, before ");
        std::fs::write(file, &whole).unwrap();
    }
    assert_eq!(cdpr(&arguments).status.code(), Some(0));
}

#[test]
fn another_runs_journal_is_not_continued() {
    let folder = folder("other");
    let scenario = quick(&folder);
    let journal = folder.join("run.journal").display().to_string();
    let killed = cdpr(&[
        "run",
        "--scenario",
        &scenario,
        "--journal",
        &journal,
        "--crash-at",
        "after-append:ticked",
    ]);
    assert_eq!(killed.status.code(), None);
    let other = cdpr(&["run", "--scenario", &scenario, "--journal", &journal, "--seed", "2"]);
    assert_eq!(other.status.code(), Some(2));
    let error = text(&other.stderr);
    assert!(error.contains("run.journal is of another run") && error.contains("hint:"), "{error}");

    // A seal of another run beside it.
    let second = folder.join("second.journal").display().to_string();
    let kill = ["run", "--scenario", &scenario, "--crash-at", "after-append:ticked", "--journal"];
    let killed = cdpr(&[&kill[..], &[&second, "--seed", "2"]].concat());
    assert_eq!(killed.status.code(), None);
    std::fs::copy(format!("{second}.enclave"), format!("{journal}.enclave")).unwrap();
    let sealed = cdpr(&["run", "--scenario", &scenario, "--journal", &journal]);
    let error = text(&sealed.stderr);
    assert_eq!(sealed.status.code(), Some(2), "{error}");
    assert!(error.contains(".enclave is of another run") && error.contains("hint:"), "{error}");
}

#[test]
fn the_seeds_workflow_is_what_runs_by_default() {
    let source =
        std::fs::read_to_string("../../workflows/confidential-recovery-darkpool.yaml").unwrap();
    assert_eq!(source, recovery::SEED);
}

#[test]
fn a_study_is_put_on_the_stack_and_refused_with_a_way_out() {
    let folder = folder("stack");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let spec = |name: &str| examples.join(name).display().to_string();
    let (stack, signals) = (spec("stack.toml"), spec("signals.toml"));
    let out = folder.join("out").display().to_string();

    let dry = cdpr(&["simulate", "--spec", &stack, "--level", "stack", "--runs", "6", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    let said = text(&dry.stdout);
    assert!(said.contains("= 12 runs") && said.contains("on the stack"), "{said}");

    let refused = |arguments: &[&str]| {
        let output = cdpr(arguments);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    let many = refused(&["simulate", "--spec", &stack, "--level", "stack", "--out", &out]);
    assert!(
        many.contains("key \"study.level\": 2,000 runs on the stack, limit 1,000: about"),
        "{many}"
    );
    assert!(many.contains("--runs N"), "{many}");
    let model = refused(&[
        "simulate", "--spec", &signals, "--level", "stack", "--runs", "3", "--out", &out,
    ]);
    assert!(model.contains("key \"") && model.contains("hint: "), "{model}");
    assert!(!Path::new(&out).exists(), "nothing is written");

    // One mission, with the model's columns.
    let quick = std::fs::read_to_string(&stack).unwrap();
    let (before, from) = quick.split_at(quick.rfind("[[policy]]").unwrap());
    assert!(from.contains("sealed"));
    let quick = before
        .replace("horizon = \"3 h\"", "horizon = \"95 min\"")
        .replace("at = \"1 h\"", "at = \"5 min\"");
    let path = folder.join("one.toml");
    std::fs::write(&path, quick.replace("window = \"2 h\"", "window = \"1 h\"")).unwrap();
    let path = path.display().to_string();
    let run = cdpr(&[
        "simulate", "--spec", &path, "--level", "stack", "--runs", "1", "--jobs", "1", "--out",
        &out, "--json",
    ]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert_eq!(json(&run)["card"]["level"], "stack");
    assert_eq!(json(&run)["conclusion"], "", "the author's was drawn from other runs");
    let csv = std::fs::read_to_string(Path::new(&out).join("results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.lines().next().unwrap().contains("seen_calldata_bytes"));
}
