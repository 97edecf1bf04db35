//! One run of the workflow: read, judge, let the core decide, write.

use cre::Report;
use cre::messages::darkpool::{
    CheckReservesRequest, CheckReservesResponse, CollateralRequest, GetRequestStatusRequest,
    GetRequestStatusResponse,
};
use primitives::{Address, RequestId, Timestamp};
use protocol::abi::{calldata, payload};
use protocol::attest::Observed;
use protocol::event::Ready;
use protocol::{Call, Effect, Event, Mission, Write};

use super::abi;
use super::chain::{self, Facts, Read, Unreadable};
use super::config::{Recovery, setup};

/// What a tick asks of CRE. Errors are the capabilities' texts.
pub trait Ports {
    /// What the contracts answer, in order.
    ///
    /// # Errors
    /// The first read that fails.
    fn read(&mut self, calls: &[Read]) -> Result<Vec<Vec<u8>>, String>;

    /// The enclave's judgement of a tick.
    ///
    /// # Errors
    /// It cannot be had.
    fn check_reserves(
        &mut self,
        request: CheckReservesRequest,
    ) -> Result<CheckReservesResponse, String>;

    /// What is public of a request, with the round that awaits settlement.
    ///
    /// # Errors
    /// It cannot be had.
    fn request_status(
        &mut self,
        request: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, String>;

    /// Has the DON agree on a payload and sign it.
    ///
    /// # Errors
    /// No quorum produced the same bytes.
    fn report(&mut self, payload: Vec<u8>) -> Result<Report, String>;

    /// Puts a request on chain, and returns when the enclave knows of it.
    ///
    /// # Errors
    /// It was not sent, the pool refused it, or nobody acknowledged it.
    fn request_collateral(&mut self, request: CollateralRequest) -> Result<(), String>;

    /// Delivers a report.
    ///
    /// # Errors
    /// It was not sent, or the receiver refused it.
    fn write(&mut self, receiver: Address, report: Report) -> Result<(), String>;

    /// Says something to whoever reads the workflow's logs: public, and nothing that depends on a secret.
    fn log(&mut self, line: &str);
}

/// Why a tick did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The schedule has not fired since the start.
    #[error("instant {now} is before the schedule's first fire; hint: `started` is too late")]
    Early {
        /// The tick's instant.
        now: Timestamp,
    },
    /// A port failed.
    #[error("{what}: {reason}")]
    Port {
        /// What was asked.
        what: &'static str,
        /// The capability's words.
        reason: String,
    },
    /// The chain's answer.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The dark pool's answer.
    #[error("the dark pool's answer to {what} does not decode")]
    Answer {
        /// What was asked.
        what: &'static str,
    },
    /// Somebody else than an active enclave gave the answer.
    #[error(
        "no active enclave signed the answer of tick {tick}; hint: ask who serves the dark pool, or whether the \
         enclave's registration has run out"
    )]
    Unsigned {
        /// The tick.
        tick: u32,
    },
    /// The core refused the enclave's answer.
    #[error("the answer of tick {tick} is refused")]
    Refused {
        /// The tick.
        tick: u32,
        /// Why.
        #[source]
        source: protocol::Refused,
    },
}

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticked {
    /// Its number, from 1.
    pub tick: u32,
    /// Whether the enclave judged it; false where too few nodes heard the same.
    pub observed: bool,
    /// Calls the core asked for.
    pub writes: u32,
    /// Of those, how many their receivers carried out.
    pub delivered: u32,
}

/// Runs one tick.
///
/// # Errors
/// [`Error`]; nothing was written then. A write that fails does not stop those after it: each is public
/// by itself, and what is missing is asked for again on the next tick.
pub fn tick(recovery: &Recovery, now: Timestamp, ports: &mut dyn Ports) -> Result<Ticked, Error> {
    let tick = recovery.tick_of(now);
    if tick == 0 {
        return Err(Error::Early { now });
    }
    let Some((observed, signature)) = check_reserves(recovery, tick, now, ports)? else {
        ports.log("no quorum on this tick's reserves");
        return Ok(Ticked { tick, observed: false, writes: 0, delivered: 0 });
    };
    check_signed(recovery, tick, &observed.signed(&signature), ports)?;
    let refused = |source| Error::Refused { tick, source };
    let mut mission = resume(recovery, tick, ports)?;
    mission.step(now, &Event::Ticked { tick }).map_err(refused)?;
    let event = Event::Observed { observed, signature };
    let effects = mission.step(now, &event).map_err(refused)?;
    let (mut writes, mut delivered) = (0, 0);
    for effect in effects {
        match effect {
            Effect::Write(write) => {
                writes += 1;
                match deliver(recovery, &write, ports) {
                    Ok(()) => delivered += 1,
                    Err(reason) => ports.log(&format!("{}: {reason}", write.call.function())),
                }
            }
            // The tick is answered, and rounds close at the dark pool, not in the workflow.
            Effect::Observe { .. } | Effect::Clear { .. } => {}
        }
    }
    Ok(Ticked { tick, observed: true, writes, delivered })
}

fn check_reserves(
    recovery: &Recovery,
    tick: u32,
    now: Timestamp,
    ports: &mut dyn Ports,
) -> Result<Option<(Observed, Vec<u8>)>, Error> {
    let what = "CheckReserves";
    let compute = recovery.document.workflow.compute();
    let (image, oracle_feed) =
        compute.map(|compute| (compute.image.clone(), compute.feed.clone())).unwrap_or_default();
    let request = CheckReservesRequest { image, oracle_feed, tick, now: now.0 };
    let answer = ports.check_reserves(request).map_err(|reason| Error::Port { what, reason })?;
    if answer.observed.is_empty() {
        return Ok(None);
    }
    let observed = primitives::decode(&answer.observed).map_err(|_| Error::Answer { what })?;
    Ok(Some((observed, answer.signature)))
}

/// Whoever serves the answer serves it to every node, so that they agree on it proves nothing: the enclave has
/// to have signed it. The contract that will act on it is asked, since recovering a signer here would take more
/// of the module than the module has; a node reads the chain by itself.
fn check_signed(
    recovery: &Recovery,
    tick: u32,
    observation: &[u8],
    ports: &mut dyn Ports,
) -> Result<(), Error> {
    let read = (recovery.confidential_por, abi::read_observed(observation));
    let answers = ports
        .read(&[read])
        .map_err(|reason| Error::Port { what: "reading the contracts", reason })?;
    match answers.first().and_then(|data| abi::word_number(data)) {
        Some(0) => Err(Error::Unsigned { tick }),
        Some(1) => Ok(()),
        Some(_) | None => Err(Unreadable { what: "isObserved(bytes)" }.into()),
    }
}

/// The mission as the chain and the dark pool tell it, before `tick`.
fn resume(recovery: &Recovery, tick: u32, ports: &mut dyn Ports) -> Result<Mission, Error> {
    let failed = |reason| Error::Port { what: "reading the contracts", reason };
    let answers = ports.read(&chain::reads(recovery)).map_err(failed)?;
    let answers = answers.try_into().map_err(|_| Error::Answer { what: "the contracts" })?;
    let facts = Facts::parse(&answers)?;
    let (mut stored, mut ready) = (None, None);
    if let Some(id) = facts.request {
        let read = (recovery.dark_pool, abi::read_request(id));
        let answer = ports.read(core::slice::from_ref(&read)).map_err(failed)?;
        let answer = answer.first().and_then(|data| abi::stored_request(data));
        stored = Some(answer.ok_or(Unreadable { what: "request(bytes32)" })?);
        ready = fill(recovery, id, ports)?;
    }
    let view = facts.view(recovery, tick - 1, stored, ready);
    Ok(Mission::resume(setup(&recovery.document, &recovery.deployment), view))
}

fn fill(recovery: &Recovery, id: RequestId, ports: &mut dyn Ports) -> Result<Option<Ready>, Error> {
    let what = "GetRequestStatus";
    let request = GetRequestStatusRequest {
        dark_pool: recovery.dark_pool.0.to_vec(),
        request_id: id.0.to_vec(),
    };
    let status = ports.request_status(request).map_err(|reason| Error::Port { what, reason })?;
    status
        .fill
        .map(|fill| {
            Ok(Ready {
                request: RequestId(abi::word(&fill.request_id).ok_or(Error::Answer { what })?),
                round: fill.round,
                zk_proof: fill.zk_proof,
                tee_attestation: fill.tee_attestation,
            })
        })
        .transpose()
}

/// Has one write signed and delivered.
fn deliver(recovery: &Recovery, write: &Write, ports: &mut dyn Ports) -> Result<(), String> {
    let receiver = recovery.contract(&write.contract);
    let call = calldata(&write.call);
    let chain_id = recovery.deployment.chain_id;
    let report = ports.report(payload(
        chain_id,
        receiver,
        write.epoch,
        write.expiry,
        &call,
        &write.observation,
    ))?;
    match &write.call {
        Call::RequestCollateral { encrypted_amount, premium, timeout } => {
            let ask = recovery.document.workflow.dark_pool();
            ports.request_collateral(CollateralRequest {
                dark_pool: receiver.0.to_vec(),
                asset: ask.map(|ask| ask.asset.clone()).unwrap_or_default(),
                encrypted_amount: encrypted_amount.0.to_vec(),
                premium_bps: premium.bps().into(),
                timeout_s: timeout.0,
                report: Some(report.into_response()),
            })
        }
        Call::ConfidentialFill { .. }
        | Call::ExpireRequest { .. }
        | Call::OpenRequest { .. }
        | Call::AttestRecovery { .. }
        | Call::ReportStatus { .. } => ports.write(receiver, report),
    }
}
