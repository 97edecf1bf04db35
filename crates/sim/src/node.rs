//! The node's loop: make an event durable, step the core, carry out what it asks, until it is over. What a
//! tick writes is decided by the workflow's module on every node of the DON ([`tick`]); the core follows,
//! and a report it did not ask for ends the run.
//!
//! Chain, enclave and node persist apart, and the chain may be ahead of the journal. So every effect can
//! be carried out twice: a transaction has the same bytes and is found already there, the enclave gives
//! the same answer to the same question, and nothing else leaves the node.

use std::sync::{Arc, OnceLock};

use darkpool::Attested;
use devchain::LocalChain;
use don::confidential::Confidential;
use don::{Don, Subscriptions, TeeRunner};
use host::launch::Clock;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use primitives::{Bytes32, CommitmentHash, RequestId, Timestamp, keccak256};
use protocol::attest::Status;
use protocol::journal::{Included, Journal, Opening, Record, Writer};
use protocol::wire::{Command, Reply};
use protocol::{Disclosure, Effect, Event, Fact, Mission};
use runner::wire::Limits;
use store::{MemoryStorage, Storage};

use crate::report::{Recorder, Report};
use crate::tick::{self, Progress};
use crate::world::{MODULE, World, seed_commitment};
use crate::{Error, Inputs, confidential};

/// What outlives a process: three stores, because in life they are three machines.
#[derive(Debug)]
pub struct Stores {
    /// The node's journal: publishable.
    pub journal: Box<dyn Storage>,
    /// The chain's blocks.
    pub chain: Box<dyn Storage>,
    /// The enclave's sealed entries.
    pub enclave: Box<dyn Storage>,
}

impl Stores {
    /// Stores that die with the process.
    pub fn memory() -> Self {
        let memory = || Box::new(MemoryStorage::new()) as Box<dyn Storage>;
        Self { journal: memory(), chain: memory(), enclave: memory() }
    }
}

/// Where a test may pull the plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Something is about to be carried out.
    BeforeEffect,
    /// It was, and its result is not in the journal yet.
    BeforeAppend,
    /// The result is durable.
    AfterAppend,
}

/// Decides whether to crash at a point; told the number of journal events so far and the kind of the
/// one concerned.
pub type Crash<'a> = dyn FnMut(Point, u64, &'static str) -> bool + 'a;

/// Runs a mission to its end, or goes on with one that was interrupted.
///
/// `progress` hears the tick and the last tick there can be. A finished journal is only read.
///
/// # Errors
/// [`Error`]; whatever was durable stays, and running again goes on from there.
pub fn run(
    inputs: Inputs,
    stores: Stores,
    progress: &mut dyn FnMut(u32, u32),
    crash: &mut Crash<'_>,
) -> Result<Report, Error> {
    let Stores { journal, chain, enclave } = stores;
    let world = World::open(inputs, chain, enclave)?;
    let mut node = Node::open(world, journal)?;
    while node.advance(crash)? {
        progress(node.mission.tick(), node.world.inputs.scenario.ticks_max);
    }
    node.finish()
}

pub(crate) struct Node {
    pub(crate) world: World,
    /// The workflow's module, compiled.
    pub(crate) module: engine::Module,
    /// Where its ticks run if not on the nodes.
    pub(crate) runner: Option<Arc<Confidential<'static>>>,
    /// The runner's time.
    pub(crate) runner_clock: Clock,
    /// What it subscribed to.
    pub(crate) subscriptions: Subscriptions,
    store: Box<dyn Storage>,
    writer: Writer,
    pub(crate) mission: Mission,
    recorder: Recorder,
    pub(crate) now: Timestamp,
    n_events: u64,
    /// Reports delivered so far: the transmitter's next nonce, less the registration's.
    n_reports: u64,
    /// The same when the tick began.
    pub(crate) n_reports_before: u64,
    /// The tick that is open.
    pub(crate) progress: Progress,
    /// The newest request's commitment and opening.
    pub(crate) opened: Option<(CommitmentHash, Timestamp)>,
    /// After a crash within a tick: the chain as it was when the tick began.
    chain_at_start: Option<LocalChain>,
    n_ordered: usize,
    first_request: Option<Timestamp>,
    halted_tick: Option<u32>,
    closed: bool,
}

impl Node {
    fn open(world: World, mut store: Box<dyn Storage>) -> Result<Self, Error> {
        let kept = |source| Error::Store { what: "the journal", source };
        let bytes = store.read().map_err(kept)?;
        let (mut journal, damage) = if bytes.is_empty() {
            let (writer, magic) = Writer::new();
            store.append(&magic).map_err(kept)?;
            (Journal { records: Vec::new(), offsets: vec![magic.len()], writer }, None)
        } else {
            Journal::read(&bytes)
        };
        match damage {
            None => {}
            Some(protocol::journal::Damaged::Torn { offset: 0, .. }) => {
                store.truncate(0).map_err(kept)?;
                return Self::open(world, store);
            }
            Some(protocol::journal::Damaged::Torn { offset, .. }) => {
                store.truncate(offset as u64).map_err(kept)?
            }
            Some(damage) => return Err(damage.into()),
        }
        // A transaction without the event it belongs to was being written when the plug was pulled.
        let n_setup = 1 + world.included.len();
        if journal.records.len() > n_setup
            && matches!(journal.records.last(), Some(Record::Included(_)))
        {
            let end = journal.offsets[journal.records.len() - 1];
            store.truncate(end as u64).map_err(kept)?;
            (journal, _) = Journal::read(&bytes[..end]);
        }

        let module = module()?;
        let start = world.inputs.scenario.start;
        let runner_clock = Clock::new(start.0 * 1_000);
        let runner = match world.inputs.faults.unregistered {
            true => Some(Arc::new(confidential::launch(
                &world.don,
                MODULE,
                Limits::Production,
                world.inputs.seed,
                runner_clock.clone(),
            )?)),
            false => None,
        };
        let subscriptions =
            subscribe(&world.don, &module, runner.as_deref(), &world.config, start)?;
        let mission = Mission::new(world.inputs.setup());
        let recorder = Recorder::new(&world);
        let opening = Record::Opening(Box::new(opening(&world)?));
        let setup =
            core::iter::once(opening).chain(world.included.iter().cloned().map(Record::Included));
        let setup: Vec<Record> = setup.collect();
        let mut node = Self {
            world,
            module,
            runner,
            runner_clock,
            subscriptions,
            store,
            writer: journal.writer.clone(),
            mission,
            recorder,
            now: start,
            n_events: 0,
            n_reports: 0,
            n_reports_before: 0,
            progress: Progress::default(),
            opened: None,
            chain_at_start: None,
            n_ordered: 0,
            first_request: None,
            halted_tick: None,
            closed: false,
        };
        for (index, expected) in setup.iter().enumerate() {
            match journal.records.get(index) {
                Some(found) if found == expected => {}
                Some(_) => {
                    return Err(Error::OtherRun {
                        what: if index == 0 { "opening" } else { "setup" },
                    });
                }
                None => node.append(core::slice::from_ref(expected))?,
            }
        }
        let mut facts = Vec::new();
        let mut included = None;
        let mut before = node.world.included.clone();
        let mut since = Vec::new();
        for record in journal.records.into_iter().skip(setup.len()) {
            match record {
                Record::Included(transaction) => included = Some(transaction),
                Record::Happened { now, event } => {
                    if let Event::Written { delivered: true, facts: news, .. } = &event {
                        facts.extend(news.iter().cloned());
                    }
                    if matches!(event, Event::Ticked { .. }) {
                        before.append(&mut since);
                    }
                    since.extend(included.clone());
                    node.take(now, &event, included.take().as_ref())?;
                }
                Record::Closing { .. } => node.closed = true,
                Record::Opening(_) => return Err(Error::OtherRun { what: "second opening" }),
            }
        }
        if !facts.is_empty() {
            node.world.ask("learn what the chain says", &Command::Inform(facts))?;
        }
        if matches!(node.next_effect(), Some(Effect::Observe { .. } | Effect::Write(_))) {
            // The chain may be ahead of the journal too.
            node.chain_at_start = Some(node.world.replayed(&before)?);
        }
        Ok(node)
    }

    /// Does one thing. False when the run is over.
    fn advance(&mut self, crash: &mut Crash<'_>) -> Result<bool, Error> {
        if self.closed {
            return Ok(false);
        }
        match self.next_effect() {
            Some(Effect::Observe { .. } | Effect::Write(_)) => tick::run(self, crash)?,
            Some(Effect::Clear { request, round, closed_at }) => {
                self.hook(crash, Point::BeforeEffect, "clear")?;
                let event = self.clear(request, round, closed_at)?;
                self.happened(crash, event, None)?;
            }
            None => match self.next_input()? {
                Some((now, event)) => {
                    self.now = now;
                    self.happened(crash, event, None)?;
                }
                None => {
                    let outcome = self.mission.outcome();
                    let chain = Bytes32(self.world.chain.digest().0);
                    self.append(&[Record::Closing { outcome, n_events: self.n_events, chain }])?;
                    self.closed = true;
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }

    /// What is to be carried out next.
    pub(crate) fn next_effect(&self) -> Option<Effect> {
        self.mission.outstanding().front().cloned()
    }

    /// The chain that this tick's reads see: as it was when the tick began.
    pub(crate) fn chain_at_start(&mut self) -> LocalChain {
        self.chain_at_start.take().unwrap_or_else(|| self.world.chain.clone())
    }

    /// Makes an event durable, takes it in, and tells the enclave what it changed on chain.
    pub(crate) fn happened(
        &mut self,
        crash: &mut Crash<'_>,
        event: Event,
        included: Option<Included>,
    ) -> Result<(), Error> {
        let (now, kind) = (self.now, event_kind(&event));
        self.hook(crash, Point::BeforeAppend, kind)?;
        let mut records: Vec<Record> = included.iter().cloned().map(Record::Included).collect();
        records.push(Record::Happened { now, event: event.clone() });
        self.append(&records)?;
        self.take(now, &event, included.as_ref())?;
        self.hook(crash, Point::AfterAppend, kind)?;
        if let Event::Written { delivered: true, facts, .. } = event
            && !facts.is_empty()
        {
            self.world.ask("learn what the chain says", &Command::Inform(facts))?;
        }
        Ok(())
    }

    pub(crate) fn hook(
        &self,
        crash: &mut Crash<'_>,
        point: Point,
        kind: &'static str,
    ) -> Result<(), Error> {
        if crash(point, self.n_events, kind) { Err(Error::Crashed(point)) } else { Ok(()) }
    }

    fn append(&mut self, records: &[Record]) -> Result<(), Error> {
        let kept = |source| Error::Store { what: "the journal", source };
        let mut writer = self.writer.clone();
        let bytes: Vec<u8> = records.iter().flat_map(|record| writer.append(record)).collect();
        self.store.append(&bytes).map_err(kept)?;
        self.store.sync().map_err(kept)?;
        self.writer = writer;
        Ok(())
    }

    /// Takes a durable event in: the same whether it just happened or is being replayed.
    fn take(
        &mut self,
        now: Timestamp,
        event: &Event,
        included: Option<&Included>,
    ) -> Result<(), Error> {
        let effect = self.next_effect();
        match event {
            Event::Ticked { .. } => {
                self.progress = Progress::begin(&self.mission);
                self.n_reports_before = self.n_reports;
            }
            Event::Observed { observed, signature } => {
                let (observed, signature) = (observed.clone(), signature.clone());
                self.progress.observed = Some(Some(Attested { observed, signature }));
            }
            Event::Unobserved { .. } => self.progress.observed = Some(None),
            Event::Written { facts, .. } => {
                self.n_reports += 1;
                self.progress.answered.push(true);
                for fact in facts {
                    match fact {
                        Fact::RequestOpened { opened, commitment, .. } => {
                            self.first_request.get_or_insert(*opened);
                            self.opened = Some((*commitment, *opened));
                        }
                        Fact::Halted => {
                            self.halted_tick.get_or_insert(self.mission.tick());
                        }
                        Fact::RoundSettled { .. }
                        | Fact::RequestExpired { .. }
                        | Fact::RequestRevealed { .. }
                        | Fact::RecoveryAttested { .. }
                        | Fact::StatusReported { .. }
                        | Fact::LeavesInserted { .. } => {}
                    }
                }
            }
            Event::Unwritten { .. } => self.progress.answered.push(false),
            Event::Ordered { .. } => self.n_ordered += 1,
            Event::Cleared { .. } => {}
        }
        let effects = self.mission.step(now, event)?;
        if matches!(event, Event::Observed { .. }) {
            let writes = effects.iter().filter_map(|effect| match effect {
                Effect::Write(write) => Some(self.world.addressed(write)),
                Effect::Observe { .. } | Effect::Clear { .. } => None,
            });
            self.progress.writes = writes.collect();
        }
        self.now = now;
        self.n_events += 1;
        self.recorder.take(&self.world, &self.mission, now, event, effect.as_ref(), included);
        Ok(())
    }

    /// Has the enclave judge a tick.
    pub(crate) fn observe(&mut self, tick: u32) -> Result<Event, Error> {
        let statements = self.world.statements(tick, self.now)?;
        let command = Command::Observe { tick, now: self.now, statements };
        match self.world.ask("judge a tick", &command)? {
            Reply::Observed { observed, signature } => {
                let known = recover(&self.world.digest(&observed), &signature);
                if known != Some(self.world.evidence.signer().0) {
                    return Err(Error::Answer { what: "a tick, signed by another key," });
                }
                Ok(Event::Observed { observed, signature })
            }
            Reply::Unobserved => Ok(Event::Unobserved { tick }),
            Reply::Done
            | Reply::Attested { .. }
            | Reply::Receipt(_)
            | Reply::Cleared { .. }
            | Reply::Refused(_) => Err(Error::Answer { what: "a tick" }),
        }
    }

    /// Has the enclave close, clear and prove a round.
    fn clear(
        &mut self,
        request: RequestId,
        round: u32,
        closed_at: Timestamp,
    ) -> Result<Event, Error> {
        let command = Command::Clear { request, round, closed_at, price: self.world.price() };
        let reply = self.world.ask("clear a round", &command)?;
        let Reply::Cleared { ready, prove_ms, constraints } = reply else {
            return Err(Error::Answer { what: "a round" });
        };
        if let Some(ready) = &ready {
            self.recorder.proved(&self.world, ready, prove_ms, constraints);
        }
        Ok(Event::Cleared { ready })
    }

    /// The next thing the world does by itself: an order that is due, or a tick. Nothing when it is over.
    fn next_input(&mut self) -> Result<Option<(Timestamp, Event)>, Error> {
        let scenario = &self.world.inputs.scenario;
        let tick = self.mission.tick();
        let over =
            self.mission.recovered_tick().is_some_and(|at| tick >= at + scenario.ticks_after)
                || self.halted_tick.is_some_and(|at| tick > at);
        let next = self.mission_tick_after();
        let Some(next) =
            next.filter(|next| !over && tick < scenario.ticks_max && *next < scenario.guarantee)
        else {
            return Ok(None);
        };
        // Under sealed disclosure makers stand ready whether or not they are asked.
        let asked = match self.world.inputs.disclosure() {
            Disclosure::Immediate => self.first_request,
            Disclosure::Sealed => Some(scenario.start),
        };
        if let Some(asked) = asked {
            let mut arrivals: Vec<(Timestamp, usize)> = self
                .world
                .makers
                .iter()
                .map(|(agent, _)| (asked + agent.maker.latency, agent.maker.index))
                .collect();
            arrivals.sort_unstable();
            if let Some((at, maker)) = arrivals.get(self.n_ordered).filter(|(at, _)| *at < next) {
                let (agent, index) = &self.world.makers[*maker];
                let envelope =
                    agent.envelope(&self.world.evidence.key_bundle.hpke_public_key, *index)?;
                let now = (*at).max(self.now);
                let receipt = self.world.order(envelope.clone())?;
                return Ok(Some((now, Event::Ordered { envelope, receipt })));
            }
        }
        Ok(Some((next, Event::Ticked { tick: tick + 1 })))
    }

    fn mission_tick_after(&self) -> Option<Timestamp> {
        self.world.inputs.workflow.workflow.cron.next_after(self.now)
    }

    fn finish(self) -> Result<Report, Error> {
        let Self { world, mission, recorder, writer, .. } = self;
        Ok(recorder.finish(&world, &mission, writer.head()))
    }
}

/// The module, compiled once a process: that takes longer than a tick.
fn module() -> Result<engine::Module, Error> {
    static COMPILED: OnceLock<engine::Module> = OnceLock::new();
    if let Some(module) = COMPILED.get() {
        return Ok(module.clone());
    }
    let module = engine::Module::compile(MODULE, &engine::Limits::production())
        .map_err(|error| Error::Workflow { reason: error.to_string() })?;
    Ok(COMPILED.get_or_init(|| module).clone())
}

/// Has every node ask the module what it waits for: its schedule, and nothing else here.
fn subscribe(
    don: &Don,
    module: &engine::Module,
    runner: Option<&Confidential<'static>>,
    config: &[u8],
    now: Timestamp,
) -> Result<Subscriptions, Error> {
    let tees = runner.into_iter().map(|runner| runner as &dyn TeeRunner).collect();
    let workflow = don::Workflow { config: config.to_vec(), tees, ..don::Workflow::new(module) };
    let job = don::Job::numbered(don, 0, now);
    don::subscribe(don, &workflow, &job, &mut don::Registry::default(), &mut [])
        .map_err(|error| Error::Workflow { reason: error.to_string() })
}

fn opening(world: &World) -> Result<Opening, Error> {
    let inputs = &world.inputs;
    Ok(Opening {
        chain_id: inputs.deployment.chain_id,
        seed_commitment: seed_commitment(inputs.seed, inputs.deployment.chain_id)?,
        workflow: inputs.workflow_source.clone(),
        deployment: inputs.deployment_source.clone(),
        disclosure: inputs.disclosure(),
        scenario: Bytes32(inputs.scenario.hash),
        attestation: world.evidence.document.clone(),
        key_bundle: world.evidence.key_bundle_bytes.clone(),
        configuration: world.evidence.configuration.clone(),
        signer: world.evidence.signer(),
        started: inputs.scenario.start,
    })
}

pub(crate) const fn opposite(status: &Status) -> Status {
    match status {
        Status::Backed(backed) => Status::Backed(!*backed),
        Status::Sealed(commitment) => {
            let mut bytes = commitment.0;
            bytes[31] ^= 1;
            Status::Sealed(CommitmentHash(bytes))
        }
    }
}

/// The 20-byte address behind a 65-byte signature.
pub(crate) fn recover(digest: &[u8; 32], signature: &[u8]) -> Option<[u8; 20]> {
    let (rs, [v]) = signature.split_last_chunk::<1>()?;
    let recovery = RecoveryId::from_byte(v.checked_sub(27)?)?;
    let key =
        VerifyingKey::recover_from_prehash(digest, &Signature::from_slice(rs).ok()?, recovery)
            .ok()?;
    keccak256(&[&key.to_sec1_point(false).as_bytes()[1..]])[12..].try_into().ok()
}

/// What an event is called where a crash is ordered by kind.
pub(crate) const fn event_kind(event: &Event) -> &'static str {
    match event {
        Event::Ticked { .. } => "ticked",
        Event::Ordered { .. } => "ordered",
        Event::Observed { .. } => "observed",
        Event::Unobserved { .. } => "unobserved",
        Event::Written { .. } => "written",
        Event::Unwritten { .. } => "unwritten",
        Event::Cleared { .. } => "cleared",
    }
}
