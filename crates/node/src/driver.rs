//! The node's loop: make an event durable, step the core, carry out what it asks, until it is over. What a tick
//! writes is decided by the workflow's module on every node of the DON; the core follows, and a report it did not
//! ask for ends the run.
//!
//! Chain, enclave and node persist apart, and chain and enclave may be ahead of the journal. So every effect can be
//! carried out twice, by one rule of resumption: the node asks again in the same words. A report has the bytes and
//! the nonce it had, and is found there already; the enclave gives the same answer to the same question; a tick's
//! reads see the chain as it was when the tick began, so the module asks for the same things. Nothing else leaves
//! the node, and so where a run was interrupted is not to be told from its journal.
//!
//! The node hears the chain, not itself: facts are what logs say in the blocks after those it knows, whoever sent the
//! transactions. Before each tick it takes in what others did; beside a report of its own, what came before it.

use std::sync::Arc;

use darkpool::{Attested, RequestState, Scope};
use evm::alloy::primitives::Address as EvmAddress;
use evm::mission::Emitters;
use primitives::{RequestId, Timestamp, encode};
use protocol::event::Ready;
use protocol::journal::{Included, Opening, Record};
use protocol::mission::Setup;
use protocol::wire::{Command, Reply};
use protocol::workflow::Cron;
use protocol::{Effect, Event, Fact, Mission, Outcome};

use crate::enrolment::Contracts;
use crate::ports::{Input, Ports};
use crate::view::{Opened, Proved, View};
use crate::{Error, Word, judge};

/// What a node is set up with: public, but for nothing, and the same on every restart.
#[derive(Debug, Clone)]
pub struct Site {
    /// The mission.
    pub setup: Setup,
    /// When ticks are due.
    pub cron: Cron,
    /// The journal's first record.
    pub opening: Opening,
    /// Transactions that stood on chain before the first tick.
    pub included: Vec<Included>,
    /// Where reports go.
    pub contracts: Contracts,
    /// Whose logs are facts.
    pub emitters: Emitters,
    /// Price that rounds clear at.
    pub price: primitives::Price,
    /// The dark pool, by the workflow's names.
    pub scope: Scope,
    /// Chainlink's selector of the chain.
    pub chain_selector: u64,
    /// How the module reaches the dark pool.
    pub door: Door,
}

/// How the workflow's module reaches the dark pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// The DON has registered `darkpool@1.0.0`.
    Capability,
    /// It has not: the module asks an endpoint, over the DON's HTTP capability.
    Endpoint {
        /// Where.
        url: Arc<str>,
        /// What it asks for.
        token: Arc<str>,
    },
}

/// A node at work.
#[derive(Debug)]
pub struct Node {
    pub(crate) site: Site,
    pub(crate) ports: Ports,
    pub(crate) mission: Mission,
    pub(crate) now: Timestamp,
    /// The tick that is open.
    pub(crate) progress: Progress,
    /// After a crash within a tick: the transaction that was the newest when the tick began.
    pub(crate) resumed_after: Option<Included>,
    /// The newest transaction in the journal: what the node has heard of the chain ends there.
    pub(crate) newest: Option<Included>,
    view: View,
    n_events: u64,
    /// Reports delivered so far: the number of the next one.
    n_reports: u64,
    is_closed: bool,
}

/// What a tick began with and what came of it so far: the node's memory of it, rebuilt from the journal when there
/// was a crash.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The round that awaited its settlement when the tick began.
    pub(crate) ready: Option<Ready>,
    /// The newest request, as it stood when the tick began.
    pub(crate) request: Option<(RequestId, RequestState)>,
    /// The enclave's answer; none by a quorum, or not there yet.
    pub(crate) observed: Option<Attested>,
    /// What the core wants written, in order: receiver and payload.
    pub(crate) writes: Vec<(EvmAddress, Vec<u8>)>,
    /// Of these, how many are answered.
    pub(crate) n_answered: usize,
    /// Number of the tick's first report.
    pub(crate) number: u64,
}

impl Progress {
    fn begin(mission: &Mission, opened: Option<Opened>, number: u64) -> Self {
        let request = mission.request().zip(opened).map(|(request, opened)| {
            let state = RequestState {
                commitment: opened.commitment,
                premium: request.premium,
                opened: opened.at,
                expires: request.expires,
                status: request.status,
            };
            (request.id, state)
        });
        Self { ready: mission.ready().cloned(), request, number, ..Self::default() }
    }
}

impl Node {
    /// Opens a node over its journal: an empty one is begun, one that was interrupted goes on.
    ///
    /// # Errors
    /// [`Error`]; the journal is as it was.
    pub fn open(site: Site, mut ports: Ports) -> Result<Self, Error> {
        let n_setup = 1 + site.included.len();
        let records = core::mem::take(&mut ports.journal.records);
        let start = site.opening.started;
        let mission = Mission::new(site.setup.clone());
        let view = View::new(site.opening.chain_id, site.scope.dark_pool, start, &mission);
        let mut node = Self {
            site,
            ports,
            mission,
            now: start,
            progress: Progress::default(),
            resumed_after: None,
            newest: None,
            view,
            n_events: 0,
            n_reports: 0,
            is_closed: false,
        };
        node.begin(&records)?;
        node.replay(records.into_iter().skip(n_setup))?;
        Ok(node)
    }

    /// Writes, or finds written, what precedes the first event.
    fn begin(&mut self, found: &[(u64, Record)]) -> Result<(), Error> {
        let opening = Record::Opening(Box::new(self.site.opening.clone()));
        let included = self.site.included.iter().cloned().map(Record::Included);
        let setup: Vec<Record> = core::iter::once(opening).chain(included).collect();
        for (index, expected) in setup.iter().enumerate() {
            match found.get(index) {
                Some((_, found)) if found == expected => {}
                Some((offset, _)) => {
                    return Err(self.ports.journal.log.of_another_run(*offset).into());
                }
                None => self.append(core::slice::from_ref(expected))?,
            }
        }
        Ok(())
    }

    /// Takes in what happened before a restart, and tells the enclave what the chain said since: it may not have
    /// heard the last of it.
    fn replay(&mut self, records: impl Iterator<Item = (u64, Record)>) -> Result<(), Error> {
        let (mut facts, mut included) = (Vec::new(), Vec::new());
        self.newest = self.site.included.last().cloned();
        let mut at_tick = self.newest.clone();
        for (offset, record) in records {
            match record {
                Record::Included(transaction) => included.push(transaction),
                Record::Happened { now, event } => {
                    facts.extend(event.facts().iter().cloned());
                    if matches!(event, Event::Ticked { .. }) {
                        at_tick.clone_from(&self.newest);
                    }
                    let taken = self.take(now, &event, &core::mem::take(&mut included));
                    if let Err(Error::Mission(source)) = taken {
                        return Err(self.ports.journal.log.unreplayed(offset, source).into());
                    }
                    taken?;
                }
                Record::Closing { .. } => self.is_closed = true,
                Record::Opening(_) => {
                    let again = "the journal begins again";
                    return Err(self.ports.journal.log.damaged(offset, again).into());
                }
            }
        }
        if !facts.is_empty() {
            self.ports.enclave.ask("learn what the chain says", &Command::Inform(facts))?;
        }
        if matches!(self.next_effect(), Some(Effect::Observe { .. } | Effect::Write(_))) {
            self.resumed_after = at_tick;
        }
        Ok(())
    }

    /// Does one thing. False when the run is over.
    ///
    /// # Errors
    /// [`Error`]; whatever was durable stays, and opening again goes on from there.
    pub fn advance(&mut self) -> Result<bool, Error> {
        if self.is_closed {
            return Ok(false);
        }
        match self.next_effect() {
            Some(Effect::Observe { .. } | Effect::Write(_)) => self.tick()?,
            Some(Effect::Clear { request, round, closed_at }) => {
                let event = self.clear(request, round, closed_at)?;
                self.happened(event, &[])?;
            }
            None => return self.hear(),
        }
        Ok(true)
    }

    /// What is public of the mission so far.
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// SHA-256 chain over the journal so far.
    pub const fn journal_hash(&self) -> primitives::Bytes32 {
        self.ports.journal.log.head()
    }

    /// How the mission stands, or ended.
    pub const fn outcome(&self) -> Outcome {
        self.mission.outcome()
    }

    /// Takes the next thing that the world does by itself. False when it does nothing more.
    fn hear(&mut self) -> Result<bool, Error> {
        let inbox = |source| Error::Port { what: "the inbox", source };
        let Some(due) = self.site.cron.next_after(self.now) else { return self.close() };
        match self.ports.inbox.next(&self.view, due).map_err(inbox)? {
            Input::Stop => return self.close(),
            Input::Due => {
                self.listen()?;
                self.now = due;
                self.happened(Event::Ticked { tick: self.mission.tick() + 1 }, &[])?;
            }
            Input::Envelope { at, envelope } => {
                let asked = Command::Order(envelope.clone());
                let receipt = match self.ports.enclave.ask("take an order", &asked) {
                    Ok(Reply::Receipt(receipt)) => receipt,
                    Ok(_) => return Err(Error::Answer { what: "an order" }),
                    // Anyone may send anything: that is the sender's matter, and no event.
                    Err(Error::Refused { reason, .. }) => {
                        self.ports.inbox.answered(Err(&reason)).map_err(inbox)?;
                        return Ok(true);
                    }
                    Err(error) => return Err(error),
                };
                self.now = at.max(self.now);
                self.happened(Event::Ordered { envelope, receipt: receipt.clone() }, &[])?;
                self.ports.inbox.answered(Ok(&receipt)).map_err(inbox)?;
            }
        }
        Ok(true)
    }

    /// Takes in what others did on chain since the last tick: anyone may deposit, settle a round, expire a request or
    /// bring a report of the DON's to its receiver.
    fn listen(&mut self) -> Result<(), Error> {
        let (facts, included) = self.since(None)?;
        if included.is_empty() { Ok(()) } else { self.happened(Event::Heard { facts }, &included) }
    }

    /// The facts in blocks that the journal does not hold yet, and their transactions: up to one of them, or all.
    pub(crate) fn since(
        &mut self,
        until: Option<&Included>,
    ) -> Result<(Vec<Fact>, Vec<Included>), Error> {
        let news = self
            .ports
            .chain
            .since(self.newest.as_ref())
            .map_err(|source| Error::Port { what: "the chain", source })?;
        let last = until.and_then(|until| news.iter().position(|(_, it)| it.raw == until.raw));
        let n = last.map_or(news.len(), |last| last + 1);
        let heard = news.into_iter().take(n).map(|(receipt, included)| {
            (evm::mission::facts(&receipt, &self.site.emitters), included)
        });
        let (facts, included): (Vec<Vec<Fact>>, Vec<Included>) = heard.unzip();
        Ok((facts.concat(), included))
    }

    fn close(&mut self) -> Result<bool, Error> {
        self.listen()?;
        let chain = self
            .ports
            .chain
            .digest()
            .map_err(|source| Error::Port { what: "the chain", source })?;
        let (outcome, n_events) = (self.mission.outcome(), self.n_events);
        self.append(&[Record::Closing { outcome, n_events, chain }])?;
        self.is_closed = true;
        Ok(false)
    }

    /// Has the enclave judge a tick.
    pub(crate) fn observe(&mut self, tick: u32) -> Result<Event, Error> {
        let Ports { enclave, reserves, .. } = &mut self.ports;
        let word = Word {
            chain_id: self.site.opening.chain_id,
            dark_pool: self.site.scope.dark_pool,
            signer: self.site.opening.signer,
        };
        let statements = reserves
            .statements(tick, self.now)
            .map_err(|source| Error::Port { what: "the custodian", source })?;
        Ok(match judge(&mut **enclave, &word, tick, self.now, statements)? {
            Some(Attested { observed, signature }) => Event::Observed { observed, signature },
            None => Event::Unobserved { tick },
        })
    }

    /// Has the enclave close, clear and prove a round.
    fn clear(
        &mut self,
        request: RequestId,
        round: u32,
        closed_at: Timestamp,
    ) -> Result<Event, Error> {
        let command = Command::Clear { request, round, closed_at, price: self.site.price };
        let reply = self.ports.enclave.ask("clear a round", &command)?;
        let Reply::Cleared { ready, prove_ms, constraints } = reply else {
            return Err(Error::Answer { what: "a round" });
        };
        if let Some(Ready { request, round, .. }) = &ready {
            let (request, round) = (*request, *round);
            self.view.proved_in(Proved { request, round, prove_ms, constraints });
        }
        Ok(Event::Cleared { ready })
    }

    /// What is to be carried out next.
    pub(crate) fn next_effect(&self) -> Option<Effect> {
        self.mission.outstanding().front().cloned()
    }

    /// Makes an event durable, takes it in, and tells the enclave what it changed on chain.
    pub(crate) fn happened(&mut self, event: Event, included: &[Included]) -> Result<(), Error> {
        let now = self.now;
        let mut records: Vec<Record> = included.iter().cloned().map(Record::Included).collect();
        records.push(Record::Happened { now, event: event.clone() });
        let head = self.ports.journal.log.head();
        self.ports.enclave.reach(self.n_events + 1, head)?;
        self.append(&records)?;
        self.take(now, &event, included)?;
        if !event.facts().is_empty() {
            let news = Command::Inform(event.facts().to_vec());
            self.ports.enclave.ask("learn what the chain says", &news)?;
        }
        Ok(())
    }

    fn append(&mut self, records: &[Record]) -> Result<(), Error> {
        let records: Vec<Vec<u8>> = records.iter().map(encode).collect();
        Ok(self.ports.journal.log.append(&records)?)
    }

    /// Takes a durable event in: the same whether it just happened or is being replayed.
    fn take(&mut self, now: Timestamp, event: &Event, included: &[Included]) -> Result<(), Error> {
        let effect = self.next_effect();
        match event {
            Event::Ticked { .. } => {
                self.progress = Progress::begin(&self.mission, self.view.opened(), self.n_reports);
            }
            Event::Observed { observed, signature } => {
                let (observed, signature) = (observed.clone(), signature.clone());
                self.progress.observed = Some(Attested { observed, signature });
            }
            Event::Written { .. } => {
                self.n_reports += 1;
                self.progress.n_answered += 1;
            }
            Event::Unwritten { .. } => self.progress.n_answered += 1,
            Event::Unobserved { .. }
            | Event::Ordered { .. }
            | Event::Cleared { .. }
            | Event::Heard { .. } => {}
        }
        let effects = self.mission.step(now, event)?;
        if matches!(event, Event::Observed { .. }) {
            let writes = effects.iter().filter_map(|effect| match effect {
                Effect::Write(write) => Some(self.site.contracts.addressed(write)),
                Effect::Observe { .. } | Effect::Clear { .. } => None,
            });
            self.progress.writes = writes.collect();
        }
        self.now = now;
        self.n_events += 1;
        self.view.take(&self.mission, now, event, effect, included);
        self.newest = included.last().cloned().or(self.newest.take());
        Ok(())
    }
}
