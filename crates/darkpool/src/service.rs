//! What answers: four methods over a world.
//!
//! Every method may be called twice. A report is delivered once whoever delivers it (the forwarder sees to
//! that), so asking again with the same report finds the request it opened; what is told to the enclave
//! twice is harmless; the enclave gives the same answer to the same tick. The service itself remembers
//! nothing: a restarted one goes on.

use cre::messages::darkpool::{
    CHECK_RESERVES, CheckReservesRequest, CheckReservesResponse, CollateralRequest, Fill,
    FillTriggerConfig, GET_REQUEST_STATUS, GetRequestStatusRequest, GetRequestStatusResponse,
    REQUEST_COLLATERAL, RequestResponse,
};
use cre::messages::sdk::ReportResponse;
use cre::messages::{Any, UnpackError, pack, unpack};
use evm::abi::DarkPool as Abi;
use evm::alloy::sol_types::SolCall as _;
use evm::report::{Payload, Reason, Report, ReportError, SignedReport};
use primitives::{Address, CommitmentHash, Duration, Premium, RequestId, Timestamp, encode};
use protocol::attest::Observed;
use protocol::event::Ready;
use protocol::{Fact, RequestStatus};

use crate::{CapabilityError, Code, Origin};

/// A report's context is OCR3's, 96 bytes.
const CONTEXT_LEN: usize = 96;

/// How far a DON's clock may be before the host's: theirs is a median of the nodes', ours one machine's.
const AHEAD_MAX: Duration = Duration(60);

/// The one pool a service serves, and the workflow's names for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// `DarkPool`.
    pub dark_pool: Address,
    /// The workflow's `image`: what the enclave behind the backend answers for.
    pub image: String,
    /// The workflow's `oracle_feed`.
    pub oracle_feed: String,
    /// The workflow's asset.
    pub asset: String,
}

/// A tick's answer as the enclave signed it; the backend has checked the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The answer.
    pub observed: Observed,
    /// 65 bytes over [`Observed::digest`].
    pub signature: Vec<u8>,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The pool took it; what changed, in log order.
    Taken(Vec<Fact>),
    /// The forwarder passed it on and the pool reverted with this.
    Refused(Reason),
    /// The forwarder reverted: signatures that are not the DON's, or a report that was tried before.
    Rejected,
}

/// A request as the chain has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestState {
    /// What opened it.
    pub commitment: CommitmentHash,
    /// Its public cap.
    pub premium: Premium,
    /// When.
    pub opened: Timestamp,
    /// First instant at which no round settles any more.
    pub expires: Timestamp,
    /// What `getRequestStatus` says.
    pub status: RequestStatus,
}

/// Which part of the world failed. The cause stays with the node's operator.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The chain cannot be asked, or took nothing.
    #[error("the chain does not answer")]
    Chain(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The enclave does not answer, or refused.
    #[error("the enclave does not answer")]
    Enclave(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What the service needs of the world.
pub trait Backend {
    /// Its own clock.
    fn now(&mut self) -> Timestamp;

    /// Has the enclave judge a tick by what each node relays. `None`: too few equal observations.
    ///
    /// # Errors
    /// [`Failure`], also when the answer is not signed by the enclave's key.
    fn observe(&mut self, tick: u32, now: Timestamp) -> Result<Option<Attested>, Failure>;

    /// What a report changed if it was delivered to the pool already, by whomever.
    ///
    /// # Errors
    /// [`Failure::Chain`].
    fn delivered(&mut self, report: &SignedReport) -> Result<Option<Vec<Fact>>, Failure>;

    /// Delivers a report to the pool through the forwarder.
    ///
    /// # Errors
    /// [`Failure::Chain`]; it may or may not be on its way then.
    fn deliver(&mut self, report: &SignedReport) -> Result<Delivery, Failure>;

    /// Tells the enclave what the chain says. Returning is its acknowledgement.
    ///
    /// # Errors
    /// [`Failure::Enclave`].
    fn inform(&mut self, facts: &[Fact]) -> Result<(), Failure>;

    /// A request of the pool. `None`: there is none by that id.
    ///
    /// # Errors
    /// [`Failure::Chain`].
    fn request(&mut self, id: RequestId) -> Result<Option<RequestState>, Failure>;

    /// The round of a request that is proved and not settled.
    ///
    /// # Errors
    /// [`Failure`].
    fn awaiting(&mut self, id: RequestId) -> Result<Option<Ready>, Failure>;

    /// Every round proved since this backend began, in order, from the `from`th on.
    ///
    /// # Errors
    /// [`Failure::Enclave`].
    fn rounds(&mut self, from: usize) -> Result<Vec<Ready>, Failure>;
}

/// Why a method was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload is another message.
    #[error("the payload is not the method's")]
    Payload(#[source] UnpackError),
    /// No such method.
    #[error("{} has no method {method:?}", cre::messages::darkpool::ID)]
    Method {
        /// As asked.
        method: String,
    },
    /// A byte string of the wrong length.
    #[error("{field} is {len} bytes long instead of {expected}")]
    Length {
        /// Which.
        field: &'static str,
        /// As given.
        len: usize,
        /// Its length.
        expected: usize,
    },
    /// A message is missing.
    #[error("{field} is missing")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A number beyond what the system represents.
    #[error("{field} {value} is out of range")]
    Range {
        /// Which.
        field: &'static str,
        /// As given.
        value: u64,
    },
    /// Another pool than the one served.
    #[error("this is the dark pool {served}, not {given}")]
    OtherPool {
        /// As given.
        given: Address,
        /// Ours.
        served: Address,
    },
    /// A name of the workflow that means nothing here.
    #[error("{what} {given:?} is not served here, {served:?} is")]
    OtherName {
        /// Of what.
        what: &'static str,
        /// As given.
        given: String,
        /// Ours.
        served: String,
    },
    /// The report, or its payload, is not one.
    #[error("the report is malformed")]
    Report(#[source] ReportError),
    /// The report is for another chain.
    #[error("the report is for chain {given}, not for {served}")]
    OtherChain {
        /// As signed.
        given: u64,
        /// Ours.
        served: u64,
    },
    /// The report is for another contract.
    #[error("the report is addressed to {given}, not to the dark pool {served}")]
    OtherReceiver {
        /// As signed.
        given: Address,
        /// The pool.
        served: Address,
    },
    /// The report calls something else.
    #[error("the report does not call requestCollateral")]
    OtherCall,
    /// What the DON signed is not what the message says.
    #[error("the report's {field} is not the request's")]
    Mismatch {
        /// Which argument.
        field: &'static str,
    },
    /// The forwarder does not believe the report.
    #[error("the forwarder rejects the report: its signatures are not the DON's")]
    Rejected,
    /// The pool refuses the report.
    #[error("the dark pool refuses the report: {reason}")]
    Refused {
        /// As it reverts.
        reason: Reason,
    },
    /// The pool took the report and opened nothing for this commitment.
    #[error("the report was delivered and opened no request for this commitment")]
    NotOpened,
    /// The request is on chain and the enclave does not know it yet. Ask again with the same report.
    #[error("request {request} is on chain and the enclave has not acknowledged it")]
    Unacknowledged {
        /// Its id.
        request: RequestId,
        /// Why.
        #[source]
        source: Failure,
    },
    /// There is no such request.
    #[error("there is no request {request}")]
    UnknownRequest {
        /// As given.
        request: RequestId,
    },
    /// The world fails. Ask again.
    #[error(transparent)]
    World(#[from] Failure),
}

impl Error {
    /// What kind it is, in Chainlink's words.
    pub const fn code(&self) -> Code {
        match self {
            Self::Payload(_)
            | Self::Length { .. }
            | Self::Missing { .. }
            | Self::OtherPool { .. }
            | Self::OtherName { .. }
            | Self::Report(_)
            | Self::OtherChain { .. }
            | Self::OtherReceiver { .. }
            | Self::OtherCall
            | Self::Mismatch { .. } => Code::InvalidArgument,
            Self::Range { .. } => Code::OutOfRange,
            Self::Method { .. } => Code::Unimplemented,
            Self::Rejected => Code::PermissionDenied,
            Self::Refused { .. } => Code::FailedPrecondition,
            Self::NotOpened => Code::Internal,
            Self::UnknownRequest { .. } => Code::NotFound,
            Self::Unacknowledged { .. } | Self::World(_) => Code::Unavailable,
        }
    }
}

impl From<&Error> for CapabilityError {
    /// Causes stay behind: a source may hold what only the node's operator should read.
    fn from(error: &Error) -> Self {
        let origin = match error.code() {
            Code::Internal | Code::Unavailable => Origin::System,
            Code::Canceled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::DataLoss
            | Code::Unauthenticated
            | Code::ConsensusFailed
            | Code::LimitExceeded
            | Code::InsufficientObservations => Origin::User,
        };
        match origin {
            Origin::System => Self::system(error.code(), error.to_string()),
            Origin::User => Self::user(error.code(), error.to_string()),
        }
    }
}

/// The capability.
#[derive(Debug)]
pub struct Service<B> {
    scope: Scope,
    backend: B,
}

impl<B: Backend> Service<B> {
    /// Serves one pool.
    pub const fn new(scope: Scope, backend: B) -> Self {
        Self { scope, backend }
    }

    /// What it serves.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The world behind it.
    pub const fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Carries out a method by name, as a registry of capabilities calls it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn call(&mut self, method: &str, payload: &Any) -> Result<Any, Error> {
        Ok(match method {
            CHECK_RESERVES => {
                pack(&self.check_reserves(&unpack(payload).map_err(Error::Payload)?)?)
            }
            REQUEST_COLLATERAL => {
                pack(&self.request_collateral(&unpack(payload).map_err(Error::Payload)?)?)
            }
            GET_REQUEST_STATUS => {
                pack(&self.get_request_status(&unpack(payload).map_err(Error::Payload)?)?)
            }
            _ => return Err(Error::Method { method: method.to_owned() }),
        })
    }

    /// One tick's judgement of the reserves. Empty if too few nodes observed the same.
    ///
    /// # Errors
    /// [`Error`].
    pub fn check_reserves(
        &mut self,
        request: &CheckReservesRequest,
    ) -> Result<CheckReservesResponse, Error> {
        same_name("image", &request.image, &self.scope.image)?;
        same_name("oracle feed", &request.oracle_feed, &self.scope.oracle_feed)?;
        if request.tick == 0 {
            return Err(Error::Range { field: "tick", value: 0 });
        }
        let now = Timestamp(request.now);
        // A tick of the future would be the last for as long: the enclave judges none twice.
        if now > self.backend.now() + AHEAD_MAX {
            return Err(Error::Range { field: "now", value: request.now });
        }
        let attested = self.backend.observe(request.tick, now)?;
        Ok(attested.map_or_else(CheckReservesResponse::default, |attested| CheckReservesResponse {
            observed: encode(&attested.observed),
            signature: attested.signature,
        }))
    }

    /// Delivers the DON's report, tells the enclave what it opened, and says how the request stands.
    ///
    /// # Errors
    /// [`Error`]. After [`Error::Unacknowledged`] and [`Error::World`] the same report may be sent again.
    pub fn request_collateral(
        &mut self,
        request: &CollateralRequest,
    ) -> Result<RequestResponse, Error> {
        self.same_pool(&request.dark_pool)?;
        same_name("asset", &request.asset, &self.scope.asset)?;
        let commitment = CommitmentHash(fixed("encrypted_amount", &request.encrypted_amount)?);
        let report = request.report.as_ref().ok_or(Error::Missing { field: "report" })?;
        let report = signed(report)?;
        self.check_report(request, &report)?;

        let facts = match self.backend.delivered(&report)? {
            Some(facts) => facts,
            None => match self.backend.deliver(&report)? {
                Delivery::Taken(facts) => facts,
                // Another node's delivery may have come between.
                refusal @ (Delivery::Refused(_) | Delivery::Rejected) => {
                    match (self.backend.delivered(&report)?, refusal) {
                        (Some(facts), _) => facts,
                        (None, Delivery::Refused(reason)) => return Err(Error::Refused { reason }),
                        (None, Delivery::Rejected | Delivery::Taken(_)) => {
                            return Err(Error::Rejected);
                        }
                    }
                }
            },
        };
        let opened = facts.iter().find_map(|fact| {
            let Fact::RequestOpened { id, commitment: on_chain, .. } = fact else { return None };
            (*on_chain == commitment).then_some(*id)
        });
        let id = opened.ok_or(Error::NotOpened)?;
        let unacknowledged = |source| Error::Unacknowledged { request: id, source };
        self.backend.inform(&facts).map_err(unacknowledged)?;
        let state = self.backend.request(id)?.ok_or(Error::UnknownRequest { request: id })?;
        Ok(RequestResponse {
            request_id: id.0.to_vec(),
            status: state.status as i32,
            expires_at: state.expires.0,
        })
    }

    /// What is public of a request, with the round that awaits settlement. An open request is told to the
    /// enclave first: where the effect was an ordinary `WriteReport`, nobody else has.
    ///
    /// # Errors
    /// [`Error`].
    pub fn get_request_status(
        &mut self,
        request: &GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, Error> {
        self.same_pool(&request.dark_pool)?;
        let id = RequestId(fixed("request_id", &request.request_id)?);
        let unknown = Error::UnknownRequest { request: id };
        let RequestState { commitment, premium, opened, expires, status } =
            self.backend.request(id)?.ok_or(unknown)?;
        let fill = match status {
            RequestStatus::Pending | RequestStatus::PartiallyFilled => {
                let fact = Fact::RequestOpened { id, commitment, premium, opened, expires };
                let unacknowledged = |source| Error::Unacknowledged { request: id, source };
                // Only as long as nothing has settled: the commitment is another one afterwards.
                if status == RequestStatus::Pending {
                    self.backend.inform(&[fact]).map_err(unacknowledged)?;
                }
                self.backend.awaiting(id)?.map(fill)
            }
            RequestStatus::Filled | RequestStatus::Expired | RequestStatus::Cancelled => None,
        };
        Ok(GetRequestStatusResponse { status: status as i32, expires_at: expires.0, fill })
    }

    /// The rounds that await settlement, of those proved from the `from`th on, and where to go on from.
    ///
    /// # Errors
    /// [`Error`].
    pub fn fills(
        &mut self,
        config: &FillTriggerConfig,
        from: usize,
    ) -> Result<(Vec<Fill>, usize), Error> {
        self.same_pool(&config.dark_pool)?;
        let rounds = self.backend.rounds(from)?;
        let next = from + rounds.len();
        let mut fills = Vec::new();
        for round in rounds {
            // A late listener is not told of what has settled since.
            let awaiting = self.backend.awaiting(round.request)?;
            if awaiting.is_some_and(|ready| ready.round == round.round) {
                fills.push(fill(round));
            }
        }
        Ok((fills, next))
    }

    fn same_pool(&self, given: &[u8]) -> Result<(), Error> {
        let (given, served) = (Address(fixed("dark_pool", given)?), self.scope.dark_pool);
        if given == served { Ok(()) } else { Err(Error::OtherPool { given, served }) }
    }

    /// What the DON signed is what the message says, for this pool on this chain. The pool checks most of
    /// it again; here it fails before anything is paid, and says why.
    fn check_report(
        &self,
        request: &CollateralRequest,
        report: &SignedReport,
    ) -> Result<(), Error> {
        let Scope { chain_id, dark_pool, .. } = self.scope;
        let header = Report::parse(&report.raw).map_err(Error::Report)?;
        let payload = Payload::decode(&header.payload).map_err(Error::Report)?;
        report.signers().map_err(Error::Report)?;
        if payload.chain_id != chain_id {
            return Err(Error::OtherChain { given: payload.chain_id, served: chain_id });
        }
        let receiver = Address(payload.receiver.into());
        if receiver != dark_pool {
            return Err(Error::OtherReceiver { given: receiver, served: dark_pool });
        }
        let call = Abi::requestCollateralCall::abi_decode_validate(&payload.call)
            .map_err(|_| Error::OtherCall)?;
        if call.encryptedAmount[..] != request.encrypted_amount {
            return Err(Error::Mismatch { field: "encryptedAmount" });
        }
        if call.premiumBps != evm::alloy::primitives::U256::from(request.premium_bps) {
            return Err(Error::Mismatch { field: "premiumBps" });
        }
        if call.timeout != evm::alloy::primitives::U256::from(request.timeout_s) {
            return Err(Error::Mismatch { field: "timeout" });
        }
        Ok(())
    }
}

fn same_name(what: &'static str, given: &str, served: &str) -> Result<(), Error> {
    if given == served {
        return Ok(());
    }
    Err(Error::OtherName { what, given: given.to_owned(), served: served.to_owned() })
}

fn fixed<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::Length { field, len: bytes.len(), expected: N })
}

fn signed(report: &ReportResponse) -> Result<SignedReport, Error> {
    if report.report_context.len() != CONTEXT_LEN {
        let len = report.report_context.len();
        return Err(Error::Length { field: "report_context", len, expected: CONTEXT_LEN });
    }
    Ok(SignedReport {
        raw: report.raw_report.clone().into(),
        context: report.report_context.clone().into(),
        signatures: report.sigs.iter().map(|sig| sig.signature.clone().into()).collect(),
    })
}

fn fill(ready: Ready) -> Fill {
    let Ready { request, round, zk_proof, tee_attestation } = ready;
    Fill { request_id: request.0.to_vec(), round, zk_proof, tee_attestation }
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;
