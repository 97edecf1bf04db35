//! One tick on the DON: every node runs the workflow's module over what it sees, and what a quorum of them
//! asks for is carried out, each effect made durable before the next.
//!
//! A module keeps nothing, and neither does this: a run that was interrupted is run again from the same
//! inputs (the chain as it was at the tick's start, the same instant, the same execution id), so it asks
//! for the same things, and what the journal holds already is answered from there.

use core::cell::RefCell;
use engine::Limits;

use cre::messages::{cron, darkpool as wire, http, pack, sdk, unpack};
use darkpool::{Answer, Attested, Backend, Delivery, Endpoint, Failure, RequestState, Service};
use don::chain::{Chain, Transmitter};
use don::{Behaviour, Job, Lie, Registry, TeeRunner, Workflow};
use evm::alloy::primitives::Address as EvmAddress;
use evm::alloy::rpc::types::TransactionReceipt;
use evm::report::{Reason, SignedReport};
use primitives::{RequestId, Timestamp, decode, encode, sha256};
use protocol::attest::Observed;
use protocol::event::Ready;
use protocol::mission::Request;
use protocol::{Effect, Event, Fact, Mission};

use crate::Error;
use crate::node::{Crash, Node, Point, opposite};
use crate::pool_host::{scope, serve};
use crate::world::{ENDPOINT, NodeFault};

/// What the dark pool's endpoint of a run asks for. It keeps strangers out, and there are none.
const TOKEN: &str = "embedded";

/// Reports of one tick: far more than the core asks for.
const REPORTS_PER_TICK: u64 = 1 << 8;

/// What a tick began with and what came of its writes so far: the node's memory of it, rebuilt from the
/// journal when there was a crash.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The round that awaited its settlement when the tick began.
    pub(crate) ready: Option<Ready>,
    /// The newest request, as it stood when the tick began.
    pub(crate) request: Option<Request>,
    /// The enclave's answer, once there; `Some(None)` is none by a quorum.
    pub(crate) observed: Option<Option<Attested>>,
    /// What the core wants written, in order: receiver and payload.
    pub(crate) writes: Vec<(EvmAddress, Vec<u8>)>,
    /// Per write answered so far, whether a transaction was sent.
    pub(crate) answered: Vec<bool>,
}

impl Progress {
    /// A tick that begins.
    pub(crate) fn begin(mission: &Mission) -> Self {
        let (ready, request) = (mission.ready().cloned(), mission.request().copied());
        Self { ready, request, ..Self::default() }
    }

    /// Transactions sent before write `index` of this tick.
    fn n_sent_before(&self, index: usize) -> u64 {
        self.answered.iter().take(index).filter(|sent| **sent).count() as u64
    }
}

/// Runs the tick that is open, or the rest of it.
///
/// # Errors
/// [`Error`]; what was made durable stays.
pub(crate) fn run(node: &mut Node, crash: &mut Crash<'_>) -> Result<(), Error> {
    let (tick, now) = (node.mission.tick(), node.now);
    let don = node.world.don.clone();
    let module = node.module.clone();
    let subscriptions = node.subscriptions.clone();
    let runner = node.runner.clone();
    node.runner_clock.set(now.0 * 1_000);
    let mut workflow = Workflow { config: node.world.config.clone(), ..Workflow::new(&module) };
    workflow.tees.extend(runner.as_deref().map(|runner| runner as &dyn TeeRunner));
    workflow.secrets.insert("", recovery::guest::TOKEN, TOKEN);
    let identity = don.workflow().id;
    let job = Job {
        execution_id: sha256(&[b"cdpr/execution/v1", &identity, &tick.to_be_bytes()]),
        sequence: u64::from(tick) * REPORTS_PER_TICK,
        now_ns: now.0 * 1_000_000_000,
        restrictions: None,
    };
    let seconds = i64::try_from(now.0).unwrap_or(i64::MAX);
    let fired = cron::Payload {
        scheduled_execution_time: Some(cre::messages::Timestamp { seconds, nanos: 0 }),
    };
    let trigger = sdk::Trigger { id: 0, payload: Some(pack(&fired)) };
    let reads = node.chain_at_start().connect();
    let selector = node.world.chain_selector;
    let scope = scope(&node.world);
    let faults: Vec<NodeFault> = (0..don.n()).map(|idx| node.world.inputs.fault(idx)).collect();

    let open = RefCell::new(Open { node, crash, failed: None, agreeing: Vec::new() });
    let mut service = Service::new(scope, Pool(&open));
    let mut behaviours: Vec<Behaviour<'_>> = faults.into_iter().map(behaviour).collect();
    let execution = {
        let mut registry = Registry::default();
        if runner.is_some() {
            registry.register(cre::http::ACTION_ID, |call: &don::Call<'_>| {
                Ok(pack(&answer(&mut service, &call.input::<http::Request>()?)))
            });
        } else {
            registry.register(wire::ID, |call: &don::Call<'_>| serve(&mut service, call));
        }
        let chain = Chain::new(reads, Outbox(&open), Limits::production())
            .map_err(|source| Error::Store { what: "a runtime", source })?;
        registry.register(don::chain::id(selector), chain);
        registry.on_disagreement(|request, none| {
            if request.method == "Report" {
                open.borrow_mut().agreeing.push(none.agreeing);
            }
        });
        subscriptions.fire(&don, &workflow, trigger, &job, &mut registry, &mut behaviours)
    };
    drop(service);
    let mut open = open.into_inner();
    if let Some(error) = open.failed.take() {
        return Err(error);
    }
    let execution = execution.map_err(|source| Error::Workflow { reason: source.to_string() })?;
    if let Some(reason) = failure(&execution, don.quorum()) {
        return Err(Error::Workflow { reason });
    }
    open.close()
}

/// The dark pool's endpoint, without its socket.
fn answer<B: Backend>(service: &mut Service<B>, request: &http::Request) -> http::Response {
    let given = request.multi_headers.get("authorization");
    let authorization = given.and_then(|given| given.values.first()).map_or("", String::as_str);
    let path = request.url.strip_prefix(ENDPOINT).filter(|_| request.method == "POST");
    let asked = Endpoint::new(TOKEN).read(
        path.unwrap_or_default(),
        authorization.as_bytes(),
        &request.body,
    );
    let Answer { status, body } =
        asked.map_or_else(|refusal| refusal, |asked| asked.answer(service));
    http::Response { status_code: u32::from(status), body, ..http::Response::default() }
}

/// Why a quorum's copies of the workflow failed, if they did. A minority's failure is its nodes' own.
fn failure(execution: &don::Execution, quorum: usize) -> Option<String> {
    if let Ok(agreement) = &execution.agreed {
        return match &agreement.value.result {
            Some(sdk::execution_result::Result::Error(reason)) => Some(reason.clone()),
            _ => None,
        };
    }
    let broken: Vec<String> = execution
        .results
        .iter()
        .flatten()
        .filter_map(|result| result.as_ref().err().map(ToString::to_string))
        .collect();
    if broken.len() >= quorum { broken.into_iter().next() } else { None }
}

/// A lying node hears the opposite of what the enclave said.
fn behaviour(fault: NodeFault) -> Behaviour<'static> {
    match fault {
        NodeFault::None => Behaviour::Honest,
        NodeFault::Absent => Behaviour::Absent,
        NodeFault::Lying => Behaviour::Lying(Lie {
            hears: Box::new(|request, response| {
                if request.method == wire::CHECK_RESERVES { lie(response) } else { response }
            }),
            ..Lie::default()
        }),
    }
}

fn lie(response: sdk::CapabilityResponse) -> sdk::CapabilityResponse {
    let Some(sdk::capability_response::Response::Payload(any)) = &response.response else {
        return response;
    };
    let heard = unpack::<wire::CheckReservesResponse>(any).ok();
    let observed = heard.and_then(|answer| decode::<Observed>(&answer.observed).ok());
    let Some(observed) = observed else { return response };
    let told = Observed { status: opposite(&observed.status), ..observed };
    let answer = wire::CheckReservesResponse { observed: encode(&told), signature: Vec::new() };
    sdk::CapabilityResponse {
        response: Some(sdk::capability_response::Response::Payload(pack(&answer))),
    }
}

/// The tick while it runs.
struct Open<'a, 'c> {
    node: &'a mut Node,
    crash: &'a mut Crash<'c>,
    /// What ended the run; from then on nothing is carried out.
    failed: Option<Error>,
    /// Sizes of the largest groups behind the reports that no quorum stood behind, in order.
    agreeing: Vec<usize>,
}

/// The run was ended by a failure that is kept in [`Open::failed`].
#[derive(Debug, thiserror::Error)]
#[error("the run has ended")]
struct Ended;

impl Open<'_, '_> {
    /// Does something, unless the run has ended; keeps the failure that ends it.
    fn act<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Ended> {
        if self.failed.is_some() {
            return Err(Ended);
        }
        act(self).map_err(|error| {
            self.failed = Some(error);
            Ended
        })
    }

    /// The enclave's answer to this tick, asked once.
    fn observe(&mut self) -> Result<Option<Attested>, Error> {
        if self.node.progress.observed.is_none() {
            let Some(Effect::Observe { tick }) = self.node.next_effect() else {
                return Err(Error::Workflow { reason: "reserves checked out of turn".to_owned() });
            };
            self.node.hook(self.crash, Point::BeforeEffect, "observe")?;
            let event = self.node.observe(tick)?;
            self.node.happened(self.crash, event, None)?;
        }
        Ok(self.node.progress.observed.clone().flatten())
    }

    /// Delivers a report, or finds it delivered.
    fn deliver(
        &mut self,
        receiver: EvmAddress,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, Error> {
        let payload = report.raw.get(evm::report::HEADER_LEN..).unwrap_or_default();
        let wanted = |(to, bytes): &(EvmAddress, Vec<u8>)| *to == receiver && bytes == payload;
        let Some(index) = self.node.progress.writes.iter().position(wanted) else {
            // The core decides what is written; an auditor would find the difference anyway.
            let said = |payload: &[u8]| match evm::report::Payload::decode(payload) {
                Ok(it) => format!("0x{:x} at epoch {}", it.call.slice(..4), it.epoch),
                Err(error) => error.to_string(),
            };
            let asked: Vec<String> =
                self.node.progress.writes.iter().map(|(_, bytes)| said(bytes)).collect();
            let reason = format!("the DON signed {}, the core asked for {asked:?}", said(payload));
            return Err(Error::Workflow { reason });
        };
        while self.node.progress.answered.len() < index {
            self.give_up()?;
        }
        let is_new = self.node.progress.answered.len() == index;
        if is_new {
            self.node.hook(self.crash, Point::BeforeEffect, "write")?;
        }
        // Nonce 0 was the registration's.
        let nonce = 1 + self.node.n_reports_before + self.node.progress.n_sent_before(index);
        let transaction = self.node.world.transmit(nonce, report.calldata(receiver), gas_limit);
        let (receipt, included) =
            self.node.world.send(self.node.now, &transaction.bytes, "a report")?;
        if is_new {
            let delivery = evm::mission::delivery(&receipt, &self.node.world.emitters());
            let event = Event::Written {
                transaction: primitives::Bytes32(transaction.hash.0),
                delivered: delivery.delivered,
                facts: delivery.facts,
            };
            self.node.happened(self.crash, event, Some(included))?;
        }
        Ok(receipt)
    }

    /// The next write has no quorum behind it.
    fn give_up(&mut self) -> Result<(), Error> {
        let nth = self.node.progress.answered.iter().filter(|sent| !**sent).count();
        let agreeing = self.agreeing.get(nth).copied().unwrap_or_default();
        let agreeing = u8::try_from(agreeing).unwrap_or(u8::MAX);
        self.node.happened(self.crash, Event::Unwritten { agreeing }, None)
    }

    /// Says of everything that is still wanted that it did not come about.
    fn close(&mut self) -> Result<(), Error> {
        loop {
            match self.node.next_effect() {
                Some(Effect::Observe { tick }) => {
                    self.node.happened(self.crash, Event::Unobserved { tick }, None)?;
                }
                Some(Effect::Write(_)) => self.give_up()?,
                Some(Effect::Clear { .. }) | None => return Ok(()),
            }
        }
    }
}

/// The dark pool's world, during a tick.
struct Pool<'r, 'a, 'c>(&'r RefCell<Open<'a, 'c>>);

impl Backend for Pool<'_, '_, '_> {
    fn now(&mut self) -> Timestamp {
        self.0.borrow().node.now
    }

    fn observe(&mut self, _tick: u32, _now: Timestamp) -> Result<Option<Attested>, Failure> {
        let ended = |error: Ended| Failure::Enclave(error.into());
        let mut open = self.0.borrow_mut();
        let answer = open.act(Open::observe).map_err(ended)?;
        let host = open.node.world.inputs.faults.host.as_ref();
        Ok(answer
            .map(|answer| host.map_or_else(|| answer.clone(), |host| host.serve(answer.clone()))))
    }

    fn delivered(&mut self, _report: &SignedReport) -> Result<Option<Vec<Fact>>, Failure> {
        // Delivering finds out by itself.
        Ok(None)
    }

    fn deliver(&mut self, report: &SignedReport) -> Result<Delivery, Failure> {
        let ended = |error: Ended| Failure::Chain(error.into());
        let mut open = self.0.borrow_mut();
        let (contracts, pool) = (open.node.world.contracts, open.node.world.contracts.dark_pool);
        let receipt = open
            .act(|open| open.deliver(pool, report, Limits::production().evm_write_gas_max))
            .map_err(ended)?;
        let delivery = evm::mission::delivery(&receipt, &(&contracts).into());
        if delivery.delivered {
            return Ok(Delivery::Taken(delivery.facts));
        }
        if evm::report::outcome(&receipt, contracts.forwarder).is_none() {
            return Ok(Delivery::Rejected);
        }
        let reason = open.act(|open| open.node.world.refusal(pool, &report.raw)).map_err(ended)?;
        Ok(Delivery::Refused(Reason(reason)))
    }

    fn inform(&mut self, _facts: &[Fact]) -> Result<(), Failure> {
        // The enclave is told of every delivery before the delivery returns.
        Ok(())
    }

    fn request(&mut self, id: RequestId) -> Result<Option<RequestState>, Failure> {
        let open = self.0.borrow();
        let node = &*open.node;
        // As the tick found it, so that a run which is repeated hears the same; one that this tick opened is
        // newer than that.
        let known = [node.progress.request.as_ref(), node.mission.request()];
        let request = known.into_iter().flatten().find(|request| request.id == id);
        Ok(request.zip(node.opened).map(|(request, (commitment, opened))| RequestState {
            commitment,
            premium: request.premium,
            opened,
            expires: request.expires,
            status: request.status,
        }))
    }

    fn awaiting(&mut self, id: RequestId) -> Result<Option<Ready>, Failure> {
        let ready = self.0.borrow().node.progress.ready.clone();
        Ok(ready.filter(|ready| ready.request == id))
    }

    fn rounds(&mut self, from: usize) -> Result<Vec<Ready>, Failure> {
        // Between ticks a round is handed out once, by `awaiting`; nobody listens during one.
        let ready = self.0.borrow().node.progress.ready.clone();
        Ok(ready.into_iter().skip(from).collect())
    }
}

/// Where the DON's reports go, during a tick.
struct Outbox<'r, 'a, 'c>(&'r RefCell<Open<'a, 'c>>);

impl Transmitter for Outbox<'_, '_, '_> {
    fn deliver(
        &mut self,
        receiver: EvmAddress,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, evm::SendError> {
        let mut open = self.0.borrow_mut();
        open.act(|open| open.deliver(receiver, report, gas_limit)).map_err(|ended| {
            evm::SendError::Unreachable {
                hash: Default::default(),
                source: evm::alloy::transports::TransportErrorKind::custom(ended),
            }
        })
    }
}
