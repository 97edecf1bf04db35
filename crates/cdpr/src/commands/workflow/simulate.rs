//! `cdpr workflow simulate` and `run`: a DON in this process, real HTTP, real chains.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;
use cre::messages::sdk::{Trigger, execution_result};
use don::{
    Don, Execution, Job, LifecycleError, Registry, Subscriptions, Workflow, WorkflowIdentity,
    subscribe,
};
use engine::{Limits, Mode, Module};
use k256::ecdsa::SigningKey;
use primitives::{Address, Timestamp, sha256};
use serde_json::{Value, json};

use super::chains::Chains;
use super::http::{self, Http};
use super::program::{PretendedTee, load};
use super::project::Project;
use super::schedule::Schedule;
use super::trigger::{Choice, list, schedule, tick};
use super::{limits, refuse, show};
use crate::{Ending, Failure};

const NS_PER_S: u64 = 1_000_000_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    choice: Choice,
    /// The DON's time: Unix seconds or ISO 8601 (2026-01-31T12:00:00Z); the real time by default.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    now: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    common: Common,
    /// Which of the workflow's triggers, from 0; its only cron trigger by default.
    #[arg(long, value_name = "N")]
    trigger_index: Option<usize>,
    /// Stop after this many executions.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

#[derive(Debug, Args)]
struct Common {
    /// A workflow's folder (with workflow.yaml), a module (.wasm), a TypeScript workflow (.ts) or its
    /// bundle (.js).
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Whose settings in project.yaml and workflow.yaml; CRE_TARGET, the only ones or staging-settings by
    /// default.
    #[arg(short = 'T', long, value_name = "NAME")]
    target: Option<String>,
    /// Give the workflow this file instead of its config-path.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Give the workflow an empty configuration.
    #[arg(long)]
    no_config: bool,
    /// Run this module instead of the workflow-path.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// What the workflow may use: default, none, or a file (see `cdpr workflow limits export`).
    #[arg(long, value_name = "default|none|FILE", default_value = "default")]
    limits: String,
    /// Also show what the nodes ask of the DON, and what each of them logs.
    #[arg(short = 'g', long)]
    engine_logs: bool,
    /// Send what the workflow writes, from the account of CRE_ETH_PRIVATE_KEY; otherwise the receiver is
    /// only asked whether it would take it.
    #[arg(long)]
    broadcast: bool,
    /// Nodes of the simulated DON.
    #[arg(long, value_name = "N", default_value_t = 4)]
    nodes: usize,
    /// How many of them may fail; there are more than three times as many.
    #[arg(long, value_name = "F", default_value_t = 1)]
    faults: usize,
    /// One JSON object per execution on stdout.
    #[arg(long)]
    json: bool,
}

pub(crate) fn simulate(arguments: &Arguments) -> Result<Ending, Failure> {
    let now = arguments.now.map_or_else(real_time, Ok)?;
    let simulation = Simulation::open(&arguments.common, now)?;
    let subscriptions = simulation.subscribe(now)?;
    let triggers = &subscriptions.triggers;
    let index = arguments.choice.index(triggers)?;
    let trigger = arguments.choice.event(index, &triggers[index], &simulation.chains, now)?;
    simulation.introduce(&subscriptions)?;
    simulation.fire(&subscriptions, index, trigger, now)
}

pub(crate) fn run(arguments: &RunArguments) -> Result<Ending, Failure> {
    let mut now = real_time()?;
    let simulation = Simulation::open(&arguments.common, now)?;
    let subscriptions = simulation.subscribe(now)?;
    let triggers = &subscriptions.triggers;
    let crons: Vec<usize> =
        (0..triggers.len()).filter(|idx| schedule(&triggers[*idx]).is_some()).collect();
    let index = match (arguments.trigger_index, crons.as_slice()) {
        (Some(index), crons) if crons.contains(&index) => index,
        (None, [index]) => *index,
        _ => {
            let hint = format!("--trigger-index names a cron trigger of:{}", list(triggers));
            return Err(refuse("which schedule to follow is not clear", hint));
        }
    };
    let text = schedule(&triggers[index]).unwrap_or_default();
    let plan = Schedule::parse(&text).map_err(|reason| {
        refuse(format!("schedule {text:?}: {reason}"), "five or six fields, UTC")
    })?;
    let shortest = simulation.limits.cron_interval_min.as_secs();
    if let Some(first) = plan.next_after(now)
        && let Some(second) = plan.next_after(first)
        && second.0 - first.0 < shortest
    {
        let hint = format!("a CRE schedule fires at most every {shortest} s; or use --limits none");
        return Err(refuse(format!("schedule {text:?} is too fast"), hint));
    }
    simulation.introduce(&subscriptions)?;
    let (mut n_done, mut ending) = (0, Ending::Done);
    while arguments.count.is_none_or(|count| n_done < count) {
        let Some(next) = plan.next_after(now) else { break };
        simulation.say(&format!("next at {next}"))?;
        // A machine that slept finds the time past and goes on at once, with one execution, not with all
        // that it missed.
        while real_time()? < next {
            std::thread::sleep(Duration::from_millis(200));
        }
        now = next.max(Timestamp(real_time()?.0));
        let trigger = Trigger { id: index as u64, payload: Some(tick(next)) };
        if simulation.fire(&subscriptions, index, trigger, now)? != Ending::Done {
            ending = Ending::MissionFailed;
        }
        n_done += 1;
    }
    Ok(ending)
}

/// A DON with a workflow on it, before its triggers are known.
struct Simulation<'a> {
    arguments: &'a Common,
    project: Project,
    limits: Limits,
    module: Module,
    config: Vec<u8>,
    secrets: don::Secrets,
    chains: Chains,
    don: Don,
}

impl<'a> Simulation<'a> {
    /// Reads and checks everything before anything runs.
    fn open(arguments: &'a Common, now: Timestamp) -> Result<Self, Failure> {
        let Common { nodes, faults, .. } = *arguments;
        if faults == 0 || nodes > 31 || nodes <= faults.saturating_mul(3) {
            let what = format!("a DON of {nodes} nodes cannot have {faults} faulty ones");
            return Err(refuse(what, "--nodes is more than three times --faults, at most 31"));
        }
        let limits = limits::read(&arguments.limits)?;
        let project = Project::read(&arguments.path, arguments.target.as_deref())?;
        let config = match (&arguments.config, &project.config) {
            _ if arguments.no_config => Vec::new(),
            (Some(file), _) | (None, Some(file)) => std::fs::read(file).map_err(|error| {
                refuse(format!("{}: {error}", file.display()), "--config FILE, or --no-config")
            })?,
            (None, None) => Vec::new(),
        };
        let secrets = project.read_secrets()?;
        let module = load(arguments.wasm.as_ref().unwrap_or(&project.program), &limits)?;
        let chains = Chains::open(&project, &config, now, arguments.broadcast)?;
        let signers = (0..nodes as u64).map(|node| {
            let key = sha256(&[b"cdpr/workflow-simulation/signer/v1", &node.to_be_bytes()]);
            SigningKey::from_slice(&key).context("a node's key")
        });
        let signers = signers.collect::<Result<_, _>>()?;
        let identity =
            WorkflowIdentity::new(Address([0; 20]), &project.name, &module.hash(), &config);
        let don = Don::new(signers, faults, 1, 1, identity);
        Ok(Self { arguments, project, limits, module, config, secrets, chains, don })
    }

    fn job(&self, what: &[u8], now: Timestamp) -> Job {
        let id = sha256(&[
            b"cdpr/workflow-simulation/execution/v1",
            &self.don.workflow().id,
            what,
            &now.0.to_be_bytes(),
        ]);
        Job {
            execution_id: id,
            sequence: 1,
            now_ns: now.0.saturating_mul(NS_PER_S),
            restrictions: None,
        }
    }

    fn workflow<'w>(&'w self, tee: &'w PretendedTee<'w>) -> Workflow<'w> {
        let mut workflow = Workflow::new(&self.module);
        workflow.tees = vec![tee];
        workflow.config.clone_from(&self.config);
        workflow.secrets = self.secrets.clone();
        workflow.quotas = limits::quotas(&self.limits);
        workflow
    }

    fn subscribe(&self, now: Timestamp) -> Result<Subscriptions, Failure> {
        let tee = PretendedTee(&self.module);
        let (workflow, job) = (self.workflow(&tee), self.job(b"subscribe", now));
        subscribe(&self.don, &workflow, &job, &mut Registry::default(), &mut [])
            .map_err(|error| refused(&error))
    }

    fn say(&self, line: &str) -> Result<(), Failure> {
        if self.arguments.json {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "[SIMULATION] {line}").context("writing to stdout")?;
        Ok(())
    }

    fn introduce(&self, subscriptions: &Subscriptions) -> Result<(), Failure> {
        self.say("Simulator Initialized")?;
        if let Some(target) = &self.project.target {
            self.say(&format!("workflow {:?}, target {target}", self.project.name))?;
        }
        let label = self.module.sdk_label();
        self.say(&format!("module {} of SDK {label:?}", show::hex(&self.module.hash())))?;
        self.say(&format!("a DON of {} nodes, {} may fail", self.don.n(), self.don.f()))?;
        self.say(&format!("chains: {}", self.chains.names()))?;
        if self.chains.is_local() {
            self.say(
                "the project names no chain, so every chain is one empty chain in this process",
            )?;
        }
        self.say(&format!("triggers:{}", list(&subscriptions.triggers)))
    }

    fn fire(
        &self,
        subscriptions: &Subscriptions,
        index: usize,
        trigger: Trigger,
        now: Timestamp,
    ) -> Result<Ending, Failure> {
        let subscription = &subscriptions.triggers[index];
        self.say(&format!("Running trigger trigger={} at {now}", subscription.id))?;
        if subscription.requirements.is_some() {
            self.say("its TEE is pretended: one execution in this process, hidden from nobody")?;
        }
        let tee = PretendedTee(&self.module);
        let workflow = self.workflow(&tee);
        let mut registry = Registry::default();
        registry.register(http::ID, Http::new(&self.limits));
        self.chains.register(&mut registry, &workflow.quotas)?;
        let job = self.job(&(index as u64).to_be_bytes(), now);
        let execution = subscriptions
            .fire(&self.don, &workflow, trigger, &job, &mut registry, &mut [])
            .map_err(|error| refused(&error))?;
        let outcome = outcome(&execution);
        let notes = self.chains.take_notes();
        let text = if self.arguments.json {
            let object = self.json(subscriptions, index, now, &execution, &outcome, &notes);
            format!("{object}\n")
        } else {
            words(&execution, &outcome, &notes, self.arguments.engine_logs)
        };
        std::io::stdout().write_all(text.as_bytes()).context("writing to stdout")?;
        Ok(if outcome.is_ok() { Ending::Done } else { Ending::MissionFailed })
    }

    fn json(
        &self,
        subscriptions: &Subscriptions,
        index: usize,
        now: Timestamp,
        execution: &Execution,
        outcome: &Result<Value, String>,
        notes: &[String],
    ) -> Value {
        let triggers = subscriptions
            .triggers
            .iter()
            .map(|one| json!({ "id": one.id, "method": one.method, "schedule": schedule(one) }));
        let logs = execution
            .lines
            .iter()
            .map(|line| json!({ "node": line.node, "mode": mode(line.mode), "text": line.text }));
        let calls = execution.calls.iter().map(|call| {
            json!({
                "node": call.node, "voters": call.voters, "id": call.request.id,
                "method": call.request.method,
                "error": call.answer.as_ref().err().map(ToString::to_string),
            })
        });
        json!({
            "workflow": self.project.name,
            "target": self.project.target,
            "sdk": self.module.sdk_label(),
            "module_sha256": show::hex(&self.module.hash()),
            "nodes": self.don.n(),
            "faults": self.don.f(),
            "now": now.to_string(),
            "triggers": triggers.collect::<Vec<_>>(),
            "trigger_index": index,
            "execution_id": show::hex(&execution.id),
            "result": outcome.as_ref().ok(),
            "error": outcome.as_ref().err(),
            "logs": logs.collect::<Vec<_>>(),
            "calls": calls.collect::<Vec<_>>(),
            "notes": notes,
        })
    }
}

/// The workflow's value, or why there is none.
fn outcome(execution: &Execution) -> Result<Value, String> {
    match &execution.agreed {
        Ok(agreement) => match &agreement.value.result {
            Some(execution_result::Result::Value(value)) => Ok(show::value(value)),
            Some(execution_result::Result::Error(reason)) => Err(reason.clone()),
            Some(
                execution_result::Result::TriggerSubscriptions(_)
                | execution_result::Result::Restrictions(_),
            ) => Err("the workflow answered something else than a result".to_owned()),
            None => Ok(Value::Null),
        },
        Err(none) => Err(broken(execution).unwrap_or_else(|| none.to_string())),
    }
}

/// Why a node's copy of the module has no answer.
fn broken(execution: &Execution) -> Option<String> {
    let error = execution.results.iter().flatten().find_map(|result| result.as_ref().err())?;
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

/// A workflow that cannot be started.
fn refused(error: &LifecycleError) -> Failure {
    let reason = match error {
        LifecycleError::NoQuorum { execution, source, .. } => {
            broken(execution).unwrap_or_else(|| source.to_string())
        }
        LifecycleError::Refused(source) => source.to_string(),
        LifecycleError::Failed { .. }
        | LifecycleError::Unexpected { .. }
        | LifecycleError::NoRunner { .. }
        | LifecycleError::UnknownTrigger { .. } => String::new(),
    };
    let what = if reason.is_empty() { error.to_string() } else { format!("{error}: {reason}") };
    refuse(
        what,
        "is its configuration the right one? --config FILE gives another, --limits none more room",
    )
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Don => "don",
        Mode::Node => "node",
    }
}

/// As CRE's simulator words it. One node's lines stand for all, for in DON mode they are the same; with the
/// engine's, each node's.
fn words(
    execution: &Execution,
    outcome: &Result<Value, String>,
    notes: &[String],
    engine_logs: bool,
) -> String {
    let mut out = String::new();
    let first = execution.lines.first().map(|line| line.node);
    for line in &execution.lines {
        if engine_logs {
            let (node, mode) = (line.node, mode(line.mode));
            out.push_str(&format!("[USER LOG] node={node} mode={mode} {}\n", line.text));
        } else if Some(line.node) == first {
            out.push_str(&format!("[USER LOG] {}\n", line.text));
        }
    }
    if engine_logs {
        for call in &execution.calls {
            let who = match call.node {
                Some(node) => format!("node={node}"),
                None => format!("don={:?}", call.voters),
            };
            let answer = match &call.answer {
                Ok(any) => format!("{} bytes", any.value.len()),
                Err(error) => error.to_string(),
            };
            let (id, method) = (&call.request.id, &call.request.method);
            out.push_str(&format!("[ENGINE] {who} {id} {method}: {answer}\n"));
        }
    }
    for note in notes {
        out.push_str(&format!("[DRY RUN] {note}\n"));
    }
    match outcome {
        Ok(value) => out.push_str(&format!("Workflow Simulation Result:\n{value:#}\n")),
        Err(reason) => out.push_str(&format!("Workflow Simulation Error:\n{reason}\n")),
    }
    out
}

fn real_time() -> Result<Timestamp, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?;
    Ok(Timestamp(since.as_secs()))
}

/// Unix seconds, or ISO 8601 to the second in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Timestamp(seconds));
    }
    let wrong = || "give Unix seconds, or an instant such as 2026-01-31T12:00:00Z".to_owned();
    // Bisection over what `Timestamp` writes: its order as text is its order in time up to the year 9999.
    let (mut low, mut high) = (0, 253_402_300_800);
    while low < high {
        let middle = low + (high - low) / 2;
        if Timestamp(middle).to_string().as_str() < text { low = middle + 1 } else { high = middle }
    }
    if Timestamp(low).to_string() == text { Ok(Timestamp(low)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_is_seconds_or_iso_8601() {
        assert_eq!(instant("86400"), Ok(Timestamp(86_400)));
        assert_eq!(instant("1970-01-02T00:00:00Z"), Ok(Timestamp(86_400)));
        assert_eq!(instant("2023-03-10T15:55:00Z"), Ok(Timestamp(1_678_463_700)));
        assert!(instant("2023-02-30T00:00:00Z").is_err());
        assert!(instant("yesterday").is_err());
    }
}
