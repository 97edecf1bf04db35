//! `cdpr run`: one mission, end to end.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};
use recovery::{Deployment, DisclosureMode};
use sim::{Faults, Inputs, Plug, Point, Report, Scenario, Stores};
use store::{FileStorage, Storage};

use crate::{Ending, Failure, keys, transcript};

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
    #[arg(long, value_name = "N", default_value_t = 1)]
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
    let stores = stores(arguments.journal.as_deref())?;
    let bar = progress(inputs.scenario.ticks_max);
    let report = sim::run(inputs, stores, &mut |tick, _| bar.set_position(tick.into()));
    bar.finish_and_clear();
    let report = report.map_err(|error| {
        if let sim::Error::Kept(error) = error {
            return unkept(error);
        }
        Failure::Internal(error.into())
    })?;
    if let Some(journal) = &arguments.journal {
        for name in ["chain", "enclave"] {
            // The run is over: what outlived a crash has served. The journal stays.
            let _ = std::fs::remove_file(beside(journal, name));
        }
    }
    print(&report, arguments.json).context("writing to stdout")?;
    if let Some(timing) = transcript::timing(&report) {
        eprintln!("{timing}");
    }
    Ok(if report.is_success() { Ending::Done } else { Ending::MissionFailed })
}

/// Reads and checks everything before anything starts.
fn inputs(arguments: &Arguments) -> Result<Inputs, Failure> {
    let (deployment_source, deployment_name) = match &arguments.deployment {
        Some(path) => (read(path)?, path.display().to_string()),
        None => (EMBEDDED.to_owned(), "deployments/embedded.toml".to_owned()),
    };
    let (workflow_source, workflow_name) = match &arguments.workflow {
        Some(path) => (read(path)?, path.display().to_string()),
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
    let proving_key = keys::development(deployment.chain_id)?;
    Ok(Inputs {
        scenario,
        makers: None,
        workflow,
        workflow_source,
        deployment,
        deployment_source,
        seed: arguments.seed,
        proving_key,
        faults: Faults::default(),
    })
}

/// Reads a scenario: a file, or one that ships with the program.
pub(crate) fn scenario(path: &Path) -> Result<Scenario, Failure> {
    let shipped = path.to_str().and_then(|name| sim::shipped().get(name).copied());
    let (source, name) = match shipped {
        Some(source) => (source.to_owned(), format!("scenarios/{}.toml", path.display())),
        None => (read(path)?, path.display().to_string()),
    };
    Scenario::parse(&source, &name).map_err(bad)
}

fn bad(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Input(error.into())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        bad(anyhow!("{}: {error}\n  hint: give a readable UTF-8 file", path.display()))
    })
}

/// What is kept at `--journal` cannot be gone on with.
fn unkept(error: store::Error) -> Failure {
    let hint = match &error {
        store::Error::Medium { .. } => return Failure::Internal(error.into()),
        store::Error::OtherRun { .. } => "give another file, or the arguments of that run",
        store::Error::Damaged { .. } | store::Error::Lost { .. } => {
            "nothing was changed: put back the file as it was, or begin anew with another --journal"
        }
    };
    let words = format!("the run kept at --journal cannot be continued\n  hint: {hint}");
    Failure::Input(anyhow::Error::from(error).context(words))
}

fn beside(journal: &Path, name: &str) -> PathBuf {
    let mut path = journal.as_os_str().to_owned();
    path.push(".");
    path.push(name);
    path.into()
}

fn stores(journal: Option<&Path>) -> Result<Stores, Failure> {
    let Some(journal) = journal else {
        return Ok(Stores::memory());
    };
    let open = |path: PathBuf| {
        FileStorage::open(&path).map(|file| Box::new(file) as Box<dyn Storage>).map_err(|error| {
            bad(anyhow!(
                "{}: {error}\n  hint: give a file this user may write, used by no other run",
                path.display()
            ))
        })
    };
    Ok(Stores {
        journal: open(journal.to_owned())?,
        chain: open(beside(journal, "chain"))?,
        enclave: open(beside(journal, "enclave"))?,
    })
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

fn progress(ticks_max: u32) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} tick {pos} of at most {len} {wide_bar} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(ticks_max.into()).with_style(style)
}

fn print(report: &Report, json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &transcript::json(report))?;
        writeln!(out)
    } else {
        out.write_all(transcript::text(report, transcript::COLUMNS, is_coloured()).as_bytes())
    }
}

/// Whether stdout may be coloured, by the conventions of no-color.org and bixense.com/clicolors.
fn is_coloured() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && (is_set("CLICOLOR_FORCE") || std::io::stdout().is_terminal())
}
