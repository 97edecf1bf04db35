//! The DON in this process: every node runs the committed module, each as its fault has it.

use std::sync::{Arc, OnceLock};

use cre::messages::sdk;
use don::confidential::Confidential;
use don::{Behaviour, Don, Execution, Job, Registry, Subscriptions, TeeRunner, Workflow};
use host::launch::Clock;
use node::MODULE;
use node::ports::{Failure, Network};
use primitives::Timestamp;
use runner::wire::Limits;

use crate::faults::{Host, NodeFault};
use crate::{Error, confidential};

/// Where the dark pool is asked by a DON that has not registered it. No socket: the request is answered here.
pub(crate) const ENDPOINT: &str = "https://darkpool.invalid";
/// What that endpoint asks for. It keeps strangers out, and there are none.
pub(crate) const TOKEN: &str = "embedded";

/// The nodes of a run.
pub(crate) struct Nodes {
    don: Arc<Don>,
    module: engine::Module,
    config: Vec<u8>,
    subscriptions: Subscriptions,
    /// Where ticks run if not on the nodes, and its time.
    runner: Option<(Arc<Confidential<'static>>, Clock)>,
    faults: Vec<NodeFault>,
    /// Who serves the enclave's answers to all of them, if it serves others.
    host: Option<Host>,
}

impl Nodes {
    /// Has every node ask the module what it waits for: its schedule, and nothing else here.
    pub(crate) fn subscribe(
        don: Arc<Don>,
        config: Vec<u8>,
        (faults, host): (Vec<NodeFault>, Option<Host>),
        runner: Option<(Arc<Confidential<'static>>, Clock)>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let module = module()?;
        let tees = runner.iter().map(|(runner, _)| &**runner as &dyn TeeRunner).collect();
        let workflow = Workflow { config: config.clone(), tees, ..Workflow::new(&module) };
        let job = Job::numbered(&don, 0, now);
        let subscriptions = don::subscribe(&don, &workflow, &job, &mut Registry::default(), &[])
            .map_err(|error| node::Error::Workflow { reason: don::words(&error) })?;
        Ok(Self { don, module, config, subscriptions, runner, faults, host })
    }
}

/// A runner in a TEE of this machine, with its clock.
pub(crate) fn runner(
    don: &Don,
    seed: u64,
    now: Timestamp,
) -> Result<(Arc<Confidential<'static>>, Clock), Error> {
    let clock = Clock::new(now.0 * 1_000);
    let runner = confidential::launch(don, MODULE, Limits::Production, seed, clock.clone())?;
    Ok((Arc::new(runner), clock))
}

impl Network for Nodes {
    fn don(&self) -> &Don {
        &self.don
    }

    fn fire(
        &mut self,
        trigger: sdk::Trigger,
        job: &Job,
        registry: &mut Registry<'_>,
    ) -> Result<Execution, Failure> {
        let mut workflow = Workflow { config: self.config.clone(), ..Workflow::new(&self.module) };
        if let Some((runner, clock)) = &self.runner {
            clock.set(job.now_ns / 1_000_000);
            workflow.tees.push(&**runner);
        }
        workflow.secrets.insert("", recovery::guest::TOKEN, TOKEN);
        let liar = match &self.host {
            Some(host) => host.around(&self.module),
            None => NodeFault::around(&self.module),
        };
        let behaviour = |fault: &NodeFault| match (fault, &self.host) {
            (_, Some(_)) | (NodeFault::Lying, None) => Behaviour::Own(&liar),
            (NodeFault::None, None) => Behaviour::Honest,
            (NodeFault::Absent, None) => Behaviour::Absent,
        };
        let behaviours: Vec<Behaviour<'_>> = self.faults.iter().map(behaviour).collect();
        let fired =
            self.subscriptions.fire(&self.don, &workflow, trigger, job, registry, &behaviours);
        Ok(fired?)
    }
}

/// The module, compiled once a process: that takes longer than a tick.
fn module() -> Result<engine::Module, Error> {
    static COMPILED: OnceLock<engine::Module> = OnceLock::new();
    if let Some(module) = COMPILED.get() {
        return Ok(module.clone());
    }
    let module = engine::Module::compile(MODULE, &engine::Limits::production())
        .map_err(|error| node::Error::Workflow { reason: error.to_string() })?;
    Ok(COMPILED.get_or_init(|| module).clone())
}
