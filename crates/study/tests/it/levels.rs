//! A study on a stack: what is refused before anything runs, and that nothing else changes.

use std::sync::Arc;

use risk::{Outcome, Policy, Scenario, Trace};
use study::level::{RUNS_MAX, Stack};
use study::plan::Plan;
use study::spec::Reason;
use study::study as run_study;
use tempfile::TempDir;

use super::{plan, try_plan};

const SMALL: &str = r#"
[study]
name = "small"
level = "stack"
replications = 6
[scenario]
horizon = "6 h"
[[policy]]
name = "clock"
mechanism = { kind = "cdpr-clock" }
"#;

/// The model in a stack's place: it has everything but halts, and fails where it is told to.
#[derive(Debug, Default)]
struct Standin {
    fails_at: Option<u64>,
}

impl Stack for Standin {
    fn check(&self, _: &Scenario, policy: &Policy) -> Result<(), (String, Reason)> {
        match policy.mechanism.name() {
            "halt" => {
                let reason =
                    Reason::Model { message: "no halts".into(), hint: Some("wait".into()) };
                Err((format!("policy.{}.mechanism.kind", policy.name), reason))
            }
            _ => Ok(()),
        }
    }

    fn play(
        &self,
        scenario: &Scenario,
        policy: &Policy,
        seed: u64,
        replication: u64,
    ) -> Result<Outcome, String> {
        if self.fails_at == Some(replication) {
            return Err("the enclave process".into());
        }
        risk::run(scenario, policy, seed, replication, Trace::Off)
            .map_err(|error| error.to_string())
    }

    fn identity(&self) -> String {
        "standin".into()
    }

    fn seconds(&self, _: &Scenario, _: &Policy) -> f64 {
        6.0
    }
}

fn on(source: &str) -> Result<Plan, String> {
    let stack = Arc::new(Standin::default());
    plan(source).on(stack, "s.toml").map_err(|error| error.to_string())
}

#[test]
fn rows_chunks_and_files_are_those_of_the_model() {
    let (stack, model) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let run = |plan: &Plan, out: &TempDir| {
        let chunks = run_study::chunk_folder(out.path());
        run_study::run(plan, out.path(), &chunks, 2, &|_| {}).unwrap()
    };
    let played = on(SMALL).unwrap();
    assert_eq!(played.chunks(), 6, "a kill loses one run");
    let played = run(&played, &stack);
    let expected = run(&plan(&SMALL.replace("level = \"stack\"", "level = \"model\"")), &model);
    assert_eq!(played.card.results_sha256, expected.card.results_sha256);
    assert_ne!(played.card.config_sha256, expected.card.config_sha256);
    assert_eq!((played.card.level.as_str(), expected.card.level.as_str()), ("stack", "model"));
}

#[test]
fn the_default_level_is_the_model_and_changes_no_configuration() {
    let named = plan(&SMALL.replace("level = \"stack\"", "level = \"model\""));
    let bare = plan(&SMALL.replace("level = \"stack\"\n", ""));
    assert_eq!(named.config(), bare.config());
    assert!(bare.on(Arc::new(Standin::default()), "s.toml").unwrap().seconds_on_stack().is_none());
}

#[test]
fn more_runs_than_anyone_waits_for_are_refused_with_the_time_and_a_way_out() {
    let many = SMALL.replace("replications = 6", "replications = 6000");
    assert_eq!(
        on(&many).unwrap_err(),
        "s.toml:4:1: key \"study.level\": 6,000 runs on the stack, limit 1,000: about 600 min on one core\n  hint: lower \
         study.replications, or --runs N; the model plays them by the thousand: level = \"model\""
    );
    let most = SMALL.replace("replications = 6", &format!("replications = {RUNS_MAX}"));
    on(&most).unwrap();
}

#[test]
fn what_a_stack_lacks_is_refused_by_its_key() {
    let refused = |from: &str, to: &str| on(&SMALL.replacen(from, to, 1)).unwrap_err();
    let halt = refused("cdpr-clock", "halt");
    assert!(
        halt.starts_with(
            "s.toml:10:15: key \"policy.clock.mechanism.kind\": no halts\n  hint: wait"
        ),
        "{halt}"
    );
    let paths = refused("[scenario]", "[paths]\nreplications = 3\n[scenario]");
    assert!(paths.starts_with("s.toml:6:2: key \"paths\": the stack keeps no state"), "{paths}");
    let rare = refused(
        "[scenario]",
        "[rare]\nevent = \"failed\"\ngap = \"9%\"\nreplications = 9\n[scenario]\nshock.spread = 0.5",
    );
    assert!(rare.starts_with("s.toml:6:2: key \"rare\":"), "{rare}");
    let bench = "[study]\nname = \"b\"\nmodel = \"bench-1\"\nlevel = \"stack\"\nreplications = 2";
    assert!(
        on(bench).unwrap_err().contains("key \"study.model\": the stack plays recoveries only")
    );
    let slip = try_plan(&SMALL.replace("\"stack\"", "\"stak\"")).unwrap_err().to_string();
    assert!(
        slip.contains("key \"study.level\"") && slip.contains("did you mean \"stack\"?"),
        "{slip}"
    );
}

#[test]
fn a_stack_that_stops_and_a_program_without_one_say_so() {
    let words = |plan: &Plan| {
        let out = TempDir::new().unwrap();
        let chunks = run_study::chunk_folder(out.path());
        let error = run_study::run(plan, out.path(), &chunks, 1, &|_| {}).unwrap_err();
        let causes =
            std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    };
    let failing = Standin { fails_at: Some(3) };
    let failed = words(&plan(SMALL).on(Arc::new(failing), "s.toml").unwrap());
    assert!(failed.contains("policy.clock") && failed.contains("the enclave process"), "{failed}");
    let none = words(&plan(&SMALL.replace("\"small\"", "\"other\"")));
    assert!(none.contains("this program brings no stack"), "{none}");
}
