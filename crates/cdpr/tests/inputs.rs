//! What strangers give the binary, and what they do with its streams.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inputs").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn command(arguments: &[&str], within: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdpr"));
    command.args(arguments).current_dir(within);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command
}

fn cdpr(arguments: &[&str], within: &Path) -> Output {
    command(arguments, within).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Names in a folder, ascending.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const SPEC: &str = r#"[study]
name = "tiny"
replications = 20
seed = 0x10

[scenario]
horizon = "24 h"
[scenario.holders]
count = 1000

[[policy]]
name = "clock"
mechanism = { kind = "cdpr-clock" }

[[policy]]
name = "halt"
mechanism = { kind = "halt" }
"#;

/// A folder with a spec.
fn study(name: &str) -> PathBuf {
    let folder = folder(name);
    fs::write(folder.join("s.toml"), SPEC).unwrap();
    folder
}

/// Refused as bad input, in these words.
fn refused(arguments: &[&str], within: &Path, wants: &[&str]) {
    let output = cdpr(arguments, within);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for want in wants {
        assert!(error.contains(want), "{arguments:?}: expected {want:?} in: {error}");
    }
}

#[test]
fn a_folder_of_somebody_elses_is_refused_and_left_as_it_is() {
    let within = study("foreign");
    for (name, file, content) in [
        ("thesis", "chunks/thesis.txt", "years of work"),
        ("table", "results.csv", "date,price\n"),
        ("home", "letters.txt", "dear"),
    ] {
        let file = within.join(name).join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        refused(
            &["simulate", "s.toml", "--out", name],
            &within,
            &["is not this program's", "hint:"],
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
    for out in ["/etc/passwd", "s.toml", "/proc/none", "s.toml/below"] {
        refused(&["simulate", "s.toml", "--out", out], &within, &[out, "hint:"]);
        refused(&["simulate", "s.toml", "--chunks", out, "--out", "new"], &within, &[out]);
        refused(&["simulate", "chunk", "s.toml", "--index", "0", "--out", out], &within, &[out]);
    }
    fs::write(within.join("00000000.chunk"), "mine").unwrap();
    refused(
        &["simulate", "chunk", "s.toml", "--index", "0", "--out", "."],
        &within,
        &["not this program's"],
    );
    assert_eq!(fs::read_to_string(within.join("00000000.chunk")).unwrap(), "mine");
    assert!(!within.join("new").exists(), "a refused study leaves nothing");
}

#[test]
fn a_study_leaves_its_files_and_nothing_else() {
    let within = study("leaves");
    let output = cdpr(&["simulate", "s.toml", "--out", "out"], &within);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let left = [".cdpr", "results.csv", "results.parquet", "run-card.json", "summary.json"];
    assert_eq!(names(&within.join("out")), left);

    let again = cdpr(&["simulate", "--spec", "s.toml", "--out", "out", "--json"], &within);
    assert_eq!(again.status.code(), Some(0));
    let card: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(card["card"]["seed"], 16, "a hexadecimal seed");

    fs::write(within.join("mine.html"), "<p>mine</p>").unwrap();
    refused(
        &["report", "out", "--out", "mine.html"],
        &within,
        &["mine.html", "not by this program"],
    );
    assert_eq!(fs::read_to_string(within.join("mine.html")).unwrap(), "<p>mine</p>");
    for _ in 0..2 {
        for format in ["html", "svg"] {
            let output = cdpr(&["report", "out", "--format", format], &within);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        }
        let output = cdpr(&["report", "out", "--format", "json", "--out", "r.json"], &within);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    let page = cdpr(&["report", "out", "--out", "-"], &within);
    assert_eq!(text(&page.stdout), fs::read_to_string(within.join("out/report.html")).unwrap());
    refused(&["report", "out", "--format", "svg", "--out", "-"], &within, &["hint: give a folder"]);
    refused(&["report", "nowhere"], &within, &["nowhere", "hint:"]);
    fs::write(within.join("out/summary.json"), "{}").unwrap();
    refused(&["report", "out"], &within, &["no finished study", "line 1 column 2"]);
}

#[test]
fn a_journal_that_is_refused_leaves_nothing_beside_it() {
    let within = folder("journal");
    fs::write(within.join("thesis"), "years of work").unwrap();
    fs::write(within.join("run.enclave"), "mine").unwrap();
    fs::write(within.join("walk.chain"), "mine").unwrap();
    for journal in ["/dev/null", "/etc/passwd", ".", "no/such/folder/run", "thesis", "run", "walk"]
    {
        refused(&["run", "--journal", journal], &within, &["hint:"]);
    }
    assert_eq!(names(&within), ["run.enclave", "thesis", "walk.chain"]);
    assert_eq!(fs::read_to_string(within.join("run.enclave")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(within.join("walk.chain")).unwrap(), "mine");
}

#[test]
fn every_number_has_two_ends_and_both_are_told() {
    let within = study("counts");
    let file = |from: &str, to: &str| {
        let path = format!("{}.toml", to.len());
        fs::write(within.join(&path), SPEC.replace(from, to)).unwrap();
        path
    };
    let jobs = ["simulate", "s.toml", "--dry-run", "--jobs"];
    for bad in ["0", "100000", "18446744073709551616"] {
        refused(&[&jobs[..], &[bad]].concat(), &within, &["--jobs", "is outside 1 to "]);
    }
    let rows: [(&[&str], &str); 12] = [
        (&["simulate", "s.toml", "--runs", "0"], "outside 1 to 100,000,000"),
        (&["simulate", "s.toml", "--runs", "1e9"], "not a whole number from 1 to 100,000,000"),
        (&["simulate", "chunk", "s.toml", "--out", "c", "--index", "x"], "whole number from 0 to"),
        (&["simulate", "chunk", "s.toml", "--out", "c", "--index", "7"], "hint: 0 to 0"),
        (&["simulate", "worker", "--workers", "temporal://h:1", "--jobs", "0"], "outside 1 to "),
        (&["run", "--seed", "18446744073709551616"], "outside 0 to 18,446,744,073,709,551,615"),
        (&["verify", "journal", "j", "--reveal", "x"], "from 0 to 18,446,744,073,709,551,615"),
        (&["workflow", "simulate", ".", "--nodes", "32"], "outside 4 to 31"),
        (&["workflow", "simulate", ".", "--faults", "0"], "outside 1 to 10"),
        (&["workflow", "simulate", ".", "--trigger-index", "65536"], "outside 0 to 65,535"),
        (&["workflow", "simulate", ".", "--evm-event-index", "65536"], "outside 0 to 65,535"),
        (&["workflow", "run", ".", "--count", "0"], "outside 1 to 1,000,000,000"),
    ];
    for (arguments, want) in rows {
        refused(arguments, &within, &[want]);
    }
    for (from, to, want) in [
        (
            "replications = 20",
            "replications = 0",
            ":3:1: key \"study.replications\": 0 is outside 1 to 100,000,000",
        ),
        (
            "seed = 0x10",
            "seed = -1",
            ":4:1: key \"study.seed\": -1 is outside 0 to 9,223,372,036,854,775,807",
        ),
        (
            "count = 1000",
            "count = 2000000",
            ":9:1: key \"scenario.holders.count\": holders.count is 2000000, outside 1 to 1000000",
        ),
        (
            "horizon = \"24 h\"",
            "step = \"0 s\"",
            ":7:1: key \"scenario.step\": step is \"0 s\", outside 1 to 3600",
        ),
        (
            "[scenario]\n",
            "[paths]\nreplications = 10001\n[scenario]\n",
            ":7:1: key \"paths.replications\": 10001 is outside 1 to 10,000",
        ),
    ] {
        let path = file(from, to);
        refused(&["simulate", &path, "--out", "o"], &within, &[want]);
    }
    let sweep = format!("{SPEC}[sweep]\n\"makers.invited\" = [{}]\n", "6, 7, ".repeat(30_000));
    fs::write(within.join("wide.toml"), sweep.replace("= 20", "= 100000000")).unwrap();
    refused(
        &["simulate", "wide.toml"],
        &within,
        &["12,000,000,000,000 runs", "limit 1,000,000,000,000"],
    );
    fs::write(within.join("long.toml"), "#".repeat(2 << 20)).unwrap();
    refused(&["simulate", "long.toml"], &within, &["larger than 1 MiB"]);
    assert!(!within.join("o").exists() && !within.join("runs").exists());
}

#[test]
fn a_slip_in_a_spec_is_pointed_at_and_a_name_is_met_with_the_known_ones() {
    let within = study("slips");
    for (from, to, wants) in [
        (
            "replications",
            "replicatons",
            &["bad.toml:3:1: key \"study.replicatons\"", "did you mean"][..],
        ),
        ("count = 1000", "cuont = 1000", &["bad.toml:9:1: key \"scenario.holders.cuont\""]),
        (
            "count = 1000",
            "calm = 3",
            &["bad.toml:9:1: key \"scenario.holders.calm\": 3 has no unit"],
        ),
        (
            "\"cdpr-clock\"",
            "\"cdpr-clok\"",
            &["bad.toml:13:15: key \"policy.clock.mechanism.kind\"", "did you mean"],
        ),
        (
            "\"cdpr-clock\"",
            "\"cdpr-clock\", slope = 1",
            &["bad.toml:13:36: key \"policy.clock.mechanism.slope\""],
        ),
        (
            "{ kind = \"halt\" }",
            "{ kind = \"halt\" }\ndisclosure = \"loud\"",
            &["bad.toml:18:1: key \"policy.halt.disclosure\"", "none, flag, range, public"],
        ),
        (
            "[[policy]]\nname = \"halt\"",
            "[[policy]]\nnam = \"halt\"",
            &["bad.toml:15:1: key \"policy[1].name\": missing"],
        ),
        ("[[policy]]", "[[policy]", &["bad.toml:11:10: not TOML: ", "hint: write key = value"]),
        ("seed = 0x10", "seed = 0x", &["bad.toml:4:", "not TOML: ", "hint: "]),
    ] {
        fs::write(within.join("bad.toml"), SPEC.replacen(from, to, 1)).unwrap();
        refused(&["simulate", "bad.toml"], &within, wants);
    }
    fs::write(within.join("latin.toml"), b"[study]\nname = \"\xe9\"\n").unwrap();
    refused(&["simulate", "latin.toml"], &within, &["not UTF-8 in line 2"]);
    refused(
        &["run", "--scenario", "usdc-2023"],
        &within,
        &[
            "no scenario \"usdc-2023\"",
            "did you mean \"usdc-2023-03\"?",
            "healthy, thin-panel, usdc-2023-03",
        ],
    );
    refused(&["simulate", "--explain", "no-such-key"], &within, &["hint:"]);
    refused(&["man", "simulte"], &within, &["\"simulte\"", "did you mean \"simulate\"?", "verify"]);
    refused(&["man", "simulate", "wrker"], &within, &["did you mean \"worker\"?"]);
}

#[test]
fn a_measured_series_is_read_in_toml_dates_and_refused_with_line_and_column() {
    let within = study("series");
    let spec = |fill: &str| {
        let data = format!(
            "[data]\npath = \"p.csv\"\ntime = \"hour\"\nprice = \"vwap\"\nstep = \"1 h\"\nshock_at = 2023-03-10T17:00:00Z\n{fill}\n"
        );
        fs::write(within.join("d.toml"), format!("{SPEC}{data}")).unwrap();
    };
    spec("");
    let rows =
        "hour,vwap\n2023-03-10T16:00:00Z,1\n2023-03-10T17:00:00Z,0.99\n2023-03-10T19:00:00Z,0.97\n";
    fs::write(within.join("p.csv"), rows).unwrap();
    let dry = ["simulate", "d.toml", "--dry-run"];
    refused(
        &dry,
        &within,
        &["d.toml:18:2: key \"data\": p.csv, line 4: 1 row is missing", "data.fill"],
    );
    fs::write(within.join("p.csv"), rows.replace("0.97", "1,234.5")).unwrap();
    refused(&dry, &within, &["p.csv, line 4: 3 columns, and the first line has 2"]);
    fs::write(within.join("p.csv"), rows).unwrap();
    spec("fill = \"linea\"");
    refused(&dry, &within, &["key \"data.fill\"", "did you mean \"linear\"?"]);
    spec("fill = \"linear\"");
    assert_eq!(cdpr(&dry, &within).status.code(), Some(0));
}

#[test]
fn a_dry_run_in_json_writes_nothing() {
    let within = study("dry");
    let output = cdpr(&["simulate", "s.toml", "--dry-run", "--json", "--runs", "300"], &within);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let dry: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&dry["runs_at_most"], &dry["chunks"]), (&600.into(), &3.into()), "{dry}");
    assert!(dry["seconds_estimated"].is_number());
    assert_eq!(names(&within), ["s.toml"]);
}

/// Every command that answers without hard work.
const ANSWERS: [&[&str]; 11] = [
    &["--help"],
    &["--version"],
    &["simulate", "--help"],
    &["simulate", "--explain"],
    &["simulate", "s.toml", "--dry-run"],
    &["simulate", "s.toml", "--out", "out"],
    &["report", "out", "--out", "-"],
    &["report", "out", "--format", "svg"],
    &["workflow", "limits"],
    &["completions", "bash"],
    &["man"],
];

/// Those that take a mission, of `quick.toml` and its journal.
const LONG_ANSWERS: [&[&str]; 5] = [
    &["run", "--scenario", "quick.toml", "--journal", "j"],
    &["run", "--scenario", "quick.toml", "--json"],
    &["verify", "journal", "j"],
    &["verify", "attestation", DOCUMENT, "--at", "2025-01-06T16:07:05Z"],
    &["workflow", "simulate", RECOVERY],
];

/// A scenario in which nothing happens, soon over.
fn quick(within: &Path) {
    let source = sim::shipped()["healthy"];
    assert!(source.contains("ticks_max = 24"));
    fs::write(within.join("quick.toml"), source.replace("ticks_max = 24", "ticks_max = 3"))
        .unwrap();
}

#[test]
fn a_reader_that_leaves_early_ends_it_quietly() {
    let within = study("pipe");
    quick(&within);
    for arguments in ANSWERS.iter().chain(&LONG_ANSWERS) {
        let mut child = command(arguments, &within)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let status = child.wait().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(0), "{arguments:?}: {said}");
        // What long work says of itself every few seconds is no complaint.
        let is_told = |line: &&str| line.ends_with("second") || line.ends_with("minute");
        let complaints = said.lines().map(|line| line.trim_end_matches('s'));
        let complaints = complaints.filter(|line| !is_told(line));
        assert_eq!(complaints.count(), 0, "{arguments:?}: {said}");
    }
}

#[test]
fn a_full_device_is_told_in_words_and_stderr_may_be_one() {
    let within = study("full");
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    quick(&within);
    for arguments in ANSWERS.iter().chain(&LONG_ANSWERS) {
        let output = command(arguments, &within).stdout(full()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("standard output cannot be written"), "{arguments:?}: {said}");
        assert!(said.contains("No space left on device"), "{arguments:?}: {said}");
    }
    let refused = command(&["simulate", "none.toml"], &within).stderr(full()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let output = cdpr(&["report", "out", "--out", "/dev/full"], &within);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("No space left on device"));
}

#[test]
fn help_wraps_to_the_width_and_colour_follows_the_conventions() {
    let within = folder("width");
    for (columns, most) in [("60", 60), ("250", 100)] {
        for arguments in
            [&["simulate", "--help"][..], &["run", "--help"], &["workflow", "simulate", "--help"]]
        {
            let output = command(arguments, &within).env("COLUMNS", columns).output().unwrap();
            let widest = text(&output.stdout).lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(most), "{arguments:?}: {widest:?} of {most}");
        }
    }
    let coloured = |variables: &[(&str, &str)]| {
        let output =
            command(&["--help"], &within).envs(variables.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&[]), "a pipe has no colour");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")]), "an empty NO_COLOR is not set");
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn versions_completions_and_manual_pages_are_there() {
    let within = folder("manual");
    let version = text(&cdpr(&["--version"], &within).stdout);
    assert!(
        version.starts_with(&format!("cdpr {} (commit ", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    assert!(version.contains("features: "), "{version}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&cdpr(&["completions", shell], &within).stdout);
        assert!(script.contains("simulate") && script.contains("dry-run"), "{shell}");
    }
    let page = text(&cdpr(&["man", "simulate", "chunk"], &within).stdout);
    assert!(page.contains(".TH cdpr-simulate-chunk 1") && page.contains("SPEC.toml"), "{page}");
    for _ in 0..2 {
        let written = cdpr(&["man", "--out", "pages"], &within);
        assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    }
    let pages = names(&within.join("pages"));
    for name in ["cdpr.1", "cdpr-run.1", "cdpr-simulate-worker.1", "cdpr-workflow-limits-export.1"]
    {
        assert!(pages.contains(&name.to_owned()), "{pages:?}");
    }
    fs::write(within.join("pages/cdpr.1"), "mine").unwrap();
    refused(&["man", "--out", "pages"], &within, &["not by this program"]);
}

/// What has no end would be read for ever, or until there is no memory.
#[test]
fn what_is_no_regular_file_or_too_long_is_refused_by_every_reader() {
    let within = study("endless");
    let made = Command::new("mkfifo").arg(within.join("pipe")).status().unwrap();
    assert!(made.success());
    let output = cdpr(&["simulate", "s.toml", "--out", "out"], &within);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    fs::File::create(within.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    let readers: [&[&str]; 14] = [
        &["run", "FILE"],
        &["run", "--scenario", "FILE"],
        &["run", "--deployment", "FILE"],
        &["run", "--journal", "FILE"],
        &["verify", "journal", "FILE"],
        &["verify", "attestation", "FILE"],
        &["simulate", "FILE"],
        &["simulate", "FILE", "--dry-run"],
        &["simulate", "chunk", "FILE", "--index", "0", "--out", "c"],
        &["workflow", "simulate", "FILE"],
        &["workflow", "simulate", RECOVERY, "--wasm", "FILE"],
        &["workflow", "simulate", RECOVERY, "--config", "FILE"],
        &["workflow", "simulate", RECOVERY, "--limits", "FILE"],
        &["workflow", "simulate", RECOVERY, "--scenario", "FILE"],
    ];
    for reader in readers {
        for file in ["pipe", "/dev/zero", "sparse"] {
            let arguments: Vec<&str> =
                reader.iter().map(|word| if *word == "FILE" { file } else { *word }).collect();
            let want = match (file, reader.contains(&"--journal")) {
                ("sparse", false) => "larger than ",
                ("sparse", true) => "there already, and not by a run",
                (_, false) => "not a regular file",
                (_, true) => "not a file in which a run could be kept",
            };
            refused(&arguments, &within, &[want, "hint:"]);
        }
    }
    // Files that a command looks for itself.
    let workflow = within.join("p/w");
    fs::create_dir_all(&workflow).unwrap();
    let project = within.join("p/project.yaml");
    let settings = "s: { user-workflow: { workflow-name: w }, workflow-artifacts: { workflow-path: x.wasm, secrets-path: s.yaml } }\n";
    for file in ["pipe", "sparse"] {
        fs::write(&project, "s: {}\n").unwrap();
        fs::write(workflow.join("workflow.yaml"), settings).unwrap();
        for (place, arguments, want) in [
            ("out/summary.json", &["report", "out"][..], "holds no finished study"),
            (
                "out/run-card.json",
                &["simulate", "s.toml", "--out", "out"],
                "results of another study",
            ),
            ("p/w/s.yaml", &["workflow", "simulate", "p/w"], "s.yaml: "),
            ("p/.env", &["workflow", "simulate", "p/w"], ".env: "),
            ("p/project.yaml", &["workflow", "simulate", "p/w"], "project.yaml: "),
            ("p/w/workflow.yaml", &["workflow", "simulate", "p/w"], "workflow.yaml: "),
        ] {
            let path = within.join(place);
            let was = fs::read(&path).ok();
            let _ = fs::remove_file(&path);
            std::os::unix::fs::symlink(within.join(file), &path).unwrap();
            refused(arguments, &within, &[want, "hint:"]);
            fs::remove_file(&path).unwrap();
            was.into_iter().for_each(|was| fs::write(&path, was).unwrap());
        }
        let chunks = within.join(format!("chunks-{file}"));
        fs::create_dir_all(&chunks).unwrap();
        fs::write(chunks.join(".cdpr"), "").unwrap();
        std::os::unix::fs::symlink(within.join(file), chunks.join("00000000.chunk")).unwrap();
        let merge = ["simulate", "s.toml", "--out", "merged", "--chunks", chunks.to_str().unwrap()];
        refused(
            &merge,
            &within,
            &[
                "00000000.chunk is damaged at byte 0: it is no regular file",
                "hint: remove the file",
            ],
        );
    }
}

/// The nearest name that is there, and the folder that is not.
#[test]
fn what_is_not_there_is_met_with_what_is() {
    let within = study("near");
    fs::create_dir(within.join("signals")).unwrap();
    for (arguments, wants) in [
        (&["simulate", "S.toml"][..], &["did you mean \"s.toml\"?"][..]),
        (&["simulate", "no/s.toml"], &["there is no folder no"]),
        (&["run", "w.yml"], &["w.yml: No such file"]),
        (&["run", "--scenario", "s.tml"], &["did you mean \"s.toml\"?"]),
        (&["verify", "journal", "s.tom"], &["did you mean \"s.toml\"?"]),
        (&["report", "signal"], &["did you mean \"signals\"?"]),
        (&["workflow", "simulate", "signal"], &["did you mean \"signals\"?"]),
        (&["man", "--out", "/etc/passwd"], &["/etc/passwd", "a file is where a folder has to be"]),
        (&["man", "--out", "s.toml/x"], &["a file is where a folder has to be"]),
        (&["workflow", "limits", "export", "new/l.json"], &["new/l.json", "make its folder first"]),
    ] {
        refused(arguments, &within, &[wants, &["hint:"]].concat());
    }
    let output = cdpr(&["simulate", "s.toml", "--out", "out"], &within);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = ["report", "out", "--out", "new/r.html"];
    refused(&page, &within, &["new/r.html", "hint: make its folder first"]);
    let svg = ["report", "out", "--format", "svg", "--out", "s.toml"];
    refused(&svg, &within, &["s.toml", "hint: a file is where a folder has to be"]);
    assert!(!within.join("new").exists());
}

/// As under `ulimit -f`, or on a full disk: whoever writes says so, with what to do, and leaves nothing half written.
#[test]
fn every_writer_that_finds_no_room_says_so_and_leaves_nothing_half_written() {
    let within = study("no-room");
    let output = cdpr(&["simulate", "s.toml", "--out", "done"], &within);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let before = names(&within);
    let writers: [&[&str]; 10] = [
        &["simulate", "s.toml", "--out", "new"],
        &["simulate", "s.toml", "--out", "new", "--chunks", "chunks"],
        &["simulate", "chunk", "s.toml", "--index", "0", "--out", "new"],
        &["report", "done"],
        &["report", "done", "--out", "r.html"],
        &["report", "done", "--format", "json", "--out", "r.json"],
        &["report", "done", "--format", "svg", "--out", "new"],
        &["man", "--out", "new"],
        &["workflow", "init", "new"],
        &["workflow", "limits", "export", "l.json"],
    ];
    for writer in writers {
        // One block of a shell's is 512 bytes, and a signal that is ignored stays so.
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_cdpr")]).args(writer);
        let output = shell.current_dir(&within).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{writer:?}: {said}");
        assert!(said.contains("hint: make room"), "{writer:?}: {said}");
        for made in names(&within).iter().filter(|name| !before.contains(name)) {
            // Small files that were whole before it was full, of those that write several.
            let mut left = Vec::new();
            find(&within.join(made), &mut left);
            let is_whole = |path: &String| path.ends_with(".cdpr") || path.ends_with(".1");
            assert!(left.iter().all(is_whole), "{writer:?} left {left:?}");
            fs::remove_dir_all(within.join(made)).unwrap();
        }
    }
    let mut left = Vec::new();
    find(&within.join("done"), &mut left);
    assert!(!left.iter().any(|path| path.contains("report") || path.contains(".cdpr-part")));
}

/// Every file below a folder.
fn find(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, found);
        } else {
            found.push(path.display().to_string());
        }
    }
}

/// A hint that contradicts its error sends people the wrong way.
#[test]
fn what_is_no_journal_is_told_as_such_and_not_as_a_damaged_one() {
    let within = folder("no-journal");
    fs::write(within.join("empty"), "").unwrap();
    fs::write(within.join("half"), "CDPRJ").unwrap();
    for (file, want, not) in [
        ("/etc/passwd", "is it a journal?", "intact"),
        ("empty", "it is empty: no run has written to it", "torn tail"),
        ("half", "its writer was interrupted", "is it a journal?"),
        ("none", "No such file", "intact"),
        (".", "Is a directory", "intact"),
    ] {
        let output = cdpr(&["verify", "journal", file], &within);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(want) && error.contains("hint:"), "{error}");
        assert!(!error.contains(not), "{file}: {error}");
    }
}

const DOCUMENT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../attestation/tests/vectors/aws-eu-central-1.cose");

#[test]
fn an_attestation_document_is_explained_check_by_check() {
    let within = folder("attestation");
    let document = fs::read(DOCUMENT).unwrap();
    fs::write(within.join("tagged"), [&[0xd2], &document[..]].concat()).unwrap();
    fs::write(within.join("cut"), &document[..1_000]).unwrap();
    let then = "2025-01-06T16:07:05Z";
    for (file, is_tagged) in [(DOCUMENT, false), ("tagged", true)] {
        let output = cdpr(&["verify", "attestation", file, "--at", then], &within);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
        assert!(said.contains("under AWS's root") && said.contains("PCR0"), "{said}");
        assert_eq!(said.matches(" holds ").count(), 13, "{said}");
        assert_eq!(said.contains("tag 18"), is_tagged, "{said}");
    }
    let later = cdpr(&["verify", "attestation", DOCUMENT, "--json"], &within);
    let error = text(&later.stderr);
    assert_eq!(later.status.code(), Some(2), "{error}");
    assert!(error.contains("check 7 fails"), "{error}");
    assert!(error.contains(&format!("hint: when it was signed it held: --at {then}")), "{error}");
    let said: Value = serde_json::from_slice(&later.stdout).unwrap();
    assert_eq!((&said["holds"], &said["trust"]), (&false.into(), &"hardware".into()));
    assert_eq!(said["checks"].as_array().map(Vec::len), Some(17));
    for (arguments, want) in [
        (&["cut", "--at", then][..], "check 1 fails"),
        (&["/etc/passwd"], "check 1 fails"),
        (&["/dev/zero"], "not a regular file"),
        (&["none"], "No such file"),
        (&[DOCUMENT, "--at", "noon"], "it is neither an instant such as"),
        (&[DOCUMENT, "--pcr0", "0a"], "it has 2 hexadecimal digits, not 96"),
    ] {
        let output = cdpr(&[&["verify", "attestation"], arguments].concat(), &within);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(want), "{error}");
    }
    let other = "0a".repeat(48);
    let output =
        cdpr(&["verify", "attestation", DOCUMENT, "--at", then, "--pcr0", &other], &within);
    assert!(text(&output.stderr).contains("check 15 fails"), "{}", text(&output.stderr));
}

/// A shipped scenario with one thing changed.
fn scenario(within: &Path, from: &str, to: &str) -> String {
    let source = sim::shipped()["usdc-2023-03"].replacen(from, to, 1);
    assert!(source.contains(to), "{from}");
    fs::write(within.join("w.toml"), source).unwrap();
    "w.toml".to_owned()
}

#[test]
fn a_slip_in_a_scenario_or_a_deployment_is_pointed_at() {
    let within = folder("scenario");
    for (from, to, want) in [
        ("makers = 12", "makers = 0", "w.toml:52:1: key \"panel.makers\": 0 is outside 1 to 256"),
        (
            "ticks_max = 144",
            "ticks_max = 0xffff",
            "w.toml:16:1: key \"time.ticks_max\": 65535 ticks is outside 1 to 2016",
        ),
        (
            "ticks_after = 12",
            "  ticks_after = 9999",
            "w.toml:18:3: key \"time.ticks_after\": 9999 ticks",
        ),
        ("days = [4, 10]", "days = [4, inf]", "w.toml:66:1: key \"panel.pricing.days\""),
        (
            "ratio = \"1.025\"",
            "ratio = \"102.5%\"",
            "w.toml:46:1: key \"reserves.ratio\": \"102.5%\" is outside 0.000001 to 9.999999",
        ),
        // The third of a list.
        (
            "at = \"2023-03-12T00:00:00Z\"",
            "at = \"noon\"",
            "w.toml:29:1: key \"supply[2].at\": \"noon\" is not an instant",
        ),
        ("haircut = \"100%\"", "haircut = \"101%\"", "w.toml:38:1: key \"shock[0].haircut\""),
        // What the parser itself refuses.
        (
            "makers = 12",
            "maker = 12",
            "w.toml:52:1: unknown field `maker`, expected one of `makers`",
        ),
        ("makers = 12", "maker = 12", "hint: did you mean \"makers\"?"),
        ("makers = 12", "makers = \"12\"", "w.toml:52:10: invalid type: string \"12\""),
        ("makers = 12", "# none", "w.toml:50:1: missing field `makers`"),
        ("makers = 12", "# none", "hint: write makers = … here"),
        ("makers = 12", "makers = = 12", "w.toml:52:10: "),
        ("[panel.pricing]", "[panel.pricing", "w.toml:62:15: "),
        ("[panel.pricing]", "[panel.pricing", "hint: write key = value under [table]"),
    ] {
        let path = scenario(&within, from, to);
        refused(&["run", "--scenario", &path], &within, &[want, "hint: "]);
    }
    let deployment = |from: &str, to: &str| {
        let source = fs::read_to_string(DEPLOYMENT).unwrap();
        assert!(source.contains(from), "{from}");
        fs::write(within.join("d.toml"), source.replacen(from, to, 1)).unwrap();
    };
    let run = ["run", "--deployment", "d.toml"];
    deployment("[detect]", "[detect");
    refused(&run, &within, &["d.toml:60: ", "hint:"]);
    deployment("nodes = 4", "nodes = 0x40");
    refused(&run, &within, &["d.toml:", "64 is not 1 to 31", "hint:"]);
    deployment("mode = \"immediate\"", "mode = \"imediate\"");
    refused(&run, &within, &["d.toml:", "did you mean \"immediate\"?"]);
    deployment("mode = \"immediate\"", "mod = \"immediate\"");
    refused(&run, &within, &["d.toml:", "did you mean \"mode\"?"]);

    // A second feed, and a step that reads it.
    let feed = "[feeds.EURC_RESERVES]\ndecimals = 6\nobservers = 4\nquorum = 3\nage_max = \"10m\"\npublic = false\n";
    deployment("[pools]", &format!("{feed}[pools]"));
    let (before, from) = recovery::SEED.split_at(recovery::SEED.rfind("USDC_RESERVES").unwrap());
    fs::write(within.join("w.yaml"), before.to_owned() + &from.replace("USDC", "EURC")).unwrap();
    refused(&["run", "w.yaml", "--deployment", "d.toml"], &within, &["w.yaml:59:", "hint:"]);
}

const DEPLOYMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deployments/embedded.toml");

/// Both are read, or the journal would not be what is complained of.
#[test]
fn tomls_own_dates_and_hexadecimal_integers_are_read() {
    let within = folder("toml");
    let source = sim::shipped()["usdc-2023-03"]
        .replace("\"2023-03-10T15:55:00Z\"", "2023-03-10T16:55:00+01:00")
        .replace("\"2023-03-10T16:40:00Z\"", "2023-03-10 16:40:00Z")
        .replace("makers = 12", "makers = 0xc");
    fs::write(within.join("s.toml"), source).unwrap();
    let source = fs::read_to_string(DEPLOYMENT).unwrap().replace("id = 31337", "id = 0x7a69");
    fs::write(within.join("d.toml"), source).unwrap();
    let run = ["run", "--scenario", "s.toml", "--deployment", "d.toml", "--journal", "/dev/null"];
    refused(&run, &within, &["/dev/null: not a file in which a run could be kept"]);
}

const RECOVERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/recovery");

/// Refused before anything expensive starts: no key of the dark pool's is derived.
#[test]
fn what_a_workflow_does_not_use_is_refused_before_its_world_is_built() {
    let within = folder("unused");
    fs::write(within.join("p.json"), "{bad").unwrap();
    for (arguments, wants) in [
        (&["--trigger-index", "7"][..], &["there is no trigger 7", "0 to 0"][..]),
        (&["--fill", "{}"], &["--fill: trigger 0, cron-trigger@1.0.0, takes none"]),
        (&["--http-payload", "{bad"], &["--http-payload: trigger 0", "takes none"]),
        (&["--evm-tx-hash", "0x00"], &["--evm-tx-hash: trigger 0", "takes none"]),
        (&["--evm-event-index", "1"], &["--evm-event-index: trigger 0", "takes none"]),
        (&["--now", "2024-01-01T00:00:00Z"], &["is about another time", "between"]),
        (&["--now", "253402300800"], &["nor Unix seconds, 0 to 253,402,300,799"]),
        (&["--scenario", "healthi"], &["did you mean \"healthy\"?", "thin-panel"]),
        (&["--limits", "non"], &["there is no file \"non\"", "did you mean \"none\"?"]),
        (&["--target", "stagin-settings"], &["did you mean \"staging-settings\"?"]),
        (&["--rpc-timeout", "9"], &["--rpc-timeout: no chain is named", "leave it out"]),
        (&["--rpc-timeout", "601"], &["outside 1 to 600"]),
        (&["--broadcast"], &["--broadcast needs a chain"]),
    ] {
        let cache = within.join("cache");
        let simulate = [&["workflow", "simulate", RECOVERY], arguments].concat();
        let output = command(&simulate, &within).env("XDG_CACHE_HOME", &cache).output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        for want in wants {
            assert!(error.contains(want), "{arguments:?}: expected {want:?} in: {error}");
        }
        assert!(!cache.exists(), "{arguments:?}: keys were derived first");
    }
    let run = ["workflow", "run", RECOVERY, "--trigger-index", "1"];
    let cache = within.join("cache");
    let output = command(&run, &within).env("XDG_CACHE_HOME", &cache).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(!cache.exists());

    // A module by itself has no settings, and is what runs.
    let module = format!("{RECOVERY}/wasm/workflow.wasm");
    for command in ["simulate", "run"] {
        let with = |option: &[&str], wants: &[&str]| {
            refused(&[&["workflow", command, &module], option].concat(), &within, wants);
        };
        with(
            &["--target", "staging-settings"],
            &["--target: a file by itself has no settings", "hint:"],
        );
        with(&["-T", "x"], &["--target: a file by itself has no settings"]);
        with(&["--wasm", "x.wasm"], &["--wasm: a file that runs is given already", "hint:"]);
        with(&["--rpc-timeout", "9"], &["--rpc-timeout: no chain is named"]);
    }

    let project = within.join("p");
    fs::create_dir_all(project.join("w")).unwrap();
    let settings = format!(
        "s: {{ user-workflow: {{ workflow-name: w }}, workflow-artifacts: {{ workflow-path: \"{RECOVERY}/wasm/workflow.wasm\" }} }}\n"
    );
    fs::write(project.join("w/workflow.yaml"), settings).unwrap();
    let chains = "s: { rpcs: [{ chain-name: ethereum-mainnet, url: \"http://localhost:1\" }] }\n";
    fs::write(project.join("project.yaml"), chains).unwrap();
    let simulate = ["workflow", "simulate", "p/w"];
    refused(
        &[&simulate[..], &["--scenario", "healthy"]].concat(),
        &within,
        &["--scenario: no darkpool@1.0.0 is simulated: the project names chains"],
    );
    refused(
        &["workflow", "limits", "export", "l.json", "--profile", "simulater"],
        &within,
        &["did you mean \"simulator\"?", "production"],
    );
    fs::write(within.join("l.json"), "{\"wasm_sise_max\": 1}").unwrap();
    refused(
        &[&simulate[..], &["--limits", "l.json"]].concat(),
        &within,
        &["did you mean \"wasm_size_max\"?"],
    );
}

#[test]
fn whoever_comes_second_to_a_journal_is_told() {
    let within = folder("second-journal");
    let first = store::FileStorage::open(within.join("j")).unwrap();
    let run = ["run", "--journal", "j"];
    refused(&run, &within, &["j: another process holds it", "hint: give a file", "no other run"]);
    assert_eq!(names(&within), ["j"], "nothing is left beside it");
    drop(first);
    fs::remove_file(within.join("j")).unwrap();
    let beside = store::FileStorage::open(within.join("j.enclave")).unwrap();
    refused(&run, &within, &["j.enclave: another process holds it"]);
    assert_eq!(names(&within), ["j.enclave"], "and what it made is gone");
    drop(beside);
}

#[test]
fn whoever_comes_second_to_a_folder_is_told() {
    let within = study("second");
    let first = study::folder::Claim::alone(&within.join("out")).unwrap();
    refused(
        &["simulate", "s.toml", "--out", "out"],
        &within,
        &["another process is at work in out", "hint: wait"],
    );
    drop(first);
    let output = cdpr(&["simulate", "s.toml", "--out", "out"], &within);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// Starts it, presses Ctrl-C once it listens and `is_at_work`, and gives what it said.
fn interrupted(arguments: &[&str], within: &Path, is_at_work: impl Fn() -> bool) -> String {
    let mut child = command(arguments, within)
        // No keys: whoever needs them is at work for seconds.
        .env("XDG_CACHE_HOME", within.join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Bit 1 is of signal 2, which the system says is caught.
    let status = format!("/proc/{}/status", child.id());
    let listens = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask & 2 != 0)
    };
    while !(listens() && is_at_work()) {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "{arguments:?} ended before it was interrupted"
        );
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{arguments:?}: {said}");
    said
}

#[test]
fn an_interrupted_run_leaves_nothing_before_its_first_word() {
    let within = folder("interrupted-run");
    let journal = within.join("j");
    let said = interrupted(&["run", "--journal", "j"], &within, || journal.exists());
    assert!(said.contains("run the same again to go on where it stopped"), "{said}");
    assert_eq!(names(&within), [""; 0]);
}

#[test]
fn everything_that_may_take_long_says_how_to_go_on_when_it_is_interrupted() {
    let within = study("interrupted-all");
    // Long enough that none is over before it is interrupted.
    let many = SPEC.replace("= 20", "= 100000000").replace("count = 1000", "count = 1000000");
    fs::write(within.join("long.toml"), many).unwrap();
    for (arguments, want) in [
        (&["simulate", "long.toml", "--dry-run"][..], "interrupted; nothing was written"),
        (&["simulate", "chunk", "long.toml", "--index", "0", "--out", "c"], "run the same again"),
        (&["workflow", "simulate", RECOVERY], "nothing was sent: run it again"),
        (&["workflow", "run", RECOVERY], "goes on with the next time that is due"),
    ] {
        let said = interrupted(arguments, &within, || true);
        assert!(said.contains(want), "{arguments:?}: {said}");
    }
    assert!(!within.join("c/00000000.chunk").exists() && !within.join("runs").exists());
}

#[test]
fn an_interrupted_study_says_how_to_go_on_and_goes_on() {
    let within = folder("interrupted");
    fs::write(within.join("s.toml"), SPEC.replace("= 20", "= 20000")).unwrap();
    let arguments = ["simulate", "s.toml", "--out", "out", "--jobs", "1"];
    let mut child =
        command(&arguments, &within).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Once it has made a chunk, it is at work and listens.
    let chunks = within.join("out/chunks");
    while !fs::read_dir(&chunks).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.path().extension().is_some_and(|kind| kind == "chunk"))
    }) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was interrupted");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("finished chunks are in out/chunks"), "{error}");
    assert!(error.contains("run the same again to go on"), "{error}");
    let kept = names(&chunks);
    assert!(kept.iter().all(|name| name == ".cdpr" || name.ends_with(".chunk")), "{kept:?}");
    assert!(!within.join("out/summary.json").exists());
    fs::write(within.join("s.toml"), SPEC.replace("= 20", "= 20000")).unwrap();
    let again = command(&arguments[..4], &within).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
}
