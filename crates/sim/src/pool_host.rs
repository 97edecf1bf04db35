//! What hosts the enclave of a world, as the capability `darkpool@1.0.0` sees it: the real chain, the real
//! enclave, and the nodes that relay to it.

use cre::messages::Any;
use cre::messages::sdk::ReportResponse;
use darkpool::{Attested, Backend, Delivery, Failure, RequestState, Scope, Service};
use don::CapabilityError;
use evm::alloy::primitives::{Address as EvmAddress, B256, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::{Filter, TransactionReceipt};
use evm::alloy::sol_types::SolEvent as _;
use evm::report::{Reason, SignedReport};
use primitives::{Address, CommitmentHash, Premium, RequestId, Timestamp, secp256k1};
use protocol::event::Ready;
use protocol::wire::{Command, Reply};
use protocol::{Call, Fact, RequestStatus, Write};

use crate::{Error, World};

/// `darkpool@1.0.0`, as a DON of this process calls it.
///
/// # Errors
/// The service's refusal.
pub(crate) fn serve<B: Backend>(
    service: &mut Service<B>,
    call: &don::Call<'_>,
) -> Result<Any, CapabilityError> {
    service.call(call.method, call.payload).map_err(|error| CapabilityError::from(&error))
}

/// A world, its time, and the rounds its enclave has proved.
pub struct PoolHost {
    world: World,
    now: Timestamp,
    rounds: Vec<Ready>,
}

impl core::fmt::Debug for PoolHost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PoolHost({:?})", self.world)
    }
}

impl PoolHost {
    /// Takes a world in as it is at `now`.
    pub const fn new(world: World, now: Timestamp) -> Self {
        Self { world, now, rounds: Vec::new() }
    }

    /// What a service over it serves, by the names of the world's workflow.
    pub fn scope(&self) -> Scope {
        scope(&self.world)
    }

    /// The world.
    pub const fn world(&mut self) -> &mut World {
        &mut self.world
    }

    /// A connection to its chain.
    pub fn provider(&self) -> DynProvider {
        self.world.chain.connect()
    }

    /// Moves time on; never back.
    pub fn advance_to(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Has the DON agree on a write and sign it. `sequence` tells executions apart.
    ///
    /// # Errors
    /// Never while the nodes are healthy.
    pub fn sign(&self, write: &Write, sequence: u64) -> Result<ReportResponse, Error> {
        let (_, payload) = self.world.addressed(write);
        let don = &self.world.don;
        let agreement = don
            .agree(&vec![Some(payload); don.n()])
            .map_err(|_| Error::Answer { what: "a unanimous DON" })?;
        Ok(don.sign(&agreement, &don.stamp(sequence, self.now)).response())
    }

    /// Has the enclave clear and prove a round. False if there was nothing to clear.
    ///
    /// # Errors
    /// [`Error`] of the enclave.
    pub fn clear(&mut self, request: RequestId, round: u32) -> Result<bool, Error> {
        let command =
            Command::Clear { request, round, closed_at: self.now, price: self.world.price() };
        match self.world.ask("clear a round", &command)? {
            Reply::Cleared { ready, .. } => {
                let is_ready = ready.is_some();
                self.rounds.extend(ready);
                Ok(is_ready)
            }
            Reply::Done
            | Reply::Attested { .. }
            | Reply::Receipt(_)
            | Reply::Observed { .. }
            | Reply::Unobserved
            | Reply::Refused(_) => Err(Error::Answer { what: "a round" }),
        }
    }

    /// Settles a proved round by a report, and tells the enclave. False if the pool refused it.
    ///
    /// # Errors
    /// [`Failure`], or [`Error`] inside one.
    pub fn settle(&mut self, ready: Ready, write: Write, sequence: u64) -> Result<bool, Failure> {
        let Ready { request, zk_proof, tee_attestation, .. } = ready;
        let call = Call::ConfidentialFill { request, zk_proof, tee_attestation };
        // A proof stands for itself.
        let write = Write { call, observation: Vec::new(), ..write };
        let report = self.sign(&write, sequence).map_err(enclave)?;
        match self.deliver(&don::chain::signed_report(&report))? {
            Delivery::Taken(facts) => self.inform(&facts).map(|()| true),
            Delivery::Refused(_) | Delivery::Rejected => Ok(false),
        }
    }

    /// Has the transmitter hand a report to the forwarder.
    ///
    /// # Errors
    /// [`Failure::Chain`].
    pub fn transmit(
        &self,
        receiver: EvmAddress,
        report: &SignedReport,
    ) -> Result<TransactionReceipt, Failure> {
        let transaction = self.world.transmit_next(report.calldata(receiver)).map_err(chain)?;
        let sent = self.world.send(self.now, &transaction.bytes, "a report");
        sent.map(|(receipt, _)| receipt).map_err(chain)
    }

    /// The receipt of the transaction that delivered a report to the pool, if one did.
    ///
    /// # Errors
    /// [`Failure::Chain`].
    pub fn delivery(&self, report: &SignedReport) -> Result<Option<TransactionReceipt>, Failure> {
        let header = evm::report::Report::parse(&report.raw).map_err(chain)?;
        let contracts = &self.world.contracts;
        // Anyone may emit such a log; only the forwarder's counts.
        let report_id = B256::right_padding_from(&header.report_id);
        let filter = Filter::new()
            .address(contracts.forwarder)
            .event_signature(evm::abi::KeystoneForwarder::ReportProcessed::SIGNATURE_HASH)
            .topic1(contracts.dark_pool.into_word())
            .topic2(header.execution_id)
            .topic3(report_id)
            .from_block(0);
        self.world.block_on(async |provider| {
            for log in provider.get_logs(&filter).await.map_err(chain)? {
                let taken = log
                    .log_decode::<evm::abi::KeystoneForwarder::ReportProcessed>()
                    .is_ok_and(|event| event.inner.data.result);
                if let (true, Some(hash)) = (taken, log.transaction_hash) {
                    return provider.get_transaction_receipt(hash).await.map_err(chain);
                }
            }
            Ok(None)
        })
    }
}

/// What the dark pool of a world serves, by the names of its workflow.
pub(crate) fn scope(world: &World) -> Scope {
    let workflow = &world.inputs.workflow.workflow;
    let (image, oracle_feed) = workflow
        .compute()
        .map(|compute| (compute.image.clone(), compute.feed.clone()))
        .unwrap_or_default();
    Scope {
        chain_id: world.contracts.chain_id,
        dark_pool: Address(world.contracts.dark_pool.into()),
        image,
        oracle_feed,
        asset: workflow.dark_pool().map(|ask| ask.asset.clone()).unwrap_or_default(),
    }
}

impl Backend for PoolHost {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn observe(&mut self, tick: u32, now: Timestamp) -> Result<Option<Attested>, Failure> {
        let statements = self.world.statements(tick, now).map_err(enclave)?;
        let command = Command::Observe { tick, now, statements };
        match self.world.ask("judge a tick", &command).map_err(enclave)? {
            Reply::Observed { observed, signature } => {
                let signer = secp256k1::recover(&self.world.digest(&observed), &signature);
                if signer != Some(Address(self.world.evidence.signer().0)) {
                    let what = "a tick, signed by another key,";
                    return Err(enclave(Error::Answer { what }));
                }
                Ok(Some(Attested { observed, signature }))
            }
            Reply::Unobserved => Ok(None),
            Reply::Done
            | Reply::Attested { .. }
            | Reply::Receipt(_)
            | Reply::Cleared { .. }
            | Reply::Refused(_) => Err(enclave(Error::Answer { what: "a tick" })),
        }
    }

    fn delivered(&mut self, report: &SignedReport) -> Result<Option<Vec<Fact>>, Failure> {
        let emitters = self.world.emitters();
        Ok(self.delivery(report)?.map(|receipt| evm::mission::facts(&receipt, &emitters)))
    }

    fn deliver(&mut self, report: &SignedReport) -> Result<Delivery, Failure> {
        let contracts = self.world.contracts;
        let receipt = self.transmit(contracts.dark_pool, report)?;
        let outcome = evm::report::outcome(&receipt, contracts.forwarder);
        let Some(outcome) = outcome.filter(|_| receipt.status()) else {
            return Ok(Delivery::Rejected);
        };
        if outcome.delivered {
            return Ok(Delivery::Taken(evm::mission::facts(&receipt, &(&contracts).into())));
        }
        let (forwarder, dark_pool) = (contracts.forwarder, contracts.dark_pool);
        let reason = self.world.block_on(async |provider| {
            evm::report::refusal(provider, forwarder, dark_pool, &report.raw).await
        });
        Ok(Delivery::Refused(Reason(reason.map_err(chain)?.unwrap_or_default().to_vec())))
    }

    fn inform(&mut self, facts: &[Fact]) -> Result<(), Failure> {
        let command = Command::Inform(facts.to_vec());
        self.world.ask("learn what the chain says", &command).map(|_| ()).map_err(enclave)
    }

    fn request(&mut self, id: RequestId) -> Result<Option<RequestState>, Failure> {
        let dark_pool = self.world.contracts.dark_pool;
        self.world.block_on(async |provider| {
            let pool = evm::abi::DarkPool::new(dark_pool, provider);
            let id = B256::from(id.0);
            let request = match pool.request(id).call().await {
                Ok(request) => request,
                Err(error) if error.as_revert_data().is_some() => return Ok(None),
                Err(error) => return Err(chain(error)),
            };
            let status = pool.getRequestStatus(id).call().await.map_err(chain)?;
            let number = |value: U256| value.to_be_bytes::<32>();
            let answer = |what| chain(Error::Answer { what });
            Ok(Some(RequestState {
                commitment: CommitmentHash(number(request.commitment)),
                premium: Premium::new(request.premiumCapBps)
                    .ok_or_else(|| answer("a request's premium"))?,
                opened: Timestamp(request.opened.to()),
                expires: Timestamp(request.expires.to()),
                status: RequestStatus::from_number(status)
                    .ok_or_else(|| answer("a request's status"))?,
            }))
        })
    }

    fn awaiting(&mut self, id: RequestId) -> Result<Option<Ready>, Failure> {
        let Some(ready) = self.rounds.iter().rfind(|round| round.request == id).cloned() else {
            return Ok(None);
        };
        let dark_pool = self.world.contracts.dark_pool;
        let settled = self.world.block_on(async |provider| {
            let pool = evm::abi::DarkPool::new(dark_pool, provider);
            pool.request(B256::from(id.0)).call().await.map_err(chain)
        })?;
        Ok((u64::from(ready.round) > settled.rounds).then_some(ready))
    }

    fn rounds(&mut self, from: usize) -> Result<Vec<Ready>, Failure> {
        Ok(self.rounds.get(from..).unwrap_or_default().to_vec())
    }
}

fn chain(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Chain(Box::new(error))
}

fn enclave(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Enclave(Box::new(error))
}
