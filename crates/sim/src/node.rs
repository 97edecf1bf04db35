//! The node's loop: make an event durable, step the core, carry out what it asks, until it is over.
//!
//! Chain, enclave and node persist apart, and the chain may be ahead of the journal. So every effect can
//! be carried out twice: a transaction has the same bytes and is found already there, the enclave gives
//! the same answer to the same question, and nothing else leaves the node.

use evm::local::Storage;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use primitives::{Bytes32, Timestamp, keccak256};
use protocol::attest::{Observed, Status};
use protocol::journal::{Included, Journal, Opening, Record, Writer};
use protocol::wire::{Command, Reply};
use protocol::{Disclosure, Effect, Event, Fact, Mission, Write};

use crate::report::{Recorder, Report};
use crate::world::{NodeFault, World, seed_commitment};
use crate::{Error, Inputs};

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

struct Node {
    world: World,
    store: Box<dyn Storage>,
    writer: Writer,
    mission: Mission,
    recorder: Recorder,
    now: Timestamp,
    n_events: u64,
    /// Reports delivered so far: the transmitter's next nonce, less the registration's.
    n_reports: u64,
    /// What each node would write on this tick, from its own observation.
    node_writes: Vec<Option<Vec<Write>>>,
    /// How many of this tick's writes are answered.
    n_answered: usize,
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

        let mission = Mission::new(world.inputs.setup());
        let recorder = Recorder::new(&world);
        let now = world.inputs.scenario.start;
        let opening = Record::Opening(Box::new(opening(&world)?));
        let setup =
            core::iter::once(opening).chain(world.included.iter().cloned().map(Record::Included));
        let setup: Vec<Record> = setup.collect();
        let mut node = Self {
            world,
            store,
            writer: journal.writer.clone(),
            mission,
            recorder,
            now,
            n_events: 0,
            n_reports: 0,
            node_writes: Vec::new(),
            n_answered: 0,
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
        for record in journal.records.into_iter().skip(setup.len()) {
            match record {
                Record::Included(transaction) => included = Some(transaction),
                Record::Happened { now, event } => {
                    if let Event::Written { delivered: true, facts: news, .. } = &event {
                        facts.extend(news.iter().cloned());
                    }
                    node.take(now, &event, included.take().as_ref())?;
                }
                Record::Closing { .. } => node.closed = true,
                Record::Opening(_) => return Err(Error::OtherRun { what: "second opening" }),
            }
        }
        if !facts.is_empty() {
            node.world.ask("learn what the chain says", &Command::Inform(facts))?;
        }
        Ok(node)
    }

    /// Does one thing. False when the run is over.
    fn advance(&mut self, crash: &mut Crash<'_>) -> Result<bool, Error> {
        if self.closed {
            return Ok(false);
        }
        let effect = self.mission.outstanding().front().cloned();
        let (now, event, included) = match &effect {
            Some(effect) => {
                self.hook(crash, Point::BeforeEffect, effect_kind(effect))?;
                let (event, included) = self.perform(effect)?;
                (self.now, event, included)
            }
            None => match self.next_input()? {
                Some((now, event)) => (now, event, None),
                None => {
                    let outcome = self.mission.outcome();
                    let chain = Bytes32(self.world.chain.digest().0);
                    self.append(&[Record::Closing { outcome, n_events: self.n_events, chain }])?;
                    self.closed = true;
                    return Ok(false);
                }
            },
        };
        let kind = event_kind(&event);
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
        Ok(true)
    }

    fn hook(&self, crash: &mut Crash<'_>, point: Point, kind: &'static str) -> Result<(), Error> {
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
        let effect = self.mission.outstanding().front().cloned();
        match event {
            Event::Observed { observed, .. } => {
                self.node_writes =
                    (0..self.world.don.n()).map(|node| self.replica(now, node, observed)).collect();
                self.n_answered = 0;
            }
            Event::Written { facts, .. } => {
                self.n_reports += 1;
                self.n_answered += 1;
                for fact in facts {
                    match fact {
                        Fact::RequestOpened { opened, .. } => {
                            self.first_request.get_or_insert(*opened);
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
            Event::Unwritten { .. } => self.n_answered += 1,
            Event::Ordered { .. } => self.n_ordered += 1,
            Event::Ticked { .. } | Event::Unobserved { .. } | Event::Cleared { .. } => {}
        }
        self.mission.step(now, event)?;
        self.now = now;
        self.n_events += 1;
        self.recorder.take(&self.world, &self.mission, now, event, effect.as_ref(), included);
        Ok(())
    }

    /// What one node would write: its own copy of the mission over its own observation.
    fn replica(&self, now: Timestamp, node_idx: usize, observed: &Observed) -> Option<Vec<Write>> {
        let observed = match self.world.inputs.fault(node_idx) {
            NodeFault::None => observed.clone(),
            NodeFault::Lying => Observed { status: opposite(&observed.status), ..observed.clone() },
            NodeFault::Absent => return None,
        };
        let event = Event::Observed { observed, signature: Vec::new() };
        let effects = self.mission.clone().step(now, &event).ok()?;
        let writes = effects.into_iter().filter_map(|effect| match effect {
            Effect::Write(write) => Some(write),
            Effect::Observe { .. } | Effect::Clear { .. } => None,
        });
        Some(writes.collect())
    }

    fn perform(&mut self, effect: &Effect) -> Result<(Event, Option<Included>), Error> {
        match effect {
            Effect::Observe { tick } => {
                let statements = self.world.statements(*tick, self.now)?;
                let command = Command::Observe { tick: *tick, now: self.now, statements };
                match self.world.ask("judge a tick", &command)? {
                    Reply::Observed { observed, signature } => {
                        let known = recover(&observed.digest(), &signature);
                        if known != Some(self.world.evidence.signer().0) {
                            return Err(Error::Answer { what: "a tick, signed by another key," });
                        }
                        Ok((Event::Observed { observed, signature }, None))
                    }
                    Reply::Unobserved => Ok((Event::Unobserved { tick: *tick }, None)),
                    Reply::Done
                    | Reply::Attested { .. }
                    | Reply::Receipt(_)
                    | Reply::Cleared { .. }
                    | Reply::Refused(_) => Err(Error::Answer { what: "a tick" }),
                }
            }
            Effect::Write(write) => self.write(write),
            Effect::Clear { request, round, closed_at } => {
                let (request, round, closed_at) = (*request, *round, *closed_at);
                let command =
                    Command::Clear { request, round, closed_at, price: self.world.price() };
                let reply = self.world.ask("clear a round", &command)?;
                let Reply::Cleared { ready, prove_ms, constraints } = reply else {
                    return Err(Error::Answer { what: "a round" });
                };
                if let Some(ready) = &ready {
                    self.recorder.proved(&self.world, ready, prove_ms, constraints);
                }
                Ok((Event::Cleared { ready }, None))
            }
        }
    }

    /// Has the DON agree on the bytes, sign them and deliver them.
    fn write(&self, write: &Write) -> Result<(Event, Option<Included>), Error> {
        let payloads: Vec<Option<Vec<u8>>> = self
            .node_writes
            .iter()
            .map(|writes| {
                let write = writes.as_ref()?.get(self.n_answered)?;
                let receiver = self.world.receiver(&write.contract);
                Some(self.world.payload(
                    receiver,
                    write.epoch,
                    write.expiry,
                    evm::mission::calldata(&write.call),
                ))
            })
            .collect();
        let agreement = match self.world.don.agree(&payloads) {
            Ok(agreement) => agreement,
            Err(none) => {
                let agreeing = u8::try_from(none.agreeing).unwrap_or(u8::MAX);
                return Ok((Event::Unwritten { agreeing }, None));
            }
        };
        let receiver = self.world.receiver(&write.contract);
        // Nonce and execution 0 were the registration's.
        let transaction =
            self.world.report(receiver, &agreement, write.epoch, 1 + self.n_reports, self.now);
        let (receipt, included) = self.world.send(self.now, &transaction.bytes, "a report")?;
        let delivery = evm::mission::delivery(&receipt);
        let event = Event::Written {
            transaction: Bytes32(transaction.hash.0),
            delivered: delivery.delivered,
            facts: delivery.facts,
        };
        Ok((event, Some(included)))
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

const fn opposite(status: &Status) -> Status {
    match status {
        Status::Backed(backed) => Status::Backed(!*backed),
        Status::Sealed(commitment) => {
            let mut bytes = commitment.0;
            bytes[31] ^= 1;
            Status::Sealed(primitives::CommitmentHash(bytes))
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

const fn effect_kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Observe { .. } => "observe",
        Effect::Write(_) => "write",
        Effect::Clear { .. } => "clear",
    }
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
