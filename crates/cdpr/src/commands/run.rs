//! `cdpr run`: one mission, end to end.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{HumanDuration, ProgressBar};
use recovery::{Deployment, DisclosureMode};
use sim::{Faults, Inputs, Plug, Point, Scenario};
use study::places::{self, Place, Places};
use study::spec::{SYNTAX_HINT, one_line};

use super::{meant_word, text};
use crate::kept::Kept;
use crate::terminal::{self, Progress, note, say};
use crate::{Ending, Failure, counts, keys, transcript};

/// The deployment that ships with the program.
pub(crate) const EMBEDDED: &str = include_str!("../../../../deployments/embedded.toml");

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Workflow to run; the seed's by default.
    #[arg(value_name = "WORKFLOW.yaml")]
    workflow: Option<PathBuf>,
    /// Scenario: a file, or one that ships with the program (usdc-2023-03, healthy, thin-panel).
    #[arg(long, value_name = "FILE", default_value = "usdc-2023-03")]
    scenario: PathBuf,
    /// Deployment file; the embedded one by default.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// Overrides the deployment's disclosure.
    #[arg(long, value_parser = disclosures())]
    disclosure: Option<DisclosureMode>,
    /// Everything random comes from it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = counts::from_to::<u64>(0, u64::MAX))]
    seed: u64,
    /// One JSON object on stdout instead of the transcript.
    #[arg(long)]
    json: bool,
    /// Keep the journal here; chain and enclave persist beside it (.chain, .enclave) until the run is
    /// over. Running again goes on where it stopped.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// For tests of recovery: kill this process (SIGKILL) at the first event of a kind, given as
    /// POINT:KIND, for example after-append:written.
    #[arg(long, value_name = "POINT:KIND", hide = true)]
    crash_at: Option<String>,
}

fn disclosures() -> impl TypedValueParser<Value = DisclosureMode> {
    let named = DisclosureMode::ALL.map(|mode| {
        PossibleValue::new(mode.name()).help(match mode {
            DisclosureMode::Immediate => "Status, fills and recovery are public as they happen",
            DisclosureMode::Sealed => "The world learns an epoch at a time",
        })
    });
    PossibleValuesParser::new(named)
        .map(|name| DisclosureMode::from_name(&name).expect("a possible value is a name"))
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let mut inputs = inputs(arguments)?;
    inputs.faults.plug = arguments.crash_at.as_deref().map(parse_crash).transpose()?.map(killing);
    let kept = Kept::at(arguments.journal.as_deref());
    let words = match &arguments.journal {
        Some(_) => "interrupted; run the same again to go on where it stopped",
        None => "interrupted; nothing was kept: --journal FILE keeps a run, so that it can go on",
    };
    terminal::on_interrupt(words.to_owned(), || false);
    let stores = kept.open()?;
    inputs.proving_key = keys::development(inputs.deployment.chain_id)?;
    let progress = progress(inputs.scenario.ticks_max);
    let report = sim::run(inputs, stores, &mut |tick, _| progress.bar.set_position(tick.into()));
    drop(progress);
    let report = match report {
        Ok(report) => report,
        Err(sim::Error::Kept(error)) => return Err(unkept(error)),
        Err(error) => return Err(Failure::Internal(error.into())),
    };
    kept.finish();
    say(if arguments.json {
        format!("{}\n", transcript::json(&report))
    } else {
        transcript::text(&report, terminal::columns(), terminal::is_coloured())
    })?;
    if let Some(timing) = transcript::timing(&report) {
        note(timing);
    }
    Ok(if report.is_success() { Ending::Done } else { Ending::MissionFailed })
}

/// Reads and checks everything before anything starts; the proving key, which takes time, is the caller's to add.
fn inputs(arguments: &Arguments) -> Result<Inputs, Failure> {
    let (deployment_source, deployment_name) = match &arguments.deployment {
        Some(path) => (text(path)?, path.display().to_string()),
        None => (EMBEDDED.to_owned(), "deployments/embedded.toml".to_owned()),
    };
    let (workflow_source, workflow_name) = match &arguments.workflow {
        Some(path) => (text(path)?, path.display().to_string()),
        None => {
            (recovery::SEED.to_owned(), "workflows/confidential-recovery-darkpool.yaml".to_owned())
        }
    };
    let mut deployment = Deployment::parse(&deployment_source, &deployment_name).map_err(bad)?;
    if let Some(mode) = arguments.disclosure {
        deployment = deployment.with_disclosure(mode).map_err(bad)?;
    }
    let workflow = recovery::parse(&workflow_source, &workflow_name).map_err(bad)?;
    recovery::check(&workflow, &deployment).map_err(bad)?;
    let scenario = scenario(&arguments.scenario)?;
    if deployment.chain_id != 31_337 {
        return Err(bad(anyhow!(
            "{deployment_name}: key \"chain.id\": {} is not the embedded chain\n  hint: `cdpr run` brings its own chain, \
             31337, and development keys are refused anywhere else",
            deployment.chain_id
        )));
    }
    Ok(Inputs {
        scenario,
        makers: None,
        workflow,
        workflow_source,
        deployment,
        deployment_source,
        seed: arguments.seed,
        proving_key: Vec::new(),
        faults: Faults::default(),
    })
}

/// Reads a scenario: a file, or one that ships with the program.
pub(crate) fn scenario(path: &Path) -> Result<Scenario, Failure> {
    let shipped = path.to_str().and_then(|name| sim::shipped().get(name).copied());
    let (source, name) = match shipped {
        Some(source) => (source.to_owned(), format!("scenarios/{}.toml", path.display())),
        None if is_word(path) && !path.exists() => return Err(no_scenario(path)),
        None => (text(path)?, path.display().to_string()),
    };
    let as_text = places::dates_as_text(&source);
    let parsed = Scenario::parse(&as_text, &name);
    // What a run commits to is the file as it is.
    let hash = primitives::sha256(&[source.as_bytes()]);
    parsed.map(|scenario| Scenario { hash, ..scenario }).map_err(|mut error| {
        match &mut error {
            sim::ScenarioError::Value { file, key, .. } => {
                if let Some(place) = Places::of(&source).find(key) {
                    file.push_str(&format!(":{place}"));
                }
            }
            sim::ScenarioError::Syntax { file, at, message } => {
                if let Some(at) = at {
                    file.push_str(&format!(":{}", Place::of(&as_text, *at)));
                }
                let words = one_line(message);
                *message = format!("{words}\n  hint: {}", what_parser_wants(&words));
            }
        }
        bad(error)
    })
}

/// What to do about a scenario that its parser refuses, by what it says of keys: it names those that it knows, in backticks,
/// after the one that it does not.
fn what_parser_wants(message: &str) -> String {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match words.as_slice() {
        [found, known @ ..] if message.starts_with("unknown ") => {
            match study::spec::nearest(found, known) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => "leave it out".to_owned(),
            }
        }
        [missing] if message.starts_with("missing ") => {
            format!("write {missing} = … here; scenarios/usdc-2023-03.toml shows every key")
        }
        _ if message.starts_with("invalid ") => {
            "scenarios/usdc-2023-03.toml shows how it is written".to_owned()
        }
        _ => SYNTAX_HINT.to_owned(),
    }
}

fn bad(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Input(error.into())
}

/// Whether it was meant as a name rather than as a file.
fn is_word(path: &Path) -> bool {
    path.extension().is_none() && path.components().count() == 1
}

fn no_scenario(path: &Path) -> Failure {
    let shipped = sim::shipped();
    let known: Vec<&str> = shipped.keys().copied().collect();
    let name = path.to_string_lossy();
    let meant = meant_word(&name, &known);
    bad(anyhow!(
        "--scenario: there is no file and no scenario {name:?}\n  hint: {meant}The program brings {}",
        known.join(", ")
    ))
}

/// What is kept at `--journal` cannot be gone on with.
fn unkept(error: store::Error) -> Failure {
    let hint = match &error {
        store::Error::Medium { .. } => return Failure::Internal(error.into()),
        store::Error::OtherRun { .. } | store::Error::Unreplayed { .. } => {
            "give another file, or the arguments and the build of that run"
        }
        store::Error::Damaged { .. } | store::Error::Lost { .. } => {
            "nothing was changed: put back the file as it was, or begin anew with another --journal"
        }
    };
    let words = format!("the run kept at --journal cannot be continued\n  hint: {hint}");
    Failure::Input(anyhow::Error::from(error).context(words))
}

fn parse_crash(text: &str) -> Result<(Point, String), Failure> {
    let (point, kind) =
        text.split_once(':').ok_or_else(|| bad(anyhow!("--crash-at takes POINT:KIND")))?;
    let point = match point {
        "before-effect" => Point::BeforeEffect,
        "before-append" => Point::BeforeAppend,
        "after-append" => Point::AfterAppend,
        _ => {
            return Err(bad(anyhow!(
                "--crash-at knows before-effect, before-append, after-append"
            )));
        }
    };
    Ok((point, kind.to_owned()))
}

/// Kills this process at the first such moment, as a loss of power would.
fn killing((point, kind): (Point, String)) -> Plug {
    Plug::new(move |moment| {
        if moment.point == point && moment.kind == kind {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
        }
        false
    })
}

fn progress(ticks_max: u32) -> Progress {
    Progress::new(
        ProgressBar::new(ticks_max.into()),
        "{spinner} tick {pos} of at most {len} {wide_bar} {elapsed}",
        |bar| {
            let most = bar.length().unwrap_or_default();
            format!("tick {} of at most {most}, {}", bar.position(), HumanDuration(bar.elapsed()))
        },
    )
}
