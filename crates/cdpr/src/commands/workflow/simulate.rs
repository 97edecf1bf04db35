//! `cdpr workflow simulate` and `run`: a DON in this process, real HTTP, real chains.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use cre::messages::sdk::{Trigger, TriggerSubscription, execution_result};
use don::confidential::Confidential;
use don::http::{ConfidentialHttp, HttpAction, Loopback, Sockets};
use don::triggers::{Schedule, Subscription};
use don::{
    Call, Capability as _, Don, Execution, Job, LifecycleError, ProgramError, Registry,
    Subscriptions, Workflow, WorkflowIdentity, subscribe,
};
use engine::{Limits, Mode, Module};
use evm::Patience;
use k256::ecdsa::SigningKey;
use primitives::{Address, Timestamp, sha256};
use serde_json::{Value, json};
use sim::Guest;
use sim::confidential::{self, Clock};

use super::chains::Chains;
use super::dark_pool::DarkPool;
use super::program::{self, CONFIGURATION, Loaded, ROOM, Tee, load};
use super::project::{Places, Project};
use super::trigger::{self, Choice, list, schedule};
use super::{limits, refuse, show};
use crate::terminal::{self, Progress, say};
use crate::{Ending, Failure, commands, counts};

const NS_PER_S: u64 = 1_000_000_000;
/// Most nodes of a DON: as many as a report's signers can be counted in the forwarder.
const NODES_MAX: u64 = 31;
/// Most executions of `run`: one a second for thirty years.
const COUNT_MAX: u64 = 1_000_000_000;
/// Most bytes of a configuration: far above every limit, which says so in its own words.
const CONFIG_MAX: u64 = 64 << 20;
/// What happens to the reserves when nobody says.
const SCENARIO: &str = "usdc-2023-03";
/// Simulated nodes' keys towards a runner come from it.
const RUNNER_SEED: u64 = 1;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    choice: Choice,
    /// The DON's time: Unix seconds or ISO 8601 (2026-01-31T12:00:00Z); the real time by default, or with a
    /// dark pool the first that the trigger is due in its scenario.
    #[arg(long, value_name = "TIME", value_parser = counts::instant)]
    now: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    common: Common,
    /// Which of the workflow's triggers, from 0; its only cron trigger by default.
    #[arg(long, value_name = "N", value_parser = counts::from_to::<usize>(0, trigger::INDEX_MAX))]
    trigger_index: Option<usize>,
    /// Stop after this many executions.
    #[arg(long, value_name = "N", value_parser = counts::from_to::<u64>(1, COUNT_MAX))]
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
    /// The folder of project.yaml, in which PATH is looked for first; the nearest above PATH by default.
    #[arg(short = 'R', long, value_name = "DIR")]
    project_root: Option<PathBuf>,
    /// Secrets and parts of URLs are of this file, instead of the project's .env, before those of the environment.
    #[arg(short = 'e', long, value_name = "FILE")]
    env: Option<PathBuf>,
    /// Which secrets there are, instead of the secrets-path; for a file of no project, secrets.yaml beside it by
    /// default.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Give the workflow this file instead of its config-path.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Give the workflow an empty configuration.
    #[arg(long)]
    no_config: bool,
    /// Give the workflow its config-path: the default.
    #[arg(long, conflicts_with_all = ["config", "no_config"])]
    #[allow(dead_code, reason = "said or not, it is so")]
    default_config: bool,
    /// Do not check the types of a TypeScript workflow; they are by default, where npm brought typescript and there
    /// is a tsconfig.json.
    #[arg(long)]
    skip_type_checks: bool,
    /// Run this module instead of the workflow-path.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// What the workflow may use: default, none, or a file (see `cdpr workflow limits export`).
    #[arg(long, value_name = "default|none|FILE", default_value = "default")]
    limits: String,
    /// Also show what the nodes ask of the DON, and what each of them logs; --json always has both.
    #[arg(short = 'g', long, conflicts_with = "json")]
    engine_logs: bool,
    /// Also say, on stderr, which files and nodes are used.
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Send what the workflow writes, from the account of CRE_ETH_PRIVATE_KEY; otherwise the receiver is
    /// only asked whether it would take it.
    #[arg(long)]
    broadcast: bool,
    /// How long a chain's node may take for one answer, seconds, tries included where it is busy; 30 by default.
    #[arg(long, value_name = "SECONDS", value_parser = counts::from_to::<u64>(1, 600))]
    rpc_timeout: Option<u64>,
    /// What happens to the reserves, where the workflow calls darkpool@1.0.0: a file, or a scenario that ships
    /// with the program (usdc-2023-03, by default, healthy, thin-panel).
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Nodes of the simulated DON.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = counts::from_to::<usize>(4, NODES_MAX))]
    nodes: usize,
    /// How many of them may fail; there are more than three times as many.
    #[arg(long, value_name = "F", default_value_t = 1, value_parser = counts::from_to::<usize>(1, (NODES_MAX - 1) / 3))]
    faults: usize,
    /// One JSON object per execution on stdout.
    #[arg(long)]
    json: bool,
}

pub(crate) fn simulate(arguments: &Arguments) -> Result<Ending, Failure> {
    let words = if arguments.common.broadcast {
        "interrupted; what was sent stays sent: look at the account's last transactions before you run it again"
    } else {
        "interrupted; nothing was sent: run it again"
    };
    terminal::on_interrupt(words.to_owned(), || false);
    let choice = &arguments.choice;
    let (simulation, prepared) =
        Simulation::open(&arguments.common, arguments.now, |triggers, limits| {
            choice.prepare(triggers, limits)
        })?;
    let subscriptions = simulation.subscribe()?;
    let index = prepared.index;
    let subscription = subscriptions.triggers.get(index).context("a trigger is gone")?;
    let now = simulation.instant(arguments.now, subscription)?;
    let working = Progress::working("asking the chain for the event");
    let trigger = choice.event(prepared, &subscription.id, &simulation.chains, now)?;
    drop(working);
    simulation.introduce(&subscriptions)?;
    simulation.fire(&subscriptions, index, trigger, now)
}

pub(crate) fn run(arguments: &RunArguments) -> Result<Ending, Failure> {
    let words = if arguments.common.broadcast {
        "stopped; what was sent stays sent, and the same again goes on with the next time that is due"
    } else {
        "stopped; the same again goes on with the next time that is due"
    };
    terminal::on_interrupt(words.to_owned(), || false);
    let (simulation, (index, plan)) =
        Simulation::open(&arguments.common, None, |triggers, limits| {
            scheduled(triggers, limits, arguments.trigger_index)
        })?;
    let subscriptions = simulation.subscribe()?;
    simulation.introduce(&subscriptions)?;
    let (mut n_done, mut ending, mut now) = (0, Ending::Done, simulation.opened);
    while arguments.count.is_none_or(|count| n_done < count) {
        let Some(next) = plan.next_after(now) else { break };
        now = next;
        match &simulation.dark_pool {
            Some(dark_pool) if !dark_pool.has(next) => break,
            // The scenario's time passes as fast as it is simulated.
            Some(_) => {}
            None => {
                simulation.say(&format!("next at {next}"))?;
                let waiting = Progress::waiting(format!("waiting until {next}"));
                // A machine that slept finds the time past and goes on at once, with one execution, not with
                // all that it missed.
                while commands::now()? < next {
                    std::thread::sleep(Duration::from_millis(200));
                }
                drop(waiting);
                now = next.max(commands::now()?);
            }
        }
        let trigger = Trigger { id: index as u64, payload: Some(Schedule::payload(next)) };
        if simulation.fire(&subscriptions, index, trigger, now)? != Ending::Done {
            ending = Ending::MissionFailed;
        }
        n_done += 1;
    }
    Ok(ending)
}

/// The cron trigger to follow.
fn scheduled(
    triggers: &[TriggerSubscription],
    limits: &Limits,
    asked: Option<usize>,
) -> Result<(usize, Schedule), Failure> {
    let mut plans = BTreeMap::new();
    for (index, subscription) in triggers.iter().enumerate() {
        if let Some(Subscription::Cron(plan)) = trigger::parse(subscription, limits)? {
            plans.insert(index, plan);
        }
    }
    let index = asked.or_else(|| plans.keys().copied().next().filter(|_| plans.len() == 1));
    index.and_then(|index| plans.remove_entry(&index)).ok_or_else(|| {
        let hint = format!("--trigger-index names a cron trigger of:{}", list(triggers));
        refuse("which schedule to follow is not clear", hint)
    })
}

/// A DON with a workflow on it.
struct Simulation<'a> {
    arguments: &'a Common,
    project: Project,
    limits: Limits,
    module: Module,
    /// Its bytes; `None` of JavaScript.
    wasm: Option<Vec<u8>>,
    /// Handles what requires a TEE, from the first trigger that does.
    runner: OnceCell<Confidential<'static>>,
    /// The runner's time, Unix milliseconds.
    runner_clock: Clock,
    config: Vec<u8>,
    secrets: don::Secrets,
    /// The dark pool's world, if the workflow calls it and the project names no chain of its own.
    dark_pool: Option<DarkPool>,
    /// Whether it calls one and has none.
    misses_dark_pool: bool,
    /// When the simulation begins.
    opened: Timestamp,
    chains: Chains,
    /// Lives as long as the simulation, so that a response may serve several executions.
    http: RefCell<HttpAction<Sockets>>,
    confidential_http: RefCell<ConfidentialHttp<Sockets>>,
    don: Arc<Don>,
}

impl<'a> Simulation<'a> {
    /// Reads and checks everything before anything is started that takes time; `choose` sees the workflow's triggers then.
    fn open<T>(
        arguments: &'a Common,
        now: Option<Timestamp>,
        choose: impl Fn(&[TriggerSubscription], &Limits) -> Result<T, Failure>,
    ) -> Result<(Self, T), Failure> {
        let Common { nodes, faults, .. } = *arguments;
        if nodes <= faults * 3 {
            let what = format!("a DON of {nodes} nodes cannot have {faults} faulty ones");
            return Err(refuse(what, "--nodes is more than three times --faults"));
        }
        let limits = limits::read(&arguments.limits)?;
        let places = Places {
            target: arguments.target.as_deref(),
            root: arguments.project_root.as_deref(),
            environment: arguments.env.as_deref(),
            secrets: arguments.secrets.as_deref(),
        };
        let project = Project::read(&arguments.path, places)?;
        if arguments.verbose {
            project.tell();
        }
        for (flag, is_given, is_used, why, hint) in [
            (
                "--target",
                arguments.target.is_some(),
                project.target.is_some(),
                "a file by itself has no settings",
                "leave it out, or give the workflow's folder",
            ),
            (
                "--wasm",
                arguments.wasm.is_some(),
                project.target.is_some(),
                "a file that runs is given already",
                "leave it out, or give the workflow's folder",
            ),
            (
                "--rpc-timeout",
                arguments.rpc_timeout.is_some(),
                project.names_chains(),
                "no chain is named, so no node is asked",
                "leave it out, or name the chain's JSON-RPC under rpcs in project.yaml",
            ),
        ] {
            if is_given && !is_used {
                return Err(refuse(format!("{flag}: {why}"), hint));
            }
        }
        if arguments.broadcast && !project.names_chains() {
            let hint = "name its JSON-RPC under rpcs in project.yaml";
            return Err(refuse("--broadcast needs a chain to send to", hint));
        }
        let config = match (&arguments.config, &project.config) {
            _ if arguments.no_config => Vec::new(),
            (Some(file), _) | (None, Some(file)) => {
                commands::bytes(file, CONFIG_MAX).map_err(|why| {
                    refuse(format!("{}: {why}", file.display()), "--config FILE, or --no-config")
                })?
            }
            (None, None) => Vec::new(),
        };
        let secrets = project.read_secrets()?;
        let program = arguments.wasm.as_ref().unwrap_or(&project.program);
        let Loaded { module, wasm, names_dark_pool } =
            load(program, &limits, !arguments.skip_type_checks)?;
        let binary = module.hash();
        let brings_dark_pool = names_dark_pool && !project.names_chains();
        if arguments.scenario.is_some() && !brings_dark_pool {
            let id = cre::messages::darkpool::ID;
            let why = if names_dark_pool {
                "the project names chains, and the dark pool is what is there"
            } else {
                "the workflow does not call it"
            };
            let what = format!("--scenario: no {id} is simulated: {why}");
            return Err(refuse(what, "leave it out"));
        }
        let identity = WorkflowIdentity::new(Address([0; 20]), &project.name, &binary, &config);
        let plain = Arc::new(Don::new(signers(nodes)?, faults, 1, 1, identity));
        let chosen = {
            // What a workflow subscribes to depends on neither chain nor dark pool, whose start takes seconds.
            let tee = Tee { module: &module, runner: None };
            let workflow = workflow(&module, &config, &secrets, &limits, &tee);
            let job = job(&plain, b"subscribe", now.map_or_else(commands::now, Ok)?);
            choose(&subscribe_to(&plain, &workflow, &job, &limits)?.triggers, &limits)?
        };
        let dark_pool = if brings_dark_pool {
            let (name, config) = (project.name.clone(), config.clone());
            let guest = Guest { name, binary: binary.to_vec(), config };
            let scenario = arguments.scenario.as_deref().unwrap_or(Path::new(SCENARIO));
            Some(DarkPool::open(guest, scenario, now, nodes, faults)?)
        } else {
            None
        };
        let opened = match &dark_pool {
            Some(dark_pool) => dark_pool.start(),
            None => now.map_or_else(commands::now, Ok)?,
        };
        let world = dark_pool.as_ref().map(|dark_pool| &dark_pool.world);
        let patience = match arguments.rpc_timeout {
            Some(seconds) => Patience { in_all: Duration::from_secs(seconds), ..Patience::ANSWER },
            None => Patience::ANSWER,
        };
        let sends = arguments.broadcast;
        let working = Progress::working("asking the project's chains");
        let chains = Chains::open(&project, &config, opened, (sends, patience), world)?;
        drop(working);
        let don = world.map_or(plain, |world| world.don());
        let sockets = || Sockets::new(Loopback::Allowed);
        let http = RefCell::new(HttpAction::new(sockets(), limits.http));
        let confidential_http = RefCell::new(ConfidentialHttp::new(
            sockets(),
            secrets.clone(),
            limits.confidential_http,
        ));
        let simulation = Self {
            arguments,
            project,
            limits,
            module,
            wasm,
            runner: OnceCell::new(),
            runner_clock: Clock::new(0),
            config,
            secrets,
            misses_dark_pool: names_dark_pool && dark_pool.is_none(),
            dark_pool,
            opened,
            chains,
            http,
            confidential_http,
            don,
        };
        Ok((simulation, chosen))
    }

    /// The runner of a workflow that requires a TEE.
    fn runner(&self) -> Result<Option<&Confidential<'static>>, Failure> {
        let Some(wasm) = &self.wasm else { return Ok(None) };
        if self.runner.get().is_none() {
            // What a runner may use is measured, so it is one of the profiles; the nodes hold it to a file's.
            let limits = match self.arguments.limits.as_str() {
                "default" => confidential::Limits::Simulator,
                _ => confidential::Limits::Unlimited,
            };
            let clock = self.runner_clock.clone();
            let _working = Progress::working("starting a measured runner");
            let runner = confidential::launch(&self.don, wasm, limits, RUNNER_SEED, clock)
                .context("starting the runner of confidential workflows")?;
            let _ = self.runner.set(runner);
        }
        Ok(self.runner.get())
    }

    fn workflow<'w>(&'w self, tee: &'w Tee<'w>) -> Workflow<'w> {
        workflow(&self.module, &self.config, &self.secrets, &self.limits, tee)
    }

    /// When a trigger fires: as asked, or now; in a scenario, when it is due first.
    fn instant(
        &self,
        asked: Option<Timestamp>,
        subscription: &TriggerSubscription,
    ) -> Result<Timestamp, Failure> {
        if let Some(asked) = asked {
            return Ok(asked);
        }
        let due = match trigger::parse(subscription, &self.limits)? {
            Some(Subscription::Cron(plan)) if self.dark_pool.is_some() => {
                plan.next_after(self.opened)
            }
            _ => None,
        };
        Ok(due.unwrap_or(self.opened))
    }

    fn subscribe(&self) -> Result<Subscriptions, Failure> {
        let tee = Tee { module: &self.module, runner: None };
        let job = job(&self.don, b"subscribe", self.opened);
        subscribe_to(&self.don, &self.workflow(&tee), &job, &self.limits)
    }

    fn say(&self, line: &str) -> Result<(), Failure> {
        if self.arguments.json {
            return Ok(());
        }
        say(format!("[SIMULATION] {line}\n"))
    }

    fn introduce(&self, subscriptions: &Subscriptions) -> Result<(), Failure> {
        self.say("Simulator Initialized")?;
        if let Some(target) = &self.project.target {
            self.say(&format!("workflow {:?}, target {target}", self.project.name))?;
        }
        let label = self.module.sdk_label();
        self.say(&format!("module {} of SDK {label:?}", primitives::hex(&self.module.hash())))?;
        self.say(&format!("a DON of {} nodes, {} may fail", self.don.n(), self.don.f()))?;
        self.say(&format!("chains: {}", self.chains.names()))?;
        match &self.dark_pool {
            Some(dark_pool) => {
                for line in dark_pool.lines() {
                    self.say(&line)?;
                }
            }
            None if self.chains.is_local() => self.say(
                "the project names no chain, so every chain is one empty chain in this process",
            )?,
            None if self.misses_dark_pool => {
                let id = cre::messages::darkpool::ID;
                self.say(&format!("nothing serves {id} on the chains that the project names"))?;
            }
            None => {}
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
        self.runner_clock.set(now.0.saturating_mul(1_000));
        let requires_tee =
            subscription.requirements.as_ref().is_some_and(|required| required.tee.is_some());
        let runner = if requires_tee { self.runner()? } else { None };
        if runner.is_some() {
            let pcr0 = confidential::measurement();
            self.say(&format!(
                "a measured runner handles it, a process that every node checked: PCR0 {pcr0}"
            ))?;
            self.say("it is a development enclave: the path is real, nothing is hidden from this machine")?;
        } else if requires_tee {
            self.say(
                "runners take WebAssembly only: this JavaScript is handled once, in this process",
            )?;
        }
        let tee = Tee { module: &self.module, runner };
        let workflow = self.workflow(&tee);
        let mut registry = Registry::default();
        registry.register(don::http::ID, |call: &Call<'_>| self.http.borrow_mut().call(call));
        registry.register(don::http::CONFIDENTIAL_ID, |call: &Call<'_>| {
            self.confidential_http.borrow_mut().call(call)
        });
        let world = self.dark_pool.as_ref().map(|dark_pool| &dark_pool.world);
        if let Some(world) = world {
            world.advance_to(now);
            registry.register(cre::messages::darkpool::ID, world.dark_pool());
        }
        self.chains.register(&mut registry, &self.limits, world)?;
        let job = job(&self.don, &(index as u64).to_be_bytes(), now);
        let working = Progress::working("the DON runs the workflow");
        let execution = subscriptions
            .fire(&self.don, &workflow, trigger, &job, &mut registry, &[])
            .map_err(|error| refused(&error))?;
        drop(working);
        let outcome = outcome(&execution);
        let notes = self.chains.take_notes();
        let text = if self.arguments.json {
            let object = self.json(subscriptions, index, now, &execution, &outcome, &notes);
            format!("{object}\n")
        } else {
            words(&execution, &outcome, &notes, self.arguments.engine_logs)
        };
        say(text)?;
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
            "module_sha256": primitives::hex(&self.module.hash()),
            "nodes": self.don.n(),
            "faults": self.don.f(),
            "dark_pool": self.dark_pool.as_ref().map(DarkPool::json),
            "now": now.to_string(),
            "triggers": triggers.collect::<Vec<_>>(),
            "trigger_index": index,
            "execution_id": primitives::hex(&execution.id),
            "result": outcome.as_ref().ok(),
            "error": outcome.as_ref().err(),
            "logs": logs.collect::<Vec<_>>(),
            "calls": calls.collect::<Vec<_>>(),
            "notes": notes,
        })
    }
}

fn workflow<'w>(
    module: &'w Module,
    config: &[u8],
    secrets: &don::Secrets,
    limits: &Limits,
    tee: &'w Tee<'w>,
) -> Workflow<'w> {
    let mut workflow = Workflow::new(module);
    workflow.tees = vec![tee];
    workflow.config = config.to_vec();
    workflow.secrets = secrets.clone();
    workflow.limits = limits.clone();
    workflow
}

fn job(don: &Don, what: &[u8], now: Timestamp) -> Job {
    let id = sha256(&[
        b"cdpr/workflow-simulation/execution/v1",
        &don.workflow().id,
        what,
        &now.0.to_be_bytes(),
    ]);
    let now_ns = now.0.saturating_mul(NS_PER_S);
    Job { execution_id: id, sequence: 1, now_ns, restrictions: None }
}

fn subscribe_to(
    don: &Don,
    workflow: &Workflow<'_>,
    job: &Job,
    limits: &Limits,
) -> Result<Subscriptions, Failure> {
    let subscribed = subscribe(don, workflow, job, &mut Registry::default(), &[])
        .map_err(|error| refused(&error))?;
    for subscription in &subscribed.triggers {
        trigger::parse(subscription, limits)?;
    }
    Ok(subscribed)
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

/// What went wrong first in a node's copy of the module.
fn root_cause(execution: &Execution) -> Option<&(dyn std::error::Error + 'static)> {
    let error = execution.results.iter().flatten().find_map(|result| result.as_ref().err())?;
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause)
}

/// Why a node's copy of the module has no answer.
fn broken(execution: &Execution) -> Option<String> {
    root_cause(execution).map(ToString::to_string)
}

/// A workflow that cannot be started.
fn refused(error: &LifecycleError) -> Failure {
    let hint = match error {
        LifecycleError::Broken { source: ProgramError::Failed(source), .. } => {
            source.downcast_ref().map_or(CONFIGURATION, program::hint)
        }
        LifecycleError::Broken { source: ProgramError::Refused(_), .. }
        | LifecycleError::NoQuorum { .. }
        | LifecycleError::Failed { .. } => CONFIGURATION,
        LifecycleError::Refused(_) => ROOM,
        LifecycleError::Unexpected { .. } => "build it with a CRE SDK",
        LifecycleError::NoRunner { .. } => {
            "AWS Nitro is what is simulated, in the regions that CRE names"
        }
        LifecycleError::UnknownTrigger { .. } => "--trigger-index takes another",
    };
    refuse(don::words(error), hint)
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

/// Keys of a DON that no contract knows.
fn signers(nodes: usize) -> anyhow::Result<Vec<SigningKey>> {
    let signers = (0..nodes as u64).map(|node| {
        let key = sha256(&[b"cdpr/workflow-simulation/signer/v1", &node.to_be_bytes()]);
        SigningKey::from_slice(&key).context("a node's key")
    });
    signers.collect()
}
