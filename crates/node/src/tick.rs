//! One tick, from the outside in: the enclave judges it, then every node of the DON runs the workflow's module over
//! what it sees, and what a quorum of them had signed is taken from a queue, each effect made durable in the order
//! the core asked for them.
//!
//! While the DON runs, the module's questions are answered from what the tick began with and its reports go to the
//! chain at once, since a workflow is told what became of each; the node itself is not entered. Journal and core
//! follow when the DON is done. If the plug is pulled in between, the chain is ahead of the journal by what one tick
//! sent, and the tick is run again: a module keeps nothing, so from the same inputs (the chain as it was at the
//! tick's start, the same instant, the same execution id) it asks for the same things, and the same reports are
//! found delivered.

use core::cell::RefCell;

use cre::messages::{Any, darkpool as wire, http, pack, sdk};
use darkpool::{Answer, Attested, Backend, Delivery, Endpoint, Failure, RequestState, Service};
use don::CapabilityError;
use don::chain::Transmitter;
use don::triggers::Schedule;
use don::{Job, Registry};
use engine::Limits;
use evm::alloy::primitives::Address as EvmAddress;
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::transports::TransportErrorKind;
use evm::mission::Emitters;
use evm::report::{Reason, SignedReport};
use primitives::{Bytes32, RequestId, Timestamp, keccak256, sha256};
use protocol::event::Ready;
use protocol::journal::Included;
use protocol::{Effect, Event, Fact, RequestStatus};

use crate::Error;
use crate::driver::{Door, Node};
use crate::ports::{Chain, Failure as Broken, Outgoing, Ports};

/// Reports of one tick: far more than the core asks for.
const REPORTS_PER_TICK: u64 = 1 << 8;

impl Node {
    /// Runs the tick that is open, or the rest of it.
    pub(crate) fn tick(&mut self) -> Result<(), Error> {
        if let Some(Effect::Observe { tick }) = self.next_effect() {
            let event = self.observe(tick)?;
            self.happened(event, &[])?;
        }
        let Ran { sent, agreeing } = self.run_module()?;
        let mut agreeing = agreeing.into_iter();
        let n_answered = self.progress.n_answered;
        for (index, sent) in sent.into_iter().enumerate() {
            // Its nodes did not agree; or they did, and nothing came of it.
            let Some(Sent { told, included }) = sent else {
                let n = agreeing.next().unwrap_or_default();
                if index >= n_answered {
                    let agreeing = u8::try_from(n).unwrap_or(u8::MAX);
                    self.happened(Event::Unwritten { agreeing }, &[])?;
                }
                continue;
            };
            if index >= n_answered {
                let outcome = evm::report::outcome(&told, self.site.emitters.forwarder);
                let (facts, carried) = self.since(Some(&included))?;
                let event = Event::Written {
                    transaction: Bytes32(keccak256(&[&included.raw])),
                    delivered: outcome.is_some_and(|outcome| outcome.delivered),
                    facts,
                };
                self.happened(event, &carried)?;
            }
        }
        Ok(())
    }

    /// Has the DON run the workflow's module, and delivers what it signs.
    fn run_module(&mut self) -> Result<Ran, Error> {
        let (tick, now) = (self.mission.tick(), self.now);
        let Self { site, ports, progress, resumed_after, newest, .. } = self;
        let Ports { chain, network, .. } = ports;
        let reads = chain
            .reads(resumed_after.take().as_ref())
            .map_err(|source| Error::Port { what: "the chain", source })?;
        let identity = network.don().workflow().id;
        let job = Job {
            execution_id: sha256(&[b"cdpr/execution/v1", &identity, &tick.to_be_bytes()]),
            sequence: u64::from(tick) * REPORTS_PER_TICK,
            now_ns: now.0 * 1_000_000_000,
            restrictions: None,
        };
        let trigger = sdk::Trigger { id: 0, payload: Some(Schedule::payload(now)) };

        let outbox = RefCell::new(Outbox {
            chain: &mut **chain,
            now,
            number: progress.number,
            wanted: &progress.writes,
            sent: progress.writes.iter().map(|_| None).collect(),
            newest: newest.as_ref(),
            forwarder: site.emitters.forwarder,
            failed: None,
        });
        let mut agreeing = Vec::new();
        let pool = Pool {
            now,
            observed: progress.observed.as_ref(),
            ready: progress.ready.as_ref(),
            requests: progress.request.into_iter().collect(),
            emitters: site.emitters,
            outbox: &outbox,
        };
        let mut service = Service::new(site.scope.clone(), pool);
        let execution = {
            let mut registry = Registry::default();
            match &site.door {
                Door::Capability => {
                    registry.register(wire::ID, |call: &don::Call<'_>| serve(&mut service, call));
                }
                Door::Endpoint { url, token } => {
                    registry.register(cre::http::ACTION_ID, |call: &don::Call<'_>| {
                        Ok(pack(&answer(&mut service, url, token, &call.input()?)))
                    });
                }
            }
            let capability = don::chain::Chain::new(reads, Relay(&outbox), Limits::production())
                .map_err(|source| Error::Store {
                    what: "an event loop (epoll and eventfd, which a sandbox may refuse)",
                    source,
                })?;
            registry.register(don::chain::id(site.chain_selector), capability);
            registry.on_disagreement(|request, none| {
                if request.method == "Report" {
                    agreeing.push(none.agreeing);
                }
            });
            network.fire(trigger, &job, &mut registry)
        };
        drop(service);
        let Outbox { sent, failed, .. } = outbox.into_inner();
        if let Some(error) = failed {
            return Err(error);
        }
        let execution = execution.map_err(|source| Error::Port { what: "the workflow", source })?;
        match failure(&execution, network.don().quorum()) {
            Some(reason) => Err(Error::Workflow { reason }),
            None => Ok(Ran { sent, agreeing }),
        }
    }
}

/// What came of the DON's run.
struct Ran {
    /// Per write that the core wants, what was sent.
    sent: Vec<Option<Sent>>,
    /// Sizes of the largest groups behind the reports that no quorum stood behind, in order.
    agreeing: Vec<usize>,
}

struct Sent {
    /// What the workflow is told of: the node's transaction, or that of whoever brought the same report before.
    told: TransactionReceipt,
    /// The node's transaction.
    included: Included,
}

/// `darkpool@1.0.0`, as a DON of this process calls it.
///
/// # Errors
/// The service's refusal.
pub fn serve<B: Backend>(
    service: &mut Service<B>,
    call: &don::Call<'_>,
) -> Result<Any, CapabilityError> {
    service.call(call.method, call.payload).map_err(|error| CapabilityError::from(&error))
}

/// The dark pool's endpoint, without its socket.
fn answer<B: Backend>(
    service: &mut Service<B>,
    url: &str,
    token: &str,
    request: &http::Request,
) -> http::Response {
    let given = request.multi_headers.get("authorization");
    let authorization = given.and_then(|given| given.values.first()).map_or("", String::as_str);
    let path = request.url.strip_prefix(url).filter(|_| request.method == "POST");
    let asked = Endpoint::new(token).read(
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
        .filter_map(|result| Some(don::words(result.as_ref().err()?)))
        .collect();
    if broken.len() >= quorum { broken.into_iter().next() } else { None }
}

/// Where the DON's reports go: to the chain, if the core wants them, and into the queue that the node takes them
/// from. It is shared by the two capabilities that deliver, and knows nothing of the node.
struct Outbox<'a> {
    chain: &'a mut dyn Chain,
    now: Timestamp,
    /// Of the tick's first report.
    number: u64,
    /// Receiver and payload, in the core's order.
    wanted: &'a [(EvmAddress, Vec<u8>)],
    /// Beside each of these, what was sent.
    sent: Vec<Option<Sent>>,
    /// What the node has heard of the chain ends there.
    newest: Option<&'a Included>,
    forwarder: EvmAddress,
    /// What ended the run; from then on nothing is carried out.
    failed: Option<Error>,
}

/// The run was ended by a failure that is kept in [`Outbox::failed`].
#[derive(Debug, thiserror::Error)]
#[error("the run has ended")]
struct Ended;

impl Outbox<'_> {
    /// Delivers a report, or finds it delivered.
    fn deliver(&mut self, outgoing: &Outgoing<'_>) -> Result<TransactionReceipt, Ended> {
        self.act(|outbox| outbox.send(outgoing))
    }

    fn refusal(&mut self, receiver: EvmAddress, raw: &[u8]) -> Result<Vec<u8>, Ended> {
        let failed = |source| Error::Port { what: "the chain", source };
        self.act(|outbox| outbox.chain.refusal(receiver, raw).map_err(failed))
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Ended> {
        if self.failed.is_some() {
            return Err(Ended);
        }
        act(self).map_err(|error| {
            self.failed = Some(error);
            Ended
        })
    }

    fn send(&mut self, outgoing: &Outgoing<'_>) -> Result<TransactionReceipt, Error> {
        let index = self.place(outgoing)?;
        if let Some(Sent { told, .. }) = &self.sent[index] {
            return Ok(told.clone());
        }
        let failed = |source| Error::Port { what: "the chain", source };
        let n_before = self.sent[..index].iter().flatten().count() as u64;
        let (receipt, included) =
            self.chain.deliver(self.now, self.number + n_before, outgoing).map_err(failed)?;
        let told = match evm::report::outcome(&receipt, self.forwarder) {
            Some(_) => receipt,
            // A report is public before it is in a block: anyone may have brought it here first.
            None => self.brought(outgoing).map_err(failed)?.unwrap_or(receipt),
        };
        self.sent[index] = Some(Sent { told: told.clone(), included });
        Ok(told)
    }

    /// The transaction of whoever had a report carried out since the tick began.
    fn brought(&mut self, outgoing: &Outgoing<'_>) -> Result<Option<TransactionReceipt>, Broken> {
        let Outgoing { receiver, report, .. } = *outgoing;
        let report = evm::report::Report::parse(&report.raw)?;
        let is_it = |receipt: &TransactionReceipt| {
            evm::report::carries_out(receipt, self.forwarder, receiver, &report)
        };
        let news = self.chain.since(self.newest)?;
        Ok(news.into_iter().map(|(receipt, _)| receipt).find(is_it))
    }

    /// Which of the core's writes a report is. The core decides what is written and in which order; an auditor
    /// would find the difference anyway.
    fn place(&self, outgoing: &Outgoing<'_>) -> Result<usize, Error> {
        let Outgoing { receiver, report, .. } = outgoing;
        let payload = report.raw.get(evm::report::HEADER_LEN..).unwrap_or_default();
        let is_it = |(to, bytes): &(EvmAddress, Vec<u8>)| to == receiver && bytes == payload;
        let found = self.wanted.iter().position(is_it);
        let is_late = |index: &usize| self.sent[index + 1..].iter().any(Option::is_some);
        found.filter(|index| !is_late(index)).ok_or_else(|| {
            let said = |payload: &[u8]| match evm::report::Payload::decode(payload) {
                Ok(it) => format!("0x{:x} at epoch {}", it.call.slice(..4), it.epoch),
                Err(error) => error.to_string(),
            };
            let asked: Vec<String> = self.wanted.iter().map(|(_, bytes)| said(bytes)).collect();
            let reason = format!("the DON signed {}, the core asked for {asked:?}", said(payload));
            Error::Workflow { reason }
        })
    }
}

/// The DON's capability for the chain delivers through the outbox.
struct Relay<'o, 'a>(&'o RefCell<Outbox<'a>>);

impl Transmitter for Relay<'_, '_> {
    fn deliver(
        &mut self,
        receiver: EvmAddress,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, evm::SendError> {
        let outgoing = Outgoing { receiver, report, gas_limit };
        self.0.borrow_mut().deliver(&outgoing).map_err(|ended| evm::SendError::Unreachable {
            hash: Default::default(),
            source: TransportErrorKind::custom(ended),
        })
    }
}

/// The dark pool's world during a tick: what the tick began with, and what its own reports opened.
struct Pool<'o, 'a> {
    now: Timestamp,
    observed: Option<&'a Attested>,
    ready: Option<&'a Ready>,
    requests: Vec<(RequestId, RequestState)>,
    emitters: Emitters,
    outbox: &'o RefCell<Outbox<'a>>,
}

impl Backend for Pool<'_, '_> {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn observe(&mut self, _tick: u32, _now: Timestamp) -> Result<Option<Attested>, Failure> {
        Ok(self.observed.cloned())
    }

    fn delivered(&mut self, _report: &SignedReport) -> Result<Option<Vec<Fact>>, Failure> {
        // Delivering finds out by itself.
        Ok(None)
    }

    fn deliver(&mut self, report: &SignedReport) -> Result<Delivery, Failure> {
        let ended = |error: Ended| Failure::Chain(error.into());
        let (receiver, gas_limit) =
            (self.emitters.dark_pool, Limits::production().evm_write_gas_max);
        let mut outbox = self.outbox.borrow_mut();
        let receipt = outbox.deliver(&Outgoing { receiver, report, gas_limit }).map_err(ended)?;
        let delivery = evm::mission::delivery(&receipt, &self.emitters);
        if delivery.delivered {
            self.requests.extend(delivery.facts.iter().filter_map(opened));
            return Ok(Delivery::Taken(delivery.facts));
        }
        if evm::report::outcome(&receipt, self.emitters.forwarder).is_none() {
            return Ok(Delivery::Rejected);
        }
        Ok(Delivery::Refused(Reason(outbox.refusal(receiver, &report.raw).map_err(ended)?)))
    }

    fn inform(&mut self, _facts: &[Fact]) -> Result<(), Failure> {
        // The enclave is told of every delivery when the DON is done, before anything else is asked of it.
        Ok(())
    }

    fn request(&mut self, id: RequestId) -> Result<Option<RequestState>, Failure> {
        Ok(self.requests.iter().rev().find(|(known, _)| *known == id).map(|(_, state)| *state))
    }

    fn awaiting(&mut self, id: RequestId) -> Result<Option<Ready>, Failure> {
        Ok(self.ready.filter(|ready| ready.request == id).cloned())
    }

    fn rounds(&mut self, from: usize) -> Result<Vec<Ready>, Failure> {
        // Between ticks a round is handed out once, by `awaiting`; nobody listens during one.
        Ok(self.ready.into_iter().skip(from).cloned().collect())
    }
}

fn opened(fact: &Fact) -> Option<(RequestId, RequestState)> {
    let Fact::RequestOpened { id, commitment, premium, opened, expires } = *fact else {
        return None;
    };
    let status = RequestStatus::Pending;
    Some((id, RequestState { commitment, premium, opened, expires, status }))
}
